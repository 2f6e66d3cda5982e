/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows counted by HEALPix cell: planning from an exact picture. Tiling design, sections 6, 10. */
#include "plan/state.h"

#include <inttypes.h>

hal_status hal_plan_histogram(hal_plan *plan, uint64_t id, const hal_plan_cell *cells, size_t n,
                              hal_err *err)
{
    (void)plan, (void)cells, (void)n;
    return hal_err_set(err, HAL_E_USAGE, "ask %" PRIu64 " is not waiting for a histogram", id);
}
