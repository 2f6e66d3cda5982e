/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/secret.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char token[] = "0123456789abcdef0123";

static void a_token_may_go_to_the_archive_by_https_or_to_one_on_this_machine(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        int port;
        bool https, may;
    } places[] = {
        {"mast.stsci.edu", 443, true, true},       {"stsci.edu", 443, true, true},
        {"mastweb.stsci.edu", 8443, true, true},   {"mast.stsci.edu", 80, false, false},
        {"notstsci.edu", 443, true, false},        {"mast.stsci.edu.example.org", 443, true, false},
        {".stsci.edu", 443, true, false},          {"127.0.0.1", 8123, false, true},
        {"127.0.0.1", 8124, false, false},         {"127.0.0.1", 8123, true, false},
        {"127.0.0.2", 8123, false, false},         {"localhost", 80, false, true},
        {"localhost", 8080, false, false},         {"[::1]", 9000, false, true},
        {"archive.example.org", 443, true, false}, /* named, but not on this machine */
    };
    hal_clock clock = hal_clock_system();
    hal_host_config config = {0};
    hal_err err = HAL_ERR_INIT;
    hal_loop *loop = hal_loop_new(&clock, &err);
    hal_host *host = hal_host_new(loop, &config, &err);
    assert_non_null(host);
    assert_int_equal(hal_host_set(host, "archive", "http://127.0.0.1:8123", &err), HAL_OK);
    assert_int_equal(hal_host_set(host, "archive.cone", "http://LOCALHOST/scs?x", &err), HAL_OK);
    assert_int_equal(hal_host_set(host, "archive.tap", "http://[::1]:9000/tap", &err), HAL_OK);
    assert_int_equal(hal_host_set(host, "archive.sia", "https://archive.example.org", &err),
                     HAL_OK);
    assert_int_equal(hal_host_set(host, "output", "http://127.0.0.1:8124", &err), HAL_OK);
    setenv("MAST_API_TOKEN", token, 1);
    hal_credentials c = {0};
    assert_int_equal(hal_credentials_mast(&c, host, &err), HAL_OK);
    assert_string_equal(c.net.authorization, "token 0123456789abcdef0123");
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (c.net.may_go(c.net.ctx, places[i].host, places[i].port, places[i].https) !=
            places[i].may)
            fail_msg("%s:%d", places[i].host, places[i].port);
    hal_credentials_clear(&c);
    unsetenv("MAST_API_TOKEN");
    hal_host_free(host);
    hal_loop_free(loop);
}

static void every_occurrence_of_a_secret_is_overwritten(void **state)
{
    (void)state;
    const hal_secrets s = {.values = {token, "p&ss", "abc"}, .n_values = 3};
    char text[] = "0123456789abcdef01230123456789abcdef0123 p&ss p&sp&ss abc 0123456789abcdef012";
    hal_secrets_hide(&s, text, sizeof text - 1, HAL_SECRET_TEXT_MIN);
    assert_string_equal(
        text, "**************************************** **** p&s**** abc 0123456789abcdef012");
    char data[] = "p&ss 0123456789abcdef0123";
    hal_secrets_hide(&s, data, sizeof data - 1, HAL_SECRET_DATA_MIN);
    assert_string_equal(data, "p&ss ********************");
    hal_secrets_hide(&s, NULL, 0, HAL_SECRET_TEXT_MIN);
}

static void a_secret_is_known_url_encoded_and_in_base64_wherever_it_stands(void **state)
{
    (void)state;
    hal_secrets s = {0};
    const hal_secrets given = {.values = {"s3cr3t/wo?d~~>"}, .n_values = 1};
    assert_int_equal(hal_secrets_copy(&s, &given, NULL), HAL_OK);
    assert_int_equal(hal_secrets_add_forms(&s, NULL), HAL_OK);
    /* "s3cr3t/wo?d~~>" itself and behind "u:", "me:" and "you:", by base64(1), the second in the
     * alphabet for addresses */
    static const char *const shown[] = {
        "x=s3cr3t/wo?d~~>",
        "x=s3cr3t%2Fwo%3Fd~~%3E",
        "Basic czNjcjN0L3dvP2R+fj4=",
        "Basic dTpzM2NyM3Qvd28_ZH5-Pg==",
        "Basic bWU6czNjcjN0L3dvP2R+fj4=",
        "Basic eW91OnMzY3IzdC93bz9kfn4+",
    };
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        char text[80];
        snprintf(text, sizeof text, "%s", shown[i]);
        hal_secrets_hide(&s, text, strlen(text), HAL_SECRET_TEXT_MIN);
        if (!strstr(text, "***********"))
            fail_msg("%s", text);
        assert_null(strstr(text, "cjN0"));
        assert_null(strstr(text, "IzdC"));
        assert_null(strstr(text, "NyM3"));
    }
    hal_secrets_wipe(&s);
}

