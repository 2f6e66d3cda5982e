/* SPDX-License-Identifier: BSD-3-Clause */
/* Ellipses, polygons beyond half the sky, and regions made of regions: against brute force. */
#include "sky/moc.h"

#include "base/alloc.h"

#include "support/random_region.h"

static void an_ellipse_is_where_distances_from_two_foci_add_up(void **state)
{
    (void)state;
    int n_inside = 0, n_decided = 0;
    for (int i = 0; i < 300; i++) {
        double ra, dec, a = pow(10, between(-3, 1.9)), b = a * pow(10, between(-2, 0));
        random_point(&ra, &dec);
        if (i % 3 == 0)
            dec = (i % 2 ? 1 : -1) * (90 - a * between(0, 2) * (a < 40));
        double angle = between(-180, 180);
        bool swapped = i % 5 == 0; /* the first semi-axis is the smaller one */
        hal_region *r = hal_region_ellipse(ra, dec, swapped ? b : a, swapped ? a : b,
                                           swapped ? angle + 90 : angle, NULL);
        assert_non_null(r);
        double f = acos(cos(a * DEG) / cos(b * DEG)) / DEG, focus[2][2];
        walk(ra, dec, f, angle, &focus[0][0], &focus[0][1]);
        walk(ra, dec, f, angle + 180, &focus[1][0], &focus[1][1]);
        for (int j = 0; j < 100; j++) {
            double p_ra, p_dec;
            walk(ra, dec, a * between(0, 1.2), j % 2 ? between(0, 360) : angle + between(-20, 20),
                 &p_ra, &p_dec);
            double sum = hal_separation_deg(p_ra, p_dec, focus[0][0], focus[0][1]) +
                         hal_separation_deg(p_ra, p_dec, focus[1][0], focus[1][1]);
            if (fabs(sum - 2 * a) < 1e-7 * a)
                continue;
            n_decided++;
            n_inside += sum < 2 * a;
            assert_int_equal(hal_region_contains(r, p_ra, p_dec), sum < 2 * a);
            /* the border is as far as the nearest of its places */
            assert_true(hal_region_distance_deg(r, p_ra, p_dec) >= (sum - 2 * a) / 2 - 1e-9);
        }
        hal_region_unref(r);
    }
    assert_true(n_decided > 25000 && n_inside > 5000);
}

static void the_angle_of_an_ellipse_runs_from_north_through_east(void **state)
{
    (void)state;
    hal_region *r = parsed("ELLIPSE 10 0 2 1 90");
    assert_true(hal_region_contains(r, 11.9, 0));
    assert_false(hal_region_contains(r, 10, 1.1));
    hal_region_unref(r);
    r = parsed("Ellipse ICRS 10 0 2 1 45");
    assert_true(hal_region_contains(r, 11.2, 1.2));
    assert_false(hal_region_contains(r, 8.8, 1.2));
    hal_region_unref(r);
}

static void a_round_ellipse_is_a_circle(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        double ra, dec, radius = pow(10, between(-4, 1.9));
        random_point(&ra, &dec);
        hal_region *e = hal_region_ellipse(ra, dec, radius, radius, between(0, 360), NULL);
        hal_region *c = hal_region_circle(ra, dec, radius, NULL);
        assert_true(fabs(hal_region_area_sr(e) / hal_region_area_sr(c) - 1) < 1e-9);
        for (int j = 0; j < 100; j++) {
            double p_ra, p_dec;
            walk(ra, dec, fmin(180, radius * between(0, 3)), between(0, 360), &p_ra, &p_dec);
            assert_true(fabs(hal_region_distance_deg(e, p_ra, p_dec) -
                             hal_region_distance_deg(c, p_ra, p_dec)) < 1e-9);
        }
        hal_region_unref(e);
        hal_region_unref(c);
    }
}

static long double det(const long double a[3], const long double b[3], const long double c[3])
{
    return a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) +
           a[2] * (b[0] * c[1] - b[1] * c[0]);
}

/* A star round a centre: vertex k at bearing 360 k / n. A place in the wedge between two vertices
 * is in the star when it is on the centre's side of their edge. */
typedef struct star {
    double ra, dec;
    int n;
    double v_ra[200], v_dec[200];
} star;

