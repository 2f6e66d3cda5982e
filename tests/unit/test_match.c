/* SPDX-License-Identifier: BSD-3-Clause */
#include "sky/match.h"

#include "base/alloc.h"
#include "sky/angle.h"

#include "support/random_sky.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Rows of each side; brute force compares all pairs. */
#ifdef HAL_DEV
enum { N_ROWS = 1500 };
#else
enum { N_ROWS = 20000 };
#endif

typedef struct sky {
    uint64_t n;
    double *ra, *dec, *radius, *pm_ra, *pm_dec, *epochs;
} sky;

static sky new_sky(uint64_t n)
{
    sky s = {.n = n, .ra = calloc(n + 1, sizeof(double)), .dec = calloc(n + 1, sizeof(double))};
    return s;
}

static void free_sky(sky *s)
{
    free(s->ra);
    free(s->dec);
    free(s->radius);
    free(s->pm_ra);
    free(s->pm_dec);
    free(s->epochs);
}

static hal_match_side side(const sky *s)
{
    return (hal_match_side){.n_rows = s->n,
                            .ra_deg = s->ra,
                            .dec_deg = s->dec,
                            .radius_deg = s->radius,
                            .pm_ra_mas_yr = s->pm_ra,
                            .pm_dec_mas_yr = s->pm_dec,
                            .epochs_yr = s->epochs,
                            .epoch_yr = 2016.0};
}

/* All over the sky, each left place with a companion on the right at 0 to 2 radii. */
static void pairs_at(sky *l, sky *r, double scale, void (*place)(double *ra, double *dec))
{
    for (uint64_t i = 0; i < l->n; i++) {
        place(&l->ra[i], &l->dec[i]);
        if (i < r->n)
            walk(l->ra[i], l->dec[i], between(0, 2 * scale), between(0, 360), &r->ra[i],
                 &r->dec[i]);
    }
}

static void anywhere(double *ra, double *dec)
{
    random_point(ra, dec);
}

static void clustered(double *ra, double *dec)
{
    static const double centres[4][2] = {{10, 20}, {10.01, 20.005}, {200, -60}, {359.999, 0}};
    const double *c = centres[random_bits() % 4];
    walk(c[0], c[1], fabs(0.01 * tan(between(-1.5, 1.5))), between(0, 360), ra, dec);
}

static void polar(double *ra, double *dec)
{
    double d = between(0, 1);
    *ra = between(0, 360);
    *dec = (random_bits() & 1 ? 1 : -1) * (90 - 0.05 * d * d * d * d);
    if (random_bits() % 50 == 0)
        *dec = *dec > 0 ? 90 : -90;
}

static void wrapping(double *ra, double *dec)
{
    *ra = between(-0.01, 0.01) + (random_bits() & 1 ? 360 : 0);
    *dec = between(-0.05, 0.05) + (random_bits() & 1 ? 85 : 0);
}

/* Few places, each many times. */
static void repeated(double *ra, double *dec)
{
    *ra = (double)(random_bits() % 20) * 18;
    *dec = (double)(random_bits() % 11) * 18 - 90;
}

/* One meridian, one parallel: strips that are very uneven. */
static void crossed(double *ra, double *dec)
{
    bool along = random_bits() & 1;
    *ra = along ? 30 : between(0, 360);
    *dec = along ? between(-90, 90) : 12.5;
}

typedef struct found {
    uint64_t left, right;
    double sep;
} found;

static int by_order(const void *a, const void *b)
{
    const found *x = a, *y = b;
    if (x->left != y->left)
        return x->left < y->left ? -1 : 1;
    if (x->sep != y->sep)
        return x->sep < y->sep ? -1 : 1;
    return (x->right > y->right) - (x->right < y->right);
}

static bool nearer(double sep, uint64_t row, const found *than)
{
    return than->right == HAL_MATCH_NONE || sep < than->sep ||
           (sep == than->sep && row < than->right);
}

typedef struct truth {
    found *pairs; /* all within the radius, in order */
    uint64_t n, room;
    found *best, *back; /* of each left and right row */
} truth;

