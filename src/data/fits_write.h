/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parts of the FITS writer share: the block of columns that is being collected and the
 * layout of the table. fits_write.c collects blocks and lays the table out, fits_write_cards.c
 * makes its header, fits_write_rows.c turns blocks into rows and the heap. Private to these. */
#ifndef HAL_DATA_FITS_WRITE_H
#define HAL_DATA_FITS_WRITE_H

#include "data/fits.h"

#include "base/buf.h"
#include "data/types.h"

typedef struct hal_fits_out_column {
    hal_type type; /* as stored in the block: timestamps of one item are texts */
    int32_t width; /* of the field */
    bool heap;     /* variable: a count and its items */
    size_t item;   /* bytes of one item in the block; bool: 1 */
    bool is_time;  /* texts made of timestamps */
    /* The block: one flag and, for variable ones, one count a row; then all items. */
    hal_buf nulls, counts, items, item_nulls;
    uint64_t n_rows;
    /* What all rows say. */
    bool any_null;
    uint64_t low[4]; /* integers: which of the lowest 64 values occur; uint8: which of all */
    uint64_t longest, total, n_extra; /* n_extra: texts with one byte more, see put_heap_text */
    /* The layout. */
    char code;
    uint64_t at, bytes; /* in the row */
    uint64_t out_item;  /* bytes of one item in the file */
    int64_t null_value;
    uint64_t heap_at; /* of the block's first item of this column */
} hal_fits_out_column;

typedef struct hal_fits_out {
    hal_outfile *file;
    hal_table *schema; /* no rows: the fields and the metadata */
    size_t n_columns;
    hal_fits_out_column *columns;
    uint64_t n_rows, n_block;
    uint64_t block_bytes;
    int spill; /* -1: none yet */
    uint64_t spill_size;
    uint64_t row_bytes, heap_bytes;
    bool wide_pointers;
} hal_fits_out;

/** Writes the empty primary header and the header of the table. */
hal_status hal_fits_put_headers(hal_fits_out *w, hal_err *err) HAL_MUST_CHECK;
/** The rows of the block; `heap` is how far the heap is filled by the blocks before. */
hal_status hal_fits_put_rows(hal_fits_out *w, uint64_t *heap, hal_err *err) HAL_MUST_CHECK;
/** What the block has for the heap. */
hal_status hal_fits_put_heap(hal_fits_out *w, hal_err *err) HAL_MUST_CHECK;

static inline bool hal_fits_flag(const hal_buf *flags, uint64_t i)
{
    return i < flags->size_bytes && flags->data[i];
}

/** In the heap, an empty text is one blank (nothing is null), and a NUL makes blanks count. */
static inline bool hal_fits_needs_extra(hal_slice text)
{
    return text.size_bytes == 0 || text.data[text.size_bytes - 1] == ' ';
}

#endif
