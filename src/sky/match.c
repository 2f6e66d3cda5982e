/* SPDX-License-Identifier: BSD-3-Clause */
#include "sky/match.h"

#include "base/alloc.h"
#include "sky/strips.h"
#include "sky/vector.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define NO_ROW UINT32_MAX
#define PAIRS_MAX_DEFAULT (UINT64_C(1) << 32)

#define HALF_TURN UINT32_C(0x80000000)

enum { PAIRS_ROOM_LEAST = 1024, GUIDE_BITS = 11 };

typedef struct pair {
    uint32_t left, right;
    double sep_deg;
} pair;

/* What a thread has found. */
typedef struct finds {
    pair *pairs;
    uint64_t n, room;
    bool full, no_memory;
} finds;

typedef struct matching {
    hal_match_mode mode;
    uint32_t n_nearest;
    const hal_side *from, *to;
    const hal_strips *strips;
    atomic_uint next;    /* strip */
    atomic_bool give_up; /* a thread has failed */
    const _Atomic bool *stop;
    uint64_t pairs_max;
    uint32_t *best_row; /* BEST: of each row of `from` */
    double *best_sep;   /* may be NULL */
    finds finds[HAL_MATCH_THREADS_MAX];
} matching;

/* Where the keys of a strip begin whose upper bits are `slot`: spares most of the bisection. */
typedef struct key_guide {
    uint32_t strip;
    unsigned shift;
    uint32_t first[(1 << GUIDE_BITS) + 1];
} key_guide;

/* The search of one row. */
typedef struct seeker {
    const matching *job;
    finds *finds;
    const key_guide *guide;
    hal_place at;
    double cos_dec;
    double radius_deg; /* the row's own part of what a pair may be apart */
    double bound_deg;  /* nothing beyond it is wanted; with room for rounding */
    uint32_t reach;    /* the same as a difference of keys; HALF_TURN: all around */
    uint32_t row;      /* BEST */
    double sep_deg;
    pair *nearest; /* NEAREST: ascending */
    uint32_t n_nearest;
} seeker;

/* By how much the RA of a place within `bound_deg` can differ: asin(sin(bound) / cos(dec)), here
 * q + q^3 >= asin(q), which is less than half a turn. */
static void set_bound(seeker *q, double sep_deg)
{
    q->bound_deg = sep_deg * (1.0 + 1e-8) + 1e-10;
    double sine = q->bound_deg * HAL_RAD_PER_DEG / q->cos_dec;
    if (sine < 0.9)
        q->reach = (uint32_t)(sine * (1.0 + sine * sine) * (0x1p32 / (2 * HAL_PI))) + 2;
    else
        q->reach = HALF_TURN;
}

static bool is_nearer(double sep_deg, uint32_t row, double than_deg, uint32_t than_row)
{
    return sep_deg < than_deg || (sep_deg == than_deg && row < than_row);
}

static void keep_nearest(seeker *q, uint32_t row, double sep_deg)
{
    uint32_t most = q->job->n_nearest, i = q->n_nearest;
    if (i == most) {
        if (!is_nearer(sep_deg, row, q->nearest[i - 1].sep_deg, q->nearest[i - 1].right))
            return;
        i--;
    } else {
        q->n_nearest++;
    }
    for (; i > 0 && is_nearer(sep_deg, row, q->nearest[i - 1].sep_deg, q->nearest[i - 1].right);
         i--)
        q->nearest[i] = q->nearest[i - 1];
    q->nearest[i] = (pair){q->at.row, row, sep_deg};
    if (q->n_nearest == most && q->nearest[most - 1].sep_deg < q->bound_deg)
        set_bound(q, q->nearest[most - 1].sep_deg);
}

