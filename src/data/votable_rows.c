/* SPDX-License-Identifier: BSD-3-Clause */
/* The rows of a VOTable in blocks that a team reads, taken over in order. A block of TABLEDATA ends
 * with a row's end tag and is read as if it began with a row: what is no plain row is left out, and
 * Expat reads that when the block is taken over. Where the document turns out to be elsewhere (in a
 * comment, say), the text is read again from where a row may begin. A block of BINARY holds whole
 * rows. Neither the result nor the error depends on how the document comes in. */
#include "data/votable_reader.h"

#include "base/alloc.h"

enum {
    BLOCK = 512 << 10,
    PIECE = 64 << 10, /* text decoded at once */
    HELP_AT = 4,      /* so many blocks in flight: this thread reads one too */
    GZIP_HEADER_BYTES = 10
};

static const char row_end[] = "</TR>";

static void reset(hal_vo_block *b)
{
    for (size_t i = 0; i < b->n_vecs; i++)
        b->vecs[i].n_rows = b->vecs[i].n_nulls = 0;
    b->n_segments = 0;
}

static void drop_vecs(hal_vo_block *b)
{
    for (size_t i = 0; i < b->n_vecs; i++)
        hal_vec_clear(&b->vecs[i]);
    hal_free(b->vecs);
    b->vecs = NULL;
    b->n_vecs = b->n_segments = 0;
}

void hal_vo_drop_columns(hal_votable *v)
{
    for (size_t i = 0; i < v->n_jobs; i++)
        hal_team_wait(v->team, &v->blocks[(v->first_job + i) % HAL_VO_JOBS_MAX].job);
    for (size_t i = 0; i < HAL_VO_JOBS_MAX; i++)
        drop_vecs(&v->blocks[i]);
    drop_vecs(&v->stream);
    hal_vo_layout_clear(&v->layout);
    for (size_t i = 0; i < v->n_columns; i++)
        hal_vec_clear(&v->vecs[i]);
    hal_free(v->vecs);
    hal_free(v->columns);
    hal_free(v->fields);
    hal_names_clear(&v->names);
    v->vecs = NULL;
    v->columns = NULL;
    v->fields = NULL;
    v->n_columns = 0;
    v->laid_out = v->data_seen = v->rows_seen = false;
    v->n_rows = 0;
    hal_vo_header_clear(&v->mine);
}

static void block_clear(hal_vo_block *b)
{
    drop_vecs(b);
    hal_free(b->bytes);
    hal_free(b->segments);
    hal_free(b->starts);
    hal_vo_scratch_clear(&b->scratch);
}

void hal_vo_rows_clear(hal_votable *v)
{
    hal_team_free(v->team);
    v->n_jobs = 0;
    hal_vo_drop_columns(v);
    for (size_t i = 0; i < HAL_VO_JOBS_MAX; i++)
        block_clear(&v->blocks[i]);
    block_clear(&v->stream);
    hal_unpack_free(v->unpack);
    hal_vo_scratch_clear(&v->scratch);
}

hal_status hal_vo_flush(hal_votable *v)
{
    for (size_t i = 0; i < v->n_columns; i++) /* what was widened stays wide */
        v->fields[i].type = v->vecs[i].type;
    hal_table *t;
    hal_status st = hal_vo_rows_table(v, "", true, &t);
    if (st)
        return st;
    st = v->setup.asked.batch(v->setup.asked.batch_ctx, t, v->err);
    hal_table_unref(t);
    v->n_batched += v->n_rows;
    v->n_rows = 0;
    for (size_t i = 0; i < v->n_columns; i++)
        v->vecs[i].n_rows = v->vecs[i].n_nulls = 0;
    return st;
}

static hal_status took_rows(hal_votable *v, uint64_t n)
{
    v->n_rows += n;
    if (v->setup.asked.batch && v->n_rows == v->setup.asked.batch_rows)
        return hal_vo_flush(v);
    return HAL_OK;
}

