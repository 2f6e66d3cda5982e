/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows and densities of tiles of which the region has only a part. */
#include "plot/plot.h"

#include <math.h>

#define SR_DEG2 (180.0 / 3.14159265358979323846 * 180.0 / 3.14159265358979323846)
enum { SIDE = 32 };

/* The share of the tile that is inside, by a grid of places of equal area; 1 when none is: the part
 * is too small to be seen. */
static double share_inside(const hal_tile *t, const hal_region *region)
{
    double ra[SIDE], dec[SIDE], deg = 180.0 / 3.14159265358979323846;
    double s1 = sin(hal_tick_deg(t->dec_lo) / deg), s2 = sin(hal_tick_deg(t->dec_hi) / deg);
    size_t n = 0;
    for (int j = 0; j < SIDE; j++) {
        unsigned char inside[SIDE];
        for (int i = 0; i < SIDE; i++) {
            ra[i] = fmod(hal_tick_deg(t->ra) + hal_tick_deg(t->width) * (i + 0.5) / SIDE, 360);
            dec[i] = asin(s1 + (s2 - s1) * (j + 0.5) / SIDE) * deg;
            inside[i] = 1;
        }
        n += hal_region_contains_array(region, ra, dec, SIDE, inside);
    }
    return n > 0 ? (double)n / (SIDE * SIDE) : 1;
}

hal_status hal_plot_measure(hal_plot_tile *tiles, size_t n, hal_region *region, hal_err *err)
{
    hal_region *outside = hal_region_complement(region, err);
    if (!outside)
        return err ? err->status : HAL_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        hal_plot_tile *t = &tiles[i];
        double area = hal_tile_area_sr(&t->tile) * SR_DEG2;
        if ((t->rows < 0) == (t->density_deg2 < 0) || area == 0)
            continue;
        if (hal_region_may_touch(outside, &t->tile, 0))
            area *= share_inside(&t->tile, region);
        if (t->rows < 0)
            t->rows = t->density_deg2 * area;
        else
            t->density_deg2 = t->rows / area;
    }
    hal_region_unref(outside);
    return HAL_OK;
}
