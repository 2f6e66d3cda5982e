/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/table.h"

#include "base/alloc.h"
#include "base/number.h"
#include "data/join.h"
#include "data/vec.h"

#include <math.h>
#include <stdatomic.h>
#include <strings.h>

/* A column's memory, shared by the tables that show it. */
typedef struct chunk {
    atomic_size_t refs;
    hal_vec vec;
} chunk;

struct hal_table {
    atomic_size_t refs;
    uint64_t n_rows;
    size_t n_columns;
    hal_field *fields;
    hal_column *columns;
    chunk **chunks; /* NULL entries: borrowed memory */
};

static void chunk_unref(chunk *c)
{
    if (c && atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1) {
        hal_vec_clear(&c->vec);
        hal_free(c);
    }
}

static void field_clear(hal_field *f)
{
    hal_free((char *)f->name);
    hal_free((char *)f->unit);
    hal_free((char *)f->ucd);
    hal_free((char *)f->description);
    *f = (hal_field){0};
}

static hal_status field_copy(hal_field *out, const hal_field *f, hal_err *err)
{
    hal_field copy = {.name = hal_strdup(f->name),
                      .type = f->type,
                      .unit = hal_strdup(f->unit ? f->unit : ""),
                      .ucd = hal_strdup(f->ucd ? f->ucd : ""),
                      .description = hal_strdup(f->description ? f->description : "")};
    if (!copy.name || !copy.unit || !copy.ucd || !copy.description) {
        field_clear(&copy);
        return hal_err_nomem(err, strlen(f->name));
    }
    *out = copy;
    return HAL_OK;
}

hal_table *hal_table_ref(hal_table *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void hal_table_unref(hal_table *t)
{
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < t->n_columns; i++) {
        if (t->chunks)
            chunk_unref(t->chunks[i]);
        if (t->fields)
            field_clear(&t->fields[i]);
    }
    hal_free(t->fields);
    hal_free(t->columns);
    hal_free(t->chunks);
    hal_free(t);
}

/* A table with copies of the fields and no columns' memory yet. */
static hal_table *table_new(const hal_field *fields, size_t n_columns, uint64_t n_rows,
                            hal_err *err)
{
    hal_table *t = hal_calloc(1, sizeof *t);
    if (!t) {
        hal_err_nomem(err, sizeof *t);
        return NULL;
    }
    atomic_init(&t->refs, 1);
    t->n_rows = n_rows;
    t->n_columns = n_columns;
    t->fields = hal_calloc(n_columns ? n_columns : 1, sizeof *t->fields);
    t->columns = hal_calloc(n_columns ? n_columns : 1, sizeof *t->columns);
    t->chunks = hal_calloc(n_columns ? n_columns : 1, sizeof(chunk *));
    hal_status st = HAL_OK;
    if (!t->fields || !t->columns || !t->chunks)
        st = hal_err_nomem(err, n_columns * sizeof *t->fields);
    for (size_t i = 0; i < n_columns && !st; i++)
        st = field_copy(&t->fields[i], &fields[i], err);
    if (st) {
        hal_table_unref(t);
        return NULL;
    }
    return t;
}

uint64_t hal_table_rows(const hal_table *t)
{
    return t->n_rows;
}

size_t hal_table_columns(const hal_table *t)
{
    return t->n_columns;
}

const hal_field *hal_table_field(const hal_table *t, size_t i_col)
{
    return &t->fields[i_col];
}

int hal_table_find(const hal_table *t, const char *name)
{
    for (size_t i = 0; i < t->n_columns; i++)
        if (!strcmp(t->fields[i].name, name))
            return (int)i;
    for (size_t i = 0; i < t->n_columns; i++)
        if (!strcasecmp(t->fields[i].name, name))
            return (int)i;
    return -1;
}

hal_column hal_table_column(const hal_table *t, size_t i_col)
{
    return t->columns[i_col];
}

bool hal_table_is_null(const hal_table *t, size_t i_col, uint64_t i_row)
{
    const uint8_t *valid = t->columns[i_col].valid;
    return valid && !(valid[i_row / 8] >> i_row % 8 & 1);
}

bool hal_table_bool(const hal_table *t, size_t i_col, uint64_t i_row)
{
    return ((const uint8_t *)t->columns[i_col].values)[i_row / 8] >> i_row % 8 & 1;
}

