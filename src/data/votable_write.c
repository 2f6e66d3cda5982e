/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables as VOTable 1.4: TABLEDATA or BINARY2. Text is char in TABLEDATA and unicodeChar in
 * BINARY2, where char could only be ASCII; null and empty text are the same in TABLEDATA, and so
 * are null and empty arrays. */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/number.h"
#include "data/base64.h"
#include "data/types.h"
#include "data/vec.h"
#include "data/votable.h"
#include "data/votable_cell.h"
#include "data/votable_null.h"

#include <math.h>

enum { LINE_BYTES = 48, STREAM_BYTES = 48 << 10, ROW_BYTES_MAX = 1 << 30 };

typedef struct column {
    char *name;
    hal_type type;
    int32_t width;
    bool has_null; /* the items of an array of integers */
    int64_t null;
} column;

typedef struct writer {
    hal_outfile *file;
    hal_table *schema; /* no rows: the fields and the metadata */
    bool binary;
    size_t n_columns;
    column *columns;
    hal_buf row, cell;
} writer;

static hal_status put(writer *w, const char *text, hal_err *err)
{
    return hal_outfile_write(w->file, text, strlen(text), err);
}

static const char *escape(char c, bool attribute)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '\r':
        return "&#13;";
    case '"':
        return attribute ? "&quot;" : NULL;
    case '\n':
        return attribute ? "&#10;" : NULL;
    case '\t':
        return attribute ? "&#9;" : NULL;
    default:
        return NULL;
    }
}

static hal_status put_text(writer *w, hal_slice text, bool attribute, hal_err *err)
{
    const char *p = text.data, *end = p + text.size_bytes, *run = p;
    hal_status st = HAL_OK;
    for (; p < end && !st; p++) {
        const char *word = escape(*p, attribute);
        bool other = end - p >= 3 && !memcmp(p, "\xef\xbf", 2) && (unsigned char)p[2] >= 0xbe;
        if (other || (!word && (unsigned char)*p < 0x20 && *p != '\t' && *p != '\n'))
            return hal_err_set(err, HAL_E_USAGE,
                               "a text holds byte 0x%02x, which XML cannot carry; write another "
                               "format or votable-binary2",
                               (unsigned)(unsigned char)*p);
        if (!word)
            continue;
        st = hal_outfile_write(w->file, run, (size_t)(p - run), err);
        if (!st)
            st = put(w, word, err);
        run = p + 1;
    }
    return st ? st : hal_outfile_write(w->file, run, (size_t)(end - run), err);
}

static hal_status put_attribute(writer *w, const char *name, const char *value, hal_err *err)
{
    if (!value || !*value)
        return HAL_OK;
    hal_status st = put(w, " ", err);
    if (!st)
        st = put(w, name, err);
    if (!st)
        st = put(w, "=\"", err);
    if (!st)
        st = put_text(w, hal_slice_of(value), true, err);
    return st ? st : put(w, "\"", err);
}

static hal_status put_description(writer *w, const char *text, hal_err *err)
{
    if (!text || !*text)
        return HAL_OK;
    hal_status st = put(w, "<DESCRIPTION>", err);
    if (!st)
        st = put_text(w, hal_slice_of(text), false, err);
    return st ? st : put(w, "</DESCRIPTION>\n", err);
}

static hal_status put_meta(writer *w, const hal_meta *m, hal_err *err)
{
    static const char *const names[] = {
        [HAL_META_INFO] = "INFO", [HAL_META_PARAM] = "PARAM",     [HAL_META_COOSYS] = "COOSYS",
        [HAL_META_KEY] = "INFO",  [HAL_META_TIMESYS] = "TIMESYS", [HAL_META_LINK] = "LINK"};
    bool needs_value =
        m->kind == HAL_META_INFO || m->kind == HAL_META_PARAM || m->kind == HAL_META_KEY;
    hal_status st = put(w, "<", err);
    if (!st)
        st = put(w, names[m->kind], err);
    if (!st)
        st = put_attribute(w, "name", m->name, err);
    if (!st)
        st = needs_value && !(m->value && *m->value) ? put(w, " value=\"\"", err)
                                                     : put_attribute(w, "value", m->value, err);
    for (size_t i = 0; i < m->n_attributes && !st; i++)
        st = put_attribute(w, m->attributes[i].name, m->attributes[i].value, err);
    if (st)
        return st;
    if (!needs_value || m->kind == HAL_META_PARAM || !m->text || !*m->text)
        return put(w, "/>\n", err);
    st = put(w, ">", err);
    if (!st)
        st = put_text(w, hal_slice_of(m->text), false, err);
    return st ? st : put(w, "</INFO>\n", err);
}

