/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/read.h"

#include <errno.h>
#include <unistd.h>

ssize_t hal_read_at(int fd, void *to, size_t n, uint64_t at)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(fd, (char *)to + done, n - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}
