/* SPDX-License-Identifier: BSD-3-Clause */
#include "support/plan_fixture.h"

#include "base/alloc.h"

/* Runs with boxes and cones, resets, flags and truncation: every row once, complete. */
static void assert_every_way(const sim_sky *sky)
{
    for (int way = 0; way < 6; way++) {
        sim_setup setup = setup_of(way % 2, (sim_over)(way / 2));
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        sim_report_clear(&r);
    }
}

static void rows_up_to_the_cap_take_one_request_and_one_more_row_takes_tiles(void **state)
{
    (void)state;
    hal_region *region = circle(150, 2, 1);
    static const struct {
        size_t n;
        sim_over over;
        bool one;
    } cases[] = {
        {CAP - 1, SIM_RESET, true},     {CAP, SIM_RESET, false}, {CAP + 1, SIM_RESET, false},
        {CAP - 1, SIM_TRUNCATE, true},  {CAP, SIM_FLAG, false},  {CAP + 1, SIM_FLAG, false},
        {CAP + 1, SIM_TRUNCATE, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sim_sky *sky = disc(region, cases[i].n, 150, 2, 0.99, 7);
        sim_setup setup = setup_of(true, cases[i].over);
        setup.archive_cap = CAP;
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        assert_int_equal(r.account.requests == 1, cases[i].one);
        assert_true(cases[i].one || r.account.tiles_done >= 2);
        sim_report_clear(&r);
        sim_sky_free(sky);
    }
    hal_region_unref(region);
}

static void a_silent_cut_exactly_at_the_cap_is_not_taken_for_the_whole(void **state)
{
    (void)state;
    hal_region *region = circle(10, -20, 1);
    sim_sky *sky = disc(region, CAP, 10, -20, 0.99, 7);
    sim_setup setup = setup_of(false, SIM_TRUNCATE);
    setup.archive_cap = CAP;
    sim_report r = sim_run(sky, &setup);
    assert_exactly_once(&r);
    assert_int_equal(r.account.over >= 1, 1);
    assert_int_equal(r.account.rows_kept, CAP);
    sim_report_clear(&r);
    sim_sky_free(sky);
    hal_region_unref(region);
}

static void rows_at_the_poles_and_at_ra_0_and_360_come_once_whatever_their_ra_says(void **state)
{
    (void)state;
    static const double at[][2] = {{0, 90},
                                   {123.456, 90},
                                   {359.9, 90},
                                   {0, -90},
                                   {123.456, -90},
                                   {359.9, -90},
                                   {0, 10},
                                   {360, 10},
                                   {-1e-20, 10},
                                   {359.9999999, 10},
                                   {359.99999999999994, 10},
                                   {0, -7.5},
                                   {360, -7.5},
                                   {-0.0, 0},
                                   {180, 0}};
    hal_err err = HAL_ERR_INIT;
    hal_region *all = hal_region_all(&err);
    uint64_t s = 5;
    sim_sky *sky = sky_begin("edges", all);
    add_even(sky, 20000, &s);
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        sim_sky_add(sky, at[i][0], at[i][1], at[i][0], at[i][1]);
    sim_sky_index(sky);
    assert_int_equal(sky->n_inside, sky->n_row);
    assert_every_way(sky);
    sim_sky_free(sky);
}

static void rows_exactly_on_cut_borders_and_corners_come_once(void **state)
{
    (void)state;
    hal_err err = HAL_ERR_INIT;
    uint64_t s = 6;
    hal_region *box = hal_region_box(350, 30, -10, 10, &err);
    /* The borders of a first run, printed with 7 decimals, become the rows of a second. */
    sim_sky *even = sky_begin("even", hal_region_ref(box));
    for (int i = 0; i < 15000; i++)
        add_printed(even, 350.0 + 40.0 * sim_random(&s), 20.0 * sim_random(&s) - 10.0);
    sim_sky *borders = sky_begin("borders", hal_region_ref(box));
    for (size_t i = 0; i < even->n_row; i++)
        sim_sky_add(borders, even->row[i].ra, even->row[i].dec, even->row[i].ra, even->row[i].dec);
    for (int step = 2; step <= 64; step *= 2)
        for (int k = 0; k < 32; k++) {
            double ra = fmod(350.0 + 40.0 * (k % step) / step, 360.0);
            double dec = -10.0 + 20.0 * (k / 3 % step) / step;
            sim_sky_add(borders, ra, dec, ra, dec);
        }
    sim_sky_index(borders);
    assert_every_way(borders);
    sim_sky_index(even);
    sim_sky_free(even);
    sim_sky_free(borders);
    hal_region_unref(box);
}

static void regions_across_ra_0_round_poles_empty_and_huge_equal_brute_force(void **state)
{
    (void)state;
    hal_err err = HAL_ERR_INIT;
    static const double ra[] = {355, 8, 5, 350}, dec[] = {-12, -9, 14, 11};
    hal_region *regions[] = {
        circle(0.3, 12, 14),
        circle(77, 85, 12),
        circle(200, -90, 15),
        circle(123.456, 33.3, 0),
        circle(50, 20, 180),
        circle(90, 0, 100),
        hal_region_polygon(ra, dec, 4, &err),
        hal_region_box(340, 20, -90, -40, &err),
    };
    for (size_t i = 0; i < sizeof regions / sizeof *regions; i++) {
        assert_non_null(regions[i]);
        uint64_t s = 50 + i;
        sim_sky *sky = sky_begin("region", regions[i]);
        add_even(sky, 60000, &s);
        sim_sky_add(sky, 123.456, 33.3, 123.456, 33.3);
        sim_sky_index(sky);
        assert_true(sky->n_inside > 0);
        for (int boxes = 0; boxes < 2; boxes++) {
            sim_setup setup = setup_of(boxes, SIM_RESET);
            setup.service.cap = 500;
            sim_report r = sim_run(sky, &setup);
            assert_exactly_once(&r);
            sim_report_clear(&r);
        }
        sim_sky_free(sky);
    }
}

static void positions_printed_with_3_decimals_lose_nothing_when_the_plan_knows(void **state)
{
    (void)state;
    hal_region *region = circle(10.5, 41.0, 2.0);
    sim_sky *sky = disc(region, 40000, 10.5, 41.0, 2.2, 3);
    for (int boxes = 0; boxes < 2; boxes++) {
        sim_setup setup = setup_of(boxes, SIM_RESET);
        setup.service.pos_quantum_deg = 1e-3;
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        sim_report_clear(&r);
    }
    /* Unsaid, the first answer shows it: positions lie outside what was asked for. */
    sim_setup setup = setup_of(true, SIM_RESET);
    sim_report r = sim_run(sky, &setup);
    assert_int_equal(r.account.state, HAL_PLAN_FAILED);
    assert_int_equal(r.error.status, HAL_E_INTEGRITY);
    sim_report_clear(&r);
    sim_sky_free(sky);
    hal_region_unref(region);
}

static void a_row_moved_by_another_epoch_stops_the_plan_and_names_the_guard(void **state)
{
    (void)state;
    hal_region *region = circle(269.45, 4.69, 0.5);
    uint64_t s = 3;
    sim_sky *sky = sky_begin("epoch", region);
    add_disc(sky, 200, 269.45, 4.69, 0.45, &s);
    sim_sky_add(sky, 269.45, 4.69 + 0.5 + 160.0 / 3600.0, 269.45, 4.69 + 0.5 - 6.0 / 3600.0);
    sim_sky_index(sky);
    sim_setup setup = setup_of(false, SIM_RESET);
    sim_report r = sim_run(sky, &setup);
    assert_int_equal(r.account.state, HAL_PLAN_FAILED);
    assert_int_equal(r.error.status, HAL_E_INTEGRITY);
    assert_int_equal(r.account.requests, 1);
    assert_non_null(strstr(r.error.text, "position columns do not match the selection"));
    assert_non_null(strstr(r.error.text, "159 arcsec outside"));
    assert_non_null(strstr(r.error.text, "at least 318"));
    sim_report_clear(&r);
    sim_sky_free(sky);
}

static void a_service_that_ignores_the_region_is_found_out_by_its_first_answer(void **state)
{
    (void)state;
    hal_region *region = circle(40, 40, 1);
    uint64_t s = 4;
    sim_sky *sky = sky_begin("ignored", region);
    add_even(sky, 800, &s);
    sim_sky_index(sky);
    for (int boxes = 0; boxes < 2; boxes++) {
        sim_setup setup = setup_of(boxes, SIM_RESET);
        setup.ignores_region = true;
        sim_report r = sim_run(sky, &setup);
        assert_int_equal(r.error.status, HAL_E_INTEGRITY);
        assert_int_equal(r.account.requests, 1);
        for (size_t i = 0; i < sky->n_row; i++)
            assert_int_equal(r.kept[i], 0);
        sim_report_clear(&r);
    }
    sim_sky_free(sky);
}

static void a_pile_up_at_one_point_leaves_one_named_stuck_tile_and_all_else_once(void **state)
{
    (void)state;
    hal_region *region = circle(211.12346, 33.5, 1.0);
    uint64_t s = 8;
    for (int boxes = 0; boxes < 2; boxes++) {
        sim_sky *sky = sky_begin("pile", hal_region_ref(region));
        add_disc(sky, 8000, 211.12346, 33.5, 1.1, &s);
        size_t n_elsewhere = 0;
        for (int i = 0; i < CAP * 3 / 2; i++)
            sim_sky_add(sky, 211.3, 33.6, 211.3, 33.6);
        sim_sky_index(sky);
        sim_setup setup = setup_of(boxes, SIM_RESET);
        sim_report r = sim_run(sky, &setup);
        assert_int_equal(r.account.state, HAL_PLAN_PARTIAL);
        assert_int_equal(r.error.status, HAL_E_TRUNCATED);
        assert_int_equal(r.account.n_stuck, r.n_stuck);
        /* A cone bulges into its neighbours, so a pile-up near a border may block two or three. */
        assert_true(r.n_stuck >= 1 && r.n_stuck <= (boxes ? 1 : 3));
        assert_non_null(strstr(r.error.text, "more than 1000 rows within"));
        assert_non_null(strstr(r.error.text, "add a filter"));
        bool named = false;
        for (size_t k = 0; k < r.n_stuck; k++) {
            assert_true(hal_tick_deg(r.stuck[k].dec_hi - r.stuck[k].dec_lo) * 3600.0 <= 16.01);
            named = named || hal_tile_owns(&r.stuck[k], 211.3, 33.6);
        }
        assert_true(named);
        assert_int_equal(r.n_twice, 0);
        for (size_t i = 0; i < sky->n_row; i++) {
            const sim_row *row = &sky->row[i];
            bool mine = hal_region_contains(region, row->ra, row->dec);
            for (size_t k = 0; k < r.n_stuck; k++)
                mine = mine && !hal_tile_owns(&r.stuck[k], row->ra, row->dec);
            assert_int_equal(r.kept[i], mine);
            n_elsewhere += mine;
        }
        assert_int_equal(r.account.rows_kept, n_elsewhere);
        sim_report_clear(&r);
        sim_sky_free(sky);
    }
    hal_region_unref(region);
}

static void six_caps_of_rows_in_an_arc_minute_come_whole_with_few_requests_over(void **state)
{
    (void)state;
    hal_region *region = circle(201.7, -47.5, 2.5);
    uint64_t s = 9;
    sim_sky *sky = sky_begin("cluster", region);
    add_disc(sky, 25 * CAP, 201.7, -47.5, 2.5, &s);
    add_disc(sky, 6 * CAP, 201.7, -47.5, 1.0 / 60.0, &s);
    sim_sky_index(sky);
    for (int boxes = 0; boxes < 2; boxes++) {
        sim_setup setup = setup_of(boxes, SIM_RESET);
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        assert_true(4 * r.account.over <= r.account.requests);
        sim_report_clear(&r);
    }
    sim_sky_free(sky);
}

static void a_sky_without_rows_takes_one_request(void **state)
{
    (void)state;
    hal_err err = HAL_ERR_INIT;
    hal_region *regions[] = {hal_region_all(&err), circle(10, 10, 1), circle(0, 90, 30)};
    for (int i = 0; i < 3; i++) {
        sim_sky *sky = sim_sky_rows(regions[i], NULL, 0);
        for (int counts = 0; counts < 2; counts++) {
            sim_setup setup = setup_of(true, SIM_RESET);
            setup.service.counts = counts;
            sim_report r = sim_run(sky, &setup);
            assert_exactly_once(&r);
            assert_int_equal(r.account.requests, 1);
            assert_int_equal(r.account.rows_kept, 0);
            sim_report_clear(&r);
        }
        sim_sky_free(sky);
        hal_region_unref(regions[i]);
    }
}

static sim_report quiet_and_faulty(const sim_sky *sky, double rate, bool boxes, double *ratio)
{
    sim_setup setup = setup_of(boxes, SIM_RESET);
    sim_report quiet = sim_run(sky, &setup);
    double before = (double)quiet.account.requests;
    assert_exactly_once(&quiet);
    sim_report_clear(&quiet);
    setup.fault_rate = rate;
    sim_report r = sim_run(sky, &setup);
    *ratio = (double)r.account.requests / before;
    return r;
}

static void random_resets_cost_requests_but_no_row(void **state)
{
    (void)state;
    static const double rate[] = {0.05, 0.20}, most[] = {1.6, 2.2};
    sim_sky *sky = sim_sky_new("wrap", 0.1, 0);
    for (int k = 0; k < 4; k++) {
        double ratio;
        sim_report r = quiet_and_faulty(sky, rate[k % 2], k / 2, &ratio);
        assert_exactly_once(&r);
        assert_true(ratio <= most[k % 2]);
        sim_report_clear(&r);
    }
    sim_sky_free(sky);
}

static void a_total_outage_pauses_the_plan_and_splits_nothing(void **state)
{
    (void)state;
    sim_sky *sky = sim_sky_new("wrap", 0.1, 0);
    for (int boxes = 0; boxes < 2; boxes++) {
        sim_setup setup = setup_of(boxes, SIM_RESET);
        sim_report quiet = sim_run(sky, &setup);
        setup.outage_from_s = 15.0;
        setup.outage_to_s = 75.0;
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        assert_int_equal(r.account.over, quiet.account.over);
        assert_true(r.account.tiles_known <= quiet.account.tiles_known + 2);
        assert_true(r.n_waited > 0);
        assert_true(r.account.ambiguous > quiet.account.ambiguous);
        assert_true(r.makespan_s > quiet.makespan_s + 60.0);
        sim_report_clear(&quiet);
        sim_report_clear(&r);
    }
    sim_sky_free(sky);
}

static void window_and_order_of_answers_change_neither_asks_nor_rows(void **state)
{
    (void)state;
    static const char *const names[] = {"plane", "globular", "wrap"};
    for (size_t n = 0; n < 3; n++) {
        sim_sky *sky = sim_sky_new(names[n], 0.05, 0);
        for (int way = 0; way < 4; way++) {
            uint64_t asks = 0, rows = 0, sent = 0;
            static const int windows[] = {1, 2, 8, 8, 5};
            for (int k = 0; k < 5; k++) {
                sim_setup setup = setup_of(way % 2, way / 2 ? SIM_FLAG : SIM_RESET);
                setup.service.cap = 500;
                setup.service.counts = way == 3;
                setup.options.window = windows[k];
                setup.shuffle = k > 1;
                setup.seed = (uint64_t)k;
                sim_report r = sim_run(sky, &setup);
                assert_exactly_once(&r);
                if (k > 0) {
                    assert_int_equal(r.account.requests, sent);
                    assert_true(r.ask_digest == asks);
                    assert_true(r.kept_digest == rows);
                }
                sent = r.account.requests;
                asks = r.ask_digest;
                rows = r.kept_digest;
                sim_report_clear(&r);
            }
        }
        sim_sky_free(sky);
    }
}

static void requests_transfer_and_over_stay_within_the_targets_of_the_design(void **state)
{
    (void)state;
    static const struct {
        const char *sky;
        double boxes, cones, plus, boxes_moved, cones_moved, over;
    } targets[] = {
        {"even", 1.6, 3.2, 5, 1.02, 1.8, 0.03},   {"polar", 1.6, 3.2, 5, 1.2, 2.05, 0.03},
        {"wrap", 1.6, 3.2, 5, 1.2, 2.05, 0.03},   {"plane", 3.6, 5.8, 5, 1.02, 1.8, 0.15},
        {"clumpy", 3.6, 5.8, 5, 1.02, 1.8, 0.15}, {"globular", 9, 7.5, 0, 1.2, 2.05, 0.15},
    };
    enum { SKIES = 3 };
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        double lb = 0, requests[2] = {0}, over[2] = {0}, moved[2] = {0}, needed = 0;
        for (uint64_t seed = 0; seed < SKIES; seed++) {
            sim_sky *sky = sim_sky_new(targets[i].sky, 0.1, seed);
            lb += ceil((double)sky->n_inside / CAP);
            needed += (double)sky->n_inside;
            for (int boxes = 0; boxes < 2; boxes++) {
                sim_setup setup = setup_of(boxes, SIM_RESET);
                setup.service.cap = CAP + 1;
                setup.service.pos_quantum_deg = 1e-5;
                sim_report r = sim_run(sky, &setup);
                assert_exactly_once(&r);
                requests[boxes] += (double)r.account.requests;
                over[boxes] += (double)r.account.over;
                moved[boxes] += (double)r.moved;
                sim_report_clear(&r);
            }
            sim_sky_free(sky);
        }
        for (int boxes = 0; boxes < 2; boxes++) {
            double most = (boxes ? targets[i].boxes : targets[i].cones) * lb / SKIES;
            double mean = requests[boxes] / SKIES,
                   most_moved = boxes ? targets[i].boxes_moved : targets[i].cones_moved;
            if (mean > most + targets[i].plus || over[boxes] > targets[i].over * requests[boxes] ||
                moved[boxes] > most_moved * needed)
                fail_msg("%s, %s: %.1f requests (%.1f), over %.3f (%.2f), moved %.3f (%.2f)",
                         targets[i].sky, boxes ? "boxes" : "cones", mean, most + targets[i].plus,
                         over[boxes] / requests[boxes], targets[i].over, moved[boxes] / needed,
                         most_moved);
        }
    }
}

