/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/arrow.h"

#include "base/alloc.h"
#include "data/types.h"
#include "data/vec.h"

#include <errno.h>
#include <stdio.h>

enum { FORMAT_MAX = 24, METADATA_MAX = 1 << 30 };

static bool is_complex(hal_type type)
{
    return type == HAL_TYPE_COMPLEX64 || type == HAL_TYPE_COMPLEX128;
}

/* --- Schema out ---------------------------------------------------------------------------------
 */

typedef struct schema_private {
    char format[FORMAT_MAX];
    char *name;
    hal_buf metadata;
    struct ArrowSchema *children;
    struct ArrowSchema **pointers;
} schema_private;

static void schema_release(struct ArrowSchema *s)
{
    schema_private *own = s->private_data;
    for (int64_t i = 0; i < s->n_children; i++)
        if (s->children[i]->release)
            s->children[i]->release(s->children[i]);
    hal_free(own->name);
    hal_buf_clear(&own->metadata);
    hal_free(own->children);
    hal_free(own->pointers);
    hal_free(own);
    s->release = NULL;
}

/* A schema whose children still have to be made: each is empty, its release NULL. */
static hal_status schema_init(struct ArrowSchema *s, const char *format, const char *name,
                              size_t n_children, hal_err *err)
{
    *s = (struct ArrowSchema){0};
    schema_private *own = hal_calloc(1, sizeof *own);
    if (!own)
        return hal_err_nomem(err, sizeof *own);
    hal_buf_init(&own->metadata, METADATA_MAX);
    snprintf(own->format, sizeof own->format, "%s", format);
    own->name = hal_strdup(name);
    own->children = hal_calloc(n_children + 1, sizeof *own->children);
    own->pointers = hal_calloc(n_children + 1, sizeof *own->pointers);
    if (!own->name || !own->children || !own->pointers) {
        hal_free(own->name);
        hal_free(own->children);
        hal_free(own->pointers);
        hal_free(own);
        return hal_err_nomem(err, (n_children + 1) * sizeof *own->children);
    }
    for (size_t i = 0; i < n_children; i++)
        own->pointers[i] = &own->children[i];
    *s = (struct ArrowSchema){.format = own->format,
                              .name = own->name,
                              .flags = ARROW_FLAG_NULLABLE,
                              .n_children = (int64_t)n_children,
                              .children = n_children ? own->pointers : NULL,
                              .release = schema_release,
                              .private_data = own};
    return HAL_OK;
}

static hal_status add_length(hal_buf *b, size_t n, hal_err *err)
{
    if (n > INT32_MAX)
        return hal_err_set(err, HAL_E_BUDGET, "metadata of %zu bytes", n);
    int32_t size = (int32_t)n;
    return hal_buf_append(b, &size, sizeof size, err);
}

/* One more pair behind the number of pairs. Texts that say nothing are left out. */
static hal_status add_pair(struct ArrowSchema *s, const char *kind, const char *key,
                           const char *value, hal_err *err)
{
    if (!value || !*value)
        return HAL_OK;
    hal_buf *b = &((schema_private *)s->private_data)->metadata;
    hal_status st = b->size_bytes ? HAL_OK : add_length(b, 0, err);
    if (!st)
        st = add_length(b, strlen(kind) + strlen(key), err);
    if (!st)
        st = hal_buf_puts(b, kind, err);
    if (!st)
        st = hal_buf_puts(b, key, err);
    if (!st)
        st = add_length(b, strlen(value), err);
    if (!st)
        st = hal_buf_puts(b, value, err);
    if (st)
        return st;
    int32_t n;
    memcpy(&n, b->data, sizeof n);
    n++;
    memcpy(b->data, &n, sizeof n);
    s->metadata = b->data;
    return HAL_OK;
}

