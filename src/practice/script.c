/* SPDX-License-Identifier: BSD-3-Clause */
#include "practice/script.h"

#include "practice/caom.h"

#include "base/alloc.h"
#include "base/module.h"
#include "sky/angle.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <math.h>
#include <pthread.h>

struct hal_script {
    lua_State *L;
    pthread_mutex_t lock;
    hal_sky *sky;
    const hal_practice_options *options;
    int module; /* reference of lua/practice/init.lua's table */
};

enum { FILTERS_MAX = 200, VALUES_MAX = 10000, OBSIDS_MAX = 5000 };

void hal_answer_clear(hal_answer *a)
{
    hal_free(a->content_type);
    hal_free(a->retry_after);
    hal_free(a->body);
    hal_free(a->tail);
    hal_free(a->fault);
    for (size_t i = 0; i < a->n_pick; i++)
        hal_free(a->keys[i]);
    hal_query_clear(&a->query);
    *a = (hal_answer){0};
}

/* ---- practice.core, what Lua may ask of C ---- */

static hal_script *script_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

static void set_text(lua_State *L, const char *key, const char *value)
{
    if (value) {
        lua_pushstring(L, value);
        lua_setfield(L, -2, key);
    }
}

static int core_columns(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    hal_catalog catalog = hal_catalog_find(name);
    if (catalog == HAL_CATALOG_COUNT)
        return luaL_error(L, "no catalogue %s", name);
    size_t n;
    const hal_practice_column *columns = hal_catalog_columns(catalog, &n);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_createtable(L, 0, 7);
        set_text(L, "name", columns[i].name);
        set_text(L, "type", columns[i].type);
        set_text(L, "unit", columns[i].unit);
        set_text(L, "ucd", columns[i].ucd);
        set_text(L, "description", columns[i].description);
        set_text(L, "separator", columns[i].separator);
        lua_pushboolean(L, columns[i].is_distance);
        lua_setfield(L, -2, "is_distance");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int core_targets(lua_State *L)
{
    lua_createtable(L, (int)hal_targets_count, 0);
    for (size_t i = 0; i < hal_targets_count; i++) {
        const hal_target *t = &hal_targets[i];
        lua_createtable(L, 0, 6);
        set_text(L, "name", t->name);
        set_text(L, "aliases", t->aliases);
        set_text(L, "type", t->type);
        lua_pushnumber(L, t->ra_deg);
        lua_setfield(L, -2, "ra");
        lua_pushnumber(L, t->dec_deg);
        lua_setfield(L, -2, "dec");
        lua_pushnumber(L, t->radius_deg);
        lua_setfield(L, -2, "radius");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int core_tic_position(lua_State *L)
{
    lua_Integer id = luaL_checkinteger(L, 1);
    double ra, dec;
    if (id < 0 || !hal_tic_position(script_of(L)->sky, (uint64_t)id, &ra, &dec))
        return 0;
    lua_pushnumber(L, ra);
    lua_pushnumber(L, dec);
    return 2;
}

static int core_collections(lua_State *L)
{
    uint64_t totals[HAL_COLLECTIONS];
    hal_caom_totals(hal_sky_seed(script_of(L)->sky), totals);
    lua_createtable(L, HAL_COLLECTIONS, 0);
    for (int i = 0; i < HAL_COLLECTIONS; i++) {
        lua_createtable(L, 0, 2);
        set_text(L, "name", hal_caom_collection(i));
        lua_pushinteger(L, (lua_Integer)totals[i]);
        lua_setfield(L, -2, "rows");
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

/* uniform(ordinal): the same seed and ordinal give the same number in (0, 1). */
static int core_uniform(lua_State *L)
{
    lua_Integer ordinal = luaL_checkinteger(L, 1);
    lua_pushnumber(L, hal_unit(hal_sky_seed(script_of(L)->sky) ^ 0xfa017, (uint64_t)ordinal));
    return 1;
}

static int open_core(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"columns", core_columns},           {"targets", core_targets},
        {"tic_position", core_tic_position}, {"collections", core_collections},
        {"uniform", core_uniform},           {NULL, NULL}};
    hal_script *s = script_of(L);
    lua_newtable(L);
    lua_pushlightuserdata(L, s);
    luaL_setfuncs(L, functions, 1);
    lua_pushinteger(L, (lua_Integer)s->options->row_cap);
    lua_setfield(L, -2, "row_cap");
    set_text(L, "faults", s->options->faults);
    set_text(L, "version", HAL_VERSION_TEXT);
    return 1;
}

static int open_module(lua_State *L)
{
    const hal_module *m = lua_touserdata(L, lua_upvalueindex(1));
    lua_pushfstring(L, "=%s", m->name);
    if (luaL_loadbufferx(L, m->source, m->size_bytes, lua_tostring(L, -1), "t"))
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
        {LUA_OSLIBNAME, luaopen_os},
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
    lua_pushcclosure(L, open_core, 1);
    lua_setfield(L, -2, "practice.core");
    lua_getglobal(L, "require");
    lua_pushliteral(L, "practice");
    lua_call(L, 1, 1);
    s->module = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

/* ---- from Lua tables to answers; what is allocated hangs on the answer at once ---- */

static char *take_text(lua_State *L, int index, size_t *n)
{
    size_t size;
    const char *text = lua_tolstring(L, index, &size);
    if (!text)
        return NULL;
    char *copy = hal_strndup(text, size);
    if (!copy)
        luaL_error(L, "no memory");
    if (n)
        *n = size;
    return copy;
}

static char *take_field(lua_State *L, int table, const char *key, size_t *n)
{
    lua_getfield(L, table, key);
    char *copy = take_text(L, -1, n);
    lua_pop(L, 1);
    return copy;
}

static double number_field(lua_State *L, int table, const char *key, double absent)
{
    lua_getfield(L, table, key);
    double v = lua_isnumber(L, -1) ? lua_tonumber(L, -1) : absent;
    lua_pop(L, 1);
    return v;
}

static size_t list_length(lua_State *L, int index, size_t max, const char *what)
{
    if (!lua_istable(L, index))
        return 0;
    size_t n = lua_rawlen(L, index);
    if (n > max)
        luaL_error(L, "too many %s: %d", what, (int)n);
    return n;
}

static void *zeroed(lua_State *L, size_t n, size_t size)
{
    void *p = hal_calloc(n ? n : 1, size);
    if (!p)
        luaL_error(L, "no memory");
    return p;
}

/* A filter table is on top: column, values = {text...}, ranges = {{min, max}...}. */
static void take_filter(lua_State *L, hal_filter *f)
{
    int t = lua_gettop(L);
    f->column = (int)number_field(L, t, "column", 0);
    f->free_text = take_field(L, t, "free_text", NULL);
    lua_getfield(L, t, "separator");
    if (lua_isstring(L, -1))
        f->separator = lua_tostring(L, -1)[0];
    lua_getfield(L, t, "values");
    size_t n = list_length(L, -1, VALUES_MAX, "values");
    f->values = zeroed(L, n, sizeof *f->values);
    for (size_t i = 0; i < n; i++) {
        hal_filter_value *v = &f->values[i];
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        lua_pushvalue(L, -1);
        v->text = take_text(L, -1, NULL);
        lua_pop(L, 1);
        if (!v->text)
            luaL_error(L, "a filter value is neither text nor number");
        f->n_values++;
        int exact, numeric;
        v->integer = lua_tointegerx(L, -1, &exact);
        v->is_integer = exact;
        v->number = lua_tonumberx(L, -1, &numeric);
        if (!numeric)
            v->number = NAN;
        lua_pop(L, 1);
    }
    lua_getfield(L, t, "ranges");
    n = list_length(L, -1, VALUES_MAX, "ranges");
    f->ranges = zeroed(L, n, sizeof *f->ranges);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        f->ranges[i][0] = number_field(L, lua_gettop(L), "min", -INFINITY);
        f->ranges[i][1] = number_field(L, lua_gettop(L), "max", INFINITY);
        f->n_ranges++;
        lua_pop(L, 1);
    }
    lua_settop(L, t);
}

/* A query table is on top: catalog, ra, dec, radius, filters, obsids, limit. */
static void take_query(lua_State *L, hal_answer *out)
{
    int t = lua_gettop(L);
    hal_query *q = &out->query;
    lua_getfield(L, t, "catalog");
    q->catalog = hal_catalog_find(luaL_checkstring(L, -1));
    if (q->catalog == HAL_CATALOG_COUNT)
        luaL_error(L, "no catalogue %s", lua_tostring(L, -1));
    q->limit = (uint64_t)number_field(L, t, "limit", 0);
    double radius = number_field(L, t, "radius", -1);
    if (radius >= 0) {
        hal_err err = HAL_ERR_INIT;
        q->region = hal_region_circle(hal_ra_canonical(number_field(L, t, "ra", NAN)),
                                      number_field(L, t, "dec", NAN), fmin(radius, 180), &err);
        if (!q->region)
            luaL_error(L, "%s", err.text);
    }
    lua_getfield(L, t, "filters");
    size_t n = list_length(L, -1, FILTERS_MAX, "filters");
    q->filters = zeroed(L, n, sizeof *q->filters);
    for (size_t i = 0; i < n; i++) {
        q->n_filters++;
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        take_filter(L, &q->filters[i]);
        lua_pop(L, 1);
    }
    lua_getfield(L, t, "obsids");
    n = list_length(L, -1, OBSIDS_MAX, "obsids");
    q->obsids = zeroed(L, n, sizeof *q->obsids);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        q->obsids[q->n_obsids++] = (uint64_t)lua_tointeger(L, -1);
        lua_pop(L, 1);
    }
    lua_settop(L, t);
    out->has_query = true;
    lua_getfield(L, t, "total");
    out->total_known = lua_isinteger(L, -1);
    out->total = (uint64_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
}

/* An answer table is on top. */
static void take_answer(lua_State *L, hal_answer *out)
{
    static const char *const outcomes[] = {"body", "rows", "file", "reset", "empty", NULL};
    static const char *const layouts[] = {"json", "extjs", "csv", "votable", NULL};
    int t = lua_gettop(L);
    luaL_checktype(L, t, LUA_TTABLE);
    lua_getfield(L, t, "query");
    if (lua_istable(L, -1)) {
        take_query(L, out);
        lua_settop(L, t);
        return;
    }
    lua_getfield(L, t, "outcome");
    out->outcome = (hal_outcome)luaL_checkoption(L, -1, "body", outcomes);
    lua_getfield(L, t, "layout");
    out->layout = (hal_layout)luaL_checkoption(L, -1, "json", layouts);
    out->http_status = (int)number_field(L, t, "status", 200);
    out->content_type = take_field(L, t, "content_type", NULL);
    out->retry_after = take_field(L, t, "retry_after", NULL);
    out->body = take_field(L, t, "body", &out->body_bytes);
    out->tail = take_field(L, t, "tail", &out->tail_bytes);
    out->fault = take_field(L, t, "fault", NULL);
    out->first = (uint64_t)number_field(L, t, "first", 0);
    out->n = (uint64_t)number_field(L, t, "n", 0);
    lua_getfield(L, t, "pick");
    size_t n = list_length(L, -1, HAL_ANSWER_COLUMNS_MAX, "columns");
    lua_getfield(L, t, "keys");
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, -2, (lua_Integer)i + 1);
        out->pick[i] = (int)lua_tointeger(L, -1);
        lua_rawgeti(L, -2, (lua_Integer)i + 1);
        out->keys[i] = take_text(L, -1, NULL);
        out->n_pick++;
        lua_pop(L, 2);
    }
    lua_settop(L, t);
}

typedef struct call {
    hal_script *script;
    const hal_request *request;
    uint64_t id, total, rows, bytes;
    int http_status;
    const char *failure, *result;
    hal_answer *out;
    hal_buf *line;
} call;

static void get_function(lua_State *L, const call *c, const char *name)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->script->module);
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
}