static void cones_stay_below_the_limit_of_the_service_and_are_rounded_up(void **state)
{
    (void)state;
    hal_region *region = circle(83.8, -5.4, 3.0);
    sim_sky *sky = disc(region, 20000, 83.8, -5.4, 3.2, 7);
    sim_setup setup = setup_of(false, SIM_RESET);
    setup.service.radius_max_deg = 0.5;
    setup.service.radius_decimals = 3;
    sim_report r = sim_run(sky, &setup);
    assert_exactly_once(&r);
    sim_report_clear(&r);
    hal_err err = HAL_ERR_INIT;
    hal_plan *plan = hal_plan_new(&setup.service, region, &setup.options, &err);
    assert_non_null(plan);
    hal_ask ask;
    int64_t until;
    bool accepted;
    int n = 0;
    while (hal_plan_next(plan, 0, &ask, &until) == HAL_NEXT_ASK) {
        assert_false(ask.whole);
        assert_true(ask.cone.radius_deg <= 0.5);
        assert_true(fabs(ask.cone.radius_deg * 1000.0 - round(ask.cone.radius_deg * 1000.0)) <
                    1e-9);
        hal_cone tight = hal_tile_cone(&ask.tile);
        assert_true(ask.kind != HAL_ASK_FETCH ||
                    ask.cone.radius_deg >= tight.radius_deg + 1.0 / 3600.0);
        assert_int_equal(hal_plan_complete(plan, ask.id, 3, 0, 0.0, &accepted, &err), HAL_OK);
        n++;
    }
    assert_true(n > 36);
    hal_plan_free(plan);
    sim_sky_free(sky);
    hal_region_unref(region);
}

