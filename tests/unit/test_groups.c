/* SPDX-License-Identifier: BSD-3-Clause */
/* Plans for lists of targets on simulated skies: every pair of target and row once, whatever the
 * targets, the limit and the window; few requests; nothing moved that a request is not worth. */
#include "plan/groups.h"

#include "sky/match.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define RADIANS 0.017453292519943295

typedef struct places {
    size_t n;
    double *ra, *dec, *radius;
} places;

static double uniform(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static places room(size_t n)
{
    places p = {.ra = malloc((n + 1) * sizeof(double)),
                .dec = malloc((n + 1) * sizeof(double)),
                .radius = malloc((n + 1) * sizeof(double))};
    assert_true(p.ra && p.dec && p.radius);
    return p;
}

static void places_clear(places *p)
{
    free(p->ra);
    free(p->dec);
    free(p->radius);
}

static void add(places *p, double ra, double dec, double radius)
{
    p->ra[p->n] = fmod(ra + 360.0, 360.0);
    p->dec[p->n] = dec;
    p->radius[p->n++] = radius;
}

/* `n` places evenly within `deg` of a place. */
static void add_disc(places *p, size_t n, double ra, double dec, double deg, double radius,
                     uint64_t *seed)
{
    double c = cos(dec * RADIANS), s = sin(dec * RADIANS), top = 1.0 - cos(deg * RADIANS);
    for (size_t i = 0; i < n; i++) {
        double z = 1.0 - top * uniform(seed), t = 2.0 * 3.141592653589793 * uniform(seed);
        double w = sqrt(1.0 - z * z), x = w * cos(t), y = w * sin(t);
        add(p, ra + atan2(y, c * z - s * x) / RADIANS,
            asin(fmax(-1.0, fmin(1.0, s * z + c * x))) / RADIANS, radius);
    }
}

typedef struct outcome {
    hal_account account;
    uint64_t hash; /* of all requests in their order */
    uint64_t n_pairs;
    unsigned char *seen; /* number of times of each true pair */
} outcome;

typedef struct archive {
    const places *sky;
    uint64_t cap;
    bool boxes;
    int window;
    uint64_t reset_every; /* ambiguous and transient failures; 0: none */
} archive;

static size_t answer(const archive *a, const hal_ask *ask, double *ra, double *dec, uint64_t *row)
{
    hal_region *r = a->boxes ? hal_region_box(ask->ra_min_deg, ask->ra_max_deg, ask->dec_min_deg,
                                              ask->dec_max_deg, NULL)
                             : hal_region_circle(ask->cone.ra_deg, ask->cone.dec_deg,
                                                 ask->cone.radius_deg, NULL);
    assert_non_null(r);
    size_t n = 0;
    unsigned char *in = malloc(a->sky->n + 1);
    assert_non_null(in);
    memset(in, 1, a->sky->n);
    hal_region_contains_array(r, a->sky->ra, a->sky->dec, a->sky->n, in);
    for (size_t i = 0; i < a->sky->n; i++)
        if (in[i]) {
            ra[n] = a->sky->ra[i];
            dec[n] = a->sky->dec[i];
            row[n++] = i;
        }
    free(in);
    hal_region_unref(r);
    return n;
}

static uint64_t mix(uint64_t h, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return (h ^ bits) * UINT64_C(0x100000001b3);
}

/* All true pairs, by row of the list and row of the sky. */
static hal_match truth_of(const places *targets, const places *sky)
{
    hal_match m = {0};
    hal_match_side l = {.n_rows = targets->n,
                        .ra_deg = targets->ra,
                        .dec_deg = targets->dec,
                        .radius_deg = targets->radius};
    hal_match_side r = {.n_rows = sky->n, .ra_deg = sky->ra, .dec_deg = sky->dec};
    assert_int_equal(hal_match_run(&m, &l, &r, &(hal_match_options){.mode = HAL_MATCH_ALL}, NULL),
                     HAL_OK);
    return m;
}

static void count_pair(const hal_match *truth, unsigned char *seen, uint64_t left, uint64_t right)
{
    size_t lo = 0, hi = truth->n_pairs;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (truth->left[mid] < left)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < truth->n_pairs && truth->left[lo] == left; lo++)
        if (truth->right[lo] == right) {
            seen[lo]++;
            return;
        }
    fail_msg("a pair that is none");
}

typedef struct kept {
    uint64_t n, *left, *right;
} kept;

