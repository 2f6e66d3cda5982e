/* SPDX-License-Identifier: BSD-3-Clause */
/* The shared objects as Lua sees them: tables, regions, asks and what goes with them. */
#ifndef HAL_BIND_OBJECTS_H
#define HAL_BIND_OBJECTS_H

#include "data/table.h"
#include "host/harvest.h"
#include "plan/plan.h"
#include "sky/region.h"

#include <lua.h>

/** Pushes an empty "halyard.table"; put an owned table into the slot, then call hal_table_pushed.
 */
hal_table **hal_table_push(lua_State *L);
/** Tells the collector how much memory the table on top of the stack holds, so that dropped tables
 * do not pile up. Raises HAL_E_NOMEM when the slot is still empty after `err`. */
int hal_table_pushed(lua_State *L, const hal_err *err);
/** The table at `index`; raises `usage` when it is something else or closed. Borrowed. */
hal_table *hal_arg_table(lua_State *L, int index, const char *what);

/** The region at `index`; raises `usage`. Borrowed. */
hal_region *hal_arg_region(lua_State *L, int index, const char *what);
/** Adds the functions that make regions to the module on top of the stack. */
void hal_region_add_functions(lua_State *L);

/** The open tile plan at `index`; raises `usage`. Borrowed. */
hal_plan *hal_arg_plan(lua_State *L, int index);

/** The harvest, the list of targets at `index`; raise `usage`. Borrowed. */
hal_harvest *hal_arg_harvest(lua_State *L, int index);
hal_targets *hal_arg_targets(lua_State *L, int index);

#endif
