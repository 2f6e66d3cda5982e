/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE /* syscall, flock */
#include "net/folder.h"

#include "base/alloc.h"
#include "base/write.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1u
#endif

enum { OPEN_TRIES = 16 };

struct hal_folder {
    atomic_int refs;
    pthread_mutex_t lock;
    char *dir;
    int fd, state_fd; /* -1 until opened */
    bool names_saved; /* those of the state folder and file, this run */
    hal_file_index index;
    hal_parent *parents; /* that are in use */
};

hal_folder *hal_folder_new(const char *dir, hal_err *err)
{
    hal_folder *f = hal_calloc(1, sizeof *f);
    char *copy = f ? hal_strdup(dir) : NULL;
    if (!copy) {
        hal_free(f);
        hal_err_nomem(err, sizeof *f);
        return NULL;
    }
    atomic_init(&f->refs, 1);
    pthread_mutex_init(&f->lock, NULL);
    f->dir = copy;
    f->fd = f->state_fd = -1;
    return f;
}

void hal_folder_ref(hal_folder *folder)
{
    atomic_fetch_add(&folder->refs, 1);
}

void hal_folder_unref(hal_folder *folder)
{
    if (!folder || atomic_fetch_sub(&folder->refs, 1) > 1)
        return;
    hal_file_index_clear(&folder->index);
    if (folder->fd >= 0)
        close(folder->fd);
    if (folder->state_fd >= 0)
        close(folder->state_fd);
    pthread_mutex_destroy(&folder->lock);
    hal_free(folder->dir);
    hal_free(folder);
}

const char *hal_folder_dir(const hal_folder *folder)
{
    return folder->dir;
}

hal_status hal_folder_check_path(const char *path, hal_err *err)
{
    if (!path || strlen(path) > HAL_PATH_MAX_BYTES)
        return hal_err_set(err, HAL_E_USAGE, "a file path of 1 to %d bytes is needed",
                           HAL_PATH_MAX_BYTES);
    for (const char *p = path;; p++) {
        size_t n = strcspn(p, "/");
        if (n == 0 || n > HAL_COMPONENT_MAX_BYTES || p[0] == '.')
            return hal_err_set(err, HAL_E_USAGE,
                               "the path '%.100s' has an empty, hidden or too long part; it must "
                               "be relative to the output folder",
                               path);
        for (size_t i = 0; i < n; i++)
            if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f || p[i] == '\\')
                return hal_err_set(err, HAL_E_USAGE,
                                   "a file path must not hold control characters or backslashes");
        p += n;
        if (!*p)
            return HAL_OK;
    }
}

/* --- the state file --------------------------------------------------------------------------- */

