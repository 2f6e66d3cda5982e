/* SPDX-License-Identifier: BSD-3-Clause */
/* Gathering against brute force, and exactly-once over random partitions of the sky. */
#include "host/harvest.h"

#include "base/alloc.h"
#include "sky/angle.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "harvest-XXXXXX";

static uint64_t random_bits(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static double uniform(uint64_t *state)
{
    return (double)(random_bits(state) >> 11) * 0x1p-53;
}

/* Rows all over the sky, some exactly on borders, on the poles and at ra 0 and 360. */
static hal_table *make_sky(size_t n, uint64_t seed)
{
    static const hal_field fields[] = {
        {.name = "id", .type = HAL_TYPE_INT64, .unit = "", .ucd = "", .description = ""},
        {.name = "ra", .type = HAL_TYPE_FLOAT64, .unit = "deg", .ucd = "", .description = ""},
        {.name = "dec", .type = HAL_TYPE_FLOAT64, .unit = "deg", .ucd = "", .description = ""},
        {.name = "note", .type = HAL_TYPE_STRING, .unit = "", .ucd = "", .description = ""}};
    static const double odd[][2] = {{0, 90},     {123.456, 90}, {359.9, 90}, {0, -90},
                                    {77, -90},   {0, 0},        {360, 0},    {-1e-20, 0.25},
                                    {180, 45.5}, {90, 0},       {270, -30},  {359.9999999, 10}};
    hal_builder *b = hal_builder_new(fields, 4, NULL);
    assert_non_null(b);
    for (size_t i = 0; i < n; i++) {
        double ra = 360 * uniform(&seed), dec = 180 * uniform(&seed) - 90;
        if (i % 97 == 0) {
            ra = odd[i / 97 % 12][0];
            dec = odd[i / 97 % 12][1];
        } else if (i % 5 == 0) { /* few decimals: often on a border */
            ra = (double)(int)ra;
            dec = (double)(int)dec;
        }
        /* Ids all different and in no order. */
        int64_t id = (int64_t)(((uint64_t)i * UINT64_C(0x9e3779b1)) & 0xffffffff) +
                     INT64_C(4000000000000000000);
        hal_status st = hal_builder_int64(b, 0, id, NULL);
        st = st ? st : hal_builder_float64(b, 1, ra, NULL);
        st = st ? st : hal_builder_float64(b, 2, dec, NULL);
        if (i % 3)
            st = st ? st : hal_builder_string(b, 3, hal_slice_of("a, \"b\""), NULL);
        st = st ? st : hal_builder_end_row(b, NULL);
        assert_int_equal(st, HAL_OK);
    }
    hal_table *t = hal_builder_finish(b, NULL);
    hal_builder_free(b);
    assert_non_null(t);
    return t;
}

static hal_harvest *start(hal_region *region)
{
    hal_err err = HAL_ERR_INIT;
    hal_harvest_config config = {
        .dir = dir, .ra = "ra", .dec = "dec", .id = "id", .region = region};
    hal_harvest *h = hal_harvest_new(&config, &err);
    assert_string_equal(err.text, "");
    assert_non_null(h);
    return h;
}

static size_t files_in(const char *path)
{
    DIR *d = opendir(path);
    assert_non_null(d);
    size_t n = 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

/* The ask of a tile: everything is asked for, so that the tile alone decides. */
static hal_ask ask_of(uint64_t id, hal_tile tile)
{
    return (hal_ask){.id = id,
                     .tile = tile,
                     .cone = {0, 0, 180},
                     .ra_min_deg = 0,
                     .ra_max_deg = 360,
                     .dec_min_deg = -90,
                     .dec_max_deg = 90};
}

/* Cuts the sky at random until it has `n` tiles. */
static size_t partition(hal_tile *tiles, size_t n, uint64_t seed)
{
    tiles[0] = hal_tile_all();
    size_t have = 1;
    while (have < n) {
        hal_tile child[2];
        size_t i = random_bits(&seed) % have;
        if (!hal_tile_cut(&tiles[i], 2 + (int64_t)(random_bits(&seed) % 7), 1000, child))
            continue;
        tiles[i] = child[0];
        tiles[have++] = child[1];
    }
    return have;
}

static void gather_all(hal_harvest *h, const hal_table *t, const hal_tile *tiles, size_t n,
                       hal_region *region, bool brute_force)
{
    hal_err err = HAL_ERR_INIT;
    uint64_t rows = hal_table_rows(t);
    const double *ra = hal_table_column(t, 1).values, *dec = hal_table_column(t, 2).values;
    for (size_t i = 0; i < n; i++) {
        hal_ask ask = ask_of(i + 1, tiles[i]);
        ask.as_box = i % 2;
        hal_gathered g = {0};
        assert_int_equal(hal_harvest_gather(h, &ask, NULL, t, &g, &err), HAL_OK);
        assert_int_equal(g.returned, rows);
        assert_true(g.overshoot_deg == 0.0);
        if (brute_force) {
            uint64_t expected = 0;
            for (uint64_t k = 0; k < rows; k++)
                expected += hal_tile_owns(&tiles[i], ra[k], dec[k]) &&
                            hal_region_contains(region, ra[k], dec[k]);
            assert_int_equal(g.kept, expected);
        }
        assert_int_equal(hal_harvest_adopt(h, &ask, &g, 0.0, &err), HAL_OK);
    }
}

static hal_merge_report merge_to(hal_harvest *h, const char *path)
{
    hal_err err = HAL_ERR_INIT;
    hal_sheaf sheaf;
    hal_merge_report report;
    assert_int_equal(hal_harvest_sheaf(h, &sheaf, &err), HAL_OK);
    hal_status st =
        hal_harvest_merge(h, &sheaf, path, HAL_FORMAT_CSV, NULL, NULL, NULL, &report, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(st, HAL_OK);
    hal_sheaf_clear(&sheaf);
    return report;
}

static char *read_whole(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    char *bytes = malloc(*n + 1);
    assert_int_equal(fread(bytes, 1, *n, f), *n);
    fclose(f);
    return bytes;
}

static void a_million_rows_come_out_once_and_alike_from_any_partition(void **state)
{
    (void)state;
    enum { ROWS = 1000000, TILES = 12 };
    hal_table *sky = make_sky(ROWS, 1);
    hal_region *all = hal_region_all(NULL);
    hal_tile tiles[TILES];
    size_t size[3];
    char *bytes[3];
    for (int k = 0; k < 3; k++) {
        char path[64];
        snprintf(path, sizeof path, "%s/out-%d.csv", dir, k);
        hal_harvest *h = start(all);
        size_t n = partition(tiles, k == 0 ? 1 : k == 1 ? 5 : TILES, (uint64_t)k + 10);
        gather_all(h, sky, tiles, n, all, k == 1);
        hal_merge_report report = merge_to(h, path);
        assert_int_equal(report.rows, ROWS);
        assert_int_equal(report.duplicates, 0);
        hal_harvest_unref(h);
        bytes[k] = read_whole(path, &size[k]);
        assert_int_equal(unlink(path), 0);
    }
    for (int k = 1; k < 3; k++) {
        assert_int_equal(size[k], size[0]);
        assert_memory_equal(bytes[k], bytes[0], size[0]);
    }
    for (int k = 0; k < 3; k++)
        free(bytes[k]);
    hal_region_unref(all);
    hal_table_unref(sky);
    assert_int_equal(files_in(dir), 0);
}

static void only_rows_of_the_region_are_kept(void **state)
{
    (void)state;
    hal_table *sky = make_sky(20000, 2);
    hal_region *regions[] = {hal_region_circle(359, 89, 5, NULL), hal_region_circle(0, 0, 40, NULL),
                             hal_region_box(300, 20, -60, 90, NULL)};
    for (int k = 0; k < 3; k++) {
        hal_tile tiles[40];
        hal_harvest *h = start(regions[k]);
        gather_all(h, sky, tiles, partition(tiles, 40, 77), regions[k], true);
        const double *ra = hal_table_column(sky, 1).values, *dec = hal_table_column(sky, 2).values;
        uint64_t inside = 0;
        for (uint64_t i = 0; i < hal_table_rows(sky); i++)
            inside += hal_region_contains(regions[k], ra[i], dec[i]);
        assert_true(inside > 100);
        hal_sheaf sheaf;
        hal_merge_report report;
        hal_table *merged = NULL;
        assert_int_equal(hal_harvest_sheaf(h, &sheaf, NULL), HAL_OK);
        assert_int_equal(sheaf.rows, inside);
        assert_int_equal(
            hal_harvest_merge(h, &sheaf, NULL, HAL_FORMAT_CSV, &merged, NULL, NULL, &report, NULL),
            HAL_OK);
        assert_int_equal(hal_table_rows(merged), inside);
        assert_int_equal(report.duplicates, 0);
        hal_table_unref(merged);
        hal_sheaf_clear(&sheaf);
        hal_harvest_unref(h);
        hal_region_unref(regions[k]);
    }
    hal_table_unref(sky);
    assert_int_equal(files_in(dir), 0);
}

static void the_overshoot_is_the_distance_of_the_farthest_row(void **state)
{
    (void)state;
    hal_table *sky = make_sky(5000, 3);
    hal_region *all = hal_region_all(NULL);
    hal_harvest *h = start(all);
    hal_ask ask = ask_of(1, hal_tile_all());
    ask.cone = (hal_cone){40, 30, 12};
    hal_gathered g;
    assert_int_equal(hal_harvest_gather(h, &ask, NULL, sky, &g, NULL), HAL_OK);
    const double *ra = hal_table_column(sky, 1).values, *dec = hal_table_column(sky, 2).values;
    double farthest = 0;
    for (uint64_t i = 0; i < hal_table_rows(sky); i++) {
        double d = hal_separation_deg(40, 30, ra[i], dec[i]) - 12;
        farthest = d > farthest ? d : farthest;
    }
    assert_true(g.overshoot_deg > farthest - 1e-9 && g.overshoot_deg < farthest + 1e-9);
    ask.dec_max_deg = 80; /* poles overshoot by 10 */
    ask.as_box = true;
    assert_int_equal(hal_harvest_gather(h, &ask, NULL, sky, &g, NULL), HAL_OK);
    assert_true(g.overshoot_deg > 10 - 1e-9 && g.overshoot_deg < 10 + 1e-9);
    hal_harvest_unref(h);
    hal_region_unref(all);
    hal_table_unref(sky);
}

static void a_dropped_tile_leaves_no_rows_and_no_file(void **state)
{
    (void)state;
    hal_table *sky = make_sky(1000, 4);
    hal_region *all = hal_region_all(NULL);
    hal_harvest *h = start(all);
    hal_tile tiles[4];
    gather_all(h, sky, tiles, partition(tiles, 4, 5), all, false);
    hal_sheaf before, after;
    assert_int_equal(hal_harvest_sheaf(h, &before, NULL), HAL_OK);
    hal_harvest_drop(h, 2);
    hal_harvest_drop(h, 2);
    assert_int_equal(hal_harvest_sheaf(h, &after, NULL), HAL_OK);
    assert_int_equal(before.n, 4);
    assert_int_equal(after.n, 3);
    assert_true(after.rows < before.rows);
    assert_int_not_equal(access(before.paths[1], F_OK), 0);
    /* A file that is gone is noticed, never a short result. */
    hal_err err = HAL_ERR_INIT;
    hal_merge_report report;
    hal_table *merged = NULL;
    assert_int_not_equal(
        hal_harvest_merge(h, &before, NULL, HAL_FORMAT_CSV, &merged, NULL, NULL, &report, &err),
        HAL_OK);
    hal_table_unref(merged);
    hal_sheaf_clear(&before);
    hal_sheaf_clear(&after);
    hal_harvest_unref(h);
    hal_region_unref(all);
    hal_table_unref(sky);
    assert_int_equal(files_in(dir), 0);
}

static void rows_without_a_valid_position_are_an_error(void **state)
{
    (void)state;
    static const hal_field fields[] = {
        {.name = "id", .type = HAL_TYPE_STRING, .unit = "", .ucd = "", .description = ""},
        {.name = "ra", .type = HAL_TYPE_INT64, .unit = "", .ucd = "", .description = ""},
        {.name = "dec", .type = HAL_TYPE_FLOAT64, .unit = "", .ucd = "", .description = ""}};
    hal_region *all = hal_region_all(NULL);
    for (int k = 0; k < 3; k++) { /* all good; no ra; dec of 91 */
        hal_builder *b = hal_builder_new(fields, 3, NULL);
        for (int i = 0; i < 2; i++) {
            hal_status st = hal_builder_float64(b, 2, i && k == 2 ? 91.0 : 5.5, NULL);
            if (!(i && k == 1))
                st = st ? st : hal_builder_int64(b, 1, 7 + i, NULL);
            st = st ? st : hal_builder_string(b, 0, hal_slice_of(i ? "x" : "y"), NULL);
            assert_int_equal(st ? st : hal_builder_end_row(b, NULL), HAL_OK);
        }
        hal_table *t = hal_builder_finish(b, NULL);
        hal_builder_free(b);
        hal_harvest *h = start(all);
        hal_ask ask = ask_of(1, hal_tile_all());
        hal_gathered g = {0};
        hal_err err = HAL_ERR_INIT;
        hal_status st = hal_harvest_gather(h, &ask, NULL, t, &g, &err);
        assert_int_equal(st, k ? HAL_E_INTEGRITY : HAL_OK);
        assert_int_equal(g.kept, k ? 0 : 2);
        if (k)
            assert_non_null(strstr(err.text, "1 of 2 rows"));
        hal_harvest_unref(h);
        hal_table_unref(t);
    }
    hal_region_unref(all);
}

static void an_empty_harvest_gives_an_empty_result_with_its_columns(void **state)
{
    (void)state;
    hal_region *all = hal_region_all(NULL);
    hal_harvest *h = start(all);
    hal_sheaf sheaf;
    hal_merge_report report;
    hal_table *merged = NULL;
    assert_int_equal(hal_harvest_sheaf(h, &sheaf, NULL), HAL_OK);
    assert_int_equal(
        hal_harvest_merge(h, &sheaf, NULL, HAL_FORMAT_CSV, &merged, NULL, NULL, &report, NULL),
        HAL_OK);
    assert_int_equal(hal_table_rows(merged), 0);
    assert_int_equal(hal_table_columns(merged), 3);
    hal_table_unref(merged);
    hal_sheaf_clear(&sheaf);
    /* An answer of no rows still says which columns there are. */
    hal_table *sky = make_sky(10, 6), *none = hal_table_take(sky, NULL, 0, NULL);
    hal_ask ask = ask_of(9, hal_tile_all());
    hal_gathered g;
    assert_int_equal(hal_harvest_gather(h, &ask, NULL, none, &g, NULL), HAL_OK);
    assert_int_equal(hal_harvest_adopt(h, &ask, &g, 0.0, NULL), HAL_OK);
    assert_int_equal(hal_harvest_sheaf(h, &sheaf, NULL), HAL_OK);
    assert_int_equal(
        hal_harvest_merge(h, &sheaf, NULL, HAL_FORMAT_CSV, &merged, NULL, NULL, &report, NULL),
        HAL_OK);
    assert_int_equal(hal_table_rows(merged), 0);
    assert_int_equal(hal_table_columns(merged), 4);
    hal_table_unref(merged);
    hal_sheaf_clear(&sheaf);
    hal_table_unref(none);
    hal_table_unref(sky);
    hal_harvest_unref(h);
    hal_region_unref(all);
}

static void a_folder_that_cannot_be_used_is_named(void **state)
{
    (void)state;
    hal_region *all = hal_region_all(NULL);
    hal_err err = HAL_ERR_INIT;
    hal_harvest_config config = {.dir = "/nowhere/here", .ra = "ra", .dec = "dec", .region = all};
    assert_null(hal_harvest_new(&config, &err));
    assert_int_equal(err.status, HAL_E_IO);
    assert_non_null(strstr(err.text, "/nowhere/here"));
    hal_region_unref(all);
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_rows_come_out_once_and_alike_from_any_partition),
        cmocka_unit_test(only_rows_of_the_region_are_kept),
        cmocka_unit_test(the_overshoot_is_the_distance_of_the_farthest_row),
        cmocka_unit_test(a_dropped_tile_leaves_no_rows_and_no_file),
        cmocka_unit_test(rows_without_a_valid_position_are_an_error),
        cmocka_unit_test(an_empty_harvest_gives_an_empty_result_with_its_columns),
        cmocka_unit_test(a_folder_that_cannot_be_used_is_named),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
