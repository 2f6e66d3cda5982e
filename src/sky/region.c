/* SPDX-License-Identifier: BSD-3-Clause */
/* What every region can do, by its class, and the arithmetic of tiles and cones that they share. */
#include "sky/region.h"

#include "base/alloc.h"
#include "sky/angle.h"
#include "sky/healpix.h"
#include "sky/region_shape.h"

#include <stdint.h>
#include <stdlib.h>

void *hal_region_make(const hal_region_class *class, size_t size_bytes, hal_err *err)
{
    hal_region *r = hal_calloc(1, size_bytes);
    if (!r) {
        (void)hal_err_nomem(err, size_bytes);
        return NULL;
    }
    atomic_init(&r->n_refs, 1);
    r->class = class;
    r->n_leaves = 1;
    return r;
}

hal_region *hal_region_ref(hal_region *r)
{
    if (r)
        atomic_fetch_add_explicit(&r->n_refs, 1, memory_order_relaxed);
    return r;
}

void hal_region_unref(hal_region *r)
{
    if (!r || atomic_fetch_sub_explicit(&r->n_refs, 1, memory_order_acq_rel) != 1)
        return;
    if (r->class->clear)
        r->class->clear(r);
    hal_free(r);
}

/* --- extents -------------------------------------------------------------------------------- */

/* Rounding of the arithmetic, far above it and far below what matters: 0.01 tick, 3.6 uas. */
static const double tick_slack = 0.01;

static int64_t tick_below(double deg)
{
    return (int64_t)floor(deg * (double)HAL_TICKS_PER_DEG - tick_slack);
}

/* First border strictly above: a tile does not own its upper borders. */
static int64_t tick_above(double deg)
{
    return (int64_t)floor(deg * (double)HAL_TICKS_PER_DEG + tick_slack) + 1;
}

hal_tile hal_tile_round(double west, double east, double dec_min, double dec_max, bool full_circle)
{
    hal_tile t = {.dec_lo = tick_below(dec_min), .dec_hi = tick_above(dec_max)};
    if (t.dec_lo < -HAL_TICKS_POLE)
        t.dec_lo = -HAL_TICKS_POLE;
    if (t.dec_lo >= HAL_TICKS_POLE)
        t.dec_lo = HAL_TICKS_POLE - 1;
    if (t.dec_hi > HAL_TICKS_POLE)
        t.dec_hi = HAL_TICKS_POLE;
    t.ra = full_circle ? 0 : tick_below(west);
    t.width = full_circle ? HAL_TICKS_CIRCLE : tick_above(east) - t.ra;
    if (t.width >= HAL_TICKS_CIRCLE) {
        t.ra = 0;
        t.width = HAL_TICKS_CIRCLE;
    }
    t.ra = (t.ra % HAL_TICKS_CIRCLE + HAL_TICKS_CIRCLE) % HAL_TICKS_CIRCLE;
    return t;
}

double hal_half_width_deg(double dec_deg, double radius_deg)
{
    if (fabs(dec_deg) + radius_deg >= 90.0 - 1e-9)
        return 180.0;
    double s = sin(radius_deg * HAL_RAD_PER_DEG) / hal_cos_dec(dec_deg) * (1 + 1e-14);
    return s >= 1 ? 90.0 : asin(s) * HAL_DEG_PER_RAD + 1e-12;
}

hal_tile hal_tile_of_cone(hal_cone c)
{
    double half = hal_half_width_deg(c.dec_deg, c.radius_deg);
    return hal_tile_round(c.ra_deg - half, c.ra_deg + half, c.dec_deg - c.radius_deg,
                          c.dec_deg + c.radius_deg, half >= 180);
}

static int by_west(const void *a, const void *b)
{
    int64_t x = ((const hal_tile *)a)->ra, y = ((const hal_tile *)b)->ra;
    return x < y ? -1 : x > y;
}

