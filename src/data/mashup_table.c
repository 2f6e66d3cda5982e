/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/mashup.h"

#include "base/alloc.h"
#include "base/number.h"

/* The type of the values as they are; false: there are none. */
static bool type_found(const hal_mashup_seen *s, hal_type *type)
{
    bool numbers = s->ints || s->floats;
    *type = s->texts || (s->bools && numbers) || (s->wide && s->floats) ? HAL_TYPE_STRING
            : s->floats                                                 ? HAL_TYPE_FLOAT64
            : s->ints                                                   ? HAL_TYPE_INT64
                                                                        : HAL_TYPE_BOOL;
    return s->texts || s->bools || numbers;
}

/* The type that a column of a declared type takes where its values allow it. */
static hal_type type_of(const hal_mashup_seen *s, hal_mashup_kind declared)
{
    hal_type found;
    bool any = type_found(s, &found), text = any && found == HAL_TYPE_STRING;
    switch (declared) {
    case HAL_KIND_FLOAT:
        return !any || found == HAL_TYPE_INT64 || (text && !s->not_float) ? HAL_TYPE_FLOAT64
                                                                          : found;
    case HAL_KIND_INT:
        return !any || (text && !s->not_int) ? HAL_TYPE_INT64 : found;
    case HAL_KIND_BOOL:
        return !any || (text && !s->not_bool) ? HAL_TYPE_BOOL : found;
    case HAL_KIND_TEXT:
        return HAL_TYPE_STRING;
    default:
        return any ? found : HAL_TYPE_STRING;
    }
}

static void see_text(hal_mashup_seen *s, hal_slice text)
{
    int64_t i;
    double d;
    s->not_int = s->not_int || !hal_number_read_int64(text, &i);
    s->not_float = s->not_float || !(hal_number_read_double(text, &d) ||
                                     hal_slice_equals(text, hal_slice_of("Infinity")) ||
                                     hal_slice_equals(text, hal_slice_of("-Infinity")));
    s->not_bool = s->not_bool || !(hal_slice_equals(text, hal_slice_of("true")) ||
                                   hal_slice_equals(text, hal_slice_of("false")));
}

/* A double that prints as an integer does, seen quickly; the others are printed. */
static bool is_plain_int(double d)
{
    return d != 0 && d > -1e15 && d < 1e15 && d == (double)(int64_t)d;
}

/* `values`: not only their types count. */
static void see(hal_mashup_seen *s, const hal_vec *v, bool values)
{
    if (!v->typed || v->n_nulls == v->n_rows)
        return;
    bool text = v->type == HAL_TYPE_STRING, logical = v->type == HAL_TYPE_BOOL;
    s->texts = s->texts || text;
    s->bools = s->bools || logical;
    s->ints = s->ints || v->type == HAL_TYPE_INT64;
    s->floats = s->floats || v->type == HAL_TYPE_FLOAT64;
    s->not_int = s->not_int || logical;
    s->not_float = s->not_float || logical;
    s->not_bool = s->not_bool || !(text || logical);
    for (uint64_t i = 0; i < v->n_rows && values; i++) {
        char room[HAL_DOUBLE_TEXT_MAX];
        if (v->valid && !hal_bit(v->valid, i))
            continue;
        if (v->type == HAL_TYPE_INT64 && !s->wide) {
            s->wide = !hal_number_fits_double(((const int64_t *)v->values)[i]);
        } else if (v->type == HAL_TYPE_FLOAT64 && !s->not_int) {
            double d = ((const double *)v->values)[i];
            if (!is_plain_int(d))
                see_text(s, (hal_slice){room, hal_number_print_plain(room, d)});
        } else if (text && !(s->not_int && s->not_float && s->not_bool)) {
            int64_t at = v->offsets[i];
            see_text(s,
                     (hal_slice){v->bytes ? v->bytes + at : "", (size_t)(v->offsets[i + 1] - at)});
        } else {
            break;
        }
    }
}

/* By way of text where the type does not lead to `type` directly: so would all rows together. */
static hal_status convert(hal_vec *v, hal_type type, bool *done, hal_err *err)
{
    hal_status st = hal_vec_convert(v, type, type == HAL_TYPE_FLOAT64, done, err);
    if (st || *done)
        return st;
    st = hal_vec_convert(v, HAL_TYPE_STRING, false, done, err);
    return st ? st : hal_vec_convert(v, type, type == HAL_TYPE_FLOAT64, done, err);
}

