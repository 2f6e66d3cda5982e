/* SPDX-License-Identifier: BSD-3-Clause */
/* The recorded answers and their oracle values: README.md of the recordings. */
#include "base/alloc.h"
#include "data/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct outcome {
    hal_status status;
    hal_err err;
    hal_answer answer;
    hal_table *table;
} outcome;

/* Reads `n` bytes in pieces of `piece` (0: all at once), each in memory of its own. */
static outcome read_bytes(hal_format format, const char *bytes, size_t n, size_t piece)
{
    outcome o = {.err = HAL_ERR_INIT};
    hal_reader *r = hal_reader_new(format, NULL, &o.err);
    if (!r) {
        o.status = o.err.status;
        return o;
    }
    for (size_t at = 0; at < n && !o.status;) {
        size_t part = piece && piece < n - at ? piece : n - at;
        char *copy = piece ? malloc(part) : NULL;
        if (copy)
            memcpy(copy, bytes + at, part);
        o.status = hal_reader_feed(r, copy ? copy : bytes + at, part, &o.err);
        free(copy);
        at += part;
    }
    if (!o.status)
        o.status = hal_reader_finish(r, &o.answer, &o.table, &o.err);
    hal_reader_free(r);
    return o;
}

static outcome read_text(const char *text)
{
    return read_bytes(HAL_FORMAT_AUTO, text, strlen(text), 0);
}

static char *load(const char *name, size_t *n)
{
    const char *shared = getenv("HALYARD_SHARED");
    char path[4096];
    snprintf(path, sizeof path, "%s/data/mashup/%s", shared ? shared : "../shared", name);
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("cannot open %s", path);
    char *bytes = malloc(1 << 20);
    *n = fread(bytes, 1, 1 << 20, f);
    fclose(f);
    return bytes;
}

static outcome read_file(const char *name, size_t piece)
{
    size_t n;
    char *bytes = load(name, &n);
    outcome o = read_bytes(HAL_FORMAT_AUTO, bytes, n, piece);
    free(bytes);
    if (o.status)
        fail_msg("%s: %s", name, o.err.text);
    return o;
}

static size_t column(const hal_table *t, const char *name)
{
    int i = hal_table_find(t, name);
    if (i < 0)
        fail_msg("no column %s", name);
    return (size_t)i;
}

static void assert_text(const hal_table *t, const char *name, uint64_t row, const char *text)
{
    size_t c = column(t, name);
    assert_int_equal(hal_table_field(t, c)->type, HAL_TYPE_STRING);
    assert_false(hal_table_is_null(t, c, row));
    hal_slice cell = hal_table_string(t, c, row);
    assert_int_equal(cell.size_bytes, strlen(text));
    assert_memory_equal(cell.data, text, cell.size_bytes);
}

static void assert_int(const hal_table *t, const char *name, uint64_t row, int64_t v)
{
    size_t c = column(t, name);
    assert_int_equal(hal_table_field(t, c)->type, HAL_TYPE_INT64);
    assert_false(hal_table_is_null(t, c, row));
    assert_int_equal(hal_table_int64(t, c, row), v);
}

static void assert_double(const hal_table *t, const char *name, uint64_t row, double v)
{
    size_t c = column(t, name);
    assert_int_equal(hal_table_field(t, c)->type, HAL_TYPE_FLOAT64);
    assert_false(hal_table_is_null(t, c, row));
    double cell = hal_table_float64(t, c, row);
    assert_memory_equal(&cell, &v, sizeof v);
}

static void assert_sum(const hal_table *t, const char *name, uint64_t n_values, double sum)
{
    size_t c = column(t, name);
    double total = 0;
    uint64_t n = 0;
    for (uint64_t i = 0; i < hal_table_rows(t); i++)
        if (!hal_table_is_null(t, c, i)) {
            total += hal_table_float64(t, c, i);
            n++;
        }
    assert_int_equal(n, n_values);
    assert_float_equal(total, sum, 1e-8);
}

