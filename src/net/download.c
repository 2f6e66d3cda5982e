/* SPDX-License-Identifier: BSD-3-Clause */
/* A download has two halves. The loop thread owns the exchange and says what happens next; a
 * strand of the pool owns the file and the digest, and does as told in order: open, write ...,
 * last. The folder's strand then names the files that are whole, several at a time. A piece of work
 * carries its error back; nothing is shared between the halves while work is under way except what
 * is marked so.
 *
 * Order on disk: data, its fsync, the record, its fsync, the rename, the folder's fsync. A record
 * before the rename says only "a file with this size, time and digest is whole", so a crash between
 * the two leaves nothing that could be mistaken, and nothing whole that is not known. */
#include "net/download.h"

#include "base/alloc.h"
#include "net/download_impl.h"
#include "net/header.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    DESCRIPTORS = 4, /* of a download: part, note, folder, connection */
    OTHER_DESCRIPTORS = 20,
    SHUT_MS = 1000, /* enough for the host to cancel what waits */
};

static const int64_t deadline_ms =
    INT64_C(7) * 86400 * 1000; /* stalls end a transfer long before */

typedef hal_download_work work;

/* --- work between the halves ------------------------------------------------------------------ */

static void run_work(void *ctx)
{
    work *w = ctx;
    hal_download *d = w->d;
    if (d->broken) {
        hal_err_set(&w->err, HAL_E_CANCELLED, "an earlier step failed");
        return;
    }
    hal_status st = w->run(w);
    if (st) {
        w->err.status = st;
        /* a wrong digest is answered by beginning again, on this strand */
        d->broken = st != HAL_E_INTEGRITY;
    }
}

void hal_download_end_when_idle(hal_download *d)
{
    if (d->ending && !d->x && d->n_work == 0 && d->n_ranges == 0)
        hal_alarm_set(d->loop, &d->end, hal_loop_now_ns(d->loop));
}

/* `why` NULL: success. The first end stands. */
void hal_download_end(hal_download *d, const hal_err *why)
{
    if (!d->ending) {
        d->ending = true;
        if (why)
            d->result.err = *why;
        if (d->x)
            hal_exchange_cancel(d->x);
        hal_download_cancel_ranges(d);
    }
    hal_download_end_when_idle(d);
}

static void work_done(void *ctx)
{
    work *w = ctx;
    hal_download *d = w->d;
    d->n_work--;
    if (w->then)
        w->then(w);
    else if (w->err.status)
        hal_download_end(d, &w->err);
    hal_download_free_work(w);
    hal_download_end_when_idle(d);
}

/* Kept for the next one: the C library would give so much memory back to the system each time. */
void hal_download_free_work(work *w)
{
    if (!w)
        return;
    hal_loop *loop = w->d->loop;
    if (loop->n_idle_work[w->has_room] == HAL_IDLE_WORK) {
        hal_free(w);
        return;
    }
    w->next_idle = loop->idle_work[w->has_room];
    loop->idle_work[w->has_room] = w;
    loop->n_idle_work[w->has_room]++;
}

/* `has_room`: for HAL_CHUNK_BYTES. */
work *hal_download_new_work(hal_download *d, hal_status (*run)(work *w), void (*then)(work *w),
                            bool has_room, hal_err *err)
{
    hal_loop *loop = d->loop;
    work *w = loop->idle_work[has_room];
    size_t size = sizeof *w + (has_room ? HAL_CHUNK_BYTES : 0);
    if (w) {
        loop->idle_work[has_room] = w->next_idle;
        loop->n_idle_work[has_room]--;
    } else if (!(w = hal_malloc(size))) {
        hal_err_nomem(err, size);
        return NULL;
    }
    w->d = d;
    w->run = run;
    w->then = then;
    w->err = HAL_ERR_INIT;
    w->urgent = w->begins = false;
    w->total = d->total;
    w->at = HAL_APPEND;
    w->has_room = has_room;
    w->n_bytes = 0;
    return w;
}

