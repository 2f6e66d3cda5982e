/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/alloc.h"
#include "data/arrow.h"
#include "data/arrow_metadata.h"
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

/* A table of no columns through Arrow and back. */
static hal_table *carried(const hal_metadata *m)
{
    hal_builder *b = hal_builder_new(NULL, 0, NULL);
    assert_int_equal(hal_builder_metadata(b, m, NULL), HAL_OK);
    hal_table *t = hal_builder_finish(b, NULL);
    hal_builder_free(b);
    struct ArrowArrayStream stream;
    assert_int_equal(hal_arrow_export_stream(t, 1, &stream, NULL), HAL_OK);
    hal_table *back = hal_arrow_import_stream(&stream, NULL);
    assert_non_null(back);
    stream.release(&stream);
    hal_table_unref(t);
    return back;
}

static void assert_same_text(const char *a, const char *b)
{
    assert_string_equal(a ? a : "", b ? b : "");
}

static void assert_same_metadata(const hal_metadata *a, const hal_metadata *b)
{
    assert_same_text(a->name, b->name);
    assert_same_text(a->description, b->description);
    assert_same_text(a->status, b->status);
    assert_int_equal(a->n_items, b->n_items);
    for (size_t i = 0; i < a->n_items; i++) {
        const hal_meta *x = &a->items[i], *y = &b->items[i];
        assert_int_equal(x->kind, y->kind);
        assert_same_text(x->name, y->name);
        assert_same_text(x->value, y->value);
        assert_same_text(x->text, y->text);
        assert_int_equal(x->n_attributes, y->n_attributes);
        for (size_t k = 0; k < x->n_attributes; k++) {
            assert_same_text(x->attributes[k].name, y->attributes[k].name);
            assert_same_text(x->attributes[k].value, y->attributes[k].value);
        }
    }
}

static void items_of_every_kind_come_back_in_order(void **state)
{
    (void)state;
    const hal_attribute attributes[] = {{"ID", "J2000"}, {"unit", "\"mas\\yr\""}, {"ID", ""}};
    hal_meta items[] = {
        {HAL_META_KEY, "EXPTIME", "1.5", "seconds\n\x01", NULL, 0},
        {HAL_META_COOSYS, "", "", "", attributes, 3},
        {HAL_META_TIMESYS, "", "", "", attributes, 1},
        {HAL_META_LINK, "", "", "", attributes + 1, 1},
        {HAL_META_PARAM, "caf\xc3\xa9", "[1,2]", "a text", attributes, 2},
        {HAL_META_INFO, "name", "twice", "", NULL, 0},
        {HAL_META_INFO, "name", "", "", NULL, 0},
    };
    const hal_metadata m = {.name = "name", .status = "OK", .items = items, .n_items = 7};
    hal_table *back = carried(&m);
    assert_same_metadata(&m, hal_table_metadata(back));
    hal_table *again = carried(hal_table_metadata(back));
    assert_same_metadata(&m, hal_table_metadata(again));
    hal_table_unref(again);
    hal_table_unref(back);
    const hal_metadata none = {0};
    back = carried(&none);
    assert_same_metadata(&none, hal_table_metadata(back));
    hal_table_unref(back);
}

static void metadata_too_long_or_not_utf8_is_not_exported(void **state)
{
    (void)state;
    char *text = malloc(HAL_ARROW_METADATA_MAX + 1);
    memset(text, 'x', HAL_ARROW_METADATA_MAX);
    text[HAL_ARROW_METADATA_MAX] = 0;
    hal_buf b;
    hal_buf_init(&b, HAL_ARROW_METADATA_MAX);
    assert_int_equal(hal_arrow_metadata_add_table(&b, &(hal_metadata){.name = text}, NULL),
                     HAL_E_BUDGET);
    hal_meta item = {HAL_META_INFO, "caf\xe9", "", "", NULL, 0};
    const hal_metadata m = {.items = &item, .n_items = 1};
    assert_int_equal(hal_arrow_metadata_add_table(&b, &m, NULL), HAL_E_USAGE);
    hal_buf_clear(&b);
    free(text);
}

static hal_status read_pairs(const char *const *pairs, size_t n, hal_metadata *m, hal_err *err)
{
    hal_buf b;
    hal_buf_init(&b, 1 << 16);
    for (size_t i = 0; i < n; i += 2)
        assert_int_equal(hal_arrow_metadata_add(&b, pairs[i], hal_slice_of(pairs[i + 1]), NULL),
                         HAL_OK);
    hal_status st = hal_arrow_metadata_read_table(hal_buf_slice(&b), m, err);
    hal_buf_clear(&b);
    return st;
}

static void keys_of_other_programs_become_items(void **state)
{
    (void)state;
    const char *const pairs[] = {"pandas", "{\"index\": []}", "binary", "\xff\xfe", "name", "n"};
    hal_metadata m = {0};
    assert_int_equal(read_pairs(pairs, 6, &m, NULL), HAL_OK);
    assert_string_equal(m.name, "n");
    assert_int_equal(m.n_items, 1);
    assert_string_equal(hal_metadata_find(&m, HAL_META_KEY, "pandas")->value, "{\"index\": []}");
    hal_metadata_clear(&m);
}

static void broken_metadata_is_refused(void **state)
{
    (void)state;
    const char *const items[] = {"",
                                 "[",
                                 "{}",
                                 "\"info\"",
                                 "[[\"info\",\"a\",\"b\",\"c\"]",
                                 "[[\"info\",\"a\",\"b\"]]",
                                 "[[\"info\",\"a\",\"b\",\"c\",\"d\"]]",
                                 "[[\"infos\",\"a\",\"b\",\"c\"]]",
                                 "[[\"info\",\"a\",\"b\",1]]",
                                 "[[\"info\",\"a\",\"b\",[\"c\"]]]",
                                 "[[\"info\",\"a\",\"b\\u0000\",\"c\"]]",
                                 "[\"info\"]",
                                 "[] []"};
    for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
        hal_err err = HAL_ERR_INIT;
        hal_metadata m = {0};
        assert_int_not_equal(
            read_pairs((const char *const[]){"halyard.items", items[i]}, 2, &m, &err), HAL_OK);
        assert_non_null(strstr(err.text, "halyard.items"));
        hal_metadata_clear(&m);
    }
    hal_metadata m = {0};
    assert_int_equal(read_pairs((const char *const[]){"name", "a", "name", "a"}, 4, &m, NULL),
                     HAL_E_USAGE);
    hal_metadata_clear(&m);
    assert_int_equal(read_pairs((const char *const[]){"status", "\xff"}, 2, &m, NULL), HAL_E_USAGE);
    hal_metadata_clear(&m);

    static const int32_t numbers[][3] = {{-1}, {1, -1, 0}, {1, 0, -1}, {1, 0, 1}, {1, 1 << 30, 0}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        hal_slice bytes = {(const char *)numbers[i], sizeof numbers[i]};
        hal_field f = {0};
        assert_int_equal(hal_arrow_metadata_read_table(bytes, &m, NULL), HAL_E_USAGE);
        assert_int_equal(hal_arrow_metadata_read_field(bytes, &f, NULL), HAL_E_USAGE);
        assert_false(hal_arrow_metadata_is_complex(bytes));
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
        cmocka_unit_test(items_of_every_kind_come_back_in_order),
        cmocka_unit_test(metadata_too_long_or_not_utf8_is_not_exported),
        cmocka_unit_test(keys_of_other_programs_become_items),
        cmocka_unit_test(broken_metadata_is_refused),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
