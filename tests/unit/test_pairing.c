/* SPDX-License-Identifier: BSD-3-Clause */
/* Matching of tables: null positions, and running out of memory. What users may ask for is in
 * tests/spec/table_spec.lua and tests/cli, the geometry in test_match.c. */
#include "host/match.h"

#include "base/alloc.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { N_ROWS = 40, N_COLUMNS = 6 };

/* A row per degree of the equator; every 7th has no right ascension, every 11th NaN, every 13th no
 * radius. */
static hal_table *stars(void)
{
    static const char *const names[N_COLUMNS] = {"ra", "dec", "err", "pmra", "pmdec", "epoch"};
    hal_field fields[N_COLUMNS] = {{0}};
    for (size_t c = 0; c < N_COLUMNS; c++)
        fields[c] = (hal_field){.name = names[c], .type = HAL_TYPE_FLOAT64};
    hal_builder *b = hal_builder_new(fields, N_COLUMNS, NULL);
    assert_non_null(b);
    hal_status st = HAL_OK;
    for (int i = 1; i <= N_ROWS && !st; i++) {
        const double cells[N_COLUMNS] = {i % 11 ? i : NAN, 0, 1, 100, -100, 2000 + i % 16};
        for (size_t c = 0; c < N_COLUMNS && !st; c++)
            if (!(c == 0 && i % 7 == 0) && !(c == 2 && i % 13 == 0))
                st = hal_builder_float64(b, c, cells[c], NULL);
        if (!st)
            st = hal_builder_end_row(b, NULL);
    }
    assert_int_equal(st, HAL_OK);
    hal_table *t = hal_builder_finish(b, NULL);
    hal_builder_free(b);
    assert_non_null(t);
    return t;
}

static void null_and_nan_positions_match_nothing_and_are_counted(void **state)
{
    (void)state;
    hal_table *t = stars();
    static const hal_match_mode modes[] = {HAL_MATCH_BEST, HAL_MATCH_SYMMETRIC, HAL_MATCH_ALL,
                                           HAL_MATCH_NEAREST};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        for (int left_join = 0; left_join < (modes[i] == HAL_MATCH_SYMMETRIC ? 1 : 2);
             left_join++) {
            hal_pairing p = {
                .radius = "1 arcsec", .how = left_join ? "left" : NULL, .match.mode = modes[i]};
            hal_pairing_account account;
            hal_table *m = hal_table_match(t, t, &p, &account, NULL);
            assert_non_null(m);
            assert_int_equal(account.n_left_placeless, 8); /* 7 14 21 28 35, 11 22 33 */
            assert_int_equal(account.n_right_placeless, 8);
            assert_int_equal(account.n_matched, N_ROWS - 8);
            assert_int_equal(hal_table_rows(m), left_join ? N_ROWS : N_ROWS - 8);
            int sep = hal_table_find(m, "sep_arcsec"), ra = hal_table_find(m, "ra_2");
            for (uint64_t row = 0; row < hal_table_rows(m); row++) {
                bool is_null = hal_table_is_null(m, (size_t)sep, row);
                assert_int_equal(is_null, hal_table_is_null(m, (size_t)ra, row));
                assert_true(is_null || hal_table_float64(m, (size_t)sep, row) == 0);
            }
            hal_table_unref(m);
        }
    hal_table_unref(t);
}

static void running_out_of_memory_is_an_error(void **state)
{
    (void)state;
    hal_table *t = stars();
    hal_pairing p = {.radius = "err arcsec",
                     .other_radius = "err arcsec",
                     .pm = {"pmra,pmdec", "auto"},
                     .epoch = {"epoch", "2016"},
                     .at = "2016.0",
                     .how = "left",
                     .match.mode = HAL_MATCH_ALL};
    size_t n_made, n = 0, n_failed = 0;
    do {
        hal_alloc_fail_at(++n);
        hal_err err = HAL_ERR_INIT;
        hal_table *m = hal_table_match(t, t, &p, NULL, &err);
        n_made = hal_alloc_fail_at(0);
        /* Where memory is only to shrink, the result is whole all the same. */
        assert_true(err.status == HAL_E_NOMEM || err.status == HAL_OK);
        assert_int_equal(m != NULL, err.status == HAL_OK);
        n_failed += m == NULL;
        if (m)
            assert_int_equal(hal_table_rows(m), N_ROWS);
        hal_table_unref(m);
    } while (n_made >= n);
    assert_true(n_failed > 40);
    hal_table_unref(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_and_nan_positions_match_nothing_and_are_counted),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
