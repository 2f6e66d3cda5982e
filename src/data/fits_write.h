/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parts of the FITS writer share: the block of columns that is being collected and the
 * layout of the table. fits_write.c collects blocks and lays the table out, fits_write_block.c
 * keeps them and writes one while the next fills, fits_write_cards.c makes the header,
 * fits_write_rows.c turns blocks into rows and the heap. Private to these. */
#ifndef HAL_DATA_FITS_WRITE_H
#define HAL_DATA_FITS_WRITE_H

#include "data/fits.h"

#include "base/buf.h"
#include "data/types.h"

enum { HAL_FITS_BLOCK_ROWS = 65536 };

/* Where a column's cells lie in a row and what they look like. */
typedef struct hal_fits_place {
    char code;
    bool heap;          /* a pointer to items in the heap */
    bool any_null;      /* some cell or item is null */
    uint64_t at, bytes; /* in the row */
    uint64_t out_item;  /* bytes of one item in the file */
    int64_t null_value;
} hal_fits_place;

typedef struct hal_fits_out_column {
    hal_type type; /* as stored in the block: timestamps of one item are texts */
    int32_t width; /* of the field */
    bool variable; /* in the block: a count and its items */
    size_t item;   /* bytes of one item in the block; bool: 1 */
    bool is_time;  /* texts made of timestamps */
    /* The block: one flag and, for variable ones, one count a row; then all items. */
    hal_buf nulls, counts, items, item_nulls;
    /* What all rows say. */
    bool any_null;
    bool lone_blank;            /* some text is a single blank */
    uint64_t low[4];            /* integers: which of the lowest 64 values occur; uint8: of all */
    uint64_t longest, total;    /* items of a cell */
    uint64_t n_extra;           /* texts with one byte more in the heap */
    hal_fits_place to, written; /* for all rows so far; for the rows in the output */
} hal_fits_out_column;

typedef struct hal_fits_out {
    hal_outfile *file;
    hal_table *schema; /* no rows: the fields and the metadata */
    size_t n_columns;
    hal_fits_out_column *columns;
    uint64_t n_rows, n_block;
    uint64_t row_bytes, heap_bytes;
    bool wide_pointers;
    /* Rows written at once, as `written` says, behind a header of `header_bytes`. */
    uint64_t n_written, written_row_bytes, header_bytes;
    hal_buf written_blocks; /* uint64: rows of each block */
    uint64_t n_moved;       /* rows written once more because the layout changed */
    /* The temporary file: n_written such rows, then blocks as they were in memory. */
    int spill; /* -1: none */
    uint64_t spill_size;
    struct hal_fits_behind *behind; /* NULL: no block was written behind yet */
} hal_fits_out;

/** Buffers for a block of HAL_FITS_BLOCK_ROWS rows, nothing allocated. */
void hal_fits_init_block(hal_fits_out_column *c);
/** Keeps the memory. */
void hal_fits_empty_block(hal_fits_out *w);
void hal_fits_free_columns(hal_fits_out_column *columns, size_t n);

/** The empty primary header and the header of the table. Of one size for all rows of a table:
 * blank cards stand for the null values that it might have needed, where they make a difference. */
hal_status hal_fits_make_headers(const hal_fits_out *w, hal_buf *cards,
                                 hal_err *err) HAL_MUST_CHECK;
/** Writes the rows of the block; `heap` is how far the heap is filled by the blocks before. */
hal_status hal_fits_put_rows(hal_fits_out *w, uint64_t *heap, hal_err *err) HAL_MUST_CHECK;
/** The same for a block without heap, on a thread of its own while the next block fills: the block
 * is empty afterwards, what goes wrong is said at the next call. */
hal_status hal_fits_put_rows_behind(hal_fits_out *w, hal_err *err) HAL_MUST_CHECK;
/** Waits for these rows: before anything else is done with the file. */
hal_status hal_fits_settle(hal_fits_out *w, hal_err *err) HAL_MUST_CHECK;
/** Drops them when nobody has begun to write them. */
void hal_fits_free_behind(struct hal_fits_behind *b);
/** Appends `n` rows, written as `written` says, to the block. */
hal_status hal_fits_take_rows(hal_fits_out *w, const unsigned char *rows, uint64_t n,
                              hal_err *err) HAL_MUST_CHECK;
/** What the block has for the heap. */
hal_status hal_fits_put_heap(hal_fits_out *w, hal_err *err) HAL_MUST_CHECK;

static inline bool hal_fits_flag(const hal_buf *flags, uint64_t i)
{
    return i < flags->size_bytes && flags->data[i];
}

/** Whether the text of an INFO, a PARAM or a key is written as the comment of its card. */
bool hal_fits_comment_has_room(const hal_meta *m);
/** In the heap, an empty text is one blank (nothing is null), and a NUL makes blanks count. */
static inline bool hal_fits_needs_extra(hal_slice text)
{
    return text.size_bytes == 0 || text.data[text.size_bytes - 1] == ' ';
}

#endif
