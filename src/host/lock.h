/* SPDX-License-Identifier: BSD-3-Clause */
/* One run at a time in an output folder, and the removal of what killed runs left there. */
#ifndef HAL_HOST_LOCK_H
#define HAL_HOST_LOCK_H

#include "base/status.h"

/** Makes `folder`, locks it by `.halyard/lock` (an OFD lock, so the kernel frees it when the
 * process dies) and removes stale unfinished files from it and its sub-folders: all that is called
 * `.*.halyard-*` or `.halyard-*` and that no process holds by flock. Parts of downloads stay: they
 * are resumed. Caller closes `*fd`, which frees the lock. HAL_E_IO: another run has the folder
 * (fault matrix L15), which is `retryable`, or the disk failed. */
hal_status hal_lock_folder(int *fd, const char *folder, hal_err *err) HAL_MUST_CHECK;

#endif