static void a_count_at_the_root_spares_the_unsplit_question(void **state)
{
    (void)state;
    sim_sky *sky = sim_sky_new("wrap", 0.1, 0);
    sim_setup setup = setup_of(false, SIM_RESET);
    setup.service.counts = true;
    sim_report r = sim_run(sky, &setup);
    assert_exactly_once(&r);
    assert_int_equal(r.account.over, 0);
    assert_int_equal(r.account.probes, 0);
    assert_true(r.account.rows_counted >= (int64_t)r.n_in_region);
    assert_true(r.account.rows_counted <= (int64_t)r.n_in_region + 20);
    assert_int_equal(r.account.requests_max, 8 * r.account.lower_bound);
    sim_report_clear(&r);
    setup.service.counts = false;
    setup.options.known_rows = (int64_t)sky->n_inside;
    r = sim_run(sky, &setup);
    assert_exactly_once(&r);
    assert_int_equal(r.account.counts, 0);
    assert_int_equal(r.account.over, 0);
    sim_report_clear(&r);
    sim_sky_free(sky);
}

static void a_budget_of_requests_or_rows_ends_the_plan_as_partial_with_the_rest_named(void **state)
{
    (void)state;
    sim_sky *sky = sim_sky_new("wrap", 0.1, 0);
    sim_setup setup = setup_of(true, SIM_RESET);
    setup.options.requests_max = 20;
    sim_report r = sim_run(sky, &setup);
    assert_int_equal(r.account.state, HAL_PLAN_PARTIAL);
    assert_int_equal(r.account.requests, 20);
    assert_int_equal(r.error.status, HAL_E_BUDGET);
    assert_non_null(strstr(r.error.text, "20 requests"));
    assert_true(r.n_stuck > 0);
    assert_int_equal(r.account.rows_kept + r.n_lost, r.n_in_region);
    assert_int_equal(r.account.tiles_done + r.n_stuck, r.account.tiles_known);
    sim_report_clear(&r);
    setup.options.requests_max = 0;
    setup.options.rows_max = 10000;
    r = sim_run(sky, &setup);
    assert_int_equal(r.error.status, HAL_E_BUDGET);
    assert_non_null(strstr(r.error.text, "10000 rows"));
    assert_true(r.account.rows_kept > 10000 && r.account.rows_kept < 20000);
    sim_report_clear(&r);
    sim_sky_free(sky);
}

