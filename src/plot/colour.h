/* SPDX-License-Identifier: BSD-3-Clause */
/* Colours of densities: logarithmic, light to dark, so that a print in grey keeps the order. */
#ifndef HAL_PLOT_COLOUR_H
#define HAL_PLOT_COLOUR_H

#include <stdbool.h>
#include <stddef.h>

enum { HAL_COLOUR_LEVELS = 64 };

typedef struct hal_colour {
    double r, g, b;
} hal_colour;

typedef struct hal_scale {
    double lo, hi; /* 1, 2 or 5 times a power of ten; 0 < lo < hi */
} hal_scale;

/** The scale that holds all values > 0; false when there is none. */
bool hal_scale_of(hal_scale *out, const double *values, size_t n);
/** 0 for `lo` and below .. HAL_COLOUR_LEVELS - 1 for `hi`; -1 for values <= 0. */
int hal_scale_level(const hal_scale *s, double value);
hal_colour hal_colour_of(int level);
/** The next value >= `value` (> 0) of 1, 2, 5, 10, 20 ...; `only_tens`: of 1, 10, 100 ... */
double hal_scale_tick(double value, bool only_tens);

#endif
