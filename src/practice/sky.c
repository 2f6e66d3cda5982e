/* SPDX-License-Identifier: BSD-3-Clause */
#include "practice/sky.h"

#include "base/alloc.h"
#include "sky/angle.h"
#include "sky/healpix.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define RAD (3.14159265358979323846 / 180.0)
#define CELL_AREA_DEG2 (41252.961249419275 / (double)HAL_SKY_CELLS)

/* Members are drawn from a King (1962) profile: core and tidal radius. */
typedef struct cluster_model {
    const char *name;
    double ra_deg, dec_deg;
    uint32_t n_members;
    double core_deg, tidal_deg, parallax_mas, pmra_mas_yr, pmdec_mas_yr;
} cluster_model;

static const cluster_model models[] = {
    {"NGC 5139", 201.697, -47.4795, 750000, 0.0395, 0.80, 0.193, -3.25, -6.75},
    {"NGC 104", 6.023625, -72.081283, 180000, 0.0060, 0.70, 0.232, 5.25, -2.58},
    {"M 13", 250.423475, 36.461319, 60000, 0.0103, 0.35, 0.139, -3.15, -2.57},
    {"M 22", 279.09975, -23.90475, 90000, 0.0222, 0.50, 0.306, 9.85, -5.61},
    {"M 15", 322.493042, 12.167001, 45000, 0.0023, 0.36, 0.095, -0.66, -3.80},
    {"M 4", 245.89675, -26.52575, 50000, 0.0193, 0.86, 0.540, -12.51, -19.02},
    {"M 45", 56.75, 24.1167, 1400, 0.70, 5.0, 7.37, 19.99, -45.55},
    {"M 44", 130.1, 19.6667, 1000, 0.60, 3.0, 5.40, -36.05, -12.92},
    {"M 67", 132.825, 11.8, 1500, 0.10, 0.80, 1.16, -10.97, -2.94},
    {"NGC 869", 34.75, 57.1333, 3000, 0.12, 0.60, 0.42, -0.69, -1.08},
    {"NGC 884", 35.6, 57.15, 3000, 0.12, 0.60, 0.42, -0.60, -1.07},
};
enum { N_CLUSTERS = sizeof models / sizeof models[0], PROFILE_STEPS = 2048 };
_Static_assert((int)N_CLUSTERS <= (int)HAL_SKY_CLUSTERS_MAX,
               "a cell keeps a span for every cluster");

typedef struct member {
    uint64_t pixel29;
    int64_t ra_units, dec_units;
    uint64_t key;
} member;

typedef struct cluster {
    atomic_bool ready;
    member *members; /* sorted by pixel29 */
    double centre[3], reach_cos;
} cluster;

struct hal_sky {
    uint64_t seed;
    pthread_mutex_t making;
    cluster clusters[N_CLUSTERS];
};

static void unit_vector(double ra_deg, double dec_deg, double v[3])
{
    v[0] = cos(dec_deg * RAD) * cos(ra_deg * RAD);
    v[1] = cos(dec_deg * RAD) * sin(ra_deg * RAD);
    v[2] = sin(dec_deg * RAD);
}

hal_sky *hal_sky_new(uint64_t seed, hal_err *err)
{
    hal_sky *sky = hal_calloc(1, sizeof *sky);
    if (!sky) {
        hal_err_nomem(err, sizeof *sky);
        return NULL;
    }
    sky->seed = hal_mix(seed);
    pthread_mutex_init(&sky->making, NULL);
    for (int i = 0; i < N_CLUSTERS; i++) {
        unit_vector(models[i].ra_deg, models[i].dec_deg, sky->clusters[i].centre);
        double reach = models[i].tidal_deg + hal_healpix_radius_deg(HAL_SKY_ORDER) + 0.001;
        sky->clusters[i].reach_cos = cos(reach * RAD);
    }
    return sky;
}

void hal_sky_free(hal_sky *sky)
{
    if (!sky)
        return;
    for (int i = 0; i < N_CLUSTERS; i++)
        hal_free(sky->clusters[i].members);
    pthread_mutex_destroy(&sky->making);
    hal_free(sky);
}

