/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/arrow.h"

#include "base/alloc.h"
#include "data/arrow_metadata.h"
#include "data/types.h"
#include "data/vec.h"

#include <errno.h>

static bool is_complex(hal_type type)
{
    return type == HAL_TYPE_COMPLEX64 || type == HAL_TYPE_COMPLEX128;
}

/* What a format says: the type here and how its buffers differ from ours. */
typedef struct layout {
    hal_type type;
    char source;   /* 0: as here; 'c' 'S' 'I' 'L': that integer; 'n': nothing but nulls */
    bool narrow;   /* offsets of 32 bits */
    int64_t scale; /* timestamps: ours are theirs * scale, or / -scale */
    int32_t width; /* as in hal_field */
    const struct ArrowSchema *items; /* of an array, NULL */
} layout;

/* A pair of floats that is to be one complex number. */
static bool is_complex_schema(const struct ArrowSchema *s)
{
    return s->n_children == 1 && !strcmp(s->format, "+w:2") &&
           (!strcmp(s->children[0]->format, "f") || !strcmp(s->children[0]->format, "g"));
}

/* Their length is not known. */
static hal_slice metadata_of(const struct ArrowSchema *s)
{
    return (hal_slice){s->metadata, s->metadata ? HAL_ARROW_METADATA_MAX : 0};
}

static bool find_scalar(const struct ArrowSchema *s, layout *out)
{
    static const struct {
        const char *format;
        hal_type type;
        char source;
        bool narrow;
    } known[] = {{"b", HAL_TYPE_BOOL, 0, false},    {"C", HAL_TYPE_UINT8, 0, false},
                 {"s", HAL_TYPE_INT16, 0, false},   {"i", HAL_TYPE_INT32, 0, false},
                 {"l", HAL_TYPE_INT64, 0, false},   {"f", HAL_TYPE_FLOAT32, 0, false},
                 {"g", HAL_TYPE_FLOAT64, 0, false}, {"U", HAL_TYPE_STRING, 0, false},
                 {"u", HAL_TYPE_STRING, 0, true},   {"c", HAL_TYPE_INT16, 'c', false},
                 {"S", HAL_TYPE_INT32, 'S', false}, {"I", HAL_TYPE_INT64, 'I', false},
                 {"L", HAL_TYPE_INT64, 'L', false}, {"n", HAL_TYPE_STRING, 'n', false}};
    *out = (layout){.width = 1};
    if (s->dictionary)
        return false;
    if (is_complex_schema(s) && hal_arrow_metadata_is_complex(metadata_of(s))) {
        out->type = s->children[0]->format[0] == 'f' ? HAL_TYPE_COMPLEX64 : HAL_TYPE_COMPLEX128;
        return true;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(s->format, known[i].format)) {
            out->type = known[i].type;
            out->source = known[i].source;
            out->narrow = known[i].narrow;
            return true;
        }
    if (strncmp(s->format, "ts", 2) != 0 || !s->format[2] || s->format[3] != ':' ||
        (s->format[4] && strcmp(s->format + 4, "UTC") != 0))
        return false;
    out->type = HAL_TYPE_TIMESTAMP;
    out->scale = s->format[2] == 's'   ? 1000000
                 : s->format[2] == 'm' ? 1000
                 : s->format[2] == 'u' ? 1
                                       : -1000;
    return strchr("smun", s->format[2]) != NULL;
}

static bool find_layout(const struct ArrowSchema *s, layout *out)
{
    if (find_scalar(s, out))
        return true;
    bool wide = !strcmp(s->format, "+L"), narrow = !strcmp(s->format, "+l");
    int32_t width = 0;
    if (!strncmp(s->format, "+w:", 3))
        for (const char *p = s->format + 3; *p; p++) {
            if (*p < '0' || *p > '9' || width > INT32_MAX / 10 - 1)
                return false;
            width = 10 * width + (*p - '0');
        }
    if ((!wide && !narrow && !width) || s->dictionary || s->n_children != 1 ||
        !find_scalar(s->children[0], out) || out->type == HAL_TYPE_STRING)
        return false;
    out->items = s->children[0];
    out->narrow = narrow;
    out->width = width ? width : HAL_WIDTH_VARIABLE;
    return true;
}

/* Memory made while a column is read. */
typedef struct scratch {
    void *blocks[4];
    size_t n;
} scratch;

