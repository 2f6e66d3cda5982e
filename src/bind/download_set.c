/* SPDX-License-Identifier: BSD-3-Clause */
/* Files that come into one folder at the same time, driven by one task: a task, tables and a
 * closure for each of a million files would cost more than the files. */
#include "bind/download_set.h"

#include "base/alloc.h"
#include "bind/args.h"
#include "bind/file_row.h"
#include "bind/op.h"
#include "data/answer_words.h"
#include "host/secret.h"
#include "net/download.h"

#include <lauxlib.h>

#include <string.h>

static const char type_name[] = "halyard.downloads";

typedef struct transfer {
    struct transfer *prev, *next; /* of those under way; of those that ended only `next` */
    struct download_set *set;
    lua_Integer number;
    hal_download *download;
    hal_download_result result;
} transfer;

/* Lives until its userdata is gone and nothing is under way. */
typedef struct download_set {
    hal_loop *loop;
    char *dir;
    bool flat, replace, verify, keep_bad;
    bool is_closed; /* its userdata is gone */
    bool is_ending; /* the task that waits was cancelled: it ends after all that is under way */
    bool has_token; /* was looked for */
    hal_credentials token;
    transfer *under_way, *first_ended, *last_ended;
    size_t n_under_way;
    hal_op *waiter;
} download_set;

typedef struct next_op {
    hal_op op;
    download_set *set;
} next_op;

static void free_set(download_set *set)
{
    while (set->first_ended) {
        transfer *t = set->first_ended;
        set->first_ended = t->next;
        hal_free(t);
    }
    hal_credentials_clear(&set->token);
    hal_free(set->dir);
    hal_free(set);
}

static void wake(download_set *set)
{
    hal_op *waiter = set->waiter;
    set->waiter = NULL;
    if (waiter)
        hal_op_done(waiter);
}

static void ended(transfer *t)
{
    download_set *set = t->set;
    t->next = NULL;
    *(set->first_ended ? &set->last_ended->next : &set->first_ended) = t;
    set->last_ended = t;
}

static void download_done(void *ctx, const hal_download_result *result)
{
    transfer *t = ctx;
    download_set *set = t->set;
    t->result = *result;
    *(t->prev ? &t->prev->next : &set->under_way) = t->next;
    if (t->next)
        t->next->prev = t->prev;
    set->n_under_way--;
    ended(t);
    bool last = !set->n_under_way;
    if (last || !(set->is_closed || set->is_ending))
        wake(set);
    if (last && set->is_closed)
        free_set(set);
}

static void cancel(const download_set *set)
{
    for (transfer *t = set->under_way; t; t = t->next)
        hal_download_cancel(t->download);
}

static download_set *set_of(lua_State *L)
{
    download_set **slot = luaL_checkudata(L, 1, type_name);
    if (!*slot)
        hal_bind_fail(L, HAL_E_USAGE, "these downloads are closed");
    return *slot;
}

static int set_close(lua_State *L)
{
    download_set **slot = luaL_checkudata(L, 1, type_name), *set = *slot;
    *slot = NULL;
    if (!set)
        return 0;
    set->is_closed = true;
    if (set->waiter)
        ((next_op *)set->waiter)->set = NULL;
    cancel(set);
    if (!set->n_under_way)
        free_set(set);
    return 0;
}

static hal_status begin(transfer *t, const hal_download_request *request, bool wants_token,
                        hal_host *host, hal_err *err)
{
    download_set *set = t->set;
    hal_download_request r = *request;
    if (wants_token && !set->has_token) {
        hal_status st = hal_credentials_mast(&set->token, host, err);
        if (st) {
            hal_credentials_clear(&set->token);
            return st;
        }
        set->has_token = true;
    }
    if (wants_token && set->token.net.may_go)
        r.secrets = &set->token.net;
    t->download = hal_download_start(set->loop, &r, download_done, t, err);
    return t->download ? HAL_OK : err->status;
}

/* downloads:start(number, row, place, url, auth, hosts) -> true: the file of a row goes to `place`,
 * nil: where the row says. `url` nil: from its own address; `auth` may be nil; `hosts` has those of
 * all rows as keys: rows of a script can change. False: it is no row of a file. What cannot begin
 * has failed: `next` tells. */
static int set_start(lua_State *L)
{
    static const char what[] = "downloads:start";
    enum { NUMBER = 2, ROW, PLACE, URL, AUTH, HOSTS };
    download_set *set = set_of(L);
    hal_row row;
    char place[HAL_ROW_PLACE_SIZE];
    if (!hal_row_read(L, ROW, &row)) {
        lua_pushboolean(L, false);
        return 1;
    }
    hal_row_check_host(L, &row, HOSTS);
    if (lua_isnil(L, PLACE))
        hal_row_place(L, ROW, row.name, set->flat, place);
    hal_download_request request = {
        .url = lua_isnil(L, URL) ? row.address : hal_arg_text(L, URL, what),
        .source = row.source,
        .dir = set->dir,
        .path = lua_isnil(L, PLACE) ? place : hal_arg_text(L, PLACE, what),
        .expect_bytes = row.size_bytes,
        .expect_sha256 = row.sha256[0] ? row.sha256 : NULL,
        .replace = set->replace,
        .verify = set->verify,
        .keep_bad = set->keep_bad,
        .words = hal_answer_words,
    };
    const char *auth = lua_isnil(L, AUTH) ? NULL : hal_arg_text(L, AUTH, what);
    if (auth && strcmp(auth, "mast") != 0)
        return hal_bind_fail(L, HAL_E_USAGE, "downloads:start: auth must be \"mast\"");
    lua_Integer number = hal_arg_integer(L, NUMBER, what);
    hal_err err = HAL_ERR_INIT;
    transfer *t = hal_calloc(1, sizeof *t);
    if (!t) {
        hal_err_nomem(&err, sizeof *t);
        return hal_raise(L, &err);
    }
    t->set = set;
    t->number = number;
    if (begin(t, &request, auth != NULL, hal_host_of(L), &err)) {
        t->result.err = err;
        ended(t);
        lua_pushboolean(L, true);
        return 1;
    }
    t->next = set->under_way;
    if (t->next)
        t->next->prev = t;
    set->under_way = t;
    set->n_under_way++;
    lua_pushboolean(L, true);
    return 1;
}

