/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE /* memmem, explicit_bzero */
#include "net/secret.h"

#include "base/alloc.h"

#include <string.h>

static void wipe(const char *text)
{
    if (text)
        explicit_bzero((char *)text, strlen(text));
    hal_free((char *)text);
}

void hal_secrets_wipe(hal_secrets *s)
{
    wipe(s->authorization);
    for (size_t i = 0; i < s->n_values; i++)
        wipe(s->values[i]);
    for (size_t i = 0; i < s->n_forms; i++)
        wipe(s->forms[i]);
    *s = (hal_secrets){0};
}

static bool take(hal_secrets *s, char *text)
{
    if (text)
        s->forms[s->n_forms++] = text;
    return text != NULL;
}

static bool add_url_encoded(hal_secrets *s, const char *value)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
    static const char hex[] = "0123456789ABCDEF";
    if (strspn(value, plain) == strlen(value))
        return true;
    char *out = hal_malloc(3 * strlen(value) + 1), *at = out;
    for (const char *p = value; out && *p; p++)
        if (strchr(plain, *p)) {
            *at++ = *p;
        } else {
            *at++ = '%';
            *at++ = hex[(unsigned char)*p >> 4];
            *at++ = hex[*p & 15];
        }
    if (out)
        *at = '\0';
    return take(s, out);
}

/* What of its base64 form does not depend on the bytes around it, when `before` bytes (modulo 3)
 * stand in front. */
static bool add_base64(hal_secrets *s, const char *value, size_t before, const char *last_two)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    size_t n = strlen(value), first = (8 * before + 5) / 6, end = 8 * (before + n) / 6;
    char *out = hal_malloc(end - first + 1);
    for (size_t i = first; out && i < end; i++) {
        unsigned sextet = 0;
        for (size_t bit = 6 * i; bit < 6 * i + 6; bit++)
            sextet = sextet << 1 | ((unsigned char)value[bit / 8 - before] >> (7 - bit % 8) & 1u);
        out[i - first] = sextet < 62 ? letters[sextet] : last_two[sextet - 62];
    }
    if (out)
        out[end - first] = '\0';
    return take(s, out);
}

hal_status hal_secrets_add_forms(hal_secrets *s, hal_err *err)
{
    for (size_t i = 0; i < s->n_values; i++) {
        const char *value = s->values[i];
        bool whole = add_url_encoded(s, value);
        for (size_t before = 0; before < 3 && whole && strlen(value) >= HAL_SECRET_TEXT_MIN;
             before++)
            whole = add_base64(s, value, before, "+/") && add_base64(s, value, before, "-_");
        if (!whole)
            return hal_err_nomem(err, strlen(value));
    }
    return HAL_OK;
}

hal_status hal_secrets_copy(hal_secrets *out, const hal_secrets *in, hal_err *err)
{
    hal_secrets s = *in;
    s.n_values = s.n_forms = 0;
    s.authorization = in->authorization ? hal_strdup(in->authorization) : NULL;
    bool whole = s.authorization || !in->authorization;
    for (size_t i = 0; i < in->n_values && whole; i++) {
        s.values[i] = hal_strdup(in->values[i]);
        whole = s.values[i] != NULL;
        s.n_values += whole;
    }
    if (!whole) {
        hal_secrets_wipe(&s);
        return hal_err_nomem(err, 0);
    }
    *out = s;
    return HAL_OK;
}

static void hide(const char *secret, size_t size, char *bytes, size_t n)
{
    char *at = bytes, *end = bytes + n;
    while ((at = memmem(at, (size_t)(end - at), secret, size))) {
        memset(at, '*', size);
        at += size;
    }
}

size_t hal_secrets_hide(const hal_secrets *s, char *bytes, size_t n, size_t size_min)
{
    size_t longest = 1, n_forms = size_min == HAL_SECRET_TEXT_MIN ? s->n_forms : 0;
    for (size_t i = 0; i < s->n_values + n_forms && n; i++) {
        const char *secret = i < s->n_values ? s->values[i] : s->forms[i - s->n_values];
        size_t size = strlen(secret);
        if (size < size_min)
            continue;
        longest = size > longest ? size : longest;
        hide(secret, size, bytes, n);
    }
    return longest - 1 < n ? longest - 1 : n;
}
