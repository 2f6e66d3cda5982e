/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/votable.h"

#include "base/alloc.h"
#include "base/number.h"
#include "data/votable_reader.h"

#include <stdio.h>
#include <strings.h>

enum {
    TOKEN_MAX = 1 << 20,
    PIECE = 64 << 10 /* bytes given to Expat at once */
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

void hal_vo_fail(hal_votable *v, hal_status st)
{
    v->st = st;
    v->lib->stop(v->parser, XML_FALSE);
}

static void begin_text(hal_votable *v)
{
    v->collects = true;
    v->text.size_bytes = 0;
}

static void start_resource(hal_votable *v, const XML_Char **a)
{
    const char *type = hal_vo_attribute(a, "type");
    v->scopes[v->depth] = ++v->n_scopes;
    if (type)
        v->results[v->depth] = !strcmp(type, "results");
}

static void start_table(hal_votable *v, const XML_Char **a)
{
    const char *name = hal_vo_attribute(a, "name"), *id = hal_vo_attribute(a, "ID");
    const char *ref = hal_vo_attribute(a, "ref"), *nrows = hal_vo_attribute(a, "nrows");
    v->scopes[v->depth] = ++v->n_scopes;
    hal_vo_header_clear(&v->current);
    int64_t n_rows_said;
    if (!nrows || !hal_number_read_int64(hal_slice_of(nrows), &n_rows_said) || n_rows_said < 0)
        n_rows_said = -1;
    bool wanted;
    hal_status st = hal_contents_add(&v->contents, name, id, n_rows_said, &wanted, v->err);
    if (st) {
        hal_vo_fail(v, st);
        return;
    }
    if (id && !(v->current.id = hal_vo_keep(v, id, strlen(id))))
        return;
    hal_free(v->table_ref);
    v->table_ref = NULL;
    if (ref && !(v->table_ref = hal_vo_keep(v, ref, strlen(ref))))
        return;
    if (!v->contents.wanted)
        wanted = !v->chosen || v->results[v->depth];
    if (v->final || !wanted)
        return;
    if (v->n_batched) {
        hal_vo_fail(v,
                    hal_err_set(v->err, HAL_E_USAGE,
                                "the results stand in table %u of the document behind another one; "
                                "name it: table %u",
                                v->contents.n_tables, v->contents.n_tables));
        return;
    }
    hal_vo_drop_columns(v);
    hal_contents_choose(&v->contents);
    v->chosen = v->reading = true;
    v->final = v->contents.wanted || v->results[v->depth];
    v->n_path = 0;
    for (int i = 1; i <= v->depth; i++)
        v->path[v->n_path++] = v->scopes[i];
    v->n_rows_said = n_rows_said;
    st = hal_metadata_set(&v->metadata.name, hal_slice_of(name ? name : ""), v->err);
    if (!st)
        st = hal_metadata_set(&v->metadata.description, (hal_slice){"", 0}, v->err);
    if (st)
        hal_vo_fail(v, st);
}

static void start_data(hal_votable *v)
{
    if (v->data_seen)
        hal_vo_fail(v, hal_err_set(v->err, HAL_E_INTEGRITY, "a TABLE with two DATA elements"));
    v->data_seen = true;
    if (!v->st)
        hal_vo_lay_out(v);
}

/* The rows stand in one way in a DATA, once. */
static void start_rows(hal_votable *v)
{
    if (v->rows_seen)
        hal_vo_fail(v, hal_err_set(v->err, HAL_E_INTEGRITY, "a DATA with rows in two elements"));
    v->rows_seen = true;
}

/* Integers that an earlier reading has found too wide for their declared type. */
static void ask_types(hal_votable *v)
{
    const hal_reader_options *asked = &v->setup.asked;
    for (size_t k = 0; k < asked->n_types; k++)
        for (size_t i = 0; i < v->n_columns && !v->st; i++)
            if (asked->types[k].type == HAL_TYPE_INT64 && hal_type_is_integer(v->fields[i].type) &&
                v->fields[i].width == 1 && !strcmp(asked->types[k].name, v->fields[i].name)) {
                v->fields[i].type = HAL_TYPE_INT64;
                hal_vec_clear(&v->vecs[i]);
                hal_status st = hal_vec_set_shape(&v->vecs[i], HAL_TYPE_INT64, 1, v->err);
                if (st)
                    hal_vo_fail(v, st);
            }
}

static void start_stream(hal_votable *v, const XML_Char **a)
{
    const char *encoding = hal_vo_attribute(a, "encoding"), *href = hal_vo_attribute(a, "href");
    element parent = (element)v->stack[v->depth - 1];
    if (href || parent == E_FITS) {
        hal_vo_fail(
            v, hal_err_set(v->err, HAL_E_PROTOCOL,
                           "the rows are not in the document but in %s \"%.200s\"; fetch that, or "
                           "ask for TABLEDATA or BINARY2",
                           parent == E_FITS ? "a FITS file" : "a stream", href ? href : ""));
        return;
    }
    /* "gzip" in a document means gzip in base64: XML cannot hold the bytes themselves. */
    if (!encoding || (strcmp(encoding, "base64") != 0 && strcmp(encoding, "gzip") != 0)) {
        hal_vo_fail(v, hal_err_set(v->err, HAL_E_PROTOCOL,
                                   "a STREAM of encoding \"%.60s\"; only base64 and gzip in base64 "
                                   "can stand in a document; ask the service for TABLEDATA or "
                                   "BINARY2 in base64",
                                   encoding ? encoding : ""));
        return;
    }
    for (size_t i = 0; i < v->n_columns; i++)
        if (v->columns[i].datatype == HAL_VO_UNKNOWN) {
            hal_vo_fail(
                v, hal_err_set(v->err, HAL_E_PROTOCOL,
                               "column %s: datatype \"%.60s\" is unknown, so its bytes cannot be "
                               "told from the next column's",
                               v->fields[i].name, v->mine.list[i].datatype));
            return;
        }
    hal_status st = hal_vo_start_stream(v, parent == E_BINARY2, !strcmp(encoding, "gzip"));
    if (st)
        hal_vo_fail(v, st);
}

static void wrong_place(hal_votable *v, const char *name)
{
    hal_vo_fail(
        v, hal_err_set(v->err, HAL_E_INTEGRITY, "element <%.60s> stands where it cannot", name));
}

static void start_row_element(hal_votable *v, element e, const XML_Char **a)
{
    if (e == E_TR) {
        v->i_cell = 0;
        return;
    }
    if (v->i_cell == v->n_columns)
        hal_vo_fail(v,
                    hal_err_set(v->err, HAL_E_INTEGRITY, "row %llu has more than %zu cells",
                                (unsigned long long)(v->n_batched + v->n_rows + 1), v->n_columns));
    const char *encoding = hal_vo_attribute(a, "encoding");
    v->cell_base64 = encoding && !strcmp(encoding, "base64");
    begin_text(v);
}

static void start_element(hal_votable *v, element e, const XML_Char **a)
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
            hal_vo_fail(v, hal_err_set(v->err, HAL_E_INTEGRITY, "a FIELD behind the rows"));
        else
            hal_vo_start_field(v, a);
        break;
    case E_VALUES:
        if (v->stack[v->depth - 1] == E_FIELD && hal_vo_attribute(a, "null")) {
            hal_vo_declared *d = &v->current.list[v->current.n - 1];
            const char *text = hal_vo_attribute(a, "null");
            hal_free(d->null_text);
            d->null_text = hal_vo_keep(v, text, strlen(text));
        }
        break;
    case E_INFO:
        hal_vo_add_meta(v, HAL_META_INFO, a);
        begin_text(v);
        break;
    case E_PARAM:
        hal_vo_add_meta(v, HAL_META_PARAM, a);
        break;
    case E_COOSYS:
        hal_vo_add_meta(v, HAL_META_COOSYS, a);
        break;
    case E_TIMESYS:
        hal_vo_add_meta(v, HAL_META_TIMESYS, a);
        break;
    case E_LINK:
        hal_vo_add_meta(v, HAL_META_LINK, a);
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
    case E_TABLEDATA:
    case E_BINARY:
    case E_BINARY2:
        if (v->reading)
            start_rows(v);
        if (v->reading && !v->st && e == E_TABLEDATA) /* the others hold what they declare */
            ask_types(v);
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
    hal_votable *v = ctx;
    if (v->st)
        return;
    size_t n = 0;
    while (a[2 * n])
        n++;
    if (v->depth == HAL_VO_DEPTH_MAX || n > HAL_VO_ATTRIBUTES_MAX) {
        hal_vo_fail(v, hal_err_set(v->err, HAL_E_BUDGET,
                                   v->depth == HAL_VO_DEPTH_MAX
                                       ? "elements are nested more than 64 deep"
                                       : "an element with more than 256 attributes"));
        return;
    }
    element parent = (element)v->stack[v->depth++];
    v->scopes[v->depth] = v->scopes[v->depth - 1];
    v->results[v->depth] = v->results[v->depth - 1];
    v->stack[v->depth] = E_OTHER;
    if (v->skip_depth)
        return;
    const char *colon = strrchr(name, ':');
    element e = element_of(colon ? colon + 1 : name);
    if (v->depth == 1 && e != E_VOTABLE) {
        hal_vo_fail(v,
                    hal_err_set(v->err, HAL_E_PROTOCOL,
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

static void set_text(hal_votable *v, const char **to)
{
    hal_slice s = hal_vo_trim(hal_buf_slice(&v->text));
    char *text = hal_vo_keep(v, s.data, s.size_bytes);
    if (!text)
        return;
    hal_free((char *)*to);
    *to = text;
}

static void end_text(hal_votable *v, element e)
{
    element parent = (element)v->stack[v->depth - 1];
    hal_status st = HAL_OK;
    if (e == E_INFO)
        set_text(v, (const char **)&v->places[v->metadata.n_items - 1].text);
    else if (parent == E_FIELD)
        set_text(v, &v->current.list[v->current.n - 1].field.description);
    else if (parent == E_TABLE && v->reading)
        st = hal_metadata_set(&v->metadata.description, hal_vo_trim(hal_buf_slice(&v->text)),
                              v->err);
    if (st)
        hal_vo_fail(v, st);
}

static void end_row(hal_votable *v)
{
    if (v->i_cell != v->n_columns) {
        hal_vo_fail(v,
                    hal_err_set(v->err, HAL_E_INTEGRITY, "row %llu has %zu cells, declared are %zu",
                                (unsigned long long)(v->n_batched + v->n_rows + 1), v->i_cell,
                                v->n_columns));
        return;
    }
    if (v->n_columns == 0)
        return; /* rows without a cell: an empty answer (astropy-no_field_not_empty_table.xml) */
    hal_status st = hal_vo_took_row(v);
    if (st)
        hal_vo_fail(v, st);
}

/* A cell that is written as in BINARY, in base64. */
static hal_status add_base64_cell(hal_votable *v, const hal_vo_column *c, hal_vec *vec,
                                  hal_slice text)
{
    hal_base64 base64 = {0};
    uint8_t *bytes = hal_malloc(hal_base64_room(text.size_bytes) + 2);
    if (!bytes)
        return hal_err_nomem(v->err, hal_base64_room(text.size_bytes));
    const char *wrong;
    size_t last = 0, n = hal_base64_decode(&base64, text.data, text.size_bytes, bytes, &wrong);
    bool ends = hal_base64_finish(&base64, bytes + n, &last);
    uint64_t size = 0;
    hal_vo_layout layout;
    hal_status st = hal_vo_layout_init(&layout, c, 1, false, v->err);
    n += last;
    if (!st && !wrong && ends && c->datatype != HAL_VO_UNKNOWN)
        st = hal_vo_row_size(&layout, bytes, bytes + n, &size, v->err);
    if (!st && (wrong || !ends || size != n))
        st = hal_err_set(v->err, HAL_E_INTEGRITY, "column %s: a base64 cell of a wrong length",
                         c->name);
    if (!st)
        st = hal_vo_add_row(&layout, vec, bytes, &v->scratch, v->err);
    hal_vo_layout_clear(&layout);
    hal_free(bytes);
    return st;
}

static void end_cell(hal_votable *v)
{
    hal_slice text = {hal_buf_text(&v->text), v->text.size_bytes};
    const hal_vo_column *c = &v->columns[v->i_cell];
    hal_vec *vec = &v->vecs[v->i_cell];
    hal_status st = v->cell_base64 ? add_base64_cell(v, c, vec, text)
                                   : hal_vo_add_text(c, vec, text, &v->scratch, v->err);
    if (st)
        hal_vo_fail(v, hal_err_note(v->err, st, "row %llu",
                                    (unsigned long long)(v->n_batched + v->n_rows + 1)));
    v->i_cell++;
}

static void end_table(hal_votable *v)
{
    if (v->reading)
        hal_vo_lay_out(v);
    v->reading = false;
    if (!v->st)
        hal_vo_remember(v);
}

static void XMLCALL on_end(void *ctx, const XML_Char *name)
{
    (void)name;
    hal_votable *v = ctx;
    if (v->st)
        return;
    element e = (element)v->stack[v->depth];
    hal_status st;
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
    else if (v->reading && e == E_STREAM && (st = hal_vo_end_stream(v)))
        hal_vo_fail(v, st);
    v->collects = false;
    v->depth--;
    v->root_ended = v->depth == 0;
}

static void XMLCALL on_text(void *ctx, const XML_Char *text, int n)
{
    hal_votable *v = ctx;
    if (v->st || v->skip_depth)
        return;
    element e = (element)v->stack[v->depth];
    hal_status st = HAL_OK;
    if (e == E_STREAM && v->reading) {
        st = hal_vo_take_base64(v, text, (size_t)n);
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
        hal_vo_fail(v, st);
}

static void XMLCALL on_cdata_start(void *ctx)
{
    ((hal_votable *)ctx)->in_cdata = true;
}

static void XMLCALL on_cdata_end(void *ctx)
{
    ((hal_votable *)ctx)->in_cdata = false;
}

static void XMLCALL on_doctype(void *ctx, const XML_Char *name, const XML_Char *system_id,
                               const XML_Char *public_id, int has_internal_subset)
{
    (void)system_id;
    (void)public_id;
    hal_votable *v = ctx;
    if (v->st)
        return;
    if (!strcasecmp(name, "html"))
        hal_vo_fail(
            v, hal_err_set(v->err, HAL_E_PROTOCOL,
                           "the answer is an HTML page, not a VOTable; the service may be down "
                           "or the address wrong"));
    else if (has_internal_subset)
        hal_vo_fail(
            v, hal_err_set(v->err, HAL_E_PROTOCOL,
                           "the document declares entities or elements of its own (DOCTYPE with "
                           "an internal subset); that is refused"));
}

static void XMLCALL on_skipped(void *ctx, const XML_Char *name, int is_parameter)
{
    hal_votable *v = ctx;
    if (!v->st && !is_parameter)
        hal_vo_fail(
            v, hal_err_set(v->err, HAL_E_PROTOCOL,
                           "the document uses the undeclared entity &%.60s;; only those of XML "
                           "itself are read",
                           name));
}

static void XMLCALL on_declaration(void *ctx, const XML_Char *version, const XML_Char *encoding,
                                   int standalone)
{
    (void)version;
    (void)standalone;
    hal_votable *v = ctx;
    if (encoding && strcasecmp(encoding, "utf-8") != 0)
        v->scan_allowed = false;
}

/* What Expat objects to. */
static hal_status expat_error(hal_votable *v, uint64_t expat_before)
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

/* Bytes of a token that Expat waits for the rest of. */
static uint64_t unfinished(const hal_votable *v)
{
    XML_Index at = v->lib->byte_index(v->parser);
    return at < 0 ? 0 : v->expat_bytes - (uint64_t)at;
}

static hal_status give_expat(hal_votable *v, const char *p, size_t n, bool final)
{
    uint64_t before = v->expat_bytes;
    enum XML_Status parsed = v->lib->parse(v->parser, p, (int)n, final);
    v->expat_bytes += n;
    if (v->st)
        return v->st;
    if (parsed != XML_STATUS_OK)
        return expat_error(v, before);
    if (unfinished(v) > TOKEN_MAX + PIECE)
        return hal_err_set(v->err, HAL_E_BUDGET,
                           "byte %llu of the VOTable: a tag or comment of more than 1 MiB",
                           (unsigned long long)v->offset);
    v->offset += n;
    return HAL_OK;
}

/* What may be read here instead of by Expat. */
static hal_vo_mode next_mode(const hal_votable *v)
{
    if (!v->scan_allowed || !v->reading || v->skip_depth || v->depth == 0 || v->in_cdata)
        return HAL_VO_DOCUMENT;
    element e = (element)v->stack[v->depth];
    bool rows = e == E_TABLEDATA && v->n_columns > 0, stream = e == E_STREAM;
    if (!(rows || stream) || (uint64_t)v->lib->byte_index(v->parser) != v->expat_bytes)
        return HAL_VO_DOCUMENT; /* also within a comment */
    return rows ? HAL_VO_ROWS : HAL_VO_BASE64;
}

/* How many bytes Expat gets before it is seen whether something else may go on: to the end of a
 * row, elsewhere of a tag. Expat looks at an unfinished token from its beginning each time, so that
 * there are to be twice as many bytes of it then. */
static size_t expat_part(const hal_votable *v, const char *p, size_t n)
{
    element e = (element)v->stack[v->depth];
    bool in_rows = v->reading && (e == E_TABLEDATA || e == E_TR || e == E_TD);
    const char *end = p + (n < PIECE ? n : PIECE);
    uint64_t skip = unfinished(v);
    const char *at = skip < (uint64_t)(end - p) ? p + skip : end;
    while (v->scan_allowed && (at = memchr(at, '>', (size_t)(end - at)))) {
        at++;
        if (!in_rows || (at - p >= 5 && !memcmp(at - 5, "</TR>", 5)))
            return (size_t)(at - p);
    }
    return (size_t)(end - p);
}

hal_status hal_vo_take_document(hal_votable *v, const char *p, size_t n, size_t *used)
{
    hal_status st;
    if (v->mode == HAL_VO_BASE64) {
        const char *stop = memchr(p, '<', n), *amp = memchr(p, '&', stop ? (size_t)(stop - p) : n);
        stop = amp ? amp : stop;
        *used = stop ? (size_t)(stop - p) : n;
        st = hal_vo_take_base64(v, p, *used);
        v->offset += *used;
        if (stop)
            v->mode = HAL_VO_DOCUMENT;
        return st;
    }
    *used = expat_part(v, p, n);
    st = give_expat(v, p, *used, false);
    if (!st)
        v->mode = next_mode(v);
    return st;
}

static hal_status votable_feed(void *self, const char *bytes, size_t n, hal_err *err)
{
    hal_votable *v = self;
    hal_err ignored = HAL_ERR_INIT;
    v->err = err ? err : &ignored;
    v->scratch.null_bytes_left += HAL_VO_NULL_RATIO * (uint64_t)n;
    hal_status st = HAL_OK;
    if (v->expat_bytes == 0 && n && ((unsigned char)bytes[0] >= 0xf0 || bytes[0] == '\0'))
        v->scan_allowed = false; /* UTF-16 */
    while (n && !st) {
        size_t used = 0;
        st = v->mode == HAL_VO_ROWS || hal_vo_text_waits(v)
                 ? hal_vo_take_text(v, bytes, n, &used)
                 : hal_vo_take_document(v, bytes, n, &used);
        bytes += used;
        n -= used;
    }
    v->err = NULL;
    return st;
}

static hal_status build(hal_votable *v, const char *status, hal_table **table)
{
    uint64_t n = v->n_batched + v->n_rows;
    if (v->n_rows_said >= 0 && (uint64_t)v->n_rows_said > n && strcmp(status, "OVERFLOW") != 0)
        return hal_err_set(v->err, HAL_E_INTEGRITY,
                           "the TABLE has %llu rows, announced are %lld (nrows)",
                           (unsigned long long)n, (long long)v->n_rows_said);
    hal_status st = HAL_OK;
    if (v->setup.asked.batch && v->n_rows)
        st = hal_vo_flush(v);
    return st ? st : hal_vo_rows_table(v, status, false, table);
}

static hal_status votable_finish(void *self, hal_answer *answer, hal_table **table, hal_err *err)
{
    hal_votable *v = self;
    hal_err ignored = HAL_ERR_INIT;
    v->err = err ? err : &ignored;
    hal_status st = hal_vo_end_rows(v);
    if (!st)
        st = give_expat(v, "", 0, true);
    if (!st && !v->root_ended)
        st = hal_err_set(v->err, HAL_E_INTEGRITY, "byte %llu: the VOTable does not end",
                         (unsigned long long)v->offset);
    if (st)
        return st;
    *answer = HAL_ANSWER_INIT;
    hal_contents_tell(&v->contents, answer);
    const char *status;
    hal_vo_settle_status(v, answer, &status);
    if (answer->status == HAL_ANSWER_ERROR)
        return HAL_OK;
    if (!v->chosen && v->contents.n_tables)
        return hal_contents_missing(&v->contents, v->err);
    if (!v->chosen)
        return hal_err_set(v->err, HAL_E_PROTOCOL, "the VOTable has no TABLE and names no error");
    return build(v, status, table);
}

static void votable_free(void *self)
{
    hal_votable *v = self;
    if (!v)
        return;
    if (v->parser)
        v->lib->free(v->parser);
    hal_vo_rows_clear(v);
    hal_vo_header_clear(&v->current);
    for (size_t i = 0; i < v->n_known; i++)
        hal_vo_header_clear(&v->known[i]);
    hal_free(v->known);
    hal_free(v->table_ref);
    hal_contents_clear(&v->contents);
    for (size_t i = 0; i < v->metadata.n_items; i++)
        hal_free(v->places[i].text);
    hal_free(v->places);
    hal_metadata_clear(&v->metadata);
    hal_buf_clear(&v->text);
    hal_free(v);
}

static void *votable_open(const hal_reader_setup *setup, hal_err *err)
{
    static const XML_Memory_Handling_Suite memory = {hal_malloc, hal_realloc, hal_free};
    const hal_expat *lib = hal_expat_load(err);
    hal_votable *v = lib ? hal_calloc(1, sizeof *v) : NULL;
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
    v->scratch.null_bytes_left = HAL_VO_NULL_BYTES;
    hal_buf_init(&v->text, HAL_VO_CELL_TEXT_MAX);
    hal_status st = hal_contents_init(&v->contents, setup->asked.table, err);
    v->parser = st ? NULL : lib->create(NULL, &memory, NULL);
    if (!v->parser) {
        if (!st)
            hal_err_nomem(err, 0);
        votable_free(v);
        return NULL;
    }
    lib->set_user_data(v->parser, v);
    lib->set_element_handler(v->parser, on_start, on_end);
    lib->set_text_handler(v->parser, on_text);
    lib->set_cdata_handler(v->parser, on_cdata_start, on_cdata_end);
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
                                             votable_free, true};
