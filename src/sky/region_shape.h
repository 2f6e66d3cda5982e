/* SPDX-License-Identifier: BSD-3-Clause */
/* What the forms of regions share: one struct at the front of each and a table of functions.
 * Private to this folder. region.c: what every region can do; region_circle.c: circle, box, all
 * sky; region_ellipse.c; region_polygon.c; region_moc.c; region_set.c: union, intersection,
 * complement; region_area.c: areas on HEALPix cells; region_text.c. */
#ifndef HAL_SKY_REGION_SHAPE_H
#define HAL_SKY_REGION_SHAPE_H

#include "sky/captree.h"
#include "sky/moc.h"

#include <stdatomic.h>

enum { HAL_VERTICES_MAX = 10000, HAL_REGION_TEXT_MAX = 16 << 20 };

/** A place on the sky: canonical ra, |dec| <= 90. */
typedef struct hal_place {
    double ra_deg, dec_deg;
    hal_vector at; /* only for classes with needs_vector */
} hal_place;

/** A HEALPix cell and a circle round it. */
typedef struct hal_cell {
    int order;
    uint64_t index;
    hal_place centre;
    double radius_deg;
} hal_cell;

typedef struct hal_region_class {
    bool needs_vector;
    bool (*has)(const hal_region *r, const hal_place *p);
    /** Signed distance in degrees, 1-Lipschitz: above 0 it is at most the distance to the region,
     * below 0 at least minus the distance to what is outside. */
    double (*away_deg)(const hal_region *r, const hal_place *p);
    /** How much of a cell is inside; SOME may be said of any. NULL: by away_deg. */
    hal_moc_share (*share)(const hal_region *r, const hal_cell *c);
    /** NULL: by tile and cone, and by away_deg unless `cone_is_tight`. */
    bool (*may_touch)(const hal_region *r, const hal_tile *t, double margin_deg);
    bool cone_is_tight;
    /** NULL: r->area_sr, exact. Else as hal_region_measure. */
    double (*area)(const hal_region *r, size_t straddling_max, double *error_sr);
    hal_status (*format)(const hal_region *r, hal_buf *out, hal_err *err);
    void (*clear)(hal_region *r); /* may be NULL */
} hal_region_class;

struct hal_region {
    atomic_size_t n_refs;
    const hal_region_class *class;
    hal_cone cone;
    hal_tile tile;
    double area_sr;
    size_t n_leaves;
    int depth;
};

/** A zeroed region of `size_bytes`, which begins with hal_region, as class->clear takes it. */
void *hal_region_make(const hal_region_class *class, size_t size_bytes, hal_err *err);

static inline bool hal_is_position(double ra_deg, double dec_deg)
{
    return fabs(ra_deg) <= 720 && fabs(dec_deg) <= 90; /* false for NaN */
}

hal_place hal_place_at(double ra_deg, double dec_deg);
hal_cell hal_cell_of(int order, uint64_t index);
hal_moc_share hal_region_share(const hal_region *r, const hal_cell *c);
/** The members of a union (borrowed), else the region itself; their number. */
size_t hal_region_parts(const hal_region *const *r, const hal_region *const **parts);

/** The tile from `west` to `east` (unwrapped, east >= west), rounded outward. */
hal_tile hal_tile_round(double west, double east, double dec_min, double dec_max, bool full_circle);
/** Half the width in ra of a circle, rounded up; 180 when it touches a pole. */
double hal_half_width_deg(double dec_deg, double radius_deg);
hal_tile hal_tile_of_cone(hal_cone c);
/** The smallest tile that contains `n` >= 1 tiles, whose order it changes. */
hal_tile hal_tile_hull(hal_tile *tiles, size_t n);
/** The smaller of two cones. */
hal_cone hal_cone_smaller(hal_cone a, hal_cone b);
/** Distance to a closed box; `width` eastward from `west`; 360 is the full circle. */
double hal_box_distance_deg(double west, double width, double dec_min, double dec_max, double ra,
                            double dec);
double hal_tile_distance_deg(const hal_tile *t, double ra_deg, double dec_deg);
/** What tile and cone alone say about hal_region_may_touch. Errs to yes. */
bool hal_region_is_near(const hal_region *r, const hal_tile *t, double margin_deg);

/** Measures on cells, of which at most so many straddle the border: see hal_region_area. */
double hal_region_measure(const hal_region *r, size_t straddling_max, double *error_sr);
/** hal_region_area with that many; `error_sr` is not NULL. */
double hal_region_area_on(const hal_region *r, size_t straddling_max, double *error_sr);
hal_status hal_region_put_numbers(hal_buf *out, const double *x, size_t n,
                                  hal_err *err) HAL_MUST_CHECK;

#endif
