/* SPDX-License-Identifier: BSD-3-Clause */
#include "plan/groups.h"

#include "base/alloc.h"
#include "plan/state.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define RADIANS 0.017453292519943295
#define PI 3.141592653589793
#define CAP_UNKNOWN 50000.0
#define HALF_FULL 0.5
#define BOX_OVER_CIRCLE (4.0 / PI)

enum {
    LAG = PLAN_LAG,      /* for the same reasons as there */
    WINDOW_MAX = 8,      /* of hal_plan_options */
    WIDEN_ROWS = 500,    /* cost nothing beside a request */
    TELLING_ROWS = 30,   /* tell a density however small the circle */
    CIRCLE_MAX_DEG = 15, /* over which no density holds */
    REQUESTS_EACH = 4,
    REQUESTS_BEYOND = 2000,
};

/* A node of the tree. */
typedef struct range {
    size_t first, n;
    bool tight; /* its circle is not to be widened: it was over when it was */
} range;

/* A request that serves a range. */
typedef struct circle {
    double v[3];
    double radius; /* radians, without guard */
    double area_sr;
    double need_sr; /* of the members' circles, guard included, as if none overlapped */
    bool parts;     /* halves are notably smaller */
    bool widened;
} circle;

typedef enum slot_state {
    SLOT_OPEN,
    SLOT_DONE,
    SLOT_CUT,  /* over: its range goes back, in halves or with a tight circle */
    SLOT_STUCK /* its plan ended without all rows */
} slot_state;

typedef struct slot {
    slot_state state;
    range range;
    circle circle;
    hal_plan *plan;
    int n_out;
    uint64_t returned;
} slot;

/* An ask that is out. */
typedef struct out_ask {
    uint64_t id, serial, plan_id;
} out_ask;

struct hal_groups {
    hal_service service;
    hal_plan_options options;
    hal_targets *targets;
    double guard_deg, cap;
    unsigned char *served;
    range *stack;
    size_t n_stack, stack_cap;
    plan_index learned;
    slot slot[LAG];
    uint64_t head, tail;
    out_ask out[WINDOW_MAX];
    int n_out, window;
    uint64_t next_id, window_cut_id;
    bool stopped;
    hal_account account;
    char finding[PLAN_FINDINGS_MAX][PLAN_FINDING_MAX];
    hal_err error;
};

static slot *slot_at(hal_groups *g, uint64_t serial)
{
    return &g->slot[serial % LAG];
}

static hal_status push(hal_groups *g, range r, hal_err *err)
{
    if (g->n_stack == g->stack_cap) {
        size_t cap = g->stack_cap ? 2 * g->stack_cap : 64;
        range *grown = hal_realloc(g->stack, cap * sizeof *grown);
        if (!grown)
            return hal_err_nomem(err, cap * sizeof *grown);
        g->stack = grown;
        g->stack_cap = cap;
    }
    g->stack[g->n_stack++] = r;
    return HAL_OK;
}

hal_groups *hal_groups_new(const hal_service *service, hal_targets *targets,
                           const hal_plan_options *options, hal_err *err)
{
    if (service->footprints || (!service->takes_box && !service->takes_cone)) {
        hal_err_set(err, HAL_E_USAGE,
                    "targets need a service that selects rows by their position: this one has %s",
                    service->footprints ? "outlines" : "none");
        return NULL;
    }
    if (options->window < 1 || options->window > WINDOW_MAX) {
        hal_err_set(err, HAL_E_USAGE, "window is %d: use 1 to 8 requests in parallel",
                    options->window);
        return NULL;
    }
    hal_groups *g = hal_calloc(1, sizeof *g);
    if (!g || !(g->served = hal_calloc(targets->n + 1, 1))) {
        hal_err_nomem(err, sizeof *g + targets->n);
        hal_free(g);
        return NULL;
    }
    g->service = *service;
    /* A count of every group would double the requests; rows without position match no target. */
    g->service.counts = g->service.histogram = false;
    g->service.pos_nullable = g->service.null_test = false;
    g->options = *options;
    g->options.prior = NULL;
    g->options.n_prior = 0;
    g->options.known_rows = -1;
    g->targets = hal_targets_ref(targets);
    double guard_arcsec = service->guard_arcsec > 0.0 ? service->guard_arcsec : 1.0;
    g->guard_deg = fmax(guard_arcsec / 3600.0, 2.0 * service->pos_quantum_deg);
    g->cap = service->cap ? (double)service->cap : CAP_UNKNOWN;
    g->window = 1;
    g->next_id = 1;
    g->account.rows_counted = -1;
    g->account.requests_max = options->requests_max
                                  ? options->requests_max
                                  : REQUESTS_EACH * (uint64_t)targets->n + REQUESTS_BEYOND;
    g->error = HAL_ERR_INIT;
    hal_status st = targets->n ? push(g, (range){0, targets->n, false}, err) : HAL_OK;
    for (size_t i = 0; i < options->n_prior && !st; i++) {
        const hal_plan_density *d = &options->prior[i];
        double area = hal_cone_area_sr(d->radius_deg);
        plan_density e = {
            .radius = d->radius_deg * RADIANS, .area_sr = area, .rows = d->rows_per_sr * area};
        plan_unit_vector(d->ra_deg, d->dec_deg, e.v);
        if (area > 0.0 && isfinite(e.rows) && isfinite(e.v[0]))
            st = plan_index_add(&g->learned, &e, err);
    }
    if (st) {
        hal_groups_free(g);
        return NULL;
    }
    return g;
}

