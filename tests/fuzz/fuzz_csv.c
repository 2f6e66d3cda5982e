/* SPDX-License-Identifier: BSD-3-Clause */
/* CSV from arbitrary bytes: pieces of any size give the same table, cell by cell, and what is read
 * is written, and reads back to the same bytes. Some inputs also stand among rows of so many bytes
 * that they go through the team in blocks. */
#include "tables.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const hal_reader_options options = {.limits = {.rows_max = 100000, .columns_max = 100}};

/* The input behind and before more than a block of rows, few long ones: what is between the blocks
 * counts, not what is in them. In pieces below a block, and in one piece. */
static void among_rows(const char *bytes, size_t size)
{
    enum { N = 70 };
    static const char head[] = "n,text\n";
    char row[4096];
    size_t n_row = (size_t)snprintf(row, sizeof row, "12345,%04000d\n67890,\"abc,\"\n", 0);
    size_t n = sizeof head - 1;
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
    hal_table *t = read_pieces(HAL_FORMAT_CSV, text, n, n, &options, NULL);
    hal_table *slow = read_pieces(HAL_FORMAT_CSV, text, n, 500 + size % 5000, &options, NULL);
    check_same(t, slow);
    hal_table_unref(t);
    hal_table_unref(slow);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    hal_table *t = read_pieces(HAL_FORMAT_CSV, bytes, size, size ? size : 1, &options, NULL);
    hal_table *slow =
        read_pieces(HAL_FORMAT_CSV, bytes, size, small_piece(data, size), &options, NULL);
    check_same(t, slow);
    if (t)
        check_text_comes_back(t, HAL_FORMAT_CSV, &options);
    hal_table_unref(t);
    hal_table_unref(slow);
    if (stands_among_rows(size))
        among_rows(bytes, size);
    return 0;
}
