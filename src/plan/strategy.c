/* SPDX-License-Identifier: BSD-3-Clause */
/* What a capability record allows, and why: the strategy of a plan in words. Never by name. */
#include "plan/state.h"

hal_status hal_plan_explain(const hal_plan *plan, hal_buf *out, hal_err *err)
{
    const hal_service *s = &plan->service;
    return hal_buf_printf(out, err, "sky tiles sent as %s: the service takes %s\n",
                          s->takes_box ? "boxes" : "cones",
                          s->takes_box ? "ranges of its position columns" : "circles only");
}
