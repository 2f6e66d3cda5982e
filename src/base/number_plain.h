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

/* Eight digits at once (Lemire's method); false when they are not all digits. */
static inline bool hal_number_eight_digits(const char *p, uint64_t *out)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t v;
    memcpy(&v, p, 8);
    if (((v + 0x4646464646464646u) | (v - 0x3030303030303030u)) & 0x8080808080808080u)
        return false;
    v -= 0x3030303030303030u;
    v = v * 10 + (v >> 8);
    *out = ((v & 0x000000ff000000ffu) * 0x000f424000000064u +
            ((v >> 16) & 0x000000ff000000ffu) * 0x0000271000000001u) >>
           32;
    return true;
#else
    (void)p;
    (void)out;
    return false;
#endif
}

static inline const char *hal_number_plain_digits(const char *p, uint64_t *w)
{
    uint64_t part;
    while (hal_number_eight_digits(p, &part)) {
        *w = *w * 100000000 + part;
        p += 8;
    }
    for (; (unsigned char)(*p - '0') < 10; p++)
        *w = *w * 10 + (uint64_t)(*p - '0');
    return p;
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
