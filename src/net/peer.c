/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/peer.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

void hal_peers_clear(hal_peers *p)
{
    hal_free(p->ca_file);
    hal_free(p->proxy);
    hal_free(p->http_proxy);
    hal_free(p->https_proxy);
    hal_free(p->no_proxy);
    *p = (hal_peers){0};
}

/* `from` names where it was given; the text itself may hold a password. */
static hal_status check_proxy(const hal_curl *curl, const char *text, const char *from,
                              hal_err *err)
{
    static const char *const known[] = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"};
    CURLU *url = curl->url();
    char *scheme = NULL;
    bool good = false;
    if (!url)
        return hal_err_nomem(err, 1024);
    if (!curl->url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME) &&
        !curl->url_get(url, CURLUPART_SCHEME, &scheme, 0))
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            good = good || !strcmp(scheme, known[i]);
    curl->free(scheme);
    curl->url_cleanup(url);
    return good ? HAL_OK
                : hal_err_set(err, HAL_E_USAGE,
                              "%s holds no proxy: http://host:port is expected, or https, socks4, "
                              "socks5 or socks5h in place of http",
                              from);
}

static hal_status take(char **out, const char *text, hal_err *err)
{
    if (!text || !*text)
        return HAL_OK;
    *out = hal_strdup(text);
    return *out ? HAL_OK : hal_err_nomem(err, strlen(text));
}

static hal_status take_proxy(char **out, const hal_curl *curl, const char *text, const char *from,
                             hal_err *err)
{
    hal_status st = text && *text ? check_proxy(curl, text, from, err) : HAL_OK;
    return st ? st : take(out, text, err);
}

/* The first of these variables that is set. HTTP_PROXY in capitals is not among them: a CGI program
 * gets it from whoever asks. */
static hal_status take_variable(char **out, const hal_curl *curl, const char *const names[],
                                hal_err *err)
{
    for (size_t i = 0; names[i]; i++) {
        const char *text = getenv(names[i]);
        if (text && *text)
            return take_proxy(out, curl, text, names[i], err);
    }
    return HAL_OK;
}

static hal_status take_environment(hal_peers *p, const hal_curl *curl, hal_err *err)
{
    static const char *const http[] = {"http_proxy", "all_proxy", "ALL_PROXY", NULL};
    static const char *const https[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
                                        NULL};
    const char *none = getenv("no_proxy");
    hal_status st = take_variable(&p->http_proxy, curl, http, err);
    if (!st)
        st = take_variable(&p->https_proxy, curl, https, err);
    return st ? st : take(&p->no_proxy, none && *none ? none : getenv("NO_PROXY"), err);
}

hal_status hal_peers_init(hal_peers *out, const hal_curl *curl, const hal_net_options *options,
                          hal_err *err)
{
    hal_peers p = {0};
    hal_status st = HAL_OK;
    if (options->ca_file && access(options->ca_file, R_OK))
        st = hal_err_set(err, HAL_E_IO, "the file of certificate authorities %s cannot be read",
                         options->ca_file);
    if (!st)
        st = take(&p.ca_file, options->ca_file, err);
    if (!st)
        st = take_proxy(&p.proxy, curl, options->proxy, "the option proxy", err);
    if (!st && options->proxy_from_env && !p.proxy)
        st = take_environment(&p, curl, err);
    if (st) {
        hal_peers_clear(&p);
        return st;
    }
    *out = p;
    return HAL_OK;
}

static int port_of(const char *text, size_t n)
{
    int port = 0;
    for (size_t i = 0; i < n && port < 65536; i++)
        port = text[i] >= '0' && text[i] <= '9' ? port * 10 + (text[i] - '0') : 65536;
    return port;
}

/* Is the host of `t` named by this item of no_proxy: "host", ".suffix", "host:port" or "*"? */
static bool is_named(const hal_target *t, const char *item, size_t n)
{
    const char *host = t->host, *colon = memchr(item, ':', n);
    size_t n_host = strlen(host);
    if (n == 1 && *item == '*')
        return true;
    if (colon && *item != '[' && port_of(colon + 1, n - (size_t)(colon + 1 - item)) != t->port)
        return false;
    if (colon && *item != '[')
        n = (size_t)(colon - item);
    if (n && *item == '.') {
        item++;
        n--;
    }
    if (!n || n > n_host || strncasecmp(host + n_host - n, item, n) != 0)
        return false;
    return n == n_host || host[n_host - n - 1] == '.';
}

static bool goes_direct(const hal_peers *p, const hal_target *t)
{
    static const char between[] = ", \t";
    for (const char *at = p->no_proxy ? p->no_proxy : ""; *at;) {
        at += strspn(at, between);
        size_t n = strcspn(at, between);
        if (n && is_named(t, at, n))
            return true;
        at += n;
    }
    return false;
}

const char *hal_peers_proxy(const hal_peers *p, const hal_target *t)
{
    if (p->proxy)
        return p->proxy;
    const char *proxy = t->https ? p->https_proxy : p->http_proxy;
    return proxy && !goes_direct(p, t) ? proxy : NULL;
}
