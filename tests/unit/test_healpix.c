/* SPDX-License-Identifier: BSD-3-Clause */
#include "sky/healpix.h"

#include "sky/angle.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../data/healpix_vectors.inc"
#include "support/random_sky.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* One in ten near a pole. */
static void random_place(double *ra, double *dec)
{
    random_point(ra, dec);
    if (unit() < 0.1)
        *dec = copysign(90 - pow(10, -10 * unit()), *dec);
}

/* Least distance from the cell to the point: a pattern search over the cell's own coordinates. */
static double away_from_cell(int order, uint64_t index, double ra, double dec)
{
    double a = 0.5, b = 0.5, best = 180;
    for (double step = 0.5; step > 1e-13;) {
        double best_a = a, best_b = b;
        for (int i = -1; i <= 1; i++)
            for (int j = -1; j <= 1; j++) {
                double p_ra, p_dec, x = fmax(0, fmin(1, a + i * step)),
                                    y = fmax(0, fmin(1, b + j * step));
                hal_healpix_position(order, index, x, y, &p_ra, &p_dec);
                double d = hal_separation_deg(ra, dec, p_ra, p_dec);
                if (d < best) {
                    best = d;
                    best_a = x;
                    best_b = y;
                }
            }
        if (best_a == a && best_b == b)
            step /= 2;
        a = best_a;
        b = best_b;
    }
    return best;
}

static void reference_points_have_their_index(void **state)
{
    (void)state;
    assert_int_equal(COUNT(vector_points), 383);
    for (size_t i = 0; i < COUNT(vector_points); i++)
        for (size_t k = 0; k < COUNT(vector_orders); k++) {
            double ra = vector_points[i].ra, dec = vector_points[i].dec;
            uint64_t index = hal_healpix_index(vector_orders[k], ra, dec);
            if (index != vector_points[i].nested[k]) {
                assert_true(vector_points[i].ambiguous >> k & 1);
                assert_true(away_from_cell(vector_orders[k], index, ra, dec) < 1e-9);
            }
        }
}

static void reference_cells_have_their_centre_corners_and_radius(void **state)
{
    (void)state;
    static const double at[4][2] = {{1, 1}, {0, 1}, {0, 0}, {1, 0}};
    assert_int_equal(COUNT(vector_pixels), 125);
    for (size_t i = 0; i < COUNT(vector_pixels); i++) {
        int order = vector_pixels[i].order;
        uint64_t pixel = vector_pixels[i].pixel;
        const double *centre = vector_pixels[i].centre;
        double ra, dec;
        hal_healpix_position(order, pixel, 0.5, 0.5, &ra, &dec);
        assert_true(ra >= 0 && ra < 360);
        assert_true(hal_separation_deg(ra, dec, centre[0], centre[1]) < 1e-9);
        assert_int_equal(hal_healpix_index(order, ra, dec), pixel);
        for (int k = 0; k < 4; k++) {
            const double *corner = vector_pixels[i].corners_nwse[k];
            hal_healpix_position(order, pixel, at[k][0], at[k][1], &ra, &dec);
            assert_true(hal_separation_deg(ra, dec, corner[0], corner[1]) < 1e-9);
        }
        assert_true(vector_pixels[i].radius_deg <= hal_healpix_radius_deg(order));
    }
}

static void orders_nest_exactly(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        double ra, dec;
        random_place(&ra, &dec);
        uint64_t finest = hal_healpix_index(29, ra, dec);
        for (int order = 0; order < 29; order++)
            assert_int_equal(hal_healpix_index(order, ra, dec), finest >> 2 * (29 - order));
    }
}

static void a_position_inside_a_cell_has_the_cells_index(void **state)
{
    (void)state;
    for (int i = 0; i < 50000; i++) {
        int order = (int)(random_bits() % 25);
        uint64_t index = random_bits() % (UINT64_C(12) << 2 * order);
        double ra, dec, c_ra, c_dec;
        hal_healpix_position(order, index, 0.01 + 0.98 * unit(), 0.01 + 0.98 * unit(), &ra, &dec);
        assert_int_equal(hal_healpix_index(order, ra, dec), index);
        hal_healpix_position(order, index, 0.5, 0.5, &c_ra, &c_dec);
        assert_true(hal_separation_deg(ra, dec, c_ra, c_dec) <= hal_healpix_radius_deg(order));
    }
}

static void every_place_has_a_valid_cell_that_holds_it(void **state)
{
    (void)state;
    static const double ra[] = {0, 45, 90, 180, 270, 315, 359.99999999999994, 360, -1e-20, 720.5};
    const double transition = asin(2.0 / 3) / DEG;
    const double dec[] = {
        -90, -transition, -1e-300, 0, 30, transition, nextafter(transition, 90), 89.9999999999, 90};
    for (size_t i = 0; i < COUNT(ra); i++)
        for (size_t j = 0; j < COUNT(dec); j++)
            for (int order = 0; order <= 29; order++) {
                uint64_t index = hal_healpix_index(order, ra[i], dec[j]);
                assert_true(index < UINT64_C(12) << 2 * order);
                assert_true(away_from_cell(order, index, ra[i], dec[j]) < 1e-9);
            }
    assert_int_equal(hal_healpix_index(29, 0, 90), hal_healpix_index(29, 360, 90));
}

