/* SPDX-License-Identifier: BSD-3-Clause */
/* halyard.core.system: settings, events, output, time, small files. */
#include "bind/bind.h"

#include "bind/args.h"
#include "bind/output_file.h"
#include "halyard.h"
#include "host/files.h"
#include "host/host.h"
#include "host/lock.h"
#include "net/digest.h"

#include <lauxlib.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_MAX_BYTES = 64 << 20, CACHE_MAX_BYTES = 4 << 20, SECONDS_MAX = 1 << 30 };

static int setting(lua_State *L)
{
    lua_pushstring(L, hal_host_setting(hal_host_of(L), luaL_checkstring(L, 1)));
    return 1;
}

static int settings(lua_State *L)
{
    hal_host_push_settings(L);
    return 1;
}

static int emit(lua_State *L)
{
    const char *kind = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    hal_host_emit_table(L, kind, 2);
    return 0;
}

static int output(lua_State *L)
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    hal_host_output(hal_host_of(L), text, n);
    return 0;
}

static int write_log(lua_State *L)
{
    static const char *const levels[] = {"debug", "info", "warning", "error", NULL};
    int level = luaL_checkoption(L, 1, NULL, levels);
    hal_host_log(hal_host_of(L), levels[level], luaL_checkstring(L, 2));
    return 0;
}

static const hal_clock *clock_of(lua_State *L)
{
    return hal_loop_clock(hal_host_loop(hal_host_of(L)));
}

static int monotonic(lua_State *L)
{
    lua_pushnumber(L, (double)hal_clock_now_ns(clock_of(L)) / (double)HAL_NS_PER_S);
    return 1;
}

static int wall(lua_State *L)
{
    lua_pushnumber(L, (double)hal_clock_wall_ms(clock_of(L)) / 1000.0);
    return 1;
}

/* place() -> "file:line" of the script, or nil */
static int place(lua_State *L)
{
    if (!hal_push_place(L))
        lua_pushnil(L);
    return 1;
}

static int raise(lua_State *L)
{
    const char *code = luaL_checkstring(L, 1);
    const char *message = luaL_checkstring(L, 2);
    hal_status status = hal_status_from_name(code);
    if (status == HAL_STATUS_COUNT || status == HAL_OK)
        return hal_bind_fail(L, HAL_E_USAGE, "'%s' is not an error code", code);
    hal_err err = HAL_ERR_INIT;
    hal_err_set(&err, status, "%s", message);
    hal_push_error(L, &err);
    if (lua_istable(L, 3)) {
        lua_pushnil(L);
        while (lua_next(L, 3)) {
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_rawset(L, -4);
        }
    }
    return lua_error(L);
}

/* declare{memory = bytes, cpu = seconds, wall = seconds}: the budget of the running workflow. */
static int declare(lua_State *L)
{
    static const char *const known[] = {"memory", "cpu", "wall", NULL};
    hal_options_check(L, 1, known, "system.declare");
    int64_t memory = hal_option_integer(L, 1, "memory", 0);
    double cpu_s = hal_option_number(L, 1, "cpu", 0), wall_s = hal_option_number(L, 1, "wall", 0);
    if (memory < 0 || !(cpu_s >= 0 && cpu_s <= SECONDS_MAX) ||
        !(wall_s >= 0 && wall_s <= SECONDS_MAX))
        return hal_bind_fail(L, HAL_E_USAGE, "a budget is not a positive number");
    hal_err err = HAL_ERR_INIT;
    if (hal_host_declare(hal_host_of(L), (size_t)memory, (int64_t)(cpu_s * 1000),
                         (int64_t)(wall_s * 1000), &err))
        return hal_raise(L, &err);
    return 0;
}

/* permit(text): the hosts that the running workflow declares, one a line; nil: any. After
 * `declare`. */
static int permit(lua_State *L)
{
    const char *hosts = lua_isnoneornil(L, 1) ? NULL : hal_arg_text(L, 1, "permit: hosts");
    hal_err err = HAL_ERR_INIT;
    if (hal_host_permit(hal_host_of(L), hosts, &err))
        return hal_raise(L, &err);
    return 0;
}

/* Folders of the setting "workflow_path", separated by ":". */
static int workflow_paths(lua_State *L)
{
    const char *paths = hal_host_setting(hal_host_of(L), "workflow_path");
    lua_newtable(L);
    lua_Integer n = 0;
    while (paths && *paths) {
        size_t length = strcspn(paths, ":");
        if (length > 0) {
            lua_pushlstring(L, paths, length);
            lua_rawseti(L, -2, ++n);
        }
        paths += length + (paths[length] == ':');
    }
    return 1;
}

static int read_file(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    lua_Integer max = luaL_optinteger(L, 2, READ_MAX_BYTES);
    luaL_argcheck(L, max >= 0 && max <= READ_MAX_BYTES, 2, "0 to 64 MiB");
    hal_files_push_text(L, path, (size_t)max);
    return 1;
}

static int exists(lua_State *L)
{
    lua_pushboolean(L, hal_files_exists(luaL_checkstring(L, 1)));
    return 1;
}

static int list_files(lua_State *L)
{
    hal_files_push_names(L, luaL_checkstring(L, 1), luaL_optstring(L, 2, ""));
    return 1;
}

