/* SPDX-License-Identifier: BSD-3-Clause */
#include "practice/caom_private.h"

#include <math.h>
#include <string.h>

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

static const product_kind *kinds_of(const hal_observation *o)
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

static const char *obs_id_of(const hal_observation *o, hal_scratch *s)
{
    char t[11], low[64], instrument[64];
    token(o->obsid, t);
    small_letters(low, sizeof low, o->band->filter);
    small_letters(instrument, sizeof instrument, o->band->instrument);
    unsigned h = (unsigned)(hal_mix(o->key + 12) >> 40);
    switch (o->mission) {
    case HAL_HST:
        return hal_scratch_printf(s, "%c%s",
                                  o->band->instrument[0] == 'A'   ? 'j'
                                  : o->band->instrument[3] == '3' ? 'i'
                                                                  : 'u',
                                  t);
    case HAL_JWST:
        return hal_scratch_printf(s, "jw%05u-o%03u_t001_%s_clear-%s-%s", 1000 + h % 8000,
                                  h % 900 + 1, instrument, low, t);
    case HAL_PS1:
        return hal_scratch_printf(s, "rings.v3.skycell.%04u.%03u.stk.%s.%s",
                                  (unsigned)(o->cell / 100 % 10000), (unsigned)(o->cell % 100), low,
                                  t);
    case HAL_GALEX:
        return hal_scratch_printf(s, "AIS_%u_sg%02u_%s", h % 500, h % 97, t);
    case HAL_HLSP:
        return hal_scratch_printf(s, "hlsp_practice_hst_acs-wfc_%s_multi_v1", t);
    default:
        return o->is_ffi ? hal_scratch_printf(s, "tess-s%04u-%d-%d-%s", (unsigned)o->cell,
                                              o->number / 4 + 1, o->number % 4 + 1, t)
                         : hal_scratch_printf(s, "tess-s%04u-%s-0120-s", h % HAL_SECTORS + 1, t);
    }
}

static const char *uri_of(const hal_observation *o, const product_kind *k, const char *obs_id,
                          hal_scratch *s)
{
    if (o->mission == HAL_GALEX)
        return hal_scratch_printf(s, "mast:GALEX/url/data/GR6/pipe/01-vsn/d/%s%s", obs_id,
                                  k->suffix);
    if (o->mission == HAL_HLSP)
        return hal_scratch_printf(s, "mast:HLSP/practice/%s%s", obs_id, k->suffix);
    return hal_scratch_printf(s, "mast:%s/product/%s%s", hal_caom_collection(o->mission), obs_id,
                              k->suffix);
}

static int64_t size_of(const hal_observation *o, int i, const product_kind *k)
{
    uint64_t span = (uint64_t)(k->blocks_max - k->blocks_min + 1);
    return (int64_t)(2880 * ((uint64_t)k->blocks_min + hal_mix(o->key + 100 + (uint64_t)i) % span));
}

static const char *target_name(const hal_observation *o, hal_scratch *s)
{
    if (o->is_ffi)
        return "TESS FFI";
    if (o->mission == HAL_TESS)
        return hal_scratch_printf(s, "%u", (unsigned)(hal_mix(o->key + 13) % 900000000 + 1000));
    if (o->target)
        return o->mission == HAL_HST
                   ? hal_scratch_printf(s, "%s-FIELD%d", o->target->name, o->number % 4)
                   : o->target->name;
    return hal_scratch_printf(s, "FIELD-%05u", (unsigned)(o->cell % 100000));
}

static int sector_of(const hal_observation *o)
{
    return o->is_ffi ? (int)o->cell
                     : (int)((unsigned)(hal_mix(o->key + 12) >> 40) % HAL_SECTORS) + 1;
}

static double start_of(const hal_observation *o)
{
    double u = hal_unit(o->key, 14);
    switch (o->mission) {
    case HAL_HST:
        return 52400 + 7500 * u;
    case HAL_JWST:
        return 59770 + 1200 * u;
    case HAL_PS1:
        return 55000 + 1400 * u;
    case HAL_GALEX:
        return 52900 + 3200 * u;
    case HAL_HLSP:
        return 53000 + 4000 * u;
    default:
        return 58325.3 + 27.4 * (sector_of(o) - 1);
    }
}

/* A blank and the angle with eight decimals, from units of 1e-8 degrees: as printf's %.8f and nine
 * times as fast, which scans of all observations notice. */
static char *put_angle(char *out, int64_t value)
{
    uint64_t v = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    char digits[24];
    int n = 0;
    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
        if (n == 8)
            digits[n++] = '.';
    } while (v || n < 10);
    *out++ = ' ';
    if (value < 0)
        *out++ = '-';
    while (n)
        *out++ = digits[--n];
    *out = 0;
    return out;
}

static const char *footprint(const hal_observation *o, hal_scratch *s)
{
    char text[10 * 24], *end = text;
    if (!o->n_vertices) {
        end = put_angle(put_angle(end, o->ra8), o->dec8);
        put_angle(end, llround(o->band->half_deg * 1e8));
        return hal_scratch_printf(s, "CIRCLE ICRS%s", text);
    }
    for (int i = 0; i < 10; i++)
        end = put_angle(end, o->vertices[i / 2 % 4][i % 2]);
    return hal_scratch_printf(s, "POLYGON ICRS%s", text);
}

