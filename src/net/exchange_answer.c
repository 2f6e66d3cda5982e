/* SPDX-License-Identifier: BSD-3-Clause */
/* The headers and the body of an answer, as libcurl hands them over. */
#include "net/exchange_impl.h"

#include "net/header.h"

#include <stdio.h>
#include <strings.h>

void hal_exchange_begin_answer(hal_exchange *x)
{
    x->status = 0;
    x->in_headers = true;
    x->has_headers = x->delivering = x->length_conflict = x->has_retry_after = x->in_frames = false;
    x->location[0] = x->coding[0] = x->retry_after[0] = x->date[0] = '\0';
    x->header_bytes = x->n_headers = x->outcome_header_bytes = 0;
    hal_buf_clear(&x->server_text);
    hal_buf_clear(&x->unpacked);
    hal_unpack_free(x->unpack);
    x->unpack = NULL;
    x->n_taken_ahead = 0;
    hal_outcome *o = &x->outcome;
    o->headers[0] = o->headers[1] = o->location[0] = '\0';
    o->http_status = 0;
    o->content_type[0] = o->etag[0] = o->last_modified[0] = o->content_range[0] = '\0';
    o->content_length = -1;
    o->unbounded = false;
    o->body_bytes = 0;
}

static void copy_value(char *out, size_t size, hal_slice value)
{
    if (value.size_bytes < size) {
        memcpy(out, value.data, value.size_bytes);
        out[value.size_bytes] = '\0';
    } else {
        out[0] = '\0'; /* a cut value would be a wrong one */
    }
}

/* Several headers of a name are one list (RFC 9110 5.3). One that is cut is no known coding. */
static void add_coding(hal_exchange *x, const char *kind, hal_slice value)
{
    size_t n = strlen(x->coding);
    snprintf(x->coding + n, sizeof x->coding - n, "%s%s%.*s", n ? ", " : "", kind,
             (int)value.size_bytes, value.data);
}

/* Two bytes are left for the end: an empty name, an empty value. */
static void keep_header(hal_exchange *x, hal_slice name, hal_slice value)
{
    size_t room = HAL_HEADERS_BYTES - 2 - x->outcome_header_bytes;
    if (x->n_headers == HAL_HEADERS_MAX || name.size_bytes + value.size_bytes + 2 > room ||
        hal_header_is(name, "Set-Cookie") || hal_header_is(name, "Set-Cookie2"))
        return;
    char *out = x->outcome.headers + x->outcome_header_bytes;
    for (size_t i = 0; i < name.size_bytes; i++)
        *out++ = name.data[i] >= 'A' && name.data[i] <= 'Z' ? (char)(name.data[i] + ('a' - 'A'))
                                                            : name.data[i];
    *out++ = '\0';
    for (size_t i = 0; i < value.size_bytes; i++) {
        unsigned char c = (unsigned char)value.data[i];
        *out++ = c == '\t' ? ' ' : c < 0x20 || c > 0x7e ? '?' : (char)c;
    }
    memset(out, 0, 3);
    x->outcome_header_bytes = (size_t)(out + 1 - x->outcome.headers);
    x->n_headers++;
}

static void read_header(hal_exchange *x, hal_slice name, hal_slice value)
{
    hal_outcome *o = &x->outcome;
    int64_t length;
    keep_header(x, name, value);
    if (hal_header_is(name, "Content-Length")) {
        if (!hal_header_size(value, &length) ||
            (o->content_length >= 0 && o->content_length != length))
            x->length_conflict = true;
        else
            o->content_length = length;
    } else if (hal_header_is(name, "Content-Type")) {
        copy_value(o->content_type, sizeof o->content_type, value);
    } else if (hal_header_is(name, "ETag")) {
        copy_value(o->etag, sizeof o->etag, value);
    } else if (hal_header_is(name, "Last-Modified")) {
        copy_value(o->last_modified, sizeof o->last_modified, value);
    } else if (hal_header_is(name, "Content-Range")) {
        copy_value(o->content_range, sizeof o->content_range, value);
    } else if (hal_header_is(name, "Content-Encoding")) {
        add_coding(x, "", value);
    } else if (hal_header_is(name, "Transfer-Encoding")) {
        /* libcurl would unpack it without looking for its end (N16) */
        x->in_frames |= hal_header_is(value, "chunked");
        if (!hal_header_is(value, "chunked") && !hal_header_is(value, "identity"))
            add_coding(x, "transfer ", value);
    } else if (hal_header_is(name, "Location")) {
        copy_value(x->location, sizeof x->location, value);
    } else if (hal_header_is(name, "Date")) {
        copy_value(x->date, sizeof x->date, value);
    } else if (hal_header_is(name, "Retry-After")) {
        copy_value(x->retry_after, sizeof x->retry_after, value);
    }
}

