/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables made from tables: order, groups, joins, arithmetic, summaries. What scripts see of them is
 * in tests/spec/table_spec.lua. */
#include "data/arith.h"
#include "data/epoch.h"
#include "data/group.h"
#include "data/join.h"
#include "data/sort.h"
#include "data/summary.h"

#include "base/alloc.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "every_type.h"

enum { I, X, S, B, N_COLUMNS };
static const hal_field fields[] = {
    {.name = "i", .type = HAL_TYPE_INT64, .unit = "", .ucd = "", .description = ""},
    {.name = "x", .type = HAL_TYPE_FLOAT64, .unit = "mag", .ucd = "", .description = ""},
    {.name = "s", .type = HAL_TYPE_STRING, .unit = "", .ucd = "", .description = ""},
    {.name = "b", .type = HAL_TYPE_BOOL, .unit = "", .ucd = "", .description = ""}};

static uint64_t random_bits(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Few different values, some null, some NaN, infinite and negative zero. */
static hal_table *sample(size_t n, uint64_t seed)
{
    static const double special[] = {NAN, INFINITY, -INFINITY, -0.0, 0.0};
    hal_builder *b = hal_builder_new(fields, N_COLUMNS, NULL);
    assert_non_null(b);
    for (size_t k = 0; k < n; k++) {
        int v = (int)(random_bits(&seed) % 21) - 10;
        char text[32];
        snprintf(text, sizeof text, "common prefix %d", v);
        hal_status st = HAL_OK;
        if (random_bits(&seed) % 5)
            st = hal_builder_int64(b, I, v + (v > 5 ? INT64_C(1) << 54 : 0), NULL);
        if (!st && random_bits(&seed) % 5)
            st = hal_builder_float64(
                b, X, random_bits(&seed) % 6 ? v / 2.0 : special[random_bits(&seed) % 5], NULL);
        if (!st && random_bits(&seed) % 5)
            st = hal_builder_string(b, S, hal_slice_of(v % 2 ? text : text + 7), NULL);
        if (!st && random_bits(&seed) % 5)
            st = hal_builder_bool(b, B, v > 0, NULL);
        assert_int_equal(st ? st : hal_builder_end_row(b, NULL), HAL_OK);
    }
    hal_table *t = hal_builder_finish(b, NULL);
    hal_builder_free(b);
    assert_non_null(t);
    return t;
}

/* 0 numbers and text, 1 NaN, 2 null */
static int rank(const hal_table *t, size_t c, uint64_t row)
{
    if (hal_table_is_null(t, c, row))
        return 2;
    return c == X && isnan(hal_table_float64(t, c, row));
}

static int value_order(const hal_table *t, size_t c, uint64_t a, uint64_t b)
{
    if (c == X) {
        double x = hal_table_float64(t, c, a), y = hal_table_float64(t, c, b);
        return (x > y) - (x < y);
    }
    if (c == I) {
        int64_t x = hal_table_int64(t, c, a), y = hal_table_int64(t, c, b);
        return (x > y) - (x < y);
    }
    if (c == B)
        return hal_table_bool(t, c, a) - hal_table_bool(t, c, b);
    hal_slice x = hal_table_string(t, c, a), y = hal_table_string(t, c, b);
    size_t n = x.size_bytes < y.size_bytes ? x.size_bytes : y.size_bytes;
    int d = memcmp(x.data, y.data, n);
    return d ? d : (x.size_bytes > y.size_bytes) - (x.size_bytes < y.size_bytes);
}

static int key_order(const hal_table *t, const hal_sort_key *k, uint64_t a, uint64_t b)
{
    int ra = rank(t, k->i_col, a), rb = rank(t, k->i_col, b);
    if (ra != rb || ra)
        return ra - rb;
    int d = value_order(t, k->i_col, a, b);
    return k->descending ? -d : d;
}

static void sorting_is_stable_and_puts_nulls_last(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        hal_table *t = sample(seed * 13 % 200, seed);
        hal_sort_key keys[2] = {{seed % N_COLUMNS, seed & 4}, {(seed + 1) % N_COLUMNS, seed & 8}};
        uint64_t *rows = NULL, n = hal_table_rows(t);
        assert_int_equal(hal_table_sort(t, keys, 2, &rows, NULL), HAL_OK);
        bool *seen = hal_calloc(n + 1, sizeof *seen);
        for (uint64_t k = 0; k < n; k++) {
            assert_true(rows[k] < n && !seen[rows[k]]);
            seen[rows[k]] = true;
            if (k == 0)
                continue;
            int d = key_order(t, &keys[0], rows[k - 1], rows[k]);
            if (!d)
                d = key_order(t, &keys[1], rows[k - 1], rows[k]);
            assert_true(d < 0 || (d == 0 && rows[k - 1] < rows[k]));
        }
        hal_free(seen);
        hal_free(rows);
        hal_table_unref(t);
    }
}

