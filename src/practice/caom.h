/* SPDX-License-Identifier: BSD-3-Clause */
/* Observations and their files, made from (seed, layer, cell) on demand like the stars. Each layer
 * is a mission's way of covering the sky; a list of well-known targets is observed on top. */
#ifndef HAL_PRACTICE_CAOM_H
#define HAL_PRACTICE_CAOM_H

#include "practice/view.h"
#include "sky/region.h"

/** A place that the name resolver knows and that telescopes have pointed at. */
typedef struct hal_target {
    const char *name;    /* canonical */
    const char *aliases; /* lower case without blanks, ';' between them */
    double ra_deg, dec_deg;
    double radius_deg; /* search radius; -1: none */
    const char *type;
} hal_target;
extern const hal_target hal_targets[];
extern const size_t hal_targets_count;

extern const hal_practice_column hal_observation_columns[];
extern const size_t hal_observation_columns_count;
extern const hal_practice_column hal_product_columns[];
extern const size_t hal_product_columns_count;

/** One plane of one observation: a row. */
typedef struct hal_plane {
    uint64_t obsid;
    int plane;
    int order;              /* rank of its obs_collection, descending by name */
    double distance_arcsec; /* from the centre asked about; NaN: no centre */
} hal_plane;

typedef hal_status (*hal_plane_fn)(void *ctx, const hal_plane *plane, hal_err *err);
/** Calls `each` for every plane whose footprint comes within `region` (a circle; NULL: all). With
 * `collections` not NULL only layers for which it returns true are read. */
hal_status hal_caom_find(uint64_t seed, const hal_region *region,
                         bool (*collections)(const void *ctx, const char *name),
                         const void *collections_ctx, hal_plane_fn each, void *ctx, hal_err *err);
/** All cells of a row. False when there is no such observation or plane. */
bool hal_caom_fill(uint64_t seed, const hal_plane *plane, hal_cell *cells, hal_scratch *s);
/** Product `i` of an observation; false behind the last. */
bool hal_caom_product(uint64_t seed, uint64_t obsid, int i, hal_cell *cells, hal_scratch *s);
/** The observation whose product has this dataURI and which product it is; false: no such file. */
bool hal_caom_product_of_uri(uint64_t seed, const char *uri, uint64_t *obsid, int *i);

enum { HAL_COLLECTIONS = 6 };
/** Name of the i-th mission, descending by name. */
const char *hal_caom_collection(int i);
/** Rows of every mission over the whole sky. */
void hal_caom_totals(uint64_t seed, uint64_t totals[HAL_COLLECTIONS]);

/** Column numbers others need. */
enum {
    HAL_PRODUCT_URI = 6,
    HAL_PRODUCT_FILENAME = 14,
    HAL_PRODUCT_SIZE = 15,
};

#endif
