/* SPDX-License-Identifier: BSD-3-Clause */
/* Exactly once as a property: whatever the service, the region, the sky and the faults, no row is
 * kept twice, a complete run has every row, and what is not complete names the tiles that lack
 * them; and what is asked does not depend on how many requests are in the air.
 *
 * test_plan_property [CASES [FIRST_SEED]]; a failing case is made as simple as it stays failing and
 * printed as an initialiser: put it into `found_before`. */
#include "support/plan_case.h"

#include <setjmp.h>

#include <cmocka.h>

enum { CASES = 300, SHRINK_RUNS = 3000 };

static int n_cases = CASES;
static uint64_t first_seed = 1;

/* What cases of former runs were reduced to. */
static const plan_case found_before[] = {
    /* counted with a radius that the service refuses */
    {.seed = 75,
     .region = "ALL",
     .form = FORM_CONE,
     .over = OVER_FLAG,
     .cap = 10,
     .told = 13,
     .decimals = -1,
     .radius_max_deg = 133.852,
     .counts = true},
    /* pages larger than an answer may be */
    {.seed = 80,
     .region = "ALL",
     .form = FORM_CONE,
     .over = OVER_FLAG,
     .cap = 10,
     .borders = 160,
     .decimals = -1,
     .order_key = true},
    /* cells hold no rows without position: nothing says how many are missing */
    {.seed = 3552,
     .region = "ALL",
     .form = FORM_BOX,
     .over = OVER_FLAG,
     .cap = 10,
     .told = 1,
     .borders = 10,
     .unplaced = 0.03,
     .decimals = -1,
     .histogram = true},
    /* the count of a region with its guard is not that of its rows */
    {.seed = 3853,
     .region = "RANGE 346.423484 349.665916 -54.85883 -52.94857",
     .form = FORM_BOX,
     .over = OVER_FLAG,
     .cap = 22,
     .told = 1,
     .band = 285,
     .clumps = 248,
     .decimals = -1,
     .counts = true,
     .column = true,
     .column_nulls = 0.064},
    /* the count of a table is not that of a region */
    {.seed = 3867,
     .region = "CIRCLE 322.832 59.069 8.884",
     .form = FORM_COLUMN,
     .over = OVER_FLAG,
     .cap = 10,
     .told = 1,
     .even = 10,
     .decimals = -1,
     .counts = true,
     .column = true,
     .column_nulls = 0.0021},
    /* probed with a radius that the service refuses */
    {.seed = 3,
     .region = "CIRCLE 10 10 0.003",
     .form = FORM_CONE,
     .over = OVER_FLAG,
     .cap = 10,
     .told = 1,
     .even = 200,
     .decimals = -1,
     .radius_max_deg = 0.002},
    /* cut without a word, in tiles that coarse positions make the smallest */
    {.seed = 5262,
     .region = "ELLIPSE 40.8961 70.997 0.04573 0.0339257747911328 41.8",
     .form = FORM_BOX_OR_CONE,
     .over = OVER_SILENT,
     .cap = 500,
     .even = 476,
     .band = 912,
     .clumps = 64,
     .decimals = 2,
     .prints_only = true,
     .radius_decimals = 2},
};

/* ---- the verdict ---- */

typedef struct verdict {
    char text[512]; /* "": holds */
    hal_plan_state state;
    uint64_t requests;
} verdict;

/* Which rows a leaf of the tree answers for, by the first line of the plan's explanation. */
typedef struct split_by {
    bool sky, outlines;
    double guard_deg;
} split_by;

static split_by split_of(const sim_report *r, const hal_service *s)
{
    return (split_by){
        .sky = strstr(r->explained, "boxes on the sky") || strstr(r->explained, "round boxes") ||
               strstr(r->explained, "columns of the centre"),
        .outlines = strstr(r->explained, "kept once by its key"),
        .guard_deg = fmax(s->guard_arcsec > 0.0 ? s->guard_arcsec / 3600.0 : 1.0 / 3600.0,
                          2.0 * s->pos_quantum_deg),
    };
}

static bool answers_for(const hal_leaf *l, const split_by *by, bool root, const sim_row *r)
{
    hal_ask range = {.column = l->column,
                     .column_null = l->column && isnan(l->column_lo),
                     .column_lo = l->column_lo,
                     .column_hi = l->column_hi};
    if (!hal_ask_owns_value(&range, r->value, isnan(r->value)))
        return false;
    if (root || !by->sky)
        return true;
    if (by->outlines) {
        hal_cone c = hal_tile_cone(&l->tile);
        return hal_separation_deg(c.ra_deg, c.dec_deg, r->sel_ra, r->sel_dec) <=
               c.radius_deg + (double)r->outline_deg + 2.0 * by->guard_deg;
    }
    if (r->unplaced || l->no_position)
        return r->unplaced && l->no_position;
    return hal_tile_owns(&l->tile, r->ra, r->dec);
}

