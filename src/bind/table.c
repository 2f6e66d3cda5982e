/* SPDX-License-Identifier: BSD-3-Clause */
/* halyard.core.table: columns as Lua sees them. Row numbers begin at 1; 64-bit integers stay
 * integers. */
#include "bind/bind.h"

#include "base/alloc.h"
#include "base/number.h"
#include "bind/args.h"
#include "bind/objects.h"
#include "bind/table_column.h"
#include "data/select.h"
#include "host/host.h"

#include <lauxlib.h>
#include <math.h>

enum {
    LIST_MAX = 1000000,        /* values of table:list */
    ROWS_MAX = 1000000,        /* rows of from_rows and take */
    COLUMNS_MAX = 10000,       /* of from_rows */
    ALTERNATIVES_MAX = 100000, /* of one criterion */
    COLLECT_BYTES = 32 << 20   /* tables made since the last full collection */
};

static void push_metatable(lua_State *L);

/* --- The object ---------------------------------------------------------------------------------
 */

hal_table **hal_table_push(lua_State *L)
{
    hal_table **slot = lua_newuserdatauv(L, sizeof *slot, 1); /* its value: see mark_row */
    *slot = NULL;
    push_metatable(L);
    lua_setmetatable(L, -2);
    return slot;
}

int hal_table_pushed(lua_State *L, const hal_err *err)
{
    static const char key;
    hal_table **slot = lua_touserdata(L, -1);
    if (!*slot)
        return hal_raise(L, err);
    /* The collector sees a few bytes of userdata, not the columns behind it. */
    lua_rawgetp(L, LUA_REGISTRYINDEX, &key);
    lua_Integer bytes = lua_tointeger(L, -1) + (lua_Integer)hal_table_size_bytes(*slot);
    lua_pop(L, 1);
    bool due = bytes > COLLECT_BYTES;
    lua_pushinteger(L, due ? 0 : bytes);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
    if (due)
        lua_gc(L, LUA_GCCOLLECT);
    return 1;
}

hal_table *hal_arg_table(lua_State *L, int index, const char *what)
{
    hal_table **slot = luaL_testudata(L, index, hal_table_class);
    if (!slot)
        hal_bind_fail(L, HAL_E_USAGE, "%s must be a table of rows (halyard.table), not %s", what,
                      luaL_typename(L, index));
    if (!*slot)
        hal_bind_fail(L, HAL_E_USAGE, "%s is closed", what);
    return *slot;
}

static hal_table *self(lua_State *L)
{
    return hal_arg_table(L, 1, "the table");
}

static size_t arg_column(lua_State *L, const hal_table *t, int index)
{
    hal_err err = HAL_ERR_INIT;
    size_t i_col = 0;
    if (hal_table_require(t, hal_arg_text(L, index, "column name"), &i_col, &err))
        hal_raise(L, &err);
    return i_col;
}

static uint64_t arg_row(lua_State *L, const hal_table *t, int index)
{
    lua_Integer i = hal_arg_integer(L, index, "row number");
    if (i < 1 || (uint64_t)i > hal_table_rows(t))
        hal_bind_fail(L, HAL_E_USAGE, "row %lld is outside 1..%llu", (long long)i,
                      (unsigned long long)hal_table_rows(t));
    return (uint64_t)i - 1;
}

/* Timestamps as seconds since 1970-01-01 UTC, complex numbers as {re, im}. */
static void push_item(lua_State *L, const hal_column *c, hal_type type, uint64_t i)
{
    double pair[2];
    if (type == HAL_TYPE_BOOL) {
        lua_pushboolean(L, hal_item_bool(c, i));
    } else if (hal_type_is_integer(type)) {
        lua_pushinteger(L, hal_item_int64(c, type, i));
    } else if (hal_type_is_float(type)) {
        lua_pushnumber(L, hal_item_float64(c, type, i));
    } else if (type == HAL_TYPE_TIMESTAMP) {
        lua_pushnumber(L, (double)hal_item_int64(c, type, i) / 1e6);
    } else {
        hal_item_complex(c, type, i, pair);
        lua_createtable(L, 2, 0);
        for (int k = 0; k < 2; k++) {
            lua_pushnumber(L, pair[k]);
            lua_rawseti(L, -2, k + 1);
        }
    }
}