static bool has_place(const sky *s, uint64_t i)
{
    return isfinite(s->ra[i]) && s->dec[i] >= -90 && s->dec[i] <= 90;
}

static truth brute_force(const sky *l, const sky *r, double radius)
{
    truth t = {.best = malloc((l->n + 1) * sizeof(found)),
               .back = malloc((r->n + 1) * sizeof(found))};
    for (uint64_t i = 0; i < l->n; i++)
        t.best[i] = (found){i, HAL_MATCH_NONE, NAN};
    for (uint64_t j = 0; j < r->n; j++)
        t.back[j] = (found){j, HAL_MATCH_NONE, NAN};
    for (uint64_t i = 0; i < l->n; i++)
        for (uint64_t j = 0; j < r->n; j++) {
            if (!has_place(l, i) || !has_place(r, j))
                continue;
            double own = l->radius ? l->radius[i] : radius, other = r->radius ? r->radius[j] : 0;
            if (fabs(l->dec[i] - r->dec[j]) > (own + other) * 1.000001 + 1e-9)
                continue;
            double sep = hal_separation_deg(hal_ra_canonical(l->ra[i]), l->dec[i],
                                            hal_ra_canonical(r->ra[j]), r->dec[j]);
            if (!(own >= 0) || !(other >= 0) || sep > own + other)
                continue;
            if (nearer(sep, j, &t.best[i]))
                t.best[i] = (found){i, j, sep};
            if (nearer(sep, i, &t.back[j]))
                t.back[j] = (found){j, i, sep};
            if (t.n == t.room)
                t.pairs = realloc(t.pairs, (t.room = 2 * t.room + 64) * sizeof(found));
            t.pairs[t.n++] = (found){i, j, sep};
        }
    if (t.n > 0)
        qsort(t.pairs, t.n, sizeof(found), by_order);
    return t;
}

static void free_truth(truth *t)
{
    free(t->pairs);
    free(t->best);
    free(t->back);
}

static hal_match run(const sky *l, const sky *r, hal_match_options o)
{
    hal_match m = {0};
    hal_match_side left = side(l), right = side(r);
    hal_err err = HAL_ERR_INIT;
    assert_int_equal(hal_match_run(&m, &left, &right, &o, &err), HAL_OK);
    return m;
}

static void check_pair(const hal_match *m, uint64_t at, const found *want)
{
    assert_true(at < m->n_pairs);
    assert_int_equal(m->left[at], want->left);
    assert_int_equal(m->right[at], want->right);
    if (want->right == HAL_MATCH_NONE)
        assert_true(isnan(m->sep_deg[at]));
    else
        assert_true(m->sep_deg[at] == want->sep);
}

static void check_best(const sky *l, const sky *r, hal_match_options o, const truth *t)
{
    o.mode = HAL_MATCH_BEST;
    hal_match m = run(l, r, o);
    uint64_t n = 0;
    for (uint64_t i = 0; i < l->n; i++)
        if (t->best[i].right != HAL_MATCH_NONE)
            check_pair(&m, n++, &t->best[i]);
    assert_int_equal(m.n_pairs, n);
    assert_int_equal(m.n_matched, n);
    hal_match_clear(&m);
    o.keep_unmatched = true;
    m = run(l, r, o);
    for (uint64_t i = 0; i < l->n; i++)
        check_pair(&m, i, &t->best[i]);
    assert_int_equal(m.n_pairs, l->n);
    assert_int_equal(m.n_matched, n);
    hal_match_clear(&m);
}

