/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared libraries that are loaded at first use: what is not needed is not touched. */
#ifndef HAL_BASE_LIBRARY_H
#define HAL_BASE_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

typedef struct hal_symbol {
    const char *name; /* NULL ends a list */
    void *slot;       /* address of the function pointer to fill */
    bool optional;    /* NULL where the library has no such function */
} hal_symbol;

/** Loads `file` for the rest of the process and fills the slots. On failure `why` says what is
 * missing; it is "" before and after success. */
void hal_library_load(const char *file, const hal_symbol *symbols, char *why, size_t why_size);

#endif
