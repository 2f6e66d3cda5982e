/* SPDX-License-Identifier: BSD-3-Clause */
/* The YAML header of an ECSV document: what its columns hold. Private to this folder. */
#ifndef HAL_DATA_ECSV_HEADER_H
#define HAL_DATA_ECSV_HEADER_H

#include "data/table.h"

enum { HAL_ECSV_DIMENSIONS_MAX = 8 };

typedef struct hal_ecsv_column {
    char *name, *unit, *description, *ucd, *utype, *xtype; /* NULL: not said */
    char *datatype, *subtype;
    char shape[72];
    hal_type type; /* of the items */
    int32_t width;
    int64_t min, max;                             /* of integers, as declared */
    int n_dimensions;                             /* 0: a scalar */
    uint64_t dimensions[HAL_ECSV_DIMENSIONS_MAX]; /* outermost first; 0: open */
} hal_ecsv_column;

typedef struct hal_ecsv_header {
    hal_ecsv_column *columns;
    size_t n_columns, capacity;
    char delimiter;
    hal_metadata metadata; /* `meta`, nested names joined by dots, an item for each element */
} hal_ecsv_header;

/** Reads `yaml`, which begins in line `first_line` of the document. HAL_E_INTEGRITY names the line
 * of what is not ECSV 1.0 (aliases, unknown keys and datatypes, what is held only rounded);
 * HAL_E_BUDGET: more than `columns_max` columns. `out` is to be cleared in any case. */
hal_status hal_ecsv_header_read(hal_ecsv_header *out, hal_slice yaml, size_t first_line,
                                size_t columns_max, hal_err *err) HAL_MUST_CHECK;
void hal_ecsv_header_clear(hal_ecsv_header *h);
/** Borrows the texts of `c`. */
hal_field hal_ecsv_field(const hal_ecsv_column *c);

#endif
