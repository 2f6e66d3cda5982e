/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/write.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum { WAIT_MS = 10 };

bool hal_write_again(int error)
{
    if (error == EAGAIN)
        poll(NULL, 0, WAIT_MS); /* a file is always ready to poll for */
    return error == EINTR || error == EAGAIN;
}

hal_status hal_write_all(int fd, const char *bytes, size_t n, const char *what, hal_err *err)
{
    while (n) {
        ssize_t wrote = write(fd, bytes, n);
        if (wrote < 0 && hal_write_again(errno))
            continue;
        if (wrote < 0)
            return hal_err_errno(err, errno, "cannot write %s", what);
        bytes += wrote;
        n -= (size_t)wrote;
    }
    return HAL_OK;
}
