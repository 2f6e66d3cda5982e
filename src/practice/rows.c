/* SPDX-License-Identifier: BSD-3-Clause */
#include "practice/rows.h"

#include "practice/caom.h"
#include "practice/view.h"

#include "base/alloc.h"
#include "sky/angle.h"
#include "sky/healpix.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

#define RAD (3.14159265358979323846 / 180.0)

enum { ROWS_READ_MAX = 20000000 }; /* one question may look at so many stars one by one */

typedef struct cell_range {
    uint64_t lo, hi;
} cell_range;

struct hal_rows {
    hal_sky *sky;
    uint64_t seed;
    hal_query q;
    const hal_view *view; /* NULL: observations, products */
    bool is_circle;
    hal_cone circle;
    /* stars */
    cell_range *ranges;
    size_t n_ranges, range_capacity;
    size_t i_range;
    uint64_t cell;        /* next cell to open in the current range */
    hal_sky_cell open;    /* the cell being read */
    uint32_t i_star, end; /* stars of `open` still to read: [i_star, end) and the members */
    bool whole;           /* every star of `open` is inside */
    double rank_max;
    hal_region *rest; /* of the sky: where no row can be */
    uint64_t n_read, n_charged;
    bool named; /* asked by identifier: cells need no disc */
    /* observations, products */
    hal_plane *planes;
    size_t n_planes, plane_capacity, i_plane;
    int i_product;
    hal_scratch scratch;
};

static const char *const names[HAL_CATALOG_COUNT] = {"gaia",  "tic",          "ctl",
                                                     "galex", "observations", "products"};

static const hal_view *view_of(hal_catalog c)
{
    static const hal_view *const views[] = {&hal_view_gaia, &hal_view_tic, &hal_view_ctl,
                                            &hal_view_galex};
    return c <= HAL_CATALOG_GALEX ? views[c] : NULL;
}

const char *hal_catalog_name(hal_catalog c)
{
    return names[c];
}

hal_catalog hal_catalog_find(const char *name)
{
    int c = 0;
    while (c < HAL_CATALOG_COUNT && strcmp(names[c], name) != 0)
        c++;
    return (hal_catalog)c;
}

const hal_practice_column *hal_catalog_columns(hal_catalog c, size_t *n)
{
    const hal_view *v = view_of(c);
    *n = v                               ? v->n_columns
         : c == HAL_CATALOG_OBSERVATIONS ? hal_observation_columns_count
                                         : hal_product_columns_count;
    return v                               ? v->columns
           : c == HAL_CATALOG_OBSERVATIONS ? hal_observation_columns
                                           : hal_product_columns;
}

int hal_catalog_column(hal_catalog c, const char *name)
{
    size_t n;
    const hal_practice_column *columns = hal_catalog_columns(c, &n);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(columns[i].name, name))
            return (int)i;
    for (size_t i = 0; i < n; i++)
        if (!strcasecmp(columns[i].name, name))
            return (int)i;
    return -1;
}

void hal_query_clear(hal_query *q)
{
    for (size_t i = 0; i < q->n_filters; i++) {
        for (size_t k = 0; k < q->filters[i].n_values; k++)
            hal_free(q->filters[i].values[k].text);
        hal_free(q->filters[i].values);
        hal_free(q->filters[i].ranges);
        hal_free(q->filters[i].free_text);
    }
    hal_free(q->filters);
    hal_free(q->obsids);
    hal_region_unref(q->region);
    *q = (hal_query){0};
}

/* ---- criteria ---- */

static bool like(const char *text, size_t n, const char *pattern)
{
    size_t i = 0, mark = 0;
    const char *star = NULL;
    while (i < n) {
        if (*pattern == '%') {
            star = ++pattern;
            mark = i;
        } else if (*pattern &&
                   tolower((unsigned char)*pattern) == tolower((unsigned char)text[i])) {
            pattern++;
            i++;
        } else if (star) {
            pattern = star;
            i = ++mark;
        } else {
            return false;
        }
    }
    while (*pattern == '%')
        pattern++;
    return !*pattern;
}

