/* SPDX-License-Identifier: BSD-3-Clause */
/* Tasks: coroutines in structured scopes and their scheduler. A task ends after its children; the
 * first failure in a scope cancels the siblings and reaches the parent. Cancelling closes the
 * coroutine, which runs its <close> variables. What tasks wait for is not known here. */
#include "host/task.h"

#include "host/internal.h"

#include <lauxlib.h>

#include <math.h>
#include <string.h>

static const char METATABLE[] = "halyard.task";
static const char GROUP[] = "halyard.task.group";

enum { SLEEP_MAX_S = 30 * 24 * 3600, MAP_PARALLEL_MAX = 64, LIST_MAX = 1000000 };

void hal_task_make_ready(hal_task *task)
{
    if (task->state == TASK_RUNNING) /* done before it yielded: queued when it does */
        return;
    hal_host *host = task->owner.host;
    task->state = TASK_READY;
    task->next_ready = NULL;
    if (host->ready_tail)
        host->ready_tail->next_ready = task;
    else
        host->ready_head = task;
    host->ready_tail = task;
}

hal_task *hal_task_push(lua_State *L, hal_task *parent, int i_group, int n_args)
{
    hal_host *host = hal_host_of(L);
    luaL_checkstack(L, 4, "task");
    /* f, arguments */
    hal_task *task = lua_newuserdatauv(L, sizeof *task, 2);
    memset(task, 0, sizeof *task);
    task->owner = (hal_owner){host, task};
    task->self_ref = task->failure_ref = LUA_NOREF;
    task->state = TASK_ENDED;
    luaL_setmetatable(L, METATABLE);
    lua_State *co = lua_newthread(L);
    lua_setiuservalue(L, -2, 1);
    if (!lua_checkstack(co, n_args + 8))
        luaL_error(L, "too many arguments for a task");
    if (i_group) {
        lua_pushvalue(L, i_group);
        lua_setiuservalue(L, -2, 2);
        task->group = lua_touserdata(L, i_group);
        lua_pushvalue(L, -1);
    } else {
        lua_pushvalue(L, -1);
    }
    task->self_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    /* nothing below can fail */
    task->co = co;
    task->parent = parent;
    task->n_args = n_args;
    if (parent) {
        task->next_sibling = parent->first_child;
        parent->first_child = task;
        parent->n_children++;
    }
    if (task->group)
        task->group->n_live++;
    lua_insert(L, -(n_args + 2));
    lua_xmove(L, co, n_args + 1);
    *(hal_owner **)lua_getextraspace(co) = &task->owner;
    host->n_live++;
    hal_task_make_ready(task);
    return task;
}

static void cancel_wait(hal_task *task)
{
    void (*cancel)(void *) = task->wait.cancel;
    task->wait.cancel = NULL;
    if (cancel)
        cancel(task->wait.ctx);
}

void hal_task_cancel(hal_task *task)
{
    if (task->cancelled || task->state == TASK_ENDED)
        return;
    task->cancelled = true;
    for (hal_task *child = task->first_child; child; child = child->next_sibling)
        hal_task_cancel(child);
    if (task->state == TASK_WAITING)
        cancel_wait(task);
}

static void cancel_group(hal_task *owner, const hal_group *group)
{
    for (hal_task *child = owner->first_child; child; child = child->next_sibling)
        if (child->group == group)
            hal_task_cancel(child);
}

/* The error on top of the failed child's stack as a reference of the registry. */
static int error_ref(hal_task *child)
{
    lua_pushvalue(child->co, -1);
    return luaL_ref(child->co, LUA_REGISTRYINDEX);
}

int hal_task_raise_failure(lua_State *L, hal_task *task)
{
    task->failure_told = true;
    lua_rawgeti(L, LUA_REGISTRYINDEX, task->failure_ref);
    return lua_error(L);
}

/* A child of `task`'s own scope failed: `task` learns it now. */
static void deliver(hal_task *task, hal_task *child)
{
    if (task->cancelled || task->failure_ref != LUA_NOREF || task->state == TASK_ENDED)
        return;
    task->failure_ref = error_ref(child);
    if (task->state == TASK_WAITING)
        cancel_wait(task);
}

