/* SPDX-License-Identifier: BSD-3-Clause */
/* The cases of the tiling design, section 12, that the plan decides, by their numbers. The others
 * belong to the ledger (15, 24), the spools (19, 22) and the cells (25). */
#include "support/plan_fixture.h"

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

static void case_01_one_row_below_at_and_above_the_cap(void **state)
{
    (void)state;
    hal_region *region = circle(150, 2, 1);
    for (size_t n = CAP - 1; n <= CAP + 1; n++) {
        sim_sky *sky = disc(region, n, 150, 2, 0.99, 7);
        sim_setup setup = setup_of(true, SIM_RESET);
        setup.archive_cap = CAP; /* inclusive; the plan cannot know and asks again at CAP */
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        assert_int_equal(r.account.requests == 1, n < CAP);
        assert_true(n < CAP || r.account.tiles_done >= 2);
        sim_report_clear(&r);
        sim_sky_free(sky);
    }
    hal_region_unref(region);
}

static void case_02_silent_truncation_exactly_at_the_cap(void **state)
{
    (void)state;
    hal_region *region = circle(10, -20, 1);
    sim_sky *sky = disc(region, CAP, 10, -20, 0.99, 7);
    for (int known = 0; known < 2; known++) { /* with the cap on record and without */
        sim_setup setup = setup_of(false, SIM_TRUNCATE);
        setup.service.cap = known ? CAP : 0;
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        assert_true(r.account.over >= 1);
        assert_int_equal(r.account.rows_kept, CAP);
        sim_report_clear(&r);
    }
    sim_sky_free(sky);
    hal_region_unref(region);
}

static void case_05_rows_on_cut_borders_and_corners(void **state)
{
    (void)state;
    hal_err err = HAL_ERR_INIT;
    uint64_t s = 6;
    hal_region *box = hal_region_box(350, 30, -10, 10, &err);
    sim_sky *sky = sky_begin("borders", hal_region_ref(box));
    for (int i = 0; i < 15000; i++)
        add_printed(sky, 350.0 + 40.0 * sim_random(&s), 20.0 * sim_random(&s) - 10.0);
    for (int step = 2; step <= 64; step *= 2)
        for (int k = 0; k < 170; k++) {
            double ra = fmod(350.0 + 40.0 * (k % step) / step, 360.0);
            double dec = -10.0 + 20.0 * (k / 3 % step) / step;
            sim_sky_add(sky, ra, dec, ra, dec);
        }
    sim_sky_index(sky);
    assert_every_way(sky);
    sim_sky_free(sky);
    hal_region_unref(box);
}

static void case_06_regions_across_0_with_a_pole_of_no_size_and_of_all(void **state)
{
    (void)state;
    hal_err err = HAL_ERR_INIT;
    static const double ra[] = {355, 8, 5, 350}, dec[] = {-12, -9, 14, 11};
    hal_region *regions[] = {circle(0.3, 12, 14), circle(77, 85, 12), circle(123.456, 33.3, 0),
                             circle(50, 20, 180), hal_region_polygon(ra, dec, 4, &err)};
    for (size_t i = 0; i < sizeof regions / sizeof *regions; i++) {
        uint64_t s = 50 + i;
        sim_sky *sky = sky_begin("region", regions[i]);
        add_even(sky, 40000, &s);
        sim_sky_add(sky, 123.456, 33.3, 123.456, 33.3);
        sim_sky_index(sky);
        assert_true(sky->n_inside > 0);
        for (int way = 0; way < 4; way++) {
            sim_setup setup = setup_of(way % 2, SIM_RESET);
            setup.service.cap = 500;
            setup.service.histogram = way / 2;
            sim_report r = sim_run(sky, &setup);
            assert_exactly_once(&r);
            sim_report_clear(&r);
        }
        sim_sky_free(sky);
    }
}

