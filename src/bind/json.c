/* SPDX-License-Identifier: BSD-3-Clause */
/* halyard.core.json: control documents only, never result rows. Decoding is a private instance of
 * lua-cjson; encoding is ours, because that instance writes at most 14 digits of a number and no
 * empty array. */
#include "bind/bind.h"

#include "base/number.h"
#include "bind/args.h"
#include "bind/json_text.h"
#include "host/host.h"

#include <lauxlib.h>
#include <lua-cjson.h>
#include <lualib.h>
#include <math.h>
#include <stdlib.h>

enum { DEPTH_MAX = 64, TEXT_MAX = 64 << 20, USUAL_BYTES = 500 };
static const char array_name[] = "halyard.json.array";

/* --- Encoding -----------------------------------------------------------------------------------
 */

static void check(lua_State *L, hal_status status)
{
    hal_check_append(L, status, "JSON text", TEXT_MAX);
}

static void put(lua_State *L, hal_buf *out, const char *bytes, size_t n)
{
    check(L, hal_buf_append(out, bytes, n, NULL));
}

/* Length of the UTF-8 character at `p` (RFC 3629), 0 when it is none. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (n == 0 || p[0] > 0xf4 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool outside = (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf4 && p[1] > 0x8f);
    return overlong || outside ? 0 : n;
}

/* Is one of 8 bytes not to be written as it is? Yes also for some that could be. */
static bool has_special(const char *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones * 0x80;
    uint64_t x, quote, backslash, delete;
    memcpy(&x, p, sizeof x);
    quote = x ^ ones * '"';
    backslash = x ^ ones * '\\';
    delete = x ^ ones * 0x7f;
    return (x | (x - ones * ' ') | (quote - ones) | (backslash - ones) | (delete - ones)) & high;
}

static void put_string(lua_State *L, hal_buf *out, hal_slice s)
{
    size_t i = 0, n = s.size_bytes;
    while (n - i >= 8 && !has_special(s.data + i))
        i += 8;
    while (i < n && s.data[i] >= ' ' && s.data[i] < 0x7f && s.data[i] != '"' && s.data[i] != '\\')
        i++;
    if (i == n) { /* most texts need no more than quotes */
        check(L, hal_buf_reserve(out, n + 2, NULL));
        char *to = out->data + out->size_bytes;
        to[0] = to[n + 1] = '"';
        memcpy(to + 1, s.data, n);
        to[n + 2] = '\0';
        out->size_bytes += n + 2;
        return;
    }
    while (i < n) {
        size_t length = utf8_length((const unsigned char *)s.data + i, n - i);
        if (length == 0)
            hal_bind_fail(L, HAL_E_USAGE,
                          "json: text is not UTF-8 at byte %zu; JSON cannot hold it", i);
        i += length;
    }
    check(L, hal_buf_quote(out, s.data, n, NULL));
}

static void put_number(lua_State *L, hal_buf *out, int index)
{
    char text[HAL_DOUBLE_TEXT_MAX];
    if (lua_isinteger(L, index)) {
        put(L, out, text, hal_number_print_int64(text, lua_tointeger(L, index)));
        return;
    }
    double v = lua_tonumber(L, index);
    if (!isfinite(v))
        hal_bind_fail(L, HAL_E_USAGE, "json: %s is not a number that JSON can hold",
                      isnan(v) ? "NaN" : "infinity");
    put(L, out, text, hal_number_print_double(text, v));
}

static int by_bytes(const void *a, const void *b)
{
    const hal_slice *x = a, *y = b;
    size_t n = x->size_bytes < y->size_bytes ? x->size_bytes : y->size_bytes;
    int d = memcmp(x->data, y->data, n);
    return d ? d : (x->size_bytes > y->size_bytes) - (x->size_bytes < y->size_bytes);
}

static void put_value(lua_State *L, hal_buf *out, int index, int depth);

static void put_array(lua_State *L, hal_buf *out, int index, lua_Unsigned n, int depth)
{
    put(L, out, "[", 1);
    for (lua_Unsigned i = 1; i <= n; i++) {
        if (i > 1)
            put(L, out, ",", 1);
        lua_rawgeti(L, index, (lua_Integer)i);
        put_value(L, out, lua_gettop(L), depth);
        lua_pop(L, 1);
    }
    put(L, out, "]", 1);
}

/* Keys in byte order, so that the same value always gives the same text. */
static void put_object(lua_State *L, hal_buf *out, int index, size_t n, int depth)
{
    hal_slice *keys = lua_newuserdatauv(L, (n + 1) * sizeof *keys, 0);
    size_t k = 0;
    for (lua_pushnil(L); lua_next(L, index) && k < n; lua_pop(L, 1), k++)
        keys[k].data = lua_tolstring(L, -2, &keys[k].size_bytes);
    qsort(keys, k, sizeof *keys, by_bytes);
    put(L, out, "{", 1);
    for (size_t i = 0; i < k; i++) {
        if (i)
            put(L, out, ",", 1);
        put_string(L, out, keys[i]);
        put(L, out, ":", 1);
        lua_pushlstring(L, keys[i].data, keys[i].size_bytes);
        lua_rawget(L, index);
        put_value(L, out, lua_gettop(L), depth);
        lua_pop(L, 1);
    }
    put(L, out, "}", 1);
    lua_pop(L, 1);
}

