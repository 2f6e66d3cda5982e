/* SPDX-License-Identifier: BSD-3-Clause */
/* One exchange against a scripted server: what its sink does, how it is asked and waited for. */
#ifndef HAL_TESTS_EXCHANGE_FIXTURE_H
#define HAL_TESTS_EXCHANGE_FIXTURE_H

#include "net_fixture.h"

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

static inline void ask(hal_loop *loop, asked *a, hal_request r, int port, const char *path)
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

static inline void run_until_done(hal_loop *loop, asked *a, int64_t ms_per_step)
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

static inline int get(const raw_reply *replies, size_t n, hal_request r, asked *a,
                      int64_t ms_per_step)
{
    return get_by(run_until, replies, n, r, a, ms_per_step);
}

static inline int get_silence(const raw_reply *replies, size_t n, hal_request r, asked *a,
                              int64_t ms_per_step)
{
    return get_by(run_through_silence, replies, n, r, a, ms_per_step);
}

static const hal_request plain = {.repeatable = true};
static const hal_request once = {.repeatable = true, .tries_max = 1};

#endif
