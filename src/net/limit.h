/* SPDX-License-Identifier: BSD-3-Clause */
/* Politeness towards one host, shared by every loop of the process: how many requests at once, how
 * far apart, when to pause, and a quota of retries so that a dying service is not hammered (fault
 * matrix section 2). Told the time; waits for nothing, sends nothing. Any thread. */
#ifndef HAL_NET_LIMIT_H
#define HAL_NET_LIMIT_H

#include "base/status.h"

#include <stdint.h>

enum { HAL_LIMIT_WINDOW_DEFAULT = 4, HAL_LIMIT_WINDOW_MAX = 64 };

typedef struct hal_limit hal_limit;

/** Called (any thread, must not call back) when a slot of some host became free. Embedded by the
 * waiter, which outlives its registration. */
typedef struct hal_limit_listener {
    void (*wake)(void *ctx);
    void *ctx;
    struct hal_limit_listener *next;
} hal_limit_listener;
void hal_limit_listen(hal_limit_listener *listener);
void hal_limit_unlisten(hal_limit_listener *listener);

/** The record of a host; give it back with hal_limit_unref. NULL and HAL_E_NOMEM. */
hal_limit *hal_limit_ref(const char *host, int port, hal_err *err);
void hal_limit_unref(hal_limit *limit);
/** `host`: "name:port", "name" (all its ports together) or NULL: hosts not named. `window` 1 ..
 * HAL_LIMIT_WINDOW_MAX. `pace_ns` < 0: the pace stays, and so does the window of a host that was
 * given a pace. Fails with HAL_E_USAGE, HAL_E_NOMEM. */
hal_status hal_limit_configure(const char *host, int window, int64_t pace_ns,
                               hal_err *err) HAL_MUST_CHECK;

/** Takes a slot. False: not now; `*wait_ns` is when to ask again, < 0: when a slot becomes free. */
bool hal_limit_enter(hal_limit *limit, int64_t now_ns, int64_t *wait_ns);
/** One slot more, whether one is free or not; hal_limit_leave gives it back. */
void hal_limit_hold(hal_limit *limit);
typedef enum hal_strain {
    HAL_STRAIN_NONE,    /* a good answer: one more at once, up to the window; one retry earned */
    HAL_STRAIN_UNKNOWN, /* says nothing about the host's load */
    HAL_STRAIN_HIGH,    /* 429, 503, timeout: half as many at once */
} hal_strain;
/** Gives the slot back. Halves once for all requests that were under way together, hence
 * `started_ns`. `self` is not woken. */
void hal_limit_leave(hal_limit *limit, int64_t started_ns, int64_t now_ns, hal_strain strain,
                     const hal_limit_listener *self);
/** No request to this host before `until_ns`. */
void hal_limit_pause(hal_limit *limit, int64_t until_ns);
/** Takes the price of one retry from the host's quota; false when it is used up. */
bool hal_limit_spend_retry(hal_limit *limit);
/** Declares the host down: until `until_ns` whatever would be sent to it fails with `why`
 * (deferred: the fault is the host's). Afterwards one request at once finds out how it is. */
void hal_limit_close(hal_limit *limit, int64_t until_ns, const hal_err *why);
/** True while it is; copies the reason. */
bool hal_limit_is_closed(hal_limit *limit, int64_t now_ns, hal_err *why);
/** How many may be under way at once just now. */
int hal_limit_allowed(const hal_limit *limit);
/** How many of these are free. */
int hal_limit_room(const hal_limit *limit);

#endif
