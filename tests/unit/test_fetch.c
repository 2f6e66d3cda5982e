/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/fetch.h"

#include "support/net_fixture.h"

#include <sched.h>

#define FIELDS                                                                                     \
    "\"fields\":[{\"name\":\"id\",\"type\":\"int\"},{\"name\":\"note\",\"type\":\"string\"}]"

static const char small_answer[] =
    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"status\":\"COMPLETE\",\"msg\":\"\",\"data\":[{"
    "\"id\":9007199254740993,\"note\":\"a\"},{\"id\":2}]," FIELDS "}";

typedef struct asked {
    hal_fetch *fetch;
    int n_done, n_working;
    hal_err err;
    hal_table *table;
    hal_outcome http;
    bool reset;
} asked;

static void on_done(void *ctx, hal_fetch_result *result)
{
    asked *a = ctx;
    a->n_done++;
    a->err = result->err;
    a->table = result->table;
    result->table = NULL;
    a->http = *result->http;
    a->reset = result->reset;
}

static void on_working(void *ctx, double fraction, int polls)
{
    asked *a = ctx;
    a->n_working++;
    assert_int_equal(polls, a->n_working);
    assert_true(fraction == 0.5);
}

static hal_fetch *start(hal_loop *loop, asked *a, int port, int tries, hal_err *err)
{
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/x", port);
    hal_fetch_request r = {.http = {.url = url, .tries_max = tries},
                           .format = HAL_FORMAT_MASHUP_JSON,
                           .poll = true,
                           .working = on_working,
                           .working_ctx = a};
    return a->fetch = hal_fetch_start(loop, &r, on_done, a, err);
}

