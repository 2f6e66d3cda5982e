/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/exchange.h"

#include "support/exchange_fixture.h"

#include <sched.h>

static void retry_after_pauses_the_whole_host(void **state)
{
    (void)state;
    raw_server *server = raw_server_start(
        REPLIES({"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"}, {OK_BODY}));
    hal_loop *loop = new_loop();
    asked a = {0}, b = {0};
    int port = raw_server_port(server);
    ask(loop, &a, plain, port, "/a");
    while (raw_server_requests(server) < 1 || hal_loop_stats(loop).in_flight)
        assert_int_equal(hal_loop_step(loop, 5, NULL), HAL_OK);
    ask(loop, &b, plain, port, "/b");
    run_until_done(loop, &a, 100);
    run_until_done(loop, &b, 100);
    assert_int_equal(a.outcome.err.status, HAL_OK);
    assert_int_equal(b.outcome.err.status, HAL_OK);
    assert_true(a.outcome.elapsed_ns >= 7 * HAL_NS_PER_S);
    assert_true(b.outcome.elapsed_ns >= 6900 * HAL_NS_PER_MS);
    hal_loop_free(loop);
    raw_server_stop(server);
    hal_buf_clear(&a.body);
    hal_buf_clear(&b.body);
}

static void a_wait_of_years_is_reported_not_waited_for(void **state)
{
    (void)state;
    raw_server *server = raw_server_start(
        REPLIES({"HTTP/1.1 503 No\r\nRetry-After: 315360000\r\nContent-Length: 0\r\n\r\n"}));
    hal_loop *loop = new_loop();
    asked a = {0}, b = {0};
    ask(loop, &a, plain, raw_server_port(server), "/a");
    run_until_done(loop, &a, 0);
    assert_int_equal(a.outcome.err.status, HAL_E_BUSY);
    assert_true(a.outcome.err.retry_after_s == 315360000.0);
    assert_true(a.outcome.err.deferred);
    assert_non_null(
        strstr(a.outcome.err.text, "it asks to wait 315360000 s, longer than the 900 s"));
    ask(loop, &b, plain, raw_server_port(server), "/b"); /* of the whole host */
    run_until_done(loop, &b, 0);
    assert_string_equal(hal_err_fault(&b.outcome.err), "busy");
    assert_true(b.outcome.err.deferred);
    assert_true(b.outcome.err.retry_after_s == 315360000.0);
    assert_int_equal(raw_server_requests(server), 1);
    hal_loop_free(loop);
    raw_server_stop(server);
}

