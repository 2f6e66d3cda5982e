/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/fits_cell.h"

#include "base/number.h"
#include "data/types.h"

#include <math.h>

typedef struct code_entry {
    char code;
    uint64_t bytes;
    hal_type type;
} code_entry;

static const code_entry codes[] = {
    {'L', 1, HAL_TYPE_BOOL},      {'X', 0, HAL_TYPE_BOOL},       {'B', 1, HAL_TYPE_UINT8},
    {'I', 2, HAL_TYPE_INT16},     {'J', 4, HAL_TYPE_INT32},      {'K', 8, HAL_TYPE_INT64},
    {'A', 1, HAL_TYPE_STRING},    {'E', 4, HAL_TYPE_FLOAT32},    {'D', 8, HAL_TYPE_FLOAT64},
    {'C', 8, HAL_TYPE_COMPLEX64}, {'M', 16, HAL_TYPE_COMPLEX128}};

static const code_entry *find_code(char code)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].code == code)
            return &codes[i];
    return NULL;
}

static hal_status bad(const hal_fits_header *h, size_t i, const char *what, hal_err *err)
{
    return hal_err_set(err, HAL_E_INTEGRITY, "FITS header at byte %llu: TFORM%zu = '%.40s': %s",
                       (unsigned long long)h->offset, i + 1, h->columns[i].form, what);
}

/* Digits at *p, moved behind them; `none` when there are none. False when beyond 2^40. */
static bool take_count(const char **p, uint64_t none, uint64_t *out)
{
    uint64_t n = 0;
    const char *start = *p;
    for (; **p >= '0' && **p <= '9'; (*p)++) {
        n = 10 * n + (uint64_t)(**p - '0');
        if (n >> 40)
            return false;
    }
    *out = *p == start ? none : n;
    return true;
}

uint64_t hal_fits_items_bytes(const hal_fits_cell *c, uint64_t n)
{
    return c->code == 'X' ? (n + 7) / 8 : n * c->item_bytes;
}

/* Table 19: unsigned integers and signed bytes are written with an offset. */
static void set_scaled_type(hal_fits_cell *c)
{
    const hal_fits_column *column = c->column;
    if (!column->scaled || c->type == HAL_TYPE_BOOL || c->type == HAL_TYPE_STRING)
        return;
    bool unit = column->scale == 1;
    if (c->code == 'B' && unit && column->zero == -128)
        c->type = HAL_TYPE_INT16;
    else if (c->code == 'I' && unit && column->zero == 32768)
        c->type = HAL_TYPE_INT32;
    else if (c->code == 'J' && unit && column->zero == 2147483648.0)
        c->type = HAL_TYPE_INT64;
    else if (c->code == 'K' && unit && column->zero_is_2_63)
        c->type = HAL_TYPE_INT64;
    else if (c->code == 'C' || c->code == 'M')
        c->type = HAL_TYPE_COMPLEX128;
    else
        c->type = HAL_TYPE_FLOAT64;
}

static hal_status init_binary(hal_fits_cell *c, const hal_fits_header *h, size_t i, uint64_t *at,
                              hal_err *err)
{
    const char *p = c->column->form;
    if (!take_count(&p, 1, &c->repeat))
        return bad(h, i, "the repeat count is out of range", err);
    c->variable = *p == 'P' || *p == 'Q';
    c->wide_pointer = *p == 'Q';
    if (c->variable && c->repeat > 1)
        return bad(h, i, "more than one array a cell", err);
    bool absent = c->variable && c->repeat == 0;
    const code_entry *code = find_code(c->variable ? p[1] : p[0]);
    if (!code)
        return bad(h, i, "not a type of a binary table", err);
    c->code = code->code;
    c->item_bytes = code->bytes;
    c->type = code->type;
    set_scaled_type(c);
    c->at = *at;
    c->bytes = !c->variable      ? hal_fits_items_bytes(c, c->repeat)
               : absent          ? 0
               : c->wide_pointer ? 16
                                 : 8;
    if (c->bytes > h->row_bytes - c->at)
        return bad(h, i, "it ends behind the row", err);
    *at += c->bytes;
    return HAL_OK;
}

