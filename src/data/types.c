/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/types.h"

#include "base/number.h"

#include <math.h>

static const struct {
    const char *name;
    unsigned bits;
} about[HAL_TYPES] = {
    [HAL_TYPE_BOOL] = {"bool", 1},
    [HAL_TYPE_INT64] = {"int64", 64},
    [HAL_TYPE_FLOAT64] = {"float64", 64},
    [HAL_TYPE_STRING] = {"string", 0},
    [HAL_TYPE_UINT8] = {"uint8", 8},
    [HAL_TYPE_INT16] = {"int16", 16},
    [HAL_TYPE_INT32] = {"int32", 32},
    [HAL_TYPE_FLOAT32] = {"float32", 32},
    [HAL_TYPE_TIMESTAMP] = {"timestamp", 64},
    [HAL_TYPE_COMPLEX64] = {"complex64", 64},
    [HAL_TYPE_COMPLEX128] = {"complex128", 128},
};

const char *hal_type_name(hal_type type)
{
    return about[type].name;
}

unsigned hal_type_bits(hal_type type)
{
    return about[type].bits;
}

bool hal_type_is_integer(hal_type type)
{
    return type == HAL_TYPE_UINT8 || type == HAL_TYPE_INT16 || type == HAL_TYPE_INT32 ||
           type == HAL_TYPE_INT64;
}

bool hal_type_is_float(hal_type type)
{
    return type == HAL_TYPE_FLOAT32 || type == HAL_TYPE_FLOAT64;
}

static bool is_complex(hal_type type)
{
    return type == HAL_TYPE_COMPLEX64 || type == HAL_TYPE_COMPLEX128;
}

hal_type hal_type_unite(hal_type a, hal_type b)
{
    if (a == b)
        return a;
    if (is_complex(a) && is_complex(b))
        return HAL_TYPE_COMPLEX128;
    bool int_a = hal_type_is_integer(a), int_b = hal_type_is_integer(b);
    if (int_a && int_b)
        return hal_type_bits(a) > hal_type_bits(b) ? a : b;
    if (!(int_a || hal_type_is_float(a)) || !(int_b || hal_type_is_float(b)))
        return HAL_TYPE_STRING;
    hal_type integer = int_a ? a : b, other = int_a ? b : a;
    bool narrow = (int_a || int_b) && other == HAL_TYPE_FLOAT32 && hal_type_bits(integer) <= 16;
    return narrow ? HAL_TYPE_FLOAT32 : HAL_TYPE_FLOAT64;
}

int32_t hal_width_unite(int32_t a, int32_t b)
{
    a = a ? a : 1;
    b = b ? b : 1;
    return a == b ? a : HAL_WIDTH_VARIABLE;
}

/* --- Bitmaps ------------------------------------------------------------------------------------
 */

void hal_bits_fill(uint8_t *bits, uint64_t first, uint64_t n, bool on)
{
    uint64_t end = first + n;
    for (; first < end && first % 8; first++)
        hal_bit_set(bits, first, on);
    uint64_t whole = (end - first) / 8;
    if (whole)
        memset(bits + first / 8, on ? 0xff : 0, (size_t)whole);
    for (first += 8 * whole; first < end; first++)
        hal_bit_set(bits, first, on);
}

void hal_bits_copy(uint8_t *to, uint64_t at, const uint8_t *from, uint64_t first, uint64_t n)
{
    for (; n && at % 8; n--)
        hal_bit_set(to, at++, hal_bit(from, first++));
    uint64_t whole = n / 8;
    unsigned shift = first % 8;
    const uint8_t *p = from + first / 8;
    if (!shift && whole)
        memcpy(to + at / 8, p, (size_t)whole);
    for (uint64_t i = 0; shift && i < whole; i++)
        to[at / 8 + i] = (uint8_t)(p[i] >> shift | p[i + 1] << (8 - shift));
    for (uint64_t i = 8 * whole; i < n; i++)
        hal_bit_set(to, at + i, hal_bit(from, first + i));
}

