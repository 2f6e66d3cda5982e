/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/match.h"

#include "base/alloc.h"
#include "base/number.h"
#include "data/join.h"
#include "data/select.h"
#include "sky/angle.h"

#include <math.h>
#include <string.h>
#include <strings.h>

_Static_assert(HAL_MATCH_NONE == HAL_NO_ROW, "pairs go to joins as they are");

hal_status hal_match_mode_from_name(hal_match_mode *out, const char *name, hal_err *err)
{
    static const struct {
        const char *name;
        hal_match_mode mode;
    } modes[] = {{"best", HAL_MATCH_BEST},
                 {"symmetric", HAL_MATCH_SYMMETRIC},
                 {"all", HAL_MATCH_ALL},
                 {"nearest", HAL_MATCH_NEAREST}};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (!strcmp(modes[i].name, name)) {
            *out = modes[i].mode;
            return HAL_OK;
        }
    return hal_err_set(err, HAL_E_USAGE,
                       "there is no match mode '%s'; use best, symmetric, all or nearest", name);
}

/* Columns by their unit */

typedef struct unit {
    const char *name;
    double divisor; /* how many of it make one of the unit wanted */
} unit;

/* Units end with a NULL name. */
static const unit degrees[] = {{"deg", 1}, {"degree", 1}, {"degrees", 1}, {NULL, 0}};
static const unit radii[] = {{"deg", 1},       {"degree", 1},  {"degrees", 1}, {"arcmin", 60},
                             {"arcsec", 3600}, {"mas", 3.6e6}, {NULL, 0}};
static const unit motions[] = {{"mas/yr", 1},     {"mas.yr-1", 1},   {"mas yr-1", 1},
                               {"mas.yr**-1", 1}, {"mas yr**-1", 1}, {"mas/a", 1},
                               {"mas/year", 1},   {NULL, 0}};
static const unit years[] = {{"yr", 1}, {"a", 1}, {"year", 1}, {NULL, 0}};

/* 0: not among them. */
static double unit_divisor(const unit *units, const char *name)
{
    for (; units->name; units++)
        if (!strcasecmp(units->name, name))
            return units->divisor;
    return 0;
}

static bool is_numeric(const hal_field *f)
{
    return hal_field_is_scalar(f) && (hal_type_is_float(f->type) || hal_type_is_integer(f->type));
}

/* Text without values: its type is not known, and numbers are as likely as anything. */
static bool is_unknown(const hal_table *t, size_t i_col)
{
    return hal_table_field(t, i_col)->type == HAL_TYPE_STRING && !hal_table_has_values(t, i_col);
}

static hal_status numeric_column(const hal_table *t, const char *name, const unit *units,
                                 const char *what, size_t *i_col, hal_err *err)
{
    hal_status st = hal_table_require(t, name, i_col, err);
    if (st)
        return st;
    const hal_field *f = hal_table_field(t, *i_col);
    if (!is_numeric(f) && !is_unknown(t, *i_col))
        return hal_err_set(err, HAL_E_USAGE, "column '%s' is %s; %s", f->name,
                           f->type == HAL_TYPE_STRING ? "text, not numeric" : "not numeric", what);
    if (*f->unit && unit_divisor(units, f->unit) == 0)
        return hal_err_set(err, HAL_E_USAGE, "column '%s' is in %s; %s", f->name, f->unit, what);
    return HAL_OK;
}

/* A pair of columns as archives call it. */
typedef struct pair_names {
    bool by_ucd;
    const char *names[2];
} pair_names;

/* How many numeric columns (or also those of unknown type) in one of the units, or of unknown unit,
 * have that UCD or name; the first two go to out. */
