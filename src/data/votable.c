/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/votable.h"

#include "base/alloc.h"
#include "base/number.h"
#include "data/base64.h"
#include "data/expat_lib.h"
#include "data/json.h"
#include "data/votable_cell.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum {
    DEPTH_MAX = 64,
    ATTRIBUTES_MAX = 256,
    TOKEN_MAX = 1 << 20,
    META_MAX = 32 << 20, /* bytes of names, units, descriptions, messages together */
    PIECE = 64 << 10,    /* bytes given to Expat at once */
    BLOCK = 1 << 20      /* text of rows that is scanned at once */
};

typedef enum element {
    E_NONE,
    E_VOTABLE,
    E_DEFINITIONS,
    E_RESOURCE,
    E_TABLE,
    E_FIELD,
    E_PARAM,
    E_VALUES,
    E_INFO,
    E_GROUP,
    E_COOSYS,
    E_TIMESYS,
    E_LINK,
    E_DESCRIPTION,
    E_DATA,
    E_TABLEDATA,
    E_TR,
    E_TD,
    E_BINARY,
    E_BINARY2,
    E_FITS,
    E_STREAM,
    E_OTHER
} element;

#define IN(e) (1u << (e))
#define ANYWHERE (IN(E_VOTABLE) | IN(E_DEFINITIONS) | IN(E_RESOURCE) | IN(E_TABLE) | IN(E_GROUP))
static const struct {
    const char *name;
    uint32_t parents; /* where it counts; elsewhere it is skipped */
    bool strict;      /* elsewhere it is an error: rows could get lost */
} elements[] = {
    [E_VOTABLE] = {"VOTABLE", IN(E_NONE), false},
    [E_DEFINITIONS] = {"DEFINITIONS", IN(E_VOTABLE), false},
    [E_RESOURCE] = {"RESOURCE", IN(E_VOTABLE) | IN(E_RESOURCE), true},
    [E_TABLE] = {"TABLE", IN(E_RESOURCE), true},
    [E_FIELD] = {"FIELD", IN(E_TABLE), true},
    [E_PARAM] = {"PARAM", ANYWHERE, false},
    [E_VALUES] = {"VALUES", IN(E_FIELD) | IN(E_PARAM), false},
    [E_INFO] = {"INFO", ANYWHERE | IN(E_DATA), false},
    [E_GROUP] = {"GROUP", ANYWHERE, false},
    [E_COOSYS] = {"COOSYS", ANYWHERE, false},
    [E_TIMESYS] = {"TIMESYS", ANYWHERE, false},
    [E_LINK] = {"LINK", ANYWHERE, false},
    [E_DESCRIPTION] = {"DESCRIPTION", ANYWHERE | IN(E_FIELD), false},
    [E_DATA] = {"DATA", IN(E_TABLE), true},
    [E_TABLEDATA] = {"TABLEDATA", IN(E_DATA), true},
    [E_TR] = {"TR", IN(E_TABLEDATA), true},
    [E_TD] = {"TD", IN(E_TR), true},
    [E_BINARY] = {"BINARY", IN(E_DATA), true},
    [E_BINARY2] = {"BINARY2", IN(E_DATA), true},
    [E_FITS] = {"FITS", IN(E_DATA), true},
    [E_STREAM] = {"STREAM", IN(E_BINARY) | IN(E_BINARY2) | IN(E_FITS), true},
};
/* Within these nothing unknown may stand. */
static const uint32_t strict_parents = IN(E_DATA) | IN(E_TABLEDATA) | IN(E_TR) | IN(E_TD) |
                                       IN(E_BINARY) | IN(E_BINARY2) | IN(E_STREAM);

/* A FIELD as it was declared. */
typedef struct declared {
    hal_field field; /* texts owned; "" when absent */
    char *datatype, *arraysize, *null_text;
} declared;

typedef struct header {
    declared *list;
    size_t n, capacity;
    char *id; /* of its TABLE */
} header;

/* Where an item of the metadata stands, and the text of an INFO. */
typedef struct place {
    char *text;
    unsigned scope; /* number of the RESOURCE or TABLE, 0: VOTABLE */
    bool in_results;
} place;

typedef enum mode { DOCUMENT, ROWS, BASE64_TEXT } mode;

typedef struct votable {
    hal_reader_setup setup;
    char *want; /* setup.asked.table */
    const hal_expat *lib;
    XML_Parser parser;
    uint64_t expat_bytes; /* given to Expat */
    uint64_t offset;      /* of the answer: first byte not used up */
    hal_status st;        /* of a handler */
    hal_err *err;
    bool scan_allowed; /* the encoding is UTF-8 */
    mode mode;
    char *block; /* text of rows and what follows it, not used up */
    size_t block_used;

    element stack[DEPTH_MAX + 1];
    unsigned scopes[DEPTH_MAX + 1];
    bool results[DEPTH_MAX + 1]; /* within a RESOURCE of type "results" */
    int depth;
    int skip_depth; /* > 0: depth of the element that is skipped */
    bool root_seen, root_ended;
    unsigned n_scopes;
    size_t meta_bytes;

    bool collects; /* text of the innermost element */
    hal_buf text;

    unsigned n_tables;
    bool reading;             /* within the chosen TABLE */
    bool chosen, final;       /* some table is; no later one will be */
    unsigned path[DEPTH_MAX]; /* scopes of the chosen table and what it stands in */
    size_t n_path;
    header current; /* fields of the TABLE that is open */
    char *table_ref;
    header mine; /* of the chosen one */
    header *known;
    size_t n_known, known_columns;
    bool laid_out;
    int64_t n_rows_said; /* nrows; < 0: not said */

    hal_vo_column *columns;
    hal_field *fields;
    hal_vec *vecs;
    size_t n_columns;
    uint64_t n_rows, n_batched;
    size_t i_cell;
    bool cell_base64; /* VOTable 1.0, 1.1 */
    hal_vo_scratch scratch;

    bool flags; /* BINARY2 */
    bool stream_open, stream_seen;
    hal_base64 base64;
    uint8_t *bytes; /* decoded, not yet rows */
    size_t bytes_used, bytes_capacity;
    uint64_t row_need; /* bytes there must be before the next row is tried */

    hal_metadata metadata; /* of the whole document */
    place *places;         /* of its items */
    size_t places_capacity;
} votable;

