/* SPDX-License-Identifier: BSD-3-Clause */
#include "practice/caom.h"

#include "sky/angle.h"
#include "sky/healpix.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define RAD (3.14159265358979323846 / 180.0)

const hal_target hal_targets[] = {
    {"NGC 5139", "ngc5139;omegacen;omegacentauri;omgcen;caldwell80", 201.697, -47.4795, 0.3, "GlC"},
    {"M 13", "m13;messier13;messier013;ngc6205", 250.423475, 36.461319, 0.2, "GlC"},
    {"NGC 104", "ngc104;47tuc;47tucanae", 6.023625, -72.081283, 0.3, "GlC"},
    {"M 22", "m22;messier22;messier022;ngc6656", 279.09975, -23.90475, 0.2, "GlC"},
    {"M 15", "m15;messier15;messier015;ngc7078", 322.493042, 12.167001, 0.15, "GlC"},
    {"M 4", "m4;messier4;messier004;ngc6121", 245.89675, -26.52575, 0.2, "GlC"},
    {"M 10", "m10;messier10;messier010;ngc6254", 254.28771, -4.10031, 0.15, "GlC"},
    {"M 3", "m3;messier3;messier003;ngc5272", 205.54842, 28.37728, 0.15, "GlC"},
    {"M 45", "m45;messier45;messier045;pleiades", 56.75, 24.1167, 1.0, "OpC"},
    {"M 44", "m44;messier44;messier044;praesepe;ngc2632", 130.1, 19.6667, 0.8, "OpC"},
    {"M 67", "m67;messier67;messier067;ngc2682", 132.825, 11.8, 0.3, "OpC"},
    {"NGC 869", "ngc869;hpersei", 34.75, 57.1333, 0.3, "OpC"},
    {"NGC 884", "ngc884;chipersei", 35.6, 57.15, 0.3, "OpC"},
    {"M 103", "m103;messier103;ngc581", 23.345, 60.658, 0.1, "OpC"},
    {"M 1", "m1;messier1;messier001;ngc1952;crabnebula", 83.6324, 22.0174, 0.1, "SNR"},
    {"M 8", "m8;messier8;messier008;ngc6523;lagoonnebula", 270.92194, -24.38017, 0.4, "HII"},
    {"M 16", "m16;messier16;messier016;ngc6611;eaglenebula", 274.7, -13.807, 0.3, "HII"},
    {"M 17", "m17;messier17;messier017;ngc6618", 275.196, -16.172, 0.3, "HII"},
    {"M 42", "m42;messier42;messier042;ngc1976;orionnebula", 83.82208, -5.39111, 0.5, "HII"},
    {"M 27", "m27;messier27;messier027;ngc6853;dumbbellnebula", 299.90158, 22.72104, 0.1, "PN"},
    {"M 57", "m57;messier57;messier057;ngc6720;ringnebula", 283.39624, 33.02917, 0.05, "PN"},
    {"M 31", "m31;messier31;messier031;ngc224;andromeda;andromedagalaxy", 10.684708, 41.26875, 1.0,
     "G"},
    {"M 32", "m32;messier32;messier032;ngc221", 10.674276, 40.865288, 0.1, "G"},
    {"M 33", "m33;messier33;messier033;ngc598", 23.462069, 30.660175, 0.5, "G"},
    {"M 51", "m51;messier51;messier051;ngc5194;whirlpoolgalaxy", 202.469575, 47.195258, 0.1, "G"},
    {"M 81", "m81;messier81;messier081;ngc3031", 148.888221, 69.065295, 0.2, "G"},
    {"M 82", "m82;messier82;messier082;ngc3034", 148.96846, 69.679703, 0.1, "G"},
    {"M 83", "m83;messier83;messier083;ngc5236", 204.253958, -29.865417, 0.1, "G"},
    {"M 87", "m87;messier87;messier087;ngc4486;virgoa", 187.705931, 12.391123, 0.1, "G"},
    {"M 101", "m101;messier101;ngc5457;pinwheelgalaxy", 210.802429, 54.34875, 0.2, "G"},
    {"M 104", "m104;messier104;ngc4594;sombrerogalaxy", 189.997633, -11.623054, 0.1, "G"},
    {"LMC", "lmc;largemagellaniccloud", 80.894167, -69.756111, 5.0, "G"},
    {"SMC", "smc;smallmagellaniccloud", 13.158333, -72.800278, 2.5, "G"},
    {"NGC 1275", "ngc1275;perseusa", 49.950667, 41.511696, 0.05, "G"},
    {"NGC 3115", "ngc3115", 151.308250, -7.718583, 0.1, "G"},
    {"3C 273", "3c273", 187.277915, 2.052388, -1, "QSO"},
    {"Barnard's star", "barnard'sstar;barnardsstar;gj699", 269.4520769, 4.6933649, -1, "HighPM*"},
    {"Proxima Centauri", "proximacentauri;proximacen;gj551", 217.4289422, -62.6794902, -1,
     "Flare*"},
    {"L 98-59", "l98-59;toi-175;toi175", 124.5317560, -68.3130015, -1, "HighPM*"},
    {"TRAPPIST-1", "trappist-1;trappist1", 346.6223687, -5.0413992, -1, "LM*"},
    {"WASP-12", "wasp-12;wasp12", 97.6366453, 29.6722662, -1, "Star"},
    {"HD 209458", "hd209458", 330.7950226, 18.8843190, -1, "V*"},
    {"SN 1987A", "sn1987a", 83.866575, -69.269800, -1, "SN"},
};
const size_t hal_targets_count = sizeof hal_targets / sizeof hal_targets[0];

