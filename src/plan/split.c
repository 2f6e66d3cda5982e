/* SPDX-License-Identifier: BSD-3-Clause */
/* The tree: tiles clipped to the user's region, ranges of columns, rows without position, pages.
 * Tiling design, sections 3, 4 and 6.2. When to cut is decided in plan.c. */
#include "plan/state.h"

#include "base/alloc.h"

#include <math.h>

hal_status plan_push(int32_t **list, size_t *n, size_t *cap, int32_t i, hal_err *err)
{
    if (*n == *cap) {
        size_t grown_cap = *cap ? 2 * *cap : 64;
        int32_t *grown = hal_realloc(*list, grown_cap * sizeof *grown);
        if (!grown)
            return hal_err_nomem(err, grown_cap * sizeof *grown);
        *list = grown;
        *cap = grown_cap;
    }
    (*list)[(*n)++] = i;
    return HAL_OK;
}

static hal_status room_for_node(hal_plan *p, hal_err *err)
{
    if (p->n_node < p->n_chunk * PLAN_CHUNK)
        return HAL_OK;
    if (p->n_node >= INT32_MAX - PLAN_CHUNK)
        return hal_err_set(err, HAL_E_BUDGET,
                           "the plan has more than %zu tiles: ask for a smaller region", p->n_node);
    if (p->n_chunk == p->chunk_cap) {
        size_t cap = p->chunk_cap ? 2 * p->chunk_cap : 16;
        plan_node **grown = hal_realloc(p->chunk, cap * sizeof *grown);
        if (!grown)
            return hal_err_nomem(err, cap * sizeof *grown);
        p->chunk = grown;
        p->chunk_cap = cap;
    }
    plan_node *more = hal_calloc(PLAN_CHUNK, sizeof *more);
    if (!more)
        return hal_err_nomem(err, PLAN_CHUNK * sizeof *more);
    p->chunk[p->n_chunk++] = more;
    return HAL_OK;
}

/* Adds a node like `like` below `parent`, to be finished first of all that wait. */
static hal_status node_add(hal_plan *p, const plan_node *like, int32_t parent, hal_err *err)
{
    hal_status st = room_for_node(p, err);
    if (st)
        return st;
    int32_t i = (int32_t)p->n_node;
    st = plan_push(&p->stack, &p->n_stack, &p->stack_cap, i, err);
    if (st)
        return st;
    *plan_node_at(p, p->n_node++) = *like;
    plan_node_at(p, i)->parent = parent;
    plan_node_at(p, i)->depth = parent < 0 ? 0 : (int16_t)(plan_node_at(p, parent)->depth + 1);
    p->account.tiles_known++;
    return HAL_OK;
}

/* A child of `n` that shares its selection and none of its fate. */
static plan_node child_of(const plan_node *n)
{
    return (plan_node){
        .tile = n->tile,
        .column = n->column,
        .whole = n->whole,
        .no_position = n->no_position,
        .lo = n->lo,
        .hi = n->hi,
        .over_run = n->over ? n->over_run : 0,
        .n_stalled = n->n_stalled,
        .predicted = -1.0,
        .rows_known = -1.0F,
        .want_order = -1,
        .cells = n->cells,
    };
}

hal_status plan_root(hal_plan *p, hal_err *err)
{
    plan_node root = {.tile =
                          p->strategy == PLAN_CENTRES ? hal_tile_all() : hal_region_tile(p->region),
                      .whole = true,
                      .page = p->strategy == PLAN_PAGES,
                      .predicted = -1.0,
                      .rows_known = -1.0F,
                      .want_order = -1,
                      .cells = -1};
    return node_add(p, &root, -1, err);
}

#define SURPRISE 0.5    /* of the cap was expected at most, and it was over */
#define OUTLINE_DEG 3.0 /* few outlines reach farther from their centre */

/* The strip of `t` that lies `trim` ticks from a border: 0 west, 1 east, 2 south, 3 north. */
static hal_tile strip_of(const hal_tile *t, int border, int64_t trim)
{
    hal_tile s = *t;
    if (border < 2) {
        s.width = trim;
        if (border == 1)
            s.ra = (t->ra + t->width - trim) % HAL_TICKS_CIRCLE;
    } else if (border == 2) {
        s.dec_hi = t->dec_lo + trim;
    } else {
        s.dec_lo = t->dec_hi - trim;
    }
    return s;
}

static bool is_off(const hal_plan *p, const hal_tile *t, int border, int64_t trim)
{
    hal_tile strip = strip_of(t, border, trim);
    return !hal_region_may_touch(p->region, &strip, p->guard_deg);
}

