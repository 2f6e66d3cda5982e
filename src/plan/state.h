/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of this folder share: the tree of tiles, the densities learned, the schedule. */
#ifndef HAL_PLAN_STATE_H
#define HAL_PLAN_STATE_H

#include "plan/plan.h"

/* Results are applied in the order of issue; ask i + PLAN_LAG is chosen only after result i was
 * applied, so what is asked does not depend on the window (1..8) or on who answers first.
 * 8, because a smaller lag leaves a window of 8 idle (plane, boxes: makespan 90 at lag 8, 108 at 6,
 * 143 at 4) and asks for as much: within 5 % of one another from 4 to 8, 4-10 % more at 12. */
enum { PLAN_LAG = 8, PLAN_DEPTH_MAX = 80, PLAN_FINDINGS_MAX = 12, PLAN_FINDING_MAX = 320 };

#define PLAN_FILL 0.85   /* a tile is planned to hold this part of the cap ... */
#define PLAN_ACCEPT 0.93 /* ... and asked for if this much is predicted (design section 6) */

typedef enum plan_node_state {
    PLAN_NODE_PENDING, /* on the stack */
    PLAN_NODE_ASKED,   /* in the schedule */
    PLAN_NODE_SILENT,  /* ambiguous answer, waiting for a proof that the archive is alive */
    PLAN_NODE_SPLIT,
    PLAN_NODE_DONE,
    PLAN_NODE_STUCK,    /* over, and cannot be cut */
    PLAN_NODE_UNFETCHED /* a budget ended the plan first */
} plan_node_state;

typedef struct plan_node {
    hal_tile tile;
    int32_t parent; /* -1: root */
    int depth;
    plan_node_state state;
    bool over;       /* judged: more rows than the cap */
    bool guessed;    /* `over` came from an ambiguous answer */
    bool cut_again;  /* child of a surprise cut into four */
    bool want_count; /* a count decides what its ambiguous answer meant */
    bool retry;      /* the same request again, not before `not_before_ns` */
    int n_ambiguous;
    int n_open;             /* children that are not finished */
    double bound;           /* rows per steradian that its being over proves; 0: none */
    double predicted;       /* when it was asked; < 0: unknown */
    uint64_t rows_returned; /* of the leaf */
    uint64_t rows_kept;     /* of the leaf, or of all finished descendants */
    int64_t not_before_ns;  /* back-off of a repeat */
    uint64_t silent_until;  /* an answer to an ask with this serial or a later one proves life */
} plan_node;

/* A finished region: what was learned about the sky. */
typedef struct plan_density {
    double v[3]; /* unit vector of the centre */
    double radius, area_sr, rows;
} plan_density;

/* The geometry of a request, guard included. */
typedef struct plan_request {
    hal_cone cone;
    double ra_min, ra_max, dec_min, dec_max;
    bool as_box;
    bool fits; /* within the service's limit of the radius */
    double area_sr;
    double v[3], radius; /* centre and size of what is sent, radians */
} plan_request;

typedef enum plan_result {
    PLAN_OUT,   /* no answer yet */
    PLAN_AGAIN, /* the same ask is to be issued again at `again_ns` */
    PLAN_ROWS,
    PLAN_COUNTED,
    PLAN_OVER,
    PLAN_SUSPECT, /* a round number of rows: perhaps a limit nobody declared */
    PLAN_AMBIGUOUS,
    PLAN_NOT_ASKED /* no budget left for a repeat */
} plan_result;

typedef struct plan_slot {
    hal_ask ask;
    plan_request request;
    plan_result result;
    int32_t node; /* -1: a probe */
    bool canary;
    int n_again;
    int64_t again_ns;
    uint64_t returned, kept;
} plan_slot;

struct hal_plan {
    hal_service service;
    hal_plan_options options;
    hal_region *region;
    hal_cone region_cone;
    double region_area_sr, guard_deg;
    int64_t min_side_ticks;
    double cap; /* rows; a guess when the service does not say, less when it proves wrong */
    bool cap_refuted;
    double rows_proved; /* the largest answer that came back whole */
    double root_rows;   /* counted for the request of the whole region; 0: unknown */

    plan_node *node;
    size_t n_node, node_cap;
    int32_t *stack;
    size_t n_stack, stack_cap;
    int32_t *silent; /* nodes in PLAN_NODE_SILENT, oldest first */
    size_t n_silent, silent_cap;
    plan_density *density;
    size_t n_density, density_cap;

    plan_slot slot[PLAN_LAG];
    uint64_t head, tail; /* serials: next to apply, next to issue */
    uint64_t next_id;
    int in_flight, window;
    uint64_t window_cut_id; /* asks below it belong to the round trip that halved the window */

    bool asked_any, counts_usable, canary_out, stopped;
    double probe_radius; /* degrees; 0: no probe yet */
    int n_probe, n_probe_silent;
    uint64_t n_guess_settled,
        n_guess_refuted; /* ambiguous answers taken for over, and wrongly so */

    hal_account account;
    char finding[PLAN_FINDINGS_MAX][PLAN_FINDING_MAX];
    hal_err error;
};

/* split.c: the tree and the geometry of requests */
hal_status plan_root(hal_plan *p, hal_err *err) HAL_MUST_CHECK;
/* Cuts node `i` (on top of the stack, replaced by its children); *cut false: it cannot be cut. */
hal_status plan_split(hal_plan *p, int32_t i, bool *cut, hal_err *err) HAL_MUST_CHECK;
bool plan_is_outside(const hal_plan *p, const plan_node *n);
void plan_finish(hal_plan *p, int32_t i, plan_node_state state, uint64_t kept);
plan_request plan_request_tile(const hal_plan *p, const hal_tile *tile, bool whole);
plan_request plan_request_spot(const hal_plan *p, double ra, double dec, double radius_deg);
hal_status plan_push(int32_t **list, size_t *n, size_t *cap, int32_t i,
                     hal_err *err) HAL_MUST_CHECK;

/* estimate.c: densities */
hal_status plan_learn(hal_plan *p, const plan_request *r, double rows, hal_err *err) HAL_MUST_CHECK;
/* Rows in the request region of node `i`; < 0: unknown. */
double plan_predict(const hal_plan *p, int32_t i, const plan_request *r);
/* Tiles that node `i` should end as, at least 2. */
int64_t plan_leaves_wanted(const hal_plan *p, int32_t i, const plan_request *r);
void plan_unit_vector(double ra_deg, double dec_deg, double v[3]);

/* account.c */
void plan_conclude(hal_plan *p);
/* Adds a sentence, once. */
void plan_find(hal_plan *p, const char *fmt, ...) HAL_PRINTF(2, 3);

#endif
