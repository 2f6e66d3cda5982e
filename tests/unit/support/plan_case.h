/* SPDX-License-Identifier: BSD-3-Clause */
/* Random cases for the property "every row exactly once": a service, a region, a sky and what goes
 * wrong on the way. A case is plain numbers and one text, so that it can be printed as a C
 * initialiser, simplified field by field and run again. Rows of one kind come from a stream of
 * their own: fewer of them are the first of the same ones. */
#ifndef HAL_TESTS_PLAN_CASE_H
#define HAL_TESTS_PLAN_CASE_H

#include "sim.c"

#include <stdarg.h>
#include <stdio.h>

typedef enum case_form {
    FORM_BOX,
    FORM_CONE,
    FORM_BOX_OR_CONE,
    FORM_CENTRES,        /* footprints with ranges on their centres */
    FORM_OUTLINE_COLUMN, /* footprints with another column */
    FORM_OUTLINES,       /* footprints with cones alone */
    FORM_COLUMN,         /* no position */
    FORM_KEY,            /* nothing but pages */
    FORMS_OF_CASE
} case_form;

typedef enum case_over {
    OVER_RESET,
    OVER_FLAG,
    OVER_COUNT,  /* cut at the limit on record */
    OVER_SILENT, /* cut at a limit that is not on record */
    OVER_TIMEOUT,
    OVERS_OF_CASE
} case_over;

typedef struct plan_case {
    uint64_t seed;
    char region[640];
    /* the sky: rows of each kind, most of them about the region */
    int even, band, clumps, spike, borders, pile, everywhere;
    double unplaced; /* part of the rows */
    /* the service */
    case_form form;
    case_over over;
    int cap;          /* rows an answer holds */
    double told;      /* the cap on record, in caps; 0: none */
    int decimals;     /* of printed positions; < 0: full doubles */
    bool prints_only; /* selects on what it prints */
    double guard_arcsec, radius_max_deg, outline_deg;
    int radius_decimals;
    bool counts, histogram, null_test;
    bool column, column_rounded, column_null_test, column_bounds;
    int column_decimals;
    double column_nulls; /* part of the rows */
    bool order_key, key_unique;
    /* the caller */
    bool known_rows;
    int priors, requests_max;
    /* the way */
    double latency_s, resets, busy, refused, outage_from_s, outage_s;
} plan_case;

static inline double draw(uint64_t *s, double lo, double hi)
{
    return lo + (hi - lo) * sim_random(s);
}

static inline double draw_log(uint64_t *s, double lo, double hi)
{
    return lo * pow(hi / lo, sim_random(s));
}

static inline bool chance(uint64_t *s, double p)
{
    return sim_random(s) < p;
}

static inline int pick(uint64_t *s, int n)
{
    return (int)(sim_random(s) * n);
}

/* ---- regions ---- */

static inline void write_text(char *text, size_t size, const char *fmt, ...) HAL_PRINTF(3, 4);
static inline void write_text(char *text, size_t size, const char *fmt, ...)
{
    size_t n = strlen(text);
    va_list args;
    va_start(args, fmt);
    vsnprintf(text + n, size - n, fmt, args);
    va_end(args);
}

static inline double short_number(double x, int decimals)
{
    double scale = pow(10.0, decimals);
    return round(x * scale) / scale;
}

