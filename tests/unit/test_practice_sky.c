/* SPDX-License-Identifier: BSD-3-Clause */
/* The practice archive's tables. Its sources are no library; the test compiles them into itself. */
#include "practice/caom.c"
#include "practice/caom_rows.c"
#include "practice/cell.c"
#include "practice/file.c"
#include "practice/rows.c"
#include "practice/sky.c"
#include "practice/view.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static hal_sky *sky;

static int setup(void **state)
{
    (void)state;
    sky = hal_sky_new(7, NULL);
    return sky ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    hal_sky_free(sky);
    return 0;
}

static hal_rows *ask(hal_catalog catalog, double ra, double dec, double radius)
{
    hal_query q = {.catalog = catalog, .limit = UINT64_MAX};
    q.region = hal_region_circle(ra, dec, radius, NULL);
    assert_non_null(q.region);
    hal_rows *r = hal_rows_new(sky, &q, NULL);
    assert_non_null(r);
    return r;
}

static uint64_t count(hal_catalog catalog, double ra, double dec, double radius)
{
    hal_rows *r = ask(catalog, ra, dec, radius);
    uint64_t n;
    assert_int_equal(hal_rows_count(r, &n, NULL), HAL_OK);
    hal_rows_free(r);
    return n;
}

static bool next(hal_rows *r, hal_cell *cells)
{
    bool more;
    assert_int_equal(hal_rows_next(r, cells, &more, NULL), HAL_OK);
    return more;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Identifiers (or any integer column) of all rows, sorted; caller frees. */
static int64_t *column(hal_rows *r, int i_col, size_t *n)
{
    hal_cell cells[64];
    size_t capacity = 1024;
    int64_t *out = malloc(capacity * sizeof *out);
    *n = 0;
    while (next(r, cells)) {
        if (*n == capacity)
            out = realloc(out, (capacity *= 2) * sizeof *out);
        out[(*n)++] = cells[i_col].value;
    }
    qsort(out, *n, sizeof *out, by_value);
    return out;
}

static const double places[][3] = {
    {201.697, -47.4795, 0.4}, {0.02, 12, 0.5}, {123, 89.8, 0.6}, {10, -90, 0.4}, {266.4, -29, 0.15},
};
enum { N_PLACES = sizeof places / sizeof places[0] };

static void rows_are_as_many_as_counted_and_inside(void **state)
{
    (void)state;
    for (int c = HAL_CATALOG_GAIA; c <= HAL_CATALOG_GALEX; c++)
        for (int p = 0; p < N_PLACES; p++) {
            const double *at = places[p];
            hal_rows *r = ask((hal_catalog)c, at[0], at[1], at[2]);
            int ra = hal_catalog_column((hal_catalog)c, "ra");
            hal_cell cells[64];
            uint64_t n = 0;
            while (next(r, cells)) {
                n++;
                assert_true(hal_separation_deg(at[0], at[1], hal_cell_number(&cells[ra]),
                                               hal_cell_number(&cells[ra + (c == 0 ? 2 : 1)])) <=
                            at[2] + 1e-12);
            }
            assert_true(n > 0 || c != HAL_CATALOG_GAIA);
            assert_int_equal(n, count((hal_catalog)c, at[0], at[1], at[2]));
            hal_rows_free(r);
        }
}

/* A small circle holds exactly those rows of a larger one that lie in it: cells taken whole,
 * borders and moved positions lose nothing. */
static void a_small_circle_is_a_part_of_a_large_one(void **state)
{
    (void)state;
    for (int c = HAL_CATALOG_GAIA; c <= HAL_CATALOG_GALEX; c++)
        for (int p = 0; p < N_PLACES; p++) {
            const double *at = places[p];
            double ra0 = at[0] + 0.05, dec0 = fmax(-89.99, fmin(89.99, at[1] + 0.03));
            double small = at[2] * 0.6;
            hal_rows *large = ask((hal_catalog)c, at[0], at[1], at[2]);
            int ra = hal_catalog_column((hal_catalog)c, "ra");
            int dec = hal_catalog_column((hal_catalog)c, "dec");
            hal_region *circle = hal_region_circle(ra0, dec0, small, NULL);
            hal_cell cells[64];
            uint64_t n = 0;
            while (next(large, cells))
                n += hal_region_contains(circle, hal_cell_number(&cells[ra]),
                                         hal_cell_number(&cells[dec]));
            hal_region_unref(circle);
            hal_rows_free(large);
            assert_int_equal(n, count((hal_catalog)c, ra0, dec0, small));
        }
}

static void identifiers_are_unique_and_shared_across_catalogues(void **state)
{
    (void)state;
    size_t n_gaia, n_tic, n_ids;
    hal_rows *gaia = ask(HAL_CATALOG_GAIA, 201.697, -47.4795, 0.3);
    hal_rows *tic = ask(HAL_CATALOG_TIC, 201.697, -47.4795, 0.29);
    hal_rows *again = ask(HAL_CATALOG_TIC, 201.697, -47.4795, 0.29);
    int64_t *sources = column(gaia, 0, &n_gaia);
    int64_t *links = column(tic, hal_catalog_column(HAL_CATALOG_TIC, "GAIA"), &n_tic);
    int64_t *ids = column(again, 0, &n_ids);
    assert_true(n_gaia > 100000 && n_tic > 10000);
    assert_int_equal(n_tic, n_ids);
    for (size_t i = 1; i < n_gaia; i++)
        assert_true(sources[i] != sources[i - 1]);
    for (size_t i = 1; i < n_tic; i++)
        assert_true(ids[i] != ids[i - 1] && links[i] != links[i - 1]);
    for (size_t i = 0; i < n_tic; i++)
        assert_non_null(bsearch(&links[i], sources, n_gaia, sizeof *sources, by_value));
    free(sources);
    free(links);
    free(ids);
    hal_rows_free(gaia);
    hal_rows_free(tic);
    hal_rows_free(again);
}

static void a_tic_number_leads_back_to_its_star(void **state)
{
    (void)state;
    hal_rows *r = ask(HAL_CATALOG_TIC, 201.697, -47.4795, 0.02);
    hal_cell cells[64];
    int n = 0;
    int ra = hal_catalog_column(HAL_CATALOG_TIC, "ra");
    while (next(r, cells) && n++ < 50) {
        double ra_deg, dec_deg;
        assert_true(hal_tic_position(sky, (uint64_t)cells[0].value, &ra_deg, &dec_deg));
        assert_true(ra_deg == hal_cell_number(&cells[ra]));
        assert_true(dec_deg == hal_cell_number(&cells[ra + 1]));
    }
    assert_true(n > 10);
    double none;
    assert_false(hal_tic_position(sky, UINT64_C(1) << 51, &none, &none));
    hal_rows_free(r);
}

static void the_sky_has_the_promised_crowds(void **state)
{
    (void)state;
    uint64_t two = count(HAL_CATALOG_GAIA, 201.697, -47.4795, 2);
    assert_in_range(two, 1100000, 1400000);
    assert_in_range(count(HAL_CATALOG_GAIA, 201.697, -47.4795, 1), 500001, two);
    assert_in_range(count(HAL_CATALOG_GAIA, 201.697, -47.4795, 5), 2000000, 5000000);
    assert_true(hal_sky_density(192.86, 27.13) > 1000 && hal_sky_density(192.86, 27.13) < 10000);
    assert_true(hal_sky_density(270, -28) > 100000);
}

static void seeking_skips_exactly_that_many_rows(void **state)
{
    (void)state;
    for (int c = HAL_CATALOG_GAIA; c <= HAL_CATALOG_OBSERVATIONS; c++) {
        hal_rows *all = ask((hal_catalog)c, 210.8, 54.3, 0.3);
        hal_rows *part = ask((hal_catalog)c, 210.8, 54.3, 0.3);
        size_t n, m;
        int id = c == HAL_CATALOG_OBSERVATIONS ? hal_catalog_column((hal_catalog)c, "objID") : 0;
        free(column(all, id, &n));
        for (uint64_t skip = 0; skip <= n; skip += n / 5 + 1) {
            assert_int_equal(hal_rows_seek(part, skip, NULL), HAL_OK);
            free(column(part, id, &m));
            assert_int_equal(m, n - skip);
        }
        hal_rows_free(all);
        hal_rows_free(part);
    }
}

static void a_printed_number_reads_back_to_the_same_double(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 20000; i++) {
        int decimals = (int)(i % 13);
        hal_cell c = hal_cell_fixed((int64_t)(hal_mix(i) >> 14) - (INT64_C(1) << 49), decimals);
        char text[HAL_CELL_TEXT_MAX + 1];
        text[hal_cell_print(&c, text)] = 0;
        assert_true(strtod(text, NULL) == hal_cell_number(&c));
    }
    char text[HAL_CELL_TEXT_MAX + 1];
    hal_cell least = hal_cell_int(INT64_MIN), tenth = hal_cell_fixed(-1, 1);
    text[hal_cell_print(&least, text)] = 0;
    assert_string_equal(text, "-9223372036854775808");
    text[hal_cell_print(&tenth, text)] = 0;
    assert_string_equal(text, "-0.1");
}

