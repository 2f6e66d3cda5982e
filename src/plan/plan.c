/* SPDX-License-Identifier: BSD-3-Clause */
/* The driver: which tile to ask for next, what an answer means, when to stop. Tiling design,
 * section 6.
 *
 * Everything is decided in a virtual schedule. Asks have serial numbers; answers wait in `slot`
 * until they are applied in the order of issue, each when the schedule is full (PLAN_LAG) or when
 * nothing can be asked without it. The window and the clock only delay. */
#include "plan/plan.h"

#include "base/alloc.h"
#include "plan/state.h"
#include "sky/angle.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define RADIANS 0.017453292519943295
#define PI 3.141592653589793

enum {
    SILENT_MAX = 3, /* ambiguous answers without a proof of life that raise the question */
    DOUBTS_MAX = 5, /* failures without a reason before what cannot be cut is held to be too much */
    SPOTS_MAX = 3,  /* smallest tiles covered by too many outlines, after which none is tried */
    REQUESTS_DEFAULT = 2000,
    WIDER_MAX = 4,   /* requests, each WIDER, that may show a round number to be no limit */
    COUNTED_MAX = 2, /* counts ahead one inside another: a heap keeps its rows, however often cut */
};

#define PROBE_DEG 0.3
#define WIDER 8.0
/* A count ahead of the tiles pays where guesses are bad (plane, boxes: 3.8 LB without, 3.1 with
 * it; even skies: nothing gained) and for a node of a few tiles, unless a slightly larger one was
 * counted; not where one took the archive too long. In caps; the last one is a mean square of
 * logarithms. */
#define COUNT_FROM 0.7
#define COUNT_TO 4.0
#define COUNT_NEAR 4.0
#define COUNT_SPREAD 0.05

void plan_set_guard(hal_plan *p, double guard_deg)
{
    p->guard_deg = guard_deg;
    p->region_area_sr = fmax(p->own_area_sr, hal_cone_area_sr(guard_deg));
    /* The smallest tile has sides up to max(16 guard, 10 arcsec): no side is cut below half. */
    p->min_side_ticks = llround(fmax(8.0 * guard_deg, 5.0 / 3600.0) * 1e7);
}

static hal_status check_columns(const hal_service *s, hal_err *err)
{
    if (s->n_alt_split > HAL_PLAN_COLUMNS)
        return hal_err_set(err, HAL_E_USAGE, "%zu columns to split on: at most %d", s->n_alt_split,
                           HAL_PLAN_COLUMNS);
    for (size_t i = 0; i < s->n_alt_split; i++) {
        const hal_plan_column *c = &s->alt_split[i];
        if (c->decimals < 0 || c->decimals > 9 || !(c->min <= c->max) || c->name[0] == '\0' ||
            !memchr(c->name, '\0', sizeof c->name))
            return hal_err_set(
                err, HAL_E_USAGE,
                "column %zu to split on needs a name, 0 to 9 decimals and min <= max", i + 1);
    }
    return HAL_OK;
}

hal_plan *hal_plan_new(const hal_service *service, hal_region *region,
                       const hal_plan_options *options, hal_err *err)
{
    if (options->window < 1 || options->window > 8) {
        hal_err_set(err, HAL_E_USAGE, "window is %d: use 1 to 8 requests in parallel",
                    options->window);
        return NULL;
    }
    if (check_columns(service, err))
        return NULL;
    hal_plan *p = hal_calloc(1, sizeof *p);
    if (!p) {
        hal_err_nomem(err, sizeof *p);
        return NULL;
    }
    p->service = *service;
    p->options = *options;
    p->options.prior = NULL; /* not kept */
    p->region = hal_region_ref(region);
    p->own_area_sr = hal_region_area_sr(region);
    p->all_sky = p->own_area_sr > 4.0 * PI * (1.0 - 1e-12);
    p->region_cone = hal_region_cone(region);
    double guard_arcsec = service->guard_arcsec > 0.0 ? service->guard_arcsec : 1.0;
    plan_set_guard(p, fmax(guard_arcsec / 3600.0, 2.0 * service->pos_quantum_deg));
    p->page_share = 1.0;
    p->cap = service->cap ? (double)service->cap : PLAN_CAP_UNKNOWN;
    p->counts_usable = service->counts;
    p->uncounted_sr = INFINITY;
    p->window = 1;
    p->next_id = 1;
    p->account.rows_counted = options->known_rows;
    p->account.requests_max = options->requests_max ? options->requests_max : REQUESTS_DEFAULT;
    p->error = HAL_ERR_INIT;
    p->refuted_least = INFINITY;
    p->parts_by_cell = service->histogram;
    p->last_range = p->first_stuck = p->last_stuck = -1;
    hal_status st = plan_choose_strategy(p, err);
    if (!st)
        st = plan_root(p, err);
    if (!st)
        st = plan_remember(p, options->prior, options->n_prior, err);
    if (st) {
        hal_plan_free(p);
        return NULL;
    }
    return p;
}

