/* SPDX-License-Identifier: BSD-3-Clause */
/* The retry policy as pure functions: what a failure means and how long to wait (fault matrix
 * sections 2 and 3). Randomness and time are given. */
#ifndef HAL_NET_RETRY_H
#define HAL_NET_RETRY_H

#include "base/status.h"

#include <stdint.h>

typedef struct hal_fault {
    hal_status status;
    bool retryable;
    bool reset;     /* connection reset, empty reply, cut body */
    bool strained;  /* the host is overloaded: fewer at once */
    int tries_max;  /* of this kind of failure; 0: as many as the request allows */
    int delay_base; /* the shortest delay, in units of the base delay */
    bool untrusted; /* its certificate */
    bool of_host;   /* once the tries are used up, whatever is sent there fails like this */
} hal_fault;

/** `code` is a CURLcode other than CURLE_OK; `in_headers`: the answer had begun, its headers were
 * not complete. */
hal_fault hal_fault_of_transfer(int code, bool in_headers);
/** `http_status` outside 2xx. `told_to_wait`: the answer has a valid Retry-After. */
hal_fault hal_fault_of_status(int http_status, bool told_to_wait);

/** Full jitter: uniform in [0, min(cap, base * 2^i_retry)], where `random` is uniform over its
 * type; i_retry counts from 0. Never negative. */
int64_t hal_retry_delay_ms(int i_retry, int64_t base_ms, int64_t cap_ms, uint32_t random);

/** Delay before the next poll: `quick_polls` answers in a row came back at once; one that the
 * server held for `held_ms` >= base is asked again without delay. */
int64_t hal_poll_delay_ms(int quick_polls, int64_t held_ms, int64_t base_ms, int64_t cap_ms);

#endif
