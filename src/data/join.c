/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/join.h"

#include "base/alloc.h"
#include "data/cell.h"
#include "data/vec.h"

#include <stdio.h>
#include <string.h>

hal_table *hal_table_take_or_null(const hal_table *t, const uint64_t *index, uint64_t n,
                                  hal_err *err)
{
    size_t n_columns = hal_table_columns(t);
    hal_vec *vecs = hal_calloc(n_columns + 1, sizeof *vecs);
    hal_field *fields = hal_calloc(n_columns + 1, sizeof *fields);
    hal_table *taken = NULL;
    hal_metadata metadata = {0};
    hal_status st = HAL_OK;
    if (!vecs || !fields)
        st = hal_err_nomem(err, (n_columns + 1) * sizeof *fields);
    for (size_t c = 0; c < n_columns && !st; c++) {
        hal_column column = hal_table_column(t, c);
        fields[c] = *hal_table_field(t, c);
        st = hal_vec_set_shape(&vecs[c], fields[c].type, fields[c].width, err);
        if (!st)
            st = hal_vec_grow(&vecs[c], n, err);
        for (uint64_t i = 0; i < n && !st;) {
            bool none = index[i] == HAL_NO_ROW;
            uint64_t run = 1; /* rows that follow each other are copied together */
            while (i + run < n && index[i + run] == (none ? HAL_NO_ROW : index[i] + run))
                run++;
            st = none ? hal_vec_pad(&vecs[c], vecs[c].n_rows + run, err)
                      : hal_vec_append(&vecs[c], &column, index[i], run, err);
            i += run;
        }
    }
    if (!st)
        st = hal_metadata_copy(&metadata, hal_table_metadata(t), err);
    if (!st)
        taken = hal_table_from_parts(fields, vecs, n_columns, n, &metadata, err);
    hal_metadata_clear(&metadata);
    for (size_t c = 0; vecs && c < n_columns; c++)
        hal_vec_clear(&vecs[c]);
    hal_free(vecs);
    hal_free(fields);
    return taken;
}

/* --- Side by side -------------------------------------------------------------------------------
 */

static bool is_among(const size_t *list, size_t n, size_t value)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == value)
            return true;
    return false;
}

static bool is_taken(const hal_field *fields, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(fields[i].name, name))
            return true;
    return false;
}

/* `name` with as many suffixes as it takes; NULL when out of memory. */
static char *free_name(const hal_field *fields, size_t n, const char *name, const char *suffix)
{
    char *text = hal_strdup(name);
    while (text && is_taken(fields, n, text)) {
        size_t size = strlen(text) + strlen(suffix) + 1;
        char *longer = hal_malloc(size);
        if (longer)
            snprintf(longer, size, "%s%s", text, suffix);
        hal_free(text);
        text = longer;
    }
    return text;
}

hal_table *hal_table_pair(const hal_table *left, const hal_table *right, const size_t *without,
                          size_t n_without, const char *suffix, hal_err *err)
{
    size_t n_left = hal_table_columns(left), n_right = hal_table_columns(right), n = 0, n_names = 0;
    size_t most = n_left + n_right + 1;
    const hal_table **tables = hal_calloc(most, sizeof *tables);
    size_t *i_cols = hal_calloc(most, sizeof *i_cols);
    hal_field *fields = hal_calloc(most, sizeof *fields);
    char **names = hal_calloc(most, sizeof *names);
    hal_table *both = NULL;
    if (!suffix || !*suffix)
        suffix = "_2";
    if (!tables || !i_cols || !fields || !names) {
        hal_err_nomem(err, most * sizeof *fields);
        goto out;
    }
    for (; n < n_left; n++) {
        tables[n] = left;
        i_cols[n] = n;
        fields[n] = *hal_table_field(left, n);
    }
    for (size_t c = 0; c < n_right; c++) {
        if (is_among(without, n_without, c))
            continue;
        tables[n] = right;
        i_cols[n] = c;
        fields[n] = *hal_table_field(right, c);
        if (is_taken(fields, n, fields[n].name)) {
            char *name = free_name(fields, n, fields[n].name, suffix);
            if (!name) {
                hal_err_nomem(err, strlen(fields[n].name));
                goto out;
            }
            fields[n].name = names[n_names++] = name;
        }
        for (size_t k = 0; k < n; k++)
            if (!strcmp(fields[k].id, fields[n].id))
                fields[n].id = "";
        n++;
    }
    both = hal_table_assemble(tables, i_cols, fields, n, hal_table_rows(left),
                              hal_table_metadata(left), err);
out:
    for (size_t i = 0; i < n_names; i++)
        hal_free(names[i]);
    hal_free(names);
    hal_free(tables);
    hal_free(i_cols);
    hal_free(fields);
    return both;
}

/* --- By equal keys ------------------------------------------------------------------------------
 */

/* The right rows by key: chains of rows of one slot, in their order. */
typedef struct index {
    uint64_t n_slots;
    uint64_t *heads, *next; /* row + 1; 0: none */
} index;

typedef struct pairs {
    uint64_t n, capacity, most;
    uint64_t *left, *right;
} pairs;

static bool has_null(const hal_table *t, const size_t *keys, size_t n_keys, uint64_t row)
{
    for (size_t k = 0; k < n_keys; k++)
        if (hal_table_is_null(t, keys[k], row))
            return true;
    return false;
}