static void put_table(lua_State *L, hal_buf *out, int index, int depth)
{
    if (depth >= DEPTH_MAX)
        hal_bind_fail(L, HAL_E_USAGE, "json: nested more than %d deep", DEPTH_MAX);
    luaL_checkstack(L, 8, "json");
    bool marked = false;
    if (lua_getmetatable(L, index)) {
        luaL_getmetatable(L, array_name);
        marked = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    size_t n_text = 0, n_other = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
        if (lua_type(L, -2) == LUA_TSTRING)
            n_text++;
        else
            n_other++;
    lua_Unsigned n = lua_rawlen(L, index);
    if (marked || n_other) {
        if (n_text || n_other != n)
            hal_bind_fail(L, HAL_E_USAGE,
                          "json: a table is either a list without holes or has text keys only");
        put_array(L, out, index, n, depth + 1);
        return;
    }
    put_object(L, out, index, n_text, depth + 1);
}

static void put_value(lua_State *L, hal_buf *out, int index, int depth)
{
    hal_slice s;
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        put(L, out, "null", 4);
        return;
    case LUA_TBOOLEAN:
        s = hal_slice_of(lua_toboolean(L, index) ? "true" : "false");
        put(L, out, s.data, s.size_bytes);
        return;
    case LUA_TNUMBER:
        put_number(L, out, index);
        return;
    case LUA_TSTRING:
        s.data = lua_tolstring(L, index, &s.size_bytes);
        put_string(L, out, s);
        return;
    case LUA_TTABLE:
        put_table(L, out, index, depth);
        return;
    case LUA_TLIGHTUSERDATA:
        if (!lua_touserdata(L, index)) {
            put(L, out, "null", 4);
            return;
        }
    }
    hal_bind_fail(L, HAL_E_USAGE, "json: a %s has no JSON form", luaL_typename(L, index));
}

static int encode(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    hal_buf *out = hal_scratch(L, TEXT_MAX);
    check(L, hal_buf_reserve(out, USUAL_BYTES, NULL));
    put_value(L, out, 1, 0);
    lua_pushlstring(L, hal_buf_text(out), out->size_bytes);
    hal_buf_clear(out);
    return 1;
}

void hal_json_put_text(lua_State *L, hal_buf *out, const char *text)
{
    put_string(L, out, hal_slice_of(text));
}

/* array(t) marks `t` as a list, so that an empty one is written as []. */
static int array(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    } else if (!lua_istable(L, 1)) {
        return hal_bind_fail(L, HAL_E_USAGE, "json.array takes a list, not %s",
                             luaL_typename(L, 1));
    }
    luaL_setmetatable(L, array_name);
    return 1;
}

/* --- Decoding -----------------------------------------------------------------------------------
 */

/* Whole numbers that a double holds exactly become integers; larger ones stay floats, which says
 * that digits may be missing. The value is at `index`; tables are changed in place. */
static void restore_integers(lua_State *L, int index)
{
    luaL_checkstack(L, 6, "json");
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        int type = lua_type(L, -1);
        if (type == LUA_TTABLE) {
            restore_integers(L, lua_gettop(L));
        } else if (type == LUA_TNUMBER && !lua_isinteger(L, -1)) {
            double v = lua_tonumber(L, -1);
            if (floor(v) == v && fabs(v) <= 0x1p53) {
                lua_pushvalue(L, -2);
                lua_pushinteger(L, (lua_Integer)v);
                lua_rawset(L, index);
            }
        }
    }
}

/* Upvalue 1: decode of the private instance. */
static int decode(lua_State *L)
{
    hal_slice text = hal_arg_slice(L, 1, "json.decode: text");
    if (text.size_bytes > TEXT_MAX)
        return hal_bind_fail(L, HAL_E_BUDGET, "json: a control document of %zu bytes is too large",
                             text.size_bytes);
    lua_settop(L, 1);
    lua_createtable(L, 1, 0); /* holds the value, so that a bare number is handled alike */
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 1);
    if (lua_pcall(L, 1, 1, 0)) {
        const char *why = lua_tostring(L, -1);
        return hal_bind_fail(L, HAL_E_PROTOCOL, "not valid JSON: %s", why ? why : "unknown reason");
    }
    lua_rawseti(L, 2, 1);
    restore_integers(L, 2);
    lua_rawgeti(L, 2, 1);
    return 1;
}

static void configure(lua_State *L, const char *name, int value)
{
    lua_getfield(L, -1, name);
    if (value < 0)
        lua_pushboolean(L, 0);
    else
        lua_pushinteger(L, value);
    lua_call(L, 1, 0);
}

int hal_open_json(lua_State *L)
{
    luaL_newmetatable(L, array_name);
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushcfunction(L, luaopen_cjson);
    lua_call(L, 0, 1);
    lua_getfield(L, -1, "new");
    lua_call(L, 0, 1);
    lua_remove(L, -2);
    configure(L, "decode_max_depth", DEPTH_MAX);
    configure(L, "decode_invalid_numbers", -1);
    lua_getfield(L, -1, "decode");
    lua_pushcclosure(L, decode, 1);
    lua_setfield(L, -3, "decode");
    lua_getfield(L, -1, "null");
    lua_setfield(L, -3, "null");
    lua_pop(L, 1);
    lua_pushcfunction(L, encode);
    lua_setfield(L, -2, "encode");
    lua_pushcfunction(L, array);
    lua_setfield(L, -2, "array");
    return 1;
}
