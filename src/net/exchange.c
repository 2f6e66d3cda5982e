/* SPDX-License-Identifier: BSD-3-Clause */
/* One exchange is a small state machine on the loop thread: wait at the host's gate, transfer,
 * perhaps follow a redirect, let the sink judge, perhaps wait and ask again. Everything that ends
 * it goes through `conclude`, which only sets an alarm: handles are freed and `done` runs from the
 * loop, never inside a call or a libcurl callback. */
#define _GNU_SOURCE /* explicit_bzero */
#include "net/exchange.h"

#include "base/alloc.h"
#include "net/header.h"
#include "net/loop_impl.h"
#include "net/retry.h"
#include "net/target.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

enum {
    HOPS_MAX = 10,
    HEADERS_MAX = 32,
    HEADER_BYTES_MAX = 8192,
    URL_MAX = 65536,
    LOCATION_MAX = 8192,
    SERVER_TEXT_MAX = 16384, /* kept of an error answer's body (fault matrix N22) */
    WORDS_MAX = 500,         /* of them in an error text */
    CHAIN_MAX = 512,
    CONNECT_MS = 15000,
    WATCH_S = 60, /* a stalled transfer is noticed after one to two of these */
    STALL_BYTES_PER_S = 100,
    SLOW_AFTER_S = 300, /* and an average below SLOW_BYTES_PER_S from then on */
    SLOW_BYTES_PER_S = 1000,
    BUFFER_BYTES = 256 * 1024,
    HEADER_FLOOD_BYTES = 200 * 1024, /* libcurl stops at 300 KiB */
};

typedef enum phase {
    AT_GATE,
    TRANSFER,
    JUDGING,
    PAUSING, /* before a retry or poll */
    ENDING,
} phase;

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

    phase phase;
    hal_target first, target; /* as asked; of the hop under way */
    bool as_get;              /* a redirect turned the method into GET */
    int hops;
    char chain[CHAIN_MAX];
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
    bool in_headers, has_headers, delivering, length_conflict, has_retry_after;
    bool address_refused, is_paused, resume_wanted;
    int64_t date_s;
    double retry_after_s;
    char location[LOCATION_MAX];
    char coding[64], retry_after[64];
    hal_buf server_text;
    size_t n_headers, outcome_header_bytes;
    uint64_t watched_bytes;
    size_t header_bytes;
    int64_t paused_ns, paused_since_ns;
    hal_err stop; /* a callback of ours ended the transfer with this */

    int failures, quick_polls;
    bool judged;
    hal_judgement judgement;
    hal_err judged_why;
    hal_outcome outcome;
    char curl_text[CURL_ERROR_SIZE];
};

static void send_request(hal_exchange *x);

static int64_t now_ns(const hal_exchange *x)
{
    return hal_loop_now_ns(x->loop);
}

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
        hal_limit_leave(x->gate->limit, x->sent_ns, now_ns(x), strain, &x->loop->listener);
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

size_t hal_exchange_hide(const hal_exchange *x, char *bytes, size_t n)
{
    bool good = x->status >= 200 && x->status < 300;
    return hal_secrets_hide(&x->secrets, bytes, n,
                            good ? HAL_SECRET_DATA_MIN : HAL_SECRET_TEXT_MIN);
}