static size_t columns_by(const hal_table *t, bool by_ucd, const char *text, const unit *units,
                         bool or_unknown, size_t out[2])
{
    size_t n = 0;
    for (size_t i = 0; i < hal_table_columns(t); i++) {
        const hal_field *f = hal_table_field(t, i);
        if (!strcasecmp(by_ucd ? f->ucd : f->name, text) &&
            (is_numeric(f) || (or_unknown && is_unknown(t, i))) &&
            (!*f->unit || unit_divisor(units, f->unit) != 0) && n++ < 2)
            out[n - 1] = i;
    }
    return n;
}

/* The first column of text of that UCD or name; their number when there is none. */
static size_t text_column(const hal_table *t, bool by_ucd, const char *text)
{
    size_t i = 0, n = hal_table_columns(t);
    for (; i < n; i++) {
        const hal_field *f = hal_table_field(t, i);
        if (!strcasecmp(by_ucd ? f->ucd : f->name, text) && f->type == HAL_TYPE_STRING &&
            !is_unknown(t, i))
            break;
    }
    return i;
}

/* *found: a pair is there. Columns of unknown type are taken only where there is no other pair. */
static hal_status find_pair(const hal_table *t, const pair_names *known, size_t n_known,
                            const unit *units, bool *found, size_t i_cols[2], hal_err *err)
{
    *found = false;
    for (size_t try = 0; try < 2 * n_known && !*found; try++) {
        size_t k = try % n_known, fit[2][2], n[2];
        for (int i = 0; i < 2; i++)
            n[i] = columns_by(t, known[k].by_ucd, known[k].names[i], units, try >= n_known, fit[i]);
        if (n[0] == 0 || n[1] == 0)
            continue;
        for (int i = 0; i < 2; i++)
            if (n[i] > 1)
                return hal_err_set(
                    err, HAL_E_USAGE, "columns '%s' and '%s' are both %s by %s; name the columns",
                    hal_table_field(t, fit[i][0])->name, hal_table_field(t, fit[i][1])->name,
                    known[k].names[i], known[k].by_ucd ? "UCD" : "name");
        i_cols[0] = fit[0][0];
        i_cols[1] = fit[1][0];
        *found = true;
    }
    return HAL_OK;
}

hal_status hal_table_find_position(const hal_table *t, const char *ra, const char *dec,
                                   size_t *i_ra, size_t *i_dec, hal_err *err)
{
    static const pair_names known[] = {
        {true, {"pos.eq.ra;meta.main", "pos.eq.dec;meta.main"}},
        {true, {"POS_EQ_RA_MAIN", "POS_EQ_DEC_MAIN"}}, /* UCD1, in older VOTables */
        {true, {"pos.eq.ra", "pos.eq.dec"}},
        {false, {"ra", "dec"}},
        {false, {"s_ra", "s_dec"}},
        {false, {"ra_deg", "dec_deg"}},
        {false, {"raj2000", "dej2000"}},
        {false, {"_raj2000", "_dej2000"}},
        {false, {"ra_icrs", "de_icrs"}},
        {false, {"ramean", "decmean"}},
        {false, {"matchra", "matchdec"}},
    };
    static const char what[] = "positions must be numbers in degrees (of sexagesimal text "
                               "halyard.sky.position makes them)";
    if (!ra != !dec)
        return hal_err_set(err, HAL_E_USAGE, "column '%s' is one of two; name that of the %s too",
                           ra ? ra : dec, ra ? "declination" : "right ascension");
    if (ra) {
        hal_status st = numeric_column(t, ra, degrees, what, i_ra, err);
        return st ? st : numeric_column(t, dec, degrees, what, i_dec, err);
    }
    bool found;
    size_t i_cols[2];
    hal_status st = find_pair(t, known, sizeof known / sizeof *known, degrees, &found, i_cols, err);
    if (st)
        return st;
    for (size_t k = 0; k < 2 * (sizeof known / sizeof *known) && !found; k++) {
        size_t i_text = text_column(t, known[k / 2].by_ucd, known[k / 2].names[k % 2]);
        if (i_text < hal_table_columns(t))
            return numeric_column(t, hal_table_field(t, i_text)->name, degrees, what, i_ra, err);
    }
    if (!found)
        return hal_err_set(
            err, HAL_E_USAGE,
            "no pair of columns is known as a position in degrees, by UCD (pos.eq.ra, "
            "pos.eq.dec) or name (ra, dec); name the columns");
    *i_ra = i_cols[0];
    *i_dec = i_cols[1];
    return HAL_OK;
}

