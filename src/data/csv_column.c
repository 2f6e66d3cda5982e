/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/csv_column.h"

#include "base/alloc.h"
#include "base/number.h"
#include "data/vec.h"

#include <math.h>

void hal_csv_column_clear(hal_csv_column *c)
{
    hal_free(c->name);
    hal_vec_clear(&c->vec);
    hal_free(c->spelling.decimals);
    hal_free(c->spelling.low);
    hal_free(c->odd);
    *c = (hal_csv_column){0};
}

static bool get_bit(const uint8_t *bits, uint64_t i)
{
    return bits[i / 8] >> i % 8 & 1;
}

static hal_type type_of(hal_csv_kind kind)
{
    return kind == HAL_CSV_BOOL    ? HAL_TYPE_BOOL
           : kind == HAL_CSV_INT   ? HAL_TYPE_INT64
           : kind == HAL_CSV_FLOAT ? HAL_TYPE_FLOAT64
                                   : HAL_TYPE_STRING;
}

static hal_status plane_room(uint8_t **plane, uint64_t *capacity, uint64_t n, hal_err *err)
{
    if (n <= *capacity)
        return HAL_OK;
    uint64_t size = n < 2 * *capacity ? 2 * *capacity : n + 1024;
    uint8_t *grown = hal_realloc(*plane, (size_t)size);
    if (!grown)
        return hal_err_nomem(err, (size_t)size);
    *plane = grown;
    *capacity = size;
    return HAL_OK;
}

static const double power_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
                                      1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};

static uint8_t decimals_at(const hal_csv_column *c, uint64_t row)
{
    return c->spelling.decimals ? c->spelling.decimals[row] : (uint8_t)c->decimals;
}

/* The digits of a short one. */
static uint64_t short_digits(double d, uint8_t decimals)
{
    return decimals ? (uint64_t)(fabs(d) * power_of_ten[decimals] + 0.5) : (uint64_t)fabs(d);
}

/* The spelling of the rows from `first` on, which are in the column already; `decimals` NULL: none
 * has any, `valid` NULL: none is null. */
static hal_status spell(hal_csv_column *c, uint64_t first, uint64_t n, const uint8_t *valid,
                        const uint8_t *decimals, const uint8_t *low, bool is_long, hal_err *err)
{
    hal_status st = HAL_OK;
    for (uint64_t i = 0; i < n && !c->spelling.decimals; i++) {
        int d = decimals ? decimals[i] : 0;
        if (valid && !get_bit(valid, i))
            continue;
        if (c->decimals >= 0 && c->decimals != d) {
            st = plane_room(&c->spelling.decimals, &c->decimals_capacity, first + n, err);
            if (st)
                return st;
            memset(c->spelling.decimals, c->decimals, (size_t)(first + n));
        }
        c->decimals = d;
    }
    if (c->spelling.decimals) {
        st = plane_room(&c->spelling.decimals, &c->decimals_capacity, first + n, err);
        if (st)
            return st;
        if (decimals)
            memcpy(c->spelling.decimals + first, decimals, (size_t)n);
        else
            memset(c->spelling.decimals + first, 0, (size_t)n);
    }
    if (!is_long && !c->spelling.low)
        return HAL_OK;
    bool fresh = !c->spelling.low;
    st = plane_room(&c->spelling.low, &c->low_capacity, first + n, err);
    if (st)
        return st;
    const double *values = c->vec.values;
    for (uint64_t i = fresh ? 0 : first; i < first + n; i++) {
        uint8_t k = decimals_at(c, i);
        bool known = low && i >= first;
        c->spelling.low[i] = known              ? low[i - first]
                             : k == HAL_CSV_ODD ? 0
                                                : (uint8_t)short_digits(values[i], k);
    }
    return HAL_OK;
}

static hal_status add_odd(hal_csv_column *c, hal_slice text, hal_err *err)
{
    uint32_t size = (uint32_t)text.size_bytes;
    size_t need = c->odd_size + sizeof size + size;
    if (need > c->odd_capacity) {
        size_t capacity = need < 1024 ? 2048 : 2 * need;
        char *grown = hal_realloc(c->odd, capacity);
        if (!grown)
            return hal_err_nomem(err, capacity);
        c->odd = grown;
        c->odd_capacity = capacity;
    }
    memcpy(c->odd + c->odd_size, &size, sizeof size);
    memcpy(c->odd + c->odd_size + sizeof size, text.data, size);
    c->odd_size = need;
    return HAL_OK;
}

/* The text of a double that was written with `decimals` digits behind the point: the decimal next
 * to it, whose digits end in `low` when there are too many to say by rounding. Seventeen digits are
 * at most 23 units from what d * 10^decimals gives. */
