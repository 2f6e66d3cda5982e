/* SPDX-License-Identifier: BSD-3-Clause */
/* A CSV file while it is read: its lines one at a time, with the header and the words of an archive
 * (csv_line.c), and blocks of regular rows on a team (csv.c). Private to the reader. */
#ifndef HAL_DATA_CSV_READER_H
#define HAL_DATA_CSV_READER_H

#include "base/buf.h"
#include "data/csv.h"
#include "data/csv_block.h"
#include "data/csv_column.h"
#include "data/csv_words.h"
#include "data/names.h"
#include "data/team.h"

enum { HAL_CSV_JOBS_MAX = 24 }; /* blocks in flight */

typedef enum hal_csv_state {
    HAL_CSV_CELL_START,
    HAL_CSV_PLAIN,
    HAL_CSV_QUOTED,
    HAL_CSV_AFTER_QUOTE,
    HAL_CSV_AFTER_CR
} hal_csv_state;

typedef struct hal_csv_cell {
    size_t end; /* in `line` */
    bool quoted;
} hal_csv_cell;

/* A block on its way through the team. */
typedef struct hal_csv_job {
    hal_team_job job;
    hal_csv_block block;
    hal_csv_kind *kinds;
    size_t n_columns;
    char separator;
    hal_status st;
} hal_csv_job;

struct hal_csv {
    hal_reader_options asked;
    hal_csv_state state;
    bool texts; /* hal_csv_new_texts */
    char separator;
    uint64_t line_no, first_line_no; /* of the input; of the row being read */
    uint64_t blank_line_no;          /* a blank line: only allowed at the end */
    hal_buf line;                    /* the cells' bytes of the row being read */
    hal_csv_cell *cells;
    size_t n_cells, cells_capacity;
    bool header_seen, body; /* the first row behind the header is read too */
    char title[200];        /* a line of text before the header */
    size_t n_note_cells;    /* of the line before the header, where it might be the header */
    size_t n_columns;
    hal_csv_column *columns;
    hal_names names;
    uint64_t n_rows, n_given; /* in the columns; handed over before */
    hal_team *team;
    hal_csv_job jobs[HAL_CSV_JOBS_MAX];
    size_t first_job, n_jobs;
    size_t filled; /* of the block that is being filled: jobs[(first_job + n_jobs) %
                      HAL_CSV_JOBS_MAX] */
};

/** Whether the next byte begins a row. */
static inline bool hal_csv_between_rows(const hal_csv *c)
{
    return c->state == HAL_CSV_CELL_START && c->n_cells == 0;
}

/** Byte by byte; `one_row`: until a row ends. Returns the bytes used in `*used`. */
hal_status hal_csv_read_bytes(hal_csv *c, const char *bytes, size_t n, bool one_row, size_t *used,
                              hal_err *err) HAL_MUST_CHECK;
/** What the header says when no row follows it. */
hal_csv_words hal_csv_said(const hal_csv *c);
void hal_csv_take_words(const hal_csv *c, hal_answer *answer);
hal_status hal_csv_refuse_words(hal_csv_words said, const char *line, hal_err *err);
hal_status hal_csv_too_many_rows(const hal_csv *c, hal_err *err);
/** The rows that are in the columns as a table; the columns are empty then. */
hal_status hal_csv_build(hal_csv *c, hal_table **table, hal_err *err) HAL_MUST_CHECK;
void hal_csv_drop_columns(hal_csv *c);

#endif
