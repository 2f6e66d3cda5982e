/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of this folder share: the tree of tiles, the densities learned, the schedule. */
#ifndef HAL_PLAN_STATE_H
#define HAL_PLAN_STATE_H

#include "plan/plan.h"

#include <math.h>

/* Results are applied in the order of issue; ask i + PLAN_LAG is chosen only after result i was
 * applied, so what is asked does not depend on the window (1..8) or on who answers first.
 * 8, because a smaller lag leaves a window of 8 idle (plane, boxes: makespan 90 at lag 8, 108 at 6,
 * 143 at 4) and asks for as much: within 5 % of one another from 4 to 8, 4-10 % more at 12. */
enum { PLAN_CHUNK = 4096 };      /* what grows long is kept in pieces and never copied */
enum { PLAN_ROUND_LEAST = 100 }; /* some services stop at 100, 200 or 500 rows without a word */
enum { PLAN_LAG = 8, PLAN_DEPTH_MAX = 80, PLAN_FINDINGS_MAX = 12, PLAN_FINDING_MAX = 320 };

#define PLAN_CAP_UNKNOWN 50000.0 /* rows: MAST pages and most services deliver as many */
#define PLAN_FILL 0.85           /* a tile is planned to hold this part of the cap ... */
#define PLAN_ACCEPT 0.93        /* ... and asked for if this much is predicted (design section 6) */
#define PLAN_CONE_OVER_BOX 1.62 /* area of the enclosing cone of a usual tile: design section 3 */

/* How a plan splits what is too much for one answer, from the record alone (strategy.c). */
typedef enum plan_strategy {
    PLAN_TILES,    /* tiles of the sky own rows by position */
    PLAN_CENTRES,  /* the user's region unchanged, tiles own rows by centre columns (4.3, 1) */
    PLAN_RANGES,   /* the user's region unchanged, ranges of an alt_split column own rows */
    PLAN_PAGES,    /* the user's region unchanged, in pages by key */
    PLAN_OUTLINES, /* tiles, rows told apart by their key (4.3, 2) */
} plan_strategy;

typedef enum plan_node_state {
    PLAN_NODE_PENDING, /* on the stack */
    PLAN_NODE_ASKED,   /* in the schedule */
    PLAN_NODE_SILENT,  /* ambiguous answer, waiting for a proof that the archive is alive */
    PLAN_NODE_SPLIT,
    PLAN_NODE_DONE,
    PLAN_NODE_STUCK,       /* over, and cannot be cut */
    PLAN_NODE_UNREACHABLE, /* rows with a NULL that no request selects */
    PLAN_NODE_UNFETCHED    /* a budget ended the plan first */
} plan_node_state;

#define PLAN_OPEN_BELOW INT64_MIN
#define PLAN_OPEN_ABOVE INT64_MAX

typedef struct plan_node {
    hal_tile tile;
    int32_t parent; /* -1: root */
    int16_t depth;
    uint8_t column;   /* 1-based; 0: not a range */
    uint8_t over_run; /* asked and over so many times in a row, this one included */
    plan_node_state state;
    bool whole;       /* the user's region unsplit (perhaps by ranges or pages) */
    bool no_position; /* the rows without position */
    bool clipped;     /* what is off the user's region was taken off its tile */
    bool column_null; /* the rows where the column is NULL */
    bool unfounded;   /* beside the user's region: hardly any row expected, whatever is near */
    bool ends;        /* cutting its tile, or its range, does not help */
    bool over;        /* judged: more rows than the cap */
    bool guessed;     /* `over` came from an ambiguous answer */
    bool suspect;     /* `over` came from a round number of rows, `rows_returned` */
    uint8_t n_wider;  /* wider requests that held no more than its round number */
    bool cut_again;   /* child of a surprise cut into four */
    bool counted;     /* `rows_known` is the archive's own count of this request */
    bool want_count;  /* a count decides what its answer meant */
    bool retry;       /* the same request again, not before `not_before_ns` */
    uint8_t n_ambiguous;
    int8_t want_order; /* of the histogram to ask for next; < 0: none */
    bool asked_cells;  /* its rows were counted by cell, or had too many cells for that */
    bool owns_cells;
    int32_t cells;     /* the histogram that says most about it, its own or from above; -1: none */
    uint8_t n_stalled; /* it and what it is a part of, so often */
    int32_t next_stuck;
    int32_t first_child; /* of n_child, one after another */
    uint8_t n_child;
    int8_t n_open;          /* children that are not finished */
    int64_t lo, hi;         /* range of the column, units of its last decimal */
    float rows_sent;        /* by all finished descendants; INFINITY: parts were not asked for */
    float rows_known;       /* its request holds as many: counted, or returned; < 0: unknown */
    uint32_t page;          /* the next page to ask for; 0: not paged */
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
    double log_prior; /* of what was remembered for this place; 0: nothing */
    int32_t next;     /* in the same cell of the index */
    bool coarse;      /* a count or a probe: not worth remembering */
} plan_density;

