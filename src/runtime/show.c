/* SPDX-License-Identifier: BSD-3-Clause */
/* What a file of rows holds: its columns, its first rows, what the columns' values are like. One
 * reading in batches, in memory that does not grow with the number of rows. */
#include "runtime/show.h"

#include "base/alloc.h"
#include "base/number.h"
#include "data/summary.h"
#include "runtime/files.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    ROWS_DEFAULT = 10,
    ROWS_MAX = 100000,
    HEAD_WIDTH = 24, /* characters of a cell in the text for people */
    NOTE_WIDTH = 60, /* of a description */
};

typedef struct look {
    uint64_t n_rows, rows_wanted;
    bool stats;
    hal_table **head; /* first rows, as they came */
    size_t n_head;
    uint64_t n_head_rows;
    hal_summary *summaries;
    size_t n_summaries;
} look;

static void look_clear(look *l)
{
    for (size_t i = 0; i < l->n_head; i++)
        hal_table_unref(l->head[i]);
    for (size_t i = 0; i < l->n_summaries; i++)
        hal_summary_clear(&l->summaries[i]);
    hal_free(l->head);
    hal_free(l->summaries);
}

static hal_status keep_head(look *l, const hal_table *t, hal_err *err)
{
    uint64_t n = l->rows_wanted - l->n_head_rows;
    n = n < hal_table_rows(t) ? n : hal_table_rows(t);
    if (!n)
        return HAL_OK;
    uint64_t *rows = hal_malloc(n * sizeof *rows);
    hal_table **grown = hal_realloc(l->head, (l->n_head + 1) * sizeof(hal_table *));
    if (grown)
        l->head = grown;
    if (!rows || !grown) {
        hal_free(rows);
        return hal_err_nomem(err, n * sizeof *rows);
    }
    for (uint64_t i = 0; i < n; i++)
        rows[i] = i;
    hal_table *first = hal_table_take(t, rows, n, err); /* a slice would keep the whole batch */
    hal_free(rows);
    if (!first)
        return HAL_E_NOMEM;
    l->head[l->n_head++] = first;
    l->n_head_rows += n;
    return HAL_OK;
}

static hal_status take_batch(void *ctx, const hal_table *t, hal_err *err)
{
    look *l = ctx;
    size_t n = hal_table_columns(t);
    hal_status st = keep_head(l, t, err);
    if (!st && l->stats && n > l->n_summaries) {
        hal_summary *grown = hal_realloc(l->summaries, n * sizeof *grown);
        if (!grown)
            return hal_err_nomem(err, n * sizeof *grown);
        l->summaries = grown;
        for (; l->n_summaries < n; l->n_summaries++)
            l->summaries[l->n_summaries] = (hal_summary){.n_rows = l->n_rows, .n_nulls = l->n_rows};
    }
    for (size_t c = 0; c < l->n_summaries && c < n && !st; c++)
        st = hal_summary_add(&l->summaries[c], t, c, err);
    l->n_rows += hal_table_rows(t);
    return st;
}

/* --- Text ---------------------------------------------------------------------------------------
 */

static hal_status put(hal_buf *out, const char *text, hal_err *err)
{
    return hal_buf_append(out, text, strlen(text), err);
}

static hal_status put_count(hal_buf *out, uint64_t n, hal_err *err)
{
    char text[HAL_INT64_TEXT_MAX];
    return hal_buf_append(out, text, hal_number_print_int64(text, (int64_t)n), err);
}

static hal_status put_extreme(hal_buf *out, const hal_extreme *e, hal_type type, hal_err *err)
{
    char text[HAL_DOUBLE_TEXT_MAX];
    hal_field field = {.name = "t", .type = HAL_TYPE_TIMESTAMP};
    hal_builder *b;
    hal_table *t = NULL;
    hal_status st = HAL_OK;
    switch (e->kind) {
    case HAL_EXTREME_NONE:
        return HAL_OK;
    case HAL_EXTREME_BOOL:
        return put(out, e->i ? "true" : "false", err);
    case HAL_EXTREME_FLOAT:
        return hal_buf_append(out, text,
                              type == HAL_TYPE_FLOAT32 ? hal_number_print_float(text, (float)e->d)
                                                       : hal_number_print_double(text, e->d),
                              err);
    case HAL_EXTREME_TEXT:
        return hal_buf_append(out, e->text, e->size_bytes, err);
    case HAL_EXTREME_INT:
        break;
    }
    if (type != HAL_TYPE_TIMESTAMP)
        return hal_buf_append(out, text, hal_number_print_int64(text, e->i), err);
    b = hal_builder_new(&field, 1, err);
    if (!b)
        return err->status;
    st = hal_builder_int64(b, 0, e->i, err);
    if (!st)
        st = hal_builder_end_row(b, err);
    if (!st && (t = hal_builder_finish(b, err)))
        st = hal_table_cell_text(out, t, 0, 0, err);
    hal_builder_free(b);
    hal_table_unref(t);
    return st ? st : err->status;
}

