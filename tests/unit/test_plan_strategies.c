/* SPDX-License-Identifier: BSD-3-Clause */
/* Each strategy of the plan against a simulated archive that does what its record says. */
#include "support/plan_fixture.h"

#include "base/alloc.h"
#include "plan/state.h"

/* Circular outlines of `outline` degrees whose centres lie within `reach` of a place. */
static sim_sky *outlines(hal_region *region, size_t n, double ra, double dec, double reach,
                         double outline)
{
    sim_sky *sky = disc(region, n, ra, dec, reach, 6);
    for (size_t i = 0; i < sky->n_row; i++)
        sky->row[i].outline_deg = (float)outline;
    return sky;
}

static sim_setup footprints(sim_over over)
{
    sim_setup setup = setup_of(false, over);
    setup.service.footprints = true;
    setup.service.pos_quantum_deg = 1e-6;
    return setup;
}

static sim_setup skyless(sim_over over)
{
    sim_setup setup = setup_of(false, over);
    setup.service.takes_cone = false;
    return setup;
}

static void a_histogram_plans_tiles_that_hardly_ever_hold_too_much(void **state)
{
    (void)state;
    static const char *const names[] = {"even", "plane", "clumpy", "wrap"};
    for (int k = 0; k < 8; k++) {
        sim_sky *sky = sim_sky_new(names[k / 2], 0.1, 0);
        sim_setup setup = setup_of(k % 2, SIM_FLAG);
        setup.service.pos_quantum_deg = 1e-5;
        sim_report learned = sim_run(sky, &setup);
        setup.service.histogram = true;
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        assert_true(r.account.histograms >= 1);
        assert_int_equal(r.account.probes, 0);
        /* Cells of 7 degrees: a cap of 1000 rows allows no finer ones of the whole sky. */
        if (k / 2 == 1 || k / 2 == 2) {
            assert_true(2 * r.account.over <= learned.account.over);
            assert_true(10 * r.account.requests <= 9 * learned.account.requests);
        } else {
            assert_true(5 * r.account.requests <= 6 * learned.account.requests);
        }
        sim_report_clear(&r);
        sim_report_clear(&learned);
        sim_sky_free(sky);
    }
}

static void where_cells_are_coarser_than_tiles_parts_are_counted_by_finer_ones(void **state)
{
    (void)state;
    sim_sky *sky = sim_sky_new("clumpy", 0.1, 0);
    sim_setup setup = setup_of(true, SIM_FLAG);
    setup.service.pos_quantum_deg = 1e-5;
    setup.options.requests_max = 100000;
    sim_report learned = sim_run(sky, &setup);
    setup.service.histogram = true;
    sim_report r = sim_run(sky, &setup);
    assert_exactly_once(&r);
    assert_true(r.account.histograms > 5);
    assert_true(2 * r.account.over <= learned.account.over);
    assert_true(10 * r.account.requests <= 7 * learned.account.requests);
    sim_report_clear(&r);
    setup.no_parts_by_cell = true;
    r = sim_run(sky, &setup);
    assert_exactly_once(&r);
    assert_true(r.account.histograms <= 9); /* of the region, and those on their way by then */
    assert_non_null(strstr(r.findings, "counting the rows of a part by cell does not work"));
    sim_report_clear(&r);
    setup.no_parts_by_cell = false;
    setup.part_cells_most = 20; /* what is refused is not asked for again and again */
    r = sim_run(sky, &setup);
    assert_exactly_once(&r);
    assert_true(r.account.requests < 2 * learned.account.requests);
    sim_report_clear(&r);
    sim_report_clear(&learned);
    sim_sky_free(sky);
}

static void where_guesses_are_bad_a_few_tiles_are_counted_before_they_are_asked_for(void **state)
{
    (void)state;
    static const char *const names[] = {"even", "plane"};
    for (int k = 0; k < 4; k++) {
        sim_sky *sky = sim_sky_new(names[k / 2], 0.1, 0);
        sim_setup setup = setup_of(k % 2, SIM_RESET);
        setup.service.pos_quantum_deg = 1e-5;
        sim_report learned = sim_run(sky, &setup);
        setup.service.counts = true;
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        if (k / 2 == 1) {
            assert_true(r.account.counts > 20);
            assert_true(r.account.requests < learned.account.requests);
            assert_true(2 * r.account.over <= learned.account.over);
        } else {
            assert_int_equal(r.account.counts, 1); /* even rows: the root's count says all */
        }
        sim_report_clear(&r);
        sim_report_clear(&learned);
        sim_sky_free(sky);
    }
}

