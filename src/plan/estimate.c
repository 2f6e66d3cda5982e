/* SPDX-License-Identifier: BSD-3-Clause */
/* What is known about the density of rows, and what it predicts for a tile. Tiling design,
 * section 6, predict() and plan(). */
#include "plan/state.h"

#include "sky/angle.h"

#include <math.h>

#define RADIANS 0.017453292519943295
#define PI 3.141592653589793

enum {
    LEAVES_MAX = 1000000,
    SHARE_DEPTH = 3, /* cuts below a counted node, after which what is near says more */
    WEIGHED = 16,    /* answers that the spread of guesses remembers */
};

/* Guesses are raised by so many times their spread, so that at most 15 % of the requests on rough
 * skies are over (clumpy, boxes: 17 % at 0.3, 15.6 % at 0.45, 14.8 % at 0.6). Not those of centres:
 * they thin out about the region, which spreads the guesses and makes none too low. */
#define SAFETY 0.6
#define SPREAD_MAX 4.0

void plan_unit_vector(double ra_deg, double dec_deg, double v[3])
{
    double a = ra_deg * RADIANS, d = dec_deg * RADIANS;
    v[0] = cos(d) * cos(a);
    v[1] = cos(d) * sin(a);
    v[2] = sin(d);
}

static double weight(double chord2, double radius, double other_radius)
{
    double dist = 2.0 * asin(fmin(1.0, sqrt(chord2) / 2.0));
    return 1.0 /
           (dist * dist + 0.09 * radius * radius + 0.09 * other_radius * other_radius + 1e-30);
}

/* Logarithm of what was remembered for a place, rows per steradian; 0: nothing. */
static double log_prior(const hal_plan *p, const double v[3], double radius)
{
    plan_near near;
    double sum = 0.0, weights = 0.0;
    plan_index_near(&p->prior, v, &near);
    for (int k = 0; k < near.n; k++) {
        const plan_density *d = plan_density_at(&p->prior, near.i[k]);
        double w = weight(near.chord2[k], d->radius, radius);
        sum += w * d->log_prior;
        weights += w;
    }
    return near.n ? sum / weights : 0.0;
}

hal_status plan_learn(hal_plan *p, const plan_request *r, double rows, bool coarse, hal_err *err)
{
    if (r->area_sr <= 0.0)
        return HAL_OK;
    plan_density d = {
        .v = {r->v[0], r->v[1], r->v[2]},
        .radius = r->radius,
        .area_sr = r->area_sr,
        .rows = rows,
        .log_prior = log_prior(p, r->v, r->radius),
        .coarse = coarse,
    };
    return plan_index_add(&p->learned, &d, err);
}

hal_status plan_remember(hal_plan *p, const hal_plan_density *d, size_t n, hal_err *err)
{
    for (size_t i = 0; i < n; i++) {
        bool good = isfinite(d[i].ra_deg) && fabs(d[i].dec_deg) <= 90.0 && d[i].radius_deg >= 0.0 &&
                    d[i].radius_deg <= 180.0 && d[i].rows_per_sr > 0.0 &&
                    isfinite(d[i].rows_per_sr);
        if (!good)
            return hal_err_set(err, HAL_E_USAGE,
                               "density %zu of %zu remembered is not a place with a radius of 0 to "
                               "180 degrees and rows per steradian above 0",
                               i + 1, n);
        plan_density e = {.radius = d[i].radius_deg * RADIANS, .log_prior = log(d[i].rows_per_sr)};
        plan_unit_vector(d[i].ra_deg, d[i].dec_deg, e.v);
        hal_status st = plan_index_add(&p->prior, &e, err);
        if (st)
            return st;
    }
    return HAL_OK;
}

/* Rows per steradian near the request: weighted mean of logarithms over the nearest regions, each
 * against what was remembered for it; what was remembered alone while nothing is learned. *few: by
 * how much few rows may mislead, a factor. */
