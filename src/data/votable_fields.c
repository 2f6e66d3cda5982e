/* SPDX-License-Identifier: BSD-3-Clause */
/* What a VOTable declares and says of itself: FIELDs and the columns they make, INFO, PARAM and
 * their like, the status. */
#include "data/votable_reader.h"

#include "base/alloc.h"
#include "base/number.h"

#include <stdio.h>
#include <strings.h>

enum { META_MAX = 32 << 20 }; /* bytes of names, units, descriptions, messages together */

char *hal_vo_keep(hal_votable *v, const char *text, size_t n)
{
    char *copy = NULL;
    if ((v->meta_bytes += n + 1) > META_MAX)
        hal_vo_fail(v, hal_err_set(v->err, HAL_E_BUDGET,
                                   "names and descriptions of the VOTable are larger than 32 MiB"));
    else if (!(copy = hal_strndup(text, n)))
        hal_vo_fail(v, hal_err_nomem(v->err, n + 1));
    return copy;
}

const char *hal_vo_attribute(const XML_Char **a, const char *name)
{
    for (; *a; a += 2) {
        const char *colon = strchr(a[0], ':');
        if (!strcmp(colon ? colon + 1 : a[0], name))
            return a[1];
    }
    return NULL;
}

static void field_clear(hal_vo_declared *d)
{
    const char *texts[] = {d->field.name,  d->field.unit,  d->field.ucd, d->field.description,
                           d->field.utype, d->field.xtype, d->field.id,  d->field.original_name};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        hal_free((char *)texts[i]);
    hal_free(d->datatype);
    hal_free(d->arraysize);
    hal_free(d->null_text);
    *d = (hal_vo_declared){0};
}

void hal_vo_header_clear(hal_vo_header *h)
{
    for (size_t i = 0; i < h->n; i++)
        field_clear(&h->list[i]);
    hal_free(h->list);
    hal_free(h->id);
    *h = (hal_vo_header){0};
}

/* One more entry in an array that grows by doubling; NULL when there is no memory. */
static void *one_more(hal_votable *v, void *list, size_t n, size_t *capacity, size_t size)
{
    if (n < *capacity)
        return list;
    size_t grown = *capacity ? 2 * *capacity : 32;
    void *larger = hal_realloc(list, grown * size);
    if (!larger)
        hal_vo_fail(v, hal_err_nomem(v->err, grown * size));
    else
        *capacity = grown;
    return larger;
}

hal_slice hal_vo_trim(hal_slice text)
{
    hal_slice s = hal_format_skip_blanks(text);
    while (s.size_bytes && (unsigned char)s.data[s.size_bytes - 1] <= ' ')
        s.size_bytes--;
    return s;
}

void hal_vo_add_meta(hal_votable *v, hal_meta_kind kind, const XML_Char **a)
{
    hal_attribute attributes[HAL_VO_ATTRIBUTES_MAX];
    hal_meta item = {.kind = kind, .attributes = attributes};
    for (const XML_Char **p = a; *p; p += 2) {
        v->meta_bytes += strlen(p[0]) + strlen(p[1]) + 64;
        if (!strcmp(p[0], "name"))
            item.name = p[1];
        else if (!strcmp(p[0], "value"))
            item.value = p[1];
        else if (!strchr(p[0], ':') && strncmp(p[0], "xmlns", 5) != 0)
            attributes[item.n_attributes++] = (hal_attribute){p[0], p[1]};
    }
    if (v->meta_bytes > META_MAX) {
        hal_vo_fail(v, hal_err_set(v->err, HAL_E_BUDGET,
                                   "names and descriptions of the VOTable are larger than 32 MiB"));
        return;
    }
    hal_vo_place *places =
        one_more(v, v->places, v->metadata.n_items, &v->places_capacity, sizeof *places);
    if (!places)
        return;
    v->places = places;
    places[v->metadata.n_items] =
        (hal_vo_place){NULL, v->scopes[v->depth - 1], v->results[v->depth - 1]};
    hal_status st = hal_metadata_add(&v->metadata, &item, v->err);
    if (st)
        hal_vo_fail(v, st);
}

