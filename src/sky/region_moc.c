/* SPDX-License-Identifier: BSD-3-Clause */
/* A MOC as a region. Distances and touching by descent from the twelve base cells: what is wholly
 * outside, or too far to matter, is not entered. */
#include "sky/region_shape.h"

#include "base/alloc.h"
#include "sky/healpix.h"

/* Centres of the cells of orders 0 to TABLE_ORDER, order after order: a descent from the twelve
 * faces passes them all the time. */
enum { TABLE_ORDER = 3, TABLE = 4 * ((4 << 2 * TABLE_ORDER) - 1) };

typedef struct map {
    hal_region base;
    hal_moc *moc;
    double centre[TABLE][3];
} map;

static hal_moc_share share_of(const hal_moc *m, int order, uint64_t index)
{
    int shift = 2 * (HAL_HEALPIX_ORDER_MAX - order);
    return hal_moc_share_of(m, index << shift, (index + 1) << shift);
}

static bool map_has(const hal_region *r, const hal_place *p)
{
    return hal_moc_contains(((const map *)r)->moc, p->ra_deg, p->dec_deg);
}

static hal_moc_share map_share(const hal_region *r, const hal_cell *c)
{
    return share_of(((const map *)r)->moc, c->order, c->index);
}

/* --- distance -------------------------------------------------------------------------------- */

typedef struct nearest {
    const hal_moc *moc;
    hal_vector from;
    hal_moc_share wanted; /* WHOLE: to the map; NONE: to what is not in it */
    double best_deg;
} nearest;

/* A bound of the distance to the cell, never too large. */
static double cell_away(const nearest *n, int order, uint64_t index, double *radius_deg)
{
    hal_cell c = hal_cell_of(order, index);
    *radius_deg = c.radius_deg;
    return fmax(0, hal_vector_angle(n->from, c.centre.at) * HAL_DEG_PER_RAD - c.radius_deg);
}

static void approach(nearest *n, int order, uint64_t index)
{
    hal_moc_share share = share_of(n->moc, order, index);
    if (share != n->wanted && share != HAL_MOC_SOME)
        return;
    double radius, away = cell_away(n, order, index, &radius);
    if (away >= n->best_deg)
        return;
    if (share == n->wanted &&
        (order == HAL_HEALPIX_ORDER_MAX || 2 * radius <= fmax(0.02 * away, 1e-6))) {
        n->best_deg = away;
        return;
    }
    uint64_t child[4];
    double child_away[4];
    for (int i = 0; i < 4; i++) { /* the nearest first */
        double a = cell_away(n, order + 1, 4 * index + (uint64_t)i, &radius);
        int k = i;
        for (; k > 0 && child_away[k - 1] > a; k--) {
            child[k] = child[k - 1];
            child_away[k] = child_away[k - 1];
        }
        child[k] = 4 * index + (uint64_t)i;
        child_away[k] = a;
    }
    for (int i = 0; i < 4; i++)
        approach(n, order + 1, child[i]);
}

static double map_away(const hal_region *r, const hal_place *p)
{
    bool inside = map_has(r, p);
    nearest n = {((const map *)r)->moc, p->at, inside ? HAL_MOC_NONE : HAL_MOC_WHOLE, 180};
    for (uint64_t face = 0; face < 12; face++)
        approach(&n, 0, face);
    return inside ? -n.best_deg : n.best_deg;
}

/* --- touching -------------------------------------------------------------------------------- */

typedef struct contact {
    const map *m;
    const hal_tile *tile;
    hal_cap round; /* the tile and what is to be reached */
    double reach_deg, fine_deg;
    double chord2[HAL_HEALPIX_ORDER_MAX + 1]; /* farther away, a cell is out of reach; 0: not yet
                                               * known */
} contact;

/* A circle round the tile: its corners are farthest from its middle. */
static hal_cap cap_round(const hal_tile *t, double margin_deg)
{
    double ra, dec, south = hal_tick_deg(t->dec_lo), north = hal_tick_deg(t->dec_hi);
    hal_tile_centre(t, &ra, &dec);
    hal_vector at = hal_vector_at(ra, dec);
    if (t->width > HAL_TICKS_CIRCLE / 2)
        return hal_cap_of(at, HAL_PI);
    double high = sin((north - south) / 4 * HAL_RAD_PER_DEG);
    double wide = sin(hal_tick_deg(t->width) / 4 * HAL_RAD_PER_DEG);
    double cos_far = fmax(hal_cos_dec(south), hal_cos_dec(north));
    double hav = high * high + hal_cos_dec(dec) * cos_far * wide * wide;
    double radius = 2 * asin(fmin(1, sqrt(hav))) + margin_deg * HAL_RAD_PER_DEG;
    return hal_cap_of(at, radius * (1 + 1e-14) + 1e-15);
}

