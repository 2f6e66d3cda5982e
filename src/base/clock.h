/* SPDX-License-Identifier: BSD-3-Clause */
/* Time as a value: the runtime carries one hal_clock, tests carry one that they move by hand.
 * Monotonic nanoseconds decide; wall time is for display and records only. */
#ifndef HAL_BASE_CLOCK_H
#define HAL_BASE_CLOCK_H

#include <stdint.h>

#define HAL_NS_PER_MS INT64_C(1000000)
#define HAL_NS_PER_S INT64_C(1000000000)

typedef struct hal_clock {
    int64_t (*monotonic_ns)(void *ctx);
    int64_t (*wall_ms)(void *ctx); /* milliseconds since 1970-01-01 UTC */
    void *ctx;
} hal_clock;

/** The system's clock. */
hal_clock hal_clock_system(void);
int64_t hal_clock_now_ns(const hal_clock *clock);
int64_t hal_clock_wall_ms(const hal_clock *clock);

#endif
