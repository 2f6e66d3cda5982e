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

static void check_same(const hal_table *a, const hal_table *b)
{
    assert_int_equal(hal_table_rows(a), hal_table_rows(b));
    assert_int_equal(hal_table_columns(a), hal_table_columns(b));
    hal_buf x, y;
    hal_buf_init(&x, 1000);
    hal_buf_init(&y, 1000);
    for (size_t c = 0; c < hal_table_columns(a); c++) {
        assert_string_equal(hal_table_field(a, c)->name, hal_table_field(b, c)->name);
        assert_int_equal(hal_table_field(a, c)->type, hal_table_field(b, c)->type);
        for (uint64_t i = 0; i < hal_table_rows(a); i++) {
            assert_int_equal(hal_table_is_null(a, c, i), hal_table_is_null(b, c, i));
            if (hal_table_is_null(a, c, i))
                continue;
            x.size_bytes = y.size_bytes = 0;
            assert_int_equal(hal_table_cell_text(&x, a, c, i, NULL), 0);
            assert_int_equal(hal_table_cell_text(&y, b, c, i, NULL), 0);
            assert_true(hal_slice_equals(hal_buf_slice(&x), hal_buf_slice(&y)));
        }
    }
    hal_buf_clear(&x);
    hal_buf_clear(&y);
}

