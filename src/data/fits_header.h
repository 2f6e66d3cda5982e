/* SPDX-License-Identifier: BSD-3-Clause */
/* One FITS header (FITS standard 4.0, sections 3, 4 and 7): 2880-byte blocks in, cards and what
 * they say about the size of the data and the columns of a table out. Private to this folder. */
#ifndef HAL_DATA_FITS_HEADER_H
#define HAL_DATA_FITS_HEADER_H

#include "base/buf.h"
#include "base/number.h"
#include "base/slice.h"
#include "data/fits_sum.h"

#include <stdint.h>

enum {
    HAL_FITS_BLOCK = 2880,
    HAL_FITS_CARD = 80,
    HAL_FITS_CARDS_MAX = 100000,
    HAL_FITS_COLUMNS_MAX = 999, /* TFIELDS, section 7.2.1 */
};

typedef enum hal_fits_kind {
    HAL_FITS_IMAGE, /* primary array, image or an extension of another kind */
    HAL_FITS_BINARY,
    HAL_FITS_ASCII
} hal_fits_kind;

typedef enum hal_fits_value {
    HAL_FITS_NONE, /* commentary, or no value */
    HAL_FITS_TEXT,
    HAL_FITS_LOGICAL,
    HAL_FITS_INTEGER,
    HAL_FITS_OTHER /* real, complex, integers beyond 64 bits: `value` as written */
} hal_fits_value;

/** One card, or a text that goes on over several (CONTINUE). Slices die with the next card. */
typedef struct hal_fits_card {
    hal_slice key; /* without padding; HIERARCH: what stands between it and "=" */
    hal_fits_value kind;
    hal_slice value;   /* texts without quotes and trailing blanks */
    hal_slice comment; /* behind the value */
    bool logical;
    int64_t integer;
} hal_fits_card;

/** What the TxxxxN cards say about column N. Texts are owned by the header and NUL-terminated; ""
 * when absent. */
typedef struct hal_fits_column {
    const char *name, *unit, *ucd, *utype, *xtype, *comment, *form, *dim;
    const char *null_text; /* TNULLn, "" without one */
    char null_digits[HAL_INT64_TEXT_MAX + 1];
    bool has_null, has_begin, scaled;
    int64_t null_value, begin; /* TBCOL, from 1 */
    double scale, zero;
    bool zero_is_2_63; /* TZERO = 9223372036854775808: unsigned 64-bit integers */
} hal_fits_column;

typedef struct hal_fits_header {
    hal_buf cards;
    hal_fits_sum sum; /* of its blocks */
    uint64_t offset;  /* of the header in the input */
    bool first, ended;
    /* After hal_fits_header_add said that it ended: */
    hal_fits_kind kind;
    bool compressed; /* ZIMAGE or ZTABLE: the table holds pieces of something else */
    bool compressed_table;
    uint64_t data_bytes;          /* without the padding of its last block */
    uint64_t row_bytes, n_rows;   /* tables */
    uint64_t heap_at, heap_bytes; /* of a binary table, from the first row */
    size_t n_columns;
    hal_slice name; /* EXTNAME */
    bool has_datasum, has_checksum;
    uint32_t datasum;
    hal_fits_column *columns;
    hal_buf texts;
} hal_fits_header;

/** `first`: the header that opens the file. `offset`: where it begins. */
void hal_fits_header_init(hal_fits_header *h, uint64_t offset, bool first);
void hal_fits_header_clear(hal_fits_header *h);
/** Takes one block; h->ended when it held END. Fails with HAL_E_INTEGRITY (offset), HAL_E_BUDGET,
 * HAL_E_PROTOCOL. */
hal_status hal_fits_header_add(hal_fits_header *h, const char block[HAL_FITS_BLOCK],
                               hal_err *err) HAL_MUST_CHECK;
/** Fills `columns`. Fails with HAL_E_INTEGRITY when a column is not described. */
hal_status hal_fits_header_columns(hal_fits_header *h, hal_err *err) HAL_MUST_CHECK;

static inline bool hal_fits_header_has_sums(const hal_fits_header *h)
{
    return h->has_datasum || h->has_checksum;
}
/** HDU number `number`, from 1, is whole: what its header says of its bytes. HAL_E_INTEGRITY when
 * they are others. */
hal_status hal_fits_header_check(const hal_fits_header *h, unsigned number,
                                 const hal_fits_sum *data, hal_err *err) HAL_MUST_CHECK;

/** The cards in order: start with *at = 0; false behind the last. `room` holds long texts and
 * `notes` long comments. */
bool hal_fits_header_next(const hal_fits_header *h, size_t *at, hal_buf *room, hal_buf *notes,
                          hal_fits_card *card);
/** True for the cards that say how the data is laid out: everything in `columns`, sizes, checksums
 * and dates of writing. */
bool hal_fits_card_is_layout(hal_slice key);
/** Whether what a table says under this name is written as a card. */
bool hal_fits_key_is_carried(const char *name);

#endif
