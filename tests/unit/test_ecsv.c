/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/alloc.h"
#include "data/writer.h"
#include "every_type.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* `cut`: the first piece; the rest follows in pieces of `piece`. */
static hal_status read_bytes(hal_slice text, size_t cut, size_t piece,
                             const hal_reader_options *options, hal_table **t, hal_err *err)
{
    *t = NULL;
    hal_reader *r = hal_reader_new_with(HAL_FORMAT_AUTO, options, err);
    hal_answer answer;
    hal_status st = r ? HAL_OK : err->status;
    for (size_t at = 0; at < text.size_bytes && !st;) {
        size_t part = at == 0 && cut ? cut : piece;
        if (part > text.size_bytes - at)
            part = text.size_bytes - at;
        st = hal_reader_feed(r, text.data + at, part, err);
        at += part;
    }
    if (!st)
        st = hal_reader_finish(r, &answer, t, err);
    hal_reader_free(r);
    return st;
}

static hal_table *read_good(const char *text)
{
    hal_err err = HAL_ERR_INIT;
    hal_table *t;
    hal_reader_options options = {0};
    if (read_bytes(hal_slice_of(text), 0, SIZE_MAX, &options, &t, &err))
        fail_msg("%s", err.text);
    return t;
}

static void write_to(const hal_table *t, char *out, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "test-ecsv-%ld", (long)getpid());
    hal_err err = HAL_ERR_INIT;
    hal_writer *w = hal_writer_open_like(path, HAL_FORMAT_ECSV, t, &err);
    uint64_t written = 0;
    if (!w || hal_writer_table(w, t, &err) || hal_writer_commit(w, &written, &err))
        fail_msg("%s", err.text);
    hal_writer_free(w);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(out, 1, size - 1, f);
    assert_true(n < size - 1);
    out[n] = '\0';
    fclose(f);
    unlink(path);
}

/* The texts of every_table are cut inside letters: not valid, so not read. */
static bool is_carried(const hal_field *f)
{
    if (f->type == HAL_TYPE_STRING)
        return false;
    return f->width == 1 || (f->type != HAL_TYPE_COMPLEX64 && f->type != HAL_TYPE_COMPLEX128 &&
                             f->type != HAL_TYPE_TIMESTAMP);
}

/* every_table without what ECSV does not carry. */
static hal_table *carried(uint64_t n_rows)
{
    hal_err err = HAL_ERR_INIT;
    hal_table *all = every_table(n_rows, &err);
    assert_non_null(all);
    size_t places[EVERY_COLUMNS], n = 0;
    hal_field fields[EVERY_COLUMNS];
    for (size_t c = 0; c < EVERY_COLUMNS; c++) {
        const hal_field *f = hal_table_field(all, c);
        if (!is_carried(f))
            continue;
        fields[n] = *f;
        fields[n].id = fields[n].original_name = fields[n].null_value = fields[n].shape = "";
        if (f->type == HAL_TYPE_TIMESTAMP)
            fields[n].xtype = "";
        places[n++] = c;
    }
    hal_table *some = hal_table_project(all, places, n, &err);
    assert_non_null(some);
    hal_table *t = hal_table_with(some, fields, NULL, &err);
    assert_non_null(t);
    hal_table_unref(some);
    hal_table_unref(all);
    return t;
}

static void what_is_written_is_read_back_for_every_type(void **state)
{
    (void)state;
    static char text[200000];
    for (uint64_t n = 0; n < 60; n += 20) {
        hal_table *t = carried(n);
        write_to(t, text, sizeof text);
        hal_table *back = read_good(text);
        assert_true(same_rows(t, 0, n, back));
        const hal_meta *m = hal_metadata_find(hal_table_metadata(back), HAL_META_KEY, "QUERY");
        assert_non_null(m);
        assert_string_equal(m->value, "select *");
        hal_table_unref(back);
        hal_table_unref(t);
    }
}