/* Densities by place: an octree over the unit sphere (index.c). */
typedef struct plan_octant {
    int32_t first; /* density, of a leaf; -1: none */
    int32_t child; /* the first of eight neighbours; 0: a leaf */
    int32_t n;
} plan_octant;

typedef struct plan_index {
    plan_density **chunk; /* of PLAN_CHUNK each, as are ... */
    size_t n, n_chunk, chunk_cap;
    plan_octant **octant; /* ... these */
    size_t n_octant, n_octants, octants_cap;
} plan_index;

static inline plan_density *plan_density_at(const plan_index *x, size_t i)
{
    return &x->chunk[i / PLAN_CHUNK][i % PLAN_CHUNK];
}

/* The geometry of a request, guard included. */
typedef struct plan_request {
    hal_cone cone;
    double ra_min, ra_max, dec_min, dec_max;
    bool as_box;
    bool fits;           /* within the service's limit of the radius */
    double area_sr;      /* 0: not a region of the sky */
    double v[3], radius; /* centre and size of what is sent, radians */
} plan_request;

typedef enum plan_result {
    PLAN_OUT,   /* no answer yet */
    PLAN_AGAIN, /* the same ask is to be issued again at `again_ns` */
    PLAN_ROWS,
    PLAN_COUNTED,
    PLAN_CELLS, /* a histogram, already taken over */
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
    bool stalled; /* the ambiguous failure was HAL_VERDICT_STALLED, or ... */
    bool refused; /* ... a fatal one */
    int n_again;
    int64_t again_ns;
    uint64_t cap;  /* of the service and ... */
    double proved; /* ... the largest whole answer, as known when it was first asked */
    uint64_t returned, kept;
    struct plan_histogram *histogram; /* as far as it came; owned */
} plan_slot;

typedef struct plan_cell {
    uint64_t rows;
    uint32_t child; /* the first of four; 0: no row in any */
} plan_cell;

/* Counts by cell: a tree from the twelve faces down to the cells of `order`. */
typedef struct plan_histogram {
    int order;
    plan_cell **chunk; /* of PLAN_CHUNK cells each */
    size_t n_chunk, chunk_cap;
    uint32_t n_cell;
    size_t n; /* cells that came */
    uint64_t rows;
} plan_histogram;

struct hal_plan {
    hal_service service;
    hal_plan_options options;
    plan_strategy strategy;
    hal_region *region;
    hal_cone region_cone;
    double own_area_sr, region_area_sr, guard_deg; /* own: measured; else at least the guard's */
    bool all_sky;
    bool counts_all; /* rows_counted are exactly those to be kept */
    int64_t min_side_ticks;
    double cap; /* rows; a guess when the service does not say, less when it proves wrong */
    bool cap_refuted;
    uint64_t declared_cap; /* of the record, where a limit of round answers took its place */
    bool cap_doubted;      /* it did */
    double rows_proved;    /* the largest answer that came back whole */
    uint64_t suspect_rows; /* the last round number that looked like a limit */
    uint64_t short_page;   /* rows of the last page if that was full but less than asked; 0: not */
    double root_rows;      /* counted for the request of the whole region; 0: unknown */

    plan_node **chunk; /* of PLAN_CHUNK nodes each */
    size_t n_node, n_chunk, chunk_cap;
    int32_t *stack;
    size_t n_stack, stack_cap;
    int32_t *silent; /* nodes in PLAN_NODE_SILENT, oldest first */
    size_t n_silent, silent_cap;
    int32_t first_stuck, last_stuck; /* nodes stuck or unfetched, a list; -1: none */
    size_t n_unreachable;
    uint8_t unreachable_column; /* whose NULLs they are; 0: positions */
    int32_t last_range;         /* node: the range of a column that was finished last; -1: none */
    plan_index learned, prior;
    double spread;              /* mean square of the logarithm of rows over guess, lately */
    plan_histogram **histogram; /* NULL: free for another one */
    size_t n_histogram, histogram_cap;
    bool parts_by_cell; /* parts of the region may be counted by cell */