int64_t hal_table_int64(const hal_table *t, size_t i_col, uint64_t i_row)
{
    return ((const int64_t *)t->columns[i_col].values)[i_row];
}

double hal_table_float64(const hal_table *t, size_t i_col, uint64_t i_row)
{
    return ((const double *)t->columns[i_col].values)[i_row];
}

hal_slice hal_table_string(const hal_table *t, size_t i_col, uint64_t i_row)
{
    const hal_column *c = &t->columns[i_col];
    return (hal_slice){c->bytes + c->offsets[i_row],
                       (size_t)(c->offsets[i_row + 1] - c->offsets[i_row])};
}

hal_status hal_table_as_doubles(const hal_table *t, size_t i_col, double *out, hal_err *err)
{
    hal_type type = t->fields[i_col].type;
    for (uint64_t i = 0; i < t->n_rows; i++) {
        if (hal_table_is_null(t, i_col, i)) {
            out[i] = (double)NAN;
        } else if (type == HAL_TYPE_FLOAT64) {
            out[i] = hal_table_float64(t, i_col, i);
        } else if (type == HAL_TYPE_INT64) {
            out[i] = (double)hal_table_int64(t, i_col, i);
        } else if (type == HAL_TYPE_BOOL) {
            out[i] = hal_table_bool(t, i_col, i);
        } else {
            hal_slice text = hal_table_string(t, i_col, i);
            if (text.size_bytes == 0)
                out[i] = (double)NAN;
            else if (!hal_number_read_double(text, &out[i]))
                return hal_err_set(err, HAL_E_USAGE,
                                   "column %s is not numeric: row %llu holds \"%.*s\"",
                                   t->fields[i_col].name, (unsigned long long)i,
                                   (int)(text.size_bytes < 60 ? text.size_bytes : 60), text.data);
        }
    }
    return HAL_OK;
}

static uint64_t column_bytes(const hal_table *t, size_t i_col)
{
    const hal_column *c = &t->columns[i_col];
    uint64_t bitmap = (t->n_rows + 7) / 8, size = c->valid ? bitmap : 0;
    switch (t->fields[i_col].type) {
    case HAL_TYPE_BOOL:
        return size + bitmap;
    case HAL_TYPE_INT64:
    case HAL_TYPE_FLOAT64:
        return size + 8 * t->n_rows;
    case HAL_TYPE_STRING:
        return size + 8 * (t->n_rows + 1) + (uint64_t)(c->offsets[t->n_rows] - c->offsets[0]);
    }
    return size;
}

uint64_t hal_table_size_bytes(const hal_table *t)
{
    uint64_t size = 0;
    for (size_t i = 0; i < t->n_columns; i++)
        size += column_bytes(t, i);
    return size;
}

/* Gives back what doubling took too much; keeping it is no failure. */
static void *fitted(void *p, uint64_t size)
{
    void *small = p ? hal_realloc(p, size ? (size_t)size : 1) : NULL;
    return small ? small : p;
}

static void fit(hal_vec *v)
{
    uint64_t bitmap = (v->n_rows + 7) / 8;
    v->valid = fitted(v->valid, bitmap);
    v->values = fitted(v->values, v->type == HAL_TYPE_BOOL ? bitmap : 8 * v->n_rows);
    v->offsets = fitted(v->offsets, 8 * (v->n_rows + 1));
    if (v->offsets)
        v->bytes = fitted(v->bytes, (uint64_t)v->offsets[v->n_rows]);
}

hal_table *hal_table_from_vecs(const hal_field *fields, hal_vec *vecs, size_t n_columns,
                               uint64_t n_rows, hal_err *err)
{
    hal_table *t = table_new(fields, n_columns, n_rows, err);
    if (!t)
        return NULL;
    for (size_t i = 0; i < n_columns; i++) {
        hal_status st = HAL_OK;
        if (!vecs[i].typed)
            st = hal_vec_set_type(&vecs[i], fields[i].type, err);
        chunk *c = st ? NULL : hal_calloc(1, sizeof *c);
        if (!c) {
            if (!st)
                hal_err_nomem(err, sizeof *c);
            hal_table_unref(t);
            return NULL;
        }
        fit(&vecs[i]);
        atomic_init(&c->refs, 1);
        c->vec = vecs[i];
        vecs[i] = (hal_vec){0};
        t->chunks[i] = c;
        t->fields[i].type = c->vec.type;
        t->columns[i] = (hal_column){.valid = c->vec.n_nulls ? c->vec.valid : NULL,
                                     .n_nulls = c->vec.n_nulls,
                                     .values = c->vec.values,
                                     .offsets = c->vec.offsets,
                                     .bytes = c->vec.bytes ? c->vec.bytes : ""};
    }
    return t;
}

