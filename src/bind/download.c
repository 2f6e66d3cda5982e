/* SPDX-License-Identifier: BSD-3-Clause */
/* halyard.core.download: one file to disk, verified; names of files. */
#include "bind/bind.h"

#include "bind/args.h"
#include "bind/auth.h"
#include "bind/download_set.h"
#include "bind/file_list.h"
#include "bind/file_row.h"
#include "bind/op.h"
#include "data/answer_words.h"
#include "net/disposition.h"
#include "net/download.h"
#include "net/folder.h"
#include "net/name_set.h"

#include <lauxlib.h>

typedef struct file_op {
    hal_op op;
    hal_download *download;
    hal_download_request *request; /* valid during the call only */
    hal_download_result result;
    hal_credentials credentials;
} file_op;

static void file_clear(hal_op *op)
{
    hal_credentials_clear(&((file_op *)op)->credentials);
}

static void file_cancel(hal_op *op)
{
    hal_download_cancel(((file_op *)op)->download);
}

static void file_done(void *ctx, const hal_download_result *result)
{
    file_op *f = ctx;
    f->result = *result;
    f->op.err = result->err;
    hal_op_done(&f->op);
}

static hal_status file_start(hal_op *op, hal_loop *loop, hal_err *err)
{
    file_op *f = (file_op *)op;
    f->download = hal_download_start(loop, f->request, file_done, f, err);
    f->request = NULL;
    return f->download ? HAL_OK : err->status;
}

static int file_push(lua_State *L, hal_op *op)
{
    const hal_download_result *r = &((file_op *)op)->result;
    lua_createtable(L, 0, 6);
    hal_set_integer(L, "bytes", (int64_t)r->bytes);
    hal_set_text(L, "sha256", r->sha256);
    hal_set_boolean(L, "skipped", r->skipped);
    hal_set_integer(L, "tries", r->tries);
    hal_set_integer(L, "wire_bytes", (int64_t)r->wire_bytes);
    if (r->warning[0])
        hal_set_text(L, "warning", r->warning);
    return 1;
}

static void file_decorate(lua_State *L, hal_op *op)
{
    hal_set_integer(L, "tries", ((file_op *)op)->result.tries);
}

/* file{url, dir, path, source, size, sha256, starts, replace, verify, keep_bad, auth}
 * -> {bytes, sha256, skipped, tries, wire_bytes, warning}; errors have tries, too */
static int file(lua_State *L)
{
    static const char *const known[] = {"url",    "dir",     "path",   "source",   "size", "sha256",
                                        "starts", "replace", "verify", "keep_bad", "auth", NULL};
    hal_options_check(L, 1, known, "download.file");
    lua_settop(L, 1);
    for (int i = 0; i < 3; i++)
        hal_option_require(L, 1, known[i], "download.file");
    hal_download_request request = {
        .url = hal_option_text(L, 1, "url", NULL),
        .source = hal_option_text(L, 1, "source", NULL),
        .dir = hal_option_text(L, 1, "dir", NULL),
        .path = hal_option_text(L, 1, "path", NULL),
        .expect_bytes = hal_option_integer(L, 1, "size", -1),
        .expect_sha256 = hal_option_text(L, 1, "sha256", NULL),
        .starts = hal_option_text(L, 1, "starts", NULL),
        .replace = hal_option_boolean(L, 1, "replace", false),
        .verify = hal_option_boolean(L, 1, "verify", false),
        .keep_bad = hal_option_boolean(L, 1, "keep_bad", false),
        .words = hal_answer_words,
    };
    file_op *f = hal_op_new(L, sizeof *f);
    f->op.clear = file_clear;
    f->op.cancel = file_cancel;
    f->op.push = file_push;
    f->op.decorate = file_decorate;
    f->request = &request;
    hal_option_auth(L, 1, &f->credentials);
    request.secrets = f->credentials.net.may_go ? &f->credentials.net : NULL;
    return hal_op_wait(L, &f->op, file_start);
}

