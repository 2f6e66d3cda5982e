/* SPDX-License-Identifier: BSD-3-Clause */
#include "practice/view.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define RAD (3.14159265358979323846 / 180.0)

const char *hal_scratch_printf(hal_scratch *s, const char *fmt, ...)
{
    char *at = s->bytes + s->used;
    size_t room = sizeof s->bytes - s->used;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(at, room, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= room)
        return "";
    s->used += (size_t)n + 1;
    return at;
}

/* Identifiers of catalogues with a numbering of their own: a bijection of 50 bits (cell and
 * number), so that no two stars share one and an identifier leads back to its star. */
#define BITS50 ((UINT64_C(1) << 50) - 1)
#define TIC_FACTOR UINT64_C(0x9e3779b97f4a7c15)

static uint64_t scramble(const hal_star *star)
{
    uint64_t x = star->cell << 28 | star->number;
    x = x * TIC_FACTOR & BITS50;
    return x ^ x >> 25;
}

static bool unscramble(uint64_t id, uint64_t *cell, uint32_t *number)
{
    if (id > BITS50)
        return false;
    uint64_t x = id ^ id >> 25, inverse = TIC_FACTOR;
    for (int i = 0; i < 5; i++) /* Newton: the inverse of an odd number modulo 2^64 */
        inverse *= 2 - TIC_FACTOR * inverse;
    x = x * inverse & BITS50;
    *cell = x >> 28;
    *number = (uint32_t)(x & ((UINT32_C(1) << 28) - 1));
    return *cell < HAL_SKY_CELLS;
}

static uint64_t gaia_id(const hal_star *star)
{
    return star->pixel12 << 35 | (uint64_t)star->number << 7;
}

static bool gaia_locate(uint64_t id, uint64_t *cell, uint32_t *number)
{
    *cell = id >> 41;
    *number = (uint32_t)(id >> 7 & ((UINT32_C(1) << 28) - 1));
    return *cell < HAL_SKY_CELLS && !(id & 127);
}

/* ---- Gaia DR3: epoch 2016, 12 decimals ---- */
enum {
    G_ID,
    G_RA,
    G_RA_ERROR,
    G_DEC,
    G_DEC_ERROR,
    G_PARALLAX,
    G_PARALLAX_ERROR,
    G_PM,
    G_PMRA,
    G_PMRA_ERROR,
    G_PMDEC,
    G_PMDEC_ERROR,
    G_EXCESS,
    G_RUWE,
    G_G,
    G_BP,
    G_RP,
    G_BP_RP,
    G_RV,
    G_RV_ERROR,
    G_DISTANCE,
    G_COUNT
};
static const hal_practice_column gaia_columns[G_COUNT] = {
    {"source_id", "string", "", "meta.id;meta.main", "Unique source identifier", NULL, false},
    {"ra", "float", "deg", "pos.eq.ra;meta.main", "Right ascension, ICRS, epoch 2016.0", NULL,
     false},
    {"ra_error", "float", "mas", "stat.error;pos.eq.ra", "Standard error of ra", NULL, false},
    {"dec", "float", "deg", "pos.eq.dec;meta.main", "Declination, ICRS, epoch 2016.0", NULL, false},
    {"dec_error", "float", "mas", "stat.error;pos.eq.dec", "Standard error of dec", NULL, false},
    {"parallax", "float", "mas", "pos.parallax.trig", "Parallax", NULL, false},
    {"parallax_error", "float", "mas", "stat.error;pos.parallax.trig", "Standard error", NULL,
     false},
    {"pm", "float", "mas/yr", "pos.pm", "Total proper motion", NULL, false},
    {"pmra", "float", "mas/yr", "pos.pm;pos.eq.ra", "Proper motion in ra, times cos dec", NULL,
     false},
    {"pmra_error", "float", "mas/yr", "stat.error;pos.pm", "Standard error", NULL, false},
    {"pmdec", "float", "mas/yr", "pos.pm;pos.eq.dec", "Proper motion in dec", NULL, false},
    {"pmdec_error", "float", "mas/yr", "stat.error;pos.pm", "Standard error", NULL, false},
    {"astrometric_excess_noise", "float", "mas", "stat.value", "Excess noise", NULL, false},
    {"ruwe", "float", "", "stat.error", "Renormalised unit weight error", NULL, false},
    {"phot_g_mean_mag", "float", "mag", "phot.mag;em.opt", "G band mean magnitude", NULL, false},
    {"phot_bp_mean_mag", "float", "mag", "phot.mag;em.opt.B", "BP mean magnitude", NULL, false},
    {"phot_rp_mean_mag", "float", "mag", "phot.mag;em.opt.R", "RP mean magnitude", NULL, false},
    {"bp_rp", "float", "mag", "phot.color", "BP - RP colour", NULL, false},
    {"radial_velocity", "float", "km/s", "spect.dopplerVeloc.opt", "Radial velocity", NULL, false},
    {"radial_velocity_error", "float", "km/s", "stat.error", "Standard error", NULL, false},
    {"distance", "float", "deg", "pos.angDistance", "Distance from the search centre", NULL, true},
};

