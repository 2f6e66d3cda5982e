/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/exchange.h"

#include "support/exchange_fixture.h"

static void one_try_means_one_request_and_a_reset_is_named(void **state)
{
    (void)state;
    asked a = {0};
    get(REPLIES({NULL, 0, RAW_RESET}, {OK_BODY}), once, &a, 0);
    assert_int_equal(a.outcome.err.status, HAL_E_NETWORK);
    assert_true(a.outcome.err.retryable);
    assert_true(a.outcome.reset_before_end);
    assert_int_equal(a.outcome.tries, 1);
    assert_int_equal(a.n_begin, 0);
}

/* libcurl would send it again by itself, at once and without a count. */
static void a_kept_connection_that_is_reset_costs_one_request_a_try(void **state)
{
    (void)state;
    static const raw_end ends[] = {RAW_RESET, RAW_CLOSE};
    for (size_t i = 0; i < 2; i++) {
        raw_server *server = raw_server_start(REPLIES({OK_BODY}, {NULL, 0, ends[i]}, {OK_BODY}));
        hal_loop *loop = new_loop();
        asked a = {0}, b = {0};
        ask(loop, &a, once, raw_server_port(server), "/a");
        run_until_done(loop, &a, 0);
        ask(loop, &b, once, raw_server_port(server), "/b");
        run_until_done(loop, &b, 0);
        assert_int_equal(b.outcome.err.status, HAL_E_NETWORK);
        assert_true(b.outcome.reset_before_end);
        assert_int_equal(raw_server_requests(server), 2);
        hal_buf_clear(&a.body);
        hal_loop_free(loop);
        raw_server_stop(server);
    }
}

static const raw_reply endings[] = {
    {NULL, 0, RAW_RESET}, /* N3 */
    {NULL, 0, RAW_CLOSE}, /* N3 */
    {"HTTP/1.1 200 OK\r\nContent-Le", 0, RAW_CLOSE},
    {"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nabc", 0, RAW_RESET},              /* N4 */
    {"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nabc", 0, RAW_CLOSE},              /* N9 */
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc", 0, RAW_CLOSE}, /* N12 */
};

static void every_early_end_is_a_reset_and_is_retried(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        asked a = {0};
        assert_int_equal(get(&endings[i], 1, once, &a, 0), 1);
        assert_int_equal(a.outcome.err.status, HAL_E_NETWORK);
        assert_true(a.outcome.reset_before_end);
        a = (asked){0};
        assert_int_equal(get(REPLIES(endings[i], endings[i], {OK_BODY}), plain, &a, 500), 3);
        assert_int_equal(a.outcome.err.status, HAL_OK);
        assert_false(a.outcome.reset_before_end);
        assert_int_equal(a.outcome.tries, 3);
        assert_int_equal(a.outcome.body_bytes, 5);
    }
}

/* N13 */
static void a_body_that_is_no_chunk_is_asked_for_once_more(void **state)
{
    (void)state;
    raw_reply bad = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc", 0,
                     RAW_CLOSE};
    asked a = {0};
    assert_int_equal(get(REPLIES(bad, {OK_BODY}), plain, &a, 500), 2);
    assert_int_equal(a.outcome.err.status, HAL_OK);
    a = (asked){0};
    assert_int_equal(get(REPLIES(bad), plain, &a, 500), 2);
    assert_int_equal(a.outcome.err.status, HAL_E_PROTOCOL);
    assert_string_equal(hal_err_fault(&a.outcome.err), "protocol");
    assert_int_equal(a.outcome.err.tries, 2);
}

static void a_request_that_is_not_repeatable_is_sent_once(void **state)
{
    (void)state;
    asked a = {0};
    hal_request r = {.method = "POST", .body = hal_slice_of("x"), .repeatable = false};
    assert_int_equal(get(REPLIES({NULL, 0, RAW_RESET}), r, &a, 0), 1);
    assert_int_equal(a.outcome.err.status, HAL_E_NETWORK);
}