/* `n_nulls` as the README counts them: with the dropped column _selected_, always null. */
static void assert_shape(const outcome *o, uint64_t n_rows, size_t n_columns, bool selected,
                         uint64_t n_nulls)
{
    assert_int_equal(o->answer.status, HAL_ANSWER_COMPLETE);
    assert_int_equal(hal_table_rows(o->table), n_rows);
    assert_int_equal(hal_table_columns(o->table) + selected, n_columns);
    assert_int_equal(hal_table_find(o->table, "_selected_"), -1);
    uint64_t nulls = selected ? n_rows : 0;
    for (size_t i = 0; i < hal_table_columns(o->table); i++)
        nulls += hal_table_column(o->table, i).n_nulls;
    assert_int_equal(nulls, n_nulls);
    assert_int_equal(o->answer.page, 1);
    assert_int_equal(o->answer.page_size, 50000);
    assert_int_equal(o->answer.pages_filtered, 1);
    assert_int_equal(o->answer.rows, n_rows);
    assert_int_equal(o->answer.rows_filtered, n_rows);
    assert_int_equal(o->answer.rows_total, n_rows);
}

static void caom_reads_to_its_oracle_values(void **state)
{
    (void)state;
    outcome o = read_file("caom.json", 0);
    assert_shape(&o, 19, 28, true, 88);
    assert_string_equal(hal_table_field(o.table, 0)->name, "dataproduct_type");
    assert_string_equal(hal_table_field(o.table, 26)->name, "distance");
    assert_sum(o.table, "s_ra", 19, 439.226990382);
    assert_double(o.table, "distance", 0, 293.0973439304444);
    assert_double(o.table, "distance", 18, 0);
    assert_double(o.table, "t_exptime", 0, 1500);
    assert_text(o.table, "s_region", 7,
                "POLYGON J2000 23.11894300 60.64317400 23.13901500 60.64084700 23.14376800 "
                "60.65069300 23.12369100 60.65301800 23.11894300 60.64317400");
    assert_int(o.table, "obsid", 18, 1000014336);
    assert_int(o.table, "calib_level", 0, 3);
    assert_text(o.table, "proposal_id", 0, "5371");
    assert_true(hal_table_is_null(o.table, column(o.table, "dataURL"), 0));
    hal_table_unref(o.table);
}

static void products_read_to_their_oracle_values(void **state)
{
    (void)state;
    outcome o = read_file("products.json", 0);
    assert_shape(&o, 22, 16, true, 85);
    assert_string_equal(hal_table_field(o.table, 0)->name, "obsID");
    assert_text(o.table, "dataURI", 0, "mast:HST/product/u9o40504m_c3m.fits");
    assert_int(o.table, "size", 10, 37440);
    assert_text(o.table, "productGroupDescription", 21, "Minimum Recommended Products");
    hal_table_unref(o.table);
}

static void a_count_reads_to_its_oracle_value(void **state)
{
    (void)state;
    outcome o = read_file("countsResp.json", 0);
    assert_shape(&o, 1, 1, false, 0);
    assert_int(o.table, "Column1", 0, 599);
    hal_table_unref(o.table);
}

static void tic_reads_to_its_oracle_values(void **state)
{
    (void)state;
    outcome o = read_file("tic.json", 0);
    assert_shape(&o, 7, 89, false, 463);
    assert_string_equal(hal_table_field(o.table, 0)->name, "ID");
    assert_string_equal(hal_table_field(o.table, 88)->name, "objID");
    assert_sum(o.table, "ra", 7, 1780.333131);
    assert_int(o.table, "ID", 0, 10000732589);
    assert_double(o.table, "Tmag", 3, 16.678);
    assert_double(o.table, "dec", 6, -4.12924);
    assert_text(o.table, "TWOMflag", 0, "   -   -   -  0-0- ");
    hal_table_unref(o.table);
}

static void hsc_reads_to_its_oracle_values(void **state)
{
    (void)state;
    outcome o = read_file("hsc.json", 0);
    assert_shape(&o, 28, 46, true, 376);
    assert_string_equal(hal_table_field(o.table, 0)->name, "MatchID");
    assert_sum(o.table, "Distance", 28, 1.14295971202);
    assert_double(o.table, "Distance", 0, 0.009992601723397707);
    assert_int(o.table, "MatchID", 14, 82439923);
    assert_double(o.table, "CI", 27, 1.2841573432290696);
    hal_table_unref(o.table);
}

