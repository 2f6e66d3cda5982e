/* SPDX-License-Identifier: BSD-3-Clause */
#include "journal/sqlite_lib.h"

#include "base/library.h"

#include <pthread.h>

static hal_sqlite sqlite;
static char why[256];

static void load(void)
{
    const hal_symbol symbols[] = {
        {"sqlite3_open_v2", &sqlite.open},
        {"sqlite3_close", &sqlite.close},
        {"sqlite3_exec", &sqlite.exec},
        {"sqlite3_prepare_v2", &sqlite.prepare},
        {"sqlite3_step", &sqlite.step},
        {"sqlite3_finalize", &sqlite.finalize},
        {"sqlite3_bind_text", &sqlite.bind_text},
        {"sqlite3_bind_int64", &sqlite.bind_int64},
        {"sqlite3_bind_double", &sqlite.bind_double},
        {"sqlite3_column_text", &sqlite.column_text},
        {"sqlite3_column_int64", &sqlite.column_int64},
        {"sqlite3_column_double", &sqlite.column_double},
        {"sqlite3_create_function_v2", &sqlite.create_function},
        {"sqlite3_value_type", &sqlite.value_type},
        {"sqlite3_value_int64", &sqlite.value_int64},
        {"sqlite3_value_double", &sqlite.value_double},
        {"sqlite3_value_text", &sqlite.value_text},
        {"sqlite3_result_int64", &sqlite.result_int64},
        {"sqlite3_errmsg", &sqlite.errmsg},
        {"sqlite3_errcode", &sqlite.errcode},
        {0},
    };
    hal_library_load("libsqlite3.so.0", symbols, why, sizeof why);
}

const hal_sqlite *hal_sqlite_load(hal_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    if (!why[0])
        return &sqlite;
    hal_err_set(err, HAL_E_IO, "the SQLite library is missing: %s; install package libsqlite3-0",
                why);
    return NULL;
}
