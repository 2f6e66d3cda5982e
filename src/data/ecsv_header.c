/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/ecsv_header.h"

#include "base/alloc.h"
#include "data/yaml_lib.h"

#include <stdio.h>
#include <stdlib.h>

enum { DEPTH_MAX = 32, ATTRIBUTES_MAX = 32 };

typedef struct parser {
    const hal_yaml *yaml;
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    size_t first_line;
    hal_ecsv_header *out;
    size_t columns_max;
    hal_buf path; /* names of the nested metadata */
    hal_err *err;
} parser;

static unsigned long long line_of(const parser *p)
{
    return p->event.start_mark.line + p->first_line;
}

static hal_status wrong(const parser *p, const char *what)
{
    return hal_err_set(p->err, HAL_E_INTEGRITY, "line %llu: %s", line_of(p), what);
}

static hal_status next(parser *p)
{
    p->yaml->delete_event(&p->event);
    if (p->yaml->parse(&p->parser, &p->event)) {
        if (p->event.type == YAML_ALIAS_EVENT)
            return wrong(p, "an alias of YAML, which ECSV headers are read without");
        return HAL_OK;
    }
    memset(&p->event, 0, sizeof p->event);
    if (p->parser.error == YAML_MEMORY_ERROR)
        return hal_err_nomem(p->err, 1);
    return hal_err_set(p->err, HAL_E_INTEGRITY, "line %llu: the ECSV header is no YAML: %s",
                       (unsigned long long)(p->parser.problem_mark.line + p->first_line),
                       p->parser.problem ? p->parser.problem : "unknown problem");
}

static bool is(const parser *p, yaml_event_type_t type)
{
    return p->event.type == type;
}

static hal_slice scalar(const parser *p)
{
    return (hal_slice){(const char *)p->event.data.scalar.value, p->event.data.scalar.length};
}

static bool scalar_is(const parser *p, const char *text)
{
    return hal_slice_equals(scalar(p), hal_slice_of(text));
}

/* The current event, a text, to *out. */
static hal_status take_text(parser *p, char **out)
{
    if (!is(p, YAML_SCALAR_EVENT))
        return wrong(p, "a text is expected here");
    hal_slice text = scalar(p);
    if (*out)
        return wrong(p, "this key stands twice");
    if (memchr(text.data, '\0', text.size_bytes))
        return wrong(p, "a text with a NUL");
    *out = hal_strndup(text.data, text.size_bytes);
    return *out ? HAL_OK : hal_err_nomem(p->err, text.size_bytes + 1);
}

/* From the first to the last event of a node. */
static hal_status skip_node(parser *p)
{
    int depth = 0;
    for (;;) {
        depth += is(p, YAML_MAPPING_START_EVENT) || is(p, YAML_SEQUENCE_START_EVENT);
        depth -= is(p, YAML_MAPPING_END_EVENT) || is(p, YAML_SEQUENCE_END_EVENT);
        if (depth == 0)
            return HAL_OK;
        if (depth > DEPTH_MAX) /* libyaml's time grows with the square of the depth */
            return wrong(p, "YAML nested more than 32 deep");
        hal_status st = next(p);
        if (st)
            return st;
    }
}

/* To the next key of a mapping; *end: there is none. The value follows by next(). */
static hal_status next_key(parser *p, bool *end)
{
    hal_status st = next(p);
    if (st)
        return st;
    *end = is(p, YAML_MAPPING_END_EVENT);
    return *end || is(p, YAML_SCALAR_EVENT) ? HAL_OK : wrong(p, "a key that is not a text");
}

/* One of `n` texts by its key; `skip`: other keys are passed over. */
typedef struct entry {
    const char *key;
    char **text;
} entry;

static hal_status take_entry(parser *p, const entry *entries, size_t n, bool skip)
{
    for (size_t i = 0; i < n; i++)
        if (scalar_is(p, entries[i].key)) {
            hal_status st = next(p);
            return st ? st : take_text(p, entries[i].text);
        }
    if (!skip)
        return wrong(p, "a key of a column that ECSV 1.0 does not know");
    hal_status st = next(p);
    return st ? st : skip_node(p);
}

