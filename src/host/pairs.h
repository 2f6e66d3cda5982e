/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows of answers for targets: a row comes once for each target of its ask within whose radius it
 * lies, with the number of the target and the distance. */
#ifndef HAL_HOST_PAIRS_H
#define HAL_HOST_PAIRS_H

#include "host/harvest.h"

enum { HAL_PAIRS_COLUMNS = 2 };
/** What is added to a service's columns: input_row (of the list, from 1), sep_arcsec. */
extern const hal_field hal_pairs_fields[HAL_PAIRS_COLUMNS];

/** Rows of a table by their numbers, with their positions in degrees (NaN: none). */
typedef struct hal_pairs_rows {
    size_t n;
    const uint64_t *index;
    const double *ra_deg, *dec_deg;
} hal_pairs_rows;

/** The pairs of the ask's targets and these rows of `t`, each as a row; its columns, then those
 * above (with the suffix "_2" where a name is taken). `*key`, which the caller frees: sorts the
 * pairs of a list by target, then distance (as finely as 64 bits allow: 100,000 targets of 2 arcsec
 * leave steps of 1e-14 arcsec). NULL on failure. Any thread. */
hal_table *hal_pairs_new(const hal_targets *targets, const hal_ask *ask, const hal_table *t,
                         const hal_pairs_rows *rows, uint64_t **key, hal_err *err);

/** Sets found[i] for each row of the list that a pair of the sheaf has. Worker. */
hal_status hal_pairs_found(const hal_sheaf *sheaf, unsigned char *found, size_t n_rows,
                           hal_err *err) HAL_MUST_CHECK;

#endif
