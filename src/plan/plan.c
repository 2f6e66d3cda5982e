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

#define SECOND INT64_C(1000000000)
#define RADIANS 0.017453292519943295

enum {
    AGAIN_MAX = 12,       /* repeats of one ask after transient failures, delays 1 s to 2 min */
    CANARY_MAX = 10,      /* repeats of one canary, delays 30 s to 10 min */
    AGAIN_FIRST_MAX = 6,  /* the same two for an archive that has not answered once: */
    CANARY_FIRST_MAX = 3, /* given up after a minute, or after three and a half */
    COUNT_MAX = 3,   /* refusals of a region whose count is below the cap that refute the cap */
    REFUSED_MAX = 8, /* refusals after which a region is cut whatever its count */
    SILENT_MAX = 3,  /* ambiguous answers without a proof of life that raise the question */
    PROBE_ROWS = 30, /* rows that make a density worth having */
    REQUESTS_DEFAULT = 2000,
};

#define CAP_UNKNOWN 50000.0 /* MAST pages and most services deliver as many */
#define PROBE_DEG 0.3

hal_plan *hal_plan_new(const hal_service *service, hal_region *region,
                       const hal_plan_options *options, hal_err *err)
{
    if (!service->takes_box && !service->takes_cone) {
        hal_err_set(err, HAL_E_USAGE, "the service takes neither boxes nor cones: nothing to tile");
        return NULL;
    }
    if (options->window < 1 || options->window > 8) {
        hal_err_set(err, HAL_E_USAGE, "window is %d: use 1 to 8 requests in parallel",
                    options->window);
        return NULL;
    }
    hal_plan *p = hal_calloc(1, sizeof *p);
    if (!p) {
        hal_err_nomem(err, sizeof *p);
        return NULL;
    }
    p->service = *service;
    p->options = *options;
    p->region = hal_region_ref(region);
    p->region_cone = hal_region_cone(region);
    double guard_arcsec = service->guard_arcsec > 0.0 ? service->guard_arcsec : 1.0;
    p->guard_deg = fmax(guard_arcsec / 3600.0, 2.0 * service->pos_quantum_deg);
    p->region_area_sr = fmax(hal_region_area_sr(region), hal_cone_area_sr(p->guard_deg));
    /* The smallest tile has sides up to max(16 guard, 10 arcsec): no side is cut below half. */
    p->min_side_ticks = llround(fmax(8.0 * p->guard_deg, 5.0 / 3600.0) * 1e7);
    p->cap = service->cap ? (double)service->cap : CAP_UNKNOWN;
    p->counts_usable = service->counts;
    p->window = 1;
    p->next_id = 1;
    p->account.rows_counted = options->known_rows;
    p->account.requests_max = options->requests_max ? options->requests_max : REQUESTS_DEFAULT;
    p->error = HAL_ERR_INIT;
    if (plan_root(p, err)) {
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
    hal_free(plan->node);
    hal_free(plan->stack);
    hal_free(plan->silent);
    hal_free(plan->density);
    hal_free(plan);
}

static hal_status fail(hal_plan *p, const hal_err *err)
{
    p->account.state = HAL_PLAN_FAILED;
    p->error = *err;
    return err->status;
}

static void stop(hal_plan *p, const char *what, uint64_t limit, const char *option)
{
    p->stopped = true;
    hal_err_set(&p->error, HAL_E_BUDGET,
                "the plan's budget of %" PRIu64 " %s is used up before the region is complete: "
                "raise %s, or ask for a smaller region",
                limit, what, option);
}

/* ---- asking ---- */

static plan_slot *slot_at(hal_plan *p, uint64_t serial)
{
    return &p->slot[serial % PLAN_LAG];
}

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
    *out = s->ask;
}

