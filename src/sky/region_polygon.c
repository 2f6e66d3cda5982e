/* SPDX-License-Identifier: BSD-3-Clause */
/* A polygon is seen from a pole of its own that is far from all edges: a place is inside when the
 * way to it along its meridian crosses the outline once more or less than it must. Edges are kept
 * by slabs of longitude for that, and in a tree of circles for distances. */
#include "sky/region_shape.h"

#include "base/alloc.h"
#include "sky/angle.h"

#include <stdint.h>

/* Points this near to an edge (2e-10 arcsec) are on it: rounding of unit vectors. */
static const double edge_slack_rad = 1e-15;
/* Where the vertices fit into such a circle, its centre's antipode is the pole. */
static const double easy_radius_deg = 89.9;

enum { N_POLES = 64, SLABS_PER_EDGE = 8 };

typedef struct vertex {
    double ra_deg, dec_deg;
    hal_vector at;
    /* of the edge to the next vertex: unit normal, and what is ahead of its begin and end */
    hal_vector normal, ahead, beyond;
    double lon;     /* seen from the pole, [-pi, pi) */
    double lo, hi;  /* of the edge; lo > hi: across pi */
    double side;    /* of `normal` on which the pole is */
    bool is_narrow; /* along a meridian: latitudes decide */
} vertex;

typedef struct polygon {
    hal_region base;
    hal_vector axis[3]; /* the last one is the pole */
    bool pole_inside;
    hal_captree edges;
    size_t n_slabs;
    uint32_t *slab_at, *slab_edge; /* edges of slab i: slab_edge[slab_at[i] .. slab_at[i + 1]) */
    size_t n_vertices;
    vertex vertices[];
} polygon;

static bool same_place(const vertex *a, const vertex *b)
{
    return a->dec_deg == b->dec_deg && (a->ra_deg == b->ra_deg || fabs(a->dec_deg) == 90);
}

static const vertex *next_of(const polygon *g, size_t i)
{
    return &g->vertices[i + 1 < g->n_vertices ? i + 1 : 0];
}

/* --- membership ------------------------------------------------------------------------------ */

static double longitude(const polygon *g, hal_vector p)
{
    double lon = atan2(hal_vector_dot(g->axis[1], p), hal_vector_dot(g->axis[0], p));
    return lon >= HAL_PI ? -HAL_PI : lon;
}

static size_t slab_of(const polygon *g, double lon)
{
    double i = (lon + HAL_PI) / (2 * HAL_PI) * (double)g->n_slabs;
    return i <= 0 ? 0 : i >= (double)g->n_slabs ? g->n_slabs - 1 : (size_t)i;
}

static bool is_on_edge(const vertex *a, hal_vector p, double side)
{
    return fabs(side) <= edge_slack_rad && hal_vector_dot(p, a->ahead) >= -edge_slack_rad &&
           hal_vector_dot(p, a->beyond) <= edge_slack_rad;
}

/* Does the meridian from the pole to p, at longitude `lon`, cross the edge? */
static bool crosses(const polygon *g, const vertex *a, const vertex *b, hal_vector p, double lon,
                    double side)
{
    if (a->lo <= a->hi ? lon < a->lo || lon >= a->hi : lon < a->lo && lon >= a->hi)
        return false;
    if (a->is_narrow) {
        double z = hal_vector_dot(g->axis[2], p);
        double z_a = hal_vector_dot(g->axis[2], a->at), z_b = hal_vector_dot(g->axis[2], b->at);
        if (z < fmin(z_a, z_b) || z > fmax(z_a, z_b))
            return z < fmin(z_a, z_b);
    }
    return side * a->side < 0;
}

static bool polygon_has(const hal_region *r, const hal_place *p)
{
    const polygon *g = (const polygon *)r;
    double lon = longitude(g, p->at);
    size_t slab = slab_of(g, lon);
    bool inside = g->pole_inside;
    for (uint32_t k = g->slab_at[slab]; k < g->slab_at[slab + 1]; k++) {
        size_t i = g->slab_edge[k];
        const vertex *a = &g->vertices[i];
        double side = hal_vector_dot(a->normal, p->at);
        if (is_on_edge(a, p->at, side))
            return true;
        if (crosses(g, a, next_of(g, i), p->at, lon, side))
            inside = !inside;
    }
    return inside;
}

