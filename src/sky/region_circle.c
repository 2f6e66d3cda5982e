/* SPDX-License-Identifier: BSD-3-Clause */
/* Circle, box and all sky. */
#include "sky/region_shape.h"

#include "sky/angle.h"

typedef struct circle {
    hal_region base;
    double hav_radius, cos_dec, band_deg;
} circle;

static bool circle_has(const hal_region *r, const hal_place *p)
{
    const circle *c = (const circle *)r;
    double gap = p->dec_deg - r->cone.dec_deg;
    if (fabs(gap) > c->band_deg)
        return false;
    double s = sin(gap * (HAL_RAD_PER_DEG / 2));
    double rest = c->hav_radius - s * s;
    if (rest < 0)
        return false;
    double t = sin((p->ra_deg - r->cone.ra_deg) * (HAL_RAD_PER_DEG / 2));
    double hav = s * s + c->cos_dec * hal_cos_dec(p->dec_deg) * t * t;
    return hav <= c->hav_radius || r->cone.radius_deg == 180;
}

static double circle_away(const hal_region *r, const hal_place *p)
{
    if (r->cone.radius_deg == 180)
        return -360;
    return hal_separation_deg(r->cone.ra_deg, r->cone.dec_deg, p->ra_deg, p->dec_deg) -
           r->cone.radius_deg;
}

static hal_status circle_format(const hal_region *r, hal_buf *out, hal_err *err)
{
    hal_status st = hal_buf_puts(out, "CIRCLE", err);
    const double x[] = {r->cone.ra_deg, r->cone.dec_deg, r->cone.radius_deg};
    return st ? st : hal_region_put_numbers(out, x, 3, err);
}

static const hal_region_class circle_class = {
    .has = circle_has, .away_deg = circle_away, .cone_is_tight = true, .format = circle_format};

hal_region *hal_region_circle(double ra_deg, double dec_deg, double radius_deg, hal_err *err)
{
    if (!hal_is_position(ra_deg, dec_deg)) {
        hal_err_set(err, HAL_E_USAGE,
                    "circle: centre %.10g %.10g is not on the sky; ra is from 0 to 360, dec from "
                    "-90 to 90 degrees",
                    ra_deg, dec_deg);
        return NULL;
    }
    if (!(radius_deg >= 0 && radius_deg <= 180)) {
        hal_err_set(err, HAL_E_USAGE, "circle: radius %.10g is not from 0 to 180 degrees",
                    radius_deg);
        return NULL;
    }
    circle *c = hal_region_make(&circle_class, sizeof *c, err);
    if (!c)
        return NULL;
    c->base.cone = (hal_cone){hal_ra_canonical(ra_deg), dec_deg, radius_deg};
    double s = sin(radius_deg * (HAL_RAD_PER_DEG / 2));
    c->hav_radius = s * s;
    c->cos_dec = hal_cos_dec(dec_deg);
    c->band_deg = radius_deg < 90 ? radius_deg * (1 + 1e-12) + 1e-12 : 180;
    c->base.area_sr = 4 * HAL_PI * c->hav_radius;
    c->base.tile = hal_tile_of_cone(c->base.cone);
    return &c->base;
}

bool hal_region_is_circle(const hal_region *r, hal_cone *out)
{
    if (r->class != &circle_class)
        return false;
    if (out)
        *out = r->cone;
    return true;
}

/* As given; west and east canonical. */
typedef struct box {
    hal_region base;
    double ra_min, ra_max, dec_min, dec_max, west, east, width;
    bool full_circle;
} box;

static bool box_has(const hal_region *r, const hal_place *p)
{
    const box *b = (const box *)r;
    double ra = p->ra_deg, dec = p->dec_deg;
    if (!(dec >= b->dec_min && dec <= b->dec_max))
        return false;
    if (b->full_circle || fabs(dec) == 90)
        return true;
    return b->west <= b->east ? ra >= b->west && ra <= b->east : ra >= b->west || ra <= b->east;
}

