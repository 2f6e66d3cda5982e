/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/decimal.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static double read(const char *text, size_t used)
{
    double value = -77;
    assert_int_equal(hal_decimal_scan(&value, hal_slice_of(text)), used);
    return value;
}

static void the_longest_number_in_front_is_read(void **state)
{
    (void)state;
    assert_true(read("12", 2) == 12);
    assert_true(read("-0.5deg", 4) == -0.5);
    assert_true(read("+.5e1x", 5) == 5);
    assert_true(read("5.", 2) == 5);
    assert_true(read("1e5", 3) == 1e5);
    assert_true(read("1e", 1) == 1);
    assert_true(read("1e+", 1) == 1);
    assert_true(read("0x10", 1) == 0);
    assert_true(read("1d20", 1) == 1);
    assert_true(read("83.62802377037386", 17) == 83.62802377037386);
    assert_true(read("1e-400", 6) == 0);
}

static void what_is_no_number_leaves_the_output_alone(void **state)
{
    (void)state;
    static const char *const texts[] = {"",    "x",   "-",  ".",     "-.e5", " 1",
                                        "nan", "inf", "e5", "1e400", "--1"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_true(read(texts[i], 0) == -77);
    char many[HAL_DECIMAL_TEXT_MAX + 1];
    memset(many, '1', HAL_DECIMAL_TEXT_MAX);
    many[HAL_DECIMAL_TEXT_MAX] = '\0';
    assert_true(read(many, 0) == -77);
    many[HAL_DECIMAL_TEXT_MAX - 1] = '\0';
    assert_true(read(many, HAL_DECIMAL_TEXT_MAX - 1) > 1e126);
}

static void a_slice_ends_where_it_ends(void **state)
{
    (void)state;
    double value;
    assert_int_equal(hal_decimal_scan(&value, (hal_slice){"12345", 3}), 3);
    assert_true(value == 123);
}

static void printed_numbers_read_back_to_the_same_bits(void **state)
{
    (void)state;
    uint64_t bits = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        char text[HAL_DECIMAL_TEXT_MAX];
        hal_decimal_print(text, value);
        double again = read(text, strlen(text));
        assert_memory_equal(&again, &value, sizeof value);
    }
    char text[HAL_DECIMAL_TEXT_MAX];
    hal_decimal_print(text, 0.1);
    assert_string_equal(text, "0.1");
}

static void a_decimal_comma_locale_changes_nothing(void **state)
{
    (void)state;
    const char *set = setlocale(LC_ALL, "de_DE.UTF-8");
    char text[HAL_DECIMAL_TEXT_MAX];
    hal_decimal_print(text, 0.5);
    assert_string_equal(text, "0.5");
    assert_true(read("0.5", 3) == 0.5);
    setlocale(LC_ALL, "C");
    if (!set)
        skip(); /* the locale is not installed here */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_number_in_front_is_read),
        cmocka_unit_test(what_is_no_number_leaves_the_output_alone),
        cmocka_unit_test(a_slice_ends_where_it_ends),
        cmocka_unit_test(printed_numbers_read_back_to_the_same_bits),
        cmocka_unit_test(a_decimal_comma_locale_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