/* --- For people: aligned columns
 * ------------------------------------------------------------------
 */

typedef struct grid {
    size_t n_columns, n_cells, capacity;
    hal_buf text;    /* of all cells */
    size_t *offsets; /* of each cell in it; n_cells + 1 */
} grid;

static void grid_clear(grid *g)
{
    hal_buf_clear(&g->text);
    hal_free(g->offsets);
}

/* Ends a cell whose text has been appended: at most `width` characters on one line. */
static hal_status grid_end_cell(grid *g, size_t width, hal_err *err)
{
    if (g->n_cells + 2 > g->capacity) {
        size_t capacity = g->capacity ? 2 * g->capacity : 256;
        size_t *grown = hal_realloc(g->offsets, capacity * sizeof *grown);
        if (!grown)
            return hal_err_nomem(err, capacity * sizeof *grown);
        if (!g->capacity)
            grown[0] = 0;
        g->offsets = grown;
        g->capacity = capacity;
    }
    size_t from = g->offsets[g->n_cells], n = 0, end = from;
    for (; end < g->text.size_bytes; end++) {
        unsigned char c = (unsigned char)g->text.data[end];
        bool begins = (c & 0xc0) != 0x80;
        if (begins && n == width)
            break;
        n += begins;
        if (c < ' ' || c == 0x7f)
            g->text.data[end] = '?';
        else if (c < 0xa0 && !begins && end > from && (unsigned char)g->text.data[end - 1] == 0xc2)
            g->text.data[end] = (char)0xbf; /* a C1 control */
    }
    if (end < g->text.size_bytes && width > 0) {
        g->text.size_bytes = end;
        if (g->text.size_bytes > from && width > 1) { /* room for the mark of a cut */
            size_t last = end - 1;
            while (last > from && ((unsigned char)g->text.data[last] & 0xc0) == 0x80)
                last--;
            g->text.size_bytes = last;
            hal_status st = put(&g->text, "~", err);
            if (st)
                return st;
        }
    }
    g->offsets[++g->n_cells] = g->text.size_bytes;
    return HAL_OK;
}

static hal_status grid_cell(grid *g, const char *text, size_t width, hal_err *err)
{
    hal_status st = put(&g->text, text, err);
    return st ? st : grid_end_cell(g, width, err);
}

static size_t n_characters(const grid *g, size_t cell)
{
    size_t n = 0;
    for (size_t i = g->offsets[cell]; i < g->offsets[cell + 1]; i++)
        n += ((unsigned char)g->text.data[i] & 0xc0) != 0x80;
    return n;
}

/* Columns that are empty below their heading are left out. */
static hal_status grid_print(const grid *g, hal_buf *out, hal_err *err)
{
    size_t n_rows = g->n_cells / g->n_columns;
    size_t *widths = hal_calloc(g->n_columns, sizeof *widths);
    hal_status st = widths ? HAL_OK : hal_err_nomem(err, g->n_columns * sizeof *widths);
    for (size_t c = 0; c < g->n_columns && !st; c++) {
        bool any = n_rows == 1;
        for (size_t r = 0; r < n_rows; r++) {
            size_t n = n_characters(g, r * g->n_columns + c);
            widths[c] = n > widths[c] ? n : widths[c];
            any = any || (r && n);
        }
        if (!any)
            widths[c] = 0;
    }
    for (size_t r = 0; r < n_rows && !st; r++) {
        size_t gap = 0;
        for (size_t c = 0; c < g->n_columns && !st; c++) {
            size_t cell = r * g->n_columns + c, n = n_characters(g, cell);
            if (!widths[c])
                continue;
            size_t size = g->offsets[cell + 1] - g->offsets[cell];
            for (; n && gap && !st; gap--)
                st = put(out, " ", err);
            if (!st)
                st = hal_buf_append(out, g->text.data + g->offsets[cell], size, err);
            gap += widths[c] - n + 2;
        }
        if (!st)
            st = put(out, "\n", err);
    }
    hal_free(widths);
    return st;
}

