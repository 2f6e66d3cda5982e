/* SPDX-License-Identifier: BSD-3-Clause */
/* The globals of a guest script, built from an allow-list: a name that is not listed does not
 * exist. Every environment has library tables of its own, read-only; what loops in C in proportion
 * to an argument is range-checked. */
#include "host/guest.h"

#include "host/files.h"
#include "host/host.h"

#include <lauxlib.h>
#include <lualib.h>

#include <stdio.h>
#include <string.h>

enum { MODULE_MAX_BYTES = 1 << 20, MODULES_MAX = 100, MODULE_NAME_MAX = 100 };
#define ITEMS_MAX ((lua_Integer)1 << 26)

static int raise_usage(lua_State *L, const char *text)
{
    hal_err err = HAL_ERR_INIT;
    hal_err_set(&err, HAL_E_USAGE, "%s", text);
    return hal_raise(L, &err);
}

/* Read-only tables */

static int refuse_write(lua_State *L)
{
    return luaL_error(L, "this table is read-only");
}

static int readonly_pairs(lua_State *L)
{
    lua_getglobal(L, "next");
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushnil(L);
    return 3;
}

int hal_guest_readonly(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_newtable(L);
    lua_createtable(L, 0, 4);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, refuse_write);
    lua_setfield(L, -2, "__newindex");
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, readonly_pairs, 1);
    lua_setfield(L, -2, "__pairs");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    return 1;
}

/* Replacements of single functions. Wrappers hold the stock function as upvalue 1. */

static int call_stock(lua_State *L)
{
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static void check_room(lua_State *L, size_t bytes)
{
    hal_err err = HAL_ERR_INIT;
    if (hal_host_check_memory(L, bytes, &err))
        hal_raise(L, &err);
}

static int guest_rep(lua_State *L)
{
    size_t n_text, n_separator = 0;
    luaL_checklstring(L, 1, &n_text);
    lua_Integer n = luaL_checkinteger(L, 2);
    luaL_optlstring(L, 3, "", &n_separator);
    size_t each = n_text + n_separator;
    if (each == 0) {
        lua_pushliteral(L, ""); /* the stock function would count to n */
        return 1;
    }
    if (n > 0)
        check_room(L, (size_t)n > SIZE_MAX / each ? SIZE_MAX : (size_t)n * each);
    return call_stock(L);
}

/* A lying __len or a proxy would make the stock functions loop for ever. */
static void check_plain_table(lua_State *L, int index)
{
    luaL_checktype(L, index, LUA_TTABLE);
    if (luaL_getmetafield(L, index, "__len") != LUA_TNIL)
        raise_usage(L, "table functions do not take tables with a __len of their own");
    if (lua_rawlen(L, index) > (lua_Unsigned)ITEMS_MAX)
        raise_usage(L, "the table has more than 2^26 items");
}

static void check_range(lua_State *L, lua_Integer from, lua_Integer to)
{
    if (to >= from && (lua_Unsigned)to - (lua_Unsigned)from >= (lua_Unsigned)ITEMS_MAX)
        raise_usage(L, "the range has more than 2^26 items");
}

static int guest_table_function(lua_State *L)
{
    check_plain_table(L, 1);
    return call_stock(L);
}

static int guest_concat(lua_State *L)
{
    check_plain_table(L, 1);
    lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
    lua_Integer to = luaL_optinteger(L, 4, n);
    check_range(L, luaL_optinteger(L, 3, 1), to);
    size_t n_separator;
    luaL_optlstring(L, 2, "", &n_separator);
    if (n_separator > 0 && n > 0)
        check_room(L, n_separator > SIZE_MAX / (size_t)n ? SIZE_MAX : n_separator * (size_t)n);
    return call_stock(L);
}

static int guest_unpack(lua_State *L)
{
    check_plain_table(L, 1);
    check_range(L, luaL_optinteger(L, 2, 1), luaL_optinteger(L, 3, (lua_Integer)lua_rawlen(L, 1)));
    return call_stock(L);
}

static int guest_move(lua_State *L)
{
    check_plain_table(L, 1);
    if (!lua_isnoneornil(L, 5))
        check_plain_table(L, 5);
    check_range(L, luaL_checkinteger(L, 2), luaL_checkinteger(L, 3));
    return call_stock(L);
}

static int guest_setmetatable(lua_State *L)
{
    static const char *const refused[] = {"__gc", "__mode", NULL};
    if (lua_istable(L, 2))
        for (const char *const *name = refused; *name; name++) {
            lua_pushstring(L, *name);
            if (lua_rawget(L, 2) != LUA_TNIL)
                return luaL_error(L, "a metatable with %s is not allowed in a workflow", *name);
            lua_pop(L, 1);
        }
    return call_stock(L);
}

/* xpcall: the handler runs after unwinding, because hooks are off inside a message handler. */
static int xpcall_end(lua_State *L, int status, lua_KContext ctx)
{
    (void)ctx;
    if (status == LUA_OK || status == LUA_YIELD)
        return lua_gettop(L) - 1; /* handler, true, results */
    lua_pushboolean(L, 0);        /* handler, true, error, false */
    lua_replace(L, 2);
    lua_pushvalue(L, 1);
    lua_insert(L, 3);
    lua_callk(L, 1, LUA_MULTRET, 0, NULL);
    return lua_gettop(L) - 1;
}

static int guest_xpcall(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TFUNCTION);
    int n = lua_gettop(L);
    lua_pushvalue(L, 2); /* f, handler, args..., handler */
    lua_pushboolean(L, 1);
    lua_rotate(L, 3, 2); /* f, handler, handler, true, args... */
    lua_remove(L, 2);    /* f, handler, true, args... */
    lua_rotate(L, 1, -1);
    lua_insert(L, 3); /* handler, true, f, args... */
    int status = lua_pcallk(L, n - 2, LUA_MULTRET, 0, 0, xpcall_end);
    return xpcall_end(L, status, 0);
}