static void case_07_positions_printed_with_3_decimals(void **state)
{
    (void)state;
    hal_region *region = circle(10.5, 41.0, 2.0);
    sim_sky *sky = disc(region, 40000, 10.5, 41.0, 2.2, 3);
    for (int boxes = 0; boxes < 2; boxes++) {
        sim_setup setup = setup_of(boxes, SIM_RESET);
        setup.service.pos_quantum_deg = 1e-3;
        setup.tells_rounding = true;
        setup.printed_deg = 1e-3;
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        assert_string_equal(r.findings, "");
        sim_report_clear(&r);
        /* Not declared, and a guard of 0.1 arcsec: the answer to the probe tells in time. */
        setup.service.pos_quantum_deg = 0;
        setup.service.guard_arcsec = 0.1;
        r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        assert_found(&r, "positions are printed in steps of 0.001 degrees, the record says 0");
        sim_report_clear(&r);
        /* Too late once tiles were asked for. */
        setup.options.known_rows = (int64_t)sky->n_inside;
        r = sim_run(sky, &setup);
        assert_int_equal(r.account.state, HAL_PLAN_FAILED);
        assert_int_equal(r.error.status, HAL_E_INTEGRITY);
        assert_true(fabs(r.account.guard_needed_arcsec - 7.2) < 1e-9);
        assert_int_equal(r.account.rows_kept, 0);
        /* That guard is enough. */
        setup.service.guard_arcsec = r.account.guard_needed_arcsec;
        sim_report_clear(&r);
        r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        sim_report_clear(&r);
        /* Not told either: rows come from outside what was asked for. */
        setup.options.known_rows = -1;
        setup.service.guard_arcsec = 0.1;
        setup.tells_rounding = false;
        r = sim_run(sky, &setup);
        assert_int_equal(r.error.status, HAL_E_INTEGRITY);
        assert_found(&r, "outside the region asked for");
        sim_report_clear(&r);
    }
    sim_sky_free(sky);
    hal_region_unref(region);
}

static void case_08_selection_at_another_epoch_than_the_position_columns(void **state)
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
    assert_int_equal(r.error.status, HAL_E_INTEGRITY);
    assert_int_equal(r.account.requests, 1);
    assert_non_null(strstr(r.error.text, "159 arcsec outside"));
    assert_found(&r, "position columns");
    assert_true(fabs(r.account.guard_needed_arcsec - 318) < 1.0);
    sim_report_clear(&r);
    sim_sky_free(sky);
}

static void case_09_a_service_that_ignores_the_region(void **state)
{
    (void)state;
    uint64_t s = 4;
    sim_sky *sky = sky_begin("ignored", circle(40, 40, 1));
    add_even(sky, 800, &s);
    sim_sky_index(sky);
    for (int boxes = 0; boxes < 2; boxes++) {
        sim_setup setup = setup_of(boxes, SIM_RESET);
        setup.ignores_region = true;
        sim_report r = sim_run(sky, &setup);
        assert_int_equal(r.error.status, HAL_E_INTEGRITY);
        assert_int_equal(r.account.requests, 1);
        assert_found(&r, "region forms are wrong");
        sim_report_clear(&r);
    }
    sim_sky_free(sky);
}

static sim_sky *pile_up(hal_region *region)
{
    uint64_t s = 8;
    sim_sky *sky = sky_begin("pile", hal_region_ref(region));
    add_disc(sky, 8000, 211.12346, 33.5, 1.1, &s);
    for (int i = 0; i < CAP * 3 / 2; i++)
        sim_sky_add(sky, 211.3, 33.6, 211.3, 33.6);
    sim_sky_index(sky);
    give_days(sky, 9, 40);
    return sky;
}