static bool equal_cells(const hal_table *t, size_t c, uint64_t a, uint64_t b)
{
    int ra = rank(t, c, a), rb = rank(t, c, b);
    return ra == rb && (ra || value_order(t, c, a, b) == 0);
}

static void groups_are_what_comparing_each_row_gives(void **state)
{
    (void)state;
    static const size_t keys[] = {S, B};
    hal_measure measures[] = {{"n", HAL_AGGREGATE_ROWS, 0},   {"have", HAL_AGGREGATE_COUNT, I},
                              {"sum", HAL_AGGREGATE_SUM, I},  {"mean", HAL_AGGREGATE_MEAN, X},
                              {"low", HAL_AGGREGATE_MIN, X},  {"top", HAL_AGGREGATE_MAX, S},
                              {"one", HAL_AGGREGATE_FIRST, I}};
    hal_table *t = sample(300, 5);
    hal_table *g = hal_table_group(t, keys, 2, measures, 7, NULL);
    assert_non_null(g);
    assert_int_equal(hal_table_columns(g), 9);
    uint64_t n = hal_table_rows(t), total = 0, at = 0;
    for (uint64_t row = 0; row < n; row++) {
        bool again = false;
        for (uint64_t k = 0; k < row; k++)
            again |= equal_cells(t, S, row, k) && equal_cells(t, B, row, k);
        if (again)
            continue;
        int64_t rows = 0, have = 0, sum = 0;
        double mean = 0, low = INFINITY;
        uint64_t n_x = 0, n_low = 0, first = HAL_NO_ROW;
        for (uint64_t k = row; k < n; k++) {
            if (!equal_cells(t, S, row, k) || !equal_cells(t, B, row, k))
                continue;
            rows++;
            if (!hal_table_is_null(t, I, k)) {
                have++;
                sum += hal_table_int64(t, I, k);
                first = first == HAL_NO_ROW ? k : first;
            }
            if (hal_table_is_null(t, X, k))
                continue;
            double x = hal_table_float64(t, X, k);
            mean += x;
            n_x++;
            n_low += !isnan(x);
            low = x < low ? x : low;
        }
        assert_int_equal(hal_table_int64(g, 2, at), rows);
        assert_int_equal(hal_table_int64(g, 3, at), have);
        assert_int_equal(hal_table_is_null(g, 4, at), have == 0);
        if (have) {
            assert_int_equal(hal_table_int64(g, 4, at), sum);
            assert_int_equal(hal_table_int64(g, 8, at), hal_table_int64(t, I, first));
        }
        assert_int_equal(hal_table_is_null(g, 5, at), n_x == 0);
        mean /= (double)n_x;
        if (n_x && isfinite(mean))
            assert_true(fabs(hal_table_float64(g, 5, at) - mean) < 1e-12);
        else if (n_x)
            assert_int_equal(isnan(hal_table_float64(g, 5, at)), isnan(mean));
        assert_int_equal(hal_table_is_null(g, 6, at), n_low == 0);
        if (n_low)
            assert_true(hal_table_float64(g, 6, at) == low);
        total += (uint64_t)rows;
        at++;
    }
    assert_int_equal(at, hal_table_rows(g));
    assert_int_equal(total, n);
    hal_table_unref(g);
    hal_table_unref(t);
}

