/* SPDX-License-Identifier: BSD-3-Clause */
/* A VOTable says that an item of an array of integers is null by an integer that its field declares
 * (VOTable 1.4 section 4.7) in front of all rows: one that no row has as a value. Whoever sees all
 * rows before they are written chooses it here. */
#ifndef HAL_DATA_VOTABLE_NULL_H
#define HAL_DATA_VOTABLE_NULL_H

#include "data/reader.h"

typedef struct hal_null_column hal_null_column;

/** {0} has no columns. */
typedef struct hal_nulls {
    size_t n;
    hal_null_column *columns;
} hal_nulls;

/** The columns of an output in `format`; none where it is no VOTable. */
hal_status hal_nulls_init(hal_nulls *s, hal_format format, const hal_field *fields, size_t n,
                          hal_err *err) HAL_MUST_CHECK;
void hal_nulls_clear(hal_nulls *s);
/** Whether there is anything to choose. */
bool hal_nulls_needed(const hal_nulls *s);
/** Rows [first, first + n) will be written; `places` as for hal_writer_rows, NULL: as they are. */
void hal_nulls_look(hal_nulls *s, const hal_table *t, const size_t *places, uint64_t first,
                    uint64_t n);
/** Chooses for the rows looked at: the integer that the field declares unless it is a value, else,
 * where an item is null, the lowest of the type that is none (of bytes the highest), out of 256.
 * True when any choice is another than before. */
bool hal_nulls_choose(hal_nulls *s);
/** What was chosen as the null_value of those fields, "" where nothing: owned by `s`. */
void hal_nulls_declare(const hal_nulls *s, hal_field *fields);

#endif
