/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/table.h"

#include "base/alloc.h"
#include "base/number.h"
#include "data/join.h"
#include "data/vec.h"

#include <math.h>
#include <stdatomic.h>
#include <strings.h>

/* Memory shared by the columns that show it: a vec's, or the bitmaps that a slice had to move,
 * which then lead to the chunk of the rest. */
typedef struct chunk {
    atomic_size_t refs;
    hal_vec vec;
    struct chunk *rest;
} chunk;

struct hal_table {
    atomic_size_t refs;
    uint64_t n_rows;
    size_t n_columns;
    hal_field *fields;
    hal_column *columns;
    chunk **chunks; /* NULL entries: borrowed memory */
    hal_metadata metadata;
};

static chunk *chunk_new(hal_err *err)
{
    chunk *c = hal_calloc(1, sizeof *c);
    if (c)
        atomic_init(&c->refs, 1);
    else
        hal_err_nomem(err, sizeof *c);
    return c;
}

static chunk *chunk_ref(chunk *c)
{
    if (c)
        atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

static void chunk_unref(chunk *c)
{
    while (c && atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1) {
        chunk *rest = c->rest;
        hal_vec_clear(&c->vec);
        hal_free(c);
        c = rest;
    }
}

void hal_field_texts(hal_field *f, const char **out[HAL_FIELD_TEXTS])
{
    const char **texts[HAL_FIELD_TEXTS] = {
        &f->name,  &f->unit,  &f->ucd, &f->description,   &f->shape,
        &f->utype, &f->xtype, &f->id,  &f->original_name, &f->null_value};
    memcpy(out, texts, sizeof texts);
}

/* All texts lie in one block that begins with the name. */
void hal_field_clear(hal_field *f)
{
    hal_free((char *)f->name);
    *f = (hal_field){0};
}

hal_status hal_field_copy(hal_field *out, const hal_field *f, hal_err *err)
{
    hal_field copy = *f;
    const char **texts[HAL_FIELD_TEXTS];
    hal_field_texts(&copy, texts);
    size_t size = 0;
    for (size_t i = 0; i < HAL_FIELD_TEXTS; i++)
        size += *texts[i] && (i == 0 || **texts[i]) ? strlen(*texts[i]) + 1 : 0;
    char *block = hal_malloc(size);
    if (!block)
        return hal_err_nomem(err, size);
    for (size_t i = 0; i < HAL_FIELD_TEXTS; i++) {
        const char *text = *texts[i];
        *texts[i] = "";
        if (!text || (i && !*text))
            continue;
        size_t n = strlen(text) + 1;
        memcpy(block, text, n);
        *texts[i] = block;
        block += n;
    }
    copy.width = copy.width ? copy.width : 1;
    *out = copy;
    return HAL_OK;
}

/* --- Metadata -----------------------------------------------------------------------------------
 */

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

/* One block: the attributes, then all texts. */
hal_status hal_metadata_add(hal_metadata *m, const hal_meta *item, hal_err *err)
{
    if (m->n_items == m->capacity) {
        size_t capacity = m->capacity ? 2 * m->capacity : 8;
        void *grown = hal_realloc(m->items, capacity * sizeof *m->items);
        if (!grown)
            return hal_err_nomem(err, capacity * sizeof *m->items);
        m->items = grown;
        m->capacity = capacity;
    }
    size_t n = item->n_attributes, size = (n + 1) * sizeof(hal_attribute);
    const char *texts[3] = {text_or_empty(item->name), text_or_empty(item->value),
                            text_or_empty(item->text)};
    for (size_t i = 0; i < 3; i++)
        size += strlen(texts[i]) + 1;
    for (size_t i = 0; i < n; i++)
        size += strlen(text_or_empty(item->attributes[i].name)) +
                strlen(text_or_empty(item->attributes[i].value)) + 2;
    hal_attribute *block = hal_malloc(size);
    if (!block)
        return hal_err_nomem(err, size);
    char *p = (char *)(block + n + 1);
    for (size_t i = 0; i < 3 + 2 * n; i++) {
        const hal_attribute *a = i < 3 ? NULL : &item->attributes[(i - 3) / 2];
        const char *text = i < 3 ? texts[i] : text_or_empty(i % 2 ? a->name : a->value);
        size_t length = strlen(text) + 1;
        memcpy(p, text, length);
        if (i < 3)
            texts[i] = p;
        else if (i % 2)
            block[(i - 3) / 2].name = p;
        else
            block[(i - 3) / 2].value = p;
        p += length;
    }
    m->items[m->n_items++] = (hal_meta){item->kind, texts[0], texts[1], texts[2], block, n};
    return HAL_OK;
}

hal_status hal_metadata_set(const char **text, hal_slice value, hal_err *err)
{
    char *copy = hal_strndup(value.data ? value.data : "", value.size_bytes);
    if (!copy)
        return hal_err_nomem(err, value.size_bytes);
    hal_free((char *)*text);
    *text = copy;
    return HAL_OK;
}

void hal_metadata_clear(hal_metadata *m)
{
    for (size_t i = 0; i < m->n_items; i++)
        hal_free((void *)m->items[i].attributes);
    hal_free(m->items);
    hal_free((char *)m->name);
    hal_free((char *)m->description);
    hal_free((char *)m->status);
    *m = (hal_metadata){0};
}

hal_status hal_metadata_copy(hal_metadata *out, const hal_metadata *m, hal_err *err)
{
    hal_metadata copy = {0};
    const char *from[3] = {m->name, m->description, m->status};
    const char **to[3] = {&copy.name, &copy.description, &copy.status};
    hal_status st = HAL_OK;
    for (size_t i = 0; i < 3 && !st; i++)
        if (from[i] && *from[i])
            st = hal_metadata_set(to[i], hal_slice_of(from[i]), err);
    for (size_t i = 0; i < m->n_items && !st; i++)
        st = hal_metadata_add(&copy, &m->items[i], err);
    if (st)
        hal_metadata_clear(&copy);
    else
        *out = copy;
    return st;
}

const hal_meta *hal_metadata_find(const hal_metadata *m, hal_meta_kind kind, const char *name)
{
    for (size_t i = 0; i < m->n_items; i++)
        if (m->items[i].kind == kind && !strcmp(m->items[i].name, name))
            return &m->items[i];
    return NULL;
}

/* --- The table ----------------------------------------------------------------------------------
 */

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
            hal_field_clear(&t->fields[i]);
    }
    hal_free(t->fields);
    hal_free(t->columns);
    hal_free(t->chunks);
    hal_metadata_clear(&t->metadata);
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
        st = hal_field_copy(&t->fields[i], &fields[i], err);
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

