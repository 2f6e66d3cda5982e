/* SPDX-License-Identifier: BSD-3-Clause */
/* One exchange is a small state machine on the loop thread: wait at the host's gate, transfer,
 * perhaps follow a redirect, let the sink judge, perhaps wait and ask again. Everything that ends
 * it goes through hal_exchange_conclude, which only sets an alarm: handles are freed and `done`
 * runs from the loop, never inside a call or a libcurl callback. */
#define _GNU_SOURCE /* explicit_bzero */
#include "net/exchange.h"

#include "base/alloc.h"
#include "net/exchange_impl.h"

#include <stdio.h>

enum {
    NO_DESCRIPTOR_TRIES = 50,
    NO_DESCRIPTOR_MS = 100,
    DOWN_S = 60, /* how long a host that was declared down is left alone */
};

static void send_request(hal_exchange *x);

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
    if (x->reached == HAL_REACHED_RESOLVER) /* do not wait for its thread */
        x->loop->curl->easy_setopt(x->easy, CURLOPT_QUICK_EXIT, 1L);
    x->loop->curl->multi_remove_handle(x->loop->multi, x->easy);
    x->in_multi = false;
    x->loop->n_transfers--;
}

void hal_exchange_leave_target(hal_exchange *x)
{
    if (x->target.url == x->first.url)
        x->target = (hal_target){0};
    else
        hal_target_clear(x->loop->curl, &x->target);
}

/* Kept for the next one, as pieces of files are. */
static void free_exchange(hal_exchange *x)
{
    hal_loop *loop = x->loop;
    if (loop->closing || loop->n_idle_exchanges == HAL_IDLE_HANDLES_MAX) {
        hal_free(x);
        return;
    }
    x->next = loop->idle_exchanges;
    loop->idle_exchanges = x;
    loop->n_idle_exchanges++;
}

/* All but its outcome. */
static void clear_exchange(hal_exchange *x)
{
    hal_loop *loop = x->loop;
    hal_gate_leave(&x->visitor);
    leave_multi(x);
    release_slot(x, x->outcome.err.status == HAL_E_TIMEOUT ? HAL_STRAIN_HIGH : HAL_STRAIN_UNKNOWN);
    hal_exchange_close_handle(x);
    if (x->headers)
        loop->curl->slist_free_all(x->headers);
    hal_exchange_leave_target(x);
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
    hal_buf_clear(&x->unpacked);
    hal_unpack_free(x->unpack);
}

static void finish(hal_exchange *x)
{
    hal_exchange_hide_in_outcome(x);
    hal_loop *loop = x->loop;
    *(x->prev ? &x->prev->next : &loop->exchanges) = x->next;
    if (x->next)
        x->next->prev = x->prev;
    x->outcome.elapsed_ns = hal_exchange_now_ns(x) - x->begun_ns;
    clear_exchange(x);
    x->done(x->ctx, &x->outcome);
    free_exchange(x);
}

/* `why` NULL: success. The first conclusion stands. */
void hal_exchange_conclude(hal_exchange *x, const hal_err *why)
{
    if (x->phase == HAL_ENDING)
        return;
    x->phase = HAL_ENDING;
    if (!x->sent_ns)
        x->outcome.tries = 0;
    if (why) {
        x->outcome.err = *why;
        x->outcome.err.tries = x->outcome.tries;
        if (!why->origin[0])
            hal_exchange_host(x, x->outcome.err.origin, sizeof x->outcome.err.origin);
    }
    if (x->target.url && !x->resume.from)
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
    hal_exchange_conclude(x, &err);
}

void hal_exchanges_cancel(hal_loop *loop)
{
    while (loop->exchanges) {
        hal_exchange *x = loop->exchanges;
        hal_exchange_cancel(x);
        finish(x);
    }
    for (hal_exchange *x = loop->idle_exchanges, *next; x; x = next) {
        next = x->next;
        hal_free(x);
    }
    loop->idle_exchanges = NULL;
    loop->n_idle_exchanges = 0;
}

/* --- asking again ---------------------------------------------------------------------------- */

