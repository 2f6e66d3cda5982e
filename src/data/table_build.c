/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables from parts that differ: schemas united, rows of several tables, cell by cell. */
#include "data/table.h"

#include "base/alloc.h"
#include "data/vec.h"

/* --- Unions -------------------------------------------------------------------------------------
 */

void hal_schema_clear(hal_schema *s)
{
    for (size_t i = 0; i < s->n; i++)
        hal_field_clear(&s->columns[i].field);
    hal_free(s->columns);
    hal_names_clear(&s->names);
    *s = (hal_schema){0};
}

static hal_slice name_in_schema(const void *list, size_t i)
{
    return hal_slice_of(((const hal_schema *)list)->columns[i].field.name);
}

int hal_schema_find(const hal_schema *s, const char *name)
{
    size_t i = hal_names_find(&s->names, name_in_schema, s, hal_slice_of(name));
    return i == SIZE_MAX ? -1 : (int)i;
}

/* Gives the texts that `f` lacks those of `other`. */
static hal_status fill_texts(hal_field *f, const hal_field *other, hal_err *err)
{
    hal_field merged = *f, from = *other;
    const char **texts[HAL_FIELD_TEXTS], **others[HAL_FIELD_TEXTS];
    hal_field_texts(&merged, texts);
    hal_field_texts(&from, others);
    bool changed = false;
    for (size_t i = 0; i < HAL_FIELD_TEXTS; i++)
        if (!**texts[i] && *others[i] && **others[i]) {
            *texts[i] = *others[i];
            changed = true;
        }
    hal_status st = changed ? hal_field_copy(&merged, &merged, err) : HAL_OK;
    if (!st && changed) {
        hal_field_clear(f);
        *f = merged;
    }
    return st;
}

hal_status hal_schema_add(hal_schema *s, const hal_field *field, bool any, bool wide, hal_err *err)
{
    int found = hal_schema_find(s, field->name);
    if (found >= 0) {
        struct hal_schema_column *c = &s->columns[found];
        if (any == c->any) {
            c->field.type = hal_type_unite(c->field.type, field->type);
            c->field.width = hal_width_unite(c->field.width, field->width);
        } else if (any) {
            c->field.type = field->type;
            c->field.width = field->width ? field->width : 1;
        }
        c->wide = c->wide || wide;
        c->any = c->any || any;
        if (c->wide && hal_type_is_float(c->field.type))
            c->field.type = HAL_TYPE_STRING;
        if (c->field.type == HAL_TYPE_STRING)
            c->field.width = 1;
        return fill_texts(&c->field, field, err);
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
    hal_status st = hal_field_copy(&s->columns[s->n].field, field, err);
    if (st)
        return st;
    st = hal_names_add(&s->names, name_in_schema, s, s->n, err);
    if (st)
        hal_field_clear(&s->columns[s->n].field);
    else
        s->n++;
    return st;
}

hal_status hal_schema_add_table(hal_schema *s, const hal_table *t, hal_err *err)
{
    hal_status st = HAL_OK;
    for (size_t i = 0; i < hal_table_columns(t) && !st; i++)
        st = hal_schema_add(s, hal_table_field(t, i), hal_table_has_values(t, i),
                            hal_column_is_wide(t, i), err);
    return st;
}

/* For each column of `s` the number of the first of that name in `t`, SIZE_MAX: none. */
static void find_places(size_t *places, const hal_schema *s, const hal_table *t)
{
    for (size_t c = 0; c < s->n; c++)
        places[c] = SIZE_MAX;
    for (size_t i = hal_table_columns(t); i-- > 0;)
        places[hal_schema_find(s, hal_table_field(t, i)->name)] = i;
}

hal_table *hal_table_concat(hal_table *const *tables, size_t n, hal_err *err)
{
    hal_schema schema = {0};
    size_t *places = NULL; /* of each table's columns */
    hal_vec *vecs = NULL;
    hal_field *fields = NULL;
    hal_table *whole = NULL;
    hal_metadata metadata = {0};
    uint64_t n_rows = 0;
    hal_status st = HAL_OK;
    for (size_t i = 0; i < n && !st; i++) {
        n_rows += hal_table_rows(tables[i]);
        st = hal_schema_add_table(&schema, tables[i], err);
    }
    if (st)
        goto out;
    places = hal_calloc(schema.n && n ? schema.n * n : 1, sizeof *places);
    vecs = hal_calloc(schema.n ? schema.n : 1, sizeof *vecs);
    fields = hal_calloc(schema.n ? schema.n : 1, sizeof *fields);
    if (!places || !vecs || !fields) {
        hal_err_nomem(err, schema.n * sizeof *vecs);
        goto out;
    }
    for (size_t i = 0; i < n; i++)
        find_places(places + i * schema.n, &schema, tables[i]);
    for (size_t c = 0; c < schema.n; c++) {
        fields[c] = schema.columns[c].field;
        st = hal_vec_set_shape(&vecs[c], fields[c].type, fields[c].width, err);
        if (!st)
            st = hal_vec_grow(&vecs[c], n_rows, err);
        for (size_t i = 0; i < n && !st; i++) {
            size_t at = places[i * schema.n + c];
            bool some = at != SIZE_MAX && hal_table_has_values(tables[i], at);
            uint64_t more = hal_table_rows(tables[i]);
            st = some ? hal_vec_add_rows(&vecs[c], tables[i], at, 0, more, err)
                      : hal_vec_pad(&vecs[c], vecs[c].n_rows + more, err);
        }
        if (st)
            goto out;
    }
    if (n && hal_metadata_copy(&metadata, hal_table_metadata(tables[0]), err))
        goto out;
    whole = hal_table_from_parts(fields, vecs, schema.n, n_rows, &metadata, err);
    hal_metadata_clear(&metadata);
out:
    for (size_t c = 0; vecs && c < schema.n; c++)
        hal_vec_clear(&vecs[c]);
    hal_free(places);
    hal_free(vecs);
    hal_free(fields);
    hal_schema_clear(&schema);
    return whole;
}

/* --- Cell by cell -------------------------------------------------------------------------------
 */

struct hal_builder {
    size_t n_fields;
    uint64_t n_rows;
    hal_field *fields;
    hal_vec *vecs;
    hal_metadata metadata;
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
        st = hal_field_copy(&b->fields[i], &fields[i], err);
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
        hal_field_clear(&b->fields[i]);
        hal_vec_clear(&b->vecs[i]);
    }
    hal_free(b->fields);
    hal_free(b->vecs);
    hal_metadata_clear(&b->metadata);
    hal_free(b);
}

