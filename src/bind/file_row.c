/* SPDX-License-Identifier: BSD-3-Clause */
/* What a row of products says of its file. In C, since a download reads each of its rows several
 * times: for the queue, for the request, and for every list that it leaves. */
#include "bind/file_row.h"

#include "base/redact.h"
#include "bind/args.h"
#include "host/host.h"
#include "net/digest.h"
#include "net/download.h"

#include <lauxlib.h>

#include <strings.h>

enum { ROW = 1, NAME_BYTES_MAX = 4096, DIGEST_DIGITS = 16 };

/* Pushes a field of the row. */
static int push(lua_State *L, const char *key)
{
    lua_pushstring(L, key);
    return lua_rawget(L, ROW);
}

static bool is_text(lua_State *L, int index)
{
    return lua_type(L, index) == LUA_TSTRING && lua_rawlen(L, index) > 0;
}

/* "host[:port]" of an address of the web; empty when it is none. */
static hal_slice host_of(const char *url)
{
    size_t n = strncmp(url, "http", 4) != 0 ? 0 : url[4] == 's' ? 5 : 4;
    if (!n || strncmp(url + n, "://", 3) != 0)
        return (hal_slice){0};
    return (hal_slice){url + n + 3, strcspn(url + n + 3, "/?#")};
}

/* A document of links (DataLink 1.0), which stands for files but is none. */
static bool is_of_links(lua_State *L)
{
    static const char mark[] = "content=datalink";
    if (push(L, "access_format") == LUA_TNIL) {
        lua_pop(L, 1);
        push(L, "content_type");
    }
    const char *kind = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    bool found = false;
    for (; *kind && !found; kind++)
        found = !strncasecmp(kind, mark, sizeof mark - 1);
    lua_pop(L, 1);
    return found;
}

/* Pushes what records call an address: without its secrets, which may also be all that tells two
 * files apart, so with a digest of the whole. */
static void push_source(lua_State *L, int i_url)
{
    char sha256[HAL_SHA256_TEXT_SIZE];
    size_t n;
    const char *url = lua_tolstring(L, i_url, &n);
    if (!hal_redact_needed(url)) {
        lua_pushvalue(L, i_url);
        return;
    }
    char *copy = lua_newuserdatauv(L, n + 1, 0);
    memcpy(copy, url, n + 1);
    hal_redact(copy);
    hal_err err = HAL_ERR_INIT;
    if (hal_sha256_of(url, sha256, &err))
        hal_raise(L, &err);
    sha256[DIGEST_DIGITS] = '\0';
    lua_pushfstring(L, "%s#%s", copy, sha256);
    lua_remove(L, -2);
}

/* The file's name at the end of an address that has no arguments; NULL: none is there. */
static const char *name_at_end(const char *url, const char *host)
{
    const char *slash = strrchr(host, '/'), *dot = strrchr(url, '.');
    if (!slash || dot <= slash + 1 || !dot[1] || url[strcspn(url, "?#")] || strchr(slash, '='))
        return NULL;
    for (const char *p = dot + 1; *p; p++)
        if (!((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')))
            return NULL;
    return slash + 1;
}

/* Pushes the last part of `text` that is not empty (text of a CGI may stand before it), made safe.
 */
static void push_safe_name(lua_State *L, const char *text)
{
    size_t n = strlen(text);
    while (n && text[n - 1] == '/')
        n--;
    size_t from = n;
    while (from && text[from - 1] != '/')
        from--;
    const char *name = n ? lua_pushlstring(L, text + from, n - from) : lua_pushstring(L, text);
    if (hal_is_safe_name(name))
        return;
    hal_buf *out = hal_scratch(L, NAME_BYTES_MAX);
    hal_err err = HAL_ERR_INIT;
    if (hal_safe_name(out, name, &err))
        hal_raise(L, &err);
    lua_pushlstring(L, hal_buf_text(out), out->size_bytes);
    hal_buf_clear(out);
}

/* Pushes the size that the catalogue gives, or nil. */
static void push_size(lua_State *L)
{
    int whole = 0;
    if (push(L, "size") == LUA_TNIL)
        push(L, "content_length");
    lua_Integer size = lua_tointegerx(L, -1, &whole);
    if (whole && size > 0)
        lua_pushinteger(L, size);
    else
        lua_pushnil(L);
}

/* Pushes what the file must have, in lower case, or nil. */
static void push_sha256(lua_State *L)
{
    char text[HAL_SHA256_TEXT_SIZE];
    if (push(L, "sha256") != LUA_TSTRING || lua_rawlen(L, -1) != sizeof text - 1) {
        lua_pushnil(L);
        return;
    }
    const char *given = lua_tostring(L, -1);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(given[i] >= 'A' && given[i] <= 'F' ? given[i] + ('a' - 'A') : given[i]);
    if (strspn(text, "0123456789abcdef") == sizeof text - 1)
        lua_pushstring(L, text);
    else
        lua_pushnil(L);
}

int hal_file_row(lua_State *L)
{
    lua_settop(L, ROW);
    if (!lua_istable(L, ROW))
        return 0;
    luaL_checkstack(L, 24, "row");
    push(L, "dataURI");
    bool is_uri = lua_toboolean(L, -1);
    int i_address = ROW + 1;
    hal_slice host = {0};
    if (!is_uri) {
        push(L, "access_url");
        lua_replace(L, i_address);
    }
    if (!is_text(L, i_address) || strlen(lua_tostring(L, i_address)) != lua_rawlen(L, i_address))
        return 0;
    const char *address = lua_tostring(L, i_address);
    if (!is_uri && (!(host = host_of(address)).size_bytes || is_of_links(L)))
        return 0;
    push_source(L, i_address); /* 3 */
    const char *source = lua_tostring(L, -1), *name = NULL;
    push(L, "productFilename"); /* 4 */
    if (is_text(L, -1))
        name = lua_tostring(L, -1);
    else
        name = is_uri ? source : name_at_end(source, host_of(source).data);
    if (name)
        push_safe_name(L, name);
    else
        lua_pushnil(L);
    int i_name = lua_gettop(L);
    push_size(L);
    int i_size = lua_gettop(L);
    push_sha256(L);
    int i_sha256 = lua_gettop(L);
    lua_pushvalue(L, i_address);
    lua_pushboolean(L, !is_uri);
    lua_pushvalue(L, i_address + 1);
    if (is_uri)
        lua_pushliteral(L, "mast");
    else
        lua_pushlstring(L, host.data, host.size_bytes);
    lua_pushvalue(L, i_name);
    lua_pushvalue(L, i_size);
    lua_pushvalue(L, i_sha256);
    return 7;
}
