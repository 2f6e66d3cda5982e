/* SPDX-License-Identifier: BSD-3-Clause */
/* The procedural sky: true stars computed from (seed, HEALPix cell) on demand, nothing stored but
 * the members of a few clusters. Every catalogue is a view of these stars. A cell is nested HEALPix
 * of order 9 (0.0131 square degrees); its field stars are numbered 0..n-1 from bright to faint. */
#ifndef HAL_PRACTICE_SKY_H
#define HAL_PRACTICE_SKY_H

#include "base/status.h"

#include <stdint.h>

enum { HAL_SKY_ORDER = 9 };
#define HAL_SKY_CELLS (UINT64_C(12) << (2 * HAL_SKY_ORDER))
#define HAL_SKY_UNITS_PER_DEG 1e12 /* positions are integers in units of 1e-12 degree */
/** Numbers of cluster members start here; numbers are unique within a cell and below 2^28. */
#define HAL_SKY_MEMBER (UINT32_C(1) << 24)

typedef struct hal_sky hal_sky;

/** Identity and position of a star; ICRS, epoch 2016.0. */
typedef struct hal_star {
    uint64_t cell;
    uint32_t number;
    uint64_t key;      /* seed of everything else about it */
    uint64_t pixel12;  /* nested index at order 12 */
    int64_t ra_units;  /* [0, 360e12) */
    int64_t dec_units; /* [-90e12, 90e12] */
    double rank;       /* (0, 1): fraction of the cell's stars that are brighter */
    int cluster;       /* -1: a field star */
} hal_star;

/** What a star is like. Magnitudes, mas, mas/yr. */
typedef struct hal_star_physics {
    double g_mag, bp_rp, parallax_mas, pmra_mas_yr, pmdec_mas_yr;
} hal_star_physics;

/** Thread-safe afterwards; members of a cluster are made when first needed. */
hal_sky *hal_sky_new(uint64_t seed, hal_err *err);
void hal_sky_free(hal_sky *sky);
uint64_t hal_sky_seed(const hal_sky *sky);

/** Expected field stars (G < 21) per square degree. */
double hal_sky_density(double ra_deg, double dec_deg);
/** One cell opened for reading: what it holds, without the stars. */
enum { HAL_SKY_CLUSTERS_MAX = 16 };
typedef struct hal_sky_cell {
    uint64_t cell, key;
    uint32_t n_field; /* Poisson around the density */
    uint32_t n_stars; /* field and cluster members */
    int n_spans;
    struct {
        uint32_t cluster, first, n;
    } spans[HAL_SKY_CLUSTERS_MAX];
} hal_sky_cell;
/** HAL_E_NOMEM (a cluster's members are made at the first visit). */
hal_status hal_sky_open(hal_sky *sky, uint64_t cell, hal_sky_cell *out,
                        hal_err *err) HAL_MUST_CHECK;
/** The i-th star, i < n_stars: field stars first, from bright to faint. */
void hal_sky_star(const hal_sky *sky, const hal_sky_cell *cell, uint32_t i, hal_star *out);
void hal_star_physics_of(const hal_star *star, hal_star_physics *out);

/** Counter-based random numbers: a well mixed 64-bit hash, and a uniform double in (0, 1). */
static inline uint64_t hal_mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}
static inline double hal_unit(uint64_t key, uint64_t stream)
{
    return ((double)(hal_mix(key + stream * UINT64_C(0xd1342543de82ef95)) >> 11) + 0.5) * 0x1p-53;
}
/** Roughly normal (sum of four uniforms), mean 0, variance 1, |value| < 3.5. */
double hal_normal(uint64_t key, uint64_t stream);
/** Poisson number with that mean. */
uint32_t hal_poisson(double mean, uint64_t key);

#endif
