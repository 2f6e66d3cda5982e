/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/alloc.h"
#include "data/arrow.h"
#include "every_type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void every_type_comes_back(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 40; n++) {
        hal_table *t = every_table(n, NULL);
        struct ArrowSchema schema;
        struct ArrowArray array;
        assert_int_equal(hal_arrow_export_schema(t, &schema, NULL), HAL_OK);
        assert_int_equal(hal_arrow_export(t, &array, NULL), HAL_OK);
        hal_table *back = hal_arrow_import(&schema, &array, NULL);
        assert_non_null(back);
        assert_true(same_rows(t, 0, n, back));
        const hal_metadata *m = hal_table_metadata(back);
        assert_string_equal(m->name, "every");
        assert_string_equal(m->status, "OVERFLOW");
        assert_string_equal(hal_metadata_find(m, HAL_META_INFO, "QUERY")->value, "select *");
        schema.release(&schema);
        array.release(&array);
        hal_table_unref(back);
        hal_table_unref(t);
    }
}

static void offsets_of_the_struct_and_of_its_children_count(void **state)
{
    (void)state;
    hal_table *t = every_table(40, NULL);
    struct ArrowSchema schema;
    assert_int_equal(hal_arrow_export_schema(t, &schema, NULL), HAL_OK);
    for (int64_t first = 0; first < 20; first++) {
        struct ArrowArray array;
        assert_int_equal(hal_arrow_export(t, &array, NULL), HAL_OK);
        array.offset = first / 2;
        array.length = 15;
        for (int64_t i = 0; i < array.n_children; i++) {
            array.children[i]->offset = first - first / 2;
            array.children[i]->length -= first - first / 2;
            array.children[i]->null_count = -1;
        }
        hal_table *back = hal_arrow_import(&schema, &array, NULL);
        assert_non_null(back);
        assert_true(same_rows(t, (uint64_t)first, 15, back));
        hal_table_unref(back);
        array.release(&array);
    }
    schema.release(&schema);
    hal_table_unref(t);
}

static void a_child_that_was_moved_out_outlives_the_table(void **state)
{
    (void)state;
    hal_table *t = every_table(10, NULL);
    struct ArrowArray array, child;
    assert_int_equal(hal_arrow_export(t, &array, NULL), HAL_OK);
    child = *array.children[HAL_TYPE_INT32];
    array.children[HAL_TYPE_INT32]->release = NULL;
    array.release(&array);
    assert_null(array.release);
    hal_table_unref(t);
    int32_t item;
    every_item(HAL_TYPE_INT32, 9, 0, &item);
    assert_int_equal(((const int32_t *)child.buffers[1])[9], item);
    child.release(&child);
}

static void a_stream_gives_batches_that_join_to_the_table(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 30; n += 29)
        for (uint64_t batch = 1; batch < 31; batch++) {
            hal_table *t = every_table(n, NULL);
            struct ArrowArrayStream stream;
            assert_int_equal(hal_arrow_export_stream(t, batch, &stream, NULL), HAL_OK);
            hal_table *back = hal_arrow_import_stream(&stream, NULL);
            assert_non_null(back);
            assert_true(same_rows(t, 0, n, back));
            stream.release(&stream);
            hal_table_unref(back);
            hal_table_unref(t);
        }
    struct ArrowArrayStream stream;
    hal_table *t = every_table(1, NULL);
    assert_int_equal(hal_arrow_export_stream(t, 0, &stream, NULL), HAL_E_USAGE);
    hal_table_unref(t);
}

static void slices_show_the_same_rows_also_of_slices(void **state)
{
    (void)state;
    hal_table *t = every_table(40, NULL);
    for (uint64_t first = 0; first <= 40; first += 3)
        for (uint64_t n = 0; first + n <= 40; n += 5) {
            hal_table *slice = hal_table_slice(t, first, n, NULL);
            assert_true(same_rows(t, first, n, slice));
            if (n >= 10) {
                hal_table *inner = hal_table_slice(slice, 3, 6, NULL);
                hal_table_unref(slice);
                assert_true(same_rows(t, first + 3, 6, inner));
                hal_table_unref(inner);
            } else {
                hal_table_unref(slice);
            }
        }
    hal_err err = HAL_ERR_INIT;
    assert_null(hal_table_slice(t, 30, 11, &err));
    assert_int_equal(err.status, HAL_E_USAGE);
    hal_table_unref(t);
}

static void slices_join_to_the_table(void **state)
{
    (void)state;
    hal_table *t = every_table(33, NULL);
    hal_table *parts[] = {hal_table_slice(t, 0, 5, NULL), hal_table_slice(t, 5, 17, NULL),
                          hal_table_slice(t, 22, 11, NULL)};
    hal_table *whole = hal_table_concat(parts, 3, NULL);
    assert_true(same_rows(t, 0, 33, whole));
    uint64_t index[33];
    for (uint64_t i = 0; i < 33; i++)
        index[i] = (i * 10) % 33;
    hal_table *taken = hal_table_take(t, index, 33, NULL);
    for (uint64_t i = 0; i < 33; i++)
        for (size_t c = 0; c < hal_table_columns(t); c++)
            assert_true(same_cell(t, index[i], taken, i, c));
    for (size_t i = 0; i < 3; i++)
        hal_table_unref(parts[i]);
    hal_table_unref(taken);
    hal_table_unref(whole);
    hal_table_unref(t);
}

