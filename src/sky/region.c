/* SPDX-License-Identifier: BSD-3-Clause */
/* A polygon lives in the gnomonic plane of its hemisphere: great circles are straight lines there,
 * so membership is the planar even-odd rule. Distances and extents use unit vectors. */
#include "sky/region.h"

#include "base/alloc.h"
#include "base/number.h"
#include "sky/angle.h"
#include "sky/vector.h"

#include <math.h>
#include <stdatomic.h>
#include <stdint.h>

enum { VERTICES_MAX = 10000, TEXT_MAX = 1 << 20 };

/* Points this near to a polygon's edge (2e-10 arcsec) are on it: rounding of unit vectors. */
static const double edge_slack_rad = 1e-15;
/* Largest distance of a polygon's vertices from their centre: beyond, the plane is too stretched.
 */
static const double polygon_radius_max_deg = 89.9;

typedef enum kind { CIRCLE, BOX, POLYGON, ALL } kind;

typedef struct vertex {
    double ra_deg, dec_deg;
    hal_vector at;
    hal_vector normal; /* of the edge to the next vertex, unit length */
    double u, v;       /* in the plane */
} vertex;

struct hal_region {
    atomic_size_t n_refs;
    kind is;
    hal_cone cone;
    hal_tile tile;
    double area_sr;
    /* circle */
    double hav_radius, cos_dec, band_deg;
    /* box, as given; west and east canonical */
    double ra_min, ra_max, dec_min, dec_max, west, east;
    bool full_circle;
    /* polygon: plane axes, the third points to the centre */
    hal_vector axis[3];
    double cos_radius;
    size_t n_vertices;
    vertex vertices[];
};