static int guest_collectgarbage(lua_State *L)
{
    if (strcmp(luaL_optstring(L, 1, "count"), "count") != 0)
        return luaL_error(L, "collectgarbage takes \"count\" only in a workflow");
    lua_pushnumber(L, lua_gc(L, LUA_GCCOUNT) + lua_gc(L, LUA_GCCOUNTB) / 1024.0);
    return 1;
}

static void log_arguments(lua_State *L, const char *level)
{
    int n = lua_gettop(L);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (int i = 1; i <= n; i++) {
        if (i > 1)
            luaL_addchar(&b, '\t');
        luaL_tolstring(L, i, NULL);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
    hal_host_log(hal_host_of(L), level, lua_tostring(L, -1));
}

static int guest_print(lua_State *L)
{
    log_arguments(L, "info");
    return 0;
}

static int guest_warn(lua_State *L)
{
    luaL_checkstring(L, 1);
    log_arguments(L, "warning");
    return 0;
}

/* Loading */

static int load_text(lua_State *L, const char *text, size_t n, const char *chunk, int i_env)
{
    i_env = lua_absindex(L, i_env);
    if (luaL_loadbufferx(L, text, n, chunk, "t") != LUA_OK) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    lua_pushvalue(L, i_env);
    lua_setupvalue(L, -2, 1);
    return 1;
}

int hal_guest_load(lua_State *L)
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    const char *chunk = luaL_checkstring(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    return load_text(L, text, n, chunk, 3);
}

/* load of guests; upvalue 1: their globals. */
static int guest_load(lua_State *L)
{
    lua_settop(L, 4);
    if (!lua_isstring(L, 1)) {
        luaL_checktype(L, 1, LUA_TFUNCTION);
        luaL_Buffer b;
        luaL_buffinit(L, &b);
        for (;;) {
            lua_pushvalue(L, 1);
            lua_call(L, 0, 1);
            size_t n = 0;
            if (!lua_isnil(L, -1) && !lua_isstring(L, -1))
                return luaL_error(L, "reader function must return a string");
            if (lua_isstring(L, -1))
                lua_tolstring(L, -1, &n);
            if (n == 0)
                break;
            luaL_addvalue(&b);
        }
        lua_pop(L, 1);
        luaL_pushresult(&b);
        lua_replace(L, 1);
    }
    size_t n;
    const char *text = lua_tolstring(L, 1, &n);
    const char *chunk = luaL_optstring(L, 2, "=(load)");
    if (lua_isnil(L, 4))
        return load_text(L, text, n, chunk, lua_upvalueindex(1));
    luaL_checktype(L, 4, LUA_TTABLE);
    return load_text(L, text, n, chunk, 4);
}

static bool is_module_name(const char *name)
{
    bool at_start = true;
    size_t n = 0;
    for (; *name; name++, n++) {
        bool letter =
            (*name >= 'A' && *name <= 'Z') || (*name >= 'a' && *name <= 'z') || *name == '_';
        bool digit = *name >= '0' && *name <= '9';
        if (*name == '.' ? at_start : !letter && !(digit && !at_start))
            return false;
        at_start = *name == '.';
    }
    return n > 0 && n <= MODULE_NAME_MAX && !at_start;
}

static bool is_public_module(const char *name)
{
    return !strcmp(name, "halyard") ||
           (!strncmp(name, "halyard.", 8) && strcmp(name, "halyard.core") != 0 &&
            strncmp(name, "halyard.core.", 13) != 0);
}

enum { UP_GLOBALS = 1, UP_FOLDER, UP_LOADED, UP_COUNT };

static int require_bundled(lua_State *L)
{
    lua_getglobal(L, "require");
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    if (lua_istable(L, -1)) {
        lua_pushcfunction(L, hal_guest_readonly);
        lua_insert(L, -2);
        lua_call(L, 1, 1);
    }
    return 1;
}

static int require_from_folder(lua_State *L, const char *name)
{
    lua_Integer count = lua_tointeger(L, lua_upvalueindex(UP_COUNT));
    if (count >= MODULES_MAX)
        return raise_usage(L, "a workflow may require at most 100 modules");
    lua_pushinteger(L, count + 1);
    lua_replace(L, lua_upvalueindex(UP_COUNT));
    const char *relative = luaL_gsub(L, name, ".", "/");
    const char *path =
        lua_pushfstring(L, "%s/%s.lua", lua_tostring(L, lua_upvalueindex(UP_FOLDER)), relative);
    hal_files_push_text(L, path, MODULE_MAX_BYTES);
    size_t n;
    const char *text = lua_tolstring(L, -1, &n);
    const char *chunk = lua_pushfstring(L, "@%s", path);
    if (load_text(L, text, n, chunk, lua_upvalueindex(UP_GLOBALS)) != 1)
        return lua_error(L);
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushboolean(L, 1);
    }
    return 1;
}