static void *scratch_take(scratch *s, uint64_t n, hal_err *err)
{
    void *p = n > SIZE_MAX / 2 ? NULL : hal_malloc(n ? (size_t)n : 1);
    if (p)
        s->blocks[s->n++] = p;
    else
        hal_err_nomem(err, (size_t)n);
    return p;
}

static const void *buffer(const struct ArrowArray *a, int64_t i)
{
    return i < a->n_buffers ? a->buffers[i] : NULL;
}

/* Bits from `first` on as a map of their own. */
static hal_status own_bits(scratch *s, const uint8_t **bits, uint64_t first, uint64_t n,
                           hal_err *err)
{
    if (!*bits || first == 0)
        return HAL_OK;
    uint8_t *copy = scratch_take(s, n / 8 + 1, err);
    if (!copy)
        return HAL_E_NOMEM;
    hal_bits_copy(copy, 0, *bits, first, n);
    *bits = copy;
    return HAL_OK;
}

static int64_t read_integer(const void *values, char source, uint64_t i)
{
    switch (source) {
    case 'c':
        return ((const int8_t *)values)[i];
    case 'S':
        return ((const uint16_t *)values)[i];
    case 'I':
        return ((const uint32_t *)values)[i];
    default: /* 'L', timestamps */
        return ((const int64_t *)values)[i];
    }
}

static bool scaled(int64_t v, int64_t scale, int64_t *out)
{
    if (scale < 0) {
        *out = v / -scale;
        return v % -scale == 0;
    }
    *out = (int64_t)((uint64_t)v * (uint64_t)scale);
    return v >= INT64_MIN / scale && v <= INT64_MAX / scale;
}

/* Items [first, first + n) of integers or timestamps of another kind, as ours from item 0. Values
 * of items that are null are of no account. */
static hal_status convert_items(scratch *s, const layout *l, const void **values, uint64_t first,
                                uint64_t n, const uint8_t *valid, const char *name, hal_err *err)
{
    char *to = scratch_take(s, hal_items_bytes(l->type, n), err);
    if (!to)
        return HAL_E_NOMEM;
    for (uint64_t i = 0; i < n; i++) {
        int64_t v = read_integer(*values, l->source, first + i);
        bool null = valid && !hal_bit(valid, first + i);
        bool fits = null || (l->type == HAL_TYPE_TIMESTAMP ? scaled(v, l->scale, &v)
                                                           : l->source != 'L' || v >= 0);
        if (!fits)
            return hal_err_set(err, HAL_E_USAGE,
                               "column %s: a value of Arrow format %s is beyond %s", name,
                               l->source ? "L" : "ts", hal_type_name(l->type));
        if (l->type == HAL_TYPE_INT16)
            ((int16_t *)(void *)to)[i] = (int16_t)v;
        else if (l->type == HAL_TYPE_INT32)
            ((int32_t *)(void *)to)[i] = (int32_t)v;
        else
            ((int64_t *)(void *)to)[i] = null ? 0 : v;
    }
    *values = to;
    return HAL_OK;
}

/* The values of `n` items of `a` from item `first` on, which becomes item 0 of *values. */
static hal_status item_values(scratch *s, const layout *l, const struct ArrowArray *a,
                              uint64_t first, uint64_t n, const char *name, const void **values,
                              hal_err *err)
{
    if (is_complex(l->type)) {
        if (a->n_children != 1)
            return hal_err_set(err, HAL_E_USAGE, "column %s: an Arrow array without its child",
                               name);
        first = 2 * first + (uint64_t)a->children[0]->offset;
        a = a->children[0];
    } else if (l->type == HAL_TYPE_BOOL) {
        const uint8_t *bits = buffer(a, 1);
        hal_status st = own_bits(s, &bits, first, n, err);
        *values = bits;
        return st;
    }
    *values = buffer(a, 1);
    if (n == 0)
        return HAL_OK;
    if (!*values)
        return hal_err_set(err, HAL_E_USAGE, "column %s: an Arrow array without values", name);
    if (l->source || (l->type == HAL_TYPE_TIMESTAMP && l->scale != 1))
        return convert_items(s, l, values, first, n, buffer(a, 0), name, err);
    hal_type part = l->type == HAL_TYPE_COMPLEX64    ? HAL_TYPE_FLOAT32
                    : l->type == HAL_TYPE_COMPLEX128 ? HAL_TYPE_FLOAT64
                                                     : l->type;
    *values = (const char *)*values + hal_items_bytes(part, first);
    return HAL_OK;
}

