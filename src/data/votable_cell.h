/* SPDX-License-Identifier: BSD-3-Clause */
/* What a FIELD of a VOTable declares, and its cells as text (votable_cell.c, whole rows of them
 * votable_scan.c) and as bytes (votable_binary.c). What reads whole blocks may run on any thread.
 * Private to the VOTable reader and writer. */
#ifndef HAL_DATA_VOTABLE_CELL_H
#define HAL_DATA_VOTABLE_CELL_H

#include "base/compiler.h"
#include "data/vec.h"

typedef enum hal_vo_datatype {
    HAL_VO_BOOLEAN,
    HAL_VO_BIT,
    HAL_VO_UNSIGNED_BYTE,
    HAL_VO_SHORT,
    HAL_VO_INT,
    HAL_VO_LONG,
    HAL_VO_CHAR,
    HAL_VO_UNICODE_CHAR,
    HAL_VO_FLOAT,
    HAL_VO_DOUBLE,
    HAL_VO_FLOAT_COMPLEX,
    HAL_VO_DOUBLE_COMPLEX,
    HAL_VO_UNKNOWN
} hal_vo_datatype;

enum { HAL_VO_SLACK = 16 }; /* bytes that can be read behind a block */
enum { HAL_VO_CELL_ITEMS_MAX = 1 << 28, HAL_VO_CELL_TEXT_MAX = 256 << 20 };

typedef struct hal_vo_column {
    hal_vo_datatype datatype;
    hal_type type;
    int64_t width;      /* as hal_field.width; 1 for text */
    bool is_text;       /* one text a row */
    bool is_list;       /* texts of one length behind each other: "4x*" */
    bool is_variable;   /* BINARY: a count stands before the items */
    uint64_t n_items;   /* not variable: items a row, also of texts */
    uint32_t item_size; /* bytes of an item in BINARY; 0 for bit */
    bool has_null;
    int64_t null_value;
    const char *null_text; /* as declared; NULL: none; borrowed */
    const char *name;      /* borrowed */
} hal_vo_column;

/** An array of declared size holds its items also when it is null, which a document says in 5
 * bytes: what such arrays may take beyond 200 times the bytes of the document, and in a block of
 * text. */
enum { HAL_VO_NULL_RATIO = 200, HAL_VO_NULL_BYTES = 128 << 20 };

/** Room for the items of one cell and for a block of rows, used again and again. {0} to begin. */
typedef struct hal_vo_scratch {
    uint64_t null_bytes_left; /* for null arrays of declared size */
    bool keeps_type;        /* an integer beyond the column's type is an error, it does not widen */
    uint8_t *items, *nulls; /* nulls: a byte for each item */
    size_t items_capacity;  /* bytes, as all of them */
    size_t nulls_capacity;
    char *text;
    size_t text_capacity;
    size_t *cursors;
    size_t cursors_capacity;
    uint8_t *bits;
    size_t bits_capacity;
} hal_vo_scratch;

void hal_vo_scratch_clear(hal_vo_scratch *s);
/** Room for `n` bytes of text. */
hal_status hal_vo_scratch_text(hal_vo_scratch *s, size_t n, hal_err *err) HAL_MUST_CHECK;
hal_status hal_vo_scratch_items(hal_vo_scratch *s, size_t size_bytes, size_t n,
                                hal_err *err) HAL_MUST_CHECK;
/** Room for `n` cursors and the bits of as many rows behind `n_flags` bytes. */
hal_status hal_vo_scratch_rows(hal_vo_scratch *s, size_t n, size_t n_flags,
                               hal_err *err) HAL_MUST_CHECK;

/** datatype and arraysize as written ("" when absent), the null text or NULL. Fails with
 * HAL_E_PROTOCOL for an arraysize that cannot be. */
hal_status hal_vo_column_init(hal_vo_column *c, const char *name, const char *datatype,
                              const char *arraysize, const char *null_text,
                              hal_err *err) HAL_MUST_CHECK;
const char *hal_vo_datatype_name(hal_vo_datatype d);
/** Bytes of an item as a column holds it; bools as bytes. */
size_t hal_vo_native_size(hal_vo_datatype d);

