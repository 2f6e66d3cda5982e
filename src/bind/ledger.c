/* SPDX-License-Identifier: BSD-3-Clause */
/* halyard.core.ledger: what a tiled query was told, on disk. */
#include "bind/bind.h"

#include "bind/args.h"
#include "host/host.h"
#include "journal/ledger.h"

#include <lauxlib.h>

#include <string.h>

static const char ledger_name[] = "halyard.ledger";

static hal_ledger *self(lua_State *L)
{
    hal_ledger **slot = luaL_testudata(L, 1, ledger_name);
    if (!slot)
        hal_bind_fail(L, HAL_E_USAGE, "a ledger is needed here, not %s", luaL_typename(L, 1));
    if (!*slot)
        hal_bind_fail(L, HAL_E_USAGE, "the ledger is closed");
    return *slot;
}

/* open(folder, anew) -> ledger; the folder is made below the output folder */
static int open_ledger(lua_State *L)
{
    const char *name = hal_arg_text(L, 1, "ledger.open: folder");
    bool anew = lua_toboolean(L, 2);
    const char *folder = hal_output_folder(L, name);
    hal_ledger **slot = lua_newuserdatauv(L, sizeof *slot, 0);
    *slot = NULL;
    luaL_setmetatable(L, ledger_name);
    hal_err err = HAL_ERR_INIT;
    if (!(*slot = hal_ledger_open(folder, anew, &err)))
        return hal_raise(L, &err);
    return 1;
}

static int ledger_close(lua_State *L)
{
    hal_ledger **slot = luaL_checkudata(L, 1, ledger_name);
    hal_ledger *l = *slot;
    *slot = NULL;
    hal_ledger_close(l);
    return 0;
}

/* remove(): closes it and removes its folder */
static int ledger_remove(lua_State *L)
{
    hal_ledger *l = self(L);
    *(hal_ledger **)lua_touserdata(L, 1) = NULL;
    hal_ledger_remove(l);
    return 0;
}

/* begin{service =, region =, columns =, query =, capabilities =}: raises `usage` when an earlier
 * run asked for something else */
static int ledger_begin(lua_State *L)
{
    hal_ledger *l = self(L);
    static const char *const known[] = {"service", "region",       "columns",
                                        "query",   "capabilities", NULL};
    hal_options_check(L, 2, known, "ledger:begin");
    hal_ledger_job job = {hal_option_text(L, 2, "service", ""), hal_option_text(L, 2, "region", ""),
                          hal_option_text(L, 2, "columns", ""), hal_option_text(L, 2, "query", ""),
                          hal_option_text(L, 2, "capabilities", "")};
    hal_err err = HAL_ERR_INIT;
    if (hal_ledger_begin(l, &job, &err))
        return hal_raise(L, &err);
    return 0;
}

/* inputs() -> text or nil; inputs(text) sets them */
static int ledger_inputs(lua_State *L)
{
    hal_ledger *l = self(L);
    hal_err err = HAL_ERR_INIT;
    if (lua_isnoneornil(L, 2)) {
        lua_pushstring(L, hal_ledger_inputs(l));
        return 1;
    }
    if (hal_ledger_set_inputs(l, hal_arg_text(L, 2, "inputs: text"), &err))
        return hal_raise(L, &err);
    return 0;
}

/* extent() -> {answers, pending, last_file, began, ended} */
static int ledger_extent(lua_State *L)
{
    hal_ledger_extent e;
    hal_err err = HAL_ERR_INIT;
    if (hal_ledger_extent_of(self(L), &e, &err))
        return hal_raise(L, &err);
    lua_createtable(L, 0, 5);
    hal_set_integer(L, "answers", (int64_t)e.n_answers);
    hal_set_integer(L, "pending", (int64_t)e.n_pending);
    hal_set_integer(L, "last_file", (int64_t)e.last_file);
    hal_set_number(L, "began", e.began);
    hal_set_number(L, "ended", e.ended);
    return 1;
}

static const char *const kinds[] = {[HAL_LEDGER_NONE] = "none",
                                    [HAL_LEDGER_DONE] = "done",
                                    [HAL_LEDGER_TOLD] = "told",
                                    [HAL_LEDGER_OVER] = "over"};

static uint64_t count_of(lua_State *L, const char *key)
{
    return (uint64_t)hal_option_integer(L, 2, key, 0);
}

