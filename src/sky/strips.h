/* SPDX-License-Identifier: BSD-3-Clause */
/* Places sorted for matching: strips of declination with about the same number of rows each,
 * shared by both sides, and within a strip by right ascension. Private to this folder. */
#ifndef HAL_SKY_STRIPS_H
#define HAL_SKY_STRIPS_H

#include "sky/match.h"

#include <math.h>

typedef struct hal_place {
    double ra_deg, dec_deg; /* canonical, at the common epoch */
    uint32_t row;
    uint32_t key; /* RA in units of 360/2^32 degrees, rounded down: differences wrap as RA does */
} hal_place;

enum { HAL_STRIPS_MAX = 16384, HAL_STRIP_BINS = 65536 };

typedef struct hal_strips {
    uint32_t n;
    double edge[HAL_STRIPS_MAX + 1];    /* strip s: edge[s] <= dec < edge[s + 1]; infinite ends */
    uint16_t guide[HAL_STRIP_BINS + 1]; /* strips that a bin of declination can meet */
} hal_strips;

typedef struct hal_side {
    const hal_match_side *rows;
    double move_to_yr;     /* the common epoch */
    double radius_all_deg; /* where rows have no radius of their own */
    double radius_max_deg;
    uint64_t n_placeless;
    hal_place *places;
    uint32_t *keys;          /* of the places; only after hal_side_sort */
    uint32_t *first, *count; /* of each strip */
    uint32_t count_max;
} hal_side;

/** Runs body(ctx, i_thread) on `n` threads, this one among them, and waits for all. Where no
 * thread can be had the calling one does the work of all. */
void hal_side_by_side(unsigned n, void (*body)(void *ctx, unsigned i_thread), void *ctx);

/** Chooses the strips from a sample of both sides. */
hal_status hal_strips_choose(hal_strips *strips, const hal_side *left, const hal_side *right,
                             hal_err *err) HAL_MUST_CHECK;
/** Copies the places of a side into its strips. */
hal_status hal_side_fill(hal_side *side, const hal_strips *strips, unsigned n_threads,
                         hal_err *err) HAL_MUST_CHECK;
/** Sorts within each strip by key. `unique`: of identical places only the lowest row stays. */
hal_status hal_side_sort(hal_side *side, const hal_strips *strips, bool unique, unsigned n_threads,
                         hal_err *err) HAL_MUST_CHECK;
void hal_side_clear(hal_side *side);

static inline double hal_side_radius(const hal_side *side, uint32_t row)
{
    return side->rows->radius_deg ? side->rows->radius_deg[row] : side->radius_all_deg;
}

#endif
