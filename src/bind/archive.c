/* SPDX-License-Identifier: BSD-3-Clause */
/* halyard.core.archive: zip and tar.gz to files, on a worker. */
#include "bind/bind.h"

#include "bind/args.h"
#include "bind/op.h"
#include "net/bundle.h"

#include "base/alloc.h"

#include <lauxlib.h>

typedef struct unpack_op {
    hal_op op;
    char *dir, *file, *into;
    hal_bundle_request request;
    _Atomic bool cancel;
    hal_bundle bundle;
} unpack_op;

static void unpack_clear(hal_op *op)
{
    unpack_op *u = (unpack_op *)op;
    hal_free(u->dir);
    hal_free(u->file);
    hal_free(u->into);
    hal_bundle_clear(&u->bundle);
}

static void unpack_cancel(hal_op *op)
{
    atomic_store(&((unpack_op *)op)->cancel, true);
}

static void unpack_run(hal_op *op)
{
    unpack_op *u = (unpack_op *)op;
    op->err.status = hal_bundle_unpack(&u->request, &u->cancel, &u->bundle, &op->err);
}

static int unpack_push(lua_State *L, hal_op *op)
{
    const hal_bundle *b = &((unpack_op *)op)->bundle;
    if (b->is_none) {
        lua_pushnil(L);
        lua_pushlstring(L, hal_buf_text(&b->head), b->head.size_bytes);
        return 2;
    }
    lua_createtable(L, (int)b->n_members, 0);
    for (size_t i = 0; i < b->n_members; i++) {
        lua_createtable(L, 0, 3);
        hal_set_text(L, "path", b->members[i].path);
        hal_set_integer(L, "bytes", (int64_t)b->members[i].size_bytes);
        hal_set_text(L, "sha256", b->members[i].sha256);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* unpack{dir, file, into, max_bytes, replace, remove} -> list of {path, bytes, sha256}; or nil and
 * the file's first bytes when it is no zip or gzip: it is removed then. Without `into` the bundle
 * is read to its end and nothing is written. `remove`: a damaged or refused one goes. */
static int unpack(lua_State *L)
{
    static const char *const known[] = {"dir",     "file",   "max_bytes", "into",
                                        "replace", "remove", NULL};
    hal_options_check(L, 1, known, "archive.unpack");
    lua_settop(L, 1);
    for (int i = 0; i < 3; i++)
        hal_option_require(L, 1, known[i], "archive.unpack");
    const char *dir = hal_option_text(L, 1, "dir", NULL);
    const char *file = hal_option_text(L, 1, "file", NULL);
    const char *into = hal_option_text(L, 1, "into", NULL);
    int64_t max_bytes = hal_option_integer(L, 1, "max_bytes", 0);
    bool replace = hal_option_boolean(L, 1, "replace", false);
    bool remove = hal_option_boolean(L, 1, "remove", false);
    if (max_bytes < 1)
        return hal_bind_fail(L, HAL_E_USAGE, "option \"max_bytes\" must be at least 1");
    unpack_op *u = hal_op_new(L, sizeof *u);
    u->op.clear = unpack_clear;
    u->op.cancel = unpack_cancel;
    u->op.run = unpack_run;
    u->op.push = unpack_push;
    u->dir = hal_strdup(dir);
    u->file = hal_strdup(file);
    u->into = into ? hal_strdup(into) : NULL;
    if (!u->dir || !u->file || (into && !u->into))
        return hal_bind_fail(L, HAL_E_NOMEM, "out of memory");
    u->request =
        (hal_bundle_request){u->dir, u->file, u->into, (uint64_t)max_bytes, replace, remove};
    return hal_op_run(L, &u->op);
}

int hal_open_archive(lua_State *L)
{
    static const luaL_Reg functions[] = {{"unpack", unpack}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
