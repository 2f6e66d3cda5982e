/* SPDX-License-Identifier: BSD-3-Clause */
/* Recorded VOTables, read in pieces and shown whole. */
#ifndef HAL_TESTS_VOTABLE_TEST_H
#define HAL_TESTS_VOTABLE_TEST_H

#include "base/alloc.h"
#include "base/buf.h"
#include "data/reader.h"
#include "data/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static inline hal_status read_bytes(const char *text, size_t n, size_t piece, const char *which,
                                    hal_answer *answer, hal_table **t, hal_err *err)
{
    const hal_reader_options options = {.table = which};
    *t = NULL;
    hal_reader *r = hal_reader_new_with(HAL_FORMAT_AUTO, &options, err);
    assert_non_null(r);
    hal_status st = HAL_OK;
    for (size_t at = 0; at < n && !st; at += piece)
        st = hal_reader_feed(r, text + at, piece < n - at ? piece : n - at, err);
    if (!st)
        st = hal_reader_finish(r, answer, t, err);
    hal_reader_free(r);
    return st;
}

static inline char *load(const char *name, size_t *n)
{
    const char *shared = getenv("HALYARD_SHARED");
    char path[1024];
    snprintf(path, sizeof path, "%s/data/votable/%s", shared ? shared : "../shared", name);
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("cannot open %s", path);
    char *text = malloc(1 << 20);
    *n = fread(text, 1, 1 << 20, f);
    fclose(f);
    return text;
}

static inline hal_items items_of(const hal_table *t, size_t c, uint64_t row)
{
    return hal_field_is_scalar(hal_table_field(t, c)) ? (hal_items){row, 1}
                                                      : hal_table_items(t, c, row);
}

static inline void dump_cell(hal_buf *b, const hal_table *t, size_t c, uint64_t row)
{
    const hal_field *f = hal_table_field(t, c);
    hal_column column = hal_table_column(t, c);
    char room[HAL_CELL_TEXT_MAX];
    if (f->type == HAL_TYPE_STRING) {
        hal_slice s = hal_table_string(t, c, row);
        assert_int_equal(hal_buf_append(b, s.data, s.size_bytes, NULL), HAL_OK);
        return;
    }
    hal_items items = items_of(t, c, row);
    for (uint64_t i = items.first; i < items.first + items.n; i++) {
        size_t n = hal_item_print(room, &column, f->type, i);
        if (column.item_valid && !hal_bit(column.item_valid, i))
            n = 0;
        room[n] = ' ';
        assert_int_equal(hal_buf_append(b, room, n + 1, NULL), HAL_OK);
    }
}

/* All there is to a table, as text. */
static inline char *dump(const hal_table *t)
{
    hal_err err = HAL_ERR_INIT;
    hal_buf b;
    hal_buf_init(&b, 64 << 20);
    for (size_t c = 0; c < hal_table_columns(t); c++) {
        const hal_field *f = hal_table_field(t, c);
        assert_int_equal(hal_buf_printf(&b, &err, "%s|%s|%d|%s|%s|%s|%s|%s|%s|%s\n", f->name,
                                        hal_type_name(f->type), f->width, f->unit, f->ucd, f->utype,
                                        f->xtype, f->id, f->description, f->shape),
                         HAL_OK);
        for (uint64_t row = 0; row < hal_table_rows(t); row++) {
            if (hal_table_is_null(t, c, row))
                assert_int_equal(hal_buf_puts(&b, "null", &err), HAL_OK);
            else
                dump_cell(&b, t, c, row);
            assert_int_equal(hal_buf_puts(&b, "\n", &err), HAL_OK);
        }
    }
    return b.data ? b.data : calloc(1, 1);
}

#endif