static void every_cut_into_two_pieces_gives_the_same_table(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\xef\xbb\xbf#comment\r\n@types\r\nname,\"a \"\"b\"\"\",n,x\r\n"
        "string,string,int,float\r\n#one\r\n"
        "\"two\r\nlines, \"\"q\"\"\",\"\",1,-0.0\r\n,caf\xc3\xa9,9007199254740993,1e-5\r\n"
        "001,\"#x\",-0,12345678901234567.25\r\n,,,\r\n\r\n",
        "A title of its own\nra;dec;flag\n1.5;-0.25;true\n;;false\n3;12345678.123456789;true\n",
        "only\n\n\"\"\n1\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        hal_table *whole = read_good(texts[i], 0);
        size_t n = strlen(texts[i]);
        for (size_t cut = 1; cut < n; cut++) {
            hal_err err = HAL_ERR_INIT;
            hal_answer answer;
            hal_table *t = NULL;
            hal_reader *r = hal_reader_new(HAL_FORMAT_CSV, NULL, &err);
            if (hal_reader_feed(r, texts[i], cut, &err) ||
                hal_reader_feed(r, texts[i] + cut, n - cut, &err) ||
                hal_reader_finish(r, &answer, &t, &err))
                fail_msg("text %zu cut at %zu: %s", i, cut, err.text);
            hal_reader_free(r);
            check_same(whole, t);
            hal_table_unref(t);
        }
        hal_table_unref(whole);
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

static void a_number_beyond_a_double_is_text_and_underflow_is_not(void **state)
{
    (void)state;
    hal_table *t = read_good("float,int,first,deep,named\n"
                             "1.5,9223,-1e400,1e-400,inf\n"
                             "2e308,922337247755e768547775808,1,-3e-320,-inf\n"
                             "0.25,4,2.0,0.5,1\n",
                             0);
    for (size_t c = 0; c < 5; c++)
        assert_int_equal(hal_table_field(t, c)->type, c < 3 ? HAL_TYPE_STRING : HAL_TYPE_FLOAT64);
    assert_text(t, 0, 0, "1.5");
    assert_text(t, 0, 1, "2e308");
    assert_text(t, 0, 2, "0.25");
    assert_text(t, 1, 0, "9223");
    assert_text(t, 1, 1, "922337247755e768547775808");
    assert_text(t, 2, 0, "-1e400");
    assert_text(t, 2, 2, "2.0");
    assert_true(hal_table_float64(t, 3, 0) == 0);
    assert_true(hal_table_float64(t, 3, 1) == -3e-320);
    assert_true(hal_table_float64(t, 4, 1) == -HUGE_VAL);
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
    t = read_good("a,b\n5.,1\n# end of table\n", 0); /* nor do they make a column text */
    assert_int_equal(hal_table_field(t, 0)->type, HAL_TYPE_FLOAT64);
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
        {HAL_E_INTEGRITY, "#ra,dec\n1.5,2\n3,4\n",
         "line 2 has a number where the columns are named"},
        {HAL_E_INTEGRITY, "Objects found: 2\n1.5,2\n3,4\n", "line 2 has a number where"},
        {HAL_E_INTEGRITY, "ra;dec\n1,2\n", "line 2 has 1 cells, the header 2"},
        {HAL_E_INTEGRITY, "ra-dec\n1,2\n", "line 2 has 2 cells, the header 1"},
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

static void answers_in_words_and_lines_before_the_header_are_understood(void **state)
{
    (void)state;
    hal_answer answer;
    hal_table *t;
    hal_err err = HAL_ERR_INIT;
    assert_int_equal(read_pieces("no rows found\n\n", 1, NULL, &answer, &t, &err), HAL_OK);
    assert_int_equal(answer.status, HAL_ANSWER_COMPLETE);
    assert_int_equal(hal_table_rows(t), 0);
    assert_int_equal(hal_table_columns(t), 0);
    hal_table_unref(t);
    assert_int_equal(read_pieces("target not resolved, continue\n\n", 0, NULL, &answer, &t, &err),
                     HAL_OK);
    assert_int_equal(answer.status, HAL_ANSWER_NOT_FOUND);
    assert_string_equal(answer.message, "target not resolved, continue");
    assert_null(t);
    assert_int_equal(read_pieces("Error: no catalog X\r\n", 2, NULL, &answer, &t, &err), HAL_OK);
    assert_int_equal(answer.status, HAL_ANSWER_ERROR);
    assert_null(t);
    assert_int_equal(read_pieces("Error: no line end", 3, NULL, &answer, &t, &err), HAL_OK);
    assert_int_equal(answer.status, HAL_ANSWER_ERROR);
    assert_string_equal(answer.message, "Error: no line end");
    assert_int_equal(read_pieces("Something failed badly, sorry", 3, NULL, &answer, &t, &err),
                     HAL_E_PROTOCOL);
    assert_int_equal(read_pieces("ra,dec", 3, NULL, &answer, &t, &err), HAL_E_INTEGRITY);
    t = read_good("error_ra,error_dec\n", 0);
    assert_int_equal(hal_table_columns(t), 2);
    hal_table_unref(t);
    t = read_good("Objects found: 2\r\nraMean,id\r\n1.5,68960059717834079\r\n2,3\r\n", 1);
    assert_int_equal(hal_table_rows(t), 2);
    assert_int_equal(hal_table_int64(t, 1, 0), INT64_C(68960059717834079));
    assert_true(hal_table_float64(t, 0, 1) == 2);
    hal_table_unref(t);
}

static hal_status read_as(const char *text, bool as_named, hal_answer *answer, hal_table **t,
                          hal_err *err)
{
    hal_reader_options options = {.as_named = as_named};
    hal_reader *r = hal_reader_new_with(HAL_FORMAT_CSV, &options, err);
    *t = NULL;
    hal_status st = r ? hal_reader_feed(r, text, strlen(text), err) : err->status;
    if (!st)
        st = hal_reader_finish(r, answer, t, err);
    hal_reader_free(r);
    return st;
}

static void sentences_and_json_values_are_no_tables_unless_a_person_says_so(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "Internal Server Error\n",
        "Service unavailable\r\n",
        "Query timed out, please try again\n",
        "Internal Server Error\nSorry, please try again later\n",
        "The service is down\nPlease try again later\n",
        "\"no such table\"\n",
        "null\n",
        "true\n",
        "404\n",
    };
    hal_answer answer;
    hal_table *t;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        hal_err err = HAL_ERR_INIT;
        if (read_as(wrong[i], false, &answer, &t, &err) != HAL_E_PROTOCOL ||
            !strstr(err.text, i < 6 ? "plain text" : "JSON value"))
            fail_msg("%s: %s", wrong[i], err.text);
        if (read_as(wrong[i], true, &answer, &t, &err))
            fail_msg("%s as named: %s", wrong[i], err.text);
        hal_table_unref(t);
    }
    static const char *const failures[] = {"ERROR, something broke\n", "Error: a,b are unknown\n",
                                           "Error in column ra,dec\n"};
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        hal_err err = HAL_ERR_INIT;
        if (read_as(failures[i], false, &answer, &t, &err) || answer.status != HAL_ANSWER_ERROR)
            fail_msg("%s: %s", failures[i], err.text);
    }
}

static void headers_without_rows_are_empty_tables_also_with_blanks_in_labels(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "ra,dec,mag\n",         "ra, dec, mag\n",   "Kepler ID,RA (J2000)\n",
        "Error RA,Error Dec\n", "error,error_ra\n", "Proper Motion in RA,Teff\n",
        "source_id\n",          "nullity\n"};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        hal_table *t = read_good(headers[i], 0);
        assert_int_equal(hal_table_rows(t), 0);
        hal_table_unref(t);
    }
    hal_table *t = read_good("Target Name\nRho Oph A\n", 0);
    assert_int_equal(hal_table_rows(t), 1);
    hal_table_unref(t);
    t = read_good("KIC Effective Temperature\n5778\n", 0);
    assert_int_equal(hal_table_rows(t), 1);
    hal_table_unref(t);
}

