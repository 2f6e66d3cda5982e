/* SPDX-License-Identifier: BSD-3-Clause */
/* Densities by place: an octree over the cube about the unit sphere. Grows one by one, in any
 * order, without being rebuilt, so that no step of a plan is long. */
#include "plan/state.h"

#include "base/alloc.h"

#include <math.h>

enum {
    BUCKET = 12,    /* densities of a leaf before it is cut */
    DEEPEST = 26,   /* cubes of 6 mas: what lies together there stays together */
    SEEN_MAX = 1000 /* densities looked at, then those found are near enough: from a pole a whole
                     * parallel is equally near, thousands of a million tiles */
};

typedef struct cube {
    double middle[3], half;
} cube;

static const cube everything = {{0, 0, 0}, 1.0};

static int octant_of(const cube *c, const double v[3])
{
    return (v[0] >= c->middle[0]) | (v[1] >= c->middle[1]) << 1 | (v[2] >= c->middle[2]) << 2;
}

static inline cube part_of(const cube *c, int octant)
{
    cube part = {.half = c->half / 2.0};
    for (int x = 0; x < 3; x++)
        part.middle[x] = c->middle[x] + (octant >> x & 1 ? part.half : -part.half);
    return part;
}

static inline plan_octant *octant_at(const plan_index *x, int32_t i)
{
    return &x->octant[i / PLAN_CHUNK][i % PLAN_CHUNK];
}

/* Room for another chunk in a list of `n`. */
static hal_status room(void **list, size_t *cap, size_t n, hal_err *err)
{
    if (n < *cap)
        return HAL_OK;
    if (n >= INT32_MAX / PLAN_CHUNK)
        return hal_err_set(err, HAL_E_BUDGET, "the plan is too large: ask for a smaller region");
    size_t wanted = *cap ? 2 * *cap : 16;
    void *grown = hal_realloc(*list, wanted * sizeof(void *));
    if (!grown)
        return hal_err_nomem(err, wanted * sizeof(void *));
    *list = grown;
    *cap = wanted;
    return HAL_OK;
}

static hal_status room_for_density(plan_index *x, hal_err *err)
{
    if (x->n < x->n_chunk * PLAN_CHUNK)
        return HAL_OK;
    hal_status st = room((void **)&x->chunk, &x->chunk_cap, x->n_chunk, err);
    plan_density *more = st ? NULL : hal_calloc(PLAN_CHUNK, sizeof *more);
    if (!more)
        return st ? st : hal_err_nomem(err, PLAN_CHUNK * sizeof *more);
    x->chunk[x->n_chunk++] = more;
    return HAL_OK;
}

/* Adds eight empty leaves. */
static hal_status add_octants(plan_index *x, hal_err *err)
{
    if (x->n_octant == x->n_octants * PLAN_CHUNK) {
        hal_status st = room((void **)&x->octant, &x->octants_cap, x->n_octants, err);
        plan_octant *more = st ? NULL : hal_calloc(PLAN_CHUNK, sizeof *more);
        if (!more)
            return st ? st : hal_err_nomem(err, PLAN_CHUNK * sizeof *more);
        x->octant[x->n_octants++] = more;
    }
    for (int k = 0; k < 8; k++)
        octant_at(x, (int32_t)x->n_octant++)->first = -1;
    return HAL_OK;
}

/* Cuts a full leaf; what it holds may all go to one part, which is cut when the next comes. */
static hal_status cut(plan_index *x, plan_octant *leaf, const cube *c, hal_err *err)
{
    int32_t child = (int32_t)x->n_octant, next;
    hal_status st = add_octants(x, err);
    if (st)
        return st;
    for (int32_t i = leaf->first; i >= 0; i = next) {
        plan_octant *part = octant_at(x, child + octant_of(c, plan_density_at(x, i)->v));
        next = plan_density_at(x, i)->next;
        plan_density_at(x, i)->next = part->first;
        part->first = i;
        part->n++;
    }
    leaf->first = -1;
    leaf->child = child;
    return HAL_OK;
}

