/* SPDX-License-Identifier: BSD-3-Clause */
/* Answers as they come, in any order: checked, kept for their turn, repeated after failures that
 * say nothing. Tiling design, sections 4.2 and 6.1. */
#include "plan/plan.h"

#include "plan/state.h"

#include <inttypes.h>
#include <math.h>

#define SECOND INT64_C(1000000000)

enum {
    AGAIN_MAX = 12,       /* repeats of one ask after transient failures, delays 1 s to 2 min */
    CANARY_MAX = 10,      /* repeats of one canary, delays 30 s to 10 min */
    AGAIN_FIRST_MAX = 6,  /* the same two for an archive that has not answered once: */
    CANARY_FIRST_MAX = 3, /* given up after a minute, or after three and a half */
    COUNT_MAX = 3,        /* repeats of a count or histogram */
};

plan_slot *plan_slot_of(hal_plan *p, uint64_t id, hal_err *err)
{
    for (uint64_t k = p->head; k < p->tail; k++) {
        plan_slot *s = plan_slot_at(p, k);
        if (s->ask.id == id && s->result == PLAN_OUT)
            return s;
    }
    hal_err_set(err, HAL_E_USAGE, "ask %" PRIu64 " is not waiting for an answer", id);
    return NULL;
}

void plan_came_back(hal_plan *p, plan_slot *s, plan_result result)
{
    s->result = result;
    p->in_flight--;
    if (p->window < p->options.window)
        p->window++;
}

hal_status hal_plan_complete(hal_plan *p, uint64_t id, uint64_t returned, uint64_t kept,
                             double overshoot_deg, bool *accepted, hal_err *err)
{
    *accepted = false;
    plan_slot *s = plan_slot_of(p, id, err);
    if (!s)
        return HAL_E_USAGE;
    if (s->ask.kind == HAL_ASK_COUNT || s->ask.kind == HAL_ASK_HISTOGRAM || kept > returned ||
        !(overshoot_deg >= 0.0))
        return hal_err_set(err, HAL_E_USAGE,
                           "ask %" PRIu64 ": %" PRIu64 " rows kept of %" PRIu64 " do not answer it",
                           id, kept, returned);
    double arcsec = overshoot_deg * 3600.0, guard = p->guard_deg * 3600.0;
    p->account.overshoot_arcsec = fmax(p->account.overshoot_arcsec, arcsec);
    p->account.rows_returned += returned;
    if (arcsec > guard / 2.0) {
        hal_err e = HAL_ERR_INIT;
        hal_err_set(&e, HAL_E_INTEGRITY,
                    "position columns do not match the selection: a row lies %.4g arcsec outside "
                    "the region asked for; name the columns the service selects on, or set a guard "
                    "of at least %.4g arcsec (now %.4g)",
                    arcsec, 2.0 * arcsec, guard);
        plan_came_back(p, s, PLAN_ROWS);
        p->account.guard_needed_arcsec = 2.0 * arcsec;
        plan_find(p,
                  "rows lie up to %.4g arcsec outside the region asked for: the record's position "
                  "columns, their rounding, or its region forms are wrong",
                  arcsec);
        plan_fail(p, &e);
        if (err)
            *err = e;
        return e.status;
    }
    plan_result result = PLAN_ROWS;
    plan_node *n = s->node >= 0 ? plan_node_at(p, s->node) : NULL;
    bool counted =
        (s->ask.whole && s->ask.column == 0 && p->account.rows_counted == (int64_t)returned) ||
        (n && n->counted && n->rows_known == (float)returned);
    if (s->ask.page > 0) {
        result = PLAN_ROWS;
    } else if (s->cap && returned >= s->cap) {
        result = PLAN_OVER;
    } else if (n && plan_is_round(returned) && (double)returned > s->proved && !counted) {
        result = PLAN_SUSPECT;
    }
    s->returned = returned;
    s->kept = kept;
    plan_came_back(p, s, result);
    *accepted = result == PLAN_ROWS && s->ask.kind == HAL_ASK_FETCH;
    return HAL_OK;
}

hal_status hal_plan_printed(hal_plan *p, double quantum_deg, hal_err *err)
{
    if (!(quantum_deg >= 0.0 && quantum_deg <= 1.0))
        return hal_err_set(err, HAL_E_USAGE, "positions printed in steps of %g degrees: use 0 to 1",
                           quantum_deg);
    if (p->account.state != HAL_PLAN_RUNNING || !plan_cuts_sky(p) ||
        2.0 * quantum_deg <= p->guard_deg * (1.0 + 1e-9))
        return HAL_OK;
    plan_find(p, "positions are printed in steps of %g degrees, the record says %g", quantum_deg,
              p->service.pos_quantum_deg);
    if (!p->tile_asked) { /* in time: tiles will have the guard they need */
        p->service.pos_quantum_deg = quantum_deg;
        plan_set_guard(p, 2.0 * quantum_deg);
        return HAL_OK;
    }
    p->account.guard_needed_arcsec = 7200.0 * quantum_deg;
    hal_err e = HAL_ERR_INIT;
    hal_err_set(
        &e, HAL_E_INTEGRITY,
        "positions are printed in steps of %g degrees: a guard of %.4g arcsec loses rows at "
        "the borders of tiles; say pos_quantum_deg = %g or a guard of %.4g arcsec",
        quantum_deg, p->guard_deg * 3600.0, quantum_deg, 7200.0 * quantum_deg);
    plan_fail(p, &e);
    if (err)
        *err = e;
    return e.status;
}

