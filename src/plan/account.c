/* SPDX-License-Identifier: BSD-3-Clause */
/* The completeness account: what was asked, what came, what is missing and why. */
#include "plan/state.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char too_many[] = "more rows than one answer holds in the smallest tile";
static const char unfetched[] = "not fetched: the plan ended first";
static const char stalled[] =
    "not fetched: the archive was still at work on it when its time was up";

/* Rows expected from a tile that is not finished. */
static double rows_pending(const hal_plan *p, int32_t i)
{
    const plan_node *n = plan_node_at(p, i);
    plan_request r = plan_request_node(p, n);
    double rows = plan_predict(p, i, &r);
    double share = n->whole || r.area_sr <= 0.0 ? 1.0 : hal_tile_area_sr(&n->tile) / r.area_sr;
    return rows < 0.0 ? 0.0 : rows * fmin(1.0, share);
}

static double rows_of_all_pending(const hal_plan *p)
{
    double rows = 0.0;
    for (size_t k = 0; k < p->n_stack; k++)
        rows += rows_pending(p, p->stack[k]);
    for (size_t k = 0; k < p->n_silent; k++)
        rows += rows_pending(p, p->silent[k]);
    for (uint64_t k = p->head; k < p->tail; k++)
        if (p->slot[k % PLAN_LAG].node >= 0)
            rows += rows_pending(p, p->slot[k % PLAN_LAG].node);
    return rows;
}

void hal_plan_account(const hal_plan *plan, hal_account *out)
{
    *out = plan->account;
    out->rows_expected = -1.0;
    if (out->state != HAL_PLAN_RUNNING && out->n_stuck == 0)
        out->rows_expected = (double)out->rows_kept;
    else if (out->rows_counted >= 0)
        out->rows_expected = (double)out->rows_counted;
    else if (plan_knows(plan))
        out->rows_expected = (double)out->rows_kept + rows_of_all_pending(plan);
    double best = out->rows_counted >= 0 ? (double)out->rows_counted
                                         : fmax(out->rows_expected, (double)out->rows_kept);
    out->cap_rows = plan->cap;
    out->lower_bound = (uint64_t)fmax(1.0, ceil(best / plan->cap));
}

bool hal_plan_stuck(const hal_plan *plan, size_t i, hal_tile *tile, const char **why)
{
    int32_t k = plan->first_stuck;
    while (k >= 0 && i-- > 0)
        k = plan_node_at(plan, k)->next_stuck;
    if (k < 0)
        return false;
    *tile = plan_node_at(plan, k)->tile;
    const plan_node *n = plan_node_at(plan, k);
    *why = n->state == PLAN_NODE_STUCK        ? too_many
           : n->n_stalled >= PLAN_STALLED_MAX ? stalled
                                              : unfetched;
    return true;
}

static double predicted_per_sr(const hal_plan *p, int32_t i)
{
    const plan_node *n = plan_node_at(p, i);
    bool pending = n->state == PLAN_NODE_PENDING || n->state == PLAN_NODE_ASKED ||
                   n->state == PLAN_NODE_SILENT;
    plan_request r = plan_request_node(p, n);
    double rows = n->predicted;
    if (rows < 0.0 && pending)
        rows = plan_predict(p, i, &r);
    return rows < 0.0 || r.area_sr <= 0.0 ? -1.0 : rows / r.area_sr;
}

size_t hal_plan_leaves(const hal_plan *plan, hal_leaf *out, size_t n)
{
    size_t found = 0;
    for (size_t i = 0; i < plan->n_node; i++) {
        const plan_node *node = plan_node_at(plan, i);
        if (node->state == PLAN_NODE_SPLIT)
            continue;
        hal_ask range = {0};
        plan_describe_range(plan, node, &range);
        if (found < n)
            out[found] = (hal_leaf){
                .tile = node->tile,
                .done = node->state == PLAN_NODE_DONE,
                .no_position = node->no_position,
                .column = node->column,
                .column_lo = range.column_lo,
                .column_hi = range.column_hi,
                .rows_returned = node->rows_returned,
                .rows_kept = node->rows_kept,
                .predicted_rows = node->predicted,
                .predicted_per_sr = predicted_per_sr(plan, (int32_t)i),
            };
        found++;
    }
    return found;
}

hal_status hal_plan_error(const hal_plan *plan, hal_err *err)
{
    if (plan->account.state != HAL_PLAN_PARTIAL && plan->account.state != HAL_PLAN_FAILED)
        return HAL_OK;
    if (err)
        *err = plan->error;
    return plan->error.status;
}

void plan_find(hal_plan *p, const char *fmt, ...)
{
    size_t n = p->account.n_findings;
    if (n == PLAN_FINDINGS_MAX)
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(p->finding[n], PLAN_FINDING_MAX, fmt, args);
    va_end(args);
    for (size_t i = 0; i < n; i++)
        if (strcmp(p->finding[i], p->finding[n]) == 0)
            return;
    p->account.n_findings++;
}

const char *hal_plan_finding(const hal_plan *plan, size_t i)
{
    return i < plan->account.n_findings ? plan->finding[i] : NULL;
}

