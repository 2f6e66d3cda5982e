/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/spool_order.h"

#include "base/alloc.h"
#include "base/number.h"
#include "data/vec.h"

#include <math.h>

/* Order of cells: nulls, numbers by value (also when text holds them, so that the order does not
 * depend on the type a column happened to get), text by bytes, arrays (also complex numbers) item
 * by item. */

typedef enum rank { RANK_NULL, RANK_NUMBER, RANK_NAN, RANK_TEXT, RANK_ARRAY } rank;

typedef struct value {
    rank rank;
    long double number; /* holds every int64 and every double */
    bool minus_zero;
    bool is_text;
    hal_slice text;
    char room[HAL_CELL_TEXT_MAX];
} value;

static void set_number(value *v, bool is_int, int64_t n, double d)
{
    v->rank = !is_int && isnan(d) ? RANK_NAN : RANK_NUMBER;
    if (v->rank == RANK_NUMBER)
        v->number = is_int ? (long double)n : (long double)d;
    v->minus_zero = !is_int && d == 0 && signbit(d);
}

static bool is_complex(hal_type type)
{
    return type == HAL_TYPE_COMPLEX64 || type == HAL_TYPE_COMPLEX128;
}

static void get_value(value *v, const hal_table *t, size_t i_col, uint64_t row)
{
    *v = (value){.rank = RANK_NULL};
    if (i_col == SIZE_MAX || hal_table_is_null(t, i_col, row))
        return;
    const hal_field *f = hal_table_field(t, i_col);
    if (f->width != 1 || is_complex(f->type)) {
        v->rank = RANK_ARRAY;
        return;
    }
    if (hal_type_is_integer(f->type)) {
        set_number(v, true, hal_table_int64(t, i_col, row), 0);
        return;
    }
    if (hal_type_is_float(f->type)) {
        set_number(v, false, 0, hal_table_float64(t, i_col, row));
        return;
    }
    double d = 0;
    int64_t n = 0;
    v->is_text = true;
    v->text = hal_cell_text(t, i_col, row, v->room);
    bool is_int = hal_number_read_int64(v->text, &n);
    if (is_int || hal_number_read_double(v->text, &d))
        set_number(v, is_int, n, d);
    else
        v->rank = RANK_TEXT;
}

/* Number `k` of an array's items (complex ones are two numbers). */
static void get_part(value *v, const hal_column *c, hal_type type, uint64_t k)
{
    *v = (value){.rank = RANK_NULL};
    uint64_t item = is_complex(type) ? k / 2 : k;
    double pair[2];
    if (hal_item_is_null(c, item))
        return;
    if (type == HAL_TYPE_BOOL) {
        set_number(v, true, hal_item_bool(c, item), 0);
    } else if (is_complex(type)) {
        hal_item_complex(c, type, item, pair);
        set_number(v, false, 0, pair[k % 2]);
    } else if (hal_type_is_float(type)) {
        set_number(v, false, 0, hal_item_float64(c, type, item));
    } else {
        set_number(v, true, hal_item_int64(c, type, item), 0);
    }
}

static int compare_text(hal_slice a, hal_slice b)
{
    size_t n = a.size_bytes < b.size_bytes ? a.size_bytes : b.size_bytes;
    int order = n ? memcmp(a.data, b.data, n) : 0;
    return order ? order : (a.size_bytes > b.size_bytes) - (a.size_bytes < b.size_bytes);
}

static int compare_values(const value *a, const value *b)
{
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if (a->rank == RANK_NUMBER && a->number != b->number)
        return a->number < b->number ? -1 : 1;
    if (a->minus_zero != b->minus_zero)
        return a->minus_zero ? -1 : 1;
    return a->is_text && b->is_text ? compare_text(a->text, b->text) : 0;
}

static int compare_arrays(const hal_table *ta, size_t ca, uint64_t ra, const hal_table *tb,
                          size_t cb, uint64_t rb)
{
    hal_column a = hal_table_column(ta, ca), b = hal_table_column(tb, cb);
    hal_type type_a = hal_table_field(ta, ca)->type, type_b = hal_table_field(tb, cb)->type;
    hal_items of_a = hal_table_items(ta, ca, ra), of_b = hal_table_items(tb, cb, rb);
    uint64_t parts_a = is_complex(type_a) ? 2 : 1, parts_b = is_complex(type_b) ? 2 : 1;
    uint64_t n_a = of_a.n * parts_a, n_b = of_b.n * parts_b;
    int order = 0;
    for (uint64_t i = 0; i < n_a && i < n_b && !order; i++) {
        value x, y;
        get_part(&x, &a, type_a, of_a.first * parts_a + i);
        get_part(&y, &b, type_b, of_b.first * parts_b + i);
        order = compare_values(&x, &y);
    }
    return order ? order : (n_a > n_b) - (n_a < n_b);
}

static int compare_cells(const hal_table *ta, size_t ca, uint64_t ra, const hal_table *tb,
                         size_t cb, uint64_t rb)
{
    value a, b;
    get_value(&a, ta, ca, ra);
    get_value(&b, tb, cb, rb);
    return a.rank == RANK_ARRAY && b.rank == RANK_ARRAY ? compare_arrays(ta, ca, ra, tb, cb, rb)
                                                        : compare_values(&a, &b);
}

int hal_spool_compare_keys(const hal_spool_rows *a, uint64_t ra, const hal_spool_rows *b,
                           uint64_t rb)
{
    if (a->key[ra] != b->key[rb])
        return a->key[ra] < b->key[rb] ? -1 : 1;
    return compare_cells(a->table, a->id, ra, b->table, b->id, rb);
}

int hal_spool_compare_rows(const hal_spool_rows *a, uint64_t ra, const hal_spool_rows *b,
                           uint64_t rb)
{
    int order = hal_spool_compare_keys(a, ra, b, rb);
    for (size_t i = 0; i < a->n_order && !order; i++)
        order = compare_cells(a->table, a->order[i], ra, b->table, b->order[i], rb);
    return order;
}

typedef struct entry {
    uint64_t key, row;
} entry;

static bool in_order(const hal_spool_rows *r, const entry *a, const entry *b)
{
    return a->key != b->key ? a->key < b->key : hal_spool_compare_rows(r, a->row, r, b->row) <= 0;
}

uint64_t *hal_spool_sorted_rows(const hal_spool_rows *r, hal_err *err)
{
    uint64_t n = hal_table_rows(r->table);
    size_t size = (size_t)(n ? n : 1) * sizeof(entry);
    entry *from = hal_malloc(size), *to = hal_malloc(size);
    if (!from || !to) {
        hal_free(from);
        hal_free(to);
        hal_err_nomem(err, size);
        return NULL;
    }
    for (uint64_t i = 0; i < n; i++)
        from[i] = (entry){r->key[i], i};
    for (uint64_t width = 1; width < n; width *= 2) {
        for (uint64_t left = 0; left < n; left += 2 * width) {
            uint64_t mid = left + width < n ? left + width : n;
            uint64_t end = left + 2 * width < n ? left + 2 * width : n;
            uint64_t a = left, b = mid, o = left;
            while (a < mid && b < end)
                to[o++] = in_order(r, &from[a], &from[b]) ? from[a++] : from[b++];
            while (a < mid)
                to[o++] = from[a++];
            while (b < end)
                to[o++] = from[b++];
        }
        entry *swap = from;
        from = to;
        to = swap;
    }
    hal_free(to);
    uint64_t *index = (uint64_t *)from; /* each entry is read before its place is written */
    for (uint64_t i = 0; i < n; i++)
        index[i] = from[i].row;
    return index;
}
