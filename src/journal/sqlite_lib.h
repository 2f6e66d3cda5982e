/* SPDX-License-Identifier: BSD-3-Clause */
/* SQLite as a table of functions, loaded at first use: a start that keeps no ledger does not pay
 * for it. Only its header is used to build. Private to this folder. */
#ifndef HAL_JOURNAL_SQLITE_LIB_H
#define HAL_JOURNAL_SQLITE_LIB_H

#include "base/status.h"

#include <sqlite3.h>

typedef struct hal_sqlite {
    int (*open)(const char *path, sqlite3 **db, int flags, const char *vfs);
    int (*close)(sqlite3 *db);
    int (*exec)(sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **), void *ctx,
                char **message);
    int (*prepare)(sqlite3 *db, const char *sql, int n, sqlite3_stmt **out, const char **tail);
    int (*step)(sqlite3_stmt *s);
    int (*finalize)(sqlite3_stmt *s);
    int (*bind_text)(sqlite3_stmt *s, int i, const char *text, int n, void (*free)(void *));
    int (*bind_int64)(sqlite3_stmt *s, int i, sqlite3_int64 value);
    int (*bind_double)(sqlite3_stmt *s, int i, double value);
    const unsigned char *(*column_text)(sqlite3_stmt *s, int i);
    sqlite3_int64 (*column_int64)(sqlite3_stmt *s, int i);
    double (*column_double)(sqlite3_stmt *s, int i);
    int (*create_function)(sqlite3 *db, const char *name, int n_args, int flags, void *ctx,
                           void (*call)(sqlite3_context *c, int n, sqlite3_value **values),
                           void (*step)(sqlite3_context *c, int n, sqlite3_value **values),
                           void (*final)(sqlite3_context *c), void (*free)(void *ctx));
    int (*value_type)(sqlite3_value *v);
    sqlite3_int64 (*value_int64)(sqlite3_value *v);
    double (*value_double)(sqlite3_value *v);
    const unsigned char *(*value_text)(sqlite3_value *v);
    void (*result_int64)(sqlite3_context *c, sqlite3_int64 value);
    const char *(*errmsg)(sqlite3 *db);
    int (*errcode)(sqlite3 *db);
} hal_sqlite;

/** NULL and HAL_E_IO naming the package when the library is missing. */
const hal_sqlite *hal_sqlite_load(hal_err *err);

#endif
