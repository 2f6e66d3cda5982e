/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/target.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void hal_target_clear(const hal_curl *curl, hal_target *target)
{
    if (target->url)
        curl->url_cleanup(target->url);
    *target = (hal_target){0};
}

static hal_status read_parts(const hal_curl *c, hal_target *t, const char *text, hal_err *err)
{
    char *part = NULL;
    hal_status st = HAL_OK;
    if (!c->url_get(t->url, CURLUPART_USER, &part, 0) ||
        !c->url_get(t->url, CURLUPART_PASSWORD, &part, 0)) {
        c->free(part);
        return hal_err_set(err, HAL_E_USAGE,
                           "a user or password in a URL is not allowed; remove what is before @");
    }
    if (c->url_get(t->url, CURLUPART_SCHEME, &part, 0))
        return hal_err_set(err, HAL_E_USAGE, "no scheme in URL %.200s", text);
    t->https = !strcmp(part, "https");
    if (!t->https && strcmp(part, "http") != 0)
        st = hal_err_set(err, HAL_E_PERMISSION,
                         "only http and https are allowed, not %.20s: %.200s", part, text);
    c->free(part);
    if (st)
        return st;
    CURLUcode rc = c->url_get(t->url, CURLUPART_HOST, &part, CURLU_PUNYCODE);
    if (rc)
        return hal_err_set(err, HAL_E_USAGE, "bad host in URL %.200s: %s", text,
                           c->url_strerror(rc));
    size_t n = strlen(part);
    bool dotted = n && part[n - 1] == '.';
    if (dotted)
        part[--n] = '\0';
    const char *label = dotted ? strrchr(part, '.') : NULL;
    label = label ? label + 1 : part;
    /* With its dot libcurl takes a number for a name, without it for an address. */
    bool fits =
        n > 0 && n < sizeof t->host && !(dotted && (!*label || (*label >= '0' && *label <= '9')));
    for (size_t i = 0; fits && i <= n; i++)
        t->host[i] = part[i] >= 'A' && part[i] <= 'Z' ? (char)(part[i] + 32) : part[i];
    bool as_is = fits && !dotted && !strcmp(part, t->host) && !strstr(part, "xn--");
    c->free(part);
    if (!fits)
        return hal_err_set(err, HAL_E_USAGE,
                           "a host name of 1 to 255 bytes, or a number with no dot behind it, is "
                           "expected in URL %.200s",
                           text);
    if (!as_is && c->url_set(t->url, CURLUPART_HOST, t->host, 0))
        return hal_err_nomem(err, n);
    if (c->url_get(t->url, CURLUPART_PORT, &part, CURLU_DEFAULT_PORT))
        return hal_err_set(err, HAL_E_USAGE, "bad port in URL %.200s", text);
    for (const char *p = part; *p; p++)
        t->port = t->port * 10 + (*p - '0');
    c->free(part);
    return HAL_OK;
}

hal_status hal_target_parse(const hal_curl *curl, hal_target *out, const char *text,
                            const hal_target *base, hal_err *err)
{
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f || *p == '\\')
            return hal_err_set(err, HAL_E_USAGE,
                               "a URL must not hold control characters or backslashes");
    hal_target t = {.url = base ? curl->url_dup(base->url) : curl->url()};
    if (!t.url)
        return hal_err_nomem(err, 1024);
    CURLUcode rc =
        curl->url_set(t.url, CURLUPART_URL, text,
                      CURLU_PATH_AS_IS | CURLU_NON_SUPPORT_SCHEME | (base ? CURLU_URLENCODE : 0));
    hal_status st =
        rc == CURLUE_OUT_OF_MEMORY ? hal_err_nomem(err, strlen(text))
        : rc ? hal_err_set(err, HAL_E_USAGE, "bad URL %.200s: %s", text, curl->url_strerror(rc))
             : read_parts(curl, &t, text, err);
    if (st) {
        hal_target_clear(curl, &t);
        return st;
    }
    *out = t;
    return HAL_OK;
}

bool hal_target_same_origin(const hal_target *a, const hal_target *b)
{
    return a->https == b->https && a->port == b->port && !strcmp(a->host, b->host);
}

void hal_target_text(const hal_curl *curl, const hal_target *target, char *out, size_t size)
{
    char *text = NULL;
    out[0] = '\0';
    if (!target->url || curl->url_get(target->url, CURLUPART_URL, &text, 0))
        return;
    snprintf(out, size, "%s", text);
    curl->free(text);
}

static bool v4_is_public(uint32_t a)
{
    static const struct {
        uint32_t net;
        int bits;
    } closed[] = {
        {0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},
        {0xa9fe0000, 16}, {0xac100000, 12}, {0xc0000000, 24}, {0xc0a80000, 16},
        {0xc6120000, 15}, {0xe0000000, 4},  {0xf0000000, 4},
    };
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++)
        if ((a ^ closed[i].net) >> (32 - closed[i].bits) == 0)
            return false;
    return true;
}

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool v6_is_public(const unsigned char *a)
{
    static const unsigned char zero[12], mapped[12] = {[10] = 0xff, [11] = 0xff},
                                         nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    if (!memcmp(a, mapped, 12) || !memcmp(a, nat64, 12))
        return v4_is_public(be32(a + 12));
    if (a[0] == 0x20 && a[1] == 0x02)
        return v4_is_public(be32(a + 2));
    if (!memcmp(a, zero, 12)) /* ::, ::1 and the old compatible form */
        return false;
    return (a[0] & 0xfe) != 0xfc && !(a[0] == 0xfe && (a[1] & 0xc0) == 0x80) && a[0] != 0xff;
}

bool hal_address_is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        return v4_is_public(ntohl(in.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        return v6_is_public(in6.sin6_addr.s6_addr);
    }
    return false;
}

bool hal_target_is_private(const hal_target *target)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    char bare[sizeof target->host];
    size_t n = strlen(target->host);
    bool six = target->host[0] == '[';
    snprintf(bare, sizeof bare, "%.*s", (int)(six ? n - 2 : n), target->host + six);
    bare[strcspn(bare, "%")] = '\0'; /* zone */
    if (inet_pton(AF_INET, bare, &in.sin_addr) == 1)
        return !hal_address_is_public((struct sockaddr *)&in);
    if (inet_pton(AF_INET6, bare, &in6.sin6_addr) == 1)
        return !hal_address_is_public((struct sockaddr *)&in6);
    return !strcmp(bare, "localhost") || (n > 10 && !strcmp(bare + n - 10, ".localhost"));
}