static bool make_room(finds *f, uint64_t n, uint64_t pairs_max)
{
    if (f->n + n <= f->room)
        return true;
    f->full = f->n + n > pairs_max;
    if (f->full)
        return false;
    uint64_t room = f->room ? f->room * 2 : PAIRS_ROOM_LEAST;
    while (room < f->n + n)
        room *= 2;
    pair *grown = hal_realloc(f->pairs, room * sizeof *grown);
    if (!grown) {
        f->no_memory = true;
        return false;
    }
    f->pairs = grown;
    f->room = room;
    return true;
}

static void keep(seeker *q, uint32_t row, double sep_deg)
{
    switch (q->job->mode) {
    case HAL_MATCH_BEST:
    case HAL_MATCH_SYMMETRIC:
        if (is_nearer(sep_deg, row, q->sep_deg, q->row)) {
            if (sep_deg < q->sep_deg)
                set_bound(q, sep_deg);
            q->sep_deg = sep_deg;
            q->row = row;
        }
        return;
    case HAL_MATCH_ALL:
        if (make_room(q->finds, 1, q->job->pairs_max))
            q->finds->pairs[q->finds->n++] = (pair){q->at.row, row, sep_deg};
        return;
    case HAL_MATCH_NEAREST:
        keep_nearest(q, row, sep_deg);
        return;
    }
}

static void compare(seeker *q, const hal_place *p)
{
    if (fabs(p->dec_deg - q->at.dec_deg) > q->bound_deg)
        return;
    double sep_deg = hal_separation_between(q->at.ra_deg, q->at.dec_deg, q->cos_dec, p->ra_deg,
                                            p->dec_deg, hal_cos_dec(p->dec_deg));
    if (sep_deg > q->bound_deg)
        return;
    double radius_deg = hal_side_radius(q->job->to, p->row);
    if (radius_deg >= 0 && sep_deg <= q->radius_deg + radius_deg)
        keep(q, p->row, sep_deg);
}

static uint32_t lower_bound(const uint32_t *keys, uint32_t n, uint32_t key)
{
    const uint32_t *base = keys;
    while (n > 1) {
        uint32_t half = n / 2;
        base += base[half - 1] < key ? half : 0;
        n -= half;
    }
    return (uint32_t)(base - keys) + (n == 1 && *base < key);
}

static void make_guide(key_guide *g, const hal_side *to, uint32_t s)
{
    uint32_t n = to->count[s];
    const uint32_t *keys = to->keys + to->first[s];
    unsigned bits = 1;
    while (bits < GUIDE_BITS && (UINT32_C(1) << bits) < n)
        bits++;
    g->strip = s;
    g->shift = 32 - bits;
    uint32_t i = 0;
    for (uint32_t slot = 0; slot < UINT32_C(1) << bits; slot++) {
        while (i < n && keys[i] >> g->shift < slot)
            i++;
        g->first[slot] = i;
    }
    g->first[UINT32_C(1) << bits] = n;
}

static uint32_t find_key(const key_guide *g, uint32_t s, const uint32_t *keys, uint32_t n,
                         uint32_t key)
{
    if (g->strip != s)
        return lower_bound(keys, n, key);
    const uint32_t *first = &g->first[key >> g->shift];
    return first[0] + lower_bound(keys + first[0], first[1] - first[0], key);
}

/* Walks away from the row's own RA in both directions, round the circle, while RA is within reach;
 * what is found shortens it. */
static void search_strip(seeker *q, uint32_t s)
{
    const hal_side *to = q->job->to;
    uint32_t n = to->count[s], key = q->at.key;
    const hal_place *places = to->places + to->first[s];
    const uint32_t *keys = to->keys + to->first[s];
    if (n == 0)
        return;
    uint32_t start = find_key(q->guide, s, keys, n, key), seen = 0;
    for (uint32_t i = start; seen < n; seen++, i++) {
        if (i == n)
            i = 0;
        if (keys[i] - key > q->reach && q->reach < HALF_TURN)
            break;
        compare(q, &places[i]);
    }
    for (uint32_t i = start; seen < n; seen++) {
        i = i == 0 ? n - 1 : i - 1;
        if (key - keys[i] > q->reach && q->reach < HALF_TURN)
            break;
        compare(q, &places[i]);
    }
}