uint64_t hal_sky_seed(const hal_sky *sky)
{
    return sky->seed;
}

double hal_normal(uint64_t key, uint64_t stream)
{
    uint64_t r = hal_mix(key + stream * UINT64_C(0xa0761d6478bd642f));
    int64_t sum = 0;
    for (int i = 0; i < 4; i++)
        sum += (int64_t)(r >> (16 * i) & 0xffff);
    return ((double)sum - 131070.0) / 37837.2; /* sd of four 16-bit uniforms */
}

uint32_t hal_poisson(double mean, uint64_t key)
{
    if (mean > 30) {
        double n = mean + sqrt(mean) * hal_normal(key, 1) + 0.5;
        return n < 0 ? 0 : (uint32_t)n;
    }
    double left = hal_unit(key, 2), p = exp(-mean);
    uint32_t n = 0;
    while (left > p && n < 200) {
        left -= p;
        p *= mean / ++n;
    }
    return n;
}

/* Exponential discs and a halo against galactic latitude, a bulge with a dust lane, the two
 * Magellanic Clouds: a caricature that has the range of the real sky, 1,800 to 500,000. */
static double density_at(const double v[3])
{
    /* Rows of the ICRS to galactic rotation, Hipparcos catalogue vol. 1, section 1.5.3. */
    double x = -0.0548755604 * v[0] - 0.8734370902 * v[1] - 0.4838350155 * v[2];
    double y = 0.4941094279 * v[0] - 0.4448296300 * v[1] + 0.7469822445 * v[2];
    double z = -0.8676661490 * v[0] - 0.1980763734 * v[1] + 0.4559837762 * v[2];
    double b = fabs(asin(fmax(-1, fmin(1, z)))) / RAD;
    double l = fabs(atan2(y, x)) / RAD;
    double toward = x / fmax(1e-9, sqrt(x * x + y * y)); /* cos l */
    double rho = 1800 + 20000 * exp(-b / 18) * (0.6 + 0.4 * toward) +
                 160000 * exp(-b / 9) * (0.725 + 0.275 * toward);
    if (l < 40 && b < 25)
        rho += 250000 * exp(-(l * l / 64 + b * b / 25));
    if (b < 5)
        rho *= 1 - 0.5 * exp(-b * b);
    static const struct {
        double ra_deg, dec_deg, peak, scale_deg;
    } clouds[] = {{80.9, -69.75, 90000, 2.2}, {13.2, -72.8, 35000, 1.0}};
    if (v[2] < -0.85)
        for (int i = 0; i < 2; i++) {
            double c[3];
            unit_vector(clouds[i].ra_deg, clouds[i].dec_deg, c);
            double gap = 1 - (c[0] * v[0] + c[1] * v[1] + c[2] * v[2]); /* ~ d^2/2 */
            double s = clouds[i].scale_deg * RAD;
            rho += clouds[i].peak * exp(-gap / (s * s));
        }
    return rho;
}

double hal_sky_density(double ra_deg, double dec_deg)
{
    double v[3];
    unit_vector(ra_deg, dec_deg, v);
    return density_at(v);
}

/* Surface density of King (1962), up to a factor. */
static double king(double r, const cluster_model *m)
{
    double t = m->tidal_deg / m->core_deg, x = r / m->core_deg;
    double f = 1 / sqrt(1 + x * x) - 1 / sqrt(1 + t * t);
    return f * f;
}

static int by_pixel(const void *a, const void *b)
{
    const member *x = a, *y = b;
    if (x->pixel29 != y->pixel29)
        return x->pixel29 < y->pixel29 ? -1 : 1;
    return x->key < y->key ? -1 : x->key > y->key;
}