static void unlink_child(hal_task *parent, hal_task *child)
{
    hal_task **at = &parent->first_child;
    while (*at != child)
        at = &(*at)->next_sibling;
    *at = child->next_sibling;
    parent->n_children--;
}

static void close_coroutine(hal_task *task);
static void finish(hal_task *task);

static void child_ended(hal_task *parent, hal_task *child)
{
    bool failed = !child->ok && !child->cancelled;
    bool joined = child->joiner && child->joiner->task == parent;
    unlink_child(parent, child);
    hal_group *group = child->group;
    if (failed && group && group->error_ref == LUA_NOREF) {
        group->error_ref = error_ref(child);
        cancel_group(parent, group);
    } else if (failed && !group) {
        if (!joined)
            deliver(parent, child);
        cancel_group(parent, NULL);
    }
    if (group && --group->n_live == 0 && group->waiter) {
        hal_await *waiter = group->waiter;
        group->waiter = NULL;
        hal_await_done(waiter);
    }
    if (parent->n_children > 0)
        return;
    if (parent->state == TASK_CLOSING)
        close_coroutine(parent);
    else if (parent->state == TASK_DRAINING)
        finish(parent);
}

/* The task's result becomes the failure "cancelled". */
static void fail_cancelled(hal_task *task)
{
    hal_err err = HAL_ERR_INIT;
    hal_err_set(&err, HAL_E_CANCELLED, "%s",
                atomic_load(&task->owner.host->interrupted) ? "interrupted"
                                                            : "the task was cancelled");
    lua_settop(task->co, 0);
    hal_push_error(task->co, &err);
    task->ok = false;
}

/* Its function has ended (results or error on co's stack) and so have its children. */
static void finish(hal_task *task)
{
    hal_host *host = task->owner.host;
    if (task->cancelled && task->ok) { /* its children may not have done their work */
        fail_cancelled(task);
    } else if (task->failure_ref != LUA_NOREF && task->ok) {
        lua_settop(task->co, 0);
        lua_rawgeti(task->co, LUA_REGISTRYINDEX, task->failure_ref);
        task->ok = false;
    }
    luaL_unref(task->co, LUA_REGISTRYINDEX, task->failure_ref);
    task->failure_ref = LUA_NOREF;
    task->state = TASK_ENDED;
    *(hal_owner **)lua_getextraspace(task->co) = &host->main;
    host->n_live--;
    hal_await *joiner = task->joiner;
    if (task->parent)
        child_ended(task->parent, task);
    task->joiner = NULL;
    if (joiner && joiner->armed)
        hal_await_done(joiner);
    int ref = task->self_ref;
    task->self_ref = LUA_NOREF;
    if (task != host->root)
        luaL_unref(host->L, LUA_REGISTRYINDEX, ref);
    else
        host->root_ref = ref;
}

static void end_function(hal_task *task, bool ok)
{
    task->ok = ok;
    if (!ok)
        for (hal_task *child = task->first_child; child; child = child->next_sibling)
            hal_task_cancel(child);
    task->state = TASK_DRAINING;
    if (task->n_children == 0)
        finish(task);
}

/* Runs the <close> variables of a coroutine; an error value stays on its stack. */
static int reset(hal_host *host, lua_State *co)
{
    host->is_closing = true;
    hal_limits_enter(host);
    int status = lua_resetthread(co);
    hal_limits_leave(host);
    host->is_closing = false;
    return status;
}

static void close_coroutine(hal_task *task)
{
    hal_host *host = task->owner.host;
    hal_task *outer = host->running;
    host->running = task;
    for (int i = 0; i < task->n_generators; i++)
        reset(host, task->generators[i]);
    reset(host, task->co);
    host->running = outer;
    fail_cancelled(task);
    task->state = TASK_DRAINING;
    finish(task);
}