static void gaia_position(const hal_star *star, int64_t *ra, int64_t *dec)
{
    *ra = star->ra_units;
    *dec = star->dec_units;
}

static void gaia_fill(const hal_star *star, int64_t ra, int64_t dec, hal_cell *c, hal_scratch *s)
{
    (void)s;
    hal_star_physics p;
    hal_star_physics_of(star, &p);
    uint64_t key = star->key;
    double error = 0.02 * (1 + exp((p.g_mag - 17.3) * 1.1)); /* mas */
    double excess = fmax(0, 0.4 * hal_normal(key, 41));
    c[G_ID] = hal_cell_int((int64_t)gaia_id(star));
    c[G_RA] = hal_cell_fixed(ra, 12);
    c[G_RA_ERROR] = hal_cell_round(error, 6);
    c[G_DEC] = hal_cell_fixed(dec, 12);
    c[G_DEC_ERROR] = hal_cell_round(error * 0.93, 6);
    c[G_PARALLAX] = hal_cell_round(p.parallax_mas + error * hal_normal(key, 42), 9);
    c[G_PARALLAX_ERROR] = hal_cell_round(error * 1.12, 6);
    double pmra = p.pmra_mas_yr + error * hal_normal(key, 43);
    double pmdec = p.pmdec_mas_yr + error * hal_normal(key, 44);
    c[G_PM] = hal_cell_round(sqrt(pmra * pmra + pmdec * pmdec), 6);
    c[G_PMRA] = hal_cell_round(pmra, 9);
    c[G_PMRA_ERROR] = hal_cell_round(error * 1.05, 6);
    c[G_PMDEC] = hal_cell_round(pmdec, 9);
    c[G_PMDEC_ERROR] = hal_cell_round(error * 0.98, 6);
    c[G_EXCESS] = hal_cell_round(excess, 6);
    c[G_RUWE] = hal_cell_round(1 + 0.05 * hal_normal(key, 45) + 0.8 * excess, 6);
    c[G_G] = hal_cell_round(p.g_mag, 6);
    bool colour = hal_unit(key, 46) < 0.93; /* no colour for the rest */
    c[G_BP] = colour ? hal_cell_round(p.g_mag + 0.55 * p.bp_rp, 6) : hal_cell_text(NULL);
    c[G_RP] = colour ? hal_cell_round(p.g_mag - 0.45 * p.bp_rp, 6) : hal_cell_text(NULL);
    c[G_BP_RP] = colour ? hal_cell_fixed(c[G_BP].value - c[G_RP].value, 6) : hal_cell_text(NULL);
    bool velocity = p.g_mag < 14;
    c[G_RV] = velocity ? hal_cell_round(40 * hal_normal(key, 47), 6) : hal_cell_text(NULL);
    c[G_RV_ERROR] = velocity ? hal_cell_round(0.2 + hal_unit(key, 48) * 4, 6) : hal_cell_text(NULL);
}

const hal_view hal_view_gaia = {
    .columns = gaia_columns,
    .n_columns = G_COUNT,
    .margin_deg = 1e-9,
    .rank_max = 1,
    .field_fraction = 1,
    .member_fraction = 1,
    .decimals = 12,
    .id_column = G_ID,
    .position = gaia_position,
    .fill = gaia_fill,
    .distance_per_deg = 1,
    .locate = gaia_locate,
    .mag_columns = {G_G, -1},
    .mag_slack = 0.01,
};

