/* SPDX-License-Identifier: BSD-3-Clause */
/* VOTable from arbitrary bytes: pieces of any size give the same, and what is read as a table can
 * be written as BINARY2 and read back. Some inputs also stand among rows of so many bytes that
 * they go through the team in blocks. */
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
    const hal_reader_limits limits = {.rows_max = 200000, .columns_max = 100};
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

static void same(const char *text, size_t size, size_t piece, bool back)
{
    hal_status st, slow_st;
    hal_table *t = read_text(text, size, size ? size : 1, &st);
    hal_table *slow = read_text(text, size, piece, &slow_st);
    check(st == slow_st && !t == !slow);
    if (t) {
        check(hal_table_rows(t) == hal_table_rows(slow));
        check(hal_table_columns(t) == hal_table_columns(slow));
        if (back)
            round_trip(t);
    }
    hal_table_unref(t);
    hal_table_unref(slow);
}

static char *put(char *p, const char *text)
{
    size_t n = strlen(text);
    memcpy(p, text, n);
    return p + n;
}

/* The input behind and before more than a block of rows. */
static void among_rows(const uint8_t *data, size_t size)
{
    enum { N = 30000 };
    static const char row[] = "<TR><TD>1</TD><TD>abc</TD></TR>\n";
    char *text = malloc(2 * N * sizeof row + size + 1000), *p = text;
    p = put(p, "<VOTABLE><RESOURCE><TABLE><FIELD name='n' datatype='short'/><FIELD name='s' "
               "datatype='char' arraysize='*'/><DATA><TABLEDATA>");
    for (int i = 0; i < 2 * N; i++) {
        if (i == N) {
            memcpy(p, data, size);
            p += size;
        }
        p = put(p, row);
    }
    p = put(p, "</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>");
    same(text, (size_t)(p - text), 1 + size % 5000, false);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    same((const char *)data, size, 1, true);
    if (size % 8 == 3)
        among_rows(data, size);
    return 0;
}
