/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/exchange.h"

#include "support/net_fixture.h"

#include <sched.h>

#define OK_BODY "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
#define EXECUTING "HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{\"status\":\"EXECUTING\"}"

typedef struct asked {
    hal_exchange *x;
    hal_buf body;
    int n_begin, n_end, n_done, status;
    hal_outcome outcome;
    /* behaviour of the sink */
    bool judge;     /* EXECUTING means again */
    int busy_every; /* each so-manieth write is refused first */
    int n_writes, n_paused;
    bool paused;
    hal_status write_fails;
    bool cancel_in_write, judge_nothing;
    hal_status judge_failed;
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
    if (a->busy_every && ++a->n_writes % (a->busy_every + 1) == a->busy_every) {
        a->paused = true;
        a->n_paused++;
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
    if (a->judge_failed) {
        hal_err why = HAL_ERR_INIT;
        hal_err_set(&why, a->judge_failed, "not usable");
        hal_exchange_judged(a->x, HAL_JUDGED_FAILED, &why);
        return;
    }
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

static void run_until_done(hal_loop *loop, asked *a, int64_t ms_per_step)
{
    run_until(loop, &a->n_done, ms_per_step);
    assert_int_equal(a->n_done, 1);
}

/* One exchange against a script; returns how many requests it took. */
static int get_by(void (*run)(hal_loop *loop, const int *flag, int64_t ms_per_step),
                  const raw_reply *replies, size_t n, hal_request r, asked *a, int64_t ms_per_step)
{
    raw_server *server = raw_server_start(replies, n);
    hal_loop *loop = new_loop();
    ask(loop, a, r, raw_server_port(server), "/x");
    run(loop, &a->n_done, ms_per_step);
    assert_int_equal(a->n_done, 1);
    assert_false(hal_loop_is_busy(loop));
    hal_loop_free(loop);
    int n_requests = raw_server_requests(server);
    raw_server_stop(server);
    hal_buf_clear(&a->body);
    return n_requests;
}

static int get(const raw_reply *replies, size_t n, hal_request r, asked *a, int64_t ms_per_step)
{
    return get_by(run_until, replies, n, r, a, ms_per_step);
}

static int get_silence(const raw_reply *replies, size_t n, hal_request r, asked *a,
                       int64_t ms_per_step)
{
    return get_by(run_through_silence, replies, n, r, a, ms_per_step);
}

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

static const raw_reply endings[] = {
    {NULL, 0, RAW_RESET}, /* N3 */
    {NULL, 0, RAW_CLOSE}, /* N3 */
    {"HTTP/1.1 200 OK\r\nContent-Le", 0, RAW_CLOSE},
    {"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nabc", 0, RAW_RESET},               /* N4 */
    {"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nabc", 0, RAW_CLOSE},               /* N9 */
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc", 0, RAW_CLOSE},  /* N12 */
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc", 0, RAW_CLOSE}, /* N13 */
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
    assert_non_null(strstr(a.outcome.err.text, "2 bytes"));
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
    assert_int_equal(a.outcome.err.status, HAL_E_PROTOCOL);
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

static void an_unknown_host_is_named_and_looked_up_twice(void **state)
{
    (void)state;
    hal_loop *loop = new_loop();
    hal_err err = HAL_ERR_INIT;
    hal_request r = {.url = "http://no-such-archive.invalid/x", .repeatable = true};
    asked a = {0};
    hal_sink sink = {on_begin, on_write, on_end, &a};
    hal_buf_init(&a.body, 1 << 16);
    a.x = hal_exchange_start(loop, &r, &sink, on_done, &a, &err);
    assert_non_null(a.x);
    run_until_done(loop, &a, 500);
    assert_int_equal(a.outcome.err.status, HAL_E_NETWORK);
    assert_string_equal(a.outcome.err.text, "cannot find host no-such-archive.invalid; check the "
                                            "network or the address (tried 2 times)");
    assert_int_equal(a.outcome.tries, 2);
    hal_loop_free(loop);
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
        cmocka_unit_test(a_whole_answer_reaches_the_sink),
        cmocka_unit_test(a_post_sends_its_body_and_headers),
        cmocka_unit_test(a_poll_sends_the_identical_bytes_again),
        cmocka_unit_test(one_try_means_one_request_and_a_reset_is_named),
        cmocka_unit_test(every_early_end_is_a_reset_and_is_retried),
        cmocka_unit_test(a_request_that_is_not_repeatable_is_sent_once),
        cmocka_unit_test(contradicting_lengths_are_never_trusted),
        cmocka_unit_test(more_than_the_stated_length_is_left_unread),
        cmocka_unit_test(what_is_no_http_is_a_protocol_error_after_one_more_try),
        cmocka_unit_test(a_flood_of_headers_is_a_protocol_error),
        cmocka_unit_test(interim_answers_do_not_extend_the_wait_for_the_first_byte),
        cmocka_unit_test(a_silent_server_times_out_and_says_so),
        cmocka_unit_test(a_stalled_body_times_out_and_is_asked_for_again),
        cmocka_unit_test(the_deadline_ends_everything),
        cmocka_unit_test(endless_executing_ends_at_the_deadline),
        cmocka_unit_test(a_failed_judgement_is_retried_only_if_it_may_pass),
        cmocka_unit_test(server_errors_pass_and_then_the_answer_comes),
        cmocka_unit_test(each_refusal_has_its_own_code_and_the_servers_words),
        cmocka_unit_test(an_error_answer_can_be_data),
        cmocka_unit_test(retry_after_pauses_the_whole_host),
        cmocka_unit_test(a_wait_of_years_is_reported_not_waited_for),
        cmocka_unit_test(a_date_to_wait_for_is_measured_by_the_servers_clock),
        cmocka_unit_test(a_redirect_is_followed_and_only_303_and_older_drop_the_body),
        cmocka_unit_test(a_redirect_loop_ends_with_its_chain),
        cmocka_unit_test(a_redirect_goes_only_where_the_guard_lets_it),
        cmocka_unit_test(private_addresses_need_a_grant),
        cmocka_unit_test(a_dead_archive_is_named_with_a_remedy),
        cmocka_unit_test(an_unknown_host_is_named_and_looked_up_twice),
        cmocka_unit_test(bad_requests_are_refused_at_the_start),
        cmocka_unit_test(a_sink_can_pause_the_transfer_and_loses_nothing),
        cmocka_unit_test(a_sink_that_fails_ends_the_exchange),
        cmocka_unit_test(an_answer_over_the_limit_is_refused),
        cmocka_unit_test(a_compressed_answer_nobody_asked_for_is_refused),
        cmocka_unit_test(it_can_be_cancelled_in_every_phase),
        cmocka_unit_test(a_host_never_sees_more_requests_at_once_than_its_window),
        cmocka_unit_test(a_dying_host_is_not_hammered),
        cmocka_unit_test(running_out_of_memory_is_an_outcome_not_a_crash),
        cmocka_unit_test(timers_run_in_order_and_never_after_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
