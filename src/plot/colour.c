/* SPDX-License-Identifier: BSD-3-Clause */
#include "plot/colour.h"

#include <math.h>

double hal_scale_tick(double value, bool only_tens)
{
    double ten = pow(10, floor(log10(value)) - 1); /* - 1: log10 may be rounded up */
    static const double steps[] = {1, 2, 5};
    for (;; ten *= 10)
        for (size_t i = 0; i < (only_tens ? 1 : 3); i++)
            if (steps[i] * ten >= value * (1 - 1e-9))
                return steps[i] * ten;
}

bool hal_scale_of(hal_scale *out, const double *values, size_t n)
{
    double lo = INFINITY, hi = 0;
    for (size_t i = 0; i < n; i++)
        if (values[i] > 0) {
            lo = fmin(lo, values[i]);
            hi = fmax(hi, values[i]);
        }
    if (hi == 0)
        return false;
    /* Downwards is upwards of the inverse: 1, 2, 5 give 1, 1/2, 1/5. */
    *out = (hal_scale){1 / hal_scale_tick(1 / lo, false), hal_scale_tick(hi, false)};
    if (out->hi / out->lo < 3)
        *out = (hal_scale){1 / hal_scale_tick(1 / (out->lo * 0.9), false),
                           hal_scale_tick(out->hi * 1.1, false)};
    return true;
}

int hal_scale_level(const hal_scale *s, double value)
{
    if (!(value > 0))
        return -1;
    double t = log(value / s->lo) / log(s->hi / s->lo);
    return (int)lrint(fmax(0, fmin(1, t)) * (HAL_COLOUR_LEVELS - 1));
}

hal_colour hal_colour_of(int level)
{
    /* Viridis (matplotlib, CC0) backwards, every 32nd of its 256 colours. */
    static const unsigned char stops[][3] = {{253, 231, 37}, {170, 220, 50}, {92, 200, 99},
                                             {39, 173, 129}, {33, 144, 141}, {44, 113, 142},
                                             {59, 81, 139},  {71, 44, 122},  {68, 1, 84}};
    enum { LAST = sizeof stops / sizeof *stops - 1 };
    double t = (double)level / (HAL_COLOUR_LEVELS - 1) * LAST;
    int i = t >= LAST ? LAST - 1 : (int)t;
    double v[3];
    for (int k = 0; k < 3; k++)
        v[k] = (stops[i][k] + (t - i) * (stops[i + 1][k] - stops[i][k])) / 255;
    return (hal_colour){v[0], v[1], v[2]};
}
