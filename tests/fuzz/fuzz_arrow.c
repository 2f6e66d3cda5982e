/* SPDX-License-Identifier: BSD-3-Clause */
/* Arrow metadata from arbitrary bytes: what is read of a table or field, written and read again is
 * the same. (Schemas and arrays are pointers: only the program they come from can get them
 * wrong.) */
#include "data/arrow_metadata.h"

#include "check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_bytes(const hal_buf *a, const hal_buf *b)
{
    return hal_slice_equals(hal_buf_slice(a), hal_buf_slice(b));
}

static void table_round_trip(hal_slice bytes)
{
    hal_metadata first = {0}, second = {0};
    hal_buf a, b;
    hal_buf_init(&a, HAL_ARROW_METADATA_MAX);
    hal_buf_init(&b, HAL_ARROW_METADATA_MAX);
    if (!hal_arrow_metadata_read_table(bytes, &first, NULL)) {
        check(!hal_arrow_metadata_add_table(&a, &first, NULL));
        check(!hal_arrow_metadata_read_table(hal_buf_slice(&a), &second, NULL));
        check(!hal_arrow_metadata_add_table(&b, &second, NULL));
        check(first.n_items == second.n_items && same_bytes(&a, &b));
    }
    hal_metadata_clear(&first);
    hal_metadata_clear(&second);
    hal_buf_clear(&a);
    hal_buf_clear(&b);
}

static void field_round_trip(hal_slice bytes)
{
    hal_field first = {0}, second = {0};
    hal_buf a, b;
    hal_buf_init(&a, HAL_ARROW_METADATA_MAX);
    hal_buf_init(&b, HAL_ARROW_METADATA_MAX);
    if (!hal_arrow_metadata_read_field(bytes, &first, NULL)) {
        check(!hal_arrow_metadata_add_field(&a, &first, NULL));
        check(!hal_arrow_metadata_read_field(hal_buf_slice(&a), &second, NULL));
        check(!hal_arrow_metadata_add_field(&b, &second, NULL));
        check(same_bytes(&a, &b));
    }
    hal_arrow_metadata_clear_field(&first);
    hal_arrow_metadata_clear_field(&second);
    hal_buf_clear(&a);
    hal_buf_clear(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const hal_slice bytes = {(const char *)data, size};
    table_round_trip(bytes);
    field_round_trip(bytes);
    (void)hal_arrow_metadata_is_complex(bytes);
    return 0;
}