/* ---- TESS Input Catalog: epoch J2000, 7 decimals ---- */
enum {
    T_ID,
    T_VERSION,
    T_HIP,
    T_TYC,
    T_UCAC,
    T_TWOMASS,
    T_SDSS,
    T_ALLWISE,
    T_GAIA,
    T_APASS,
    T_KIC,
    T_OBJTYPE,
    T_TYPESRC,
    T_RA,
    T_DEC,
    T_POSFLAG,
    T_PMRA,
    T_E_PMRA,
    T_PMDEC,
    T_E_PMDEC,
    T_PMFLAG,
    T_PLX,
    T_E_PLX,
    T_PARFLAG,
    T_GALLONG,
    T_GALLAT,
    T_BMAG,
    T_VMAG,
    T_JMAG,
    T_HMAG,
    T_KMAG,
    T_GAIAMAG,
    T_E_GAIAMAG,
    T_TMAG,
    T_E_TMAG,
    T_TEFF,
    T_LOGG,
    T_RAD,
    T_MASS,
    T_LUMCLASS,
    T_D,
    T_NUMCONT,
    T_CONTRATIO,
    T_DISPOSITION,
    T_PRIORITY,
    T_OBJID,
    T_DISTANCE,
    T_COUNT
};
static const hal_practice_column tic_columns[T_COUNT] = {
    {"ID", "string", "", "meta.id;meta.main", "TIC ID", NULL, false},
    {"version", "string", "", "", "Catalog version", NULL, false},
    {"HIP", "int", "", "", "Hipparcos number", NULL, false},
    {"TYC", "string", "", "", "Tycho-2 identifier", NULL, false},
    {"UCAC", "string", "", "", "UCAC4 identifier", NULL, false},
    {"TWOMASS", "string", "", "", "2MASS identifier", NULL, false},
    {"SDSS", "string", "", "", "SDSS objID", NULL, false},
    {"ALLWISE", "string", "", "", "ALLWISE identifier", NULL, false},
    {"GAIA", "string", "", "", "Gaia source_id", NULL, false},
    {"APASS", "string", "", "", "APASS identifier", NULL, false},
    {"KIC", "int", "", "", "Kepler identifier", NULL, false},
    {"objType", "string", "", "", "STAR or EXTENDED", NULL, false},
    {"typeSrc", "string", "", "", "Source of the object type", NULL, false},
    {"ra", "float", "deg", "pos.eq.ra;meta.main", "Right ascension, epoch J2000", NULL, false},
    {"dec", "float", "deg", "pos.eq.dec;meta.main", "Declination, epoch J2000", NULL, false},
    {"POSflag", "string", "", "", "Source of the position", NULL, false},
    {"pmRA", "float", "mas/yr", "pos.pm;pos.eq.ra", "Proper motion in ra", NULL, false},
    {"e_pmRA", "float", "mas/yr", "stat.error", "Standard error", NULL, false},
    {"pmDEC", "float", "mas/yr", "pos.pm;pos.eq.dec", "Proper motion in dec", NULL, false},
    {"e_pmDEC", "float", "mas/yr", "stat.error", "Standard error", NULL, false},
    {"PMflag", "string", "", "", "Source of the proper motion", NULL, false},
    {"plx", "float", "mas", "pos.parallax", "Parallax", NULL, false},
    {"e_plx", "float", "mas", "stat.error", "Standard error", NULL, false},
    {"PARflag", "string", "", "", "Source of the parallax", NULL, false},
    {"gallong", "float", "deg", "pos.galactic.lon", "Galactic longitude", NULL, false},
    {"gallat", "float", "deg", "pos.galactic.lat", "Galactic latitude", NULL, false},
    {"Bmag", "float", "mag", "phot.mag;em.opt.B", "Johnson B", NULL, false},
    {"Vmag", "float", "mag", "phot.mag;em.opt.V", "Johnson V", NULL, false},
    {"Jmag", "float", "mag", "phot.mag;em.IR.J", "2MASS J", NULL, false},
    {"Hmag", "float", "mag", "phot.mag;em.IR.H", "2MASS H", NULL, false},
    {"Kmag", "float", "mag", "phot.mag;em.IR.K", "2MASS Ks", NULL, false},
    {"GAIAmag", "float", "mag", "phot.mag;em.opt", "Gaia G", NULL, false},
    {"e_GAIAmag", "float", "mag", "stat.error", "Standard error", NULL, false},
    {"Tmag", "float", "mag", "phot.mag", "TESS magnitude", NULL, false},
    {"e_Tmag", "float", "mag", "stat.error", "Standard error", NULL, false},
    {"Teff", "float", "K", "phys.temperature.effective", "Effective temperature", NULL, false},
    {"logg", "float", "", "phys.gravity", "log of surface gravity, cgs", NULL, false},
    {"rad", "float", "solRad", "phys.size.radius", "Radius", NULL, false},
    {"mass", "float", "solMass", "phys.mass", "Mass", NULL, false},
    {"lumclass", "string", "", "", "DWARF or GIANT", NULL, false},
    {"d", "float", "pc", "pos.distance", "Distance", NULL, false},
    {"numcont", "int", "", "", "Number of contaminating sources", NULL, false},
    {"contratio", "float", "", "", "Contamination ratio", NULL, false},
    {"disposition", "string", "", "", "Disposition", NULL, false},
    {"priority", "float", "", "", "CTL priority", NULL, false},
    {"objID", "string", "", "meta.id", "MAST object id", NULL, false},
    {"dstArcSec", "float", "arcsec", "pos.angDistance", "Distance from the centre", NULL, true},
};

