/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows that came with several answers, found by their identifiers, and spools without them. */
#include "base/alloc.h"
#include "data/repeats.h"
#include "data/spool.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/halyard-repeats-XXXXXX";
static const hal_repeats_columns columns = {"id", "ra", "dec"};

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder); /* fails when a test left a file */
}

static char *path_of(int i)
{
    static char path[4][64];
    snprintf(path[i], sizeof path[i], "%s/%d.spool", folder, i);
    return path[i];
}

/* `n` rows with the ids first, first + 1 ... (in the order of a key of their own), as numbers or as
 * text, and positions that are those of the part. */
static hal_table *make_rows(int64_t first, uint64_t n, bool as_text, double ra)
{
    const hal_field fields[] = {{.name = "id",
                                 .type = as_text ? HAL_TYPE_STRING : HAL_TYPE_INT64,
                                 .unit = "",
                                 .ucd = "",
                                 .description = ""},
                                {.name = "ra", .type = HAL_TYPE_FLOAT64},
                                {.name = "dec", .type = HAL_TYPE_FLOAT64}};
    hal_builder *b = hal_builder_new(fields, 3, NULL);
    for (uint64_t i = 0; i < n; i++) {
        char text[32];
        hal_status st = HAL_OK;
        if (as_text) {
            snprintf(text, sizeof text, "%lld", (long long)(first + (int64_t)i));
            st = hal_builder_string(b, 0, hal_slice_of(text), NULL);
        } else {
            st = hal_builder_int64(b, 0, first + (int64_t)i, NULL);
        }
        st = st ? st : hal_builder_float64(b, 1, ra, NULL);
        st = st ? st : hal_builder_float64(b, 2, (double)(i % 90), NULL);
        st = st ? st : hal_builder_end_row(b, NULL);
        assert_int_equal(st, HAL_OK);
    }
    hal_table *t = hal_builder_finish(b, NULL);
    hal_builder_free(b);
    return t;
}

static hal_repeats_part make_part(hal_repeats *r, int i, hal_table *t, double asked_s)
{
    uint64_t n = hal_table_rows(t), size, *keys = malloc((n + 1) * sizeof *keys);
    for (uint64_t k = 0; k < n; k++)
        keys[k] = k;
    hal_repeats_part part = {.spool = path_of(i), .asked_s = asked_s};
    assert_int_equal(hal_spool_write(part.spool, t, keys, 0, &size, NULL), HAL_OK);
    part.note = hal_repeats_reserve(r, n);
    assert_int_equal(hal_repeats_add(r, &part.note, t, 0, NULL), HAL_OK);
    free(keys);
    hal_table_unref(t);
    return part;
}

static hal_repeats *start(void)
{
    hal_repeats *r = hal_repeats_new(folder, NULL);
    assert_non_null(r);
    return r;
}

static void end(hal_repeats *r, hal_repeats_part *parts, size_t n, hal_repeats_report *report)
{
    for (size_t i = 0; i < n; i++) {
        hal_free(parts[i].old);
        assert_int_equal(unlink(parts[i].spool), 0);
    }
    hal_repeats_report_clear(report);
    hal_repeats_free(r);
}

static void only_the_copy_asked_for_last_is_not_old(void **state)
{
    (void)state;
    hal_repeats *r = start();
    hal_repeats_part parts[] = {
        make_part(r, 0, make_rows(100, 50, false, 1.0), 30.0),
        make_part(r, 1, make_rows(140, 50, false, 2.0), 10.0), /* 140 to 149 are in 0 */
        make_part(r, 2, make_rows(145, 1, false, 3.0), 20.0),
    };
    hal_repeats_report report;
    assert_int_equal(hal_repeats_find(r, &columns, parts, 3, NULL, &report, NULL), HAL_OK);
    assert_null(report.repeated);
    assert_int_equal(report.n_old, 11);
    assert_int_equal(parts[0].n_old, 0);
    assert_int_equal(parts[1].n_old, 10);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(parts[1].old[i], i);
    assert_int_equal(parts[2].n_old, 1);
    assert_int_equal(report.n_named, 10); /* 145 once */
    assert_string_equal(report.named[0].id, "140");
    assert_string_equal(report.named[9].id, "149");
    assert_true(report.named[9].ra == 2.0 && report.named[9].dec == 9.0);
    end(r, parts, 3, &report);
}

