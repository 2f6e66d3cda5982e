/* SPDX-License-Identifier: BSD-3-Clause */
/* What a tile plan and a plan for targets take and give, as Lua tables. halyard.core.plan says how
 * these look. */
#ifndef HAL_BIND_PLAN_ARGS_H
#define HAL_BIND_PLAN_ARGS_H

#include "plan/plan.h"

#include <lua.h>

/** The host's clock. */
int64_t hal_now_ns(lua_State *L);
/** Now, or with true at `index` so long ago that nothing is waited for. */
int64_t hal_arg_when_ns(lua_State *L, int index);
/** A whole number, not negative; raises `usage`. */
uint64_t hal_arg_count(lua_State *L, int index, const char *what);
/** Sets a field unless the number is infinite. */
void hal_set_border(lua_State *L, const char *key, double value);

/** The ask that plan:next pushed, from the table at `index`: id, whole, tile, cone, box. */
hal_ask hal_arg_ask(lua_State *L, int index);
/** Pushes "ask" and the ask, "wait" and the seconds until `until_ns` (nil: until an outcome), or
 * "done"; returns how many values. `plan` names the column of the ask's range. */
int hal_push_next(lua_State *L, hal_next next, const hal_ask *ask, const hal_plan *plan,
                  int64_t until_ns, int64_t now_ns);
/** The capability record and the options of a plan (a value is left on the stack that holds what
 * they borrow), from tables; raise `usage`. */
hal_service hal_arg_service(lua_State *L, int index);
hal_plan_options hal_arg_plan_options(lua_State *L, int index);
/** The verdict at `index` and, into `why`, the error object after it. */
hal_verdict hal_arg_failure(lua_State *L, int index, hal_err *why);
void hal_push_account(lua_State *L, const hal_account *account);
/** How many densities are wanted, and an array of them: { ra, dec, radius, rows_per_sr }. */
size_t hal_arg_densities(lua_State *L, int index);
void hal_push_densities(lua_State *L, const hal_plan_density *d, size_t n);

#endif
