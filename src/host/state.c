/* SPDX-License-Identifier: BSD-3-Clause */
/* The host: its Lua state with the libraries for trusted modules, the root task's life, events and
 * settings. What guests see is guest.c's; scheduling is task.c's. */
#include "host/host.h"

#include "base/alloc.h"
#include "base/module.h"
#include "base/redact.h"
#include "host/guest.h"
#include "host/internal.h"
#include "host/task.h"

#include <lauxlib.h>
#include <lualib.h>

#include <string.h>

enum { SHUTDOWN_STEP_MS = 50 };

struct setting {
    setting *next;
    char *name, *value;
};

hal_host *hal_host_of(lua_State *L)
{
    return (*(hal_owner **)lua_getextraspace(L))->host;
}

hal_loop *hal_host_loop(hal_host *host)
{
    return host->loop;
}

lua_State *hal_host_state(hal_host *host)
{
    return host->L;
}

size_t hal_host_live_tasks(const hal_host *host)
{
    return host->n_live;
}

/* Opening */

static const hal_module *find_module(const char *name)
{
    for (const hal_module *m = hal_lua_modules; m->name; m++)
        if (!strcmp(m->name, name))
            return m;
    return NULL;
}

/* package.searchers entry: modules that are part of the program. */
static int search_embedded(lua_State *L)
{
    const hal_module *m = find_module(luaL_checkstring(L, 1));
    if (!m) {
        lua_pushliteral(L, "no such module in the program");
        return 1;
    }
    if (luaL_loadbufferx(L, m->code, m->size_bytes, m->name, "b") != LUA_OK)
        return lua_error(L);
    lua_pushstring(L, m->name);
    return 2;
}

static void open_package(lua_State *L, bool open_all)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, "package");
    lua_getfield(L, -1, "searchers"); /* preload, Lua files, C libraries, all in one */
    if (open_all) {
        for (int i = 4; i >= 2; i--) {
            lua_rawgeti(L, -1, i);
            lua_rawseti(L, -2, i + 1);
        }
    } else {
        for (int i = 4; i >= 2; i--) {
            lua_pushnil(L);
            lua_rawseti(L, -2, i);
        }
    }
    lua_pushcfunction(L, search_embedded);
    lua_rawseti(L, -2, 2);
    lua_pop(L, 1);
    if (!open_all) {
        lua_pushliteral(L, "");
        lua_setfield(L, -2, "path");
        lua_pushliteral(L, "");
        lua_setfield(L, -2, "cpath");
        lua_pushnil(L);
        lua_setfield(L, -2, "loadlib");
        lua_pushnil(L);
        lua_setfield(L, -2, "searchpath");
    }
    lua_pop(L, 2);
}

static const luaL_Reg trusted_libraries[] = {{LUA_GNAME, luaopen_base},
                                             {LUA_LOADLIBNAME, luaopen_package},
                                             {LUA_COLIBNAME, luaopen_coroutine},
                                             {LUA_TABLIBNAME, luaopen_table},
                                             {LUA_STRLIBNAME, luaopen_string},
                                             {LUA_MATHLIBNAME, luaopen_math},
                                             {LUA_UTF8LIBNAME, luaopen_utf8},
                                             {LUA_OSLIBNAME, luaopen_os},
                                             {NULL, NULL}};
static const luaL_Reg other_libraries[] = {
    {LUA_IOLIBNAME, luaopen_io}, {LUA_DBLIBNAME, luaopen_debug}, {NULL, NULL}};

static void open_libraries(lua_State *L, const luaL_Reg *libraries)
{
    for (; libraries->name; libraries++) {
        luaL_requiref(L, libraries->name, libraries->func, 1);
        lua_pop(L, 1);
    }
}

static void remove_unsafe(lua_State *L)
{
    static const char *const unsafe_globals[] = {"dofile", "loadfile", "print", "warn", NULL};
    for (const char *const *name = unsafe_globals; *name; name++) {
        lua_pushnil(L);
        lua_setglobal(L, *name);
    }
    lua_getglobal(L, LUA_OSLIBNAME);
    static const char *const unsafe_os[] = {"execute", "exit",      "getenv",  "remove",
                                            "rename",  "setlocale", "tmpname", NULL};
    for (const char *const *name = unsafe_os; *name; name++) {
        lua_pushnil(L);
        lua_setfield(L, -2, *name);
    }
    lua_pop(L, 1);
    hal_guest_replace_string_methods(L);
}

