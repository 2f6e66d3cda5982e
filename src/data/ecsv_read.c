/* SPDX-License-Identifier: BSD-3-Clause */
/* The header is collected and read as YAML; what follows is read as CSV texts, and each batch of
 * them becomes values of the declared types. */
#include "data/ecsv.h"

#include "base/alloc.h"
#include "base/number.h"
#include "data/csv.h"
#include "data/ecsv_header.h"
#include "data/types.h"
#include "data/vec.h"

#include <math.h>
#include <strings.h>

enum {
    HEADER_MAX_BYTES = 16 << 20,
    BATCH_ROWS = 16384,
    /* A null array of declared size holds its items: what such arrays may take beyond 200 times
     * the bytes of the document. */
    NULL_RATIO = 200,
    NULL_BYTES = 128 << 20
};

typedef struct ecsv_reader {
    hal_reader_options asked;
    hal_buf line, yaml; /* the header line so far; the header without its marks */
    size_t n_lines;     /* whole ones of the header */
    bool version_seen;
    bool header_ended;
    hal_csv *rows; /* behind the header; NULL where it declares no columns */
    hal_ecsv_header header;
    hal_vec *vecs;
    uint64_t null_bytes_left;
    uint64_t n_rows, n_given; /* in the columns; handed over before */
    hal_buf items, item_valid;
} ecsv_reader;

hal_match hal_ecsv_recognise(hal_slice head)
{
    static const char mark[] = "# %ECSV ";
    size_t n = head.size_bytes < sizeof mark - 1 ? head.size_bytes : sizeof mark - 1;
    return memcmp(head.data, mark, n) != 0 ? HAL_MATCH_NO
           : n < sizeof mark - 1           ? HAL_MATCH_MORE
                                           : HAL_MATCH_YES;
}

static void *open_class(const hal_reader_setup *setup, hal_err *err)
{
    ecsv_reader *r = hal_calloc(1, sizeof *r);
    if (!r) {
        hal_err_nomem(err, sizeof *r);
        return NULL;
    }
    r->asked = setup->asked;
    r->null_bytes_left = NULL_BYTES;
    hal_buf_init(&r->line, HEADER_MAX_BYTES);
    hal_buf_init(&r->yaml, HEADER_MAX_BYTES);
    hal_buf_init(&r->items, SIZE_MAX / 4);
    hal_buf_init(&r->item_valid, SIZE_MAX / 4);
    return r;
}

static void free_class(void *self)
{
    ecsv_reader *r = self;
    hal_csv_free(r->rows);
    for (size_t i = 0; i < r->header.n_columns && r->vecs; i++)
        hal_vec_clear(&r->vecs[i]);
    hal_free(r->vecs);
    hal_ecsv_header_clear(&r->header);
    hal_buf_clear(&r->line);
    hal_buf_clear(&r->yaml);
    hal_buf_clear(&r->items);
    hal_buf_clear(&r->item_valid);
    hal_free(r);
}

/* --- Cells ---------------------------------------------------------------------------------------
 */

static bool read_integer(const hal_ecsv_column *c, hal_slice t, int64_t *out)
{
    bool minus = t.size_bytes && *t.data == '-';
    size_t i = minus || (t.size_bytes && *t.data == '+');
    int64_t v = 0;
    if (i == t.size_bytes)
        return false;
    for (; i < t.size_bytes; i++) {
        int digit = t.data[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, minus ? -digit : digit, &v))
            return false;
    }
    *out = v;
    return v >= c->min && v <= c->max;
}

static bool is_word(hal_slice t, const char *word)
{
    return t.size_bytes == strlen(word) && !strncasecmp(t.data, word, t.size_bytes);
}

static bool read_float(hal_slice t, double *out)
{
    hal_slice word = t;
    bool sign = t.size_bytes && (*t.data == '-' || *t.data == '+');
    word.data += sign;
    word.size_bytes -= sign;
    bool infinite = is_word(word, "inf") || is_word(word, "infinity");
    if (infinite || is_word(word, "nan")) {
        *out = infinite ? INFINITY : NAN;
        if (sign && *t.data == '-')
            *out = -*out;
        return true;
    }
    return hal_number_read_double(t, out);
}