hal_table *hal_table_borrow(const hal_field *fields, const hal_column *columns, size_t n_columns,
                            uint64_t n_rows, hal_err *err)
{
    hal_table *t = table_new(fields, n_columns, n_rows, err);
    if (t && n_columns)
        memcpy(t->columns, columns, n_columns * sizeof *columns);
    return t;
}

hal_table *hal_table_take(const hal_table *t, const uint64_t *index, uint64_t n, hal_err *err)
{
    hal_vec *vecs = hal_calloc(t->n_columns ? t->n_columns : 1, sizeof *vecs);
    if (!vecs) {
        hal_err_nomem(err, t->n_columns * sizeof *vecs);
        return NULL;
    }
    hal_status st = HAL_OK;
    for (size_t c = 0; c < t->n_columns && !st; c++) {
        st = hal_vec_set_type(&vecs[c], t->fields[c].type, err);
        if (!st)
            st = hal_vec_grow(&vecs[c], n, err);
        for (uint64_t i = 0; i < n && !st;) {
            uint64_t run = 1; /* rows that follow each other are copied together */
            while (i + run < n && index[i + run] == index[i] + run)
                run++;
            st = hal_vec_add_rows(&vecs[c], t, c, index[i], run, err);
            i += run;
        }
    }
    hal_table *taken = st ? NULL : hal_table_from_vecs(t->fields, vecs, t->n_columns, n, err);
    for (size_t c = 0; c < t->n_columns; c++)
        hal_vec_clear(&vecs[c]);
    hal_free(vecs);
    return taken;
}

