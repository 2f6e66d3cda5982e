/* SPDX-License-Identifier: BSD-3-Clause */
/* How each catalogue sees the true stars: which of them, where, under which identifier. */
#ifndef HAL_PRACTICE_VIEW_H
#define HAL_PRACTICE_VIEW_H

#include "practice/cell.h"
#include "practice/sky.h"

/** Room for the texts of one row. */
typedef struct hal_scratch {
    char bytes[16384];
    size_t used;
} hal_scratch;
/** Formatted text that lives as long as the row; cut at the end of the room. */
const char *hal_scratch_printf(hal_scratch *s, const char *fmt, ...) HAL_PRINTF(2, 3);

typedef struct hal_view {
    const hal_practice_column *columns;
    size_t n_columns;
    double margin_deg;      /* printed positions lie this close to the true ones */
    double rank_max;        /* field stars below this rank ... */
    double field_fraction;  /* ... and this part of them are in the catalogue */
    double member_fraction; /* as are these of the cluster members */
    int decimals;           /* of printed ra and dec */
    int id_column;
    /** Printed position in units of 10^-decimals degree. */
    void (*position)(const hal_star *star, int64_t *ra, int64_t *dec);
    /** All cells but the distance, which is the last column when there is one. */
    void (*fill)(const hal_star *star, int64_t ra, int64_t dec, hal_cell *cells, hal_scratch *s);
    double distance_per_deg; /* unit of the distance column */
    /** Cell and number of the star with this identifier; false when no star can have it. */
    bool (*locate)(uint64_t id, uint64_t *cell, uint32_t *number);
    /** Magnitude columns by which stars are ordered within a cell, ended by -1, and how much
     * brighter than G they can be. */
    int mag_columns[3];
    double mag_slack;
} hal_view;

extern const hal_view hal_view_gaia, hal_view_tic, hal_view_ctl, hal_view_galex;

/** Number of field stars that can be in the catalogue: the bright end. */
static inline uint32_t hal_view_prefix(const hal_view *v, uint32_t n_field)
{
    return v->rank_max >= 1 ? n_field : (uint32_t)(v->rank_max * n_field);
}
static inline bool hal_view_holds(const hal_view *v, const hal_star *star)
{
    double part = star->cluster < 0 ? v->field_fraction : v->member_fraction;
    return part >= 1 || hal_unit(star->key, 31) < part;
}

#endif