static hal_plan *small_plan(void)
{
    hal_err err = HAL_ERR_INIT;
    sim_setup setup = setup_of(false, SIM_RESET);
    hal_region *region = circle(10, 10, 1);
    hal_plan *plan = hal_plan_new(&setup.service, region, &setup.options, &err);
    assert_non_null(plan);
    hal_region_unref(region);
    return plan;
}

/* Fails one fetch of a plan until it gives up; returns how often that was repeated. */
static int repeats_until_given_up(bool answered_before)
{
    hal_plan *plan = small_plan();
    hal_err err = HAL_ERR_INIT, why = HAL_ERR_INIT;
    hal_ask first, ask;
    int64_t now = 0, until;
    assert_int_equal(hal_plan_next(plan, now, &first, &until), HAL_NEXT_ASK);
    assert_true(first.whole);
    if (answered_before) { /* a tile of the split region fails instead */
        bool accepted;
        assert_int_equal(hal_plan_failed(plan, first.id, HAL_VERDICT_OVER, now, NULL, &err),
                         HAL_OK);
        while (first.kind != HAL_ASK_FETCH || first.whole) {
            if (hal_plan_next(plan, now, &first, &until) == HAL_NEXT_ASK &&
                first.kind == HAL_ASK_PROBE)
                assert_int_equal(hal_plan_complete(plan, first.id, 40, 0, 0, &accepted, &err),
                                 HAL_OK);
        }
    }
    hal_err_set(&why, HAL_E_BUSY, "the archive asked to wait");
    why.retry_after_s = 7.0;
    assert_int_equal(hal_plan_failed(plan, first.id, HAL_VERDICT_TRANSIENT, now, &why, &err),
                     HAL_OK);
    why.retry_after_s = -1.0;
    int n = 0;
    hal_next next;
    while ((next = hal_plan_next(plan, now, &ask, &until)) != HAL_NEXT_DONE) {
        if (next == HAL_NEXT_WAIT) {
            assert_true(until > now && until < INT64_MAX);
            assert_true(n > 0 || until == INT64_C(7000000000));
            now = until;
            continue;
        }
        bool repeat = ask.tile.ra == first.tile.ra && ask.tile.dec_lo == first.tile.dec_lo &&
                      ask.cone.radius_deg == first.cone.radius_deg;
        if (!repeat) { /* another tile: leave it out */
            bool accepted;
            assert_int_equal(hal_plan_complete(plan, ask.id, 1, 0, 0, &accepted, &err), HAL_OK);
            continue;
        }
        n++;
        assert_int_equal(ask.attempt, n);
        assert_true(ask.id > first.id);
        assert_int_equal(hal_plan_failed(plan, ask.id, HAL_VERDICT_TRANSIENT, now, &why, &err),
                         HAL_OK);
    }
    assert_int_equal(hal_plan_error(plan, &err), HAL_E_BUSY);
    assert_non_null(strstr(err.text, "the archive asked to wait"));
    hal_plan_free(plan);
    return n;
}

