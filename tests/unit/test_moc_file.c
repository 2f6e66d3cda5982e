/* SPDX-License-Identifier: BSD-3-Clause */
/* MOCs as FITS, written, read back and damaged. */
#include "host/moc_file.h"

#include "base/alloc.h"
#include "data/writer.h"
#include "sky/healpix.h"

#include "support/random_region.h"

static hal_moc *map_of(const char *text)
{
    return hal_moc_parse(hal_slice_of(text), NULL);
}

static void is_text(const hal_moc *m, const char *ascii)
{
    hal_buf out;
    hal_buf_init(&out, 1 << 20);
    assert_int_equal(hal_moc_format(m, &out, NULL), HAL_OK);
    assert_string_equal(hal_buf_text(&out), ascii);
    hal_buf_clear(&out);
}

static void same_maps(const hal_moc *a, const hal_moc *b)
{
    const hal_moc_range *x, *y;
    size_t n = hal_moc_ranges(a, &x);
    assert_int_equal(hal_moc_ranges(b, &y), n);
    assert_int_equal(hal_moc_order(a), hal_moc_order(b));
    if (n)
        assert_memory_equal(x, y, n * sizeof *x);
}

static void every_form_reads_back_to_the_same_map(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++) {
        hal_region *r = random_region();
        if (!r)
            continue;
        int order = 14;
        while (order > 0 && hal_region_cone(r).radius_deg > 30 * hal_healpix_radius_deg(order))
            order--;
        hal_moc *m = i == 0   ? map_of("0/")
                     : i == 1 ? map_of("0/0-11")
                     : i == 2 ? map_of("29/0 3458764513820540927")
                     : i == 3 ? map_of("9/")
                              : hal_moc_of_region(r, order, NULL);
        for (int form = HAL_MOC_ASCII; form <= HAL_MOC_FITS; form++) {
            hal_buf bytes;
            hal_buf_init(&bytes, 64 << 20);
            hal_err err = HAL_ERR_INIT;
            if (hal_moc_encode(m, (hal_moc_form)form, &bytes, &err))
                fail_msg("%s", err.text);
            hal_moc *again = hal_moc_decode(hal_buf_slice(&bytes), &err);
            if (!again)
                fail_msg("%s", err.text);
            same_maps(m, again);
            hal_moc_unref(again);
            hal_buf_clear(&bytes);
        }
        hal_moc_unref(m);
        hal_region_unref(r);
    }
}

/* A FITS table of one column of integers; `keys` are name, value, name, value, ..., NULL. */
static void make_file(hal_buf *out, const char *column, const int64_t *v, size_t n,
                      const char *const *keys)
{
    hal_field field = {.name = column, .type = HAL_TYPE_INT64, .width = 1};
    hal_builder *b = hal_builder_new(&field, 1, NULL);
    hal_metadata metadata = {0};
    for (; *keys; keys += 2) {
        hal_meta m = {.kind = HAL_META_KEY, .name = keys[0], .value = keys[1], .text = ""};
        assert_int_equal(hal_metadata_add(&metadata, &m, NULL), HAL_OK);
    }
    assert_int_equal(hal_builder_metadata(b, &metadata, NULL), HAL_OK);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(hal_builder_int64(b, 0, v[i], NULL), HAL_OK);
        assert_int_equal(hal_builder_end_row(b, NULL), HAL_OK);
    }
    hal_table *t = hal_builder_finish(b, NULL);
    hal_writer *w = hal_writer_open_memory(out, HAL_FORMAT_FITS, t, NULL);
    uint64_t size;
    assert_int_equal(hal_writer_table(w, t, NULL), HAL_OK);
    assert_int_equal(hal_writer_commit(w, &size, NULL), HAL_OK);
    hal_writer_free(w);
    hal_table_unref(t);
    hal_builder_free(b);
    hal_metadata_clear(&metadata);
}

#define KEYS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void reads(const char *column, const int64_t *v, size_t n, const char *const *keys,
                  const char *ascii)
{
    hal_buf bytes;
    hal_buf_init(&bytes, 1 << 20);
    make_file(&bytes, column, v, n, keys);
    hal_err err = HAL_ERR_INIT;
    hal_moc *m = hal_moc_decode(hal_buf_slice(&bytes), &err);
    if (!m)
        fail_msg("%s", err.text);
    is_text(m, ascii);
    hal_moc_unref(m);
    hal_buf_clear(&bytes);
}

