/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/vec.h"

#include "base/alloc.h"
#include "base/number.h"

#include <stdlib.h>

void hal_vec_clear(hal_vec *v)
{
    hal_free(v->valid);
    hal_free(v->values);
    hal_free(v->offsets);
    hal_free(v->bytes);
    *v = (hal_vec){0};
}

static bool get_bit(const uint8_t *bits, uint64_t i)
{
    return bits[i / 8] >> i % 8 & 1;
}

static void set_bit(uint8_t *bits, uint64_t i, bool on)
{
    uint8_t mask = (uint8_t)(1u << i % 8);
    bits[i / 8] = (uint8_t)(on ? bits[i / 8] | mask : bits[i / 8] & ~mask);
}

static uint64_t bitmap_size(uint64_t n)
{
    return (n + 7) / 8;
}

/* `p` at its new size, what is new zeroed; NULL and `err` when there is no memory. */
static void *resized(void *p, uint64_t old_size, uint64_t size, hal_err *err)
{
    char *grown = size > SIZE_MAX / 2 ? NULL : hal_realloc(p, (size_t)size);
    if (!grown)
        hal_err_nomem(err, (size_t)size);
    else if (size > old_size)
        memset(grown + old_size, 0, (size_t)(size - old_size));
    return grown;
}

static hal_status set_capacity(hal_vec *v, uint64_t capacity, hal_err *err)
{
    uint64_t old = v->capacity;
    if (v->valid) {
        uint8_t *valid = resized(v->valid, bitmap_size(old), bitmap_size(capacity), err);
        if (!valid)
            return HAL_E_NOMEM;
        v->valid = valid;
    }
    if (v->type == HAL_TYPE_STRING) {
        uint64_t used = v->offsets ? 8 * (old + 1) : 0;
        int64_t *offsets = resized(v->offsets, used, 8 * (capacity + 1), err);
        if (!offsets)
            return HAL_E_NOMEM;
        v->offsets = offsets;
    } else {
        bool bits = v->type == HAL_TYPE_BOOL;
        void *values = bits ? resized(v->values, bitmap_size(old), bitmap_size(capacity), err)
                            : resized(v->values, 8 * capacity, 8 * capacity, err);
        if (!values)
            return HAL_E_NOMEM;
        v->values = values;
    }
    v->capacity = capacity;
    return HAL_OK;
}

hal_status hal_vec_grow(hal_vec *v, uint64_t rows, hal_err *err)
{
    if (!v->typed || v->capacity - v->n_rows >= rows)
        return HAL_OK;
    uint64_t need = v->n_rows + rows;
    uint64_t capacity = v->capacity < 8 ? 16 : v->capacity * 2;
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
    memset(v->valid, 0xff, (size_t)(v->n_rows / 8));
    for (uint64_t i = v->n_rows / 8 * 8; i < v->n_rows; i++)
        set_bit(v->valid, i, true);
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
        for (uint64_t i = v->n_rows; i < n_rows; i++)
            set_bit(v->valid, i, false);
        if (v->type == HAL_TYPE_STRING)
            for (uint64_t i = v->n_rows; i < n_rows; i++)
                v->offsets[i + 1] = v->offsets[v->n_rows];
        else if (v->type == HAL_TYPE_BOOL)
            for (uint64_t i = v->n_rows; i < n_rows; i++)
                set_bit(v->values, i, false);
        else
            memset((char *)v->values + 8 * v->n_rows, 0, (size_t)(8 * add));
    }
    v->n_nulls += add;
    v->n_rows = n_rows;
    return HAL_OK;
}

