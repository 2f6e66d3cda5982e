/* SPDX-License-Identifier: BSD-3-Clause */
/* JSON rows from arbitrary bytes, as Mashup answers and as plain lists: whatever is read does not
 * depend on how the bytes arrive, and given away row by row it has the same columns. */
#include "data/reader.h"

#include "check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static hal_status count_rows(void *ctx, const hal_table *t, hal_err *err)
{
    (void)err;
    *(uint64_t *)ctx += hal_table_rows(t);
    return HAL_OK;
}

/* `n_given`: rows go there one by one; NULL: all stay in the table. */
static hal_status read_answer(hal_format format, const char *bytes, size_t n, size_t piece,
                              uint64_t *n_given, hal_answer *answer, hal_table **t)
{
    hal_reader_options options = {.limits = {.rows_max = 100000, .columns_max = 1000}};
    options.batch = n_given ? count_rows : NULL;
    options.batch_ctx = n_given;
    options.batch_rows = 1;
    hal_reader *r = hal_reader_new_with(format, &options, NULL);
    hal_status st = HAL_OK;
    for (size_t at = 0; at < n && !st; at += piece)
        st = hal_reader_feed(r, bytes + at, piece < n - at ? piece : n - at, NULL);
    if (!st)
        st = hal_reader_finish(r, answer, t, NULL);
    hal_reader_free(r);
    return st;
}

static void compare(hal_format format, const char *bytes, size_t n)
{
    hal_answer whole, parts, given;
    hal_table *a = NULL, *b = NULL, *c = NULL;
    uint64_t n_given = 0;
    size_t piece = n ? (unsigned char)bytes[n - 1] % 7 + 1u : 1;
    hal_status st = read_answer(format, bytes, n, n ? n : 1, NULL, &whole, &a);
    check(st == read_answer(format, bytes, n, piece, NULL, &parts, &b));
    hal_status given_st = read_answer(format, bytes, n, piece, &n_given, &given, &c);
    check(st || (whole.status == parts.status && !a == !b));
    check(!a || !given_st);
    if (a) {
        check(hal_table_rows(a) == hal_table_rows(b) && hal_table_rows(a) == n_given);
        check(hal_table_columns(a) == hal_table_columns(b) &&
              hal_table_columns(a) == hal_table_columns(c));
        check(hal_table_size_bytes(a) == hal_table_size_bytes(b));
        for (size_t i = 0; i < hal_table_columns(a); i++)
            check(hal_table_field(a, i)->type == hal_table_field(c, i)->type);
    }
    hal_table_unref(a);
    hal_table_unref(b);
    hal_table_unref(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    compare(HAL_FORMAT_MASHUP_JSON, (const char *)data, size);
    compare(HAL_FORMAT_ROWS_JSON, (const char *)data, size);
    return 0;
}
