/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/write.h"

#include <errno.h>
#include <unistd.h>

hal_status hal_write_all(int fd, const char *bytes, size_t n, const char *what, hal_err *err)
{
    while (n) {
        ssize_t wrote = write(fd, bytes, n);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return hal_err_errno(err, errno, "cannot write %s", what);
        bytes += wrote;
        n -= (size_t)wrote;
    }
    return HAL_OK;
}
