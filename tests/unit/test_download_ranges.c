/* SPDX-License-Identifier: BSD-3-Clause */
/* Large files by several ranges at once: all of one file or from zero, and never mixed. */
#include "net/download.h"

#include "support/download_fixture.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { RANGE = 16 << 20, BIG = 72 << 20, N_RANGES = 5 };

static char *big;
static char big_sha[HAL_SHA256_TEXT_SIZE];

typedef struct big_archive {
    const char *etag;     /* "\"v1\"" */
    bool ignores_range;   /* 200 with all of it */
    size_t odd_from;      /* ranges that begin here or later are of another file, once: */
    const char *odd_etag; /* this one, if given */
    bool odd_range;       /* or another range than asked for */
    size_t held_from;     /* this range is never answered */
    int cut_until;        /* requests below this number are cut in their middle */
    atomic_bool was_odd;
    char *reply[64];
} big_archive;

static raw_reply serve_big(void *ctx, int i, const char *request)
{
    big_archive *a = ctx;
    size_t first = 0, end = BIG;
    const char *range = a->ignores_range ? NULL : strstr(request, "Range: bytes=");
    assert_true(i < 64);
    if (range) {
        char *dash;
        first = strtoul(range + 13, &dash, 10);
        if (dash[1] >= '0' && dash[1] <= '9')
            end = strtoul(dash + 1, NULL, 10) + 1;
    }
    if (a->held_from && first == a->held_from)
        return (raw_reply){"HTTP/1.1 ", 0, RAW_HOLD};
    bool odd = a->odd_from && first >= a->odd_from && !atomic_exchange(&a->was_odd, true);
    char head[400];
    int n = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nETag: %s\r\nContent-Length: %zu\r\n",
                     range ? "206 Partial Content" : "200 OK",
                     odd && a->odd_etag ? a->odd_etag
                     : a->etag          ? a->etag
                                        : "\"v1\"",
                     end - first);
    if (range)
        n += snprintf(head + n, sizeof head - (size_t)n, "Content-Range: bytes %zu-%zu/%d\r\n",
                      first - (odd && a->odd_range), end - 1 - (odd && a->odd_range), BIG);
    n += snprintf(head + n, sizeof head - (size_t)n, "\r\n");
    size_t n_body = i < a->cut_until ? (end - first) / 2 : end - first;
    char *bytes = a->reply[i] = malloc((size_t)n + n_body);
    memcpy(bytes, head, (size_t)n);
    memcpy(bytes + n, big + first, n_body);
    if (odd) /* what is taken of it would show */
        memset(bytes + n, 0, n_body);
    return (raw_reply){bytes, (size_t)n + n_body, i < a->cut_until ? RAW_CLOSE : RAW_KEEP};
}

static void stop_big(raw_server *server, big_archive *a)
{
    raw_server_stop(server);
    for (int i = 0; i < 64; i++)
        free(a->reply[i]);
}

static const hal_download_request request = {.path = "a/b.dat", .expect_bytes = BIG};

static void assert_big(const got *g)
{
    assert_string_equal(g->result.err.text, "");
    assert_string_equal(g->result.sha256, big_sha);
    assert_string_equal(g->result.warning, "");
    char sha256[HAL_SHA256_TEXT_SIZE];
    char *bytes = malloc(BIG + 1);
    FILE *f = fopen(path_of("a/b.dat"), "r");
    assert_non_null(f);
    assert_int_equal(fread(bytes, 1, BIG + 1, f), BIG);
    fclose(f);
    hash_of(bytes, BIG, sha256);
    free(bytes);
    assert_string_equal(sha256, big_sha);
    assert_nothing_left_but("b.dat");
}

static int n_asking(raw_server *server, const char *text)
{
    int n = 0;
    for (int i = 0; i < raw_server_requests(server); i++)
        n += strstr(raw_server_request(server, i), text) != NULL;
    return n;
}

static void a_large_file_comes_in_ranges_and_leaves_the_host_room(void **state)
{
    (void)state;
    big_archive a = {0};
    raw_server *server = raw_server_start_with(serve_big, &a);
    got g = fetch(request, raw_server_port(server));
    assert_big(&g);
    assert_int_equal(g.result.tries, 1);
    assert_int_equal(raw_server_requests(server), N_RANGES);
    for (size_t i = 0; i < N_RANGES; i++) { /* each once */
        char line[80];
        size_t end = (i + 1) * RANGE < BIG ? (i + 1) * RANGE : BIG;
        snprintf(line, sizeof line, "Range: bytes=%zu-%zu\r\n", i * RANGE, end - 1);
        assert_int_equal(n_asking(server, line), 1);
    }
    assert_int_equal(n_asking(server, "If-Range: \"v1\"\r\n"), N_RANGES - 1);
    assert_in_range(raw_server_most_at_once(server), 1, 3); /* of the window of 4 */
    stop_big(server, &a);
}