void hal_vo_start_field(hal_votable *v, const XML_Char **a)
{
    hal_vo_header *h = &v->current;
    if (h->n == v->setup.asked.limits.columns_max) {
        hal_vo_fail(v, hal_err_set(v->err, HAL_E_BUDGET, "a TABLE of more than %zu columns", h->n));
        return;
    }
    hal_vo_declared *list = one_more(v, h->list, h->n, &h->capacity, sizeof *list);
    if (!list)
        return;
    h->list = list;
    hal_vo_declared *d = &list[h->n++];
    *d = (hal_vo_declared){0};
    const struct {
        const char *name, **to;
    } texts[] = {
        {"name", &d->field.name},   {"unit", &d->field.unit},   {"ucd", &d->field.ucd},
        {"utype", &d->field.utype}, {"xtype", &d->field.xtype}, {"ID", &d->field.id},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *text = hal_vo_attribute(a, texts[i].name);
        if (!(*texts[i].to = hal_vo_keep(v, text ? text : "", text ? strlen(text) : 0)))
            return;
    }
    const char *datatype = hal_vo_attribute(a, "datatype"),
               *size = hal_vo_attribute(a, "arraysize");
    d->datatype = hal_vo_keep(v, datatype ? datatype : "", datatype ? strlen(datatype) : 0);
    if (d->datatype)
        d->arraysize = hal_vo_keep(v, size ? size : "", size ? strlen(size) : 0);
}

static hal_slice name_of(const void *list, size_t i)
{
    return hal_slice_of(((const hal_votable *)list)->fields[i].name);
}

static bool name_is_taken(const hal_votable *v, const char *name)
{
    return hal_names_find(&v->names, name_of, v, hal_slice_of(name)) != SIZE_MAX;
}

static void take_name(hal_votable *v, size_t i, const char *name)
{
    v->fields[i].name = name;
    hal_status st = hal_names_add(&v->names, name_of, v, i, v->err);
    if (st)
        hal_vo_fail(v, st);
}

static const char *declared_name(const hal_vo_declared *d)
{
    const char *name = d->field.original_name ? d->field.original_name : d->field.name;
    return *name ? name : d->field.id;
}

/* A name no column before has; the declared one stays as original_name. The second of a name gets
 * "_2", the third "_3". Where such a name is declared too, `*next` goes on from the number of
 * columns over all of them: no number is tried twice, however columns are named. */
static void name_column(hal_votable *v, size_t i, size_t *next)
{
    hal_vo_declared *d = &v->mine.list[i];
    const char *name = declared_name(d);
    if (*name && !name_is_taken(v, name)) {
        take_name(v, i, name);
        return;
    }
    size_t n_before = 0;
    for (size_t k = 0; k < i; k++)
        n_before += !strcmp(declared_name(&v->mine.list[k]), name);
    char text[1100];
    if (*name)
        snprintf(text, sizeof text, "%.1000s_%zu", name, n_before ? n_before + 1 : 2);
    else
        snprintf(text, sizeof text, "column_%zu", i + 1);
    while (name_is_taken(v, text))
        snprintf(text, sizeof text, "%.1000s_%zu", *name ? name : "column", ++*next);
    char *own = hal_vo_keep(v, text, strlen(text));
    if (!own)
        return;
    d->field.original_name = d->field.name;
    d->field.name = own;
    take_name(v, i, own);
    v->fields[i].original_name = d->field.original_name;
}

