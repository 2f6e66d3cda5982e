/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void names_map_back_to_their_codes(void **state)
{
    (void)state;
    for (int i = 0; i < HAL_STATUS_COUNT; i++)
        assert_int_equal(hal_status_from_name(hal_status_name((hal_status)i)), i);
    assert_int_equal(hal_status_from_name("no such"), HAL_STATUS_COUNT);
}

static void a_note_keeps_the_code_and_adds_context(void **state)
{
    (void)state;
    hal_err err = HAL_ERR_INIT;
    hal_status st = hal_err_set(&err, HAL_E_TRUNCATED, "%d rows", 7);
    st = hal_err_note(&err, st, "cone search");
    assert_int_equal(st, HAL_E_TRUNCATED);
    assert_string_equal(err.text, "cone search: 7 rows");
    assert_int_equal(hal_status_exit_code(st), 7);
}

static void a_null_record_is_accepted_everywhere(void **state)
{
    (void)state;
    assert_int_equal(hal_err_set(NULL, HAL_E_IO, "x"), HAL_E_IO);
    assert_int_equal(hal_err_note(NULL, HAL_E_IO, "x"), HAL_E_IO);
    assert_int_equal(hal_err_nomem(NULL, 3), HAL_E_NOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_map_back_to_their_codes),
        cmocka_unit_test(a_note_keeps_the_code_and_adds_context),
        cmocka_unit_test(a_null_record_is_accepted_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
