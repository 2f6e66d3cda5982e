/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HAL_BIND_FILE_ROW_H
#define HAL_BIND_FILE_ROW_H

#include <lua.h>

/** row(t) -> address or data URI, is it an address of another service (`access_url`), what records
 * call it, host ("name[:port]", or "mast"), safe file name or nil, size or nil, SHA-256 or nil.
 * Nothing when the row is none of a file. */
int hal_file_row(lua_State *L);

#endif
