/* SPDX-License-Identifier: BSD-3-Clause */
/* The private modules halyard.core.*: each function opens one (lua_CFunction for package.preload,
 * called once per state). */
#ifndef HAL_BIND_BIND_H
#define HAL_BIND_BIND_H

#include <lua.h>

/** Registers every module below in package.preload. */
void hal_bind_preload(lua_State *L);

int hal_open_task(lua_State *L);
int hal_open_sandbox(lua_State *L);
int hal_open_system(lua_State *L);
int hal_open_json(lua_State *L);
int hal_open_sky(lua_State *L);
int hal_open_table(lua_State *L);
int hal_open_http(lua_State *L);
int hal_open_download(lua_State *L);
int hal_open_archive(lua_State *L);
int hal_open_plan(lua_State *L);
int hal_open_plot(lua_State *L);
int hal_open_harvest(lua_State *L);
int hal_open_groups(lua_State *L);
int hal_open_ledger(lua_State *L);
int hal_open_holdings(lua_State *L);

#endif
