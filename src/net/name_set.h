/* SPDX-License-Identifier: BSD-3-Clause */
/* Sets of texts for queues of a million files: 16 bytes a place, the texts are not kept. Two texts
 * are one when 128 bits of their SHA-256 are. */
#ifndef HAL_NET_NAME_SET_H
#define HAL_NET_NAME_SET_H

#include "base/status.h"

#include <stdint.h>

typedef struct hal_name_set hal_name_set;

/** `folded`: texts that differ only in case or in how their characters are composed are one, as
 * file systems have it (security model 7.1). NULL and err. */
hal_name_set *hal_name_set_new(bool folded, hal_err *err);
void hal_name_set_free(hal_name_set *set);
/** *is_new: the text was not in the set. HAL_E_NOMEM; HAL_E_IO when a library is missing. */
hal_status hal_name_set_add(hal_name_set *set, const char *text, bool *is_new,
                            hal_err *err) HAL_MUST_CHECK;

#endif