static const char *datatype_of(const writer *w, hal_type type)
{
    switch (type) {
    case HAL_TYPE_BOOL:
        return "boolean";
    case HAL_TYPE_UINT8:
        return "unsignedByte";
    case HAL_TYPE_INT16:
        return "short";
    case HAL_TYPE_INT32:
        return "int";
    case HAL_TYPE_INT64:
        return "long";
    case HAL_TYPE_FLOAT32:
        return "float";
    case HAL_TYPE_FLOAT64:
        return "double";
    case HAL_TYPE_COMPLEX64:
        return "floatComplex";
    case HAL_TYPE_COMPLEX128:
        return "doubleComplex";
    case HAL_TYPE_TIMESTAMP:
        return "char";
    case HAL_TYPE_STRING:
        break;
    }
    return w->binary ? "unicodeChar" : "char";
}

static bool is_text(hal_type type)
{
    return type == HAL_TYPE_STRING || type == HAL_TYPE_TIMESTAMP;
}

static hal_status put_field(writer *w, const column *c, const hal_field *f, hal_err *err)
{
    char size[128];
    const char *arraysize = f->shape && *f->shape ? f->shape : size;
    if (is_text(c->type) || c->width == HAL_WIDTH_VARIABLE) {
        /* Texts of one length behind each other: as many as there are. */
        const char *last = c->type == HAL_TYPE_STRING && f->shape ? strrchr(f->shape, 'x') : NULL;
        size_t n =
            last && (size_t)(last - f->shape) < sizeof size - 2 ? (size_t)(last + 1 - f->shape) : 0;
        if (n)
            memcpy(size, f->shape, n);
        size[n] = '*';
        size[n + 1] = '\0';
        if (is_text(c->type) || !strchr(arraysize, '*'))
            arraysize = size;
    } else {
        size[hal_number_print_int64(size, c->width)] = '\0';
    }
    const char *xtype = c->type == HAL_TYPE_TIMESTAMP ? "timestamp" : f->xtype;
    const struct {
        const char *name, *value;
    } attributes[] = {{"ID", f->id},
                      {"name", f->name},
                      {"datatype", datatype_of(w, c->type)},
                      {"arraysize", c->width == 1 && !is_text(c->type) ? "" : arraysize},
                      {"unit", f->unit},
                      {"ucd", f->ucd},
                      {"utype", f->utype},
                      {"xtype", xtype}};
    hal_status st = put(w, "<FIELD", err);
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes && !st; i++)
        st = put_attribute(w, attributes[i].name, attributes[i].value, err);
    bool described = f->description && *f->description;
    if (st || (!described && !c->has_null))
        return st ? st : put(w, "/>\n", err);
    st = put(w, ">", err);
    if (!st)
        st = put_description(w, f->description, err);
    if (!st && c->has_null) {
        char null[HAL_INT64_TEXT_MAX + 1];
        null[hal_number_print_int64(null, c->null)] = '\0';
        st = put(w, "<VALUES", err);
        if (!st)
            st = put_attribute(w, "null", null, err);
        if (!st)
            st = put(w, "/>", err);
    }
    return st ? st : put(w, "</FIELD>\n", err);
}

