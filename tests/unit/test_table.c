/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/alloc.h"
#include "data/table.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const hal_field fields[] = {{"id", HAL_TYPE_INT64, "", "meta.id", "number"},
                                   {"ra", HAL_TYPE_FLOAT64, "deg", "pos.eq.ra", ""},
                                   {"Name", HAL_TYPE_STRING, NULL, NULL, NULL},
                                   {"ok", HAL_TYPE_BOOL, "", "", ""}};

/* Row i: id = i, ra = i / 4 (null when i % 3 == 0), name = i times 'x', ok = i odd (null at 5). */
static hal_table *build(uint64_t n, hal_err *err)
{
    static const char xs[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    hal_builder *b = hal_builder_new(fields, 4, err);
    hal_status st = b ? HAL_OK : err->status;
    for (uint64_t i = 0; i < n && !st; i++) {
        st = hal_builder_string(b, 2, (hal_slice){xs, i % 40}, err);
        if (!st)
            st = hal_builder_int64(b, 0, (int64_t)i, err);
        if (!st && i % 3)
            st = hal_builder_float64(b, 1, (double)i / 4, err);
        if (!st && i != 5)
            st = hal_builder_bool(b, 3, i % 2, err);
        if (!st)
            st = hal_builder_end_row(b, err);
    }
    hal_table *t = st ? NULL : hal_builder_finish(b, err);
    hal_builder_free(b);
    return t;
}

static void check_row(const hal_table *t, uint64_t row, uint64_t i)
{
    assert_int_equal(hal_table_int64(t, 0, row), i);
    assert_int_equal(hal_table_is_null(t, 1, row), i % 3 == 0);
    if (i % 3)
        assert_true(hal_table_float64(t, 1, row) == (double)i / 4);
    assert_int_equal(hal_table_string(t, 2, row).size_bytes, i % 40);
    assert_int_equal(hal_table_is_null(t, 3, row), i == 5);
    if (i != 5)
        assert_int_equal(hal_table_bool(t, 3, row), i % 2);
}

static void what_is_built_is_what_is_read(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 100; n++) {
        hal_table *t = build(n, NULL);
        assert_int_equal(hal_table_rows(t), n);
        for (uint64_t i = 0; i < n; i++)
            check_row(t, i, i);
        hal_table_unref(t);
    }
    hal_table *t = build(1000, NULL);
    assert_int_equal(hal_table_columns(t), 4);
    assert_string_equal(hal_table_field(t, 1)->unit, "deg");
    assert_string_equal(hal_table_field(t, 2)->unit, "");
    assert_int_equal(hal_table_find(t, "NAME"), 2);
    assert_int_equal(hal_table_find(t, "nam"), -1);
    assert_int_equal(hal_table_column(t, 1).n_nulls, 334);
    assert_null(hal_table_column(t, 0).valid);
    assert_true(hal_table_size_bytes(t) >= 8000 + 8125 + 8008 + 125 + 125);
    double *ra = malloc(1000 * sizeof *ra);
    assert_int_equal(hal_table_as_doubles(t, 1, ra, NULL), HAL_OK);
    assert_true(isnan(ra[0]) && ra[1] == 0.25);
    hal_err err = HAL_ERR_INIT;
    assert_int_equal(hal_table_as_doubles(t, 2, ra, &err), HAL_E_USAGE);
    free(ra);
    hal_table_unref(t);
}

static void misuse_of_a_builder_is_an_error(void **state)
{
    (void)state;
    hal_builder *b = hal_builder_new(fields, 4, NULL);
    hal_err err = HAL_ERR_INIT;
    assert_int_equal(hal_builder_int64(b, 1, 1, &err), HAL_E_USAGE);
    assert_int_equal(hal_builder_int64(b, 4, 1, &err), HAL_E_USAGE);
    assert_int_equal(hal_builder_int64(b, 0, 1, &err), HAL_OK);
    assert_int_equal(hal_builder_int64(b, 0, 1, &err), HAL_E_USAGE);
    assert_null(hal_builder_finish(b, &err)); /* the row is not ended */
    hal_builder_free(b);
}

static void rows_and_columns_are_taken_and_shared(void **state)
{
    (void)state;
    hal_table *t = build(50, NULL);
    const uint64_t index[] = {7, 8, 9, 5, 5, 49, 0};
    hal_table *taken = hal_table_take(t, index, 7, NULL);
    for (uint64_t i = 0; i < 7; i++)
        check_row(taken, i, index[i]);
    hal_table_unref(taken);
    hal_table *none = hal_table_take(t, index, 0, NULL);
    assert_int_equal(hal_table_rows(none), 0);
    hal_table_unref(none);
    const size_t columns[] = {2, 0};
    hal_table *view = hal_table_project(t, columns, 2, NULL);
    assert_ptr_equal(hal_table_column(view, 1).values, hal_table_column(t, 0).values);
    hal_table *again = hal_table_ref(view);
    hal_table_unref(t);
    hal_table_unref(view);
    assert_string_equal(hal_table_field(again, 0)->name, "Name");
    assert_int_equal(hal_table_int64(again, 1, 49), 49);
    hal_table_unref(again);
}