hal_tile hal_tile_hull(hal_tile *tiles, size_t n)
{
    hal_tile hull = tiles[0];
    int64_t reach = INT64_MIN, gap_max = 0;
    qsort(tiles, n, sizeof *tiles, by_west);
    for (size_t i = 0; i < n; i++) {
        hull.dec_lo = tiles[i].dec_lo < hull.dec_lo ? tiles[i].dec_lo : hull.dec_lo;
        hull.dec_hi = tiles[i].dec_hi > hull.dec_hi ? tiles[i].dec_hi : hull.dec_hi;
        int64_t east = tiles[i].ra + tiles[i].width;
        reach = east > reach ? east : reach;
    }
    reach -= HAL_TICKS_CIRCLE; /* of those before the first one, once round */
    for (size_t i = 0; i < n; i++) {
        if (tiles[i].ra - reach > gap_max) {
            gap_max = tiles[i].ra - reach;
            hull.ra = tiles[i].ra;
        }
        int64_t east = tiles[i].ra + tiles[i].width;
        reach = east > reach ? east : reach;
    }
    hull.ra = gap_max > 0 ? hull.ra : 0;
    hull.width = HAL_TICKS_CIRCLE - gap_max;
    return hull;
}

hal_cone hal_cone_smaller(hal_cone a, hal_cone b)
{
    return b.radius_deg < a.radius_deg ? b : a;
}

double hal_box_distance_deg(double west, double width, double dec_min, double dec_max, double ra,
                            double dec)
{
    double gap = dec < dec_min ? dec_min - dec : dec > dec_max ? dec - dec_max : 0;
    double east_of_west = hal_ra_canonical(ra - west);
    if (width >= 360 || east_of_west <= width)
        return gap; /* along the meridian */
    /* Else the nearest point is on the nearer side, a piece of a meridian. */
    double turned = fmin(east_of_west - width, 360 - east_of_west) * HAL_RAD_PER_DEG;
    double foot = atan2(sin(dec * HAL_RAD_PER_DEG), hal_cos_dec(dec) * cos(turned)) *
                  HAL_DEG_PER_RAD; /* latitude of the foot on that meridian, beyond 90: its back */
    double nearest = foot > dec_max ? dec_max : foot < dec_min ? dec_min : foot;
    double d = hal_separation_deg(0, nearest, turned * HAL_DEG_PER_RAD, dec);
    if (fabs(foot) <= 90)
        return d;
    /* With the foot behind a pole either end may be the nearer one. */
    d = fmin(d, hal_separation_deg(0, dec_min, turned * HAL_DEG_PER_RAD, dec));
    return fmin(d, hal_separation_deg(0, dec_max, turned * HAL_DEG_PER_RAD, dec));
}

double hal_tile_distance_deg(const hal_tile *t, double ra_deg, double dec_deg)
{
    double unit = (double)HAL_TICKS_PER_DEG;
    return hal_box_distance_deg((double)t->ra / unit, (double)t->width / unit,
                                (double)t->dec_lo / unit, (double)t->dec_hi / unit, ra_deg,
                                dec_deg);
}

/* --- places and cells ------------------------------------------------------------------------ */

hal_place hal_place_at(double ra_deg, double dec_deg)
{
    return (hal_place){ra_deg, dec_deg, hal_vector_at(ra_deg, dec_deg)};
}

hal_cell hal_cell_of(int order, uint64_t index)
{
    double ra, dec;
    hal_healpix_position(order, index, 0.5, 0.5, &ra, &dec);
    return (hal_cell){order, index, hal_place_at(ra, dec), hal_healpix_radius_deg(order)};
}

hal_moc_share hal_region_share(const hal_region *r, const hal_cell *c)
{
    static const double slack_deg = 1e-12;
    if (r->class->share)
        return r->class->share(r, c);
    double away = r->class->away_deg(r, &c->centre);
    return away > c->radius_deg + slack_deg    ? HAL_MOC_NONE
           : away < -c->radius_deg - slack_deg ? HAL_MOC_WHOLE
                                               : HAL_MOC_SOME;
}