static void parameters_that_hold_credentials_are_cut_out_of_every_error(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"GET https://h/x?a=1&token=abcdef&b=2 failed", "GET https://h/x?a=1&token=***&b=2 failed"},
        {"https://h/?KEY=k1 https://h/?ApiKey=longer#f",
         "https://h/?KEY=** https://h/?ApiKey=***#f"},
        {"?X-Amz-Signature=00ff&X-Amz-Credential=AK%2Fx\"",
         "?X-Amz-Signature=***&X-Amz-Credential=***\""},
        {"?password=p&signature=s<", "?password=*&signature=*<"},
        {"?keyword=m31&monkey=1&token=&x=token=1", "?keyword=m31&monkey=1&token=&x=token=1"},
        {"key=value without an address", "key=value without an address"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        hal_err err = HAL_ERR_INIT;
        hal_err_set(&err, HAL_E_NETWORK, "%s", pairs[i][0]);
        assert_string_equal(err.text, pairs[i][1]);
        hal_err_note(&err, err.status, "?token=%s", "secret");
        assert_null(strstr(err.text, "secret"));
    }
}

static char seen[200];

static void keep_event(void *ctx, const char *kind, const char *json)
{
    (void)ctx;
    (void)kind;
    snprintf(seen, sizeof seen, "%s", json);
}

static void parameters_that_hold_credentials_are_cut_out_of_the_log(void **state)
{
    (void)state;
    hal_clock clock = hal_clock_system();
    hal_host_config config = {0};
    hal_loop *loop = hal_loop_new(&clock, NULL);
    hal_host *host = hal_host_new(loop, &config, NULL);
    assert_non_null(host);
    hal_host_on_event(host, keep_event, NULL);
    hal_host_log(host, "warning", "GET https://h/x?token=abcdef");
    assert_string_equal(seen, "{\"level\":\"warning\",\"text\":\"GET https://h/x?token=***\"}");
    hal_host_free(host);
    hal_loop_free(loop);
}

static void credentials_are_whole_or_memory_ran_out(void **state)
{
    (void)state;
    setenv("MAST_API_TOKEN", token, 1);
    setenv("CASJOBS_PW", "p&ss", 1);
    setenv("CASJOBS_WSID", "12345", 1);
    size_t n_made, n = 0;
    do {
        hal_credentials c = {0};
        hal_secrets copy = {0};
        hal_err err = HAL_ERR_INIT;
        hal_alloc_fail_at(++n);
        hal_status st = hal_credentials_mast(&c, NULL, &err);
        if (!st)
            st = hal_credentials_form(&c, NULL, hal_slice_of("a=b"), "wsid", "CASJOBS_WSID", &err);
        if (!st)
            st = hal_credentials_form(&c, NULL, (hal_slice){NULL, 0}, "pw", "CASJOBS_PW", &err);
        if (!st)
            st = hal_secrets_copy(&copy, &c.net, &err);
        n_made = hal_alloc_fail_at(0);
        if (st)
            assert_int_equal(st, HAL_E_NOMEM);
        else
            assert_string_equal(hal_buf_text(&c.body), "a=b&wsid=12345&pw=p%26ss");
        assert_int_equal(copy.n_values, st ? 0 : 4);
        hal_secrets_wipe(&copy);
        hal_credentials_clear(&c);
    } while (n_made >= n);
    assert_true(n > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_may_go_to_the_archive_by_https_or_to_one_on_this_machine),
        cmocka_unit_test(every_occurrence_of_a_secret_is_overwritten),
        cmocka_unit_test(a_secret_is_known_url_encoded_and_in_base64_wherever_it_stands),
        cmocka_unit_test(parameters_that_hold_credentials_are_cut_out_of_every_error),
        cmocka_unit_test(parameters_that_hold_credentials_are_cut_out_of_the_log),
        cmocka_unit_test(credentials_are_whole_or_memory_ran_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
