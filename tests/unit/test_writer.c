/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/alloc.h"
#include "data/writer.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/halyard-writer-XXXXXX";
static char path[256];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/out.csv", folder);
    return 0;
}

/* Files with a temporary name. */
static int n_unfinished(void)
{
    DIR *dir = opendir(folder);
    int n = 0;
    const struct dirent *entry;
    while ((entry = readdir(dir)))
        n += !strncmp(entry->d_name, ".out.csv.halyard-", 17);
    closedir(dir);
    return n;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static const hal_field fields[] = {{"id", HAL_TYPE_INT64},
                                   {"a, \"b\"", HAL_TYPE_STRING},
                                   {"f", HAL_TYPE_FLOAT64},
                                   {"ok", HAL_TYPE_BOOL}};

static hal_table *sample(void)
{
    const char *texts[] = {"plain",      "",    "a,b", "say \"x\"",
                           "two\nlines", "#12", NULL,  "t\tx\\\x01"};
    const double doubles[] = {180, 0.1, -0.0, (double)NAN, HUGE_VAL, -HUGE_VAL, 1e300, 5e-324};
    hal_builder *b = hal_builder_new(fields, 4, NULL);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(hal_builder_int64(b, 0, INT64_MAX - i, NULL), 0);
        if (texts[i])
            assert_int_equal(hal_builder_string(b, 1, hal_slice_of(texts[i]), NULL), 0);
        if (i != 6)
            assert_int_equal(hal_builder_float64(b, 2, doubles[i], NULL), 0);
        if (i % 3)
            assert_int_equal(hal_builder_bool(b, 3, i % 2, NULL), 0);
        assert_int_equal(hal_builder_end_row(b, NULL), 0);
    }
    hal_table *t = hal_builder_finish(b, NULL);
    hal_builder_free(b);
    return t;
}

static char *slurp(size_t *n)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("no file %s", path);
    char *bytes = calloc(1, 1 << 20);
    *n = fread(bytes, 1, 1 << 20, f);
    fclose(f);
    return bytes;
}

static char *written(hal_format format, const hal_table *t)
{
    hal_err err = HAL_ERR_INIT;
    hal_writer *w = hal_writer_open(path, format, fields, 4, &err);
    if (!w)
        fail_msg("%s", err.text);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(n_unfinished(), 1);
    uint64_t size = 0;
    if ((t && hal_writer_table(w, t, &err)) || hal_writer_commit(w, &size, &err))
        fail_msg("%s", err.text);
    hal_writer_free(w);
    assert_int_equal(n_unfinished(), 0);
    size_t n;
    char *text = slurp(&n);
    assert_int_equal(n, size);
    unlink(path);
    return text;
}

static void csv_is_quoted_where_needed_and_exact(void **state)
{
    (void)state;
    hal_table *t = sample();
    char *text = written(HAL_FORMAT_CSV, t);
    assert_string_equal(text, "id,\"a, \"\"b\"\"\",f,ok\n"
                              "9223372036854775807,plain,180.0,\n"
                              "9223372036854775806,\"\",0.1,true\n"
                              "9223372036854775805,\"a,b\",-0.0,false\n"
                              "9223372036854775804,\"say \"\"x\"\"\",NaN,\n"
                              "9223372036854775803,\"two\nlines\",inf,false\n"
                              "9223372036854775802,\"#12\",-inf,true\n"
                              "9223372036854775801,,,\n"
                              "9223372036854775800,t\tx\\\x01,5e-324,true\n");
    free(text);
    text = written(HAL_FORMAT_CSV, NULL);
    assert_string_equal(text, "id,\"a, \"\"b\"\"\",f,ok\n");
    free(text);
    hal_table_unref(t);
}

static void json_lines_are_escaped_and_have_no_nan(void **state)
{
    (void)state;
    hal_table *t = sample();
    char *text = written(HAL_FORMAT_JSONL, t);
    assert_non_null(strstr(
        text, "{\"id\":9223372036854775807,\"a, \\\"b\\\"\":\"plain\",\"f\":180.0,\"ok\":null}\n"));
    assert_non_null(strstr(text, ":\"say \\\"x\\\"\",\"f\":null,"));
    assert_non_null(strstr(text, ":\"two\\nlines\",\"f\":null,"));
    assert_non_null(strstr(text, ":\"t\\tx\\\\\\u0001\",\"f\":5e-324,"));
    free(text);
    hal_table_unref(t);
}

