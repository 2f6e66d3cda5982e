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
    HAL_FORMAT_ROWS_JSON,
    HAL_FORMAT_CSV,
    HAL_FORMAT_JSONL,
    HAL_FORMAT_VOTABLE,
    HAL_FORMAT_VOTABLE_BINARY2,
    HAL_FORMAT_FITS,
    HAL_FORMAT_ECSV
} hal_format;

/** "auto" or the name of a format ("json", "csv", ...); HAL_E_USAGE lists the known ones. */
hal_status hal_format_from_name(hal_format *out, const char *name, hal_err *err) HAL_MUST_CHECK;
/** Format number `i` from 0, in the order in which answers are recognised; HAL_FORMAT_AUTO behind
 * the last. */
hal_format hal_format_number(size_t i);
const char *hal_format_name(hal_format f);
/** Of file names: ".vot .xml"; "" where no ending stands for it. */
const char *hal_format_endings(hal_format f);
bool hal_format_is_read(hal_format f);
bool hal_format_is_written(hal_format f);
/** The names of all formats that are read (or written), as "a, b, c". */
void hal_format_list(char *out, size_t out_size, bool written);
/** By the ending of a file name, upper or lower case; HAL_FORMAT_AUTO when it says nothing. */
hal_format hal_format_of_path(const char *path);

typedef struct hal_reader_limits {
    uint64_t rows_max;  /* 0: 2^40 */
    uint64_t bytes_max; /* of input; 0: 2^40 */
    size_t columns_max; /* 0: 10,000 */
} hal_reader_limits;

/** Takes the next rows of a table that is read in parts; `t` is borrowed for the call: what is
 * to stay is copied, as its memory is used again for the next rows. Called on
 * the thread that feeds, in the order of the rows. A failure ends the reading with that status. */
typedef hal_status (*hal_reader_batch)(void *ctx, const hal_table *t, hal_err *err);

typedef struct hal_reader_options {
    hal_reader_limits limits;
    /** Which table of the document: its number from 1, or its name (in a VOTable also its ID);
     * HAL_E_USAGE lists the tables that there are. NULL: the first, of a VOTable's results before
     * others. */
    const char *table;
    /** With `batch` the rows go to it as they come, and the table at the end has the columns but no
     * rows: memory does not grow with the number of rows. A column whose type the format does not
     * say has in every batch the narrowest type that holds what came so far; the table at the end
     * has the type that holds everything. `types` (by name; borrowed until the reader is freed)
     * gives columns a type to begin with: read once, then once more with the columns of the first
     * result, and no type changes on the way. */
    hal_reader_batch batch;
    void *batch_ctx;
    uint64_t batch_rows; /* at most so many rows in a batch; 0: 65,536 */
    /** The format is what a person says of a file of theirs: a CSV table that looks like a sentence
     * or a JSON value is read all the same. */
    bool as_named;
    const hal_field *types;
    size_t n_types;
} hal_reader_options;

typedef enum hal_answer_status {
    HAL_ANSWER_COMPLETE,
    HAL_ANSWER_EXECUTING, /* ask again; no table, or a partial one that is not delivered */
    HAL_ANSWER_ERROR,     /* `message` says why; no table */
    HAL_ANSWER_NOT_FOUND  /* the same: a name or target that was asked for is not known */
} hal_answer_status;

enum { HAL_TABLE_NAME_MAX = 64, HAL_ANSWER_OTHERS_MAX = 512 };

/** What an answer says about itself (Mashup specification, sections 4 and 5). */
typedef struct hal_answer {
    hal_answer_status status;
    char message[512];
    double fraction_done; /* 0..1; < 0: not said */
    int64_t page, page_size, pages_filtered, rows, rows_filtered, rows_total; /* < 0: not said */
    unsigned n_tables; /* of the document; 0: its format has documents of one table only */
    unsigned table;    /* number of the one read, from 1 */
    char table_name[HAL_TABLE_NAME_MAX]; /* its name or ID, "..." behind one that is cut; or "" */
} hal_answer;

/** Complete, and nothing else is said. */
#define HAL_ANSWER_INIT                                                                            \
    ((hal_answer){.fraction_done = -1,                                                             \
                  .page = -1,                                                                      \
                  .page_size = -1,                                                                 \
                  .pages_filtered = -1,                                                            \
                  .rows = -1,                                                                      \
                  .rows_filtered = -1,                                                             \
                  .rows_total = -1})

/** For a person who read `label` and named no table: says which of several was read, and how many
 * others there are for `choice` ("--table N"). False, and nothing said: it was the only one. */
bool hal_answer_others(const hal_answer *a, const char *label, const char *choice,
                       char out[HAL_ANSWER_OTHERS_MAX]);

typedef struct hal_reader hal_reader;

/** A body compressed with gzip or zstd is unpacked: one layer, whole (its check sum stands at the
 * end), at most 200 times its size beyond 10 MiB. */
hal_reader *hal_reader_new(hal_format format, const hal_reader_limits *limits, hal_err *err);
hal_reader *hal_reader_new_with(hal_format format, const hal_reader_options *options, hal_err *err);
void hal_reader_free(hal_reader *r);
/** Any number of bytes, any number of times. After a failure the reader only accepts
 * hal_reader_free. */
hal_status hal_reader_feed(hal_reader *r, const char *bytes, size_t n, hal_err *err) HAL_MUST_CHECK;
/** No more bytes will come. `*table` is NULL unless status is COMPLETE; caller owns it. */
hal_status hal_reader_finish(hal_reader *r, hal_answer *answer, hal_table **table,
                             hal_err *err) HAL_MUST_CHECK;

/** HAL_E_TRUNCATED when the table says of itself that rows are missing: QUERY_STATUS OVERFLOW
 * (DALI 1.1 section 4.4.1). Whoever takes a reader's table for the whole answer asks this first. */
hal_status hal_table_require_whole(const hal_table *t, hal_err *err) HAL_MUST_CHECK;

#endif
