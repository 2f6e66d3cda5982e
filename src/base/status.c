/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/status.h"

#include "base/redact.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    bool retryable;
    int exit_code;
} table[HAL_STATUS_COUNT] = {
#define X(symbol, name, retryable, exit_code) {name, retryable, exit_code},
#include "base/status.def"
#undef X
};

static bool known(hal_status status)
{
    return status >= 0 && status < HAL_STATUS_COUNT;
}

/* Nothing that a server wrote may steer a terminal: ESC becomes "?" and a C1 control, in UTF-8
 * 0xc2 and a byte below 0xa0, an inverted one. */
static void make_harmless(char *text)
{
    hal_redact(text);
    for (unsigned char *p = (unsigned char *)text; *p; p++)
        if (*p == 0x1b)
            *p = '?';
        else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
            p[1] = 0xbf;
}

hal_status hal_err_set(hal_err *err, hal_status status, const char *fmt, ...)
{
    if (!err)
        return status;
    *err = HAL_ERR_INIT;
    err->status = status;
    err->retryable = known(status) && table[status].retryable;
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    make_harmless(err->text);
    return status;
}

hal_status hal_err_note(hal_err *err, hal_status status, const char *fmt, ...)
{
    if (!err)
        return status;
    char old[HAL_ERR_TEXT_MAX];
    memcpy(old, err->text, sizeof old);
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    if (n >= 0 && (size_t)n < sizeof err->text)
        snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s", old);
    make_harmless(err->text);
    err->status = status;
    return status;
}

const char *hal_err_fault(const hal_err *err)
{
    switch (err->status) {
    case HAL_E_NETWORK:
    case HAL_E_TIMEOUT:
    case HAL_E_ARCHIVE:
        return err->retryable ? "transient" : "permanent";
    case HAL_E_BUSY:
        return "busy";
    case HAL_E_NOT_FOUND:
        return "permanent";
    case HAL_E_PERMISSION: /* of the archive, or a grant of the user */
        return err->http_status ? "permanent" : "limit";
    case HAL_E_PROTOCOL:
        return "protocol";
    case HAL_E_INTEGRITY:
    case HAL_E_TRUNCATED:
        return "integrity";
    case HAL_E_BUDGET:
        return "limit";
    case HAL_E_IO:
    case HAL_E_NOMEM:
        return "local";
    default:
        return "";
    }
}

void hal_err_origin(hal_err *err, const char *origin)
{
    if (err)
        snprintf(err->origin, sizeof err->origin, "%s", origin ? origin : "");
}

hal_status hal_err_errno(hal_err *err, int errno_value, const char *fmt, ...)
{
    hal_status status = errno_value == ENOMEM ? HAL_E_NOMEM : HAL_E_IO;
    if (!err)
        return status;
    hal_err_set(err, status, "%s", "");
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    char reason[128];
    if (strerror_r(errno_value, reason, sizeof reason))
        snprintf(reason, sizeof reason, "error %d", errno_value);
    bool full = errno_value == ENOSPC || errno_value == EDQUOT;
    const char *remedy = full && !strstr(err->text, "make room") ? "; make room and run again" : "";
    if (n >= 0 && (size_t)n < sizeof err->text)
        snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s%s", reason, remedy);
    return status;
}

hal_status hal_err_nomem(hal_err *err, size_t size_bytes)
{
    return hal_err_set(err, HAL_E_NOMEM, "no memory left (asked for %zu bytes)", size_bytes);
}

const char *hal_status_name(hal_status status)
{
    return known(status) ? table[status].name : "internal";
}

hal_status hal_status_from_name(const char *name)
{
    for (int i = 0; i < HAL_STATUS_COUNT; i++)
        if (!strcmp(table[i].name, name))
            return (hal_status)i;
    return HAL_STATUS_COUNT;
}

int hal_status_exit_code(hal_status status)
{
    return known(status) ? table[status].exit_code : 1;
}
