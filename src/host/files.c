/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/files.h"

#include "base/alloc.h"
#include "base/write.h"
#include "host/host.h"

#include <lauxlib.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAMES_MAX = 100000 };

static int raise_errno(lua_State *L, int error, const char *doing, const char *path)
{
    hal_err err = HAL_ERR_INIT;
    if (error == ENOENT || error == ENOTDIR)
        hal_err_set(&err, HAL_E_NOT_FOUND, "cannot %s %s: no such file", doing, path);
    else
        hal_err_errno(&err, error, "cannot %s %s", doing, path);
    return hal_raise(L, &err);
}

/* Reads exactly `n` bytes and the end of the file; an errno value or 0. */
static int read_whole(const char *path, char *bytes, size_t n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno;
    int error = 0;
    size_t done = 0;
    while (!error && done <= n) {
        ssize_t got = read(fd, bytes + done, n + 1 - done);
        if (got < 0 && errno != EINTR)
            error = errno;
        else if (got == 0)
            break;
        else if (got > 0)
            done += (size_t)got;
    }
    close(fd);
    return error ? error : done == n ? 0 : EAGAIN;
}

void hal_files_push_text(lua_State *L, const char *path, size_t max_bytes)
{
    struct stat info;
    hal_err err = HAL_ERR_INIT;
    if (stat(path, &info))
        raise_errno(L, errno, "read", path);
    if (!S_ISREG(info.st_mode)) {
        hal_err_set(&err, HAL_E_USAGE, "cannot read %s: it is not a file", path);
        hal_raise(L, &err);
    }
    if (info.st_size < 0 || (uintmax_t)info.st_size > max_bytes) {
        hal_err_set(&err, HAL_E_BUDGET, "cannot read %s: it has more than %zu bytes", path,
                    max_bytes);
        hal_raise(L, &err);
    }
    size_t n = (size_t)info.st_size;
    char *bytes = lua_newuserdatauv(L, n + 1, 0);
    int error = read_whole(path, bytes, n);
    if (error == EAGAIN) {
        hal_err_set(&err, HAL_E_IO, "cannot read %s: it changed while being read", path);
        hal_raise(L, &err);
    }
    if (error)
        raise_errno(L, error, "read", path);
    lua_pushlstring(L, bytes, n);
    lua_remove(L, -2);
}

typedef struct folder {
    DIR *dir;
} folder;

static int folder_gc(lua_State *L)
{
    folder *f = luaL_checkudata(L, 1, "halyard.folder");
    if (f->dir)
        closedir(f->dir);
    f->dir = NULL;
    return 0;
}

static void add_names(lua_State *L, DIR *dir, const char *suffix)
{
    size_t n_suffix = strlen(suffix);
    lua_Integer n = 0;
    const struct dirent *entry;
    while ((entry = readdir(dir)) && n < NAMES_MAX) {
        size_t length = strlen(entry->d_name);
        if (entry->d_name[0] == '.' || length < n_suffix ||
            strcmp(entry->d_name + length - n_suffix, suffix) != 0)
            continue;
        lua_pushstring(L, entry->d_name);
        lua_rawseti(L, -2, ++n);
    }
}