static const char *item_format(hal_type type)
{
    static const char *const formats[HAL_TYPES] = {[HAL_TYPE_BOOL] = "b",
                                                   [HAL_TYPE_INT64] = "l",
                                                   [HAL_TYPE_FLOAT64] = "g",
                                                   [HAL_TYPE_STRING] = "U",
                                                   [HAL_TYPE_UINT8] = "C",
                                                   [HAL_TYPE_INT16] = "s",
                                                   [HAL_TYPE_INT32] = "i",
                                                   [HAL_TYPE_FLOAT32] = "f",
                                                   [HAL_TYPE_TIMESTAMP] = "tsu:UTC",
                                                   [HAL_TYPE_COMPLEX64] = "+w:2",
                                                   [HAL_TYPE_COMPLEX128] = "+w:2"};
    return formats[type];
}

static hal_status make_item_schema(struct ArrowSchema *s, hal_type type, const char *name,
                                   hal_err *err)
{
    hal_status st = schema_init(s, item_format(type), name, is_complex(type), err);
    if (!st && is_complex(type))
        st = schema_init(s->children[0], type == HAL_TYPE_COMPLEX64 ? "f" : "g", "item", 0, err);
    if (!st && is_complex(type))
        st = add_pair(s, "", "complex", "true", err);
    return st;
}

typedef struct field_key {
    const char *key;
    size_t at;
} field_key;

static const field_key field_keys[] = {{"unit", offsetof(hal_field, unit)},
                                       {"ucd", offsetof(hal_field, ucd)},
                                       {"utype", offsetof(hal_field, utype)},
                                       {"xtype", offsetof(hal_field, xtype)},
                                       {"description", offsetof(hal_field, description)},
                                       {"id", offsetof(hal_field, id)},
                                       {"shape", offsetof(hal_field, shape)},
                                       {"original_name", offsetof(hal_field, original_name)},
                                       {"null_value", offsetof(hal_field, null_value)}};
enum { N_FIELD_KEYS = sizeof field_keys / sizeof *field_keys };

static const char **field_text(hal_field *f, size_t i)
{
    return (const char **)(void *)((char *)f + field_keys[i].at);
}

static hal_status make_field_schema(struct ArrowSchema *s, const hal_field *f, hal_err *err)
{
    char format[FORMAT_MAX] = "+L";
    hal_status st;
    if (f->width == 1) {
        st = make_item_schema(s, f->type, f->name, err);
    } else {
        if (f->width != HAL_WIDTH_VARIABLE)
            snprintf(format, sizeof format, "+w:%d", (int)f->width);
        st = schema_init(s, format, f->name, 1, err);
        if (!st)
            st = make_item_schema(s->children[0], f->type, "item", err);
    }
    hal_field copy = *f;
    for (size_t i = 0; i < N_FIELD_KEYS && !st; i++)
        st = add_pair(s, "", field_keys[i].key, *field_text(&copy, i), err);
    return st;
}

/* Kinds whose items have a name and a value. */
static const struct {
    hal_meta_kind kind;
    const char *prefix;
} item_kinds[] = {{HAL_META_INFO, "info:"}, {HAL_META_PARAM, "param:"}, {HAL_META_KEY, "key:"}};

hal_status hal_arrow_export_schema(const hal_table *t, struct ArrowSchema *out, hal_err *err)
{
    struct ArrowSchema s;
    size_t n = hal_table_columns(t);
    const hal_metadata *m = hal_table_metadata(t);
    hal_status st = schema_init(&s, "+s", "", n, err);
    if (st)
        return st;
    s.flags = 0;
    for (size_t i = 0; i < n && !st; i++)
        st = make_field_schema(s.children[i], hal_table_field(t, i), err);
    if (!st)
        st = add_pair(&s, "", "name", m->name, err);
    if (!st)
        st = add_pair(&s, "", "description", m->description, err);
    if (!st)
        st = add_pair(&s, "", "status", m->status, err);
    for (size_t i = 0; i < m->n_items && !st; i++)
        for (size_t k = 0; k < 3 && !st; k++)
            if (m->items[i].kind == item_kinds[k].kind)
                st = add_pair(&s, item_kinds[k].prefix, m->items[i].name, m->items[i].value, err);
    if (st)
        s.release(&s);
    else
        *out = s;
    return st;
}

