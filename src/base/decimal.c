/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/decimal.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static size_t skip_digits(hal_slice text, size_t i)
{
    while (i < text.size_bytes && text.data[i] >= '0' && text.data[i] <= '9')
        i++;
    return i;
}

static size_t skip_sign(hal_slice text, size_t i)
{
    return i < text.size_bytes && (text.data[i] == '+' || text.data[i] == '-') ? i + 1 : i;
}

static size_t number_length(hal_slice text)
{
    size_t start = skip_sign(text, 0);
    size_t i = skip_digits(text, start);
    size_t n_digits = i - start;
    if (i < text.size_bytes && text.data[i] == '.') {
        size_t end = skip_digits(text, i + 1);
        n_digits += end - i - 1;
        i = end;
    }
    if (n_digits == 0)
        return 0;
    if (i < text.size_bytes && (text.data[i] == 'e' || text.data[i] == 'E')) {
        size_t from = skip_sign(text, i + 1);
        size_t end = skip_digits(text, from);
        if (end > from)
            i = end;
    }
    return i;
}

/* The "C" locale for this thread while a C library conversion runs. */
static locale_t enter_c_locale(locale_t *c)
{
    *c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return uselocale(*c);
}

static void leave_c_locale(locale_t c, locale_t before)
{
    uselocale(before);
    if (c)
        freelocale(c);
}

size_t hal_decimal_scan(double *out, hal_slice text)
{
    size_t n = number_length(text);
    if (n == 0 || n >= HAL_DECIMAL_TEXT_MAX)
        return 0;
    char copy[HAL_DECIMAL_TEXT_MAX];
    memcpy(copy, text.data, n);
    copy[n] = '\0';
    locale_t c;
    locale_t before = enter_c_locale(&c);
    char *end;
    double value = strtod(copy, &end);
    leave_c_locale(c, before);
    if (*end || !isfinite(value))
        return 0;
    *out = value;
    return n;
}

void hal_decimal_print(char out[HAL_DECIMAL_TEXT_MAX], double value)
{
    locale_t c;
    locale_t before = enter_c_locale(&c);
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, HAL_DECIMAL_TEXT_MAX, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            break;
    }
    leave_c_locale(c, before);
}