static void a_histogram_that_says_few_rows_is_followed_by_the_region_unsplit(void **state)
{
    (void)state;
    hal_region *region = circle(10, 10, 2);
    sim_sky *sky = disc(region, 900, 10, 10, 1.9, 7);
    sim_setup setup = setup_of(true, SIM_RESET);
    setup.service.histogram = setup.service.takes_cone = true;
    sim_report r = sim_run(sky, &setup);
    assert_exactly_once(&r);
    assert_int_equal(r.account.requests, 2);
    sim_report_clear(&r);
    setup.options.known_rows = 900; /* not worth a histogram then */
    r = sim_run(sky, &setup);
    assert_exactly_once(&r);
    assert_int_equal(r.account.requests, 1);
    sim_report_clear(&r);
    sim_sky_free(sky);
    hal_region_unref(region);
}

static void footprints_are_split_on_centre_columns_with_the_region_unchanged(void **state)
{
    (void)state;
    static const double at[][2] = {{150, 20}, {0.4, -5}, {30, 89.5}};
    for (size_t k = 0; k < 3; k++) {
        hal_region *region = circle(at[k][0], at[k][1], 0.5);
        sim_sky *sky = outlines(region, 12000, at[k][0], at[k][1], 4.0, 2.0);
        for (int over = 0; over < 3; over++) {
            sim_setup setup = footprints((sim_over)over);
            setup.service.centre_columns = true;
            sim_report r = sim_run(sky, &setup);
            assert_exactly_once(&r);
            assert_true(r.n_in_region > 3 * CAP);
            assert_true(r.account.requests < 40);
            assert_non_null(strstr(r.explained, "columns of the centre"));
            sim_report_clear(&r);
        }
        sim_setup setup = footprints(SIM_RESET);
        setup.service.centre_columns = true;
        assert_window_does_not_matter(sky, setup);
        setup.service.histogram = true;
        assert_window_does_not_matter(sky, setup);
        sim_sky_free(sky);
        hal_region_unref(region);
    }
}

static void footprints_without_centre_columns_are_split_on_another_column(void **state)
{
    (void)state;
    hal_region *region = circle(150, 20, 0.5);
    sim_sky *sky = outlines(region, 12000, 150, 20, 4.0, 2.0);
    give_days(sky, 3, 50);
    for (int over = 0; over < 3; over++) {
        sim_setup setup = footprints((sim_over)over);
        setup.service.alt_split[0] = days();
        setup.service.n_alt_split = 1;
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        assert_true(r.account.requests < 50);
        assert_non_null(strstr(r.explained, "ranges of t_min"));
        sim_report_clear(&r);
        assert_window_does_not_matter(sky, setup);
    }
    sim_sky_free(sky);
    hal_region_unref(region);
}

static void footprints_without_any_column_come_by_tiles_and_are_kept_once_by_key(void **state)
{
    (void)state;
    hal_region *region = circle(150, 20, 3.0);
    sim_sky *sky = outlines(region, 9000, 150, 20, 4.0, 0.1);
    sim_setup setup = footprints(SIM_FLAG);
    sim_report r = sim_run(sky, &setup);
    assert_exactly_once(&r);
    assert_non_null(strstr(r.explained, "kept once by its key"));
    assert_true(r.moved > r.n_in_region);
    sim_report_clear(&r);
    assert_window_does_not_matter(sky, setup);
    sim_sky_free(sky);
    hal_region_unref(region);
}

static void tiles_far_smaller_than_the_outlines_are_given_up_early_and_said_so(void **state)
{
    (void)state;
    hal_region *region = circle(150, 20, 0.5);
    sim_sky *sky = outlines(region, 3000, 150, 20, 1.0, 5.0); /* every tile holds all */
    sim_setup setup = footprints(SIM_FLAG);
    sim_report r = sim_run(sky, &setup);
    assert_int_equal(r.account.state, HAL_PLAN_PARTIAL);
    assert_int_equal(r.error.status, HAL_E_TRUNCATED);
    assert_true(r.account.requests < 150);
    sim_report_clear(&r);
    sim_sky_free(sky);
    hal_region_unref(region);
}

