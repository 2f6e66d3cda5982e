/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/votable_null.h"

#include "base/alloc.h"
#include "base/number.h"

enum { CANDIDATES = 256 };

struct hal_null_column {
    bool asked; /* an array of integers */
    hal_type type;
    bool has_declared, declared_is_value, any_null;
    int64_t declared;
    uint64_t used[CANDIDATES / 64]; /* which of the candidates are values */
    char text[HAL_INT64_TEXT_MAX + 1];
};

static int64_t lowest_of(hal_type type)
{
    return type == HAL_TYPE_UINT8   ? 0
           : type == HAL_TYPE_INT16 ? INT16_MIN
           : type == HAL_TYPE_INT32 ? INT32_MIN
                                    : INT64_MIN;
}

static int64_t highest_of(hal_type type)
{
    return type == HAL_TYPE_UINT8   ? UINT8_MAX
           : type == HAL_TYPE_INT16 ? INT16_MAX
           : type == HAL_TYPE_INT32 ? INT32_MAX
                                    : INT64_MAX;
}

hal_status hal_nulls_init(hal_nulls *s, hal_format format, const hal_field *fields, size_t n,
                          hal_err *err)
{
    *s = (hal_nulls){0};
    if (format != HAL_FORMAT_VOTABLE && format != HAL_FORMAT_VOTABLE_BINARY2)
        return HAL_OK;
    s->columns = hal_calloc(n ? n : 1, sizeof *s->columns);
    if (!s->columns)
        return hal_err_nomem(err, n * sizeof *s->columns);
    s->n = n;
    for (size_t i = 0; i < n; i++) {
        hal_null_column *c = &s->columns[i];
        c->type = fields[i].type;
        c->asked = !hal_field_is_scalar(&fields[i]) && hal_type_is_integer(c->type);
        c->has_declared = c->asked && fields[i].null_value &&
                          hal_number_read_int64(hal_slice_of(fields[i].null_value), &c->declared) &&
                          c->declared >= lowest_of(c->type) && c->declared <= highest_of(c->type);
    }
    return HAL_OK;
}

void hal_nulls_clear(hal_nulls *s)
{
    hal_free(s->columns);
    *s = (hal_nulls){0};
}

bool hal_nulls_needed(const hal_nulls *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->columns[i].asked)
            return true;
    return false;
}

static int64_t candidate(hal_type type, int i)
{
    return type == HAL_TYPE_UINT8 ? UINT8_MAX - i : lowest_of(type) + i;
}

static void look_at(hal_null_column *c, const hal_table *t, size_t place, uint64_t first,
                    uint64_t n)
{
    const hal_field *f = hal_table_field(t, place);
    hal_column from = hal_table_column(t, place);
    bool scalar = hal_field_is_scalar(f);
    for (uint64_t row = first; row < first + n && hal_type_is_integer(f->type); row++) {
        if (hal_table_is_null(t, place, row))
            continue;
        hal_items items = scalar ? (hal_items){row, 1} : hal_table_items(t, place, row);
        for (uint64_t i = items.first; i < items.first + items.n; i++) {
            if (!scalar && hal_item_is_null(&from, i)) {
                c->any_null = true;
                continue;
            }
            int64_t v = hal_item_int64(&from, f->type, i);
            uint64_t d = c->type == HAL_TYPE_UINT8 ? (uint64_t)(UINT8_MAX - v)
                                                   : (uint64_t)v - (uint64_t)lowest_of(c->type);
            if (d < CANDIDATES)
                c->used[d / 64] |= UINT64_C(1) << d % 64;
            c->declared_is_value = c->declared_is_value || v == c->declared;
        }
    }
}

void hal_nulls_look(hal_nulls *s, const hal_table *t, const size_t *places, uint64_t first,
                    uint64_t n)
{
    for (size_t i = 0; i < s->n; i++) {
        size_t place = places ? places[i] : i;
        if (s->columns[i].asked && place < hal_table_columns(t))
            look_at(&s->columns[i], t, place, first, n);
    }
}

bool hal_nulls_choose(hal_nulls *s)
{
    bool changed = false;
    for (size_t i = 0; i < s->n; i++) {
        hal_null_column *c = &s->columns[i];
        char before[sizeof c->text];
        memcpy(before, c->text, sizeof before);
        int d = 0;
        while (d < CANDIDATES && c->used[d / 64] >> d % 64 & 1)
            d++;
        memset(c->text, 0, sizeof c->text);
        if (c->has_declared && !c->declared_is_value)
            hal_number_print_int64(c->text, c->declared);
        else if (c->any_null && d < CANDIDATES)
            hal_number_print_int64(c->text, candidate(c->type, d));
        changed = changed || strcmp(before, c->text) != 0;
    }
    return changed;
}

void hal_nulls_declare(const hal_nulls *s, hal_field *fields)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->columns[i].asked)
            fields[i].null_value = s->columns[i].text;
}
