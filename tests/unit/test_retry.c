/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <curl/curl.h>

static void delays_double_to_the_cap_with_full_jitter(void **state)
{
    (void)state;
    static const int64_t most[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    for (int i = 0; i < 8; i++) {
        assert_int_equal(hal_retry_delay_ms(i, 1000, 60000, 0), 0);
        assert_int_equal(hal_retry_delay_ms(i, 1000, 60000, UINT32_MAX), most[i]);
        assert_in_range(hal_retry_delay_ms(i, 1000, 60000, UINT32_MAX / 2), most[i] / 2 - 1,
                        most[i] / 2);
    }
    assert_int_equal(hal_retry_delay_ms(1000000, 1, INT64_MAX / 2, UINT32_MAX) > 0, 1);
    assert_int_equal(hal_retry_delay_ms(3, 0, 60000, UINT32_MAX), 0);
}

static void polls_slow_down_unless_the_server_held_them(void **state)
{
    (void)state;
    assert_int_equal(hal_poll_delay_ms(0, 10, 1000, 30000), 1000);
    assert_int_equal(hal_poll_delay_ms(4, 10, 1000, 30000), 16000);
    assert_int_equal(hal_poll_delay_ms(5, 999, 1000, 30000), 30000);
    assert_int_equal(hal_poll_delay_ms(500, 10, 1000, 30000), 30000);
    assert_int_equal(hal_poll_delay_ms(5, 1000, 1000, 30000), 0);
}

static void resets_are_told_from_failed_connections(void **state)
{
    (void)state;
    static const int resets[] = {CURLE_GOT_NOTHING, CURLE_RECV_ERROR, CURLE_PARTIAL_FILE,
                                 CURLE_HTTP2_STREAM, CURLE_HTTP2};
    static const int others[] = {CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT,
                                 CURLE_SSL_CONNECT_ERROR, CURLE_OPERATION_TIMEDOUT};
    for (int i = 0; i < 5; i++) {
        hal_fault f = hal_fault_of_transfer(resets[i], false);
        assert_true(f.reset && f.retryable);
        assert_int_equal(f.status, HAL_E_NETWORK);
    }
    for (int i = 0; i < 4; i++) {
        hal_fault f = hal_fault_of_transfer(others[i], false);
        assert_true(!f.reset && f.retryable);
        assert_int_equal(f.status, HAL_E_NETWORK);
    }
}

static void a_name_that_is_not_found_is_tried_once_more_after_a_while(void **state)
{
    (void)state;
    hal_fault f = hal_fault_of_transfer(CURLE_COULDNT_RESOLVE_HOST, false);
    assert_int_equal(f.tries_max, 2);
    assert_int_equal(f.delay_base, 5);
}

static void a_bad_certificate_is_final(void **state)
{
    (void)state;
    assert_false(hal_fault_of_transfer(CURLE_PEER_FAILED_VERIFICATION, false).retryable);
}

static void out_of_memory_inside_headers_means_a_header_too_long(void **state)
{
    (void)state;
    assert_int_equal(hal_fault_of_transfer(CURLE_OUT_OF_MEMORY, true).status, HAL_E_PROTOCOL);
    assert_int_equal(hal_fault_of_transfer(CURLE_OUT_OF_MEMORY, false).status, HAL_E_NOMEM);
}

static void statuses_follow_the_matrix(void **state)
{
    (void)state;
    static const struct {
        int http;
        hal_status status;
        bool retryable;
    } cases[] = {
        {408, HAL_E_ARCHIVE, true},     {500, HAL_E_ARCHIVE, true},
        {502, HAL_E_ARCHIVE, true},     {504, HAL_E_ARCHIVE, true},
        {429, HAL_E_BUSY, true},        {503, HAL_E_BUSY, true},
        {401, HAL_E_PERMISSION, false}, {403, HAL_E_PERMISSION, false},
        {404, HAL_E_NOT_FOUND, false},  {410, HAL_E_NOT_FOUND, false},
        {400, HAL_E_ARCHIVE, false},    {501, HAL_E_ARCHIVE, false},
        {413, HAL_E_ARCHIVE, false},    {304, HAL_E_PROTOCOL, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hal_fault f = hal_fault_of_status(cases[i].http, false);
        assert_int_equal(f.status, cases[i].status);
        assert_int_equal(f.retryable, cases[i].retryable);
        assert_int_equal(f.strained, f.status == HAL_E_BUSY);
    }
    assert_int_equal(hal_fault_of_status(413, true).status, HAL_E_BUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_double_to_the_cap_with_full_jitter),
        cmocka_unit_test(polls_slow_down_unless_the_server_held_them),
        cmocka_unit_test(resets_are_told_from_failed_connections),
        cmocka_unit_test(a_name_that_is_not_found_is_tried_once_more_after_a_while),
        cmocka_unit_test(a_bad_certificate_is_final),
        cmocka_unit_test(out_of_memory_inside_headers_means_a_header_too_long),
        cmocka_unit_test(statuses_follow_the_matrix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