static int safe_name(lua_State *L)
{
    const char *name = hal_arg_text(L, 1, "safe_name");
    if (hal_is_safe_name(name)) {
        lua_settop(L, 1);
        return 1;
    }
    hal_buf *out = hal_scratch(L, 4096);
    hal_err err = HAL_ERR_INIT;
    if (hal_safe_name(out, name, &err))
        return hal_raise(L, &err);
    lua_pushlstring(L, hal_buf_text(out), out->size_bytes);
    hal_buf_clear(out);
    return 1;
}

/* disposition(value) -> the file name in a Content-Disposition header, or nil */
static int disposition(lua_State *L)
{
    hal_slice value = hal_arg_slice(L, 1, "disposition");
    hal_buf *out = hal_scratch(L, 1 << 20);
    bool found = false;
    hal_err err = HAL_ERR_INIT;
    if (hal_disposition_name(out, value, &found, &err))
        return hal_raise(L, &err);
    if (!found)
        return 0;
    lua_pushlstring(L, out->data, out->size_bytes);
    hal_buf_clear(out);
    return 1;
}

static const char names_type[] = "halyard.names";

/* record(dir, path) -> bytes, sha256, etag or nil of a file that this run found or put there, or
 * nothing */
static int record(lua_State *L)
{
    hal_file_line line;
    const char *dir = hal_arg_text(L, 1, "record"), *path = hal_arg_text(L, 2, "record");
    if (!hal_download_line(hal_host_loop(hal_host_of(L)), dir, path, &line))
        return 0;
    lua_pushinteger(L, (lua_Integer)line.record.bytes);
    lua_pushstring(L, line.record.sha256);
    if (line.etag[0])
        lua_pushstring(L, line.etag);
    else
        lua_pushnil(L);
    return 3;
}

/* coming() -> bytes that are there of the files that are coming in */
static int coming(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)hal_downloads_bytes(hal_host_loop(hal_host_of(L))));
    return 1;
}

static int names_close(lua_State *L)
{
    hal_name_set **set = luaL_checkudata(L, 1, names_type);
    hal_name_set_free(*set);
    *set = NULL;
    return 0;
}

/* names:add(text) -> was it new? */
static int names_add(lua_State *L)
{
    hal_name_set **set = luaL_checkudata(L, 1, names_type);
    const char *text = hal_arg_text(L, 2, "names:add");
    bool is_new = false;
    hal_err err = HAL_ERR_INIT;
    if (!*set)
        return hal_bind_fail(L, HAL_E_USAGE, "the set is closed");
    if (hal_name_set_add(*set, text, &is_new, &err))
        return hal_raise(L, &err);
    lua_pushboolean(L, is_new);
    return 1;
}

/* names(folded) -> set of texts; folded: case and composition do not matter */
static int names(lua_State *L)
{
    bool folded = lua_toboolean(L, 1);
    hal_name_set **set = lua_newuserdatauv(L, sizeof *set, 0);
    *set = NULL;
    if (luaL_newmetatable(L, names_type)) {
        static const luaL_Reg meta[] = {
            {"__gc", names_close}, {"__close", names_close}, {NULL, NULL}};
        luaL_setfuncs(L, meta, 0);
        static const luaL_Reg methods[] = {
            {"add", names_add}, {"close", names_close}, {NULL, NULL}};
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
    }
    lua_setmetatable(L, -2);
    hal_err err = HAL_ERR_INIT;
    if (!(*set = hal_name_set_new(folded, &err)))
        return hal_raise(L, &err);
    return 1;
}

/* expect(): there will be requests */
static int expect(lua_State *L)
{
    hal_loop_expect_requests(hal_host_loop(hal_host_of(L)));
    return 0;
}

int hal_open_download(lua_State *L)
{
    static const luaL_Reg functions[] = {{"file", file},           {"set", hal_download_set},
                                         {"safe_name", safe_name}, {"names", names},
                                         {"record", record},       {"disposition", disposition},
                                         {"expect", expect},       {"coming", coming},
                                         {"row", hal_file_row},    {"place", hal_file_place},
                                         {"list", hal_file_list},  {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