void hal_plan_free(hal_plan *plan)
{
    if (!plan)
        return;
    hal_region_unref(plan->region);
    for (size_t k = 0; k < plan->n_chunk; k++)
        hal_free(plan->chunk[k]);
    hal_free(plan->chunk);
    hal_free(plan->stack);
    hal_free(plan->silent);
    plan_index_clear(&plan->learned);
    plan_index_clear(&plan->prior);
    for (size_t k = 0; k < plan->n_histogram; k++)
        plan_histogram_free(plan->histogram[k]);
    hal_free(plan->histogram);
    for (int k = 0; k < PLAN_LAG; k++)
        plan_histogram_free(plan->slot[k].histogram);
    hal_free(plan);
}

/* ---- asking ---- */

/* Sends what `s` holds (again): gives it an id and counts it. */
static void issue(hal_plan *p, plan_slot *s, hal_ask *out)
{
    s->ask.id = p->next_id++;
    s->result = PLAN_OUT;
    p->in_flight++;
    p->asked_any = true;
    p->account.requests++;
    p->account.probes += s->ask.kind == HAL_ASK_PROBE;
    p->account.counts += s->ask.kind == HAL_ASK_COUNT;
    p->account.histograms += s->ask.kind == HAL_ASK_HISTOGRAM;
    *out = s->ask;
}

static plan_slot *schedule(hal_plan *p, hal_ask_kind kind, int32_t node, const plan_request *r)
{
    plan_slot *s = plan_slot_at(p, p->tail++);
    *s = (plan_slot){.request = *r, .node = node, .cap = p->service.cap, .proved = p->rows_proved};
    s->ask = (hal_ask){
        .kind = kind,
        .as_box = r->as_box,
        .tile = hal_tile_all(),
        .cone = r->cone,
        .ra_min_deg = r->ra_min,
        .ra_max_deg = r->ra_max,
        .dec_min_deg = r->dec_min,
        .dec_max_deg = r->dec_max,
        .by_centre = p->strategy == PLAN_CENTRES,
        .by_key = p->strategy == PLAN_OUTLINES,
        .predicted_rows = -1.0,
    };
    return s;
}

static plan_slot *ask_node(hal_plan *p, int32_t i, hal_ask_kind kind, const plan_request *r,
                           double rows)
{
    plan_node *n = plan_node_at(p, i);
    p->n_stack--;
    n->state = PLAN_NODE_ASKED;
    n->predicted = rows;
    plan_slot *s = schedule(p, kind, i, r);
    hal_ask *a = &s->ask;
    a->attempt = n->n_ambiguous;
    a->predicted_rows = rows;
    a->whole = n->whole;
    a->no_position = n->no_position;
    a->by_centre = a->by_centre && !n->whole;
    a->by_key = a->by_key && !n->whole;
    p->tile_asked = p->tile_asked || (!n->whole && !n->no_position);
    if (!n->whole && !n->no_position && p->strategy != PLAN_OUTLINES)
        a->tile = n->tile;
    if (r->as_box && !n->no_position)
        a->cone = plan_request_cone(p, n);
    plan_describe_range(p, n, a);
    if (n->page > 0 && kind == HAL_ASK_FETCH) {
        a->page = n->page;
        a->series = (uint64_t)i + 1;
        /* An answer of `cap` rows would be over. */
        a->page_rows =
            (uint64_t)fmax(1.0, p->page_share * (p->service.cap ? p->cap - 1.0 : p->cap));
    }
    if (kind == HAL_ASK_HISTOGRAM)
        a->order = n->want_order;
    return s;
}

/* The k-th place to probe: on a spiral about the middle, so that neither a cluster nor a hole in
 * the middle decides alone. */