static void a_row_of_type_words_declares_the_columns(void **state)
{
    (void)state;
    for (size_t piece = 0; piece < 3; piece++) {
        hal_table *t = read_good("Dataset,RA (J2000),Ref,Exp Time,Ang Sep (')\n"
                                 "string,ra,integer,float,float\n"
                                 "12,01 20 30.5,,3,1.50\n"
                                 "13,01 20 31.5,7,,2\n\n",
                                 piece);
        assert_int_equal(hal_table_rows(t), 2);
        assert_text(t, 0, 0, "12");
        assert_text(t, 1, 1, "01 20 31.5");
        assert_int_equal(hal_table_int64(t, 2, 1), 7);
        assert_true(hal_table_float64(t, 3, 0) == 3);
        assert_true(hal_table_float64(t, 4, 0) == 1.5);
        hal_table_unref(t);
    }
    hal_table *t = read_good("a,b\ninteger,long\n1.5,x\n", 0); /* values win over a wrong type */
    assert_true(hal_table_float64(t, 0, 0) == 1.5);
    assert_text(t, 1, 0, "x");
    hal_table_unref(t);
    t = read_good("a,b\n\"string\",float\n", 0);
    assert_int_equal(hal_table_rows(t), 1);
    hal_table_unref(t);
}

static void bars_semicolons_and_tabs_separate_where_the_header_has_no_comma(void **state)
{
    (void)state;
    static const char *const texts[] = {"a|b c|d\n1|x,y|2.5\n", "a;b c;d\n1;x,y;2.5\n",
                                        "a\tb c\td\n1\tx,y\t2.5\n"};
    for (size_t i = 0; i < 3; i++)
        for (size_t piece = 0; piece < 3; piece++) {
            hal_table *t = read_good(texts[i], piece);
            assert_int_equal(hal_table_columns(t), 3);
            assert_string_equal(hal_table_field(t, 1)->name, "b c");
            assert_text(t, 1, 0, "x,y");
            assert_true(hal_table_float64(t, 2, 0) == 2.5);
            hal_table_unref(t);
        }
}

/* Cells of a large table, by row and column. */
static size_t spell(char *out, uint64_t row, size_t column)
{
    uint64_t v = (row + 1) * 0x9e3779b97f4a7c15u >> 11;
    const char *const odd[] = {"1e5", "NaN", "-inf", "+2.5", ".5", "7.", "1.25E-07", "-0"};
    double unit = (double)(v & 0xfffffffff) * 0x1p-36;
    switch (column) {
    case 0: /* becomes text late */
        if (row == 70001)
            return (size_t)sprintf(out, "n/a");
        return row % 100 == 7 ? (size_t)sprintf(out, "%s", odd[row / 100 % 8])
               : row % 3      ? (size_t)sprintf(out, "%.*g", (int)(row % 19) + 1, unit + 1)
                              : (size_t)sprintf(out, "%.*f", (int)(row % 16), 360 * unit - 180);
    case 1: /* whole numbers, then doubles */
        return row < 60000 ? (size_t)sprintf(out, "%d", (int)(v % 2000) - 1000)
                           : (size_t)sprintf(out, "%.17g", 1000 * unit);
    case 2: /* beyond 2^53, then a double: text */
        return row < 65000 ? (size_t)sprintf(out, "%llu", (unsigned long long)v * 16)
                           : (size_t)sprintf(out, "%.2f", unit);
    case 3: /* null for long */
        return row < 50000 ? 0 : (size_t)sprintf(out, "%s", row % 2 ? "true" : "false");
    case 4: /* quotes and line ends inside */
        return row % 97 ? (size_t)sprintf(out, "text %llu", (unsigned long long)(v % 1000))
                        : (size_t)sprintf(out, "\"a \"\"b\"\",\r\n%llu\"",
                                          (unsigned long long)(v % 1000));
    case 5:
        return row % 5 ? (size_t)sprintf(out, "%lld", (long long)(v - (UINT64_C(1) << 52))) : 0;
    default:
        return row % 7 ? (size_t)sprintf(out, "%.*f", (int)(row % 18), 99 * unit) : 0;
    }
}

