/* SPDX-License-Identifier: BSD-3-Clause */
/* Files that scripts write line by line, since they may be longer than memory: lists of files. A
 * line goes from its values into the file, without becoming a string of Lua. */
#include "bind/output_file.h"

#include "base/number.h"
#include "bind/args.h"
#include "bind/json_text.h"
#include "host/files.h"
#include "host/host.h"

#include <lauxlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 64 << 20 };
static const char type_name[] = "halyard.output_file";

struct hal_output_file {
    hal_files_out out;
    hal_buf line; /* under construction */
};

static int file_close(lua_State *L)
{
    hal_output_file *f = lua_touserdata(L, 1);
    hal_files_drop(&f->out);
    hal_buf_clear(&f->line);
    return 0;
}

void hal_output_begin_line(lua_State *L, hal_output_file *f)
{
    if (f->out.fd < 0)
        hal_bind_fail(L, HAL_E_USAGE, "the file is closed");
    f->line.size_bytes = 0;
}

hal_output_file *hal_output_file_of(lua_State *L, int index)
{
    hal_output_file *f = luaL_checkudata(L, index, type_name);
    hal_output_begin_line(L, f);
    return f;
}

static int append(lua_State *L, hal_output_file *f, hal_slice bytes)
{
    hal_err err = HAL_ERR_INIT;
    return hal_files_append(&f->out, bytes, &err) ? hal_raise(L, &err) : 0;
}

static int file_append(lua_State *L)
{
    return append(L, hal_output_file_of(L, 1), hal_arg_slice(L, 2, "append"));
}

static hal_status put_cell(hal_buf *out, const char *text, size_t n, hal_err *err)
{
    if (strcspn(text, "\",\n\r") == n)
        return hal_buf_append(out, text, n, err);
    hal_status st = hal_buf_append(out, "\"", 1, err);
    for (size_t i = 0; i < n && !st; i++)
        st = text[i] == '"' ? hal_buf_append(out, "\"\"", 2, err)
                            : hal_buf_append(out, text + i, 1, err);
    return st ? st : hal_buf_append(out, "\"", 1, err);
}

static void check(lua_State *L, hal_status status)
{
    hal_check_append(L, status, "a line", LINE_MAX_BYTES);
}

static void put(lua_State *L, hal_output_file *f, const char *text, size_t n)
{
    check(L, hal_buf_append(&f->line, text, n, NULL));
}

void hal_output_put(lua_State *L, hal_output_file *f, const char *text)
{
    put(L, f, text, strlen(text));
}

void hal_output_put_integer(lua_State *L, hal_output_file *f, int64_t value)
{
    char digits[HAL_INT64_TEXT_MAX];
    put(L, f, digits, hal_number_print_int64(digits, value));
}

void hal_output_put_cell(lua_State *L, hal_output_file *f, const char *text)
{
    check(L, put_cell(&f->line, text, strlen(text), NULL));
}

void hal_output_put_json(lua_State *L, hal_output_file *f, const char *text)
{
    hal_json_put_text(L, &f->line, text);
}

void hal_output_end_line(lua_State *L, hal_output_file *f)
{
    append(L, f, (hal_slice){f->line.data, f->line.size_bytes});
}

static void put_argument(lua_State *L, hal_output_file *f, int index)
{
    size_t n = 0;
    const char *text = lua_isinteger(L, index) ? NULL : luaL_optlstring(L, index, "", &n);
    if (text)
        check(L, put_cell(&f->line, text, n, NULL));
    else
        hal_output_put_integer(L, f, lua_tointeger(L, index));
}

/* file:cells(...): texts, numbers and nil (an empty cell) as a line (RFC 4180, but LF) */
static int file_cells(lua_State *L)
{
    hal_output_file *f = hal_output_file_of(L, 1);
    int n_cells = lua_gettop(L);
    for (int i = 2; i <= n_cells; i++) {
        put_argument(L, f, i);
        hal_output_put(L, f, i < n_cells ? "," : "\n");
    }
    hal_output_end_line(L, f);
    return 0;
}

static int file_commit(lua_State *L)
{
    hal_output_file *f = hal_output_file_of(L, 1);
    hal_err err = HAL_ERR_INIT;
    if (hal_files_commit(&f->out, &err))
        return hal_raise(L, &err);
    return 0;
}

int hal_create_file(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    hal_output_file *f = lua_newuserdatauv(L, sizeof *f, 0);
    f->out.dir = f->out.fd = -1;
    hal_buf_init(&f->line, LINE_MAX_BYTES);
    if (luaL_newmetatable(L, type_name)) {
        static const luaL_Reg methods[] = {
            {"append", file_append}, {"cells", file_cells}, {"commit", file_commit}, {NULL, NULL}};
        static const luaL_Reg meta[] = {
            {"__gc", file_close}, {"__close", file_close}, {NULL, NULL}};
        luaL_setfuncs(L, meta, 0);
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
    }
    lua_setmetatable(L, -2);
    hal_err err = HAL_ERR_INIT;
    if (hal_files_create(&f->out, hal_output_root(L), path, &err))
        return hal_raise(L, &err);
    return 1;
}