/* The offsets of the rows of `a` as ours. */
static hal_status row_offsets(scratch *s, const layout *l, const struct ArrowArray *a,
                              const char *name, const int64_t **out, hal_err *err)
{
    uint64_t first = (uint64_t)a->offset, n = (uint64_t)a->length;
    const void *from = buffer(a, 1);
    if (!from)
        return hal_err_set(err, HAL_E_USAGE, "column %s: an Arrow array without offsets", name);
    if (l->narrow) {
        int64_t *wide = scratch_take(s, 8 * (n + 1), err);
        if (!wide)
            return HAL_E_NOMEM;
        for (uint64_t i = 0; i <= n; i++)
            wide[i] = ((const int32_t *)from)[first + i];
        *out = wide;
    } else {
        *out = (const int64_t *)from + first;
    }
    bool rising = **out >= 0;
    for (uint64_t i = 0; i < n && rising; i++)
        rising = (*out)[i] <= (*out)[i + 1];
    return rising ? HAL_OK : hal_err_set(err, HAL_E_USAGE, "column %s: offsets that fall", name);
}

static hal_status import_rows(hal_vec *v, const layout *l, const struct ArrowArray *a,
                              const char *name, scratch *s, hal_err *err)
{
    uint64_t first = (uint64_t)a->offset, n = (uint64_t)a->length;
    if (l->source == 'n')
        return hal_vec_pad(v, n, err);
    hal_column c = {.bytes = "", .valid = a->null_count ? buffer(a, 0) : NULL};
    hal_status st = own_bits(s, &c.valid, first, n, err);
    if (!st && (l->type == HAL_TYPE_STRING || l->width == HAL_WIDTH_VARIABLE))
        st = row_offsets(s, l, a, name, &c.offsets, err);
    if (st)
        return st;
    if (l->type == HAL_TYPE_STRING) {
        c.bytes = buffer(a, 2);
        if (!c.bytes && c.offsets[n] > c.offsets[0])
            return hal_err_set(err, HAL_E_USAGE, "column %s: an Arrow array without text", name);
        return hal_vec_append(v, &c, 0, n, err);
    }
    if (!l->items) {
        st = item_values(s, l, a, first, n, name, &c.values, err);
        return st ? st : hal_vec_append(v, &c, 0, n, err);
    }
    if (a->n_children != 1)
        return hal_err_set(err, HAL_E_USAGE, "column %s: an Arrow array without its child", name);
    const struct ArrowArray *items = a->children[0];
    uint64_t n_items = c.offsets ? (uint64_t)c.offsets[n] : n * (uint64_t)l->width;
    first = (uint64_t)items->offset + (c.offsets ? 0 : first * (uint64_t)l->width);
    if (first + n_items > (uint64_t)(items->offset + items->length))
        return hal_err_set(err, HAL_E_USAGE, "column %s: an array of fewer items than its rows",
                           name);
    c.item_valid = items->null_count ? buffer(items, 0) : NULL;
    st = own_bits(s, &c.item_valid, first, n_items, err);
    if (!st)
        st = item_values(s, l, items, first, n_items, name, &c.values, err);
    return st ? st : hal_vec_append(v, &c, 0, n, err);
}

static hal_status import_column(hal_vec *v, hal_field *f, const struct ArrowSchema *schema,
                                const struct ArrowArray *a, hal_err *err)
{
    const char *name = f->name = schema->name ? schema->name : "";
    layout l;
    if (!find_layout(schema, &l))
        return hal_err_set(err, HAL_E_USAGE,
                           "column %s has the Arrow format \"%.30s\"%s, which a table cannot hold; "
                           "convert it before",
                           name, schema->format, schema->dictionary ? " by dictionary" : "");
    hal_status st = hal_arrow_metadata_read_field(metadata_of(schema), f, err);
    if (st)
        return hal_err_note(err, st, "column %s", name);
    scratch s = {0};
    st = hal_vec_set_shape(v, l.type, l.width, err);
    if (!st && a->length)
        st = import_rows(v, &l, a, name, &s, err);
    for (size_t i = 0; i < s.n; i++)
        hal_free(s.blocks[i]);
    return st;
}