hal_status hal_download_post(work *w, hal_err *err)
{
    hal_download *d = w->d;
    hal_pool *pool = d->loop->closing ? NULL : hal_loop_pool(d->loop, err);
    hal_status st = !pool       ? HAL_E_CANCELLED
                    : w->urgent ? hal_pool_post_urgent(pool, d->strand, run_work, work_done, w, err)
                                : hal_pool_post(pool, d->strand, run_work, work_done, w, err);
    if (st)
        hal_download_free_work(w);
    else
        d->n_work++;
    return st;
}

/* --- loop half -------------------------------------------------------------------------------- */

static hal_status flush(hal_download *d, hal_err *err) HAL_MUST_CHECK;

static void drop_filling(hal_download *d)
{
    hal_download_free_work(d->filling);
    d->filling = NULL;
}

/* From zero, a limited number of times (fault matrix section 2, class integrity). */
void hal_download_start_over(hal_download *d, const hal_err *why)
{
    if (d->restarts >= HAL_RESTARTS_MAX) {
        hal_err ignored = HAL_ERR_INIT;
        d->keep_part = false;
        if (d->keep_bad && flush(d, &ignored)) { /* then with less of it */
        }
        hal_download_end(d, why);
        return;
    }
    d->restarts++;
    d->start_over = d->keep_part = false;
    d->offset = 0;
    d->etag[0] = '\0';
    d->total = -1;
    drop_filling(d);
    hal_download_ask(d);
}

/* The file is whole and on the disk. */
static void checked(work *w)
{
    hal_download *d = w->d;
    if (w->err.status) {
        d->keep_part = !d->spoiled;
        if (w->err.status == HAL_E_INTEGRITY)
            hal_download_start_over(d, &w->err);
        else
            hal_download_end(d, &w->err);
        return;
    }
    hal_download_name(d);
}

/* --- bytes ------------------------------------------------------------------------------------ */

/* A transfer is over for its host once its bytes are written, else others would begin while the
 * disk is full, or more than one be lost by a kill (fault matrix L1, L10). */
static void hold_slot(hal_download *d)
{
    if (d->has_slot || !d->gate)
        return;
    hal_limit_hold(d->gate->limit);
    d->has_slot = true;
}

static void release_slot(hal_download *d)
{
    if (d->has_slot)
        hal_limit_leave(d->gate->limit, 0, hal_loop_now_ns(d->loop), HAL_STRAIN_UNKNOWN,
                        &d->loop->listener);
    d->has_slot = false;
}

static void chunk_written(work *w)
{
    hal_download *d = w->d;
    d->n_chunks--;
    if (w->err.status == HAL_E_IO)
        d->loop->shut_until_ns = hal_loop_now_ns(d->loop) + SHUT_MS * HAL_NS_PER_MS;
    if (d->n_chunks == 0)
        release_slot(d);
    if (w->err.status) {
        hal_download_end(d, &w->err);
    } else if (d->starved && d->x) {
        d->starved = false;
        hal_exchange_resume(d->x);
    }
}

/* A piece for the bytes to come. */
static work *new_piece(hal_download *d, bool has_room, hal_err *err)
{
    work *w = hal_download_new_work(d, hal_download_run_write, chunk_written, has_room, err);
    if (!w)
        return NULL;
    w->begins = d->begins;
    w->has_sum = d->said_sha256[0] || d->said_md5[0];
    memcpy(w->etag, d->etag, sizeof w->etag);
    d->begins = false;
    return w;
}

static hal_status flush(hal_download *d, hal_err *err)
{
    work *w = d->filling;
    d->filling = NULL;
    if (!w)
        return HAL_OK;
    hal_status st = hal_download_post(w, err);
    if (!st)
        d->n_chunks++;
    return st;
}