static void hide_in_outcome(hal_exchange *x)
{
    hal_outcome *o = &x->outcome;
    struct {
        char *bytes;
        size_t n;
    } texts[] = {{o->url, strlen(o->url)},
                 {o->location, strlen(o->location)},
                 {o->content_type, strlen(o->content_type)},
                 {o->headers, x->outcome_header_bytes},
                 {o->err.text, strlen(o->err.text)}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        hal_secrets_hide(&x->secrets, texts[i].bytes, texts[i].n, HAL_SECRET_TEXT_MIN);
}

static void finish(hal_exchange *x)
{
    hide_in_outcome(x);
    hal_loop *loop = x->loop;
    *(x->prev ? &x->prev->next : &loop->exchanges) = x->next;
    if (x->next)
        x->next->prev = x->prev;
    x->outcome.elapsed_ns = now_ns(x) - x->begun_ns;
    hal_outcome outcome = x->outcome;
    hal_exchange_done done = x->done;
    void *ctx = x->ctx;
    free_exchange(x);
    done(ctx, &outcome);
}

/* A cut address would be a wrong one. */
static void tell_location(hal_exchange *x)
{
    hal_target to = {0};
    if (hal_target_parse(x->loop->curl, &to, x->location, &x->target, NULL))
        return;
    char *out = x->outcome.location;
    hal_target_text(x->loop->curl, &to, out, sizeof x->outcome.location);
    if (strlen(out) + 1 == sizeof x->outcome.location)
        out[0] = '\0';
    hal_target_clear(x->loop->curl, &to);
}

/* `why` NULL: success. The first conclusion stands. */
static void conclude(hal_exchange *x, const hal_err *why)
{
    if (x->phase == ENDING)
        return;
    x->phase = ENDING;
    if (why) {
        x->outcome.err = *why;
        if (!why->origin[0])
            host_text(x, x->outcome.err.origin, sizeof x->outcome.err.origin);
    }
    if (x->target.url)
        hal_target_text(x->loop->curl, &x->target, x->outcome.url, sizeof x->outcome.url);
    if (x->target.url && x->location[0])
        tell_location(x);
    hal_gate_leave(&x->visitor);
    hal_alarm_unset(x->loop, &x->watch);
    hal_alarm_unset(x->loop, &x->deadline);
    hal_alarm_set(x->loop, &x->next_step, now_ns(x));
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
    x->phase = AT_GATE;
    hal_gate_enter(x->gate, &x->visitor);
}

static void again_after(hal_exchange *x, int64_t delay_ms)
{
    x->phase = PAUSING;
    hal_alarm_set(x->loop, &x->next_step, now_ns(x) + delay_ms * HAL_NS_PER_MS);
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
            hal_limit_pause(x->gate->limit, now_ns(x) + delay_ms * HAL_NS_PER_MS);
        }
    } else if (wanted) {
        delay_ms = hal_retry_delay_ms(x->failures - 1, loop->waits.retry_base_ms,
                                      loop->waits.retry_cap_ms, hal_loop_random(loop)) +
                   fault.delay_base * loop->waits.retry_base_ms;
    }
    if (wanted &&
        now_ns(x) + delay_ms * HAL_NS_PER_MS >= x->deadline.due_ns) /* no use in waiting for it */
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
    if (x->phase != JUDGING || x->judged)
        return;
    x->judged = true;
    x->judgement = judgement;
    x->judged_why = why ? *why : HAL_ERR_INIT;
    hal_alarm_set(x->loop, &x->next_step, now_ns(x));
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
    case ENDING:
        finish(x);
        break;
    case JUDGING:
        apply_judgement(x);
        break;
    case PAUSING:
        back_to_gate(x);
        break;
    case TRANSFER: /* resume asked for */
        if (x->resume_wanted && x->in_multi) {
            x->resume_wanted = false;
            x->is_paused = false;
            x->paused_ns += now_ns(x) - x->paused_since_ns;
            CURLcode rc = x->loop->curl->easy_pause(x->easy, CURLPAUSE_CONT);
            if (rc && x->in_multi)
                hal_exchange_transferred(x, rc);
        }
        break;
    case AT_GATE:
        break;
    }
}

void hal_exchange_resume(hal_exchange *x)
{
    if (x->phase != TRANSFER || !x->is_paused)
        return;
    x->resume_wanted = true;
    hal_alarm_set(x->loop, &x->next_step, now_ns(x));
}

/* --- the answer's headers and body ----------------------------------------------------------- */

static bool is_redirect(const hal_exchange *x)
{
    int s = x->status;
    return !x->request.keep_redirect &&
           (s == 301 || s == 302 || s == 303 || s == 307 || s == 308) && x->location[0];
}

static bool is_good(const hal_exchange *x)
{
    return x->status >= 200 && x->status < 300;
}

static void begin_answer(hal_exchange *x)
{
    x->status = 0;
    x->in_headers = true;
    x->has_headers = x->delivering = x->length_conflict = x->has_retry_after = false;
    x->date_s = -1;
    x->location[0] = x->coding[0] = x->retry_after[0] = '\0';
    x->header_bytes = x->n_headers = x->outcome_header_bytes = 0;
    hal_buf_clear(&x->server_text);
    hal_outcome *o = &x->outcome;
    o->headers[0] = o->headers[1] = o->location[0] = '\0';
    o->http_status = 0;
    o->content_type[0] = o->etag[0] = o->last_modified[0] = o->content_range[0] = '\0';
    o->content_length = -1;
    o->body_bytes = 0;
}

static void copy_value(char *out, size_t size, hal_slice value)
{
    if (value.size_bytes < size) {
        memcpy(out, value.data, value.size_bytes);
        out[value.size_bytes] = '\0';
    } else {
        out[0] = '\0'; /* a cut value would be a wrong one */
    }
}