static hal_status put_head(writer *w, hal_err *err)
{
    const hal_metadata *m = hal_table_metadata(w->schema);
    static const char root[] =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<VOTABLE version=\"1.4\" xmlns=\"http://www.ivoa.net/xml/VOTable/v1.3\">\n"
        "<RESOURCE type=\"results\">\n";
    bool has_status = false;
    hal_status st = put(w, root, err);
    for (int links = 0; links < 2; links++)
        for (size_t i = 0; m && i < m->n_items && !st; i++) {
            if ((m->items[i].kind == HAL_META_LINK) != links)
                continue;
            has_status = has_status || (m->items[i].kind == HAL_META_INFO &&
                                        !strcmp(m->items[i].name, "QUERY_STATUS"));
            st = put_meta(w, &m->items[i], err);
        }
    if (!st && !has_status && m && m->status && *m->status)
        st = put_meta(w, &(hal_meta){HAL_META_INFO, "QUERY_STATUS", m->status, "", NULL, 0}, err);
    if (!st)
        st = put(w, "<TABLE", err);
    if (!st)
        st = put_attribute(w, "name", m ? m->name : NULL, err);
    if (!st)
        st = put(w, ">\n", err);
    if (!st)
        st = put_description(w, m ? m->description : NULL, err);
    for (size_t i = 0; i < w->n_columns && !st; i++)
        st = put_field(w, &w->columns[i], hal_table_field(w->schema, i), err);
    if (!st)
        st = put(
            w, w->binary ? "<DATA><BINARY2><STREAM encoding=\"base64\">\n" : "<DATA><TABLEDATA>\n",
            err);
    return st;
}

static void writer_free(void *self)
{
    writer *w = self;
    if (!w)
        return;
    for (size_t i = 0; i < w->n_columns; i++)
        hal_free(w->columns[i].name);
    hal_free(w->columns);
    hal_buf_clear(&w->row);
    hal_buf_clear(&w->cell);
    hal_table_unref(w->schema);
    hal_free(w);
}

static hal_items items_of(const hal_table *t, size_t i_col, uint64_t row)
{
    return hal_field_is_scalar(hal_table_field(t, i_col)) ? (hal_items){row, 1}
                                                          : hal_table_items(t, i_col, row);
}

/* The integers that stand for null items: chosen by the rows of `like`, if it has any, so that a
 * table in memory is written whole. */
static hal_status choose_nulls(writer *w, hal_format format, const hal_field *fields,
                               const hal_table *like, hal_err *err)
{
    hal_nulls nulls;
    hal_field *chosen = hal_calloc(w->n_columns ? w->n_columns : 1, sizeof *chosen);
    if (!chosen)
        return hal_err_nomem(err, w->n_columns * sizeof *chosen);
    hal_status st = hal_nulls_init(&nulls, format, fields, w->n_columns, err);
    if (!st) {
        if (like)
            hal_nulls_look(&nulls, like, NULL, 0, hal_table_rows(like));
        hal_nulls_choose(&nulls);
        hal_nulls_declare(&nulls, chosen);
    }
    for (size_t i = 0; i < w->n_columns && !st; i++) {
        column *c = &w->columns[i];
        c->has_null = chosen[i].null_value &&
                      hal_number_read_int64(hal_slice_of(chosen[i].null_value), &c->null);
    }
    hal_nulls_clear(&nulls);
    hal_free(chosen);
    return st;
}

static void *writer_open(hal_outfile *file, hal_format format, const hal_field *fields,
                         size_t n_fields, const hal_table *like, hal_err *err)
{
    writer *w = hal_calloc(1, sizeof *w);
    if (!w) {
        hal_err_nomem(err, sizeof *w);
        return NULL;
    }
    w->file = file;
    w->binary = format == HAL_FORMAT_VOTABLE_BINARY2;
    hal_buf_init(&w->row, ROW_BYTES_MAX);
    hal_buf_init(&w->cell, ROW_BYTES_MAX);
    w->columns = hal_calloc(n_fields ? n_fields : 1, sizeof *w->columns);
    hal_status st = w->columns ? HAL_OK : hal_err_nomem(err, n_fields * sizeof *w->columns);
    for (size_t i = 0; i < n_fields && !st; i++) {
        column *c = &w->columns[i];
        c->type = fields[i].type;
        c->width = fields[i].width ? fields[i].width : 1;
        c->name = hal_strdup(fields[i].name);
        if (!c->name)
            st = hal_err_nomem(err, strlen(fields[i].name));
        else
            w->n_columns++;
        if (!st && c->width != 1 && is_text(c->type))
            st =
                hal_err_set(err, HAL_E_USAGE, "column %s: VOTable has no arrays of times", c->name);
    }
    hal_builder *b = st ? NULL : hal_builder_new(fields, n_fields, err);
    if (!st && !b)
        st = HAL_E_NOMEM;
    if (!st && like)
        st = hal_builder_metadata(b, hal_table_metadata(like), err);
    if (!st && !(w->schema = hal_builder_finish(b, err)))
        st = HAL_E_NOMEM;
    hal_builder_free(b);
    if (!st)
        st = choose_nulls(w, format, fields, like, err);
    if (!st)
        st = put_head(w, err);
    if (st) {
        writer_free(w);
        return NULL;
    }
    return w;
}

