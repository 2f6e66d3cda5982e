/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE /* syscall, flock */
#include "net/folder.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "net/write.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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

enum { LINE_MAX_BYTES = 8192, RECORDS_MAX = 4000000, OPEN_TRIES = 16 };

typedef struct entry {
    char *path, *source;
    hal_file_record record;
} entry;

struct hal_folder {
    atomic_int refs;
    pthread_mutex_t lock;
    char *dir;
    int fd, state_fd; /* -1 until opened */
    bool torn;        /* the state file ends inside a line */
    entry *entries;   /* open addressing; n_room is a power of two */
    size_t n_entries, n_room;
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
    for (size_t i = 0; i < folder->n_room; i++) {
        hal_free(folder->entries[i].path);
        hal_free(folder->entries[i].source);
    }
    hal_free(folder->entries);
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

/* --- the state file: one line per file, "crc32 bytes mtime_ns sha256 path TAB source TAB etag
 * TAB catalogue_bytes" */

static uint32_t crc32(const char *bytes, size_t n)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < n; i++) {
        crc ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
    }
    return ~crc;
}

static size_t hash(const char *text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return (size_t)(h ^ h >> 32);
}

static entry *slot_of(const hal_folder *f, const char *path)
{
    size_t i = hash(path) & (f->n_room - 1);
    while (f->entries[i].path && strcmp(f->entries[i].path, path) != 0)
        i = (i + 1) & (f->n_room - 1);
    return &f->entries[i];
}

static hal_status grow(hal_folder *f, hal_err *err)
{
    if (f->n_entries * 2 < f->n_room)
        return HAL_OK;
    if (f->n_entries >= RECORDS_MAX)
        return hal_err_set(err, HAL_E_BUDGET,
                           "%s/.halyard/files has more than %d records; use another output folder",
                           f->dir, RECORDS_MAX);
    entry *old = f->entries;
    size_t n_old = f->n_room;
    size_t room = n_old ? n_old * 2 : 64;
    entry *entries = hal_calloc(room, sizeof *entries);
    if (!entries)
        return hal_err_nomem(err, room * sizeof *entries);
    f->entries = entries;
    f->n_room = room;
    for (size_t i = 0; i < n_old; i++)
        if (old[i].path)
            *slot_of(f, old[i].path) = old[i];
    hal_free(old);
    return HAL_OK;
}

static hal_status remember(hal_folder *f, const char *path, const hal_file_record *record,
                           const char *source, hal_err *err)
{
    hal_status st = grow(f, err);
    if (st)
        return st;
    entry *e = slot_of(f, path);
    bool same = e->path && !strcmp(e->source, source);
    char *copy = same ? e->source : hal_strdup(source);
    if (!copy)
        return hal_err_nomem(err, strlen(source));
    if (!e->path) {
        e->path = hal_strdup(path);
        if (!e->path) {
            hal_free(copy);
            return hal_err_nomem(err, strlen(path));
        }
        f->n_entries++;
    }
    if (!same)
        hal_free(e->source);
    e->source = copy;
    e->record = *record;
    return HAL_OK;
}

/* False: not a whole line of ours, which is passed over. */
static bool parse_line(char *line, size_t n, hal_file_record *record, char **path, char **source)
{
    uint32_t crc;
    int at = -1;
    if (n < 10 || sscanf(line, "%8" SCNx32 " %n", &crc, &at) != 1 || at != 9 ||
        crc32(line + 9, n - 9) != crc)
        return false;
    at = -1;
    if (sscanf(line + 9, "%" SCNu64 " %" SCNd64 " %64[0-9a-f] %n", &record->bytes,
               &record->mtime_ns, record->sha256, &at) != 3 ||
        at < 0 || strlen(record->sha256) != 64)
        return false;
    char *field[4] = {line + 9 + at};
    for (int i = 0; i < 3; i++) {
        char *end = strchr(field[i], '\t');
        if (!end)
            return false;
        *end = '\0';
        field[i + 1] = end + 1;
    }
    *path = field[0];
    *source = field[1];
    return (*path)[0] && sscanf(field[3], "%" SCNd64, &record->catalogue_bytes) == 1;
}

