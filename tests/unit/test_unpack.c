/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/alloc.h"
#include "data/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

static const char rows[] = "id,mag\n1,2.5\n2,3.5\n";

static size_t gzip(char *out, size_t room, const void *in, size_t n)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)in;
    z.avail_in = (uInt)n;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return room - z.avail_out;
}

static hal_status read_pieces(const char *bytes, size_t n, size_t piece, hal_table **t,
                              hal_err *err)
{
    hal_answer answer;
    *t = NULL;
    hal_reader *r = hal_reader_new(HAL_FORMAT_AUTO, NULL, err);
    hal_status st = HAL_OK;
    for (size_t at = 0; at < n && !st; at += piece)
        st = hal_reader_feed(r, bytes + at, piece < n - at ? piece : n - at, err);
    if (!st)
        st = hal_reader_finish(r, &answer, t, err);
    hal_reader_free(r);
    return st;
}

static void check_good(const char *bytes, size_t n, uint64_t n_rows)
{
    for (size_t piece = 1; piece <= n; piece++) {
        hal_err err = HAL_ERR_INIT;
        hal_table *t;
        if (read_pieces(bytes, n, piece, &t, &err))
            fail_msg("pieces of %zu: %s", piece, err.text);
        assert_int_equal(hal_table_rows(t), n_rows);
        hal_table_unref(t);
    }
    for (size_t cut = 0; cut < n; cut++) {
        hal_err err = HAL_ERR_INIT;
        hal_table *t;
        assert_int_not_equal(read_pieces(bytes, cut, 1, &t, &err), HAL_OK);
        assert_null(t);
    }
}

static void compressed_answers_read_in_any_pieces_and_a_cut_is_an_error(void **state)
{
    (void)state;
    char packed[400];
    check_good(packed, gzip(packed, sizeof packed, rows, strlen(rows)), 2);
    check_good(packed, ZSTD_compress(packed, sizeof packed, rows, strlen(rows), 3), 2);
}

static void members_of_one_file_follow_each_other(void **state)
{
    (void)state;
    char packed[400];
    size_t n = gzip(packed, sizeof packed, rows, 7);
    n += gzip(packed + n, sizeof packed - n, rows + 7, strlen(rows) - 7);
    hal_table *t;
    hal_err err = HAL_ERR_INIT;
    for (size_t piece = 1; piece <= n; piece++) {
        if (read_pieces(packed, n, piece, &t, &err))
            fail_msg("%s", err.text);
        assert_int_equal(hal_table_rows(t), 2);
        hal_table_unref(t);
    }
    packed[n++] = 'x'; /* neither a member nor the end */
    assert_int_equal(read_pieces(packed, n, n, &t, &err), HAL_E_INTEGRITY);
}

static void every_flipped_bit_of_the_body_is_noticed(void **state)
{
    (void)state;
    char packed[400];
    size_t n = gzip(packed, sizeof packed, rows, strlen(rows)), n_harmless = 0;
    for (size_t bit = 10 * 8; bit < n * 8; bit++) { /* behind the header, whose time is free */
        hal_table *t;
        packed[bit / 8] = (char)(packed[bit / 8] ^ 1 << bit % 8);
        n_harmless += !read_pieces(packed, n, n, &t, NULL);
        hal_table_unref(t);
        packed[bit / 8] = (char)(packed[bit / 8] ^ 1 << bit % 8);
    }
    assert_true(n_harmless < 8); /* bits that fill the last byte before the check sum */
}

static void bombs_and_bodies_compressed_twice_are_refused(void **state)
{
    (void)state;
    size_t n = 30 << 20;
    char *text = malloc(n), *packed = malloc(n / 100), twice[400], once[400];
    memset(text, 'x', n);
    memcpy(text, "a\n", 2);
    text[n - 1] = '\n';
    hal_table *t;
    hal_err err = HAL_ERR_INIT;
    size_t size = gzip(packed, n / 100, text, n);
    assert_int_not_equal(read_pieces(packed, size, size, &t, &err), HAL_OK);
    for (size_t i = 2; i < n; i++)
        text[i] = i % 8 == 7 ? '\n' : '1';
    size = gzip(packed, n / 100, text, n);
    assert_int_equal(read_pieces(packed, size, size, &t, &err), HAL_E_BUDGET);
    assert_non_null(strstr(err.text, "200 times"));
    size = gzip(once, sizeof once, rows, strlen(rows));
    size = gzip(twice, sizeof twice, once, size);
    assert_int_equal(read_pieces(twice, size, 1, &t, &err), HAL_E_PROTOCOL);
    assert_non_null(strstr(err.text, "twice"));
    free(text);
    free(packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compressed_answers_read_in_any_pieces_and_a_cut_is_an_error),
        cmocka_unit_test(members_of_one_file_follow_each_other),
        cmocka_unit_test(every_flipped_bit_of_the_body_is_noticed),
        cmocka_unit_test(bombs_and_bodies_compressed_twice_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
