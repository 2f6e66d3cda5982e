/* SPDX-License-Identifier: BSD-3-Clause */
/* One effect of the outside world: an HTTP exchange with politeness, retries, redirects and, where
 * the answer can say "still working" (the sink's judgement, or HTTP 202 where data are wanted),
 * polling by the identical request. The single gate through
 * which every effect passes. Parses no catalogue. */
#ifndef HAL_NET_EXCHANGE_H
#define HAL_NET_EXCHANGE_H

#include "base/buf.h"
#include "net/loop.h"
#include "net/secret.h"

#include <stdint.h>

/** Where body bytes go. All functions run on the loop thread. */
typedef struct hal_sink {
    /** A new answer begins (again after a retry or for each poll): forget everything written
     * before. `http_status` is final (no 1xx, no followed redirect). */
    hal_status (*begin)(void *ctx, int http_status, hal_err *err);
    /** `HAL_E_BUSY` means: not now, pause the transfer until hal_exchange_resume; the bytes will be
     * offered again. Any other failure ends the exchange with it. */
    hal_status (*write)(void *ctx, const char *bytes, size_t n, hal_err *err);
    /** The body of this answer is whole. Judges it: calls hal_exchange_judged later or at once,
     * from the loop thread. NULL: every whole 2xx answer is final. */
    void (*end)(void *ctx);
    void *ctx;
} hal_sink;

typedef struct hal_header {
    const char *name, *value;
} hal_header;

/** Borrowed for the call of hal_exchange_start, copied inside. Zero means the default. */
typedef struct hal_request {
    const char *method; /* "GET" when NULL */
    const char *url;
    const hal_header *headers;
    size_t n_headers;
    hal_slice body;
    bool repeatable;         /* safe to send again: GET, HEAD and Mashup invoke POSTs */
    int tries_max;           /* default 5; 1: no retry of ours */
    int64_t first_byte_ms;   /* default 120,000 */
    int64_t deadline_ms;     /* whole operation with polls and retries; default 3,600,000 */
    uint64_t body_max_bytes; /* decoded; default 64 GiB */
    bool error_bodies; /* deliver bodies of non-2xx answers to the sink; else what they say goes
                          into the error text */
    bool coded; /* a gzip or zstd coding is offered, and undone: the sink sees what it holds */
    bool keep_redirect; /* a redirect is the final answer: `location` says where to */
    /** One line of at most `size` - 1 bytes: what the body of an error answer (its first 16 KiB)
     * says. NULL: its text without tags. */
    void (*words)(char *out, size_t size, hal_slice body);
    /** NULL: none. They do not show in the outcome. */
    const hal_secrets *secrets;
} hal_request;

enum { HAL_HEADERS_BYTES = 8192, HAL_HEADERS_MAX = 64 };

typedef struct hal_outcome {
    int http_status; /* of the final answer; 0: none */
    char url[2048];  /* after redirects; cut at 2,047 bytes; "" of a download */
    char content_type[128];
    char etag[256];
    char last_modified[64];
    char content_range[80];
    char location[2048]; /* of a final answer that names one: absolute; "" too when it is longer */
    /** Of the final answer: "name" NUL "value" NUL ..., ends with an empty name. Names are in lower
     * case and may repeat, values printable. No cookies; nothing beyond 64 headers or 8 KiB. */
    char headers[HAL_HEADERS_BYTES];
    int64_t content_length; /* < 0: not said */
    bool unbounded;         /* its end is that of the connection: nothing says that it is whole */
    uint64_t body_bytes;    /* decoded bytes of the final answer */
    uint64_t wire_bytes;    /* all answers together */
    int tries, polls;
    int64_t elapsed_ns;
    hal_err err; /* status HAL_OK on success */
    /** Signals for the tile verdict (tiling design 6.1): */
    bool reset_before_end; /* connection reset, empty reply, cut body */
} hal_outcome;

typedef struct hal_exchange hal_exchange;
typedef void (*hal_exchange_done)(void *ctx, const hal_outcome *outcome);