static void missions_in_extjs_form_have_fields_and_no_rows(void **state)
{
    (void)state;
    for (size_t piece = 0; piece < 3; piece++) {
        outcome o = read_file("missions.extjs", piece);
        assert_int_equal(o.answer.status, HAL_ANSWER_COMPLETE);
        assert_int_equal(hal_table_rows(o.table), 0);
        assert_int_equal(hal_table_columns(o.table), 25); /* 26 with _selected_ */
        assert_int_equal(o.answer.page, 0);
        assert_int_equal(o.answer.rows_total, 0);
        const hal_field *ra = hal_table_field(o.table, column(o.table, "s_ra"));
        assert_int_equal(ra->type, HAL_TYPE_FLOAT64);
        assert_string_equal(ra->unit, "deg");
        assert_string_equal(ra->ucd, "pos.eq.ra;meta.main");
        assert_int_equal(hal_table_field(o.table, column(o.table, "calib_level"))->type,
                         HAL_TYPE_INT64);
        hal_table_unref(o.table);
    }
}

static void answers_that_are_not_ready_or_failed_have_no_table(void **state)
{
    (void)state;
    outcome o = read_text("{\"status\":\"EXECUTING\",\"msg\":\"\",\"percent complete\":0.25}");
    assert_int_equal(o.status, HAL_OK);
    assert_int_equal(o.answer.status, HAL_ANSWER_EXECUTING);
    assert_float_equal(o.answer.fraction_done, 0.25, 0);
    assert_null(o.table);
    o = read_text("{\"status\":\"ERROR\",\"msg\":\"Incorrect syntax near '*'.\"}");
    assert_int_equal(o.status, HAL_OK);
    assert_int_equal(o.answer.status, HAL_ANSWER_ERROR);
    assert_string_equal(o.answer.message, "Incorrect syntax near '*'.");
    assert_null(o.table);
    o = read_text(
        "{ \"status\" : \"ERROR\", \"msg\" : \"out of \\u0022disk\\u0022\", \"data\" : }\n");
    assert_int_equal(o.status, HAL_OK);
    assert_int_equal(o.answer.status, HAL_ANSWER_ERROR);
    assert_string_equal(o.answer.message, "out of \"disk\"");
}

/* True when both tables hold the same cells of the same types. */
static bool same_table(const hal_table *a, const hal_table *b)
{
    if (hal_table_rows(a) != hal_table_rows(b) || hal_table_columns(a) != hal_table_columns(b))
        return false;
    for (size_t c = 0; c < hal_table_columns(a); c++) {
        const hal_field *fa = hal_table_field(a, c), *fb = hal_table_field(b, c);
        if (strcmp(fa->name, fb->name) != 0 || fa->type != fb->type)
            return false;
        for (uint64_t i = 0; i < hal_table_rows(a); i++) {
            if (hal_table_is_null(a, c, i) != hal_table_is_null(b, c, i))
                return false;
            if (hal_table_is_null(a, c, i))
                continue;
            double x, y;
            switch (fa->type) {
            case HAL_TYPE_BOOL:
                if (hal_table_bool(a, c, i) != hal_table_bool(b, c, i))
                    return false;
                break;
            case HAL_TYPE_INT64:
                if (hal_table_int64(a, c, i) != hal_table_int64(b, c, i))
                    return false;
                break;
            case HAL_TYPE_FLOAT64:
                x = hal_table_float64(a, c, i);
                y = hal_table_float64(b, c, i);
                if (memcmp(&x, &y, sizeof x) != 0)
                    return false;
                break;
            case HAL_TYPE_STRING:
                if (!hal_slice_equals(hal_table_string(a, c, i), hal_table_string(b, c, i)))
                    return false;
                break;
            default:
                fail_msg("a type that this reader does not make");
            }
        }
    }
    return true;
}

static void the_size_of_the_pieces_does_not_matter(void **state)
{
    (void)state;
    const char *names[] = {"caom.json", "products.json", "tic.json", "hsc.json"};
    const size_t pieces[] = {1, 2, 3, 7, 64, 1000, 4096};
    for (size_t f = 0; f < 4; f++) {
        outcome whole = read_file(names[f], 0);
        for (size_t i = 0; i < 7; i++) {
            outcome o = read_file(names[f], pieces[i]);
            assert_true(same_table(o.table, whole.table));
            hal_table_unref(o.table);
        }
        hal_table_unref(whole.table);
    }
}

