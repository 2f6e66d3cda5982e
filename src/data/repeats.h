/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows that came with more than one answer: a row that changed between two answers is in both, and
 * its identifier says so. Exact, in memory that does not depend on the number of rows: hashes of
 * all identifiers wait in a file, and what they leave in doubt is compared in the spools. Tiling
 * design, sections 4.3 and 4.5. Decides which copies are too many; takes none away. */
#ifndef HAL_DATA_REPEATS_H
#define HAL_DATA_REPEATS_H

#include "data/table.h"

#include <stdatomic.h>

typedef struct hal_repeats hal_repeats;

/** The file lies in `dir` and has no name. NULL and err on failure. */
hal_repeats *hal_repeats_new(const char *dir, hal_err *err);
void hal_repeats_free(hal_repeats *r);

/** Where the identifiers of one spool are noted. */
typedef struct hal_repeats_note {
    uint64_t at, n;
} hal_repeats_note;

/** Room for `n_rows` identifiers. Any thread, several at once; so is the next. */
hal_repeats_note hal_repeats_reserve(hal_repeats *r, uint64_t n_rows);
/** Notes column `i_id` of `t` behind what is noted there. NULLs identify nothing. HAL_E_IO. */
hal_status hal_repeats_add(const hal_repeats *r, hal_repeats_note *note, const hal_table *t,
                           size_t i_id, hal_err *err) HAL_MUST_CHECK;

typedef struct hal_repeats_part {
    const char *spool; /* borrowed */
    hal_repeats_note note;
    double asked_s; /* later is newer; of equal ones the later part */
    /* Set: numbers of the rows of which a newer copy is in another part, ascending. Caller frees.
     */
    uint64_t *old;
    size_t n_old;
} hal_repeats_part;

/** Names. */
typedef struct hal_repeats_columns {
    const char *id, *ra, *dec; /* ra, dec: NULL, or of numbers */
} hal_repeats_columns;

/** One of the old rows. */
typedef struct hal_repeats_row {
    char *id;       /* as text */
    double ra, dec; /* values of the two columns named so; NaN: none */
} hal_repeats_row;

enum { HAL_REPEATS_NAMED = 20 };

typedef struct hal_repeats_report {
    uint64_t n_old; /* in all parts */
    char *repeated; /* an identifier that repeats within one part: it then does not
                       tell rows apart, and nothing is old; else NULL */
    hal_repeats_row named[HAL_REPEATS_NAMED]; /* the first in the order of identifiers */
    size_t n_named;
} hal_repeats_report;
void hal_repeats_report_clear(hal_repeats_report *report);

/** Fails with HAL_E_INTEGRITY when more rows changed than can be put right, HAL_E_CANCELLED once
 * *cancel (may be NULL) is true. Holds 32 MiB, and up to 64 Ki identifiers when many repeat. */
hal_status hal_repeats_find(const hal_repeats *r, const hal_repeats_columns *columns,
                            hal_repeats_part *parts, size_t n_parts, const _Atomic bool *cancel,
                            hal_repeats_report *report, hal_err *err) HAL_MUST_CHECK;

#endif
