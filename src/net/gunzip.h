/* SPDX-License-Identifier: BSD-3-Clause */
/* Gzip (RFC 1952) from a file, piece by piece, with the checks libarchive 3.6 does not make: each
 * member must end, with a right check sum and length, and nothing but further members or zero bytes
 * may follow. How much it unpacks to is for the caller to limit. Private to this folder. */
#ifndef HAL_NET_GUNZIP_H
#define HAL_NET_GUNZIP_H

#include "base/slice.h"
#include "base/status.h"

typedef struct hal_gunzip hal_gunzip;

/** Reads `fd` from where it stands; `fd` and `name`, which messages show, are borrowed for life.
 * NULL with HAL_E_NOMEM, or with HAL_E_IO naming the package when zlib is missing. */
hal_gunzip *hal_gunzip_new(int fd, const char *name, hal_err *err);
void hal_gunzip_free(hal_gunzip *g);

/** Borrows the next bytes until the next call; none once all has ended as it must.
 * HAL_E_INTEGRITY: damaged, cut, or more behind it; HAL_E_IO; HAL_E_NOMEM. */
hal_status hal_gunzip_next(hal_gunzip *g, hal_slice *out, hal_err *err) HAL_MUST_CHECK;

#endif
