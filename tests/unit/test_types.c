/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/spool.h"
#include "data/types.h"
#include "every_type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void timestamps_read_as_they_are_printed(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {{0, "1970-01-01T00:00:00Z"},
                 {-1, "1969-12-31T23:59:59.999999Z"},
                 {INT64_C(951782400000000), "2000-02-29T00:00:00Z"},
                 {INT64_C(253402300799500000), "9999-12-31T23:59:59.5Z"},
                 {INT64_C(-62167219200000000), "0000-01-01T00:00:00Z"},
                 {INT64_C(253402300800000000), "+010000-01-01T00:00:00Z"},
                 {INT64_MAX, "+294247-01-10T04:00:54.775807Z"},
                 {INT64_MIN, "-290308-12-21T19:59:05.224192Z"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[HAL_TIMESTAMP_TEXT_MAX + 1] = {0};
        text[hal_timestamp_print(text, cases[i].us)] = 0;
        assert_string_equal(text, cases[i].text);
        int64_t us = 1;
        assert_true(hal_timestamp_read(hal_slice_of(text), &us));
        assert_true(us == cases[i].us);
    }
    static const char *const bad[] = {
        "",           "2000-02-30",           "1900-02-29",
        "2000-13-01", "2000-01-01T24:00:00Z", "2000-01-01T00:00",
        "2000-1-1",   "2000-01-01T00:00:00.", "2000-01-01T00:00:00.1234567Z"};
    int64_t us;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(hal_timestamp_read(hal_slice_of(bad[i]), &us));
}

static void types_unite_to_the_narrowest_that_holds_both(void **state)
{
    (void)state;
    static const hal_type cases[][3] = {
        {HAL_TYPE_UINT8, HAL_TYPE_INT16, HAL_TYPE_INT16},
        {HAL_TYPE_INT32, HAL_TYPE_INT64, HAL_TYPE_INT64},
        {HAL_TYPE_INT16, HAL_TYPE_FLOAT32, HAL_TYPE_FLOAT32},
        {HAL_TYPE_INT32, HAL_TYPE_FLOAT32, HAL_TYPE_FLOAT64},
        {HAL_TYPE_FLOAT32, HAL_TYPE_FLOAT64, HAL_TYPE_FLOAT64},
        {HAL_TYPE_COMPLEX64, HAL_TYPE_COMPLEX128, HAL_TYPE_COMPLEX128},
        {HAL_TYPE_COMPLEX64, HAL_TYPE_FLOAT64, HAL_TYPE_STRING},
        {HAL_TYPE_TIMESTAMP, HAL_TYPE_INT64, HAL_TYPE_STRING},
        {HAL_TYPE_BOOL, HAL_TYPE_UINT8, HAL_TYPE_STRING}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(hal_type_unite(cases[i][0], cases[i][1]), cases[i][2]);
        assert_int_equal(hal_type_unite(cases[i][1], cases[i][0]), cases[i][2]);
    }
    assert_int_equal(hal_width_unite(3, 3), 3);
    assert_int_equal(hal_width_unite(3, 4), HAL_WIDTH_VARIABLE);
}

static void a_spool_keeps_every_type(void **state)
{
    (void)state;
    char path[] = "/tmp/halyard-types-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    hal_table *t = every_table(30, NULL), *back = NULL;
    uint64_t key[30];
    for (uint64_t i = 0; i < 30; i++)
        key[i] = i;
    assert_int_equal(hal_spool_write(path, t, key, -1, NULL, NULL), HAL_OK);
    const char *const spools[] = {path};
    hal_merge_report report;
    assert_int_equal(hal_spool_merge(spools, 1, NULL, NULL, NULL, HAL_FORMAT_AUTO, &back, NULL,
                                     NULL, &report, NULL),
                     HAL_OK);
    assert_true(same_rows(t, 0, 30, back));
    assert_int_equal(hal_spool_write(path, t, key, EVERY_SCALARS, NULL, NULL), HAL_E_USAGE);
    unlink(path);
    hal_table_unref(back);
    hal_table_unref(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timestamps_read_as_they_are_printed),
        cmocka_unit_test(types_unite_to_the_narrowest_that_holds_both),
        cmocka_unit_test(a_spool_keeps_every_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