static void a_sum_beyond_64_bits_is_refused(void **state)
{
    (void)state;
    hal_builder *b = hal_builder_new(fields, 1, NULL);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(hal_builder_int64(b, 0, INT64_MAX, NULL), HAL_OK);
        assert_int_equal(hal_builder_end_row(b, NULL), HAL_OK);
    }
    hal_table *t = hal_builder_finish(b, NULL);
    hal_builder_free(b);
    hal_measure sum = {"sum", HAL_AGGREGATE_SUM, 0};
    hal_err err = HAL_ERR_INIT;
    assert_null(hal_table_group(t, NULL, 0, &sum, 1, &err));
    assert_int_equal(err.status, HAL_E_USAGE);
    hal_operand a = {.t = t}, one = {.is_int = true, .i = 1};
    assert_null(hal_column_compute("+", &a, &one, &err));
    assert_non_null(strstr(err.text, "row 1"));
    assert_null(hal_column_compute("*", &a, &a, &err));
    hal_table_unref(t);
}

static void joins_are_what_comparing_each_pair_gives(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 9; seed++) {
        hal_table *l = sample(60, seed), *r = sample(40, seed + 100);
        size_t left = seed % 3, right = left;
        hal_join join = {.left = &left, .right = &right, .n_keys = 1, .keep_left = seed % 2};
        hal_table *j = hal_table_join(l, r, &join, NULL);
        assert_non_null(j);
        assert_int_equal(hal_table_columns(j), 2 * N_COLUMNS - 1);
        uint64_t at = 0;
        for (uint64_t a = 0; a < hal_table_rows(l); a++) {
            bool found = false;
            for (uint64_t b = 0; b < hal_table_rows(r); b++) {
                if (hal_table_is_null(l, left, a) || hal_table_is_null(r, right, b))
                    continue;
                bool equal;
                if (left == S)
                    equal = hal_slice_equals(hal_table_string(l, S, a), hal_table_string(r, S, b));
                else if (left == I)
                    equal = hal_table_int64(l, I, a) == hal_table_int64(r, I, b);
                else
                    equal =
                        hal_table_float64(l, X, a) == hal_table_float64(r, X, b) ||
                        (isnan(hal_table_float64(l, X, a)) && isnan(hal_table_float64(r, X, b)));
                if (!equal)
                    continue;
                found = true;
                int b2 = hal_table_find(j, "b_2");
                assert_true(b2 >= 0 && at < hal_table_rows(j));
                assert_int_equal(hal_table_is_null(j, B, at), hal_table_is_null(l, B, a));
                assert_int_equal(hal_table_is_null(j, (size_t)b2, at), hal_table_is_null(r, B, b));
                if (!hal_table_is_null(r, B, b))
                    assert_int_equal(hal_table_bool(j, (size_t)b2, at), hal_table_bool(r, B, b));
                at++;
            }
            at += !found && join.keep_left;
        }
        assert_int_equal(at, hal_table_rows(j));
        hal_table_unref(j);
        hal_table_unref(l);
        hal_table_unref(r);
    }
}

static void columns_of_every_type_are_joined_and_keep_what_the_table_says(void **state)
{
    (void)state;
    enum { ROWS = 20 };
    hal_table *t = every_table(ROWS, NULL);
    const uint64_t index[] = {5, HAL_NO_ROW, HAL_NO_ROW, 0, 1, 19};
    hal_table *taken = hal_table_take_or_null(t, index, 6, NULL);
    assert_non_null(taken);
    for (size_t c = 0; c < EVERY_COLUMNS; c++)
        for (uint64_t i = 0; i < 6; i++)
            assert_true(index[i] == HAL_NO_ROW ? hal_table_is_null(taken, c, i)
                                               : same_cell(t, index[i], taken, i, c));
    assert_string_equal(hal_table_metadata(taken)->name, "every");
    const size_t key = HAL_TYPE_INT64;
    hal_join join = {.left = &key, .right = &key, .n_keys = 1, .keep_left = true};
    hal_table *j = hal_table_join(t, t, &join, NULL);
    assert_non_null(j);
    assert_int_equal(hal_table_columns(j), 2 * EVERY_COLUMNS - 1);
    assert_int_equal(hal_table_rows(j), ROWS);
    assert_string_equal(hal_table_metadata(j)->description, "all types");
    for (size_t c = 0; c < EVERY_COLUMNS; c++)
        for (uint64_t i = 0; i < ROWS; i++)
            assert_true(same_cell(t, i, j, i, c));
    hal_table_unref(t);
    hal_table_unref(taken);
    hal_table_unref(j);
}