/* How the body is packed: one layer, which was offered. */
static hal_status open_coding(hal_exchange *x, bool wanted)
{
    static const struct {
        const char *name;
        hal_packing packing;
    } known[] = {{"", HAL_PACKING_NONE},
                 {"identity", HAL_PACKING_NONE},
                 {"gzip", HAL_PACKING_GZIP},
                 {"x-gzip", HAL_PACKING_GZIP},
                 {"zstd", HAL_PACKING_ZSTD}};
    size_t i = 0, n = sizeof known / sizeof *known;
    while (i < n && strcasecmp(known[i].name, x->coding) != 0)
        i++;
    hal_packing packing = i < n ? known[i].packing : HAL_PACKING_NONE;
    if (i < n && (packing == HAL_PACKING_NONE || !x->outcome.content_length ||
                  (packing == HAL_PACKING_GZIP && x->resume.of_gzip)))
        return HAL_OK;
    if (packing != HAL_PACKING_NONE && x->request.coded) {
        x->unpack = hal_unpack_new(packing, &x->stop);
        return x->unpack ? HAL_OK : x->stop.status;
    }
    if (!wanted) /* the words of a refusal, unread */
        return HAL_OK;
    char host[300];
    hal_err_set(&x->stop, HAL_E_PROTOCOL,
                "%s: the server sends it packed (%.40s), which was not asked for; try again later "
                "or tell the archive",
                hal_exchange_host(x, host, sizeof host), x->coding);
    x->stop.retryable = x->resume.from != NULL; /* a proxy on the way may have done it */
    return HAL_E_PROTOCOL;
}

static hal_status headers_whole(hal_exchange *x)
{
    x->in_headers = false;
    x->has_headers = true;
    x->outcome.http_status = x->status;
    int64_t date_s = -1;
    x->has_retry_after =
        x->retry_after[0] &&
        hal_header_retry_after(hal_slice_of(x->retry_after),
                               hal_header_date(hal_slice_of(x->date), &date_s) ? date_s : -1,
                               hal_clock_wall_ms(x->loop->clock) / 1000, &x->retry_after_s);
    if (x->length_conflict)
        return hal_err_set(
            &x->stop, HAL_E_PROTOCOL,
            "the answer states its length in contradicting ways; it cannot be trusted");
    bool head = !strcmp(x->method, "HEAD") && !x->as_get;
    bool wanted =
        !hal_exchange_is_redirect(x) && (hal_exchange_is_good(x) || x->request.error_bodies);
    hal_status st = head ? HAL_OK : open_coding(x, wanted);
    x->outcome.unbounded = x->outcome.content_length < 0 && !x->in_frames && !x->unpack && !head;
    if (st || !wanted)
        return st;
    if (head) { /* what it says is of a body that stays away */
        x->delivering = true;
        return x->sink.begin ? x->sink.begin(x->sink.ctx, x->status, &x->stop) : HAL_OK;
    }
    if (x->request.body_max_bytes < (uint64_t)INT64_MAX &&
        x->outcome.content_length > (int64_t)x->request.body_max_bytes)
        return hal_err_set(
            &x->stop, HAL_E_BUDGET, "the answer has %lld bytes, more than the limit of %llu",
            (long long)x->outcome.content_length, (unsigned long long)x->request.body_max_bytes);
    x->delivering = true;
    if (!x->sink.begin)
        return HAL_OK;
    return x->sink.begin(x->sink.ctx, x->status, &x->stop);
}