/* May the circle round the cell reach that of the tile? `v`: its centre. */
static bool is_near(contact *t, int order, uint64_t index, double v[3])
{
    double limit = t->chord2[order];
    if (limit <= 0) {
        double radius = hal_healpix_radius_deg(order) * HAL_RAD_PER_DEG + 1e-15;
        limit = t->chord2[order] = hal_cap_of(t->round.at, t->round.radius_rad + radius).chord2;
    }
    if (order <= TABLE_ORDER)
        memcpy(v, t->m->centre[4 * ((1 << 2 * order) - 1) + (int)index], 3 * sizeof *v);
    else
        hal_healpix_centre(order, index, v);
    double x = v[0] - t->round.at.x, y = v[1] - t->round.at.y, z = v[2] - t->round.at.z;
    return x * x + y * y + z * z <= limit;
}

static bool touches(contact *t, int order, uint64_t index)
{
    double v[3], radius = hal_healpix_radius_deg(order);
    hal_moc_share share = share_of(t->m->moc, order, index);
    if (share == HAL_MOC_NONE || !is_near(t, order, index, v))
        return false;
    double ra = atan2(v[1], v[0]) * HAL_DEG_PER_RAD;
    double dec = atan2(v[2], sqrt(v[0] * v[0] + v[1] * v[1])) * HAL_DEG_PER_RAD;
    double away = hal_tile_distance_deg(t->tile, ra, dec);
    if (away > radius + t->reach_deg)
        return false;
    /* Some of a cell may be at its other end. */
    bool whole = share == HAL_MOC_WHOLE, inside = away <= t->reach_deg;
    if (order == HAL_HEALPIX_ORDER_MAX || (whole && inside) ||
        radius <= (whole || inside ? t->fine_deg : t->fine_deg / 2))
        return true;
    for (uint64_t child = 4 * index; child < 4 * index + 4; child++)
        if (touches(t, order + 1, child))
            return true;
    return false;
}

static bool map_may_touch(const hal_region *r, const hal_tile *t, double margin_deg)
{
    if (!hal_region_is_near(r, t, margin_deg))
        return false;
    contact c = {(const map *)r, t, .reach_deg = margin_deg + 1e-9};
    c.round = cap_round(t, c.reach_deg);
    c.fine_deg = fmax(1e-6, (c.round.radius_rad * HAL_DEG_PER_RAD - c.reach_deg) / 8);
    for (uint64_t face = 0; face < 12; face++)
        if (touches(&c, 0, face))
            return true;
    return false;
}

/* --- making ---------------------------------------------------------------------------------- */

typedef struct extent {
    hal_vector sum;
    hal_cap cap;
    hal_tile *tiles;
    size_t n, capacity;
    hal_status st;
    hal_err *err;
} extent;

/* Its corners bound a cell in ra and dec: ra rises from W to E and dec from S to N along every path
 * through it. At a pole the corner has no ra; W and E have those of the quarter. */
static hal_tile tile_of_cell(int order, uint64_t index)
{
    static const double slack = 1e-10;
    double ra, north, south, west, east, dec;
    hal_healpix_position(order, index, 1, 1, &ra, &north);
    hal_healpix_position(order, index, 0, 0, &ra, &south);
    hal_healpix_position(order, index, 0, 1, &west, &dec);
    hal_healpix_position(order, index, 1, 0, &east, &dec);
    /* The cells at a pole hold it, and with it every ra. */
    bool pole = north >= 90 - 1e-12 || south <= -90 + 1e-12;
    double pad = slack / fmax(1e-6, hal_cos_dec(fmax(fabs(north), fabs(south))));
    east = east < west ? east + 360 : east;
    return hal_tile_round(west - pad, east + pad, fmax(-90, south - slack), fmin(90, north + slack),
                          pole || pad > 1);
}

static bool add_to_extent(void *ctx, int order, uint64_t lo, uint64_t hi)
{
    extent *e = ctx;
    for (uint64_t index = lo; index < hi; index++) {
        if (e->n == e->capacity) {
            size_t capacity = e->capacity ? 2 * e->capacity : 64;
            hal_tile *grown = hal_realloc(e->tiles, capacity * sizeof *grown);
            if (!grown) {
                e->st = hal_err_nomem(e->err, capacity * sizeof *grown);
                return false;
            }
            e->tiles = grown;
            e->capacity = capacity;
        }
        e->tiles[e->n++] = tile_of_cell(order, index);
        hal_cell c = hal_cell_of(order, index);
        e->sum = hal_vector_add(e->sum, pow(0.25, order), c.centre.at);
    }
    return true;
}