/* Of the one that ended first: number, bytes, skipped, tries, warning; number, nil, error. */
static int push_ended(lua_State *L, download_set *set)
{
    transfer *t = set->first_ended;
    const hal_download_result *r = &t->result;
    lua_pushinteger(L, t->number);
    if (r->err.status) {
        lua_pushnil(L);
        hal_push_error(L, &r->err);
        hal_set_integer(L, "tries", r->tries);
    } else {
        lua_pushinteger(L, (lua_Integer)r->bytes);
        lua_pushboolean(L, r->skipped);
        lua_pushinteger(L, r->tries);
        if (r->warning[0])
            lua_pushstring(L, r->warning);
    }
    int n = r->err.status ? 3 : r->warning[0] ? 5 : 4;
    set->first_ended = t->next; /* nothing below can raise */
    hal_free(t);
    return n;
}

static int next_push(lua_State *L, hal_op *op)
{
    download_set *set = ((next_op *)op)->set;
    if (!set || !set->first_ended)
        return hal_bind_fail(L, HAL_E_USAGE,
                             "downloads:next: another task took it, or closed them");
    return push_ended(L, set);
}

static void next_cancel(hal_op *op)
{
    download_set *set = ((next_op *)op)->set;
    if (set && set->n_under_way) {
        set->is_ending = true;
        cancel(set);
        return;
    }
    if (set)
        set->waiter = NULL;
    hal_op_done(op);
}

static hal_status next_start(hal_op *op, hal_loop *loop, hal_err *err)
{
    (void)loop;
    (void)err;
    ((next_op *)op)->set->waiter = op;
    return HAL_OK;
}

/* downloads:next() -> what became of one, waiting until one has ended; nothing: none is under way
 */
static int set_next(lua_State *L)
{
    download_set *set = set_of(L);
    lua_settop(L, 1);
    if (set->first_ended)
        return push_ended(L, set);
    if (!set->n_under_way)
        return 0;
    if (set->waiter)
        return hal_bind_fail(L, HAL_E_USAGE, "downloads:next: another task waits for them");
    next_op *op = hal_op_new(L, sizeof *op);
    op->op.push = next_push;
    op->op.cancel = next_cancel;
    op->set = set;
    return hal_op_wait(L, &op->op, next_start);
}

/* downloads:cancel(): what is under way ends soon, as `next` tells */
static int set_cancel(lua_State *L)
{
    cancel(set_of(L));
    return 0;
}

/* downloads:has_ended() -> has one ended that `next` has not told? */
static int set_has_ended(lua_State *L)
{
    lua_pushboolean(L, set_of(L)->first_ended != NULL);
    return 1;
}

int hal_download_set(lua_State *L)
{
    static const char *const known[] = {"dir", "flat", "replace", "verify", "keep_bad", NULL};
    hal_options_check(L, 1, known, "download.set");
    lua_settop(L, 1);
    hal_option_require(L, 1, "dir", "download.set");
    download_set **slot = lua_newuserdatauv(L, sizeof *slot, 0);
    *slot = NULL;
    if (luaL_newmetatable(L, type_name)) {
        static const luaL_Reg methods[] = {{"start", set_start},
                                           {"next", set_next},
                                           {"cancel", set_cancel},
                                           {"has_ended", set_has_ended},
                                           {NULL, NULL}};
        static const luaL_Reg meta[] = {{"__gc", set_close}, {"__close", set_close}, {NULL, NULL}};
        luaL_setfuncs(L, meta, 0);
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
    }
    lua_setmetatable(L, -2);
    bool flat = hal_option_boolean(L, 1, "flat", false);
    bool replace = hal_option_boolean(L, 1, "replace", false);
    bool verify = hal_option_boolean(L, 1, "verify", false);
    bool keep_bad = hal_option_boolean(L, 1, "keep_bad", false);
    const char *dir = hal_option_text(L, 1, "dir", NULL);
    hal_err err = HAL_ERR_INIT;
    download_set *set = hal_calloc(1, sizeof *set);
    if (!set || !(set->dir = hal_strdup(dir))) {
        hal_free(set);
        hal_err_nomem(&err, sizeof *set);
        return hal_raise(L, &err);
    }
    set->loop = hal_host_loop(hal_host_of(L));
    set->flat = flat;
    set->replace = replace;
    set->verify = verify;
    set->keep_bad = keep_bad;
    *slot = set;
    return 1;
}
