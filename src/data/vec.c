/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/vec.h"

#include "base/alloc.h"
#include "base/number.h"

#include <stdlib.h>

enum { WIDE_ITEMS = 4096 }; /* of a row, for which there is no room ahead of rows */

void hal_vec_clear(hal_vec *v)
{
    hal_free(v->valid);
    hal_free(v->values);
    hal_free(v->offsets);
    hal_free(v->bytes);
    hal_free(v->item_valid);
    *v = (hal_vec){0};
}

static uint64_t bitmap_size(uint64_t n)
{
    return (n + 7) / 8;
}

static bool is_list(const hal_vec *v)
{
    return v->width == HAL_WIDTH_VARIABLE;
}

static bool is_scalar(const hal_vec *v)
{
    return v->width == 0 || v->width == 1;
}

/* Items of `rows` rows of a column that is not a list. */
static uint64_t items_of(const hal_vec *v, uint64_t rows)
{
    return v->width > 1 ? rows * (uint64_t)v->width : rows;
}

/* `p` at its new size; NULL and `err` when there is no memory. What is new is not set: memory that
 * is never used must never be touched, or doubling the capacity doubles the memory. */
static void *resized(void *p, uint64_t size, hal_err *err)
{
    char *grown = size > SIZE_MAX / 2 ? NULL : hal_realloc(p, size ? (size_t)size : 1);
    if (!grown)
        hal_err_nomem(err, (size_t)size);
    return grown;
}

/* *bits with room for `n` instead of `old` bits; what is new is 0. */
static hal_status resize_bits(uint8_t **bits, uint64_t old, uint64_t n, hal_err *err)
{
    uint8_t *grown = resized(*bits, bitmap_size(n), err);
    if (!grown)
        return HAL_E_NOMEM;
    if (n > old)
        memset(grown + bitmap_size(old), 0, (size_t)(bitmap_size(n) - bitmap_size(old)));
    *bits = grown;
    return HAL_OK;
}

/* Room for `n` items instead of `old`. */
static hal_status resize_items(hal_vec *v, uint64_t old, uint64_t n, hal_err *err)
{
    if (v->type == HAL_TYPE_BOOL) {
        uint8_t *bits = v->values;
        hal_status st = resize_bits(&bits, bits ? old : 0, n, err);
        if (st)
            return st;
        v->values = bits;
    } else {
        void *values = resized(v->values, hal_items_bytes(v->type, n), err);
        if (!values)
            return HAL_E_NOMEM;
        v->values = values;
    }
    return v->item_valid ? resize_bits(&v->item_valid, old, n, err) : HAL_OK;
}

static hal_status set_capacity(hal_vec *v, uint64_t capacity, hal_err *err)
{
    uint64_t old = v->capacity;
    if (capacity > (UINT64_MAX >> 8) / (v->width > 1 ? (uint64_t)v->width : 1))
        return hal_err_nomem(err, SIZE_MAX);
    hal_status st = v->valid ? resize_bits(&v->valid, old, capacity, err) : HAL_OK;
    if (!st && (v->type == HAL_TYPE_STRING || is_list(v))) {
        int64_t *offsets = resized(v->offsets, 8 * (capacity + 1), err);
        if (!offsets)
            return HAL_E_NOMEM;
        if (!v->offsets)
            offsets[0] = 0;
        v->offsets = offsets;
    } else if (!st) {
        st = resize_items(v, items_of(v, old), items_of(v, capacity), err);
    }
    if (!st)
        v->capacity = capacity;
    return st;
}

hal_status hal_vec_grow(hal_vec *v, uint64_t rows, hal_err *err)
{
    if (!v->typed || v->capacity - v->n_rows >= rows)
        return HAL_OK;
    uint64_t need = v->n_rows + rows;
    uint64_t capacity = v->capacity >= 8 ? v->capacity * 2 : v->width > WIDE_ITEMS ? 8 : 16;
    return set_capacity(v, capacity < need ? (need + 7) / 8 * 8 : capacity, err);
}