static void a_cut_answer_is_an_error_wherever_it_is_cut(void **state)
{
    (void)state;
    const char *names[] = {"caom.json", "countsResp.json", "products.json",
                           "tic.json",  "hsc.json",        "missions.extjs"};
    const size_t steps[] = {1, 1, 13, 13, 29, 997};
    for (size_t f = 0; f < 6; f++) {
        size_t n;
        char *bytes = load(names[f], &n);
        while (bytes[n - 1] != '}')
            n--;
        for (size_t cut = 0; cut < n; cut += steps[f]) {
            outcome o = read_bytes(HAL_FORMAT_AUTO, bytes, cut, 0);
            if (o.status != (cut ? HAL_E_INTEGRITY : HAL_E_PROTOCOL))
                fail_msg("%s cut at %zu: status %d", names[f], cut, (int)o.status);
            char at[32];
            snprintf(at, sizeof at, "byte %zu,", cut);
            if (cut && !strstr(o.err.text, at))
                fail_msg("cut at %zu: %s", cut, o.err.text);
            assert_null(o.table);
        }
        free(bytes);
    }
}

static void a_flipped_bit_never_shortens_a_table(void **state)
{
    (void)state;
    size_t n, refused = 0, tried = 0;
    char *bytes = load("caom.json", &n);
    outcome whole = read_bytes(HAL_FORMAT_AUTO, bytes, n, 0);
    while (bytes[n - 1] != '}')
        n--;
    for (size_t i = 0; i < n; i++) {
        bool structure = strchr("{}[]:,\"", bytes[i]) != NULL;
        for (int bit = 0; bit < 8; bit++) {
            if (bit != (int)(i % 8) && !(structure && i % 16 == 0))
                continue;
            char saved = bytes[i];
            bytes[i] = (char)(saved ^ 1 << bit);
            outcome o = read_bytes(HAL_FORMAT_AUTO, bytes, n, 0);
            bytes[i] = saved;
            tried++;
            if (o.status) {
                refused++;
                continue;
            }
            assert_int_equal(o.answer.status, HAL_ANSWER_COMPLETE);
            if (hal_table_rows(o.table) != 19 || hal_table_columns(o.table) < 27)
                fail_msg("bit %d of byte %zu: %llu rows", bit, i,
                         (unsigned long long)hal_table_rows(o.table));
            if (structure && same_table(o.table, whole.table))
                fail_msg("bit %d of byte %zu goes unnoticed", bit, i);
            hal_table_unref(o.table);
        }
    }
    assert_true(refused > tried / 4);
    hal_table_unref(whole.table);
    free(bytes);
}

#define ANSWER(data, fields)                                                                       \
    "{\"status\":\"COMPLETE\",\"msg\":\"\",\"data\":[" data "],\"fields\":[" fields "]}"
#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":\"" type "\"}"

static hal_table *read_good(const char *text)
{
    outcome o = read_text(text);
    if (o.status)
        fail_msg("%s: %s", text, o.err.text);
    outcome slow = read_bytes(HAL_FORMAT_AUTO, text, strlen(text), 1);
    assert_int_equal(slow.status, HAL_OK);
    assert_true(same_table(o.table, slow.table));
    hal_table_unref(slow.table);
    return o.table;
}

static void identifiers_keep_every_digit(void **state)
{
    (void)state;
    hal_table *t = read_good(ANSWER(
        "{\"a\":9223372036854775807,\"b\":1,\"c\":18446744073709551615,\"d\":68960059717834079,"
        "\"e\":9007199254740993},"
        "{\"a\":-9223372036854775808,\"b\":\"x1\",\"c\":7,\"d\":0.5,\"e\":1}",
        FIELD("a", "string") "," FIELD("b", "string") "," FIELD("c", "string") "," FIELD(
            "d", "string") "," FIELD("e", "int")));
    assert_int(t, "a", 0, INT64_MAX);
    assert_int(t, "a", 1, INT64_MIN);
    assert_text(t, "b", 0, "1");
    assert_text(t, "b", 1, "x1");
    assert_text(t, "c", 0, "18446744073709551615");
    assert_text(t, "c", 1, "7");
    assert_text(t, "d", 0, "68960059717834079"); /* never through a double */
    assert_text(t, "d", 1, "0.5");
    assert_int(t, "e", 0, 9007199254740993);
    hal_table_unref(t);
}

