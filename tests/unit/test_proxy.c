/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests through a real proxy (tinyproxy), and when they go through one. */
#define _GNU_SOURCE
#include "net/exchange.h"

#include "support/exchange_fixture.h"
#include "support/servers.h"

static int proxy_port;
static pid_t tinyproxy;

static int begin(void **state)
{
    (void)state;
    servers_open();
    if (!has_program("tinyproxy"))
        return 0;
    FILE *conf = open_in_dir("proxy.conf", "w");
    fprintf(conf,
            "Port %d\nListen 127.0.0.1\nTimeout 30\nAllow 127.0.0.1\nMaxClients 20\n"
            "BasicAuth someone secretword\nViaProxyName \"seen\"\nConnectPort 1\n",
            proxy_port = free_port());
    fclose(conf);
    char path[PATH_MAX];
    const char *argv[] = {"tinyproxy", "-d", "-c", in_dir("proxy.conf", path), NULL};
    tinyproxy = begin_program(argv);
    wait_for_port(proxy_port);
    return 0;
}

static int end(void **state)
{
    (void)state;
    stop_program(tinyproxy);
    servers_close();
    return 0;
}

static void need_proxy(void)
{
    if (tinyproxy <= 0)
        fail_msg("tinyproxy is not installed (package tinyproxy-bin)");
}

static const char *proxy_url(const char *user)
{
    static char url[100];
    snprintf(url, sizeof url, "http://%s127.0.0.1:%d", user, proxy_port);
    return url;
}

typedef struct went {
    hal_outcome outcome;
    bool by_proxy, reached;
} went;

/* How a request for `scheme` "http" goes to a server here. */
static went go(const hal_net_options *options)
{
    raw_server *server = raw_server_start(REPLIES({OK_BODY}));
    hal_loop *loop = new_loop();
    asked a = {0};
    assert_int_equal(hal_loop_set_network(loop, options, NULL), HAL_OK);
    ask(loop, &a, plain, raw_server_port(server), "/x");
    run_until_done(loop, &a, 500);
    const char *request = raw_server_request(server, 0);
    went w = {a.outcome, request && strstr(request, "seen"), request != NULL};
    hal_buf_clear(&a.body);
    hal_loop_free(loop);
    raw_server_stop(server);
    return w;
}

static void a_proxy_that_the_user_names_is_used(void **state)
{
    (void)state;
    need_proxy();
    went w = go(&(hal_net_options){.proxy = proxy_url("someone:secretword@")});
    assert_string_equal(w.outcome.err.text, "");
    assert_true(w.by_proxy);
}

static void a_proxy_that_refuses_is_named_without_its_password(void **state)
{
    (void)state;
    need_proxy();
    went w = go(&(hal_net_options){.proxy = proxy_url("someone:wrongword@")});
    assert_false(w.reached);
    assert_int_equal(w.outcome.http_status, 401); /* tinyproxy's word for it */
    hal_loop *loop = new_loop();
    asked a = {0};
    assert_int_equal(hal_loop_set_network(
                         loop, &(hal_net_options){.proxy = proxy_url("someone:secretword@")}, NULL),
                     HAL_OK);
    hal_request r = {.url = "https://127.0.0.1:7/x",
                     .repeatable = true}; /* CONNECT to 7: refused */
    hal_sink sink = {on_begin, on_write, on_end, &a};
    a.x = hal_exchange_start(loop, &r, &sink, on_done, &a, NULL);
    run_until_done(loop, &a, 500);
    assert_string_equal(hal_err_fault(&a.outcome.err), "permanent");
    assert_non_null(strstr(a.outcome.err.text, "the proxy does not let a request through to "
                                               "127.0.0.1:7 (HTTP 403)"));
    assert_null(strstr(a.outcome.err.text, "secretword"));
    assert_int_equal(a.outcome.http_status, 0);
    hal_loop_free(loop);
}

static void the_environment_is_not_looked_at_unless_told(void **state)
{
    (void)state;
    need_proxy();
    setenv("http_proxy", proxy_url("someone:secretword@"), 1);
    assert_false(go(&(hal_net_options){0}).by_proxy);
    assert_true(go(&(hal_net_options){.proxy_from_env = true}).by_proxy);
    static const char *const direct[] = {"*", "127.0.0.1", "x.example, 127.0.0.1", ".0.0.1"};
    for (size_t i = 0; i < sizeof direct / sizeof *direct; i++) {
        setenv("no_proxy", direct[i], 1);
        assert_false(go(&(hal_net_options){.proxy_from_env = true}).by_proxy);
    }
    static const char *const others[] = {"127.0.0.1:1", "27.0.0.1", "x.example", ","};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        setenv("no_proxy", others[i], 1);
        assert_true(go(&(hal_net_options){.proxy_from_env = true}).by_proxy);
    }
    unsetenv("no_proxy");
    unsetenv("http_proxy");
    setenv("HTTP_PROXY", proxy_url(""), 1); /* whoever asks a CGI program can set this one */
    assert_false(go(&(hal_net_options){.proxy_from_env = true}).by_proxy);
    unsetenv("HTTP_PROXY");
}

static void behind_a_proxy_private_names_still_need_a_grant(void **state)
{
    (void)state;
    static const char *const urls[] = {"http://127.0.0.1/x",    "http://localhost:8080/x",
                                       "http://[::1]/x",        "http://2130706433/x",
                                       "http://db.localhost/x", "http://10.1.2.3/x"};
    hal_loop *loop = new_loop();
    hal_loop_guard(loop, NULL, false, NULL);
    assert_int_equal(
        hal_loop_set_network(loop, &(hal_net_options){.proxy = "http://127.0.0.1:9"}, NULL),
        HAL_OK);
    assert_true(hal_loop_has_proxy(loop));
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        hal_err err = HAL_ERR_INIT;
        hal_request r = {.url = urls[i]};
        assert_null(hal_exchange_start(loop, &r, NULL, on_done, NULL, &err));
        assert_int_equal(err.status, HAL_E_PERMISSION);
    }
    hal_loop_free(loop);
}

static void what_is_no_proxy_is_refused_without_being_shown(void **state)
{
    (void)state;
    static const char *const texts[] = {"ftp://me:secretword@host:1", "http://me:secretword@ho st",
                                        "file:///secretword"};
    hal_loop *loop = new_loop();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        hal_err err = HAL_ERR_INIT;
        assert_int_equal(hal_loop_set_network(loop, &(hal_net_options){.proxy = texts[i]}, &err),
                         HAL_E_USAGE);
        assert_null(strstr(err.text, "secretword"));
    }
    hal_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_proxy_that_the_user_names_is_used),
        cmocka_unit_test(a_proxy_that_refuses_is_named_without_its_password),
        cmocka_unit_test(the_environment_is_not_looked_at_unless_told),
        cmocka_unit_test(behind_a_proxy_private_names_still_need_a_grant),
        cmocka_unit_test(what_is_no_proxy_is_refused_without_being_shown),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
