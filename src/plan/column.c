/* SPDX-License-Identifier: BSD-3-Clause */
/* Ranges of a column: what splits rows that positions cannot. Borders are integers in units of the
 * column's last printed decimal, half-open, the first range open below and the last one above, so
 * that every value has one owner. Tiling design, section 6.2. */
#include "plan/state.h"

#include <math.h>

bool hal_ask_owns_value(const hal_ask *ask, double value, bool is_null)
{
    if (ask->column == 0)
        return true;
    is_null = is_null || isnan(value);
    if (is_null || ask->column_null)
        return is_null && ask->column_null;
    return value >= ask->column_lo && (value < ask->column_hi || ask->column_hi == INFINITY);
}

const char *hal_plan_column_name(const hal_plan *plan, int column)
{
    bool known = column >= 1 && (size_t)column <= plan->service.n_alt_split;
    return known ? plan->service.alt_split[column - 1].name : "";
}
