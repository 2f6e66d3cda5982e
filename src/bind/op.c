/* SPDX-License-Identifier: BSD-3-Clause */
#include "bind/op.h"

#include "base/alloc.h"
#include "bind/args.h"

#include <lauxlib.h>

static void op_free(hal_op *op)
{
    if (op->clear)
        op->clear(op);
    hal_free(op);
}

static int collect(lua_State *L)
{
    hal_op **slot = lua_touserdata(L, 1), *op = *slot;
    *slot = NULL;
    if (!op)
        return 0;
    op->slot = NULL;
    if (!op->running)
        op_free(op);
    else if (op->cancel)
        op->cancel(op);
    return 0;
}

void *hal_op_new(lua_State *L, size_t size_bytes)
{
    hal_op **slot = lua_newuserdatauv(L, sizeof *slot, 0);
    *slot = NULL;
    if (luaL_newmetatable(L, "halyard.operation")) {
        lua_pushcfunction(L, collect);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, collect);
        lua_setfield(L, -2, "__close");
    }
    lua_setmetatable(L, -2);
    hal_op *op = hal_calloc(1, size_bytes);
    if (!op)
        hal_bind_fail(L, HAL_E_NOMEM, "no memory left (asked for %zu bytes)", size_bytes);
    op->err = HAL_ERR_INIT;
    op->slot = slot;
    *slot = op;
    lua_toclose(L, -1); /* also when the task is cancelled: not at some later collection */
    return op;
}

static void on_cancel(void *ctx)
{
    hal_op *op = ctx;
    if (op->running && op->cancel)
        op->cancel(op);
}

static void release(hal_op *op)
{
    *op->slot = NULL;
    op_free(op);
}

static int resumed(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    hal_op *op = (hal_op *)ctx;
    if (op->err.status) {
        hal_push_error(L, &op->err);
        if (op->decorate)
            op->decorate(L, op);
        release(op);
        return lua_error(L);
    }
    int n = op->push(L, op);
    release(op);
    return n;
}

int hal_op_wait(lua_State *L, hal_op *op, hal_op_start start)
{
    op->await = hal_await_begin(L, on_cancel, op);
    hal_err err = HAL_ERR_INIT;
    if (start(op, hal_host_loop(hal_host_of(L)), &err)) {
        hal_await_abandon(op->await);
        op->await = NULL;
        return hal_raise(L, &err);
    }
    op->running = true;
    return hal_await_yield(L, op->await, resumed, (lua_KContext)op);
}

static void job_run(void *ctx)
{
    hal_op *op = ctx;
    op->run(op);
}

static void job_done(void *ctx)
{
    hal_op_done(ctx);
}

hal_status hal_op_post(hal_op *op, hal_loop *loop, hal_err *err)
{
    hal_pool *pool = hal_loop_pool(loop, err);
    return pool ? hal_pool_post(pool, NULL, job_run, job_done, op, err) : err->status;
}

int hal_op_run(lua_State *L, hal_op *op)
{
    return hal_op_wait(L, op, hal_op_post);
}

int hal_op_run_sized(lua_State *L, hal_op *op, bool large)
{
    if (large)
        return hal_op_run(L, op);
    op->run(op);
    return resumed(L, LUA_OK, (lua_KContext)op);
}

void hal_op_done(hal_op *op)
{
    op->running = false;
    if (op->ended)
        op->ended(op);
    hal_await *await = op->await;
    op->await = NULL;
    if (!op->slot)
        op_free(op);
    hal_await_done(await);
}