/* Two bytes are left for the end: an empty name, an empty value. */
static void keep_header(hal_exchange *x, hal_slice name, hal_slice value)
{
    size_t room = HAL_HEADERS_BYTES - 2 - x->outcome_header_bytes;
    if (x->n_headers == HAL_HEADERS_MAX || name.size_bytes + value.size_bytes + 2 > room ||
        hal_header_is(name, "Set-Cookie") || hal_header_is(name, "Set-Cookie2"))
        return;
    char *out = x->outcome.headers + x->outcome_header_bytes;
    for (size_t i = 0; i < name.size_bytes; i++)
        *out++ = (char)tolower((unsigned char)name.data[i]);
    *out++ = '\0';
    for (size_t i = 0; i < value.size_bytes; i++) {
        unsigned char c = (unsigned char)value.data[i];
        *out++ = c == '\t' ? ' ' : c < 0x20 || c > 0x7e ? '?' : (char)c;
    }
    memset(out, 0, 3);
    x->outcome_header_bytes = (size_t)(out + 1 - x->outcome.headers);
    x->n_headers++;
}

static void read_header(hal_exchange *x, hal_slice name, hal_slice value)
{
    hal_outcome *o = &x->outcome;
    int64_t length;
    keep_header(x, name, value);
    if (hal_header_is(name, "Content-Length")) {
        if (!hal_header_size(value, &length) ||
            (o->content_length >= 0 && o->content_length != length))
            x->length_conflict = true;
        else
            o->content_length = length;
    } else if (hal_header_is(name, "Content-Type")) {
        copy_value(o->content_type, sizeof o->content_type, value);
    } else if (hal_header_is(name, "ETag")) {
        copy_value(o->etag, sizeof o->etag, value);
    } else if (hal_header_is(name, "Last-Modified")) {
        copy_value(o->last_modified, sizeof o->last_modified, value);
    } else if (hal_header_is(name, "Content-Range")) {
        copy_value(o->content_range, sizeof o->content_range, value);
    } else if (hal_header_is(name, "Content-Encoding")) {
        copy_value(x->coding, sizeof x->coding, value);
    } else if (hal_header_is(name, "Location")) {
        copy_value(x->location, sizeof x->location, value);
    } else if (hal_header_is(name, "Date")) {
        if (!hal_header_date(value, &x->date_s))
            x->date_s = -1;
    } else if (hal_header_is(name, "Retry-After")) {
        copy_value(x->retry_after, sizeof x->retry_after, value);
    }
}

static hal_status headers_whole(hal_exchange *x)
{
    x->in_headers = false;
    x->has_headers = true;
    x->outcome.http_status = x->status;
    x->has_retry_after =
        hal_header_retry_after(hal_slice_of(x->retry_after), x->date_s,
                               hal_clock_wall_ms(x->loop->clock) / 1000, &x->retry_after_s);
    if (x->length_conflict)
        return hal_err_set(
            &x->stop, HAL_E_PROTOCOL,
            "the answer states its length in contradicting ways; it cannot be trusted");
    if (is_redirect(x) || !(is_good(x) || x->request.error_bodies))
        return HAL_OK;
    if (!strcmp(x->method, "HEAD") && !x->as_get) { /* what it says is of a body that stays away */
        x->delivering = true;
        return x->sink.begin ? x->sink.begin(x->sink.ctx, x->status, &x->stop) : HAL_OK;
    }
    if (!x->resume.from && x->coding[0] && strcasecmp(x->coding, "identity") != 0)
        return hal_err_set(&x->stop, HAL_E_PROTOCOL,
                           "the answer is compressed (%s) although that was not asked for",
                           x->coding);
    if (x->request.body_max_bytes < (uint64_t)INT64_MAX &&
        x->outcome.content_length > (int64_t)x->request.body_max_bytes)
        return hal_err_set(
            &x->stop, HAL_E_BUDGET, "the answer has %lld bytes, more than the limit of %llu",
            (long long)x->outcome.content_length, (unsigned long long)x->request.body_max_bytes);
    x->delivering = true;
    if (!x->sink.begin)
        return HAL_OK;
    return x->sink.begin(x->sink.ctx, x->status, &x->stop);
}

