/* SPDX-License-Identifier: BSD-3-Clause */
/* Positional match of two tables: finds the position columns, matches, joins the rows. Pure
 * computing: runs on any thread. */
#ifndef HAL_HOST_MATCH_H
#define HAL_HOST_MATCH_H

#include "data/table.h"
#include "sky/match.h"

/** {.match.radius_deg = r} is a complete set. */
typedef struct hal_pairing {
    /** Columns with the positions in degrees, of the left [0] and the right [1] table; NULL: found
     * by hal_table_find_position. */
    const char *ra[2], *dec[2];
    hal_match_options match; /* places are compared as they are: epoch_yr is not used */
    const char *suffix;      /* of right columns whose name is taken; NULL: "_2" */
} hal_pairing;

/** What became of the rows. */
typedef struct hal_pairing_account {
    uint64_t n_pairs, n_matched; /* hal_match */
    uint64_t n_left, n_right;    /* rows */
    uint64_t n_left_placeless, n_right_placeless;
} hal_pairing_account;

/** "best" "symmetric" "all"; HAL_E_USAGE lists them. */
hal_status hal_match_mode_from_name(hal_match_mode *out, const char *name,
                                    hal_err *err) HAL_MUST_CHECK;

/** The position columns of `t`. Where `ra` and `dec` are NULL: the first pair of numeric columns in
 * degrees (or of unknown unit) with UCD pos.eq.ra;meta.main and pos.eq.dec;meta.main, then
 * pos.eq.ra and pos.eq.dec, then with the names, regardless of case, ra dec, s_ra s_dec, ra_deg
 * dec_deg, raj2000 dej2000, _raj2000 _dej2000, ra_icrs de_icrs, ramean decmean, matchra matchdec.
 * HAL_E_USAGE: there is none, one of the two is named only, or a named one is not in degrees. */
hal_status hal_table_find_position(const hal_table *t, const char *ra, const char *dec,
                                   size_t *i_ra, size_t *i_dec, hal_err *err) HAL_MUST_CHECK;

/** One row per pair, in the order of hal_match: the columns of `left`, those of `right`,
 * "sep_arcsec" (null where there is no match; the suffix goes for it too). `account` may be NULL.
 * The caller unrefs the table; NULL on failure. */
hal_table *hal_table_match(const hal_table *left, const hal_table *right,
                           const hal_pairing *pairing, hal_pairing_account *account, hal_err *err);

#endif
