/* SPDX-License-Identifier: BSD-3-Clause */
#include "sky/moc.h"

#include "base/alloc.h"
#include "sky/healpix.h"

#include "support/random_region.h"

static hal_moc *map_of(const char *text)
{
    hal_err err = HAL_ERR_INIT;
    hal_moc *m = hal_moc_parse(hal_slice_of(text), &err);
    if (!m)
        fail_msg("%s: %s", text, err.text);
    return m;
}

static void is_text(const hal_moc *m, const char *ascii, const char *json)
{
    hal_buf out;
    hal_buf_init(&out, 1 << 20);
    assert_int_equal(hal_moc_format(m, &out, NULL), HAL_OK);
    assert_string_equal(hal_buf_text(&out), ascii);
    hal_buf_clear(&out);
    if (json) {
        assert_int_equal(hal_moc_format_json(m, &out, NULL), HAL_OK);
        assert_string_equal(hal_buf_text(&out), json);
        hal_buf_clear(&out);
    }
}

static void reads(const char *text, const char *ascii, const char *json)
{
    hal_moc *m = map_of(text);
    is_text(m, ascii, json);
    hal_moc_unref(m);
}

static void texts_are_read_and_written_in_the_normal_form(void **state)
{
    (void)state;
    /* The example of the standard; its cells 12-14 are not four of a kind. */
    reads("1/1 2 4 2/12-14 21 23 25 8/", "1/1-2 4 2/12-14 21 23 25 8/",
          "{\"1\":[1,2,4],\"2\":[12,13,14,21,23,25],\"8\":[]}");
    reads("{\"1\":[1,2,4],\"2\":[12,13,14,21,23,25]}", "1/1-2 4 2/12-14 21 23 25", NULL);
    reads("s 3/4,5,6,7", "2/1 3/", "{\"2\":[1],\"3\":[]}");
    reads("S3/4-7\n2/2 3", "2/1-3 3/", NULL);
    reads("2/0-3 1/0 3/0,5-9", "1/0 3/", NULL);
    reads("0/0-11", "0/0-11", "{\"0\":[0,1,2,3,4,5,6,7,8,9,10,11]}");
    reads("29/0 3458764513820540927", "29/0 3458764513820540927", NULL);
    reads("0/", "0/", "{\"0\":[]}");
    reads("7/", "7/", "{\"7\":[]}");
    reads(" { } ", "0/", NULL);
    reads("{\"3\" : [ ] , \"1\":[ 5 ]}", "1/5 3/", NULL);
    reads("5/1 5/2 5/3", "5/1-3", NULL);
}

static void refused(const char *text, const char *because)
{
    hal_err err = HAL_ERR_INIT;
    assert_null(hal_moc_parse(hal_slice_of(text), &err));
    assert_int_equal(err.status, HAL_E_USAGE);
    if (!strstr(err.text, because))
        fail_msg("%s: \"%s\" does not say \"%s\"", text, err.text, because);
}

static void wrong_texts_are_refused_with_the_place(void **state)
{
    (void)state;
    refused("", "no order");
    refused("3", "before any order");
    refused("30/1", "byte 3: an order above 29");
    refused("3/768", "byte 5: an index beyond");
    refused("0/12", "beyond");
    refused("3/5-4", "ends before");
    refused("3/5-", "number is missing");
    refused("3/x", "byte 2: a number is missing");
    refused("3/1 2 z", "byte 6");
    refused("3/1;2", "byte 3");
    refused("3/-1", "number is missing");
    refused("29/34587645138205409270", "19 digits");
    refused("t61/1", "time");
    refused("{\"3\":[1,2}", "byte 9");
    refused("{\"3\":[1,]}", "number is missing");
    refused("{\"3\":[1-2]}", "missing");
    refused("{3:[1]}", "in quotes");
    refused("{\"3\":1}", "list");
    refused("{\"3\":[768]}", "beyond");
    refused("{\"3\":[1]} x", "behind the end");
    refused("{\"3\":[1],}", "in quotes");
    refused("{\"3\":[1.5]}", "missing");
    refused("{\"31\":[1]}", "above 29");
}

