/* SPDX-License-Identifier: BSD-3-Clause */
/* halyard.core.holdings: what a folder of downloads holds, read only: its state file, the digest of
 * a file, the names below it. */
#include "bind/bind.h"

#include "base/alloc.h"
#include "base/read.h"
#include "bind/args.h"
#include "bind/op.h"
#include "host/files.h"
#include "net/digest.h"
#include "net/file_index.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- The state file --------------------------------------------------------------------------- */

static const char state_type[] = "halyard.holdings";

typedef struct state {
    int fd; /* < 0: there is no state file */
    hal_file_index by_path, by_source;
    bool has_path, has_source; /* the indexes are filled */
    char *dir;
} state;

static int state_close(lua_State *L)
{
    state *s = luaL_checkudata(L, 1, state_type);
    hal_file_index_clear(&s->by_path);
    hal_file_index_clear(&s->by_source);
    hal_free(s->dir);
    s->dir = NULL;
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    return 0;
}

static state *state_of(lua_State *L)
{
    return luaL_checkudata(L, 1, state_type);
}

static void load(lua_State *L, state *s, hal_file_index *ix, bool *filled)
{
    hal_err err = HAL_ERR_INIT;
    if (!*filled && s->fd >= 0 && hal_file_index_load(ix, s->fd, s->dir, &err))
        hal_raise(L, &err);
    *filled = true;
}

static void push_line(lua_State *L, const hal_file_line *line)
{
    lua_createtable(L, 0, 6);
    hal_set_text(L, "path", line->path);
    hal_set_text(L, "source", line->source);
    hal_set_text(L, "etag", line->etag);
    hal_set_text(L, "sha256", line->record.sha256);
    hal_set_integer(L, "bytes", (int64_t)line->record.bytes);
    hal_set_integer(L, "catalogue_bytes", line->record.catalogue_bytes);
}

static int find(lua_State *L, state *s, hal_file_index *ix, bool *filled)
{
    hal_file_line line;
    const char *key = hal_arg_text(L, 2, "find");
    load(L, s, ix, filled);
    if (s->fd < 0 || !hal_file_index_find(ix, s->fd, key, &line))
        return 0;
    push_line(L, &line);
    return 1;
}

/* state:find(path) -> {path, source, etag, sha256, bytes, catalogue_bytes} or nil */
static int state_find(lua_State *L)
{
    state *s = state_of(L);
    return find(L, s, &s->by_path, &s->has_path);
}

/* state:of(source) -> the same */
static int state_of_source(lua_State *L)
{
    state *s = state_of(L);
    return find(L, s, &s->by_source, &s->has_source);
}

static hal_status add_path(void *ctx, const hal_file_line *line, hal_err *err)
{
    return hal_buf_append(ctx, line->path, strlen(line->path) + 1, err);
}

static void push_texts(lua_State *L, const hal_buf *texts)
{
    lua_newtable(L);
    lua_Integer n = 0;
    for (size_t at = 0; at < texts->size_bytes; at += strlen(texts->data + at) + 1) {
        lua_pushstring(L, texts->data + at);
        lua_rawseti(L, -2, ++n);
    }
}

/* state:paths() -> list of the paths of all files */
static int state_paths(lua_State *L)
{
    state *s = state_of(L);
    hal_buf *texts = hal_scratch(L, SIZE_MAX / 4);
    hal_err err = HAL_ERR_INIT;
    load(L, s, &s->by_path, &s->has_path);
    if (s->fd >= 0 && hal_file_index_each(&s->by_path, s->fd, s->dir, add_path, texts, &err))
        return hal_raise(L, &err);
    push_texts(L, texts);
    hal_buf_clear(texts);
    return 1;
}

