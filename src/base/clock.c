/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/clock.h"

#include <stddef.h>
#include <time.h>

static int64_t system_monotonic_ns(void *ctx)
{
    (void)ctx;
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t); /* monotonic, and goes on while the machine sleeps */
    return (int64_t)t.tv_sec * HAL_NS_PER_S + t.tv_nsec;
}

static int64_t system_wall_ms(void *ctx)
{
    (void)ctx;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / HAL_NS_PER_MS;
}

hal_clock hal_clock_system(void)
{
    return (hal_clock){system_monotonic_ns, system_wall_ms, NULL};
}

int64_t hal_clock_now_ns(const hal_clock *clock)
{
    return clock->monotonic_ns(clock->ctx);
}

int64_t hal_clock_wall_ms(const hal_clock *clock)
{
    return clock->wall_ms(clock->ctx);
}