static double density_near(const hal_plan *p, const plan_request *r, const plan_near *near,
                           double *few)
{
    double sum = 0.0, weights = 0.0, most = 0.0;
    for (int k = 0; k < near->n; k++) {
        const plan_density *d = plan_density_at(&p->learned, near->i[k]);
        double w = weight(near->chord2[k], d->radius, r->radius);
        sum += w * (log((d->rows + 0.5) / d->area_sr) - d->log_prior);
        weights += w;
        most = fmax(most, d->rows);
    }
    double prior = log_prior(p, r->v, r->radius);
    *few = near->n ? 1.0 + 1.5 / sqrt(most + 1.0) : 1.0;
    return near->n ? exp(prior + sum / weights) : exp(prior);
}

/* The same, on the safe side. */
static double safe_density(const hal_plan *p, const plan_request *r, const plan_near *near)
{
    double few, density = density_near(p, r, near, &few);
    double spread = p->strategy == PLAN_CENTRES ? 0.0 : p->spread;
    return density * fmax(few, exp(SAFETY * sqrt(spread)));
}

void plan_weigh_guess(hal_plan *p, const plan_request *r, double rows, bool at_least)
{
    plan_near near;
    plan_index_near(&p->learned, r->v, &near);
    if (near.n == 0 || r->area_sr <= 0.0)
        return;
    double few, guess = density_near(p, r, &near, &few) * r->area_sr;
    double x = log((rows + 0.5) / (guess + 0.5));
    x = at_least ? fmax(0.0, x) : x;
    /* Few rows scatter by themselves: what `few` is for. */
    double by_chance = 1.0 / (rows + 1.0) + (few - 1.0) * (few - 1.0) / 2.25;
    p->spread += (fmax(0.0, fmin(x * x, SPREAD_MAX) - by_chance) - p->spread) / WEIGHED;
}

/* Rows of the tile of node `i` by the count of a node not far above it: what the finished parts of
 * its parent leave, shared out by the densities near. < 0: none was counted. At most SHARE_DEPTH
 * deep. */
static double rows_by_count(const hal_plan *p, int32_t i, int depth)
{
    const plan_node *n = plan_node_at(p, i);
    if (n->parent < 0 || depth == SHARE_DEPTH || p->strategy != PLAN_TILES)
        return -1.0;
    const plan_node *up = plan_node_at(p, n->parent);
    double area = hal_tile_area_sr(&up->tile), rows;
    plan_request r;
    if (up->counted) {
        r = plan_request_node(p, up);
        rows = (double)up->rows_known * area / r.area_sr;
    } else {
        rows = rows_by_count(p, n->parent, depth + 1);
    }
    if (rows < 0.0)
        return -1.0;
    double mine = 0.0, all = 0.0;
    for (int32_t k = up->first_child; k < up->first_child + up->n_child; k++) {
        const plan_node *part = plan_node_at(p, k);
        if (part->no_position)
            continue;
        double size = hal_tile_area_sr(&part->tile);
        area -= size;
        r = plan_request_node(p, part);
        if (part->state == PLAN_NODE_DONE && !isinf(part->rows_sent)) {
            rows -= (double)part->rows_returned * size / r.area_sr;
        } else if (part->state == PLAN_NODE_SPLIT && part->n_open == 0) {
            rows -= (double)part->rows_kept;
        } else {
            plan_near near;
            plan_index_near(&p->learned, r.v, &near);
            double few, guess = density_near(p, &r, &near, &few) * size;
            mine = k == i ? guess : mine;
            all += guess;
        }
    }
    if (area > 0.0) /* clipped off */
        all += area * mine / hal_tile_area_sr(&n->tile);
    return fmax(0.0, rows) * mine / all;
}