static void a_table_survives_csv(void **state)
{
    (void)state;
    hal_table *t = sample();
    char *text = written(HAL_FORMAT_CSV, t);
    hal_reader *r = hal_reader_new(HAL_FORMAT_AUTO, NULL, NULL);
    hal_answer answer;
    hal_table *back;
    hal_err err = HAL_ERR_INIT;
    if (hal_reader_feed(r, text, strlen(text), &err) || hal_reader_finish(r, &answer, &back, &err))
        fail_msg("%s", err.text);
    hal_reader_free(r);
    for (size_t c = 0; c < 4; c++) {
        assert_int_equal(hal_table_field(back, c)->type, fields[c].type);
        assert_string_equal(hal_table_field(back, c)->name, fields[c].name);
        assert_int_equal(hal_table_column(back, c).n_nulls, hal_table_column(t, c).n_nulls);
    }
    char *again = written(HAL_FORMAT_CSV, back);
    assert_string_equal(again, text);
    free(again);
    free(text);
    hal_table_unref(back);
    hal_table_unref(t);
}

static void values_are_promoted_to_the_type_of_the_output(void **state)
{
    (void)state;
    const hal_field as_text[] = {{"id", HAL_TYPE_STRING}}, as_double[] = {{"id", HAL_TYPE_FLOAT64}},
                    as_bool[] = {{"id", HAL_TYPE_BOOL}};
    hal_table *t = sample();
    const size_t first = 0;
    hal_table *ids = hal_table_project(t, &first, 1, NULL);
    hal_writer *w = hal_writer_open(path, HAL_FORMAT_JSONL, as_text, 1, NULL);
    assert_int_equal(hal_writer_table(w, ids, NULL), HAL_OK);
    assert_int_equal(hal_writer_commit(w, NULL, NULL), HAL_OK);
    hal_writer_free(w);
    size_t n;
    char *text = slurp(&n);
    assert_memory_equal(text, "{\"id\":\"9223372036854775807\"}\n", 29);
    free(text);
    unlink(path);
    w = hal_writer_open(path, HAL_FORMAT_CSV, as_double, 1, NULL);
    hal_err err = HAL_ERR_INIT;
    assert_int_equal(hal_writer_table(w, ids, &err), HAL_E_USAGE); /* digits would be lost */
    hal_writer_free(w);
    w = hal_writer_open(path, HAL_FORMAT_CSV, as_bool, 1, NULL);
    assert_int_equal(hal_writer_table(w, ids, &err), HAL_E_USAGE);
    assert_int_equal(hal_writer_table(w, t, &err), HAL_E_USAGE); /* other columns */
    hal_writer_free(w);
    hal_table_unref(ids);
    hal_table_unref(t);
}

static void an_abandoned_file_leaves_nothing_and_an_old_one_stays(void **state)
{
    (void)state;
    FILE *f = fopen(path, "w");
    fputs("old", f);
    fclose(f);
    hal_table *t = sample();
    hal_writer *w = hal_writer_open(path, HAL_FORMAT_CSV, fields, 4, NULL);
    assert_int_equal(hal_writer_table(w, t, NULL), HAL_OK);
    hal_writer_free(w);
    size_t n;
    char *text = slurp(&n);
    assert_string_equal(text, "old");
    free(text);
    assert_int_equal(n_unfinished(), 0);
    unlink(path);
    hal_table_unref(t);
}