void hal_push_cell(lua_State *L, const hal_table *t, size_t i_col, uint64_t i_row)
{
    if (hal_table_is_null(t, i_col, i_row)) {
        lua_pushnil(L);
        return;
    }
    const hal_field *f = hal_table_field(t, i_col);
    hal_column c = hal_table_column(t, i_col);
    if (f->type == HAL_TYPE_STRING) {
        hal_slice s = hal_table_string(t, i_col, i_row);
        lua_pushlstring(L, s.data, s.size_bytes);
        return;
    }
    if (f->width == 1) {
        push_item(L, &c, f->type, i_row);
        return;
    }
    hal_items cell = hal_table_items(t, i_col, i_row);
    if (cell.n > INT_MAX)
        hal_bind_fail(L, HAL_E_BUDGET, "an array of %llu items", (unsigned long long)cell.n);
    lua_createtable(L, (int)cell.n, 0);
    for (uint64_t i = 0; i < cell.n; i++) {
        if (hal_item_is_null(&c, cell.first + i))
            lua_pushnil(L);
        else
            push_item(L, &c, f->type, cell.first + i);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static void push_columns(lua_State *L, const hal_table *t)
{
    size_t n = hal_table_columns(t);
    lua_createtable(L, (int)n, 0);
    for (size_t c = 0; c < n; c++) {
        lua_pushstring(L, hal_table_field(t, c)->name);
        lua_rawseti(L, -2, (lua_Integer)c + 1);
    }
}

/* What a row has no value for: null, or a name that is misspelt. Upvalues: { name = true }, the
 * list of names. */
static int row_index(lua_State *L)
{
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_type(L, 2) != LUA_TSTRING || lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 0;
    lua_getglobal(L, "require");
    lua_pushliteral(L, "halyard.suggest");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "unknown");
    lua_pushliteral(L, "column of the row");
    lua_pushvalue(L, 2);
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_call(L, 3, 0); /* raises */
    return 0;
}

/* Gives the row on top of the stack the metatable that all rows of the table at index 1 share. */
static void mark_row(lua_State *L, const hal_table *t)
{
    if (lua_getiuservalue(L, 1, 1) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_createtable(L, 0, 1);
        size_t n = hal_table_columns(t);
        lua_createtable(L, 0, (int)n);
        for (size_t c = 0; c < n; c++) {
            lua_pushboolean(L, true);
            lua_setfield(L, -2, hal_table_field(t, c)->name);
        }
        push_columns(L, t);
        lua_pushcclosure(L, row_index, 2);
        lua_setfield(L, -2, "__index");
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, 1, 1);
    }
    lua_setmetatable(L, -2);
}

/* Row of the table at index 1. */
static void push_row(lua_State *L, const hal_table *t, uint64_t i_row)
{
    size_t n = hal_table_columns(t);
    lua_createtable(L, 0, (int)n);
    for (size_t c = 0; c < n; c++) {
        hal_push_cell(L, t, c, i_row);
        lua_setfield(L, -2, hal_table_field(t, c)->name);
    }
    mark_row(L, t);
}

static int table_close(lua_State *L)
{
    hal_table **slot = luaL_checkudata(L, 1, hal_table_class);
    hal_table *t = *slot;
    *slot = NULL;
    hal_table_unref(t);
    return 0;
}

static int table_len(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)hal_table_rows(self(L)));
    return 1;
}

/* The method at the key on top of the stack, which it replaces. Those written in Lua come with
 * halyard.table, which is loaded when one of them is first used. */
