/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/alloc.h"
#include "data/reader.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static hal_status read_pieces(const char *text, size_t piece, const hal_reader_limits *limits,
                              hal_answer *answer, hal_table **t, hal_err *err)
{
    *t = NULL;
    hal_reader *r = hal_reader_new(HAL_FORMAT_CSV, limits, err);
    if (!r)
        return err->status;
    hal_status st = HAL_OK;
    for (size_t at = 0, n = strlen(text); at < n && !st;) {
        size_t part = piece && piece < n - at ? piece : n - at;
        st = hal_reader_feed(r, text + at, part, err);
        at += part;
    }
    if (!st)
        st = hal_reader_finish(r, answer, t, err);
    hal_reader_free(r);
    return st;
}

static hal_table *read_good(const char *text, size_t piece)
{
    hal_err err = HAL_ERR_INIT;
    hal_answer answer;
    hal_table *t;
    if (read_pieces(text, piece, NULL, &answer, &t, &err))
        fail_msg("%s: %s", text, err.text);
    assert_int_equal(answer.status, HAL_ANSWER_COMPLETE);
    return t;
}

static void assert_text(const hal_table *t, size_t c, uint64_t row, const char *text)
{
    assert_int_equal(hal_table_field(t, c)->type, HAL_TYPE_STRING);
    assert_false(hal_table_is_null(t, c, row));
    hal_slice cell = hal_table_string(t, c, row);
    assert_int_equal(cell.size_bytes, strlen(text));
    assert_memory_equal(cell.data, text, cell.size_bytes);
}

static void quotes_line_ends_and_nulls_are_read_as_rfc_4180_says(void **state)
{
    (void)state;
    const char *text = "\xef\xbb\xbf"
                       "name,\"a, b\",n\r\n"
                       "\"x \"\"y\"\"\",\"two\r\nlines\",1\r\n"
                       ",\"\",\n"
                       "caf\xc3\xa9, z ,3\n";
    for (size_t piece = 0; piece < 4; piece++) {
        hal_table *t = read_good(text, piece);
        assert_int_equal(hal_table_rows(t), 3);
        assert_int_equal(hal_table_columns(t), 3);
        assert_string_equal(hal_table_field(t, 0)->name, "name");
        assert_string_equal(hal_table_field(t, 1)->name, "a, b");
        assert_text(t, 0, 0, "x \"y\"");
        assert_text(t, 1, 0, "two\r\nlines");
        assert_true(hal_table_is_null(t, 0, 1));
        assert_text(t, 1, 1, "");
        assert_text(t, 1, 2, " z ");
        assert_int_equal(hal_table_field(t, 2)->type, HAL_TYPE_INT64);
        assert_true(hal_table_is_null(t, 2, 1));
        assert_int_equal(hal_table_int64(t, 2, 2), 3);
        hal_table_unref(t);
    }
}

static void types_are_the_narrowest_that_lose_nothing(void **state)
{
    (void)state;
    hal_table *t = read_good("i,f,b,lead,big,wide,mixed,nan,none,ver\n"
                             "1,1,true,007,9223372036854775808,9007199254740993,5.10,NaN,,1.50\n"
                             "-2,2.5,false,8,1,0.5,5.1a,inf,,2\n"
                             ",1e3,true,9,2,1,1e5,-inf,,3\n",
                             0);
    const hal_type types[] = {HAL_TYPE_INT64,  HAL_TYPE_FLOAT64, HAL_TYPE_BOOL,   HAL_TYPE_STRING,
                              HAL_TYPE_STRING, HAL_TYPE_STRING,  HAL_TYPE_STRING, HAL_TYPE_FLOAT64,
                              HAL_TYPE_STRING, HAL_TYPE_FLOAT64};
    for (size_t c = 0; c < 10; c++)
        if (hal_table_field(t, c)->type != types[c])
            fail_msg("column %s has type %d", hal_table_field(t, c)->name,
                     (int)hal_table_field(t, c)->type);
    assert_true(hal_table_float64(t, 1, 2) == 1000);
    assert_text(t, 3, 0, "007");
    assert_text(t, 4, 0, "9223372036854775808");
    assert_text(t, 5, 0, "9007199254740993");
    assert_text(t, 6, 0, "5.10");
    assert_text(t, 6, 2, "1e5");
    assert_true(isnan(hal_table_float64(t, 7, 0)));
    assert_true(hal_table_float64(t, 7, 2) == -HUGE_VAL);
    assert_int_equal(hal_table_column(t, 8).n_nulls, 3);
    hal_table_unref(t);
}

static void comments_and_type_lines_are_skipped_but_never_rows(void **state)
{
    (void)state;
    hal_table *t =
        read_good("# made by a portal\n@types\n\na,b\n@string,@int\n#12,1\nx,2\n# end of "
                  "table\n@y,3\n\"#z\",4\n\n\n",
                  0);
    assert_int_equal(hal_table_rows(t), 4);
    assert_text(t, 0, 0, "#12");
    assert_text(t, 0, 2, "@y");
    assert_text(t, 0, 3, "#z");
    hal_table_unref(t);
    t = read_good("a,b\n", 0);
    assert_int_equal(hal_table_rows(t), 0);
    hal_table_unref(t);
    t = read_good("a\n1\n\n3\n", 0); /* one column: an empty line is a null */
    assert_int_equal(hal_table_rows(t), 3);
    assert_true(hal_table_is_null(t, 0, 1));
    hal_table_unref(t);
}