static void a_number_and_the_text_that_spells_it_are_one_identifier(void **state)
{
    (void)state;
    hal_repeats *r = start();
    hal_repeats_part parts[] = {make_part(r, 0, make_rows(-2, 5, false, 1.0), 1.0),
                                make_part(r, 1, make_rows(2, 5, true, 2.0), 2.0)};
    hal_repeats_report report;
    assert_int_equal(hal_repeats_find(r, &columns, parts, 2, NULL, &report, NULL), HAL_OK);
    assert_int_equal(report.n_old, 1);
    assert_string_equal(report.named[0].id, "2");
    assert_int_equal(parts[0].old[0], 4);
    end(r, parts, 2, &report);
}

static void an_identifier_that_repeats_within_one_part_makes_no_row_old(void **state)
{
    (void)state;
    hal_repeats *r = start();
    hal_table *two[] = {make_rows(7, 1, false, 1.0), make_rows(7, 2, false, 1.0)};
    hal_table *both = hal_table_concat(two, 2, NULL);
    hal_repeats_part parts[] = {make_part(r, 0, both, 1.0),
                                make_part(r, 1, make_rows(8, 5, false, 2.0), 2.0)};
    hal_repeats_report report;
    assert_int_equal(hal_repeats_find(r, &columns, parts, 2, NULL, &report, NULL), HAL_OK);
    assert_string_equal(report.repeated, "7");
    assert_int_equal(report.n_old, 0);
    assert_int_equal(parts[0].n_old + parts[1].n_old, 0);
    hal_table_unref(two[0]);
    hal_table_unref(two[1]);
    end(r, parts, 2, &report);
}

static void nulls_identify_nothing(void **state)
{
    (void)state;
    hal_repeats *r = start();
    hal_repeats_part parts[2];
    for (int i = 0; i < 2; i++) {
        const hal_field field = {.name = "id", .type = HAL_TYPE_STRING};
        hal_builder *b = hal_builder_new(&field, 1, NULL);
        for (int k = 0; k < 3; k++)
            assert_int_equal(hal_builder_end_row(b, NULL), HAL_OK);
        parts[i] = make_part(r, i, hal_builder_finish(b, NULL), i);
        hal_builder_free(b);
        assert_int_equal(parts[i].note.n, 0);
    }
    hal_repeats_report report;
    assert_int_equal(hal_repeats_find(r, &columns, parts, 2, NULL, &report, NULL), HAL_OK);
    assert_int_equal(report.n_old, 0);
    end(r, parts, 2, &report);
}

static void one_repeat_among_millions_is_found(void **state)
{
    (void)state;
    enum { ROWS = 1300000 }; /* two of them are more than are looked at together */
    hal_repeats *r = start();
    hal_repeats_part parts[] = {
        make_part(r, 0, make_rows(0, ROWS, false, 1.0), 1.0),
        make_part(r, 1, make_rows(ROWS - 1, ROWS, false, 2.0), 2.0),
    };
    hal_repeats_report report;
    assert_int_equal(hal_repeats_find(r, &columns, parts, 2, NULL, &report, NULL), HAL_OK);
    assert_int_equal(report.n_old, 1);
    assert_int_equal(parts[0].n_old, 1);
    assert_int_equal(parts[0].old[0], ROWS - 1);
    end(r, parts, 2, &report);
}

static void more_repeats_than_can_be_put_right_are_an_error(void **state)
{
    (void)state;
    hal_repeats *r = start();
    hal_repeats_part parts[] = {make_part(r, 0, make_rows(0, 70000, false, 1.0), 1.0),
                                make_part(r, 1, make_rows(0, 70000, false, 2.0), 2.0)};
    hal_repeats_report report;
    hal_err err = HAL_ERR_INIT;
    assert_int_equal(hal_repeats_find(r, &columns, parts, 2, NULL, &report, &err), HAL_E_INTEGRITY);
    assert_non_null(strstr(err.text, "more than 65536 rows came with two answers"));
    end(r, parts, 2, &report);
}