/* Rows that may come before something has to be done: `*n` of the `wanted` ones, at least one. */
static hal_status room_for(const hal_votable *v, uint64_t wanted, uint64_t *n)
{
    uint64_t room = v->setup.asked.limits.rows_max - v->n_batched - v->n_rows;
    if (!room)
        return hal_err_set(v->err, HAL_E_BUDGET, "more than %llu rows",
                           (unsigned long long)v->setup.asked.limits.rows_max);
    if (v->setup.asked.batch && v->setup.asked.batch_rows - v->n_rows < room)
        room = v->setup.asked.batch_rows - v->n_rows;
    *n = wanted < room ? wanted : room;
    return HAL_OK;
}

hal_status hal_vo_took_row(hal_votable *v)
{
    uint64_t n;
    hal_status st = room_for(v, 1, &n);
    return st ? st : took_rows(v, 1);
}

/* Rows of a block go to the columns. */
static hal_status append_rows(hal_votable *v, hal_vo_block *b, uint64_t first, uint64_t n)
{
    hal_status st = HAL_OK;
    while (n && !st) {
        uint64_t part = 0;
        st = room_for(v, n, &part);
        for (size_t i = 0; i < v->n_columns && !st; i++) {
            hal_vec *to = &v->vecs[i], *from = &b->vecs[i];
            bool done = true;
            if (to->type != from->type)
                st = hal_vec_convert(from, to->type, false, &done, v->err);
            if (!st && HAL_BUG(!done))
                st = hal_err_set(v->err, HAL_E_INTERNAL, "column %s narrows", v->columns[i].name);
            const hal_column rows = hal_vec_column(from);
            if (!st)
                st = hal_vec_append(to, &rows, first, part, v->err);
        }
        if (!st)
            st = took_rows(v, part);
        first += part;
        n -= part;
    }
    return st;
}

static hal_status add_segment(hal_vo_block *b, hal_vo_segment segment)
{
    if (b->n_segments == b->segments_capacity) {
        size_t capacity = b->segments_capacity ? 2 * b->segments_capacity : 16;
        hal_vo_segment *grown = hal_realloc(b->segments, capacity * sizeof *grown);
        if (!grown)
            return HAL_E_NOMEM;
        b->segments = grown;
        b->segments_capacity = capacity;
    }
    b->segments[b->n_segments++] = segment;
    return HAL_OK;
}

static const char *find_row_end(const char *p, const char *end)
{
    for (; (p = memchr(p, '<', (size_t)(end - p))) && end - p >= 5; p++)
        if (!memcmp(p, row_end, 5))
            return p + 5;
    return NULL;
}

/* Reads the rows of a block of text from `at` on; on any thread. Fails with HAL_E_NOMEM only. */
static hal_status scan_text(hal_vo_block *b, size_t at)
{
    uint64_t n_rows = 0;
    reset(b);
    for (;;) {
        uint64_t n;
        hal_status st;
        hal_err quiet = HAL_ERR_INIT;
        size_t used = hal_vo_scan_rows(b->v->columns, b->n_vecs, b->vecs, b->bytes + at,
                                       b->size - at, &n, &b->scratch, &st, &quiet);
        if (!st)
            st = add_segment(b, (hal_vo_segment){at, at + used, n_rows, n});
        if (st)
            return st;
        n_rows += n;
        const char *next = find_row_end(b->bytes + at + used, b->bytes + b->size);
        if (!next)
            return HAL_OK;
        at = (size_t)(next - b->bytes);
    }
}

static void run_text(void *ctx)
{
    hal_vo_block *b = ctx;
    b->st = scan_text(b, 0);
}

static void run_binary(void *ctx)
{
    hal_vo_block *b = ctx;
    hal_err quiet = HAL_ERR_INIT;
    reset(b);
    b->st = hal_vo_add_rows(&b->v->layout, b->vecs, (const uint8_t *)b->bytes, b->starts,
                            b->n_starts, &b->scratch, &quiet);
}

