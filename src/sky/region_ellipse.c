/* SPDX-License-Identifier: BSD-3-Clause */
/* Spherical ellipse: where an elliptic cone from the middle of the sphere cuts it. Its border is
 * walked by `s` in [0, 2 pi): the first coordinate on the tangent plane is tan(a cos s), which
 * keeps equal steps nearly equal on the sky however flat or large the ellipse is. */
#include "sky/region_shape.h"

#include "sky/angle.h"

enum { PLACES = 64 };

typedef struct ellipse {
    hal_region base;
    double first_deg, second_deg, angle_deg;
    double a, tan_a, tan_b;
    hal_vector centre, axis[2];
    hal_vector place[PLACES]; /* on the border, in equal steps */
    double step_deg;          /* no place of the border is farther from the nearest of these */
} ellipse;

static bool ellipse_has(const hal_region *r, const hal_place *p)
{
    const ellipse *e = (const ellipse *)r;
    double z = hal_vector_dot(e->centre, p->at);
    double x = hal_vector_dot(e->axis[0], p->at) / e->tan_a;
    double y = hal_vector_dot(e->axis[1], p->at) / e->tan_b;
    return z > 0 && x * x + y * y <= z * z;
}

static hal_vector border(const ellipse *e, double s)
{
    double half = sin(s / 2), other = cos(s / 2), at = e->a * cos(s), x = tan(at);
    /* tan a -+ x without the loss of digits at the ends */
    double c = cos(e->a) * cos(at);
    double rest = sin(2 * e->a * half * half) / c * (sin(2 * e->a * other * other) / c);
    double y = copysign(e->tan_b * sqrt(fmax(0, rest)) / e->tan_a, sin(s));
    return hal_vector_unit(hal_vector_add(hal_vector_add(e->centre, x, e->axis[0]), y, e->axis[1]));
}

/* What is minimal somewhere on the border. */
typedef double (*measure)(const ellipse *e, hal_vector border, hal_vector p);

static double minimum(const ellipse *e, measure f, hal_vector p)
{
    enum { N = PLACES, STEPS = 44 };
    const double step = 2 * HAL_PI / N, golden = 0.6180339887498949;
    double value[N], best = INFINITY;
    for (int i = 0; i < N; i++)
        value[i] = f(e, e->place[i], p);
    for (int i = 0; i < N; i++) {
        if (value[i] > value[(i + 1) % N] || value[i] > value[(i + N - 1) % N])
            continue; /* no valley */
        double low = (i - 1) * step, high = (i + 1) * step;
        double s = high - golden * (high - low), t = low + golden * (high - low);
        double at_s = f(e, border(e, s), p), at_t = f(e, border(e, t), p);
        for (int k = 0; k < STEPS; k++) {
            if (at_s < at_t) {
                high = t;
                t = s;
                at_t = at_s;
                s = high - golden * (high - low);
                at_s = f(e, border(e, s), p);
            } else {
                low = s;
                s = t;
                at_s = at_t;
                t = low + golden * (high - low);
                at_t = f(e, border(e, t), p);
            }
        }
        best = fmin(best, fmin(value[i], fmin(at_s, at_t)));
    }
    return best;
}

static double distance(const ellipse *e, hal_vector b, hal_vector p)
{
    (void)e;
    return hal_vector_angle(b, p);
}

static double northward(const ellipse *e, hal_vector b, hal_vector pole)
{
    (void)e;
    return -pole.z * atan2(b.z, hypot(b.x, b.y));
}

/* Westward of the centre for (0, 0, 1), eastward for (0, 0, -1). */
static double sideward(const ellipse *e, hal_vector b, hal_vector pole)
{
    double turn = atan2(b.y, b.x) - e->base.cone.ra_deg * HAL_RAD_PER_DEG;
    return pole.z * remainder(turn, 2 * HAL_PI);
}

static double ellipse_away(const hal_region *r, const hal_place *p)
{
    double d = minimum((const ellipse *)r, distance, p->at) * HAL_DEG_PER_RAD;
    return ellipse_has(r, p) ? -d : d;
}

/* Seldom asks for the distance: it takes a hundred times as long as one to the places. */
static bool ellipse_may_touch(const hal_region *r, const hal_tile *t, double margin_deg)
{
    const ellipse *e = (const ellipse *)r;
    if (!hal_region_is_near(r, t, margin_deg))
        return false;
    hal_cone c = hal_tile_cone(t);
    hal_place p = hal_place_at(c.ra_deg, c.dec_deg);
    double reach = c.radius_deg + margin_deg + 1e-9, least = INFINITY;
    if (ellipse_has(r, &p))
        return true;
    for (int i = 0; i < PLACES; i++) {
        hal_vector gap = hal_vector_add(e->place[i], -1, p.at);
        least = fmin(least, hal_vector_dot(gap, gap));
    }
    least = 2 * asin(fmin(1, sqrt(least) / 2)) * HAL_DEG_PER_RAD;
    if (least <= reach)
        return true;
    return least <= reach + e->step_deg && ellipse_away(r, &p) <= reach;
}

