/* SPDX-License-Identifier: BSD-3-Clause */
/* The geometry of requests: tiles and regions as boxes and cones, guard and rounding included.
 * Tiling design, section 5. */
#include "plan/state.h"

#include "sky/angle.h"

#include <math.h>

#define RADIANS 0.017453292519943295

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
        if (c.radius_deg < 0.0) { /* not computed for a box; its half diagonal is near */
            double nearest = r->dec_min > 0.0 ? r->dec_min : fmax(0.0, -r->dec_max);
            c.radius_deg =
                fmin(180.0, hypot(width * cos(nearest * RADIANS), r->dec_max - r->dec_min) / 2.0);
        }
    } else {
        r->area_sr = hal_cone_area_sr(c.radius_deg);
    }
    r->radius = c.radius_deg * RADIANS;
    plan_unit_vector(c.ra_deg, c.dec_deg, r->v);
}

static double guarded(const hal_plan *p, double radius)
{
    return fmin(180.0, round_up(radius + p->guard_deg, p->service.radius_decimals));
}

hal_cone plan_request_cone(const hal_plan *p, const plan_node *n)
{
    hal_cone c = n->whole ? p->region_cone : hal_tile_cone(&n->tile);
    c.radius_deg = guarded(p, c.radius_deg);
    return c;
}

plan_request plan_request_node(const hal_plan *p, const plan_node *n)
{
    if (n->no_position)
        return (plan_request){
            .as_box = true, .fits = true, .dec_max = 90.0, .ra_max = 360.0, .dec_min = -90.0};
    hal_cone circle;
    bool as_circle = n->whole && p->service.takes_cone && hal_region_is_circle(p->region, &circle);
    bool by_centre = p->strategy == PLAN_CENTRES && !n->whole;
    plan_request r = {.as_box = by_centre || (p->service.takes_box && !as_circle)};
    r.cone = r.as_box ? (hal_cone){.radius_deg = -1.0} : plan_request_cone(p, n);
    widen_box(p, &n->tile, p->guard_deg, &r);
    measure(p, &n->tile, &r);
    return r;
}

plan_request plan_request_wide(const hal_plan *p, const plan_node *n, double margin_deg)
{
    plan_request r = plan_request_node(p, n);
    if (!r.as_box)
        r.cone.radius_deg = fmin(180.0, r.cone.radius_deg + margin_deg);
    widen_box(p, &n->tile, margin_deg, &r);
    measure(p, &n->tile, &r);
    return r;
}

plan_request plan_request_spot(const hal_plan *p, double ra, double dec, double radius_deg)
{
    plan_request r = {.as_box = p->service.takes_box || p->strategy == PLAN_CENTRES};
    r.cone = (hal_cone){ra, dec, round_up(radius_deg, p->service.radius_decimals)};
    if (p->service.radius_max_deg > 0.0)
        r.cone.radius_deg = fmin(r.cone.radius_deg, p->service.radius_max_deg);
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
