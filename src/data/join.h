/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows of two tables side by side: by equal keys, or by pairs that somebody else found. */
#ifndef HAL_DATA_JOIN_H
#define HAL_DATA_JOIN_H

#include "data/table.h"

/** What stands for "no row": its cells are null. */
#define HAL_NO_ROW UINT64_MAX

/** hal_table_take in which an index may be HAL_NO_ROW. */
hal_table *hal_table_take_or_null(const hal_table *t, const uint64_t *index, uint64_t n,
                                  hal_err *err);

/** Columns of several tables of `n_rows` rows each, sharing their memory: column k is
 * i_cols[k] of tables[k], under fields[k] (copied; its type stays the column's own). `metadata` is
 * copied; NULL: none. */
hal_table *hal_table_assemble(const hal_table *const *tables, const size_t *i_cols,
                              const hal_field *fields, size_t n, uint64_t n_rows,
                              const hal_metadata *metadata, hal_err *err);

/** All columns of `left`, then those of `right` but for the columns without[0..n_without). A right
 * column whose name is taken gets `suffix` (again until it is free). Both have the same rows. The
 * metadata is that of `left`; an ID that is taken is left out. */
hal_table *hal_table_pair(const hal_table *left, const hal_table *right, const size_t *without,
                          size_t n_without, const char *suffix, hal_err *err);

typedef struct hal_join {
    const size_t *left, *right; /* key columns, pairwise */
    size_t n_keys;              /* at least 1 */
    bool keep_left;             /* left rows without a partner appear once, right cells null */
    const char *suffix;         /* NULL: "_2" */
    uint64_t rows_max;          /* of the result; 0: 2^32 */
} hal_join;

/** One row for each pair of rows whose keys are equal, in the order of the left, then of the right
 * rows. Integers and floats compare by value, text by its bytes; a null key has no partner. Right
 * key columns with the name of their left partner are left out. Time in proportion to the rows of
 * both and of the result. HAL_E_USAGE: keys that cannot be compared; HAL_E_BUDGET. */
hal_table *hal_table_join(const hal_table *left, const hal_table *right, const hal_join *join,
                          hal_err *err);

#endif
