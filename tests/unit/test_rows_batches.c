/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows given away in batches are the rows of the whole answer. */
#include "data/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { BATCHES_MAX = 64 };

typedef struct batches {
    hal_table *at[BATCHES_MAX];
    size_t n;
    uint64_t most; /* rows of the largest */
} batches;

static hal_status keep(void *ctx, const hal_table *t, hal_err *err)
{
    batches *b = ctx;
    if (b->n == BATCHES_MAX)
        fail_msg("more than %d batches", BATCHES_MAX);
    b->most = hal_table_rows(t) > b->most ? hal_table_rows(t) : b->most;
    uint64_t n = hal_table_rows(t), *index = malloc((size_t)n * sizeof *index);
    for (uint64_t i = 0; i < n; i++)
        index[i] = i;
    b->at[b->n++] = hal_table_take(t, index, n, err); /* the memory of `t` is used again */
    free(index);
    return b->at[b->n - 1] ? HAL_OK : HAL_E_NOMEM;
}

static void drop(batches *b)
{
    for (size_t i = 0; i < b->n; i++)
        hal_table_unref(b->at[i]);
    b->n = 0;
}

/* Reads in pieces; `b` NULL: whole. */
static hal_status read_with(const char *text, size_t n, size_t piece, batches *b,
                            uint64_t batch_rows, const hal_table *types, hal_answer *answer,
                            hal_table **t, hal_err *err)
{
    hal_field fields[20];
    hal_reader_options options = {.batch = b ? keep : NULL, .batch_ctx = b};
    options.batch_rows = batch_rows;
    for (size_t i = 0; types && i < hal_table_columns(types); i++)
        fields[i] = *hal_table_field(types, i);
    options.types = types ? fields : NULL;
    options.n_types = types ? hal_table_columns(types) : 0;
    *t = NULL;
    hal_reader *r = hal_reader_new_with(HAL_FORMAT_AUTO, &options, err);
    hal_status st = HAL_OK;
    for (size_t at = 0; at < n && !st; at += piece)
        st = hal_reader_feed(r, text + at, piece < n - at ? piece : n - at, err);
    if (!st)
        st = hal_reader_finish(r, answer, t, err);
    hal_reader_free(r);
    return st;
}

static void assert_same_columns(const hal_table *a, const hal_table *b)
{
    assert_int_equal(hal_table_columns(a), hal_table_columns(b));
    for (size_t c = 0; c < hal_table_columns(a); c++) {
        const hal_field *x = hal_table_field(a, c), *y = hal_table_field(b, c);
        assert_string_equal(x->name, y->name);
        if (x->type != y->type)
            fail_msg("%s is %s, not %s", x->name, hal_type_name(y->type), hal_type_name(x->type));
    }
}

static void assert_same_rows(const hal_table *whole, uint64_t first, const hal_table *part)
{
    assert_same_columns(whole, part);
    assert_true(first + hal_table_rows(part) <= hal_table_rows(whole));
    for (size_t c = 0; c < hal_table_columns(whole); c++)
        for (uint64_t row = 0; row < hal_table_rows(part); row++) {
            assert_int_equal(hal_table_is_null(whole, c, first + row),
                             hal_table_is_null(part, c, row));
            if (hal_table_is_null(part, c, row))
                continue;
            hal_type type = hal_table_field(whole, c)->type;
            bool same =
                type == HAL_TYPE_STRING ? hal_slice_equals(hal_table_string(whole, c, first + row),
                                                           hal_table_string(part, c, row))
                : type == HAL_TYPE_INT64
                    ? hal_table_int64(whole, c, first + row) == hal_table_int64(part, c, row)
                : type == HAL_TYPE_BOOL
                    ? hal_table_bool(whole, c, first + row) == hal_table_bool(part, c, row)
                    : hal_table_float64(whole, c, first + row) == hal_table_float64(part, c, row);
            if (!same)
                fail_msg("row %llu of %s differs", (unsigned long long)(first + row),
                         hal_table_field(whole, c)->name);
        }
}

/* The first reading ends with the columns of the whole, the second gives its rows. */
static void assert_batches_are_the_whole(const char *text, size_t n, size_t piece,
                                         uint64_t batch_rows)
{
    hal_err err = HAL_ERR_INIT;
    hal_answer said, answer;
    batches b = {0};
    hal_table *whole, *last, *again;
    if (read_with(text, n, n, NULL, 0, NULL, &said, &whole, &err) ||
        read_with(text, n, piece, &b, batch_rows, NULL, &answer, &last, &err))
        fail_msg("%.60s: %s", text, err.text);
    assert_int_equal(hal_table_rows(last), 0);
    assert_same_columns(whole, last);
    assert_int_equal(answer.rows, said.rows);
    assert_int_equal(answer.rows_total, said.rows_total);
    uint64_t row = 0;
    for (size_t i = 0; i < b.n; i++)
        row += hal_table_rows(b.at[i]);
    assert_int_equal(row, hal_table_rows(whole));
    assert_true(b.most <= batch_rows);
    drop(&b);
    if (read_with(text, n, piece, &b, batch_rows, last, &answer, &again, &err))
        fail_msg("%.60s: %s", text, err.text);
    assert_same_columns(whole, again);
    row = 0;
    for (size_t i = 0; i < b.n; i++) {
        assert_same_rows(whole, row, b.at[i]);
        row += hal_table_rows(b.at[i]);
    }
    assert_int_equal(row, hal_table_rows(whole));
    drop(&b);
    hal_table_unref(whole);
    hal_table_unref(last);
    hal_table_unref(again);
}