static void extreme_numbers_and_odd_texts_come_back_bit_by_bit(void **state)
{
    (void)state;
    static char text[20000];
    static const char *const texts[] = {"",   "\"",    "a\nb", "a\r\nb",           "#x",
                                        ",",  " lead", "null", "\xf0\x9f\xa4\xa8", "nan",
                                        "\t", "\\"};
    static const double doubles[] = {0,        -0.0, INFINITY, -INFINITY, 5e-324, -1.7e308,
                                     1.0 / 3., 1e22, 0.1,      1e-7,      NAN,    2.5};
    static const int64_t ints[] = {INT64_MIN, INT64_MAX, 0, -1, 1, 1234567890123456789,
                                   9,         8,         7, 6,  5, 4};
    enum { N = sizeof ints / sizeof *ints };
    const hal_field fields[] = {
        {.name = "te\"xt",
         .type = HAL_TYPE_STRING,
         .unit = "m/s\t\xc2\xb5",
         .description = "a: #b"},
        {.name = "double, x", .type = HAL_TYPE_FLOAT64},
        {.name = "single", .type = HAL_TYPE_FLOAT32},
        {.name = "int", .type = HAL_TYPE_INT64},
        {.name = "complex", .type = HAL_TYPE_COMPLEX128},
        {.name = "pairs", .type = HAL_TYPE_FLOAT64, .width = 4, .shape = "2x2"}};
    hal_err err = HAL_ERR_INIT;
    hal_builder *b = hal_builder_new(fields, 6, &err);
    for (size_t i = 0; i <= N; i++) { /* the last row is null */
        double four[4] = {1, 2, 3, doubles[i % N]};
        if (i < N) {
            assert_int_equal(hal_builder_string(b, 0, hal_slice_of(texts[i]), &err), 0);
            assert_int_equal(hal_builder_float64(b, 1, doubles[i], &err), 0);
            assert_int_equal(
                hal_builder_float64(b, 2, fabs(doubles[i]) > 1e30 ? INFINITY : doubles[i], &err),
                0);
            assert_int_equal(hal_builder_int64(b, 3, ints[i], &err), 0);
            assert_int_equal(hal_builder_complex(b, 4, doubles[i], doubles[N - 1 - i], &err), 0);
            assert_int_equal(hal_builder_array(b, 5, four, 4, NULL, &err), 0);
        }
        assert_int_equal(hal_builder_end_row(b, &err), 0);
    }
    hal_table *t = hal_builder_finish(b, &err);
    hal_builder_free(b);
    write_to(t, text, sizeof text);
    hal_table *back = read_good(text);
    assert_true(same_rows(t, 0, N + 1, back));
    const double *x = hal_table_column(t, 1).values, *y = hal_table_column(back, 1).values;
    for (size_t i = 0; i < N; i++)
        assert_true(isnan(x[i]) ? isnan(y[i]) : !memcmp(&x[i], &y[i], sizeof *x));
    hal_table_unref(back);
    hal_table_unref(t);
}

/* As Astropy 5.2 writes it: long texts go on in the next line, nested metadata, a class. */
static const char astropy[] =
    "# %ECSV 1.0\n# ---\n# datatype:\n"
    "# - {name: a, datatype: int8}\n"
    "# - {name: s, datatype: string, format: '%s'}\n"
    "# - {name: c, datatype: complex64}\n"
    "# - {name: f, unit: m / s, datatype: float32, description: \"x: \\\"y\\\" \\xE9 long\\\n"
    "#     \\ text\"}\n"
    "# - name: arr\n#   datatype: string\n#   meta: {ucd: phot, more: {x: [1]}}\n"
    "#   subtype: float64[2,3]\n"
    "# - {name: b, datatype: bool, meta: !!omap [{utype: u}, x, {ucd: meta.code, z: [1]}, {}]}\n"
    "# - {name: l, datatype: string, subtype: 'int64[null]'}\n"
    "# - {name: o, datatype: string, subtype: json}\n"
    "# meta: !!omap\n# - comments: [one, two]\n# - {K: 5}\n# - n:\n#     z: !x.Y {y: 1.5}\n"
    "# - {s: 'multi\n# \n#     line'}\n# schema: astropy-2.0\n"
    "a s c f arr b l o\n"
    "1 \"\" (1+2j) 0.1 [[0.0,1.0,2.0],[3.0,4.0,null]] True [] \"{\"\"a\"\":1}\"\n"
    "-128 \"x y\" -5e-01-infj nan [[6.0,NaN,8.0],[9.0,-Infinity,11.0]] False \"[1, 2]\" \"\"\n"
    "\"\" w \"\" inf \"\" \"\" [0] [3]\n";