static void an_answer_becomes_a_table_after_the_archive_has_worked(void **state)
{
    (void)state;
    static const char executing[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
                                    "{\"status\":\"EXECUTING\",\"percent complete\":0.5}";
    raw_server *server = raw_server_start(REPLIES(
        {executing, 0, RAW_CLOSE}, {executing, 0, RAW_CLOSE}, {small_answer, 0, RAW_CLOSE}));
    hal_loop *loop = new_loop();
    asked a = {0};
    assert_non_null(start(loop, &a, raw_server_port(server), 1, NULL));
    run_until(loop, &a.n_done, 500);
    assert_int_equal(a.err.status, HAL_OK);
    assert_int_equal(a.n_working, 2);
    assert_int_equal(a.http.polls, 2);
    assert_int_equal(hal_table_rows(a.table), 2);
    hal_table_unref(a.table);
    assert_false(hal_loop_is_busy(loop));
    hal_loop_free(loop);
    raw_server_stop(server);
}

/* A body of `n_rows` rows with its headers; caller frees. */
static char *long_answer(size_t n_rows, size_t *n_bytes)
{
    hal_buf b;
    hal_buf_init(&b, (size_t)1 << 30);
    hal_status st = hal_buf_puts(&b,
                                 "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
                                 "{\"status\":\"COMPLETE\",\"msg\":\"\",\"data\":[",
                                 NULL);
    for (size_t i = 0; i < n_rows; i++)
        st = st ? st
                : hal_buf_printf(&b, NULL, "%s{\"id\":%zu,\"note\":\"row %zu\"}", i ? "," : "", i,
                                 i);
    st = st ? st : hal_buf_puts(&b, "]," FIELDS "}", NULL);
    assert_int_equal(st, HAL_OK);
    *n_bytes = b.size_bytes;
    return b.data;
}

static void a_body_larger_than_the_queue_arrives_whole_and_in_order(void **state)
{
    (void)state;
    enum { ROWS = 600000 };
    size_t n;
    char *bytes = long_answer(ROWS, &n);
    assert_true(n > 16 << 20);
    raw_server *server = raw_server_start(REPLIES({bytes, n, RAW_CLOSE}));
    hal_loop *loop = new_loop();
    asked a = {0};
    assert_non_null(start(loop, &a, raw_server_port(server), 1, NULL));
    run_until(loop, &a.n_done, 0);
    assert_int_equal(a.err.status, HAL_OK);
    assert_int_equal(hal_table_rows(a.table), ROWS);
    for (uint64_t i = 0; i < ROWS; i++)
        assert_int_equal(hal_table_int64(a.table, 0, i), i);
    hal_table_unref(a.table);
    hal_loop_free(loop);
    raw_server_stop(server);
    hal_free(bytes);
}

static void a_cancelled_fetch_ends_once_with_jobs_still_running(void **state)
{
    (void)state;
    size_t n;
    char *bytes = long_answer(300000, &n);
    raw_server *server = raw_server_start(REPLIES({bytes, n, RAW_CLOSE}));
    for (int steps = 0; steps < 40; steps += 3) {
        hal_loop *loop = new_loop();
        asked a = {0};
        assert_non_null(start(loop, &a, raw_server_port(server), 1, NULL));
        for (int i = 0; i < steps && !a.n_done; i++)
            assert_int_equal(hal_loop_step(loop, 5, NULL), HAL_OK);
        if (!a.n_done)
            hal_fetch_cancel(a.fetch);
        if (steps % 2 == 0) /* else the loop ends first */
            run_until(loop, &a.n_done, 0);
        hal_loop_free(loop);
        assert_int_equal(a.n_done, 1);
        assert_true(a.table ? a.err.status == HAL_OK : a.err.status == HAL_E_CANCELLED);
        hal_table_unref(a.table);
    }
    raw_server_stop(server);
    hal_free(bytes);
}

static void blocks_of_a_cut_answer_say_nothing_about_the_next(void **state)
{
    (void)state;
    static const char damaged_and_cut[] =
        "HTTP/1.1 200 OK\r\nContent-Length: "
        "90000\r\n\r\n{\"status\":\"COMPLETE\",\"data\":[nonsense";
    raw_server *server =
        raw_server_start(REPLIES({damaged_and_cut, 0, RAW_RESET}, {small_answer, 0, RAW_CLOSE}));
    hal_loop *loop = new_loop();
    asked a = {0};
    assert_non_null(start(loop, &a, raw_server_port(server), 3, NULL));
    run_until(loop, &a.n_done, 500);
    assert_int_equal(a.err.status, HAL_OK);
    assert_int_equal(hal_table_rows(a.table), 2);
    hal_table_unref(a.table);
    hal_loop_free(loop);
    raw_server_stop(server);
}

static void running_out_of_memory_is_an_error_or_a_whole_table(void **state)
{
    (void)state;
    raw_server *server = raw_server_start(REPLIES({small_answer, 0, RAW_CLOSE}));
    size_t n_made, n = 0, n_failed = 0;
    do {
        hal_alloc_fail_at(++n);
        hal_err err = HAL_ERR_INIT;
        asked a = {0};
        hal_loop *loop = hal_loop_new(&test_clock, &err);
        if (loop)
            hal_loop_guard(loop, NULL, true, NULL);
        if (loop && start(loop, &a, raw_server_port(server), 1, &err)) {
            run_until(loop, &a.n_done, 0);
            err = a.err;
        }
        hal_loop_free(loop);
        n_made = hal_alloc_fail_at(0);
        if (err.status)
            assert_int_equal(err.status, HAL_E_NOMEM);
        else
            assert_int_equal(hal_table_rows(a.table), 2);
        n_failed += err.status != HAL_OK;
        hal_table_unref(a.table);
    } while (n_made >= n);
    assert_true(n_failed > 20);
    raw_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_becomes_a_table_after_the_archive_has_worked),
        cmocka_unit_test(a_body_larger_than_the_queue_arrives_whole_and_in_order),
        cmocka_unit_test(a_cancelled_fetch_ends_once_with_jobs_still_running),
        cmocka_unit_test(blocks_of_a_cut_answer_say_nothing_about_the_next),
        cmocka_unit_test(running_out_of_memory_is_an_error_or_a_whole_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