static hal_status open_state(hal_folder *f, hal_err *err)
{
    if (mkdirat(f->fd, ".halyard", 0777) && errno != EEXIST)
        return hal_err_errno(err, errno, "cannot write in folder %s; choose another output folder",
                             f->dir);
    int state_dir = openat(f->fd, ".halyard", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (state_dir < 0)
        return hal_err_errno(err, errno, "cannot open %s/.halyard", f->dir);
    int fd = openat(state_dir, "files",
                    O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0666);
    int error = errno;
    close(state_dir);
    if (fd < 0)
        return hal_err_errno(err, error, "cannot open %s/.halyard/files", f->dir);
    hal_status st = hal_file_index_load(&f->index, fd, f->dir, err);
    if (st)
        close(fd);
    else
        f->state_fd = fd;
    return st;
}

hal_status hal_folder_open(hal_folder *folder, hal_err *err)
{
    hal_status st = HAL_OK;
    pthread_mutex_lock(&folder->lock);
    if (folder->fd < 0) {
        folder->fd = open(folder->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (folder->fd < 0)
            st = hal_err_errno(err, errno, "cannot open the output folder %s", folder->dir);
    }
    if (!st && folder->state_fd < 0)
        st = open_state(folder, err);
    pthread_mutex_unlock(&folder->lock);
    return st;
}

bool hal_folder_find_line(hal_folder *folder, const char *path, hal_file_line *out)
{
    pthread_mutex_lock(&folder->lock);
    bool found = hal_file_index_find(&folder->index, folder->state_fd, path, out);
    pthread_mutex_unlock(&folder->lock);
    return found;
}

hal_status hal_folder_check_source(hal_folder *folder, const char *path, const char *source,
                                   hal_err *err)
{
    hal_file_line line;
    if (!hal_folder_find_line(folder, path, &line) || !strcmp(line.source, source))
        return HAL_OK;
    return hal_err_set(err, HAL_E_IO,
                       "%s/%s holds %.150s, not %.150s; choose another folder or ask for "
                       "existing = \"replace\"",
                       folder->dir, path, line.source, source);
}

static hal_status append_line(hal_folder *f, const hal_buf *line, uint64_t *offset, hal_err *err)
{
    hal_status st = hal_write_all(f->state_fd, line->data, line->size_bytes,
                                  "the state of the output folder", err);
    off_t end =
        st ? -1 : lseek(f->state_fd, 0, SEEK_CUR); /* append mode: behind what was written */
    f->index.torn = st != HAL_OK;
    if (!st && end < 0)
        st = hal_err_errno(err, errno, "cannot save the state of the output folder %s", f->dir);
    if (!st)
        *offset = (uint64_t)end - line->size_bytes + (line->data[0] == '\n');
    return st;
}

hal_status hal_folder_record(hal_folder *folder, const char *path, const hal_file_record *record,
                             const char *source, const char *etag, hal_err *err)
{
    hal_buf line;
    hal_buf_init(&line, HAL_FILE_LINE_MAX + 1);
    uint64_t offset = 0;
    pthread_mutex_lock(&folder->lock);
    hal_status st = folder->index.torn ? hal_buf_puts(&line, "\n", err) : HAL_OK;
    if (!st)
        st = hal_file_line_format(&line, record, path, source, etag, err);
    if (!st)
        st = append_line(folder, &line, &offset, err);
    if (!st)
        st = hal_file_index_put(&folder->index, path, offset, folder->dir, err);
    pthread_mutex_unlock(&folder->lock);
    hal_buf_clear(&line);
    return st;
}

/* Where a file's sync does not save its name, a state that is lost makes files somebody else's. */
static int save_names(const hal_folder *f)
{
    int state_dir = openat(f->fd, ".halyard", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int failed = state_dir < 0 || fsync(state_dir) || fsync(f->fd) ? errno : 0;
    if (state_dir >= 0)
        close(state_dir);
    return failed;
}

hal_status hal_folder_save(hal_folder *folder, hal_err *err)
{
    pthread_mutex_lock(&folder->lock);
    int error = folder->names_saved ? 0 : save_names(folder);
    folder->names_saved = !error;
    pthread_mutex_unlock(&folder->lock);
    if (!error && fsync(folder->state_fd))
        error = errno;
    return error ? hal_err_errno(err, error, "cannot save the state of the output folder %s",
                                 folder->dir)
                 : HAL_OK;
}

/* --- entries --------------------------------------------------------------------------------- */

hal_status hal_folder_enter(hal_folder *folder, const char *path, int *parent_fd, const char **name,
                            hal_err *err)
{
    int at = fcntl(folder->fd, F_DUPFD_CLOEXEC, 3);
    const char *p = path;
    const char *slash;
    while (at >= 0 && (slash = strchr(p, '/'))) {
        char part[HAL_COMPONENT_MAX_BYTES + 1];
        snprintf(part, sizeof part, "%.*s", (int)(slash - p), p);
        int next = -1;
        if (!mkdirat(at, part, 0777) || errno == EEXIST)
            next = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int error = errno;
        close(at);
        errno = error;
        at = next;
        p = slash + 1;
    }
    if (at < 0)
        return hal_err_errno(err, errno, "cannot make or enter the folder of %s/%s", folder->dir,
                             path);
    *parent_fd = at;
    *name = p;
    return HAL_OK;
}

static hal_parent *find_parent(const hal_folder *f, const char *path, size_t n)
{
    hal_parent *p = f->parents;
    while (p && (strncmp(p->path, path, n) != 0 || p->path[n]))
        p = p->next;
    return p;
}

hal_status hal_folder_enter_shared(hal_folder *folder, const char *path, hal_parent **parent,
                                   const char **name, hal_err *err)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash + 1 - path) : 0;
    pthread_mutex_lock(&folder->lock);
    hal_parent *p = find_parent(folder, path, n);
    if (p)
        p->refs++;
    pthread_mutex_unlock(&folder->lock);
    *parent = p;
    *name = path + n;
    if (p)
        return HAL_OK;
    if (!(p = hal_calloc(1, sizeof *p + n + 1)))
        return hal_err_nomem(err, sizeof *p + n + 1);
    hal_status st = hal_folder_enter(folder, path, &p->fd, name, err);
    if (st) {
        hal_free(p);
        return st;
    }
    memcpy(p->path, path, n);
    p->refs = 1;
    pthread_mutex_lock(&folder->lock);
    p->next = folder->parents;
    folder->parents = p;
    pthread_mutex_unlock(&folder->lock);
    *parent = p;
    return HAL_OK;
}

void hal_folder_leave(hal_folder *folder, hal_parent *parent)
{
    pthread_mutex_lock(&folder->lock);
    bool last = --parent->refs == 0;
    if (last) {
        hal_parent **at = &folder->parents;
        while (*at != parent)
            at = &(*at)->next;
        *at = parent->next;
    }
    pthread_mutex_unlock(&folder->lock);
    if (!last)
        return;
    close(parent->fd);
    hal_free(parent);
}

static hal_entry entry_of(const struct stat *s)
{
    return (hal_entry){
        .kind = S_ISREG(s->st_mode) ? HAL_ENTRY_FILE : HAL_ENTRY_OTHER,
        .bytes = (uint64_t)s->st_size,
        .mtime_ns = (int64_t)s->st_mtim.tv_sec * 1000000000 + s->st_mtim.tv_nsec,
    };
}

hal_status hal_entry_look(int parent_fd, const char *name, hal_entry *out, hal_err *err)
{
    struct stat s;
    if (!fstatat(parent_fd, name, &s, AT_SYMLINK_NOFOLLOW)) {
        *out = entry_of(&s);
        return HAL_OK;
    }
    if (errno != ENOENT)
        return hal_err_errno(err, errno, "cannot look at %s", name);
    *out = (hal_entry){.kind = HAL_ENTRY_NONE};
    return HAL_OK;
}

hal_status hal_entry_of_fd(int fd, hal_entry *out, hal_err *err)
{
    struct stat s;
    if (fstat(fd, &s))
        return hal_err_errno(err, errno, "cannot look at an open file");
    *out = entry_of(&s);
    return HAL_OK;
}

/* The holder may rename the file between our open and our lock: then the name is another file's or
 * free, and we start again. */
hal_status hal_entry_open_alone(int parent_fd, const char *name, int *fd, hal_entry *out,
                                hal_err *err)
{
    for (int i = 0; i < OPEN_TRIES; i++) {
        int got =
            openat(parent_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0666);
        if (got < 0)
            return hal_err_errno(err, errno, "cannot create %s", name);
        struct stat here, there;
        if (flock(got, LOCK_EX | LOCK_NB)) {
            int error = errno;
            close(got);
            return error == EWOULDBLOCK
                       ? hal_err_set(err, HAL_E_IO,
                                     "%s is being written by another download; wait for it", name)
                       : hal_err_errno(err, error, "cannot lock %s", name);
        }
        if (!fstat(got, &here) && S_ISREG(here.st_mode) &&
            !fstatat(parent_fd, name, &there, AT_SYMLINK_NOFOLLOW) && here.st_ino == there.st_ino &&
            here.st_dev == there.st_dev) {
            *fd = got;
            *out = entry_of(&here);
            return HAL_OK;
        }
        close(got);
    }
    return hal_err_set(err, HAL_E_IO, "%s cannot be opened as a regular file; remove it", name);
}

static int rename_noreplace(int fd, const char *from, const char *to)
{
    if (!syscall(SYS_renameat2, fd, from, fd, to, RENAME_NOREPLACE))
        return 0;
    if (errno != ENOSYS && errno != EINVAL)
        return -1;
    /* a file system without it: a hard link refuses an existing name as well */
    if (linkat(fd, from, fd, to, 0))
        return -1;
    return unlinkat(fd, from, 0);
}

hal_status hal_entry_rename(int parent_fd, const char *from, const char *to, bool replace,
                            hal_err *err)
{
    int failed =
        replace ? renameat(parent_fd, from, parent_fd, to) : rename_noreplace(parent_fd, from, to);
    if (failed && errno == EEXIST)
        return hal_err_set(err, HAL_E_IO,
                           "%s appeared while it was being downloaded; move it away or ask for "
                           "existing = \"replace\"",
                           to);
    if (failed)
        return hal_err_errno(err, errno, "cannot give %s its final name", to);
    return HAL_OK;
}

hal_status hal_entry_save(int parent_fd, hal_err *err)
{
    return fsync(parent_fd) ? hal_err_errno(err, errno, "cannot save a folder") : HAL_OK;
}
