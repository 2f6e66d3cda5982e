/* SPDX-License-Identifier: BSD-3-Clause */
/* What is on the page, whatever the form of the file. Private to this folder. */
#ifndef HAL_PLOT_PAGE_H
#define HAL_PLOT_PAGE_H

#include "plot/cairo_lib.h"
#include "plot/plot.h"
#include "plot/view.h"

/* Height of the page below the frame of the map. */
enum { HAL_PAGE_BELOW = 128 };

/** Draws the whole page; trouble of Cairo's own stays in the status of `cr`. HAL_E_NOMEM. */
hal_status hal_page_draw(const hal_cairo *c, cairo_t *cr, const hal_view *view,
                         const hal_plot *plot, hal_err *err) HAL_MUST_CHECK;

#endif