static hal_slice plain_text(double d, uint8_t decimals, const uint8_t *low, char room[32])
{
    uint64_t w = short_digits(d, decimals);
    if (low)
        w += (uint64_t)(int64_t)(int8_t)(uint8_t)(*low - (uint8_t)w);
    char *p = room + 32;
    for (int i = 0; w || i <= decimals; i++, w /= 10) {
        if (i == decimals && decimals)
            *--p = '.';
        *--p = (char)('0' + w % 10);
    }
    if (signbit(d))
        *--p = '-';
    return (hal_slice){p, (size_t)(room + 32 - p)};
}

static hal_status to_text(hal_csv_column *c, hal_err *err)
{
    hal_vec from = c->vec, to = {0};
    hal_status st = hal_vec_set_type(&to, HAL_TYPE_STRING, err);
    if (!st)
        st = hal_vec_grow(&to, from.n_rows, err);
    size_t odd = 0;
    for (uint64_t i = 0; i < from.n_rows && !st; i++) {
        char room[HAL_DOUBLE_TEXT_MAX];
        if (from.valid && !get_bit(from.valid, i)) {
            st = hal_vec_pad(&to, i + 1, err);
            continue;
        }
        hal_slice text;
        if (c->kind == HAL_CSV_BOOL) {
            text = hal_slice_of(get_bit(from.values, i) ? "true" : "false");
        } else if (c->kind == HAL_CSV_INT) {
            int64_t v = ((const int64_t *)from.values)[i];
            text = (hal_slice){room, hal_number_print_int64(room, v)};
        } else if (decimals_at(c, i) == HAL_CSV_ODD) {
            uint32_t size;
            memcpy(&size, c->odd + odd, sizeof size);
            text = (hal_slice){c->odd + odd + sizeof size, size};
            odd += sizeof size + size;
        } else {
            text = plain_text(((const double *)from.values)[i], decimals_at(c, i),
                              c->spelling.low ? &c->spelling.low[i] : NULL, room);
        }
        st = hal_vec_add_string(&to, text, err);
    }
    if (st) {
        hal_vec_clear(&to);
        return st;
    }
    hal_vec_clear(&c->vec);
    c->vec = to;
    return HAL_OK;
}

/* An integer of at most 2^53 has short digits unless it is beyond them. */
static hal_status to_double(hal_csv_column *c, hal_err *err)
{
    uint64_t n = c->vec.n_rows;
    for (uint64_t i = 0; i < n; i++) {
        double d = (double)((const int64_t *)c->vec.values)[i];
        memcpy((int64_t *)c->vec.values + i, &d, sizeof d);
    }
    c->vec.type = HAL_TYPE_FLOAT64;
    return spell(c, 0, n, c->vec.valid, NULL, NULL, false, err);
}

hal_status hal_csv_column_widen(hal_csv_column *c, hal_csv_kind kind, hal_err *err)
{
    hal_status st = HAL_OK;
    if (kind == c->kind)
        return HAL_OK;
    if (kind == HAL_CSV_FLOAT)
        c->decimals = -1;
    if (c->kind == HAL_CSV_OPEN)
        st = hal_vec_set_type(&c->vec, type_of(kind), err);
    else if (kind == HAL_CSV_FLOAT)
        st = to_double(c, err);
    else
        st = to_text(c, err);
    if (!st)
        c->kind = kind;
    return st;
}

hal_status hal_csv_column_add(hal_csv_column *c, const hal_slice *text, hal_err *err)
{
    hal_status st = HAL_OK;
    uint64_t row = c->vec.n_rows;
    if (text) {
        hal_csv_kind kind = hal_csv_kind_of(*text, c->kind);
        if (kind == HAL_CSV_FLOAT && c->kind == HAL_CSV_INT && c->wide)
            kind = HAL_CSV_STRING;
        st = hal_csv_column_widen(c, kind, err);
    }
    if (st)
        return st;
    if (!text)
        return hal_vec_pad(&c->vec, row + 1, err);
    int64_t i;
    double d;
    uint8_t decimals = HAL_CSV_ODD, low = 0;
    switch (c->kind) {
    case HAL_CSV_BOOL:
        return hal_vec_add_bool(&c->vec, text->size_bytes == 4, err);
    case HAL_CSV_INT:
        if (!hal_number_read_int64(*text, &i))
            return hal_err_set(err, HAL_E_INTERNAL, "not an integer");
        c->wide = c->wide || !hal_number_fits_double(i);
        return hal_vec_add_int64(&c->vec, i, err);
    case HAL_CSV_FLOAT:
        if (!hal_csv_plain_decimal(text->data, text->data + text->size_bytes, &d, &decimals,
                                   &low)) {
            if (!hal_csv_double(*text, &d))
                return hal_err_set(err, HAL_E_INTERNAL, "not a number");
            decimals = HAL_CSV_ODD;
            st = add_odd(c, *text, err);
        }
        if (!st)
            st = hal_vec_add_float64(&c->vec, d, err);
        return st ? st : spell(c, row, 1, NULL, &decimals, &low, true, err);
    default:
        return hal_vec_add_string(&c->vec, *text, err);
    }
}