hal_status plan_index_add(plan_index *x, const plan_density *d, hal_err *err)
{
    hal_status st = room_for_density(x, err);
    if (!st && x->n_octant == 0) /* the root and seven that nobody uses */
        st = add_octants(x, err);
    if (st)
        return st;
    cube c = everything;
    plan_octant *o = octant_at(x, 0);
    for (int depth = 0;; depth++) {
        if (!o->child && (o->n < BUCKET || depth == DEEPEST))
            break;
        st = o->child ? HAL_OK : cut(x, o, &c, err);
        if (st)
            return st;
        int k = octant_of(&c, d->v);
        o = octant_at(x, o->child + k);
        c = part_of(&c, k);
    }
    int32_t i = (int32_t)x->n++;
    *plan_density_at(x, i) = *d;
    plan_density_at(x, i)->next = o->first;
    o->first = i;
    o->n++;
    return HAL_OK;
}

/* Equally near ones: the earlier first, whatever the shape of the tree. */
static void offer(plan_near *out, int32_t i, double chord2)
{
    int at = out->n < PLAN_NEAREST ? out->n++ : PLAN_NEAREST;
    for (; at > 0; at--) {
        double c = out->chord2[at - 1];
        if (c < chord2 || (c == chord2 && out->i[at - 1] < i))
            break;
        if (at < PLAN_NEAREST) {
            out->chord2[at] = c;
            out->i[at] = out->i[at - 1];
        }
    }
    if (at < PLAN_NEAREST) {
        out->chord2[at] = chord2;
        out->i[at] = i;
    }
}

/* At most DEEPEST + 1 deep. */
static void visit(const plan_index *x, const plan_octant *o, const cube *c, const double v[3],
                  plan_near *out)
{
    for (int32_t i = o->first; i >= 0; i = plan_density_at(x, i)->next) {
        const double *w = plan_density_at(x, i)->v;
        double a = w[0] - v[0], b = w[1] - v[1], d = w[2] - v[2];
        offer(out, i, a * a + b * b + d * d);
        out->n_seen++;
    }
    if (!o->child || out->n_seen >= SEEN_MAX)
        return;
    int home = octant_of(c, v);
    double
        beyond2[3]; /* squared distances to the middle planes: at least so far is the other side */
    for (int a = 0; a < 3; a++)
        beyond2[a] = (v[a] - c->middle[a]) * (v[a] - c->middle[a]);
    for (int k = 0; k < 8; k++) {
        const plan_octant *child = octant_at(x, o->child + (home ^ k));
        if ((!child->child && child->n == 0) || out->n_seen >= SEEN_MAX)
            continue;
        double away2 =
            (k & 1 ? beyond2[0] : 0.0) + (k & 2 ? beyond2[1] : 0.0) + (k & 4 ? beyond2[2] : 0.0);
        if (out->n == PLAN_NEAREST && away2 > out->chord2[PLAN_NEAREST - 1])
            continue;
        cube part = part_of(c, home ^ k);
        away2 = 0.0;
        for (int a = 0; a < 3; a++) {
            double away = fabs(v[a] - part.middle[a]) - part.half;
            away2 += away > 0.0 ? away * away : 0.0;
        }
        if (out->n < PLAN_NEAREST || away2 <= out->chord2[PLAN_NEAREST - 1])
            visit(x, child, &part, v, out);
    }
}

void plan_index_near(const plan_index *x, const double v[3], plan_near *out)
{
    out->n = out->n_seen = 0;
    if (x->n > 0)
        visit(x, octant_at(x, 0), &everything, v, out);
}

void plan_index_clear(plan_index *x)
{
    for (size_t k = 0; k < x->n_chunk; k++)
        hal_free(x->chunk[k]);
    hal_free(x->chunk);
    for (size_t k = 0; k < x->n_octants; k++)
        hal_free(x->octant[k]);
    hal_free(x->octant);
    *x = (plan_index){0};
}
