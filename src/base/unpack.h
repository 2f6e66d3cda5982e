/* SPDX-License-Identifier: BSD-3-Clause */
/* Compressed bodies (gzip, RFC 1952; zstd, RFC 8878) piece by piece, with the checks libcurl does
 * not make: the stream must end, with a right check sum, and nothing but another member may follow;
 * beyond 10 MiB it must not unpack to more than 200 times its size (security model, section 7.3).
 */
#ifndef HAL_BASE_UNPACK_H
#define HAL_BASE_UNPACK_H

#include "base/slice.h"
#include "base/status.h"

#include <stdint.h>

typedef struct hal_unpack hal_unpack;
typedef hal_status (*hal_unpack_sink)(void *ctx, const char *bytes, size_t n, hal_err *err);

typedef enum hal_packing { HAL_PACKING_NONE, HAL_PACKING_GZIP, HAL_PACKING_ZSTD } hal_packing;

enum { HAL_PACKING_MARK_BYTES = 4 };

/** By the first bytes; `*more` when fewer than HAL_PACKING_MARK_BYTES leave it open. */
hal_packing hal_packing_of(hal_slice head, bool *more);

/** The libraries are loaded at first use; HAL_E_USAGE names the package when one is missing. */
hal_unpack *hal_unpack_new(hal_packing packing, hal_err *err);
void hal_unpack_free(hal_unpack *u);
/** Hands what `bytes` unpack to in pieces to `sink`. HAL_E_INTEGRITY: damaged; HAL_E_BUDGET: the
 * ratio. */
hal_status hal_unpack_feed(hal_unpack *u, const char *bytes, size_t n, hal_unpack_sink sink,
                           void *ctx, hal_err *err) HAL_MUST_CHECK;
/** Fails with HAL_E_INTEGRITY when the stream has not ended. */
hal_status hal_unpack_finish(const hal_unpack *u, hal_err *err) HAL_MUST_CHECK;

#endif
