/* SPDX-License-Identifier: BSD-3-Clause */
/* The table: typed columns with null bitmaps in the Arrow memory layout (validity bits LSB first,
 * bool as bits, strings as 64-bit offsets + bytes), plus unit, UCD and description. Immutable once
 * built and reference-counted (atomically: a table may be handed between threads). */
#ifndef HAL_DATA_TABLE_H
#define HAL_DATA_TABLE_H

#include "base/buf.h"
#include "base/slice.h"
#include "base/status.h"

#include <stdint.h>

typedef enum hal_type {
    HAL_TYPE_BOOL,
    HAL_TYPE_INT64,
    HAL_TYPE_FLOAT64,
    HAL_TYPE_STRING, /* one UTF-8 text per row, never an array */
    HAL_TYPE_UINT8,
    HAL_TYPE_INT16,
    HAL_TYPE_INT32,
    HAL_TYPE_FLOAT32,
    HAL_TYPE_TIMESTAMP,  /* int64: microseconds since 1970-01-01T00:00:00 UTC */
    HAL_TYPE_COMPLEX64,  /* float pairs: real, imaginary */
    HAL_TYPE_COMPLEX128, /* double pairs */
} hal_type;
enum { HAL_TYPES = HAL_TYPE_COMPLEX128 + 1 };

/** "bool" "int64" "float64" "string" "uint8" "int16" "int32" "float32" "timestamp" "complex64"
 * "complex128" */
const char *hal_type_name(hal_type type);
/** Bits of one item in memory: 1 for bool, 128 for complex128, 0 for strings. */
unsigned hal_type_bits(hal_type type);
/** uint8, int16, int32, int64: what hal_table_int64 reads (with timestamps). */
bool hal_type_is_integer(hal_type type);
/** float32, float64 */
bool hal_type_is_float(hal_type type);

enum { HAL_WIDTH_VARIABLE = -1 };

typedef struct hal_field {
    const char *name; /* never NULL */
    hal_type type;
    const char *unit, *ucd, *description; /* these and the texts below: "" when unknown */
    /* Items per row: 1 a scalar, n > 1 an array of n, HAL_WIDTH_VARIABLE an array of any length.
     * 0 counts as 1 where a field is handed in; a table's fields never have 0. */
    int32_t width;
    const char *shape;         /* of an array of several dimensions, first fastest: "2x3", "2x*" */
    const char *utype, *xtype; /* VOTable 1.5 section 4.1 */
    const char *id;            /* of the column in its document */
    const char *original_name; /* where `name` had to be changed */
    const char *null_value;    /* the format's text for null, where it declares one */
} hal_field;

static inline bool hal_field_is_scalar(const hal_field *f)
{
    return f->width == 0 || f->width == 1;
}

/* What a table says about itself beside its columns. */
typedef enum hal_meta_kind {
    HAL_META_INFO,    /* VOTable INFO: name, value, text */
    HAL_META_PARAM,   /* VOTable PARAM: name, value; datatype, unit, ... as attributes */
    HAL_META_COOSYS,  /* all as attributes */
    HAL_META_TIMESYS, /* all as attributes */
    HAL_META_LINK,    /* all as attributes */
    HAL_META_KEY, /* a key of another format (FITS card, ECSV meta): name, value, text: comment */
} hal_meta_kind;

typedef struct hal_attribute {
    const char *name, *value;
} hal_attribute;

typedef struct hal_meta {
    hal_meta_kind kind;
    const char *name, *value, *text; /* "" when there is none */
    const hal_attribute *attributes;
    size_t n_attributes;
} hal_meta;

/** {0} is empty; NULL texts count as "". */
typedef struct hal_metadata {
    const char *name, *description;
    const char *status; /* query status of the answer: "OK", "OVERFLOW", "" */
    hal_meta *items;    /* in the document's order */
    size_t n_items, capacity;
} hal_metadata;