static plan_slot *schedule(hal_plan *p, hal_ask_kind kind, int32_t node, const hal_tile *tile,
                           const plan_request *r)
{
    plan_slot *s = slot_at(p, p->tail++);
    *s = (plan_slot){.request = *r, .node = node};
    s->ask = (hal_ask){
        .kind = kind,
        .whole = node == 0,
        .as_box = r->as_box,
        .tile = node == 0 ? hal_tile_all() : *tile,
        .cone = r->cone,
        .ra_min_deg = r->ra_min,
        .ra_max_deg = r->ra_max,
        .dec_min_deg = r->dec_min,
        .dec_max_deg = r->dec_max,
        .predicted_rows = node < 0 ? -1.0 : plan_predict(p, node, r),
    };
    return s;
}

static plan_slot *ask_node(hal_plan *p, int32_t i, hal_ask_kind kind)
{
    plan_node *n = &p->node[i];
    plan_request r = plan_request_tile(p, &n->tile, i == 0);
    p->n_stack--;
    n->state = PLAN_NODE_ASKED;
    plan_slot *s = schedule(p, kind, i, &n->tile, &r);
    s->ask.attempt = n->n_ambiguous;
    n->predicted = s->ask.predicted_rows;
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
    hal_tile all = hal_tile_all();
    probe_place(p, p->n_probe, &ra, &dec);
    if (canary && p->n_density > 0) { /* inside a region known to be answerable */
        const plan_density *d = &p->density[p->n_density - 1];
        ra = hal_ra_canonical(atan2(d->v[1], d->v[0]) / RADIANS);
        dec = atan2(d->v[2], hypot(d->v[0], d->v[1])) / RADIANS;
        radius = fmin(radius, d->radius / RADIANS);
    }
    plan_request r = plan_request_spot(p, ra, dec, radius);
    plan_slot *s = schedule(p, HAL_ASK_PROBE, -1, &all, &r);
    s->canary = canary;
    p->canary_out = canary;
    return s;
}

static void start_probing(hal_plan *p)
{
    p->probe_radius = fmin(PROBE_DEG, p->region_cone.radius_deg / 10.0);
    if (p->service.radius_max_deg > 0.0)
        p->probe_radius = fmin(p->probe_radius, p->service.radius_max_deg);
    p->probe_radius = fmax(p->probe_radius, (double)p->min_side_ticks / 1e7);
}

typedef enum chosen { CHOSE_ASK, CHOSE_NOTHING, CHOSE_LATER, CHOSE_FAILED } chosen;

/* The next ask by what has been applied so far; CHOSE_LATER: not before *later_ns. */
static chosen choose(hal_plan *p, int64_t now_ns, plan_slot **out, int64_t *later_ns, hal_err *err)
{
    bool idle = p->head == p->tail;
    if (p->canary_out)
        return CHOSE_NOTHING;
    if (p->n_silent >= SILENT_MAX && !idle) /* an answer on its way may prove life */
        return CHOSE_NOTHING;
    bool doubtful = p->n_silent >= SILENT_MAX || (p->n_silent && idle && !p->n_stack);
    if (p->n_density > 0 && doubtful) {
        *out = ask_probe(p, true);
        return CHOSE_ASK;
    }
    while (p->n_stack > 0) {
        int32_t i = p->stack[p->n_stack - 1];
        plan_node *n = &p->node[i];
        if (n->want_count) {
            *out = ask_node(p, i, HAL_ASK_COUNT);
            return CHOSE_ASK;
        }
        if (n->retry) {
            *later_ns = n->not_before_ns;
            if (n->not_before_ns > now_ns)
                return CHOSE_LATER;
            *out = ask_node(p, i, HAL_ASK_FETCH);
            return CHOSE_ASK;
        }
        if (plan_is_outside(p, n)) {
            p->n_stack--;
            plan_finish(p, i, PLAN_NODE_DONE, 0);
            continue;
        }
        plan_request r = plan_request_tile(p, &n->tile, i == 0);
        double rows = plan_predict(p, i, &r);
        bool must_cut = n->over || n->cut_again || !r.fits;
        if (rows < 0.0 && r.fits && (n->over || p->asked_any))
            break; /* nothing known yet */
        if (!must_cut && rows <= PLAN_ACCEPT * p->cap) {
            *out = ask_node(p, i, HAL_ASK_FETCH);
            return CHOSE_ASK;
        }
        bool cut;
        if (plan_split(p, i, &cut, err))
            return CHOSE_FAILED;
        if (cut)
            continue;
        if (n->over || !r.fits) {
            p->n_stack--;
            plan_finish(p, i, PLAN_NODE_STUCK, 0);
            continue;
        }
        *out = ask_node(p, i, HAL_ASK_FETCH);
        return CHOSE_ASK;
    }
    if (p->n_density == 0 && idle && (p->n_stack || p->n_silent)) {
        if (p->probe_radius <= 0.0)
            start_probing(p);
        *out = ask_probe(p, p->n_probe_silent >= SILENT_MAX);
        return CHOSE_ASK;
    }
    return CHOSE_NOTHING;
}

