/* SPDX-License-Identifier: BSD-3-Clause */
/* TLS and HTTP/2 against nginx, with certificates made here (fault matrix N21). */
#define _GNU_SOURCE
#include "net/exchange.h"

#include "support/exchange_fixture.h"
#include "support/servers.h"

#include <time.h>

enum { GOOD, EXPIRED, WRONG_NAME, SELF_SIGNED, KINDS };
static const char *const kinds[KINDS] = {"good", "expired", "wrong", "self"};
static int ports[KINDS], plain_port, old_port;
static pid_t nginx;

/* On a busy machine nginx writes its log so long after the last byte; the slow answers take 1 s. */
static const double LATE_S = 0.3;

#define NEW_KEY "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"

static void sign(const char *kind, const char *names, int days)
{
    char text[600];
    snprintf(text, sizeof text,
             "openssl req " NEW_KEY " -keyout %s.key -out %s.csr -subj /CN=test -addext "
             "subjectAltName=%s && openssl x509 -req -in %s.csr -CA ca.pem -CAkey ca.key -days %d "
             "-copy_extensions copy -out %s.pem",
             kind, kind, names, kind, days, kind);
    assert_int_equal(run_command(text), 0);
}

static void write_conf(void)
{
    FILE *conf = open_in_dir("nginx.conf", "w");
    fprintf(conf,
            "daemon off; master_process off; pid %s/pid; error_log %s/error.log;\n"
            "events { worker_connections 256; }\nhttp {\n"
            "log_format seen '$server_port $connection $server_protocol $msec $request_time';\n"
            "access_log %s/access.log seen;\nclient_body_temp_path %s/b; proxy_temp_path %s/p;\n"
            "fastcgi_temp_path %s/f; uwsgi_temp_path %s/u; scgi_temp_path %s/s;\nroot %s;\n",
            servers_dir, servers_dir, servers_dir, servers_dir, servers_dir, servers_dir,
            servers_dir, servers_dir, servers_dir);
    plain_port = free_port();
    for (int i = 0; i < KINDS; i++)
        fprintf(conf,
                "server { listen 127.0.0.1:%d ssl http2; ssl_certificate %s/%s.pem;\n"
                "ssl_certificate_key %s/%s.key; location /slow { alias %s/slow.txt; "
                "limit_rate 2k; }\nlocation /back { return 302 http://127.0.0.1:%d/; } }\n",
                ports[i] = free_port(), servers_dir, kinds[i], servers_dir, kinds[i], servers_dir,
                plain_port);
    fprintf(conf,
            "server { listen 127.0.0.1:%d ssl; ssl_certificate %s/good.pem; "
            "ssl_certificate_key %s/good.key; }\n",
            old_port = free_port(), servers_dir, servers_dir);
    fprintf(conf, "server { listen 127.0.0.1:%d; return 302 https://127.0.0.1:%d/x; }\n}\n",
            plain_port, ports[GOOD]);
    fclose(conf);
}

static int begin(void **state)
{
    (void)state;
    servers_open();
    if (!has_program("nginx") || !has_program("openssl"))
        return 0;
    assert_int_equal(run_command("openssl req -x509 " NEW_KEY " -keyout ca.key -out ca.pem -days 2 "
                                 "-subj '/CN=test authority'"),
                     0);
    sign(kinds[GOOD], "DNS:localhost,IP:127.0.0.1", 2);
    sign(kinds[EXPIRED], "DNS:localhost,IP:127.0.0.1", -1);
    sign(kinds[WRONG_NAME], "DNS:elsewhere.example", 2);
    assert_int_equal(run_command("openssl req -x509 " NEW_KEY " -keyout self.key -out self.pem "
                                 "-days 2 -subj /CN=test -addext "
                                 "subjectAltName=DNS:localhost,IP:127.0.0.1"),
                     0);
    FILE *file = open_in_dir("x", "w");
    fputs("hello", file);
    fclose(file);
    file = open_in_dir("slow.txt", "w");
    for (int i = 0; i < 3000; i++)
        fputc('s', file);
    fclose(file);
    write_conf();
    char path[PATH_MAX];
    in_dir("nginx.conf", path);
    const char *argv[] = {"/usr/sbin/nginx", "-c", path, NULL};
    nginx = begin_program(argv);
    wait_for_port(ports[GOOD]);
    return 0;
}

