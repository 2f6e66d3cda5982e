/* SPDX-License-Identifier: BSD-3-Clause */
/* One growing column: what builders and readers fill and what becomes a column of a table. Its type
 * may be open until the first value and may widen later; numbers never pass through a narrower
 * type. Private to this folder.
 *
 * A reader that knows its types fills columns in one of three ways, fastest last:
 * 1. hal_vec_add_* value by value, hal_vec_pad for nulls;
 * 2. hal_vec_append: rows that lie in arrays already, with their bitmap;
 * 3. in place: hal_vec_set_shape, hal_vec_grow(v, n), write `values` from row n_rows on (arrays of
 *    n items: item n_rows * n on), then hal_vec_commit(v, n, valid). Text: hal_vec_reserve_bytes,
 *    write `bytes` from offsets[n_rows] on and offsets[n_rows + 1], ... (ends), commit. Variable
 *    arrays likewise with hal_vec_reserve_items, `values` and `offsets` that count items.
 * Parts of a document read on several threads are vecs of their own, put together by hal_vec_extend
 * (vec_join.h).
 */
#ifndef HAL_DATA_VEC_H
#define HAL_DATA_VEC_H

#include "data/names.h"
#include "data/table.h"
#include "data/types.h"

typedef struct hal_vec {
    bool typed; /* false: only nulls so far, no memory held */
    hal_type type;
    int32_t width; /* as in hal_field; 0 counts as 1 */
    uint64_t n_rows, n_nulls;
    uint64_t capacity; /* rows */
    uint8_t *valid;    /* NULL: no nulls */
    void *values;      /* bool: bits; NULL for strings */
    int64_t *offsets;  /* strings and variable arrays: n_rows + 1 */
    char *bytes;       /* strings */
    uint64_t bytes_capacity;
    uint64_t items_capacity; /* variable arrays */
    uint8_t *item_valid;     /* arrays; NULL: no null items */
} hal_vec;

/** A column of a table over the memory of `v`; dies with the next change. */
static inline hal_column hal_vec_column(const hal_vec *v)
{
    return (hal_column){.valid = v->n_nulls ? v->valid : NULL,
                        .n_nulls = v->n_nulls,
                        .values = v->values,
                        .offsets = v->offsets,
                        .bytes = v->bytes ? v->bytes : "",
                        .item_valid = v->item_valid};
}

/** {0} is an empty column of open type. */
void hal_vec_clear(hal_vec *v);
/** The type of an open column of scalars; its nulls become real. */
hal_status hal_vec_set_type(hal_vec *v, hal_type type, hal_err *err) HAL_MUST_CHECK;
/** The same for arrays; width as in hal_field. */
hal_status hal_vec_set_shape(hal_vec *v, hal_type type, int32_t width, hal_err *err) HAL_MUST_CHECK;
/** Room for `rows` more rows; at least doubles. Nothing for an open column. */
hal_status hal_vec_grow(hal_vec *v, uint64_t rows, hal_err *err) HAL_MUST_CHECK;
/** Appends nulls until it has `n_rows` rows. */
hal_status hal_vec_pad(hal_vec *v, uint64_t n_rows, hal_err *err) HAL_MUST_CHECK;

/** Appends rows [first, first + n) of `c`, which has this column's type and width. */
hal_status hal_vec_append(hal_vec *v, const hal_column *c, uint64_t first, uint64_t n,
                          hal_err *err) HAL_MUST_CHECK;
/** Counts `n` rows that were written in place; `valid`: their bitmap from bit 0, NULL: no nulls. */
hal_status hal_vec_commit(hal_vec *v, uint64_t n, const uint8_t *valid,
                          hal_err *err) HAL_MUST_CHECK;
/** Room for `n` more bytes of text behind offsets[n_rows]. */
hal_status hal_vec_reserve_bytes(hal_vec *v, uint64_t n, hal_err *err) HAL_MUST_CHECK;
/** Room for `n` more items of a variable array behind offsets[n_rows]. */
hal_status hal_vec_reserve_items(hal_vec *v, uint64_t n, hal_err *err) HAL_MUST_CHECK;
/** One row of `n` items laid out as in a column; `valid`: bitmap, NULL: no item is null. The type
 * is set. HAL_E_USAGE when `n` is not the width. */
hal_status hal_vec_add_items(hal_vec *v, const void *items, uint64_t n, const uint8_t *valid,
                             hal_err *err) HAL_MUST_CHECK;