/* Descending by name, the order of answers. */
typedef enum mission { TESS, PS1, JWST, HST, HLSP, GALEX, MISSION_COUNT } mission;
static const char *const mission_names[] = {"TESS", "PS1", "JWST", "HST", "HLSP", "GALEX"};

enum { LAYER_TARGETS = 1, LAYER_FFI = 8, LAYER_COUNT = 9, SECTORS = 69 };
typedef struct layer {
    mission mission;
    int order;        /* HEALPix; -1: not by cell */
    double mean;      /* observations per cell */
    double reach_deg; /* from a cell's border to the far end of a footprint */
} layer;
static const layer layers[LAYER_COUNT] = {
    [LAYER_TARGETS] = {HST, -1, 0, 0},
    {HST, 6, 1.2, 0.06},
    {JWST, 5, 0.5, 0.08},
    {TESS, 5, 6, 0.01},
    {GALEX, 6, 1.3, 0.65},
    {PS1, 7, 1, 0.35},
    {HLSP, 4, 3, 0.4},
    [LAYER_FFI] = {TESS, -1, 0, 0},
};

typedef struct band {
    const char *instrument, *filter, *region;
    double em_min, em_max, half_deg;
} band;
static const band hst_bands[] = {
    {"ACS/WFC", "F435W", "OPTICAL", 361, 486, 0.0281},
    {"ACS/WFC", "F606W", "OPTICAL", 470, 718, 0.0281},
    {"ACS/WFC", "F814W", "OPTICAL", 681, 963, 0.0281},
    {"WFC3/UVIS", "F275W", "UV", 229, 320, 0.0225},
    {"WFC3/UVIS", "F336W", "UV;OPTICAL", 301, 371, 0.0225},
    {"WFC3/IR", "F160W", "INFRARED", 1385, 1700, 0.0178},
    {"WFPC2/WFC", "F555W", "OPTICAL", 458, 621, 0.0210},
};
static const band jwst_bands[] = {
    {"NIRCAM/IMAGE", "F090W", "INFRARED", 795, 1005, 0.018},
    {"NIRCAM/IMAGE", "F200W", "INFRARED", 1755, 2226, 0.018},
    {"NIRCAM/IMAGE", "F444W", "INFRARED", 3881, 4982, 0.018},
    {"MIRI/IMAGE", "F770W", "INFRARED", 6581, 8687, 0.0157},
    {"NIRISS/IMAGE", "F150W", "INFRARED", 1331, 1668, 0.018},
    {"NIRSPEC/IMAGE", "F140X", "INFRARED", 800, 2000, 0.0157},
};
static const band ps1_bands[] = {
    {"GPC1", "g", "OPTICAL", 394, 559, 0.2},   {"GPC1", "r", "OPTICAL", 539, 704, 0.2},
    {"GPC1", "i", "OPTICAL", 678, 830, 0.2},   {"GPC1", "z", "OPTICAL", 803, 935, 0.2},
    {"GPC1", "y", "INFRARED", 910, 1083, 0.2},
};
static const band galex_bands[] = {{"GALEX", "NUV", "UV", 169.3, 300.7, 0.625},
                                   {"GALEX", "FUV", "UV", 134, 180.6, 0.625}};
static const band hlsp_band = {"ACS/WFC", "F606W;F814W", "OPTICAL", 470, 963, 0.1};
static const band tess_band = {"Photometer", "TESS", "OPTICAL", 600, 1000, 0.00138889};
static const band ffi_band = {"Photometer", "TESS", "OPTICAL", 600, 1000, 6.0};

typedef struct observation {
    uint64_t obsid, key;
    int layer;
    uint64_t cell;
    int number;
    mission mission;
    const band *band;
    const hal_target *target; /* NULL: a field of no name */
    bool is_ffi;
    int64_t ra8, dec8;      /* centre, 1e-8 deg */
    int n_vertices;         /* 0: a circle of half_deg */
    int64_t vertices[4][2]; /* 1e-8 deg */
} observation;

static uint64_t cell_hash(uint64_t seed, int i_layer, uint64_t cell)
{
    return hal_mix(seed ^ hal_mix((uint64_t)i_layer << 56 | (cell + 1)));
}

/* A target's observations, by number. */
enum { T_HST = 16, T_JWST = 4, T_TESS = 3, T_GALEX = 2, T_HLSP = 2, T_PS1 = 5 };

static int count_in(uint64_t seed, int i_layer, uint64_t cell)
{
    if (i_layer == LAYER_TARGETS) {
        if (cell >= hal_targets_count)
            return 0;
        int n = T_HST + T_JWST + T_TESS + T_GALEX + T_HLSP;
        return hal_targets[cell].dec_deg > -30 ? n + T_PS1 : n;
    }
    if (i_layer == LAYER_FFI)
        return cell >= 1 && cell <= SECTORS ? 16 : 0;
    if (i_layer < 1 || i_layer >= LAYER_COUNT || cell >= UINT64_C(12) << 2 * layers[i_layer].order)
        return 0;
    if (layers[i_layer].mission == PS1) {
        double ra, dec;
        hal_healpix_position(layers[i_layer].order, cell, 0.5, 0.5, &ra, &dec);
        return dec > -30 ? 5 : 0;
    }
    int n = (int)hal_poisson(layers[i_layer].mean, cell_hash(seed, i_layer, cell));
    return n > 100 ? 100 : n;
}