static void observations_around_a_target_have_files(void **state)
{
    (void)state;
    hal_rows *r = ask(HAL_CATALOG_OBSERVATIONS, 201.697, -47.4795, 0.1);
    int collection = hal_catalog_column(HAL_CATALOG_OBSERVATIONS, "obs_collection");
    int obsid = hal_catalog_column(HAL_CATALOG_OBSERVATIONS, "obsid");
    hal_cell cells[64];
    int hst = 0, wanted = 0;
    while (next(r, cells)) {
        bool is_hst = !strcmp(cells[collection].text, "HST");
        hst += is_hst;
        uint64_t id = (uint64_t)cells[obsid].value;
        hal_cell product[64];
        hal_scratch s;
        for (int i = 0; s.used = 0, hal_caom_product(r->seed, id, i, product, &s); i++) {
            wanted += is_hst && !strcmp(product[7].text, "SCIENCE") && product[18].value >= 2;
            hal_file f;
            assert_true(hal_file_open(r->seed, product[HAL_PRODUCT_URI].text, &f));
            assert_int_equal(f.size_bytes, product[HAL_PRODUCT_SIZE].value);
            assert_int_equal(f.size_bytes % HAL_FITS_BLOCK, 0);
        }
    }
    assert_true(hst >= 10 && wanted >= 20);
    hal_rows_free(r);
    hal_file f;
    assert_false(hal_file_open(hal_sky_seed(sky), "mast:HST/product/jx000000000_drz.fits", &f));
}