static void whole_floats_meet_integers_and_a_join_has_a_limit(void **state)
{
    (void)state;
    hal_table *l = sample(60, 1), *r = sample(40, 2);
    size_t left = I, right = X;
    hal_join join = {.left = &left, .right = &right, .n_keys = 1};
    hal_table *j = hal_table_join(l, r, &join, NULL);
    assert_non_null(j);
    assert_true(hal_table_rows(j) > 0);
    for (uint64_t row = 0; row < hal_table_rows(j); row++)
        assert_true((double)hal_table_int64(j, I, row) ==
                    hal_table_float64(j, (size_t)hal_table_find(j, "x_2"), row));
    hal_table_unref(j);
    hal_err err = HAL_ERR_INIT;
    join.rows_max = 3;
    assert_null(hal_table_join(l, r, &join, &err));
    assert_int_equal(err.status, HAL_E_BUDGET);
    right = S;
    assert_null(hal_table_join(l, r, &join, &err));
    assert_int_equal(err.status, HAL_E_USAGE);
    hal_table_unref(l);
    hal_table_unref(r);
}

static void every_operation_keeps_nulls(void **state)
{
    (void)state;
    hal_table *t = sample(3000, 9); /* more than one block */
    hal_operand i = {.t = t, .i_col = I}, x = {.t = t, .i_col = X}, b = {.t = t, .i_col = B};
    for (const char *const *op = hal_column_operations; *op; op++) {
        bool logic = !strcmp(*op, "and") || !strcmp(*op, "or") || !strcmp(*op, "not");
        bool fill = !strcmp(*op, "fill");
        bool as_is = fill || !strcmp(*op, "minimum") || !strcmp(*op, "maximum"); /* see below */
        const hal_operand *first = logic ? &b : &x, *second = logic ? &b : as_is ? &x : &i;
        hal_err err = HAL_ERR_INIT;
        hal_table *c = hal_column_compute(*op, first, NULL, &err);
        bool two = !c;
        if (two)
            c = hal_column_compute(*op, first, second, &err);
        assert_non_null(c);
        assert_int_equal(hal_table_rows(c), 3000);
        for (uint64_t row = 0; row < 3000; row++) {
            bool null_a = hal_table_is_null(t, first->i_col, row);
            bool null_b = two && hal_table_is_null(t, second->i_col, row);
            bool expected = null_a || null_b;
            if (fill)
                expected = null_a && null_b;
            if (!strcmp(*op, "null_if"))
                expected = null_a || (!null_b && hal_table_float64(t, X, row) ==
                                                     (double)hal_table_int64(t, I, row));
            if (!strncmp(*op, "is_", 3))
                expected = false;
            assert_int_equal(hal_table_is_null(c, 0, row), expected);
        }
        hal_table_unref(c);
    }
    hal_err err = HAL_ERR_INIT; /* the column has integers beyond 2^53 */
    assert_null(hal_column_compute("fill", &x, &i, &err));
    assert_int_equal(err.status, HAL_E_USAGE);
    assert_null(hal_column_compute("fill", &i, &x, &err));
    hal_table *sum = hal_column_compute("+", &x, &i, NULL);
    hal_table *whole = hal_column_compute("-", &i, &i, NULL);
    assert_string_equal(hal_table_field(sum, 0)->unit, "mag");
    assert_int_equal(hal_table_field(whole, 0)->type, HAL_TYPE_INT64);
    for (uint64_t row = 0; row < 3000; row++)
        if (!hal_table_is_null(sum, 0, row)) {
            double v = hal_table_float64(t, X, row) + (double)hal_table_int64(t, I, row);
            double got = hal_table_float64(sum, 0, row);
            assert_true(got == v || (isnan(v) && isnan(got)));
        }
    hal_table_unref(sum);
    hal_table_unref(whole);
    hal_table_unref(t);
}

