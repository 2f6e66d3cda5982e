/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/mashup.h"

#include "base/alloc.h"

hal_status hal_mashup_rows_too_many(const hal_mashup *m, hal_err *err)
{
    return hal_err_set(err, HAL_E_BUDGET, "more than %llu rows",
                       (unsigned long long)m->asked.limits.rows_max);
}

hal_status hal_mashup_rows_check_missing(const hal_mashup *m, hal_err *err)
{
    uint64_t paid = 16 * hal_json_offset(&m->json) + 1000000;
    if (HAL_UNLIKELY(hal_mashup_rows(m) * m->met.n > paid)) /* 2^40 rows of 2^23 columns fit */
        return hal_err_set(err, HAL_E_BUDGET, "%llu rows of %zu columns, nearly all missing",
                           (unsigned long long)hal_mashup_rows(m), m->met.n);
    return HAL_OK;
}

hal_status hal_mashup_rows_begin(hal_mashup *m, hal_err *err)
{
    if (hal_mashup_rows(m) == m->asked.limits.rows_max)
        return hal_mashup_rows_too_many(m, err);
    m->i_cell = 0;
    return hal_mashup_rows_check_missing(m, err);
}

static hal_status remember_order(hal_mashup *m, size_t i_column, hal_err *err)
{
    if (m->i_cell == m->order_capacity) {
        size_t capacity = m->order_capacity ? 2 * m->order_capacity : 64;
        uint32_t *grown = hal_realloc(m->order, capacity * sizeof *grown);
        if (!grown)
            return hal_err_nomem(err, capacity * sizeof *grown);
        memset(grown + m->order_capacity, 0, (capacity - m->order_capacity) * sizeof *grown);
        m->order = grown;
        m->order_capacity = capacity;
    }
    m->order[m->i_cell++] = (uint32_t)i_column;
    return HAL_OK;
}

hal_status hal_mashup_rows_key(hal_mashup *m, hal_err *err)
{
    hal_slice name = m->json.text;
    hal_mashup_column *c = hal_mashup_columns_find(&m->met, name);
    hal_status st = HAL_OK;
    if (!c) {
        st = hal_mashup_columns_add(&m->met, name, m->asked.limits.columns_max, err);
        if (st)
            return st;
        c = &m->met.at[m->met.n - 1];
    }
    m->cell = c;
    return remember_order(m, (size_t)(c - m->met.at), err);
}

hal_status hal_mashup_rows_cell(hal_mashup *m, hal_json_event event, hal_err *err)
{
    hal_mashup_column *c = m->cell;
    hal_vec *v = &c->vec;
    hal_status st = HAL_OK;
    if (HAL_UNLIKELY(v->n_rows != m->n_rows)) {
        if (v->n_rows > m->n_rows)
            return hal_err_set(err, HAL_E_INTEGRITY, "byte %llu: row %llu has the key %s twice",
                               (unsigned long long)hal_json_offset(&m->json),
                               (unsigned long long)hal_mashup_rows(m), c->quoted);
        st = hal_vec_pad(v, m->n_rows, err);
        if (st)
            return st;
    }
    switch (event) {
    case HAL_JSON_INT:
        st = hal_vec_add_int64(v, m->json.i, err);
        break;
    case HAL_JSON_FLOAT:
        st = hal_vec_add_float64(v, m->json.d, err);
        break;
    case HAL_JSON_STRING:
    case HAL_JSON_BIG:
        st = hal_vec_add_string(v, m->json.text, err);
        break;
    case HAL_JSON_TRUE:
    case HAL_JSON_FALSE:
        st = hal_vec_add_bool(v, event == HAL_JSON_TRUE, err);
        break;
    case HAL_JSON_NULL:
        st = hal_vec_pad(v, m->n_rows + 1, err);
        break;
    default:
        return hal_mashup_wrong(m, err, "a cell holds an object or array");
    }
    m->cell = NULL;
    return st;
}

hal_status hal_mashup_rows_cell_by_place(hal_mashup *m, hal_json_event event, hal_err *err)
{
    hal_status st = HAL_OK;
    if (m->i_cell == m->met.n) {
        if (hal_mashup_rows(m) > 0)
            return hal_mashup_wrong(m, err, "a row has more cells than the rows before");
        st = hal_mashup_columns_add_unnamed(&m->met, m->asked.limits.columns_max, err);
        if (st)
            return st;
    }
    m->cell = &m->met.at[m->i_cell++];
    return hal_mashup_rows_cell(m, event, err);
}

hal_status hal_mashup_rows_end(hal_mashup *m, hal_err *err)
{
    if (m->by_place && m->i_cell != m->met.n)
        return hal_err_set(err, HAL_E_INTEGRITY, "byte %llu: row %llu has %zu cells, not %zu",
                           (unsigned long long)hal_json_offset(&m->json),
                           (unsigned long long)hal_mashup_rows(m), m->i_cell, m->met.n);
    m->n_rows++;
    return m->asked.batch ? hal_mashup_table_give(m, false, err) : HAL_OK;
}

bool hal_mashup_rows_predicted_key(hal_mashup *m)
{
    if (m->i_cell >= m->order_capacity)
        return false;
    uint32_t i = m->order[m->i_cell];
    if (i >= m->met.n || !m->met.at[i].plain)
        return false;
    hal_mashup_column *c = &m->met.at[i];
    if (!hal_json_take_key(&m->json, (hal_slice){c->quoted, c->name_size + 2}))
        return false;
    m->cell = c;
    m->i_cell++;
    return true;
}
