/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parts of an exchange share. exchange.c is the state machine, exchange_request.c copies
 * the request and hands it to libcurl, exchange_answer.c takes headers and body,
 * exchange_redirect.c decides where to go on, exchange_secret.c keeps credentials where they
 * belong. Private to these. */
#ifndef HAL_NET_EXCHANGE_IMPL_H
#define HAL_NET_EXCHANGE_IMPL_H

#include "base/unpack.h"
#include "net/exchange.h"
#include "net/loop_impl.h"
#include "net/retry.h"
#include "net/target.h"

enum {
    HAL_LOCATION_MAX = 8192,
    HAL_SERVER_TEXT_MAX = 16384, /* kept of an error answer's body (fault matrix N22) */
    HAL_CHAIN_MAX = 512,
    HAL_UNPACKED_MAX = 64 << 20, /* 16 KiB of libcurl's, at most about 1,032 times as long */
    HAL_WATCH_S = 60,            /* a stalled transfer is noticed after one to two of these */
};

typedef enum hal_exchange_phase {
    HAL_AT_GATE,
    HAL_IN_TRANSFER,
    HAL_JUDGING,
    HAL_PAUSING, /* before a retry or poll */
    HAL_ENDING,
} hal_exchange_phase;

/* How far the request under way has come. */
typedef enum hal_exchange_reached {
    HAL_REACHED_NOTHING,
    HAL_REACHED_RESOLVER, /* its name is looked up */
    HAL_REACHED_ADDRESS,  /* a connection is being made */
    HAL_REACHED_HOST,     /* it is sent */
} hal_exchange_reached;

struct hal_exchange {
    hal_loop *loop;
    hal_exchange *prev, *next;
    char *method, *url;
    char *header_text; /* "Name: value" NUL ... NUL */
    char *body;
    size_t body_bytes;
    hal_request request; /* scalars only; its pointers are not used */
    hal_secrets secrets;
    hal_sink sink;
    hal_exchange_done done;
    void *ctx;
    hal_resume resume; /* of a download */

    hal_exchange_phase phase;
    hal_target first, target; /* as asked; of the hop under way, whose URL may be that of `first` */
    bool as_get;              /* a redirect turned the method into GET */
    int hops;
    char chain[HAL_CHAIN_MAX];
    hal_gate *gate;
    hal_visitor visitor;
    bool has_slot;
    CURL *easy;
    bool in_multi;
    struct curl_slist *headers;
    hal_alarm next_step; /* retry, poll, redirect, verdict or end */
    hal_alarm watch;     /* first byte, then stall and average rate */
    hal_alarm deadline;
    int64_t begun_ns, sent_ns, answered_ns;

    /* of the answer under way */
    int status;
    bool in_headers, has_headers, delivering, length_conflict, has_retry_after, in_frames;
    hal_exchange_reached reached;
    bool was_sent, leftover, repeated, proxied, address_refused, no_descriptor, is_paused,
        resume_wanted;
    double retry_after_s;
    char coding[64], retry_after[64], date[64];
    hal_buf server_text;
    hal_unpack *unpack;   /* undoes the coding of the body; NULL: it has none */
    hal_buf unpacked;     /* what the sink did not take yet */
    size_t n_taken_ahead; /* bytes that libcurl offers again and `unpacked` came from */
    size_t n_headers, outcome_header_bytes;
    uint64_t watched_bytes;
    size_t header_bytes;
    int64_t paused_ns, paused_since_ns;
    hal_err stop; /* a callback of ours ended the transfer with this */

    int failures, quick_polls, n_starved;
    bool judged;
    hal_judgement judgement;
    hal_err judged_why;
    char curl_text[CURL_ERROR_SIZE];

    /* Not zero at the start, since they are large: hal_exchange_begin_answer empties them. */
    char location[HAL_LOCATION_MAX];
    hal_outcome outcome;
};

static inline int64_t hal_exchange_now_ns(const hal_exchange *x)
{
    return hal_loop_now_ns(x->loop);
}

/** 202 says that the data will be there later; data to whoever takes every answer as it is. */
static inline bool hal_exchange_is_staged(const hal_exchange *x)
{
    return x->status == 202 && !x->request.error_bodies && x->request.repeatable;
}