static void a_table_without_sky_is_split_on_ranges_and_each_value_has_one_owner(void **state)
{
    (void)state;
    hal_region *all = whole_sky();
    sim_sky *sky = disc(all, 20000, 0, 0, 180, 5);
    give_days(sky, 4, 100);
    for (size_t i = 0; i < sky->n_row; i += 40) /* outside what the record calls usual */
        sky->row[i].value = sky->row[i].sel_value = i % 80 ? -1e6 * (double)i : 7e4 + (double)i;
    for (int known = 0; known < 2; known++) {
        sim_setup setup = skyless(SIM_FLAG);
        setup.service.alt_split[0] = days();
        setup.service.n_alt_split = 1;
        if (!known)
            setup.service.alt_split[0].min = setup.service.alt_split[0].max = 0;
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        assert_true(r.account.requests <= (known ? 100 : 250));
        sim_report_clear(&r);
        assert_window_does_not_matter(sky, setup);
    }
    sim_sky_free(sky);
    hal_region_unref(all);
}

static hal_plan_column visits(void)
{
    return (hal_plan_column){.name = "visit", .nullable = true, .null_test = true, .max = 1000};
}

/* The second column and the third: a number of 1000 visits, every 50th NULL, and few filters. */
static void give_visits(sim_sky *sky)
{
    for (size_t i = 0; i < sky->n_row; i++) {
        sky->row[i].other[0] = i % 50 == 7 ? NAN : (double)(i * 7919 % 1000);
        sky->row[i].other[1] = (double)(i % 5);
    }
}

static void a_column_of_one_value_gives_way_to_the_next_after_few_cuts(void **state)
{
    (void)state;
    hal_region *all = whole_sky();
    sim_sky *sky = disc(all, 20000, 0, 0, 180, 5);
    give_visits(sky);
    for (size_t i = 0; i < sky->n_row; i++)
        sky->row[i].value = sky->row[i].sel_value = 55123.25;
    for (int way = 0; way < 2; way++) {
        sim_setup setup = skyless(SIM_FLAG);
        setup.service.alt_split[0] = days();
        setup.service.alt_split[1] = visits();
        setup.service.n_alt_split = 2;
        setup.service.counts = way;
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        assert_non_null(strstr(r.explained, "ranges of t_min, then visit,"));
        if (setup.service.counts)
            assert_true(r.account.requests <= 60);
        assert_true(r.account.requests <= 150);
        sim_report_clear(&r);
        assert_window_does_not_matter(sky, setup);
    }
    sim_sky_free(sky);
    hal_region_unref(all);
}

static void one_heavy_value_and_heavy_nulls_are_split_by_the_next_columns(void **state)
{
    (void)state;
    hal_region *all = whole_sky();
    sim_sky *sky = disc(all, 20000, 0, 0, 180, 5);
    give_days(sky, 4, 0);
    give_visits(sky);
    for (size_t i = 0; i < sky->n_row; i++) {
        sim_row *r = &sky->row[i];
        if (i % 4 == 0)
            r->value = r->sel_value = 55005.5; /* 5 caps on one day */
        if (i % 4 == 1)
            r->value = r->sel_value = NAN; /* and 5 on none */
        if (i % 8 == 0)
            r->other[0] = 77; /* half of that day in one visit */
        if (i % 8 == 1)
            r->other[0] = NAN;
        r->other[1] = (double)(i / 8); /* tells all apart */
    }
    for (int counts = 0; counts < 2; counts++) {
        sim_setup setup = skyless(SIM_FLAG);
        setup.service.counts = counts;
        setup.service.alt_split[0] = days();
        setup.service.alt_split[1] = visits();
        setup.service.alt_split[2] = (hal_plan_column){.name = "number", .max = 3000};
        setup.service.n_alt_split = 3;
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        sim_report_clear(&r);
        assert_window_does_not_matter(sky, setup);
    }
    /* Without the third the half day of one visit and its NULLs cannot be had, and are named. */
    sim_setup setup = skyless(SIM_FLAG);
    setup.service.alt_split[0] = days();
    setup.service.alt_split[1] = visits();
    setup.service.n_alt_split = 2;
    setup.service.alt_split[0].rounded = false; /* or the values beside it are heavy as well */
    for (size_t i = 0; i < sky->n_row; i++)
        sky->row[i].sel_value = sky->row[i].value;
    sim_report r = sim_run(sky, &setup);
    assert_int_equal(r.account.state, HAL_PLAN_PARTIAL);
    assert_true(r.n_stuck >= 2); /* and ranges beside these, for ranges are sent closed */
    assert_int_equal(r.n_twice + r.n_foreign, 0);
    assert_int_equal(r.n_lost, 5120);
    assert_non_null(strstr(r.error.text, "visit"));
    assert_non_null(strstr(r.error.text, "t_min"));
    sim_report_clear(&r);
    sim_sky_free(sky);
    hal_region_unref(all);
}