static double box_away(const hal_region *r, const hal_place *p)
{
    const box *b = (const box *)r;
    double ra = p->ra_deg, dec = p->dec_deg;
    if (!box_has(r, p))
        return hal_box_distance_deg(b->west, b->width, b->dec_min, b->dec_max, ra, dec);
    double inner = 360; /* to the border; a pole is none */
    if (b->dec_min > -90)
        inner = fmin(inner, dec - b->dec_min);
    if (b->dec_max < 90)
        inner = fmin(inner, b->dec_max - dec);
    if (b->width < 360) {
        inner = fmin(inner, hal_box_distance_deg(b->west, 0, b->dec_min, b->dec_max, ra, dec));
        inner = fmin(inner, hal_box_distance_deg(b->east, 0, b->dec_min, b->dec_max, ra, dec));
    }
    return -inner;
}

static hal_status box_format(const hal_region *r, hal_buf *out, hal_err *err)
{
    const box *b = (const box *)r;
    hal_status st = hal_buf_puts(out, "RANGE", err);
    const double x[] = {b->ra_min, b->ra_max, b->dec_min, b->dec_max};
    return st ? st : hal_region_put_numbers(out, x, 4, err);
}

static const hal_region_class box_class = {
    .has = box_has, .away_deg = box_away, .cone_is_tight = true, .format = box_format};

hal_region *hal_region_box(double ra_min_deg, double ra_max_deg, double dec_min_deg,
                           double dec_max_deg, hal_err *err)
{
    const char *reason = NULL;
    if (!(ra_min_deg >= 0 && ra_min_deg <= 360 && ra_max_deg >= 0 && ra_max_deg <= 360))
        reason = "ra is from 0 to 360 degrees (350 to 10 crosses 0)";
    else if (!(dec_min_deg >= -90 && dec_max_deg <= 90 && dec_min_deg <= dec_max_deg))
        reason = "dec goes from the smaller to the larger value, both from -90 to 90 degrees";
    if (reason) {
        hal_err_set(err, HAL_E_USAGE, "box %.10g..%.10g, %.10g..%.10g: %s", ra_min_deg, ra_max_deg,
                    dec_min_deg, dec_max_deg, reason);
        return NULL;
    }
    box *b = hal_region_make(&box_class, sizeof *b, err);
    if (!b)
        return NULL;
    b->ra_min = ra_min_deg;
    b->ra_max = ra_max_deg;
    b->dec_min = dec_min_deg;
    b->dec_max = dec_max_deg;
    b->west = hal_ra_canonical(ra_min_deg);
    b->east = hal_ra_canonical(ra_max_deg);
    b->full_circle = ra_min_deg == 0 && ra_max_deg == 360;
    double east = b->east < b->west ? b->east + 360 : b->east;
    b->width = b->full_circle ? 360 : east - b->west;
    double middle = (dec_min_deg + dec_max_deg) / 2, half = (dec_max_deg - dec_min_deg) / 2;
    b->base.area_sr = b->width * HAL_RAD_PER_DEG * 2 * cos(middle * HAL_RAD_PER_DEG) *
                      sin(half * HAL_RAD_PER_DEG);
    b->base.tile = hal_tile_round(b->west, east, dec_min_deg, dec_max_deg,
                                  b->full_circle || dec_max_deg == 90 || dec_min_deg == -90);
    b->base.cone = hal_tile_cone(&b->base.tile);
    return &b->base;
}

static bool all_has(const hal_region *r, const hal_place *p)
{
    (void)r, (void)p;
    return true;
}

static double all_away(const hal_region *r, const hal_place *p)
{
    (void)r, (void)p;
    return -360;
}

static hal_status all_format(const hal_region *r, hal_buf *out, hal_err *err)
{
    (void)r;
    return hal_buf_puts(out, "ALL", err);
}

static const hal_region_class all_class = {
    .has = all_has, .away_deg = all_away, .cone_is_tight = true, .format = all_format};

hal_region *hal_region_all(hal_err *err)
{
    hal_region *r = hal_region_make(&all_class, sizeof *r, err);
    if (!r)
        return NULL;
    r->cone = (hal_cone){0, 90, 180};
    r->tile = hal_tile_all();
    r->area_sr = 4 * HAL_PI;
    return r;
}
