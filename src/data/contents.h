/* SPDX-License-Identifier: BSD-3-Clause */
/* The tables of a document that may hold several: which one is asked for, and what messages say of
 * them. Finding and reading them is the format's business. Private to this folder. */
#ifndef HAL_DATA_CONTENTS_H
#define HAL_DATA_CONTENTS_H

#include "base/slice.h"
#include "data/reader.h"

typedef struct hal_contents {
    char *wanted;           /* as asked for; NULL: nothing is */
    uint64_t wanted_number; /* 0: `wanted` is a name */
    unsigned wanted_at;     /* the table that has the name; 0: none so far */
    unsigned n_tables, n_listed;
    char list[480]; /* of the first n_listed tables, for a message */
    char name[HAL_TABLE_NAME_MAX];
    unsigned read_at;
    char read_name[HAL_TABLE_NAME_MAX];
} hal_contents;

/** `table` as in hal_reader_options. Fails with HAL_E_USAGE (an empty name), HAL_E_NOMEM. */
hal_status hal_contents_init(hal_contents *c, const char *table, hal_err *err) HAL_MUST_CHECK;
void hal_contents_clear(hal_contents *c);
/** The document has one more table; `name`, `id`: NULL where it has none; n_rows < 0: not known
 * yet. *wanted: it is the one asked for. HAL_E_USAGE when another one has the name asked for. */
hal_status hal_contents_add(hal_contents *c, const char *name, const char *id, int64_t n_rows,
                            bool *wanted, hal_err *err) HAL_MUST_CHECK;
/** The table added last is the one that is read. */
void hal_contents_choose(hal_contents *c);
/** HAL_E_USAGE: the document does not hold what was asked for but the tables that it lists. */
hal_status hal_contents_missing(const hal_contents *c, hal_err *err);
/** Fills in `n_tables`, `table` and `table_name`. */
void hal_contents_tell(const hal_contents *c, hal_answer *answer);

#endif
