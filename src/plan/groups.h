/* SPDX-License-Identifier: BSD-3-Clause */
/* The plan for a list of targets: neighbours share a request. A pure state machine with the calls
 * of a tile plan (plan/plan.h): what it asks next depends on the archive's answers in the order of
 * the asks only. No I/O, no Lua, no clock of its own.
 *
 * A group is a node of the targets' tree, asked for in one circle round its members' circles. Rows
 * are cheap against requests, so a group is as large as may be: it is predicted to bring at most
 * half the cap and at most HAL_GROUP_SPARE rows that no member needs (about what a request takes in
 * time). Densities come from finished groups; while none is known groups stay below
 * HAL_GROUP_FIRST_DEG. A small circle is widened to that where this costs hardly any row: it then
 * tells a density.
 *
 * Every group is a tile plan of its own, which judges failures, backs off and repeats. A group that
 * is over the cap is cut in two; where that would not help (one target, or members closer together
 * than their radius) its plan cuts it into tiles. */
#ifndef HAL_PLAN_GROUPS_H
#define HAL_PLAN_GROUPS_H

#include "plan/plan.h"
#include "plan/targets.h"

#define HAL_GROUP_SPARE 20000.0
#define HAL_GROUP_FIRST_DEG 0.05

typedef struct hal_groups hal_groups;

/** Copies `service` and `options` (known_rows is not looked at; requests_max 0: four for each
 * target and 2,000), shares `targets`. HAL_E_USAGE for a service of footprints or without
 * positions.
 */
hal_groups *hal_groups_new(const hal_service *service, hal_targets *targets,
                           const hal_plan_options *options, hal_err *err);
void hal_groups_free(hal_groups *g);

/** As for a plan. `out` has the range of targets in `first_target`, `n_targets`: rows are kept for
 * these, once for each within whose radius they lie, as far as the tile owns them. */
hal_next hal_groups_next(hal_groups *g, int64_t now_ns, hal_ask *out, int64_t *wait_until_ns);
/** `kept`: pairs of target and row. */
hal_status hal_groups_complete(hal_groups *g, uint64_t id, uint64_t returned, uint64_t kept,
                               double overshoot_deg, bool *accepted, hal_err *err) HAL_MUST_CHECK;
bool hal_groups_page_is_full(const hal_groups *g, uint64_t id, uint64_t returned);
/** Fails with HAL_E_INTEGRITY when groups were asked for with less guard than that needs. */
hal_status hal_groups_printed(hal_groups *g, double quantum_deg, hal_err *err) HAL_MUST_CHECK;
hal_status hal_groups_failed(hal_groups *g, uint64_t id, hal_verdict verdict, int64_t now_ns,
                             const hal_err *why, hal_err *err) HAL_MUST_CHECK;

/** tiles_done, tiles_known: groups; rows_kept: pairs. */
void hal_groups_account(const hal_groups *g, hal_account *out);
const char *hal_groups_finding(const hal_groups *g, size_t i);
hal_status hal_groups_error(const hal_groups *g, hal_err *err);
/** What was learned and what was known before, as hal_plan_densities. */
size_t hal_groups_densities(const hal_groups *g, hal_plan_density *out, size_t n);
/** Is all there that is to be had for a target (index in hal_targets)? */
bool hal_groups_is_served(const hal_groups *g, size_t i);
/** The plan whose columns an ask's `column` counts. */
const hal_plan *hal_groups_plan_of(const hal_groups *g, uint64_t id);

#endif