/* N34: the server's clock is years off, its own Date says so, in whatever order they come. */
static void a_date_to_wait_for_is_measured_by_the_servers_clock(void **state)
{
    (void)state;
    asked a = {0};
    get(REPLIES({"HTTP/1.1 429 Slow\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                 "Date: Sun, 06 Nov 1994 08:49:00 GMT\r\nContent-Length: 0\r\n\r\n"}),
        once, &a, 0);
    assert_int_equal(a.outcome.err.status, HAL_E_BUSY);
    assert_true(a.outcome.err.retry_after_s == 37.0);
}

enum { MANY = 24, WINDOW = 3 };

/* Answers only when a whole window of requests is there: fewer at once would never end. */
static raw_reply when_window_is_full(void *ctx, int i, const char *request)
{
    raw_server **server = ctx;
    (void)request;
    while (raw_server_requests(*server) < (i / WINDOW + 1) * WINDOW)
        sched_yield();
    return (raw_reply){OK_BODY};
}

static void a_host_never_sees_more_requests_at_once_than_its_window(void **state)
{
    (void)state;
    raw_server *server = NULL;
    server = raw_server_start_with(when_window_is_full, &server);
    hal_loop *loops[2] = {new_loop(), new_loop()}; /* the window is the process's */
    char host[64];
    snprintf(host, sizeof host, "127.0.0.1:%d", raw_server_port(server));
    assert_int_equal(hal_host_limit(loops[0], host, WINDOW, 0, NULL), HAL_OK);
    asked many[MANY] = {0};
    for (int i = 0; i < MANY; i++)
        ask(loops[i % 2], &many[i], plain, raw_server_port(server), "/x");
    for (int i = 0; i < MANY; i++)
        while (!many[i].n_done)
            for (int k = 0; k < 2; k++)
                assert_int_equal(hal_loop_step(loops[k], 1, NULL), HAL_OK);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(many[i].outcome.err.status, HAL_OK);
        hal_buf_clear(&many[i].body);
    }
    assert_int_equal(raw_server_most_at_once(server), WINDOW);
    assert_true(raw_server_connections(server) <= 2 * WINDOW); /* reused */
    hal_loop_free(loops[0]);
    hal_loop_free(loops[1]);
    raw_server_stop(server);
}

enum { FAULTY = 30, FAULTY_WINDOW = 3, PACE_MS = 10, ARRIVALS_MAX = 200 };
static int64_t arrivals[ARRIVALS_MAX];

/* Every fourth answer fails, each time in another way. */
static raw_reply in_every_way(void *ctx, int i, const char *request)
{
    static const raw_reply ways[] = {
        {NULL, 0, RAW_RESET},
        {"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", 0, RAW_KEEP},
        {"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nabc", 0, RAW_CLOSE},
        {"HTTP/1.1 429 Slow\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n", 0, RAW_KEEP},
        {"HTTP/1.1 302 On\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n", 0, RAW_KEEP},
        {"HTTP/1.1 202 Later\r\nContent-Length: 0\r\n\r\n", 0, RAW_KEEP},
        {NULL, 0, RAW_CLOSE},
    };
    const hal_clock *clock = ctx;
    (void)request;
    if (i < ARRIVALS_MAX)
        arrivals[i] = hal_clock_now_ns(clock);
    return i % 4 == 1 ? ways[i / 4 % (sizeof ways / sizeof *ways)]
                      : (raw_reply){OK_BODY, 0, RAW_KEEP};
}

static void under_every_fault_the_window_and_the_pace_hold(void **state)
{
    (void)state;
    hal_clock clock = hal_clock_system();
    raw_server *server = raw_server_start_with(in_every_way, &clock);
    hal_loop *loop = hal_loop_new(&clock, NULL);
    assert_non_null(loop);
    hal_loop_guard(loop, NULL, true, NULL);
    hal_loop_set_waits(loop, &(hal_waits){1, 4, 1, 4, 0, 0});
    char host[64];
    snprintf(host, sizeof host, "127.0.0.1:%d", raw_server_port(server));
    assert_int_equal(hal_host_limit(loop, host, FAULTY_WINDOW, PACE_MS, NULL), HAL_OK);
    asked many[FAULTY] = {0};
    for (int i = 0; i < FAULTY; i++)
        ask(loop, &many[i], plain, raw_server_port(server), "/x");
    for (int i = 0; i < FAULTY; i++) {
        while (!many[i].n_done)
            assert_int_equal(hal_loop_step(loop, 50, NULL), HAL_OK);
        assert_string_equal(many[i].outcome.err.text, "");
        hal_buf_clear(&many[i].body);
    }
    int n = raw_server_requests(server);
    assert_in_range(n, FAULTY + 8, ARRIVALS_MAX);
    assert_in_range(raw_server_most_at_once(server), 1, FAULTY_WINDOW);
    hal_loop_free(loop);
    raw_server_stop(server);    /* its threads have ended: `arrivals` is whole */
    for (int i = 1; i < n; i++) /* the first may have been seen late */
        assert_true(arrivals[i] - arrivals[0] >= (i * PACE_MS - 100) * HAL_NS_PER_MS);
}

/* N25: a burst of server errors costs a bounded number of requests, and so does a dead service. */
static void a_dying_host_is_not_hammered(void **state)
{
    (void)state;
    enum { ITEMS = 40 };
    raw_reply bad = {"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", 0, RAW_KEEP};
    raw_server *server = raw_server_start(&bad, 1);
    hal_loop *loop = new_loop();
    asked many[ITEMS] = {0};
    for (int i = 0; i < ITEMS; i++)
        ask(loop, &many[i], plain, raw_server_port(server), "/x");
    for (int i = 0; i < ITEMS; i++)
        run_until_done(loop, &many[i], 500);
    for (int i = 0; i < ITEMS; i++)
        assert_int_equal(many[i].outcome.err.status, HAL_E_ARCHIVE);
    assert_true(raw_server_requests(server) <= ITEMS + 25);
    hal_loop_free(loop);
    raw_server_stop(server);
}

/* N25: the burst ends before the quota does, and everything arrives. */
static void a_burst_of_server_errors_passes(void **state)
{
    (void)state;
    enum { ITEMS = 30, BURST = 20 };
    raw_reply replies[BURST + 1];
    for (int i = 0; i < BURST; i++)
        replies[i] = (raw_reply){"HTTP/1.1 502 Oh\r\nContent-Length: 0\r\n\r\n", 0, RAW_KEEP};
    replies[BURST] = (raw_reply){OK_BODY, 0, RAW_KEEP};
    raw_server *server = raw_server_start(replies, BURST + 1);
    hal_loop *loop = new_loop();
    asked many[ITEMS] = {0};
    for (int i = 0; i < ITEMS; i++)
        ask(loop, &many[i], plain, raw_server_port(server), "/x");
    for (int i = 0; i < ITEMS; i++) {
        run_until_done(loop, &many[i], 500);
        assert_int_equal(many[i].outcome.err.status, HAL_OK);
        hal_buf_clear(&many[i].body);
    }
    assert_int_equal(raw_server_requests(server), ITEMS + BURST);
    hal_loop_free(loop);
    raw_server_stop(server);
}

static void a_host_that_is_down_defers_the_rest_and_is_tried_again_later(void **state)
{
    (void)state;
    enum { ITEMS = 10, QUOTA_RETRIES = 20, REPLIES_N = ITEMS + QUOTA_RETRIES + 1 };
    raw_reply replies[REPLIES_N];
    for (int i = 0; i < REPLIES_N; i++)
        replies[i] = (raw_reply){"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", 0, RAW_KEEP};
    raw_server *server = raw_server_start(replies, REPLIES_N);
    hal_loop *loop = new_loop();
    int port = raw_server_port(server), n_deferred = 0;
    asked first[ITEMS] = {0}, rest[ITEMS] = {0}, later = {0};
    for (int i = 0; i < ITEMS; i++)
        ask(loop, &first[i], plain, port, "/x");
    for (int i = 0; i < ITEMS; i++) {
        run_until_done(loop, &first[i], 500);
        assert_int_equal(first[i].outcome.err.status, HAL_E_ARCHIVE);
        assert_in_range(first[i].outcome.err.tries, 1, 5);
        n_deferred += first[i].outcome.err.deferred;
    }
    int n = raw_server_requests(server);
    assert_true(n_deferred > 0);
    assert_true(n <= ITEMS + QUOTA_RETRIES);
    for (int i = 0; i < ITEMS; i++)
        ask(loop, &rest[i], plain, port, "/x");
    for (int i = 0; i < ITEMS; i++) {
        run_until_done(loop, &rest[i], 0);
        const hal_err *err = &rest[i].outcome.err;
        assert_string_equal(hal_err_fault(err), "transient");
        assert_true(err->deferred);
        assert_int_equal(err->tries, 0);
        assert_non_null(strstr(err->text, "is left alone for 60 s since it failed too often"));
        assert_non_null(strstr(err->text, "HTTP 500"));
    }
    assert_int_equal(raw_server_requests(server), n);
    for (int i = n; i < REPLIES_N; i++)
        replies[i] = (raw_reply){OK_BODY, 0, RAW_KEEP};
    now_ns += 61 * HAL_NS_PER_S;
    ask(loop, &later, plain, port, "/x");
    run_until_done(loop, &later, 0);
    assert_int_equal(later.outcome.err.status, HAL_OK);
    hal_buf_clear(&later.body);
    hal_loop_free(loop);
    raw_server_stop(server);
}

static void ask_url(hal_loop *loop, asked *a, const char *url)
{
    hal_request r = {.url = url, .repeatable = true};
    hal_sink sink = {on_begin, on_write, on_end, a};
    hal_buf_init(&a->body, 1 << 16);
    a->x = hal_exchange_start(loop, &r, &sink, on_done, a, NULL);
    assert_non_null(a->x);
}

/* N1 */
static void an_unknown_host_is_looked_up_twice_and_then_left_while_others_go_on(void **state)
{
    (void)state;
    raw_server *server = raw_server_start(REPLIES({OK_BODY}));
    hal_loop *loop = new_loop();
    asked first = {0}, second = {0}, other = {0};
    ask_url(loop, &first, "http://no-such-archive.invalid/x");
    run_until_done(loop, &first, 500);
    const hal_err *err = &first.outcome.err;
    assert_int_equal(err->status, HAL_E_NETWORK);
    assert_string_equal(err->text, "cannot find host no-such-archive.invalid; check the network or "
                                   "the address (tried 2 times)");
    assert_string_equal(hal_err_fault(err), "permanent");
    assert_int_equal(err->tries, 2);
    assert_true(first.outcome.elapsed_ns >= 5 * HAL_NS_PER_S);
    ask_url(loop, &second, "http://no-such-archive.invalid/y");
    ask(loop, &other, plain, raw_server_port(server), "/x");
    run_until_done(loop, &second, 0);
    assert_string_equal(hal_err_fault(&second.outcome.err), "permanent");
    assert_int_equal(second.outcome.err.tries, 0);
    assert_true(second.outcome.elapsed_ns < HAL_NS_PER_S);
    run_until_done(loop, &other, 0);
    assert_int_equal(other.outcome.err.status, HAL_OK);
    hal_buf_clear(&other.body);
    hal_loop_free(loop);
    raw_server_stop(server);
}

/* N24: how long each form of Retry-After makes a host wait, at least and (with jitter) at most. */
static void every_form_of_retry_after_is_obeyed_or_ignored(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        double at_least_s, at_most_s;
    } cases[] = {{"7", 7, 9},
                 {"Tue, 14 Nov 2023 22:13:30 GMT", 10, 12}, /* the test's clock says 22:13:20 */
                 {"Tue, 14 Nov 2023 22:13:00 GMT", 0, 2},
                 {"-5", 0, 2},
                 {"soon", 0, 2},
                 {"0", 0, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        snprintf(text, sizeof text,
                 "HTTP/1.1 %d Slow\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n",
                 i % 2 ? 503 : 429, cases[i].value);
        asked a = {0};
        assert_int_equal(get(REPLIES({text}, {OK_BODY}), plain, &a, 100), 2);
        double s = (double)a.outcome.elapsed_ns / (double)HAL_NS_PER_S;
        assert_int_equal(a.outcome.err.status, HAL_OK);
        assert_true(s >= cases[i].at_least_s && s <= cases[i].at_most_s);
    }
}

static void a_longer_wait_can_be_allowed(void **state)
{
    (void)state;
    raw_server *server = raw_server_start(
        REPLIES({"HTTP/1.1 503 No\r\nRetry-After: 1200\r\nContent-Length: 0\r\n\r\n"}, {OK_BODY}));
    hal_loop *loop = new_loop();
    hal_loop_set_waits(loop, &(hal_waits){.retry_after_max_ms = 1800000});
    asked a = {0};
    ask(loop, &a, plain, raw_server_port(server), "/x");
    run_until_done(loop, &a, 5000);
    assert_int_equal(a.outcome.err.status, HAL_OK);
    assert_true(a.outcome.elapsed_ns >= 1200 * HAL_NS_PER_S);
    hal_buf_clear(&a.body);
    hal_loop_free(loop);
    raw_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retry_after_pauses_the_whole_host),
        cmocka_unit_test(a_wait_of_years_is_reported_not_waited_for),
        cmocka_unit_test(a_date_to_wait_for_is_measured_by_the_servers_clock),
        cmocka_unit_test(a_host_never_sees_more_requests_at_once_than_its_window),
        cmocka_unit_test(under_every_fault_the_window_and_the_pace_hold),
        cmocka_unit_test(a_dying_host_is_not_hammered),
        cmocka_unit_test(a_burst_of_server_errors_passes),
        cmocka_unit_test(a_host_that_is_down_defers_the_rest_and_is_tried_again_later),
        cmocka_unit_test(an_unknown_host_is_looked_up_twice_and_then_left_while_others_go_on),
        cmocka_unit_test(every_form_of_retry_after_is_obeyed_or_ignored),
        cmocka_unit_test(a_longer_wait_can_be_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