/* A row that is missing belongs to a leaf that is not done; one that came does not, except by pages
 * and outlines, of which some come before the rest is given up. */
static void check_leaves(verdict *v, const sim_sky *sky, const sim_report *r, const plan_case *c,
                         const unsigned char *belongs)
{
    hal_service s = plan_case_service(c);
    split_by by = split_of(r, &s);
    bool piecemeal = by.outlines || c->order_key;
    /* Unsplit, or split by a column from the root on: leaves are of the whole region. */
    bool root = r->n_leaf == 1;
    for (size_t i = 0; i < sky->n_row && !v->text[0]; i++) {
        const sim_row *row = &sky->row[i];
        if (!belongs[i])
            continue;
        int done = 0, missing = 0;
        for (size_t k = 0; k < r->n_leaf; k++)
            if (answers_for(&r->leaf[k], &by, root, row)) {
                done += r->leaf[k].done;
                missing += !r->leaf[k].done;
            }
        if (!r->kept[i] && missing == 0)
            snprintf(v->text, sizeof v->text,
                     "row %.9f %+.9f value %g is missing, and no unfinished tile holds it", row->ra,
                     row->dec, row->value);
        else if (r->kept[i] && done == 0 && !piecemeal)
            snprintf(v->text, sizeof v->text,
                     "row %.9f %+.9f value %g was kept, and its tile is called missing", row->ra,
                     row->dec, row->value);
        else if (!by.outlines && done + missing != 1)
            snprintf(v->text, sizeof v->text, "row %.9f %+.9f value %g has %d tiles", row->ra,
                     row->dec, row->value, done + missing);
    }
}

static bool has_faults(const plan_case *c)
{
    return c->resets > 0.0 || c->busy > 0.0 || c->refused > 0.0 || c->outage_s > 0.0;
}

/* Without an answer to anything an archive is as good as gone: where it is, and where the smallest
 * request is too large and that is said by silence. */
static bool may_be_silent(const plan_case *c)
{
    return has_faults(c) || c->over == OVER_RESET || c->over == OVER_TIMEOUT;
}

static void check_run(verdict *v, const sim_sky *sky, const sim_report *r, const plan_case *c,
                      int window, const unsigned char *belongs)
{
    const hal_account *a = &r->account;
    uint64_t kept = 0;
    for (size_t i = 0; i < sky->n_row; i++)
        kept += r->kept[i];
    v->state = a->state;
    v->requests = a->requests;
    bool cones = c->form == FORM_CONE;
    if (r->broken)
        snprintf(v->text, sizeof v->text, "the plan %s", r->broken);
    else if (r->n_twice || r->n_foreign)
        snprintf(v->text, sizeof v->text, "%llu rows twice, %llu outside the region",
                 (unsigned long long)r->n_twice, (unsigned long long)r->n_foreign);
    else if (a->rows_kept != kept)
        snprintf(v->text, sizeof v->text, "the account has %llu rows kept of %llu",
                 (unsigned long long)a->rows_kept, (unsigned long long)kept);
    else if (a->requests > a->requests_max || r->in_flight_most > window)
        snprintf(v->text, sizeof v->text, "%llu requests of %llu, %d at once of %d",
                 (unsigned long long)a->requests, (unsigned long long)a->requests_max,
                 r->in_flight_most, window);
    else if (cones && c->radius_max_deg > 0.0 && r->radius_most_deg > c->radius_max_deg)
        snprintf(v->text, sizeof v->text, "a radius of %.9g degrees was asked for",
                 r->radius_most_deg);
    else if (a->state == HAL_PLAN_FAILED &&
             !(may_be_silent(c) && strstr(r->error.text, "did not ")))
        snprintf(v->text, sizeof v->text, "failed: %.400s", r->error.text);
    else if (a->state == HAL_PLAN_COMPLETE && (r->n_lost || a->tiles_done != a->tiles_known))
        snprintf(v->text, sizeof v->text, "complete with %llu of %llu rows lost",
                 (unsigned long long)r->n_lost, (unsigned long long)r->n_in_region);
    else if (a->state == HAL_PLAN_COMPLETE_EXCEPT && a->rows_unreachable >= 0 &&
             (uint64_t)a->rows_unreachable != r->n_lost)
        snprintf(v->text, sizeof v->text, "complete except %lld rows, but %llu are missing",
                 (long long)a->rows_unreachable, (unsigned long long)r->n_lost);
    else if (a->state == HAL_PLAN_PARTIAL && r->n_stuck == 0)
        snprintf(v->text, sizeof v->text, "partial, and no tile is named");
    else if (a->state == HAL_PLAN_PARTIAL || a->state == HAL_PLAN_COMPLETE_EXCEPT)
        check_leaves(v, sky, r, c, belongs);
}