/* The bytes are complete: the last ones go, then the file is checked. */
void hal_download_publish(hal_download *d)
{
    hal_err err = HAL_ERR_INIT;
    if (d->filling) {
        hold_slot(d);
        d->filling->urgent = true;
    }
    work *w = flush(d, &err) ? NULL : new_piece(d, false, &err);
    if (w) {
        w->run = hal_download_run_last;
        w->urgent = true;
        w->then = checked;
        memcpy(w->said_sha256, d->said_sha256, sizeof w->said_sha256);
        memcpy(w->said_md5, d->said_md5, sizeof w->said_md5);
        w->stale_size = d->result.size_mismatch_accepted;
    }
    if (!w || hal_download_post(w, &err))
        hal_download_end(d, &err);
}

/* A large file is asked for in ranges, the first of them alone: what comes tells whether the host
 * can. */
static bool resume_from(void *ctx, uint64_t *offset, uint64_t *end, const char **etag)
{
    hal_download *d = ctx;
    d->asked_range = d->offset > 0 && d->etag[0];
    d->asked_from = d->asked_range ? d->offset : 0;
    int64_t size = d->asked_range && d->total >= 0 ? d->total : d->expect_bytes;
    bool large = !d->one_stream && size >= HAL_RANGED_MIN_BYTES &&
                 (d->expect_bytes < 0 || size == d->expect_bytes) &&
                 (uint64_t)size >= d->asked_from + 2 * HAL_RANGE_BYTES;
    d->asked_end = large ? d->asked_from + HAL_RANGE_BYTES : 0;
    *offset = d->asked_from;
    *end = d->asked_end;
    *etag = d->asked_range ? d->etag : "";
    return d->asked_range || large;
}

static void begin_at_zero(hal_download *d, const hal_outcome *answer, int64_t total)
{
    drop_filling(d);
    d->offset = 0;
    d->total = total;
    memcpy(d->etag, answer->etag, sizeof d->etag);
    if (!hal_header_is_strong_etag(hal_slice_of(answer->etag)))
        d->etag[0] = '\0';
    d->begins = true;
    d->said_sha256[0] = d->said_md5[0] = '\0';
    hal_download_read_digest(d, answer);
}

/* No failure of the host: it may be asked for ranges, but not so that they surely are of one file.
 */
static hal_status refuse_ranges(hal_download *d, hal_err *err)
{
    if (!d->one_stream)
        d->restarts--;
    d->one_stream = d->start_over = true;
    return hal_err_set(err, HAL_E_INTEGRITY,
                       "the server sent another part of the file than was asked for");
}

static hal_status on_begin(void *ctx, int http_status, hal_err *err)
{
    hal_download *d = ctx;
    const hal_outcome *answer = hal_exchange_answer(d->x);
    hal_content_range r = {-1, -1, -1};
    d->gate = hal_exchange_gate(d->x);
    if (http_status != 200 && http_status != 203 && http_status != 206)
        return hal_err_set(err, HAL_E_PROTOCOL, "HTTP %d where a file was expected", http_status);
    if (http_status != 206) {
        d->asked_end = 0;
        begin_at_zero(d, answer, answer->content_length);
        return HAL_OK;
    }
    if ((!d->asked_range && !d->asked_end) || !hal_download_is_asked_part(d, answer) ||
        !hal_header_content_range(hal_slice_of(answer->content_range), &r)) {
        if (!d->asked_range && d->asked_end)
            return refuse_ranges(d, err);
        d->start_over = true;
        return hal_err_set(err, HAL_E_INTEGRITY,
                           "the server sent another part of the file than was asked for");
    }
    bool stale = d->expect_bytes >= 0 && r.total != d->expect_bytes;
    if (!d->asked_range) {
        if (stale || !hal_header_is_strong_etag(hal_slice_of(answer->etag)))
            return refuse_ranges(d, err);
        begin_at_zero(d, answer, r.total);
        return HAL_OK;
    }
    d->total = r.total >= 0 ? r.total : r.last + 1;
    hal_download_read_digest(d, answer);
    return HAL_OK;
}

