/* SPDX-License-Identifier: BSD-3-Clause */
/* One exchange is a small state machine on the loop thread: wait at the host's gate, transfer,
 * perhaps follow a redirect, let the sink judge, perhaps wait and ask again. Everything that ends
 * it goes through `conclude`, which only sets an alarm: handles are freed and `done` runs from the
 * loop, never inside a call or a libcurl callback. */
#define _GNU_SOURCE /* explicit_bzero */
#include "net/exchange.h"

#include "base/alloc.h"
#include "net/exchange_impl.h"
#include "net/header.h"
#include "net/retry.h"

#include <stdio.h>

enum {
    WORDS_MAX = 500, /* of an error answer's body in an error text */
    STALL_BYTES_PER_S = 100,
    SLOW_AFTER_S = 300, /* and an average below SLOW_BYTES_PER_S from then on */
    SLOW_BYTES_PER_S = 1000,
    BUFFER_BYTES = 256 * 1024,
    HEADER_FLOOD_BYTES = 200 * 1024, /* libcurl stops at 300 KiB */
};

static void send_request(hal_exchange *x);

static const char *host_text(const hal_exchange *x, char *out, size_t size)
{
    const hal_target *t = x->target.url ? &x->target : &x->first;
    snprintf(out, size, t->port == (t->https ? 443 : 80) ? "%s" : "%s:%d", t->host, t->port);
    return out;
}

/* --- the end --------------------------------------------------------------------------------- */

static void release_slot(hal_exchange *x, hal_strain strain)
{
    if (x->has_slot)
        hal_limit_leave(x->gate->limit, x->sent_ns, hal_exchange_now_ns(x), strain,
                        &x->loop->listener);
    x->has_slot = false;
}

static void leave_multi(hal_exchange *x)
{
    if (!x->in_multi)
        return;
    x->loop->curl->multi_remove_handle(x->loop->multi, x->easy);
    x->in_multi = false;
    x->loop->n_transfers--;
}

static void free_exchange(hal_exchange *x)
{
    hal_loop *loop = x->loop;
    hal_gate_leave(&x->visitor);
    if (x->in_multi) /* do not wait for a resolver thread */
        loop->curl->easy_setopt(x->easy, CURLOPT_QUICK_EXIT, 1L);
    leave_multi(x);
    release_slot(x, x->outcome.err.status == HAL_E_TIMEOUT ? HAL_STRAIN_HIGH : HAL_STRAIN_UNKNOWN);
    if (x->easy)
        loop->curl->easy_cleanup(x->easy);
    if (x->headers)
        loop->curl->slist_free_all(x->headers);
    hal_target_clear(loop->curl, &x->target);
    hal_target_clear(loop->curl, &x->first);
    hal_alarm_clear(loop, &x->next_step);
    hal_alarm_clear(loop, &x->watch);
    hal_alarm_clear(loop, &x->deadline);
    hal_free(x->method);
    hal_free(x->url);
    hal_free(x->header_text);
    if (x->body && x->secrets.in_body)
        explicit_bzero(x->body, x->body_bytes);
    hal_free(x->body);
    hal_secrets_wipe(&x->secrets);
    hal_buf_clear(&x->server_text);
    hal_free(x);
}

static void finish(hal_exchange *x)
{
    hal_exchange_hide_in_outcome(x);
    hal_loop *loop = x->loop;
    *(x->prev ? &x->prev->next : &loop->exchanges) = x->next;
    if (x->next)
        x->next->prev = x->prev;
    x->outcome.elapsed_ns = hal_exchange_now_ns(x) - x->begun_ns;
    hal_outcome outcome = x->outcome;
    hal_exchange_done done = x->done;
    void *ctx = x->ctx;
    free_exchange(x);
    done(ctx, &outcome);
}

/* `why` NULL: success. The first conclusion stands. */
static void conclude(hal_exchange *x, const hal_err *why)
{
    if (x->phase == HAL_ENDING)
        return;
    x->phase = HAL_ENDING;
    if (why) {
        x->outcome.err = *why;
        if (!why->origin[0])
            host_text(x, x->outcome.err.origin, sizeof x->outcome.err.origin);
    }
    if (x->target.url)
        hal_target_text(x->loop->curl, &x->target, x->outcome.url, sizeof x->outcome.url);
    if (x->target.url && x->location[0])
        hal_exchange_tell_location(x);
    hal_gate_leave(&x->visitor);
    hal_alarm_unset(x->loop, &x->watch);
    hal_alarm_unset(x->loop, &x->deadline);
    hal_alarm_set(x->loop, &x->next_step, hal_exchange_now_ns(x));
}

