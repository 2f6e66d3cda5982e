/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HAL_RUNTIME_MATCH_H
#define HAL_RUNTIME_MATCH_H

#include "base/status.h"
#include "halyard.h"

#include "host/match.h"
#include "runtime/files.h"

/** hal_runtime_match without a runtime; `account` says what became of the rows. */
hal_status hal_match_files(const hal_match_job *job, hal_pairing_account *account,
                           const hal_file_watch *watch, hal_err *err) HAL_MUST_CHECK;

#endif