/* The point at (x east, y north) degrees on the tangent plane's great circles around (ra, dec). */
static void offset(double ra_deg, double dec_deg, double x_deg, double y_deg, int64_t *ra8,
                   int64_t *dec8)
{
    double r = sqrt(x_deg * x_deg + y_deg * y_deg) * RAD, angle = atan2(x_deg, y_deg);
    double d0 = dec_deg * RAD;
    double sin_dec = sin(d0) * cos(r) + cos(d0) * sin(r) * cos(angle);
    double east = sin(r) * sin(angle) * cos(d0), north = cos(r) - sin(d0) * sin_dec;
    double ra = hal_ra_canonical(ra_deg + atan2(east, north) / RAD);
    *ra8 = llround(ra * 1e8) % INT64_C(36000000000);
    *dec8 = llround(asin(fmax(-1, fmin(1, sin_dec))) / RAD * 1e8);
}

static void target_mission(observation *o)
{
    static const int sizes[] = {T_HST, T_JWST, T_TESS, T_GALEX, T_HLSP, T_PS1};
    static const mission missions[] = {HST, JWST, TESS, GALEX, HLSP, PS1};
    int n = o->number, i = 0;
    while (n >= sizes[i])
        n -= sizes[i++];
    o->mission = missions[i];
    o->target = &hal_targets[o->cell];
}

static void choose_band(observation *o)
{
    uint64_t pick = hal_mix(o->key + 5);
    switch (o->mission) {
    case HST:
        o->band = &hst_bands[pick % (sizeof hst_bands / sizeof *hst_bands)];
        break;
    case JWST:
        o->band = &jwst_bands[pick / 4 % 4 ? pick % 4 : 4 + pick / 16 % 2];
        break;
    case PS1:
        o->band = &ps1_bands[(o->target ? o->number - (T_HST + T_JWST + T_TESS + T_GALEX + T_HLSP)
                                        : o->number) %
                             5];
        break;
    case GALEX:
        o->band = &galex_bands[0];
        break;
    case HLSP:
        o->band = &hlsp_band;
        break;
    default:
        o->band = o->is_ffi ? &ffi_band : &tess_band;
    }
}

static void centre_of(const observation *o, double *ra, double *dec)
{
    if (o->is_ffi) {
        /* Four cameras from ecliptic latitude 18 to 90, four detectors of 12 degrees each; even
         * sectors look south. */
        double lon = 27.4 * (double)o->cell, lat = 6 + 24 * (o->number / 4) + 6;
        lon += o->number & 1 ? 6 : -6;
        lat = fmin(88, lat + (o->number & 2 ? 6 : -6));
        if (o->cell % 2 == 0)
            lat = -lat;
        double e = 23.4392911 * RAD, l = lon * RAD, b = lat * RAD;
        *dec = asin(sin(b) * cos(e) + cos(b) * sin(e) * sin(l)) / RAD;
        *ra = hal_ra_canonical(atan2(sin(l) * cos(e) - tan(b) * sin(e), cos(l)) / RAD);
        return;
    }
    if (!o->target) {
        bool grid = o->mission == PS1;
        double a = grid ? 0.5 : hal_unit(o->key, 6), b = grid ? 0.5 : hal_unit(o->key, 7);
        hal_healpix_position(layers[o->layer].order, o->cell, a, b, ra, dec);
        return;
    }
    /* Pointings scatter around the target by about half their own field. */
    double scatter = o->mission == TESS                         ? 0.02
                     : o->mission == GALEX || o->mission == PS1 ? 0.05
                                                                : 0.03;
    int64_t ra8, dec8;
    offset(o->target->ra_deg, o->target->dec_deg, scatter * hal_normal(o->key, 8),
           scatter * hal_normal(o->key, 9), &ra8, &dec8);
    *ra = (double)ra8 / 1e8;
    *dec = (double)dec8 / 1e8;
}

/* All but where it is: the trigonometry is most of the work. */
static bool identify_observation(uint64_t seed, uint64_t obsid, observation *o)
{
    o->obsid = obsid;
    o->layer = (int)(obsid >> 40 & 0xff);
    o->cell = obsid >> 12 & 0xfffffff;
    o->number = (int)(obsid & 0xfff);
    if (obsid >> 48 || o->number >= count_in(seed, o->layer, o->cell))
        return false;
    o->key = hal_mix(cell_hash(seed, o->layer, o->cell) + 1000 + (uint64_t)o->number);
    o->mission = layers[o->layer].mission;
    o->target = NULL;
    o->is_ffi = o->layer == LAYER_FFI;
    if (o->layer == LAYER_TARGETS)
        target_mission(o);
    choose_band(o);
    return true;
}

static void place_observation(observation *o)
{
    double ra, dec;
    centre_of(o, &ra, &dec);
    o->ra8 = llround(ra * 1e8) % INT64_C(36000000000);
    o->dec8 = llround(dec * 1e8);
    o->n_vertices = o->mission == GALEX || (o->mission == TESS && !o->is_ffi) ? 0 : 4;
    double turn = o->mission == PS1 ? 0 : 360 * RAD * hal_unit(o->key, 10);
    double diagonal = o->band->half_deg * 1.41421356;
    for (int i = 0; i < o->n_vertices; i++) {
        double angle = turn + (45 + 90 * i) * RAD;
        offset((double)o->ra8 / 1e8, (double)o->dec8 / 1e8, diagonal * sin(angle),
               diagonal * cos(angle), &o->vertices[i][0], &o->vertices[i][1]);
    }
}

static bool make_observation(uint64_t seed, uint64_t obsid, observation *o)
{
    bool known = identify_observation(seed, obsid, o);
    if (known)
        place_observation(o);
    return known;
}