enum { CELLS = 12 << 6 }; /* of order 3 */

static hal_moc *of_flags(const bool *in)
{
    hal_moc_range r[CELLS];
    size_t n = 0;
    for (uint64_t i = 0; i < CELLS; i++)
        if (in[i])
            r[n++] = (hal_moc_range){i << 52, (i + 1) << 52};
    for (size_t i = 0; i + 1 < n; i++) { /* in any order */
        size_t j = i + random_bits() % (n - i);
        hal_moc_range swap = r[i];
        r[i] = r[j];
        r[j] = swap;
    }
    hal_moc *m = hal_moc_new(r, n, 3, NULL);
    assert_non_null(m);
    return m;
}

static void check_flags(hal_moc *m, const bool *in)
{
    size_t n = 0;
    for (uint64_t i = 0; i < CELLS; i++) {
        double ra, dec;
        hal_healpix_position(3, i, between(0.01, 0.99), between(0.01, 0.99), &ra, &dec);
        assert_int_equal(hal_moc_contains(m, ra, dec), in[i]);
        assert_int_equal(hal_moc_share_of(m, i << 52, (i + 1) << 52),
                         in[i] ? HAL_MOC_WHOLE : HAL_MOC_NONE);
        n += in[i];
    }
    assert_true(fabs(hal_moc_area_sr(m) - 4 * PI * (double)n / CELLS) < 1e-12);
    const hal_moc_range *range;
    size_t n_ranges = hal_moc_ranges(m, &range);
    for (size_t i = 1; i < n_ranges; i++)
        assert_true(range[i - 1].hi < range[i].lo);
    hal_buf text;
    hal_buf_init(&text, 1 << 20);
    for (int json = 0; json < 2; json++) {
        assert_int_equal(
            json ? hal_moc_format_json(m, &text, NULL) : hal_moc_format(m, &text, NULL), HAL_OK);
        hal_moc *again = hal_moc_parse(hal_buf_slice(&text), NULL);
        const hal_moc_range *other;
        assert_int_equal(hal_moc_ranges(again, &other), n_ranges);
        assert_int_equal(hal_moc_order(again), hal_moc_order(m));
        if (n_ranges)
            assert_memory_equal(range, other, n_ranges * sizeof *range);
        hal_moc_unref(again);
        hal_buf_clear(&text);
    }
    hal_moc_unref(m);
}

static void sets_agree_with_flags_of_all_cells(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        bool a[CELLS], b[CELLS], both[CELLS], either[CELLS], only[CELLS], rest[CELLS];
        double share = round % 3 == 0 ? 0.02 : round % 3 == 1 ? 0.5 : 0.99;
        for (int i = 0; i < CELLS; i++) {
            a[i] = round == 1 || (round != 2 && unit() < share);
            b[i] = unit() < 0.5;
            both[i] = a[i] && b[i];
            either[i] = a[i] || b[i];
            only[i] = a[i] && !b[i];
            rest[i] = !a[i];
        }
        hal_moc *x = of_flags(a), *y = of_flags(b);
        check_flags(hal_moc_union(x, y, NULL), either);
        check_flags(hal_moc_intersection(x, y, NULL), both);
        check_flags(hal_moc_difference(x, y, NULL), only);
        check_flags(hal_moc_complement(x, NULL), rest);
        check_flags(x, a);
        check_flags(y, b);
    }
}

typedef struct runs {
    int order;
    uint64_t last, n;
} runs;

static bool ascending(void *ctx, int order, uint64_t lo, uint64_t hi)
{
    runs *r = ctx;
    assert_true(lo < hi && order >= r->order);
    assert_true(order > r->order || lo > r->last);
    r->order = order;
    r->last = hi;
    r->n++;
    return r->n < 3;
}

static void runs_come_in_order_and_a_caller_can_stop(void **state)
{
    (void)state;
    hal_moc *m = map_of("1/1 2 4 2/12-14 21 23 25 8/");
    runs r = {-1, 0, 0};
    hal_moc_each_run(m, ascending, &r);
    assert_int_equal(r.n, 3);
    hal_moc_unref(m);
}