/* state(dir) -> what is known of the files that were downloaded into it */
static int open_state(lua_State *L)
{
    const char *dir = hal_arg_text(L, 1, "state");
    state *s = lua_newuserdatauv(L, sizeof *s, 0);
    *s = (state){.fd = -1, .by_source = {.by_source = true}};
    if (luaL_newmetatable(L, state_type)) {
        static const luaL_Reg methods[] = {{"find", state_find},
                                           {"of", state_of_source},
                                           {"paths", state_paths},
                                           {"close", state_close},
                                           {NULL, NULL}};
        static const luaL_Reg meta[] = {
            {"__gc", state_close}, {"__close", state_close}, {NULL, NULL}};
        luaL_setfuncs(L, meta, 0);
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
    }
    lua_setmetatable(L, -2);
    if (!(s->dir = hal_strdup(dir)))
        return hal_bind_fail(L, HAL_E_NOMEM, "no memory left");
    s->fd = hal_files_open_below(dir, ".halyard/files");
    return 1;
}

/* --- The digest of a file --------------------------------------------------------------------- */

enum { BLOCK_BYTES = 256 << 10 };

typedef struct digest_op {
    hal_op op;
    char *dir, *path;
    bool there;
    uint64_t bytes;
    char sha256[HAL_SHA256_TEXT_SIZE];
    _Atomic bool stop;
} digest_op;

static void digest_clear(hal_op *op)
{
    hal_free(((digest_op *)op)->dir);
    hal_free(((digest_op *)op)->path);
}

static void digest_cancel(hal_op *op)
{
    atomic_store(&((digest_op *)op)->stop, true);
}

static hal_status digest_fd(digest_op *d, int fd, char *block, hal_err *err)
{
    hal_sha256 *digest = hal_sha256_new(err);
    hal_status st = digest ? HAL_OK : err->status;
    while (!st && !atomic_load(&d->stop)) {
        ssize_t n = read(fd, block, BLOCK_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            st = hal_err_errno(err, errno, "cannot read %s/%s", d->dir, d->path);
        if (n <= 0)
            break;
        d->bytes += (uint64_t)n;
        st = hal_sha256_add(digest, block, (size_t)n, err);
    }
    if (!st)
        st = hal_sha256_text(digest, d->sha256, err);
    hal_sha256_free(digest);
    return st;
}

static void digest_run(hal_op *op)
{
    digest_op *d = (digest_op *)op;
    struct stat info;
    int fd = hal_files_open_below(d->dir, d->path);
    if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENOTDIR))
        return;
    if (fd < 0) {
        hal_err_errno(&op->err, errno, "cannot read %s/%s", d->dir, d->path);
        return;
    }
    char *block = hal_malloc(BLOCK_BYTES);
    if (!block)
        hal_err_nomem(&op->err, BLOCK_BYTES);
    else if (!fstat(fd, &info) && S_ISREG(info.st_mode))
        d->there = !digest_fd(d, fd, block, &op->err);
    hal_free(block);
    close(fd);
}

static int digest_push(lua_State *L, hal_op *op)
{
    const digest_op *d = (const digest_op *)op;
    if (!d->there)
        return 0;
    lua_pushinteger(L, (lua_Integer)d->bytes);
    lua_pushstring(L, d->sha256);
    return 2;
}

/* digest(dir, path) -> bytes, sha256; nothing when no regular file is there. Links are not
 * followed. */
static int digest(lua_State *L)
{
    const char *dir = hal_arg_text(L, 1, "digest"), *path = hal_arg_text(L, 2, "digest");
    lua_settop(L, 2);
    digest_op *d = hal_op_new(L, sizeof *d);
    d->op.clear = digest_clear;
    d->op.cancel = digest_cancel;
    d->op.run = digest_run;
    d->op.push = digest_push;
    if (!(d->dir = hal_strdup(dir)) || !(d->path = hal_strdup(path)))
        return hal_bind_fail(L, HAL_E_NOMEM, "no memory left");
    return hal_op_run(L, &d->op);
}

/* --- The names below a folder ----------------------------------------------------------------- */

enum { DEPTH_MAX = 64, PATH_BYTES = 4096 };

typedef struct tree_op {
    hal_op op;
    char *dir;
    hal_buf names;
    _Atomic bool stop;
    char path[PATH_BYTES]; /* of the folder being read, with '/' at its end */
} tree_op;

static void tree_clear(hal_op *op)
{
    tree_op *t = (tree_op *)op;
    hal_free(t->dir);
    hal_buf_clear(&t->names);
}

static void tree_cancel(hal_op *op)
{
    atomic_store(&((tree_op *)op)->stop, true);
}

