/* SPDX-License-Identifier: BSD-3-Clause */
/* The request: its own copy, and what libcurl is told of it. */
#include "net/exchange_impl.h"

#include "base/alloc.h"
#include "net/header.h"

#include <stdio.h>
#include <strings.h>

enum {
    HEADERS_MAX = 32,
    HEADER_BYTES_MAX = 8192,
    URL_MAX = 65536,
    BUFFER_BYTES = 256 * 1024,
    CONNECT_MS = 60000, /* of libcurl itself: longer than exchange_watch.c waits */
};

static bool survives_redirect(const char *line)
{
    static const char *const kept[] = {"Accept:", "Content-Type:", NULL};
    for (int i = 0; kept[i]; i++)
        if (!strncasecmp(line, kept[i], strlen(kept[i])))
            return true;
    return false;
}

hal_status hal_exchange_add_header(hal_exchange *x, const char *line, hal_err *err)
{
    struct curl_slist *grown = x->loop->curl->slist_append(x->headers, line);
    if (!grown)
        return hal_err_nomem(err, strlen(line));
    x->headers = grown;
    return HAL_OK;
}

/* A host that the request was not made for gets no header it could be recognised by. */
static hal_status list_headers(hal_exchange *x, hal_err *err)
{
    if (x->headers)
        x->loop->curl->slist_free_all(x->headers);
    x->headers = NULL;
    bool home = hal_target_same_origin(&x->first, &x->target);
    hal_status st = hal_exchange_add_header(x, "Expect:", err); /* no 100-continue */
    if (!st && x->resume.from) /* a download wants the file as it is */
        st = hal_exchange_add_header(x, "Accept-Encoding: identity", err);
    for (const char *line = x->header_text; *line && !st; line += strlen(line) + 1)
        if (home || survives_redirect(line))
            st = hal_exchange_add_header(x, line, err);
    if (!st && home && x->secrets.authorization)
        st = hal_exchange_add_authorization(x, err);
    if (!st && x->request.coded)
        st = hal_exchange_add_header(x, "Accept-Encoding: gzip, zstd", err);
    uint64_t offset, end;
    const char *etag;
    if (!st && x->resume.from && x->resume.from(x->resume.ctx, &offset, &end, &etag)) {
        char line[320], last[24] = "";
        if (end)
            snprintf(last, sizeof last, "%llu", (unsigned long long)end - 1);
        snprintf(line, sizeof line, "Range: bytes=%llu-%s", (unsigned long long)offset, last);
        st = hal_exchange_add_header(x, line, err);
        snprintf(line, sizeof line, "If-Range: %s", etag);
        if (!st && *etag)
            st = hal_exchange_add_header(x, line, err);
    }
    return st;
}

#define SET(option, value) rc = rc ? rc : c->easy_setopt(e, option, value)

static hal_status refused(const hal_curl *c, CURLcode rc, hal_err *err)
{
    return hal_err_set(err, rc == CURLE_OUT_OF_MEMORY ? HAL_E_NOMEM : HAL_E_INTERNAL,
                       "preparing a request: %s", c->easy_strerror(rc));
}

/* What is the same for all requests of a loop. */
static hal_status set_once(hal_loop *loop, CURL *e, hal_err *err)
{
    const hal_curl *c = loop->curl;
    CURLcode rc = CURLE_OK;
    /* A size that is not taken leaves the usual one. */
    c->easy_setopt(e, CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_UNRESTRICTED_AUTH, 0L);
    SET(CURLOPT_NOPROXY, ""); /* hal_peers_proxy decides */
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (loop->peers.ca_file)
        SET(CURLOPT_CAINFO, loop->peers.ca_file);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    SET(CURLOPT_USERAGENT, "halyard/" HAL_VERSION_TEXT);
    SET(CURLOPT_HEADERFUNCTION, hal_exchange_on_header);
    SET(CURLOPT_WRITEFUNCTION, hal_exchange_on_body);
    SET(CURLOPT_OPENSOCKETFUNCTION, hal_exchange_open_socket);
    SET(CURLOPT_CLOSESOCKETFUNCTION, hal_exchange_close_socket);
    SET(CURLOPT_CLOSESOCKETDATA, (void *)loop);
    SET(CURLOPT_RESOLVER_START_FUNCTION, hal_exchange_on_resolve);
    SET(CURLOPT_PREREQFUNCTION, hal_exchange_on_connected);
    return rc ? refused(c, rc, err) : HAL_OK;
}

hal_status hal_exchange_open_handle(hal_exchange *x, hal_err *err)
{
    hal_loop *loop = x->loop;
    if (loop->n_idle_handles) {
        x->easy = loop->idle_handles[--loop->n_idle_handles];
        return HAL_OK;
    }
    x->easy = loop->curl->easy_init();
    return x->easy ? set_once(loop, x->easy, err) : hal_err_nomem(err, 8192);
}

/* One of a file that came well may fetch another: of a handle's memory the buffer is the largest
 * part. All that it was told of this request is told anew for the next one. */
void hal_exchange_close_handle(hal_exchange *x)
{
    hal_loop *loop = x->loop;
    const hal_curl *c = loop->curl;
    CURL *e = x->easy;
    x->easy = NULL;
    if (!e)
        return;
    if (!x->resume.from || x->outcome.err.status || x->secrets.authorization || loop->closing ||
        loop->n_idle_handles == HAL_IDLE_HANDLES_MAX) {
        c->easy_cleanup(e);
        return;
    }
    c->easy_setopt(e, CURLOPT_ERRORBUFFER, (char *)NULL);
    c->easy_setopt(e, CURLOPT_HTTPHEADER, (struct curl_slist *)NULL);
    loop->idle_handles[loop->n_idle_handles++] = e;
}