static void damage_is_an_error_with_the_line(void **state)
{
    (void)state;
    const struct {
        hal_status status;
        const char *text, *says;
    } cases[] = {
        {HAL_E_INTEGRITY, "a,b\n1,2\n3\n", "line 3 has 1 cells, the header 2"},
        {HAL_E_INTEGRITY, "a,b\n1,2,3\n", "line 2 has 3 cells"},
        {HAL_E_INTEGRITY, "a,b\n1,2\n3,4", "line 3: the last line"},
        {HAL_E_INTEGRITY, "a,b\n3,\"4\"", "line 2: the last line"},
        {HAL_E_INTEGRITY, "a,b", "line 1: the last line"},
        {HAL_E_INTEGRITY, "a,b\n1,\"2\n3,4\n", "inside a quoted cell"},
        {HAL_E_INTEGRITY, "a,b\n\"x\ny\",1\n\n3,4\n", "line 4 is empty"},
        {HAL_E_INTEGRITY, "a,b\n1,x\"y\"\n", "line 2: a quote inside"},
        {HAL_E_INTEGRITY, "a,b\n1,\"x\"y\n", "line 2: text after the quote"},
        {HAL_E_INTEGRITY, "a,b\n1,2\r3,4\n", "line 2: a carriage return"},
        {HAL_E_INTEGRITY, "a,a\n1,2\n", "two columns"},
        {HAL_E_INTEGRITY, "a,b\n1,\xff\n", "line 2: not valid UTF-8"},
        {HAL_E_INTEGRITY, "# only a comment\n", "no header"},
        {HAL_E_PROTOCOL, "", "empty"},
        {HAL_E_PROTOCOL, "<html><title>Down</title>", "HTML page titled \"Down\""},
        {HAL_E_PROTOCOL, "{\"status\":\"ERROR\"}", "JSON object"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t piece = 0; piece < 2; piece++) {
            hal_err err = HAL_ERR_INIT;
            hal_answer answer;
            hal_table *t;
            hal_status st = read_pieces(cases[i].text, piece, NULL, &answer, &t, &err);
            if (st != cases[i].status || !strstr(err.text, cases[i].says))
                fail_msg("%s: status %d, %s", cases[i].text, (int)st, err.text);
        }
}

static void an_answer_that_is_not_ready_is_executing(void **state)
{
    (void)state;
    hal_err err = HAL_ERR_INIT;
    hal_answer answer;
    hal_table *t;
    assert_int_equal(read_pieces("{}", 0, NULL, &answer, &t, &err), HAL_OK);
    assert_int_equal(answer.status, HAL_ANSWER_EXECUTING);
    assert_null(t);
}

static void every_cut_inside_a_line_is_found(void **state)
{
    (void)state;
    const char *text = "id,name\n12,\"a \"\"b\"\", c\"\n345,d\n";
    char cut[64];
    for (size_t n = 1; n < strlen(text); n++) {
        snprintf(cut, n + 1, "%s", text);
        hal_err err = HAL_ERR_INIT;
        hal_answer answer;
        hal_table *t;
        hal_status st = read_pieces(cut, 0, NULL, &answer, &t, &err);
        bool whole = cut[n - 1] == '\n';
        if (whole != (st == HAL_OK))
            fail_msg("cut at %zu (%s): %s", n, cut, err.text);
        hal_table_unref(t);
    }
}

static void limits_are_kept(void **state)
{
    (void)state;
    const hal_reader_limits limits[] = {{.rows_max = 1}, {.columns_max = 1}, {.bytes_max = 4}};
    for (size_t i = 0; i < 3; i++) {
        hal_err err = HAL_ERR_INIT;
        hal_answer answer;
        hal_table *t;
        assert_int_equal(read_pieces("a,b\n1,2\n3,4\n", 0, &limits[i], &answer, &t, &err),
                         HAL_E_BUDGET);
    }
    size_t n = (1 << 20) + 10;
    char *text = malloc(n);
    memset(text, 'x', n);
    memcpy(text, "a\n", 2);
    memcpy(text + n - 2, "\n", 2);
    hal_err err = HAL_ERR_INIT;
    hal_answer answer;
    hal_table *t;
    assert_int_equal(read_pieces(text, 0, NULL, &answer, &t, &err), HAL_E_INTEGRITY);
    assert_non_null(strstr(err.text, "1 MiB"));
    free(text);
}

static void running_out_of_memory_at_any_point_is_reported(void **state)
{
    (void)state;
    hal_status st = HAL_E_NOMEM;
    hal_table *t = NULL;
    for (size_t i = 1; st; i++) {
        hal_err err = HAL_ERR_INIT;
        hal_answer answer;
        hal_alloc_fail_at(i);
        st = read_pieces("a,b,c\n1,x,true\n2,,false\n,\"y\nz\",\n2.5,q,true\n", 5, NULL, &answer,
                         &t, &err);
        hal_alloc_fail_at(0);
        if (st)
            assert_int_equal(st, HAL_E_NOMEM);
    }
    hal_table_unref(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotes_line_ends_and_nulls_are_read_as_rfc_4180_says),
        cmocka_unit_test(types_are_the_narrowest_that_lose_nothing),
        cmocka_unit_test(comments_and_type_lines_are_skipped_but_never_rows),
        cmocka_unit_test(damage_is_an_error_with_the_line),
        cmocka_unit_test(an_answer_that_is_not_ready_is_executing),
        cmocka_unit_test(every_cut_inside_a_line_is_found),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(running_out_of_memory_at_any_point_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
