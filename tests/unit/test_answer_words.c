/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/answer_words.h"

#include "base/alloc.h"
#include "data/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
    const char *body, *words;
} answers[] = {
    {"", ""},
    {" \r\n", ""},
    {"Unknown column 'foo'\r\nat line 1\n", "Unknown column 'foo' at line 1"},
    {"\xef\xbb\xbf"
     "bad\x01\x7f\xc2\x85 \xe2\x80\xaetxt \xff caf\xc3\xa9",
     "bad txt ? caf\xc3\xa9"},
    {"<?xml version='1.0'?><!-- <x> --><?xml-stylesheet href='a'?><VOTABLE><RESOURCE "
     "type='results'><INFO name='QUERY_STATUS' value='ERROR'>Column foo &lt;unknown&gt;\n near "
     "line 2</INFO></RESOURCE></VOTABLE>",
     "Column foo <unknown> near line 2"},
    {"<vot:VOTABLE xmlns:vot='http://www.ivoa.net/xml/VOTable/v1.3'><vot:INFO name='Error' "
     "value='SR is too large'/></vot:VOTABLE>",
     "SR is too large"},
    {"<VOTABLE><RESOURCE><INFO name='QUERY_STATUS' value='ERROR'>cut he", "cut he"},
    {"{\"status\":\"ERROR\",\"msg\":\"Incorrect syntax near '*'.\",\"data\":[{\"a\":\"b\"}]}",
     "Incorrect syntax near '*'."},
    {"{\"error\":{\"code\":400,\"Message\":\"no such mission\"},\"hint\":\"x\"}",
     "no such mission"},
    {"{\"error\":\"Bad Request\",\"message\":\"radius too large\"}",
     "Bad Request; radius too large"},
    {"{\"detail\":[{\"loc\":[\"body\",\"conditions\",0],\"msg\":\"field required\",\"type\":\"x\"},"
     "{\"loc\":[\"body\",\"limit\"],\"msg\":\"not an integer\"}]}",
     "body.conditions.0: field required; body.limit: not an integer"},
    {"{\"sort_by\":[\"not a column\"]}", "{\"sort_by\":[\"not a column\"]}"},
    {"[\"first\",\"second\"]", "first; second"},
    {"\"nothing\"", "nothing"},
    {"{\"message\":\"it was cut\",\"rest\":\"", "it was cut"},
    {"<!DOCTYPE html>\n<HTML lang=en><head><title>\n 502 Bad&nbsp;Gateway &amp; more</title></head>"
     "<body>long</body></HTML>",
     "502 Bad Gateway & more"},
    {"<html><head><style>p {}</style></head><body><h1>Request ID</h1><p>4&#39;5</p>"
     "<script>x<y</script></body></html>",
     "Request ID 4'5"},
    {"<ExceptionReport><Text>no <![CDATA[such]]> thing</Text></ExceptionReport>",
     "no such]]> thing"},
};

static void every_kind_of_error_answer_is_put_into_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        char out[501];
        hal_answer_words(out, sizeof out, hal_slice_of(answers[i].body));
        assert_string_equal(out, answers[i].words);
    }
}

static void words_are_cut_behind_a_whole_character(void **state)
{
    (void)state;
    char body[2000], out[12];
    for (size_t i = 0; i + 2 < sizeof body; i += 2)
        memcpy(body + i, "\xc3\xa9", 2);
    hal_answer_words(out, sizeof out, (hal_slice){body, 1998});
    assert_string_equal(out, "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9...");
    hal_answer_words(out, sizeof out, hal_slice_of("12345678901"));
    assert_string_equal(out, "12345678901");
    hal_answer_words(out, sizeof out, hal_slice_of("123456789012"));
    assert_string_equal(out, "12345678...");
}

static void an_answer_that_is_cut_anywhere_or_meets_no_memory_gives_a_line(void **state)
{
    (void)state;
    char out[501];
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        for (size_t n = strlen(answers[i].body); n; n--) {
            char *exact = malloc(n); /* so that reading beyond it is seen */
            memcpy(exact, answers[i].body, n);
            hal_alloc_fail_at(n % 7 + 1);
            hal_answer_words(out, sizeof out, (hal_slice){exact, n});
            hal_alloc_fail_at(0);
            free(exact);
            for (const char *p = out; *p; p++)
                assert_true((unsigned char)*p >= 0x20);
        }
}

static void literal_answers_are_understood_in_every_format(void **state)
{
    (void)state;
    static const hal_format formats[] = {HAL_FORMAT_CSV, HAL_FORMAT_VOTABLE, HAL_FORMAT_ROWS_JSON};
    static const char none[] = "no rows found\n\n", unknown[] = "target not resolved, continue\n\n";
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        hal_err err = HAL_ERR_INIT;
        hal_answer answer;
        hal_table *t = NULL;
        hal_reader *r = hal_reader_new(formats[i], NULL, &err);
        assert_int_equal(hal_reader_feed(r, none, sizeof none - 1, &err), HAL_OK);
        assert_int_equal(hal_reader_finish(r, &answer, &t, &err), HAL_OK);
        assert_int_equal(answer.status, HAL_ANSWER_COMPLETE);
        assert_int_equal(hal_table_rows(t), 0);
        hal_table_unref(t);
        hal_reader_free(r);
        t = NULL;
        r = hal_reader_new(formats[i], NULL, &err);
        assert_int_equal(hal_reader_feed(r, unknown, sizeof unknown - 1, &err), HAL_OK);
        assert_int_equal(hal_reader_finish(r, &answer, &t, &err), HAL_OK);
        assert_int_equal(answer.status, HAL_ANSWER_NOT_FOUND);
        assert_string_equal(answer.message, "target not resolved, continue");
        assert_null(t);
        hal_reader_free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_error_answer_is_put_into_words),
        cmocka_unit_test(words_are_cut_behind_a_whole_character),
        cmocka_unit_test(an_answer_that_is_cut_anywhere_or_meets_no_memory_gives_a_line),
        cmocka_unit_test(literal_answers_are_understood_in_every_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