/* ---- applying ---- */

static hal_status push_pending(hal_plan *p, int32_t i, hal_err *err)
{
    p->node[i].state = PLAN_NODE_PENDING;
    return plan_push(&p->stack, &p->n_stack, &p->stack_cap, i, err);
}

static void mark_over(hal_plan *p, int32_t i, const plan_request *r, double rows, bool guessed)
{
    plan_node *n = &p->node[i];
    n->over = true;
    n->guessed = guessed;
    n->retry = false;
    n->bound = fmax(n->bound, rows / r->area_sr);
}

/* Over, or a fault? Design section 6.1, rules 3 and 4. */
static void judge(hal_plan *p, int32_t i)
{
    plan_node *n = &p->node[i];
    plan_request r = plan_request_tile(p, &n->tile, i == 0);
    double rows = plan_predict(p, i, &r);
    /* A needless split into k costs k - 1 requests: repeat first if faults are that likely. */
    double k = p->service.over_is_slow ? 4.0 : 2.0;
    bool faulty = (double)p->n_guess_refuted * k > (double)(p->n_guess_settled + 1);
    bool likely = rows < 0.0 || rows >= 0.5 * p->cap;
    if (n->n_ambiguous > 1 || (likely && !faulty)) {
        mark_over(p, i, &r, p->cap, true);
        p->account.over++;
    } else {
        n->retry = true;
    }
}

/* The archive answered an ask that was issued with `serial`: silent tiles that failed before can be
 * judged. After an outage they are simply asked again. */
static hal_status prove_life(hal_plan *p, uint64_t serial, bool outage, hal_err *err)
{
    size_t n_left = 0, n_judged = 0;
    for (size_t k = 0; k < p->n_silent; k++) {
        int32_t i = p->silent[k];
        plan_node *n = &p->node[i];
        if (n->silent_until > serial) {
            p->silent[n_left++] = i;
            continue;
        }
        if (outage) {
            n->n_ambiguous--;
            n->retry = true;
        } else {
            judge(p, i);
        }
        hal_status st = push_pending(p, i, err);
        if (st)
            return st;
        n_judged++;
    }
    p->n_silent = n_left;
    for (size_t a = p->n_stack - n_judged, b = p->n_stack; a + 1 < b; a++) { /* oldest on top */
        int32_t swap = p->stack[a];
        p->stack[a] = p->stack[--b];
        p->stack[b] = swap;
    }
    p->n_probe_silent = 0;
    return HAL_OK;
}

/* The archive's count is the region's only if the request is: a box round a circle holds more. */
static void use_count(hal_plan *p, double rows, bool exact)
{
    p->account.rows_counted = exact ? (int64_t)rows : -1;
    p->root_rows = rows;
    if (!p->options.requests_max)
        p->account.requests_max = (uint64_t)fmax(50.0, 8.0 * ceil(rows / p->cap));
}

