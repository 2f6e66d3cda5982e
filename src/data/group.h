/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows with equal keys become one row. */
#ifndef HAL_DATA_GROUP_H
#define HAL_DATA_GROUP_H

#include "data/table.h"

typedef enum hal_aggregate {
    HAL_AGGREGATE_ROWS,  /* how many rows; no column */
    HAL_AGGREGATE_COUNT, /* how many that are not null */
    HAL_AGGREGATE_SUM,   /* int64 for integers, else float64 */
    HAL_AGGREGATE_MEAN,  /* float64 */
    HAL_AGGREGATE_STD,   /* of the sample (n - 1), float64; null for fewer than two values */
    HAL_AGGREGATE_MIN,
    HAL_AGGREGATE_MAX,
    HAL_AGGREGATE_FIRST, /* of the values that are not null, in row order */
    HAL_AGGREGATE_LAST
} hal_aggregate;

/** "count" (ROWS or COUNT), "sum", "mean", "std", "min", "max", "first", "last". */
hal_status hal_aggregate_from_name(hal_aggregate *out, const char *name,
                                   hal_err *err) HAL_MUST_CHECK;

typedef struct hal_measure {
    const char *name; /* of the result's column */
    hal_aggregate aggregate;
    size_t i_col; /* not for ROWS */
} hal_measure;

/** One row per different key, in the order in which keys first appear: the key columns, then the
 * measures. Null is a key like any other. Nulls do not count in measures, which are null for a
 * group without values; NaN makes sum, mean and std NaN and is passed over by min and max. Sums of
 * floats are compensated (Neumaier). Time in proportion to the rows. HAL_E_USAGE: keys or measures
 * that do not suit their column, a sum beyond 64 bits, a name used twice. */
hal_table *hal_table_group(const hal_table *t, const size_t *keys, size_t n_keys,
                           const hal_measure *measures, size_t n_measures, hal_err *err);

/** Ascending numbers of the rows that are the first of their key; *rows is the caller's. */
hal_status hal_table_first_rows(const hal_table *t, const size_t *keys, size_t n_keys,
                                uint64_t **rows, uint64_t *n_rows, hal_err *err) HAL_MUST_CHECK;

#endif
