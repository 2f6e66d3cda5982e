/* SPDX-License-Identifier: BSD-3-Clause */
/* Limits of a script: memory in the allocator, compute time, interrupt and cancellation in an
 * instruction hook. Facts about Lua 5.4.4 behind each choice: security model, sections 4.3 and 4.4.
 * Time spent waiting is not the script's. */
#include "host/internal.h"

#include "base/alloc.h"

#include <time.h>

enum { HOOK_INSTRUCTIONS = 1000, CPU_DEFAULT_MS = 60000, CPU_CEILING_MS = 3600000 };
#define MEMORY_DEFAULT ((size_t)256 << 20)
#define MEMORY_CEILING ((size_t)2 << 30)
#define WALL_CEILING_MS (INT64_C(30) * 24 * 3600 * 1000)

static void set_memory(hal_host *host, size_t soft_bytes)
{
    host->soft_bytes = soft_bytes;
    host->hard_bytes = 2 * soft_bytes + ((size_t)32 << 20);
}

void hal_limits_reset(hal_host *host)
{
    const hal_host_config *c = &host->config;
    set_memory(host, c->memory_max_bytes ? c->memory_max_bytes : MEMORY_DEFAULT);
    host->cpu_max_ns = (c->cpu_max_ms ? c->cpu_max_ms : CPU_DEFAULT_MS) * HAL_NS_PER_MS;
    hal_timer_cancel(host->wall);
    host->wall = NULL;
    host->late = false;
    hal_free(host->permitted);
    host->permitted = NULL;
}

static void wall_over(void *ctx)
{
    hal_host *host = ctx;
    host->wall = NULL;
    host->late = true;
    if (host->root)
        hal_task_cancel(host->root);
}

hal_status hal_host_declare(hal_host *host, size_t memory_bytes, int64_t cpu_ms, int64_t wall_ms,
                            hal_err *err)
{
    size_t memory_most =
        host->config.memory_max_bytes ? host->config.memory_max_bytes : MEMORY_CEILING;
    int64_t cpu_most = host->config.cpu_max_ms ? host->config.cpu_max_ms : CPU_CEILING_MS;
    hal_limits_reset(host);
    if (memory_bytes > 0)
        set_memory(host, memory_bytes < memory_most ? memory_bytes : memory_most);
    if (cpu_ms > 0)
        host->cpu_max_ns = (cpu_ms < cpu_most ? cpu_ms : cpu_most) * HAL_NS_PER_MS;
    if (wall_ms <= 0)
        return HAL_OK;
    host->wall = hal_timer_start(host->loop, wall_ms < WALL_CEILING_MS ? wall_ms : WALL_CEILING_MS,
                                 wall_over, host, err);
    return host->wall ? HAL_OK : err->status;
}

void *hal_limits_alloc(void *ud, void *p, size_t old_bytes, size_t new_bytes)
{
    hal_host *host = ud;
    size_t held = p ? old_bytes : 0;
    if (new_bytes == 0) {
        hal_free(p);
        host->used_bytes -= held;
        return NULL;
    }
    if (new_bytes > held && new_bytes - held > host->hard_bytes - host->used_bytes) {
        host->no_memory = false;
        return NULL;
    }
    void *grown = hal_realloc(p, new_bytes);
    if (grown)
        host->used_bytes += new_bytes - held;
    else
        host->no_memory = true;
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
    if (host->n_entered++ == 0)
        host->cpu_entered_ns = thread_cpu_ns();
}

void hal_limits_leave(hal_host *host)
{
    if (--host->n_entered == 0)
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