static hal_status need_bitmap(hal_vec *v, hal_err *err)
{
    if (v->valid)
        return HAL_OK;
    uint64_t size = bitmap_size(v->capacity ? v->capacity : 8);
    v->valid = hal_calloc(1, (size_t)size);
    if (!v->valid)
        return hal_err_nomem(err, (size_t)size);
    hal_bits_fill(v->valid, 0, v->n_rows, true);
    return HAL_OK;
}

static uint64_t n_items(const hal_vec *v)
{
    return is_list(v) ? (uint64_t)v->offsets[v->n_rows] : items_of(v, v->n_rows);
}

static hal_status need_item_bitmap(hal_vec *v, hal_err *err)
{
    if (v->item_valid)
        return HAL_OK;
    uint64_t size = bitmap_size(is_list(v) ? v->items_capacity : items_of(v, v->capacity));
    v->item_valid = hal_calloc(1, size ? (size_t)size : 1);
    if (!v->item_valid)
        return hal_err_nomem(err, (size_t)size);
    hal_bits_fill(v->item_valid, 0, n_items(v), true);
    return HAL_OK;
}

hal_status hal_vec_pad(hal_vec *v, uint64_t n_rows, hal_err *err)
{
    if (v->n_rows >= n_rows)
        return HAL_OK;
    uint64_t add = n_rows - v->n_rows;
    if (v->typed) {
        hal_status st = hal_vec_grow(v, add, err);
        if (!st)
            st = need_bitmap(v, err);
        if (st)
            return st;
        hal_bits_fill(v->valid, v->n_rows, add, false);
        if (v->offsets) {
            for (uint64_t i = v->n_rows; i < n_rows; i++)
                v->offsets[i + 1] = v->offsets[v->n_rows];
        } else {
            uint64_t at = items_of(v, v->n_rows), n = items_of(v, add);
            if (v->type == HAL_TYPE_BOOL)
                hal_bits_fill(v->values, at, n, false);
            else
                memset((char *)v->values + hal_items_bytes(v->type, at), 0,
                       (size_t)hal_items_bytes(v->type, n));
            if (v->item_valid)
                hal_bits_fill(v->item_valid, at, n, true);
        }
    }
    v->n_nulls += add;
    v->n_rows = n_rows;
    return HAL_OK;
}

hal_status hal_vec_set_shape(hal_vec *v, hal_type type, int32_t width, hal_err *err)
{
    if (width < HAL_WIDTH_VARIABLE || (type == HAL_TYPE_STRING && width != 0 && width != 1))
        return hal_err_set(err, HAL_E_USAGE, "no column of %s has the width %d",
                           hal_type_name(type), (int)width);
    hal_vec typed = {.typed = true, .type = type, .width = width};
    bool wide = width > WIDE_ITEMS && !v->n_rows; /* no row may ever come */
    hal_status st = set_capacity(&typed, wide ? 0 : v->n_rows + 8 - v->n_rows % 8, err);
    if (!st)
        st = hal_vec_pad(&typed, v->n_rows, err);
    if (st)
        hal_vec_clear(&typed);
    else
        *v = typed;
    return st;
}

hal_status hal_vec_set_type(hal_vec *v, hal_type type, hal_err *err)
{
    return hal_vec_set_shape(v, type, 1, err);
}

hal_status hal_vec_reserve_bytes(hal_vec *v, uint64_t n, hal_err *err)
{
    uint64_t used = (uint64_t)v->offsets[v->n_rows];
    if (v->bytes_capacity - used >= n)
        return HAL_OK;
    uint64_t capacity = v->bytes_capacity < 32 ? 64 : v->bytes_capacity * 2;
    if (capacity < used + n)
        capacity = used + n;
    char *bytes = resized(v->bytes, capacity, err);
    if (!bytes)
        return HAL_E_NOMEM;
    v->bytes = bytes;
    v->bytes_capacity = capacity;
    return HAL_OK;
}

hal_status hal_vec_reserve_items(hal_vec *v, uint64_t n, hal_err *err)
{
    uint64_t used = (uint64_t)v->offsets[v->n_rows];
    if (v->items_capacity - used >= n && v->values)
        return HAL_OK;
    if (n > UINT64_MAX >> 8)
        return hal_err_nomem(err, SIZE_MAX);
    uint64_t capacity = v->items_capacity < 8 ? 16 : v->items_capacity * 2;
    if (capacity < used + n)
        capacity = used + n;
    hal_status st = resize_items(v, v->items_capacity, capacity, err);
    if (!st)
        v->items_capacity = capacity;
    return st;
}