/* "auto", or two names with a comma between them. */
static hal_status find_motion(const hal_table *t, const char *text, size_t i_cols[2], hal_err *err)
{
    static const pair_names known[] = {
        {true, {"pos.pm;pos.eq.ra", "pos.pm;pos.eq.dec"}},
        {true, {"POS_EQ_PMRA", "POS_EQ_PMDEC"}},
        {false, {"pmra", "pmdec"}},
        {false, {"pmra", "pmde"}},
        {false, {"pm_ra", "pm_dec"}},
    };
    static const char what[] = "proper motions must be numbers in mas/yr";
    bool found;
    if (!strcmp(text, "auto")) {
        hal_status st =
            find_pair(t, known, sizeof known / sizeof *known, motions, &found, i_cols, err);
        if (!st && !found)
            st = hal_err_set(err, HAL_E_USAGE,
                             "no pair of columns is known as proper motion in mas/yr, by UCD "
                             "(pos.pm;pos.eq.ra) or name (pmra, pmdec); name the columns");
        return st;
    }
    const char *comma = strchr(text, ',');
    if (!comma || strchr(comma + 1, ','))
        return hal_err_set(err, HAL_E_USAGE,
                           "proper motion '%s': write two columns with a comma between them, "
                           "\"pmra,pmdec\", or \"auto\"",
                           text);
    char *name = hal_strndup(text, (size_t)(comma - text));
    if (!name)
        return hal_err_nomem(err, strlen(text));
    hal_status st = numeric_column(t, name, motions, what, &i_cols[0], err);
    hal_free(name);
    return st ? st : numeric_column(t, comma + 1, motions, what, &i_cols[1], err);
}

/* "err" or "err arcsec"; by *divisor it is in degrees. */
static hal_status find_radius(const hal_table *t, const char *text, size_t *i_col, double *divisor,
                              hal_err *err)
{
    static const char what[] = "radii are numbers in deg, arcmin, arcsec or mas";
    const char *blank = strrchr(text, ' ');
    double told = blank ? unit_divisor(radii, blank + 1) : 0;
    hal_status st;
    if (told != 0 && hal_table_find(t, text) == HAL_COLUMN_ABSENT) {
        char *name = hal_strndup(text, (size_t)(blank - text));
        if (!name)
            return hal_err_nomem(err, strlen(text));
        st = numeric_column(t, name, radii, what, i_col, err);
        hal_free(name);
    } else {
        told = 0;
        st = numeric_column(t, text, radii, what, i_col, err);
    }
    if (st)
        return hal_err_note(err, st, "radius");
    const hal_field *f = hal_table_field(t, *i_col);
    double own = unit_divisor(radii, f->unit);
    if (told == 0 && own == 0)
        return hal_err_set(err, HAL_E_USAGE,
                           "the radius column '%s' has no unit; tell it: \"%s arcsec\"", f->name,
                           f->name);
    if (told != 0 && own != 0 && told != own)
        return hal_err_set(err, HAL_E_USAGE, "the radius column '%s' is in %s, not in %s", f->name,
                           f->unit, blank + 1);
    *divisor = told != 0 ? told : own;
    return HAL_OK;
}

/* Matching */

typedef struct places {
    hal_match_side side;
    double *own[6]; /* copies, NULL where the column itself serves */
} places;

static void places_clear(places *p)
{
    for (size_t i = 0; i < sizeof p->own / sizeof *p->own; i++)
        hal_free(p->own[i]);
}