static void numbers_beyond_a_double_keep_their_digits(void **state)
{
    (void)state;
    hal_table *t =
        read_good(ANSWER("{\"f\":1.5,\"s\":-1e400,\"u\":1e-400},"
                         "{\"f\":12e999999999999,\"s\":\"Infinity\",\"u\":2}",
                         FIELD("f", "float") "," FIELD("s", "string") "," FIELD("u", "float")));
    assert_text(t, "f", 0, "1.5");
    assert_text(t, "f", 1, "12e999999999999");
    assert_text(t, "s", 0, "-1e400");
    assert_double(t, "u", 0, 0);
    hal_table_unref(t);
    t = read_good("[{\"a\":1e308},{\"a\":1e309}]");
    assert_text(t, "a", 1, "1e309");
    hal_table_unref(t);
}

static void declared_types_decide_where_values_allow_it(void **state)
{
    (void)state;
    hal_table *t = read_good(ANSWER(
        "{\"f\":180,\"i\":1,\"g\":\"NaN\",\"n\":null,\"b\":null,\"w\":\"7\",\"h\":1},"
        "{\"f\":0,\"i\":2.5,\"g\":1e20,\"b\":true,\"w\":\"8\",\"h\":12345678901234567890},"
        "{\"f\":null,\"i\":3,\"g\":68960059717834079,\"b\":false,\"w\":\"9\",\"h\":0.5}",
        FIELD("f", "float") "," FIELD("i", "int") "," FIELD("g", "Double") "," FIELD(
            "n", "float") "," FIELD("b", "boolean") "," FIELD("w", "string") "," FIELD("h",
                                                                                       "float")));
    assert_double(t, "f", 0, 180);
    assert_true(hal_table_is_null(t, 0, 2));
    assert_double(t, "i", 0, 1); /* a fraction came later */
    assert_double(t, "i", 1, 2.5);
    assert_true(hal_table_float64(t, column(t, "g"), 0) != hal_table_float64(t, column(t, "g"), 0));
    assert_double(t, "g", 1, 1e20);
    assert_double(t, "g", 2, 68960059717834079.0);
    assert_int_equal(hal_table_field(t, column(t, "n"))->type, HAL_TYPE_FLOAT64);
    assert_int_equal(hal_table_column(t, column(t, "n")).n_nulls, 3);
    assert_int_equal(hal_table_field(t, column(t, "b"))->type, HAL_TYPE_BOOL);
    assert_true(hal_table_bool(t, column(t, "b"), 1));
    assert_text(t, "w", 0, "7"); /* text stays text */
    assert_double(t, "h", 1, 12345678901234567890.0);
    hal_table_unref(t);
}

static void all_four_spellings_of_a_date_are_kept(void **state)
{
    (void)state;
    hal_table *t = read_good(ANSWER("{\"a\":\"/Date(1300000000000)/\",\"b\":1300000000000},"
                                    "{\"a\":\"/Date(1300000000000+0100)/\",\"b\":null},"
                                    "{\"a\":\"2011-03-13T07:06:40\"}",
                                    FIELD("a", "date") "," FIELD("b", "date")));
    assert_text(t, "a", 0, "/Date(1300000000000)/");
    assert_text(t, "a", 1, "/Date(1300000000000+0100)/");
    assert_text(t, "a", 2, "2011-03-13T07:06:40");
    assert_int(t, "b", 0, 1300000000000);
    hal_table_unref(t);
}