static int find_regardless_of_case(const hal_table *t, const char *name, bool by_ucd)
{
    int found = HAL_COLUMN_ABSENT;
    for (size_t i = 0; i < t->n_columns; i++) {
        if (strcasecmp(by_ucd ? t->fields[i].ucd : t->fields[i].name, name) != 0)
            continue;
        if (found != HAL_COLUMN_ABSENT)
            return HAL_COLUMN_AMBIGUOUS;
        found = (int)i;
    }
    return found;
}

int hal_table_find(const hal_table *t, const char *name)
{
    if (!*name)
        return HAL_COLUMN_ABSENT;
    for (size_t i = 0; i < t->n_columns; i++)
        if (!strcmp(t->fields[i].name, name))
            return (int)i;
    for (size_t i = 0; i < t->n_columns; i++)
        if (!strcmp(t->fields[i].id, name))
            return (int)i;
    int found = find_regardless_of_case(t, name, false);
    return found != HAL_COLUMN_ABSENT ? found : find_regardless_of_case(t, name, true);
}

hal_column hal_table_column(const hal_table *t, size_t i_col)
{
    return t->columns[i_col];
}

const hal_metadata *hal_table_metadata(const hal_table *t)
{
    return &t->metadata;
}

bool hal_table_is_null(const hal_table *t, size_t i_col, uint64_t i_row)
{
    const uint8_t *valid = t->columns[i_col].valid;
    return valid && !hal_bit(valid, i_row);
}

bool hal_table_has_values(const hal_table *t, size_t i_col)
{
    return t->columns[i_col].n_nulls < t->n_rows;
}

bool hal_table_bool(const hal_table *t, size_t i_col, uint64_t i_row)
{
    return hal_bit(t->columns[i_col].values, i_row);
}

int64_t hal_table_int64(const hal_table *t, size_t i_col, uint64_t i_row)
{
    return hal_item_int64(&t->columns[i_col], t->fields[i_col].type, i_row);
}

