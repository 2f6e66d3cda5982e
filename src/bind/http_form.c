/* SPDX-License-Identifier: BSD-3-Clause */
/* Bodies of forms with files in them: multipart/form-data (RFC 7578). */
#define _GNU_SOURCE /* memmem */
#include "bind/http_form.h"

#include "bind/args.h"
#include "host/host.h"

#include <lauxlib.h>
#include <stdio.h>

enum { PARTS_MAX = 1000, BODY_MAX = 256 << 20, BOUNDARY_MAX = 40 };

/* A text of a part's head; "" when absent. */
static const char *head_text(lua_State *L, const char *key)
{
    const char *text = hal_option_text(L, lua_gettop(L), key, "");
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f || *p == '"')
            hal_bind_fail(L, HAL_E_USAGE,
                          "multipart: %s must hold no quotes and no control characters", key);
    return text;
}

/* What the part on top of the stack sends. */
static hal_slice content_of(lua_State *L)
{
    int part = lua_gettop(L);
    hal_slice body = hal_option_slice(L, part, "body"), value = hal_option_slice(L, part, "value");
    if (!body.data == !value.data)
        hal_bind_fail(L, HAL_E_USAGE, "multipart: a part needs either value or body");
    return body.data ? body : value;
}

static bool occurs(lua_State *L, lua_Integer n, const char *boundary)
{
    bool found = false;
    for (lua_Integer i = 1; i <= n && !found; i++) {
        lua_rawgeti(L, 1, i);
        hal_slice content = content_of(L);
        found = memmem(content.data, content.size_bytes, boundary, strlen(boundary)) != NULL;
        lua_pop(L, 1);
    }
    return found;
}

/* Checks all parts; how many bytes they hold. */
static size_t check_parts(lua_State *L, lua_Integer n)
{
    static const char *const known[] = {"name", "value", "filename", "content_type", "body", NULL};
    size_t total = 0;
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);
        hal_options_check(L, lua_gettop(L), known, "multipart");
        if (!*head_text(L, "name"))
            hal_bind_fail(L, HAL_E_USAGE, "multipart: part %d has no name", (int)i);
        total += content_of(L).size_bytes + strlen(head_text(L, "name")) +
                 strlen(head_text(L, "filename")) + strlen(head_text(L, "content_type")) + 200;
        lua_pop(L, 1);
        if (total > BODY_MAX)
            hal_bind_fail(L, HAL_E_BUDGET,
                          "multipart: more than %d MiB; upload fewer rows or columns at once",
                          BODY_MAX >> 20);
    }
    return total;
}

static void add_head(luaL_Buffer *b, const char *before, const char *text, const char *after)
{
    if (!*text)
        return;
    luaL_addstring(b, before);
    luaL_addstring(b, text);
    luaL_addstring(b, after);
}

int hal_http_multipart(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
    if (n < 1 || n > PARTS_MAX)
        return hal_bind_fail(L, HAL_E_USAGE, "multipart: a list of 1 to %d parts", PARTS_MAX);
    size_t total = check_parts(L, n);
    hal_err err = HAL_ERR_INIT;
    if (hal_host_check_memory(L, 2 * total, &err))
        return hal_raise(L, &err);
    char boundary[BOUNDARY_MAX];
    unsigned i_try = 0;
    do
        snprintf(boundary, sizeof boundary, "----halyard-part-%08u", i_try++);
    while (occurs(L, n, boundary));
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (lua_Integer i = 1; i <= n; i++) {
        /* The buffer may keep a value on the stack: the part lies above it and is taken away before
         * the buffer is used again. Its texts stay valid, the list holds them. */
        lua_rawgeti(L, 1, i);
        const char *name = head_text(L, "name"), *file = head_text(L, "filename"),
                   *type = head_text(L, "content_type");
        hal_slice content = content_of(L);
        lua_pop(L, 1);
        add_head(&b, "--", boundary, "\r\nContent-Disposition: form-data");
        add_head(&b, "; name=\"", name, "\"");
        add_head(&b, "; filename=\"", file, "\"");
        add_head(&b, "\r\nContent-Type: ", type, "");
        luaL_addstring(&b, "\r\n\r\n");
        luaL_addlstring(&b, content.data, content.size_bytes);
        luaL_addstring(&b, "\r\n");
    }
    add_head(&b, "--", boundary, "--\r\n");
    luaL_pushresult(&b);
    lua_pushfstring(L, "multipart/form-data; boundary=%s", boundary);
    return 2;
}