static void probe_place(const hal_plan *p, int k, double *ra, double *dec)
{
    hal_cone c = p->region_cone;
    double t = (40.0 + 137.508 * k) * RADIANS, d = 0.45 * fmin(c.radius_deg, 90.0) * RADIANS;
    double d0 = c.dec_deg * RADIANS;
    double s = sin(d0) * cos(d) + cos(d0) * sin(d) * cos(t);
    *dec = asin(fmax(-1.0, fmin(1.0, s))) / RADIANS;
    double east = atan2(sin(t) * sin(d), cos(d0) * cos(d) - sin(d0) * sin(d) * cos(t));
    *ra = hal_ra_canonical(c.ra_deg + east / RADIANS);
    if (!hal_region_contains(p->region, *ra, *dec)) {
        *ra = c.ra_deg;
        *dec = c.dec_deg;
    }
}

static plan_slot *ask_probe(hal_plan *p, bool canary)
{
    double ra, dec, radius = canary ? (double)p->min_side_ticks / 1e7 : p->probe_radius;
    probe_place(p, p->n_probe, &ra, &dec);
    if (canary && p->learned.n > 0) { /* inside a region known to be answerable */
        const plan_density *d = plan_density_at(&p->learned, p->learned.n - 1);
        ra = hal_ra_canonical(atan2(d->v[1], d->v[0]) / RADIANS);
        dec = atan2(d->v[2], hypot(d->v[0], d->v[1])) / RADIANS;
        radius = fmin(radius, d->radius / RADIANS);
    }
    plan_request r = plan_request_spot(p, ra, dec, radius);
    plan_slot *s = schedule(p, HAL_ASK_PROBE, -1, &r);
    s->canary = canary;
    p->canary_out = canary;
    return s;
}

/* The canary where the sky is not cut: the range answered last, or one value, or one row. */
static plan_slot *ask_sign_of_life(hal_plan *p)
{
    plan_node like = *plan_node_at(p, p->last_range >= 0 ? p->last_range : 0);
    if (p->strategy == PLAN_RANGES && p->last_range < 0) {
        plan_range r = {.at = 0};
        bool first;
        like.column = 0;
        (void)plan_cut_range(p, &like, -1.0, &r, &first);
        like.column = 1;
        like.lo = r.at;
        like.hi = r.at + 1;
    }
    plan_request r = plan_request_node(p, &like);
    plan_slot *s = schedule(p, HAL_ASK_PROBE, -1, &r);
    s->ask.whole = like.whole;
    plan_describe_range(p, &like, &s->ask);
    if (p->strategy == PLAN_PAGES) {
        s->ask.page = 1;
        s->ask.page_rows = 1;
    }
    s->canary = p->canary_out = true;
    return s;
}

/* Is the round number of rows of a node that cannot be cut a limit? Then a wider request returns as
 * many. */
static plan_slot *ask_wider(hal_plan *p, int32_t i)
{
    plan_node *n = plan_node_at(p, i);
    hal_cone c = hal_tile_cone(&n->tile);
    double least = (double)p->min_side_ticks / 1e7;
    double radius = fmax(c.radius_deg, least) * pow(WIDER, n->n_wider + 1.0);
    plan_request r = plan_request_spot(p, c.ra_deg, c.dec_deg, fmin(180.0, radius));
    p->n_stack--;
    n->state = PLAN_NODE_ASKED;
    return schedule(p, HAL_ASK_PROBE, i, &r);
}

void plan_start_probing(hal_plan *p)
{
    p->probe_radius = fmin(PROBE_DEG, p->region_cone.radius_deg / 10.0);
    if (p->service.radius_max_deg > 0.0)
        p->probe_radius = fmin(p->probe_radius, p->service.radius_max_deg);
    p->probe_radius = fmax(p->probe_radius, (double)p->min_side_ticks / 1e7);
}

typedef enum chosen { CHOSE_ASK, CHOSE_NOTHING, CHOSE_LATER, CHOSE_FAILED } chosen;

/* Does a tile wait for a first density? Ranges, pages and rows without position do not. */
static bool needs_density(const hal_plan *p, const plan_node *n, const plan_request *r)
{
    bool by_sky = plan_probes(p) && !n->column && !n->no_position && !n->ends;
    return by_sky && r->fits && !plan_knows(p) && (n->over || p->asked_any);
}

/* Smallest tiles with too many rows: outlines that cover one spot cover the next too; and where no
 * tile at all holds less than the cap, the tiles do nothing. */
static bool gives_up(hal_plan *p)
{
    if (p->account.n_stuck < SPOTS_MAX)
        return false;
    if (p->strategy == PLAN_CENTRES && p->account.tiles_done == 0) {
        plan_find(p,
                  "no range on the centre columns makes the rows fewer: beside a region they seem "
                  "to do nothing");
        return true;
    }
    return p->strategy == PLAN_OUTLINES;
}

