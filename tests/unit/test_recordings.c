/* SPDX-License-Identifier: BSD-3-Clause */
/* Recorded tables that no format's own test reads, against the READMEs beside them. */
#include "data/reader.h"

#include "support/tables.h"

static hal_status read_recording(const char *name, hal_answer *answer, hal_table **table,
                                 hal_err *err)
{
    const char *shared = getenv("HALYARD_SHARED");
    char path[1024], bytes[4096];
    snprintf(path, sizeof path, "%s/data/%s", shared ? shared : "../shared", name);
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("cannot open %s", path);
    hal_reader *r = hal_reader_new(HAL_FORMAT_AUTO, NULL, err);
    assert_non_null(r);
    hal_status st = HAL_OK;
    for (size_t n; !st && (n = fread(bytes, 1, sizeof bytes, f)) > 0;)
        st = hal_reader_feed(r, bytes, n, err);
    st = st ? st : hal_reader_finish(r, answer, table, err);
    hal_reader_free(r);
    fclose(f);
    return st;
}

static hal_table *table_of(const char *name)
{
    hal_err err = HAL_ERR_INIT;
    hal_answer answer;
    hal_table *t = NULL;
    MUST(read_recording(name, &answer, &t, &err));
    assert_int_equal(answer.status, HAL_ANSWER_COMPLETE);
    assert_non_null(t);
    return t;
}

static void assert_cell(const hal_table *t, const char *column, uint64_t row, const char *text)
{
    hal_buf b;
    hal_err err = HAL_ERR_INIT;
    hal_buf_init(&b, 1 << 16);
    int i_col = hal_table_find(t, column);
    assert_true(i_col >= 0);
    MUST(hal_table_cell_text(&b, t, (size_t)i_col, row, &err));
    assert_string_equal(hal_buf_text(&b), text);
    hal_buf_clear(&b);
}

static void column_tables_of_the_classic_forms_have_every_column(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t rows;
        const char *first_label, *first_column, *first_type;
    } tables[] = {
        {"kepler_data_search", 66, "Kepler ID", "ktc_kepler_id", "integer"},
        {"kepler_koi", 141, "Kepler ID", "kepid", "integer"},
        {"kepler_confirmed_planets", 44, "Planet Name", "kepler_name", "string"},
        {"kepler_kic10", 44, "Kepler ID", "kic_kepler_id", "integer"},
        {"k2_data_search", 59, "K2 ID", "ktc_k2_id", "integer"},
        {"k2_epic", 65, "EPIC", "id", "integer"},
    };
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        char name[128];
        snprintf(name, sizeof name, "mast-classic/%s_columns.csv", tables[i].name);
        hal_table *t = table_of(name);
        assert_int_equal(hal_table_columns(t), 3);
        assert_int_equal(hal_table_rows(t), tables[i].rows);
        assert_cell(t, "label", 0, tables[i].first_label);
        assert_cell(t, "column", 0, tables[i].first_column);
        assert_cell(t, "type", 0, tables[i].first_type);
        for (uint64_t row = 0; row < tables[i].rows; row++) {
            hal_slice type = hal_table_string(t, 2, row);
            assert_true(hal_slice_equals(type, hal_slice_of("integer")) ||
                        hal_slice_equals(type, hal_slice_of("float")) ||
                        hal_slice_equals(type, hal_slice_of("string")));
        }
        hal_table_unref(t);
    }
}

static void an_answer_of_the_source_catalogue_keeps_its_digits(void **state)
{
    (void)state;
    hal_table *t = table_of("mast-catalogs/hsc_v3_ic1613_head.csv");
    assert_int_equal(hal_table_rows(t), 9);
    assert_int_equal(hal_table_columns(t), 14);
    assert_int_equal(hal_table_field(t, 0)->type, HAL_TYPE_INT64);
    assert_int_equal(hal_table_field(t, 1)->type, HAL_TYPE_FLOAT64);
    assert_cell(t, "MatchID", 0, "39899463");
    assert_cell(t, "MatchRA", 0, "16.127602");
    assert_cell(t, "StopMJD", 1, "53967.71941");
    assert_cell(t, "A_F814W_MAD", 1, "0.011");
    hal_table_unref(t);
}

static void an_error_of_a_cone_search_is_an_error_with_its_text(void **state)
{
    (void)state;
    static const char *const errors[][2] = {
        {"mast-conesearch/conesearch_error1.xml", "Error in input RA value: as3f"},
        {"mast-conesearch/conesearch_error3.xml", "Invalid data type: text/html"},
    };
    for (size_t i = 0; i < 2; i++) {
        hal_err err = HAL_ERR_INIT;
        hal_answer answer;
        hal_table *t = NULL;
        MUST(read_recording(errors[i][0], &answer, &t, &err));
        assert_int_equal(answer.status, HAL_ANSWER_ERROR);
        assert_null(t);
        assert_non_null(strstr(answer.message, errors[i][1]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(column_tables_of_the_classic_forms_have_every_column),
        cmocka_unit_test(an_answer_of_the_source_catalogue_keeps_its_digits),
        cmocka_unit_test(an_error_of_a_cone_search_is_an_error_with_its_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
