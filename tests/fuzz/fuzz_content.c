/* SPDX-License-Identifier: BSD-3-Clause */
/* A downloaded file of arbitrary bytes: there is a verdict, with a reason where one is due. The
 * first byte tells the name. */
#define _GNU_SOURCE /* memfd_create */
#include "net/content.h"

#include "check.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"a.fits", "a.gz", "a.zip", "a.xml", "a"};
    char why[HAL_CONTENT_WHY_SIZE];
    hal_content content;
    if (!size)
        return 0;
    int fd = memfd_create("content", MFD_CLOEXEC);
    const char *name = names[*data % (sizeof names / sizeof *names)];
    check(fd >= 0 && write(fd, data + 1, size - 1) == (ssize_t)(size - 1));
    check(!hal_content_look(fd, name, size - 1, &content, why, NULL));
    check(strlen(why) < sizeof why);
    check((content == HAL_CONTENT_SILENT || content == HAL_CONTENT_WHOLE) == !why[0]);
    close(fd);
    return 0;
}