/* A region of `rows`, more than any answer held so far, is refused again and again although it
 * should fit: the cap is lower than declared. From now on fewer repeats are enough to believe that,
 * and the budget starts anew. */
static void lower_cap(hal_plan *p, double rows)
{
    p->cap = rows;
    p->cap_refuted = true;
    double wanted = (double)p->account.requests + fmax(50.0, 8.0 * ceil(p->root_rows / p->cap));
    if (!p->options.requests_max && wanted < REQUESTS_DEFAULT)
        p->account.requests_max = (uint64_t)fmax((double)p->account.requests_max, wanted);
}

static hal_status apply_count(hal_plan *p, plan_slot *s, hal_err *err)
{
    plan_node *n = &p->node[s->node];
    double rows = (double)s->returned;
    bool first = s->node == 0 && n->n_ambiguous == 0;
    n->want_count = false;
    if (s->result != PLAN_COUNTED) { /* counting does not work here: do without */
        p->counts_usable = false;
        if (!first)
            judge(p, s->node);
        return push_pending(p, s->node, err);
    }
    if (first) {
        use_count(p, rows, s->request.area_sr < 1.01 * p->region_area_sr);
        if (s->returned == 0) {
            plan_finish(p, s->node, PLAN_NODE_DONE, 0);
            return HAL_OK;
        }
    }
    hal_status st = plan_learn(p, &s->request, rows, err);
    if (st)
        return st;
    bool refused = n->n_ambiguous > (p->cap_refuted ? COUNT_MAX - 1 : COUNT_MAX);
    if (refused && rows < p->cap && rows > p->rows_proved)
        lower_cap(p, rows);
    if (rows >= p->cap || n->n_ambiguous > REFUSED_MAX)
        mark_over(p, s->node, &s->request, rows, false);
    else
        n->retry = !first;
    p->account.over += n->over && !first;
    return push_pending(p, s->node, err);
}

static hal_status apply_probe(hal_plan *p, plan_slot *s, uint64_t serial, hal_err *err)
{
    if (s->canary) {
        bool outage = s->n_again > 0;
        p->canary_out = false;
        if (outage && p->n_density == 0)
            start_probing(p);
        return prove_life(p, serial, outage, err);
    }
    double smallest = (double)p->min_side_ticks / 1e7;
    if (s->result != PLAN_ROWS) {
        p->n_probe_silent += s->result == PLAN_AMBIGUOUS;
        p->account.over += s->result == PLAN_OVER;
        p->n_probe++;
        if (p->probe_radius > smallest)
            p->probe_radius = fmax(smallest, p->probe_radius / 4.0);
        else if (s->result == PLAN_OVER) /* a pile-up: it is at least that dense here */
            return plan_learn(p, &s->request, p->cap, err);
        return s->result == PLAN_OVER ? prove_life(p, serial, false, err) : HAL_OK;
    }
    double wider = 3.0 * p->probe_radius;
    if (s->returned < PROBE_ROWS && wider <= p->region_cone.radius_deg / 2.0 &&
        (p->service.radius_max_deg <= 0.0 || wider <= p->service.radius_max_deg)) {
        p->probe_radius = wider;
        return HAL_OK;
    }
    hal_status st = plan_learn(p, &s->request, (double)s->returned, err);
    return st ? st : prove_life(p, serial, false, err);
}

