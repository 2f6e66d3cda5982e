/* SPDX-License-Identifier: BSD-3-Clause */
/* One value of an answer and how it is written. The sky's numbers are scaled integers, so a printed
 * value is exactly the value the archive selected on, and printing costs a few nanoseconds. */
#ifndef HAL_PRACTICE_CELL_H
#define HAL_PRACTICE_CELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum hal_cell_kind {
    HAL_CELL_NULL,
    HAL_CELL_INT,   /* value */
    HAL_CELL_FIXED, /* value / 10^decimals */
    HAL_CELL_BOOL,  /* value 0 or 1 */
    HAL_CELL_REAL,  /* real, finite */
    HAL_CELL_TEXT   /* text, size */
} hal_cell_kind;

typedef struct hal_cell {
    hal_cell_kind kind;
    int decimals; /* 0..15 */
    union {
        int64_t value;
        double real;
    };
    const char *text; /* borrowed: valid until the next row is made */
    uint32_t size;
} hal_cell;

typedef enum hal_layout {
    HAL_LAYOUT_JSON,      /* an object per row, "," between rows */
    HAL_LAYOUT_JSON_TEXT, /* the same with all values as text, "" for null */
    HAL_LAYOUT_EXTJS,     /* an array per row, "," between rows */
    HAL_LAYOUT_CSV,       /* RFC 4180, LF */
    HAL_LAYOUT_TSV,       /* tabs and line ends inside a text become blanks */
    HAL_LAYOUT_VOTABLE    /* TABLEDATA rows */
} hal_layout;

/** "json" "json_text" "extjs" "csv" "tsv" "votable", by layout; NULL behind the last. */
extern const char *const hal_layout_names[];
static inline bool hal_layout_is_json(hal_layout layout)
{
    return layout <= HAL_LAYOUT_EXTJS;
}

/** How a column is called and declared. Strings have static lifetime. */
typedef struct hal_practice_column {
    const char *name;
    const char *type; /* as in the `fields` list: string int float boolean */
    const char *unit; /* "" when it has none */
    const char *ucd;
    const char *description;
    const char *separator; /* of multi-valued cells; NULL when single-valued */
    bool is_distance;      /* only in answers about a circle */
} hal_practice_column;

enum { HAL_CELL_TEXT_MAX = 40 }; /* the longest printed number, with NUL */

static inline hal_cell hal_cell_int(int64_t value)
{
    return (hal_cell){.kind = HAL_CELL_INT, .value = value};
}
static inline hal_cell hal_cell_fixed(int64_t value, int decimals)
{
    return (hal_cell){.kind = HAL_CELL_FIXED, .value = value, .decimals = decimals};
}
/** Null when `value` is not finite. */
hal_cell hal_cell_real(double value);
/** Rounds half away from zero to `decimals`. */
hal_cell hal_cell_round(double value, int decimals);
/** NULL gives a null cell. Inline, as the library has a function of that name. */
static inline hal_cell hal_cell_text(const char *text)
{
    if (!text)
        return (hal_cell){.kind = HAL_CELL_NULL};
    return (hal_cell){.kind = HAL_CELL_TEXT, .text = text, .size = (uint32_t)strlen(text)};
}
/** The number, correctly rounded (decimals <= 15 and |value| < 2^53); NaN for text and null. */
double hal_cell_number(const hal_cell *cell);

/** Writes the number of an INT, FIXED, BOOL or REAL cell: trailing zeros of a fraction are dropped,
 * a REAL is the shortest decimal that reads back to the same double. Returns the bytes written,
 * without NUL. */
size_t hal_cell_print(const hal_cell *cell, char out[HAL_CELL_TEXT_MAX]);
/** The bytes hal_row_print may need at most for these cells. */
size_t hal_row_bound(const hal_cell *cells, const int *pick, size_t n, size_t names_size);
/** Writes one row. `names` are the JSON keys as written (`"ra":`), used where a row is an object.
 * `pick[i]` is the cell of the i-th column. Returns the bytes written. */
size_t hal_row_print(hal_layout layout, const hal_cell *cells, const int *pick, size_t n,
                     char *const *names, char *out);

#endif
