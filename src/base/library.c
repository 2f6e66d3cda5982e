/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

void hal_library_load(const char *file, const hal_symbol *symbols, char *why, size_t why_size)
{
    void *lib = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!lib) {
        snprintf(why, why_size, "%s", dlerror());
        return;
    }
    for (const hal_symbol *s = symbols; s->name; s++) {
        void *symbol = dlsym(lib, s->name);
        if (symbol)
            memcpy(s->slot, &symbol, sizeof symbol); /* POSIX dlsym: object to function pointer */
        else if (!s->optional)
            snprintf(why, why_size, "%s has no function %s", file, s->name);
    }
}
