/* SPDX-License-Identifier: BSD-3-Clause */
/* What the two files of observations share: caom.c says which there are and where, caom_rows.c what
 * the archive tells of them. */
#ifndef HAL_PRACTICE_CAOM_PRIVATE_H
#define HAL_PRACTICE_CAOM_PRIVATE_H

#include "practice/caom.h"

enum { HAL_SECTORS = 69 };

/* Descending by name, the order of answers. */
typedef enum hal_mission {
    HAL_TESS,
    HAL_PS1,
    HAL_JWST,
    HAL_HST,
    HAL_HLSP,
    HAL_GALEX,
    HAL_MISSION_COUNT
} hal_mission;

typedef struct hal_band {
    const char *instrument, *filter, *region;
    double em_min, em_max, half_deg;
} hal_band;

typedef struct hal_observation {
    uint64_t obsid, key;
    int layer;
    uint64_t cell;
    int number;
    hal_mission mission;
    const hal_band *band;
    const hal_target *target; /* NULL: a field of no name */
    bool is_ffi;
    int64_t ra8, dec8;      /* centre, 1e-8 deg */
    int n_vertices;         /* 0: a circle of half_deg */
    int64_t vertices[4][2]; /* 1e-8 deg */
} hal_observation;

/** False when there is no such observation. */
bool hal_caom_observe(uint64_t seed, uint64_t obsid, hal_observation *o);
/** Rows of an observation. */
int hal_caom_planes(const hal_observation *o);
/** The band of one of them. */
const hal_band *hal_caom_band(const hal_observation *o, int plane);
uint64_t hal_caom_cell_hash(uint64_t seed, int i_layer, uint64_t cell);

#endif
