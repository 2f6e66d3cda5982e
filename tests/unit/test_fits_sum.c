/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/fits_sum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* FITS 4.0 appendix J: word by word with the carry brought round. */
static uint32_t plain_sum(const unsigned char *p, size_t n)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i += 4) {
        uint32_t word = 0;
        for (size_t k = 0; k < 4; k++)
            word = word << 8 | (i + k < n ? p[i + k] : 0);
        sum += word;
        sum += sum < word;
    }
    return sum;
}

static void pieces_of_any_size_give_the_sum_of_the_words(void **state)
{
    (void)state;
    enum { N = 30000 };
    unsigned char *bytes = malloc(N);
    uint32_t z = 12345;
    for (int fill = 0; fill < 3; fill++) {
        for (size_t i = 0; i < N; i++)
            bytes[i] = fill == 0   ? (unsigned char)((z = z * 1664525 + 1013904223) >> 24)
                       : fill == 1 ? 255
                                   : 0;
        for (size_t piece = 1; piece < 9000; piece = piece * 3 / 2 + 1)
            for (size_t n = N - 5; n < N; n++) {
                hal_fits_sum s = {0};
                for (size_t at = 0; at < n; at += piece)
                    hal_fits_sum_add(&s, (const char *)bytes + at, piece < n - at ? piece : n - at);
                assert_int_equal(hal_fits_sum_value(&s), plain_sum(bytes, n));
            }
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_of_any_size_give_the_sum_of_the_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
