/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/download.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void safe_names_follow_the_table(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"a.fits", "a.fits"},
        {"dir/sub\\a.fits", "a.fits"},
        {"a%20b.fits", "a b.fits"},
        {"a%252e", "a%2e"},
        {"a%2f..%2fb", "a_.._b"},
        {"a:b*c?\"<>|d", "a_b_c_____d"},
        {"\x01\x7f\xff", "___"},
        {"a\xe2\x80\xae"
         "b",
         "ab"},
        {"-rf", "_-rf"},
        {".halyard", "_.halyard"},
        {"~x", "_~x"},
        {"x. . ", "x"},
        {"con", "_con"},
        {"Com7.tar.gz", "_Com7.tar.gz"},
        {"console", "console"},
        {"x.PART", "_x.PART"},
        {"gr\xc3\xbc\xc3\x9f.fits", "gr\xc3\xbc\xc3\x9f.fits"},
        {"\xc0\xaf", "__"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        hal_buf out;
        hal_buf_init(&out, 1024);
        assert_int_equal(hal_safe_name(&out, pairs[i][0], NULL), HAL_OK);
        assert_string_equal(hal_buf_text(&out), pairs[i][1]);
        hal_buf_clear(&out);
    }
}

static void a_name_that_is_safe_is_left_as_it_is(void **state)
{
    static const char *const safe[] = {"1.bin", "tess2018_s0001-lc.fits.gz", "A"};
    static const char *const unsafe[] = {"",     "a.",     ".a",       "-a",    "a b",
                                         "a/b",  "a%41b",  "NUL.gz",   "com1.", "~a",
                                         "a\\b", "x.PART", "\xc3\xa9", "a:b"};
    char text[256], exact[2] = "";
    hal_buf out;
    (void)state;
    for (size_t i = 0; i < sizeof safe / sizeof *safe; i++)
        assert_true(hal_is_safe_name(safe[i]));
    for (size_t i = 0; i < sizeof unsafe / sizeof *unsafe; i++)
        assert_false(hal_is_safe_name(unsafe[i]));
    memset(text, 'a', sizeof text);
    text[201] = '\0';
    assert_false(hal_is_safe_name(text));
    for (int c = 1; c < 256; c++) { /* whatever it says yes to */
        exact[0] = (char)c;
        hal_buf_init(&out, 4096);
        if (hal_is_safe_name(exact)) {
            assert_int_equal(hal_safe_name(&out, exact, NULL), HAL_OK);
            assert_string_equal(hal_buf_text(&out), exact);
        }
        hal_buf_clear(&out);
    }
}

static void empty_names_are_generated_and_long_ones_keep_their_ending(void **state)
{
    (void)state;
    hal_buf a, b;
    hal_buf_init(&a, 1024);
    hal_buf_init(&b, 1024);
    assert_int_equal(hal_safe_name(&a, "x/..", NULL), HAL_OK);
    assert_int_equal(hal_safe_name(&b, "y/..", NULL), HAL_OK);
    assert_int_equal(a.size_bytes, strlen("file-12345678"));
    assert_string_not_equal(a.data, b.data);
    char name[400];
    memset(name, 'n', sizeof name);
    snprintf(name + 300, 20, ".fits.gz");
    a.size_bytes = b.size_bytes = 0;
    assert_int_equal(hal_safe_name(&a, name, NULL), HAL_OK);
    name[299] = 'm';
    assert_int_equal(hal_safe_name(&b, name, NULL), HAL_OK);
    assert_int_equal(a.size_bytes, 200);
    assert_non_null(strstr(a.data, ".fits.gz"));
    assert_string_not_equal(a.data, b.data);
    hal_buf_clear(&a);
    hal_buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(safe_names_follow_the_table),
        cmocka_unit_test(a_name_that_is_safe_is_left_as_it_is),
        cmocka_unit_test(empty_names_are_generated_and_long_ones_keep_their_ending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
