/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HAL_FUZZ_CHECK_H
#define HAL_FUZZ_CHECK_H

#include <stdbool.h>

/** What a target demands of the code under it. */
static inline void check(bool sound)
{
    if (!sound)
        __builtin_trap();
}

#endif
