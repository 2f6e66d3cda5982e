/* SPDX-License-Identifier: BSD-3-Clause */
/* Unpacks what an archive sends as zip or tar.gz, trusting nothing in it (security model, section
 * 7.3): names are made safe or refused, links and devices refused, members, bytes and ratio
 * limited; the files appear under their folder's final name all together or not at all. */
#ifndef HAL_NET_BUNDLE_H
#define HAL_NET_BUNDLE_H

#include "base/buf.h"

#include <stdatomic.h>
#include <stdint.h>

enum {
    HAL_BUNDLE_MEMBERS_MAX = 10000,
    HAL_BUNDLE_RATIO_MAX = 200,
    HAL_BUNDLE_RATIO_FROM_BYTES = 10 << 20, /* the ratio counts from here on */
    HAL_BUNDLE_HEAD_BYTES = 64 << 10,
};

typedef struct hal_bundle_request {
    const char *dir;  /* existing output folder; nothing is ever written outside it */
    const char *file; /* the bundle, relative to `dir` */
    const char *into; /* the folder to make, relative to `dir`; NULL: nothing is written */
    uint64_t max_bytes;
    bool replace; /* an existing folder `into`, with all that is in it, is replaced */
    bool remove;  /* the bundle goes when it is damaged or refused: it can be had again */
} hal_bundle_request;

typedef struct hal_bundle_member {
    char *path; /* relative to `into` */
    uint64_t size_bytes;
    char sha256[65];
} hal_bundle_member;

typedef struct hal_bundle {
    hal_bundle_member *members; /* in the order of the bundle */
    size_t n_members;
    uint64_t size_bytes;
    bool is_none; /* the file is neither zip nor gzip: it is removed, `head` holds its beginning */
    hal_buf head;
} hal_bundle;

/** Blocking: worker thread. HAL_E_INTEGRITY: damaged, empty, or a member with a name or of a kind
 * that is not allowed; HAL_E_BUDGET: a limit; HAL_E_IO, also when `into` exists; HAL_E_USAGE;
 * HAL_E_CANCELLED. Clear `out` in any case. */
hal_status hal_bundle_unpack(const hal_bundle_request *request, const _Atomic bool *cancel,
                             hal_bundle *out, hal_err *err) HAL_MUST_CHECK;
void hal_bundle_clear(hal_bundle *b);

#endif
