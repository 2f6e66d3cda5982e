/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/disposition.h"

#include <strings.h>

typedef struct text {
    const char *at, *end;
} text;

static void skip_blanks(text *t)
{
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\t'))
        t->at++;
}

static hal_slice take_until(text *t, const char *ends)
{
    const char *from = t->at;
    while (t->at < t->end && *t->at && !strchr(ends, *t->at))
        t->at++;
    return (hal_slice){from, (size_t)(t->at - from)};
}

static bool is(hal_slice s, const char *wanted)
{
    return s.size_bytes == strlen(wanted) && !strncasecmp(s.data, wanted, s.size_bytes);
}

/* Behind the opening quote, up to the closing one; a backslash takes the next byte as it is. */
static hal_slice take_quoted(text *t)
{
    const char *from = t->at;
    while (t->at < t->end && *t->at != '"')
        t->at += *t->at == '\\' && t->end - t->at > 1 ? 2 : 1;
    hal_slice s = {from, (size_t)(t->at - from)};
    t->at += t->at < t->end;
    return s;
}

static hal_status unquote(hal_buf *out, hal_slice s, hal_err *err)
{
    hal_status st = HAL_OK;
    for (size_t i = 0; i < s.size_bytes && !st; i++) {
        i += s.data[i] == '\\' && i + 1 < s.size_bytes;
        if (s.data[i])
            st = hal_buf_append(out, s.data + i, 1, err);
    }
    return st;
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* charset'language'percent-encoded (RFC 8187 section 3.2). *good false: it is broken. */
static hal_status decode(hal_buf *out, hal_slice s, bool *good, hal_err *err)
{
    text t = {s.data, s.data + s.size_bytes};
    hal_slice charset = take_until(&t, "'");
    bool latin = is(charset, "ISO-8859-1");
    *good = (latin || is(charset, "UTF-8")) && t.at < t.end && *t.at == '\'';
    t.at += *good;
    take_until(&t, "'");
    *good = *good && t.at < t.end && *t.at == '\'';
    hal_status st = HAL_OK;
    for (t.at += *good; *good && t.at < t.end && !st; t.at++) {
        unsigned char c = (unsigned char)*t.at;
        if (c == '%') {
            *good = t.end - t.at > 2 && hex(t.at[1]) >= 0 && hex(t.at[2]) >= 0;
            if (!*good)
                break;
            c = (unsigned char)(hex(t.at[1]) << 4 | hex(t.at[2]));
            t.at += 2;
        }
        char two[2] = {(char)(0xc0 | c >> 6), (char)(0x80 | (c & 0x3f))};
        *good = c != 0;
        if (c)
            st = latin && c >= 0x80 ? hal_buf_append(out, two, 2, err)
                                    : hal_buf_append(out, &c, 1, err);
    }
    *good = *good && out->size_bytes > 0;
    return st;
}

hal_status hal_disposition_name(hal_buf *out, hal_slice value, bool *found, hal_err *err)
{
    text t = {value.data, value.data + value.size_bytes};
    hal_buf plain, extended;
    hal_buf_init(&plain, value.size_bytes + 1);
    hal_buf_init(&extended, 2 * value.size_bytes + 1);
    bool good = false;
    hal_status st = HAL_OK;
    take_until(&t, ";");
    while (t.at < t.end && *t.at == ';' && !st) {
        t.at++;
        skip_blanks(&t);
        hal_slice name = take_until(&t, "=; \t"), content = {0};
        skip_blanks(&t);
        if (t.at == t.end || *t.at != '=')
            continue;
        t.at++;
        skip_blanks(&t);
        bool quoted = t.at < t.end && *t.at == '"';
        t.at += quoted;
        content = quoted ? take_quoted(&t) : take_until(&t, "; \t");
        take_until(&t, ";");
        if (is(name, "filename") && !plain.size_bytes)
            st = quoted ? unquote(&plain, content, err)
                        : hal_buf_append(&plain, content.data, content.size_bytes, err);
        else if (is(name, "filename*") && !good) {
            hal_buf_clear(&extended);
            st = decode(&extended, content, &good, err);
        }
    }
    const hal_buf *best = good ? &extended : &plain;
    *found = !st && best->size_bytes > 0;
    if (*found)
        st = hal_buf_append(out, best->data, best->size_bytes, err);
    hal_buf_clear(&plain);
    hal_buf_clear(&extended);
    return st;
}
