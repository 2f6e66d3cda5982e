/* SPDX-License-Identifier: BSD-3-Clause */
/* halyard-spec FILE...: runs Busted 2.1 as the root task of a host, so that a spec may wait inside
 * `it`. Exit 1 when a spec fails or a task is left over. */
#include "bind/bind.h"
#include "host/host.h"
#include "net/exchange.h"

#include <lauxlib.h>

#include <stdio.h>
#include <stdlib.h>

int hal_open_test_peer(lua_State *L); /* peer.c */

static const char main_chunk[] =
    "local files = { ... }\n"
    "arg = { [0] = 'halyard-spec', '--output=plainTerminal', table.unpack(files) }\n"
    "os.exit = function(code) error({ exit = code }) end\n"
    "local ok, why = pcall(require('busted.runner'), { standalone = false })\n"
    "if ok then return true end\n"
    "if type(why) == 'table' and why.exit ~= nil then\n"
    "  return why.exit == true or why.exit == 0\n"
    "end\n"
    "error(why, 0)\n";

/* halyard.test.run(source, {memory=, cpu_ms=}) -> nil or code, message: what becomes of a guest
 * script in a host of its own with tight limits. */
static int run_guest(lua_State *L)
{
    size_t n;
    const char *source = luaL_checklstring(L, 1, &n);
    hal_host_config config = {0};
    if (lua_istable(L, 2)) {
        lua_getfield(L, 2, "memory");
        config.memory_max_bytes = (size_t)luaL_optinteger(L, -1, 0);
        lua_getfield(L, 2, "cpu_ms");
        config.cpu_max_ms = luaL_optinteger(L, -1, 0);
    }
    hal_clock clock = hal_clock_system();
    hal_err err = HAL_ERR_INIT;
    hal_loop *loop = hal_loop_new(&clock, &err);
    hal_host *host = loop ? hal_host_new(loop, &config, &err) : NULL;
    if (host) {
        static const char load_guest[] = "local text = ...\n"
                                         "local sandbox = require('halyard.core.sandbox')\n"
                                         "local env = sandbox.environment()\n"
                                         "env.task = require('halyard.core.task')\n"
                                         "return assert(sandbox.load(text, '=guest', env))()\n";
        lua_State *G = hal_host_state(host);
        hal_bind_preload(G);
        hal_status st = luaL_loadstring(G, load_guest) ? HAL_E_INTERNAL : HAL_OK;
        lua_pushlstring(G, source, n);
        if (!st)
            st = hal_host_start(host, G, 1, &err);
        bool running = !st;
        while (!st && running)
            st = hal_host_step(host, -1, &running, &err);
    }
    hal_host_free(host);
    hal_loop_free(loop);
    if (!err.status)
        return 0;
    lua_pushstring(L, hal_status_name(err.status));
    lua_pushstring(L, err.text);
    return 2;
}

/* What was logged since the last call, as JSON, one event a line. */
static char logged[4096];

static int take_logged(lua_State *L)
{
    lua_pushstring(L, logged);
    *logged = '\0';
    return 1;
}

static int open_test(lua_State *L)
{
    static const luaL_Reg functions[] = {{"run", run_guest}, {"logged", take_logged}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}

static void print_event(void *ctx, const char *kind, const char *json)
{
    (void)ctx;
    size_t used = strlen(logged);
    if (!strcmp(kind, "log"))
        snprintf(logged + used, sizeof logged - used, "%s\n", json);
    if (getenv("HALYARD_SPEC_EVENTS"))
        fprintf(stderr, "%s %s\n", kind, json);
}

static bool run_specs(hal_host *host, int argc, char **argv, hal_err *err)
{
    lua_State *L = hal_host_state(host);
    hal_bind_preload(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, open_test);
    lua_setfield(L, -2, "halyard.test");
    lua_pushcfunction(L, hal_open_test_peer);
    lua_setfield(L, -2, "halyard.test.peer");
    lua_pop(L, 1);
    if (luaL_loadbufferx(L, main_chunk, sizeof main_chunk - 1, "=halyard-spec", "t")) {
        hal_err_set(err, HAL_E_INTERNAL, "%s", lua_tostring(L, -1));
        return false;
    }
    for (int i = 1; i < argc; i++)
        lua_pushstring(L, argv[i]);
    if (hal_host_start(host, L, argc - 1, err))
        return false;
    bool running = true;
    while (running)
        if (hal_host_step(host, -1, &running, err))
            return false;
    return lua_toboolean(L, -1);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs("usage: halyard-spec FILE...\n", stderr);
        return 2;
    }
    hal_err err = HAL_ERR_INIT;
    hal_clock clock = hal_clock_system();
    hal_loop *loop = hal_loop_new(&clock, &err);
    if (loop) {
        hal_loop_guard(loop, NULL, true, NULL);
        hal_loop_set_waits(loop, &(hal_waits){1, 4, 1, 4});
    }
    hal_host_config config = {
        .open_all = true, .cpu_max_ms = 3600000, .memory_max_bytes = (size_t)2 << 30};
    hal_host *host = loop ? hal_host_new(loop, &config, &err) : NULL;
    bool ok = false;
    size_t n_left = 0;
    if (host) {
        hal_host_on_event(host, print_event, NULL);
        ok = run_specs(host, argc, argv, &err);
        n_left = hal_host_live_tasks(host);
    }
    if (err.status)
        fprintf(stderr, "halyard-spec: %s\n", err.text);
    if (n_left > 0)
        fprintf(stderr, "halyard-spec: %zu tasks are still alive\n", n_left);
    bool busy = loop && hal_loop_is_busy(loop);
    if (busy)
        fputs("halyard-spec: an operation is still under way\n", stderr);
    hal_host_free(host);
    hal_loop_free(loop);
    return ok && n_left == 0 && !busy ? 0 : 1;
}