static int end(void **state)
{
    (void)state;
    stop_program(nginx);
    servers_close();
    return 0;
}

static void need_nginx(void)
{
    if (nginx <= 0)
        fail_msg("nginx and openssl are not installed (packages nginx-light, openssl)");
}

static hal_loop *trusting_loop(bool trusts)
{
    char path[PATH_MAX];
    hal_loop *loop = new_loop();
    if (trusts)
        assert_int_equal(
            hal_loop_set_network(loop, &(hal_net_options){.ca_file = in_dir("ca.pem", path)}, NULL),
            HAL_OK);
    return loop;
}

static void ask_tls(hal_loop *loop, asked *a, int port, const char *path)
{
    char url[100];
    snprintf(url, sizeof url, "https://127.0.0.1:%d%s", port, path);
    hal_request r = {.url = url, .repeatable = true};
    hal_sink sink = {on_begin, on_write, on_end, a};
    hal_buf_init(&a->body, 1 << 20);
    a->x = hal_exchange_start(loop, &r, &sink, on_done, a, NULL);
    assert_non_null(a->x);
}

static hal_outcome outcome_of(int kind, bool trusts)
{
    hal_loop *loop = trusting_loop(trusts);
    asked a = {0};
    ask_tls(loop, &a, ports[kind], "/x");
    run_until_done(loop, &a, 500);
    hal_buf_clear(&a.body);
    hal_loop_free(loop);
    return a.outcome;
}

static void an_authority_of_the_user_is_trusted(void **state)
{
    (void)state;
    need_nginx();
    hal_outcome o = outcome_of(GOOD, true);
    assert_string_equal(o.err.text, "");
    assert_int_equal(o.body_bytes, 5);
}

/* N21 */
static void n21_what_cannot_be_trusted_is_refused_once_and_for_good(void **state)
{
    (void)state;
    need_nginx();
    static const struct {
        int kind;
        bool trusts;
        const char *word;
    } cases[] = {{GOOD, false, "issuer"},
                 {EXPIRED, true, "expired"},
                 {WRONG_NAME, true, "127.0.0.1"},
                 {SELF_SIGNED, true, "self-signed"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hal_outcome o = outcome_of(cases[i].kind, cases[i].trusts);
        assert_int_equal(o.err.status, HAL_E_NETWORK);
        assert_string_equal(hal_err_fault(&o.err), "permanent");
        assert_int_equal(o.tries, 1);
        assert_int_equal(o.body_bytes, 0);
        assert_non_null(strstr(o.err.text, "cannot be trusted"));
        assert_non_null(strstr(o.err.text, "--ca-file"));
        if (!strcasestr(o.err.text, cases[i].word))
            fail_msg("%s", o.err.text);
    }
}

static void a_file_of_authorities_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    hal_loop *loop = new_loop();
    hal_err err = HAL_ERR_INIT;
    assert_int_equal(
        hal_loop_set_network(loop, &(hal_net_options){.ca_file = "/no/such.pem"}, &err), HAL_E_IO);
    assert_non_null(strstr(err.text, "/no/such.pem"));
    hal_loop_free(loop);
}

typedef struct seen {
    int n, n_http2, n_connections, most_at_once;
} seen;

/* What nginx has written of requests to one of its ports. */
static seen look_at_log(int port)
{
    seen s = {0};
    long connections[256];
    double from[256], to[256];
    FILE *log = open_in_dir("access.log", "r");
    char line[200];
    while (s.n < 256 && fgets(line, sizeof line, log)) {
        int at;
        char protocol[20];
        double end_s, took_s;
        if (sscanf(line, "%d %ld %19s %lf %lf", &at, &connections[s.n], protocol, &end_s,
                   &took_s) != 5 ||
            at != port)
            continue;
        from[s.n] = end_s - took_s;
        to[s.n] = end_s;
        s.n_http2 += !strcmp(protocol, "HTTP/2.0");
        bool known = false;
        for (int i = 0; i < s.n; i++)
            known = known || connections[i] == connections[s.n];
        s.n_connections += !known;
        s.n++;
    }
    fclose(log);
    for (int i = 0; i < s.n; i++) {
        int at_once = 0;
        for (int k = 0; k < s.n; k++)
            at_once += from[k] < from[i] + 0.01 && to[k] > from[i] + LATE_S;
        s.most_at_once = at_once > s.most_at_once ? at_once : s.most_at_once;
    }
    return s;
}