static void integers_are_compared_exactly_with_floats(void **state)
{
    (void)state;
    static const int64_t values[] = {9007199254740993, INT64_MAX, -9007199254740993};
    hal_builder *b = hal_builder_new(fields, 1, NULL);
    for (int k = 0; k < 3; k++) {
        assert_int_equal(hal_builder_int64(b, 0, values[k], NULL), HAL_OK);
        assert_int_equal(hal_builder_end_row(b, NULL), HAL_OK);
    }
    hal_table *t = hal_builder_finish(b, NULL);
    hal_builder_free(b);
    static const double others[] = {9007199254740992.0, 0x1p63, -9007199254740992.0};
    static const bool above[] = {true, false, false};
    for (uint64_t k = 0; k < 3; k++) {
        hal_operand a = {.t = t}, d = {.d = others[k]};
        hal_table *gt = hal_column_compute(">", &a, &d, NULL);
        hal_table *eq = hal_column_compute("==", &d, &a, NULL);
        assert_int_equal(hal_table_bool(gt, 0, k), above[k]);
        assert_false(hal_table_bool(eq, 0, k));
        hal_table_unref(gt);
        hal_table_unref(eq);
    }
    hal_table_unref(t);
}

static void a_summary_of_parts_is_that_of_the_whole(void **state)
{
    (void)state;
    hal_table *a = sample(170, 3), *b = sample(40, 4), *both[] = {a, b};
    hal_table *t = hal_table_concat(both, 2, NULL);
    for (size_t c = 0; c < N_COLUMNS; c++) {
        hal_summary whole = {0}, parts = {0};
        assert_int_equal(hal_summary_add(&whole, t, c, NULL), HAL_OK);
        assert_int_equal(hal_summary_add(&parts, a, c, NULL), HAL_OK);
        assert_int_equal(hal_summary_add(&parts, b, c, NULL), HAL_OK);
        assert_int_equal(whole.n_rows, 210);
        assert_int_equal(parts.n_rows, 210);
        assert_int_equal(parts.n_nulls, whole.n_nulls);
        assert_int_equal(parts.n_nulls, hal_table_column(t, c).n_nulls);
        assert_int_equal(parts.n_nan, whole.n_nan);
        assert_int_equal(parts.min.kind, whole.min.kind);
        assert_int_equal(parts.max.i, whole.max.i);
        assert_true(parts.min.d == whole.min.d && parts.max.d == whole.max.d);
        if (c == S) {
            assert_int_equal(parts.max.size_bytes, whole.max.size_bytes);
            assert_memory_equal(parts.max.text, whole.max.text, whole.max.size_bytes);
        }
        hal_summary_clear(&whole);
        hal_summary_clear(&parts);
    }
    hal_table_unref(t);
    hal_table_unref(a);
    hal_table_unref(b);
}

static void empty_tables_give_empty_tables(void **state)
{
    (void)state;
    hal_table *t = sample(0, 1);
    static const size_t keys[] = {S};
    hal_measure m = {"n", HAL_AGGREGATE_ROWS, 0};
    hal_table *g = hal_table_group(t, keys, 1, &m, 1, NULL);
    hal_join join = {.left = keys, .right = keys, .n_keys = 1, .keep_left = true};
    hal_table *j = hal_table_join(t, t, &join, NULL);
    hal_operand x = {.t = t, .i_col = X};
    hal_table *c = hal_column_compute("+", &x, &x, NULL);
    assert_non_null(g);
    assert_non_null(j);
    assert_non_null(c);
    assert_int_equal(hal_table_rows(g) + hal_table_rows(j) + hal_table_rows(c), 0);
    hal_table_unref(g);
    hal_table_unref(j);
    hal_table_unref(c);
    hal_table_unref(t);
}