void hal_groups_free(hal_groups *g)
{
    if (!g)
        return;
    for (int k = 0; k < LAG; k++)
        hal_plan_free(g->slot[k].plan);
    plan_index_clear(&g->learned);
    hal_targets_unref(g->targets);
    hal_free(g->served);
    hal_free(g->stack);
    hal_free(g);
}

static hal_status fail(hal_groups *g, const hal_err *why)
{
    g->account.state = HAL_PLAN_FAILED;
    g->error = *why;
    return why->status;
}

/* ---- densities ---- */

static void find(hal_groups *g, const char *text)
{
    size_t n = g->account.n_findings;
    for (size_t i = 0; i < n; i++)
        if (strcmp(g->finding[i], text) == 0)
            return;
    if (n < PLAN_FINDINGS_MAX) {
        snprintf(g->finding[n], PLAN_FINDING_MAX, "%s", text);
        g->account.n_findings++;
    }
}

/* Rows per steradian, the weighted mean of logarithms of the nearest finished groups, on the high
 * side where these held few rows; < 0: nothing is known. */
static double density(const hal_groups *g, const double v[3], double radius)
{
    plan_near near;
    double sum = 0.0, weights = 0.0, most = 0.0;
    plan_index_near(&g->learned, v, &near);
    for (int k = 0; k < near.n; k++) {
        const plan_density *d = plan_density_at(&g->learned, near.i[k]);
        double apart = 2.0 * asin(fmin(1.0, sqrt(near.chord2[k]) / 2.0));
        double own = 0.3 * d->radius, other = 0.3 * radius;
        double w = 1.0 / (apart * apart + own * own + other * other + 1e-30);
        sum += w * log((d->rows + 0.5) / d->area_sr);
        weights += w;
        most = fmax(most, d->rows);
    }
    return near.n ? exp(sum / weights) * (1.0 + 1.5 / sqrt(most + 1.0)) : -1.0;
}

size_t hal_groups_densities(const hal_groups *g, hal_plan_density *out, size_t n)
{
    return plan_index_densities(&g->learned, out, n);
}

static double area_of(const hal_groups *g, double radius)
{
    double area = hal_cone_area_sr(fmin(180.0, radius / RADIANS + g->guard_deg));
    return fmin(4.0 * PI, g->service.takes_box ? BOX_OVER_CIRCLE * area : area);
}

static hal_status learn(hal_groups *g, const slot *s, double rows, hal_err *err)
{
    const circle *c = &s->circle;
    if (rows < TELLING_ROWS && c->radius < 0.5 * HAL_GROUP_FIRST_DEG * RADIANS)
        return HAL_OK;
    plan_density d = {
        .v = {c->v[0], c->v[1], c->v[2]}, .radius = c->radius, .area_sr = c->area_sr, .rows = rows};
    return plan_index_add(&g->learned, &d, err);
}

/* ---- groups ---- */

static double widest_request(const hal_groups *g)
{
    double limit = CIRCLE_MAX_DEG;
    if (g->service.radius_max_deg > 0.0)
        limit = fmin(limit, g->service.radius_max_deg - g->guard_deg);
    return limit * RADIANS;
}

static circle circle_of(const hal_groups *g, range r, bool fine)
{
    const hal_targets *t = g->targets;
    circle c = {0};
    double spread, most = 0.0;
    c.radius = hal_targets_circle(t, r.first, r.n, fine, c.v, &spread);
    for (size_t i = r.first; i < r.first + r.n; i++) {
        most = fmax(most, t->radius_deg[i]);
        c.need_sr += hal_cone_area_sr(fmin(180.0, t->radius_deg[i] + g->guard_deg));
    }
    c.parts = r.n > 1 && spread > 0.5 * (most + g->guard_deg) * RADIANS;
    c.area_sr = area_of(g, c.radius);
    return c;
}

