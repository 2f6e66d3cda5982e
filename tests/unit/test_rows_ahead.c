/* SPDX-License-Identifier: BSD-3-Clause */
/* The fast way through JSON rows against the parser: generated tables of a megabyte, read at once
 * and in pieces of two bytes, which hold no place between two rows to begin a block at. */
#include "data/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { COLUMNS = 9, TEXT_MAX = 1200000, ROW_MAX = 2000 };

static uint64_t state;
static bool with_odd; /* values that change the type of a column */

static unsigned roll(unsigned n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 11) % n;
}

static const char *pick(const char *const *from, size_t n)
{
    return from[roll((unsigned)n)];
}
#define PICK(list) pick(list, sizeof(list) / sizeof *(list))

static const char *const texts[] = {
    "\"\"",
    "\"STAR\"",
    "\"eight by\"",
    "\"a },{ b\"",
    "\"\\\"id\\\":1\"",
    "\"\\u00e9\\ud83d\\ude00\"",
    "\"\xc3\xa9t\xc3\xa9\"",
    "\"http:\\/\\/x\"",
    "\"seven..\\n\"",
    "\"a text of more than sixteen\"",
    "\"\\\\\"",
    "\"true\"",
    "\"12\"",
    "\"1.5\"",
};
static const char *const odd[] = {
    "-0",
    "-0.0",
    "0",
    "1e400",
    "-1e400",
    "1e-400",
    "1E+2",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "12345678901234567890123",
    "9007199254740993",
    "0.1234567890123456789012",
    "1234567890.123456789",
    "179769313486231570000000000000000000000.5",
    "2.2250738585072011e-308",
    "9007199254740993.0",
    "99999999.99999999999",
    "true",
    "null",
    "\"text\"",
};

static const char *const integers[] = {"9223372036854775807", "-9223372036854775808", "0", "-1"};
static const char *const doubles[] = {"-0.0",
                                      "0.0",
                                      "1e400",
                                      "-1e400",
                                      "1E+2",
                                      "4e-324",
                                      "5",
                                      "0.1234567890123456789012",
                                      "9007199254740993.0"};

static size_t put_value(char *out, unsigned kind)
{
    int64_t big = (int64_t)(state >> 1);
    if (with_odd && roll(150) == 0)
        return (size_t)sprintf(out, "%s", PICK(odd));
    if (roll(12) == 0)
        return (size_t)sprintf(out, "null");
    switch (kind) {
    case 0:
        if (roll(50) == 0)
            return (size_t)sprintf(out, "%s", PICK(integers));
        return (size_t)sprintf(out, "%lld", (long long)(roll(2) ? big : -big));
    case 1:
        return (size_t)sprintf(out, "%u", roll(1000));
    case 2:
        if (roll(50) == 0)
            return (size_t)sprintf(out, "%s", PICK(doubles));
        return (size_t)sprintf(out, "%.*f", (int)roll(18), (double)big * 1e-16);
    case 3:
        return (size_t)sprintf(out, "%.17g", (double)big * 1e-17);
    case 4:
        return (size_t)sprintf(out, roll(3) ? "%u.5" : "%u", roll(500));
    case 5:
        return (size_t)sprintf(out, "%s", roll(2) ? "true" : "false");
    case 6:
        return (size_t)sprintf(out, "%s", PICK(texts));
    default:
        return (size_t)sprintf(out, "\"n%u\"", roll(100000));
    }
}

static size_t put_row(char *out, const char *const *names, const char *blank)
{
    size_t used = (size_t)sprintf(out, "{%s", blank);
    unsigned first = roll(100) ? 0 : roll(COLUMNS), without = roll(80) ? COLUMNS : roll(COLUMNS);
    bool any = false;
    for (unsigned i = 0; i < COLUMNS; i++) {
        unsigned c = (i + first) % COLUMNS;
        if (c == without)
            continue;
        used +=
            (size_t)sprintf(out + used, "%s\"%s\"%s:%s", any ? "," : "", names[c], blank, blank);
        used += put_value(out + used, c);
        used += (size_t)sprintf(out + used, "%s", blank);
        any = true;
    }
    return used + (size_t)sprintf(out + used, "}");
}

static const char *const damage[] = {
    "{\"id\":1,\"id\":2}", "{\"id\":{}}", "{\"id\":[1]}",      "{\"id\":NaN}",
    "{\"id\":01}",         "{\"id\":1.}", "{\"id\":\"\x01\"}", "{\"id\":\"\\x\"}",
    "{\"id\":\"\xff\"}",   "{\"id\":1,}", "{\"id\":nul}",      "{\"id\":1 2}",
    "{\"id\":-}",          "{\"id\" 1}",  "{\"id\":1e}",       "[1]",
};

