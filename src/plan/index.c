/* SPDX-License-Identifier: BSD-3-Clause */
/* Densities by place: an octree over the cube about the unit sphere. Grows one by one, in any
 * order, without being rebuilt, so that no step of a plan is long. */
#include "plan/state.h"

#include "base/alloc.h"

#include <math.h>

enum {
    BUCKET = 8,  /* densities of a leaf before it is cut */
    DEEPEST = 26 /* cubes of 6 mas: what lies together there stays together */
};

typedef struct cube {
    double middle[3], half;
} cube;

static const cube everything = {{0, 0, 0}, 1.0};

static int octant_of(const cube *c, const double v[3])
{
    return (v[0] >= c->middle[0]) | (v[1] >= c->middle[1]) << 1 | (v[2] >= c->middle[2]) << 2;
}

static cube part_of(const cube *c, int octant)
{
    cube part = {.half = c->half / 2.0};
    for (int x = 0; x < 3; x++)
        part.middle[x] = c->middle[x] + (octant >> x & 1 ? part.half : -part.half);
    return part;
}

static hal_status grow(void **list, size_t *cap, size_t size, size_t first, hal_err *err)
{
    size_t wanted = *cap ? 2 * *cap : first;
    if (wanted > INT32_MAX)
        return hal_err_set(err, HAL_E_BUDGET, "the plan is too large: ask for a smaller region");
    void *grown = hal_realloc(*list, wanted * size);
    if (!grown)
        return hal_err_nomem(err, wanted * size);
    *list = grown;
    *cap = wanted;
    return HAL_OK;
}

static hal_status room(plan_index *x, hal_err *err)
{
    hal_status st = HAL_OK;
    if (x->n == x->n_chunk * PLAN_CHUNK) {
        if (x->n_chunk == x->chunk_cap)
            st = grow((void **)&x->chunk, &x->chunk_cap, sizeof *x->chunk, 16, err);
        plan_density *more = st ? NULL : hal_calloc(PLAN_CHUNK, sizeof *more);
        if (!more)
            return st ? st : hal_err_nomem(err, PLAN_CHUNK * sizeof *more);
        x->chunk[x->n_chunk++] = more;
    }
    if (!st && x->n_octant + 8 > x->octant_cap)
        st = grow((void **)&x->octant, &x->octant_cap, sizeof *x->octant, 64, err);
    if (!st && x->n_octant == 0)
        x->octant[x->n_octant++] = (plan_octant){.first = -1};
    return st;
}

/* Cuts a full leaf; what it holds may all go to one part, which is cut when the next comes. */
static void cut(plan_index *x, int32_t leaf, const cube *c)
{
    int32_t child = (int32_t)x->n_octant, next;
    x->n_octant += 8;
    for (int k = 0; k < 8; k++)
        x->octant[child + k] = (plan_octant){.first = -1};
    for (int32_t i = x->octant[leaf].first; i >= 0; i = next) {
        plan_octant *part = &x->octant[child + octant_of(c, plan_density_at(x, i)->v)];
        next = plan_density_at(x, i)->next;
        plan_density_at(x, i)->next = part->first;
        part->first = i;
        part->n++;
    }
    x->octant[leaf].first = -1;
    x->octant[leaf].child = child;
}

hal_status plan_index_add(plan_index *x, const plan_density *d, hal_err *err)
{
    hal_status st = room(x, err);
    if (st)
        return st;
    cube c = everything;
    int32_t at = 0;
    for (int depth = 0;; depth++) {
        plan_octant *o = &x->octant[at];
        if (!o->child && (o->n < BUCKET || depth == DEEPEST))
            break;
        if (!o->child) {
            if (x->n_octant + 8 > x->octant_cap) {
                st = grow((void **)&x->octant, &x->octant_cap, sizeof *x->octant, 64, err);
                if (st)
                    return st;
            }
            cut(x, at, &c);
        }
        int k = octant_of(&c, d->v);
        at = x->octant[at].child + k;
        c = part_of(&c, k);
    }
    int32_t i = (int32_t)x->n++;
    *plan_density_at(x, i) = *d;
    plan_density_at(x, i)->next = x->octant[at].first;
    x->octant[at].first = i;
    x->octant[at].n++;
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
static void visit(const plan_index *x, int32_t at, const cube *c, const double v[3], plan_near *out)
{
    const plan_octant *o = &x->octant[at];
    for (int32_t i = o->first; i >= 0; i = plan_density_at(x, i)->next) {
        const double *w = plan_density_at(x, i)->v;
        double a = w[0] - v[0], b = w[1] - v[1], d = w[2] - v[2];
        offer(out, i, a * a + b * b + d * d);
    }
    if (!o->child)
        return;
    int home = octant_of(c, v);
    double
        beyond2[3]; /* squared distances to the middle planes: at least so far is the other side */
    for (int a = 0; a < 3; a++)
        beyond2[a] = (v[a] - c->middle[a]) * (v[a] - c->middle[a]);
    for (int k = 0; k < 8; k++) {
        const plan_octant *child = &x->octant[o->child + (home ^ k)];
        if (!child->child && child->n == 0)
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
            visit(x, o->child + (home ^ k), &part, v, out);
    }
}

void plan_index_near(const plan_index *x, const double v[3], plan_near *out)
{
    out->n = 0;
    if (x->n > 0)
        visit(x, 0, &everything, v, out);
}

void plan_index_clear(plan_index *x)
{
    for (size_t k = 0; k < x->n_chunk; k++)
        hal_free(x->chunk[k]);
    hal_free(x->chunk);
    hal_free(x->octant);
    *x = (plan_index){0};
}
