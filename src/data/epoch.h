/* SPDX-License-Identifier: BSD-3-Clause */
/* Times as Modified Julian Dates (days since 1858-11-17T00:00, JD - 2400000.5). */
#ifndef HAL_DATA_EPOCH_H
#define HAL_DATA_EPOCH_H

#include "data/table.h"

/** The table with a column more, NAME_mjd (float64, unit d, UCD time.epoch), in the time scale of
 * the column NAME of timestamps or of texts "YYYY-MM-DD" or "YYYY-MM-DD hh:mm:ss" (or with T, a
 * fraction, a Z). Nulls and blank texts are null. The nearest double: 0.6 microseconds today.
 * HAL_E_USAGE: any other text (with the row, from 1; a leap second too), a column of another type,
 * or one of that name. */
hal_table *hal_table_mjd(const hal_table *t, size_t i_col, hal_err *err);

#endif
