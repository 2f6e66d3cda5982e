/* SPDX-License-Identifier: BSD-3-Clause */
/* Preloaded: of the allocations that libhalyard asks for, HALYARD_FAIL_N fail, from number
 * HALYARD_FAIL_AT on. What other libraries ask for is theirs: some crash without memory. */
#define _GNU_SOURCE /* dl_iterate_phdr */
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);

static uintptr_t first, last;
static atomic_long n_asked;
static long fail_at = -1, fail_n;

static int find(struct dl_phdr_info *info, size_t size, void *ctx)
{
    (void)size;
    (void)ctx;
    if (!strstr(info->dlpi_name, "libhalyard"))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && (!first || from < first))
            first = from;
        if (part->p_type == PT_LOAD && from + part->p_memsz > last)
            last = from + part->p_memsz;
    }
    return 1;
}

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("HALYARD_FAIL_AT"), *n = getenv("HALYARD_FAIL_N");
    dl_iterate_phdr(find, NULL);
    fail_n = n ? strtol(n, NULL, 10) : 1;
    fail_at = at ? strtol(at, NULL, 10) : -1;
}

static int fails(const void *caller)
{
    if (fail_at < 0 || (uintptr_t)caller < first || (uintptr_t)caller >= last)
        return 0;
    long n = atomic_fetch_add(&n_asked, 1);
    if (n < fail_at || n >= fail_at + fail_n)
        return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
    return size && fails(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}