/* The pairs that an answer's rows make with the targets of the ask. */
static kept pairs_of(const hal_targets *t, const hal_ask *ask, double *ra, const double *dec,
                     const uint64_t *row, size_t n)
{
    hal_match m = {0};
    hal_match_side l = {.n_rows = ask->n_targets,
                        .ra_deg = t->ra_deg + ask->first_target,
                        .dec_deg = t->dec_deg + ask->first_target,
                        .radius_deg = t->radius_deg + ask->first_target};
    hal_match_side r = {.n_rows = n, .ra_deg = ra, .dec_deg = dec};
    for (size_t i = 0; i < n; i++)
        if (!hal_tile_owns(&ask->tile, ra[i], dec[i]))
            ra[i] = NAN;
    assert_int_equal(hal_match_run(&m, &l, &r, &(hal_match_options){.mode = HAL_MATCH_ALL}, NULL),
                     HAL_OK);
    kept k = {m.n_pairs, malloc((m.n_pairs + 1) * sizeof(uint64_t)),
              malloc((m.n_pairs + 1) * sizeof(uint64_t))};
    assert_true(k.left && k.right);
    for (uint64_t i = 0; i < m.n_pairs; i++) {
        k.left[i] = t->row[ask->first_target + m.left[i]];
        k.right[i] = row[m.right[i]];
    }
    hal_match_clear(&m);
    return k;
}

static outcome run(const places *targets, const archive *a, const hal_match *truth)
{
    hal_err err = HAL_ERR_INIT;
    hal_targets *t = hal_targets_new(targets->n, targets->ra, targets->dec, targets->radius, &err);
    assert_non_null(t);
    hal_service service = {
        .takes_box = a->boxes, .takes_cone = !a->boxes, .cap = a->cap, .radius_decimals = -1};
    hal_plan_options options = {.window = a->window};
    hal_groups *g = hal_groups_new(&service, t, &options, &err);
    assert_non_null(g);
    hal_targets_unref(t); /* the plan's share is enough */
    outcome o = {.hash = UINT64_C(0xcbf29ce484222325), .seen = calloc(truth->n_pairs + 1, 1)};
    double *ra = malloc((a->sky->n + 1) * sizeof *ra), *dec = malloc((a->sky->n + 1) * sizeof *dec);
    uint64_t *row = malloc((a->sky->n + 1) * sizeof *row), seed = 99, n_asked = 0;
    assert_true(o.seen && ra && dec && row);
    hal_ask out[8];
    int n_out = 0;
    for (int64_t now = 0;;) {
        hal_ask ask;
        int64_t until;
        hal_next next = hal_groups_next(g, now, &ask, &until);
        if (next == HAL_NEXT_DONE)
            break;
        if (next == HAL_NEXT_ASK) {
            out[n_out++] = ask;
            continue;
        }
        if (n_out == 0) {
            assert_true(until < INT64_MAX);
            now = until;
            continue;
        }
        int i = (int)(uniform(&seed) * n_out); /* answers come in any order */
        ask = out[i];
        out[i] = out[--n_out];
        if (a->reset_every && ++n_asked % a->reset_every == 0) {
            hal_verdict verdict =
                n_asked % (2 * a->reset_every) ? HAL_VERDICT_AMBIGUOUS : HAL_VERDICT_TRANSIENT;
            assert_int_equal(hal_groups_failed(g, ask.id, verdict, now, NULL, &err), HAL_OK);
            continue;
        }
        size_t n = answer(a, &ask, ra, dec, row);
        if (a->cap && n >= a->cap) {
            assert_int_equal(hal_groups_failed(g, ask.id, HAL_VERDICT_OVER, now, NULL, &err),
                             HAL_OK);
            continue;
        }
        kept k = {0};
        if (ask.kind == HAL_ASK_FETCH)
            k = pairs_of(t, &ask, ra, dec, row, n);
        bool accepted;
        assert_int_equal(hal_groups_complete(g, ask.id, n, k.n, 0.0, &accepted, &err), HAL_OK);
        for (uint64_t p = 0; accepted && p < k.n; p++)
            count_pair(truth, o.seen, k.left[p], k.right[p]);
        o.n_pairs += accepted ? k.n : 0;
        uint64_t one = mix(mix(mix(7, ask.cone.ra_deg), ask.cone.dec_deg), ask.cone.radius_deg);
        o.hash += one; /* of the set of requests: their order is the archive's */
        free(k.left);
        free(k.right);
    }
    hal_groups_account(g, &o.account);
    for (size_t i = 0; i < targets->n && o.account.state == HAL_PLAN_COMPLETE; i++)
        assert_true(i >= t->n || hal_groups_is_served(g, i));
    hal_groups_free(g);
    free(ra);
    free(dec);
    free(row);
    return o;
}

/* Runs and compares with brute force; the account. */
static hal_account assert_all_pairs(const places *targets, const archive *a, uint64_t *hash)
{
    hal_match truth = truth_of(targets, a->sky);
    outcome o = run(targets, a, &truth);
    assert_int_equal(o.account.state, HAL_PLAN_COMPLETE);
    assert_int_equal(o.n_pairs, truth.n_pairs);
    assert_int_equal(o.account.rows_kept, truth.n_pairs);
    for (uint64_t i = 0; i < truth.n_pairs; i++)
        assert_int_equal(o.seen[i], 1);
    if (hash)
        *hash = o.hash;
    free(o.seen);
    hal_match_clear(&truth);
    return o.account;
}