/* "1.5-2j", also in parentheses, as Python writes complex numbers. */
static bool read_complex(hal_slice t, double out[2])
{
    if (t.size_bytes > 2 && *t.data == '(' && t.data[t.size_bytes - 1] == ')') {
        t.data++;
        t.size_bytes -= 2;
    }
    if (!t.size_bytes || t.data[--t.size_bytes] != 'j')
        return false;
    size_t split = 0;
    for (size_t i = 1; i < t.size_bytes; i++)
        if ((t.data[i] == '+' || t.data[i] == '-') && (t.data[i - 1] | 0x20) != 'e')
            split = i;
    out[0] = 0;
    return (!split || read_float((hal_slice){t.data, split}, &out[0])) &&
           read_float((hal_slice){t.data + split, t.size_bytes - split}, &out[1]);
}

static bool put_float(float *to, double v)
{
    *to = (float)v;
    return isinf(v) || !isinf(*to);
}

/* One item to place `i`; `json`: as an element of an array. */
static bool read_item(const hal_ecsv_column *c, hal_slice t, bool json, void *items, uint64_t i)
{
    int64_t n = 0;
    double d[2] = {0, 0};
    bool on;
    switch (c->type) {
    case HAL_TYPE_BOOL:
        on = hal_slice_equals(t, hal_slice_of(json ? "true" : "True"));
        hal_bit_set(items, i, on);
        return on || hal_slice_equals(t, hal_slice_of(json ? "false" : "False"));
    case HAL_TYPE_UINT8:
        if (!read_integer(c, t, &n))
            return false;
        ((uint8_t *)items)[i] = (uint8_t)n;
        return true;
    case HAL_TYPE_INT16:
        if (!read_integer(c, t, &n))
            return false;
        ((int16_t *)items)[i] = (int16_t)n;
        return true;
    case HAL_TYPE_INT32:
        if (!read_integer(c, t, &n))
            return false;
        ((int32_t *)items)[i] = (int32_t)n;
        return true;
    case HAL_TYPE_INT64:
        return read_integer(c, t, &((int64_t *)items)[i]);
    case HAL_TYPE_TIMESTAMP:
        return hal_timestamp_read(t, &((int64_t *)items)[i]);
    case HAL_TYPE_FLOAT32:
        return read_float(t, d) && put_float(&((float *)items)[i], d[0]);
    case HAL_TYPE_FLOAT64:
        return read_float(t, &((double *)items)[i]);
    case HAL_TYPE_COMPLEX64:
        return read_complex(t, d) && put_float(&((float *)items)[2 * i], d[0]) &&
               put_float(&((float *)items)[2 * i + 1], d[1]);
    case HAL_TYPE_COMPLEX128:
        return read_complex(t, &((double *)items)[2 * i]);
    default:
        return false;
    }
}