/* The items of a cell in the writer's type; one after the other. */
typedef struct item {
    hal_column column; /* of one item of the writer's type, or the table's */
    uint64_t i;
    union {
        uint8_t bytes[16];
        double align;
    } room;
} item;

static hal_status get_item(const column *c, const hal_column *from, hal_type type, uint64_t i,
                           item *out, hal_err *err)
{
    if (type == c->type) {
        out->column = *from;
        out->i = i;
        return HAL_OK;
    }
    out->column = (hal_column){.values = out->room.bytes};
    out->i = 0;
    memset(out->room.bytes, 0, sizeof out->room.bytes);
    if (!hal_item_convert(out->room.bytes, c->type, 0, from->values, type, i))
        return hal_err_set(err, HAL_E_USAGE, "column %s: a value does not fit the output's type",
                           c->name);
    return HAL_OK;
}

static hal_status put_number(writer *w, const hal_column *c, hal_type type, uint64_t i,
                             hal_err *err)
{
    if (hal_type_is_float(type)) {
        double d = hal_item_float64(c, type, i);
        if (!isfinite(d))
            return put(w, isnan(d) ? "NaN" : d > 0 ? "+Inf" : "-Inf", err);
    } else if (type == HAL_TYPE_BOOL) {
        return put(w, hal_item_bool(c, i) ? "T" : "F", err);
    }
    char room[HAL_CELL_TEXT_MAX];
    size_t n = hal_item_print(room, c, type, i);
    return hal_outfile_write(w->file, room, n, err);
}

static bool is_complex(hal_type type)
{
    return type == HAL_TYPE_COMPLEX64 || type == HAL_TYPE_COMPLEX128;
}

static hal_status no_null_item(const column *c, hal_err *err)
{
    return hal_err_set(err, HAL_E_USAGE,
                       "column %s: an array has a null item, and every integer that could stand "
                       "for it is a value; write ecsv",
                       c->name);
}

static hal_status no_null(const column *c, hal_err *err)
{
    return hal_err_set(err, HAL_E_USAGE,
                       "column %s: an item of an array is the integer that stands for null; write "
                       "ecsv",
                       c->name);
}

static hal_status put_items(writer *w, const column *c, const hal_table *t, size_t i_col,
                            hal_items items, hal_err *err)
{
    hal_column from = hal_table_column(t, i_col);
    hal_type type = hal_table_field(t, i_col)->type;
    hal_status st = HAL_OK;
    for (uint64_t k = 0; k < items.n && !st; k++) {
        item it;
        if (k)
            st = put(w, " ", err);
        if (!st && from.item_valid && !hal_bit(from.item_valid, items.first + k)) {
            char null[HAL_INT64_TEXT_MAX + 1];
            null[hal_number_print_int64(null, c->null)] = '\0';
            if (hal_type_is_integer(c->type) && !c->has_null)
                return no_null_item(c, err);
            st = put(w,
                     c->has_null                ? null
                     : c->type == HAL_TYPE_BOOL ? "?"
                     : is_complex(c->type)      ? "NaN NaN"
                                                : "NaN",
                     err);
            continue;
        }
        if (!st)
            st = get_item(c, &from, type, items.first + k, &it, err);
        if (!st && c->has_null && hal_item_int64(&it.column, c->type, it.i) == c->null)
            st = no_null(c, err);
        if (st)
            break;
        if (!is_complex(c->type)) {
            st = put_number(w, &it.column, c->type, it.i, err);
            continue;
        }
        hal_type part = c->type == HAL_TYPE_COMPLEX64 ? HAL_TYPE_FLOAT32 : HAL_TYPE_FLOAT64;
        st = put_number(w, &it.column, part, 2 * it.i, err);
        if (!st)
            st = put(w, " ", err);
        if (!st)
            st = put_number(w, &it.column, part, 2 * it.i + 1, err);
    }
    return st;
}