static hal_status on_write(void *ctx, const char *bytes, size_t n, hal_err *err)
{
    hal_download *d = ctx;
    if (hal_download_check_start(d, (hal_slice){bytes, n}, err))
        return HAL_E_PROTOCOL;
    if (d->n_chunks >= HAL_PIECES_MAX) {
        d->starved = true;
        return HAL_E_BUSY;
    }
    while (n) {
        work *w = d->filling;
        if (!w && !(w = d->filling = new_piece(d, true, err)))
            return HAL_E_NOMEM;
        size_t take = n < HAL_CHUNK_BYTES - w->n_bytes ? n : HAL_CHUNK_BYTES - w->n_bytes;
        memcpy(w->bytes + w->n_bytes, bytes, take);
        w->n_bytes += take;
        d->offset += take;
        bytes += take;
        n -= take;
        /* what may be the last piece waits for its check */
        bool full = w->n_bytes == HAL_CHUNK_BYTES && (n || (int64_t)d->offset != d->total);
        hal_status st = full ? flush(d, err) : HAL_OK;
        if (st)
            return st;
    }
    return HAL_OK;
}

/* As write_info decided: without its note a part cannot be resumed by a later run. */
static bool is_resumable(const hal_download *d)
{
    return d->offset > 0 && d->etag[0] && (d->total < 0 || d->total >= HAL_RESUME_MIN_BYTES);
}

static void on_exchange_done(void *ctx, const hal_outcome *outcome)
{
    hal_download *d = ctx;
    hal_err err = outcome->err, ignored = HAL_ERR_INIT;
    hal_content_range r;
    d->x = NULL;
    d->result.tries += outcome->tries ? outcome->tries - d->goes_on : 0;
    d->goes_on = false;
    d->result.wire_bytes += outcome->wire_bytes;
    if (d->ending) { /* cancelled, or the disk failed */
        d->keep_part = is_resumable(d);
        drop_filling(d);
        hal_download_end_when_idle(d);
    } else if (!err.status && d->asked_end && d->offset == d->asked_end &&
               (int64_t)d->offset < d->total) {
        if (flush(d, &err))
            hal_download_end(d, &err);
        else
            hal_download_go_on(d);
    } else if (!err.status) {
        if (hal_download_length_is_good(d, &err))
            hal_download_publish(d);
        else
            hal_download_start_over(d, &err);
    } else if (outcome->http_status == 416 && (d->asked_range || d->asked_end)) { /* D3 */
        d->one_stream = true;
        bool whole = d->expect_sha256[0] &&
                     hal_header_content_range(hal_slice_of(outcome->content_range), &r) &&
                     r.first < 0 && (uint64_t)r.total == d->offset;
        if (whole)
            hal_download_publish(d);
        else
            hal_download_start_over(d, &err);
    } else if (d->start_over) {
        hal_download_start_over(d, &err);
    } else {
        d->keep_part = is_resumable(d);
        if (flush(d, &ignored)) { /* a shorter part is as good */
        }
        hal_download_end(d, &err);
    }
}

hal_request hal_download_request_of(const hal_download *d)
{
    return (hal_request){.url = d->url,
                         .repeatable = true,
                         .deadline_ms = deadline_ms,
                         .words = d->words,
                         .secrets = d->secrets.may_go ? &d->secrets : NULL};
}

void hal_download_ask(hal_download *d)
{
    hal_err err = HAL_ERR_INIT;
    hal_request request = hal_download_request_of(d);
    hal_sink sink = {on_begin, on_write, NULL, d};
    hal_resume resume = {resume_from, d, d->is_gzip};
    d->x =
        hal_exchange_start_resuming(d->loop, &request, &sink, &resume, on_exchange_done, d, &err);
    if (!d->x)
        hal_download_end(d, &err);
}