static int guest_require(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    lua_settop(L, 1);
    lua_pushvalue(L, 1);
    if (lua_rawget(L, lua_upvalueindex(UP_LOADED)) != LUA_TNIL)
        return 1;
    lua_settop(L, 1);
    if (!is_module_name(name))
        return luaL_error(L, "'%s' is not a module name", name);
    bool bundled = !strcmp(name, "halyard") || !strncmp(name, "halyard.", 8);
    if (bundled && !is_public_module(name))
        return luaL_error(L, "module '%s' is private to Halyard", name);
    if (!bundled && lua_isnil(L, lua_upvalueindex(UP_FOLDER)))
        return luaL_error(L, "module '%s' not found: this script has no folder", name);
    if (bundled)
        require_bundled(L);
    else
        require_from_folder(L, name);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, -2);
    lua_rawset(L, lua_upvalueindex(UP_LOADED));
    return 1;
}

static int undefined_global(lua_State *L)
{
    if (lua_type(L, 2) == LUA_TSTRING)
        return luaL_error(L, "undefined global '%s'", lua_tostring(L, 2));
    return luaL_error(L, "undefined global");
}

/* The allow-list */

typedef struct allowed {
    const char *name;
    lua_CFunction replacement; /* NULL: the stock function as it is */
} allowed;

static const allowed base_list[] = {{"assert", NULL},
                                    {"collectgarbage", guest_collectgarbage},
                                    {"error", NULL},
                                    {"getmetatable", NULL},
                                    {"ipairs", NULL},
                                    {"next", NULL},
                                    {"pairs", NULL},
                                    {"pcall", NULL},
                                    {"print", guest_print},
                                    {"rawequal", NULL},
                                    {"rawget", NULL},
                                    {"rawlen", NULL},
                                    {"rawset", NULL},
                                    {"select", NULL},
                                    {"setmetatable", guest_setmetatable},
                                    {"tonumber", NULL},
                                    {"tostring", NULL},
                                    {"type", NULL},
                                    {"warn", guest_warn},
                                    {"xpcall", guest_xpcall},
                                    {"_VERSION", NULL},
                                    {NULL, NULL}};
