/* SPDX-License-Identifier: BSD-3-Clause */
/* Selection against naive comparison; what criteria mean is in tests/spec/table_core_spec.lua. */
#include "data/select.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static uint64_t random_bits(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static hal_table *numbers(size_t n, uint64_t seed)
{
    static const hal_field fields[] = {
        {.name = "i", .type = HAL_TYPE_INT64, .unit = "", .ucd = "", .description = ""},
        {.name = "x", .type = HAL_TYPE_FLOAT64, .unit = "", .ucd = "", .description = ""},
        {.name = "s", .type = HAL_TYPE_STRING, .unit = "", .ucd = "", .description = ""}};
    hal_builder *b = hal_builder_new(fields, 3, NULL);
    assert_non_null(b);
    for (size_t k = 0; k < n; k++) {
        int64_t v = (int64_t)(random_bits(&seed) % 41) - 20;
        char text[8];
        snprintf(text, sizeof text, "T%d", (int)v);
        hal_status st = hal_builder_int64(b, 0, v + (INT64_C(1) << 60), NULL);
        if (k % 7)
            st = st ? st : hal_builder_float64(b, 1, (double)v / 2, NULL);
        st = st ? st : hal_builder_string(b, 2, hal_slice_of(text), NULL);
        assert_int_equal(st ? st : hal_builder_end_row(b, NULL), HAL_OK);
    }
    hal_table *t = hal_builder_finish(b, NULL);
    hal_builder_free(b);
    assert_non_null(t);
    return t;
}

static void ranges_select_what_comparing_each_selects(void **state)
{
    (void)state;
    hal_table *t = numbers(500, 1);
    uint64_t seed = 2;
    for (int round = 0; round < 300; round++) {
        bool ints = round % 2;
        hal_alternative a[4] = {0};
        size_t n = 1 + random_bits(&seed) % 4;
        for (size_t k = 0; k < n; k++) {
            int64_t lo = (int64_t)(random_bits(&seed) % 50) - 25;
            int64_t hi = lo + (int64_t)(random_bits(&seed) % 6) - 1; /* may be empty */
            a[k].negated = random_bits(&seed) % 3 == 0;
            a[k].min.is_int = a[k].max.is_int = ints;
            a[k].min.i = lo + (INT64_C(1) << 60);
            a[k].max.i = hi + (INT64_C(1) << 60);
            a[k].min.d = (double)lo / 2;
            a[k].max.d = (double)hi / 2;
        }
        hal_criterion c = {ints ? "i" : "x", a, n, true};
        uint64_t *rows = NULL, n_rows = 0, at = 0;
        assert_int_equal(hal_table_select(t, &c, 1, &rows, &n_rows, NULL), HAL_OK);
        for (uint64_t r = 0; r < hal_table_rows(t); r++) {
            bool any = false, positives = false, denied = false;
            for (size_t k = 0; k < n; k++) {
                bool hit = !hal_table_is_null(t, !ints, r) &&
                           (ints ? hal_table_int64(t, 0, r) >= a[k].min.i &&
                                       hal_table_int64(t, 0, r) <= a[k].max.i
                                 : hal_table_float64(t, 1, r) >= a[k].min.d &&
                                       hal_table_float64(t, 1, r) <= a[k].max.d);
                positives |= !a[k].negated;
                any |= hit && !a[k].negated;
                denied |= hit && a[k].negated;
            }
            if ((any || !positives) && !denied) {
                assert_true(at < n_rows);
                assert_int_equal(rows[at++], r);
            }
        }
        assert_int_equal(at, n_rows);
        hal_free(rows);
    }
    hal_table_unref(t);
}

static void bounds_at_the_ends_of_64_bits_are_exact(void **state)
{
    (void)state;
    static const hal_field field = {
        .name = "i", .type = HAL_TYPE_INT64, .unit = "", .ucd = "", .description = ""};
    static const int64_t values[] = {INT64_MIN, INT64_MIN + 1, -1, 0, INT64_MAX - 1, INT64_MAX};
    static const struct {
        const char *criterion;
        uint64_t n;
    } cases[] = {{">9223372036854775806", 1},
                 {">9223372036854775807", 0},
                 {"<-9223372036854775808", 0},
                 {"<=-9223372036854775808", 1},
                 {"-1e30..1e30", 6},
                 {">1e30", 0},
                 {"<1e30", 6},
                 {">=9223372036854775807", 1},
                 {"-0.5..0.5", 1},
                 {">-0.5", 3},
                 {">-1.5", 4}};
    hal_builder *b = hal_builder_new(&field, 1, NULL);
    for (size_t k = 0; k < 6; k++) {
        assert_int_equal(hal_builder_int64(b, 0, values[k], NULL), HAL_OK);
        assert_int_equal(hal_builder_end_row(b, NULL), HAL_OK);
    }
    hal_table *t = hal_builder_finish(b, NULL);
    hal_builder_free(b);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        hal_alternative a = {.is_text = true, .text = hal_slice_of(cases[k].criterion)};
        hal_criterion c = {"i", &a, 1, false};
        uint64_t *rows = NULL, n_rows = 99;
        assert_int_equal(hal_table_select(t, &c, 1, &rows, &n_rows, NULL), HAL_OK);
        assert_int_equal(n_rows, cases[k].n);
        hal_free(rows);
    }
    hal_table_unref(t);
}