static void case_10_more_rows_than_the_cap_at_one_point(void **state)
{
    (void)state;
    hal_region *region = circle(211.12346, 33.5, 1.0);
    sim_sky *sky = pile_up(region);
    for (int boxes = 0; boxes < 2; boxes++) {
        sim_setup setup = setup_of(boxes, SIM_RESET);
        sim_report r = sim_run(sky, &setup);
        assert_int_equal(r.account.state, HAL_PLAN_PARTIAL);
        assert_int_equal(r.error.status, HAL_E_TRUNCATED);
        assert_true(r.n_stuck >= 1 && r.n_stuck <= (boxes ? 1 : 3));
        assert_true(hal_tick_deg(r.stuck[0].dec_hi - r.stuck[0].dec_lo) * 3600.0 <= 16.01);
        assert_int_equal(r.n_twice + r.n_foreign, 0);
        assert_true(r.n_lost >= CAP * 3 / 2 && r.n_lost < CAP * 3 / 2 + 20);
        sim_report_clear(&r);
        /* A column that takes ranges, or a key to page by, makes it whole. */
        for (int way = 0; way < 3; way++) {
            sim_setup more = setup;
            more.service.alt_split[0] = days();
            more.service.n_alt_split = way != 1;
            more.service.order_key = way > 0;
            more.service.key_unique = true;
            r = sim_run(sky, &more);
            assert_exactly_once(&r);
            sim_report_clear(&r);
            assert_window_does_not_matter(sky, more);
        }
        /* With counts it takes fewer cuts to see that positions do not help. */
        setup.service.alt_split[0] = days();
        setup.service.n_alt_split = 1;
        setup.options.requests_max = 500;
        sim_report blind = sim_run(sky, &setup);
        setup.service.counts = true;
        r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        assert_true(r.account.over < blind.account.over);
        sim_report_clear(&blind);
        sim_report_clear(&r);
    }
    sim_sky_free(sky);
    hal_region_unref(region);
}

static void case_11_six_caps_within_an_arc_minute(void **state)
{
    (void)state;
    uint64_t s = 9;
    sim_sky *sky = sky_begin("cluster", circle(201.7, -47.5, 5.0));
    add_disc(sky, 26 * CAP, 201.7, -47.5, 5.0, &s);
    add_disc(sky, 6 * CAP, 202.3, -46.6, 1.0 / 60.0, &s);
    sim_sky_index(sky);
    for (int way = 0; way < 4; way++) {
        sim_setup setup = setup_of(way % 2, SIM_RESET);
        setup.service.histogram = way / 2;
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        assert_true(4 * r.account.over <= r.account.requests);
        sim_report_clear(&r);
    }
    sim_sky_free(sky);
}

static void case_12_an_empty_sky_takes_one_request(void **state)
{
    (void)state;
    hal_region *regions[] = {whole_sky(), circle(10, 10, 1), circle(0, 90, 30)};
    for (int i = 0; i < 3; i++) {
        sim_sky *sky = sim_sky_rows(regions[i], NULL, 0);
        for (int way = 0; way < 3; way++) {
            sim_setup setup = setup_of(true, SIM_RESET);
            setup.service.counts = way == 1;
            setup.service.histogram = way == 2;
            sim_report r = sim_run(sky, &setup);
            assert_exactly_once(&r);
            /* An empty histogram is believed only after the region itself is empty too. */
            assert_int_equal(r.account.requests, way == 2 ? 2 : 1);
            assert_int_equal(r.account.rows_kept, 0);
            sim_report_clear(&r);
        }
        sim_sky_free(sky);
        hal_region_unref(regions[i]);
    }
}

static void case_13_random_resets(void **state)
{
    (void)state;
    static const double rate[] = {0.05, 0.20}, most[] = {1.6, 2.2};
    sim_sky *sky = sim_sky_new("wrap", 0.1, 0);
    for (int k = 0; k < 4; k++) {
        sim_setup setup = setup_of(k / 2, SIM_RESET);
        sim_report quiet = sim_run(sky, &setup);
        setup.fault_rate = rate[k % 2];
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        assert_true((double)r.account.requests <= most[k % 2] * (double)quiet.account.requests);
        if (k % 2)
            assert_found(&r, "failures taken for too many rows were faults");
        sim_report_clear(&quiet);
        sim_report_clear(&r);
    }
    sim_sky_free(sky);
}

