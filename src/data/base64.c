/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/base64.h"

#include "base/compiler.h"

enum { BLANK = 64, PADDING = 65, WRONG = 255 };

#define W WRONG
static const uint8_t value_of[256] = {
    W,  W,       W,  W,  W,  W,  W,  W,  W,  BLANK, BLANK, W,  W,     BLANK, W,  W,  W,  W,  W,  W,
    W,  W,       W,  W,  W,  W,  W,  W,  W,  W,     W,     W,  BLANK, W,     W,  W,  W,  W,  W,  W,
    W,  W,       W,  62, W,  W,  W,  63, 52, 53,    54,    55, 56,    57,    58, 59, 60, 61, W,  W,
    W,  PADDING, W,  W,  W,  0,  1,  2,  3,  4,     5,     6,  7,     8,     9,  10, 11, 12, 13, 14,
    15, 16,      17, 18, 19, 20, 21, 22, 23, 24,    25,    W,  W,     W,     W,  W,  W,  26, 27, 28,
    29, 30,      31, 32, 33, 34, 35, 36, 37, 38,    39,    40, 41,    42,    43, 44, 45, 46, 47, 48,
    49, 50,      51, W,  W,  W,  W,  W,  W,  W,     W,     W,  W,     W,     W,  W,  W,  W,  W,  W,
    W,  W,       W,  W,  W,  W,  W,  W,  W,  W,     W,     W,  W,     W,     W,  W,  W,  W,  W,  W,
    W,  W,       W,  W,  W,  W,  W,  W,  W,  W,     W,     W,  W,     W,     W,  W,  W,  W,  W,  W,
    W,  W,       W,  W,  W,  W,  W,  W,  W,  W,     W,     W,  W,     W,     W,  W,  W,  W,  W,  W,
    W,  W,       W,  W,  W,  W,  W,  W,  W,  W,     W,     W,  W,     W,     W,  W,  W,  W,  W,  W,
    W,  W,       W,  W,  W,  W,  W,  W,  W,  W,     W,     W,  W,     W,     W,  W,  W,  W,  W,  W,
    W,  W,       W,  W,  W,  W,  W,  W,  W,  W,     W,     W};
#undef W

static inline uint8_t value(char c)
{
    return value_of[(unsigned char)c];
}

size_t hal_base64_decode(hal_base64 *b, const char *text, size_t n, uint8_t *out,
                         const char **wrong)
{
    const char *p = text, *end = text + n;
    uint8_t *at = out;
    *wrong = NULL;
    while (p < end) {
        if (b->n_digits == 0 && b->n_padding == 0)
            for (; end - p >= 8; p += 8, at += 6) {
                uint8_t v0 = value(p[0]), v1 = value(p[1]), v2 = value(p[2]), v3 = value(p[3]);
                uint8_t v4 = value(p[4]), v5 = value(p[5]), v6 = value(p[6]), v7 = value(p[7]);
                if (HAL_UNLIKELY((v0 | v1 | v2 | v3 | v4 | v5 | v6 | v7) & 0xc0))
                    break;
                uint32_t x = (uint32_t)v0 << 18 | (uint32_t)v1 << 12 | (uint32_t)v2 << 6 | v3;
                uint32_t y = (uint32_t)v4 << 18 | (uint32_t)v5 << 12 | (uint32_t)v6 << 6 | v7;
                at[0] = (uint8_t)(x >> 16);
                at[1] = (uint8_t)(x >> 8);
                at[2] = (uint8_t)x;
                at[3] = (uint8_t)(y >> 16);
                at[4] = (uint8_t)(y >> 8);
                at[5] = (uint8_t)y;
            }
        if (p == end)
            break;
        uint8_t v = value(*p);
        if (v < 64 && b->n_padding == 0) {
            b->bits = b->bits << 6 | v;
            if (++b->n_digits == 4) {
                at[0] = (uint8_t)(b->bits >> 16);
                at[1] = (uint8_t)(b->bits >> 8);
                at[2] = (uint8_t)b->bits;
                at += 3;
                *b = (hal_base64){0};
            }
        } else if (v == PADDING && b->n_digits >= 2 && b->n_digits + b->n_padding < 4) {
            b->n_padding++;
        } else if (v != BLANK) {
            *wrong = p;
            break;
        }
        p++;
    }
    return (size_t)(at - out);
}

bool hal_base64_finish(hal_base64 *b, uint8_t *out, size_t *n_bytes)
{
    *n_bytes = 0;
    if (b->n_digits == 1 || (b->n_padding && b->n_digits + b->n_padding != 4))
        return false;
    uint32_t bits = b->bits;
    if (b->n_digits == 2) {
        out[0] = (uint8_t)(bits >> 4);
        *n_bytes = 1;
    } else if (b->n_digits == 3) {
        out[0] = (uint8_t)(bits >> 10);
        out[1] = (uint8_t)(bits >> 2);
        *n_bytes = 2;
    }
    *b = (hal_base64){0};
    return true;
}

size_t hal_base64_encode(const uint8_t *bytes, size_t n, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *at = out;
    for (; n >= 3; n -= 3, bytes += 3, at += 4) {
        uint32_t x = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2];
        at[0] = digits[x >> 18];
        at[1] = digits[x >> 12 & 63];
        at[2] = digits[x >> 6 & 63];
        at[3] = digits[x & 63];
    }
    if (n) {
        uint32_t x = (uint32_t)bytes[0] << 16 | (n > 1 ? (uint32_t)bytes[1] << 8 : 0);
        at[0] = digits[x >> 18];
        at[1] = digits[x >> 12 & 63];
        at[2] = n > 1 ? digits[x >> 6 & 63] : '=';
        at[3] = '=';
        at += 4;
    }
    return (size_t)(at - out);
}
