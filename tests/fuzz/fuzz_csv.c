/* SPDX-License-Identifier: BSD-3-Clause */
/* CSV from arbitrary bytes: pieces of any size give the same table, cell by cell, and what is read
 * is written, and reads back to the same bytes. Some inputs also stand among rows of so many bytes
 * that they go through the team in blocks. */
#include "data/writer.h"

#include "tables.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static hal_table *read_text(const char *bytes, size_t n, size_t piece)
{
    const hal_reader_limits limits = {.rows_max = 100000, .columns_max = 100};
    hal_reader *r = hal_reader_new(HAL_FORMAT_CSV, &limits, NULL);
    hal_answer answer;
    hal_table *t = NULL;
    hal_status st = HAL_OK;
    for (size_t at = 0; at < n && !st; at += piece)
        st = hal_reader_feed(r, bytes + at, piece < n - at ? piece : n - at, NULL);
    if (!st && hal_reader_finish(r, &answer, &t, NULL))
        t = NULL;
    hal_reader_free(r);
    return t;
}

/* The file is small: read as a whole. */
static char *write_text(const hal_table *t, size_t *n)
{
    static char path[] = "/tmp/halyard-fuzz-csv";
    size_t n_columns = hal_table_columns(t);
    hal_field *fields = malloc(n_columns * sizeof *fields);
    for (size_t i = 0; i < n_columns; i++)
        fields[i] = *hal_table_field(t, i);
    char own[64];
    snprintf(own, sizeof own, "%s-%ld", path, (long)getpid());
    hal_writer *w = hal_writer_open(own, HAL_FORMAT_CSV, fields, n_columns, NULL);
    uint64_t size = 0;
    check(w && !hal_writer_table(w, t, NULL) && !hal_writer_commit(w, &size, NULL));
    hal_writer_free(w);
    free(fields);
    char *text = malloc(size + 1);
    FILE *f = fopen(own, "rb");
    check(f && fread(text, 1, size, f) == size);
    fclose(f);
    unlink(own);
    *n = size;
    return text;
}

/* The input behind and before more than a block of rows: in pieces below a block, and in one
 * piece. */
static void among_rows(const char *bytes, size_t size)
{
    enum { N = 20000 };
    static const char head[] = "n,text\n", row[] = "12345,\"abc,\"\n";
    size_t n_row = sizeof row - 1, n = sizeof head - 1;
    char *text = malloc(n + 2 * N * n_row + size);
    memcpy(text, head, n);
    for (int i = 0; i < 2 * N; i++) {
        if (i == N) {
            memcpy(text + n, bytes, size);
            n += size;
        }
        memcpy(text + n, row, n_row);
        n += n_row;
    }
    hal_table *t = read_text(text, n, n);
    hal_table *slow = read_text(text, n, 1 + size % 5000);
    check_same(t, slow);
    hal_table_unref(t);
    hal_table_unref(slow);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hal_table *t = read_text((const char *)data, size, size ? size : 1);
    hal_table *slow = read_text((const char *)data, size, 1);
    check_same(t, slow);
    if (t) {
        size_t n, n_again;
        char *text = write_text(t, &n);
        hal_table *back = read_text(text, n, n);
        /* A name such as "" or "#x" alone in the header is quoted and comes back. */
        check(back && hal_table_rows(back) == hal_table_rows(t));
        char *again = write_text(back, &n_again);
        check(n == n_again && !memcmp(text, again, n));
        hal_table_unref(back);
        free(text);
        free(again);
    }
    hal_table_unref(t);
    hal_table_unref(slow);
    if (size % 8 == 3)
        among_rows((const char *)data, size);
    return 0;
}