static void check_symmetric(const sky *l, const sky *r, hal_match_options o, const truth *t)
{
    o.mode = HAL_MATCH_SYMMETRIC;
    hal_match m = run(l, r, o), turned;
    uint64_t n = 0;
    for (uint64_t i = 0; i < l->n; i++) {
        uint64_t j = t->best[i].right;
        if (j != HAL_MATCH_NONE && t->back[j].right == i)
            check_pair(&m, n++, &t->best[i]);
    }
    assert_int_equal(m.n_pairs, n);
    if (!l->radius && !r->radius) { /* the sides' radii have different meanings */
        turned = run(r, l, o);
        assert_int_equal(turned.n_pairs, n);
        uint64_t *of = malloc((l->n + 1) * sizeof *of);
        for (uint64_t k = 0; k < n; k++)
            of[turned.right[k]] = turned.left[k];
        for (uint64_t k = 0; k < n; k++)
            assert_int_equal(of[m.left[k]], m.right[k]);
        free(of);
        hal_match_clear(&turned);
    }
    hal_match_clear(&m);
}

static void check_all(const sky *l, const sky *r, hal_match_options o, const truth *t)
{
    o.mode = HAL_MATCH_ALL;
    hal_match m = run(l, r, o);
    assert_int_equal(m.n_pairs, t->n);
    for (uint64_t k = 0; k < t->n; k++)
        check_pair(&m, k, &t->pairs[k]);
    hal_match_clear(&m);
    o.keep_unmatched = true;
    m = run(l, r, o);
    uint64_t at = 0, k = 0;
    for (uint64_t i = 0; i < l->n; i++) {
        if (k == t->n || t->pairs[k].left != i)
            check_pair(&m, at++, &(found){i, HAL_MATCH_NONE, NAN});
        for (; k < t->n && t->pairs[k].left == i; k++)
            check_pair(&m, at++, &t->pairs[k]);
    }
    assert_int_equal(m.n_pairs, at);
    assert_int_equal(m.n_matched, t->n);
    hal_match_clear(&m);
}

static void check_nearest(const sky *l, const sky *r, hal_match_options o, const truth *t,
                          uint32_t k_most)
{
    o.mode = HAL_MATCH_NEAREST;
    o.n_nearest = k_most;
    hal_match m = run(l, r, o);
    uint64_t at = 0;
    for (uint64_t k = 0, of_row = 0; k < t->n; k++) {
        of_row = k > 0 && t->pairs[k - 1].left == t->pairs[k].left ? of_row + 1 : 0;
        if (of_row < k_most)
            check_pair(&m, at++, &t->pairs[k]);
    }
    assert_int_equal(m.n_pairs, at);
    hal_match_clear(&m);
    o.keep_unmatched = true;
    m = run(l, r, o);
    uint64_t k = 0;
    at = 0;
    for (uint64_t i = 0; i < l->n; i++) {
        if (k == t->n || t->pairs[k].left != i)
            check_pair(&m, at++, &(found){i, HAL_MATCH_NONE, NAN});
        for (uint32_t n = 0; k < t->n && t->pairs[k].left == i; k++)
            if (n++ < k_most)
                check_pair(&m, at++, &t->pairs[k]);
    }
    assert_int_equal(m.n_pairs, at);
    hal_match_clear(&m);
}

static void check_modes(const sky *l, const sky *r, double radius)
{
    truth t = brute_force(l, r, radius);
    hal_match_options o = {.radius_deg = radius, .n_threads = 3};
    check_best(l, r, o, &t);
    check_symmetric(l, r, o, &t);
    check_all(l, r, o, &t);
    check_nearest(l, r, o, &t, 1);
    check_nearest(l, r, o, &t, 3);
    free_truth(&t);
}

static void check_sky(void (*place)(double *ra, double *dec), double radius, uint64_t n)
{
    sky l = new_sky(n), r = new_sky(n - n / 7);
    pairs_at(&l, &r, radius, place);
    check_modes(&l, &r, radius);
    free_sky(&l);
    free_sky(&r);
}

static void random_skies_equal_brute_force(void **state)
{
    (void)state;
    check_sky(anywhere, 1 / 3600.0, N_ROWS);
    check_sky(anywhere, 0.2, N_ROWS);
}

static void clustered_skies_equal_brute_force(void **state)
{
    (void)state;
    check_sky(clustered, 1 / 3600.0, N_ROWS);
    check_sky(clustered, 0.1 / 3600.0, N_ROWS);
}

