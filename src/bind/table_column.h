/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of halyard.core.table share. */
#ifndef HAL_BIND_TABLE_COLUMN_H
#define HAL_BIND_TABLE_COLUMN_H

#include "data/table.h"

#include <lua.h>

/** Name of the metatable of tables. */
#define hal_table_class "halyard.table"

/** "halyard.column": one column of a table, which it keeps. The first member is what
 * hal_table_pushed expects. */
typedef struct hal_column_object {
    hal_table *table;
    size_t i_col;
} hal_column_object;

/** Pushes a column object without a table. */
hal_column_object *hal_column_push(lua_State *L);
/** NULL when the value is something else. */
hal_column_object *hal_column_test(lua_State *L, int index);
/** Pushes a cell: nil for null, integers and floats as numbers, timestamps as seconds since
 * 1970-01-01 UTC, complex numbers as lists {re, im}, arrays as lists. */
void hal_push_cell(lua_State *L, const hal_table *t, size_t i_col, uint64_t i_row);

/** __tostring of tables: rows and columns, names, units, the first cells. */
int hal_table_tostring(lua_State *L);
/** row_texts(t, i): the texts of the cells of row i, as CSV spells them; "" is a null. */
int hal_table_row_texts(lua_State *L);
/** Pushes what the table says about itself; returns 1. */
int hal_table_push_metadata(lua_State *L, const hal_table *t);

/** Raises `usage` when two fields have the same name. */
void hal_check_unique_names(lua_State *L, const hal_field *fields, size_t n);

/** Adds the functions that make tables and columns to the module on top of the stack. */
void hal_table_add_functions(lua_State *L);
void hal_table_add_writers(lua_State *L);
void hal_column_add_functions(lua_State *L);

#endif
