/* SPDX-License-Identifier: BSD-3-Clause */
/* What this machine does to an exchange: it sleeps, it has no descriptor left, its resolver hangs,
 * its wall clock jumps (fault matrix L13, L14, L18). */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "net/exchange.h"

#include "support/exchange_fixture.h"

#include <dlfcn.h>
#include <netdb.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static const hal_clock *system_clock(void)
{
    static hal_clock clock;
    clock = hal_clock_system();
    return &clock;
}

static hal_loop *loop_by(const hal_clock *clock)
{
    hal_loop *loop = hal_loop_new(clock, NULL);
    assert_non_null(loop);
    hal_loop_guard(loop, NULL, true, NULL);
    return loop;
}

/* The process stops, and goes on after `ms`. */
static void stop_for(int ms)
{
    pid_t parent = getpid(), child = fork();
    if (!child) {
        kill(parent, SIGSTOP);
        usleep((useconds_t)ms * 1000);
        kill(parent, SIGCONT);
        _exit(0);
    }
    while (waitpid(child, NULL, 0) < 0)
        continue;
}

/* L14 */
static void a_stopped_process_asks_again_and_its_deadlines_move(void **state)
{
    (void)state;
    raw_reply silent = {NULL, 0, RAW_HOLD};
    raw_server *server = raw_server_start(REPLIES(silent, {OK_BODY}));
    hal_loop *loop = loop_by(system_clock());
    hal_loop_set_waits(loop, &(hal_waits){.sleep_ms = 500});
    asked a = {0};
    hal_request r = plain;
    r.tries_max = 2; /* the first is not charged: see below */
    r.deadline_ms = 1200;
    ask(loop, &a, r, raw_server_port(server), "/x");
    while (!raw_server_requests(server))
        assert_int_equal(hal_loop_step(loop, 5, NULL), HAL_OK);
    stop_for(1500); /* longer than the deadline */
    while (!a.n_done)
        assert_int_equal(hal_loop_step(loop, 50, NULL), HAL_OK);
    assert_string_equal(a.outcome.err.text, "");
    assert_int_equal(a.outcome.tries, 1);
    assert_int_equal(raw_server_requests(server), 2);
    assert_int_equal(raw_server_connections(server), 2); /* the old one was dropped */
    hal_buf_clear(&a.body);
    hal_loop_free(loop);
    raw_server_stop(server);
}

static void a_gap_while_it_waits_is_a_sleep_too(void **state)
{
    (void)state;
    raw_server *server = raw_server_start(REPLIES({NULL, 0, RAW_HOLD}));
    hal_loop *loop = new_loop();
    asked a = {0};
    hal_request r = {.method = "POST", .body = hal_slice_of("x"), .repeatable = false};
    ask(loop, &a, r, raw_server_port(server), "/x");
    while (!raw_server_requests(server))
        assert_int_equal(hal_loop_step(loop, 5, NULL), HAL_OK);
    now_ns += 59 * HAL_NS_PER_S; /* no sleep yet */
    assert_int_equal(hal_loop_step(loop, 0, NULL), HAL_OK);
    assert_int_equal(hal_loop_stats(loop).in_flight, 1);
    now_ns += 3600 * HAL_NS_PER_S;
    run_until_done(loop, &a, 0);
    assert_non_null(strstr(a.outcome.err.text, "this machine slept for 3600 s"));
    assert_false(a.outcome.err.retryable);
    hal_loop_free(loop);
    raw_server_stop(server);
}

static int64_t wall_ms_now;

static int64_t jumping_wall(void *ctx)
{
    (void)ctx;
    wall_ms_now = wall_ms_now ? 0 : INT64_C(4000000000000); /* 1970 and 2096 in turn */
    return wall_ms_now;
}

/* L13 */
static void a_wall_clock_that_jumps_moves_no_deadline(void **state)
{
    (void)state;
    hal_clock clock = {test_ns, jumping_wall, NULL};
    raw_server *server = raw_server_start(REPLIES(
        {"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"}, {NULL, 0, RAW_HOLD}));
    hal_loop *loop = loop_by(&clock);
    asked a = {0};
    hal_request r = plain;
    r.first_byte_ms = 20000;
    r.tries_max = 2;
    ask(loop, &a, r, raw_server_port(server), "/x");
    run_through_silence(loop, &a.n_done, 100);
    assert_int_equal(a.outcome.err.status, HAL_E_TIMEOUT);
    double s = (double)a.outcome.elapsed_ns / (double)HAL_NS_PER_S;
    assert_true(s >= 27 && s < 30);
    hal_loop_free(loop);
    raw_server_stop(server);
}