static void polar_skies_equal_brute_force(void **state)
{
    (void)state;
    check_sky(polar, 1 / 3600.0, N_ROWS);
    check_sky(polar, 0.01, N_ROWS / 10);
}

static void wrapping_skies_equal_brute_force(void **state)
{
    (void)state;
    check_sky(wrapping, 1 / 3600.0, N_ROWS);
    check_sky(wrapping, 0.02, N_ROWS / 20);
}

static void uneven_skies_equal_brute_force(void **state)
{
    (void)state;
    check_sky(crossed, 10 / 3600.0, N_ROWS);
}

static void identical_places_match_the_lower_row_first(void **state)
{
    (void)state;
    sky l = new_sky(N_ROWS / 10), r = new_sky(N_ROWS / 10);
    for (uint64_t i = 0; i < l.n; i++) {
        repeated(&l.ra[i], &l.dec[i]);
        repeated(&r.ra[i], &r.dec[i]);
    }
    check_modes(&l, &r, 0);
    check_modes(&l, &r, 1e-7);
    check_modes(&l, &r, 18);
    free_sky(&l);
    free_sky(&r);
}

static void radii_of_degrees_up_to_all_the_sky_work(void **state)
{
    (void)state;
    static const double radii[] = {3, 30, 89.9, 90, 120, 179.99, 180};
    for (size_t k = 0; k < sizeof radii / sizeof *radii; k++) {
        sky l = new_sky(120), r = new_sky(90);
        for (uint64_t i = 0; i < l.n; i++)
            random_point(&l.ra[i], &l.dec[i]);
        for (uint64_t i = 0; i < r.n; i++) {
            random_point(&r.ra[i], &r.dec[i]);
            if (i % 9 == 0) { /* the antipode */
                r.ra[i] = l.ra[i] + 180;
                r.dec[i] = -l.dec[i];
            }
        }
        r.dec[3] = 90;
        l.dec[5] = -90;
        check_modes(&l, &r, radii[k]);
        free_sky(&l);
        free_sky(&r);
    }
}

static void rows_may_have_radii_of_their_own(void **state)
{
    (void)state;
    for (int which = 1; which <= 3; which++) {
        sky l = new_sky(N_ROWS / 4), r = new_sky(N_ROWS / 4);
        pairs_at(&l, &r, 0.05, which == 2 ? clustered : anywhere);
        if (which & 1)
            l.radius = calloc(l.n, sizeof(double));
        if (which & 2)
            r.radius = calloc(r.n, sizeof(double));
        for (uint64_t i = 0; i < l.n; i++) {
            if (l.radius)
                l.radius[i] = i % 17 == 0 ? NAN : i % 13 == 0 ? -1 : between(0, 0.1);
            if (r.radius)
                r.radius[i] = i % 19 == 0 ? NAN : i % 11 == 0 ? -1 : between(0, 0.05);
        }
        check_modes(&l, &r, 0.01);
        free_sky(&l);
        free_sky(&r);
    }
}

static void rows_without_a_place_match_nothing_and_are_counted(void **state)
{
    (void)state;
    sky l = new_sky(400), r = new_sky(300);
    pairs_at(&l, &r, 0.1, anywhere);
    l.ra[3] = NAN;
    l.dec[4] = NAN;
    l.dec[5] = 90.0000001;
    l.ra[6] = INFINITY;
    l.ra[7] += 7200;
    l.ra[8] -= 360;
    r.dec[9] = -99;
    r.dec[10] = -INFINITY;
    check_modes(&l, &r, 0.1);
    hal_match m = run(&l, &r, (hal_match_options){.radius_deg = 0.1});
    assert_int_equal(m.n_left_placeless, 4);
    assert_int_equal(m.n_right_placeless, 2);
    hal_match_clear(&m);
    free_sky(&l);
    free_sky(&r);
}

