/* SPDX-License-Identifier: BSD-3-Clause */
#include "plan/targets.h"

#include "base/alloc.h"
#include "sky/angle.h"

#include <math.h>
#include <string.h>

#define RADIANS 0.017453292519943295
#define PI 3.141592653589793

enum { STEPS = 16 }; /* of the centre towards the farthest member */

/* Extent of places along the axes. */
typedef struct extent {
    double lo[3], hi[3];
} extent;

static extent extent_of(double (*v)[3], const uint64_t *order, size_t n)
{
    extent e = {{2, 2, 2}, {-2, -2, -2}};
    for (size_t i = 0; i < n; i++)
        for (int x = 0; x < 3; x++) {
            double c = v[order ? order[i] : i][x];
            e.lo[x] = fmin(e.lo[x], c);
            e.hi[x] = fmax(e.hi[x], c);
        }
    return e;
}

static int widest(const extent *e)
{
    int axis = 0;
    for (int x = 1; x < 3; x++)
        if (e->hi[x] - e->lo[x] > e->hi[axis] - e->lo[axis])
            axis = x;
    return axis;
}

/* All differ, for rows do. */
static bool before(double (*v)[3], int axis, uint64_t a, uint64_t b)
{
    return v[a][axis] < v[b][axis] || (v[a][axis] == v[b][axis] && a < b);
}

static void swap(uint64_t *order, size_t a, size_t b)
{
    uint64_t kept = order[a];
    order[a] = order[b];
    order[b] = kept;
}

/* Puts the n / 2 first along the axis before the others. */
static void halve(double (*v)[3], int axis, uint64_t *order, size_t n)
{
    size_t lo = 0, hi = n, wanted = n / 2;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2, last = hi - 1, end = lo;
        /* The median of three goes to the end and divides. */
        if (before(v, axis, order[mid], order[lo]))
            swap(order, mid, lo);
        if (before(v, axis, order[last], order[lo]))
            swap(order, last, lo);
        if (before(v, axis, order[mid], order[last]))
            swap(order, mid, last);
        for (size_t i = lo; i < last; i++)
            if (before(v, axis, order[i], order[last]))
                swap(order, i, end++);
        swap(order, end, last);
        if (end == wanted)
            return;
        if (end < wanted)
            lo = end + 1;
        else
            hi = end;
    }
}

/* As deep as the logarithm of n. */
static void build(double (*v)[3], uint64_t *order, size_t n)
{
    if (n < 2)
        return;
    extent e = extent_of(v, order, n);
    halve(v, widest(&e), order, n);
    build(v, order, n / 2);
    build(v, order + n / 2, n - n / 2);
}

static hal_target_lack lack_of(double ra, double dec, double radius)
{
    if (!isfinite(ra) || !(dec >= -90.0 && dec <= 90.0))
        return HAL_TARGET_NO_PLACE;
    return radius >= 0.0 && radius <= 180.0 ? HAL_TARGET_WHOLE : HAL_TARGET_NO_RADIUS;
}

static bool make_room(hal_targets *t, size_t n_rows)
{
    size_t room = n_rows + 1;
    t->lack = hal_calloc(room, 1);
    t->ra_deg = hal_malloc(room * sizeof *t->ra_deg);
    t->dec_deg = hal_malloc(room * sizeof *t->dec_deg);
    t->radius_deg = hal_malloc(room * sizeof *t->radius_deg);
    t->v = hal_malloc(room * sizeof *t->v);
    t->row = hal_malloc(room * sizeof *t->row);
    return t->lack && t->ra_deg && t->dec_deg && t->radius_deg && t->v && t->row;
}

static void unit_vector(double ra_deg, double dec_deg, double v[3])
{
    double a = ra_deg * RADIANS, d = dec_deg * RADIANS;
    v[0] = cos(d) * cos(a);
    v[1] = cos(d) * sin(a);
    v[2] = sin(d);
}

