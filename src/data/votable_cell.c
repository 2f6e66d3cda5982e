/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/votable_cell.h"

#include "base/alloc.h"
#include "base/number.h"

#include <math.h>
#include <strings.h>

static const struct {
    const char *name;
    hal_vo_datatype datatype;
    hal_type type;
    uint32_t item_size;
} datatypes[] = {
    {"boolean", HAL_VO_BOOLEAN, HAL_TYPE_BOOL, 1},
    {"bit", HAL_VO_BIT, HAL_TYPE_BOOL, 0},
    {"unsignedByte", HAL_VO_UNSIGNED_BYTE, HAL_TYPE_UINT8, 1},
    {"short", HAL_VO_SHORT, HAL_TYPE_INT16, 2},
    {"int", HAL_VO_INT, HAL_TYPE_INT32, 4},
    {"long", HAL_VO_LONG, HAL_TYPE_INT64, 8},
    {"char", HAL_VO_CHAR, HAL_TYPE_STRING, 1},
    {"unicodeChar", HAL_VO_UNICODE_CHAR, HAL_TYPE_STRING, 2},
    {"float", HAL_VO_FLOAT, HAL_TYPE_FLOAT32, 4},
    {"double", HAL_VO_DOUBLE, HAL_TYPE_FLOAT64, 8},
    {"floatComplex", HAL_VO_FLOAT_COMPLEX, HAL_TYPE_COMPLEX64, 8},
    {"doubleComplex", HAL_VO_DOUBLE_COMPLEX, HAL_TYPE_COMPLEX128, 16},
    /* Met in old answers; astropy reads them too. */
    {"string", HAL_VO_CHAR, HAL_TYPE_STRING, 1},
    {"unicodeString", HAL_VO_UNICODE_CHAR, HAL_TYPE_STRING, 2},
    {"integer", HAL_VO_INT, HAL_TYPE_INT32, 4},
};

const char *hal_vo_datatype_name(hal_vo_datatype d)
{
    return d < HAL_VO_UNKNOWN ? datatypes[d].name : "unknown";
}

