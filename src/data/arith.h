/* SPDX-License-Identifier: BSD-3-Clause */
/* Arithmetic on whole columns. A null operand gives null. Timestamps count as seconds since
 * 1970-01-01 UTC. */
#ifndef HAL_DATA_ARITH_H
#define HAL_DATA_ARITH_H

#include "data/table.h"

/** A column of a table, or one number for all rows (`t` NULL). */
typedef struct hal_operand {
    const hal_table *t;
    size_t i_col;
    bool is_int;
    int64_t i;
    double d;
} hal_operand;

/** What hal_column_compute knows; NULL-ended. Two operands: "+" "-" "*" (integers stay integers),
 * "/" "^" "%" atan2 hypot minimum maximum, "<" "<=" ">" ">=" "==" "~=" (bool), "and" "or" (bool).
 * One operand: "neg" abs floor ceil round sqrt exp log log10 log2 sin cos tan asin acos atan rad
 * deg (float64; neg and abs of integers stay integers), "not" is_null is_nan (bool), plain (the
 * values without their unit). "fill": the first operand, its nulls replaced by the second;
 * "null_if": the first operand, null where it equals the second. */
extern const char *const hal_column_operations[];

/** A table of one column without a name. `b` is NULL for operations of one operand. The unit stays
 * where it is sure to be right: + - minimum maximum fill of two columns of one unit or of a column
 * and a number, neg abs floor ceil round. HAL_E_USAGE: columns that are not numeric (bool for
 * logic), of different length, different units in + - minimum maximum fill and comparisons (give
 * one without a unit by "plain"), an integer result beyond 64 bits, an integer
 * that "fill", "minimum" or "maximum" would have to round to stand beside floats. Floats follow
 * IEEE 754: 1/0 is infinite, log(-1) NaN. */
hal_table *hal_column_compute(const char *operation, const hal_operand *a, const hal_operand *b,
                              hal_err *err);

/** Ascending numbers of the rows in which a bool column is true; *rows is the caller's. */
hal_status hal_column_true_rows(const hal_table *t, size_t i_col, uint64_t **rows, uint64_t *n_rows,
                                hal_err *err) HAL_MUST_CHECK;

#endif