double hal_table_float64(const hal_table *t, size_t i_col, uint64_t i_row)
{
    return hal_item_float64(&t->columns[i_col], t->fields[i_col].type, i_row);
}

hal_slice hal_table_string(const hal_table *t, size_t i_col, uint64_t i_row)
{
    const hal_column *c = &t->columns[i_col];
    return (hal_slice){c->bytes + c->offsets[i_row],
                       (size_t)(c->offsets[i_row + 1] - c->offsets[i_row])};
}

hal_items hal_table_items(const hal_table *t, size_t i_col, uint64_t i_row)
{
    int32_t width = t->fields[i_col].width;
    const int64_t *offsets = t->columns[i_col].offsets;
    if (width != HAL_WIDTH_VARIABLE)
        return (hal_items){i_row * (uint64_t)width, (uint64_t)width};
    return (hal_items){(uint64_t)offsets[i_row], (uint64_t)(offsets[i_row + 1] - offsets[i_row])};
}

static hal_status text_as_double(const hal_table *t, size_t i_col, uint64_t i, double *out,
                                 hal_err *err)
{
    hal_slice text = hal_table_string(t, i_col, i);
    if (text.size_bytes == 0)
        *out = (double)NAN;
    else if (!hal_number_read_double(text, out))
        return hal_err_set(err, HAL_E_USAGE, "column %s is not numeric: row %llu holds \"%.*s\"",
                           t->fields[i_col].name, (unsigned long long)i,
                           (int)(text.size_bytes < 60 ? text.size_bytes : 60), text.data);
    return HAL_OK;
}

hal_status hal_table_as_doubles(const hal_table *t, size_t i_col, double *out, hal_err *err)
{
    const hal_field *f = &t->fields[i_col];
    hal_type type = f->type;
    if (f->width != 1 || type == HAL_TYPE_COMPLEX64 || type == HAL_TYPE_COMPLEX128)
        return hal_err_set(err, HAL_E_USAGE, "column %s holds %s, not one number per row", f->name,
                           f->width != 1 ? "arrays" : "complex numbers");
    hal_status st = HAL_OK;
    for (uint64_t i = 0; i < t->n_rows && !st; i++) {
        if (hal_table_is_null(t, i_col, i))
            out[i] = (double)NAN;
        else if (hal_type_is_float(type))
            out[i] = hal_table_float64(t, i_col, i);
        else if (hal_type_is_integer(type))
            out[i] = (double)hal_table_int64(t, i_col, i);
        else if (type == HAL_TYPE_TIMESTAMP)
            out[i] = (double)hal_table_int64(t, i_col, i) / 1e6;
        else if (type == HAL_TYPE_BOOL)
            out[i] = hal_table_bool(t, i_col, i);
        else
            st = text_as_double(t, i_col, i, &out[i], err);
    }
    return st;
}

/* Items of `values` that rows [first, first + n) take. */
static hal_items row_items(const hal_table *t, size_t i_col, uint64_t first, uint64_t n)
{
    int32_t width = t->fields[i_col].width;
    const int64_t *offsets = t->columns[i_col].offsets;
    if (width == HAL_WIDTH_VARIABLE)
        return (hal_items){(uint64_t)offsets[first],
                           (uint64_t)(offsets[first + n] - offsets[first])};
    return (hal_items){first * (uint64_t)width, n * (uint64_t)width};
}

