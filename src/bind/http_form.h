/* SPDX-License-Identifier: BSD-3-Clause */
/* Functions of halyard.core.http that make bodies. Private to this folder. */
#ifndef HAL_BIND_HTTP_FORM_H
#define HAL_BIND_HTTP_FORM_H

#include <lua.h>

/** multipart{ {name=, value=} | {name=, filename=, content_type=, body=}, ... } -> body,
 * content type; the boundary occurs in no part. The same parts give the same bytes. */
int hal_http_multipart(lua_State *L);

#endif
