/* SPDX-License-Identifier: BSD-3-Clause */
/* The Lua side of the engine: a state opened from an allow-list, tasks (coroutines) in structured
 * scopes, limits of memory and time, interrupt, permissions, and the event stream to the host
 * program. Knows no dialect. */
#ifndef HAL_HOST_HOST_H
#define HAL_HOST_HOST_H

#include "base/status.h"
#include "net/loop.h"

#include <lua.h>

typedef struct hal_host hal_host;

typedef struct hal_host_config {
    size_t memory_max_bytes; /* soft limit of the Lua heap; default 256 MiB */
    int64_t cpu_max_ms;      /* script compute time; default 60,000 */
    bool open_all;           /* test runner only: full standard libraries and package paths */
} hal_host_config;

/** Borrows `loop`. */
hal_host *hal_host_new(hal_loop *loop, const hal_host_config *config, hal_err *err);
void hal_host_free(hal_host *host);
hal_host *hal_host_of(lua_State *L);
hal_loop *hal_host_loop(hal_host *host);
lua_State *hal_host_state(hal_host *host);

/** Turns `err` into a Lua error object (table with code, message, retryable, http_status,
 * retry_after, origin; class of halyard.error) and raises it. Does not return. */
int hal_raise(lua_State *L, const hal_err *err);
/** Pushes the error object without raising. */
void hal_push_error(lua_State *L, const hal_err *err);
/** Reads the error object or text at `index` into `err`. */
void hal_error_from_lua(lua_State *L, int index, hal_err *err);

/** An event for the host program: kind ("progress", "log", "warning", "report", ...) and a JSON
 * object text. */
typedef void (*hal_event_fn)(void *ctx, const char *kind, const char *json);
void hal_host_on_event(hal_host *host, hal_event_fn fn, void *ctx);
void hal_host_emit(hal_host *host, const char *kind, const char *json);

/** Runs the function on top of `L`'s stack (with `n_args` below... pushed after it) as the root
 * task until it ends; afterwards results or an error object are on the stack. hal_host_start +
 * hal_host_step is the same in pieces for a host with its own loop. */
hal_status hal_host_start(hal_host *host, lua_State *L, int n_args, hal_err *err) HAL_MUST_CHECK;
/** One turn: resumes ready tasks, waits at most `timeout_ms`. *running false: the root task ended;
 * its results are on the state's stack, or `err` is set. */
hal_status hal_host_step(hal_host *host, int timeout_ms, bool *running,
                         hal_err *err) HAL_MUST_CHECK;
/** Cancels the root task and all its children soon. Any thread and from a signal handler. */
void hal_host_interrupt(hal_host *host);
size_t hal_host_live_tasks(const hal_host *host);

#endif