/* New JWST data belong to their proposers for a year. */
static const char *rights_of(const hal_observation *o)
{
    return o->mission == HAL_JWST && hal_unit(o->key, 17) < 0.03 ? "EXCLUSIVE_ACCESS" : "PUBLIC";
}

bool hal_caom_fill(uint64_t seed, const hal_plane *plane, hal_cell *c, hal_scratch *s)
{
    static const char *const pis[] = {"Abbot",   "Beltran, Ines", "Chandra",       "Dufour, Jean",
                                      "Eriksen", "Fujita, Aki",   "Garc\303\255a", "O'Neill, Ann"};
    static const char *const provenance[] = {"SPOC", "3PI", "CALJWST", "CALACS", "Practice", "AIS"};
    hal_observation o;
    if (!hal_caom_observe(seed, plane->obsid, &o) || plane->plane >= hal_caom_planes(&o))
        return false;
    const hal_band *b = hal_caom_band(&o, plane->plane);
    const char *obs_id = obs_id_of(&o, s);
    unsigned proposal =
        (unsigned)(hal_mix(hal_caom_cell_hash(seed, o.layer, o.cell) + (uint64_t)(o.number / 4)) %
                   9000);
    double start = start_of(&o);
    double exposure = o.mission == HAL_TESS ? 120 : 60 + floor(1500 * hal_unit(o.key, 15));
    double length = o.mission == HAL_TESS ? 27 : exposure * 1.4 / 86400;
    const product_kind *kinds = kinds_of(&o);
    const product_kind *preview = kinds;
    while (preview->suffix && strcmp(preview->type, "PREVIEW") != 0)
        preview++;
    int i = 0;
    c[i++] = hal_cell_text("science");
    c[i++] = hal_cell_text(hal_caom_collection(o.mission));
    c[i++] = hal_cell_text(provenance[o.mission]);
    c[i++] = hal_cell_text(b->instrument);
    c[i++] = hal_cell_text(o.mission == HAL_HLSP    ? "hlsp_practice"
                           : o.mission == HAL_GALEX ? "AIS"
                                                    : hal_caom_collection(o.mission));
    c[i++] = hal_cell_text(b->filter);
    c[i++] = hal_cell_text(b->region);
    c[i++] = hal_cell_text(target_name(&o, s));
    c[i++] = hal_cell_text(o.target                    ? "STELLAR CLUSTER;NEBULA;GALAXY"
                           : hal_unit(o.key, 16) < 0.5 ? "STAR;FIELD"
                                                       : NULL);
    c[i++] = hal_cell_text(obs_id);
    c[i++] = hal_cell_fixed(o.ra8, 8);
    c[i++] = hal_cell_fixed(o.dec8, 8);
    c[i++] = hal_cell_text(o.mission == HAL_TESS && !o.is_ffi ? "timeseries" : "image");
    c[i++] =
        hal_cell_text(o.mission == HAL_PS1 || o.mission == HAL_GALEX ? NULL : pis[proposal % 8]);
    c[i++] = hal_cell_int(o.mission == HAL_HLSP ? 4 : o.is_ffi || o.mission == HAL_GALEX ? 2 : 3);
    c[i++] = hal_cell_round(start, 5);
    c[i++] = hal_cell_round(start + length, 5);
    c[i++] = hal_cell_round(exposure, 3);
    c[i++] = hal_cell_round(b->em_min, 1);
    c[i++] = hal_cell_round(b->em_max, 1);
    c[i++] = hal_cell_text(o.target ? hal_scratch_printf(s, "Deep imaging of %s, part \"%u\"",
                                                         o.target->name, proposal % 7)
                                    : "Survey of fields of no name");
    c[i++] = hal_cell_round(start + 200, 5);
    c[i++] = hal_cell_text(o.mission == HAL_PS1 || o.mission == HAL_GALEX
                               ? NULL
                               : hal_scratch_printf(s, "%u", 1000 + proposal));
    c[i++] = hal_cell_text(o.mission == HAL_HST || o.mission == HAL_JWST ? "GO" : NULL);
    c[i++] = o.mission == HAL_TESS ? hal_cell_int(sector_of(&o)) : hal_cell_text(NULL);
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
    hal_observation o;
    if (!hal_caom_observe(seed, obsid, &o))
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
    c[5] = hal_cell_text(o.mission == HAL_JWST || o.mission == HAL_HLSP ? "C" : "S");
    c[6] = hal_cell_text(uri);
    c[7] = hal_cell_text(k->type);
    c[8] = hal_cell_text(k->recommended ? "Minimum Recommended Products" : NULL);
    c[9] = hal_cell_text(k->subgroup);
    c[10] = hal_cell_text(NULL);
    c[11] = hal_cell_text(project[o.mission]);
    c[12] = hal_cell_text(o.mission == HAL_JWST ? "1.12.5" : NULL);
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