static void the_map_of_a_region_covers_it_and_little_more(void **state)
{
    (void)state;
    int n_inside = 0, n_cells = 0;
    for (int i = 0; i < 300; i++) {
        hal_region *r = random_region();
        if (!r)
            continue;
        hal_cone c = hal_region_cone(r);
        int order = 12;
        while (order > 0 && c.radius_deg > 20 * hal_healpix_radius_deg(order))
            order--;
        order = i % 7 == 0 ? 29 : order;
        if (order == 29 && c.radius_deg > 1e-5)
            order = c.radius_deg < 0.01 ? 18 : 3;
        hal_moc *m = hal_moc_of_region(r, order, NULL);
        assert_non_null(m);
        assert_int_equal(hal_moc_order(m), order);
        for (int j = 0; j < 200; j++) {
            double ra, dec;
            walk(c.ra_deg, c.dec_deg, c.radius_deg * unit(), between(0, 360), &ra, &dec);
            if (hal_region_contains(r, ra, dec)) {
                assert_true(hal_moc_contains(m, ra, dec));
                n_inside++;
            }
        }
        const hal_moc_range *range;
        size_t n = hal_moc_ranges(m, &range);
        for (size_t k = 0; k < n && k < 50; k++) { /* the first cell of each range */
            double ra, dec;
            uint64_t cell = range[k].lo >> 2 * (29 - order);
            hal_healpix_position(order, cell, 0.5, 0.5, &ra, &dec);
            assert_true(hal_region_distance_deg(r, ra, dec) <= 1.5 * hal_healpix_radius_deg(order));
            n_cells++;
        }
        hal_moc_unref(m);
        hal_region_unref(r);
    }
    assert_true(n_inside > 10000 && n_cells > 3000);
}

static void the_map_of_a_union_is_the_union_of_maps_however_much_they_overlap(void **state)
{
    (void)state;
    enum { N = 800 }; /* together more ranges than wait to be united */
    hal_region **c = malloc(N * sizeof(hal_region *));
    hal_moc *all = hal_moc_parse(hal_slice_of("12/"), NULL);
    for (int i = 0; i < N; i++) {
        c[i] = hal_region_circle(40 + i % 7 * 0.01, 89 - i % 5 * 0.01, 4, NULL);
        if (i >= 35)
            continue; /* as before */
        hal_moc *m = hal_moc_of_region(c[i], 12, NULL), *next = hal_moc_union(all, m, NULL);
        hal_moc_unref(all);
        hal_moc_unref(m);
        all = next;
    }
    hal_region *r = hal_region_union(c, N, NULL);
    hal_err err = HAL_ERR_INIT;
    hal_moc *m = hal_moc_of_region(r, 12, &err);
    if (!m)
        fail_msg("%s", err.text);
    const hal_moc_range *x, *y;
    size_t n = hal_moc_ranges(m, &x);
    assert_true(n * N > HAL_MOC_RANGES_MAX / 8);
    assert_int_equal(hal_moc_ranges(all, &y), n);
    assert_memory_equal(x, y, n * sizeof *x);
    hal_moc_unref(m);
    hal_moc_unref(all);
    hal_region_unref(r);
    for (int i = 0; i < N; i++)
        hal_region_unref(c[i]);
    free(c);
}

static hal_moc *random_map(void)
{
    hal_moc *m = NULL;
    while (!m) {
        hal_region *r = random_region();
        if (!r)
            continue;
        int order = 9;
        while (order > 0 &&
               hal_region_cone(r).radius_deg > between(5, 40) * hal_healpix_radius_deg(order))
            order--;
        m = hal_moc_of_region(r, order, NULL);
        hal_region_unref(r);
        if (unit() < 0.2) {
            hal_moc *rest = hal_moc_complement(m, NULL);
            hal_moc_unref(m);
            m = rest;
        }
    }
    return m;
}