void hal_exchange_cancel(hal_exchange *x)
{
    hal_err err = HAL_ERR_INIT;
    hal_err_set(&err, HAL_E_CANCELLED, "the request was cancelled");
    conclude(x, &err);
}

void hal_exchanges_cancel(hal_loop *loop)
{
    while (loop->exchanges) {
        hal_exchange *x = loop->exchanges;
        hal_exchange_cancel(x);
        finish(x);
    }
}

static void deadline_passed(void *ctx)
{
    hal_exchange *x = ctx;
    char host[300];
    hal_err err = HAL_ERR_INIT;
    double s = (double)x->request.deadline_ms / 1000.0;
    if (x->outcome.polls)
        hal_err_set(
            &err, HAL_E_TIMEOUT,
            "%s: still EXECUTING after %.0f s and %d polls; ask for less or allow more time",
            host_text(x, host, sizeof host), s, x->outcome.polls);
    else
        hal_err_set(&err, HAL_E_TIMEOUT,
                    "%s: not finished within %.0f s; ask for less or allow more time",
                    host_text(x, host, sizeof host), s);
    conclude(x, &err);
}

/* --- asking again ---------------------------------------------------------------------------- */

static void back_to_gate(hal_exchange *x)
{
    hal_target_clear(x->loop->curl, &x->target);
    x->target = (hal_target){0};
    x->as_get = false;
    x->hops = 0;
    x->chain[0] = '\0';
    x->gate = hal_gate_to(x->loop, x->first.host, x->first.port, NULL);
    if (!x->gate) {
        hal_err err = HAL_ERR_INIT;
        hal_err_nomem(&err, sizeof(hal_gate));
        conclude(x, &err);
        return;
    }
    x->phase = HAL_AT_GATE;
    hal_gate_enter(x->gate, &x->visitor);
}

static void again_after(hal_exchange *x, int64_t delay_ms)
{
    x->phase = HAL_PAUSING;
    hal_alarm_set(x->loop, &x->next_step, hal_exchange_now_ns(x) + delay_ms * HAL_NS_PER_MS);
}

/* Retries when the policy, the request, the quota and the deadline allow it; else ends with `why`.
 */
static void retry_or_conclude(hal_exchange *x, hal_fault fault, hal_err *why)
{
    hal_loop *loop = x->loop;
    why->status = fault.status;
    why->retryable = fault.retryable;
    x->failures++;
    x->outcome.reset_before_end = fault.reset;
    int tries = x->request.tries_max;
    if (fault.tries_max && fault.tries_max < tries)
        tries = fault.tries_max;
    int64_t delay_ms = 0;
    bool wanted = fault.retryable && x->request.repeatable && x->failures < tries;
    if (x->has_retry_after && fault.status == HAL_E_BUSY) {
        why->retry_after_s = x->retry_after_s;
        if (x->retry_after_s > HAL_RETRY_AFTER_MAX_S) {
            wanted = false;
        } else {
            int64_t told_ms = (int64_t)(x->retry_after_s * 1000.0);
            int64_t jitter_ms = hal_retry_delay_ms(0, loop->waits.retry_base_ms,
                                                   loop->waits.retry_cap_ms, hal_loop_random(loop));
            delay_ms = told_ms + jitter_ms;
            hal_limit_pause(x->gate->limit, hal_exchange_now_ns(x) + delay_ms * HAL_NS_PER_MS);
        }
    } else if (wanted) {
        delay_ms = hal_retry_delay_ms(x->failures - 1, loop->waits.retry_base_ms,
                                      loop->waits.retry_cap_ms, hal_loop_random(loop)) +
                   fault.delay_base * loop->waits.retry_base_ms;
    }
    if (wanted && hal_exchange_now_ns(x) + delay_ms * HAL_NS_PER_MS >=
                      x->deadline.due_ns) /* no use in waiting for it */
        wanted = false;
    if (wanted && !hal_limit_spend_retry(x->gate->limit)) {
        wanted = false;
        size_t n = strlen(why->text);
        snprintf(why->text + n, sizeof why->text - n,
                 "; too many failures of this host lately, so not tried again");
    }
    if (!wanted) {
        if (x->failures > 1) {
            size_t n = strlen(why->text);
            snprintf(why->text + n, sizeof why->text - n, " (tried %d times)", x->failures);
        }
        conclude(x, why);
        return;
    }
    x->outcome.tries++;
    loop->stats.retries++;
    again_after(x, delay_ms);
}