static void fail(votable *v, hal_status st)
{
    v->st = st;
    v->lib->stop(v->parser, XML_FALSE);
}

static char *keep(votable *v, const char *text, size_t n)
{
    char *copy = NULL;
    if ((v->meta_bytes += n + 1) > META_MAX)
        fail(v, hal_err_set(v->err, HAL_E_BUDGET,
                            "names and descriptions of the VOTable are larger than 32 MiB"));
    else if (!(copy = hal_strndup(text, n)))
        fail(v, hal_err_nomem(v->err, n + 1));
    return copy;
}

static const char *attribute(const XML_Char **a, const char *name)
{
    for (; *a; a += 2) {
        const char *colon = strchr(a[0], ':');
        if (!strcmp(colon ? colon + 1 : a[0], name))
            return a[1];
    }
    return NULL;
}

static void field_clear(declared *d)
{
    const char *texts[] = {d->field.name,  d->field.unit,  d->field.ucd, d->field.description,
                           d->field.utype, d->field.xtype, d->field.id,  d->field.original_name};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        hal_free((char *)texts[i]);
    hal_free(d->datatype);
    hal_free(d->arraysize);
    hal_free(d->null_text);
    *d = (declared){0};
}

static void header_clear(header *h)
{
    for (size_t i = 0; i < h->n; i++)
        field_clear(&h->list[i]);
    hal_free(h->list);
    hal_free(h->id);
    *h = (header){0};
}

static void drop_columns(votable *v)
{
    for (size_t i = 0; i < v->n_columns; i++)
        hal_vec_clear(&v->vecs[i]);
    hal_free(v->vecs);
    hal_free(v->columns);
    hal_free(v->fields);
    v->vecs = NULL;
    v->columns = NULL;
    v->fields = NULL;
    v->n_columns = 0;
    v->laid_out = false;
    v->n_rows = 0;
    header_clear(&v->mine);
}

static hal_slice trim(const char *text)
{
    hal_slice s = hal_format_skip_blanks(hal_slice_of(text));
    while (s.size_bytes && (unsigned char)s.data[s.size_bytes - 1] <= ' ')
        s.size_bytes--;
    return s;
}

/* One more entry in an array that grows by doubling; NULL when there is no memory. */
static void *one_more(votable *v, void *list, size_t n, size_t *capacity, size_t size)
{
    if (n < *capacity)
        return list;
    size_t grown = *capacity ? 2 * *capacity : 32;
    void *larger = hal_realloc(list, grown * size);
    if (!larger)
        fail(v, hal_err_nomem(v->err, grown * size));
    else
        *capacity = grown;
    return larger;
}

static void add_meta(votable *v, hal_meta_kind kind, const XML_Char **a)
{
    hal_attribute attributes[ATTRIBUTES_MAX];
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
        fail(v, hal_err_set(v->err, HAL_E_BUDGET,
                            "names and descriptions of the VOTable are larger than 32 MiB"));
        return;
    }
    place *places =
        one_more(v, v->places, v->metadata.n_items, &v->places_capacity, sizeof *places);
    if (!places)
        return;
    v->places = places;
    places[v->metadata.n_items] = (place){NULL, v->scopes[v->depth - 1], v->results[v->depth - 1]};
    hal_status st = hal_metadata_add(&v->metadata, &item, v->err);
    if (st)
        fail(v, st);
}

static void begin_text(votable *v)
{
    v->collects = true;
    v->text.size_bytes = 0;
}

static void start_resource(votable *v, const XML_Char **a)
{
    const char *type = attribute(a, "type");
    v->scopes[v->depth] = ++v->n_scopes;
    if (type)
        v->results[v->depth] = !strcmp(type, "results");
}

static bool is_wanted(const votable *v, const char *name, const char *id)
{
    if (!v->want)
        return !v->chosen || v->results[v->depth];
    char *end;
    unsigned long number = strtoul(v->want, &end, 10);
    if (*v->want >= '0' && *v->want <= '9' && !*end)
        return number == v->n_tables;
    return (name && !strcmp(name, v->want)) || (id && !strcmp(id, v->want));
}

static void start_table(votable *v, const XML_Char **a)
{
    const char *name = attribute(a, "name"), *id = attribute(a, "ID");
    const char *ref = attribute(a, "ref"), *nrows = attribute(a, "nrows");
    v->scopes[v->depth] = ++v->n_scopes;
    v->n_tables++;
    header_clear(&v->current);
    if (id && !(v->current.id = keep(v, id, strlen(id))))
        return;
    hal_free(v->table_ref);
    v->table_ref = NULL;
    if (ref && !(v->table_ref = keep(v, ref, strlen(ref))))
        return;
    if (v->final || !is_wanted(v, name, id))
        return;
    if (v->n_batched) {
        fail(v, hal_err_set(v->err, HAL_E_USAGE,
                            "the results stand in table %u of the document behind another one; "
                            "name it: table %u",
                            v->n_tables, v->n_tables));
        return;
    }
    drop_columns(v);
    v->chosen = v->reading = true;
    v->final = v->want || v->results[v->depth];
    v->n_path = 0;
    for (int i = 1; i <= v->depth; i++)
        v->path[v->n_path++] = v->scopes[i];
    v->n_rows_said = -1;
    int64_t said;
    if (nrows && hal_number_read_int64(hal_slice_of(nrows), &said) && said >= 0)
        v->n_rows_said = said;
    hal_status st = hal_metadata_set(&v->metadata.name, hal_slice_of(name ? name : ""), v->err);
    if (!st)
        st = hal_metadata_set(&v->metadata.description, (hal_slice){"", 0}, v->err);
    if (st)
        fail(v, st);
}