static void log_traceback(hal_task *task)
{
    hal_host *host = task->owner.host;
    if (lua_type(task->co, -1) != LUA_TSTRING || !lua_checkstack(host->L, 4))
        return;
    luaL_traceback(host->L, task->co, lua_tostring(task->co, -1), 0);
    hal_host_log(host, "debug", lua_tostring(host->L, -1));
    lua_pop(host->L, 1);
}

static void run(hal_host *host, hal_task *task)
{
    if (task->cancelled) {
        task->state = TASK_CLOSING;
        if (task->n_children == 0)
            close_coroutine(task);
        return;
    }
    task->state = TASK_RUNNING;
    task->n_generators = 0;
    int n_args = task->n_args, n_results = 0;
    task->n_args = 0;
    host->running = task;
    int status = lua_resume(task->co, host->L, n_args, &n_results);
    host->running = NULL;
    if (status == LUA_YIELD) {
        lua_pop(task->co, n_results); /* the sentinel */
        task->state = TASK_WAITING;
        if (!task->wait.armed)
            hal_task_make_ready(task);
        else if (task->cancelled)
            cancel_wait(task);
        return;
    }
    if (status == LUA_OK) {
        end_function(task, true);
        return;
    }
    log_traceback(task);
    reset(host, task->co);
    if (lua_gettop(task->co) == 0)
        lua_pushliteral(task->co, "error without a value");
    end_function(task, false);
}

void hal_task_run_ready(hal_host *host)
{
    hal_task *task = host->ready_head;
    if (!task)
        return;
    host->ready_head = host->ready_tail = NULL;
    hal_limits_enter(host); /* once for all: the clock of a thread is a system call */
    while (task) {
        hal_task *next = task->next_ready;
        run(host, task);
        task = next;
    }
    hal_limits_leave(host);
}

/* Lua side */

static hal_task *check_task(lua_State *L, int index)
{
    return luaL_checkudata(L, index, METATABLE);
}

static hal_task *current(lua_State *L)
{
    const hal_host *host = hal_host_of(L);
    if (!host->running || host->is_closing) {
        hal_err err = HAL_ERR_INIT;
        hal_err_set(&err, HAL_E_USAGE,
                    host->running ? "no task can be started while a cancelled task is closed"
                                  : "tasks can only be started while a workflow runs");
        hal_raise(L, &err);
    }
    if (host->running->failure_ref != LUA_NOREF)
        hal_task_raise_failure(L, host->running);
    return host->running;
}

static int raise_usage(lua_State *L, const char *text)
{
    hal_err err = HAL_ERR_INIT;
    hal_err_set(&err, HAL_E_USAGE, "%s", text);
    return hal_raise(L, &err);
}

int hal_task_spawn(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    hal_task_push(L, current(L), 0, lua_gettop(L) - 1);
    return 1;
}

static int join_results(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    hal_task *task = check_task(L, 1);
    lua_State *co = task->co;
    int n = lua_gettop(co);
    luaL_checkstack(L, n + 1, "too many results of a task");
    if (!lua_checkstack(co, n + 1))
        return luaL_error(L, "too many results of a task");
    if (!task->ok) {
        lua_pushvalue(co, -1);
        lua_xmove(co, L, 1);
        return lua_error(L);
    }
    for (int i = 1; i <= n; i++)
        lua_pushvalue(co, i);
    lua_xmove(co, L, n);
    return n;
}

static void stop_joining(void *ctx)
{
    hal_task *task = ctx;
    hal_await *joiner = task->joiner;
    task->joiner = NULL;
    hal_await_done(joiner);
}

static int task_join(lua_State *L)
{
    hal_task *task = check_task(L, 1);
    lua_settop(L, 1);
    if (task->state == TASK_ENDED)
        return join_results(L, LUA_OK, 0);
    if (task->joiner)
        return raise_usage(L, "another task joins this one already; join it once and share the "
                              "result");
    for (const hal_task *t = hal_host_of(L)->running; t; t = t->parent)
        if (t == task)
            return raise_usage(L, "a task cannot join itself or a task it runs in");
    hal_await *a = hal_await_begin(L, stop_joining, task);
    task->joiner = a;
    return hal_await_yield(L, a, join_results, 0);
}