static void case_14_a_total_outage_of_a_minute(void **state)
{
    (void)state;
    hal_region *all = whole_sky();
    sim_sky *table = disc(all, 20000, 0, 0, 180, 5);
    give_days(table, 4, 0);
    sim_sky *sky = sim_sky_new("wrap", 0.1, 0);
    for (int way = 0; way < 3; way++) { /* boxes, cones, ranges of a column */
        const sim_sky *rows = way < 2 ? sky : table;
        sim_setup setup = setup_of(way == 0, SIM_RESET);
        setup.service.takes_cone = way == 1;
        setup.service.alt_split[0] = days();
        setup.service.n_alt_split = way == 2;
        sim_report quiet = sim_run(rows, &setup);
        setup.outage_from_s = 15.0;
        setup.outage_to_s = 75.0;
        sim_report r = sim_run(rows, &setup);
        assert_exactly_once(&r);
        assert_int_equal(r.account.over, quiet.account.over);
        assert_true(r.account.tiles_known <= quiet.account.tiles_known + 2);
        assert_true(r.n_waited > 0);
        assert_true(r.makespan_s > quiet.makespan_s + 60.0);
        sim_report_clear(&quiet);
        sim_report_clear(&r);
    }
    sim_sky_free(sky);
    sim_sky_free(table);
    hal_region_unref(all);
}

static void case_16_windows_and_order_of_answers(void **state)
{
    (void)state;
    static const char *const names[] = {"plane", "globular", "wrap"};
    for (size_t n = 0; n < 3; n++) {
        sim_sky *sky = sim_sky_new(names[n], 0.05, 0);
        for (int way = 0; way < 5; way++) {
            sim_setup setup = setup_of(way % 2, way / 2 ? SIM_TRUNCATE : SIM_RESET);
            setup.service.cap = setup.archive_cap = 500;
            setup.service.counts = way == 3;
            setup.service.histogram = way == 4;
            assert_window_does_not_matter(sky, setup);
        }
        sim_sky_free(sky);
    }
}

static void case_17_outlines_larger_than_the_region(void **state)
{
    (void)state;
    hal_region *region = circle(150, 20, 0.5);
    sim_sky *sky = disc(region, 9000, 150, 20, 4.0, 6);
    for (size_t i = 0; i < sky->n_row; i++)
        sky->row[i].outline_deg = i % 2 ? 2.0F : 0.02F;
    sim_setup setup = setup_of(false, SIM_FLAG);
    setup.service.footprints = true;
    setup.service.pos_quantum_deg = 1e-6;
    setup.service.cap = 5000;
    sim_report unsplit = sim_run(sky, &setup);
    assert_exactly_once(&unsplit);
    assert_int_equal(unsplit.account.requests, 1);
    /* Mode 1, by centre columns, and mode 2, by tiles and key: the same rows. */
    setup.service.cap = CAP;
    setup.service.centre_columns = true;
    sim_report centres = sim_run(sky, &setup);
    assert_exactly_once(&centres);
    assert_true(centres.account.requests > 1);
    assert_int_equal(centres.kept_digest, unsplit.kept_digest);
    sim_report_clear(&centres);
    sim_report_clear(&unsplit);
    sim_sky_free(sky);
    /* Mode 2 needs outlines that a tile can tell apart. */
    sky = disc(region, 9000, 150, 20, 0.55, 6);
    for (size_t i = 0; i < sky->n_row; i++)
        sky->row[i].outline_deg = 0.02F;
    setup.service.centre_columns = false;
    sim_report keys = sim_run(sky, &setup);
    assert_exactly_once(&keys);
    assert_true(keys.account.requests > 1);
    sim_report_clear(&keys);
    sim_sky_free(sky);
    hal_region_unref(region);
}

static void case_17_centre_ranges_that_do_nothing_are_found_out(void **state)
{
    (void)state;
    hal_region *region = circle(150, 20, 0.5);
    sim_sky *sky = disc(region, 9000, 150, 20, 2.0, 6);
    for (size_t i = 0; i < sky->n_row; i++)
        sky->row[i].outline_deg = 0.4F;
    for (int truncates = 0; truncates < 2; truncates++) {
        sim_setup setup = setup_of(false, truncates ? SIM_TRUNCATE : SIM_FLAG);
        setup.service.footprints = setup.service.centre_columns = true;
        setup.service.pos_quantum_deg = 1e-6;
        setup.ignores_centre = true;
        sim_report r = sim_run(sky, &setup);
        assert_true(r.account.state == HAL_PLAN_FAILED || r.account.state == HAL_PLAN_PARTIAL);
        assert_true(r.account.requests < 150);
        assert_int_equal(r.account.rows_kept, 0);
        assert_found(&r, truncates ? "outside the region asked for" : "they seem to do nothing");
        sim_report_clear(&r);
    }
    sim_sky_free(sky);
    hal_region_unref(region);
}