static verdict run_case(const plan_case *c)
{
    static const int windows[3] = {1, 4, 8};
    verdict v = {.text = ""};
    sim_sky *sky = plan_case_sky(c);
    hal_service service = plan_case_service(c);
    unsigned char *belongs = malloc(sky->n_row + 1);
    assert_non_null(belongs);
    for (size_t i = 0; i < sky->n_row; i++)
        belongs[i] = sim_belongs(sky, &service, &sky->row[i]);
    uint64_t asks = 0, rows = 0;
    bool first_whole = false;
    for (int k = 0; k < 3 && !v.text[0]; k++) {
        hal_plan_density prior[8];
        sim_setup setup = plan_case_setup(c, sky, windows[k], prior, belongs);
        sim_report r = sim_run(sky, &setup);
        check_run(&v, sky, &r, c, windows[k], belongs);
        /* An outage hits other asks for other windows, and so does the end of a budget. */
        bool whole = r.account.state == HAL_PLAN_COMPLETE;
        bool alike = c->outage_s <= 0.0 && (!has_faults(c) || (whole && first_whole));
        if (!v.text[0] && k > 0 && alike && (r.ask_set != asks || r.kept_digest != rows))
            snprintf(v.text, sizeof v.text, "other asks for window %d than for 1", windows[k]);
        if (k == 0) {
            asks = r.ask_set;
            rows = r.kept_digest;
            first_whole = whole;
        }
        sim_report_clear(&r);
    }
    free(belongs);
    sim_sky_free(sky);
    return v;
}

/* ---- a counterexample made simple ---- */

/* One field simpler: the k-th way; false: there are no more ways. */
static bool simpler(plan_case *c, int k)
{
    int *rows[] = {&c->even,    &c->band, &c->clumps,    &c->spike,
                   &c->borders, &c->pile, &c->everywhere};
    double *zero[] = {&c->outage_s,     &c->outage_from_s, &c->resets,        &c->busy,
                      &c->refused,      &c->latency_s,     &c->unplaced,      &c->column_nulls,
                      &c->guard_arcsec, &c->outline_deg,   &c->radius_max_deg};
    bool *off[] = {&c->known_rows, &c->counts,         &c->histogram,  &c->order_key,
                   &c->key_unique, &c->column_rounded, &c->null_test,  &c->column_null_test,
                   &c->column,     &c->column_bounds,  &c->prints_only};
    int *small[] = {&c->priors, &c->requests_max, &c->column_decimals, &c->radius_decimals};
    if (k < 28) {
        int *n = rows[k % 7];
        int way = k / 7; /* none, half, nine tenths, one less */
        *n = way == 0 ? 0 : way == 1 ? *n / 2 : way == 2 ? *n * 9 / 10 : *n > 0 ? *n - 1 : 0;
        return true;
    }
    k -= 28;
    if (k < 11) {
        *zero[k] = 0.0;
        return true;
    }
    k -= 11;
    if (k < 11) {
        *off[k] = false;
        return true;
    }
    k -= 11;
    if (k < 4) {
        *small[k] = 0;
        return true;
    }
    k -= 4;
    if (k == 0) {
        c->decimals = -1;
    } else if (k <= 2) {
        c->cap = k == 1 ? c->cap / 2 : c->cap * 9 / 10;
        c->cap = c->cap < 10 ? 10 : c->cap;
    } else if (k <= 5) {
        c->form = c->form > (case_form)(k - 3) ? (case_form)(k - 3) : c->form;
    } else if (k == 6) {
        c->over = OVER_FLAG;
    } else {
        return false;
    }
    return true;
}

/* The k-th simpler region: everything, its circle, its parts; false: no more. */
static bool simpler_region(plan_case *c, int k)
{
    static const char *const shapes[] = {"CIRCLE", "ELLIPSE", "RANGE", "POLYGON", "MOC"};
    char text[sizeof c->region] = "";
    if (k == 0) {
        snprintf(text, sizeof text, "ALL");
    } else if (k == 1) {
        hal_region *r = region_of(c->region);
        hal_cone cone = hal_region_cone(r);
        hal_region_unref(r);
        snprintf(text, sizeof text, "CIRCLE %.3f %.3f %.3f", cone.ra_deg, cone.dec_deg,
                 cone.radius_deg);
    } else if (k < 12) {
        const char *at = strstr(c->region, shapes[(k - 2) / 2]);
        if (at && (k - 2) % 2)
            at = strstr(at + 1, shapes[(k - 2) / 2]);
        if (!at)
            return true;
        size_t n = strspn(at, "CIRLEPSANGOYM") + 1;
        n += strspn(at + n, "0123456789+-.e/ ");
        snprintf(text, sizeof text, "%.*s", (int)n, at);
    } else {
        return false;
    }
    hal_region *r = region_of(text);
    if (r && strlen(text) < strlen(c->region))
        snprintf(c->region, sizeof c->region, "%s", text);
    hal_region_unref(r);
    return true;
}

