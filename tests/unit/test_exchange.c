/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/exchange.h"

#include "base/alloc.h"
#include "support/raw_server.c" /* one test helper, compiled in */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define OK_BODY "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"

/* Time moves by itself only a little: a test that waits for a timer moves it. */
static int64_t skipped_ns;

static int64_t test_ns(void *ctx)
{
    hal_clock clock = hal_clock_system();
    (void)ctx;
    return hal_clock_now_ns(&clock) + skipped_ns;
}

static int64_t test_wall(void *ctx)
{
    (void)ctx;
    return INT64_C(1700000000000);
}

static const hal_clock test_clock = {test_ns, test_wall, NULL};

typedef struct asked {
    hal_exchange *x;
    hal_buf body;
    int n_begin, n_end, n_done, status;
    hal_outcome outcome;
    /* behaviour of the sink */
    bool judge;      /* EXECUTING means again */
    int busy_writes; /* so many writes are refused first */
    hal_status write_fails;
    bool cancel_in_write, judge_nothing;
} asked;

static hal_status on_begin(void *ctx, int status, hal_err *err)
{
    asked *a = ctx;
    (void)err;
    a->n_begin++;
    a->status = status;
    a->body.size_bytes = 0;
    return HAL_OK;
}

static hal_status on_write(void *ctx, const char *bytes, size_t n, hal_err *err)
{
    asked *a = ctx;
    if (a->cancel_in_write)
        hal_exchange_cancel(a->x);
    if (a->write_fails)
        return hal_err_set(err, a->write_fails, "the sink is full");
    if (a->busy_writes) {
        a->busy_writes--;
        return HAL_E_BUSY;
    }
    return hal_buf_append(&a->body, bytes, n, err);
}

static void on_end(void *ctx)
{
    asked *a = ctx;
    a->n_end++;
    if (a->judge_nothing)
        return;
    bool again = a->judge && strstr(hal_buf_text(&a->body), "EXECUTING");
    hal_exchange_judged(a->x, again ? HAL_JUDGED_AGAIN : HAL_JUDGED_FINAL, NULL);
}

static void on_done(void *ctx, const hal_outcome *outcome)
{
    asked *a = ctx;
    a->n_done++;
    a->outcome = *outcome;
    a->x = NULL;
}

static hal_loop *new_loop(void)
{
    hal_err err = HAL_ERR_INIT;
    hal_loop *loop = hal_loop_new(&test_clock, &err);
    assert_non_null(loop);
    hal_loop_guard(loop, NULL, true, NULL);
    return loop;
}

static void ask(hal_loop *loop, asked *a, hal_request r, int port, const char *path)
{
    hal_err err = HAL_ERR_INIT;
    char url[256];
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port, path);
    r.url = url;
    hal_sink sink = {on_begin, on_write, on_end, a};
    hal_buf_init(&a->body, 1 << 26);
    a->x = hal_exchange_start(loop, &r, &sink, on_done, a, &err);
    if (!a->x)
        fail_msg("%s", err.text);
    assert_int_equal(a->n_done, 0);
}

/* Steps; while nothing happens, time passes at `ms_per_step` a step. */
static void run_until_done(hal_loop *loop, asked *a, int64_t ms_per_step)
{
    hal_err err = HAL_ERR_INIT;
    while (!a->n_done) {
        assert_int_equal(hal_loop_step(loop, 2, &err), HAL_OK);
        skipped_ns += ms_per_step * HAL_NS_PER_MS;
    }
    assert_int_equal(a->n_done, 1);
}

static void get(const raw_reply *replies, size_t n, hal_request r, asked *a, int64_t ms_per_step)
{
    raw_server *server = raw_server_start(replies, n);
    hal_loop *loop = new_loop();
    ask(loop, a, r, raw_server_port(server), "/x");
    run_until_done(loop, a, ms_per_step);
    assert_false(hal_loop_is_busy(loop));
    hal_loop_free(loop);
    raw_server_stop(server);
    hal_buf_clear(&a->body);
}

#define REPLIES(...)                                                                               \
    (raw_reply[]){__VA_ARGS__}, sizeof((raw_reply[]){__VA_ARGS__}) / sizeof(raw_reply)

static const hal_request plain = {.repeatable = true};
static const hal_request once = {.repeatable = true, .tries_max = 1};

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

static void a_poll_sends_the_identical_bytes_again(void **state)
{
    (void)state;
    raw_reply executing = {
        "HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{\"status\":\"EXECUTING\"}", 0, RAW_KEEP};
    raw_server *server = raw_server_start(REPLIES(executing, executing, executing, {OK_BODY}));
    hal_loop *loop = new_loop();
    asked a = {.judge = true};
    hal_request r = {.method = "POST", .body = hal_slice_of("a=1"), .repeatable = true};
    ask(loop, &a, r, raw_server_port(server), "/invoke");
    run_until_done(loop, &a, 200);
    assert_int_equal(a.outcome.err.status, HAL_OK);
    assert_int_equal(a.outcome.polls, 3);
    assert_int_equal(a.outcome.tries, 1);
    assert_string_equal(hal_buf_text(&a.body), "hello");
    assert_int_equal(raw_server_requests(server), 4);
    for (int i = 1; i < 4; i++)
        assert_string_equal(raw_server_request(server, i), raw_server_request(server, 0));
    assert_true(a.outcome.elapsed_ns >= 7 * HAL_NS_PER_S); /* 1 + 2 + 4 s of the test's clock */
    hal_loop_free(loop);
    raw_server_stop(server);
    hal_buf_clear(&a.body);
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_answer_reaches_the_sink),
        cmocka_unit_test(a_post_sends_its_body_and_headers),
        cmocka_unit_test(a_poll_sends_the_identical_bytes_again),
        cmocka_unit_test(one_try_means_one_request_and_a_reset_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
