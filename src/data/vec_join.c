/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/vec_join.h"

#include "base/alloc.h"

hal_status hal_vec_append_valid(hal_vec *v, const uint8_t *bits, uint64_t n, uint64_t n_nulls,
                                hal_err *err)
{
    if (!n_nulls && !v->valid)
        return HAL_OK;
    uint64_t row = v->n_rows;
    if (!v->valid) {
        size_t size = (size_t)((v->capacity + 7) / 8);
        v->valid = hal_calloc(1, size);
        if (!v->valid)
            return hal_err_nomem(err, size);
        memset(v->valid, 0xff, (size_t)(row / 8));
        if (row % 8)
            v->valid[row / 8] = (uint8_t)((1u << row % 8) - 1);
    }
    unsigned shift = (unsigned)(row % 8);
    uint8_t *to = v->valid + row / 8;
    for (uint64_t i = 0; i < n; i += 8) {
        unsigned left = n - i < 8 ? (unsigned)(n - i) : 8;
        unsigned byte = bits[i / 8] & ((1u << left) - 1);
        to[0] = (uint8_t)((to[0] & ((1u << shift) - 1)) | byte << shift);
        if (shift && left + shift > 8)
            to[1] = (uint8_t)(byte >> (8 - shift));
        to++;
    }
    v->n_nulls += n_nulls;
    return HAL_OK;
}

hal_status hal_vec_bytes_room(hal_vec *v, uint64_t n, hal_err *err)
{
    uint64_t need = (uint64_t)v->offsets[v->n_rows] + n;
    if (need <= v->bytes_capacity)
        return HAL_OK;
    uint64_t capacity = need < 2 * v->bytes_capacity ? 2 * v->bytes_capacity : need;
    char *grown = hal_realloc(v->bytes, (size_t)capacity);
    if (!grown)
        return hal_err_nomem(err, (size_t)capacity);
    v->bytes = grown;
    v->bytes_capacity = capacity;
    return HAL_OK;
}

/* Gives both columns the narrowest type that holds all their values. */
static hal_status unite(hal_vec *a, hal_vec *b, hal_err *err)
{
    bool done = false;
    hal_status st = HAL_OK;
    if (a->type == HAL_TYPE_INT64 && b->type == HAL_TYPE_FLOAT64)
        st = hal_vec_convert(a, HAL_TYPE_FLOAT64, false, &done, err);
    else if (a->type == HAL_TYPE_FLOAT64 && b->type == HAL_TYPE_INT64)
        st = hal_vec_convert(b, HAL_TYPE_FLOAT64, false, &done, err);
    if (st || done)
        return st;
    st = hal_vec_convert(a, HAL_TYPE_STRING, false, &done, err);
    return st ? st : hal_vec_convert(b, HAL_TYPE_STRING, false, &done, err);
}

static hal_status join_texts(hal_vec *v, const hal_vec *from, hal_err *err)
{
    uint64_t n = from->n_rows;
    hal_status st = hal_vec_bytes_room(v, (uint64_t)(from->offsets[n] - from->offsets[0]), err);
    if (st)
        return st;
    int64_t at = v->offsets[v->n_rows];
    if (from->offsets[n])
        memcpy(v->bytes + at, from->bytes, (size_t)from->offsets[n]);
    for (uint64_t i = 1; i <= n; i++)
        v->offsets[v->n_rows + i] = at + from->offsets[i];
    return HAL_OK;
}

hal_status hal_vec_extend(hal_vec *v, hal_vec *from, hal_err *err)
{
    uint64_t n = from->n_rows;
    hal_status st = HAL_OK;
    if (!n)
        return HAL_OK;
    if (!from->typed)
        return hal_vec_pad(v, v->n_rows + n, err);
    if (!v->typed)
        st = hal_vec_set_type(v, from->type, err);
    else if (v->type != from->type)
        st = unite(v, from, err);
    if (!st)
        st = hal_vec_grow(v, n, err);
    if (st)
        return st;
    if (v->type == HAL_TYPE_STRING)
        st = join_texts(v, from, err);
    else if (v->type == HAL_TYPE_BOOL)
        for (uint64_t i = 0; i < n; i++) {
            uint8_t *byte = (uint8_t *)v->values + (v->n_rows + i) / 8;
            uint8_t bit = (uint8_t)(1u << (v->n_rows + i) % 8);
            bool on = ((const uint8_t *)from->values)[i / 8] >> i % 8 & 1;
            *byte = (uint8_t)(on ? *byte | bit : *byte & ~bit);
        }
    else
        memcpy((int64_t *)v->values + v->n_rows, from->values, (size_t)n * 8);
    if (!st && from->valid)
        st = hal_vec_append_valid(v, from->valid, n, from->n_nulls, err);
    else if (!st && v->valid)
        for (uint64_t i = v->n_rows; i < v->n_rows + n; i++)
            v->valid[i / 8] = (uint8_t)(v->valid[i / 8] | 1u << i % 8);
    if (!st)
        v->n_rows += n;
    return st;
}