static void what_astropy_writes_is_understood(void **state)
{
    (void)state;
    hal_table *t = read_good(astropy);
    assert_int_equal(hal_table_rows(t), 3);
    static const hal_type types[] = {HAL_TYPE_INT16,   HAL_TYPE_STRING,  HAL_TYPE_COMPLEX64,
                                     HAL_TYPE_FLOAT32, HAL_TYPE_FLOAT64, HAL_TYPE_BOOL,
                                     HAL_TYPE_INT64,   HAL_TYPE_STRING};
    for (size_t c = 0; c < 8; c++)
        assert_int_equal(hal_table_field(t, c)->type, types[c]);
    assert_string_equal(hal_table_field(t, 3)->unit, "m / s");
    assert_string_equal(hal_table_field(t, 3)->description, "x: \"y\" \xc3\xa9 long text");
    assert_string_equal(hal_table_field(t, 4)->shape, "3x2");
    assert_string_equal(hal_table_field(t, 4)->ucd, "phot");
    assert_string_equal(hal_table_field(t, 5)->ucd, "meta.code");
    assert_string_equal(hal_table_field(t, 5)->utype, "u");
    assert_int_equal(hal_table_field(t, 6)->width, HAL_WIDTH_VARIABLE);
    static const char *const cells[3][8] = {
        {"1", NULL, "[1,2]", NULL, "[0,1,2,3,4,null]", "true", "[]", "{\"a\":1}"},
        {"-128", "x y", "[-0.5,-inf]", "NaN", "[6,NaN,8,9,-inf,11]", "false", "[1,2]", NULL},
        {NULL, "w", NULL, "inf", NULL, NULL, "[0]", "[3]"}};
    hal_buf text;
    hal_buf_init(&text, 1000);
    for (size_t i = 0; i < 3; i++)
        for (size_t c = 0; c < 8; c++) {
            if (i == 0 && c == 3) {
                assert_true(hal_table_float64(t, 3, 0) == (double)0.1f);
                continue;
            }
            assert_int_equal(hal_table_is_null(t, c, i), !cells[i][c]);
            text.size_bytes = 0;
            if (!cells[i][c])
                continue;
            assert_int_equal(hal_table_cell_text(&text, t, c, i, NULL), 0);
            assert_int_equal(hal_buf_append(&text, "", 1, NULL), 0);
            assert_string_equal(text.data, cells[i][c]);
        }
    hal_buf_clear(&text);
    const hal_metadata *m = hal_table_metadata(t);
    static const char *const meta[5][2] = {{"comments", "one"},
                                           {"comments", "two"},
                                           {"K", "5"},
                                           {"n.z.y", "1.5"},
                                           {"s", "multi\nline"}};
    assert_int_equal(m->n_items, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(m->items[i].name, meta[i][0]);
        assert_string_equal(m->items[i].value, meta[i][1]);
    }
    hal_table_unref(t);
}

static void every_cut_into_pieces_gives_the_same_table(void **state)
{
    (void)state;
    hal_table *whole = read_good(astropy), *t;
    hal_reader_options options = {0};
    hal_err err = HAL_ERR_INIT;
    for (size_t cut = 1; cut < sizeof astropy - 1; cut++) {
        if (read_bytes(hal_slice_of(astropy), cut, SIZE_MAX, &options, &t, &err))
            fail_msg("cut at %zu: %s", cut, err.text);
        assert_true(same_rows(whole, 0, 3, t));
        hal_table_unref(t);
    }
    for (size_t piece = 1; piece < 9; piece++) {
        assert_int_equal(read_bytes(hal_slice_of(astropy), 0, piece, &options, &t, &err), 0);
        assert_true(same_rows(whole, 0, 3, t));
        hal_table_unref(t);
    }
    hal_table_unref(whole);
}

static void a_cut_file_is_an_error_unless_a_row_ends_there(void **state)
{
    (void)state;
    hal_reader_options options = {0};
    for (size_t n = 8; n < sizeof astropy - 1; n++) {
        hal_table *t = NULL;
        hal_err err = HAL_ERR_INIT;
        hal_status st = read_bytes((hal_slice){astropy, n}, 0, SIZE_MAX, &options, &t, &err);
        bool row_ends =
            n >= (size_t)(strstr(astropy, "\na s c") + 19 - astropy) && astropy[n - 1] == '\n';
        assert_int_equal(st, row_ends ? HAL_OK : HAL_E_INTEGRITY);
        hal_table_unref(t);
    }
}