/* Everything once; true when all of it worked. */
static bool do_all(const hal_table *t, hal_err *err)
{
    static const size_t keys[] = {S};
    hal_sort_key sort[] = {{X, true}, {S, false}};
    hal_measure measures[] = {{"mean", HAL_AGGREGATE_MEAN, X}, {"last", HAL_AGGREGATE_LAST, S}};
    hal_join join = {.left = keys, .right = keys, .n_keys = 1, .keep_left = true};
    uint64_t *rows = NULL, *first = NULL, n = 0;
    hal_operand x = {.t = t, .i_col = X}, i = {.t = t, .i_col = I};
    hal_table *g = NULL, *j = NULL, *c = NULL;
    hal_summary s = {0};
    bool ok = !hal_table_sort(t, sort, 2, &rows, err) &&
              !hal_table_first_rows(t, keys, 1, &first, &n, err) &&
              (g = hal_table_group(t, keys, 1, measures, 2, err)) &&
              (j = hal_table_join(t, t, &join, err)) &&
              (c = hal_column_compute("*", &x, &i, err)) && !hal_summary_add(&s, t, S, err);
    hal_summary_clear(&s);
    hal_free(rows);
    hal_free(first);
    hal_table_unref(g);
    hal_table_unref(j);
    hal_table_unref(c);
    return ok;
}

static void running_out_of_memory_is_reported_everywhere(void **state)
{
    (void)state;
    hal_table *t = sample(30, 7);
    hal_err err = HAL_ERR_INIT;
    hal_alloc_fail_at(0);
    assert_true(do_all(t, &err));
    size_t n = hal_alloc_fail_at(0), n_failed = 0;
    assert_true(n > 50);
    for (size_t k = 1; k <= n; k++) {
        err = HAL_ERR_INIT;
        hal_alloc_fail_at(k);
        bool ok = do_all(t, &err);
        hal_alloc_fail_at(0);
        assert_true(ok || err.status == HAL_E_NOMEM); /* giving back memory may fail unseen */
        n_failed += !ok;
    }
    assert_true(n_failed > n / 2);
    hal_table_unref(t);
}

static void times_become_days_or_memory_ran_out(void **state)
{
    (void)state;
    static const hal_field time = {
        .name = "t", .type = HAL_TYPE_TIMESTAMP, .unit = "", .ucd = "", .description = ""};
    hal_builder *b = hal_builder_new(&time, 1, NULL);
    static const int64_t us[] = {0, -1, INT64_C(43200000000), INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < sizeof us / sizeof *us; i++) {
        assert_int_equal(hal_builder_int64(b, 0, us[i], NULL), HAL_OK);
        assert_int_equal(hal_builder_end_row(b, NULL), HAL_OK);
    }
    assert_int_equal(hal_builder_end_row(b, NULL), HAL_OK);
    hal_table *t = hal_builder_finish(b, NULL), *made;
    hal_builder_free(b);
    size_t n_made, n = 0;
    do {
        hal_err err = HAL_ERR_INIT;
        hal_alloc_fail_at(++n);
        made = hal_table_mjd(t, 0, &err);
        n_made = hal_alloc_fail_at(0);
        assert_true(made || err.status == HAL_E_NOMEM);
        if (n_made >= n)
            hal_table_unref(made);
    } while (n_made >= n);
    assert_true(n > 5);
    assert_true(hal_table_float64(made, 1, 0) == 40587);
    assert_true(hal_table_float64(made, 1, 1) < 40587 && hal_table_float64(made, 1, 1) > 40586.9);
    assert_true(hal_table_float64(made, 1, 2) == 40587.5);
    assert_true(hal_table_float64(made, 1, 3) < -1e8 && hal_table_float64(made, 1, 4) > 1e8);
    assert_true(hal_table_is_null(made, 1, 5));
    hal_table_unref(made);
    hal_table_unref(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_become_days_or_memory_ran_out),
        cmocka_unit_test(sorting_is_stable_and_puts_nulls_last),
        cmocka_unit_test(groups_are_what_comparing_each_row_gives),
        cmocka_unit_test(a_sum_beyond_64_bits_is_refused),
        cmocka_unit_test(joins_are_what_comparing_each_pair_gives),
        cmocka_unit_test(whole_floats_meet_integers_and_a_join_has_a_limit),
        cmocka_unit_test(every_operation_keeps_nulls),
        cmocka_unit_test(integers_are_compared_exactly_with_floats),
        cmocka_unit_test(columns_of_every_type_are_joined_and_keep_what_the_table_says),
        cmocka_unit_test(a_summary_of_parts_is_that_of_the_whole),
        cmocka_unit_test(empty_tables_give_empty_tables),
        cmocka_unit_test(running_out_of_memory_is_reported_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
