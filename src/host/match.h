/* SPDX-License-Identifier: BSD-3-Clause */
/* Positional match of two tables: finds the position columns, matches, joins the rows. Pure
 * computing: runs on any thread. */
#ifndef HAL_HOST_MATCH_H
#define HAL_HOST_MATCH_H

#include "data/table.h"
#include "sky/match.h"

/** What to match and how, in the words of a user; texts may be NULL except `radius`. [0] is of the
 * left table, [1] of the right one. A column is named as for hal_table_require. */
typedef struct hal_pairing {
    /** "1 arcsec", or a column of the left table with the radius of each row: "err", "err arcsec"
     * where the column has no unit of its own (deg, arcmin, arcsec, mas). A row whose radius is
     * null or negative matches nothing. */
    const char *radius;
    const char *other_radius; /* a column of the right table, likewise: added to the left radius */
    const char *ra[2], *dec[2]; /* NULL: found by hal_table_find_position */
    /** Proper motions in mas/yr, that of RA times cos(dec): "pmra,pmdec", or "auto": found by UCD
     * or name. NULL: the places of that side do not move. Null motions count as 0. */
    const char *pm[2];
    /** When the places of that side hold, in Julian years: "2016.0", or for a side with motions a
     * column (where it is null the row must not move). */
    const char *epoch[2];
    /** The year to which both sides are moved; NULL: the epoch of the one that has no motions. */
    const char *at;
    const char *how;    /* "inner", "left": left rows without a partner stay; NULL: inner */
    const char *suffix; /* of right columns whose name is taken; NULL: "_2" */
    /** Mode and n_nearest (0 with mode NEAREST: 1), threads, pairs_max, stop; the rest is set from
     * the texts above. */
    hal_match_options match;
} hal_pairing;

/** What became of the rows. */
typedef struct hal_pairing_account {
    uint64_t n_pairs, n_matched; /* hal_match */
    uint64_t n_left, n_right;    /* rows */
    uint64_t n_left_placeless, n_right_placeless;
} hal_pairing_account;

/** "best" "symmetric" "all" "nearest"; HAL_E_USAGE lists them. */
hal_status hal_match_mode_from_name(hal_match_mode *out, const char *name,
                                    hal_err *err) HAL_MUST_CHECK;

/** The position columns of `t`. Where `ra` and `dec` are NULL: the pair of numeric columns in
 * degrees (or of unknown unit) with UCD pos.eq.ra;meta.main and pos.eq.dec;meta.main, then
 * pos.eq.ra and pos.eq.dec, then with the names, regardless of case, ra dec, s_ra s_dec, ra_deg
 * dec_deg, raj2000 dej2000, _raj2000 _dej2000, ra_icrs de_icrs, ramean decmean, matchra matchdec.
 * HAL_E_USAGE: there is none, several fit, one of the two is named only, or a named one is not in
 * degrees. */
hal_status hal_table_find_position(const hal_table *t, const char *ra, const char *dec,
                                   size_t *i_ra, size_t *i_dec, hal_err *err) HAL_MUST_CHECK;

/** Places and radii, in degrees, of the rows of `t` into three arrays of as many: position columns
 * as above, `radius` as in hal_pairing; NaN where a row has none. HAL_E_USAGE as there. */
hal_status hal_table_read_places(const hal_table *t, const char *ra, const char *dec,
                                 const char *radius, double *out_ra, double *out_dec,
                                 double *out_radius, hal_err *err) HAL_MUST_CHECK;

/** Is it an angle (it begins like a number) and not a column? */
bool hal_radius_is_angle(const char *radius);

/** One row per pair, in the order of hal_match: the columns of `left`, those of `right`,
 * "sep_arcsec" (null where there is no match; the suffix goes for it too; with proper motions the
 * distance in the common year). `account` may be NULL.
 * The caller unrefs the table; NULL on failure. */
hal_table *hal_table_match(const hal_table *left, const hal_table *right,
                           const hal_pairing *pairing, hal_pairing_account *account, hal_err *err);

#endif
