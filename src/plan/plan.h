/* SPDX-License-Identifier: BSD-3-Clause */
/* The tile plan: a pure state machine. Told the region, what the service can do and each tile's
 * outcome, it answers what to ask next. No I/O, no Lua, no clock of its own. Tiling design,
 * sections 2-6.
 *
 * Results are applied in the order the asks were issued, with a fixed lag, so that the plan depends
 * on the archive's answers only and not on the order in which they happened to arrive. */
#ifndef HAL_PLAN_PLAN_H
#define HAL_PLAN_PLAN_H

#include "base/status.h"
#include "sky/region.h"
#include "sky/tile.h"

/** What a service accepts and how it fails; the C half of a dialect's capability record (design
 * section 2). */
typedef struct hal_service {
    bool takes_box; /* ranges on the position columns; preferred over cones */
    bool takes_cone;
    bool counts;       /* an exact count of a region costs one cheap request */
    bool over_is_slow; /* going over the cap costs minutes (a reset): surprise cuts go into 4 */
    uint64_t cap;      /* rows one answer may hold; 0 unknown */
    double pos_quantum_deg; /* rounding of printed positions; 0: full doubles */
    double radius_max_deg;  /* 0: no limit */
    int radius_decimals; /* the service rounds radii to this many decimals of a degree; < 0: it does
                            not */
    double guard_arcsec; /* default 1.0 when 0 */
} hal_service;

typedef struct hal_plan_options {
    int window; /* most requests in parallel, 1..8; the plan opens it from 1 and halves it
                   on ambiguous and transient failures (design section 6.3) */
    uint64_t requests_max; /* 0: the design's default (section 6.2) */
    uint64_t rows_max;     /* rows kept; 0: none */
    int64_t known_rows;    /* exact count of the region, if the caller has it; < 0: unknown */
} hal_plan_options;

typedef enum hal_ask_kind {
    HAL_ASK_FETCH, /* rows wanted */
    HAL_ASK_COUNT, /* only the number of rows of `region`: exact count service */
    HAL_ASK_PROBE  /* rows to learn a density from, not kept */
} hal_ask_kind;

typedef struct hal_ask {
    uint64_t id; /* 1, 2 ...: new for every issue, repeats too */
    hal_ask_kind kind;
    bool whole;                    /* the user's region unsplit */
    bool as_box;                   /* send the box; false: the cone */
    int attempt;                   /* 0, then 1, 2 ... for repeats of the same ask */
    hal_tile tile;                 /* owns the rows; the whole sky for `whole` */
    hal_cone cone;                 /* request as a cone, guard included, radius rounded up */
    double ra_min_deg, ra_max_deg; /* request as a box, guard included; ra_min > ra_max crosses 0 */
    double dec_min_deg, dec_max_deg;
    double predicted_rows; /* < 0: unknown */
} hal_ask;

typedef enum hal_next {
    HAL_NEXT_ASK,  /* `out` is to be issued now */
    HAL_NEXT_WAIT, /* nothing to issue until an outcome is reported (or until `wait_until_ns`) */
    HAL_NEXT_DONE  /* read the account */
} hal_next;

/** How an ask failed; the caller's classification of signals per section 6.1 of the design. */
typedef enum hal_verdict {
    HAL_VERDICT_OVER,      /* the service said or proved: too many rows */
    HAL_VERDICT_AMBIGUOUS, /* reset, empty reply, cut body, 500, 502, 504, timeout */
    HAL_VERDICT_TRANSIENT, /* name, connect, TLS, 429, 503 */
    HAL_VERDICT_FATAL      /* 400, 401, 404, bad query: the plan stops with that error */
} hal_verdict;

typedef enum hal_plan_state {
    HAL_PLAN_RUNNING,
    HAL_PLAN_COMPLETE,
    HAL_PLAN_PARTIAL, /* stuck or unfetched tiles, or a budget is used up */
    HAL_PLAN_FAILED   /* fatal verdict or overshoot */
} hal_plan_state;

typedef struct hal_account {
    hal_plan_state state;
    uint64_t tiles_done, tiles_known; /* leaves finished; leaves known so far */
    uint64_t requests, over, ambiguous, transient, probes, counts;
    uint64_t rows_returned, rows_kept;
    int64_t rows_counted;    /* the archive's own count of the region, guard included; < 0: none */
    double rows_expected;    /* estimate of the total; < 0: unknown */
    double overshoot_arcsec; /* largest seen */
    uint64_t lower_bound;    /* ceil(rows / cap) with the best number known */
    uint64_t requests_max;
    size_t n_stuck; /* tiles that cannot be split further or were not fetched */
} hal_account;

typedef struct hal_plan hal_plan;

/** Borrows nothing: copies `service` and `options`, keeps a reference to `region`. NULL and err on
 * failure. */
hal_plan *hal_plan_new(const hal_service *service, hal_region *region,
                       const hal_plan_options *options, hal_err *err);
void hal_plan_free(hal_plan *plan);

/** What to do now. `now_ns` is monotonic; only back-off and the circuit breaker look at it.
 * `wait_until_ns` is set for HAL_NEXT_WAIT: INT64_MAX when only an outcome can change anything. */
hal_next hal_plan_next(hal_plan *plan, int64_t now_ns, hal_ask *out, int64_t *wait_until_ns);

/** A fetch or probe came back whole. `returned` rows in the answer, `kept` of them owned by the
 * tile and inside the region, `overshoot_deg` the largest distance of any row from the request
 * region (0 inside). An answer with returned >= cap is treated as OVER here, whatever the caller
 * thought, and so is a round number of rows (1, 2, 5 times 10^k from 1000 on, powers of two from
 * 1024) that no count confirms: its rows must be dropped, *accepted is false. Fails with
 * HAL_E_INTEGRITY when the overshoot shows that position columns do not match the selection
 * (section 4.2). */
hal_status hal_plan_complete(hal_plan *plan, uint64_t id, uint64_t returned, uint64_t kept,
                             double overshoot_deg, bool *accepted, hal_err *err) HAL_MUST_CHECK;
/** A count came back. */
hal_status hal_plan_counted(hal_plan *plan, uint64_t id, uint64_t rows,
                            hal_err *err) HAL_MUST_CHECK;
/** The ask failed; `why` is kept for the account and, for FATAL, becomes the plan's error. `now_ns`
 * starts back-offs. */
hal_status hal_plan_failed(hal_plan *plan, uint64_t id, hal_verdict verdict, int64_t now_ns,
                           const hal_err *why, hal_err *err) HAL_MUST_CHECK;

void hal_plan_account(const hal_plan *plan, hal_account *out);
/** The plan's error once its state is PARTIAL or FAILED: text names the tiles and the remedy. */
hal_status hal_plan_error(const hal_plan *plan, hal_err *err);
/** The i-th stuck tile (i < n_stuck) and why; false beyond the end. */
bool hal_plan_stuck(const hal_plan *plan, size_t i, hal_tile *tile, const char **why);
/** Leaves of the tree so far, done or not; for pictures and tables. Returns their number, fills at
 * most `n`. */
typedef struct hal_leaf {
    hal_tile tile;
    bool done;
    uint64_t rows_kept;
    double predicted_rows;
} hal_leaf;
size_t hal_plan_leaves(const hal_plan *plan, hal_leaf *out, size_t n);

#endif