/* One column as another program might give it. */
static hal_table *foreign(const char *format, int64_t n, const void *validity, const void *values,
                          const void *bytes, hal_err *err)
{
    struct ArrowSchema field = {.format = format, .name = "x"}, *fields[] = {&field};
    struct ArrowSchema schema = {.format = "+s", .n_children = 1, .children = fields};
    const void *buffers[] = {validity, values, bytes}, *none[] = {NULL};
    struct ArrowArray column = {.length = n,
                                .null_count = validity ? -1 : 0,
                                .n_buffers = bytes ? 3 : 2,
                                .buffers = buffers},
                      *columns[] = {&column};
    struct ArrowArray array = {
        .length = n, .n_buffers = 1, .buffers = none, .n_children = 1, .children = columns};
    return hal_arrow_import(&schema, &array, err);
}

static void formats_that_tables_lack_are_widened_or_refused(void **state)
{
    (void)state;
    hal_table *t = foreign("c", 2, NULL, (const int8_t[]){-128, 127}, NULL, NULL);
    assert_int_equal(hal_table_field(t, 0)->type, HAL_TYPE_INT16);
    assert_int_equal(hal_table_int64(t, 0, 0), -128);
    hal_table_unref(t);
    t = foreign("S", 1, NULL, (const uint16_t[]){65535}, NULL, NULL);
    assert_int_equal(hal_table_int64(t, 0, 0), 65535);
    hal_table_unref(t);
    t = foreign("I", 1, NULL, (const uint32_t[]){UINT32_MAX}, NULL, NULL);
    assert_int_equal(hal_table_int64(t, 0, 0), UINT32_MAX);
    hal_table_unref(t);
    const uint64_t large[] = {UINT64_MAX, INT64_MAX};
    const uint8_t second = 2;
    hal_err err = HAL_ERR_INIT;
    assert_null(foreign("L", 2, NULL, large, NULL, &err));
    assert_int_equal(err.status, HAL_E_USAGE);
    t = foreign("L", 2, &second, large, NULL, NULL);
    assert_true(hal_table_is_null(t, 0, 0));
    assert_true(hal_table_int64(t, 0, 1) == INT64_MAX);
    hal_table_unref(t);
    t = foreign("u", 2, NULL, (const int32_t[]){0, 1, 3}, "abc", NULL);
    assert_true(hal_slice_equals(hal_table_string(t, 0, 1), hal_slice_of("bc")));
    hal_table_unref(t);
    assert_null(foreign("u", 2, NULL, (const int32_t[]){0, 3, 1}, "abc", &err));
    t = foreign("n", 3, NULL, NULL, NULL, NULL);
    assert_int_equal(hal_table_column(t, 0).n_nulls, 3);
    hal_table_unref(t);
    t = foreign("tss:UTC", 1, NULL, (const int64_t[]){1}, NULL, NULL);
    assert_int_equal(hal_table_int64(t, 0, 0), 1000000);
    hal_table_unref(t);
    t = foreign("tsn:", 1, NULL, (const int64_t[]){-5000}, NULL, NULL);
    assert_int_equal(hal_table_int64(t, 0, 0), -5);
    hal_table_unref(t);
    assert_null(foreign("tsn:", 1, NULL, (const int64_t[]){5001}, NULL, &err));
    assert_null(foreign("tss:UTC", 1, NULL, (const int64_t[]){INT64_MAX / 1000}, NULL, &err));
    static const char *const refused[] = {"z", "e", "tdD", "tsu:Europe/Berlin", "+w:x", "", "tsx:"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        err = (hal_err)HAL_ERR_INIT;
        assert_null(foreign(refused[i], 1, NULL, large, NULL, &err));
        assert_int_equal(err.status, HAL_E_USAGE);
        assert_non_null(strstr(err.text, "x"));
    }
}

static void running_out_of_memory_is_an_error(void **state)
{
    (void)state;
    hal_table *t = every_table(9, NULL);
    size_t n_made, n = 0;
    do {
        hal_alloc_fail_at(++n);
        hal_err err = HAL_ERR_INIT;
        struct ArrowArrayStream stream;
        hal_table *back = NULL;
        hal_status st = hal_arrow_export_stream(t, 4, &stream, &err);
        if (!st) {
            back = hal_arrow_import_stream(&stream, &err);
            stream.release(&stream);
        }
        n_made = hal_alloc_fail_at(0);
        if (!back)
            assert_int_equal(err.status, HAL_E_NOMEM);
        else /* what only gives memory back may fail */
            assert_true(same_rows(t, 0, 9, back));
        assert_true(back || n_made >= n);
        hal_table_unref(back);
    } while (n_made >= n);
    assert_true(n > 100);
    hal_table_unref(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_comes_back),
        cmocka_unit_test(offsets_of_the_struct_and_of_its_children_count),
        cmocka_unit_test(a_child_that_was_moved_out_outlives_the_table),
        cmocka_unit_test(a_stream_gives_batches_that_join_to_the_table),
        cmocka_unit_test(slices_show_the_same_rows_also_of_slices),
        cmocka_unit_test(slices_join_to_the_table),
        cmocka_unit_test(formats_that_tables_lack_are_widened_or_refused),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