/* Between two of them the border turns by at most a right angle: its ends are among them. */
static void place_on_border(ellipse *e)
{
    for (int i = 0; i < PLACES; i++)
        e->place[i] = border(e, i * (2 * HAL_PI / PLACES));
    for (int i = 0; i < PLACES; i++) {
        double step = hal_vector_angle(e->place[i], e->place[(i + 1) % PLACES]);
        e->step_deg = fmax(e->step_deg, step * HAL_DEG_PER_RAD);
    }
}

static hal_tile ellipse_tile(const ellipse *e)
{
    static const double slack = 1e-9; /* degrees, of the search */
    const hal_vector north = {0, 0, 1}, south = {0, 0, -1};
    hal_place n = hal_place_at(0, 90), s = hal_place_at(0, -90);
    double dec_max = -minimum(e, northward, north) * HAL_DEG_PER_RAD + slack;
    double dec_min = minimum(e, northward, south) * HAL_DEG_PER_RAD - slack;
    bool has_north = ellipse_has(&e->base, &n), has_south = ellipse_has(&e->base, &s);
    if (has_north || has_south || dec_max >= 90 - 1e-6 || dec_min <= -90 + 1e-6)
        return hal_tile_round(0, 0, has_south ? -90 : fmax(-90, dec_min - 1e-6),
                              has_north ? 90 : fmin(90, dec_max + 1e-6), true);
    double cos_far = hal_cos_dec(fmax(fabs(dec_min), fabs(dec_max)));
    double pad = slack / cos_far;
    double ra = e->base.cone.ra_deg;
    return hal_tile_round(ra + minimum(e, sideward, north) * HAL_DEG_PER_RAD - pad,
                          ra - minimum(e, sideward, south) * HAL_DEG_PER_RAD + pad, dec_min,
                          dec_max, false);
}

/* The sum over a period converges as fast as doubles allow: 4096 steps suffice to 89 degrees. */
static double ellipse_area(const ellipse *e)
{
    enum { N = 4096 };
    double sum = 0;
    for (int i = 0; i < N; i++) {
        double t = 2 * HAL_PI * i / N, x = e->tan_a * cos(t), y = e->tan_b * sin(t);
        double q = sqrt(1 + x * x + y * y);
        sum += 1 / (q * (q + 1));
    }
    return 2 * HAL_PI * e->tan_a * e->tan_b * sum / N;
}

static hal_status ellipse_format(const hal_region *r, hal_buf *out, hal_err *err)
{
    const ellipse *e = (const ellipse *)r;
    hal_status st = hal_buf_puts(out, "ELLIPSE", err);
    const double x[] = {r->cone.ra_deg, r->cone.dec_deg, e->first_deg, e->second_deg, e->angle_deg};
    return st ? st : hal_region_put_numbers(out, x, 5, err);
}

static const hal_region_class ellipse_class = {.needs_vector = true,
                                               .has = ellipse_has,
                                               .away_deg = ellipse_away,
                                               .may_touch = ellipse_may_touch,
                                               .format = ellipse_format};

hal_region *hal_region_ellipse(double ra_deg, double dec_deg, double first_deg, double second_deg,
                               double angle_deg, hal_err *err)
{
    if (!hal_is_position(ra_deg, dec_deg)) {
        hal_err_set(err, HAL_E_USAGE,
                    "ellipse: centre %.10g %.10g is not on the sky; ra is from 0 to 360, dec from "
                    "-90 to 90 degrees",
                    ra_deg, dec_deg);
        return NULL;
    }
    if (!(first_deg >= 1e-9 && first_deg <= 89 && second_deg >= 1e-9 && second_deg <= 89)) {
        hal_err_set(err, HAL_E_USAGE,
                    "ellipse: semi-axes %.10g and %.10g are not from 1e-9 to 89 degrees", first_deg,
                    second_deg);
        return NULL;
    }
    if (!(fabs(angle_deg) <= 720)) {
        hal_err_set(err, HAL_E_USAGE,
                    "ellipse: position angle %.10g is not from -720 to 720 degrees", angle_deg);
        return NULL;
    }
    ellipse *e = hal_region_make(&ellipse_class, sizeof *e, err);
    if (!e)
        return NULL;
    e->first_deg = first_deg;
    e->second_deg = second_deg;
    e->angle_deg = angle_deg;
    double ra = hal_ra_canonical(ra_deg);
    e->centre = hal_vector_at(ra, dec_deg);
    hal_vector east = {-sin(ra * HAL_RAD_PER_DEG), cos(ra * HAL_RAD_PER_DEG), 0};
    hal_vector north = hal_vector_cross(e->centre, east);
    double s = sin(angle_deg * HAL_RAD_PER_DEG), c = cos(angle_deg * HAL_RAD_PER_DEG);
    hal_vector none = {0, 0, 0};
    e->axis[0] = hal_vector_add(hal_vector_add(none, c, north), s, east);
    e->axis[1] = hal_vector_add(hal_vector_add(none, -s, north), c, east);
    e->a = first_deg * HAL_RAD_PER_DEG;
    e->tan_a = tan(e->a);
    e->tan_b = tan(second_deg * HAL_RAD_PER_DEG);
    e->base.cone = (hal_cone){ra, dec_deg, fmax(first_deg, second_deg)};
    place_on_border(e);
    e->base.area_sr = ellipse_area(e);
    e->base.tile = ellipse_tile(e);
    return &e->base;
}