hal_status hal_vec_commit(hal_vec *v, uint64_t n, const uint8_t *valid, hal_err *err)
{
    uint64_t n_nulls = valid ? n - hal_bits_count(valid, 0, n) : 0;
    hal_status st = n_nulls ? need_bitmap(v, err) : HAL_OK;
    if (st)
        return st;
    if (v->valid && valid)
        hal_bits_copy(v->valid, v->n_rows, valid, 0, n);
    else if (v->valid)
        hal_bits_fill(v->valid, v->n_rows, n, true);
    if (v->item_valid && !is_list(v))
        hal_bits_fill(v->item_valid, items_of(v, v->n_rows), items_of(v, n), true);
    else if (v->item_valid)
        hal_bits_fill(v->item_valid, (uint64_t)v->offsets[v->n_rows],
                      (uint64_t)(v->offsets[v->n_rows + n] - v->offsets[v->n_rows]), true);
    v->n_nulls += n_nulls;
    v->n_rows += n;
    return HAL_OK;
}

/* Items [first, first + n) of `values` to where item `at` goes. The room is there. */
static hal_status put_items(hal_vec *v, uint64_t at, const void *values, uint64_t first, uint64_t n,
                            const uint8_t *valid, hal_err *err)
{
    if (n == 0)
        return HAL_OK;
    hal_status st = valid ? need_item_bitmap(v, err) : HAL_OK;
    if (st)
        return st;
    if (v->type == HAL_TYPE_BOOL)
        hal_bits_copy(v->values, at, values, first, n);
    else
        memcpy((char *)v->values + hal_items_bytes(v->type, at),
               (const char *)values + hal_items_bytes(v->type, first),
               (size_t)hal_items_bytes(v->type, n));
    if (valid)
        hal_bits_copy(v->item_valid, at, valid, first, n);
    else if (v->item_valid)
        hal_bits_fill(v->item_valid, at, n, true);
    return HAL_OK;
}

hal_status hal_vec_append(hal_vec *v, const hal_column *c, uint64_t first, uint64_t n, hal_err *err)
{
    hal_status st = n ? hal_vec_grow(v, n, err) : HAL_OK;
    uint64_t n_nulls = c->valid && n ? n - hal_bits_count(c->valid, first, n) : 0;
    if (!st && n_nulls)
        st = need_bitmap(v, err);
    if (st || n == 0)
        return st;
    if (v->offsets) {
        const int64_t *offsets = c->offsets + first;
        int64_t at = v->offsets[v->n_rows];
        uint64_t more = (uint64_t)(offsets[n] - offsets[0]);
        if (is_list(v)) {
            st = hal_vec_reserve_items(v, more, err);
            if (!st)
                st = put_items(v, (uint64_t)at, c->values, (uint64_t)offsets[0], more,
                               c->item_valid, err);
        } else {
            st = hal_vec_reserve_bytes(v, more, err);
            if (!st && more)
                memcpy(v->bytes + at, c->bytes + offsets[0], (size_t)more);
        }
        if (st)
            return st;
        for (uint64_t i = 1; i <= n; i++)
            v->offsets[v->n_rows + i] = at + offsets[i] - offsets[0];
    } else {
        st = put_items(v, items_of(v, v->n_rows), c->values, items_of(v, first), items_of(v, n),
                       is_scalar(v) ? NULL : c->item_valid, err);
        if (st)
            return st;
    }
    if (n_nulls)
        hal_bits_copy(v->valid, v->n_rows, c->valid, first, n);
    else if (v->valid)
        hal_bits_fill(v->valid, v->n_rows, n, true);
    v->n_nulls += n_nulls;
    v->n_rows += n;
    return HAL_OK;
}