static const allowed string_list[] = {
    {"byte", NULL},     {"char", NULL},     {"find", NULL},    {"format", NULL}, {"gmatch", NULL},
    {"gsub", NULL},     {"len", NULL},      {"lower", NULL},   {"match", NULL},  {"pack", NULL},
    {"packsize", NULL}, {"rep", guest_rep}, {"reverse", NULL}, {"sub", NULL},    {"unpack", NULL},
    {"upper", NULL},    {NULL, NULL}};
static const allowed table_list[] = {{"concat", guest_concat},
                                     {"insert", guest_table_function},
                                     {"move", guest_move},
                                     {"pack", NULL},
                                     {"remove", guest_table_function},
                                     {"sort", guest_table_function},
                                     {"unpack", guest_unpack},
                                     {NULL, NULL}};
static const allowed math_list[] = {
    {"abs", NULL},        {"acos", NULL}, {"asin", NULL}, {"atan", NULL},       {"ceil", NULL},
    {"cos", NULL},        {"deg", NULL},  {"exp", NULL},  {"floor", NULL},      {"fmod", NULL},
    {"huge", NULL},       {"log", NULL},  {"max", NULL},  {"maxinteger", NULL}, {"min", NULL},
    {"mininteger", NULL}, {"modf", NULL}, {"pi", NULL},   {"rad", NULL},        {"random", NULL},
    {"randomseed", NULL}, {"sin", NULL},  {"sqrt", NULL}, {"tan", NULL},        {"tointeger", NULL},
    {"type", NULL},       {"ult", NULL},  {NULL, NULL}};
static const allowed utf8_list[] = {{"char", NULL},  {"charpattern", NULL}, {"codepoint", NULL},
                                    {"codes", NULL}, {"len", NULL},         {"offset", NULL},
                                    {NULL, NULL}};
static const allowed coroutine_list[] = {{"close", NULL},  {"create", NULL},  {"isyieldable", NULL},
                                         {"resume", NULL}, {"running", NULL}, {"status", NULL},
                                         {"wrap", NULL},   {"yield", NULL},   {NULL, NULL}};
static const allowed os_list[] = {
    {"clock", NULL}, {"date", NULL}, {"difftime", NULL}, {"time", NULL}, {NULL, NULL}};

/* Copies the listed names of the table at i_from to the table on top. */
static void copy_listed(lua_State *L, int i_from, const allowed *list)
{
    i_from = lua_absindex(L, i_from);
    for (const allowed *a = list; a->name; a++) {
        lua_getfield(L, i_from, a->name);
        if (a->replacement)
            lua_pushcclosure(L, a->replacement, 1);
        lua_setfield(L, -2, a->name);
    }
}

int hal_guest_environment(lua_State *L)
{
    static const struct {
        const char *name;
        const allowed *list;
    } libraries[] = {{"string", string_list}, {"table", table_list},         {"math", math_list},
                     {"utf8", utf8_list},     {"coroutine", coroutine_list}, {"os", os_list}};
    if (!lua_isnoneornil(L, 1))
        luaL_checkstring(L, 1);
    lua_settop(L, 1);                                    /* folder */
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS); /* 2 */
    lua_newtable(L);                                     /* 3: the environment */
    copy_listed(L, 2, base_list);
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        lua_pushcfunction(L, hal_guest_readonly);
        lua_getfield(L, 2, libraries[i].name);
        lua_newtable(L);
        copy_listed(L, lua_gettop(L) - 1, libraries[i].list);
        lua_remove(L, -2);
        lua_call(L, 1, 1);
        lua_setfield(L, 3, libraries[i].name);
    }
    lua_pushvalue(L, 3);
    lua_pushcclosure(L, guest_load, 1);
    lua_setfield(L, 3, "load");
    lua_pushvalue(L, 3);
    lua_pushvalue(L, 1);
    lua_newtable(L);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, guest_require, 4);
    lua_setfield(L, 3, "require");
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, undefined_global);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, 3);
    return 1;
}

void hal_guest_replace_string_methods(lua_State *L)
{
    lua_getglobal(L, LUA_STRLIBNAME);
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_newtable(L);
    copy_listed(L, -4, string_list);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 3);
}