/* What a reader makes of the spelled cell `text`. */
static size_t unquoted(char *out, const char *text, size_t n)
{
    size_t used = 0;
    if (!n || *text != '"')
        return memcpy(out, text, n), n;
    for (size_t i = 1; i + 1 < n; i++) {
        out[used++] = text[i];
        i += text[i] == '"';
    }
    return used;
}

static void check_large(const hal_table *t, uint64_t first)
{
    for (uint64_t row = 0; row < hal_table_rows(t); row++)
        for (size_t c = 0; c < 7; c++) {
            char text[100], want[100], have[100];
            size_t n = spell(text, first + row, c);
            text[n] = '\0';
            if (!n != hal_table_is_null(t, c, row))
                fail_msg("row %llu column %zu: null", (unsigned long long)(first + row), c);
            if (!n)
                continue;
            size_t n_want = unquoted(want, text, n);
            want[n_want] = '\0';
            bool same;
            double d;
            switch (hal_table_field(t, c)->type) {
            case HAL_TYPE_STRING:
                same = hal_slice_equals(hal_table_string(t, c, row), (hal_slice){want, n_want});
                break;
            case HAL_TYPE_INT64:
                sprintf(have, "%lld", (long long)hal_table_int64(t, c, row));
                same = !strcmp(have, want);
                break;
            case HAL_TYPE_BOOL:
                same = hal_table_bool(t, c, row) == !strcmp(want, "true");
                break;
            default:
                d = strtod(want, NULL);
                same = isnan(d) ? isnan(hal_table_float64(t, c, row))
                                : hal_table_float64(t, c, row) == d;
            }
            if (!same)
                fail_msg("row %llu column %zu: not %s", (unsigned long long)(first + row), c, want);
        }
}

enum { LARGE_ROWS = 80000 };

static char *make_large(size_t *n)
{
    char *text = malloc(LARGE_ROWS * 7 * 40);
    size_t used = (size_t)sprintf(text, "late,mixed,wide,flag,note,big,mag\n");
    for (uint64_t row = 0; row < LARGE_ROWS; row++)
        for (size_t c = 0; c < 7; c++) {
            used += spell(text + used, row, c);
            text[used++] = c == 6 ? '\n' : ',';
        }
    text[used] = '\0';
    *n = used;
    return text;
}

static void blocks_read_on_two_cores_give_every_cell_as_written(void **state)
{
    (void)state;
    size_t n;
    char *text = make_large(&n);
    const hal_type types[] = {HAL_TYPE_STRING, HAL_TYPE_FLOAT64, HAL_TYPE_STRING, HAL_TYPE_BOOL,
                              HAL_TYPE_STRING, HAL_TYPE_INT64,   HAL_TYPE_FLOAT64};
    static const size_t pieces[] = {0, 65536, 1000003};
    for (size_t i = 0; i < 3; i++) {
        hal_table *t = read_good(text, pieces[i]);
        assert_int_equal(hal_table_rows(t), LARGE_ROWS);
        for (size_t c = 0; c < 7; c++)
            assert_int_equal(hal_table_field(t, c)->type, types[c]);
        check_large(t, 0);
        hal_table_unref(t);
    }
    /* Damage is found in its line, wherever the blocks are cut. */
    hal_err err = HAL_ERR_INIT;
    hal_answer answer;
    hal_table *t;
    char *late = text + n - 100000, *line = memchr(late, '\n', 100000);
    while (line[1] < '0' || line[1] > '9' || line[2] == '\n')
        line = strchr(line + 1, '\n');
    unsigned long long line_no = 1;
    for (const char *p = text; p <= line; p++)
        line_no += *p == '\n';
    line[1] = ',';
    char want[40];
    sprintf(want, "line %llu has 8 cells", line_no);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(read_pieces(text, pieces[i], NULL, &answer, &t, &err), HAL_E_INTEGRITY);
        if (!strstr(err.text, want))
            fail_msg("%s, not %s", err.text, want);
    }
    line[1] = '"'; /* a quote that is never closed swallows what follows */
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(read_pieces(text, pieces[i], NULL, &answer, &t, &err), HAL_E_INTEGRITY);
    free(text);
}

typedef struct batches {
    uint64_t n_rows;
    unsigned n;
    bool steady;
    hal_type types[7];
} batches;

static hal_status take_batch(void *ctx, const hal_table *t, hal_err *err)
{
    (void)err;
    batches *b = ctx;
    check_large(t, b->n_rows);
    for (size_t c = 0; c < 7; c++) {
        b->steady = b->steady && (!b->n || b->types[c] == hal_table_field(t, c)->type);
        b->types[c] = hal_table_field(t, c)->type;
    }
    b->n_rows += hal_table_rows(t);
    b->n++;
    return HAL_OK;
}