/* A mapping, or the ordered one of single ones that Astropy writes. */
static hal_status take_column_meta(parser *p, hal_ecsv_column *c)
{
    const entry entries[] = {{"ucd", &c->ucd}, {"utype", &c->utype}, {"xtype", &c->xtype}};
    bool list = is(p, YAML_SEQUENCE_START_EVENT), end = false;
    hal_status st = list ? next(p) : HAL_OK;
    for (; !st && !(list && is(p, YAML_SEQUENCE_END_EVENT)); st = list ? next(p) : HAL_OK) {
        if (!is(p, YAML_MAPPING_START_EVENT)) {
            st = skip_node(p);
        } else {
            st = next_key(p, &end);
            while (!st && !end) {
                st = take_entry(p, entries, sizeof entries / sizeof *entries, true);
                if (!st)
                    st = next_key(p, &end);
            }
        }
        if (st || !list)
            return st;
    }
    return st;
}

static const struct {
    const char *name;
    hal_type type;
    int64_t min, max;
} datatypes[] = {
    {"bool", HAL_TYPE_BOOL, 0, 0},
    {"int8", HAL_TYPE_INT16, INT8_MIN, INT8_MAX},
    {"int16", HAL_TYPE_INT16, INT16_MIN, INT16_MAX},
    {"int32", HAL_TYPE_INT32, INT32_MIN, INT32_MAX},
    {"int64", HAL_TYPE_INT64, INT64_MIN, INT64_MAX},
    {"uint8", HAL_TYPE_UINT8, 0, UINT8_MAX},
    {"uint16", HAL_TYPE_INT32, 0, UINT16_MAX},
    {"uint32", HAL_TYPE_INT64, 0, UINT32_MAX},
    {"uint64", HAL_TYPE_INT64, 0, INT64_MAX},
    {"float16", HAL_TYPE_FLOAT32, 0, 0},
    {"float32", HAL_TYPE_FLOAT32, 0, 0},
    {"float64", HAL_TYPE_FLOAT64, 0, 0},
    {"complex64", HAL_TYPE_COMPLEX64, 0, 0},
    {"complex128", HAL_TYPE_COMPLEX128, 0, 0},
    {"string", HAL_TYPE_STRING, 0, 0},
};

static hal_status find_type(const parser *p, hal_ecsv_column *c, hal_slice name)
{
    for (size_t i = 0; i < sizeof datatypes / sizeof *datatypes; i++)
        if (hal_slice_equals(name, hal_slice_of(datatypes[i].name))) {
            c->type = datatypes[i].type;
            c->min = datatypes[i].min;
            c->max = datatypes[i].max;
            return HAL_OK;
        }
    return hal_err_set(p->err, HAL_E_INTEGRITY,
                       "line %llu: column %s has the datatype %.*s, which no type holds exactly; "
                       "write it as string or float64",
                       line_of(p), c->name, (int)(name.size_bytes < 40 ? name.size_bytes : 40),
                       name.data);
}

/* "[3,2]" behind the name of a subtype. */
static hal_status take_dimensions(const parser *p, hal_ecsv_column *c, const char *text)
{
    uint64_t product = 1;
    char end = *text;
    while (end && end != ']' && c->n_dimensions < HAL_ECSV_DIMENSIONS_MAX) {
        uint64_t n = 0;
        const char *digits = ++text;
        while (*text >= '0' && *text <= '9' && n < INT32_MAX)
            n = n * 10 + (uint64_t)(*text++ - '0');
        if (text == digits && !strncmp(text, "null", 4))
            text += 4;
        else if (n == 0)
            break;
        c->dimensions[c->n_dimensions++] = n;
        product = n > INT32_MAX / product ? UINT64_MAX / 2 : product * n;
        while (*text == ' ')
            text++;
        end = *text;
        if (end != ',' && end != ']')
            break;
        while (end == ',' && text[1] == ' ')
            text++;
    }
    bool whole = end == ']' && !text[1] && product <= INT32_MAX;
    if (!whole || (product == 0 && c->n_dimensions > 1))
        return hal_err_set(p->err, HAL_E_INTEGRITY,
                           "line %llu: column %s has a subtype that is not read; type[n], "
                           "type[n,m], type[null] and json are",
                           line_of(p), c->name);
    c->width = product ? (int32_t)product : HAL_WIDTH_VARIABLE;
    size_t used = 0;
    for (int i = c->n_dimensions - 1; i >= 0 && c->n_dimensions > 1; i--)
        used += (size_t)snprintf(c->shape + used, sizeof c->shape - used,
                                 i < c->n_dimensions - 1 ? "x%llu" : "%llu",
                                 (unsigned long long)c->dimensions[i]);
    return HAL_OK;
}

