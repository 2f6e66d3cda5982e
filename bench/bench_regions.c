/* SPDX-License-Identifier: BSD-3-Clause */
/* bench_regions: what the questions of a plan cost for regions of every form. Processor time for
 * one place (contains), one tile (touch) and one distance, and how many times that of a circle. */
#include "sky/moc.h"

#include "../tests/unit/support/random_sky.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PLACES = 500000, QUESTIONS = 2000, MEMBERS = 10000, CELLS = 100000 };

static double ra[PLACES], dec[PLACES];
static unsigned char inside[PLACES];
static double circle_us[3];

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

/* Consumes `r`. */
static void measure(const char *name, hal_region *r)
{
    if (!r) {
        printf("%s: not made\n", name);
        exit(1);
    }
    for (int i = 0; i < PLACES; i++)
        inside[i] = 1;
    double us[3], t = now_us(), sum = 0;
    size_t n = hal_region_contains_array(r, ra, dec, PLACES, inside);
    us[0] = (now_us() - t) / PLACES;
    t = now_us();
    for (int i = 0; i < QUESTIONS; i++) {
        hal_tile tile = {.ra = (int64_t)(ra[i] * 1e7), .width = 10000000};
        tile.dec_lo = (int64_t)(dec[i] * 0.98 * 1e7);
        tile.dec_hi = tile.dec_lo + 10000000;
        n += hal_region_may_touch(r, &tile, 1.0 / 3600);
    }
    us[1] = (now_us() - t) / QUESTIONS;
    t = now_us();
    for (int i = 0; i < QUESTIONS; i++)
        sum += hal_region_distance_deg(r, ra[i], dec[i]);
    us[2] = (now_us() - t) / QUESTIONS;
    printf("%-22s", name);
    for (int k = 0; k < 3; k++) {
        circle_us[k] = circle_us[k] > 0 ? circle_us[k] : us[k];
        printf(" %9.3f us %7.1fx", us[k], us[k] / circle_us[k]);
    }
    printf("   (%zu, %.0f)\n", n, sum);
    hal_region_unref(r);
}

static hal_region *large_polygon(void)
{
    static double v_ra[MEMBERS], v_dec[MEMBERS];
    for (int k = 0; k < MEMBERS; k++)
        walk(10, 20, 50 + 5 * unit(), 360.0 * k / MEMBERS, &v_ra[k], &v_dec[k]);
    return hal_region_polygon(v_ra, v_dec, MEMBERS, NULL);
}

static hal_region *many_circles(void)
{
    static hal_region *c[MEMBERS];
    for (int i = 0; i < MEMBERS; i++) {
        double c_ra, c_dec;
        random_point(&c_ra, &c_dec);
        c[i] = hal_region_circle(c_ra, c_dec, 0.3, NULL);
    }
    hal_region *r = hal_region_union(c, MEMBERS, NULL);
    for (int i = 0; i < MEMBERS; i++)
        hal_region_unref(c[i]);
    return r;
}

static hal_region *scattered_map(void)
{
    static hal_moc_range range[CELLS];
    for (int i = 0; i < CELLS; i++) {
        uint64_t cell = random_bits() % (UINT64_C(12) << 20);
        range[i] = (hal_moc_range){cell << 38, (cell + 1) << 38};
    }
    hal_moc *m = hal_moc_new(range, CELLS, 10, NULL);
    hal_region *r = hal_region_of_moc(m, NULL);
    hal_moc_unref(m);
    return r;
}

int main(void)
{
    for (int i = 0; i < PLACES; i++)
        random_point(&ra[i], &dec[i]);
    printf("%-22s %21s %21s %21s\n", "", "contains", "touch", "distance");
    measure("circle", hal_region_circle(10, 20, 60, NULL));
    measure("box", hal_region_box(10, 80, -20, 60, NULL));
    measure("ellipse", hal_region_ellipse(10, 20, 60, 20, 30, NULL));
    measure("polygon of 10,000", large_polygon());
    measure("10,000 circles", many_circles());
    measure("map of 100,000 cells", scattered_map());
    return 0;
}