/* --- Arrays out ---------------------------------------------------------------------------------
 */

typedef struct array_private {
    hal_table *table;
    const void *buffers[3];
    struct ArrowArray *children;
    struct ArrowArray **pointers;
} array_private;

static void array_release(struct ArrowArray *a)
{
    array_private *own = a->private_data;
    for (int64_t i = 0; i < a->n_children; i++)
        if (a->children[i]->release)
            a->children[i]->release(a->children[i]);
    hal_table_unref(own->table);
    hal_free(own->children);
    hal_free(own->pointers);
    hal_free(own);
    a->release = NULL;
}

static hal_status array_init(struct ArrowArray *a, hal_table *t, uint64_t length, uint64_t n_nulls,
                             size_t n_children, hal_err *err)
{
    *a = (struct ArrowArray){0};
    array_private *own = hal_calloc(1, sizeof *own);
    if (!own)
        return hal_err_nomem(err, sizeof *own);
    own->children = hal_calloc(n_children + 1, sizeof *own->children);
    own->pointers = hal_calloc(n_children + 1, sizeof *own->pointers);
    if (!own->children || !own->pointers) {
        hal_free(own->children);
        hal_free(own->pointers);
        hal_free(own);
        return hal_err_nomem(err, (n_children + 1) * sizeof *own->children);
    }
    for (size_t i = 0; i < n_children; i++)
        own->pointers[i] = &own->children[i];
    own->table = hal_table_ref(t);
    *a = (struct ArrowArray){.length = (int64_t)length,
                             .null_count = (int64_t)n_nulls,
                             .n_buffers = 1,
                             .n_children = (int64_t)n_children,
                             .buffers = own->buffers,
                             .children = n_children ? own->pointers : NULL,
                             .release = array_release,
                             .private_data = own};
    return HAL_OK;
}

/* `n` items without text; complex ones have a child. */
static hal_status make_items(struct ArrowArray *a, hal_table *t, hal_type type, const void *values,
                             uint64_t n, const uint8_t *valid, uint64_t n_nulls, hal_err *err)
{
    hal_status st = array_init(a, t, n, n_nulls, is_complex(type), err);
    if (st)
        return st;
    a->buffers[0] = n_nulls ? valid : NULL;
    if (is_complex(type))
        return make_items(a->children[0], t,
                          type == HAL_TYPE_COMPLEX64 ? HAL_TYPE_FLOAT32 : HAL_TYPE_FLOAT64, values,
                          2 * n, NULL, 0, err);
    a->buffers[1] = values;
    a->n_buffers = 2;
    return HAL_OK;
}

static hal_status make_column(struct ArrowArray *a, hal_table *t, size_t i_col, hal_err *err)
{
    const hal_field *f = hal_table_field(t, i_col);
    hal_column c = hal_table_column(t, i_col);
    uint64_t n = hal_table_rows(t);
    bool array = f->width != 1;
    if (!array && f->type != HAL_TYPE_STRING)
        return make_items(a, t, f->type, c.values, n, c.valid, c.n_nulls, err);
    hal_status st = array_init(a, t, n, c.n_nulls, array, err);
    if (st)
        return st;
    a->buffers[0] = c.valid;
    if (c.offsets) {
        a->buffers[1] = c.offsets;
        a->n_buffers = 2;
    }
    if (!array) {
        a->buffers[2] = c.bytes;
        a->n_buffers = 3;
        return HAL_OK;
    }
    uint64_t n_items = c.offsets ? (uint64_t)c.offsets[n] : n * (uint64_t)f->width;
    uint64_t nulls = c.item_valid ? n_items - hal_bits_count(c.item_valid, 0, n_items) : 0;
    return make_items(a->children[0], t, f->type, c.values, n_items, c.item_valid, nulls, err);
}

