/* SPDX-License-Identifier: BSD-3-Clause */
/* Trigonometry in degrees and unit vectors, shared by the files of this folder. */
#ifndef HAL_SKY_VECTOR_H
#define HAL_SKY_VECTOR_H

#include <math.h>

#define HAL_PI 3.14159265358979323846
#define HAL_RAD_PER_DEG (HAL_PI / 180.0)
#define HAL_DEG_PER_RAD (180.0 / HAL_PI)

typedef struct hal_vector {
    double x, y, z;
} hal_vector;

/** Cosine of a latitude in [-90, 90]: exactly 0 at the poles, relative accuracy kept near them. */
static inline double hal_cos_dec(double dec_deg)
{
    double a = fabs(dec_deg);
    return a > 45.0 ? sin((90.0 - a) * HAL_RAD_PER_DEG) : cos(a * HAL_RAD_PER_DEG);
}

/** Great-circle separation in degrees; `cos1`, `cos2` are hal_cos_dec of the declinations. The same
 * bits for both orders of the two places; 0 for identical ones. */
static inline double hal_separation_between(double ra1_deg, double dec1_deg, double cos1,
                                            double ra2_deg, double dec2_deg, double cos2)
{
    double d_ra = ra2_deg - ra1_deg;
    if (fabs(d_ra) > 180.0)
        d_ra = remainder(d_ra, 360.0);
    double half_ra = d_ra * (HAL_RAD_PER_DEG / 2), cc = cos1 * cos2;
    double s = sin((dec2_deg - dec1_deg) * (HAL_RAD_PER_DEG / 2)), sr = sin(half_ra);
    double h = s * s + cc * sr * sr;
    /* Haversine of the distance, and of the distance to the antipode: each is the accurate one
     * where the other loses digits. Below 0.1 degrees the series of asin(sqrt(h)) ends sooner. */
    if (h < 1e-6)
        return 2.0 * HAL_DEG_PER_RAD * (sqrt(h) * (1.0 + h * (1.0 / 6 + h * (3.0 / 40))));
    double t = sin((dec2_deg + dec1_deg) * (HAL_RAD_PER_DEG / 2)), cr = cos(half_ra);
    return 2.0 * HAL_DEG_PER_RAD * atan2(sqrt(h), sqrt(t * t + cc * cr * cr));
}

static inline hal_vector hal_vector_at(double ra_deg, double dec_deg)
{
    double c = hal_cos_dec(dec_deg), ra = ra_deg * HAL_RAD_PER_DEG;
    return (hal_vector){c * cos(ra), c * sin(ra), sin(dec_deg * HAL_RAD_PER_DEG)};
}

static inline double hal_vector_dot(hal_vector a, hal_vector b)
{
    return a.x * b.x + a.y * b.y + a.z * b.z;
}

static inline hal_vector hal_vector_cross(hal_vector a, hal_vector b)
{
    return (hal_vector){a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

/** a + k b */
static inline hal_vector hal_vector_add(hal_vector a, double k, hal_vector b)
{
    return (hal_vector){a.x + k * b.x, a.y + k * b.y, a.z + k * b.z};
}

static inline double hal_vector_length(hal_vector a)
{
    return sqrt(hal_vector_dot(a, a));
}

/** The zero vector stays what it is. */
static inline hal_vector hal_vector_unit(hal_vector a)
{
    double n = hal_vector_length(a);
    return n > 0 ? (hal_vector){a.x / n, a.y / n, a.z / n} : a;
}

/** Angle between two unit vectors in radians, accurate at every size. */
static inline double hal_vector_angle(hal_vector a, hal_vector b)
{
    return 2.0 * atan2(hal_vector_length(hal_vector_add(a, -1.0, b)),
                       hal_vector_length(hal_vector_add(a, 1.0, b)));
}

#endif