/* Columns of its own for a block, of the types that those of the table have by now. */
static hal_status prepare(hal_votable *v, hal_vo_block *b)
{
    if (!b->vecs) {
        b->vecs = hal_calloc(v->n_columns + 1, sizeof *b->vecs);
        if (!b->vecs)
            return hal_err_nomem(v->err, (v->n_columns + 1) * sizeof *b->vecs);
        b->n_vecs = v->n_columns;
    }
    hal_status st = HAL_OK;
    for (size_t i = 0; i < b->n_vecs && !st; i++)
        if (b->vecs[i].type != v->vecs[i].type || !b->vecs[i].typed) {
            hal_vec_clear(&b->vecs[i]);
            st = hal_vec_set_shape(&b->vecs[i], v->vecs[i].type, v->vecs[i].width, v->err);
        }
    reset(b);
    b->v = v;
    b->st = HAL_OK;
    b->scratch.keeps_type = true;
    b->scratch.null_bytes_left = HAL_VO_NULL_BYTES;
    return st;
}

/* A block of text that is next in the document. */
static hal_status take_text_block(hal_votable *v, hal_vo_block *b)
{
    size_t at = 0, i = 0, used;
    hal_status st = b->st ? hal_err_nomem(v->err, b->size) : HAL_OK;
    v->taking_text = true;
    while (at < b->size && !st) {
        if (v->mode != HAL_VO_ROWS) {
            st = hal_vo_take_document(v, b->bytes + at, b->size - at, &used);
            at += used;
            continue;
        }
        while (i < b->n_segments && b->segments[i].begin < at)
            i++;
        if (i >= b->n_segments || b->segments[i].begin > at) {
            i = 0;
            st = prepare(v, b);
            if (!st && scan_text(b, at))
                st = hal_err_nomem(v->err, b->size);
        }
        if (!st) {
            const hal_vo_segment *rows = &b->segments[i];
            st = append_rows(v, b, rows->first_row, rows->n_rows);
            v->offset += rows->end - at;
            at = rows->end;
            if (at < b->size)
                v->mode = HAL_VO_DOCUMENT;
        }
    }
    v->taking_text = false;
    return st;
}

/* Row by row: rows of many bytes without holding them twice, and up to the one that is wrong. */
static hal_status take_single_rows(hal_votable *v, const hal_vo_block *b)
{
    hal_status st = HAL_OK;
    for (size_t i = 0; i < b->n_starts && !st; i++) {
        uint64_t n;
        st = room_for(v, 1, &n);
        if (st)
            break;
        st = hal_vo_add_row(&v->layout, v->vecs, (const uint8_t *)b->bytes + b->starts[i],
                            &v->scratch, v->err);
        st = st ? hal_err_note(v->err, st, "row %llu",
                               (unsigned long long)(v->n_batched + v->n_rows + 1))
                : took_rows(v, 1);
    }
    return st;
}

static hal_status take_binary_block(hal_votable *v, hal_vo_block *b)
{
    if (b->st == HAL_E_NOMEM)
        return hal_err_nomem(v->err, b->size);
    return b->st ? take_single_rows(v, b) : append_rows(v, b, 0, b->n_starts);
}

/* Takes the oldest block over. */
static hal_status commit(hal_votable *v)
{
    hal_vo_block *b = &v->blocks[v->first_job];
    hal_team_wait(v->team, &b->job);
    v->first_job = (v->first_job + 1) % HAL_VO_JOBS_MAX;
    v->n_jobs--;
    hal_status st = v->jobs_are_text ? take_text_block(v, b) : take_binary_block(v, b);
    b->size = 0;
    return st;
}

static hal_status commit_all(hal_votable *v)
{
    hal_status st = HAL_OK;
    while (v->n_jobs && !st)
        st = commit(v);
    return st;
}

static hal_vo_block *filling(hal_votable *v)
{
    return &v->blocks[(v->first_job + v->n_jobs) % HAL_VO_JOBS_MAX];
}

