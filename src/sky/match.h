/* SPDX-License-Identifier: BSD-3-Clause */
/* Positional matching of two lists of places on plain arrays. Exact: the answer is that of
 * comparing every pair by hal_separation_deg (haversine), at the poles, across RA 0, with identical
 * places, with radius 0 and with radii up to 180 degrees. The same input gives the same answer with
 * any number of threads. Leaves tables, columns and units to others.
 *
 * Cost: both sides are cut into strips of declination with about the same number of rows each, and
 * sorted by right ascension within a strip; a row meets only what its radius, or for the modes that
 * want the nearest the best separation so far, lets it meet.
 * Memory beyond the two sides and the result: at most 32 bytes per row of either side (56 when all
 * rows share one declination) and, in modes ALL and NEAREST, 16 bytes per pair. */
#ifndef HAL_SKY_MATCH_H
#define HAL_SKY_MATCH_H

#include "base/status.h"

#include <stdint.h>

/** What stands for "no row". */
#define HAL_MATCH_NONE UINT64_MAX

enum { HAL_MATCH_NEAREST_MAX = 1000, HAL_MATCH_THREADS_MAX = 64 };

typedef enum hal_match_mode {
    HAL_MATCH_BEST,      /* for each left row the nearest right row */
    HAL_MATCH_SYMMETRIC, /* pairs in which each is the nearest of the other */
    HAL_MATCH_ALL,       /* every pair */
    HAL_MATCH_NEAREST    /* for each left row the n_nearest nearest right rows */
} hal_match_mode;

/** One list of places; all arrays are borrowed for the call. */
typedef struct hal_match_side {
    uint64_t n_rows; /* less than 2^32 - 1 */
    /** Degrees. Any finite RA; a row whose RA is not finite or whose declination is not in
     * [-90, 90] has no place: it matches nothing and is counted. */
    const double *ra_deg, *dec_deg;
    /** NULL, or a radius per row in degrees; a row whose radius is negative or NaN matches nothing.
     */
    const double *radius_deg;
    /** Both NULL, or proper motions in mas/yr, that of RA times cos(dec); NaN counts as 0. */
    const double *pm_ra_mas_yr, *pm_dec_mas_yr;
    /** With proper motions: when the places hold, in Julian years (2016.0), per row or, where NULL
     * or NaN, epoch_yr. */
    const double *epochs_yr;
    double epoch_yr;
} hal_match_side;

/** {.radius_deg = r} is a complete set. */
typedef struct hal_match_options {
    hal_match_mode mode;
    /** A pair may be as far apart as the left row's own radius, or radius_deg where the left side
     * has none, plus the right row's own radius if there is one. In [0, 180]. */
    double radius_deg;
    uint32_t n_nearest; /* mode NEAREST: 1 to HAL_MATCH_NEAREST_MAX */
    /** Left rows without a match appear too, with HAL_MATCH_NONE and NaN. Not with SYMMETRIC. */
    bool keep_unmatched;
    /** Julian year to which both sides are moved before they are compared (rigorous space motion
     * without radial velocity and parallax: a straight line at constant speed seen from its
     * tangent; Hipparcos catalogue, volume 1, section 1.5.5). Sides without motions stay. */
    double epoch_yr;
    unsigned n_threads;       /* 0: 1; those beyond the caller's end before the call returns */
    uint64_t pairs_max;       /* more pairs are HAL_E_BUDGET; 0: 2^32 */
    const _Atomic bool *stop; /* NULL, or polled: true ends with HAL_E_CANCELLED */
} hal_match_options;

/** Pairs, ordered by left row, then separation, then right row. Equal separations count by the
 * lower row: it is the nearer one, on either side. */
typedef struct hal_match {
    uint64_t n_pairs; /* with the rows kept without a match */
    uint64_t *left, *right;
    double *sep_deg;
    uint64_t n_matched;                           /* pairs that have a right row */
    uint64_t n_left_placeless, n_right_placeless; /* rows without a place */
} hal_match;

/** Fills `out`, which the caller clears; untouched on failure. HAL_E_USAGE: a radius, n_nearest or
 * epoch out of range, too many rows; HAL_E_BUDGET, HAL_E_CANCELLED, HAL_E_NOMEM. */
hal_status hal_match_run(hal_match *out, const hal_match_side *left, const hal_match_side *right,
                         const hal_match_options *options, hal_err *err) HAL_MUST_CHECK;
void hal_match_clear(hal_match *m);

#endif
