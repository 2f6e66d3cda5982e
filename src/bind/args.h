/* SPDX-License-Identifier: BSD-3-Clause */
/* Argument checking shared by the modules: wrong arguments raise a `usage` error object that names
 * the argument and what was expected. Nothing here holds memory over a Lua error. */
#ifndef HAL_BIND_ARGS_H
#define HAL_BIND_ARGS_H

#include "base/buf.h"

#include <lua.h>
#include <stdint.h>

/** Raises `status` with the formatted text. Does not return. */
int hal_bind_fail(lua_State *L, hal_status status, const char *fmt, ...) HAL_PRINTF(3, 4);

/** Positional arguments; `what` is the text for the message ("table:get: row number"). The slice
 * and text live as long as the value on the stack. */
lua_Integer hal_arg_integer(lua_State *L, int index, const char *what);
double hal_arg_number(lua_State *L, int index, const char *what);
hal_slice hal_arg_slice(lua_State *L, int index, const char *what);
const char *hal_arg_text(lua_State *L, int index, const char *what); /* no NUL inside */

/** Options table at `index`: raises when it is not a table or has a key that `known` (NULL-ended)
 * does not list. */
void hal_options_check(lua_State *L, int index, const char *const *known, const char *what);
/** One option, read raw; absent gives the default. Text stays valid while the table holds it. */
const char *hal_option_text(lua_State *L, int index, const char *key, const char *absent);
hal_slice hal_option_slice(lua_State *L, int index, const char *key);
double hal_option_number(lua_State *L, int index, const char *key, double absent);
int64_t hal_option_integer(lua_State *L, int index, const char *key, int64_t absent);
bool hal_option_boolean(lua_State *L, int index, const char *key, bool absent);
/** Raises when the option is absent. */
void hal_option_require(lua_State *L, int index, const char *key, const char *what);

/** The output folder. Raises `usage` when there is none. */
const char *hal_output_root(lua_State *L);
/** Pushes the path of a file or folder below the output folder, as the system takes it, and returns
 * it; `path` is relative to that folder, or absolute and inside it. The folders on the way (for
 * hal_output_folder the last one too) are made. Raises `permission` for what leaves the output
 * folder, `usage` when there is none. */
const char *hal_output_path(lua_State *L, const char *path);
const char *hal_output_folder(lua_State *L, const char *path);

/** Pushes a userdata that owns a byte buffer: text under construction is not lost when Lua raises.
 */
hal_buf *hal_scratch(lua_State *L, size_t max_bytes);

/** Raises when appending to a buffer of `what` failed. The error record is only filled here: its
 * many bytes cost more than most texts, so append without one. */
void hal_check_append(lua_State *L, hal_status status, const char *what, int max_bytes);

/** `text` without the credentials that stand in addresses: itself, or a copy that is pushed. */
const char *hal_redacted(lua_State *L, const char *text);

/** Sets a field of the table on top of the stack. */
void hal_set_text(lua_State *L, const char *key, const char *value);
void hal_set_integer(lua_State *L, const char *key, int64_t value);
void hal_set_number(lua_State *L, const char *key, double value);
void hal_set_boolean(lua_State *L, const char *key, bool value);

#endif