/* Takes off what lies outside the user's region: no row is lost, and requests at the rim become
 * smaller. Each border moves by sixteenths, found by bisection. */
static void clip(const hal_plan *p, hal_tile *t)
{
    for (int border = 0; border < 4; border++) {
        int64_t side = border < 2 ? t->width : t->dec_hi - t->dec_lo, trim = 0;
        if (side < 16 * p->min_side_ticks || !is_off(p, t, border, side / 16))
            continue;
        for (int64_t step = side / 2; step >= side / 16; step /= 2)
            trim += is_off(p, t, border, trim + step) ? step : 0;
        if (trim == 0)
            continue;
        if (border < 2)
            t->width -= trim;
        if (border == 0)
            t->ra = (t->ra + trim) % HAL_TICKS_CIRCLE;
        if (border == 2)
            t->dec_lo += trim;
        if (border == 3)
            t->dec_hi -= trim;
    }
}

bool plan_is_outside(const hal_plan *p, plan_node *n)
{
    bool is_tile = !n->whole && !n->no_position && p->strategy != PLAN_CENTRES;
    if (is_tile && !hal_region_may_touch(p->region, &n->tile, p->guard_deg))
        return true;
    if (is_tile && !n->clipped)
        clip(p, &n->tile);
    n->clipped = true;
    return false;
}

/* The node on top of the stack gives way to its children. */
static void open_node(hal_plan *p, int32_t i)
{
    p->n_stack--;
    plan_node_at(p, i)->state = PLAN_NODE_SPLIT;
    p->account.tiles_known--;
}

static hal_status add_child(hal_plan *p, int32_t i, const plan_node *child, hal_err *err)
{
    int32_t at = (int32_t)p->n_node;
    hal_status st = node_add(p, child, i, err);
    if (st)
        return st;
    plan_node *n = plan_node_at(p, i);
    n->n_open++;
    if (n->n_child++ == 0)
        n->first_child = at;
    return HAL_OK;
}

/* Rows that no request selects: none, or some, as a count will say. Nobody waits for them. */
static hal_status add_unreachable(hal_plan *p, int32_t i, const plan_node *child, hal_err *err)
{
    hal_status st = node_add(p, child, i, err);
    if (st)
        return st;
    p->n_stack--;
    p->account.tiles_known--;
    plan_node_at(p, p->n_node - 1)->state = PLAN_NODE_UNREACHABLE;
    p->n_unreachable++;
    p->unreachable_column = child->column;
    return HAL_OK;
}

/* The first cut of a region's positions leaves out the rows that have none. */
static hal_status add_no_position(hal_plan *p, int32_t i, hal_err *err)
{
    bool may_match = p->strategy == PLAN_CENTRES || (p->strategy == PLAN_TILES && p->all_sky);
    if (i != 0 || !p->service.pos_nullable || !may_match)
        return HAL_OK;
    plan_node child = child_of(plan_node_at(p, i));
    child.whole = false;
    child.no_position = true;
    return p->service.null_test ? add_child(p, i, &child, err) : add_unreachable(p, i, &child, err);
}

static hal_status add_tile(hal_plan *p, int32_t i, const hal_tile *tile, bool again, bool unfounded,
                           hal_err *err)
{
    plan_node child = child_of(plan_node_at(p, i));
    child.whole = false;
    child.tile = *tile;
    child.cut_again = again;
    child.unfounded = unfounded;
    return add_child(p, i, &child, err);
}

/* Centres lie in the user's region and about it, seldom far away: one tile there and what is left
 * of the sky, the former last so that it is first on the stack. */