hal_status hal_vec_add_items(hal_vec *v, const void *items, uint64_t n, const uint8_t *valid,
                             hal_err *err)
{
    if (!is_list(v) && n != items_of(v, 1))
        return hal_err_set(err, HAL_E_USAGE, "%llu items for a cell of %llu", (unsigned long long)n,
                           (unsigned long long)items_of(v, 1));
    hal_status st = hal_vec_grow(v, 1, err);
    if (!st && is_list(v))
        st = hal_vec_reserve_items(v, n, err);
    if (!st)
        st = put_items(v, n_items(v), items, 0, n, valid, err);
    if (st)
        return st;
    if (is_list(v))
        v->offsets[v->n_rows + 1] = v->offsets[v->n_rows] + (int64_t)n;
    if (v->valid)
        hal_bit_set(v->valid, v->n_rows, true);
    v->n_rows++;
    return HAL_OK;
}

/* Room for one more row of `type` in a column that is open or has that type. */
static inline hal_status ready(hal_vec *v, hal_type type, hal_err *err)
{
    hal_status st = HAL_OK;
    if (HAL_UNLIKELY(!v->typed))
        st = hal_vec_set_type(v, type, err);
    if (HAL_UNLIKELY(!st && v->n_rows == v->capacity))
        st = hal_vec_grow(v, 1, err);
    return st;
}

static inline void count_row(hal_vec *v)
{
    if (v->valid)
        hal_bit_set(v->valid, v->n_rows, true);
    v->n_rows++;
}

/* Widens to text or to doubles before a value of another type comes. */
static hal_status widen(hal_vec *v, hal_type type, hal_err *err)
{
    bool done;
    hal_status st = hal_vec_convert(v, type, false, &done, err);
    if (!st && !done)
        st = hal_vec_convert(v, HAL_TYPE_STRING, false, &done, err);
    return st;
}

/* Makes a column that holds something else fit to take a value of `type`, of which it becomes the
 * union or text. */
static hal_status widen_for(hal_vec *v, hal_type type, bool exact_double, hal_err *err)
{
    if (!is_scalar(v))
        return hal_err_set(err, HAL_E_USAGE, "a single value for a column of arrays");
    hal_type united = hal_type_unite(v->type, type);
    if (united == HAL_TYPE_FLOAT32 || (united == HAL_TYPE_FLOAT64 && type == HAL_TYPE_INT64))
        united = exact_double ? HAL_TYPE_FLOAT64 : HAL_TYPE_STRING;
    return v->type == united ? HAL_OK : widen(v, united, err);
}

hal_status hal_vec_add_bool(hal_vec *v, bool value, hal_err *err)
{
    if (HAL_UNLIKELY(v->typed && (v->type != HAL_TYPE_BOOL || !is_scalar(v)))) {
        hal_status st = widen_for(v, HAL_TYPE_BOOL, true, err);
        return st ? st : hal_vec_add_string(v, hal_slice_of(value ? "true" : "false"), err);
    }
    hal_status st = ready(v, HAL_TYPE_BOOL, err);
    if (st)
        return st;
    hal_bit_set(v->values, v->n_rows, value);
    count_row(v);
    return HAL_OK;
}

hal_status hal_vec_add_int64(hal_vec *v, int64_t value, hal_err *err)
{
    if (HAL_UNLIKELY(v->typed && (v->type != HAL_TYPE_INT64 || !is_scalar(v)))) {
        hal_status st = widen_for(v, HAL_TYPE_INT64, hal_number_fits_double(value), err);
        if (st)
            return st;
        if (v->type == HAL_TYPE_FLOAT64)
            return hal_vec_add_float64(v, (double)value, err);
        if (v->type == HAL_TYPE_INT64)
            return hal_vec_add_int64(v, value, err);
        char text[HAL_INT64_TEXT_MAX];
        return hal_vec_add_string(v, (hal_slice){text, hal_number_print_int64(text, value)}, err);
    }
    hal_status st = ready(v, HAL_TYPE_INT64, err);
    if (st)
        return st;
    ((int64_t *)v->values)[v->n_rows] = value;
    count_row(v);
    return HAL_OK;
}

