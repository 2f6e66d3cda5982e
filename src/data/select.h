/* SPDX-License-Identifier: BSD-3-Clause */
/* Which rows of a table satisfy criteria on its columns. The meaning of a criterion follows
 * astroquery's filter_products (Mashup specification, section 10.2): all columns must agree; within
 * one column a row passes when any positive alternative matches (or there is none) and no negated
 * one does. Text is compared without regard to ASCII case. */
#ifndef HAL_DATA_SELECT_H
#define HAL_DATA_SELECT_H

#include "data/table.h"

/** One alternative of a criterion. A null cell matches no alternative. */
typedef struct hal_alternative {
    bool negated;
    bool is_text;
    /** is_text: on a text column equality, '*' and '%' standing for any run of characters; outside
     * a list it must not look like a range of numbers. On a numeric column a number, "a..b"
     * (closed), ">n" ">=n" "<n" "<=n"; on a bool column "true" or "false". Borrowed. A leading '!'
     * negates (once). */
    hal_slice text;
    /** Otherwise a closed range; numbers that are integers stay exact. On a text column it must be
     * one value: its decimal text is compared. */
    struct hal_bound {
        bool is_int;
        int64_t i;
        double d;
    } min, max;
} hal_alternative;

typedef struct hal_criterion {
    const char *column;
    const hal_alternative *alternatives;
    size_t n_alternatives; /* at least 1 */
    bool is_list;          /* texts on a text column are literal, also "<5" and "1..5" */
} hal_criterion;

/** Ascending numbers of the rows that satisfy all criteria; the caller frees *rows with hal_free
 * (NULL when none). HAL_E_USAGE: unknown column (with the nearest names), criterion that does not
 * suit the column's type. */
hal_status hal_table_select(const hal_table *t, const hal_criterion *criteria, size_t n_criteria,
                            uint64_t **rows, uint64_t *n_rows, hal_err *err) HAL_MUST_CHECK;

/** hal_table_find, or HAL_E_USAGE with the nearest column names, or with those that all fit. */
hal_status hal_table_require(const hal_table *t, const char *name, size_t *i_col,
                             hal_err *err) HAL_MUST_CHECK;

#endif
