/* SPDX-License-Identifier: BSD-3-Clause */
/* Streaming readers: bytes in any chunking -> one table and what the answer says about itself.
 * Bounded; no DOM; 64-bit integers exact. A cut, reordered or flipped answer is HAL_E_INTEGRITY
 * with byte offset (JSON) or line (CSV); an answer of another kind (HTML page, plain text) is
 * HAL_E_PROTOCOL naming what it looks like. */
#ifndef HAL_DATA_READER_H
#define HAL_DATA_READER_H

#include "data/table.h"

typedef enum hal_format {
    HAL_FORMAT_AUTO, /* recognised from the first bytes */
    HAL_FORMAT_MASHUP_JSON,
    HAL_FORMAT_MASHUP_EXTJS,
    HAL_FORMAT_CSV,
    HAL_FORMAT_JSONL /* writer only */
} hal_format;

/** "json" "extjs" "csv" "jsonl" "auto"; HAL_E_USAGE lists the known ones. */
hal_status hal_format_from_name(hal_format *out, const char *name, hal_err *err) HAL_MUST_CHECK;
const char *hal_format_name(hal_format f);

typedef struct hal_reader_limits {
    uint64_t rows_max;  /* 0: 2^40 */
    uint64_t bytes_max; /* of input; 0: 2^40 */
    size_t columns_max; /* 0: 10,000 */
} hal_reader_limits;

typedef enum hal_answer_status {
    HAL_ANSWER_COMPLETE,
    HAL_ANSWER_EXECUTING, /* ask again; no table, or a partial one that is not delivered */
    HAL_ANSWER_ERROR      /* `message` says why; no table */
} hal_answer_status;

/** What an answer says about itself (Mashup specification, sections 4 and 5). */
typedef struct hal_answer {
    hal_answer_status status;
    char message[512];
    double fraction_done; /* 0..1; < 0: not said */
    int64_t page, page_size, pages_filtered, rows, rows_filtered, rows_total; /* < 0: not said */
} hal_answer;

typedef struct hal_reader hal_reader;

hal_reader *hal_reader_new(hal_format format, const hal_reader_limits *limits, hal_err *err);
void hal_reader_free(hal_reader *r);
/** Any number of bytes, any number of times. After a failure the reader only accepts
 * hal_reader_free. */
hal_status hal_reader_feed(hal_reader *r, const char *bytes, size_t n, hal_err *err) HAL_MUST_CHECK;
/** No more bytes will come. `*table` is NULL unless status is COMPLETE; caller owns it. */
hal_status hal_reader_finish(hal_reader *r, hal_answer *answer, hal_table **table,
                             hal_err *err) HAL_MUST_CHECK;

#endif
