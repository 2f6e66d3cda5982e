/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/group.h"

#include "base/alloc.h"
#include "data/cell.h"
#include "data/join.h"

#include <math.h>
#include <string.h>

static const char *const names[] = {
    [HAL_AGGREGATE_ROWS] = "count", [HAL_AGGREGATE_COUNT] = "count", [HAL_AGGREGATE_SUM] = "sum",
    [HAL_AGGREGATE_MEAN] = "mean",  [HAL_AGGREGATE_STD] = "std",     [HAL_AGGREGATE_MIN] = "min",
    [HAL_AGGREGATE_MAX] = "max",    [HAL_AGGREGATE_FIRST] = "first", [HAL_AGGREGATE_LAST] = "last"};

hal_status hal_aggregate_from_name(hal_aggregate *out, const char *name, hal_err *err)
{
    for (size_t i = HAL_AGGREGATE_COUNT; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i])) {
            *out = (hal_aggregate)i;
            return HAL_OK;
        }
    return hal_err_set(err, HAL_E_USAGE,
                       "there is no measure \"%.40s\"; known: count, sum, mean, std, min, max, "
                       "first, last",
                       name);
}

/* --- Which group a row is of --------------------------------------------------------------------
 */

typedef struct groups {
    uint64_t n;
    uint64_t *of;    /* of each row */
    uint64_t *first; /* row of each group */
} groups;

static void groups_clear(groups *g)
{
    hal_free(g->of);
    hal_free(g->first);
}

static uint64_t hash_row(const hal_table *t, const size_t *keys, size_t n_keys, uint64_t row)
{
    uint64_t h = 0;
    for (size_t k = 0; k < n_keys; k++)
        h = h * UINT64_C(0x9e3779b97f4a7c15) +
            (hal_table_is_null(t, keys[k], row) ? 0x5bd1e995 : hal_cell_hash(t, keys[k], row));
    return h ^ (h >> 32);
}

static bool same_key(const hal_table *t, const size_t *keys, size_t n_keys, uint64_t a, uint64_t b)
{
    for (size_t k = 0; k < n_keys; k++) {
        bool null = hal_table_is_null(t, keys[k], a);
        if (null != hal_table_is_null(t, keys[k], b) ||
            (!null && !hal_cells_equal(t, keys[k], a, t, keys[k], b)))
            return false;
    }
    return true;
}

/* `what` is asked for them, for a message. */
static hal_status find_groups(groups *g, const hal_table *t, const size_t *keys, size_t n_keys,
                              const char *what, hal_err *err)
{
    for (size_t k = 0; k < n_keys; k++) {
        hal_status st = hal_column_require_plain(t, keys[k], what, err);
        if (st)
            return st;
    }
    uint64_t n = hal_table_rows(t), n_slots = 16;
    while (n_slots < n + n / 2)
        n_slots *= 2;
    g->of = hal_malloc((n + 1) * sizeof *g->of);
    g->first = hal_malloc((n + 1) * sizeof *g->first);
    uint64_t *slots = hal_calloc(n_slots, sizeof *slots); /* group + 1 */
    if (!g->of || !g->first || !slots) {
        hal_free(slots);
        return hal_err_nomem(err, n_slots * sizeof *slots);
    }
    for (uint64_t row = 0; row < n; row++) {
        uint64_t s = hash_row(t, keys, n_keys, row) & (n_slots - 1);
        while (slots[s] && !same_key(t, keys, n_keys, g->first[slots[s] - 1], row))
            s = (s + 1) & (n_slots - 1);
        if (!slots[s]) {
            g->first[g->n++] = row;
            slots[s] = g->n;
        }
        g->of[row] = slots[s] - 1;
    }
    hal_free(slots);
    return HAL_OK;
}

hal_status hal_table_first_rows(const hal_table *t, const size_t *keys, size_t n_keys,
                                uint64_t **rows, uint64_t *n_rows, hal_err *err)
{
    groups g = {0};
    hal_status st = find_groups(&g, t, keys, n_keys, "unique", err);
    if (!st) {
        *rows = g.first;
        *n_rows = g.n;
        g.first = NULL;
    }
    groups_clear(&g);
    return st;
}

/* --- Measures -----------------------------------------------------------------------------------
 */

/* What a group has seen of a column. */
typedef struct tally {
    uint64_t n;
    int64_t sum_int;
    double sum, rest; /* compensated */
    double mean, m2;  /* Welford */
    uint64_t row;     /* of the minimum, maximum, first or last; HAL_NO_ROW */
} tally;

static void add_double(tally *g, double v)
{
    double sum = g->sum + v;
    if (isfinite(sum))
        g->rest += fabs(g->sum) >= fabs(v) ? (g->sum - sum) + v : (v - sum) + g->sum;
    g->sum = sum;
}

