/* SPDX-License-Identifier: BSD-3-Clause */
/* Columns as Lua sees them: values on demand, what they hold, arithmetic on all values at once. */
#include "bind/table_column.h"

#include "base/alloc.h"
#include "bind/args.h"
#include "bind/objects.h"
#include "bind/op.h"
#include "data/arith.h"
#include "data/summary.h"

#include <lauxlib.h>
#include <string.h>

static const char column_name[] = "halyard.column";
enum { INLINE_ROWS = 20000 }; /* fewer are worked on at once, more on a worker */

static void push_metatable(lua_State *L);

hal_column_object *hal_column_push(lua_State *L)
{
    hal_column_object *c = lua_newuserdatauv(L, sizeof *c, 0);
    *c = (hal_column_object){0};
    push_metatable(L);
    lua_setmetatable(L, -2);
    return c;
}

hal_column_object *hal_column_test(lua_State *L, int index)
{
    return luaL_testudata(L, index, column_name);
}

static hal_column_object *self(lua_State *L)
{
    hal_column_object *c = luaL_checkudata(L, 1, column_name);
    if (!c->table)
        hal_bind_fail(L, HAL_E_USAGE, "the column is closed");
    return c;
}

static int column_collect(lua_State *L)
{
    hal_column_object *c = luaL_checkudata(L, 1, column_name);
    hal_table *t = c->table;
    c->table = NULL;
    hal_table_unref(t);
    return 0;
}

static int column_len(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)hal_table_rows(self(L)->table));
    return 1;
}

/* --- What it holds ------------------------------------------------------------------------------
 */

static bool is_timestamp(const hal_column_object *c)
{
    return hal_table_field(c->table, c->i_col)->type == HAL_TYPE_TIMESTAMP;
}

static void push_extreme(lua_State *L, const hal_column_object *c, const hal_extreme *e)
{
    switch (e->kind) {
    case HAL_EXTREME_NONE:
        lua_pushnil(L);
        break;
    case HAL_EXTREME_BOOL:
        lua_pushboolean(L, e->i != 0);
        break;
    case HAL_EXTREME_INT:
        if (is_timestamp(c))
            lua_pushnumber(L, (double)e->i / 1e6);
        else
            lua_pushinteger(L, e->i);
        break;
    case HAL_EXTREME_FLOAT:
        lua_pushnumber(L, e->d);
        break;
    case HAL_EXTREME_TEXT:
        lua_pushlstring(L, e->text, e->size_bytes);
        break;
    }
}

typedef struct summary_op {
    hal_op op;
    hal_column_object of;
    char what; /* 'm'in, 'M'ax, 'a'verage */
    hal_summary summary;
} summary_op;

static void summary_clear(hal_op *op)
{
    summary_op *s = (summary_op *)op;
    hal_summary_clear(&s->summary);
    hal_table_unref(s->of.table);
}

static void summary_run(hal_op *op)
{
    summary_op *s = (summary_op *)op;
    op->err.status = hal_summary_add(&s->summary, s->of.table, s->of.i_col, &op->err);
}

static int summary_push(lua_State *L, hal_op *op)
{
    const summary_op *s = (const summary_op *)op;
    if (s->what == 'a' && s->summary.n_summed)
        lua_pushnumber(L, hal_summary_mean(&s->summary));
    else if (s->what == 'a')
        lua_pushnil(L);
    else
        push_extreme(L, &s->of, s->what == 'm' ? &s->summary.min : &s->summary.max);
    return 1;
}

static int summarise(lua_State *L, char what)
{
    hal_column_object *c = self(L);
    const hal_field *f = hal_table_field(c->table, c->i_col);
    if (!hal_field_is_scalar(f) || f->type == HAL_TYPE_COMPLEX64 || f->type == HAL_TYPE_COMPLEX128)
        return hal_bind_fail(L, HAL_E_USAGE,
                             "column \"%.60s\" holds %s: it has no min, max or mean", f->name,
                             hal_field_is_scalar(f) ? "complex numbers" : "arrays");
    if (what == 'a' && f->type == HAL_TYPE_STRING && hal_table_has_values(c->table, c->i_col))
        return hal_bind_fail(L, HAL_E_USAGE, "column \"%.60s\" is text: it has no mean", f->name);
    summary_op *s = hal_op_new(L, sizeof *s);
    s->op.clear = summary_clear;
    s->op.run = summary_run;
    s->op.push = summary_push;
    s->what = what;
    s->of = (hal_column_object){hal_table_ref(c->table), c->i_col};
    return hal_op_run_sized(L, &s->op, hal_table_rows(c->table) > INLINE_ROWS);
}

