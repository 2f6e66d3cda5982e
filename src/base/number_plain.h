/* SPDX-License-Identifier: BSD-3-Clause */
/* The numbers that most tables are made of, read fast: [-]digits[.digits] of at most 19 digits
 * without leading zeros. Whatever else stands there is the business of base/number.h, which reads
 * these to the same values. */
#ifndef HAL_BASE_NUMBER_PLAIN_H
#define HAL_BASE_NUMBER_PLAIN_H

#include "base/compiler.h"
#include "base/number.h"

#include <string.h>

enum { HAL_NUMBER_PLAIN_SLACK = 8 }; /* bytes beyond the number that must be readable */

typedef struct hal_number_plain {
    uint64_t w;   /* its digits as an integer */
    int decimals; /* digits behind the point; -1: there is no point */
    bool minus;
    const char *end;
} hal_number_plain;

/* Adds the digits at `p` to *w, which may run over; returns their end. Eight at a time (Lemire's
 * method), without a branch on their number, which cannot be predicted. */
static HAL_ALWAYS_INLINE const char *hal_number_plain_digits(const char *p, uint64_t *w)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    static const uint64_t power[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    for (;;) {
        uint64_t v;
        memcpy(&v, p, 8);
        uint64_t values = v - 0x3030303030303030u;
        uint64_t other = ((v + 0x4646464646464646u) | values) & 0x8080808080808080u;
        /* The lowest mark is never a carry. */
        unsigned n = other ? (unsigned)__builtin_ctzll(other) / 8 : 8;
        if (n == 0)
            return p;
        values <<= 64 - 8 * n;
        values = values * 10 + (values >> 8);
        values = ((values & 0x000000ff000000ffu) * 0x000f424000000064u +
                  ((values >> 16) & 0x000000ff000000ffu) * 0x0000271000000001u) >>
                 32;
        *w = *w * power[n] + values;
        p += n;
        if (n < 8)
            return p;
    }
#else
    for (; (unsigned char)(*p - '0') < 10; p++)
        *w = *w * 10 + (uint64_t)(*p - '0');
    return p;
#endif
}

/** False: not such a number. It must end before HAL_NUMBER_PLAIN_SLACK readable bytes; what follows
 * it, an exponent too, is for the caller to look at. */
static HAL_ALWAYS_INLINE bool hal_number_plain_scan(const char *p, hal_number_plain *out)
{
    out->minus = *p == '-';
    const char *first = p += out->minus;
    uint64_t w = 0;
    p = hal_number_plain_digits(p, &w);
    size_t n = (size_t)(p - first);
    if (n == 0 || (n > 1 && *first == '0'))
        return false;
    out->decimals = -1;
    if (*p == '.') {
        const char *fraction = ++p;
        p = hal_number_plain_digits(p, &w);
        out->decimals = (int)(p - fraction);
        n += (size_t)(p - fraction);
        if (p == fraction)
            return false;
    }
    out->w = w;
    out->end = p;
    return n <= 19;
}

/** Its value, correctly rounded; false: for base/number.h. */
static inline bool hal_number_plain_double(const hal_number_plain *v, double *out)
{
    static const double power_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,
                                          1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13,
                                          1e14, 1e15, 1e16, 1e17, 1e18, 1e19};
    static const double sign[] = {1, -1}; /* not to be predicted either */
    int k = v->decimals < 0 ? 0 : v->decimals;
    double d;
    if (HAL_LIKELY(v->w <= UINT64_C(1) << 53))
        d = (double)v->w / power_of_ten[k];
    else if (!hal_number_scale(v->w, -k, &d))
        return false;
    *out = d * sign[v->minus];
    return true;
}

#endif
