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
    hal_free(l->slots);
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

/* The slot that holds `name` or is free for it. */
static uint32_t *slot_of(const hal_mashup_columns *l, hal_slice name)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < name.size_bytes; i++)
        h = (h ^ (unsigned char)name.data[i]) * 16777619u;
    size_t i = h & (l->n_slots - 1);
    while (l->slots[i] && !hal_slice_equals(hal_mashup_column_name(&l->at[l->slots[i] - 1]), name))
        i = (i + 1) & (l->n_slots - 1);
    return &l->slots[i];
}

hal_mashup_column *hal_mashup_columns_find(const hal_mashup_columns *l, hal_slice name)
{
    uint32_t *slot = l->n_slots ? slot_of(l, name) : NULL;
    return slot && *slot ? &l->at[*slot - 1] : NULL;
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

/* Adds a column named `name`, which is not there yet. */
hal_status hal_mashup_columns_add(hal_mashup_columns *l, hal_slice name, size_t max, hal_err *err)
{
    if (2 * (l->n + 1) > l->n_slots) {
        size_t n_slots = l->n_slots ? 2 * l->n_slots : 64;
        uint32_t *slots = hal_calloc(n_slots, sizeof *slots);
        if (!slots)
            return hal_err_nomem(err, n_slots * sizeof *slots);
        hal_free(l->slots);
        l->slots = slots;
        l->n_slots = n_slots;
        for (size_t i = 0; i < l->n; i++)
            *slot_of(l, hal_mashup_column_name(&l->at[i])) = (uint32_t)i + 1;
    }
    hal_status st = hal_mashup_columns_add_unnamed(l, max, err);
    if (st)
        return st;
    st = hal_mashup_column_set_name(&l->at[l->n - 1], name, err);
    if (st)
        l->n--;
    else
        *slot_of(l, name) = (uint32_t)l->n;
    return st;
}
