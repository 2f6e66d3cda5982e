/* SPDX-License-Identifier: BSD-3-Clause */
/* What a column holds, gathered from one table or from many in turn, in bounded memory. */
#ifndef HAL_DATA_SUMMARY_H
#define HAL_DATA_SUMMARY_H

#include "data/table.h"

typedef enum hal_extreme_kind {
    HAL_EXTREME_NONE, /* no value, or a column without order */
    HAL_EXTREME_BOOL,
    HAL_EXTREME_INT,
    HAL_EXTREME_FLOAT,
    HAL_EXTREME_TEXT
} hal_extreme_kind;

typedef struct hal_extreme {
    hal_extreme_kind kind;
    int64_t i;
    double d;
    char *text; /* own copy of size_bytes */
    size_t size_bytes;
} hal_extreme;

/** {0} has seen nothing. NaN is counted and otherwise passed over. */
typedef struct hal_summary {
    uint64_t n_rows, n_nulls, n_nan;
    hal_extreme min, max; /* numbers by value, text by its bytes */
    uint64_t n_summed;    /* values of number columns that are not NaN */
    double sum, rest;     /* compensated */
} hal_summary;

/** Adds all rows of column `i_col`. */
hal_status hal_summary_add(hal_summary *s, const hal_table *t, size_t i_col,
                           hal_err *err) HAL_MUST_CHECK;
/** NaN without values. */
double hal_summary_mean(const hal_summary *s);
void hal_summary_clear(hal_summary *s);

#endif
