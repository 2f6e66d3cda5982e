/* SPDX-License-Identifier: BSD-3-Clause */
/* The dataset forms of the Mashup API, "json" and "extjs" (Mashup specification, sections 4.2 and
 * 4.3), from a JSON event stream into columns; either form is recognised by its shape. Private to
 * its files:
 *   mashup.c         the answer around the rows; what an object or array means by its place
 *   mashup_rows.c    cells of rows into columns
 *   mashup_ahead.c   the fast way through rows like the row before
 *   mashup_blocks.c  long lists of rows on two threads
 *   mashup_table.c   the columns as a table
 *   mashup_column.c  columns by name
 *
 * The same machine reads rows without that frame (HAL_FORMAT_ROWS_JSON; HAL_FORMAT_AUTO: either): a
 * list of objects, {"data"|"results"|"products": [...]} of objects or, with "info" (or "fields"),
 * of lists (MAST interfaces, sections 3, 4 and 7). Declared types win; keys that are not declared
 * are columns too. */
#ifndef HAL_DATA_MASHUP_H
#define HAL_DATA_MASHUP_H

#include "data/format.h"
#include "data/json.h"
#include "data/mashup_column.h"

/** Where the parser is: what the innermost open object or array holds. */
typedef enum hal_mashup_place {
    HAL_PLACE_TOP,
    HAL_PLACE_ROWS,    /* json: "data" as an array */
    HAL_PLACE_ROW,     /* an object of it */
    HAL_PLACE_DATASET, /* extjs: "data" as an object */
    HAL_PLACE_TABLES,
    HAL_PLACE_TABLE,
    HAL_PLACE_TABLE_PROPERTIES,
    HAL_PLACE_COLUMNS,
    HAL_PLACE_COLUMN,
    HAL_PLACE_COLUMN_PROPERTIES,
    HAL_PLACE_ARRAY_ROWS, /* extjs: "Rows" */
    HAL_PLACE_ARRAY_ROW,
    HAL_PLACE_FIELDS,
    HAL_PLACE_FIELD,
    HAL_PLACE_PAGING,
    HAL_PLACE_SEARCH,      /* missions: "search_params" */
    HAL_PLACE_SELECT_COLS, /* its "select_cols" */
    HAL_PLACE_SKIPPED,
} hal_mashup_place;

enum { HAL_MASHUP_SLACK = 16 };

typedef struct hal_mashup_blocks hal_mashup_blocks;

typedef struct hal_mashup {
    hal_json json;
    hal_reader_options asked;
    hal_mashup_place places[HAL_JSON_DEPTH_MAX];
    int key;                     /* whose value comes next, outside rows; mashup.c knows which */
    bool mashup_only, rows_only; /* what was asked for; neither: both will do */
    bool status_known, data_seen, fields_seen, tables_seen, by_place;
    bool nested_key; /* the list of rows may be a list of such lists */
    bool over;       /* an ERROR answer whose rest is not JSON: nothing more is read */
    hal_answer answer;
    hal_mashup_columns met;   /* columns of the rows in order of first appearance */
    uint64_t n_rows, n_given; /* in the columns; before them, given to asked.batch or dropped */
    bool delivered;           /* some of them were given */
    uint32_t *order; /* columns of the row before, and of this one so far, in their order */
    size_t order_capacity, i_cell;
    hal_mashup_column *cell; /* its value comes next */
    hal_mashup_columns fields, described, selected;
    hal_mashup_column entry;   /* the declaration being read */
    bool typed, named;         /* by its first choice of keys */
    bool ahead;                /* the bytes fed are followed by HAL_MASHUP_SLACK zeros */
    hal_mashup_blocks *blocks; /* bytes are gathered there; NULL: read as they come */
} hal_mashup;

/* mashup.c */

hal_mashup *hal_mashup_new(const hal_reader_setup *setup, hal_err *err);
void hal_mashup_free(hal_mashup *m);
/** Reads bytes one after the other. */
hal_status hal_mashup_read(hal_mashup *m, const char *bytes, size_t n, hal_err *err) HAL_MUST_CHECK;
/** HAL_E_PROTOCOL with the offset. */
hal_status hal_mashup_wrong(const hal_mashup *m, hal_err *err, const char *what);

static inline hal_mashup_place hal_mashup_place_now(const hal_mashup *m)
{
    return m->places[m->json.depth - 1];
}

/** A Mashup dataset says what became of the request before anything else. */
static inline bool hal_mashup_is_dataset(const hal_mashup *m)
{
    return m->mashup_only || (m->status_known && !m->rows_only);
}

/** Rows of the answer so far. */
static inline uint64_t hal_mashup_rows(const hal_mashup *m)
{
    return m->n_given + m->n_rows;
}

/* mashup_rows.c */

hal_status hal_mashup_rows_begin(hal_mashup *m, hal_err *err) HAL_MUST_CHECK;
/** The key in m->json.text. */
hal_status hal_mashup_rows_key(hal_mashup *m, hal_err *err) HAL_MUST_CHECK;
/** The value of the current cell. */
hal_status hal_mashup_rows_cell(hal_mashup *m, hal_json_event event, hal_err *err) HAL_MUST_CHECK;
/** The value of the next cell of a row that is a list. */
hal_status hal_mashup_rows_cell_by_place(hal_mashup *m, hal_json_event event,
                                         hal_err *err) HAL_MUST_CHECK;
hal_status hal_mashup_rows_end(hal_mashup *m, hal_err *err) HAL_MUST_CHECK;
/** The fast way through rows whose keys come in the order of the row before. False: the next event
 * is the parser's business. */
bool hal_mashup_rows_predicted_key(hal_mashup *m);
hal_status hal_mashup_rows_too_many(const hal_mashup *m, hal_err *err);
/** Missing cells cost memory that no byte of the answer has paid for. */
hal_status hal_mashup_rows_check_missing(const hal_mashup *m, hal_err *err) HAL_MUST_CHECK;

/* mashup_ahead.c */

/** With `ahead`, in a row or a list of rows: reads on while keys come in the order of the row
 * before and values are plain, up to a place where the next event is the parser's business. */
void hal_mashup_rows_ahead(hal_mashup *m);

/* mashup_blocks.c */

hal_status hal_mashup_blocks_feed(hal_mashup *m, const char *bytes, size_t n,
                                  hal_err *err) HAL_MUST_CHECK;
/** All blocks and what was filled of the next; from here on bytes are read as they come. */
hal_status hal_mashup_blocks_leave(hal_mashup *m, hal_err *err) HAL_MUST_CHECK;
void hal_mashup_blocks_free(hal_mashup_blocks *b);

/* mashup_table.c */

/** Hands the rows so far to asked.batch when there are enough of them, or `all`; no row may be half
 * read. */
hal_status hal_mashup_table_give(hal_mashup *m, bool all, hal_err *err) HAL_MUST_CHECK;

/** No more bytes will come: the class's `finish`. */
hal_status hal_mashup_table_finish(hal_mashup *m, hal_answer *answer, hal_table **table,
                                   hal_err *err) HAL_MUST_CHECK;

#endif
