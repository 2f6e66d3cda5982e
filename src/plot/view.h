/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the sky is on the page: the projection and its frame. All sky: Mollweide (equal areas, dec
 * lines straight); local: stereographic (circles stay circles). North is up, ra grows to the left.
 * Page units are points from the upper left corner. */
#ifndef HAL_PLOT_VIEW_H
#define HAL_PLOT_VIEW_H

#include "plot/plot.h"

typedef struct hal_view {
    bool all_sky;
    double ra_deg, dec_deg;          /* of the middle; all sky: ra a whole number, dec 0 */
    double scale, cx, cy;            /* page units per radian; page position of the middle */
    double left, top, right, bottom; /* the frame; all sky: the ellipse in it */
} hal_view;

enum { HAL_VIEW_WIDTH = 900, HAL_VIEW_TOP = 108 };

/** A view of the tiles, of the region's own tile where there are none: local when they are within
 * 45 degrees of the region's middle, else of all sky; the rim of the map does not cut a region of
 * less than half of it. */
hal_view hal_view_of(const hal_plot *plot);
/** Page position of a place `dra_deg` east of the middle's ra, from -180 to 180: both ends are on
 * the page. Local: within 90 degrees of the middle. */
void hal_view_page(const hal_view *v, double dra_deg, double dec_deg, double *x, double *y);
/** The place at a page position; false outside of the sky. */
bool hal_view_sky(const hal_view *v, double x, double y, double *ra_deg, double *dec_deg);
/** ra as degrees east of the middle, [-180, 180). */
double hal_view_offset(const hal_view *v, double ra_deg);

/** The outline of a tile as rings of points, each passed in turn; `start` begins a ring. An
 * even-odd fill of the rings is the tile, and no ring has a side that the tile has not (a full
 * circle has no west and east) but for the rim of the map. */
typedef void (*hal_view_point)(void *ctx, double x, double y, bool start);
void hal_view_tile(const hal_view *v, const hal_tile *t, hal_view_point point, void *ctx);

#endif