static void contradicting_lengths_are_never_trusted(void **state)
{
    (void)state;
    asked a = {0};
    assert_int_equal(get(REPLIES({"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"
                                  "Content-Length: 5\r\n\r\nhello",
                                  0, RAW_CLOSE}),
                         plain, &a, 0),
                     1);
    assert_int_equal(a.outcome.err.status, HAL_E_PROTOCOL);
    assert_int_equal(a.n_begin, 0);
}

static void more_than_the_stated_length_is_left_unread(void **state)
{
    (void)state;
    asked a = {0};
    get(REPLIES({OK_BODY " and more", 0, RAW_CLOSE}), plain, &a, 0);
    assert_int_equal(a.outcome.err.status, HAL_OK);
    assert_int_equal(a.outcome.body_bytes, 5);
}

static void what_is_no_http_is_a_protocol_error_after_one_more_try(void **state)
{
    (void)state;
    asked a = {0};
    assert_int_equal(get(REPLIES({"SSH-2.0-OpenSSH\r\n", 0, RAW_CLOSE}), plain, &a, 500), 2);
    assert_int_equal(a.outcome.err.status, HAL_E_PROTOCOL);
    assert_false(a.outcome.reset_before_end);
}

static size_t put(char *out, const char *text)
{
    size_t n = strlen(text);
    memcpy(out, text, n);
    return n;
}

static void a_flood_of_headers_is_a_protocol_error(void **state)
{
    (void)state;
    enum { FLOOD = 400 * 1024 };
    char *text = malloc(FLOOD + 100);
    size_t n = put(text, "HTTP/1.1 200 OK\r\n");
    while (n < FLOOD)
        n += put(text + n, "X-Filler: 0123456789012345678901234567890123456789\r\n");
    asked a = {0};
    assert_int_equal(get(REPLIES({text, n, RAW_CLOSE}), plain, &a, 0), 1);
    assert_int_equal(a.outcome.err.status, HAL_E_PROTOCOL);
    memset(text + 17, 'x', FLOOD);
    text[20] = ':';
    a = (asked){0};
    assert_int_equal(get(REPLIES({text, FLOOD, RAW_CLOSE}), plain, &a, 0), 1);
    assert_int_equal(a.outcome.err.status, HAL_E_PROTOCOL);
    free(text);
}

static void a_failed_judgement_is_retried_only_if_it_may_pass(void **state)
{
    (void)state;
    asked a = {.judge_failed = HAL_E_NETWORK};
    assert_int_equal(get(REPLIES({OK_BODY}), plain, &a, 500), 5);
    assert_int_equal(a.outcome.err.status, HAL_E_NETWORK);
    a = (asked){.judge_failed = HAL_E_INTEGRITY};
    assert_int_equal(get(REPLIES({OK_BODY}), plain, &a, 0), 1);
    assert_int_equal(a.outcome.err.status, HAL_E_INTEGRITY);
}

static void server_errors_pass_and_then_the_answer_comes(void **state)
{
    (void)state;
    asked a = {0};
    raw_reply bad = {"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", 0, RAW_KEEP};
    assert_int_equal(get(REPLIES(bad, bad, bad, bad, {OK_BODY}), plain, &a, 500), 5);
    assert_int_equal(a.outcome.err.status, HAL_OK);
    a = (asked){0};
    assert_int_equal(get(REPLIES(bad), plain, &a, 500), 5);
    assert_int_equal(a.outcome.err.status, HAL_E_ARCHIVE);
    assert_string_equal(hal_err_fault(&a.outcome.err), "transient");
    assert_int_equal(a.outcome.err.tries, 5);
    assert_false(a.outcome.err.deferred);
    assert_true(a.outcome.err.retryable);
    assert_non_null(strstr(a.outcome.err.text, "502"));
}

