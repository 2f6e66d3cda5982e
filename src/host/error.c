/* SPDX-License-Identifier: BSD-3-Clause */
/* Error records and Lua error objects: one shape, both directions. Methods of error objects beyond
 * __tostring are Lua's. */
#include "host/internal.h"

#include <lauxlib.h>

#include <stdio.h>
#include <string.h>

static const char METATABLE[] = "halyard.error";

/* Pushes that field of the table at index 1 if it is a text. */
static bool raw_text(lua_State *L, const char *name)
{
    lua_pushstring(L, name);
    if (lua_rawget(L, 1) == LUA_TSTRING)
        return true;
    lua_pop(L, 1);
    return false;
}

static int error_tostring(lua_State *L)
{
    lua_settop(L, 1);
    luaL_checktype(L, 1, LUA_TTABLE);
    if (raw_text(L, "where"))
        lua_pushliteral(L, ": ");
    if (!raw_text(L, "message"))
        lua_pushliteral(L, "error without a message");
    lua_concat(L, lua_gettop(L) - 1);
    return 1;
}

bool hal_push_place(lua_State *L)
{
    static const char own[] = "=halyard/"; /* embedded modules */
    lua_Debug at;
    for (int level = 0; lua_getstack(L, level, &at); level++)
        if (lua_getinfo(L, "Sl", &at) && at.currentline > 0 &&
            strncmp(at.source, own, sizeof own - 1) != 0) {
            lua_pushfstring(L, "%s:%d", at.short_src, at.currentline);
            return true;
        }
    return false;
}

void hal_error_register(lua_State *L)
{
    luaL_newmetatable(L, METATABLE);
    lua_pushcfunction(L, error_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
}

void hal_push_error_metatable(lua_State *L)
{
    luaL_getmetatable(L, METATABLE);
}

void hal_push_error(lua_State *L, const hal_err *err)
{
    luaL_checkstack(L, 4, "error object");
    lua_createtable(L, 0, 10);
    if (err->status == HAL_E_USAGE && hal_push_place(L))
        lua_setfield(L, -2, "where");
    lua_pushstring(L, hal_status_name(err->status));
    lua_setfield(L, -2, "code");
    lua_pushstring(L, err->text[0] ? err->text : hal_status_name(err->status));
    lua_setfield(L, -2, "message");
    lua_pushboolean(L, err->retryable);
    lua_setfield(L, -2, "retryable");
    if (err->http_status) {
        lua_pushinteger(L, err->http_status);
        lua_setfield(L, -2, "http_status");
    }
    if (err->retry_after_s >= 0) {
        lua_pushnumber(L, err->retry_after_s);
        lua_setfield(L, -2, "retry_after");
    }
    if (err->origin[0]) {
        lua_pushstring(L, err->origin);
        lua_setfield(L, -2, "origin");
    }
    if (hal_err_fault(err)[0]) {
        lua_pushstring(L, hal_err_fault(err));
        lua_setfield(L, -2, "fault");
    }
    if (err->tries) {
        lua_pushinteger(L, err->tries);
        lua_setfield(L, -2, "tries");
    }
    if (err->deferred) {
        lua_pushboolean(L, true);
        lua_setfield(L, -2, "deferred");
    }
    luaL_setmetatable(L, METATABLE);
}

int hal_raise(lua_State *L, const hal_err *err)
{
    hal_push_error(L, err);
    return lua_error(L);
}

/* Raw: a script may have made the table's metatable do anything. */
static int raw_field(lua_State *L, int index, const char *name)
{
    lua_pushstring(L, name);
    return lua_rawget(L, index);
}

static bool has_error_metatable(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index))
        return false;
    hal_push_error_metatable(L);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

static void one_line(char *text)
{
    for (char *c = text; *c; c++)
        if (*c == '\n' || *c == '\r' || *c == '\t')
            *c = ' ';
}

static void read_object(lua_State *L, int index, hal_err *err)
{
    hal_status status = HAL_E_SCRIPT;
    if (raw_field(L, index, "code") == LUA_TSTRING)
        status = hal_status_from_name(lua_tostring(L, -1));
    if (status == HAL_STATUS_COUNT || status == HAL_OK)
        status = HAL_E_SCRIPT;
    bool placed = raw_field(L, index, "where") == LUA_TSTRING;
    const char *where = placed ? lua_tostring(L, -1) : "";
    raw_field(L, index, "message");
    hal_err_set(err, status, "%s%s%s", where, placed ? ": " : "",
                lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "error without a message");
    raw_field(L, index, "retryable");
    err->retryable = lua_toboolean(L, -1);
    if (raw_field(L, index, "http_status") == LUA_TNUMBER)
        err->http_status = (int)lua_tointeger(L, -1);
    if (raw_field(L, index, "retry_after") == LUA_TNUMBER)
        err->retry_after_s = lua_tonumber(L, -1);
    if (raw_field(L, index, "origin") == LUA_TSTRING)
        hal_err_origin(err, lua_tostring(L, -1));
    if (raw_field(L, index, "tries") == LUA_TNUMBER)
        err->tries = (int)lua_tointeger(L, -1);
    raw_field(L, index, "deferred");
    err->deferred = lua_toboolean(L, -1);
    lua_pop(L, 9);
}

void hal_error_from_lua(lua_State *L, int index, hal_err *err)
{
    if (!err)
        return;
    index = lua_absindex(L, index);
    if (!lua_checkstack(L, 10)) {
        hal_err_nomem(err, 10 * sizeof(void *));
        return;
    }
    if (has_error_metatable(L, index))
        read_object(L, index, err);
    else if (lua_type(L, index) == LUA_TSTRING &&
             !strcmp(lua_tostring(L, index), "not enough memory") && hal_host_of(L)->no_memory)
        hal_err_set(err, HAL_E_NOMEM, "no memory left");
    else if (lua_type(L, index) == LUA_TSTRING &&
             !strcmp(lua_tostring(L, index), "not enough memory"))
        hal_err_set(err, HAL_E_BUDGET,
                    "the script's memory is used up; raise budget.memory or keep less at once");
    else if (lua_type(L, index) == LUA_TSTRING)
        hal_err_set(err, HAL_E_SCRIPT, "%s", lua_tostring(L, index));
    else if (lua_type(L, index) == LUA_TNUMBER)
        hal_err_set(err, HAL_E_SCRIPT, "%.14g", lua_tonumber(L, index));
    else
        hal_err_set(err, HAL_E_SCRIPT, "the script raised a %s value as its error",
                    luaL_typename(L, index));
    one_line(err->text);
}