/* Is a node, expected to hold `rows`, to be counted before it is asked for or cut? */
static bool counts_ahead(const hal_plan *p, const plan_node *n, const plan_request *r, double rows)
{
    bool open = r->area_sr > 0.0 && r->fits && !n->whole && !n->column && !n->counted && !n->over;
    if (!p->counts_usable || !isinf(p->uncounted_sr) || p->strategy != PLAN_TILES || !open ||
        n->cells >= 0 || p->spread <= COUNT_SPREAD || rows < COUNT_FROM * p->cap ||
        rows > COUNT_TO * p->cap)
        return false;
    int n_counted = 0;
    for (int32_t up = n->parent; up > 0; up = n->parent) {
        n = plan_node_at(p, up);
        if (n->counted && ((n_counted == 0 && (double)n->rows_known <= COUNT_NEAR * p->cap) ||
                           ++n_counted == COUNTED_MAX))
            return false;
    }
    n = plan_node_at(p, 0);
    return n_counted > 0 || !n->counted || (double)n->rows_known > COUNT_NEAR * p->cap;
}

/* The next ask by what has been applied so far; CHOSE_LATER: not before *later_ns. */
static chosen choose(hal_plan *p, int64_t now_ns, plan_slot **out, int64_t *later_ns, hal_err *err)
{
    bool idle = p->head == p->tail;
    if (p->canary_out)
        return CHOSE_NOTHING;
    if (p->n_silent >= SILENT_MAX && !idle) /* an answer on its way may prove life */
        return CHOSE_NOTHING;
    bool doubtful = p->n_silent >= SILENT_MAX || (p->n_silent && idle && !p->n_stack);
    if (doubtful && (p->answered || plan_knows(p) || !plan_probes(p))) {
        *out = plan_cuts_sky(p) ? ask_probe(p, true) : ask_sign_of_life(p);
        return CHOSE_ASK;
    }
    while (p->n_stack > 0) {
        int32_t i = p->stack[p->n_stack - 1];
        plan_node *n = plan_node_at(p, i);
        bool decided = n->want_count || n->retry || n->page > 0;
        if (n->retry && n->not_before_ns > now_ns && !n->want_count) {
            *later_ns = n->not_before_ns;
            return CHOSE_LATER;
        }
        if (!decided && plan_is_outside(p, n)) {
            p->n_stack--;
            n->rows_sent = INFINITY;
            plan_finish(p, i, PLAN_NODE_DONE, 0);
            continue;
        }
        plan_request r = plan_request_node(p, n);
        double rows = plan_predict(p, i, &r);
        if (!decided && n->want_order < 0)
            n->want_order = (int8_t)plan_histogram_finer(p, n, &r, rows);
        if (decided || n->want_order >= 0) {
            hal_ask_kind kind = n->want_count        ? HAL_ASK_COUNT
                                : n->want_order >= 0 ? HAL_ASK_HISTOGRAM
                                                     : HAL_ASK_FETCH;
            if (kind == HAL_ASK_HISTOGRAM && !n->whole)
                r = plan_request_wide(p, n, plan_histogram_margin_deg(n->want_order));
            *out = ask_node(p, i, kind, &r, rows);
            return CHOSE_ASK;
        }
        if (needs_density(p, n, &r))
            break;
        if (n->column && p->last_range < 0 && !idle) /* one after another until one is finished: */
            return CHOSE_NOTHING;                    /* what is over says little about the next */
        bool must_cut = n->over || n->cut_again || !r.fits;
        bool cut = false;
        if (!must_cut && counts_ahead(p, n, &r, rows)) {
            n->want_count = true;
            continue;
        }
        must_cut = must_cut || (!n->counted && rows > PLAN_ACCEPT * p->cap);
        if (must_cut && plan_split(p, i, &r, rows, &cut, err))
            return CHOSE_FAILED;
        if (cut)
            continue;
        if (n->over && n->guessed && n->n_ambiguous > 0 && n->n_ambiguous < DOUBTS_MAX) {
            n->over = false; /* perhaps faults after all: what cannot be cut is asked again */
            n->retry = true;
            continue;
        }
        if (n->over && n->suspect && plan_cuts_sky(p) && n->n_wider < WIDER_MAX) {
            *out = ask_wider(p, i);
            return CHOSE_ASK;
        }
        if (n->over || !r.fits) {
            p->n_stack--;
            plan_finish(p, i, PLAN_NODE_STUCK, 0);
            if (gives_up(p)) {
                p->stopped = true;
                break;
            }
            continue;
        }
        *out = ask_node(p, i, HAL_ASK_FETCH, &r, rows);
        return CHOSE_ASK;
    }
    if (!plan_knows(p) && plan_probes(p) && idle && (p->n_stack || p->n_silent)) {
        if (p->probe_radius <= 0.0)
            plan_start_probing(p);
        *out = ask_probe(p, p->n_probe_silent >= SILENT_MAX);
        return CHOSE_ASK;
    }
    return CHOSE_NOTHING;
}

