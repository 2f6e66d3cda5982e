/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HAL_RUNTIME_MATCH_H
#define HAL_RUNTIME_MATCH_H

#include "base/status.h"
#include "halyard.h"

#include "data/writer.h"
#include "host/match.h"

/** hal_runtime_match without a runtime; `account` says what became of the rows. `stop` is polled;
 * true ends with HAL_E_CANCELLED. `say` gets what hal_writer_warnings says of the file. */
hal_status hal_match_files(const hal_match_job *job, hal_pairing_account *account,
                           const _Atomic bool *stop, hal_writer_say *say, void *ctx,
                           hal_err *err) HAL_MUST_CHECK;

#endif