static hal_table *read_batches(const char *text, size_t n, batches *b, const hal_table *types)
{
    hal_field fields[7];
    for (size_t c = 0; c < 7 && types; c++)
        fields[c] = *hal_table_field(types, c);
    hal_reader_options options = {.batch = take_batch,
                                  .batch_ctx = b,
                                  .batch_rows = 5000,
                                  .types = fields,
                                  .n_types = types ? 7 : 0};
    hal_err err = HAL_ERR_INIT;
    hal_reader *r = hal_reader_new_with(HAL_FORMAT_CSV, &options, &err);
    hal_answer answer;
    hal_table *t = NULL;
    if (hal_reader_feed(r, text, n, &err) || hal_reader_finish(r, &answer, &t, &err))
        fail_msg("%s", err.text);
    hal_reader_free(r);
    assert_int_equal(hal_table_rows(t), 0);
    assert_int_equal(b->n_rows, LARGE_ROWS);
    assert_true(b->n > 4);
    return t;
}

static void batches_hold_all_rows_and_a_second_pass_does_not_change_types(void **state)
{
    (void)state;
    size_t n;
    char *text = make_large(&n);
    hal_table *whole = read_good(text, 0);
    batches first = {.steady = true}, second = {.steady = true};
    hal_table *t = read_batches(text, n, &first, NULL);
    assert_false(first.steady);
    for (size_t c = 0; c < 7; c++)
        assert_int_equal(hal_table_field(t, c)->type, hal_table_field(whole, c)->type);
    hal_table_unref(read_batches(text, n, &second, t));
    assert_true(second.steady);
    for (size_t c = 0; c < 7; c++)
        assert_int_equal(second.types[c], hal_table_field(whole, c)->type);
    hal_table_unref(t);
    hal_table_unref(whole);
    free(text);
}

static void rows_may_become_much_shorter_than_those_before(void **state)
{
    (void)state;
    enum { LONG_ROWS = 40000, ROWS = 140000, TEXT = 200 };
    char *text = malloc((size_t)LONG_ROWS * (TEXT + 20) + (size_t)ROWS * 20), *p = text;
    p += sprintf(p, "n,f,s\n");
    for (int i = 0; i < ROWS; i++) /* the blocks of long rows have all been used by then */
        p += sprintf(p, i % 7 ? "%d,0.5,%-*s\n" : "%d,,%-*s\n", i, i < LONG_ROWS ? TEXT : 1, "\t");
    hal_table *t = read_good(text, 0);
    assert_int_equal(hal_table_rows(t), ROWS);
    for (uint64_t i = 0; i < ROWS; i++) {
        assert_int_equal(hal_table_int64(t, 0, i), i);
        assert_int_equal(hal_table_is_null(t, 1, i), i % 7 == 0);
        hal_slice s = hal_table_string(t, 2, i);
        assert_int_equal(s.size_bytes, i < LONG_ROWS ? TEXT : 1);
        assert_true(s.data[0] == '\t' && (s.size_bytes == 1 || s.data[TEXT - 1] == ' '));
    }
    hal_table_unref(t);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotes_line_ends_and_nulls_are_read_as_rfc_4180_says),
        cmocka_unit_test(every_cut_into_two_pieces_gives_the_same_table),
        cmocka_unit_test(types_are_the_narrowest_that_lose_nothing),
        cmocka_unit_test(a_number_beyond_a_double_is_text_and_underflow_is_not),
        cmocka_unit_test(comments_and_type_lines_are_skipped_but_never_rows),
        cmocka_unit_test(damage_is_an_error_with_the_line),
        cmocka_unit_test(an_answer_that_is_not_ready_is_executing),
        cmocka_unit_test(every_cut_inside_a_line_is_found),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(running_out_of_memory_at_any_point_is_reported),
        cmocka_unit_test(answers_in_words_and_lines_before_the_header_are_understood),
        cmocka_unit_test(sentences_and_json_values_are_no_tables_unless_a_person_says_so),
        cmocka_unit_test(headers_without_rows_are_empty_tables_also_with_blanks_in_labels),
        cmocka_unit_test(a_row_of_type_words_declares_the_columns),
        cmocka_unit_test(bars_semicolons_and_tabs_separate_where_the_header_has_no_comma),
        cmocka_unit_test(blocks_read_on_two_cores_give_every_cell_as_written),
        cmocka_unit_test(batches_hold_all_rows_and_a_second_pass_does_not_change_types),
        cmocka_unit_test(rows_may_become_much_shorter_than_those_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
