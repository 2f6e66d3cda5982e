/* SPDX-License-Identifier: BSD-3-Clause */
/* What is known about the density of rows, and what it predicts for a tile. Tiling design,
 * section 6, predict() and plan(). */
#include "plan/state.h"

#include "base/alloc.h"
#include "sky/angle.h"

#include <math.h>

#define RADIANS 0.017453292519943295
#define CONE_OVER_BOX 1.62 /* area of the enclosing cone of a usual tile: design section 3 */

enum { NEAREST = 4, LEAVES_MAX = 1000000 };

void plan_unit_vector(double ra_deg, double dec_deg, double v[3])
{
    double a = ra_deg * RADIANS, d = dec_deg * RADIANS;
    v[0] = cos(d) * cos(a);
    v[1] = cos(d) * sin(a);
    v[2] = sin(d);
}

hal_status plan_learn(hal_plan *p, const plan_request *r, double rows, hal_err *err)
{
    if (r->area_sr <= 0.0)
        return HAL_OK;
    if (p->n_density == p->density_cap) {
        size_t cap = p->density_cap ? 2 * p->density_cap : 64;
        plan_density *grown = hal_realloc(p->density, cap * sizeof *grown);
        if (!grown)
            return hal_err_nomem(err, cap * sizeof *grown);
        p->density = grown;
        p->density_cap = cap;
    }
    p->density[p->n_density++] = (plan_density){
        .v = {r->v[0], r->v[1], r->v[2]},
        .radius = r->radius,
        .area_sr = r->area_sr,
        .rows = rows,
    };
    return HAL_OK;
}

/* Rows per steradian near the request: weighted mean of logarithms over the nearest regions. */
static double density_near(const hal_plan *p, const plan_request *r)
{
    size_t near[NEAREST], n = 0;
    double chord2[NEAREST];
    for (size_t i = 0; i < p->n_density; i++) {
        const double *v = p->density[i].v;
        double x = v[0] - r->v[0], y = v[1] - r->v[1], z = v[2] - r->v[2];
        double c = x * x + y * y + z * z;
        if (n == NEAREST && c >= chord2[n - 1])
            continue;
        size_t at = n < NEAREST ? n++ : n - 1;
        for (; at > 0 && chord2[at - 1] > c; at--) {
            chord2[at] = chord2[at - 1];
            near[at] = near[at - 1];
        }
        chord2[at] = c;
        near[at] = i;
    }
    double sum = 0.0, weights = 0.0, most = 0.0;
    for (size_t k = 0; k < n; k++) {
        const plan_density *d = &p->density[near[k]];
        double dist = 2.0 * asin(fmin(1.0, sqrt(chord2[k]) / 2.0));
        double w = 1.0 / (dist * dist + 0.09 * d->radius * d->radius +
                          0.09 * r->radius * r->radius + 1e-30);
        sum += w * log((d->rows + 0.5) / d->area_sr);
        weights += w;
        most = fmax(most, d->rows);
    }
    return exp(sum / weights) * (1.0 + 1.5 / sqrt(most + 1.0));
}

double plan_predict(const hal_plan *p, int32_t i, const plan_request *r)
{
    if (p->n_density == 0)
        return -1.0;
    double lam = density_near(p, r);
    for (; i >= 0; i = p->node[i].parent)
        lam = fmax(lam, p->node[i].bound);
    return lam * r->area_sr;
}

int64_t plan_leaves_wanted(const hal_plan *p, int32_t i, const plan_request *r)
{
    double box = hal_tile_area_sr(&p->node[i].tile), phi = r->as_box ? 1.0 : CONE_OVER_BOX;
    double n = 2.0, rows = plan_predict(p, i, r);
    if (rows > 0.0)
        n = fmax(n, rows / r->area_sr * box * phi / (PLAN_FILL * p->cap));
    if (!r->fits)
        n = fmax(n, box * phi / hal_cone_area_sr(p->service.radius_max_deg));
    return (int64_t)ceil(fmin(n, LEAVES_MAX));
}

size_t hal_plan_densities(const hal_plan *p, hal_plan_density *out, size_t n)
{
    for (size_t i = 0; i < p->n_density && i < n; i++) {
        const plan_density *d = &p->density[i];
        out[i] = (hal_plan_density){
            .ra_deg = hal_ra_canonical(atan2(d->v[1], d->v[0]) / RADIANS),
            .dec_deg = atan2(d->v[2], hypot(d->v[0], d->v[1])) / RADIANS,
            .radius_deg = d->radius / RADIANS,
            .rows_per_sr = d->rows / d->area_sr,
        };
    }
    return p->n_density < n ? p->n_density : n;
}
