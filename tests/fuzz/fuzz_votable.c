/* SPDX-License-Identifier: BSD-3-Clause */
/* VOTable from arbitrary bytes: pieces of any size give the same, and what is read as a table can
 * be written as BINARY2 and read back. */
#include "data/writer.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool sound)
{
    if (!sound)
        __builtin_trap();
}

static hal_table *read_text(const char *bytes, size_t n, size_t piece, hal_status *st)
{
    const hal_reader_limits limits = {.rows_max = 10000, .columns_max = 100};
    hal_reader *r = hal_reader_new(HAL_FORMAT_VOTABLE, &limits, NULL);
    hal_answer answer;
    hal_table *t = NULL;
    *st = HAL_OK;
    for (size_t at = 0; at < n && !*st; at += piece)
        *st = hal_reader_feed(r, bytes + at, piece < n - at ? piece : n - at, NULL);
    if (!*st)
        *st = hal_reader_finish(r, &answer, &t, NULL);
    hal_reader_free(r);
    return t;
}

static void round_trip(const hal_table *t)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/halyard-fuzz-votable-%ld", (long)getpid());
    uint64_t size = 0;
    hal_writer *w = hal_writer_open_like(path, HAL_FORMAT_VOTABLE_BINARY2, t, NULL);
    bool written = w && !hal_writer_table(w, t, NULL) && !hal_writer_commit(w, &size, NULL);
    hal_writer_free(w);
    if (!written)
        return; /* the integer that stands for null among the items of an array */
    char *text = malloc(size + 1);
    FILE *f = fopen(path, "rb");
    check(f && fread(text, 1, size, f) == size);
    fclose(f);
    unlink(path);
    hal_status st;
    hal_table *back = read_text(text, size, size, &st);
    if (st)
        fprintf(stderr, "%.*s\n", (int)size, text);
    check(!st);
    check(!back || hal_table_rows(back) == hal_table_rows(t));
    hal_table_unref(back);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hal_status st, slow_st;
    hal_table *t = read_text((const char *)data, size, size ? size : 1, &st);
    hal_table *slow = read_text((const char *)data, size, 1, &slow_st);
    check(st == slow_st && !t == !slow);
    if (t) {
        check(hal_table_rows(t) == hal_table_rows(slow));
        check(hal_table_columns(t) == hal_table_columns(slow));
        round_trip(t);
    }
    hal_table_unref(t);
    hal_table_unref(slow);
    return 0;
}
