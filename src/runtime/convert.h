/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HAL_RUNTIME_CONVERT_H
#define HAL_RUNTIME_CONVERT_H

#include "runtime/files.h"

#include <halyard.h>

/** hal_runtime_convert without a runtime. */
hal_status hal_convert(const hal_convert_job *job, const hal_file_watch *watch,
                       hal_err *err) HAL_MUST_CHECK;

#endif
