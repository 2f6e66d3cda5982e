/* SPDX-License-Identifier: BSD-3-Clause */
#include "sky/tile.h"

#include "sky/angle.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t seed = 7;

static void assert_near(double a, double b, double within)
{
    assert_true(fabs(a - b) <= within);
}

static uint64_t bits(void)
{
    uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static double uniform(void)
{
    return (double)(bits() >> 11) * 0x1p-53;
}

/* Sizes from the whole sky to a few arc seconds, anywhere, often at poles, borders and ra 0. */
static hal_tile random_tile(void)
{
    hal_tile t;
    double size = pow(10.0, -6.0 * uniform());
    t.width = llround((double)HAL_TICKS_CIRCLE * size * uniform());
    if (bits() % 16 == 0)
        t.width = HAL_TICKS_CIRCLE;
    if (t.width < 1)
        t.width = 1;
    t.ra = t.width == HAL_TICKS_CIRCLE ? 0 : (int64_t)(bits() % (uint64_t)HAL_TICKS_CIRCLE);
    if (bits() % 8 == 0 && t.width < HAL_TICKS_CIRCLE)
        t.ra = HAL_TICKS_CIRCLE - t.width;
    int64_t h = 1 + llround((double)HAL_TICKS_POLE * 2.0 * size * uniform() * 0.999);
    t.dec_lo = -HAL_TICKS_POLE + (int64_t)(uniform() * (double)(2 * HAL_TICKS_POLE - h));
    if (bits() % 8 == 0)
        t.dec_lo = bits() % 2 ? -HAL_TICKS_POLE : HAL_TICKS_POLE - h;
    t.dec_hi = t.dec_lo + h;
    return t;
}

static void the_enclosing_cone_holds_every_point_of_20000_random_tiles(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        hal_tile t = random_tile();
        hal_cone c = hal_tile_cone(&t);
        assert_true(c.radius_deg >= 0.0 && c.radius_deg <= 180.0);
        for (int x = 0; x <= 12; x++)
            for (int y = 0; y <= 12; y++) {
                if (x % 12 && y % 12 && (x + y) % 3)
                    continue; /* the border densely, the inside thinly */
                double ra = hal_tick_deg(t.ra) + hal_tick_deg(t.width) * x / 12.0;
                double dec = hal_tick_deg(t.dec_lo) + hal_tick_deg(t.dec_hi - t.dec_lo) * y / 12.0;
                double d = hal_separation_deg(c.ra_deg, c.dec_deg, ra, dec);
                if (d > c.radius_deg + 2e-12)
                    fail_msg("tile %lld+%lld %lld..%lld: %.17g beyond %.17g", (long long)t.ra,
                             (long long)t.width, (long long)t.dec_lo, (long long)t.dec_hi, d,
                             c.radius_deg);
            }
    }
}

static void the_enclosing_cone_of_a_near_square_tile_is_1_57_times_its_area(void **state)
{
    (void)state;
    for (int64_t dec = 0; dec <= 60; dec += 20) {
        hal_tile t = {0, llround(1e7 / cos((double)dec * 0.0174532925)), dec * HAL_TICKS_PER_DEG,
                      (dec + 1) * HAL_TICKS_PER_DEG};
        double factor = hal_cone_area_sr(hal_tile_cone(&t).radius_deg) / hal_tile_area_sr(&t);
        assert_true(factor > 1.56 && factor < 1.60);
    }
    hal_tile cap = {0, HAL_TICKS_CIRCLE, 80 * HAL_TICKS_PER_DEG, HAL_TICKS_POLE};
    assert_near(hal_cone_area_sr(hal_tile_cone(&cap).radius_deg) / hal_tile_area_sr(&cap), 1.0,
                1e-9);
}

