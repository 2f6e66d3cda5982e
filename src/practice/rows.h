/* SPDX-License-Identifier: BSD-3-Clause */
/* Questions to the archive's tables and their answers, row by row, in constant memory for star
 * catalogues (observations and products keep one small record per row). Knows no protocol. */
#ifndef HAL_PRACTICE_ROWS_H
#define HAL_PRACTICE_ROWS_H

#include "practice/cell.h"
#include "practice/sky.h"
#include "sky/region.h"

typedef enum hal_catalog {
    HAL_CATALOG_GAIA,
    HAL_CATALOG_TIC,
    HAL_CATALOG_CTL, /* the TIC stars that carry a priority */
    HAL_CATALOG_GALEX,
    HAL_CATALOG_OBSERVATIONS,
    HAL_CATALOG_PRODUCTS,
    HAL_CATALOG_COUNT
} hal_catalog;

typedef struct hal_filter_value {
    char *text;
    double number; /* NaN: not a number */
    int64_t integer;
    bool is_integer;
} hal_filter_value;

/** One criterion: any value, any range or the pattern matches. */
typedef struct hal_filter {
    int column;
    hal_filter_value *values;
    size_t n_values;
    double (*ranges)[2]; /* inclusive */
    size_t n_ranges;
    char *free_text; /* '%' is any run of characters; NULL: none */
    char separator;  /* 0: compare whole cells */
} hal_filter;

typedef struct hal_query {
    hal_catalog catalog;
    hal_region *region; /* NULL: everywhere */
    hal_filter *filters;
    size_t n_filters;
    uint64_t *obsids; /* products: of these observations, in this order */
    size_t n_obsids;
    uint64_t limit; /* counting may stop above it */
    /** Stars that reading (not counting) may still look at, shared between questions: HAL_E_TIMEOUT
     * when none is left. Borrowed; NULL: any number. */
    uint64_t *budget;
} hal_query;
/** Frees what the fields own; `q` itself stays the caller's. */
void hal_query_clear(hal_query *q);

const char *hal_catalog_name(hal_catalog c);
/** HAL_CATALOG_COUNT when unknown. */
hal_catalog hal_catalog_find(const char *name);
const hal_practice_column *hal_catalog_columns(hal_catalog c, size_t *n);
/** Column index, any case; -1 when absent. */
int hal_catalog_column(hal_catalog c, const char *name);

typedef struct hal_rows hal_rows;
/** Takes what `q` owns (and clears it) whether or not it succeeds. `sky` must outlive the rows. */
hal_rows *hal_rows_new(hal_sky *sky, hal_query *q, hal_err *err);
void hal_rows_free(hal_rows *r);
/** Rows of the whole answer, or some number above the query's limit. HAL_E_TIMEOUT when the
 * question would read too many rows. */
hal_status hal_rows_count(hal_rows *r, uint64_t *total, hal_err *err) HAL_MUST_CHECK;
/** Goes to row `n` of the answer, from the start. */
hal_status hal_rows_seek(hal_rows *r, uint64_t n, hal_err *err) HAL_MUST_CHECK;
/** The next row into cells[all columns of the catalogue]; `more` false behind the last. Text is
 * valid until the next call. */
hal_status hal_rows_next(hal_rows *r, hal_cell *cells, bool *more, hal_err *err) HAL_MUST_CHECK;
bool hal_rows_match(const hal_query *q, const hal_cell *cells);

/** Position of a TIC star as the catalogue prints it; false when there is no such star. */
bool hal_tic_position(hal_sky *sky, uint64_t id, double *ra_deg, double *dec_deg);

#endif