static hal_status init_ascii(hal_fits_cell *c, const hal_fits_header *h, size_t i, hal_err *err)
{
    const char *p = c->column->form;
    char code = *p++;
    uint64_t decimals = 0;
    if (!strchr("AIFED", code) || !take_count(&p, 0, &c->bytes) || c->bytes == 0)
        return bad(h, i, "not a type of an ASCII table", err);
    if (*p == '.') {
        p++;
        if (!take_count(&p, 0, &decimals) || decimals > 99)
            return bad(h, i, "the decimals are out of range", err);
    }
    c->code = code == 'A' ? 'a' : code == 'I' ? 'i' : 'f';
    c->decimals = (int)decimals;
    c->repeat = 1;
    c->type = code == 'A'                        ? HAL_TYPE_STRING
              : code != 'I' || c->column->scaled ? HAL_TYPE_FLOAT64
              : c->bytes < 10                    ? HAL_TYPE_INT32
                                                 : HAL_TYPE_INT64;
    int64_t begin = c->column->begin;
    if (!c->column->has_begin || begin < 1 || (uint64_t)begin > h->row_bytes ||
        c->bytes > h->row_bytes - (uint64_t)begin + 1)
        return bad(h, i, "TBCOLn is missing or the field ends behind the row", err);
    c->at = (uint64_t)begin - 1;
    return HAL_OK;
}

hal_status hal_fits_cell_init(hal_fits_cell *c, const hal_fits_header *h, size_t i, uint64_t *at,
                              hal_err *err)
{
    *c = (hal_fits_cell){.column = &h->columns[i]};
    return h->kind == HAL_FITS_ASCII ? init_ascii(c, h, i, err) : init_binary(c, h, i, at, err);
}

static inline uint16_t get16(const unsigned char *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get32(const unsigned char *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return __builtin_bswap32(v);
}

static inline uint64_t get64(const unsigned char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return __builtin_bswap64(v);
}

static inline float as_float(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, 4);
    return v;
}

static inline double as_double(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, 8);
    return v;
}

static int64_t integer_at(const hal_fits_cell *c, const unsigned char *p)
{
    switch (c->code) {
    case 'B':
        return *p;
    case 'I':
        return (int16_t)get16(p);
    case 'J':
        return (int32_t)get32(p);
    default:
        return (int64_t)get64(p);
    }
}

bool hal_fits_find_huge(const hal_fits_cell *c, const unsigned char *in, uint64_t n,
                        uint64_t stride, uint64_t *value)
{
    if (c->code != 'K' || c->type != HAL_TYPE_INT64 || !c->column->scaled)
        return false;
    for (uint64_t i = 0; i < n; i++, in += stride) {
        int64_t raw = integer_at(c, in);
        *value = (uint64_t)raw ^ UINT64_C(1) << 63;
        if (raw >= 0 && !(c->column->has_null && raw == c->column->null_value))
            return true;
    }
    return false;
}

/* One scaled or offset item; true when it is null. */
static bool scaled_item(const hal_fits_cell *c, const unsigned char *p, void *out, uint64_t i)
{
    double scale = c->column->scale, zero = c->column->zero;
    double *doubles = out;
    if (c->code == 'E' || c->code == 'D') {
        bool null = c->code == 'E' ? get32(p) == UINT32_MAX : get64(p) == UINT64_MAX;
        double v = c->code == 'E' ? (double)as_float(get32(p)) : as_double(get64(p));
        doubles[i] = zero + scale * v;
        return null;
    }
    if (c->code == 'C' || c->code == 'M') { /* section 7.3.2: the zero is added to the real part */
        bool single = c->code == 'C';
        double re = single ? (double)as_float(get32(p)) : as_double(get64(p));
        double im = single ? (double)as_float(get32(p + 4)) : as_double(get64(p + 8));
        doubles[2 * i] = zero + scale * re;
        doubles[2 * i + 1] = scale * im;
        return single ? get64(p) == UINT64_MAX
                      : get64(p) == UINT64_MAX && get64(p + 8) == UINT64_MAX;
    }
    int64_t raw = integer_at(c, p);
    if (c->type == HAL_TYPE_INT16)
        ((int16_t *)out)[i] = (int16_t)(raw - 128);
    else if (c->type == HAL_TYPE_INT32)
        ((int32_t *)out)[i] = (int32_t)(raw + 32768);
    else if (c->type == HAL_TYPE_INT64 && c->code == 'J')
        ((int64_t *)out)[i] = raw + INT64_C(2147483648);
    else if (c->type == HAL_TYPE_INT64)
        ((int64_t *)out)[i] = (int64_t)((uint64_t)raw ^ UINT64_C(1) << 63);
    else
        doubles[i] = zero + scale * (double)raw;
    return c->column->has_null && raw == c->column->null_value;
}

