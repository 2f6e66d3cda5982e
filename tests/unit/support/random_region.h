/* SPDX-License-Identifier: BSD-3-Clause */
/* Random shapes and tiles for property tests of regions, and their unit vectors as a reference. */
#ifndef HAL_TESTS_RANDOM_REGION_H
#define HAL_TESTS_RANDOM_REGION_H

#include "sky/angle.h"
#include "sky/region.h"

#include "random_sky.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static inline void vec(double ra, double dec, long double p[3])
{
    long double r = (long double)ra * PI / 180, d = (long double)dec * PI / 180;
    p[0] = cosl(d) * cosl(r);
    p[1] = cosl(d) * sinl(r);
    p[2] = sinl(d);
}

static inline hal_region *parsed(const char *text)
{
    hal_err err = HAL_ERR_INIT;
    hal_region *r = hal_region_parse(hal_slice_of(text), &err);
    if (!r)
        fail_msg("%s: %s", text, err.text);
    return r;
}

/** A circle, a box or a polygon; NULL where the dice give none. */
static inline hal_region *random_region(void)
{
    static const double sizes[] = {1e-4, 0.01, 1, 20, 80};
    double ra, dec, size = sizes[(int)(unit() * 5)];
    random_point(&ra, &dec);
    if (unit() < 0.3)
        dec = (unit() < 0.5 ? -1 : 1) * (90 - between(0, 1.5) * size);
    if (fabs(dec) > 90)
        dec = 0;
    if (unit() < 0.3)
        ra = hal_ra_canonical(between(-1, 1) * size);
    int kind = (int)(unit() * 3);
    if (kind == 0)
        return hal_region_circle(ra, dec, size * between(0.1, 2.2), NULL);
    if (kind == 1)
        return hal_region_box(ra, hal_ra_canonical(ra + size * between(0, 4)),
                              fmax(-90, dec - size), fmin(90, dec + size * unit()), NULL);
    double v_ra[40], v_dec[40];
    int n = 3 + (int)(unit() * 37);
    for (int i = 0; i < n; i++) /* a star shape round the middle: edges never cross */
        walk(ra, dec, size * between(0.3, 1), 360.0 * i / n, &v_ra[i], &v_dec[i]);
    return hal_region_polygon(v_ra, v_dec, (size_t)n, NULL);
}

static inline hal_tile random_tile(hal_cone near)
{
    double ra, dec;
    walk(near.ra_deg, near.dec_deg, fmin(179, near.radius_deg * between(0, 3)), between(0, 360),
         &ra, &dec);
    double width = near.radius_deg * pow(10, between(-2, 1)), height = near.radius_deg * unit();
    hal_tile t = {.ra = (int64_t)(ra * 1e7) % HAL_TICKS_CIRCLE,
                  .width = (int64_t)(width * 1e7) + 1,
                  .dec_lo = (int64_t)(dec * 1e7),
                  .dec_hi = (int64_t)((dec + height) * 1e7) + 1};
    if (t.width >= HAL_TICKS_CIRCLE) {
        t.ra = 0;
        t.width = HAL_TICKS_CIRCLE;
    }
    if (t.dec_hi > HAL_TICKS_POLE)
        t.dec_hi = HAL_TICKS_POLE;
    if (t.dec_lo >= t.dec_hi)
        t.dec_lo = t.dec_hi - 1;
    return t;
}

#endif
