/* SPDX-License-Identifier: BSD-3-Clause */
/* ECSV from arbitrary bytes: whatever is read is written, and reads back to the same bytes. */
#include "tables.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const hal_reader_options options = {.limits = {.rows_max = 10000, .columns_max = 100}};
    const char *bytes = (const char *)data;
    hal_table *t = read_pieces(HAL_FORMAT_ECSV, bytes, size, size ? size : 1, &options, NULL);
    hal_table *slow = read_pieces(HAL_FORMAT_ECSV, bytes, size, 1, &options, NULL);
    check_same(t, slow);
    if (t)
        check_text_comes_back(t, HAL_FORMAT_ECSV, &options);
    hal_table_unref(t);
    hal_table_unref(slow);
    return 0;
}
