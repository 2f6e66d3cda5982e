/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim.h"

#include "sky/angle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RADIANS 0.017453292519943295
#define SIM_PI 3.141592653589793

enum { BANDS = 3600, SIM_WINDOW_MAX = 8 };

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
    *r = (sim_row){ra, dec, hal_ra_canonical(sel_ra), sel_dec, {0}};
    unit(r->sel_ra, sel_dec, r->v);
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

static int by_band_and_ra(const void *a, const void *b)
{
    const sim_row *x = a, *y = b;
    int bx = band_of(x->sel_dec), by = band_of(y->sel_dec);
    if (bx != by)
        return bx < by ? -1 : 1;
    return (x->sel_ra > y->sel_ra) - (x->sel_ra < y->sel_ra);
}

void sim_sky_index(sim_sky *sky)
{
    if (sky->n_row)
        qsort(sky->row, sky->n_row, sizeof *sky->row, by_band_and_ra);
    sky->band = calloc(BANDS + 1, sizeof *sky->band);
    if (!sky->band)
        abort();
    sky->n_inside = 0;
    for (size_t i = 0; i < sky->n_row; i++) {
        sky->band[band_of(sky->row[i].sel_dec) + 1]++;
        sky->n_inside += hal_region_contains(sky->region, sky->row[i].ra, sky->row[i].dec);
    }
    for (int b = 0; b < BANDS; b++)
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
        add_even(sky, 500, &s);
    } else {
        abort();
    }
    sim_sky_index(sky);
    return sky;
}

/* ---- the archive ---- */

typedef struct found {
    uint32_t *row;
    size_t n, cap;
} found;

static void found_add(found *f, size_t i)
{
    if (f->n == f->cap) {
        f->cap = f->cap ? 2 * f->cap : 256;
        f->row = realloc(f->row, f->cap * sizeof *f->row);
        if (!f->row)
            abort();
    }
    f->row[f->n++] = (uint32_t)i;
}