/* Copies the raw item `i` in our byte order; true when it is null. */
static inline bool plain_item(const hal_fits_cell *c, char code, const unsigned char *p, void *out,
                              uint64_t i)
{
    bool has_null = c->column->has_null;
    int64_t null = c->column->null_value;
    switch (code) {
    case 'B':
        ((uint8_t *)out)[i] = *p;
        return has_null && *p == null;
    case 'I':
        ((uint16_t *)out)[i] = get16(p);
        return has_null && (int16_t)get16(p) == null;
    case 'J':
        ((uint32_t *)out)[i] = get32(p);
        return has_null && (int32_t)get32(p) == null;
    case 'K':
        ((uint64_t *)out)[i] = get64(p);
        return has_null && (int64_t)get64(p) == null;
    case 'E':
        ((uint32_t *)out)[i] = get32(p);
        return get32(p) == UINT32_MAX;
    case 'D':
        ((uint64_t *)out)[i] = get64(p);
        return get64(p) == UINT64_MAX;
    case 'C':
        ((uint32_t *)out)[2 * i] = get32(p);
        ((uint32_t *)out)[2 * i + 1] = get32(p + 4);
        return get64(p) == UINT64_MAX;
    default: /* M */
        ((uint64_t *)out)[2 * i] = get64(p);
        ((uint64_t *)out)[2 * i + 1] = get64(p + 8);
        return get64(p) == UINT64_MAX && get64(p + 8) == UINT64_MAX;
    }
}

uint64_t hal_fits_items(const hal_fits_cell *c, const unsigned char *in, uint64_t n, void *out,
                        uint8_t *valid)
{
    uint64_t n_nulls = 0;
    for (uint64_t i = 0; i < n; i++) {
        const unsigned char *p = in + i * c->item_bytes;
        bool null;
        if (c->code == 'X') { /* bits from the highest of the first byte */
            hal_bit_set(out, i, in[i / 8] << i % 8 & 0x80);
            null = false;
        } else if (c->code == 'L') {
            hal_bit_set(out, i, *p == 'T');
            null = *p != 'T' && *p != 'F';
        } else {
            null =
                c->column->scaled ? scaled_item(c, p, out, i) : plain_item(c, c->code, p, out, i);
        }
        hal_bit_set(valid, i, !null);
        n_nulls += null;
    }
    return n_nulls;
}

#define EACH_ROW(code)                                                                             \
    case code:                                                                                     \
        for (uint64_t i = 0; i < n; i++)                                                           \
            if (HAL_UNLIKELY(plain_item(c, code, in + i * stride, out, i))) {                      \
                hal_bit_set(valid, i, false);                                                      \
                n_nulls++;                                                                         \
            }                                                                                      \
        break

uint64_t hal_fits_scalars(const hal_fits_cell *c, const unsigned char *in, uint64_t stride,
                          uint64_t n, void *out, uint8_t *valid)
{
    uint64_t n_nulls = 0;
    if (c->column->scaled) {
        for (uint64_t i = 0; i < n; i++)
            if (scaled_item(c, in + i * stride, out, i)) {
                hal_bit_set(valid, i, false);
                n_nulls++;
            }
        return n_nulls;
    }
    switch (c->code) { /* a loop for each, so that nothing is decided in it */
        EACH_ROW('B');
        EACH_ROW('I');
        EACH_ROW('J');
        EACH_ROW('K');
        EACH_ROW('E');
        EACH_ROW('D');
        EACH_ROW('C');
        EACH_ROW('M');
    }
    return n_nulls;
}

bool hal_fits_text(const char *in, uint64_t n, hal_slice *text)
{
    const char *stop = n ? memchr(in, 0, (size_t)n) : NULL;
    uint64_t size = stop ? (uint64_t)(stop - in) : n;
    if (size == 0)
        return false;
    uint64_t trimmed = size;
    while (trimmed && in[trimmed - 1] == ' ')
        trimmed--;
    /* Blanks before a NUL were written on purpose; blanks alone are the empty text. */
    *text = (hal_slice){in, (size_t)(stop && trimmed ? size : trimmed)};
    return true;
}

static bool is_utf8(const unsigned char *p, size_t n)
{
    const unsigned char *end = p + n;
    while (p < end) {
        unsigned char c = *p++;
        if (c < 0x80)
            continue;
        int more = c >= 0xc2 && c < 0xe0   ? 1
                   : (c & 0xf0) == 0xe0    ? 2
                   : c >= 0xf0 && c < 0xf5 ? 3
                                           : 0;
        if (!more || end - p < more)
            return false;
        unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
        unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
        if (*p < low || *p > high)
            return false;
        for (int i = 1; i < more; i++)
            if ((p[i] & 0xc0) != 0x80)
                return false;
        p += more;
    }
    return true;
}

static bool is_ascii(const char *p, size_t n)
{
    unsigned char any = 0;
    for (size_t i = 0; i < n; i++)
        any |= (unsigned char)p[i];
    return any < 0x80;
}

size_t hal_fits_text_copy(char *out, hal_slice text)
{
    if (is_ascii(text.data, text.size_bytes) ||
        is_utf8((const unsigned char *)text.data, text.size_bytes)) {
        memcpy(out, text.data, text.size_bytes);
        return text.size_bytes;
    }
    size_t n = 0;
    for (size_t i = 0; i < text.size_bytes; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x80)
            out[n++] = (char)(0xc0 | c >> 6);
        out[n++] = (char)(c < 0x80 ? c : 0x80 | (c & 0x3f));
    }
    return n;
}