hal_status hal_vec_set_type(hal_vec *v, hal_type type, hal_err *err)
{
    hal_vec typed = {.typed = true, .type = type};
    hal_status st = set_capacity(&typed, v->n_rows + 8 - v->n_rows % 8, err);
    if (!st)
        st = hal_vec_pad(&typed, v->n_rows, err);
    if (st)
        hal_vec_clear(&typed);
    else
        *v = typed;
    return st;
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
        set_bit(v->valid, v->n_rows, true);
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

hal_status hal_vec_add_bool(hal_vec *v, bool value, hal_err *err)
{
    hal_status st = HAL_OK;
    if (v->typed && v->type != HAL_TYPE_BOOL && v->type != HAL_TYPE_STRING)
        st = widen(v, HAL_TYPE_STRING, err);
    if (st)
        return st;
    if (v->typed && v->type == HAL_TYPE_STRING)
        return hal_vec_add_string(v, hal_slice_of(value ? "true" : "false"), err);
    st = ready(v, HAL_TYPE_BOOL, err);
    if (st)
        return st;
    set_bit(v->values, v->n_rows, value);
    count_row(v);
    return HAL_OK;
}

hal_status hal_vec_add_int64(hal_vec *v, int64_t value, hal_err *err)
{
    if (HAL_UNLIKELY(v->typed && v->type != HAL_TYPE_INT64)) {
        if (v->type == HAL_TYPE_FLOAT64 && hal_number_fits_double(value))
            return hal_vec_add_float64(v, (double)value, err);
        hal_status st = v->type == HAL_TYPE_STRING ? HAL_OK : widen(v, HAL_TYPE_STRING, err);
        if (st)
            return st;
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
    if (HAL_UNLIKELY(v->typed && v->type != HAL_TYPE_FLOAT64)) {
        hal_status st = HAL_OK;
        if (v->type != HAL_TYPE_STRING)
            st = widen(v, v->type == HAL_TYPE_INT64 ? HAL_TYPE_FLOAT64 : HAL_TYPE_STRING, err);
        if (st)
            return st;
        if (v->type == HAL_TYPE_STRING) {
            char text[HAL_DOUBLE_TEXT_MAX];
            return hal_vec_add_string(v, (hal_slice){text, hal_number_print_plain(text, value)},
                                      err);
        }
    }
    hal_status st = ready(v, HAL_TYPE_FLOAT64, err);
    if (st)
        return st;
    ((double *)v->values)[v->n_rows] = value;
    count_row(v);
    return HAL_OK;
}

static hal_status reserve_bytes(hal_vec *v, uint64_t n, hal_err *err)
{
    uint64_t used = (uint64_t)v->offsets[v->n_rows];
    if (v->bytes_capacity - used >= n)
        return HAL_OK;
    uint64_t capacity = v->bytes_capacity < 32 ? 64 : v->bytes_capacity * 2;
    if (capacity < used + n)
        capacity = used + n;
    char *bytes = resized(v->bytes, capacity, capacity, err);
    if (!bytes)
        return HAL_E_NOMEM;
    v->bytes = bytes;
    v->bytes_capacity = capacity;
    return HAL_OK;
}

hal_status hal_vec_add_string(hal_vec *v, hal_slice value, hal_err *err)
{
    hal_status st = HAL_OK;
    if (HAL_UNLIKELY(v->typed && v->type != HAL_TYPE_STRING))
        st = widen(v, HAL_TYPE_STRING, err);
    if (!st)
        st = ready(v, HAL_TYPE_STRING, err);
    if (!st)
        st = reserve_bytes(v, value.size_bytes, err);
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
    char text[HAL_DOUBLE_TEXT_MAX];
    double d;
    int64_t n;
    switch (from->type) {
    case HAL_TYPE_BOOL:
        if (to->type != HAL_TYPE_STRING)
            return false;
        *st =
            hal_vec_add_string(to, hal_slice_of(get_bit(from->values, i) ? "true" : "false"), err);
        return true;
    case HAL_TYPE_INT64:
        n = ((const int64_t *)from->values)[i];
        if (to->type == HAL_TYPE_FLOAT64 && (nearest || hal_number_fits_double(n)))
            *st = hal_vec_add_float64(to, (double)n, err);
        else if (to->type == HAL_TYPE_STRING)
            *st = hal_vec_add_string(to, (hal_slice){text, hal_number_print_int64(text, n)}, err);
        else
            return false;
        return true;
    case HAL_TYPE_FLOAT64:
        if (to->type != HAL_TYPE_STRING)
            return false;
        d = ((const double *)from->values)[i];
        *st = hal_vec_add_string(to, (hal_slice){text, hal_number_print_plain(text, d)}, err);
        return true;
    case HAL_TYPE_STRING:
        if (to->type == HAL_TYPE_INT64 && hal_number_read_int64(string_at(from, i), &n))
            *st = hal_vec_add_int64(to, n, err);
        else if (to->type == HAL_TYPE_FLOAT64 && text_to_double(string_at(from, i), nearest, &d))
            *st = hal_vec_add_float64(to, d, err);
        else if (to->type == HAL_TYPE_BOOL &&
                 (hal_slice_equals(string_at(from, i), hal_slice_of("true")) ||
                  hal_slice_equals(string_at(from, i), hal_slice_of("false"))))
            *st = hal_vec_add_bool(to, string_at(from, i).size_bytes == 4, err);
        else
            return false;
        return true;
    }
    return false;
}

hal_status hal_vec_convert(hal_vec *v, hal_type type, bool nearest, bool *done, hal_err *err)
{
    *done = false;
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
        if (v->valid && !get_bit(v->valid, i)) {
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

hal_slice hal_cell_text(const hal_table *t, size_t i_col, uint64_t row, char room[32])
{
    switch (hal_table_field(t, i_col)->type) {
    case HAL_TYPE_BOOL:
        return hal_slice_of(hal_table_bool(t, i_col, row) ? "true" : "false");
    case HAL_TYPE_INT64:
        return (hal_slice){room, hal_number_print_int64(room, hal_table_int64(t, i_col, row))};
    case HAL_TYPE_FLOAT64:
        return (hal_slice){room, hal_number_print_plain(room, hal_table_float64(t, i_col, row))};
    case HAL_TYPE_STRING:
        break;
    }
    return hal_table_string(t, i_col, row);
}

static hal_status add_cell(hal_vec *v, const hal_table *t, size_t i_col, uint64_t row, hal_err *err)
{
    if (v->type == HAL_TYPE_STRING) {
        char room[HAL_DOUBLE_TEXT_MAX];
        return hal_vec_add_string(v, hal_cell_text(t, i_col, row, room), err);
    }
    switch (hal_table_field(t, i_col)->type) {
    case HAL_TYPE_BOOL:
        return hal_vec_add_bool(v, hal_table_bool(t, i_col, row), err);
    case HAL_TYPE_INT64:
        return hal_vec_add_int64(v, hal_table_int64(t, i_col, row), err);
    case HAL_TYPE_FLOAT64:
        return hal_vec_add_float64(v, hal_table_float64(t, i_col, row), err);
    case HAL_TYPE_STRING:
        break;
    }
    return hal_err_set(err, HAL_E_INTERNAL, "column %s does not fit its new type",
                       hal_table_field(t, i_col)->name);
}

hal_status hal_vec_add_rows(hal_vec *v, const hal_table *t, size_t i_col, uint64_t first,
                            uint64_t n, hal_err *err)
{
    hal_column column = hal_table_column(t, i_col);
    hal_type type = hal_table_field(t, i_col)->type;
    hal_status st = hal_vec_grow(v, n, err);
    if (!st && v->typed && v->type == type && !column.n_nulls && !v->valid && n > 1 &&
        type != HAL_TYPE_BOOL) {
        if (type != HAL_TYPE_STRING) {
            memcpy((char *)v->values + 8 * v->n_rows, (const char *)column.values + 8 * first,
                   (size_t)(8 * n));
        } else {
            const int64_t *offsets = column.offsets + first;
            st = reserve_bytes(v, (uint64_t)(offsets[n] - offsets[0]), err);
            if (st)
                return st;
            int64_t at = v->offsets[v->n_rows];
            if (offsets[n] > offsets[0])
                memcpy(v->bytes + at, column.bytes + offsets[0], (size_t)(offsets[n] - offsets[0]));
            for (uint64_t i = 1; i <= n; i++)
                v->offsets[v->n_rows + i] = at + offsets[i] - offsets[0];
        }
        v->n_rows += n;
        return HAL_OK;
    }
    for (uint64_t i = first; i < first + n && !st; i++)
        st = column.valid && !get_bit(column.valid, i) ? hal_vec_pad(v, v->n_rows + 1, err)
                                                       : add_cell(v, t, i_col, i, err);
    return st;
}
