/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/vec_join.h"

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

hal_status hal_vec_extend(hal_vec *v, hal_vec *from, hal_err *err)
{
    hal_status st = HAL_OK;
    if (!from->n_rows)
        return HAL_OK;
    if (!from->typed)
        return hal_vec_pad(v, v->n_rows + from->n_rows, err);
    if (!v->typed)
        st = hal_vec_set_type(v, from->type, err);
    else if (v->type != from->type)
        st = unite(v, from, err);
    if (st)
        return st;
    const hal_column rows = hal_vec_column(from);
    return hal_vec_append(v, &rows, 0, from->n_rows, err);
}