/* From the row's own strip outwards, the nearer strip first, as far as the bound. */
static void search(seeker *q, uint32_t s)
{
    const double *edge = q->job->strips->edge;
    uint32_t up = s + 1, down = s, n = q->job->strips->n;
    search_strip(q, s);
    for (;;) {
        double above = up < n ? edge[up] - q->at.dec_deg : INFINITY;
        double below = down > 0 ? q->at.dec_deg - edge[down] : INFINITY;
        if (above > q->bound_deg && below > q->bound_deg)
            return;
        if (above < below)
            search_strip(q, up++);
        else
            search_strip(q, --down);
    }
}

static void search_row(seeker *q, const hal_place *at, uint32_t s)
{
    const matching *job = q->job;
    q->at = *at;
    q->radius_deg = hal_side_radius(job->from, at->row);
    q->row = NO_ROW;
    q->sep_deg = INFINITY;
    q->n_nearest = 0;
    if (!(q->radius_deg >= 0))
        return;
    q->cos_dec = hal_cos_dec(at->dec_deg);
    set_bound(q, fmin(q->radius_deg + job->to->radius_max_deg, 180.0));
    search(q, s);
}

static void deliver(const matching *job, const seeker *q)
{
    if (job->mode == HAL_MATCH_NEAREST) {
        if (make_room(q->finds, q->n_nearest, job->pairs_max))
            for (uint32_t i = 0; i < q->n_nearest; i++)
                q->finds->pairs[q->finds->n++] = q->nearest[i];
    } else if (job->mode != HAL_MATCH_ALL && q->row != NO_ROW) {
        job->best_row[q->at.row] = q->row;
        if (job->best_sep)
            job->best_sep[q->at.row] = q->sep_deg;
    }
}

static void search_strips(void *ctx, unsigned i_thread)
{
    matching *job = ctx;
    pair nearest[HAL_MATCH_NEAREST_MAX];
    finds *f = &job->finds[i_thread];
    key_guide guide;
    seeker q = {.job = job, .finds = f, .guide = &guide, .nearest = nearest};
    while (!atomic_load(&job->give_up) && !(job->stop && atomic_load(job->stop))) {
        uint32_t s = atomic_fetch_add(&job->next, 1);
        if (s >= job->strips->n)
            return;
        make_guide(&guide, job->to, s);
        const hal_place *places = job->from->places + job->from->first[s];
        for (uint32_t i = 0, n = job->from->count[s]; i < n; i++) {
            search_row(&q, &places[i], s);
            deliver(job, &q);
            if (f->full || f->no_memory) {
                atomic_store(&job->give_up, true);
                return;
            }
            if (i % 256 == 255 && job->stop && atomic_load(job->stop))
                return;
        }
    }
}

static hal_status too_many(uint64_t pairs_max, hal_err *err)
{
    return hal_err_set(err, HAL_E_BUDGET,
                       "more than %llu pairs match; use a smaller radius or mode best",
                       (unsigned long long)pairs_max);
}

/* Every row of `from` against `to`. */
static hal_status search_all(matching *job, unsigned n_threads, hal_err *err)
{
    atomic_init(&job->next, 0);
    atomic_init(&job->give_up, false);
    hal_side_by_side(n_threads, search_strips, job);
    if (job->stop && atomic_load(job->stop))
        return hal_err_set(err, HAL_E_CANCELLED, "interrupted");
    for (unsigned i = 0; i < n_threads; i++) {
        if (job->finds[i].full)
            return too_many(job->pairs_max, err);
        if (job->finds[i].no_memory)
            return hal_err_nomem(err, 2 * job->finds[i].room * sizeof(pair));
    }
    return HAL_OK;
}

/* Results */