static void damage_is_an_error_with_its_place(void **state)
{
    (void)state;
#define HEAD "# %ECSV 1.0\n# ---\n# datatype:\n"
#define ONE(type)                                                                                  \
    HEAD "# - {name: x, datatype: " type "}\n# - {name: y, datatype: int8}\n# delimiter: "         \
         "','\nx,y\n"
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"# %ECSV 2.0\n# ---\nx\n", "line 1"},
        {HEAD "# - {name: x, datatype: float128}\nx\n", "line 4"},
        {HEAD "# - {name: x, datatype: int8, colour: red}\nx\n", "line 4: a key"},
        {HEAD "# - {name: x, name: x, datatype: int8}\nx\n", "line 4: this key stands twice"},
        {HEAD "# - {name: x}\nx\n", "line 4: a column without"},
        {HEAD "# - {name: x, datatype: int8, subtype: json}\nx\n", "line 4: a subtype"},
        {HEAD "# - {name: x, datatype: string, subtype: int8}\nx\n", "line 4"},
        {HEAD "# - {name: x, datatype: string, subtype: 'int8[3,null]'}\nx\n", "line 4"},
        {HEAD "# - {name: x, datatype: string, subtype: int8}\nx\n",
         "line 4: column x has a subtype"},
        {HEAD "# - {name: x, datatype: string, subtype: 'int8[0]'}\nx\n", "line 4"},
        {HEAD "# - {name: x, datatype: string, subtype: 'int8[99999,99999]'}\nx\n", "line 4"},
        {HEAD "# - {name: x, datatype: int8\nx\n", "line 5"},
        {HEAD "# - &a {name: x, datatype: int8}\n# - *a\nx y\n", "line 5: an alias"},
        {HEAD "# - {name: x, datatype: int8}\n# delimiter: ';'\nx\n", "line 5"},
        {HEAD "# - {name: x, datatype: int8}\n# colour: red\nx\n", "line 5"},
        {HEAD "# - {name: x, datatype: int8}\n#colour\nx\n", "line 5"},
        {HEAD "# - {name: x, datatype: int8}\n# ...\n# ---\n# a: b\nx\n", "line 6"},
        {"# %ECSV 1.0\n# ---\n# delimiter: ','\nx\n", "no datatype"},
        {"# %ECSV 1.0\nx\n", "empty"},
        {HEAD "# - {name: x, datatype: int8}\ny\n1\n", "line 5: column 1"},
        {HEAD "# - {name: x, datatype: int8}\nx y\n1 2\n", "line 5 names 2"},
        {"# %ECSV 1.0\n# ---\n# datatype: []\nx\n1\n", "declares no columns"},
        {ONE("int8") "1,2\n1\n", "line 9"},
        {ONE("int8") "1,2\n#1,2\n", "line 9: a comment"},
        {ONE("int8") "1,2\n128,2\n", "row 2"},
        {ONE("int8") "1.0,2\n", "row 1"},
        {ONE("uint64") "9223372036854775808,2\n", "row 1"},
        {ONE("uint16") "-1,2\n", "row 1"},
        {ONE("bool") "true,2\n", "row 1"},
        {ONE("float64") "1e999,2\n", "beyond the range of float64; correct it or declare"},
        {ONE("float32") "1e39,2\n", "beyond the range of float32; correct it or declare"},
        {ONE("float64") "--,2\n", "row 1"},
        {ONE("complex64") "1,2\n", "row 1"},
        {ONE("string, meta: {xtype: timestamp}") "soon,2\n", "row 1"},
        {ONE("string, subtype: 'int8[2]'") "[1],2\n", "row 1"},
        {ONE("string, subtype: 'int8[2]'") "\"[1,2,3]\",2\n", "row 1"},
        {ONE("string, subtype: 'int8[2]'") "\"[1,[2]]\",2\n", "row 1"},
        {ONE("string, subtype: 'int8[2]'") "\"[1,2]]\",2\n", "row 1"},
        {ONE("string, subtype: 'int8[2,1]'") "\"[1,2]\",2\n", "row 1"},
        {ONE("string, subtype: 'int8[null]'") "\"[1,]\",2\n", "row 1"},
        {ONE("string, subtype: 'int8[null]'") "\"[1 2]\",2\n", "row 1"},
        {ONE("string, subtype: 'int8[null]'") "[,2\n", "row 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hal_table *t = NULL;
        hal_err err = HAL_ERR_INIT;
        hal_reader_options options = {0};
        hal_status st = read_bytes(hal_slice_of(cases[i].text), 0, SIZE_MAX, &options, &t, &err);
        if (st != HAL_E_INTEGRITY || !strstr(err.text, cases[i].says))
            fail_msg("case %zu: %d %s", i, (int)st, err.text);
    }
}

