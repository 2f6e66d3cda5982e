/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows as text: CSV (RFC 4180) and JSON lines. */
#include "base/alloc.h"
#include "base/number.h"
#include "data/csv_words.h"
#include "data/format.h"
#include "data/vec.h"

#include <math.h>

typedef struct column {
    char *name;
    hal_type type;
    int32_t width;
} column;

typedef struct writer {
    hal_outfile *file;
    hal_format format;
    size_t n_columns;
    column *columns;
    bool first_row_written;
} writer;

static hal_status put(writer *w, const char *text, size_t n, hal_err *err)
{
    return hal_outfile_write(w->file, text, n, err);
}

static hal_status put_char(writer *w, char c, hal_err *err)
{
    hal_status st = hal_outfile_room(w->file, 1, err);
    if (!st)
        w->file->buffer[w->file->used++] = c;
    return st;
}

/* Text as a CSV cell: in quotes when RFC 4180 asks for them, when it is empty (nothing is null) or
 * when a reader could take the line for a comment, a mark of byte order or another format. */
static hal_status put_csv_text(writer *w, hal_slice text, bool quote, hal_err *err)
{
    quote = quote || text.size_bytes == 0 || memchr("#@<{[ \t\xef", text.data[0], 8);
    for (size_t i = 0; i < text.size_bytes && !quote; i++) {
        char c = text.data[i];
        quote = c == '"' || c == ',' || c == '\n' || c == '\r';
    }
    if (!quote)
        return put(w, text.data, text.size_bytes, err);
    hal_status st = put_char(w, '"', err);
    const char *p = text.data, *end = p + text.size_bytes;
    while (p < end && !st) {
        const char *stop = memchr(p, '"', (size_t)(end - p));
        size_t n = (size_t)((stop ? stop + 1 : end) - p);
        st = put(w, p, n, err);
        if (!st && stop)
            st = put_char(w, '"', err);
        p += n;
    }
    return st ? st : put_char(w, '"', err);
}

static hal_status put_json_text(writer *w, hal_slice text, hal_err *err)
{
    static const char hex[] = "0123456789abcdef";
    hal_status st = put_char(w, '"', err);
    const char *p = text.data, *end = p + text.size_bytes;
    while (p < end && !st) {
        const char *run = p;
        while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
            p++;
        st = put(w, run, (size_t)(p - run), err);
        if (st || p == end)
            break;
        unsigned char c = (unsigned char)*p++;
        char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        const char *from = "\"\\\b\f\n\r\t", *simple = c ? strchr(from, c) : NULL;
        if (simple)
            escape[1] = "\"\\bfnrt"[simple - from];
        st = put(w, escape, simple ? 2 : 6, err);
    }
    return st ? st : put_char(w, '"', err);
}

static hal_status put_text(writer *w, hal_slice text, hal_err *err)
{
    return w->format == HAL_FORMAT_CSV ? put_csv_text(w, text, false, err)
                                       : put_json_text(w, text, err);
}

static hal_status put_real(writer *w, double v, bool is_float, hal_err *err)
{
    if (w->format == HAL_FORMAT_JSONL && !isfinite(v))
        return put(w, "null", 4, err);
    hal_status st = hal_outfile_room(w->file, HAL_DOUBLE_TEXT_MAX, err);
    if (st)
        return st;
    char *out = w->file->buffer + w->file->used;
    w->file->used +=
        is_float ? hal_number_print_float(out, (float)v) : hal_number_print_double(out, v);
    return HAL_OK;
}

/* An item of an array or a scalar, not null and not text, as a JSON value or bare in CSV. A float
 * is spelled as such only where the output's column is of floats (`to`): else how it reads would
 * depend on the table it came in. */
static hal_status put_item(writer *w, const column *to, const hal_column *c, hal_type type,
                           uint64_t i, hal_err *err)
{
    char room[HAL_CELL_TEXT_MAX];
    double pair[2];
    bool is_float = to->type == HAL_TYPE_FLOAT32 || to->type == HAL_TYPE_COMPLEX64;
    if (hal_type_is_float(type))
        return put_real(w, hal_item_float64(c, type, i), is_float, err);
    if (w->format == HAL_FORMAT_JSONL && type == HAL_TYPE_TIMESTAMP)
        return put_json_text(w, (hal_slice){room, hal_item_print(room, c, type, i)}, err);
    if (type != HAL_TYPE_COMPLEX64 && type != HAL_TYPE_COMPLEX128)
        return put(w, room, hal_item_print(room, c, type, i), err);
    hal_item_complex(c, type, i, pair);
    hal_status st = put_char(w, '[', err);
    for (int k = 0; k < 2 && !st; k++) {
        st = k ? put_char(w, ',', err) : HAL_OK;
        if (!st)
            st = put_real(w, pair[k], is_float, err);
    }
    return st ? st : put_char(w, ']', err);
}

