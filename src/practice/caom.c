/* SPDX-License-Identifier: BSD-3-Clause */
#include "practice/caom.h"

#include "practice/caom_private.h"

#include "sky/angle.h"
#include "sky/healpix.h"

#include <math.h>
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

static const char *const mission_names[] = {"TESS", "PS1", "JWST", "HST", "HLSP", "GALEX"};

enum { LAYER_TARGETS = 1, LAYER_FFI = 8, LAYER_COUNT = 9 };
typedef struct layer {
    hal_mission mission;
    int order;        /* HEALPix; -1: not by cell */
    double mean;      /* observations per cell */
    double reach_deg; /* from a cell's border to the far end of a footprint */
} layer;
static const layer layers[LAYER_COUNT] = {
    [LAYER_TARGETS] = {HAL_HST, -1, 0, 0},
    {HAL_HST, 6, 1.2, 0.06},
    {HAL_JWST, 5, 0.5, 0.08},
    {HAL_TESS, 5, 6, 0.01},
    {HAL_GALEX, 6, 1.3, 0.65},
    {HAL_PS1, 7, 1, 0.35},
    {HAL_HLSP, 4, 3, 0.4},
    [LAYER_FFI] = {HAL_TESS, -1, 0, 0},
};

static const hal_band hst_bands[] = {
    {"ACS/WFC", "F435W", "OPTICAL", 361, 486, 0.0281},
    {"ACS/WFC", "F606W", "OPTICAL", 470, 718, 0.0281},
    {"ACS/WFC", "F814W", "OPTICAL", 681, 963, 0.0281},
    {"WFC3/UVIS", "F275W", "UV", 229, 320, 0.0225},
    {"WFC3/UVIS", "F336W", "UV;OPTICAL", 301, 371, 0.0225},
    {"WFC3/IR", "F160W", "INFRARED", 1385, 1700, 0.0178},
    {"WFPC2/WFC", "F555W", "OPTICAL", 458, 621, 0.0210},
};
static const hal_band jwst_bands[] = {
    {"NIRCAM/IMAGE", "F090W", "INFRARED", 795, 1005, 0.018},
    {"NIRCAM/IMAGE", "F200W", "INFRARED", 1755, 2226, 0.018},
    {"NIRCAM/IMAGE", "F444W", "INFRARED", 3881, 4982, 0.018},
    {"MIRI/IMAGE", "F770W", "INFRARED", 6581, 8687, 0.0157},
    {"NIRISS/IMAGE", "F150W", "INFRARED", 1331, 1668, 0.018},
    {"NIRSPEC/IMAGE", "F140X", "INFRARED", 800, 2000, 0.0157},
};
static const hal_band ps1_bands[] = {
    {"GPC1", "g", "OPTICAL", 394, 559, 0.2},   {"GPC1", "r", "OPTICAL", 539, 704, 0.2},
    {"GPC1", "i", "OPTICAL", 678, 830, 0.2},   {"GPC1", "z", "OPTICAL", 803, 935, 0.2},
    {"GPC1", "y", "INFRARED", 910, 1083, 0.2},
};
static const hal_band galex_bands[] = {{"GALEX", "NUV", "UV", 169.3, 300.7, 0.625},
                                       {"GALEX", "FUV", "UV", 134, 180.6, 0.625}};
static const hal_band hlsp_band = {"ACS/WFC", "F606W;F814W", "OPTICAL", 470, 963, 0.1};
static const hal_band tess_band = {"Photometer", "TESS", "OPTICAL", 600, 1000, 0.00138889};
static const hal_band ffi_band = {"Photometer", "TESS", "OPTICAL", 600, 1000, 6.0};

uint64_t hal_caom_cell_hash(uint64_t seed, int i_layer, uint64_t cell)
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
        return cell >= 1 && cell <= HAL_SECTORS ? 16 : 0;
    if (i_layer < 1 || i_layer >= LAYER_COUNT || cell >= UINT64_C(12) << 2 * layers[i_layer].order)
        return 0;
    if (layers[i_layer].mission == HAL_PS1) {
        double ra, dec;
        hal_healpix_position(layers[i_layer].order, cell, 0.5, 0.5, &ra, &dec);
        return dec > -30 ? 5 : 0;
    }
    int n = (int)hal_poisson(layers[i_layer].mean, hal_caom_cell_hash(seed, i_layer, cell));
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

static void target_mission(hal_observation *o)
{
    static const int sizes[] = {T_HST, T_JWST, T_TESS, T_GALEX, T_HLSP, T_PS1};
    static const hal_mission missions[] = {HAL_HST,   HAL_JWST, HAL_TESS,
                                           HAL_GALEX, HAL_HLSP, HAL_PS1};
    int n = o->number, i = 0;
    while (n >= sizes[i])
        n -= sizes[i++];
    o->mission = missions[i];
    o->target = &hal_targets[o->cell];
}

