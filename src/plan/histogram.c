/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows counted by HEALPix cell: planning from an exact picture. Rows are taken as even within a
 * cell. Tiling design, sections 6 and 10. */
#include "plan/state.h"

#include "base/alloc.h"
#include "sky/healpix.h"

#include <inttypes.h>
#include <math.h>

#define RADIANS 0.017453292519943295
#define PI 3.141592653589793

enum {
    ORDER_MAX = 12, /* cells of 51 arcsec: finer ones hold hardly a row */
    CELLS_MAX = 400000,
    CELLS_FEW = 10, /* of a request, at the order it is looked at */
    CELLS_MANY = 80,
    LEAF_CELLS = 4, /* cells of a tile, with which it is planned well */
    LEAVES_FEW = 3, /* tiles for which counting finer cells pays */
};

static double cells_of(int order)
{
    return 12.0 * pow(4.0, order);
}

static double cell_sr(const plan_histogram *h)
{
    return 4.0 * PI / cells_of(h->order);
}

/* Do the cells of an area and those on its border stay below the cap? */
static bool cells_fit(const hal_plan *p, double area_sr, int order)
{
    double side = sqrt(cells_of(order) * area_sr / (4.0 * PI)) + 2.0;
    return side * side <= fmin(0.8 * p->cap, CELLS_MAX);
}

int plan_histogram_order(const hal_plan *p)
{
    double area_sr = p->region_area_sr;
    if (p->strategy == PLAN_CENTRES)
        area_sr = fmin(4.0 * PI, 4.0 * area_sr); /* centres lie about the region too */
    int order = 0;
    while (order < ORDER_MAX && cells_fit(p, area_sr, order + 1))
        order++;
    return order;
}

int plan_histogram_finer(const hal_plan *p, const plan_node *n, const plan_request *r, double rows)
{
    if (p->strategy != PLAN_TILES || n->cells < 0 || n->whole || n->column || n->no_position ||
        !p->parts_by_cell || n->asked_cells)
        return -1;
    const plan_histogram *h = p->histogram[n->cells];
    double leaves = rows / (PLAN_FILL * p->cap), surprised = n->over && n->predicted >= 0.0;
    if (leaves < LEAVES_FEW && !surprised)
        return -1;
    leaves = fmax(leaves, LEAVES_FEW);
    if (r->area_sr / cell_sr(h) >= LEAF_CELLS * leaves)
        return -1;
    int order = ORDER_MAX;
    while (order > h->order) {
        plan_request wide = plan_request_wide(p, n, plan_histogram_margin_deg(order));
        if (wide.fits && cells_fit(p, wide.area_sr, order))
            break;
        order--;
    }
    bool enough = r->area_sr * cells_of(order) / (4.0 * PI) >= LEAF_CELLS * leaves;
    return order > h->order && (enough || order == ORDER_MAX) ? order : -1;
}

double plan_histogram_margin_deg(int order)
{
    return 2.0 * hal_healpix_radius_deg(order);
}

static plan_cell *cell_at(const plan_histogram *h, uint32_t i)
{
    return &h->chunk[i / PLAN_CHUNK][i % PLAN_CHUNK];
}

void plan_histogram_free(plan_histogram *h)
{
    if (!h)
        return;
    for (size_t k = 0; k < h->n_chunk; k++)
        hal_free(h->chunk[k]);
    hal_free(h->chunk);
    hal_free(h);
}

/* Room for so many cells more, neighbours in one chunk; all zero. */
static hal_status room(plan_histogram *h, uint32_t n, hal_err *err)
{
    if (h->n_cell + n <= h->n_chunk * PLAN_CHUNK)
        return HAL_OK;
    if (h->n_chunk == h->chunk_cap) {
        size_t cap = h->chunk_cap ? 2 * h->chunk_cap : 16;
        plan_cell **grown = hal_realloc(h->chunk, cap * sizeof *grown);
        if (!grown)
            return hal_err_nomem(err, cap * sizeof *grown);
        h->chunk = grown;
        h->chunk_cap = cap;
    }
    plan_cell *more = hal_calloc(PLAN_CHUNK, sizeof *more);
    if (!more)
        return hal_err_nomem(err, PLAN_CHUNK * sizeof *more);
    h->chunk[h->n_chunk++] = more;
    return HAL_OK;
}