void hal_vo_scratch_clear(hal_vo_scratch *s)
{
    hal_free(s->items);
    hal_free(s->nulls);
    hal_free(s->text);
    hal_free(s->cursors);
    hal_free(s->bits);
    *s = (hal_vo_scratch){0};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static hal_slice trimmed(hal_slice t)
{
    while (t.size_bytes && is_blank(*t.data)) {
        t.data++;
        t.size_bytes--;
    }
    while (t.size_bytes && is_blank(t.data[t.size_bytes - 1]))
        t.size_bytes--;
    return t;
}

static hal_slice short_of(hal_slice t)
{
    return (hal_slice){t.data, t.size_bytes < 60 ? t.size_bytes : 60};
}

/* Decimal with an optional sign, or hexadecimal: -1 not a number, 0 beyond 64 bits, 1 a number. */
static int read_integer(hal_slice t, int64_t *out)
{
    bool minus = t.size_bytes && *t.data == '-';
    if (t.size_bytes && (*t.data == '-' || *t.data == '+')) {
        t.data++;
        t.size_bytes--;
    }
    unsigned base = 10;
    if (t.size_bytes > 2 && t.data[0] == '0' && (t.data[1] == 'x' || t.data[1] == 'X')) {
        base = 16;
        t.data += 2;
        t.size_bytes -= 2;
    }
    if (t.size_bytes == 0)
        return -1;
    uint64_t v = 0;
    bool big = false;
    for (size_t i = 0; i < t.size_bytes; i++) {
        unsigned char c = (unsigned char)t.data[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                : 99;
        if (digit >= base)
            return -1;
        big = big || v > (UINT64_MAX - digit) / base;
        v = v * base + digit;
    }
    if (big || v > (UINT64_C(1) << 63) - !minus)
        return 0;
    *out = minus ? (int64_t)(0 - v) : (int64_t)v;
    return 1;
}

static bool same_word(hal_slice t, const char *word)
{
    return t.size_bytes == strlen(word) && !strncasecmp(t.data, word, t.size_bytes);
}

/* Decimals beyond the range of a double round to infinity, as IEEE 754 and the recorded oracle have
 * it: the column is declared to hold doubles. */
static bool read_float(hal_slice t, double *out)
{
    bool minus = t.size_bytes && *t.data == '-';
    if (t.size_bytes && (*t.data == '-' || *t.data == '+')) {
        t.data++;
        t.size_bytes--;
    }
    while (t.size_bytes > 1 && *t.data == '0' && t.data[1] >= '0' && t.data[1] <= '9') {
        t.data++;
        t.size_bytes--;
    }
    if (t.size_bytes && ((*t.data >= '0' && *t.data <= '9') || *t.data == '.')) {
        if (!hal_number_read_double(t, out)) {
            if (!hal_number_is_beyond_double(t))
                return false;
            *out = HUGE_VAL;
        }
    } else if (same_word(t, "nan")) {
        *out = (double)NAN;
    } else if (same_word(t, "inf") || same_word(t, "infinity")) {
        *out = HUGE_VAL;
    } else {
        return false;
    }
    if (minus)
        *out = -*out;
    return true;
}

static hal_status parse_arraysize(hal_vo_column *c, const char *arraysize, hal_err *err)
{
    uint64_t product = 1;
    const char *p = arraysize;
    while (*p) {
        uint64_t n = 0;
        const char *digits = p;
        for (; *p >= '0' && *p <= '9' && n <= HAL_VO_CELL_ITEMS_MAX; p++)
            n = n * 10 + (uint64_t)(*p - '0');
        bool any = p > digits, star = *p == '*';
        p += star;
        if ((!any && !star) || (any && n == 0) || (star && *p) ||
            (*p && (*p != 'x' || p[1] == '\0')))
            goto wrong;
        if (any && (n > HAL_VO_CELL_ITEMS_MAX || (product *= n) > HAL_VO_CELL_ITEMS_MAX))
            return hal_err_set(err, HAL_E_BUDGET,
                               "column %s: arraysize \"%.60s\" is more than 2^28 items a cell",
                               c->name, arraysize);
        c->is_variable = star;
        p += *p == 'x';
    }
    c->n_items = product;
    return HAL_OK;
wrong:
    return hal_err_set(err, HAL_E_PROTOCOL, "column %s: arraysize \"%.60s\" is not an array size",
                       c->name, arraysize);
}

hal_status hal_vo_column_init(hal_vo_column *c, const char *name, const char *datatype,
                              const char *arraysize, const char *null_text, hal_err *err)
{
    *c = (hal_vo_column){.datatype = HAL_VO_UNKNOWN,
                         .type = HAL_TYPE_STRING,
                         .width = 1,
                         .n_items = 1,
                         .name = name};
    for (size_t i = 0; i < sizeof datatypes / sizeof *datatypes; i++)
        if (!strcmp(datatypes[i].name, datatype)) {
            c->datatype = datatypes[i].datatype;
            c->type = datatypes[i].type;
            c->item_size = datatypes[i].item_size;
            if (!*arraysize && (!strcmp(datatype, "string") || !strcmp(datatype, "unicodeString")))
                arraysize = "*";
        }
    char clean[128]; /* blanks around the numbers are met */
    size_t n = 0;
    for (const char *p = arraysize; *p && n < sizeof clean - 1; p++)
        if (!is_blank(*p))
            clean[n++] = *p;
    clean[n] = '\0';
    hal_status st = parse_arraysize(c, clean, err);
    if (st)
        return st;
    c->is_text = c->type == HAL_TYPE_STRING;
    c->is_list = c->is_text && strchr(clean, 'x');
    if (!c->is_text)
        c->width = c->is_variable ? HAL_WIDTH_VARIABLE : (int64_t)c->n_items;
    if (!null_text)
        return HAL_OK;
    c->null_text = null_text;
    if (c->datatype >= HAL_VO_UNSIGNED_BYTE && c->datatype <= HAL_VO_LONG)
        c->has_null = read_integer(trimmed(hal_slice_of(null_text)), &c->null_value) == 1;
    return HAL_OK;
}

static hal_status room(uint8_t **p, size_t *capacity, size_t size, hal_err *err)
{
    if (size <= *capacity)
        return HAL_OK;
    size_t grown = *capacity * 2 > size ? *capacity * 2 : size;
    uint8_t *larger = hal_realloc(*p, grown);
    if (!larger)
        return hal_err_nomem(err, grown);
    *p = larger;
    *capacity = grown;
    return HAL_OK;
}

hal_status hal_vo_scratch_items(hal_vo_scratch *s, size_t size_bytes, size_t n, hal_err *err)
{
    hal_status st = room(&s->items, &s->items_capacity, size_bytes, err);
    return st ? st : room(&s->nulls, &s->nulls_capacity, n, err);
}

hal_status hal_vo_scratch_rows(hal_vo_scratch *s, size_t n, size_t n_flags, hal_err *err)
{
    uint8_t *cursors = (uint8_t *)s->cursors;
    hal_status st = room(&cursors, &s->cursors_capacity, n * sizeof *s->cursors, err);
    s->cursors = (size_t *)(void *)cursors;
    return st ? st : room(&s->bits, &s->bits_capacity, n_flags + n / 8 + 1, err);
}

hal_status hal_vo_vec_init(const hal_vo_column *c, hal_vec *v, hal_err *err)
{
    return hal_vec_set_shape(v, c->type, (int32_t)c->width, err);
}

hal_status hal_vo_scratch_text(hal_vo_scratch *s, size_t n, hal_err *err)
{
    uint8_t *text = (uint8_t *)s->text;
    hal_status st = room(&text, &s->text_capacity, n, err);
    s->text = (char *)text;
    return st;
}

hal_status hal_vo_add_string(const hal_vo_column *c, hal_vec *v, hal_slice text, hal_err *err)
{
    if (c->null_text && hal_slice_equals(text, hal_slice_of(c->null_text)))
        return hal_vo_add_null(v, err);
    return hal_vec_add_string(v, text, err);
}

size_t hal_vo_native_size(hal_vo_datatype d)
{
    return d == HAL_VO_BIT ? 1 : datatypes[d].item_size;
}

typedef enum item_result { ITEM_VALUE, ITEM_NULL, ITEM_WRONG, ITEM_RANGE } item_result;

static item_result read_bool(hal_slice t, uint8_t *out)
{
    if (t.size_bytes == 1 && strchr("?", *t.data))
        return ITEM_NULL;
    bool yes = same_word(t, "t") || same_word(t, "true") || same_word(t, "1");
    if (!yes && !same_word(t, "f") && !same_word(t, "false") && !same_word(t, "0"))
        return ITEM_WRONG;
    *out = yes;
    return ITEM_VALUE;
}

/* One item, one number of a complex one, to `out` in the form the column holds. */
static item_result read_item(const hal_vo_column *c, hal_slice t, uint8_t *out)
{
    int64_t n = 0;
    double d = 0;
    float f;
    switch (c->datatype) {
    case HAL_VO_BOOLEAN:
        return read_bool(t, out);
    case HAL_VO_UNSIGNED_BYTE:
    case HAL_VO_SHORT:
    case HAL_VO_INT:
    case HAL_VO_LONG: {
        int kind = read_integer(t, &n);
        if (kind < 0 && same_word(t, "nan")) /* met where null is meant */
            return ITEM_NULL;
        if (kind <= 0)
            return kind < 0 ? ITEM_WRONG : ITEM_RANGE;
        if (c->has_null && n == c->null_value)
            return ITEM_NULL;
        if (c->datatype == HAL_VO_UNSIGNED_BYTE) {
            *out = (uint8_t)n;
            return n < 0 || n > UINT8_MAX ? ITEM_RANGE : ITEM_VALUE;
        }
        if (c->datatype == HAL_VO_SHORT) {
            int16_t small = (int16_t)n;
            memcpy(out, &small, sizeof small);
            return small != n ? ITEM_RANGE : ITEM_VALUE;
        }
        if (c->datatype == HAL_VO_INT) {
            int32_t small = (int32_t)n;
            memcpy(out, &small, sizeof small);
            return small != n ? ITEM_RANGE : ITEM_VALUE;
        }
        memcpy(out, &n, sizeof n);
        return ITEM_VALUE;
    }
    case HAL_VO_FLOAT:
    case HAL_VO_FLOAT_COMPLEX:
        if (!read_float(t, &d))
            return ITEM_WRONG;
        f = (float)d;
        memcpy(out, &f, sizeof f);
        return ITEM_VALUE;
    default:
        if (!read_float(t, &d))
            return ITEM_WRONG;
        memcpy(out, &d, sizeof d);
        return ITEM_VALUE;
    }
}

static hal_status wrong_item(const hal_vo_column *c, item_result why, hal_slice t, hal_err *err)
{
    hal_slice s = short_of(t);
    return hal_err_set(err, HAL_E_INTEGRITY, "column %s: \"%.*s\" is %s %s", c->name,
                       (int)s.size_bytes, s.data, why == ITEM_RANGE ? "out of range for" : "not",
                       hal_vo_datatype_name(c->datatype));
}

hal_status hal_vo_add_items(const hal_vo_column *c, hal_vec *v, hal_vo_scratch *s, uint64_t n,
                            bool any_null, hal_err *err)
{
    uint8_t *lists[2] = {c->type == HAL_TYPE_BOOL ? s->items : NULL, any_null ? s->nulls : NULL};
    if (c->width == 1)
        return any_null ? hal_vo_add_null(v, err)
                        : hal_vo_add_value(v, c->type, s->items, c->item_size, err);
    for (int k = 0; k < 2; k++)
        for (uint64_t i = 0; lists[k] && i < n; i++) {
            bool on = (lists[k][i] != 0) ^ (k == 1);
            uint8_t rest = i % 8 ? lists[k][i / 8] : 0;
            lists[k][i / 8] = (uint8_t)(rest | on << i % 8);
        }
    return hal_vec_add_items(v, s->items, n, lists[1], err);
}

static hal_status add_null_array(const hal_vo_column *c, hal_vec *v, hal_vo_scratch *s,
                                 hal_err *err)
{
    uint64_t n_bytes = hal_items_bytes(v->type, c->n_items);
    if (n_bytes > s->null_bytes_left)
        return hal_err_set(err, HAL_E_BUDGET,
                           "column %s: its null arrays of %llu items need more than 200 times the "
                           "bytes of the document; declare arraysize=\"*\"",
                           c->name, (unsigned long long)c->n_items);
    s->null_bytes_left -= n_bytes;
    return hal_vo_add_null(v, err);
}

static hal_status add_text_items(const hal_vo_column *c, hal_vec *v, hal_slice text,
                                 hal_vo_scratch *s, hal_err *err)
{
    bool is_complex = c->datatype >= HAL_VO_FLOAT_COMPLEX, bits = c->datatype == HAL_VO_BIT;
    size_t size =
        is_complex ? hal_vo_native_size(c->datatype) / 2 : hal_vo_native_size(c->datatype);
    uint64_t n = 0;
    bool any_null = false;
    const char *p = text.data, *end = p + text.size_bytes;
    for (;;) {
        while (p < end && (is_blank(*p) || *p == ',')) /* commas are met */
            p++;
        if (p == end)
            break;
        const char *token = p;
        while (p < end && !is_blank(*p) && *p != ',' && !(bits && p > token))
            p++;
        hal_slice t = {token, (size_t)(p - token)};
        hal_status st = hal_vo_scratch_items(s, (size_t)(n + 1) * size, (size_t)n + 1, err);
        if (st)
            return st;
        uint8_t *out = s->items + n * size;
        memset(out, 0, size);
        item_result r = bits ? (*token == '0' || *token == '1' ? ITEM_VALUE : ITEM_WRONG)
                             : read_item(c, t, out);
        if (bits)
            *out = *token == '1';
        if (r > ITEM_NULL)
            return wrong_item(c, r, t, err);
        s->nulls[n++] = r == ITEM_NULL;
        any_null = any_null || r == ITEM_NULL;
    }
    if (is_complex) {
        if (n % 2)
            return hal_err_set(err, HAL_E_INTEGRITY, "column %s: a complex number without its half",
                               c->name);
        n /= 2;
    }
    if (!c->is_variable && n == 0)
        return add_null_array(c, v, s, err);
    if (!c->is_variable && n != c->n_items)
        return hal_err_set(err, HAL_E_INTEGRITY,
                           "column %s: a cell of %llu items, declared are %llu", c->name,
                           (unsigned long long)n, (unsigned long long)c->n_items);
    return hal_vo_add_items(c, v, s, n, any_null, err);
}

/* An integer that its declared type does not hold: the column becomes one of 64 bits. */
static hal_status add_wide(const hal_vo_column *c, hal_vec *v, hal_slice t, hal_err *err)
{
    int64_t n;
    if (read_integer(t, &n) != 1)
        return wrong_item(c, ITEM_RANGE, t, err);
    bool done = true;
    hal_status st = HAL_OK;
    if (v->type != HAL_TYPE_INT64)
        st = hal_vec_convert(v, HAL_TYPE_INT64, false, &done, err);
    if (!st && !done)
        return wrong_item(c, ITEM_RANGE, t, err);
    return st ? st : hal_vec_add_int64(v, n, err);
}

hal_status hal_vo_add_text(const hal_vo_column *c, hal_vec *v, hal_slice text, hal_vo_scratch *s,
                           hal_err *err)
{
    if (c->is_text)
        return hal_vo_add_string(c, v, text, err);
    if (c->width != 1 || c->datatype >= HAL_VO_FLOAT_COMPLEX || c->datatype == HAL_VO_BIT)
        return add_text_items(c, v, text, s, err);
    hal_slice t = trimmed(text);
    /* "null" and "-" are what IRSA writes. */
    if (t.size_bytes == 0 || same_word(t, "null") || same_word(t, "-") ||
        (c->null_text && hal_slice_equals(t, hal_slice_of(c->null_text))))
        return hal_vo_add_null(v, err);
    union {
        uint8_t bytes[16];
        int64_t align;
    } item = {{0}};
    item_result r = read_item(c, t, item.bytes);
    bool wide = r == ITEM_RANGE || (r == ITEM_VALUE && v->type != c->type);
    if (wide && !(s->keeps_type && v->type == c->type))
        return add_wide(c, v, t, err);
    if (r > ITEM_NULL)
        return wrong_item(c, r, t, err);
    return r == ITEM_NULL ? hal_vo_add_null(v, err)
                          : hal_vo_add_value(v, c->type, item.bytes, c->item_size, err);
}