static int planes_of(const observation *o)
{
    return o->mission == GALEX ? 2 : 1;
}

static hal_status distance_to(const observation *o, const hal_cone *c, double *distance_deg,
                              hal_err *err)
{
    double gap =
        hal_separation_deg((double)o->ra8 / 1e8, (double)o->dec8 / 1e8, c->ra_deg, c->dec_deg);
    if (!o->n_vertices || gap > c->radius_deg + 1.5 * o->band->half_deg) {
        *distance_deg = fmax(0, gap - o->band->half_deg);
        return HAL_OK;
    }
    double ra[4], dec[4];
    for (int i = 0; i < 4; i++) {
        ra[i] = (double)o->vertices[i][0] / 1e8;
        dec[i] = (double)o->vertices[i][1] / 1e8;
    }
    hal_region *polygon = hal_region_polygon(ra, dec, 4, err);
    if (!polygon)
        return err && err->status ? err->status : HAL_E_NOMEM;
    *distance_deg = hal_region_distance_deg(polygon, c->ra_deg, c->dec_deg);
    hal_region_unref(polygon);
    return HAL_OK;
}

/* ---- looking for observations ---- */

typedef struct search {
    uint64_t seed;
    bool has_circle;
    hal_cone circle;
    int layer;
    hal_plane_fn each;
    void *ctx;
    bool (*collections)(const void *ctx, const char *name);
    const void *collections_ctx;
    hal_status status;
    hal_err *err;
} search;

static bool search_cell(search *s, uint64_t cell)
{
    int n = count_in(s->seed, s->layer, cell);
    for (int i = 0; i < n; i++) {
        observation o;
        uint64_t obsid = (uint64_t)s->layer << 40 | cell << 12 | (uint64_t)i;
        if (!identify_observation(s->seed, obsid, &o))
            continue;
        if (s->collections && !s->collections(s->collections_ctx, mission_names[o.mission]))
            continue;
        hal_plane plane = {obsid, 0, (int)o.mission, NAN};
        if (s->has_circle) {
            double d;
            place_observation(&o);
            s->status = distance_to(&o, &s->circle, &d, s->err);
            if (s->status)
                return false;
            if (d > s->circle.radius_deg)
                continue;
            plane.distance_arcsec = d * 3600;
        }
        for (int p = 0; p < planes_of(&o); p++) {
            plane.plane = p;
            s->status = s->each(s->ctx, &plane, s->err);
            if (s->status)
                return false;
        }
    }
    return true;
}

static bool search_range(void *ctx, uint64_t lo, uint64_t hi)
{
    for (uint64_t cell = lo; cell < hi; cell++)
        if (!search_cell(ctx, cell))
            return false;
    return true;
}

hal_status hal_caom_find(uint64_t seed, const hal_region *region,
                         bool (*collections)(const void *ctx, const char *name),
                         const void *collections_ctx, hal_plane_fn each, void *ctx, hal_err *err)
{
    search s = {.seed = seed,
                .each = each,
                .ctx = ctx,
                .collections = collections,
                .collections_ctx = collections_ctx,
                .err = err};
    if (region) {
        s.has_circle = true;
        s.circle = hal_region_cone(region);
    }
    for (s.layer = 1; s.layer < LAYER_COUNT && !s.status; s.layer++) {
        const layer *l = &layers[s.layer];
        if (s.layer == LAYER_TARGETS)
            search_range(&s, 0, hal_targets_count);
        else if (s.layer == LAYER_FFI)
            search_range(&s, 1, SECTORS + 1);
        else if (collections && !collections(collections_ctx, mission_names[l->mission]))
            continue;
        else if (!region || s.circle.radius_deg + l->reach_deg >= 180)
            search_range(&s, 0, UINT64_C(12) << 2 * l->order);
        else
            hal_healpix_disc(l->order, s.circle.ra_deg, s.circle.dec_deg,
                             s.circle.radius_deg + l->reach_deg, search_range, &s);
    }
    return s.status;
}

const char *hal_caom_collection(int i)
{
    return mission_names[i];
}

void hal_caom_totals(uint64_t seed, uint64_t totals[HAL_COLLECTIONS])
{
    static const int at_target[] = {T_TESS, T_PS1, T_JWST, T_HST, T_HLSP, 2 * T_GALEX};
    for (int m = 0; m < MISSION_COUNT; m++)
        totals[m] = 0;
    for (size_t i = 0; i < hal_targets_count; i++)
        for (int m = 0; m < MISSION_COUNT; m++)
            if (m != PS1 || hal_targets[i].dec_deg > -30)
                totals[m] += (uint64_t)at_target[m];
    totals[TESS] += 16 * SECTORS;
    for (int l = LAYER_TARGETS + 1; l < LAYER_FFI; l++)
        for (uint64_t cell = 0; cell < UINT64_C(12) << 2 * layers[l].order; cell++)
            totals[layers[l].mission] +=
                (uint64_t)(count_in(seed, l, cell) * (layers[l].mission == GALEX ? 2 : 1));
}

/* ---- rows ---- */

