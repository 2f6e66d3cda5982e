/* SPDX-License-Identifier: BSD-3-Clause */
#include "bind/bind.h"

#include "host/task.h"

#include <lauxlib.h>

int hal_open_task(lua_State *L)
{
    static const luaL_Reg functions[] = {{"spawn", hal_task_spawn}, {"cancel", hal_task_cancel_lua},
                                         {"sleep", hal_task_sleep}, {"all", hal_task_all},
                                         {"map", hal_task_map},     {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
