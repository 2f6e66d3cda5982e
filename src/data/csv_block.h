/* SPDX-License-Identifier: BSD-3-Clause */
/* A block of whole CSV rows into columns, on any thread: the fast way through what is regular. It
 * stops at the first row that is not (a comment, an empty line, damage, an end inside quotes):
 * csv.c reads that one byte by byte and says what is wrong with it. Private to this folder. */
#ifndef HAL_DATA_CSV_BLOCK_H
#define HAL_DATA_CSV_BLOCK_H

#include "data/table.h"

#include <stdint.h>

enum { HAL_CSV_CELL_MAX = 1 << 20 };

/** What holds every value of a column so far, in the order of widening; BOOL only widens to STRING.
 */
typedef enum hal_csv_kind {
    HAL_CSV_OPEN, /* only nulls */
    HAL_CSV_BOOL,
    HAL_CSV_INT,
    HAL_CSV_FLOAT,
    HAL_CSV_STRING
} hal_csv_kind;

/** How a double was written, so that its text can be given back when the column turns out to be
 * text: `decimals` behind the point of a plain decimal of at most 17 digits, whose digits read as
 * an integer end in the 8 bits `low`; HAL_CSV_ODD: any other spelling. */
enum { HAL_CSV_ODD = 255 };

/** Digits that a double gives back when it is rounded to its decimals: no `low` is needed. */
static const uint64_t HAL_CSV_SHORT_MAX = UINT64_C(999999999999999);
static const uint64_t HAL_CSV_PLAIN_MAX = UINT64_C(99999999999999999);

typedef struct hal_csv_spelling {
    uint8_t *decimals;
    uint8_t *low;
} hal_csv_spelling;

/** A text in the block's bytes; behind its opening quote when quoted. */
typedef struct hal_csv_text {
    uint32_t at;
    uint32_t size : 31, doubled : 1; /* it holds doubled quotes */
} hal_csv_text;

typedef struct hal_csv_block_column {
    hal_csv_kind kind;
    uint64_t n_nulls;
    bool wide;      /* some integer lies beyond 2^53 */
    bool is_long;   /* some double has more than HAL_CSV_SHORT_MAX as digits */
    uint8_t *valid; /* bitmap, always filled */
    /* n_rows of them as a table's column has them; nulls (and all of an open column) are zeros. */
    union {
        int64_t *ints;
        double *doubles;
        uint8_t *bits;       /* bool; while the rows are read, `ints` */
        int64_t *offsets;    /* text: n_rows + 1 places in `bytes` */
        hal_csv_text *texts; /* while the rows are read */
    } values;
    char *bytes;
    hal_csv_spelling spelling; /* of doubles */
    hal_csv_text *odd;         /* texts of odd spellings, in order */
    size_t n_odd, odd_capacity;
} hal_csv_block_column;

typedef struct hal_csv_block {
    char *bytes; /* the caller's: `size_bytes` and at least 8 more that can be read */
    size_t size_bytes;
    size_t consumed; /* up to the row where it stopped */
    uint64_t n_rows, n_lines;
    size_t n_columns;
    hal_csv_block_column *columns;
    size_t capacity; /* rows */
    void *arena;
    size_t arena_size;
    char *texts; /* in the arena: room for all */
} hal_csv_block;

/** Reads rows of `n_columns` cells separated by `separator`; kinds[i] is where column i begins.
 * Fails with HAL_E_NOMEM only. */
hal_status hal_csv_block_read(hal_csv_block *b, size_t n_columns, char separator,
                              const hal_csv_kind *kinds) HAL_MUST_CHECK;
/** The column as one of a table, of the type of its kind or, when it is open, of any; dies with the
 * next reading. */
hal_column hal_csv_block_values(const hal_csv_block_column *c, hal_type type);
/** Frees all but `bytes`. */
void hal_csv_block_clear(hal_csv_block *b);

/** What a text that is not null can be beside text, given what the column holds. */
hal_csv_kind hal_csv_kind_of(hal_slice text, hal_csv_kind so_far);
/** Whether `text` is a double that loses no digit of an integer. */
bool hal_csv_double(hal_slice text, double *out);
/** Reads a plain decimal of at most 17 digits that ends at `end`; false: another spelling. */
bool hal_csv_plain_decimal(const char *p, const char *end, double *out, uint8_t *decimals,
                           uint8_t *low);

#endif