hal_table *hal_table_project(const hal_table *t, const size_t *i_cols, size_t n, hal_err *err)
{
    hal_field *fields = hal_calloc(n ? n : 1, sizeof *fields);
    if (!fields) {
        hal_err_nomem(err, n * sizeof *fields);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        fields[i] = t->fields[i_cols[i]];
    hal_table *view = table_new(fields, n, t->n_rows, err);
    hal_free(fields);
    for (size_t i = 0; view && i < n; i++) {
        chunk *c = t->chunks[i_cols[i]];
        if (c)
            atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
        view->chunks[i] = c;
        view->columns[i] = t->columns[i_cols[i]];
    }
    return view;
}

hal_table *hal_table_assemble(const hal_table *const *tables, const size_t *i_cols,
                              const hal_field *fields, size_t n, uint64_t n_rows, hal_err *err)
{
    hal_table *view = table_new(fields, n, n_rows, err);
    for (size_t i = 0; view && i < n; i++) {
        chunk *c = tables[i]->chunks[i_cols[i]];
        if (c)
            atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
        view->chunks[i] = c;
        view->columns[i] = tables[i]->columns[i_cols[i]];
        view->fields[i].type = tables[i]->fields[i_cols[i]].type;
    }
    return view;
}

hal_type hal_type_unite(hal_type a, hal_type b)
{
    if (a == b)
        return a;
    bool numbers =
        a != HAL_TYPE_STRING && b != HAL_TYPE_STRING && a != HAL_TYPE_BOOL && b != HAL_TYPE_BOOL;
    return numbers ? HAL_TYPE_FLOAT64 : HAL_TYPE_STRING;
}

bool hal_column_is_wide(const hal_table *t, size_t i_col)
{
    if (t->fields[i_col].type != HAL_TYPE_INT64)
        return false;
    const int64_t *values = t->columns[i_col].values;
    for (uint64_t i = 0; i < t->n_rows; i++)
        if (!hal_number_fits_double(values[i]) && !hal_table_is_null(t, i_col, i))
            return true;
    return false;
}

void hal_schema_clear(hal_schema *s)
{
    for (size_t i = 0; i < s->n; i++)
        field_clear(&s->columns[i].field);
    hal_free(s->columns);
    *s = (hal_schema){0};
}

static hal_status fill_text(const char **have, const char *other, hal_err *err)
{
    if (**have || !other || !*other)
        return HAL_OK;
    char *copy = hal_strdup(other);
    if (!copy)
        return hal_err_nomem(err, strlen(other));
    hal_free((char *)*have);
    *have = copy;
    return HAL_OK;
}

hal_status hal_schema_add(hal_schema *s, const hal_field *field, bool any, bool wide, hal_err *err)
{
    for (size_t i = 0; i < s->n; i++) {
        struct hal_schema_column *c = &s->columns[i];
        if (strcmp(c->field.name, field->name) != 0)
            continue;
        if (any == c->any)
            c->field.type = hal_type_unite(c->field.type, field->type);
        else if (any)
            c->field.type = field->type;
        c->wide = c->wide || wide;
        c->any = c->any || any;
        if (c->wide && c->field.type == HAL_TYPE_FLOAT64)
            c->field.type = HAL_TYPE_STRING;
        hal_status st = fill_text(&c->field.unit, field->unit, err);
        if (!st)
            st = fill_text(&c->field.ucd, field->ucd, err);
        if (!st)
            st = fill_text(&c->field.description, field->description, err);
        return st;
    }
    if (s->n == s->capacity) {
        size_t capacity = s->capacity ? 2 * s->capacity : 32;
        void *grown = hal_realloc(s->columns, capacity * sizeof *s->columns);
        if (!grown)
            return hal_err_nomem(err, capacity * sizeof *s->columns);
        s->columns = grown;
        s->capacity = capacity;
    }
    s->columns[s->n] = (struct hal_schema_column){.any = any, .wide = wide};
    hal_status st = field_copy(&s->columns[s->n].field, field, err);
    if (!st)
        s->n++;
    return st;
}

hal_status hal_schema_add_table(hal_schema *s, const hal_table *t, hal_err *err)
{
    hal_status st = HAL_OK;
    for (size_t i = 0; i < t->n_columns && !st; i++)
        st = hal_schema_add(s, &t->fields[i], t->columns[i].n_nulls < t->n_rows,
                            hal_column_is_wide(t, i), err);
    return st;
}

static int find_exact(const hal_table *t, const char *name)
{
    for (size_t i = 0; i < t->n_columns; i++)
        if (!strcmp(t->fields[i].name, name))
            return (int)i;
    return -1;
}

hal_table *hal_table_concat(hal_table *const *tables, size_t n, hal_err *err)
{
    hal_schema schema = {0};
    hal_vec *vecs = NULL;
    hal_field *fields = NULL;
    hal_table *whole = NULL;
    uint64_t n_rows = 0;
    hal_status st = HAL_OK;
    for (size_t i = 0; i < n && !st; i++) {
        n_rows += tables[i]->n_rows;
        st = hal_schema_add_table(&schema, tables[i], err);
    }
    if (st)
        goto out;
    vecs = hal_calloc(schema.n ? schema.n : 1, sizeof *vecs);
    fields = hal_calloc(schema.n ? schema.n : 1, sizeof *fields);
    if (!vecs || !fields) {
        hal_err_nomem(err, schema.n * sizeof *vecs);
        goto out;
    }
    for (size_t c = 0; c < schema.n; c++) {
        fields[c] = schema.columns[c].field;
        st = hal_vec_set_type(&vecs[c], fields[c].type, err);
        if (!st)
            st = hal_vec_grow(&vecs[c], n_rows, err);
        for (size_t i = 0; i < n && !st; i++) {
            int at = find_exact(tables[i], fields[c].name);
            st = at < 0
                     ? hal_vec_pad(&vecs[c], vecs[c].n_rows + tables[i]->n_rows, err)
                     : hal_vec_add_rows(&vecs[c], tables[i], (size_t)at, 0, tables[i]->n_rows, err);
        }
        if (st)
            goto out;
    }
    whole = hal_table_from_vecs(fields, vecs, schema.n, n_rows, err);
out:
    for (size_t c = 0; vecs && c < schema.n; c++)
        hal_vec_clear(&vecs[c]);
    hal_free(vecs);
    hal_free(fields);
    hal_schema_clear(&schema);
    return whole;
}

struct hal_builder {
    size_t n_fields;
    uint64_t n_rows;
    hal_field *fields;
    hal_vec *vecs;
};

hal_builder *hal_builder_new(const hal_field *fields, size_t n_fields, hal_err *err)
{
    hal_builder *b = hal_calloc(1, sizeof *b);
    if (!b) {
        hal_err_nomem(err, sizeof *b);
        return NULL;
    }
    b->fields = hal_calloc(n_fields ? n_fields : 1, sizeof *b->fields);
    b->vecs = hal_calloc(n_fields ? n_fields : 1, sizeof *b->vecs);
    hal_status st = HAL_OK;
    if (!b->fields || !b->vecs)
        st = hal_err_nomem(err, n_fields * sizeof *b->vecs);
    for (size_t i = 0; i < n_fields && !st; i++) {
        st = field_copy(&b->fields[i], &fields[i], err);
        if (!st)
            b->n_fields = i + 1;
    }
    if (st) {
        hal_builder_free(b);
        return NULL;
    }
    return b;
}

void hal_builder_free(hal_builder *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->n_fields; i++) {
        field_clear(&b->fields[i]);
        hal_vec_clear(&b->vecs[i]);
    }
    hal_free(b->fields);
    hal_free(b->vecs);
    hal_free(b);
}

