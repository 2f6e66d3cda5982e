/* SPDX-License-Identifier: BSD-3-Clause */
#include "practice/script.h"

#include "practice/script_private.h"

#include "base/alloc.h"
#include "base/module.h"

#include <lauxlib.h>
#include <lualib.h>

static int open_module(lua_State *L)
{
    const hal_module *m = lua_touserdata(L, lua_upvalueindex(1));
    if (luaL_loadbufferx(L, m->code, m->size_bytes, m->name, "b"))
        return lua_error(L);
    lua_call(L, 0, 1);
    return 1;
}

static int open_all(lua_State *L)
{
    hal_script *s = lua_touserdata(L, 1);
    static const luaL_Reg libraries[] = {
        {LUA_GNAME, luaopen_base},        {LUA_LOADLIBNAME, luaopen_package},
        {LUA_STRLIBNAME, luaopen_string}, {LUA_TABLIBNAME, luaopen_table},
        {LUA_MATHLIBNAME, luaopen_math},  {LUA_UTF8LIBNAME, luaopen_utf8},
        {LUA_OSLIBNAME, luaopen_os},      {LUA_COLIBNAME, luaopen_coroutine},
    };
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
        lua_pop(L, 1);
    }
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    for (const hal_module *m = hal_practice_modules; m->name; m++) {
        lua_pushlightuserdata(L, (void *)(uintptr_t)m);
        lua_pushcclosure(L, open_module, 1);
        lua_setfield(L, -2, m->name);
    }
    lua_pushlightuserdata(L, s);
    lua_pushcclosure(L, hal_script_open_core, 1);
    lua_setfield(L, -2, "practice.core");
    lua_getglobal(L, "require");
    lua_pushliteral(L, "practice.json");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "null");
    s->null = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "practice");
    lua_call(L, 1, 1);
    s->module = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

/* ---- calls: every function of the module that words answers runs as a coroutine, and yields where
 * it wants rows ---- */

typedef struct call {
    hal_script *script;
    const char *name; /* of the function */
    const hal_request *request;
    uint64_t id, total, rows, bytes;
    int http_status;
    const char *failure, *result;
    hal_answer *out;
    hal_buf *line;
    /* the coroutine and the rows it waits for */
    int thread; /* reference */
    bool waits;
    hal_sql *sql;
    uint64_t rows_max;
    hal_row_list list;
    hal_err sql_failure;
} call;

static void get_function(lua_State *L, const call *c)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->script->module);
    lua_getfield(L, -1, c->name);
    lua_remove(L, -2);
}

static void push_pairs(lua_State *L, const char *key, const hal_pair *pairs, size_t n)
{
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_createtable(L, 2, 0);
        lua_pushstring(L, pairs[i].name);
        lua_rawseti(L, -2, 1);
        lua_pushstring(L, pairs[i].value ? pairs[i].value : "");
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, key);
}

static int push_request(lua_State *L, const hal_request *r)
{
    lua_createtable(L, 0, 12);
    lua_pushinteger(L, (lua_Integer)r->id);
    lua_setfield(L, -2, "id");
    lua_pushinteger(L, r->simultaneous);
    lua_setfield(L, -2, "simultaneous");
    hal_script_set_text(L, "method", r->method);
    hal_script_set_text(L, "path", r->path);
    lua_pushlstring(L, r->body.data ? r->body.data : "", r->body.size_bytes);
    lua_setfield(L, -2, "body");
    push_pairs(L, "arguments", r->arguments, r->n_arguments);
    push_pairs(L, "headers", r->headers, r->n_headers);
    return 1;
}

static int push_arguments(lua_State *L, const call *c)
{
    if (c->request)
        return push_request(L, c->request);
    lua_pushinteger(L, (lua_Integer)c->id);
    lua_pushinteger(L, (lua_Integer)c->total);
    lua_pushstring(L, c->failure);
    return 3;
}

/* The coroutine yielded what it asks, a table on top: sql, params, views, tables, seconds, max. */
static void take_question(lua_State *L, call *c)
{
    luaL_checktype(L, -1, LUA_TTABLE);
    lua_getfield(L, -1, "max");
    c->rows_max = (uint64_t)luaL_checkinteger(L, -1);
    lua_pop(L, 1);
    hal_sql_free(c->sql);
    c->sql = NULL;
    c->sql_failure = HAL_ERR_INIT;
    hal_row_list_clear(&c->list);
    hal_script_take_sql(c->script, L, &c->sql, &c->sql_failure);
    c->waits = true;
}