static size_t on_header(char *bytes, size_t size, size_t n, void *ctx)
{
    hal_exchange *x = ctx;
    n *= size;
    x->outcome.wire_bytes += n;
    x->loop->stats.wire_bytes += n;
    if (x->phase == ENDING)
        return 0;
    if (n > 5 && !memcmp(bytes, "HTTP/", 5)) {
        begin_answer(x);
        x->header_bytes = n;
        const char *blank = memchr(bytes, ' ', n);
        size_t left = blank ? n - (size_t)(blank + 1 - bytes) : 0;
        int64_t status = 0;
        if (left >= 3 && hal_header_size((hal_slice){blank + 1, 3}, &status))
            x->status = (int)status;
        return n;
    }
    if (!x->in_headers) /* trailer of a chunked body */
        return n;
    x->header_bytes += n;
    hal_slice name, value;
    if (bytes[0] != '\r' && bytes[0] != '\n') {
        if (hal_header_split((hal_slice){bytes, n}, &name, &value))
            read_header(x, name, value);
        return n;
    }
    if (x->status >= 100 && x->status < 200)
        return n;
    hal_alarm_set(x->loop, &x->watch, now_ns(x) + WATCH_S * HAL_NS_PER_S);
    x->watched_bytes = 0;
    hal_status st = headers_whole(x);
    if (st)
        x->stop.status = st;
    return st ? 0 : n;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
    hal_exchange *x = ctx;
    n *= size;
    if (x->phase == ENDING)
        return 0;
    if (x->delivering) {
        if (x->outcome.body_bytes + n > x->request.body_max_bytes) {
            hal_err_set(&x->stop, HAL_E_BUDGET, "the answer is longer than the limit of %llu bytes",
                        (unsigned long long)x->request.body_max_bytes);
            return 0;
        }
        hal_status st = x->sink.write ? x->sink.write(x->sink.ctx, bytes, n, &x->stop) : HAL_OK;
        if (st == HAL_E_BUSY) {
            x->stop = HAL_ERR_INIT;
            x->is_paused = true;
            x->paused_since_ns = now_ns(x);
            return CURL_WRITEFUNC_PAUSE;
        }
        if (st) {
            x->stop.status = st;
            return 0;
        }
    } else {
        size_t room = SERVER_TEXT_MAX - x->server_text.size_bytes;
        if (hal_buf_append(&x->server_text, bytes, n < room ? n : room, &x->stop)) {
            x->stop.status = HAL_E_NOMEM;
            return 0;
        }
    }
    x->outcome.body_bytes += n;
    x->outcome.wire_bytes += n;
    x->loop->stats.wire_bytes += n;
    return n;
}

