/* SPDX-License-Identifier: BSD-3-Clause */
/* A table with a column of every type and width, and the comparison of two tables, for tests of
 * what carries tables. */
#ifndef HAL_TESTS_EVERY_TYPE_H
#define HAL_TESTS_EVERY_TYPE_H

#include "data/table.h"

enum { EVERY_SCALARS = HAL_TYPES, EVERY_COLUMNS = 3 * HAL_TYPES - 2 };

/* Scalars of every type, then arrays of 3 and of any length of every type but text. */
static inline hal_field every_field(size_t c)
{
    static const char *const names[3] = {"scalar", "fixed", "variable"};
    static const int32_t widths[3] = {1, 3, HAL_WIDTH_VARIABLE};
    static char text[EVERY_COLUMNS][40];
    size_t kind = c < HAL_TYPES ? 0 : 1 + (c - HAL_TYPES) / (HAL_TYPES - 1);
    size_t type = kind ? (c - HAL_TYPES) % (HAL_TYPES - 1) : c;
    type += kind && type >= HAL_TYPE_STRING;
    size_t n = 0;
    for (const char *p = names[kind]; *p; p++)
        text[c][n++] = *p;
    text[c][n++] = '_';
    for (const char *p = hal_type_name((hal_type)type); *p; p++)
        text[c][n++] = *p;
    text[c][n] = 0;
    return (hal_field){.name = text[c],
                       .type = (hal_type)type,
                       .width = widths[kind],
                       .unit = c % 2 ? "mag" : "",
                       .ucd = "phot.mag",
                       .description = "what it is",
                       .utype = "a:b.c",
                       .xtype = c % 3 ? "" : "x",
                       .id = "col",
                       .shape = kind == 1 ? "3" : "",
                       .original_name = "1st",
                       .null_value = "-999"};
}

/* Item `k` of row `i` in its type; `out` has room for 3 of any. */
static inline void every_item(hal_type type, uint64_t i, uint64_t k, void *out)
{
    int64_t v = (int64_t)(i * 31 + k * 7) % 200;
    switch (type) {
    case HAL_TYPE_BOOL:
        ((uint8_t *)out)[0] =
            (uint8_t)((((uint8_t *)out)[0] & ~(1u << k)) | (unsigned)(v % 2) << k);
        break;
    case HAL_TYPE_UINT8:
        ((uint8_t *)out)[k] = (uint8_t)v;
        break;
    case HAL_TYPE_INT16:
        ((int16_t *)out)[k] = (int16_t)(v * -100);
        break;
    case HAL_TYPE_INT32:
        ((int32_t *)out)[k] = (int32_t)(v * -1000000);
        break;
    case HAL_TYPE_INT64:
    case HAL_TYPE_TIMESTAMP:
        ((int64_t *)out)[k] = (v - 100) * INT64_C(40000000000000001);
        break;
    case HAL_TYPE_FLOAT32:
        ((float *)out)[k] = (float)v / 8;
        break;
    case HAL_TYPE_FLOAT64:
        ((double *)out)[k] = (double)v / 10;
        break;
    case HAL_TYPE_COMPLEX64:
        ((float *)out)[2 * k] = (float)v / 8;
        ((float *)out)[2 * k + 1] = -1;
        break;
    case HAL_TYPE_COMPLEX128:
        ((double *)out)[2 * k] = (double)v / 10;
        ((double *)out)[2 * k + 1] = -1;
        break;
    case HAL_TYPE_STRING:
        break;
    }
}

