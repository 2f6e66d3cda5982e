/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/json.h"

#include "base/alloc.h"
#include "base/number.h"
#include "base/utf8.h"

enum { NUMBER_TEXT_MAX = 4096, PIECE_MAX = 256 << 10, KEYS_MAX = 1 << 20 };

void hal_json_init(hal_json *j, uint64_t offset)
{
    *j = (hal_json){.expect = HAL_JSON_EXPECT_VALUE, .window_offset = offset};
    hal_buf_init(&j->rest, (size_t)HAL_JSON_STRING_MAX * 2 + PIECE_MAX);
    hal_buf_init(&j->decoded, HAL_JSON_STRING_MAX);
}

void hal_json_clear(hal_json *j)
{
    hal_buf_clear(&j->rest);
    hal_buf_clear(&j->decoded);
    hal_free(j->keys);
    j->keys = NULL;
}

uint64_t hal_json_offset(const hal_json *j)
{
    return j->window_offset + (uint64_t)(j->p - j->window);
}

static hal_status bad(const hal_json *j, const char *at, hal_err *err, const char *what)
{
    return hal_err_set(err, HAL_E_INTEGRITY, "byte %llu: %s",
                       (unsigned long long)(j->window_offset + (uint64_t)(at - j->window)), what);
}

/* Makes `rest` hold exactly what is left of the window. */
hal_status hal_json_keep(hal_json *j, hal_err *err)
{
    size_t left = (size_t)(j->end - j->p);
    hal_status st = HAL_OK;
    if (j->in_rest) {
        if (j->p != j->rest.data)
            memmove(j->rest.data, j->p, left);
        j->rest.size_bytes = left;
    } else {
        j->rest.size_bytes = 0;
        st = hal_buf_append(&j->rest, j->p, left, err);
        if (st)
            return st;
        j->in_rest = true;
    }
    j->window_offset = hal_json_offset(j);
    j->window = j->p = j->rest.data;
    j->end = j->p + left;
    return HAL_OK;
}

hal_status hal_json_feed(hal_json *j, const char *bytes, size_t n, size_t *used, hal_err *err)
{
    if (j->p == j->end) {
        j->window_offset = hal_json_offset(j);
        j->window = j->p = bytes;
        j->end = bytes + n;
        j->in_rest = false;
        *used = n;
        return HAL_OK;
    }
    hal_status st = hal_json_keep(j, err);
    *used = n < PIECE_MAX ? n : PIECE_MAX;
    if (!st)
        st = hal_buf_append(&j->rest, bytes, *used, err);
    if (st)
        return st;
    j->window = j->p = j->rest.data;
    j->end = j->rest.data + j->rest.size_bytes;
    return HAL_OK;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && is_blank(*p))
        p++;
    return p;
}

/* Repeated keys: equal neighbours after sorting the hashes of an object's keys (heap sort). */
static void sift(uint64_t *a, size_t i, size_t n)
{
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && a[child + 1] > a[child])
            child++;
        if (a[i] >= a[child])
            return;
        uint64_t swap = a[i];
        a[i] = a[child];
        a[child] = swap;
    }
}

static bool has_repeated(uint64_t *a, size_t n)
{
    for (size_t i = n / 2; i-- > 0;)
        sift(a, i, n);
    for (size_t last = n; last-- > 1;) {
        uint64_t top = a[0];
        a[0] = a[last];
        a[last] = top;
        sift(a, 0, last);
        if (last + 1 < n && a[last] == a[last + 1])
            return true;
    }
    return n > 1 && a[0] == a[1];
}

static hal_status remember_key(hal_json *j, hal_err *err)
{
    if (j->own_keys[j->depth - 1])
        return HAL_OK;
    if (j->n_keys == j->keys_capacity) {
        if (j->n_keys == KEYS_MAX)
            return bad(j, j->p, err, "more than 1,048,576 keys in open objects");
        size_t capacity = j->keys_capacity ? 2 * j->keys_capacity : 64;
        uint64_t *grown = hal_realloc(j->keys, capacity * sizeof *grown);
        if (!grown)
            return hal_err_nomem(err, capacity * sizeof *grown);
        j->keys = grown;
        j->keys_capacity = capacity;
    }
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < j->text.size_bytes; i++)
        h = (h ^ (unsigned char)j->text.data[i]) * UINT64_C(1099511628211);
    j->keys[j->n_keys++] = h;
    return HAL_OK;
}

