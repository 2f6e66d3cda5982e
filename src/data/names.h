/* SPDX-License-Identifier: BSD-3-Clause */
/* Which of a list's names is this one: a hash table beside a list that keeps the names itself. With
 * ten thousand columns, comparing each with each costs seconds. Private to this folder. */
#ifndef HAL_DATA_NAMES_H
#define HAL_DATA_NAMES_H

#include "base/slice.h"
#include "base/status.h"

#include <stdint.h>

/** The name of number `i` of a list; it must stay what it was when the number was added. */
typedef hal_slice (*hal_name_of)(const void *list, size_t i);

/** All zeros: empty. */
typedef struct hal_names {
    uint32_t *slots; /* number + 1; 0: free */
    size_t n_slots, n;
} hal_names;

void hal_names_clear(hal_names *names);
/** The number of `name`, SIZE_MAX when there is none. */
size_t hal_names_find(const hal_names *names, hal_name_of name_of, const void *list,
                      hal_slice name);
/** Adds number `i`, whose name is not there yet. */
hal_status hal_names_add(hal_names *names, hal_name_of name_of, const void *list, size_t i,
                         hal_err *err) HAL_MUST_CHECK;

#endif
