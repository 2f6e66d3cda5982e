/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE /* syscall */
#include "net/bundle.h"

#include "base/alloc.h"
#include "base/read.h"
#include "base/write.h"
#include "net/archive_lib.h"
#include "net/digest.h"
#include "net/download.h"
#include "net/folder.h"
#include "net/gunzip.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2u
#endif

enum { BLOCK_BYTES = 64 << 10, DEPTH_MAX = 16, TAR_BLOCK_BYTES = 512 };

typedef struct unpacking {
    const hal_bundle_request *request;
    const _Atomic bool *cancel;
    hal_bundle *out;
    const hal_archive_lib *lib;
    struct archive *archive;
    bool is_gzip;
    hal_gunzip *gunzip;
    uint64_t tar_bytes, member_end; /* of the tar: read so far, behind its last member */
    hal_status tar_status;          /* of the bytes of the tar, with `err` */
    hal_err *err;
    hal_sha256 *digest;
    uint64_t file_bytes;
    int stage_fd; /* the folder that is renamed in the end; -1: none */
    char *block;
} unpacking;

void hal_bundle_clear(hal_bundle *b)
{
    for (size_t i = 0; i < b->n_members; i++)
        hal_free(b->members[i].path);
    hal_free(b->members);
    hal_buf_clear(&b->head);
    *b = (hal_bundle){0};
}

/* --- Folders ------------------------------------------------------------------------------------
 */

/* Removes what is in the folder `fd`, which it closes; links are not followed. */
static void remove_content(int fd, int depth)
{
    DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(d))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (!unlinkat(dirfd(d), entry->d_name, 0) || depth > 2 * DEPTH_MAX)
            continue;
        int child =
            openat(dirfd(d), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child >= 0)
            remove_content(child, depth + 1);
        unlinkat(dirfd(d), entry->d_name, AT_REMOVEDIR);
    }
    closedir(d);
}

static void remove_folder(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0)
        remove_content(fd, 0);
    unlinkat(parent, name, AT_REMOVEDIR);
}

/* Gives the folder `from` its final name; an old one of that name goes. */
static hal_status put_in_place(int parent, const char *from, const char *to, bool replace,
                               hal_err *err)
{
    hal_entry there;
    hal_status st = hal_entry_look(parent, to, &there, err);
    if (st)
        return st;
    if (there.kind == HAL_ENTRY_NONE || !replace) {
        st = hal_entry_rename(parent, from, to, false, err);
        return st ? st : hal_entry_save(parent, err);
    }
    if (syscall(SYS_renameat2, parent, from, parent, to, RENAME_EXCHANGE))
        return hal_err_errno(err, errno, "cannot replace %s", to);
    remove_folder(parent, from);
    return hal_entry_save(parent, err);
}

/* --- Names --------------------------------------------------------------------------------------
 */