static bool copy_header(hal_votable *v, hal_vo_header *to, const hal_vo_header *from)
{
    to->list = hal_calloc(from->n ? from->n : 1, sizeof *to->list);
    if (!to->list) {
        hal_vo_fail(v, hal_err_nomem(v->err, from->n * sizeof *to->list));
        return false;
    }
    to->capacity = from->n;
    for (size_t i = 0; i < from->n; i++) {
        const hal_vo_declared *f = &from->list[i];
        hal_vo_declared *d = &to->list[to->n++];
        const struct {
            const char *from, **to;
        } texts[] = {{f->field.name, &d->field.name},
                     {f->field.unit, &d->field.unit},
                     {f->field.ucd, &d->field.ucd},
                     {f->field.utype, &d->field.utype},
                     {f->field.xtype, &d->field.xtype},
                     {f->field.id, &d->field.id},
                     {f->field.description, &d->field.description},
                     {f->datatype, (const char **)&d->datatype},
                     {f->arraysize, (const char **)&d->arraysize},
                     {f->null_text, (const char **)&d->null_text}};
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
            if (texts[k].from &&
                !(*texts[k].to = hal_vo_keep(v, texts[k].from, strlen(texts[k].from))))
                return false;
    }
    return true;
}

void hal_vo_lay_out(hal_votable *v)
{
    if (v->laid_out)
        return;
    v->laid_out = true;
    if (v->current.n == 0 && v->table_ref)
        for (size_t i = 0; i < v->n_known; i++)
            if (!strcmp(v->known[i].id, v->table_ref) && !copy_header(v, &v->current, &v->known[i]))
                return;
    if (!copy_header(v, &v->mine, &v->current))
        return;
    size_t n = v->mine.n;
    v->columns = hal_calloc(n + 1, sizeof *v->columns);
    v->fields = hal_calloc(n + 1, sizeof *v->fields);
    v->vecs = hal_calloc(n + 1, sizeof *v->vecs);
    if (!v->columns || !v->fields || !v->vecs) {
        hal_vo_fail(v, hal_err_nomem(v->err, (n + 1) * sizeof *v->columns));
        return;
    }
    v->n_columns = n;
    size_t next_suffix = n;
    for (size_t i = 0; i < n && !v->st; i++) {
        hal_vo_declared *d = &v->mine.list[i];
        v->fields[i] = d->field;
        name_column(v, i, &next_suffix);
        if (v->st)
            return;
        hal_status st = hal_vo_column_init(&v->columns[i], v->fields[i].name, d->datatype,
                                           d->arraysize, d->null_text, v->err);
        v->fields[i].type = v->columns[i].type;
        v->fields[i].width = (int32_t)v->columns[i].width;
        v->fields[i].shape = strchr(d->arraysize, 'x') ? d->arraysize : "";
        v->fields[i].null_value = d->null_text;
        if (!st)
            st = hal_vo_vec_init(&v->columns[i], &v->vecs[i], v->err);
        if (st)
            hal_vo_fail(v, st);
    }
}

void hal_vo_remember(hal_votable *v)
{
    if (!v->current.id || !v->current.n ||
        v->known_columns + v->current.n > v->setup.asked.limits.columns_max)
        return;
    hal_vo_header *known = hal_realloc(v->known, (v->n_known + 1) * sizeof *known);
    if (!known) {
        hal_vo_fail(v, hal_err_nomem(v->err, (v->n_known + 1) * sizeof *known));
        return;
    }
    v->known = known;
    v->known_columns += v->current.n;
    known[v->n_known++] = v->current;
    v->current = (hal_vo_header){0};
}

static bool in_path(const hal_votable *v, size_t i)
{
    const hal_vo_place *p = &v->places[i];
    if (p->scope == 0)
        return true;
    for (size_t k = 0; k < v->n_path; k++)
        if (v->path[k] == p->scope)
            return true;
    return false;
}

static bool is_status(const hal_meta *m)
{
    return m->kind == HAL_META_INFO && !strcasecmp(m->name, "QUERY_STATUS");
}

/* A QUERY_STATUS has its reason as text (DALI 1.1 section 4.4.1), an Error as value (SCS 1.03
 * section 2.3). */
