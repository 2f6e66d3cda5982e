/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/exchange.h"

#include "support/exchange_fixture.h"

static void a_poll_sends_the_identical_bytes_again(void **state)
{
    (void)state;
    raw_reply executing = {EXECUTING, 0, RAW_KEEP};
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

static void interim_answers_do_not_extend_the_wait_for_the_first_byte(void **state)
{
    (void)state;
    enum { N = 2000 };
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    char *text = malloc(N * sizeof interim);
    for (size_t i = 0; i < N; i++)
        memcpy(text + i * (sizeof interim - 1), interim, sizeof interim);
    asked a = {0};
    get_silence(REPLIES({text, 0, RAW_HOLD}), once, &a, 1000);
    assert_int_equal(a.outcome.err.status, HAL_E_TIMEOUT);
    assert_true(a.outcome.elapsed_ns >= 120 * HAL_NS_PER_S);
    free(text);
}

static void a_silent_server_times_out_and_says_so(void **state)
{
    (void)state;
    asked a = {0};
    hal_request r = once;
    r.first_byte_ms = 7000;
    get_silence(REPLIES({NULL, 0, RAW_HOLD}), r, &a, 300);
    assert_int_equal(a.outcome.err.status, HAL_E_TIMEOUT);
    assert_non_null(strstr(a.outcome.err.text, "no answer within 7 s"));
    assert_false(a.outcome.reset_before_end);
}

static void a_stalled_body_times_out_and_is_asked_for_again(void **state)
{
    (void)state;
    asked a = {0};
    raw_reply stall = {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", 0, RAW_HOLD};
    assert_int_equal(get_silence(REPLIES(stall, {OK_BODY}), plain, &a, 1000), 2);
    assert_int_equal(a.outcome.err.status, HAL_OK);
    assert_true(a.outcome.elapsed_ns >= 60 * HAL_NS_PER_S);
    a = (asked){0};
    get_silence(REPLIES(stall), once, &a, 1000);
    assert_int_equal(a.outcome.err.status, HAL_E_TIMEOUT);
    assert_non_null(strstr(a.outcome.err.text, "stopped after 2 bytes"));
}

/* N7: enough for the stall rule, too little for use. */
static void a_body_that_only_drips_is_given_up(void **state)
{
    (void)state;
    raw_server *server = raw_server_start(
        REPLIES({"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n", 0, RAW_DRIP}));
    hal_loop *loop = new_loop();
    asked a = {0};
    ask(loop, &a, once, raw_server_port(server), "/x");
    for (size_t sent = 0; !a.n_done;) {
        size_t n = a.n_begin ? raw_server_drip(server, 2000) : 0;
        sent += n;
        do
            assert_int_equal(hal_loop_step(loop, 5, NULL), HAL_OK);
        while (!a.n_done && a.body.size_bytes < sent);
        if (n)
            now_ns += 10 * HAL_NS_PER_S; /* 200 bytes/s */
    }
    assert_int_equal(a.outcome.err.status, HAL_E_TIMEOUT);
    assert_non_null(strstr(a.outcome.err.text, "became too slow"));
    assert_in_range(a.outcome.elapsed_ns, 300 * HAL_NS_PER_S, 420 * HAL_NS_PER_S);
    hal_buf_clear(&a.body);
    hal_loop_free(loop);
    raw_server_stop(server);
}

static void the_deadline_ends_everything(void **state)
{
    (void)state;
    asked a = {0};
    hal_request r = plain;
    r.deadline_ms = 20000;
    get_silence(REPLIES({NULL, 0, RAW_HOLD}), r, &a, 500);
    assert_int_equal(a.outcome.err.status, HAL_E_TIMEOUT);
    assert_non_null(strstr(a.outcome.err.text, "not finished within 20 s"));
}

/* HTTP 202 where data are wanted: the file is being staged. */
static void a_staged_file_is_waited_for_and_is_data_only_when_it_is_there(void **state)
{
    (void)state;
    raw_reply later = {"HTTP/1.1 202 Accepted\r\nContent-Length: 4\r\n\r\nwait", 0, RAW_KEEP};
    raw_reply told = {"HTTP/1.1 202 Accepted\r\nRetry-After: 40\r\nContent-Length: 0\r\n\r\n", 0,
                      RAW_KEEP};
    raw_reply reset = {NULL, 0, RAW_RESET};
    asked a = {0};
    assert_int_equal(get(REPLIES(later, told, reset, later, {OK_BODY}), plain, &a, 200), 5);
    assert_string_equal(a.outcome.err.text, "");
    assert_int_equal(a.outcome.http_status, 200);
    assert_int_equal(a.outcome.polls, 3);
    assert_int_equal(a.n_begin, 1);
    assert_int_equal(a.outcome.body_bytes, 5);
    assert_true(a.outcome.elapsed_ns >= 41 * HAL_NS_PER_S);
    a = (asked){0};
    hal_request r = plain;
    r.deadline_ms = 100000;
    get(REPLIES(later), r, &a, 200);
    assert_int_equal(a.outcome.err.status, HAL_E_TIMEOUT);
    assert_non_null(strstr(a.outcome.err.text, "still not ready (HTTP 202) after 100 s"));
    a = (asked){0};
    r = plain;
    r.error_bodies = true; /* every answer is data */
    assert_int_equal(get(REPLIES(later), r, &a, 0), 1);
    assert_int_equal(a.outcome.http_status, 202);
}

static void endless_executing_ends_at_the_deadline(void **state)
{
    (void)state;
    raw_server *server = raw_server_start(REPLIES({EXECUTING}));
    hal_loop *loop = new_loop();
    asked a = {.judge = true};
    hal_request r = plain;
    r.deadline_ms = 600000;
    ask(loop, &a, r, raw_server_port(server), "/x");
    run_until_done(loop, &a, 500);
    assert_int_equal(a.outcome.err.status, HAL_E_TIMEOUT);
    assert_non_null(strstr(a.outcome.err.text, "still EXECUTING after 600 s"));
    assert_in_range(a.outcome.polls, 20, 25); /* 1 + 2 + 4 + 8 + 16 s, then every 30 s */
    hal_loop_free(loop);
    raw_server_stop(server);
    hal_buf_clear(&a.body);
}

static int timer_order[4], n_timers_run;

static void note_timer(void *ctx)
{
    timer_order[n_timers_run++] = (int)(intptr_t)ctx;
}

static void timers_run_in_order_and_never_after_cancel(void **state)
{
    (void)state;
    n_timers_run = 0;
    hal_loop *loop = new_loop();
    hal_timer_start(loop, 300, note_timer, (void *)3, NULL);
    hal_timer_start(loop, 100, note_timer, (void *)1, NULL);
    hal_timer *gone = hal_timer_start(loop, 150, note_timer, (void *)9, NULL);
    hal_timer_start(loop, 200, note_timer, (void *)2, NULL);
    assert_int_equal(hal_loop_step(loop, 0, NULL), HAL_OK);
    assert_int_equal(n_timers_run, 0);
    hal_timer_cancel(gone);
    now_ns += HAL_NS_PER_S;
    assert_int_equal(hal_loop_step(loop, 0, NULL), HAL_OK);
    assert_int_equal(n_timers_run, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(timer_order[i], i + 1);
    assert_false(hal_loop_is_busy(loop));
    hal_loop_wake(loop);
    assert_int_equal(hal_loop_step(loop, -1, NULL), HAL_OK); /* returns because of the wake */
    hal_timer_start(loop, 100, note_timer, NULL, NULL);
    hal_loop_free(loop); /* with a timer set */
    assert_int_equal(n_timers_run, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_poll_sends_the_identical_bytes_again),
        cmocka_unit_test(interim_answers_do_not_extend_the_wait_for_the_first_byte),
        cmocka_unit_test(a_silent_server_times_out_and_says_so),
        cmocka_unit_test(a_stalled_body_times_out_and_is_asked_for_again),
        cmocka_unit_test(a_body_that_only_drips_is_given_up),
        cmocka_unit_test(the_deadline_ends_everything),
        cmocka_unit_test(a_staged_file_is_waited_for_and_is_data_only_when_it_is_there),
        cmocka_unit_test(endless_executing_ends_at_the_deadline),
        cmocka_unit_test(timers_run_in_order_and_never_after_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