static inline hal_status every_cell(hal_builder *b, size_t c, const hal_field *f, uint64_t i,
                                    hal_err *err)
{
    static const char text[] = "caf\xc3\xa9 12345";
    double room[6] = {0};
    if (f->type == HAL_TYPE_STRING) {
        size_t size = i % sizeof text;
        return hal_builder_string(b, c, (hal_slice){text, size == 4 ? 5 : size}, err);
    }
    uint64_t n = f->width == 1 ? 1 : f->width == 3 ? 3 : i % 4;
    for (uint64_t k = 0; k < n; k++)
        every_item(f->type, i, k, room);
    const void *items = room;
    if (f->width != 1) {
        uint8_t valid = (uint8_t)(i % 5 == 2 ? 0x5 : 0x7);
        return hal_builder_array(b, c, items, n, &valid, err);
    }
    switch (f->type) {
    case HAL_TYPE_BOOL:
        return hal_builder_bool(b, c, *(const uint8_t *)items & 1, err);
    case HAL_TYPE_UINT8:
        return hal_builder_int64(b, c, *(const uint8_t *)items, err);
    case HAL_TYPE_INT16:
        return hal_builder_int64(b, c, *(const int16_t *)items, err);
    case HAL_TYPE_INT32:
        return hal_builder_int64(b, c, *(const int32_t *)items, err);
    case HAL_TYPE_FLOAT32:
        return hal_builder_float64(b, c, (double)*(const float *)items, err);
    case HAL_TYPE_FLOAT64:
        return hal_builder_float64(b, c, *(const double *)items, err);
    case HAL_TYPE_COMPLEX64:
        return hal_builder_complex(b, c, (double)((const float *)items)[0], -1, err);
    case HAL_TYPE_COMPLEX128:
        return hal_builder_complex(b, c, ((const double *)items)[0], -1, err);
    default:
        return hal_builder_int64(b, c, *(const int64_t *)items, err);
    }
}

/* Row `i` of column `c` is null when (i + c) % 7 == 3. NULL with `err` when there is no memory. */
static inline hal_table *every_table(uint64_t n, hal_err *err)
{
    hal_field fields[EVERY_COLUMNS];
    for (size_t c = 0; c < EVERY_COLUMNS; c++)
        fields[c] = every_field(c);
    hal_metadata m = {.name = "every", .description = "all types", .status = "OVERFLOW"};
    hal_status st = hal_metadata_add(
        &m, &(hal_meta){.kind = HAL_META_INFO, .name = "QUERY", .value = "select *"}, err);
    hal_builder *b = st ? NULL : hal_builder_new(fields, EVERY_COLUMNS, err);
    hal_table *t = NULL;
    st = b ? hal_builder_metadata(b, &m, err) : HAL_E_NOMEM;
    for (uint64_t i = 0; i < n && !st; i++) {
        for (size_t c = 0; c < EVERY_COLUMNS && !st; c++)
            if ((i + c) % 7 != 3)
                st = every_cell(b, c, &fields[c], i, err);
        if (!st)
            st = hal_builder_end_row(b, err);
    }
    if (!st)
        t = hal_builder_finish(b, err);
    hal_builder_free(b);
    m.name = m.description = m.status = NULL; /* not its own */
    hal_metadata_clear(&m);
    return t;
}

static inline bool same_cell(const hal_table *a, uint64_t row_a, const hal_table *b, uint64_t row_b,
                             size_t c)
{
    bool null = hal_table_is_null(a, c, row_a);
    if (null || hal_table_is_null(b, c, row_b))
        return null == hal_table_is_null(b, c, row_b);
    hal_buf x, y;
    hal_buf_init(&x, 1 << 20);
    hal_buf_init(&y, 1 << 20);
    bool same = !hal_table_cell_text(&x, a, c, row_a, NULL) &&
                !hal_table_cell_text(&y, b, c, row_b, NULL) &&
                hal_slice_equals(hal_buf_slice(&x), hal_buf_slice(&y));
    hal_buf_clear(&x);
    hal_buf_clear(&y);
    return same;
}

/* Rows [first, first + n) of `a` are all rows of `b`, and the columns are alike. */
static inline bool same_rows(const hal_table *a, uint64_t first, uint64_t n, const hal_table *b)
{
    bool same = hal_table_rows(b) == n && hal_table_columns(a) == hal_table_columns(b);
    for (size_t c = 0; same && c < hal_table_columns(a); c++) {
        const hal_field *x = hal_table_field(a, c), *y = hal_table_field(b, c);
        same = !strcmp(x->name, y->name) && x->type == y->type && x->width == y->width &&
               !strcmp(x->unit, y->unit) && !strcmp(x->ucd, y->ucd) &&
               !strcmp(x->description, y->description) && !strcmp(x->utype, y->utype) &&
               !strcmp(x->xtype, y->xtype) && !strcmp(x->id, y->id) &&
               !strcmp(x->shape, y->shape) && !strcmp(x->original_name, y->original_name) &&
               !strcmp(x->null_value, y->null_value);
        uint64_t nulls = 0;
        for (uint64_t i = 0; same && i < n; i++) {
            same = same_cell(a, first + i, b, i, c);
            nulls += hal_table_is_null(b, c, i);
        }
        same = same && hal_table_column(b, c).n_nulls == nulls;
    }
    return same;
}

#endif
