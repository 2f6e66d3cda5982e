/* SPDX-License-Identifier: BSD-3-Clause */
/* Event objects: small Lua tables as JSON text, independent of locale. Not for rows. */
#include "host/host.h"

#include "base/buf.h"
#include "base/number.h"

#include <lauxlib.h>

#include <math.h>
#include <string.h>

enum { DEPTH_MAX = 16, EVENT_MAX_BYTES = 1 << 20, USUAL_BYTES = 250 };

static hal_status put_number(lua_State *L, hal_buf *b, int index, hal_err *err)
{
    char text[HAL_DOUBLE_TEXT_MAX];
    if (lua_isinteger(L, index))
        return hal_buf_append(b, text, hal_number_print_int64(text, lua_tointeger(L, index)), err);
    double v = lua_tonumber(L, index);
    if (!isfinite(v))
        return hal_buf_puts(b, "null", err);
    return hal_buf_append(b, text, hal_number_print_plain(text, v), err);
}

static hal_status put_value(lua_State *L, hal_buf *b, int depth, hal_err *err);

static hal_status put_list(lua_State *L, hal_buf *b, int depth, lua_Unsigned n, hal_err *err)
{
    hal_status st = hal_buf_puts(b, "[", err);
    for (lua_Unsigned i = 1; i <= n && !st; i++) {
        if (i > 1)
            st = hal_buf_puts(b, ",", err);
        lua_rawgeti(L, -1, (lua_Integer)i);
        if (!st)
            st = put_value(L, b, depth, err);
        lua_pop(L, 1);
    }
    return st ? st : hal_buf_puts(b, "]", err);
}

static hal_status put_object(lua_State *L, hal_buf *b, int depth, hal_err *err)
{
    hal_status st = hal_buf_puts(b, "{", err);
    const char *separator = "";
    lua_pushnil(L);
    while (!st && lua_next(L, -2)) {
        if (lua_type(L, -2) != LUA_TSTRING) {
            st = hal_err_set(err, HAL_E_USAGE, "an event's keys must be text");
        } else {
            size_t n;
            const char *key = lua_tolstring(L, -2, &n);
            st = hal_buf_puts(b, separator, err);
            if (!st)
                st = hal_buf_quote(b, key, n, err);
            if (!st)
                st = hal_buf_puts(b, ":", err);
            if (!st)
                st = put_value(L, b, depth, err);
            separator = ",";
        }
        lua_pop(L, 1);
    }
    return st ? st : hal_buf_puts(b, "}", err);
}

/* The value on top of the stack, which stays balanced. */
static hal_status put_value(lua_State *L, hal_buf *b, int depth, hal_err *err)
{
    if (depth > DEPTH_MAX || !lua_checkstack(L, 6))
        return hal_err_set(err, HAL_E_USAGE, "an event nests deeper than %d", DEPTH_MAX);
    size_t n;
    const char *text;
    switch (lua_type(L, -1)) {
    case LUA_TNIL:
        return hal_buf_puts(b, "null", err);
    case LUA_TBOOLEAN:
        return hal_buf_puts(b, lua_toboolean(L, -1) ? "true" : "false", err);
    case LUA_TNUMBER:
        return put_number(L, b, -1, err);
    case LUA_TSTRING:
        text = lua_tolstring(L, -1, &n);
        return hal_buf_quote(b, text, n, err);
    case LUA_TTABLE: {
        lua_Unsigned length = lua_rawlen(L, -1);
        return length ? put_list(L, b, depth + 1, length, err) : put_object(L, b, depth + 1, err);
    }
    default:
        return hal_err_set(err, HAL_E_USAGE, "an event cannot hold a %s", luaL_typename(L, -1));
    }
}

void hal_host_emit_table(lua_State *L, const char *kind, int index)
{
    hal_buf b;
    hal_buf_init(&b, EVENT_MAX_BYTES);
    hal_err err = HAL_ERR_INIT;
    int top = lua_gettop(L);
    lua_pushvalue(L, index);
    hal_status st = hal_buf_reserve(&b, USUAL_BYTES, &err);
    if (!st)
        st = put_value(L, &b, 0, &err);
    lua_settop(L, top); /* a failure leaves keys and values behind */
    if (!st)
        hal_host_emit(hal_host_of(L), kind, hal_buf_text(&b));
    hal_buf_clear(&b);
    if (st)
        hal_raise(L, &err);
}

void hal_host_progress(hal_host *host, const char *stage, uint64_t bytes, uint64_t known_bytes)
{
    hal_buf b;
    hal_buf_init(&b, EVENT_MAX_BYTES);
    hal_status st = hal_buf_puts(&b, "{\"stage\":", NULL);
    if (!st)
        st = hal_buf_quote(&b, stage, strlen(stage), NULL);
    if (!st && known_bytes)
        st = hal_buf_printf(&b, NULL, ",\"done\":%llu,\"known\":%llu,\"unit\":\"MB\"}",
                            (unsigned long long)(bytes / 1000000),
                            (unsigned long long)(known_bytes / 1000000));
    else if (!st)
        st = hal_buf_printf(&b, NULL, ",\"bytes\":%llu}", (unsigned long long)bytes);
    if (!st)
        hal_host_emit(host, "progress", hal_buf_text(&b));
    hal_buf_clear(&b);
}

void hal_host_log(hal_host *host, const char *level, const char *text)
{
    hal_buf b;
    hal_buf_init(&b, EVENT_MAX_BYTES);
    if (!hal_buf_printf(&b, NULL, "{\"level\":\"%s\",\"text\":", level) &&
        !hal_buf_quote(&b, text, strlen(text), NULL) && !hal_buf_puts(&b, "}", NULL))
        hal_host_emit(host, "log", hal_buf_text(&b));
    hal_buf_clear(&b);
}
