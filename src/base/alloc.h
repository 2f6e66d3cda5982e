/* SPDX-License-Identifier: BSD-3-Clause */
/* The one door to the heap for library code, so that a test can make the n-th allocation fail.
 * Same contracts as the C library's functions. */
#ifndef HAL_BASE_ALLOC_H
#define HAL_BASE_ALLOC_H

#include <stddef.h>

void *hal_malloc(size_t size_bytes);
void *hal_calloc(size_t n, size_t size_bytes);
void *hal_realloc(void *p, size_t size_bytes);
void hal_free(void *p);
/** hal_malloc for large arrays that are visited in no order: asks the system for large pages, which
 * spares most of the misses of the address cache. */
void *hal_malloc_scattered(size_t size_bytes);
/** hal_malloc for bytes on their way from a file or to one: begins with a page. Where they do not,
 * the kernel copies them at a quarter of the speed on some processors. */
void *hal_malloc_pages(size_t size_bytes);
/** Copies `n` bytes and adds a NUL; NULL when out of memory. Caller frees with hal_free. */
char *hal_strndup(const char *s, size_t n);
char *hal_strdup(const char *s);

/** Test hook: the `n`-th allocation from now (1 = next) of this process fails, later ones succeed;
 * 0 switches it off. Returns how many allocations were made since the last call. */
size_t hal_alloc_fail_at(size_t n);

#endif