static inline void write_shape(char *text, size_t size, uint64_t *s, double ra, double dec,
                               double r)
{
    switch (pick(s, 5)) {
    case 0:
        write_text(text, size, "CIRCLE %.15g %.15g %.15g", ra, dec, fmin(180.0, r));
        break;
    case 1:
        write_text(text, size, "ELLIPSE %.15g %.15g %.15g %.15g %.15g", ra, dec, fmin(r, 80.0),
                   fmin(80.0, r * draw(s, 0.05, 1.0)), short_number(draw(s, 0.0, 360.0), 1));
        break;
    case 2: {
        double wide = fmin(359.0, 2.0 * r / fmax(0.02, cos(dec * RADIANS)));
        write_text(text, size, "RANGE %.15g %.15g %.15g %.15g",
                   short_number(hal_ra_canonical(ra - wide / 2.0), 6),
                   short_number(hal_ra_canonical(ra + wide / 2.0), 6),
                   short_number(fmax(-90.0, dec - r), 6), short_number(fmin(90.0, dec + r), 6));
        break;
    }
    case 3: {
        int n = 3 + pick(s, 6);
        write_text(text, size, "POLYGON");
        for (int i = 0; i < n; i++) { /* a star round the middle: edges do not cross */
            double x, y;
            offset(ra, dec, fmin(85.0, r) * draw(s, 0.4, 1.0), 2.0 * SIM_PI * i / n, &x, &y);
            write_text(text, size, " %.7f %.7f", hal_ra_canonical(x), y);
        }
        break;
    }
    default: {
        int order = (int)fmax(0.0, fmin(12.0, ceil(log2(60.0 / r))));
        write_text(text, size, "MOC %d/", order);
        for (int i = 0; i < 12; i++) {
            double x, y;
            offset(ra, dec, r * sqrt(sim_random(s)), 2.0 * SIM_PI * sim_random(s), &x, &y);
            write_text(text, size, "%s%llu", i ? " " : "",
                       (unsigned long long)hal_healpix_index(order, hal_ra_canonical(x), y));
        }
    }
    }
}

static inline hal_region *region_of(const char *text)
{
    hal_err err = HAL_ERR_INIT;
    return hal_region_parse(hal_slice_of(text), &err);
}

/* Any form; about one in eight crosses ra = 0, one in eight holds a pole or touches it. */
static inline void random_region_text(char *text, size_t size, uint64_t *s)
{
    static const char *const sets[] = {"UNION", "INTERSECTION", "DIFFERENCE"};
    do {
        double r = short_number(draw_log(s, 0.003, 120.0), 5);
        double ra = short_number(draw(s, 0.0, 360.0), 4);
        double dec = short_number(asin(draw(s, -1.0, 1.0)) / RADIANS, 4);
        if (chance(s, 0.12))
            ra = short_number(hal_ra_canonical(r * draw(s, -1.0, 1.0)), 4);
        if (chance(s, 0.12))
            dec =
                (chance(s, 0.5) ? 1 : -1) * short_number(90.0 - fmin(90.0, r * draw(s, 0, 1.2)), 4);
        text[0] = '\0';
        double what = sim_random(s);
        if (what < 0.1) {
            write_text(text, size, "ALL");
        } else if (what < 0.65) {
            write_shape(text, size, s, ra, dec, r);
        } else if (what < 0.7) {
            write_text(text, size, "NOT (");
            write_shape(text, size, s, ra, dec, r);
            write_text(text, size, ")");
        } else {
            write_text(text, size, "%s (", sets[pick(s, 3)]);
            for (int k = 0; k < 2; k++) {
                double x, y;
                offset(ra, dec, fmin(170.0, r * draw(s, 0.0, 2.0)), draw(s, 0.0, 6.3), &x, &y);
                write_text(text, size, " ");
                write_shape(text, size, s, hal_ra_canonical(x), y, r * draw(s, 0.3, 1.2));
            }
            write_text(text, size, " )");
        }
        hal_region *region = region_of(text);
        hal_region_unref(region);
        if (region)
            return;
    } while (true);
}

/* ---- cases ---- */

static inline void random_service(plan_case *c, uint64_t *s)
{
    static const int round_caps[] = {1000, 1024, 2000, 2048, 4096, 5000, 10000, 100, 200, 500};
    c->form = (case_form)pick(s, FORMS_OF_CASE);
    if (chance(s, 0.3))
        c->form = (case_form)pick(s, 3);
    c->over = (case_over)pick(s, OVERS_OF_CASE);
    c->cap = (int)draw_log(s, 10.0, chance(s, 0.03) ? 100000.0 : 2000.0);
    c->told = chance(s, 0.9) || c->over == OVER_COUNT ? 1.0 : chance(s, 0.5) ? 0.0 : 5.0;
    if (c->over == OVER_SILENT) {
        c->cap = round_caps[pick(s, 10)];
        c->told = chance(s, 0.5) ? 0.0 : draw(s, 1.5, 20.0);
    }
    c->decimals = chance(s, 0.4) ? -1 : 2 + pick(s, 6);
    c->prints_only = chance(s, 0.3);
    c->guard_arcsec = chance(s, 0.7) ? 0.0 : draw_log(s, 0.01, 60.0);
    c->counts = chance(s, 0.3);
    c->histogram = chance(s, 0.25);
    c->null_test = chance(s, 0.6);
    c->radius_decimals = chance(s, 0.6) ? -1 : 1 + pick(s, 6);
    c->column = chance(s, 0.3) || c->form == FORM_OUTLINE_COLUMN || c->form == FORM_COLUMN;
    c->column_decimals = pick(s, 7);
    c->column_rounded = chance(s, 0.5);
    c->column_bounds = chance(s, 0.7);
    c->column_null_test = chance(s, 0.7);
    c->column_nulls = chance(s, 0.5) ? 0.0 : draw_log(s, 0.001, 0.3);
    c->order_key = c->form == FORM_KEY || chance(s, 0.15);
    c->key_unique = chance(s, 0.7);
}