static int push_method(lua_State *L, int methods)
{
    lua_pushvalue(L, -1);
    if (lua_rawget(L, methods) != LUA_TNIL)
        return 1;
    lua_pop(L, 1);
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    bool loaded = lua_getfield(L, -1, "halyard.table") != LUA_TNIL;
    lua_pop(L, 2);
    if (!loaded) {
        lua_getglobal(L, "require");
        lua_pushliteral(L, "halyard.table");
        lua_call(L, 1, 0);
    }
    return lua_rawget(L, methods) != LUA_TNIL;
}

/* t[i], t.columns, t.metadata, t.<method>; upvalue 1: the methods. */
static int table_index(lua_State *L)
{
    if (lua_type(L, 2) == LUA_TNUMBER) {
        const hal_table *t = self(L);
        if (hal_arg_integer(L, 2, "row number") == (lua_Integer)hal_table_rows(t) + 1)
            return 0; /* where ipairs ends */
        push_row(L, t, arg_row(L, t, 2));
        return 1;
    }
    const char *key = hal_arg_text(L, 2, "a table's field");
    if (!strcmp(key, "columns")) {
        push_columns(L, self(L));
        return 1;
    }
    if (!strcmp(key, "metadata"))
        return hal_table_push_metadata(L, self(L));
    lua_pushvalue(L, 2);
    if (!push_method(L, lua_upvalueindex(1)))
        return hal_bind_fail(L, HAL_E_USAGE,
                             "a table has no field \"%.60s\"; a cell is t:get(row, \"%.60s\")", key,
                             key);
    return 1;
}

static int next_row(lua_State *L)
{
    const hal_table *t = self(L);
    lua_Integer i = hal_arg_integer(L, 2, "row number");
    if (i < 0 || (uint64_t)i >= hal_table_rows(t))
        return 0;
    lua_pushinteger(L, i + 1);
    push_row(L, t, (uint64_t)i);
    return 2;
}

static int table_rows(lua_State *L)
{
    self(L);
    lua_pushcfunction(L, next_row);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 0);
    return 3;
}

static int table_get(lua_State *L)
{
    const hal_table *t = self(L);
    uint64_t i_row = arg_row(L, t, 2);
    hal_push_cell(L, t, arg_column(L, t, 3), i_row);
    return 1;
}

static int table_field(lua_State *L)
{
    const hal_table *t = self(L);
    const hal_field *f = hal_table_field(t, arg_column(L, t, 2));
    lua_createtable(L, 0, 5);
    hal_set_text(L, "name", f->name);
    hal_set_text(L, "type", hal_type_name(f->type));
    hal_set_text(L, "unit", f->unit);
    hal_set_text(L, "ucd", f->ucd);
    hal_set_text(L, "description", f->description);
    return 1;
}

/* The values of a column that are not null, in row order. */
static int table_list(lua_State *L)
{
    const hal_table *t = self(L);
    size_t i_col = arg_column(L, t, 2);
    uint64_t n = hal_table_rows(t) - hal_table_column(t, i_col).n_nulls;
    if (n > LIST_MAX)
        return hal_bind_fail(L, HAL_E_BUDGET,
                             "a list of %llu values is more than %d: select rows first, or write "
                             "the table to a file",
                             (unsigned long long)n, LIST_MAX);
    lua_createtable(L, (int)n, 0);
    lua_Integer k = 0;
    for (uint64_t i = 0; i < hal_table_rows(t); i++)
        if (!hal_table_is_null(t, i_col, i)) {
            hal_push_cell(L, t, i_col, i);
            lua_rawseti(L, -2, ++k);
        }
    return 1;
}

/* --- New tables from old ones -------------------------------------------------------------------
 */

/* Takes `rows` of `t` into a new table; `rows` is freed. */
static int push_taken(lua_State *L, hal_table **slot, const hal_table *t, uint64_t *rows,
                      uint64_t n)
{
    hal_err err = HAL_ERR_INIT;
    *slot = hal_table_take(t, rows, n, &err);
    hal_free(rows);
    return hal_table_pushed(L, &err);
}