/* --- distance -------------------------------------------------------------------------------- */

static double edge_distance(const vertex *a, hal_vector b, hal_vector p)
{
    if (hal_vector_dot(p, a->ahead) > 0 && hal_vector_dot(p, a->beyond) < 0)
        return fabs(asin(fmax(-1, fmin(1, hal_vector_dot(p, a->normal)))));
    return fmin(hal_vector_angle(p, a->at), hal_vector_angle(p, b));
}

typedef struct from {
    const polygon *g;
    hal_vector p;
} from;

static double edge_value(void *ctx, size_t i)
{
    const from *f = ctx;
    return edge_distance(&f->g->vertices[i], next_of(f->g, i)->at, f->p);
}

static double border_distance(const polygon *g, hal_vector p)
{
    return hal_captree_least(&g->edges, p, edge_value, &(from){g, p});
}

static double polygon_away(const hal_region *r, const hal_place *p)
{
    double d = border_distance((const polygon *)r, p->at) * HAL_DEG_PER_RAD;
    return polygon_has(r, p) ? -d : d;
}

/* --- making ---------------------------------------------------------------------------------- */

/* Centre of a small circle round the vertices: Badoiu and Clarkson 2003, the centre steps towards
 * the farthest point by 1/(i+1). */
static hal_vector centre_of(const polygon *g)
{
    hal_vector c = {0, 0, 0};
    for (size_t i = 0; i < g->n_vertices; i++)
        c = hal_vector_add(c, 1.0 / (double)g->n_vertices, g->vertices[i].at);
    hal_vector best = {0, 0, 0};
    double best_dot = -2;
    for (int step = 1; step <= 300; step++) {
        hal_vector unit = hal_vector_unit(c);
        size_t i_far = 0;
        double unit_dot = 2, far_squared = -1;
        for (size_t i = 0; i < g->n_vertices; i++) {
            double dot = hal_vector_dot(unit, g->vertices[i].at);
            hal_vector gap = hal_vector_add(g->vertices[i].at, -1.0, c);
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
        c = hal_vector_add(c, 1.0 / (step + 1), hal_vector_add(g->vertices[i_far].at, -1.0, c));
    }
    return best;
}

/* Signed area of the spherical triangle (centre, a, b): van Oosterom and Strackee 1983. */
static double fan_area(hal_vector c, hal_vector a, hal_vector b)
{
    double triple = hal_vector_dot(c, hal_vector_cross(a, b));
    double sum = 1 + hal_vector_dot(a, b) + hal_vector_dot(b, c) + hal_vector_dot(c, a);
    return 2 * atan2(triple, sum);
}

/* Places spread evenly over the sphere. */
static hal_vector candidate(int i)
{
    double z = (2 * i + 1.0) / N_POLES - 1, lon = 2.399963229728653 * i;
    return (hal_vector){sqrt(1 - z * z) * cos(lon), sqrt(1 - z * z) * sin(lon), z};
}

static hal_status make_edges(polygon *g, hal_err *err)
{
    hal_cap *caps = hal_malloc(g->n_vertices * sizeof *caps);
    if (!caps)
        return hal_err_nomem(err, g->n_vertices * sizeof *caps);
    for (size_t i = 0; i < g->n_vertices; i++) {
        vertex *a = &g->vertices[i];
        hal_vector b = next_of(g, i)->at, sum = hal_vector_add(a->at, 1, b);
        /* (a - b) x (a + b) = 2 a x b without the loss of digits for short edges */
        a->normal = hal_vector_unit(hal_vector_cross(hal_vector_add(a->at, -1, b), sum));
        a->ahead = hal_vector_cross(a->normal, a->at);
        a->beyond = hal_vector_cross(a->normal, b);
        caps[i] =
            hal_cap_of(hal_vector_unit(sum), hal_vector_angle(a->at, b) / 2 * (1 + 1e-14) + 1e-15);
    }
    hal_status st = hal_captree_init(&g->edges, caps, g->n_vertices, true, err);
    hal_free(caps);
    return st;
}

/* Chooses the pole, which lies outside when the vertices fit into half the sky. */
static const char *make_pole(polygon *g)
{
    hal_vector centre = centre_of(g);
    hal_vector pole = {-centre.x, -centre.y, -centre.z};
    double far = 0, clear = 0;
    for (size_t i = 0; i < g->n_vertices; i++)
        far = fmax(far, hal_vector_angle(centre, g->vertices[i].at));
    bool easy = far * HAL_DEG_PER_RAD <= easy_radius_deg;
    for (int i = 0; i < N_POLES && !easy; i++) {
        double d = border_distance(g, candidate(i));
        if (d > clear) {
            clear = d;
            pole = candidate(i);
        }
    }
    hal_vector side = fabs(pole.z) < 0.7 ? (hal_vector){0, 0, 1} : (hal_vector){1, 0, 0};
    g->axis[0] = hal_vector_unit(hal_vector_cross(side, pole));
    g->axis[1] = hal_vector_cross(pole, g->axis[0]);
    g->axis[2] = pole;
    if (easy)
        g->base.cone = hal_cap_cone(&(hal_cap){.at = centre, .radius_rad = far});
    return easy || clear > 1e-6 ? NULL : "its edges leave no free place; use several regions";
}

/* The side of the outline that does not hold the pole, and from that which one is inside. */
static const char *make_sides(polygon *g)
{
    hal_vector pole = g->axis[2], apex = {-pole.x, -pole.y, -pole.z};
    double area = 0;
    for (size_t i = 0; i < g->n_vertices; i++)
        area += fan_area(apex, g->vertices[i].at, next_of(g, i)->at);
    area = fabs(area);
    g->pole_inside = area > 2 * HAL_PI;
    g->base.area_sr = g->pole_inside ? 4 * HAL_PI - area : area;
    return fabs(area - 2 * HAL_PI) > 1e-9 * 2 * HAL_PI
               ? NULL
               : "it halves the sky, so that neither side is the smaller one; use a circle of 90 "
                 "degrees, or parts";
}

static void make_longitudes(polygon *g)
{
    for (size_t i = 0; i < g->n_vertices; i++)
        g->vertices[i].lon = longitude(g, g->vertices[i].at);
    for (size_t i = 0; i < g->n_vertices; i++) {
        vertex *a = &g->vertices[i];
        double to = next_of(g, i)->lon, d = remainder(to - a->lon, 2 * HAL_PI);
        /* Half round, beside the antipode of the pole, only the normal knows the direction. */
        bool east = fabs(d) < 2 ? d > 0 : hal_vector_dot(a->normal, g->axis[2]) > 0;
        a->lo = east ? a->lon : to;
        a->hi = east ? to : a->lon;
        a->side = east ? 1 : -1;
        a->is_narrow = fabs(d) < 1e-8;
    }
}

/* From the first to the last slab that edge `i` reaches: how many. The slack is that of points on
 * an edge, seen from a pole that is at least 1e-6 away. */
static size_t slabs_of(const polygon *g, size_t i, size_t *first)
{
    static const double pad = 1e-8;
    const vertex *a = &g->vertices[i];
    double width = a->hi - a->lo + (a->lo <= a->hi ? 0 : 2 * HAL_PI) + 2 * pad;
    double west = a->lo - pad < -HAL_PI ? a->lo - pad + 2 * HAL_PI : a->lo - pad;
    *first = slab_of(g, west);
    size_t n = (size_t)(width / (2 * HAL_PI) * (double)g->n_slabs) + 2;
    return n < g->n_slabs ? n : g->n_slabs;
}

static hal_status make_slabs(polygon *g, hal_err *err)
{
    size_t n = SIZE_MAX, first;
    /* As many slabs as vertices, fewer where long edges would stand in too many. */
    for (g->n_slabs = 2 * g->n_vertices; n > SLABS_PER_EDGE * g->n_vertices;) {
        g->n_slabs = (g->n_slabs + 1) / 2;
        n = 0;
        for (size_t i = 0; i < g->n_vertices; i++)
            n += slabs_of(g, i, &first);
    }
    size_t size = (n + g->n_slabs + 1) * sizeof(uint32_t);
    g->slab_at = hal_calloc(1, size);
    if (!g->slab_at)
        return hal_err_nomem(err, size);
    g->slab_edge = g->slab_at + g->n_slabs + 1;
    for (size_t i = 0; i < g->n_vertices; i++) {
        size_t n_here = slabs_of(g, i, &first);
        for (size_t k = 0; k < n_here; k++)
            g->slab_at[(first + k) % g->n_slabs + 1]++;
    }
    for (size_t k = 0; k < g->n_slabs; k++)
        g->slab_at[k + 1] += g->slab_at[k];
    for (size_t i = g->n_vertices; i-- > 0;) { /* from the ends of the slabs to their beginnings */
        size_t n_here = slabs_of(g, i, &first);
        for (size_t k = 0; k < n_here; k++)
            g->slab_edge[--g->slab_at[(first + k) % g->n_slabs + 1]] = (uint32_t)i;
    }
    for (size_t k = 0; k < g->n_slabs; k++)
        g->slab_at[k] = g->slab_at[k + 1];
    g->slab_at[g->n_slabs] = (uint32_t)n;
    return HAL_OK;
}

static bool edges_cross(const vertex *a, const vertex *b, const vertex *c, const vertex *d)
{
    const double slack = 4 * edge_slack_rad; /* touching is no crossing */
    double to_c = hal_vector_dot(a->normal, c->at), to_d = hal_vector_dot(a->normal, d->at);
    double to_a = hal_vector_dot(c->normal, a->at), to_b = hal_vector_dot(c->normal, b->at);
    /* Opposite sides of each other, and not one at the antipode of the other. */
    return (to_c < -slack && to_d > slack && to_a > slack && to_b < -slack) ||
           (to_c > slack && to_d < -slack && to_a < -slack && to_b > slack);
}

static bool has_crossing(const polygon *g)
{
    for (size_t slab = 0; slab < g->n_slabs; slab++)
        for (uint32_t k = g->slab_at[slab]; k < g->slab_at[slab + 1]; k++)
            for (uint32_t l = k + 1; l < g->slab_at[slab + 1]; l++) {
                size_t i = g->slab_edge[k], j = g->slab_edge[l];
                if (edges_cross(&g->vertices[i], next_of(g, i), &g->vertices[j], next_of(g, j)))
                    return true;
            }
    return false;
}

/* Latitude bulge of an edge: true when the great circle's northernmost point lies on it. */
static bool top_of_edge(const vertex *a, double sign, double *dec_deg)
{
    hal_vector n = a->normal;
    /* The pole's nearest point on the great circle. */
    hal_vector top = {-sign * n.z * n.x, -sign * n.z * n.y, sign * (n.x * n.x + n.y * n.y)};
    if (hal_vector_dot(top, a->ahead) < 0 || hal_vector_dot(top, a->beyond) > 0)
        return false;
    *dec_deg = atan2(sign * hypot(n.x, n.y), fabs(n.z)) * HAL_DEG_PER_RAD;
    return true;
}

static hal_tile polygon_tile(const polygon *g)
{
    double dec_min = 90, dec_max = -90, west = 0, east = 0, ra = 0;
    for (size_t i = 0; i < g->n_vertices; i++) {
        const vertex *a = &g->vertices[i];
        double dec;
        dec_min = fmin(dec_min, a->dec_deg);
        dec_max = fmax(dec_max, a->dec_deg);
        if (top_of_edge(a, 1, &dec))
            dec_max = fmax(dec_max, dec);
        if (top_of_edge(a, -1, &dec))
            dec_min = fmin(dec_min, dec);
        ra += remainder(next_of(g, i)->ra_deg - a->ra_deg, 360.0);
        west = fmin(west, ra);
        east = fmax(east, ra);
    }
    bool north = hal_region_contains(&g->base, 0, 90),
         south = hal_region_contains(&g->base, 0, -90);
    dec_max = north ? 90 : fmin(dec_max + 1e-12, 90);
    dec_min = south ? -90 : fmax(dec_min - 1e-12, -90);
    double cos_far = hal_cos_dec(fmax(fabs(dec_min), fabs(dec_max)));
    double pad = cos_far > 1e-12 ? 1e-12 / cos_far : 360; /* the slack of edges, as ra */
    double start = g->vertices[0].ra_deg;
    return hal_tile_round(start + west - pad, start + east + pad, dec_min, dec_max,
                          north || south || east - west + 2 * pad >= 360);
}

/* Where the vertices do not fit into half the sky: all but the largest free circle outside. */
static hal_cone big_cone(const polygon *g)
{
    hal_cap best = {{0, 0, 1}, HAL_PI, 0};
    for (int i = 0; i < N_POLES; i++) {
        hal_vector v = candidate(i), opposite = {-v.x, -v.y, -v.z};
        hal_place p = {.at = v};
        double radius = HAL_PI - border_distance(g, v);
        if (radius < best.radius_rad && !polygon_has(&g->base, &p))
            best = (hal_cap){opposite, radius, 0};
    }
    return hal_cap_cone(&best);
}

static bool has_three_places(const polygon *g)
{
    for (size_t i = 2; i < g->n_vertices; i++)
        if (!same_place(&g->vertices[i], &g->vertices[0]) &&
            !same_place(&g->vertices[i], &g->vertices[1]))
            return true;
    return false;
}

static size_t copy_vertices(polygon *g, const double *ra_deg, const double *dec_deg, size_t n)
{
    size_t n_kept = 0;
    for (size_t i = 0; i < n; i++) {
        vertex *a = &g->vertices[n_kept];
        a->ra_deg = hal_ra_canonical(ra_deg[i]);
        a->dec_deg = dec_deg[i];
        a->at = hal_vector_at(a->ra_deg, a->dec_deg);
        if (n_kept == 0 || !same_place(a, a - 1))
            n_kept++;
    }
    while (n_kept > 1 && same_place(&g->vertices[n_kept - 1], &g->vertices[0]))
        n_kept--;
    return n_kept;
}

static hal_status shape(polygon *g, hal_err *err)
{
    const char *reason = has_three_places(g) ? NULL : "at least 3 different vertices are needed";
    for (size_t i = 0; i < g->n_vertices && !reason; i++)
        if (hal_vector_dot(g->vertices[i].at, next_of(g, i)->at) < -1 + 1e-12)
            reason = "two neighbours are opposite points of the sky; add a vertex between them";
    hal_status st = reason ? HAL_OK : make_edges(g, err);
    if (!reason && !st)
        reason = make_pole(g);
    if (!reason && !st) {
        make_longitudes(g);
        st = make_slabs(g, err);
    }
    if (!reason && !st && has_crossing(g))
        reason = "two edges cross; give the vertices in the order of the outline";
    if (!reason && !st)
        reason = make_sides(g);
    return reason ? hal_err_set(err, HAL_E_USAGE, "polygon: %s", reason) : st;
}

static hal_status polygon_format(const hal_region *r, hal_buf *out, hal_err *err)
{
    const polygon *g = (const polygon *)r;
    hal_status st = hal_buf_puts(out, "POLYGON", err);
    for (size_t i = 0; i < g->n_vertices && !st; i++)
        st = hal_region_put_numbers(out, (double[]){g->vertices[i].ra_deg, g->vertices[i].dec_deg},
                                    2, err);
    return st;
}

static void polygon_clear(hal_region *r)
{
    polygon *g = (polygon *)r;
    hal_captree_clear(&g->edges);
    hal_free(g->slab_at);
}

static const hal_region_class polygon_class = {.needs_vector = true,
                                               .has = polygon_has,
                                               .away_deg = polygon_away,
                                               .format = polygon_format,
                                               .clear = polygon_clear};

hal_region *hal_region_polygon(const double *ra_deg, const double *dec_deg, size_t n, hal_err *err)
{
    if (n > HAL_VERTICES_MAX) {
        hal_err_set(err, HAL_E_USAGE, "polygon: %zu vertices, the limit is %d", n,
                    HAL_VERTICES_MAX);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        if (!hal_is_position(ra_deg[i], dec_deg[i])) {
            hal_err_set(err, HAL_E_USAGE,
                        "polygon: vertex %zu (%.10g %.10g) is not on the sky; ra is from 0 to 360, "
                        "dec from -90 to 90 degrees",
                        i + 1, ra_deg[i], dec_deg[i]);
            return NULL;
        }
    }
    polygon *g = hal_region_make(&polygon_class, sizeof *g + n * sizeof(vertex), err);
    if (!g)
        return NULL;
    g->n_vertices = copy_vertices(g, ra_deg, dec_deg, n);
    if (shape(g, err)) {
        hal_region_unref(&g->base);
        return NULL;
    }
    if (g->base.cone.radius_deg == 0)
        g->base.cone = big_cone(g);
    g->base.tile = polygon_tile(g);
    return &g->base;
}
