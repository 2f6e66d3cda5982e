/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/ecsv.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/number.h"
#include "data/types.h"
#include "data/vec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct ecsv_writer {
    hal_outfile *file;
    hal_table *schema; /* no rows: fields and metadata */
    size_t n_columns;
    hal_buf cell;
} ecsv_writer;

static void ecsv_free(void *self)
{
    ecsv_writer *w = self;
    hal_table_unref(w->schema);
    hal_buf_clear(&w->cell);
    hal_free(w);
}

static hal_status put(ecsv_writer *w, const char *text, hal_err *err)
{
    return hal_outfile_write(w->file, text, strlen(text), err);
}

/* A text of YAML in double quotes. */
static hal_status put_quoted(ecsv_writer *w, const char *text, hal_err *err)
{
    hal_status st = put(w, "\"", err);
    for (const char *p = text; *p && !st; p++) {
        char out[8];
        unsigned char c = (unsigned char)*p;
        int n = c == '"' || c == '\\' ? snprintf(out, sizeof out, "\\%c", c)
                : c < ' ' || c == 127 ? snprintf(out, sizeof out, "\\x%02x", c)
                                      : snprintf(out, sizeof out, "%c", c);
        st = hal_outfile_write(w->file, out, (size_t)n, err);
    }
    return st ? st : put(w, "\"", err);
}

/* ", key: text" unless it is empty. */
static hal_status put_entry(ecsv_writer *w, const char *lead, const char *text, hal_err *err)
{
    if (!*text)
        return HAL_OK;
    hal_status st = put(w, lead, err);
    return st ? st : put_quoted(w, text, err);
}

static bool has_subtype(const hal_field *f)
{
    return f->type != HAL_TYPE_COMPLEX64 && f->type != HAL_TYPE_COMPLEX128 &&
           f->type != HAL_TYPE_TIMESTAMP;
}

/* Dimensions with the last fastest, as arrays of JSON nest: "2x3" is [3,2]. At most 8. */
static int dimensions(const hal_field *f, uint64_t out[8])
{
    uint64_t reversed[8], product = 1;
    int n = 0;
    const char *p = f->shape;
    while (f->width > 1 && n < 8 && *p >= '1' && *p <= '9') {
        char *end;
        reversed[n] = strtoull(p, &end, 10);
        if (reversed[n] > (uint64_t)f->width)
            break;
        product *= reversed[n++];
        if (*end != 'x') {
            p = end;
            break;
        }
        p = end + 1;
    }
    if (*p || n < 2 || product != (uint64_t)f->width) {
        out[0] = (uint64_t)f->width;
        return 1;
    }
    for (int i = 0; i < n; i++)
        out[i] = reversed[n - 1 - i];
    return n;
}

static hal_status put_type(ecsv_writer *w, const hal_field *f, hal_err *err)
{
    if (hal_field_is_scalar(f))
        return put(w, f->type == HAL_TYPE_TIMESTAMP ? "string" : hal_type_name(f->type), err);
    hal_status st = put(w, "string, subtype: ", err);
    if (st || !has_subtype(f))
        return st ? st : put(w, "json", err);
    uint64_t sizes[8];
    int n = f->width == HAL_WIDTH_VARIABLE ? 0 : dimensions(f, sizes);
    st = put(w, "'", err);
    if (!st)
        st = put(w, hal_type_name(f->type), err);
    if (!st)
        st = put(w, n ? "[" : "[null", err);
    for (int i = 0; i < n && !st; i++) {
        char text[32];
        snprintf(text, sizeof text, i ? ",%llu" : "%llu", (unsigned long long)sizes[i]);
        st = put(w, text, err);
    }
    return st ? st : put(w, "]'", err);
}

static hal_status put_field(ecsv_writer *w, const hal_field *f, hal_err *err)
{
    const char *xtype = f->type == HAL_TYPE_TIMESTAMP ? "timestamp" : f->xtype;
    hal_status st = put_entry(w, "# - {name: ", f->name, err);
    if (!st && !*f->name)
        st = put(w, "# - {name: \"\"", err);
    if (!st)
        st = put_entry(w, ", unit: ", f->unit, err);
    if (!st)
        st = put(w, ", datatype: ", err);
    if (!st)
        st = put_type(w, f, err);
    if (!st)
        st = put_entry(w, ", description: ", f->description, err);
    if (st || (!*f->ucd && !*f->utype && !*xtype))
        return st ? st : put(w, "}\n", err);
    const char *names[] = {"ucd: ", "utype: ", "xtype: "}, *texts[] = {f->ucd, f->utype, xtype};
    st = put(w, ", meta: {", err);
    bool first = true;
    for (int i = 0; i < 3 && !st; i++) {
        if (!*texts[i])
            continue;
        st = first ? HAL_OK : put(w, ", ", err);
        if (!st)
            st = put_entry(w, names[i], texts[i], err);
        first = false;
    }
    return st ? st : put(w, "}}\n", err);
}

