/* SPDX-License-Identifier: BSD-3-Clause */
/* Box tiles. Borders are integers and are compared, never computed, as doubles, so that two tiles
 * that share a border disagree on no position. Leaves the choice of what to cut to the plan. */
#include "sky/tile.h"

#include "sky/angle.h"

#include <math.h>

#define RADIANS 0.017453292519943295 /* pi/180 */
#define DEGREES 57.29577951308232    /* 180/pi */
#define PI 3.141592653589793

hal_tile hal_tile_all(void)
{
    return (hal_tile){0, HAL_TICKS_CIRCLE, -HAL_TICKS_POLE, HAL_TICKS_POLE};
}

double hal_tick_deg(int64_t tick)
{
    return (double)tick / 1e7;
}

/* Borders as doubles, for many positions. */
typedef struct borders {
    double west, east, south, north;
    bool full, wraps, at_north_pole;
} borders;

static borders borders_of(const hal_tile *t)
{
    bool wraps = t->ra + t->width > HAL_TICKS_CIRCLE;
    return (borders){
        .west = hal_tick_deg(t->ra),
        .east = hal_tick_deg(wraps ? t->ra + t->width - HAL_TICKS_CIRCLE : t->ra + t->width),
        .south = hal_tick_deg(t->dec_lo),
        .north = hal_tick_deg(t->dec_hi),
        .full = t->width == HAL_TICKS_CIRCLE,
        .wraps = wraps,
        .at_north_pole = t->dec_hi == HAL_TICKS_POLE,
    };
}

static bool owns(const borders *b, double ra, double dec)
{
    if (!(dec >= b->south && (dec < b->north || (b->at_north_pole && dec <= 90.0))))
        return false;
    if (!(ra >= 0.0 && ra < 360.0))
        ra = hal_ra_canonical(ra);
    if (fabs(dec) == 90.0)
        ra = isnan(ra) ? ra : 0.0; /* at a pole every ra is the same place */
    if (b->full)
        return !isnan(ra);
    return b->wraps ? ra >= b->west || ra < b->east : ra >= b->west && ra < b->east;
}

bool hal_tile_owns(const hal_tile *t, double ra_deg, double dec_deg)
{
    borders b = borders_of(t);
    return owns(&b, ra_deg, dec_deg);
}

size_t hal_tile_owns_array(const hal_tile *t, const double *ra_deg, const double *dec_deg, size_t n,
                           unsigned char *owned)
{
    borders b = borders_of(t);
    size_t n_owned = 0;
    for (size_t i = 0; i < n; i++) {
        owned[i] = owns(&b, ra_deg[i], dec_deg[i]);
        n_owned += owned[i];
    }
    return n_owned;
}

double hal_tile_area_sr(const hal_tile *t)
{
    double south = hal_tick_deg(t->dec_lo) * RADIANS, north = hal_tick_deg(t->dec_hi) * RADIANS;
    return hal_tick_deg(t->width) * RADIANS * 2.0 * cos((south + north) / 2.0) *
           sin((north - south) / 2.0);
}

double hal_cone_area_sr(double radius_deg)
{
    double s = sin(fmin(radius_deg, 180.0) * RADIANS / 2.0);
    return 4.0 * PI * s * s;
}

void hal_tile_centre(const hal_tile *t, double *ra_deg, double *dec_deg)
{
    int64_t ra2 = 2 * t->ra + t->width; /* twice the middle: stays an integer */
    if (ra2 >= 2 * HAL_TICKS_CIRCLE)
        ra2 -= 2 * HAL_TICKS_CIRCLE;
    *ra_deg = (double)ra2 / 2e7;
    *dec_deg = (double)(t->dec_lo + t->dec_hi) / 2e7;
}

/* Haversine of the distance from latitude t on the middle meridian to latitude x half a width away;
 * `sine2` is the squared sine of a quarter of the width. Grows with the distance. */
static double corner_haversine(double t, double cos_t, double x, double cos_x, double sine2)
{
    double a = sin((t - x) / 2.0);
    return a * a + cos_t * cos_x * sine2;
}

hal_cone hal_tile_cone(const hal_tile *t)
{
    double ra, dec;
    hal_tile_centre(t, &ra, &dec);
    double south = hal_tick_deg(t->dec_lo), north = hal_tick_deg(t->dec_hi);
    if (t->width > HAL_TICKS_CIRCLE / 2) {
        if (south == -90.0 && north == 90.0)
            return (hal_cone){ra, dec, 180.0};
        bool to_north = south + north >= 0.0;
        return to_north ? (hal_cone){0.0, 90.0, 90.0 - south}
                        : (hal_cone){0.0, -90.0, north + 90.0};
    }
    double a = south * RADIANS, b = north * RADIANS, h = hal_tick_deg(t->width) * RADIANS / 2.0;
    double cos_a = cos(a), cos_b = cos(b), sin_a = sin(a), sin_b = sin(b), cos_h = cos(h);
    double sine2 = sin(h / 2.0) * sin(h / 2.0);
    const double candidates[] = {
        atan2(cos_h * (cos_a - cos_b), sin_b - sin_a),
        a,
        b,
        (a + b) / 2.0,
        atan2(sin_a, cos_a * cos_h),
        atan2(sin_b, cos_b * cos_h),
    };
    double best_t = a, best = INFINITY;
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        double c = candidates[i], cos_c = cos(c);
        double farthest = corner_haversine(c, cos_c, a, cos_a, sine2);
        if (farthest >= best)
            continue;
        farthest = fmax(farthest, corner_haversine(c, cos_c, b, cos_b, sine2));
        if (farthest < best) {
            best = farthest;
            best_t = c;
        }
    }
    double best_r = 2.0 * asin(fmin(1.0, sqrt(best)));
    /* The last bits of the centre in degrees must not leave a corner outside. */
    return (hal_cone){ra, fmax(-90.0, fmin(90.0, best_t * DEGREES)),
                      fmin(180.0, best_r * DEGREES * (1.0 + 1e-14) + 1e-12)};
}