static void start_field(votable *v, const XML_Char **a)
{
    header *h = &v->current;
    if (h->n == v->setup.asked.limits.columns_max) {
        fail(v, hal_err_set(v->err, HAL_E_BUDGET, "a TABLE of more than %zu columns", h->n));
        return;
    }
    declared *list = one_more(v, h->list, h->n, &h->capacity, sizeof *list);
    if (!list)
        return;
    h->list = list;
    declared *d = &list[h->n++];
    *d = (declared){0};
    const struct {
        const char *name, **to;
    } texts[] = {
        {"name", &d->field.name},   {"unit", &d->field.unit},   {"ucd", &d->field.ucd},
        {"utype", &d->field.utype}, {"xtype", &d->field.xtype}, {"ID", &d->field.id},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *text = attribute(a, texts[i].name);
        if (!(*texts[i].to = keep(v, text ? text : "", text ? strlen(text) : 0)))
            return;
    }
    const char *datatype = attribute(a, "datatype"), *size = attribute(a, "arraysize");
    d->datatype = keep(v, datatype ? datatype : "", datatype ? strlen(datatype) : 0);
    if (d->datatype)
        d->arraysize = keep(v, size ? size : "", size ? strlen(size) : 0);
}

static bool name_is_taken(const votable *v, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(v->fields[i].name, name))
            return true;
    return false;
}

/* A name no column before has; the declared one stays as original_name. */
static void name_column(votable *v, size_t i)
{
    declared *d = &v->mine.list[i];
    const char *name = *d->field.name ? d->field.name : d->field.id;
    if (*name && !name_is_taken(v, i, name)) {
        v->fields[i].name = name;
        return;
    }
    char text[1100];
    for (unsigned k = 2;; k++) {
        if (*name)
            snprintf(text, sizeof text, "%.1000s_%u", name, k);
        else
            snprintf(text, sizeof text, k == 2 ? "column_%zu" : "column_%zu_%u", i + 1, k);
        if (!name_is_taken(v, i, text))
            break;
    }
    char *own = keep(v, text, strlen(text));
    if (!own)
        return;
    d->field.original_name = d->field.name;
    d->field.name = own;
    v->fields[i].name = own;
    v->fields[i].original_name = d->field.original_name;
}

static bool copy_header(votable *v, header *to, const header *from)
{
    to->list = hal_calloc(from->n ? from->n : 1, sizeof *to->list);
    if (!to->list) {
        fail(v, hal_err_nomem(v->err, from->n * sizeof *to->list));
        return false;
    }
    to->capacity = from->n;
    for (size_t i = 0; i < from->n; i++) {
        const declared *f = &from->list[i];
        declared *d = &to->list[to->n++];
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
            if (texts[k].from && !(*texts[k].to = keep(v, texts[k].from, strlen(texts[k].from))))
                return false;
    }
    return true;
}

/* The fields are known: makes the columns of the chosen table. */
static void lay_out(votable *v)
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
        fail(v, hal_err_nomem(v->err, (n + 1) * sizeof *v->columns));
        return;
    }
    v->n_columns = n;
    for (size_t i = 0; i < n && !v->st; i++) {
        declared *d = &v->mine.list[i];
        v->fields[i] = d->field;
        name_column(v, i);
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
            fail(v, st);
    }
}

static void start_data(votable *v)
{
    if (v->n_rows || v->stream_seen)
        fail(v, hal_err_set(v->err, HAL_E_INTEGRITY, "a TABLE with two DATA elements"));
    else
        lay_out(v);
}

static void start_stream(votable *v, const XML_Char **a)
{
    const char *encoding = attribute(a, "encoding"), *href = attribute(a, "href");
    element parent = v->stack[v->depth - 1];
    if (href || parent == E_FITS) {
        fail(v, hal_err_set(v->err, HAL_E_PROTOCOL,
                            "the rows are not in the document but in %s \"%.200s\"; fetch that, or "
                            "ask for TABLEDATA or BINARY2",
                            parent == E_FITS ? "a FITS file" : "a stream", href ? href : ""));
        return;
    }
    if (!encoding || strcmp(encoding, "base64") != 0) {
        fail(v, hal_err_set(v->err, HAL_E_PROTOCOL,
                            "a STREAM of encoding \"%.60s\"; only base64 can stand in a document",
                            encoding ? encoding : ""));
        return;
    }
    for (size_t i = 0; i < v->n_columns; i++)
        if (v->columns[i].datatype == HAL_VO_UNKNOWN) {
            fail(v, hal_err_set(v->err, HAL_E_PROTOCOL,
                                "column %s: datatype \"%.60s\" is unknown, so its bytes cannot be "
                                "told from the next column's",
                                v->fields[i].name, v->mine.list[i].datatype));
            return;
        }
    v->flags = parent == E_BINARY2;
    v->stream_open = v->stream_seen = true;
    v->base64 = (hal_base64){0};
    v->bytes_used = 0;
    v->row_need = 0;
}

