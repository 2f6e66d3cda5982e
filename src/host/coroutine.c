/* SPDX-License-Identifier: BSD-3-Clause */
/* Replacements for resume, wrap, yield and close of the coroutine library: a script's own
 * generators may wait (the sentinel is passed outward to the task), a task's thread cannot be
 * driven by hand, and nested closing is bounded (Lua 5.4.4 overflows the C stack). */
#include "host/internal.h"

#include <lauxlib.h>

enum { CLOSE_DEPTH_MAX = 100 };

static bool is_task_thread(lua_State *co)
{
    return (*(hal_owner **)lua_getextraspace(co))->task != NULL;
}

static bool waits_elsewhere(lua_State *co)
{
    return lua_status(co) == LUA_YIELD && lua_gettop(co) >= 1 && hal_await_is_sentinel(co, -1);
}

static lua_State *check_generator(lua_State *L, int index)
{
    lua_State *co = lua_tothread(L, index);
    luaL_argexpected(L, co, index, "coroutine");
    if (is_task_thread(co))
        luaL_error(L, "a task cannot be driven by hand; use its join and cancel");
    return co;
}

/* Moves `n_args` from L to co and resumes it. On success *n_results values are on co's stack, else
 * the error value is on L's. */
static int resume(lua_State *L, lua_State *co, int n_args, int *n_results)
{
    hal_host *host = hal_host_of(L);
    if (waits_elsewhere(co)) {
        lua_pushliteral(L, "cannot resume a coroutine that waits in another task");
        return LUA_ERRRUN;
    }
    if (!lua_checkstack(co, n_args)) {
        lua_pushliteral(L, "too many arguments to resume");
        return LUA_ERRRUN;
    }
    lua_xmove(L, co, n_args);
    bool pinned = !lua_isyieldable(L);
    host->n_pinned += pinned;
    int status = lua_resume(co, L, n_args, n_results);
    host->n_pinned -= pinned;
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_xmove(co, L, 1);
    } else if (!lua_checkstack(L, *n_results + 1)) {
        lua_pop(co, *n_results);
        lua_pushliteral(L, "too many results to resume");
        return LUA_ERRRUN;
    }
    return status;
}

/* The generator waits: so does its caller. The sentinel stays on co's stack as the mark of that. */
static bool passes_outward(lua_State *L, lua_State *co, int status, int n_results)
{
    if (status != LUA_YIELD || n_results != 1 || !hal_await_is_sentinel(co, -1))
        return false;
    hal_task *task = hal_host_of(L)->running;
    if (task && task->n_generators < GENERATORS_MAX)
        task->generators[task->n_generators++] = co;
    return true;
}

static int resume_again(lua_State *L, lua_State *co, int *n_results)
{
    lua_pop(co, 1); /* the sentinel */
    return resume(L, co, 0, n_results);
}

static int resume_continue(lua_State *L, int status, lua_KContext ctx);

static int resume_ended(lua_State *L, lua_State *co, int status, int n_results)
{
    if (passes_outward(L, co, status, n_results)) {
        lua_settop(L, 1); /* the coroutine */
        lua_pushlightuserdata(L, hal_await_sentinel());
        return lua_yieldk(L, 1, 0, resume_continue);
    }
    bool ok = status == LUA_OK || status == LUA_YIELD;
    if (ok)
        lua_xmove(co, L, n_results);
    else
        n_results = 1;
    lua_pushboolean(L, ok);
    lua_insert(L, -(n_results + 1));
    return n_results + 1;
}

static int resume_continue(lua_State *L, int status, lua_KContext ctx)
{
    (void)ctx;
    lua_State *co = lua_tothread(L, 1);
    int n_results = 0;
    status = resume_again(L, co, &n_results);
    return resume_ended(L, co, status, n_results);
}

static int co_resume(lua_State *L)
{
    lua_State *co = check_generator(L, 1);
    int n_results = 0;
    int status = resume(L, co, lua_gettop(L) - 1, &n_results);
    return resume_ended(L, co, status, n_results);
}

static int wrap_continue(lua_State *L, int status, lua_KContext ctx);

static int wrap_ended(lua_State *L, lua_State *co, int status, int n_results)
{
    if (passes_outward(L, co, status, n_results)) {
        lua_settop(L, 0);
        lua_pushlightuserdata(L, hal_await_sentinel());
        return lua_yieldk(L, 1, 0, wrap_continue);
    }
    if (status == LUA_OK || status == LUA_YIELD) {
        lua_xmove(co, L, n_results);
        return n_results;
    }
    int ended = lua_status(co);
    if (ended != LUA_OK && ended != LUA_YIELD) { /* failed inside: close its variables */
        lua_xmove(L, co, 1);
        lua_resetthread(co);
        lua_xmove(co, L, 1);
    }
    if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int wrap_continue(lua_State *L, int status, lua_KContext ctx)
{
    (void)ctx;
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    int n_results = 0;
    status = resume_again(L, co, &n_results);
    return wrap_ended(L, co, status, n_results);
}

static int wrap_call(lua_State *L)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    int n_results = 0;
    int status = resume(L, co, lua_gettop(L), &n_results);
    return wrap_ended(L, co, status, n_results);
}

static int co_wrap(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    lua_pushcclosure(L, wrap_call, 1);
    return 1;
}

static int co_yield (lua_State *L)
{
    if (is_task_thread(L))
        return luaL_error(L, "coroutine.yield outside a coroutine of the script's own");
    return lua_yield(L, lua_gettop(L));
}

static int co_close(lua_State *L)
{
    lua_State *co = check_generator(L, 1);
    hal_host *host = hal_host_of(L);
    if (waits_elsewhere(co))
        return luaL_error(L, "cannot close a coroutine that waits in another task");
    int status = lua_status(co);
    lua_Debug ar;
    if (co == L || (status == LUA_OK && lua_getstack(co, 0, &ar)))
        return luaL_error(L, "cannot close a running coroutine");
    if (host->close_depth >= CLOSE_DEPTH_MAX)
        return luaL_error(L, "coroutine.close nested more than %d deep", CLOSE_DEPTH_MAX);
    host->close_depth++;
    status = lua_resetthread(co);
    host->close_depth--;
    lua_pushboolean(L, status == LUA_OK);
    if (status == LUA_OK)
        return 1;
    lua_xmove(co, L, 1);
    return 2;
}

void hal_coroutine_replace(lua_State *L)
{
    static const luaL_Reg functions[] = {{"resume", co_resume},
                                         {"wrap", co_wrap},
                                         {"yield", co_yield },
                                         {"close", co_close},
                                         {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