/* put{kind =, node =, attempt =, text =, ...}: the fields of hal_ledger_record by their names in
 * harvest:tile */
static int ledger_put(lua_State *L)
{
    hal_ledger *l = self(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    const char *kind = hal_option_text(L, 2, "kind", "");
    hal_ledger_record r = {
        .node = hal_option_text(L, 2, "node", ""),
        .attempt = hal_option_integer(L, 2, "attempt", 0),
        .text = hal_option_text(L, 2, "text", ""),
        .n_returned = count_of(L, "returned"),
        .n_kept = count_of(L, "kept"),
        .overshoot_deg = hal_option_number(L, 2, "overshoot_deg", 0.0),
        .printed_deg = hal_option_number(L, 2, "printed_deg", 0.0),
        .kept_bytes = count_of(L, "kept_bytes"),
        .answer_bytes = count_of(L, "answer_bytes"),
        .file = count_of(L, "file"),
        .file_bytes = count_of(L, "file_bytes"),
        .began = hal_option_number(L, 2, "began", 0.0),
        .ended = hal_option_number(L, 2, "ended", 0.0),
        .n_pending = count_of(L, "pending"),
    };
    for (int i = HAL_LEDGER_DONE; i <= HAL_LEDGER_OVER; i++)
        if (!strcmp(kind, kinds[i]))
            r.kind = (hal_ledger_kind)i;
    if (!r.kind || !r.node[0])
        return hal_bind_fail(L, HAL_E_USAGE, "ledger:put: kind and node are needed");
    hal_err err = HAL_ERR_INIT;
    if (hal_ledger_put(l, &r, &err))
        return hal_raise(L, &err);
    return 0;
}

/* find(node, attempt) -> record as for put, or nil */
static int ledger_find(lua_State *L)
{
    hal_ledger *l = self(L);
    const char *node = hal_arg_text(L, 2, "find: node");
    hal_ledger_record r;
    hal_err err = HAL_ERR_INIT;
    if (hal_ledger_find(l, node, hal_arg_integer(L, 3, "find: attempt"), &r, &err))
        return hal_raise(L, &err);
    if (!r.kind)
        return 0;
    lua_createtable(L, 0, 12);
    hal_set_text(L, "kind", kinds[r.kind]);
    hal_set_text(L, "text", r.text);
    hal_set_integer(L, "returned", (int64_t)r.n_returned);
    hal_set_integer(L, "kept", (int64_t)r.n_kept);
    hal_set_number(L, "overshoot_deg", r.overshoot_deg);
    hal_set_number(L, "printed_deg", r.printed_deg);
    hal_set_integer(L, "kept_bytes", (int64_t)r.kept_bytes);
    hal_set_integer(L, "answer_bytes", (int64_t)r.answer_bytes);
    hal_set_integer(L, "file", (int64_t)r.file);
    hal_set_integer(L, "file_bytes", (int64_t)r.file_bytes);
    hal_set_number(L, "began", r.began);
    hal_set_number(L, "ended", r.ended);
    return 1;
}

/* finish(state): see hal_ledger_finish */
static int ledger_finish(lua_State *L)
{
    hal_err err = HAL_ERR_INIT;
    if (hal_ledger_finish(self(L), hal_arg_text(L, 2, "finish: state"), &err))
        return hal_raise(L, &err);
    return 0;
}

static int ledger_tostring(lua_State *L)
{
    hal_ledger **slot = luaL_checkudata(L, 1, ledger_name);
    lua_pushstring(L, *slot ? "ledger" : "ledger (closed)");
    return 1;
}

int hal_open_ledger(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"begin", ledger_begin},   {"inputs", ledger_inputs}, {"extent", ledger_extent},
        {"put", ledger_put},       {"find", ledger_find},     {"finish", ledger_finish},
        {"remove", ledger_remove}, {"close", ledger_close},   {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__gc", ledger_close},
                                    {"__close", ledger_close},
                                    {"__tostring", ledger_tostring},
                                    {NULL, NULL}};
    static const luaL_Reg functions[] = {{"open", open_ledger}, {NULL, NULL}};
    if (luaL_newmetatable(L, ledger_name)) {
        luaL_setfuncs(L, meta, 0);
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
        hal_set_text(L, "__metatable", ledger_name);
    }
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
