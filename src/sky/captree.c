/* SPDX-License-Identifier: BSD-3-Clause */
/* Leaves are sorted along one axis and halved, and the halves again; the halving place of a span of
 * leaves is unique and names its node. */
#include "sky/captree.h"

#include "base/alloc.h"
#include "sky/angle.h"

#include <stdlib.h>

hal_cap hal_cap_of(hal_vector at, double radius_rad)
{
    double radius = fmin(HAL_PI, radius_rad);
    double half = sin(radius / 2);
    return (hal_cap){at, radius, radius >= HAL_PI ? 5 : 4 * half * half * (1 + 1e-14) + 1e-30};
}

hal_cap hal_cap_of_cone(hal_cone c)
{
    /* The rounding of the unit vectors: 1e-15. */
    return hal_cap_of(hal_vector_at(c.ra_deg, c.dec_deg), c.radius_deg * HAL_RAD_PER_DEG + 1e-15);
}

hal_cone hal_cap_cone(const hal_cap *c)
{
    return (hal_cone){
        .ra_deg = hal_ra_canonical(atan2(c->at.y, c->at.x) * HAL_DEG_PER_RAD),
        .dec_deg = atan2(c->at.z, hypot(c->at.x, c->at.y)) * HAL_DEG_PER_RAD,
        .radius_deg = fmin(180, c->radius_rad * HAL_DEG_PER_RAD + 1e-12),
    };
}

hal_cap hal_cap_join(const hal_cap *a, const hal_cap *b)
{
    double apart = hal_vector_angle(a->at, b->at);
    if (apart + b->radius_rad <= a->radius_rad)
        return *a;
    if (apart + a->radius_rad <= b->radius_rad)
        return *b;
    double radius = (apart + a->radius_rad + b->radius_rad) / 2;
    if (radius >= HAL_PI || apart > HAL_PI - 1e-9)
        return hal_cap_of(a->at, HAL_PI);
    /* From the centre of `a` towards that of `b`. */
    double step = radius - a->radius_rad, s = sin(apart);
    hal_vector at = {0, 0, 0};
    if (s > 0) {
        at = hal_vector_add(at, sin(apart - step) / s, a->at);
        at = hal_vector_add(at, sin(step) / s, b->at);
    } else {
        at = a->at;
    }
    return hal_cap_of(hal_vector_unit(at), radius * (1 + 1e-14) + 1e-15);
}

typedef struct place {
    hal_vector at;
    size_t member;
} place;

static int order(double x, double y, const place *a, const place *b)
{
    return x < y ? -1 : x > y ? 1 : a->member < b->member ? -1 : a->member > b->member;
}

static int by_x(const void *a, const void *b)
{
    return order(((const place *)a)->at.x, ((const place *)b)->at.x, a, b);
}

static int by_y(const void *a, const void *b)
{
    return order(((const place *)a)->at.y, ((const place *)b)->at.y, a, b);
}

static int by_z(const void *a, const void *b)
{
    return order(((const place *)a)->at.z, ((const place *)b)->at.z, a, b);
}

/* Halves that are compact: along the axis on which the places are spread most. */
static void arrange(place *p, size_t n)
{
    if (n <= 2)
        return;
    hal_vector least = p[0].at, most = p[0].at;
    for (size_t i = 1; i < n; i++) {
        least = (hal_vector){fmin(least.x, p[i].at.x), fmin(least.y, p[i].at.y),
                             fmin(least.z, p[i].at.z)};
        most =
            (hal_vector){fmax(most.x, p[i].at.x), fmax(most.y, p[i].at.y), fmax(most.z, p[i].at.z)};
    }
    hal_vector spread = hal_vector_add(most, -1, least);
    qsort(p, n, sizeof *p,
          spread.x >= fmax(spread.y, spread.z) ? by_x
          : spread.y >= spread.z               ? by_y
                                               : by_z);
    arrange(p, n / 2);
    arrange(p + n / 2, n - n / 2);
}

/* Round the mean of the centres: with many leaves smaller than circles round circles. */
static hal_cap round_mean(const hal_captree *t, size_t lo, size_t hi)
{
    hal_vector sum = {0, 0, 0};
    for (size_t i = lo; i < hi; i++)
        sum = hal_vector_add(sum, 1, t->leaf[i].at);
    double radius = hal_vector_length(sum) > 0 ? 0 : HAL_PI;
    hal_vector at = radius > 0 ? t->leaf[lo].at : hal_vector_unit(sum);
    for (size_t i = lo; i < hi && radius < HAL_PI; i++)
        radius = fmax(radius, hal_vector_angle(at, t->leaf[i].at) + t->leaf[i].radius_rad);
    return hal_cap_of(at, radius * (1 + 1e-14) + 1e-15);
}