static hal_status refuse(hal_err *err, const char *name, const char *why)
{
    char shown[120];
    snprintf(shown, sizeof shown, "%s", name);
    for (char *p = shown; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    return hal_err_set(err, HAL_E_INTEGRITY,
                       "the bundle is refused, nothing was unpacked: its member '%s' %s", shown,
                       why);
}

/* The path below the folder for a member of that name; "" for the folder itself. */
static hal_status safe_path(hal_buf *out, const char *name, hal_err *err)
{
    if (name[0] == '/')
        return refuse(err, name, "has an absolute name");
    if (isalpha((unsigned char)name[0]) && name[1] == ':')
        return refuse(err, name, "names a drive");
    if (strchr(name, '\\'))
        return refuse(err, name, "has a backslash in its name");
    int depth = 0;
    for (const char *p = name; *p;) {
        char part[1024];
        size_t n = strcspn(p, "/");
        if (n >= sizeof part || ++depth > DEPTH_MAX)
            return refuse(err, name, "has a too long name");
        snprintf(part, sizeof part, "%.*s", (int)n, p);
        p += n + (p[n] == '/');
        if (!strcmp(part, "..") || (n == 0 && *p))
            return refuse(err, name, "has a name that leads elsewhere");
        if (n == 0 || !strcmp(part, "."))
            continue;
        hal_status st = out->size_bytes ? hal_buf_append(out, "/", 1, err) : HAL_OK;
        if (!st)
            st = hal_safe_name(out, part, err);
        if (st)
            return st;
    }
    return HAL_OK;
}

/* Creates the file `path` below the stage; a name that was there before is refused. */
static hal_status create(const unpacking *u, const char *path, int *fd, hal_err *err)
{
    int at = fcntl(u->stage_fd, F_DUPFD_CLOEXEC, 3);
    const char *slash;
    const char *p = path;
    for (; at >= 0 && (slash = strchr(p, '/')); p = slash + 1) {
        char part[HAL_COMPONENT_MAX_BYTES + 1];
        snprintf(part, sizeof part, "%.*s", (int)(slash - p), p);
        int next = -1;
        if (!mkdirat(at, part, 0777) || errno == EEXIST)
            next = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int error = errno;
        close(at);
        errno = error;
        at = next;
    }
    *fd = at < 0 ? -1 : openat(at, p, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    int error = errno;
    if (at >= 0)
        close(at);
    if (*fd >= 0)
        return HAL_OK;
    return error == EEXIST || error == ENOTDIR || error == EISDIR
               ? refuse(err, path, "has the name of another one")
               : hal_err_errno(err, error, "cannot create %s of the bundle", path);
}

/* --- Members ------------------------------------------------------------------------------------
 */

static hal_status damaged(const unpacking *u, hal_err *err)
{
    if (u->tar_status)
        return u->tar_status;
    const char *why = u->lib->error_string(u->archive);
    return hal_err_set(err, HAL_E_INTEGRITY, "%s is damaged: %s; remove it and run again",
                       u->request->file, why ? why : "no reason given");
}

static hal_status check_limits(const unpacking *u, hal_err *err)
{
    uint64_t n = u->out->size_bytes, unpacked = n > u->tar_bytes ? n : u->tar_bytes;
    if (atomic_load(u->cancel))
        return hal_err_set(err, HAL_E_CANCELLED, "unpacking was cancelled");
    if (n > u->request->max_bytes)
        return hal_err_set(err, HAL_E_BUDGET,
                           "%s unpacks to more than %llu bytes: raise budget.download",
                           u->request->file, (unsigned long long)u->request->max_bytes);
    if (unpacked > HAL_BUNDLE_RATIO_FROM_BYTES && unpacked / HAL_BUNDLE_RATIO_MAX > u->file_bytes)
        return hal_err_set(err, HAL_E_BUDGET,
                           "%s unpacks to more than %d times its size: such a bundle is not to be "
                           "trusted",
                           u->request->file, HAL_BUNDLE_RATIO_MAX);
    return HAL_OK;
}

static hal_status copy(unpacking *u, int fd, hal_bundle_member *m, hal_err *err)
{
    hal_status st = hal_sha256_reset(u->digest, err);
    while (!st) {
        la_ssize_t n = u->lib->read_data(u->archive, u->block, BLOCK_BYTES);
        if (n == 0)
            break;
        if (n < 0)
            return damaged(u, err);
        m->size_bytes += (uint64_t)n;
        u->out->size_bytes += (uint64_t)n;
        st = check_limits(u, err);
        if (!st && fd >= 0)
            st = hal_write_all(fd, u->block, (size_t)n, "a file of the bundle", err);
        if (!st)
            st = hal_sha256_add(u->digest, u->block, (size_t)n, err);
    }
    if (!st && fd >= 0 && fdatasync(fd))
        st = hal_err_errno(err, errno, "cannot save a file of the bundle");
    return st ? st : hal_sha256_text(u->digest, m->sha256, err);
}

static hal_status add_member(hal_bundle *b, const char *path, hal_bundle_member **m, hal_err *err)
{
    if (b->n_members == HAL_BUNDLE_MEMBERS_MAX)
        return hal_err_set(err, HAL_E_BUDGET, "the bundle has more than %d files",
                           HAL_BUNDLE_MEMBERS_MAX);
    if (!(b->n_members & (b->n_members - 1))) {
        size_t room = b->n_members ? 2 * b->n_members : 1;
        hal_bundle_member *grown = hal_realloc(b->members, room * sizeof *grown);
        if (!grown)
            return hal_err_nomem(err, room * sizeof *grown);
        b->members = grown;
    }
    *m = &b->members[b->n_members];
    **m = (hal_bundle_member){.path = hal_strdup(path)};
    if (!(*m)->path)
        return hal_err_nomem(err, strlen(path));
    b->n_members++;
    return HAL_OK;
}

static hal_status take_file(unpacking *u, const char *path, hal_err *err)
{
    hal_bundle_member *m = NULL;
    int fd = -1;
    hal_status st = add_member(u->out, path, &m, err);
    if (!st && u->request->into)
        st = create(u, path, &fd, err);
    if (!st)
        st = copy(u, fd, m, err);
    if (fd >= 0 && close(fd) && !st)
        st = hal_err_errno(err, errno, "cannot save a file of the bundle");
    return st;
}

static hal_status take_member(unpacking *u, struct archive_entry *entry, hal_err *err)
{
    const char *name = u->lib->pathname_utf8(entry);
    if (!name)
        name = u->lib->pathname(entry);
    if (!name || !*name)
        return refuse(err, "", "has no name that can be read");
    if (u->lib->hardlink(entry) ||
        (u->lib->filetype(entry) != AE_IFREG && u->lib->filetype(entry) != AE_IFDIR))
        return refuse(err, name, "is a link or a device");
    hal_buf path;
    hal_buf_init(&path, HAL_PATH_MAX_BYTES);
    hal_status st = safe_path(&path, name, err);
    if (!st && u->lib->filetype(entry) == AE_IFREG)
        st = path.size_bytes ? take_file(u, hal_buf_text(&path), err)
                             : refuse(err, name, "has no name that can be used");
    hal_buf_clear(&path);
    return st;
}

/* A read callback of libarchive. */
static la_ssize_t next_of_tar(struct archive *a, void *ctx, const void **bytes)
{
    (void)a;
    unpacking *u = ctx;
    hal_slice piece = {0};
    u->tar_status = hal_gunzip_next(u->gunzip, &piece, u->err);
    u->tar_bytes += piece.size_bytes;
    if (!u->tar_status)
        u->tar_status = check_limits(u, u->err);
    *bytes = piece.data;
    return u->tar_status ? -1 : (la_ssize_t)piece.size_bytes;
}

static hal_status open_archive(unpacking *u, int fd, hal_err *err)
{
    int rc;
    u->err = err;
    if (u->is_gzip) {
        u->gunzip = hal_gunzip_new(fd, u->request->file, err);
        if (!u->gunzip)
            return err ? err->status : HAL_E_NOMEM;
        u->lib->format_tar(u->archive);
        /* To the end of the file, where the last check sum is; a tar behind the first is read. */
        rc = u->lib->set_option(u->archive, "tar", "read_concatenated_archives", "1");
        if (rc == ARCHIVE_OK)
            rc = u->lib->open(u->archive, u, NULL, next_of_tar, NULL);
    } else {
        /* By its directory alone: without one a zip that was cut passes for whole. */
        u->lib->format_zip(u->archive);
        rc = u->lib->open_fd(u->archive, fd, BLOCK_BYTES);
    }
    return rc == ARCHIVE_OK ? HAL_OK : damaged(u, err);
}

static hal_status take_all(unpacking *u, int fd, hal_err *err)
{
    u->archive = u->lib->read_new();
    u->digest = u->archive ? hal_sha256_new(err) : NULL;
    u->block = hal_malloc(BLOCK_BYTES);
    if (!u->archive || !u->block)
        return hal_err_nomem(err, BLOCK_BYTES);
    if (!u->digest)
        return err ? err->status : HAL_E_NOMEM;
    hal_status st = open_archive(u, fd, err);
    while (!st) {
        struct archive_entry *entry;
        int rc = u->lib->next_header(u->archive, &entry);
        if (rc == ARCHIVE_EOF)
            break;
        if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
            return damaged(u, err);
        st = take_member(u, entry, err);
        u->member_end = (uint64_t)u->lib->filter_bytes(u->archive, 0);
    }
    if (st || u->tar_status)
        return st ? st : u->tar_status;
    /* A tar ends with blocks of zeros (POSIX ustar). libarchive takes one that stops behind a
     * member for whole: as it is when the file was cut there. */
    if (u->is_gzip && u->tar_bytes < u->member_end + TAR_BLOCK_BYTES)
        return hal_err_set(err, HAL_E_INTEGRITY,
                           "%s is damaged: it is cut behind a member, the end mark of the tar is "
                           "missing; remove it and run again",
                           u->request->file);
    return u->out->n_members
               ? HAL_OK
               : hal_err_set(err, HAL_E_INTEGRITY, "%s holds no file", u->request->file);
}

/* --- The bundle ---------------------------------------------------------------------------------
 */

/* Opens the bundle and looks whether it is one. */
static hal_status open_bundle(unpacking *u, int parent, const char *name, int *fd, hal_err *err)
{
    hal_entry entry;
    hal_status st = hal_entry_look(parent, name, &entry, err);
    if (st)
        return st;
    if (entry.kind != HAL_ENTRY_FILE)
        return hal_err_set(err, HAL_E_NOT_FOUND, "there is no file %s to unpack", u->request->file);
    *fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (*fd < 0)
        return hal_err_errno(err, errno, "cannot read %s", u->request->file);
    u->file_bytes = entry.bytes;
    hal_buf *head = &u->out->head;
    hal_buf_init(head, HAL_BUNDLE_HEAD_BYTES);
    st = hal_buf_reserve(head, HAL_BUNDLE_HEAD_BYTES, err);
    if (st)
        return st;
    ssize_t n = hal_read_at(*fd, head->data, HAL_BUNDLE_HEAD_BYTES, 0);
    if (n < 0)
        return hal_err_errno(err, errno, "cannot read %s", u->request->file);
    head->size_bytes = (size_t)n;
    u->is_gzip = n >= 2 && !memcmp(head->data, "\x1f\x8b", 2);
    u->out->is_none = n < 4 || (memcmp(head->data, "PK\3\4", 4) != 0 &&
                                memcmp(head->data, "PK\5\6", 4) != 0 && !u->is_gzip);
    if (!u->out->is_none)
        hal_buf_clear(head);
    else if (unlinkat(parent, name, 0))
        return hal_err_errno(err, errno, "cannot remove %s, which is no bundle", u->request->file);
    return HAL_OK;
}

/* Unpacks into a folder beside the final one and renames that. */
static hal_status unpack_into(unpacking *u, hal_folder *folder, int fd, hal_err *err)
{
    int parent;
    const char *name;
    char stage[HAL_COMPONENT_MAX_BYTES + 16];
    hal_entry there;
    hal_status st = hal_folder_enter(folder, u->request->into, &parent, &name, err);
    if (st)
        return st;
    snprintf(stage, sizeof stage, ".%s.part", name);
    remove_folder(parent, stage); /* of a run that was killed */
    st = hal_entry_look(parent, name, &there, err);
    if (!st && there.kind != HAL_ENTRY_NONE && !u->request->replace)
        st = hal_err_set(err, HAL_E_IO,
                         "%s/%s is there already; choose another folder or ask for replace",
                         u->request->dir, u->request->into);
    if (!st && mkdirat(parent, stage, 0777))
        st = hal_err_errno(err, errno, "cannot make a folder for %s", u->request->into);
    if (!st)
        u->stage_fd = openat(parent, stage, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (!st && u->stage_fd < 0)
        st = hal_err_errno(err, errno, "cannot open the folder for %s", u->request->into);
    if (!st)
        st = take_all(u, fd, err);
    if (!st)
        st = put_in_place(parent, stage, name, u->request->replace, err);
    if (u->stage_fd >= 0)
        close(u->stage_fd);
    if (st)
        remove_folder(parent, stage);
    close(parent);
    return st;
}

hal_status hal_bundle_unpack(const hal_bundle_request *request, const _Atomic bool *cancel,
                             hal_bundle *out, hal_err *err)
{
    unpacking u = {.request = request, .cancel = cancel, .out = out, .stage_fd = -1};
    *out = (hal_bundle){0};
    hal_status st = hal_folder_check_path(request->file, err);
    if (!st && request->into)
        st = hal_folder_check_path(request->into, err);
    if (st)
        return st;
    hal_folder *folder = hal_folder_new(request->dir, err);
    if (!folder)
        return HAL_E_NOMEM;
    int parent = -1, fd = -1;
    const char *name;
    st = hal_folder_open(folder, err);
    if (!st)
        st = hal_folder_enter(folder, request->file, &parent, &name, err);
    if (!st)
        st = open_bundle(&u, parent, name, &fd, err);
    if (!st && !out->is_none && !(u.lib = hal_archive_lib_load(err)))
        st = HAL_E_IO;
    if (!st && !out->is_none)
        st = request->into ? unpack_into(&u, folder, fd, err) : take_all(&u, fd, err);
    if (request->remove && st == HAL_E_INTEGRITY && unlinkat(parent, name, 0))
        st = hal_err_errno(err, errno, "cannot remove %s, which is damaged", request->file);
    if (u.archive)
        u.lib->read_free(u.archive);
    hal_gunzip_free(u.gunzip);
    hal_sha256_free(u.digest);
    hal_free(u.block);
    if (fd >= 0)
        close(fd);
    if (parent >= 0)
        close(parent);
    hal_folder_unref(folder);
    return st;
}