/** An empty column for the cells. */
hal_status hal_vo_vec_init(const hal_vo_column *c, hal_vec *v, hal_err *err) HAL_MUST_CHECK;
/** One value of `size` bytes as the column holds it: not null, no text, no bool. */
static inline hal_status hal_vo_put_value(hal_vec *v, const void *value, size_t size, hal_err *err)
{
    if (HAL_UNLIKELY(v->n_rows == v->capacity)) {
        hal_status st = hal_vec_grow(v, 1, err);
        if (st)
            return st;
    }
    memcpy((char *)v->values + v->n_rows * size, value, size);
    if (v->valid)
        v->valid[v->n_rows / 8] |= (uint8_t)(1u << v->n_rows % 8);
    v->n_rows++;
    return HAL_OK;
}

/** The same of any type but text; bool: a byte. */
static inline hal_status hal_vo_add_value(hal_vec *v, hal_type type, const void *value, size_t size,
                                          hal_err *err)
{
    return type == HAL_TYPE_BOOL ? hal_vec_add_bool(v, *(const uint8_t *)value, err)
                                 : hal_vo_put_value(v, value, size, err);
}

static inline hal_status hal_vo_add_null(hal_vec *v, hal_err *err)
{
    return hal_vec_pad(v, v->n_rows + 1, err);
}
/** Text that is not the one that stands for null. */
hal_status hal_vo_add_string(const hal_vo_column *c, hal_vec *v, hal_slice text,
                             hal_err *err) HAL_MUST_CHECK;
/** The `n` items of a cell in `s`; bools and nulls are a byte each there. */
hal_status hal_vo_add_items(const hal_vo_column *c, hal_vec *v, hal_vo_scratch *s, uint64_t n,
                            bool any_null, hal_err *err) HAL_MUST_CHECK;
/** Appends the cell of a TD. The error text names the column, not the row. */
hal_status hal_vo_add_text(const hal_vo_column *c, hal_vec *v, hal_slice text, hal_vo_scratch *s,
                           hal_err *err) HAL_MUST_CHECK;

/** Takes whole rows of TABLEDATA as most services write them from the front of the text, behind
 * which HAL_VO_SLACK zeros stand; returns the bytes taken. What stands there needs Expat or is not
 * whole. Fails with HAL_E_NOMEM only. */
size_t hal_vo_scan_rows(const hal_vo_column *columns, size_t n_columns, hal_vec *vecs,
                        const char *text, size_t n, uint64_t *n_rows, hal_vo_scratch *s,
                        hal_status *st, hal_err *err);

/** How rows of BINARY (BINARY2: `flags`) lie: `before` bytes, then the cell of a column that begins
 * with its count, and so on; at last `behind` bytes. */
typedef struct hal_vo_count {
    uint64_t before;
    const hal_vo_column *column;
} hal_vo_count;

typedef struct hal_vo_layout {
    const hal_vo_column *columns; /* borrowed */
    size_t n_columns;
    bool flags;
    size_t n_counts;
    hal_vo_count *counts;
    uint64_t behind;
} hal_vo_layout;

hal_status hal_vo_layout_init(hal_vo_layout *l, const hal_vo_column *columns, size_t n_columns,
                              bool flags, hal_err *err) HAL_MUST_CHECK;
void hal_vo_layout_clear(hal_vo_layout *l);
/** Bytes of the row at `p`, or, when fewer than that are there, more than there are.
 * HAL_E_INTEGRITY for a count that cannot be. */
hal_status hal_vo_row_size(const hal_vo_layout *l, const uint8_t *p, const uint8_t *end,
                           uint64_t *size, hal_err *err) HAL_MUST_CHECK;
/** Appends a whole row. */
hal_status hal_vo_add_row(const hal_vo_layout *l, hal_vec *vecs, const uint8_t *p,
                          hal_vo_scratch *s, hal_err *err) HAL_MUST_CHECK;
/** Appends `n` whole rows, row i at bytes + starts[i]; HAL_VO_SLACK bytes can be read behind them.
 * After a failure the columns are of different lengths. */
hal_status hal_vo_add_rows(const hal_vo_layout *l, hal_vec *vecs, const uint8_t *bytes,
                           const size_t *starts, uint64_t n, hal_vo_scratch *s,
                           hal_err *err) HAL_MUST_CHECK;

#endif