static hal_status add_value(tally *g, const hal_table *t, const hal_measure *m, hal_kind kind,
                            uint64_t row, hal_err *err)
{
    g->n++;
    switch (m->aggregate) {
    case HAL_AGGREGATE_SUM:
        if (kind == HAL_KIND_FLOAT)
            add_double(g, hal_cell_float(t, m->i_col, row));
        else if (__builtin_add_overflow(g->sum_int, hal_cell_int(t, m->i_col, row), &g->sum_int))
            return hal_err_set(err, HAL_E_USAGE,
                               "group: the sum of \"%s\" is beyond 64 bits; use mean",
                               hal_table_field(t, m->i_col)->name);
        break;
    case HAL_AGGREGATE_MEAN:
        add_double(g, hal_cell_float(t, m->i_col, row));
        break;
    case HAL_AGGREGATE_STD: {
        double v = hal_cell_float(t, m->i_col, row), d = v - g->mean;
        g->mean += d / (double)g->n;
        g->m2 += d * (v - g->mean);
        break;
    }
    case HAL_AGGREGATE_MIN:
    case HAL_AGGREGATE_MAX:
        if (kind == HAL_KIND_FLOAT && isnan(hal_cell_float(t, m->i_col, row)))
            break;
        if (g->row != HAL_NO_ROW) {
            int d = hal_cell_compare(t, m->i_col, row, g->row);
            if (m->aggregate == HAL_AGGREGATE_MIN ? d >= 0 : d <= 0)
                break;
        }
        g->row = row;
        break;
    case HAL_AGGREGATE_FIRST:
        if (g->row == HAL_NO_ROW)
            g->row = row;
        break;
    case HAL_AGGREGATE_LAST:
        g->row = row;
        break;
    case HAL_AGGREGATE_ROWS:
    case HAL_AGGREGATE_COUNT:
        break;
    }
    return HAL_OK;
}

static bool is_row_measure(hal_aggregate a)
{
    return a >= HAL_AGGREGATE_MIN;
}

static hal_type result_type(hal_aggregate a, hal_kind kind)
{
    if (a <= HAL_AGGREGATE_COUNT || (a == HAL_AGGREGATE_SUM && kind != HAL_KIND_FLOAT))
        return HAL_TYPE_INT64;
    return HAL_TYPE_FLOAT64;
}

static hal_status put(hal_builder *b, const tally *g, hal_aggregate a, hal_type type, hal_err *err)
{
    hal_status st = HAL_OK;
    if (a <= HAL_AGGREGATE_COUNT)
        st = hal_builder_int64(b, 0, (int64_t)g->n, err);
    else if (g->n > (a == HAL_AGGREGATE_STD) && type == HAL_TYPE_INT64)
        st = hal_builder_int64(b, 0, g->sum_int, err);
    else if (g->n > (a == HAL_AGGREGATE_STD))
        st = hal_builder_float64(b, 0,
                                 a == HAL_AGGREGATE_SUM    ? g->sum + g->rest
                                 : a == HAL_AGGREGATE_MEAN ? (g->sum + g->rest) / (double)g->n
                                                           : sqrt(g->m2 / (double)(g->n - 1)),
                                 err);
    return st ? st : hal_builder_end_row(b, err);
}

static hal_table *number_column(const tally *tallies, uint64_t n, const hal_measure *m,
                                hal_kind kind, const char *unit, hal_err *err)
{
    hal_field field = {.name = m->name,
                       .type = result_type(m->aggregate, kind),
                       .unit = m->aggregate <= HAL_AGGREGATE_COUNT ? "" : unit,
                       .ucd = "",
                       .description = ""};
    hal_builder *b = hal_builder_new(&field, 1, err);
    hal_table *column = NULL;
    hal_status st = b ? HAL_OK : HAL_E_NOMEM;
    for (uint64_t i = 0; i < n && !st; i++)
        st = put(b, &tallies[i], m->aggregate, field.type, err);
    if (!st)
        column = hal_builder_finish(b, err);
    hal_builder_free(b);
    return column;
}

static hal_table *row_column(const hal_table *t, tally *tallies, uint64_t n, const hal_measure *m,
                             hal_err *err)
{
    uint64_t *rows = hal_malloc((n + 1) * sizeof *rows);
    if (!rows) {
        hal_err_nomem(err, (n + 1) * sizeof *rows);
        return NULL;
    }
    for (uint64_t i = 0; i < n; i++)
        rows[i] = tallies[i].row;
    hal_table *one = hal_table_project(t, &m->i_col, 1, err), *column = NULL;
    if (one)
        column = hal_table_take_or_null(one, rows, n, err);
    hal_table_unref(one);
    hal_free(rows);
    return column;
}