static void running_out_of_memory_is_an_error(void **state)
{
    (void)state;
    hal_table *t = numbers(50, 3);
    hal_alternative text[] = {{.is_text = true, .text = hal_slice_of("t1*")},
                              {.is_text = true, .text = hal_slice_of("!T11")}};
    hal_alternative range = {.is_text = true, .text = hal_slice_of("-5..5")};
    hal_criterion c[] = {{"s", text, 2, true}, {"x", &range, 1, false}};
    size_t n_made, n = 0;
    do {
        hal_alloc_fail_at(++n);
        hal_err err = HAL_ERR_INIT;
        uint64_t *rows = NULL, n_rows = 0;
        hal_status st = hal_table_select(t, c, 2, &rows, &n_rows, &err);
        hal_free(rows);
        n_made = hal_alloc_fail_at(0);
        assert_int_equal(st, n_made < n ? HAL_OK : HAL_E_NOMEM);
        assert_int_equal(err.status, st);
    } while (n_made >= n);
    assert_true(n > 20);
    hal_table_unref(t);
}

static void names_that_are_near_are_suggested(void **state)
{
    (void)state;
    hal_table *t = numbers(1, 4);
    hal_err err = HAL_ERR_INIT;
    size_t i_col;
    assert_int_equal(hal_table_require(t, "X", &i_col, &err), HAL_OK);
    assert_int_equal(i_col, 1);
    assert_int_equal(hal_table_require(t, "ss", &i_col, &err), HAL_E_USAGE);
    assert_non_null(strstr(err.text, "nearest: \"s\""));
    char huge[5000];
    memset(huge, 'q', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    assert_int_equal(hal_table_require(t, huge, &i_col, &err), HAL_E_USAGE);
    hal_table_unref(t);
}

static hal_table *named(const hal_field *fields, size_t n)
{
    hal_builder *b = hal_builder_new(fields, n, NULL);
    hal_table *t = hal_builder_finish(b, NULL);
    hal_builder_free(b);
    assert_non_null(t);
    return t;
}

static void a_column_is_meant_by_name_then_id_then_letters_then_ucd(void **state)
{
    (void)state;
    static const hal_field fields[] = {
        {.name = "RA", .type = HAL_TYPE_FLOAT64, .id = "col1", .ucd = "pos.eq.ra;meta.main"},
        {.name = "ra", .type = HAL_TYPE_FLOAT64, .id = "RA", .ucd = "pos.eq.ra"},
        {.name = "col1", .type = HAL_TYPE_FLOAT64, .id = "dec", .ucd = "phot.mag"},
        {.name = "Flux", .type = HAL_TYPE_FLOAT64, .id = "f", .ucd = "phot.mag"},
    };
    static const struct {
        const char *name;
        int i_col;
    } meant[] = {
        {"RA", 0},   {"ra", 1},
        {"col1", 2}, {"dec", 2},
        {"f", 3},    {"flux", 3},
        {"COL1", 2}, {"POS.eq.ra;meta.MAIN", 0},
        {"F", -1},   {"", HAL_COLUMN_ABSENT},
        {"Ra", -2},  {"phot.mag", HAL_COLUMN_AMBIGUOUS},
    };
    hal_table *t = named(fields, 4);
    for (size_t i = 0; i < sizeof meant / sizeof *meant; i++)
        assert_int_equal(hal_table_find(t, meant[i].name), meant[i].i_col);
    size_t i_col = 7;
    hal_err err = HAL_ERR_INIT;
    assert_int_equal(hal_table_require(t, "Ra", &i_col, &err), HAL_E_USAGE);
    assert_string_equal(err.text,
                        "\"Ra\" fits several columns by its letters: \"RA\", \"ra\"; name one "
                        "exactly");
    assert_int_equal(hal_table_require(t, "PHOT.MAG", &i_col, &err), HAL_E_USAGE);
    assert_string_equal(err.text, "\"PHOT.MAG\" fits several columns by UCD: \"col1\", \"Flux\"; "
                                  "name one exactly");
    assert_int_equal(i_col, 7);
    hal_table_unref(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_select_what_comparing_each_selects),
        cmocka_unit_test(bounds_at_the_ends_of_64_bits_are_exact),
        cmocka_unit_test(running_out_of_memory_is_an_error),
        cmocka_unit_test(names_that_are_near_are_suggested),
        cmocka_unit_test(a_column_is_meant_by_name_then_id_then_letters_then_ucd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