static hal_status count_rows(void *ctx, const hal_table *t, hal_err *err)
{
    (void)err;
    assert_int_equal(hal_table_metadata(t)->n_items, 5);
    *(uint64_t *)ctx += hal_table_rows(t);
    return HAL_OK;
}

static void batches_have_all_rows_and_the_metadata(void **state)
{
    (void)state;
    uint64_t n = 0;
    hal_reader_options options = {.batch = count_rows, .batch_ctx = &n, .batch_rows = 1};
    hal_err err = HAL_ERR_INIT;
    hal_table *t;
    assert_int_equal(read_bytes(hal_slice_of(astropy), 0, 7, &options, &t, &err), 0);
    assert_int_equal(n, 3);
    assert_int_equal(hal_table_rows(t), 0);
    assert_int_equal(hal_table_columns(t), 8);
    hal_table_unref(t);
}

static void limits_are_kept(void **state)
{
    (void)state;
    hal_table *t;
    hal_err err = HAL_ERR_INIT;
    hal_reader_options options = {.limits = {.columns_max = 7}};
    assert_int_equal(read_bytes(hal_slice_of(astropy), 0, 100, &options, &t, &err), HAL_E_BUDGET);
    options = (hal_reader_options){.limits = {.rows_max = 2}};
    assert_int_equal(read_bytes(hal_slice_of(astropy), 0, 100, &options, &t, &err), HAL_E_BUDGET);
    static const char nulls[] = HEAD "# - {name: a, datatype: string, subtype: 'int64[99999999]'}\n"
                                     "# - {name: b, datatype: int8}\n"
                                     "# delimiter: ','\na,b\n,1\n";
    options = (hal_reader_options){0};
    assert_int_equal(read_bytes(hal_slice_of(nulls), 0, 100, &options, &t, &err), HAL_E_BUDGET);
    assert_non_null(strstr(err.text, "declare int64[null]"));
}

static void yaml_that_is_passed_over_is_not_nested_without_end(void **state)
{
    (void)state;
    char deep[30000];
    static const char head[] = HEAD "# - {name: x, datatype: int8}\n# schema: ";
    memset(deep, '[', sizeof deep);
    memcpy(deep, head, sizeof head - 1);
    memcpy(deep + sizeof deep - 6, "\nx\n1\n", 6);
    hal_table *t;
    hal_err err = HAL_ERR_INIT;
    hal_reader_options options = {0};
    assert_int_equal(read_bytes((hal_slice){deep, sizeof deep}, 0, SIZE_MAX, &options, &t, &err),
                     HAL_E_INTEGRITY);
    assert_non_null(strstr(err.text, "line 5: YAML nested more than 32 deep"));
}

static void running_out_of_memory_at_any_point_is_reported(void **state)
{
    (void)state;
    hal_reader_options options = {0};
    for (size_t n = 1;; n++) {
        hal_table *t = NULL;
        hal_err err = HAL_ERR_INIT;
        hal_alloc_fail_at(n);
        hal_status st = read_bytes(hal_slice_of(astropy), 0, 50, &options, &t, &err);
        size_t made = hal_alloc_fail_at(0);
        hal_table_unref(t);
        if (made < n) {
            assert_int_equal(st, 0);
            break;
        }
        assert_true(st == HAL_E_NOMEM || st == HAL_OK); /* memory not given back is no failure */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back_for_every_type),
        cmocka_unit_test(extreme_numbers_and_odd_texts_come_back_bit_by_bit),
        cmocka_unit_test(what_astropy_writes_is_understood),
        cmocka_unit_test(every_cut_into_pieces_gives_the_same_table),
        cmocka_unit_test(a_cut_file_is_an_error_unless_a_row_ends_there),
        cmocka_unit_test(damage_is_an_error_with_its_place),
        cmocka_unit_test(batches_have_all_rows_and_the_metadata),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(yaml_that_is_passed_over_is_not_nested_without_end),
        cmocka_unit_test(running_out_of_memory_at_any_point_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
