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
    SUB = 2 /* a cell on a border is weighed by its parts this many orders finer */
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

/* Rows in the cells [lo, hi). */
static double rows_between(const plan_histogram *h, uint64_t lo, uint64_t hi)
{
    size_t at[2];
    uint64_t want[2] = {lo, hi};
    for (int k = 0; k < 2; k++) {
        size_t a = 0, b = h->n;
        while (a < b) {
            size_t mid = a + (b - a) / 2;
            if (h->index[mid] < want[k])
                a = mid + 1;
            else
                b = mid;
        }
        at[k] = a;
    }
    return (double)(h->before[at[1]] - h->before[at[0]]);
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
    double half = asin(fmin(1.0, sin(radius * RADIANS) / cos(dec * RADIANS))) / RADIANS;
    double width = r->ra_max - r->ra_min, east = fmod(ra - r->ra_min + 720.0, 360.0);
    width += width < 0.0 ? 360.0 : 0.0;
    bool apart = east - half > width && east + half < 360.0;
    bool inside = east - half >= 0.0 && east + half <= width;
    return apart ? APART : inside ? found : PARTLY;
}

/* At most ORDER_MAX + SUB deep. `rows`: of the cell and its kin below the finest order counted. */
static double visit(const hal_plan *p, const plan_request *r, int order, uint64_t cell, int deepest)
{
    const plan_histogram *h = &p->histogram;
    double rows;
    if (order <= h->order) {
        int up = 2 * (h->order - order);
        rows = rows_between(h, cell << up, (cell + 1) << up);
    } else {
        int down = 2 * (order - h->order);
        rows = rows_between(h, cell >> down, (cell >> down) + 1) / (double)(UINT64_C(1) << down);
    }
    if (rows <= 0.0)
        return 0.0;
    double ra, dec;
    hal_healpix_position(order, cell, 0.5, 0.5, &ra, &dec);
    double radius = order == deepest ? 0.0 : hal_healpix_radius_deg(order);
    overlap o = overlap_of(r, ra, dec, radius);
    if (o != PARTLY || order == deepest)
        return o == APART ? 0.0 : rows;
    double sum = 0.0;
    for (uint64_t child = 4 * cell; child < 4 * cell + 4; child++)
        sum += visit(p, r, order + 1, child, deepest);
    return sum;
}

double plan_histogram_rows(const hal_plan *p, const plan_request *r)
{
    double sum = 0.0, cells = r->area_sr / plan_histogram_cell_sr(p);
    /* Few cells: the parts on the border matter. */
    int deepest = p->histogram.order + (cells < 300.0 ? SUB : 0);
    if (cells < 0.25) { /* within a cell or two: no use to look finer than the request itself */
        int finer = (int)ceil(log2(1.0 / cells) / 2.0);
        deepest += finer;
    }
    deepest = deepest < HAL_HEALPIX_ORDER_MAX ? deepest : HAL_HEALPIX_ORDER_MAX;
    for (uint64_t face = 0; face < 12; face++)
        sum += visit(p, r, 0, face, deepest);
    return sum;
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
    if (p->service.cap && n >= p->service.cap) { /* perhaps cut */
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