static void empty_sides_match_nothing(void **state)
{
    (void)state;
    sky none = new_sky(0), some = new_sky(5);
    for (int mode = HAL_MATCH_BEST; mode <= HAL_MATCH_NEAREST; mode++) {
        hal_match_options o = {.mode = mode, .radius_deg = 180, .n_nearest = 2, .n_threads = 2};
        hal_match m = run(&none, &some, o);
        assert_int_equal(m.n_pairs, 0);
        hal_match_clear(&m);
        o.keep_unmatched = mode != HAL_MATCH_SYMMETRIC;
        m = run(&some, &none, o);
        assert_int_equal(m.n_pairs, o.keep_unmatched ? 5 : 0);
        assert_int_equal(m.n_matched, 0);
        hal_match_clear(&m);
    }
    free_sky(&none);
    free_sky(&some);
}

static void any_number_of_threads_gives_the_same_answer(void **state)
{
    (void)state;
    sky l = new_sky(N_ROWS), r = new_sky(N_ROWS);
    pairs_at(&l, &r, 1e-4, clustered);
    for (int mode = HAL_MATCH_BEST; mode <= HAL_MATCH_NEAREST; mode++) {
        hal_match_options o = {.mode = mode, .radius_deg = 1e-4, .n_nearest = 2};
        hal_match one = run(&l, &r, o);
        for (unsigned n = 2; n <= 200; n = n * 4 + 1) {
            o.n_threads = n;
            hal_match many = run(&l, &r, o);
            assert_int_equal(one.n_pairs, many.n_pairs);
            assert_memory_equal(one.left, many.left, one.n_pairs * sizeof *one.left);
            assert_memory_equal(one.right, many.right, one.n_pairs * sizeof *one.right);
            assert_memory_equal(one.sep_deg, many.sep_deg, one.n_pairs * sizeof *one.sep_deg);
            hal_match_clear(&many);
        }
        assert_true(one.n_pairs > 100);
        hal_match_clear(&one);
    }
    free_sky(&l);
    free_sky(&r);
}

/* A hundred thousand rows at the place that pipelines give to what failed: the cost does not become
 * that of all pairs. */
static void many_identical_places_cost_no_more_than_others(void **state)
{
    (void)state;
    sky l = new_sky(100000), r = new_sky(100000);
    r.ra[7] = 1;
    for (int mode = HAL_MATCH_BEST; mode <= HAL_MATCH_SYMMETRIC; mode++) {
        hal_match m = run(&l, &r, (hal_match_options){.mode = mode, .radius_deg = 1e-4});
        assert_int_equal(m.n_pairs, mode == HAL_MATCH_BEST ? l.n : 1);
        for (uint64_t k = 0; k < m.n_pairs; k++)
            assert_int_equal(m.right[k], 0);
        hal_match_clear(&m);
    }
    free_sky(&l);
    free_sky(&r);
}

/* Straight line in space: the unit vector plus the motion in its tangent plane, normalised; in
 * long double, from vectors instead of the local frame. */
static void moved_by_vectors(double ra, double dec, double pm_ra, double pm_dec, double years,
                             double *ra_out, double *dec_out)
{
    const long double deg = acosl(-1) / 180, mas = deg / 3600000;
    long double a = ra * deg, d = dec * deg, e = pm_ra * mas * years, n = pm_dec * mas * years;
    long double x = cosl(d) * cosl(a) - e * sinl(a) - n * sinl(d) * cosl(a);
    long double y = cosl(d) * sinl(a) + e * cosl(a) - n * sinl(d) * sinl(a);
    long double z = sinl(d) + n * cosl(d);
    *ra_out = (double)(atan2l(y, x) / deg);
    *dec_out = (double)(atan2l(z, hypotl(x, y)) / deg);
}

