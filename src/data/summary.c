/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/summary.h"

#include "base/alloc.h"
#include "data/cell.h"

#include <math.h>
#include <string.h>

void hal_summary_clear(hal_summary *s)
{
    hal_free(s->min.text);
    hal_free(s->max.text);
    *s = (hal_summary){0};
}

double hal_summary_mean(const hal_summary *s)
{
    return s->n_summed ? (s->sum + s->rest) / (double)s->n_summed : (double)NAN;
}

static void add_to_sum(hal_summary *s, double v)
{
    double sum = s->sum + v;
    if (isfinite(sum))
        s->rest += fabs(s->sum) >= fabs(v) ? (s->sum - sum) + v : (v - sum) + s->sum;
    s->sum = sum;
    s->n_summed++;
}

static hal_status set(hal_extreme *e, const hal_table *t, size_t i_col, uint64_t row, hal_err *err)
{
    hal_extreme made = {0};
    hal_slice text;
    switch (hal_field_kind(hal_table_field(t, i_col))) {
    case HAL_KIND_BOOL:
        made.kind = HAL_EXTREME_BOOL;
        made.i = hal_cell_int(t, i_col, row);
        break;
    case HAL_KIND_INT:
        made.kind = HAL_EXTREME_INT;
        made.i = hal_cell_int(t, i_col, row);
        break;
    case HAL_KIND_FLOAT:
        made.kind = HAL_EXTREME_FLOAT;
        made.d = hal_cell_float(t, i_col, row);
        break;
    case HAL_KIND_TEXT:
        text = hal_table_string(t, i_col, row);
        made.kind = HAL_EXTREME_TEXT;
        made.size_bytes = text.size_bytes;
        if (!(made.text = hal_strndup(text.data, text.size_bytes)))
            return hal_err_nomem(err, text.size_bytes);
        break;
    case HAL_KIND_OTHER:
    case HAL_KIND_UNKNOWN:
        break;
    }
    hal_free(e->text);
    *e = made;
    return HAL_OK;
}

static double as_double(const hal_extreme *e)
{
    return e->kind == HAL_EXTREME_FLOAT ? e->d : (double)e->i;
}

/* Sign of a - b; a column whose type widened from one table to the next compares as numbers, and
 * text comes after them. */
static int compare(const hal_extreme *a, const hal_extreme *b)
{
    bool a_text = a->kind == HAL_EXTREME_TEXT, b_text = b->kind == HAL_EXTREME_TEXT;
    if (a_text && b_text) {
        size_t n = a->size_bytes < b->size_bytes ? a->size_bytes : b->size_bytes;
        int d = memcmp(a->text, b->text, n);
        return d ? d : (a->size_bytes > b->size_bytes) - (a->size_bytes < b->size_bytes);
    }
    if (a_text != b_text)
        return a_text - b_text;
    if (a->kind != HAL_EXTREME_FLOAT && b->kind != HAL_EXTREME_FLOAT)
        return (a->i > b->i) - (a->i < b->i);
    double x = as_double(a), y = as_double(b);
    return (x > y) - (x < y);
}

static hal_status offer(hal_extreme *e, int sign, const hal_table *t, size_t i_col, uint64_t row,
                        hal_err *err)
{
    hal_extreme cell = {0};
    if (e->kind == HAL_EXTREME_NONE)
        return set(e, t, i_col, row, err);
    hal_status st = set(&cell, t, i_col, row, err);
    if (!st && compare(&cell, e) * sign > 0) {
        hal_extreme swap = *e;
        *e = cell;
        cell = swap;
    }
    hal_free(cell.text);
    return st;
}

hal_status hal_summary_add(hal_summary *s, const hal_table *t, size_t i_col, hal_err *err)
{
    hal_kind kind = hal_field_kind(hal_table_field(t, i_col));
    uint64_t n = hal_table_rows(t), least = UINT64_MAX, most = UINT64_MAX;
    s->n_rows += n;
    for (uint64_t row = 0; row < n; row++) {
        if (hal_table_is_null(t, i_col, row)) {
            s->n_nulls++;
            continue;
        }
        if (kind == HAL_KIND_OTHER)
            continue;
        if (kind == HAL_KIND_INT || kind == HAL_KIND_FLOAT) {
            double v = hal_cell_float(t, i_col, row);
            if (isnan(v)) {
                s->n_nan++;
                continue;
            }
            add_to_sum(s, v);
        }
        if (least == UINT64_MAX || hal_cell_compare(t, i_col, row, least) < 0)
            least = row;
        if (most == UINT64_MAX || hal_cell_compare(t, i_col, row, most) > 0)
            most = row;
    }
    hal_status st = HAL_OK;
    if (least != UINT64_MAX)
        st = offer(&s->min, -1, t, i_col, least, err);
    if (!st && most != UINT64_MAX)
        st = offer(&s->max, 1, t, i_col, most, err);
    return st;
}