static inline bool has(const hal_region *r, double ra_deg, double dec_deg)
{
    if (!(fabs(dec_deg) <= 90) || !isfinite(ra_deg))
        return false;
    hal_place p = {.ra_deg = hal_ra_canonical(ra_deg), .dec_deg = dec_deg};
    if (r->class->needs_vector)
        p.at = hal_vector_at(p.ra_deg, p.dec_deg);
    return r->class->has(r, &p);
}

bool hal_region_contains(const hal_region *r, double ra_deg, double dec_deg)
{
    return has(r, ra_deg, dec_deg);
}

size_t hal_region_contains_array(const hal_region *r, const double *ra_deg, const double *dec_deg,
                                 size_t n, unsigned char *inside)
{
    size_t n_inside = 0;
    for (size_t i = 0; i < n; i++) {
        inside[i] = inside[i] && has(r, ra_deg[i], dec_deg[i]);
        n_inside += inside[i];
    }
    return n_inside;
}

double hal_region_distance_deg(const hal_region *r, double ra_deg, double dec_deg)
{
    if (!(fabs(dec_deg) <= 90) || !isfinite(ra_deg))
        return NAN;
    hal_place p = hal_place_at(hal_ra_canonical(ra_deg), dec_deg);
    return r->class->has(r, &p) ? 0 : fmax(0, r->class->away_deg(r, &p));
}

double hal_region_area_on(const hal_region *r, size_t straddling_max, double *error_sr)
{
    *error_sr = 0;
    return r->class->area ? r->class->area(r, straddling_max, error_sr) : r->area_sr;
}

double hal_region_area(const hal_region *r, double *error_sr)
{
    double error;
    return hal_region_area_on(r, 100000, error_sr ? error_sr : &error);
}

double hal_region_area_sr(const hal_region *r)
{
    double error;
    return hal_region_area_on(r, 1000, &error);
}

hal_cone hal_region_cone(const hal_region *r)
{
    return r->cone;
}

hal_tile hal_region_tile(const hal_region *r)
{
    return r->tile;
}

/* Do two tiles share a point when `a` is grown by margin? Errs to yes. */
static bool tiles_near(const hal_tile *a, const hal_tile *b, double margin_deg)
{
    double unit = (double)HAL_TICKS_PER_DEG;
    double low = (double)a->dec_lo / unit - margin_deg,
           high = (double)a->dec_hi / unit + margin_deg;
    if (high < (double)b->dec_lo / unit || low > (double)b->dec_hi / unit)
        return false;
    if (a->width == HAL_TICKS_CIRCLE || b->width == HAL_TICKS_CIRCLE)
        return true;
    double far = fmax(fabs((double)a->dec_lo), fabs((double)a->dec_hi)) / unit;
    double side = hal_half_width_deg(far, margin_deg) + 1e-9;
    double west = (double)a->ra / unit - side, width = (double)a->width / unit + 2 * side;
    if (width >= 360)
        return true;
    double a_to_b = hal_ra_canonical((double)b->ra / unit - west);
    return a_to_b <= width || a_to_b + (double)b->width / unit >= 360;
}

bool hal_region_is_near(const hal_region *r, const hal_tile *t, double margin_deg)
{
    double slack = margin_deg + 1e-9;
    return tiles_near(t, &r->tile, slack) &&
           (r->cone.radius_deg + slack >= 180 ||
            hal_tile_distance_deg(t, r->cone.ra_deg, r->cone.dec_deg) <=
                r->cone.radius_deg + slack);
}

bool hal_region_may_touch(const hal_region *r, const hal_tile *t, double margin_deg)
{
    if (r->class->may_touch)
        return r->class->may_touch(r, t, margin_deg);
    if (!hal_region_is_near(r, t, margin_deg))
        return false;
    if (r->class->cone_is_tight)
        return true;
    hal_cone c = hal_tile_cone(t);
    hal_place p = hal_place_at(c.ra_deg, c.dec_deg);
    return r->class->away_deg(r, &p) <= c.radius_deg + margin_deg + 1e-9;
}