static bool same_text(const char *text, size_t n, const char *want)
{
    return strlen(want) == n && !strncasecmp(text, want, n);
}

static bool value_matches(const hal_filter_value *v, const hal_cell *c)
{
    switch (c->kind) {
    case HAL_CELL_TEXT:
        return same_text(c->text, c->size, v->text);
    case HAL_CELL_INT:
        return v->is_integer ? v->integer == c->value : v->number == (double)c->value;
    case HAL_CELL_FIXED:
        return v->number == hal_cell_number(c);
    case HAL_CELL_BOOL:
        return !strcasecmp(v->text, c->value ? "true" : "false") || v->number == (double)c->value;
    default:
        return false;
    }
}

static bool text_matches(const hal_filter *f, const char *text, size_t n)
{
    for (size_t k = 0; k < f->n_values; k++)
        if (same_text(text, n, f->values[k].text))
            return true;
    return f->free_text && like(text, n, f->free_text);
}

static bool split_matches(const hal_filter *f, const hal_cell *c)
{
    size_t start = 0;
    for (size_t i = 0; i <= c->size; i++)
        if (i == c->size || c->text[i] == f->separator) {
            if (text_matches(f, c->text + start, i - start))
                return true;
            start = i + 1;
        }
    return false;
}

static bool filter_matches(const hal_filter *f, const hal_cell *c)
{
    if (c->kind == HAL_CELL_NULL)
        return false;
    if (c->kind == HAL_CELL_TEXT && f->separator && split_matches(f, c))
        return true;
    for (size_t k = 0; k < f->n_values; k++)
        if (value_matches(&f->values[k], c))
            return true;
    double number = hal_cell_number(c);
    for (size_t k = 0; k < f->n_ranges; k++)
        if (number >= f->ranges[k][0] && number <= f->ranges[k][1])
            return true;
    if (!f->free_text)
        return false;
    if (c->kind == HAL_CELL_TEXT)
        return like(c->text, c->size, f->free_text);
    char text[HAL_CELL_TEXT_MAX];
    return like(text, hal_cell_print(c, text), f->free_text);
}

bool hal_rows_match(const hal_query *q, const hal_cell *cells)
{
    for (size_t i = 0; i < q->n_filters; i++)
        if (!filter_matches(&q->filters[i], &cells[q->filters[i].column]))
            return false;
    return true;
}

/* ---- stars ---- */

static bool add_range(void *ctx, uint64_t lo, uint64_t hi)
{
    hal_rows *r = ctx;
    if (r->n_ranges == r->range_capacity) {
        size_t capacity = r->range_capacity ? 2 * r->range_capacity : 64;
        cell_range *grown = hal_realloc(r->ranges, capacity * sizeof *grown);
        if (!grown) {
            r->range_capacity = 0; /* tells the caller */
            return false;
        }
        r->ranges = grown;
        r->range_capacity = capacity;
    }
    r->ranges[r->n_ranges++] = (cell_range){lo, hi};
    return true;
}

static int by_cell(const void *a, const void *b)
{
    const cell_range *x = a, *y = b;
    return x->lo < y->lo ? -1 : x->lo > y->lo;
}

