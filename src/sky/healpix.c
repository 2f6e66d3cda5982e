/* SPDX-License-Identifier: BSD-3-Clause */
#include "sky/healpix.h"

#include "sky/angle.h"
#include "sky/vector.h"

#include <math.h>

/* Spreads the low 32 bits to the even places. */
static uint64_t spread(uint64_t x)
{
    x &= 0xFFFFFFFFu;
    x = (x | x << 16) & UINT64_C(0x0000FFFF0000FFFF);
    x = (x | x << 8) & UINT64_C(0x00FF00FF00FF00FF);
    x = (x | x << 4) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    x = (x | x << 2) & UINT64_C(0x3333333333333333);
    return (x | x << 1) & UINT64_C(0x5555555555555555);
}

static uint64_t gather(uint64_t x)
{
    x &= UINT64_C(0x5555555555555555);
    x = (x | x >> 1) & UINT64_C(0x3333333333333333);
    x = (x | x >> 2) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    x = (x | x >> 4) & UINT64_C(0x00FF00FF00FF00FF);
    x = (x | x >> 8) & UINT64_C(0x0000FFFF0000FFFF);
    return (x | x >> 16) & 0xFFFFFFFFu;
}

static inline int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t index_of(int order, double ra_deg, double dec_deg)
{
    if (!(fabs(dec_deg) <= 90) || !isfinite(ra_deg))
        return UINT64_MAX;
    int64_t n_side = INT64_C(1) << order, mask = n_side - 1;
    double side = (double)n_side;
    double z = sin(dec_deg * HAL_RAD_PER_DEG), abs_z = fabs(z);
    double t = hal_ra_canonical(ra_deg) / 90.0;
    int64_t face, x, y;
    if (abs_z <= 2.0 / 3.0) {
        double u = side * (0.5 + t), v = 0.75 * side * z;
        /* Rounding can reach 5 n_side at ra just below 360, |z| = 2/3. */
        int64_t jp = least((int64_t)(u - v), 5 * n_side - 1);
        int64_t jm = least((int64_t)(u + v), 5 * n_side - 1);
        int64_t p = jp >> order, m = jm >> order;
        face = p == m ? (p | 4) : p < m ? p : m + 8;
        x = jm & mask;
        y = mask - (jp & mask);
    } else {
        int64_t q = least(3, (int64_t)t);
        double f = t - (double)q;
        double s = abs_z < 0.99 ? side * sqrt(3 * (1 - abs_z))
                                : side * hal_cos_dec(dec_deg) / sqrt((1 + abs_z) / 3);
        int64_t jp = least(mask, (int64_t)(f * s)), jm = least(mask, (int64_t)((1 - f) * s));
        face = z >= 0 ? q : q + 8;
        x = z >= 0 ? mask - jm : jp;
        y = z >= 0 ? mask - jp : jm;
    }
    return ((uint64_t)face << 2 * order) + (spread((uint64_t)x) | spread((uint64_t)y) << 1);
}

uint64_t hal_healpix_index(int order, double ra_deg, double dec_deg)
{
    return index_of(order, ra_deg, dec_deg);
}

void hal_healpix_index_array(int order, const double *ra_deg, const double *dec_deg, size_t n,
                             uint64_t *index)
{
    for (size_t i = 0; i < n; i++)
        index[i] = index_of(order, ra_deg[i], dec_deg[i]);
}

/* The ra of a place in a cell; `*z`, `*h`: sine and cosine of its dec. */
static double spot(int order, uint64_t index, double a, double b, double *z, double *h)
{
    static const int ring[12] = {2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4};
    static const int longitude[12] = {1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7};
    double side = (double)(INT64_C(1) << order);
    int face = (int)(index >> 2 * order) % 12;
    uint64_t inner = index & ((UINT64_C(1) << 2 * order) - 1);
    double x = ((double)gather(inner) + a) / side, y = ((double)gather(inner >> 1) + b) / side;
    double jr = ring[face] - x - y, n = 1;
    if (jr < 1 || jr > 3) {
        /* x + y from the near corner keeps the digits that 2 - x - y would lose at a pole */
        n = jr < 1 ? (1 - x) + (1 - y) : x + y;
        double c = n * n / 3;
        *z = jr < 1 ? 1 - c : c - 1;
        *h = sqrt(c * (2 - c));
    } else {
        *z = (2 - jr) * 2 / 3;
        *h = sqrt(1 - *z * *z);
    }
    double w = longitude[face] * n + x - y;
    w = w < 0 ? w + 8 * n : w;
    return n < 1e-15 ? 0 : hal_ra_canonical(45 * w / n);
}

void hal_healpix_position(int order, uint64_t index, double a, double b, double *ra_deg,
                          double *dec_deg)
{
    double z, h;
    *ra_deg = spot(order, index, a, b, &z, &h);
    *dec_deg = atan2(z, h) * HAL_DEG_PER_RAD;
}

void hal_healpix_centre(int order, uint64_t index, double v[3])
{
    double h, ra = spot(order, index, 0.5, 0.5, &v[2], &h) * HAL_RAD_PER_DEG;
    v[0] = h * cos(ra);
    v[1] = h * sin(ra);
}

double hal_healpix_centre_ra(int order, uint64_t index, double *sin_dec, double *cos_dec)
{
    return spot(order, index, 0.5, 0.5, sin_dec, cos_dec);
}

double hal_healpix_radius_deg(int order)
{
    /* Largest distances between a centre and a corner, rounded up; tiling design, section 10. */
    static const double radius[] = {48.1897, 27.5857, 14.5723, 7.4729, 3.7824, 1.9027,
                                    0.9542,  0.4778,  0.2391,  0.1196, 0.0599};
    return order <= 10 ? radius[order] : 61.26 / (double)(INT64_C(1) << order);
}

typedef struct disc {
    int order;
    hal_vector centre;
    double radius_deg;
    hal_healpix_range_fn each;
    void *ctx;
    uint64_t lo, hi; /* cells found and not yet handed out; lo == hi: none */
} disc;

/* Adds cells, which come in ascending order; false: the caller wants no more. */
static bool add_cells(disc *d, uint64_t lo, uint64_t hi)
{
    if (d->lo < d->hi && d->hi == lo) {
        d->hi = hi;
        return true;
    }
    bool more = d->lo == d->hi || d->each(d->ctx, d->lo, d->hi);
    d->lo = lo;
    d->hi = hi;
    return more;
}

/* At most HAL_HEALPIX_ORDER_MAX + 1 deep. */
static bool visit(disc *d, int order, uint64_t index)
{
    double ra, dec, radius = hal_healpix_radius_deg(order);
    hal_healpix_position(order, index, 0.5, 0.5, &ra, &dec);
    double away = hal_vector_angle(d->centre, hal_vector_at(ra, dec)) * HAL_DEG_PER_RAD;
    int deeper = 2 * (d->order - order);
    if (away > d->radius_deg + radius)
        return true;
    if (away + radius <= d->radius_deg || deeper == 0)
        return add_cells(d, index << deeper, (index + 1) << deeper);
    for (uint64_t child = 4 * index; child < 4 * index + 4; child++)
        if (!visit(d, order + 1, child))
            return false;
    return true;
}

void hal_healpix_disc(int order, double ra_deg, double dec_deg, double radius_deg,
                      hal_healpix_range_fn each, void *ctx)
{
    disc d = {order, hal_vector_at(ra_deg, dec_deg), radius_deg, each, ctx, 0, 0};
    for (uint64_t face = 0; face < 12; face++)
        if (!visit(&d, 0, face))
            return;
    if (d.lo < d.hi)
        each(ctx, d.lo, d.hi);
}