static hal_status put_row(writer *w, const hal_table *t, const size_t *places, uint64_t row,
                          hal_err *err)
{
    hal_status st = put(w, "<TR>", err);
    for (size_t i = 0; i < w->n_columns && !st; i++) {
        const column *c = &w->columns[i];
        if (places[i] == SIZE_MAX || hal_table_is_null(t, places[i], row)) {
            st = put(w, "<TD/>", err);
            continue;
        }
        hal_slice text;
        st = put(w, "<TD>", err);
        if (!st && is_text(c->type)) {
            st = hal_cell_promoted_text(&text, t, places[i], row, &w->cell, err);
            if (!st)
                st = put_text(w, text, false, err);
        } else if (!st) {
            st = put_items(w, c, t, places[i], items_of(t, places[i], row), err);
        }
        if (!st)
            st = put(w, "</TD>", err);
    }
    return st ? st : put(w, "</TR>\n", err);
}

static hal_status add_big(hal_buf *out, uint64_t v, unsigned size, hal_err *err)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < size; i++)
        bytes[i] = (uint8_t)(v >> 8 * (size - 1 - i));
    return hal_buf_append(out, bytes, size, err);
}

static hal_status add_utf16(writer *w, hal_slice text, hal_err *err)
{
    size_t at = w->row.size_bytes;
    uint64_t n = 0;
    hal_status st = add_big(&w->row, 0, 4, err);
    const unsigned char *p = (const unsigned char *)text.data, *end = p + text.size_bytes;
    while (p < end && !st) {
        unsigned more = *p < 0x80 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
        uint32_t c = more ? *p & (0x3fu >> more) : *p;
        p++;
        for (; more && p < end; more--)
            c = c << 6 | (*p++ & 0x3f);
        if (c >= 0x10000) {
            st = add_big(&w->row, 0xd800 + ((c - 0x10000) >> 10), 2, err);
            c = 0xdc00 + ((c - 0x10000) & 0x3ff);
            n++;
        }
        if (!st)
            st = add_big(&w->row, c, 2, err);
        n++;
    }
    for (unsigned i = 0; i < 4 && !st; i++)
        w->row.data[at + i] = (char)(n >> (24 - 8 * i));
    return st;
}

static hal_status add_item(writer *w, const column *c, const item *it, hal_err *err)
{
    if (c->type == HAL_TYPE_BOOL)
        return hal_buf_append(&w->row, hal_item_bool(&it->column, it->i) ? "T" : "F", 1, err);
    unsigned size = hal_type_bits(c->type) / 8, n = is_complex(c->type) ? 2 : 1;
    const uint8_t *from = (const uint8_t *)it->column.values + it->i * size;
    hal_status st = HAL_OK;
    for (unsigned k = 0; k < n && !st; k++, from += size / n) {
        uint64_t v = 0;
        uint32_t v4;
        uint16_t v2;
        switch (size / n) {
        case 1:
            v = *from;
            break;
        case 2:
            memcpy(&v2, from, sizeof v2);
            v = v2;
            break;
        case 4:
            memcpy(&v4, from, sizeof v4);
            v = v4;
            break;
        default:
            memcpy(&v, from, sizeof v);
        }
        st = add_big(&w->row, v, size / n, err);
    }
    return st;
}

static hal_status add_null_item(writer *w, const column *c, hal_err *err)
{
    if (c->type == HAL_TYPE_BOOL)
        return hal_buf_append(&w->row, "?", 1, err);
    if (c->has_null)
        return add_big(&w->row, (uint64_t)c->null, hal_type_bits(c->type) / 8, err);
    const double nan[2] = {(double)NAN, (double)NAN};
    const float small_nan[2] = {NAN, NAN};
    bool small = c->type == HAL_TYPE_FLOAT32 || c->type == HAL_TYPE_COMPLEX64;
    item it = {.column = {.values = small ? (const void *)small_nan : (const void *)nan}};
    return hal_type_is_integer(c->type) ? add_big(&w->row, 0, hal_type_bits(c->type) / 8, err)
                                        : add_item(w, c, &it, err);
}

