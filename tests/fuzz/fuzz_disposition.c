/* SPDX-License-Identifier: BSD-3-Clause */
/* Content-Disposition values from arbitrary bytes: a name is text without NUL and no longer than
 * what it was made of, and a safe name comes out of it. */
#include "net/disposition.h"

#include "check.h"
#include "net/download.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hal_buf name, safe;
    bool found = false;
    hal_buf_init(&name, 2 * size + 1);
    hal_buf_init(&safe, 4096);
    check(!hal_disposition_name(&name, (hal_slice){(const char *)data, size}, &found, NULL));
    check(found == (name.size_bytes > 0));
    if (found) {
        check(strlen(name.data) == name.size_bytes);
        check(!hal_safe_name(&safe, name.data, NULL));
        check(safe.size_bytes > 0 && !memchr(safe.data, '/', safe.size_bytes));
    }
    hal_buf_clear(&name);
    hal_buf_clear(&safe);
    return 0;
}
