/* SPDX-License-Identifier: BSD-3-Clause */
/* The rest of a large file by several ranges at once. Each must come as it was asked for and be of
 * the same file, or all of it is fetched again as one stream. Requests beyond one are only made
 * while nobody else waits for the host, and leave it room for one. */
#include "net/download_impl.h"

#include "net/header.h"

#include <stdio.h>

typedef hal_download_work work;

static void more_ranges(hal_download *d);

static hal_status flush_range(hal_range *r, hal_err *err)
{
    work *w = r->filling;
    r->filling = NULL;
    if (!w)
        return HAL_OK;
    hal_status st = hal_download_post(w, err);
    if (!st)
        r->n_pieces++;
    return st;
}

static void piece_written(work *w)
{
    hal_range *r = w->range;
    r->n_pieces--;
    if (w->err.status) {
        hal_download_end(r->d, &w->err);
    } else if (r->starved && r->x) {
        r->starved = false;
        hal_exchange_resume(r->x);
    }
}

static bool range_from(void *ctx, uint64_t *offset, uint64_t *end, const char **etag)
{
    const hal_range *r = ctx;
    *offset = r->offset;
    *end = r->end;
    *etag = r->d->etag;
    return true;
}

static hal_status range_begin(void *ctx, int http_status, hal_err *err)
{
    hal_range *r = ctx;
    const hal_outcome *answer = hal_exchange_answer(r->x);
    hal_content_range range;
    bool good =
        http_status == 206 &&
        hal_header_content_range(hal_slice_of(answer->content_range), &range) && range.first >= 0 &&
        (uint64_t)range.first == r->offset && (uint64_t)range.last == r->end - 1 &&
        range.total == r->d->total &&
        (answer->content_length < 0 || answer->content_length == range.last - range.first + 1) &&
        !strcmp(answer->etag, r->d->etag);
    if (good)
        return HAL_OK;
    r->refused = true;
    return hal_err_set(err, HAL_E_INTEGRITY,
                       "the server sent another part, or of another file, than was asked for");
}

static hal_status range_write(void *ctx, const char *bytes, size_t n, hal_err *err)
{
    hal_range *r = ctx;
    if (r->n_pieces >= HAL_PIECES_MAX) {
        r->starved = true;
        return HAL_E_BUSY;
    }
    if (n > r->end - r->offset) { /* no length was stated */
        r->refused = true;
        return hal_err_set(err, HAL_E_INTEGRITY, "more bytes came than were asked for");
    }
    while (n) {
        work *w = r->filling;
        if (!w) {
            w = r->filling =
                hal_download_new_work(r->d, hal_download_run_write, piece_written, true, err);
            if (!w)
                return HAL_E_NOMEM;
            w->range = r;
            w->at = r->offset;
        }
        size_t take = n < HAL_CHUNK_BYTES - w->n_bytes ? n : HAL_CHUNK_BYTES - w->n_bytes;
        memcpy(w->bytes + w->n_bytes, bytes, take);
        w->n_bytes += take;
        r->offset += take;
        bytes += take;
        n -= take;
        hal_status st = w->n_bytes == HAL_CHUNK_BYTES ? flush_range(r, err) : HAL_OK;
        if (st)
            return st;
    }
    return HAL_OK;
}

void hal_download_cancel_ranges(hal_download *d)
{
    for (int i = 0; i < HAL_RANGES_MAX; i++)
        if (d->ranges[i].x)
            hal_exchange_cancel(d->ranges[i].x);
}

static void range_done(void *ctx, const hal_outcome *outcome)
{
    hal_range *r = ctx;
    hal_download *d = r->d;
    hal_err err = outcome->err, ignored = HAL_ERR_INIT;
    r->x = NULL;
    d->n_ranges--;
    d->result.tries += outcome->tries ? outcome->tries - 1 : 0;
    d->result.wire_bytes += outcome->wire_bytes;
    bool short_one = !err.status && r->offset != r->end;
    if (short_one)
        hal_err_set(&err, HAL_E_INTEGRITY, "%s: a part of it ended early", d->path);
    if (d->ending || d->ranges_failed.status) {
        hal_download_free_work(r->filling);
        r->filling = NULL;
    } else if (r->refused || short_one) {
        hal_download_free_work(r->filling);
        r->filling = NULL;
        d->ranges_failed = err;
        hal_download_cancel_ranges(d);
    } else {
        if (flush_range(r, err.status ? &ignored : &err) || err.status)
            hal_download_end(d, &err);
    }
    if (d->ending) {
        hal_download_end_when_idle(d);
    } else if (!d->ranges_failed.status) {
        more_ranges(d);
    } else if (!d->n_ranges) {
        err = d->ranges_failed;
        d->ranges_failed = HAL_ERR_INIT;
        d->one_stream = true;
        hal_download_start_over(d, &err);
    }
}

static hal_status start_range(hal_download *d, hal_err *err)
{
    hal_range *r = d->ranges;
    while (r->x)
        r++;
    uint64_t left = (uint64_t)d->total - d->next_range;
    /* Pieces of an earlier range may be under way still; they count. */
    *r = (hal_range){.d = d, .offset = d->next_range, .n_pieces = r->n_pieces};
    r->end = r->offset + (left < HAL_RANGE_BYTES ? left : HAL_RANGE_BYTES);
    hal_request request = hal_download_request_of(d);
    hal_sink sink = {range_begin, range_write, NULL, r};
    hal_resume resume = {range_from, r, d->is_gzip};
    r->x = hal_exchange_start_resuming(d->loop, &request, &sink, &resume, range_done, r, err);
    if (!r->x)
        return err->status;
    d->n_ranges++;
    d->next_range = r->end;
    return HAL_OK;
}

static bool is_near(const hal_download *d)
{
    uint64_t first = d->next_range;
    for (int i = 0; i < HAL_RANGES_MAX; i++)
        if (d->ranges[i].x && d->ranges[i].offset < first)
            first = d->ranges[i].offset;
    return d->next_range - first < (uint64_t)HAL_RANGES_AHEAD * HAL_RANGE_BYTES;
}

static void more_ranges(hal_download *d)
{
    hal_err err = HAL_ERR_INIT;
    int room = hal_gate_room(d->gate);
    while (d->next_range < (uint64_t)d->total && d->n_ranges < HAL_RANGES_MAX && is_near(d) &&
           (!d->n_ranges || room > 1)) {
        if (start_range(d, &err)) {
            hal_download_end(d, &err);
            return;
        }
        room--;
    }
    if (!d->n_ranges) {
        d->offset = (uint64_t)d->total;
        hal_download_publish(d);
    }
}

void hal_download_go_on(hal_download *d)
{
    d->next_range = d->offset;
    if (hal_gate_room(d->gate) > 2) {
        d->keep_part = true;
        more_ranges(d);
        return;
    }
    d->one_stream = d->goes_on = true;
    hal_download_ask(d);
}