static plan_histogram *histogram_new(int order, hal_err *err)
{
    plan_histogram *h = hal_calloc(1, sizeof *h);
    if (!h) {
        hal_err_nomem(err, sizeof *h);
        return NULL;
    }
    h->order = order;
    if (room(h, 12, err)) {
        plan_histogram_free(h);
        return NULL;
    }
    h->n_cell = 12; /* the faces; fours follow, and a chunk is a multiple of four */
    return h;
}

/* Counts one cell and all it lies in. */
static hal_status add_cell(plan_histogram *h, const hal_plan_cell *c, bool *good, hal_err *err)
{
    *good = c->index < UINT64_C(12) << 2 * h->order && c->rows <= (UINT64_C(1) << 62) - h->rows;
    if (!*good)
        return HAL_OK;
    plan_cell *at = cell_at(h, (uint32_t)(c->index >> 2 * h->order));
    for (int level = h->order - 1; level >= 0; level--) {
        if (!at->child) {
            if (room(h, 4, err))
                return HAL_E_NOMEM;
            at->child = h->n_cell;
            h->n_cell += 4;
        }
        at->rows += c->rows;
        at = cell_at(h, at->child + (uint32_t)(c->index >> 2 * level & 3));
    }
    *good = !at->child; /* of the finest, it says that it came */
    at->child = 1;
    at->rows = c->rows;
    h->rows += c->rows;
    h->n++;
    return HAL_OK;
}

typedef enum overlap { APART, PARTLY, INSIDE } overlap;

/* A request and what decides at each order, computed once, whether a cell, taken as the disc round
 * it, is apart or inside. */
typedef struct look {
    const plan_histogram *h;
    const plan_request *r;
    int deepest;
    double side;  /* of the deepest cells, degrees */
    double width; /* of a box, degrees */
    struct {
        double radius, sin_radius;
        double apart, inside;             /* cones: squares of chords between centres */
        double south_apart, south_inside; /* boxes: sines of the dec of a centre, and so on */
        double north_inside, north_apart;
    } at[HAL_HEALPIX_ORDER_MAX + 1];
} look;

/* Beyond the poles it goes on rising. */
static double sine(double deg)
{
    return deg <= -90.0 ? -2.0 : deg >= 90.0 ? 2.0 : sin(deg * RADIANS);
}

static double chord2(double angle)
{
    double half = sin(fmin(PI, fmax(0.0, angle)) / 2.0);
    return 4.0 * half * half;
}

static look look_at(const plan_histogram *h, const plan_request *r, int deepest)
{
    look l = {.h = h, .r = r, .deepest = deepest, .width = r->ra_max - r->ra_min};
    l.width += l.width < 0.0 ? 360.0 : 0.0;
    l.side = sqrt(4.0 * PI / cells_of(deepest)) / RADIANS;
    for (int order = 0; order <= deepest; order++) {
        double radius = hal_healpix_radius_deg(order);
        l.at[order].radius = radius;
        l.at[order].sin_radius = sine(radius);
        if (r->as_box) {
            l.at[order].south_apart = sine(r->dec_min - radius);
            l.at[order].south_inside = sine(r->dec_min + radius);
            l.at[order].north_inside = sine(r->dec_max - radius);
            l.at[order].north_apart = sine(r->dec_max + radius);
        } else {
            double inside = r->radius - radius * RADIANS;
            l.at[order].apart = chord2(r->radius + radius * RADIANS);
            l.at[order].inside = inside < 0.0 ? -1.0 : chord2(inside);
        }
    }
    return l;
}

