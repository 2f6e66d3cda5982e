/* SPDX-License-Identifier: BSD-3-Clause */
/* What answers mean for the tree, taken in the order of the asks: finished, over, a fault, an
 * undeclared limit. Tiling design, sections 6 and 6.1. */
#include "plan/state.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum {
    COUNT_MAX = 3,     /* refusals of a region whose count is below the cap that refute the cap */
    REFUSED_MAX = 8,   /* refusals after which a region is cut whatever its count */
    PROBE_ROWS = 30,   /* rows that make a density worth having */
    SURPRISE_MAX = 3,  /* tiles that were over against all expectation before one is counted */
    MEASURE_CUTS = 3,  /* cuts in a row that did not help, after which rows are counted */
    BLIND_CUTS = 6,    /* cuts of a column in a row, after which uncounted ones try the next */
    REFUTED_MIN = 4,   /* requests that should have fit, after which the cap is doubted */
    UNCOUNTED_MAX = 3, /* counts that do not come, after which none is asked for */
    REQUESTS_DEFAULT = 2000,
};

#define SQUARE_DEGREES 3282.806350011744 /* of a steradian */

#define SAME_ROWS 0.9 /* of the rows before three cuts: positions cannot split them */

hal_status plan_fail(hal_plan *p, const hal_err *err)
{
    p->account.state = HAL_PLAN_FAILED;
    p->error = *err;
    return err->status;
}

void plan_stop(hal_plan *p, const char *what, uint64_t limit, const char *option)
{
    p->stopped = true;
    hal_err_set(&p->error, HAL_E_BUDGET,
                "the plan's budget of %" PRIu64 " %s is used up before the region is complete: "
                "raise %s, or ask for a smaller region",
                limit, what, option);
}

static hal_status push_pending(hal_plan *p, int32_t i, hal_err *err)
{
    plan_node_at(p, i)->state = PLAN_NODE_PENDING;
    return plan_push(&p->stack, &p->n_stack, &p->stack_cap, i, err);
}

/* Is there another way than the sky for rows that it does not split, or than the column? */
static bool may_take_another_way(const hal_plan *p, const plan_node *n)
{
    if (n->column)
        return plan_next_column(p, n) > 0;
    bool way = p->service.n_alt_split > 0 || p->service.order_key;
    return way && plan_cuts_sky(p) && !n->no_position;
}

static void mark_over(hal_plan *p, int32_t i, const plan_request *r, double rows, bool guessed)
{
    plan_node *n = plan_node_at(p, i);
    n->over = true;
    n->guessed = guessed;
    n->retry = false;
    n->rows_known = fmaxf(n->rows_known, (float)rows);
    n->over_run = n->over_run < UINT8_MAX ? n->over_run + 1 : UINT8_MAX;
    if (r->area_sr > 0.0 && !n->column) {
        plan_weigh_guess(p, r, rows, true);
        n->bound = fmax(n->bound, rows / r->area_sr);
    }
    /* Counted once in a while, rows that no cut makes fewer show themselves early. */
    n->want_count =
        n->over_run % MEASURE_CUTS == 0 && plan_may_count(p, r) && may_take_another_way(p, n);
    n->ends = n->ends || (n->column && !plan_may_count(p, r) && n->over_run >= BLIND_CUTS);
}

/* What a node above that is over must hold in this one, all others below it being finished; -1: not
 * known. Cones hold rows of their neighbours. */
static double rows_left(const hal_plan *p, int32_t i)
{
    if (plan_cuts_sky(p) && p->strategy != PLAN_CENTRES && !p->service.takes_box)
        return -1.0;
    const plan_node *n = plan_node_at(p, i);
    while (n->parent >= 0) {
        n = plan_node_at(p, n->parent);
        if (n->n_open > 1 || isinf(n->rows_sent))
            return -1.0;
        if (n->over)
            return p->cap - (double)n->rows_sent;
    }
    return -1.0;
}