/* A criterion on the identifier leads straight to the cells. */
static bool ranges_by_identifier(hal_rows *r, bool *found)
{
    *found = false;
    for (size_t i = 0; i < r->q.n_filters; i++) {
        const hal_filter *f = &r->q.filters[i];
        bool by_gaia =
            r->view != &hal_view_gaia && f->column == hal_catalog_column(r->q.catalog, "GAIA");
        if ((f->column != r->view->id_column && !by_gaia) || f->n_ranges || f->free_text)
            continue;
        const hal_view *numbering = by_gaia ? &hal_view_gaia : r->view;
        for (size_t k = 0; k < f->n_values; k++) {
            uint64_t cell;
            uint32_t number;
            if (f->values[k].is_integer && f->values[k].integer >= 0 &&
                numbering->locate((uint64_t)f->values[k].integer, &cell, &number) &&
                !add_range(r, cell, cell + 1))
                return false;
        }
        size_t n = 0;
        if (r->n_ranges)
            qsort(r->ranges, r->n_ranges, sizeof *r->ranges, by_cell);
        for (size_t k = 0; k < r->n_ranges; k++)
            if (!n || r->ranges[n - 1].lo != r->ranges[k].lo)
                r->ranges[n++] = r->ranges[k];
        r->n_ranges = n;
        *found = true;
        return true;
    }
    return true;
}

static void bound_rank(hal_rows *r)
{
    r->rank_max = r->view->rank_max;
    for (size_t i = 0; i < r->q.n_filters; i++) {
        const hal_filter *f = &r->q.filters[i];
        if (f->n_values || f->free_text || !f->n_ranges)
            continue;
        double faint = -INFINITY;
        for (size_t k = 0; k < f->n_ranges; k++)
            faint = fmax(faint, f->ranges[k][1]);
        for (const int *column = r->view->mag_columns; *column >= 0; column++)
            if (*column == f->column)
                r->rank_max = fmin(r->rank_max, pow(10, (faint + r->view->mag_slack - 21) / 3));
    }
}

/* The range that a criterion sets on a column, inside [out[0], out[1]]. */
static void narrow(const hal_rows *r, const char *column, double out[2])
{
    int i_column = hal_catalog_column(r->q.catalog, column);
    for (size_t i = 0; i < r->q.n_filters; i++) {
        const hal_filter *f = &r->q.filters[i];
        if (f->column == i_column && f->n_ranges == 1 && !f->n_values && !f->free_text) {
            out[0] = fmax(out[0], f->ranges[0][0]);
            out[1] = fmin(out[1], f->ranges[0][1]);
        }
    }
}

/* Where all rows that can match are: the region, or what ranges on the position columns leave (an
 * index on them, as a database has); a new reference. */
static hal_region *place_of(const hal_rows *r, hal_err *err)
{
    double ra[2] = {0, 360}, dec[2] = {-90, 90};
    if (r->q.region)
        return hal_region_ref(r->q.region);
    narrow(r, "ra", ra);
    narrow(r, "dec", dec);
    bool box = ra[0] <= ra[1] && dec[0] <= dec[1];
    return box ? hal_region_box(ra[0], ra[1], dec[0], dec[1], err) : hal_region_all(err);
}

/* How far from the centre of a cell a star of it may be listed. */
static double reach_deg(const hal_rows *r, int order)
{
    return hal_healpix_radius_deg(order) + r->view->margin_deg + 1e-6;
}

/* Adds the cells of a cell that can hold a star of `place`; whole ones without a look at each. */
static bool cover(hal_rows *r, const hal_region *place, int order, uint64_t index)
{
    double ra, dec;
    hal_healpix_position(order, index, 0.5, 0.5, &ra, &dec);
    if (hal_region_distance_deg(place, ra, dec) > reach_deg(r, order))
        return true;
    if (order == HAL_SKY_ORDER || hal_region_distance_deg(r->rest, ra, dec) > reach_deg(r, order)) {
        int shift = 2 * (HAL_SKY_ORDER - order);
        uint64_t lo = index << shift, hi = (index + 1) << shift;
        if (!r->n_ranges || r->ranges[r->n_ranges - 1].hi != lo)
            return add_range(r, lo, hi);
        r->ranges[r->n_ranges - 1].hi = hi;
        return true;
    }
    for (uint64_t child = 4 * index; child < 4 * index + 4; child++)
        if (!cover(r, place, order + 1, child))
            return false;
    return true;
}

