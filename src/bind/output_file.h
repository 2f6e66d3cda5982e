/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HAL_BIND_OUTPUT_FILE_H
#define HAL_BIND_OUTPUT_FILE_H

#include <lua.h>
#include <stdint.h>

/** create_file(path) -> file: append(text), cells(...), commit(); the file appears whole at commit,
 * or not at all. */
int hal_create_file(lua_State *L);

/** The same for lines that are made in C: raise as those do. What is put between the first call and
 * the last is one line. */
typedef struct hal_output_file hal_output_file;
hal_output_file *hal_output_file_of(lua_State *L, int index);
void hal_output_begin_line(lua_State *L, hal_output_file *f);
void hal_output_put(lua_State *L, hal_output_file *f, const char *text);
void hal_output_put_integer(lua_State *L, hal_output_file *f, int64_t value);
/** As a cell of CSV (RFC 4180). */
void hal_output_put_cell(lua_State *L, hal_output_file *f, const char *text);
/** As a string of JSON. */
void hal_output_put_json(lua_State *L, hal_output_file *f, const char *text);
void hal_output_end_line(lua_State *L, hal_output_file *f);

#endif
