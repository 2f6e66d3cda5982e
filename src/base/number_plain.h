/* SPDX-License-Identifier: BSD-3-Clause */
/* The numbers that most tables are made of, read fast: [-]digits[.digits] of at most 19 digits.
 * Whatever else stands there is the business of hal_number_scan, which reads these to the same
 * values. */
#ifndef HAL_BASE_NUMBER_PLAIN_H
#define HAL_BASE_NUMBER_PLAIN_H

#include "base/compiler.h"
#include "base/number.h"

#include <string.h>

enum { HAL_NUMBER_PLAIN_SLACK = 8 }; /* bytes beyond the number that must be readable */

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* The value of eight digits that were loaded as one word (Lemire's method). */
static inline uint64_t hal_number_eight_digits(uint64_t v)
{
    v -= 0x3030303030303030u;
    v = v * 10 + (v >> 8);
    return ((v & 0x000000ff000000ffu) * 0x000f424000000064u +
            ((v >> 16) & 0x000000ff000000ffu) * 0x0000271000000001u) >>
           32;
}
#endif

/* Adds the digits at `p` to *w, which may run over; returns their end. */
static inline const char *hal_number_plain_digits(const char *p, uint64_t *w)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    static const uint32_t power[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
    for (;; p += 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        uint64_t other = ((v + 0x4646464646464646u) | (v - 0x3030303030303030u)) & /* no digit */
                         0x8080808080808080u;
        if (!other) {
            *w = *w * 100000000 + hal_number_eight_digits(v);
            continue;
        }
        unsigned n = (unsigned)__builtin_ctzll(other) / 8; /* the lowest mark is never a carry */
        if (n) {
            v = v << (64 - 8 * n) | UINT64_C(0x3030303030303030) >> 8 * n;
            *w = *w * power[n] + hal_number_eight_digits(v);
        }
        return p + n;
    }
#else
    for (; (unsigned char)(*p - '0') < 10; p++)
        *w = *w * 10 + (uint64_t)(*p - '0');
    return p;
#endif
}

/** HAL_NUMBER_INT, HAL_NUMBER_FLOAT or HAL_NUMBER_NONE: not such a number ("-0" neither). A number
 * must end before HAL_NUMBER_PLAIN_SLACK readable bytes; what follows it, an exponent too, is for
 * the caller to look at. */
static inline hal_number_kind hal_number_scan_plain(const char *p, hal_number *out)
{
    static const double power_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,
                                          1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13,
                                          1e14, 1e15, 1e16, 1e17, 1e18, 1e19};
    const char *start = p;
    bool minus = *p == '-';
    const char *first = p += minus;
    uint64_t w = 0;
    p = hal_number_plain_digits(p, &w);
    size_t n = (size_t)(p - first), n_decimals = 0;
    if (n == 0 || (n > 1 && *first == '0'))
        return HAL_NUMBER_NONE;
    if (*p == '.') {
        const char *fraction = ++p;
        p = hal_number_plain_digits(p, &w);
        n_decimals = (size_t)(p - fraction);
        if (n_decimals == 0)
            return HAL_NUMBER_NONE;
    }
    if (n + n_decimals > 19)
        return HAL_NUMBER_NONE;
    out->size_bytes = (size_t)(p - start);
    if (n_decimals == 0) {
        if (w > INT64_MAX || (minus && w == 0))
            return HAL_NUMBER_NONE;
        out->i = minus ? -(int64_t)w : (int64_t)w;
        return HAL_NUMBER_INT;
    }
    double d;
    if (HAL_LIKELY(w <= UINT64_C(1) << 53))
        d = (double)w / power_of_ten[n_decimals];
    else if (!hal_number_scale(w, -(int)n_decimals, &d))
        return HAL_NUMBER_NONE;
    out->d = minus ? -d : d;
    return HAL_NUMBER_FLOAT;
}

#endif
