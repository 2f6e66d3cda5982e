/* SPDX-License-Identifier: BSD-3-Clause */
/* What the server says of a file that is there and whole: one HEAD request where the caller wants
 * it verified (fault matrix D8). Its size and its entity tag are compared with the record. */
#include "net/download_impl.h"

#include "net/header.h"

#include <stdio.h>

/* The file was checked on the disk: only these failures mean that it must not stand. */
static bool is_fatal(hal_status status)
{
    return status == HAL_E_CANCELLED || status == HAL_E_BUDGET || status == HAL_E_NOMEM ||
           status == HAL_E_INTERNAL;
}

static bool has_changed(const hal_download *d, const hal_outcome *answer)
{
    hal_file_line line;
    bool is_coded = hal_outcome_header(answer, "content-encoding")[0] && !d->is_gzip;
    if (!is_coded && answer->content_length >= 0 &&
        (uint64_t)answer->content_length != d->found_record.bytes)
        return true;
    return hal_folder_find_line(d->folder, d->path, &line) && line.etag[0] &&
           hal_header_is_strong_etag(hal_slice_of(answer->etag)) &&
           strcmp(line.etag, answer->etag) != 0;
}

static void answered(void *ctx, const hal_outcome *outcome)
{
    hal_download *d = ctx;
    d->x = NULL;
    d->result.tries += outcome->tries;
    d->result.wire_bytes += outcome->wire_bytes;
    if (d->ending) {
        hal_download_end_when_idle(d);
    } else if (is_fatal(outcome->err.status)) {
        hal_download_end(d, &outcome->err);
    } else if (!outcome->err.status && has_changed(d, outcome)) {
        hal_download_fetch_anew(d);
    } else {
        if (outcome->err.status)
            snprintf(d->result.warning, sizeof d->result.warning,
                     "the server does not say whether the file changed: %.140s", outcome->err.text);
        hal_download_was_there(d);
    }
}

void hal_download_look(hal_download *d)
{
    hal_err err = HAL_ERR_INIT;
    hal_request request = hal_download_request_of(d);
    hal_sink sink = {0};
    request.method = "HEAD";
    d->x = hal_exchange_start(d->loop, &request, &sink, answered, d, &err);
    if (!d->x)
        hal_download_end(d, &err);
}