/* The column for a cell of the current row, which is to be scalar or an array. */
static hal_status column_for(hal_builder *b, size_t i_col, bool scalar, hal_vec **out, hal_err *err)
{
    if (i_col >= b->n_fields)
        return hal_err_set(err, HAL_E_USAGE, "column %zu of a table of %zu", i_col, b->n_fields);
    hal_vec *v = &b->vecs[i_col];
    const hal_field *f = &b->fields[i_col];
    if (scalar != (f->width == 1))
        return hal_err_set(err, HAL_E_USAGE, "column %s takes %s", f->name,
                           scalar ? "arrays" : "single values");
    if (v->n_rows > b->n_rows)
        return hal_err_set(err, HAL_E_USAGE, "column %s is set twice in a row", f->name);
    hal_status st = v->typed ? HAL_OK : hal_vec_set_shape(v, f->type, f->width, err);
    if (!st)
        st = hal_vec_pad(v, b->n_rows, err);
    *out = v;
    return st;
}

static hal_status other_type(const hal_builder *b, size_t i_col, hal_err *err)
{
    return hal_err_set(err, HAL_E_USAGE, "column %s takes another type of value",
                       b->fields[i_col].name);
}

hal_status hal_builder_bool(hal_builder *b, size_t i_col, bool v, hal_err *err)
{
    hal_vec *column;
    hal_status st = column_for(b, i_col, true, &column, err);
    if (!st && column->type != HAL_TYPE_BOOL)
        st = other_type(b, i_col, err);
    return st ? st : hal_vec_add_bool(column, v, err);
}

hal_status hal_builder_int64(hal_builder *b, size_t i_col, int64_t v, hal_err *err)
{
    hal_vec *column;
    hal_status st = column_for(b, i_col, true, &column, err);
    if (st)
        return st;
    if (column->type == HAL_TYPE_TIMESTAMP)
        return hal_vec_add_items(column, &v, 1, NULL, err);
    if (!hal_type_is_integer(column->type))
        return other_type(b, i_col, err);
    if (column->type == HAL_TYPE_INT64)
        return hal_vec_add_int64(column, v, err);
    int64_t room;
    if (!hal_item_convert(&room, column->type, 0, &v, HAL_TYPE_INT64, 0))
        return hal_err_set(err, HAL_E_USAGE, "column %s is %s: %lld does not fit",
                           b->fields[i_col].name, hal_type_name(column->type), (long long)v);
    return hal_vec_add_items(column, &room, 1, NULL, err);
}

hal_status hal_builder_float64(hal_builder *b, size_t i_col, double v, hal_err *err)
{
    hal_vec *column;
    hal_status st = column_for(b, i_col, true, &column, err);
    if (st)
        return st;
    if (column->type == HAL_TYPE_FLOAT64)
        return hal_vec_add_float64(column, v, err);
    float narrow = (float)v;
    return column->type == HAL_TYPE_FLOAT32 ? hal_vec_add_items(column, &narrow, 1, NULL, err)
                                            : other_type(b, i_col, err);
}

hal_status hal_builder_complex(hal_builder *b, size_t i_col, double re, double im, hal_err *err)
{
    hal_vec *column;
    hal_status st = column_for(b, i_col, true, &column, err);
    if (st)
        return st;
    if (column->type == HAL_TYPE_COMPLEX128)
        return hal_vec_add_items(column, (double[]){re, im}, 1, NULL, err);
    return column->type == HAL_TYPE_COMPLEX64
               ? hal_vec_add_items(column, (float[]){(float)re, (float)im}, 1, NULL, err)
               : other_type(b, i_col, err);
}

hal_status hal_builder_array(hal_builder *b, size_t i_col, const void *items, uint64_t n,
                             const uint8_t *valid, hal_err *err)
{
    hal_vec *column;
    hal_status st = column_for(b, i_col, false, &column, err);
    return st ? st : hal_vec_add_items(column, items, n, valid, err);
}

hal_status hal_builder_metadata(hal_builder *b, const hal_metadata *metadata, hal_err *err)
{
    hal_metadata copy;
    hal_status st = hal_metadata_copy(&copy, metadata, err);
    if (st)
        return st;
    hal_metadata_clear(&b->metadata);
    b->metadata = copy;
    return HAL_OK;
}

hal_status hal_builder_string(hal_builder *b, size_t i_col, hal_slice v, hal_err *err)
{
    hal_vec *column;
    hal_status st = column_for(b, i_col, true, &column, err);
    if (!st && column->type != HAL_TYPE_STRING)
        st = other_type(b, i_col, err);
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
        t = hal_table_from_parts(b->fields, b->vecs, b->n_fields, b->n_rows, &b->metadata, err);
    for (size_t i = 0; i < b->n_fields; i++)
        hal_vec_clear(&b->vecs[i]);
    b->n_rows = 0;
    return t;
}
