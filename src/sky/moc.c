/* SPDX-License-Identifier: BSD-3-Clause */
#include "sky/moc.h"

#include "base/alloc.h"
#include "sky/healpix.h"
#include "sky/moc_ranges.h"
#include "sky/region_shape.h"

#include <stdlib.h>

struct hal_moc {
    atomic_size_t n_refs;
    int order;
    uint64_t n_cells; /* of order 29 */
    size_t n;
    hal_moc_range range[];
};

/* --- making ---------------------------------------------------------------------------------- */

hal_status hal_moc_list_add(hal_moc_list *l, uint64_t lo, uint64_t hi, hal_err *err)
{
    if (l->n && l->range[l->n - 1].hi == lo) {
        l->range[l->n - 1].hi = hi;
        return HAL_OK;
    }
    if (l->n == l->capacity) {
        size_t capacity = l->capacity ? 2 * l->capacity : 64;
        if (l->n >= HAL_MOC_RANGES_MAX)
            return hal_err_set(err, HAL_E_BUDGET,
                               "a MOC of more than %d ranges: use a smaller order or region",
                               HAL_MOC_RANGES_MAX);
        hal_moc_range *grown = hal_realloc(l->range, capacity * sizeof *grown);
        if (!grown)
            return hal_err_nomem(err, capacity * sizeof *grown);
        l->range = grown;
        l->capacity = capacity;
    }
    l->range[l->n++] = (hal_moc_range){lo, hi};
    return HAL_OK;
}

static int by_begin(const void *a, const void *b)
{
    uint64_t x = ((const hal_moc_range *)a)->lo, y = ((const hal_moc_range *)b)->lo;
    return x < y ? -1 : x > y;
}

static bool is_sorted(const hal_moc_range *r, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (r[i].lo < r[i - 1].lo)
            return false;
    return true;
}

hal_moc *hal_moc_new(const hal_moc_range *ranges, size_t n, int order, hal_err *err)
{
    if (order < 0 || order > HAL_HEALPIX_ORDER_MAX) {
        hal_err_set(err, HAL_E_USAGE, "a MOC has an order from 0 to %d, not %d",
                    HAL_HEALPIX_ORDER_MAX, order);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        if (ranges[i].lo >= ranges[i].hi || ranges[i].hi > HAL_MOC_CELLS) {
            hal_err_set(err, HAL_E_USAGE, "range %zu of a MOC is empty or not on the sky", i + 1);
            return NULL;
        }
    size_t size = sizeof(hal_moc) + n * sizeof(hal_moc_range);
    hal_moc *m = n > HAL_MOC_RANGES_MAX ? NULL : hal_malloc(size);
    if (!m) {
        (void)(n > HAL_MOC_RANGES_MAX
                   ? hal_err_set(err, HAL_E_BUDGET, "a MOC of %zu ranges: %d are the limit", n,
                                 HAL_MOC_RANGES_MAX)
                   : hal_err_nomem(err, size));
        return NULL;
    }
    atomic_init(&m->n_refs, 1);
    m->n = 0;
    m->n_cells = 0;
    if (n)
        memcpy(m->range, ranges, n * sizeof *ranges);
    if (!is_sorted(m->range, n))
        qsort(m->range, n, sizeof *m->range, by_begin);
    uint64_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        hal_moc_range r = m->range[i];
        if (m->n && r.lo <= m->range[m->n - 1].hi) {
            if (r.hi > m->range[m->n - 1].hi)
                m->range[m->n - 1].hi = r.hi;
        } else {
            m->range[m->n++] = r;
        }
    }
    for (size_t i = 0; i < m->n; i++) {
        bits |= m->range[i].lo | m->range[i].hi;
        m->n_cells += m->range[i].hi - m->range[i].lo;
    }
    int finest = 0;
    while (finest < HAL_HEALPIX_ORDER_MAX &&
           bits & ((UINT64_C(1) << 2 * (HAL_HEALPIX_ORDER_MAX - finest)) - 1))
        finest++;
    m->order = finest > order ? finest : order;
    return m;
}

hal_moc *hal_moc_list_take(hal_moc_list *l, int order, hal_status st, hal_err *err)
{
    hal_moc *m = st ? NULL : hal_moc_new(l->range, l->n, order, err);
    hal_free(l->range);
    *l = (hal_moc_list){0};
    return m;
}

