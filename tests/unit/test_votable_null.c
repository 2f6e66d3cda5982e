/* SPDX-License-Identifier: BSD-3-Clause */
/* Null items of arrays of integers in VOTables: whatever comes first, an integer that is no value
 * of any row is declared to stand for them. */
#include "data/spool.h"
#include "support/tables.h"

#include <string.h>

static const hal_format formats[] = {HAL_FORMAT_VOTABLE, HAL_FORMAT_VOTABLE_BINARY2};

/* Rows of int64 {id, values of `type`}: two values in each; `null_at`: the row of a null item. */
static hal_table *make(hal_type type, const int64_t *values, int n_rows, int null_at,
                       const char *declared)
{
    const hal_field fields[] = {
        {.name = "id", .type = HAL_TYPE_INT64},
        {.name = "list", .type = type, .width = HAL_WIDTH_VARIABLE, .null_value = declared}};
    hal_builder *b = hal_builder_new(fields, 2, NULL);
    for (int i = 0; i < n_rows; i++) {
        uint8_t bytes[2] = {(uint8_t)values[2 * i], (uint8_t)values[2 * i + 1]};
        const uint8_t valid = i == null_at ? 2 : 3;
        const void *items = type == HAL_TYPE_UINT8 ? (const void *)bytes : &values[2 * i];
        assert_int_equal(hal_builder_int64(b, 0, i, NULL), 0);
        assert_int_equal(hal_builder_array(b, 1, items, 2, &valid, NULL), 0);
        assert_int_equal(hal_builder_end_row(b, NULL), 0);
    }
    hal_table *t = hal_builder_finish(b, NULL);
    hal_builder_free(b);
    return t;
}

static const int64_t late[] = {1, 2, 3, 4, INT64_MIN, 6, INT64_MIN + 1, -9, 5, 5};

static void a_table_in_memory_is_written_in_parts_of_any_size(void **state)
{
    (void)state;
    const char *const declared[] = {"", "-9", "-10", "x", "99999999999999999999"};
    const char *const chosen[] = {"-9223372036854775806", "-9223372036854775806", "-10",
                                  "-9223372036854775806", "-9223372036854775806"};
    for (size_t k = 0; k < 5; k++)
        for (size_t f = 0; f < 2; f++) {
            hal_err err = HAL_ERR_INIT;
            hal_table *t = make(HAL_TYPE_INT64, late, 5, 4, declared[k]);
            size_t n;
            char *bytes = written_bytes(t, formats[f], 1, &n);
            hal_table *back = read_bytes(bytes, n, n, HAL_FORMAT_AUTO, NULL, &err);
            if (!back)
                fail_msg("%s", err.text);
            same_table(t, back, false);
            assert_string_equal(hal_table_field(back, 1)->null_value, chosen[k]);
            hal_table_unref(back);
            hal_table_unref(t);
            free(bytes);
        }
}

static void nothing_is_declared_where_no_item_is_null(void **state)
{
    (void)state;
    hal_table *t = make(HAL_TYPE_INT64, late, 5, -1, "");
    size_t n;
    char *bytes = written_bytes(t, HAL_FORMAT_VOTABLE, 5, &n);
    bytes[n - 1] = '\0';
    assert_null(strstr(bytes, "<VALUES"));
    free(bytes);
    hal_table_unref(t);
}

static void when_every_byte_is_a_value_the_error_names_a_format_that_holds_it(void **state)
{
    (void)state;
    int64_t all[258];
    for (int i = 0; i < 258; i++)
        all[i] = i % 256;
    for (int some = 0; some < 2; some++) {
        hal_err err = HAL_ERR_INIT;
        all[100] = some ? 0 : 100; /* 100 is free, then */
        hal_table *t = make(HAL_TYPE_UINT8, all, 129, 128, "");
        hal_writer *w = hal_writer_open_like("/tmp/halyard-null.vot", HAL_FORMAT_VOTABLE, t, &err);
        assert_non_null(w);
        hal_status st = hal_writer_table(w, t, &err);
        assert_int_equal(st, some ? HAL_OK : HAL_E_USAGE);
        if (!some)
            assert_non_null(strstr(err.text, "column list: an array has a null item, and every "
                                             "integer that could stand for it is a value; write "
                                             "ecsv"));
        hal_writer_free(w);
        hal_table_unref(t);
    }
}

static void merged_spools_are_looked_at_first(void **state)
{
    (void)state;
    char folder[] = "/tmp/halyard-null-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char names[2][64], out[64];
    const char *paths[2] = {names[0], names[1]};
    const uint64_t keys[2][3] = {{0, 2, 4}, {1, 3}};
    hal_table *whole = make(HAL_TYPE_INT64, late, 5, 4, "");
    for (int p = 0; p < 2; p++) {
        hal_err err = HAL_ERR_INIT;
        const uint64_t rows[2][3] = {{0, 2, 4}, {1, 3}};
        snprintf(names[p], sizeof names[p], "%s/%d", folder, p);
        hal_table *part = hal_table_take(whole, rows[p], p ? 2 : 3, &err);
        MUST(hal_spool_write(paths[p], part, keys[p], 0, NULL, &err));
        hal_table_unref(part);
    }
    snprintf(out, sizeof out, "%s/out.vot", folder);
    for (size_t f = 0; f < 2; f++) {
        hal_err err = HAL_ERR_INIT;
        hal_merge_report report;
        MUST(hal_spool_merge(paths, 2, "id", NULL, out, formats[f], NULL, NULL, NULL, &report,
                             &err));
        char bytes[8192];
        FILE *file = fopen(out, "rb");
        assert_non_null(file);
        size_t n = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        hal_table *back = read_bytes(bytes, n, n, HAL_FORMAT_AUTO, NULL, &err);
        if (!back)
            fail_msg("%s", err.text);
        same_table(whole, back, false);
        hal_table_unref(back);
    }
    unlink(out);
    unlink(names[0]);
    unlink(names[1]);
    rmdir(folder);
    hal_table_unref(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_in_memory_is_written_in_parts_of_any_size),
        cmocka_unit_test(nothing_is_declared_where_no_item_is_null),
        cmocka_unit_test(when_every_byte_is_a_value_the_error_names_a_format_that_holds_it),
        cmocka_unit_test(merged_spools_are_looked_at_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
