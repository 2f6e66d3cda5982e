/* SPDX-License-Identifier: BSD-3-Clause */
/* What a FIELD of a VOTable declares, and its cells as text and as bytes. Private to the VOTable
 * reader and writer. */
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

enum { HAL_VO_SCAN_MARGIN = 16 }; /* bytes behind the last row that is scanned */
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

/** Room for the items of one cell, used again and again. {0} to begin. */
typedef struct hal_vo_scratch {
    uint8_t *items, *nulls; /* nulls: a byte for each item */
    size_t items_capacity;  /* bytes */
    size_t nulls_capacity;
    char *text;
    size_t text_capacity;
} hal_vo_scratch;

void hal_vo_scratch_clear(hal_vo_scratch *s);
/** Room for `n` bytes of text. */
hal_status hal_vo_scratch_text(hal_vo_scratch *s, size_t n, hal_err *err) HAL_MUST_CHECK;

/** datatype and arraysize as written ("" when absent), the null text or NULL. Fails with
 * HAL_E_PROTOCOL for an arraysize that cannot be. */
hal_status hal_vo_column_init(hal_vo_column *c, const char *name, const char *datatype,
                              const char *arraysize, const char *null_text,
                              hal_err *err) HAL_MUST_CHECK;
const char *hal_vo_datatype_name(hal_vo_datatype d);

/** An empty column for the cells. */
hal_status hal_vo_vec_init(const hal_vo_column *c, hal_vec *v, hal_err *err) HAL_MUST_CHECK;
/** One value in the form a column holds it (bool: a byte) that is not null and no text. */
static inline hal_status hal_vo_add_value(hal_vec *v, hal_type type, const void *value, size_t size,
                                          hal_err *err)
{
    if (type == HAL_TYPE_BOOL)
        return hal_vec_add_bool(v, *(const uint8_t *)value, err);
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

/** Appends the cell of a TD. The error text names the column, not the row. */
hal_status hal_vo_add_text(const hal_vo_column *c, hal_vec *v, hal_slice text, hal_vo_scratch *s,
                           hal_err *err) HAL_MUST_CHECK;

/** Bytes of a row of BINARY (BINARY2: `flags`) at `p`, or, when fewer than that are there, more
 * than there are. HAL_E_INTEGRITY for a count that cannot be. */
hal_status hal_vo_row_size(const hal_vo_column *columns, size_t n_columns, bool flags,
                           const uint8_t *p, const uint8_t *end, uint64_t *size,
                           hal_err *err) HAL_MUST_CHECK;
/** Appends a whole row. */
hal_status hal_vo_add_row(const hal_vo_column *columns, size_t n_columns, bool flags, hal_vec *vecs,
                          const uint8_t *p, hal_vo_scratch *s, hal_err *err) HAL_MUST_CHECK;

/** Takes whole rows of TABLEDATA as most services write them from the front of the text, at most
 * `rows_max`; returns the bytes taken. What stands there needs Expat or is not whole. */
size_t hal_vo_scan_rows(const hal_vo_column *columns, size_t n_columns, hal_vec *vecs,
                        const char *text, size_t n, uint64_t rows_max, uint64_t *n_rows,
                        hal_vo_scratch *s, hal_status *st, hal_err *err);

#endif