static void case_18_rows_without_position(void **state)
{
    (void)state;
    hal_region *all = whole_sky();
    sim_sky *sky = disc(all, 6000, 0, 0, 180, 5);
    size_t n = unplace(sky, 2000);
    assert_int_equal(n, 3);
    for (int way = 0; way < 4; way++) { /* NULL test; count; neither; a histogram of the others */
        sim_setup setup = setup_of(true, SIM_FLAG);
        setup.service.pos_quantum_deg = 1e-5;
        setup.service.pos_nullable = true;
        setup.service.null_test = way == 0;
        setup.service.counts = way == 1;
        setup.service.histogram = way == 3;
        sim_report r = sim_run(sky, &setup);
        if (way == 0) {
            assert_exactly_once(&r);
            assert_int_equal(r.n_unplaced_kept, 3);
            assert_int_equal(r.account.rows_unreachable, 0);
        } else {
            assert_int_equal(r.account.state, HAL_PLAN_COMPLETE_EXCEPT);
            assert_int_equal(r.n_lost, 3);
            assert_int_equal(r.account.rows_unreachable, way == 1 ? 3 : -1);
            assert_int_equal(r.error.status, HAL_OK);
            assert_found(&r,
                         way == 1 ? "3 rows without position" : "rows without position, if any");
        }
        sim_report_clear(&r);
    }
    sim_sky_free(sky);
    hal_region_unref(all);
}

static void case_20_a_radius_cap_and_radii_cut_to_3_decimals(void **state)
{
    (void)state;
    hal_region *region = circle(83.8, -5.4, 3.0);
    sim_sky *sky = disc(region, 20000, 83.8, -5.4, 3.2, 7);
    sim_setup setup = setup_of(false, SIM_RESET);
    setup.service.radius_max_deg = 0.5;
    setup.service.radius_decimals = 3;
    setup.radius_floor = 3;
    sim_report r = sim_run(sky, &setup);
    assert_exactly_once(&r);
    assert_true(r.radius_most_deg <= 0.5);
    sim_report_clear(&r);
    sim_sky_free(sky);
    hal_region_unref(region);
}

static void case_21_a_cap_lower_than_declared_without_a_word(void **state)
{
    (void)state;
    sim_sky *sky = sim_sky_new("wrap", 0.1, 0);
    for (int way = 0; way < 4; way++) {
        sim_setup setup = setup_of(way % 2, SIM_TRUNCATE);
        setup.service.cap = 5 * CAP;
        setup.service.counts = way / 2;
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        assert_found(&r, "cut at 1000 rows without a word");
        assert_found(&r, "the record's cap of 5000 is wrong");
        assert_int_equal(r.account.cap_rows, 1000);
        sim_report_clear(&r);
        assert_window_does_not_matter(sky, setup);
    }
    sim_sky_free(sky);
}

static void case_21_a_small_cap_that_nobody_declared(void **state)
{
    (void)state;
    static const uint64_t caps[] = {100, 200, 500};
    sim_sky *sky = sim_sky_new("wrap", 0.02, 0);
    for (int way = 0; way < 12; way++) {
        sim_setup setup = setup_of(way % 2, SIM_TRUNCATE);
        uint64_t cap = caps[way / 4];
        char words[64];
        setup.service.cap = way % 4 / 2 ? 0 : 50 * CAP;
        setup.archive_cap = cap;
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        snprintf(words, sizeof words, "cut at %d rows without a word", (int)cap);
        assert_found(&r, words);
        sim_report_clear(&r);
    }
    sim_sky_free(sky);
}