static hal_status allocate_pairs(hal_match *out, uint64_t n, hal_err *err)
{
    out->left = hal_malloc(n * sizeof *out->left);
    out->right = hal_malloc(n * sizeof *out->right);
    out->sep_deg = hal_malloc(n * sizeof *out->sep_deg);
    if (!out->left || !out->right || !out->sep_deg)
        return hal_err_nomem(err, n * 3 * sizeof *out->left);
    return HAL_OK;
}

static void append(hal_match *out, uint64_t left, uint64_t right, double sep_deg)
{
    out->left[out->n_pairs] = left;
    out->right[out->n_pairs] = right;
    out->sep_deg[out->n_pairs++] = sep_deg;
    out->n_matched += right != HAL_MATCH_NONE;
}

/* One pair or none per left row; `back` of each right row, or NULL. Writes over `sep`, which
 * becomes part of the result. */
static hal_status collect_best(hal_match *out, const uint32_t *best, double *sep, uint64_t n,
                               const uint32_t *back, bool keep_unmatched, hal_err *err)
{
    uint64_t n_pairs = 0;
    for (uint64_t i = 0; i < n; i++)
        n_pairs += keep_unmatched || (best[i] != NO_ROW && (!back || back[best[i]] == i));
    out->sep_deg = sep;
    out->left = hal_malloc(n_pairs * sizeof *out->left);
    out->right = hal_malloc(n_pairs * sizeof *out->right);
    if (!out->left || !out->right)
        return hal_err_nomem(err, n_pairs * 2 * sizeof *out->left);
    for (uint64_t i = 0; i < n; i++) {
        if (best[i] != NO_ROW && (!back || back[best[i]] == i))
            append(out, i, best[i], sep[i]);
        else if (keep_unmatched)
            append(out, i, HAL_MATCH_NONE, NAN);
    }
    double *fitting = hal_realloc(sep, n_pairs * sizeof *sep);
    if (fitting)
        out->sep_deg = fitting;
    return HAL_OK;
}

static int by_separation(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    if (x->sep_deg != y->sep_deg)
        return x->sep_deg < y->sep_deg ? -1 : 1;
    return (x->right > y->right) - (x->right < y->right);
}

/* Brings the pairs of all threads into order: the ones of a left row are neighbours already. */
typedef struct ordering {
    hal_match *out;
    const finds *finds;
    uint64_t *first; /* of each left row, and behind the last */
} ordering;

static void place_runs(void *ctx, unsigned i_thread)
{
    const ordering *o = ctx;
    const finds *f = &o->finds[i_thread];
    for (uint64_t i = 0, end; i < f->n; i = end) {
        pair *run = &f->pairs[i];
        for (end = i + 1; end < f->n && f->pairs[end].left == run->left; end++)
            ;
        if (end - i > 1)
            qsort(run, end - i, sizeof *run, by_separation);
        uint64_t at = o->first[run->left];
        for (uint64_t j = 0; j < end - i; j++, at++) {
            o->out->left[at] = run[j].left;
            o->out->right[at] = run[j].right;
            o->out->sep_deg[at] = run[j].sep_deg;
        }
    }
}

static hal_status collect_pairs(hal_match *out, const matching *job, unsigned n_threads,
                                bool keep_unmatched, hal_err *err)
{
    uint64_t n_left = job->from->rows->n_rows, n_found = 0;
    uint64_t *first = hal_malloc_scattered((n_left + 1) * sizeof *first);
    if (!first)
        return hal_err_nomem(err, (n_left + 1) * sizeof *first);
    memset(first, 0, (n_left + 1) * sizeof *first);
    for (unsigned i = 0; i < n_threads; i++) {
        n_found += job->finds[i].n;
        for (uint64_t k = 0; k < job->finds[i].n; k++)
            first[job->finds[i].pairs[k].left]++;
    }
    uint64_t sum = 0;
    for (uint64_t i = 0; i <= n_left; i++) {
        uint64_t n = first[i];
        first[i] = sum;
        sum += n > 0 || !keep_unmatched || i == n_left ? n : 1;
    }
    hal_status st = sum > job->pairs_max ? too_many(job->pairs_max, err) : HAL_OK;
    if (!st)
        st = allocate_pairs(out, sum, err);
    if (!st) {
        out->n_pairs = sum;
        out->n_matched = n_found;
        if (keep_unmatched)
            for (uint64_t i = 0; i < n_left; i++) {
                out->left[first[i]] = i;
                out->right[first[i]] = HAL_MATCH_NONE;
                out->sep_deg[first[i]] = NAN;
            }
        ordering o = {out, job->finds, first};
        hal_side_by_side(n_threads, place_runs, &o);
    }
    hal_free(first);
    return st;
}