/* Is the circle too much for one request? `slack`: how much smaller its area might be. */
static bool too_much(const hal_groups *g, const circle *c, double slack)
{
    double radius = c->radius * sqrt(slack), area = c->area_sr * slack;
    if (radius > widest_request(g))
        return true;
    double rows_per_sr = density(g, c->v, c->radius);
    if (rows_per_sr < 0.0)
        return radius > HAL_GROUP_FIRST_DEG * RADIANS;
    double rows = rows_per_sr * area;
    return rows > HALF_FULL * g->cap || rows - rows_per_sr * c->need_sr > HAL_GROUP_SPARE;
}

/* A wider circle where that is free, for it tells a density. */
static void widen(const hal_groups *g, circle *c)
{
    double radius = fmin(HAL_GROUP_FIRST_DEG * RADIANS, widest_request(g));
    if (c->radius >= radius)
        return;
    double rows = density(g, c->v, radius) * area_of(g, radius);
    if (rows > WIDEN_ROWS || rows > 0.1 * g->cap)
        return;
    c->radius = radius;
    c->area_sr = area_of(g, radius);
    c->widened = true;
}

static hal_status push_halves(hal_groups *g, range r, hal_err *err)
{
    size_t half = r.n / 2;
    hal_status st = push(g, (range){r.first + half, r.n - half, r.tight}, err);
    return st ? st : push(g, (range){r.first, half, r.tight}, err);
}

static hal_status open_slot(hal_groups *g, range r, circle *c, hal_err *err)
{
    if (!r.tight)
        widen(g, c);
    double ra = atan2(c->v[1], c->v[0]) / RADIANS;
    double dec = atan2(c->v[2], hypot(c->v[0], c->v[1])) / RADIANS;
    hal_region *region =
        hal_region_circle(ra < 0.0 ? ra + 360.0 : ra, dec, fmin(180.0, c->radius / RADIANS), err);
    if (!region)
        return HAL_E_NOMEM;
    hal_plan *plan = hal_plan_new(&g->service, region, &g->options, err);
    hal_region_unref(region);
    if (!plan)
        return HAL_E_NOMEM;
    *slot_at(g, g->tail++) = (slot){.range = r, .circle = *c, .plan = plan};
    return HAL_OK;
}

/* Takes the next group off the tree. */
static hal_status form(hal_groups *g, hal_err *err)
{
    for (;;) {
        range r = g->stack[--g->n_stack];
        circle c = circle_of(g, r, false);
        /* The smallest circle has a third of this one's area at least. */
        bool split = c.parts && too_much(g, &c, 0.3);
        if (!split) {
            c = circle_of(g, r, true);
            split = c.parts && too_much(g, &c, 1.0);
        }
        if (!split)
            return open_slot(g, r, &c, err);
        hal_status st = push_halves(g, r, err);
        if (st)
            return st;
    }
}

/* The plan of a group has ended, or is no longer wanted. */
static void close_slot(hal_groups *g, slot *s, slot_state state)
{
    hal_account a;
    hal_plan_account(s->plan, &a);
    g->account.over += a.over;
    for (size_t i = 0; i < a.n_findings; i++)
        find(g, hal_plan_finding(s->plan, i));
    if (state == SLOT_STUCK) {
        hal_err why = HAL_ERR_INIT;
        g->account.n_stuck++;
        if (hal_plan_error(s->plan, &why) && !g->error.status)
            g->error = why;
    }
    s->state = state;
    hal_plan_free(s->plan);
    s->plan = NULL;
}

static hal_status apply(hal_groups *g, hal_err *err)
{
    slot *s = slot_at(g, g->head++);
    if (s->state == SLOT_CUT) {
        hal_status st = s->circle.widened ? push(g, (range){s->range.first, s->range.n, true}, err)
                                          : push_halves(g, s->range, err);
        return st ? st : learn(g, s, 1.5 * g->cap, err);
    }
    g->account.tiles_done++;
    if (s->state == SLOT_DONE)
        memset(g->served + s->range.first, 1, s->range.n);
    return learn(g, s, (double)s->returned, err);
}

static bool is_over(const slot *s)
{
    hal_account a;
    hal_plan_account(s->plan, &a);
    return a.over > 0 && (s->circle.widened || s->circle.parts) && s->n_out == 0;
}

