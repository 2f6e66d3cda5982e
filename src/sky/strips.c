/* SPDX-License-Identifier: BSD-3-Clause */
#include "sky/strips.h"

#include "base/alloc.h"
#include "sky/angle.h"
#include "sky/vector.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    NO_STRIP = UINT16_MAX,
    SAMPLES_PER_STRIP = 16,
    SAMPLES_MAX = 65536,
    RADIX_LEAST = 64, /* shorter strips are sorted by insertion */
};

_Static_assert((int)HAL_STRIPS_MAX < (int)NO_STRIP, "strip numbers are kept in 16 bits");

/* Threads */

typedef struct crew {
    void (*body)(void *ctx, unsigned i_thread);
    void *ctx;
} crew;

typedef struct member {
    const crew *crew;
    unsigned i_thread;
    pthread_t thread;
    bool runs;
} member;

static void *run_member(void *arg)
{
    const member *m = arg;
    m->crew->body(m->crew->ctx, m->i_thread);
    return NULL;
}

void hal_side_by_side(unsigned n, void (*body)(void *ctx, unsigned i_thread), void *ctx)
{
    member members[HAL_MATCH_THREADS_MAX];
    crew all = {body, ctx};
    for (unsigned i = 1; i < n; i++) {
        members[i] = (member){.crew = &all, .i_thread = i};
        members[i].runs = !pthread_create(&members[i].thread, NULL, run_member, &members[i]);
    }
    body(ctx, 0);
    for (unsigned i = 1; i < n; i++) {
        if (members[i].runs)
            pthread_join(members[i].thread, NULL);
        else
            body(ctx, i);
    }
}

/* Places */

/* The place at the common epoch: the tangent plane at the place, in which the motion is straight.
 */
static void move(const hal_side *side, uint64_t row, double *ra_deg, double *dec_deg)
{
    const hal_match_side *rows = side->rows;
    double epoch = rows->epochs_yr ? rows->epochs_yr[row] : rows->epoch_yr;
    if (!isfinite(epoch))
        epoch = rows->epoch_yr;
    double rad = (side->move_to_yr - epoch) / 3.6e6 * HAL_RAD_PER_DEG;
    double east = rows->pm_ra_mas_yr[row] * rad, north = rows->pm_dec_mas_yr[row] * rad;
    east = isfinite(east) ? east : 0.0;
    north = isfinite(north) ? north : 0.0;
    if (east == 0 && north == 0)
        return;
    double c = hal_cos_dec(*dec_deg), s = sin(*dec_deg * HAL_RAD_PER_DEG);
    double x = c - north * s, z = s + north * c;
    *ra_deg += atan2(east, x) * HAL_DEG_PER_RAD;
    *dec_deg = atan2(z, hypot(x, east)) * HAL_DEG_PER_RAD;
}

static inline bool place_of(const hal_side *side, uint64_t row, double *ra_deg, double *dec_deg)
{
    double ra = side->rows->ra_deg[row], dec = side->rows->dec_deg[row];
    if (!isfinite(ra) || !(dec >= -90.0 && dec <= 90.0))
        return false;
    if (side->rows->pm_ra_mas_yr)
        move(side, row, &ra, &dec);
    *ra_deg = ra > 0 && ra < 360 ? ra : hal_ra_canonical(ra);
    *dec_deg = dec;
    return true;
}

static uint32_t key_of(double ra_deg)
{
    return (uint32_t)(uint64_t)(ra_deg * (0x1p32 / 360.0));
}

/* Strips */

static unsigned bin_of(double dec_deg)
{
    unsigned bin = (unsigned)((dec_deg + 90.0) * (HAL_STRIP_BINS / 180.0));
    return bin < HAL_STRIP_BINS ? bin : HAL_STRIP_BINS - 1;
}