static bool add_to_cap(void *ctx, int order, uint64_t lo, uint64_t hi)
{
    extent *e = ctx;
    for (uint64_t index = lo; index < hi; index++) {
        hal_cell c = hal_cell_of(order, index);
        double far = hal_vector_angle(e->cap.at, c.centre.at) + c.radius_deg * HAL_RAD_PER_DEG;
        e->cap.radius_rad = fmin(HAL_PI, fmax(e->cap.radius_rad, far));
    }
    return true;
}

/* The map with cells so coarse that there are at most so many ranges. */
static hal_moc *coarse(hal_moc *m, hal_err *err)
{
    enum { RANGES_MAX = 100000 };
    const hal_moc_range *range;
    size_t n = hal_moc_ranges(m, &range), kept = n;
    int order = HAL_HEALPIX_ORDER_MAX;
    while (kept > RANGES_MAX) {
        order--;
        int shift = 2 * (HAL_HEALPIX_ORDER_MAX - order);
        kept = 1;
        for (size_t i = 1; i < n; i++)
            kept += range[i].lo >> shift > (range[i - 1].hi - 1) >> shift;
    }
    if (order == HAL_HEALPIX_ORDER_MAX)
        return hal_moc_ref(m);
    hal_moc_range *wide = hal_malloc(n * sizeof *wide);
    if (!wide) {
        (void)hal_err_nomem(err, n * sizeof *wide);
        return NULL;
    }
    uint64_t below = (UINT64_C(1) << 2 * (HAL_HEALPIX_ORDER_MAX - order)) - 1;
    for (size_t i = 0; i < n; i++)
        wide[i] = (hal_moc_range){range[i].lo & ~below, (range[i].hi + below) & ~below};
    hal_moc *c = hal_moc_new(wide, n, 0, err);
    hal_free(wide);
    return c;
}

static hal_status measure(map *m, hal_err *err)
{
    hal_moc *c = coarse(m->moc, err);
    if (!c)
        return HAL_E_NOMEM;
    extent e = {.err = err};
    hal_moc_each_run(c, add_to_extent, &e);
    if (!e.st && e.n) {
        m->base.tile = hal_tile_hull(e.tiles, e.n);
        m->base.cone = hal_tile_cone(&m->base.tile);
        if (hal_vector_length(e.sum) > 0) {
            e.cap.at = hal_vector_unit(e.sum);
            hal_moc_each_run(c, add_to_cap, &e);
            m->base.cone = hal_cone_smaller(m->base.cone, hal_cap_cone(&e.cap));
        }
    } else if (!e.st) { /* empty: a place that it does not hold */
        m->base.cone = (hal_cone){0, 0, 0};
        m->base.tile = hal_tile_of_cone(m->base.cone);
    }
    hal_free(e.tiles);
    hal_moc_unref(c);
    return e.st;
}

static hal_status map_format(const hal_region *r, hal_buf *out, hal_err *err)
{
    hal_status st = hal_buf_puts(out, "MOC ", err);
    return st ? st : hal_moc_format(((const map *)r)->moc, out, err);
}

static void map_clear(hal_region *r)
{
    hal_moc_unref(((map *)r)->moc);
}

static const hal_region_class map_class = {.has = map_has,
                                           .away_deg = map_away,
                                           .share = map_share,
                                           .may_touch = map_may_touch,
                                           .format = map_format,
                                           .clear = map_clear};

hal_region *hal_region_of_moc(hal_moc *moc, hal_err *err)
{
    map *m = hal_region_make(&map_class, sizeof *m, err);
    if (!m)
        return NULL;
    m->moc = hal_moc_ref(moc);
    for (int order = 0, i = 0; order <= TABLE_ORDER; order++)
        for (uint64_t index = 0; index < UINT64_C(12) << 2 * order; index++)
            hal_healpix_centre(order, index, m->centre[i++]);
    m->base.area_sr = hal_moc_area_sr(moc);
    if (measure(m, err)) {
        hal_region_unref(&m->base);
        return NULL;
    }
    return &m->base;
}

hal_moc *hal_region_get_moc(const hal_region *r)
{
    return r->class == &map_class ? ((const map *)r)->moc : NULL;
}