static void rows_at_one_place_are_split_by_two_columns(void **state)
{
    (void)state;
    hal_region *region = circle(50, 10, 2);
    sim_sky *sky = disc(region, 3000, 50, 10, 1.9, 5);
    for (size_t i = 0; i < 6 * CAP; i++)
        sim_sky_add(sky, 50.25, 10.25, 50.25, 10.25);
    give_days(sky, 4, 0);
    give_visits(sky);
    for (size_t i = 3000; i < 3000 + 4 * CAP; i++)
        sky->row[i].value = sky->row[i].sel_value = 55005.5;
    free(sky->band);
    sim_sky_index(sky);
    for (int boxes = 0; boxes < 2; boxes++) {
        sim_setup setup = setup_of(boxes, SIM_RESET);
        setup.service.counts = true;
        setup.service.alt_split[0] = days();
        setup.service.alt_split[1] = visits();
        setup.service.n_alt_split = 2;
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        sim_report_clear(&r);
        assert_window_does_not_matter(sky, setup);
    }
    sim_sky_free(sky);
    hal_region_unref(region);
}

static void rows_with_a_null_that_no_request_selects_are_counted_or_named(void **state)
{
    (void)state;
    hal_region *all = whole_sky();
    sim_sky *sky = disc(all, 4000, 0, 0, 180, 5);
    give_days(sky, 4, 100);
    for (int counts = 0; counts < 2; counts++) {
        sim_setup setup = skyless(SIM_FLAG);
        setup.service.alt_split[0] = days();
        setup.service.alt_split[0].null_test = false;
        setup.service.n_alt_split = 1;
        setup.service.counts = counts;
        sim_report r = sim_run(sky, &setup);
        assert_int_equal(r.account.state, HAL_PLAN_COMPLETE_EXCEPT);
        assert_int_equal(r.n_lost, 40);
        assert_int_equal(r.account.rows_unreachable, counts ? 40 : -1);
        assert_found(&r, counts ? "40 rows whose t_min is NULL are missing: the archive counts 4000"
                                : "rows whose t_min is NULL, if any, are missing");
        sim_report_clear(&r);
    }
    sim_sky_free(sky);
    hal_region_unref(all);
}

static void values_on_the_borders_of_ranges_come_once(void **state)
{
    (void)state;
    hal_region *all = whole_sky();
    sim_sky *sky = disc(all, 20000, 0, 0, 180, 5);
    for (size_t i = 0; i < sky->n_row; i++) /* integers, 7 rows each */
        sky->row[i].value = sky->row[i].sel_value = (double)(i / 7) - 1000.0;
    sim_setup setup = skyless(SIM_FLAG);
    setup.service.alt_split[0] = (hal_plan_column){.name = "obsid", .min = -1000, .max = 2000};
    setup.service.n_alt_split = 1;
    sim_report r = sim_run(sky, &setup);
    assert_exactly_once(&r);
    assert_true(r.account.requests < 45);
    sim_report_clear(&r);
    sim_sky_free(sky);
    hal_region_unref(all);
}

static void a_table_with_nothing_but_a_key_comes_in_pages(void **state)
{
    (void)state;
    static const size_t n[] = {0, 1, 499, 1000, 2500, 5000};
    hal_region *all = whole_sky();
    for (size_t k = 0; k < 12; k++) {
        sim_sky *sky = disc(all, n[k / 2], 0, 0, 180, 5);
        bool unique = k % 2;
        for (size_t i = 0; i < sky->n_row; i++)
            sky->row[i].key = (uint32_t)(unique ? 7 * i : i / 13);
        sim_setup setup = skyless(SIM_TRUNCATE);
        setup.service.order_key = true;
        setup.service.key_unique = unique;
        setup.archive_cap = CAP;
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        assert_true(r.account.requests <= n[k / 2] / (CAP - 13) + 1);
        assert_window_does_not_matter(sky, setup);
        sim_report_clear(&r);
        /* A limit below the one declared shows itself: a short page is followed by more. */
        setup.service.cap = 2 * CAP;
        r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        if (n[k / 2] > 1000)
            assert_found(&r, "cut at 1000 rows without a word");
        sim_report_clear(&r);
        sim_sky_free(sky);
    }
    hal_region_unref(all);
}