static void make_star(star *s, double least, double most)
{
    random_point(&s->ra, &s->dec);
    if (unit() < 0.3)
        s->dec = (unit() < 0.5 ? -1 : 1) * 90;
    s->n = 8 + (int)(unit() * 190);
    for (int k = 0; k < s->n; k++)
        walk(s->ra, s->dec, between(least, most), 360.0 * k / s->n, &s->v_ra[k], &s->v_dec[k]);
}

static bool is_in_star(const star *s, double bearing, double ra, double dec)
{
    int k = (int)(bearing / 360 * s->n), next = (k + 1) % s->n;
    long double a[3], b[3], c[3], p[3];
    vec(s->v_ra[k], s->v_dec[k], a);
    vec(s->v_ra[next], s->v_dec[next], b);
    vec(s->ra, s->dec, c);
    vec(ra, dec, p);
    return det(a, b, c) * det(a, b, p) > 0;
}

static void a_polygon_may_be_of_any_size_and_its_smaller_side_is_inside(void **state)
{
    (void)state;
    int n_stars = 0, n_large = 0, n_inside = 0;
    for (int i = 0; i < 200; i++) {
        star s;
        double most = between(20, 175);
        make_star(&s, most * between(0.3, 1), most);
        hal_err err = HAL_ERR_INIT;
        hal_region *r = hal_region_polygon(s.v_ra, s.v_dec, (size_t)s.n, &err);
        if (!r)
            fail_msg("%s", err.text);
        bool star_is_inside = hal_region_contains(r, s.ra, s.dec);
        int n_in_star = 0, n_points = 0;
        hal_tile t = hal_region_tile(r);
        hal_cone c = hal_region_cone(r);
        for (int j = 0; j < 300; j++) {
            double bearing = between(0, 360), away = acos(between(-1, 1)) / DEG, ra, dec;
            walk(s.ra, s.dec, away, bearing, &ra, &dec);
            bool in_star = is_in_star(&s, bearing, ra, dec);
            bool inside = hal_region_contains(r, ra, dec);
            assert_int_equal(inside, in_star == star_is_inside);
            n_in_star += in_star;
            n_points++;
            n_inside += inside;
            if (inside) {
                assert_true(hal_tile_owns(&t, ra, dec));
                assert_true(hal_separation_deg(c.ra_deg, c.dec_deg, ra, dec) <=
                            c.radius_deg + 1e-11);
            }
        }
        double share = hal_region_area_sr(r) / (4 * PI);
        double expected = (double)n_in_star / n_points;
        expected = star_is_inside ? expected : 1 - expected;
        assert_true(share <= 0.5);
        assert_true(fabs(share - expected) < 0.15);
        n_stars++;
        n_large += !star_is_inside;
        hal_region *rest = hal_region_complement(r, NULL);
        assert_true(fabs(hal_region_area_sr(rest) / (4 * PI) - (1 - share)) < 1e-12);
        hal_region_unref(rest);
        hal_region_unref(r);
    }
    assert_int_equal(n_stars, 200);
    assert_true(n_large > 40 && n_inside > 10000);
}

static void a_polygon_of_10000_vertices_round_the_sky_is_exact(void **state)
{
    (void)state;
    enum { N = 10000 };
    double *ra = malloc(N * sizeof *ra), *dec = malloc(N * sizeof *dec);
    for (int k = 0; k < N; k++) { /* a wave along the equator, closed by the way back at -30 */
        ra[k] = k < N / 2 ? 359.0 * k / (N / 2) : 359.0 * (N - 1 - k) / (N / 2);
        dec[k] = k < N / 2 ? 5 * sin(ra[k] * DEG * 20) : -30;
    }
    hal_err err = HAL_ERR_INIT;
    hal_region *r = hal_region_polygon(ra, dec, N, &err);
    if (!r)
        fail_msg("%s", err.text);
    for (int j = 0; j < 20000; j++) {
        double p_ra = between(0, 360), p_dec = between(-50, 30);
        double top = 5 * sin(p_ra * DEG * 20);
        if (fabs(p_dec - top) < 1e-3 || fabs(p_dec + 30) < 1e-3 || p_ra > 358.8)
            continue;
        assert_int_equal(hal_region_contains(r, p_ra, p_dec), p_dec < top && p_dec > -30);
    }
    assert_false(hal_region_contains(r, 359.5, -10));
    assert_true(fabs(hal_region_distance_deg(r, 180, -40) - 10) < 1e-3);
    hal_region_unref(r);
    free(ra);
    free(dec);
}