static void a_file_is_the_same_read_whole_or_in_parts(void **state)
{
    (void)state;
    hal_file f;
    hal_cell product[64];
    hal_scratch s = {.used = 0};
    assert_true(hal_caom_product(hal_sky_seed(sky), UINT64_C(1) << 40, 0, product, &s));
    assert_true(hal_file_open(hal_sky_seed(sky), product[HAL_PRODUCT_URI].text, &f));
    size_t size = (size_t)f.size_bytes;
    char *whole = malloc(size), *parts = malloc(size);
    assert_int_equal(hal_file_part(&f, 0, whole, size + 100), size);
    for (size_t at = 0; at < size; at += 1237)
        hal_file_part(&f, at, parts + at, size - at < 1237 ? size - at : 1237);
    assert_memory_equal(whole, parts, size);
    assert_memory_equal(whole, "SIMPLE  =                    T", 30);
    free(whole);
    free(parts);
}

static void a_footprint_is_found_by_overlap(void **state)
{
    (void)state;
    /* Half a degree off M 101: no footprint of its HST observations, but the GALEX tiles reach. */
    hal_rows *r = ask(HAL_CATALOG_OBSERVATIONS, 210.802429, 54.34875 + 0.5, 0.001);
    int collection = hal_catalog_column(HAL_CATALOG_OBSERVATIONS, "obs_collection");
    int distance = hal_catalog_column(HAL_CATALOG_OBSERVATIONS, "distance");
    hal_cell cells[64];
    int galex = 0;
    while (next(r, cells)) {
        assert_true(hal_cell_number(&cells[distance]) <= 3.6 + 1e-9);
        galex += !strcmp(cells[collection].text, "GALEX");
    }
    assert_true(galex >= 2);
    hal_rows_free(r);
}