static int serve_in(lua_State *L)
{
    call *c = lua_touserdata(L, 1);
    const hal_request *r = c->request;
    get_function(L, c, "serve");
    lua_createtable(L, 0, 6);
    lua_pushinteger(L, (lua_Integer)r->id);
    lua_setfield(L, -2, "id");
    lua_pushinteger(L, r->simultaneous);
    lua_setfield(L, -2, "simultaneous");
    set_text(L, "method", r->method);
    set_text(L, "path", r->path);
    lua_pushlstring(L, r->body.data ? r->body.data : "", r->body.size_bytes);
    lua_setfield(L, -2, "body");
    lua_createtable(L, (int)r->n_arguments, 0);
    for (size_t i = 0; i < r->n_arguments; i++) {
        lua_createtable(L, 2, 0);
        lua_pushstring(L, r->arguments[i].name);
        lua_rawseti(L, -2, 1);
        lua_pushstring(L, r->arguments[i].value ? r->arguments[i].value : "");
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "arguments");
    lua_call(L, 1, 1);
    take_answer(L, c->out);
    return 0;
}

static int finish_in(lua_State *L)
{
    call *c = lua_touserdata(L, 1);
    get_function(L, c, "finish");
    lua_pushinteger(L, (lua_Integer)c->id);
    lua_pushinteger(L, (lua_Integer)c->total);
    lua_pushstring(L, c->failure);
    lua_call(L, 3, 1);
    take_answer(L, c->out);
    return 0;
}

static int done_in(lua_State *L)
{
    call *c = lua_touserdata(L, 1);
    get_function(L, c, "done");
    lua_pushinteger(L, (lua_Integer)c->id);
    lua_createtable(L, 0, 4);
    set_text(L, "result", c->result);
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
    }
    lua_settop(s->L, 0);
    pthread_mutex_unlock(&s->lock);
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
    call c = {.request = r, .out = out};
    return run(s, serve_in, &c, err);
}

hal_status hal_script_finish(hal_script *s, uint64_t request_id, uint64_t total,
                             const char *failure, hal_answer *out, hal_err *err)
{
    call c = {.id = request_id, .total = total, .failure = failure, .out = out};
    return run(s, finish_in, &c, err);
}

void hal_script_done(hal_script *s, uint64_t request_id, int http_status, uint64_t rows,
                     uint64_t bytes, const char *result, hal_buf *log_line)
{
    call c = {.id = request_id,
              .http_status = http_status,
              .rows = rows,
              .bytes = bytes,
              .result = result,
              .line = log_line};
    hal_err err = HAL_ERR_INIT;
    if (run(s, done_in, &c, &err) && log_line)
        (void)!hal_buf_puts(log_line, err.text, NULL);
}