int hal_task_cancel_lua(lua_State *L)
{
    hal_task_cancel(check_task(L, 1));
    return 0;
}

static int task_tostring(lua_State *L)
{
    static const char *const names[] = {"ready",     "running",   "waiting",
                                        "cancelled", "finishing", "ended"};
    const hal_task *task = check_task(L, 1);
    lua_pushfstring(L, "halyard.task: %s",
                    task->state != TASK_ENDED ? names[task->state]
                    : task->ok                ? "ended"
                                              : "failed");
    return 1;
}

static void stop_sleeping(void *ctx)
{
    hal_task *task = ctx;
    hal_timer_cancel(task->timer);
    task->timer = NULL;
    hal_await_done(&task->wait);
}

static void wake_up(void *ctx)
{
    hal_task *task = ctx;
    task->timer = NULL;
    hal_await_done(&task->wait);
}

static int nothing(lua_State *L, int status, lua_KContext ctx)
{
    (void)L;
    (void)status;
    (void)ctx;
    return 0;
}

int hal_task_sleep(lua_State *L)
{
    double seconds = luaL_checknumber(L, 1);
    if (!(seconds >= 0 && seconds <= SLEEP_MAX_S))
        return raise_usage(L, "sleep takes seconds from 0 to 30 days");
    hal_host *host = hal_host_of(L);
    hal_await *a = hal_await_begin(L, stop_sleeping, host->running);
    hal_err err = HAL_ERR_INIT;
    host->running->timer =
        hal_timer_start(host->loop, (int64_t)ceil(seconds * 1000), wake_up, host->running, &err);
    if (!host->running->timer) {
        hal_await_abandon(a);
        return hal_raise(L, &err);
    }
    return hal_await_yield(L, a, nothing, 0);
}

static hal_group *push_group(lua_State *L)
{
    hal_group *group = lua_newuserdatauv(L, sizeof *group, 0);
    *group = (hal_group){.owner = hal_host_of(L)->running, .error_ref = LUA_NOREF};
    luaL_setmetatable(L, GROUP);
    return group;
}

static int group_gc(lua_State *L)
{
    hal_group *group = luaL_checkudata(L, 1, GROUP);
    luaL_unref(L, LUA_REGISTRYINDEX, group->error_ref);
    group->error_ref = LUA_NOREF;
    return 0;
}

static void cancel_children(void *ctx)
{
    hal_group *group = ctx;
    cancel_group(group->owner, group);
}

/* Waits until the children of the group have ended; `k` must call check_group. */
static int wait_for_group(lua_State *L, hal_await *a, hal_group *group, lua_KFunction k)
{
    if (group->n_live == 0) {
        hal_await_abandon(a);
        return k(L, LUA_OK, (lua_KContext)group);
    }
    group->waiter = a;
    return hal_await_yield(L, a, k, (lua_KContext)group);
}

static void check_group(lua_State *L, const hal_group *group)
{
    if (group->error_ref == LUA_NOREF)
        return;
    lua_rawgeti(L, LUA_REGISTRYINDEX, group->error_ref);
    lua_error(L);
}

static int all_results(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    check_group(L, (hal_group *)ctx);
    /* functions, group, tasks */
    lua_Integer n = (lua_Integer)lua_rawlen(L, 3);
    lua_createtable(L, (int)n, 0); /* 4 */
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, 3, i);
        const hal_task *task = check_task(L, -1);
        if (!task->ok) { /* cancelled by hand */
            lua_pushvalue(task->co, -1);
            lua_xmove(task->co, L, 1);
            return lua_error(L);
        }
        if (lua_gettop(task->co) > 0) {
            lua_pushvalue(task->co, 1);
            lua_xmove(task->co, L, 1);
            lua_rawseti(L, 4, i);
        }
        lua_pop(L, 1);
    }
    return 1;
}

static lua_Integer check_list(lua_State *L, int index)
{
    luaL_checktype(L, index, LUA_TTABLE);
    lua_Unsigned n = lua_rawlen(L, index);
    if (n > LIST_MAX)
        raise_usage(L, "a list of more than 1,000,000 items cannot be run at once");
    return (lua_Integer)n;
}