hal_table *hal_arrow_import(const struct ArrowSchema *schema, const struct ArrowArray *array,
                            hal_err *err)
{
    if (strcmp(schema->format, "+s") != 0 || schema->n_children != array->n_children ||
        array->length < 0 || (array->null_count && buffer(array, 0))) {
        hal_err_set(err, HAL_E_USAGE, "the Arrow array is no struct of columns without nulls");
        return NULL;
    }
    size_t n = (size_t)schema->n_children;
    hal_vec *vecs = hal_calloc(n + 1, sizeof *vecs);
    hal_field *fields = hal_calloc(n + 1, sizeof *fields);
    hal_metadata metadata = {0};
    hal_table *t = NULL;
    hal_status st = vecs && fields ? HAL_OK : hal_err_nomem(err, (n + 1) * sizeof *vecs);
    for (size_t i = 0; i < n && !st; i++) {
        struct ArrowArray column = *array->children[i];
        if (column.length < array->offset + array->length) {
            st = hal_err_set(err, HAL_E_USAGE, "column %s is shorter than its table",
                             schema->children[i]->name ? schema->children[i]->name : "");
            break;
        }
        column.offset += array->offset;
        column.length = array->length;
        st = import_column(&vecs[i], &fields[i], schema->children[i], &column, err);
    }
    if (!st)
        st = hal_arrow_metadata_read_table(metadata_of(schema), &metadata, err);
    if (!st)
        t = hal_table_from_parts(fields, vecs, n, (uint64_t)array->length, &metadata, err);
    for (size_t i = 0; i < n && vecs && fields; i++) {
        hal_vec_clear(&vecs[i]);
        hal_arrow_metadata_clear_field(&fields[i]);
    }
    hal_free(vecs);
    hal_free(fields);
    hal_metadata_clear(&metadata);
    return t;
}

static hal_status stream_failure(struct ArrowArrayStream *s, int code, hal_err *err)
{
    const char *text = s->get_last_error(s);
    return hal_err_set(err, code == ENOMEM ? HAL_E_NOMEM : HAL_E_IO, "the Arrow stream fails: %s",
                       text ? text : "it does not say why");
}

/* The next array as a table; *out is NULL at the end. */
static hal_status next_table(struct ArrowArrayStream *stream, const struct ArrowSchema *schema,
                             hal_table **out, hal_err *err)
{
    struct ArrowArray array = {0};
    *out = NULL;
    int code = stream->get_next(stream, &array);
    if (code)
        return stream_failure(stream, code, err);
    if (!array.release)
        return HAL_OK;
    hal_err local = HAL_ERR_INIT;
    *out = hal_arrow_import(schema, &array, &local);
    array.release(&array);
    if (!*out && err)
        *err = local;
    return *out ? HAL_OK : local.status;
}

/* A table of no rows, for a stream without arrays. */
static hal_table *empty_table(const struct ArrowSchema *schema, hal_err *err)
{
    size_t n = (size_t)schema->n_children;
    struct ArrowArray nothing = {0}, **children = hal_calloc(n + 1, sizeof *children);
    if (!children) {
        hal_err_nomem(err, (n + 1) * sizeof *children);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        children[i] = &nothing;
    struct ArrowArray whole = {.n_children = (int64_t)n, .children = children};
    hal_table *t = hal_arrow_import(schema, &whole, err);
    hal_free(children);
    return t;
}

hal_table *hal_arrow_import_stream(struct ArrowArrayStream *stream, hal_err *err)
{
    struct ArrowSchema schema = {0};
    int code = stream->get_schema(stream, &schema);
    if (code) {
        stream_failure(stream, code, err);
        return NULL;
    }
    hal_table **tables = NULL, *whole = NULL, *t = NULL;
    size_t n = 0, capacity = 0;
    hal_status st = next_table(stream, &schema, &t, err);
    while (!st && t) {
        if (n == capacity) {
            capacity = capacity ? 2 * capacity : 16;
            hal_table **grown = hal_realloc(tables, capacity * sizeof *tables);
            if (!grown) {
                hal_table_unref(t);
                st = hal_err_nomem(err, capacity * sizeof *tables);
                break;
            }
            tables = grown;
        }
        tables[n++] = t;
        st = next_table(stream, &schema, &t, err);
    }
    if (!st)
        whole = n == 0   ? empty_table(&schema, err)
                : n == 1 ? hal_table_ref(tables[0])
                         : hal_table_concat(tables, n, err);
    for (size_t i = 0; i < n; i++)
        hal_table_unref(tables[i]);
    hal_free(tables);
    schema.release(&schema);
    return whole;
}
