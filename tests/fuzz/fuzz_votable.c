/* SPDX-License-Identifier: BSD-3-Clause */
/* VOTable from arbitrary bytes: pieces of any size give the same, and what is read as a table can
 * be written as BINARY2 and read back. Some inputs also stand among rows of so many bytes that
 * they go through the team in blocks. */
#include "tables.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const hal_reader_options options = {.limits = {.rows_max = 200000, .columns_max = 100}};

static void round_trip(const hal_table *t)
{
    size_t n;
    char *text = write_bytes(t, HAL_FORMAT_VOTABLE_BINARY2, &n);
    if (!text)
        return; /* the integer that stands for null among the items of an array */
    hal_status st;
    hal_table *back = read_pieces(HAL_FORMAT_VOTABLE, text, n, n, &options, &st);
    check(!st);
    check(!back || hal_table_rows(back) == hal_table_rows(t));
    hal_table_unref(back);
    free(text);
}

static void same(const char *text, size_t size, size_t piece, bool back)
{
    hal_status st, slow_st;
    hal_table *t = read_pieces(HAL_FORMAT_VOTABLE, text, size, size ? size : 1, &options, &st);
    hal_table *slow = read_pieces(HAL_FORMAT_VOTABLE, text, size, piece, &options, &slow_st);
    check(st == slow_st);
    check_same(t, slow);
    if (t && back)
        round_trip(t);
    hal_table_unref(t);
    hal_table_unref(slow);
}

static char *put(char *p, const char *text)
{
    size_t n = strlen(text);
    memcpy(p, text, n);
    return p + n;
}

/* The input behind and before more than a block of rows, few long ones: what is between the blocks
 * counts, not what is in them. */
static void among_rows(const uint8_t *data, size_t size)
{
    enum { N = 140 };
    char row[4096];
    snprintf(row, sizeof row, "<TR><TD>1</TD><TD>%04000d</TD></TR>\n", 0);
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
    same(text, (size_t)(p - text), 500 + size % 5000, false);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    same((const char *)data, size, small_piece(data, size), true);
    if (stands_among_rows(size))
        among_rows(data, size);
    return 0;
}