hal_status hal_vec_add_float64(hal_vec *v, double value, hal_err *err)
{
    if (HAL_UNLIKELY(v->typed && (v->type != HAL_TYPE_FLOAT64 || !is_scalar(v)))) {
        hal_status st = widen_for(v, HAL_TYPE_FLOAT64, true, err);
        if (st)
            return st;
        if (v->type == HAL_TYPE_FLOAT64)
            return hal_vec_add_float64(v, value, err);
        char text[HAL_DOUBLE_TEXT_MAX];
        return hal_vec_add_string(v, (hal_slice){text, hal_number_print_plain(text, value)}, err);
    }
    hal_status st = ready(v, HAL_TYPE_FLOAT64, err);
    if (st)
        return st;
    ((double *)v->values)[v->n_rows] = value;
    count_row(v);
    return HAL_OK;
}

hal_status hal_vec_add_string(hal_vec *v, hal_slice value, hal_err *err)
{
    hal_status st = HAL_OK;
    if (HAL_UNLIKELY(v->typed && v->type != HAL_TYPE_STRING))
        st = widen_for(v, HAL_TYPE_STRING, true, err);
    if (!st)
        st = ready(v, HAL_TYPE_STRING, err);
    if (!st)
        st = hal_vec_reserve_bytes(v, value.size_bytes, err);
    if (st)
        return st;
    int64_t at = v->offsets[v->n_rows];
    if (value.size_bytes)
        memcpy(v->bytes + at, value.data, value.size_bytes);
    v->offsets[v->n_rows + 1] = at + (int64_t)value.size_bytes;
    count_row(v);
    return HAL_OK;
}

static hal_slice string_at(const hal_vec *v, uint64_t i)
{
    int64_t at = v->offsets[i];
    return (hal_slice){v->bytes ? v->bytes + at : "", (size_t)(v->offsets[i + 1] - at)};
}

/* A text as a double; not `nearest`: only when no digit of an integer is lost. */
static bool text_to_double(hal_slice text, bool nearest, double *out)
{
    if (nearest && hal_slice_equals(text, hal_slice_of("Infinity")))
        text = hal_slice_of("inf");
    if (nearest && hal_slice_equals(text, hal_slice_of("-Infinity")))
        text = hal_slice_of("-inf");
    if (!hal_number_read_double(text, out))
        return false;
    bool whole = !nearest && (*out > 9007199254740992.0 || *out < -9007199254740992.0);
    for (size_t i = 0; i < text.size_bytes && whole; i++)
        whole = text.data[i] != '.' && text.data[i] != 'e' && text.data[i] != 'E' &&
                text.data[i] != 'i';
    int64_t n;
    return !whole && (nearest || !hal_number_read_int64(text, &n) || hal_number_fits_double(n));
}

/* Appends row `i` of `from` to `to`; false when it has no equivalent there. */
static bool convert_cell(hal_vec *to, const hal_vec *from, uint64_t i, bool nearest, hal_status *st,
                         hal_err *err)
{
    double d;
    int64_t n;
    if (from->type == HAL_TYPE_STRING) {
        hal_slice text = string_at(from, i);
        bool is_true = hal_slice_equals(text, hal_slice_of("true"));
        if (to->type == HAL_TYPE_INT64 && hal_number_read_int64(text, &n))
            *st = hal_vec_add_int64(to, n, err);
        else if (to->type == HAL_TYPE_FLOAT64 && text_to_double(text, nearest, &d))
            *st = hal_vec_add_float64(to, d, err);
        else if (to->type == HAL_TYPE_BOOL &&
                 (is_true || hal_slice_equals(text, hal_slice_of("false"))))
            *st = hal_vec_add_bool(to, is_true, err);
        else
            return false;
        return true;
    }
    if (to->type == HAL_TYPE_STRING) {
        char text[HAL_CELL_TEXT_MAX];
        hal_column c = hal_vec_column(from);
        size_t size = nearest ? hal_item_print(text, &c, from->type, i)
                              : hal_item_print_promoted(text, &c, from->type, i);
        *st = hal_vec_add_string(to, (hal_slice){text, size}, err);
        return true;
    }
    if (nearest && to->type == HAL_TYPE_FLOAT64 && from->type == HAL_TYPE_INT64) {
        *st = hal_vec_add_float64(to, (double)((const int64_t *)from->values)[i], err);
        return true;
    }
    *st = ready(to, to->type, err);
    if (*st)
        return true;
    if (!hal_item_convert(to->values, to->type, to->n_rows, from->values, from->type, i))
        return false;
    count_row(to);
    return true;
}

