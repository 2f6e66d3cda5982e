/* SPDX-License-Identifier: BSD-3-Clause */
#include "sky/angle.h"

#include "support/random_sky.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void reads(const char *text, const char *default_unit, double degrees)
{
    double got = NAN;
    hal_err err = HAL_ERR_INIT;
    if (hal_angle_parse(&got, hal_slice_of(text), default_unit, &err))
        fail_msg("%s: %s", text, err.text);
    if (!(fabs(got - degrees) <= 1e-15 * fabs(degrees)))
        fail_msg("%s: %.17g, not %.17g", text, got, degrees);
}

static void refuses(const char *text, const char *default_unit, const char *because)
{
    double got = -77;
    hal_err err = HAL_ERR_INIT;
    assert_int_equal(hal_angle_parse(&got, hal_slice_of(text), default_unit, &err), HAL_E_USAGE);
    assert_true(got == -77);
    assert_null(strchr(err.text, '\n'));
    if (!strstr(err.text, because))
        fail_msg("\"%s\" does not say \"%s\"", err.text, because);
}

static void angles_are_read_in_every_unit(void **state)
{
    (void)state;
    reads("12 arcmin", NULL, 0.2);
    reads("12arcmin", NULL, 0.2);
    reads(" 0.5deg ", NULL, 0.5);
    reads("0.5 DEG", NULL, 0.5);
    reads("30\"", NULL, 30.0 / 3600);
    reads("30''", NULL, 30.0 / 3600);
    reads("30'", NULL, 0.5);
    reads("1\xC2\xB0"
          "30'36\"",
          NULL, 1.51);
    reads("2\xC2\xB0 30\xE2\x80\xB2", NULL, 2.5);
    reads("1h30m", NULL, 22.5);
    reads("1h 30m 36s", NULL, 22.65);
    reads("1d20m30s", NULL, 4830.0 / 3600);
    reads("-0d30m", NULL, -0.5);
    reads("-1d30m", NULL, -1.5);
    reads("1h0.5m", NULL, 15.125);
    reads("1h36s", NULL, 15.15);
    reads("2 hourangle", NULL, 30);
    reads("500 mas", NULL, 0.5 / 3600);
    reads("1 rad", NULL, 57.29577951308232);
    reads("1e-3 deg", NULL, 0.001);
    reads("90", "deg", 90);
    reads("30", "arcsec", 30.0 / 3600);
    reads("30 arcmin", "arcsec", 0.5);
    reads("-5", "h", -75);
}

static void wrong_angles_are_refused_with_the_cause(void **state)
{
    (void)state;
    refuses("", "deg", "empty");
    refuses("  ", NULL, "empty");
    refuses("12", NULL, "12 arcmin");
    refuses("twelve", "deg", "not an angle");
    refuses("12 parsec", NULL, "unknown unit \"parsec\"");
    refuses("12", "parsec", "unknown unit \"parsec\"");
    refuses("12", "m", "unknown unit");
    refuses("12m", NULL, "arcmin");
    refuses("12s", "deg", "arcsec");
    refuses("1h60m", NULL, "below 60");
    refuses("1d30m60s", NULL, "below 60");
    refuses("1.5h30m", NULL, "decimals");
    refuses("1h1.5m3s", NULL, "decimals");
    refuses("1h30s20m", NULL, "then seconds");
    refuses("1h-30m", NULL, "one sign");
    refuses("1 deg 2 deg", NULL, "then seconds");
    refuses("3 arcmin 4 arcsec 5 mas", NULL, "then seconds");
    refuses("1h30", "deg", "then seconds");
    refuses("1e308 h", NULL, "too large");
    refuses("nan deg", NULL, "not an angle");
    refuses("1 deg \xC2", NULL, "not an angle");
}

static void at(const char *text, double ra, double dec)
{
    double got_ra = NAN, got_dec = NAN;
    hal_err err = HAL_ERR_INIT;
    if (hal_position_parse(&got_ra, &got_dec, hal_slice_of(text), &err))
        fail_msg("%s: %s", text, err.text);
    if (!(fabs(got_ra - ra) < 1e-13 && fabs(got_dec - dec) < 1e-13))
        fail_msg("%s: %.17g %.17g", text, got_ra, got_dec);
}

static void positions_are_read_in_every_form(void **state)
{
    (void)state;
    const double ra = 201.697, dec = -(47 + 28.0 / 60 + 46.1 / 3600);
    at("52.5 -27.4", 52.5, -27.4);
    at("52.5, -27.4", 52.5, -27.4);
    at("52.5,-27.4", 52.5, -27.4);
    at("  52.5\t+27.4 ", 52.5, 27.4);
    at("13:26:47.28 -47:28:46.1", ra, dec);
    at("13:26:47.28, -47:28:46.1", ra, dec);
    at("13h26m47.28s -47d28m46.1s", ra, dec);
    at("13h 26m 47.28s -47d 28m 46.1s", ra, dec);
    at("13 26 47.28 -47 28 46.1", ra, dec);
    at("13h26m47.28s -47\xC2\xB0"
       "28'46.1\"",
       ra, dec);
    at("00:00:00 -00:30:00", 0, -0.5);
    at("360 90", 0, 90);
    at("0 -90", 0, -90);
    at("10.5d -20d", 10.5, -20);
    at("10 deg 20 deg", 10, 20);
    at("12:30 5:15", 187.5, 5.25);
    at("1e1 2e0", 10, 2);
}