int hal_task_all(lua_State *L)
{
    lua_Integer n = check_list(L, 1);
    lua_settop(L, 1);
    for (lua_Integer i = 1; i <= n; i++) {
        if (lua_rawgeti(L, 1, i) != LUA_TFUNCTION)
            return raise_usage(L, "task.all takes a list of functions");
        lua_pop(L, 1);
    }
    hal_task *parent = current(L);
    hal_group *group = push_group(L);
    hal_await *a = hal_await_begin(L, cancel_children, group);
    lua_createtable(L, (int)n, 0);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);
        hal_task_push(L, parent, 2, 0);
        lua_rawseti(L, 3, i);
    }
    return wait_for_group(L, a, group, all_results);
}

/* The shared state of one map: upvalue 1 of each of its tasks. */
enum { MAP_LIST = 1, MAP_FUNCTION, MAP_RESULTS, MAP_NEXT, MAP_N };

static int map_worker(lua_State *L, int status, lua_KContext i)
{
    (void)status;
    int state = lua_upvalueindex(1);
    for (;;) {
        if (i > 0) { /* a result is on the stack */
            lua_rawgeti(L, state, MAP_RESULTS);
            lua_insert(L, -2);
            lua_rawseti(L, -2, i);
            lua_settop(L, 0);
        }
        lua_rawgeti(L, state, MAP_NEXT);
        i = (lua_KContext)lua_tointeger(L, -1);
        lua_rawgeti(L, state, MAP_N);
        if (i > lua_tointeger(L, -1))
            return 0;
        lua_pushinteger(L, i + 1);
        lua_rawseti(L, state, MAP_NEXT);
        lua_settop(L, 0);
        lua_rawgeti(L, state, MAP_FUNCTION);
        lua_rawgeti(L, state, MAP_LIST);
        lua_rawgeti(L, -1, i);
        lua_remove(L, -2);
        lua_pushinteger(L, i);
        lua_callk(L, 2, 1, i, map_worker);
    }
}

static int map_start(lua_State *L)
{
    return map_worker(L, LUA_OK, 0);
}

static int map_results(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    check_group(L, (hal_group *)ctx);
    lua_rawgeti(L, 4, MAP_RESULTS);
    return 1;
}

int hal_task_map(lua_State *L)
{
    lua_Integer n = check_list(L, 1);
    lua_Integer parallel = luaL_checkinteger(L, 2);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    lua_settop(L, 3);
    if (parallel < 1 || parallel > MAP_PARALLEL_MAX)
        return raise_usage(L, "task.map runs 1 to 64 items at once");
    hal_task *parent = current(L);
    lua_createtable(L, MAP_N, 0); /* 4: state */
    lua_pushvalue(L, 1);
    lua_rawseti(L, 4, MAP_LIST);
    lua_pushvalue(L, 3);
    lua_rawseti(L, 4, MAP_FUNCTION);
    lua_createtable(L, (int)n, 0);
    lua_rawseti(L, 4, MAP_RESULTS);
    lua_pushinteger(L, 1);
    lua_rawseti(L, 4, MAP_NEXT);
    lua_pushinteger(L, n);
    lua_rawseti(L, 4, MAP_N);
    hal_group *group = push_group(L); /* 5 */
    hal_await *a = hal_await_begin(L, cancel_children, group);
    for (lua_Integer i = 0; i < n && i < parallel; i++) {
        lua_pushvalue(L, 4);
        lua_pushcclosure(L, map_start, 1);
        hal_task_push(L, parent, 5, 0);
        lua_pop(L, 1);
    }
    return wait_for_group(L, a, group, map_results);
}

void hal_task_register(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"join", task_join}, {"cancel", hal_task_cancel_lua}, {NULL, NULL}};
    luaL_newmetatable(L, METATABLE);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, task_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    luaL_newmetatable(L, GROUP);
    lua_pushcfunction(L, group_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 2);
}