hal_status hal_arrow_export(hal_table *t, struct ArrowArray *out, hal_err *err)
{
    struct ArrowArray a;
    size_t n = hal_table_columns(t);
    hal_status st = array_init(&a, t, hal_table_rows(t), 0, n, err);
    if (st)
        return st;
    for (size_t i = 0; i < n && !st; i++)
        st = make_column(a.children[i], t, i, err);
    if (st)
        a.release(&a);
    else
        *out = a;
    return st;
}

/* --- Streams out --------------------------------------------------------------------------------
 */

typedef struct stream_private {
    hal_table *table;
    uint64_t next, batch_rows;
    hal_err err;
} stream_private;

static int errno_of(hal_status st)
{
    return st == HAL_OK ? 0 : st == HAL_E_NOMEM ? ENOMEM : EINVAL;
}

static int stream_schema(struct ArrowArrayStream *s, struct ArrowSchema *out)
{
    stream_private *own = s->private_data;
    return errno_of(hal_arrow_export_schema(own->table, out, &own->err));
}

static int stream_next(struct ArrowArrayStream *s, struct ArrowArray *out)
{
    stream_private *own = s->private_data;
    uint64_t n = hal_table_rows(own->table) - own->next;
    n = n < own->batch_rows ? n : own->batch_rows;
    if (n == 0) {
        *out = (struct ArrowArray){0};
        return 0;
    }
    hal_table *batch = hal_table_slice(own->table, own->next, n, &own->err);
    if (!batch)
        return ENOMEM;
    hal_status st = hal_arrow_export(batch, out, &own->err);
    hal_table_unref(batch);
    if (!st)
        own->next += n;
    return errno_of(st);
}

static const char *stream_error(struct ArrowArrayStream *s)
{
    stream_private *own = s->private_data;
    return own->err.status ? own->err.text : NULL;
}

static void stream_release(struct ArrowArrayStream *s)
{
    stream_private *own = s->private_data;
    hal_table_unref(own->table);
    hal_free(own);
    s->release = NULL;
}

hal_status hal_arrow_export_stream(hal_table *t, uint64_t batch_rows, struct ArrowArrayStream *out,
                                   hal_err *err)
{
    if (batch_rows == 0)
        return hal_err_set(err, HAL_E_USAGE, "batches of 0 rows; ask for at least 1");
    stream_private *own = hal_calloc(1, sizeof *own);
    if (!own)
        return hal_err_nomem(err, sizeof *own);
    own->table = hal_table_ref(t);
    own->batch_rows = batch_rows;
    *out = (struct ArrowArrayStream){.get_schema = stream_schema,
                                     .get_next = stream_next,
                                     .get_last_error = stream_error,
                                     .release = stream_release,
                                     .private_data = own};
    return HAL_OK;
}

/* --- In -----------------------------------------------------------------------------------------
 */

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
    return s->n_children == 1 && !strcmp(s->format, "+w:2") && s->metadata &&
           (!strcmp(s->children[0]->format, "f") || !strcmp(s->children[0]->format, "g"));
}

/* The pair at *p; moves on. */
static void next_pair(const char **p, hal_slice *key, hal_slice *value)
{
    hal_slice *parts[2] = {key, value};
    for (int i = 0; i < 2; i++) {
        int32_t n;
        memcpy(&n, *p, sizeof n);
        *parts[i] = (hal_slice){*p + sizeof n, n > 0 ? (size_t)n : 0};
        *p += sizeof n + parts[i]->size_bytes;
    }
}

static int32_t first_pair(const struct ArrowSchema *s, const char **p)
{
    int32_t n = 0;
    if (s->metadata)
        memcpy(&n, s->metadata, sizeof n);
    *p = s->metadata ? s->metadata + sizeof n : NULL;
    return n;
}

