/* SPDX-License-Identifier: BSD-3-Clause */
/* JSON rows from arbitrary bytes: whatever is read does not depend on how the bytes arrive. */
#include "data/reader.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static hal_status read_answer(const char *bytes, size_t n, size_t piece, hal_answer *answer,
                              hal_table **t)
{
    const hal_reader_limits limits = {.rows_max = 100000, .columns_max = 1000};
    hal_reader *r = hal_reader_new(HAL_FORMAT_ROWS_JSON, &limits, NULL);
    hal_status st = HAL_OK;
    for (size_t at = 0; at < n && !st; at += piece)
        st = hal_reader_feed(r, bytes + at, piece < n - at ? piece : n - at, NULL);
    if (!st)
        st = hal_reader_finish(r, answer, t, NULL);
    hal_reader_free(r);
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hal_answer whole, parts;
    hal_table *a = NULL, *b = NULL;
    hal_status st = read_answer((const char *)data, size, size ? size : 1, &whole, &a);
    size_t piece = size ? data[size - 1] % 7 + 1 : 1;
    if (st != read_answer((const char *)data, size, piece, &parts, &b))
        __builtin_trap();
    if (!st && (whole.status != parts.status || !a != !b))
        __builtin_trap();
    if (a &&
        (hal_table_rows(a) != hal_table_rows(b) || hal_table_columns(a) != hal_table_columns(b) ||
         hal_table_size_bytes(a) != hal_table_size_bytes(b)))
        __builtin_trap();
    hal_table_unref(a);
    hal_table_unref(b);
    return 0;
}
