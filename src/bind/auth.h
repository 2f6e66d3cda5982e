/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of a request that name credentials. Private to this folder. */
#ifndef HAL_BIND_AUTH_H
#define HAL_BIND_AUTH_H

#include "host/secret.h"

#include <lua.h>

/** Option `auth` = "mast": the user's token, if there is one. Raises; `c` is owned by something
 * that clears it. */
void hal_option_auth(lua_State *L, int index, hal_credentials *c);
/** Option `secret` = { field = "CASJOBS_PW", ... }: form fields whose values come from the
 * environment. The body with them, or `body` without that option. Raises as above. */
hal_slice hal_option_secret(lua_State *L, int index, hal_slice body, const char *method,
                            hal_credentials *c);

#endif