/** Starts an exchange. NULL and `err` when it cannot begin (bad URL, host refused by the guard,
 * memory). `done` runs once on the loop thread, never before this call returns, also
 * after cancellation; the handle is gone after it, and no function of the sink is called any more.
 * A non-2xx final answer is a failure (HAL_E_ARCHIVE, HAL_E_BUSY, HAL_E_PERMISSION,
 * HAL_E_NOT_FOUND) unless error_bodies is set. */
hal_exchange *hal_exchange_start(hal_loop *loop, const hal_request *request, const hal_sink *sink,
                                 hal_exchange_done done, void *ctx, hal_err *err);
/** The sink can take bytes again after HAL_E_BUSY. */
void hal_exchange_resume(hal_exchange *x);
typedef enum hal_judgement {
    HAL_JUDGED_FINAL,
    HAL_JUDGED_AGAIN, /* still working: the identical request again, paced 1 s .. 30 s unless the
                         server held it for long */
    HAL_JUDGED_FAILED /* `why`: a retryable code is retried within the tries, another ends the
                         exchange */
} hal_judgement;
/** Strikes the secrets of the exchange out of an answer that a script will see: the short ones too
 * when it is an error. So many of the last bytes may begin one. For a sink's functions. */
size_t hal_exchange_hide(const hal_exchange *x, char *bytes, size_t n);
/** Once for each `end` of the sink, inside it or later, but not after `done`. */
void hal_exchange_judged(hal_exchange *x, hal_judgement judgement, const hal_err *why);
/** `done` follows with HAL_E_CANCELLED. */
void hal_exchange_cancel(hal_exchange *x);

/** Per-host politeness of this process (all loops): at most `window` requests at once to `host`
 * ("name" or "name:port"; NULL: the default for hosts not named), at least `pace_ms` between
 * starts (< 0: as hal_limit_configure). */
hal_status hal_host_limit(hal_loop *loop, const char *host, int window, int64_t pace_ms,
                          hal_err *err) HAL_MUST_CHECK;

/** Which addresses may be contacted; NULL text list = any public host. Loopback and private
 * addresses need `private_net`. */
typedef bool (*hal_host_allowed)(void *ctx, const char *host, int port, hal_err *why);
void hal_loop_guard(hal_loop *loop, hal_host_allowed allowed, bool private_net, void *ctx);

/** Waits of the engine, zero for the default: a retry waits up to retry_base * 2^n (full jitter)
 * but not beyond retry_cap; polls are poll_base apart, doubling up to poll_cap while the answers
 * come at once. */
typedef struct hal_waits {
    int64_t retry_base_ms, retry_cap_ms; /* default 1,000 and 60,000 */
    int64_t poll_base_ms, poll_cap_ms;   /* default 1,000 and 30,000 */
    int64_t retry_after_max_ms; /* default 900,000: whoever asks to wait longer is not waited for */
    int64_t sleep_ms; /* default 60,000: a longer gap between steps means that the machine slept */
} hal_waits;
void hal_loop_set_waits(hal_loop *loop, const hal_waits *waits);
const hal_waits *hal_loop_waits(const hal_loop *loop);

/** What stands between. Zero: nothing but the system. */
typedef struct hal_net_options {
    const char *ca_file; /* PEM: certificate authorities trusted beside the system's */
    const char *proxy;   /* of every request, "http://[user:password@]host:port" */
    bool proxy_from_env; /* http_proxy, https_proxy, all_proxy, no_proxy are used */
} hal_net_options;
/** Copied. With a proxy the rules on addresses see the names of hosts only. HAL_E_USAGE, HAL_E_IO,
 * HAL_E_NOMEM. */
hal_status hal_loop_set_network(hal_loop *loop, const hal_net_options *options,
                                hal_err *err) HAL_MUST_CHECK;
/** Some requests go through a proxy. */
bool hal_loop_has_proxy(const hal_loop *loop);

typedef struct hal_net_stats {
    uint64_t requests, retries, polls, wire_bytes;
    int in_flight;
} hal_net_stats;
hal_net_stats hal_loop_stats(const hal_loop *loop);

#endif
