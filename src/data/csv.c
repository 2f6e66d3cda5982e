/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/csv.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "data/format.h"
#include "data/json.h"
#include "data/vec.h"

enum { CELL_MAX = 1 << 20, LINE_MAX_BYTES = 64 << 20 };

typedef enum state { CELL_START, PLAIN, QUOTED, AFTER_QUOTE, AFTER_CR } state;

typedef struct cell {
    size_t end; /* in `line` */
    bool quoted;
} cell;

struct hal_csv {
    hal_reader_limits limits;
    state state;
    uint64_t line_no, first_line_no; /* of the input; of the row being read */
    uint64_t blank_line_no;          /* a blank line: only allowed at the end */
    hal_buf line;                    /* the cells' bytes of the row being read */
    cell *cells;
    size_t n_cells, cells_capacity;
    bool header_seen;
    size_t n_columns;
    char **names;
    hal_vec *vecs;
    uint64_t n_rows;
};

hal_csv *hal_csv_new(const hal_reader_limits *limits, hal_err *err)
{
    hal_csv *c = hal_calloc(1, sizeof *c);
    if (!c) {
        hal_err_nomem(err, sizeof *c);
        return NULL;
    }
    c->limits = *limits;
    c->line_no = c->first_line_no = 1;
    hal_buf_init(&c->line, LINE_MAX_BYTES);
    return c;
}

void hal_csv_free(hal_csv *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_columns; i++) {
        hal_free(c->names[i]);
        hal_vec_clear(&c->vecs[i]);
    }
    hal_free(c->names);
    hal_free(c->vecs);
    hal_free(c->cells);
    hal_buf_clear(&c->line);
    hal_free(c);
}

static hal_slice cell_at(const hal_csv *c, size_t i)
{
    size_t start = i ? c->cells[i - 1].end : 0;
    return (hal_slice){c->line.data ? c->line.data + start : "", c->cells[i].end - start};
}

static bool begins_with(const hal_csv *c, size_t i, const char *set)
{
    hal_slice text = cell_at(c, i);
    return !c->cells[i].quoted && text.size_bytes && text.data[0] &&
           strchr(set, text.data[0]) != NULL;
}

static hal_status take_header(hal_csv *c, hal_err *err)
{
    c->names = hal_calloc(c->n_cells, sizeof *c->names);
    c->vecs = hal_calloc(c->n_cells, sizeof *c->vecs);
    if (!c->names || !c->vecs)
        return hal_err_nomem(err, c->n_cells * sizeof *c->vecs);
    c->n_columns = c->n_cells;
    for (size_t i = 0; i < c->n_cells; i++) {
        hal_slice name = cell_at(c, i);
        if (memchr(name.data, '\0', name.size_bytes))
            return hal_err_set(err, HAL_E_INTEGRITY, "line %llu: a column name contains a NUL",
                               (unsigned long long)c->first_line_no);
        c->names[i] = hal_strndup(name.data, name.size_bytes);
        if (!c->names[i])
            return hal_err_nomem(err, name.size_bytes + 1);
        for (size_t k = 0; k < i; k++)
            if (!strcmp(c->names[k], c->names[i]))
                return hal_err_set(err, HAL_E_INTEGRITY,
                                   "line %llu: two columns are named \"%s\"; rename one",
                                   (unsigned long long)c->first_line_no, c->names[i]);
    }
    c->header_seen = true;
    return HAL_OK;
}

static hal_status take_row(hal_csv *c, hal_err *err)
{
    if (c->n_rows == c->limits.rows_max)
        return hal_err_set(err, HAL_E_BUDGET, "more than %llu rows",
                           (unsigned long long)c->limits.rows_max);
    for (size_t i = 0; i < c->n_cells; i++) {
        hal_slice text = cell_at(c, i);
        hal_status st;
        if (text.size_bytes || c->cells[i].quoted)
            st = hal_vec_add_string(&c->vecs[i], text, err);
        else
            st = hal_vec_pad(&c->vecs[i], c->n_rows + 1, err);
        if (st)
            return st;
    }
    c->n_rows++;
    return HAL_OK;
}