    plan_slot slot[PLAN_LAG];
    uint64_t head, tail; /* serials: next to apply, next to issue */
    uint64_t next_id;
    int in_flight, window;
    uint64_t window_cut_id; /* asks below it belong to the round trip that halved the window */

    double page_share; /* of the cap that a page asks for: less after refusals */
    bool prepared, asked_any, tile_asked, answered, counts_usable, canary_out, stopped;
    double probe_radius; /* degrees; 0: no probe yet */
    double probe_failed; /* the smallest radius that did not come back whole; 0: none */
    int n_probe, n_probe_silent, n_surprise;
    double uncounted_sr; /* area of the smallest request that was not counted in time */
    int n_uncounted;     /* such requests */
    uint64_t n_guess_settled,
        n_guess_refuted;  /* ambiguous answers taken for over, and wrongly so */
    double refuted_least; /* rows of the smallest of them */

    hal_account account;
    char finding[PLAN_FINDINGS_MAX][PLAN_FINDING_MAX];
    hal_err error;
};

static inline plan_node *plan_node_at(const hal_plan *p, int64_t i)
{
    return &p->chunk[i / PLAN_CHUNK][i % PLAN_CHUNK];
}

/* strategy.c */
hal_status plan_choose_strategy(hal_plan *p, hal_err *err) HAL_MUST_CHECK;
static inline bool plan_cuts_sky(const hal_plan *p)
{
    return p->strategy == PLAN_TILES || p->strategy == PLAN_CENTRES || p->strategy == PLAN_OUTLINES;
}
/* Does a small request show the density of rows? Not where outlines are larger than it. */
static inline bool plan_probes(const hal_plan *p)
{
    return p->strategy == PLAN_TILES || p->strategy == PLAN_CENTRES;
}

enum { PLAN_STALLED_MAX = 4 }; /* before a tile is given up */

/* Does a count of the request make sense? Not of one as large as one that failed. */
static inline bool plan_may_count(const hal_plan *p, const plan_request *r)
{
    return p->counts_usable && (r->area_sr < 0.5 * p->uncounted_sr || isinf(p->uncounted_sr));
}

/* split.c: the tree */
hal_status plan_root(hal_plan *p, hal_err *err) HAL_MUST_CHECK;
/* Cuts node `i`, of which `rows` are expected (on top of the stack, replaced by its children, or
 * turned into pages); *cut false: it cannot be cut. */
hal_status plan_split(hal_plan *p, int32_t i, const plan_request *r, double rows, bool *cut,
                      hal_err *err) HAL_MUST_CHECK;
/* Is its tile off the user's region? Else what is off it is taken off the tile, once: when a node's
 * turn comes, because a step that clipped the siblings of all it cuts would be long. */
bool plan_is_outside(const hal_plan *p, plan_node *n);
void plan_finish(hal_plan *p, int32_t i, plan_node_state state, uint64_t kept);
hal_status plan_push(int32_t **list, size_t *n, size_t *cap, int32_t i,
                     hal_err *err) HAL_MUST_CHECK;

/* request.c: the geometry of requests */
/* The node's request with a margin for its guard. */
plan_request plan_request_wide(const hal_plan *p, const plan_node *n, double margin_deg);
plan_request plan_request_node(const hal_plan *p, const plan_node *n);
/* The node's cone with its guard; requests that are boxes do without until they are asked. */
hal_cone plan_request_cone(const hal_plan *p, const plan_node *n);
plan_request plan_request_spot(const hal_plan *p, double ra, double dec, double radius_deg);

/* column.c */
/* [lo, hi) of a column, and where to cut it. */
typedef struct plan_range {
    uint8_t column;
    int64_t lo, hi, at;
} plan_range;
/* Which range to cut into two: the node's own; where that does not help, the whole line of a column
 * that was not cut before (*first); with none left, a range of another column above it. False: all
 * are one value. */
bool plan_cut_range(const hal_plan *p, const plan_node *n, double rows, plan_range *out,
                    bool *first);
/* A column that was not cut before; 0: none. */
uint8_t plan_next_column(const hal_plan *p, const plan_node *n);
double plan_predict_range(const hal_plan *p, int32_t i);
void plan_describe_range(const hal_plan *p, const plan_node *n, hal_ask *out);

/* estimate.c: densities */
hal_status plan_learn(hal_plan *p, const plan_request *r, double rows, bool coarse,
                      hal_err *err) HAL_MUST_CHECK;