/* The items of an array: lists of JSON, nested as the dimensions say. The room is there. */
static bool read_array(const hal_ecsv_column *c, hal_slice t, void *items, uint8_t *valid,
                       uint64_t room, uint64_t *n)
{
    const char *p = t.data, *end = p + t.size_bytes;
    uint64_t counts[HAL_ECSV_DIMENSIONS_MAX], k = 0;
    int depth = 0;
    bool expects = true, done = false;
    for (; p < end; p++) {
        if (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
            continue;
        if (done)
            return false;
        if (*p == '[') {
            if (!expects || depth == c->n_dimensions)
                return false;
            counts[depth++] = 0;
        } else if (*p == ']') {
            uint64_t wanted = depth ? c->dimensions[depth - 1] : 0;
            if (!depth || (expects && counts[depth - 1]) || (wanted && counts[depth - 1] != wanted))
                return false;
            expects = false;
            done = --depth == 0;
            if (!done)
                counts[depth - 1]++;
        } else if (*p == ',') {
            if (expects || !depth)
                return false;
            expects = true;
        } else {
            const char *from = p;
            while (p < end && !strchr(",] \t\r\n", *p))
                p++;
            hal_slice word = {from, (size_t)(p-- - from)};
            bool null = hal_slice_equals(word, hal_slice_of("null"));
            if (!expects || depth != c->n_dimensions || k == room)
                return false;
            hal_bit_set(valid, k, !null);
            if (!null && !read_item(c, word, true, items, k))
                return false;
            k++;
            counts[depth - 1]++;
            expects = false;
        }
    }
    *n = k;
    return done;
}

static hal_status misfit(const ecsv_reader *r, const hal_ecsv_column *c, hal_slice text,
                         uint64_t row, hal_err *err)
{
    double d;
    bool number = hal_number_read_double(text, &d) || hal_number_is_beyond_double(text);
    if (number && hal_type_is_float(c->type) && !c->n_dimensions)
        return hal_err_set(err, HAL_E_INTEGRITY,
                           "row %llu behind the ECSV header: the cell of column %s is beyond the "
                           "range of %s; correct it or declare the column as %s",
                           (unsigned long long)(r->n_given + r->n_rows + row + 1), c->name,
                           c->datatype, c->type == HAL_TYPE_FLOAT32 ? "float64" : "string");
    return hal_err_set(
        err, HAL_E_INTEGRITY,
        "row %llu behind the ECSV header: the cell of column %s is no %s; correct it "
        "or declare the column as string",
        (unsigned long long)(r->n_given + r->n_rows + row + 1), c->name,
        c->type == HAL_TYPE_TIMESTAMP ? "timestamp"
        : c->n_dimensions             ? c->subtype
                                      : c->datatype);
}

static hal_status add_null(ecsv_reader *r, const hal_ecsv_column *c, hal_vec *v, hal_err *err)
{
    uint64_t n_bytes = c->width > 1 ? hal_items_bytes(v->type, (uint64_t)c->width) : 0;
    if (n_bytes > r->null_bytes_left)
        return hal_err_set(err, HAL_E_BUDGET,
                           "column %s: its null arrays of %d items need more than 200 times the "
                           "bytes of the document; declare %.*s[null]",
                           c->name, (int)c->width, (int)strcspn(c->subtype, "["), c->subtype);
    r->null_bytes_left -= n_bytes;
    return hal_vec_pad(v, v->n_rows + 1, err);
}

static hal_status add_cell(ecsv_reader *r, const hal_ecsv_column *c, hal_vec *v, hal_slice text,
                           uint64_t row, hal_err *err)
{
    uint64_t room = 1, n = 1;
    if (c->n_dimensions) /* every item takes two bytes of the text */
        room = c->width > 0 && (uint64_t)c->width < text.size_bytes / 2 ? (uint64_t)c->width
                                                                        : text.size_bytes / 2;
    hal_status st = hal_buf_reserve(&r->items, 16 * (room + 1), err);
    if (!st)
        st = hal_buf_reserve(&r->item_valid, room / 8 + 1, err);
    if (st)
        return st;
    uint8_t *valid = (uint8_t *)r->item_valid.data;
    memset(r->items.data, 0, 16 * (room + 1)); /* null items are zeros */
    if (!c->n_dimensions)
        return read_item(c, text, false, r->items.data, 0)
                   ? hal_vec_add_items(v, r->items.data, 1, NULL, err)
                   : misfit(r, c, text, row, err);
    if (!read_array(c, text, r->items.data, valid, room, &n))
        return misfit(r, c, text, row, err);
    bool nulls = hal_bits_count(valid, 0, n) < n;
    if (c->width == 1 && nulls)
        return hal_vec_pad(v, v->n_rows + 1, err);
    return hal_vec_add_items(v, r->items.data, n, nulls ? valid : NULL, err);
}

static hal_status add_column(ecsv_reader *r, size_t i, const hal_table *texts, hal_err *err)
{
    const hal_ecsv_column *c = &r->header.columns[i];
    hal_vec *v = &r->vecs[i];
    bool empty_is_null = c->type != HAL_TYPE_STRING || r->header.delimiter == ' ';
    hal_status st = HAL_OK;
    for (uint64_t row = 0; row < hal_table_rows(texts) && !st; row++) {
        bool null = hal_table_is_null(texts, i, row);
        hal_slice text = null ? (hal_slice){"", 0} : hal_table_string(texts, i, row);
        if (null || (empty_is_null && !text.size_bytes))
            st = add_null(r, c, v, err);
        else if (c->type == HAL_TYPE_STRING)
            st = hal_vec_add_string(v, text, err);
        else
            st = add_cell(r, c, v, text, row, err);
    }
    return st;
}

/* --- Tables --------------------------------------------------------------------------------------
 */

static hal_status set_types(ecsv_reader *r, hal_err *err)
{
    hal_status st = HAL_OK;
    for (size_t i = 0; i < r->header.n_columns && !st; i++)
        st = hal_vec_set_shape(&r->vecs[i], r->header.columns[i].type, r->header.columns[i].width,
                               err);
    return st;
}

/* The rows so far; the columns are without memory afterwards. */
static hal_status build(ecsv_reader *r, hal_table **out, hal_err *err)
{
    size_t n = r->header.n_columns;
    hal_field *fields = hal_calloc(n ? n : 1, sizeof *fields);
    hal_metadata metadata = {0};
    hal_status st = fields ? hal_metadata_copy(&metadata, &r->header.metadata, err)
                           : hal_err_nomem(err, n * sizeof *fields);
    for (size_t i = 0; i < n && !st; i++)
        fields[i] = hal_ecsv_field(&r->header.columns[i]);
    if (!st) {
        *out = hal_table_from_parts(fields, r->vecs, n, r->n_rows, &metadata, err);
        st = *out ? HAL_OK : HAL_E_NOMEM;
    }
    hal_metadata_clear(&metadata);
    hal_free(fields);
    if (!st) {
        r->n_given += r->n_rows;
        r->n_rows = 0;
    }
    return st;
}

static hal_status give(ecsv_reader *r, hal_err *err)
{
    hal_table *t;
    hal_status st = build(r, &t, err);
    if (st)
        return st;
    st = r->asked.batch(r->asked.batch_ctx, t, err);
    hal_table_unref(t);
    return st ? st : set_types(r, err);
}

/* The line behind the header repeats its names. */
static hal_status check_names(const ecsv_reader *r, const hal_table *texts, hal_err *err)
{
    size_t n = hal_table_columns(texts);
    if (n != r->header.n_columns)
        return hal_err_set(err, HAL_E_INTEGRITY,
                           "line %zu names %zu columns, the ECSV header before it %zu",
                           r->n_lines + 1, n, r->header.n_columns);
    for (size_t i = 0; i < n; i++)
        if (strcmp(hal_table_field(texts, i)->name, r->header.columns[i].name) != 0)
            return hal_err_set(err, HAL_E_INTEGRITY,
                               "line %zu: column %zu is named %s, in the ECSV header before it %s",
                               r->n_lines + 1, i + 1, hal_table_field(texts, i)->name,
                               r->header.columns[i].name);
    return HAL_OK;
}

static hal_status take_texts(void *ctx, const hal_table *texts, hal_err *err)
{
    ecsv_reader *r = ctx;
    hal_status st = check_names(r, texts, err);
    for (size_t i = 0; i < r->header.n_columns && !st; i++)
        st = add_column(r, i, texts, err);
    if (st)
        return st;
    r->n_rows += hal_table_rows(texts);
    return r->asked.batch ? give(r, err) : HAL_OK;
}

/* --- The header ----------------------------------------------------------------------------------
 */

static hal_status end_header(ecsv_reader *r, hal_err *err)
{
    hal_slice yaml = r->yaml.data ? hal_buf_slice(&r->yaml) : (hal_slice){"", 0};
    hal_status st = hal_ecsv_header_read(&r->header, yaml, 2, r->asked.limits.columns_max, err);
    if (st)
        return st;
    r->vecs = hal_calloc(r->header.n_columns ? r->header.n_columns : 1, sizeof *r->vecs);
    if (!r->vecs)
        return hal_err_nomem(err, r->header.n_columns * sizeof *r->vecs);
    st = set_types(r, err);
    r->header_ended = true;
    if (st || !r->header.n_columns)
        return st;
    hal_reader_options texts = {.limits = r->asked.limits,
                                .batch = take_texts,
                                .batch_ctx = r,
                                .batch_rows = r->asked.batch ? r->asked.batch_rows : BATCH_ROWS};
    r->rows = hal_csv_new_texts(&texts, r->header.delimiter, r->n_lines + 1, err);
    return r->rows ? HAL_OK : HAL_E_NOMEM;
}

/* A whole line that begins with #. */
static hal_status end_line(ecsv_reader *r, hal_err *err)
{
    hal_slice line = hal_buf_slice(&r->line);
    if (line.data[line.size_bytes - 1] == '\r')
        line.size_bytes--;
    r->n_lines++;
    r->line.size_bytes = 0;
    if (!r->version_seen) {
        r->version_seen = true;
        return hal_slice_equals(line, hal_slice_of("# %ECSV 1.0")) ||
                       hal_slice_equals(line, hal_slice_of("# %ECSV 0.9"))
                   ? HAL_OK
                   : hal_err_set(err, HAL_E_INTEGRITY,
                                 "line 1 is not \"# %%ECSV 1.0\": this version is not read");
    }
    if (line.size_bytes > 1 && line.data[1] != ' ')
        return hal_err_set(err, HAL_E_INTEGRITY,
                           "line %zu: a line of the ECSV header begins with \"# \"", r->n_lines);
    size_t lead = line.size_bytes > 1 ? 2 : 1;
    hal_status st = hal_buf_append(&r->yaml, line.data + lead, line.size_bytes - lead, err);
    return st ? st : hal_buf_append(&r->yaml, "\n", 1, err);
}

static hal_status feed_class(void *self, const char *bytes, size_t n, hal_err *err)
{
    ecsv_reader *r = self;
    hal_status st = HAL_OK;
    r->null_bytes_left += NULL_RATIO * n;
    while (n && !r->header_ended && !st) {
        if (!r->line.size_bytes && *bytes != '#') {
            st = end_header(r, err);
            break;
        }
        const char *stop = memchr(bytes, '\n', n);
        size_t part = stop ? (size_t)(stop - bytes) : n;
        st = hal_buf_append(&r->line, bytes, part, err);
        if (!st && stop) {
            st = end_line(r, err);
            part++;
        }
        bytes += part;
        n -= part;
    }
    if (st || r->rows)
        return st || !n ? st : hal_csv_feed(r->rows, bytes, n, err);
    for (; n; n--, bytes++)
        if (*bytes != '\r' && *bytes != '\n')
            return hal_err_set(err, HAL_E_INTEGRITY,
                               "text follows an ECSV header that declares no columns");
    return HAL_OK;
}

static hal_status finish_class(void *self, hal_answer *answer, hal_table **table, hal_err *err)
{
    ecsv_reader *r = self;
    if (!r->header_ended)
        return hal_err_set(err, HAL_E_INTEGRITY, "the file ends inside its ECSV header");
    if (!r->rows) {
        *answer = (hal_answer){HAL_ANSWER_COMPLETE, "", -1, -1, -1, -1, -1, -1, -1};
        return build(r, table, err);
    }
    hal_table *texts = NULL;
    hal_status st = hal_csv_finish(r->rows, answer, &texts, err);
    if (!st)
        st = check_names(r, texts, err);
    hal_table_unref(texts);
    return st ? st : build(r, table, err);
}

const hal_reader_class hal_ecsv_reader = {open_class, feed_class, finish_class, free_class, false};