static void one_key_with_more_rows_than_a_page_is_reported_as_stuck(void **state)
{
    (void)state;
    hal_region *all = whole_sky();
    sim_sky *sky = disc(all, 3000, 0, 0, 180, 5);
    for (size_t i = 0; i < sky->n_row; i++)
        sky->row[i].key = i < 500 ? 1 : 2;
    sim_setup setup = skyless(SIM_TRUNCATE);
    setup.service.order_key = true;
    sim_report r = sim_run(sky, &setup);
    assert_int_equal(r.account.state, HAL_PLAN_PARTIAL);
    assert_int_equal(r.account.rows_kept, 500);
    assert_int_equal(r.n_twice, 0);
    sim_report_clear(&r);
    sim_sky_free(sky);
    hal_region_unref(all);
}

static void a_service_that_offers_nothing_to_split_by_is_refused(void **state)
{
    (void)state;
    hal_err err = HAL_ERR_INIT;
    hal_region *all = whole_sky();
    sim_setup setup = skyless(SIM_FLAG);
    assert_null(hal_plan_new(&setup.service, all, &setup.options, &err));
    assert_int_equal(err.status, HAL_E_USAGE);
    hal_region_unref(all);
}

static void densities_remembered_spare_probes_and_never_change_the_rows(void **state)
{
    (void)state;
    for (int boxes = 0; boxes < 2; boxes++) {
        sim_sky *sky = sim_sky_new("plane", 0.1, 0);
        sim_setup setup = setup_of(boxes, SIM_FLAG);
        setup.service.pos_quantum_deg = 1e-5;
        sim_report first = sim_run(sky, &setup);
        assert_exactly_once(&first);
        assert_true(first.n_density > 100 && first.n_density <= 256);
        setup.options.prior = first.density;
        setup.options.n_prior = first.n_density;
        sim_report second = sim_run(sky, &setup);
        assert_exactly_once(&second);
        assert_int_equal(second.account.probes, 0);
        assert_true(second.account.requests < first.account.requests);
        assert_true(second.account.over < first.account.over);
        assert_non_null(strstr(second.explained, "remembered"));
        sim_report_clear(&second);
        /* Wrong by a factor of 30 either way: dearer, and as right. */
        for (int way = 0; way < 2; way++) {
            hal_plan_density wrong[256];
            for (size_t i = 0; i < first.n_density; i++) {
                wrong[i] = first.density[i];
                wrong[i].rows_per_sr *= way ? 30.0 : 1.0 / 30.0;
            }
            setup.options.prior = wrong;
            sim_report r = sim_run(sky, &setup);
            assert_exactly_once(&r);
            assert_true(r.account.requests < 3 * first.account.requests);
            sim_report_clear(&r);
        }
        sim_report_clear(&first);
        sim_sky_free(sky);
    }
}

static void rows_without_position_come_by_the_null_test_or_by_ranges(void **state)
{
    (void)state;
    hal_region *all = whole_sky();
    sim_sky *sky = disc(all, 20000, 0, 0, 180, 5);
    give_days(sky, 5, 0);
    size_t n = unplace(sky, 8);
    for (int way = 0; way < 3; way++) {
        sim_setup setup = setup_of(way % 2, SIM_FLAG);
        setup.service.pos_quantum_deg = 1e-5;
        setup.service.pos_nullable = true;
        setup.service.null_test = way < 2;
        setup.service.alt_split[0] = days();
        setup.service.n_alt_split = 1; /* 2500 rows without position need it too */
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        assert_int_equal(r.n_unplaced_kept, n);
        assert_non_null(strstr(r.explained, way < 2 ? "asked for by themselves"
                                                    : "rows without position cannot be asked for"));
        sim_report_clear(&r);
        assert_window_does_not_matter(sky, setup);
    }
    sim_sky_free(sky);
    hal_region_unref(all);
}