static size_t first_at_or_after(const sim_sky *sky, int band, double ra)
{
    size_t lo = sky->band[band], hi = sky->band[band + 1];
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (sky->row[mid].sel_ra < ra)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

typedef struct wanted {
    bool box;
    double ra_min, ra_max, dec_min, dec_max; /* closed */
    double v[3], chord2;
} wanted;

static bool matches(const wanted *w, const sim_row *r)
{
    if (w->box) {
        bool ra = w->ra_min <= w->ra_max ? r->sel_ra >= w->ra_min && r->sel_ra <= w->ra_max
                                         : r->sel_ra >= w->ra_min || r->sel_ra <= w->ra_max;
        return ra && r->sel_dec >= w->dec_min && r->sel_dec <= w->dec_max;
    }
    double x = w->v[0] - r->v[0], y = w->v[1] - r->v[1], z = w->v[2] - r->v[2];
    return x * x + y * y + z * z <= w->chord2;
}

static void select_range(const sim_sky *sky, const wanted *w, double ra_min, double ra_max,
                         found *f)
{
    for (int b = band_of(w->dec_min); b <= band_of(w->dec_max); b++)
        for (size_t i = first_at_or_after(sky, b, ra_min);
             i < sky->band[b + 1] && sky->row[i].sel_ra <= ra_max; i++)
            if (matches(w, &sky->row[i]))
                found_add(f, i);
}

static void archive_select(const sim_sky *sky, const hal_ask *ask, found *f)
{
    wanted w = {.box = ask->as_box};
    f->n = 0;
    if (w.box) {
        w.ra_min = ask->ra_min_deg;
        w.ra_max = ask->ra_max_deg;
        w.dec_min = ask->dec_min_deg;
        w.dec_max = ask->dec_max_deg;
    } else {
        hal_cone c = ask->cone;
        double h = 2.0 * sin(c.radius_deg * RADIANS / 2.0);
        unit(c.ra_deg, c.dec_deg, w.v);
        w.chord2 = h * h;
        w.dec_min = c.dec_deg - c.radius_deg - 1e-9;
        w.dec_max = c.dec_deg + c.radius_deg + 1e-9;
        w.ra_min = 0.0;
        w.ra_max = 360.0;
        if (w.dec_min > -90.0 && w.dec_max < 90.0) {
            double half =
                asin(fmin(1.0, sin(c.radius_deg * RADIANS) / cos(c.dec_deg * RADIANS))) / RADIANS +
                1e-9;
            w.ra_min = hal_ra_canonical(c.ra_deg - half);
            w.ra_max = hal_ra_canonical(c.ra_deg + half);
        }
    }
    if (w.ra_min <= w.ra_max) {
        select_range(sky, &w, w.ra_min, w.ra_max, f);
    } else {
        select_range(sky, &w, w.ra_min, 360.0, f);
        select_range(sky, &w, 0.0, w.ra_max, f);
    }
}

/* ---- the driver ---- */

static double beyond(const hal_ask *ask, const sim_row *r)
{
    if (!ask->as_box)
        return fmax(0.0, hal_separation_deg(ask->cone.ra_deg, ask->cone.dec_deg, r->ra, r->dec) -
                             ask->cone.radius_deg);
    double dec = fmax(0.0, fmax(ask->dec_min_deg - r->dec, r->dec - ask->dec_max_deg));
    double ra = hal_ra_canonical(r->ra), lo = ask->ra_min_deg, hi = ask->ra_max_deg;
    if (lo <= hi ? ra >= lo && ra <= hi : ra >= lo || ra <= hi)
        return dec;
    double west = hal_ra_canonical(lo - ra), east = hal_ra_canonical(ra - hi);
    return hypot(dec, fmin(west, east) * cos(r->dec * RADIANS));
}

typedef struct flight {
    hal_ask ask;
    double until_s;
    bool fault;
} flight;

typedef struct run {
    const sim_sky *sky;
    const sim_setup *setup;
    hal_plan *plan;
    sim_report *report;
    found found;
    flight flight[SIM_WINDOW_MAX];
    int n_flight;
    double now_s;
    uint64_t random;
} run;

static int64_t ns(double s)
{
    return (int64_t)(s * 1e9);
}

static uint64_t mix(uint64_t h, uint64_t x)
{
    return (h ^ x) * UINT64_C(0x9e3779b97f4a7c15) + (h >> 29);
}

static void log_ask(sim_report *r, const hal_ask *a)
{
    uint64_t part[8] = {(uint64_t)a->kind,        (uint64_t)a->attempt,
                        (uint64_t)a->tile.ra,     (uint64_t)a->tile.width,
                        (uint64_t)a->tile.dec_lo, (uint64_t)a->tile.dec_hi};
    memcpy(&part[6], &a->cone.ra_deg, 8);
    memcpy(&part[7], &a->cone.radius_deg, 8);
    for (int i = 0; i < 8; i++)
        r->ask_digest = mix(r->ask_digest, part[i]);
}

static uint64_t archive_cap(const sim_setup *s)
{
    return s->archive_cap ? s->archive_cap : s->service.cap - 1;
}

static void depart(run *t, const hal_ask *ask)
{
    flight *f = &t->flight[t->n_flight++];
    *f = (flight){.ask = *ask};
    log_ask(t->report, ask);
    f->fault = sim_random(&t->random) < t->setup->fault_rate ||
               (t->now_s >= t->setup->outage_from_s && t->now_s < t->setup->outage_to_s);
    double took = 0.5;
    if (ask->kind != HAL_ASK_COUNT && !f->fault) {
        archive_select(t->sky, ask, &t->found);
        took = t->found.n > archive_cap(t->setup)
                   ? 2.0
                   : 1.0 + (double)t->found.n / (double)archive_cap(t->setup);
    }
    f->until_s = t->now_s + took;
}

static void deliver(run *t, const hal_ask *ask)
{
    hal_err err = HAL_ERR_INIT;
    found *f = &t->found;
    uint64_t kept = 0, most = archive_cap(t->setup);
    double overshoot = 0.0;
    hal_tile tile = ask->tile;
    if (t->setup->ignores_region) {
        f->n = 0;
        for (size_t i = 0; i < t->sky->n_row; i++)
            found_add(f, i);
    }
    if (f->n > most && t->setup->over == SIM_TRUNCATE)
        f->n = most;
    if (f->n > most) {
        hal_verdict v = t->setup->over == SIM_FLAG ? HAL_VERDICT_OVER : HAL_VERDICT_AMBIGUOUS;
        if (hal_plan_failed(t->plan, ask->id, v, ns(t->now_s), NULL, &err))
            abort();
        return;
    }
    size_t n_mine = 0;
    for (size_t k = 0; k < f->n; k++) {
        const sim_row *r = &t->sky->row[f->row[k]];
        overshoot = fmax(overshoot, beyond(ask, r));
        if (hal_tile_owns(&tile, r->ra, r->dec) &&
            hal_region_contains(t->sky->region, r->ra, r->dec))
            f->row[n_mine++] = f->row[k];
    }
    kept = n_mine;
    bool accepted;
    t->report->moved += f->n;
    if (hal_plan_complete(t->plan, ask->id, f->n, kept, overshoot, &accepted, &err)) {
        t->report->error = err;
        return;
    }
    for (size_t k = 0; accepted && k < n_mine; k++) {
        unsigned char *n = &t->report->kept[f->row[k]];
        *n = (unsigned char)(*n + (*n < 255));
    }
}

static void arrive(run *t)
{
    int k = 0;
    for (int i = 1; i < t->n_flight; i++)
        if (t->flight[i].until_s < t->flight[k].until_s)
            k = i;
    if (t->setup->shuffle)
        k = (int)(sim_random(&t->random) * t->n_flight);
    flight f = t->flight[k];
    t->flight[k] = t->flight[--t->n_flight];
    t->now_s = fmax(t->now_s, f.until_s);
    hal_err err = HAL_ERR_INIT;
    if (f.fault) {
        if (hal_plan_failed(t->plan, f.ask.id, HAL_VERDICT_AMBIGUOUS, ns(t->now_s), NULL, &err))
            abort();
        return;
    }
    archive_select(t->sky, &f.ask, &t->found);
    if (f.ask.kind != HAL_ASK_COUNT)
        deliver(t, &f.ask);
    else if (hal_plan_counted(t->plan, f.ask.id, t->found.n, &err))
        abort();
}

static double cpu_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static hal_next timed_next(run *t, hal_ask *ask, int64_t *until_ns)
{
    double from = cpu_s();
    hal_next next = hal_plan_next(t->plan, ns(t->now_s), ask, until_ns);
    double took = cpu_s() - from;
    t->report->planning_s += took;
    t->report->planning_worst_s = fmax(t->report->planning_worst_s, took);
    return next;
}

sim_report sim_run(const sim_sky *sky, const sim_setup *setup)
{
    sim_report report = {.error = HAL_ERR_INIT};
    hal_err err = HAL_ERR_INIT;
    run t = {.sky = sky, .setup = setup, .report = &report, .random = setup->seed + 1};
    report.kept = calloc(sky->n_row + 1, 1);
    t.plan = hal_plan_new(&setup->service, sky->region, &setup->options, &err);
    if (!t.plan || !report.kept)
        abort();
    hal_next next;
    hal_ask ask;
    int64_t until_ns;
    while ((next = timed_next(&t, &ask, &until_ns)) != HAL_NEXT_DONE) {
        if (next == HAL_NEXT_ASK) {
            if (t.n_flight == SIM_WINDOW_MAX)
                abort();
            depart(&t, &ask);
        } else if (t.n_flight > 0) {
            arrive(&t);
        } else if (until_ns == INT64_MAX) {
            abort(); /* waits for nothing */
        } else {
            t.now_s = (double)(until_ns + 1) * 1e-9;
            report.n_waited++;
        }
    }
    report.makespan_s = t.now_s;
    hal_plan_account(t.plan, &report.account);
    if (hal_plan_error(t.plan, &err))
        report.error = err;
    const char *why;
    hal_tile tile;
    while (hal_plan_stuck(t.plan, report.n_stuck, &tile, &why)) {
        if (report.n_stuck < sizeof report.stuck / sizeof *report.stuck)
            report.stuck[report.n_stuck] = tile;
        report.n_stuck++;
    }
    for (size_t i = 0; i < sky->n_row; i++) {
        bool inside = hal_region_contains(sky->region, sky->row[i].ra, sky->row[i].dec);
        report.n_in_region += inside;
        report.n_lost += inside && report.kept[i] == 0;
        report.n_twice += report.kept[i] > 1;
        report.n_foreign += !inside && report.kept[i];
        report.kept_digest = mix(report.kept_digest, report.kept[i]);
    }
    hal_plan_free(t.plan);
    free(t.found.row);
    return report;
}

void sim_report_clear(sim_report *r)
{
    free(r->kept);
    r->kept = NULL;
}