static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    hal_exchange *x = ctx;
    (void)purpose;
    if (!x->loop->private_net && !hal_address_is_public(&address->addr)) {
        x->address_refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* First byte, then every WATCH_S the rate (fault matrix N6 to N8). A pause that the sink asked for
 * is not the server's fault. */
static void watch_due(void *ctx)
{
    hal_exchange *x = ctx;
    char host[300];
    host_text(x, host, sizeof host);
    hal_err err = HAL_ERR_INIT;
    int64_t now = now_ns(x);
    hal_fault late = {.status = HAL_E_TIMEOUT, .retryable = true, .strained = true};
    uint64_t bytes = x->outcome.body_bytes;
    if (!x->has_headers) {
        hal_err_set(&err, HAL_E_TIMEOUT,
                    "%s: no answer within %.0f s; try again later or ask for less", host,
                    (double)x->request.first_byte_ms / 1000.0);
    } else {
        int64_t paused_ns = x->paused_ns + (x->is_paused ? now - x->paused_since_ns : 0);
        double active_s = (double)(now - x->sent_ns - paused_ns) / (double)HAL_NS_PER_S;
        bool stalled = !x->is_paused && bytes - x->watched_bytes < STALL_BYTES_PER_S * WATCH_S &&
                       x->paused_since_ns < now - WATCH_S * HAL_NS_PER_S;
        bool slow = active_s > SLOW_AFTER_S && (double)bytes < active_s * SLOW_BYTES_PER_S;
        if (!stalled && !slow) {
            x->watched_bytes = bytes;
            hal_alarm_set(x->loop, &x->watch, now + WATCH_S * HAL_NS_PER_S);
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

static bool survives_redirect(const char *line)
{
    static const char *const kept[] = {"Accept:", "Content-Type:", NULL};
    for (int i = 0; kept[i]; i++)
        if (!strncasecmp(line, kept[i], strlen(kept[i])))
            return true;
    return false;
}

static hal_status add_header(hal_exchange *x, const char *line, hal_err *err)
{
    struct curl_slist *grown = x->loop->curl->slist_append(x->headers, line);
    if (!grown)
        return hal_err_nomem(err, strlen(line));
    x->headers = grown;
    return HAL_OK;
}

static hal_status add_authorization(hal_exchange *x, hal_err *err)
{
    static const char name[] = "Authorization: ";
    size_t size = sizeof name + strlen(x->secrets.authorization);
    char *line = hal_malloc(size);
    if (!line)
        return hal_err_nomem(err, size);
    snprintf(line, size, "%s%s", name, x->secrets.authorization);
    hal_status st = add_header(x, line, err);
    explicit_bzero(line, size);
    hal_free(line);
    return st;
}

/* A host that the request was not made for gets no header it could be recognised by. */
static hal_status list_headers(hal_exchange *x, hal_err *err)
{
    if (x->headers)
        x->loop->curl->slist_free_all(x->headers);
    x->headers = NULL;
    bool home = hal_target_same_origin(&x->first, &x->target);
    hal_status st = add_header(x, "Expect:", err); /* no 100-continue */
    for (const char *line = x->header_text; *line && !st; line += strlen(line) + 1)
        if (home || survives_redirect(line))
            st = add_header(x, line, err);
    if (!st && home && x->secrets.authorization)
        st = add_authorization(x, err);
    uint64_t offset;
    const char *etag;
    if (!st && x->resume.from && x->resume.from(x->resume.ctx, &offset, &etag)) {
        char line[320];
        snprintf(line, sizeof line, "Range: bytes=%llu-", (unsigned long long)offset);
        st = add_header(x, line, err);
        snprintf(line, sizeof line, "If-Range: %s", etag);
        if (!st)
            st = add_header(x, line, err);
    }
    return st;
}

static hal_status set_options(hal_exchange *x, hal_err *err)
{
    const hal_curl *c = x->loop->curl;
    CURL *e = x->easy;
    hal_status st = list_headers(x, err);
    if (st)
        return st;
    CURLcode rc = CURLE_OK;
#define SET(option, value) rc = rc ? rc : c->easy_setopt(e, option, value)
    SET(CURLOPT_CURLU, x->target.url);
    SET(CURLOPT_PRIVATE, (void *)x);
    SET(CURLOPT_ERRORBUFFER, x->curl_text);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    /* On a kept connection libcurl repeats a request by itself when the server resets it: one try
     * must be one request. */
    SET(CURLOPT_FRESH_CONNECT, x->request.tries_max == 1 ? 1L : 0L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_UNRESTRICTED_AUTH, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    SET(CURLOPT_USERAGENT, "halyard/" HAL_VERSION_TEXT);
    SET(CURLOPT_HTTPHEADER, x->headers);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, (void *)x);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, (void *)x);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, (void *)x);
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
#undef SET
    return rc ? hal_err_set(err, rc == CURLE_OUT_OF_MEMORY ? HAL_E_NOMEM : HAL_E_INTERNAL,
                            "preparing a request: %s", c->easy_strerror(rc))
              : HAL_OK;
}

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
    hal_status st = set_options(x, err);
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
    begin_answer(x);
    x->phase = TRANSFER;
    x->in_headers = false;
    x->address_refused = x->is_paused = x->resume_wanted = false;
    x->paused_ns = 0;
    x->paused_since_ns = INT64_MIN;
    x->stop = HAL_ERR_INIT;
    x->curl_text[0] = '\0';
    x->outcome.reset_before_end = false;
    x->sent_ns = now_ns(x);
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

static hal_status ask_guard(const hal_loop *loop, const hal_target *t, hal_err *err)
{
    if (!loop->allowed)
        return HAL_OK;
    hal_err why = HAL_ERR_INIT;
    if (loop->allowed(loop->guard_ctx, t->host, t->port, &why))
        return HAL_OK;
    if (why.status) {
        if (err)
            *err = why;
        return why.status;
    }
    return hal_err_set(err, HAL_E_PERMISSION,
                       "host %s is not granted to this workflow; add it to `hosts`", t->host);
}

static hal_status follow(hal_exchange *x, hal_err *err)
{
    const hal_curl *c = x->loop->curl;
    size_t n = strlen(x->chain);
    snprintf(x->chain + n, sizeof x->chain - n, "%s%.100s", n ? " -> " : "", x->location);
    if (++x->hops > HOPS_MAX)
        return hal_err_set(err, HAL_E_PROTOCOL, "%s redirects in circles (more than %d times): %s",
                           x->first.host, HOPS_MAX, x->chain);
    hal_target next = {0};
    hal_status st = hal_target_parse(c, &next, x->location, &x->target, err);
    if (st)
        return hal_err_note(err, st, "redirect from %s", x->target.host);
    if (x->target.https && !next.https)
        st = hal_err_set(err, HAL_E_PERMISSION,
                         "%s redirects from https to http (%.200s); not followed", x->target.host,
                         x->location);
    else if ((st = ask_guard(x->loop, &next, err)))
        hal_err_note(err, st, "redirect from %s", x->target.host);
    /* RFC 9110 15.4; that 301 and 302 change POST only is what clients do. */
    bool is_post = !strcmp(x->method, "POST");
    if (strcmp(x->method, "HEAD") != 0 && (x->status == 303 || (x->status < 303 && is_post)))
        x->as_get = true;
    if (!st && x->secrets.in_body && !x->as_get && !hal_target_same_origin(&x->first, &next))
        st = hal_err_set(err, HAL_E_PERMISSION,
                         "%s redirects a request that holds a password to %s; not followed",
                         x->first.host, next.host);
    hal_gate *gate = st ? NULL : hal_gate_to(x->loop, next.host, next.port, err);
    if (!gate) {
        hal_target_clear(c, &next);
        return st ? st : HAL_E_NOMEM;
    }
    hal_target_clear(c, &x->target);
    x->target = next;
    x->gate = gate;
    x->phase = AT_GATE;
    hal_gate_enter(gate, &x->visitor);
    return HAL_OK;
}

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
    if (x->phase == ENDING)
        return;
    hal_alarm_unset(x->loop, &x->watch);
    hal_alarm_unset(x->loop, &x->next_step); /* a resume that came too late */
    x->answered_ns = now_ns(x);
    if (!code && !x->has_headers) /* an end inside the headers is success to libcurl */
        code = CURLE_RECV_ERROR;
    bool redirected = !code && is_redirect(x);
    hal_fault fault = {0};
    if (code)
        fault = transfer_failed(x, code, &err);
    else if (!redirected && !is_good(x))
        fault = status_failed(x, &err);
    release_slot(x, fault.strained            ? HAL_STRAIN_HIGH
                    : code || fault.retryable ? HAL_STRAIN_UNKNOWN
                                              : HAL_STRAIN_NONE);
    if (redirected) {
        if (follow(x, &err))
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
        x->phase = JUDGING;
        x->sink.end(x->sink.ctx);
    } else {
        conclude(x, NULL);
    }
}

/* --- the start ------------------------------------------------------------------------------- */

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

static hal_status copy_request(hal_exchange *x, const hal_request *r, hal_err *err)
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

/* Those that may not go there are as if they were not given, unless they are in the body. */
static hal_status take_secrets(hal_exchange *x, const hal_secrets *s, hal_err *err)
{
    const hal_target *t = &x->first;
    if (!s)
        return HAL_OK;
    if (s->may_go(s->ctx, t->host, t->port, t->https))
        return hal_secrets_copy(&x->secrets, s, err);
    return s->in_body ? hal_err_set(err, HAL_E_PERMISSION,
                                    "a password may go to https hosts of the archive only, not to "
                                    "%s://%s:%d",
                                    t->https ? "https" : "http", t->host, t->port)
                      : HAL_OK;
}

static hal_status prepare(hal_exchange *x, const hal_request *r, hal_err *err)
{
    hal_loop *loop = x->loop;
    if (loop->closing)
        return hal_err_set(err, HAL_E_CANCELLED, "the run is ending");
    hal_status st = hal_loop_open_network(loop, err);
    if (!st)
        st = copy_request(x, r, err);
    if (!st)
        st = hal_target_parse(loop->curl, &x->first, r->url, NULL, err);
    if (!st)
        st = take_secrets(x, r->secrets, err);
    if (!st)
        st = ask_guard(loop, &x->first, err);
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
    hal_buf_init(&x->server_text, SERVER_TEXT_MAX);
    if (prepare(x, request, err)) {
        free_exchange(x);
        return NULL;
    }
    x->begun_ns = now_ns(x);
    x->next = loop->exchanges;
    if (x->next)
        x->next->prev = x;
    loop->exchanges = x;
    hal_alarm_set(loop, &x->deadline, x->begun_ns + x->request.deadline_ms * HAL_NS_PER_MS);
    x->phase = AT_GATE;
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
