/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/number.h"

#include "base/number_plain.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t random_state = 88172645463325252u;

static uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * 0x9E3779B97F4A7C15u;
}

static uint64_t bits_of(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static void check_reads_as_strtod(const char *text)
{
    double v = -77, wanted = strtod(text, NULL);
    bool beyond = isinf(wanted);
    if (hal_number_read_double(hal_slice_of(text), &v) == beyond ||
        hal_number_is_beyond_double(hal_slice_of(text)) != beyond || (beyond && v != -77))
        fail_msg("%s is%s read", text, beyond ? "" : " not");
    if (!beyond && bits_of(v) != bits_of(wanted))
        fail_msg("%s reads as %.17g", text, v);
}

static void hard_decimals_are_rounded_correctly(void **state)
{
    (void)state;
    const char *texts[] = {
        "0",
        "-0",
        "-0.0",
        "1",
        "180",
        "293.09734393044442",
        "867.45001220703125",
        "9007199254740993",
        "9007199254740993.0",
        "9007199254740992.99999999999999999999999",
        "9007199254740993.00000000000000000000001",
        "1e22",
        "1e23",
        "8.5e22",
        "123456789012345678901234567890",
        "18446744073709551615",
        "18446744073709551616",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1.7976931348623159e308",
        "1.797693134862315807e308",
        "1.7976931348623158079372897140530341507993e308",
        "1.7976931348623158079372897140530341507994e308",
        "1e309",
        "-1e400",
        "1e99999999999",
        "4.9e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "2.47032822920623272088284396434110686182e-324",
        "2.47032822920623272088284396434110686183e-324",
        "1e-99999999999",
        "2.2250738585072011e-308",
        "2.2250738585072012e-308",
        "2.2250738585072014e-308",
        "2.225073858507201136057409796709131975934819546351645648023426109724822222021076945516529"
        "523908135087914149158913039621106870086438694594645527657207407820621743379988141063267329"
        "253552286881372149012981122451451889849057222307285255133155755015914397476397983411801999"
        "323962548289017107081850690630666655994938275772572015763062690663332647565300009245888316"
        "433037779791869612049497390377829704905051080609940730262937128958950003583799967207254304"
        "360284078895771796150945516748243471030702609144621572289880258182545180325707018860872113"
        "128079512233426288368622321503775666622503982534335974568884423900265498198385487948292206"
        "894721689831099698365846814022854243330660339850886445804001034933970427567186443383770486"
        "037861622771738545623065874679014086723327636718751234567890123456789012345678901e-308",
        "7.2057594037927933e16",
        "6.929001713869936e236",
        "2.5e-1",
        "0.000000000000000000000000000000000000000000000000000000000000000000000000000001",
        "100000000000000000000000000000000000000000000000000000000000000000000000000000000",
        "0.500000000000000166533453693773481063544750213623046875",
        "3.518437208883201171875e13",
        "62.5364939768271845828",
        "8.10109172351e-10",
        "1.50000000000000011102230246251565",
        "-1.00000000000000011102230246251565404236316680908203125",
        "1.00000000000000011102230246251565404236316680908203124",
        "1.00000000000000011102230246251565404236316680908203126",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_reads_as_strtod(texts[i]);
}

static void half_way_points_go_to_the_even_neighbour(void **state)
{
    (void)state;
    char text[1200];
    for (int i = 0; i < 3000; i++) {
        uint64_t bits = random_bits() & ~(UINT64_C(1) << 63);
        if (i % 3 == 0)
            bits &= (UINT64_C(1) << 54) - 1; /* tiny numbers too */
        double v;
        memcpy(&v, &bits, sizeof v);
        if (!isfinite(v))
            continue;
        /* v plus half a unit, in full, is a decimal of at most 770 digits. */
        long double half = ldexpl(1, (bits >> 52 ? (int)(bits >> 52) : 1) - 1076);
        int n = snprintf(text, sizeof text, "%.1100Lf", (long double)v + half);
        if (n >= (int)sizeof text)
            n = snprintf(text, sizeof text, "%.780Le", (long double)v + half);
        check_reads_as_strtod(text);
        char *e = strchr(text, 'e');
        char *last = e ? e - 1 : text + n - 1;
        *last = '1';
        check_reads_as_strtod(text);
    }
}

static void a_million_doubles_survive_writing_and_reading(void **state)
{
    (void)state;
    for (int i = 0; i < 1000000; i++) {
        uint64_t bits = random_bits();
        double v;
        if (i % 2) {
            memcpy(&v, &bits, sizeof v);
        } else { /* numbers as catalogues have them */
            static const double scale[] = {1, 10, 100, 1e3, 1e4, 1e5, 1e7, 1e9, 1e11, 1e13};
            v = (double)(int64_t)(bits % 36000000000) / scale[bits >> 33 & 7] / scale[i % 10];
        }
        if (!isfinite(v))
            continue;
        char text[HAL_DOUBLE_TEXT_MAX + 1];
        size_t n = hal_number_print_double(text, v);
        text[n] = '\0';
        double back;
        assert_true(hal_number_read_double((hal_slice){text, n}, &back));
        if (bits_of(back) != bits_of(v))
            fail_msg("%.17g is written %s and reads %.17g", v, text, back);
        if (i % 8 < 2) {
            if (bits_of(strtod(text, NULL)) != bits_of(v))
                fail_msg("%.17g is written %s", v, text);
            snprintf(text, sizeof text, "%.17g", v);
            check_reads_as_strtod(text);
        }
    }
}

static void no_shorter_decimal_would_do(void **state)
{
    (void)state;
    for (int i = 0; i < 30000; i++) {
        uint64_t bits = random_bits();
        if (i % 100 == 0)
            bits &= ~((UINT64_C(1) << 52) - 1); /* powers of two: uneven neighbours */
        double v;
        memcpy(&v, &bits, sizeof v);
        if (!isfinite(v) || v == 0)
            continue;
        char ours[HAL_DOUBLE_TEXT_MAX + 1], theirs[64];
        ours[hal_number_print_double(ours, v)] = '\0';
        int digits = 1;
        while (snprintf(theirs, sizeof theirs, "%.*e", digits - 1, v),
               bits_of(strtod(theirs, NULL)) != bits_of(v))
            digits++;
        int n = 0, zeros = 0;
        bool leading = true;
        for (const char *p = ours; *p && *p != 'e'; p++)
            if (*p >= '0' && *p <= '9' && !(leading && *p == '0')) {
                leading = false;
                n++;
                zeros = *p == '0' ? zeros + 1 : 0;
            }
        if (n - zeros > digits)
            fail_msg("%s has more than the %d digits of %s", ours, digits, theirs);
    }
}

static void check_float(uint32_t bits)
{
    float f, back;
    double wide;
    memcpy(&f, &bits, sizeof f);
    char text[HAL_DOUBLE_TEXT_MAX + 1];
    size_t n = hal_number_print_float(text, f);
    text[n] = '\0';
    back = strtof(text, NULL);
    if (memcmp(&back, &f, sizeof f) != 0)
        fail_msg("float %08x is written %s", bits, text);
    assert_true(hal_number_read_double((hal_slice){text, n}, &wide));
    if ((float)wide != f)
        fail_msg("float %08x, written %s, is another by way of a double", bits, text);
}

static void floats_survive_writing_and_reading_also_as_doubles(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 0x7f800000; bits += 4001) {
        check_float(bits);
        check_float(bits | 0x80000000);
    }
    check_float(0x15ae43fd); /* the only one whose shortest decimal is another as a double */
    for (uint32_t exponent = 0; exponent < 255; exponent++) /* uneven neighbours */
        for (uint32_t i = 0; i < 3; i++)
            check_float((exponent << 23) + i - (exponent > 0));
}

static void no_shorter_decimal_would_do_for_a_float(void **state)
{
    (void)state;
    for (uint32_t bits = 1; bits < 0x7f800000; bits += 70001) {
        float f;
        memcpy(&f, &bits, sizeof f);
        char ours[HAL_DOUBLE_TEXT_MAX + 1], theirs[64];
        ours[hal_number_print_float(ours, f)] = '\0';
        int digits = 1;
        while (snprintf(theirs, sizeof theirs, "%.*e", digits - 1, (double)f),
               strtof(theirs, NULL) != f)
            digits++;
        /* As many significant digits: zeros at either end are none. */
        int n = 0, zeros = 0;
        for (const char *p = ours; *p && *p != 'e'; p++)
            if (*p >= '0' && *p <= '9' && (n || *p != '0')) {
                n++;
                zeros = *p == '0' ? zeros + 1 : 0;
            }
        if (n - zeros > digits)
            fail_msg("%s has more than the %d digits of %s", ours, digits, theirs);
    }
}

static void a_float_is_spelled_with_its_own_digits(void **state)
{
    (void)state;
    const struct {
        float v;
        const char *text;
    } cases[] = {{0.1f, "0.1"},
                 {-0.0f, "-0.0"},
                 {16777216, "16777216.0"},
                 {1e-45f, "1e-45"},
                 {3.4028235e38f, "3.4028235e+38"},
                 {1.17549435e-38f, "1.1754944e-38"},
                 {INFINITY, "inf"},
                 {18.25f, "18.25"},
                 {1e10f, "10000000000.0"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[HAL_DOUBLE_TEXT_MAX + 1];
        text[hal_number_print_float(text, cases[i].v)] = '\0';
        assert_string_equal(text, cases[i].text);
    }
}

static void doubles_are_spelled_as_python_spells_them(void **state)
{
    (void)state;
    const struct {
        double v;
        const char *text, *plain;
    } cases[] = {
        {180, "180.0", "180"},
        {-0.0, "-0.0", "-0"},
        {0, "0.0", "0"},
        {0.1, "0.1", "0.1"},
        {1e15, "1000000000000000.0", "1000000000000000"},
        {123456789012345680, "1.2345678901234568e+17", "1.2345678901234568e+17"},
        {1e16, "1e+16", "1e+16"},
        {9007199254740993, "9007199254740992.0", "9007199254740992"},
        {1e-4, "0.0001", "0.0001"},
        {1e-5, "1e-05", "1e-05"},
        {1.5e-7, "1.5e-07", "1.5e-07"},
        {1e22, "1e+22", "1e+22"},
        {1e23, "1e+23", "1e+23"},
        {5e-324, "5e-324", "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308", "1.7976931348623157e+308"},
        {2.2250738585072014e-308, "2.2250738585072014e-308", "2.2250738585072014e-308"},
        {293.0973439304444, "293.0973439304444", "293.0973439304444"},
        {50121.79450, "50121.7945", "50121.7945"},
        {HUGE_VAL, "inf", "inf"},
        {-HUGE_VAL, "-inf", "-inf"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[HAL_DOUBLE_TEXT_MAX + 1];
        text[hal_number_print_double(text, cases[i].v)] = '\0';
        assert_string_equal(text, cases[i].text);
        text[hal_number_print_plain(text, cases[i].v)] = '\0';
        assert_string_equal(text, cases[i].plain);
    }
    char text[HAL_DOUBLE_TEXT_MAX];
    assert_int_equal(hal_number_print_double(text, (double)NAN), 3);
    assert_memory_equal(text, "NaN", 3);
}

static void integers_are_exact_to_the_last_one(void **state)
{
    (void)state;
    const int64_t values[] = {0,
                              1,
                              -1,
                              9,
                              10,
                              99,
                              100,
                              -100,
                              12345678,
                              INT64_MAX,
                              INT64_MIN,
                              INT64_MAX - 1,
                              68960059717834079};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char text[HAL_INT64_TEXT_MAX], expected[32];
        size_t n = hal_number_print_int64(text, values[i]);
        assert_int_equal(n, snprintf(expected, sizeof expected, "%" PRId64, values[i]));
        assert_memory_equal(text, expected, n);
        int64_t back;
        assert_true(hal_number_read_int64((hal_slice){text, n}, &back));
        assert_int_equal(back, values[i]);
    }
    int64_t v;
    assert_false(hal_number_read_int64(hal_slice_of("9223372036854775808"), &v));
    assert_false(hal_number_read_int64(hal_slice_of("-9223372036854775809"), &v));
    assert_false(hal_number_read_int64(hal_slice_of("99999999999999999999"), &v));
    assert_false(hal_number_read_int64(hal_slice_of("-0"), &v));
    assert_false(hal_number_read_int64(hal_slice_of("007"), &v));
    assert_false(hal_number_read_int64(hal_slice_of("+7"), &v));
    assert_false(hal_number_read_int64(hal_slice_of("7 "), &v));
    assert_false(hal_number_read_int64(hal_slice_of("7.0"), &v));
    assert_false(hal_number_read_int64(hal_slice_of(""), &v));
}

static void what_is_no_number_is_refused(void **state)
{
    (void)state;
    const char *bad[] = {"",      "-",    "+",    ".",    "-.",  "1e",  "1e+",  "e5",
                         "1.5.2", "0x10", "1_0",  "1 ",   " 1",  "nan", "Inf",  "+-1",
                         "--1",   "01",   "01.5", "1e5x", "1,5", "--",  "+inf", "5371a"};
    double v;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (hal_number_read_double(hal_slice_of(bad[i]), &v))
            fail_msg("'%s' is read as %g", bad[i], v);
    assert_true(hal_number_read_double(hal_slice_of("+1.5"), &v) && v == 1.5);
    assert_true(hal_number_read_double(hal_slice_of(".5"), &v) && v == 0.5);
    assert_true(hal_number_read_double(hal_slice_of("5."), &v) && v == 5);
    assert_true(hal_number_read_double(hal_slice_of("NaN"), &v) && isnan(v));
}

static void the_json_scanner_knows_when_a_number_may_go_on(void **state)
{
    (void)state;
    hal_number v;
    const char *text = "-12.50e-1,";
    const size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(hal_number_scan(text, text + i, &v), HAL_NUMBER_CUT);
    assert_int_equal(hal_number_scan(text, text + n, &v), HAL_NUMBER_FLOAT);
    assert_true(v.d == -1.25);
    assert_int_equal(v.size_bytes, n - 1);
    assert_int_equal(hal_number_scan("12]", "12]" + 3, &v), HAL_NUMBER_INT);
    assert_int_equal(v.i, 12);
    const char *big = "12345678901234567890 ";
    assert_int_equal(hal_number_scan(big, big + 21, &v), HAL_NUMBER_BIG);
    assert_int_equal(hal_number_scan("1e400,", "1e400," + 6, &v), HAL_NUMBER_BIG);
    assert_int_equal(v.size_bytes, 5);
    const char *bad[] = {"01 ", ".5 ", "5. ", "+1 ", "- 1", "1e ", "NaN ", "x "};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        hal_number_kind kind = hal_number_scan(bad[i], bad[i] + strlen(bad[i]), &v);
        if (kind == HAL_NUMBER_INT)
            assert_true(v.size_bytes < strlen(bad[i]) - 1);
        else
            assert_int_equal(kind, HAL_NUMBER_NONE);
    }
}

static double take(const char *text, size_t used)
{
    double value = -77;
    assert_int_equal(hal_number_take_double(hal_slice_of(text), &value), used);
    return value;
}

static void the_longest_number_in_front_is_read(void **state)
{
    (void)state;
    assert_true(take("12", 2) == 12);
    assert_true(take("-0.5deg", 4) == -0.5);
    assert_true(take("+.5e1x", 5) == 5);
    assert_true(take("5.", 2) == 5);
    assert_true(take("1e5", 3) == 1e5);
    assert_true(take("1e", 1) == 1);
    assert_true(take("1e+", 1) == 1);
    assert_true(take("0x10", 1) == 0);
    assert_true(take("1d20", 1) == 1);
    assert_true(take("83.62802377037386", 17) == 83.62802377037386);
    assert_true(take("1e-400", 6) == 0);
    assert_true(take("-007.50", 7) == -7.5);
    assert_true(take("00:30", 2) == 0);
}

static void what_is_no_number_leaves_the_output_alone(void **state)
{
    (void)state;
    static const char *const texts[] = {"",    "x",   "-",  ".",     "-.e5", " 1",
                                        "nan", "inf", "e5", "1e400", "--1"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_true(take(texts[i], 0) == -77);
    char many[HAL_NUMBER_TYPED_MAX + 2];
    memset(many, '1', HAL_NUMBER_TYPED_MAX + 1);
    many[HAL_NUMBER_TYPED_MAX + 1] = '\0';
    assert_true(take(many, 0) == -77);
    many[HAL_NUMBER_TYPED_MAX] = '\0';
    assert_true(take(many, HAL_NUMBER_TYPED_MAX) > 1e127);
}

static void a_slice_ends_where_it_ends(void **state)
{
    (void)state;
    double value;
    assert_int_equal(hal_number_take_double((hal_slice){"12345", 3}, &value), 3);
    assert_true(value == 123);
}

static void check_plain(const char *text)
{
    char room[64] = {0}; /* zeros behind the text */
    hal_number_plain plain;
    hal_number whole = {0};
    double d = 0;
    snprintf(room, sizeof room, "%s", text);
    if (!hal_number_plain_scan(room, &plain))
        return;
    size_t size = (size_t)(plain.end - room);
    const char *point = memchr(room, '.', size);
    snprintf(room, sizeof room, "%.*s,", (int)size, text);
    hal_number_kind kind = hal_number_scan(room, room + strlen(room), &whole);
    if (kind < HAL_NUMBER_INT || whole.size_bytes != size || plain.minus != (*room == '-') ||
        plain.decimals != (point ? (int)(plain.end - point) - 1 : -1))
        fail_msg("%s is read as another number", text);
    if (!hal_number_plain_double(&plain, &d))
        return;
    if (kind == HAL_NUMBER_INT && plain.w <= INT64_MAX &&
        whole.i != (plain.minus ? -(int64_t)plain.w : (int64_t)plain.w))
        fail_msg("%s is read as another integer", text);
    if (bits_of(d) != bits_of(kind == HAL_NUMBER_INT ? (double)whole.i : whole.d))
        fail_msg("%s is read as another double", text);
}

static void plain_numbers_read_as_the_scanner_reads_them(void **state)
{
    (void)state;
    char text[64];
    for (int i = 0; i < 300000; i++) {
        int64_t v = (int64_t)(random_bits() >> (random_bits() & 63));
        snprintf(text, sizeof text, "%s%" PRId64, i & 1 ? "-" : "", v);
        check_plain(text);
        int point = (int)(random_bits() % 20);
        if ((size_t)point < strlen(text)) {
            memmove(text + point + 1, text + point, strlen(text) - (size_t)point + 1);
            text[point] = '.';
        }
        check_plain(text);
        snprintf(text, sizeof text, "%.*f", (int)(random_bits() % 19), (double)v * 1e-9);
        check_plain(text);
    }
    hal_number_plain out;
    static const char *const plain[] = {"0",
                                        "-1",
                                        "12345678",
                                        "123456789",
                                        "9223372036854775807",
                                        "0.5",
                                        "1234567.12345678",
                                        "-0",
                                        "-0.0",
                                        "9223372036854775808",
                                        "12345678.5e"};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        snprintf(text, sizeof text, "%s%8s", plain[i], "");
        assert_true(hal_number_plain_scan(text, &out));
        check_plain(plain[i]);
    }
    static const char *const others[] = {
        "01", "-", ".5", "5.", "x", "12345678901234567890", "0.12345678901234567890"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        snprintf(text, sizeof text, "%s%8s", others[i], "");
        assert_false(hal_number_plain_scan(text, &out));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hard_decimals_are_rounded_correctly),
        cmocka_unit_test(half_way_points_go_to_the_even_neighbour),
        cmocka_unit_test(a_million_doubles_survive_writing_and_reading),
        cmocka_unit_test(no_shorter_decimal_would_do),
        cmocka_unit_test(floats_survive_writing_and_reading_also_as_doubles),
        cmocka_unit_test(no_shorter_decimal_would_do_for_a_float),
        cmocka_unit_test(a_float_is_spelled_with_its_own_digits),
        cmocka_unit_test(doubles_are_spelled_as_python_spells_them),
        cmocka_unit_test(integers_are_exact_to_the_last_one),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(the_json_scanner_knows_when_a_number_may_go_on),
        cmocka_unit_test(the_longest_number_in_front_is_read),
        cmocka_unit_test(what_is_no_number_leaves_the_output_alone),
        cmocka_unit_test(a_slice_ends_where_it_ends),
        cmocka_unit_test(plain_numbers_read_as_the_scanner_reads_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
