/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HAL_BIND_DOWNLOAD_SET_H
#define HAL_BIND_DOWNLOAD_SET_H

#include <lua.h>

/** set{dir, flat, replace, verify, keep_bad} -> downloads into that folder, closed (the rest
 * cancelled) by <close>. Raises. */
int hal_download_set(lua_State *L);

#endif