static hal_status open_stars(hal_rows *r, const hal_region *place, hal_err *err)
{
    if (!ranges_by_identifier(r, &r->named))
        return hal_err_nomem(err, r->n_ranges * sizeof *r->ranges);
    bound_rank(r);
    if (r->named)
        return HAL_OK;
    bool ok = true;
    for (uint64_t face = 0; face < 12 && ok; face++)
        ok = cover(r, place, 0, face);
    return ok ? HAL_OK : hal_err_nomem(err, r->n_ranges * sizeof *r->ranges);
}

static hal_status open_stars_somewhere(hal_rows *r, hal_err *err)
{
    hal_region *place = place_of(r, err);
    hal_status st = place && (r->rest = hal_region_complement(place, err))
                        ? open_stars(r, place, err)
                        : err->status;
    hal_region_unref(place);
    return st;
}

static bool cell_is_whole(const hal_rows *r, double ra, double dec)
{
    return !r->q.region || hal_region_distance_deg(r->rest, ra, dec) > reach_deg(r, HAL_SKY_ORDER);
}

static uint32_t prefix_of(const hal_rows *r, uint32_t n_field)
{
    uint32_t n = hal_view_prefix(r->view, n_field);
    double bright = r->rank_max * n_field + 1;
    return bright < n ? (uint32_t)bright : n;
}

/* Opens the next cell; false when there is none. */
static hal_status next_cell(hal_rows *r, bool *more, hal_err *err)
{
    while (r->i_range < r->n_ranges && r->cell >= r->ranges[r->i_range].hi) {
        r->i_range++;
        r->cell = r->i_range < r->n_ranges ? r->ranges[r->i_range].lo : 0;
    }
    *more = r->i_range < r->n_ranges;
    if (!*more)
        return HAL_OK;
    double ra, dec;
    hal_healpix_position(HAL_SKY_ORDER, r->cell, 0.5, 0.5, &ra, &dec);
    hal_status st = hal_sky_open(r->sky, r->cell++, &r->open, err);
    if (st)
        return st;
    r->whole = cell_is_whole(r, ra, dec);
    r->i_star = 0;
    r->end = prefix_of(r, r->open.n_field);
    return HAL_OK;
}

static void rewind_stars(hal_rows *r)
{
    r->i_range = 0;
    r->cell = r->n_ranges ? r->ranges[0].lo : 0;
    r->i_star = r->end = 0;
    r->open.n_stars = r->open.n_field = 0;
}

/* The next star of the open cell that belongs to the answer, with its row when `cells` is given or
 * criteria need it. */
static bool next_star(hal_rows *r, hal_cell *cells)
{
    const hal_view *v = r->view;
    hal_cell own[64];
    while (r->i_star < r->open.n_stars) {
        if (r->i_star >= r->end && r->i_star < r->open.n_field) {
            r->i_star = r->open.n_field;
            continue;
        }
        hal_star star;
        hal_sky_star(r->sky, &r->open, r->i_star++, &star);
        r->n_read++;
        if (!hal_view_holds(v, &star))
            continue;
        int64_t ra, dec;
        bool place = cells || !r->whole || r->q.n_filters;
        if (!place)
            return true;
        v->position(&star, &ra, &dec);
        double unit = v->decimals == 12 ? 1e12 : v->decimals == 7 ? 1e7 : 1e6;
        double ra_deg = (double)ra / unit, dec_deg = (double)dec / unit;
        if (!r->whole && !hal_region_contains(r->q.region, ra_deg, dec_deg))
            continue;
        if (!cells && !r->q.n_filters)
            return true;
        hal_cell *row = cells ? cells : own;
        r->scratch.used = 0;
        v->fill(&star, ra, dec, row, &r->scratch);
        hal_cell *distance = &row[v->n_columns - 1];
        *distance = (hal_cell){.kind = HAL_CELL_NULL};
        if (r->is_circle)
            *distance = hal_cell_round(v->distance_per_deg * hal_separation_deg(ra_deg, dec_deg,
                                                                                r->circle.ra_deg,
                                                                                r->circle.dec_deg),
                                       10);
        if (hal_rows_match(&r->q, row))
            return true;
    }
    return false;
}

