/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/download_impl.h"
#include "net/header.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

enum { HEAD_BYTES = 1024 }; /* of a page that comes in pieces, to know it by */

/* What was asked for and nothing else: libcurl reports any 206 as success (D1, D4). */
bool hal_download_is_asked_part(const hal_download *d, const hal_outcome *answer)
{
    hal_content_range r;
    if (!hal_header_content_range(hal_slice_of(answer->content_range), &r) || r.first < 0 ||
        (uint64_t)r.first != d->asked_from || (r.total < 0 && d->asked_end))
        return false;
    int64_t last = d->asked_end && (int64_t)d->asked_end < r.total ? (int64_t)d->asked_end - 1
                   : r.total >= 0                                  ? r.total - 1
                                                                   : r.last;
    if (r.last != last ||
        (answer->content_length >= 0 && answer->content_length != r.last - r.first + 1))
        return false;
    /* A server that leaves the tag out where it gave one before (RFC 9110 15.3.7 says it must not)
     * may as well have overlooked If-Range. */
    return !d->asked_range ||
           ((r.total < 0 || d->total < 0 || r.total == d->total) && !strcmp(answer->etag, d->etag));
}

bool hal_download_ends_with(const hal_download *d, const char *ending)
{
    size_t n = strlen(d->path), m = strlen(ending);
    return n > m && !strcasecmp(d->path + n - m, ending);
}

const char *hal_outcome_header(const hal_outcome *answer, const char *wanted)
{
    const char *name = answer->headers;
    while (*name && strcmp(name, wanted) != 0) {
        const char *value = name + strlen(name) + 1;
        name = value + strlen(value) + 1;
    }
    return *name ? name + strlen(name) + 1 : "";
}

/* Of the whole file, also with a part of it; but Content-MD5 is of what comes. */
void hal_download_read_digest(hal_download *d, const hal_outcome *answer)
{
    hal_slice new = hal_slice_of(hal_outcome_header(answer, "repr-digest"));
    hal_slice old = hal_slice_of(hal_outcome_header(answer, "digest"));
    if (!hal_header_digest(new, "sha-256", true, d->said_sha256))
        hal_header_digest(old, "sha-256", false, d->said_sha256);
    if (!hal_header_digest(new, "md5", true, d->said_md5) &&
        !hal_header_digest(old, "md5", false, d->said_md5) && answer->http_status == 200)
        hal_header_md5(hal_slice_of(hal_outcome_header(answer, "content-md5")), d->said_md5);
}

static bool wants_html(const hal_download *d)
{
    return hal_download_ends_with(d, ".html") || hal_download_ends_with(d, ".htm") ||
           hal_download_ends_with(d, ".xhtml");
}

/* The file's first bytes as far as they came, `bytes` the last of them; none once they are many. */
static hal_slice head_of(const hal_download *d, hal_slice bytes, char room[HEAD_BYTES])
{
    size_t have = (size_t)d->offset;
    if (!d->offset)
        return bytes;
    if (d->offset >= HEAD_BYTES || !d->filling || !d->filling->begins)
        return (hal_slice){0};
    size_t n = bytes.size_bytes < HEAD_BYTES - have ? bytes.size_bytes : HEAD_BYTES - have;
    memcpy(room, d->filling->bytes, have);
    memcpy(room + have, bytes.data, n);
    return (hal_slice){room, have + n};
}

/* Pages and texts with status 200, where a service has no better way to say no. */
hal_status hal_download_check_start(const hal_download *d, hal_slice bytes, hal_err *err)
{
    char text[160], room[HEAD_BYTES];
    hal_slice head = wants_html(d) ? (hal_slice){0} : head_of(d, bytes, room);
    if (head.size_bytes &&
        hal_header_is_html(head, hal_slice_of(hal_exchange_answer(d->x)->content_type))) {
        hal_header_clean(text, sizeof text, head);
        hal_err_set(err, HAL_E_PROTOCOL, "an HTML page came where a file was asked for%s%s",
                    text[0] ? ": " : "", text);
        err->retryable = true; /* pages about maintenance pass (N26) */
        return HAL_E_PROTOCOL;
    }
    size_t have = d->offset < HAL_STARTS_MAX ? (size_t)d->offset : HAL_STARTS_MAX,
           n = strlen(d->starts);
    size_t look = have >= n ? 0 : n - have < bytes.size_bytes ? n - have : bytes.size_bytes;
    if (!look || !memcmp(d->starts + have, bytes.data, look))
        return HAL_OK;
    hal_header_clean(text, sizeof text, bytes);
    return hal_err_set(err, HAL_E_PROTOCOL,
                       "a file of another kind came than was asked for, it begins: %s", text);
}

/* The server's word against the catalogue's (fault matrix D7, N11, N27). */
bool hal_download_length_is_good(hal_download *d, hal_err *err)
{
    int64_t got = (int64_t)d->offset;
    d->result.size_mismatch_accepted = false;
    d->result.warning[0] = '\0';
    if (d->total >= 0 && got != d->total) {
        hal_err_set(err, HAL_E_INTEGRITY,
                    "%s: %" PRId64 " bytes came, the server announced %" PRId64, d->path, got,
                    d->total);
        return false;
    }
    /* never the new size of a file */
    if (got == 0 && d->expect_bytes != 0 && !d->expect_sha256[0]) {
        hal_err_set(err, HAL_E_PROTOCOL, "%s: the server sent an empty file; try again later",
                    d->path);
        d->restarts += d->restarts < HAL_RESTARTS_MAX; /* once again is enough */
        return false;
    }
    if (d->offset < strlen(d->starts)) {
        hal_err_set(err, HAL_E_PROTOCOL, "%s: %" PRId64 " bytes came, too few for its kind of file",
                    d->path, got);
        return false;
    }
    d->unverified = d->total < 0 && d->expect_bytes < 0 && !d->expect_sha256[0] &&
                    !d->said_sha256[0] && !d->said_md5[0];
    if (d->expect_bytes < 0 || got == d->expect_bytes)
        return true;
    if (d->total >= 0 && d->agreed_length == d->total && !d->has_better) {
        d->result.size_mismatch_accepted = true;
        snprintf(d->result.warning, sizeof d->result.warning,
                 "the catalogue says %" PRId64 " bytes, the server twice %" PRId64, d->expect_bytes,
                 got);
        return true;
    }
    d->agreed_length = d->total;
    hal_err_set(err, HAL_E_INTEGRITY,
                "%s: %" PRId64 " bytes came, the catalogue says %" PRId64 "; try again later",
                d->path, got, d->expect_bytes);
    return false;
}