void hal_download_was_there(hal_download *d)
{
    d->result.skipped = true;
    d->result.bytes = d->found_record.bytes;
    memcpy(d->result.sha256, d->found_record.sha256, sizeof d->result.sha256);
    hal_download_end(d, NULL);
}

/* The run before ended between the last bytes and their record. */
static bool is_whole_part(const hal_download *d)
{
    return d->found == HAL_FOUND_PART && d->total > 0 && (int64_t)d->offset == d->total &&
           (d->expect_bytes < 0 || d->expect_bytes == d->total);
}

static void opened(work *w)
{
    hal_download *d = w->d;
    d->keep_part = d->found == HAL_FOUND_PART || d->found == HAL_FOUND_PART_WHOLE;
    if (w->err.status) {
        hal_download_end(d, &w->err);
    } else if (d->ending) {
        return;
    } else if (d->found == HAL_FOUND_WHOLE && d->verify && !d->expect_sha256[0]) {
        hal_download_look(d);
    } else if (d->found == HAL_FOUND_WHOLE) {
        hal_download_was_there(d);
    } else if (d->found == HAL_FOUND_PART_WHOLE) {
        d->result.skipped = true;
        hal_download_publish(d);
    } else {
        if (d->found == HAL_FOUND_PART)
            d->offset = d->written;
        if (is_whole_part(d)) {
            d->result.skipped = true;
            hal_download_publish(d);
        } else {
            hal_download_ask(d);
        }
    }
}

void hal_download_fetch_anew(hal_download *d)
{
    hal_err err = HAL_ERR_INIT;
    d->has_better = d->expect_bytes >= 0 && (uint64_t)d->expect_bytes == d->found_record.bytes;
    work *w = hal_download_new_work(d, hal_download_run_open_part, opened, false, &err);
    if (!w || hal_download_post(w, &err))
        hal_download_end(d, &err);
}

static void close_file(hal_download *d)
{
    if (d->fd >= 0 && d->result.err.status && !d->keep_part) {
        char bad[HAL_COMPONENT_MAX_BYTES + 16];
        snprintf(bad, sizeof bad, "%s.bad", d->name);
        unlinkat(d->parent_fd, d->info, 0);
        if (!d->keep_bad || d->result.err.status != HAL_E_INTEGRITY ||
            renameat(d->parent_fd, d->part, d->parent_fd, bad))
            unlinkat(d->parent_fd, d->part, 0);
    }
    hal_download_close(d);
}

static void free_download(hal_download *d)
{
    hal_loop *loop = d->loop;
    hal_alarm_clear(loop, &d->end);
    drop_filling(d);
    hal_strand_free(d->strand);
    hal_sha256_free(d->digest);
    hal_secrets_wipe(&d->secrets);
    hal_free(d->url);
    hal_free(d->source);
    hal_free(d->path);
    if (loop->closing || loop->n_idle_downloads == HAL_IDLE_WORK) {
        hal_free(d);
        return;
    }
    d->next = loop->idle_downloads;
    loop->idle_downloads = d;
    loop->n_idle_downloads++;
}

/* All zero. */
static hal_download *new_download(hal_loop *loop, hal_err *err)
{
    hal_download *d = loop->idle_downloads;
    if (d) {
        loop->idle_downloads = d->next;
        loop->n_idle_downloads--;
        memset(d, 0, sizeof *d);
    } else if (!(d = hal_calloc(1, sizeof *d))) {
        hal_err_nomem(err, sizeof *d);
    }
    return d;
}

static bool is_same_file(const hal_download *a, const hal_download *b)
{
    return a->folder == b->folder && !strcmp(a->path, b->path);
}

static hal_status open_file(hal_download *d, hal_err *err)
{
    d->waiting = false;
    d->loop->n_open++;
    work *w = hal_download_new_work(d, hal_download_run_open, opened, false, err);
    return w ? hal_download_post(w, err) : HAL_E_NOMEM;
}

