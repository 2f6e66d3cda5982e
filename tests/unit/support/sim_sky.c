/* SPDX-License-Identifier: BSD-3-Clause */
/* Skies of rows. Included by sim.c. */
#include "sim.h"

#include "sky/angle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RADIANS 0.017453292519943295
#define SIM_PI 3.141592653589793

enum { BANDS = 3600 };

const char *const sim_sky_names[7] = {"even",  "plane", "clumpy", "globular",
                                      "polar", "wrap",  "empty"};

double sim_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static double gauss(uint64_t *s)
{
    double u = 1.0 - sim_random(s);
    return sqrt(-2.0 * log(u)) * cos(2.0 * SIM_PI * sim_random(s));
}

static void unit(double ra, double dec, double v[3])
{
    v[0] = cos(dec * RADIANS) * cos(ra * RADIANS);
    v[1] = cos(dec * RADIANS) * sin(ra * RADIANS);
    v[2] = sin(dec * RADIANS);
}

void sim_sky_add(sim_sky *sky, double ra, double dec, double sel_ra, double sel_dec)
{
    if (sky->n_row == sky->row_cap) {
        sky->row_cap = sky->row_cap ? 2 * sky->row_cap : 1024;
        sky->row = realloc(sky->row, sky->row_cap * sizeof *sky->row);
        if (!sky->row)
            abort();
    }
    sim_row *r = &sky->row[sky->n_row++];
    *r = (sim_row){.ra = ra, .dec = dec, .sel_ra = hal_ra_canonical(sel_ra), .sel_dec = sel_dec};
    r->key = (uint32_t)sky->n_row;
    unit(r->sel_ra, sel_dec, r->v);
}

sim_row *sim_sky_last(sim_sky *sky)
{
    return &sky->row[sky->n_row - 1];
}

static void add_printed(sim_sky *sky, double ra, double dec)
{
    ra = hal_ra_canonical(ra);
    dec = fmax(-90.0, fmin(90.0, dec));
    sim_sky_add(sky, round(ra * 1e5) / 1e5, round(dec * 1e5) / 1e5, ra, dec);
}

static int band_of(double dec)
{
    int b = (int)((dec + 90.0) * (BANDS / 180.0));
    return b < 0 ? 0 : b >= BANDS ? BANDS - 1 : b;
}

/* Rows that no position selects come last. */
static int row_band(const sim_row *r)
{
    return r->unplaced ? BANDS : band_of(r->sel_dec);
}

static int by_band_and_ra(const void *a, const void *b)
{
    const sim_row *x = a, *y = b;
    int bx = row_band(x), by = row_band(y);
    if (bx != by)
        return bx < by ? -1 : 1;
    if (x->sel_ra != y->sel_ra)
        return x->sel_ra < y->sel_ra ? -1 : 1;
    return (x->key > y->key) - (x->key < y->key);
}

void sim_sky_index(sim_sky *sky)
{
    if (sky->n_row)
        qsort(sky->row, sky->n_row, sizeof *sky->row, by_band_and_ra);
    sky->band = calloc(BANDS + 2, sizeof *sky->band);
    if (!sky->band)
        abort();
    sky->n_inside = 0;
    for (size_t i = 0; i < sky->n_row; i++) {
        sky->band[row_band(&sky->row[i]) + 1]++;
        sky->n_inside += hal_region_contains(sky->region, sky->row[i].ra, sky->row[i].dec);
    }
    for (int b = 0; b <= BANDS; b++)
        sky->band[b + 1] += sky->band[b];
}

void sim_sky_free(sim_sky *sky)
{
    hal_region_unref(sky->region);
    free(sky->row);
    free(sky->band);
    free(sky);
}

static sim_sky *sky_begin(const char *name, hal_region *region)
{
    sim_sky *sky = calloc(1, sizeof *sky);
    if (!sky || !region)
        abort();
    sky->name = name;
    sky->region = region;
    sky->all_sky = hal_region_cone(region).radius_deg >= 180.0 &&
                   hal_region_area_sr(region) > 4.0 * SIM_PI * (1.0 - 1e-12);
    return sky;
}

sim_sky *sim_sky_rows(hal_region *region, const double (*ra_dec)[2], size_t n)
{
    sim_sky *sky = sky_begin("rows", hal_region_ref(region));
    for (size_t i = 0; i < n; i++)
        sim_sky_add(sky, ra_dec[i][0], ra_dec[i][1], ra_dec[i][0], ra_dec[i][1]);
    sim_sky_index(sky);
    return sky;
}

/* A position `d` degrees from a place, in direction `t` radians. */
static void offset(double ra0, double dec0, double d, double t, double *ra, double *dec)
{
    double s0 = sin(dec0 * RADIANS), c0 = cos(dec0 * RADIANS);
    double s = s0 * cos(d * RADIANS) + c0 * sin(d * RADIANS) * cos(t);
    *dec = asin(fmax(-1.0, fmin(1.0, s))) / RADIANS;
    *ra = ra0 +
          atan2(sin(t) * sin(d * RADIANS), c0 * cos(d * RADIANS) - s0 * sin(d * RADIANS) * cos(t)) /
              RADIANS;
}