static void tic_position(const hal_star *star, int64_t *ra, int64_t *dec)
{
    hal_star_physics p;
    hal_star_physics_of(star, &p);
    double dec0 = (double)star->dec_units / HAL_SKY_UNITS_PER_DEG;
    double ra0 = (double)star->ra_units / HAL_SKY_UNITS_PER_DEG;
    if (fabs(dec0) < 89.9) { /* back by 16 years; near a pole stars stand still */
        ra0 -= 16 * p.pmra_mas_yr / 3.6e6 / cos(dec0 * RAD);
        dec0 -= 16 * p.pmdec_mas_yr / 3.6e6;
    }
    *ra = llround(ra0 * 1e7);
    if (*ra < 0)
        *ra += INT64_C(3600000000);
    if (*ra >= INT64_C(3600000000))
        *ra -= INT64_C(3600000000);
    *dec = llround(dec0 * 1e7);
}

static void galactic(double ra_deg, double dec_deg, double *l_deg, double *b_deg)
{
    double v0 = cos(dec_deg * RAD) * cos(ra_deg * RAD);
    double v1 = cos(dec_deg * RAD) * sin(ra_deg * RAD), v2 = sin(dec_deg * RAD);
    double x = -0.0548755604 * v0 - 0.8734370902 * v1 - 0.4838350155 * v2;
    double y = 0.4941094279 * v0 - 0.4448296300 * v1 + 0.7469822445 * v2;
    double z = -0.8676661490 * v0 - 0.1980763734 * v1 + 0.4559837762 * v2;
    *l_deg = atan2(y, x) / RAD;
    if (*l_deg < 0)
        *l_deg += 360;
    *b_deg = atan2(z, sqrt(x * x + y * y)) / RAD;
}

static bool has_priority(const hal_star *star, double g_mag)
{
    return g_mag < 14 && hal_unit(star->key, 61) < 0.8;
}