static void wrong_place(votable *v, const char *name)
{
    fail(v, hal_err_set(v->err, HAL_E_INTEGRITY, "element <%.60s> stands where it cannot", name));
}

static void start_row_element(votable *v, element e, const XML_Char **a)
{
    if (e == E_TR) {
        v->i_cell = 0;
        return;
    }
    if (v->i_cell == v->n_columns)
        fail(v, hal_err_set(v->err, HAL_E_INTEGRITY, "row %llu has more than %zu cells",
                            (unsigned long long)(v->n_batched + v->n_rows + 1), v->n_columns));
    const char *encoding = attribute(a, "encoding");
    v->cell_base64 = encoding && !strcmp(encoding, "base64");
    begin_text(v);
}

static void start_element(votable *v, element e, const XML_Char **a)
{
    switch (e) {
    case E_RESOURCE:
        start_resource(v, a);
        break;
    case E_TABLE:
        start_table(v, a);
        break;
    case E_FIELD:
        if (v->laid_out && v->reading)
            fail(v, hal_err_set(v->err, HAL_E_INTEGRITY, "a FIELD behind the rows"));
        else
            start_field(v, a);
        break;
    case E_VALUES:
        if (v->stack[v->depth - 1] == E_FIELD && attribute(a, "null")) {
            declared *d = &v->current.list[v->current.n - 1];
            const char *text = attribute(a, "null");
            hal_free(d->null_text);
            d->null_text = keep(v, text, strlen(text));
        }
        break;
    case E_INFO:
        add_meta(v, HAL_META_INFO, a);
        begin_text(v);
        break;
    case E_PARAM:
        add_meta(v, HAL_META_PARAM, a);
        break;
    case E_COOSYS:
        add_meta(v, HAL_META_COOSYS, a);
        break;
    case E_TIMESYS:
        add_meta(v, HAL_META_TIMESYS, a);
        break;
    case E_LINK:
        add_meta(v, HAL_META_LINK, a);
        break;
    case E_DESCRIPTION:
        begin_text(v);
        break;
    case E_DATA:
        if (v->reading)
            start_data(v);
        break;
    case E_TR:
    case E_TD:
        if (v->reading)
            start_row_element(v, e, a);
        break;
    case E_STREAM:
        if (v->reading)
            start_stream(v, a);
        break;
    default:
        break;
    }
}

static element element_of(const char *name)
{
    for (int e = E_VOTABLE; e < E_OTHER; e++)
        if (!strcmp(elements[e].name, name))
            return (element)e;
    return E_OTHER;
}

static void XMLCALL on_start(void *ctx, const XML_Char *name, const XML_Char **a)
{
    votable *v = ctx;
    if (v->st)
        return;
    size_t n = 0;
    while (a[2 * n])
        n++;
    if (v->depth == DEPTH_MAX || n > ATTRIBUTES_MAX) {
        fail(v, hal_err_set(v->err, HAL_E_BUDGET,
                            v->depth == DEPTH_MAX ? "elements are nested more than 64 deep"
                                                  : "an element with more than 256 attributes"));
        return;
    }
    element parent = v->stack[v->depth++];
    v->scopes[v->depth] = v->scopes[v->depth - 1];
    v->results[v->depth] = v->results[v->depth - 1];
    v->stack[v->depth] = E_OTHER;
    if (v->skip_depth)
        return;
    const char *colon = strrchr(name, ':');
    element e = element_of(colon ? colon + 1 : name);
    if (v->depth == 1 && e != E_VOTABLE) {
        fail(v, hal_err_set(v->err, HAL_E_PROTOCOL,
                            "the answer is not a VOTable: its root element is <%.60s>", name));
        return;
    }
    v->root_seen = true;
    v->collects = false;
    bool right = e != E_OTHER && (elements[e].parents & IN(parent));
    if (!right && ((strict_parents & IN(parent)) || (e != E_OTHER && elements[e].strict))) {
        wrong_place(v, name);
        return;
    }
    if (!right) {
        v->skip_depth = v->depth;
        return;
    }
    v->stack[v->depth] = e;
    start_element(v, e, a);
}

static void set_text(votable *v, const char **to)
{
    hal_slice s = trim(hal_buf_text(&v->text));
    char *text = keep(v, s.data, s.size_bytes);
    if (!text)
        return;
    hal_free((char *)*to);
    *to = text;
}

static void end_text(votable *v, element e)
{
    element parent = v->stack[v->depth - 1];
    hal_status st = HAL_OK;
    if (e == E_INFO)
        set_text(v, (const char **)&v->places[v->metadata.n_items - 1].text);
    else if (parent == E_FIELD)
        set_text(v, &v->current.list[v->current.n - 1].field.description);
    else if (parent == E_TABLE && v->reading)
        st = hal_metadata_set(&v->metadata.description, trim(hal_buf_text(&v->text)), v->err);
    if (st)
        fail(v, st);
}

static hal_status flush(votable *v)
{
    hal_table *t = hal_table_from_vecs(v->fields, v->vecs, v->n_columns, v->n_rows, v->err);
    if (!t)
        return HAL_E_NOMEM;
    hal_status st = v->setup.asked.batch(v->setup.asked.batch_ctx, t, v->err);
    hal_table_unref(t);
    v->n_batched += v->n_rows;
    v->n_rows = 0;
    for (size_t i = 0; i < v->n_columns && !st; i++)
        st = hal_vo_vec_init(&v->columns[i], &v->vecs[i], v->err);
    return st;
}

/* Rows that may come before something has to be done. */
static uint64_t rows_room(const votable *v)
{
    uint64_t room = v->setup.asked.limits.rows_max - v->n_batched - v->n_rows;
    if (v->setup.asked.batch && v->setup.asked.batch_rows - v->n_rows < room)
        room = v->setup.asked.batch_rows - v->n_rows;
    return room;
}