/* Over, or a fault? Design section 6.1, rules 3 and 4. */
static void judge(hal_plan *p, int32_t i)
{
    plan_node *n = plan_node_at(p, i);
    plan_request r = plan_request_node(p, n);
    double rows = fmax(plan_predict(p, i, &r), rows_left(p, i));
    /* A needless split into k costs k - 1 requests: repeat first if faults are that likely. */
    double k = p->service.over_is_slow ? 4.0 : 2.0;
    bool faulty = (double)p->n_guess_refuted * k > (double)(p->n_guess_settled + 1);
    bool likely = rows < 0.0 || rows >= 0.5 * p->cap;
    if (n->page > 0) { /* a page is never over, but it may be too long for the archive */
        n->retry = true;
        if (n->n_ambiguous > 1)
            p->page_share /= 2.0;
    } else if (n->n_ambiguous > 1 || (likely && !faulty)) {
        mark_over(p, i, &r, p->cap, true);
        p->account.over++;
    } else {
        n->retry = true;
    }
}

/* The archive answered an ask that was issued with `serial`: silent tiles that failed before can be
 * judged. After an outage they are simply asked again. */
static hal_status prove_life(hal_plan *p, uint64_t serial, bool outage, hal_err *err)
{
    size_t n_left = 0, n_judged = 0;
    for (size_t k = 0; k < p->n_silent; k++) {
        int32_t i = p->silent[k];
        plan_node *n = plan_node_at(p, i);
        if (n->silent_until > serial) {
            p->silent[n_left++] = i;
            continue;
        }
        if (outage) {
            n->n_ambiguous--;
            n->retry = true;
        } else {
            judge(p, i);
        }
        hal_status st = push_pending(p, i, err);
        if (st)
            return st;
        n_judged++;
    }
    p->n_silent = n_left;
    for (size_t a = p->n_stack - n_judged, b = p->n_stack; a + 1 < b; a++) { /* oldest on top */
        int32_t swap = p->stack[a];
        p->stack[a] = p->stack[--b];
        p->stack[b] = swap;
    }
    p->n_probe_silent = 0;
    return HAL_OK;
}

/* What an archive's count of the whole request says about the region. A box round a circle holds
 * more, a service without positions counts its table, cells hold no rows without position. To the
 * row it is the region's only where the region is not tested again on what comes. */
typedef enum counted { COUNT_OF_MORE, COUNT_WITH_GUARD, COUNT_EXACT } counted;

static counted meaning_of_count(const hal_plan *p, const plan_request *r, bool by_cell)
{
    const hal_service *s = &p->service;
    bool as_asked = p->all_sky || s->footprints;
    if (as_asked)
        return by_cell && s->pos_nullable ? COUNT_OF_MORE : COUNT_EXACT;
    bool near = (s->takes_box || s->takes_cone) && r->area_sr < 1.01 * p->region_area_sr;
    return near ? COUNT_WITH_GUARD : COUNT_OF_MORE;
}

static void use_count(hal_plan *p, double rows, counted meaning)
{
    p->account.rows_counted = meaning != COUNT_OF_MORE ? (int64_t)rows : -1;
    p->counts_all = meaning == COUNT_EXACT;
    p->root_rows = rows;
    plan_node_at(p, 0)->rows_known = (float)rows;
    if (!p->options.requests_max)
        p->account.requests_max = (uint64_t)fmax(50.0, 8.0 * ceil(rows / p->cap));
}

hal_status plan_known_rows(hal_plan *p, hal_err *err)
{
    plan_node *root = plan_node_at(p, 0);
    plan_request r = plan_request_node(p, root);
    double rows = (double)p->options.known_rows;
    use_count(p, rows, COUNT_EXACT);
    root->rows_known = (float)(rows * fmax(1.0, r.area_sr / p->region_area_sr));
    r.area_sr = p->region_area_sr;
    hal_status st = plan_learn(p, &r, rows, true, err);
    if (!st && rows >= p->cap && p->strategy != PLAN_PAGES) {
        root->over = true;
        root->bound = rows / r.area_sr;
    }
    return st;
}

/* The budget starts anew for a cap lower than declared. */
static void widen_budget(hal_plan *p)
{
    double wanted = (double)p->account.requests + fmax(50.0, 8.0 * ceil(p->root_rows / p->cap));
    if (!p->options.requests_max && wanted < REQUESTS_DEFAULT)
        p->account.requests_max = (uint64_t)fmax((double)p->account.requests_max, wanted);
}

/* A region of `rows`, more than any answer held so far, is refused again and again although it
 * should fit: the cap is lower than declared. From now on fewer repeats are enough to believe that,
 * and the budget starts anew. */
