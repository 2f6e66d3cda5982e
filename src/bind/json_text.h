/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HAL_BIND_JSON_TEXT_H
#define HAL_BIND_JSON_TEXT_H

#include "base/buf.h"

#include <lua.h>

/** Appends a text as a string of JSON to `out`, which outlives a Lua error. Raises `usage` for what
 * is no UTF-8, `budget`, `memory`. */
void hal_json_put_text(lua_State *L, hal_buf *out, const char *text);

#endif