/* Every observation of the sky, one by one, against the search by cells. */
typedef struct overlap {
    hal_cone circle;
    int found;
} overlap;

static bool not_ps1(const void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "PS1") != 0;
}

static hal_status count_overlap(void *ctx, const hal_plane *plane, hal_err *err)
{
    overlap *o = ctx;
    hal_observation each;
    double distance;
    assert_true(hal_caom_observe(hal_sky_seed(sky), plane->obsid, &each));
    hal_status st = distance_to(&each, &o->circle, &distance, err);
    o->found += distance <= o->circle.radius_deg;
    return st;
}

static hal_status count_plane(void *ctx, const hal_plane *plane, hal_err *err)
{
    (void)plane;
    (void)err;
    ++*(int *)ctx;
    return HAL_OK;
}

static void a_cone_finds_every_footprint_that_overlaps(void **state)
{
    (void)state;
    static const hal_cone cones[] = {
        {0.1, -47, 2}, {123, 89.5, 1}, {210.8, 54.35, 0.2}, {83, -90, 0}};
    for (size_t i = 0; i < sizeof cones / sizeof *cones; i++) {
        overlap all = {cones[i], 0};
        int found = 0;
        uint64_t seed = hal_sky_seed(sky);
        hal_region *r =
            hal_region_circle(cones[i].ra_deg, cones[i].dec_deg, cones[i].radius_deg, NULL);
        assert_int_equal(hal_caom_find(seed, NULL, not_ps1, NULL, count_overlap, &all, NULL), 0);
        assert_int_equal(hal_caom_find(seed, r, not_ps1, NULL, count_plane, &found, NULL), 0);
        hal_region_unref(r);
        assert_true(found > 0);
        assert_int_equal(found, all.found);
    }
}

static void criteria_select_as_the_portal_does(void **state)
{
    (void)state;
    hal_cell c = hal_cell_text("NUV;FUV");
    hal_filter_value v = {.text = (char[]){"fuv"}, .number = NAN};
    hal_filter f = {.values = &v, .n_values = 1};
    assert_false(filter_matches(&f, &c));
    f.separator = ';';
    assert_true(filter_matches(&f, &c));
    hal_filter wild = {.free_text = (char[]){"%v;f%"}};
    assert_true(filter_matches(&wild, &c));
    wild.free_text = (char[]){"v;f%"};
    assert_false(filter_matches(&wild, &c));
    double range[1][2] = {{1, 2}};
    hal_filter between = {.ranges = range, .n_ranges = 1};
    hal_cell two = hal_cell_fixed(20, 1), more = hal_cell_fixed(21, 1), none = hal_cell_text(NULL);
    assert_true(filter_matches(&between, &two));
    assert_false(filter_matches(&between, &more));
    assert_false(filter_matches(&between, &none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_as_many_as_counted_and_inside),
        cmocka_unit_test(a_small_circle_is_a_part_of_a_large_one),
        cmocka_unit_test(identifiers_are_unique_and_shared_across_catalogues),
        cmocka_unit_test(a_tic_number_leads_back_to_its_star),
        cmocka_unit_test(the_sky_has_the_promised_crowds),
        cmocka_unit_test(seeking_skips_exactly_that_many_rows),
        cmocka_unit_test(a_printed_number_reads_back_to_the_same_double),
        cmocka_unit_test(observations_around_a_target_have_files),
        cmocka_unit_test(a_file_is_the_same_read_whole_or_in_parts),
        cmocka_unit_test(a_footprint_is_found_by_overlap),
        cmocka_unit_test(a_cone_finds_every_footprint_that_overlaps),
        cmocka_unit_test(criteria_select_as_the_portal_does),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
