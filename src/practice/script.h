/* SPDX-License-Identifier: BSD-3-Clause */
/* The dialects of the archive, in Lua (lua/practice): one interpreter, used by one thread at a
 * time. Lua reads requests and words answers; rows and files are made in C, outside its lock. */
#ifndef HAL_PRACTICE_SCRIPT_H
#define HAL_PRACTICE_SCRIPT_H

#include "base/buf.h"
#include "practice/sql.h"

typedef struct hal_script hal_script;

typedef struct hal_practice_options {
    int port;
    uint64_t seed, row_cap;
    int latency_ms;
    const char *faults, *log_path; /* NULL: none */
} hal_practice_options;

typedef struct hal_pair {
    char *name, *value;
} hal_pair;

/** A request as it came. */
typedef struct hal_request {
    uint64_t id;      /* 1, 2, ... */
    int simultaneous; /* requests under way when it came, itself included */
    const char *method, *path;
    hal_pair *arguments; /* of the query string, decoded, in order */
    size_t n_arguments;
    hal_pair *headers; /* as they came */
    size_t n_headers;
    hal_slice body;
} hal_request;

typedef enum hal_outcome {
    HAL_OUTCOME_BODY,
    HAL_OUTCOME_ROWS,
    HAL_OUTCOME_SQL,
    HAL_OUTCOME_FILE,
    HAL_OUTCOME_RESET, /* RST before the first byte */
    HAL_OUTCOME_EMPTY  /* closed before the first byte */
} hal_outcome;

/* The last cell belongs to no catalogue: it is what `_selected_` shows. */
enum { HAL_ANSWER_COLUMNS_MAX = 128, HAL_ANSWER_ALWAYS_NULL = HAL_ANSWER_COLUMNS_MAX - 1 };

/** What to send. Initialise with {0}, free with hal_answer_clear. */
typedef struct hal_answer {
    hal_outcome outcome;
    int http_status;
    char *content_type;
    hal_pair *headers;
    size_t n_headers;
    char *body; /* or the file's URI */
    size_t body_bytes;
    /* rows: body is what goes before them, tail behind */
    bool has_query;
    hal_query query;
    bool total_known;
    uint64_t total;
    hal_layout layout;
    int *pick;
    char **keys; /* JSON keys, with colon */
    size_t n_pick;
    uint64_t first, n;
    char *tail;
    size_t tail_bytes;
    /* sql: as rows, with at most `n` of them; the tail when there are more (NULL: the other) */
    hal_sql *sql;
    hal_err sql_failure; /* the statement cannot even begin */
    char *tail_over;
    size_t tail_over_bytes;
    char *fault; /* of the transfer: cut, slow, norange, badrange, nolength, short; NULL: none */
} hal_answer;
void hal_answer_clear(hal_answer *a);

/** `sky` must outlive the script. Fails with HAL_E_USAGE when the faults cannot be read. */
hal_script *hal_script_new(hal_sky *sky, const hal_practice_options *o, hal_err *err);
void hal_script_free(hal_script *s);

/** First half: reads the request; runs what SQL the dialect asks, outside its lock. When the answer
 * has a query, count its rows (unless the total is known) and call hal_script_finish. Thread-safe.
 */
hal_status hal_script_serve(hal_script *s, const hal_request *r, hal_answer *out, hal_err *err);
/** Second half: the total, or what went wrong with counting (`failure`, NULL: nothing). */
hal_status hal_script_finish(hal_script *s, uint64_t request_id, uint64_t total,
                             const char *failure, hal_answer *out, hal_err *err);
/** Instead of an answer whose statement failed before its first row: what its dialect says then. */
hal_status hal_script_failed(hal_script *s, uint64_t request_id, const char *message,
                             hal_answer *out, hal_err *err);
/** The request is over. `result` is "sent" or what cut it short; `log_line` receives one line of
 * JSON. */
void hal_script_done(hal_script *s, uint64_t request_id, int http_status, uint64_t rows,
                     uint64_t bytes, const char *result, hal_buf *log_line);

#endif
