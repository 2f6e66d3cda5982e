/* SPDX-License-Identifier: BSD-3-Clause */
/* How a primitive waits: it starts an operation, registers the running task and yields; the
 * operation's completion makes the task ready; the scheduler resumes it and the primitive's
 * continuation turns the result into Lua values. */
#ifndef HAL_HOST_AWAIT_H
#define HAL_HOST_AWAIT_H

#include "host/host.h"

#include <lua.h>

typedef struct hal_await hal_await;

/** Registers the running task as waiting; call it before starting the operation, in the primitive,
 * with `L` its Lua state. Raises a `usage` error (naming why) where waiting is impossible: outside
 * a task, in a comparator, gsub callback, require, __close on cancel. `cancel` (may be NULL) is
 *  called at most once, on the loop thread, when the task is cancelled while waiting; the operation
 * must still call hal_await_done. */
hal_await *hal_await_begin(lua_State *L, void (*cancel)(void *ctx), void *ctx);
/** Undoes hal_await_begin when the operation could not be started (raise your error after it). */
void hal_await_abandon(hal_await *a);
/** `return hal_await_yield(L, a, k, kctx);` as the last thing of the primitive. `k` runs when the
 * operation is done, with the stack as it is now; it never runs when the task was cancelled or a
 * task in its scope failed: whatever it would release must belong to a userdata. */
int hal_await_yield(lua_State *L, hal_await *a, lua_KFunction k, lua_KContext kctx);
/** The operation has finished: the task becomes ready, `k` will run from the scheduler, never
 * inside this call. Loop thread. `a` is gone. */
void hal_await_done(hal_await *a);

#endif
