/* SPDX-License-Identifier: BSD-3-Clause */
/* The event loop of one runtime: libcurl multi handle, timers, wake-ups from workers and signals.
 * Owned by one thread. libcurl is loaded at the first transfer, not before: a command that needs no
 * network never opens it. */
#ifndef HAL_NET_LOOP_H
#define HAL_NET_LOOP_H

#include "base/clock.h"
#include "base/pool.h"
#include "base/status.h"

typedef struct hal_loop hal_loop;
typedef struct hal_timer hal_timer;

/** Borrows `clock`, which must outlive the loop. */
hal_loop *hal_loop_new(const hal_clock *clock, hal_err *err);
void hal_loop_free(hal_loop *loop);
/** The worker pool that wakes this loop; created at first use. */
hal_pool *hal_loop_pool(hal_loop *loop, hal_err *err);
/** Requests will follow: a worker loads what they need, while the loop's thread does other things.
 */
void hal_loop_expect_requests(hal_loop *loop);
const hal_clock *hal_loop_clock(const hal_loop *loop);

/** Waits at most `timeout_ms` (-1: until something happens) and runs what is due: transfers,
 * timers, finished jobs. */
hal_status hal_loop_step(hal_loop *loop, int timeout_ms, hal_err *err) HAL_MUST_CHECK;
/** True while a transfer, timer or job is outstanding. */
bool hal_loop_is_busy(const hal_loop *loop);
/** Ends a waiting hal_loop_step soon. Any thread, and from a signal handler. */
void hal_loop_wake(hal_loop *loop);

/** Runs `fn` once on the loop thread after `delay_ms`, never inside this call. NULL and err on
 * failure. */
hal_timer *hal_timer_start(hal_loop *loop, int64_t delay_ms, void (*fn)(void *ctx), void *ctx,
                           hal_err *err);
/** Before it ran; afterwards the handle is gone. NULL is fine. */
void hal_timer_cancel(hal_timer *timer);

#endif