static void cancelled_or_without_memory_it_says_so(void **state)
{
    (void)state;
    hal_repeats *r = start();
    hal_repeats_part parts[] = {make_part(r, 0, make_rows(0, 30, false, 1.0), 1.0),
                                make_part(r, 1, make_rows(20, 30, false, 2.0), 2.0)};
    hal_repeats_report report;
    _Atomic bool cancel = true;
    assert_int_equal(hal_repeats_find(r, &columns, parts, 2, &cancel, &report, NULL),
                     HAL_E_CANCELLED);
    hal_status st = HAL_E_NOMEM;
    for (size_t i = 1; st; i++) {
        hal_alloc_fail_at(i);
        hal_err err = HAL_ERR_INIT;
        st = hal_repeats_find(r, &columns, parts, 2, NULL, &report, &err);
        hal_alloc_fail_at(0);
        if (st) {
            assert_int_equal(st, HAL_E_NOMEM);
            assert_int_equal(err.status, HAL_E_NOMEM);
            hal_free(parts[0].old);
            parts[0].old = NULL;
            parts[0].n_old = 0;
        }
    }
    assert_int_equal(report.n_old, 10);
    end(r, parts, 2, &report);
}

typedef struct seen {
    int64_t id[200];
    size_t n;
} seen;

static hal_status see(void *ctx, const hal_table *block, hal_err *err)
{
    (void)err;
    seen *s = ctx;
    for (uint64_t i = 0; i < hal_table_rows(block); i++)
        s->id[s->n++] = hal_table_int64(block, 0, i);
    return HAL_OK;
}

static void a_thinned_spool_has_all_other_rows(void **state)
{
    (void)state;
    hal_repeats *r = start();
    hal_repeats_part parts[] = {make_part(r, 0, make_rows(1000, 100, false, 1.0), 1.0)};
    const uint64_t dropped[] = {0, 1, 50, 99}, beyond[] = {100};
    seen s = {.n = 0};
    assert_int_equal(hal_spool_thin(path_of(0), path_of(1), dropped, 4, NULL), HAL_OK);
    assert_int_equal(hal_spool_read(path_of(1), see, &s, NULL), HAL_OK);
    assert_int_equal(s.n, 96);
    for (size_t i = 0; i < 96; i++)
        assert_int_equal(s.id[i], 1000 + i + (i < 48 ? 2 : 3));
    assert_int_equal(unlink(path_of(1)), 0);
    assert_int_equal(hal_spool_thin(path_of(0), path_of(1), beyond, 1, NULL), HAL_E_INTEGRITY);
    assert_int_not_equal(access(path_of(1), F_OK), 0);
    uint64_t all[100];
    for (uint64_t i = 0; i < 100; i++)
        all[i] = i;
    s.n = 0;
    assert_int_equal(hal_spool_thin(path_of(0), path_of(1), all, 100, NULL), HAL_OK);
    assert_int_equal(hal_spool_read(path_of(1), see, &s, NULL), HAL_OK);
    assert_int_equal(s.n, 0);
    assert_int_equal(unlink(path_of(1)), 0);
    end(r, parts, 1, &(hal_repeats_report){0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_copy_asked_for_last_is_not_old),
        cmocka_unit_test(a_number_and_the_text_that_spells_it_are_one_identifier),
        cmocka_unit_test(an_identifier_that_repeats_within_one_part_makes_no_row_old),
        cmocka_unit_test(nulls_identify_nothing),
        cmocka_unit_test(one_repeat_among_millions_is_found),
        cmocka_unit_test(more_repeats_than_can_be_put_right_are_an_error),
        cmocka_unit_test(cancelled_or_without_memory_it_says_so),
        cmocka_unit_test(a_thinned_spool_has_all_other_rows),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