static hal_status open_container(hal_json *j, bool object, hal_err *err)
{
    if (j->depth == HAL_JSON_DEPTH_MAX)
        return bad(j, j->p, err, "nested deeper than 64 levels");
    j->is_object[j->depth] = object;
    j->own_keys[j->depth] = false;
    j->first_key[j->depth++] = j->n_keys;
    j->expect = object ? HAL_JSON_EXPECT_KEY_OR_END : HAL_JSON_EXPECT_VALUE_OR_END;
    j->p++;
    return HAL_OK;
}

static void value_ended(hal_json *j)
{
    j->expect = HAL_JSON_EXPECT_COMMA;
    j->complete = j->depth == 0;
}

static hal_status close_container(hal_json *j, hal_json_event *event, hal_err *err)
{
    bool object = *j->p == '}';
    if (j->depth == 0 || j->is_object[j->depth - 1] != object)
        return bad(j, j->p, err, "a bracket closes what is not open");
    size_t first = j->first_key[--j->depth];
    if (j->n_keys > first && has_repeated(j->keys + first, j->n_keys - first))
        return bad(j, j->p, err, "an object that ends here has the same key twice");
    j->n_keys = first;
    j->p++;
    *event = object ? HAL_JSON_OBJECT_END : HAL_JSON_ARRAY_END;
    value_ended(j);
    return HAL_OK;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hexadecimal digits; -1 when they are not there. */
static int32_t hex4(const char *p, const char *end)
{
    int32_t v = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int h = hex_value(p[i]);
        if (h < 0)
            return -1;
        v = v * 16 + h;
    }
    return v;
}

/* Resolves the escapes of p..end into j->decoded. */
static hal_status unescape(hal_json *j, const char *p, const char *end, hal_err *err)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    j->decoded.size_bytes = 0;
    hal_status st = hal_buf_reserve(&j->decoded, (size_t)(end - p), err);
    if (st)
        return st;
    char *out = j->decoded.data;
    while (p < end) {
        if (*p != '\\') {
            *out++ = *p++;
            continue;
        }
        const char *at = p++;
        const char *simple = *p ? strchr(from, *p) : NULL;
        if (simple) {
            *out++ = to[simple - from];
            p++;
            continue;
        }
        int32_t c = *p == 'u' ? hex4(p + 1, end) : -1;
        if (c < 0)
            return bad(j, at, err, "a wrong escape in a string");
        p += 5;
        if (c >= 0xd800 && c < 0xe000) {
            int32_t low =
                c < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u' ? hex4(p + 2, end) : -1;
            if (low < 0xdc00 || low > 0xdfff)
                return bad(j, at, err, "half a character (lone surrogate) in a string");
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            p += 6;
        }
        out += hal_utf8_put(out, (uint32_t)c);
    }
    j->decoded.size_bytes = (size_t)(out - j->decoded.data);
    j->text = hal_buf_slice(&j->decoded);
    return HAL_OK;
}

const char *hal_json_wrong_utf8(const char *p, const char *end)
{
    while (p < end) {
        unsigned char c = (unsigned char)*p;
        if (c < 0x80) {
            p++;
            continue;
        }
        int n = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        if (c < 0xc2 || c > 0xf4 || end - p <= n)
            return p;
        unsigned char second = (unsigned char)p[1];
        unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
        unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
        if (second < low || second > high)
            return p;
        for (int i = 2; i <= n; i++)
            if (((unsigned char)p[i] & 0xc0) != 0x80)
                return p;
        p += n + 1;
    }
    return NULL;
}

/* True when one of 8 bytes is a quote, a backslash, a control character or not ASCII. */
static bool has_special(const char *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    uint64_t w;
    memcpy(&w, p, 8);
    uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
    return ((w | (w - ones * 0x20) | (quote - ones) | (slash - ones)) & tops) != 0;
}

