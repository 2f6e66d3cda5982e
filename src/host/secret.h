/* SPDX-License-Identifier: BSD-3-Clause */
/* The user's credentials: where they are found and which hosts may get them. They stay in C: no
 * script, log or report sees one. */
#ifndef HAL_HOST_SECRET_H
#define HAL_HOST_SECRET_H

#include "base/buf.h"
#include "host/host.h"
#include "net/secret.h"

/** {0}: none. `net` is what a request takes. */
typedef struct hal_credentials {
    hal_secrets net;
    hal_buf body; /* of hal_credentials_form */
} hal_credentials;

/** Overwrites and frees. */
void hal_credentials_clear(hal_credentials *c);

/** The MAST token: the environment variable MAST_API_TOKEN, else the file halyard/mast-token below
 * $XDG_CONFIG_HOME or ~/.config; none is no failure. HAL_E_PERMISSION: the file can be read by
 * others; HAL_E_USAGE: it holds no token; HAL_E_IO. */
hal_status hal_credentials_mast(hal_credentials *c, hal_host *host, hal_err *err) HAL_MUST_CHECK;

/** Makes c->body of `body` and one form field more: `field` and the value of the environment
 * variable `name`, which is one of CASJOBS_WSID, CASJOBS_USERID, CASJOBS_PW. May be called again,
 * with `body` empty. HAL_E_PERMISSION: the variable is not set. */
hal_status hal_credentials_form(hal_credentials *c, hal_host *host, hal_slice body,
                                const char *field, const char *name, hal_err *err) HAL_MUST_CHECK;

#endif