/* --- regions of regions --------------------------------------------------------------------------
 */

enum { MEMBERS = 6 };

typedef struct node {
    int op; /* 0 shape, 1 union, 2 intersection, 3 complement, 4 difference */
    int first, second;
    hal_region *r;
} node;

static hal_region *any_shape(void)
{
    hal_region *r = NULL;
    while (!r) {
        double ra, dec;
        random_point(&ra, &dec);
        double kind = unit();
        if (kind < 0.2) {
            r = hal_region_ellipse(ra, dec, between(1, 60), between(1, 60), between(0, 180), NULL);
        } else if (kind < 0.35) {
            hal_region *c = hal_region_circle(ra, dec, between(0, 60), NULL);
            hal_moc *m = hal_moc_of_region(c, 3, NULL);
            r = hal_region_of_moc(m, NULL);
            hal_moc_unref(m);
            hal_region_unref(c);
        } else {
            r = kind < 0.6 ? hal_region_circle(ra, dec, between(5, 120), NULL) : random_region();
        }
    }
    return r;
}

/* Fills `tree`; the last one is the whole. */
static int make_tree(node *tree)
{
    int n = 0;
    for (; n < MEMBERS; n++)
        tree[n] = (node){0, 0, 0, any_shape()};
    for (int k = 0; k < MEMBERS; k++, n++) {
        node *t = &tree[n];
        *t = (node){1 + (int)(unit() * 4), (int)(unit() * n), (int)(unit() * n), NULL};
        hal_region *pair[] = {tree[t->first].r, tree[t->second].r};
        t->r = t->op == 1   ? hal_region_union(pair, 2, NULL)
               : t->op == 2 ? hal_region_intersection(pair, 2, NULL)
               : t->op == 3 ? hal_region_complement(pair[0], NULL)
                            : hal_region_difference(pair[0], pair[1], NULL);
        assert_non_null(t->r);
    }
    return n;
}

static bool truth(const node *tree, int i, double ra, double dec)
{
    const node *t = &tree[i];
    switch (t->op) {
    case 0:
        return hal_region_contains(t->r, ra, dec);
    case 1:
        return truth(tree, t->first, ra, dec) || truth(tree, t->second, ra, dec);
    case 2:
        return truth(tree, t->first, ra, dec) && truth(tree, t->second, ra, dec);
    case 3:
        return !truth(tree, t->first, ra, dec);
    default:
        return truth(tree, t->first, ra, dec) && !truth(tree, t->second, ra, dec);
    }
}

static void check_place(const node *tree, int i, double ra, double dec)
{
    const hal_region *r = tree[i].r;
    bool inside = hal_region_contains(r, ra, dec);
    assert_int_equal(inside, truth(tree, i, ra, dec));
    double d = hal_region_distance_deg(r, ra, dec);
    if (inside) {
        assert_true(d == 0);
        hal_tile t = hal_region_tile(r);
        hal_cone c = hal_region_cone(r);
        assert_true(hal_tile_owns(&t, ra, dec));
        assert_true(hal_separation_deg(c.ra_deg, c.dec_deg, ra, dec) <= c.radius_deg + 1e-11);
    }
    for (int k = 0; k < 4 && d > 1e-6; k++) { /* never too large */
        double q_ra, q_dec;
        walk(ra, dec, d * 0.999999 * sqrt(unit()), between(0, 360), &q_ra, &q_dec);
        assert_false(hal_region_contains(r, q_ra, q_dec));
    }
}

static void free_tree(node *tree, int n)
{
    for (int i = 0; i < n; i++)
        hal_region_unref(tree[i].r);
}

static void regions_of_regions_hold_what_their_members_say(void **state)
{
    (void)state;
    int n_inside = 0, n_places = 0;
    for (int i = 0; i < 400; i++) {
        node tree[2 * MEMBERS];
        int n = make_tree(tree);
        for (int k = MEMBERS; k < n; k++)
            for (int j = 0; j < 20; j++) {
                double ra, dec;
                random_point(&ra, &dec);
                if (j == 0)
                    dec = 90;
                if (j == 1)
                    dec = -90;
                if (j == 2)
                    ra = 0;
                if (j > 12) { /* near a border of some member */
                    hal_cone c = hal_region_cone(tree[(int)(unit() * MEMBERS)].r);
                    walk(c.ra_deg, c.dec_deg, c.radius_deg * between(0.9, 1), between(0, 360), &ra,
                         &dec);
                }
                check_place(tree, k, ra, dec);
                n_inside += hal_region_contains(tree[k].r, ra, dec);
                n_places++;
            }
        free_tree(tree, n);
    }
    assert_true(n_places > 40000 && n_inside > 10000);
}