static bool says_complex(const struct ArrowSchema *s)
{
    const char *p;
    hal_slice key, value;
    for (int32_t n = first_pair(s, &p); n > 0; n--) {
        next_pair(&p, &key, &value);
        if (hal_slice_equals(key, hal_slice_of("complex")))
            return hal_slice_equals(value, hal_slice_of("true"));
    }
    return false;
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
    if (is_complex_schema(s) && says_complex(s)) {
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

static hal_status import_column(hal_vec *v, const struct ArrowSchema *schema,
                                const struct ArrowArray *a, hal_err *err)
{
    const char *name = schema->name ? schema->name : "";
    layout l;
    if (!find_layout(schema, &l))
        return hal_err_set(err, HAL_E_USAGE,
                           "column %s has the Arrow format \"%.30s\"%s, which a table cannot hold; "
                           "convert it before",
                           name, schema->format, schema->dictionary ? " by dictionary" : "");
    scratch s = {0};
    hal_status st = hal_vec_set_shape(v, l.type, l.width, err);
    if (!st && a->length)
        st = import_rows(v, &l, a, name, &s, err);
    for (size_t i = 0; i < s.n; i++)
        hal_free(s.blocks[i]);
    return st;
}

/* Texts of a field, owned, in the order of field_keys. */
static hal_status read_field(const struct ArrowSchema *s, hal_field *f, hal_err *err)
{
    *f = (hal_field){.name = s->name ? s->name : ""};
    const char *p;
    hal_slice key, value;
    hal_status st = HAL_OK;
    for (int32_t n = first_pair(s, &p); n > 0 && !st; n--) {
        next_pair(&p, &key, &value);
        for (size_t i = 0; i < N_FIELD_KEYS && !st; i++)
            if (hal_slice_equals(key, hal_slice_of(field_keys[i].key)))
                st = hal_metadata_set(field_text(f, i), value, err);
    }
    return st;
}

static hal_status read_metadata(const struct ArrowSchema *s, hal_metadata *m, hal_err *err)
{
    const char *p;
    hal_slice key, value;
    hal_status st = HAL_OK;
    for (int32_t n = first_pair(s, &p); n > 0 && !st; n--) {
        next_pair(&p, &key, &value);
        if (hal_slice_equals(key, hal_slice_of("name")))
            st = hal_metadata_set(&m->name, value, err);
        else if (hal_slice_equals(key, hal_slice_of("description")))
            st = hal_metadata_set(&m->description, value, err);
        else if (hal_slice_equals(key, hal_slice_of("status")))
            st = hal_metadata_set(&m->status, value, err);
        for (size_t k = 0; k < 3 && !st; k++) {
            size_t prefix = strlen(item_kinds[k].prefix);
            if (key.size_bytes < prefix || memcmp(key.data, item_kinds[k].prefix, prefix) != 0)
                continue;
            char *name = hal_strndup(key.data + prefix, key.size_bytes - prefix);
            char *text = hal_strndup(value.data, value.size_bytes);
            st = name && text
                     ? hal_metadata_add(
                           m, &(hal_meta){.kind = item_kinds[k].kind, .name = name, .value = text},
                           err)
                     : hal_err_nomem(err, key.size_bytes + value.size_bytes);
            hal_free(name);
            hal_free(text);
        }
    }
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
        st = read_field(schema->children[i], &fields[i], err);
        if (!st)
            st = import_column(&vecs[i], schema->children[i], &column, err);
    }
    if (!st)
        st = read_metadata(schema, &metadata, err);
    if (!st)
        t = hal_table_from_parts(fields, vecs, n, (uint64_t)array->length, &metadata, err);
    for (size_t i = 0; i < n && vecs && fields; i++) {
        hal_vec_clear(&vecs[i]);
        for (size_t k = 0; k < N_FIELD_KEYS; k++)
            hal_free((char *)*field_text(&fields[i], k));
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
