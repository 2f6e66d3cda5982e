/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HAL_RUNTIME_SHOW_H
#define HAL_RUNTIME_SHOW_H

#include "base/buf.h"
#include "runtime/files.h"

#include <halyard.h>

/** hal_runtime_show into `text`. */
hal_status hal_show_file(hal_buf *text, const hal_show *show, const hal_file_watch *watch,
                         hal_err *err) HAL_MUST_CHECK;

#endif