/* Room for `n` bytes and what can be read behind them. */
static hal_status block_room(hal_votable *v, hal_vo_block *b, size_t n)
{
    if (n <= b->capacity)
        return HAL_OK;
    size_t capacity = n > 2 * b->capacity ? n : 2 * b->capacity;
    char *grown = hal_realloc(b->bytes, capacity + HAL_VO_SLACK);
    if (!grown)
        return hal_err_nomem(v->err, capacity);
    b->bytes = grown;
    b->capacity = capacity;
    return HAL_OK;
}

/* The block at the end of the queue, which is filled and prepared, is read by whoever is free. */
static hal_status post(hal_votable *v, void (*run)(void *))
{
    hal_vo_block *b = filling(v);
    if (!v->team && !(v->team = hal_team_new(v->err)))
        return HAL_E_NOMEM;
    v->jobs_are_text = run == run_text;
    b->job = (hal_team_job){.run = run, .ctx = b};
    v->n_jobs++;
    hal_team_post(v->team, &b->job);
    return HAL_OK;
}

static hal_status drain(hal_votable *v)
{
    hal_status st = HAL_OK;
    if (v->n_jobs >= HELP_AT && !hal_team_help(v->team))
        st = commit(v);
    while (!st && v->n_jobs &&
           (v->n_jobs > HELP_AT || hal_team_is_done(v->team, &v->blocks[v->first_job].job)))
        st = commit(v);
    return st;
}

bool hal_vo_text_waits(const hal_votable *v)
{
    return (v->n_jobs && v->jobs_are_text) ||
           v->blocks[(v->first_job + v->n_jobs) % HAL_VO_JOBS_MAX].size;
}

/* What the block being filled holds is read here and now. */
static hal_status take_filling(hal_votable *v)
{
    hal_vo_block *b = filling(v);
    if (!b->size)
        return HAL_OK;
    memset(b->bytes + b->size, 0, HAL_VO_SLACK);
    hal_status st = prepare(v, b);
    if (!st)
        st = take_text_block(v, b);
    b->size = 0;
    return st;
}

/* The full block goes to the team up to its last row end; the rest begins the next. */
static hal_status dispatch_text(hal_votable *v)
{
    hal_vo_block *b = filling(v);
    size_t cut = b->size;
    while (cut >= 5 && memcmp(b->bytes + cut - 5, row_end, 5) != 0)
        cut--;
    if (cut < 5) { /* a row longer than a block */
        hal_status st = commit_all(v);
        return st ? st : take_filling(v);
    }
    size_t rest = b->size - cut;
    hal_vo_block *next = &v->blocks[(v->first_job + v->n_jobs + 1) % HAL_VO_JOBS_MAX];
    hal_status st = block_room(v, next, BLOCK);
    if (!st)
        st = prepare(v, b);
    if (st)
        return st;
    memcpy(next->bytes, b->bytes + cut, rest);
    memset(b->bytes + cut, 0, HAL_VO_SLACK);
    b->size = cut;
    next->size = rest;
    st = post(v, run_text);
    return st ? st : drain(v);
}

hal_status hal_vo_take_text(hal_votable *v, const char *p, size_t n, size_t *used)
{
    hal_vo_block *b = filling(v);
    hal_status st = block_room(v, b, BLOCK);
    if (st)
        return st;
    *used = n < BLOCK - b->size ? n : BLOCK - b->size;
    memcpy(b->bytes + b->size, p, *used);
    b->size += *used;
    if (b->size == BLOCK)
        st = dispatch_text(v);
    if (!st && !v->n_jobs && v->mode != HAL_VO_ROWS)
        st = take_filling(v);
    return st;
}

hal_status hal_vo_end_rows(hal_votable *v)
{
    hal_status st = commit_all(v);
    return st ? st : take_filling(v);
}

