/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/exchange.h"

#include "support/exchange_fixture.h"

static void a_whole_answer_reaches_the_sink(void **state)
{
    (void)state;
    raw_server *server = raw_server_start(REPLIES({OK_BODY}));
    hal_loop *loop = new_loop();
    asked a = {0};
    ask(loop, &a, plain, raw_server_port(server), "/x?y=1");
    run_until_done(loop, &a, 0);
    assert_int_equal(a.outcome.err.status, HAL_OK);
    assert_int_equal(a.outcome.http_status, 200);
    assert_string_equal(hal_buf_text(&a.body), "hello");
    assert_string_equal(a.outcome.content_type, "text/plain");
    assert_int_equal(a.outcome.content_length, 5);
    assert_int_equal(a.outcome.body_bytes, 5);
    assert_int_equal(a.outcome.tries, 1);
    assert_non_null(strstr(raw_server_request(server, 0), "GET /x?y=1 HTTP/1.1\r\n"));
    assert_null(strstr(raw_server_request(server, 0), "Cookie"));
    hal_loop_free(loop);
    raw_server_stop(server);
    hal_buf_clear(&a.body);
}

static void a_post_sends_its_body_and_headers(void **state)
{
    (void)state;
    raw_server *server = raw_server_start(REPLIES({OK_BODY}));
    hal_loop *loop = new_loop();
    asked a = {0};
    hal_header h = {"X-Test", "yes"};
    hal_request r = {
        .method = "POST", .body = hal_slice_of("request=%7B%7D"), .headers = &h, .n_headers = 1};
    ask(loop, &a, r, raw_server_port(server), "/invoke");
    run_until_done(loop, &a, 0);
    assert_int_equal(a.outcome.err.status, HAL_OK);
    const char *text = raw_server_request(server, 0);
    assert_non_null(strstr(text, "POST /invoke HTTP/1.1\r\n"));
    assert_non_null(strstr(text, "X-Test: yes\r\n"));
    assert_non_null(strstr(text, "\r\n\r\nrequest=%7B%7D"));
    hal_loop_free(loop);
    raw_server_stop(server);
    hal_buf_clear(&a.body);
}

static void resume_later(void *ctx)
{
    asked *a = ctx;
    hal_exchange_resume(a->x);
}

