/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables leave Lua: written to a file, as one text, or as text piece by piece to a function. */
#include "bind/table_column.h"

#include "base/alloc.h"
#include "bind/args.h"
#include "bind/objects.h"
#include "bind/op.h"
#include "data/writer.h"
#include "host/host.h"

#include <lauxlib.h>
#include <stdatomic.h>

/* --- To a file, or as one text ------------------------------------------------------------------
 */

enum { ENCODED_MAX_DEFAULT = 64 << 20, ENCODED_MAX = 1 << 30 };

typedef struct write_op {
    hal_op op;
    hal_table *table;
    char *path; /* NULL: to `text` */
    hal_buf text;
    hal_format format;
    uint64_t size_bytes;
    hal_buf warnings; /* each ends with NUL */
    _Atomic bool stop;
} write_op;

static void write_clear(hal_op *op)
{
    write_op *w = (write_op *)op;
    hal_table_unref(w->table);
    hal_free(w->path);
    hal_buf_clear(&w->text);
    hal_buf_clear(&w->warnings);
}

static void write_cancel(hal_op *op)
{
    atomic_store(&((write_op *)op)->stop, true);
}

/* On a worker, which may not log. */
static void keep_warning(void *ctx, const char *text)
{
    hal_status st = hal_buf_append(ctx, text, strlen(text) + 1, NULL);
    (void)st;
}

static void write_run(hal_op *op)
{
    write_op *w = (write_op *)op;
    hal_writer *writer = w->path ? hal_writer_open_like(w->path, w->format, w->table, &op->err)
                                 : hal_writer_open_memory(&w->text, w->format, w->table, &op->err);
    if (writer)
        hal_writer_stop_on(writer, &w->stop);
    if (writer && !hal_writer_table(writer, w->table, &op->err))
        op->err.status = hal_writer_commit(writer, &w->size_bytes, &op->err);
    if (writer && !op->err.status)
        hal_writer_warnings(writer, keep_warning, &w->warnings);
    hal_writer_free(writer);
}

static int write_push(lua_State *L, hal_op *op)
{
    const write_op *w = (const write_op *)op;
    for (size_t at = 0; at < w->warnings.size_bytes; at += strlen(w->warnings.data + at) + 1)
        hal_host_log(hal_host_of(L), "warning", w->warnings.data + at);
    if (w->path) {
        lua_pushinteger(L, (lua_Integer)w->size_bytes);
        return 1;
    }
    hal_err err = HAL_ERR_INIT;
    if (hal_host_check_memory(L, w->text.size_bytes, &err))
        return hal_raise(L, &err);
    lua_pushlstring(L, hal_buf_text(&w->text), w->text.size_bytes);
    return 1;
}

static write_op *new_write(lua_State *L, hal_table *t, const char *format)
{
    write_op *w = hal_op_new(L, sizeof *w);
    hal_buf_init(&w->warnings, HAL_WRITER_WARNINGS_MAX);
    w->op.clear = write_clear;
    w->op.cancel = write_cancel;
    w->op.run = write_run;
    w->op.push = write_push;
    hal_err err = HAL_ERR_INIT;
    if (hal_format_from_name(&w->format, format, &err))
        hal_raise(L, &err);
    w->table = hal_table_ref(t);
    return w;
}

/* t:write(path, format) -> size in bytes */
static int table_write(lua_State *L)
{
    hal_table *t = hal_arg_table(L, 1, "write");
    lua_settop(L, 3);
    const char *path = hal_output_path(L, hal_arg_text(L, 2, "write: path"));
    write_op *w =
        new_write(L, t, lua_isnoneornil(L, 3) ? "csv" : hal_arg_text(L, 3, "write: format"));
    if (!(w->path = hal_strdup(path)))
        return hal_bind_fail(L, HAL_E_NOMEM, "no memory left");
    return hal_op_run(L, &w->op);
}

/* encode(t, format, max_bytes or nil) -> text */
static int table_encode(lua_State *L)
{
    hal_table *t = hal_arg_table(L, 1, "encode");
    lua_settop(L, 3);
    lua_Integer max =
        lua_isnil(L, 3) ? ENCODED_MAX_DEFAULT : hal_arg_integer(L, 3, "encode: max_bytes");
    if (max < 0 || max > ENCODED_MAX)
        return hal_bind_fail(L, HAL_E_USAGE, "encode: max_bytes must be 0 to %d", ENCODED_MAX);
    write_op *w = new_write(L, t, hal_arg_text(L, 2, "encode: format"));
    hal_buf_init(&w->text, (size_t)max);
    return hal_op_run(L, &w->op);
}

/* --- To a function ------------------------------------------------------------------------------
 */

/* What text(...) holds while it calls the script's function. */
typedef struct text_out {
    hal_writer *writer;
    hal_buf text;
} text_out;

static int text_collect(lua_State *L)
{
    text_out *o = lua_touserdata(L, 1);
    hal_writer_free(o->writer);
    o->writer = NULL;
    hal_buf_clear(&o->text);
    return 0;
}

static void text_put(lua_State *L, text_out *o)
{
    if (!o->text.size_bytes)
        return;
    lua_pushvalue(L, 3);
    lua_pushlstring(L, o->text.data, o->text.size_bytes);
    o->text.size_bytes = 0;
    lua_call(L, 1, 0);
}

/* text(t, format, put): the bytes that t:write would write go to put(piece), in pieces. */
static int table_text(lua_State *L)
{
    enum { SLICE_ROWS = 4096, TEXT_MAX = 1 << 30 }; /* TEXT_MAX: of so many rows */
    hal_table *t = hal_arg_table(L, 1, "text");
    hal_format format;
    hal_err err = HAL_ERR_INIT;
    if (hal_format_from_name(&format, hal_arg_text(L, 2, "text: format"), &err))
        return hal_raise(L, &err);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    text_out *o = lua_newuserdatauv(L, sizeof *o, 0);
    *o = (text_out){0};
    hal_buf_init(&o->text, TEXT_MAX);
    if (luaL_newmetatable(L, "halyard.text_out")) {
        lua_pushcfunction(L, text_collect);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    hal_status st = HAL_OK;
    uint64_t n = hal_table_rows(t);
    if (!(o->writer = hal_writer_open_memory(&o->text, format, t, &err)))
        return hal_raise(L, &err);
    for (uint64_t at = 0; at < n && !st; at += SLICE_ROWS) {
        st = hal_writer_slice(o->writer, t, at, n - at < SLICE_ROWS ? n - at : SLICE_ROWS, &err);
        text_put(L, o);
    }
    if (!st)
        st = hal_writer_commit(o->writer, NULL, &err);
    if (st)
        return hal_raise(L, &err);
    text_put(L, o);
    return 0;
}

void hal_table_add_writers(lua_State *L)
{
    static const luaL_Reg functions[] = {{"write", table_write},
                                         {"encode", table_encode},
                                         {"text", table_text},
                                         {"row_texts", hal_table_row_texts},
                                         {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
