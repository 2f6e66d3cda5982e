/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/csv.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "data/csv_column.h"
#include "data/csv_words.h"
#include "data/format.h"
#include "data/json.h"
#include "data/names.h"
#include "data/team.h"

#include <strings.h>

enum {
    LINE_MAX_BYTES = 64 << 20,
    BLOCK_BYTES = 256 << 10,
    BLOCK_SLACK = 16, /* that can be read behind a block */
    JOBS_MAX = 24,    /* blocks in flight */
    HELP_AT = 20,     /* so many of them: this thread reads one too */
    BATCH_MIN = 256   /* rows of a block that are worth a batch of their own */
};

typedef enum state { CELL_START, PLAIN, QUOTED, AFTER_QUOTE, AFTER_CR } state;

typedef struct cell {
    size_t end; /* in `line` */
    bool quoted;
} cell;

/* A block on its way through the team. */
typedef struct job {
    hal_team_job job;
    hal_csv_block block;
    hal_csv_kind *kinds;
    size_t n_columns;
    char separator;
    hal_status st;
} job;

struct hal_csv {
    hal_reader_options asked;
    state state;
    bool texts; /* hal_csv_new_texts */
    char separator;
    uint64_t line_no, first_line_no; /* of the input; of the row being read */
    uint64_t blank_line_no;          /* a blank line: only allowed at the end */
    hal_buf line;                    /* the cells' bytes of the row being read */
    cell *cells;
    size_t n_cells, cells_capacity;
    bool header_seen, body; /* the first row behind the header is read too */
    char title[200];        /* a line of text before the header */
    size_t n_note_cells;    /* of the line before the header, where it might be the header */
    size_t n_columns;
    hal_csv_column *columns;
    hal_names names;
    uint64_t n_rows, n_given; /* in the columns; handed over before */
    hal_team *team;
    job jobs[JOBS_MAX];
    size_t first_job, n_jobs;
    size_t filled; /* of the block that is being filled: jobs[(first_job + n_jobs) % JOBS_MAX] */
};

hal_csv *hal_csv_new(const hal_reader_options *asked, hal_err *err)
{
    hal_csv *c = hal_calloc(1, sizeof *c);
    if (!c) {
        hal_err_nomem(err, sizeof *c);
        return NULL;
    }
    c->asked = *asked;
    c->separator = ',';
    c->line_no = c->first_line_no = 1;
    hal_buf_init(&c->line, LINE_MAX_BYTES);
    return c;
}

hal_csv *hal_csv_new_texts(const hal_reader_options *asked, char separator, uint64_t line_no,
                           hal_err *err)
{
    hal_csv *c = hal_csv_new(asked, err);
    if (!c)
        return NULL;
    c->texts = true;
    c->separator = separator;
    c->line_no = c->first_line_no = line_no;
    return c;
}

static void drop_columns(hal_csv *c)
{
    for (size_t i = 0; i < c->n_columns; i++)
        hal_csv_column_clear(&c->columns[i]);
    hal_free(c->columns);
    hal_names_clear(&c->names);
    c->columns = NULL;
    c->n_columns = 0;
}