static void transient_failures_repeat_the_same_ask_later_and_end_with_their_cause(void **state)
{
    (void)state;
    assert_int_equal(repeats_until_given_up(true), 12);
}

static void an_archive_that_never_answered_is_given_up_sooner(void **state)
{
    (void)state;
    assert_int_equal(repeats_until_given_up(false), 6);
}

static void a_fatal_verdict_stops_the_plan_with_that_error(void **state)
{
    (void)state;
    hal_plan *plan = small_plan();
    hal_err err = HAL_ERR_INIT, why = HAL_ERR_INIT;
    hal_ask ask;
    int64_t until;
    assert_int_equal(hal_plan_next(plan, 0, &ask, &until), HAL_NEXT_ASK);
    hal_err_set(&why, HAL_E_PERMISSION, "401: log in");
    assert_int_equal(hal_plan_failed(plan, ask.id, HAL_VERDICT_FATAL, 0, &why, &err), HAL_OK);
    assert_int_equal(hal_plan_next(plan, 0, &ask, &until), HAL_NEXT_DONE);
    assert_int_equal(hal_plan_error(plan, &err), HAL_E_PERMISSION);
    assert_string_equal(err.text, "401: log in");
    hal_plan_free(plan);
}

static void answers_nobody_asked_for_are_refused(void **state)
{
    (void)state;
    hal_plan *plan = small_plan();
    hal_err err = HAL_ERR_INIT;
    hal_ask ask;
    int64_t until;
    bool accepted = true;
    assert_int_equal(hal_plan_complete(plan, 1, 0, 0, 0, &accepted, &err), HAL_E_USAGE);
    assert_false(accepted);
    assert_int_equal(hal_plan_next(plan, 0, &ask, &until), HAL_NEXT_ASK);
    assert_int_equal(hal_plan_counted(plan, ask.id, 5, &err), HAL_E_USAGE);
    assert_int_equal(hal_plan_complete(plan, ask.id, 5, 6, 0, &accepted, &err), HAL_E_USAGE);
    assert_int_equal(hal_plan_complete(plan, ask.id, 5, 5, 0, &accepted, &err), HAL_OK);
    assert_true(accepted);
    assert_int_equal(hal_plan_complete(plan, ask.id, 5, 5, 0, &accepted, &err), HAL_E_USAGE);
    assert_int_equal(hal_plan_next(plan, 0, &ask, &until), HAL_NEXT_DONE);
    hal_plan_free(plan);
}