/* Checks */

static hal_status check_side(const hal_match_side *side, const char *name, double epoch_yr,
                             hal_err *err)
{
    if (side->n_rows >= NO_ROW)
        return hal_err_set(err, HAL_E_USAGE, "the %s side has more rows than can be matched (%u)",
                           name, NO_ROW - 1);
    if (!side->pm_ra_mas_yr != !side->pm_dec_mas_yr)
        return hal_err_set(err, HAL_E_USAGE,
                           "the %s side has one component of the proper motion only", name);
    if (side->pm_ra_mas_yr && !(side->epoch_yr >= 1000 && side->epoch_yr <= 3000))
        return hal_err_set(err, HAL_E_USAGE,
                           "the %s side has proper motions but no epoch; give the year of its "
                           "positions, as in 2016.0",
                           name);
    if (side->pm_ra_mas_yr && !(epoch_yr >= 1000 && epoch_yr <= 3000))
        return hal_err_set(err, HAL_E_USAGE,
                           "the %s side has proper motions; give the year to compare the "
                           "positions at, as in 2016.0",
                           name);
    return HAL_OK;
}

static hal_status check(const hal_match_side *left, const hal_match_side *right,
                        const hal_match_options *o, hal_err *err)
{
    if (!(o->radius_deg >= 0 && o->radius_deg <= 180))
        return hal_err_set(err, HAL_E_USAGE, "the match radius must lie in 0 to 180 degrees");
    if (o->mode == HAL_MATCH_NEAREST && (o->n_nearest < 1 || o->n_nearest > HAL_MATCH_NEAREST_MAX))
        return hal_err_set(err, HAL_E_USAGE, "the number of nearest rows must be 1 to %d",
                           HAL_MATCH_NEAREST_MAX);
    if (o->keep_unmatched && o->mode == HAL_MATCH_SYMMETRIC)
        return hal_err_set(err, HAL_E_USAGE, "a symmetric match has no unmatched rows to keep");
    hal_status st = check_side(left, "left", o->epoch_yr, err);
    return st ? st : check_side(right, "right", o->epoch_yr, err);
}

static hal_side side_of(const hal_match_side *rows, double radius_all_deg, double epoch_yr)
{
    hal_side side = {.rows = rows,
                     .move_to_yr = epoch_yr,
                     .radius_all_deg = radius_all_deg,
                     .radius_max_deg = radius_all_deg};
    if (rows->radius_deg) {
        side.radius_max_deg = 0;
        for (uint64_t i = 0; i < rows->n_rows; i++)
            if (rows->radius_deg[i] > side.radius_max_deg)
                side.radius_max_deg = rows->radius_deg[i];
    }
    return side;
}

/* The two sides in their strips, and the modes */

static uint32_t *new_best(uint64_t n)
{
    uint32_t *best = hal_malloc_scattered(n * sizeof *best);
    if (best)
        memset(best, 0xff, n * sizeof *best); /* NO_ROW */
    return best;
}

