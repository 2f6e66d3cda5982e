/* SPDX-License-Identifier: BSD-3-Clause */
/* Reproducible random numbers and places for property tests: the same sequence in every run. */
#ifndef HAL_TESTS_RANDOM_SKY_H
#define HAL_TESTS_RANDOM_SKY_H

#include <math.h>
#include <stdint.h>

#define PI 3.14159265358979323846
#define DEG (PI / 180)

static uint64_t random_state = 88172645463325252u;

static inline uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/** In [0, 1). */
static inline double unit(void)
{
    return (double)(random_bits() >> 11) / 9007199254740992.0;
}

static inline double between(double low, double high)
{
    return low + (high - low) * unit();
}

/** Evenly over the sphere. */
static inline void random_point(double *ra, double *dec)
{
    *ra = between(0, 360);
    *dec = asin(between(-1, 1)) / DEG;
}

/** The place at distance `d` and bearing `b` (north through east) from another; degrees. */
static inline void walk(double ra, double dec, double d, double b, double *ra_out, double *dec_out)
{
    double z = sin(dec * DEG) * cos(d * DEG) + cos(dec * DEG) * sin(d * DEG) * cos(b * DEG);
    double x = cos(dec * DEG) * cos(d * DEG) - sin(dec * DEG) * sin(d * DEG) * cos(b * DEG);
    double y = sin(d * DEG) * sin(b * DEG);
    *dec_out = atan2(z, hypot(x, y)) / DEG;
    double r = fmod(ra + atan2(y, x) / DEG, 360);
    r = r < 0 ? r + 360 : r;
    *ra_out = r >= 360 ? 0 : r;
}

#endif