static void columns_follow_fields_and_missing_cells_are_null(void **state)
{
    (void)state;
    hal_table *t =
        read_good("\xef\xbb\xbf {\"fields\":[" FIELD("b", "int") "," FIELD("a", "string") "," FIELD(
            "b", "string") "," FIELD("_selected_",
                                     "boolean") "," FIELD("c",
                                                          "float") "],"
                                                                   "\"data\":[{\"a\":\"x\",\"b\":1,"
                                                                   "\"_selected_\":null},{\"b\":2},"
                                                                   "{},{\"b\":4,\"a\":\"\\u00e9"
                                                                   "\\ud83d\\ude00\\n\"}],"
                                                                   "\"other\":{\"deep\":[[[{}]]]},"
                                                                   "\"status\":\"COMPLETE\"}");
    assert_int_equal(hal_table_columns(t), 3);
    assert_string_equal(hal_table_field(t, 0)->name, "b");
    assert_string_equal(hal_table_field(t, 1)->name, "a");
    assert_int(t, "b", 3, 4);
    assert_true(hal_table_is_null(t, 0, 2));
    assert_text(t, "a", 3, "\xc3\xa9\xf0\x9f\x98\x80\n");
    assert_int_equal(hal_table_column(t, 1).n_nulls, 2);
    assert_int_equal(hal_table_column(t, 2).n_nulls, 4);
    hal_table_unref(t);
}

static void extjs_rows_are_read_by_place(void **state)
{
    (void)state;
    hal_table *t = read_good(
        "{\"status\":\"COMPLETE\",\"msg\":\"\",\"data\":{\"name\":\"NewDataSet\",\"Tables\":[{"
        "\"name\":\"Table\",\"ExtendedProperties\":{\"Paging\":{\"page\":1,\"rows\":2}},"
        "\"Columns\":[{\"text\":\"s.ra\",\"dataIndex\":\"s_ra\",\"ExtendedProperties\":{"
        "\"vot.unit\":\"deg\",\"vot.ucd\":\"pos.eq.ra\",\"histObj\":{\"hist\":[{\"key\":\"\"}]}}}],"
        "\"Fields\":[{\"name\":\"s_ra\",\"type\":\"float\"},{\"name\":\"n64\",\"type\":\"int\","
        "\"serverType\":\"long\"},{\"name\":\"t\",\"type\":\"string\"},{\"name\":\"_selected_\"}],"
        "\"Rows\":[[10,68960059717834079,\"x\",null],[null,-1,\"68960059717834079\",null]]}],"
        "\"ExtendedProperties\":{}}}");
    assert_int_equal(hal_table_rows(t), 2);
    assert_int_equal(hal_table_columns(t), 3);
    assert_double(t, "s_ra", 0, 10);
    assert_string_equal(hal_table_field(t, 0)->unit, "deg");
    assert_int(t, "n64", 0, 68960059717834079);
    assert_text(t, "t", 1, "68960059717834079");
    hal_table_unref(t);
}