static void proper_motion_is_a_straight_line_in_space(void **state)
{
    (void)state;
    enum { N = 2000 };
    sky l = new_sky(N), r = new_sky(N);
    l.pm_ra = calloc(N, sizeof(double));
    l.pm_dec = calloc(N, sizeof(double));
    l.epochs = calloc(N, sizeof(double));
    for (uint64_t i = 0; i < N; i++) {
        (i % 2 ? anywhere : polar)(&l.ra[i], &l.dec[i]);
        double size = i % 3 ? 10328 : 1e6; /* Barnard's star; half a degree in a century */
        l.pm_ra[i] = between(-size, size);
        l.pm_dec[i] = between(-size, size);
        l.epochs[i] = i % 5 ? between(1900, 2016) : NAN; /* NaN: that of the side, 2016 */
        double years = 2050 - (i % 5 ? l.epochs[i] : 2016);
        moved_by_vectors(l.ra[i], l.dec[i], l.pm_ra[i], l.pm_dec[i], years, &r.ra[i], &r.dec[i]);
    }
    hal_match_options o = {.radius_deg = 1e-11, .epoch_yr = 2050, .n_threads = 2};
    hal_match m = run(&l, &r, o);
    assert_int_equal(m.n_pairs, N);
    for (uint64_t i = 0; i < N; i++)
        if (l.dec[i] > -90 && l.dec[i] < 90)
            assert_int_equal(m.right[i], i);
    hal_match_clear(&m);
    m = run(&r, &l, o); /* motions on the other side */
    assert_int_equal(m.n_pairs, N);
    hal_match_clear(&m);
    free_sky(&l);
    free_sky(&r);
}

/* Barnard's star, Hipparcos J1991.25 to Gaia DR3 J2016: the catalogues' own positions. */
static void barnards_star_is_where_gaia_saw_it(void **state)
{
    (void)state;
    double ra[] = {269.45402305}, dec[] = {4.66828815}, pm_ra[] = {-797.84}, pm_dec[] = {10326.93};
    double gaia_ra[] = {269.44850252543836}, gaia_dec[] = {4.739420051112412};
    hal_match_side l = {.n_rows = 1,
                        .ra_deg = ra,
                        .dec_deg = dec,
                        .pm_ra_mas_yr = pm_ra,
                        .pm_dec_mas_yr = pm_dec,
                        .epoch_yr = 1991.25};
    hal_match_side r = {.n_rows = 1, .ra_deg = gaia_ra, .dec_deg = gaia_dec};
    hal_match_options o = {.radius_deg = 1 / 3600.0, .epoch_yr = 2016.0};
    hal_match m;
    assert_int_equal(hal_match_run(&m, &l, &r, &o, NULL), HAL_OK);
    assert_int_equal(m.n_pairs, 1); /* parallax and the catalogues' errors are below an arcsecond */
    hal_match_clear(&m);
    l.pm_ra_mas_yr = l.pm_dec_mas_yr = NULL;
    assert_int_equal(hal_match_run(&m, &l, &r, &o, NULL), HAL_OK);
    assert_int_equal(m.n_pairs, 0); /* 256 arcseconds away */
    hal_match_clear(&m);
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    sky s = new_sky(2), moving = new_sky(2);
    moving.pm_ra = calloc(2, sizeof(double));
    hal_match_side plain = side(&s), half = side(&moving);
    moving.pm_dec = calloc(2, sizeof(double));
    hal_match_side whole = side(&moving), undated = whole, huge = plain;
    undated.epoch_yr = 0;
    huge.n_rows = UINT32_MAX;
    hal_match m;
    hal_match_options o = {.radius_deg = 1};
#define REFUSED(l, r, ...)                                                                         \
    do {                                                                                           \
        hal_match_options with = o;                                                                \
        __VA_ARGS__;                                                                               \
        hal_err err = HAL_ERR_INIT;                                                                \
        assert_int_equal(hal_match_run(&m, &(l), &(r), &with, &err), HAL_E_USAGE);                 \
        assert_true(err.text[0] != '\0');                                                          \
    } while (0)
    REFUSED(plain, plain, with.radius_deg = -1e-9);
    REFUSED(plain, plain, with.radius_deg = 180.1);
    REFUSED(plain, plain, with.radius_deg = NAN);
    REFUSED(plain, plain, with.mode = HAL_MATCH_NEAREST);
    REFUSED(plain, plain, with.mode = HAL_MATCH_NEAREST; with.n_nearest = 1001);
    REFUSED(plain, plain, with.mode = HAL_MATCH_SYMMETRIC; with.keep_unmatched = true);
    REFUSED(half, plain, with.epoch_yr = 2000);
    REFUSED(plain, whole, with.epoch_yr = 0);
    REFUSED(undated, plain, with.epoch_yr = 2000);
    REFUSED(huge, plain, (void)with);
#undef REFUSED
    free_sky(&s);
    free_sky(&moving);
}

