/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/mashup.h"

#include "base/alloc.h"
#include "data/team.h"
#include "data/vec_join.h"

enum {
    BLOCK_BYTES = 512 << 10,
    BLOCKS_MAX = 6,
    HELP_AT = 4, /* so many of them: this thread reads one too */
    CUT_WITHIN = 64 << 10,
    BLOCKS_FROM_ROWS = 256
};

/* Whole rows on their way through the team, read as if they followed a row. */
typedef struct block {
    hal_team_job job;
    char *bytes;
    size_t size;
    hal_mashup *rows; /* reads nothing but rows */
    bool good;        /* they were whole rows and nothing else */
} block;

struct hal_mashup_blocks {
    hal_team *team;
    bool filling; /* bytes are gathered in blocks */
    block at[BLOCKS_MAX];
    size_t first, n; /* blocks in flight */
    size_t filled;   /* of the block behind them */
};

void hal_mashup_blocks_free(hal_mashup_blocks *b)
{
    if (!b)
        return;
    hal_team_free(b->team);
    for (size_t i = 0; i < BLOCKS_MAX; i++) {
        hal_free(b->at[i].bytes);
        hal_mashup_free(b->at[i].rows);
    }
    hal_free(b);
}

/* Block i behind the first in flight. */
static block *block_at(hal_mashup_blocks *b, size_t i)
{
    return &b->at[(b->first + i) % BLOCKS_MAX];
}

/* The last `{` behind `}` and a comma; NULL: none. It may stand inside a text. */
static const char *find_cut(const char *begin, const char *end)
{
    const char *last = end - begin > CUT_WITHIN ? end - CUT_WITHIN : begin;
    for (const char *p = end; p-- > last;) {
        if (*p != '{')
            continue;
        const char *q = p;
        bool comma = false;
        while (q > last && ((unsigned char)q[-1] <= ' ' || (q[-1] == ',' && !comma)))
            comma = *--q == ',' || comma;
        if (comma && q > last && q[-1] == '}')
            return p;
    }
    return NULL;
}

static bool between_rows(const hal_mashup *m)
{
    return !m->over && !m->by_place && m->json.depth && hal_mashup_place_now(m) == HAL_PLACE_ROWS &&
           hal_json_between_elements(&m->json);
}

/* Runs on any thread. */
static void read_block(void *ctx)
{
    block *b = ctx;
    int depth = b->rows->json.depth;
    b->good = !hal_mashup_read(b->rows, b->bytes, b->size, NULL) && between_rows(b->rows) &&
              b->rows->json.depth == depth;
}

/* Makes b->rows read on where `m` is. */
static hal_status prepare(const hal_mashup *m, block *b, hal_err *err)
{
    if (!b->rows) {
        b->rows = hal_mashup_new(&(hal_reader_setup){.asked.limits = m->asked.limits}, err);
        if (!b->rows)
            return HAL_E_NOMEM;
    }
    hal_mashup *r = b->rows;
    r->mashup_only = m->mashup_only;
    r->rows_only = m->rows_only;
    r->status_known = m->status_known;
    r->data_seen = r->ahead = true;
    r->n_rows = 0;
    memcpy(r->places, m->places, sizeof r->places);
    hal_json_begin_like(&r->json, &m->json);
    return HAL_OK;
}

/* The rows of a good block go to the columns. */
static hal_status join_block(hal_mashup *m, block *b, hal_err *err)
{
    hal_mashup *r = b->rows;
    if (r->n_rows > m->asked.limits.rows_max - hal_mashup_rows(m))
        return hal_mashup_rows_too_many(m, err);
    bool full = m->asked.batch && m->n_rows + r->n_rows > m->asked.batch_rows;
    hal_status st = full ? hal_mashup_table_give(m, true, err) : HAL_OK;
    for (size_t i = 0; i < r->met.n && !st; i++) {
        hal_vec *from = &r->met.at[i].vec;
        hal_slice name = hal_mashup_column_name(&r->met.at[i]);
        hal_mashup_column *c = hal_mashup_columns_find(&m->met, name);
        if (!c) {
            st = hal_mashup_columns_add(&m->met, name, m->asked.limits.columns_max, err);
            if (st)
                return st;
            c = &m->met.at[m->met.n - 1];
        }
        if (!from->n_rows)
            continue;
        st = hal_vec_pad(&c->vec, m->n_rows, err);
        if (!st)
            st = hal_vec_extend(&c->vec, from, err);
        if (!st && c->vec.typed && from->typed && c->vec.type == from->type)
            from->n_rows = from->n_nulls = 0; /* the memory serves the next block */
        else
            hal_vec_clear(from);
    }
    m->n_rows += r->n_rows;
    hal_json_skip(&m->json, b->size);
    if (!st)
        st = hal_mashup_rows_check_missing(m, err);
    return st ? st : hal_mashup_table_give(m, false, err);
}

