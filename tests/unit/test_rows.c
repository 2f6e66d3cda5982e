/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/alloc.h"
#include "data/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static hal_status read_pieces(const char *text, size_t n, size_t piece, hal_answer *answer,
                              hal_table **t, hal_err *err)
{
    *t = NULL;
    hal_reader *r = hal_reader_new(HAL_FORMAT_AUTO, NULL, err);
    hal_status st = HAL_OK;
    for (size_t at = 0; at < n && !st; at += piece)
        st = hal_reader_feed(r, text + at, piece < n - at ? piece : n - at, err);
    if (!st)
        st = hal_reader_finish(r, answer, t, err);
    hal_reader_free(r);
    return st;
}

static hal_table *read_text(const char *text)
{
    hal_table *t = NULL;
    hal_answer answer;
    for (size_t piece = 1; piece <= 3; piece++) {
        hal_err err = HAL_ERR_INIT;
        hal_table_unref(t);
        if (read_pieces(text, strlen(text), piece == 3 ? strlen(text) : piece, &answer, &t, &err))
            fail_msg("%s: %s", text, err.text);
        assert_int_equal(answer.status, HAL_ANSWER_COMPLETE);
        assert_int_equal(answer.rows, hal_table_rows(t));
    }
    return t;
}

static char *load(const char *name)
{
    char path[1000];
    const char *shared = getenv("HALYARD_SHARED");
    snprintf(path, sizeof path, "%s/data/%s", shared ? shared : "../shared", name);
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("cannot open %s", path);
    char *text = calloc(1, 1 << 20);
    assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
    fclose(f);
    return text;
}

static hal_table *read_file(const char *name)
{
    char *text = load(name);
    hal_table *t = read_text(text);
    free(text);
    return t;
}

static void assert_text(const hal_table *t, const char *name, uint64_t row, const char *text)
{
    int c = hal_table_find(t, name);
    assert_true(c >= 0);
    assert_int_equal(hal_table_field(t, (size_t)c)->type, HAL_TYPE_STRING);
    hal_slice cell = hal_table_string(t, (size_t)c, row);
    if (!hal_slice_equals(cell, hal_slice_of(text)))
        fail_msg("%s is %.*s, not %s", name, (int)cell.size_bytes, cell.data, text);
}

static double number(const hal_table *t, const char *name, uint64_t row)
{
    int c = hal_table_find(t, name);
    assert_true(c >= 0);
    assert_int_equal(hal_table_field(t, (size_t)c)->type, HAL_TYPE_FLOAT64);
    return hal_table_float64(t, (size_t)c, row);
}

static int64_t integer(const hal_table *t, const char *name, uint64_t row)
{
    int c = hal_table_find(t, name);
    assert_true(c >= 0);
    assert_int_equal(hal_table_field(t, (size_t)c)->type, HAL_TYPE_INT64);
    return hal_table_int64(t, (size_t)c, row);
}

static void a_missions_answer_has_its_selected_columns_then_the_others(void **state)
{
    (void)state;
    hal_table *t = read_file("mast-missions/mission_results.json");
    assert_int_equal(hal_table_rows(t), 3);
    assert_int_equal(hal_table_columns(t), 21);
    assert_text(t, "sci_data_set_name", 0, "W1DG8D06T");
    assert_text(t, "sci_data_set_name", 2, "J8DM01ELQ");
    assert_true(number(t, "ang_sep", 0) == 1.5182093051117103);
    assert_true(number(t, "ang_sep", 2) == 2.589715886363766);
    assert_int_equal(hal_table_field(t, (size_t)hal_table_find(t, "sci_pep_id"))->type,
                     HAL_TYPE_INT64);
    hal_table_unref(t);
}