static void each_refusal_has_its_own_code_and_the_servers_words(void **state)
{
    (void)state;
    static const struct {
        int http;
        hal_status status;
    } cases[] = {{400, HAL_E_ARCHIVE},   {401, HAL_E_PERMISSION}, {403, HAL_E_PERMISSION},
                 {404, HAL_E_NOT_FOUND}, {410, HAL_E_NOT_FOUND},  {413, HAL_E_ARCHIVE},
                 {304, HAL_E_PROTOCOL},  {501, HAL_E_ARCHIVE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        snprintf(text, sizeof text, "HTTP/1.1 %d Sorry\r\nConnection: close\r\n\r\n%s",
                 cases[i].http, "<html><title>Not\t<b>today</b></title>\x1b[31m</html>");
        asked a = {0};
        assert_int_equal(get(REPLIES({text, 0, RAW_CLOSE}), plain, &a, 0), 1);
        assert_int_equal(a.outcome.err.status, cases[i].status);
        assert_int_equal(a.outcome.err.http_status, cases[i].http);
        assert_false(a.outcome.err.retryable);
        if (cases[i].http != 304)
            assert_non_null(strstr(a.outcome.err.text, "Not today [31m"));
        assert_int_equal(a.n_begin, 0);
    }
}

static void an_error_answer_can_be_data(void **state)
{
    (void)state;
    asked a = {0};
    hal_request r = plain;
    r.error_bodies = true;
    raw_reply missing = {"HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\nnone", 0, RAW_KEEP};
    raw_reply broken = {"HTTP/1.1 500 No\r\nContent-Length: 3\r\n\r\nbad", 0, RAW_KEEP};
    assert_int_equal(get(REPLIES(broken, missing), r, &a, 500), 2);
    assert_int_equal(a.outcome.err.status, HAL_OK);
    assert_int_equal(a.status, 404);
    assert_int_equal(a.outcome.body_bytes, 4);
    a = (asked){0};
    assert_int_equal(get(REPLIES(broken), r, &a, 500), 5);
    assert_int_equal(a.outcome.err.status, HAL_OK);
    assert_int_equal(a.outcome.http_status, 500);
}

static void a_dead_archive_is_named_with_a_remedy(void **state)
{
    (void)state;
    raw_server *server = raw_server_start(REPLIES({OK_BODY}));
    int port = raw_server_port(server);
    raw_server_stop(server);
    hal_loop *loop = new_loop();
    asked a = {0};
    ask(loop, &a, plain, port, "/x");
    run_until_done(loop, &a, 500);
    char start[64];
    snprintf(start, sizeof start, "cannot connect to 127.0.0.1:%d: ", port);
    assert_int_equal(a.outcome.err.status, HAL_E_NETWORK);
    assert_ptr_equal(strstr(a.outcome.err.text, start), a.outcome.err.text);
    assert_non_null(strstr(a.outcome.err.text, "is the archive up? try again later"));
    assert_false(a.outcome.reset_before_end);
    assert_int_equal(a.outcome.tries, 5);
    hal_loop_free(loop);
    hal_buf_clear(&a.body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_try_means_one_request_and_a_reset_is_named),
        cmocka_unit_test(a_kept_connection_that_is_reset_costs_one_request_a_try),
        cmocka_unit_test(every_early_end_is_a_reset_and_is_retried),
        cmocka_unit_test(a_body_that_is_no_chunk_is_asked_for_once_more),
        cmocka_unit_test(a_request_that_is_not_repeatable_is_sent_once),
        cmocka_unit_test(contradicting_lengths_are_never_trusted),
        cmocka_unit_test(more_than_the_stated_length_is_left_unread),
        cmocka_unit_test(what_is_no_http_is_a_protocol_error_after_one_more_try),
        cmocka_unit_test(a_flood_of_headers_is_a_protocol_error),
        cmocka_unit_test(a_failed_judgement_is_retried_only_if_it_may_pass),
        cmocka_unit_test(server_errors_pass_and_then_the_answer_comes),
        cmocka_unit_test(each_refusal_has_its_own_code_and_the_servers_words),
        cmocka_unit_test(an_error_answer_can_be_data),
        cmocka_unit_test(a_dead_archive_is_named_with_a_remedy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
