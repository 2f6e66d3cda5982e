/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/retry.h"

#include <curl/curl.h>

hal_fault hal_fault_of_transfer(int code, bool in_headers)
{
    hal_fault network = {.status = HAL_E_NETWORK, .retryable = true};
    hal_fault reset = {.status = HAL_E_NETWORK, .retryable = true, .reset = true};
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY: /* N1: a hiccup of the resolver passes, a wrong name stays */
        network.tries_max = 2;
        network.delay_base = 5;
        network.of_host = code == CURLE_COULDNT_RESOLVE_HOST;
        return network;
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return reset;
    case CURLE_OPERATION_TIMEDOUT: /* only the connection phase is timed by libcurl */
    case CURLE_COULDNT_CONNECT:
        return network;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
        network.retryable = false; /* N21 */
        network.untrusted = true;
        return network;
    case CURLE_UNSUPPORTED_PROTOCOL: /* N17: HTTP/0.9 or garbage */
    case CURLE_WEIRD_SERVER_REPLY:
        return (hal_fault){.status = HAL_E_PROTOCOL, .retryable = true, .tries_max = 2};
    case CURLE_OUT_OF_MEMORY: /* N18: also what one header line beyond 100 KiB is reported as */
        return in_headers ? (hal_fault){.status = HAL_E_PROTOCOL}
                          : (hal_fault){.status = HAL_E_NOMEM};
    case CURLE_URL_MALFORMAT:
        return (hal_fault){.status = HAL_E_USAGE};
    default:
        return network;
    }
}

hal_fault hal_fault_of_status(int http_status, bool told_to_wait)
{
    switch (http_status) {
    case 429:
    case 503:
        return (hal_fault){.status = HAL_E_BUSY, .retryable = true, .strained = true};
    case 413:
        if (told_to_wait)
            return (hal_fault){.status = HAL_E_BUSY, .retryable = true, .strained = true};
        return (hal_fault){.status = HAL_E_ARCHIVE};
    case 408:
    case 500:
    case 502:
    case 504:
        return (hal_fault){.status = HAL_E_ARCHIVE, .retryable = true};
    case 401:
    case 403:
        return (hal_fault){.status = HAL_E_PERMISSION};
    case 404:
    case 410:
        return (hal_fault){.status = HAL_E_NOT_FOUND};
    default:
        return (hal_fault){.status = http_status >= 400 ? HAL_E_ARCHIVE : HAL_E_PROTOCOL};
    }
}

static int64_t doubled(int64_t base_ms, int times, int64_t cap_ms)
{
    int64_t ms = base_ms;
    for (int i = 0; i < times && ms < cap_ms; i++)
        ms = ms > cap_ms / 2 ? cap_ms : ms * 2;
    return ms < cap_ms ? ms : cap_ms;
}

int64_t hal_retry_delay_ms(int i_retry, int64_t base_ms, int64_t cap_ms, uint32_t random)
{
    int64_t most = doubled(base_ms, i_retry, cap_ms);
    return most <= 0 ? 0 : (int64_t)((double)random / UINT32_MAX * (double)most);
}

int64_t hal_poll_delay_ms(int quick_polls, int64_t held_ms, int64_t base_ms, int64_t cap_ms)
{
    if (held_ms >= base_ms)
        return 0;
    return doubled(base_ms, quick_polls, cap_ms);
}