const hal_practice_column hal_observation_columns[] = {
    {"intentType", "string", "", "", "science or calibration", NULL, false},
    {"obs_collection", "string", "", "meta.id", "Mission", ";", false},
    {"provenance_name", "string", "", "meta.id", "Pipeline", NULL, false},
    {"instrument_name", "string", "", "instr", "Instrument", NULL, false},
    {"project", "string", "", "meta.title", "Processing project", ";", false},
    {"filters", "string", "", "phys.transmission;instr.filter", "Filters", ";", false},
    {"wavelength_region", "string", "", "meta.ucd", "Energy band", ";", false},
    {"target_name", "string", "", "meta.id", "Target name", NULL, false},
    {"target_classification", "string", "", "src.class", "Type of target", ";", false},
    {"obs_id", "string", "", "meta.id", "Observation ID of the mission", NULL, false},
    {"s_ra", "float", "deg", "pos.eq.ra;meta.main", "Centre, ICRS", NULL, false},
    {"s_dec", "float", "deg", "pos.eq.dec;meta.main", "Centre, ICRS", NULL, false},
    {"dataproduct_type", "string", "", "meta.code.class", "Type of product", NULL, false},
    {"proposal_pi", "string", "", "meta.id.PI", "Principal investigator", NULL, false},
    {"calib_level", "int", "", "meta.code.status", "Calibration level", NULL, false},
    {"t_min", "float", "d", "time.start;obs.exposure", "Start, MJD", NULL, false},
    {"t_max", "float", "d", "time.end;obs.exposure", "End, MJD", NULL, false},
    {"t_exptime", "float", "s", "time.duration;obs.exposure", "Exposure time", NULL, false},
    {"em_min", "float", "nm", "em.wl;stat.min", "Shortest wavelength", NULL, false},
    {"em_max", "float", "nm", "em.wl;stat.max", "Longest wavelength", NULL, false},
    {"obs_title", "string", "", "meta.title", "Title", NULL, false},
    {"t_obs_release", "float", "d", "time.release", "Release, MJD", NULL, false},
    {"proposal_id", "string", "", "meta.id", "Proposal", NULL, false},
    {"proposal_type", "string", "", "", "Proposal type", NULL, false},
    {"sequence_number", "int", "", "", "TESS sector", NULL, false},
    {"s_region", "string", "deg", "phys.outline;obs.field", "Footprint, STC-S", NULL, false},
    {"jpegURL", "string", "", "meta.ref.url", "Preview", NULL, false},
    {"dataURL", "string", "", "meta.ref.url", "Data", NULL, false},
    {"dataRights", "string", "", "", "PUBLIC, EXCLUSIVE_ACCESS, RESTRICTED", NULL, false},
    {"mtFlag", "boolean", "", "", "Moving target", NULL, false},
    {"srcDen", "float", "", "", "Catalogued objects", NULL, false},
    {"obsid", "string", "", "meta.record", "Product group ID", NULL, false},
    {"objID", "string", "", "meta.record", "Plane ID", NULL, false},
    {"objID1", "string", "", "meta.record", "Plane ID", NULL, true},
    {"distance", "float", "arcsec", "pos.angDistance", "Distance of the footprint", NULL, true},
};
const size_t hal_observation_columns_count =
    sizeof hal_observation_columns / sizeof hal_observation_columns[0];

typedef struct product_kind {
    const char *suffix, *type, *subgroup, *description;
    bool recommended;
    int calib_level;
    int blocks_min, blocks_max; /* of 2880 bytes */
} product_kind;

static const product_kind hst_products[] = {
    {"_drz.fits", "SCIENCE", "DRZ", "DADS DRZ file - Calibrated combined image", true, 3, 60, 700},
    {"_flt.fits", "SCIENCE", "FLT", "DADS FLT file - Calibrated exposure", false, 2, 60, 500},
    {"_flc.fits", "SCIENCE", "FLC", "DADS FLC file - CTE-corrected exposure", false, 2, 60, 500},
    {"_raw.fits", "SCIENCE", "RAW", "DADS RAW file - Raw exposure", false, 1, 40, 400},
    {"_asn.fits", "AUXILIARY", "ASN", "DADS ASN file - Association", false, 1, 8, 12},
    {"_spt.fits", "AUXILIARY", "SPT", "DADS SPT file - Support", false, 1, 8, 30},
    {"_trl.fits", "AUXILIARY", "TRL", "DADS TRL file - Processing log", false, 1, 8, 40},
    {"_drz.jpg", "PREVIEW", "DRZ", "Preview-Full", false, 3, 8, 40},
    {"_log.txt", "INFO", NULL, "HLA processing log", false, 3, 8, 10},
    {NULL, NULL, NULL, NULL, false, 0, 0, 0},
};
static const product_kind jwst_products[] = {
    {"_i2d.fits", "SCIENCE", "I2D", "exposure/target (L2b/L3) resampled image", true, 3, 100, 900},
    {"_cal.fits", "SCIENCE", "CAL", "exposure (L2b): calibrated image", false, 2, 100, 600},
    {"_rate.fits", "SCIENCE", "RATE", "exposure (L2a): slope image", false, 2, 100, 600},
    {"_uncal.fits", "SCIENCE", "UNCAL", "exposure (L1b): uncalibrated 4D data", false, 1, 200,
     1000},
    {"_asn.json", "INFO", "ASN", "association", false, 3, 8, 9},
    {"_i2d.jpg", "PREVIEW", "I2D", "Preview-Full", false, 3, 8, 40},
    {NULL, NULL, NULL, NULL, false, 0, 0, 0},
};
static const product_kind tess_products[] = {
    {"_lc.fits", "SCIENCE", "LC", "Light curves", true, 3, 100, 700},
    {"_tp.fits", "SCIENCE", "TP", "Target pixel files", true, 2, 300, 1200},
    {"_dvs.txt", "INFO", "DVS", "Data validation summary", false, 4, 8, 20},
    {"_lc.jpg", "PREVIEW", "LC", "Preview-Full", false, 3, 8, 20},
    {NULL, NULL, NULL, NULL, false, 0, 0, 0},
};
static const product_kind ffi_products[] = {
    {"_ffic.fits", "SCIENCE", "FFIC", "FFI calibrated image", true, 2, 900, 1500},
    {"_ffir.fits", "SCIENCE", "FFIR", "FFI uncalibrated image", false, 1, 900, 1500},
    {NULL, NULL, NULL, NULL, false, 0, 0, 0},
};
static const product_kind galex_products[] = {
    {"-nd-int.fits", "SCIENCE", NULL, "Intensity map", true, 2, 200, 1000},
    {"-nd-cnt.fits", "AUXILIARY", NULL, "Count map", false, 1, 200, 1000},
    {"-nd-int.jpg", "PREVIEW", NULL, "Preview-Full", false, 2, 8, 40},
    {NULL, NULL, NULL, NULL, false, 0, 0, 0},
};
static const product_kind ps1_products[] = {
    {".unconv.fits", "SCIENCE", NULL, "stack data image", true, 3, 300, 1200},
    {".unconv.wt.fits", "AUXILIARY", NULL, "stack variance image", false, 3, 300, 1200},
    {".unconv.jpg", "PREVIEW", NULL, "Preview-Full", false, 3, 8, 40},
    {NULL, NULL, NULL, NULL, false, 0, 0, 0},
};
static const product_kind hlsp_products[] = {
    {"_drz.fits", "SCIENCE", NULL, "Drizzled mosaic", true, 4, 400, 1400},
    {"_cat.txt", "CATALOG", NULL, "Source catalog", false, 4, 8, 60},
    {"_readme.txt", "INFO", NULL, "Description of the collection", false, 4, 8, 10},
    {NULL, NULL, NULL, NULL, false, 0, 0, 0},
};

