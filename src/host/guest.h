/* SPDX-License-Identifier: BSD-3-Clause */
/* What a guest script sees: globals from an allow-list, read-only libraries. Security model 4.1,
 * 4.2. */
#ifndef HAL_HOST_GUEST_H
#define HAL_HOST_GUEST_H

#include <lua.h>

/** environment([folder]) -> a fresh table of globals. Reading an undefined global raises. `require`
 * finds "halyard" and the public "halyard.*" modules and, with `folder`, text modules below it. */
int hal_guest_environment(lua_State *L);
/** load(text, chunkname, env) -> function, or nil and a message. Text chunks only. */
int hal_guest_load(lua_State *L);
/** readonly(table) -> a table that reads like it and refuses writes. */
int hal_guest_readonly(lua_State *L);
/** Makes the methods of text values (("x"):rep) those that guests may use. */
void hal_guest_replace_string_methods(lua_State *L);

#endif