/* L18: fewer at once when descriptors are few. */
static size_t open_max(hal_loop *loop)
{
    struct rlimit limit;
    if (loop->open_max)
        return loop->open_max;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == RLIM_INFINITY)
        loop->open_max = SIZE_MAX;
    else if (limit.rlim_cur < OTHER_DESCRIPTORS + 2 * DESCRIPTORS)
        loop->open_max = 1;
    else
        loop->open_max = (size_t)(limit.rlim_cur - OTHER_DESCRIPTORS) / DESCRIPTORS;
    return loop->open_max;
}

static bool must_wait(const hal_download *d)
{
    if (d->loop->n_open >= open_max(d->loop))
        return true;
    for (const hal_download *other = d->loop->downloads; other; other = other->next)
        if (!other->waiting && is_same_file(other, d))
            return true;
    return false;
}

/* The list has the latest first: the one that waited longest is the last that may go. */
static void let_next_go(const hal_loop *loop)
{
    hal_err err = HAL_ERR_INIT;
    hal_download *next = NULL;
    for (hal_download *d = loop->downloads; d; d = d->next)
        if (d->waiting && !d->ending && !must_wait(d))
            next = d;
    if (next && open_file(next, &err))
        hal_download_end(next, &err);
}

static void finish(void *ctx)
{
    hal_download *d = ctx;
    *(d->prev ? &d->prev->next : &d->loop->downloads) = d->next;
    if (d->next)
        d->next->prev = d->prev;
    bool was_waiting = d->waiting;
    hal_download_result result = d->result;
    hal_download_done done = d->done;
    void *done_ctx = d->ctx;
    close_file(d);
    release_slot(d);
    if (!was_waiting) {
        d->loop->n_open--;
        let_next_go(d->loop);
    }
    free_download(d);
    done(done_ctx, &result);
}

void hal_download_cancel(hal_download *d)
{
    hal_err err = HAL_ERR_INIT;
    hal_err_set(&err, HAL_E_CANCELLED, "the download was cancelled");
    hal_download_end(d, &err);
}

bool hal_download_line(hal_loop *loop, const char *dir, const char *path, hal_file_line *out)
{
    hal_outlet *o = loop->outlets;
    while (o && strcmp(hal_folder_dir(o->folder), dir) != 0)
        o = o->next;
    return o && hal_folder_find_line(o->folder, path, out);
}

uint64_t hal_downloads_bytes(const hal_loop *loop)
{
    uint64_t n = 0;
    for (const hal_download *d = loop->downloads; d; d = d->next) {
        n += d->n_ranges ? d->next_range : d->offset;
        for (int i = 0; i < HAL_RANGES_MAX; i++)
            n -= d->ranges[i].x ? d->ranges[i].end - d->ranges[i].offset : 0;
    }
    return n;
}

void hal_downloads_cancel(hal_loop *loop)
{
    for (hal_download *d = loop->downloads; d; d = d->next) {
        hal_download_cancel(d);
        hal_strand_free(d->strand); /* its work still runs */
        d->strand = NULL;
    }
    for (hal_outlet *o = loop->outlets; o; o = o->next) {
        hal_strand_free(o->strand);
        o->strand = NULL;
    }
}

void hal_downloads_end(hal_loop *loop)
{
    while (loop->downloads)
        finish(loop->downloads);
    hal_outlets_free(loop);
    for (hal_download *d = loop->idle_downloads, *next; d; d = next) {
        next = d->next;
        hal_free(d);
    }
    loop->idle_downloads = NULL;
    loop->n_idle_downloads = 0;
    for (int has_room = 0; has_room < 2; has_room++) {
        for (work *w = loop->idle_work[has_room], *next; w; w = next) {
            next = w->next_idle;
            hal_free(w);
        }
        loop->idle_work[has_room] = NULL;
        loop->n_idle_work[has_room] = 0;
    }
}

