/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/alloc.h"
#include "data/csv_reader.h"
#include "data/format.h"
#include "data/json.h"

#include <strings.h>

void hal_csv_drop_columns(hal_csv *c)
{
    for (size_t i = 0; i < c->n_columns; i++)
        hal_csv_column_clear(&c->columns[i]);
    hal_free(c->columns);
    hal_names_clear(&c->names);
    c->columns = NULL;
    c->n_columns = 0;
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

/* The first separator among those in use that splits a header of one cell. */
static char find_separator(const hal_csv *c)
{
    hal_slice text = cell_at(c, 0);
    static const char known[] = "\t|;";
    for (const char *s = known; *s && c->n_cells == 1 && !c->cells[0].quoted; s++)
        if (memchr(text.data, *s, text.size_bytes))
            return *s;
    return ',';
}

static hal_status end_cell(hal_csv *c, bool quoted, hal_err *err);

/* Splits the only cell of the header at the separator found. */
static hal_status split_header(hal_csv *c, hal_err *err)
{
    size_t size = c->line.size_bytes, from = 0, to = 0;
    hal_status st = HAL_OK;
    c->n_cells = 0;
    for (from = 0; from <= size && !st; from++) {
        if (from < size && c->line.data[from] != c->separator) {
            c->line.data[to++] = c->line.data[from];
            continue;
        }
        c->line.size_bytes = to;
        st = end_cell(c, false, err);
    }
    return st;
}

static hal_slice name_of(const void *list, size_t i)
{
    return hal_slice_of(((const hal_csv *)list)->columns[i].name);
}

static hal_status name_columns(hal_csv *c, hal_err *err)
{
    c->columns = hal_calloc(c->n_cells, sizeof *c->columns);
    if (!c->columns)
        return hal_err_nomem(err, c->n_cells * sizeof *c->columns);
    c->n_columns = c->n_cells;
    for (size_t i = 0; i < c->n_cells; i++) {
        hal_slice name = cell_at(c, i);
        if (memchr(name.data, '\0', name.size_bytes))
            return hal_err_set(err, HAL_E_INTEGRITY, "line %llu: a column name contains a NUL",
                               (unsigned long long)c->first_line_no);
        c->columns[i].name = hal_strndup(name.data, name.size_bytes);
        if (!c->columns[i].name)
            return hal_err_nomem(err, name.size_bytes + 1);
        if (hal_names_find(&c->names, name_of, c, name) != SIZE_MAX)
            return hal_err_set(err, HAL_E_INTEGRITY,
                               "line %llu: two columns are named \"%s\"; rename one",
                               (unsigned long long)c->first_line_no, c->columns[i].name);
        hal_status st = hal_names_add(&c->names, name_of, c, i, err);
        if (st)
            return st;
    }
    return HAL_OK;
}

/* The types that were asked for to begin with. */
static hal_status ask_types(hal_csv *c, hal_err *err)
{
    hal_status st = HAL_OK;
    for (size_t k = 0; k < c->asked.n_types && !st; k++) {
        hal_type type = c->asked.types[k].type;
        size_t i = hal_names_find(&c->names, name_of, c, hal_slice_of(c->asked.types[k].name));
        if (i != SIZE_MAX)
            st = hal_csv_column_widen(&c->columns[i],
                                      type == HAL_TYPE_BOOL      ? HAL_CSV_BOOL
                                      : type == HAL_TYPE_INT64   ? HAL_CSV_INT
                                      : type == HAL_TYPE_FLOAT64 ? HAL_CSV_FLOAT
                                                                 : HAL_CSV_STRING,
                                      err);
    }
    return st;
}

/* Numbers are no names: those of the columns stand in the line that was passed over. */
static hal_status expect_names(const hal_csv *c, hal_err *err)
{
    for (size_t i = 0; i < c->n_cells && c->n_cells == c->n_note_cells; i++)
        if (begins_with(c, i, "+-.0123456789") &&
            hal_csv_kind_of(cell_at(c, i), HAL_CSV_OPEN) != HAL_CSV_STRING)
            return hal_err_set(
                err, HAL_E_INTEGRITY,
                "line %llu has a number where the columns are named, and the comment "
                "before it as many cells: if these are the names, remove the mark",
                (unsigned long long)c->first_line_no);
    return HAL_OK;
}

static hal_status take_header(hal_csv *c, hal_err *err)
{
    hal_status st = HAL_OK;
    if (!c->texts) {
        c->separator = find_separator(c);
        if (c->separator != ',')
            st = split_header(c, err);
        if (!st)
            st = expect_names(c, err);
    }
    if (!st)
        st = name_columns(c, err);
    for (size_t i = 0; i < c->n_columns && c->texts && !st; i++)
        st = hal_csv_column_widen(&c->columns[i], HAL_CSV_STRING, err);
    if (!st)
        st = ask_types(c, err);
    c->header_seen = true;
    return st;
}

/* GSSS catalogs: the first line is a text, the second the header (MAST classic and VO services,
 * section 7). One name before rows of several cells would be damage otherwise. */
static hal_status take_second_header(hal_csv *c, hal_err *err)
{
    size_t n = strlen(c->columns[0].name), max = sizeof c->title - 1;
    memcpy(c->title, c->columns[0].name, n < max ? n : max);
    c->n_note_cells = c->n_cells;
    hal_csv_drop_columns(c);
    return take_header(c, err);
}

/* A first row of nothing but type words declares the columns. */
static bool is_type_row(const hal_csv *c)
{
    for (size_t i = 0; i < c->n_cells; i++)
        if (c->cells[i].quoted || !hal_csv_type_word(cell_at(c, i), NULL))
            return false;
    return c->n_cells > 1;
}

static hal_status take_type_row(hal_csv *c, hal_err *err)
{
    hal_status st = HAL_OK;
    for (size_t i = 0; i < c->n_cells && !st; i++) {
        hal_csv_kind kind = HAL_CSV_OPEN;
        hal_csv_type_word(cell_at(c, i), &kind);
        if (c->columns[i].kind == HAL_CSV_OPEN && kind != HAL_CSV_OPEN)
            st = hal_csv_column_widen(&c->columns[i], kind, err);
    }
    return st;
}

hal_status hal_csv_too_many_rows(const hal_csv *c, hal_err *err)
{
    return hal_err_set(err, HAL_E_BUDGET, "more than %llu rows",
                       (unsigned long long)c->asked.limits.rows_max);
}

static hal_status take_row(hal_csv *c, hal_err *err)
{
    if (c->n_given + c->n_rows == c->asked.limits.rows_max)
        return hal_csv_too_many_rows(c, err);
    for (size_t i = 0; i < c->n_cells; i++) {
        hal_slice text = cell_at(c, i);
        bool null = !text.size_bytes && !c->cells[i].quoted;
        hal_status st = hal_csv_column_add(&c->columns[i], null ? NULL : &text, err);
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
    return !c->body && !c->texts;
}

hal_csv_words hal_csv_said(const hal_csv *c)
{
    hal_csv_words said =
        c->body || c->texts ? HAL_CSV_NO_WORDS : hal_csv_words_of(c->columns, c->n_columns);
    return said >= HAL_CSV_WORDS_JSON && c->asked.as_named ? HAL_CSV_NO_WORDS : said;
}

/* The line of words as it stood. */
void hal_csv_take_words(const hal_csv *c, hal_answer *answer)
{
    size_t used = 0, max = sizeof answer->message - 1;
    for (size_t i = 0; i < c->n_columns; i++) {
        if (i && used < max)
            answer->message[used++] = c->separator;
        for (const char *p = c->columns[i].name; *p && used < max; p++)
            answer->message[used++] = *p;
    }
    answer->message[used] = '\0';
}

/* An answer of another kind. */
hal_status hal_csv_refuse_words(hal_csv_words said, const char *line, hal_err *err)
{
    return hal_err_set(err, HAL_E_PROTOCOL,
                       "the answer is %s, not a table; the service may be down or the address "
                       "wrong (a file that is CSV: read it as csv); it begins: %.120s",
                       said == HAL_CSV_WORDS_JSON ? "a JSON value" : "plain text", line);
}

/* Two lines of three words or more are a page of text, not a header and a row. */
static bool is_prose(const hal_csv *c)
{
    if (c->asked.as_named || c->texts || c->body || c->n_columns != 1 || c->cells[0].quoted)
        return false;
    hal_slice name = hal_slice_of(c->columns[0].name), row = cell_at(c, 0);
    return hal_csv_is_prose(&name, 1) && hal_csv_is_prose(&row, 1);
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
    if (c->texts && begins_with(c, 0, "#"))
        return hal_err_set(err, HAL_E_INTEGRITY,
                           "line %llu: a comment among the rows; quote a text that begins with #",
                           line_no);
    if (!c->header_seen) {
        if (!blank && (c->texts || !begins_with(c, 0, "#@")))
            st = take_header(c, err);
        else if (!blank)
            c->n_note_cells = c->n_cells > 1 ? c->n_cells : 0;
    } else if (blank && (c->n_columns > 1 || hal_csv_said(c) != HAL_CSV_NO_WORDS)) {
        c->blank_line_no = line_no;
    } else if (c->n_cells == c->n_columns) {
        if (!c->body && !c->texts && is_type_row(c))
            st = take_type_row(c, err);
        else if (!is_type_line(c))
            st = is_prose(c) ? hal_csv_refuse_words(HAL_CSV_WORDS_PROSE, c->columns[0].name, err)
                             : take_row(c, err);
        c->body = true;
    } else if (!c->body && !c->texts && c->n_columns == 1 && strchr(c->columns[0].name, ' ')) {
        st = take_second_header(c, err);
    } else if (c->texts || c->n_cells != 1 || !begins_with(c, 0, "#@")) {
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
    if (c->line.size_bytes - start > HAL_CSV_CELL_MAX)
        return hal_err_set(err, HAL_E_INTEGRITY, "line %llu: a cell longer than 1 MiB",
                           (unsigned long long)c->line_no);
    if (c->n_cells == c->asked.limits.columns_max)
        return hal_err_set(err, HAL_E_BUDGET, "line %llu: more than %zu cells",
                           (unsigned long long)c->line_no, c->asked.limits.columns_max);
    if (c->n_cells == c->cells_capacity) {
        size_t capacity = c->cells_capacity ? 2 * c->cells_capacity : 32;
        hal_csv_cell *grown = hal_realloc(c->cells, capacity * sizeof *grown);
        if (!grown)
            return hal_err_nomem(err, capacity * sizeof *grown);
        c->cells = grown;
        c->cells_capacity = capacity;
    }
    c->cells[c->n_cells++] = (hal_csv_cell){c->line.size_bytes, quoted};
    return HAL_OK;
}

/* How many bytes from `p` belong to the cell as they are. */
static size_t plain_run(const char *p, const char *end, bool quoted, char separator)
{
    const char *at = p;
    if (quoted)
        while (at < end && *at != '"' && *at != '\n')
            at++;
    else
        while (at < end && *at != separator && *at != '\n' && *at != '\r' && *at != '"')
            at++;
    return (size_t)(at - p);
}

/* One byte that may mean something. */
static hal_status special(hal_csv *c, char b, hal_err *err)
{
    unsigned long long line_no = c->line_no;
    hal_status st = HAL_OK;
    if (c->state == HAL_CSV_QUOTED) {
        if (b == '"') {
            c->state = HAL_CSV_AFTER_QUOTE;
            return HAL_OK;
        }
        c->line_no += b == '\n';
        return hal_buf_append(&c->line, &b, 1, err);
    }
    if (c->state == HAL_CSV_AFTER_CR && b != '\n')
        return hal_err_set(err, HAL_E_INTEGRITY, "line %llu: a carriage return without line feed",
                           line_no);
    if (b == '"') {
        if (c->state == HAL_CSV_PLAIN)
            return hal_err_set(err, HAL_E_INTEGRITY,
                               "line %llu: a quote inside a cell that does not begin with one",
                               line_no);
        if (c->state == HAL_CSV_AFTER_QUOTE)
            st = hal_buf_append(&c->line, &b, 1, err);
        c->state = HAL_CSV_QUOTED;
        return st;
    }
    if (b != c->separator && b != '\n' && b != '\r')
        return hal_err_set(err, HAL_E_INTEGRITY,
                           "line %llu: text after the quote that closes a cell", line_no);
    if (c->state != HAL_CSV_AFTER_CR)
        st = end_cell(c, c->state == HAL_CSV_AFTER_QUOTE, err);
    if (!st && b == '\n') {
        st = end_line(c, err);
        c->line_no++;
    }
    c->state = b == '\r' ? HAL_CSV_AFTER_CR : HAL_CSV_CELL_START;
    return st;
}

/* The rows so far as a table; the columns are empty afterwards. */
hal_status hal_csv_build(hal_csv *c, hal_table **table, hal_err *err)
{
    size_t n = c->n_columns ? c->n_columns : 1;
    hal_field *fields = hal_calloc(n, sizeof *fields);
    hal_vec *vecs = hal_calloc(n, sizeof *vecs);
    hal_status st = fields && vecs ? HAL_OK : hal_err_nomem(err, n * sizeof *vecs);
    for (size_t i = 0; i < c->n_columns && !st; i++) {
        st = hal_csv_column_settle(&c->columns[i], err);
        fields[i].name = c->columns[i].name;
        vecs[i] = c->columns[i].vec;
        c->columns[i].vec = (hal_vec){0};
    }
    if (!st) {
        *table = hal_table_from_vecs(fields, vecs, c->n_columns, c->n_rows, err);
        st = *table ? HAL_OK : HAL_E_NOMEM;
    }
    for (size_t i = 0; i < c->n_columns && vecs; i++)
        hal_vec_clear(&vecs[i]);
    hal_free(fields);
    hal_free(vecs);
    return st;
}

hal_status hal_csv_read_bytes(hal_csv *c, const char *bytes, size_t n, bool one_row, size_t *used,
                              hal_err *err)
{
    const char *p = bytes, *end = bytes + n;
    hal_status st = HAL_OK;
    while (p < end && !st) {
        bool quoted = c->state == HAL_CSV_QUOTED;
        if (quoted || c->state == HAL_CSV_CELL_START || c->state == HAL_CSV_PLAIN) {
            size_t run = plain_run(p, end, quoted, c->separator);
            if (run) {
                st = hal_buf_append(&c->line, p, run, err);
                p += run;
                c->state = quoted ? HAL_CSV_QUOTED : HAL_CSV_PLAIN;
                continue;
            }
        }
        st = special(c, *p++, err);
        if (one_row && hal_csv_between_rows(c) && p[-1] == '\n')
            break;
    }
    *used = (size_t)(p - bytes);
    return st;
}