static hal_region *make(kind is, size_t n_vertices, hal_err *err)
{
    size_t size = sizeof(hal_region) + n_vertices * sizeof(vertex);
    hal_region *r = hal_calloc(1, size);
    if (!r) {
        (void)hal_err_nomem(err, size);
        return NULL;
    }
    atomic_init(&r->n_refs, 1);
    r->is = is;
    r->n_vertices = n_vertices;
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
    if (r && atomic_fetch_sub_explicit(&r->n_refs, 1, memory_order_acq_rel) == 1)
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

/* `west` to `east` unwrapped, east >= west. */
static hal_tile tile_of(double west, double east, double dec_min, double dec_max, bool full_circle)
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

/* Half the width in ra of a circle, rounded up; 180 when it touches a pole. */
static double half_width_deg(double dec_deg, double radius_deg)
{
    if (fabs(dec_deg) + radius_deg >= 90.0 - 1e-9)
        return 180.0;
    double s = sin(radius_deg * HAL_RAD_PER_DEG) / hal_cos_dec(dec_deg) * (1 + 1e-14);
    return s >= 1 ? 90.0 : asin(s) * HAL_DEG_PER_RAD + 1e-12;
}

/* --- constructors --------------------------------------------------------------------------- */

static bool is_position(double ra_deg, double dec_deg)
{
    return fabs(ra_deg) <= 720 && fabs(dec_deg) <= 90; /* false for NaN */
}

hal_region *hal_region_circle(double ra_deg, double dec_deg, double radius_deg, hal_err *err)
{
    if (!is_position(ra_deg, dec_deg)) {
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
    hal_region *r = make(CIRCLE, 0, err);
    if (!r)
        return NULL;
    r->cone = (hal_cone){hal_ra_canonical(ra_deg), dec_deg, radius_deg};
    double s = sin(radius_deg * (HAL_RAD_PER_DEG / 2));
    r->hav_radius = s * s;
    r->cos_dec = hal_cos_dec(dec_deg);
    r->band_deg = radius_deg < 90 ? radius_deg * (1 + 1e-12) + 1e-12 : 180;
    r->area_sr = 4 * HAL_PI * r->hav_radius;
    double half = half_width_deg(dec_deg, radius_deg);
    r->tile = tile_of(r->cone.ra_deg - half, r->cone.ra_deg + half, dec_deg - radius_deg,
                      dec_deg + radius_deg, half >= 180);
    return r;
}

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
    hal_region *r = make(BOX, 0, err);
    if (!r)
        return NULL;
    r->ra_min = ra_min_deg;
    r->ra_max = ra_max_deg;
    r->dec_min = dec_min_deg;
    r->dec_max = dec_max_deg;
    r->west = hal_ra_canonical(ra_min_deg);
    r->east = hal_ra_canonical(ra_max_deg);
    r->full_circle = ra_min_deg == 0 && ra_max_deg == 360;
    double east = r->east < r->west ? r->east + 360 : r->east;
    double width = r->full_circle ? 360 : east - r->west;
    double middle = (dec_min_deg + dec_max_deg) / 2, half = (dec_max_deg - dec_min_deg) / 2;
    r->area_sr =
        width * HAL_RAD_PER_DEG * 2 * cos(middle * HAL_RAD_PER_DEG) * sin(half * HAL_RAD_PER_DEG);
    r->tile = tile_of(r->west, east, dec_min_deg, dec_max_deg,
                      r->full_circle || dec_max_deg == 90 || dec_min_deg == -90);
    r->cone = hal_tile_cone(&r->tile);
    return r;
}

hal_region *hal_region_all(hal_err *err)
{
    hal_region *r = make(ALL, 0, err);
    if (!r)
        return NULL;
    r->cone = (hal_cone){0, 90, 180};
    r->tile = (hal_tile){0, HAL_TICKS_CIRCLE, -HAL_TICKS_POLE, HAL_TICKS_POLE};
    r->area_sr = 4 * HAL_PI;
    return r;
}

static bool same_place(const vertex *a, const vertex *b)
{
    return a->dec_deg == b->dec_deg && (a->ra_deg == b->ra_deg || fabs(a->dec_deg) == 90);
}

/* Centre of a small circle round the vertices: Badoiu and Clarkson 2003, the centre steps towards
 * the farthest point by 1/(i+1). */
static hal_vector centre_of(const hal_region *r)
{
    hal_vector c = {0, 0, 0};
    for (size_t i = 0; i < r->n_vertices; i++)
        c = hal_vector_add(c, 1.0 / (double)r->n_vertices, r->vertices[i].at);
    hal_vector best = {0, 0, 0};
    double best_dot = -2;
    for (int step = 1; step <= 300; step++) {
        hal_vector unit = hal_vector_unit(c);
        size_t i_far = 0;
        double unit_dot = 2, far_squared = -1;
        for (size_t i = 0; i < r->n_vertices; i++) {
            double dot = hal_vector_dot(unit, r->vertices[i].at);
            hal_vector gap = hal_vector_add(r->vertices[i].at, -1.0, c);
            double squared = hal_vector_dot(gap, gap);
            if (dot < unit_dot)
                unit_dot = dot;
            if (squared > far_squared) {
                far_squared = squared;
                i_far = i;
            }
        }
        if (unit_dot > best_dot) {
            best_dot = unit_dot;
            best = unit;
        }
        c = hal_vector_add(c, 1.0 / (step + 1), hal_vector_add(r->vertices[i_far].at, -1.0, c));
    }
    return best;
}

/* > 0: p is left of a -> b; the size is twice the triangle's area. */
static double turn(const vertex *a, const vertex *b, double u, double v)
{
    return (b->u - a->u) * (v - a->v) - (b->v - a->v) * (u - a->u);
}

static const vertex *next_of(const hal_region *r, size_t i)
{
    return &r->vertices[i + 1 < r->n_vertices ? i + 1 : 0];
}

static bool edges_cross(const vertex *a, const vertex *b, const vertex *c, const vertex *d)
{
    double reach = fabs(b->u - a->u) + fabs(b->v - a->v) + fabs(d->u - c->u) + fabs(d->v - c->v);
    double size = 1 + fabs(a->u) + fabs(a->v) + fabs(b->u) + fabs(b->v);
    double slack = 4 * edge_slack_rad * reach * size; /* touching is no crossing */
    double c_turn = turn(a, b, c->u, c->v), d_turn = turn(a, b, d->u, d->v);
    double a_turn = turn(c, d, a->u, a->v), b_turn = turn(c, d, b->u, b->v);
    return ((c_turn > slack && d_turn < -slack) || (c_turn < -slack && d_turn > slack)) &&
           ((a_turn > slack && b_turn < -slack) || (a_turn < -slack && b_turn > slack));
}

static bool has_crossing(const hal_region *r)
{
    for (size_t i = 0; i + 1 < r->n_vertices; i++) {
        const vertex *a = &r->vertices[i], *b = next_of(r, i);
        double low = fmin(a->v, b->v), high = fmax(a->v, b->v);
        for (size_t j = i + 2; j < r->n_vertices; j++) {
            const vertex *c = &r->vertices[j], *d = next_of(r, j);
            if ((c->v > high && d->v > high) || (c->v < low && d->v < low))
                continue;
            if (edges_cross(a, b, c, d))
                return true;
        }
    }
    return false;
}

/* Signed area of the spherical triangle (centre, a, b): van Oosterom and Strackee 1983. */
static double fan_area(hal_vector c, hal_vector a, hal_vector b)
{
    double triple = hal_vector_dot(c, hal_vector_cross(a, b));
    double sum = 1 + hal_vector_dot(a, b) + hal_vector_dot(b, c) + hal_vector_dot(c, a);
    return 2 * atan2(triple, sum);
}

static void set_plane(hal_region *r, hal_vector centre)
{
    hal_vector side = fabs(centre.z) < 0.7 ? (hal_vector){0, 0, 1} : (hal_vector){1, 0, 0};
    r->axis[0] = hal_vector_unit(hal_vector_cross(side, centre));
    r->axis[1] = hal_vector_cross(centre, r->axis[0]);
    r->axis[2] = centre;
    double far_rad = 0;
    for (size_t i = 0; i < r->n_vertices; i++) {
        vertex *a = &r->vertices[i];
        double w = hal_vector_dot(r->axis[2], a->at);
        a->u = hal_vector_dot(r->axis[0], a->at) / w;
        a->v = hal_vector_dot(r->axis[1], a->at) / w;
        far_rad = fmax(far_rad, hal_vector_angle(centre, a->at));
        hal_vector b = next_of(r, i)->at;
        /* (a - b) x (a + b) = 2 a x b without the loss of digits for short edges */
        r->vertices[i].normal = hal_vector_unit(
            hal_vector_cross(hal_vector_add(a->at, -1, b), hal_vector_add(a->at, 1, b)));
        r->area_sr += fan_area(centre, a->at, b);
    }
    r->area_sr = fabs(r->area_sr);
    r->cos_radius = cos(far_rad) - 1e-14;
    r->cone.ra_deg = hal_ra_canonical(atan2(centre.y, centre.x) * HAL_DEG_PER_RAD);
    r->cone.dec_deg = atan2(centre.z, hypot(centre.x, centre.y)) * HAL_DEG_PER_RAD;
    r->cone.radius_deg = far_rad * HAL_DEG_PER_RAD + 1e-12;
}

/* Latitude bulge of an edge: true when the great circle's northernmost point lies on it. */
static bool top_of_edge(const vertex *a, hal_vector b, double sign, double *dec_deg)
{
    hal_vector n = a->normal;
    /* The pole's nearest point on the great circle. */
    hal_vector top = {-sign * n.z * n.x, -sign * n.z * n.y, sign * (n.x * n.x + n.y * n.y)};
    if (hal_vector_dot(top, hal_vector_cross(n, a->at)) < 0 ||
        hal_vector_dot(top, hal_vector_cross(n, b)) > 0)
        return false;
    *dec_deg = atan2(sign * hypot(n.x, n.y), fabs(n.z)) * HAL_DEG_PER_RAD;
    return true;
}

static hal_tile polygon_tile(const hal_region *r)
{
    double dec_min = 90, dec_max = -90, west = 0, east = 0, ra = 0;
    for (size_t i = 0; i < r->n_vertices; i++) {
        const vertex *a = &r->vertices[i], *b = next_of(r, i);
        double dec;
        dec_min = fmin(dec_min, a->dec_deg);
        dec_max = fmax(dec_max, a->dec_deg);
        if (top_of_edge(a, b->at, 1, &dec))
            dec_max = fmax(dec_max, dec);
        if (top_of_edge(a, b->at, -1, &dec))
            dec_min = fmin(dec_min, dec);
        ra += remainder(b->ra_deg - a->ra_deg, 360.0);
        west = fmin(west, ra);
        east = fmax(east, ra);
    }
    bool north = hal_region_contains(r, 0, 90), south = hal_region_contains(r, 0, -90);
    dec_max = north ? 90 : fmin(dec_max + 1e-12, 90);
    dec_min = south ? -90 : fmax(dec_min - 1e-12, -90);
    double cos_far = hal_cos_dec(fmax(fabs(dec_min), fabs(dec_max)));
    double pad = cos_far > 1e-12 ? 1e-12 / cos_far : 360; /* the slack of edges, as ra */
    double start = r->vertices[0].ra_deg;
    return tile_of(start + west - pad, start + east + pad, dec_min, dec_max,
                   north || south || east - west + 2 * pad >= 360);
}

static bool has_three_places(const hal_region *r)
{
    for (size_t i = 2; i < r->n_vertices; i++)
        if (!same_place(&r->vertices[i], &r->vertices[0]) &&
            !same_place(&r->vertices[i], &r->vertices[1]))
            return true;
    return false;
}

static size_t copy_vertices(hal_region *r, const double *ra_deg, const double *dec_deg, size_t n)
{
    size_t n_kept = 0;
    for (size_t i = 0; i < n; i++) {
        vertex *a = &r->vertices[n_kept];
        a->ra_deg = hal_ra_canonical(ra_deg[i]);
        a->dec_deg = dec_deg[i];
        a->at = hal_vector_at(a->ra_deg, a->dec_deg);
        if (n_kept == 0 || !same_place(a, a - 1))
            n_kept++;
    }
    while (n_kept > 1 && same_place(&r->vertices[n_kept - 1], &r->vertices[0]))
        n_kept--;
    return n_kept;
}

static const char *shape_polygon(hal_region *r)
{
    for (size_t i = 0; i < r->n_vertices; i++)
        if (hal_vector_dot(r->vertices[i].at, next_of(r, i)->at) < -1 + 1e-12)
            return "two neighbours are opposite points of the sky; add a vertex between them";
    hal_vector centre = centre_of(r);
    double cos_max = cos(polygon_radius_max_deg * HAL_RAD_PER_DEG);
    for (size_t i = 0; i < r->n_vertices; i++)
        if (!(hal_vector_dot(centre, r->vertices[i].at) >= cos_max))
            return "the vertices do not fit into half the sky; use several smaller regions";
    set_plane(r, centre);
    if (has_crossing(r))
        return "two edges cross; give the vertices in the order of the outline";
    r->tile = polygon_tile(r);
    return NULL;
}

hal_region *hal_region_polygon(const double *ra_deg, const double *dec_deg, size_t n, hal_err *err)
{
    if (n > VERTICES_MAX) {
        hal_err_set(err, HAL_E_USAGE, "polygon: %zu vertices, the limit is %d", n, VERTICES_MAX);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        if (!is_position(ra_deg[i], dec_deg[i])) {
            hal_err_set(err, HAL_E_USAGE,
                        "polygon: vertex %zu (%.10g %.10g) is not on the sky; ra is from 0 to 360, "
                        "dec from -90 to 90 degrees",
                        i + 1, ra_deg[i], dec_deg[i]);
            return NULL;
        }
    }
    hal_region *r = make(POLYGON, n, err);
    if (!r)
        return NULL;
    r->n_vertices = copy_vertices(r, ra_deg, dec_deg, n);
    const char *reason =
        !has_three_places(r) ? "at least 3 different vertices are needed" : shape_polygon(r);
    if (!reason)
        return r;
    hal_err_set(err, HAL_E_USAGE, "polygon: %s", reason);
    hal_region_unref(r);
    return NULL;
}

/* --- membership ----------------------------------------------------------------------------- */

static inline bool circle_has(const hal_region *r, double ra, double dec)
{
    double gap = dec - r->cone.dec_deg;
    if (fabs(gap) > r->band_deg)
        return false;
    double s = sin(gap * (HAL_RAD_PER_DEG / 2));
    double rest = r->hav_radius - s * s;
    if (rest < 0)
        return false;
    double t = sin((ra - r->cone.ra_deg) * (HAL_RAD_PER_DEG / 2));
    double hav = s * s + r->cos_dec * hal_cos_dec(dec) * t * t;
    return hav <= r->hav_radius || r->cone.radius_deg == 180;
}

static inline bool box_has(const hal_region *r, double ra, double dec)
{
    if (!(dec >= r->dec_min && dec <= r->dec_max))
        return false;
    if (r->full_circle || fabs(dec) == 90)
        return true;
    return r->west <= r->east ? ra >= r->west && ra <= r->east : ra >= r->west || ra <= r->east;
}

static bool polygon_has(const hal_region *r, double ra, double dec)
{
    hal_vector p = hal_vector_at(ra, dec);
    double w = hal_vector_dot(r->axis[2], p);
    if (w < r->cos_radius)
        return false;
    double u = hal_vector_dot(r->axis[0], p) / w, v = hal_vector_dot(r->axis[1], p) / w;
    double slack = edge_slack_rad * (1 + u * u + v * v);
    bool inside = false;
    for (size_t i = 0; i < r->n_vertices; i++) {
        const vertex *a = &r->vertices[i], *b = next_of(r, i);
        double low = fmin(a->v, b->v), high = fmax(a->v, b->v);
        if (v < low - slack || v > high + slack)
            continue;
        double t = turn(a, b, u, v);
        double reach = fabs(b->u - a->u) + fabs(b->v - a->v); /* at least the length */
        if (fabs(t) <= slack * reach && u >= fmin(a->u, b->u) - slack &&
            u <= fmax(a->u, b->u) + slack)
            return true; /* on the edge */
        if ((a->v > v) != (b->v > v) && (b->v > a->v) == (t > 0))
            inside = !inside;
    }
    return inside;
}

static inline bool has(const hal_region *r, double ra_deg, double dec_deg)
{
    if (!(fabs(dec_deg) <= 90) || !isfinite(ra_deg))
        return false;
    double ra = hal_ra_canonical(ra_deg);
    switch (r->is) {
    case CIRCLE:
        return circle_has(r, ra, dec_deg);
    case BOX:
        return box_has(r, ra, dec_deg);
    case POLYGON:
        return polygon_has(r, ra, dec_deg);
    default:
        return true;
    }
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

/* --- distance ------------------------------------------------------------------------------- */

/* Distance to a closed box; `width` eastward from `west`; 360 is the full circle. */
static double box_distance_deg(double west, double width, double dec_min, double dec_max, double ra,
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
    /* With the foot behind a pole either end may be the nearer one. */
    d = fmin(d, hal_separation_deg(0, dec_min, turned * HAL_DEG_PER_RAD, dec));
    return fmin(d, hal_separation_deg(0, dec_max, turned * HAL_DEG_PER_RAD, dec));
}

static double polygon_distance_deg(const hal_region *r, double ra, double dec)
{
    hal_vector p = hal_vector_at(ra, dec);
    double least = HAL_PI;
    for (size_t i = 0; i < r->n_vertices; i++) {
        const vertex *a = &r->vertices[i], *b = next_of(r, i);
        double d = hal_vector_angle(p, a->at);
        if (hal_vector_dot(p, hal_vector_cross(a->normal, a->at)) > 0 &&
            hal_vector_dot(p, hal_vector_cross(a->normal, b->at)) < 0)
            d = fabs(asin(fmax(-1, fmin(1, hal_vector_dot(p, a->normal)))));
        least = fmin(least, d);
    }
    return least * HAL_DEG_PER_RAD;
}

static double box_width(const hal_region *r)
{
    return r->full_circle ? 360 : r->east < r->west ? r->east - r->west + 360 : r->east - r->west;
}

double hal_region_distance_deg(const hal_region *r, double ra_deg, double dec_deg)
{
    if (!(fabs(dec_deg) <= 90) || !isfinite(ra_deg))
        return NAN;
    if (has(r, ra_deg, dec_deg))
        return 0;
    double ra = hal_ra_canonical(ra_deg);
    if (r->is == CIRCLE)
        return fmax(0, hal_separation_deg(r->cone.ra_deg, r->cone.dec_deg, ra, dec_deg) -
                           r->cone.radius_deg);
    if (r->is == BOX)
        return box_distance_deg(r->west, box_width(r), r->dec_min, r->dec_max, ra, dec_deg);
    return polygon_distance_deg(r, ra, dec_deg);
}

double hal_region_area_sr(const hal_region *r)
{
    return r->area_sr;
}

hal_cone hal_region_cone(const hal_region *r)
{
    return r->cone;
}

hal_tile hal_region_tile(const hal_region *r)
{
    return r->tile;
}

bool hal_region_is_circle(const hal_region *r, hal_cone *out)
{
    if (r->is == CIRCLE && out)
        *out = r->cone;
    return r->is == CIRCLE;
}

/* Do two tiles share a point when `a` is grown by margin? Errs to yes. */
static bool tiles_near(const hal_tile *a, const hal_tile *b, double margin_deg)
{
    double unit = (double)HAL_TICKS_PER_DEG;
    double low = (double)a->dec_lo / unit - margin_deg,
           high = (double)a->dec_hi / unit + margin_deg;
    if (high < (double)b->dec_lo / unit || low > (double)b->dec_hi / unit)
        return false;
    double far = fmax(fabs((double)a->dec_lo), fabs((double)a->dec_hi)) / unit;
    double side = half_width_deg(far, margin_deg) + 1e-9;
    double west = (double)a->ra / unit - side, width = (double)a->width / unit + 2 * side;
    if (width >= 360)
        return true;
    double a_to_b = hal_ra_canonical((double)b->ra / unit - west);
    return a_to_b <= width || a_to_b + (double)b->width / unit >= 360;
}

bool hal_region_may_touch(const hal_region *r, const hal_tile *t, double margin_deg)
{
    double unit = (double)HAL_TICKS_PER_DEG, slack = margin_deg + 1e-9;
    if (r->is == ALL)
        return true;
    if (!tiles_near(t, &r->tile, slack))
        return false;
    double away =
        box_distance_deg((double)t->ra / unit, (double)t->width / unit, (double)t->dec_lo / unit,
                         (double)t->dec_hi / unit, r->cone.ra_deg, r->cone.dec_deg);
    if (away > r->cone.radius_deg + slack)
        return false;
    if (r->is != POLYGON)
        return true;
    hal_cone c = hal_tile_cone(t);
    return hal_region_distance_deg(r, c.ra_deg, c.dec_deg) <= c.radius_deg + slack;
}

/* --- text ----------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',';
}

static void skip_blanks(hal_slice *text)
{
    while (text->size_bytes && is_blank(text->data[0])) {
        text->data++;
        text->size_bytes--;
    }
}

/* Takes the word off the front when it is `word` in any case. */
static bool take_word(hal_slice *text, const char *word)
{
    size_t n = strlen(word);
    if (text->size_bytes < n || (text->size_bytes > n && !is_blank(text->data[n])))
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = text->data[i];
        if ((c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c) != word[i])
            return false;
    }
    text->data += n;
    text->size_bytes -= n;
    skip_blanks(text);
    return true;
}

/* Numbers to the end of the text; -1 when something else is in the way (text points there). */
static int take_numbers(hal_slice *text, double *out, size_t n_max)
{
    size_t n = 0;
    while (text->size_bytes) {
        double value;
        size_t used = hal_number_take_double(*text, &value);
        if (used == 0 || (used < text->size_bytes && !is_blank(text->data[used])) || n == n_max)
            return -1;
        out[n++] = value;
        text->data += used;
        text->size_bytes -= used;
        skip_blanks(text);
    }
    return (int)n;
}

static hal_region *parse_polygon(hal_slice text, hal_err *err)
{
    size_t room = text.size_bytes / 2 + 1; /* a number and a blank */
    if (room > 2 * (VERTICES_MAX + 1))
        room = 2 * (VERTICES_MAX + 1);
    double *number = hal_malloc(2 * room * sizeof *number);
    if (!number) {
        (void)hal_err_nomem(err, 2 * room * sizeof *number);
        return NULL;
    }
    hal_region *r = NULL;
    int n = take_numbers(&text, number, room);
    if (n < 0)
        hal_err_set(err, HAL_E_USAGE,
                    "region POLYGON: \"%.*s\" is not a number, or there are more than %d "
                    "vertices; one shape of ra dec pairs in degrees is read",
                    (int)(text.size_bytes < 20 ? text.size_bytes : 20), text.data, VERTICES_MAX);
    else if (n % 2)
        hal_err_set(err, HAL_E_USAGE, "region POLYGON: %d numbers are not pairs of ra and dec", n);
    else {
        double *dec = number + room;
        for (int i = 0; i < n / 2; i++) {
            number[i] = number[2 * i];
            dec[i] = number[2 * i + 1];
        }
        r = hal_region_polygon(number, dec, (size_t)n / 2, err);
    }
    hal_free(number);
    return r;
}

hal_region *hal_region_parse(hal_slice text, hal_err *err)
{
    static const char *const frames[] = {"ICRS", "J2000", "GSC1", "OTHER", "UNKNOWNFRAME"};
    static const char *const shapes[] = {"CIRCLE", "RANGE", "POLYGON", "ALL"};
    size_t shape = 0;
    skip_blanks(&text);
    while (shape < 4 && !take_word(&text, shapes[shape]))
        shape++;
    if (shape == 4 || text.size_bytes > TEXT_MAX) {
        hal_err_set(err, HAL_E_USAGE,
                    "not a region: write \"CIRCLE ra dec radius\", \"RANGE ra1 ra2 dec1 dec2\", "
                    "\"POLYGON ra1 dec1 ra2 dec2 ra3 dec3 ...\" (degrees) or \"ALL\"");
        return NULL;
    }
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++)
        if (take_word(&text, frames[i]))
            break;
    if (shape == 2)
        return parse_polygon(text, err);
    static const int n_wanted[] = {3, 4, 0, 0};
    double x[4];
    if (take_numbers(&text, x, 4) != n_wanted[shape]) {
        hal_err_set(err, HAL_E_USAGE, "region %s takes %d numbers in degrees", shapes[shape],
                    n_wanted[shape]);
        return NULL;
    }
    if (shape == 0)
        return hal_region_circle(x[0], x[1], x[2], err);
    if (shape == 1)
        return hal_region_box(x[0], x[1], x[2], x[3], err);
    return hal_region_all(err);
}

