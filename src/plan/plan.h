/* SPDX-License-Identifier: BSD-3-Clause */
/* The tile plan: a pure state machine. Told the region, what the service can do and each tile's
 * outcome, it answers what to ask next. No I/O, no Lua, no clock of its own. Tiling design,
 * sections 2-6.
 *
 * Results are applied in the order the asks were issued, with a fixed lag, so that the plan depends
 * on the archive's answers only and not on the order in which they happened to arrive. */
#ifndef HAL_PLAN_PLAN_H
#define HAL_PLAN_PLAN_H

#include "base/buf.h"
#include "base/status.h"
#include "sky/region.h"
#include "sky/tile.h"

enum { HAL_PLAN_COLUMNS = 4, HAL_PLAN_NAME_MAX = 64 };

/** A numeric column that takes ranges: what positions cannot split, it can. */
typedef struct hal_plan_column {
    char name[HAL_PLAN_NAME_MAX];
    int decimals;    /* of its printed values, 0..9: ranges are cut at multiples of 10^-decimals */
    bool rounded;    /* the service selects on more decimals than it prints */
    bool nullable;   /* may hold NULL */
    bool null_test;  /* the service can be asked for the NULLs alone */
    double min, max; /* where its values usually lie, for the first cuts; equal: not known */
} hal_plan_column;

/** What a service accepts and how it fails; the C half of a dialect's capability record (design
 * section 2). Strategies are chosen from it alone. */
typedef struct hal_service {
    bool takes_box; /* ranges on the position columns; preferred over cones */
    bool takes_cone;
    bool counts;         /* an exact count of a region costs one cheap request */
    bool histogram;      /* rows can be counted by HEALPix cell (nested) in one request */
    bool over_is_slow;   /* going over the cap costs minutes (a reset): surprise cuts go into 4 */
    bool footprints;     /* a row matches when its outline overlaps the region; else by position */
    bool centre_columns; /* footprints: takes ranges on the columns of the outline's centre beside
                            the user's region; tiles and their ownership then are those columns' */
    bool pos_nullable;   /* positions (centres) may be NULL or invalid */
    bool null_test;      /* the service can be asked for exactly these rows */
    uint64_t cap;        /* rows one answer may hold; 0 unknown */
    double pos_quantum_deg; /* rounding of printed positions; 0: full doubles */
    double radius_max_deg;  /* 0: no limit */
    int radius_decimals; /* the service rounds radii to this many decimals of a degree; < 0: it does
                            not */
    double guard_arcsec; /* default 1.0 when 0 */
    /* The first that is of use is taken; where it does not help (any more), the next within its
     * range. */
    hal_plan_column alt_split[HAL_PLAN_COLUMNS];
    size_t n_alt_split;
    bool order_key;  /* rows come in the order of a key from a given value on: keyset paging */
    bool key_unique; /* no two rows share that key */
} hal_service;

/** Rows per steradian near a place: what an earlier plan learned. */
typedef struct hal_plan_density {
    double ra_deg, dec_deg, radius_deg, rows_per_sr;
} hal_plan_density;

typedef struct hal_plan_options {
    int window; /* most requests in parallel, 1..8; the plan opens it from 1 and halves it
                   on ambiguous and transient failures (design section 6.3) */
    uint64_t requests_max; /* 0: the design's default (section 6.2) */
    uint64_t rows_max;     /* rows kept; 0: none */
    int64_t known_rows;    /* exact count of the region, if the caller has it; < 0: unknown */
    bool count_failed; /* the caller asked for it and got none in time: only parts are counted */
    const hal_plan_density *prior; /* densities remembered, for first guesses only; copied */
    size_t n_prior;
} hal_plan_options;

typedef enum hal_ask_kind {
    HAL_ASK_FETCH,    /* rows wanted */
    HAL_ASK_COUNT,    /* only the number of rows that the same fetch would give */
    HAL_ASK_PROBE,    /* rows to learn a density from, not kept */
    HAL_ASK_HISTOGRAM /* the number of rows in each HEALPix cell of `order`, same selection */
} hal_ask_kind;

/** A range of a column: min and max are the request's, [lo, hi) is owned. See hal_ask. */
typedef struct hal_ask_range {
    int column;
    bool is_null;
    double min, max, lo, hi;
} hal_ask_range;

/** One request. It selects by position: the user's region (`whole`; all rows where the service
 * takes no position), the tile as a box or a cone, or the rows without position (`no_position`);
 * and, with a column, by a range of it; and, with a page, from a key on.
 *
 * Kept are the rows whose position `tile` owns and that, point services, the user's region
 * contains. `whole` also keeps rows without position: of a footprint service, and of an all-sky
 * region; `no_position` keeps these only (hal_tile_owns is false for the whole sky). Of all these,
 * those whose value hal_ask_owns_value says yes to, and whose others hal_ask_outer_owns. */
