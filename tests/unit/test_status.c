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

static void every_failure_of_a_transfer_has_its_class(void **state)
{
    (void)state;
    static const struct {
        hal_status status;
        int http_status;
        const char *fault;
    } cases[] = {
        {HAL_E_NETWORK, 0, "transient"},
        {HAL_E_TIMEOUT, 0, "transient"},
        {HAL_E_ARCHIVE, 400, "permanent"},
        {HAL_E_BUSY, 503, "busy"},
        {HAL_E_NOT_FOUND, 404, "permanent"},
        {HAL_E_PERMISSION, 401, "permanent"},
        {HAL_E_PERMISSION, 0, "limit"},
        {HAL_E_BUDGET, 0, "limit"},
        {HAL_E_PROTOCOL, 200, "protocol"},
        {HAL_E_INTEGRITY, 200, "integrity"},
        {HAL_E_TRUNCATED, 200, "integrity"},
        {HAL_E_IO, 0, "local"},
        {HAL_E_NOMEM, 0, "local"},
        {HAL_E_CANCELLED, 0, ""},
        {HAL_E_USAGE, 0, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hal_err err = HAL_ERR_INIT;
        hal_err_set(&err, cases[i].status, "x");
        err.http_status = cases[i].http_status;
        assert_string_equal(hal_err_fault(&err), cases[i].fault);
    }
    hal_err err = HAL_ERR_INIT;
    hal_err_set(&err, HAL_E_NETWORK, "x");
    err.retryable = false; /* a certificate */
    assert_string_equal(hal_err_fault(&err), "permanent");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_map_back_to_their_codes),
        cmocka_unit_test(a_note_keeps_the_code_and_adds_context),
        cmocka_unit_test(every_failure_of_a_transfer_has_its_class),
        cmocka_unit_test(a_null_record_is_accepted_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
