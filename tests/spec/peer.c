/* SPDX-License-Identifier: BSD-3-Clause */
/* halyard.test.peer for specs: a loopback server that plays scripted replies, and settings of the
 * host under test. */
#include "../unit/support/raw_server.h"
#include "host/host.h"

#include <lauxlib.h>

#include <stdlib.h>
#include <string.h>

int hal_open_test_peer(lua_State *L);

enum { REPLIES_MAX = 64 };

typedef struct peer {
    raw_server *server;
    raw_reply replies[REPLIES_MAX]; /* their bytes are held by the user value */
    const char *asked[REPLIES_MAX]; /* as are these */
    size_t n_replies;
} peer;

/* The first reply whose word is in the request; nothing and an end when there is none. */
static raw_reply by_word(void *ctx, int i, const char *request)
{
    const peer *p = ctx;
    (void)i;
    for (size_t k = 0; k < p->n_replies; k++)
        if (strstr(request, p->asked[k]))
            return p->replies[k];
    return (raw_reply){.end = RAW_CLOSE};
}

static int peer_stop(lua_State *L)
{
    peer *p = luaL_checkudata(L, 1, "halyard.test.peer");
    if (p->server)
        raw_server_stop(p->server);
    p->server = NULL;
    return 0;
}

/* serve{ {bytes, "close" | "keep" | "reset" | "hold"}, ... }: one after another; where each has a
 * third item, a text, the first of those whose text is in the request. */
static int serve(lua_State *L)
{
    static const char *const ends[] = {"keep", "close", "reset", "hold", NULL};
    luaL_checktype(L, 1, LUA_TTABLE);
    size_t n = lua_rawlen(L, 1);
    luaL_argcheck(L, n > 0 && n <= REPLIES_MAX, 1, "1 to 64 replies");
    peer *p = lua_newuserdatauv(L, sizeof *p, 1);
    p->server = NULL;
    p->n_replies = n;
    luaL_setmetatable(L, "halyard.test.peer");
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        lua_rawgeti(L, -3, 3);
        p->replies[i].bytes = luaL_checklstring(L, -3, &p->replies[i].n_bytes);
        p->replies[i].end = (raw_end)luaL_checkoption(L, -2, "close", ends);
        p->asked[i] = luaL_optstring(L, -1, NULL);
        luaL_argcheck(L, !p->asked[0] == !p->asked[i], 1, "a word for each reply or for none");
        lua_pop(L, 4);
    }
    p->server = p->asked[0] ? raw_server_start_with(by_word, p) : raw_server_start(p->replies, n);
    return p->server ? 1 : luaL_error(L, "no server");
}

static raw_server *server_of(lua_State *L)
{
    peer *p = luaL_checkudata(L, 1, "halyard.test.peer");
    luaL_argcheck(L, p->server, 1, "stopped");
    return p->server;
}

static int peer_port(lua_State *L)
{
    lua_pushinteger(L, raw_server_port(server_of(L)));
    return 1;
}

static int peer_requests(lua_State *L)
{
    lua_pushinteger(L, raw_server_requests(server_of(L)));
    return 1;
}

static int peer_request(lua_State *L)
{
    lua_pushstring(L, raw_server_request(server_of(L), (int)luaL_checkinteger(L, 2) - 1));
    return 1;
}

static int set(lua_State *L)
{
    hal_err err = HAL_ERR_INIT;
    if (hal_host_set(hal_host_of(L), luaL_checkstring(L, 1), luaL_optstring(L, 2, NULL), &err))
        return hal_raise(L, &err);
    return 0;
}

/* env(name, value or nil) */
static int env(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1), *value = luaL_optstring(L, 2, NULL);
    return (value ? setenv(name, value, 1) : unsetenv(name)) ? luaL_error(L, "no environment") : 0;
}

int hal_open_test_peer(lua_State *L)
{
    static const luaL_Reg methods[] = {{"port", peer_port},
                                       {"requests", peer_requests},
                                       {"request", peer_request},
                                       {"stop", peer_stop},
                                       {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"serve", serve}, {"set", set}, {"env", env}, {NULL, NULL}};
    luaL_newmetatable(L, "halyard.test.peer");
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, peer_stop);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, peer_stop);
    lua_setfield(L, -2, "__close");
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
