/* SPDX-License-Identifier: BSD-3-Clause */
/* Columns read in parts put together. Private to this folder. */
#ifndef HAL_DATA_VEC_JOIN_H
#define HAL_DATA_VEC_JOIN_H

#include "data/vec.h"

/** Appends the rows of `from`; both widen where the values of the other need it, with the result
 * that hal_vec_add_* of every value would have. */
hal_status hal_vec_extend(hal_vec *v, hal_vec *from, hal_err *err) HAL_MUST_CHECK;

#endif