static void damaged_answers_are_refused_with_the_cause(void **state)
{
    (void)state;
    const struct {
        hal_status status;
        const char *text, *says;
    } cases[] = {
        {HAL_E_INTEGRITY, ANSWER("{\"a\":1,\"a\":2}", FIELD("a", "int")), "\"a\" twice"},
        {HAL_E_INTEGRITY, ANSWER("{\"a\":null,\"b\":1,\"a\":2}", FIELD("a", "int")), "twice"},
        {HAL_E_INTEGRITY, ANSWER("{\"a\":1,\"b\":2}", FIELD("a", "int")), "\"b\""},
        {HAL_E_INTEGRITY, "{\"status\":\"COMPLETE\",\"x\":{\"k\":1,\"k\":1}}", "same key twice"},
        {HAL_E_INTEGRITY, "{\"status\":\"COMPLETE\",\"status\":\"COMPLETE\"}", "same key twice"},
        {HAL_E_INTEGRITY, "{\"status\":\"COMPLETE\",\"fields\":[]}", "rows"},
        {HAL_E_INTEGRITY, "{\"status\":\"COMPLETE\",\"data\":[]}", "fields"},
        {HAL_E_INTEGRITY,
         "{\"status\":\"COMPLETE\",\"data\":[{\"a\":1}],\"fields\":[" FIELD(
             "a", "int") "],"
                         "\"paging\":{\"rows\":2}}",
         "says 2 rows and holds 1"},
        {HAL_E_INTEGRITY, ANSWER("{\"a\":01}", FIELD("a", "int")), "byte 43"},
        {HAL_E_INTEGRITY, ANSWER("{\"a\":NaN}", FIELD("a", "int")), "not a value"},
        {HAL_E_INTEGRITY, ANSWER("{\"a\":1,}", FIELD("a", "int")), "key"},
        {HAL_E_INTEGRITY, ANSWER("{\"a\":\"\xff\"}", FIELD("a", "string")), "UTF-8"},
        {HAL_E_INTEGRITY, ANSWER("{\"a\":\"\xed\xa0\x80\"}", FIELD("a", "string")), "UTF-8"},
        {HAL_E_INTEGRITY, ANSWER("{\"a\":\"\\ud800x\"}", FIELD("a", "string")), "surrogate"},
        {HAL_E_INTEGRITY, ANSWER("{\"a\":\"\\x\"}", FIELD("a", "string")), "escape"},
        {HAL_E_INTEGRITY, ANSWER("{\"a\":\"\t\"}", FIELD("a", "string")), "control"},
        {HAL_E_INTEGRITY, ANSWER("{\"a\":1}", FIELD("a", "int")) "x", "follows"},
        {HAL_E_INTEGRITY, "{\"status\":\"COMPLETE\"]", "bracket"},
        {HAL_E_PROTOCOL, ANSWER("{\"a\":[1]}", FIELD("a", "int")), "object or array"},
        {HAL_E_PROTOCOL, ANSWER("[1]", FIELD("a", "int")), "wrong form"},
        {HAL_E_PROTOCOL, "{\"status\":\"DONE\"}", "status"},
        {HAL_E_PROTOCOL, "{}", "status"},
        {HAL_E_PROTOCOL, "[1,2]", "JSON list"},
        {HAL_E_PROTOCOL, " \n", "empty"},
        {HAL_E_PROTOCOL, "null", "JSON null"},
        {HAL_E_PROTOCOL, "Internal error", "plain text"},
        {HAL_E_PROTOCOL, "<!DOCTYPE html>\n<HTML><head><Title>\n503 Sorry </Title>", "503 Sorry"},
        {HAL_E_PROTOCOL, "<?xml version=\"1.0\"?><VOTABLE/>", "XML"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t piece = 0; piece < 2; piece++) {
            outcome o =
                read_bytes(HAL_FORMAT_MASHUP_JSON, cases[i].text, strlen(cases[i].text), piece);
            if (o.status != cases[i].status || !strstr(o.err.text, cases[i].says))
                fail_msg("%s: status %d, %s", cases[i].text, (int)o.status, o.err.text);
            assert_null(o.table);
        }
}

static void extjs_rows_of_unequal_width_are_refused(void **state)
{
    (void)state;
    const char *rows[] = {"[1,2],[3]", "[1],[2,3]", "[1]", "[1,2,3]"};
    for (size_t i = 0; i < 4; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "{\"status\":\"COMPLETE\",\"data\":{\"Tables\":[{\"Fields\":[" FIELD(
                     "a", "int") "," FIELD("b", "int") "],\"Rows\":[%s]}]}}",
                 rows[i]);
        outcome o = read_text(text);
        assert_true(o.status == HAL_E_INTEGRITY || o.status == HAL_E_PROTOCOL);
    }
}

static void limits_are_kept(void **state)
{
    (void)state;
    const char *text =
        ANSWER("{\"a\":1,\"b\":2},{\"a\":3}", FIELD("a", "int") "," FIELD("b", "int"));
    const hal_reader_limits limits[] = {{.rows_max = 1}, {.bytes_max = 50}, {.columns_max = 1}};
    for (size_t i = 0; i < 3; i++) {
        hal_err err = HAL_ERR_INIT;
        hal_reader *r = hal_reader_new(HAL_FORMAT_AUTO, &limits[i], &err);
        assert_int_equal(hal_reader_feed(r, text, strlen(text), &err), HAL_E_BUDGET);
        hal_reader_free(r);
    }
    /* 64 levels are read, one more is not. */
    char deep[256];
    for (size_t n = 63; n <= 64; n++) {
        size_t at = (size_t)snprintf(deep, sizeof deep, "{\"status\":\"EXECUTING\",\"x\":");
        memset(deep + at, '[', n);
        memset(deep + at + n, ']', n);
        deep[at + 2 * n] = '}';
        outcome o = read_bytes(HAL_FORMAT_AUTO, deep, at + 2 * n + 1, 0);
        assert_int_equal(o.status, n == 63 ? HAL_OK : HAL_E_INTEGRITY);
    }
    /* A string of 16 MiB is read, a longer one is not; in many pieces. */
    size_t size = (16 << 20) + 100;
    char *long_text = malloc(size);
    int head = snprintf(long_text, size, "{\"status\":\"EXECUTING\",\"x\":\"");
    for (int extra = -64; extra <= 64; extra += 128) {
        size_t n = (size_t)((16 << 20) + extra);
        memset(long_text + head, 'x', n);
        size_t total = (size_t)head + n;
        memcpy(long_text + total, "\"}", 2);
        if (total + 2 > size)
            break;
        outcome o = read_bytes(HAL_FORMAT_AUTO, long_text, total + 2, 64 << 10);
        assert_int_equal(o.status, extra < 0 ? HAL_OK : HAL_E_INTEGRITY);
    }
    free(long_text);
}