static void lower_cap(hal_plan *p, double rows)
{
    p->cap = rows;
    p->cap_refuted = true;
    plan_find(p, "the record's cap of %" PRIu64 " rows is too high: a request for %.0f is refused",
              p->service.cap, rows);
    widen_budget(p);
}

/* A request of about `rows` came to nothing, though it should fit. Faults strike small requests as
 * well as large ones: where all that came to nothing are larger than all that came, the cap is
 * lower than declared. What comes yet may raise it again. */
void plan_doubt_cap(hal_plan *p, double rows, double certainty)
{
    p->refuted_least = fmin(p->refuted_least, rows);
    if (p->n_guess_refuted < REFUTED_MIN || p->refuted_least < certainty * p->rows_proved)
        return;
    double declared = p->cap;
    p->cap = fmin(declared, fmax(p->refuted_least, p->rows_proved + 1.0));
    for (size_t i = 0; i < p->n_node; i++) /* what was over held so much less */
        plan_node_at(p, (int32_t)i)->bound *= p->cap / declared;
    p->cap_refuted = true;
    p->refuted_least = INFINITY;
    p->n_guess_refuted = p->n_guess_settled = 0;
    char record[64] = "there seems to be a limit of rows";
    if (p->service.cap)
        snprintf(record, sizeof record, "the record's cap of %" PRIu64 " rows seems too high",
                 p->service.cap);
    plan_find(p,
              "%s: %d requests for about %.0f or more came to nothing, no answer held more than "
              "%.0f; give a lower row_limit",
              record, REFUTED_MIN, p->cap, p->rows_proved);
    widen_budget(p);
}

void plan_limit_proved(hal_plan *p, uint64_t limit, double rows)
{
    if ((p->service.cap && p->service.cap <= limit) || p->rows_proved >= (double)limit)
        return;
    plan_find(p,
              "answers are cut at %" PRIu64
              " rows without a word (%.0f are there): the record's cap "
              "of %" PRIu64 " is wrong",
              limit, rows, p->service.cap);
    if (!p->cap_doubted)
        p->declared_cap = p->service.cap;
    p->cap_doubted = true;
    p->service.cap = limit;
    p->cap = fmin(p->cap, (double)limit);
    p->cap_refuted = true;
    widen_budget(p);
}

/* An answer held more than answers were believed to hold: what a round number seemed to prove was
 * chance, or else the record is wrong. */
static void outgrow(hal_plan *p, const plan_slot *s)
{
    if (!p->cap_doubted || s->returned <= p->service.cap ||
        (p->declared_cap && s->returned >= p->declared_cap)) {
        plan_find(p, "the record's cap of %" PRIu64 " rows is too low: an answer held more",
                  s->cap);
        return;
    }
    plan_find(p, "answers are not cut at %" PRIu64 " rows: one held %" PRIu64, p->service.cap,
              s->returned);
    p->cap_doubted = false;
    p->service.cap = p->declared_cap;
    p->cap = p->declared_cap ? (double)p->declared_cap : fmax(p->cap, PLAN_CAP_UNKNOWN);
}

/* The count of a node that is over: are its rows those of three cuts before? */
static void measure(hal_plan *p, int32_t i, double rows)
{
    plan_node *n = plan_node_at(p, i);
    for (int32_t up = n->parent; up >= 0 && may_take_another_way(p, n) && !n->ends;
         up = plan_node_at(p, up)->parent) {
        const plan_node *a = plan_node_at(p, up);
        n->ends = a->depth + MEASURE_CUTS <= n->depth && (double)a->rows_known > p->cap &&
                  rows >= SAME_ROWS * (double)a->rows_known;
    }
    n->rows_known = (float)rows;
}

/* Counting does not work: not here, for want of time, or nowhere. */
static void do_without_count(hal_plan *p, const plan_slot *s)
{
    p->uncounted_sr = fmin(p->uncounted_sr, s->request.area_sr);
    if (!s->refused && ++p->n_uncounted < UNCOUNTED_MAX && s->request.area_sr > 0.0) {
        plan_find(p,
                  "a count of %.3g square degrees does not come in time: only smaller regions are "
                  "counted",
                  s->request.area_sr * SQUARE_DEGREES);
        return;
    }
    p->counts_usable = false;
    plan_find(p, "counting does not work, although the record says so");
}

