/* SPDX-License-Identifier: BSD-3-Clause */
/* Box tiles: half-open rectangles in (ra, dec) with integer borders in ticks of 1e-7 degree.
 * Ownership is four integer-exact comparisons; borders are never added or subtracted as doubles.
 * Tiling design, section 3. */
#ifndef HAL_SKY_TILE_H
#define HAL_SKY_TILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HAL_TICKS_PER_DEG INT64_C(10000000)
#define HAL_TICKS_CIRCLE INT64_C(3600000000)
#define HAL_TICKS_POLE INT64_C(900000000)

typedef struct hal_tile {
    int64_t ra;     /* west border, [0, 3.6e9) */
    int64_t width;  /* (0, 3.6e9]; 3.6e9 is the full circle, then ra is 0 */
    int64_t dec_lo; /* [-9e8, 9e8) */
    int64_t dec_hi; /* (dec_lo, 9e8] */
} hal_tile;

/** A closed circle on the sky; degrees, ICRS. */
typedef struct hal_cone {
    double ra_deg, dec_deg, radius_deg;
} hal_cone;

/** The whole sky. */
hal_tile hal_tile_all(void);
/** Border in degrees: correctly rounded, equals the double read from its 7-decimal text. */
double hal_tick_deg(int64_t tick);
/** Does the tile own a printed position? Total for finite ra and |dec| <= 90, with canonical ra and
 * the pole rule; false for NaN and |dec| > 90. Over the leaves of any partition exactly one tile
 * answers true. */
bool hal_tile_owns(const hal_tile *t, double ra_deg, double dec_deg);
/** owned[i] = hal_tile_owns(t, ra[i], dec[i]); returns how many are owned. */
size_t hal_tile_owns_array(const hal_tile *t, const double *ra_deg, const double *dec_deg, size_t n,
                           unsigned char *owned);
/** Exact area in steradian. */
double hal_tile_area_sr(const hal_tile *t);
double hal_cone_area_sr(double radius_deg);
/** Smallest enclosing circle (design section 3, "Enclosing cone"), without guard. */
hal_cone hal_tile_cone(const hal_tile *t);
/** Middle of the tile, degrees. */
void hal_tile_centre(const hal_tile *t, double *ra_deg, double *dec_deg);
/** Cuts `t` into two tiles that share one integer border, for `n_leaves` planned leaves (axis rules
 * 1-3): south or west child first. Each child's side on the cut axis is at least `min_side_ticks`
 * on the sky. False, with `child` untouched, if there is no such cut. */
bool hal_tile_cut(const hal_tile *t, int64_t n_leaves, int64_t min_side_ticks, hal_tile child[2]);

#endif
