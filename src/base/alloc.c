/* SPDX-License-Identifier: BSD-3-Clause */
#define _DEFAULT_SOURCE /* madvise */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static atomic_size_t n_made;
static atomic_size_t fail_at;

static bool must_fail(void)
{
    size_t now = atomic_fetch_add_explicit(&n_made, 1, memory_order_relaxed) + 1;
    return now == atomic_load_explicit(&fail_at, memory_order_relaxed);
}

void *hal_malloc(size_t size_bytes)
{
    return must_fail() ? NULL : malloc(size_bytes ? size_bytes : 1);
}

void *hal_malloc_scattered(size_t size_bytes)
{
    enum { PAGE = 2 << 20 };
    char *p = hal_malloc(size_bytes);
#ifdef MADV_HUGEPAGE
    size_t skipped = (size_t)(-(uintptr_t)p % PAGE);
    if (p && size_bytes >= skipped + PAGE)
        (void)madvise(p + skipped, (size_bytes - skipped) / PAGE * PAGE, MADV_HUGEPAGE);
#endif
    return p;
}

void *hal_malloc_pages(size_t size_bytes)
{
    enum { PAGE = 4 << 10 };
    size_t whole = (size_bytes + PAGE - 1) / PAGE * PAGE;
    return must_fail() ? NULL : aligned_alloc(PAGE, whole ? whole : PAGE);
}

void *hal_calloc(size_t n, size_t size_bytes)
{
    return must_fail() ? NULL : calloc(n ? n : 1, size_bytes ? size_bytes : 1);
}

void *hal_realloc(void *p, size_t size_bytes)
{
    return must_fail() ? NULL : realloc(p, size_bytes ? size_bytes : 1);
}

void hal_free(void *p)
{
    free(p);
}

char *hal_strndup(const char *s, size_t n)
{
    char *copy = hal_malloc(n + 1);
    if (!copy)
        return NULL;
    if (n) /* an empty slice may have no address */
        memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

char *hal_strdup(const char *s)
{
    return hal_strndup(s, strlen(s));
}

size_t hal_alloc_fail_at(size_t n)
{
    size_t made = atomic_exchange(&n_made, 0);
    atomic_store(&fail_at, n);
    return made;
}