/* Never wrong with APART and INSIDE. */
static overlap overlap_of(const look *l, int order, double ra, double sin_dec, double cos_dec)
{
    const plan_request *r = l->r;
    if (!r->as_box) {
        double x = cos_dec * cos(ra * RADIANS) - r->v[0], y = cos_dec * sin(ra * RADIANS) - r->v[1],
               z = sin_dec - r->v[2], away = x * x + y * y + z * z;
        return away > l->at[order].apart ? APART : away <= l->at[order].inside ? INSIDE : PARTLY;
    }
    if (sin_dec < l->at[order].south_apart || sin_dec > l->at[order].north_apart)
        return APART;
    bool all_ra = r->ra_min == 0.0 && r->ra_max == 360.0;
    if (cos_dec <= l->at[order].sin_radius && !all_ra) /* about a pole */
        return PARTLY;
    bool level = sin_dec >= l->at[order].south_inside && sin_dec <= l->at[order].north_inside;
    if (all_ra)
        return level ? INSIDE : PARTLY;
    /* At least asin(sin(radius) / cos(dec)), for less. */
    double x = fmin(1.0, l->at[order].radius * RADIANS / cos_dec),
           half = (x + 0.571 * x * x * x) / RADIANS;
    double east = ra - r->ra_min;
    east += east < 0.0 ? 360.0 : 0.0;
    if (east - half > l->width && east + half < 360.0)
        return APART;
    return level && east - half >= 0.0 && east + half <= l->width ? INSIDE : PARTLY;
}

static double clamp(double x)
{
    return x < 0.0 ? 0.0 : x > 1.0 ? 1.0 : x;
}

/* Part of a cell, taken as a square of `side` degrees, that a request overlaps. */
static double share_of(const plan_request *r, double ra, double dec, double side)
{
    if (!r->as_box) {
        double v[3];
        plan_unit_vector(ra, dec, v);
        double x = v[0] - r->v[0], y = v[1] - r->v[1], z = v[2] - r->v[2];
        double away = 2.0 * asin(fmin(1.0, sqrt(x * x + y * y + z * z) / 2.0));
        return clamp(0.5 + (r->radius - away) / RADIANS / side);
    }
    double high = fmin(dec + side / 2.0, r->dec_max) - fmax(dec - side / 2.0, r->dec_min);
    double width = r->ra_max - r->ra_min;
    width += width < 0.0 ? 360.0 : 0.0;
    if (width >= 360.0)
        return clamp(high / side);
    if (fabs(dec) + side >= 90.0)
        return clamp(high / side) * width / 360.0;
    double wide = side / cos(dec * RADIANS), east = ra - r->ra_min;
    east += east < 0.0 ? 360.0 : 0.0;
    double over = fmin(east + wide / 2.0, width) - fmax(east - wide / 2.0, 0.0);
    if (east + wide / 2.0 > 360.0) /* reaches over the western border */
        over = fmin(east - 360.0 + wide / 2.0, width);
    return clamp(high / side) * clamp(over / wide);
}

/* Rows of a cell that the request overlaps; `at` is NULL for those finer than the ones counted,
 * which hold the same each. At most HAL_HEALPIX_ORDER_MAX deep. */
static double visit(const look *l, int order, uint64_t cell, const plan_cell *at, double rows)
{
    if (rows <= 0.0)
        return 0.0;
    double sin_dec, cos_dec, ra = hal_healpix_centre_ra(order, cell, &sin_dec, &cos_dec);
    overlap o = overlap_of(l, order, ra, sin_dec, cos_dec);
    if (o != PARTLY)
        return o == APART ? 0.0 : rows;
    if (order == l->deepest)
        return rows * share_of(l->r, ra, atan2(sin_dec, cos_dec) / RADIANS, l->side);
    double sum = 0.0;
    for (uint32_t k = 0; k < 4; k++) {
        const plan_cell *child = order < l->h->order ? cell_at(l->h, at->child + k) : NULL;
        sum += visit(l, order + 1, 4 * cell + k, child, child ? (double)child->rows : rows / 4.0);
    }
    return sum;
}

/* Part of a cone that lies in the user's circle: beyond it no cell of the region was counted. */
static double share_counted(const hal_plan *p, const plan_request *r)
{
    hal_cone circle;
    if (r->as_box || r->radius <= 0.0 || !hal_region_is_circle(p->region, &circle))
        return 1.0;
    double v[3];
    plan_unit_vector(circle.ra_deg, circle.dec_deg, v);
    double x = v[0] - r->v[0], y = v[1] - r->v[1], z = v[2] - r->v[2];
    double away = 2.0 * asin(fmin(1.0, sqrt(x * x + y * y + z * z) / 2.0));
    return fmax(0.25, clamp(0.5 + (circle.radius_deg * RADIANS - away) / (2.0 * r->radius)));
}

