/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/pairs.h"

#include "base/alloc.h"
#include "data/join.h"
#include "data/select.h"
#include "data/spool.h"
#include "sky/match.h"

#include <math.h>

enum { MANTISSA_BITS = 52 };

const hal_field hal_pairs_fields[HAL_PAIRS_COLUMNS] = {
    {.name = "input_row",
     .type = HAL_TYPE_INT64,
     .unit = "",
     .ucd = "meta.record",
     .description = "row of the list of targets, from 1"},
    {.name = "sep_arcsec",
     .type = HAL_TYPE_FLOAT64,
     .unit = "arcsec",
     .ucd = "pos.angDistance",
     .description = "distance on the sky of the target and the row"},
};

/* The two columns of the pairs. */
static hal_table *columns_of(const hal_targets *targets, size_t first, const hal_match *m,
                             hal_err *err)
{
    hal_builder *b = hal_builder_new(hal_pairs_fields, HAL_PAIRS_COLUMNS, err);
    hal_status st = b ? HAL_OK : HAL_E_NOMEM;
    for (uint64_t i = 0; i < m->n_pairs && !st; i++) {
        st = hal_builder_int64(b, 0, (int64_t)targets->row[first + m->left[i]] + 1, err);
        if (!st)
            st = hal_builder_float64(b, 1, m->sep_deg[i] * 3600.0, err);
        if (!st)
            st = hal_builder_end_row(b, err);
    }
    hal_table *t = st ? NULL : hal_builder_finish(b, err);
    hal_builder_free(b);
    return t;
}

static uint64_t *keys_of(const hal_targets *targets, size_t first, const hal_match *m, hal_err *err)
{
    int bits = 64;
    for (uint64_t n = targets->n_rows; n; n >>= 1)
        bits--;
    bits = bits < MANTISSA_BITS ? bits : MANTISSA_BITS;
    double most = targets->radius_max_deg > 0.0 ? targets->radius_max_deg : 1.0;
    double steps = ldexp(1.0, bits) - 1.0;
    uint64_t *key = hal_malloc((m->n_pairs + 1) * sizeof *key);
    if (!key) {
        hal_err_nomem(err, (m->n_pairs + 1) * sizeof *key);
        return NULL;
    }
    for (uint64_t i = 0; i < m->n_pairs; i++)
        key[i] = targets->row[first + m->left[i]] << bits |
                 (uint64_t)fmin(steps, m->sep_deg[i] / most * steps);
    return key;
}

hal_table *hal_pairs_new(const hal_targets *targets, const hal_ask *ask, const hal_table *t,
                         const hal_pairs_rows *rows, uint64_t **key, hal_err *err)
{
    size_t first = (size_t)ask->first_target;
    if (ask->first_target > targets->n || ask->n_targets > targets->n - ask->first_target) {
        hal_err_set(err, HAL_E_USAGE, "the ask is of another list of targets");
        return NULL;
    }
    hal_match_side left = {.n_rows = ask->n_targets,
                           .ra_deg = targets->ra_deg + first,
                           .dec_deg = targets->dec_deg + first,
                           .radius_deg = targets->radius_deg + first};
    hal_match_side right = {.n_rows = rows->n, .ra_deg = rows->ra_deg, .dec_deg = rows->dec_deg};
    hal_match m = {0};
    if (hal_match_run(&m, &left, &right, &(hal_match_options){.mode = HAL_MATCH_ALL}, err))
        return NULL;
    hal_table *pairs = NULL, *columns = columns_of(targets, first, &m, err);
    *key = columns ? keys_of(targets, first, &m, err) : NULL;
    for (uint64_t i = 0; i < m.n_pairs; i++)
        m.right[i] = rows->index[m.right[i]];
    hal_table *taken = *key ? hal_table_take(t, m.right, m.n_pairs, err) : NULL;
    if (taken)
        pairs = hal_table_pair(taken, columns, NULL, 0, "_2", err);
    if (!pairs) {
        hal_free(*key);
        *key = NULL;
    }
    hal_table_unref(taken);
    hal_table_unref(columns);
    hal_match_clear(&m);
    return pairs;
}

typedef struct found_list {
    unsigned char *found;
    size_t n;
} found_list;

static hal_status note_found(void *ctx, const hal_table *block, hal_err *err)
{
    found_list *list = ctx;
    size_t i_col = hal_table_columns(block) - HAL_PAIRS_COLUMNS; /* they come last */
    const int64_t *row = hal_table_column(block, i_col).values;
    for (uint64_t i = 0; i < hal_table_rows(block); i++) {
        if (row[i] < 1 || (uint64_t)row[i] > list->n)
            return hal_err_set(err, HAL_E_INTEGRITY, "an intermediate file has a pair of row %lld",
                               (long long)row[i]);
        list->found[row[i] - 1] = 1;
    }
    return HAL_OK;
}

hal_status hal_pairs_found(const hal_sheaf *sheaf, unsigned char *found, size_t n_rows,
                           hal_err *err)
{
    found_list list = {found, n_rows};
    hal_status st = HAL_OK;
    for (size_t i = 0; i < sheaf->n && !st; i++)
        st = hal_spool_read(sheaf->paths[i], note_found, &list, err);
    return st;
}
