/* SPDX-License-Identifier: BSD-3-Clause */
/* What targets share that read the same input in several ways and write it again. */
#ifndef HAL_FUZZ_TABLES_H
#define HAL_FUZZ_TABLES_H

#include "data/writer.h"

#include "check.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/** The bytes fed `piece` at a time; NULL: a failure, or an answer without a table. `st` may be
 * NULL. */
static inline hal_table *read_pieces(hal_format format, const char *bytes, size_t n, size_t piece,
                                     const hal_reader_options *options, hal_status *st)
{
    hal_reader *r = hal_reader_new_with(format, options, NULL);
    hal_answer answer;
    hal_table *t = NULL;
    hal_status done = HAL_OK;
    for (size_t at = 0; at < n && !done; at += piece)
        done = hal_reader_feed(r, bytes + at, piece < n - at ? piece : n - at, NULL);
    if (!done)
        done = hal_reader_finish(r, &answer, &t, NULL);
    hal_reader_free(r);
    if (st)
        *st = done;
    return done ? NULL : t;
}

/** The table as a file's bytes, which the caller frees; NULL: the format refuses it. In memory: a
 * file would wait for the disk. */
static inline char *write_bytes(const hal_table *t, hal_format format, size_t *n)
{
    hal_buf to;
    hal_buf_init(&to, SIZE_MAX / 4);
    hal_writer *w = hal_writer_open_memory(&to, format, t, NULL);
    bool written = w && !hal_writer_table(w, t, NULL) && !hal_writer_commit(w, NULL, NULL);
    hal_writer_free(w);
    char *bytes = written ? malloc(to.size_bytes + 1) : NULL;
    if (bytes)
        memcpy(bytes, to.data, to.size_bytes);
    *n = to.size_bytes;
    hal_buf_clear(&to);
    return bytes;
}

/** One to seven bytes, by the input. */
static inline size_t small_piece(const uint8_t *data, size_t size)
{
    return size ? data[size - 1] % 7 + 1u : 1;
}

/** Whether an input also stands among rows of more bytes than a block: one in 64, as that costs as
 * much as many inputs alone. */
static inline bool stands_among_rows(size_t size)
{
    return size % 64 == 3;
}

/** Every cell of `part` is that of `whole`, which has the same columns and the rows from `first`
 * on. */
static inline void check_rows(const hal_table *whole, uint64_t first, const hal_table *part)
{
    check(hal_table_columns(whole) == hal_table_columns(part));
    check(first + hal_table_rows(part) <= hal_table_rows(whole));
    hal_buf a, b;
    hal_buf_init(&a, SIZE_MAX / 4);
    hal_buf_init(&b, SIZE_MAX / 4);
    for (size_t i = 0; i < hal_table_columns(whole); i++) {
        const hal_field *x = hal_table_field(whole, i), *y = hal_table_field(part, i);
        check(!strcmp(x->name, y->name) && x->type == y->type && x->width == y->width);
        for (uint64_t row = 0; row < hal_table_rows(part); row++) {
            bool null = hal_table_is_null(whole, i, first + row);
            check(null == hal_table_is_null(part, i, row));
            if (null)
                continue;
            a.size_bytes = b.size_bytes = 0;
            check(!hal_table_cell_text(&a, whole, i, first + row, NULL) &&
                  !hal_table_cell_text(&b, part, i, row, NULL));
            check(a.size_bytes == b.size_bytes &&
                  (!a.size_bytes || !memcmp(a.data, b.data, a.size_bytes)));
        }
    }
    hal_buf_clear(&a);
    hal_buf_clear(&b);
}

/** Both are NULL or the same, cell by cell. */
static inline void check_same(const hal_table *a, const hal_table *b)
{
    check(!a == !b);
    if (a) {
        check(hal_table_rows(a) == hal_table_rows(b));
        check_rows(a, 0, b);
    }
}

/** Text formats: what is written reads back and is written the same. Tables without columns are
 * not: they are written with a warning. */
static inline void check_text_comes_back(const hal_table *t, hal_format format,
                                         const hal_reader_options *options)
{
    size_t n, n_again;
    char *text = write_bytes(t, format, &n);
    check(text);
    if (!hal_table_columns(t)) {
        free(text);
        return;
    }
    hal_reader_options as_named =
        *options; /* else a name that is a number is an answer's only word */
    as_named.as_named = true;
    hal_table *back = read_pieces(format, text, n, n, &as_named, NULL);
    /* A name such as "" or "#x" alone in the header is quoted and comes back. */
    check(back && hal_table_rows(back) == hal_table_rows(t));
    char *again = write_bytes(back, format, &n_again);
    check(again && n == n_again && !memcmp(text, again, n));
    hal_table_unref(back);
    free(text);
    free(again);
}

#endif
