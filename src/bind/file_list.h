/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HAL_BIND_FILE_LIST_H
#define HAL_BIND_FILE_LIST_H

#include <lua.h>

/** list{csv, json, report} -> a list of files, line by line into those of the three that
 * are given, which are files of create_file. Raises `usage`. */
int hal_file_list(lua_State *L);

#endif
