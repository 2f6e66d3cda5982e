/* SPDX-License-Identifier: BSD-3-Clause */
#include "bind/bind.h"

#include <lauxlib.h>

static const luaL_Reg modules[] = {
    {"halyard.core.task", hal_open_task},         {"halyard.core.sandbox", hal_open_sandbox},
    {"halyard.core.system", hal_open_system},     {"halyard.core.json", hal_open_json},
    {"halyard.core.sky", hal_open_sky},           {"halyard.core.table", hal_open_table},
    {"halyard.core.http", hal_open_http},         {"halyard.core.download", hal_open_download},
    {"halyard.core.archive", hal_open_archive},   {"halyard.core.plan", hal_open_plan},
    {"halyard.core.harvest", hal_open_harvest},   {"halyard.core.plot", hal_open_plot},
    {"halyard.core.groups", hal_open_groups},     {"halyard.core.ledger", hal_open_ledger},
    {"halyard.core.holdings", hal_open_holdings}, {NULL, NULL},
};

void hal_bind_preload(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    luaL_setfuncs(L, modules, 0);
    lua_pop(L, 1);
}