/* A line of types: every cell begins with `@`. */
static bool is_type_line(const hal_csv *c)
{
    for (size_t i = 0; i < c->n_cells; i++)
        if (!begins_with(c, i, "@"))
            return false;
    return c->n_rows == 0;
}

static hal_status end_line(hal_csv *c, hal_err *err)
{
    unsigned long long line_no = c->first_line_no;
    bool blank = c->n_cells == 1 && c->line.size_bytes == 0 && !c->cells[0].quoted;
    hal_status st = HAL_OK;
    if (c->line.size_bytes && hal_json_wrong_utf8(c->line.data, c->line.data + c->line.size_bytes))
        return hal_err_set(err, HAL_E_INTEGRITY, "line %llu: not valid UTF-8", line_no);
    if (c->blank_line_no && !blank)
        return hal_err_set(err, HAL_E_INTEGRITY, "line %llu is empty",
                           (unsigned long long)c->blank_line_no);
    if (!c->header_seen) {
        if (!blank && !begins_with(c, 0, "#@"))
            st = take_header(c, err);
    } else if (blank && c->n_columns > 1) {
        c->blank_line_no = line_no;
    } else if (c->n_cells == c->n_columns) {
        if (!is_type_line(c))
            st = take_row(c, err);
    } else if (c->n_cells != 1 || !begins_with(c, 0, "#@")) {
        st = hal_err_set(err, HAL_E_INTEGRITY, "line %llu has %zu cells, the header %zu", line_no,
                         c->n_cells, c->n_columns);
    }
    c->n_cells = 0;
    c->line.size_bytes = 0;
    c->first_line_no = c->line_no + 1;
    return st;
}

static hal_status end_cell(hal_csv *c, bool quoted, hal_err *err)
{
    size_t start = c->n_cells ? c->cells[c->n_cells - 1].end : 0;
    if (c->line.size_bytes - start > CELL_MAX)
        return hal_err_set(err, HAL_E_INTEGRITY, "line %llu: a cell longer than 1 MiB",
                           (unsigned long long)c->line_no);
    if (c->n_cells == c->limits.columns_max)
        return hal_err_set(err, HAL_E_BUDGET, "line %llu: more than %zu cells",
                           (unsigned long long)c->line_no, c->limits.columns_max);
    if (c->n_cells == c->cells_capacity) {
        size_t capacity = c->cells_capacity ? 2 * c->cells_capacity : 32;
        cell *grown = hal_realloc(c->cells, capacity * sizeof *grown);
        if (!grown)
            return hal_err_nomem(err, capacity * sizeof *grown);
        c->cells = grown;
        c->cells_capacity = capacity;
    }
    c->cells[c->n_cells++] = (cell){c->line.size_bytes, quoted};
    return HAL_OK;
}

/* How many bytes from `p` belong to the cell as they are. */
static size_t plain_run(const char *p, const char *end, bool quoted)
{
    const char *at = p;
    if (quoted)
        while (at < end && *at != '"' && *at != '\n')
            at++;
    else
        while (at < end && *at != ',' && *at != '\n' && *at != '\r' && *at != '"')
            at++;
    return (size_t)(at - p);
}

/* One byte that may mean something. */
static hal_status special(hal_csv *c, char b, hal_err *err)
{
    unsigned long long line_no = c->line_no;
    hal_status st = HAL_OK;
    if (c->state == QUOTED) {
        if (b == '"') {
            c->state = AFTER_QUOTE;
            return HAL_OK;
        }
        c->line_no += b == '\n';
        return hal_buf_append(&c->line, &b, 1, err);
    }
    if (c->state == AFTER_CR && b != '\n')
        return hal_err_set(err, HAL_E_INTEGRITY, "line %llu: a carriage return without line feed",
                           line_no);
    if (b == '"') {
        if (c->state == PLAIN)
            return hal_err_set(err, HAL_E_INTEGRITY,
                               "line %llu: a quote inside a cell that does not begin with one",
                               line_no);
        if (c->state == AFTER_QUOTE)
            st = hal_buf_append(&c->line, &b, 1, err);
        c->state = QUOTED;
        return st;
    }
    if (b != ',' && b != '\n' && b != '\r')
        return hal_err_set(err, HAL_E_INTEGRITY,
                           "line %llu: text after the quote that closes a cell", line_no);
    if (c->state != AFTER_CR)
        st = end_cell(c, c->state == AFTER_QUOTE, err);
    if (!st && b == '\n') {
        st = end_line(c, err);
        c->line_no++;
    }
    c->state = b == '\r' ? AFTER_CR : CELL_START;
    return st;
}