/* Takes the oldest block over; where it is not what it was taken for, its bytes are read here. */
static hal_status commit(hal_mashup *m, hal_err *err)
{
    block *b = block_at(m->blocks, 0);
    hal_team_wait(m->blocks->team, &b->job);
    m->blocks->first = (m->blocks->first + 1) % BLOCKS_MAX;
    m->blocks->n--;
    if (b->good && between_rows(m))
        return join_block(m, b, err);
    hal_mashup_free(b->rows);
    b->rows = NULL;
    return hal_mashup_read(m, b->bytes, b->size, err);
}

hal_status hal_mashup_blocks_leave(hal_mashup *m, hal_err *err)
{
    hal_mashup_blocks *b = m->blocks;
    hal_status st = HAL_OK;
    if (!b || !b->filling)
        return HAL_OK;
    b->filling = false;
    while (b->n && !st)
        st = commit(m, err);
    size_t filled = b->filled;
    b->filled = 0;
    if (!st && filled)
        st = hal_mashup_read(m, block_at(b, 0)->bytes, filled, err);
    return st;
}

static hal_status block_memory(block *b, hal_err *err)
{
    if (!b->bytes)
        b->bytes = hal_malloc(BLOCK_BYTES + HAL_MASHUP_SLACK);
    return b->bytes ? HAL_OK : hal_err_nomem(err, BLOCK_BYTES);
}

static hal_status dispatch(hal_mashup *m, hal_err *err)
{
    hal_mashup_blocks *blocks = m->blocks;
    block *b = block_at(blocks, blocks->n), *next = block_at(blocks, blocks->n + 1);
    const char *cut = find_cut(b->bytes, b->bytes + blocks->filled);
    if (!cut || cut == b->bytes)
        return hal_mashup_blocks_leave(m, err);
    hal_status st = prepare(m, b, err);
    if (!st)
        st = block_memory(next, err);
    if (st)
        return st;
    b->size = (size_t)(cut - b->bytes);
    blocks->filled -= b->size;
    memcpy(next->bytes, cut, blocks->filled);
    memset(b->bytes + b->size, 0, HAL_MASHUP_SLACK);
    b->job = (hal_team_job){.run = read_block, .ctx = b};
    blocks->n++;
    hal_team_post(blocks->team, &b->job);
    if (blocks->n >= HELP_AT && !hal_team_help(blocks->team))
        st = commit(m, err);
    while (!st && blocks->n &&
           (blocks->n > HELP_AT || hal_team_is_done(blocks->team, &block_at(blocks, 0)->job)))
        st = commit(m, err);
    return st;
}

/* Reads up to a place between two rows, if the piece has one, and goes over to blocks. */
static hal_status enter(hal_mashup *m, const char *bytes, size_t n, size_t *used, hal_err *err)
{
    const char *cut = find_cut(bytes, bytes + n);
    *used = cut ? (size_t)(cut - bytes) : n;
    hal_status st = hal_mashup_read(m, bytes, *used, err);
    if (st || !cut || !between_rows(m))
        return st;
    if (!m->blocks) {
        hal_team *team = hal_team_new(err);
        if (!team)
            return HAL_E_NOMEM;
        m->blocks = hal_calloc(1, sizeof *m->blocks);
        if (!m->blocks) {
            hal_team_free(team);
            return hal_err_nomem(err, sizeof *m->blocks);
        }
        m->blocks->team = team;
    }
    m->blocks->filling = true;
    return block_memory(block_at(m->blocks, 0), err);
}

hal_status hal_mashup_blocks_feed(hal_mashup *m, const char *bytes, size_t n, hal_err *err)
{
    hal_status st = HAL_OK;
    while (n && !st && !m->over) {
        size_t used = n;
        hal_mashup_blocks *b = m->blocks;
        if (b && b->filling) {
            used = n < BLOCK_BYTES - b->filled ? n : BLOCK_BYTES - b->filled;
            memcpy(block_at(b, b->n)->bytes + b->filled, bytes, used);
            b->filled += used;
            if (b->filled == BLOCK_BYTES)
                st = dispatch(m, err);
        } else if (hal_mashup_rows(m) < BLOCKS_FROM_ROWS || m->by_place || m->json.depth == 0 ||
                   (hal_mashup_place_now(m) != HAL_PLACE_ROW &&
                    hal_mashup_place_now(m) != HAL_PLACE_ROWS)) {
            st = hal_mashup_read(m, bytes, n, err);
        } else {
            st = enter(m, bytes, n, &used, err);
        }
        bytes += used;
        n -= used;
    }
    return st;
}