static hal_status took_rows(votable *v, uint64_t n)
{
    v->n_rows += n;
    if (v->setup.asked.batch && v->n_rows == v->setup.asked.batch_rows)
        return flush(v);
    return HAL_OK;
}

static hal_status too_many_rows(const votable *v)
{
    return hal_err_set(v->err, HAL_E_BUDGET, "more than %llu rows",
                       (unsigned long long)v->setup.asked.limits.rows_max);
}

static void end_row(votable *v)
{
    if (v->i_cell != v->n_columns) {
        fail(v, hal_err_set(v->err, HAL_E_INTEGRITY, "row %llu has %zu cells, declared are %zu",
                            (unsigned long long)(v->n_batched + v->n_rows + 1), v->i_cell,
                            v->n_columns));
        return;
    }
    if (v->n_columns == 0)
        return;
    hal_status st = rows_room(v) ? took_rows(v, 1) : too_many_rows(v);
    if (st)
        fail(v, st);
}

/* A cell that is written as in BINARY, in base64. */
static hal_status add_base64_cell(votable *v, const hal_vo_column *c, hal_vec *vec, hal_slice text)
{
    hal_base64 base64 = {0};
    uint8_t *bytes = hal_malloc(hal_base64_room(text.size_bytes) + 2);
    if (!bytes)
        return hal_err_nomem(v->err, hal_base64_room(text.size_bytes));
    const char *wrong;
    size_t last = 0, n = hal_base64_decode(&base64, text.data, text.size_bytes, bytes, &wrong);
    bool ends = hal_base64_finish(&base64, bytes + n, &last);
    uint64_t size = 0;
    hal_status st = HAL_OK;
    n += last;
    if (!wrong && ends && c->datatype != HAL_VO_UNKNOWN)
        st = hal_vo_row_size(c, 1, false, bytes, bytes + n, &size, v->err);
    if (!st && (wrong || !ends || size != n))
        st = hal_err_set(v->err, HAL_E_INTEGRITY, "column %s: a base64 cell of a wrong length",
                         c->name);
    if (!st)
        st = hal_vo_add_row(c, 1, false, vec, bytes, &v->scratch, v->err);
    hal_free(bytes);
    return st;
}

static void end_cell(votable *v)
{
    hal_slice text = {hal_buf_text(&v->text), v->text.size_bytes};
    const hal_vo_column *c = &v->columns[v->i_cell];
    hal_vec *vec = &v->vecs[v->i_cell];
    hal_status st = v->cell_base64 ? add_base64_cell(v, c, vec, text)
                                   : hal_vo_add_text(c, vec, text, &v->scratch, v->err);
    if (st)
        fail(v, hal_err_note(v->err, st, "row %llu",
                             (unsigned long long)(v->n_batched + v->n_rows + 1)));
    v->i_cell++;
}

static void end_table(votable *v)
{
    if (v->reading)
        lay_out(v);
    v->reading = false;
    if (v->st || !v->current.id || !v->current.n ||
        v->known_columns + v->current.n > v->setup.asked.limits.columns_max)
        return;
    header *known = hal_realloc(v->known, (v->n_known + 1) * sizeof *known);
    if (!known) {
        fail(v, hal_err_nomem(v->err, (v->n_known + 1) * sizeof *known));
        return;
    }
    v->known = known;
    v->known_columns += v->current.n;
    known[v->n_known++] = v->current;
    v->current = (header){0};
}

static hal_status take_rows_of_bytes(votable *v)
{
    const uint8_t *p = v->bytes, *end = p + v->bytes_used;
    hal_status st = HAL_OK;
    if (v->n_columns == 0) {
        v->bytes_used = 0;
        return HAL_OK;
    }
    while (p < end && (uint64_t)(end - p) >= v->row_need && !st) {
        uint64_t size;
        st = hal_vo_row_size(v->columns, v->n_columns, v->flags, p, end, &size, v->err);
        if (st || size > (uint64_t)(end - p)) {
            v->row_need = size;
            break;
        }
        v->row_need = 0;
        if (!rows_room(v)) {
            st = too_many_rows(v);
            break;
        }
        st = hal_vo_add_row(v->columns, v->n_columns, v->flags, v->vecs, p, &v->scratch, v->err);
        p += size;
        if (!st)
            st = took_rows(v, 1);
        else
            st = hal_err_note(v->err, st, "row %llu",
                              (unsigned long long)(v->n_batched + v->n_rows + 1));
    }
    v->bytes_used = (size_t)(end - p);
    memmove(v->bytes, p, v->bytes_used);
    return st;
}

static hal_status take_base64(votable *v, const char *text, size_t n)
{
    hal_status st = HAL_OK;
    while (n && !st) {
        size_t part = n < PIECE ? n : PIECE;
        size_t need = v->bytes_used + hal_base64_room(part);
        if (need > v->bytes_capacity) {
            size_t capacity = need > 2 * v->bytes_capacity ? need : 2 * v->bytes_capacity;
            uint8_t *bytes = hal_realloc(v->bytes, capacity);
            if (!bytes)
                return hal_err_nomem(v->err, capacity);
            v->bytes = bytes;
            v->bytes_capacity = capacity;
        }
        const char *wrong;
        v->bytes_used +=
            hal_base64_decode(&v->base64, text, part, v->bytes + v->bytes_used, &wrong);
        if (wrong)
            return hal_err_set(v->err, HAL_E_INTEGRITY,
                               "byte 0x%02x does not belong in a base64 STREAM",
                               (unsigned)(unsigned char)*wrong);
        st = take_rows_of_bytes(v);
        text += part;
        n -= part;
    }
    return st;
}