/* Rows so near one another that no tile divides them: others about them say that it is no limit. */
static void
a_round_number_of_rows_that_nothing_divides_is_held_against_what_is_about_it(void **state)
{
    (void)state;
    static const size_t rows[] = {99, 100, 500, 1000, 2048};
    hal_region *region = circle(50, 10, 1.0 / 3600);
    for (size_t k = 0; k < 3 * sizeof rows / sizeof *rows; k++) {
        size_t n = rows[k / 3], about = k % 3;
        sim_sky *sky = sky_begin("point", hal_region_ref(region));
        for (size_t i = 0; i < n + about; i++)
            sim_sky_add(sky, 50, i < n ? 10 : 10.02, 50, i < n ? 10 : 10.02);
        sim_sky_index(sky);
        sim_setup setup = setup_of(true, about == 2 ? SIM_TRUNCATE : SIM_FLAG);
        setup.service.cap = 0;
        setup.archive_cap = about == 2 ? n : 50 * CAP;
        sim_report r = sim_run(sky, &setup);
        assert_int_equal(r.n_twice + r.n_foreign, 0);
        if (about == 1 || n == 99) {
            assert_exactly_once(&r);
            assert_true(r.account.requests <= (n == 99 ? 1 : 6));
        } else {
            assert_int_equal(r.account.state, HAL_PLAN_PARTIAL);
            assert_true(r.account.requests <= 8);
            assert_non_null(strstr(r.error.text, "perhaps cut there without a word"));
        }
        sim_report_clear(&r);
        sim_sky_free(sky);
    }
    hal_region_unref(region);
}

static void a_limit_that_two_round_answers_seemed_to_prove_is_taken_back(void **state)
{
    (void)state;
    hal_err err = HAL_ERR_INIT;
    hal_region *region = whole_sky();
    sim_setup setup = setup_of(true, SIM_FLAG);
    setup.service.cap = 5 * CAP;
    setup.options.window = 1;
    hal_plan *plan = hal_plan_new(&setup.service, region, &setup.options, &err);
    hal_ask ask;
    int64_t until;
    bool accepted;
    uint64_t n = 0;
    while (hal_plan_next(plan, 0, &ask, &until) == HAL_NEXT_ASK) {
        n += ask.kind == HAL_ASK_FETCH;
        uint64_t rows = ask.kind != HAL_ASK_FETCH ? 30 : n <= 2 ? 200 : n == 3 ? 300 : 101;
        assert_int_equal(hal_plan_complete(plan, ask.id, rows, rows, 0.0, &accepted, &err), HAL_OK);
        assert_true(!accepted || n > 2);
    }
    hal_account account;
    hal_plan_account(plan, &account);
    assert_int_equal(account.state, HAL_PLAN_COMPLETE);
    assert_true(account.cap_rows == 5 * CAP);
    bool taken_back = false;
    for (size_t i = 0; i < account.n_findings; i++)
        taken_back =
            taken_back || strstr(hal_plan_finding(plan, i), "answers are not cut at 200 rows: one "
                                                            "held 300");
    assert_true(taken_back);
    hal_plan_free(plan);
    hal_region_unref(region);
}

static void a_place_that_the_archive_never_finishes_is_given_up_with_the_reason(void **state)
{
    (void)state;
    sim_sky *sky = sim_sky_new("wrap", 0.1, 0);
    for (int way = 0; way < 8; way++) {
        sim_setup setup = setup_of(way % 2, SIM_FLAG);
        setup.service.counts = way / 2 % 2;
        setup.service.over_is_slow = way / 4;
        setup.stalls = true;
        setup.stalls_ra = 2.5;
        setup.stalls_dec = 3.5;
        sim_report r = sim_run(sky, &setup);
        assert_int_equal(r.account.state, HAL_PLAN_PARTIAL);
        assert_int_equal(r.error.status, HAL_E_TIMEOUT);
        assert_non_null(strstr(r.error.text, "still at work when its time was up, 4 times, on what "
                                             "lies within"));
        assert_non_null(strstr(r.error.text, "everything else is complete"));
        assert_int_equal(r.n_stuck, 1);
        assert_true(hal_tile_owns(&r.stuck[0], 2.5, 3.5));
        assert_true(r.n_lost > 0 && r.n_lost < r.n_in_region / 4);
        assert_int_equal(r.n_twice + r.n_foreign, 0);
        assert_true(r.account.ambiguous <= 5);
        sim_report_clear(&r);
    }
    sim_sky_free(sky);
}