hal_status hal_vec_convert(hal_vec *v, hal_type type, bool nearest, bool *done, hal_err *err)
{
    *done = false;
    if (v->typed && !is_scalar(v))
        return HAL_OK;
    if (v->typed && v->type == type) {
        *done = true;
        return HAL_OK;
    }
    if (!v->typed) {
        *done = true;
        return hal_vec_set_type(v, type, err);
    }
    hal_vec to = {.typed = true, .type = type};
    hal_status st = set_capacity(&to, v->capacity ? v->capacity : 8, err);
    for (uint64_t i = 0; i < v->n_rows && !st; i++) {
        if (v->valid && !hal_bit(v->valid, i)) {
            st = hal_vec_pad(&to, i + 1, err);
        } else if (!convert_cell(&to, v, i, nearest, &st, err)) {
            hal_vec_clear(&to);
            return HAL_OK;
        }
    }
    if (st) {
        hal_vec_clear(&to);
        return st;
    }
    hal_vec_clear(v);
    *v = to;
    *done = true;
    return HAL_OK;
}

hal_slice hal_cell_text(const hal_table *t, size_t i_col, uint64_t row,
                        char room[HAL_CELL_TEXT_MAX])
{
    hal_type type = hal_table_field(t, i_col)->type;
    if (type == HAL_TYPE_STRING)
        return hal_table_string(t, i_col, row);
    hal_column c = hal_table_column(t, i_col);
    return (hal_slice){room, hal_item_print_promoted(room, &c, type, row)};
}

static hal_status print_items(hal_buf *out, const hal_column *c, hal_type type, hal_items cell,
                              bool promoted, hal_err *err)
{
    char room[HAL_CELL_TEXT_MAX];
    hal_status st = hal_buf_append(out, "[", 1, err);
    for (uint64_t i = 0; i < cell.n && !st; i++) {
        bool null = hal_item_is_null(c, cell.first + i);
        size_t n = null       ? 0
                   : promoted ? hal_item_print_promoted(room, c, type, cell.first + i)
                              : hal_item_print(room, c, type, cell.first + i);
        if (i)
            st = hal_buf_append(out, ",", 1, err);
        if (!st)
            st = null ? hal_buf_append(out, "null", 4, err) : hal_buf_append(out, room, n, err);
    }
    return st ? st : hal_buf_append(out, "]", 1, err);
}

hal_status hal_table_cell_text(hal_buf *out, const hal_table *t, size_t i_col, uint64_t row,
                               hal_err *err)
{
    const hal_field *f = hal_table_field(t, i_col);
    if (f->width == 1) {
        char room[HAL_CELL_TEXT_MAX];
        hal_column c = hal_table_column(t, i_col);
        hal_slice text = f->type == HAL_TYPE_STRING
                             ? hal_table_string(t, i_col, row)
                             : (hal_slice){room, hal_item_print(room, &c, f->type, row)};
        return hal_buf_append(out, text.data, text.size_bytes, err);
    }
    hal_column c = hal_table_column(t, i_col);
    return print_items(out, &c, f->type, hal_table_items(t, i_col, row), false, err);
}

hal_status hal_cell_promoted_text(hal_slice *out, const hal_table *t, size_t i_col, uint64_t row,
                                  hal_buf *room, hal_err *err)
{
    const hal_field *f = hal_table_field(t, i_col);
    char text[HAL_CELL_TEXT_MAX];
    if (f->type == HAL_TYPE_STRING) {
        *out = hal_table_string(t, i_col, row);
        return HAL_OK;
    }
    room->size_bytes = 0;
    hal_column c = hal_table_column(t, i_col);
    hal_status st =
        f->width == 1
            ? hal_buf_append(room, text, hal_item_print_promoted(text, &c, f->type, row), err)
            : print_items(room, &c, f->type, hal_table_items(t, i_col, row), true, err);
    if (!st)
        *out = hal_buf_slice(room);
    return st;
}