static void not_a_position(const char *text, hal_status status)
{
    double ra = -77, dec = -77;
    hal_err err = HAL_ERR_INIT;
    hal_status got = hal_position_parse(&ra, &dec, hal_slice_of(text), &err);
    if (got != status)
        fail_msg("%s: %s (%s)", text, hal_status_name(got), err.text);
    assert_true(ra == -77 && dec == -77);
}

static void names_are_told_from_positions(void **state)
{
    (void)state;
    static const char *const names[] = {
        "M 13",          "M101",           "NGC 188",      "47 Tuc",
        "3C 273",        "4C 39.25",       "61 Cyg",       "HD 1 2",
        "1E 0657-56",    "1H 0323+342",    "1ES 1959+650", "1934-638",
        "TIC 307210830", "Barnard's Star", "J2000",        "2MASS J00361617+1821104",
        "2003 EL61",     "55 Cnc e",       "\xCE\xB1 Cen", "PSR B1919+21",
        "30 Dor"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        not_a_position(names[i], HAL_E_NOT_FOUND);
}

static void wrong_positions_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "  ",
                                        "10",
                                        "10 95",
                                        "400 5",
                                        "-5 5",
                                        "1 2 3",
                                        "13:60:00 5:00:00",
                                        "13:26:47 -47:28:61",
                                        "25:00:00 0:0:0",
                                        "1.5:30:00 5:00:00",
                                        "J2000 10 20",
                                        "icrs 10 20",
                                        "FK5 -1 2",
                                        "10 20h",
                                        "1,2,3",
                                        "1 2 3 4 5 6 7 8",
                                        "13:26:47:1 5:0:0"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        not_a_position(texts[i], HAL_E_USAGE);
}

static void any_position_reads_back_from_its_own_digits(void **state)
{
    (void)state;
    for (int i = 0; i < 5000; i++) {
        double ra = 360 * unit(), dec = 180 * unit() - 90, got_ra, got_dec;
        char text[80];
        snprintf(text, sizeof text, i % 2 ? "%.17g %.17g" : "%.17g,%.17g", ra, dec);
        assert_int_equal(hal_position_parse(&got_ra, &got_dec, hal_slice_of(text), NULL), HAL_OK);
        assert_true(got_ra == ra && got_dec == dec);
    }
}

static void canonical_ra_is_in_the_half_open_circle(void **state)
{
    (void)state;
    static const double zeros[] = {0.0, -0.0, 360, -360, 720, -1e-20, -1e-300};
    for (size_t i = 0; i < sizeof zeros / sizeof *zeros; i++) {
        double r = hal_ra_canonical(zeros[i]);
        assert_true(r == 0 && !signbit(r));
    }
    assert_true(hal_ra_canonical(359.99999999999994) == 359.99999999999994);
    assert_true(hal_ra_canonical(-90) == 270);
    assert_true(hal_ra_canonical(361.5) == 1.5);
    assert_true(hal_ra_canonical(5e-324) == 5e-324);
    assert_true(isnan(hal_ra_canonical(NAN)));
    for (int i = 0; i < 10000; i++) {
        double r = hal_ra_canonical((unit() - 0.5) * pow(10, 20 * unit()));
        assert_true(r >= 0 && r < 360);
    }
}

static void separation_is_accurate_at_every_size(void **state)
{
    (void)state;
    assert_true(hal_separation_deg(0, 90, 123, 90) == 0);
    assert_true(hal_separation_deg(10, 0, 370, 0) == 0);
    assert_true(fabs(hal_separation_deg(10, 20, 190, -20) - 180) < 1e-14);
    assert_true(fabs(hal_separation_deg(0, 90, 5, -90) - 180) < 1e-14);
    assert_true(fabs(hal_separation_deg(359.9, 0, 0.1, 0) - 0.2) < 1e-12);
    for (int i = 0; i < 5000; i++) { /* along a meridian the answer is known */
        double ra = 360 * unit(), dec = 180 * unit() - 90;
        double d = pow(10, -9 * unit());
        double other = dec > 0 ? dec - d : dec + d;
        assert_true(fabs(hal_separation_deg(ra, dec, ra, other) - fabs(other - dec)) <
                    1e-14 + 1e-14 * d);
        assert_true(fabs(hal_separation_deg(ra, dec, ra + 180, -other) -
                         (180 - fabs(other - dec))) < 1e-13);
    }
    for (int i = 0; i < 5000; i++) {
        double a = 360 * unit(), b = 180 * unit() - 90, c = 360 * unit(), d = 180 * unit() - 90;
        long double cosine = sinl(b * (long double)DEG) * sinl(d * (long double)DEG) +
                             cosl(b * (long double)DEG) * cosl(d * (long double)DEG) *
                                 cosl((a - c) * (long double)DEG);
        assert_true(fabsl(cosl(hal_separation_deg(a, b, c, d) * (long double)DEG) - cosine) <
                    1e-14L);
        assert_true(hal_separation_deg(a, b, c, d) == hal_separation_deg(c, d, a, b));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(angles_are_read_in_every_unit),
        cmocka_unit_test(wrong_angles_are_refused_with_the_cause),
        cmocka_unit_test(positions_are_read_in_every_form),
        cmocka_unit_test(names_are_told_from_positions),
        cmocka_unit_test(wrong_positions_are_refused),
        cmocka_unit_test(any_position_reads_back_from_its_own_digits),
        cmocka_unit_test(canonical_ra_is_in_the_half_open_circle),
        cmocka_unit_test(separation_is_accurate_at_every_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