static hal_cap build(hal_captree *t, size_t lo, size_t hi)
{
    if (hi - lo == 1)
        return t->leaf[lo];
    size_t middle = lo + (hi - lo) / 2;
    hal_cap a = build(t, lo, middle), b = build(t, middle, hi);
    hal_cap joined = hal_cap_join(&a, &b), mean = round_mean(t, lo, hi);
    return t->node[middle] = mean.radius_rad < joined.radius_rad ? mean : joined;
}

hal_status hal_captree_init(hal_captree *t, const hal_cap *caps, size_t n, bool sorted,
                            hal_err *err)
{
    size_t size = n * (2 * sizeof(hal_cap) + sizeof(size_t) + sizeof(place));
    *t = (hal_captree){.n = n,
                       .leaf = hal_malloc(n * sizeof *t->leaf),
                       .node = hal_malloc(n * sizeof *t->node),
                       .member = hal_malloc(n * sizeof *t->member)};
    place *places = sorted ? NULL : hal_malloc(n * sizeof *places);
    if (!t->leaf || !t->node || !t->member || (!sorted && !places)) {
        hal_captree_clear(t);
        hal_free(places);
        return hal_err_nomem(err, size);
    }
    for (size_t i = 0; i < n && places; i++)
        places[i] = (place){caps[i].at, i};
    if (places)
        arrange(places, n);
    for (size_t i = 0; i < n; i++) {
        t->member[i] = places ? places[i].member : i;
        t->leaf[i] = caps[t->member[i]];
    }
    hal_free(places);
    t->node[0] = build(t, 0, n);
    return HAL_OK;
}

void hal_captree_clear(hal_captree *t)
{
    hal_free(t->leaf);
    hal_free(t->node);
    hal_free(t->member);
    *t = (hal_captree){0};
}

hal_cap hal_captree_root(const hal_captree *t)
{
    return t->node[0];
}

static inline const hal_cap *cap_of(const hal_captree *t, size_t lo, size_t hi)
{
    return hi - lo == 1 ? &t->leaf[lo] : &t->node[lo + (hi - lo) / 2];
}

static inline bool is_near(const hal_cap *c, hal_vector p, double reach)
{
    if (reach == 0) {
        hal_vector gap = hal_vector_add(p, -1, c->at);
        return hal_vector_dot(gap, gap) <= c->chord2;
    }
    return hal_vector_angle(p, c->at) <= c->radius_rad + reach;
}

typedef struct search {
    const hal_captree *t;
    hal_vector p;
    double reach;
    hal_captree_visit visit;
    void *ctx;
} search;

static bool find(const search *s, size_t lo, size_t hi)
{
    while (is_near(cap_of(s->t, lo, hi), s->p, s->reach)) {
        if (hi - lo == 1)
            return s->visit(s->ctx, s->t->member[lo]);
        size_t middle = lo + (hi - lo) / 2;
        if (find(s, lo, middle))
            return true;
        lo = middle;
    }
    return false;
}

bool hal_captree_find(const hal_captree *t, hal_vector p, double reach_rad, hal_captree_visit visit,
                      void *ctx)
{
    search s = {t, p, reach_rad, visit, ctx};
    return find(&s, 0, t->n);
}

typedef struct minimum {
    const hal_captree *t;
    hal_vector p;
    hal_captree_value value;
    void *ctx;
    double best;
} minimum;

static double away(const minimum *m, size_t lo, size_t hi)
{
    const hal_cap *c = cap_of(m->t, lo, hi);
    return hal_vector_angle(m->p, c->at) - c->radius_rad;
}

static void least(minimum *m, size_t lo, size_t hi)
{
    if (hi - lo == 1) {
        m->best = fmin(m->best, m->value(m->ctx, m->t->member[lo]));
        return;
    }
    size_t middle = lo + (hi - lo) / 2;
    double a = away(m, lo, middle), b = away(m, middle, hi);
    if (a <= b && a < m->best)
        least(m, lo, middle);
    if (b < m->best)
        least(m, middle, hi);
    if (a > b && a < m->best)
        least(m, lo, middle);
}

double hal_captree_least(const hal_captree *t, hal_vector p, hal_captree_value value, void *ctx)
{
    minimum m = {t, p, value, ctx, INFINITY};
    least(&m, 0, t->n);
    return m.best;
}