static void a_sink_can_pause_the_transfer_and_loses_nothing(void **state)
{
    (void)state;
    enum { N = 3000000 };
    char *text = malloc(N + 100);
    int head = snprintf(text, 100, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", N);
    for (int i = 0; i < N; i++)
        text[head + i] = (char)(i * 7 + i / 251);
    raw_server *server = raw_server_start(REPLIES({text, (size_t)(head + N), RAW_KEEP}));
    hal_loop *loop = new_loop();
    asked a = {.busy_every = 3};
    ask(loop, &a, plain, raw_server_port(server), "/x");
    while (!a.n_done) {
        if (a.paused) {
            a.paused = false;
            assert_non_null(hal_timer_start(loop, 1, resume_later, &a, NULL));
        }
        assert_int_equal(hal_loop_step(loop, 50, NULL), HAL_OK);
        now_ns += HAL_NS_PER_MS;
    }
    assert_int_equal(a.outcome.err.status, HAL_OK);
    assert_int_equal(a.body.size_bytes, N);
    assert_memory_equal(a.body.data, text + head, N);
    assert_true(a.n_paused > 2);
    hal_loop_free(loop);
    raw_server_stop(server);
    hal_buf_clear(&a.body);
    free(text);
}

static void a_sink_that_fails_ends_the_exchange(void **state)
{
    (void)state;
    asked a = {.write_fails = HAL_E_IO};
    assert_int_equal(get(REPLIES({OK_BODY}), plain, &a, 0), 1);
    assert_int_equal(a.outcome.err.status, HAL_E_IO);
    assert_string_equal(a.outcome.err.text, "the sink is full");
}

static void an_answer_over_the_limit_is_refused(void **state)
{
    (void)state;
    hal_request r = plain;
    r.body_max_bytes = 4;
    asked a = {0};
    assert_int_equal(get(REPLIES({OK_BODY}), r, &a, 0), 1);
    assert_int_equal(a.outcome.err.status, HAL_E_BUDGET);
    a = (asked){0};
    assert_int_equal(get(REPLIES({"HTTP/1.1 200 OK\r\n\r\nhello", 0, RAW_CLOSE}), r, &a, 0), 1);
    assert_int_equal(a.outcome.err.status, HAL_E_BUDGET);
}

static void a_compressed_answer_nobody_asked_for_is_refused(void **state)
{
    (void)state;
    asked a = {0};
    get(REPLIES({"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx"}), plain,
        &a, 0);
    assert_int_equal(a.outcome.err.status, HAL_E_PROTOCOL);
}

static void cancelled(hal_loop *loop, asked *a, raw_server *server)
{
    hal_exchange_cancel(a->x);
    assert_int_equal(a->n_done, 0);
    run_until_done(loop, a, 0);
    assert_int_equal(a->outcome.err.status, HAL_E_CANCELLED);
    assert_false(hal_loop_is_busy(loop));
    hal_loop_free(loop);
    raw_server_stop(server);
    hal_buf_clear(&a->body);
}

static void it_can_be_cancelled_in_every_phase(void **state)
{
    (void)state;
    raw_reply hold = {NULL, 0, RAW_HOLD}, reset = {NULL, 0, RAW_RESET};
    raw_reply half = {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", 0, RAW_HOLD};
    asked a = {0}; /* at the gate */
    raw_server *server = raw_server_start(REPLIES(hold));
    hal_loop *loop = new_loop();
    ask(loop, &a, plain, raw_server_port(server), "/x");
    cancelled(loop, &a, server);

    a = (asked){0}; /* waiting for the first byte */
    server = raw_server_start(REPLIES(hold));
    loop = new_loop();
    ask(loop, &a, plain, raw_server_port(server), "/x");
    while (!raw_server_requests(server))
        assert_int_equal(hal_loop_step(loop, 5, NULL), HAL_OK);
    cancelled(loop, &a, server);

    a = (asked){0}; /* inside the body */
    server = raw_server_start(REPLIES(half));
    loop = new_loop();
    ask(loop, &a, plain, raw_server_port(server), "/x");
    while (a.body.size_bytes < 3)
        assert_int_equal(hal_loop_step(loop, 5, NULL), HAL_OK);
    cancelled(loop, &a, server);

    a = (asked){.busy_every = 1}; /* paused */
    server = raw_server_start(REPLIES(half));
    loop = new_loop();
    ask(loop, &a, plain, raw_server_port(server), "/x");
    while (!a.paused)
        assert_int_equal(hal_loop_step(loop, 5, NULL), HAL_OK);
    cancelled(loop, &a, server);

    a = (asked){.judge_nothing = true}; /* while the sink judges */
    server = raw_server_start(REPLIES({OK_BODY}));
    loop = new_loop();
    ask(loop, &a, plain, raw_server_port(server), "/x");
    while (!a.n_end)
        assert_int_equal(hal_loop_step(loop, 5, NULL), HAL_OK);
    cancelled(loop, &a, server);

    a = (asked){0}; /* between two tries */
    server = raw_server_start(REPLIES(reset));
    loop = new_loop();
    hal_loop_set_waits(loop, &(hal_waits){1000000, 1000000, 1000, 1000});
    ask(loop, &a, plain, raw_server_port(server), "/x");
    while (!hal_loop_stats(loop).retries)
        assert_int_equal(hal_loop_step(loop, 5, NULL), HAL_OK);
    cancelled(loop, &a, server);

    a = (asked){.cancel_in_write = true}; /* from within the sink */
    server = raw_server_start(REPLIES({OK_BODY}));
    loop = new_loop();
    ask(loop, &a, plain, raw_server_port(server), "/x");
    run_until_done(loop, &a, 0);
    assert_int_equal(a.outcome.err.status, HAL_E_CANCELLED);
    hal_loop_free(loop);
    raw_server_stop(server);
    hal_buf_clear(&a.body);

    a = (asked){0}; /* by the end of the loop */
    server = raw_server_start(REPLIES(hold));
    loop = new_loop();
    ask(loop, &a, plain, raw_server_port(server), "/x");
    assert_int_equal(hal_loop_step(loop, 0, NULL), HAL_OK);
    hal_loop_free(loop);
    assert_int_equal(a.n_done, 1);
    assert_int_equal(a.outcome.err.status, HAL_E_CANCELLED);
    raw_server_stop(server);
    hal_buf_clear(&a.body);
}

static void running_out_of_memory_is_an_outcome_not_a_crash(void **state)
{
    (void)state;
    raw_server *server = raw_server_start(REPLIES({OK_BODY}));
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/x", raw_server_port(server));
    hal_header h = {"X-Test", "1"};
    hal_request r = {
        .method = "POST", .url = url, .body = hal_slice_of("a=1"), .headers = &h, .n_headers = 1};
    size_t n_made;
    size_t n = 0;
    do {
        hal_alloc_fail_at(++n);
        hal_err err = HAL_ERR_INIT;
        asked a = {0};
        hal_buf_init(&a.body, 100);
        hal_sink sink = {on_begin, on_write, on_end, &a};
        hal_loop *loop = hal_loop_new(&test_clock, &err);
        if (loop)
            hal_loop_guard(loop, NULL, true, NULL);
        a.x = loop ? hal_exchange_start(loop, &r, &sink, on_done, &a, &err) : NULL;
        if (a.x) {
            run_until(loop, &a.n_done, 0);
            err = a.outcome.err;
        }
        hal_loop_free(loop);
        hal_buf_clear(&a.body);
        n_made = hal_alloc_fail_at(0);
        assert_int_equal(err.status, n_made < n ? HAL_OK : HAL_E_NOMEM);
    } while (n_made >= n);
    assert_true(n > 8);
    raw_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_answer_reaches_the_sink),
        cmocka_unit_test(a_post_sends_its_body_and_headers),
        cmocka_unit_test(a_sink_can_pause_the_transfer_and_loses_nothing),
        cmocka_unit_test(a_sink_that_fails_ends_the_exchange),
        cmocka_unit_test(an_answer_over_the_limit_is_refused),
        cmocka_unit_test(a_compressed_answer_nobody_asked_for_is_refused),
        cmocka_unit_test(it_can_be_cancelled_in_every_phase),
        cmocka_unit_test(running_out_of_memory_is_an_outcome_not_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