hal_moc *hal_moc_ref(hal_moc *m)
{
    if (m)
        atomic_fetch_add_explicit(&m->n_refs, 1, memory_order_relaxed);
    return m;
}

void hal_moc_unref(hal_moc *m)
{
    if (m && atomic_fetch_sub_explicit(&m->n_refs, 1, memory_order_acq_rel) == 1)
        hal_free(m);
}

/* --- algebra --------------------------------------------------------------------------------- */

static uint64_t border_at(const hal_moc *m, size_t i)
{
    return i >= 2 * m->n ? UINT64_MAX : i % 2 ? m->range[i / 2].hi : m->range[i / 2].lo;
}

/* The cells for which `keep` has the bit 2 * (in a) + (in b). */
static hal_moc *combine(const hal_moc *a, const hal_moc *b, unsigned keep, hal_err *err)
{
    hal_moc_list l = {0};
    hal_status st = HAL_OK;
    uint64_t lo = 0;
    bool open = false;
    for (size_t i = 0, j = 0; !st && (i < 2 * a->n || j < 2 * b->n);) {
        uint64_t at_a = border_at(a, i), at_b = border_at(b, j), at = at_a < at_b ? at_a : at_b;
        i += at_a == at;
        j += at_b == at;
        bool inside = keep >> (2 * (i % 2) + j % 2) & 1;
        if (open && !inside)
            st = hal_moc_list_add(&l, lo, at, err);
        else if (inside && !open)
            lo = at;
        open = inside;
    }
    return hal_moc_list_take(&l, a->order > b->order ? a->order : b->order, st, err);
}

hal_moc *hal_moc_union(const hal_moc *a, const hal_moc *b, hal_err *err)
{
    return combine(a, b, 0xE, err);
}

hal_moc *hal_moc_intersection(const hal_moc *a, const hal_moc *b, hal_err *err)
{
    return combine(a, b, 0x8, err);
}

hal_moc *hal_moc_difference(const hal_moc *a, const hal_moc *b, hal_err *err)
{
    return combine(a, b, 0x4, err);
}

hal_moc *hal_moc_complement(const hal_moc *m, hal_err *err)
{
    hal_moc *all = hal_moc_new(&(hal_moc_range){0, HAL_MOC_CELLS}, 1, m->order, err);
    hal_moc *rest = all ? hal_moc_difference(all, m, err) : NULL;
    hal_moc_unref(all);
    return rest;
}

/* --- questions ------------------------------------------------------------------------------- */

/* The first range that ends behind `cell`; m->n: none. */
static size_t first_behind(const hal_moc *m, uint64_t cell)
{
    size_t lo = 0, hi = m->n;
    while (lo < hi) {
        size_t middle = lo + (hi - lo) / 2;
        if (m->range[middle].hi > cell)
            hi = middle;
        else
            lo = middle + 1;
    }
    return lo;
}

bool hal_moc_contains(const hal_moc *m, double ra_deg, double dec_deg)
{
    uint64_t cell = hal_healpix_index(HAL_HEALPIX_ORDER_MAX, ra_deg, dec_deg);
    size_t i = first_behind(m, cell);
    return i < m->n && m->range[i].lo <= cell;
}

hal_moc_share hal_moc_share_of(const hal_moc *m, uint64_t lo, uint64_t hi)
{
    size_t i = first_behind(m, lo);
    if (i == m->n || m->range[i].lo >= hi)
        return HAL_MOC_NONE;
    return m->range[i].lo <= lo && m->range[i].hi >= hi ? HAL_MOC_WHOLE : HAL_MOC_SOME;
}

double hal_moc_area_sr(const hal_moc *m)
{
    return 4 * HAL_PI * ((double)m->n_cells / (double)HAL_MOC_CELLS);
}

size_t hal_moc_ranges(const hal_moc *m, const hal_moc_range **out)
{
    *out = m->range;
    return m->n;
}

int hal_moc_order(const hal_moc *m)
{
    return m->order;
}

