/* SPDX-License-Identifier: BSD-3-Clause */
/* FITS from arbitrary bytes, whole and in pieces; what is read is written and reads back. */
#include "data/writer.h"

#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool sound)
{
    if (!sound)
        __builtin_trap();
}

static hal_table *read_pieces(const char *bytes, size_t n, size_t piece)
{
    const hal_reader_options options = {.limits = {.rows_max = 10000, .columns_max = 200}};
    hal_reader *r = hal_reader_new_with(HAL_FORMAT_FITS, &options, NULL);
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

static void write_and_read(const hal_table *t)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/halyard-fuzz-fits-%ld", (long)getpid());
    hal_writer *w = hal_writer_open_like(path, HAL_FORMAT_FITS, t, NULL);
    if (!w)
        return;
    bool done = !hal_writer_table(w, t, NULL) && !hal_writer_commit(w, NULL, NULL);
    hal_writer_free(w);
    if (!done)
        return;
    hal_reader *r = hal_reader_new(HAL_FORMAT_FITS, NULL, NULL);
    char bytes[4096];
    FILE *f = fopen(path, "rb");
    check(f);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, f)) > 0;)
        check(!hal_reader_feed(r, bytes, n, NULL));
    fclose(f);
    unlink(path);
    hal_answer answer;
    hal_table *back = NULL;
    check(!hal_reader_finish(r, &answer, &back, NULL));
    check(hal_table_rows(back) == hal_table_rows(t) &&
          hal_table_columns(back) == hal_table_columns(t));
    hal_table_unref(back);
    hal_reader_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hal_table *t = read_pieces((const char *)data, size, size ? size : 1);
    hal_table *slow = read_pieces((const char *)data, size, 7);
    check(!t == !slow);
    if (t) {
        check(hal_table_rows(t) == hal_table_rows(slow));
        write_and_read(t);
    }
    hal_table_unref(t);
    hal_table_unref(slow);
    return 0;
}
