/* SPDX-License-Identifier: BSD-3-Clause */
/* The Lua functions of core.task. Structured: a task ends after its children; the first failure in
 * a scope cancels the siblings and is raised in the parent: at its next wait, whenever it starts
 * another task, and at its end. Whoever wants to go on after a failure gives the tasks a scope of
 * their own: pcall(task.all, ...). */
#ifndef HAL_HOST_TASK_H
#define HAL_HOST_TASK_H

#include <lua.h>

/** spawn(f, ...) -> task of the running task's scope. Methods: join() -> results or the failure
 * raised (one waiting task at a time); cancel(). */
int hal_task_spawn(lua_State *L);
/** cancel(task): ends it and its children soon; their <close> variables run. */
int hal_task_cancel_lua(lua_State *L);
/** sleep(seconds), 0 to 30 days. */
int hal_task_sleep(lua_State *L);
/** all{f, ...} -> list of first results; waits for all, raises the first failure. */
int hal_task_all(lua_State *L);
/** map(list, n, f) -> list of f(item, index), at most n (1..64) at once. */
int hal_task_map(lua_State *L);
/** Registers the metatables; once per state. */
void hal_task_register(lua_State *L);

#endif