/* A server in a process of its own, whose descriptors are its own. */
static pid_t serve_elsewhere(int *port)
{
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    if (!child) {
        static const raw_reply ok = {OK_BODY, 0, RAW_KEEP};
        raw_server *server = raw_server_start(&ok, 1);
        int mine = raw_server_port(server);
        if (write(pipe_fds[1], &mine, sizeof mine) != sizeof mine)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(pipe_fds[0], port, sizeof *port), sizeof *port);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return child;
}

/* L18 */
static void without_descriptors_fewer_go_at_once_and_none_fails(void **state)
{
    (void)state;
    enum { MANY = 40, SPARE = 6 };
    int port;
    pid_t child = serve_elsewhere(&port);
    hal_loop *loop = loop_by(system_clock());
    char host[64];
    snprintf(host, sizeof host, "127.0.0.1:%d", port);
    assert_int_equal(hal_host_limit(loop, host, 32, 0, NULL), HAL_OK);
    asked first = {0}, many[MANY] = {0};
    ask(loop, &first, plain, port, "/x"); /* what libcurl opens once is open now */
    run_until_done(loop, &first, 0);
    hal_buf_clear(&first.body);
    struct rlimit old, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    int highest = dup(0);
    close(highest);
    few = old;
    few.rlim_cur = (rlim_t)highest + SPARE;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    for (int i = 0; i < MANY; i++)
        ask(loop, &many[i], plain, port, "/x");
    for (int i = 0; i < MANY; i++) {
        while (!many[i].n_done)
            assert_int_equal(hal_loop_step(loop, 50, NULL), HAL_OK);
        assert_string_equal(many[i].outcome.err.text, "");
        assert_int_equal(many[i].outcome.tries, 1);
        hal_buf_clear(&many[i].body);
    }
    few.rlim_cur = (rlim_t)highest;
    hal_loop_free(loop);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* The resolver of this program: hangs for one name until it is told to give up. */
static int resolver_fd = -1;

__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **out)
{
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (!real) {
        void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
        memcpy(&real, &symbol, sizeof real);
    }
    if (node && !strcmp(node, "hangs.example")) {
        struct pollfd fd = {resolver_fd, POLLIN, 0};
        poll(&fd, 1, -1);
        return EAI_AGAIN;
    }
    return real(node, service, hints, out);
}

static void a_hanging_resolver_is_named_after_ten_seconds(void **state)
{
    (void)state;
    resolver_fd = eventfd(0, 0);
    hal_loop *loop = new_loop();
    hal_request r = {.url = "http://hangs.example/x", .tries_max = 1};
    asked a = {0};
    hal_sink sink = {on_begin, on_write, on_end, &a};
    a.x = hal_exchange_start(loop, &r, &sink, on_done, &a, NULL);
    assert_non_null(a.x);
    run_through_silence(loop, &a.n_done, 500);
    signal_fd(resolver_fd);
    assert_int_equal(a.outcome.err.status, HAL_E_TIMEOUT);
    assert_non_null(strstr(a.outcome.err.text, "its name was not resolved within 10 s"));
    assert_in_range(a.outcome.elapsed_ns, 10 * HAL_NS_PER_S, 12 * HAL_NS_PER_S);
    hal_loop_free(loop);
    close(resolver_fd);
}

/* A port whose queue of connections is full answers nothing. */
static void a_host_that_does_not_answer_the_connection_is_named_after_fifteen_seconds(void **state)
{
    (void)state;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0), full[4];
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    for (int i = 0; i < 4; i++) {
        full[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(full[i], (struct sockaddr *)&at, sizeof at);
    }
    hal_loop *loop = new_loop();
    asked a = {0};
    ask(loop, &a, once, ntohs(at.sin_port), "/x");
    run_through_silence(loop, &a.n_done, 500);
    assert_int_equal(a.outcome.err.status, HAL_E_TIMEOUT);
    assert_non_null(strstr(a.outcome.err.text, "not connected within 15 s"));
    assert_in_range(a.outcome.elapsed_ns, 15 * HAL_NS_PER_S, 17 * HAL_NS_PER_S);
    hal_loop_free(loop);
    for (int i = 0; i < 4; i++)
        close(full[i]);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_descriptors_fewer_go_at_once_and_none_fails),
        cmocka_unit_test(a_stopped_process_asks_again_and_its_deadlines_move),
        cmocka_unit_test(a_gap_while_it_waits_is_a_sleep_too),
        cmocka_unit_test(a_wall_clock_that_jumps_moves_no_deadline),
        cmocka_unit_test(a_hanging_resolver_is_named_after_ten_seconds),
        cmocka_unit_test(a_host_that_does_not_answer_the_connection_is_named_after_fifteen_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