/* `wrong`: a row in the middle; NULL: none. */
static char *make(const char *wrong, size_t *n)
{
    static const char *const names[][COLUMNS] = {
        {"id", "n", "ra", "dec", "half", "flag", "note", "name", "last"},
        {"id", "eight_by", "a longer name than most", "\\u00e9", "x\\\"y", "1", "sevenby", "k",
         "l"}};
    static const char *const blanks[] = {"", "", " ", "\n\t "};
    const char *blank = PICK(blanks);
    const char *const *set = names[roll(2)];
    char *text = malloc(TEXT_MAX + 2 * ROW_MAX);
    size_t used = (size_t)sprintf(text, "[");
    size_t damaged_at = wrong ? 700000 + roll(400000) : SIZE_MAX;
    for (bool first = true; used < TEXT_MAX; first = false) {
        used += (size_t)sprintf(text + used, "%s%s%s", first ? "" : blank, first ? "" : ",", blank);
        if (used > damaged_at) {
            used += (size_t)sprintf(text + used, "%s", wrong);
            damaged_at = SIZE_MAX;
        } else {
            used += put_row(text + used, set, blank);
        }
    }
    *n = used + (size_t)sprintf(text + used, "]");
    return text;
}

static hal_status read_pieces(const char *text, size_t n, size_t piece, hal_table **t, hal_err *err)
{
    hal_answer answer;
    *t = NULL;
    hal_reader *r = hal_reader_new(HAL_FORMAT_ROWS_JSON, NULL, err);
    hal_status st = HAL_OK;
    for (size_t at = 0; at < n && !st; at += piece)
        st = hal_reader_feed(r, text + at, piece < n - at ? piece : n - at, err);
    if (!st)
        st = hal_reader_finish(r, &answer, t, err);
    hal_reader_free(r);
    return st;
}

static void assert_same(const hal_table *a, const hal_table *b)
{
    assert_int_equal(hal_table_rows(a), hal_table_rows(b));
    assert_int_equal(hal_table_columns(a), hal_table_columns(b));
    for (size_t c = 0; c < hal_table_columns(a); c++) {
        assert_string_equal(hal_table_field(a, c)->name, hal_table_field(b, c)->name);
        hal_type type = hal_table_field(a, c)->type;
        assert_int_equal(type, hal_table_field(b, c)->type);
        for (uint64_t row = 0; row < hal_table_rows(a); row++) {
            bool null = hal_table_is_null(a, c, row), same = null == hal_table_is_null(b, c, row);
            if (same && !null && type == HAL_TYPE_STRING) {
                same = hal_slice_equals(hal_table_string(a, c, row), hal_table_string(b, c, row));
            } else if (same && !null && type == HAL_TYPE_FLOAT64) {
                double x = hal_table_float64(a, c, row), y = hal_table_float64(b, c, row);
                same = memcmp(&x, &y, sizeof x) == 0; /* -0.0 is not 0.0 */
            } else if (same && !null) {
                same = type == HAL_TYPE_BOOL
                           ? hal_table_bool(a, c, row) == hal_table_bool(b, c, row)
                           : hal_table_int64(a, c, row) == hal_table_int64(b, c, row);
            }
            if (!same)
                fail_msg("row %llu of %s differs", (unsigned long long)row,
                         hal_table_field(a, c)->name);
        }
    }
}

static void generated_tables_read_the_same_either_way(void **unused)
{
    (void)unused;
    for (unsigned seed = 1; seed <= 8; seed++) {
        state = seed * UINT64_C(88172645463325252);
        with_odd = seed % 2;
        size_t n;
        char *text = make(NULL, &n);
        hal_err err = HAL_ERR_INIT;
        hal_table *slow, *fast;
        if (read_pieces(text, n, 2, &slow, &err) || read_pieces(text, n, n, &fast, &err))
            fail_msg("seed %u: %s", seed, err.text);
        assert_same(slow, fast);
        hal_table_unref(slow);
        hal_table_unref(fast);
        free(text);
    }
}

static void damage_is_the_same_error_either_way(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < sizeof damage / sizeof *damage; i++) {
        state = (i + 1) * UINT64_C(88172645463325252);
        size_t n;
        char *text = make(damage[i], &n);
        hal_err slow_err = HAL_ERR_INIT, fast_err = HAL_ERR_INIT;
        hal_table *t;
        hal_status slow = read_pieces(text, n, 2, &t, &slow_err);
        hal_status fast = read_pieces(text, n, n, &t, &fast_err);
        if (!slow)
            fail_msg("%s was read", damage[i]);
        assert_int_equal(slow, fast);
        assert_string_equal(slow_err.text, fast_err.text);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generated_tables_read_the_same_either_way),
        cmocka_unit_test(damage_is_the_same_error_either_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
