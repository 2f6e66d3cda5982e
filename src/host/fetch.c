/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/fetch.h"

#include "base/alloc.h"
#include "data/answer_words.h"

#include <stdio.h>

enum {
    BLOCK_BYTES = 256 << 10, /* body bytes handed to the worker at once */
    QUEUE_BYTES = 4 << 20,   /* handed over and not read yet: above it the transfer pauses */
    DAMAGED_RETRIES = 2,
    FOREIGN_RETRIES = 2,   /* a page of another kind may be a passing notice (fault matrix N26) */
    EMPTY_RETRIES = 1,     /* N27 */
    FIRST_BYTE_MS = 600000 /* a synchronous query runs before it answers */
};

/* All fields belong to the loop thread, except those of the worker: they are touched by jobs of the
 * strand, and by the loop thread only while no job is pending. */
struct hal_fetch {
    hal_loop *loop;
    hal_pool *pool;
    hal_strand *strand;
    hal_exchange *exchange; /* NULL once it is done */
    hal_fetch_request request;
    char *which_table; /* request.table */
    hal_fetch_done done;
    void *ctx;
    struct block *filling;
    size_t n_jobs, queued_bytes;
    bool paused;
    unsigned i_answer; /* counts answers: what jobs of an earlier one say is ignored */
    bool broken;       /* this answer cannot be read: `why` */
    hal_err why;
    int n_damaged, n_foreign, n_polls;
    uint64_t answer_bytes;
    bool cut; /* the last answer read was empty or ended early */
    /* of the worker */
    hal_reader *reader;
    hal_answer answer;
    hal_table *table;
    hal_buf body;
    bool body_too_large;
};

typedef enum job_kind { JOB_BEGIN, JOB_FEED, JOB_FINISH } job_kind;

typedef struct block {
    hal_fetch *f;
    job_kind kind;
    unsigned i_answer;
    hal_err err; /* of the job */
    size_t size_bytes;
    char bytes[];
} block;

static void fetch_free(hal_fetch *f)
{
    hal_reader_free(f->reader);
    hal_table_unref(f->table);
    hal_buf_clear(&f->body);
    hal_free(f->filling);
    hal_strand_free(f->strand);
    hal_free(f->which_table);
    hal_free(f);
}

static block *block_new(hal_fetch *f, job_kind kind, hal_err *err)
{
    size_t size = sizeof(block) + (kind == JOB_FEED ? BLOCK_BYTES : 0);
    block *b = hal_malloc(size);
    if (!b) {
        hal_err_nomem(err, size);
        return NULL;
    }
    b->f = f;
    b->kind = kind;
    b->i_answer = f->i_answer;
    b->err = HAL_ERR_INIT;
    b->size_bytes = 0;
    return b;
}

static hal_status keep(hal_fetch *f, const block *b, hal_err *err)
{
    size_t max = f->request.body_max_bytes;
    f->body_too_large = f->body_too_large || b->size_bytes > max - f->body.size_bytes;
    if (!f->body_too_large)
        return hal_buf_append(&f->body, b->bytes, b->size_bytes, err);
    hal_buf_clear(&f->body);
    return HAL_OK;
}

/* Worker. */
static void run(void *ctx)
{
    block *b = ctx;
    hal_fetch *f = b->f;
    switch (b->kind) {
    case JOB_BEGIN:
        hal_reader_free(f->reader);
        hal_table_unref(f->table);
        f->table = NULL;
        hal_buf_clear(&f->body);
        f->body_too_large = false;
        f->reader = hal_reader_new_with(
            f->request.format,
            &(hal_reader_options){.limits = f->request.limits, .table = f->which_table}, &b->err);
        break;
    case JOB_FEED:
        if (f->reader && hal_reader_feed(f->reader, b->bytes, b->size_bytes, &b->err)) {
            hal_reader_free(f->reader);
            f->reader = NULL;
        }
        if (f->request.body_max_bytes && !b->err.status)
            b->err.status = keep(f, b, &b->err);
        break;
    case JOB_FINISH:
        if (f->reader)
            b->err.status = hal_reader_finish(f->reader, &f->answer, &f->table, &b->err);
        if (!b->err.status && f->table && !f->request.keep_overflow)
            b->err.status = hal_table_require_whole(f->table, &b->err);
        hal_reader_free(f->reader);
        f->reader = NULL;
        break;
    }
}