hal_status plan_remember(hal_plan *p, const hal_plan_density *d, size_t n,
                         hal_err *err) HAL_MUST_CHECK;
/* hal_plan_densities of what an index holds. */
size_t plan_index_densities(const plan_index *x, hal_plan_density *out, size_t n);
/* Rows in the request region of node `i`; < 0: unknown. */
double plan_predict(const hal_plan *p, int32_t i, const plan_request *r);
/* Is anything known about densities before the first answer and after it? */
static inline bool plan_knows(const hal_plan *p)
{
    return p->learned.n > 0 || p->prior.n > 0 || p->n_histogram > 0;
}
/* Answers say how good guesses are: `rows` came, or at least as many are there. */
void plan_weigh_guess(hal_plan *p, const plan_request *r, double rows, bool at_least);
/* Tiles that node `i`, expected to hold `rows`, should end as, at least 2. */
int64_t plan_leaves_wanted(const hal_plan *p, int32_t i, const plan_request *r, double rows);
void plan_unit_vector(double ra_deg, double dec_deg, double v[3]);

/* index.c */
enum { PLAN_NEAREST = 4 };
typedef struct plan_near {
    int32_t i[PLAN_NEAREST]; /* densities, nearest first */
    double chord2[PLAN_NEAREST];
    int n, n_seen;
} plan_near;
hal_status plan_index_add(plan_index *index, const plan_density *d, hal_err *err) HAL_MUST_CHECK;
void plan_index_near(const plan_index *index, const double v[3], plan_near *out);
void plan_index_clear(plan_index *index);

/* histogram.c */
/* The order to ask for: cells stay below the cap (design, section 10). */
int plan_histogram_order(const hal_plan *p);
/* Takes the cells of an answer over; HAL_E_NOMEM. */
hal_status plan_histogram_take(hal_plan *p, plan_slot *s, hal_err *err) HAL_MUST_CHECK;
double plan_histogram_rows(const hal_plan *p, const plan_histogram *h, const plan_request *r);
/* The order at which it pays to count the rows of a node anew, of which `rows` are expected,
 * because its cells are too coarse for its tiles; < 0: it does not. */
int plan_histogram_finer(const hal_plan *p, const plan_node *n, const plan_request *r, double rows);
/* So much about a tile is counted with it: all of every cell that it overlaps. */
double plan_histogram_margin_deg(int order);
/* Does what was learned of an area at a distance say more about the request than a cell? */
bool plan_histogram_is_coarse(const plan_histogram *h, const plan_request *r, double near_sr,
                              double chord2);
void plan_histogram_free(plan_histogram *h);
/* The node's own histogram, if it has one, is needed no more. */
void plan_histogram_drop(hal_plan *p, plan_node *n);

/* apply.c: what answers mean, in the order of the asks */
hal_status plan_apply(hal_plan *p, hal_err *err) HAL_MUST_CHECK;
/* The caller knows how many rows the region holds. */
hal_status plan_known_rows(hal_plan *p, hal_err *err) HAL_MUST_CHECK;
hal_status plan_fail(hal_plan *p, const hal_err *err);
void plan_stop(hal_plan *p, const char *what, uint64_t limit, const char *option);
/* Answers stop at `limit` rows although there are `rows`. */
void plan_limit_proved(hal_plan *p, uint64_t limit, double rows);
/* A request of about `rows` came to nothing and should have fit; `certainty` of the rows, to 1. */
void plan_doubt_cap(hal_plan *p, double rows, double certainty);

/* plan.c */
void plan_start_probing(hal_plan *p);
void plan_set_guard(hal_plan *p, double guard_deg);

/* account.c */
void plan_conclude(hal_plan *p);
/* Adds a sentence, once. */
void plan_find(hal_plan *p, const char *fmt, ...) HAL_PRINTF(2, 3);

static inline plan_slot *plan_slot_at(hal_plan *p, uint64_t serial)
{
    return &p->slot[serial % PLAN_LAG];
}

/* answer.c */
plan_slot *plan_slot_of(hal_plan *p, uint64_t id, hal_err *err);
void plan_came_back(hal_plan *p, plan_slot *s, plan_result result);

/* A row count that looks like a limit. */
static inline bool plan_is_round(uint64_t n)
{
    if (n >= 1024 && (n & (n - 1)) == 0)
        return true;
    bool hundreds = n >= PLAN_ROUND_LEAST;
    while (n >= 10 && n % 10 == 0)
        n /= 10;
    return hundreds && (n == 1 || n == 2 || n == 5);
}

#endif
