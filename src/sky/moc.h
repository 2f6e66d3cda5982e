/* SPDX-License-Identifier: BSD-3-Clause */
/* Coverage maps (MOC 2.0, space): sets of HEALPix cells as sorted, disjoint, half-open ranges of
 * nested indexes at order 29. Immutable and shared, also between threads. Text forms only: files
 * are the business of host/moc_file. */
#ifndef HAL_SKY_MOC_H
#define HAL_SKY_MOC_H

#include "base/buf.h"
#include "sky/region.h"

#include <stdint.h>

typedef struct hal_moc hal_moc;

/** Cells of order 29, [lo, hi). */
typedef struct hal_moc_range {
    uint64_t lo, hi;
} hal_moc_range;

#define HAL_MOC_CELLS (UINT64_C(12) << 58) /* of the whole sky at order 29 */
enum { HAL_MOC_RANGES_MAX = 4000000 };     /* 64 MB; more is HAL_E_BUDGET */

/** The union of `n` ranges in any order, each within the sky. `order` 0..29 is the resolution that
 * the map claims; a finer one where the ranges need it. Functions that return a MOC give NULL and
 * set `err`: HAL_E_USAGE, HAL_E_BUDGET, HAL_E_NOMEM. */
hal_moc *hal_moc_new(const hal_moc_range *ranges, size_t n, int order, hal_err *err);
/** All cells of `order` that overlap the region (inclusive: may hold a few that only come close,
 * by less than half a cell). */
hal_moc *hal_moc_of_region(const hal_region *r, int order, hal_err *err);
hal_moc *hal_moc_union(const hal_moc *a, const hal_moc *b, hal_err *err);
hal_moc *hal_moc_intersection(const hal_moc *a, const hal_moc *b, hal_err *err);
/** What is in `a` and not in `b`. */
hal_moc *hal_moc_difference(const hal_moc *a, const hal_moc *b, hal_err *err);
hal_moc *hal_moc_complement(const hal_moc *m, hal_err *err);
hal_moc *hal_moc_ref(hal_moc *m);
void hal_moc_unref(hal_moc *m);

bool hal_moc_contains(const hal_moc *m, double ra_deg, double dec_deg);
/** How much of the cells [lo, hi) of order 29 is in the map. */
typedef enum hal_moc_share { HAL_MOC_NONE, HAL_MOC_SOME, HAL_MOC_WHOLE } hal_moc_share;
hal_moc_share hal_moc_share_of(const hal_moc *m, uint64_t lo, uint64_t hi);
/** Exact. */
double hal_moc_area_sr(const hal_moc *m);
/** The ranges (borrowed), apart from each other by at least one cell; their number. */
size_t hal_moc_ranges(const hal_moc *m, const hal_moc_range **out);
/** The resolution: as given, or the order of the finest cell. */
int hal_moc_order(const hal_moc *m);
/** The fewest cells that make up the map, as runs [lo, hi) of indexes at `order`: coarse orders
 * first, ascending within an order. Return false to stop. */
typedef bool (*hal_moc_run_fn)(void *ctx, int order, uint64_t lo, uint64_t hi);
void hal_moc_each_run(const hal_moc *m, hal_moc_run_fn each, void *ctx);

/** ASCII ("3/1-4 5/7", also with commas and the prefix "s", as of MOC 1.1) or JSON
 * ({"3":[1,2],"5":[7]}), told apart by the first character; cells may overlap and come in any
 * order. HAL_E_USAGE names the offset. */
hal_moc *hal_moc_parse(hal_slice text, hal_err *err);
/** One line of ASCII; the resolution is stated where no cell has it ("3/1-4 8/"). */
hal_status hal_moc_format(const hal_moc *m, hal_buf *out, hal_err *err) HAL_MUST_CHECK;
hal_status hal_moc_format_json(const hal_moc *m, hal_buf *out, hal_err *err) HAL_MUST_CHECK;

#endif