static void back_to_gate(hal_exchange *x)
{
    hal_exchange_leave_target(x);
    x->as_get = false;
    x->hops = 0;
    x->chain[0] = '\0';
    x->gate = hal_gate_to(x->loop, x->first.host, x->first.port, NULL);
    if (!x->gate) {
        hal_err err = HAL_ERR_INIT;
        hal_err_nomem(&err, sizeof(hal_gate));
        hal_exchange_conclude(x, &err);
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

/* Takes it off the wire. */
static void withdraw(hal_exchange *x, hal_strain strain)
{
    leave_multi(x);
    hal_alarm_unset(x->loop, &x->watch);
    hal_alarm_unset(x->loop, &x->next_step);
    release_slot(x, strain);
}

/* A machine that slept has lost its connections: what was on the wire is asked anew, which is no
 * try of its own. */
void hal_exchanges_slept(hal_loop *loop, int64_t gap_ns)
{
    for (hal_exchange *x = loop->exchanges; x; x = x->next) {
        if (!x->in_multi || x->phase == HAL_ENDING)
            continue;
        withdraw(x, HAL_STRAIN_UNKNOWN);
        if (x->request.repeatable) {
            back_to_gate(x);
            continue;
        }
        hal_err err = HAL_ERR_INIT;
        char host[300];
        hal_err_set(&err, HAL_E_NETWORK,
                    "%s: this machine slept for %lld s while a request was under way that must not "
                    "be sent twice; look whether it took effect before you run again",
                    hal_exchange_host(x, host, sizeof host), (long long)(gap_ns / HAL_NS_PER_S));
        err.retryable = false;
        hal_exchange_conclude(x, &err);
    }
}

/* L18: fewer at once, which is no failure of what was asked, unless nothing is left to give up. */
static void wait_for_descriptor(hal_exchange *x)
{
    hal_loop *loop = x->loop;
    withdraw(x, HAL_STRAIN_UNKNOWN);
    loop->transfers_max = loop->n_transfers > 1 ? loop->n_transfers : 1;
    if (!loop->n_transfers && x->n_starved++ == NO_DESCRIPTOR_TRIES) {
        hal_err err = HAL_ERR_INIT;
        hal_err_set(&err, HAL_E_IO,
                    "no file descriptor is left for a connection; raise the limit (ulimit -n)");
        hal_exchange_conclude(x, &err);
        return;
    }
    if (!loop->n_transfers)
        hal_loop_drop_connections(loop);
    again_after(x, NO_DESCRIPTOR_MS);
}

static void add_text(hal_err *err, const char *more)
{
    size_t n = strlen(err->text);
    snprintf(err->text + n, sizeof err->text - n, "%s", more);
}

/* Nothing is sent to the host for some time: whoever waits for it is deferred. */
static void declare_down(hal_exchange *x, const hal_err *why, int64_t ms)
{
    char host[300];
    hal_err down = *why;
    hal_exchange_host(x, down.origin, sizeof down.origin);
    snprintf(down.text, sizeof down.text,
             "%s is left alone for %lld s since it failed too often; the last time: %.600s",
             hal_exchange_host(x, host, sizeof host), (long long)ms / 1000, why->text);
    hal_limit_close(x->gate->limit, hal_exchange_now_ns(x) + ms * HAL_NS_PER_MS, &down);
}

/* How long to wait for a host that said so; < 0: longer than is waited for. The whole host pauses.
 */
static int64_t told_delay_ms(hal_exchange *x, hal_err *why)
{
    hal_loop *loop = x->loop;
    why->retry_after_s = x->retry_after_s;
    int64_t most_ms = loop->waits.retry_after_max_ms;
    if (x->retry_after_s * 1000.0 > (double)most_ms) {
        char text[160];
        snprintf(text, sizeof text,
                 "; it asks to wait %.0f s, longer than the %.0f s that are waited for: run again "
                 "then",
                 x->retry_after_s, (double)most_ms / 1000.0);
        add_text(why, text);
        why->deferred = true;
        declare_down(x, why, most_ms);
        return -1;
    }
    int64_t delay_ms = (int64_t)(x->retry_after_s * 1000.0) +
                       hal_retry_delay_ms(0, loop->waits.retry_base_ms, loop->waits.retry_cap_ms,
                                          hal_loop_random(loop));
    hal_limit_pause(x->gate->limit, hal_exchange_now_ns(x) + delay_ms * HAL_NS_PER_MS);
    return delay_ms;
}

/* Retries when the policy, the request, the quota and the deadline allow it; else ends with `why`.
 */
static void retry_or_conclude(hal_exchange *x, hal_fault fault, hal_err *why)
{
    hal_loop *loop = x->loop;
    const hal_waits *waits = &loop->waits;
    why->status = fault.status;
    why->retryable = fault.retryable;
    x->failures++;
    x->outcome.reset_before_end = fault.reset;
    int tries = x->request.tries_max;
    if (fault.tries_max && fault.tries_max < tries)
        tries = fault.tries_max;
    bool wanted = fault.retryable && x->request.repeatable && x->failures < tries;
    int64_t delay_ms;
    if (x->has_retry_after && fault.status == HAL_E_BUSY)
        delay_ms = told_delay_ms(x, why);
    else
        delay_ms = hal_retry_delay_ms(x->failures - 1, waits->retry_base_ms, waits->retry_cap_ms,
                                      hal_loop_random(loop)) +
                   fault.delay_base * waits->retry_base_ms;
    if (delay_ms < 0 || hal_exchange_now_ns(x) + delay_ms * HAL_NS_PER_MS >=
                            x->deadline.due_ns) /* no use in waiting for it */
        wanted = false;
    if (wanted && !hal_limit_spend_retry(x->gate->limit)) {
        wanted = false;
        why->deferred = true;
        declare_down(x, why, DOWN_S * 1000);
        add_text(why, "; too many failures of this host lately, so not tried again: run again "
                      "later");
    }
    if (wanted) {
        x->outcome.tries++;
        loop->stats.retries++;
        again_after(x, delay_ms);
        return;
    }
    if (fault.of_host && x->failures >= fault.tries_max) {
        why->retryable = false;
        declare_down(x, why, DOWN_S * 1000);
    }
    if (x->failures > 1) {
        char text[40];
        snprintf(text, sizeof text, " (tried %d times)", x->failures);
        add_text(why, text);
    }
    hal_exchange_conclude(x, why);
}

void hal_exchange_late(hal_exchange *x, const hal_err *why)
{
    hal_err err = *why;
    withdraw(x, HAL_STRAIN_HIGH);
    retry_or_conclude(x, (hal_fault){.status = HAL_E_TIMEOUT, .retryable = true}, &err);
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

/* The identical request again, also from the beginning of its redirects. */
static void poll_again(hal_exchange *x)
{
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

/* A file that is being staged. */
static void poll_staged(hal_exchange *x)
{
    const int64_t most_ms = x->loop->waits.retry_after_max_ms;
    double told_ms = x->has_retry_after ? x->retry_after_s * 1000.0 : 0;
    poll_again(x);
    if (told_ms > 0)
        again_after(x, told_ms < (double)most_ms ? (int64_t)told_ms : most_ms);
}

static void apply_judgement(hal_exchange *x)
{
    x->judged = false;
    if (x->judgement == HAL_JUDGED_FINAL) {
        hal_exchange_conclude(x, NULL);
    } else if (x->judgement == HAL_JUDGED_FAILED) {
        if (!x->judged_why.status)
            hal_err_set(&x->judged_why, HAL_E_PROTOCOL, "the answer cannot be used");
        if (!x->judged_why.http_status)
            x->judged_why.http_status = x->status;
        retry_or_conclude(
            x, (hal_fault){.status = x->judged_why.status, .retryable = x->judged_why.retryable},
            &x->judged_why);
    } else {
        poll_again(x);
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

/* --- one request ----------------------------------------------------------------------------- */

static hal_status start_transfer(hal_exchange *x, hal_err *err)
{
    hal_loop *loop = x->loop;
    const hal_curl *c = loop->curl;
    if (!x->target.url)
        x->target = x->first;
    hal_status st = x->easy ? HAL_OK : hal_exchange_open_handle(x, err);
    if (!st)
        st = hal_exchange_set_options(x, err);
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
    x->was_sent = x->leftover = x->repeated = x->address_refused = x->no_descriptor = x->is_paused =
        x->resume_wanted = false;
    x->paused_ns = 0;
    x->paused_since_ns = INT64_MIN;
    x->stop = HAL_ERR_INIT;
    x->curl_text[0] = '\0';
    x->outcome.reset_before_end = false;
    x->sent_ns = hal_exchange_now_ns(x);
    if (start_transfer(x, &err)) {
        hal_exchange_conclude(x, &err);
        return;
    }
    hal_exchange_watch_start(x);
}

static void admitted(void *ctx)
{
    hal_exchange *x = ctx;
    x->has_slot = true;
    send_request(x);
}

static void refused(void *ctx, const hal_err *why)
{
    hal_exchange *x = ctx;
    if (x->failures && !x->hops) /* the retry that was meant to come */
        x->outcome.tries--;
    hal_exchange_conclude(x, why);
}

/* --- a finished transfer --------------------------------------------------------------------- */

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
    if (code && x->leftover) { /* that connection is gone now; another try is not charged */
        withdraw(x, HAL_STRAIN_UNKNOWN);
        again_after(x, 0);
        return;
    }
    if (code && x->repeated) {
        code = CURLE_RECV_ERROR;
        x->in_headers = false;
        snprintf(x->curl_text, sizeof x->curl_text, "the connection was reset");
    }
    if (!code && x->unpack && hal_unpack_finish(x->unpack, &x->stop)) { /* N16 */
        x->stop.retryable = true;
        code = CURLE_WRITE_ERROR;
    }
    if (code && !x->has_headers && (x->no_descriptor || hal_loop_lacks_descriptors(x->loop))) {
        wait_for_descriptor(x);
        return;
    }
    bool redirected = !code && hal_exchange_is_redirect(x);
    hal_fault fault = {0};
    if (code)
        fault = hal_exchange_transfer_fault(x, code, &err);
    else if (!redirected && !hal_exchange_is_good(x) && !hal_exchange_is_staged(x))
        fault = hal_exchange_status_fault(x, &err);
    release_slot(x, fault.strained            ? HAL_STRAIN_HIGH
                    : code || fault.retryable ? HAL_STRAIN_UNKNOWN
                                              : HAL_STRAIN_NONE);
    if (!code && x->loop->transfers_max < HAL_TRANSFERS_MAX)
        x->loop->transfers_max++;
    if (!code && hal_exchange_is_staged(x)) {
        poll_staged(x);
        return;
    }
    if (redirected) {
        if (hal_exchange_follow(x, &err))
            hal_exchange_conclude(x, &err);
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
        hal_exchange_conclude(x, NULL);
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
        st = hal_alarm_init(loop, &x->watch, hal_exchange_watch_due, x, err);
    if (!st)
        st = hal_alarm_init(loop, &x->deadline, hal_exchange_deadline_passed, x, err);
    if (!st && !(x->gate = hal_gate_to(loop, x->first.host, x->first.port, err)))
        st = HAL_E_NOMEM;
    return st;
}

static hal_exchange *start(hal_loop *loop, const hal_request *request, const hal_sink *sink,
                           const hal_resume *resume, hal_exchange_done done, void *ctx,
                           hal_err *err)
{
    hal_exchange *x = loop->idle_exchanges;
    if (x) {
        loop->idle_exchanges = x->next;
        loop->n_idle_exchanges--;
    } else if (!(x = hal_malloc(sizeof *x))) {
        hal_err_nomem(err, sizeof *x);
        return NULL;
    }
    memset(x, 0, offsetof(hal_exchange, location));
    x->loop = loop;
    if (resume)
        x->resume = *resume;
    if (sink)
        x->sink = *sink;
    x->done = done;
    x->ctx = ctx;
    x->visitor.admitted = admitted;
    x->visitor.refused = refused;
    x->visitor.ctx = x;
    hal_buf_init(&x->server_text, HAL_SERVER_TEXT_MAX);
    hal_buf_init(&x->unpacked, HAL_UNPACKED_MAX);
    hal_exchange_begin_answer(x);
    x->outcome.err = HAL_ERR_INIT;
    x->outcome.url[0] = '\0';
    x->outcome.wire_bytes = 0;
    x->outcome.tries = 1;
    x->outcome.polls = 0;
    x->outcome.elapsed_ns = 0;
    x->outcome.reset_before_end = false;
    if (prepare(x, request, err)) {
        clear_exchange(x);
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

hal_gate *hal_exchange_gate(const hal_exchange *x)
{
    return x->gate;
}
