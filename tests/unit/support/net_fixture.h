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

/* Real time plus what a test skipped: waits of minutes pass in milliseconds. */
static int64_t skipped_ns;

static int64_t test_ns(void *ctx)
{
    hal_clock clock = hal_clock_system();
    (void)ctx;
    return hal_clock_now_ns(&clock) + skipped_ns;
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

/* Steps until `*flag` is set; time passes at `ms_per_step` a step on top of real time. */
static void run_until(hal_loop *loop, const int *flag, int64_t ms_per_step)
{
    hal_err err = HAL_ERR_INIT;
    while (!*flag) {
        assert_int_equal(hal_loop_step(loop, ms_per_step ? 2 : 50, &err), HAL_OK);
        skipped_ns += ms_per_step * HAL_NS_PER_MS;
    }
}

#endif
