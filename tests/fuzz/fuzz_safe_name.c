/* SPDX-License-Identifier: BSD-3-Clause */
/* File names from arbitrary bytes: whatever a server says, the result is one harmless component
 * that a download accepts. */
#include "net/download.h"

#include "base/alloc.h"
#include "net/folder.h"

#include "check.h"

#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *name = hal_strndup((const char *)data, size);
    hal_buf out;
    hal_buf_init(&out, 4096);
    if (!name)
        return 0;
    check(hal_safe_name(&out, name, NULL) == HAL_OK);
    const char *safe = hal_buf_text(&out);
    size_t n = out.size_bytes;
    check(n >= 1 && n <= 200 && strlen(safe) == n);
    check(!strpbrk(safe, "/\\:*?\"<>|") && !strchr("-.~ ", safe[0]));
    check(safe[n - 1] != '.' && safe[n - 1] != ' ');
    check(n < 5 || strcasecmp(safe + n - 5, ".part") != 0 || safe[0] == '_');
    for (size_t i = 0; i < n; i++)
        check((unsigned char)safe[i] >= 0x20 && safe[i] != 0x7f);
    check(hal_folder_check_path(safe, NULL) == HAL_OK);
    hal_buf_clear(&out);
    hal_free(name);
    return 0;
}