/* The field without blanks on both sides. */
static hal_slice field_of(const hal_fits_cell *c, const char *in)
{
    hal_slice s = {in, (size_t)c->bytes};
    while (s.size_bytes && *s.data == ' ')
        s.data++, s.size_bytes--;
    while (s.size_bytes && s.data[s.size_bytes - 1] == ' ')
        s.size_bytes--;
    return s;
}

/* Section 7.2.4: TNULLn is the text of a field that is null, padded like the field. */
bool hal_fits_ascii_is_null(const hal_fits_cell *c, const char *in)
{
    if (!c->column->has_null)
        return false;
    hal_fits_cell null = {.bytes = strlen(c->column->null_text)};
    return hal_slice_equals(field_of(c, in), field_of(&null, c->column->null_text));
}

hal_fits_number hal_fits_ascii_int(const hal_fits_cell *c, const char *in, int64_t *out)
{
    if (hal_fits_ascii_is_null(c, in))
        return HAL_FITS_IS_NULL;
    hal_slice s = field_of(c, in);
    *out = 0; /* section 7.2.5: a field of blanks is zero */
    if (s.size_bytes == 0)
        return HAL_FITS_IS_NUMBER;
    bool negative = *s.data == '-';
    if (negative || *s.data == '+')
        s.data++, s.size_bytes--;
    uint64_t v = 0, limit = (uint64_t)INT64_MAX + negative;
    for (size_t i = 0; i < s.size_bytes; i++) {
        unsigned digit = (unsigned char)s.data[i] - (unsigned)'0';
        if (digit > 9 || v > (limit - digit) / 10)
            return HAL_FITS_IS_BROKEN;
        v = 10 * v + digit;
    }
    *out = (int64_t)(negative ? 0 - v : v);
    return s.size_bytes ? HAL_FITS_IS_NUMBER : HAL_FITS_IS_BROKEN;
}

hal_fits_number hal_fits_ascii_float(const hal_fits_cell *c, const char *in, double *out)
{
    if (hal_fits_ascii_is_null(c, in))
        return HAL_FITS_IS_NULL;
    hal_slice s = field_of(c, in);
    *out = 0;
    if (s.size_bytes == 0)
        return HAL_FITS_IS_NUMBER;
    /* Rewritten as digits . digits E exponent: D for E, an exponent of a sign alone, and a point
     * that is only implied by the form. */
    char text[HAL_NUMBER_TYPED_MAX];
    size_t n = 0, i = 0;
    bool point = memchr(s.data, '.', s.size_bytes) != NULL;
    if (s.size_bytes > sizeof text - 32)
        return HAL_FITS_IS_BROKEN;
    if (*s.data == '-' || *s.data == '+')
        text[n++] = s.data[i++];
    while (i + 1 < s.size_bytes && s.data[i] == '0' && s.data[i + 1] >= '0' && s.data[i + 1] <= '9')
        i++;
    size_t first = i;
    while (i < s.size_bytes && ((s.data[i] >= '0' && s.data[i] <= '9') || s.data[i] == '.'))
        text[n++] = s.data[i++];
    if (i == first) /* not of the standard, but written: NaN, inf */
        return hal_number_read_double(s, out) ? HAL_FITS_IS_NUMBER : HAL_FITS_IS_BROKEN;
    int64_t exponent = 0;
    if (i < s.size_bytes) {
        if (strchr("EeDd", s.data[i]))
            i++;
        bool minus = i < s.size_bytes && s.data[i] == '-';
        if (i < s.size_bytes && (s.data[i] == '-' || s.data[i] == '+'))
            i++;
        if (i == s.size_bytes)
            return HAL_FITS_IS_BROKEN;
        for (; i < s.size_bytes; i++) {
            if (s.data[i] < '0' || s.data[i] > '9' || exponent > 99999)
                return HAL_FITS_IS_BROKEN;
            exponent = 10 * exponent + (s.data[i] - '0');
        }
        exponent = minus ? -exponent : exponent;
    }
    if (!point)
        exponent -= c->decimals;
    text[n++] = 'e';
    n += hal_number_print_int64(text + n, exponent);
    if (!hal_number_read_double((hal_slice){text, n}, out))
        return hal_number_is_beyond_double((hal_slice){text, n}) ? HAL_FITS_IS_BEYOND
                                                                 : HAL_FITS_IS_BROKEN;
    *out = c->column->scaled ? c->column->zero + c->column->scale * *out : *out;
    return isinf(*out) ? HAL_FITS_IS_BEYOND : HAL_FITS_IS_NUMBER;
}