static void to_units(double ra_deg, double dec_deg, int64_t *ra_units, int64_t *dec_units)
{
    *ra_units = llround(ra_deg * HAL_SKY_UNITS_PER_DEG);
    if (*ra_units >= (int64_t)(360 * HAL_SKY_UNITS_PER_DEG))
        *ra_units = 0;
    *dec_units = llround(dec_deg * HAL_SKY_UNITS_PER_DEG);
}

static void place(const cluster_model *m, double r_deg, double angle, member *out)
{
    double d0 = m->dec_deg * RAD, r = r_deg * RAD;
    double sin_dec = sin(d0) * cos(r) + cos(d0) * sin(r) * cos(angle);
    double east = sin(r) * sin(angle) * cos(d0), north = cos(r) - sin(d0) * sin_dec;
    double ra = hal_ra_canonical(m->ra_deg + atan2(east, north) / RAD);
    double dec = asin(sin_dec) / RAD;
    to_units(ra, dec, &out->ra_units, &out->dec_units);
    out->pixel29 = hal_healpix_index(29, (double)out->ra_units / HAL_SKY_UNITS_PER_DEG,
                                     (double)out->dec_units / HAL_SKY_UNITS_PER_DEG);
}

static member *make_members(const hal_sky *sky, int i, hal_err *err)
{
    const cluster_model *m = &models[i];
    member *members = hal_malloc(m->n_members * sizeof *members);
    if (!members) {
        hal_err_nomem(err, m->n_members * sizeof *members);
        return NULL;
    }
    double sum[PROFILE_STEPS + 1];
    sum[0] = 0;
    for (int k = 0; k < PROFILE_STEPS; k++) {
        /* Quadratic steps: finer where the core is. */
        double lo = m->tidal_deg * k * k / (PROFILE_STEPS * (double)PROFILE_STEPS);
        double hi = m->tidal_deg * (k + 1) * (k + 1) / (PROFILE_STEPS * (double)PROFILE_STEPS);
        double mid = (lo + hi) / 2;
        sum[k + 1] = sum[k] + king(mid, m) * mid * (hi - lo);
    }
    for (uint32_t n = 0; n < m->n_members; n++) {
        uint64_t key = hal_mix(sky->seed ^ ((uint64_t)(i + 1) << 40 | n));
        double want = hal_unit(key, 11) * sum[PROFILE_STEPS];
        int lo = 0, hi = PROFILE_STEPS;
        while (hi - lo > 1) {
            int k = (lo + hi) / 2;
            if (sum[k] <= want)
                lo = k;
            else
                hi = k;
        }
        double k = lo + (want - sum[lo]) / (sum[lo + 1] - sum[lo]);
        place(m, m->tidal_deg * k * k / (PROFILE_STEPS * (double)PROFILE_STEPS),
              2 * 3.14159265358979323846 * hal_unit(key, 12), &members[n]);
        members[n].key = key;
    }
    qsort(members, m->n_members, sizeof *members, by_pixel);
    return members;
}