bool hal_ecsv_key_is_carried(const char *name)
{
    return *name && strcmp(name, "name") != 0 && strcmp(name, "description") != 0;
}

/* {"ID": "sys", "system": "ICRS"} */
static hal_status put_attributes(ecsv_writer *w, const hal_meta *item, hal_err *err)
{
    hal_status st = put(w, "{", err);
    for (size_t i = 0; i < item->n_attributes && !st; i++) {
        st = i ? put(w, ", ", err) : HAL_OK;
        if (!st)
            st = put_quoted(w, item->attributes[i].name, err);
        if (!st)
            st = put(w, ": ", err);
        if (!st)
            st = put_quoted(w, item->attributes[i].value, err);
    }
    return st ? st : put(w, "}", err);
}

static const char *mapping_of(const hal_meta *item)
{
    return item->kind == HAL_META_COOSYS    ? "COOSYS"
           : item->kind == HAL_META_TIMESYS ? "TIMESYS"
           : item->kind == HAL_META_LINK    ? "LINK"
                                            : NULL;
}

/* NULL when it is not written. */
static const char *name_of(const hal_meta *item)
{
    const char *mapping = mapping_of(item);
    return mapping ? mapping : hal_ecsv_key_is_carried(item->name) ? item->name : NULL;
}

/* Several of one name as a list: Astropy would keep the last of several entries only. Items that
 * are not written do not part them. */
static hal_status put_meta(ecsv_writer *w, const char *name, const hal_meta *items, size_t n,
                           hal_err *err)
{
    size_t n_written = 1;
    for (size_t i = 1; i < n; i++)
        n_written += name_of(&items[i]) != NULL;
    hal_status st = put(w, "# - {", err);
    if (!st)
        st = put_quoted(w, name, err);
    if (!st)
        st = put(w, n_written > 1 ? ": [" : ": ", err);
    for (size_t i = 0; i < n && !st; i++) {
        if (i && !name_of(&items[i]))
            continue;
        st = i ? put(w, ", ", err) : HAL_OK;
        if (!st)
            st = mapping_of(&items[i]) ? put_attributes(w, &items[i], err)
                                       : put_quoted(w, items[i].value, err);
    }
    return st ? st : put(w, n_written > 1 ? "]}\n" : "}\n", err);
}

static hal_status put_metadata(ecsv_writer *w, hal_err *err)
{
    const hal_metadata *m = hal_table_metadata(w->schema);
    const hal_meta own[] = {{.value = m->name}, {.value = m->description}};
    static const char *const own_names[] = {"name", "description"};
    bool any = false;
    for (size_t i = 0; i < 2; i++)
        any = any || (own[i].value && *own[i].value);
    for (size_t i = 0; i < m->n_items && !any; i++)
        any = name_of(&m->items[i]) != NULL;
    hal_status st = any ? put(w, "# meta: !!omap\n", err) : HAL_OK;
    for (size_t i = 0; i < 2 && !st; i++)
        if (own[i].value && *own[i].value)
            st = put_meta(w, own_names[i], &own[i], 1, err);
    for (size_t i = 0, n = 1; i < m->n_items && !st; i += n, n = 1) {
        const char *name = name_of(&m->items[i]);
        for (; name && i + n < m->n_items; n++) {
            const char *next = name_of(&m->items[i + n]);
            if (next && strcmp(name, next) != 0)
                break;
        }
        if (name)
            st = put_meta(w, name, &m->items[i], n, err);
    }
    return st;
}

/* A text between commas; `text` may not be null. */
static hal_status put_text(ecsv_writer *w, hal_slice text, hal_err *err)
{
    bool quote = text.size_bytes == 0;
    for (size_t i = 0; i < text.size_bytes && !quote; i++) {
        char c = text.data[i];
        quote = c == '"' || c == ',' || c == '\n' || c == '\r' || c == '#' || c == ' ' || c == '\t';
    }
    if (!quote)
        return hal_outfile_write(w->file, text.data, text.size_bytes, err);
    hal_status st = put(w, "\"", err);
    const char *p = text.data, *end = p + text.size_bytes;
    while (p < end && !st) {
        const char *stop = memchr(p, '"', (size_t)(end - p));
        size_t n = (size_t)((stop ? stop + 1 : end) - p);
        st = hal_outfile_write(w->file, p, n, err);
        if (!st && stop)
            st = put(w, "\"", err);
        p += n;
    }
    return st ? st : put(w, "\"", err);
}