static void a_count_that_takes_too_long_is_not_asked_of_regions_as_large(void **state)
{
    (void)state;
    sim_sky *sky = sim_sky_new("wrap", 0.1, 0);
    for (int by_caller = 0; by_caller < 2; by_caller++) {
        sim_setup setup = setup_of(false, SIM_RESET);
        setup.service.counts = true;
        setup.counts_most_deg = 6.0; /* the region has 10 */
        setup.options.count_failed = by_caller;
        setup.fault_rate = 0.1;
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        /* Resets of small tiles are still told from too many rows by a count. */
        assert_true(r.account.counts > (by_caller ? 0u : 4u));
        assert_null(strstr(r.findings, "counting does not work"));
        if (!by_caller)
            assert_found(&r, "square degrees does not come in time: only smaller");
        sim_report_clear(&r);
    }
    sim_sky_free(sky);
}

static void case_21_other_wrong_caps_and_counts_are_found_out(void **state)
{
    (void)state;
    sim_sky *sky = sim_sky_new("wrap", 0.1, 0);
    /* Refused above 1000 rows, declared 3000, counted. */
    sim_setup setup = setup_of(true, SIM_FLAG);
    setup.service.cap = 3 * CAP;
    setup.service.counts = true;
    setup.archive_cap = CAP;
    sim_report r = sim_run(sky, &setup);
    assert_exactly_once(&r);
    assert_found(&r, "the record's cap of 3000 rows is too high");
    sim_report_clear(&r);
    /* Delivers more than declared. */
    hal_region *region = circle(10, 10, 2);
    sim_sky *few = disc(region, 3 * CAP, 10, 10, 1.9, 7);
    setup = setup_of(true, SIM_FLAG);
    setup.archive_cap = 4 * CAP;
    r = sim_run(few, &setup);
    sim_sky_free(few);
    hal_region_unref(region);
    assert_exactly_once(&r);
    assert_found(&r, "the record's cap of 1000 rows is too low");
    sim_report_clear(&r);
    /* Counts more than it has. */
    setup = setup_of(true, SIM_FLAG);
    setup.service.counts = true;
    setup.counts_too_many = 1;
    region = circle(10, 10, 2);
    few = disc(region, 9, 10, 10, 1.9, 7);
    r = sim_run(few, &setup);
    assert_found(&r, "counts 10 rows in a request that returns 9");
    sim_report_clear(&r);
    sim_sky_free(few);
    hal_region_unref(region);
    /* Cannot count, by cell or at all. */
    setup = setup_of(true, SIM_FLAG);
    setup.service.counts = setup.service.histogram = true;
    setup.no_counting = setup.no_cells = true;
    r = sim_run(sky, &setup);
    assert_exactly_once(&r);
    assert_found(&r, "square degrees does not come in time: only smaller regions are counted");
    assert_found(&r, "counting rows by cell does not work");
    sim_report_clear(&r);
    sim_sky_free(sky);
}

static void case_21_a_cap_lower_than_declared_that_only_resets_is_learned(void **state)
{
    (void)state;
    sim_sky *sky = sim_sky_new("wrap", 0.1, 0);
    for (int boxes = 0; boxes < 2; boxes++) {
        sim_setup setup = setup_of(boxes, SIM_RESET);
        sim_report known = sim_run(sky, &setup);
        setup.archive_cap = CAP;
        setup.service.cap = 100 * CAP;
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        assert_found(&r, "the record's cap of 100000 rows seems too high");
        assert_null(strstr(r.findings, "were faults"));
        assert_true((double)r.account.requests <= 2.0 * (double)known.account.requests);
        sim_report_clear(&known);
        sim_report_clear(&r);
    }
    sim_sky_free(sky);
}

