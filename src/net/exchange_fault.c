/* SPDX-License-Identifier: BSD-3-Clause */
/* What a failed transfer or a refusal means, and the words for it. */
#define _GNU_SOURCE /* strcasestr */
#include "net/exchange_impl.h"

#include "net/header.h"

#include <stdio.h>

enum {
    WORDS_MAX = 300,                 /* of an error answer's body in an error text */
    HEADER_FLOOD_BYTES = 200 * 1024, /* libcurl stops at 300 KiB */
};

const char *hal_exchange_host(const hal_exchange *x, char *out, size_t size)
{
    const hal_target *t = x->target.url ? &x->target : &x->first;
    snprintf(out, size, t->port == (t->https ? 443 : 80) ? "%s" : "%s:%d", t->host, t->port);
    return out;
}

hal_fault hal_exchange_transfer_fault(hal_exchange *x, CURLcode code, hal_err *err)
{
    const char *cause = x->curl_text[0] ? x->curl_text : x->loop->curl->easy_strerror(code);
    char host[300];
    hal_exchange_host(x, host, sizeof host);
    hal_fault fault = hal_fault_of_transfer((int)code, x->in_headers);
    /* N18: reported as a reset, one long line as a lack of memory */
    bool flood =
        x->in_headers && (x->header_bytes > HEADER_FLOOD_BYTES || code == CURLE_OUT_OF_MEMORY);
    if (flood)
        fault = (hal_fault){.status = HAL_E_PROTOCOL};
    /* N13: what is no chunk is reported as a reset too; only the text tells it. */
    bool bad_chunk = code == CURLE_RECV_ERROR && x->has_headers && strcasestr(cause, "chunk");
    if (bad_chunk)
        fault = (hal_fault){.status = HAL_E_PROTOCOL, .retryable = true, .tries_max = 2};
    long answer = 0;
    if (x->proxied &&
        x->loop->curl->easy_getinfo(x->easy, CURLINFO_HTTP_CONNECTCODE, &answer) == CURLE_OK &&
        answer >= 400)
        fault = (hal_fault){.status = HAL_E_NETWORK, .retryable = answer >= 500};
    if (answer >= 400) {
        hal_err_set(err, fault.status,
                    "the proxy does not let a request through to %s (HTTP %ld); check --proxy",
                    host, answer);
        return fault;
    }
    if (x->address_refused) {
        fault = (hal_fault){.status = HAL_E_PERMISSION};
        hal_err_set(err, fault.status,
                    "%s is at a private address, which is not granted; allow private networks "
                    "(--allow-private-net) to reach it",
                    host);
    } else if (x->stop.status) { /* N14, sink, limits: as a rule more tries give the same */
        *err = x->stop;
        fault = (hal_fault){.status = err->status, .retryable = err->retryable, .tries_max = 3};
    } else if (fault.reset) {
        hal_err_set(err, fault.status,
                    x->has_headers
                        ? "%s: the connection ended inside the answer: %s; try again later"
                        : "%s: the connection ended without an answer: %s; try again later",
                    host, cause);
    } else if (fault.status == HAL_E_PROTOCOL) {
        hal_err_set(err, fault.status, "%s does not answer in HTTP: %s; is the address right?",
                    host, flood ? "header too large" : cause);
    } else if (code == CURLE_COULDNT_RESOLVE_HOST) {
        hal_err_set(err, fault.status, "cannot find host %s; check the network or the address",
                    host);
    } else if (code == CURLE_COULDNT_RESOLVE_PROXY) {
        hal_err_set(err, fault.status, "cannot find the proxy: %s; check --proxy", cause);
    } else if (fault.untrusted) {
        hal_err_set(err, fault.status,
                    "%s cannot be trusted: %s; check the address and this machine's clock, or name "
                    "the certificate authority with --ca-file",
                    host, cause);
    } else if (fault.status == HAL_E_NETWORK) {
        hal_err_set(err, fault.status,
                    "cannot connect to %s: %s; is the archive up? try again later", host, cause);
    } else {
        hal_err_set(err, fault.status, "%s: %s", host, cause);
    }
    err->http_status = x->outcome.http_status;
    return fault;
}

hal_fault hal_exchange_status_fault(hal_exchange *x, hal_err *err)
{
    char host[300], text[WORDS_MAX + 1];
    hal_exchange_host(x, host, sizeof host);
    (x->request.words ? x->request.words : hal_header_clean)(text, sizeof text,
                                                             hal_buf_slice(&x->server_text));
    const char *colon = text[0] ? ": " : "";
    hal_fault fault = hal_fault_of_status(x->status, x->has_retry_after);
    switch (fault.status) {
    case HAL_E_BUSY:
        hal_err_set(err, fault.status, "%s is busy (HTTP %d)%s%s; try again later", host, x->status,
                    colon, text);
        break;
    case HAL_E_PERMISSION:
        hal_err_set(
            err, fault.status, "%s refuses access (HTTP %d)%s%s; %s", host, x->status, colon, text,
            x->secrets.remedy ? x->secrets.remedy : "this needs a credential of the archive");
        break;
    case HAL_E_NOT_FOUND:
        hal_err_set(err, fault.status, "%s has no such thing (HTTP %d)%s%s; check the address",
                    host, x->status, colon, text);
        break;
    default:
        hal_err_set(err, fault.status, "%s failed (HTTP %d)%s%s%s", host, x->status, colon, text,
                    fault.retryable ? "; try again later" : "");
    }
    err->http_status = x->status;
    if (x->has_retry_after)
        err->retry_after_s = x->retry_after_s;
    return fault;
}
