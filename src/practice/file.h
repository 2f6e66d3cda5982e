/* SPDX-License-Identifier: BSD-3-Clause */
/* The bytes of product files, computed from the URI at any offset: nothing is stored. */
#ifndef HAL_PRACTICE_FILE_H
#define HAL_PRACTICE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HAL_FITS_BLOCK = 2880 };

typedef struct hal_file {
    uint64_t size_bytes;
    uint64_t key;
    char etag[24]; /* with quotes, strong (RFC 9110 section 8.8.3) */
    bool is_fits;
    const char *content_type;
    char header[HAL_FITS_BLOCK]; /* FITS header, or the head of another file */
    size_t header_bytes;
    uint64_t data_bytes; /* FITS: before the padding to a whole block */
} hal_file;

/** Describes the file of that URI; false: the archive has none. */
bool hal_file_open(uint64_t seed, const char *uri, hal_file *out);
/** Bytes [offset, offset + n) into `out`; n is cut at the end of the file. Returns the count. */
size_t hal_file_part(const hal_file *f, uint64_t offset, char *out, size_t n);

#endif