static void areas_of_the_whole_sky_and_of_its_halves_are_exact(void **state)
{
    (void)state;
    hal_tile all = hal_tile_all();
    assert_near(hal_tile_area_sr(&all), 12.566370614359172, 1e-12);
    assert_near(hal_cone_area_sr(180.0), 12.566370614359172, 1e-12);
    assert_near(hal_cone_area_sr(90.0), 6.283185307179586, 1e-12);
    all.dec_lo = 0;
    assert_near(hal_tile_area_sr(&all), 6.283185307179586, 1e-12);
}

enum { LEAVES_MAX = 4096 };

static size_t cut_up(const hal_tile *root, int64_t n, hal_tile *leaf)
{
    if (n < 2) {
        *leaf = *root;
        return 1;
    }
    hal_tile c[2];
    if (!hal_tile_cut(root, bits() % 3 ? n : 2 + (int64_t)(bits() % 20), 1, c)) {
        *leaf = *root;
        return 1;
    }
    assert_true(c[0].width > 0 && c[1].width > 0);
    assert_true(c[0].dec_lo < c[0].dec_hi && c[1].dec_lo < c[1].dec_hi);
    int64_t first = 1 + (int64_t)(bits() % (uint64_t)(n - 1));
    size_t k = cut_up(&c[0], first, leaf);
    return k + cut_up(&c[1], n - first, leaf + k);
}

static int owners(const hal_tile *leaf, size_t n, double ra, double dec)
{
    int found = 0;
    for (size_t i = 0; i < n; i++)
        found += hal_tile_owns(&leaf[i], ra, dec);
    return found;
}

static void every_position_has_exactly_one_owner_in_random_partitions_of_the_sky(void **state)
{
    (void)state;
    static hal_tile leaf[LEAVES_MAX];
    static const double awkward[] = {
        0.0,   -0.0,    360.0, -1e-20, 1e-20, 359.9999999, 359.99999999999994,
        180.0, 123.456, 720.5, -90.25};
    for (int trial = 0; trial < 60; trial++) {
        hal_tile all = hal_tile_all();
        size_t n = cut_up(&all, 2 + (int64_t)(bits() % 300), leaf);
        for (size_t a = 0; a < sizeof awkward / sizeof *awkward; a++) {
            assert_int_equal(owners(leaf, n, awkward[a], 90.0), 1);
            assert_int_equal(owners(leaf, n, awkward[a], -90.0), 1);
            assert_int_equal(owners(leaf, n, awkward[a], 0.0), 1);
            assert_int_equal(owners(leaf, n, awkward[a], 89.99999999999999), 1);
        }
        for (int k = 0; k < 300; k++) {
            assert_int_equal(owners(leaf, n, 360.0 * uniform(), 180.0 * uniform() - 90.0), 1);
            /* on corners of leaves, as text with 7 decimals reads */
            const hal_tile *t = &leaf[bits() % n];
            char text[32];
            snprintf(text, sizeof text, "%lld.%07lld", (long long)(t->ra / HAL_TICKS_PER_DEG),
                     (long long)(t->ra % HAL_TICKS_PER_DEG));
            double ra = strtod(text, NULL);
            assert_true(ra == hal_tick_deg(t->ra));
            assert_true(hal_tile_owns(t, ra, hal_tick_deg(t->dec_lo)) ||
                        t->dec_lo == -HAL_TICKS_POLE);
            assert_int_equal(owners(leaf, n, ra, hal_tick_deg(t->dec_lo)), 1);
            assert_int_equal(owners(leaf, n, ra, hal_tick_deg(t->dec_hi)), 1);
            assert_int_equal(owners(leaf, n, nextafter(ra, -1.0), hal_tick_deg(t->dec_hi)), 1);
        }
    }
}