void hal_exchange_judged(hal_exchange *x, hal_judgement judgement, const hal_err *why)
{
    if (x->phase != HAL_JUDGING || x->judged)
        return;
    x->judged = true;
    x->judgement = judgement;
    x->judged_why = why ? *why : HAL_ERR_INIT;
    hal_alarm_set(x->loop, &x->next_step, hal_exchange_now_ns(x));
}

static void apply_judgement(hal_exchange *x)
{
    x->judged = false;
    if (x->judgement == HAL_JUDGED_FINAL) {
        conclude(x, NULL);
    } else if (x->judgement == HAL_JUDGED_FAILED) {
        if (!x->judged_why.status)
            hal_err_set(&x->judged_why, HAL_E_PROTOCOL, "the answer cannot be used");
        if (!x->judged_why.http_status)
            x->judged_why.http_status = x->status;
        retry_or_conclude(
            x, (hal_fault){.status = x->judged_why.status, .retryable = x->judged_why.retryable},
            &x->judged_why);
    } else {
        int64_t held_ms = (x->answered_ns - x->sent_ns) / HAL_NS_PER_MS;
        const hal_waits *waits = &x->loop->waits;
        int64_t delay_ms =
            hal_poll_delay_ms(x->quick_polls, held_ms, waits->poll_base_ms, waits->poll_cap_ms);
        x->quick_polls = delay_ms ? x->quick_polls + 1 : 0;
        x->failures = 0;
        x->outcome.polls++;
        x->loop->stats.polls++;
        again_after(x, delay_ms);
    }
}

static void step_due(void *ctx)
{
    hal_exchange *x = ctx;
    switch (x->phase) {
    case HAL_ENDING:
        finish(x);
        break;
    case HAL_JUDGING:
        apply_judgement(x);
        break;
    case HAL_PAUSING:
        back_to_gate(x);
        break;
    case HAL_IN_TRANSFER: /* resume asked for */
        if (x->resume_wanted && x->in_multi) {
            x->resume_wanted = false;
            x->is_paused = false;
            x->paused_ns += hal_exchange_now_ns(x) - x->paused_since_ns;
            CURLcode rc = x->loop->curl->easy_pause(x->easy, CURLPAUSE_CONT);
            if (rc && x->in_multi)
                hal_exchange_transferred(x, rc);
        }
        break;
    case HAL_AT_GATE:
        break;
    }
}

void hal_exchange_resume(hal_exchange *x)
{
    if (x->phase != HAL_IN_TRANSFER || !x->is_paused)
        return;
    x->resume_wanted = true;
    hal_alarm_set(x->loop, &x->next_step, hal_exchange_now_ns(x));
}

/* --- a late answer --------------------------------------------------------------------------- */

/* First byte, then every HAL_WATCH_S the rate (fault matrix N6 to N8). A pause that the sink asked
 * for is not the server's fault. */
static void watch_due(void *ctx)
{
    hal_exchange *x = ctx;
    char host[300];
    host_text(x, host, sizeof host);
    hal_err err = HAL_ERR_INIT;
    int64_t now = hal_exchange_now_ns(x);
    hal_fault late = {.status = HAL_E_TIMEOUT, .retryable = true, .strained = true};
    uint64_t bytes = x->outcome.body_bytes;
    if (!x->has_headers) {
        hal_err_set(&err, HAL_E_TIMEOUT,
                    "%s: no answer within %.0f s; try again later or ask for less", host,
                    (double)x->request.first_byte_ms / 1000.0);
    } else {
        int64_t paused_ns = x->paused_ns + (x->is_paused ? now - x->paused_since_ns : 0);
        double active_s = (double)(now - x->sent_ns - paused_ns) / (double)HAL_NS_PER_S;
        bool stalled = !x->is_paused &&
                       bytes - x->watched_bytes < STALL_BYTES_PER_S * HAL_WATCH_S &&
                       x->paused_since_ns < now - HAL_WATCH_S * HAL_NS_PER_S;
        bool slow = active_s > SLOW_AFTER_S && (double)bytes < active_s * SLOW_BYTES_PER_S;
        if (!stalled && !slow) {
            x->watched_bytes = bytes;
            hal_alarm_set(x->loop, &x->watch, now + HAL_WATCH_S * HAL_NS_PER_S);
            return;
        }
        hal_err_set(&err, HAL_E_TIMEOUT, "%s: the answer %s after %llu bytes; try again later",
                    host, stalled ? "stopped" : "became too slow", (unsigned long long)bytes);
    }
    leave_multi(x);
    hal_alarm_unset(x->loop, &x->next_step);
    release_slot(x, HAL_STRAIN_HIGH);
    retry_or_conclude(x, late, &err);
}

