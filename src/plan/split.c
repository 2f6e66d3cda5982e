/* SPDX-License-Identifier: BSD-3-Clause */
/* The tree of tiles and the geometry of requests: guard, clipping to the user's region, cuts.
 * Tiling design, sections 3, 4.1 and 5. When to cut is decided in plan.c. */
#include "plan/state.h"

#include "base/alloc.h"
#include "sky/angle.h"

#include <math.h>

#define RADIANS 0.017453292519943295

hal_status plan_push(int32_t **list, size_t *n, size_t *cap, int32_t i, hal_err *err)
{
    if (*n == *cap) {
        size_t grown_cap = *cap ? 2 * *cap : 64;
        int32_t *grown = hal_realloc(*list, grown_cap * sizeof *grown);
        if (!grown)
            return hal_err_nomem(err, grown_cap * sizeof *grown);
        *list = grown;
        *cap = grown_cap;
    }
    (*list)[(*n)++] = i;
    return HAL_OK;
}

static hal_status node_add(hal_plan *p, const hal_tile *tile, int32_t parent, hal_err *err)
{
    if (p->n_node == p->node_cap) {
        size_t cap = p->node_cap ? 2 * p->node_cap : 64;
        if (cap > INT32_MAX / 2)
            return hal_err_set(err, HAL_E_BUDGET,
                               "the plan has more than %zu tiles: ask for a "
                               "smaller region",
                               p->node_cap);
        plan_node *grown = hal_realloc(p->node, cap * sizeof *grown);
        if (!grown)
            return hal_err_nomem(err, cap * sizeof *grown);
        p->node = grown;
        p->node_cap = cap;
    }
    p->node[p->n_node++] = (plan_node){
        .tile = *tile,
        .parent = parent,
        .depth = parent < 0 ? 0 : p->node[parent].depth + 1,
        .predicted = -1.0,
    };
    p->account.tiles_known++;
    return HAL_OK;
}

hal_status plan_root(hal_plan *p, hal_err *err)
{
    hal_tile tile = hal_region_tile(p->region);
    hal_status st = node_add(p, &tile, -1, err);
    if (!st)
        st = plan_push(&p->stack, &p->n_stack, &p->stack_cap, 0, err);
    return st;
}

bool plan_is_outside(const hal_plan *p, const plan_node *n)
{
    return n->parent >= 0 && !hal_region_may_touch(p->region, &n->tile, p->guard_deg);
}

/* The strip of `t` that lies `trim` ticks from a border: 0 west, 1 east, 2 south, 3 north. */
static hal_tile strip_of(const hal_tile *t, int border, int64_t trim)
{
    hal_tile s = *t;
    if (border < 2) {
        s.width = trim;
        if (border == 1)
            s.ra = (t->ra + t->width - trim) % HAL_TICKS_CIRCLE;
    } else if (border == 2) {
        s.dec_hi = t->dec_lo + trim;
    } else {
        s.dec_lo = t->dec_hi - trim;
    }
    return s;
}

/* Takes off what lies outside the user's region: no row is lost, and requests at the rim become
 * smaller. Each border moves by sixteenths, found by bisection. */
static void clip(const hal_plan *p, hal_tile *t)
{
    for (int border = 0; border < 4; border++) {
        int64_t side = border < 2 ? t->width : t->dec_hi - t->dec_lo, trim = 0;
        if (side < 16 * p->min_side_ticks)
            continue;
        for (int64_t step = side / 2; step >= side / 16; step /= 2) {
            hal_tile strip = strip_of(t, border, trim + step);
            if (!hal_region_may_touch(p->region, &strip, p->guard_deg))
                trim += step;
        }
        if (trim == 0)
            continue;
        if (border < 2)
            t->width -= trim;
        if (border == 0)
            t->ra = (t->ra + trim) % HAL_TICKS_CIRCLE;
        if (border == 2)
            t->dec_lo += trim;
        if (border == 3)
            t->dec_hi -= trim;
    }
}

hal_status plan_split(hal_plan *p, int32_t i, bool *cut, hal_err *err)
{
    hal_tile child[2];
    plan_node *n = &p->node[i];
    plan_request r = plan_request_tile(p, &n->tile, false);
    *cut = n->depth < PLAN_DEPTH_MAX &&
           hal_tile_cut(&n->tile, plan_leaves_wanted(p, i, &r), p->min_side_ticks, child);
    if (!*cut)
        return HAL_OK;
    bool again = n->over && p->service.over_is_slow && n->predicted >= 0.0 && n->predicted < p->cap;
    p->n_stack--;
    n->state = PLAN_NODE_SPLIT;
    n->n_open = 2;
    p->account.tiles_known--;
    for (int k = 0; k < 2; k++) {
        if (hal_region_may_touch(p->region, &child[k], p->guard_deg))
            clip(p, &child[k]);
        hal_status st = node_add(p, &child[k], i, err);
        if (st)
            return st;
        p->node[p->n_node - 1].cut_again = again;
    }
    hal_status st = plan_push(&p->stack, &p->n_stack, &p->stack_cap, (int32_t)p->n_node - 1, err);
    if (!st) /* the south or west child is popped first */
        st = plan_push(&p->stack, &p->n_stack, &p->stack_cap, (int32_t)p->n_node - 2, err);
    return st;
}

/* An ambiguous answer was taken for OVER, but all its rows together are far from the cap: it was a
 * fault. */