/* Whole rows of the stream go on their way; `last`: those are all there are. */
static hal_status send(hal_votable *v, bool last)
{
    hal_vo_block *b = &v->stream;
    hal_status st = HAL_OK;
    size_t rest = b->size - b->whole;
    if (v->taking_text || b->whole > 2 * BLOCK) {
        st = v->taking_text ? HAL_OK : commit_all(v);
        if (!st)
            st = take_single_rows(v, b);
    } else {
        st = prepare(v, b);
        if (!st && last && !v->n_jobs) {
            run_binary(b);
            st = take_binary_block(v, b);
        } else if (!st) {
            hal_vo_block *slot = filling(v), empty = *slot;
            *slot = *b;
            *b = empty;
            b->size = b->n_starts = b->whole = 0;
            st = block_room(v, b, BLOCK + PIECE);
            if (!st)
                memcpy(b->bytes, slot->bytes + slot->whole, rest);
            b->size = st ? 0 : rest;
            slot->size = 0;
            if (!st)
                st = post(v, run_binary);
            return st ? st : drain(v);
        }
    }
    memmove(b->bytes, b->bytes + b->whole, rest);
    b->size = rest;
    b->n_starts = b->whole = 0;
    return st;
}

static hal_status add_start(hal_votable *v, hal_vo_block *b)
{
    if (b->n_starts == b->starts_capacity) {
        size_t capacity = b->starts_capacity ? 2 * b->starts_capacity : 1024;
        size_t *grown = hal_realloc(b->starts, capacity * sizeof *grown);
        if (!grown)
            return hal_err_nomem(v->err, capacity * sizeof *grown);
        b->starts = grown;
        b->starts_capacity = capacity;
    }
    b->starts[b->n_starts++] = b->whole;
    return HAL_OK;
}

/* The rows before a fault are taken first: they may hold another one. */
static hal_status rows_before_fault(hal_votable *v)
{
    hal_status st = send(v, true);
    return st || v->taking_text ? st : commit_all(v);
}

/* A gzip header (RFC 1952 section 2.3) in all its parts: no row begins so by chance. */
static bool begins_gzip(const uint8_t *p)
{
    return p[0] == 0x1f && p[1] == 0x8b && p[2] == 8 && p[3] < 32 && p[8] <= 4 && p[8] % 2 == 0 &&
           (p[9] <= 13 || p[9] == 255);
}

/* Finds the rows that are whole in what the stream has. */
static hal_status find_rows(hal_votable *v)
{
    hal_vo_block *b = &v->stream;
    hal_status st = HAL_OK;
    const uint8_t *p = (const uint8_t *)b->bytes, *end = p + b->size;
    while (b->whole < b->size && b->size - b->whole >= v->row_need && !st) {
        uint64_t size = 0;
        st = hal_vo_row_size(&v->layout, p + b->whole, end, &size, v->err);
        if (st) {
            hal_err fault = v->err ? *v->err : (hal_err)HAL_ERR_INIT;
            hal_status earlier = rows_before_fault(v);
            if (earlier)
                return earlier;
            *v->err = fault;
            return hal_err_note(v->err, st, "row %llu",
                                (unsigned long long)(v->n_batched + v->n_rows + 1));
        }
        if (size > b->size - b->whole) {
            v->row_need = size;
            break;
        }
        v->row_need = 0;
        st = add_start(v, b);
        b->whole += (size_t)size;
    }
    return !st && b->whole >= BLOCK ? send(v, false) : st;
}

/* Bytes were added to the stream. The first of them are no rows before it is known that they are
 * not those of a compressed one. */
static hal_status took_bytes(hal_votable *v, size_t n)
{
    hal_vo_block *b = &v->stream;
    uint64_t before = v->stream_bytes;
    b->size += n;
    v->stream_bytes += n;
    if (v->stream_bytes > v->setup.asked.limits.bytes_max)
        return hal_err_set(v->err, HAL_E_BUDGET, "the STREAM unpacks to more than %llu bytes",
                           (unsigned long long)v->setup.asked.limits.bytes_max);
    if (before < GZIP_HEADER_BYTES && v->stream_bytes >= GZIP_HEADER_BYTES &&
        begins_gzip((const uint8_t *)b->bytes))
        return hal_err_set(v->err, HAL_E_PROTOCOL,
                           v->unpack ? "the STREAM is compressed twice; ask the service for "
                                       "BINARY2 or TABLEDATA without compression"
                                     : "the STREAM holds gzip data, but its encoding is said to be "
                                       "base64 alone; ask the service for BINARY2 or TABLEDATA "
                                       "without compression, or correct it to encoding=\"gzip\"");
    if (!v->n_columns && n)
        return hal_err_set(v->err, HAL_E_INTEGRITY,
                           "the STREAM has bytes, but no FIELD says what they are");
    return v->stream_bytes < GZIP_HEADER_BYTES ? HAL_OK : find_rows(v);
}

