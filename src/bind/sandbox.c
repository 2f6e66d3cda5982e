/* SPDX-License-Identifier: BSD-3-Clause */
#include "bind/bind.h"

#include "host/guest.h"

#include <lauxlib.h>

int hal_open_sandbox(lua_State *L)
{
    static const luaL_Reg functions[] = {{"environment", hal_guest_environment},
                                         {"load", hal_guest_load},
                                         {"readonly", hal_guest_readonly},
                                         {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
