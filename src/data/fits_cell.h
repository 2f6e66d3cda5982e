/* SPDX-License-Identifier: BSD-3-Clause */
/* One column of a FITS table: how its cells lie in a row, and many cells at a time from there into
 * the memory of a column (FITS standard 4.0, sections 7.2 and 7.3). Private to this folder. */
#ifndef HAL_DATA_FITS_CELL_H
#define HAL_DATA_FITS_CELL_H

#include "data/fits_header.h"
#include "data/table.h"

typedef struct hal_fits_cell {
    char code;           /* of TFORM: L X B I J K A E D C M; ASCII tables: a (A) i (I) f (F E D) */
    bool variable;       /* P or Q: a descriptor in the row, the items in the heap */
    bool wide_pointer;   /* Q */
    hal_type type;       /* that its items become */
    uint64_t repeat;     /* items; of A bytes, of X bits */
    uint64_t item_bytes; /* of one item in the file; X: 0 */
    uint64_t at, bytes;  /* in the row */
    int decimals;        /* ASCII F, E, D without a point */
    const hal_fits_column *column;
} hal_fits_cell;

/** Reads TFORM and its companions of column `i` of a header; `*at` is where the column of a binary
 * table begins and is moved behind it. Fails with HAL_E_INTEGRITY. */
hal_status hal_fits_cell_init(hal_fits_cell *c, const hal_fits_header *h, size_t i, uint64_t *at,
                              hal_err *err) HAL_MUST_CHECK;

/** Bytes of `n` items. */
uint64_t hal_fits_items_bytes(const hal_fits_cell *c, uint64_t n);

/** `n` items of a code but A at `in` to `out`, laid out as in a column of c->type; bit i of `valid`
 * says whether item i is not null. Returns how many are null. */
uint64_t hal_fits_items(const hal_fits_cell *c, const unsigned char *in, uint64_t n, void *out,
                        uint8_t *valid);

/** The cells of `n` rows of one item each, `stride` bytes apart (B I J K E D C M). Clears bit i of
 * `valid` (of ones) for what is null and returns how many are. */
uint64_t hal_fits_scalars(const hal_fits_cell *c, const unsigned char *in, uint64_t stride,
                          uint64_t n, void *out, uint8_t *valid);

/** True when one of `n` items, `stride` bytes apart, is an unsigned 64-bit integer that no int64
 * holds, and the value of the first. */
bool hal_fits_find_huge(const hal_fits_cell *c, const unsigned char *in, uint64_t n,
                        uint64_t stride, uint64_t *value);

/** Text of `n` bytes of a cell: up to the first NUL, or without the blanks at the end. False: null
 * (it begins with NUL, or holds nothing). */
bool hal_fits_text(const char *in, uint64_t n, hal_slice *text);
/** The text at `out`, Latin-1 as UTF-8 (at most twice as long); its size. */
size_t hal_fits_text_copy(char *out, hal_slice text);

typedef enum hal_fits_number {
    HAL_FITS_IS_NULL,
    HAL_FITS_IS_NUMBER,
    HAL_FITS_IS_BROKEN,
    HAL_FITS_IS_BEYOND /* the range of a double */
} hal_fits_number;
/** Whether a field of an ASCII table is TNULLn. */
bool hal_fits_ascii_is_null(const hal_fits_cell *c, const char *in);
/** A number of an ASCII table. */
hal_fits_number hal_fits_ascii_int(const hal_fits_cell *c, const char *in, int64_t *out);
hal_fits_number hal_fits_ascii_float(const hal_fits_cell *c, const char *in, double *out);

#endif