static const product_kind *kinds_of(const observation *o)
{
    static const product_kind *const kinds[] = {tess_products, ps1_products,  jwst_products,
                                                hst_products,  hlsp_products, galex_products};
    return o->is_ffi ? ffi_products : kinds[o->mission];
}

/* "x" and the observation's number in base 36: leads from a file name back to its observation. */
static void token(uint64_t obsid, char out[11])
{
    out[0] = 'x';
    for (int i = 9; i > 0; i--) {
        out[i] = "0123456789abcdefghijklmnopqrstuvwxyz"[obsid % 36];
        obsid /= 36;
    }
    out[10] = 0;
}

/* `text` up to a slash, in small letters, with "-" for ";". */
static void small_letters(char *out, size_t size, const char *text)
{
    for (; *text && *text != '/' && --size; text++)
        *out++ = (char)(*text == ';' ? '-' : *text >= 'A' && *text <= 'Z' ? *text + 32 : *text);
    *out = 0;
}

static const char *obs_id_of(const observation *o, hal_scratch *s)
{
    char t[11], low[64], instrument[64];
    token(o->obsid, t);
    small_letters(low, sizeof low, o->band->filter);
    small_letters(instrument, sizeof instrument, o->band->instrument);
    unsigned h = (unsigned)(hal_mix(o->key + 12) >> 40);
    switch (o->mission) {
    case HST:
        return hal_scratch_printf(s, "%c%s",
                                  o->band->instrument[0] == 'A'   ? 'j'
                                  : o->band->instrument[3] == '3' ? 'i'
                                                                  : 'u',
                                  t);
    case JWST:
        return hal_scratch_printf(s, "jw%05u-o%03u_t001_%s_clear-%s-%s", 1000 + h % 8000,
                                  h % 900 + 1, instrument, low, t);
    case PS1:
        return hal_scratch_printf(s, "rings.v3.skycell.%04u.%03u.stk.%s.%s",
                                  (unsigned)(o->cell / 100 % 10000), (unsigned)(o->cell % 100), low,
                                  t);
    case GALEX:
        return hal_scratch_printf(s, "AIS_%u_sg%02u_%s", h % 500, h % 97, t);
    case HLSP:
        return hal_scratch_printf(s, "hlsp_practice_hst_acs-wfc_%s_multi_v1", t);
    default:
        return o->is_ffi ? hal_scratch_printf(s, "tess-s%04u-%d-%d-%s", (unsigned)o->cell,
                                              o->number / 4 + 1, o->number % 4 + 1, t)
                         : hal_scratch_printf(s, "tess-s%04u-%s-0120-s", h % SECTORS + 1, t);
    }
}

static const char *uri_of(const observation *o, const product_kind *k, const char *obs_id,
                          hal_scratch *s)
{
    if (o->mission == GALEX)
        return hal_scratch_printf(s, "mast:GALEX/url/data/GR6/pipe/01-vsn/d/%s%s", obs_id,
                                  k->suffix);
    if (o->mission == HLSP)
        return hal_scratch_printf(s, "mast:HLSP/practice/%s%s", obs_id, k->suffix);
    return hal_scratch_printf(s, "mast:%s/product/%s%s", mission_names[o->mission], obs_id,
                              k->suffix);
}

static int64_t size_of(const observation *o, int i, const product_kind *k)
{
    uint64_t span = (uint64_t)(k->blocks_max - k->blocks_min + 1);
    return (int64_t)(2880 * ((uint64_t)k->blocks_min + hal_mix(o->key + 100 + (uint64_t)i) % span));
}

static const char *target_name(const observation *o, hal_scratch *s)
{
    if (o->is_ffi)
        return "TESS FFI";
    if (o->mission == TESS)
        return hal_scratch_printf(s, "%u", (unsigned)(hal_mix(o->key + 13) % 900000000 + 1000));
    if (o->target)
        return o->mission == HST
                   ? hal_scratch_printf(s, "%s-FIELD%d", o->target->name, o->number % 4)
                   : o->target->name;
    return hal_scratch_printf(s, "FIELD-%05u", (unsigned)(o->cell % 100000));
}

