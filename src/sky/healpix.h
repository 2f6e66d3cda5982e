/* SPDX-License-Identifier: BSD-3-Clause */
/* HEALPix, nested scheme, orders 0 to 29: index <-> position, discs. Tiling design, section 10;
 * Gorski et al. 2005, ApJ 622, 759. Checked against the vectors in data/healpix. */
#ifndef HAL_SKY_HEALPIX_H
#define HAL_SKY_HEALPIX_H

#include "base/status.h"

#include <stdint.h>

enum { HAL_HEALPIX_ORDER_MAX = 29 };

/** Index of the cell that holds a position. ra any finite value, dec in [-90, 90]; UINT64_MAX for
 * what is not on the sky (NaN, |dec| > 90), so that it sorts last. At any order the index is that
 * of order 29 shifted right. */
uint64_t hal_healpix_index(int order, double ra_deg, double dec_deg);
void hal_healpix_index_array(int order, const double *ra_deg, const double *dec_deg, size_t n,
                             uint64_t *index);
/** Position inside a cell: (a, b) in [0,1]^2 along x and y; (0.5, 0.5) centre; corners N W S E =
 * (1,1) (0,1) (0,0) (1,0). */
void hal_healpix_position(int order, uint64_t index, double a, double b, double *ra_deg,
                          double *dec_deg);
/** Unit vector of the centre of a cell, several times as fast. */
void hal_healpix_centre(int order, uint64_t index, double v[3]);
/** The ra (degrees) of that centre, sine and cosine of its dec: no function of an angle. */
double hal_healpix_centre_ra(int order, uint64_t index, double *sin_dec, double *cos_dec);
/** Bound of the distance from a cell's centre to its farthest point, degrees. */
double hal_healpix_radius_deg(int order);
/** Called with ascending, disjoint half-open ranges [lo, hi) of cells at `order`; return false to
 * stop. */
typedef bool (*hal_healpix_range_fn)(void *ctx, uint64_t lo, uint64_t hi);
/** Cells at `order` that overlap the closed disc (inclusive: may hold a few that only come close).
 */
void hal_healpix_disc(int order, double ra_deg, double dec_deg, double radius_deg,
                      hal_healpix_range_fn each, void *ctx);

#endif