bool hal_plan_page_is_full(const hal_plan *p, uint64_t id, uint64_t returned)
{
    for (uint64_t k = p->head; k < p->tail; k++) {
        const plan_slot *s = &p->slot[k % PLAN_LAG];
        if (s->ask.id == id && s->ask.page > 0)
            return returned >= s->ask.page_rows || plan_is_round(returned);
    }
    return false;
}

hal_status hal_plan_counted(hal_plan *p, uint64_t id, uint64_t rows, hal_err *err)
{
    plan_slot *s = plan_slot_of(p, id, err);
    if (!s)
        return HAL_E_USAGE;
    if (s->ask.kind != HAL_ASK_COUNT)
        return hal_err_set(err, HAL_E_USAGE, "ask %" PRIu64 " wants rows, not a count", id);
    s->returned = rows;
    plan_came_back(p, s, PLAN_COUNTED);
    return HAL_OK;
}

static int64_t doubling(int64_t first, int64_t most, int n)
{
    int64_t delay = first;
    while (n-- > 0 && delay < most)
        delay *= 2;
    return delay < most ? delay : most;
}

static void ask_again(hal_plan *p, plan_slot *s, int64_t now_ns, int64_t delay, int most,
                      const hal_err *why)
{
    if (!p->answered)
        most = s->canary ? CANARY_FIRST_MAX : most < AGAIN_FIRST_MAX ? most : AGAIN_FIRST_MAX;
    if (s->n_again >= most) {
        hal_err e = *why;
        hal_err_note(&e, e.status ? e.status : HAL_E_NETWORK,
                     "the archive did not answer %d repeats of one request", s->n_again);
        plan_fail(p, &e);
        return;
    }
    if (why->retry_after_s > 0.0)
        delay = (int64_t)fmax((double)delay, fmin(why->retry_after_s, 86400.0) * 1e9);
    s->result = PLAN_AGAIN;
    s->n_again++;
    s->again_ns = now_ns + delay;
}

/* A count that may spare requests and that nothing waits for. */
static bool is_ahead(const hal_plan *p, const plan_slot *s)
{
    if (s->ask.kind != HAL_ASK_COUNT || s->node <= 0)
        return false;
    const plan_node *n = plan_node_at(p, s->node);
    return n->n_ambiguous == 0 && !n->over;
}

hal_status hal_plan_failed(hal_plan *p, uint64_t id, hal_verdict verdict, int64_t now_ns,
                           const hal_err *why, hal_err *err)
{
    hal_err none = HAL_ERR_INIT;
    plan_slot *s = plan_slot_of(p, id, err);
    if (!s)
        return HAL_E_USAGE;
    if (!why)
        why = &none;
    p->in_flight--;
    plan_histogram_free(s->histogram); /* cells that came before */
    s->histogram = NULL;
    bool strain = verdict == HAL_VERDICT_AMBIGUOUS || verdict == HAL_VERDICT_TRANSIENT ||
                  verdict == HAL_VERDICT_STALLED;
    s->stalled = verdict == HAL_VERDICT_STALLED;
    if (strain && id >= p->window_cut_id) { /* once per round trip */
        p->window = p->window > 1 ? p->window / 2 : 1;
        p->window_cut_id = p->next_id;
    }
    if (verdict == HAL_VERDICT_FATAL &&
        (s->ask.kind == HAL_ASK_COUNT || s->ask.kind == HAL_ASK_HISTOGRAM)) {
        p->account.refused++;
        s->refused = true;
        s->result = PLAN_AMBIGUOUS; /* rows may come without; else they say why not */
        return HAL_OK;
    }
    if (verdict == HAL_VERDICT_FATAL) {
        hal_err e = *why;
        if (!e.status)
            hal_err_set(&e, HAL_E_ARCHIVE, "the archive refused the query");
        plan_fail(p, &e);
        return HAL_OK;
    }
    if (verdict == HAL_VERDICT_TRANSIENT) {
        p->account.transient++;
        ask_again(p, s, now_ns, doubling(SECOND, 120 * SECOND, s->n_again), AGAIN_MAX, why);
        return HAL_OK;
    }
    if (verdict == HAL_VERDICT_OVER) {
        s->result = PLAN_OVER;
        return HAL_OK;
    }
    p->account.ambiguous++;
    if (s->canary) {
        ask_again(p, s, now_ns, doubling(30 * SECOND, 600 * SECOND, s->n_again),
                  s->stalled ? CANARY_FIRST_MAX : CANARY_MAX, why);
    } else if (s->ask.kind != HAL_ASK_FETCH && s->ask.kind != HAL_ASK_PROBE &&
               s->n_again < COUNT_MAX && !s->stalled && !is_ahead(p, s)) {
        ask_again(p, s, now_ns, doubling(SECOND, 120 * SECOND, s->n_again), COUNT_MAX, why);
    } else {
        s->result = PLAN_AMBIGUOUS;
        if (s->node >= 0)
            plan_node_at(p, s->node)->not_before_ns =
                now_ns + doubling(SECOND, 120 * SECOND, plan_node_at(p, s->node)->n_ambiguous);
    }
    return HAL_OK;
}