static void settle(hal_plan *p, plan_node *n)
{
    if (!n->guessed)
        return;
    p->n_guess_settled++;
    if ((double)n->rows_kept < 0.5 * p->cap) {
        p->n_guess_refuted++;
        n->bound = 0.0;
    }
}

void plan_finish(hal_plan *p, int32_t i, plan_node_state state, uint64_t kept)
{
    plan_node *n = &p->node[i];
    n->state = state;
    n->rows_kept = kept;
    if (state == PLAN_NODE_DONE)
        p->account.tiles_done++;
    else
        p->account.n_stuck++;
    bool closed = true;
    for (i = n->parent; i >= 0; i = n->parent) {
        n = &p->node[i];
        n->rows_kept += kept;
        closed = closed && --n->n_open == 0;
        if (closed)
            settle(p, n);
    }
}

/* Radius as the service will read it: never smaller than asked for. */
static double round_up(double radius, int decimals)
{
    if (decimals < 0)
        return radius;
    double scale = pow(10.0, decimals), k = ceil(radius * scale);
    while (k / scale < radius)
        k += 1.0;
    return k / scale;
}

static void widen_box(const hal_plan *p, const hal_tile *t, double guard, plan_request *r)
{
    r->dec_min = fmax(-90.0, hal_tick_deg(t->dec_lo) - guard);
    r->dec_max = fmin(90.0, hal_tick_deg(t->dec_hi) + guard);
    double farthest = fmax(fabs(r->dec_min), fabs(r->dec_max));
    double g =
        guard > 0.0 ? fmax(2.0 * p->service.pos_quantum_deg, guard / cos(farthest * RADIANS)) : 0.0;
    double width = hal_tick_deg(t->width) + 2.0 * g;
    r->ra_min = 0.0;
    r->ra_max = 360.0;
    if (farthest >= 90.0 && guard > 0.0)
        return;
    if (!(width < 360.0))
        return;
    r->ra_min = hal_tick_deg(t->ra) - g;
    r->ra_max = r->ra_min + width;
    if (r->ra_min < 0.0)
        r->ra_min += 360.0;
    if (r->ra_max > 360.0 || r->ra_max < r->ra_min)
        r->ra_max = fmod(r->ra_max, 360.0);
}

static void measure(const hal_plan *p, const hal_tile *t, plan_request *r)
{
    hal_cone c = r->cone;
    r->fits =
        r->as_box || p->service.radius_max_deg <= 0.0 || c.radius_deg <= p->service.radius_max_deg;
    if (r->as_box) {
        double width =
            r->ra_max > r->ra_min ? r->ra_max - r->ra_min : r->ra_max - r->ra_min + 360.0;
        r->area_sr = width * RADIANS * (sin(r->dec_max * RADIANS) - sin(r->dec_min * RADIANS));
        hal_tile_centre(t, &c.ra_deg, &c.dec_deg);
        if (width >= 360.0 && fabs(r->dec_max) != fabs(r->dec_min)) {
            c.dec_deg = r->dec_max >= 90.0 ? 90.0 : r->dec_min <= -90.0 ? -90.0 : c.dec_deg;
        }
    } else {
        r->area_sr = hal_cone_area_sr(c.radius_deg);
    }
    r->radius = c.radius_deg * RADIANS;
    plan_unit_vector(c.ra_deg, c.dec_deg, r->v);
}

plan_request plan_request_tile(const hal_plan *p, const hal_tile *tile, bool whole)
{
    plan_request r = {.cone = whole ? p->region_cone : hal_tile_cone(tile)};
    hal_cone circle;
    r.as_box = p->service.takes_box &&
               !(whole && p->service.takes_cone && hal_region_is_circle(p->region, &circle));
    r.cone.radius_deg =
        fmin(180.0, round_up(r.cone.radius_deg + p->guard_deg, p->service.radius_decimals));
    widen_box(p, tile, p->guard_deg, &r);
    measure(p, tile, &r);
    return r;
}

plan_request plan_request_spot(const hal_plan *p, double ra, double dec, double radius_deg)
{
    plan_request r = {.as_box = p->service.takes_box};
    r.cone = (hal_cone){ra, dec, round_up(radius_deg, p->service.radius_decimals)};
    int64_t d = llround(dec * 1e7), half = llround(ceil(radius_deg * 1e7));
    hal_tile t = {0, HAL_TICKS_CIRCLE, d - half, d + half};
    t.dec_lo = t.dec_lo < -HAL_TICKS_POLE ? -HAL_TICKS_POLE : t.dec_lo;
    t.dec_hi = t.dec_hi > HAL_TICKS_POLE ? HAL_TICKS_POLE : t.dec_hi;
    double widest = cos(fmax(fabs(hal_tick_deg(t.dec_lo)), fabs(hal_tick_deg(t.dec_hi))) * RADIANS);
    double half_ra = widest > 0.0 ? (double)half / widest : INFINITY;
    if (half_ra < (double)HAL_TICKS_CIRCLE / 2.0) {
        t.width = 2 * llround(half_ra);
        t.ra = llround(hal_ra_canonical(ra) * 1e7) - t.width / 2;
        t.ra = (t.ra + HAL_TICKS_CIRCLE) % HAL_TICKS_CIRCLE;
    }
    widen_box(p, &t, 0.0, &r);
    measure(p, &t, &r);
    return r;
}