static void as_a_region_it_knows_distance_tile_and_cone(void **state)
{
    (void)state;
    int n_inside = 0, n_outside = 0;
    for (int i = 0; i < 200; i++) {
        hal_moc *m = random_map();
        hal_region *r = hal_region_of_moc(m, NULL);
        assert_ptr_equal(hal_region_get_moc(r), m);
        hal_tile t = hal_region_tile(r);
        hal_cone c = hal_region_cone(r);
        for (int j = 0; j < 60; j++) {
            double ra, dec, q_ra, q_dec;
            walk(c.ra_deg, c.dec_deg, fmin(180, c.radius_deg * between(0, 1.3)), between(0, 360),
                 &ra, &dec);
            bool inside = hal_region_contains(r, ra, dec);
            double d = hal_region_distance_deg(r, ra, dec);
            assert_int_equal(inside, hal_moc_contains(m, ra, dec));
            assert_true(!inside || d == 0);
            if (inside) {
                assert_true(hal_tile_owns(&t, ra, dec));
                assert_true(hal_separation_deg(c.ra_deg, c.dec_deg, ra, dec) <=
                            c.radius_deg + 1e-11);
            }
            bool reached = inside;
            for (int k = 0; k < 30 && !inside; k++) {
                walk(ra, dec, d * 0.999999 * sqrt(unit()), between(0, 360), &q_ra, &q_dec);
                assert_false(hal_region_contains(r, q_ra, q_dec));
            }
            /* and hardly farther: all round, some step gets in */
            for (int k = 0; k < 720 && !reached; k++)
                for (double more = 1; more < 1.1 && !reached; more += 0.02) {
                    walk(ra, dec, d * more * 1.03 + 2e-6, k / 2.0, &q_ra, &q_dec);
                    reached = hal_region_contains(r, q_ra, q_dec);
                }
            n_inside += inside;
            n_outside += !inside && reached;
            assert_true(reached || d < 0.01);
        }
        hal_region_unref(r);
        hal_moc_unref(m);
    }
    assert_true(n_inside > 4000 && n_outside > 1000);
}

static void as_a_region_it_never_denies_a_shared_tile_and_denies_most_others(void **state)
{
    (void)state;
    int n_shared = 0, n_denied = 0, n_apart = 0;
    for (int i = 0; i < 2000; i++) {
        hal_moc *m = random_map();
        hal_region *r = hal_region_of_moc(m, NULL);
        hal_tile t = random_tile(hal_region_cone(r));
        double margin = i % 2 ? 0 : pow(10, between(-4, 0));
        bool shared = false;
        for (int j = 0; j < 200 && !shared; j++) {
            double ra = hal_ra_canonical(((double)t.ra + (double)t.width * unit()) / 1e7);
            double dec = ((double)t.dec_lo + (double)(t.dec_hi - t.dec_lo) * unit()) / 1e7;
            walk(ra, dec, margin * unit(), between(0, 360), &ra, &dec);
            shared = hal_region_contains(r, ra, dec);
        }
        bool may = hal_region_may_touch(r, &t, margin);
        assert_true(may || !shared);
        n_shared += shared;
        n_denied += !may;
        n_apart += !shared;
        hal_region_unref(r);
        hal_moc_unref(m);
    }
    assert_true(n_shared > 300 && n_denied > 0.8 * n_apart);
}

static void a_coarser_map_of_a_map_is_exact(void **state)
{
    (void)state;
    hal_moc *m = map_of("5/100 6/1000-1002");
    hal_region *r = hal_region_of_moc(m, NULL);
    hal_moc *c = hal_moc_of_region(r, 4, NULL);
    is_text(c, "4/25 62", NULL);
    hal_moc_unref(c);
    c = hal_moc_of_region(r, 6, NULL);
    is_text(c, "5/100 6/1000-1002", NULL);
    hal_moc_unref(c);
    hal_region_unref(r);
    hal_moc_unref(m);
}

