/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE /* memmem */
#include "net/header.h"

#include <stdio.h>
#include <strings.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_token(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static hal_slice trim(hal_slice s)
{
    while (s.size_bytes && is_blank(s.data[0])) {
        s.data++;
        s.size_bytes--;
    }
    while (s.size_bytes && is_blank(s.data[s.size_bytes - 1]))
        s.size_bytes--;
    return s;
}

bool hal_header_split(hal_slice line, hal_slice *name, hal_slice *value)
{
    size_t n = 0;
    while (n < line.size_bytes && is_token(line.data[n]))
        n++;
    if (n == 0 || n == line.size_bytes || line.data[n] != ':')
        return false;
    *name = (hal_slice){line.data, n};
    *value = trim((hal_slice){line.data + n + 1, line.size_bytes - n - 1});
    return true;
}

bool hal_header_size(hal_slice text, int64_t *out)
{
    int64_t value = 0;
    for (size_t i = 0; i < text.size_bytes; i++) {
        int digit = text.data[i] - '0';
        if (!is_digit(text.data[i]) || value > (INT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (text.size_bytes == 0)
        return false;
    *out = value;
    return true;
}

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar. */
static int64_t days_from_civil(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

bool hal_header_date(hal_slice text, int64_t *unix_s)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char copy[64], month[4] = "";
    text = trim(text);
    if (text.size_bytes == 0 || text.size_bytes >= sizeof copy)
        return false;
    memcpy(copy, text.data, text.size_bytes);
    copy[text.size_bytes] = '\0';
    int d, y, h, min, s, end = -1;
    if (sscanf(copy, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &d, month, &y, &h, &min,
               &s, &end) == 6 &&
        end >= 0) {
        /* Sun, 06 Nov 1994 08:49:37 GMT */
    } else if (end = -1, sscanf(copy, "%*[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &d, month,
                                &y, &h, &min, &s, &end) == 6 &&
                             end >= 0) {
        y += y < 70 ? 2000 : 1900; /* Sunday, 06-Nov-94 08:49:37 GMT */
    } else if (end = -1, sscanf(copy, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", month, &d, &h,
                                &min, &s, &y, &end) != 6 ||
                             end < 0) { /* Sun Nov  6 08:49:37 1994 */
        return false;
    }
    const char *at = strlen(month) == 3 ? strstr(months, month) : NULL;
    if ((size_t)end != text.size_bytes || !at || (at - months) % 3 != 0)
        return false;
    if (d < 1 || d > 31 || y < 1970 || h < 0 || h > 23 || min < 0 || min > 59 || s < 0 || s > 60)
        return false;
    *unix_s = days_from_civil(y, (int)(at - months) / 3 + 1, d) * 86400 + h * 3600 + min * 60 + s;
    return true;
}

bool hal_header_retry_after(hal_slice text, int64_t date_s, int64_t now_s, double *wait_s)
{
    int64_t value;
    text = trim(text);
    if (hal_header_size(text, &value)) {
        *wait_s = (double)value;
        return true;
    }
    if (!hal_header_date(text, &value))
        return false;
    int64_t from = date_s >= 0 ? date_s : now_s;
    *wait_s = value > from ? (double)(value - from) : 0.0;
    return true;
}

bool hal_header_content_range(hal_slice text, hal_content_range *out)
{
    text = trim(text);
    if (text.size_bytes < 6 || strncasecmp(text.data, "bytes ", 6) != 0)
        return false;
    hal_slice rest = trim((hal_slice){text.data + 6, text.size_bytes - 6});
    const char *slash = rest.size_bytes ? memchr(rest.data, '/', rest.size_bytes) : NULL;
    if (!slash)
        return false;
    hal_slice range = {rest.data, (size_t)(slash - rest.data)};
    hal_slice total = {slash + 1, rest.size_bytes - range.size_bytes - 1};
    hal_content_range r = {-1, -1, -1};
    if (!(total.size_bytes == 1 && total.data[0] == '*') && !hal_header_size(total, &r.total))
        return false;
    if (range.size_bytes == 1 && range.data[0] == '*') {
        if (r.total < 0)
            return false;
        *out = r;
        return true;
    }
    const char *dash = range.size_bytes ? memchr(range.data, '-', range.size_bytes) : NULL;
    if (!dash)
        return false;
    hal_slice first = {range.data, (size_t)(dash - range.data)};
    hal_slice last = {dash + 1, range.size_bytes - first.size_bytes - 1};
    if (!hal_header_size(first, &r.first) || !hal_header_size(last, &r.last) || r.last < r.first ||
        (r.total >= 0 && r.last >= r.total))
        return false;
    *out = r;
    return true;
}

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* `n_bytes` bytes as base64, all of `text` (RFC 4648 section 4), to hex digits. */
static bool read_base64(hal_slice text, unsigned n_bytes, char *out)
{
    unsigned n_digits = (n_bytes * 8 + 5) / 6, bits = 0, n_bits = 0, n = 0;
    if (text.size_bytes != (n_bytes + 2) / 3 * 4)
        return false;
    for (unsigned i = 0; i < text.size_bytes; i++) {
        int digit = i < n_digits ? base64_digit(text.data[i]) : text.data[i] == '=' ? 0 : -1;
        if (digit < 0)
            return false;
        bits = (bits << 6 | (unsigned)digit) & 0xffff;
        n_bits += 6;
        if (n_bits < 8 || n == n_bytes)
            continue;
        n_bits -= 8;
        unsigned byte = bits >> n_bits & 0xff;
        out[2 * n] = "0123456789abcdef"[byte >> 4];
        out[2 * n++ + 1] = "0123456789abcdef"[byte & 15];
        if (n == n_bytes && bits & ((1u << n_bits) - 1))
            return false;
    }
    out[2 * n] = '\0';
    return true;
}

bool hal_header_digest(hal_slice text, const char *algorithm, bool quoted, char *out)
{
    size_t key = strlen(algorithm), mark = quoted;
    unsigned n_bytes = !strcmp(algorithm, "md5") ? 16 : 32;
    char found[65];
    while (text.size_bytes) { /* members of a dictionary (RFC 8941 section 3.2) */
        const char *comma = memchr(text.data, ',', text.size_bytes);
        size_t n = comma ? (size_t)(comma - text.data) : text.size_bytes;
        hal_slice member = trim((hal_slice){text.data, n});
        size_t before = key + 1 + mark, value = (n_bytes + 2) / 3 * 4;
        bool is_it = member.size_bytes >= before + value + mark && member.data[key] == '=' &&
                     !(quoted ? memcmp(member.data, algorithm, key)
                              : strncasecmp(member.data, algorithm, key));
        if (is_it && quoted)
            is_it = member.data[key + 1] == ':' && member.data[before + value] == ':';
        else if (is_it)
            is_it = member.size_bytes == before + value;
        if (is_it && read_base64((hal_slice){member.data + before, value}, n_bytes, found)) {
            memcpy(out, found, 2 * n_bytes + 1);
            return true;
        }
        n += comma != NULL;
        text = (hal_slice){text.data + n, text.size_bytes - n};
    }
    return false;
}

bool hal_header_md5(hal_slice text, char out[33])
{
    char found[33];
    if (!read_base64(trim(text), 16, found))
        return false;
    memcpy(out, found, sizeof found);
    return true;
}

bool hal_header_is_strong_etag(hal_slice text)
{
    text = trim(text);
    if (text.size_bytes < 3 || text.data[0] != '"' || text.data[text.size_bytes - 1] != '"')
        return false;
    for (size_t i = 1; i + 1 < text.size_bytes; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '"' || c <= 0x20 || c == 0x7f)
            return false;
    }
    return true;
}

hal_status hal_header_check(const char *name, const char *value, hal_err *err)
{
    static const char *const ours[] = {
        "Host",   "Connection",    "Content-Length", "Transfer-Encoding",
        "Cookie", "Authorization", "Range",          "If-Range",
        "TE",     "Upgrade",       "Expect",         NULL,
    };
    size_t n = strlen(name);
    for (size_t i = 0; i < n; i++)
        if (!is_token(name[i]))
            return hal_err_set(err, HAL_E_USAGE, "header name has a character that is not allowed");
    if (n == 0 || n > 128)
        return hal_err_set(err, HAL_E_USAGE, "header name must have 1 to 128 characters");
    for (const char *p = value; *p; p++)
        if ((*p < 0x20 && *p != '\t') || *p > 0x7e)
            return hal_err_set(err, HAL_E_USAGE,
                               "header %s has a character that is not printable ASCII", name);
    bool taken = !strncasecmp(name, "Proxy-", 6);
    for (int i = 0; ours[i]; i++)
        taken = taken || !strcasecmp(name, ours[i]);
    if (taken)
        return hal_err_set(err, HAL_E_USAGE, "header %s is set by the engine; leave it out", name);
    return HAL_OK;
}

static bool starts_with(hal_slice text, const char *start)
{
    size_t n = strlen(start);
    return text.size_bytes >= n && !strncasecmp(text.data, start, n);
}

/* A tag, or what is declared, has ended its name after `n` bytes. */
static bool ends_at(hal_slice text, size_t n)
{
    return text.size_bytes == n || strchr(" \t\r\n>", text.data[n]);
}

static hal_slice behind(hal_slice text, const char *end)
{
    const char *at = memmem(text.data, text.size_bytes, end, strlen(end));
    size_t n = at ? (size_t)(at - text.data) + strlen(end) : text.size_bytes;
    return trim((hal_slice){text.data + n, text.size_bytes - n});
}

bool hal_header_is_html(hal_slice body, hal_slice content_type)
{
    static const char *const tags[] = {"<html", "<head", "<body", "<title", "<meta", NULL};
    body = trim(body);
    if (starts_with(body, "\xef\xbb\xbf"))
        body = trim((hal_slice){body.data + 3, body.size_bytes - 3});
    bool is_xml = starts_with(body, "<?xml") || starts_with(body, "<votable");
    if (starts_with(content_type, "text/html") && starts_with(body, "<") && !is_xml)
        return true;
    while (starts_with(body, "<?") || starts_with(body, "<!--"))
        body = behind(body, body.data[1] == '?' ? "?>" : "-->");
    if (starts_with(body, "<!doctype")) {
        body = trim((hal_slice){body.data + 9, body.size_bytes - 9});
        return starts_with(body, "html") && ends_at(body, 4);
    }
    int i = 0;
    while (tags[i] && !(starts_with(body, tags[i]) && ends_at(body, strlen(tags[i]))))
        i++;
    return tags[i];
}

void hal_header_clean(char *out, size_t size, hal_slice text)
{
    size_t n = 0;
    bool in_tag = false, blank = false;
    text = trim(text);
    bool page = text.size_bytes && text.data[0] == '<';
    for (size_t i = 0; i < text.size_bytes && n + 1 < size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (page && (c == '<' || in_tag)) {
            in_tag = c != '>';
            blank = n > 0;
        } else if (c <= 0x20 || c == 0x7f) {
            blank = n > 0;
        } else {
            if (blank && n + 2 < size)
                out[n++] = ' ';
            blank = false;
            out[n++] = c < 0x80 ? (char)c : '?';
        }
    }
    out[n] = '\0';
}