/* What the declarations of a column mean. */
static hal_status settle(const parser *p, hal_ecsv_column *c)
{
    if (!c->name || !c->datatype)
        return wrong(p, "a column without name or datatype");
    c->width = 1;
    hal_status st = find_type(p, c, hal_slice_of(c->datatype));
    if (st)
        return st;
    bool text = c->type == HAL_TYPE_STRING;
    if (c->subtype && !text)
        return wrong(p, "a subtype of another datatype than string");
    if (c->subtype && strcmp(c->subtype, "json") != 0) {
        size_t n = strcspn(c->subtype, "[");
        st = find_type(p, c, (hal_slice){c->subtype, n});
        if (st || c->type == HAL_TYPE_STRING) /* of texts: the JSON as it stands */
            return st;
        return take_dimensions(p, c, c->subtype + n);
    }
    if (text && !c->subtype && c->xtype && !strcmp(c->xtype, "timestamp"))
        c->type = HAL_TYPE_TIMESTAMP;
    return HAL_OK;
}

static hal_status take_column(parser *p)
{
    hal_ecsv_header *h = p->out;
    if (!is(p, YAML_MAPPING_START_EVENT))
        return wrong(p, "a column is described by a mapping");
    if (h->n_columns == p->columns_max)
        return hal_err_set(p->err, HAL_E_BUDGET, "line %llu: more than %zu columns", line_of(p),
                           p->columns_max);
    if (h->n_columns == h->capacity) {
        size_t capacity = h->capacity ? 2 * h->capacity : 16;
        hal_ecsv_column *grown = hal_realloc(h->columns, capacity * sizeof *grown);
        if (!grown)
            return hal_err_nomem(p->err, capacity * sizeof *grown);
        h->columns = grown;
        h->capacity = capacity;
    }
    hal_ecsv_column *c = &h->columns[h->n_columns++];
    *c = (hal_ecsv_column){0};
    char *format = NULL; /* how it is shown, not what it is */
    const entry entries[] = {{"name", &c->name},         {"unit", &c->unit},
                             {"datatype", &c->datatype}, {"description", &c->description},
                             {"subtype", &c->subtype},   {"format", &format}};
    bool end = false;
    hal_status st = next_key(p, &end);
    while (!st && !end) {
        if (scalar_is(p, "meta")) {
            st = next(p);
            if (!st)
                st = take_column_meta(p, c);
        } else {
            st = take_entry(p, entries, sizeof entries / sizeof *entries, false);
        }
        if (!st)
            st = next_key(p, &end);
    }
    hal_free(format);
    return st ? st : settle(p, c);
}

static hal_status take_columns(parser *p)
{
    if (!is(p, YAML_SEQUENCE_START_EVENT))
        return wrong(p, "datatype is a list of columns");
    hal_status st = next(p);
    while (!st && !is(p, YAML_SEQUENCE_END_EVENT)) {
        st = take_column(p);
        if (!st)
            st = next(p);
    }
    return st;
}

/* The table's own name and description; a second of either is an item like any other. */
static const char **own_text(parser *p)
{
    hal_slice path = hal_buf_slice(&p->path);
    hal_metadata *m = &p->out->metadata;
    const char **own = hal_slice_equals(path, hal_slice_of("name"))          ? &m->name
                       : hal_slice_equals(path, hal_slice_of("description")) ? &m->description
                                                                             : NULL;
    return own && !*own ? own : NULL;
}

