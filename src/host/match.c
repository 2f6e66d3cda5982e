/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/match.h"

#include "base/alloc.h"
#include "data/join.h"
#include "data/select.h"

#include <string.h>
#include <strings.h>

_Static_assert(HAL_MATCH_NONE == HAL_NO_ROW, "pairs go to joins as they are");

hal_status hal_match_mode_from_name(hal_match_mode *out, const char *name, hal_err *err)
{
    static const struct {
        const char *name;
        hal_match_mode mode;
    } modes[] = {
        {"best", HAL_MATCH_BEST}, {"symmetric", HAL_MATCH_SYMMETRIC}, {"all", HAL_MATCH_ALL}};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (!strcmp(modes[i].name, name)) {
            *out = modes[i].mode;
            return HAL_OK;
        }
    return hal_err_set(err, HAL_E_USAGE, "there is no match mode '%s'; use best, symmetric or all",
                       name);
}

/* Position columns */

static bool is_numeric(const hal_field *f)
{
    return hal_field_is_scalar(f) && (hal_type_is_float(f->type) || hal_type_is_integer(f->type));
}

static bool is_in_degrees(const hal_field *f)
{
    static const char *const spellings[] = {"", "deg", "degree", "degrees"};
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++)
        if (!strcasecmp(f->unit, spellings[i]))
            return true;
    return false;
}

static hal_status named_column(const hal_table *t, const char *name, size_t *i_col, hal_err *err)
{
    hal_status st = hal_table_require(t, name, i_col, err);
    if (st)
        return st;
    const hal_field *f = hal_table_field(t, *i_col);
    if (!is_numeric(f))
        return hal_err_set(err, HAL_E_USAGE,
                           "column '%s' is not numeric; positions are numbers in degrees", f->name);
    if (!is_in_degrees(f))
        return hal_err_set(err, HAL_E_USAGE, "column '%s' is in %s; positions must be in degrees",
                           f->name, f->unit);
    return HAL_OK;
}

static bool find_by(const hal_table *t, bool by_ucd, const char *text, size_t *i_col)
{
    for (size_t i = 0; i < hal_table_columns(t); i++) {
        const hal_field *f = hal_table_field(t, i);
        if (!strcasecmp(by_ucd ? f->ucd : f->name, text) && is_numeric(f) && is_in_degrees(f)) {
            *i_col = i;
            return true;
        }
    }
    return false;
}

hal_status hal_table_find_position(const hal_table *t, const char *ra, const char *dec,
                                   size_t *i_ra, size_t *i_dec, hal_err *err)
{
    static const struct {
        bool by_ucd;
        const char *ra, *dec;
    } known[] = {
        {true, "pos.eq.ra;meta.main", "pos.eq.dec;meta.main"},
        {true, "POS_EQ_RA_MAIN", "POS_EQ_DEC_MAIN"}, /* UCD1, in older VOTables */
        {true, "pos.eq.ra", "pos.eq.dec"},
        {false, "ra", "dec"},
        {false, "s_ra", "s_dec"},
        {false, "ra_deg", "dec_deg"},
        {false, "raj2000", "dej2000"},
        {false, "_raj2000", "_dej2000"},
        {false, "ra_icrs", "de_icrs"},
        {false, "ramean", "decmean"},
        {false, "matchra", "matchdec"},
    };
    if (!ra != !dec)
        return hal_err_set(err, HAL_E_USAGE, "column '%s' is one of two; name that of the %s too",
                           ra ? ra : dec, ra ? "declination" : "right ascension");
    if (ra) {
        hal_status st = named_column(t, ra, i_ra, err);
        return st ? st : named_column(t, dec, i_dec, err);
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (find_by(t, known[i].by_ucd, known[i].ra, i_ra) &&
            find_by(t, known[i].by_ucd, known[i].dec, i_dec))
            return HAL_OK;
    return hal_err_set(err, HAL_E_USAGE,
                       "no pair of columns is known as a position in degrees, by UCD (pos.eq.ra, "
                       "pos.eq.dec) or name (ra, dec); name the columns");
}

/* Matching */

typedef struct places {
    hal_match_side side;
    double *ra, *dec; /* own copies, NULL where the column itself serves */
} places;

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

static hal_status get_places(places *p, const hal_table *t, const char *ra, const char *dec,
                             const char *side, hal_err *err)
{
    size_t i_ra = 0, i_dec = 0;
    p->side.n_rows = hal_table_rows(t);
    hal_status st = hal_table_find_position(t, ra, dec, &i_ra, &i_dec, err);
    if (!st)
        st = get_doubles(t, i_ra, &p->ra, &p->side.ra_deg, err);
    if (!st)
        st = get_doubles(t, i_dec, &p->dec, &p->side.dec_deg, err);
    return st ? hal_err_note(err, st, "%s table", side) : HAL_OK;
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

hal_table *hal_table_match(const hal_table *left, const hal_table *right,
                           const hal_pairing *pairing, hal_pairing_account *account, hal_err *err)
{
    places l = {0}, r = {0};
    hal_match m = {0};
    hal_status st = get_places(&l, left, pairing->ra[0], pairing->dec[0], "left", err);
    if (!st)
        st = get_places(&r, right, pairing->ra[1], pairing->dec[1], "right", err);
    if (!st)
        st = hal_match_run(&m, &l.side, &r.side, &pairing->match, err);
    hal_free(l.ra);
    hal_free(l.dec);
    hal_free(r.ra);
    hal_free(r.dec);
    if (st)
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