static hal_status apply_count(hal_plan *p, plan_slot *s, hal_err *err)
{
    plan_node *n = plan_node_at(p, s->node);
    double rows = (double)s->returned;
    bool first = s->node == 0 && n->n_ambiguous == 0 && !n->over;
    bool was_over = n->over;
    n->want_count = false;
    if (s->result != PLAN_COUNTED) {
        do_without_count(p, s);
        if (n->n_ambiguous > 0 && !was_over)
            judge(p, s->node);
        return push_pending(p, s->node, err);
    }
    if (first) {
        use_count(p, rows, meaning_of_count(p, &s->request, false));
        if (s->returned == 0) {
            plan_finish(p, s->node, PLAN_NODE_DONE, 0);
            return HAL_OK;
        }
    }
    hal_status st = n->column ? HAL_OK : plan_learn(p, &s->request, rows, true, err);
    if (st)
        return st;
    n->rows_known = (float)rows;
    n->counted = true;
    if (n->suspect) { /* the archive says whether its round number was the whole */
        if (rows > (double)n->rows_returned)
            plan_limit_proved(p, n->rows_returned, rows);
        n->suspect = rows >= p->cap;
        n->retry = !n->suspect;
        p->account.over += n->suspect;
        if (n->suspect)
            mark_over(p, s->node, &s->request, rows, false);
        n->want_count = false;
        return push_pending(p, s->node, err);
    }
    if (was_over) {
        measure(p, s->node, rows);
        if (rows < p->cap && !n->guessed)
            lower_cap(p, rows);
        return push_pending(p, s->node, err);
    }
    if (n->n_ambiguous == 0 && !first) { /* counted before it was asked for */
        n->over = rows >= p->cap;
        n->bound = n->over ? rows / s->request.area_sr : 0.0;
        n->predicted = -1.0;
        return push_pending(p, s->node, err);
    }
    bool refused = n->n_ambiguous > (p->cap_refuted ? COUNT_MAX - 1 : COUNT_MAX);
    if (refused && rows < p->cap && rows > p->rows_proved)
        lower_cap(p, rows);
    if (rows >= p->cap || n->n_ambiguous > REFUSED_MAX)
        mark_over(p, s->node, &s->request, rows, false);
    else
        n->retry = !first;
    if (n->over && may_take_another_way(p, n))
        measure(p, s->node, rows);
    n->want_count = false;
    p->account.over += n->over && !first;
    return push_pending(p, s->node, err);
}

static hal_status apply_histogram(hal_plan *p, plan_slot *s, hal_err *err)
{
    plan_node *n = plan_node_at(p, s->node);
    bool root = s->node == 0;
    int known_order = n->cells >= 0 ? p->histogram[n->cells]->order : -1;
    if (s->result == PLAN_OVER && n->want_order - 1 > known_order) { /* a quarter of the cells */
        n->want_order--;
        return push_pending(p, s->node, err);
    }
    n->want_order = -1;
    n->asked_cells = true;
    if (s->result == PLAN_OVER && !root) /* the cells that are known must do */
        return push_pending(p, s->node, err);
    if (s->result != PLAN_CELLS) {
        plan_find(p, "counting %s by cell does not work, although the record says so",
                  root ? "rows" : "the rows of a part");
        p->parts_by_cell = false;
        n->want_count = root && p->counts_usable && p->options.known_rows < 0;
        return push_pending(p, s->node, err);
    }
    double rows = (double)s->returned;
    hal_status st = plan_histogram_take(p, s, err);
    if (st)
        return st;
    n->bound = 0.0; /* the cells say more */
    if (!root) {
        n->predicted = -1.0;
        return push_pending(p, s->node, err);
    }
    /* Rows without position are in no cell: then the sum is not the region's count. */
    if (p->options.known_rows < 0)
        use_count(p, rows, meaning_of_count(p, &s->request, true));
    n->over = n->over || rows >= p->cap;
    return push_pending(p, s->node, err);
}

