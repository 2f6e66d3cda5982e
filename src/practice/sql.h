/* SPDX-License-Identifier: BSD-3-Clause */
/* SQL over the procedural sky: one SQLite connection for one statement, whose tables are the
 * catalogues (sql_table.h), views on them and small tables handed in. Used by one thread at a
 * time; knows no protocol. What it offers is described in docs/practice-protocols.md. */
#ifndef HAL_PRACTICE_SQL_H
#define HAL_PRACTICE_SQL_H

#include "practice/rows.h"

typedef struct hal_sql hal_sql;

/** `sky` must outlive it. */
hal_sql *hal_sql_new(hal_sky *sky, hal_err *err);
void hal_sql_free(hal_sql *q);

/* First what the statement may name, then the statement, then its parameters. All copy what they
 * are given. HAL_E_USAGE with the database's words. */

hal_status hal_sql_add_view(hal_sql *q, const char *name, const char *select,
                            hal_err *err) HAL_MUST_CHECK;
typedef struct hal_sql_column {
    const char *name;
    const char *type; /* any spelling of a type; "" keeps values as they are */
} hal_sql_column;
hal_status hal_sql_add_table(hal_sql *q, const char *name, const hal_sql_column *columns, size_t n,
                             hal_err *err) HAL_MUST_CHECK;
/** A row of the table added last; columns beyond `n` are NULL. */
hal_status hal_sql_add_row(hal_sql *q, const hal_cell *cells, size_t n,
                           hal_err *err) HAL_MUST_CHECK;

/** One statement that reads. */
hal_status hal_sql_prepare(hal_sql *q, hal_slice text, hal_err *err) HAL_MUST_CHECK;
/** Gives a parameter its value: a named one (":ra"), or with NULL the next "?". */
hal_status hal_sql_bind(hal_sql *q, const char *name, const hal_cell *value,
                        hal_err *err) HAL_MUST_CHECK;
/** The time that computing rows may take together and the stars that may be looked at; 60 s and
 * 20,000,000 when not said. */
void hal_sql_set_limits(hal_sql *q, double seconds, uint64_t stars);

size_t hal_sql_columns(const hal_sql *q);
/** Borrowed until the next call. All but the name are NULL for an expression. */
typedef struct hal_sql_origin {
    const char *name, *type, *table, *column;
} hal_sql_origin;
hal_sql_origin hal_sql_origin_of(const hal_sql *q, size_t i_col);

/** The next row into cells[hal_sql_columns]; `more` false behind the last. Text is valid until the
 * next call. HAL_E_TIMEOUT when the statement takes too long. */
hal_status hal_sql_next(hal_sql *q, hal_cell *cells, bool *more, hal_err *err) HAL_MUST_CHECK;

#endif