static int column_min(lua_State *L)
{
    return summarise(L, 'm');
}

static int column_max(lua_State *L)
{
    return summarise(L, 'M');
}

static int column_mean(lua_State *L)
{
    return summarise(L, 'a');
}

static int column_nulls(lua_State *L)
{
    hal_column_object *c = self(L);
    lua_pushinteger(L, (lua_Integer)hal_table_column(c->table, c->i_col).n_nulls);
    return 1;
}

/* --- Values -------------------------------------------------------------------------------------
 */

static int column_next(lua_State *L)
{
    hal_column_object *c = self(L);
    lua_Integer i = luaL_optinteger(L, 2, 0);
    if (i < 0 || (uint64_t)i >= hal_table_rows(c->table))
        return 0;
    lua_pushinteger(L, i + 1);
    hal_push_cell(L, c->table, c->i_col, (uint64_t)i);
    return 2;
}

/* for i, value in c:values() do: value is nil for null */
static int column_values(lua_State *L)
{
    self(L);
    lua_pushcfunction(L, column_next);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 0);
    return 3;
}

/* c[i], c.unit, c.<method>; upvalue 1: the methods. */
static int column_index(lua_State *L)
{
    hal_column_object *c = self(L);
    if (lua_type(L, 2) == LUA_TNUMBER) {
        lua_Integer i = hal_arg_integer(L, 2, "row number");
        if (i == (lua_Integer)hal_table_rows(c->table) + 1)
            return 0; /* where ipairs ends */
        if (i < 1 || (uint64_t)i > hal_table_rows(c->table))
            return hal_bind_fail(L, HAL_E_USAGE, "row %lld is outside 1..%llu", (long long)i,
                                 (unsigned long long)hal_table_rows(c->table));
        hal_push_cell(L, c->table, c->i_col, (uint64_t)i - 1);
        return 1;
    }
    const char *key = hal_arg_text(L, 2, "a column's field");
    const hal_field *f = hal_table_field(c->table, c->i_col);
    const struct {
        const char *key, *text;
    } texts[] = {{"name", f->name},   {"type", hal_type_name(f->type)},
                 {"unit", f->unit},   {"ucd", f->ucd},
                 {"utype", f->utype}, {"xtype", f->xtype},
                 {"id", f->id},       {"description", f->description},
                 {"shape", f->shape}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!strcmp(texts[i].key, key)) {
            lua_pushstring(L, texts[i].text ? texts[i].text : "");
            return 1;
        }
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL)
        return hal_bind_fail(
            L, HAL_E_USAGE,
            "a column has no field \"%.60s\"; it has name, type, unit, ucd, utype, "
            "xtype, id, description, shape, min, max, mean, nulls, values",
            key);
    return 1;
}

static int column_tostring(lua_State *L)
{
    hal_column_object *c = luaL_checkudata(L, 1, column_name);
    if (!c->table) {
        lua_pushliteral(L, "column (closed)");
        return 1;
    }
    const hal_field *f = hal_table_field(c->table, c->i_col);
    lua_pushfstring(L, "column \"%s\" (%s%s%s), %I values", f->name, hal_type_name(f->type),
                    *f->unit ? ", " : "", f->unit, (LUAI_UACINT)hal_table_rows(c->table));
    return 1;
}

/* --- Arithmetic ---------------------------------------------------------------------------------
 */

typedef struct compute_op {
    hal_op op;
    const char *name; /* in hal_column_operations */
    hal_operand operands[2];
    hal_table *held[2];
    int n;
    hal_table *result;
} compute_op;

static void compute_clear(hal_op *op)
{
    compute_op *c = (compute_op *)op;
    hal_table_unref(c->held[0]);
    hal_table_unref(c->held[1]);
    hal_table_unref(c->result);
}

static void compute_run(hal_op *op)
{
    compute_op *c = (compute_op *)op;
    c->result =
        hal_column_compute(c->name, &c->operands[0], c->n == 2 ? &c->operands[1] : NULL, &op->err);
}

static int compute_push(lua_State *L, hal_op *op)
{
    compute_op *c = (compute_op *)op;
    hal_column_object *o = hal_column_push(L);
    o->table = c->result;
    c->result = NULL;
    return hal_table_pushed(L, &op->err);
}

static const char *known_operation(lua_State *L, const char *name)
{
    for (const char *const *op = hal_column_operations; *op; op++)
        if (!strcmp(*op, name))
            return *op;
    hal_bind_fail(L, HAL_E_USAGE, "there is no operation '%.20s' of columns", name);
    return NULL;
}