/* First member at or after the first pixel of a cell. */
static uint32_t lower_bound(int i, const member *members, uint64_t cell)
{
    uint64_t pixel = cell << 2 * (29 - HAL_SKY_ORDER);
    uint32_t lo = 0, hi = models[i].n_members;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (members[mid].pixel29 < pixel)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool make_ready(hal_sky *sky, int i, hal_err *err)
{
    cluster *c = &sky->clusters[i];
    if (atomic_load_explicit(&c->ready, memory_order_acquire))
        return true;
    pthread_mutex_lock(&sky->making);
    if (!c->members)
        c->members = make_members(sky, i, err);
    bool made = c->members;
    atomic_store_explicit(&c->ready, made, memory_order_release);
    pthread_mutex_unlock(&sky->making);
    return made;
}

hal_status hal_sky_open(hal_sky *sky, uint64_t cell, hal_sky_cell *out, hal_err *err)
{
    double ra, dec, v[3];
    hal_healpix_position(HAL_SKY_ORDER, cell, 0.5, 0.5, &ra, &dec);
    unit_vector(ra, dec, v);
    out->cell = cell;
    out->key = hal_mix(sky->seed ^ (cell + 1) * UINT64_C(0x9fb21c651e98df25));
    out->n_field = hal_poisson(density_at(v) * CELL_AREA_DEG2, out->key);
    out->n_stars = out->n_field;
    out->n_spans = 0;
    for (int i = 0; i < N_CLUSTERS; i++) {
        const cluster *c = &sky->clusters[i];
        if (c->centre[0] * v[0] + c->centre[1] * v[1] + c->centre[2] * v[2] < c->reach_cos)
            continue;
        if (!make_ready(sky, i, err))
            return HAL_E_NOMEM;
        uint32_t first = lower_bound(i, c->members, cell);
        uint32_t n = lower_bound(i, c->members, cell + 1) - first;
        if (!n)
            continue;
        out->spans[out->n_spans].cluster = (uint32_t)i;
        out->spans[out->n_spans].first = first;
        out->spans[out->n_spans++].n = n;
        out->n_stars += n;
    }
    return HAL_OK;
}

static void field_star(const hal_sky_cell *cell, uint32_t i, hal_star *out)
{
    uint64_t key = hal_mix(cell->key + i);
    double a = hal_unit(key, 1), b = hal_unit(key, 2), ra, dec;
    hal_healpix_position(HAL_SKY_ORDER, cell->cell, a, b, &ra, &dec);
    out->key = key;
    out->number = i;
    unsigned x = (unsigned)(a * 8), y = (unsigned)(b * 8), in_cell = 0;
    for (int bit = 0; bit < 3; bit++)
        in_cell |= (x >> bit & 1) << 2 * bit | (y >> bit & 1) << (2 * bit + 1);
    out->pixel12 = cell->cell << 6 | in_cell;
    to_units(ra, dec, &out->ra_units, &out->dec_units);
    out->rank = (i + hal_unit(key, 3)) / cell->n_field;
    out->cluster = -1;
}

void hal_sky_star(const hal_sky *sky, const hal_sky_cell *cell, uint32_t i, hal_star *out)
{
    out->cell = cell->cell;
    if (i < cell->n_field) {
        field_star(cell, i, out);
        return;
    }
    i -= cell->n_field;
    int s = 0;
    while (i >= cell->spans[s].n)
        i -= cell->spans[s++].n;
    uint32_t k = cell->spans[s].cluster, n = cell->spans[s].first + i;
    const member *m = &sky->clusters[k].members[n];
    out->number = (k + 1) * HAL_SKY_MEMBER + n;
    out->key = m->key;
    out->pixel12 = m->pixel29 >> 34;
    out->ra_units = m->ra_units;
    out->dec_units = m->dec_units;
    out->rank = hal_unit(m->key, 3);
    out->cluster = (int)k;
}

void hal_star_physics_of(const hal_star *star, hal_star_physics *out)
{
    uint64_t key = star->key;
    /* Counts grow by a factor of ten in three magnitudes; the faintest star is at G = 21. */
    out->g_mag = fmax(1.5, 21 + 3 * log10(star->rank));
    out->bp_rp = 0.55 + 0.045 * out->g_mag + 0.28 * hal_normal(key, 21);
    double spread = hal_normal(key, 22);
    if (star->cluster >= 0) {
        const cluster_model *m = &models[star->cluster];
        out->parallax_mas = m->parallax_mas;
        out->pmra_mas_yr = m->pmra_mas_yr + 0.4 * spread;
        out->pmdec_mas_yr = m->pmdec_mas_yr + 0.4 * hal_normal(key, 23);
        return;
    }
    /* Brighter stars are nearer on average; motions scale with the parallax (30 km/s). */
    out->parallax_mas = exp((15.0 - out->g_mag) * 0.25 + 0.8 * spread);
    double speed = 6.3 * out->parallax_mas;
    out->pmra_mas_yr = fmax(-1000, fmin(1000, speed * hal_normal(key, 23)));
    out->pmdec_mas_yr = fmax(-1000, fmin(1000, speed * hal_normal(key, 24) - 1.5));
}
