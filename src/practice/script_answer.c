/* SPDX-License-Identifier: BSD-3-Clause */
/* From Lua tables to answers. What is allocated hangs on the answer at once, as a Lua error may
 * leave every function here in its middle. */
#include "practice/script_private.h"

#include "base/alloc.h"
#include "sky/angle.h"

#include <lauxlib.h>

#include <math.h>

#define ROWS_ALL 0x1p63

enum {
    FILTERS_MAX = 200,
    VALUES_MAX = 10000,
    OBSIDS_MAX = 5000,
    COLUMNS_MAX = 1000,
    SECONDS_DEFAULT = 60,
    STARS_DEFAULT = 20000000,
    HEADERS_MAX = 100
};

void hal_answer_clear(hal_answer *a)
{
    hal_free(a->content_type);
    for (size_t i = 0; i < a->n_headers; i++) {
        hal_free(a->headers[i].name);
        hal_free(a->headers[i].value);
    }
    hal_free(a->headers);
    hal_free(a->body);
    hal_free(a->tail);
    hal_free(a->tail_over);
    hal_free(a->fault);
    for (size_t i = 0; i < a->n_pick; i++)
        hal_free(a->keys[i]);
    hal_free(a->keys);
    hal_free(a->pick);
    hal_query_clear(&a->query);
    hal_sql_free(a->sql);
    *a = (hal_answer){0};
}

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

/* ---- SQL ---- */

static hal_cell cell_at(hal_script *s, lua_State *L, int index)
{
    int type = lua_type(L, index);
    hal_cell c = {.kind = HAL_CELL_NULL};
    if (lua_isinteger(L, index)) {
        c = hal_cell_int(lua_tointeger(L, index));
    } else if (type == LUA_TNUMBER) {
        c = hal_cell_real(lua_tonumber(L, index));
    } else if (type == LUA_TBOOLEAN) {
        c = hal_cell_int(lua_toboolean(L, index));
    } else if (type == LUA_TSTRING) {
        size_t n;
        c.text = lua_tolstring(L, index, &n);
        c.kind = HAL_CELL_TEXT;
        c.size = (uint32_t)n;
    } else if (type != LUA_TNIL) {
        lua_pushvalue(L, index);
        lua_rawgeti(L, LUA_REGISTRYINDEX, s->null);
        if (!lua_rawequal(L, -1, -2))
            luaL_error(L, "a value of SQL is a %s", luaL_typename(L, index));
        lua_pop(L, 2);
    }
    return c;
}

/* The list `views` = {{name, select}...} of the table at `t`. */
static hal_status take_views(lua_State *L, int t, hal_sql *q, hal_err *err)
{
    hal_status st = HAL_OK;
    lua_getfield(L, t, "views");
    size_t n = list_length(L, -1, COLUMNS_MAX, "views");
    for (size_t i = 0; i < n && !st; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        st = hal_sql_add_view(q, luaL_checkstring(L, -2), luaL_checkstring(L, -1), err);
        lua_pop(L, 3);
    }
    lua_pop(L, 1);
    return st;
}

/* A table {name, columns = {{name, type}...}, rows = {...}} is on top. */
static hal_status take_table(hal_script *s, lua_State *L, hal_sql *q, hal_err *err)
{
    int t = lua_gettop(L);
    lua_rawgeti(L, t, 1);
    const char *name = luaL_checkstring(L, -1);
    lua_getfield(L, t, "columns"); /* t + 2 */
    size_t n = list_length(L, -1, COLUMNS_MAX, "columns");
    hal_sql_column *columns = lua_newuserdatauv(L, (n + 1) * sizeof *columns, 0);
    hal_cell *cells = lua_newuserdatauv(L, (n + 1) * sizeof *cells, 0);
    for (size_t i = 0; i < n; i++) { /* the texts live as long as the column list */
        lua_rawgeti(L, t + 2, (lua_Integer)i + 1);
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        columns[i].name = luaL_checkstring(L, -2);
        columns[i].type = luaL_optstring(L, -1, "");
        lua_pop(L, 3);
    }
    hal_status st = hal_sql_add_table(q, name, columns, n, err);
    lua_getfield(L, t, "rows");
    int rows = lua_gettop(L);
    size_t n_rows = lua_istable(L, rows) ? lua_rawlen(L, rows) : 0;
    for (size_t i = 0; i < n_rows && !st; i++) {
        lua_rawgeti(L, rows, (lua_Integer)i + 1);
        luaL_checktype(L, -1, LUA_TTABLE);
        for (size_t k = 0; k < n; k++) {
            lua_rawgeti(L, rows + 1, (lua_Integer)k + 1);
            cells[k] = cell_at(s, L, -1);
            lua_pop(L, 1);
        }
        st = hal_sql_add_row(q, cells, n, err);
        lua_settop(L, rows);
    }
    lua_settop(L, t);
    return st;
}