static hal_status type_text(const hal_field *f, char out[80])
{
    if (hal_field_is_scalar(f))
        snprintf(out, 80, "%s", hal_type_name(f->type));
    else if (f->shape && *f->shape)
        snprintf(out, 80, "%s[%.40s]", hal_type_name(f->type), f->shape);
    else if (f->width == HAL_WIDTH_VARIABLE)
        snprintf(out, 80, "%s[*]", hal_type_name(f->type));
    else
        snprintf(out, 80, "%s[%d]", hal_type_name(f->type), (int)f->width);
    return HAL_OK;
}

static hal_status schema_row(grid *g, const look *l, const hal_table *t, size_t c, hal_err *err)
{
    const hal_field *f = hal_table_field(t, c);
    char text[80];
    type_text(f, text);
    hal_status st = grid_cell(g, f->name, NOTE_WIDTH, err);
    if (!st)
        st = grid_cell(g, text, NOTE_WIDTH, err);
    if (!st)
        st = grid_cell(g, f->unit, HEAD_WIDTH, err);
    if (!st)
        st = grid_cell(g, f->ucd, HEAD_WIDTH, err);
    if (!l->stats)
        return st ? st : grid_cell(g, f->description, NOTE_WIDTH, err);
    hal_summary none = {0};
    const hal_summary *s = c < l->n_summaries ? &l->summaries[c] : &none;
    snprintf(text, sizeof text, "%llu", (unsigned long long)(s->n_rows - s->n_nulls));
    if (!st)
        st = grid_cell(g, text, HEAD_WIDTH, err);
    snprintf(text, sizeof text, "%llu", (unsigned long long)s->n_nulls);
    if (!st)
        st = grid_cell(g, text, HEAD_WIDTH, err);
    if (!st)
        st = put_extreme(&g->text, &s->min, f->type, err);
    if (!st)
        st = grid_end_cell(g, HEAD_WIDTH, err);
    if (!st)
        st = put_extreme(&g->text, &s->max, f->type, err);
    if (!st)
        st = grid_end_cell(g, HEAD_WIDTH, err);
    bool has_mean = s->n_summed && f->type != HAL_TYPE_TIMESTAMP;
    size_t n = has_mean ? hal_number_print_double(text, hal_summary_mean(s)) : 0;
    text[n] = '\0';
    return st ? st : grid_cell(g, text, HEAD_WIDTH, err);
}

static hal_status print_schema(hal_buf *out, const look *l, const hal_table *t, hal_err *err)
{
    static const char *const plain[] = {"column", "type", "unit", "ucd", "description"};
    static const char *const stats[] = {"column", "type", "unit", "ucd", "values",
                                        "nulls",  "min",  "max",  "mean"};
    const char *const *names = l->stats ? stats : plain;
    grid g = {.n_columns = l->stats ? 9 : 5};
    hal_buf_init(&g.text, SIZE_MAX / 4);
    hal_status st = HAL_OK;
    for (size_t i = 0; i < g.n_columns && !st; i++)
        st = grid_cell(&g, names[i], HEAD_WIDTH, err);
    for (size_t c = 0; c < hal_table_columns(t) && !st; c++)
        st = schema_row(&g, l, t, c, err);
    if (!st)
        st = grid_print(&g, out, err);
    grid_clear(&g);
    return st;
}

static hal_status print_head(hal_buf *out, const hal_table *head, hal_err *err)
{
    size_t n = hal_table_columns(head);
    grid g = {.n_columns = n};
    hal_buf_init(&g.text, SIZE_MAX / 4);
    hal_status st = HAL_OK;
    for (size_t c = 0; c < n && !st; c++)
        st = grid_cell(&g, hal_table_field(head, c)->name, HEAD_WIDTH, err);
    for (uint64_t r = 0; r < hal_table_rows(head) && !st; r++)
        for (size_t c = 0; c < n && !st; c++) {
            if (!hal_table_is_null(head, c, r))
                st = hal_table_cell_text(&g.text, head, c, r, err);
            if (!st)
                st = grid_end_cell(&g, HEAD_WIDTH, err);
        }
    if (!st && n)
        st = put(out, "\n", err);
    if (!st && n)
        st = grid_print(&g, out, err);
    grid_clear(&g);
    return st;
}