double plan_histogram_rows(const hal_plan *p, const plan_histogram *h, const plan_request *r)
{
    double sum = 0.0, cells = r->area_sr / cell_sr(h);
    /* Neither so fine that the border takes long, nor so coarse that the border is all there is. */
    int deepest = h->order;
    for (; cells > CELLS_MANY && deepest > 0; cells /= 4.0)
        deepest--;
    for (; cells < CELLS_FEW && deepest < HAL_HEALPIX_ORDER_MAX; cells *= 4.0)
        deepest++;
    look l = look_at(h, r, deepest);
    for (uint32_t face = 0; face < 12; face++)
        sum += visit(&l, 0, face, cell_at(h, face), (double)cell_at(h, face)->rows);
    return h == p->histogram[0] ? sum / share_counted(p, r) : sum; /* the region's is the first */
}

bool plan_histogram_is_coarse(const plan_histogram *h, const plan_request *r, double near_sr,
                              double chord2)
{
    double size = cell_sr(h);
    return r->area_sr < size && near_sr < size && chord2 < size / PI;
}

hal_status plan_histogram_take(hal_plan *p, plan_slot *s, hal_err *err)
{
    size_t k = 0;
    while (k < p->n_histogram && p->histogram[k])
        k++;
    if (k == p->histogram_cap) {
        size_t cap = k ? 2 * k : 8;
        plan_histogram **grown = hal_realloc(p->histogram, cap * sizeof(plan_histogram *));
        if (!grown)
            return hal_err_nomem(err, cap * sizeof(plan_histogram *));
        p->histogram = grown;
        p->histogram_cap = cap;
    }
    p->n_histogram = k == p->n_histogram ? k + 1 : p->n_histogram;
    p->histogram[k] = s->histogram;
    s->histogram = NULL;
    plan_node *n = plan_node_at(p, s->node);
    n->cells = (int32_t)k;
    n->owns_cells = true;
    return HAL_OK;
}

void plan_histogram_drop(hal_plan *p, plan_node *n)
{
    if (!n->owns_cells || n->cells < 0)
        return;
    plan_histogram_free(p->histogram[n->cells]);
    p->histogram[n->cells] = NULL;
    n->owns_cells = false;
    n->cells = -1;
}

static plan_slot *waits_for_cells(hal_plan *p, uint64_t id, hal_err *err)
{
    plan_slot *s = plan_slot_of(p, id, err);
    if (!s || s->ask.kind == HAL_ASK_HISTOGRAM)
        return s;
    hal_err_set(err, HAL_E_USAGE, "ask %" PRIu64 " wants no histogram", id);
    return NULL;
}

hal_status hal_plan_cells(hal_plan *p, uint64_t id, const hal_plan_cell *cells, size_t n,
                          hal_err *err)
{
    plan_slot *s = waits_for_cells(p, id, err);
    if (!s)
        return HAL_E_USAGE;
    if (!s->histogram)
        s->histogram = histogram_new(s->ask.order, err);
    if (!s->histogram)
        return HAL_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        bool good;
        if (add_cell(s->histogram, &cells[i], &good, err))
            return HAL_E_NOMEM;
        if (!good) {
            plan_find(p, "the histogram is unusable: cell %" PRIu64 " at order %d", cells[i].index,
                      s->ask.order);
            plan_histogram_free(s->histogram);
            s->histogram = NULL;
            plan_came_back(p, s, PLAN_AMBIGUOUS);
            return hal_err_set(err, HAL_E_PROTOCOL,
                               "the histogram's cell %" PRIu64
                               " does not exist at order %d, or repeats",
                               cells[i].index, s->ask.order);
        }
    }
    return HAL_OK;
}

hal_status hal_plan_histogram(hal_plan *p, uint64_t id, hal_err *err)
{
    plan_slot *s = waits_for_cells(p, id, err);
    if (!s)
        return HAL_E_USAGE;
    hal_status st = hal_plan_cells(p, id, NULL, 0, err); /* perhaps none came */
    if (st)
        return st;
    size_t n = s->histogram->n;
    if ((p->service.cap && n >= p->service.cap) || plan_is_round(n)) { /* perhaps cut */
        plan_histogram_free(s->histogram);
        s->histogram = NULL;
        plan_came_back(p, s, PLAN_OVER);
        return HAL_OK;
    }
    s->returned = s->histogram->rows;
    plan_came_back(p, s, PLAN_CELLS);
    return HAL_OK;
}
