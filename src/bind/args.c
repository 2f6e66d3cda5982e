/* SPDX-License-Identifier: BSD-3-Clause */
#include "bind/args.h"

#include "base/redact.h"
#include "host/files.h"
#include "host/host.h"

#include <lauxlib.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int hal_bind_fail(lua_State *L, hal_status status, const char *fmt, ...)
{
    char text[HAL_ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    hal_err err = HAL_ERR_INIT;
    hal_err_set(&err, status, "%s", text);
    return hal_raise(L, &err);
}

lua_Integer hal_arg_integer(lua_State *L, int index, const char *what)
{
    int ok = 0;
    lua_Integer v = lua_type(L, index) == LUA_TNUMBER ? lua_tointegerx(L, index, &ok) : 0;
    if (!ok)
        hal_bind_fail(L, HAL_E_USAGE, "%s must be an integer, not %s", what,
                      luaL_typename(L, index));
    return v;
}

double hal_arg_number(lua_State *L, int index, const char *what)
{
    if (lua_type(L, index) != LUA_TNUMBER)
        hal_bind_fail(L, HAL_E_USAGE, "%s must be a number, not %s", what, luaL_typename(L, index));
    return lua_tonumber(L, index);
}

hal_slice hal_arg_slice(lua_State *L, int index, const char *what)
{
    if (lua_type(L, index) != LUA_TSTRING)
        hal_bind_fail(L, HAL_E_USAGE, "%s must be a string, not %s", what, luaL_typename(L, index));
    hal_slice s;
    s.data = lua_tolstring(L, index, &s.size_bytes);
    return s;
}

const char *hal_arg_text(lua_State *L, int index, const char *what)
{
    hal_slice s = hal_arg_slice(L, index, what);
    if (strlen(s.data) != s.size_bytes)
        hal_bind_fail(L, HAL_E_USAGE, "%s must not hold a zero byte", what);
    return s.data;
}

static bool is_known(const char *const *known, const char *key)
{
    for (; *known; known++)
        if (**known == *key && !strcmp(*known, key))
            return true;
    return false;
}

static void unknown_option(lua_State *L, const char *const *known, const char *key,
                           const char *what)
{
    char list[512];
    size_t used = 0;
    list[0] = '\0';
    for (; *known && used < sizeof list; known++) {
        int n = snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", *known);
        used += n > 0 ? (size_t)n : 0;
    }
    hal_bind_fail(L, HAL_E_USAGE, "%s: unknown option \"%s\"; known: %s", what, key, list);
}

void hal_options_check(lua_State *L, int index, const char *const *known, const char *what)
{
    if (!lua_istable(L, index))
        hal_bind_fail(L, HAL_E_USAGE, "%s takes a table of options, not %s", what,
                      luaL_typename(L, index));
    index = lua_absindex(L, index);
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
        if (lua_type(L, -2) != LUA_TSTRING)
            hal_bind_fail(L, HAL_E_USAGE, "%s takes named options only", what);
        else if (!is_known(known, lua_tostring(L, -2)))
            unknown_option(L, known, lua_tostring(L, -2), what);
}

static int get(lua_State *L, int index, const char *key)
{
    index = lua_absindex(L, index);
    lua_pushstring(L, key);
    return lua_rawget(L, index);
}

static void wrong_option(lua_State *L, const char *key, const char *expected)
{
    hal_bind_fail(L, HAL_E_USAGE, "option \"%s\" must be %s, not %s", key, expected,
                  luaL_typename(L, -1));
}

hal_slice hal_option_slice(lua_State *L, int index, const char *key)
{
    hal_slice s = {0};
    int type = get(L, index, key);
    if (type == LUA_TSTRING)
        s.data = lua_tolstring(L, -1, &s.size_bytes);
    else if (type != LUA_TNIL)
        wrong_option(L, key, "a string");
    lua_pop(L, 1);
    return s;
}

const char *hal_option_text(lua_State *L, int index, const char *key, const char *absent)
{
    hal_slice s = hal_option_slice(L, index, key);
    if (!s.data)
        return absent;
    if (strlen(s.data) != s.size_bytes)
        hal_bind_fail(L, HAL_E_USAGE, "option \"%s\" must not hold a zero byte", key);
    return s.data;
}

double hal_option_number(lua_State *L, int index, const char *key, double absent)
{
    double v = absent;
    int type = get(L, index, key);
    if (type == LUA_TNUMBER)
        v = lua_tonumber(L, -1);
    if ((type != LUA_TNUMBER && type != LUA_TNIL) || (isnan(v) && !isnan(absent)))
        wrong_option(L, key, "a number");
    lua_pop(L, 1);
    return v;
}

int64_t hal_option_integer(lua_State *L, int index, const char *key, int64_t absent)
{
    int64_t v = absent;
    int type = get(L, index, key);
    int ok = type == LUA_TNIL;
    if (type == LUA_TNUMBER)
        v = lua_tointegerx(L, -1, &ok);
    if (!ok)
        wrong_option(L, key, "an integer");
    lua_pop(L, 1);
    return v;
}

bool hal_option_boolean(lua_State *L, int index, const char *key, bool absent)
{
    bool v = absent;
    int type = get(L, index, key);
    if (type == LUA_TBOOLEAN)
        v = lua_toboolean(L, -1);
    else if (type != LUA_TNIL)
        wrong_option(L, key, "true or false");
    lua_pop(L, 1);
    return v;
}

void hal_option_require(lua_State *L, int index, const char *key, const char *what)
{
    if (get(L, index, key) == LUA_TNIL)
        hal_bind_fail(L, HAL_E_USAGE, "%s: option \"%s\" is missing", what, key);
    lua_pop(L, 1);
}

const char *hal_output_root(lua_State *L)
{
    const char *root = hal_host_setting(hal_host_of(L), "output");
    if (!root || !*root)
        hal_bind_fail(L, HAL_E_USAGE, "no output folder: choose one with --output");
    return root;
}

static const char *push_output(lua_State *L, const char *path, size_t n_folder)
{
    const char *root = hal_output_root(L);
    const char *folder = lua_pushlstring(L, path, n_folder);
    hal_err err = HAL_ERR_INIT;
    if (hal_files_make_dirs(root, folder, &err))
        hal_raise(L, &err);
    lua_pop(L, 1);
    size_t n = strlen(root);
    while (n > 1 && root[n - 1] == '/')
        n--;
    bool below = !strncmp(path, root, n) && (path[n] == '/' || path[n] == '\0');
    if (below || path[0] == '/')
        return lua_pushstring(L, path);
    return lua_pushfstring(L, "%s/%s", root, path);
}

const char *hal_output_folder(lua_State *L, const char *path)
{
    return push_output(L, path, strlen(path));
}

const char *hal_output_path(lua_State *L, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
        hal_bind_fail(L, HAL_E_USAGE, "\"%s\" does not name a file", path);
    return push_output(L, path, slash ? (size_t)(slash - path) + (slash == path) : 0);
}

static int scratch_clear(lua_State *L)
{
    hal_buf_clear(lua_touserdata(L, 1));
    return 0;
}

hal_buf *hal_scratch(lua_State *L, size_t max_bytes)
{
    hal_buf *b = lua_newuserdatauv(L, sizeof *b, 0);
    hal_buf_init(b, max_bytes);
    if (luaL_newmetatable(L, "halyard.scratch")) {
        lua_pushcfunction(L, scratch_clear);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return b;
}

void hal_check_append(lua_State *L, hal_status status, const char *what, int max_bytes)
{
    if (status == HAL_E_NOMEM)
        hal_bind_fail(L, status, "no memory left for %s", what);
    else if (status)
        hal_bind_fail(L, status, "%s would be longer than %d bytes", what, max_bytes);
}

const char *hal_redacted(lua_State *L, const char *text)
{
    if (!hal_redact_needed(text))
        return text;
    size_t n = strlen(text) + 1;
    char *copy = lua_newuserdatauv(L, n, 0);
    memcpy(copy, text, n);
    hal_redact(copy);
    return copy;
}

void hal_set_text(lua_State *L, const char *key, const char *value)
{
    lua_pushstring(L, value);
    lua_setfield(L, -2, key);
}

void hal_set_integer(lua_State *L, const char *key, int64_t value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, key);
}

void hal_set_number(lua_State *L, const char *key, double value)
{
    lua_pushnumber(L, value);
    lua_setfield(L, -2, key);
}

void hal_set_boolean(lua_State *L, const char *key, bool value)
{
    lua_pushboolean(L, value);
    lua_setfield(L, -2, key);
}
