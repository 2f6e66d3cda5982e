/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HAL_RUNTIME_CONVERT_H
#define HAL_RUNTIME_CONVERT_H

#include "data/writer.h"

/** hal_runtime_convert without a runtime. `stop` is polled; true ends with HAL_E_CANCELLED. `say`
 * gets what hal_writer_warnings says of the file. */
hal_status hal_convert(const char *in, const char *out, const char *from, const char *to,
                       const _Atomic bool *stop, hal_writer_say *say, void *ctx,
                       hal_err *err) HAL_MUST_CHECK;

#endif
