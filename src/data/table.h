/* SPDX-License-Identifier: BSD-3-Clause */
/* The table: typed columns with null bitmaps in the Arrow memory layout (validity bits LSB first,
 * bool as bits, strings as 64-bit offsets + bytes), plus unit, UCD and description. Immutable once
 * built and reference-counted (atomically: a table may be handed between threads). */
#ifndef HAL_DATA_TABLE_H
#define HAL_DATA_TABLE_H

#include "base/slice.h"
#include "base/status.h"

#include <stdint.h>

typedef enum hal_type { HAL_TYPE_BOOL, HAL_TYPE_INT64, HAL_TYPE_FLOAT64, HAL_TYPE_STRING } hal_type;

typedef struct hal_field {
    const char *name; /* never NULL */
    hal_type type;
    const char *unit, *ucd, *description; /* "" when unknown */
} hal_field;

typedef struct hal_table hal_table;

/** Read-only view of a column's memory; borrowed from the table. Fixed types: `values` holds n_rows
 * items (bool: bits). String: offsets[n_rows + 1] into `bytes`. */
typedef struct hal_column {
    const uint8_t *valid; /* bitmap; NULL: no nulls */
    uint64_t n_nulls;
    const void *values;
    const int64_t *offsets;
    const char *bytes;
} hal_column;

hal_table *hal_table_ref(hal_table *t);
void hal_table_unref(hal_table *t);
uint64_t hal_table_rows(const hal_table *t);
size_t hal_table_columns(const hal_table *t);
const hal_field *hal_table_field(const hal_table *t, size_t i_col);
/** Exact name first, then case-insensitive; -1 when absent. */
int hal_table_find(const hal_table *t, const char *name);
hal_column hal_table_column(const hal_table *t, size_t i_col);
bool hal_table_is_null(const hal_table *t, size_t i_col, uint64_t i_row);
/** Cell access for cold paths; the caller has checked type and null. */
bool hal_table_bool(const hal_table *t, size_t i_col, uint64_t i_row);
int64_t hal_table_int64(const hal_table *t, size_t i_col, uint64_t i_row);
double hal_table_float64(const hal_table *t, size_t i_col, uint64_t i_row);
hal_slice hal_table_string(const hal_table *t, size_t i_col, uint64_t i_row);
/** The column as doubles into out[n_rows]: nulls and NaN-able text become NaN. HAL_E_USAGE for a
 * text column that is not numeric. */
hal_status hal_table_as_doubles(const hal_table *t, size_t i_col, double *out,
                                hal_err *err) HAL_MUST_CHECK;
/** Bytes the columns hold. */
uint64_t hal_table_size_bytes(const hal_table *t);

/** New table with the rows index[0..n) in that order. */
hal_table *hal_table_take(const hal_table *t, const uint64_t *index, uint64_t n, hal_err *err);
/** New table with the columns i_cols[0..n), sharing memory. */
hal_table *hal_table_project(const hal_table *t, const size_t *i_cols, size_t n, hal_err *err);
/** Rows of all `n` tables in order; schemas are united by name in order of first appearance, types
 * promoted to the narrowest that holds every value exactly, absent columns null. Columns without a
 * value do not promote others; int64 beyond 2^53 met with float64 becomes string (digits kept). */
hal_table *hal_table_concat(hal_table *const *tables, size_t n, hal_err *err);
/** The type both promote to: int64 and float64 to float64, any other two to string. */
hal_type hal_type_unite(hal_type a, hal_type b);

/* Building. */
typedef struct hal_builder hal_builder;
/** Copies the fields. */
hal_builder *hal_builder_new(const hal_field *fields, size_t n_fields, hal_err *err);
void hal_builder_free(hal_builder *b);
/** One cell after the other within a row, in any column order; a cell not set by
 * hal_builder_end_row is null. */
hal_status hal_builder_bool(hal_builder *b, size_t i_col, bool v, hal_err *err) HAL_MUST_CHECK;
hal_status hal_builder_int64(hal_builder *b, size_t i_col, int64_t v, hal_err *err) HAL_MUST_CHECK;
hal_status hal_builder_float64(hal_builder *b, size_t i_col, double v, hal_err *err) HAL_MUST_CHECK;
hal_status hal_builder_string(hal_builder *b, size_t i_col, hal_slice v,
                              hal_err *err) HAL_MUST_CHECK;
hal_status hal_builder_end_row(hal_builder *b, hal_err *err) HAL_MUST_CHECK;
/** The finished table; the builder is empty afterwards and must still be freed. */
hal_table *hal_builder_finish(hal_builder *b, hal_err *err);

#endif