/* A damaged answer may be whole the next time; a page of another kind may be a passing maintenance
 * notice. */
static bool worth_asking_again(const hal_fetch *f)
{
    return (f->why.status == HAL_E_INTEGRITY && f->n_damaged < DAMAGED_RETRIES) ||
           (f->why.status == HAL_E_PROTOCOL &&
            f->n_foreign < (f->answer_bytes ? FOREIGN_RETRIES : EMPTY_RETRIES));
}

static void judge_broken(hal_fetch *f)
{
    if (!f->answer_bytes && f->why.status == HAL_E_INTEGRITY)
        hal_err_set(&f->why, HAL_E_PROTOCOL, "the answer is empty; try again later");
    hal_err why = f->why;
    why.retryable = worth_asking_again(f);
    f->n_damaged += why.status == HAL_E_INTEGRITY;
    f->n_foreign += why.status == HAL_E_PROTOCOL;
    hal_exchange_judged(f->exchange, HAL_JUDGED_FAILED, &why);
}

static void judge(hal_fetch *f)
{
    if (f->broken) {
        judge_broken(f);
    } else if (f->answer.status >= HAL_ANSWER_ERROR) {
        bool unknown = f->answer.status == HAL_ANSWER_NOT_FOUND;
        hal_err why = HAL_ERR_INIT;
        hal_err_set(&why, unknown ? HAL_E_NOT_FOUND : HAL_E_ARCHIVE, "the archive answered: %s",
                    f->answer.message[0] ? f->answer.message : "ERROR without a message");
        hal_exchange_judged(f->exchange, HAL_JUDGED_FAILED, &why);
    } else if (f->answer.status == HAL_ANSWER_EXECUTING && f->request.poll) {
        f->n_polls++;
        if (f->request.working)
            f->request.working(f->request.working_ctx, f->answer.fraction_done, f->n_polls);
        hal_exchange_judged(f->exchange, HAL_JUDGED_AGAIN, NULL);
    } else {
        hal_exchange_judged(f->exchange, HAL_JUDGED_FINAL, NULL);
    }
}

/* Loop thread. */
static void job_done(void *ctx)
{
    block *b = ctx;
    hal_fetch *f = b->f;
    f->n_jobs--;
    f->queued_bytes -= b->size_bytes;
    if (b->err.status && !f->broken && b->i_answer == f->i_answer) {
        f->broken = true;
        f->why = b->err;
        f->cut = b->kind == JOB_FINISH && b->err.status == HAL_E_INTEGRITY;
    }
    bool finished = b->kind == JOB_FINISH;
    hal_free(b);
    if (!f->exchange) {
        if (f->n_jobs == 0)
            fetch_free(f);
        return;
    }
    if (finished) {
        judge(f);
    } else if (f->paused && f->queued_bytes <= QUEUE_BYTES / 2) {
        f->paused = false;
        hal_exchange_resume(f->exchange);
    }
}

/* Consumes `b`. */
static hal_status post(hal_fetch *f, block *b, hal_err *err)
{
    hal_status st = hal_pool_post(f->pool, f->strand, run, job_done, b, err);
    if (st) {
        hal_free(b);
        return st;
    }
    f->n_jobs++;
    f->queued_bytes += b->size_bytes;
    return HAL_OK;
}

static hal_status post_last(hal_fetch *f, hal_err *err)
{
    block *b = f->filling;
    f->filling = NULL;
    if (!b)
        return HAL_OK;
    hal_exchange_hide(f->exchange, b->bytes, b->size_bytes);
    return post(f, b, err);
}

/* What may be the beginning of a secret waits for the next block. */
static hal_status post_full(hal_fetch *f, hal_err *err)
{
    block *b = f->filling, *next = NULL;
    size_t kept = hal_exchange_hide(f->exchange, b->bytes, b->size_bytes);
    if (kept && !(next = block_new(f, JOB_FEED, err)))
        return HAL_E_NOMEM;
    if (kept) {
        b->size_bytes -= kept;
        memcpy(next->bytes, b->bytes + b->size_bytes, kept);
        next->size_bytes = kept;
    }
    f->filling = next;
    return post(f, b, err);
}