static int table_take(lua_State *L)
{
    const hal_table *t = self(L);
    if (!lua_istable(L, 2))
        return hal_bind_fail(L, HAL_E_USAGE, "take: a list of row numbers, not %s",
                             luaL_typename(L, 2));
    lua_Unsigned n = lua_rawlen(L, 2);
    if (n > ROWS_MAX)
        return hal_bind_fail(L, HAL_E_BUDGET, "take: at most %d rows at once", ROWS_MAX);
    uint64_t *rows = lua_newuserdatauv(L, (n + 1) * sizeof *rows, 0);
    for (lua_Unsigned i = 0; i < n; i++) {
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        rows[i] = arg_row(L, t, -1);
        lua_pop(L, 1);
    }
    hal_table **slot = hal_table_push(L);
    hal_err err = HAL_ERR_INIT;
    *slot = hal_table_take(t, rows, n, &err);
    return hal_table_pushed(L, &err);
}

static int table_project(lua_State *L)
{
    const hal_table *t = self(L);
    if (!lua_istable(L, 2))
        return hal_bind_fail(L, HAL_E_USAGE, "project: a list of column names, not %s",
                             luaL_typename(L, 2));
    lua_Unsigned n = lua_rawlen(L, 2);
    if (n > COLUMNS_MAX)
        return hal_bind_fail(L, HAL_E_BUDGET, "project: at most %d columns", COLUMNS_MAX);
    size_t *cols = lua_newuserdatauv(L, (n + 1) * sizeof *cols, 0);
    for (lua_Unsigned i = 0; i < n; i++) {
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        cols[i] = arg_column(L, t, -1);
        lua_pop(L, 1);
    }
    hal_table **slot = hal_table_push(L);
    hal_err err = HAL_ERR_INIT;
    *slot = hal_table_project(t, cols, n, &err);
    return hal_table_pushed(L, &err);
}

static int concat(lua_State *L)
{
    if (!lua_istable(L, 1))
        return hal_bind_fail(L, HAL_E_USAGE, "concat: a list of tables, not %s",
                             luaL_typename(L, 1));
    lua_Unsigned n = lua_rawlen(L, 1);
    if (n > ROWS_MAX)
        return hal_bind_fail(L, HAL_E_BUDGET, "concat: at most %d tables", ROWS_MAX);
    hal_table **tables = lua_newuserdatauv(L, (n + 1) * sizeof(hal_table *), 0);
    for (lua_Unsigned i = 0; i < n; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        tables[i] = hal_arg_table(L, -1, "concat: each item");
        lua_pop(L, 1); /* the list still holds it */
    }
    hal_table **slot = hal_table_push(L);
    hal_err err = HAL_ERR_INIT;
    *slot = hal_table_concat(tables, n, &err);
    return hal_table_pushed(L, &err);
}

/* --- where --------------------------------------------------------------------------------------
 */

static struct hal_bound to_bound(lua_State *L, int index)
{
    struct hal_bound b = {0};
    int ok = lua_type(L, index) == LUA_TNUMBER;
    if (ok && (b.is_int = lua_isinteger(L, index)))
        b.i = lua_tointeger(L, index);
    else if (ok)
        b.d = lua_tonumber(L, index);
    if (!ok)
        hal_bind_fail(L, HAL_E_USAGE, "where: min and max must be numbers");
    if (isnan(b.d))
        hal_bind_fail(L, HAL_E_USAGE,
                      "where: nothing equals NaN; write t:where(halyard.table.is_nan(column))");
    return b;
}

/* {min =, max =} at the top of the stack. */
static void read_range(lua_State *L, const char *column, hal_alternative *a)
{
    static const char *const known[] = {"min", "max", NULL};
    hal_options_check(L, -1, known, "where: a range");
    a->min = (struct hal_bound){.d = -INFINITY};
    a->max = (struct hal_bound){.d = INFINITY};
    bool any = false;
    if (lua_getfield(L, -1, "min") != LUA_TNIL)
        a->min = to_bound(L, -1), any = true;
    if (lua_getfield(L, -2, "max") != LUA_TNIL)
        a->max = to_bound(L, -1), any = true;
    lua_pop(L, 2);
    if (!any)
        hal_bind_fail(
            L, HAL_E_USAGE,
            "where: the criterion for \"%.60s\" is empty: give a value, a list, or {min =, "
            "max =}",
            column);
}

