/* SPDX-License-Identifier: BSD-3-Clause */
/* The order of a table's rows by the values of columns. */
#ifndef HAL_DATA_SORT_H
#define HAL_DATA_SORT_H

#include "data/table.h"

typedef struct hal_sort_key {
    size_t i_col;
    bool descending;
} hal_sort_key;

/** All row numbers in the order of the keys, the first key first; rows with equal keys keep their
 * order. Text by its bytes, false before true. NaN, then nulls come last in either direction. The
 * caller frees *rows with hal_free. Numbers take time in proportion to the rows, text n log n;
 * memory is 32 bytes a row while it works. HAL_E_USAGE: a column of arrays or complex numbers. */
hal_status hal_table_sort(const hal_table *t, const hal_sort_key *keys, size_t n_keys,
                          uint64_t **rows, hal_err *err) HAL_MUST_CHECK;

#endif