static hal_status add_item(parser *p)
{
    char *value = NULL;
    const char **own = own_text(p);
    hal_status st = take_text(p, &value);
    if (!st && own) {
        st = hal_metadata_set(own, hal_slice_of(value), p->err);
        hal_free(value);
        return st;
    }
    if (!st)
        st = hal_buf_append(&p->path, "", 1, p->err);
    if (!st)
        st = hal_metadata_add(
            &p->out->metadata,
            &(hal_meta){.kind = HAL_META_KEY, .name = p->path.data, .value = value}, p->err);
    if (!st)
        p->path.size_bytes--;
    hal_free(value);
    return st;
}

static hal_status take_meta(parser *p, int depth);

/* The current event begins the value of `key`, which is one more part of the path. */
static hal_status take_nested(parser *p, const char *key, int depth)
{
    size_t size = p->path.size_bytes;
    if (!*key)
        return wrong(p, "metadata with an empty name");
    hal_status st = size ? hal_buf_append(&p->path, ".", 1, p->err) : HAL_OK;
    if (!st)
        st = hal_buf_append(&p->path, key, strlen(key), p->err);
    if (!st)
        st = take_meta(p, depth + 1);
    p->path.size_bytes = size;
    return st;
}

static bool is_attribute_name(const char *name)
{
    static const char more[] = "-_.0123456789";
    bool good = (*name | 0x20) >= 'a' && (*name | 0x20) <= 'z';
    for (const char *p = name; *p && good; p++)
        good = ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z') || strchr(more, *p);
    return good;
}

/* The texts in a mapping of that name are the attributes of one item; what else stands in it is
 * metadata like other. */
static hal_status take_attributes(parser *p, hal_meta_kind kind, int depth)
{
    char *texts[2 * ATTRIBUTES_MAX + 2] = {0};
    hal_attribute attributes[ATTRIBUTES_MAX];
    size_t n = 0;
    bool end = false;
    hal_status st = next_key(p, &end);
    while (!st && !end) {
        char **key = &texts[2 * n];
        st = take_text(p, key);
        for (size_t i = 0; i < n && !st; i++)
            if (!strcmp(*key, attributes[i].name))
                st = wrong(p, "this key stands twice");
        if (!st)
            st = next(p);
        if (!st && is(p, YAML_SCALAR_EVENT) && n < ATTRIBUTES_MAX && is_attribute_name(*key)) {
            st = take_text(p, &key[1]);
            attributes[n++] = (hal_attribute){key[0], key[1]};
        } else if (!st) {
            st = take_nested(p, *key, depth);
            hal_free(*key);
            *key = NULL;
        }
        if (!st)
            st = next_key(p, &end);
    }
    if (!st)
        st = hal_metadata_add(
            &p->out->metadata,
            &(hal_meta){.kind = kind, .attributes = attributes, .n_attributes = n}, p->err);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        hal_free(texts[i]);
    return st;
}

static bool is_attributes(const parser *p, hal_meta_kind *kind)
{
    static const struct {
        const char *name;
        hal_meta_kind kind;
    } mappings[] = {
        {"COOSYS", HAL_META_COOSYS}, {"TIMESYS", HAL_META_TIMESYS}, {"LINK", HAL_META_LINK}};
    hal_slice path = hal_buf_slice(&p->path);
    for (size_t i = 0; i < sizeof mappings / sizeof *mappings && is(p, YAML_MAPPING_START_EVENT);
         i++)
        if (hal_slice_equals(path, hal_slice_of(mappings[i].name))) {
            *kind = mappings[i].kind;
            return true;
        }
    return false;
}

/* The names of nested mappings are joined by dots; a list (and the ordered mapping of single ones
 * that Astropy writes) gives one item for each element. */
static hal_status take_meta(parser *p, int depth)
{
    hal_meta_kind kind;
    if (depth == DEPTH_MAX)
        return wrong(p, "metadata nested more than 32 deep");
    if (is(p, YAML_SCALAR_EVENT))
        return p->path.size_bytes     ? add_item(p)
               : scalar(p).size_bytes ? wrong(p, "metadata without names")
                                      : HAL_OK;
    if (is_attributes(p, &kind))
        return take_attributes(p, kind, depth);
    bool mapping = is(p, YAML_MAPPING_START_EVENT), end = false;
    for (;;) {
        char *key = NULL;
        hal_status st = mapping ? next_key(p, &end) : next(p);
        end = end || is(p, YAML_SEQUENCE_END_EVENT);
        if (st || end)
            return st;
        if (!mapping) {
            st = take_meta(p, depth + 1);
        } else {
            st = take_text(p, &key);
            if (!st)
                st = next(p);
            if (!st)
                st = take_nested(p, key, depth);
            hal_free(key);
        }
        if (st)
            return st;
    }
}