static void a_map_of_100000_cells_answers_quickly_and_rightly(void **state)
{
    (void)state;
    enum { N = 100000 };
    hal_moc_range *range = malloc(N * sizeof *range);
    for (int i = 0; i < N; i++) {
        uint64_t cell = random_bits() % (UINT64_C(12) << 20);
        range[i] = (hal_moc_range){cell << 38, (cell + 1) << 38};
    }
    hal_moc *m = hal_moc_new(range, N, 10, NULL);
    hal_region *r = hal_region_of_moc(m, NULL);
    for (int j = 0; j < 3000; j++) {
        double ra, dec;
        random_point(&ra, &dec);
        bool inside = false;
        if (j < 500) {
            uint64_t cell = hal_healpix_index(29, ra, dec);
            for (int i = 0; i < N && !inside; i++)
                inside = cell >= range[i].lo && cell < range[i].hi;
            assert_int_equal(hal_region_contains(r, ra, dec), inside);
        }
        hal_tile t = {(int64_t)(ra * 1e7), 1000000, (int64_t)(dec * 0.9 * 1e7),
                      (int64_t)(dec * 0.9 * 1e7) + 1000000};
        if (hal_region_contains(r, ra, dec * 0.9))
            assert_true(hal_region_may_touch(r, &t, 0));
        assert_true(hal_region_distance_deg(r, ra, dec) < 2);
    }
    hal_region_unref(r);
    hal_moc_unref(m);
    free(range);
}

static void too_many_ranges_are_refused(void **state)
{
    (void)state;
    hal_err err = HAL_ERR_INIT;
    size_t n = HAL_MOC_RANGES_MAX;
    hal_moc_range *range = calloc(n + 1, sizeof *range);
    for (size_t i = 0; i <= n; i++)
        range[i] = (hal_moc_range){4 * i, 4 * i + 1};
    assert_null(hal_moc_new(range, n + 1, 29, &err));
    assert_int_equal(err.status, HAL_E_BUDGET);
    hal_moc *a = hal_moc_new(range, n, 29, NULL);
    hal_moc *b = hal_moc_new(&(hal_moc_range){8 * n, 8 * n + 1}, 1, 29, NULL);
    assert_non_null(a);
    err = HAL_ERR_INIT;
    assert_null(hal_moc_union(a, b, &err));
    assert_int_equal(err.status, HAL_E_BUDGET);
    hal_moc_unref(a);
    hal_moc_unref(b);
    range[0] = (hal_moc_range){5, 5};
    assert_null(hal_moc_new(range, 1, 29, &err));
    range[0] = (hal_moc_range){5, HAL_MOC_CELLS + 1};
    assert_null(hal_moc_new(range, 1, 29, &err));
    assert_null(hal_moc_new(NULL, 0, 30, &err));
    assert_int_equal(err.status, HAL_E_USAGE);
    free(range);
}

static void failed_allocations_are_reported_and_leak_nothing(void **state)
{
    (void)state;
    hal_region *r = parsed("CIRCLE 10 20 3");
    for (size_t n = 1;; n++) {
        hal_err err = HAL_ERR_INIT;
        hal_alloc_fail_at(n);
        hal_moc *m = hal_moc_of_region(r, 6, &err);
        hal_moc *rest = m ? hal_moc_complement(m, &err) : NULL;
        hal_region *map = rest ? hal_region_of_moc(rest, &err) : NULL;
        hal_alloc_fail_at(0);
        hal_region_unref(map);
        hal_moc_unref(rest);
        hal_moc_unref(m);
        if (map) {
            assert_true(n > 5);
            break;
        }
        assert_int_equal(err.status, HAL_E_NOMEM);
    }
    hal_region_unref(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_read_and_written_in_the_normal_form),
        cmocka_unit_test(wrong_texts_are_refused_with_the_place),
        cmocka_unit_test(sets_agree_with_flags_of_all_cells),
        cmocka_unit_test(runs_come_in_order_and_a_caller_can_stop),
        cmocka_unit_test(the_map_of_a_region_covers_it_and_little_more),
        cmocka_unit_test(the_map_of_a_union_is_the_union_of_maps_however_much_they_overlap),
        cmocka_unit_test(as_a_region_it_knows_distance_tile_and_cone),
        cmocka_unit_test(as_a_region_it_never_denies_a_shared_tile_and_denies_most_others),
        cmocka_unit_test(a_coarser_map_of_a_map_is_exact),
        cmocka_unit_test(a_map_of_100000_cells_answers_quickly_and_rightly),
        cmocka_unit_test(too_many_ranges_are_refused),
        cmocka_unit_test(failed_allocations_are_reported_and_leak_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
