/* SPDX-License-Identifier: BSD-3-Clause */
/* The writer's block of columns: its memory, and a second one that is written while it fills. */
#include "data/fits_write.h"

#include "base/alloc.h"
#include "data/team.h"

typedef hal_fits_out_column column;
typedef hal_fits_out fits_writer;

void hal_fits_init_block(hal_fits_out_column *c)
{
    hal_buf_init(&c->nulls, HAL_FITS_BLOCK_ROWS);
    hal_buf_init(&c->counts, 4 * HAL_FITS_BLOCK_ROWS);
    hal_buf_init(&c->items, SIZE_MAX / 2);
    hal_buf_init(&c->item_nulls, SIZE_MAX / 2);
}

void hal_fits_empty_block(hal_fits_out *w)
{
    for (size_t i = 0; i < w->n_columns; i++) {
        column *c = &w->columns[i];
        c->nulls.size_bytes = c->counts.size_bytes = 0;
        c->items.size_bytes = c->item_nulls.size_bytes = 0;
    }
    w->n_block = 0;
}

void hal_fits_free_columns(hal_fits_out_column *columns, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        hal_buf_clear(&columns[i].nulls);
        hal_buf_clear(&columns[i].counts);
        hal_buf_clear(&columns[i].items);
        hal_buf_clear(&columns[i].item_nulls);
    }
    hal_free(columns);
}

/* A block that is written while the next one fills. */
typedef struct hal_fits_behind {
    hal_team *team;
    hal_team_job job;
    bool posted;
    fits_writer out; /* the block and its layout, as they were */
    hal_status st;
    hal_err err;
} behind;

/* Runs on any thread. */
static void write_behind(void *ctx)
{
    behind *b = ctx;
    uint64_t heap = 0;
    b->st = hal_fits_put_rows(&b->out, &heap, &b->err);
}

static behind *new_behind(const fits_writer *w, hal_err *err)
{
    behind *b = hal_calloc(1, sizeof *b);
    if (!b) {
        hal_err_nomem(err, sizeof *b);
        return NULL;
    }
    b->out = (fits_writer){.file = w->file, .n_columns = w->n_columns};
    b->out.columns = hal_calloc(w->n_columns, sizeof *b->out.columns);
    b->team = b->out.columns ? hal_team_new(err) : NULL;
    if (b->team) {
        for (size_t i = 0; i < w->n_columns; i++)
            hal_fits_init_block(&b->out.columns[i]);
        return b;
    }
    if (!b->out.columns)
        hal_err_nomem(err, w->n_columns * sizeof *b->out.columns);
    hal_fits_free_behind(b);
    return NULL;
}

void hal_fits_free_behind(struct hal_fits_behind *b)
{
    if (!b)
        return;
    hal_team_free(b->team);
    if (b->out.columns)
        hal_fits_free_columns(b->out.columns, b->out.n_columns);
    hal_free(b);
}

hal_status hal_fits_settle(hal_fits_out *w, hal_err *err)
{
    behind *b = w->behind;
    if (!b || !b->posted)
        return HAL_OK;
    hal_team_wait(b->team, &b->job);
    if (b->st && err)
        *err = b->err;
    return b->st;
}

/* `b` gets the block and how it is laid out, `w` the memory of the one before. */
static void hand_over(fits_writer *w, behind *b)
{
    b->out.n_block = w->n_block;
    b->out.row_bytes = w->row_bytes;
    for (size_t i = 0; i < w->n_columns; i++) {
        column *full = &w->columns[i], old = b->out.columns[i];
        b->out.columns[i] = *full;
        full->nulls = old.nulls;
        full->counts = old.counts;
        full->items = old.items;
        full->item_nulls = old.item_nulls;
    }
}

hal_status hal_fits_put_rows_behind(hal_fits_out *w, hal_err *err)
{
    if (!w->behind && !(w->behind = new_behind(w, err)))
        return HAL_E_NOMEM;
    hal_status st = hal_fits_settle(w, err);
    if (st)
        return st;
    behind *b = w->behind;
    hand_over(w, b);
    hal_fits_empty_block(w);
    b->err = (hal_err)HAL_ERR_INIT;
    b->job = (hal_team_job){.run = write_behind, .ctx = b};
    b->posted = true;
    hal_team_post(b->team, &b->job);
    return HAL_OK;
}
