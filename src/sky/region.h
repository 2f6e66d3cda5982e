/* SPDX-License-Identifier: BSD-3-Clause */
/* Regions of the sky: circle, ellipse, box (ranges of ra and dec), polygon, MOC, all sky, and
 * unions, intersections and complements of regions. Immutable and shared, also between threads.
 * Shapes are closed: border points are inside; a complement is everything else, so that a region
 * and its complement hold each place once. A MOC is half-open: each place is in one cell.
 * Degrees, ICRS. */
#ifndef HAL_SKY_REGION_H
#define HAL_SKY_REGION_H

#include "base/buf.h"
#include "sky/tile.h"

typedef struct hal_region hal_region;
struct hal_moc; /* sky/moc.h */

/** Of one union or intersection, counting shared members each time; and how deep they may nest. */
enum { HAL_REGION_MEMBERS_MAX = 1000000, HAL_REGION_DEPTH_MAX = 32 };

/** radius in [0, 180]. All constructors return NULL and set `err` to HAL_E_USAGE or HAL_E_NOMEM
 * (HAL_E_BUDGET: too many members or cells); circle, ellipse and polygon take any ra in
 * [-720, 720]. */
hal_region *hal_region_circle(double ra_deg, double dec_deg, double radius_deg, hal_err *err);
/** The places whose distances from two foci sum up to at most twice the larger semi-axis; on the
 * tangent plane (gnomonic) an ellipse with the tangents of the semi-axes. Semi-axes in (0, 89];
 * the first one points to `angle_deg`, from north through east. */
hal_region *hal_region_ellipse(double ra_deg, double dec_deg, double first_deg, double second_deg,
                               double angle_deg, hal_err *err);
/** ra from `ra_min` eastward to `ra_max` (ra_min > ra_max crosses 0; 0..360 is the full circle). */
hal_region *hal_region_box(double ra_min_deg, double ra_max_deg, double dec_min_deg,
                           double dec_max_deg, hal_err *err);
/** Great-circle edges, 3..10,000 vertices, either winding, of any size: the smaller side of the
 * outline is inside (the larger one: its complement). Repeated vertices, such as a last one equal
 * to the first, are dropped; points within 1e-15 rad of an edge are on it. Refuses crossing edges,
 * antipodal neighbours and outlines that halve the sky to 1e-9. */
hal_region *hal_region_polygon(const double *ra_deg, const double *dec_deg, size_t n, hal_err *err);
hal_region *hal_region_all(hal_err *err);
/** Shares `moc`. */
hal_region *hal_region_of_moc(struct hal_moc *moc, hal_err *err);
/** `n` >= 1 members, which it shares. Members that are themselves of that kind are taken apart;
 * members that are all MOCs give a MOC; complements in an intersection become that of one union. */
hal_region *hal_region_union(hal_region *const *members, size_t n, hal_err *err);
hal_region *hal_region_intersection(hal_region *const *members, size_t n, hal_err *err);
hal_region *hal_region_complement(hal_region *r, hal_err *err);
/** What is in `a` and not in `b`: the intersection with the complement. */
hal_region *hal_region_difference(hal_region *a, hal_region *b, hal_err *err);

/** One region, case-insensitive, numbers in degrees, blanks or commas between them:
 *   CIRCLE ra dec radius | RANGE ra1 ra2 dec1 dec2 | POLYGON ra1 dec1 ...  (SIA 2.0, 2.1.1 POS)
 *   ELLIPSE ra dec first second angle | ALL                      (as STC-S; semi-axes)
 *   MOC 3/1-4 5/7 ...                                            (MOC 2.0 ASCII)
 *   UNION (region region ...) | INTERSECTION (...) | NOT (region) | DIFFERENCE (a b)   (STC-S)
 * A frame word after the name (ICRS J2000 GSC1 OTHER UNKNOWNFrame) is skipped. At most 16 MiB.
 * HAL_E_USAGE for anything else. */
hal_region *hal_region_parse(hal_slice text, hal_err *err);
/** The same syntax, numbers that read back to the same doubles. */
hal_status hal_region_format(const hal_region *r, hal_buf *out, hal_err *err) HAL_MUST_CHECK;
hal_region *hal_region_ref(hal_region *r);
void hal_region_unref(hal_region *r);

bool hal_region_contains(const hal_region *r, double ra_deg, double dec_deg);
/** inside[i] &= contains; returns how many remain set. */
size_t hal_region_contains_array(const hal_region *r, const double *ra_deg, const double *dec_deg,
                                 size_t n, unsigned char *inside);
/** 0 inside, NaN off the sky; else the great-circle distance to the border, degrees: exact for
 * circle, ellipse, box, polygon and unions of these, never too large for others (a MOC: within 2 %
 * or 1e-6 degrees; an intersection: the largest of its members' distances). */
double hal_region_distance_deg(const hal_region *r, double ra_deg, double dec_deg);
/** As hal_region_area, without the bound and many times as fast: 1,000 cells at most straddle the
 * border; the area is good to 0.1 %, seldom worse. */
double hal_region_area_sr(const hal_region *r);
/** `*error_sr` (may be NULL) bounds the error: 0 up to rounding for single shapes, complements of
 * them and the members of a union that touch no other; what is left is measured on HEALPix cells
 * until the bound is below 1e-4 of the area or 100,000 cells straddle the border. */
double hal_region_area(const hal_region *r, double *error_sr);
/** An enclosing circle (exact for a circle; smallest known for others; radius 180 for all sky). */
hal_cone hal_region_cone(const hal_region *r);
/** Smallest tile that contains the region, borders rounded outward; full circle when a pole is
 * inside. Of an intersection or a complement: a tile that contains it. */
hal_tile hal_region_tile(const hal_region *r);
/** Could a point of `t`, widened by `margin_deg`, lie in the region? Never a wrong "no". */
bool hal_region_may_touch(const hal_region *r, const hal_tile *t, double margin_deg);
/** True when the region is a circle; then `out` is it. */
bool hal_region_is_circle(const hal_region *r, hal_cone *out);
/** The MOC of a region made of one (borrowed), else NULL. */
struct hal_moc *hal_region_get_moc(const hal_region *r);

#endif