static void end_stream(votable *v)
{
    uint8_t last[2];
    size_t n = 0;
    hal_status st = HAL_OK;
    v->stream_open = false;
    if (!hal_base64_finish(&v->base64, last, &n)) {
        fail(v, hal_err_set(v->err, HAL_E_INTEGRITY, "the base64 STREAM ends inside a group"));
        return;
    }
    if (n) {
        uint8_t *bytes = hal_realloc(v->bytes, v->bytes_used + n);
        if (!bytes) {
            fail(v, hal_err_nomem(v->err, v->bytes_used + n));
            return;
        }
        v->bytes = bytes;
        v->bytes_capacity = v->bytes_used + n;
        memcpy(bytes + v->bytes_used, last, n);
        v->bytes_used += n;
        st = take_rows_of_bytes(v);
    }
    if (!st && v->bytes_used)
        st = hal_err_set(v->err, HAL_E_INTEGRITY,
                         "the STREAM ends inside row %llu: %zu bytes of it are there",
                         (unsigned long long)(v->n_batched + v->n_rows + 1), v->bytes_used);
    if (st)
        fail(v, st);
}

static void XMLCALL on_end(void *ctx, const XML_Char *name)
{
    (void)name;
    votable *v = ctx;
    if (v->st)
        return;
    element e = v->stack[v->depth];
    if (v->skip_depth) {
        if (v->skip_depth == v->depth)
            v->skip_depth = 0;
        v->depth--;
        return;
    }
    if (e == E_INFO || e == E_DESCRIPTION)
        end_text(v, e);
    else if (e == E_TABLE)
        end_table(v);
    else if (v->reading && e == E_TD)
        end_cell(v);
    else if (v->reading && e == E_TR)
        end_row(v);
    else if (v->reading && e == E_STREAM)
        end_stream(v);
    v->collects = false;
    v->depth--;
    v->root_ended = v->depth == 0;
}

static void XMLCALL on_text(void *ctx, const XML_Char *text, int n)
{
    votable *v = ctx;
    if (v->st || v->skip_depth)
        return;
    element e = v->stack[v->depth];
    hal_status st = HAL_OK;
    if (e == E_STREAM && v->reading) {
        st = take_base64(v, text, (size_t)n);
    } else if (v->collects) {
        size_t max = e == E_TD ? HAL_VO_CELL_TEXT_MAX : TOKEN_MAX;
        if (v->text.size_bytes + (size_t)n > max)
            st = hal_err_set(v->err, HAL_E_BUDGET, "the text of one <%s> is larger than %zu MiB",
                             elements[e].name, max >> 20);
        else
            st = hal_buf_append(&v->text, text, (size_t)n, v->err);
    } else if (v->reading && (strict_parents & IN(e))) {
        for (int i = 0; i < n && !st; i++)
            if (text[i] != ' ' && text[i] != '\n' && text[i] != '\t' && text[i] != '\r')
                st = hal_err_set(v->err, HAL_E_INTEGRITY, "text stands in <%s> beside its elements",
                                 elements[e].name);
    }
    if (st)
        fail(v, st);
}

static void XMLCALL on_doctype(void *ctx, const XML_Char *name, const XML_Char *system_id,
                               const XML_Char *public_id, int has_internal_subset)
{
    (void)system_id;
    (void)public_id;
    votable *v = ctx;
    if (v->st)
        return;
    if (!strcasecmp(name, "html"))
        fail(v, hal_err_set(v->err, HAL_E_PROTOCOL,
                            "the answer is an HTML page, not a VOTable; the service may be down "
                            "or the address wrong"));
    else if (has_internal_subset)
        fail(v, hal_err_set(v->err, HAL_E_PROTOCOL,
                            "the document declares entities or elements of its own (DOCTYPE with "
                            "an internal subset); that is refused"));
}

static void XMLCALL on_skipped(void *ctx, const XML_Char *name, int is_parameter)
{
    votable *v = ctx;
    if (!v->st && !is_parameter)
        fail(v, hal_err_set(v->err, HAL_E_PROTOCOL,
                            "the document uses the undeclared entity &%.60s;; only those of XML "
                            "itself are read",
                            name));
}

static void XMLCALL on_declaration(void *ctx, const XML_Char *version, const XML_Char *encoding,
                                   int standalone)
{
    (void)version;
    (void)standalone;
    votable *v = ctx;
    if (encoding && strcasecmp(encoding, "utf-8") != 0)
        v->scan_allowed = false;
}

/* What Expat objects to. */
static hal_status expat_error(votable *v, uint64_t expat_before)
{
    XML_Index at = v->lib->byte_index(v->parser);
    uint64_t offset = v->offset;
    if (at >= 0)
        offset = offset + (uint64_t)at - expat_before;
    enum XML_Error code = v->lib->error_code(v->parser);
    const char *why = v->lib->error_string(code);
    if (code == XML_ERROR_NO_MEMORY)
        return hal_err_nomem(v->err, 0);
    if (!v->root_seen)
        return hal_err_set(v->err, HAL_E_PROTOCOL,
                           "the answer is not a VOTable: %s at byte %llu; the service may be down "
                           "or the address wrong",
                           why, (unsigned long long)offset);
    return hal_err_set(v->err, HAL_E_INTEGRITY, "byte %llu of the VOTable: %s",
                       (unsigned long long)offset, why);
}