/* Rows with a NULL that no request selects: as many as the archive counts more than came. */
static void count_unreachable(hal_plan *p)
{
    char what[HAL_PLAN_NAME_MAX + 40] = "without position";
    if (p->unreachable_column)
        snprintf(what, sizeof what, "whose %s is NULL",
                 hal_plan_column_name(p, p->unreachable_column));
    /* More kept than counted: then the count says nothing. */
    if (!p->counts_all || p->account.rows_counted < (int64_t)p->account.rows_kept) {
        p->account.rows_unreachable = -1;
        plan_find(p, "rows %s, if any, are missing: the service cannot be asked for them", what);
        return;
    }
    int64_t missing = p->account.rows_counted - (int64_t)p->account.rows_kept;
    p->account.rows_unreachable = missing;
    if (missing > 0)
        plan_find(p,
                  "%" PRId64 " rows %s are missing: the archive counts %" PRId64 ", %" PRIu64
                  " came, and the service cannot be asked for them",
                  missing, what, p->account.rows_counted, p->account.rows_kept);
}

static void say_what_was_learned(hal_plan *p)
{
    if (p->n_guess_refuted > 0)
        plan_find(p,
                  "%" PRIu64 " of %" PRIu64 " failures taken for too many rows were faults: their "
                  "parts together hold less than half an answer",
                  p->n_guess_refuted, p->n_guess_settled);
}

static void leave_unfetched(hal_plan *p)
{
    for (; p->n_stack > 0; p->n_stack--) { /* of pages some may have come */
        int32_t i = p->stack[p->n_stack - 1];
        plan_finish(p, i, PLAN_NODE_UNFETCHED, plan_node_at(p, i)->rows_kept);
    }
    for (size_t k = 0; k < p->n_silent; k++)
        plan_finish(p, p->silent[k], PLAN_NODE_UNFETCHED, 0);
    p->n_silent = 0;
}

/* Adds a range in words. */
static void say_range(const hal_plan *p, const hal_ask_range *r, char *text, size_t size)
{
    size_t used = strlen(text);
    const char *name = hal_plan_column_name(p, r->column), *joint = used ? " and" : "";
    if (r->is_null)
        snprintf(text + used, size - used, "%s where %s is NULL", joint, name);
    else
        snprintf(text + used, size - used, "%s with %s from %.12g to %.12g", joint, name, r->lo,
                 r->hi);
}

/* The first stuck tile in words, and the remedy. */
static void say_what_is_stuck(hal_plan *p)
{
    const plan_node *n = plan_node_at(p, p->first_stuck);
    double ra, dec, size = (double)(n->tile.dec_hi - n->tile.dec_lo) / 1e7 * 3600.0;
    hal_tile_centre(&n->tile, &ra, &dec);
    char where[160] = "without position", others[48] = "",
         range[HAL_PLAN_COLUMNS * (HAL_PLAN_NAME_MAX + 80)] = "";
    if (!n->no_position)
        snprintf(where, sizeof where, "within %.0f arcsec of %.6f %+.6f", size, ra, dec);
    if (n->column) {
        hal_ask a = {0};
        plan_describe_range(p, n, &a);
        hal_ask_range own = {.column = a.column, .is_null = a.column_null};
        own.lo = a.column_lo;
        own.hi = a.column_hi;
        for (int k = -1; k < a.n_outer; k++)
            say_range(p, k < 0 ? &own : &a.outer[k], range, sizeof range);
    }
    if (p->account.n_stuck > 1)
        snprintf(others, sizeof others, " and in %zu other tiles", p->account.n_stuck - 1);
    if (n->state != PLAN_NODE_STUCK) {
        hal_err_set(&p->error, HAL_E_TIMEOUT,
                    "the archive was still at work when its time was up, %d times, on what lies "
                    "%s%s%s: run it again later, or ask for less; everything else is complete",
                    n->n_stalled, where, range, others);
        return;
    }
    if (n->suspect) {
        hal_err_set(&p->error, HAL_E_TRUNCATED,
                    "exactly %" PRIu64 " rows %s%s%s, and no more in wider requests: an answer is "
                    "perhaps cut there without a word; say how many rows one holds, or add a "
                    "filter; everything else is %s",
                    n->rows_returned, where, range, others,
                    p->stopped ? "given up too" : "complete");
        return;
    }
    hal_err_set(
        &p->error, HAL_E_TRUNCATED,
        "more than %.0f rows %s%s%s: add a filter that makes them fewer; everything else is "
        "%s",
        p->cap, where, range, others, p->stopped ? "given up too" : "complete");
}

/* Nothing more will be asked: what is left is unfetched, and the state follows. */
void plan_conclude(hal_plan *p)
{
    leave_unfetched(p);
    say_what_was_learned(p);
    if (p->account.n_stuck > 0) {
        p->account.rows_unreachable = p->n_unreachable > 0 ? -1 : 0;
        p->account.state = HAL_PLAN_PARTIAL;
        if (!p->error.status) /* not a budget */
            say_what_is_stuck(p);
        return;
    }
    if (p->n_unreachable > 0)
        count_unreachable(p);
    p->account.state =
        p->account.rows_unreachable == 0 ? HAL_PLAN_COMPLETE : HAL_PLAN_COMPLETE_EXCEPT;
}