static hal_status put_numbers(hal_buf *out, const double *x, size_t n, hal_err *err)
{
    for (size_t i = 0; i < n; i++) {
        char text[HAL_DOUBLE_TEXT_MAX];
        size_t n_bytes = hal_number_print_plain(text, x[i]);
        hal_status st = hal_buf_puts(out, " ", err);
        if (!st)
            st = hal_buf_append(out, text, n_bytes, err);
        if (st)
            return st;
    }
    return HAL_OK;
}

hal_status hal_region_format(const hal_region *r, hal_buf *out, hal_err *err)
{
    static const char *const shapes[] = {"CIRCLE", "RANGE", "POLYGON", "ALL"};
    hal_status st = hal_buf_puts(out, shapes[r->is], err);
    if (st)
        return st;
    if (r->is == CIRCLE)
        return put_numbers(out, (double[]){r->cone.ra_deg, r->cone.dec_deg, r->cone.radius_deg}, 3,
                           err);
    if (r->is == BOX)
        return put_numbers(out, (double[]){r->ra_min, r->ra_max, r->dec_min, r->dec_max}, 4, err);
    for (size_t i = 0; i < r->n_vertices && !st; i++)
        st = put_numbers(out, (double[]){r->vertices[i].ra_deg, r->vertices[i].dec_deg}, 2, err);
    return st;
}
