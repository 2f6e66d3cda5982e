/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/write.h"

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAIT_MS = 10 };

bool hal_write_again(int fd, int error)
{
    struct stat info;
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    if (error == EAGAIN) /* a file is always ready to poll for */
        poll(&room, fstat(fd, &info) || S_ISREG(info.st_mode) ? 0 : 1, WAIT_MS);
    return error == EINTR || error == EAGAIN;
}

hal_status hal_write_all(int fd, const char *bytes, size_t n, const char *what, hal_err *err)
{
    while (n) {
        ssize_t wrote = write(fd, bytes, n);
        if (wrote < 0 && hal_write_again(fd, errno))
            continue;
        if (wrote < 0)
            return hal_err_errno(err, errno, "cannot write %s", what);
        bytes += wrote;
        n -= (size_t)wrote;
    }
    return HAL_OK;
}