static inline void random_sky(plan_case *c, uint64_t *s)
{
    int most = chance(s, 0.01) ? 200000 : chance(s, 0.1) ? 20000 : 4000;
    int n = (int)fmin(most, c->cap * draw_log(s, 0.2, 40.0));
    int *kinds[] = {&c->even, &c->band, &c->clumps, &c->spike, &c->borders, &c->everywhere};
    if (chance(s, 0.03))
        return;
    for (int k = 0; k < 6; k++)
        if (chance(s, 0.4))
            *kinds[k] = (int)(n * draw(s, 0.0, 1.0));
    if (chance(s, 0.3))
        c->pile = (int)fmin(most, c->cap * draw(s, 0.0, 1.6));
    if (chance(s, 0.3))
        c->unplaced = draw_log(s, 0.001, 0.3);
    if (c->form >= FORM_CENTRES && c->form <= FORM_OUTLINES)
        c->outline_deg = draw_log(s, 0.02, 1.5);
}

static inline plan_case plan_case_random(uint64_t seed)
{
    uint64_t s = seed * UINT64_C(0x2545f4914f6cdd1d) + 1;
    plan_case c = {.seed = seed};
    random_region_text(c.region, sizeof c.region, &s);
    random_service(&c, &s);
    random_sky(&c, &s);
    hal_region *region = region_of(c.region);
    double radius = hal_region_cone(region).radius_deg;
    hal_region_unref(region);
    c.outline_deg = short_number(c.outline_deg * radius, 4);
    if (c.form == FORM_CONE && chance(&s, 0.4))
        c.radius_max_deg = short_number(radius * draw(&s, 0.15, 1.5), 3);
    c.known_rows = chance(&s, 0.1);
    c.priors = chance(&s, 0.15) ? 8 : 0;
    c.requests_max = chance(&s, 0.1) ? 1 + (int)draw_log(&s, 1.0, 100.0) : 0;
    c.latency_s = chance(&s, 0.5) ? 0.0 : draw_log(&s, 0.1, 60.0);
    if (chance(&s, 0.4)) {
        c.resets = chance(&s, 0.4) ? 0.0 : draw(&s, 0.0, 0.2);
        c.busy = chance(&s, 0.6) ? 0.0 : draw(&s, 0.0, 0.2);
        c.refused = chance(&s, 0.6) ? 0.0 : draw(&s, 0.0, 0.2);
    }
    if (chance(&s, 0.1)) {
        c.outage_from_s = draw(&s, 0.0, 100.0);
        c.outage_s = draw_log(&s, 1.0, 600.0);
    }
    return c;
}