void hal_files_push_names(lua_State *L, const char *dir, const char *suffix)
{
    folder *f = lua_newuserdatauv(L, sizeof *f, 0);
    f->dir = NULL;
    if (luaL_newmetatable(L, "halyard.folder")) {
        lua_pushcfunction(L, folder_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    lua_newtable(L);
    f->dir = opendir(dir);
    if (!f->dir && errno != ENOENT && errno != ENOTDIR)
        raise_errno(L, errno, "list", dir);
    if (f->dir) {
        add_names(L, f->dir, suffix);
        closedir(f->dir);
        f->dir = NULL;
    }
    lua_remove(L, -2);
    lua_getglobal(L, "table");
    lua_getfield(L, -1, "sort");
    lua_remove(L, -2);
    lua_pushvalue(L, -2);
    lua_call(L, 1, 0);
}

bool hal_files_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

/* The part of `path` below `root`. */
static hal_status relative_part(const char **out, const char *root, const char *path, hal_err *err)
{
    size_t n = strlen(root);
    while (n > 1 && root[n - 1] == '/')
        n--;
    const char *rest = path;
    if (!strncmp(path, root, n) && (path[n] == '/' || path[n] == '\0'))
        rest = path + n;
    else if (path[0] == '/')
        return hal_err_set(err, HAL_E_PERMISSION,
                           "%s is outside the output folder %s; choose another with --output", path,
                           root);
    while (*rest == '/')
        rest++;
    for (const char *c = rest; *c;) {
        size_t length = strcspn(c, "/");
        if (length == 2 && c[0] == '.' && c[1] == '.')
            return hal_err_set(err, HAL_E_PERMISSION,
                               "%s leaves the output folder; names with .. are refused", path);
        c += length;
        c += strspn(c, "/");
    }
    *out = rest;
    return HAL_OK;
}

hal_status hal_files_output_failed(hal_err *err, int errno_value, const char *verb,
                                   const char *item, const char *root)
{
    hal_status st = hal_err_errno(err, errno_value, "cannot %s %s%sthe output folder %s", verb,
                                  item ? item : "", item ? " in " : "", root);
    if (err) {
        size_t n = strlen(err->text);
        snprintf(err->text + n, sizeof err->text - n, "; choose another with --output");
    }
    return st;
}

static hal_status make_root(const char *root, hal_err *err)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s", root);
    if (n < 0 || (size_t)n >= sizeof path)
        return hal_err_set(err, HAL_E_USAGE,
                           "the output folder's name is too long; choose another with --output");
    for (char *c = path + 1;; c++) {
        if (*c != '/' && *c != '\0')
            continue;
        char kept = *c;
        *c = '\0';
        if (mkdir(path, 0777) && errno != EEXIST)
            return hal_files_output_failed(err, errno, "make", NULL, path);
        *c = kept;
        if (!kept)
            return HAL_OK;
    }
}

/* Opens the folder of `rest`'s last component below `root`, never through a symbolic link. *name is
 * the last component; "" when `all` asks for every component to be a folder. */
static hal_status walk(int *out_fd, const char **name, const char *root, const char *rest,
                       bool make, hal_err *err)
{
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return hal_files_output_failed(err, errno, "open", NULL, root);
    for (;;) {
        char part[NAME_MAX + 1];
        size_t n = strcspn(rest, "/");
        bool last = rest[n] == '\0';
        if (n == 0 || (last && !make))
            break;
        if (n > NAME_MAX) {
            close(fd);
            return hal_err_set(err, HAL_E_USAGE, "a name in %s is too long", rest);
        }
        memcpy(part, rest, n);
        part[n] = '\0';
        if (make && mkdirat(fd, part, 0777) && errno != EEXIST) {
            int error = errno;
            close(fd);
            return hal_files_output_failed(err, error, "make", part, root);
        }
        int next = openat(fd, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int error = errno;
        close(fd);
        if (next < 0 && (error == ELOOP || error == ENOTDIR))
            return hal_err_set(err, HAL_E_PERMISSION,
                               "%s in the output folder is not a folder of its own; remove it",
                               part);
        if (next < 0)
            return hal_files_output_failed(err, error, "open", part, root);
        fd = next;
        rest += n;
        rest += strspn(rest, "/");
    }
    *out_fd = fd;
    *name = rest;
    return HAL_OK;
}

hal_status hal_files_make_dirs(const char *root, const char *path, hal_err *err)
{
    const char *rest = NULL, *name = NULL;
    int fd = -1;
    hal_status st = relative_part(&rest, root, path, err);
    if (!st)
        st = make_root(root, err);
    if (!st)
        st = walk(&fd, &name, root, rest, true, err);
    if (st)
        return st;
    close(fd);
    return HAL_OK;
}

static int write_whole(int fd, hal_slice bytes)
{
    size_t done = 0;
    while (done < bytes.size_bytes) {
        ssize_t n = write(fd, bytes.data + done, bytes.size_bytes - done);
        if (n < 0 && !hal_write_again(fd, errno))
            return errno;
        if (n > 0)
            done += (size_t)n;
    }
    return 0;
}

void hal_files_drop(hal_files_out *out)
{
    if (out->fd >= 0) {
        close(out->fd);
        unlinkat(out->dir, out->part, 0);
    }
    if (out->dir >= 0)
        close(out->dir);
    out->dir = out->fd = -1;
}

static hal_status failed(hal_files_out *out, int error, hal_err *err)
{
    hal_files_drop(out);
    return hal_files_output_failed(err, error, "write", out->path, out->root);
}

hal_status hal_files_create(hal_files_out *out, const char *root, const char *path, hal_err *err)
{
    const char *rest = NULL, *name = NULL;
    out->dir = out->fd = -1;
    out->n_held = 0;
    hal_status st = relative_part(&rest, root, path, err);
    if (!st)
        st = walk(&out->dir, &name, root, rest, false, err);
    if (st)
        return st;
    int n = snprintf(out->part, sizeof out->part, ".%s.halyard-%ld", name, (long)getpid());
    snprintf(out->root, sizeof out->root, "%s", root);
    snprintf(out->path, sizeof out->path, "%s", rest);
    const char *slash = strrchr(out->path, '/');
    out->name = slash ? slash + 1 : out->path;
    if (!*name || n < 0 || n > NAME_MAX || strlen(rest) >= sizeof out->path) {
        hal_files_drop(out);
        return hal_err_set(err, HAL_E_USAGE, "%s is not a file name that can be written", path);
    }
    unlinkat(out->dir, out->part, 0);
    out->fd =
        openat(out->dir, out->part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    return out->fd < 0 ? failed(out, errno, err) : HAL_OK;
}

hal_status hal_files_append(hal_files_out *out, hal_slice bytes, hal_err *err)
{
    int error = 0;
    if (out->n_held + bytes.size_bytes > sizeof out->held) {
        error = write_whole(out->fd, (hal_slice){out->held, out->n_held});
        out->n_held = 0;
    }
    if (bytes.size_bytes > sizeof out->held) {
        error = error ? error : write_whole(out->fd, bytes);
    } else {
        memcpy(out->held + out->n_held, bytes.data, bytes.size_bytes);
        out->n_held += bytes.size_bytes;
    }
    return error ? failed(out, error, err) : HAL_OK;
}

hal_status hal_files_commit(hal_files_out *out, hal_err *err)
{
    int error = write_whole(out->fd, (hal_slice){out->held, out->n_held});
    if (!error && (fsync(out->fd) || renameat(out->dir, out->part, out->dir, out->name)))
        error = errno;
    if (error)
        return failed(out, error, err);
    close(out->fd);
    out->fd = -1;
    hal_files_drop(out);
    return HAL_OK;
}

hal_status hal_files_write(const char *root, const char *path, hal_slice bytes, hal_err *err)
{
    hal_files_out *out = hal_malloc(sizeof *out);
    hal_status st = out ? hal_files_create(out, root, path, err) : hal_err_nomem(err, sizeof *out);
    if (!st)
        st = hal_files_append(out, bytes, err);
    if (!st)
        st = hal_files_commit(out, err);
    hal_free(out);
    return st;
}

int hal_files_open_below(const char *root, const char *path)
{
    int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (dir >= 0) {
        size_t n = strcspn(path, "/");
        char name[256];
        int fd = -1;
        errno = EACCES;
        if (n < sizeof name && !(n == 2 && path[0] == '.' && path[1] == '.')) {
            memcpy(name, path, n);
            name[n] = '\0';
            fd = openat(dir, n ? name : ".",
                        O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK |
                            (path[n] ? O_DIRECTORY : 0));
        }
        int error = errno;
        close(dir);
        errno = error;
        if (fd < 0 || !path[n])
            return fd;
        path += n + 1;
        dir = fd;
    }
    return -1;
}
