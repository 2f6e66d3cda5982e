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

/** Zero means the default. */
typedef struct hal_host_config {
    size_t memory_max_bytes; /* soft limit of the Lua heap; default 256 MiB */
    int64_t cpu_max_ms;      /* script compute time; default 60,000 */
    bool open_all;           /* test runner only: full standard libraries and package paths */
} hal_host_config;

/** Borrows `loop`. The state has the libraries for trusted modules and the modules of
 * hal_lua_modules; hal_bind_preload adds those written in C. NULL and err on failure. */
hal_host *hal_host_new(hal_loop *loop, const hal_host_config *config, hal_err *err);
/** Cancels what still runs, waits for it to end, closes the state. */
void hal_host_free(hal_host *host);
hal_host *hal_host_of(lua_State *L);
hal_loop *hal_host_loop(hal_host *host);
lua_State *hal_host_state(hal_host *host);

/** Turns `err` into a Lua error object (table with code, message, retryable, http_status,
 * retry_after, origin, where; class of halyard.error) and raises it. Does not return. */
int hal_raise(lua_State *L, const hal_err *err);
/** Pushes "file:line" of the innermost function on the stack of `L` that is not the library's own;
 * false: there is none, nothing is pushed. */
bool hal_push_place(lua_State *L);
/** Pushes the error object without raising; that of HAL_E_USAGE tells the script's line: `where`.
 */
void hal_push_error(lua_State *L, const hal_err *err);
/** Reads the error object or text at `index` into `err`; any other text is HAL_E_SCRIPT. */
void hal_error_from_lua(lua_State *L, int index, hal_err *err);
/** Pushes the metatable of error objects. */
void hal_push_error_metatable(lua_State *L);

/** An event for the host program: kind ("progress", "log", "warning", "report", ...) and a JSON
 * object text. */
typedef void (*hal_event_fn)(void *ctx, const char *kind, const char *json);
void hal_host_on_event(hal_host *host, hal_event_fn fn, void *ctx);
void hal_host_emit(hal_host *host, const char *kind, const char *json);
/** The same with the table at `index` encoded: text, numbers, booleans, lists, nested to 16. Raises
 * `usage` for what JSON cannot hold. */
void hal_host_emit_table(lua_State *L, const char *kind, int index);
/** A log line; level "debug", "info", "warning", "error". */
void hal_host_log(hal_host *host, const char *level, const char *text);
/** Event "progress": so many of `known_bytes` (0: not known) are done. */
void hal_host_progress(hal_host *host, const char *stage, uint64_t bytes, uint64_t known_bytes);
/** Result text of a workflow, meant for standard output. */
typedef void (*hal_output_fn)(void *ctx, const char *text, size_t size_bytes);
void hal_host_on_output(hal_host *host, hal_output_fn fn, void *ctx);
void hal_host_output(hal_host *host, const char *text, size_t size_bytes);

/** Settings given by the host program ("archive", "output", ...). NULL value removes. */
hal_status hal_host_set(hal_host *host, const char *name, const char *value,
                        hal_err *err) HAL_MUST_CHECK;
/** NULL when not set. */
const char *hal_host_setting(const hal_host *host, const char *name);
/** Whether `fits` says so of any of them. */
bool hal_host_any_setting(const hal_host *host,
                          bool (*fits)(void *ctx, const char *name, const char *value), void *ctx);
/** Pushes a table of all settings. */
void hal_host_push_settings(lua_State *L);

/** Makes the function and its `n_args` arguments on top of the stack of the host's state the root
 * task (and pops them). It runs in hal_host_step. HAL_E_USAGE while another one runs. */
hal_status hal_host_start(hal_host *host, lua_State *L, int n_args, hal_err *err) HAL_MUST_CHECK;
/** One turn: resumes ready tasks, waits at most `timeout_ms` (-1: until something happens).
 * *running false: the root task ended; its results are on the state's stack, or its error value is
 * and `err` is set. */
hal_status hal_host_step(hal_host *host, int timeout_ms, bool *running,
                         hal_err *err) HAL_MUST_CHECK;
/** Cancels the root task and all its children soon. Any thread and from a signal handler. */
void hal_host_interrupt(hal_host *host);
size_t hal_host_live_tasks(const hal_host *host);
/** What the running workflow declared, from now to its end: bytes of the Lua heap, compute time,
 * time of the whole run; 0: as configured. Never more than the configuration gives, nor than 2 GiB,
 * 1 h and 30 d. */
hal_status hal_host_declare(hal_host *host, size_t memory_bytes, int64_t cpu_ms, int64_t wall_ms,
                            hal_err *err) HAL_MUST_CHECK;
/** The hosts that the running workflow declared, from now to its end, one a line: "name",
 * "name:port" where the port is not the usual one, "*.domain". NULL: any. */
hal_status hal_host_permit(hal_host *host, const char *entries, hal_err *err) HAL_MUST_CHECK;
/** Whether it declared that host; says why not. For a loop's guard. */
bool hal_host_permits(const hal_host *host, const char *name, int port, hal_err *why);
/** Room for `more_bytes` below the soft memory limit, after a collection if need be? HAL_E_BUDGET.
 * For functions that allocate in proportion to an argument. */
hal_status hal_host_check_memory(lua_State *L, size_t more_bytes, hal_err *err) HAL_MUST_CHECK;

#endif