hal_status hal_exchange_set_options(hal_exchange *x, hal_err *err)
{
    const hal_curl *c = x->loop->curl;
    CURL *e = x->easy;
    hal_status st = list_headers(x, err);
    if (st)
        return st;
    const char *proxy = hal_peers_proxy(&x->loop->peers, &x->target);
    x->proxied = proxy != NULL;
    CURLcode rc = CURLE_OK;
    SET(CURLOPT_CURLU, x->target.url);
    SET(CURLOPT_PRIVATE, (void *)x);
    SET(CURLOPT_ERRORBUFFER, x->curl_text);
    SET(CURLOPT_PROXY, proxy ? proxy : "");
    /* Small answers of one host share a connection where its server can (HTTP/2, which TLS tells
     * at once; without TLS all would wait for the first answer); files come over several. */
    SET(CURLOPT_PIPEWAIT, x->target.https && !x->resume.from ? 1L : 0L);
    SET(CURLOPT_HTTPHEADER, x->headers);
    SET(CURLOPT_HEADERDATA, (void *)x);
    SET(CURLOPT_WRITEDATA, (void *)x);
    SET(CURLOPT_OPENSOCKETDATA, (void *)x);
    SET(CURLOPT_RESOLVER_START_DATA, (void *)x);
    SET(CURLOPT_PREREQDATA, (void *)x);
    const char *method = x->as_get ? "GET" : x->method;
    SET(CURLOPT_CUSTOMREQUEST, (char *)NULL);
    if (!strcmp(method, "HEAD")) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (x->as_get || (!x->body_bytes && strcmp(method, "POST") && strcmp(method, "PUT"))) {
        SET(CURLOPT_HTTPGET, 1L);
        if (strcmp(method, "GET") != 0)
            SET(CURLOPT_CUSTOMREQUEST, method);
    } else {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->body_bytes);
        SET(CURLOPT_POSTFIELDS, x->body ? x->body : "");
        if (strcmp(method, "POST") != 0)
            SET(CURLOPT_CUSTOMREQUEST, method);
    }
    return rc ? refused(c, rc, err) : HAL_OK;
}
#undef SET

static hal_status copy_headers(hal_exchange *x, const hal_request *r, hal_err *err)
{
    size_t total = 1;
    if (r->n_headers > HEADERS_MAX)
        return hal_err_set(err, HAL_E_USAGE, "more than %d headers", HEADERS_MAX);
    for (size_t i = 0; i < r->n_headers; i++) {
        hal_status st = hal_header_check(r->headers[i].name, r->headers[i].value, err);
        if (st)
            return st;
        total += strlen(r->headers[i].name) + strlen(r->headers[i].value) + 3;
    }
    if (total > HEADER_BYTES_MAX)
        return hal_err_set(err, HAL_E_USAGE, "headers of more than %d bytes", HEADER_BYTES_MAX);
    char *at = x->header_text = hal_malloc(total);
    if (!at)
        return hal_err_nomem(err, total);
    for (size_t i = 0; i < r->n_headers; i++)
        at += snprintf(at, total - (size_t)(at - x->header_text), "%s: %s", r->headers[i].name,
                       r->headers[i].value) +
              1;
    *at = '\0';
    return HAL_OK;
}

hal_status hal_exchange_copy_request(hal_exchange *x, const hal_request *r, hal_err *err)
{
    const char *method = r->method ? r->method : "GET";
    size_t n = strlen(method);
    if (n < 1 || n > 16 || strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != n)
        return hal_err_set(err, HAL_E_USAGE, "bad HTTP method '%.20s'", method);
    if (!r->url || !r->url[0] || strlen(r->url) > URL_MAX)
        return hal_err_set(err, HAL_E_USAGE, "a URL of 1 to %d bytes is needed", URL_MAX);
    hal_status st = copy_headers(x, r, err);
    if (st)
        return st;
    x->method = hal_strdup(method);
    x->url = hal_strdup(r->url);
    x->body_bytes = r->body.size_bytes;
    if (x->body_bytes)
        x->body = hal_strndup(r->body.data, x->body_bytes);
    if (!x->method || !x->url || (x->body_bytes && !x->body))
        return hal_err_nomem(err, x->body_bytes);
    x->request = (hal_request){
        .repeatable = r->repeatable,
        .tries_max = r->tries_max > 0 ? r->tries_max : 5,
        .first_byte_ms = r->first_byte_ms > 0 ? r->first_byte_ms : 120000,
        .deadline_ms = r->deadline_ms > 0 ? r->deadline_ms : 3600000,
        .body_max_bytes = r->body_max_bytes ? r->body_max_bytes : UINT64_C(64) << 30,
        .error_bodies = r->error_bodies,
        .coded = r->coded,
        .keep_redirect = r->keep_redirect,
        .words = r->words,
    };
    const int64_t most_ms = INT64_MAX / 4 / HAL_NS_PER_MS;
    if (x->request.deadline_ms > most_ms)
        x->request.deadline_ms = most_ms;
    if (x->request.first_byte_ms > most_ms)
        x->request.first_byte_ms = most_ms;
    return HAL_OK;
}
