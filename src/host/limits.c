/* SPDX-License-Identifier: BSD-3-Clause */
/* Limits of a script: memory in the allocator, compute time, interrupt and cancellation in an
 * instruction hook. Facts about Lua 5.4.4 behind each choice: security model, sections 4.3 and 4.4.
 * Time spent waiting is not the script's. */
#include "host/internal.h"

#include "base/alloc.h"

#include <time.h>

enum { HOOK_INSTRUCTIONS = 1000 };

void *hal_limits_alloc(void *ud, void *p, size_t old_bytes, size_t new_bytes)
{
    hal_host *host = ud;
    size_t held = p ? old_bytes : 0;
    if (new_bytes == 0) {
        hal_free(p);
        host->used_bytes -= held;
        return NULL;
    }
    if (new_bytes > held && new_bytes - held > host->hard_bytes - host->used_bytes)
        return NULL;
    void *grown = hal_realloc(p, new_bytes);
    if (grown)
        host->used_bytes += new_bytes - held;
    return grown;
}

static int64_t thread_cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * HAL_NS_PER_S + t.tv_nsec;
}

void hal_limits_enter(hal_host *host)
{
    host->cpu_entered_ns = thread_cpu_ns();
}

void hal_limits_leave(hal_host *host)
{
    host->cpu_used_ns += thread_cpu_ns() - host->cpu_entered_ns;
}

/* An error that must end the task, whatever the script does about it. */
static hal_status final_error(hal_host *host, hal_err *err)
{
    if (!host->is_closing) {
        if (atomic_load_explicit(&host->interrupted, memory_order_relaxed))
            return hal_err_set(err, HAL_E_CANCELLED, "interrupted");
        if (host->running && host->running->cancelled)
            return hal_err_set(err, HAL_E_CANCELLED, "the task was cancelled");
    }
    if (host->cpu_used_ns + thread_cpu_ns() - host->cpu_entered_ns > host->cpu_max_ns)
        return hal_err_set(
            err, HAL_E_BUDGET,
            "the script computed for more than %.3g s; raise budget.cpu or let it do "
            "less",
            (double)host->cpu_max_ns / (double)HAL_NS_PER_S);
    return HAL_OK;
}

hal_status hal_host_check_memory(lua_State *L, size_t more_bytes, hal_err *err)
{
    hal_host *host = hal_host_of(L);
    if (more_bytes <= host->soft_bytes && host->used_bytes <= host->soft_bytes - more_bytes)
        return HAL_OK;
    lua_gc(L, LUA_GCCOLLECT);
    if (more_bytes <= host->soft_bytes && host->used_bytes <= host->soft_bytes - more_bytes)
        return HAL_OK;
    return hal_err_set(err, HAL_E_BUDGET,
                       "the script needs more than its %zu MiB of memory; raise budget.memory or "
                       "keep less at once",
                       host->soft_bytes >> 20);
}

static void on_instructions(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    hal_host *host = hal_host_of(L);
    hal_err err = HAL_ERR_INIT;
    if (final_error(host, &err)) {
        /* The first time <close> handlers get 1,000 instructions to tidy up; then every
         * instruction fails, so that no loop of pcalls goes on. */
        int n_raised = host->running ? host->running->n_raised++ : 1;
        if (n_raised > 0)
            lua_sethook(L, on_instructions, LUA_MASKCOUNT | LUA_MASKCALL | LUA_MASKLINE, 1);
        hal_raise(L, &err);
    }
    if (host->used_bytes > host->soft_bytes && hal_host_check_memory(L, 0, &err))
        hal_raise(L, &err);
}

void hal_limits_arm(hal_host *host, lua_State *L)
{
    (void)host;
    lua_sethook(L, on_instructions, LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
}

void hal_host_interrupt(hal_host *host)
{
    atomic_store(&host->interrupted, true);
    hal_loop_wake(host->loop);
}
