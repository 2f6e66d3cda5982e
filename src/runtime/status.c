/* SPDX-License-Identifier: BSD-3-Clause */
/* The public list of status codes and the library's own are the same. */
#include "halyard.h"

enum {
#define X(symbol, name, retryable, exit_code) position_of_##symbol,
#include "base/status.def"
#undef X
    position_of_end
};

#define X(symbol, name, retryable, exit_code)                                                      \
    _Static_assert((int)symbol == (int)position_of_##symbol, #symbol " differs from status.def");
#include "base/status.def"
#undef X
_Static_assert((int)HAL_STATUS_COUNT == (int)position_of_end, "status.def has more codes");