static hal_status add_cell(writer *w, const column *c, const hal_table *t, size_t i_col,
                           uint64_t row, hal_err *err)
{
    if (is_text(c->type)) {
        hal_slice text;
        hal_status st = hal_cell_promoted_text(&text, t, i_col, row, &w->cell, err);
        if (st)
            return st;
        if (text.size_bytes && memchr(text.data, '\0', text.size_bytes))
            return hal_err_set(err, HAL_E_USAGE,
                               "column %s: a text with a NUL, which VOTable cannot carry", c->name);
        if (c->type == HAL_TYPE_STRING)
            return add_utf16(w, text, err);
        st = add_big(&w->row, text.size_bytes, 4, err);
        return st ? st : hal_buf_append(&w->row, text.data, text.size_bytes, err);
    }
    hal_column from = hal_table_column(t, i_col);
    hal_type type = hal_table_field(t, i_col)->type;
    hal_items items = items_of(t, i_col, row);
    hal_status st = HAL_OK;
    if (c->width == HAL_WIDTH_VARIABLE)
        st = add_big(&w->row, items.n, 4, err);
    for (uint64_t k = 0; k < items.n && !st; k++) {
        item it;
        if (from.item_valid && !hal_bit(from.item_valid, items.first + k)) {
            st = hal_type_is_integer(c->type) && !c->has_null ? no_null_item(c, err)
                                                              : add_null_item(w, c, err);
            continue;
        }
        st = get_item(c, &from, type, items.first + k, &it, err);
        if (!st && c->has_null && hal_item_int64(&it.column, c->type, it.i) == c->null)
            st = no_null(c, err);
        if (!st)
            st = add_item(w, c, &it, err);
    }
    return st;
}

/* Whole lines of base64; `all`: the rest too. */
static hal_status put_stream(writer *w, bool all, hal_err *err)
{
    char line[LINE_BYTES / 3 * 4 + 1];
    size_t at = 0, n = w->row.size_bytes;
    hal_status st = HAL_OK;
    for (; !st && (n - at >= LINE_BYTES || (all && at < n));) {
        size_t part = n - at < LINE_BYTES ? n - at : LINE_BYTES;
        size_t size = hal_base64_encode((const uint8_t *)w->row.data + at, part, line);
        line[size] = '\n';
        st = hal_outfile_write(w->file, line, size + 1, err);
        at += part;
    }
    if (at)
        memmove(w->row.data, w->row.data + at, n - at);
    w->row.size_bytes = n - at;
    return st;
}

static hal_status add_row(writer *w, const hal_table *t, const size_t *places, uint64_t row,
                          hal_err *err)
{
    size_t flags = w->row.size_bytes, n_flags = (w->n_columns + 7) / 8;
    hal_status st = hal_buf_reserve(&w->row, n_flags + 1, err);
    if (st)
        return st;
    memset(w->row.data + flags, 0, n_flags);
    w->row.size_bytes += n_flags;
    for (size_t i = 0; i < w->n_columns && !st; i++) {
        const column *c = &w->columns[i];
        if (places[i] != SIZE_MAX && !hal_table_is_null(t, places[i], row)) {
            st = add_cell(w, c, t, places[i], row, err);
            continue;
        }
        w->row.data[flags + i / 8] = (char)(w->row.data[flags + i / 8] | 0x80 >> i % 8);
        if (is_text(c->type) || c->width == HAL_WIDTH_VARIABLE)
            st = add_big(&w->row, 0, 4, err);
        else
            for (int32_t k = 0; k < c->width && !st; k++)
                st = add_null_item(w, c, err);
    }
    return st;
}

static hal_status writer_rows(void *self, const hal_table *t, const size_t *places, uint64_t first,
                              uint64_t n, hal_err *err)
{
    writer *w = self;
    hal_status st = HAL_OK;
    for (uint64_t row = first; row < first + n && !st; row++) {
        st = w->binary ? add_row(w, t, places, row, err) : put_row(w, t, places, row, err);
        if (!st && w->row.size_bytes >= STREAM_BYTES)
            st = put_stream(w, false, err);
        if (st)
            st = hal_err_note(err, st, "row %llu", (unsigned long long)row + 1);
    }
    return st;
}

static hal_status writer_finish(void *self, hal_err *err)
{
    writer *w = self;
    hal_status st = w->binary ? put_stream(w, true, err) : HAL_OK;
    if (!st)
        st = put(w, w->binary ? "</STREAM></BINARY2></DATA>\n" : "</TABLEDATA></DATA>\n", err);
    return st ? st : put(w, "</TABLE>\n</RESOURCE>\n</VOTABLE>\n", err);
}

const hal_writer_class hal_votable_writer = {writer_open, writer_rows, writer_finish, writer_free};
