/* SPDX-License-Identifier: BSD-3-Clause */
/* Status codes and the error record. Reporting an error never allocates, so running out of memory
 * is reportable. Leaves presentation (exit codes of a process, Lua objects) to others. */
#ifndef HAL_BASE_STATUS_H
#define HAL_BASE_STATUS_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum hal_status {
#define X(symbol, name, retryable, exit_code) symbol,
#include "base/status.def"
#undef X
    HAL_STATUS_COUNT
} hal_status;

enum { HAL_ERR_TEXT_MAX = 1024, HAL_ERR_ORIGIN_MAX = 160 };

/** One failure. Lives on the caller's stack; initialise with HAL_ERR_INIT. */
typedef struct hal_err {
    hal_status status;
    bool retryable;
    int http_status;      /* 0: none */
    double retry_after_s; /* seconds the archive asked to wait; < 0: not said */
    int tries;            /* requests that were made for it; 0: none, or not counted */
    bool deferred; /* it may well succeed in a later run: nothing is wrong with what was asked */
    char origin[HAL_ERR_ORIGIN_MAX]; /* host, file or function the failure came from; may be "" */
    char text[HAL_ERR_TEXT_MAX];     /* one line: cause, then remedy */
} hal_err;

#define HAL_ERR_INIT ((hal_err){.retry_after_s = -1.0})

/** Sets `err` (may be NULL) to `status` with the status's own retryable bit and returns `status`.
 */
hal_status hal_err_set(hal_err *err, hal_status status, const char *fmt, ...) HAL_PRINTF(3, 4);

/** Puts "context: " in front of the text, keeps the code; returns `status`. `err` may be NULL. */
hal_status hal_err_note(hal_err *err, hal_status status, const char *fmt, ...) HAL_PRINTF(3, 4);

/** Sets the origin; `err` may be NULL. */
void hal_err_origin(hal_err *err, const char *origin);

/** HAL_E_IO with strerror text of `errno_value` after the formatted context, of a full disk also
 * the remedy; HAL_E_NOMEM for ENOMEM. */
hal_status hal_err_errno(hal_err *err, int errno_value, const char *fmt, ...) HAL_PRINTF(3, 4);

/** HAL_E_NOMEM with a standard text naming how many bytes were asked for. */
hal_status hal_err_nomem(hal_err *err, size_t size_bytes);

/** Class of the failure (fault matrix section 2): "transient", "busy", "permanent", "integrity",
 * "local", "limit" or "protocol"; "" for what is no fault of a transfer. Static. */
const char *hal_err_fault(const hal_err *err);

/** Lua-side name ("truncated"), never NULL. */
const char *hal_status_name(hal_status status);
/** Inverse of hal_status_name; HAL_STATUS_COUNT when unknown. */
hal_status hal_status_from_name(const char *name);
/** Exit code of the command: table in the design, section "Exit codes". */
int hal_status_exit_code(hal_status status);

#endif
