/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers in the text of a statement, read correctly rounded. SQLite 3.40 reads about one decimal
 * of fifteen digits in four thousand as a neighbour of the nearest double, and a statement that
 * selects on a printed value would then miss its row. Private to sql.c. */
#ifndef HAL_PRACTICE_SQL_NUMBER_H
#define HAL_PRACTICE_SQL_NUMBER_H

#include "base/buf.h"

#include <sqlite3.h>

/** Registers the function that the corrected text calls. Returns SQLite's code. */
int hal_sql_number_register(sqlite3 *db);
/** Appends the text; a number that SQLite would read wrongly becomes a call of that function. */
hal_status hal_sql_number_correct(sqlite3 *db, hal_slice text, hal_buf *out,
                                  hal_err *err) HAL_MUST_CHECK;

#endif
