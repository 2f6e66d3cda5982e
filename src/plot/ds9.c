/* SPDX-License-Identifier: BSD-3-Clause */
/* Region files of DS9 (reference manual, "Regions", file format 4.1). */
#include "plot/plot.h"

#include <math.h>

#define STEP_DEG 2.0 /* sides along a parallel bend: so far are the vertices apart at most */

static hal_status parallel(const hal_tile *t, bool north, hal_buf *out, hal_err *err)
{
    int64_t dec = north ? t->dec_hi : t->dec_lo;
    double width = hal_tick_deg(t->width);
    int n = dec == HAL_TICKS_POLE || dec == -HAL_TICKS_POLE ? 0 : (int)ceil(width / STEP_DEG);
    hal_status st = HAL_OK;
    for (int i = 0; i <= n && !st; i++) {
        int64_t along = n > 0 ? llround((double)t->width * i / n) : 0;
        int64_t ra = (t->ra + (north ? t->width - along : along)) % HAL_TICKS_CIRCLE;
        st = hal_buf_printf(out, err, "%s%.7f,%.7f", north || i ? "," : "", hal_tick_deg(ra),
                            hal_tick_deg(dec));
    }
    return st;
}

static hal_status shape(const hal_tile *t, hal_buf *out, hal_err *err)
{
    if (t->width < HAL_TICKS_CIRCLE) {
        hal_status st = hal_buf_puts(out, "polygon(", err);
        if (!st)
            st = parallel(t, false, out, err);
        if (!st)
            st = parallel(t, true, out, err);
        return st ? st : hal_buf_puts(out, ")", err);
    }
    bool south = t->dec_lo == -HAL_TICKS_POLE;
    bool cap = south || t->dec_hi == HAL_TICKS_POLE;
    int64_t inner = south ? t->dec_lo + HAL_TICKS_POLE : HAL_TICKS_POLE - t->dec_hi;
    int64_t outer = south ? t->dec_hi + HAL_TICKS_POLE : HAL_TICKS_POLE - t->dec_lo;
    if (cap)
        return hal_buf_printf(out, err, "circle(0,%s90,%.7fd)", south ? "-" : "",
                              hal_tick_deg(outer));
    return hal_buf_printf(out, err, "annulus(0,90,%.7fd,%.7fd)", hal_tick_deg(inner),
                          hal_tick_deg(outer));
}

hal_status hal_plot_regions(const hal_plot *plot, hal_buf *out, hal_err *err)
{
    hal_status st = hal_buf_puts(out, "# Region file format: DS9 version 4.1\n", err);
    if (!st)
        st = hal_buf_puts(out, "global color=green\nicrs\n", err);
    for (size_t i = 0; i < plot->n_tiles && !st; i++) {
        const hal_plot_tile *t = &plot->tiles[i];
        st = shape(&t->tile, out, err);
        if (!st && t->missing)
            st = hal_buf_puts(out, " # color=red dash=1 text={not fetched}", err);
        else if (!st && t->rows >= 0)
            st = hal_buf_printf(out, err, " # text={%.0f rows}", t->rows);
        if (!st)
            st = hal_buf_puts(out, "\n", err);
    }
    for (size_t i = 0; i < plot->n_requests && !st; i++)
        st = hal_buf_printf(out, err, "circle(%.7f,%.7f,%.7fd) # color=cyan text={request %zu}\n",
                            plot->requests[i].ra_deg, plot->requests[i].dec_deg,
                            plot->requests[i].radius_deg, i + 1);
    return st;
}
