/* SPDX-License-Identifier: BSD-3-Clause */
/* What cells of different types have in common, for what works on values and not on storage:
 * ordering, equality, hashing, arithmetic. Private to this folder. */
#ifndef HAL_DATA_CELL_H
#define HAL_DATA_CELL_H

#include "data/table.h"

typedef enum hal_kind {
    HAL_KIND_BOOL,
    HAL_KIND_INT,    /* integers of every width and timestamps: hal_cell_int */
    HAL_KIND_FLOAT,  /* hal_cell_float */
    HAL_KIND_TEXT,   /* hal_table_string */
    HAL_KIND_OTHER,  /* arrays and complex numbers: neither ordered nor compared */
    HAL_KIND_UNKNOWN /* text without any value: nulls of whatever type is wanted */
} hal_kind;

/** Never UNKNOWN. */
hal_kind hal_field_kind(const hal_field *f);
hal_kind hal_column_kind(const hal_table *t, size_t i_col);
/** BOOL, INT. The cell is not null. */
int64_t hal_cell_int(const hal_table *t, size_t i_col, uint64_t row);
/** BOOL, INT (rounded to nearest; timestamps as seconds since 1970-01-01 UTC), FLOAT. The cell is
 * not null. */
double hal_cell_float(const hal_table *t, size_t i_col, uint64_t row);

/** Rising order of two cells of one column that are not null: negative, 0 or positive. NaN comes
 * after all numbers; text by its bytes; -0 equals 0. */
int hal_cell_compare(const hal_table *t, size_t i_col, uint64_t a, uint64_t b);

/** HAL_E_USAGE when the column is of kind OTHER: `what` names what it was wanted for. */
hal_status hal_column_require_plain(const hal_table *t, size_t i_col, const char *what,
                                    hal_err *err) HAL_MUST_CHECK;

uint64_t hal_slice_hash(hal_slice s);
/** Equal keys have equal hashes; whole numbers hash alike in every numeric type. */
uint64_t hal_cell_hash(const hal_table *t, size_t i_col, uint64_t row);
/** Equality of two cells that are not null, of columns that hal_kinds_comparable. NaN equals NaN.
 */
bool hal_cells_equal(const hal_table *a, size_t i_a, uint64_t row_a, const hal_table *b, size_t i_b,
                     uint64_t row_b);
/** UNKNOWN compares with every kind but OTHER. */
bool hal_kinds_comparable(hal_kind a, hal_kind b);

#endif
