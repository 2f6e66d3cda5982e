/* SPDX-License-Identifier: BSD-3-Clause */
/* The catalogues as tables of an SQLite connection. A table reads only what the statement's
 * conditions leave of it: circle, ranges, identifiers. Private to sql.c. */
#ifndef HAL_PRACTICE_SQL_TABLE_H
#define HAL_PRACTICE_SQL_TABLE_H

#include "practice/rows.h"

#include <sqlite3.h>

typedef struct hal_sql_tables {
    hal_sky *sky;
    uint64_t budget; /* stars that the statement may still look at */
    bool exhausted;  /* it wanted more */
    bool declares;   /* a table is being declared */
} hal_sql_tables;

/** Registers all catalogues; `t` must outlive the connection. Returns SQLite's code. */
int hal_sql_tables_register(sqlite3 *db, hal_sql_tables *t);

#endif