static inline void plan_case_print(const plan_case *c)
{
    static const char *const forms[] = {
        "FORM_BOX",      "FORM_CONE",   "FORM_BOX_OR_CONE", "FORM_CENTRES", "FORM_OUTLINE_COLUMN",
        "FORM_OUTLINES", "FORM_COLUMN", "FORM_KEY"};
    static const char *const overs[] = {"OVER_RESET", "OVER_FLAG", "OVER_COUNT", "OVER_SILENT",
                                        "OVER_TIMEOUT"};
    fprintf(stderr, "{.seed = %llu,\n .region = \"%s\",\n", (unsigned long long)c->seed, c->region);
    fprintf(stderr, " .form = %s, .over = %s,", forms[c->form], overs[c->over]);
#define SHOW_INT(field)                                                                            \
    if (c->field)                                                                                  \
        fprintf(stderr, " ." #field " = %d,", (int)c->field);
#define SHOW_DOUBLE(field)                                                                         \
    if (c->field != 0.0)                                                                           \
        fprintf(stderr, " ." #field " = %.17g,", c->field);
    SHOW_INT(cap)
    SHOW_DOUBLE(told)
    SHOW_INT(even)
    SHOW_INT(band)
    SHOW_INT(clumps)
    SHOW_INT(spike)
    SHOW_INT(borders)
    SHOW_INT(pile)
    SHOW_INT(everywhere)
    SHOW_DOUBLE(unplaced)
    SHOW_INT(decimals)
    SHOW_INT(prints_only)
    SHOW_DOUBLE(guard_arcsec)
    SHOW_DOUBLE(radius_max_deg)
    SHOW_DOUBLE(outline_deg)
    SHOW_INT(radius_decimals)
    SHOW_INT(counts)
    SHOW_INT(histogram)
    SHOW_INT(null_test)
    SHOW_INT(column)
    SHOW_INT(column_rounded)
    SHOW_INT(column_null_test)
    SHOW_INT(column_bounds)
    SHOW_INT(column_decimals)
    SHOW_DOUBLE(column_nulls)
    SHOW_INT(order_key)
    SHOW_INT(key_unique)
    SHOW_INT(known_rows)
    SHOW_INT(priors)
    SHOW_INT(requests_max)
    SHOW_DOUBLE(latency_s)
    SHOW_DOUBLE(resets)
    SHOW_DOUBLE(busy)
    SHOW_DOUBLE(refused)
    SHOW_DOUBLE(outage_from_s)
    SHOW_DOUBLE(outage_s)
    fprintf(stderr, "}\n");
#undef SHOW_INT
#undef SHOW_DOUBLE
}

/* ---- skies ---- */

typedef struct sower {
    const plan_case *c;
    sim_sky *sky;
    uint64_t values; /* of columns and keys */
    double scale;    /* of printed positions; 0: full doubles */
    double column_scale;
} sower;

static inline void give_value(sower *w, sim_row *r)
{
    uint64_t *s = &w->values;
    double u = sim_random(s), v = sim_random(s), none = sim_random(s), fine = sim_random(s) - 0.5;
    double value = u < 0.3    ? 5000.0 + 10.0 * v
                   : u < 0.31 ? 1e7 * (v - 0.5)
                   : u < 0.6  ? 4000.0 + floor(50.0 * v)
                              : 4000.0 + 3650.0 * v;
    r->value = round(value * w->column_scale) / w->column_scale;
    r->sel_value = w->c->column_rounded ? r->value + 0.98 * fine / w->column_scale : r->value;
    if (none < w->c->column_nulls)
        r->value = r->sel_value = NAN;
    r->outline_deg = (float)(w->c->outline_deg * sim_random(s));
    if (!w->c->key_unique)
        r->key = (uint32_t)(r->key / (uint32_t)(1 + w->c->cap / 4));
    if (sim_random(s) < w->c->unplaced) {
        r->unplaced = true;
        r->ra = r->dec = NAN;
    }
}

static inline void sow(sower *w, double ra, double dec)
{
    ra = hal_ra_canonical(ra);
    dec = fmax(-90.0, fmin(90.0, dec));
    double p_ra = ra, p_dec = dec;
    if (w->scale > 0.0) {
        p_ra = round(ra * w->scale) / w->scale;
        p_dec = round(dec * w->scale) / w->scale;
    }
    if (w->c->prints_only)
        sim_sky_add(w->sky, p_ra, p_dec, p_ra, p_dec);
    else
        sim_sky_add(w->sky, p_ra, p_dec, ra, dec);
    give_value(w, sim_sky_last(w->sky));
}

/* Places exactly on borders that cuts are likely to use, and on the region's own. */
static inline void sow_borders(sower *w, int n, uint64_t *s)
{
    hal_tile t = hal_region_tile(w->sky->region);
    for (int i = 0; i < n; i++) {
        int64_t step = INT64_C(1) << (1 + pick(s, 9));
        double ra = hal_tick_deg(t.ra + t.width * pick(s, (int)step + 1) / step);
        double dec = hal_tick_deg(t.dec_lo + (t.dec_hi - t.dec_lo) * pick(s, (int)step + 1) / step);
        int also = pick(s, 4); /* a border and anywhere along it, or a corner */
        if (also == 1)
            ra = hal_tick_deg(t.ra) + draw(s, 0.0, hal_tick_deg(t.width));
        if (also == 2)
            dec = draw(s, hal_tick_deg(t.dec_lo), hal_tick_deg(t.dec_hi));
        sow(w, ra, dec);
    }
}

static inline void sow_disc(sower *w, int n, hal_cone c, uint64_t *s)
{
    double top = sin(fmin(180.0, c.radius_deg) * RADIANS / 2.0);
    for (int i = 0; i < n; i++) {
        double ra, dec, d = 2.0 * asin(sqrt(sim_random(s)) * top) / RADIANS;
        offset(c.ra_deg, c.dec_deg, d, 2.0 * SIM_PI * sim_random(s), &ra, &dec);
        sow(w, ra, dec);
    }
}

/* A place in the region's circle, in the region if a few tries find one. */
static inline void spot_in(const hal_region *region, uint64_t *s, double *ra, double *dec)
{
    hal_cone c = hal_region_cone(region);
    for (int k = 0; k < 50; k++) {
        offset(c.ra_deg, c.dec_deg, c.radius_deg * sqrt(sim_random(s)), draw(s, 0.0, 6.3), ra, dec);
        *ra = hal_ra_canonical(*ra);
        if (hal_region_contains(region, *ra, *dec))
            return;
    }
}

static inline void sow_rough(sower *w, hal_cone about, uint64_t *s)
{
    const plan_case *c = w->c;
    double ra, dec, x, y, tilt = draw(s, 0.0, 6.3);
    for (int i = 0; i < c->band; i++) { /* exponential about a line through the middle */
        double along = about.radius_deg * draw(s, -1.3, 1.3);
        double off = -0.1 * about.radius_deg * log(1.0 - sim_random(s));
        offset(about.ra_deg, about.dec_deg, fabs(along), tilt + (along < 0 ? SIM_PI : 0), &x, &y);
        offset(x, y, fmin(170.0, off), tilt + (chance(s, 0.5) ? 1.0 : -1.0) * SIM_PI / 2.0, &ra,
               &dec);
        sow(w, ra, dec);
    }
    for (int left = c->clumps; left > 0;) {
        int n = 1 + pick(s, left > 20 ? left / 2 : left);
        spot_in(w->sky->region, s, &ra, &dec);
        sow_disc(w, n, (hal_cone){ra, dec, about.radius_deg * draw_log(s, 1e-4, 0.3)}, s);
        left -= n;
    }
    spot_in(w->sky->region, s, &ra, &dec);
    sow_disc(w, c->spike, (hal_cone){ra, dec, fmin(about.radius_deg, 1.0 / 60.0)}, s);
}

static inline sim_sky *plan_case_sky(const plan_case *c)
{
    sim_sky *sky = sky_begin("case", region_of(c->region));
    sower w = {.c = c,
               .sky = sky,
               .values = c->seed + 7,
               .scale = c->decimals < 0 ? 0.0 : pow(10.0, c->decimals),
               .column_scale = pow(10.0, c->column_decimals)};
    hal_cone about = hal_region_cone(sky->region);
    uint64_t s[6];
    for (uint64_t k = 0; k < 6; k++)
        s[k] = c->seed * 64 + k * UINT64_C(1000003);
    double ra, dec;
    sow_disc(&w, c->even, (hal_cone){about.ra_deg, about.dec_deg, 1.2 * about.radius_deg}, &s[0]);
    sow_rough(&w, about, &s[1]);
    sow_borders(&w, c->borders, &s[2]);
    spot_in(sky->region, &s[3], &ra, &dec);
    for (int i = 0; i < c->pile; i++)
        sow(&w, ra, dec);
    sow_disc(&w, c->everywhere, (hal_cone){0.0, 90.0, 180.0}, &s[4]);
    static const double ends[][2] = {{0, 90},    {123.456, 90}, {359.9, -90},
                                     {0, 10},    {0, -45},      {359.9999999, 20.5},
                                     {180, 0.0}, {90, 0.0},     {359.99999999999994, -30}};
    for (int i = 0; i < 9 && c->everywhere > 9; i++)
        sow(&w, ends[i][0], ends[i][1]);
    sim_sky_index(sky);
    return sky;
}

/* ---- setups ---- */

static inline hal_service plan_case_service(const plan_case *c)
{
    bool outlines = c->form >= FORM_CENTRES && c->form <= FORM_OUTLINES;
    hal_service v = {
        .takes_box = c->form == FORM_BOX || c->form == FORM_BOX_OR_CONE,
        .takes_cone = c->form == FORM_CONE || c->form == FORM_BOX_OR_CONE || outlines,
        .counts = c->counts,
        .histogram = c->histogram,
        .over_is_slow = c->over == OVER_RESET || c->over == OVER_TIMEOUT,
        .footprints = outlines,
        .centre_columns = c->form == FORM_CENTRES,
        .pos_nullable = c->unplaced > 0.0,
        .null_test = c->null_test,
        .cap = (uint64_t)(c->told * c->cap),
        .pos_quantum_deg = c->decimals < 0 ? 0.0 : pow(10.0, -c->decimals),
        .radius_max_deg = c->radius_max_deg,
        .radius_decimals = c->radius_decimals > 0 ? c->radius_decimals : -1,
        .guard_arcsec = c->guard_arcsec,
        .order_key = c->order_key,
        .key_unique = c->key_unique,
        .n_alt_split = c->column,
    };
    if (c->column)
        v.alt_split[0] = (hal_plan_column){
            .name = "t_min",
            .decimals = c->column_decimals,
            .rounded = c->column_rounded,
            .nullable = c->column_nulls > 0.0,
            .null_test = c->column_null_test,
            .min = c->column_bounds ? 4000.0 : 0.0,
            .max = c->column_bounds ? 8000.0 : 0.0,
        };
    return v;
}

static inline sim_setup plan_case_setup(const plan_case *c, const sim_sky *sky, int window,
                                        hal_plan_density prior[8], const unsigned char *belongs)
{
    bool cuts = c->over == OVER_COUNT || c->over == OVER_SILENT;
    sim_setup setup = {
        .service = plan_case_service(c),
        .options = {.window = window,
                    .known_rows = -1,
                    .requests_max = (uint64_t)c->requests_max,
                    .prior = prior,
                    .n_prior = (size_t)c->priors},
        .over = cuts                   ? SIM_TRUNCATE
                : c->over == OVER_FLAG ? SIM_FLAG
                                       : SIM_RESET,
        .archive_cap = (uint64_t)c->cap,
        .shuffle = window > 1,
        .fault_rate = c->resets,
        .busy_rate = c->busy,
        .refuse_rate = c->refused,
        .outage_from_s = c->outage_from_s,
        .outage_to_s = c->outage_from_s + c->outage_s,
        .radius_floor = c->radius_decimals > 0 ? c->radius_decimals : 0,
        .seed = c->seed,
        .faults_by_ask = true,
        .belongs = belongs,
        .latency_s = c->latency_s,
        .over_s = c->over == OVER_TIMEOUT ? 300.0 : 2.0,
    };
    uint64_t s = c->seed + 99;
    hal_cone about = hal_region_cone(sky->region);
    for (int k = 0; k < c->priors; k++) {
        hal_plan_density *d = &prior[k];
        offset(about.ra_deg, about.dec_deg, about.radius_deg * sim_random(&s), draw(&s, 0.0, 6.3),
               &d->ra_deg, &d->dec_deg);
        d->ra_deg = hal_ra_canonical(d->ra_deg);
        d->radius_deg = about.radius_deg * draw_log(&s, 0.01, 0.5) + 1e-3;
        d->rows_per_sr = draw_log(&s, 1.0, 1e9);
    }
    if (c->known_rows) {
        setup.options.known_rows = 0;
        for (size_t i = 0; i < sky->n_row; i++)
            setup.options.known_rows += belongs[i];
    }
    return setup;
}

#endif