static void two_writers_of_one_name_each_write_a_file_of_their_own(void **state)
{
    (void)state;
    hal_table *t = sample();
    hal_writer *first = hal_writer_open(path, HAL_FORMAT_CSV, fields, 4, NULL);
    assert_int_equal(hal_writer_table(first, t, NULL), HAL_OK);
    hal_writer *second = hal_writer_open(path, HAL_FORMAT_CSV, fields, 4, NULL);
    assert_int_equal(n_unfinished(), 2);
    assert_int_equal(hal_writer_table(second, t, NULL), HAL_OK);
    assert_int_equal(hal_writer_table(second, t, NULL), HAL_OK);
    uint64_t size_first = 0, size_second = 0;
    size_t n;
    assert_int_equal(hal_writer_commit(second, &size_second, NULL), HAL_OK);
    free(slurp(&n));
    assert_int_equal(n, size_second);
    assert_int_equal(hal_writer_commit(first, &size_first, NULL), HAL_OK);
    free(slurp(&n));
    assert_int_equal(n, size_first);
    assert_true(size_first < size_second);
    hal_writer_free(first);
    hal_writer_free(second);
    unlink(path);
    hal_table_unref(t);
}

static void a_place_that_cannot_be_written_is_named(void **state)
{
    (void)state;
    hal_err err = HAL_ERR_INIT;
    assert_null(hal_writer_open("/nonexistent/x.csv", HAL_FORMAT_CSV, fields, 4, &err));
    assert_int_equal(err.status, HAL_E_IO);
    assert_non_null(strstr(err.text, "/nonexistent/x.csv"));
    assert_null(hal_writer_open(path, HAL_FORMAT_MASHUP_JSON, fields, 4, &err));
    assert_int_equal(err.status, HAL_E_USAGE);
    hal_format format;
    assert_int_equal(hal_format_from_name(&format, "xlsx", &err), HAL_E_USAGE);
    assert_non_null(strstr(err.text, "jsonl"));
    assert_int_equal(hal_format_from_name(&format, "csv", &err), HAL_OK);
    assert_string_equal(hal_format_name(format), "csv");
}

static void running_out_of_memory_at_any_point_is_reported(void **state)
{
    (void)state;
    hal_table *t = sample();
    hal_status st = HAL_E_NOMEM;
    for (size_t i = 1; st; i++) {
        hal_err err = HAL_ERR_INIT;
        hal_alloc_fail_at(i);
        hal_writer *w = hal_writer_open(path, HAL_FORMAT_JSONL, fields, 4, &err);
        st = w ? hal_writer_table(w, t, &err) : err.status;
        if (!st)
            st = hal_writer_commit(w, NULL, &err);
        hal_writer_free(w);
        hal_alloc_fail_at(0);
        if (st) {
            assert_int_equal(st, HAL_E_NOMEM);
            assert_int_not_equal(access(path, F_OK), 0);
        }
    }
    unlink(path);
    hal_table_unref(t);
}

static void keep_line(void *ctx, const char *text)
{
    char *lines = ctx;
    size_t used = strlen(lines);
    snprintf(lines + used, 2000 - used, "%s\n", text);
}

/* The file of `t` as `format` with what its writer warns of, one line each. */
static char *written_like(hal_format format, const hal_table *t, char warnings[2000])
{
    hal_err err = HAL_ERR_INIT;
    hal_writer *w = hal_writer_open_like(path, format, t, &err);
    if (!w || hal_writer_table(w, t, &err) || hal_writer_commit(w, NULL, &err))
        fail_msg("%s", err.text);
    *warnings = '\0';
    hal_writer_warnings(w, keep_line, warnings);
    hal_writer_free(w);
    size_t n;
    char *text = slurp(&n);
    unlink(path);
    return text;
}

static hal_table *floats(const hal_field *f, const float *values, int n)
{
    hal_builder *b = hal_builder_new(f, 1, NULL);
    for (int i = 0; i < n; i++) {
        assert_int_equal(hal_builder_float64(b, 0, (double)values[i], NULL), 0);
        assert_int_equal(hal_builder_end_row(b, NULL), 0);
    }
    hal_table *t = hal_builder_finish(b, NULL);
    hal_builder_free(b);
    return t;
}