static void the_window_opens_one_by_one_and_halves_once_a_round_trip(void **state)
{
    (void)state;
    hal_err err = HAL_ERR_INIT;
    sim_setup setup = setup_of(true, SIM_RESET);
    setup.options.known_rows = 100 * CAP;
    hal_region *region = circle(10, 10, 5);
    hal_plan *plan = hal_plan_new(&setup.service, region, &setup.options, &err);
    hal_ask out[8], ask;
    int64_t until;
    bool accepted;
    int n = 0;
    for (int round = 1; round <= 4; round++) { /* 1, 2, 4, 4 at a time */
        while (hal_plan_next(plan, 0, &ask, &until) == HAL_NEXT_ASK)
            out[n++] = ask;
        assert_int_equal(n, round == 3 ? 4 : round > 3 ? 4 : round);
        if (round == 4)
            break;
        while (n > 0)
            assert_int_equal(hal_plan_complete(plan, out[--n].id, 900, 900, 0, &accepted, &err),
                             HAL_OK);
    }
    hal_err why = HAL_ERR_INIT;
    for (int i = 0; i < 4; i++)
        assert_int_equal(hal_plan_failed(plan, out[i].id, HAL_VERDICT_TRANSIENT, 0, &why, &err),
                         HAL_OK);
    n = 0;
    while (hal_plan_next(plan, INT64_C(5000000000), &ask, &until) == HAL_NEXT_ASK)
        n++;
    assert_int_equal(n, 2);
    hal_plan_free(plan);
    hal_region_unref(region);
}