/* A source that does not fit into a record by its SHA-256. */
static hal_status take_source(hal_download *d, const char *source, hal_err *err)
{
    size_t n = strlen(source);
    bool plain = n <= HAL_SOURCE_MAX_BYTES;
    for (size_t i = 0; i < n && plain; i++)
        plain = (unsigned char)source[i] >= 0x20 && source[i] != 0x7f;
    if (plain)
        return (d->source = hal_strdup(source)) ? HAL_OK : hal_err_nomem(err, n);
    d->source = hal_malloc(HAL_SHA256_TEXT_SIZE);
    return d->source ? hal_sha256_of(source, d->source, err)
                     : hal_err_nomem(err, HAL_SHA256_TEXT_SIZE);
}

static hal_status prepare(hal_download *d, const hal_download_request *r, hal_err *err)
{
    hal_loop *loop = d->loop;
    if (loop->closing)
        return hal_err_set(err, HAL_E_CANCELLED, "the run is ending");
    if (!r->url || !r->dir || !r->dir[0])
        return hal_err_set(err, HAL_E_USAGE, "a download needs a URL and an output folder");
    hal_status st = hal_folder_check_path(r->path, err);
    if (st)
        return st;
    if (r->expect_sha256) {
        size_t n = strspn(r->expect_sha256, "0123456789abcdefABCDEF");
        if (n != 64 || r->expect_sha256[n])
            return hal_err_set(err, HAL_E_USAGE, "a SHA-256 has 64 hexadecimal digits");
        memcpy(d->expect_sha256, r->expect_sha256, sizeof d->expect_sha256);
    }
    if (r->starts && strlen(r->starts) >= sizeof d->starts)
        return hal_err_set(err, HAL_E_USAGE, "the start of a file is below %d bytes",
                           HAL_STARTS_MAX);
    snprintf(d->starts, sizeof d->starts, "%s", r->starts ? r->starts : "");
    st = take_source(d, r->source ? r->source : r->url, err);
    if (st)
        return st;
    if (r->secrets && (st = hal_secrets_copy(&d->secrets, r->secrets, err)))
        return st;
    d->url = hal_strdup(r->url);
    d->path = hal_strdup(r->path);
    if (!d->url || !d->path)
        return hal_err_nomem(err, strlen(r->url));
    d->is_gzip = hal_download_ends_with(d, ".gz") || hal_download_ends_with(d, ".tgz");
    hal_pool *pool = hal_loop_pool(loop, err);
    if (!pool || !(d->strand = hal_strand_new(pool, err)) ||
        !(d->outlet = hal_outlet_of(loop, r->dir, pool, err)))
        return HAL_E_NOMEM;
    d->folder = d->outlet->folder;
    return hal_alarm_init(loop, &d->end, finish, d, err);
}

hal_download *hal_download_start(hal_loop *loop, const hal_download_request *request,
                                 hal_download_done done, void *ctx, hal_err *err)
{
    hal_download *d = new_download(loop, err);
    if (!d)
        return NULL;
    d->loop = loop;
    d->expect_bytes = request->expect_bytes;
    d->replace = request->replace;
    d->verify = request->verify;
    d->keep_bad = request->keep_bad;
    d->words = request->words;
    d->done = done;
    d->ctx = ctx;
    d->result.err = HAL_ERR_INIT;
    d->total = d->agreed_length = -1;
    d->parent_fd = d->fd = d->info_fd = -1;
    d->waiting = true;
    hal_status st = prepare(d, request, err);
    if (!st && !must_wait(d))
        st = open_file(d, err);
    if (st) {
        loop->n_open -= !d->waiting;
        free_download(d);
        return NULL;
    }
    d->next = loop->downloads;
    if (d->next)
        d->next->prev = d;
    loop->downloads = d;
    return d;
}