/** These copy what they are given. */
hal_status hal_metadata_add(hal_metadata *m, const hal_meta *item, hal_err *err) HAL_MUST_CHECK;
/** Sets one of m->name, m->description, m->status: hal_metadata_set(&m.name, text, err). */
hal_status hal_metadata_set(const char **text, hal_slice value, hal_err *err) HAL_MUST_CHECK;
hal_status hal_metadata_copy(hal_metadata *out, const hal_metadata *m, hal_err *err) HAL_MUST_CHECK;
/** Only for metadata made by the three above. */
void hal_metadata_clear(hal_metadata *m);
/** The first item of that kind and name (exact), NULL when there is none. */
const hal_meta *hal_metadata_find(const hal_metadata *m, hal_meta_kind kind, const char *name);

typedef struct hal_table hal_table;

/** Read-only view of a column's memory; borrowed from the table. Row 0 is the table's first row,
 * also in a slice (bitmaps begin at bit 0).
 * Scalar: `values` holds n_rows items (bool: bits). String: offsets[n_rows + 1] into `bytes`.
 * Array of n items: `values` holds n_rows * n items, those of null rows too. Variable array:
 * offsets[n_rows + 1] count items of `values`. In a slice offsets[0] may be above 0. */
typedef struct hal_column {
    const uint8_t *valid; /* bitmap of rows; NULL: no nulls */
    uint64_t n_nulls;
    const void *values;
    const int64_t *offsets;
    const char *bytes;
    const uint8_t *item_valid; /* arrays: bitmap of the items of `values`; NULL: no null items */
} hal_column;

hal_table *hal_table_ref(hal_table *t);
void hal_table_unref(hal_table *t);
uint64_t hal_table_rows(const hal_table *t);
size_t hal_table_columns(const hal_table *t);
const hal_field *hal_table_field(const hal_table *t, size_t i_col);
enum { HAL_COLUMN_ABSENT = -1, HAL_COLUMN_AMBIGUOUS = -2 };
/** The column that `name` means: exact name, else exact ID, else the name regardless of case, else
 * the whole UCD regardless of case. HAL_COLUMN_AMBIGUOUS when several fit by one of the last two;
 * hal_table_require tells a user so. */
int hal_table_find(const hal_table *t, const char *name);
hal_column hal_table_column(const hal_table *t, size_t i_col);
bool hal_table_is_null(const hal_table *t, size_t i_col, uint64_t i_row);
/** False: all cells are null, or there are no rows. A text column without values may be so only
 * because nothing told its type: it goes wherever a column of another type does. */
bool hal_table_has_values(const hal_table *t, size_t i_col);
/** Cell access for cold paths; the caller has checked type and null. */
bool hal_table_bool(const hal_table *t, size_t i_col, uint64_t i_row);
/** Integers of every size, timestamps. */
int64_t hal_table_int64(const hal_table *t, size_t i_col, uint64_t i_row);
/** float32, float64 */
double hal_table_float64(const hal_table *t, size_t i_col, uint64_t i_row);
hal_slice hal_table_string(const hal_table *t, size_t i_col, uint64_t i_row);

/** The items of one cell: items first, ..., first + n - 1 of the column's `values` and
 * `item_valid`. */
typedef struct hal_items {
    uint64_t first, n;
} hal_items;
hal_items hal_table_items(const hal_table *t, size_t i_col, uint64_t i_row);
/** One item of a column that is not text; `i_item` counts in the column's `values`. */
bool hal_item_is_null(const hal_column *c, uint64_t i_item);
bool hal_item_bool(const hal_column *c, uint64_t i_item);
int64_t hal_item_int64(const hal_column *c, hal_type type, uint64_t i_item);
double hal_item_float64(const hal_column *c, hal_type type, uint64_t i_item);
/** complex64, complex128 */
void hal_item_complex(const hal_column *c, hal_type type, uint64_t i_item, double out[2]);

/** Appends the text of a cell that is not null: numbers shortest (whole ones without ".0"), ISO
 * 8601 for timestamps, "[re,im]" for complex numbers, arrays as JSON: "[1,null,3]". */
hal_status hal_table_cell_text(hal_buf *out, const hal_table *t, size_t i_col, uint64_t i_row,
                               hal_err *err) HAL_MUST_CHECK;