uint64_t hal_bits_count(const uint8_t *bits, uint64_t first, uint64_t n)
{
    uint64_t count = 0, end = first + n;
    for (; first < end && first % 8; first++)
        count += hal_bit(bits, first);
    for (; end - first >= 64; first += 64) {
        uint64_t w;
        memcpy(&w, bits + first / 8, sizeof w);
        w -= w >> 1 & UINT64_C(0x5555555555555555);
        w = (w & UINT64_C(0x3333333333333333)) + (w >> 2 & UINT64_C(0x3333333333333333));
        count +=
            ((w + (w >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f)) * UINT64_C(0x0101010101010101) >> 56;
    }
    for (; first < end; first++)
        count += hal_bit(bits, first);
    return count;
}

/* --- Timestamps ---------------------------------------------------------------------------------
 */

enum { SECOND_US = 1000000 };
static const int64_t day_us = INT64_C(86400) * SECOND_US;

static size_t put_digits(char *out, uint64_t v, int n)
{
    for (int i = n; i-- > 0; v /= 10)
        out[i] = (char)('0' + v % 10);
    return (size_t)n;
}

/* Proleptic Gregorian calendar in eras of 400 years that begin on March 1st. */
size_t hal_timestamp_print(char out[HAL_TIMESTAMP_TEXT_MAX], int64_t us)
{
    int64_t day = us / day_us, rest = us % day_us;
    if (rest < 0) {
        rest += day_us;
        day--;
    }
    int64_t z = day + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int64_t month = mp < 10 ? mp + 3 : mp - 9, year = yoe + era * 400 + (month <= 2);
    char *p = out;
    bool plain = year >= 0 && year <= 9999;
    if (!plain)
        *p++ = year < 0 ? '-' : '+';
    p += put_digits(p, (uint64_t)(year < 0 ? -year : year), plain ? 4 : 6);
    *p++ = '-';
    p += put_digits(p, (uint64_t)month, 2);
    *p++ = '-';
    p += put_digits(p, (uint64_t)(doy - (153 * mp + 2) / 5 + 1), 2);
    *p++ = 'T';
    int64_t seconds = rest / SECOND_US;
    p += put_digits(p, (uint64_t)(seconds / 3600), 2);
    *p++ = ':';
    p += put_digits(p, (uint64_t)(seconds / 60 % 60), 2);
    *p++ = ':';
    p += put_digits(p, (uint64_t)(seconds % 60), 2);
    if (rest % SECOND_US) {
        *p++ = '.';
        p += put_digits(p, (uint64_t)(rest % SECOND_US), 6);
        while (p[-1] == '0')
            p--;
    }
    *p++ = 'Z';
    return (size_t)(p - out);
}

/* `n` digits at *p; false, with *p anywhere, when they are not there. */
static bool take_digits(const char **p, const char *end, int n, int64_t *out)
{
    *out = 0;
    for (; n; n--, ++*p) {
        if (*p == end || **p < '0' || **p > '9')
            return false;
        *out = 10 * *out + (**p - '0');
    }
    return true;
}

static bool take_char(const char **p, const char *end, char c)
{
    return *p < end && *(*p)++ == c;
}

static bool take_fraction(const char **p, const char *end, int64_t *us)
{
    int64_t unit = SECOND_US;
    int n = 0;
    for (; *p < end && **p >= '0' && **p <= '9'; ++*p, n++) {
        unit /= 10;
        if (n == 9 || (!unit && **p != '0'))
            return false;
        *us += unit * (**p - '0');
    }
    return n > 0;
}

bool hal_timestamp_read(hal_slice text, int64_t *us)
{
    static const char days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const char *p = text.data, *end = p + text.size_bytes;
    int64_t year, month, day, hour = 0, minute = 0, second = 0, fraction = 0;
    bool sign = p < end && (*p == '-' || *p == '+'), before = sign && *p == '-';
    p += sign;
    if (!take_digits(&p, end, sign ? 6 : 4, &year) || !take_char(&p, end, '-') ||
        !take_digits(&p, end, 2, &month) || !take_char(&p, end, '-') ||
        !take_digits(&p, end, 2, &day))
        return false;
    if (p < end && (*p == 'T' || *p == ' ')) {
        p++;
        if (!take_digits(&p, end, 2, &hour) || !take_char(&p, end, ':') ||
            !take_digits(&p, end, 2, &minute) || !take_char(&p, end, ':') ||
            !take_digits(&p, end, 2, &second))
            return false;
        if (p < end && *p == '.' && (p++, !take_fraction(&p, end, &fraction)))
            return false;
        if (p < end && *p == 'Z')
            p++;
    }
    year = before ? -year : year;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (p != end || month < 1 || month > 12 || day < 1 || day > days[month - 1] ||
        (month == 2 && day == 29 && !leap) || hour > 23 || minute > 59 || second > 59 ||
        year > 294247 || year < -290308)
        return false;
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, yoe = year - era * 400;
    int64_t doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t n_days = era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
    int64_t rest = ((hour * 60 + minute) * 60 + second) * SECOND_US + fraction;
    if (n_days < 0) { /* so that no step leaves the range that the whole does not leave */
        n_days++;
        rest -= day_us;
    }
    if (n_days > INT64_MAX / day_us || n_days < INT64_MIN / day_us ||
        (rest > 0 ? n_days * day_us > INT64_MAX - rest : n_days * day_us < INT64_MIN - rest))
        return false;
    *us = n_days * day_us + rest;
    return true;
}

/* --- Items --------------------------------------------------------------------------------------
 */

bool hal_item_is_null(const hal_column *c, uint64_t i_item)
{
    return c->item_valid && !hal_bit(c->item_valid, i_item);
}

bool hal_item_bool(const hal_column *c, uint64_t i_item)
{
    return hal_bit(c->values, i_item);
}

static int64_t get_int64(const void *values, hal_type type, uint64_t i)
{
    switch (type) {
    case HAL_TYPE_UINT8:
        return ((const uint8_t *)values)[i];
    case HAL_TYPE_INT16:
        return ((const int16_t *)values)[i];
    case HAL_TYPE_INT32:
        return ((const int32_t *)values)[i];
    default:
        return ((const int64_t *)values)[i];
    }
}

static double get_float64(const void *values, hal_type type, uint64_t i)
{
    return type == HAL_TYPE_FLOAT32 ? (double)((const float *)values)[i]
                                    : ((const double *)values)[i];
}

static void get_complex(const void *values, hal_type type, uint64_t i, double out[2])
{
    hal_type part = type == HAL_TYPE_COMPLEX64 ? HAL_TYPE_FLOAT32 : HAL_TYPE_FLOAT64;
    out[0] = get_float64(values, part, 2 * i);
    out[1] = get_float64(values, part, 2 * i + 1);
}

int64_t hal_item_int64(const hal_column *c, hal_type type, uint64_t i_item)
{
    return get_int64(c->values, type, i_item);
}

double hal_item_float64(const hal_column *c, hal_type type, uint64_t i_item)
{
    return get_float64(c->values, type, i_item);
}

void hal_item_complex(const hal_column *c, hal_type type, uint64_t i_item, double out[2])
{
    get_complex(c->values, type, i_item, out);
}

static bool put_int64(void *values, hal_type type, uint64_t i, int64_t v)
{
    switch (type) {
    case HAL_TYPE_UINT8:
        ((uint8_t *)values)[i] = (uint8_t)v;
        return v >= 0 && v <= UINT8_MAX;
    case HAL_TYPE_INT16:
        ((int16_t *)values)[i] = (int16_t)v;
        return v >= INT16_MIN && v <= INT16_MAX;
    case HAL_TYPE_INT32:
        ((int32_t *)values)[i] = (int32_t)v;
        return v >= INT32_MIN && v <= INT32_MAX;
    case HAL_TYPE_INT64:
        ((int64_t *)values)[i] = v;
        return true;
    case HAL_TYPE_FLOAT32:
        ((float *)values)[i] = (float)v;
        return v >= -(1 << 24) && v <= 1 << 24;
    case HAL_TYPE_FLOAT64:
        ((double *)values)[i] = (double)v;
        return hal_number_fits_double(v);
    default:
        return false;
    }
}

bool hal_item_convert(void *to, hal_type to_type, uint64_t to_i, const void *from,
                      hal_type from_type, uint64_t from_i)
{
    if (hal_type_is_integer(from_type))
        return put_int64(to, to_type, to_i, get_int64(from, from_type, from_i));
    if (from_type == HAL_TYPE_BOOL) {
        if (to_type == HAL_TYPE_BOOL)
            hal_bit_set(to, to_i, hal_bit(from, from_i));
        return to_type == HAL_TYPE_BOOL;
    }
    if (from_type == to_type && to_type != HAL_TYPE_STRING) {
        size_t size = hal_type_bits(to_type) / 8;
        memcpy((char *)to + to_i * size, (const char *)from + from_i * size, size);
        return true;
    }
    if (from_type == HAL_TYPE_FLOAT32 && to_type == HAL_TYPE_FLOAT64) {
        ((double *)to)[to_i] = (double)((const float *)from)[from_i];
        return true;
    }
    if (from_type == HAL_TYPE_COMPLEX64 && to_type == HAL_TYPE_COMPLEX128) {
        get_complex(from, from_type, from_i, (double *)to + 2 * to_i);
        return true;
    }
    return false;
}

static size_t print_real(char *out, double v, bool is_float)
{
    return is_float ? hal_number_print_plain_float(out, (float)v) : hal_number_print_plain(out, v);
}

static size_t print_item(char *out, const hal_column *c, hal_type type, uint64_t i_item,
                         bool promoted)
{
    double pair[2];
    char part[HAL_DOUBLE_TEXT_MAX];
    size_t n = 0;
    switch (type) {
    case HAL_TYPE_BOOL:
        n = hal_item_bool(c, i_item) ? 4 : 5;
        memcpy(out, n == 4 ? "true" : "false", n);
        return n;
    case HAL_TYPE_UINT8:
    case HAL_TYPE_INT16:
    case HAL_TYPE_INT32:
    case HAL_TYPE_INT64:
        return hal_number_print_int64(out, hal_item_int64(c, type, i_item));
    case HAL_TYPE_FLOAT32:
    case HAL_TYPE_FLOAT64:
        return print_real(out, hal_item_float64(c, type, i_item),
                          type == HAL_TYPE_FLOAT32 && !promoted);
    case HAL_TYPE_TIMESTAMP:
        return hal_timestamp_print(out, hal_item_int64(c, type, i_item));
    case HAL_TYPE_COMPLEX64:
    case HAL_TYPE_COMPLEX128:
        hal_item_complex(c, type, i_item, pair);
        for (int k = 0; k < 2; k++) {
            out[n++] = k ? ',' : '[';
            size_t size = print_real(part, pair[k], type == HAL_TYPE_COMPLEX64 && !promoted);
            memcpy(out + n, part, size);
            n += size;
        }
        out[n++] = ']';
        return n;
    case HAL_TYPE_STRING:
        break;
    }
    return 0;
}

size_t hal_item_print(char out[HAL_CELL_TEXT_MAX], const hal_column *c, hal_type type,
                      uint64_t i_item)
{
    return print_item(out, c, type, i_item, false);
}

size_t hal_item_print_promoted(char out[HAL_CELL_TEXT_MAX], const hal_column *c, hal_type type,
                               uint64_t i_item)
{
    return print_item(out, c, type, i_item, true);
}
