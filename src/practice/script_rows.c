/* SPDX-License-Identifier: BSD-3-Clause */
/* The rows that a dialect asked for: read outside the script's lock, handed over inside. */
#include "practice/script_private.h"

#include "base/alloc.h"

#include <lauxlib.h>

enum { LIST_BYTES_MAX = 256 * 1024 * 1024 };

static hal_status keep_text(hal_row_list *l, hal_cell *c, hal_err *err)
{
    if (c->kind != HAL_CELL_TEXT)
        return HAL_OK;
    const char *text = c->text;
    c->value = (int64_t)l->text.size_bytes;
    return hal_buf_append(&l->text, text, c->size, err);
}

/* Room for one more row. */
static hal_status grow(hal_row_list *l, hal_err *err)
{
    if (l->n_rows < l->capacity)
        return HAL_OK;
    size_t capacity = l->capacity ? 2 * l->capacity : 64;
    if (capacity * l->n_columns * sizeof *l->cells > LIST_BYTES_MAX)
        return hal_err_set(err, HAL_E_BUDGET, "too many values for one list of rows");
    hal_cell *grown = hal_realloc(l->cells, capacity * l->n_columns * sizeof *grown);
    if (!grown)
        return hal_err_nomem(err, capacity * l->n_columns * sizeof *grown);
    l->cells = grown;
    l->capacity = capacity;
    return HAL_OK;
}

hal_status hal_row_list_read(hal_row_list *l, hal_sql *sql, uint64_t max, hal_err *err)
{
    hal_buf_init(&l->text, LIST_BYTES_MAX);
    l->n_columns = hal_sql_columns(sql);
    hal_cell *next = hal_malloc(l->n_columns * sizeof *next);
    hal_status st = next ? HAL_OK : hal_err_nomem(err, l->n_columns * sizeof *next);
    while (!st && max) {
        st = hal_sql_next(sql, next, &l->more, err);
        if (st || !l->more || l->n_rows == max)
            break;
        st = grow(l, err);
        if (st)
            break;
        for (size_t i = 0; i < l->n_columns && !st; i++)
            st = keep_text(l, &next[i], err);
        memcpy(&l->cells[l->n_rows++ * l->n_columns], next, l->n_columns * sizeof *next);
    }
    hal_free(next);
    return st;
}

void hal_row_list_clear(hal_row_list *l)
{
    hal_free(l->cells);
    hal_buf_clear(&l->text);
    *l = (hal_row_list){0};
}

static void push_cell(const hal_script *s, lua_State *L, const hal_row_list *l, const hal_cell *c)
{
    switch (c->kind) {
    case HAL_CELL_INT:
        lua_pushinteger(L, c->value);
        break;
    case HAL_CELL_REAL:
        lua_pushnumber(L, c->real);
        break;
    case HAL_CELL_TEXT:
        lua_pushlstring(L, hal_buf_text(&l->text) + c->value, c->size);
        break;
    default:
        lua_rawgeti(L, LUA_REGISTRYINDEX, s->null);
    }
}

void hal_row_list_push(const hal_script *s, lua_State *L, const hal_row_list *l, const hal_sql *sql)
{
    lua_createtable(L, (int)l->n_rows, 0);
    for (size_t row = 0; row < l->n_rows; row++) {
        lua_createtable(L, (int)l->n_columns, 0);
        for (size_t i = 0; i < l->n_columns; i++) {
            push_cell(s, L, l, &l->cells[row * l->n_columns + i]);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        lua_rawseti(L, -2, (lua_Integer)row + 1);
    }
    lua_createtable(L, (int)l->n_columns, 0);
    for (size_t i = 0; i < l->n_columns; i++) {
        hal_sql_origin origin = hal_sql_origin_of(sql, i);
        lua_createtable(L, 0, 4);
        hal_script_set_text(L, "name", origin.name);
        hal_script_set_text(L, "type", origin.type);
        hal_script_set_text(L, "table", origin.table);
        hal_script_set_text(L, "column", origin.column);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_pushboolean(L, l->more);
}