static hal_status take_unpacked(void *ctx, const char *bytes, size_t n, hal_err *err)
{
    (void)err;
    hal_votable *v = ctx;
    hal_status st = block_room(v, &v->stream, v->stream.size + n);
    if (st)
        return st;
    memcpy(v->stream.bytes + v->stream.size, bytes, n);
    return took_bytes(v, n);
}

/* Decoded bytes that stand at the end of the stream's block. */
static hal_status took_decoded(hal_votable *v, size_t n)
{
    if (!v->unpack)
        return took_bytes(v, n);
    char packed[PIECE];
    memcpy(packed, v->stream.bytes + v->stream.size, n);
    return n ? hal_unpack_feed(v->unpack, packed, n, take_unpacked, v, v->err) : HAL_OK;
}

hal_status hal_vo_start_stream(hal_votable *v, bool flags, bool gzip)
{
    hal_vo_layout_clear(&v->layout);
    hal_status st = hal_vo_layout_init(&v->layout, v->columns, v->n_columns, flags, v->err);
    v->base64 = (hal_base64){0};
    v->stream.size = v->stream.n_starts = v->stream.whole = 0;
    v->stream_bytes = v->row_need = 0;
    if (!st && gzip && !(v->unpack = hal_unpack_new(HAL_PACKING_GZIP, v->err)))
        st = v->err->status;
    return st;
}

hal_status hal_vo_take_base64(hal_votable *v, const char *text, size_t n)
{
    hal_vo_block *b = &v->stream;
    hal_status st = HAL_OK;
    while (n && !st) {
        size_t part = n < PIECE ? n : PIECE;
        st = block_room(v, b, b->size + hal_base64_room(part));
        if (st)
            return st;
        const char *wrong;
        size_t got =
            hal_base64_decode(&v->base64, text, part, (uint8_t *)b->bytes + b->size, &wrong);
        st = took_decoded(v, got);
        if (!st && wrong) {
            st = rows_before_fault(v);
            if (!st)
                st = hal_err_set(v->err, HAL_E_INTEGRITY,
                                 "byte 0x%02x does not belong in a base64 STREAM",
                                 (unsigned)(unsigned char)*wrong);
        }
        text += part;
        n -= part;
    }
    return st;
}

hal_status hal_vo_end_stream(hal_votable *v)
{
    hal_vo_block *b = &v->stream;
    size_t n = 0;
    hal_status st = block_room(v, b, b->size + 2);
    bool whole = !st && hal_base64_finish(&v->base64, (uint8_t *)b->bytes + b->size, &n);
    if (!st)
        st = took_decoded(v, n);
    if (!st && v->stream_bytes < GZIP_HEADER_BYTES)
        st = find_rows(v);
    if (!st)
        st = rows_before_fault(v);
    if (!st && !whole)
        st = hal_err_set(v->err, HAL_E_INTEGRITY, "the base64 STREAM ends inside a group");
    if (!st && v->unpack)
        st = hal_unpack_finish(v->unpack, v->err);
    hal_unpack_free(v->unpack);
    v->unpack = NULL;
    if (!st && b->size)
        st = hal_err_set(v->err, HAL_E_INTEGRITY,
                         "the STREAM ends inside row %llu: %zu bytes of it are there",
                         (unsigned long long)(v->n_batched + v->n_rows + 1), b->size);
    return st;
}
