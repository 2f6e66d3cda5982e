/* SPDX-License-Identifier: BSD-3-Clause */
/* Names from headers, and when two names are one. */
#include "net/disposition.h"

#include "net/name_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void is_named(const char *value, const char *want)
{
    hal_buf out;
    bool found = false;
    hal_buf_init(&out, 1000);
    assert_int_equal(hal_disposition_name(&out, hal_slice_of(value), &found, NULL), HAL_OK);
    assert_int_equal(found, want[0] != '\0');
    assert_string_equal(hal_buf_text(&out), want);
    hal_buf_clear(&out);
}

static void a_disposition_gives_its_file_name(void **state)
{
    (void)state;
    is_named("attachment; filename=a.fits", "a.fits");
    is_named("attachment; filename=\"a b;c.fits\"; size=3", "a b;c.fits");
    is_named("attachment;filename = \"a \\\"b\\\\.fits\" ", "a \"b\\.fits");
    is_named("ATTACHMENT; FileName=x", "x");
    is_named("inline", "");
    is_named("attachment; filename=\"\"", "");
    is_named("attachment; name=a; filename=b", "b");
    is_named("attachment; filename=first; filename=second", "first");
    is_named("attachment; filename=\"not closed", "not closed");
    is_named("filename=a.fits", ""); /* where the type belongs */
    is_named("", "");
}

static void an_extended_name_comes_before_the_plain_one(void **state)
{
    (void)state;
    is_named("attachment; filename=x; filename*=UTF-8''na%c3%afve.fits", "na\xc3\xafve.fits");
    is_named("attachment; filename*=utf-8'en'%e2%82%ac; filename=x", "\xe2\x82\xac");
    is_named("attachment; filename*=iso-8859-1''%e9.fits", "\xc3\xa9.fits");
    is_named("attachment; filename*=UTF-16''a; filename=x", "x");
    is_named("attachment; filename*=UTF-8''a%zz; filename=x", "x");
    is_named("attachment; filename*=UTF-8''a%00b; filename=x", "x");
    is_named("attachment; filename*=a.fits; filename=x", "x");
}

static bool adds(hal_name_set *set, const char *text)
{
    bool is_new = false;
    assert_int_equal(hal_name_set_add(set, text, &is_new, NULL), HAL_OK);
    return is_new;
}

static void names_that_a_file_system_may_take_for_one_are_one(void **state)
{
    (void)state;
    hal_name_set *set = hal_name_set_new(true, NULL);
    assert_true(adds(set, "d/a.fits"));
    assert_false(adds(set, "D/A.FITS"));
    assert_true(adds(set, "d/b.fits"));
    assert_true(adds(set, "na\xc3\xafve"));   /* one character */
    assert_false(adds(set, "NAI\xcc\x88VE")); /* two, in capitals */
    assert_true(adds(set, "stra\xc3\x9f"
                          "e")); /* sharp s */
    assert_false(adds(set, "STRASSE"));
    assert_true(adds(set, "\xff"));
    hal_name_set_free(set);
}

static void other_texts_are_one_only_when_they_are_equal(void **state)
{
    (void)state;
    hal_name_set *set = hal_name_set_new(false, NULL);
    char text[32];
    assert_true(adds(set, "a"));
    assert_true(adds(set, "A"));
    for (int i = 0; i < 5000; i++) {
        snprintf(text, sizeof text, "%d", i);
        assert_true(adds(set, text));
    }
    for (int i = 0; i < 5000; i++) {
        snprintf(text, sizeof text, "%d", i);
        assert_false(adds(set, text));
    }
    hal_name_set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_disposition_gives_its_file_name),
        cmocka_unit_test(an_extended_name_comes_before_the_plain_one),
        cmocka_unit_test(names_that_a_file_system_may_take_for_one_are_one),
        cmocka_unit_test(other_texts_are_one_only_when_they_are_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
