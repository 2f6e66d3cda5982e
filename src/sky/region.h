/* SPDX-License-Identifier: BSD-3-Clause */
/* Regions of the sky: circle, box (ranges of ra and dec), polygon, all sky. Immutable and shared.
 * Membership is closed: border points are inside. Degrees, ICRS. */
#ifndef HAL_SKY_REGION_H
#define HAL_SKY_REGION_H

#include "base/buf.h"
#include "sky/tile.h"

typedef struct hal_region hal_region;

/** radius in [0, 180]. Constructors return NULL and set `err` to HAL_E_USAGE or HAL_E_NOMEM; circle
 * and polygon take any ra in [-720, 720]. */
hal_region *hal_region_circle(double ra_deg, double dec_deg, double radius_deg, hal_err *err);
/** ra from `ra_min` eastward to `ra_max` (ra_min > ra_max crosses 0; 0..360 is the full circle). */
hal_region *hal_region_box(double ra_min_deg, double ra_max_deg, double dec_min_deg,
                           double dec_max_deg, hal_err *err);
/** Great-circle edges, 3..10,000 vertices, either winding (the smaller side is inside). Repeated
 * vertices, such as a last one equal to the first, are dropped; points within 1e-15 rad of an edge
 * are on it. Refuses crossing edges, antipodal neighbours, vertices farther than 89.9 degrees from
 * their common centre. */
hal_region *hal_region_polygon(const double *ra_deg, const double *dec_deg, size_t n, hal_err *err);
hal_region *hal_region_all(hal_err *err);
/** SIA 2.0 section 2.1.1 POS syntax: "CIRCLE ra dec r", "RANGE ra1 ra2 dec1 dec2", "POLYGON ra1
 * dec1 ...", plus "ALL"; case-insensitive; an STC-S frame word after the shape (ICRS J2000 GSC1
 * OTHER UNKNOWNFrame) is skipped. One shape; HAL_E_USAGE for anything else. */
hal_region *hal_region_parse(hal_slice text, hal_err *err);
/** The same syntax, numbers that read back to the same doubles. */
hal_status hal_region_format(const hal_region *r, hal_buf *out, hal_err *err) HAL_MUST_CHECK;
hal_region *hal_region_ref(hal_region *r);
void hal_region_unref(hal_region *r);

bool hal_region_contains(const hal_region *r, double ra_deg, double dec_deg);
/** inside[i] &= contains; returns how many remain set. */
size_t hal_region_contains_array(const hal_region *r, const double *ra_deg, const double *dec_deg,
                                 size_t n, unsigned char *inside);
/** 0 inside, else the great-circle distance to the region's border, degrees; NaN off the sky. */
double hal_region_distance_deg(const hal_region *r, double ra_deg, double dec_deg);
double hal_region_area_sr(const hal_region *r);
/** An enclosing circle (exact for a circle; smallest known for others; radius 180 for all sky). */
hal_cone hal_region_cone(const hal_region *r);
/** Smallest tile that contains the region, borders rounded outward; full circle when a pole is
 * inside. */
hal_tile hal_region_tile(const hal_region *r);
/** Could a point of `t`, widened by `margin_deg`, lie in the region? Never a wrong "no". */
bool hal_region_may_touch(const hal_region *r, const hal_tile *t, double margin_deg);
/** True when the region is a circle; then `out` is it. */
bool hal_region_is_circle(const hal_region *r, hal_cone *out);

#endif
