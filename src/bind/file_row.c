/* SPDX-License-Identifier: BSD-3-Clause */
/* What a row of products says of its file. In C, since a download reads each of its rows several
 * times: for the queue, for the request, and for every list that it leaves. */
#include "bind/file_row.h"

#include "bind/args.h"
#include "host/host.h"
#include "net/digest.h"
#include "net/download.h"

#include <lauxlib.h>

#include <strings.h>

enum { NAME_BYTES_MAX = 4096, DIGEST_DIGITS = 16, STACK_SLOTS = 8 };

/* Pushes a field of the row. */
static int push(lua_State *L, int index, const char *key)
{
    lua_pushstring(L, key);
    return lua_rawget(L, index);
}

/* The text of a field, if it is one and not empty, which the row keeps. */
static const char *text_of(lua_State *L, int index, const char *key)
{
    size_t n = 0;
    const char *text = push(L, index, key) == LUA_TSTRING ? lua_tolstring(L, -1, &n) : NULL;
    lua_pop(L, 1);
    return n ? text : NULL;
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
static bool is_of_links(lua_State *L, int index)
{
    static const char mark[] = "content=datalink";
    const char *kind = text_of(L, index, "access_format");
    if (!kind)
        kind = text_of(L, index, "content_type");
    for (; kind && *kind; kind++)
        if (!strncasecmp(kind, mark, sizeof mark - 1))
            return true;
    return false;
}

/* What records call an address: without its secrets, which may also be all that tells two files
 * apart, so with a digest of the whole. */
static const char *source_of(lua_State *L, const char *url)
{
    char sha256[HAL_SHA256_TEXT_SIZE];
    const char *copy = hal_redacted(L, url);
    if (copy == url)
        return url;
    hal_err err = HAL_ERR_INIT;
    if (hal_sha256_of(url, sha256, &err))
        hal_raise(L, &err);
    sha256[DIGEST_DIGITS] = '\0';
    lua_pushfstring(L, "%s#%s", copy, sha256);
    lua_remove(L, -2);
    return lua_tostring(L, -1);
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

/* `text` itself where it is safe, else what is pushed. */
static const char *safe(lua_State *L, const char *text)
{
    if (hal_is_safe_name(text))
        return text;
    hal_buf *out = hal_scratch(L, NAME_BYTES_MAX);
    hal_err err = HAL_ERR_INIT;
    if (hal_safe_name(out, text, &err))
        hal_raise(L, &err);
    lua_pushlstring(L, hal_buf_text(out), out->size_bytes);
    hal_buf_clear(out);
    lua_remove(L, -2);
    return lua_tostring(L, -1);
}

/* The last part of `text` that is not empty (text of a CGI may stand before it), made safe. */
static const char *safe_name_in(lua_State *L, const char *text)
{
    size_t n = strlen(text);
    while (n && text[n - 1] == '/')
        n--;
    size_t from = n;
    while (from && text[from - 1] != '/')
        from--;
    if (!n)
        return safe(L, text);
    return safe(L, text[n] ? lua_pushlstring(L, text + from, n - from) : text + from);
}

static int64_t size_of(lua_State *L, int index)
{
    int whole = 0;
    if (push(L, index, "size") == LUA_TNIL) {
        lua_pop(L, 1);
        push(L, index, "content_length");
    }
    lua_Integer size = lua_tointegerx(L, -1, &whole);
    lua_pop(L, 1);
    return whole && size > 0 ? size : -1;
}

static void read_sha256(lua_State *L, int index, char out[HAL_SHA256_TEXT_SIZE])
{
    const char *given = text_of(L, index, "sha256");
    out[0] = '\0';
    if (!given || strlen(given) != HAL_SHA256_TEXT_SIZE - 1 ||
        strspn(given, "0123456789abcdefABCDEF") != HAL_SHA256_TEXT_SIZE - 1)
        return;
    for (size_t i = 0; i < HAL_SHA256_TEXT_SIZE; i++)
        out[i] = (char)(given[i] >= 'A' && given[i] <= 'F' ? given[i] + ('a' - 'A') : given[i]);
}

bool hal_row_read(lua_State *L, int index, hal_row *out)
{
    if (!lua_istable(L, index))
        return false;
    luaL_checkstack(L, STACK_SLOTS, "row");
    push(L, index, "dataURI");
    bool is_uri = lua_toboolean(L, -1);
    lua_pop(L, 1);
    if (push(L, index, is_uri ? "dataURI" : "access_url") != LUA_TSTRING) {
        lua_pop(L, 1);
        return false;
    }
    size_t n;
    out->address = lua_tolstring(L, -1, &n);
    lua_pop(L, 1);
    out->is_direct = !is_uri;
    out->host = is_uri ? hal_slice_of("mast") : host_of(out->address);
    if (!n || strlen(out->address) != n || !out->host.size_bytes ||
        (!is_uri && is_of_links(L, index)))
        return false;
    out->source = source_of(L, out->address);
    const char *name = text_of(L, index, "productFilename");
    if (!name)
        name = is_uri ? out->source : name_at_end(out->source, host_of(out->source).data);
    out->name = name ? safe_name_in(L, name) : NULL;
    out->size_bytes = size_of(L, index);
    read_sha256(L, index, out->sha256);
    return true;
}

void hal_row_check_host(lua_State *L, const hal_row *row, int i_hosts)
{
    luaL_checktype(L, i_hosts, LUA_TTABLE);
    lua_pushlstring(L, row->host.data, row->host.size_bytes);
    bool known = lua_rawget(L, i_hosts) != LUA_TNIL;
    lua_pop(L, 1);
    if (!known)
        hal_bind_fail(L, HAL_E_PERMISSION, "a row was changed to %s while files were being fetched",
                      row->source);
}

static char *put_component(lua_State *L, char *to, const char *name)
{
    size_t n = strlen(name);
    if (n > HAL_COMPONENT_MAX_BYTES)
        hal_bind_fail(L, HAL_E_USAGE, "a file name has at most %d bytes", HAL_COMPONENT_MAX_BYTES);
    memcpy(to, name, n);
    return to + n;
}

/* A column of the row, made safe. */
static const char *component(lua_State *L, int index, const char *key)
{
    push(L, index, key);
    const char *text = lua_toboolean(L, -1) ? hal_arg_text(L, lua_gettop(L), key) : "unknown";
    lua_pop(L, 1);
    return safe(L, text);
}

void hal_row_place(lua_State *L, int index, const char *name, bool flat,
                   char out[HAL_ROW_PLACE_SIZE])
{
    int top = lua_gettop(L);
    char *to = out;
    if (!name)
        hal_bind_fail(L, HAL_E_USAGE, "the row tells no name of its file");
    if (!flat) {
        to = put_component(L, to, component(L, index, "obs_collection"));
        *to++ = '/';
        to = put_component(L, to, component(L, index, "obs_id"));
        *to++ = '/';
        lua_settop(L, top);
    }
    *put_component(L, to, name) = '\0';
}

int hal_file_row(lua_State *L)
{
    hal_row row;
    lua_settop(L, 2);
    if (!hal_row_read(L, 1, &row))
        return 0;
    if (!lua_isnil(L, 2))
        hal_row_check_host(L, &row, 2);
    lua_pushstring(L, row.address);
    lua_pushboolean(L, row.is_direct);
    lua_pushstring(L, row.source);
    lua_pushlstring(L, row.host.data, row.host.size_bytes);
    lua_pushstring(L, row.name);
    if (row.size_bytes < 0)
        lua_pushnil(L);
    else
        lua_pushinteger(L, row.size_bytes);
    lua_pushstring(L, row.sha256[0] ? row.sha256 : NULL);
    return 7;
}

int hal_file_place(lua_State *L)
{
    char place[HAL_ROW_PLACE_SIZE];
    luaL_checktype(L, 1, LUA_TTABLE);
    const char *name = lua_isnil(L, 2) ? NULL : hal_arg_text(L, 2, "place: name");
    hal_row_place(L, 1, name, lua_toboolean(L, 3), place);
    lua_pushstring(L, place);
    return 1;
}