static void catalogs_answers_keep_64_bit_ids_and_minus_999(void **state)
{
    (void)state;
    hal_table *t = read_file("mashup/panstarrs.json");
    assert_int_equal(hal_table_rows(t), 35);
    assert_int_equal(hal_table_columns(t), 6);
    assert_int_equal(integer(t, "objID", 0), INT64_C(68960059717834079));
    assert_true(number(t, "lambda", 17) == 350.9608875144994);
    assert_true(number(t, "iMeanApMag", 34) == 21.15730094909668);
    assert_string_equal(hal_table_field(t, 1)->description, "Unique object identifier.");
    hal_table_unref(t);
    t = read_text("{\"info\":[{\"name\":\"m\",\"type\":\"float\"},{\"column_name\":\"id\","
                  "\"db_type\":\"BIGINT\"}],\"data\":[[-999,\"190361393344112894\"],[null,null],"
                  "[1,7]]}");
    assert_true(number(t, "m", 0) == -999);
    assert_true(hal_table_is_null(t, 0, 1));
    assert_int_equal(integer(t, "id", 0), INT64_C(190361393344112894));
    hal_table_unref(t);
}

static void metadata_and_plain_lists_are_tables(void **state)
{
    (void)state;
    hal_table *t = read_file("mashup/mission_columns.json");
    assert_int_equal(hal_table_rows(t), 57);
    assert_int_equal(hal_table_columns(t), 8);
    assert_text(t, "column_name", 1, "sci_data_set_name");
    assert_text(t, "qual_type", 20, "string");
    assert_text(t, "column_name", 56, "search_key");
    hal_table_unref(t);
    static const struct {
        const char *name;
        uint64_t n_rows;
        size_t n_columns;
    } files[] = {{"mast-catalogs/ps1_mean_dr1_metadata.json", 124, 3},
                 {"mast-catalogs/ps1_stack_dr2_metadata.json", 297, 3},
                 {"mast-catalogs/ps1_detection_dr2_metadata.json", 58, 3},
                 {"mast-catalogs/hsc_v3_summary_magaper2_metadata_first19.json", 19, 2},
                 {"mast-catalogs/panstarrs.json", 35, 6}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        t = read_file(files[i].name);
        assert_int_equal(hal_table_rows(t), files[i].n_rows);
        assert_int_equal(hal_table_columns(t), files[i].n_columns);
        hal_table_unref(t);
    }
    t = read_file("mashup/tess_sector.json");
    assert_int_equal(hal_table_rows(t), 1);
    assert_text(t, "sector", 0, "1"); /* JSON says text */
    hal_table_unref(t);
    t = read_file("mashup/resolver.json");
    assert_int_equal(hal_table_rows(t), 15);
    assert_text(t, "canonicalName", 6, "M 101");
    assert_true(number(t, "decl", 14) == -4.10031);
    hal_table_unref(t);
}

static void small_forms_read_to_columns_in_order(void **state)
{
    (void)state;
    hal_table *t = read_text("[]");
    assert_int_equal(hal_table_columns(t), 0);
    hal_table_unref(t);
    t = read_text("[{},{}]"); /* rows that say nothing are rows */
    assert_int_equal(hal_table_columns(t), 0);
    assert_int_equal(hal_table_rows(t), 2);
    hal_table_unref(t);
    t = read_text(" [ { \"a\" : 1 , \"b\" : \"x\" } , { \"b\" : null , \"c\" : 2.5 } ] ");
    assert_int_equal(hal_table_columns(t), 3);
    assert_true(hal_table_is_null(t, 0, 1));
    assert_true(number(t, "c", 1) == 2.5);
    hal_table_unref(t);
    t = read_text("{\"products\":[[{\"size\":31680},{\"size\":1}]]}"); /* nested once */
    assert_int_equal(integer(t, "size", 1), 1);
    hal_table_unref(t);
    t = read_text("{\"results\":[],\"info\":[{\"name\":\"a\",\"type\":\"DATETIME\"},"
                  "{\"name\":\"b\",\"type\":\"INTEGER\"}],\"totalResults\":0,\"messages\":[]}");
    assert_int_equal(hal_table_rows(t), 0);
    assert_int_equal(hal_table_columns(t), 2);
    assert_int_equal(hal_table_field(t, 1)->type, HAL_TYPE_INT64);
    hal_table_unref(t);
    t = read_text("{\"data\":[{\"b\":5,\"x\":true}],\"info\":[{\"name\":\"a\",\"type\":\"int\"},"
                  "{\"name\":\"b\",\"type\":\"VARCHAR(8)\"}],\"status\":\"\"}");
    assert_text(t, "b", 0, "5"); /* declared types win */
    assert_int_equal(hal_table_columns(t), 2);
    assert_string_equal(hal_table_field(t, 1)->name, "x");
    hal_table_unref(t);
}

