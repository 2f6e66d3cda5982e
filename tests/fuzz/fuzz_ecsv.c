/* SPDX-License-Identifier: BSD-3-Clause */
/* ECSV from arbitrary bytes: whatever is read is written, and reads back to the same bytes. */
#include "tables.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Arrays without a subtype in ECSV: they come back as the texts of their JSON. */
static bool has_lists_of_texts(const hal_table *t)
{
    for (size_t i = 0; i < hal_table_columns(t); i++) {
        const hal_field *f = hal_table_field(t, i);
        bool paired = f->type == HAL_TYPE_COMPLEX64 || f->type == HAL_TYPE_COMPLEX128;
        if (f->width != 1 && (paired || f->type == HAL_TYPE_TIMESTAMP))
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const hal_reader_options options = {.limits = {.rows_max = 10000, .columns_max = 100}};
    const char *bytes = (const char *)data;
    hal_table *t = read_pieces(HAL_FORMAT_ECSV, bytes, size, size ? size : 1, &options, NULL);
    hal_table *slow = read_pieces(HAL_FORMAT_ECSV, bytes, size, 1, &options, NULL);
    check_same(t, slow);
    if (t && has_lists_of_texts(t)) {
        size_t n = 0;
        char *text = write_bytes(t, HAL_FORMAT_ECSV, &n);
        hal_table_unref(t);
        t = read_pieces(HAL_FORMAT_ECSV, text, n, n, &options, NULL);
        free(text);
        check(t);
    }
    if (t)
        check_text_comes_back(t, HAL_FORMAT_ECSV, &options);
    hal_table_unref(t);
    hal_table_unref(slow);
    return 0;
}
