/* SPDX-License-Identifier: BSD-3-Clause */
/* Writing to a descriptor to the last byte. Opening, syncing and naming files is the caller's. */
#ifndef HAL_BASE_WRITE_H
#define HAL_BASE_WRITE_H

#include "base/status.h"

#include <stdbool.h>

/** Whether a write to `fd` that failed so is to be repeated: it was interrupted, or nothing was
 * taken for the moment, which this waits for, 10 ms at most. */
bool hal_write_again(int fd, int error);
/** All `n` bytes to `fd`, on after interruptions. HAL_E_IO: "cannot write `what`" and the system's
 * reason. */
hal_status hal_write_all(int fd, const char *bytes, size_t n, const char *what,
                         hal_err *err) HAL_MUST_CHECK;

#endif