/* The string that begins at j->p into j->text; *more when its end has not come. */
static hal_status take_string(hal_json *j, bool *more, hal_err *err)
{
    const char *p = j->p + 1 + j->scanned, *end = j->end;
    *more = false;
    for (;;) {
        while (end - p >= 8 && !has_special(p))
            p += 8;
        if (p == end)
            break;
        unsigned char c = (unsigned char)*p;
        if (c == '"') {
            break;
        } else if (c == '\\') {
            j->escaped = true;
            if (end - p < 2)
                break;
            p += 2;
        } else if (c < 0x20) {
            return bad(j, p, err, "a control character inside a string");
        } else {
            j->non_ascii = j->non_ascii || c >= 0x80;
            p++;
        }
    }
    if (p - j->p > HAL_JSON_STRING_MAX)
        return bad(j, j->p, err, "a string longer than 16 MiB");
    if (p == end || *p == '\\') {
        j->scanned = (size_t)(p - (j->p + 1));
        *more = true;
        return HAL_OK;
    }
    j->text = (hal_slice){j->p + 1, (size_t)(p - (j->p + 1))};
    if (j->non_ascii) {
        const char *wrong = hal_json_wrong_utf8(j->text.data, p);
        if (wrong)
            return bad(j, wrong, err, "a string that is not valid UTF-8");
    }
    hal_status st = j->escaped ? unescape(j, j->text.data, p, err) : HAL_OK;
    if (st)
        return st;
    j->scanned = 0;
    j->escaped = j->non_ascii = false;
    j->p = p + 1;
    return HAL_OK;
}

static hal_status take_number(hal_json *j, hal_json_event *event, hal_err *err)
{
    hal_number v;
    hal_number_kind kind = hal_number_scan(j->p, j->end, &v);
    if (kind == HAL_NUMBER_NONE)
        return bad(j, j->p, err, "not a value");
    if (kind == HAL_NUMBER_CUT) {
        *event = HAL_JSON_MORE;
        if (j->end - j->p > NUMBER_TEXT_MAX)
            return bad(j, j->p, err, "a number of more than 4096 digits");
        return HAL_OK;
    }
    j->text = (hal_slice){j->p, v.size_bytes};
    if (kind == HAL_NUMBER_INT) {
        j->i = v.i;
        *event = HAL_JSON_INT;
    } else if (kind == HAL_NUMBER_FLOAT) {
        j->d = v.d;
        *event = HAL_JSON_FLOAT;
    } else {
        *event = HAL_JSON_BIG;
    }
    j->p += v.size_bytes;
    value_ended(j);
    return HAL_OK;
}

static hal_status take_word(hal_json *j, hal_json_event *event, hal_err *err)
{
    const char *word = *j->p == 't' ? "true" : *j->p == 'f' ? "false" : "null";
    size_t n = strlen(word), have = (size_t)(j->end - j->p);
    if (memcmp(j->p, word, have < n ? have : n) != 0)
        return bad(j, j->p, err, "not a value");
    if (have < n) {
        *event = HAL_JSON_MORE;
        return HAL_OK;
    }
    *event = *word == 't' ? HAL_JSON_TRUE : *word == 'f' ? HAL_JSON_FALSE : HAL_JSON_NULL;
    j->p += n;
    value_ended(j);
    return HAL_OK;
}

static hal_status take_value(hal_json *j, hal_json_event *event, hal_err *err)
{
    bool more;
    hal_status st;
    switch (*j->p) {
    case '"':
        st = take_string(j, &more, err);
        if (!st && !more)
            value_ended(j);
        *event = more ? HAL_JSON_MORE : HAL_JSON_STRING;
        return st;
    case '{':
        *event = HAL_JSON_OBJECT;
        return open_container(j, true, err);
    case '[':
        *event = HAL_JSON_ARRAY;
        return open_container(j, false, err);
    case 't':
    case 'f':
    case 'n':
        return take_word(j, event, err);
    default:
        return take_number(j, event, err);
    }
}

