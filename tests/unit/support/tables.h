/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables for tests of formats: one with every type and every awkward value, comparison, files. */
#ifndef HAL_TESTS_TABLES_H
#define HAL_TESTS_TABLES_H

#include "data/writer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define MUST(call)                                                                                 \
    do {                                                                                           \
        if (call)                                                                                  \
            fail_msg("%s: %s", #call, err.text);                                                   \
    } while (0)

static inline void same_cell(const hal_table *a, const hal_table *b, size_t i, uint64_t row)
{
    const hal_field *f = hal_table_field(a, i);
    bool null = hal_table_is_null(a, i, row);
    if (null != hal_table_is_null(b, i, row))
        fail_msg("column %s, row %d: one is null", f->name, (int)row);
    if (null)
        return;
    if (f->type == HAL_TYPE_STRING) {
        hal_slice x = hal_table_string(a, i, row), y = hal_table_string(b, i, row);
        if (!hal_slice_equals(x, y))
            fail_msg("column %s, row %d: \"%.*s\" and \"%.*s\"", f->name, (int)row,
                     (int)x.size_bytes, x.data, (int)y.size_bytes, y.data);
        return;
    }
    hal_column ca = hal_table_column(a, i), cb = hal_table_column(b, i);
    hal_items x = hal_table_items(a, i, row), y = hal_table_items(b, i, row);
    if (x.n != y.n)
        fail_msg("column %s, row %d: %d and %d items", f->name, (int)row, (int)x.n, (int)y.n);
    unsigned bytes = hal_type_bits(f->type) / 8;
    for (uint64_t k = 0; k < x.n; k++) {
        bool item_null = hal_item_is_null(&ca, x.first + k);
        bool same = item_null == hal_item_is_null(&cb, y.first + k);
        if (same && !item_null)
            same = bytes == 0 ? hal_item_bool(&ca, x.first + k) == hal_item_bool(&cb, y.first + k)
                              : !memcmp((const char *)ca.values + (x.first + k) * bytes,
                                        (const char *)cb.values + (y.first + k) * bytes, bytes);
        if (!same)
            fail_msg("column %s, row %d, item %d differ", f->name, (int)row, (int)k);
    }
}

static inline void same_text(const char *a, const char *b, const char *what, const char *column)
{
    if (strcmp(a, b) != 0)
        fail_msg("%s of column %s: \"%s\" and \"%s\"", what, column, a, b);
}

/* Bit for bit; the descriptions too when `described`. */
static inline void same_table(const hal_table *a, const hal_table *b, bool described)
{
    assert_int_equal(hal_table_columns(a), hal_table_columns(b));
    assert_int_equal(hal_table_rows(a), hal_table_rows(b));
    for (size_t i = 0; i < hal_table_columns(a); i++) {
        const hal_field *x = hal_table_field(a, i), *y = hal_table_field(b, i);
        assert_string_equal(x->name, y->name);
        if (x->type != y->type || x->width != y->width)
            fail_msg("column %s: %s of %d and %s of %d", x->name, hal_type_name(x->type), x->width,
                     hal_type_name(y->type), y->width);
        if (described) {
            same_text(x->unit, y->unit, "unit", x->name);
            same_text(x->ucd, y->ucd, "UCD", x->name);
            same_text(x->utype, y->utype, "utype", x->name);
            same_text(x->description, y->description, "description", x->name);
            same_text(x->shape, y->shape, "shape", x->name);
        }
        for (uint64_t row = 0; row < hal_table_rows(a); row++)
            same_cell(a, b, i, row);
    }
}

/* Every type as a scalar, an array of 6 and a variable array; 12 rows. `lists`: nulls among
 * variable arrays. */
static inline hal_table *every_type(bool list_nulls)
{
    hal_err err = HAL_ERR_INIT;
    static const char *const texts[] = {
        "plain", "",   " lead", "trail ", "a,\"b\"\nc", "d\xc3\xa9j\xc3\xa0",
        "x",     "\t", "'q'",   "NULL",   "true",       "1e5"};
    static const double doubles[] = {0.1,  -0.0,   1e308,  -1e-308, 5e-324,      180,
                                     1e16, 1.5e-5, -1.7e9, 3.25,    (double)NAN, HUGE_VAL};
    static const int64_t integers[] = {INT64_MIN,        INT64_MAX, 0,         -1,        1,
                                       INT32_MIN,        INT32_MAX, INT16_MIN, INT16_MAX, 255,
                                       9007199254740993, 7};
    hal_field fields[3 * HAL_TYPES];
    char names[3 * HAL_TYPES][32];
    size_t n = 0;
    for (int type = 0; type < HAL_TYPES; type++)
        for (int form = 0; form < 3; form++) {
            if (type == HAL_TYPE_STRING && form)
                continue;
            snprintf(names[n], sizeof names[n], "%s_%d", hal_type_name((hal_type)type), form);
            fields[n] = (hal_field){.name = names[n],
                                    .type = (hal_type)type,
                                    .width = form == 0   ? 1
                                             : form == 1 ? 6
                                                         : HAL_WIDTH_VARIABLE,
                                    .shape = form == 1 ? "2x3" : "",
                                    .unit = type == HAL_TYPE_TIMESTAMP ? "" : "km/s",
                                    .ucd = "phys.veloc",
                                    .utype = "a:b.c",
                                    .description =
                                        "it's \"a long\" one: # with everything in it, and so long "
                                        "that it needs more than one card of a header"};
            n++;
        }
    hal_builder *b = hal_builder_new(fields, n, &err);
    for (int row = 0; row < 12; row++) {
        for (size_t i = 0; i < n; i++) {
            hal_type type = fields[i].type;
            if ((row + (int)i) % 5 == 3 && (list_nulls || fields[i].width != HAL_WIDTH_VARIABLE))
                continue;
            double d = doubles[(row + (int)i) % 12];
            int64_t v = integers[(row + (int)i) % 12];
            if (type == HAL_TYPE_UINT8)
                v &= 0xff;
            if (type == HAL_TYPE_INT16)
                v = (int16_t)v;
            if (type == HAL_TYPE_INT32)
                v = (int32_t)v;
            if (type == HAL_TYPE_TIMESTAMP)
                v = v % INT64_C(250000000000000000);
            if (fields[i].width == 1) {
                if (type == HAL_TYPE_BOOL)
                    MUST(hal_builder_bool(b, i, row % 2, &err));
                else if (type == HAL_TYPE_STRING)
                    MUST(hal_builder_string(b, i, hal_slice_of(texts[row]), &err));
                else if (hal_type_is_integer(type) || type == HAL_TYPE_TIMESTAMP)
                    MUST(hal_builder_int64(b, i, v, &err));
                else if (hal_type_is_float(type))
                    MUST(hal_builder_float64(b, i, type == HAL_TYPE_FLOAT32 ? (double)(float)d : d,
                                             &err));
                else
                    MUST(hal_builder_complex(b, i, 1.5, d > 1e30 ? 2.5 : (double)(float)d, &err));
                continue;
            }
            unsigned char items[6 * 16] = {0};
            uint64_t count = fields[i].width == 6 ? 6 : (uint64_t)row % 4;
            for (uint64_t k = 0; k < count; k++) {
                double item = (double)(row * 10 + (int)k) + 0.5;
                float single = (float)item;
                int64_t whole = row * 10 + (int)k;
                int32_t w32 = (int32_t)whole;
                int16_t w16 = (int16_t)whole;
                switch (type) {
                case HAL_TYPE_BOOL:
                    items[0] = (unsigned char)(items[0] | (unsigned)(k % 2) << k);
                    break;
                case HAL_TYPE_UINT8:
                    items[k] = (unsigned char)whole;
                    break;
                case HAL_TYPE_INT16:
                    memcpy(items + 2 * k, &w16, 2);
                    break;
                case HAL_TYPE_INT32:
                    memcpy(items + 4 * k, &w32, 4);
                    break;
                case HAL_TYPE_FLOAT32:
                    memcpy(items + 4 * k, &single, 4);
                    break;
                case HAL_TYPE_FLOAT64:
                    memcpy(items + 8 * k, &item, 8);
                    break;
                case HAL_TYPE_COMPLEX64:
                    memcpy(items + 8 * k, &single, 4);
                    break;
                case HAL_TYPE_COMPLEX128:
                    memcpy(items + 16 * k, &item, 8);
                    break;
                default:
                    memcpy(items + 8 * k, &whole, 8);
                }
            }
            const uint8_t valid = 0x3d; /* the second item is null, sometimes */
            MUST(hal_builder_array(b, i, items, count, row == 6 ? &valid : NULL, &err));
        }
        MUST(hal_builder_end_row(b, &err));
    }
    hal_table *t = hal_builder_finish(b, &err);
    hal_builder_free(b);
    if (!t)
        fail_msg("%s", err.text);
    return t;
}

/* The bytes of a table in a format; the caller frees. */
static inline char *written_bytes(const hal_table *t, hal_format format, size_t batch, size_t *n)
{
    char path[] = "/tmp/halyard-table-XXXXXX";
    hal_err err = HAL_ERR_INIT;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    hal_writer *w = hal_writer_open_like(path, format, t, &err);
    if (!w)
        fail_msg("%s", err.text);
    uint64_t size = 0, rows = hal_table_rows(t);
    for (uint64_t first = 0; first < rows; first += batch) {
        hal_table *part =
            hal_table_slice(t, first, rows - first < batch ? rows - first : batch, &err);
        assert_non_null(part);
        MUST(hal_writer_table(w, part, &err));
        hal_table_unref(part);
    }
    MUST(hal_writer_commit(w, &size, &err));
    hal_writer_free(w);
    char *bytes = malloc((size_t)size + 1);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    *n = fread(bytes, 1, (size_t)size + 1, f);
    fclose(f);
    unlink(path);
    assert_int_equal(*n, size);
    return bytes;
}

/* NULL and `err` when it fails. */
static inline hal_table *read_bytes(const char *bytes, size_t n, size_t piece, hal_format format,
                                    const hal_reader_options *options, hal_err *err)
{
    hal_reader_options none = {0};
    hal_reader *r = hal_reader_new_with(format, options ? options : &none, err);
    if (!r)
        return NULL;
    hal_answer answer;
    hal_table *t = NULL;
    hal_status st = HAL_OK;
    for (size_t at = 0; at < n && !st; at += piece)
        st = hal_reader_feed(r, bytes + at, piece < n - at ? piece : n - at, err);
    if (!st)
        st = hal_reader_finish(r, &answer, &t, err);
    hal_reader_free(r);
    return st ? NULL : t;
}

#endif