/* Gives the values the type they were asked for in, if they can have it, else the one that their
 * declaration and all values so far lead to. */
static hal_status settle_type(hal_vec *v, const hal_mashup_seen *seen, hal_mashup_kind declared,
                              const hal_field *asked, hal_err *err)
{
    bool done = false;
    if (asked) {
        hal_status st = convert(v, asked->type, &done, err);
        if (st || done)
            return st;
    }
    return convert(v, type_of(seen, declared), &done, err);
}

static const char helper[] = "_selected_"; /* display helper of many services, always null */

/* One column of the result: what is known of `name` and what was met. */
static hal_status settle_column(hal_mashup *m, hal_slice name, hal_mashup_column *met,
                                const hal_field *asked, hal_field *field, hal_vec *vec,
                                hal_err *err)
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
    hal_mashup_kind kind = !declared                  ? HAL_KIND_AS_FOUND
                           : hal_mashup_is_dataset(m) ? declared->kind
                                                      : declared->generic_kind;
    hal_mashup_seen seen = {0};
    if (met) {
        see(&met->seen, &met->vec,
            m->asked.batch || (kind != HAL_KIND_AS_FOUND && kind != HAL_KIND_TEXT));
        seen = met->seen;
        *vec = met->vec;
        met->vec = (hal_vec){0};
        met->taken = true;
    }
    hal_status st = hal_vec_pad(vec, m->n_rows, err);
    return st ? st : settle_type(vec, &seen, kind, asked, err);
}

/* The column of the rows that holds the values of `name`. */
static hal_mashup_column *met_of(const hal_mashup *m, hal_slice name)
{
    if (!m->by_place)
        return hal_mashup_columns_find(&m->met, name);
    const hal_mashup_column *field = hal_mashup_columns_find(&m->fields, name);
    return field && hal_mashup_rows(m) ? &m->met.at[field - m->fields.at] : NULL;
}

/* Whether what is declared as `name`, but perhaps not met, is a column. */
static bool is_column(const hal_mashup *m, hal_slice name, const hal_mashup_column *met)
{
    if (hal_mashup_is_dataset(m))
        return !hal_slice_equals(name, hal_slice_of(helper));
    /* "info" of the missions API may name columns that were not asked for. */
    return met || m->selected.n || !hal_mashup_rows(m);
}

/* The columns in their order: as they were asked for; of a Mashup dataset as declared, without the
 * helper; of rows as selected (missions API, section 3.1), else as declared; then what else the
 * rows hold, as long as nothing declares the columns of a Mashup dataset. */