static void choose_band(hal_observation *o)
{
    uint64_t pick = hal_mix(o->key + 5);
    switch (o->mission) {
    case HAL_HST:
        o->band = &hst_bands[pick % (sizeof hst_bands / sizeof *hst_bands)];
        break;
    case HAL_JWST:
        o->band = &jwst_bands[pick / 4 % 4 ? pick % 4 : 4 + pick / 16 % 2];
        break;
    case HAL_PS1:
        o->band = &ps1_bands[(o->target ? o->number - (T_HST + T_JWST + T_TESS + T_GALEX + T_HLSP)
                                        : o->number) %
                             5];
        break;
    case HAL_GALEX:
        o->band = &galex_bands[0];
        break;
    case HAL_HLSP:
        o->band = &hlsp_band;
        break;
    default:
        o->band = o->is_ffi ? &ffi_band : &tess_band;
    }
}

static void centre_of(const hal_observation *o, double *ra, double *dec)
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
        bool grid = o->mission == HAL_PS1;
        double a = grid ? 0.5 : hal_unit(o->key, 6), b = grid ? 0.5 : hal_unit(o->key, 7);
        hal_healpix_position(layers[o->layer].order, o->cell, a, b, ra, dec);
        return;
    }
    /* Pointings scatter around the target by about half their own field. */
    double scatter = o->mission == HAL_TESS                             ? 0.02
                     : o->mission == HAL_GALEX || o->mission == HAL_PS1 ? 0.05
                                                                        : 0.03;
    int64_t ra8, dec8;
    offset(o->target->ra_deg, o->target->dec_deg, scatter * hal_normal(o->key, 8),
           scatter * hal_normal(o->key, 9), &ra8, &dec8);
    *ra = (double)ra8 / 1e8;
    *dec = (double)dec8 / 1e8;
}

/* All but where it is: the trigonometry is most of the work. */
static bool identify_observation(uint64_t seed, uint64_t obsid, hal_observation *o)
{
    o->obsid = obsid;
    o->layer = (int)(obsid >> 40 & 0xff);
    o->cell = obsid >> 12 & 0xfffffff;
    o->number = (int)(obsid & 0xfff);
    if (obsid >> 48 || o->number >= count_in(seed, o->layer, o->cell))
        return false;
    o->key = hal_mix(hal_caom_cell_hash(seed, o->layer, o->cell) + 1000 + (uint64_t)o->number);
    o->mission = layers[o->layer].mission;
    o->target = NULL;
    o->is_ffi = o->layer == LAYER_FFI;
    if (o->layer == LAYER_TARGETS)
        target_mission(o);
    choose_band(o);
    return true;
}

static void place_observation(hal_observation *o)
{
    double ra, dec;
    centre_of(o, &ra, &dec);
    o->ra8 = llround(ra * 1e8) % INT64_C(36000000000);
    o->dec8 = llround(dec * 1e8);
    o->n_vertices = o->mission == HAL_GALEX || (o->mission == HAL_TESS && !o->is_ffi) ? 0 : 4;
    double turn = o->mission == HAL_PS1 ? 0 : 360 * RAD * hal_unit(o->key, 10);
    double diagonal = o->band->half_deg * 1.41421356;
    for (int i = 0; i < o->n_vertices; i++) {
        double angle = turn + (45 + 90 * i) * RAD;
        offset((double)o->ra8 / 1e8, (double)o->dec8 / 1e8, diagonal * sin(angle),
               diagonal * cos(angle), &o->vertices[i][0], &o->vertices[i][1]);
    }
}

bool hal_caom_observe(uint64_t seed, uint64_t obsid, hal_observation *o)
{
    bool known = identify_observation(seed, obsid, o);
    if (known)
        place_observation(o);
    return known;
}

int hal_caom_planes(const hal_observation *o)
{
    return o->mission == HAL_GALEX ? 2 : 1;
}

const hal_band *hal_caom_band(const hal_observation *o, int plane)
{
    return o->mission == HAL_GALEX ? &galex_bands[plane] : o->band;
}

static hal_status distance_to(const hal_observation *o, const hal_cone *c, double *distance_deg,
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
        hal_observation o;
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
        for (int p = 0; p < hal_caom_planes(&o); p++) {
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
            search_range(&s, 1, HAL_SECTORS + 1);
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
    for (int m = 0; m < HAL_MISSION_COUNT; m++)
        totals[m] = 0;
    for (size_t i = 0; i < hal_targets_count; i++)
        for (int m = 0; m < HAL_MISSION_COUNT; m++)
            if (m != HAL_PS1 || hal_targets[i].dec_deg > -30)
                totals[m] += (uint64_t)at_target[m];
    totals[HAL_TESS] += 16 * HAL_SECTORS;
    for (int l = LAYER_TARGETS + 1; l < LAYER_FFI; l++)
        for (uint64_t cell = 0; cell < UINT64_C(12) << 2 * layers[l].order; cell++)
            totals[layers[l].mission] +=
                (uint64_t)(count_in(seed, l, cell) * (layers[l].mission == HAL_GALEX ? 2 : 1));
}