static hal_status sink_begin(void *ctx, int http_status, hal_err *err)
{
    (void)http_status;
    hal_fetch *f = ctx;
    hal_free(f->filling);
    f->filling = NULL;
    f->broken = f->paused = f->cut = false;
    f->answer_bytes = 0;
    f->i_answer++;
    block *b = block_new(f, JOB_BEGIN, err);
    return b ? post(f, b, err) : HAL_E_NOMEM;
}

static hal_status sink_write(void *ctx, const char *bytes, size_t n, hal_err *err)
{
    hal_fetch *f = ctx;
    if (f->broken) {
        if (worth_asking_again(f))
            return HAL_OK; /* let the answer end; it is judged then */
        *err = f->why;
        return f->why.status;
    }
    if (f->queued_bytes >= QUEUE_BYTES) {
        f->paused = true;
        return hal_err_set(err, HAL_E_BUSY, "the reader is behind");
    }
    f->answer_bytes += n;
    while (n) {
        if (!f->filling && !(f->filling = block_new(f, JOB_FEED, err)))
            return HAL_E_NOMEM;
        size_t room = BLOCK_BYTES - f->filling->size_bytes, part = n < room ? n : room;
        memcpy(f->filling->bytes + f->filling->size_bytes, bytes, part);
        f->filling->size_bytes += part;
        bytes += part;
        n -= part;
        if (part == room) {
            hal_status st = post_full(f, err);
            if (st)
                return st;
        }
    }
    return HAL_OK;
}

static void sink_end(void *ctx)
{
    hal_fetch *f = ctx;
    hal_err err = HAL_ERR_INIT;
    hal_status st = post_last(f, &err);
    if (!st) {
        block *b = block_new(f, JOB_FINISH, &err);
        st = b ? post(f, b, &err) : HAL_E_NOMEM;
    }
    if (st)
        hal_exchange_judged(f->exchange, HAL_JUDGED_FAILED, &err);
}

static void exchange_done(void *ctx, const hal_outcome *outcome)
{
    hal_fetch *f = ctx;
    f->exchange = NULL;
    hal_fetch_result result = {.err = outcome->err, .http = outcome};
    if (!outcome->err.status) {
        result.answer = f->answer;
        result.table = f->table;
        f->table = NULL;
        result.body = f->body;
        f->body = (hal_buf){0};
    } else {
        bool empty = f->broken && f->answer_bytes == 0;
        result.reset = outcome->reset_before_end || f->cut || empty;
    }
    f->done(f->ctx, &result);
    hal_table_unref(result.table);
    hal_buf_clear(&result.body);
    if (f->n_jobs == 0)
        fetch_free(f);
}

hal_fetch *hal_fetch_start(hal_loop *loop, const hal_fetch_request *request, hal_fetch_done done,
                           void *ctx, hal_err *err)
{
    hal_fetch *f = hal_calloc(1, sizeof *f);
    if (!f) {
        hal_err_nomem(err, sizeof *f);
        return NULL;
    }
    f->loop = loop;
    f->request = *request;
    hal_buf_init(&f->body, request->body_max_bytes);
    f->request.http.repeatable = true;
    f->request.http.error_bodies = false;
    f->request.http.coded = true;
    if (!request->http.first_byte_ms)
        f->request.http.first_byte_ms = FIRST_BYTE_MS;
    f->request.http.words = hal_answer_words;
    f->done = done;
    f->ctx = ctx;
    hal_sink sink = {.begin = sink_begin, .write = sink_write, .end = sink_end, .ctx = f};
    if (request->table && !(f->which_table = hal_strdup(request->table)))
        hal_err_nomem(err, strlen(request->table));
    else if ((f->pool = hal_loop_pool(loop, err)) && (f->strand = hal_strand_new(f->pool, err)))
        f->exchange = hal_exchange_start(loop, &f->request.http, &sink, exchange_done, f, err);
    if (!f->exchange) {
        fetch_free(f);
        return NULL;
    }
    memset(&f->request.http, 0, sizeof f->request.http); /* borrowed for this call only */
    return f;
}

void hal_fetch_cancel(hal_fetch *f)
{
    if (f->exchange)
        hal_exchange_cancel(f->exchange);
}