static hal_status frame(hal_plan *p, int32_t i, hal_err *err)
{
    double radius = fmin(180.0, p->region_cone.radius_deg + OUTLINE_DEG);
    hal_region *wide =
        hal_region_circle(p->region_cone.ra_deg, p->region_cone.dec_deg, radius, err);
    if (!wide)
        return err ? err->status : HAL_E_NOMEM;
    hal_tile in = hal_region_tile(wide);
    hal_region_unref(wide);
    hal_tile rest[3];
    size_t n = 0;
    if (in.dec_hi < HAL_TICKS_POLE)
        rest[n++] = (hal_tile){0, HAL_TICKS_CIRCLE, in.dec_hi, HAL_TICKS_POLE};
    if (in.dec_lo > -HAL_TICKS_POLE)
        rest[n++] = (hal_tile){0, HAL_TICKS_CIRCLE, -HAL_TICKS_POLE, in.dec_lo};
    if (in.width < HAL_TICKS_CIRCLE)
        rest[n++] = (hal_tile){(in.ra + in.width) % HAL_TICKS_CIRCLE, HAL_TICKS_CIRCLE - in.width,
                               in.dec_lo, in.dec_hi};
    hal_status st = HAL_OK;
    for (size_t k = 0; k < n && !st; k++)
        st = add_tile(p, i, &rest[k], false, true, err);
    if (st)
        return st;
    st = add_tile(p, i, &in, false, false, err);
    plan_node *inner = plan_node_at(p, p->n_node - 1);
    if (!st) {
        inner->bound = plan_node_at(p, i)->rows_known > 0.0F
                           ? (double)plan_node_at(p, i)->rows_known / hal_tile_area_sr(&in)
                           : 0.0;
        plan_node_at(p, i)->bound = 0.0;
    }
    return st;
}

/* Rows that the histogram sees in a tile. */
static double rows_seen(const hal_plan *p, int32_t cells, const hal_tile *t)
{
    plan_node like = {.tile = *t};
    plan_request r = plan_request_node(p, &like);
    return plan_histogram_rows(p, p->histogram[cells], &r);
}

/* Moves the border of two tiles so that the first holds its share of the planned leaves: false
 * position, with `rows` in the whole. Borders stay integers; neither part becomes a sliver. */
static void balance(const hal_plan *p, const plan_node *n, double rows, int64_t leaves,
                    hal_tile child[2])
{
    const hal_tile *whole = &n->tile;
    enum { STEPS = 4 };
    bool by_dec = child[0].dec_hi != whole->dec_hi;
    int64_t side = by_dec ? whole->dec_hi - whole->dec_lo : whole->width, lo = 0, hi = side;
    double below_lo = 0.0, below_hi = rows;
    double wanted = rows * (double)(leaves / 2) / (double)leaves;
    if (side / 4 < p->min_side_ticks)
        return;
    for (int k = 0; k < STEPS && below_hi > below_lo; k++) {
        double f = (wanted - below_lo) / (below_hi - below_lo);
        int64_t at = lo + (int64_t)((double)(hi - lo) * f);
        at = at < side / 4 ? side / 4 : at > side - side / 4 ? side - side / 4 : at;
        if (by_dec)
            child[0].dec_hi = child[1].dec_lo = whole->dec_lo + at;
        else
            child[0].width = at;
        double below = rows_seen(p, n->cells, &child[0]);
        if (below < wanted) {
            lo = at;
            below_lo = below;
        } else {
            hi = at;
            below_hi = below;
        }
    }
    if (by_dec)
        return;
    child[1].ra = (whole->ra + child[0].width) % HAL_TICKS_CIRCLE;
    child[1].width = whole->width - child[0].width;
}

static hal_status split_sky(hal_plan *p, int32_t i, const plan_request *r, double rows, bool *cut,
                            hal_err *err)
{
    enum { LEAVES_BALANCED = 32 }; /* of more, the cuts that follow make up for this one */
    hal_tile child[2];
    plan_node *n = plan_node_at(p, i);
    bool framed = p->strategy == PLAN_CENTRES && i == 0 && p->region_cone.radius_deg < 60.0;
    *cut = framed ||
           (n->depth < PLAN_DEPTH_MAX &&
            hal_tile_cut(&n->tile, plan_leaves_wanted(p, i, r, rows), p->min_side_ticks, child));
    if (!*cut)
        return HAL_OK;
    /* Cones pay for uneven cuts with their shape, and a surprise says that the cells mislead. */
    int64_t leaves = framed ? 0 : plan_leaves_wanted(p, i, r, rows);
    if (n->cells >= 0 && r->as_box && n->predicted < 0.0 && leaves > 0 && leaves <= LEAVES_BALANCED)
        balance(p, n, rows, leaves, child);
    /* Into four where it was far from expected, or again over; else two parts hold it mostly. */
    double surprise = (n->over_run > 1 ? 1.0 : SURPRISE) * p->cap;
    bool again =
        n->over && p->service.over_is_slow && n->predicted >= 0.0 && n->predicted < surprise;
    open_node(p, i);
    hal_status st = add_no_position(p, i, err);
    if (!st && framed)
        return frame(p, i, err);
    for (int k = 1; k >= 0 && !st; k--) /* the south or west child is popped first */
        st = add_tile(p, i, &child[k], again, false, err);
    return st;
}

