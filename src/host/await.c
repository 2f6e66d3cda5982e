/* SPDX-License-Identifier: BSD-3-Clause */
/* The yield side of waiting: where it is possible, what is yielded, how the primitive goes on. */
#include "host/await.h"

#include "host/internal.h"

#include <lauxlib.h>

static const char sentinel = 0;

void *hal_await_sentinel(void)
{
    return (void *)&sentinel;
}

bool hal_await_is_sentinel(lua_State *L, int index)
{
    return lua_islightuserdata(L, index) && lua_touserdata(L, index) == hal_await_sentinel();
}

static bool has_news(const hal_task *task)
{
    return task->failure_ref != LUA_NOREF && !task->failure_told;
}

hal_await *hal_await_begin(lua_State *L, void (*cancel)(void *ctx), void *ctx)
{
    hal_host *host = hal_host_of(L);
    hal_task *task = host->running;
    hal_err err = HAL_ERR_INIT;
    if (!task) {
        hal_err_set(&err, HAL_E_USAGE,
                    "this function waits, which only works while a workflow runs, not while a file "
                    "is loaded");
        hal_raise(L, &err);
    }
    if (host->is_closing || !lua_isyieldable(L) || host->n_pinned > 0) {
        hal_err_set(&err, HAL_E_USAGE,
                    "cannot wait here: not inside a sort comparator, a gsub function, require, or "
                    "the __close of a cancelled task; call it before and pass the result in");
        hal_raise(L, &err);
    }
    if (task->cancelled) {
        hal_err_set(&err, HAL_E_CANCELLED, "the task was cancelled");
        hal_raise(L, &err);
    }
    if (has_news(task))
        hal_task_raise_failure(L, task);
    luaL_checkstack(L, 4, "wait");
    task->wait = (hal_await){.task = task, .cancel = cancel, .ctx = ctx, .armed = true};
    return &task->wait;
}

void hal_await_abandon(hal_await *a)
{
    a->armed = false;
}

static int go_on(lua_State *L, int status, lua_KContext ctx)
{
    hal_task *task = (hal_task *)ctx;
    if (has_news(task))
        return hal_task_raise_failure(L, task);
    return task->wait.k(L, status, task->wait.kctx);
}

int hal_await_yield(lua_State *L, hal_await *a, lua_KFunction k, lua_KContext kctx)
{
    a->k = k;
    a->kctx = kctx;
    lua_pushlightuserdata(L, hal_await_sentinel());
    return lua_yieldk(L, 1, (lua_KContext)a->task, go_on);
}

void hal_await_done(hal_await *a)
{
    a->armed = false;
    hal_task_make_ready(a->task);
}