static hal_status load(hal_folder *f, FILE *file, hal_err *err)
{
    char line[LINE_MAX_BYTES];
    bool inside_long = false;
    hal_status st = HAL_OK;
    while (!st && fgets(line, sizeof line, file)) {
        size_t n = strlen(line);
        bool whole = n && line[n - 1] == '\n';
        f->torn = !whole;
        hal_file_record record;
        char *path, *source;
        if (whole && !inside_long) {
            line[--n] = '\0';
            if (parse_line(line, n, &record, &path, &source))
                st = remember(f, path, &record, source, err);
        }
        inside_long = n + 1 == sizeof line && !whole; /* else a stray NUL */
    }
    if (!st && ferror(file))
        st = hal_err_errno(err, errno, "cannot read %s/.halyard/files", f->dir);
    return st;
}

static hal_status open_state(hal_folder *f, hal_err *err)
{
    if (mkdirat(f->fd, ".halyard", 0777) && errno != EEXIST)
        return hal_err_errno(err, errno, "cannot write in folder %s; choose another output folder",
                             f->dir);
    int state_dir = openat(f->fd, ".halyard", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (state_dir < 0)
        return hal_err_errno(err, errno, "cannot open %s/.halyard", f->dir);
    int fd = openat(state_dir, "files", O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    int error = errno;
    close(state_dir);
    if (fd < 0)
        return hal_err_errno(err, error, "cannot open %s/.halyard/files", f->dir);
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    FILE *file = copy < 0 ? NULL : fdopen(copy, "r");
    if (!file) {
        hal_status st = hal_err_errno(err, errno, "cannot read %s/.halyard/files", f->dir);
        if (copy >= 0)
            close(copy);
        close(fd);
        return st;
    }
    hal_status st = load(f, file, err);
    fclose(file);
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

bool hal_folder_find(hal_folder *folder, const char *path, hal_file_record *out)
{
    pthread_mutex_lock(&folder->lock);
    const entry *e = folder->n_room ? slot_of(folder, path) : NULL;
    bool found = e && e->path;
    if (found)
        *out = e->record;
    pthread_mutex_unlock(&folder->lock);
    return found;
}

hal_status hal_folder_check_source(hal_folder *folder, const char *path, const char *source,
                                   hal_err *err)
{
    hal_status st = HAL_OK;
    pthread_mutex_lock(&folder->lock);
    const entry *e = folder->n_room ? slot_of(folder, path) : NULL;
    if (e && e->path && strcmp(e->source, source) != 0)
        st = hal_err_set(err, HAL_E_IO,
                         "%s/%s holds %.150s, not %.150s; choose another folder or ask for replace",
                         folder->dir, path, e->source, source);
    pthread_mutex_unlock(&folder->lock);
    return st;
}

hal_status hal_folder_record(hal_folder *folder, const char *path, const hal_file_record *record,
                             const char *source, const char *etag, hal_err *err)
{
    hal_buf text, line;
    hal_buf_init(&text, LINE_MAX_BYTES - 16);
    hal_buf_init(&line, LINE_MAX_BYTES);
    hal_status st = hal_buf_printf(&text, err, "%" PRIu64 " %" PRId64 " %s %s\t%s\t%s\t%" PRId64,
                                   record->bytes, record->mtime_ns, record->sha256, path, source,
                                   etag, record->catalogue_bytes);
    pthread_mutex_lock(&folder->lock);
    if (!st)
        st = hal_buf_printf(&line, err, "%s%08" PRIx32 " %s\n", folder->torn ? "\n" : "",
                            crc32(text.data, text.size_bytes), hal_buf_text(&text));
    if (!st)
        st = hal_write_all(folder->state_fd, line.data, line.size_bytes,
                           "the state of the output folder", err);
    folder->torn = st != HAL_OK;
    if (!st)
        st = remember(folder, path, record, source, err);
    pthread_mutex_unlock(&folder->lock);
    hal_buf_clear(&text);
    hal_buf_clear(&line);
    return st;
}

hal_status hal_folder_save(hal_folder *folder, hal_err *err)
{
    return fsync(folder->state_fd)
               ? hal_err_errno(err, errno, "cannot save the state of the output folder %s",
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
hal_status hal_entry_open_alone(int parent_fd, const char *name, int *fd, hal_err *err)
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
                           "replace",
                           to);
    if (failed)
        return hal_err_errno(err, errno, "cannot give %s its final name", to);
    return HAL_OK;
}

hal_status hal_entry_save(int parent_fd, hal_err *err)
{
    return fsync(parent_fd) ? hal_err_errno(err, errno, "cannot save a folder") : HAL_OK;
}