static int sector_of(const observation *o)
{
    return o->is_ffi ? (int)o->cell : (int)((unsigned)(hal_mix(o->key + 12) >> 40) % SECTORS) + 1;
}

static double start_of(const observation *o)
{
    double u = hal_unit(o->key, 14);
    switch (o->mission) {
    case HST:
        return 52400 + 7500 * u;
    case JWST:
        return 59770 + 1200 * u;
    case PS1:
        return 55000 + 1400 * u;
    case GALEX:
        return 52900 + 3200 * u;
    case HLSP:
        return 53000 + 4000 * u;
    default:
        return 58325.3 + 27.4 * (sector_of(o) - 1);
    }
}

static const char *footprint(const observation *o, hal_scratch *s)
{
    const char *out;
    if (!o->n_vertices) {
        out = hal_scratch_printf(s, "CIRCLE ICRS %.8f %.8f %.8f", (double)o->ra8 / 1e8,
                                 (double)o->dec8 / 1e8, o->band->half_deg);
    } else {
        double v[8];
        for (int i = 0; i < 8; i++)
            v[i] = (double)o->vertices[i / 2][i % 2] / 1e8;
        out =
            hal_scratch_printf(s, "POLYGON ICRS %.8f %.8f %.8f %.8f %.8f %.8f %.8f %.8f %.8f %.8f",
                               v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[0], v[1]);
    }
    return out;
}

/* New JWST data belong to their proposers for a year. */
static const char *rights_of(const observation *o)
{
    return o->mission == JWST && hal_unit(o->key, 17) < 0.03 ? "EXCLUSIVE_ACCESS" : "PUBLIC";
}

bool hal_caom_fill(uint64_t seed, const hal_plane *plane, hal_cell *c, hal_scratch *s)
{
    static const char *const pis[] = {"Abbot",   "Beltran, Ines", "Chandra",       "Dufour, Jean",
                                      "Eriksen", "Fujita, Aki",   "Garc\303\255a", "O'Neill, Ann"};
    static const char *const provenance[] = {"SPOC", "3PI", "CALJWST", "CALACS", "Practice", "AIS"};
    observation o;
    if (!make_observation(seed, plane->obsid, &o) || plane->plane >= planes_of(&o))
        return false;
    const band *b = o.mission == GALEX ? &galex_bands[plane->plane] : o.band;
    const char *obs_id = obs_id_of(&o, s);
    unsigned proposal =
        (unsigned)(hal_mix(cell_hash(seed, o.layer, o.cell) + (uint64_t)(o.number / 4)) % 9000);
    double start = start_of(&o);
    double exposure = o.mission == TESS ? 120 : 60 + floor(1500 * hal_unit(o.key, 15));
    double length = o.mission == TESS ? 27 : exposure * 1.4 / 86400;
    const product_kind *kinds = kinds_of(&o);
    const product_kind *preview = kinds;
    while (preview->suffix && strcmp(preview->type, "PREVIEW") != 0)
        preview++;
    int i = 0;
    c[i++] = hal_cell_text("science");
    c[i++] = hal_cell_text(mission_names[o.mission]);
    c[i++] = hal_cell_text(provenance[o.mission]);
    c[i++] = hal_cell_text(b->instrument);
    c[i++] = hal_cell_text(o.mission == HLSP    ? "hlsp_practice"
                           : o.mission == GALEX ? "AIS"
                                                : mission_names[o.mission]);
    c[i++] = hal_cell_text(b->filter);
    c[i++] = hal_cell_text(b->region);
    c[i++] = hal_cell_text(target_name(&o, s));
    c[i++] = hal_cell_text(o.target                    ? "STELLAR CLUSTER;NEBULA;GALAXY"
                           : hal_unit(o.key, 16) < 0.5 ? "STAR;FIELD"
                                                       : NULL);
    c[i++] = hal_cell_text(obs_id);
    c[i++] = hal_cell_fixed(o.ra8, 8);
    c[i++] = hal_cell_fixed(o.dec8, 8);
    c[i++] = hal_cell_text(o.mission == TESS && !o.is_ffi ? "timeseries" : "image");
    c[i++] = hal_cell_text(o.mission == PS1 || o.mission == GALEX ? NULL : pis[proposal % 8]);
    c[i++] = hal_cell_int(o.mission == HLSP ? 4 : o.is_ffi || o.mission == GALEX ? 2 : 3);
    c[i++] = hal_cell_round(start, 5);
    c[i++] = hal_cell_round(start + length, 5);
    c[i++] = hal_cell_round(exposure, 3);
    c[i++] = hal_cell_round(b->em_min, 1);
    c[i++] = hal_cell_round(b->em_max, 1);
    c[i++] = hal_cell_text(o.target ? hal_scratch_printf(s, "Deep imaging of %s, part \"%u\"",
                                                         o.target->name, proposal % 7)
                                    : "Survey of fields of no name");
    c[i++] = hal_cell_round(start + 200, 5);
    c[i++] = hal_cell_text(o.mission == PS1 || o.mission == GALEX
                               ? NULL
                               : hal_scratch_printf(s, "%u", 1000 + proposal));
    c[i++] = hal_cell_text(o.mission == HST || o.mission == JWST ? "GO" : NULL);
    c[i++] = o.mission == TESS ? hal_cell_int(sector_of(&o)) : hal_cell_text(NULL);
    c[i++] = hal_cell_text(footprint(&o, s));
    c[i++] = hal_cell_text(preview->suffix ? uri_of(&o, preview, obs_id, s) : NULL);
    c[i++] = hal_cell_text(uri_of(&o, kinds, obs_id, s));
    c[i++] = hal_cell_text(rights_of(&o));
    c[i++] = (hal_cell){.kind = HAL_CELL_BOOL, .value = 0};
    c[i++] = hal_cell_text(NULL);
    c[i++] = hal_cell_int((int64_t)o.obsid);
    /* Beyond 2^53 on purpose: whoever reads identifiers as doubles loses digits. */
    uint64_t object = (o.obsid << 1 | (uint64_t)plane->plane) * UINT64_C(0x9e3779b97f4a7c15);
    c[i++] = hal_cell_int((int64_t)((object & ((UINT64_C(1) << 60) - 1)) + (UINT64_C(1) << 62)));
    c[i] = c[i - 1];
    i++;
    c[i++] = hal_cell_round(plane->distance_arcsec, 9);
    return true;
}