static hal_table *one(const char *name, hal_type type, int64_t v, bool null)
{
    hal_builder *b = hal_builder_new(&(hal_field){name, type, "", "", ""}, 1, NULL);
    hal_status st = HAL_OK;
    if (!null)
        st = type == HAL_TYPE_INT64     ? hal_builder_int64(b, 0, v, NULL)
             : type == HAL_TYPE_FLOAT64 ? hal_builder_float64(b, 0, (double)v / 2, NULL)
             : type == HAL_TYPE_BOOL    ? hal_builder_bool(b, 0, v, NULL)
                                        : hal_builder_string(b, 0, hal_slice_of("text"), NULL);
    assert_int_equal(st, HAL_OK);
    assert_int_equal(hal_builder_end_row(b, NULL), HAL_OK);
    hal_table *t = hal_builder_finish(b, NULL);
    hal_builder_free(b);
    return t;
}

static void concatenated_types_hold_every_value_exactly(void **state)
{
    (void)state;
    const struct {
        hal_type a, b, united;
        int64_t v;
        bool b_null;
        const char *text; /* of the first cell when united to text */
    } cases[] = {
        {HAL_TYPE_INT64, HAL_TYPE_INT64, HAL_TYPE_INT64, 5, false, NULL},
        {HAL_TYPE_INT64, HAL_TYPE_FLOAT64, HAL_TYPE_FLOAT64, 5, false, NULL},
        {HAL_TYPE_INT64, HAL_TYPE_FLOAT64, HAL_TYPE_STRING, INT64_MAX, false,
         "9223372036854775807"},
        {HAL_TYPE_INT64, HAL_TYPE_FLOAT64, HAL_TYPE_INT64, INT64_MAX, true, NULL},
        {HAL_TYPE_INT64, HAL_TYPE_STRING, HAL_TYPE_STRING, -7, false, "-7"},
        {HAL_TYPE_INT64, HAL_TYPE_STRING, HAL_TYPE_INT64, -7, true, NULL},
        {HAL_TYPE_FLOAT64, HAL_TYPE_STRING, HAL_TYPE_STRING, 5, false, "2.5"},
        {HAL_TYPE_BOOL, HAL_TYPE_INT64, HAL_TYPE_STRING, 1, false, "true"},
        {HAL_TYPE_BOOL, HAL_TYPE_BOOL, HAL_TYPE_BOOL, 1, false, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hal_table *t[3] = {one("v", cases[i].a, cases[i].v, false),
                           one("v", cases[i].b, cases[i].v, cases[i].b_null),
                           one("w", HAL_TYPE_INT64, 3, false)};
        hal_table *whole = hal_table_concat(t, 3, NULL);
        assert_int_equal(hal_table_rows(whole), 3);
        assert_int_equal(hal_table_columns(whole), 2);
        assert_int_equal(hal_table_field(whole, 0)->type, cases[i].united);
        assert_int_equal(hal_table_is_null(whole, 0, 1), cases[i].b_null);
        assert_true(hal_table_is_null(whole, 0, 2));
        assert_true(hal_table_is_null(whole, 1, 0));
        assert_int_equal(hal_table_int64(whole, 1, 2), 3);
        if (cases[i].text)
            assert_true(
                hal_slice_equals(hal_table_string(whole, 0, 0), hal_slice_of(cases[i].text)));
        if (cases[i].united == HAL_TYPE_INT64)
            assert_int_equal(hal_table_int64(whole, 0, 0), cases[i].v);
        hal_table_unref(whole);
        for (int k = 0; k < 3; k++)
            hal_table_unref(t[k]);
    }
    hal_table *t = build(500, NULL), *parts[] = {t, t, t};
    hal_table *whole = hal_table_concat(parts, 3, NULL);
    for (uint64_t i = 0; i < 1500; i++)
        check_row(whole, i, i % 500);
    hal_table_unref(whole);
    hal_table_unref(t);
    hal_table *empty = hal_table_concat(NULL, 0, NULL);
    assert_int_equal(hal_table_columns(empty), 0);
    hal_table_unref(empty);
}

static void running_out_of_memory_at_any_point_is_reported(void **state)
{
    (void)state;
    const uint64_t index[] = {3, 1, 2};
    const size_t columns[] = {2, 0};
    hal_table *whole = NULL;
    for (size_t i = 1; !whole; i++) {
        hal_err err = HAL_ERR_INIT;
        hal_alloc_fail_at(i);
        hal_table *t = build(60, &err), *taken = NULL, *view = NULL;
        if (t)
            taken = hal_table_take(t, index, 3, &err);
        if (taken)
            view = hal_table_project(taken, columns, 2, &err);
        if (view) {
            hal_table *parts[] = {t, view};
            whole = hal_table_concat(parts, 2, &err);
        }
        hal_alloc_fail_at(0);
        if (!whole)
            assert_int_equal(err.status, HAL_E_NOMEM);
        hal_table_unref(t);
        hal_table_unref(taken);
        hal_table_unref(view);
    }
    assert_int_equal(hal_table_rows(whole), 63);
    hal_table_unref(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_built_is_what_is_read),
        cmocka_unit_test(misuse_of_a_builder_is_an_error),
        cmocka_unit_test(rows_and_columns_are_taken_and_shared),
        cmocka_unit_test(concatenated_types_hold_every_value_exactly),
        cmocka_unit_test(running_out_of_memory_at_any_point_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