static hal_status print_text(hal_buf *out, const hal_show *show, const look *l, const hal_table *t,
                             const hal_table *head, hal_err *err)
{
    char line[200];
    bool standard = hal_file_is_standard(show->in);
    snprintf(line, sizeof line, ": %llu rows, %zu columns\n", (unsigned long long)l->n_rows,
             hal_table_columns(t));
    hal_status st = put(out, standard ? "standard input" : show->in, err);
    if (!st)
        st = put(out, line, err);
    if (!st && hal_table_columns(t))
        st = print_schema(out, l, t, err);
    if (!st && head)
        st = print_head(out, head, err);
    if (!st && head && l->n_rows > hal_table_rows(head))
        st = put(out, "...\n", err);
    return st;
}

/* --- For programs: JSON
 * ---------------------------------------------------------------------------
 */

static hal_status put_string(hal_buf *out, hal_slice text, hal_err *err)
{
    return hal_buf_quote(out, text.data, text.size_bytes, err);
}

static hal_status put_named(hal_buf *out, const char *name, const char *text, hal_err *err)
{
    if (!text || !*text)
        return HAL_OK;
    hal_status st = put(out, ",\"", err);
    if (!st)
        st = put(out, name, err);
    if (!st)
        st = put(out, "\":", err);
    return st ? st : put_string(out, hal_slice_of(text), err);
}

static hal_status put_named_extreme(hal_buf *out, const char *name, const hal_extreme *e,
                                    hal_type type, hal_err *err)
{
    bool quoted = e->kind == HAL_EXTREME_TEXT || type == HAL_TYPE_TIMESTAMP;
    if (e->kind == HAL_EXTREME_NONE)
        return HAL_OK;
    hal_buf text;
    hal_buf_init(&text, SIZE_MAX / 4);
    hal_status st = put_extreme(&text, e, type, err);
    if (e->kind == HAL_EXTREME_FLOAT && !isfinite(e->d))
        quoted = true;
    if (!st)
        st = put(out, ",\"", err);
    if (!st)
        st = put(out, name, err);
    if (!st)
        st = put(out, "\":", err);
    if (!st)
        st = quoted ? put_string(out, (hal_slice){text.data, text.size_bytes}, err)
                    : hal_buf_append(out, text.data, text.size_bytes, err);
    hal_buf_clear(&text);
    return st;
}

static hal_status json_column(hal_buf *out, const look *l, const hal_table *t, size_t c,
                              hal_err *err)
{
    const hal_field *f = hal_table_field(t, c);
    char type[80], mean[HAL_DOUBLE_TEXT_MAX];
    type_text(f, type);
    hal_status st = put(out, c ? ",\n  {\"name\":" : "\n  {\"name\":", err);
    if (!st)
        st = put_string(out, hal_slice_of(f->name), err);
    const char *const pairs[][2] = {{"type", type},
                                    {"unit", f->unit},
                                    {"ucd", f->ucd},
                                    {"utype", f->utype},
                                    {"xtype", f->xtype},
                                    {"id", f->id},
                                    {"description", f->description}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs && !st; i++)
        st = put_named(out, pairs[i][0], pairs[i][1], err);
    if (l->stats && c < l->n_summaries && !st) {
        const hal_summary *s = &l->summaries[c];
        st = put(out, ",\"values\":", err);
        if (!st)
            st = put_count(out, s->n_rows - s->n_nulls, err);
        if (!st)
            st = put(out, ",\"nulls\":", err);
        if (!st)
            st = put_count(out, s->n_nulls, err);
        if (!st)
            st = put_named_extreme(out, "min", &s->min, f->type, err);
        if (!st)
            st = put_named_extreme(out, "max", &s->max, f->type, err);
        if (!st && s->n_summed && isfinite(hal_summary_mean(s)) && f->type != HAL_TYPE_TIMESTAMP) {
            st = put(out, ",\"mean\":", err);
            if (!st)
                st = hal_buf_append(out, mean, hal_number_print_double(mean, hal_summary_mean(s)),
                                    err);
        }
    }
    return st ? st : put(out, "}", err);
}

