/* SPDX-License-Identifier: BSD-3-Clause */
/* Coverage maps from arbitrary bytes (ASCII, JSON, FITS): what is accepted is in normal form, reads
 * back from each of its forms, and obeys the laws of sets. */
#include "host/moc_file.h"

#include "check.h"

#include <math.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const hal_moc *a, const hal_moc *b)
{
    const hal_moc_range *x, *y;
    check(a && b);
    size_t n = hal_moc_ranges(a, &x);
    check(hal_moc_ranges(b, &y) == n && hal_moc_order(a) == hal_moc_order(b));
    for (size_t i = 0; i < n; i++)
        check(x[i].lo == y[i].lo && x[i].hi == y[i].hi);
}

static void check_ranges(const hal_moc *m)
{
    const hal_moc_range *r;
    size_t n = hal_moc_ranges(m, &r);
    for (size_t i = 0; i < n; i++)
        check(r[i].lo < r[i].hi && r[i].hi <= HAL_MOC_CELLS && (i == 0 || r[i].lo > r[i - 1].hi));
}

static void check_forms(const hal_moc *m)
{
    for (int form = HAL_MOC_ASCII; form <= HAL_MOC_FITS; form++) {
        hal_buf bytes;
        hal_buf_init(&bytes, 64 << 20);
        check(hal_moc_encode(m, (hal_moc_form)form, &bytes, NULL) == HAL_OK);
        hal_moc *again = hal_moc_decode(hal_buf_slice(&bytes), NULL);
        check_same(m, again);
        hal_moc_unref(again);
        hal_buf_clear(&bytes);
    }
}

static void check_laws(const hal_moc *m)
{
    hal_moc *rest = hal_moc_complement(m, NULL), *again = hal_moc_complement(rest, NULL);
    hal_moc *all = hal_moc_union(m, rest, NULL), *none = hal_moc_intersection(m, rest, NULL);
    const hal_moc_range *r;
    check_ranges(rest);
    check_same(m, again);
    check(hal_moc_ranges(all, &r) == 1 && r->lo == 0 && r->hi == HAL_MOC_CELLS);
    check(hal_moc_ranges(none, &r) == 0);
    check(fabs(hal_moc_area_sr(m) + hal_moc_area_sr(rest) - hal_moc_area_sr(all)) < 1e-12);
    hal_moc_unref(rest);
    hal_moc_unref(again);
    hal_moc_unref(all);
    hal_moc_unref(none);
}

static void check_region(hal_moc *m)
{
    hal_region *r = hal_region_of_moc(m, NULL);
    check(r);
    hal_tile t = hal_region_tile(r);
    check(t.ra >= 0 && t.ra < HAL_TICKS_CIRCLE && t.width > 0 && t.width <= HAL_TICKS_CIRCLE);
    check(t.dec_lo >= -HAL_TICKS_POLE && t.dec_lo < t.dec_hi && t.dec_hi <= HAL_TICKS_POLE);
    hal_cone c = hal_region_cone(r);
    bool inside = hal_region_contains(r, c.ra_deg, c.dec_deg);
    double away = hal_region_distance_deg(r, c.ra_deg, c.dec_deg);
    check(inside ? away == 0 : away >= 0); /* outside, but on a border, it is 0 as well */
    check(!inside || (hal_tile_owns(&t, c.ra_deg, c.dec_deg) && hal_region_may_touch(r, &t, 0)));
    hal_region_unref(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hal_err err = HAL_ERR_INIT;
    hal_moc *m = hal_moc_decode((hal_slice){(const char *)data, size}, &err);
    if (!m) {
        check(err.status != HAL_OK);
        return 0;
    }
    const hal_moc_range *r;
    check_ranges(m);
    check_laws(m);
    if (hal_moc_ranges(m, &r) < 2000) {
        check_forms(m);
        check_region(m);
    }
    hal_moc_unref(m);
    return 0;
}