static int open_state(lua_State *L)
{
    bool open_all = lua_toboolean(L, 1);
    lua_settop(L, 0);
    open_libraries(L, trusted_libraries);
    if (open_all)
        open_libraries(L, other_libraries);
    else
        remove_unsafe(L);
    open_package(L, open_all);
    lua_getglobal(L, LUA_COLIBNAME);
    hal_coroutine_replace(L);
    lua_pop(L, 1);
    hal_error_register(L);
    hal_task_register(L);
    return 0;
}

static int panic(lua_State *L)
{
    hal_host_log(hal_host_of(L), "error", "internal error: Lua failed outside a protected call");
    return 0;
}

hal_host *hal_host_new(hal_loop *loop, const hal_host_config *config, hal_err *err)
{
    hal_host *host = hal_calloc(1, sizeof *host);
    if (!host) {
        hal_err_nomem(err, sizeof *host);
        return NULL;
    }
    host->main.host = host;
    host->loop = loop;
    host->root_ref = LUA_NOREF;
    host->config = *config;
    hal_limits_reset(host);
    atomic_init(&host->interrupted, false);
    host->L = lua_newstate(hal_limits_alloc, host);
    if (!host->L) {
        hal_err_nomem(err, sizeof *host);
        hal_free(host);
        return NULL;
    }
    *(hal_owner **)lua_getextraspace(host->L) = &host->main;
    lua_atpanic(host->L, panic);
    lua_pushcfunction(host->L, open_state);
    lua_pushboolean(host->L, config->open_all);
    if (lua_pcall(host->L, 1, 0, 0) != LUA_OK) {
        hal_error_from_lua(host->L, -1, err);
        hal_host_free(host);
        return NULL;
    }
    hal_limits_arm(host, host->L);
    return host;
}

/* Running */

static int push_root(lua_State *L)
{
    hal_host *host = hal_host_of(L);
    host->root = hal_task_push(L, NULL, 0, lua_gettop(L) - 1);
    return 0;
}

hal_status hal_host_start(hal_host *host, lua_State *L, int n_args, hal_err *err)
{
    if (host->root || host->broken) {
        lua_pop(L, n_args + 1);
        return hal_err_set(err, HAL_E_USAGE, "a workflow runs already; wait for its end");
    }
    host->cpu_used_ns = 0;
    lua_pushcfunction(L, push_root);
    lua_insert(L, -(n_args + 2));
    if (lua_pcall(L, n_args + 1, 0, 0) == LUA_OK)
        return HAL_OK;
    hal_err cause = HAL_ERR_INIT;
    hal_error_from_lua(L, -1, &cause);
    lua_pop(L, 1);
    return hal_err_set(err, cause.status, "%s", cause.text);
}

static int run_ready(lua_State *L)
{
    hal_task_run_ready(hal_host_of(L));
    return 0;
}

static hal_status turn(hal_host *host, hal_err *err)
{
    if (atomic_load(&host->interrupted))
        hal_task_cancel(host->root);
    if (!host->ready_head)
        return HAL_OK;
    lua_pushcfunction(host->L, run_ready);
    if (lua_pcall(host->L, 0, 0, 0) == LUA_OK)
        return HAL_OK;
    lua_pop(host->L, 1);
    host->broken = true;
    return hal_err_nomem(err, 0);
}

/* Moves the root's results or error to the main stack. */
static hal_status take_root(hal_host *host, hal_err *err)
{
    hal_task *root = host->root;
    lua_State *L = host->L;
    int n = lua_gettop(root->co);
    hal_status status = HAL_OK;
    if (!lua_checkstack(L, n + 4)) {
        status = hal_err_nomem(err, (size_t)n);
    } else {
        lua_xmove(root->co, L, n);
        if (!root->ok) {
            hal_err cause = HAL_ERR_INIT;
            hal_error_from_lua(L, -1, &cause);
            if (host->deadlocked)
                hal_err_set(&cause, HAL_E_SCRIPT,
                            "all tasks wait for each other; a task joined one that waits for it");
            else if (host->late)
                hal_err_set(&cause, HAL_E_BUDGET,
                            "the run took longer than it may; raise budget.wall");
            status = cause.status;
            if (err)
                *err = cause;
        }
    }
    luaL_unref(L, LUA_REGISTRYINDEX, host->root_ref);
    host->root_ref = LUA_NOREF;
    host->root = NULL;
    host->deadlocked = false;
    hal_limits_reset(host);
    atomic_store(&host->interrupted, false);
    return status;
}

