/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HAL_BIND_OUTPUT_FILE_H
#define HAL_BIND_OUTPUT_FILE_H

#include <lua.h>

/** create_file(path) -> file: append(text), cells(...), object(before, key, value, ...), commit();
 * the file appears whole at commit, or not at all. */
int hal_create_file(lua_State *L);

#endif
