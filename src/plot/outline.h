/* SPDX-License-Identifier: BSD-3-Clause */
/* The border of a region of any form, as lines on the page: found by asking which places of a grid
 * are inside. */
#ifndef HAL_PLOT_OUTLINE_H
#define HAL_PLOT_OUTLINE_H

#include "plot/view.h"
#include "sky/region.h"

/** Passes the points of each line in turn; `start` begins one. Within 0.3 page units of the border;
 * what is narrower than 2 units may be left out. Needs at most 20 MiB. HAL_E_NOMEM. */
hal_status hal_outline(const hal_view *v, const hal_region *r, hal_view_point point, void *ctx,
                       hal_err *err) HAL_MUST_CHECK;

#endif