static places even_sky(size_t n, uint64_t seed)
{
    places sky = room(n);
    add_disc(&sky, n, 0, 90, 180, 0, &seed);
    return sky;
}

static void every_pair_comes_once_whatever_the_targets(void **state)
{
    (void)state;
    static const struct {
        double ra, dec, deg;
        size_t n;
        double radius;
    } lists[] = {
        {0, 90, 180, 400, 0.5},   {0, 90, 180, 50, 12},    {77, 89.9, 3, 300, 0.4},
        {0.01, -20, 2, 300, 0.3}, {120, -90, 1, 100, 0.8}, {200, 10, 0, 40, 1},
        {200, 10, 1e-5, 40, 2},   {200, 10, 20, 1, 25},
    };
    places sky = even_sky(40000, 3);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (int way = 0; way < 4; way++) {
            uint64_t seed = 10 + i;
            places targets = room(lists[i].n);
            add_disc(&targets, lists[i].n, lists[i].ra, lists[i].dec, lists[i].deg, 0, &seed);
            for (size_t k = 0; k < targets.n; k++)
                targets.radius[k] = lists[i].radius * (0.2 + uniform(&seed));
            archive a = {.sky = &sky, .cap = way < 2 ? 100 : 3000, .boxes = way % 2, .window = 4};
            assert_all_pairs(&targets, &a, NULL);
            places_clear(&targets);
        }
    places_clear(&sky);
}

static void a_crowd_over_the_limit_is_cut_until_it_fits(void **state)
{
    (void)state;
    uint64_t seed = 4;
    places sky = room(30000);
    add_disc(&sky, 20000, 250, 36, 0.3, 0, &seed);
    add_disc(&sky, 10000, 250, 36, 10, 0, &seed);
    places targets = room(600);
    add_disc(&targets, 300, 250, 36, 0.3, 0.01, &seed);
    add_disc(&targets, 299, 250, 36, 10, 0.01, &seed);
    add(&targets, 250, 36, 0.2); /* over by itself: tiles */
    archive a = {.sky = &sky, .cap = 900, .window = 4};
    hal_account account = assert_all_pairs(&targets, &a, NULL);
    assert_true(account.over > 0);
    assert_true(account.requests < 300); /* half of one each */
    places_clear(&targets);
    places_clear(&sky);
}

static void identical_targets_share_their_requests(void **state)
{
    (void)state;
    places sky = even_sky(40000, 5), targets = room(1000);
    for (int i = 0; i < 1000; i++)
        add(&targets, 33, -5, 0.5);
    archive a = {.sky = &sky, .cap = 1000, .window = 4};
    hal_account account = assert_all_pairs(&targets, &a, NULL);
    assert_true(account.requests <= 2);
    places_clear(&targets);
    places_clear(&sky);
}

static void what_is_asked_does_not_depend_on_the_window(void **state)
{
    (void)state;
    uint64_t seed = 6, first = 0;
    places sky = even_sky(60000, 6), targets = room(500);
    add_disc(&targets, 300, 80, 60, 30, 0.3, &seed);
    add_disc(&targets, 200, 0, 0, 2, 0.3, &seed);
    static const int windows[] = {1, 4, 8};
    uint64_t requests = 0;
    for (int i = 0; i < 3; i++) {
        archive a = {.sky = &sky, .cap = 300, .window = windows[i]};
        uint64_t hash;
        hal_account account = assert_all_pairs(&targets, &a, &hash);
        if (i == 0) {
            first = hash;
            requests = account.requests;
        }
        assert_true(hash == first);
        assert_int_equal(account.requests, requests);
    }
    places_clear(&targets);
    places_clear(&sky);
}

static void faults_cost_repeats_and_no_pair(void **state)
{
    (void)state;
    uint64_t seed = 7;
    places sky = even_sky(40000, 7), targets = room(400);
    add_disc(&targets, 400, 10, 10, 40, 0.3, &seed);
    archive a = {.sky = &sky, .cap = 500, .window = 4, .reset_every = 5};
    hal_account account = assert_all_pairs(&targets, &a, NULL);
    assert_true(account.ambiguous > 0 && account.transient > 0);
    places_clear(&targets);
    places_clear(&sky);
}

static void neighbours_share_requests_where_rows_are_few(void **state)
{
    (void)state;
    uint64_t seed = 8;
    places sky = even_sky(100000, 8), targets = room(2000);
    add_disc(&targets, 2000, 100, 40, 5, 2.0 / 3600, &seed);
    archive a = {.sky = &sky, .cap = 50000, .window = 4};
    hal_account account = assert_all_pairs(&targets, &a, NULL);
    assert_true(account.requests < 30);
    places_clear(&targets);
    places_clear(&sky);
}