/* An array as JSON: what is no JSON value among its items (NaN, infinities, times) is quoted. */
static hal_status put_array(hal_buf *out, hal_slice text, bool times, hal_err *err)
{
    hal_status st = HAL_OK;
    for (size_t i = 0; i < text.size_bytes && !st;) {
        hal_slice item = {text.data + i, 0};
        while (i < text.size_bytes && !strchr("[,]", text.data[i]))
            i++, item.size_bytes++;
        double number;
        bool plain = !item.size_bytes || hal_slice_equals(item, hal_slice_of("null")) ||
                     hal_slice_equals(item, hal_slice_of("true")) ||
                     hal_slice_equals(item, hal_slice_of("false")) ||
                     (!times && hal_number_read_double(item, &number) && isfinite(number));
        st = plain ? hal_buf_append(out, item.data, item.size_bytes, err)
                   : put_string(out, item, err);
        if (!st && i < text.size_bytes)
            st = hal_buf_append(out, text.data + i++, 1, err);
    }
    return st;
}

static hal_status json_cell(hal_buf *out, const hal_table *t, size_t c, uint64_t r, hal_err *err)
{
    const hal_field *f = hal_table_field(t, c);
    if (hal_table_is_null(t, c, r))
        return put(out, "null", err);
    if (f->type == HAL_TYPE_STRING)
        return put_string(out, hal_table_string(t, c, r), err);
    bool scalar = hal_field_is_scalar(f);
    bool quoted = scalar && (f->type == HAL_TYPE_TIMESTAMP ||
                             (hal_type_is_float(f->type) && !isfinite(hal_table_float64(t, c, r))));
    hal_buf text;
    hal_buf_init(&text, SIZE_MAX / 4);
    hal_status st = hal_table_cell_text(&text, t, c, r, err);
    if (!st && quoted)
        st = put_string(out, hal_buf_slice(&text), err);
    else if (!st)
        st = put_array(out, hal_buf_slice(&text), f->type == HAL_TYPE_TIMESTAMP, err);
    hal_buf_clear(&text);
    return st;
}

static hal_status print_json(hal_buf *out, const look *l, const hal_table *t, const hal_table *head,
                             hal_err *err)
{
    hal_status st = put(out, "{\"rows\":", err);
    if (!st)
        st = put_count(out, l->n_rows, err);
    if (!st)
        st = put(out, ",\n \"columns\":[", err);
    for (size_t c = 0; c < hal_table_columns(t) && !st; c++)
        st = json_column(out, l, t, c, err);
    if (!st)
        st = put(out, "],\n \"head\":[", err);
    for (uint64_t r = 0; head && r < hal_table_rows(head) && !st; r++) {
        st = put(out, r ? ",\n  {" : "\n  {", err);
        for (size_t c = 0; c < hal_table_columns(head) && !st; c++) {
            st = c ? put(out, ",", err) : HAL_OK;
            if (!st)
                st = put_string(out, hal_slice_of(hal_table_field(head, c)->name), err);
            if (!st)
                st = put(out, ":", err);
            if (!st)
                st = json_cell(out, head, c, r, err);
        }
        if (!st)
            st = put(out, "}", err);
    }
    return st ? st : put(out, "]}\n", err);
}

hal_status hal_show_file(hal_buf *text, const hal_show *show, const hal_file_watch *watch,
                         hal_err *err)
{
    if (!show->in || show->rows > ROWS_MAX)
        return hal_err_set(err, HAL_E_USAGE, "show takes a file and at most %d rows to print",
                           ROWS_MAX);
    look l = {.stats = show->stats,
              .rows_wanted = show->rows < 0 ? ROWS_DEFAULT : (uint64_t)show->rows};
    hal_file_input in = {.path = show->in, .table = show->table, .choice = "--table N"};
    hal_status st = hal_file_format_read(&in.from, show->from, err);
    hal_reader_options options = {.batch = take_batch, .batch_ctx = &l};
    hal_table *last = NULL, *head = NULL;
    if (!st)
        st = hal_file_read_with(&last, &in, &options, watch, err);
    if (!st && l.n_head && !(head = hal_table_concat(l.head, l.n_head, err)))
        st = err->status;
    if (!st)
        st = show->json ? print_json(text, &l, last, head, err)
                        : print_text(text, show, &l, last, head, err);
    hal_table_unref(last);
    hal_table_unref(head);
    look_clear(&l);
    return st;
}
