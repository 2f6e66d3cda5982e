/* SPDX-License-Identifier: BSD-3-Clause */
#include "practice/sql_number.h"

#include "base/number.h"

#include <ctype.h>
#include <math.h>

static void exact_number(sqlite3_context *out, int n, sqlite3_value **v)
{
    (void)n;
    double x = NAN;
    const char *text = (const char *)sqlite3_value_text(v[0]);
    hal_number_take_double(hal_slice_of(text), &x);
    sqlite3_result_double(out, x);
}

int hal_sql_number_register(sqlite3 *db)
{
    return sqlite3_create_function_v2(db, "exact_number", 1,
                                      SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL,
                                      exact_number, NULL, NULL, NULL);
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* The end of what begins at `p` and is no number: a word, a quoted text, a comment or one byte. */
static const char *skip(const char *p, const char *end)
{
    if (is_word(*p)) {
        while (p < end && is_word(*p))
            p++;
        return p;
    }
    char close = *p == '[' ? ']' : *p == '\'' || *p == '"' || *p == '`' ? *p : 0;
    if (close) { /* a doubled quote is two texts that touch: the same to us */
        p++;
        while (p < end && *p != close)
            p++;
        return p < end ? p + 1 : end;
    }
    if (end - p > 1 && p[0] == '-' && p[1] == '-') {
        while (p < end && *p != '\n')
            p++;
        return p;
    }
    if (end - p > 1 && p[0] == '/' && p[1] == '*') {
        for (p += 3; p < end; p++)
            if (p[-1] == '*' && *p == '/')
                return p + 1;
        return end;
    }
    return p + 1;
}

/* The end of the decimal number with fraction or exponent at `p`; `p` when there is none. */
static const char *decimal_end(const char *p, const char *end)
{
    const char *start = p;
    bool point = false, exponent = false, digits = false;
    for (; p < end; p++) {
        if (*p >= '0' && *p <= '9') {
            digits = true;
        } else if (*p == '.' && !point) {
            point = true;
        } else {
            break;
        }
    }
    if (digits && p < end && (*p == 'e' || *p == 'E')) {
        const char *e = p + 1;
        if (e < end && (*e == '+' || *e == '-'))
            e++;
        exponent = e < end && *e >= '0' && *e <= '9';
        while (exponent && e < end && *e >= '0' && *e <= '9')
            e++;
        p = exponent ? e : p;
    }
    bool whole = !(p < end && is_word(*p)); /* 1.5x is SQLite's error to report */
    return digits && (point || exponent) && whole ? p : start;
}

static hal_status is_right(sqlite3 *db, sqlite3_stmt **cast, hal_slice text, bool *right,
                           hal_err *err)
{
    double want;
    *right = true;
    if (!hal_number_take_double(text, &want))
        return HAL_OK; /* out of the range of a double */
    if (!*cast && sqlite3_prepare_v2(db, "SELECT CAST(? AS REAL)", -1, cast, NULL))
        return hal_err_nomem(err, 0);
    sqlite3_reset(*cast);
    sqlite3_bind_text(*cast, 1, text.data, (int)text.size_bytes, SQLITE_STATIC);
    if (sqlite3_step(*cast) != SQLITE_ROW)
        return hal_err_nomem(err, 0);
    *right = sqlite3_column_double(*cast, 0) == want;
    return HAL_OK;
}

hal_status hal_sql_number_correct(sqlite3 *db, hal_slice text, hal_buf *out, hal_err *err)
{
    const char *p = text.data, *end = p + text.size_bytes;
    sqlite3_stmt *cast = NULL;
    hal_status st = HAL_OK;
    while (p < end && !st) {
        const char *next = *p == '.' || (*p >= '0' && *p <= '9') ? decimal_end(p, end) : p;
        bool right = true;
        if (next > p)
            st = is_right(db, &cast, (hal_slice){p, (size_t)(next - p)}, &right, err);
        else
            next = skip(p, end);
        if (!st)
            st = right ? hal_buf_append(out, p, (size_t)(next - p), err)
                       : hal_buf_printf(out, err, "exact_number('%.*s')", (int)(next - p), p);
        p = next;
    }
    sqlite3_finalize(cast);
    return st;
}