static void damage_is_an_error(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "{\"a\":1}",
        "[1]",
        "[[1]]",
        "{\"data\":[[1,2]],\"info\":[{\"name\":\"a\"}]}",
        "{\"data\":[[1],[1,2]],\"info\":[{\"name\":\"a\"}]}",
        "{\"data\":[[1],{\"a\":1}],\"info\":[{\"name\":\"a\"}]}",
        "{\"data\":[{\"a\":1},[1]],\"info\":[{\"name\":\"a\"}]}",
        "{\"data\":[{\"a\":1}],\"results\":[]}",
        "{\"products\":[[[{\"a\":1}]]]}",
        "[{\"a\":1,\"a\":2}]",
        "[{\"a\":[1]}]",
        "[{\"a\":1}] x",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t piece = 1; piece < 100; piece += 98) {
            hal_table *t;
            hal_answer answer;
            if (!read_pieces(texts[i], strlen(texts[i]), piece, &answer, &t, NULL))
                fail_msg("%s was read", texts[i]);
        }
}

static void a_cut_at_any_byte_is_an_error(void **state)
{
    (void)state;
    char *text = load("mast-missions/mission_results.json");
    size_t n = strlen(text);
    while (n && (unsigned char)text[n - 1] <= ' ')
        n--;
    for (size_t cut = 0; cut < n; cut++) {
        hal_table *t;
        hal_answer answer;
        assert_int_not_equal(read_pieces(text, cut, cut ? cut : 1, &answer, &t, NULL), HAL_OK);
        assert_null(t);
    }
    free(text);
}

enum { LARGE_ROWS = 30000 };

/* Rows of every kind that deviates: other orders, missing and late keys, texts that look like rows,
 * numbers that widen. `blank` stands around colons and commas. */
static char *make_large(const char *frame, const char *blank, size_t *n)
{
    char *text = malloc(LARGE_ROWS * 300);
    size_t used = (size_t)sprintf(text, "%s", frame);
    for (unsigned i = 0; i < LARGE_ROWS; i++) {
        unsigned v = i * 2654435761u;
        used += (size_t)sprintf(text + used, "%s%s%s{\"id\"%s:%s%u", blank, i ? "," : "", blank,
                                blank, blank, v);
        if (i % 97 == 5)
            used +=
                (size_t)sprintf(text + used, ",\"note\":\"a },{ \\\"b\\\" \\u00e9\",\"x\":null");
        else if (i % 101)
            used += (size_t)sprintf(text + used, "%s,%s\"x\":%.*f,\"note\":\"n%u\"", blank, blank,
                                    (int)(i % 17), v * 1e-4, v % 50);
        if (i < 20000)
            used += (size_t)sprintf(text + used, ",\"wide\":%u00000000000", v % 4096 + 1);
        else
            used += (size_t)sprintf(text + used, ",\"wide\":%u.5", v % 100);
        if (i > 25000)
            used += (size_t)sprintf(text + used, ",\"late\":%s", i % 2 ? "true" : "false");
        used += (size_t)sprintf(text + used, ",\"mixed\":%s%u%s}", i == 28000 ? "\"" : "", v % 7,
                                i == 28000 ? "\"" : "");
    }
    *n = used;
    return text;
}

static bool same_cell(const hal_table *a, const hal_table *b, size_t c, uint64_t row)
{
    if (hal_table_is_null(a, c, row) || hal_table_is_null(b, c, row))
        return hal_table_is_null(a, c, row) == hal_table_is_null(b, c, row);
    switch (hal_table_field(a, c)->type) {
    case HAL_TYPE_STRING:
        return hal_slice_equals(hal_table_string(a, c, row), hal_table_string(b, c, row));
    case HAL_TYPE_INT64:
        return hal_table_int64(a, c, row) == hal_table_int64(b, c, row);
    case HAL_TYPE_BOOL:
        return hal_table_bool(a, c, row) == hal_table_bool(b, c, row);
    default:
        return hal_table_float64(a, c, row) == hal_table_float64(b, c, row);
    }
}

