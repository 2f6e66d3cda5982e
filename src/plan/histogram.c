/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows counted by HEALPix cell: planning from an exact picture. Rows are taken as even within a
 * cell. Tiling design, sections 6 and 10. */
#include "plan/state.h"

#include "base/alloc.h"
#include "sky/healpix.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RADIANS 0.017453292519943295
#define PI 3.141592653589793

enum {
    ORDER_MAX = 12, /* cells of 51 arcsec: finer ones hold hardly a row */
    CELLS_MAX = 400000,
    CELLS_FEW = 10, /* of a request, at the order it is looked at */
    CELLS_MANY = 300,
};

static double cells_of(int order)
{
    return 12.0 * pow(4.0, order);
}

int plan_histogram_order(const hal_plan *p)
{
    double most = fmin(0.8 * p->cap, CELLS_MAX), share = p->region_area_sr / (4.0 * PI);
    if (p->strategy == PLAN_CENTRES)
        share = fmin(1.0, 4.0 * share); /* centres lie about the region too */
    int order = 0;
    while (order < ORDER_MAX) {
        /* Cells of the region and those on its border. */
        double cells = cells_of(order + 1) * share;
        if (cells + 4.0 * sqrt(cells) > most)
            break;
        order++;
    }
    return order;
}

double plan_histogram_cell_sr(const hal_plan *p)
{
    return 4.0 * PI / cells_of(p->histogram.order);
}

void plan_histogram_clear(plan_histogram *h)
{
    hal_free(h->index);
    hal_free(h->before);
    *h = (plan_histogram){.order = -1};
}

hal_status plan_histogram_take(hal_plan *p, plan_slot *s, hal_err *err)
{
    plan_histogram *h = &p->histogram;
    size_t n = s->n_cells;
    plan_histogram_clear(h);
    h->index = hal_calloc(n + 1, sizeof *h->index);
    h->before = hal_calloc(n + 1, sizeof *h->before);
    if (!h->index || !h->before)
        return hal_err_nomem(err, (n + 1) * sizeof *h->index);
    h->order = s->ask.order;
    h->n = n;
    for (size_t i = 0; i < n; i++) {
        h->index[i] = s->cells[i].index;
        h->before[i + 1] = h->before[i] + s->cells[i].rows;
    }
    return HAL_OK;
}

/* The first of the cells [a, b) counted that is not below `index`. */
static size_t first_from(const plan_histogram *h, size_t a, size_t b, uint64_t index)
{
    while (a < b) {
        size_t mid = a + (b - a) / 2;
        if (h->index[mid] < index)
            a = mid + 1;
        else
            b = mid;
    }
    return a;
}

typedef enum overlap { APART, PARTLY, INSIDE } overlap;