void hal_moc_each_run(const hal_moc *m, hal_moc_run_fn each, void *ctx)
{
    for (int order = 0; order <= m->order; order++) {
        int shift = 2 * (HAL_HEALPIX_ORDER_MAX - order);
        uint64_t below = (UINT64_C(1) << shift) - 1;
        for (size_t i = 0; i < m->n; i++) {
            uint64_t lo = (m->range[i].lo + below) >> shift, hi = m->range[i].hi >> shift;
            if (lo >= hi)
                continue;
            /* In the middle, what coarser cells hold. */
            uint64_t coarse_lo = (lo + 3) / 4 * 4, coarse_hi = hi / 4 * 4;
            if (order == 0 || coarse_lo >= coarse_hi)
                coarse_lo = coarse_hi = hi;
            if ((lo < coarse_lo && !each(ctx, order, lo, coarse_lo)) ||
                (coarse_hi < hi && !each(ctx, order, coarse_hi, hi)))
                return;
        }
    }
}

/* --- of a region ----------------------------------------------------------------------------- */

typedef struct descent {
    const hal_region *r;
    int order;
    hal_moc_list found;
    hal_err *err;
} descent;

/* Does some of a cell's descendants at `order` overlap? */
static bool overlaps(const hal_region *r, int order, const hal_cell *c)
{
    for (uint64_t child = 4 * c->index; child < 4 * c->index + 4; child++) {
        hal_cell d = hal_cell_of(c->order + 1, child);
        hal_moc_share share = hal_region_share(r, &d);
        if (share == HAL_MOC_WHOLE ||
            (share == HAL_MOC_SOME && (d.order == order || overlaps(r, order, &d))))
            return true;
    }
    return false;
}

/* At most HAL_HEALPIX_ORDER_MAX + 1 deep. */
static hal_status visit(descent *d, int order, uint64_t index)
{
    enum { FINER = 2 }; /* orders by which a cell on the border is looked at */
    hal_cell c = hal_cell_of(order, index);
    hal_moc_share share = hal_region_share(d->r, &c);
    if (share == HAL_MOC_NONE)
        return HAL_OK;
    int finest = d->order + FINER;
    finest = finest > HAL_HEALPIX_ORDER_MAX ? HAL_HEALPIX_ORDER_MAX : finest;
    if (share == HAL_MOC_SOME && order == d->order && order < finest && !overlaps(d->r, finest, &c))
        return HAL_OK;
    if (share == HAL_MOC_WHOLE || order == d->order) {
        int shift = 2 * (HAL_HEALPIX_ORDER_MAX - order);
        return hal_moc_list_add(&d->found, index << shift, (index + 1) << shift, d->err);
    }
    hal_status st = HAL_OK;
    for (uint64_t child = 4 * index; child < 4 * index + 4 && !st; child++)
        st = visit(d, order + 1, child);
    return st;
}

/* Sorts the list and joins what overlaps. */
static hal_status unite(hal_moc_list *l, hal_err *err)
{
    hal_moc *m = hal_moc_new(l->range, l->n, 0, err);
    if (!m)
        return HAL_E_NOMEM;
    memcpy(l->range, m->range, m->n * sizeof *m->range);
    l->n = m->n;
    hal_moc_unref(m);
    return HAL_OK;
}

hal_moc *hal_moc_of_region(const hal_region *r, int order, hal_err *err)
{
    if (order < 0 || order > HAL_HEALPIX_ORDER_MAX) {
        hal_err_set(err, HAL_E_USAGE, "a MOC has an order from 0 to %d, not %d",
                    HAL_HEALPIX_ORDER_MAX, order);
        return NULL;
    }
    /* A union part by part: no cell is asked about members that are far away. */
    enum { UNITE_AT = HAL_MOC_RANGES_MAX / 8 };
    size_t unite_at = UNITE_AT;
    const hal_region *const *part;
    size_t n = hal_region_parts(&r, &part);
    descent d = {.order = order, .err = err};
    hal_status st = HAL_OK;
    for (size_t i = 0; i < n && !st; i++) {
        d.r = part[i];
        for (uint64_t face = 0; face < 12 && !st; face++)
            st = visit(&d, 0, face);
        if (!st && d.found.n >= unite_at) { /* parts that overlap: keep what is new */
            st = unite(&d.found, err);
            unite_at = 2 * d.found.n > UNITE_AT ? 2 * d.found.n : UNITE_AT;
        }
    }
    return hal_moc_list_take(&d.found, order, st, err);
}