/** Append a value to a column of scalars and widen the type where the value needs it: an int64
 * beyond 2^53 met with a double, and anything met with text or a bool, makes a text column (numbers
 * spelled as integers or as hal_number_print_plain does). */
hal_status hal_vec_add_bool(hal_vec *v, bool value, hal_err *err) HAL_MUST_CHECK;
hal_status hal_vec_add_int64(hal_vec *v, int64_t value, hal_err *err) HAL_MUST_CHECK;
hal_status hal_vec_add_float64(hal_vec *v, double value, hal_err *err) HAL_MUST_CHECK;
hal_status hal_vec_add_string(hal_vec *v, hal_slice value, hal_err *err) HAL_MUST_CHECK;

/** Changes a column of scalars to `type` when every value has an equivalent; `*done` says whether
 * it did. Text counts as a number when hal_number_read_* reads it. To float64: integers beyond 2^53
 * stop it unless `nearest` (then they are rounded, and "Infinity" counts too). */
hal_status hal_vec_convert(hal_vec *v, hal_type type, bool nearest, bool *done,
                           hal_err *err) HAL_MUST_CHECK;

/** Appends rows [first, first + n) of a column of a table, widened to this column's type, which is
 * at least the other's (hal_schema). */
hal_status hal_vec_add_rows(hal_vec *v, const hal_table *t, size_t i_col, uint64_t first,
                            uint64_t n, hal_err *err) HAL_MUST_CHECK;
/** The text of a cell that is not null nor of an array, as in a column that was promoted to text.
 * `room` holds what is not stored as text. */
hal_slice hal_cell_text(const hal_table *t, size_t i_col, uint64_t row,
                        char room[HAL_CELL_TEXT_MAX]);
/** The same also for arrays; what is not stored as text is put into `room`, emptied before. */
hal_status hal_cell_promoted_text(hal_slice *out, const hal_table *t, size_t i_col, uint64_t row,
                                  hal_buf *room, hal_err *err) HAL_MUST_CHECK;
/** Makes a table of the columns and their memory; the columns are empty afterwards. All must have
 * `n_rows` rows; open ones take type and width of their field, others give theirs to the table's.
 */
hal_table *hal_table_from_vecs(const hal_field *fields, hal_vec *vecs, size_t n_columns,
                               uint64_t n_rows, hal_err *err);
/** As above and gives the table the metadata, which is empty afterwards. */
hal_table *hal_table_from_parts(const hal_field *fields, hal_vec *vecs, size_t n_columns,
                                uint64_t n_rows, hal_metadata *metadata, hal_err *err);

/** A table over memory that someone else keeps: for blocks that are read, written and dropped. */
hal_table *hal_table_borrow(const hal_field *fields, const hal_column *columns, size_t n_columns,
                            uint64_t n_rows, hal_err *err);

/** Where a field's texts are, the name first. */
enum { HAL_FIELD_TEXTS = 10 };
void hal_field_texts(hal_field *f, const char **out[HAL_FIELD_TEXTS]);
/** A copy with texts of its own ("" for NULL), cleared by hal_field_clear. */
hal_status hal_field_copy(hal_field *out, const hal_field *f, hal_err *err) HAL_MUST_CHECK;
void hal_field_clear(hal_field *f);

/* The union of schemas: names in order of first appearance, types that hold every value. */
typedef struct hal_schema {
    size_t n, capacity;
    hal_names names;
    struct hal_schema_column {
        hal_field field; /* own copies */
        bool any;        /* some value is not null */
        bool wide;       /* some integer lies beyond 2^53 */
    } * columns;
} hal_schema;

void hal_schema_clear(hal_schema *s);
/** The number of the column of that name; -1: there is none. */
int hal_schema_find(const hal_schema *s, const char *name);
/** Adds a column that has `any` values and `wide` integers. A column without values does not widen
 * the type of one that has some. */
hal_status hal_schema_add(hal_schema *s, const hal_field *field, bool any, bool wide,
                          hal_err *err) HAL_MUST_CHECK;
hal_status hal_schema_add_table(hal_schema *s, const hal_table *t, hal_err *err) HAL_MUST_CHECK;
/** True when an int64 column has a value beyond 2^53. */
bool hal_column_is_wide(const hal_table *t, size_t i_col);

#endif