static void rows_that_lack_nearly_every_cell_cannot_fill_the_memory(void **state)
{
    (void)state;
    hal_err err = HAL_ERR_INIT;
    hal_reader *r = hal_reader_new(HAL_FORMAT_AUTO, NULL, &err);
    const char *head = "{\"status\":\"COMPLETE\",\"data\":[{";
    hal_status st = hal_reader_feed(r, head, strlen(head), &err);
    char cell[32];
    for (int i = 0; i < 2000 && !st; i++) {
        int n = snprintf(cell, sizeof cell, "%s\"c%d\":1", i ? "," : "", i);
        st = hal_reader_feed(r, cell, (size_t)n, &err);
    }
    assert_int_equal(st, HAL_OK);
    st = hal_reader_feed(r, "}", 1, &err);
    for (int i = 0; i < 1000000 && !st; i++)
        st = hal_reader_feed(r, ",{}", 3, &err);
    assert_int_equal(st, HAL_E_BUDGET);
    hal_reader_free(r);
}

static void running_out_of_memory_at_any_point_is_reported(void **state)
{
    (void)state;
    const char *names[] = {"caom.json", "missions.extjs"};
    for (size_t f = 0; f < 2; f++) {
        size_t n;
        char *bytes = load(names[f], &n);
        outcome o = {.status = HAL_E_NOMEM};
        for (size_t i = 1; o.status; i++) {
            hal_alloc_fail_at(i);
            o = read_bytes(HAL_FORMAT_AUTO, bytes, n, f ? 60000 : 1000);
            hal_alloc_fail_at(0);
            if (o.status)
                assert_int_equal(o.status, HAL_E_NOMEM);
        }
        hal_table_unref(o.table);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(caom_reads_to_its_oracle_values),
        cmocka_unit_test(products_read_to_their_oracle_values),
        cmocka_unit_test(a_count_reads_to_its_oracle_value),
        cmocka_unit_test(tic_reads_to_its_oracle_values),
        cmocka_unit_test(hsc_reads_to_its_oracle_values),
        cmocka_unit_test(missions_in_extjs_form_have_fields_and_no_rows),
        cmocka_unit_test(answers_that_are_not_ready_or_failed_have_no_table),
        cmocka_unit_test(the_size_of_the_pieces_does_not_matter),
        cmocka_unit_test(a_cut_answer_is_an_error_wherever_it_is_cut),
        cmocka_unit_test(a_flipped_bit_never_shortens_a_table),
        cmocka_unit_test(identifiers_keep_every_digit),
        cmocka_unit_test(numbers_beyond_a_double_keep_their_digits),
        cmocka_unit_test(declared_types_decide_where_values_allow_it),
        cmocka_unit_test(all_four_spellings_of_a_date_are_kept),
        cmocka_unit_test(columns_follow_fields_and_missing_cells_are_null),
        cmocka_unit_test(extjs_rows_are_read_by_place),
        cmocka_unit_test(damaged_answers_are_refused_with_the_cause),
        cmocka_unit_test(extjs_rows_of_unequal_width_are_refused),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(rows_that_lack_nearly_every_cell_cannot_fill_the_memory),
        cmocka_unit_test(running_out_of_memory_at_any_point_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
