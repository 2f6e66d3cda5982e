/* SPDX-License-Identifier: BSD-3-Clause */
/* SHA-256 (FIPS 180-4) by libcrypto, which is loaded at first use. Any thread, one at a time. */
#ifndef HAL_NET_DIGEST_H
#define HAL_NET_DIGEST_H

#include "base/status.h"

enum { HAL_SHA256_BYTES = 32, HAL_SHA256_TEXT_SIZE = 65, HAL_MD5_TEXT_SIZE = 33 };

typedef struct hal_sha256 hal_sha256;

/** NULL and err (HAL_E_NOMEM, HAL_E_IO when the library is missing). */
hal_sha256 *hal_sha256_new(hal_err *err);
void hal_sha256_free(hal_sha256 *digest);
/** Forgets what was added. */
hal_status hal_sha256_reset(hal_sha256 *digest, hal_err *err) HAL_MUST_CHECK;
hal_status hal_sha256_add(hal_sha256 *digest, const void *bytes, size_t n,
                          hal_err *err) HAL_MUST_CHECK;
/** Reset before adding again. */
hal_status hal_sha256_bytes(hal_sha256 *digest, unsigned char out[HAL_SHA256_BYTES],
                            hal_err *err) HAL_MUST_CHECK;
/** The same as 64 lower-case hex digits and NUL. */
hal_status hal_sha256_text(hal_sha256 *digest, char out[HAL_SHA256_TEXT_SIZE],
                           hal_err *err) HAL_MUST_CHECK;
/** MD5 (RFC 1321) of all that `fd` holds: against damage, for servers that state no better sum. ""
 * where this libcrypto refuses to compute it. */
hal_status hal_md5_of_fd(int fd, char out[HAL_MD5_TEXT_SIZE], hal_err *err) HAL_MUST_CHECK;
/** Of a text at once. */
hal_status hal_sha256_of(const char *text, char out[HAL_SHA256_TEXT_SIZE],
                         hal_err *err) HAL_MUST_CHECK;

#endif