/* ---- asking ---- */

static void stop(hal_groups *g, const char *what, uint64_t limit, const char *option)
{
    g->stopped = true;
    hal_err_set(&g->error, HAL_E_BUDGET,
                "the budget of %" PRIu64 " %s is used up before all targets are asked for: raise "
                "%s, or give fewer targets",
                limit, what, option);
}

static bool budget_left(hal_groups *g)
{
    if (!g->stopped && g->account.requests >= g->account.requests_max)
        stop(g, "requests", g->account.requests_max, "budget.requests");
    return !g->stopped;
}

static void issue(hal_groups *g, uint64_t serial, hal_ask *ask)
{
    slot *s = slot_at(g, serial);
    g->out[g->n_out++] = (out_ask){g->next_id, serial, ask->id};
    s->n_out++;
    g->account.requests++;
    g->account.probes += ask->kind == HAL_ASK_PROBE;
    ask->id = g->next_id++;
    ask->series += ask->page > 0 ? serial << 32 : 0;
    ask->first_target = s->range.first;
    ask->n_targets = s->range.n;
    ask->predicted_rows = density(g, s->circle.v, s->circle.radius) * s->circle.area_sr;
}

/* What an open group wants to ask now; HAL_NEXT_DONE: none asks anything. */
static hal_next next_of_open(hal_groups *g, int64_t now_ns, hal_ask *out, int64_t *until_ns)
{
    hal_next all = HAL_NEXT_DONE;
    for (uint64_t k = g->head; k < g->tail; k++) {
        slot *s = slot_at(g, k);
        if (s->state != SLOT_OPEN)
            continue;
        int64_t later_ns;
        hal_next next = hal_plan_next(s->plan, now_ns, out, &later_ns);
        if (is_over(s)) { /* whatever its plan would ask */
            close_slot(g, s, SLOT_CUT);
            continue;
        }
        if (next == HAL_NEXT_ASK) {
            issue(g, k, out);
            return next;
        }
        if (next == HAL_NEXT_WAIT) {
            all = next;
            *until_ns = later_ns < *until_ns ? later_ns : *until_ns;
            continue;
        }
        hal_account a;
        hal_plan_account(s->plan, &a);
        hal_err why = HAL_ERR_INIT;
        if (a.state == HAL_PLAN_FAILED) {
            hal_plan_error(s->plan, &why);
            fail(g, &why);
            return HAL_NEXT_DONE;
        }
        close_slot(g, s, a.state == HAL_PLAN_PARTIAL ? SLOT_STUCK : SLOT_DONE);
    }
    return all;
}

static void conclude(hal_groups *g)
{
    g->account.state = g->stopped || g->account.n_stuck ? HAL_PLAN_PARTIAL : HAL_PLAN_COMPLETE;
}

hal_next hal_groups_next(hal_groups *g, int64_t now_ns, hal_ask *out, int64_t *wait_until_ns)
{
    while (g->account.state == HAL_PLAN_RUNNING) {
        *wait_until_ns = INT64_MAX;
        if (g->n_out >= g->window)
            return HAL_NEXT_WAIT;
        if (!budget_left(g)) {
            if (g->n_out > 0)
                return HAL_NEXT_WAIT;
            conclude(g);
            break;
        }
        hal_next next = next_of_open(g, now_ns, out, wait_until_ns);
        if (next == HAL_NEXT_ASK)
            return next;
        hal_err err = HAL_ERR_INIT;
        if (g->account.state != HAL_PLAN_RUNNING)
            break;
        if (g->n_stack > 0 && g->tail - g->head < LAG) {
            if (form(g, &err))
                fail(g, &err);
        } else if (g->head == g->tail) {
            conclude(g);
        } else if (slot_at(g, g->head)->state == SLOT_OPEN) {
            return HAL_NEXT_WAIT;
        } else if (apply(g, &err)) {
            fail(g, &err);
        }
    }
    return HAL_NEXT_DONE;
}

/* ---- answers ---- */

static const out_ask *find_out(const hal_groups *g, uint64_t id)
{
    for (int k = 0; k < g->n_out; k++)
        if (g->out[k].id == id)
            return &g->out[k];
    return NULL;
}