static hal_status split_range(hal_plan *p, int32_t i, double rows, bool *cut, hal_err *err)
{
    enum { RANGE_DEPTH_MAX = 250 };
    plan_node *n = plan_node_at(p, i);
    plan_range r;
    bool first;
    *cut = n->depth < RANGE_DEPTH_MAX && plan_cut_range(p, n, rows, &r, &first);
    if (n->column && !n->over) /* a guess is no reason to cut another column */
        *cut = *cut && r.column == n->column;
    if (!*cut)
        return HAL_OK;
    const hal_plan_column *c = &p->service.alt_split[r.column - 1];
    plan_node child = child_of(n);
    child.column = r.column;
    child.column_null = false;
    child.lo = r.lo;
    child.hi = r.hi;
    child.over_run = r.column == n->column ? child.over_run : 0;
    open_node(p, i);
    hal_status st = HAL_OK;
    if (first && c->nullable) {
        plan_node nulls = child;
        nulls.column_null = true;
        st = c->null_test ? add_child(p, i, &nulls, err) : add_unreachable(p, i, &nulls, err);
    }
    plan_node upper = child, lower = child;
    upper.lo = lower.hi = r.at;
    if (!st)
        st = add_child(p, i, &upper, err);
    return st ? st : add_child(p, i, &lower, err);
}

hal_status plan_split(hal_plan *p, int32_t i, const plan_request *r, double rows, bool *cut,
                      hal_err *err)
{
    plan_node *n = plan_node_at(p, i);
    *cut = false;
    bool by_sky = plan_cuts_sky(p) && !n->column && !n->no_position && !n->ends;
    if (by_sky) {
        hal_status st = split_sky(p, i, r, rows, cut, err);
        if (st || *cut || !n->over)
            return st;
    }
    hal_status st = split_range(p, i, rows, cut, err);
    if (st || *cut || !plan_node_at(p, i)->over || !p->service.order_key ||
        plan_node_at(p, i)->page > 0)
        return st;
    n = plan_node_at(p, i);
    n->page = 1;
    n->over = false;
    n->bound = 0.0;
    *cut = true;
    return HAL_OK;
}

#define CONES_VARY 0.7 /* how far the rows of a cone are from the mean of its parts */

/* All its rows are known. An ambiguous answer that was taken for OVER, but whose parts together
 * bring far less than the cap, was a fault (where parts lie outside of the user's region, that
 * cannot be told); a round number of rows that proves to be less than there are was a
 * limit. */
static void settle(hal_plan *p, plan_node *n)
{
    if (n->suspect && n->rows_kept > n->rows_returned)
        plan_limit_proved(p, n->rows_returned, (double)n->rows_kept);
    if (!n->guessed || isinf(n->rows_sent))
        return;
    p->n_guess_settled++;
    bool cones = plan_cuts_sky(p) && p->strategy != PLAN_CENTRES && !p->service.takes_box;
    if ((double)n->rows_sent < 0.5 * p->cap * (cones ? PLAN_CONE_OVER_BOX : 1.0)) {
        p->n_guess_refuted++;
        n->bound = 0.0;
        plan_doubt_cap(p, (double)n->rows_sent / (cones ? PLAN_CONE_OVER_BOX : 1.0),
                       cones ? CONES_VARY : 1.0);
    }
}

static void list_stuck(hal_plan *p, int32_t i)
{
    plan_node_at(p, i)->next_stuck = -1;
    if (p->last_stuck >= 0)
        plan_node_at(p, p->last_stuck)->next_stuck = i;
    else
        p->first_stuck = i;
    p->last_stuck = i;
    p->account.n_stuck++;
}

void plan_finish(hal_plan *p, int32_t i, plan_node_state state, uint64_t kept)
{
    plan_node *n = plan_node_at(p, i);
    n->state = state;
    n->rows_kept = kept;
    plan_histogram_drop(p, n);
    if (state == PLAN_NODE_DONE)
        p->account.tiles_done++;
    else
        list_stuck(p, i);
    if (state == PLAN_NODE_DONE && n->column && !n->column_null)
        p->last_range = i;
    bool closed = true;
    bool asked = state == PLAN_NODE_DONE && !isinf(n->rows_sent);
    float sent = asked ? (float)n->rows_returned : INFINITY;
    for (i = n->parent; i >= 0; i = n->parent) {
        n = plan_node_at(p, i);
        n->rows_kept += kept;
        n->rows_sent += sent;
        closed = closed && --n->n_open == 0;
        if (closed) {
            settle(p, n);
            plan_histogram_drop(p, n);
        }
    }
}