static void assert_same(const hal_table *a, const hal_table *b)
{
    assert_int_equal(hal_table_rows(a), hal_table_rows(b));
    assert_int_equal(hal_table_columns(a), hal_table_columns(b));
    for (size_t c = 0; c < hal_table_columns(a); c++) {
        assert_string_equal(hal_table_field(a, c)->name, hal_table_field(b, c)->name);
        assert_int_equal(hal_table_field(a, c)->type, hal_table_field(b, c)->type);
        for (uint64_t row = 0; row < hal_table_rows(a); row++)
            if (!same_cell(a, b, c, row))
                fail_msg("row %llu of %s differs", (unsigned long long)row,
                         hal_table_field(a, c)->name);
    }
}

static void blocks_read_on_two_cores_are_the_same_as_one_byte_after_the_other(void **state)
{
    (void)state;
    static const struct {
        const char *before, *blank, *behind;
    } frames[] = {
        {"[", "", "]"},
        {"{\"results\" : [", " ", "]}"},
        {"{\"products\":[[", "\n  ", "]]}"},
        {"{\"status\":\"COMPLETE\",\"data\":[", "",
         "],\"fields\":[{\"name\":\"id\",\"type\":\"int\"},{\"name\":\"x\",\"type\":\"float\"},"
         "{\"name\":\"note\",\"type\":\"string\"},{\"name\":\"wide\",\"type\":\"string\"},"
         "{\"name\":\"late\",\"type\":\"boolean\"},{\"name\":\"mixed\",\"type\":\"int\"}]}"},
    };
    for (size_t f = 0; f < sizeof frames / sizeof *frames; f++) {
        size_t n;
        char *text = make_large(frames[f].before, frames[f].blank, &n);
        n += (size_t)sprintf(text + n, "%s", frames[f].behind);
        hal_answer answer;
        hal_err err = HAL_ERR_INIT;
        hal_table *slow, *fast;
        if (read_pieces(text, n, 7, &answer, &slow, &err))
            fail_msg("%s", err.text);
        assert_int_equal(hal_table_rows(slow), LARGE_ROWS);
        static const size_t pieces[] = {1 << 30, 65536, 300007};
        for (size_t i = 0; i < 3; i++) {
            if (read_pieces(text, n, pieces[i], &answer, &fast, &err))
                fail_msg("%s", err.text);
            assert_same(slow, fast);
            hal_table_unref(fast);
        }
        hal_table_unref(slow);
        free(text);
    }
}

static void damage_in_blocks_is_found_as_it_is_byte_by_byte(void **state)
{
    (void)state;
    size_t n;
    char *text = make_large("[", "", &n);
    text[n++] = ']';
    for (unsigned i = 0; i < 6; i++) {
        size_t at = n / 8 * (i + 2) + i * 12347 % 1000;
        char was = text[at];
        text[at] = i % 3 == 0 ? '}' : i % 3 == 1 ? '"' : '\x01';
        hal_answer answer;
        hal_err slow_err = HAL_ERR_INIT, fast_err = HAL_ERR_INIT;
        hal_table *slow, *fast;
        hal_status slow_st = read_pieces(text, n, 101, &answer, &slow, &slow_err);
        hal_status fast_st = read_pieces(text, n, n, &answer, &fast, &fast_err);
        assert_int_equal(slow_st, fast_st);
        if (slow_st)
            assert_string_equal(slow_err.text, fast_err.text);
        hal_table_unref(slow);
        hal_table_unref(fast);
        text[at] = was;
        slow_st = read_pieces(text, at, 101, &answer, &slow, &slow_err);
        fast_st = read_pieces(text, at, n, &answer, &fast, &fast_err);
        assert_int_equal(slow_st, HAL_E_INTEGRITY);
        assert_int_equal(fast_st, HAL_E_INTEGRITY);
        assert_string_equal(slow_err.text, fast_err.text);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missions_answer_has_its_selected_columns_then_the_others),
        cmocka_unit_test(catalogs_answers_keep_64_bit_ids_and_minus_999),
        cmocka_unit_test(metadata_and_plain_lists_are_tables),
        cmocka_unit_test(small_forms_read_to_columns_in_order),
        cmocka_unit_test(damage_is_an_error),
        cmocka_unit_test(a_cut_at_any_byte_is_an_error),
        cmocka_unit_test(blocks_read_on_two_cores_are_the_same_as_one_byte_after_the_other),
        cmocka_unit_test(damage_in_blocks_is_found_as_it_is_byte_by_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
