/* SPDX-License-Identifier: BSD-3-Clause */
/* A column of a CSV table while it is read: rows come one by one or in blocks, the type widens as
 * they need it, and a column of numbers that becomes text has its texts exactly as written. Private
 * to this folder. */
#ifndef HAL_DATA_CSV_COLUMN_H
#define HAL_DATA_CSV_COLUMN_H

#include "data/csv_block.h"
#include "data/vec.h"

typedef struct hal_csv_column {
    char *name;
    hal_csv_kind kind;
    bool wide; /* some integer lies beyond 2^53 */
    hal_vec vec;
    hal_csv_spelling
        spelling; /* of doubles; decimals NULL: `decimals` everywhere; low NULL: short */
    uint64_t decimals_capacity, low_capacity;
    int decimals; /* < 0: no double yet */
    char *odd;    /* spellings that are odd, each behind its size */
    size_t odd_size, odd_capacity;
} hal_csv_column;

void hal_csv_column_clear(hal_csv_column *c);
/** One cell; `text` NULL: null. */
hal_status hal_csv_column_add(hal_csv_column *c, const hal_slice *text,
                              hal_err *err) HAL_MUST_CHECK;
/** The kind that holds both. */
hal_csv_kind hal_csv_column_unite(const hal_csv_column *c, const hal_csv_block_column *with);
/** Appends a column of a block; `kind`, as united, is at least both, and text when the block is. */
hal_status hal_csv_column_append(hal_csv_column *c, hal_csv_kind kind, const hal_csv_block *b,
                                 size_t i_col, hal_err *err) HAL_MUST_CHECK;
/** Widens; to text with all spellings. */
hal_status hal_csv_column_widen(hal_csv_column *c, hal_csv_kind kind, hal_err *err) HAL_MUST_CHECK;
/** The column is whole: types it as text when it is open and forgets spellings. */
hal_status hal_csv_column_settle(hal_csv_column *c, hal_err *err) HAL_MUST_CHECK;
/** After its rows are used: begins again with the type and the memory it has. */
void hal_csv_column_restart(hal_csv_column *c);

#endif