/* default_output(path) -> folder: `path` becomes the output folder unless the host program named
 * one; what an earlier call chose does not count. */
static int default_output(lua_State *L)
{
    hal_host *host = hal_host_of(L);
    const char *path = luaL_checkstring(L, 1);
    const char *now = hal_host_setting(host, "output");
    const char *chosen = hal_host_setting(host, "output.chosen");
    hal_err err = HAL_ERR_INIT;
    if (!now || (chosen && !strcmp(now, chosen)))
        if (hal_host_set(host, "output", path, &err) ||
            hal_host_set(host, "output.chosen", path, &err))
            return hal_raise(L, &err);
    lua_pushstring(L, hal_output_root(L));
    return 1;
}

static int make_dirs(lua_State *L)
{
    hal_err err = HAL_ERR_INIT;
    if (hal_files_make_dirs(hal_output_root(L), luaL_checkstring(L, 1), &err))
        return hal_raise(L, &err);
    return 0;
}

static int lock_close(lua_State *L)
{
    int *fd = lua_touserdata(L, 1);
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    return 0;
}

/* lock_output() -> lock: makes the output folder this run's alone until the lock is closed. */
static int lock_output(lua_State *L)
{
    int *fd = lua_newuserdatauv(L, sizeof *fd, 0);
    *fd = -1;
    if (luaL_newmetatable(L, "halyard.lock")) {
        static const luaL_Reg meta[] = {
            {"__gc", lock_close}, {"__close", lock_close}, {NULL, NULL}};
        luaL_setfuncs(L, meta, 0);
    }
    lua_setmetatable(L, -2);
    hal_err err = HAL_ERR_INIT;
    if (hal_lock_folder(fd, hal_output_root(L), &err))
        return hal_raise(L, &err);
    return 1;
}

/* redact(text) -> text without the credentials that stand in addresses */
static int redact(lua_State *L)
{
    lua_pushstring(L, hal_redacted(L, hal_arg_text(L, 1, "redact: text")));
    return 1;
}

static int write_file(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    hal_slice text = {0};
    text.data = luaL_checklstring(L, 2, &text.size_bytes);
    hal_err err = HAL_ERR_INIT;
    if (hal_files_write(hal_output_root(L), path, text, &err))
        return hal_raise(L, &err);
    return 0;
}

/* Pushes the user's cache folder; nil where the environment names none. */
static const char *push_cache(lua_State *L)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && cache[0] == '/')
        return lua_pushfstring(L, "%s/halyard", cache);
    if (home && home[0] == '/')
        return lua_pushfstring(L, "%s/.cache/halyard", home);
    lua_pushnil(L);
    return NULL;
}

/* cache_read(name) -> text, or nil when there is none */
static int cache_read(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1), *folder = push_cache(L);
    const char *path = folder ? lua_pushfstring(L, "%s/%s", folder, name) : NULL;
    if (!path || !hal_files_exists(path))
        return 0;
    hal_files_push_text(L, path, CACHE_MAX_BYTES);
    return 1;
}

/* cache_write(name, text): makes the folder, replaces the file at once */
static int cache_write(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    hal_slice text = {0};
    text.data = luaL_checklstring(L, 2, &text.size_bytes);
    const char *folder = push_cache(L);
    hal_err err = HAL_ERR_INIT;
    if (folder &&
        (hal_files_make_dirs(folder, "", &err) || hal_files_write(folder, name, text, &err)))
        return hal_raise(L, &err);
    return 0;
}

/* sha256(text) -> 64 hex digits */
static int sha256(lua_State *L)
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    char hex[HAL_SHA256_TEXT_SIZE];
    hal_err err = HAL_ERR_INIT;
    hal_sha256 *digest = hal_sha256_new(&err);
    hal_status st = digest ? hal_sha256_add(digest, text, n, &err) : err.status;
    if (!st)
        st = hal_sha256_text(digest, hex, &err);
    hal_sha256_free(digest);
    if (st)
        return hal_raise(L, &err);
    lua_pushstring(L, hex);
    return 1;
}

int hal_open_system(lua_State *L)
{
    static const luaL_Reg functions[] = {{"setting", setting},
                                         {"settings", settings},
                                         {"emit", emit},
                                         {"output", output},
                                         {"log", write_log},
                                         {"monotonic", monotonic},
                                         {"wall", wall},
                                         {"place", place},
                                         {"raise", raise},
                                         {"declare", declare},
                                         {"permit", permit},
                                         {"workflow_paths", workflow_paths},
                                         {"read_file", read_file},
                                         {"exists", exists},
                                         {"list_files", list_files},
                                         {"default_output", default_output},
                                         {"make_dirs", make_dirs},
                                         {"lock_output", lock_output},
                                         {"redact", redact},
                                         {"write_file", write_file},
                                         {"create_file", hal_create_file},
                                         {"cache_read", cache_read},
                                         {"cache_write", cache_write},
                                         {"sha256", sha256},
                                         {NULL, NULL}};
    luaL_newlib(L, functions);
    lua_pushliteral(L, HAL_VERSION_TEXT);
    lua_setfield(L, -2, "version");
    lua_pushinteger(L, HAL_API_LEVEL);
    lua_setfield(L, -2, "api_level");
    hal_push_error_metatable(L);
    lua_setfield(L, -2, "error_metatable");
    return 1;
}