static hal_status give_expat(votable *v, const char *p, size_t n, bool final)
{
    uint64_t before = v->expat_bytes;
    enum XML_Status parsed = v->lib->parse(v->parser, p, (int)n, final);
    v->expat_bytes += n;
    if (v->st)
        return v->st;
    if (parsed != XML_STATUS_OK)
        return expat_error(v, before);
    XML_Index at = v->lib->byte_index(v->parser);
    if (at >= 0 && v->expat_bytes - (uint64_t)at > TOKEN_MAX + PIECE)
        return hal_err_set(v->err, HAL_E_BUDGET,
                           "byte %llu of the VOTable: a tag or comment of more than 1 MiB",
                           (unsigned long long)v->offset);
    v->offset += n;
    return HAL_OK;
}

/* What may be read here instead of by Expat. */
static mode next_mode(const votable *v)
{
    if (!v->scan_allowed || !v->reading || v->skip_depth || v->depth == 0)
        return DOCUMENT;
    element e = v->stack[v->depth];
    bool rows = e == E_TABLEDATA && v->n_columns > 0, stream = e == E_STREAM;
    if (!(rows || stream) || (uint64_t)v->lib->byte_index(v->parser) != v->expat_bytes)
        return DOCUMENT; /* also within a comment or a CDATA section */
    return rows ? ROWS : BASE64_TEXT;
}

static bool has_row_end(const char *p, size_t n)
{
    for (const char *end = p + n; (p = memchr(p, '<', (size_t)(end - p))) && end - p >= 5; p++)
        if (!memcmp(p, "</TR>", 5))
            return true;
    return false;
}

/* Takes rows; `*odd`: what comes next is for Expat. Else more text is needed. */
static hal_status take_text_rows(votable *v, const char *p, size_t n, bool full, size_t *used,
                                 bool *odd)
{
    hal_status st = HAL_OK;
    *used = 0;
    *odd = false;
    for (;;) {
        uint64_t n_rows = 0, max = rows_room(v);
        size_t took = hal_vo_scan_rows(v->columns, v->n_columns, v->vecs, p + *used, n - *used, max,
                                       &n_rows, &v->scratch, &st, v->err);
        *used += took;
        v->offset += took;
        if (!st)
            st = took_rows(v, n_rows);
        if (st)
            return st;
        if (n_rows < max || max == 0)
            break;
    }
    const char *rest = p + *used;
    size_t left = n - *used;
    *odd = full || (left >= 2 && rest[0] == '<' && rest[1] != 'T') || has_row_end(rest, left);
    return HAL_OK;
}

/* Uses up what it can of the text; what it leaves begins a row that is not whole. `full`: no more
 * text can come before it has taken something. */
static hal_status process(votable *v, const char *p, size_t n, bool full, size_t *used)
{
    hal_status st = HAL_OK;
    *used = 0;
    while (*used < n && !st) {
        const char *at = p + *used;
        size_t left = n - *used, took = left;
        if (v->mode == ROWS) {
            bool odd;
            st = take_text_rows(v, at, left, full, &took, &odd);
            *used += took;
            if (st || !odd)
                return st;
            v->mode = DOCUMENT;
            continue;
        }
        if (v->mode == BASE64_TEXT) {
            const char *stop = memchr(at, '<', left),
                       *amp = memchr(at, '&', stop ? (size_t)(stop - at) : left);
            stop = amp ? amp : stop;
            took = stop ? (size_t)(stop - at) : left;
            st = take_base64(v, at, took);
            v->offset += took;
            if (stop)
                v->mode = DOCUMENT;
        } else {
            if (took > PIECE)
                took = PIECE;
            const char *tag_end = v->scan_allowed ? memchr(at, '>', took) : NULL;
            if (tag_end)
                took = (size_t)(tag_end + 1 - at);
            st = give_expat(v, at, took, false);
            if (!st)
                v->mode = next_mode(v);
        }
        *used += took;
    }
    return st;
}

static hal_status votable_feed(void *self, const char *bytes, size_t n, hal_err *err)
{
    votable *v = self;
    hal_err ignored = HAL_ERR_INIT;
    v->err = err ? err : &ignored;
    hal_status st = HAL_OK;
    if (v->expat_bytes == 0 && n && ((unsigned char)bytes[0] >= 0xf0 || bytes[0] == '\0'))
        v->scan_allowed = false; /* UTF-16 */
    while (n && !st) {
        size_t used;
        if (v->block_used == 0) {
            st = process(v, bytes, n, false, &used);
            bytes += used;
            n -= used;
            if (st || !n)
                break;
        }
        size_t part = BLOCK - v->block_used < n ? BLOCK - v->block_used : n;
        memcpy(v->block + v->block_used, bytes, part);
        v->block_used += part;
        bytes += part;
        n -= part;
        if (v->block_used == BLOCK) {
            st = process(v, v->block, BLOCK, false, &used);
            if (!st && used == 0)
                st = process(v, v->block, BLOCK, true, &used);
            v->block_used -= used;
            memmove(v->block, v->block + used, v->block_used);
        }
    }
    v->err = NULL;
    return st;
}

static bool in_path(const votable *v, size_t i)
{
    const place *p = &v->places[i];
    if (p->scope == 0)
        return true;
    for (size_t k = 0; k < v->n_path; k++)
        if (v->path[k] == p->scope)
            return true;
    return false;
}

static void set_message(const votable *v, hal_answer *answer, size_t i)
{
    const char *text = v->places[i].text;
    if (!text || !*text)
        text = v->metadata.items[i].value;
    answer->status = HAL_ANSWER_ERROR;
    snprintf(answer->message, sizeof answer->message, "%s", *text ? text : "no reason is given");
}