static void too_many_pairs_are_an_error(void **state)
{
    (void)state;
    sky l = new_sky(100), r = new_sky(100);
    hal_match_side left = side(&l), right = side(&r);
    for (unsigned n_threads = 1; n_threads <= 2; n_threads++) {
        hal_match_options o = {
            .mode = HAL_MATCH_ALL, .radius_deg = 1, .pairs_max = 9999, .n_threads = n_threads};
        hal_match m;
        hal_err err = HAL_ERR_INIT;
        assert_int_equal(hal_match_run(&m, &left, &right, &o, &err), HAL_E_BUDGET);
        assert_non_null(strstr(err.text, "9999"));
        o.pairs_max = 10000;
        assert_int_equal(hal_match_run(&m, &left, &right, &o, &err), HAL_OK);
        assert_int_equal(m.n_pairs, 10000);
        hal_match_clear(&m);
    }
    free_sky(&l);
    free_sky(&r);
}

static void a_match_can_be_stopped(void **state)
{
    (void)state;
    sky l = new_sky(1000), r = new_sky(1000);
    hal_match_side left = side(&l), right = side(&r);
    _Atomic bool stop = true;
    hal_match_options o = {.radius_deg = 1, .stop = &stop};
    hal_match m;
    assert_int_equal(hal_match_run(&m, &left, &right, &o, NULL), HAL_E_CANCELLED);
    free_sky(&l);
    free_sky(&r);
}

static void running_out_of_memory_is_reported(void **state)
{
    (void)state;
    sky l = new_sky(300), r = new_sky(300);
    pairs_at(&l, &r, 1, anywhere);
    hal_match_side left = side(&l), right = side(&r);
    for (int mode = HAL_MATCH_BEST; mode <= HAL_MATCH_NEAREST; mode++) {
        hal_match_options o = {.mode = mode, .radius_deg = 1, .n_nearest = 2, .n_threads = 2};
        size_t n = 1;
        for (;; n++) {
            hal_match m;
            hal_err err = HAL_ERR_INIT;
            hal_alloc_fail_at(n);
            hal_status st = hal_match_run(&m, &left, &right, &o, &err);
            hal_alloc_fail_at(0);
            if (!st) {
                hal_match_clear(&m);
                break;
            }
            assert_int_equal(st, HAL_E_NOMEM);
            assert_true(n < 100);
        }
        assert_true(n > 10);
    }
    free_sky(&l);
    free_sky(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_skies_equal_brute_force),
        cmocka_unit_test(clustered_skies_equal_brute_force),
        cmocka_unit_test(polar_skies_equal_brute_force),
        cmocka_unit_test(wrapping_skies_equal_brute_force),
        cmocka_unit_test(uneven_skies_equal_brute_force),
        cmocka_unit_test(identical_places_match_the_lower_row_first),
        cmocka_unit_test(radii_of_degrees_up_to_all_the_sky_work),
        cmocka_unit_test(rows_may_have_radii_of_their_own),
        cmocka_unit_test(rows_without_a_place_match_nothing_and_are_counted),
        cmocka_unit_test(empty_sides_match_nothing),
        cmocka_unit_test(any_number_of_threads_gives_the_same_answer),
        cmocka_unit_test(many_identical_places_cost_no_more_than_others),
        cmocka_unit_test(proper_motion_is_a_straight_line_in_space),
        cmocka_unit_test(barnards_star_is_where_gaia_saw_it),
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(too_many_pairs_are_an_error),
        cmocka_unit_test(a_match_can_be_stopped),
        cmocka_unit_test(running_out_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