/* A cell as the text it is in a column of texts. */
static hal_status put_promoted(writer *w, const hal_table *t, size_t i_col, uint64_t row,
                               hal_err *err)
{
    hal_buf room;
    hal_slice text;
    hal_buf_init(&room, SIZE_MAX / 4);
    hal_status st = hal_cell_promoted_text(&text, t, i_col, row, &room, err);
    if (!st)
        st = put_text(w, text, err);
    hal_buf_clear(&room);
    return st;
}

/* CSV: an array or a complex number is the text of one in JSON. */
static hal_status put_csv_list(writer *w, const column *to, const hal_table *t, size_t i_col,
                               uint64_t row, hal_err *err)
{
    bool narrow = to->type == HAL_TYPE_FLOAT32 || to->type == HAL_TYPE_COMPLEX64;
    if (!narrow)
        return put_promoted(w, t, i_col, row, err);
    hal_buf text;
    hal_buf_init(&text, SIZE_MAX / 4);
    hal_status st = hal_table_cell_text(&text, t, i_col, row, err);
    if (!st)
        st = put_csv_text(w, hal_buf_slice(&text), false, err);
    hal_buf_clear(&text);
    return st;
}

static hal_status put_array(writer *w, const column *to, const hal_table *t, size_t i_col,
                            uint64_t row, hal_err *err)
{
    hal_column c = hal_table_column(t, i_col);
    hal_items cell = hal_table_items(t, i_col, row);
    hal_status st = put_char(w, '[', err);
    for (uint64_t i = cell.first; i < cell.first + cell.n && !st; i++) {
        st = i > cell.first ? put_char(w, ',', err) : HAL_OK;
        if (!st)
            st = hal_item_is_null(&c, i)
                     ? put(w, "null", 4, err)
                     : put_item(w, to, &c, hal_table_field(t, i_col)->type, i, err);
    }
    return st ? st : put_char(w, ']', err);
}

/* A cell that is not null, as the writer's type says. */
static hal_status put_cell(writer *w, const column *to, const hal_table *t, size_t i_col,
                           uint64_t row, hal_err *err)
{
    const hal_field *f = hal_table_field(t, i_col);
    hal_column c = hal_table_column(t, i_col);
    if (to->type == HAL_TYPE_STRING)
        return f->type == HAL_TYPE_STRING ? put_text(w, hal_table_string(t, i_col, row), err)
                                          : put_promoted(w, t, i_col, row, err);
    bool fits = hal_type_unite(to->type, f->type) == to->type &&
                hal_width_unite(to->width, f->width) == to->width;
    if (fits && hal_type_is_integer(f->type) && hal_type_is_float(to->type)) {
        int64_t v = hal_table_int64(t, i_col, row);
        if (hal_number_fits_double(v))
            return put_real(w, (double)v, to->type == HAL_TYPE_FLOAT32, err);
        fits = false;
    }
    if (!fits)
        return hal_err_set(err, HAL_E_USAGE,
                           "column %s: a value does not fit the type of the output", to->name);
    bool list = f->width != 1 || f->type == HAL_TYPE_COMPLEX64 || f->type == HAL_TYPE_COMPLEX128;
    if (list && w->format == HAL_FORMAT_CSV)
        return put_csv_list(w, to, t, i_col, row, err);
    return f->width != 1 ? put_array(w, to, t, i_col, row, err)
                         : put_item(w, to, &c, f->type, row, err);
}

static void free_text(void *self)
{
    writer *w = self;
    if (!w)
        return;
    for (size_t i = 0; i < w->n_columns; i++)
        hal_free(w->columns[i].name);
    hal_free(w->columns);
    hal_free(w);
}

/* Of a name: what a reader takes for a separator or, in the first one, for the mark of a format
 * that is no text. */
static bool may_mislead(const char *name)
{
    bool control = false;
    for (const char *p = name; *p && !control; p++)
        control = (unsigned char)*p < ' ';
    return control || strpbrk(name, "|;") || *name == '%' || *name == '\x7f' ||
           !strncmp(name, "SIMPLE", 6);
}