static void tic_fill(const hal_star *star, int64_t ra, int64_t dec, hal_cell *c, hal_scratch *s)
{
    hal_star_physics p;
    hal_star_physics_of(star, &p);
    uint64_t key = star->key;
    double ra_deg = (double)ra / 1e7, dec_deg = (double)dec / 1e7, l, b;
    galactic(ra_deg, dec_deg, &l, &b);
    for (int i = 0; i < T_COUNT; i++)
        c[i] = hal_cell_text(NULL);
    double color = p.bp_rp, error = 0.03 * (1 + exp((p.g_mag - 17) * 0.9));
    bool bright = p.g_mag<11.5, giant = color> 1.2 && p.g_mag < 13;
    c[T_ID] = hal_cell_int((int64_t)scramble(star));
    c[T_VERSION] = hal_cell_text("20190415");
    if (p.g_mag < 8.5)
        c[T_HIP] = hal_cell_int((int64_t)(hal_mix(key) % 118000 + 1));
    if (bright)
        c[T_TYC] = hal_cell_text(hal_scratch_printf(s, "%u-%05u-1", (unsigned)(star->cell % 9537),
                                                    (unsigned)(star->number % 99999)));
    if (p.g_mag < 17)
        c[T_TWOMASS] =
            hal_cell_text(hal_scratch_printf(s, "%08u%c%07u", (unsigned)(ra_deg / 15 * 1e6),
                                             dec < 0 ? '-' : '+', (unsigned)(fabs(dec_deg) * 1e5)));
    c[T_GAIA] = hal_cell_int((int64_t)gaia_id(star));
    c[T_OBJTYPE] = hal_cell_text(hal_unit(key, 51) < 0.02 ? "EXTENDED" : "STAR");
    c[T_TYPESRC] = hal_cell_text(bright ? "tmgaia2" : "gaia2");
    c[T_RA] = hal_cell_fixed(ra, 7);
    c[T_DEC] = hal_cell_fixed(dec, 7);
    c[T_POSFLAG] = hal_cell_text("gaia2");
    c[T_PMRA] = hal_cell_round(p.pmra_mas_yr + error * hal_normal(key, 52), 5);
    c[T_E_PMRA] = hal_cell_round(error, 6);
    c[T_PMDEC] = hal_cell_round(p.pmdec_mas_yr + error * hal_normal(key, 53), 5);
    c[T_E_PMDEC] = hal_cell_round(error * 0.9, 6);
    c[T_PMFLAG] = hal_cell_text("gaia2");
    c[T_PLX] = hal_cell_round(p.parallax_mas + error * hal_normal(key, 54), 6);
    c[T_E_PLX] = hal_cell_round(error * 0.8, 6);
    c[T_PARFLAG] = hal_cell_text("gaia2");
    c[T_GALLONG] = hal_cell_round(l, 9);
    c[T_GALLAT] = hal_cell_round(b, 9);
    if (p.g_mag < 17)
        c[T_BMAG] = hal_cell_round(p.g_mag + 0.9 * color, 3);
    c[T_VMAG] = hal_cell_round(p.g_mag + 0.22 * color, 3);
    if (p.g_mag < 17) {
        c[T_JMAG] = hal_cell_round(p.g_mag - 1.1 * color, 3);
        c[T_HMAG] = hal_cell_round(p.g_mag - 1.5 * color, 3);
        c[T_KMAG] = hal_cell_round(p.g_mag - 1.6 * color, 3);
    }
    c[T_GAIAMAG] = hal_cell_round(p.g_mag, 4);
    c[T_E_GAIAMAG] = hal_cell_round(0.0003 + 0.001 * hal_unit(key, 55), 6);
    c[T_TMAG] = hal_cell_round(p.g_mag - 0.45 * color, 4);
    c[T_E_TMAG] = hal_cell_round(0.006 + 0.01 * hal_unit(key, 56), 4);
    double teff = giant ? 4600 : 9500 / (1 + 0.75 * color), radius = giant ? 9 : teff / 5772;
    if (teff > 2000 && teff < 20000) {
        c[T_TEFF] = hal_cell_round(teff, 1);
        c[T_LOGG] = hal_cell_round(giant ? 2.6 : 4.44 - 0.4 * (radius - 1), 4);
        c[T_RAD] = hal_cell_round(radius, 5);
        c[T_MASS] = hal_cell_round(giant ? 1.3 : radius, 3);
        c[T_LUMCLASS] = hal_cell_text(giant ? "GIANT" : "DWARF");
    }
    c[T_D] = hal_cell_round(1000 / p.parallax_mas, 4);
    if (has_priority(star, p.g_mag)) {
        c[T_NUMCONT] = hal_cell_int((int64_t)(hal_unit(key, 57) * 120));
        c[T_CONTRATIO] = hal_cell_round(hal_unit(key, 58), 6);
        c[T_PRIORITY] = hal_cell_round(0.01 * hal_unit(key, 59), 9);
    }
    c[T_OBJID] = hal_cell_int((int64_t)(scramble(star) ^ UINT64_C(0x2a5a5a5a5)));
}

const hal_view hal_view_tic = {
    .columns = tic_columns,
    .n_columns = T_COUNT,
    .margin_deg = 0.0065, /* 1.42 arcsec a year for 16 years */
    .rank_max = 0.35,     /* G < 19.6 */
    .field_fraction = 1,
    .member_fraction = 0.2,
    .decimals = 7,
    .id_column = T_ID,
    .position = tic_position,
    .fill = tic_fill,
    .distance_per_deg = 3600,
    .locate = unscramble,
    .mag_columns = {T_GAIAMAG, T_TMAG, -1},
    .mag_slack = 1.5, /* G - T = 0.45 (BP - RP) */
};

/* The priority is what makes a TIC star a CTL star; the rows keep only those (rows.c). */
const hal_view hal_view_ctl = {
    .columns = tic_columns,
    .n_columns = T_COUNT,
    .margin_deg = 0.0065,
    .rank_max = 0.005, /* G < 14.1 */
    .field_fraction = 1,
    .member_fraction = 0.2,
    .decimals = 7,
    .id_column = T_ID,
    .position = tic_position,
    .fill = tic_fill,
    .distance_per_deg = 3600,
    .locate = unscramble,
    .mag_columns = {T_GAIAMAG, T_TMAG, -1},
    .mag_slack = 1.5,
};

