/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/arrow.h"

#include "base/alloc.h"
#include "data/arrow_metadata.h"
#include "data/types.h"

#include <errno.h>
#include <stdio.h>

enum { FORMAT_MAX = 24 };

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
    hal_buf_init(&own->metadata, HAL_ARROW_METADATA_MAX);
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

static hal_buf *metadata_of(struct ArrowSchema *s)
{
    return &((schema_private *)s->private_data)->metadata;
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
        st = hal_arrow_metadata_add(metadata_of(s), "complex", hal_slice_of("true"), err);
    if (!st)
        s->metadata = metadata_of(s)->data;
    return st;
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
    if (!st)
        st = hal_arrow_metadata_add_field(metadata_of(s), f, err);
    if (!st)
        s->metadata = metadata_of(s)->data;
    return st;
}

hal_status hal_arrow_export_schema(const hal_table *t, struct ArrowSchema *out, hal_err *err)
{
    struct ArrowSchema s;
    size_t n = hal_table_columns(t);
    hal_status st = schema_init(&s, "+s", "", n, err);
    if (st)
        return st;
    s.flags = 0;
    for (size_t i = 0; i < n && !st; i++)
        st = make_field_schema(s.children[i], hal_table_field(t, i), err);
    if (!st)
        st = hal_arrow_metadata_add_table(metadata_of(&s), hal_table_metadata(t), err);
    s.metadata = metadata_of(&s)->data;
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