/* The column for a cell of `type` in the current row. */
static hal_status column_for(hal_builder *b, size_t i_col, hal_type type, hal_vec **out,
                             hal_err *err)
{
    if (i_col >= b->n_fields)
        return hal_err_set(err, HAL_E_USAGE, "column %zu of a table of %zu", i_col, b->n_fields);
    hal_vec *v = &b->vecs[i_col];
    const hal_field *f = &b->fields[i_col];
    if (type != f->type)
        return hal_err_set(err, HAL_E_USAGE, "column %s takes another type of value", f->name);
    if (v->n_rows > b->n_rows)
        return hal_err_set(err, HAL_E_USAGE, "column %s is set twice in a row", f->name);
    hal_status st = v->typed ? HAL_OK : hal_vec_set_type(v, f->type, err);
    if (!st)
        st = hal_vec_pad(v, b->n_rows, err);
    *out = v;
    return st;
}

hal_status hal_builder_bool(hal_builder *b, size_t i_col, bool v, hal_err *err)
{
    hal_vec *column;
    hal_status st = column_for(b, i_col, HAL_TYPE_BOOL, &column, err);
    return st ? st : hal_vec_add_bool(column, v, err);
}

hal_status hal_builder_int64(hal_builder *b, size_t i_col, int64_t v, hal_err *err)
{
    hal_vec *column;
    hal_status st = column_for(b, i_col, HAL_TYPE_INT64, &column, err);
    return st ? st : hal_vec_add_int64(column, v, err);
}

hal_status hal_builder_float64(hal_builder *b, size_t i_col, double v, hal_err *err)
{
    hal_vec *column;
    hal_status st = column_for(b, i_col, HAL_TYPE_FLOAT64, &column, err);
    return st ? st : hal_vec_add_float64(column, v, err);
}

hal_status hal_builder_string(hal_builder *b, size_t i_col, hal_slice v, hal_err *err)
{
    hal_vec *column;
    hal_status st = column_for(b, i_col, HAL_TYPE_STRING, &column, err);
    return st ? st : hal_vec_add_string(column, v, err);
}

hal_status hal_builder_end_row(hal_builder *b, hal_err *err)
{
    (void)err;
    b->n_rows++; /* columns that lag behind are padded when they are needed */
    return HAL_OK;
}

hal_table *hal_builder_finish(hal_builder *b, hal_err *err)
{
    hal_table *t = NULL;
    hal_status st = HAL_OK;
    for (size_t i = 0; i < b->n_fields && !st; i++) {
        if (b->vecs[i].n_rows > b->n_rows)
            st = hal_err_set(err, HAL_E_USAGE, "the last row is not ended");
        else
            st = hal_vec_pad(&b->vecs[i], b->n_rows, err);
    }
    if (!st)
        t = hal_table_from_vecs(b->fields, b->vecs, b->n_fields, b->n_rows, err);
    for (size_t i = 0; i < b->n_fields; i++)
        hal_vec_clear(&b->vecs[i]);
    b->n_rows = 0;
    return t;
}