hal_status hal_csv_feed(hal_csv *c, const char *bytes, size_t n, hal_err *err)
{
    const char *end = bytes + n;
    hal_status st = HAL_OK;
    while (bytes < end && !st) {
        bool quoted = c->state == QUOTED;
        if (quoted || c->state == CELL_START || c->state == PLAIN) {
            size_t run = plain_run(bytes, end, quoted);
            if (run) {
                st = hal_buf_append(&c->line, bytes, run, err);
                bytes += run;
                c->state = quoted ? QUOTED : PLAIN;
                continue;
            }
        }
        st = special(c, *bytes++, err);
    }
    return st;
}

static hal_status settle(hal_vec *v, uint64_t n_rows, hal_err *err)
{
    static const hal_type order[] = {HAL_TYPE_BOOL, HAL_TYPE_INT64, HAL_TYPE_FLOAT64};
    hal_status st = hal_vec_pad(v, n_rows, err);
    if (st || !v->typed)
        return st ? st : hal_vec_set_type(v, HAL_TYPE_STRING, err);
    bool done = false;
    for (int i = 0; i < 3 && !done && !st; i++)
        st = hal_vec_convert(v, order[i], false, &done, err);
    return st;
}

/* Nothing may stand behind the last line end: even a closing quote could be half of two. */
static hal_status end_of_input(const hal_csv *c, hal_err *err)
{
    unsigned long long line_no = c->line_no;
    if (c->state == CELL_START && c->n_cells == 0)
        return HAL_OK;
    if (c->state == QUOTED)
        return hal_err_set(err, HAL_E_INTEGRITY,
                           "line %llu: the file ends inside a quoted cell of the row that began in "
                           "line %llu",
                           line_no, (unsigned long long)c->first_line_no);
    return hal_err_set(err, HAL_E_INTEGRITY,
                       "line %llu: the last line has no line end, so it may be cut; add one if it "
                       "is whole",
                       line_no);
}

hal_status hal_csv_finish(hal_csv *c, hal_answer *answer, hal_table **table, hal_err *err)
{
    hal_status st = end_of_input(c, err);
    if (st)
        return st;
    if (!c->header_seen)
        return hal_err_set(err, HAL_E_INTEGRITY, "no header line: not a single column is named");
    hal_field *fields = hal_calloc(c->n_columns, sizeof *fields);
    if (!fields)
        return hal_err_nomem(err, c->n_columns * sizeof *fields);
    for (size_t i = 0; i < c->n_columns && !st; i++) {
        fields[i].name = c->names[i];
        st = settle(&c->vecs[i], c->n_rows, err);
    }
    hal_table *built =
        st ? NULL : hal_table_from_vecs(fields, c->vecs, c->n_columns, c->n_rows, err);
    hal_free(fields);
    if (!built)
        return st ? st : HAL_E_NOMEM;
    *answer = (hal_answer){HAL_ANSWER_COMPLETE, "", -1, -1, -1, -1, -1, -1, -1};
    *table = built;
    return HAL_OK;
}

static void *open_class(const hal_reader_setup *setup, hal_err *err)
{
    return hal_csv_new(&setup->asked.limits, err);
}

static hal_status feed_class(void *self, const char *bytes, size_t n, hal_err *err)
{
    return hal_csv_feed(self, bytes, n, err);
}

static hal_status finish_class(void *self, hal_answer *answer, hal_table **table, hal_err *err)
{
    return hal_csv_finish(self, answer, table, err);
}

static void free_class(void *self)
{
    hal_csv_free(self);
}

const hal_reader_class hal_csv_reader = {open_class, feed_class, finish_class, free_class};