void hal_csv_free(hal_csv *c)
{
    if (!c)
        return;
    hal_team_free(c->team);
    for (size_t i = 0; i < JOBS_MAX; i++) {
        hal_csv_block_clear(&c->jobs[i].block);
        hal_free(c->jobs[i].block.bytes);
        hal_free(c->jobs[i].kinds);
    }
    drop_columns(c);
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
    drop_columns(c);
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

static hal_status too_many_rows(const hal_csv *c, hal_err *err)
{
    return hal_err_set(err, HAL_E_BUDGET, "more than %llu rows",
                       (unsigned long long)c->asked.limits.rows_max);
}

static hal_status take_row(hal_csv *c, hal_err *err)
{
    if (c->n_given + c->n_rows == c->asked.limits.rows_max)
        return too_many_rows(c, err);
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

static hal_csv_words words_of(const hal_csv *c)
{
    return c->body || c->texts ? HAL_CSV_NO_WORDS : hal_csv_words_of(c->columns, c->n_columns);
}

/* The line of words as it stood. */
static void take_words(const hal_csv *c, hal_answer *answer)
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
static hal_status refuse_words(hal_csv_words said, const char *line, hal_err *err)
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
    } else if (blank && (c->n_columns > 1 || words_of(c) != HAL_CSV_NO_WORDS)) {
        c->blank_line_no = line_no;
    } else if (c->n_cells == c->n_columns) {
        if (!c->body && !c->texts && is_type_row(c))
            st = take_type_row(c, err);
        else if (!is_type_line(c))
            st = is_prose(c) ? refuse_words(HAL_CSV_WORDS_PROSE, c->columns[0].name, err)
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
    if (b != c->separator && b != '\n' && b != '\r')
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

/* The rows so far as a table; the columns are empty afterwards. */
static hal_status build(hal_csv *c, hal_table **table, hal_err *err)
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

/* Whether the next byte begins a row. */
static bool between_rows(const hal_csv *c)
{
    return c->state == CELL_START && c->n_cells == 0;
}

/* Byte by byte; `one_row`: until a row ends. Returns the bytes used in `*used`. */
static hal_status read_bytes(hal_csv *c, const char *bytes, size_t n, bool one_row, size_t *used,
                             hal_err *err)
{
    const char *p = bytes, *end = bytes + n;
    hal_status st = HAL_OK;
    while (p < end && !st) {
        bool quoted = c->state == QUOTED;
        if (quoted || c->state == CELL_START || c->state == PLAIN) {
            size_t run = plain_run(p, end, quoted, c->separator);
            if (run) {
                st = hal_buf_append(&c->line, p, run, err);
                p += run;
                c->state = quoted ? QUOTED : PLAIN;
                continue;
            }
        }
        st = special(c, *p++, err);
        if (one_row && between_rows(c) && p[-1] == '\n')
            break;
    }
    *used = (size_t)(p - bytes);
    return st;
}

/* The rows of `b`, or else those so far, as a table over the memory where they are. */
static hal_table *lend(hal_csv *c, const hal_csv_block *b, hal_err *err)
{
    hal_field *fields = hal_calloc(c->n_columns, sizeof *fields);
    hal_column *columns = hal_calloc(c->n_columns, sizeof *columns);
    hal_status st = fields && columns ? HAL_OK : hal_err_nomem(err, c->n_columns * sizeof *columns);
    for (size_t i = 0; i < c->n_columns && !st; i++) {
        const hal_vec *v = &c->columns[i].vec;
        st = hal_csv_column_settle(&c->columns[i], err);
        fields[i] = (hal_field){.name = c->columns[i].name, .type = v->type, .width = 1};
        columns[i] = b ? hal_csv_block_values(&b->columns[i], v->type) : hal_vec_column(v);
    }
    uint64_t n = b ? b->n_rows : c->n_rows;
    hal_table *t = st ? NULL : hal_table_borrow(fields, columns, c->n_columns, n, err);
    hal_free(fields);
    hal_free(columns);
    return t;
}

/* Hands over the rows of `b`, when no others wait, or else those so far. */
static hal_status hand_over(hal_csv *c, const hal_csv_block *b, hal_err *err)
{
    hal_table *t = lend(c, b, err);
    if (!t)
        return HAL_E_NOMEM;
    uint64_t n_rows = hal_table_rows(t), most = c->asked.batch_rows;
    hal_status st = HAL_OK;
    for (uint64_t first = 0; first < n_rows && !st; first += most) {
        uint64_t n = n_rows - first < most ? n_rows - first : most;
        hal_table *part = n == n_rows ? hal_table_ref(t) : hal_table_slice(t, first, n, err);
        st = part ? c->asked.batch(c->asked.batch_ctx, part, err) : HAL_E_NOMEM;
        hal_table_unref(part);
    }
    hal_table_unref(t);
    c->n_given += n_rows;
    c->n_rows = 0;
    for (size_t i = 0; i < c->n_columns; i++)
        hal_csv_column_restart(&c->columns[i]);
    return st;
}

/* Hands the rows so far over when there are enough of them, or `all`. */
static hal_status give(hal_csv *c, bool all, hal_err *err)
{
    if (!c->asked.batch || !c->n_rows || (!all && c->n_rows < c->asked.batch_rows))
        return HAL_OK;
    return hand_over(c, NULL, err);
}

/* Runs on any thread. */
static void run_job(void *ctx)
{
    job *j = ctx;
    j->st = hal_csv_block_read(&j->block, j->n_columns, j->separator, j->kinds);
}

/* Whether the block, read with `kinds`, is a batch as it is. Not the first: the more rows that has,
 * the better it knows the types. */
static bool is_batch(const hal_csv *c, const job *j)
{
    const hal_csv_block *b = &j->block;
    bool is = c->n_given && !c->n_rows && b->n_rows >= BATCH_MIN;
    for (size_t i = 0; i < c->n_columns && is; i++)
        is = b->columns[i].kind == c->columns[i].kind || b->columns[i].kind == HAL_CSV_OPEN;
    return is;
}

/* The rows of a block that was read go to the columns; it is read again where the other rows want
 * text. */
static hal_status append_block(hal_csv *c, job *j, hal_err *err)
{
    hal_csv_block *b = &j->block;
    if (b->n_rows > c->asked.limits.rows_max - c->n_given - c->n_rows)
        return too_many_rows(c, err);
    bool again = true;
    while (again) {
        if (j->st)
            return hal_err_nomem(err, b->arena_size);
        again = false;
        for (size_t i = 0; i < c->n_columns; i++) {
            j->kinds[i] = hal_csv_column_unite(&c->columns[i], &b->columns[i]);
            again = again || (j->kinds[i] == HAL_CSV_STRING && b->columns[i].kind != HAL_CSV_OPEN &&
                              b->columns[i].kind != HAL_CSV_STRING);
        }
        if (again)
            run_job(j);
    }
    c->line_no += b->n_lines;
    c->first_line_no = c->line_no;
    if (is_batch(c, j)) {
        for (size_t i = 0; i < c->n_columns; i++)
            c->columns[i].wide = c->columns[i].wide || b->columns[i].wide;
        return hand_over(c, b, err);
    }
    hal_status st = HAL_OK;
    for (size_t i = 0; i < c->n_columns && !st; i++)
        st = hal_csv_column_append(&c->columns[i], j->kinds[i], b, i, err);
    c->n_rows += b->n_rows;
    return st ? st : give(c, false, err);
}

/* Takes the oldest block over. It was read as if it began with a row; where it does not, or behind
 * the row where the reading stopped, the bytes speak for themselves. */
static hal_status commit(hal_csv *c, hal_err *err)
{
    job *j = &c->jobs[c->first_job];
    hal_team_wait(c->team, &j->job);
    c->first_job = (c->first_job + 1) % JOBS_MAX;
    c->n_jobs--;
    size_t at = 0, used;
    hal_status st = HAL_OK;
    if (between_rows(c) && !c->blank_line_no) {
        st = append_block(c, j, err);
        at = j->block.consumed;
    }
    if (!st && at < j->block.size_bytes)
        st = read_bytes(c, j->block.bytes + at, j->block.size_bytes - at, false, &used, err);
    return st ? st : give(c, false, err);
}

static hal_status commit_all(hal_csv *c, hal_err *err)
{
    hal_status st = HAL_OK;
    while (c->n_jobs && !st)
        st = commit(c, err);
    return st;
}

/* The block being filled, with room. */
static job *filling(hal_csv *c, hal_err *err)
{
    job *j = &c->jobs[(c->first_job + c->n_jobs) % JOBS_MAX];
    if (!j->block.bytes) {
        j->block.bytes = hal_malloc(BLOCK_BYTES + BLOCK_SLACK);
        if (!j->block.bytes) {
            hal_err_nomem(err, BLOCK_BYTES);
            return NULL;
        }
    }
    return j;
}

static hal_status prepare(hal_csv *c, job *j, size_t size, hal_err *err)
{
    if (j->n_columns != c->n_columns) {
        hal_free(j->kinds);
        j->kinds = hal_malloc(c->n_columns * sizeof *j->kinds);
        j->n_columns = j->kinds ? c->n_columns : 0;
        if (!j->kinds)
            return hal_err_nomem(err, c->n_columns * sizeof *j->kinds);
    }
    for (size_t i = 0; i < c->n_columns; i++)
        j->kinds[i] = c->columns[i].kind;
    j->separator = c->separator;
    j->block.size_bytes = size;
    j->job = (hal_team_job){.run = run_job, .ctx = j};
    return HAL_OK;
}

/* The full block goes to the team up to its last line end; the rest begins the next. */
static hal_status dispatch(hal_csv *c, hal_err *err)
{
    job *j = filling(c, err);
    if (!j)
        return HAL_E_NOMEM;
    size_t cut = c->filled, used;
    while (cut && j->block.bytes[cut - 1] != '\n')
        cut--;
    hal_status st = HAL_OK;
    if (!cut) { /* a row longer than a block */
        st = commit_all(c, err);
        if (!st)
            st = read_bytes(c, j->block.bytes, c->filled, false, &used, err);
        c->filled = 0;
        return st;
    }
    if (!c->team) {
        c->team = hal_team_new(err);
        if (!c->team)
            return HAL_E_NOMEM;
    }
    st = prepare(c, j, cut, err);
    if (st)
        return st;
    size_t rest = c->filled - cut;
    c->n_jobs++;
    job *next = filling(c, err);
    if (!next) {
        c->n_jobs--;
        return HAL_E_NOMEM;
    }
    memcpy(next->block.bytes, j->block.bytes + cut, rest);
    memset(j->block.bytes + cut, 0, BLOCK_SLACK);
    c->filled = rest;
    hal_team_post(c->team, &j->job);
    if (c->n_jobs >= HELP_AT && !hal_team_help(c->team))
        st = commit(c, err);
    while (!st && c->n_jobs &&
           (c->n_jobs > HELP_AT || hal_team_is_done(c->team, &c->jobs[c->first_job].job)))
        st = commit(c, err);
    return st;
}

/* What the block being filled holds is read here and now. */
static hal_status read_rest(hal_csv *c, hal_err *err)
{
    if (!c->filled)
        return HAL_OK;
    job *j = &c->jobs[(c->first_job + c->n_jobs) % JOBS_MAX];
    size_t at = 0, used = 0, size = c->filled;
    hal_status st = HAL_OK;
    c->filled = 0;
    memset(j->block.bytes + size, 0, BLOCK_SLACK);
    if (between_rows(c) && !c->blank_line_no) {
        st = prepare(c, j, size, err);
        if (!st) {
            run_job(j);
            st = append_block(c, j, err);
        }
        at = j->block.consumed;
    }
    return st ? st : read_bytes(c, j->block.bytes + at, size - at, false, &used, err);
}

hal_status hal_csv_feed(hal_csv *c, const char *bytes, size_t n, hal_err *err)
{
    hal_status st = HAL_OK;
    while (n && !st) {
        size_t used;
        if (!c->n_jobs && !c->filled && (!c->body || c->blank_line_no || !between_rows(c))) {
            st = read_bytes(c, bytes, n, true, &used, err);
        } else {
            job *j = filling(c, err);
            if (!j)
                return HAL_E_NOMEM;
            used = n < BLOCK_BYTES - c->filled ? n : BLOCK_BYTES - c->filled;
            memcpy(j->block.bytes + c->filled, bytes, used);
            c->filled += used;
            if (c->filled == BLOCK_BYTES)
                st = dispatch(c, err);
            /* A row goes on beyond the last block taken over: no block is to begin inside it. */
            if (!st && !c->n_jobs && !between_rows(c))
                st = read_rest(c, err);
        }
        bytes += used;
        n -= used;
    }
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

/* Words often stand without a line end. True: the only line is words, and has one now. */
static bool ends_in_words(hal_csv *c)
{
    static const char line_end[BLOCK_SLACK + 1] = "\n";
    size_t used = 0;
    return !c->header_seen && c->state != QUOTED && !c->asked.as_named &&
           !read_bytes(c, line_end, 1, false, &used, NULL) && c->header_seen &&
           words_of(c) != HAL_CSV_NO_WORDS;
}

hal_status hal_csv_finish(hal_csv *c, hal_answer *answer, hal_table **table, hal_err *err)
{
    hal_status st = commit_all(c, err);
    if (!st)
        st = read_rest(c, err);
    hal_err open_end = HAL_ERR_INIT;
    if (!st && end_of_input(c, &open_end) && !ends_in_words(c)) {
        if (err)
            *err = open_end;
        return open_end.status;
    }
    if (!st && !c->header_seen)
        st = hal_err_set(err, HAL_E_INTEGRITY, "no header line: not a single column is named");
    if (!st)
        st = give(c, true, err);
    if (st)
        return st;
    hal_answer found = {HAL_ANSWER_COMPLETE, "", -1, -1, -1, -1, -1, -1, -1};
    hal_table *built = NULL;
    hal_csv_words said = words_of(c);
    take_words(c, &found);
    if (said >= HAL_CSV_WORDS_JSON && !c->asked.as_named)
        return refuse_words(said, found.message, err);
    if (said > HAL_CSV_NO_WORDS && said < HAL_CSV_WORDS_JSON) {
        drop_columns(c);
        found.status = said == HAL_CSV_WORDS_ERROR       ? HAL_ANSWER_ERROR
                       : said == HAL_CSV_WORDS_NOT_FOUND ? HAL_ANSWER_NOT_FOUND
                                                         : HAL_ANSWER_COMPLETE;
    } else {
        memcpy(found.message, c->title, sizeof c->title);
    }
    if (found.status == HAL_ANSWER_COMPLETE)
        st = build(c, &built, err);
    if (st)
        return st;
    *answer = found;
    *table = built;
    return HAL_OK;
}

static void *open_class(const hal_reader_setup *setup, hal_err *err)
{
    return hal_csv_new(&setup->asked, err);
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

const hal_reader_class hal_csv_reader = {open_class, feed_class, finish_class, free_class, false};