/* --- one request ----------------------------------------------------------------------------- */

static hal_status start_transfer(hal_exchange *x, hal_err *err)
{
    hal_loop *loop = x->loop;
    const hal_curl *c = loop->curl;
    if (!x->target.url) {
        x->target = x->first;
        x->target.url = c->url_dup(x->first.url);
        if (!x->target.url)
            return hal_err_nomem(err, 1024);
    }
    if (!x->easy) {
        if (!(x->easy = c->easy_init()))
            return hal_err_nomem(err, 8192);
        /* Not among set_options: libcurl refuses a change once a try has made the buffer. A size
         * that is not taken leaves the usual one. */
        c->easy_setopt(x->easy, CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES);
    }
    hal_status st = hal_exchange_set_options(x, err);
    if (st)
        return st;
    CURLMcode rc = c->multi_add_handle(loop->multi, x->easy);
    if (rc)
        return hal_err_set(err, rc == CURLM_OUT_OF_MEMORY ? HAL_E_NOMEM : HAL_E_INTERNAL,
                           "starting a request: %s", c->multi_strerror(rc));
    x->in_multi = true;
    loop->n_transfers++;
    loop->stats.requests++;
    return HAL_OK;
}

static void send_request(hal_exchange *x)
{
    hal_err err = HAL_ERR_INIT;
    hal_exchange_begin_answer(x);
    x->phase = HAL_IN_TRANSFER;
    x->in_headers = false;
    x->address_refused = x->is_paused = x->resume_wanted = false;
    x->paused_ns = 0;
    x->paused_since_ns = INT64_MIN;
    x->stop = HAL_ERR_INIT;
    x->curl_text[0] = '\0';
    x->outcome.reset_before_end = false;
    x->sent_ns = hal_exchange_now_ns(x);
    if (start_transfer(x, &err)) {
        conclude(x, &err);
        return;
    }
    hal_alarm_set(x->loop, &x->watch, x->sent_ns + x->request.first_byte_ms * HAL_NS_PER_MS);
}

static void admitted(void *ctx)
{
    hal_exchange *x = ctx;
    x->has_slot = true;
    send_request(x);
}

/* --- a finished transfer --------------------------------------------------------------------- */

static hal_fault transfer_failed(hal_exchange *x, CURLcode code, hal_err *err)
{
    const char *cause = x->curl_text[0] ? x->curl_text : x->loop->curl->easy_strerror(code);
    char host[300];
    host_text(x, host, sizeof host);
    hal_fault fault = hal_fault_of_transfer((int)code, x->in_headers);
    if (x->in_headers && x->header_bytes > HEADER_FLOOD_BYTES) /* N18: reported as a reset */
        fault = (hal_fault){.status = HAL_E_PROTOCOL};
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
                    host, x->in_headers ? "header too large" : cause);
    } else if (code == CURLE_COULDNT_RESOLVE_HOST) {
        hal_err_set(err, fault.status, "cannot find host %s; check the network or the address",
                    host);
    } else if (fault.status == HAL_E_NETWORK) {
        hal_err_set(err, fault.status,
                    "cannot connect to %s: %s; is the archive up? try again later", host, cause);
    } else {
        hal_err_set(err, fault.status, "%s: %s", host, cause);
    }
    err->http_status = x->outcome.http_status;
    return fault;
}

