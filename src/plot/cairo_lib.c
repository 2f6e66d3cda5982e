/* SPDX-License-Identifier: BSD-3-Clause */
#include "plot/cairo_lib.h"

#include "base/library.h"

#include <pthread.h>

static hal_cairo cairo;
static char why[256];

static void load(void)
{
    const hal_symbol symbols[] = {
#define X(name) {"cairo_" #name, &cairo.name},
        HAL_CAIRO_FUNCTIONS(X)
#undef X
            {0},
    };
    hal_library_load("libcairo.so.2", symbols, why, sizeof why);
}

const hal_cairo *hal_cairo_load(hal_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    if (!why[0])
        return &cairo;
    hal_err_set(err, HAL_E_IO, "the drawing library is missing: %s; install package libcairo2",
                why);
    return NULL;
}
