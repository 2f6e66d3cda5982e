/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HAL_BIND_JSON_TEXT_H
#define HAL_BIND_JSON_TEXT_H

#include "base/buf.h"

#include <lua.h>

/** Appends an object to `out`, which outlives a Lua error: keys and values stand in turns from
 * `first` to the top of the stack; those whose value is nil are left out. Raises `usage` for what
 * has no JSON form, `budget`, `memory`. */
void hal_json_put_pairs(lua_State *L, hal_buf *out, int first);

#endif