static bool cut_ra(const hal_tile *t, double f, int64_t min_side, hal_tile child[2])
{
    int64_t w = llround((double)t->width * f);
    int64_t nearest = t->dec_lo > 0 ? t->dec_lo : t->dec_hi < 0 ? -t->dec_hi : 0;
    double shrink = cos(hal_tick_deg(nearest) * RADIANS);
    int64_t narrow = w < t->width - w ? w : t->width - w;
    if (narrow < 1 || (double)narrow * shrink < (double)min_side)
        return false;
    child[0] = child[1] = *t;
    child[0].width = w;
    child[1].width = t->width - w;
    child[1].ra = (t->ra + w) % HAL_TICKS_CIRCLE;
    return true;
}

static bool cut_dec(const hal_tile *t, double f, int64_t min_side, hal_tile child[2])
{
    double lo = sin(hal_tick_deg(t->dec_lo) * RADIANS), hi = sin(hal_tick_deg(t->dec_hi) * RADIANS);
    int64_t at = llround(asin(fmax(-1.0, fmin(1.0, lo + f * (hi - lo)))) * DEGREES * 1e7);
    /* asin runs out of digits in small tiles at a pole; any inner tick is a correct cut. */
    if (at <= t->dec_lo || at >= t->dec_hi)
        at = t->dec_lo + (t->dec_hi - t->dec_lo) / 2;
    int64_t thin = at - t->dec_lo < t->dec_hi - at ? at - t->dec_lo : t->dec_hi - at;
    if (thin < 1 || thin < min_side)
        return false;
    child[0] = child[1] = *t;
    child[0].dec_hi = child[1].dec_lo = at;
    return true;
}

static double summed_cones(const hal_tile child[2])
{
    double first = hal_cone_area_sr(hal_tile_cone(&child[0]).radius_deg);
    bool alike = child[0].width == child[1].width && child[0].dec_lo == child[1].dec_lo;
    return first + (alike ? first : hal_cone_area_sr(hal_tile_cone(&child[1]).radius_deg));
}

typedef bool (*cut_fn)(const hal_tile *, double, int64_t, hal_tile[2]);

/* Tries each cut at f and 1 - f (in RA these mirror one another), keeps the one whose children have
 * the smaller cones in total. */
static bool cut_best(const hal_tile *t, const cut_fn *cuts, size_t n, double f, int64_t min_side,
                     hal_tile child[2])
{
    double best = INFINITY;
    for (size_t i = 0; i < 2 * n; i++) {
        hal_tile c[2];
        bool mirrors = i % 2 && (f == 0.5 || cuts[i / 2] == cut_ra);
        if (mirrors || !cuts[i / 2](t, i % 2 ? 1.0 - f : f, min_side, c))
            continue;
        double sum = summed_cones(c);
        if (sum < best) {
            best = sum;
            child[0] = c[0];
            child[1] = c[1];
        }
    }
    return best < INFINITY;
}

static bool cut_at(const hal_tile *t, int64_t n_leaves, double f, int64_t min_side,
                   hal_tile child[2])
{
    static const cut_fn both[] = {cut_ra, cut_dec};
    bool north = t->dec_hi == HAL_TICKS_POLE, south = t->dec_lo == -HAL_TICKS_POLE;
    if (t->width == HAL_TICKS_CIRCLE) {
        if (north && south)
            return cut_dec(t, 0.5, min_side, child);
        if (!north && !south) /* an annulus keeps its cone however thin it is: only ra helps */
            return cut_ra(t, f, min_side, child);
        double polar = 1.0 / (double)n_leaves; /* one leaf: its cone is the cap itself */
        return cut_dec(t, north ? 1.0 - polar : polar, min_side, child) ||
               cut_dec(t, 0.5, min_side, child) || cut_ra(t, f, min_side, child);
    }
    int64_t nearest = t->dec_lo > 0 ? t->dec_lo : t->dec_hi < 0 ? -t->dec_hi : 0;
    double w = (double)t->width * cos(hal_tick_deg(nearest) * RADIANS);
    double h = (double)(t->dec_hi - t->dec_lo);
    if (w > 2.2 * h)
        return cut_best(t, &both[0], 1, f, min_side, child) ||
               cut_best(t, &both[1], 1, f, min_side, child);
    if (h > 2.2 * w)
        return cut_best(t, &both[1], 1, f, min_side, child) ||
               cut_best(t, &both[0], 1, f, min_side, child);
    return cut_best(t, both, 2, f, min_side, child);
}

bool hal_tile_cut(const hal_tile *t, int64_t n_leaves, int64_t min_side_ticks, hal_tile child[2])
{
    if (n_leaves < 2)
        n_leaves = 2;
    double f = n_leaves > 12 ? 0.5 : (double)(n_leaves / 2) / (double)n_leaves;
    return cut_at(t, n_leaves, f, min_side_ticks, child) ||
           (f != 0.5 && cut_at(t, 2, 0.5, min_side_ticks, child));
}
