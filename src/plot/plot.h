/* SPDX-License-Identifier: BSD-3-Clause */
/* The tiles of a query as a picture of the sky (SVG, PNG, PDF) and as a region file of DS9. The
 * same input gives the same bytes: no dates, no numbers that depend on what was drawn before. */
#ifndef HAL_PLOT_PLOT_H
#define HAL_PLOT_PLOT_H

#include "base/buf.h"
#include "sky/region.h"

typedef enum hal_plot_form { HAL_PLOT_SVG, HAL_PLOT_PNG, HAL_PLOT_PDF } hal_plot_form;

enum { HAL_PLOT_PIXELS = 2 }; /* of a PNG, for each page unit of view.h */

typedef struct hal_plot_tile {
    hal_tile tile;
    double rows;         /* inside the region; < 0: unknown */
    double density_deg2; /* rows per square degree; < 0: unknown */
    bool missing;        /* not fetched: hatched */
} hal_plot_tile;

/** Borrows everything; texts are UTF-8, NULL is no text. */
typedef struct hal_plot {
    const char *title, *notes[2];
    const char *scale; /* what the colours say: "rows per square degree, predicted" */
    hal_region *region;
    const hal_plot_tile *tiles;
    size_t n_tiles;
    const hal_cone *requests; /* circles of the region file; the picture has none */
    size_t n_requests;
} hal_plot;

/** By the ending .svg, .png or .pdf; HAL_E_USAGE names them. */
hal_status hal_plot_form_of_path(hal_plot_form *out, const char *path, hal_err *err) HAL_MUST_CHECK;
/** Of rows and density, works out the one that is unknown from the other and from the tile's area
 * inside the region (to 1 % where the border of the region crosses the tile). */
hal_status hal_plot_measure(hal_plot_tile *tiles, size_t n, hal_region *region,
                            hal_err *err) HAL_MUST_CHECK;
/** Loads Cairo when it is first called. HAL_E_IO without Cairo, HAL_E_NOMEM, HAL_E_BUDGET when
 * `out` is full. */
hal_status hal_plot_draw(const hal_plot *plot, hal_plot_form form, hal_buf *out,
                         hal_err *err) HAL_MUST_CHECK;
/** DS9 4.1 regions, ICRS: a polygon for each tile (a circle round a pole, an annulus for a ring)
 * with its rows, red and dashed where missing; a circle for each request. */
hal_status hal_plot_regions(const hal_plot *plot, hal_buf *out, hal_err *err) HAL_MUST_CHECK;

#endif
