/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/base64.h"

#include "base/compiler.h"

enum { BLANK = 64, PADDING = 65, WRONG = 255, NO_DIGIT = 1 << 24 };

#define W WRONG
/* What each byte of text stands for. */
#define VALUES(F)                                                                                  \
    F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(BLANK), F(BLANK), F(W), F(W),          \
        F(BLANK), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W),    \
        F(W), F(W), F(W), F(W), F(W), F(BLANK), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W),    \
        F(W), F(W), F(62), F(W), F(W), F(W), F(63), F(52), F(53), F(54), F(55), F(56), F(57),      \
        F(58), F(59), F(60), F(61), F(W), F(W), F(W), F(PADDING), F(W), F(W), F(W), F(0), F(1),    \
        F(2), F(3), F(4), F(5), F(6), F(7), F(8), F(9), F(10), F(11), F(12), F(13), F(14), F(15),  \
        F(16), F(17), F(18), F(19), F(20), F(21), F(22), F(23), F(24), F(25), F(W), F(W), F(W),    \
        F(W), F(W), F(W), F(26), F(27), F(28), F(29), F(30), F(31), F(32), F(33), F(34), F(35),    \
        F(36), F(37), F(38), F(39), F(40), F(41), F(42), F(43), F(44), F(45), F(46), F(47), F(48), \
        F(49), F(50), F(51), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W),     \
        F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W),  \
        F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W),  \
        F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W),  \
        F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W),  \
        F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W),  \
        F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W),  \
        F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W),  \
        F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W), F(W),  \
        F(W), F(W)
#define SAME(v) v
#define SHIFTED(v, n) ((v) < 64 ? (uint32_t)(v) << (n) : NO_DIGIT)
#define FIRST(v) SHIFTED(v, 18)
#define SECOND(v) SHIFTED(v, 12)
#define THIRD(v) SHIFTED(v, 6)
#define FOURTH(v) SHIFTED(v, 0)
static const uint8_t value_of[256] = {VALUES(SAME)};
/* The same as bits of the 24 that four digits make. */
static const uint32_t bits_of[4][256] = {
    {VALUES(FIRST)}, {VALUES(SECOND)}, {VALUES(THIRD)}, {VALUES(FOURTH)}};
#undef W

static inline uint8_t value(char c)
{
    return value_of[(unsigned char)c];
}

/* 24 bits; NO_DIGIT or more: not four digits. */
static inline uint32_t four_digits(const char *p)
{
    return bits_of[0][(unsigned char)p[0]] | bits_of[1][(unsigned char)p[1]] |
           bits_of[2][(unsigned char)p[2]] | bits_of[3][(unsigned char)p[3]];
}

size_t hal_base64_decode(hal_base64 *b, const char *text, size_t n, uint8_t *out,
                         const char **wrong)
{
    const char *p = text, *end = text + n;
    uint8_t *at = out;
    *wrong = NULL;
    while (p < end) {
        if (b->n_digits == 0 && b->n_padding == 0)
            for (; end - p >= 4; p += 4, at += 3) {
                uint32_t x = four_digits(p);
                if (HAL_UNLIKELY(x >= NO_DIGIT))
                    break;
                at[0] = (uint8_t)(x >> 16);
                at[1] = (uint8_t)(x >> 8);
                at[2] = (uint8_t)x;
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