typedef struct hal_ask {
    uint64_t id; /* 1, 2 ...: new for every issue, repeats too */
    hal_ask_kind kind;
    bool whole;       /* no tile: the user's region unsplit */
    bool as_box;      /* send the box; false: the cone */
    bool by_centre;   /* the user's region goes unchanged beside the box, which is a pair of ranges
                         on the centre columns; no test of the user's region on positions */
    bool by_key;      /* footprints by tiles: a row may come with several tiles and its position
                         decides nothing. Keep one of each key, and only outlines that touch the
                         user's region; a row already kept is not counted as kept again */
    bool no_position; /* send "position IS NULL (or invalid)" instead of the tile, and keep only
                         rows whose position no tile can own */
    int attempt;      /* 0, then 1, 2 ... for repeats of the same ask */
    hal_tile tile;    /* owns the rows; the whole sky for `whole` */
    hal_cone cone;    /* request as a cone, guard included, radius rounded up */
    double ra_min_deg, ra_max_deg; /* request as a box, guard included; ra_min > ra_max crosses 0 */
    double dec_min_deg, dec_max_deg;
    int column;        /* 1-based index into the service's alt_split; 0: none */
    bool column_null;  /* the rows where it is NULL: the four numbers are NaN */
    double column_min; /* request: closed range, rounding included; -INFINITY: open */
    double column_max; /* INFINITY: open */
    double column_lo;  /* ownership: [lo, hi), open likewise */
    double column_hi;
    hal_ask_range outer[HAL_PLAN_COLUMNS - 1]; /* of other columns, which hold as well */
    int n_outer;
    int64_t page;          /* 0: not paged; 1: the first page of `series`, 2: the next ... */
    uint64_t series;       /* the same for all pages of one selection */
    uint64_t page_rows;    /* most rows of a page: TOP, LIMIT */
    int order;             /* of a histogram */
    double predicted_rows; /* < 0: unknown */
    uint64_t first_target, n_targets; /* of a plan for targets (plan/groups.h): whom it serves */
} hal_ask;

/** Does the ask's column range own a value (NULL: is_null)? True when the ask has none. Over the
 * ranges of one tree exactly one answers true; NaN is owned like NULL. */
bool hal_ask_owns_value(const hal_ask *ask, double value, bool is_null);
/** The same of its range outer[i] and a value of that column. */
bool hal_ask_outer_owns(const hal_ask *ask, int i, double value, bool is_null);

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
    HAL_VERDICT_STALLED,   /* said to be at work on it until the time was up: as AMBIGUOUS, but what
                              stalls again in all its parts is given up, for each try takes long */
    HAL_VERDICT_FATAL      /* 400, 401, 404, bad query: the plan stops with that error */
} hal_verdict;

typedef enum hal_plan_state {
    HAL_PLAN_RUNNING,
    HAL_PLAN_COMPLETE,
    HAL_PLAN_COMPLETE_EXCEPT, /* all but `rows_unreachable` rows that no request can select */
    HAL_PLAN_PARTIAL,         /* stuck or unfetched tiles, or a budget is used up */
    HAL_PLAN_FAILED           /* fatal verdict or overshoot */
} hal_plan_state;