/* The slot whose ask came back, and that ask's id in the slot's plan. */
static slot *came_back(hal_groups *g, uint64_t id, uint64_t *plan_id, hal_err *err)
{
    const out_ask *out = find_out(g, id);
    if (!out) {
        hal_err_set(err, HAL_E_USAGE, "ask %" PRIu64 " is not waiting for an answer", id);
        return NULL;
    }
    slot *s = slot_at(g, out->serial);
    *plan_id = out->plan_id;
    g->out[out - g->out] = g->out[--g->n_out];
    s->n_out--;
    return s;
}

hal_status hal_groups_complete(hal_groups *g, uint64_t id, uint64_t returned, uint64_t kept,
                               double overshoot_deg, bool *accepted, hal_err *err)
{
    uint64_t plan_id;
    slot *s = came_back(g, id, &plan_id, err);
    *accepted = false;
    if (!s)
        return HAL_E_USAGE;
    if (g->window < g->options.window)
        g->window++;
    g->account.rows_returned += returned;
    g->account.overshoot_arcsec = fmax(g->account.overshoot_arcsec, overshoot_deg * 3600.0);
    hal_err e = HAL_ERR_INIT;
    /* A row may be kept for several targets. */
    if (hal_plan_complete(s->plan, plan_id, returned, kept < returned ? kept : returned,
                          overshoot_deg, accepted, &e)) {
        if (err)
            *err = e;
        return fail(g, &e);
    }
    if (*accepted) {
        s->returned += returned;
        g->account.rows_kept += kept;
        if (g->options.rows_max && g->account.rows_kept > g->options.rows_max && !g->stopped)
            stop(g, "rows", g->options.rows_max, "budget.rows");
    }
    return HAL_OK;
}

bool hal_groups_page_is_full(const hal_groups *g, uint64_t id, uint64_t returned)
{
    const out_ask *out = find_out(g, id);
    return out && hal_plan_page_is_full(g->slot[out->serial % LAG].plan, out->plan_id, returned);
}

hal_status hal_groups_printed(hal_groups *g, double quantum_deg, hal_err *err)
{
    if (g->account.state != HAL_PLAN_RUNNING || 2.0 * quantum_deg <= g->guard_deg * (1.0 + 1e-9))
        return HAL_OK;
    hal_err e = HAL_ERR_INIT;
    hal_err_set(
        &e, HAL_E_INTEGRITY,
        "positions are printed in steps of %g degrees: a guard of %.4g arcsec loses rows at "
        "the borders of what is asked for; say pos_quantum_deg = %g",
        quantum_deg, g->guard_deg * 3600.0, quantum_deg);
    if (err)
        *err = e;
    return fail(g, &e);
}

hal_status hal_groups_failed(hal_groups *g, uint64_t id, hal_verdict verdict, int64_t now_ns,
                             const hal_err *why, hal_err *err)
{
    uint64_t plan_id;
    slot *s = came_back(g, id, &plan_id, err);
    if (!s)
        return HAL_E_USAGE;
    g->account.ambiguous += verdict == HAL_VERDICT_AMBIGUOUS || verdict == HAL_VERDICT_STALLED;
    g->account.transient += verdict == HAL_VERDICT_TRANSIENT;
    if (verdict != HAL_VERDICT_OVER && id >= g->window_cut_id) { /* once per round trip */
        g->window = g->window > 1 ? g->window / 2 : 1;
        g->window_cut_id = g->next_id;
    }
    return hal_plan_failed(s->plan, plan_id, verdict, now_ns, why, err);
}

/* ---- what became of it ---- */

void hal_groups_account(const hal_groups *g, hal_account *out)
{
    *out = g->account;
    out->tiles_known = g->account.tiles_done + (g->tail - g->head) + g->n_stack;
    out->rows_expected =
        g->account.state == HAL_PLAN_COMPLETE ? (double)g->account.rows_kept : -1.0;
    out->cap_rows = g->cap;
    out->lower_bound = (uint64_t)fmax(1.0, ceil((double)out->rows_kept / g->cap));
}

const char *hal_groups_finding(const hal_groups *g, size_t i)
{
    return i < g->account.n_findings ? g->finding[i] : NULL;
}

hal_status hal_groups_error(const hal_groups *g, hal_err *err)
{
    if (g->account.state != HAL_PLAN_PARTIAL && g->account.state != HAL_PLAN_FAILED)
        return HAL_OK;
    if (err)
        *err = g->error;
    return g->error.status;
}

bool hal_groups_is_served(const hal_groups *g, size_t i)
{
    return g->served[i];
}

const hal_plan *hal_groups_plan_of(const hal_groups *g, uint64_t id)
{
    const out_ask *out = find_out(g, id);
    return out ? g->slot[out->serial % LAG].plan : NULL;
}