static hal_status take_tables(hal_script *s, lua_State *L, int t, hal_sql *q, hal_err *err)
{
    hal_status st = HAL_OK;
    lua_getfield(L, t, "tables");
    size_t n = list_length(L, -1, COLUMNS_MAX, "tables");
    for (size_t i = 0; i < n && !st; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        st = take_table(s, L, q, err);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return st;
}

static hal_status take_params(hal_script *s, lua_State *L, int t, hal_sql *q, hal_err *err)
{
    hal_status st = HAL_OK;
    lua_getfield(L, t, "params");
    int params = lua_gettop(L);
    size_t n = list_length(L, params, VALUES_MAX, "parameters");
    for (size_t i = 0; i < n && !st; i++) {
        lua_rawgeti(L, params, (lua_Integer)i + 1);
        hal_cell c = cell_at(s, L, -1);
        st = hal_sql_bind(q, NULL, &c, err);
        lua_pop(L, 1);
    }
    lua_pushnil(L);
    while (!st && lua_istable(L, params) && lua_next(L, params)) {
        if (lua_type(L, -2) == LUA_TSTRING) {
            hal_cell c = cell_at(s, L, -1);
            const char *name = lua_pushfstring(L, ":%s", lua_tostring(L, -2));
            st = hal_sql_bind(q, name, &c, err);
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    lua_settop(L, params - 1);
    return st;
}

void hal_script_take_sql(hal_script *s, lua_State *L, hal_sql **out, hal_err *failure)
{
    int t = lua_gettop(L);
    hal_slice text;
    lua_getfield(L, t, "sql");
    text.data = luaL_checklstring(L, -1, &text.size_bytes);
    hal_sql *q = *out = hal_sql_new(s->sky, failure);
    hal_status st = q ? HAL_OK : failure->status;
    if (!st)
        hal_sql_set_limits(q, number_field(L, t, "seconds", SECONDS_DEFAULT),
                           (uint64_t)number_field(L, t, "stars", STARS_DEFAULT));
    if (!st)
        st = take_tables(s, L, t, q, failure);
    if (!st)
        st = take_views(L, t, q, failure);
    if (!st)
        st = hal_sql_prepare(q, text, failure);
    if (!st)
        st = take_params(s, L, t, q, failure);
    if (st) {
        hal_sql_free(q);
        *out = NULL;
    }
    lua_settop(L, t);
}

/* ---- answers ---- */

static void take_header(lua_State *L, hal_answer *out, int name, int value)
{
    if (out->n_headers == HEADERS_MAX)
        luaL_error(L, "too many headers");
    hal_pair *h = &out->headers[out->n_headers++];
    h->name = take_text(L, name, NULL);
    h->value = take_text(L, value, NULL);
    if (!h->name || !h->value)
        luaL_error(L, "a header is no text");
}

/* headers = {name = text or list of texts} of the table at `t`. */
static void take_headers(lua_State *L, int t, hal_answer *out)
{
    lua_getfield(L, t, "headers");
    int headers = lua_gettop(L);
    if (!lua_istable(L, headers))
        return;
    out->headers = zeroed(L, HEADERS_MAX, sizeof *out->headers);
    lua_pushnil(L);
    while (lua_next(L, headers)) {
        int value = lua_gettop(L);
        lua_pushvalue(L, value - 1); /* lua_next must see the name untouched */
        if (lua_istable(L, value)) {
            size_t n = list_length(L, value, HEADERS_MAX, "headers");
            for (size_t i = 0; i < n; i++) {
                lua_rawgeti(L, value, (lua_Integer)i + 1);
                take_header(L, out, value + 1, -1);
                lua_pop(L, 1);
            }
        } else {
            take_header(L, out, value + 1, value);
        }
        lua_settop(L, value - 1);
    }
    lua_settop(L, headers - 1);
}

/* `"name":` as a copy; NULL without memory. */
static char *key_of(const char *name)
{
    hal_buf text;
    hal_buf_init(&text, 65536);
    bool ok = !hal_buf_quote(&text, name, strlen(name), NULL) && !hal_buf_puts(&text, ":", NULL);
    char *copy = ok ? hal_strdup(hal_buf_text(&text)) : NULL;
    hal_buf_clear(&text);
    return copy;
}

/* All columns of the statement, under its names or those of the list `keys`. */
static void take_sql_columns(lua_State *L, int t, hal_answer *out)
{
    size_t n = hal_sql_columns(out->sql);
    out->pick = zeroed(L, n, sizeof *out->pick);
    out->keys = zeroed(L, n, sizeof *out->keys);
    lua_getfield(L, t, "keys");
    for (size_t i = 0; i < n; i++) {
        const char *name = hal_sql_origin_of(out->sql, i).name;
        if (lua_istable(L, -1)) {
            lua_rawgeti(L, -1, (lua_Integer)i + 1);
            name = luaL_optstring(L, -1, name);
            lua_pop(L, 1);
        }
        out->pick[i] = (int)i;
        out->keys[i] = key_of(name);
        out->n_pick++;
        if (!out->keys[i])
            luaL_error(L, "no memory");
    }
    lua_pop(L, 1);
}

static void take_picked_columns(lua_State *L, int t, hal_answer *out)
{
    lua_getfield(L, t, "pick");
    size_t n = list_length(L, -1, HAL_ANSWER_COLUMNS_MAX, "columns");
    out->pick = zeroed(L, n, sizeof *out->pick);
    out->keys = zeroed(L, n, sizeof *out->keys);
    lua_getfield(L, t, "keys");
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, -2, (lua_Integer)i + 1);
        out->pick[i] = (int)lua_tointeger(L, -1);
        lua_rawgeti(L, -2, (lua_Integer)i + 1);
        out->keys[i] = take_text(L, -1, NULL);
        out->n_pick++;
        lua_pop(L, 2);
    }
    lua_pop(L, 2);
}

void hal_script_take_answer(hal_script *s, lua_State *L, hal_answer *out)
{
    static const char *const outcomes[] = {"body", "rows", "sql", "file", "reset", "empty", NULL};
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
    out->layout = (hal_layout)luaL_checkoption(L, -1, "json", hal_layout_names);
    out->http_status = (int)number_field(L, t, "status", 200);
    out->content_type = take_field(L, t, "content_type", NULL);
    take_headers(L, t, out);
    out->body = take_field(L, t, "body", &out->body_bytes);
    out->tail = take_field(L, t, "tail", &out->tail_bytes);
    out->fault = take_field(L, t, "fault", NULL);
    if (out->outcome == HAL_OUTCOME_SQL) {
        out->tail_over = take_field(L, t, "tail_over", &out->tail_over_bytes);
        double max = number_field(L, t, "max_rows", ROWS_ALL);
        out->n = max >= ROWS_ALL ? UINT64_MAX : (uint64_t)fmax(max, 0);
        lua_settop(L, t);
        hal_script_take_sql(s, L, &out->sql, &out->sql_failure);
        if (out->sql)
            take_sql_columns(L, t, out);
    } else {
        out->first = (uint64_t)number_field(L, t, "first", 0);
        out->n = (uint64_t)number_field(L, t, "n", 0);
        take_picked_columns(L, t, out);
    }
    lua_settop(L, t);
}
