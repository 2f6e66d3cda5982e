/* SPDX-License-Identifier: BSD-3-Clause */
/* Compressed bodies (fault matrix N15, N16; security model 6.2), and what is left behind an answer
 * (N10). */
#define _GNU_SOURCE /* usleep */
#include "net/exchange.h"

#include "support/exchange_fixture.h"

#include <zlib.h>
#include <zstd.h>

enum { N_ROWS = 60000, ROOM = 4 << 20 };

static const hal_request coded = {.repeatable = true, .coded = true};

static size_t gzip(char *out, size_t room, const char *in, size_t n)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)in;
    z.avail_in = (uInt)n;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return room - z.avail_out;
}

typedef struct packed {
    char *rows, *answer;
    size_t n_rows, n_head, n_answer;
} packed;

/* A table of numbers in an answer with that coding; its length is of `cut` bytes less. */
static packed pack(const char *coding, size_t cut)
{
    packed p = {.rows = malloc(ROOM), .answer = malloc(ROOM)};
    uint32_t value = 1;
    for (int i = 0; i < N_ROWS; i++) {
        value = value * 1664525 + 1013904223;
        p.n_rows += (size_t)sprintf(p.rows + p.n_rows, "%d,%u\n", i, value >> 16);
    }
    char *body = malloc(ROOM);
    size_t n = !strcmp(coding, "zstd") ? ZSTD_compress(body, ROOM, p.rows, p.n_rows, 3)
                                       : gzip(body, ROOM, p.rows, p.n_rows);
    n -= cut;
    p.n_head = (size_t)snprintf(p.answer, 200,
                                "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: "
                                "%zu\r\n\r\n",
                                coding, n);
    memcpy(p.answer + p.n_head, body, n);
    p.n_answer = p.n_head + n;
    free(body);
    return p;
}

static void unpack_free(packed *p)
{
    free(p->rows);
    free(p->answer);
}

static void resume_soon(void *ctx)
{
    hal_exchange_resume(((asked *)ctx)->x);
}

static void gzip_and_zstd_are_undone_also_for_a_sink_that_pauses(void **state)
{
    (void)state;
    static const char *const codings[] = {"gzip", "x-gzip", "zstd"};
    for (size_t i = 0; i < 6; i++) {
        packed p = pack(codings[i % 3], 0);
        raw_server *server = raw_server_start(REPLIES({p.answer, p.n_answer, RAW_KEEP}));
        hal_loop *loop = new_loop();
        asked a = {.busy_every = i < 3 ? 0 : 2};
        ask(loop, &a, coded, raw_server_port(server), "/x");
        while (!a.n_done) {
            if (a.paused) {
                a.paused = false;
                assert_non_null(hal_timer_start(loop, 1, resume_soon, &a, NULL));
            }
            assert_int_equal(hal_loop_step(loop, 50, NULL), HAL_OK);
            now_ns += HAL_NS_PER_MS;
        }
        assert_string_equal(a.outcome.err.text, "");
        assert_int_equal(a.outcome.body_bytes, p.n_rows);
        assert_int_equal(a.body.size_bytes, p.n_rows);
        assert_memory_equal(a.body.data, p.rows, p.n_rows);
        assert_true(a.outcome.wire_bytes < p.n_rows);
        assert_true(i < 3 || a.n_paused > 2);
        assert_non_null(strstr(raw_server_request(server, 0), "Accept-Encoding: gzip, zstd\r\n"));
        hal_buf_clear(&a.body);
        hal_loop_free(loop);
        raw_server_stop(server);
        unpack_free(&p);
    }
}

static void n16_what_is_cut_is_asked_for_twice_more_and_never_whole(void **state)
{
    (void)state;
    static const char *const codings[] = {"gzip", "zstd"};
    for (size_t i = 0; i < 4; i++) {
        packed p = pack(codings[i % 2], i < 2 ? 1 : 20000);
        asked a = {0};
        assert_int_equal(get(REPLIES({p.answer, p.n_answer, RAW_KEEP}), coded, &a, 500), 3);
        assert_int_equal(a.outcome.err.status, HAL_E_INTEGRITY);
        assert_string_equal(hal_err_fault(&a.outcome.err), "integrity");
        assert_int_equal(a.n_end, 0);
        unpack_free(&p);
    }
}