/* What is wider than a node that cannot be cut, and whose rows are a round number. */
static hal_status apply_wider(hal_plan *p, plan_slot *s, uint64_t serial, hal_err *err)
{
    plan_node *n = plan_node_at(p, s->node);
    bool flagged = s->result == PLAN_OVER && s->returned == 0;
    if (s->returned > n->rows_returned || flagged) {
        if (p->cap_doubted && s->returned > p->service.cap)
            outgrow(p, s);
        n->over = n->suspect = false;
        n->bound = 0.0;
        n->retry = true;
        p->rows_proved = fmax(p->rows_proved, (double)n->rows_returned + 1.0);
    } else {
        n->n_wider++;
    }
    hal_status st = push_pending(p, s->node, err);
    return st || s->result == PLAN_AMBIGUOUS ? st : prove_life(p, serial, false, err);
}

static hal_status apply_probe(hal_plan *p, plan_slot *s, uint64_t serial, hal_err *err)
{
    if (s->node >= 0)
        return apply_wider(p, s, serial, err);
    if (s->canary) {
        bool outage = s->n_again > 0;
        p->canary_out = false;
        if (outage && p->learned.n == 0 && plan_probes(p))
            plan_start_probing(p);
        return prove_life(p, serial, outage, err);
    }
    double smallest = (double)p->min_side_ticks / 1e7;
    if (s->result != PLAN_ROWS) {
        p->n_probe_silent += s->result == PLAN_AMBIGUOUS;
        p->account.over += s->result == PLAN_OVER;
        p->n_probe++;
        p->probe_failed = p->probe_radius;
        if (p->probe_radius > smallest)
            p->probe_radius = fmax(smallest, p->probe_radius / 4.0);
        else if (s->result == PLAN_OVER) /* a pile-up: it is at least that dense here */
            return plan_learn(p, &s->request, p->cap, true, err);
        return s->result == PLAN_OVER ? prove_life(p, serial, false, err) : HAL_OK;
    }
    double wider = 3.0 * p->probe_radius;
    bool may_widen = p->probe_failed <= 0.0 || wider < p->probe_failed;
    if (may_widen && s->returned < PROBE_ROWS && wider <= p->region_cone.radius_deg / 2.0 &&
        (p->service.radius_max_deg <= 0.0 || wider <= p->service.radius_max_deg)) {
        p->probe_radius = wider;
        return HAL_OK;
    }
    hal_status st = plan_learn(p, &s->request, (double)s->returned, true, err);
    return st ? st : prove_life(p, serial, false, err);
}

/* A page came: another follows when it is full. */
static hal_status apply_page(hal_plan *p, plan_slot *s, uint64_t serial, hal_err *err)
{
    plan_node *n = plan_node_at(p, s->node);
    uint64_t asked = s->ask.page_rows;
    bool full = s->returned >= asked || plan_is_round(s->returned);
    p->account.rows_kept += s->kept;
    n->rows_returned += s->returned;
    n->rows_kept += s->kept;
    if (s->returned > 0 && s->ask.page > 1 && p->short_page && p->short_page < asked)
        plan_limit_proved(p, p->short_page, (double)n->rows_returned);
    p->short_page = full && s->returned < asked ? s->returned : 0;
    if (full && !(s->kept == 0 && !p->service.key_unique)) {
        n->page++;
        hal_status st = push_pending(p, s->node, err);
        return st ? st : prove_life(p, serial, false, err);
    }
    uint64_t kept = n->rows_kept;
    if (full) /* one key has more rows than a page: what came stays, the rest cannot be had */
        plan_finish(p, s->node, PLAN_NODE_STUCK, kept);
    else
        plan_finish(p, s->node, PLAN_NODE_DONE, kept);
    return prove_life(p, serial, false, err);
}

static hal_status apply_rows(hal_plan *p, plan_slot *s, uint64_t serial, hal_err *err)
{
    int32_t i = s->node;
    plan_node *n = plan_node_at(p, i);
    hal_status st = HAL_OK;
    if (!n->column && !n->unfounded) {
        plan_weigh_guess(p, &s->request, (double)s->returned, false);
        st = plan_learn(p, &s->request, (double)s->returned, false, err);
    }
    if (st)
        return st;
    if (s->returned >= 1000 && (double)s->returned == p->rows_proved)
        plan_find(p,
                  "two answers hold %" PRIu64 " rows, the most of all: perhaps an undeclared limit",
                  s->returned);
    if (n->counted && n->rows_known != (float)s->returned)
        plan_find(p, "the archive counts %.0f rows in a request that returns %" PRIu64,
                  (double)n->rows_known, s->returned);
    if (p->cap_doubted && s->returned > p->service.cap)
        outgrow(p, s);
    p->rows_proved = fmax(p->rows_proved, (double)s->returned);
    p->cap = fmax(p->cap, p->rows_proved + 1.0);
    p->account.rows_kept += s->kept;
    n->rows_returned = s->returned;
    n->rows_known = (float)s->returned;
    plan_finish(p, i, PLAN_NODE_DONE, s->kept);
    return prove_life(p, serial, false, err);
}