static void rows_without_a_place_or_a_radius_are_told_apart(void **state)
{
    (void)state;
    const double ra[] = {1, NAN, 2, 3, 4}, dec[] = {1, 2, 91, 3, NAN}, r[] = {1, 1, 1, -1, 1};
    hal_targets *t = hal_targets_new(5, ra, dec, r, NULL);
    assert_non_null(t);
    assert_int_equal(t->n, 1);
    static const unsigned char lack[] = {HAL_TARGET_WHOLE, HAL_TARGET_NO_PLACE, HAL_TARGET_NO_PLACE,
                                         HAL_TARGET_NO_RADIUS, HAL_TARGET_NO_PLACE};
    assert_memory_equal(t->lack, lack, 5);
    hal_targets_unref(t);
}

static void a_budget_of_requests_ends_the_plan_with_its_remedy(void **state)
{
    (void)state;
    uint64_t seed = 9;
    places targets = room(100);
    add_disc(&targets, 100, 0, 90, 180, 0.001, &seed);
    hal_err err = HAL_ERR_INIT;
    hal_targets *t = hal_targets_new(100, targets.ra, targets.dec, targets.radius, &err);
    hal_service service = {.takes_cone = true, .cap = 1000, .radius_decimals = -1};
    hal_groups *g =
        hal_groups_new(&service, t, &(hal_plan_options){.window = 1, .requests_max = 3}, &err);
    assert_non_null(g);
    hal_ask ask;
    int64_t until;
    int n = 0;
    for (bool accepted; hal_groups_next(g, 0, &ask, &until) == HAL_NEXT_ASK; n++)
        assert_int_equal(hal_groups_complete(g, ask.id, 900, 0, 0.0, &accepted, &err), HAL_OK);
    assert_int_equal(n, 3);
    hal_account account;
    hal_groups_account(g, &account);
    assert_int_equal(account.state, HAL_PLAN_PARTIAL);
    assert_int_equal(hal_groups_error(g, &err), HAL_E_BUDGET);
    assert_non_null(strstr(err.text, "raise budget.requests"));
    hal_groups_free(g);
    hal_targets_unref(t);
    places_clear(&targets);
}

/* Processor time, not wall time: the machine may be busy. */
static void a_hundred_thousand_targets_are_planned_in_a_second(void **state)
{
    (void)state;
    uint64_t seed = 11;
    places targets = room(100000);
    add_disc(&targets, 100000, 0, 90, 180, 2.0 / 3600, &seed);
    clock_t began = clock();
    hal_err err = HAL_ERR_INIT;
    hal_targets *t = hal_targets_new(targets.n, targets.ra, targets.dec, targets.radius, &err);
    hal_service service = {.takes_cone = true, .cap = 500000, .radius_decimals = -1};
    hal_groups *g = hal_groups_new(&service, t, &(hal_plan_options){.window = 4}, &err);
    assert_non_null(g);
    hal_ask ask;
    int64_t until;
    /* 20,000 rows to the square degree. */
    for (bool accepted; hal_groups_next(g, 0, &ask, &until) == HAL_NEXT_ASK;) {
        double rows = 20000.0 * 3.2828e3 * hal_cone_area_sr(ask.cone.radius_deg);
        assert_int_equal(hal_groups_complete(g, ask.id, (uint64_t)rows, 0, 0.0, &accepted, &err),
                         HAL_OK);
    }
    double seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
    hal_account account;
    hal_groups_account(g, &account);
    print_message("%.2f s, %llu requests, %llu rows\n", seconds,
                  (unsigned long long)account.requests, (unsigned long long)account.rows_returned);
    assert_int_equal(account.state, HAL_PLAN_COMPLETE);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(seconds < 5.0); /* every request of the run, not the first alone */
#endif
    hal_groups_free(g);
    hal_targets_unref(t);
    places_clear(&targets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_comes_once_whatever_the_targets),
        cmocka_unit_test(a_crowd_over_the_limit_is_cut_until_it_fits),
        cmocka_unit_test(identical_targets_share_their_requests),
        cmocka_unit_test(what_is_asked_does_not_depend_on_the_window),
        cmocka_unit_test(faults_cost_repeats_and_no_pair),
        cmocka_unit_test(neighbours_share_requests_where_rows_are_few),
        cmocka_unit_test(rows_without_a_place_or_a_radius_are_told_apart),
        cmocka_unit_test(a_budget_of_requests_ends_the_plan_with_its_remedy),
        cmocka_unit_test(a_hundred_thousand_targets_are_planned_in_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
