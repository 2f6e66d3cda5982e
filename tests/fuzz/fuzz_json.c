/* SPDX-License-Identifier: BSD-3-Clause */
/* JSON rows from arbitrary bytes, as Mashup answers and as plain lists: whatever is read does not
 * depend on how the bytes arrive, and given away in batches it has the same columns. Some inputs
 * also stand among rows of so many bytes that they go through the team in blocks. */
#include "tables.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const hal_reader_options limits = {.limits = {.rows_max = 100000, .columns_max = 1000}};

static hal_status count_rows(void *ctx, const hal_table *t, hal_err *err)
{
    (void)err;
    *(uint64_t *)ctx += hal_table_rows(t);
    return HAL_OK;
}

static void compare(hal_format format, const char *bytes, size_t n, size_t piece, size_t batch_rows)
{
    hal_status st, pieces_st, given_st;
    uint64_t n_given = 0;
    hal_reader_options in_batches = limits;
    in_batches.batch = count_rows;
    in_batches.batch_ctx = &n_given;
    in_batches.batch_rows = batch_rows;
    hal_table *t = read_pieces(format, bytes, n, n ? n : 1, &limits, &st);
    hal_table *pieces = read_pieces(format, bytes, n, piece, &limits, &pieces_st);
    hal_table *given = read_pieces(format, bytes, n, piece, &in_batches, &given_st);
    check(st == pieces_st && (!t || !given_st));
    check_same(t, pieces);
    if (t) {
        check(hal_table_size_bytes(t) == hal_table_size_bytes(pieces));
        check(hal_table_rows(t) == n_given && hal_table_columns(t) == hal_table_columns(given));
        for (size_t i = 0; i < hal_table_columns(t); i++)
            check(hal_table_field(t, i)->type == hal_table_field(given, i)->type);
    }
    hal_table_unref(t);
    hal_table_unref(pieces);
    hal_table_unref(given);
}

/* The input behind and before more than a block of rows, few long ones: what is between the blocks
 * counts, not what is in them. */
static void among_rows(const char *bytes, size_t size)
{
    enum { N = 150, ROW = 4096 };
    char row[2][ROW];
    snprintf(row[0], ROW, "{\"n\":1,\"f\":1.5,\"b\":true,\"s\":\"%04000d\"},\n", 0);
    snprintf(row[1], ROW, "{\"n\":null,\"f\":-2,\"b\":null,\"s\":\"%04000d\"},\n", 0);
    char *text = malloc(2 * N * ROW + size + ROW);
    size_t n = 0;
    text[n++] = '[';
    for (int i = 0; i < 2 * N; i++) {
        if (i == N) {
            memcpy(text + n, bytes, size);
            n += size;
        }
        size_t n_row = strlen(row[i % 2]);
        memcpy(text + n, row[i % 2], n_row);
        n += n_row;
    }
    n += (size_t)snprintf(text + n, ROW, "{\"n\":2,\"s\":null}]");
    compare(HAL_FORMAT_ROWS_JSON, text, n, 500 + size % 5000, 40);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    size_t piece = small_piece(data, size);
    compare(HAL_FORMAT_MASHUP_JSON, bytes, size, piece, 1);
    compare(HAL_FORMAT_ROWS_JSON, bytes, size, piece, 1);
    if (stands_among_rows(size))
        among_rows(bytes, size);
    return 0;
}