static hal_status build(hal_mashup *m, hal_table **table, hal_err *err)
{
    bool mashup = hal_mashup_is_dataset(m);
    const hal_field *asked = m->asked.batch ? m->asked.types : NULL;
    const hal_mashup_columns *first =
        !mashup && m->selected.n && !m->by_place ? &m->selected : &m->fields;
    size_t n = 0, n_first = asked ? m->asked.n_types : first->n, max = n_first + m->met.n + 1;
    hal_field *fields = hal_calloc(max, sizeof *fields);
    hal_vec *vecs = hal_calloc(max, sizeof *vecs);
    hal_status st = fields && vecs ? HAL_OK : hal_err_nomem(err, max * sizeof *vecs);
    for (size_t i = 0; i < m->met.n; i++)
        m->met.at[i].taken = false;
    for (size_t i = 0; i < n_first && !st; i++) {
        hal_slice name =
            asked ? hal_slice_of(asked[i].name) : hal_mashup_column_name(&first->at[i]);
        hal_mashup_column *met = met_of(m, name);
        if (!asked && !is_column(m, name, met))
            continue;
        st = settle_column(m, name, met, asked ? &asked[i] : NULL, &fields[n], &vecs[n], err);
        n++;
    }
    bool others = !m->by_place && !(mashup && m->fields_seen);
    for (size_t i = 0; i < m->met.n && !st && others; i++) {
        hal_mashup_column *met = &m->met.at[i];
        hal_slice name = hal_mashup_column_name(met);
        if (met->taken || ((mashup || asked) && hal_slice_equals(name, hal_slice_of(helper))))
            continue;
        st = settle_column(m, name, met, NULL, &fields[n], &vecs[n], err);
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

/* Rows that are lists have a cell for every declared column. */
static hal_status check_places(const hal_mashup *m, hal_err *err)
{
    if (m->by_place && hal_mashup_rows(m) && m->met.n != m->fields.n)
        return hal_err_set(err, HAL_E_INTEGRITY, "rows have %zu cells for %zu %s", m->met.n,
                           m->fields.n, hal_mashup_is_dataset(m) ? "fields" : "columns in info");
    return HAL_OK;
}

/* Every key of the rows must be declared: otherwise one of the two lists is damaged. */
static hal_status check_columns(const hal_mashup *m, hal_err *err)
{
    if (m->by_place)
        return check_places(m, err);
    for (size_t i = 0; i < m->met.n; i++) {
        hal_slice name = hal_mashup_column_name(&m->met.at[i]);
        if (!hal_mashup_columns_find(&m->fields, name) &&
            !hal_slice_equals(name, hal_slice_of(helper)))
            return hal_err_set(err, HAL_E_INTEGRITY, "rows have a column %s that is not in fields",
                               m->met.at[i].quoted);
    }
    return HAL_OK;
}

static hal_status deliver(hal_mashup *m, hal_err *err)
{
    const hal_reader_options *asked = &m->asked;
    hal_table *t = NULL;
    hal_status st = build(m, &t, err);
    for (uint64_t at = 0; at < m->n_rows && !st; at += asked->batch_rows) {
        uint64_t n = m->n_rows - at < asked->batch_rows ? m->n_rows - at : asked->batch_rows;
        hal_table *part = hal_table_slice(t, at, n, err);
        st = part ? asked->batch(asked->batch_ctx, part, err) : HAL_E_NOMEM;
        hal_table_unref(part);
    }
    hal_table_unref(t);
    m->delivered = true;
    return st;
}

hal_status hal_mashup_table_give(hal_mashup *m, bool all, hal_err *err)
{
    if (!m->asked.batch || !m->n_rows || (!all && m->n_rows < m->asked.batch_rows))
        return HAL_OK;
    if (m->by_place && !m->fields_seen)
        return HAL_OK; /* no column has a name yet */
    hal_status st = HAL_OK;
    if (!m->status_known || m->answer.status == HAL_ANSWER_COMPLETE || m->rows_only) {
        st = check_places(m, err);
        if (!st)
            st = deliver(m, err);
    }
    for (size_t i = 0; i < m->met.n; i++)
        hal_vec_clear(&m->met.at[i].vec); /* what is not a column, or not delivered */
    m->n_given += m->n_rows;
    m->n_rows = 0;
    return st;
}

/* Rows without the frame of a Mashup dataset. */
static hal_status check_rows(hal_mashup *m, hal_err *err)
{
    if (!m->data_seen)
        return hal_err_set(err, HAL_E_PROTOCOL,
                           "the answer has no \"status\" and no list of rows (\"data\", "
                           "\"results\" or a list of objects)");
    m->answer.status = HAL_ANSWER_COMPLETE;
    m->answer.rows = (int64_t)hal_mashup_rows(m);
    return check_places(m, err);
}

static hal_status check_dataset(const hal_mashup *m, hal_err *err)
{
    if (!m->status_known)
        return hal_err_set(err, HAL_E_PROTOCOL,
                           "the answer has no \"status\"; this is not a Mashup "
                           "dataset");
    if (m->answer.status != HAL_ANSWER_COMPLETE) {
        if (!m->delivered)
            return HAL_OK;
        return hal_err_set(err, HAL_E_INTEGRITY,
                           "the answer says that it is not complete behind %llu rows that were "
                           "taken already; ask again%s%s",
                           (unsigned long long)hal_mashup_rows(m), *m->answer.message ? ": " : "",
                           m->answer.message);
    }
    if (!m->data_seen || !m->fields_seen)
        return hal_err_set(err, HAL_E_INTEGRITY, "a COMPLETE answer without its list of %s",
                           m->data_seen ? "fields" : "rows");
    hal_status st = check_columns(m, err);
    if (!st && m->answer.rows > 0 && hal_mashup_rows(m) < (uint64_t)m->answer.rows)
        st = hal_err_set(err, HAL_E_INTEGRITY, "the answer says %lld rows and holds %llu",
                         (long long)m->answer.rows, (unsigned long long)hal_mashup_rows(m));
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
            (unsigned long long)hal_mashup_rows(m));
    st = hal_mashup_is_dataset(m) ? check_dataset(m, err) : check_rows(m, err);
    if (!st && m->answer.status == HAL_ANSWER_COMPLETE) {
        st = hal_mashup_table_give(m, true, err);
        if (!st)
            st = build(m, &built, err);
    }
    if (st)
        return st;
    *answer = m->answer;
    *table = built;
    return HAL_OK;
}