static void read_operand(lua_State *L, int index, const char *name, compute_op *c, int i)
{
    hal_operand *o = &c->operands[i];
    hal_column_object *column = hal_column_test(L, index);
    if (column) {
        if (!column->table)
            hal_bind_fail(L, HAL_E_USAGE, "the column is closed");
        c->held[i] = hal_table_ref(column->table);
        *o = (hal_operand){.t = column->table, .i_col = column->i_col};
    } else if (lua_type(L, index) == LUA_TNUMBER) {
        o->is_int = lua_isinteger(L, index);
        o->i = o->is_int ? lua_tointeger(L, index) : 0;
        o->d = lua_tonumber(L, index);
    } else {
        hal_bind_fail(L, HAL_E_USAGE, "'%s' takes columns and numbers, not a %s%s", name,
                      luaL_typename(L, index),
                      lua_type(L, index) == LUA_TSTRING
                          ? "; by text rows are chosen with t:where { column = \"text\" }"
                          : "");
    }
}

static int start_compute(lua_State *L, const char *name, int first, int n)
{
    compute_op *c = hal_op_new(L, sizeof *c);
    c->op.clear = compute_clear;
    c->op.run = compute_run;
    c->op.push = compute_push;
    c->name = name;
    c->n = n;
    uint64_t most = 0;
    for (int i = 0; i < n; i++) {
        read_operand(L, first + i, name, c, i);
        uint64_t rows = c->held[i] ? hal_table_rows(c->held[i]) : 0;
        most = rows > most ? rows : most;
    }
    return hal_op_run_sized(L, &c->op, most > INLINE_ROWS);
}

/* compute(operation, a, [b]) -> column */
static int compute(lua_State *L)
{
    const char *name = known_operation(L, hal_arg_text(L, 1, "operation"));
    int n = lua_isnoneornil(L, 3) ? 1 : 2;
    return start_compute(L, name, 2, n);
}

/* Upvalue 1: the operation, 2: its number of operands. */
static int column_operator(lua_State *L)
{
    const char *name = known_operation(L, lua_tostring(L, lua_upvalueindex(1)));
    return start_compute(L, name, 1, (int)lua_tointeger(L, lua_upvalueindex(2)));
}

static int refuse_order(lua_State *L)
{
    return hal_bind_fail(L, HAL_E_USAGE,
                         "columns are compared by halyard.table.lt, le, gt, ge, eq and ne, which "
                         "give a column of true and false");
}

static int refuse_call(lua_State *L)
{
    return hal_bind_fail(L, HAL_E_USAGE,
                         "a column is no function; its values: for i, value in column:values() do");
}

static int refuse_whole_division(lua_State *L)
{
    return hal_bind_fail(L, HAL_E_USAGE,
                         "columns have no //; write halyard.table.floor(column / n)");
}

static void push_metatable(lua_State *L)
{
    static const luaL_Reg methods[] = {{"min", column_min},       {"max", column_max},
                                       {"mean", column_mean},     {"nulls", column_nulls},
                                       {"values", column_values}, {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__gc", column_collect},
                                    {"__close", column_collect},
                                    {"__len", column_len},
                                    {"__tostring", column_tostring},
                                    {"__pairs", column_values},
                                    {"__lt", refuse_order},
                                    {"__le", refuse_order},
                                    {"__call", refuse_call},
                                    {"__idiv", refuse_whole_division},
                                    {NULL, NULL}};
    static const struct {
        const char *event, *operation;
        int n;
    } operators[] = {{"__add", "+", 2}, {"__sub", "-", 2}, {"__mul", "*", 2},  {"__div", "/", 2},
                     {"__pow", "^", 2}, {"__mod", "%", 2}, {"__unm", "neg", 1}};
    if (!luaL_newmetatable(L, column_name))
        return;
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_pushcclosure(L, column_index, 1);
    lua_setfield(L, -2, "__index");
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        lua_pushstring(L, operators[i].operation);
        lua_pushinteger(L, operators[i].n);
        lua_pushcclosure(L, column_operator, 2);
        lua_setfield(L, -2, operators[i].event);
    }
    hal_set_text(L, "__metatable", column_name);
}

static int is_column(lua_State *L)
{
    lua_pushboolean(L, hal_column_test(L, 1) != NULL);
    return 1;
}

void hal_column_add_functions(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"compute", compute}, {"is_column", is_column}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