static void a_float_has_its_own_digits_only_in_a_column_of_floats(void **state)
{
    (void)state;
    const hal_field narrow = {"f", HAL_TYPE_FLOAT32}, wide = {"f", HAL_TYPE_FLOAT64},
                    words = {"f", HAL_TYPE_STRING};
    hal_table *t = floats(&narrow, (const float[]){0.1f}, 1);
    const struct {
        hal_format format;
        const hal_field *as;
        const char *text;
    } cases[] = {
        {HAL_FORMAT_CSV, &narrow, "\n0.1\n"},
        {HAL_FORMAT_JSONL, &narrow, ":0.1}"},
        {HAL_FORMAT_ECSV, &narrow, "\n0.1\n"},
        {HAL_FORMAT_VOTABLE, &narrow, "<TD>0.1</TD>"},
        {HAL_FORMAT_CSV, &wide, "\n0.10000000149011612\n"},
        {HAL_FORMAT_JSONL, &wide, ":0.10000000149011612}"},
        {HAL_FORMAT_ECSV, &wide, "\n0.10000000149011612\n"},
        {HAL_FORMAT_VOTABLE, &wide, "<TD>0.10000000149011612</TD>"},
        /* The same as by way of a column of doubles. */
        {HAL_FORMAT_CSV, &words, "\n0.10000000149011612\n"},
        {HAL_FORMAT_JSONL, &words, ":\"0.10000000149011612\"}"},
        {HAL_FORMAT_ECSV, &words, "\n0.10000000149011612\n"},
        {HAL_FORMAT_VOTABLE, &words, "<TD>0.10000000149011612</TD>"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hal_err err = HAL_ERR_INIT;
        hal_writer *w = hal_writer_open(path, cases[i].format, cases[i].as, 1, &err);
        if (!w || hal_writer_table(w, t, &err) || hal_writer_commit(w, NULL, &err))
            fail_msg("%s", err.text);
        hal_writer_free(w);
        size_t n;
        char *text = slurp(&n);
        if (!strstr(text, cases[i].text))
            fail_msg("no %s in %s", cases[i].text, text);
        free(text);
        unlink(path);
    }
    hal_table_unref(t);
}

static void what_a_format_cannot_say_is_a_warning_that_names_the_columns(void **state)
{
    (void)state;
    hal_field f[5] = {{.name = "ra", .type = HAL_TYPE_FLOAT64, .unit = "deg", .ucd = "pos.eq.ra"},
                      {.name = "dec", .type = HAL_TYPE_FLOAT64, .unit = "deg"},
                      {.name = "\xc3\xa9toile", .type = HAL_TYPE_STRING, .description = "a name"},
                      {.name = "mag", .type = HAL_TYPE_FLOAT32, .unit = "mag"},
                      {.name = "flux", .type = HAL_TYPE_FLOAT32, .width = HAL_WIDTH_VARIABLE}};
    hal_builder *b = hal_builder_new(f, 5, NULL);
    hal_metadata m = {0};
    assert_int_equal(
        hal_metadata_add(&m, &(hal_meta){HAL_META_INFO, "QUERY_STATUS", "OK", "", NULL, 0}, NULL),
        0);
    hal_meta place = {.kind = HAL_META_COOSYS, .name = "", .value = "", .text = ""};
    assert_int_equal(hal_metadata_add(&m, &place, NULL), 0);
    assert_int_equal(hal_builder_metadata(b, &m, NULL), 0);
    hal_metadata_clear(&m);
    assert_int_equal(hal_builder_float64(b, 0, (double)NAN, NULL), 0);
    assert_int_equal(hal_builder_string(b, 2, hal_slice_of(""), NULL), 0);
    assert_int_equal(hal_builder_end_row(b, NULL), 0);
    hal_table *t = hal_builder_finish(b, NULL);
    hal_builder_free(b);
    const struct {
        hal_format format;
        const char *warnings;
    } cases[] = {
        {HAL_FORMAT_CSV,
         "csv keeps no units, UCDs or descriptions (ra, dec, \xc3\xa9toile and 1 more)\n"
         "csv keeps no COOSYS of the table\n"
         "csv keeps arrays and complex numbers as text only (flux)\n"},
        {HAL_FORMAT_JSONL,
         "jsonl keeps no units, UCDs or descriptions (ra, dec, \xc3\xa9toile and 1 more)\n"
         "jsonl keeps no COOSYS of the table\n"
         "values are lost: NaN and infinities are null in jsonl (ra)\n"},
        {HAL_FORMAT_FITS,
         "fits keeps no COOSYS of the table\n"
         "fits has '?' for what is not ASCII in names and notes (\xc3\xa9toile)\n"
         "values are changed: fits has no null array, only empty or of nulls (flux)\n"},
        {HAL_FORMAT_ECSV, ""},
        {HAL_FORMAT_VOTABLE,
         "values are changed: votable cannot tell what is empty from null (\xc3\xa9toile)\n"},
        {HAL_FORMAT_VOTABLE_BINARY2, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char warnings[2000];
        free(written_like(cases[i].format, t, warnings));
        assert_string_equal(warnings, cases[i].warnings);
    }
    hal_table_unref(t);
}

static void csv_of_any_first_name_is_recognised_as_csv(void **state)
{
    (void)state;
    const char *const names[] = {"\b1\x17",
                                 "PK\x03\x04",
                                 "\x7f\x45LF",
                                 "%PDF-1.4",
                                 "SIMPLE  =",
                                 "{a",
                                 "# %ECSV 1.0",
                                 "<VOTABLE>",
                                 "[",
                                 " a",
                                 "\xef\xbb\xbf"
                                 "a",
                                 "a\tb",
                                 "a|b;c"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        hal_builder *b = hal_builder_new(&(hal_field){names[i], HAL_TYPE_INT64}, 1, NULL);
        assert_int_equal(hal_builder_int64(b, 0, 7, NULL), 0);
        assert_int_equal(hal_builder_end_row(b, NULL), 0);
        hal_table *t = hal_builder_finish(b, NULL), *back = NULL;
        hal_builder_free(b);
        char warnings[2000], *text = written_like(HAL_FORMAT_CSV, t, warnings);
        hal_reader *r = hal_reader_new(HAL_FORMAT_AUTO, NULL, NULL);
        hal_answer answer;
        hal_err err = HAL_ERR_INIT;
        if (hal_reader_feed(r, text, strlen(text), &err) ||
            hal_reader_finish(r, &answer, &back, &err))
            fail_msg("%s: %s", text, err.text);
        assert_string_equal(hal_table_field(back, 0)->name, names[i]);
        assert_int_equal(hal_table_int64(back, 0, 0), 7);
        hal_reader_free(r);
        hal_table_unref(back);
        hal_table_unref(t);
        free(text);
    }
}

static void add_item(hal_metadata *m, hal_meta_kind kind, const char *name, const char *value,
                     const char *unit)
{
    const hal_attribute attributes[] = {{"datatype", "double"}, {"unit", unit}};
    const hal_meta item = {kind, name, value, "", attributes, unit ? 2 : 1};
    assert_int_equal(hal_metadata_add(m, &item, NULL), 0);
}

static void what_a_format_cannot_say_of_a_table_is_a_warning_that_names_it(void **state)
{
    (void)state;
    const hal_field f[] = {{.name = "t", .type = HAL_TYPE_TIMESTAMP},
                           {.name = "code", .type = HAL_TYPE_STRING},
                           {.name = "word", .type = HAL_TYPE_STRING},
                           {.name = "none", .type = HAL_TYPE_STRING},
                           {.name = "sep_arcsec", .unit = "arcsec", .type = HAL_TYPE_FLOAT64},
                           {.name = "r_deg", .unit = "deg", .ucd = "x", .type = HAL_TYPE_FLOAT64}};
    hal_builder *b = hal_builder_new(f, 6, NULL);
    hal_metadata m = {0};
    add_item(&m, HAL_META_PARAM, "seeing", "0.8", "arcsec");
    add_item(&m, HAL_META_PARAM, "plain", "0.8", NULL);
    add_item(&m, HAL_META_KEY, "a b", "1", NULL);
    add_item(&m, HAL_META_KEY, "NAXIS1", "1", NULL);
    add_item(&m, HAL_META_INFO, "", "\xc3\xa9", NULL);
    add_item(&m, HAL_META_INFO, "who", "\xc3\xa9", NULL);
    add_item(&m, HAL_META_INFO, "name", "n", NULL);
    const char *comments[] = {"seconds",
                              "a comment that is too long to stand behind a value of a card"};
    for (int i = 0; i < 2; i++) {
        const hal_meta key = {
            HAL_META_KEY, i ? "LONG" : "EXPTIME", "12345678901234567", comments[i], NULL, 0};
        assert_int_equal(hal_metadata_add(&m, &key, NULL), 0);
    }
    assert_int_equal(hal_metadata_set(&m.name, hal_slice_of("t"), NULL), 0);
    assert_int_equal(hal_metadata_set(&m.description, hal_slice_of("d"), NULL), 0);
    assert_int_equal(hal_builder_metadata(b, &m, NULL), 0);
    hal_metadata_clear(&m);
    const char *words[] = {"12", "1e5", "-inf"};
    for (int row = 0; row < 3; row++) {
        assert_int_equal(hal_builder_string(b, 1, hal_slice_of(words[row]), NULL), 0);
        assert_int_equal(hal_builder_string(b, 2, hal_slice_of(row ? "007" : "7"), NULL), 0);
        assert_int_equal(hal_builder_end_row(b, NULL), 0);
    }
    hal_table *t = hal_builder_finish(b, NULL);
    hal_builder_free(b);
    const struct {
        hal_format format;
        const char *warnings;
    } cases[] = {
        {HAL_FORMAT_CSV, "csv keeps no UCDs (r_deg)\n"
                         "csv keeps no INFO, PARAM, keys, description or name of the table\n"
                         "csv keeps times as text only (t)\n"
                         "csv reads back as numbers or booleans what is text (code)\n"},
        {HAL_FORMAT_JSONL, "jsonl keeps no UCDs (r_deg)\n"
                           "jsonl keeps no INFO, PARAM, keys, description or name of the table\n"},
        {HAL_FORMAT_FITS, "fits keeps no description of the table\n"
                          "fits has no keys of such names (a b, NAXIS1, \"\")\n"
                          "fits keeps only name and value of INFO, PARAM and keys (seeing, LONG)\n"
                          "fits has '?' for what is not ASCII in INFO, PARAM, keys or the name of "
                          "the table\n"},
        {HAL_FORMAT_ECSV,
         "ecsv has no keys of such names (\"\", name)\n"
         "ecsv keeps only name and value of INFO, PARAM and keys (seeing, EXPTIME, "
         "LONG)\n"},
        {HAL_FORMAT_VOTABLE,
         "values are changed: votable cannot tell what is empty from null (none)\n"},
        {HAL_FORMAT_VOTABLE_BINARY2, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char warnings[2000];
        free(written_like(cases[i].format, t, warnings));
        assert_string_equal(warnings, cases[i].warnings);
    }
    hal_table_unref(t);
}

static void a_table_that_a_format_holds_whole_is_written_without_a_warning(void **state)
{
    (void)state;
    hal_table *t = sample();
    char warnings[2000];
    free(written_like(HAL_FORMAT_CSV, t, warnings));
    assert_string_equal(warnings, "");
    hal_table_unref(t);
}

static hal_table *read_back(hal_format format)
{
    size_t n;
    char *bytes = slurp(&n);
    hal_reader *r = hal_reader_new(format, NULL, NULL);
    hal_answer answer;
    hal_table *back;
    hal_err err = HAL_ERR_INIT;
    if (hal_reader_feed(r, bytes, n, &err) || hal_reader_finish(r, &answer, &back, &err))
        fail_msg("%s: %s", bytes, err.text);
    hal_reader_free(r);
    free(bytes);
    return back;
}

static void a_table_without_columns_is_read_back_and_its_rows_are_a_warning(void **state)
{
    (void)state;
    static const hal_format formats[] = {HAL_FORMAT_CSV,     HAL_FORMAT_ECSV,
                                         HAL_FORMAT_VOTABLE, HAL_FORMAT_VOTABLE_BINARY2,
                                         HAL_FORMAT_FITS,    HAL_FORMAT_JSONL};
    for (size_t i = 0; i < 12; i++) {
        hal_format format = formats[i / 2];
        bool rows = i % 2, keeps = format == HAL_FORMAT_JSONL;
        hal_builder *b = hal_builder_new(NULL, 0, NULL);
        for (int k = 0; k < 3 && rows; k++)
            assert_int_equal(hal_builder_end_row(b, NULL), HAL_OK);
        hal_table *t = hal_builder_finish(b, NULL);
        hal_builder_free(b);
        char warnings[2000] = "", expected[200] = "";
        hal_err err = HAL_ERR_INIT;
        hal_writer *w = hal_writer_open_like(path, format, t, &err);
        if (!w || hal_writer_table(w, t, &err) || hal_writer_commit(w, NULL, &err))
            fail_msg("%s", err.text);
        hal_writer_warnings(w, keep_line, warnings);
        hal_writer_free(w);
        if (rows && !keeps)
            snprintf(expected, sizeof expected,
                     "rows are lost: %s keeps none of a table without columns (3)\n",
                     hal_format_name(format));
        assert_string_equal(warnings, expected);
        if (keeps) {
            size_t n;
            char *text = slurp(&n);
            assert_string_equal(text, rows ? "{}\n{}\n{}\n" : "");
            free(text);
        } else {
            hal_table *back = read_back(HAL_FORMAT_AUTO);
            assert_int_equal(hal_table_rows(back), 0);
            assert_int_equal(hal_table_columns(back), 0);
            hal_table_unref(back);
        }
        unlink(path);
        hal_table_unref(t);
    }
}

/* More bytes than a writer keeps back. */
static hal_table *large(void)
{
    hal_builder *b = hal_builder_new((hal_field[]){{"x", HAL_TYPE_INT64}}, 1, NULL);
    for (int64_t i = 0; i < 60000; i++) {
        assert_int_equal(hal_builder_int64(b, 0, i << 40, NULL), HAL_OK);
        assert_int_equal(hal_builder_end_row(b, NULL), HAL_OK);
    }
    hal_table *t = hal_builder_finish(b, NULL);
    hal_builder_free(b);
    return t;
}

static void an_interrupt_ends_writing_and_the_commit_and_leaves_nothing(void **state)
{
    (void)state;
    static const hal_format formats[] = {HAL_FORMAT_CSV, HAL_FORMAT_ECSV, HAL_FORMAT_VOTABLE,
                                         HAL_FORMAT_VOTABLE_BINARY2, HAL_FORMAT_FITS};
    hal_table *t = large();
    for (size_t i = 0; i < 10; i++) {
        hal_err err = HAL_ERR_INIT;
        bool late = i % 2, in_rows = !late && formats[i / 2] != HAL_FORMAT_FITS; /* one block */
        _Atomic bool stop = !late;
        hal_writer *w = hal_writer_open_like(path, formats[i / 2], t, &err);
        hal_writer_stop_on(w, &stop);
        assert_int_equal(hal_writer_table(w, t, &err), in_rows ? HAL_E_CANCELLED : HAL_OK);
        stop = true;
        if (!in_rows)
            assert_int_equal(hal_writer_commit(w, NULL, &err), HAL_E_CANCELLED);
        hal_writer_free(w);
        assert_int_equal(n_unfinished(), 0);
        assert_int_not_equal(access(path, F_OK), 0);
    }
    hal_table_unref(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_is_quoted_where_needed_and_exact),
        cmocka_unit_test(json_lines_are_escaped_and_have_no_nan),
        cmocka_unit_test(a_table_survives_csv),
        cmocka_unit_test(values_are_promoted_to_the_type_of_the_output),
        cmocka_unit_test(an_abandoned_file_leaves_nothing_and_an_old_one_stays),
        cmocka_unit_test(two_writers_of_one_name_each_write_a_file_of_their_own),
        cmocka_unit_test(a_place_that_cannot_be_written_is_named),
        cmocka_unit_test(a_float_has_its_own_digits_only_in_a_column_of_floats),
        cmocka_unit_test(what_a_format_cannot_say_is_a_warning_that_names_the_columns),
        cmocka_unit_test(csv_of_any_first_name_is_recognised_as_csv),
        cmocka_unit_test(what_a_format_cannot_say_of_a_table_is_a_warning_that_names_it),
        cmocka_unit_test(a_table_that_a_format_holds_whole_is_written_without_a_warning),
        cmocka_unit_test(a_table_without_columns_is_read_back_and_its_rows_are_a_warning),
        cmocka_unit_test(an_interrupt_ends_writing_and_the_commit_and_leaves_nothing),
        cmocka_unit_test(running_out_of_memory_at_any_point_is_reported),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
