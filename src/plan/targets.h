/* SPDX-License-Identifier: BSD-3-Clause */
/* A list of targets on the sky, each with a radius, in the order of a k-d tree: any node of it is a
 * range of neighbours, and its halves are the two halves of the range. Immutable. */
#ifndef HAL_PLAN_TARGETS_H
#define HAL_PLAN_TARGETS_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { HAL_TARGETS_MAX = 1 << 24 };

/** Why a row of the list is not a target. */
typedef enum hal_target_lack {
    HAL_TARGET_WHOLE,
    HAL_TARGET_NO_PLACE,
    HAL_TARGET_NO_RADIUS
} hal_target_lack;

typedef struct hal_targets {
    size_t n_refs;       /* loop thread */
    size_t n_rows;       /* of the list */
    unsigned char *lack; /* hal_target_lack of each */
    size_t n;            /* targets: rows with a place and a radius; in the order of the tree: */
    double *ra_deg, *dec_deg, *radius_deg;
    double (*v)[3]; /* unit vectors */
    uint64_t *row;  /* of the list, from 0 */
    double radius_max_deg;
} hal_targets;

/** Copies the arrays, degrees. No place: an RA that is not finite, a declination not in [-90, 90];
 * no radius: one not in [0, 180]. HAL_E_USAGE for more than HAL_TARGETS_MAX rows. */
hal_targets *hal_targets_new(size_t n_rows, const double *ra_deg, const double *dec_deg,
                             const double *radius_deg, hal_err *err);
hal_targets *hal_targets_ref(hal_targets *t);
void hal_targets_unref(hal_targets *t);

/** Circle (unit vector of its centre, radius in radians) that holds the circles of a range of n >=
 * 1 targets; radius pi where no smaller one is known. `*spread`: the largest distance of a place
 * from the centre. At most about 1.8 times as wide as the smallest one; `fine`: about 1.05 times.
 */
double hal_targets_circle(const hal_targets *t, size_t first, size_t n, bool fine, double centre[3],
                          double *spread);

#endif
