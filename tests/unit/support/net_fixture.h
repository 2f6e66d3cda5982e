/* SPDX-License-Identifier: BSD-3-Clause */
/* What the network tests share: a clock that they move, a loop that may reach loopback, scripted
 * replies. */
#ifndef HAL_TESTS_NET_FIXTURE_H
#define HAL_TESTS_NET_FIXTURE_H

#include "base/alloc.h"
#include "net/exchange.h"
#include "raw_server.c" /* one helper, compiled in */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define REPLIES(...)                                                                               \
    (raw_reply[]){__VA_ARGS__}, sizeof((raw_reply[]){__VA_ARGS__}) / sizeof(raw_reply)

/* Time passes only where a test says so: waits of minutes take milliseconds, and a busy machine,
 * which is late with everything, changes nothing. */
static int64_t now_ns = HAL_NS_PER_S;

static int64_t test_ns(void *ctx)
{
    (void)ctx;
    return now_ns;
}

static int64_t test_wall(void *ctx)
{
    (void)ctx;
    return INT64_C(1700000000000); /* Tue, 14 Nov 2023 22:13:20 GMT */
}

static const hal_clock test_clock = {test_ns, test_wall, NULL};

static hal_loop *new_loop(void)
{
    hal_err err = HAL_ERR_INIT;
    hal_loop *loop = hal_loop_new(&test_clock, &err);
    assert_non_null(loop);
    hal_loop_guard(loop, NULL, true, NULL);
    return loop;
}

/* Steps until `*flag` is set. Time passes at `ms_per_step` a step, but not while a request is on
 * the wire: an answer that comes late because the machine is busy must not look like one that the
 * server held, which changes the waits behind it. */
static inline void run_until(hal_loop *loop, const int *flag, int64_t ms_per_step)
{
    while (!*flag) {
        bool asking = hal_loop_stats(loop).in_flight > 0;
        assert_int_equal(hal_loop_step(loop, asking || !ms_per_step ? 50 : 2, NULL), HAL_OK);
        if (!asking)
            now_ns += ms_per_step * HAL_NS_PER_MS;
    }
}

/* For servers that say nothing: time passes also while they do. */
static inline void run_through_silence(hal_loop *loop, const int *flag, int64_t ms_per_step)
{
    while (!*flag) {
        assert_int_equal(hal_loop_step(loop, 5, NULL), HAL_OK);
        now_ns += ms_per_step * HAL_NS_PER_MS;
    }
}

#endif
