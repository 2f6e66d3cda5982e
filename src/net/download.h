/* SPDX-License-Identifier: BSD-3-Clause */
/* One file from a URL to a verified file on disk: temporary name beside the target, size and
 * SHA-256 on the way, atomic rename into place. A file under its final name is whole, always.
 * Resume with validators. */
#ifndef HAL_NET_DOWNLOAD_H
#define HAL_NET_DOWNLOAD_H

#include "net/exchange.h"
#include "net/file_index.h"

typedef struct hal_download_request {
    const char *url;
    const char *source; /* what the file is, wherever it is fetched from (an archive's URI);
                           NULL: the URL */
    const char *dir;    /* existing output folder; nothing is ever written outside it */
    const char
        *path; /* relative, components already made safe by hal_safe_name; folders are made */
    int64_t expect_bytes;       /* catalogue's size; < 0: unknown */
    const char *expect_sha256;  /* 64 hex digits or NULL */
    const char *starts;         /* first bytes of every file of its kind; NULL: any */
    bool replace;               /* overwrite a foreign file or one of another source */
    bool verify;                /* re-hash a file that is there, and ask for it by HEAD */
    bool keep_bad;              /* what is not whole, or not the file, stays as NAME.bad */
    const hal_secrets *secrets; /* NULL: none */
    void (*words)(char *out, size_t size, hal_slice body); /* as of a request */
} hal_download_request;

typedef struct hal_download_result {
    hal_err err;
    bool skipped;                /* was already there, whole */
    bool size_mismatch_accepted; /* catalogue size stale, server's length agreed twice */
    char warning[200];           /* one line for the record, or "" */
    uint64_t bytes;
    char sha256[65];
    int tries;
    uint64_t wire_bytes;
} hal_download_result;

typedef struct hal_download hal_download;
typedef void (*hal_download_done)(void *ctx, const hal_download_result *result);

/** As hal_exchange_start. A download of a path that is under way already waits for that one and
 * then finds the file there (fault matrix D10). What is already there counts as whole, without a
 * request, when its source, size and mtime are those of the folder's state record
 * (`.halyard/files`), or its SHA-256 is the recorded or expected one; if the catalogue gives
 * another size than then, it is fetched again; with `verify` and no expected SHA-256 also when the
 * server gives another size or strong ETag in one HEAD request. Another file of that name, or a
 * copy of another source, is HAL_E_IO unless `replace`. While it comes in, a file is called
 * `.NAME.part`; that is kept after a failure only if it can be resumed (strong ETag, same URL, same
 * boot of this machine: what a power loss left cannot be trusted). A file of 64 MiB or more whose
 * size the catalogue or a part tells comes in several ranges at once where the host can and has
 * nothing else to do. What fails with HAL_E_INTEGRITY goes, or with `keep_bad` becomes NAME.bad, in
 * place of an earlier one.
 */
hal_download *hal_download_start(hal_loop *loop, const hal_download_request *request,
                                 hal_download_done done, void *ctx, hal_err *err);
void hal_download_cancel(hal_download *d);

/** How many bytes are there of the files that `loop` is downloading, also of an earlier run. */
uint64_t hal_downloads_bytes(const hal_loop *loop);

/** The latest record of `path` in a folder `dir` into which `loop` downloaded something. */
bool hal_download_line(hal_loop *loop, const char *dir, const char *path, hal_file_line *out);

/** One path component that is safe to create, from a server's or script's text: security model
 * section 7.1. */
hal_status hal_safe_name(hal_buf *out, const char *name, hal_err *err) HAL_MUST_CHECK;
/** True: hal_safe_name would give it as it is. Quick, and true of most; false says nothing. */
bool hal_is_safe_name(const char *name);

#endif