/* The last strip whose edge is not above `dec_deg`. */
static uint32_t strip_of(const hal_strips *strips, double dec_deg)
{
    unsigned bin = bin_of(dec_deg);
    uint32_t low = strips->guide[bin], high = strips->guide[bin + 1];
    while (low < high) {
        uint32_t middle = (low + high + 1) / 2;
        if (strips->edge[middle] <= dec_deg)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static uint32_t sample(double *out, uint32_t room, const hal_side *side)
{
    uint32_t n = 0;
    uint64_t n_rows = side->rows->n_rows;
    for (uint32_t i = 0; i < room && i < n_rows; i++) {
        uint64_t row = n_rows <= room ? i : (uint64_t)((double)n_rows / room * i);
        double ra, dec;
        if (place_of(side, row, &ra, &dec))
            out[n++] = dec;
    }
    return n;
}

hal_status hal_strips_choose(hal_strips *strips, const hal_side *left, const hal_side *right,
                             hal_err *err)
{
    uint64_t rows =
        left->rows->n_rows > right->rows->n_rows ? left->rows->n_rows : right->rows->n_rows;
    uint32_t wanted = (uint32_t)sqrt((double)rows) + 1;
    wanted = wanted < HAL_STRIPS_MAX ? wanted : HAL_STRIPS_MAX;
    uint32_t room = wanted * SAMPLES_PER_STRIP;
    room = room < SAMPLES_MAX ? room : SAMPLES_MAX;
    double *samples = hal_malloc(sizeof *samples * 2 * room);
    if (!samples)
        return hal_err_nomem(err, sizeof *samples * 2 * room);
    uint32_t n = sample(samples, room, left);
    n += sample(samples + n, room, right);
    qsort(samples, n, sizeof *samples, by_value);
    uint32_t k = 1;
    strips->edge[0] = -INFINITY;
    for (uint32_t i = 1; i < wanted && n > 0; i++) {
        double edge = samples[(uint64_t)n * i / wanted];
        if (edge > strips->edge[k - 1])
            strips->edge[k++] = edge;
    }
    hal_free(samples);
    strips->edge[k] = INFINITY;
    strips->n = k;
    /* A place in bin b lies above every edge of a lower bin and below every edge of a higher one.
     */
    uint32_t s = 1;
    strips->guide[0] = 0;
    for (unsigned bin = 0; bin < HAL_STRIP_BINS; bin++) {
        while (s < k && bin_of(strips->edge[s]) <= bin)
            s++;
        strips->guide[bin + 1] = (uint16_t)(s - 1);
    }
    return HAL_OK;
}

/* Filling: count per thread and strip, then every thread knows where its rows go. */

typedef struct filling {
    hal_side *side;
    const hal_strips *strips;
    unsigned n_threads;
    uint16_t *strip; /* of each row */
    uint32_t *next;  /* [n_threads][strips->n]: rows counted, then where the next one goes */
    uint64_t placeless[HAL_MATCH_THREADS_MAX];
} filling;

static uint64_t share(const filling *f, unsigned i_thread)
{
    return f->side->rows->n_rows * i_thread / f->n_threads;
}

static void count_rows(void *ctx, unsigned i_thread)
{
    filling *f = ctx;
    uint32_t *n = f->next + (size_t)i_thread * f->strips->n;
    uint64_t placeless = 0;
    for (uint64_t row = share(f, i_thread), end = share(f, i_thread + 1); row < end; row++) {
        double ra, dec;
        if (!place_of(f->side, row, &ra, &dec)) {
            f->strip[row] = NO_STRIP;
            placeless++;
            continue;
        }
        uint32_t s = strip_of(f->strips, dec);
        f->strip[row] = (uint16_t)s;
        n[s]++;
    }
    f->placeless[i_thread] = placeless;
}

static void copy_rows(void *ctx, unsigned i_thread)
{
    filling *f = ctx;
    uint32_t *next = f->next + (size_t)i_thread * f->strips->n;
    for (uint64_t row = share(f, i_thread), end = share(f, i_thread + 1); row < end; row++) {
        if (f->strip[row] == NO_STRIP)
            continue;
        hal_place p = {.row = (uint32_t)row};
        place_of(f->side, row, &p.ra_deg, &p.dec_deg);
        p.key = key_of(p.ra_deg);
        f->side->places[next[f->strip[row]]++] = p;
    }
}

static void lay_out(filling *f)
{
    hal_side *side = f->side;
    uint32_t at = 0;
    side->count_max = 0;
    for (uint32_t s = 0; s < f->strips->n; s++) {
        side->first[s] = at;
        for (unsigned i = 0; i < f->n_threads; i++) {
            uint32_t *n = &f->next[(size_t)i * f->strips->n + s], here = *n;
            *n = at;
            at += here;
        }
        side->count[s] = at - side->first[s];
        if (side->count[s] > side->count_max)
            side->count_max = side->count[s];
    }
}

hal_status hal_side_fill(hal_side *side, const hal_strips *strips, unsigned n_threads, hal_err *err)
{
    uint64_t n = side->rows->n_rows;
    filling f = {.side = side, .strips = strips, .n_threads = n_threads};
    f.strip = hal_malloc_scattered(n * sizeof *f.strip);
    f.next = hal_calloc((size_t)n_threads * strips->n, sizeof *f.next);
    side->places = hal_malloc_scattered(n * sizeof *side->places);
    side->first = hal_malloc(strips->n * sizeof *side->first);
    side->count = hal_malloc(strips->n * sizeof *side->count);
    hal_status st = HAL_OK;
    if (!f.strip || !f.next || !side->places || !side->first || !side->count) {
        st = hal_err_nomem(err, n * (sizeof *f.strip + sizeof *side->places));
    } else {
        hal_side_by_side(n_threads, count_rows, &f);
        lay_out(&f);
        hal_side_by_side(n_threads, copy_rows, &f);
        for (unsigned i = 0; i < n_threads; i++)
            side->n_placeless += f.placeless[i];
    }
    hal_free(f.strip);
    hal_free(f.next);
    return st;
}

/* Sorting */

typedef struct sorting {
    hal_side *side;
    uint32_t n_strips;
    bool unique;
    atomic_uint next;
    uint64_t *scratch[HAL_MATCH_THREADS_MAX]; /* 2 * count_max each */
} sorting;

/* Sorts by the upper half of each item, stable; returns where the result is. */
static uint64_t *sort_keys(uint64_t *items, uint64_t *other, uint32_t n)
{
    if (n < RADIX_LEAST) {
        for (uint32_t i = 1; i < n; i++) {
            uint64_t item = items[i];
            uint32_t j = i;
            for (; j > 0 && items[j - 1] > item; j--)
                items[j] = items[j - 1];
            items[j] = item;
        }
        return items;
    }
    uint32_t at[4][256] = {0};
    for (uint32_t i = 0; i < n; i++)
        for (unsigned pass = 0; pass < 4; pass++)
            at[pass][items[i] >> (32 + 8 * pass) & 255]++;
    for (unsigned pass = 0; pass < 4; pass++) {
        unsigned shift = 32 + 8 * pass;
        if (at[pass][items[0] >> shift & 255] == n)
            continue; /* all alike */
        uint32_t sum = 0;
        for (unsigned b = 0; b < 256; b++) {
            uint32_t here = at[pass][b];
            at[pass][b] = sum;
            sum += here;
        }
        for (uint32_t i = 0; i < n; i++)
            other[at[pass][items[i] >> shift & 255]++] = items[i];
        uint64_t *t = items;
        items = other;
        other = t;
    }
    return items;
}

/* places[i] becomes places[order[i]] (lower halves), cycle by cycle; `order` is used up. */
static void permute(hal_place *places, uint64_t *order, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t from = (uint32_t)order[i], to = i;
        if (from == i)
            continue;
        hal_place held = places[i];
        while (from != i) {
            places[to] = places[from];
            order[to] = to;
            to = from;
            from = (uint32_t)order[to];
        }
        places[to] = held;
        order[to] = to;
    }
}

static int by_place(const void *a, const void *b)
{
    const hal_place *x = a, *y = b;
    if (x->ra_deg != y->ra_deg)
        return x->ra_deg < y->ra_deg ? -1 : 1;
    if (x->dec_deg != y->dec_deg)
        return x->dec_deg < y->dec_deg ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static bool same_place(const hal_place *a, const hal_place *b)
{
    return a->ra_deg == b->ra_deg && a->dec_deg == b->dec_deg;
}

/* Keeps the lowest row of identical places; returns how many stay. */
static uint32_t drop_repeated(hal_place *places, uint32_t n)
{
    uint32_t kept = 0;
    for (uint32_t i = 0, end; i < n; i = end) {
        bool ordered = true;
        for (end = i + 1; end < n && places[end].key == places[i].key; end++)
            ordered = ordered && by_place(&places[end - 1], &places[end]) < 0;
        if (!ordered)
            qsort(places + i, end - i, sizeof *places, by_place);
        for (uint32_t j = i; j < end; j++)
            if (j == i || !same_place(&places[j], &places[kept - 1]))
                places[kept++] = places[j];
    }
    return kept;
}

static void sort_strips(void *ctx, unsigned i_thread)
{
    sorting *job = ctx;
    hal_side *side = job->side;
    for (;;) {
        uint32_t s = atomic_fetch_add(&job->next, 1);
        if (s >= job->n_strips)
            return;
        hal_place *places = side->places + side->first[s];
        uint32_t n = side->count[s];
        uint64_t *items = job->scratch[i_thread];
        for (uint32_t i = 0; i < n; i++)
            items[i] = (uint64_t)places[i].key << 32 | i;
        permute(places, sort_keys(items, items + n, n), n);
        if (job->unique)
            n = side->count[s] = drop_repeated(places, n);
        uint32_t *keys = side->keys + side->first[s];
        for (uint32_t i = 0; i < n; i++)
            keys[i] = places[i].key;
    }
}

hal_status hal_side_sort(hal_side *side, const hal_strips *strips, bool unique, unsigned n_threads,
                         hal_err *err)
{
    sorting job = {.side = side, .n_strips = strips->n, .unique = unique};
    atomic_init(&job.next, 0);
    size_t scratch_bytes = 2 * sizeof(uint64_t) * side->count_max;
    hal_status st = HAL_OK;
    side->keys = hal_malloc_scattered(side->rows->n_rows * sizeof *side->keys);
    if (!side->keys)
        st = hal_err_nomem(err, side->rows->n_rows * sizeof *side->keys);
    for (unsigned i = 0; i < n_threads && !st; i++)
        if (!(job.scratch[i] = hal_malloc(scratch_bytes)))
            st = hal_err_nomem(err, scratch_bytes);
    if (!st)
        hal_side_by_side(n_threads, sort_strips, &job);
    for (unsigned i = 0; i < n_threads; i++)
        hal_free(job.scratch[i]);
    return st;
}

void hal_side_clear(hal_side *side)
{
    hal_free(side->places);
    hal_free(side->keys);
    hal_free(side->first);
    hal_free(side->count);
    side->places = NULL;
    side->keys = side->first = side->count = NULL;
}
