/* SPDX-License-Identifier: BSD-3-Clause */
/* A script module that is part of the program: the build writes arrays of these, ended by a NULL
 * name. */
#ifndef HAL_BASE_MODULE_H
#define HAL_BASE_MODULE_H

#include <stddef.h>

typedef struct hal_module {
    const char *name; /* "halyard.archive.mashup" */
    const char *code; /* compiled Lua */
    size_t size_bytes;
} hal_module;

extern const hal_module hal_lua_modules[];
extern const hal_module hal_practice_modules[];

#endif
