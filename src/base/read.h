/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading a part of a file. */
#ifndef HAL_BASE_READ_H
#define HAL_BASE_READ_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** Up to `n` bytes of `fd` from byte `at` on, fewer only where the file ends; on after
 * interruptions. Returns how many, or -1 with errno. */
ssize_t hal_read_at(int fd, void *to, size_t n, uint64_t at);

#endif
