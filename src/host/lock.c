/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE /* F_OFD_SETLK, flock */
#include "host/lock.h"

#include "base/read.h"
#include "base/write.h"
#include "host/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OWNER_MAX_BYTES = 160 };

/* --- What killed runs left ----------------------------------------------------------------------
 */

static const char mark[] = ".halyard-";

static bool is_unfinished(const char *name)
{
    const char *at = name[0] == '.' ? strstr(name, mark) : NULL;
    return at && !strchr(at + sizeof mark - 1, '.');
}

/* `type` as of readdir: DT_UNKNOWN where the file system does not say. */
static void each_name(int fd, void (*visit)(int dir_fd, const char *name, int type))
{
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir && fd >= 0)
        close(fd);
    const struct dirent *entry;
    while (dir && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            visit(dirfd(dir), entry->d_name, entry->d_type);
    if (dir)
        closedir(dir);
}

static int open_folder(int dir_fd, const char *name)
{
    return openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void remove_file(int dir_fd, const char *name, int type)
{
    (void)type;
    unlinkat(dir_fd, name, 0);
}

/* A file system that cannot lock has no holders either: the lock of the run is what counts there.
 */
static void remove_stale(int dir_fd, const char *name, int type)
{
    (void)type;
    if (!is_unfinished(name))
        return;
    int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat info;
    if (fd < 0)
        return;
    if (!fstat(fd, &info) && (!flock(fd, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK)) {
        if (S_ISDIR(info.st_mode)) {
            each_name(open_folder(dir_fd, name), remove_file);
            unlinkat(dir_fd, name, AT_REMOVEDIR);
        } else if (S_ISREG(info.st_mode)) {
            unlinkat(dir_fd, name, 0);
        }
    }
    close(fd);
}

static void clean_below(int dir_fd, const char *name, int type)
{
    if (name[0] == '.')
        remove_stale(dir_fd, name, type);
    else if (type == DT_DIR || type == DT_UNKNOWN) /* there may be a million files (L21) */
        each_name(open_folder(dir_fd, name), remove_stale);
}

/* --- The lock -----------------------------------------------------------------------------------
 */

static hal_status taken(int fd, const char *folder, hal_err *err)
{
    char owner[OWNER_MAX_BYTES + 1] = "";
    ssize_t n = hal_read_at(fd, owner, OWNER_MAX_BYTES, 0);
    owner[n > 0 ? n : 0] = '\0';
    for (char *c = owner; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '\0';
    hal_err_set(err, HAL_E_IO,
                "the output folder %s is in use by another run (%s); wait for its end "
                "(--wait-for-folder) or choose another folder with --output",
                folder, owner[0] ? owner : "process unknown");
    if (err)
        err->retryable = true;
    return HAL_E_IO;
}

static hal_status lock_file(int fd, const char *folder, hal_err *err)
{
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &all))
        return errno == EAGAIN || errno == EACCES
                   ? taken(fd, folder, err)
                   : hal_err_errno(err, errno,
                                   "cannot lock %s/.halyard/lock; choose an output folder on a "
                                   "file system with locks",
                                   folder);
    char owner[OWNER_MAX_BYTES], host[65] = "";
    gethostname(host, sizeof host - 1);
    int n = snprintf(owner, sizeof owner, "process %ld on %s\n", (long)getpid(), host);
    if (ftruncate(fd, 0))
        return hal_err_errno(err, errno, "cannot empty %s/.halyard/lock", folder);
    hal_status st = hal_write_all(fd, owner, (size_t)n, ".halyard/lock", err);
    return st ? hal_err_note(err, st, "output folder %s", folder) : HAL_OK;
}

static int open_lock(int folder_fd)
{
    if (mkdirat(folder_fd, ".halyard", 0777) && errno != EEXIST)
        return -1;
    int state = open_folder(folder_fd, ".halyard");
    if (state < 0)
        return -1;
    int fd = openat(state, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0666);
    int error = errno;
    close(state);
    errno = error;
    return fd;
}

hal_status hal_lock_folder(int *fd, const char *folder, hal_err *err)
{
    hal_status st = hal_files_make_dirs(folder, "", err);
    if (st)
        return st;
    int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int lock_fd = folder_fd < 0 ? -1 : open_lock(folder_fd);
    if (lock_fd < 0)
        st = hal_files_output_failed(err, errno, "write", ".halyard/lock", folder);
    else
        st = lock_file(lock_fd, folder, err);
    if (st) {
        if (lock_fd >= 0)
            close(lock_fd);
        if (folder_fd >= 0)
            close(folder_fd);
        return st;
    }
    each_name(folder_fd, clean_below);
    *fd = lock_fd;
    return HAL_OK;
}
