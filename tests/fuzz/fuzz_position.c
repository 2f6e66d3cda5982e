/* SPDX-License-Identifier: BSD-3-Clause */
/* Angles, positions and regions from arbitrary text: whatever is accepted is sound and reads back
 * from its own text. */
#include "sky/angle.h"
#include "sky/region.h"

#include "check.h"

#include <math.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_region(hal_region *r)
{
    hal_buf first, second;
    hal_buf_init(&first, 4 << 20);
    hal_buf_init(&second, 4 << 20);
    check(hal_region_format(r, &first, NULL) == HAL_OK);
    hal_region *again = hal_region_parse(hal_buf_slice(&first), NULL);
    check(again && hal_region_format(again, &second, NULL) == HAL_OK);
    check(hal_slice_equals(hal_buf_slice(&first), hal_buf_slice(&second)));

    hal_cone c = hal_region_cone(r);
    hal_tile t = hal_region_tile(r);
    check(c.ra_deg >= 0 && c.ra_deg < 360 && fabs(c.dec_deg) <= 90 && c.radius_deg >= 0);
    check(t.ra >= 0 && t.ra < HAL_TICKS_CIRCLE && t.width > 0 && t.width <= HAL_TICKS_CIRCLE);
    check(t.dec_lo >= -HAL_TICKS_POLE && t.dec_lo < t.dec_hi && t.dec_hi <= HAL_TICKS_POLE);
    if (!memchr(first.data, '(',
                first.size_bytes)) /* sets are measured cell by cell: too slow here */
        check(hal_region_area_sr(r) >= 0);
    if (hal_region_contains(r, c.ra_deg, c.dec_deg)) {
        check(hal_tile_owns(&t, c.ra_deg, c.dec_deg));
        check(hal_region_may_touch(r, &t, 0));
    }
    check(hal_region_distance_deg(r, 12.5, -33) >= 0);
    hal_buf_clear(&first);
    hal_buf_clear(&second);
    hal_region_unref(again);
    hal_region_unref(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hal_slice text = {(const char *)data, size};
    double a, b;
    if (hal_angle_parse(&a, text, NULL, NULL) == HAL_OK)
        check(isfinite(a));
    if (hal_angle_parse(&a, text, "arcmin", NULL) == HAL_OK)
        check(isfinite(a));
    hal_err err = HAL_ERR_INIT;
    hal_status st = hal_position_parse(&a, &b, text, &err);
    check(st == HAL_OK || st == HAL_E_USAGE || st == HAL_E_NOT_FOUND);
    if (st == HAL_OK)
        check(a >= 0 && a < 360 && fabs(b) <= 90);
    hal_region *r = hal_region_parse(text, &err);
    if (r)
        check_region(r);
    return 0;
}