static void *ecsv_open(hal_outfile *file, hal_format format, const hal_field *fields, size_t n,
                       const hal_table *like, hal_err *err)
{
    (void)format;
    ecsv_writer *w = hal_calloc(1, sizeof *w);
    if (!w) {
        hal_err_nomem(err, sizeof *w);
        return NULL;
    }
    w->file = file;
    w->n_columns = n;
    hal_buf_init(&w->cell, SIZE_MAX / 4);
    hal_builder *b = hal_builder_new(fields, n, err);
    hal_status st = b ? HAL_OK : HAL_E_NOMEM;
    if (!st && like)
        st = hal_builder_metadata(b, hal_table_metadata(like), err);
    if (!st)
        w->schema = hal_builder_finish(b, err);
    hal_builder_free(b);
    if (!w->schema)
        st = HAL_E_NOMEM;
    if (!st)
        st =
            put(w, n ? "# %ECSV 1.0\n# ---\n# datatype:\n" : "# %ECSV 1.0\n# ---\n# datatype: []\n",
                err);
    for (size_t i = 0; i < n && !st; i++)
        st = put_field(w, hal_table_field(w->schema, i), err);
    if (!st)
        st = put(w, "# delimiter: ','\n", err);
    if (!st)
        st = put_metadata(w, err);
    if (!st)
        st = put(w, "# schema: astropy-2.0\n", err);
    for (size_t i = 0; i < n && !st; i++) {
        st = i ? put(w, ",", err) : HAL_OK;
        if (!st)
            st = put_text(w, hal_slice_of(hal_table_field(w->schema, i)->name), err);
    }
    if (!st)
        st = put(w, "\n", err);
    if (st) {
        ecsv_free(w);
        return NULL;
    }
    return w;
}

static hal_status add_real(hal_buf *out, double v, bool is_float, bool json, hal_err *err)
{
    char text[HAL_DOUBLE_TEXT_MAX];
    if (json && !isfinite(v))
        return hal_buf_puts(out, isnan(v) ? "NaN" : v < 0 ? "-Infinity" : "Infinity", err);
    if (isnan(v))
        return hal_buf_puts(out, "nan", err);
    return hal_buf_append(
        out, text,
        is_float ? hal_number_print_float(text, (float)v) : hal_number_print_double(text, v), err);
}

static hal_status add_item(hal_buf *out, const hal_column *c, hal_type type, uint64_t i, bool json,
                           hal_err *err)
{
    double pair[2];
    char text[HAL_INT64_TEXT_MAX];
    if (type == HAL_TYPE_BOOL)
        return hal_buf_puts(
            out, hal_item_bool(c, i) ? (json ? "true" : "True") : (json ? "false" : "False"), err);
    if (hal_type_is_integer(type))
        return hal_buf_append(out, text, hal_number_print_int64(text, hal_item_int64(c, type, i)),
                              err);
    bool is_float = type == HAL_TYPE_FLOAT32 || type == HAL_TYPE_COMPLEX64;
    if (hal_type_is_float(type))
        return add_real(out, hal_item_float64(c, type, i), is_float, json, err);
    if (type == HAL_TYPE_TIMESTAMP) {
        char time[HAL_TIMESTAMP_TEXT_MAX];
        size_t n = hal_timestamp_print(time, hal_item_int64(c, type, i));
        return hal_buf_printf(out, err, "\"%.*s\"", (int)n, time);
    }
    hal_item_complex(c, type, i, pair);
    hal_status st = json ? hal_buf_puts(out, "[", err) : HAL_OK;
    if (!st)
        st = add_real(out, pair[0], is_float, json, err);
    if (!st && json) {
        st = hal_buf_puts(out, ",", err);
        if (!st)
            st = add_real(out, pair[1], is_float, true, err);
        return st ? st : hal_buf_puts(out, "]", err);
    }
    if (!st && !signbit(pair[1]))
        st = hal_buf_puts(out, "+", err);
    if (!st && isnan(pair[1]) && signbit(pair[1]))
        st = hal_buf_puts(out, "+", err);
    if (!st)
        st = add_real(out, pair[1], is_float, false, err);
    return st ? st : hal_buf_puts(out, "j", err);
}

