/* SPDX-License-Identifier: BSD-3-Clause */
/* One growing column: what builders and readers fill and what becomes a column of a table. Its type
 * may be open until the first value and may widen later; numbers never pass through a narrower
 * type. Private to this folder. */
#ifndef HAL_DATA_VEC_H
#define HAL_DATA_VEC_H

#include "data/table.h"

typedef struct hal_vec {
    bool typed; /* false: only nulls so far, no memory held */
    hal_type type;
    uint64_t n_rows, n_nulls;
    uint64_t capacity; /* rows */
    uint8_t *valid;    /* NULL: no nulls */
    void *values;      /* bool: bits; int64, float64; NULL for strings */
    int64_t *offsets;  /* strings: n_rows + 1 */
    char *bytes;
    uint64_t bytes_capacity;
} hal_vec;

/** {0} is an empty column of open type. */
void hal_vec_clear(hal_vec *v);
/** The type of an open column; its nulls become real. */
hal_status hal_vec_set_type(hal_vec *v, hal_type type, hal_err *err) HAL_MUST_CHECK;
/** Room for `rows` more rows. */
hal_status hal_vec_grow(hal_vec *v, uint64_t rows, hal_err *err) HAL_MUST_CHECK;
/** Appends nulls until it has `n_rows` rows. */
hal_status hal_vec_pad(hal_vec *v, uint64_t n_rows, hal_err *err) HAL_MUST_CHECK;

/** Append a value and widen the type where the value needs it: an int64 beyond 2^53 met with a
 * double, and anything met with text or a bool, makes a text column (numbers spelled as integers or
 * as hal_number_print_plain does). */
hal_status hal_vec_add_bool(hal_vec *v, bool value, hal_err *err) HAL_MUST_CHECK;
hal_status hal_vec_add_int64(hal_vec *v, int64_t value, hal_err *err) HAL_MUST_CHECK;
hal_status hal_vec_add_float64(hal_vec *v, double value, hal_err *err) HAL_MUST_CHECK;
hal_status hal_vec_add_string(hal_vec *v, hal_slice value, hal_err *err) HAL_MUST_CHECK;

/** Changes a column to `type` when every value has an equivalent; `*done` says whether it did. Text
 * counts as a number when hal_number_read_* reads it. To float64: integers beyond 2^53 stop it
 * unless `nearest` (then they are rounded, and "Infinity" counts too). */
hal_status hal_vec_convert(hal_vec *v, hal_type type, bool nearest, bool *done,
                           hal_err *err) HAL_MUST_CHECK;

/** Appends rows [first, first + n) of a column of a table, widened to this column's type, which is
 * at least the other's (hal_schema). */
hal_status hal_vec_add_rows(hal_vec *v, const hal_table *t, size_t i_col, uint64_t first,
                            uint64_t n, hal_err *err) HAL_MUST_CHECK;
/** The text of a cell that is not null: numbers as in a text column. `room` holds what is not
 * stored as text. */
hal_slice hal_cell_text(const hal_table *t, size_t i_col, uint64_t row, char room[32]);

/** Makes a table of the columns and their memory; the columns are empty afterwards. All must have
 * `n_rows` rows; open ones take the type of their field. */
hal_table *hal_table_from_vecs(const hal_field *fields, hal_vec *vecs, size_t n_columns,
                               uint64_t n_rows, hal_err *err);

/** A table over memory that someone else keeps: for blocks that are read, written and dropped. */
hal_table *hal_table_borrow(const hal_field *fields, const hal_column *columns, size_t n_columns,
                            uint64_t n_rows, hal_err *err);

/* The union of schemas: names in order of first appearance, types that hold every value. */
typedef struct hal_schema {
    size_t n, capacity;
    struct hal_schema_column {
        hal_field field; /* own copies */
        bool any;        /* some value is not null */
        bool wide;       /* some integer lies beyond 2^53 */
    } * columns;
} hal_schema;

void hal_schema_clear(hal_schema *s);
/** Adds a column that has `any` values and `wide` integers. A column without values does not widen
 * the type of one that has some. */
hal_status hal_schema_add(hal_schema *s, const hal_field *field, bool any, bool wide,
                          hal_err *err) HAL_MUST_CHECK;
hal_status hal_schema_add_table(hal_schema *s, const hal_table *t, hal_err *err) HAL_MUST_CHECK;
/** True when an int64 column has a value beyond 2^53. */
bool hal_column_is_wide(const hal_table *t, size_t i_col);

#endif