/* --- Rows of another column ---------------------------------------------------------------------
 */

/* A column's rows with their type: of a table, or of a part that was read on its own. */
typedef struct origin {
    const hal_column *column;
    hal_type type;
    int32_t width;
} origin;

static hal_items cell_items(const origin *from, uint64_t row)
{
    const int64_t *offsets = from->column->offsets;
    if (from->width == HAL_WIDTH_VARIABLE)
        return (hal_items){(uint64_t)offsets[row], (uint64_t)(offsets[row + 1] - offsets[row])};
    uint64_t n = from->width > 1 ? (uint64_t)from->width : 1;
    return (hal_items){row * n, n};
}

static hal_status add_text_of(hal_vec *v, const origin *from, uint64_t row, hal_err *err)
{
    char room[HAL_CELL_TEXT_MAX];
    if (from->width == 0 || from->width == 1)
        return hal_vec_add_string(
            v, (hal_slice){room, hal_item_print_promoted(room, from->column, from->type, row)},
            err);
    hal_buf text;
    hal_buf_init(&text, SIZE_MAX / 4);
    hal_status st = print_items(&text, from->column, from->type, cell_items(from, row), true, err);
    if (!st)
        st = hal_vec_add_string(v, hal_buf_slice(&text), err);
    hal_buf_clear(&text);
    return st;
}

static hal_status add_converted(hal_vec *v, const origin *from, uint64_t row, hal_err *err)
{
    if (v->type == HAL_TYPE_STRING)
        return add_text_of(v, from, row, err);
    hal_items cell = cell_items(from, row);
    const uint8_t *item_valid = from->column->item_valid;
    bool fits = is_list(v) || cell.n == items_of(v, 1);
    hal_status st = hal_vec_grow(v, 1, err);
    if (!st && is_list(v))
        st = hal_vec_reserve_items(v, cell.n, err);
    if (!st && item_valid)
        st = need_item_bitmap(v, err);
    if (st)
        return st;
    uint64_t at = n_items(v);
    for (uint64_t i = 0; i < cell.n && fits; i++)
        fits = hal_item_convert(v->values, v->type, at + i, from->column->values, from->type,
                                cell.first + i);
    if (!fits)
        return hal_err_set(err, HAL_E_INTERNAL, "a column of %s does not fit its new type %s",
                           hal_type_name(from->type), hal_type_name(v->type));
    if (item_valid)
        hal_bits_copy(v->item_valid, at, item_valid, cell.first, cell.n);
    else if (v->item_valid)
        hal_bits_fill(v->item_valid, at, cell.n, true);
    if (is_list(v))
        v->offsets[v->n_rows + 1] = v->offsets[v->n_rows] + (int64_t)cell.n;
    count_row(v);
    return HAL_OK;
}

static hal_status add_rows(hal_vec *v, const origin *from, uint64_t first, uint64_t n, hal_err *err)
{
    if (v->type == from->type &&
        hal_width_unite(v->width, from->width) == (v->width ? v->width : 1) &&
        is_list(v) == (from->width == HAL_WIDTH_VARIABLE))
        return hal_vec_append(v, from->column, first, n, err);
    const uint8_t *valid = from->column->valid;
    hal_status st = hal_vec_grow(v, n, err);
    for (uint64_t i = first; i < first + n && !st; i++)
        st = valid && !hal_bit(valid, i) ? hal_vec_pad(v, v->n_rows + 1, err)
                                         : add_converted(v, from, i, err);
    return st;
}

hal_status hal_vec_add_rows(hal_vec *v, const hal_table *t, size_t i_col, uint64_t first,
                            uint64_t n, hal_err *err)
{
    hal_column column = hal_table_column(t, i_col);
    const hal_field *f = hal_table_field(t, i_col);
    hal_status st = v->typed ? HAL_OK : hal_vec_set_shape(v, f->type, f->width, err);
    if (st)
        return st;
    return add_rows(v, &(origin){&column, f->type, f->width}, first, n, err);
}