/* An item in the type of the output. */
static hal_status add_converted(hal_buf *out, const hal_column *c, hal_type type, uint64_t i,
                                const hal_field *to, bool json, hal_err *err)
{
    uint64_t room[2] = {0};
    if (type == to->type)
        return add_item(out, c, type, i, json, err);
    if (!hal_item_convert(room, to->type, 0, c->values, type, i))
        return hal_err_set(err, HAL_E_USAGE,
                           "column %s: a value does not fit the type of the output", to->name);
    return add_item(out, &(hal_column){.values = room}, to->type, 0, json, err);
}

/* The items of a cell as nested lists of JSON. */
static hal_status add_array(ecsv_writer *w, const hal_table *t, size_t place, uint64_t row,
                            const hal_field *to, hal_err *err)
{
    uint64_t sizes[8];
    hal_column c = hal_table_column(t, place);
    hal_items items = hal_field_is_scalar(hal_table_field(t, place))
                          ? (hal_items){row, 1}
                          : hal_table_items(t, place, row);
    int n = to->width == HAL_WIDTH_VARIABLE ? 1 : dimensions(to, sizes);
    if (to->width == HAL_WIDTH_VARIABLE)
        sizes[0] = items.n;
    hal_status st = HAL_OK;
    for (uint64_t k = 0; k < items.n && !st; k++) {
        uint64_t step = 1; /* brackets open where a multiple of the inner sizes begins */
        st = k ? hal_buf_puts(&w->cell, ",", err) : HAL_OK;
        for (int d = n - 1; d >= 0 && !st; d--) {
            step *= sizes[d];
            if (step && k % step == 0)
                st = hal_buf_puts(&w->cell, "[", err);
        }
        if (!st)
            st = hal_item_is_null(&c, items.first + k)
                     ? hal_buf_puts(&w->cell, "null", err)
                     : add_converted(&w->cell, &c, hal_table_field(t, place)->type, items.first + k,
                                     to, true, err);
        step = 1;
        for (int d = n - 1; d >= 0 && !st; d--) {
            step *= sizes[d];
            if (step && (k + 1) % step == 0)
                st = hal_buf_puts(&w->cell, "]", err);
        }
    }
    return st || items.n ? st : hal_buf_puts(&w->cell, "[]", err);
}

static hal_status put_cell(ecsv_writer *w, size_t i, const hal_table *t, size_t place, uint64_t row,
                           hal_err *err)
{
    const hal_field *to = hal_table_field(w->schema, i), *from = hal_table_field(t, place);
    if (to->type == HAL_TYPE_STRING || (to->type == HAL_TYPE_TIMESTAMP && from->type == to->type &&
                                        hal_field_is_scalar(to) && hal_field_is_scalar(from))) {
        hal_slice text;
        hal_status st = hal_cell_promoted_text(&text, t, place, row, &w->cell, err);
        return st ? st : put_text(w, text, err);
    }
    if (hal_width_unite(to->width, from->width) != to->width)
        return hal_err_set(err, HAL_E_USAGE,
                           "column %s: a value does not fit the type of the output", to->name);
    w->cell.size_bytes = 0;
    hal_column c = hal_table_column(t, place);
    hal_status st = hal_field_is_scalar(to)
                        ? add_converted(&w->cell, &c, from->type, row, to, false, err)
                        : add_array(w, t, place, row, to, err);
    return st ? st : put_text(w, hal_buf_slice(&w->cell), err);
}

static hal_status ecsv_rows(void *self, const hal_table *t, const size_t *places, uint64_t first,
                            uint64_t n, hal_err *err)
{
    ecsv_writer *w = self;
    hal_status st = HAL_OK;
    for (uint64_t row = first; row < first + n && !st; row++) {
        for (size_t i = 0; i < w->n_columns && !st; i++) {
            st = i ? put(w, ",", err) : HAL_OK;
            if (!st && places[i] != SIZE_MAX && !hal_table_is_null(t, places[i], row))
                st = put_cell(w, i, t, places[i], row, err);
        }
        if (!st)
            st = put(w, "\n", err);
    }
    return st;
}

static hal_status ecsv_finish(void *self, hal_err *err)
{
    (void)self;
    (void)err;
    return HAL_OK;
}

const hal_writer_class hal_ecsv_writer = {ecsv_open, ecsv_rows, ecsv_finish, ecsv_free};