#define ROWS4                                                                                      \
    "{\"i\":1,\"f\":\"1.5\",\"w\":9007199254740993,\"m\":1,\"b\":null,\"t\":5},"                   \
    "{\"i\":2,\"f\":null,\"w\":3,\"m\":2.5,\"b\":true,\"t\":\"x\"},"                               \
    "{\"i\":3,\"f\":2,\"w\":0.25,\"m\":\"\\u00e9\\\"\",\"b\":false,\"t\":-0.0},"                   \
    "{\"f\":\"Infinity\",\"m\":-9223372036854775808,\"late\":7,\"w\":12345678901234567890}"
#define FIELDS                                                                                     \
    "[{\"name\":\"late\",\"type\":\"float\"},{\"name\":\"i\",\"type\":\"float\"},"                 \
    "{\"name\":\"f\",\"type\":\"float\"},{\"name\":\"w\",\"type\":\"int\"},"                       \
    "{\"name\":\"m\",\"type\":\"string\"},{\"name\":\"b\",\"type\":\"boolean\"},"                  \
    "{\"name\":\"t\",\"type\":\"int\"},{\"name\":\"never\",\"type\":\"int\"}]"
#define CELLS "[1,\"7\",null],[null,\"8\",true],[2.5,\"x\",false]"
#define PLACES                                                                                     \
    "[{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"b\",\"type\":\"int\"},{\"name\":\"c\"}]"

static const char *const forms[] = {
    "[" ROWS4 "]",
    "[]",
    "{\"results\":[" ROWS4 "],\"info\":" FIELDS ",\"totalResults\":4}",
    "{\"info\":" FIELDS ",\"results\":[" ROWS4 "]}",
    "{\"products\":[[" ROWS4 "]]}",
    "{\"search_params\":{\"select_cols\":[\"t\",\"w\",\"i\"]},\"results\":[" ROWS4 "]}",
    "{\"info\":" PLACES ",\"data\":[" CELLS "]}",
    "{\"data\":[" CELLS "],\"info\":" PLACES "}", /* no names before the end */
    "{\"search_params\":{\"select_cols\":[\"c\"]},\"info\":" PLACES ",\"data\":[" CELLS "]}",
    "{\"status\":\"COMPLETE\",\"data\":[" ROWS4 "],\"fields\":" FIELDS ",\"paging\":{\"rows\":4}}",
    "{\"fields\":" FIELDS ",\"data\":[" ROWS4 "],\"paging\":{\"rows\":4},\"status\":\"COMPLETE\"}",
    "{\"status\":\"COMPLETE\",\"data\":{\"Tables\":[{\"Fields\":" PLACES ",\"Rows\":[" CELLS
    "]}]}}",
};

static void batches_of_every_form_are_the_whole_however_they_arrive(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        for (size_t piece = 1; piece < 4000; piece *= 3)
            for (uint64_t rows = 1; rows < 6; rows++)
                assert_batches_are_the_whole(forms[i], strlen(forms[i]), piece, rows);
}

static void
a_votable_column_wider_than_declared_is_so_from_the_first_batch_of_a_second_pass(void **state)
{
    (void)state;
    static const char text[] =
        "<VOTABLE><RESOURCE><TABLE><FIELD name='b' datatype='unsignedByte'/>"
        "<FIELD name='s' datatype='short'><VALUES null='-1'/></FIELD><DATA><TABLEDATA>\n"
        "<TR><TD>1</TD><TD>2</TD></TR>\n<TR><TD/><TD>-1</TD></TR>\n"
        "<TR><TD>300</TD><TD>4</TD></TR>\n<TR><TD>5</TD><TD>-40000</TD></TR>\n"
        "</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>\n";
    for (uint64_t rows = 1; rows < 6; rows++)
        assert_batches_are_the_whole(text, sizeof text - 1, 7, rows);
}

static void a_cut_of_every_form_is_an_error_also_behind_batches(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        for (size_t cut = 0; cut < strlen(forms[i]); cut++) {
            batches b = {0};
            hal_answer answer;
            hal_table *t;
            assert_int_not_equal(
                read_with(forms[i], cut, cut ? cut : 1, &b, 1, NULL, &answer, &t, NULL), HAL_OK);
            assert_null(t);
            drop(&b);
        }
}

/* CSV rows in several blocks: some that are batches as they are, some that are not, because a
 * column is read otherwise than before, and some with a row that no block takes. */
