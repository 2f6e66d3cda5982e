/* SPDX-License-Identifier: BSD-3-Clause */
/* How long each part of an exchange may take (fault matrix section 2): to find the name, to
 * connect, to the first byte, then the rate of the body; and the whole operation. */
#include "net/exchange_impl.h"

enum {
    NAME_MS = 10000,
    CONNECT_MS = 15000,
    STALL_BYTES_PER_S = 100,
    SLOW_AFTER_S = 300, /* and an average below SLOW_BYTES_PER_S from then on */
    SLOW_BYTES_PER_S = 1000,
};

static void reach(hal_exchange *x, hal_exchange_reached place, int64_t ms)
{
    x->reached = place;
    hal_alarm_set(x->loop, &x->watch, hal_exchange_now_ns(x) + ms * HAL_NS_PER_MS);
}

void hal_exchange_watch_start(hal_exchange *x)
{
    /* A connection of another transfer that is being made may become this one's too (HTTP/2). */
    reach(x, HAL_REACHED_NOTHING, NAME_MS + CONNECT_MS);
}

int hal_exchange_on_resolve(void *state, void *reserved, void *ctx)
{
    (void)state;
    (void)reserved;
    reach(ctx, HAL_REACHED_RESOLVER, NAME_MS);
    return 0;
}

/* Several addresses of one name share the time. */
void hal_exchange_on_address(hal_exchange *x)
{
    if (x->reached < HAL_REACHED_ADDRESS)
        reach(x, HAL_REACHED_ADDRESS, CONNECT_MS);
}

int hal_exchange_on_connected(void *ctx, char *to, char *from, int to_port, int from_port)
{
    hal_exchange *x = ctx;
    (void)to;
    (void)from;
    /* libcurl repeats a request by itself when the server resets a kept connection: one try is one
     * request. */
    x->repeated = x->was_sent;
    x->leftover = !x->repeated && hal_exchange_has_leftover(x, from_port, to_port);
    if (x->repeated || x->leftover)
        return CURL_PREREQFUNC_ABORT;
    x->was_sent = true;
    reach(x, HAL_REACHED_HOST, x->request.first_byte_ms);
    return CURL_PREREQFUNC_OK;
}

void hal_exchange_deadline_passed(void *ctx)
{
    hal_exchange *x = ctx;
    char host[300];
    hal_err err = HAL_ERR_INIT;
    double s = (double)x->request.deadline_ms / 1000.0;
    if (x->outcome.polls)
        hal_err_set(&err, HAL_E_TIMEOUT,
                    "%s: still %s after %.0f s and %d polls; ask for less or allow more time",
                    hal_exchange_host(x, host, sizeof host),
                    x->status == 202 ? "not ready (HTTP 202)" : "EXECUTING", s, x->outcome.polls);
    else
        hal_err_set(&err, HAL_E_TIMEOUT,
                    "%s: not finished within %.0f s; ask for less or allow more time",
                    hal_exchange_host(x, host, sizeof host), s);
    hal_exchange_conclude(x, &err);
}

static void no_answer(const hal_exchange *x, const char *host, hal_err *err)
{
    if (x->reached == HAL_REACHED_RESOLVER)
        hal_err_set(err, HAL_E_TIMEOUT,
                    "%s: its name was not resolved within %d s; check the network or try again "
                    "later",
                    host, NAME_MS / 1000);
    else if (x->reached == HAL_REACHED_HOST)
        hal_err_set(err, HAL_E_TIMEOUT,
                    "%s: no answer within %.0f s; try again later or ask for less", host,
                    (double)x->request.first_byte_ms / 1000.0);
    else
        hal_err_set(err, HAL_E_TIMEOUT,
                    "%s: not connected within %d s; is the archive up? try again later", host,
                    (x->reached == HAL_REACHED_ADDRESS ? CONNECT_MS : NAME_MS + CONNECT_MS) / 1000);
}

/* Once the body has begun, looked at every HAL_WATCH_S (fault matrix N6 to N8). A pause that the
 * sink asked for is not the server's fault. */
static bool is_too_slow(hal_exchange *x, const char *host, hal_err *err)
{
    int64_t now = hal_exchange_now_ns(x);
    uint64_t bytes = x->outcome.body_bytes;
    int64_t paused_ns = x->paused_ns + (x->is_paused ? now - x->paused_since_ns : 0);
    double active_s = (double)(now - x->sent_ns - paused_ns) / (double)HAL_NS_PER_S;
    bool stalled = !x->is_paused && bytes - x->watched_bytes < STALL_BYTES_PER_S * HAL_WATCH_S &&
                   x->paused_since_ns < now - HAL_WATCH_S * HAL_NS_PER_S;
    bool slow = active_s > SLOW_AFTER_S && (double)bytes < active_s * SLOW_BYTES_PER_S;
    if (stalled)
        hal_err_set(err, HAL_E_TIMEOUT,
                    "%s: the answer stopped after %llu bytes: less than %d bytes/s for %d s; try "
                    "again later",
                    host, (unsigned long long)bytes, STALL_BYTES_PER_S, HAL_WATCH_S);
    else if (slow)
        hal_err_set(err, HAL_E_TIMEOUT,
                    "%s: the answer became too slow after %llu bytes: less than %d bytes/s over "
                    "%.0f s; try again later",
                    host, (unsigned long long)bytes, SLOW_BYTES_PER_S, active_s);
    return stalled || slow;
}

void hal_exchange_watch_due(void *ctx)
{
    hal_exchange *x = ctx;
    char host[300];
    hal_err err = HAL_ERR_INIT;
    hal_exchange_host(x, host, sizeof host);
    if (!x->has_headers) {
        no_answer(x, host, &err);
    } else if (!is_too_slow(x, host, &err)) {
        x->watched_bytes = x->outcome.body_bytes;
        hal_alarm_set(x->loop, &x->watch, hal_exchange_now_ns(x) + HAL_WATCH_S * HAL_NS_PER_S);
        return;
    }
    hal_exchange_late(x, &err);
}