hal_targets *hal_targets_new(size_t n_rows, const double *ra, const double *dec,
                             const double *radius, hal_err *err)
{
    if (n_rows > HAL_TARGETS_MAX) {
        hal_err_set(err, HAL_E_USAGE, "%zu targets: at most %d in one list", n_rows,
                    HAL_TARGETS_MAX);
        return NULL;
    }
    double(*v)[3] = hal_malloc((n_rows + 1) * sizeof *v);
    hal_targets *t = hal_calloc(1, sizeof *t);
    if (!v || !t || !make_room(t, n_rows)) {
        hal_err_nomem(err, (n_rows + 1) * sizeof *v);
        hal_free(v);
        hal_targets_unref(t);
        return NULL;
    }
    t->n_refs = 1;
    t->n_rows = n_rows;
    for (size_t i = 0; i < n_rows; i++) {
        t->lack[i] = (unsigned char)lack_of(ra[i], dec[i], radius[i]);
        if (t->lack[i] == HAL_TARGET_WHOLE) {
            unit_vector(ra[i], dec[i], v[i]);
            t->row[t->n++] = i;
        }
    }
    build(v, t->row, t->n);
    for (size_t k = 0; k < t->n; k++) {
        size_t i = (size_t)t->row[k];
        memcpy(t->v[k], v[i], sizeof v[i]);
        t->ra_deg[k] = ra[i];
        t->dec_deg[k] = dec[i];
        t->radius_deg[k] = radius[i];
        t->radius_max_deg = fmax(t->radius_max_deg, radius[i]);
    }
    hal_free(v);
    return t;
}

hal_targets *hal_targets_ref(hal_targets *t)
{
    t->n_refs++;
    return t;
}

void hal_targets_unref(hal_targets *t)
{
    if (!t || (t->n_refs > 0 && --t->n_refs > 0))
        return;
    hal_free(t->lack);
    hal_free(t->ra_deg);
    hal_free(t->dec_deg);
    hal_free(t->radius_deg);
    hal_free(t->v);
    hal_free(t->row);
    hal_free(t);
}

static double distance(const double a[3], const double b[3])
{
    double x = a[0] - b[0], y = a[1] - b[1], z = a[2] - b[2];
    return 2.0 * asin(fmin(1.0, sqrt(x * x + y * y + z * z) / 2.0));
}

/* Radius about a centre; the member that makes it so. */
static double reach(const hal_targets *t, size_t first, size_t n, const double centre[3],
                    size_t *far, double *spread)
{
    double most = -1.0;
    *spread = 0.0;
    for (size_t i = first; i < first + n; i++) {
        double d = distance(centre, t->v[i]), all = d + t->radius_deg[i] * RADIANS;
        *spread = fmax(*spread, d);
        if (all > most) {
            most = all;
            *far = i;
        }
    }
    return fmin(PI, most);
}

static bool normalize(double v[3])
{
    double length = sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
    if (length < 1e-3) /* members on opposite sides: no middle */
        return false;
    for (int x = 0; x < 3; x++)
        v[x] /= length;
    return true;
}

double hal_targets_circle(const hal_targets *t, size_t first, size_t n, bool fine, double centre[3],
                          double *spread)
{
    memcpy(centre, t->v[first], sizeof t->v[first]);
    if (n > 1) {
        extent e = extent_of(t->v + first, NULL, n);
        double middle[3];
        for (int x = 0; x < 3; x++)
            middle[x] = (e.lo[x] + e.hi[x]) / 2.0;
        if (!normalize(middle)) {
            *spread = PI;
            return PI;
        }
        memcpy(centre, middle, sizeof middle);
    }
    size_t far = first;
    double best = reach(t, first, n, centre, &far, spread), c[3];
    memcpy(c, centre, sizeof c);
    /* A step towards the farthest, each shorter than the one before (Badoiu and Clarkson 2003). */
    for (int step = 1; fine && n > 1 && step <= STEPS; step++) {
        for (int x = 0; x < 3; x++)
            c[x] += (t->v[far][x] - c[x]) / (step + 2);
        double wide;
        if (!normalize(c))
            break;
        double r = reach(t, first, n, c, &far, &wide);
        if (r < best) {
            best = r;
            *spread = wide;
            memcpy(centre, c, sizeof c);
        }
    }
    return best;
}