static hal_status apply_fetch(hal_plan *p, plan_slot *s, uint64_t serial, hal_err *err)
{
    int32_t i = s->node;
    plan_node *n = &p->node[i];
    hal_status st = HAL_OK;
    switch (s->result) {
    case PLAN_ROWS:
        st = plan_learn(p, &s->request, (double)s->returned, err);
        if (st)
            return st;
        p->rows_proved = fmax(p->rows_proved, (double)s->returned);
        p->cap = fmax(p->cap, p->rows_proved + 1.0);
        p->account.rows_kept += s->kept;
        n->rows_returned = s->returned;
        plan_finish(p, i, PLAN_NODE_DONE, s->kept);
        if (p->options.rows_max && p->account.rows_kept > p->options.rows_max && !p->stopped)
            stop(p, "rows", p->options.rows_max, "rows_max");
        return prove_life(p, serial, false, err);
    case PLAN_SUSPECT:
        mark_over(p, i, &s->request, (double)s->returned, true);
        p->account.over++;
        st = push_pending(p, i, err);
        return st ? st : prove_life(p, serial, false, err);
    case PLAN_OVER:
        mark_over(p, i, &s->request, p->cap, false);
        p->account.over++;
        st = push_pending(p, i, err);
        return st ? st : prove_life(p, serial, false, err);
    case PLAN_AMBIGUOUS:
        n->n_ambiguous++;
        if (p->counts_usable) {
            n->want_count = true;
            return push_pending(p, i, err);
        }
        n->state = PLAN_NODE_SILENT;
        n->silent_until = p->tail;
        return plan_push(&p->silent, &p->n_silent, &p->silent_cap, i, err);
    default:
        return HAL_OK; /* not asked for want of a budget: unfetched at the end */
    }
}

static hal_status apply(hal_plan *p, hal_err *err)
{
    uint64_t serial = p->head++;
    plan_slot *s = slot_at(p, serial);
    if (s->result == PLAN_NOT_ASKED)
        return HAL_OK;
    if (s->ask.kind == HAL_ASK_COUNT)
        return apply_count(p, s, err);
    return s->ask.kind == HAL_ASK_PROBE ? apply_probe(p, s, serial, err)
                                        : apply_fetch(p, s, serial, err);
}

/* First step: a count decides whether the region is asked for unsplit. */
static void prepare_root(hal_plan *p)
{
    plan_node *root = &p->node[0];
    plan_request r = plan_request_tile(p, &root->tile, true);
    hal_err err = HAL_ERR_INIT;
    if (p->options.known_rows < 0) {
        root->want_count = p->counts_usable;
        return;
    }
    double rows = (double)p->options.known_rows;
    use_count(p, rows, true);
    r.area_sr = p->region_area_sr;
    if (plan_learn(p, &r, rows, &err)) {
        fail(p, &err);
        return;
    }
    if (rows >= p->cap) {
        root->over = true;
        root->bound = rows / r.area_sr;
    }
}

static bool budget_left(hal_plan *p)
{
    if (!p->stopped && p->account.requests >= p->account.requests_max)
        stop(p, "requests", p->account.requests_max, "requests_max");
    return !p->stopped;
}

/* Issues the first ask that waits for its repeat and is due; *next_ns: when the first becomes so.
 */
static plan_slot *due_again(hal_plan *p, int64_t now_ns, int64_t *next_ns)
{
    for (uint64_t k = p->head; k < p->tail; k++) {
        plan_slot *s = slot_at(p, k);
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
    if (!p->asked_any && p->account.state == HAL_PLAN_RUNNING && p->n_density == 0)
        prepare_root(p);
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
            fail(p, &err);
        } else if (p->head == p->tail) {
            plan_conclude(p);
        } else {
            plan_result first = slot_at(p, p->head)->result;
            if (first == PLAN_OUT || first == PLAN_AGAIN) {
                *wait_until_ns = later_ns;
                return HAL_NEXT_WAIT;
            }
            if (apply(p, &err))
                fail(p, &err);
        }
    }
    return HAL_NEXT_DONE;
}

/* ---- answers ---- */

static plan_slot *slot_of(hal_plan *p, uint64_t id, hal_err *err)
{
    for (uint64_t k = p->head; k < p->tail; k++) {
        plan_slot *s = slot_at(p, k);
        if (s->ask.id == id && s->result == PLAN_OUT)
            return s;
    }
    hal_err_set(err, HAL_E_USAGE, "ask %" PRIu64 " is not waiting for an answer", id);
    return NULL;
}