static hal_status take_delimiter(parser *p)
{
    if (!is(p, YAML_SCALAR_EVENT) || !(scalar_is(p, ",") || scalar_is(p, " ")))
        return wrong(p, "the delimiter of ECSV is a comma or a space");
    p->out->delimiter = *scalar(p).data;
    return HAL_OK;
}

static hal_status take_document(parser *p)
{
    hal_status st = next(p);
    if (!st)
        st = next(p);
    if (!st && !is(p, YAML_DOCUMENT_START_EVENT))
        return wrong(p, "the ECSV header is empty");
    if (!st)
        st = next(p);
    if (!st && !is(p, YAML_MAPPING_START_EVENT))
        return wrong(p, "the ECSV header is not a mapping");
    bool end = false, typed = false;
    if (!st)
        st = next_key(p, &end);
    while (!st && !end) {
        bool columns = scalar_is(p, "datatype"), meta = scalar_is(p, "meta"),
             delimiter = scalar_is(p, "delimiter"), schema = scalar_is(p, "schema");
        if (!columns && !meta && !delimiter && !schema)
            return wrong(p, "a key that ECSV 1.0 does not know");
        if (columns && typed)
            return wrong(p, "this key stands twice");
        typed = typed || columns;
        st = next(p);
        if (!st)
            st = columns     ? take_columns(p)
                 : meta      ? take_meta(p, 0)
                 : delimiter ? take_delimiter(p)
                             : skip_node(p);
        if (!st)
            st = next_key(p, &end);
    }
    if (!st && !typed)
        return wrong(p, "the ECSV header has no datatype");
    if (!st)
        st = next(p);
    if (!st)
        st = next(p);
    return !st && !is(p, YAML_STREAM_END_EVENT) ? wrong(p, "a second YAML document") : st;
}

hal_status hal_ecsv_header_read(hal_ecsv_header *out, hal_slice yaml, size_t first_line,
                                size_t columns_max, hal_err *err)
{
    *out = (hal_ecsv_header){.delimiter = ' '};
    parser p = {.yaml = hal_yaml_load(err),
                .first_line = first_line,
                .out = out,
                .columns_max = columns_max,
                .err = err};
    if (!p.yaml)
        return HAL_E_IO;
    if (!p.yaml->initialize(&p.parser))
        return hal_err_nomem(err, sizeof p.parser);
    hal_buf_init(&p.path, 1 << 20);
    p.yaml->set_input(&p.parser, (const unsigned char *)yaml.data, yaml.size_bytes);
    hal_status st = take_document(&p);
    p.yaml->delete_event(&p.event);
    p.yaml->delete_parser(&p.parser);
    hal_buf_clear(&p.path);
    return st;
}

void hal_ecsv_header_clear(hal_ecsv_header *h)
{
    for (size_t i = 0; i < h->n_columns; i++) {
        hal_ecsv_column *c = &h->columns[i];
        char *texts[] = {c->name,  c->unit,  c->description, c->ucd,
                         c->utype, c->xtype, c->datatype,    c->subtype};
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
            hal_free(texts[k]);
    }
    hal_free(h->columns);
    hal_metadata_clear(&h->metadata);
    *h = (hal_ecsv_header){0};
}

hal_field hal_ecsv_field(const hal_ecsv_column *c)
{
    bool time = c->type == HAL_TYPE_TIMESTAMP;
    return (hal_field){.name = c->name,
                       .type = c->type,
                       .unit = c->unit ? c->unit : "",
                       .ucd = c->ucd ? c->ucd : "",
                       .description = c->description ? c->description : "",
                       .width = c->width,
                       .shape = c->shape,
                       .utype = c->utype ? c->utype : "",
                       .xtype = c->xtype && !time ? c->xtype : ""};
}
