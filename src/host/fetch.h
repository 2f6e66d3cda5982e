/* SPDX-License-Identifier: BSD-3-Clause */
/* One data set from an archive: an exchange whose body is read to columns on a worker while it
 * arrives, asked again (the identical request) while the archive is still working. Phrases no
 * request, knows no archive. */
#ifndef HAL_HOST_FETCH_H
#define HAL_HOST_FETCH_H

#include "data/reader.h"
#include "net/exchange.h"

typedef struct hal_fetch hal_fetch;

/** Borrowed for the call of hal_fetch_start. */
typedef struct hal_fetch_request {
    hal_request http; /* `repeatable` and `coded` are set, `error_bodies` cleared: a data set can be
                       asked again; the first byte may take 600 s
                       */
    hal_format format;
    hal_reader_limits limits;
    const char *table;  /* of an answer of several, as in hal_reader_options; NULL: the first */
    bool keep_overflow; /* rows that the service cut at its limit are a result */
    size_t
        body_max_bytes; /* > 0: the bytes of the answer are wanted beside its table, if not more */
    bool poll;          /* false: an answer "still working" ends the fetch without a table */
    /** The archive says that `fraction` (< 0: not said) of its work is done. May be NULL. */
    void (*working)(void *ctx, double fraction, int polls);
    void *working_ctx;
} hal_fetch_request;

/** Borrowed during `done`; only `table` (set it to NULL) and `body` (move it) may be taken. */
typedef struct hal_fetch_result {
    hal_err err;       /* HAL_OK: answer and table are valid */
    hal_answer answer; /* of the final answer */
    hal_table *table;  /* NULL unless the answer is complete */
    hal_buf body;      /* empty when not wanted or too large */
    const hal_outcome *http;
    /** Connection reset, empty or cut answer: the tile verdict AMBIGUOUS (tiling design 6.1). */
    bool reset;
} hal_fetch_result;

typedef void (*hal_fetch_done)(void *ctx, hal_fetch_result *result);

/** `done` runs once on the loop thread, never before this call returns, also after cancellation;
 * the handle is gone then. An answer that says ERROR fails with HAL_E_ARCHIVE (HAL_E_NOT_FOUND for
 * an unknown target) and its message, an HTTP error with what its body says, rows cut at the
 * service's limit with HAL_E_TRUNCATED unless keep_overflow; an answer that cannot be read with the
 * reader's error, after it was asked for again as the fault matrix demands (twice when damaged or
 * of another kind, once when empty). NULL and `err` on failure. */
hal_fetch *hal_fetch_start(hal_loop *loop, const hal_fetch_request *request, hal_fetch_done done,
                           void *ctx, hal_err *err);
void hal_fetch_cancel(hal_fetch *f);

#endif