/* The column's values as doubles: its own memory if it can be. */
static hal_status get_doubles(const hal_table *t, size_t i_col, double **own, const double **values,
                              hal_err *err)
{
    hal_column c = hal_table_column(t, i_col);
    if (hal_table_field(t, i_col)->type == HAL_TYPE_FLOAT64 && !c.valid) {
        *values = c.values;
        return HAL_OK;
    }
    size_t size = hal_table_rows(t) * sizeof **own;
    *own = hal_malloc(size);
    if (!*own)
        return hal_err_nomem(err, size);
    *values = *own;
    return hal_table_as_doubles(t, i_col, *own, err);
}

static hal_status get_radii(places *p, const hal_table *t, const char *text, hal_err *err)
{
    size_t i_col = 0, n = hal_table_rows(t), size = n * sizeof(double);
    double divisor = 1;
    hal_status st = find_radius(t, text, &i_col, &divisor, err);
    if (st)
        return st;
    if (!(p->own[2] = hal_malloc(size)))
        return hal_err_nomem(err, size);
    p->side.radius_deg = p->own[2];
    st = hal_table_as_doubles(t, i_col, p->own[2], err);
    for (size_t i = 0; i < n && !st; i++)
        if (p->own[2][i] > 180 * divisor)
            st = hal_err_set(err, HAL_E_USAGE, "row %zu: the radius is above 180 degrees", i + 1);
        else
            p->own[2][i] /= divisor;
    return st;
}

static bool read_year(const char *text, double *year)
{
    return hal_number_read_double(hal_slice_of(text), year);
}

static hal_status bad_year(const char *what, hal_err *err)
{
    return hal_err_set(err, HAL_E_USAGE, "%s is a Julian year from 1000 to 3000, such as 2016.0",
                       what);
}

static hal_status get_epochs(places *p, const hal_table *t, const char *text, hal_err *err)
{
    static const char what[] = "epochs are Julian years, such as 2016.0";
    size_t i_col = 0;
    hal_status st = numeric_column(t, text, years, what, &i_col, err);
    if (st)
        return hal_err_note(err, st, "epoch");
    st = get_doubles(t, i_col, &p->own[5], &p->side.epochs_yr, err);
    for (uint64_t i = 0; i < p->side.n_rows && !st; i++)
        if ((isfinite(p->side.pm_ra_mas_yr[i]) || isfinite(p->side.pm_dec_mas_yr[i])) &&
            !(p->side.epochs_yr[i] >= 1000 && p->side.epochs_yr[i] <= 3000))
            st = hal_err_set(err, HAL_E_USAGE,
                             "row %llu of column '%s' is no year from 1000 to 3000: %s",
                             (unsigned long long)i + 1, hal_table_field(t, i_col)->name, what);
    p->side.epoch_yr = 2000; /* only for rows that do not move */
    return st;
}

/* Motions and epochs of side `i`. */
static hal_status get_motion(places *p, const hal_table *t, const hal_pairing *pairing, int i,
                             hal_err *err)
{
    const char *epoch = pairing->epoch[i];
    bool is_year = epoch && read_year(epoch, &p->side.epoch_yr);
    if (is_year && !(p->side.epoch_yr >= 1000 && p->side.epoch_yr <= 3000))
        return bad_year("an epoch", err);
    if (!pairing->pm[i])
        return epoch && !is_year
                   ? hal_err_set(err, HAL_E_USAGE,
                                 "epoch '%s': without proper motions an epoch is one year, "
                                 "such as 2016.0",
                                 epoch)
                   : HAL_OK;
    if (!epoch)
        return hal_err_set(err, HAL_E_USAGE,
                           "there are proper motions but no epoch; give the year of the "
                           "positions, as in 2016.0, or a column");
    size_t i_cols[2] = {0, 0};
    hal_status st = find_motion(t, pairing->pm[i], i_cols, err);
    if (!st)
        st = get_doubles(t, i_cols[0], &p->own[3], &p->side.pm_ra_mas_yr, err);
    if (!st)
        st = get_doubles(t, i_cols[1], &p->own[4], &p->side.pm_dec_mas_yr, err);
    return st || is_year ? st : get_epochs(p, t, epoch, err);
}

