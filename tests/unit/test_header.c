/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/header.h"

#include "net/target.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define S(text) hal_slice_of(text)

static void all_three_date_forms_are_one_instant(void **state)
{
    (void)state;
    static const char *const good[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
                                       "Sunday, 06-Nov-94 08:49:37 GMT",
                                       "Sun Nov  6 08:49:37 1994"};
    static const char *const bad[] = {"",
                                      "Sun, 06 Nov 1994",
                                      "Sun, 06 Nov 1994 08:49:37 GMT x",
                                      "Sun, 32 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 ovD 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 25:49:37 GMT",
                                      "12"};
    int64_t t;
    for (int i = 0; i < 3; i++) {
        assert_true(hal_header_date(S(good[i]), &t));
        assert_int_equal(t, 784111777);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(hal_header_date(S(bad[i]), &t));
    assert_true(hal_header_date(S("Thu, 29 Feb 2024 00:00:00 GMT"), &t));
    assert_int_equal(t, 1709164800);
}

static void retry_after_is_seconds_or_a_difference_to_the_servers_clock(void **state)
{
    (void)state;
    const char *date = "Sun, 06 Nov 1994 08:49:37 GMT"; /* 784111777 */
    double s = -1;
    assert_true(hal_header_retry_after(S("7"), -1, 0, &s));
    assert_true(s == 7.0);
    assert_true(hal_header_retry_after(S(date), 784111700, 1700000000, &s));
    assert_true(s == 77.0);
    assert_true(hal_header_retry_after(S(date), -1, 784111770, &s));
    assert_true(s == 7.0);
    assert_true(hal_header_retry_after(S(date), -1, 1700000000, &s));
    assert_true(s == 0.0); /* past */
    s = 5;
    assert_false(hal_header_retry_after(S("-3"), -1, 0, &s));
    assert_false(hal_header_retry_after(S("soon"), -1, 0, &s));
    assert_false(hal_header_retry_after(S(""), -1, 0, &s));
    assert_false(hal_header_retry_after(S("99999999999999999999"), -1, 0, &s));
    assert_true(s == 5.0);
}

static void content_ranges_must_be_whole_and_consistent(void **state)
{
    (void)state;
    hal_content_range r;
    assert_true(hal_header_content_range(S("bytes 5-9/10"), &r));
    assert_true(r.first == 5 && r.last == 9 && r.total == 10);
    assert_true(hal_header_content_range(S("bytes 0-0/*"), &r));
    assert_true(r.first == 0 && r.last == 0 && r.total == -1);
    assert_true(hal_header_content_range(S("bytes */300"), &r));
    assert_true(r.first == -1 && r.total == 300);
    static const char *const bad[] = {"",
                                      "bytes",
                                      "bytes 5-9",
                                      "bytes 9-5/10",
                                      "bytes 5-10/10",
                                      "bytes -5/10",
                                      "bytes 5-/10",
                                      "items 5-9/10",
                                      "bytes */*",
                                      "bytes 5-9/10x",
                                      "bytes 5-99999999999999999999/*"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(hal_header_content_range(S(bad[i]), &r));
}

static void only_strong_tags_are_strong(void **state)
{
    (void)state;
    assert_true(hal_header_is_strong_etag(S("\"v1\"")));
    static const char *const bad[] = {"", "v1", "W/\"v1\"", "\"\"", "\"a\"b\"", "\"a b\"", "\"a"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(hal_header_is_strong_etag(S(bad[i])));
}

static void lines_split_at_the_first_colon_after_a_token(void **state)
{
    (void)state;
    hal_slice name, value;
    assert_true(hal_header_split(S("ETag:  \"a:b\" \r\n"), &name, &value));
    assert_true(hal_header_is(name, "etag"));
    assert_true(hal_slice_equals(value, S("\"a:b\"")));
    assert_false(hal_header_split(S("no colon\r\n"), &name, &value));
    assert_false(hal_header_split(S(": x"), &name, &value));
}

static void scripts_may_not_set_what_the_engine_sets(void **state)
{
    (void)state;
    assert_int_equal(hal_header_check("Accept", "text/csv", NULL), HAL_OK);
    assert_int_equal(hal_header_check("X-A", "a\tb", NULL), HAL_OK);
    static const char *const taken[] = {"Host",          "content-length", "Cookie",
                                        "AUTHORIZATION", "Proxy-Anything", "Range",
                                        "Expect",        "bad name",       ""};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        assert_int_equal(hal_header_check(taken[i], "x", NULL), HAL_E_USAGE);
    assert_int_equal(hal_header_check("X-A", "a\r\nHost: b", NULL), HAL_E_USAGE);
    assert_int_equal(hal_header_check("X-A", "\xc3\xbc", NULL), HAL_E_USAGE);
}

static void a_page_is_known_by_its_first_bytes(void **state)
{
    (void)state;
    static const char *const pages[] = {
        "\xef\xbb\xbf \n<!DocType HTML>",
        "<html>",
        "<!doctype\thtml PUBLIC \"\">",
        "<!-- down --> <!-- since ten --><HTML lang='en'>",
        "<head><title>x</title>",
        "<body >",
        "<?xml version='1.0'?>\n<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Strict//EN\">"};
    static const char *const files[] = {"<?xml version='1.0'?>",
                                        "<?xml version='1.0'?><VOTABLE>",
                                        "<!DOCTYPE svg>",
                                        "<h",
                                        "<header>",
                                        "<!-- <html> --",
                                        ""};
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        assert_true(hal_header_is_html(S(pages[i]), S("application/fits")));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        assert_false(hal_header_is_html(S(files[i]), S("")));
    assert_true(hal_header_is_html(S("\n<p>We are down"), S("text/html; charset=utf-8")));
    assert_false(hal_header_is_html(S("<p>We are down"), S("text/plain")));
    assert_false(hal_header_is_html(S("SIMPLE  ="), S("text/html")));
    assert_false(hal_header_is_html(S("<VOTABLE version='1.4'>"), S("text/html")));
    assert_false(hal_header_is_html(S("<?xml version='1.0'?><VOTABLE>"), S("text/html")));
}

static void server_text_becomes_one_clean_line(void **state)
{
    (void)state;
    char out[20];
    hal_header_clean(out, sizeof out, S("  Incorrect\r\n\tsyntax\x1b near '*'. and more"));
    assert_string_equal(out, "Incorrect syntax ne");
    hal_header_clean(out, sizeof out, S("<p>a<br>b</p>"));
    assert_string_equal(out, "a b");
}

static bool is_public(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return hal_address_is_public((struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return hal_address_is_public((struct sockaddr *)&v6);
}

static void private_addresses_are_known_in_every_disguise(void **state)
{
    (void)state;
    static const char *const closed[] = {"0.0.0.0",
                                         "10.1.2.3",
                                         "100.64.0.1",
                                         "100.127.255.255",
                                         "127.0.0.1",
                                         "169.254.169.254",
                                         "172.16.0.1",
                                         "172.31.255.255",
                                         "192.0.0.8",
                                         "192.168.1.1",
                                         "198.18.0.1",
                                         "198.19.255.255",
                                         "224.0.0.1",
                                         "255.255.255.255",
                                         "::",
                                         "::1",
                                         "fc00::1",
                                         "fdff::1",
                                         "fe80::1",
                                         "ff02::1",
                                         "::ffff:127.0.0.1",
                                         "64:ff9b::10.0.0.1",
                                         "2002:c0a8:101::1"};
    static const char *const open[] = {"8.8.8.8",        "100.63.255.255",   "100.128.0.0",
                                       "172.15.0.1",     "172.32.0.1",       "192.0.1.1",
                                       "198.20.0.1",     "130.167.200.1",    "2600:1f18::1",
                                       "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"};
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++)
        if (is_public(closed[i]))
            fail_msg("%s passed as public", closed[i]);
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        if (!is_public(open[i]))
            fail_msg("%s was refused", open[i]);
}

static void every_spelling_of_a_url_has_one_host(void **state)
{
    (void)state;
    const hal_curl *c = hal_curl_load(NULL);
    assert_non_null(c);
    static const char *const pairs[][2] = {
        {"https://MAST.stsci.edu./x", "mast.stsci.edu"},
        {"http://2130706433/", "127.0.0.1"},
        {"http://0x7f.1/", "127.0.0.1"},
        {"http://[::1]:8080/", "[::1]"},
    };
    for (size_t i = 0; i < 4; i++) {
        hal_target t = {0};
        assert_int_equal(hal_target_parse(c, &t, pairs[i][0], NULL, NULL), HAL_OK);
        assert_string_equal(t.host, pairs[i][1]);
        hal_target_clear(c, &t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_three_date_forms_are_one_instant),
        cmocka_unit_test(retry_after_is_seconds_or_a_difference_to_the_servers_clock),
        cmocka_unit_test(content_ranges_must_be_whole_and_consistent),
        cmocka_unit_test(only_strong_tags_are_strong),
        cmocka_unit_test(lines_split_at_the_first_colon_after_a_token),
        cmocka_unit_test(scripts_may_not_set_what_the_engine_sets),
        cmocka_unit_test(a_page_is_known_by_its_first_bytes),
        cmocka_unit_test(server_text_becomes_one_clean_line),
        cmocka_unit_test(private_addresses_are_known_in_every_disguise),
        cmocka_unit_test(every_spelling_of_a_url_has_one_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
