/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/csv.h"

#include "base/alloc.h"
#include "data/csv_reader.h"
#include "data/format.h"

enum {
    LINE_MAX_BYTES = 64 << 20,
    BLOCK_BYTES = 256 << 10,
    BLOCK_SLACK = 16, /* that can be read behind a block */
    HELP_AT = 20,     /* so many blocks in flight: this thread reads one too */
    BATCH_MIN = 256   /* rows of a block that are worth a batch of their own */
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

void hal_csv_free(hal_csv *c)
{
    if (!c)
        return;
    hal_team_free(c->team);
    for (size_t i = 0; i < HAL_CSV_JOBS_MAX; i++) {
        hal_csv_block_clear(&c->jobs[i].block);
        hal_free(c->jobs[i].block.bytes);
        hal_free(c->jobs[i].kinds);
    }
    hal_csv_drop_columns(c);
    hal_free(c->cells);
    hal_buf_clear(&c->line);
    hal_free(c);
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
    hal_csv_job *j = ctx;
    j->st = hal_csv_block_read(&j->block, j->n_columns, j->separator, j->kinds);
}

/* Whether the block, read with `kinds`, is a batch as it is. Not the first: the more rows that has,
 * the better it knows the types. */
static bool is_batch(const hal_csv *c, const hal_csv_job *j)
{
    const hal_csv_block *b = &j->block;
    bool is = c->n_given && !c->n_rows && b->n_rows >= BATCH_MIN;
    for (size_t i = 0; i < c->n_columns && is; i++)
        is = b->columns[i].kind == c->columns[i].kind || b->columns[i].kind == HAL_CSV_OPEN;
    return is;
}

/* The rows of a block that was read go to the columns; it is read again where the other rows want
 * text. */
static hal_status append_block(hal_csv *c, hal_csv_job *j, hal_err *err)
{
    hal_csv_block *b = &j->block;
    if (b->n_rows > c->asked.limits.rows_max - c->n_given - c->n_rows)
        return hal_csv_too_many_rows(c, err);
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
    hal_csv_job *j = &c->jobs[c->first_job];
    hal_team_wait(c->team, &j->job);
    c->first_job = (c->first_job + 1) % HAL_CSV_JOBS_MAX;
    c->n_jobs--;
    size_t at = 0, used;
    hal_status st = HAL_OK;
    if (hal_csv_between_rows(c) && !c->blank_line_no) {
        st = append_block(c, j, err);
        at = j->block.consumed;
    }
    if (!st && at < j->block.size_bytes)
        st =
            hal_csv_read_bytes(c, j->block.bytes + at, j->block.size_bytes - at, false, &used, err);
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
static hal_csv_job *filling(hal_csv *c, hal_err *err)
{
    hal_csv_job *j = &c->jobs[(c->first_job + c->n_jobs) % HAL_CSV_JOBS_MAX];
    if (!j->block.bytes) {
        j->block.bytes = hal_malloc(BLOCK_BYTES + BLOCK_SLACK);
        if (!j->block.bytes) {
            hal_err_nomem(err, BLOCK_BYTES);
            return NULL;
        }
    }
    return j;
}

static hal_status prepare(hal_csv *c, hal_csv_job *j, size_t size, hal_err *err)
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
    hal_csv_job *j = filling(c, err);
    if (!j)
        return HAL_E_NOMEM;
    size_t cut = c->filled, used;
    while (cut && j->block.bytes[cut - 1] != '\n')
        cut--;
    hal_status st = HAL_OK;
    if (!cut) { /* a row longer than a block */
        st = commit_all(c, err);
        if (!st)
            st = hal_csv_read_bytes(c, j->block.bytes, c->filled, false, &used, err);
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
    hal_csv_job *next = filling(c, err);
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
    hal_csv_job *j = &c->jobs[(c->first_job + c->n_jobs) % HAL_CSV_JOBS_MAX];
    size_t at = 0, used = 0, size = c->filled;
    hal_status st = HAL_OK;
    c->filled = 0;
    memset(j->block.bytes + size, 0, BLOCK_SLACK);
    if (hal_csv_between_rows(c) && !c->blank_line_no) {
        st = prepare(c, j, size, err);
        if (!st) {
            run_job(j);
            st = append_block(c, j, err);
        }
        at = j->block.consumed;
    }
    return st ? st : hal_csv_read_bytes(c, j->block.bytes + at, size - at, false, &used, err);
}

hal_status hal_csv_feed(hal_csv *c, const char *bytes, size_t n, hal_err *err)
{
    hal_status st = HAL_OK;
    while (n && !st) {
        size_t used;
        if (!c->n_jobs && !c->filled &&
            (!c->body || c->blank_line_no || !hal_csv_between_rows(c))) {
            st = hal_csv_read_bytes(c, bytes, n, true, &used, err);
        } else {
            hal_csv_job *j = filling(c, err);
            if (!j)
                return HAL_E_NOMEM;
            used = n < BLOCK_BYTES - c->filled ? n : BLOCK_BYTES - c->filled;
            memcpy(j->block.bytes + c->filled, bytes, used);
            c->filled += used;
            if (c->filled == BLOCK_BYTES)
                st = dispatch(c, err);
            /* A row goes on beyond the last block taken over: no block is to begin inside it. */
            if (!st && !c->n_jobs && !hal_csv_between_rows(c))
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
    if (c->state == HAL_CSV_CELL_START && c->n_cells == 0)
        return HAL_OK;
    if (c->state == HAL_CSV_QUOTED)
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
    return !c->header_seen && c->state != HAL_CSV_QUOTED && !c->asked.as_named &&
           !hal_csv_read_bytes(c, line_end, 1, false, &used, NULL) && c->header_seen &&
           hal_csv_said(c) != HAL_CSV_NO_WORDS;
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
    hal_csv_words said = hal_csv_said(c);
    hal_csv_take_words(c, &found);
    if (said >= HAL_CSV_WORDS_JSON)
        return hal_csv_refuse_words(said, found.message, err);
    if (said != HAL_CSV_NO_WORDS) {
        hal_csv_drop_columns(c);
        found.status = said == HAL_CSV_WORDS_ERROR       ? HAL_ANSWER_ERROR
                       : said == HAL_CSV_WORDS_NOT_FOUND ? HAL_ANSWER_NOT_FOUND
                                                         : HAL_ANSWER_COMPLETE;
    } else {
        memcpy(found.message, c->title, sizeof c->title);
    }
    if (found.status == HAL_ANSWER_COMPLETE)
        st = hal_csv_build(c, &built, err);
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