static hal_status too_long(hal_err *err)
{
    return hal_err_set(err, HAL_E_TIMEOUT,
                       "Execution Timeout Expired.  The timeout period elapsed prior to completion "
                       "of the operation or the server is not responding.");
}

static hal_status check_work(const hal_rows *r, hal_err *err)
{
    return r->n_read <= ROWS_READ_MAX ? HAL_OK : too_long(err);
}

/* Takes what was read since the last call from the budget. */
static hal_status charge(hal_rows *r, hal_err *err)
{
    if (!r->q.budget)
        return HAL_OK;
    uint64_t n = r->n_read - r->n_charged;
    r->n_charged = r->n_read;
    if (n > *r->q.budget)
        return too_long(err);
    *r->q.budget -= n;
    return HAL_OK;
}

/* Rows in the cell just opened. */
static uint64_t count_cell(hal_rows *r)
{
    const hal_view *v = r->view;
    uint64_t n = 0;
    if (r->whole && !r->q.n_filters && v->field_fraction >= 1) {
        n = r->end;
        if (v->member_fraction >= 1) {
            n += r->open.n_stars - r->open.n_field;
            r->i_star = r->open.n_stars;
            return n;
        }
        r->i_star = r->open.n_field;
    }
    while (next_star(r, NULL))
        n++;
    return n;
}

static hal_status count_stars(hal_rows *r, uint64_t *total, hal_err *err)
{
    uint64_t n = 0;
    bool more;
    rewind_stars(r);
    r->n_read = r->n_charged = 0;
    for (;;) {
        hal_status st = next_cell(r, &more, err);
        if (!st)
            st = check_work(r, err);
        if (st)
            return st;
        if (!more)
            break;
        n += count_cell(r);
        if (n > r->q.limit)
            break;
    }
    *total = n;
    rewind_stars(r);
    return HAL_OK;
}

static hal_status seek_stars(hal_rows *r, uint64_t want, hal_err *err)
{
    bool more = true;
    rewind_stars(r);
    while (want) {
        hal_status st = next_cell(r, &more, err);
        if (st || !more)
            return st;
        uint64_t n = count_cell(r);
        if (n <= want) {
            want -= n;
            continue;
        }
        r->i_star = 0;
        while (want && next_star(r, NULL))
            want--;
    }
    return HAL_OK;
}

/* ---- observations and products ---- */

static hal_status keep_plane(void *ctx, const hal_plane *plane, hal_err *err)
{
    hal_rows *r = ctx;
    if (r->q.n_filters) {
        hal_cell cells[64];
        r->scratch.used = 0;
        hal_caom_fill(r->seed, plane, cells, &r->scratch);
        if (!hal_rows_match(&r->q, cells))
            return HAL_OK;
    }
    if (r->n_planes == r->plane_capacity) {
        size_t capacity = r->plane_capacity ? 2 * r->plane_capacity : 256;
        hal_plane *grown = hal_realloc(r->planes, capacity * sizeof *grown);
        if (!grown)
            return hal_err_nomem(err, capacity * sizeof *grown);
        r->planes = grown;
        r->plane_capacity = capacity;
    }
    r->planes[r->n_planes++] = *plane;
    return r->n_planes > r->q.limit ? HAL_E_BUDGET : HAL_OK;
}

/* Which missions can match at all: the criterion on obs_collection, if any. */
static bool collection_wanted(const void *ctx, const char *name)
{
    const hal_rows *r = ctx;
    hal_cell c = hal_cell_text(name);
    int column = hal_catalog_column(HAL_CATALOG_OBSERVATIONS, "obs_collection");
    for (size_t i = 0; i < r->q.n_filters; i++)
        if (r->q.filters[i].column == column && !filter_matches(&r->q.filters[i], &c))
            return false;
    return true;
}

