/* SPDX-License-Identifier: BSD-3-Clause */
/* The numbers most tables are full of, [-]digits[.digits], eight digits at a time; every other
 * spelling is for base/number.h. Private to this folder. */
#ifndef HAL_DATA_PLAIN_NUMBER_H
#define HAL_DATA_PLAIN_NUMBER_H

#include "base/compiler.h"
#include "base/number.h"

typedef struct hal_plain_number {
    uint64_t w;
    int decimals; /* -1: no point */
    bool minus;
    const char *end;
} hal_plain_number;

/* Adds the digits at `p` to w, eight at once (Lemire's method); returns their end. */
static inline const char *hal_plain_digits(const char *p, uint64_t *w)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    static const uint32_t powers[] = {1,      10,      100,      1000,     10000,
                                      100000, 1000000, 10000000, 100000000};
    unsigned n = 8;
    while (n == 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        v ^= 0x3030303030303030u; /* digits: 0 to 9 */
        uint64_t others = ((v + 0x7676767676767676u) | v) & 0x8080808080808080u;
        n = others ? (unsigned)__builtin_ctzll(others) / 8 : 8;
        if (!n)
            break;
        v <<= 64 - 8 * n; /* zeros before them */
        v = v * 10 + (v >> 8);
        v = ((v & 0x000000ff000000ffu) * 0x000f424000000064u +
             ((v >> 16) & 0x000000ff000000ffu) * 0x0000271000000001u) >>
            32;
        *w = *w * powers[n] + v;
        p += n;
    }
#else
    for (; (unsigned char)(*p - '0') < 10; p++)
        *w = *w * 10 + (uint64_t)(*p - '0');
#endif
    return p;
}

/** Without leading zeros and with at most 19 digits. At least 8 bytes beyond the number can be
 * read, and no digits without end stand there. */
static inline bool hal_plain_number_scan(const char *p, hal_plain_number *out)
{
    out->minus = *p == '-';
    p += out->minus;
    const char *first = p;
    uint64_t w = 0;
    p = hal_plain_digits(p, &w);
    size_t n = (size_t)(p - first);
    if (n == 0 || (n > 1 && *first == '0'))
        return false;
    out->decimals = -1;
    if (*p == '.') {
        const char *fraction = ++p;
        p = hal_plain_digits(p, &w);
        if (p == fraction)
            return false;
        n += (size_t)(p - fraction);
        out->decimals = (int)(p - fraction);
    }
    out->w = w;
    out->end = p;
    return n <= 19;
}

/** Correctly rounded; false: for base/number.h. */
static inline bool hal_plain_number_double(const hal_plain_number *v, double *out)
{
    static const double power_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,
                                          1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13,
                                          1e14, 1e15, 1e16, 1e17, 1e18, 1e19};
    int k = v->decimals < 0 ? 0 : v->decimals;
    double d;
    if (HAL_LIKELY(v->w <= UINT64_C(1) << 53))
        d = (double)v->w / power_of_ten[k];
    else if (!hal_number_scale(v->w, -k, &d))
        return false;
    *out = v->minus ? -d : d;
    return true;
}

#endif