static hal_fault status_failed(hal_exchange *x, hal_err *err)
{
    char host[300], text[WORDS_MAX + 1];
    host_text(x, host, sizeof host);
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

static bool may_try_again(const hal_exchange *x)
{
    return x->request.repeatable && x->failures + 1 < x->request.tries_max;
}

void hal_exchange_transferred(hal_exchange *x, CURLcode code)
{
    hal_err err = HAL_ERR_INIT;
    leave_multi(x);
    if (x->phase == HAL_ENDING)
        return;
    hal_alarm_unset(x->loop, &x->watch);
    hal_alarm_unset(x->loop, &x->next_step); /* a resume that came too late */
    x->answered_ns = hal_exchange_now_ns(x);
    if (!code && !x->has_headers) /* an end inside the headers is success to libcurl */
        code = CURLE_RECV_ERROR;
    bool redirected = !code && hal_exchange_is_redirect(x);
    hal_fault fault = {0};
    if (code)
        fault = transfer_failed(x, code, &err);
    else if (!redirected && !hal_exchange_is_good(x))
        fault = status_failed(x, &err);
    release_slot(x, fault.strained            ? HAL_STRAIN_HIGH
                    : code || fault.retryable ? HAL_STRAIN_UNKNOWN
                                              : HAL_STRAIN_NONE);
    if (redirected) {
        if (hal_exchange_follow(x, &err))
            conclude(x, &err);
        return;
    }
    /* An error answer that is data is delivered once no retry is left. */
    bool as_data = !code && x->request.error_bodies && !(fault.retryable && may_try_again(x));
    if (fault.status && !as_data) {
        retry_or_conclude(x, fault, &err);
        return;
    }
    if (x->sink.end) {
        x->phase = HAL_JUDGING;
        x->sink.end(x->sink.ctx);
    } else {
        conclude(x, NULL);
    }
}

/* --- the start ------------------------------------------------------------------------------- */

static hal_status prepare(hal_exchange *x, const hal_request *r, hal_err *err)
{
    hal_loop *loop = x->loop;
    if (loop->closing)
        return hal_err_set(err, HAL_E_CANCELLED, "the run is ending");
    hal_status st = hal_loop_open_network(loop, err);
    if (!st)
        st = hal_exchange_copy_request(x, r, err);
    if (!st)
        st = hal_target_parse(loop->curl, &x->first, r->url, NULL, err);
    if (!st)
        st = hal_exchange_take_secrets(x, r->secrets, err);
    if (!st)
        st = hal_exchange_ask_guard(loop, &x->first, err);
    if (!st)
        st = hal_alarm_init(loop, &x->next_step, step_due, x, err);
    if (!st)
        st = hal_alarm_init(loop, &x->watch, watch_due, x, err);
    if (!st)
        st = hal_alarm_init(loop, &x->deadline, deadline_passed, x, err);
    if (!st && !(x->gate = hal_gate_to(loop, x->first.host, x->first.port, err)))
        st = HAL_E_NOMEM;
    return st;
}

static hal_exchange *start(hal_loop *loop, const hal_request *request, const hal_sink *sink,
                           const hal_resume *resume, hal_exchange_done done, void *ctx,
                           hal_err *err)
{
    hal_exchange *x = hal_calloc(1, sizeof *x);
    if (!x) {
        hal_err_nomem(err, sizeof *x);
        return NULL;
    }
    x->loop = loop;
    if (resume)
        x->resume = *resume;
    if (sink)
        x->sink = *sink;
    x->done = done;
    x->ctx = ctx;
    x->visitor.admitted = admitted;
    x->visitor.ctx = x;
    x->outcome.err = HAL_ERR_INIT;
    x->outcome.content_length = -1;
    x->outcome.tries = 1;
    hal_buf_init(&x->server_text, HAL_SERVER_TEXT_MAX);
    if (prepare(x, request, err)) {
        free_exchange(x);
        return NULL;
    }
    x->begun_ns = hal_exchange_now_ns(x);
    x->next = loop->exchanges;
    if (x->next)
        x->next->prev = x;
    loop->exchanges = x;
    hal_alarm_set(loop, &x->deadline, x->begun_ns + x->request.deadline_ms * HAL_NS_PER_MS);
    x->phase = HAL_AT_GATE;
    hal_gate_enter(x->gate, &x->visitor);
    return x;
}

hal_exchange *hal_exchange_start(hal_loop *loop, const hal_request *request, const hal_sink *sink,
                                 hal_exchange_done done, void *ctx, hal_err *err)
{
    return start(loop, request, sink, NULL, done, ctx, err);
}

hal_exchange *hal_exchange_start_resuming(hal_loop *loop, const hal_request *request,
                                          const hal_sink *sink, const hal_resume *resume,
                                          hal_exchange_done done, void *ctx, hal_err *err)
{
    return start(loop, request, sink, resume, done, ctx, err);
}

const hal_outcome *hal_exchange_answer(const hal_exchange *x)
{
    return &x->outcome;
}
