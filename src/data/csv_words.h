/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines of a CSV file that hold words about it: an answer where the header should be, a line of
 * types behind it. Private to this folder. */
#ifndef HAL_DATA_CSV_WORDS_H
#define HAL_DATA_CSV_WORDS_H

#include "data/csv_column.h"

typedef enum hal_csv_words {
    HAL_CSV_NO_WORDS,
    HAL_CSV_WORDS_NO_ROWS,   /* MAST classic and VO services, section 1.4 */
    HAL_CSV_WORDS_ERROR,     /* a failure that says so (sections 1.4, 5 and 7) */
    HAL_CSV_WORDS_NOT_FOUND, /* of a target's name (section 1.4) */
    HAL_CSV_WORDS_JSON,      /* null, true, false or a number */
    HAL_CSV_WORDS_PROSE      /* reads like a sentence */
} hal_csv_words;

/** What the names of `n` columns say when no row follows them. */
hal_csv_words hal_csv_words_of(const hal_csv_column *columns, size_t n);
/** Whether cells read like a sentence of three or more words: the only one of its line, or one of
 * several of which another begins with a blank, as behind the comma of a sentence. */
bool hal_csv_is_prose(const hal_slice *cells, size_t n);
/** A word of a line of types, and which type (NULL: unwanted): a row of nothing else behind the
 * header is such a line. */
bool hal_csv_type_word(hal_slice text, hal_csv_kind *kind);

#endif
