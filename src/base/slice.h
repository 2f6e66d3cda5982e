/* SPDX-License-Identifier: BSD-3-Clause */
/* A borrowed run of bytes, not NUL-terminated. */
#ifndef HAL_BASE_SLICE_H
#define HAL_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct hal_slice {
    const char *data;
    size_t size_bytes;
} hal_slice;

static inline hal_slice hal_slice_of(const char *text)
{
    return (hal_slice){text, text ? strlen(text) : 0};
}

static inline bool hal_slice_equals(hal_slice a, hal_slice b)
{
    return a.size_bytes == b.size_bytes &&
           (a.size_bytes == 0 || !memcmp(a.data, b.data, a.size_bytes));
}

#endif
