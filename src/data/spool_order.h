/* SPDX-License-Identifier: BSD-3-Clause */
/* The canonical order of rows: by key, then by the identifier, then by the whole row. It depends
 * neither on types nor on the order of columns. Private to the spool. */
#ifndef HAL_DATA_SPOOL_ORDER_H
#define HAL_DATA_SPOOL_ORDER_H

#include "data/table.h"

/** Rows with what orders them. */
typedef struct hal_spool_rows {
    const hal_table *table;
    const uint64_t *key;
    size_t id;     /* column, SIZE_MAX: none */
    size_t *order; /* columns by name; SIZE_MAX: absent */
    size_t n_order;
} hal_spool_rows;

/** Negative, 0 or positive: by key and identifier alone. */
int hal_spool_compare_keys(const hal_spool_rows *a, uint64_t ra, const hal_spool_rows *b,
                           uint64_t rb);
int hal_spool_compare_rows(const hal_spool_rows *a, uint64_t ra, const hal_spool_rows *b,
                           uint64_t rb);
/** Row numbers in order (merge sort: no quadratic case), which the caller frees. NULL: no memory.
 */
uint64_t *hal_spool_sorted_rows(const hal_spool_rows *r, hal_err *err);

#endif
