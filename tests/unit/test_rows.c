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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missions_answer_has_its_selected_columns_then_the_others),
        cmocka_unit_test(catalogs_answers_keep_64_bit_ids_and_minus_999),
        cmocka_unit_test(metadata_and_plain_lists_are_tables),
        cmocka_unit_test(small_forms_read_to_columns_in_order),
        cmocka_unit_test(damage_is_an_error),
        cmocka_unit_test(a_cut_at_any_byte_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
