/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/mashup_column.h"

#include "base/alloc.h"

void hal_mashup_column_clear(hal_mashup_column *c)
{
    hal_free(c->quoted);
    hal_free(c->unit);
    hal_free(c->ucd);
    hal_free(c->description);
    hal_vec_clear(&c->vec);
    *c = (hal_mashup_column){0};
}

void hal_mashup_columns_clear(hal_mashup_columns *l)
{
    for (size_t i = 0; i < l->n; i++)
        hal_mashup_column_clear(&l->at[i]);
    hal_free(l->at);
    hal_names_clear(&l->names);
    *l = (hal_mashup_columns){0};
}

hal_slice hal_mashup_column_name(const hal_mashup_column *c)
{
    return (hal_slice){c->quoted ? c->quoted + 1 : "", c->name_size};
}

hal_status hal_mashup_column_set_name(hal_mashup_column *c, hal_slice name, hal_err *err)
{
    if (memchr(name.data, '\0', name.size_bytes))
        return hal_err_set(err, HAL_E_INTEGRITY, "a column name contains a NUL character");
    size_t size = name.size_bytes + 3 + HAL_MASHUP_NAME_SLACK;
    char *quoted = hal_calloc(1, size);
    if (!quoted)
        return hal_err_nomem(err, size);
    quoted[0] = quoted[name.size_bytes + 1] = '"';
    memcpy(quoted + 1, name.data, name.size_bytes);
    hal_free(c->quoted);
    c->quoted = quoted;
    c->name_size = name.size_bytes;
    c->plain = true;
    for (size_t i = 0; i < name.size_bytes; i++)
        c->plain = c->plain && name.data[i] != '"' && name.data[i] != '\\' &&
                   (unsigned char)name.data[i] >= 0x20;
    return HAL_OK;
}

static hal_slice name_of(const void *list, size_t i)
{
    return hal_mashup_column_name(&((const hal_mashup_columns *)list)->at[i]);
}

hal_mashup_column *hal_mashup_columns_find(const hal_mashup_columns *l, hal_slice name)
{
    size_t i = hal_names_find(&l->names, name_of, l, name);
    return i == SIZE_MAX ? NULL : &l->at[i];
}

hal_status hal_mashup_columns_add_unnamed(hal_mashup_columns *l, size_t max, hal_err *err)
{
    if (l->n == max)
        return hal_err_set(err, HAL_E_BUDGET, "more than %zu columns", max);
    if (l->n == l->capacity) {
        size_t capacity = l->capacity ? 2 * l->capacity : 32;
        hal_mashup_column *grown = hal_realloc(l->at, capacity * sizeof *grown);
        if (!grown)
            return hal_err_nomem(err, capacity * sizeof *grown);
        l->at = grown;
        l->capacity = capacity;
    }
    l->at[l->n++] = (hal_mashup_column){0};
    return HAL_OK;
}

hal_status hal_mashup_columns_add(hal_mashup_columns *l, hal_slice name, size_t max, hal_err *err)
{
    hal_status st = hal_mashup_columns_add_unnamed(l, max, err);
    if (st)
        return st;
    st = hal_mashup_column_set_name(&l->at[l->n - 1], name, err);
    if (!st)
        st = hal_names_add(&l->names, name_of, l, l->n - 1, err);
    if (st)
        hal_mashup_column_clear(&l->at[--l->n]);
    return st;
}
