/* SPDX-License-Identifier: BSD-3-Clause */
/* Zip and tar.gz from arbitrary bytes: all files that are told of are there under the folder, or
 * the folder is not there; nothing appears beside it. */
#define _GNU_SOURCE /* nftw */
#include "net/bundle.h"

#include "net/folder.h"

#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int remove_one(const char *path, const struct stat *s, int kind, struct FTW *f)
{
    (void)s, (void)kind, (void)f;
    return remove(path);
}

static size_t n_entries(const char *path)
{
    size_t n = 0;
    DIR *d = opendir(path);
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n - 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const _Atomic bool cancel;
    char dir[] = "/tmp/halyard-fuzz-XXXXXX", path[2200];
    check(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/b", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    check(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    close(fd);
    hal_bundle out;
    hal_bundle_request request = {.dir = dir, .file = "b", .into = "x", .max_bytes = 1 << 20};
    hal_status st = hal_bundle_unpack(&request, &cancel, &out, NULL);
    struct stat s;
    snprintf(path, sizeof path, "%s/x", dir);
    bool there = !lstat(path, &s);
    check(there == (!st && !out.is_none));
    for (size_t i = 0; there && i < out.n_members; i++) {
        check(!hal_folder_check_path(out.members[i].path, NULL));
        snprintf(path, sizeof path, "%s/x/%s", dir, out.members[i].path);
        check(!lstat(path, &s) && S_ISREG(s.st_mode) &&
              (uint64_t)s.st_size == out.members[i].size_bytes);
    }
    /* The bundle unless it is none, the folder, and the state of the output folder. */
    check(n_entries(dir) == 1u + there + !(!st && out.is_none));
    hal_bundle_clear(&out);
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
