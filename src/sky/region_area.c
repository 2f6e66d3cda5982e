/* SPDX-License-Identifier: BSD-3-Clause */
/* Areas of what has no formula: HEALPix cells (all of one order have the same area) are counted
 * that are wholly inside, those on the border are divided further. */
#include "sky/region_shape.h"

#include "base/alloc.h"
#include "sky/healpix.h"

static double cell_area(int order)
{
    return HAL_PI / 3 / (double)(UINT64_C(1) << 2 * order);
}

/* Share of a cell that is inside, by four places in it. */
static double sampled_share(const hal_region *r, int order, uint64_t index)
{
    int n = 0;
    for (int k = 0; k < 4; k++) {
        double ra, dec;
        hal_healpix_position(order, index, k % 2 ? 0.75 : 0.25, k / 2 ? 0.75 : 0.25, &ra, &dec);
        n += hal_region_contains(r, ra, dec);
    }
    return n / 4.0;
}

double hal_region_measure(const hal_region *r, size_t straddling_max, double *error_sr)
{
    static const double precise = 1e-4;
    uint64_t *now = hal_malloc(straddling_max * sizeof *now);
    uint64_t *next = hal_malloc(straddling_max * sizeof *next);
    double inside = 0, straddling = 4 * HAL_PI, estimate = 2 * HAL_PI;
    size_t n_now = 12;
    int order = 0;
    for (uint64_t face = 0; face < 12 && now && next; face++)
        now[face] = face;
    while (now && next) {
        size_t n_next = 0;
        for (size_t i = 0; i < n_now; i++) {
            hal_cell c = hal_cell_of(order, now[i]);
            hal_moc_share share = hal_region_share(r, &c);
            if (share == HAL_MOC_WHOLE)
                inside += cell_area(order);
            else if (share == HAL_MOC_SOME)
                now[n_next++] = now[i];
        }
        straddling = (double)n_next * cell_area(order);
        if (4 * n_next > straddling_max || straddling <= precise * (inside + straddling / 2) ||
            order == HAL_HEALPIX_ORDER_MAX) {
            estimate = inside;
            for (size_t i = 0; i < n_next; i++)
                estimate += cell_area(order) * sampled_share(r, order, now[i]);
            break;
        }
        for (size_t i = 0; i < 4 * n_next; i++)
            next[i] = 4 * now[i / 4] + i % 4;
        uint64_t *spare = now;
        now = next;
        next = spare;
        n_now = 4 * n_next;
        order++;
    }
    hal_free(now);
    hal_free(next);
    *error_sr = straddling; /* without memory: nothing but the sky's own area is known */
    return estimate;
}
