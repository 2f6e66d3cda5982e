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
    asked a = {0};
    assert_int_equal(
        get(REPLIES({"HTTP/1.1 503 No\r\nRetry-After: 315360000\r\nContent-Length: 0\r\n\r\n"}),
            plain, &a, 0),
        1);
    assert_int_equal(a.outcome.err.status, HAL_E_BUSY);
    assert_true(a.outcome.err.retry_after_s == 315360000.0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retry_after_pauses_the_whole_host),
        cmocka_unit_test(a_wait_of_years_is_reported_not_waited_for),
        cmocka_unit_test(a_date_to_wait_for_is_measured_by_the_servers_clock),
        cmocka_unit_test(a_host_never_sees_more_requests_at_once_than_its_window),
        cmocka_unit_test(a_dying_host_is_not_hammered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