static void add_even(sim_sky *sky, size_t n, uint64_t *s)
{
    for (size_t i = 0; i < n; i++)
        add_printed(sky, 360.0 * sim_random(s), asin(2.0 * sim_random(s) - 1.0) / RADIANS);
}

/* `n` rows even in a disc. */
static void add_disc(sim_sky *sky, size_t n, double ra0, double dec0, double radius, uint64_t *s)
{
    double top = sin(radius * RADIANS / 2.0);
    for (size_t i = 0; i < n; i++) {
        double ra, dec, d = 2.0 * asin(sqrt(sim_random(s)) * top) / RADIANS;
        offset(ra0, dec0, d, 2.0 * SIM_PI * sim_random(s), &ra, &dec);
        add_printed(sky, ra, dec);
    }
}

static void add_plane(sim_sky *sky, size_t n, uint64_t *s)
{
    /* Galactic pole and node, J2000 (Hipparcos catalogue, volume 1, section 1.5.3). */
    double pole_ra = 192.85948, pole_dec = 27.12825, l_pole = 122.93192;
    for (size_t i = 0; i < n; i++) {
        double b = -6.0 * log(1.0 - sim_random(s)), ra, dec;
        if (b > 90.0) {
            i--;
            continue;
        }
        b = sim_random(s) < 0.5 ? -b : b;
        offset(pole_ra, pole_dec, 90.0 - b, (l_pole - 360.0 * sim_random(s)) * RADIANS, &ra, &dec);
        add_printed(sky, ra, dec);
    }
}

/* Lognormal field of 1.3: a Gaussian field of plane waves, rejection below its 3.5 sigma. */
static void add_lognormal(sim_sky *sky, size_t n, uint64_t *s)
{
    enum { WAVES = 60 };
    double k[WAVES][3], phase[WAVES];
    for (int w = 0; w < WAVES; w++) {
        double scale = 2.0 * pow(15.0, sim_random(s));
        phase[w] = 2.0 * SIM_PI * sim_random(s);
        for (int x = 0; x < 3; x++)
            k[w][x] = scale * gauss(s);
    }
    for (size_t i = 0; i < n;) {
        double ra = 360.0 * sim_random(s), dec = asin(2.0 * sim_random(s) - 1.0) / RADIANS, v[3];
        unit(ra, dec, v);
        double g = 0.0;
        for (int w = 0; w < WAVES; w++)
            g += cos(k[w][0] * v[0] + k[w][1] * v[1] + k[w][2] * v[2] + phase[w]);
        g *= sqrt(2.0 / WAVES);
        if (sim_random(s) < exp(1.3 * (g - 3.0))) {
            add_printed(sky, ra, dec);
            i++;
        }
    }
}

sim_sky *sim_sky_new(const char *name, double scale, uint64_t seed)
{
    uint64_t s = 20261120 + seed;
    hal_err err = HAL_ERR_INIT;
    sim_sky *sky = NULL;
    if (!strcmp(name, "even")) {
        sky = sky_begin("even", hal_region_all(&err));
        add_even(sky, (size_t)(1e6 * scale), &s);
        static const double ends[9][2] = {{0, 90},  {123.456, 90},  {359.9, 90},
                                          {0, -90}, {123.456, -90}, {359.9, -90},
                                          {0, 10},  {0, -45},       {359.9999999, 20.5}};
        for (int i = 0; i < 9; i++)
            sim_sky_add(sky, ends[i][0], ends[i][1], ends[i][0], ends[i][1]);
    } else if (!strcmp(name, "plane")) {
        sky = sky_begin("plane", hal_region_all(&err));
        add_even(sky, (size_t)(150000 * scale), &s);
        add_plane(sky, (size_t)(850000 * scale), &s);
    } else if (!strcmp(name, "clumpy")) {
        sky = sky_begin("clumpy", hal_region_all(&err));
        add_lognormal(sky, (size_t)(800000 * scale), &s);
        for (int c = 0; c < 40; c++)
            add_disc(sky, (size_t)(5000 * scale), 360.0 * sim_random(&s),
                     asin(2.0 * sim_random(&s) - 1.0) / RADIANS, 0.2 * pow(10.0, sim_random(&s)),
                     &s);
    } else if (!strcmp(name, "globular")) {
        sky = sky_begin("globular", hal_region_circle(201.7, -47.5, 5.0, &err));
        add_disc(sky, (size_t)(500000 * scale), 201.7, -47.5, 8.0, &s);
        add_disc(sky, (size_t)(60000 * scale), 202.3, -46.6, 1.0 / 60.0, &s);
    } else if (!strcmp(name, "polar")) {
        sky = sky_begin("polar", hal_region_circle(0, 90, 30.0, &err));
        add_disc(sky, (size_t)(600000 * scale), 0, 90, 34.5, &s);
    } else if (!strcmp(name, "wrap")) {
        sky = sky_begin("wrap", hal_region_circle(0.3, 12.0, 10.0, &err));
        add_disc(sky, (size_t)(640000 * scale), 0.3, 12.0, 12.0, &s);
    } else if (!strcmp(name, "empty")) {
        sky = sky_begin("empty", hal_region_all(&err));
        add_even(sky, 501, &s); /* the design's 500 is a round number, which is doubted */
    } else {
        abort();
    }
    sim_sky_index(sky);
    return sky;
}