double plan_predict(const hal_plan *p, int32_t i, const plan_request *r)
{
    const plan_node *n = plan_node_at(p, i);
    if (n->rows_known >= 0.0F && !n->over) /* counted */
        return (double)n->rows_known;
    if (n->column || n->no_position)
        return plan_predict_range(p, i);
    if (r->area_sr <= 0.0 || !plan_knows(p))
        return -1.0;
    if (n->unfounded && n->cells < 0)
        return 0.0;
    plan_near near;
    plan_index_near(&p->learned, r->v, &near);
    double rows;
    int32_t cells = n->cells;
    if (cells >= 0) {
        const plan_histogram *h = p->histogram[cells];
        rows = plan_histogram_rows(p, h, r);
        if (near.n > 0 &&
            plan_histogram_is_coarse(h, r, plan_density_at(&p->learned, near.i[0])->area_sr,
                                     near.chord2[0]))
            rows = fmax(rows, safe_density(p, r, &near) * r->area_sr);
    } else {
        rows = rows_by_count(p, i, 0);
        if (rows >= 0.0)
            return rows * r->area_sr / hal_tile_area_sr(&n->tile);
        rows = safe_density(p, r, &near) * r->area_sr;
    }
    /* What was over before the cells were counted is in them. */
    for (; i >= 0 && plan_node_at(p, i)->cells == cells; i = plan_node_at(p, i)->parent)
        rows = fmax(rows, plan_node_at(p, i)->bound * r->area_sr);
    return rows;
}

int64_t plan_leaves_wanted(const hal_plan *p, int32_t i, const plan_request *r, double rows)
{
    double box = hal_tile_area_sr(&plan_node_at(p, i)->tile),
           phi = r->as_box ? 1.0 : PLAN_CONE_OVER_BOX;
    double n = 2.0;
    if (rows > 0.0)
        n = fmax(n, rows / r->area_sr * box * phi / (PLAN_FILL * p->cap));
    if (!r->fits)
        n = fmax(n, box * phi / hal_cone_area_sr(p->service.radius_max_deg));
    return (int64_t)ceil(fmin(n, LEAVES_MAX));
}

/* Regions finished one after another are neighbours: `group` of them become one entry. */
static hal_plan_density mean_of(const plan_density *const *d, size_t n)
{
    double v[3] = {0}, area = 0.0, rows = 0.0;
    for (size_t i = 0; i < n; i++) {
        for (int x = 0; x < 3; x++)
            v[x] += d[i]->v[x] * d[i]->area_sr;
        area += d[i]->area_sr;
        rows += d[i]->rows;
    }
    return (hal_plan_density){
        .ra_deg = hal_ra_canonical(atan2(v[1], v[0]) / RADIANS),
        .dec_deg = atan2(v[2], hypot(v[0], v[1])) / RADIANS,
        .radius_deg = 2.0 * asin(fmin(1.0, sqrt(area / (4.0 * PI)))) / RADIANS,
        .rows_per_sr = (rows + 0.5) / area,
    };
}

size_t plan_index_densities(const plan_index *x, hal_plan_density *out, size_t n)
{
    enum { GROUP_MAX = 64 };
    size_t fine = 0, found = 0, in_group = 0;
    for (size_t i = 0; i < x->n; i++)
        fine += !plan_density_at(x, i)->coarse;
    if (fine == 0 || n == 0)
        return 0;
    size_t group = (fine + n - 1) / n;
    const plan_density *member[GROUP_MAX];
    size_t stride = (group + GROUP_MAX - 1) / GROUP_MAX; /* of a large group, some stand for all */
    for (size_t i = 0, k = 0; i < x->n; i++) {
        if (plan_density_at(x, i)->coarse)
            continue;
        if (k % stride == 0)
            member[in_group++] = plan_density_at(x, i);
        k++;
        if (k % group == 0 || k == fine) {
            out[found++] = mean_of(member, in_group);
            in_group = 0;
        }
    }
    return found;
}

size_t hal_plan_densities(const hal_plan *p, hal_plan_density *out, size_t n)
{
    return plan_index_densities(&p->learned, out, n);
}