/* One alternative from the value at the top of the stack. */
static void read_alternative(lua_State *L, const char *column, hal_alternative *a)
{
    *a = (hal_alternative){0};
    switch (lua_type(L, -1)) {
    case LUA_TSTRING:
        a->is_text = true;
        a->text.data = lua_tolstring(L, -1, &a->text.size_bytes);
        break;
    case LUA_TBOOLEAN:
        a->is_text = true;
        a->text = hal_slice_of(lua_toboolean(L, -1) ? "true" : "false");
        break;
    case LUA_TNUMBER:
        a->min = a->max = to_bound(L, -1);
        break;
    case LUA_TTABLE:
        read_range(L, column, a);
        break;
    default:
        hal_bind_fail(L, HAL_E_USAGE, "where: the criterion for \"%.60s\" cannot be a %s", column,
                      luaL_typename(L, -1));
    }
}

/* Reads the criterion at the top of the stack; leaves one userdata below it. */
static void read_criterion(lua_State *L, const char *column, hal_criterion *c)
{
    bool list = lua_istable(L, -1) && lua_rawlen(L, -1) > 0;
    size_t n = list ? lua_rawlen(L, -1) : 1, n_keys = 0;
    if (list)
        for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
            n_keys++;
    if (list && n_keys != n)
        hal_bind_fail(
            L, HAL_E_USAGE,
            "where: the criterion for \"%.60s\" is either a list without holes or {min =, "
            "max =}",
            column);
    if (n > ALTERNATIVES_MAX)
        hal_bind_fail(L, HAL_E_BUDGET, "where: at most %d values for \"%.60s\"", ALTERNATIVES_MAX,
                      column);
    hal_alternative *a = lua_newuserdatauv(L, n * sizeof *a, 0);
    lua_insert(L, -2);
    for (size_t i = 0; list && i < n; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        read_alternative(L, column, &a[i]);
        lua_pop(L, 1); /* the list still holds it */
    }
    if (!list)
        read_alternative(L, column, a);
    *c = (hal_criterion){.column = column, .alternatives = a, .n_alternatives = n, .is_list = list};
}

static int table_where(lua_State *L)
{
    enum { CRITERIA_MAX = 100 };
    const hal_table *t = self(L);
    if (!lua_istable(L, 2))
        return hal_bind_fail(L, HAL_E_USAGE, "where takes {column = criterion, ...}, not %s",
                             luaL_typename(L, 2));
    lua_settop(L, 2);
    hal_criterion criteria[CRITERIA_MAX];
    size_t n = 0;
    luaL_checkstack(L, CRITERIA_MAX + 8, "where: too many criteria");
    lua_pushnil(L);
    while (lua_next(L, 2)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            return hal_bind_fail(L, HAL_E_USAGE, "where: criteria are named by column");
        if (n == CRITERIA_MAX)
            return hal_bind_fail(L, HAL_E_BUDGET, "where: at most %d criteria", CRITERIA_MAX);
        read_criterion(L, lua_tostring(L, -2), &criteria[n++]); /* key, memory, value */
        lua_pop(L, 1);
        lua_insert(L, -2); /* memory, key */
    }
    hal_table **slot = hal_table_push(L);
    hal_err err = HAL_ERR_INIT;
    uint64_t *rows = NULL, n_rows = 0;
    if (hal_table_select(t, criteria, n, &rows, &n_rows, &err))
        return hal_raise(L, &err);
    return push_taken(L, slot, t, rows, n_rows);
}

/* --- From Lua rows ------------------------------------------------------------------------------
 */