static void batches_of_csv_are_the_whole_whatever_a_block_holds(void **state)
{
    (void)state;
    enum { ROWS = 60000 };
    char *text = malloc((size_t)ROWS * 100);
    size_t n = (size_t)sprintf(text, "id,whole,x,ok,note,never,late,mixed\n");
    for (unsigned i = 0; i < ROWS; i++) {
        char x[24] = "", mixed[24] = "";
        if (i / 8000 % 2) /* whole blocks are null */
            sprintf(x, "%u.%02u", i * 2654435761u % 1000, i % 100);
        if (i > 40000)
            sprintf(mixed, i > 50000 ? "%u." : "%u", i);
        n += (size_t)sprintf(text + n, "%u,%s,%s,%s,%s%u%s,,%s,%s\n", i, i % 5 ? "7" : "", x,
                             i % 3 ? i % 2 ? "true" : "false" : "",
                             i % 977 ? "n" : "\"a \"\"quoted\"\",\nd\xc3\xa9j\xc3\xa0 ", i % 77,
                             i % 977 ? "" : "\"", i < 30000 ? "" : "2011-01-02", mixed);
        if (i == 35000)
            n += (size_t)sprintf(text + n, "# not a row\n");
    }
    assert_batches_are_the_whole(text, n, n, 10000);
    assert_batches_are_the_whole(text, n, 100000, 3000);
    free(text);
}

static void batches_out_of_blocks_are_the_whole(void **state)
{
    (void)state;
    enum { ROWS = 40000 };
    char *text = malloc((size_t)ROWS * 120);
    size_t n = (size_t)sprintf(text, "{\"status\":\"COMPLETE\",\"data\":[");
    for (unsigned i = 0; i < ROWS; i++)
        n += (size_t)sprintf(text + n, "%s{\"id\":%u,\"x\":%u%s,\"note\":\"%s %u\",\"late\":%s}",
                             i ? "," : "", i, i * 2654435761u % 1000, i > 30000 ? ".5" : "",
                             i % 911 ? "n" : "},{\\\"id\\\"", i % 77, i < 25000 ? "null" : "true");
    n += (size_t)sprintf(text + n,
                         "],\"fields\":[{\"name\":\"late\",\"type\":\"boolean\"},"
                         "{\"name\":\"id\",\"type\":\"float\"},{\"name\":\"note\"},"
                         "{\"name\":\"x\",\"type\":\"int\"}],\"paging\":{\"rows\":%d}}",
                         ROWS);
    assert_batches_are_the_whole(text, n, n, 10000);
    assert_batches_are_the_whole(text, n, 65536, 900);
    free(text);
}

static void rows_of_an_answer_that_is_not_complete_are_not_a_success(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        hal_status st;
        size_t n; /* batches */
    } cases[] = {
        {"{\"status\":\"EXECUTING\",\"data\":[{\"a\":1},{\"a\":2}]}", HAL_OK, 0},
        {"{\"status\":\"ERROR\",\"msg\":\"no\",\"data\":[{\"a\":1}]}", HAL_OK, 0},
        {"{\"data\":[{\"a\":1},{\"a\":2}],\"status\":\"EXECUTING\"}", HAL_E_INTEGRITY, 2},
        {"{\"data\":[{\"a\":1},{\"a\":2}],\"status\":\"ERROR\",\"msg\":\"no\"}", HAL_E_INTEGRITY,
         2},
        {"{\"data\":[{\"a\":1}],\"status\":\"ERROR\",\"msg\":\"no\",\"fields\":}", HAL_E_INTEGRITY,
         1},
        {"{\"status\":\"COMPLETE\",\"data\":[{\"a\":1}],\"fields\":[]}", HAL_E_INTEGRITY, 1},
        {"{\"status\":\"COMPLETE\",\"data\":[{\"a\":1}],\"fields\":[{\"name\":\"a\"}],"
         "\"paging\":{\"rows\":2}}",
         HAL_E_INTEGRITY, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hal_err err = HAL_ERR_INIT;
        batches b = {0};
        hal_answer answer;
        hal_table *t;
        hal_status st =
            read_with(cases[i].text, strlen(cases[i].text), 1000, &b, 1, NULL, &answer, &t, &err);
        if (st != cases[i].st)
            fail_msg("%s: %d %s", cases[i].text, (int)st, err.text);
        assert_int_equal(b.n, cases[i].n);
        assert_null(t);
        if (!st)
            assert_int_not_equal(answer.status, HAL_ANSWER_COMPLETE);
        drop(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_of_every_form_are_the_whole_however_they_arrive),
        cmocka_unit_test(
            a_votable_column_wider_than_declared_is_so_from_the_first_batch_of_a_second_pass),
        cmocka_unit_test(a_cut_of_every_form_is_an_error_also_behind_batches),
        cmocka_unit_test(batches_out_of_blocks_are_the_whole),
        cmocka_unit_test(batches_of_csv_are_the_whole_whatever_a_block_holds),
        cmocka_unit_test(rows_of_an_answer_that_is_not_complete_are_not_a_success),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
