/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/mashup.h"

#include "base/alloc.h"

/* Gives the values of a column the type its declaration asks for, where they allow it. */
static hal_status settle_type(hal_vec *v, hal_mashup_kind declared, hal_err *err)
{
    bool done;
    switch (declared) {
    case HAL_KIND_FLOAT:
        return hal_vec_convert(v, HAL_TYPE_FLOAT64, true, &done, err);
    case HAL_KIND_INT:
        if (v->typed && v->type == HAL_TYPE_FLOAT64)
            return HAL_OK;
        return hal_vec_convert(v, HAL_TYPE_INT64, false, &done, err);
    case HAL_KIND_BOOL:
        return hal_vec_convert(v, HAL_TYPE_BOOL, false, &done, err);
    case HAL_KIND_TEXT:
        return hal_vec_convert(v, HAL_TYPE_STRING, false, &done, err);
    default:
        return v->typed ? HAL_OK : hal_vec_set_type(v, HAL_TYPE_STRING, err);
    }
}

static const char helper[] = "_selected_"; /* display helper of many services, always null */

/* Every key of the rows must be declared: otherwise one of the two lists is damaged. */
static hal_status check_columns(const hal_mashup *m, hal_err *err)
{
    if (m->by_place) {
        if (m->n_rows && m->met.n != m->fields.n)
            return hal_err_set(err, HAL_E_INTEGRITY, "rows have %zu cells for %zu fields", m->met.n,
                               m->fields.n);
        return HAL_OK;
    }
    for (size_t i = 0; i < m->met.n; i++) {
        hal_slice name = hal_mashup_column_name(&m->met.at[i]);
        if (!hal_mashup_columns_find(&m->fields, name) &&
            !hal_slice_equals(name, hal_slice_of(helper)))
            return hal_err_set(err, HAL_E_INTEGRITY, "rows have a column %s that is not in fields",
                               m->met.at[i].quoted);
    }
    return HAL_OK;
}

/* One column of the result: what is known of `name` and what was met. */
static hal_status settle_column(hal_mashup *m, hal_slice name, hal_mashup_column *met,
                                hal_field *field, hal_vec *vec, hal_err *err)
{
    const hal_mashup_column *declared = hal_mashup_columns_find(&m->fields, name);
    const hal_mashup_column *about = hal_mashup_columns_find(&m->described, name);
    if (!about)
        about = declared;
    char *copy = hal_strndup(name.data, name.size_bytes);
    if (!copy)
        return hal_err_nomem(err, name.size_bytes);
    *field = (hal_field){.name = copy,
                         .unit = about ? about->unit : NULL,
                         .ucd = about ? about->ucd : NULL,
                         .description = about ? about->description : NULL};
    if (met) {
        *vec = met->vec;
        met->vec = (hal_vec){0};
        met->taken = true;
    }
    hal_status st = hal_vec_pad(vec, m->n_rows, err);
    if (!declared)
        return st ? st : settle_type(vec, HAL_KIND_AS_FOUND, err);
    return st ? st
              : settle_type(vec, hal_mashup_is_dataset(m) ? declared->kind : declared->generic_kind,
                            err);
}

/* The columns in their order: of a Mashup dataset as declared, without the helper; of rows as
 * selected (missions API, section 3.1), else as declared, then what else the rows hold. */
static hal_status build(hal_mashup *m, hal_table **table, hal_err *err)
{
    bool mashup = hal_mashup_is_dataset(m), selected = !mashup && m->selected.n;
    const hal_mashup_columns *first = selected ? &m->selected : &m->fields;
    size_t n = 0, max = first->n + m->met.n + 1;
    hal_field *fields = hal_calloc(max, sizeof *fields);
    hal_vec *vecs = hal_calloc(max, sizeof *vecs);
    hal_status st = fields && vecs ? HAL_OK : hal_err_nomem(err, max * sizeof *vecs);
    for (size_t i = 0; i < first->n && !st; i++) {
        hal_slice name = hal_mashup_column_name(&first->at[i]);
        hal_mashup_column *met = m->by_place ? (m->n_rows ? &m->met.at[i] : NULL)
                                             : hal_mashup_columns_find(&m->met, name);
        bool helping = mashup && hal_slice_equals(name, hal_slice_of(helper));
        /* "info" of the missions API may name columns that were not asked for. */
        if (helping || (!mashup && !selected && !met && m->n_rows && !m->by_place))
            continue;
        st = settle_column(m, name, met, &fields[n], &vecs[n], err);
        n++;
    }
    for (size_t i = 0; i < m->met.n && !st && !m->by_place && !mashup; i++)
        if (!m->met.at[i].taken) {
            st = settle_column(m, hal_mashup_column_name(&m->met.at[i]), &m->met.at[i], &fields[n],
                               &vecs[n], err);
            n++;
        }
    if (!st) {
        *table = hal_table_from_vecs(fields, vecs, n, m->n_rows, err);
        st = *table ? HAL_OK : HAL_E_NOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        hal_vec_clear(&vecs[i]);
        hal_free((char *)(uintptr_t)fields[i].name);
    }
    hal_free(vecs);
    hal_free(fields);
    return st;
}

/* Rows without the frame of a Mashup dataset. */
static hal_status finish_rows(hal_mashup *m, hal_answer *answer, hal_table **table, hal_err *err)
{
    if (!m->data_seen)
        return hal_err_set(err, HAL_E_PROTOCOL,
                           "the answer has no \"status\" and no list of rows (\"data\", "
                           "\"results\" or a list of objects)");
    if (m->by_place && m->n_rows && m->met.n != m->fields.n)
        return hal_err_set(err, HAL_E_INTEGRITY, "rows have %zu cells for %zu columns in info",
                           m->met.n, m->fields.n);
    m->answer.status = HAL_ANSWER_COMPLETE;
    m->answer.rows = (int64_t)m->n_rows;
    hal_status st = build(m, table, err);
    if (!st)
        *answer = m->answer;
    return st;
}

hal_status hal_mashup_table_finish(hal_mashup *m, hal_answer *answer, hal_table **table,
                                   hal_err *err)
{
    hal_table *built = NULL;
    hal_status st = hal_mashup_blocks_leave(m, err);
    if (st)
        return st;
    if (!m->over && !m->json.complete)
        return hal_err_set(
            err, HAL_E_INTEGRITY,
            "the answer is cut: it ends at byte %llu, after %llu whole rows; ask again",
            (unsigned long long)(hal_json_offset(&m->json) + (uint64_t)(m->json.end - m->json.p)),
            (unsigned long long)m->n_rows);
    if (!hal_mashup_is_dataset(m))
        return finish_rows(m, answer, table, err);
    if (!m->status_known)
        return hal_err_set(err, HAL_E_PROTOCOL,
                           "the answer has no \"status\"; this is not a Mashup "
                           "dataset");
    if (m->answer.status == HAL_ANSWER_COMPLETE) {
        if (!m->data_seen || !m->fields_seen)
            return hal_err_set(err, HAL_E_INTEGRITY, "a COMPLETE answer without its list of %s",
                               m->data_seen ? "fields" : "rows");
        st = check_columns(m, err);
        if (st)
            return st;
        if (m->answer.rows > 0 && m->n_rows < (uint64_t)m->answer.rows)
            return hal_err_set(err, HAL_E_INTEGRITY, "the answer says %lld rows and holds %llu",
                               (long long)m->answer.rows, (unsigned long long)m->n_rows);
        st = build(m, &built, err);
        if (st)
            return st;
    }
    *answer = m->answer;
    *table = built;
    return HAL_OK;
}