static void no_tile_owns_what_is_not_a_position(void **state)
{
    (void)state;
    hal_tile all = hal_tile_all();
    static const double bad[][2] = {{NAN, 0},        {0, NAN},   {INFINITY, 0}, {0, INFINITY},
                                    {0, 90.0000001}, {0, -90.1}, {NAN, 90}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(hal_tile_owns(&all, bad[i][0], bad[i][1]));
}

static void the_array_form_agrees_with_the_single_one(void **state)
{
    (void)state;
    enum { N = 2000 };
    static double ra[N], dec[N];
    static unsigned char owned[N];
    for (int trial = 0; trial < 50; trial++) {
        hal_tile t = random_tile();
        size_t expected = 0;
        for (int i = 0; i < N; i++) {
            ra[i] = i % 10 ? hal_tick_deg(t.ra) + 1.5 * hal_tick_deg(t.width) * uniform()
                           : 720.0 * uniform() - 360.0;
            dec[i] =
                i % 7 ? hal_tick_deg(t.dec_lo) + 1.2 * hal_tick_deg(t.dec_hi - t.dec_lo) * uniform()
                      : 90.0;
            expected += hal_tile_owns(&t, ra[i], dec[i]);
        }
        assert_int_equal(hal_tile_owns_array(&t, ra, dec, N, owned), expected);
        for (int i = 0; i < N; i++)
            assert_int_equal(owned[i], hal_tile_owns(&t, ra[i], dec[i]));
    }
}

static void cuts_share_one_border_and_respect_the_smallest_side(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        hal_tile t = random_tile(), c[2] = {t, t};
        int64_t side = 1 + (int64_t)(bits() % 100000);
        if (!hal_tile_cut(&t, 2 + (int64_t)(bits() % 30), side, c)) {
            assert_memory_equal(&c[0], &t, sizeof t);
            continue;
        }
        bool by_dec = c[0].width == t.width;
        if (by_dec) {
            assert_int_equal(c[0].dec_lo, t.dec_lo);
            assert_int_equal(c[0].dec_hi, c[1].dec_lo);
            assert_int_equal(c[1].dec_hi, t.dec_hi);
            assert_true(c[0].dec_hi - c[0].dec_lo >= side && c[1].dec_hi - c[1].dec_lo >= side);
            assert_true(c[1].ra == t.ra && c[1].width == t.width && c[0].ra == t.ra);
        } else {
            assert_int_equal(c[0].width + c[1].width, t.width);
            assert_int_equal(c[0].ra, t.ra);
            assert_int_equal(c[1].ra, (t.ra + c[0].width) % HAL_TICKS_CIRCLE);
            assert_true(c[0].width >= side && c[1].width >= side);
            assert_true(c[1].dec_lo == t.dec_lo && c[1].dec_hi == t.dec_hi);
        }
    }
}

static void a_ring_is_cut_in_ra_and_a_polar_cap_in_dec(void **state)
{
    (void)state;
    hal_tile ring = {0, HAL_TICKS_CIRCLE, 500000000, 600000000}, c[2];
    assert_true(hal_tile_cut(&ring, 2, 1, c));
    assert_int_equal(c[0].width, HAL_TICKS_CIRCLE / 2);
    hal_tile cap = {0, HAL_TICKS_CIRCLE, 600000000, HAL_TICKS_POLE};
    assert_true(hal_tile_cut(&cap, 2, 1, c));
    assert_int_equal(c[0].width, HAL_TICKS_CIRCLE);
    assert_near(hal_tile_area_sr(&c[0]), hal_tile_area_sr(&c[1]), 1e-7);
    hal_tile all = hal_tile_all();
    assert_true(hal_tile_cut(&all, 5, 1, c));
    assert_int_equal(c[0].dec_hi, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_enclosing_cone_holds_every_point_of_20000_random_tiles),
        cmocka_unit_test(the_enclosing_cone_of_a_near_square_tile_is_1_57_times_its_area),
        cmocka_unit_test(areas_of_the_whole_sky_and_of_its_halves_are_exact),
        cmocka_unit_test(every_position_has_exactly_one_owner_in_random_partitions_of_the_sky),
        cmocka_unit_test(no_tile_owns_what_is_not_a_position),
        cmocka_unit_test(the_array_form_agrees_with_the_single_one),
        cmocka_unit_test(cuts_share_one_border_and_respect_the_smallest_side),
        cmocka_unit_test(a_ring_is_cut_in_ra_and_a_polar_cap_in_dec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