hal_csv_kind hal_csv_column_unite(const hal_csv_column *c, const hal_csv_block_column *with)
{
    if (c->kind == with->kind || with->kind == HAL_CSV_OPEN)
        return c->kind;
    if (c->kind == HAL_CSV_OPEN)
        return with->kind;
    bool wide = c->kind == HAL_CSV_INT ? c->wide : with->wide;
    bool numbers = c->kind + with->kind == HAL_CSV_INT + HAL_CSV_FLOAT && c->kind != HAL_CSV_BOOL &&
                   with->kind != HAL_CSV_BOOL;
    return numbers && !wide ? HAL_CSV_FLOAT : HAL_CSV_STRING;
}

static hal_status append_texts(hal_vec *v, const hal_csv_block_column *from, uint64_t n,
                               hal_err *err)
{
    const int64_t *ends = from->values.offsets + 1;
    hal_status st = hal_vec_reserve_bytes(v, (uint64_t)ends[n - 1], err);
    if (st)
        return st;
    int64_t *to = v->offsets + v->n_rows, begin = *to++;
    if (ends[n - 1])
        memcpy(v->bytes + begin, from->bytes, (size_t)ends[n - 1]);
    for (uint64_t i = 0; i < n; i++)
        to[i] = begin + ends[i];
    return HAL_OK;
}

static hal_status append_doubles(hal_csv_column *c, const hal_csv_block *b,
                                 const hal_csv_block_column *from, hal_err *err)
{
    uint64_t row = c->vec.n_rows, n = b->n_rows;
    double *to = (double *)c->vec.values + row;
    hal_status st = HAL_OK;
    if (from->kind == HAL_CSV_INT) {
        for (uint64_t i = 0; i < n; i++)
            to[i] = (double)from->values.ints[i];
        return spell(c, row, n, from->valid, NULL, NULL, false, err);
    }
    memcpy(to, from->values.doubles, (size_t)n * sizeof *to);
    for (size_t i = 0; i < from->n_odd && !st; i++)
        st = add_odd(c, (hal_slice){b->bytes + from->odd[i].at, from->odd[i].size}, err);
    return st ? st
              : spell(c, row, n, from->valid, from->spelling.decimals, from->spelling.low,
                      from->is_long, err);
}

hal_status hal_csv_column_append(hal_csv_column *c, hal_csv_kind kind, const hal_csv_block *b,
                                 size_t i_col, hal_err *err)
{
    const hal_csv_block_column *from = &b->columns[i_col];
    hal_vec *v = &c->vec;
    uint64_t n = b->n_rows;
    hal_status st = hal_csv_column_widen(c, kind, err);
    if (st || !n)
        return st;
    if (from->kind == HAL_CSV_OPEN || kind == HAL_CSV_OPEN) {
        return hal_vec_pad(v, v->n_rows + n, err);
    }
    st = hal_vec_grow(v, n, err);
    if (st)
        return st;
    switch (kind) {
    case HAL_CSV_BOOL:
        for (uint64_t i = 0; i < n; i++) {
            uint8_t *byte = (uint8_t *)v->values + (v->n_rows + i) / 8,
                    bit = 1u << (v->n_rows + i) % 8;
            *byte = (uint8_t)(get_bit(from->values.bits, i) ? *byte | bit : *byte & ~bit);
        }
        break;
    case HAL_CSV_INT:
        memcpy((int64_t *)v->values + v->n_rows, from->values.ints, (size_t)n * 8);
        c->wide = c->wide || from->wide;
        break;
    case HAL_CSV_FLOAT:
        st = append_doubles(c, b, from, err);
        break;
    default:
        st = append_texts(v, from, n, err);
    }
    return st ? st : hal_vec_commit(v, n, from->n_nulls ? from->valid : NULL, err);
}

static void forget_spelling(hal_csv_column *c)
{
    hal_free(c->spelling.decimals);
    hal_free(c->spelling.low);
    hal_free(c->odd);
    c->spelling = (hal_csv_spelling){0};
    c->odd = NULL;
    c->decimals_capacity = c->low_capacity = 0;
    c->decimals = -1;
    c->odd_size = c->odd_capacity = 0;
}

hal_status hal_csv_column_settle(hal_csv_column *c, hal_err *err)
{
    forget_spelling(c);
    return c->kind == HAL_CSV_OPEN && !c->vec.typed
               ? hal_vec_set_type(&c->vec, HAL_TYPE_STRING, err)
               : HAL_OK;
}

void hal_csv_column_restart(hal_csv_column *c)
{
    if (c->kind == HAL_CSV_OPEN)
        hal_vec_clear(&c->vec);
    c->vec.n_rows = c->vec.n_nulls = 0;
}