static void wrong_options_and_lack_of_memory_are_reported(void **state)
{
    (void)state;
    hal_err err = HAL_ERR_INIT;
    sim_setup setup = setup_of(true, SIM_RESET);
    hal_region *region = circle(10, 10, 1);
    setup.options.window = 9;
    assert_null(hal_plan_new(&setup.service, region, &setup.options, &err));
    assert_int_equal(err.status, HAL_E_USAGE);
    setup.options.window = 1;
    setup.service.takes_box = false;
    assert_null(hal_plan_new(&setup.service, region, &setup.options, &err));
    assert_int_equal(err.status, HAL_E_USAGE);
    hal_region_unref(region);

    /* Each allocation in turn fails: the plan is not made, or ends with the memory error. */
    setup.service.takes_box = true;
    sim_sky *sky = sim_sky_new("wrap", 0.02, 0);
    setup.service.cap = 200;
    int n_failed = 0;
    for (size_t n = 1; n < 200; n++) {
        hal_alloc_fail_at(n);
        hal_plan *plan = hal_plan_new(&setup.service, sky->region, &setup.options, &err);
        if (!plan) {
            hal_alloc_fail_at(0);
            assert_int_equal(err.status, HAL_E_NOMEM);
            n_failed++;
            continue;
        }
        hal_ask ask;
        int64_t until;
        bool accepted;
        while (hal_plan_next(plan, 0, &ask, &until) == HAL_NEXT_ASK) {
            double rows = ask.whole ? 5000 : hal_cone_area_sr(ask.cone.radius_deg) / 0.0955 * 9000;
            assert_int_equal(hal_plan_complete(plan, ask.id, (uint64_t)rows, 0, 0, &accepted, &err),
                             HAL_OK);
        }
        hal_alloc_fail_at(0);
        bool failed = hal_plan_error(plan, &err) != HAL_OK;
        assert_true(!failed || err.status == HAL_E_NOMEM);
        n_failed += failed;
        hal_plan_free(plan);
        if (!failed)
            break;
    }
    assert_true(n_failed >= 5);
    sim_sky_free(sky);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_up_to_the_cap_take_one_request_and_one_more_row_takes_tiles),
        cmocka_unit_test(a_silent_cut_exactly_at_the_cap_is_not_taken_for_the_whole),
        cmocka_unit_test(rows_at_the_poles_and_at_ra_0_and_360_come_once_whatever_their_ra_says),
        cmocka_unit_test(rows_exactly_on_cut_borders_and_corners_come_once),
        cmocka_unit_test(regions_across_ra_0_round_poles_empty_and_huge_equal_brute_force),
        cmocka_unit_test(positions_printed_with_3_decimals_lose_nothing_when_the_plan_knows),
        cmocka_unit_test(a_row_moved_by_another_epoch_stops_the_plan_and_names_the_guard),
        cmocka_unit_test(a_service_that_ignores_the_region_is_found_out_by_its_first_answer),
        cmocka_unit_test(a_pile_up_at_one_point_leaves_one_named_stuck_tile_and_all_else_once),
        cmocka_unit_test(six_caps_of_rows_in_an_arc_minute_come_whole_with_few_requests_over),
        cmocka_unit_test(a_sky_without_rows_takes_one_request),
        cmocka_unit_test(random_resets_cost_requests_but_no_row),
        cmocka_unit_test(a_total_outage_pauses_the_plan_and_splits_nothing),
        cmocka_unit_test(window_and_order_of_answers_change_neither_asks_nor_rows),
        cmocka_unit_test(requests_transfer_and_over_stay_within_the_targets_of_the_design),
        cmocka_unit_test(cones_stay_below_the_limit_of_the_service_and_are_rounded_up),
        cmocka_unit_test(a_count_at_the_root_spares_the_unsplit_question),
        cmocka_unit_test(a_budget_of_requests_or_rows_ends_the_plan_as_partial_with_the_rest_named),
        cmocka_unit_test(transient_failures_repeat_the_same_ask_later_and_end_with_their_cause),
        cmocka_unit_test(an_archive_that_never_answered_is_given_up_sooner),
        cmocka_unit_test(a_fatal_verdict_stops_the_plan_with_that_error),
        cmocka_unit_test(answers_nobody_asked_for_are_refused),
        cmocka_unit_test(the_window_opens_one_by_one_and_halves_once_a_round_trip),
        cmocka_unit_test(wrong_options_and_lack_of_memory_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