static void came_back(hal_plan *p, plan_slot *s, plan_result result)
{
    s->result = result;
    p->in_flight--;
    if (p->window < p->options.window)
        p->window++;
}

/* A row count that looks like a limit. */
static bool is_round(uint64_t n)
{
    if (n >= 1024 && (n & (n - 1)) == 0)
        return true;
    bool thousands = n >= 1000;
    while (n >= 10 && n % 10 == 0)
        n /= 10;
    return thousands && (n == 1 || n == 2 || n == 5);
}

hal_status hal_plan_complete(hal_plan *p, uint64_t id, uint64_t returned, uint64_t kept,
                             double overshoot_deg, bool *accepted, hal_err *err)
{
    *accepted = false;
    plan_slot *s = slot_of(p, id, err);
    if (!s)
        return HAL_E_USAGE;
    if (s->ask.kind == HAL_ASK_COUNT || kept > returned || !(overshoot_deg >= 0.0))
        return hal_err_set(err, HAL_E_USAGE,
                           "ask %" PRIu64 ": %" PRIu64 " rows kept of %" PRIu64 " do not answer it",
                           id, kept, returned);
    double arcsec = overshoot_deg * 3600.0, guard = p->guard_deg * 3600.0;
    p->account.overshoot_arcsec = fmax(p->account.overshoot_arcsec, arcsec);
    p->account.rows_returned += returned;
    if (arcsec > guard / 2.0) {
        hal_err e = HAL_ERR_INIT;
        hal_err_set(&e, HAL_E_INTEGRITY,
                    "position columns do not match the selection: a row lies %.4g arcsec outside "
                    "the region asked for; name the columns the service selects on, or set a guard "
                    "of at least %.4g arcsec (now %.4g)",
                    arcsec, 2.0 * arcsec, guard);
        came_back(p, s, PLAN_ROWS);
        p->account.guard_needed_arcsec = 2.0 * arcsec;
        fail(p, &e);
        if (err)
            *err = e;
        return e.status;
    }
    plan_result result = PLAN_ROWS;
    bool counted = s->ask.whole && p->account.rows_counted == (int64_t)returned;
    if (p->service.cap && returned >= p->service.cap)
        result = PLAN_OVER;
    else if (s->node >= 0 && is_round(returned) && !counted)
        result = PLAN_SUSPECT;
    s->returned = returned;
    s->kept = kept;
    came_back(p, s, result);
    *accepted = result == PLAN_ROWS && s->ask.kind == HAL_ASK_FETCH;
    return HAL_OK;
}

hal_status hal_plan_printed(hal_plan *p, double quantum_deg, hal_err *err)
{
    if (!(quantum_deg >= 0.0 && quantum_deg <= 1.0))
        return hal_err_set(err, HAL_E_USAGE, "positions printed in steps of %g degrees: use 0 to 1",
                           quantum_deg);
    if (p->account.state != HAL_PLAN_RUNNING || 2.0 * quantum_deg <= p->guard_deg * (1.0 + 1e-9))
        return HAL_OK;
    plan_find(p, "positions are printed in steps of %g degrees, the record says %g", quantum_deg,
              p->service.pos_quantum_deg);
    p->account.guard_needed_arcsec = 7200.0 * quantum_deg;
    hal_err e = HAL_ERR_INIT;
    hal_err_set(
        &e, HAL_E_INTEGRITY,
        "positions are printed in steps of %g degrees: a guard of %.4g arcsec loses rows at "
        "the borders of tiles; say pos_quantum_deg = %g or a guard of %.4g arcsec",
        quantum_deg, p->guard_deg * 3600.0, quantum_deg, 7200.0 * quantum_deg);
    fail(p, &e);
    if (err)
        *err = e;
    return e.status;
}