static void n15_what_is_damaged_is_asked_for_again(void **state)
{
    (void)state;
    packed bad = pack("gzip", 0), good = pack("gzip", 0);
    bad.answer[bad.n_answer - 6] ^= 1; /* of the check sum */
    asked a = {0};
    assert_int_equal(
        get(REPLIES({bad.answer, bad.n_answer, RAW_KEEP}, {good.answer, good.n_answer, RAW_KEEP}),
            coded, &a, 500),
        2);
    assert_int_equal(a.outcome.err.status, HAL_OK);
    assert_int_equal(a.outcome.body_bytes, good.n_rows);
    unpack_free(&bad);
    unpack_free(&good);
}

static void a_bomb_is_refused_before_it_fills_the_memory(void **state)
{
    (void)state;
    enum { ZEROS = 64 << 20 };
    char *zeros = calloc(1, ZEROS), *answer = malloc(1 << 20);
    char *body = malloc(1 << 20);
    size_t n = gzip(body, 1 << 20, zeros, ZEROS);
    int head = sprintf(
        answer, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", n);
    memcpy(answer + head, body, n);
    asked a = {0};
    assert_int_equal(get(REPLIES({answer, (size_t)head + n, RAW_KEEP}), coded, &a, 0), 1);
    assert_int_equal(a.outcome.err.status, HAL_E_BUDGET);
    assert_non_null(strstr(a.outcome.err.text, "more than 200 times"));
    assert_true(a.outcome.body_bytes < 40 << 20);
    free(zeros);
    free(body);
    free(answer);
}

static void other_codings_and_two_layers_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"gzip, gzip", "br", "deflate"};
    for (size_t i = 0; i < 3; i++) {
        char answer[200];
        snprintf(answer, sizeof answer,
                 "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: 1\r\n\r\nx", texts[i]);
        asked a = {0};
        assert_int_equal(get(REPLIES({answer}), coded, &a, 0), 1);
        assert_int_equal(a.outcome.err.status, HAL_E_PROTOCOL);
        assert_non_null(strstr(a.outcome.err.text, texts[i]));
    }
}

static void the_words_of_a_refusal_are_unpacked_too(void **state)
{
    (void)state;
    char body[200], answer[400];
    size_t n = gzip(body, sizeof body, "no such table", 13);
    int head = sprintf(
        answer, "HTTP/1.1 404 No\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", n);
    memcpy(answer + head, body, n);
    asked a = {0};
    get(REPLIES({answer, (size_t)head + n, RAW_KEEP}), coded, &a, 0);
    assert_non_null(strstr(a.outcome.err.text, "no such table"));
}

/* N10: of a body that comes in several reads libcurl leaves what is behind it in the socket. */
static void n10_what_is_behind_an_answer_is_not_the_next_one(void **state)
{
    (void)state;
    enum { LONG = 1000000 };
    static const char evil[] = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    char *first = malloc(LONG + 300);
    int head = sprintf(first, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", LONG);
    memset(first + head, 'x', LONG);
    memcpy(first + head + LONG, evil, sizeof evil - 1);
    raw_server *server = raw_server_start(
        REPLIES({first, (size_t)head + LONG + sizeof evil - 1, RAW_KEEP}, {OK_BODY}, {OK_BODY}));
    hal_loop *loop = new_loop();
    for (int i = 0; i < 3; i++) {
        asked a = {0};
        ask(loop, &a, plain, raw_server_port(server), "/x");
        run_until_done(loop, &a, 10);
        assert_string_equal(a.outcome.err.text, "");
        assert_int_equal(a.outcome.body_bytes, i ? 5 : LONG);
        if (i)
            assert_string_equal(hal_buf_text(&a.body), "hello");
        assert_int_equal(a.outcome.tries, 1);
        hal_buf_clear(&a.body);
        usleep(20000); /* all of it has come */
    }
    assert_int_equal(raw_server_requests(server), 3);
    assert_int_equal(raw_server_connections(server), 2);
    hal_loop_free(loop);
    raw_server_stop(server);
    free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gzip_and_zstd_are_undone_also_for_a_sink_that_pauses),
        cmocka_unit_test(n16_what_is_cut_is_asked_for_twice_more_and_never_whole),
        cmocka_unit_test(n15_what_is_damaged_is_asked_for_again),
        cmocka_unit_test(a_bomb_is_refused_before_it_fills_the_memory),
        cmocka_unit_test(other_codings_and_two_layers_are_refused),
        cmocka_unit_test(the_words_of_a_refusal_are_unpacked_too),
        cmocka_unit_test(n10_what_is_behind_an_answer_is_not_the_next_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
