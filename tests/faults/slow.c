/* SPDX-License-Identifier: BSD-3-Clause */
/* Preloaded: a disk that takes 20 seconds to save the data of a download. */
#define _GNU_SOURCE /* syscall */
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int fsync(int fd)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path);
    if (n > 5 && !memcmp(path + n - 5, ".part", 5))
        sleep(20);
    return (int)syscall(SYS_fsync, fd);
}