static void set_message(const hal_votable *v, hal_answer *answer, size_t i)
{
    const char *content = v->places[i].text ? v->places[i].text : "";
    const char *value = v->metadata.items[i].value;
    const char *text = *content && (is_status(&v->metadata.items[i]) || !*value) ? content : value;
    answer->status = HAL_ANSWER_ERROR;
    snprintf(answer->message, sizeof answer->message, "%s", *text ? text : "no reason is given");
}

/* INFO or PARAM of name or ID "Error" (SCS 1.03 section 2.3; any case is met). */
static bool is_error(const hal_meta *m)
{
    if ((m->kind != HAL_META_INFO && m->kind != HAL_META_PARAM) || is_status(m))
        return false;
    if (!strcasecmp(m->name, "Error"))
        return true;
    for (size_t i = 0; i < m->n_attributes; i++)
        if (!strcmp(m->attributes[i].name, "ID") && !strcasecmp(m->attributes[i].value, "Error"))
            return true;
    return false;
}

/* DALI 1.1 section 4.4: any ERROR, else any OVERFLOW, else OK. Cone searches have no status. */
void hal_vo_settle_status(hal_votable *v, hal_answer *answer, const char **status)
{
    size_t error = SIZE_MAX;
    *status = "";
    for (size_t i = 0; i < v->metadata.n_items; i++) {
        const hal_meta *m = &v->metadata.items[i];
        if (v->chosen && !in_path(v, i) && !v->places[i].in_results)
            continue;
        if (is_error(m) && error == SIZE_MAX)
            error = i;
        if (!is_status(m))
            continue;
        if (!strcasecmp(m->value, "ERROR")) {
            *status = "ERROR";
            if (answer->status != HAL_ANSWER_ERROR)
                set_message(v, answer, i);
        } else if (!strcasecmp(m->value, "OVERFLOW")) {
            *status = "OVERFLOW";
        } else if (!strcasecmp(m->value, "OK") && !**status) {
            *status = "OK";
        }
    }
    if (error != SIZE_MAX && !**status)
        set_message(v, answer, error);
}

static hal_status own_metadata(hal_votable *v, const char *status, hal_metadata *out)
{
    hal_status st = hal_metadata_set(&out->name, hal_slice_of(v->metadata.name), v->err);
    if (!st)
        st = hal_metadata_set(&out->description, hal_slice_of(v->metadata.description), v->err);
    if (!st)
        st = hal_metadata_set(&out->status, hal_slice_of(status), v->err);
    for (size_t i = 0; i < v->metadata.n_items && !st; i++)
        if (in_path(v, i)) {
            hal_meta item = v->metadata.items[i];
            item.text = v->places[i].text;
            st = hal_metadata_add(out, &item, v->err);
        }
    return st;
}

/* The rows in the columns, over their memory. */
static hal_table *lend(hal_votable *v)
{
    hal_column *columns = hal_calloc(v->n_columns ? v->n_columns : 1, sizeof *columns);
    if (!columns) {
        hal_err_nomem(v->err, v->n_columns * sizeof *columns);
        return NULL;
    }
    for (size_t i = 0; i < v->n_columns; i++)
        columns[i] = hal_vec_column(&v->vecs[i]);
    hal_table *t = hal_table_borrow(v->fields, columns, v->n_columns, v->n_rows, v->err);
    hal_free(columns);
    return t;
}

hal_status hal_vo_rows_table(hal_votable *v, const char *status, bool lent, hal_table **out)
{
    hal_metadata metadata = {0};
    hal_table *rows = NULL;
    hal_status st = own_metadata(v, status, &metadata);
    if (!st)
        rows = lent ? lend(v)
                    : hal_table_from_vecs(v->fields, v->vecs, v->n_columns, v->n_rows, v->err);
    if (!st && !rows)
        st = HAL_E_NOMEM;
    if (!st && !(*out = hal_table_with(rows, NULL, &metadata, v->err)))
        st = HAL_E_NOMEM;
    hal_table_unref(rows);
    hal_metadata_clear(&metadata);
    return st;
}