static void footprints_without_centre_are_not_lost(void **state)
{
    (void)state;
    hal_region *region = circle(150, 20, 0.5);
    sim_sky *sky = outlines(region, 12000, 150, 20, 4.0, 2.0);
    size_t n = unplace(sky, 30);
    sim_setup setup = footprints(SIM_RESET);
    setup.service.centre_columns = true;
    setup.service.pos_nullable = true;
    setup.service.null_test = true;
    sim_report r = sim_run(sky, &setup);
    assert_exactly_once(&r);
    assert_true(r.n_unplaced_kept > n / 8);
    sim_report_clear(&r);
    sim_sky_free(sky);
    hal_region_unref(region);
}

static void the_nearest_densities_are_found_as_by_looking_at_all(void **state)
{
    (void)state;
    enum { N = 6000 };
    plan_index x = {0};
    hal_err err = HAL_ERR_INIT;
    uint64_t s = 77;
    for (int i = 0; i < N; i++) {
        plan_density d = {.rows = i};
        double ra = 360.0 * sim_random(&s), dec = asin(2.0 * sim_random(&s) - 1.0) / RADIANS;
        if (i % 3 == 1) { /* crowded, down to the same place */
            ra = 201.7 + 1e-7 * floor(100.0 * sim_random(&s));
            dec = -47.5;
        }
        plan_unit_vector(i % 50 == 0 ? 0 : ra, i % 50 == 0 ? 90 : dec, d.v);
        assert_int_equal(plan_index_add(&x, &d, &err), HAL_OK);
        if (i % 7)
            continue;
        double v[3];
        plan_unit_vector(360.0 * sim_random(&s), asin(2.0 * sim_random(&s) - 1.0) / RADIANS, v);
        plan_near near, all = {.n = 0};
        plan_index_near(&x, i % 2 ? v : d.v, &near);
        for (int k = 0; k <= i; k++) {
            const double *w = plan_density_at(&x, (size_t)k)->v, *u = i % 2 ? v : d.v;
            double c = (w[0] - u[0]) * (w[0] - u[0]) + (w[1] - u[1]) * (w[1] - u[1]) +
                       (w[2] - u[2]) * (w[2] - u[2]);
            int at = all.n < PLAN_NEAREST ? all.n++ : PLAN_NEAREST;
            for (; at > 0 && all.chord2[at - 1] > c; at--)
                if (at < PLAN_NEAREST) {
                    all.chord2[at] = all.chord2[at - 1];
                    all.i[at] = all.i[at - 1];
                }
            if (at < PLAN_NEAREST) {
                all.chord2[at] = c;
                all.i[at] = k;
            }
        }
        assert_int_equal(near.n, all.n);
        for (int k = 0; k < near.n; k++)
            assert_int_equal(near.i[k], all.i[k]);
    }
    plan_index_clear(&x);
}

/* Carries a plan to its end with answers by rule; false when memory was lacking. */
static bool survives(const sim_setup *setup, hal_region *region, const hal_plan_cell *cells,
                     size_t n_cells)
{
    hal_err err = HAL_ERR_INIT;
    hal_plan *plan = hal_plan_new(&setup->service, region, &setup->options, &err);
    hal_ask ask;
    int64_t until;
    bool accepted, whole = plan != NULL;
    while (whole && hal_plan_next(plan, 0, &ask, &until) == HAL_NEXT_ASK) {
        hal_status st;
        /* One row a day from 50000 on, for 3000 days. */
        double days = fmin(ask.column_max, 53000) - fmax(ask.column_min, 50000);
        uint64_t rows = ask.column == 0                  ? 5000
                        : ask.column_null || !(days > 0) ? 3
                                                         : (uint64_t)days;
        if (ask.page > 0)
            rows = ask.page < 5 ? ask.page_rows : 3;
        if (ask.kind == HAL_ASK_HISTOGRAM) {
            st = hal_plan_cells(plan, ask.id, cells, n_cells, &err);
            if (!st)
                st = hal_plan_histogram(plan, ask.id, &err);
        } else if (setup->service.histogram && !ask.whole)
            st = hal_plan_complete(plan, ask.id, 101, 0, 0, &accepted, &err);
        else if (rows >= CAP)
            st = hal_plan_failed(plan, ask.id, HAL_VERDICT_OVER, 0, NULL, &err);
        else
            st = hal_plan_complete(plan, ask.id, rows, 0, 0, &accepted, &err);
        whole = st == HAL_OK;
    }
    whole = whole && hal_plan_error(plan, &err) == HAL_OK;
    if (!whole && err.status != HAL_E_NOMEM)
        fail_msg("%s", err.text);
    hal_plan_free(plan);
    return whole;
}

