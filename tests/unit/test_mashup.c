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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