bool hal_plan_page_is_full(const hal_plan *p, uint64_t id, uint64_t returned)
{
    for (uint64_t k = p->head; k < p->tail; k++) {
        const plan_slot *s = &p->slot[k % PLAN_LAG];
        if (s->ask.id == id && s->ask.page > 0)
            return returned >= s->ask.page_rows || is_round(returned);
    }
    return false;
}

hal_status hal_plan_counted(hal_plan *p, uint64_t id, uint64_t rows, hal_err *err)
{
    plan_slot *s = slot_of(p, id, err);
    if (!s)
        return HAL_E_USAGE;
    if (s->ask.kind != HAL_ASK_COUNT)
        return hal_err_set(err, HAL_E_USAGE, "ask %" PRIu64 " wants rows, not a count", id);
    s->returned = rows;
    came_back(p, s, PLAN_COUNTED);
    return HAL_OK;
}

static int64_t doubling(int64_t first, int64_t most, int n)
{
    int64_t delay = first;
    while (n-- > 0 && delay < most)
        delay *= 2;
    return delay < most ? delay : most;
}

static void ask_again(hal_plan *p, plan_slot *s, int64_t now_ns, int64_t delay, int most,
                      const hal_err *why)
{
    bool ever_answered = p->n_density > 0;
    if (!ever_answered)
        most = s->canary ? CANARY_FIRST_MAX : most < AGAIN_FIRST_MAX ? most : AGAIN_FIRST_MAX;
    if (s->n_again >= most) {
        hal_err e = *why;
        hal_err_note(&e, e.status ? e.status : HAL_E_NETWORK,
                     "the archive did not answer %d repeats of one request", s->n_again);
        fail(p, &e);
        return;
    }
    if (why->retry_after_s > 0.0)
        delay = (int64_t)fmax((double)delay, fmin(why->retry_after_s, 86400.0) * 1e9);
    s->result = PLAN_AGAIN;
    s->n_again++;
    s->again_ns = now_ns + delay;
}

hal_status hal_plan_failed(hal_plan *p, uint64_t id, hal_verdict verdict, int64_t now_ns,
                           const hal_err *why, hal_err *err)
{
    hal_err none = HAL_ERR_INIT;
    plan_slot *s = slot_of(p, id, err);
    if (!s)
        return HAL_E_USAGE;
    if (!why)
        why = &none;
    p->in_flight--;
    if (verdict != HAL_VERDICT_OVER && id >= p->window_cut_id) { /* once per round trip */
        p->window = p->window > 1 ? p->window / 2 : 1;
        p->window_cut_id = p->next_id;
    }
    if (verdict == HAL_VERDICT_FATAL) {
        hal_err e = *why;
        if (!e.status)
            hal_err_set(&e, HAL_E_ARCHIVE, "the archive refused the query");
        fail(p, &e);
        return HAL_OK;
    }
    if (verdict == HAL_VERDICT_TRANSIENT) {
        p->account.transient++;
        ask_again(p, s, now_ns, doubling(SECOND, 120 * SECOND, s->n_again), AGAIN_MAX, why);
        return HAL_OK;
    }
    if (verdict == HAL_VERDICT_OVER) {
        s->result = PLAN_OVER;
        return HAL_OK;
    }
    p->account.ambiguous++;
    if (s->canary) {
        ask_again(p, s, now_ns, doubling(30 * SECOND, 600 * SECOND, s->n_again), CANARY_MAX, why);
    } else if (s->ask.kind == HAL_ASK_COUNT && s->n_again < COUNT_MAX) {
        ask_again(p, s, now_ns, doubling(SECOND, 120 * SECOND, s->n_again), COUNT_MAX, why);
    } else {
        s->result = PLAN_AMBIGUOUS;
        if (s->node >= 0)
            p->node[s->node].not_before_ns =
                now_ns + doubling(SECOND, 120 * SECOND, p->node[s->node].n_ambiguous);
    }
    return HAL_OK;
}