const hal_practice_column hal_product_columns[] = {
    {"obsID", "string", "", "meta.record", "Product group ID", NULL, false},
    {"obs_collection", "string", "", "meta.id", "Mission", ";", false},
    {"dataproduct_type", "string", "", "meta.code.class", "Type of product", NULL, false},
    {"obs_id", "string", "", "meta.id", "Observation ID of the mission", NULL, false},
    {"description", "string", "", "meta.note", "What the file holds", NULL, false},
    {"type", "string", "", "", "S simple, C composite", NULL, false},
    {"dataURI", "string", "", "meta.ref.url", "Download key", NULL, false},
    {"productType", "string", "", "", "SCIENCE, AUXILIARY, INFO, PREVIEW ...", NULL, false},
    {"productGroupDescription", "string", "", "", "Minimum Recommended Products or null", NULL,
     false},
    {"productSubGroupDescription", "string", "", "", "File class", NULL, false},
    {"productDocumentationURL", "string", "", "", "Documentation", NULL, false},
    {"project", "string", "", "", "Pipeline", NULL, false},
    {"prvversion", "string", "", "", "Pipeline version", NULL, false},
    {"proposal_id", "string", "", "", "Proposal", NULL, false},
    {"productFilename", "string", "", "", "File name", NULL, false},
    {"size", "int", "byte", "", "File size", NULL, false},
    {"parent_obsid", "string", "", "", "The obsid asked for", NULL, false},
    {"dataRights", "string", "", "", "PUBLIC, EXCLUSIVE_ACCESS, RESTRICTED", NULL, false},
    {"calib_level", "int", "", "", "Calibration level", NULL, false},
    {"filters", "string", "", "", "Filters", ";", false},
};
const size_t hal_product_columns_count = sizeof hal_product_columns / sizeof hal_product_columns[0];

bool hal_caom_product(uint64_t seed, uint64_t obsid, int index, hal_cell *c, hal_scratch *s)
{
    hal_plane plane = {obsid, 0, 0, NAN};
    hal_cell row[64];
    observation o;
    if (!make_observation(seed, obsid, &o))
        return false;
    const product_kind *k = kinds_of(&o);
    for (int i = 0; i < index && k->suffix; i++)
        k++;
    if (!k->suffix || !hal_caom_fill(seed, &plane, row, s))
        return false;
    const char *obs_id = row[9].text, *uri = uri_of(&o, k, obs_id, s);
    static const char *const project[] = {"SPOC", "PS1", "CALJWST", "CALACS", "practice", "GALEX"};
    c[0] = hal_cell_int((int64_t)obsid);
    c[1] = row[1];
    c[2] = row[12];
    c[3] = row[9];
    c[4] = hal_cell_text(k->description);
    c[5] = hal_cell_text(o.mission == JWST || o.mission == HLSP ? "C" : "S");
    c[6] = hal_cell_text(uri);
    c[7] = hal_cell_text(k->type);
    c[8] = hal_cell_text(k->recommended ? "Minimum Recommended Products" : NULL);
    c[9] = hal_cell_text(k->subgroup);
    c[10] = hal_cell_text(NULL);
    c[11] = hal_cell_text(project[o.mission]);
    c[12] = hal_cell_text(o.mission == JWST ? "1.12.5" : NULL);
    c[13] = row[22];
    c[14] = hal_cell_text(strrchr(uri, '/') + 1);
    c[15] = hal_cell_int(size_of(&o, index, k));
    c[16] = hal_cell_int((int64_t)obsid);
    c[17] = hal_cell_text(rights_of(&o));
    c[18] = hal_cell_int(k->calib_level);
    c[19] = row[5];
    return true;
}

bool hal_caom_product_of_uri(uint64_t seed, const char *uri, uint64_t *obsid, int *index)
{
    for (const char *p = strchr(uri, 'x'); p; p = strchr(p + 1, 'x')) {
        uint64_t id = 0;
        int n = 0;
        for (; n < 9; n++) {
            char c = p[n + 1];
            int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'z' ? c - 'a' + 10 : -1;
            if (digit < 0)
                break;
            id = id * 36 + (uint64_t)digit;
        }
        if (n < 9)
            continue;
        hal_cell cells[64];
        hal_scratch s;
        for (int i = 0;; i++) {
            s.used = 0;
            if (!hal_caom_product(seed, id, i, cells, &s))
                break;
            if (!strcmp(cells[HAL_PRODUCT_URI].text, uri)) {
                *obsid = id;
                *index = i;
                return true;
            }
        }
    }
    return false;
}