static uint64_t hash_row(const hal_table *t, const size_t *keys, size_t n_keys, uint64_t row)
{
    uint64_t h = 0;
    for (size_t k = 0; k < n_keys; k++)
        h = h * UINT64_C(0x9e3779b97f4a7c15) + hal_cell_hash(t, keys[k], row);
    return h ^ (h >> 32);
}

static hal_status index_build(index *x, const hal_table *t, const size_t *keys, size_t n_keys,
                              hal_err *err)
{
    uint64_t n = hal_table_rows(t);
    x->n_slots = 16;
    while (x->n_slots < n + n / 2)
        x->n_slots *= 2;
    x->heads = hal_calloc(x->n_slots, sizeof *x->heads);
    x->next = hal_calloc(n + 1, sizeof *x->next);
    if (!x->heads || !x->next)
        return hal_err_nomem(err, x->n_slots * sizeof *x->heads);
    for (uint64_t row = n; row-- > 0;) { /* backwards: a chain is in rising order */
        if (has_null(t, keys, n_keys, row))
            continue;
        uint64_t *head = &x->heads[hash_row(t, keys, n_keys, row) & (x->n_slots - 1)];
        x->next[row] = *head;
        *head = row + 1;
    }
    return HAL_OK;
}

static hal_status pairs_add(pairs *p, uint64_t left, uint64_t right, hal_err *err)
{
    if (p->n == p->most)
        return hal_err_set(err, HAL_E_BUDGET,
                           "the join has more than %llu rows: the key repeats on both sides; join "
                           "by a key that is unique on one side",
                           (unsigned long long)p->most);
    if (p->n == p->capacity) {
        uint64_t capacity = p->capacity ? 2 * p->capacity : 1024;
        uint64_t *l = hal_realloc(p->left, capacity * sizeof *l);
        if (l)
            p->left = l;
        uint64_t *r = l ? hal_realloc(p->right, capacity * sizeof *r) : NULL;
        if (!r)
            return hal_err_nomem(err, capacity * sizeof *r);
        p->right = r;
        p->capacity = capacity;
    }
    p->left[p->n] = left;
    p->right[p->n++] = right;
    return HAL_OK;
}

static hal_status find_pairs(pairs *p, const index *x, const hal_table *left,
                             const hal_table *right, const hal_join *join, hal_err *err)
{
    for (uint64_t row = 0; row < hal_table_rows(left); row++) {
        bool found = false;
        uint64_t at = 0;
        if (!has_null(left, join->left, join->n_keys, row))
            at = x->heads[hash_row(left, join->left, join->n_keys, row) & (x->n_slots - 1)];
        for (; at; at = x->next[at - 1]) {
            bool equal = true;
            for (size_t k = 0; k < join->n_keys && equal; k++)
                equal = hal_cells_equal(left, join->left[k], row, right, join->right[k], at - 1);
            if (!equal)
                continue;
            found = true;
            hal_status st = pairs_add(p, row, at - 1, err);
            if (st)
                return st;
        }
        hal_status st = !found && join->keep_left ? pairs_add(p, row, HAL_NO_ROW, err) : HAL_OK;
        if (st)
            return st;
    }
    return HAL_OK;
}

static hal_status check_keys(const hal_table *left, const hal_table *right, const hal_join *join,
                             hal_err *err)
{
    for (size_t k = 0; k < join->n_keys; k++) {
        const hal_field *a = hal_table_field(left, join->left[k]);
        const hal_field *b = hal_table_field(right, join->right[k]);
        hal_status st = hal_column_require_plain(left, join->left[k], "join", err);
        if (!st)
            st = hal_column_require_plain(right, join->right[k], "join", err);
        if (st)
            return st;
        if (!hal_kinds_comparable(hal_column_kind(left, join->left[k]),
                                  hal_column_kind(right, join->right[k])))
            return hal_err_set(err, HAL_E_USAGE,
                               "join: column \"%s\" on the left and \"%s\" on the right are of "
                               "types that are never equal; choose keys of like type",
                               a->name, b->name);
    }
    return HAL_OK;
}

hal_table *hal_table_join(const hal_table *left, const hal_table *right, const hal_join *join,
                          hal_err *err)
{
    if (check_keys(left, right, join, err))
        return NULL;
    hal_table *l = NULL, *r = NULL, *both = NULL;
    index x = {0};
    pairs p = {.most = join->rows_max ? join->rows_max : UINT64_C(1) << 32};
    size_t *without = hal_calloc(join->n_keys, sizeof *without), n_without = 0;
    if (!without) {
        hal_err_nomem(err, join->n_keys * sizeof *without);
        return NULL;
    }
    for (size_t k = 0; k < join->n_keys; k++)
        if (!strcmp(hal_table_field(left, join->left[k])->name,
                    hal_table_field(right, join->right[k])->name))
            without[n_without++] = join->right[k];
    hal_status st = index_build(&x, right, join->right, join->n_keys, err);
    if (!st)
        st = find_pairs(&p, &x, left, right, join, err);
    hal_free(x.heads);
    hal_free(x.next);
    if (!st)
        l = hal_table_take_or_null(left, p.left, p.n, err);
    if (l)
        r = hal_table_take_or_null(right, p.right, p.n, err);
    if (r)
        both = hal_table_pair(l, r, without, n_without, join->suffix, err);
    hal_table_unref(l);
    hal_table_unref(r);
    hal_free(p.left);
    hal_free(p.right);
    hal_free(without);
    return both;
}
