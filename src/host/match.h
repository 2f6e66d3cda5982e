/* SPDX-License-Identifier: BSD-3-Clause */
/* Positional match of two tables: finds the position columns, matches, joins the rows. Pure
 * computing: runs on any thread. */
#ifndef HAL_HOST_MATCH_H
#define HAL_HOST_MATCH_H

#include "data/table.h"
#include "sky/match.h"

/** {.match.radius_deg = r} is a complete set. */
typedef struct hal_join_spec {
    /** Columns with the positions in degrees, of the left and of the right table; NULL: found by
     * UCD (pos.eq.ra;meta.main, then pos.eq.ra; likewise pos.eq.dec), then by name without regard
     * to case (ra dec, s_ra s_dec, ra_deg dec_deg, raj2000 dej2000, ra_icrs de_icrs, raMean
     * decMean, MatchRA MatchDec). */
    const char *ra[2], *dec[2];
    /** Its epoch_yr is unused: the command and scripts match places as they are. */
    hal_match_options match;
    const char *suffix; /* of right columns whose name is taken; NULL: "_2" */
} hal_join_spec;

/** "best" "symmetric" "all"; HAL_E_USAGE lists them. */
hal_status hal_match_mode_from_name(hal_match_mode *out, const char *name,
                                    hal_err *err) HAL_MUST_CHECK;

/** The position columns of `t`; `ra` and `dec` may name them. HAL_E_USAGE: none found, or not
 * numeric, or with a unit other than degrees. */
hal_status hal_table_find_position(const hal_table *t, const char *ra, const char *dec,
                                   size_t *i_ra, size_t *i_dec, hal_err *err) HAL_MUST_CHECK;

/** One row per pair, in the order of hal_match: columns of `left`, columns of `right`, sep_arcsec
 * (null where there is no match). The caller unrefs the table; NULL on failure. */
hal_table *hal_table_match(const hal_table *left, const hal_table *right, const hal_join_spec *spec,
                           hal_err *err);

#endif
