/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/epoch.h"

#include "base/alloc.h"
#include "data/join.h"
#include "data/types.h"
#include "data/vec.h"

#include <stdio.h>

enum { MJD_OF_1970 = 40587, TIME_TEXT_MAX = 64 };
static const int64_t day_us = INT64_C(86400000000);

/* Whole days and their rest are exact; the sum is rounded once. `fraction` of a microsecond. */
static double mjd_of(int64_t us, double fraction)
{
    int64_t day = us / day_us, rest = us % day_us;
    if (rest < 0) {
        rest += day_us;
        day--;
    }
    return (double)(day + MJD_OF_1970) + ((double)rest + fraction) / (double)day_us;
}

static hal_slice trim(hal_slice text)
{
    for (; text.size_bytes && *text.data == ' '; text.size_bytes--)
        text.data++;
    while (text.size_bytes && text.data[text.size_bytes - 1] == ' ')
        text.size_bytes--;
    return text;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits beyond microseconds, which a timestamp cannot hold, are taken apart. */
static bool read_time(hal_slice text, double *mjd)
{
    char room[TIME_TEXT_MAX];
    double fraction = 0, unit = 0.1;
    if (text.size_bytes >= sizeof room)
        return false;
    const char *point = memchr(text.data, '.', text.size_bytes);
    size_t from = point ? (size_t)(point - text.data) + 7 : text.size_bytes, to = from;
    for (; to < text.size_bytes && is_digit(text.data[to]); to++, unit /= 10)
        fraction += unit * (text.data[to] - '0');
    if (to > from && from > 0 && !is_digit(text.data[from - 1]))
        return false;
    if (to > from) {
        memcpy(room, text.data, from);
        memcpy(room + from, text.data + to, text.size_bytes - to);
        text = (hal_slice){room, from + text.size_bytes - to};
    }
    int64_t us;
    if (!hal_timestamp_read(text, &us))
        return false;
    *mjd = mjd_of(us, fraction);
    return true;
}

static hal_status convert(hal_vec *out, const hal_table *t, size_t i_col, hal_err *err)
{
    const hal_field *field = hal_table_field(t, i_col);
    uint64_t n = hal_table_rows(t);
    hal_status st = hal_vec_set_shape(out, HAL_TYPE_FLOAT64, 1, err);
    if (!st)
        st = hal_vec_grow(out, n, err);
    for (uint64_t row = 0; row < n && !st; row++) {
        double mjd;
        if (hal_table_is_null(t, i_col, row)) {
            st = hal_vec_pad(out, row + 1, err);
            continue;
        }
        if (field->type == HAL_TYPE_TIMESTAMP) {
            mjd = mjd_of(hal_table_int64(t, i_col, row), 0);
        } else {
            hal_slice text = trim(hal_table_string(t, i_col, row));
            if (!text.size_bytes) {
                st = hal_vec_pad(out, row + 1, err);
                continue;
            }
            if (!read_time(text, &mjd))
                return hal_err_set(err, HAL_E_USAGE,
                                   "row %llu of column \"%.60s\": \"%.*s\" is no time; write "
                                   "YYYY-MM-DD or YYYY-MM-DDThh:mm:ss.ffffff",
                                   (unsigned long long)row + 1, field->name,
                                   (int)(text.size_bytes < 40 ? text.size_bytes : 40), text.data);
        }
        st = hal_vec_add_float64(out, mjd, err);
    }
    return st;
}

/* `t` and the column `more`. */
static hal_table *put_beside(const hal_table *t, const hal_table *more, hal_err *err)
{
    size_t n = hal_table_columns(t) + 1;
    const hal_table **tables = hal_calloc(n, sizeof *tables);
    size_t *i_cols = hal_calloc(n, sizeof *i_cols);
    hal_field *fields = hal_calloc(n, sizeof *fields);
    hal_table *out = NULL;
    if (!tables || !i_cols || !fields) {
        hal_err_nomem(err, n * sizeof *fields);
    } else {
        for (size_t i = 0; i < n; i++) {
            bool last = i + 1 == n;
            tables[i] = last ? more : t;
            i_cols[i] = last ? 0 : i;
            fields[i] = *hal_table_field(tables[i], i_cols[i]);
        }
        out = hal_table_assemble(tables, i_cols, fields, n, hal_table_rows(t),
                                 hal_table_metadata(t), err);
    }
    hal_free(tables);
    hal_free(i_cols);
    hal_free(fields);
    return out;
}

hal_table *hal_table_mjd(const hal_table *t, size_t i_col, hal_err *err)
{
    const hal_field *field = hal_table_field(t, i_col);
    if (!hal_field_is_scalar(field) ||
        (field->type != HAL_TYPE_TIMESTAMP && field->type != HAL_TYPE_STRING)) {
        hal_err_set(err, HAL_E_USAGE, "column \"%.60s\" holds %s%s, not times", field->name,
                    hal_field_is_scalar(field) ? "" : "arrays of ", hal_type_name(field->type));
        return NULL;
    }
    size_t n = strlen(field->name) + 16;
    char *texts = hal_malloc(2 * n);
    if (!texts) {
        hal_err_nomem(err, 2 * n);
        return NULL;
    }
    snprintf(texts, n, "%s_mjd", field->name);
    snprintf(texts + n, n, "MJD of %s", field->name);
    hal_table *out = NULL, *column = NULL;
    hal_vec values = {0};
    hal_field made = {.name = texts,
                      .type = HAL_TYPE_FLOAT64,
                      .unit = "d",
                      .ucd = "time.epoch",
                      .description = texts + n,
                      .width = 1,
                      .shape = "",
                      .utype = "",
                      .xtype = "",
                      .id = "",
                      .original_name = "",
                      .null_value = ""};
    bool taken = false;
    for (size_t i = 0; i < hal_table_columns(t); i++)
        taken = taken || !strcmp(hal_table_field(t, i)->name, texts);
    if (taken)
        hal_err_set(err, HAL_E_USAGE, "there is a column \"%.60s\" already; rename it", texts);
    else if (!convert(&values, t, i_col, err) &&
             (column = hal_table_from_vecs(&made, &values, 1, hal_table_rows(t), err)))
        out = put_beside(t, column, err);
    hal_vec_clear(&values);
    hal_table_unref(column);
    hal_free(texts);
    return out;
}
