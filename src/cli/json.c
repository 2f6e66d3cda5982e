/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/json.h"

#include <stdlib.h>
#include <string.h>

/* Past a text that begins at its opening quote. */
static const char *skip_text(const char *c)
{
    for (c++; *c && *c != '"'; c++)
        if (*c == '\\' && c[1])
            c++;
    return *c ? c + 1 : c;
}

/* Past any value. */
static const char *skip_value(const char *c)
{
    int depth = 0;
    while (*c) {
        if (*c == '"') {
            c = skip_text(c);
            continue;
        }
        if (*c == '{' || *c == '[')
            depth++;
        else if ((*c == '}' || *c == ']') && depth-- == 0)
            return c;
        else if (*c == ',' && depth == 0)
            return c;
        c++;
    }
    return c;
}

/* The value of a top-level field: events are written without spaces. */
static const char *find(const char *json, const char *name)
{
    size_t n = strlen(name);
    const char *c = *json == '{' ? json + 1 : "";
    while (*c == '"') {
        const char *end = skip_text(c);
        if (*end != ':')
            return NULL;
        if ((size_t)(end - c) == n + 2 && !memcmp(c + 1, name, n))
            return end + 1;
        c = skip_value(end + 1);
        if (*c == ',')
            c++;
    }
    return NULL;
}

/* The byte that an escape at the backslash `*c` stands for; *c then is its last character. */
static char unescaped(const char **c)
{
    static const char letters[] = "bfnrt", bytes[] = "\b\f\n\r\t";
    if ((*c)[1] == 'u' && strlen(*c) >= 6) { /* control characters only: texts are UTF-8 */
        char hex[5] = {(*c)[2], (*c)[3], (*c)[4], (*c)[5], '\0'};
        *c += 5;
        return (char)strtol(hex, NULL, 16);
    }
    if (!(*c)[1])
        return '\\';
    const char *letter = strchr(letters, *++*c);
    return letter ? bytes[letter - letters] : **c;
}

bool json_text(const char *json, const char *name, char *out, size_t size_bytes)
{
    const char *c = find(json, name);
    size_t n = 0;
    bool found = c && *c == '"';
    for (c = found ? c + 1 : ""; *c && *c != '"' && n + 1 < size_bytes; c++) {
        char byte = *c == '\\' ? unescaped(&c) : *c;
        out[n++] = byte;
    }
    out[n] = '\0';
    return found;
}

/* Decimal text as events hold it, the same in every locale; display accuracy. */
static double read_number(const char *c)
{
    bool negative = *c == '-';
    double v = 0;
    int exponent = 0, n = 0;
    for (c += negative; *c >= '0' && *c <= '9'; c++)
        v = v * 10 + (*c - '0');
    if (*c == '.')
        for (c++; *c >= '0' && *c <= '9'; c++, exponent--)
            v = v * 10 + (*c - '0');
    if (*c == 'e') {
        bool small = *++c == '-';
        for (c += *c == '-' || *c == '+'; *c >= '0' && *c <= '9' && n < 400; c++)
            n = n * 10 + (*c - '0');
        exponent += small ? -n : n;
    }
    for (; exponent > 0; exponent--)
        v *= 10;
    for (; exponent < 0; exponent++)
        v /= 10;
    return negative ? -v : v;
}

double json_number(const char *json, const char *name, double absent)
{
    const char *c = find(json, name);
    if (!c || (*c != '-' && (*c < '0' || *c > '9')))
        return absent;
    return read_number(c);
}