/* A probe of fewer rows than tell a density is widened; one that was too much is not tried again.
 */
static void a_limit_of_a_few_rows_does_not_keep_the_plan_probing(void **state)
{
    (void)state;
    for (uint64_t cap = 5; cap <= 150; cap *= 3) {
        hal_region *region = circle(10.5, 41.0, 20.0);
        uint64_t s = 3;
        sim_sky *sky = sky_begin("disc", region);
        add_disc(sky, 100 * cap, 10.5, 41.0, 21.0, &s);
        sim_sky_index(sky);
        sim_setup setup = setup_of(false, SIM_RESET);
        setup.service.cap = cap;
        setup.service.pos_quantum_deg = 1e-5;
        setup.options.requests_max = 3000;
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        assert_true(r.account.probes < 30);
        sim_report_clear(&r);
        sim_sky_free(sky);
    }
}

static void case_23_the_archive_asks_to_wait(void **state)
{
    (void)state;
    sim_sky *sky = sim_sky_new("wrap", 0.1, 0);
    for (int boxes = 0; boxes < 2; boxes++) {
        sim_setup setup = setup_of(boxes, SIM_FLAG);
        sim_report quiet = sim_run(sky, &setup);
        setup.busy_rate = 0.2;
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        assert_true(r.account.transient > 3);
        assert_int_equal(r.account.over, quiet.account.over);
        assert_int_equal(r.account.tiles_known, quiet.account.tiles_known);
        assert_true(r.makespan_s >= quiet.makespan_s + 7.0);
        assert_int_equal(r.kept_digest, quiet.kept_digest);
        sim_report_clear(&quiet);
        sim_report_clear(&r);
    }
    sim_sky_free(sky);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_01_one_row_below_at_and_above_the_cap),
        cmocka_unit_test(case_02_silent_truncation_exactly_at_the_cap),
        cmocka_unit_test(case_05_rows_on_cut_borders_and_corners),
        cmocka_unit_test(case_06_regions_across_0_with_a_pole_of_no_size_and_of_all),
        cmocka_unit_test(case_07_positions_printed_with_3_decimals),
        cmocka_unit_test(case_08_selection_at_another_epoch_than_the_position_columns),
        cmocka_unit_test(case_09_a_service_that_ignores_the_region),
        cmocka_unit_test(case_10_more_rows_than_the_cap_at_one_point),
        cmocka_unit_test(case_11_six_caps_within_an_arc_minute),
        cmocka_unit_test(case_12_an_empty_sky_takes_one_request),
        cmocka_unit_test(case_13_random_resets),
        cmocka_unit_test(case_14_a_total_outage_of_a_minute),
        cmocka_unit_test(case_16_windows_and_order_of_answers),
        cmocka_unit_test(case_17_outlines_larger_than_the_region),
        cmocka_unit_test(case_17_centre_ranges_that_do_nothing_are_found_out),
        cmocka_unit_test(case_18_rows_without_position),
        cmocka_unit_test(case_20_a_radius_cap_and_radii_cut_to_3_decimals),
        cmocka_unit_test(case_21_a_cap_lower_than_declared_without_a_word),
        cmocka_unit_test(case_21_a_small_cap_that_nobody_declared),
        cmocka_unit_test(
            a_round_number_of_rows_that_nothing_divides_is_held_against_what_is_about_it),
        cmocka_unit_test(a_limit_that_two_round_answers_seemed_to_prove_is_taken_back),
        cmocka_unit_test(a_place_that_the_archive_never_finishes_is_given_up_with_the_reason),
        cmocka_unit_test(a_count_that_takes_too_long_is_not_asked_of_regions_as_large),
        cmocka_unit_test(case_21_other_wrong_caps_and_counts_are_found_out),
        cmocka_unit_test(case_21_a_cap_lower_than_declared_that_only_resets_is_learned),
        cmocka_unit_test(a_limit_of_a_few_rows_does_not_keep_the_plan_probing),
        cmocka_unit_test(case_23_the_archive_asks_to_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