static hal_status apply_suspect(hal_plan *p, plan_slot *s, uint64_t serial, hal_err *err)
{
    int32_t i = s->node;
    plan_node *n = plan_node_at(p, i);
    n->rows_returned = s->returned;
    n->suspect = true;
    if (plan_may_count(p, &s->request)) {
        n->want_count = true;
    } else {
        if (p->suspect_rows == s->returned) /* twice the same */
            plan_limit_proved(p, s->returned, (double)s->returned);
        p->suspect_rows = s->returned;
        mark_over(p, i, &s->request, (double)s->returned, true);
        p->account.over++;
    }
    hal_status st = push_pending(p, i, err);
    return st ? st : prove_life(p, serial, false, err);
}

static hal_status apply_fetch(hal_plan *p, plan_slot *s, uint64_t serial, hal_err *err)
{
    int32_t i = s->node;
    plan_node *n = plan_node_at(p, i);
    hal_status st = HAL_OK;
    n->retry = false;
    switch (s->result) {
    case PLAN_ROWS:
        st = s->ask.page > 0 ? apply_page(p, s, serial, err) : apply_rows(p, s, serial, err);
        if (p->options.rows_max && p->account.rows_kept > p->options.rows_max && !p->stopped)
            plan_stop(p, "rows", p->options.rows_max, "budget.rows");
        return st;
    case PLAN_SUSPECT:
        return apply_suspect(p, s, serial, err);
    case PLAN_OVER:
        if (s->ask.page > 0) { /* a smaller page then */
            p->page_share /= 2.0;
            n->retry = true;
        } else {
            if (s->returned > s->cap && s->cap) /* whether that was all nobody knows */
                outgrow(p, s);
            p->n_surprise += n->predicted >= 0.0 && n->predicted <= PLAN_ACCEPT * p->cap;
            mark_over(p, i, &s->request, p->cap, false);
            if (plan_may_count(p, &s->request) && p->n_surprise >= SURPRISE_MAX) {
                p->n_surprise = 0;
                n->want_count = true;
            }
        }
        p->account.over++;
        st = push_pending(p, i, err);
        return st ? st : prove_life(p, serial, false, err);
    case PLAN_AMBIGUOUS:
        n->n_ambiguous++;
        n->n_stalled += s->stalled;
        if (n->n_stalled >= PLAN_STALLED_MAX) {
            plan_finish(p, i, PLAN_NODE_UNFETCHED, n->rows_kept);
            return HAL_OK;
        }
        if (plan_may_count(p, &s->request) && n->page == 0) {
            n->want_count = true;
            return push_pending(p, i, err);
        }
        n->state = PLAN_NODE_SILENT;
        n->silent_until = p->tail;
        return plan_push(&p->silent, &p->n_silent, &p->silent_cap, i, err);
    default:
        return HAL_OK;
    }
}

hal_status plan_apply(hal_plan *p, hal_err *err)
{
    uint64_t serial = p->head++;
    plan_slot *s = plan_slot_at(p, serial);
    if (s->result == PLAN_NOT_ASKED) /* for want of a budget: unfetched at the end */
        return s->node < 0 ? HAL_OK : push_pending(p, s->node, err);
    if (s->result == PLAN_ROWS || s->result == PLAN_COUNTED || s->result == PLAN_CELLS)
        p->answered = true;
    hal_status st;
    switch (s->ask.kind) {
    case HAL_ASK_COUNT:
        return apply_count(p, s, err);
    case HAL_ASK_HISTOGRAM:
        st = apply_histogram(p, s, err);
        plan_histogram_free(s->histogram);
        s->histogram = NULL;
        return st;
    case HAL_ASK_PROBE:
        return apply_probe(p, s, serial, err);
    case HAL_ASK_FETCH:
        break;
    }
    return apply_fetch(p, s, serial, err);
}
