/* SPDX-License-Identifier: BSD-3-Clause */
/* The columns of an answer of JSON rows, found by name: as declared ("fields", "Columns", "info")
 * or as met in the rows. Private to the readers of such rows. */
#ifndef HAL_DATA_MASHUP_COLUMN_H
#define HAL_DATA_MASHUP_COLUMN_H

#include "data/vec.h"

/** How the values of a declared type are held. */
typedef enum hal_mashup_kind {
    HAL_KIND_AS_FOUND,
    HAL_KIND_FLOAT,
    HAL_KIND_INT,
    HAL_KIND_BOOL,
    HAL_KIND_TEXT
} hal_mashup_kind;

/** What the values of a column were whose rows were given away: enough to tell the type that all
 * of them together would have. */
typedef struct hal_mashup_seen {
    bool bools, ints, floats, texts;
    bool wide;                         /* an integer beyond 2^53 */
    bool not_int, not_float, not_bool; /* some value's text does not read as one */
} hal_mashup_seen;

enum { HAL_MASHUP_NAME_SLACK = 8 };

typedef struct hal_mashup_column {
    char *quoted; /* its name in quotes, then HAL_MASHUP_NAME_SLACK zeros; NULL: known by its place
                     only (extjs rows) */
    size_t name_size;
    bool plain; /* the name is spelled without escapes in JSON */
    hal_vec vec;
    hal_mashup_seen seen;
    bool taken;                         /* into the table */
    hal_mashup_kind kind, generic_kind; /* in a Mashup dataset; elsewhere */
    char *unit, *ucd, *description;
} hal_mashup_column;

typedef struct hal_mashup_columns {
    hal_mashup_column *at;
    size_t n, capacity;
    hal_names names;
} hal_mashup_columns;

void hal_mashup_column_clear(hal_mashup_column *c);
hal_slice hal_mashup_column_name(const hal_mashup_column *c);
hal_status hal_mashup_column_set_name(hal_mashup_column *c, hal_slice name,
                                      hal_err *err) HAL_MUST_CHECK;

void hal_mashup_columns_clear(hal_mashup_columns *l);
/** NULL when there is none of that name. */
hal_mashup_column *hal_mashup_columns_find(const hal_mashup_columns *l, hal_slice name);
/** Adds a column named `name`, which is not there yet; HAL_E_BUDGET beyond `max` columns. */
hal_status hal_mashup_columns_add(hal_mashup_columns *l, hal_slice name, size_t max,
                                  hal_err *err) HAL_MUST_CHECK;
hal_status hal_mashup_columns_add_unnamed(hal_mashup_columns *l, size_t max,
                                          hal_err *err) HAL_MUST_CHECK;

#endif