/* ---- GALEX: blurred positions, 6 decimals, identifiers beyond 2^62 ---- */
enum {
    X_ID,
    X_SURVEY,
    X_RA,
    X_DEC,
    X_BAND,
    X_FUV,
    X_FUV_ERROR,
    X_NUV,
    X_NUV_ERROR,
    X_EBV,
    X_DISTANCE,
    X_COUNT
};
static const hal_practice_column galex_columns[X_COUNT] = {
    {"objID", "string", "", "meta.id;meta.main", "GALEX object id", NULL, false},
    {"survey", "string", "", "", "AIS or MIS", NULL, false},
    {"ra", "float", "deg", "pos.eq.ra;meta.main", "Right ascension", NULL, false},
    {"dec", "float", "deg", "pos.eq.dec;meta.main", "Declination", NULL, false},
    {"band", "int", "", "", "1 NUV, 2 FUV, 3 both", NULL, false},
    {"fuv_mag", "float", "mag", "phot.mag;em.UV", "FUV magnitude", NULL, false},
    {"fuv_magerr", "float", "mag", "stat.error", "FUV error", NULL, false},
    {"nuv_mag", "float", "mag", "phot.mag;em.UV", "NUV magnitude", NULL, false},
    {"nuv_magerr", "float", "mag", "stat.error", "NUV error", NULL, false},
    {"e_bv", "float", "mag", "phot.color.excess", "Reddening", NULL, false},
    {"distance_arcmin", "float", "arcmin", "pos.angDistance", "Distance from the centre", NULL,
     true},
};

static void galex_position(const hal_star *star, int64_t *ra, int64_t *dec)
{
    double dec0 = (double)star->dec_units / HAL_SKY_UNITS_PER_DEG;
    double ra0 = (double)star->ra_units / HAL_SKY_UNITS_PER_DEG;
    if (fabs(dec0) < 89.9) { /* half an arcsecond of error */
        ra0 += 0.5 / 3600 * hal_normal(star->key, 71) / cos(dec0 * RAD);
        dec0 += 0.5 / 3600 * hal_normal(star->key, 72);
    }
    *ra = llround(ra0 * 1e6);
    if (*ra < 0)
        *ra += 360000000;
    if (*ra >= 360000000)
        *ra -= 360000000;
    *dec = llround(dec0 * 1e6);
}

#define GALEX_BASE (UINT64_C(6) << 60)

static bool galex_locate(uint64_t id, uint64_t *cell, uint32_t *number)
{
    return id >= GALEX_BASE && unscramble(id - GALEX_BASE, cell, number);
}

static void galex_fill(const hal_star *star, int64_t ra, int64_t dec, hal_cell *c, hal_scratch *s)
{
    (void)s;
    hal_star_physics p;
    hal_star_physics_of(star, &p);
    uint64_t key = star->key;
    double nuv = p.g_mag + 3 * p.bp_rp - 1;
    bool fuv = hal_unit(key, 73) < 0.3;
    c[X_ID] = hal_cell_int((int64_t)(GALEX_BASE + scramble(star)));
    c[X_SURVEY] = hal_cell_text(hal_unit(key, 74) < 0.9 ? "AIS" : "MIS");
    c[X_RA] = hal_cell_fixed(ra, 6);
    c[X_DEC] = hal_cell_fixed(dec, 6);
    c[X_BAND] = hal_cell_int(fuv ? 3 : 1);
    c[X_FUV] = hal_cell_round(fuv ? nuv + 1.5 : -999, 4);
    c[X_FUV_ERROR] = hal_cell_round(fuv ? 0.2 : -999, 4);
    c[X_NUV] = hal_cell_round(nuv, 4);
    c[X_NUV_ERROR] = hal_cell_round(0.02 + 0.3 * hal_unit(key, 75), 4);
    c[X_EBV] = hal_cell_round(0.3 * hal_unit(key, 76), 5);
}

const hal_view hal_view_galex = {
    .columns = galex_columns,
    .n_columns = X_COUNT,
    .margin_deg = 0.002,
    .rank_max = 0.3,
    .field_fraction = 0.15,
    .member_fraction = 0.01,
    .decimals = 6,
    .id_column = X_ID,
    .position = galex_position,
    .fill = galex_fill,
    .distance_per_deg = 60,
    .locate = galex_locate,
    .mag_columns = {-1},
};