/* The same once there are `n`: nginx writes a line behind the answer. */
static seen read_log(int port, int n)
{
    seen s = look_at_log(port);
    for (int i = 0; i < 500 && s.n < n; i++) {
        nanosleep(&(struct timespec){0, 10000000}, NULL);
        s = look_at_log(port);
    }
    return s;
}

static void http2_requests_share_a_connection_within_the_window(void **state)
{
    (void)state;
    need_nginx();
    enum { MANY = 18, WINDOW = 6 };
    FILE *log = open_in_dir("access.log", "w");
    fclose(log);
    hal_loop *loop = trusting_loop(true);
    char host[64];
    snprintf(host, sizeof host, "127.0.0.1:%d", ports[GOOD]);
    assert_int_equal(hal_host_limit(loop, host, WINDOW, 0, NULL), HAL_OK);
    asked many[MANY] = {0};
    for (int i = 0; i < MANY; i++)
        ask_tls(loop, &many[i], ports[GOOD], "/slow");
    for (int i = 0; i < MANY; i++) {
        run_until_done(loop, &many[i], 0);
        assert_string_equal(many[i].outcome.err.text, "");
        assert_int_equal(many[i].outcome.body_bytes, 3000);
        hal_buf_clear(&many[i].body);
    }
    hal_loop_free(loop);
    seen s = read_log(ports[GOOD], MANY);
    assert_int_equal(s.n, MANY);
    assert_int_equal(s.n_http2, MANY);
    assert_int_equal(s.n_connections, 1);
    assert_in_range(s.most_at_once, 2, WINDOW);
}

/* What TLS itself sends between two answers is nothing left over (N10). */
static void http1_requests_follow_each_other_on_one_connection(void **state)
{
    (void)state;
    need_nginx();
    FILE *log = open_in_dir("access.log", "w");
    fclose(log);
    hal_loop *loop = trusting_loop(true);
    for (int i = 0; i < 5; i++) {
        asked a = {0};
        ask_tls(loop, &a, old_port, "/x");
        run_until_done(loop, &a, 0);
        assert_string_equal(a.outcome.err.text, "");
        assert_int_equal(a.body.size_bytes, 5);
        hal_buf_clear(&a.body);
    }
    hal_loop_free(loop);
    seen s = read_log(old_port, 5);
    assert_int_equal(s.n, 5);
    assert_int_equal(s.n_http2, 0);
    assert_int_equal(s.n_connections, 1);
}

static void http_may_lead_to_https_and_never_back(void **state)
{
    (void)state;
    need_nginx();
    hal_loop *loop = trusting_loop(true);
    asked a = {0};
    ask(loop, &a, plain, plain_port, "/x");
    run_until_done(loop, &a, 0);
    assert_string_equal(a.outcome.err.text, "");
    assert_ptr_equal(strstr(a.outcome.url, "https://"), a.outcome.url);
    hal_buf_clear(&a.body);
    asked back = {0};
    ask_tls(loop, &back, ports[GOOD], "/back");
    run_until_done(loop, &back, 0);
    assert_int_equal(back.outcome.err.status, HAL_E_PERMISSION);
    assert_non_null(strstr(back.outcome.err.text, "from https to http"));
    hal_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_authority_of_the_user_is_trusted),
        cmocka_unit_test(n21_what_cannot_be_trusted_is_refused_once_and_for_good),
        cmocka_unit_test(a_file_of_authorities_that_cannot_be_read_is_named),
        cmocka_unit_test(http2_requests_share_a_connection_within_the_window),
        cmocka_unit_test(http1_requests_follow_each_other_on_one_connection),
        cmocka_unit_test(http_may_lead_to_https_and_never_back),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
