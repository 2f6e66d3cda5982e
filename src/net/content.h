/* SPDX-License-Identifier: BSD-3-Clause */
/* What a file's own bytes say about its being whole (fault matrix D11, N11, N16): FITS, gzip, zip
 * and VOTable, known by their first bytes. Says nothing of what the file holds; knows no network.
 * Private to this folder. */
#ifndef HAL_NET_CONTENT_H
#define HAL_NET_CONTENT_H

#include "base/status.h"

#include <stdint.h>

typedef enum hal_content {
    HAL_CONTENT_SILENT,  /* nothing to judge by */
    HAL_CONTENT_WHOLE,   /* ends where it says */
    HAL_CONTENT_ODD,     /* not quite as its format or its name wants; nothing of it is missing */
    HAL_CONTENT_SHORT,   /* FITS that ends before its headers say; these are wrong at times */
    HAL_CONTENT_CUT,     /* ends before it should */
    HAL_CONTENT_DAMAGED, /* what is there contradicts its own check sum */
} hal_content;

enum { HAL_CONTENT_WHY_SIZE = 160 };

/** Reads the open file `fd` of `size_bytes` where its format tells; a gzip file is read to its end
 * and leaves the position of `fd` anywhere. `name` says which format is expected and shows in
 * messages. `why`: what is wrong, a phrase without the name, "" for silent and whole. Blocking:
 * worker thread. HAL_E_IO, HAL_E_NOMEM. */
hal_status hal_content_look(int fd, const char *name, uint64_t size_bytes, hal_content *out,
                            char why[HAL_CONTENT_WHY_SIZE], hal_err *err) HAL_MUST_CHECK;

#endif