static hal_status read_folder(tree_op *t, int fd, size_t n_path, int depth, hal_err *err);

static hal_status read_entry(tree_op *t, int fd, const char *name, size_t n_path, int depth,
                             hal_err *err)
{
    size_t n = strlen(name);
    struct stat info;
    if (fstatat(fd, name, &info, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? HAL_OK : hal_err_errno(err, errno, "cannot look at %s", name);
    if (n_path + n + 2 > sizeof t->path)
        return hal_err_set(err, HAL_E_IO, "%s/%s: a path of more than %d bytes", t->dir, t->path,
                           PATH_BYTES);
    memcpy(t->path + n_path, name, n + 1);
    if (!S_ISDIR(info.st_mode))
        return hal_buf_append(&t->names, t->path, n_path + n + 1, err);
    if (depth == DEPTH_MAX)
        return hal_err_set(err, HAL_E_IO, "%s/%s: more than %d folders deep", t->dir, t->path,
                           DEPTH_MAX);
    int next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0)
        return hal_err_errno(err, errno, "cannot read the folder %s/%s", t->dir, t->path);
    memcpy(t->path + n_path + n, "/", 2);
    return read_folder(t, next, n_path + n + 1, depth + 1, err);
}

/* Closes `fd`. */
static hal_status read_folder(tree_op *t, int fd, size_t n_path, int depth, hal_err *err)
{
    hal_status st = HAL_OK;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return hal_err_errno(err, errno, "cannot read the folder %s/%s", t->dir, t->path);
    }
    const struct dirent *entry;
    while (!st && !atomic_load(&t->stop) && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            st = read_entry(t, fd, entry->d_name, n_path, depth, err);
    closedir(dir);
    return st;
}

static void tree_run(hal_op *op)
{
    tree_op *t = (tree_op *)op;
    int fd = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        hal_err_errno(&op->err, errno, "cannot open the folder %s", t->dir);
    else
        op->err.status = read_folder(t, fd, 0, 0, &op->err);
}

static int tree_push(lua_State *L, hal_op *op)
{
    push_texts(L, &((tree_op *)op)->names);
    return 1;
}

/* tree(dir) -> list of the paths below it of all that is no folder, in no order */
static int tree(lua_State *L)
{
    const char *dir = hal_arg_text(L, 1, "tree");
    lua_settop(L, 1);
    tree_op *t = hal_op_new(L, sizeof *t);
    hal_buf_init(&t->names, SIZE_MAX / 4);
    t->op.clear = tree_clear;
    t->op.cancel = tree_cancel;
    t->op.run = tree_run;
    t->op.push = tree_push;
    if (!(t->dir = hal_strdup(dir)))
        return hal_bind_fail(L, HAL_E_NOMEM, "no memory left");
    return hal_op_run(L, &t->op);
}

enum { LINE_MAX_BYTES = 1 << 20 };

/* first_line(dir, path) -> the first line of a file, without its end; nil when it has none of less
 * than 1 MiB */
static int first_line(lua_State *L)
{
    const char *dir = hal_arg_text(L, 1, "first_line"), *path = hal_arg_text(L, 2, "first_line");
    hal_buf *text = hal_scratch(L, LINE_MAX_BYTES);
    hal_err err = HAL_ERR_INIT;
    if (hal_buf_reserve(text, LINE_MAX_BYTES, &err))
        return hal_raise(L, &err);
    int fd = hal_files_open_below(dir, path);
    if (fd < 0) {
        hal_err_errno(&err, errno, "cannot read %s/%s", dir, path);
        return hal_raise(L, &err);
    }
    ssize_t n = hal_read_at(fd, text->data, LINE_MAX_BYTES, 0);
    close(fd);
    const char *end = n > 0 ? memchr(text->data, '\n', (size_t)n) : NULL;
    if (!end)
        return 0;
    lua_pushlstring(L, text->data, (size_t)(end - text->data));
    hal_buf_clear(text);
    return 1;
}

int hal_open_holdings(lua_State *L)
{
    static const luaL_Reg functions[] = {{"state", open_state},
                                         {"digest", digest},
                                         {"tree", tree},
                                         {"first_line", first_line},
                                         {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