static void a_busy_host_is_asked_for_one_stream(void **state)
{
    (void)state;
    big_archive a = {0};
    raw_server *server = raw_server_start_with(serve_big, &a);
    char host[32];
    snprintf(host, sizeof host, "127.0.0.1:%d", raw_server_port(server));
    assert_int_equal(hal_host_limit(NULL, host, 2, 0, NULL), HAL_OK);
    got g = fetch(request, raw_server_port(server));
    assert_big(&g);
    assert_int_equal(g.result.tries, 1);
    assert_int_equal(raw_server_requests(server), 2);
    assert_int_equal(n_asking(server, "Range: bytes=16777216-\r\n"), 1);
    stop_big(server, &a);
}

static void a_server_without_ranges_is_asked_once(void **state)
{
    (void)state;
    big_archive a = {.ignores_range = true};
    raw_server *server = raw_server_start_with(serve_big, &a);
    got g = fetch(request, raw_server_port(server));
    assert_big(&g);
    assert_int_equal(raw_server_requests(server), 1);
    stop_big(server, &a);
}

static void ranges_that_cannot_be_told_to_be_of_one_file_are_not_used(void **state)
{
    (void)state;
    big_archive a = {.etag = "W/\"v1\""};
    raw_server *server = raw_server_start_with(serve_big, &a);
    got g = fetch(request, raw_server_port(server));
    assert_big(&g);
    assert_int_equal(raw_server_requests(server), 2);
    assert_null(strstr(raw_server_request(server, 1), "Range:"));
    stop_big(server, &a);
}

static void D1_D4_a_range_of_another_file_or_place_means_from_zero(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        big_archive a = {.odd_from = 2 * RANGE};
        if (i)
            a.odd_range = true;
        else
            a.odd_etag = "\"v2\"";
        raw_server *server = raw_server_start_with(serve_big, &a);
        got g = fetch(request, raw_server_port(server));
        assert_big(&g);
        int last = raw_server_requests(server) - 1; /* all in one */
        assert_null(strstr(raw_server_request(server, last), "Range:"));
        stop_big(server, &a);
        unlink(path_of("a/b.dat"));
        unlink(path_of(".halyard/files"));
    }
}

static void N4_ranges_that_are_cut_go_on_where_they_stopped(void **state)
{
    (void)state;
    big_archive a = {.cut_until = 4};
    raw_server *server = raw_server_start_with(serve_big, &a);
    got g = fetch(request, raw_server_port(server));
    assert_big(&g);
    assert_in_range(raw_server_requests(server), N_RANGES + 1, N_RANGES + 4);
    stop_big(server, &a);
}

/* The third range never comes; those behind it are on the disk when the program is killed. */
static void L10_a_killed_run_goes_on_before_the_first_gap(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); /* it lets no forked child of a threaded program start threads */
#endif
    big_archive a = {.held_from = 2 * RANGE};
    raw_server *server = raw_server_start_with(serve_big, &a);
    pid_t child = fork();
    if (!child) {
        fetch(request, raw_server_port(server));
        _exit(0);
    }
    struct stat part = {0};
    while (part.st_size < BIG) {
        assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
        if (stat(path_of("a/.b.dat.part"), &part))
            part.st_size = 0;
        poll(NULL, 0, 1);
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    raw_server_release(server);
    int before = raw_server_requests(server);
    a.held_from = 0;
    got g = fetch(request, raw_server_port(server));
    assert_big(&g);
    const char *range = strstr(raw_server_request(server, before), "Range: bytes=");
    assert_non_null(range);
    assert_in_range(strtoul(range + 13, NULL, 10), RANGE, 2 * RANGE);
    stop_big(server, &a);
}

/* A limit on the size of files stands for a full disk. */
static void L1_a_full_disk_keeps_what_has_no_gap(void **state)
{
    (void)state;
    big_archive a = {0};
    raw_server *server = raw_server_start_with(serve_big, &a);
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){2 * RANGE + 100000, old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    got g = fetch(request, raw_server_port(server));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(g.result.err.status, HAL_E_IO);
    assert_false(exists("a/b.dat"));
    int before = raw_server_requests(server);
    g = fetch(request, raw_server_port(server));
    assert_big(&g);
    const char *range = strstr(raw_server_request(server, before), "Range: bytes=");
    assert_non_null(range);
    assert_in_range(strtoul(range + 13, NULL, 10), RANGE, 2 * RANGE + 100000);
    stop_big(server, &a);
}

int main(void)
{
    big = malloc(BIG);
    uint32_t x = 1;
    for (size_t i = 0; i < BIG; i++)
        big[i] = (char)((x = x * 1664525 + 1013904223) >> 24);
    hash_of(big, BIG, big_sha);
    const struct CMUnitTest tests[] = {
        IN_DIR(a_large_file_comes_in_ranges_and_leaves_the_host_room),
        IN_DIR(a_busy_host_is_asked_for_one_stream),
        IN_DIR(a_server_without_ranges_is_asked_once),
        IN_DIR(ranges_that_cannot_be_told_to_be_of_one_file_are_not_used),
        IN_DIR(D1_D4_a_range_of_another_file_or_place_means_from_zero),
        IN_DIR(N4_ranges_that_are_cut_go_on_where_they_stopped),
        IN_DIR(L1_a_full_disk_keeps_what_has_no_gap),
        IN_DIR(L10_a_killed_run_goes_on_before_the_first_gap),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(big);
    return failed;
}
