/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/buf.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void an_empty_buffer_is_empty_text(void **state)
{
    (void)state;
    hal_buf b;
    hal_buf_init(&b, 10);
    assert_string_equal(hal_buf_text(&b), "");
    assert_int_equal(hal_buf_slice(&b).size_bytes, 0);
    assert_int_equal(hal_buf_append(&b, NULL, 0, NULL), HAL_OK);
    assert_string_equal(hal_buf_text(&b), "");
    hal_buf_clear(&b);
}

static void bytes_arrive_in_order_with_a_nul_behind(void **state)
{
    (void)state;
    hal_buf b;
    hal_buf_init(&b, 100000);
    for (int i = 0; i < 5000; i++) {
        char c = (char)('a' + i % 26);
        assert_int_equal(hal_buf_append(&b, &c, 1, NULL), HAL_OK);
        assert_int_equal(hal_buf_text(&b)[b.size_bytes], '\0');
    }
    assert_int_equal(hal_buf_puts(&b, "end", NULL), HAL_OK);
    assert_int_equal(hal_buf_printf(&b, NULL, " %d %s", 42, "x"), HAL_OK);
    assert_int_equal(b.size_bytes, 5008);
    assert_string_equal(hal_buf_text(&b) + 5000, "end 42 x");
    for (int i = 0; i < 5000; i++)
        assert_int_equal(hal_buf_text(&b)[i], 'a' + i % 26);
    hal_buf_clear(&b);
}

static void the_ceiling_can_be_filled_but_not_passed(void **state)
{
    (void)state;
    hal_buf b;
    hal_err err = HAL_ERR_INIT;
    hal_buf_init(&b, 8);
    assert_int_equal(hal_buf_puts(&b, "12345678", &err), HAL_OK);
    assert_int_equal(hal_buf_puts(&b, "9", &err), HAL_E_BUDGET);
    assert_int_equal(hal_buf_printf(&b, &err, "%d", 9), HAL_E_BUDGET);
    assert_int_equal(hal_buf_reserve(&b, SIZE_MAX, &err), HAL_E_BUDGET);
    assert_non_null(strstr(err.text, "8 bytes"));
    assert_string_equal(hal_buf_text(&b), "12345678");
    hal_buf_clear(&b);
    assert_int_equal(hal_buf_puts(&b, "again", &err), HAL_OK);
    hal_buf_clear(&b);
}

static void a_failed_allocation_leaves_the_content_as_it_was(void **state)
{
    (void)state;
    hal_buf b;
    hal_err err = HAL_ERR_INIT;
    hal_buf_init(&b, 1 << 20);
    assert_int_equal(hal_buf_puts(&b, "kept", NULL), HAL_OK);
    hal_alloc_fail_at(1);
    assert_int_equal(hal_buf_reserve(&b, 4096, &err), HAL_E_NOMEM);
    hal_alloc_fail_at(0);
    assert_string_equal(hal_buf_text(&b), "kept");
    assert_int_equal(hal_buf_puts(&b, "!", NULL), HAL_OK);
    assert_string_equal(hal_buf_text(&b), "kept!");
    hal_buf_clear(&b);
}

static void many_small_pieces_need_few_allocations(void **state)
{
    (void)state;
    hal_buf b;
    hal_buf_init(&b, 1 << 20);
    hal_alloc_fail_at(0);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(hal_buf_append(&b, "x", 1, NULL), HAL_OK);
    assert_true(hal_alloc_fail_at(0) < 20);
    hal_buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_is_empty_text),
        cmocka_unit_test(bytes_arrive_in_order_with_a_nul_behind),
        cmocka_unit_test(the_ceiling_can_be_filled_but_not_passed),
        cmocka_unit_test(a_failed_allocation_leaves_the_content_as_it_was),
        cmocka_unit_test(many_small_pieces_need_few_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
