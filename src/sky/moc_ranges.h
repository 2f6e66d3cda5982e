/* SPDX-License-Identifier: BSD-3-Clause */
/* A growing list of ranges on its way to a MOC. Private to this folder. */
#ifndef HAL_SKY_MOC_RANGES_H
#define HAL_SKY_MOC_RANGES_H

#include "sky/moc.h"

/** {0} is empty. */
typedef struct hal_moc_list {
    hal_moc_range *range;
    size_t n, capacity;
} hal_moc_list;

/** Appends; joined to the last range when it begins where that one ends. HAL_E_BUDGET beyond
 * HAL_MOC_RANGES_MAX, HAL_E_NOMEM. */
hal_status hal_moc_list_add(hal_moc_list *l, uint64_t lo, uint64_t hi, hal_err *err) HAL_MUST_CHECK;
/** hal_moc_new of the list, which is freed whatever happens; `st` is a failure until here. */
hal_moc *hal_moc_list_take(hal_moc_list *l, int order, hal_status st, hal_err *err);

#endif
