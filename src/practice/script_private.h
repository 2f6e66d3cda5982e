/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the script share. Everything here runs in protected mode, under the script's
 * lock, and may raise Lua errors. */
#ifndef HAL_PRACTICE_SCRIPT_PRIVATE_H
#define HAL_PRACTICE_SCRIPT_PRIVATE_H

#include "practice/script.h"

#include <lua.h>

#include <pthread.h>

struct hal_script {
    lua_State *L;
    pthread_mutex_t lock;
    hal_sky *sky;
    const hal_practice_options *options;
    int module; /* reference of lua/practice/init.lua's table */
    int null;   /* of json.null */
};

/* script_core.c: the module practice.core; the upvalue is the script. */
int hal_script_open_core(lua_State *L);
/** Sets a field of the table on top; nothing when `value` is NULL. */
void hal_script_set_text(lua_State *L, const char *key, const char *value);

/* script_answer.c: an answer's table is on top. */
void hal_script_take_answer(hal_script *s, lua_State *L, hal_answer *out);
/** A statement's table is on top: sql, params, views, tables, seconds, stars. `*out` is NULL with
 * `failure` set when the database refuses it. */
void hal_script_take_sql(hal_script *s, lua_State *L, hal_sql **out, hal_err *failure);

/* script_rows.c: the rows that a dialect asked for. */
typedef struct hal_row_list {
    size_t n_columns, n_rows, capacity;
    hal_cell *cells; /* of text: where it begins in `text` */
    hal_buf text;
    bool more; /* there were more */
} hal_row_list;
/** Outside the lock. At most `max` rows. */
hal_status hal_row_list_read(hal_row_list *l, hal_sql *sql, uint64_t max, hal_err *err);
void hal_row_list_clear(hal_row_list *l);
/** Pushes rows (lists; json.null for NULL), columns, more. */
void hal_row_list_push(const hal_script *s, lua_State *L, const hal_row_list *l,
                       const hal_sql *sql);

#endif