static void lack_of_memory_ends_every_strategy_with_its_error(void **state)
{
    (void)state;
    hal_region *all = whole_sky();
    hal_plan_cell cells[12 * 16];
    for (size_t i = 0; i < 12 * 16; i++)
        cells[i] = (hal_plan_cell){i, 300};
    hal_plan_density prior = {10, 10, 5, 1000};
    for (int way = 0; way < 3; way++) { /* histogram, ranges, pages */
        sim_setup setup = setup_of(true, SIM_FLAG);
        setup.service.takes_box = way == 0;
        setup.service.histogram = way == 0;
        setup.service.alt_split[0] = days();
        setup.service.alt_split[0].decimals = 0;
        setup.service.n_alt_split = way == 1;
        setup.service.order_key = setup.service.key_unique = way == 2;
        setup.options.prior = &prior;
        setup.options.n_prior = way == 0;
        size_t n = 1;
        for (;; n++) {
            hal_alloc_fail_at(n);
            bool whole = survives(&setup, all, cells, sizeof cells / sizeof *cells);
            hal_alloc_fail_at(0);
            if (whole)
                break;
        }
        assert_true(n >= 4 && n < 100);
    }
    hal_region_unref(all);
}

static void columns_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    hal_region *all = whole_sky();
    for (int k = 0; k < 4; k++) {
        hal_err err = HAL_ERR_INIT;
        sim_setup setup = setup_of(true, SIM_FLAG);
        setup.service.alt_split[0] = days();
        setup.service.n_alt_split = k == 0 ? HAL_PLAN_COLUMNS + 1 : 1;
        if (k == 1)
            setup.service.alt_split[0].decimals = 10;
        if (k == 2)
            setup.service.alt_split[0].max = -1;
        if (k == 3)
            setup.service.alt_split[0].name[0] = '\0';
        assert_null(hal_plan_new(&setup.service, all, &setup.options, &err));
        assert_int_equal(err.status, HAL_E_USAGE);
    }
    hal_region_unref(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_histogram_plans_tiles_that_hardly_ever_hold_too_much),
        cmocka_unit_test(where_cells_are_coarser_than_tiles_parts_are_counted_by_finer_ones),
        cmocka_unit_test(where_guesses_are_bad_a_few_tiles_are_counted_before_they_are_asked_for),
        cmocka_unit_test(a_histogram_that_says_few_rows_is_followed_by_the_region_unsplit),
        cmocka_unit_test(footprints_are_split_on_centre_columns_with_the_region_unchanged),
        cmocka_unit_test(footprints_without_centre_columns_are_split_on_another_column),
        cmocka_unit_test(footprints_without_any_column_come_by_tiles_and_are_kept_once_by_key),
        cmocka_unit_test(tiles_far_smaller_than_the_outlines_are_given_up_early_and_said_so),
        cmocka_unit_test(a_table_without_sky_is_split_on_ranges_and_each_value_has_one_owner),
        cmocka_unit_test(a_column_of_one_value_gives_way_to_the_next_after_few_cuts),
        cmocka_unit_test(one_heavy_value_and_heavy_nulls_are_split_by_the_next_columns),
        cmocka_unit_test(rows_at_one_place_are_split_by_two_columns),
        cmocka_unit_test(rows_with_a_null_that_no_request_selects_are_counted_or_named),
        cmocka_unit_test(values_on_the_borders_of_ranges_come_once),
        cmocka_unit_test(a_table_with_nothing_but_a_key_comes_in_pages),
        cmocka_unit_test(one_key_with_more_rows_than_a_page_is_reported_as_stuck),
        cmocka_unit_test(a_service_that_offers_nothing_to_split_by_is_refused),
        cmocka_unit_test(densities_remembered_spare_probes_and_never_change_the_rows),
        cmocka_unit_test(rows_without_position_come_by_the_null_test_or_by_ranges),
        cmocka_unit_test(footprints_without_centre_are_not_lost),
        cmocka_unit_test(the_nearest_densities_are_found_as_by_looking_at_all),
        cmocka_unit_test(columns_that_make_no_sense_are_refused),
        cmocka_unit_test(lack_of_memory_ends_every_strategy_with_its_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