static void they_never_deny_a_tile_they_share_a_place_with(void **state)
{
    (void)state;
    int n_shared = 0, n_denied = 0;
    for (int i = 0; i < 300; i++) {
        node tree[2 * MEMBERS];
        int n = make_tree(tree);
        for (int k = 0; k < n; k++) {
            hal_cone near = hal_region_cone(tree[k].r);
            near.radius_deg = fmin(near.radius_deg, 60) * pow(10, between(-2, 0));
            hal_tile t = random_tile(near);
            double margin = i % 2 ? 0 : pow(10, between(-4, 0));
            bool shared = false;
            for (int j = 0; j < 40 && !shared; j++) {
                double ra = hal_ra_canonical(((double)t.ra + (double)t.width * unit()) / 1e7);
                double dec = ((double)t.dec_lo + (double)(t.dec_hi - t.dec_lo) * unit()) / 1e7;
                walk(ra, dec, margin * unit(), between(0, 360), &ra, &dec);
                shared = hal_region_contains(tree[k].r, ra, dec);
            }
            bool may = hal_region_may_touch(tree[k].r, &t, margin);
            assert_true(may || !shared);
            n_shared += shared;
            n_denied += !may;
        }
        free_tree(tree, n);
    }
    assert_true(n_shared > 500 && n_denied > 500);
}

static void their_text_reads_back_to_the_same_region(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        node tree[2 * MEMBERS];
        int n = make_tree(tree);
        for (int k = 0; k < n; k++) {
            hal_buf first, second;
            hal_buf_init(&first, 8 << 20);
            hal_buf_init(&second, 8 << 20);
            assert_int_equal(hal_region_format(tree[k].r, &first, NULL), HAL_OK);
            hal_region *again = parsed(hal_buf_text(&first));
            assert_int_equal(hal_region_format(again, &second, NULL), HAL_OK);
            assert_string_equal(hal_buf_text(&first), hal_buf_text(&second));
            for (int j = 0; j < 10; j++) {
                double ra, dec;
                random_point(&ra, &dec);
                assert_int_equal(hal_region_contains(again, ra, dec),
                                 hal_region_contains(tree[k].r, ra, dec));
            }
            hal_buf_clear(&first);
            hal_buf_clear(&second);
            hal_region_unref(again);
        }
        free_tree(tree, n);
    }
}

static void their_area_is_within_the_stated_error(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double deg2;
    } known[] = {
        {"INTERSECTION (CIRCLE 0 0 30 CIRCLE 180 0 30)", 0},
        {"INTERSECTION (RANGE 0 90 -30 30 RANGE 45 135 0 60)", 45 * 57.29577951308232 * 0.5},
        {"UNION (RANGE 0 90 -30 30 RANGE 45 135 0 60)",
         57.29577951308232 * (90 * 1.0 + 90 * 0.8660254037844386 - 45 * 0.5)},
        {"DIFFERENCE (RANGE 0 90 -30 30, RANGE 45 135 0 60)", 57.29577951308232 * (90 - 22.5)},
        {"NOT (UNION (CIRCLE 0 90 60 CIRCLE 0 -90 60))", 41252.96124941927 / 2},
        {"UNION (CIRCLE 10 20 0.001 CIRCLE 200 20 0.002 CIRCLE 10 -20 0.002)",
         3.14159265358979 * (1 + 4 + 4) * 1e-6},
    };
    const double deg2 = 57.29577951308232 * 57.29577951308232;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        hal_region *r = parsed(known[i].text);
        double error = -1, area = hal_region_area(r, &error);
        assert_true(error >= 0);
        assert_true(fabs(area * deg2 - known[i].deg2) <=
                    error * deg2 + 1e-9 * fmax(1e-6, known[i].deg2));
        assert_true(error <= 4e-3 * area);
        hal_region_unref(r);
    }
}

