/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/names.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { N = 10000 };

typedef struct list {
    char text[N][16];
    size_t n_asked;
} list;

static hal_slice name_of(const void *ctx, size_t i)
{
    list *l = (list *)ctx;
    l->n_asked++;
    return hal_slice_of(l->text[i]);
}

static list *numbered(void)
{
    list *l = hal_calloc(1, sizeof *l);
    assert_non_null(l);
    for (size_t i = 0; i < N; i++)
        snprintf(l->text[i], sizeof l->text[i], "column_%zu", i);
    return l;
}

static void every_name_is_found_and_no_other(void **state)
{
    (void)state;
    list *l = numbered();
    hal_names names = {0};
    assert_int_equal(hal_names_find(&names, name_of, l, hal_slice_of("column_0")), SIZE_MAX);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(hal_names_find(&names, name_of, l, hal_slice_of(l->text[i])), SIZE_MAX);
        assert_int_equal(hal_names_add(&names, name_of, l, i, NULL), HAL_OK);
    }
    for (size_t i = 0; i < N; i++)
        assert_int_equal(hal_names_find(&names, name_of, l, hal_slice_of(l->text[i])), i);
    assert_int_equal(hal_names_find(&names, name_of, l, hal_slice_of("column_")), SIZE_MAX);
    assert_int_equal(hal_names_find(&names, name_of, l, hal_slice_of("")), SIZE_MAX);
    hal_names_clear(&names);
    hal_free(l);
}

static void ten_thousand_names_are_not_compared_each_with_each(void **state)
{
    (void)state;
    list *l = numbered();
    hal_names names = {0};
    for (size_t i = 0; i < N; i++) {
        hal_names_find(&names, name_of, l, hal_slice_of(l->text[i]));
        assert_int_equal(hal_names_add(&names, name_of, l, i, NULL), HAL_OK);
    }
    assert_true(l->n_asked < 20 * N);
    hal_names_clear(&names);
    hal_free(l);
}

static void running_out_of_memory_leaves_the_names_as_they_were(void **state)
{
    (void)state;
    list *l = numbered();
    hal_names names = {0};
    size_t i = 0;
    for (; i < N; i++) {
        hal_alloc_fail_at(1);
        hal_status st = hal_names_add(&names, name_of, l, i, NULL);
        hal_alloc_fail_at(0);
        if (st) {
            assert_int_equal(st, HAL_E_NOMEM);
            assert_int_equal(hal_names_find(&names, name_of, l, hal_slice_of(l->text[i])),
                             SIZE_MAX);
            assert_int_equal(hal_names_add(&names, name_of, l, i, NULL), HAL_OK);
        }
        assert_int_equal(hal_names_find(&names, name_of, l, hal_slice_of(l->text[i / 2])), i / 2);
    }
    hal_names_clear(&names);
    hal_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_is_found_and_no_other),
        cmocka_unit_test(ten_thousand_names_are_not_compared_each_with_each),
        cmocka_unit_test(running_out_of_memory_leaves_the_names_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
