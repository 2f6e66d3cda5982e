/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of the plan share: setups, small skies, the verdict "every row once". */
#ifndef HAL_TESTS_PLAN_FIXTURE_H
#define HAL_TESTS_PLAN_FIXTURE_H

#include "sim.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { CAP = 1000 };

static inline sim_setup setup_of(bool boxes, sim_over over)
{
    return (sim_setup){
        .service = {.takes_box = boxes,
                    .takes_cone = !boxes,
                    .over_is_slow = over == SIM_RESET,
                    .radius_decimals = -1,
                    .cap = CAP},
        .options = {.window = 4, .known_rows = -1},
        .over = over,
        .archive_cap = over == SIM_TRUNCATE ? CAP : 0,
        .seed = 1,
    };
}

static inline hal_region *circle(double ra, double dec, double radius)
{
    hal_err err = HAL_ERR_INIT;
    hal_region *r = hal_region_circle(ra, dec, radius, &err);
    assert_non_null(r);
    return r;
}

static inline hal_region *whole_sky(void)
{
    hal_err err = HAL_ERR_INIT;
    hal_region *r = hal_region_all(&err);
    assert_non_null(r);
    return r;
}

/* `n` rows even in a disc, selected on at full precision, printed with `decimals`. */
static inline sim_sky *disc(hal_region *region, size_t n, double ra, double dec, double radius,
                            int decimals)
{
    uint64_t s = 99;
    sim_sky *sky = sky_begin("disc", hal_region_ref(region));
    double scale = pow(10.0, decimals), top = sin(radius * RADIANS / 2.0);
    for (size_t i = 0; i < n; i++) {
        double x, y, d = 2.0 * asin(sqrt(sim_random(&s)) * top) / RADIANS;
        offset(ra, dec, d, 2.0 * SIM_PI * sim_random(&s), &x, &y);
        x = hal_ra_canonical(x);
        sim_sky_add(sky, round(x * scale) / scale, round(y * scale) / scale, x, y);
    }
    sim_sky_index(sky);
    return sky;
}

/* The column that takes ranges: days of two dense campaigns in an otherwise even decade, printed
 * with 5 decimals and selected on with more; every `nulls`-th row has none (0: all have one). */
static inline void give_days(sim_sky *sky, uint64_t seed, size_t nulls)
{
    for (size_t i = 0; i < sky->n_row; i++) {
        double u = sim_random(&seed), v = sim_random(&seed);
        double day = u < 0.4 ? 55000.0 + 10.0 * v : u < 0.6 ? 57200.0 + v : 54000.0 + 3650.0 * v;
        sim_row *r = &sky->row[i];
        r->sel_value = nulls && i % nulls == 0 ? NAN : day;
        r->value = round(r->sel_value * 1e5) / 1e5;
    }
}

static inline hal_plan_column days(void)
{
    return (hal_plan_column){.name = "t_min",
                             .decimals = 5,
                             .rounded = true,
                             .nullable = true,
                             .null_test = true,
                             .min = 50000,
                             .max = 60000};
}

/* Takes the positions of every `step`-th row away. */
static inline size_t unplace(sim_sky *sky, size_t step)
{
    size_t n = 0;
    for (size_t i = 0; i < sky->n_row; i += step, n++) {
        sky->row[i].unplaced = true;
        sky->row[i].ra = sky->row[i].dec = NAN;
    }
    free(sky->band);
    sim_sky_index(sky);
    return n;
}

static inline void assert_exactly_once(const sim_report *r)
{
    if (r->account.state != HAL_PLAN_COMPLETE)
        fail_msg("not complete: %s", r->error.text);
    assert_int_equal(r->n_lost, 0);
    assert_int_equal(r->n_twice, 0);
    assert_int_equal(r->n_foreign, 0);
    assert_int_equal(r->account.rows_kept, r->n_in_region);
    assert_int_equal(r->account.tiles_done, r->account.tiles_known);
}

static inline void assert_found(const sim_report *r, const char *words)
{
    if (!strstr(r->findings, words))
        fail_msg("\"%s\" is not among the findings: %s", words, r->findings);
}

/* The same asks and rows for every window and order of answers. */
static inline void assert_window_does_not_matter(const sim_sky *sky, sim_setup setup)
{
    static const int windows[] = {1, 2, 8, 5};
    uint64_t asks = 0, rows = 0;
    for (int k = 0; k < 4; k++) {
        setup.options.window = windows[k];
        setup.shuffle = k > 1;
        setup.seed = (uint64_t)k;
        sim_report r = sim_run(sky, &setup);
        assert_exactly_once(&r);
        assert_true(k == 0 || r.ask_digest == asks);
        assert_true(k == 0 || r.kept_digest == rows);
        asks = r.ask_digest;
        rows = r.kept_digest;
        sim_report_clear(&r);
    }
}

#endif