static hal_status get_places(places *p, const hal_table *t, const hal_pairing *pairing, int i,
                             hal_err *err)
{
    size_t i_ra = 0, i_dec = 0;
    p->side.n_rows = hal_table_rows(t);
    hal_status st = hal_table_find_position(t, pairing->ra[i], pairing->dec[i], &i_ra, &i_dec, err);
    if (!st)
        st = get_doubles(t, i_ra, &p->own[0], &p->side.ra_deg, err);
    if (!st)
        st = get_doubles(t, i_dec, &p->own[1], &p->side.dec_deg, err);
    if (!st)
        st = get_motion(p, t, pairing, i, err);
    return st ? hal_err_note(err, st, "%s table", i ? "right" : "left") : HAL_OK;
}

/* The year at which places are compared: told, else that of the side that stands still. */
static hal_status choose_year(hal_match_options *o, const hal_pairing *pairing, const places *l,
                              const places *r, hal_err *err)
{
    bool moves[2] = {l->side.pm_ra_mas_yr, r->side.pm_ra_mas_yr};
    if (pairing->at) {
        if (!moves[0] && !moves[1])
            return hal_err_set(err, HAL_E_USAGE,
                               "a year to compare at needs the proper motions of a side");
        return read_year(pairing->at, &o->epoch_yr) && o->epoch_yr >= 1000 && o->epoch_yr <= 3000
                   ? HAL_OK
                   : bad_year("the year to compare at", err);
    }
    if (!moves[0] && !moves[1])
        return pairing->epoch[0] || pairing->epoch[1]
                   ? hal_err_set(err, HAL_E_USAGE,
                                 "an epoch changes nothing without proper motions: name their "
                                 "columns")
                   : HAL_OK;
    const hal_match_side *still = moves[0] ? &r->side : &l->side;
    o->epoch_yr = still->epoch_yr;
    if (moves[0] && moves[1])
        return hal_err_set(err, HAL_E_USAGE,
                           "both tables have proper motions; give the year to compare at");
    if (still->epoch_yr == 0)
        return hal_err_set(
            err, HAL_E_USAGE,
            "the %s table has no proper motions: give the epoch of its positions, or "
            "the year to compare at",
            moves[0] ? "right" : "left");
    return HAL_OK;
}

bool hal_radius_is_angle(const char *radius)
{
    return *radius && strchr("0123456789+-.", *radius);
}

static hal_status get_radius(hal_match_options *o, places *l, places *r, const hal_table *left,
                             const hal_table *right, const hal_pairing *pairing, hal_err *err)
{
    const char *text = pairing->radius;
    hal_status st = hal_radius_is_angle(text)
                        ? hal_angle_parse(&o->radius_deg, hal_slice_of(text), NULL, err)
                        : get_radii(l, left, text, err);
    if (!st && pairing->other_radius)
        st = get_radii(r, right, pairing->other_radius, err);
    return st;
}

hal_status hal_table_read_places(const hal_table *t, const char *ra, const char *dec,
                                 const char *radius, double *out_ra, double *out_dec,
                                 double *out_radius, hal_err *err)
{
    size_t i_ra = 0, i_dec = 0, size = hal_table_rows(t) * sizeof(double);
    places p = {.side.n_rows = hal_table_rows(t)};
    hal_match_options o = {0};
    hal_status st = hal_table_find_position(t, ra, dec, &i_ra, &i_dec, err);
    if (!st)
        st = hal_table_as_doubles(t, i_ra, out_ra, err);
    if (!st)
        st = hal_table_as_doubles(t, i_dec, out_dec, err);
    if (!st)
        st = get_radius(&o, &p, NULL, t, NULL, &(hal_pairing){.radius = radius}, err);
    if (!st && p.side.radius_deg)
        memcpy(out_radius, p.side.radius_deg, size);
    for (uint64_t i = 0; i < p.side.n_rows && !st && !p.side.radius_deg; i++)
        out_radius[i] = o.radius_deg;
    places_clear(&p);
    return st;
}