/** The column as doubles into out[n_rows]: nulls and empty text become NaN, timestamps seconds
 * since 1970-01-01 UTC. HAL_E_USAGE for text that is not numeric, complex numbers and arrays. */
hal_status hal_table_as_doubles(const hal_table *t, size_t i_col, double *out,
                                hal_err *err) HAL_MUST_CHECK;
/** Bytes the columns hold. */
uint64_t hal_table_size_bytes(const hal_table *t);

const hal_metadata *hal_table_metadata(const hal_table *t);

/* New tables. All but concat keep the metadata, those that copy no rows share the memory. */

/** Rows [first, first + n), sharing memory (bitmaps that begin within a byte are copied). */
hal_table *hal_table_slice(const hal_table *t, uint64_t first, uint64_t n, hal_err *err);
/** The same columns with other descriptions and metadata; NULL keeps what there is. HAL_E_USAGE
 * when a field has another type or width than its column. */
hal_table *hal_table_with(const hal_table *t, const hal_field *fields, const hal_metadata *metadata,
                          hal_err *err);
/** New table with the rows index[0..n) in that order. */
hal_table *hal_table_take(const hal_table *t, const uint64_t *index, uint64_t n, hal_err *err);
/** New table with the columns i_cols[0..n), sharing memory. */
hal_table *hal_table_project(const hal_table *t, const size_t *i_cols, size_t n, hal_err *err);
/** Rows of all `n` tables in order; schemas are united by name in order of first appearance, types
 * promoted to the narrowest that holds every value exactly, absent columns null. Columns without a
 * value do not promote others; int64 beyond 2^53 met with a float becomes string (digits kept).
 * The metadata is the first table's. */
hal_table *hal_table_concat(hal_table *const *tables, size_t n, hal_err *err);
/** The narrowest type that holds every value of both: uint8 < int16 < int32 < int64, float32 <
 * float64, complex64 < complex128; uint8 and int16 with float32 give float32, other integers with
 * floats float64; any other two string. */
hal_type hal_type_unite(hal_type a, hal_type b);
/** Of two widths: the same, or HAL_WIDTH_VARIABLE. */
int32_t hal_width_unite(int32_t a, int32_t b);

/* Building. */
typedef struct hal_builder hal_builder;
/** Copies the fields. */
hal_builder *hal_builder_new(const hal_field *fields, size_t n_fields, hal_err *err);
void hal_builder_free(hal_builder *b);
/** One cell after the other within a row, in any column order; a cell not set by
 * hal_builder_end_row is null. */
hal_status hal_builder_bool(hal_builder *b, size_t i_col, bool v, hal_err *err) HAL_MUST_CHECK;
/** Integers of every size (HAL_E_USAGE when it does not fit) and timestamps. */
hal_status hal_builder_int64(hal_builder *b, size_t i_col, int64_t v, hal_err *err) HAL_MUST_CHECK;
/** float64; float32 rounded to the nearest. */
hal_status hal_builder_float64(hal_builder *b, size_t i_col, double v, hal_err *err) HAL_MUST_CHECK;
hal_status hal_builder_string(hal_builder *b, size_t i_col, hal_slice v,
                              hal_err *err) HAL_MUST_CHECK;
hal_status hal_builder_complex(hal_builder *b, size_t i_col, double re, double im,
                               hal_err *err) HAL_MUST_CHECK;
/** An array cell: `n` items laid out as in a column (bool: bits); `valid`: their bitmap, NULL: none
 * is null. HAL_E_USAGE unless `n` is the field's width or that is variable. */
hal_status hal_builder_array(hal_builder *b, size_t i_col, const void *items, uint64_t n,
                             const uint8_t *valid, hal_err *err) HAL_MUST_CHECK;
hal_status hal_builder_end_row(hal_builder *b, hal_err *err) HAL_MUST_CHECK;
/** Copies the metadata of the table to come. */
hal_status hal_builder_metadata(hal_builder *b, const hal_metadata *metadata,
                                hal_err *err) HAL_MUST_CHECK;
/** The finished table; the builder is empty afterwards and must still be freed. */
hal_table *hal_builder_finish(hal_builder *b, hal_err *err);

#endif