static int builder_collect(lua_State *L)
{
    hal_builder **slot = lua_touserdata(L, 1);
    hal_builder_free(*slot);
    *slot = NULL;
    return 0;
}

static hal_builder **push_builder(lua_State *L)
{
    hal_builder **slot = lua_newuserdatauv(L, sizeof *slot, 0);
    *slot = NULL;
    if (luaL_newmetatable(L, "halyard.builder")) {
        lua_pushcfunction(L, builder_collect);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return slot;
}

/* Widens *type (-1: only nulls so far) to hold the value at the top of the stack. */
static void widen(lua_State *L, int *type, const char *column, lua_Integer row)
{
    int seen = -1;
    switch (lua_type(L, -1)) {
    case LUA_TNIL:
        return;
    case LUA_TBOOLEAN:
        seen = HAL_TYPE_BOOL;
        break;
    case LUA_TNUMBER:
        seen = lua_isinteger(L, -1) ? HAL_TYPE_INT64 : HAL_TYPE_FLOAT64;
        break;
    case LUA_TSTRING:
        seen = HAL_TYPE_STRING;
        break;
    }
    static const char *const held[] = {[HAL_TYPE_BOOL] = "booleans",
                                       [HAL_TYPE_INT64] = "numbers",
                                       [HAL_TYPE_FLOAT64] = "numbers",
                                       [HAL_TYPE_STRING] = "text"};
    bool numbers = (seen == HAL_TYPE_INT64 || seen == HAL_TYPE_FLOAT64) &&
                   (*type == HAL_TYPE_INT64 || *type == HAL_TYPE_FLOAT64);
    if (seen < 0)
        hal_bind_fail(L, HAL_E_USAGE,
                      "from_rows: row %lld, column \"%.60s\": a %s is no number, text or boolean",
                      (long long)row, column, luaL_typename(L, -1));
    if (*type >= 0 && seen != *type && !numbers)
        hal_bind_fail(L, HAL_E_USAGE,
                      "from_rows: row %lld, column \"%.60s\": a %s, where the rows before hold %s",
                      (long long)row, column, luaL_typename(L, -1), held[*type]);
    *type = numbers && seen != *type ? HAL_TYPE_FLOAT64 : seen;
}

static hal_status add_cell(lua_State *L, hal_builder *b, size_t c, const char *name, hal_type type,
                           hal_err *err)
{
    hal_slice s;
    if (lua_isnil(L, -1))
        return HAL_OK;
    switch (type) {
    case HAL_TYPE_BOOL:
        return hal_builder_bool(b, c, lua_toboolean(L, -1), err);
    case HAL_TYPE_INT64:
        return hal_builder_int64(b, c, lua_tointeger(L, -1), err);
    case HAL_TYPE_FLOAT64:
        if (lua_isinteger(L, -1) && !hal_number_fits_double(lua_tointeger(L, -1)))
            return hal_err_set(
                err, HAL_E_USAGE,
                "from_rows: column \"%.60s\": %lld has more digits than a column with "
                "floats keeps; give only whole numbers, or text",
                name, (long long)lua_tointeger(L, -1));
        return hal_builder_float64(b, c, lua_tonumber(L, -1), err);
    case HAL_TYPE_STRING:
        s.data = lua_tolstring(L, -1, &s.size_bytes);
        return hal_builder_string(b, c, s, err);
    default: /* no other type is inferred */
        return HAL_OK;
    }
}

/* from_rows(list of Lua tables, {names}): types come from the values; a column of nulls is text. */
static int from_rows(lua_State *L)
{
    if (!lua_istable(L, 1) || !lua_istable(L, 2))
        return hal_bind_fail(L, HAL_E_USAGE, "from_rows takes a list of rows and a list of names");
    lua_Unsigned n_rows = lua_rawlen(L, 1), n_cols = lua_rawlen(L, 2);
    if (n_rows > ROWS_MAX || n_cols > COLUMNS_MAX)
        return hal_bind_fail(L, HAL_E_BUDGET, "from_rows: at most %d rows of %d columns", ROWS_MAX,
                             COLUMNS_MAX);
    hal_field *fields = lua_newuserdatauv(L, (n_cols + 1) * sizeof *fields, 0);
    int *types = lua_newuserdatauv(L, (n_cols + 1) * sizeof *types, 0);
    for (lua_Unsigned c = 0; c < n_cols; c++) {
        lua_rawgeti(L, 2, (lua_Integer)c + 1);
        fields[c] = (hal_field){.name = hal_arg_text(L, -1, "from_rows: column name"),
                                .unit = "",
                                .ucd = "",
                                .description = ""};
        if (!*fields[c].name)
            return hal_bind_fail(L, HAL_E_USAGE, "from_rows: column %d has an empty name",
                                 (int)c + 1);
        types[c] = -1;
        lua_pop(L, 1);
    }
    hal_check_unique_names(L, fields, n_cols);
    for (lua_Unsigned i = 1; i <= n_rows; i++) {
        if (lua_rawgeti(L, 1, (lua_Integer)i) != LUA_TTABLE)
            return hal_bind_fail(L, HAL_E_USAGE, "from_rows: row %llu is not a table",
                                 (unsigned long long)i);
        if (lua_rawlen(L, -1))
            return hal_bind_fail(L, HAL_E_USAGE,
                                 "from_rows: row %llu is a list; a row is { name = value }",
                                 (unsigned long long)i);
        for (lua_Unsigned c = 0; c < n_cols; c++) {
            lua_pushstring(L, fields[c].name);
            lua_rawget(L, -2);
            widen(L, &types[c], fields[c].name, (lua_Integer)i);
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    for (lua_Unsigned c = 0; c < n_cols; c++)
        fields[c].type = types[c] < 0 ? HAL_TYPE_STRING : (hal_type)types[c];
    hal_builder **builder = push_builder(L);
    hal_table **slot = hal_table_push(L);
    hal_err err = HAL_ERR_INIT;
    if (!(*builder = hal_builder_new(fields, n_cols, &err)))
        return hal_raise(L, &err);
    for (lua_Unsigned i = 1; i <= n_rows; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i);
        for (lua_Unsigned c = 0; c < n_cols; c++) {
            lua_pushstring(L, fields[c].name);
            lua_rawget(L, -2);
            if (add_cell(L, *builder, c, fields[c].name, fields[c].type, &err))
                return hal_raise(L, &err);
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
        if (hal_builder_end_row(*builder, &err))
            return hal_raise(L, &err);
    }
    *slot = hal_builder_finish(*builder, &err);
    hal_builder_free(*builder);
    *builder = NULL;
    return hal_table_pushed(L, &err);
}

/* Other modules make tables before this one is asked for. */
static void push_metatable(lua_State *L)
{
    static const luaL_Reg methods[] = {{"rows", table_rows},   {"get", table_get},
                                       {"field", table_field}, {"list", table_list},
                                       {"take", table_take},   {"project", table_project},
                                       {"close", table_close}, {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__gc", table_close},
                                    {"__close", table_close},
                                    {"__len", table_len},
                                    {"__tostring", hal_table_tostring},
                                    {NULL, NULL}};
    if (!luaL_newmetatable(L, hal_table_class))
        return;
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "methods");
    lua_pushcclosure(L, table_index, 1);
    lua_setfield(L, -2, "__index");
    hal_set_text(L, "__metatable", hal_table_class);
}

int hal_open_table(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"concat", concat}, {"from_rows", from_rows}, {"where", table_where}, {NULL, NULL}};
    luaL_newlib(L, functions);
    hal_table_add_functions(L);
    hal_table_add_writers(L);
    hal_column_add_functions(L);
    push_metatable(L);
    lua_getfield(L, -1, "methods");
    lua_setfield(L, -3, "methods");
    lua_pop(L, 1);
    return 1;
}