static void a_union_of_10000_circles_is_found_by_its_index(void **state)
{
    (void)state;
    enum { N = 10000, PLACES = 20000 };
    hal_region **c = malloc(N * sizeof(hal_region *));
    double *ra = malloc(PLACES * sizeof *ra), *dec = malloc(PLACES * sizeof *dec);
    unsigned char *inside = malloc(PLACES);
    for (int i = 0; i < N; i++) {
        double c_ra, c_dec;
        random_point(&c_ra, &c_dec);
        c[i] = hal_region_circle(c_ra, c_dec, i % 10 ? 0.2 : 2, NULL);
    }
    hal_region *r = hal_region_union(c, N, NULL);
    for (int j = 0; j < PLACES; j++) {
        random_point(&ra[j], &dec[j]);
        inside[j] = 1;
    }
    size_t n = hal_region_contains_array(r, ra, dec, PLACES, inside), n_true = 0;
    for (int j = 0; j < PLACES; j++) {
        bool expected = false;
        double least = 360;
        for (int i = 0; i < N && !expected; i++) {
            expected = hal_region_contains(c[i], ra[j], dec[j]);
            if (j < 300)
                least = fmin(least, hal_region_distance_deg(c[i], ra[j], dec[j]));
        }
        assert_int_equal(inside[j], expected);
        n_true += expected;
        if (j < 300)
            assert_true(fabs(hal_region_distance_deg(r, ra[j], dec[j]) - least) < 1e-9);
    }
    assert_int_equal(n, n_true);
    assert_true(n_true > 1000 && n_true < PLACES - 1000);
    hal_region_unref(r);
    for (int i = 0; i < N; i++)
        hal_region_unref(c[i]);
    free(c);
    free(ra);
    free(dec);
    free(inside);
}

static void members_of_one_kind_are_one_set_and_two_complements_are_none(void **state)
{
    (void)state;
    hal_region *r =
        parsed("UNION (CIRCLE 1 2 3 UNION (CIRCLE 4 5 6, ALL) NOT (NOT (CIRCLE 7 8 9)))");
    hal_buf out;
    hal_buf_init(&out, 1000);
    assert_int_equal(hal_region_format(r, &out, NULL), HAL_OK);
    assert_string_equal(hal_buf_text(&out), "UNION (CIRCLE 1 2 3 CIRCLE 4 5 6 ALL CIRCLE 7 8 9)");
    hal_buf_clear(&out);
    hal_region_unref(r);
    r = parsed("DIFFERENCE (DIFFERENCE (CIRCLE 1 2 3 CIRCLE 4 5 6) UNION (CIRCLE 7 8 9 ALL))");
    assert_int_equal(hal_region_format(r, &out, NULL), HAL_OK);
    assert_string_equal(hal_buf_text(&out),
                        "INTERSECTION (CIRCLE 1 2 3 NOT (UNION (CIRCLE 4 5 6 CIRCLE 7 8 9 ALL)))");
    hal_buf_clear(&out);
    hal_region_unref(r);
    r = parsed("INTERSECTION (NOT (CIRCLE 1 2 3) NOT (CIRCLE 4 5 6))");
    assert_int_equal(hal_region_format(r, &out, NULL), HAL_OK);
    assert_string_equal(hal_buf_text(&out), "NOT (UNION (CIRCLE 1 2 3 CIRCLE 4 5 6))");
    hal_buf_clear(&out);
    hal_region_unref(r);
    r = parsed("UNION (MOC 0/1 MOC 0/2)");
    assert_int_equal(hal_region_format(r, &out, NULL), HAL_OK);
    assert_string_equal(hal_buf_text(&out), "MOC 0/1-2");
    hal_buf_clear(&out);
    hal_region_unref(r);
}

static void refused(const char *text, hal_status status, const char *because)
{
    hal_err err = HAL_ERR_INIT;
    assert_null(hal_region_parse(hal_slice_of(text), &err));
    assert_int_equal(err.status, status);
    if (!strstr(err.text, because))
        fail_msg("\"%s\" does not say \"%s\"", err.text, because);
}

