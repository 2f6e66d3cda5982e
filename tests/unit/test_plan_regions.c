/* SPDX-License-Identifier: BSD-3-Clause */
/* Plans over regions of every form on simulated skies: every row of the region once. */
#include "support/sim.c"

#include "sky/moc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static sim_setup setup_of(bool boxes, uint64_t cap)
{
    return (sim_setup){
        .service = {.takes_box = boxes,
                    .takes_cone = !boxes,
                    .over_is_slow = true,
                    .radius_decimals = -1,
                    .cap = cap},
        .options = {.window = 4, .known_rows = -1, .requests_max = 1000000},
        .over = SIM_RESET,
        .seed = 1,
    };
}

/* Consumes `region`. */
static void assert_exactly_once(hal_region *region, size_t n_rows, uint64_t cap)
{
    assert_non_null(region);
    uint64_t s = 7;
    sim_sky *sky = sky_begin("region", region);
    add_even(sky, n_rows, &s);
    sim_sky_index(sky);
    assert_true(sky->n_inside > cap);
    for (int boxes = 0; boxes < 2; boxes++) {
        sim_setup setup = setup_of(boxes, cap);
        sim_report r = sim_run(sky, &setup);
        if (r.account.state != HAL_PLAN_COMPLETE)
            fail_msg("not complete: %s", r.error.text);
        assert_int_equal(r.n_lost, 0);
        assert_int_equal(r.n_twice, 0);
        assert_int_equal(r.n_foreign, 0);
        assert_int_equal(r.account.rows_kept, sky->n_inside);
        sim_report_clear(&r);
    }
    sim_sky_free(sky);
}

static hal_region *parsed(const char *text)
{
    hal_err err = HAL_ERR_INIT;
    hal_region *r = hal_region_parse(hal_slice_of(text), &err);
    if (!r)
        fail_msg("%s: %s", text, err.text);
    return r;
}

static void shapes_and_sets_of_shapes_equal_brute_force(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "ELLIPSE 0.3 12 30 4 60",
        "ELLIPSE 77 85 12 6 0",
        "POLYGON 355 -12 8 -9 5 14 350 11",
        "POLYGON 0 -30 90 -10 180 -30 270 -20",
        "NOT (POLYGON 0 -30 90 -10 180 -30 270 -20)",
        "UNION (CIRCLE 0.3 12 6 CIRCLE 8 12 5 RANGE 340 20 -90 -70)",
        "INTERSECTION (CIRCLE 0 0 30 RANGE 350 40 -10 50)",
        "DIFFERENCE (CIRCLE 77 85 20 CIRCLE 77 85 15)",
        "NOT (UNION (CIRCLE 0 90 80 CIRCLE 0 -90 80))",
        "DIFFERENCE (ALL, RANGE 10 360 -90 90)",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_exactly_once(parsed(texts[i]), 60000, 300);
}

static void a_map_of_100000_cells_equals_brute_force(void **state)
{
    (void)state;
    enum { N = 100000 };
    hal_moc_range *range = malloc(N * sizeof *range);
    uint64_t s = 11;
    for (int i = 0; i < N; i++) {
        uint64_t cell = (uint64_t)(sim_random(&s) * (double)(UINT64_C(12) << 20));
        range[i] = (hal_moc_range){cell << 38, (cell + 1) << 38};
    }
    hal_moc *m = hal_moc_new(range, N, 10, NULL);
    assert_exactly_once(hal_region_of_moc(m, NULL), 300000, 1000);
    hal_moc_unref(m);
    free(range);
    hal_region *circle = hal_region_circle(359, 60, 8, NULL);
    m = hal_moc_of_region(circle, 9, NULL);
    hal_region_unref(circle);
    assert_exactly_once(hal_region_of_moc(m, NULL), 200000, 100);
    hal_moc_unref(m);
}

static void a_union_of_10000_circles_equals_brute_force(void **state)
{
    (void)state;
    enum { N = 10000 };
    hal_region **c = malloc(N * sizeof(hal_region *));
    uint64_t s = 13;
    for (int i = 0; i < N; i++) {
        double dec = asin(2 * sim_random(&s) - 1) / RADIANS;
        c[i] = hal_region_circle(360 * sim_random(&s), dec, 0.4, NULL);
    }
    assert_exactly_once(hal_region_union(c, N, NULL), 300000, 1000);
    for (int i = 0; i < N; i++)
        hal_region_unref(c[i]);
    free(c);
}

/* The archive resets requests for more than 1,000 rows; of those of a tile the user's region, two
 * boxes far apart, holds a quarter. */
static void few_rows_of_the_region_in_a_tile_do_not_make_its_reset_a_fault(void **state)
{
    (void)state;
    hal_region *region = parsed("UNION (RANGE 20 21 0 1 RANGE 29 30 0 1)");
    sim_setup setup = setup_of(true, 1000);
    hal_err err = HAL_ERR_INIT;
    hal_plan *plan = hal_plan_new(&setup.service, region, &setup.options, &err);
    hal_region_unref(region);
    assert_non_null(plan);
    hal_ask ask;
    int64_t until_ns, now_ns = 0;
    hal_next next;
    while ((next = hal_plan_next(plan, now_ns, &ask, &until_ns)) != HAL_NEXT_DONE) {
        bool accepted, wide = ask.ra_max_deg - ask.ra_min_deg > 6;
        if (next == HAL_NEXT_WAIT) {
            now_ns = until_ns;
        } else if (ask.kind == HAL_ASK_FETCH && wide) {
            assert_false(hal_plan_failed(plan, ask.id, HAL_VERDICT_AMBIGUOUS, now_ns, NULL, &err));
        } else {
            uint64_t rows = ask.kind == HAL_ASK_FETCH ? 401 : 3;
            assert_false(hal_plan_complete(plan, ask.id, rows, rows / 4, 0, &accepted, &err));
        }
    }
    hal_account a;
    hal_plan_account(plan, &a);
    assert_int_equal(a.state, HAL_PLAN_COMPLETE);
    assert_true(a.ambiguous > 0 && a.over > 0);
    assert_int_equal(a.n_findings, 0);
    hal_plan_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_and_sets_of_shapes_equal_brute_force),
        cmocka_unit_test(a_map_of_100000_cells_equals_brute_force),
        cmocka_unit_test(few_rows_of_the_region_in_a_tile_do_not_make_its_reset_a_fault),
        cmocka_unit_test(a_union_of_10000_circles_equals_brute_force),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