/* The separations as a table of one column. */
static hal_table *separations(const hal_match *m, hal_err *err)
{
    hal_field field = {.name = "sep_arcsec",
                       .type = HAL_TYPE_FLOAT64,
                       .unit = "arcsec",
                       .ucd = "pos.angDistance",
                       .description = "distance on the sky of the two rows"};
    hal_builder *b = hal_builder_new(&field, 1, err);
    hal_status st = b ? HAL_OK : HAL_E_NOMEM;
    for (uint64_t i = 0; i < m->n_pairs && !st; i++) {
        if (m->right[i] != HAL_MATCH_NONE)
            st = hal_builder_float64(b, 0, m->sep_deg[i] * 3600.0, err);
        if (!st)
            st = hal_builder_end_row(b, err);
    }
    hal_table *t = st ? NULL : hal_builder_finish(b, err);
    hal_builder_free(b);
    return t;
}

static hal_table *join(const hal_table *left, const hal_table *right, const hal_match *m,
                       const char *suffix, hal_err *err)
{
    hal_table *l = hal_table_take_or_null(left, m->left, m->n_pairs, err);
    hal_table *r = l ? hal_table_take_or_null(right, m->right, m->n_pairs, err) : NULL;
    hal_table *s = r ? separations(m, err) : NULL;
    hal_table *both = s ? hal_table_pair(l, r, NULL, 0, suffix, err) : NULL;
    hal_table *all = both ? hal_table_pair(both, s, NULL, 0, suffix, err) : NULL;
    hal_table_unref(l);
    hal_table_unref(r);
    hal_table_unref(s);
    hal_table_unref(both);
    return all;
}

static hal_status match(hal_match *m, const hal_table *left, const hal_table *right,
                        const hal_pairing *pairing, hal_err *err)
{
    places l = {0}, r = {0};
    hal_match_options options = pairing->match;
    bool keep = pairing->how && !strcmp(pairing->how, "left");
    hal_status st = HAL_OK;
    if (pairing->how && !keep && strcmp(pairing->how, "inner") != 0)
        return hal_err_set(err, HAL_E_USAGE, "how is inner or left, not '%s'", pairing->how);
    options.keep_unmatched = keep;
    if (options.mode == HAL_MATCH_NEAREST && options.n_nearest == 0)
        options.n_nearest = 1;
    if (options.mode != HAL_MATCH_NEAREST && options.n_nearest != 0)
        return hal_err_set(err, HAL_E_USAGE, "a number of nearest rows goes with mode nearest");
    st = get_places(&l, left, pairing, 0, err);
    if (!st)
        st = get_places(&r, right, pairing, 1, err);
    if (!st)
        st = choose_year(&options, pairing, &l, &r, err);
    if (!st)
        st = get_radius(&options, &l, &r, left, right, pairing, err);
    if (!st)
        st = hal_match_run(m, &l.side, &r.side, &options, err);
    places_clear(&l);
    places_clear(&r);
    return st;
}

hal_table *hal_table_match(const hal_table *left, const hal_table *right,
                           const hal_pairing *pairing, hal_pairing_account *account, hal_err *err)
{
    hal_match m = {0};
    if (match(&m, left, right, pairing, err))
        return NULL;
    if (account)
        *account = (hal_pairing_account){.n_pairs = m.n_pairs,
                                         .n_matched = m.n_matched,
                                         .n_left = hal_table_rows(left),
                                         .n_right = hal_table_rows(right),
                                         .n_left_placeless = m.n_left_placeless,
                                         .n_right_placeless = m.n_right_placeless};
    hal_table *joined = join(left, right, &m, pairing->suffix, err);
    hal_match_clear(&m);
    return joined;
}