typedef struct hal_account {
    hal_plan_state state;
    uint64_t tiles_done, tiles_known; /* leaves finished; leaves known so far */
    uint64_t requests, over, ambiguous, transient, probes, counts, histograms;
    uint64_t refused; /* counts and histograms, fatally: the plan does without */
    uint64_t rows_returned, rows_kept;
    int64_t rows_counted;    /* the archive's own count of the region, guard included; < 0: none */
    double rows_expected;    /* estimate of the total; < 0: unknown */
    double overshoot_arcsec; /* largest seen */
    uint64_t lower_bound;    /* ceil(rows / cap) with the best number known */
    uint64_t requests_max;
    size_t n_stuck;           /* tiles that cannot be split further or were not fetched */
    int64_t rows_unreachable; /* rows with a NULL (position, alt_split column) that the service
                                 cannot be asked for; < 0: there may be some */
    double cap_rows;          /* rows an answer is now believed to hold */
    double
        guard_needed_arcsec; /* a new plan with this guard would not meet the overshoot; 0: none */
    size_t n_findings;       /* hal_plan_finding */
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

/** A fetch or probe came back whole. `returned` rows in the answer, `kept` of them this ask's to
 * keep, `overshoot_deg` the largest distance of any row from the request region (0 inside, and 0
 * where positions were not asked for: `no_position`, `by_key`, `whole` of footprints). An answer
 * with returned >= cap is treated as OVER here, whatever the caller thought, and so is a round
 * number of rows (1, 2, 5 times 10^k from 100 on, powers of two from 1024) that no count confirms
 * and no larger answer refutes: its rows must be dropped, *accepted is false. Fails with
 * HAL_E_INTEGRITY when the overshoot shows that position columns do not match the selection
 * (section 4.2). */
hal_status hal_plan_complete(hal_plan *plan, uint64_t id, uint64_t returned, uint64_t kept,
                             double overshoot_deg, bool *accepted, hal_err *err) HAL_MUST_CHECK;
/** Before a page is completed: is it full, so that another follows? True for page_rows rows and for
 * numbers that look like a limit. Of a full page whose key is not unique, the caller drops the rows
 * with the last key (the next page starts at it, `>=`; with a unique key `>`); when all rows have
 * that key, it keeps none and the plan reports the tile as stuck. Pages may not be lost: full pages
 * and the last one are reported with hal_plan_complete. */
bool hal_plan_page_is_full(const hal_plan *plan, uint64_t id, uint64_t returned);
/** A count came back. */
hal_status hal_plan_counted(hal_plan *plan, uint64_t id, uint64_t rows,
                            hal_err *err) HAL_MUST_CHECK;

/** Rows of one HEALPix cell. */
typedef struct hal_plan_cell {
    uint64_t index; /* nested, at the order asked for */
    uint64_t rows;
} hal_plan_cell;
/** Some cells of a histogram, in any order; empty ones may be left out. A few thousand at a time
 * take well below a millisecond. HAL_E_PROTOCOL for cells that do not exist or repeat: the plan
 * then does without, and waits for no more of them. */
hal_status hal_plan_cells(hal_plan *plan, uint64_t id, const hal_plan_cell *cells, size_t n,
                          hal_err *err) HAL_MUST_CHECK;
/** All its cells came. As many as the cap or more, or a number that looks like a limit, are taken
 * for a cut answer and asked for again, coarser. */
hal_status hal_plan_histogram(hal_plan *plan, uint64_t id, hal_err *err) HAL_MUST_CHECK;
/** Positions of an answer, reported before it is completed, turned out to be printed in multiples
 * of `quantum_deg`. A plan that was told less rounding says so in a finding and takes the guard
 * that needs; when tiles were asked with less before, it fails with HAL_E_INTEGRITY (rows at their
 * borders may be lost unseen) and gives the guard needed in the account. */
hal_status hal_plan_printed(hal_plan *plan, double quantum_deg, hal_err *err) HAL_MUST_CHECK;
/** The ask failed; `why` is kept for the account and, for FATAL, becomes the plan's error; but a
 * plan does without counts and histograms that are refused, and says so in a finding. `now_ns`
 * starts back-offs. */
hal_status hal_plan_failed(hal_plan *plan, uint64_t id, hal_verdict verdict, int64_t now_ns,
                           const hal_err *why, hal_err *err) HAL_MUST_CHECK;

void hal_plan_account(const hal_plan *plan, hal_account *out);
/** What the run found out about the service that its record does not say, or says wrongly: the i-th
 * sentence (i < n_findings); NULL beyond. Lives as long as the plan. */
const char *hal_plan_finding(const hal_plan *plan, size_t i);
/** Name of the service's alt_split column number `column` (1-based); "" when there is none. */
const char *hal_plan_column_name(const hal_plan *plan, int column);
/** What its requests are, in few words: "boxes", "cones", "ranges of the centre", "ranges of a
 * column" or "pages". */
const char *hal_plan_form(const hal_plan *plan);
/** Which strategy and why, a few lines of text from the record. */
hal_status hal_plan_explain(const hal_plan *plan, hal_buf *out, hal_err *err) HAL_MUST_CHECK;
/** What was learned, for a later plan of the same service: at most `n`, coarse enough to be kept.
 * Returns their number. */
size_t hal_plan_densities(const hal_plan *plan, hal_plan_density *out, size_t n);
/** The plan's error once its state is PARTIAL or FAILED: text names the tiles and the remedy. */
hal_status hal_plan_error(const hal_plan *plan, hal_err *err);
/** The i-th stuck tile (i < n_stuck) and why; false beyond the end. */
bool hal_plan_stuck(const hal_plan *plan, size_t i, hal_tile *tile, const char **why);
/** Leaves of the tree so far, done or not; for pictures and tables. Returns their number, fills at
 * most `n`. */
typedef struct hal_leaf {
    hal_tile tile;
    bool done;
    bool no_position;
    int column; /* 0, or the alt_split column (1-based) of which this leaf is a range */
    double column_lo, column_hi;
    uint64_t rows_returned, rows_kept;
    double predicted_rows;   /* of its request, when that was issued; < 0: unknown */
    double predicted_per_sr; /* before its rows came, with what is known now; < 0: unknown */
} hal_leaf;
size_t hal_plan_leaves(const hal_plan *plan, hal_leaf *out, size_t n);

#endif
