/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE /* flock, sync_file_range */
#include "data/outfile.h"

#include "base/alloc.h"
#include "base/write.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BUFFER_SIZE = 256 << 10,
    SEND_BYTES = 8 << 20,
    NAME_KEPT_BYTES = 200,
    SUFFIX_BYTES = 40,
    TRIES_MAX = 1000
};

static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

static size_t part_path_size(const char *path)
{
    return strlen(path) + SUFFIX_BYTES;
}

/* A name that no other writer has, and a lock on the file that says that its writer lives: a later
 * run removes what is not locked. 0 or an errno value. */
static int create_part(hal_outfile *f)
{
    static atomic_uint n_made;
    size_t folder = folder_length(f->path), size = part_path_size(f->path);
    for (int i = 0; i < TRIES_MAX; i++) {
        snprintf(f->part_path, size, "%.*s.%.*s.halyard-%ld-%u", (int)folder, f->path,
                 NAME_KEPT_BYTES, f->path + folder, (long)getpid(), atomic_fetch_add(&n_made, 1));
        f->fd = open(f->part_path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (f->fd < 0 && errno == EEXIST)
            continue;
        if (f->fd < 0)
            return errno;
        struct stat info;
        bool removed = flock(f->fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK;
        if (!removed && !fstat(f->fd, &info) && info.st_nlink > 0)
            return 0;
        close(f->fd);
    }
    f->fd = -1;
    return EEXIST;
}

bool hal_outfile_is_direct(const char *path)
{
    struct stat there, out;
    if (!path || !strcmp(path, "-"))
        return true;
    if (stat(path, &there) || S_ISDIR(there.st_mode))
        return false;
    return !S_ISREG(there.st_mode) || (!fstat(STDOUT_FILENO, &out) && out.st_dev == there.st_dev &&
                                       out.st_ino == there.st_ino);
}

/* The file behind symbolic links is the one that is replaced. */
static hal_status open_named(hal_outfile *f, const char *path, hal_err *err)
{
    struct stat there;
    char room[PATH_MAX], *target = NULL;
    if (hal_outfile_is_direct(path)) {
        hal_status st = hal_outfile_open(f, NULL, err);
        if (st || (!stat(path, &there) && S_ISREG(there.st_mode))) /* standard output by name */
            return st;
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd >= 0 && (f->path = hal_strdup(path))) {
            f->fd = fd;
            return HAL_OK;
        }
        st = fd < 0 ? hal_err_errno(err, errno, "cannot write %s", path)
                    : hal_err_nomem(err, strlen(path));
        if (fd >= 0)
            close(fd);
        hal_outfile_close(f);
        return st;
    }
    if (!lstat(path, &there) && S_ISLNK(there.st_mode) && !(target = realpath(path, room)))
        return hal_err_errno(err, errno, "cannot write %s, a link to what is not there", path);
    return hal_outfile_open(f, target ? target : path, err);
}

hal_status hal_outfile_open_named(hal_outfile *f, const char *path, hal_err *err)
{
    *f = (hal_outfile){.fd = -1};
    return !path || !strcmp(path, "-") ? hal_outfile_open(f, NULL, err) : open_named(f, path, err);
}

hal_status hal_outfile_open(hal_outfile *f, const char *path, hal_err *err)
{
    *f = (hal_outfile){.fd = -1};
    f->buffer = hal_malloc_pages(BUFFER_SIZE);
    if (!f->buffer)
        return hal_err_nomem(err, BUFFER_SIZE);
    if (!path || !strcmp(path, "-")) {
        f->direct = true;
        f->fd = STDOUT_FILENO;
        return HAL_OK;
    }
    size_t folder = folder_length(path), size = part_path_size(path);
    f->path = hal_strdup(path);
    f->part_path = hal_malloc(size);
    f->folder = folder ? hal_strndup(path, folder) : hal_strdup(".");
    if (!f->path || !f->part_path || !f->folder) {
        hal_free(f->part_path);
        f->part_path = NULL;
        hal_outfile_close(f);
        return hal_err_nomem(err, size);
    }
    int error = create_part(f);
    if (error) {
        hal_status st = hal_err_errno(err, error, "cannot write %s", path);
        hal_free(f->part_path);
        f->part_path = NULL;
        hal_outfile_close(f);
        return st;
    }
    struct stat old;
    if (!lstat(path, &old) && S_ISREG(old.st_mode) && fchmod(f->fd, old.st_mode & 0777)) {
        hal_status st = hal_err_errno(err, errno, "cannot keep the permissions of %s", path);
        hal_outfile_close(f);
        return st;
    }
    return HAL_OK;
}

hal_status hal_outfile_open_memory(hal_outfile *f, hal_buf *to, hal_err *err)
{
    *f = (hal_outfile){
        .fd = -1, .direct = true, .memory = to, .buffer = hal_malloc_pages(BUFFER_SIZE)};
    return f->buffer ? HAL_OK : hal_err_nomem(err, BUFFER_SIZE);
}

static const char *shown(const hal_outfile *f)
{
    return f->path ? f->path : "standard output";
}

static hal_status append(hal_outfile *f, const char *bytes, size_t n, hal_err *err)
{
    if (n > f->memory->max_bytes - f->memory->size_bytes)
        return hal_err_set(err, HAL_E_BUDGET,
                           "the output is larger than %zu bytes; take fewer rows or columns at "
                           "once, or raise max_bytes",
                           f->memory->max_bytes);
    f->size_bytes += n;
    return hal_buf_append(f->memory, bytes, n, err);
}

hal_status hal_outfile_check(const hal_outfile *f, hal_err *err)
{
    return f->stop && atomic_load(f->stop) ? hal_err_set(err, HAL_E_CANCELLED, "interrupted")
                                           : HAL_OK;
}

static hal_status write_all(hal_outfile *f, const char *bytes, size_t n, hal_err *err)
{
    hal_status st = hal_outfile_check(f, err);
    if (f->memory && !st)
        return append(f, bytes, n, err);
    for (; n && !st; st = hal_outfile_check(f, err)) {
        ssize_t done = write(f->fd, bytes, n);
        if (done < 0 && hal_write_again(f->fd, errno))
            continue;
        if (done < 0)
            return hal_err_errno(err, errno, "cannot write %s", shown(f));
        bytes += done;
        n -= (size_t)done;
        f->size_bytes += (uint64_t)done;
    }
    /* The disk begins now, or the end would wait for all of it. */
    if (!f->direct && f->size_bytes - f->sent_bytes >= SEND_BYTES) {
        sync_file_range(f->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
        f->sent_bytes = f->size_bytes;
    }
    return st;
}

static hal_status flush(hal_outfile *f, hal_err *err)
{
    hal_status st = write_all(f, f->buffer, f->used, err);
    if (!st)
        f->used = 0;
    return st;
}

hal_status hal_outfile_room(hal_outfile *f, size_t n, hal_err *err)
{
    return BUFFER_SIZE - f->used >= n ? HAL_OK : flush(f, err);
}

hal_status hal_outfile_write(hal_outfile *f, const void *bytes, size_t n, hal_err *err)
{
    hal_status st = HAL_OK;
    for (const char *p = bytes; n && !st;) { /* whole pages are quicker than what fits */
        size_t part = n < BUFFER_SIZE - f->used ? n : BUFFER_SIZE - f->used;
        memcpy(f->buffer + f->used, p, part);
        f->used += part;
        p += part;
        n -= part;
        if (n)
            st = flush(f, err);
    }
    return st;
}

hal_status hal_outfile_patch(hal_outfile *f, const void *bytes, size_t n, uint64_t at, hal_err *err)
{
    hal_status st = flush(f, err);
    for (const char *p = bytes; n && !st;) {
        ssize_t done = pwrite(f->fd, p, n, (off_t)at);
        if (done < 0 && hal_write_again(f->fd, errno))
            continue;
        if (done < 0)
            return hal_err_errno(err, errno, "cannot write %s", f->path);
        p += done;
        n -= (size_t)done;
        at += (uint64_t)done;
    }
    return st;
}

hal_status hal_outfile_restart(hal_outfile *f, int *old, hal_err *err)
{
    hal_status st = flush(f, err);
    if (st)
        return st;
    unlink(f->part_path);
    *old = f->fd;
    f->size_bytes = f->sent_bytes = 0;
    int error = create_part(f);
    if (!error)
        return HAL_OK;
    hal_free(f->part_path);
    f->part_path = NULL;
    return hal_err_errno(err, error, "cannot write %s", f->path);
}

/* The folder too, so that the new name survives a power cut. */
static hal_status sync_folder(const char *folder, hal_err *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    hal_status st = HAL_OK;
    /* Some file systems cannot sync a folder; the file itself is safe there. */
    if (fd < 0 || (fsync(fd) && errno != EINVAL && errno != EBADF))
        st = hal_err_errno(err, errno, "cannot sync folder %s", folder);
    if (fd >= 0)
        close(fd);
    return st;
}

hal_status hal_outfile_commit(hal_outfile *f, hal_err *err)
{
    hal_status st = flush(f, err);
    if (st || f->direct)
        return st;
    if (fsync(f->fd))
        return hal_err_errno(err, errno, "cannot write %s", f->path);
    st = hal_outfile_check(f, err); /* a large file takes its time to reach the disk */
    if (st)
        return st;
    int fd = f->fd;
    f->fd = -1;
    if (close(fd))
        return hal_err_errno(err, errno, "cannot write %s", f->path);
    if (rename(f->part_path, f->path))
        return hal_err_errno(err, errno, "cannot rename %s to %s", f->part_path, f->path);
    hal_free(f->part_path);
    f->part_path = NULL;
    return sync_folder(f->folder, err);
}

void hal_outfile_close(hal_outfile *f)
{
    if (f->fd >= 0 && f->fd != STDOUT_FILENO)
        close(f->fd);
    if (f->part_path)
        unlink(f->part_path);
    hal_free(f->path);
    hal_free(f->part_path);
    hal_free(f->folder);
    hal_free(f->buffer);
    *f = (hal_outfile){.fd = -1};
}