/* First step: a histogram or a count decides whether the region is asked for unsplit. */
static void prepare_root(hal_plan *p)
{
    plan_node *root = plan_node_at(p, 0);
    bool known = p->options.known_rows >= 0;
    hal_err err = HAL_ERR_INIT;
    if (known && plan_known_rows(p, &err)) {
        plan_fail(p, &err);
        return;
    }
    bool fits = plan_request_node(p, root).fits;
    bool by_cells =
        p->service.histogram && fits && (p->strategy == PLAN_TILES || p->strategy == PLAN_CENTRES);
    if (by_cells && (!known || root->over))
        root->want_order = (int8_t)plan_histogram_order(p);
    else if (!known && p->strategy != PLAN_PAGES)
        root->want_count = p->counts_usable && fits && !p->options.count_failed;
    if (p->options.count_failed) {
        plan_request r = plan_request_node(p, root);
        p->uncounted_sr = r.area_sr;
        p->n_uncounted = 1;
    }
}

static bool budget_left(hal_plan *p)
{
    if (!p->stopped && p->account.requests >= p->account.requests_max)
        plan_stop(p, "requests", p->account.requests_max, "budget.requests");
    return !p->stopped;
}

/* Issues the first ask that waits for its repeat and is due; *next_ns: when the first becomes so.
 */
static plan_slot *due_again(hal_plan *p, int64_t now_ns, int64_t *next_ns)
{
    for (uint64_t k = p->head; k < p->tail; k++) {
        plan_slot *s = plan_slot_at(p, k);
        if (s->result != PLAN_AGAIN)
            continue;
        if (!budget_left(p)) {
            s->result = PLAN_NOT_ASKED;
            continue;
        }
        if (s->again_ns <= now_ns)
            return s;
        if (s->again_ns < *next_ns)
            *next_ns = s->again_ns;
    }
    return NULL;
}

hal_next hal_plan_next(hal_plan *p, int64_t now_ns, hal_ask *out, int64_t *wait_until_ns)
{
    *wait_until_ns = INT64_MAX;
    if (!p->prepared && p->account.state == HAL_PLAN_RUNNING) {
        p->prepared = true;
        prepare_root(p);
    }
    while (p->account.state == HAL_PLAN_RUNNING) {
        if (p->in_flight >= p->window)
            return HAL_NEXT_WAIT;
        int64_t later_ns = INT64_MAX;
        plan_slot *s = due_again(p, now_ns, &later_ns);
        if (s) {
            s->ask.attempt++;
            issue(p, s, out);
            return HAL_NEXT_ASK;
        }
        chosen c = CHOSE_NOTHING;
        hal_err err = HAL_ERR_INIT;
        if (p->tail - p->head < PLAN_LAG && !p->stopped) {
            int64_t back_off_ns = INT64_MAX;
            bool may_ask = budget_left(p);
            c = may_ask ? choose(p, now_ns, &s, &back_off_ns, &err) : CHOSE_NOTHING;
            if (c == CHOSE_ASK) {
                issue(p, s, out);
                return HAL_NEXT_ASK;
            }
            if (c == CHOSE_LATER) {
                *wait_until_ns = back_off_ns < later_ns ? back_off_ns : later_ns;
                return HAL_NEXT_WAIT;
            }
        }
        if (c == CHOSE_FAILED) {
            plan_fail(p, &err);
        } else if (p->head == p->tail) {
            plan_conclude(p);
        } else {
            plan_result first = plan_slot_at(p, p->head)->result;
            if (first == PLAN_OUT || first == PLAN_AGAIN) {
                *wait_until_ns = later_ns;
                return HAL_NEXT_WAIT;
            }
            if (plan_apply(p, &err))
                plan_fail(p, &err);
        }
    }
    return HAL_NEXT_DONE;
}