static bool is_status(const hal_meta *m)
{
    return m->kind == HAL_META_INFO && !strcasecmp(m->name, "QUERY_STATUS");
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
static void settle_status(votable *v, hal_answer *answer, const char **status)
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

static hal_status own_metadata(votable *v, const char *status, hal_metadata *out)
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

static hal_status build(votable *v, const char *status, hal_table **table)
{
    uint64_t n = v->n_batched + v->n_rows;
    if (v->n_rows_said >= 0 && (uint64_t)v->n_rows_said > n && strcmp(status, "OVERFLOW") != 0)
        return hal_err_set(v->err, HAL_E_INTEGRITY,
                           "the TABLE has %llu rows, announced are %lld (nrows)",
                           (unsigned long long)n, (long long)v->n_rows_said);
    hal_status st = HAL_OK;
    if (v->setup.asked.batch && v->n_rows)
        st = flush(v);
    if (st)
        return st;
    hal_metadata metadata = {0};
    hal_table *rows = NULL;
    st = own_metadata(v, status, &metadata);
    if (!st && !(rows = hal_table_from_vecs(v->fields, v->vecs, v->n_columns, v->n_rows, v->err)))
        st = HAL_E_NOMEM;
    if (!st && !(*table = hal_table_with(rows, NULL, &metadata, v->err)))
        st = HAL_E_NOMEM;
    hal_table_unref(rows);
    hal_metadata_clear(&metadata);
    return st;
}

static hal_status votable_finish(void *self, hal_answer *answer, hal_table **table, hal_err *err)
{
    votable *v = self;
    hal_err ignored = HAL_ERR_INIT;
    v->err = err ? err : &ignored;
    size_t used = 0;
    hal_status st = HAL_OK;
    while (v->block_used && !st) {
        st = process(v, v->block, v->block_used, true, &used);
        v->block_used -= used;
        memmove(v->block, v->block + used, v->block_used);
    }
    if (!st)
        st = give_expat(v, "", 0, true);
    if (!st && !v->root_ended)
        st = hal_err_set(v->err, HAL_E_INTEGRITY, "byte %llu: the VOTable does not end",
                         (unsigned long long)v->offset);
    if (st)
        return st;
    *answer = (hal_answer){HAL_ANSWER_COMPLETE, "", -1, -1, -1, -1, -1, -1, -1};
    const char *status;
    settle_status(v, answer, &status);
    if (answer->status == HAL_ANSWER_ERROR)
        return HAL_OK;
    if (!v->chosen && v->want)
        return hal_err_set(v->err, HAL_E_NOT_FOUND, "the VOTable has no table %s; it has %u",
                           v->want, v->n_tables);
    if (!v->chosen)
        return hal_err_set(v->err, HAL_E_PROTOCOL, "the VOTable has no TABLE and names no error");
    return build(v, status, table);
}

static void votable_free(void *self)
{
    votable *v = self;
    if (!v)
        return;
    if (v->parser)
        v->lib->free(v->parser);
    drop_columns(v);
    header_clear(&v->current);
    for (size_t i = 0; i < v->n_known; i++)
        header_clear(&v->known[i]);
    hal_free(v->known);
    hal_free(v->table_ref);
    hal_free(v->want);
    hal_free(v->block);
    hal_free(v->bytes);
    for (size_t i = 0; i < v->metadata.n_items; i++)
        hal_free(v->places[i].text);
    hal_free(v->places);
    hal_metadata_clear(&v->metadata);
    hal_vo_scratch_clear(&v->scratch);
    hal_buf_clear(&v->text);
    hal_free(v);
}

static void *votable_open(const hal_reader_setup *setup, hal_err *err)
{
    static const XML_Memory_Handling_Suite memory = {hal_malloc, hal_realloc, hal_free};
    const hal_expat *lib = hal_expat_load(err);
    votable *v = lib ? hal_calloc(1, sizeof *v) : NULL;
    if (!v) {
        if (lib)
            hal_err_nomem(err, sizeof *v);
        return NULL;
    }
    v->lib = lib;
    v->setup = *setup;
    v->offset = setup->offset;
    v->scan_allowed = true;
    v->n_rows_said = -1;
    hal_buf_init(&v->text, HAL_VO_CELL_TEXT_MAX);
    const char *want = setup->asked.table;
    v->parser = lib->create(NULL, &memory, NULL);
    v->block = hal_malloc(BLOCK + HAL_VO_SCAN_MARGIN);
    v->want = want ? hal_strdup(want) : NULL;
    if (!v->parser || !v->block || (want && !v->want)) {
        hal_err_nomem(err, BLOCK);
        votable_free(v);
        return NULL;
    }
    lib->set_user_data(v->parser, v);
    lib->set_element_handler(v->parser, on_start, on_end);
    lib->set_text_handler(v->parser, on_text);
    lib->set_doctype_handler(v->parser, on_doctype);
    lib->set_declaration_handler(v->parser, on_declaration);
    lib->set_skipped_handler(v->parser, on_skipped);
    if (lib->set_reparse_deferral)
        lib->set_reparse_deferral(v->parser, XML_FALSE);
    return v;
}

hal_match hal_votable_recognise(hal_slice head)
{
    head = hal_format_skip_blanks(head);
    if (head.size_bytes == 0)
        return HAL_MATCH_MORE;
    if ((unsigned char)*head.data >= 0xfe) /* the byte order mark of UTF-16 */
        return HAL_MATCH_YES;
    if (*head.data != '<')
        return HAL_MATCH_NO;
    static const char *const pages[] = {"<html", "<!doctype html"};
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(pages[i]);
        bool part = head.size_bytes < n;
        if (!strncasecmp(head.data, pages[i], part ? head.size_bytes : n))
            return part ? HAL_MATCH_MORE : HAL_MATCH_NO;
    }
    return HAL_MATCH_YES;
}

const hal_reader_class hal_votable_reader = {votable_open, votable_feed, votable_finish,
                                             votable_free};