size_t hal_exchange_on_header(char *bytes, size_t size, size_t n, void *ctx)
{
    hal_exchange *x = ctx;
    n *= size;
    x->outcome.wire_bytes += n;
    x->loop->stats.wire_bytes += n;
    if (x->phase == HAL_ENDING)
        return 0;
    if (n > 5 && !memcmp(bytes, "HTTP/", 5)) {
        hal_exchange_begin_answer(x);
        x->in_frames = bytes[5] != '1'; /* of HTTP/2 */
        x->header_bytes = n;
        const char *blank = memchr(bytes, ' ', n);
        size_t left = blank ? n - (size_t)(blank + 1 - bytes) : 0;
        int64_t status = 0;
        if (left >= 3 && hal_header_size((hal_slice){blank + 1, 3}, &status))
            x->status = (int)status;
        return n;
    }
    if (!x->in_headers) /* trailer of a chunked body */
        return n;
    x->header_bytes += n;
    hal_slice name, value;
    if (bytes[0] != '\r' && bytes[0] != '\n') {
        if (hal_header_split((hal_slice){bytes, n}, &name, &value))
            read_header(x, name, value);
        return n;
    }
    if (x->status >= 100 && x->status < 200)
        return n;
    hal_alarm_set(x->loop, &x->watch, hal_exchange_now_ns(x) + HAL_WATCH_S * HAL_NS_PER_S);
    x->watched_bytes = 0;
    hal_status st = headers_whole(x);
    if (st)
        x->stop.status = st;
    return st ? 0 : n;
}

/* Hands bytes of the body on. HAL_E_BUSY: the sink takes none just now. */
static hal_status take(hal_exchange *x, const char *bytes, size_t n)
{
    if (x->delivering) {
        if (x->outcome.body_bytes + n > x->request.body_max_bytes)
            return hal_err_set(&x->stop, HAL_E_BUDGET,
                               "the answer is longer than the limit of %llu bytes",
                               (unsigned long long)x->request.body_max_bytes);
        hal_status st = x->sink.write ? x->sink.write(x->sink.ctx, bytes, n, &x->stop) : HAL_OK;
        if (st)
            return st;
    } else {
        size_t room = HAL_SERVER_TEXT_MAX - x->server_text.size_bytes;
        hal_status st = hal_buf_append(&x->server_text, bytes, n < room ? n : room, &x->stop);
        if (st)
            return st;
    }
    x->outcome.body_bytes += n;
    return HAL_OK;
}

/* What the sink does not take waits; what comes behind it too. */
static hal_status take_unpacked(void *ctx, const char *bytes, size_t n, hal_err *err)
{
    hal_exchange *x = ctx;
    hal_status st = x->unpacked.size_bytes ? HAL_E_BUSY : take(x, bytes, n);
    return st == HAL_E_BUSY ? hal_buf_append(&x->unpacked, bytes, n, err) : st;
}

static hal_status take_waiting(hal_exchange *x)
{
    if (!x->unpacked.size_bytes)
        return HAL_OK;
    hal_status st = take(x, x->unpacked.data, x->unpacked.size_bytes);
    if (!st)
        hal_buf_clear(&x->unpacked);
    return st;
}

/* After a pause libcurl offers the bytes again that were unpacked already. */
static hal_status unpack(hal_exchange *x, const char *bytes, size_t n)
{
    hal_status st = take_waiting(x);
    if (st)
        return st;
    size_t ahead = x->n_taken_ahead < n ? x->n_taken_ahead : n;
    x->n_taken_ahead -= ahead;
    st = hal_unpack_feed(x->unpack, bytes + ahead, n - ahead, take_unpacked, x, &x->stop);
    if (st == HAL_E_INTEGRITY)
        x->stop.retryable = true; /* N15 */
    if (st || !x->unpacked.size_bytes)
        return st;
    x->n_taken_ahead = n;
    return HAL_E_BUSY;
}

size_t hal_exchange_on_body(char *bytes, size_t size, size_t n, void *ctx)
{
    hal_exchange *x = ctx;
    n *= size;
    if (x->phase == HAL_ENDING)
        return 0;
    hal_status st = x->unpack ? unpack(x, bytes, n) : take(x, bytes, n);
    if (st == HAL_E_BUSY) {
        x->stop = HAL_ERR_INIT;
        x->is_paused = true;
        x->paused_since_ns = hal_exchange_now_ns(x);
        return CURL_WRITEFUNC_PAUSE;
    }
    if (st) {
        x->stop.status = st;
        return 0;
    }
    x->outcome.wire_bytes += n;
    x->loop->stats.wire_bytes += n;
    return n;
}
