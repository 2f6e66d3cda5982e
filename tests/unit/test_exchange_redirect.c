/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/exchange.h"

#include "support/exchange_fixture.h"

static void a_redirect_is_followed_and_only_303_and_older_drop_the_body(void **state)
{
    (void)state;
    static const int codes[] = {301, 302, 303, 307, 308};
    for (size_t i = 0; i < 5; i++) {
        char text[200];
        snprintf(text, sizeof text,
                 "HTTP/1.1 %d Over\r\nLocation: ../new place?q=1\r\nContent-Length: 0\r\n\r\n",
                 codes[i]);
        raw_server *server = raw_server_start(REPLIES({text}, {OK_BODY}));
        hal_loop *loop = new_loop();
        asked a = {0};
        hal_request r = {.method = "POST", .body = hal_slice_of("q=1")};
        ask(loop, &a, r, raw_server_port(server), "/old/x");
        run_until_done(loop, &a, 0);
        assert_string_equal(a.outcome.err.text, "");
        const char *second = raw_server_request(server, 1);
        assert_non_null(
            strstr(second, codes[i] <= 303 ? "GET /new%20place?q=1 " : "POST /new%20place?q=1 "));
        assert_non_null(strstr(a.outcome.url, "/new%20place?q=1"));
        hal_loop_free(loop);
        raw_server_stop(server);
        hal_buf_clear(&a.body);
    }
}

static void a_redirect_loop_ends_with_its_chain(void **state)
{
    (void)state;
    asked a = {0};
    assert_int_equal(
        get(REPLIES({"HTTP/1.1 302 Round\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"}), plain,
            &a, 0),
        11);
    assert_string_equal(hal_err_fault(&a.outcome.err), "permanent");
    assert_non_null(strstr(a.outcome.err.text, "/again -> /again"));
}

static bool only_loopback(void *ctx, const char *host, int port, hal_err *why)
{
    (void)ctx;
    (void)port;
    (void)why;
    return !strcmp(host, "127.0.0.1");
}

static void a_redirect_goes_only_where_the_guard_lets_it(void **state)
{
    (void)state;
    static const char *const places[] = {"http://evil.example/x", "file:///etc/passwd",
                                         "ftp://127.0.0.1/x"};
    for (size_t i = 0; i < 3; i++) {
        char text[200];
        snprintf(text, sizeof text,
                 "HTTP/1.1 302 Away\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", places[i]);
        raw_server *server = raw_server_start(REPLIES({text}));
        hal_loop *loop = new_loop();
        hal_loop_guard(loop, only_loopback, true, NULL);
        asked a = {0};
        ask(loop, &a, plain, raw_server_port(server), "/x");
        run_until_done(loop, &a, 0);
        assert_int_equal(a.outcome.err.status, HAL_E_PERMISSION);
        assert_int_equal(raw_server_requests(server), 1);
        if (i == 0)
            assert_non_null(strstr(a.outcome.err.text, "evil.example"));
        hal_loop_free(loop);
        raw_server_stop(server);
        hal_buf_clear(&a.body);
    }
}

static void private_addresses_need_a_grant(void **state)
{
    (void)state;
    raw_server *server = raw_server_start(REPLIES({OK_BODY}));
    hal_loop *loop = new_loop();
    hal_loop_guard(loop, NULL, false, NULL);
    asked a = {0};
    ask(loop, &a, plain, raw_server_port(server), "/x");
    run_until_done(loop, &a, 0);
    assert_int_equal(a.outcome.err.status, HAL_E_PERMISSION);
    assert_int_equal(raw_server_connections(server), 0);
    hal_loop_free(loop);
    raw_server_stop(server);
    hal_buf_clear(&a.body);
}

static void bad_requests_are_refused_at_the_start(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        hal_status status;
    } cases[] = {{"file:///etc/passwd", HAL_E_PERMISSION},
                 {"ftp://x/", HAL_E_PERMISSION},
                 {"http://u:p@x/", HAL_E_USAGE},
                 {"http://x/\r\nEvil: 1", HAL_E_USAGE},
                 {"http://x\\@y/", HAL_E_USAGE},
                 {"nonsense", HAL_E_USAGE},
                 {"", HAL_E_USAGE}};
    hal_loop *loop = new_loop();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hal_err err = HAL_ERR_INIT;
        hal_request r = {.url = cases[i].url};
        assert_null(hal_exchange_start(loop, &r, NULL, on_done, NULL, &err));
        assert_int_equal(err.status, cases[i].status);
    }
    hal_header h = {"Range", "bytes=0-"};
    hal_request r = {.url = "http://x/", .headers = &h, .n_headers = 1};
    assert_null(hal_exchange_start(loop, &r, NULL, on_done, NULL, NULL));
    assert_false(hal_loop_is_busy(loop));
    hal_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_redirect_is_followed_and_only_303_and_older_drop_the_body),
        cmocka_unit_test(a_redirect_loop_ends_with_its_chain),
        cmocka_unit_test(a_redirect_goes_only_where_the_guard_lets_it),
        cmocka_unit_test(private_addresses_need_a_grant),
        cmocka_unit_test(bad_requests_are_refused_at_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