static inline bool hal_exchange_is_good(const hal_exchange *x)
{
    return x->status >= 200 && x->status < 300 && !hal_exchange_is_staged(x);
}

/* exchange.c */
/** It has no target then; that which was asked for at first stays. */
void hal_exchange_leave_target(hal_exchange *x);
/** Ends it with `why`, NULL: well. The first conclusion stands. */
void hal_exchange_conclude(hal_exchange *x, const hal_err *why);
/** What is on the wire took too long. */
void hal_exchange_late(hal_exchange *x, const hal_err *why);

/* exchange_socket.c */
/** libcurl's callback; `ctx` is the exchange. */
curl_socket_t hal_exchange_open_socket(void *ctx, curlsocktype purpose,
                                       struct curl_sockaddr *address);
/** libcurl's callback; `ctx` is the loop, which the connection may outlive its exchange in. */
int hal_exchange_close_socket(void *ctx, curl_socket_t fd);
/** The kept connection between these ports, about to be used again, holds bytes nobody asked for
 * or its end. */
bool hal_exchange_has_leftover(hal_exchange *x, int from_port, int to_port);

/* exchange_watch.c */
void hal_exchange_watch_start(hal_exchange *x);
/** libcurl's callbacks; `ctx` is the exchange. */
int hal_exchange_on_resolve(void *state, void *reserved, void *ctx);
int hal_exchange_on_connected(void *ctx, char *to, char *from, int to_port, int from_port);
void hal_exchange_on_address(hal_exchange *x);
/** Alarms. */
void hal_exchange_watch_due(void *ctx);
void hal_exchange_deadline_passed(void *ctx);

/* exchange_request.c */
hal_status hal_exchange_copy_request(hal_exchange *x, const hal_request *r,
                                     hal_err *err) HAL_MUST_CHECK;
/** A handle of libcurl, perhaps one that fetched another file. */
hal_status hal_exchange_open_handle(hal_exchange *x, hal_err *err) HAL_MUST_CHECK;
void hal_exchange_close_handle(hal_exchange *x);
/** Everything that libcurl is told about the hop under way. */
hal_status hal_exchange_set_options(hal_exchange *x, hal_err *err) HAL_MUST_CHECK;
hal_status hal_exchange_add_header(hal_exchange *x, const char *line, hal_err *err) HAL_MUST_CHECK;

/* exchange_fault.c */
/** "name" or "name:port" of the hop under way; gives `out`. */
const char *hal_exchange_host(const hal_exchange *x, char *out, size_t size);
hal_fault hal_exchange_transfer_fault(hal_exchange *x, CURLcode code, hal_err *err);
hal_fault hal_exchange_status_fault(hal_exchange *x, hal_err *err);

/* exchange_answer.c */
/** Forgets the answer before. */
void hal_exchange_begin_answer(hal_exchange *x);
/** libcurl's callbacks; `ctx` is the exchange. */
size_t hal_exchange_on_header(char *bytes, size_t size, size_t n, void *ctx);
size_t hal_exchange_on_body(char *bytes, size_t size, size_t n, void *ctx);

/* exchange_redirect.c */
bool hal_exchange_is_redirect(const hal_exchange *x);
/** HAL_E_PERMISSION when the loop's guard does not let requests go there. */
hal_status hal_exchange_ask_guard(const hal_loop *loop, const hal_target *t,
                                  hal_err *err) HAL_MUST_CHECK;
/** To the gate of the host that the answer names. */
hal_status hal_exchange_follow(hal_exchange *x, hal_err *err) HAL_MUST_CHECK;
/** The outcome's `location`. */
void hal_exchange_tell_location(hal_exchange *x);

/* exchange_secret.c */
hal_status hal_exchange_take_secrets(hal_exchange *x, const hal_secrets *s,
                                     hal_err *err) HAL_MUST_CHECK;
hal_status hal_exchange_add_authorization(hal_exchange *x, hal_err *err) HAL_MUST_CHECK;
void hal_exchange_hide_in_outcome(hal_exchange *x);

#endif