hal_status hal_host_step(hal_host *host, int timeout_ms, bool *running, hal_err *err)
{
    *running = false;
    if (!host->root || host->broken)
        return hal_err_set(err, HAL_E_USAGE, "nothing runs: start a workflow first");
    hal_status status = turn(host, err);
    if (status)
        return status;
    if (host->root->state != TASK_ENDED) {
        bool idle = !host->ready_head;
        if (idle && !hal_loop_is_busy(host->loop)) {
            host->deadlocked = true;
            hal_task_cancel(host->root);
            idle = false;
        }
        status = hal_loop_step(host->loop, idle ? timeout_ms : 0, err);
        if (!status)
            status = turn(host, err);
        if (status)
            return status;
    }
    *running = host->root->state != TASK_ENDED;
    return *running ? HAL_OK : take_root(host, err);
}

/* Operations that are under way hold pointers into the tasks: none may outlive them. */
static void stop_tasks(hal_host *host)
{
    if (host->root)
        hal_task_cancel(host->root);
    bool running = host->root && !host->broken;
    while (running)
        if (hal_host_step(host, SHUTDOWN_STEP_MS, &running, NULL))
            break;
    while (host->n_live > 0 && hal_loop_is_busy(host->loop))
        if (hal_loop_step(host->loop, SHUTDOWN_STEP_MS, NULL))
            break;
}

static void free_setting(setting *s)
{
    hal_free(s->name);
    hal_free(s->value);
    hal_free(s);
}

static void remove_setting(hal_host *host, const char *name)
{
    for (setting **at = &host->settings; *at; at = &(*at)->next)
        if (!strcmp((*at)->name, name)) {
            setting *s = *at;
            *at = s->next;
            free_setting(s);
            return;
        }
}

void hal_host_free(hal_host *host)
{
    if (!host)
        return;
    stop_tasks(host);
    hal_timer_cancel(host->wall);
    lua_close(host->L);
    while (host->settings)
        remove_setting(host, host->settings->name);
    hal_free(host->permitted);
    hal_free(host);
}

/* Events and settings */

void hal_host_on_event(hal_host *host, hal_event_fn fn, void *ctx)
{
    host->on_event = fn;
    host->event_ctx = ctx;
}

void hal_host_emit(hal_host *host, const char *kind, const char *json)
{
    if (!host->on_event)
        return;
    if (!hal_redact_needed(json)) {
        host->on_event(host->event_ctx, kind, json);
        return;
    }
    char *copy = hal_strdup(json); /* without memory for it nothing is said */
    if (!copy)
        return;
    hal_redact(copy);
    host->on_event(host->event_ctx, kind, copy);
    hal_free(copy);
}

void hal_host_on_output(hal_host *host, hal_output_fn fn, void *ctx)
{
    host->on_output = fn;
    host->output_ctx = ctx;
}

void hal_host_output(hal_host *host, const char *text, size_t size_bytes)
{
    if (host->on_output)
        host->on_output(host->output_ctx, text, size_bytes);
}

hal_status hal_host_set(hal_host *host, const char *name, const char *value, hal_err *err)
{
    setting *s = NULL;
    if (value) {
        s = hal_calloc(1, sizeof *s);
        if (s) {
            s->name = hal_strdup(name);
            s->value = hal_strdup(value);
        }
        if (!s || !s->name || !s->value) {
            if (s)
                free_setting(s);
            return hal_err_nomem(err, strlen(value));
        }
    }
    remove_setting(host, name);
    if (s) {
        s->next = host->settings;
        host->settings = s;
    }
    return HAL_OK;
}

const char *hal_host_setting(const hal_host *host, const char *name)
{
    for (const setting *s = host->settings; s; s = s->next)
        if (!strcmp(s->name, name))
            return s->value;
    return NULL;
}

bool hal_host_any_setting(const hal_host *host,
                          bool (*fits)(void *ctx, const char *name, const char *value), void *ctx)
{
    for (const setting *s = host->settings; s; s = s->next)
        if (fits(ctx, s->name, s->value))
            return true;
    return false;
}

void hal_host_push_settings(lua_State *L)
{
    lua_newtable(L);
    for (const setting *s = hal_host_of(L)->settings; s; s = s->next) {
        lua_pushstring(L, s->value);
        lua_setfield(L, -2, s->name);
    }
}
