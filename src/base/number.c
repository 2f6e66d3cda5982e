/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/number.h"

#include "base/compiler.h"

#include <math.h>

enum { POWER_MIN = -342, POWER_MAX = 324, DIGITS_MAX = 800 };

static const uint64_t powers[POWER_MAX - POWER_MIN + 1][2] = {
#include "base/number_powers.inc"
};

__extension__ typedef unsigned __int128 u128;

static double from_bits(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

static uint64_t to_bits(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}

static uint32_t float_bits(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* floor(log2(10^q)) for the range of the table. */
static int log2_of_power(int q)
{
    return (q * 217706) >> 16;
}

/* The double nearest to w * 10^q, w > 0, without sign (Eisel-Lemire). False: undecided; then `bits`
 * is the double below or at it. */
static bool nearest(uint64_t w, int q, uint64_t *bits)
{
    if (q < POWER_MIN) {
        *bits = 0;
        return true;
    }
    if (q > 308) {
        *bits = UINT64_C(0x7ff) << 52;
        return true;
    }
    int shift = __builtin_clzll(w);
    w <<= shift;
    const uint64_t *power = powers[q - POWER_MIN];
    u128 product = (u128)w * power[0];
    uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
    bool exact = true;
    if ((high & 0x1ff) == 0x1ff) {
        uint64_t more = (uint64_t)(((u128)w * power[1]) >> 64);
        low += more;
        high += low < more;
        exact = low != UINT64_MAX || (q >= -27 && q <= 55);
    }
    int upper = (int)(high >> 63);
    uint64_t m = high >> (upper + 64 - 52 - 3);
    int exponent = log2_of_power(q) + 63 + upper - shift + 1023;
    if (exponent <= 0) { /* subnormal */
        if (-exponent + 1 >= 64) {
            *bits = 0;
            return exact;
        }
        m >>= -exponent + 1;
        if (!exact) {
            *bits = m >> 1;
            return false;
        }
        m += m & 1;
        m >>= 1;
        *bits = m; /* a carry to 2^52 is the smallest normal number */
        return true;
    }
    if (!exact) {
        *bits = (m >> 1 & ~(UINT64_C(1) << 52)) | (uint64_t)exponent << 52;
        return false;
    }
    /* Half-way cases only arise where 5^q is small. */
    if (low <= 1 && q >= -4 && q <= 23 && (m & 3) == 1 && m << (upper + 64 - 52 - 3) == high)
        m &= ~UINT64_C(1);
    m += m & 1;
    m >>= 1;
    if (m >= UINT64_C(1) << 53) {
        m = UINT64_C(1) << 52;
        exponent++;
    }
    *bits = exponent >= 0x7ff ? UINT64_C(0x7ff) << 52
                              : (m & ~(UINT64_C(1) << 52)) | (uint64_t)exponent << 52;
    return true;
}

/* Natural numbers up to 2^5120, for the rare texts that lie next to a half-way point. */
typedef struct big {
    int n;
    uint64_t limb[80];
} big;

static void big_multiply_add(big *b, uint64_t factor, uint64_t add)
{
    for (int i = 0; i < b->n; i++) {
        u128 t = (u128)b->limb[i] * factor + add;
        b->limb[i] = (uint64_t)t;
        add = (uint64_t)(t >> 64);
    }
    if (add && b->n < 80)
        b->limb[b->n++] = add;
}

static void big_scale(big *b, unsigned power_of_ten, unsigned power_of_two)
{
    for (; power_of_ten >= 19; power_of_ten -= 19)
        big_multiply_add(b, UINT64_C(10000000000000000000), 0);
    for (; power_of_ten; power_of_ten--)
        big_multiply_add(b, 10, 0);
    for (; power_of_two >= 63; power_of_two -= 63)
        big_multiply_add(b, UINT64_C(1) << 63, 0);
    big_multiply_add(b, UINT64_C(1) << power_of_two, 0);
}

static int big_compare(const big *a, const big *b)
{
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    for (int i = a->n - 1; i >= 0; i--)
        if (a->limb[i] != b->limb[i])
            return a->limb[i] < b->limb[i] ? -1 : 1;
    return 0;
}

/* The parts of a decimal text: digits (with or without a point among them), then 10^exponent. */
typedef struct decimal {
    const char *digits, *digits_end;
    uint64_t w;       /* its first 19 significant digits */
    int64_t q;        /* value = w * 10^q when not cut */
    bool cut;         /* more than 19 digits */
    int64_t exponent; /* written exponent */
} decimal;

/* Decides between `low` and the next double by comparing with the point half-way: exact. */
static uint64_t nearest_exact(const decimal *d, uint64_t low)
{
    big text = {0};
    int64_t q = d->exponent;
    int n = 0;
    bool point = false, sticky = false;
    for (const char *p = d->digits; p < d->digits_end; p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        if (n || *p != '0') {
            if (n < DIGITS_MAX) {
                if (!text.n) {
                    text.n = 1;
                    text.limb[0] = (uint64_t)(*p - '0');
                } else {
                    big_multiply_add(&text, 10, (uint64_t)(*p - '0'));
                }
                n++;
            } else {
                sticky = sticky || *p != '0';
                q++;
            }
        }
        q -= point;
    }
    int exponent = (int)(low >> 52);
    uint64_t m = low & ((UINT64_C(1) << 52) - 1);
    if (exponent)
        m |= UINT64_C(1) << 52;
    else
        exponent = 1;
    big half = {.n = 1, .limb = {2 * m + 1}};
    int e2 = exponent - 1075 - 1; /* half-way point = (2 m + 1) 2^e2 */
    big_scale(q >= 0 ? &text : &half, (unsigned)(q >= 0 ? q : -q), 0);
    big_scale(e2 >= 0 ? &half : &text, 0, (unsigned)(e2 >= 0 ? e2 : -e2));
    int order = big_compare(&text, &half);
    if (order == 0 && sticky)
        order = 1;
    return low + (order > 0 || (order == 0 && (m & 1)));
}

static double decimal_value(const decimal *d)
{
    static const double exact_power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                         1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                         1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (d->w == 0)
        return 0.0;
    if (!d->cut && d->w <= UINT64_C(1) << 53 && d->q >= -22 && d->q <= 22)
        return d->q < 0 ? (double)d->w / exact_power[-d->q] : (double)d->w * exact_power[d->q];
    int q = d->q < -100000 ? -100000 : d->q > 100000 ? 100000 : (int)d->q;
    uint64_t bits, above;
    bool decided = nearest(d->w, q, &bits);
    if (decided && d->cut) {
        /* The true value lies between w and w + 1. */
        decided = nearest(d->w + 1, q, &above) && above == bits;
        if (!decided)
            bits -= bits > 0 && bits <= UINT64_C(0x7ff) << 52;
    } else if (!decided) {
        bits -= bits > 0;
    }
    if (decided)
        return from_bits(bits);
    /* `bits` is at most two doubles too low: step up until the half-way point lies above. */
    while (bits < UINT64_C(0x7ff) << 52) {
        uint64_t next = nearest_exact(d, bits);
        if (next == bits)
            break;
        bits = next;
    }
    return from_bits(bits);
}

bool hal_number_scale(uint64_t w, int q, double *out)
{
    uint64_t bits = 0;
    if (w && !nearest(w, q, &bits))
        return false;
    *out = from_bits(bits);
    return true;
}

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* Adds the digits at `p` to w; returns their end. */
static const char *take_digits(const char *p, const char *end, decimal *d, int *n_significant,
                               int *n_dropped)
{
    uint64_t w = d->w;
    int n = *n_significant;
    for (; p < end && is_digit(*p); p++) {
        if (n >= 19) {
            d->cut = d->cut || *p != '0';
            ++*n_dropped;
        } else {
            w = w * 10 + (uint64_t)(*p - '0');
            n += w != 0;
        }
    }
    d->w = w;
    *n_significant = n;
    return p;
}

/* `whole`: nothing follows `end`, and ".5" and "5." are numbers too. */
static hal_number_kind scan(const char *p, const char *end, bool whole, hal_number *out)
{
    const char *start = p;
    bool minus = p < end && *p == '-';
    p += minus;
    decimal d = {.digits = p};
    int n = 0, dropped = 0;
    const char *digits = p;
    p = take_digits(p, end, &d, &n, &dropped);
    size_t n_whole = (size_t)(p - digits);
    if (p == end && n_whole == 0)
        return HAL_NUMBER_CUT;
    if ((n_whole == 0 && !(whole && *p == '.')) || (n_whole > 1 && *digits == '0'))
        return HAL_NUMBER_NONE;
    int whole_dropped = dropped;
    bool is_float = false;
    int64_t q = 0;
    if (p < end && *p == '.') {
        const char *fraction = ++p;
        p = take_digits(p, end, &d, &n, &dropped);
        size_t n_fraction = (size_t)(p - fraction);
        if (n_fraction == 0 && !(whole && n_whole))
            return p == end ? HAL_NUMBER_CUT : HAL_NUMBER_NONE;
        q = -(int64_t)n_fraction;
        is_float = true;
    }
    q += dropped;
    d.digits_end = p;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        bool negative = p < end && *p == '-';
        p += p < end && (*p == '-' || *p == '+');
        const char *first = p;
        int64_t e = 0;
        for (; p < end && is_digit(*p); p++)
            if (e < 100000000)
                e = e * 10 + (*p - '0');
        if (p == first)
            return p == end ? HAL_NUMBER_CUT : HAL_NUMBER_NONE;
        d.exponent = negative ? -e : e;
        q += d.exponent;
        is_float = true;
    }
    out->size_bytes = (size_t)(p - start);
    hal_number_kind kind;
    if (!is_float && !(minus && d.w == 0)) {
        uint64_t limit = (UINT64_C(1) << 63) - !minus;
        if (whole_dropped || d.w > limit) {
            d.q = q;
            out->d = minus ? -decimal_value(&d) : decimal_value(&d);
            kind = HAL_NUMBER_BIG;
        } else {
            out->i = minus ? (int64_t)(0 - d.w) : (int64_t)d.w;
            kind = HAL_NUMBER_INT;
        }
    } else {
        d.q = q;
        double v = decimal_value(&d);
        out->d = minus ? -v : v;
        kind = isinf(v) ? HAL_NUMBER_BIG : HAL_NUMBER_FLOAT;
    }
    return p == end && !whole ? HAL_NUMBER_CUT : kind;
}

hal_number_kind hal_number_scan(const char *p, const char *end, hal_number *out)
{
    return scan(p, end, false, out);
}

bool hal_number_read_int64(hal_slice text, int64_t *out)
{
    hal_number v = {0};
    if (text.size_bytes == 0 || text.size_bytes > HAL_INT64_TEXT_MAX ||
        scan(text.data, text.data + text.size_bytes, true, &v) != HAL_NUMBER_INT ||
        v.size_bytes != text.size_bytes)
        return false;
    *out = v.i;
    return true;
}

/* A decimal text as a double; beyond the range, infinity. */
static bool read_decimal(hal_slice text, double *out)
{
    size_t plus = text.size_bytes > 1 && text.data[0] == '+' && text.data[1] != '-';
    hal_number v = {0};
    if (text.size_bytes == 0)
        return false;
    hal_number_kind kind = scan(text.data + plus, text.data + text.size_bytes, true, &v);
    if (kind < HAL_NUMBER_INT || v.size_bytes != text.size_bytes - plus)
        return false;
    *out = kind == HAL_NUMBER_INT ? (double)v.i : v.d;
    return true;
}

bool hal_number_is_beyond_double(hal_slice text)
{
    double v;
    return read_decimal(text, &v) && isinf(v);
}

bool hal_number_read_double(hal_slice text, double *out)
{
    if (hal_slice_equals(text, hal_slice_of("NaN")))
        return *out = (double)NAN, true;
    if (hal_slice_equals(text, hal_slice_of("inf")))
        return *out = HUGE_VAL, true;
    if (hal_slice_equals(text, hal_slice_of("-inf")))
        return *out = -HUGE_VAL, true;
    double v;
    if (!read_decimal(text, &v) || isinf(v))
        return false;
    *out = v;
    return true;
}

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

static size_t typed_length(hal_slice text)
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

size_t hal_number_take_double(hal_slice text, double *out)
{
    size_t n = typed_length(text), from = skip_sign(text, 0);
    if (n == 0 || n > HAL_NUMBER_TYPED_MAX)
        return 0;
    while (from + 1 < n && text.data[from] == '0' && text.data[from + 1] >= '0' &&
           text.data[from + 1] <= '9')
        from++;
    double v;
    if (!hal_number_read_double((hal_slice){text.data + from, n - from}, &v))
        return 0;
    *out = text.data[0] == '-' ? -v : v;
    return n;
}

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

/* Writes the digits of `v` to the end of a field of 20; returns where they begin. */
static char *print_digits(char field[20], uint64_t v)
{
    char *p = field + 20;
    while (v >= 100) {
        p -= 2;
        memcpy(p, pairs + v % 100 * 2, 2);
        v /= 100;
    }
    if (v >= 10) {
        p -= 2;
        memcpy(p, pairs + v * 2, 2);
    } else {
        *--p = (char)('0' + v);
    }
    return p;
}

size_t hal_number_print_int64(char out[HAL_INT64_TEXT_MAX], int64_t v)
{
    char field[20];
    char *digits = print_digits(field, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
    size_t n = (size_t)(field + 20 - digits), minus = v < 0;
    out[0] = '-';
    memcpy(out + minus, digits, n);
    return n + minus;
}

/* The high 64 bits of g * cp, the lowest one set when anything is lost. */
static uint64_t round_to_odd(const uint64_t g[2], uint64_t cp)
{
    u128 low = (u128)g[1] * cp;
    u128 high = (u128)g[0] * cp + (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* A finite number above 0: c * 2^q. */
typedef struct binary {
    uint64_t c;
    int q;
    bool closer; /* the number below is at half the distance of the one above */
} binary;

static binary split(uint64_t bits, int fraction_bits, int bias)
{
    uint64_t one = UINT64_C(1) << fraction_bits, fraction = bits & (one - 1);
    int e = (int)(bits >> fraction_bits);
    return (binary){e ? fraction | one : fraction, (e ? e : 1) - bias - fraction_bits,
                    fraction == 0 && e > 1};
}

/* Shortest decimal digits * 10^*exponent within the numbers that round to `b` (Schubfach). */
static uint64_t shortest(binary b, int *exponent)
{
    uint64_t c = b.c;
    int q = b.q;
    if (q <= 0 && q > -53 && (c & ((UINT64_C(1) << -q) - 1)) == 0) {
        *exponent = 0;
        return c >> -q;
    }
    bool even = c % 2 == 0;
    uint64_t cb = 4 * c, cbl = cb - 2 + b.closer, cbr = cb + 2;
    int k = (q * 1262611 - (b.closer ? 524031 : 0)) >> 22;
    int h = q + ((-k * 1741647) >> 19) + 1;
    uint64_t g[2] = {powers[-k - POWER_MIN][0], powers[-k - POWER_MIN][1]};
    if (-k > 55 || -k < -27) { /* this algorithm wants all inexact powers rounded up */
        g[1]++;
        g[0] += g[1] == 0;
    }
    uint64_t lower = round_to_odd(g, cbl << h) + !even;
    uint64_t v = round_to_odd(g, cb << h);
    uint64_t upper = round_to_odd(g, cbr << h) - !even;
    uint64_t s = v / 4;
    if (s >= 10) {
        uint64_t sp = s / 10;
        bool up_inside = lower <= 40 * sp, wp_inside = 40 * sp + 40 <= upper;
        if (up_inside != wp_inside) {
            *exponent = k + 1;
            return sp + wp_inside;
        }
    }
    bool u_inside = lower <= 4 * s, w_inside = 4 * s + 4 <= upper;
    *exponent = k;
    if (u_inside != w_inside)
        return s + w_inside;
    uint64_t middle = 4 * s + 2;
    return s + (v > middle || (v == middle && (s & 1)));
}

static size_t put(char *out, const char *text)
{
    size_t n = strlen(text);
    memcpy(out, text, n);
    return n;
}

typedef enum spelling { SPELL_DOUBLE, SPELL_FLOAT } spelling;

static size_t print(char *out, double v, spelling as, bool point)
{
    if (isnan(v))
        return put(out, "NaN");
    if (isinf(v))
        return put(out, v < 0 ? "-inf" : "inf");
    char *start = out;
    if (signbit(v))
        *out++ = '-';
    v = fabs(v);
    if (v == 0)
        return (size_t)(out - start) + put(out, point ? "0.0" : "0");
    int exponent;
    uint64_t digits;
    uint32_t narrow = float_bits((float)v);
    if (as == SPELL_DOUBLE) {
        digits = shortest(split(to_bits(v), 52, 1023), &exponent);
    } else if (narrow == UINT32_C(0x15ae43fd)) {
        /* 7.038531e-26 is so near to half-way that its double rounds to another float. A search of
         * all floats found no second one. */
        digits = 70385307;
        exponent = -33;
    } else {
        digits = shortest(split(narrow, 23, 127), &exponent);
    }
    while (digits % 10 == 0) {
        digits /= 10;
        exponent++;
    }
    char field[20];
    const char *d = print_digits(field, digits);
    int n = (int)(field + 20 - d);
    int before_point = n + exponent;
    if (before_point > 16 || before_point < -3) {
        *out++ = d[0];
        if (n > 1) {
            *out++ = '.';
            memcpy(out, d + 1, (size_t)n - 1);
            out += n - 1;
        }
        int e = before_point - 1;
        *out++ = 'e';
        *out++ = e < 0 ? '-' : '+';
        e = e < 0 ? -e : e;
        if (e >= 100)
            *out++ = (char)('0' + e / 100);
        memcpy(out, pairs + e % 100 * 2, 2);
        out += 2;
    } else if (before_point <= 0) {
        *out++ = '0';
        *out++ = '.';
        memset(out, '0', (size_t)-before_point);
        out += -before_point;
        memcpy(out, d, (size_t)n);
        out += n;
    } else if (exponent >= 0) {
        memcpy(out, d, (size_t)n);
        memset(out + n, '0', (size_t)exponent);
        out += before_point;
        if (point)
            out += put(out, ".0");
    } else {
        memcpy(out, d, (size_t)before_point);
        out[before_point] = '.';
        memcpy(out + before_point + 1, d + before_point, (size_t)(n - before_point));
        out += n + 1;
    }
    return (size_t)(out - start);
}

size_t hal_number_print_double(char out[HAL_DOUBLE_TEXT_MAX], double v)
{
    return print(out, v, SPELL_DOUBLE, true);
}

size_t hal_number_print_plain(char out[HAL_DOUBLE_TEXT_MAX], double v)
{
    return print(out, v, SPELL_DOUBLE, false);
}

size_t hal_number_print_float(char out[HAL_DOUBLE_TEXT_MAX], float v)
{
    return print(out, (double)v, SPELL_FLOAT, true);
}

size_t hal_number_print_plain_float(char out[HAL_DOUBLE_TEXT_MAX], float v)
{
    return print(out, (double)v, SPELL_FLOAT, false);
}