static hal_status put_header(writer *w, hal_err *err)
{
    /* As the archive says it: an empty file is no table to any reader. */
    hal_status st = w->n_columns ? HAL_OK : put(w, "no rows found", 13, err);
    for (size_t i = 0; i < w->n_columns && !st; i++) {
        const char *name = w->columns[i].name;
        bool quote = may_mislead(name);
        if (i)
            st = put_char(w, ',', err);
        if (!st)
            st = put_csv_text(w, hal_slice_of(name), quote, err);
    }
    return st ? st : put_char(w, '\n', err);
}

static void *open_text(hal_outfile *file, hal_format format, const hal_field *fields,
                       size_t n_fields, const hal_table *like, hal_err *err)
{
    (void)like;
    writer *w = hal_calloc(1, sizeof *w);
    if (!w) {
        hal_err_nomem(err, sizeof *w);
        return NULL;
    }
    w->file = file;
    w->format = format;
    w->columns = hal_calloc(n_fields ? n_fields : 1, sizeof *w->columns);
    hal_status st = w->columns ? HAL_OK : hal_err_nomem(err, n_fields * sizeof *w->columns);
    for (size_t i = 0; i < n_fields && !st; i++) {
        w->columns[i].type = fields[i].type;
        w->columns[i].width = fields[i].width ? fields[i].width : 1;
        w->columns[i].name = hal_strdup(fields[i].name);
        if (!w->columns[i].name)
            st = hal_err_nomem(err, strlen(fields[i].name));
        else
            w->n_columns++;
    }
    if (!st && format == HAL_FORMAT_CSV)
        st = put_header(w, err);
    if (st) {
        free_text(w);
        return NULL;
    }
    return w;
}

/* A first row of nothing but type words would be read as a declaration. */
static bool is_like_types(const writer *w, const hal_table *t, const size_t *places, uint64_t row)
{
    for (size_t i = 0; i < w->n_columns; i++)
        if (places[i] == SIZE_MAX || hal_table_is_null(t, places[i], row) ||
            hal_table_field(t, places[i])->type != HAL_TYPE_STRING ||
            !hal_csv_type_word(hal_table_string(t, places[i], row), NULL))
            return false;
    return true;
}

static hal_status put_csv_row(writer *w, const hal_table *t, const size_t *places, uint64_t row,
                              hal_err *err)
{
    hal_status st = HAL_OK;
    bool quote = !w->first_row_written && is_like_types(w, t, places, row);
    w->first_row_written = true;
    for (size_t i = 0; i < w->n_columns && !st; i++) {
        if (i)
            st = put_char(w, ',', err);
        if (!st && places[i] != SIZE_MAX && !hal_table_is_null(t, places[i], row))
            st = quote ? put_csv_text(w, hal_table_string(t, places[i], row), true, err)
                       : put_cell(w, &w->columns[i], t, places[i], row, err);
    }
    return st ? st : put_char(w, '\n', err);
}

static hal_status put_json_row(writer *w, const hal_table *t, const size_t *places, uint64_t row,
                               hal_err *err)
{
    hal_status st = HAL_OK;
    for (size_t i = 0; i < w->n_columns && !st; i++) {
        st = put_char(w, i ? ',' : '{', err);
        if (!st)
            st = put_json_text(w, hal_slice_of(w->columns[i].name), err);
        if (!st)
            st = put_char(w, ':', err);
        if (st)
            return st;
        if (places[i] == SIZE_MAX || hal_table_is_null(t, places[i], row))
            st = put(w, "null", 4, err);
        else
            st = put_cell(w, &w->columns[i], t, places[i], row, err);
    }
    if (!st && w->n_columns == 0)
        st = put_char(w, '{', err);
    return st ? st : put(w, "}\n", 2, err);
}

static hal_status rows_text(void *self, const hal_table *t, const size_t *places, uint64_t first,
                            uint64_t n, hal_err *err)
{
    writer *w = self;
    hal_status st = HAL_OK;
    for (uint64_t row = first; row < first + n && !st; row++)
        st = w->format == HAL_FORMAT_CSV ? put_csv_row(w, t, places, row, err)
                                         : put_json_row(w, t, places, row, err);
    return st;
}

static hal_status finish_text(void *self, hal_err *err)
{
    (void)self;
    (void)err;
    return HAL_OK;
}

const hal_writer_class hal_text_writer = {open_text, rows_text, finish_text, free_text};