/* Order of answers: obs_collection descending, then distance (mashup-api 4.8). */
static int by_collection(const void *a, const void *b)
{
    const hal_plane *x = a, *y = b;
    if (x->order != y->order)
        return x->order - y->order;
    if (x->distance_arcsec < y->distance_arcsec || x->distance_arcsec > y->distance_arcsec)
        return x->distance_arcsec < y->distance_arcsec ? -1 : 1;
    if (x->obsid != y->obsid)
        return x->obsid < y->obsid ? -1 : 1;
    return x->plane - y->plane;
}

static hal_status open_observations(hal_rows *r, hal_err *err)
{
    int column = hal_catalog_column(HAL_CATALOG_OBSERVATIONS, "obsid");
    for (size_t i = 0; i < r->q.n_filters; i++) {
        const hal_filter *f = &r->q.filters[i];
        if (f->column != column || f->n_ranges || f->free_text || r->q.region)
            continue;
        for (size_t k = 0; k < f->n_values; k++)
            for (int p = 0; p < 2; p++) {
                hal_plane plane = {(uint64_t)f->values[k].integer, p, 0, NAN};
                hal_cell cells[64];
                r->scratch.used = 0;
                if (!f->values[k].is_integer || !hal_caom_fill(r->seed, &plane, cells, &r->scratch))
                    continue;
                hal_status st = keep_plane(r, &plane, err);
                if (st)
                    return st == HAL_E_BUDGET ? HAL_OK : st;
            }
        return HAL_OK;
    }
    hal_status st = hal_caom_find(r->seed, r->q.region, collection_wanted, r, keep_plane, r, err);
    if (st && st != HAL_E_BUDGET) /* over the limit: only the count is wanted */
        return st;
    if (r->n_planes)
        qsort(r->planes, r->n_planes, sizeof *r->planes, by_collection);
    return HAL_OK;
}

static hal_status count_products(hal_rows *r, uint64_t *total)
{
    uint64_t n = 0;
    hal_cell cells[64];
    for (size_t i = 0; i < r->q.n_obsids && n <= r->q.limit; i++)
        for (int k = 0;; k++) {
            r->scratch.used = 0;
            if (!hal_caom_product(r->seed, r->q.obsids[i], k, cells, &r->scratch))
                break;
            n += hal_rows_match(&r->q, cells);
        }
    *total = n;
    return HAL_OK;
}

static bool next_product(hal_rows *r, hal_cell *cells)
{
    while (r->i_plane < r->q.n_obsids) {
        r->scratch.used = 0;
        if (!hal_caom_product(r->seed, r->q.obsids[r->i_plane], r->i_product, cells, &r->scratch)) {
            r->i_plane++;
            r->i_product = 0;
            continue;
        }
        r->i_product++;
        if (hal_rows_match(&r->q, cells))
            return true;
    }
    return false;
}

/* ---- all ---- */

/* CTL is the TIC with a priority: said as a criterion. */
static hal_status add_priority(hal_query *q, hal_err *err)
{
    hal_filter *grown = hal_realloc(q->filters, (q->n_filters + 1) * sizeof *grown);
    double(*range)[2] = hal_malloc(sizeof *range);
    if (grown)
        q->filters = grown;
    if (!grown || !range) {
        hal_free(range);
        return hal_err_nomem(err, sizeof *grown);
    }
    range[0][0] = 0;
    range[0][1] = INFINITY;
    q->filters[q->n_filters++] = (hal_filter){
        .column = hal_catalog_column(HAL_CATALOG_CTL, "priority"), .ranges = range, .n_ranges = 1};
    return HAL_OK;
}