/* Starts the coroutine, or goes on with it. */
static int resume_in(lua_State *L)
{
    call *c = lua_touserdata(L, 1);
    lua_State *co;
    int n, n_results;
    bool begins = !c->waits;
    if (begins) {
        co = lua_newthread(L);
        c->thread = luaL_ref(L, LUA_REGISTRYINDEX);
        get_function(L, c);
        n = push_arguments(L, c);
    } else {
        lua_rawgeti(L, LUA_REGISTRYINDEX, c->thread);
        co = lua_tothread(L, -1);
        lua_pop(L, 1);
        if (c->sql_failure.status) {
            lua_pushnil(L);
            lua_pushstring(L, c->sql_failure.text);
            n = 2;
        } else {
            hal_row_list_push(c->script, L, &c->list, c->sql);
            n = 3;
        }
    }
    c->waits = false;
    luaL_checkstack(co, n + 1, NULL);
    lua_xmove(L, co, n + begins);
    int status = lua_resume(co, L, n, &n_results);
    if (status != LUA_OK && status != LUA_YIELD) {
        luaL_traceback(L, co, lua_tostring(co, -1), 0);
        lua_resetthread(co);
        return lua_error(L);
    }
    lua_settop(co, lua_gettop(co) - n_results + (n_results > 0));
    luaL_argcheck(L, n_results > 0, 1, "a dialect has no answer");
    lua_xmove(co, L, 1);
    if (status == LUA_YIELD)
        take_question(L, c);
    else
        hal_script_take_answer(c->script, L, c->out);
    return 0;
}

static int done_in(lua_State *L)
{
    call *c = lua_touserdata(L, 1);
    get_function(L, c);
    lua_pushinteger(L, (lua_Integer)c->id);
    lua_createtable(L, 0, 4);
    hal_script_set_text(L, "result", c->result);
    lua_pushinteger(L, c->http_status);
    lua_setfield(L, -2, "http_status");
    lua_pushinteger(L, (lua_Integer)c->rows);
    lua_setfield(L, -2, "rows");
    lua_pushinteger(L, (lua_Integer)c->bytes);
    lua_setfield(L, -2, "bytes");
    lua_call(L, 2, 1);
    size_t n;
    const char *line = lua_tolstring(L, -1, &n);
    if (c->line && line && hal_buf_append(c->line, line, n, NULL))
        return luaL_error(L, "no memory");
    return 0;
}

static hal_status run(hal_script *s, lua_CFunction f, call *c, hal_err *err)
{
    hal_status st = HAL_OK;
    c->script = s;
    pthread_mutex_lock(&s->lock);
    lua_pushcfunction(s->L, f);
    lua_pushlightuserdata(s->L, c);
    if (lua_pcall(s->L, 1, 0, 0)) {
        const char *text = lua_tostring(s->L, -1);
        st = hal_err_set(err, HAL_E_INTERNAL, "%s", text ? text : "error in a dialect");
        c->waits = false;
    }
    lua_settop(s->L, 0);
    if (!c->waits)
        luaL_unref(s->L, LUA_REGISTRYINDEX, c->thread);
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* Runs a function that words an answer; its statements run outside the lock. */
static hal_status converse(hal_script *s, call *c, hal_err *err)
{
    c->thread = LUA_NOREF;
    hal_status st = run(s, resume_in, c, err);
    while (!st && c->waits) {
        if (!c->sql_failure.status)
            (void)!hal_row_list_read(&c->list, c->sql, c->rows_max, &c->sql_failure);
        st = run(s, resume_in, c, err);
    }
    hal_row_list_clear(&c->list);
    hal_sql_free(c->sql);
    return st;
}

hal_script *hal_script_new(hal_sky *sky, const hal_practice_options *o, hal_err *err)
{
    hal_script *s = hal_calloc(1, sizeof *s);
    if (!s) {
        hal_err_nomem(err, sizeof *s);
        return NULL;
    }
    s->sky = sky;
    s->options = o;
    pthread_mutex_init(&s->lock, NULL);
    s->L = luaL_newstate();
    if (!s->L) {
        hal_err_nomem(err, 0);
        hal_script_free(s);
        return NULL;
    }
    lua_pushcfunction(s->L, open_all);
    lua_pushlightuserdata(s->L, s);
    if (lua_pcall(s->L, 1, 0, 0)) {
        hal_err_set(err, HAL_E_USAGE, "%s", lua_tostring(s->L, -1));
        hal_script_free(s);
        return NULL;
    }
    return s;
}

void hal_script_free(hal_script *s)
{
    if (!s)
        return;
    if (s->L)
        lua_close(s->L);
    pthread_mutex_destroy(&s->lock);
    hal_free(s);
}

hal_status hal_script_serve(hal_script *s, const hal_request *r, hal_answer *out, hal_err *err)
{
    call c = {.name = "serve", .request = r, .out = out};
    return converse(s, &c, err);
}

hal_status hal_script_finish(hal_script *s, uint64_t request_id, uint64_t total,
                             const char *failure, hal_answer *out, hal_err *err)
{
    call c = {.name = "finish", .id = request_id, .total = total, .failure = failure, .out = out};
    return converse(s, &c, err);
}

hal_status hal_script_failed(hal_script *s, uint64_t request_id, const char *message,
                             hal_answer *out, hal_err *err)
{
    call c = {.name = "failed", .id = request_id, .failure = message, .out = out};
    return converse(s, &c, err);
}

void hal_script_done(hal_script *s, uint64_t request_id, int http_status, uint64_t rows,
                     uint64_t bytes, const char *result, hal_buf *log_line)
{
    call c = {.name = "done",
              .id = request_id,
              .http_status = http_status,
              .rows = rows,
              .bytes = bytes,
              .result = result,
              .line = log_line,
              .thread = LUA_NOREF};
    hal_err err = HAL_ERR_INIT;
    if (run(s, done_in, &c, &err) && log_line)
        (void)!hal_buf_puts(log_line, err.text, NULL);
}