static hal_status check_measure(const hal_table *t, const hal_measure *m, hal_err *err)
{
    if (m->aggregate == HAL_AGGREGATE_ROWS)
        return HAL_OK;
    const hal_field *f = hal_table_field(t, m->i_col);
    hal_kind kind = hal_column_kind(t, m->i_col);
    bool sums = m->aggregate == HAL_AGGREGATE_SUM || m->aggregate == HAL_AGGREGATE_MEAN ||
                m->aggregate == HAL_AGGREGATE_STD;
    if (sums && (kind == HAL_KIND_TEXT || kind == HAL_KIND_OTHER))
        return hal_err_set(err, HAL_E_USAGE, "group: %s of column \"%s\", which is not numeric",
                           names[m->aggregate], f->name);
    if (m->aggregate == HAL_AGGREGATE_SUM && f->type == HAL_TYPE_TIMESTAMP)
        return hal_err_set(err, HAL_E_USAGE, "group: sum of times \"%s\"; mean, min and max exist",
                           f->name);
    if (m->aggregate == HAL_AGGREGATE_MIN || m->aggregate == HAL_AGGREGATE_MAX)
        return hal_column_require_plain(t, m->i_col, "group", err);
    return HAL_OK;
}

/* One column with a row for each group. */
static hal_table *measure(const hal_table *t, const groups *g, const hal_measure *m, hal_err *err)
{
    if (check_measure(t, m, err))
        return NULL;
    tally *tallies = hal_calloc(g->n + 1, sizeof *tallies);
    if (!tallies) {
        hal_err_nomem(err, (g->n + 1) * sizeof *tallies);
        return NULL;
    }
    for (uint64_t i = 0; i < g->n; i++)
        tallies[i].row = HAL_NO_ROW;
    bool whole = m->aggregate == HAL_AGGREGATE_ROWS;
    hal_kind kind = whole ? HAL_KIND_INT : hal_column_kind(t, m->i_col);
    hal_status st = HAL_OK;
    for (uint64_t row = 0; row < hal_table_rows(t) && !st; row++) {
        if (whole)
            tallies[g->of[row]].n++;
        else if (!hal_table_is_null(t, m->i_col, row))
            st = add_value(&tallies[g->of[row]], t, m, kind, row, err);
    }
    hal_table *column = NULL;
    if (!st && is_row_measure(m->aggregate))
        column = row_column(t, tallies, g->n, m, err);
    else if (!st)
        column = number_column(tallies, g->n, m, kind,
                               whole ? "" : hal_table_field(t, m->i_col)->unit, err);
    hal_free(tallies);
    return column;
}

static hal_status check_names(const hal_field *fields, size_t n, hal_err *err)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (!strcmp(fields[i].name, fields[k].name))
                return hal_err_set(err, HAL_E_USAGE,
                                   "group: two columns would be named \"%s\"; choose another name",
                                   fields[i].name);
    return HAL_OK;
}

hal_table *hal_table_group(const hal_table *t, const size_t *keys, size_t n_keys,
                           const hal_measure *measures, size_t n_measures, hal_err *err)
{
    size_t n = n_keys + n_measures;
    groups g = {0};
    hal_table *key_columns = NULL, *taken = NULL, *result = NULL;
    hal_table **made = hal_calloc(n + 1, sizeof *made);
    const hal_table **tables = hal_calloc(n + 1, sizeof *tables);
    size_t *i_cols = hal_calloc(n + 1, sizeof *i_cols);
    hal_field *fields = hal_calloc(n + 1, sizeof *fields);
    if (!made || !tables || !i_cols || !fields) {
        hal_err_nomem(err, n * sizeof *fields);
        goto out;
    }
    if (find_groups(&g, t, keys, n_keys, "group", err))
        goto out;
    key_columns = hal_table_project(t, keys, n_keys, err);
    if (!key_columns)
        goto out;
    taken = hal_table_take(key_columns, g.first, g.n, err);
    if (!taken)
        goto out;
    for (size_t k = 0; k < n_keys; k++) {
        tables[k] = taken;
        i_cols[k] = k;
        fields[k] = *hal_table_field(taken, k);
    }
    for (size_t m = 0; m < n_measures; m++) {
        if (!(made[m] = measure(t, &g, &measures[m], err)))
            goto out;
        tables[n_keys + m] = made[m];
        fields[n_keys + m] = *hal_table_field(made[m], 0);
        fields[n_keys + m].name = measures[m].name;
    }
    if (!check_names(fields, n, err))
        result = hal_table_assemble(tables, i_cols, fields, n, g.n, NULL, err);
out:
    for (size_t m = 0; made && m < n_measures; m++)
        hal_table_unref(made[m]);
    hal_table_unref(key_columns);
    hal_table_unref(taken);
    hal_free(made);
    hal_free(tables);
    hal_free(i_cols);
    hal_free(fields);
    groups_clear(&g);
    return result;
}
