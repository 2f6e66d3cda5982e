/* SPDX-License-Identifier: BSD-3-Clause */
/* A binary tree of circles round the members of a set, for questions about the members near a
 * place. Private to this folder. */
#ifndef HAL_SKY_CAPTREE_H
#define HAL_SKY_CAPTREE_H

#include "base/status.h"
#include "sky/tile.h"
#include "sky/vector.h"

/** A closed circle; `chord2` is the square of the longest chord from its centre, rounded up. */
typedef struct hal_cap {
    hal_vector at;
    double radius_rad, chord2;
} hal_cap;

hal_cap hal_cap_of(hal_vector at, double radius_rad);
hal_cap hal_cap_of_cone(hal_cone c);
hal_cone hal_cap_cone(const hal_cap *c);
/** A circle round both, the smallest up to rounding. */
hal_cap hal_cap_join(const hal_cap *a, const hal_cap *b);

/** {0} is an empty tree. */
typedef struct hal_captree {
    size_t n;
    hal_cap *leaf, *node; /* node[i]: round the leaves that are halved at i */
    size_t *member;       /* of each leaf */
} hal_captree;

/** `n` >= 1 circles; `sorted`: neighbours in the list are neighbours on the sky. Fails with
 * HAL_E_NOMEM. */
hal_status hal_captree_init(hal_captree *t, const hal_cap *caps, size_t n, bool sorted,
                            hal_err *err) HAL_MUST_CHECK;
void hal_captree_clear(hal_captree *t);
/** Round all of them. */
hal_cap hal_captree_root(const hal_captree *t);

/** Calls `visit` with members whose circle comes within `reach_rad` of `p`, until it returns true;
 * whether it did. */
typedef bool (*hal_captree_visit)(void *ctx, size_t member);
bool hal_captree_find(const hal_captree *t, hal_vector p, double reach_rad, hal_captree_visit visit,
                      void *ctx);

/** The least `value` of all members, in radians; a member's value is never below the distance of
 * `p` from its circle, which is negative inside. */
typedef double (*hal_captree_value)(void *ctx, size_t member);
double hal_captree_least(const hal_captree *t, hal_vector p, hal_captree_value value, void *ctx);

#endif
