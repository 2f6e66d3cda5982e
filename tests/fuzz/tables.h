/* SPDX-License-Identifier: BSD-3-Clause */
/* What targets share that read the same input in several ways. */
#ifndef HAL_FUZZ_TABLES_H
#define HAL_FUZZ_TABLES_H

#include "data/table.h"

static inline void check(bool sound)
{
    if (!sound)
        __builtin_trap();
}

/** Every cell of `part` is that of `whole`, which has the same columns and the rows from `first`
 * on. */
static inline void check_rows(const hal_table *whole, uint64_t first, const hal_table *part)
{
    check(hal_table_columns(whole) == hal_table_columns(part));
    check(first + hal_table_rows(part) <= hal_table_rows(whole));
    hal_buf a, b;
    hal_buf_init(&a, SIZE_MAX / 4);
    hal_buf_init(&b, SIZE_MAX / 4);
    for (size_t i = 0; i < hal_table_columns(whole); i++) {
        const hal_field *x = hal_table_field(whole, i), *y = hal_table_field(part, i);
        check(!strcmp(x->name, y->name) && x->type == y->type && x->width == y->width);
        for (uint64_t row = 0; row < hal_table_rows(part); row++) {
            bool null = hal_table_is_null(whole, i, first + row);
            check(null == hal_table_is_null(part, i, row));
            if (null)
                continue;
            a.size_bytes = b.size_bytes = 0;
            check(!hal_table_cell_text(&a, whole, i, first + row, NULL) &&
                  !hal_table_cell_text(&b, part, i, row, NULL));
            check(a.size_bytes == b.size_bytes &&
                  (!a.size_bytes || !memcmp(a.data, b.data, a.size_bytes)));
        }
    }
    hal_buf_clear(&a);
    hal_buf_clear(&b);
}

/** Both are NULL or the same, cell by cell. */
static inline void check_same(const hal_table *a, const hal_table *b)
{
    check(!a == !b);
    if (a) {
        check(hal_table_rows(a) == hal_table_rows(b));
        check_rows(a, 0, b);
    }
}

#endif