static void wrong_forms_are_refused_with_the_cause(void **state)
{
    (void)state;
    refused("ELLIPSE 1 2 3", HAL_E_USAGE, "5 numbers");
    refused("ELLIPSE 1 2 3 0 0", HAL_E_USAGE, "semi-axes");
    refused("ELLIPSE 1 2 90 1 0", HAL_E_USAGE, "semi-axes");
    refused("ELLIPSE 1 92 9 1 0", HAL_E_USAGE, "not on the sky");
    refused("ELLIPSE 1 2 9 1 1e4", HAL_E_USAGE, "position angle");
    refused("UNION", HAL_E_USAGE, "\"(\" is missing");
    refused("UNION ()", HAL_E_USAGE, "at least one");
    refused("UNION (CIRCLE 1 2 3", HAL_E_USAGE, "not a region");
    refused("UNION (CIRCLE 1 2 3))", HAL_E_USAGE, "behind its end");
    refused("UNION (CIRCLE 1 2)", HAL_E_USAGE, "3 numbers");
    refused("NOT (CIRCLE 1 2 3 ALL)", HAL_E_USAGE, "takes 1 in brackets, not 2");
    refused("DIFFERENCE (ALL)", HAL_E_USAGE, "takes 2 in brackets, not 1");
    refused("MOC 3/1-4 3/99999", HAL_E_USAGE, "beyond the cells");
    refused("MOC", HAL_E_USAGE, "no order");
    refused("ALL MOC 3/1", HAL_E_USAGE, "0 numbers");
}

static void nesting_and_numbers_have_limits(void **state)
{
    (void)state;
    char text[4000] = "";
    for (int i = 0; i <= HAL_REGION_DEPTH_MAX; i++)
        strcat(text, i % 2 ? "UNION (ALL " : "INTERSECTION (ALL ");
    refused(text, HAL_E_USAGE, "deep");

    hal_err err = HAL_ERR_INIT;
    hal_region *r = parsed("CIRCLE 1 2 3"), *next = NULL;
    for (int depth = 0; (next = depth % 2 ? hal_region_union((hal_region *[]){r, r}, 2, &err)
                                          : hal_region_complement(r, &err));
         depth++) {
        hal_region_unref(r);
        r = next;
        assert_true(depth < 64);
    }
    assert_int_equal(err.status, HAL_E_BUDGET);
    hal_region_unref(r);
}

static void failed_allocations_are_reported_and_leak_nothing(void **state)
{
    (void)state;
    const char *text = "UNION (INTERSECTION (ALL NOT (CIRCLE 1 2 3) NOT (CIRCLE 2 3 4)) ELLIPSE 1 "
                       "2 3 4 5 MOC 3/1-4 INTERSECTION (CIRCLE 1 2 3 POLYGON 1 1 "
                       "2 1 2 2) NOT (MOC 1/7) UNION (MOC 1/1 MOC 2/1) DIFFERENCE (ALL CIRCLE 1 2 "
                       "3))";
    size_t n = 0;
    for (;; n++) {
        hal_err err = HAL_ERR_INIT;
        hal_alloc_fail_at(n + 1);
        hal_region *r = hal_region_parse(hal_slice_of(text), &err);
        hal_alloc_fail_at(0);
        hal_region_unref(r);
        if (r)
            break;
        assert_int_equal(err.status, HAL_E_NOMEM);
    }
    assert_true(n > 20);
    hal_region *r = parsed("UNION (CIRCLE 1 2 3 CIRCLE 2 3 4 CIRCLE 90 2 3)");
    double area = hal_region_area_sr(r);
    for (size_t i = 1; i < 10; i++) {
        double error;
        hal_alloc_fail_at(i);
        assert_true(fabs(hal_region_area(r, &error) - area) <= error + 1e-4 * area);
        hal_alloc_fail_at(0);
    }
    hal_region_unref(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ellipse_is_where_distances_from_two_foci_add_up),
        cmocka_unit_test(the_angle_of_an_ellipse_runs_from_north_through_east),
        cmocka_unit_test(a_round_ellipse_is_a_circle),
        cmocka_unit_test(a_polygon_may_be_of_any_size_and_its_smaller_side_is_inside),
        cmocka_unit_test(a_polygon_of_10000_vertices_round_the_sky_is_exact),
        cmocka_unit_test(regions_of_regions_hold_what_their_members_say),
        cmocka_unit_test(they_never_deny_a_tile_they_share_a_place_with),
        cmocka_unit_test(their_text_reads_back_to_the_same_region),
        cmocka_unit_test(their_area_is_within_the_stated_error),
        cmocka_unit_test(a_union_of_10000_circles_is_found_by_its_index),
        cmocka_unit_test(members_of_one_kind_are_one_set_and_two_complements_are_none),
        cmocka_unit_test(wrong_forms_are_refused_with_the_cause),
        cmocka_unit_test(nesting_and_numbers_have_limits),
        cmocka_unit_test(failed_allocations_are_reported_and_leak_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