static plan_case shrunk(plan_case c, verdict (*judge)(const plan_case *))
{
    int left = SHRINK_RUNS;
    for (bool better = true; better && left > 0;) {
        better = false;
        bool more = true;
        for (int k = 0; more && left > 0; k++) {
            plan_case next = c;
            int n_regions = 12;
            more = k < n_regions ? simpler_region(&next, k) : simpler(&next, k - n_regions);
            next.column =
                next.column || next.form == FORM_OUTLINE_COLUMN || next.form == FORM_COLUMN;
            next.order_key = next.order_key || next.form == FORM_KEY;
            if (!more || memcmp(&next, &c, sizeof c) == 0)
                continue;
            left--;
            if (judge(&next).text[0]) {
                c = next;
                better = true;
                k--; /* the same way again */
            }
        }
    }
    return c;
}

/* ---- tests ---- */

static void every_row_comes_exactly_once_or_its_tile_is_named(void **state)
{
    (void)state;
    int in_state[5] = {0}, failures = 0;
    uint64_t requests = 0;
    for (int i = 0; i < n_cases; i++) {
        plan_case c = plan_case_random(first_seed + (uint64_t)i);
        verdict v = run_case(&c);
        in_state[v.state]++;
        requests += v.requests;
        if (!v.text[0])
            continue;
        fprintf(stderr, "seed %llu: %s\n", (unsigned long long)c.seed, v.text);
        if (++failures > 5)
            continue;
        plan_case small = shrunk(c, run_case);
        plan_case_print(&small);
        fprintf(stderr, " %s\n", run_case(&small).text);
    }
    print_message("%d cases: %d complete, %d but for NULLs, %d partial, %d without an archive; "
                  "%llu requests\n",
                  n_cases, in_state[HAL_PLAN_COMPLETE], in_state[HAL_PLAN_COMPLETE_EXCEPT],
                  in_state[HAL_PLAN_PARTIAL], in_state[HAL_PLAN_FAILED],
                  (unsigned long long)requests);
    assert_int_equal(failures, 0);
    if (n_cases >= CASES) {
        assert_true(2 * in_state[HAL_PLAN_COMPLETE] > n_cases);
        assert_true(20 * in_state[HAL_PLAN_FAILED] <= n_cases);
    }
}

static void what_was_found_before_stays_mended(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof found_before / sizeof *found_before; i++) {
        verdict v = run_case(&found_before[i]);
        if (v.text[0])
            fail_msg("case %zu: %s", i, v.text);
    }
}

/* A limit that is on no record and looks like none: no plan can know of it. */
static void a_loss_is_seen_and_its_case_made_simple(void **state)
{
    (void)state;
    plan_case c = {.seed = 5,
                   .region = "UNION (CIRCLE 150 2 3 RANGE 152 157 0 4)",
                   .form = FORM_BOX_OR_CONE,
                   .over = OVER_SILENT,
                   .cap = 777,
                   .told = 10,
                   .decimals = 5,
                   .even = 3000,
                   .clumps = 500,
                   .borders = 300,
                   .latency_s = 3,
                   .column = true,
                   .column_decimals = 3};
    verdict v = run_case(&c);
    assert_non_null(strstr(v.text, "rows lost"));
    plan_case small = shrunk(c, run_case);
    assert_non_null(strstr(run_case(&small).text, "rows lost"));
    assert_true(small.even + small.clumps + small.borders <= small.cap + 1);
    assert_int_equal(small.cap, 10);
    assert_true(strlen(small.region) < 24);
    assert_int_equal(small.column, false);
    assert_true(small.latency_s == 0.0 && small.decimals == -1);
}

int main(int argc, char **argv)
{
    n_cases = argc > 1 ? (int)strtol(argv[1], NULL, 10) : CASES;
    first_seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_comes_exactly_once_or_its_tile_is_named),
        cmocka_unit_test(what_was_found_before_stays_mended),
        cmocka_unit_test(a_loss_is_seen_and_its_case_made_simple),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