static void places_off_the_sky_sort_last(void **state)
{
    (void)state;
    const double ra[] = {NAN, 1, INFINITY, 10, 1}, dec[] = {1, NAN, 1, 20, -90.001};
    uint64_t index[5];
    hal_healpix_index_array(29, ra, dec, 5, index);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(index[i], hal_healpix_index(29, ra[i], dec[i]));
        assert_int_equal(index[i] == UINT64_MAX, i != 3);
    }
}

typedef struct cover {
    uint64_t lo[100000], hi[100000];
    size_t n, n_max;
} cover;

static bool collect(void *ctx, uint64_t lo, uint64_t hi)
{
    cover *c = ctx;
    assert_true(lo < hi);
    assert_true(c->n == 0 || lo > c->hi[c->n - 1]);
    assert_true(c->n < COUNT(c->lo));
    c->lo[c->n] = lo;
    c->hi[c->n++] = hi;
    return c->n < c->n_max;
}

static bool covers(const cover *c, uint64_t cell)
{
    for (size_t i = 0; i < c->n; i++)
        if (cell >= c->lo[i] && cell < c->hi[i])
            return true;
    return false;
}

static cover found;

static void a_disc_holds_all_cells_it_must_and_none_far_away(void **state)
{
    (void)state;
    assert_int_equal(COUNT(vector_discs), 48);
    for (size_t i = 0; i < COUNT(vector_discs); i++) {
        int order = vector_discs[i].order;
        double radius = vector_discs[i].radius_deg;
        found.n = 0;
        found.n_max = COUNT(found.lo);
        hal_healpix_disc(order, vector_discs[i].ra, vector_discs[i].dec, radius, collect, &found);
        size_t n = vector_discs[i].n_overlap + vector_discs[i].n_centre;
        for (size_t k = 0; k < n; k++)
            assert_true(covers(&found, vector_cells[vector_discs[i].first + k]));
        for (size_t k = 0; k < found.n; k++)
            for (uint64_t cell = found.lo[k]; cell < found.hi[k]; cell++) {
                double ra, dec;
                hal_healpix_position(order, cell, 0.5, 0.5, &ra, &dec);
                assert_true(hal_separation_deg(ra, dec, vector_discs[i].ra, vector_discs[i].dec) <=
                            radius + 2 * hal_healpix_radius_deg(order));
            }
    }
}

static void a_disc_covers_every_point_in_it(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        double ra, dec, radius = pow(10, 2 - 4 * unit());
        random_place(&ra, &dec);
        int order = (int)(random_bits() % 30);
        while (order > 0 && radius / hal_healpix_radius_deg(order) > 50)
            order--;
        found.n = 0;
        found.n_max = COUNT(found.lo);
        hal_healpix_disc(order, ra, dec, radius, collect, &found);
        for (int k = 0; k < 200; k++) {
            double p_ra, p_dec, reach = 3 * fmin(radius, 60);
            p_dec = fmax(-90, fmin(90, dec + reach * (2 * unit() - 1)));
            p_ra = ra + reach * (2 * unit() - 1) / fmax(1e-3, cos(p_dec * DEG));
            if (hal_separation_deg(ra, dec, p_ra, p_dec) <= radius)
                assert_true(covers(&found, hal_healpix_index(order, p_ra, p_dec)));
        }
    }
}

static void the_whole_sky_is_one_range_and_a_caller_can_stop(void **state)
{
    (void)state;
    found.n = 0;
    found.n_max = COUNT(found.lo);
    hal_healpix_disc(29, 10, 20, 180, collect, &found);
    assert_int_equal(found.n, 1);
    assert_int_equal(found.lo[0], 0);
    assert_int_equal(found.hi[0], UINT64_C(12) << 58);
    found.n = 0;
    found.n_max = 3;
    hal_healpix_disc(20, 10, 20, 5, collect, &found);
    assert_int_equal(found.n, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_points_have_their_index),
        cmocka_unit_test(reference_cells_have_their_centre_corners_and_radius),
        cmocka_unit_test(orders_nest_exactly),
        cmocka_unit_test(a_position_inside_a_cell_has_the_cells_index),
        cmocka_unit_test(every_place_has_a_valid_cell_that_holds_it),
        cmocka_unit_test(places_off_the_sky_sort_last),
        cmocka_unit_test(a_disc_holds_all_cells_it_must_and_none_far_away),
        cmocka_unit_test(a_disc_covers_every_point_in_it),
        cmocka_unit_test(the_whole_sky_is_one_range_and_a_caller_can_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
