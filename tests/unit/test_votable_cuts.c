/* SPDX-License-Identifier: BSD-3-Clause */
/* Small VOTables in pieces: at every byte, cut off, with a flipped bit. */
#include "votable_test.h"

/* The document in two pieces, the first of `at` bytes, as a dump. */
static char *dump_of_two(const char *name, const char *text, size_t n, size_t at)
{
    hal_answer answer;
    hal_table *t = NULL;
    hal_err err = HAL_ERR_INIT;
    hal_reader *r = hal_reader_new(HAL_FORMAT_AUTO, NULL, &err);
    assert_non_null(r);
    if (hal_reader_feed(r, text, at, &err) || hal_reader_feed(r, text + at, n - at, &err) ||
        hal_reader_finish(r, &answer, &t, &err))
        fail_msg("%s cut in two at %zu: %s", name, at, err.text);
    hal_reader_free(r);
    char *all = dump(t);
    hal_table_unref(t);
    return all;
}

static void any_chunking_gives_the_same_table(void **state)
{
    (void)state;
    const char *const files[] = {"gen-special.tabledata.xml",
                                 "pyvo-query-basic.xml",
                                 "late-overflow.xml",
                                 "gen-special.binary.xml",
                                 "dachs-nulls.binary.xml",
                                 "gen-alltypes.binary.stilts.xml",
                                 "gen-special.binary2.xml",
                                 "astropy-binary2_masked_strings.xml",
                                 "astropy-binary2_variable_length_char.xml"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        size_t n;
        char *text = load(files[i], &n), *whole = dump_of_two(files[i], text, n, 0);
        for (size_t at = 1; at < n; at++) {
            char *own = dump_of_two(files[i], text, n, at);
            assert_string_equal(own, whole);
            free(own);
        }
        const size_t pieces[] = {1, 7, 1000};
        for (int k = 0; k < 3; k++) {
            hal_answer answer;
            hal_table *t;
            hal_err err = HAL_ERR_INIT;
            if (read_bytes(text, n, pieces[k], NULL, &answer, &t, &err))
                fail_msg("%s in pieces of %zu: %s", files[i], pieces[k], err.text);
            char *own = dump(t);
            assert_string_equal(own, whole);
            free(own);
            hal_table_unref(t);
        }
        free(whole);
        free(text);
    }
}

static const char *const small_files[] = {
    "late-overflow.xml",
    "gen-special.binary.xml",
    "gen-special.binary2.xml",
    "gen-special.tabledata.xml",
    "dachs-overflow.binary2.xml",
    "dachs-nulls.binary.xml",
    "gen-alltypes.tabledata.xml",
    "pyvo-sia-dataset.xml",
    "astropy-binary2_masked_strings.xml",
};

static void a_document_cut_at_any_byte_is_never_a_shorter_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof small_files / sizeof *small_files; i++) {
        size_t n;
        char *text = load(small_files[i], &n);
        while (n && text[n - 1] == '\n')
            n--;
        for (size_t cut = 1; cut < n; cut += n < 2500 ? 1 : 7) {
            hal_answer answer;
            hal_table *t;
            hal_err err = HAL_ERR_INIT;
            hal_status st = read_bytes(text, cut, cut, NULL, &answer, &t, &err);
            if (st != HAL_E_INTEGRITY && st != HAL_E_PROTOCOL)
                fail_msg("%s cut at %zu of %zu: status %d %s", small_files[i], cut, n, st,
                         err.text);
        }
        free(text);
    }
}

static void a_flipped_bit_is_an_error_or_a_table_however_it_comes_in(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof small_files / sizeof *small_files; i++) {
        size_t n;
        char *text = load(small_files[i], &n);
        for (size_t at = i % 5; at < n; at += 5) {
            hal_answer answer;
            hal_table *t, *same;
            hal_err err = HAL_ERR_INIT;
            text[at] = (char)(text[at] ^ 1 << (at * 5 + i) % 8);
            hal_status st = read_bytes(text, n, n, NULL, &answer, &t, &err);
            if (read_bytes(text, n, 7, NULL, &answer, &same, &err) != st || !t != !same)
                fail_msg("%s flipped at %zu: status %d in one piece", small_files[i], at, st);
            char *a = t ? dump(t) : NULL, *b = same ? dump(same) : NULL;
            if (t)
                assert_string_equal(a, b);
            free(a);
            free(b);
            hal_table_unref(t);
            hal_table_unref(same);
            text[at] = (char)(text[at] ^ 1 << (at * 5 + i) % 8);
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_chunking_gives_the_same_table),
        cmocka_unit_test(a_document_cut_at_any_byte_is_never_a_shorter_table),
        cmocka_unit_test(a_flipped_bit_is_an_error_or_a_table_however_it_comes_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