static hal_status take_key(hal_json *j, hal_json_event *event, hal_err *err)
{
    if (*j->p != '"')
        return bad(j, j->p, err, "expected a key in quotes");
    bool more;
    hal_status st = take_string(j, &more, err);
    if (st)
        return st;
    *event = more ? HAL_JSON_MORE : HAL_JSON_KEY;
    if (more)
        return HAL_OK;
    j->expect = HAL_JSON_EXPECT_COLON;
    return remember_key(j, err);
}

hal_status hal_json_next(hal_json *j, hal_json_event *event, hal_err *err)
{
    for (;;) {
        j->p = skip_blanks(j->p, j->end);
        if (j->p == j->end) {
            *event = HAL_JSON_MORE;
            return HAL_OK;
        }
        j->started = true;
        if (j->complete)
            return bad(j, j->p, err, "something follows the end of the answer");
        char c = *j->p;
        switch (j->expect) {
        case HAL_JSON_EXPECT_COMMA:
            if (c == '}' || c == ']')
                return close_container(j, event, err);
            if (c != ',')
                return bad(j, j->p, err, "expected a comma or the end of an object or array");
            j->expect = j->is_object[j->depth - 1] ? HAL_JSON_EXPECT_KEY : HAL_JSON_EXPECT_VALUE;
            j->p++;
            break;
        case HAL_JSON_EXPECT_COLON:
            if (c != ':')
                return bad(j, j->p, err, "expected a colon");
            j->expect = HAL_JSON_EXPECT_VALUE;
            j->p++;
            break;
        case HAL_JSON_EXPECT_KEY_OR_END:
            if (c == '}')
                return close_container(j, event, err);
            return take_key(j, event, err);
        case HAL_JSON_EXPECT_KEY:
            return take_key(j, event, err);
        case HAL_JSON_EXPECT_VALUE_OR_END:
            if (c == ']')
                return close_container(j, event, err);
            return take_value(j, event, err);
        default:
            return take_value(j, event, err);
        }
    }
}

void hal_json_enter_object(hal_json *j)
{
    j->is_object[j->depth] = j->own_keys[j->depth] = true;
    j->first_key[j->depth++] = j->n_keys;
}

void hal_json_own_keys(hal_json *j)
{
    j->own_keys[j->depth - 1] = true;
}

bool hal_json_take_key(hal_json *j, hal_slice quoted_name)
{
    const char *p = j->p, *end = j->end;
    if (j->scanned)
        return false;
    if (j->expect == HAL_JSON_EXPECT_COMMA) {
        p = skip_blanks(p, end);
        if (p == end || *p++ != ',')
            return false;
    } else if (j->expect != HAL_JSON_EXPECT_KEY_OR_END && j->expect != HAL_JSON_EXPECT_KEY) {
        return false;
    }
    p = skip_blanks(p, end);
    if ((size_t)(end - p) <= quoted_name.size_bytes ||
        memcmp(p, quoted_name.data, quoted_name.size_bytes) != 0)
        return false;
    p = skip_blanks(p + quoted_name.size_bytes, end);
    if (p == end || *p != ':')
        return false;
    j->p = p + 1;
    j->expect = HAL_JSON_EXPECT_VALUE;
    return true;
}

bool hal_json_between_elements(const hal_json *j)
{
    return j->p == j->end && j->expect == HAL_JSON_EXPECT_VALUE && !j->scanned && j->depth > 0 &&
           !j->is_object[j->depth - 1];
}

void hal_json_begin_like(hal_json *j, const hal_json *like)
{
    j->expect = HAL_JSON_EXPECT_VALUE;
    j->depth = like->depth;
    j->started = true;
    j->complete = false;
    j->n_keys = 0;
    memcpy(j->is_object, like->is_object, sizeof j->is_object);
    memset(j->first_key, 0, sizeof j->first_key);
    j->p = j->end = j->window = NULL;
    j->rest.size_bytes = 0;
    j->in_rest = false;
    j->scanned = 0;
    j->window_offset = hal_json_offset(like);
}

void hal_json_skip(hal_json *j, size_t n)
{
    j->window_offset = hal_json_offset(j) + n;
    j->p = j->end = j->window = NULL;
    j->rest.size_bytes = 0;
    j->in_rest = false;
}