static uint64_t column_bytes(const hal_table *t, size_t i_col)
{
    const hal_column *c = &t->columns[i_col];
    uint64_t size = c->valid ? (t->n_rows + 7) / 8 : 0;
    if (c->offsets)
        size += 8 * (t->n_rows + 1);
    if (t->fields[i_col].type == HAL_TYPE_STRING)
        return size + (uint64_t)(c->offsets[t->n_rows] - c->offsets[0]);
    uint64_t n = row_items(t, i_col, 0, t->n_rows).n;
    return size + hal_items_bytes(t->fields[i_col].type, n) + (c->item_valid ? (n + 7) / 8 : 0);
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

/* Bytes of a bitmap, one to spare: DuckDB reads it when a part of a column begins within a byte. */
static uint64_t bitmap_room(uint64_t n)
{
    return (n + 7) / 8 + 1;
}

static void fit(hal_vec *v)
{
    uint64_t n = v->n_rows, items = v->width > 1 ? n * (uint64_t)v->width : n;
    v->valid = fitted(v->valid, bitmap_room(n));
    v->offsets = fitted(v->offsets, 8 * (n + 1));
    if (v->type == HAL_TYPE_STRING) {
        v->bytes = fitted(v->bytes, (uint64_t)v->offsets[n]);
        return;
    }
    if (v->offsets)
        items = (uint64_t)v->offsets[n];
    v->values = fitted(v->values, hal_items_bytes(v->type, items));
    v->item_valid = fitted(v->item_valid, bitmap_room(items));
}

hal_table *hal_table_from_parts(const hal_field *fields, hal_vec *vecs, size_t n_columns,
                                uint64_t n_rows, hal_metadata *metadata, hal_err *err)
{
    hal_table *t = table_new(fields, n_columns, n_rows, err);
    if (!t)
        return NULL;
    for (size_t i = 0; i < n_columns; i++) {
        hal_status st = HAL_OK;
        if (!vecs[i].typed)
            st = hal_vec_set_shape(&vecs[i], fields[i].type, fields[i].width, err);
        chunk *c = st ? NULL : chunk_new(err);
        if (!c) {
            hal_table_unref(t);
            return NULL;
        }
        fit(&vecs[i]);
        c->vec = vecs[i];
        vecs[i] = (hal_vec){0};
        t->chunks[i] = c;
        t->fields[i].type = c->vec.type;
        t->fields[i].width = c->vec.width ? c->vec.width : 1;
        static const int64_t nothing[2] = {0};
        t->columns[i] = (hal_column){.valid = c->vec.n_nulls ? c->vec.valid : NULL,
                                     .n_nulls = c->vec.n_nulls,
                                     .values = c->vec.values ? c->vec.values : nothing,
                                     .offsets = c->vec.offsets,
                                     .bytes = c->vec.bytes ? c->vec.bytes : "",
                                     .item_valid = c->vec.item_valid};
    }
    if (metadata) {
        t->metadata = *metadata;
        *metadata = (hal_metadata){0};
    }
    return t;
}

hal_table *hal_table_from_vecs(const hal_field *fields, hal_vec *vecs, size_t n_columns,
                               uint64_t n_rows, hal_err *err)
{
    return hal_table_from_parts(fields, vecs, n_columns, n_rows, NULL, err);
}

hal_table *hal_table_borrow(const hal_field *fields, const hal_column *columns, size_t n_columns,
                            uint64_t n_rows, hal_err *err)
{
    hal_table *t = table_new(fields, n_columns, n_rows, err);
    if (t && n_columns)
        memcpy(t->columns, columns, n_columns * sizeof *columns);
    return t;
}

/* A copy of the metadata; NULL, `t` dropped, when there is no memory. */
static hal_table *with_metadata(hal_table *t, const hal_metadata *metadata, hal_err *err)
{
    if (t && hal_metadata_copy(&t->metadata, metadata, err)) {
        hal_table_unref(t);
        return NULL;
    }
    return t;
}

hal_table *hal_table_take(const hal_table *t, const uint64_t *index, uint64_t n, hal_err *err)
{
    return hal_table_take_or_null(t, index, n, err);
}

/* Bits [first, first + n) of a bitmap from bit 0 on: where they lie when a byte begins there, a
 * copy otherwise, which `*copy` then owns. */
static hal_status slice_bits(const uint8_t **bits, uint64_t first, uint64_t n, uint8_t **copy,
                             hal_err *err)
{
    if (!*bits || first % 8 == 0) {
        *bits = *bits ? *bits + first / 8 : NULL;
        return HAL_OK;
    }
    *copy = hal_malloc((size_t)bitmap_room(n));
    if (!*copy)
        return hal_err_nomem(err, (size_t)n / 8);
    hal_bits_copy(*copy, 0, *bits, first, n);
    *bits = *copy;
    return HAL_OK;
}

/* Column `i` of `view`, which is one of `t` so far, becomes rows [first, first + n) of it. */
static hal_status slice_column(hal_table *view, size_t i, uint64_t first, uint64_t n, hal_err *err)
{
    hal_column *c = &view->columns[i];
    hal_type type = view->fields[i].type;
    hal_items items = row_items(view, i, first, n);
    hal_vec moved = {0};
    hal_status st = slice_bits(&c->valid, first, n, &moved.valid, err);
    c->n_nulls = c->valid && !st ? n - hal_bits_count(c->valid, 0, n) : 0;
    if (c->n_nulls == 0)
        c->valid = NULL;
    if (c->offsets) {
        c->offsets += first; /* they go on counting from where they did */
    } else if (!st) {
        const uint8_t *bits = c->values;
        if (type != HAL_TYPE_BOOL)
            c->values = (const char *)c->values + hal_items_bytes(type, items.first);
        else if (!(st = slice_bits(&bits, items.first, items.n, (uint8_t **)&moved.values, err)))
            c->values = bits;
        if (!st)
            st = slice_bits(&c->item_valid, items.first, items.n, &moved.item_valid, err);
    }
    if (!st && (moved.valid || moved.values || moved.item_valid)) {
        chunk *own = chunk_new(err);
        if (own) {
            own->vec = moved;
            own->rest = view->chunks[i];
            view->chunks[i] = own;
            return HAL_OK;
        }
        st = HAL_E_NOMEM;
    }
    if (st)
        hal_vec_clear(&moved);
    return st;
}

hal_table *hal_table_slice(const hal_table *t, uint64_t first, uint64_t n, hal_err *err)
{
    if (first > t->n_rows || n > t->n_rows - first) {
        hal_err_set(err, HAL_E_USAGE, "rows %llu to %llu of a table of %llu",
                    (unsigned long long)first, (unsigned long long)(first + n),
                    (unsigned long long)t->n_rows);
        return NULL;
    }
    hal_table *view = hal_table_with(t, NULL, NULL, err);
    for (size_t i = 0; view && i < t->n_columns; i++)
        if (slice_column(view, i, first, n, err)) {
            hal_table_unref(view);
            return NULL;
        }
    if (view)
        view->n_rows = n;
    return view;
}

/* Column `from` of `t` becomes column `to` of `view`. */
static void share_column(hal_table *view, size_t to, const hal_table *t, size_t from)
{
    view->chunks[to] = chunk_ref(t->chunks[from]);
    view->columns[to] = t->columns[from];
}

hal_table *hal_table_with(const hal_table *t, const hal_field *fields, const hal_metadata *metadata,
                          hal_err *err)
{
    for (size_t i = 0; fields && i < t->n_columns; i++)
        if (fields[i].type != t->fields[i].type ||
            (fields[i].width ? fields[i].width : 1) != t->fields[i].width) {
            hal_err_set(err, HAL_E_USAGE, "column %s holds %s, not %s", t->fields[i].name,
                        hal_type_name(t->fields[i].type), hal_type_name(fields[i].type));
            return NULL;
        }
    hal_table *view = table_new(fields ? fields : t->fields, t->n_columns, t->n_rows, err);
    for (size_t i = 0; view && i < t->n_columns; i++)
        share_column(view, i, t, i);
    return with_metadata(view, metadata ? metadata : &t->metadata, err);
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
    for (size_t i = 0; view && i < n; i++)
        share_column(view, i, t, i_cols[i]);
    return with_metadata(view, &t->metadata, err);
}

hal_table *hal_table_assemble(const hal_table *const *tables, const size_t *i_cols,
                              const hal_field *fields, size_t n, uint64_t n_rows,
                              const hal_metadata *metadata, hal_err *err)
{
    hal_table *view = table_new(fields, n, n_rows, err);
    for (size_t i = 0; view && i < n; i++) {
        share_column(view, i, tables[i], i_cols[i]);
        view->fields[i].type = tables[i]->fields[i_cols[i]].type;
        view->fields[i].width = tables[i]->fields[i_cols[i]].width;
    }
    return metadata ? with_metadata(view, metadata, err) : view;
}

bool hal_column_is_wide(const hal_table *t, size_t i_col)
{
    if (t->fields[i_col].type != HAL_TYPE_INT64)
        return false;
    const int64_t *values = t->columns[i_col].values;
    for (uint64_t row = 0; row < t->n_rows; row++) {
        hal_items cell = hal_table_items(t, i_col, row);
        for (uint64_t i = cell.first; i < cell.first + cell.n; i++)
            if (!hal_number_fits_double(values[i]) && !hal_table_is_null(t, i_col, row))
                return true;
    }
    return false;
}