hal_rows *hal_rows_new(hal_sky *sky, hal_query *q, hal_err *err)
{
    hal_rows *r = hal_calloc(1, sizeof *r);
    if (!r) {
        hal_query_clear(q);
        hal_err_nomem(err, sizeof *r);
        return NULL;
    }
    r->sky = sky;
    r->seed = hal_sky_seed(sky);
    r->q = *q;
    *q = (hal_query){0};
    r->view = view_of(r->q.catalog);
    r->is_circle = r->q.region && hal_region_is_circle(r->q.region, &r->circle);
    hal_status st = HAL_OK;
    if (r->q.catalog == HAL_CATALOG_CTL)
        st = add_priority(&r->q, err);
    if (!st && r->view)
        st = open_stars_somewhere(r, err);
    else if (!st && r->q.catalog == HAL_CATALOG_OBSERVATIONS)
        st = open_observations(r, err);
    if (!st)
        st = hal_rows_seek(r, 0, err);
    if (st) {
        hal_rows_free(r);
        return NULL;
    }
    return r;
}

void hal_rows_free(hal_rows *r)
{
    if (!r)
        return;
    hal_query_clear(&r->q);
    hal_region_unref(r->rest);
    hal_free(r->ranges);
    hal_free(r->planes);
    hal_free(r);
}

hal_status hal_rows_count(hal_rows *r, uint64_t *total, hal_err *err)
{
    if (r->view)
        return count_stars(r, total, err);
    if (r->q.catalog == HAL_CATALOG_PRODUCTS)
        return count_products(r, total);
    *total = r->n_planes;
    return HAL_OK;
}

hal_status hal_rows_seek(hal_rows *r, uint64_t n, hal_err *err)
{
    if (r->view)
        return seek_stars(r, n, err);
    r->i_plane = 0;
    r->i_product = 0;
    if (r->q.catalog == HAL_CATALOG_OBSERVATIONS) {
        r->i_plane = n < r->n_planes ? (size_t)n : r->n_planes;
        return HAL_OK;
    }
    hal_cell cells[64];
    while (n && next_product(r, cells))
        n--;
    return HAL_OK;
}

hal_status hal_rows_next(hal_rows *r, hal_cell *cells, bool *more, hal_err *err)
{
    *more = true;
    if (r->q.catalog == HAL_CATALOG_PRODUCTS) {
        *more = next_product(r, cells);
        return HAL_OK;
    }
    if (r->q.catalog == HAL_CATALOG_OBSERVATIONS) {
        *more = r->i_plane < r->n_planes;
        r->scratch.used = 0;
        if (*more)
            hal_caom_fill(r->seed, &r->planes[r->i_plane++], cells, &r->scratch);
        return HAL_OK;
    }
    while (!next_star(r, cells)) {
        hal_status st = charge(r, err);
        if (!st)
            st = next_cell(r, more, err);
        if (st || !*more)
            return st;
    }
    return HAL_OK;
}

bool hal_tic_position(hal_sky *sky, uint64_t id, double *ra_deg, double *dec_deg)
{
    uint64_t cell;
    uint32_t number;
    hal_sky_cell open;
    if (!hal_view_tic.locate(id, &cell, &number) || hal_sky_open(sky, cell, &open, NULL))
        return false;
    uint32_t end = hal_view_prefix(&hal_view_tic, open.n_field);
    for (uint32_t i = 0; i < open.n_stars; i++) {
        if (i == end)
            i = open.n_field;
        if (i == open.n_stars)
            break;
        hal_star star;
        hal_sky_star(sky, &open, i, &star);
        if (star.number != number || !hal_view_holds(&hal_view_tic, &star))
            continue;
        int64_t ra, dec;
        hal_view_tic.position(&star, &ra, &dec);
        *ra_deg = (double)ra / 1e7;
        *dec_deg = (double)dec / 1e7;
        return true;
    }
    return false;
}