/* A disc against the request; never wrong with APART and INSIDE. */
static overlap overlap_of(const plan_request *r, double ra, double dec, double radius)
{
    if (!r->as_box) {
        double v[3];
        plan_unit_vector(ra, dec, v);
        double x = v[0] - r->v[0], y = v[1] - r->v[1], z = v[2] - r->v[2];
        double away = 2.0 * asin(fmin(1.0, sqrt(x * x + y * y + z * z) / 2.0)) / RADIANS;
        double size = r->radius / RADIANS;
        return away > size + radius ? APART : away + radius <= size ? INSIDE : PARTLY;
    }
    if (dec + radius < r->dec_min || dec - radius > r->dec_max)
        return APART;
    bool all_ra = r->ra_min == 0.0 && r->ra_max == 360.0;
    bool polar = fabs(dec) + radius >= 90.0;
    if (polar && !all_ra)
        return PARTLY;
    overlap found = dec - radius >= r->dec_min && dec + radius <= r->dec_max ? INSIDE : PARTLY;
    if (all_ra)
        return found;
    /* At least asin(sin(radius) / cos(dec)), for less. */
    double x = fmin(1.0, radius * RADIANS / cos(dec * RADIANS)),
           half = (x + 0.571 * x * x * x) / RADIANS;
    double width = r->ra_max - r->ra_min, east = ra - r->ra_min;
    east += east < 0.0 ? 360.0 : 0.0;
    width += width < 0.0 ? 360.0 : 0.0;
    bool apart = east - half > width && east + half < 360.0;
    bool inside = east - half >= 0.0 && east + half <= width;
    return apart ? APART : inside ? found : PARTLY;
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

/* Rows of a cell that the request overlaps; [a, b) are the cells counted that lie in it. At most
 * HAL_HEALPIX_ORDER_MAX deep. */
static double visit(const plan_histogram *h, const plan_request *r, int order, uint64_t cell,
                    int deepest, size_t a, size_t b)
{
    if (a == b)
        return 0.0;
    double rows = (double)(h->before[b] - h->before[a]);
    if (order > h->order) /* finer than those counted */
        rows /= (double)(UINT64_C(1) << 2 * (order - h->order));
    double ra, dec;
    hal_healpix_position(order, cell, 0.5, 0.5, &ra, &dec);
    overlap o = overlap_of(r, ra, dec, hal_healpix_radius_deg(order));
    if (o != PARTLY)
        return o == APART ? 0.0 : rows;
    if (order == deepest)
        return rows * share_of(r, ra, dec, sqrt(4.0 * PI / cells_of(order)) / RADIANS);
    double sum = 0.0;
    for (uint64_t child = 4 * cell; child < 4 * cell + 4; child++) {
        size_t end = b;
        if (order < h->order)
            end = first_from(h, a, b, (child + 1) << 2 * (h->order - order - 1));
        sum += visit(h, r, order + 1, child, deepest, a, end);
        a = order < h->order ? end : a;
    }
    return sum;
}

/* Part of a cone that lies in the user's circle: beyond it no cell was counted. */
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

double plan_histogram_rows(const hal_plan *p, const plan_request *r)
{
    double sum = 0.0, cells = r->area_sr / plan_histogram_cell_sr(p);
    /* Neither so fine that the border takes long, nor so coarse that the border is all there is. */
    int deepest = p->histogram.order;
    for (; cells > CELLS_MANY && deepest > 0; cells /= 4.0)
        deepest--;
    for (; cells < CELLS_FEW && deepest < HAL_HEALPIX_ORDER_MAX; cells *= 4.0)
        deepest++;
    const plan_histogram *h = &p->histogram;
    size_t a = 0;
    for (uint64_t face = 0; face < 12; face++) {
        size_t b = first_from(h, a, h->n, (face + 1) << 2 * h->order);
        sum += visit(h, r, 0, face, deepest, a, b);
        a = b;
    }
    return sum / share_counted(p, r);
}

static int by_index(const void *a, const void *b)
{
    uint64_t x = ((const hal_plan_cell *)a)->index, y = ((const hal_plan_cell *)b)->index;
    return (x > y) - (x < y);
}

hal_status hal_plan_histogram(hal_plan *p, uint64_t id, const hal_plan_cell *cells, size_t n,
                              hal_err *err)
{
    plan_slot *s = plan_slot_of(p, id, err);
    if (!s)
        return HAL_E_USAGE;
    if (s->ask.kind != HAL_ASK_HISTOGRAM)
        return hal_err_set(err, HAL_E_USAGE, "ask %" PRIu64 " wants no histogram", id);
    if ((p->service.cap && n >= p->service.cap) || plan_is_round(n)) { /* perhaps cut */
        plan_came_back(p, s, PLAN_OVER);
        return HAL_OK;
    }
    hal_plan_cell *sorted = hal_calloc(n + 1, sizeof *sorted);
    if (!sorted)
        return hal_err_nomem(err, (n + 1) * sizeof *sorted);
    if (n)
        memcpy(sorted, cells, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_index);
    uint64_t most = UINT64_C(12) << (2 * s->ask.order), rows = 0;
    for (size_t i = 0; i < n; i++) {
        bool good = sorted[i].index < most && (i == 0 || sorted[i].index > sorted[i - 1].index) &&
                    sorted[i].rows <= (UINT64_C(1) << 62) - rows;
        if (!good) {
            hal_err_set(err, HAL_E_PROTOCOL,
                        "the histogram's cell %" PRIu64 " does not exist at order %d, or repeats",
                        sorted[i].index, s->ask.order);
            plan_find(p, "the histogram is unusable: cell %" PRIu64 " at order %d", sorted[i].index,
                      s->ask.order);
            hal_free(sorted);
            plan_came_back(p, s, PLAN_AMBIGUOUS);
            return HAL_E_PROTOCOL;
        }
        rows += sorted[i].rows;
    }
    s->cells = sorted;
    s->n_cells = n;
    s->returned = rows;
    plan_came_back(p, s, PLAN_CELLS);
    return HAL_OK;
}
