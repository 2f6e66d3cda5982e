/* SPDX-License-Identifier: BSD-3-Clause */
/* FITS from arbitrary bytes, whole and in pieces; what is read is written and reads back. */
#include "tables.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_and_read(const hal_table *t)
{
    const hal_reader_options options = {0};
    size_t n;
    char *bytes = write_bytes(t, HAL_FORMAT_FITS, &n);
    if (!bytes)
        return;
    hal_table *back = read_pieces(HAL_FORMAT_FITS, bytes, n, 4096, &options, NULL);
    check(back && hal_table_rows(back) == hal_table_rows(t) &&
          hal_table_columns(back) == hal_table_columns(t));
    hal_table_unref(back);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const hal_reader_options options = {.limits = {.rows_max = 10000, .columns_max = 200}};
    const char *bytes = (const char *)data;
    hal_table *t = read_pieces(HAL_FORMAT_FITS, bytes, size, size ? size : 1, &options, NULL);
    hal_table *slow = read_pieces(HAL_FORMAT_FITS, bytes, size, 7, &options, NULL);
    check_same(t, slow);
    if (t)
        write_and_read(t);
    hal_table_unref(t);
    hal_table_unref(slow);
    return 0;
}