static hal_status match_best(hal_match *out, matching *job, hal_side *left, hal_side *right,
                             const hal_match_options *o, unsigned n_threads, hal_err *err)
{
    bool symmetric = o->mode == HAL_MATCH_SYMMETRIC;
    uint64_t n_left = left->rows->n_rows, n_right = right->rows->n_rows;
    uint32_t *best = new_best(n_left), *back = symmetric ? new_best(n_right) : NULL;
    double *sep = hal_malloc_scattered(n_left * sizeof *sep);
    hal_status st = HAL_OK;
    if (!best || !sep || (symmetric && !back))
        st = hal_err_nomem(err, n_left * (sizeof *best + sizeof *sep));
    if (!st) {
        job->best_row = best;
        job->best_sep = sep;
        st = search_all(job, n_threads, err);
    }
    if (!st && symmetric) {
        job->from = right;
        job->to = left;
        job->best_row = back;
        job->best_sep = NULL;
        st = search_all(job, n_threads, err);
    }
    hal_side_clear(left);
    hal_side_clear(right);
    if (!st) {
        st = collect_best(out, best, sep, n_left, back, o->keep_unmatched, err);
        sep = NULL;
    }
    hal_free(best);
    hal_free(back);
    hal_free(sep);
    return st;
}

static hal_status match_sides(hal_match *out, hal_side *left, hal_side *right, hal_strips *strips,
                              const hal_match_options *o, hal_err *err)
{
    unsigned n_threads = o->n_threads ? o->n_threads : 1;
    if (n_threads > HAL_MATCH_THREADS_MAX)
        n_threads = HAL_MATCH_THREADS_MAX;
    /* Of identical places the lowest row is the nearest; the others cannot be anyone's best. */
    bool best = o->mode == HAL_MATCH_BEST || o->mode == HAL_MATCH_SYMMETRIC;
    bool unique = best && !left->rows->radius_deg && !right->rows->radius_deg;
    hal_status st = hal_strips_choose(strips, left, right, err);
    if (!st)
        st = hal_side_fill(left, strips, n_threads, err);
    if (!st)
        st = hal_side_fill(right, strips, n_threads, err);
    if (!st)
        st = hal_side_sort(right, strips, unique, n_threads, err);
    if (!st && o->mode == HAL_MATCH_SYMMETRIC)
        st = hal_side_sort(left, strips, unique, n_threads, err);
    if (st)
        return st;
    out->n_left_placeless = left->n_placeless;
    out->n_right_placeless = right->n_placeless;
    matching *job = hal_calloc(1, sizeof *job);
    if (!job)
        return hal_err_nomem(err, sizeof *job);
    job->mode = o->mode;
    job->n_nearest = o->n_nearest;
    job->from = left;
    job->to = right;
    job->strips = strips;
    job->stop = o->stop;
    job->pairs_max = o->pairs_max ? o->pairs_max : PAIRS_MAX_DEFAULT;
    if (best)
        st = match_best(out, job, left, right, o, n_threads, err);
    else if (!(st = search_all(job, n_threads, err)))
        st = collect_pairs(out, job, n_threads, o->keep_unmatched, err);
    for (unsigned i = 0; i < n_threads; i++)
        hal_free(job->finds[i].pairs);
    hal_free(job);
    return st;
}

hal_status hal_match_run(hal_match *out, const hal_match_side *left, const hal_match_side *right,
                         const hal_match_options *options, hal_err *err)
{
    hal_status st = check(left, right, options, err);
    if (st)
        return st;
    hal_match m = {0};
    hal_side l = side_of(left, options->radius_deg, options->epoch_yr);
    hal_side r = side_of(right, 0.0, options->epoch_yr);
    hal_strips *strips = hal_malloc(sizeof *strips);
    if (!strips)
        st = hal_err_nomem(err, sizeof *strips);
    else
        st = match_sides(&m, &l, &r, strips, options, err);
    hal_free(strips);
    hal_side_clear(&l);
    hal_side_clear(&r);
    if (st)
        hal_match_clear(&m);
    else
        *out = m;
    return st;
}

void hal_match_clear(hal_match *m)
{
    hal_free(m->left);
    hal_free(m->right);
    hal_free(m->sep_deg);
    *m = (hal_match){0};
}