static void cells_and_ranges_of_all_versions_are_read(void **state)
{
    (void)state;
    /* uniq of cell 1 at order 3 is 4 * 64 + 1 */
    const int64_t uniq[] = {257, 258, 4 * 1024 + 7};
    reads("UNIQ", uniq, 3, KEYS("ORDERING", "NUNIQ", "MOCORDER", "6"), "3/1-2 5/7 6/");
    reads("NPIX", uniq, 3, KEYS("PIXTYPE", "HEALPIX"), "3/1-2 5/7");
    const int64_t cell = INT64_C(1) << 52; /* order 3 */
    const int64_t ranges[] = {cell, 3 * cell, 4 * cell, 5 * cell};
    reads("RANGE", ranges, 4,
          KEYS("MOCDIM", "SPACE", "ORDERING", "RANGE", "MOCORD_S", "8", "COORDSYS", "C"),
          "3/1-2 4 8/");
    reads("RANGE", ranges, 4, KEYS(NULL), "3/1-2 4");
    reads("X", ranges, 4, KEYS("ORDERING", "RANGE29"), "3/1-2 4");
}

static void refused(const char *column, const int64_t *v, size_t n, const char *const *keys,
                    hal_status status, const char *because)
{
    hal_buf bytes;
    hal_buf_init(&bytes, 1 << 20);
    make_file(&bytes, column, v, n, keys);
    hal_err err = HAL_ERR_INIT;
    assert_null(hal_moc_decode(hal_buf_slice(&bytes), &err));
    assert_int_equal(err.status, status);
    if (!strstr(err.text, because))
        fail_msg("\"%s\" does not say \"%s\"", err.text, because);
    hal_buf_clear(&bytes);
}

static void wrong_files_are_refused_with_the_cause(void **state)
{
    (void)state;
    const int64_t good[] = {257, 258}, small[] = {257, 3}, large[] = {INT64_C(1) << 62};
    const int64_t back[] = {10, 5}, odd[] = {10, 12, 13}, negative[] = {-1, 5};
    const int64_t beyond[] = {0, (INT64_C(12) << 58) + 1};
    refused("UNIQ", small, 2, KEYS("ORDERING", "NUNIQ"), HAL_E_INTEGRITY, "row 2");
    refused("UNIQ", large, 1, KEYS("ORDERING", "NUNIQ"), HAL_E_INTEGRITY, "row 1");
    refused("RANGE", back, 2, KEYS("ORDERING", "RANGE"), HAL_E_INTEGRITY, "row 2");
    refused("RANGE", negative, 2, KEYS("ORDERING", "RANGE"), HAL_E_INTEGRITY, "row 1");
    refused("RANGE", beyond, 2, KEYS("ORDERING", "RANGE"), HAL_E_INTEGRITY, "row 2");
    refused("RANGE", odd, 3, KEYS("ORDERING", "RANGE"), HAL_E_INTEGRITY, "no end");
    refused("UNIQ", good, 2, KEYS("MOCDIM", "TIME.SPACE"), HAL_E_USAGE, "TIME.SPACE");
    refused("UNIQ", good, 2, KEYS("MOC", "TIME"), HAL_E_USAGE, "TIME");
    refused("UNIQ", good, 2, KEYS("COORDSYS", "G"), HAL_E_USAGE, "frame G");
    refused("UNIQ", good, 2, KEYS("ORDERING", "RING"), HAL_E_USAGE, "RING");
}

static void a_cut_file_is_refused(void **state)
{
    (void)state;
    hal_buf bytes;
    hal_buf_init(&bytes, 1 << 20);
    hal_moc *m = map_of("3/1-4 5/7");
    assert_int_equal(hal_moc_encode(m, HAL_MOC_FITS, &bytes, NULL), HAL_OK);
    for (size_t n = 6; n < bytes.size_bytes; n += 97) {
        hal_err err = HAL_ERR_INIT;
        assert_null(hal_moc_decode((hal_slice){bytes.data, n}, &err));
        assert_int_not_equal(err.status, HAL_OK);
    }
    hal_moc_unref(m);
    hal_buf_clear(&bytes);
}

static void failed_allocations_are_reported_and_leak_nothing(void **state)
{
    (void)state;
    hal_moc *m = map_of("3/1-4 5/7");
    hal_buf bytes;
    for (size_t n = 1;; n++) {
        hal_err err = HAL_ERR_INIT;
        hal_buf_init(&bytes, 1 << 20);
        hal_alloc_fail_at(n);
        hal_status st = hal_moc_encode(m, HAL_MOC_FITS, &bytes, &err);
        hal_moc *again = st ? NULL : hal_moc_decode(hal_buf_slice(&bytes), &err);
        hal_alloc_fail_at(0);
        hal_moc_unref(again);
        hal_buf_clear(&bytes);
        if (again) {
            assert_true(n > 10);
            break;
        }
        assert_int_equal(err.status, HAL_E_NOMEM);
    }
    hal_moc_unref(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_reads_back_to_the_same_map),
        cmocka_unit_test(cells_and_ranges_of_all_versions_are_read),
        cmocka_unit_test(wrong_files_are_refused_with_the_cause),
        cmocka_unit_test(a_cut_file_is_refused),
        cmocka_unit_test(failed_allocations_are_reported_and_leak_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
