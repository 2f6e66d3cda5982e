/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/alloc.h"
#include "data/spool.h"
#include "data/spool_file.h"
#include "every_type.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/halyard-spool-XXXXXX";

static const char *in_folder(const char *name)
{
    static char paths[8][256];
    static int i;
    char *path = paths[i++ % 8];
    snprintf(path, 256, "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder); /* fails when a test left a file */
}

static char *slurp(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("no file %s", path);
    char *bytes = malloc(8 << 20);
    *n = fread(bytes, 1, 8 << 20, f);
    fclose(f);
    return bytes;
}

static void dump(const char *path, const char *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

/* A catalogue made from a row number: any split of it holds the same rows. */
static uint64_t key_of(uint64_t i)
{
    return i * 0x9E3779B97F4A7C15u >> 20 & 0xffff; /* many rows share a key */
}

/* Rows `i` of 0..n_all with i % n_parts == part. */
static hal_table *make_part(uint64_t n_all, uint64_t n_parts, uint64_t part, uint64_t **keys)
{
    const hal_field fields[] = {{"id", HAL_TYPE_INT64, "", "meta.id", ""},
                                {"mag", HAL_TYPE_FLOAT64, "mag", "", ""},
                                {"name", HAL_TYPE_STRING, "", "", "a name"},
                                {"flag", HAL_TYPE_BOOL, "", "", ""}};
    hal_builder *b = hal_builder_new(fields, 4, NULL);
    *keys = malloc((n_all / n_parts + 1) * sizeof **keys);
    uint64_t n = 0;
    for (uint64_t i = part; i < n_all; i += n_parts) {
        char name[64];
        uint64_t at = i * 2654435761u % n_all; /* unsorted */
        at = at / n_parts * n_parts + part;
        if (at >= n_all)
            at = part;
        int length = snprintf(name, sizeof name, "star, \"%llu\"", (unsigned long long)i % 97);
        assert_int_equal(hal_builder_int64(b, 0, (int64_t)(i + 4611686018427387904), NULL), 0);
        if (i % 5)
            assert_int_equal(hal_builder_float64(b, 1, (double)i / 7, NULL), 0);
        if (i % 3)
            assert_int_equal(hal_builder_string(b, 2, (hal_slice){name, (size_t)length}, NULL), 0);
        assert_int_equal(hal_builder_bool(b, 3, i % 2, NULL), 0);
        assert_int_equal(hal_builder_end_row(b, NULL), 0);
        (*keys)[n++] = key_of(i);
    }
    hal_table *t = hal_builder_finish(b, NULL);
    hal_builder_free(b);
    return t;
}

static char *merged_csv(uint64_t n_all, uint64_t n_parts, size_t *size)
{
    const char **paths = calloc(n_parts, sizeof *paths);
    for (uint64_t p = 0; p < n_parts; p++) {
        char name[32];
        snprintf(name, sizeof name, "s%llu", (unsigned long long)p);
        paths[p] = strdup(in_folder(name));
        uint64_t *keys;
        hal_table *t = make_part(n_all, n_parts, p, &keys);
        hal_err err = HAL_ERR_INIT;
        uint64_t bytes = 0;
        if (hal_spool_write(paths[p], t, keys, 0, &bytes, &err))
            fail_msg("%s", err.text);
        assert_true(bytes > 0);
        hal_table_unref(t);
        free(keys);
    }
    hal_merge_report report;
    hal_err err = HAL_ERR_INIT;
    _Atomic uint64_t progress = 0;
    const char *out = in_folder("out.csv");
    if (hal_spool_merge(paths, n_parts, "id", NULL, out, HAL_FORMAT_CSV, NULL, NULL, &progress,
                        &report, &err))
        fail_msg("%s", err.text);
    assert_int_equal(report.rows, n_all);
    assert_int_equal(progress, n_all);
    assert_int_equal(report.duplicates, 0);
    char *csv = slurp(out, size);
    assert_int_equal(report.size_bytes, *size);
    unlink(out);
    for (uint64_t p = 0; p < n_parts; p++) {
        unlink(paths[p]);
        free((char *)paths[p]);
    }
    free(paths);
    return csv;
}

static void any_split_merges_to_the_same_bytes(void **state)
{
    (void)state;
    size_t size, other_size;
    char *one = merged_csv(20000, 1, &size);
    const uint64_t parts[] = {2, 64, 65, 130};
    for (size_t i = 0; i < 4; i++) {
        char *other = merged_csv(20000, parts[i], &other_size);
        assert_int_equal(other_size, size);
        assert_memory_equal(other, one, size);
        free(other);
    }
    free(one);
}

static void rows_come_in_the_order_of_key_then_id_then_row(void **state)
{
    (void)state;
    const hal_field fields[] = {
        {"b", HAL_TYPE_STRING}, {"id", HAL_TYPE_INT64}, {"a", HAL_TYPE_FLOAT64}};
    hal_builder *b = hal_builder_new(fields, 3, NULL);
    const struct {
        uint64_t key;
        int64_t id;
        double a;
        const char *b;
    } rows[] = {{7, 1, 2, "x"}, {7, -5, 1, "x"},   {7, 1, 2, "w"}, {3, 9, 0, "z"},
                {7, 1, 1, "y"}, {7, 1, -0.0, "n"}, {7, 1, 0, "n"}};
    uint64_t keys[7];
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(hal_builder_string(b, 0, hal_slice_of(rows[i].b), NULL), 0);
        assert_int_equal(hal_builder_int64(b, 1, rows[i].id, NULL), 0);
        assert_int_equal(hal_builder_float64(b, 2, rows[i].a, NULL), 0);
        assert_int_equal(hal_builder_end_row(b, NULL), 0);
        keys[i] = rows[i].key;
    }
    hal_table *t = hal_builder_finish(b, NULL), *sorted = NULL;
    hal_builder_free(b);
    const char *path = in_folder("s");
    assert_int_equal(hal_spool_write(path, t, keys, 1, NULL, NULL), 0);
    hal_merge_report report;
    assert_int_equal(hal_spool_merge(&path, 1, "id", NULL, NULL, HAL_FORMAT_CSV, &sorted, NULL,
                                     NULL, &report, NULL),
                     0);
    const int64_t ids[] = {9, -5, 1, 1, 1, 1, 1};
    const double as[] = {0, 1, -0.0, 0, 1, 2, 2};
    for (uint64_t i = 0; i < 7; i++) {
        assert_int_equal(hal_table_int64(sorted, 1, i), ids[i]);
        double a = hal_table_float64(sorted, 2, i);
        assert_memory_equal(&a, &as[i], sizeof a);
    }
    assert_memory_equal(hal_table_string(sorted, 0, 5).data, "w", 1);
    assert_memory_equal(hal_table_string(sorted, 0, 6).data, "x", 1);
    assert_int_equal(report.duplicates, 4);
    assert_int_equal(report.size_bytes, hal_table_size_bytes(sorted));
    hal_table_unref(sorted);
    hal_table_unref(t);
    unlink(path);
}

static hal_table *one_column(const char *name, hal_type type, size_t n, const double *values)
{
    hal_builder *b = hal_builder_new(&(hal_field){name, type, "", "", ""}, 1, NULL);
    for (size_t i = 0; i < n; i++) {
        hal_status st = HAL_OK;
        char text[32];
        snprintf(text, sizeof text, "t%g", values[i]);
        if (!isnan(values[i]))
            st = type == HAL_TYPE_INT64     ? hal_builder_int64(b, 0, (int64_t)values[i], NULL)
                 : type == HAL_TYPE_FLOAT64 ? hal_builder_float64(b, 0, values[i], NULL)
                                            : hal_builder_string(b, 0, hal_slice_of(text), NULL);
        assert_int_equal(st, HAL_OK);
        assert_int_equal(hal_builder_end_row(b, NULL), 0);
    }
    hal_table *t = hal_builder_finish(b, NULL);
    hal_builder_free(b);
    return t;
}

static void types_of_spools_unite_and_absent_columns_are_null(void **state)
{
    (void)state;
    const double ints[] = {1, 2}, floats[] = {0.5}, none[] = {(double)NAN};
    hal_table *t[3] = {one_column("v", HAL_TYPE_INT64, 2, ints),
                       one_column("v", HAL_TYPE_STRING, 1, none),
                       one_column("w", HAL_TYPE_FLOAT64, 1, floats)};
    const char *paths[3] = {in_folder("a"), in_folder("b"), in_folder("c")};
    const uint64_t keys[3][2] = {{1, 4}, {3}, {2}};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hal_spool_write(paths[i], t[i], keys[i], -1, NULL, NULL), 0);
        hal_table_unref(t[i]);
    }
    hal_merge_report report;
    const char *out = in_folder("out.jsonl");
    assert_int_equal(hal_spool_merge(paths, 3, NULL, NULL, out, HAL_FORMAT_JSONL, NULL, NULL, NULL,
                                     &report, NULL),
                     0);
    size_t n;
    char *text = slurp(out, &n);
    const char *expected = "{\"v\":1,\"w\":null}\n{\"v\":null,\"w\":0.5}\n{\"v\":null,\"w\":null}\n"
                           "{\"v\":2,\"w\":null}\n";
    assert_int_equal(n, strlen(expected));
    assert_memory_equal(text, expected, n);
    free(text);
    unlink(out);
    for (int i = 0; i < 3; i++)
        unlink(paths[i]);
}

static hal_table *described(const char *name, const hal_field *f)
{
    const hal_attribute attributes[] = {{"system", "ICRS"}, {"epoch", "J2016"}};
    hal_meta items[] = {{HAL_META_COOSYS, "", "", "", attributes, 2},
                        {HAL_META_INFO, "origin", "an archive", "a text", NULL, 0}};
    hal_metadata m = {.name = name, .items = items, .n_items = name ? 2 : 0};
    hal_builder *b = hal_builder_new(f, 1, NULL);
    assert_int_equal(hal_builder_metadata(b, &m, NULL), 0);
    assert_int_equal(hal_builder_int64(b, 0, 7, NULL), 0);
    assert_int_equal(hal_builder_end_row(b, NULL), 0);
    hal_table *t = hal_builder_finish(b, NULL);
    hal_builder_free(b);
    return t;
}

static void what_the_first_spool_says_about_its_table_and_columns_is_kept(void **state)
{
    (void)state;
    const hal_field f = {.name = "id",
                         .type = HAL_TYPE_INT64,
                         .utype = "a:b.c",
                         .xtype = "x",
                         .id = "col1",
                         .null_value = "-99"};
    const char *names[] = {NULL, "stars", "others"}, *paths[66];
    const uint64_t key = 0;
    for (int i = 0; i < 3; i++) {
        char file[8];
        snprintf(file, sizeof file, "m%d", i);
        paths[i] = in_folder(file);
        hal_table *t = described(names[i], &f);
        assert_int_equal(hal_spool_write(paths[i], t, &key, -1, NULL, NULL), 0);
        hal_table_unref(t);
    }
    for (int i = 3; i < 66; i++)
        paths[i] = paths[2];
    for (size_t n = 3; n <= 66; n += 63) { /* at once and over larger spools */
        hal_table *t = NULL;
        hal_merge_report report;
        assert_int_equal(hal_spool_merge(paths, n, NULL, NULL, NULL, HAL_FORMAT_CSV, &t, NULL, NULL,
                                         &report, NULL),
                         HAL_OK);
        const hal_metadata *m = hal_table_metadata(t);
        assert_string_equal(m->name, "stars");
        assert_int_equal(m->n_items, 2);
        assert_int_equal(m->items[0].kind, HAL_META_COOSYS);
        assert_int_equal(m->items[0].n_attributes, 2);
        assert_string_equal(m->items[0].attributes[1].name, "epoch");
        assert_string_equal(m->items[0].attributes[1].value, "J2016");
        assert_string_equal(m->items[1].text, "a text");
        const hal_field *back = hal_table_field(t, 0);
        assert_string_equal(back->utype, "a:b.c");
        assert_string_equal(back->xtype, "x");
        assert_string_equal(back->id, "col1");
        assert_string_equal(back->null_value, "-99");
        hal_table_unref(t);
    }
    const char *out = in_folder("out.xml");
    hal_merge_report report;
    assert_int_equal(hal_spool_merge(paths, 3, NULL, NULL, out, HAL_FORMAT_VOTABLE, NULL, NULL,
                                     NULL, &report, NULL),
                     HAL_OK);
    size_t n;
    char *xml = slurp(out, &n);
    xml[n] = 0;
    assert_non_null(strstr(xml, "J2016"));
    free(xml);
    unlink(out);
    for (int i = 0; i < 3; i++)
        unlink(paths[i]);
}

static void any_damage_to_a_spool_is_found(void **state)
{
    (void)state;
    uint64_t *keys;
    hal_table *t = make_part(9, 1, 0, &keys);
    const char *path = in_folder("s");
    assert_int_equal(hal_spool_write(path, t, keys, 0, NULL, NULL), 0);
    free(keys);
    hal_table_unref(t);
    size_t n;
    char *bytes = slurp(path, &n);
    hal_merge_report report;
    hal_table *merged;
    for (size_t i = 0; i < n; i++) {
        char saved = bytes[i];
        bytes[i] = (char)(saved ^ 1 << i % 8);
        dump(path, bytes, n);
        bytes[i] = saved;
        hal_err err = HAL_ERR_INIT;
        if (hal_spool_merge(&path, 1, "id", NULL, NULL, HAL_FORMAT_CSV, &merged, NULL, NULL,
                            &report, &err) != HAL_E_INTEGRITY)
            fail_msg("a flip in byte %zu is not found: %s", i, err.text);
        assert_non_null(strstr(err.text, path));
        dump(path, bytes, i);
        assert_int_equal(hal_spool_merge(&path, 1, "id", NULL, NULL, HAL_FORMAT_CSV, &merged, NULL,
                                         NULL, &report, NULL),
                         HAL_E_INTEGRITY);
    }
    bytes[n] = 'x';
    dump(path, bytes, n + 1);
    assert_int_equal(hal_spool_merge(&path, 1, "id", NULL, NULL, HAL_FORMAT_CSV, &merged, NULL,
                                     NULL, &report, NULL),
                     HAL_E_INTEGRITY);
    free(bytes);
    unlink(path);
}

static void a_spool_of_another_version_is_refused_and_says_so(void **state)
{
    (void)state;
    uint64_t *keys;
    hal_table *t = make_part(3, 1, 0, &keys);
    const char *path = in_folder("s");
    assert_int_equal(hal_spool_write(path, t, keys, 0, NULL, NULL), 0);
    free(keys);
    hal_table_unref(t);
    size_t n;
    char *bytes = slurp(path, &n);
    hal_spool_part part;
    memcpy(&part, bytes, sizeof part);
    assert_memory_equal(bytes + sizeof part, "HALSPL", 6);
    for (int change = -1; change <= 1; change += 2) { /* an older and a newer one, undamaged */
        bytes[sizeof part + 6] = (char)(bytes[sizeof part + 6] + change);
        part.sum = hal_spool_part_sum(&part, bytes + sizeof part);
        memcpy(bytes, &part, sizeof part);
        dump(path, bytes, n);
        bytes[sizeof part + 6] = (char)(bytes[sizeof part + 6] - change);
        hal_merge_report report;
        hal_table *merged;
        hal_err err = HAL_ERR_INIT;
        assert_int_equal(hal_spool_merge(&path, 1, "id", NULL, NULL, HAL_FORMAT_CSV, &merged, NULL,
                                         NULL, &report, &err),
                         HAL_E_INTEGRITY);
        assert_non_null(strstr(err.text, "another version of halyard"));
        assert_non_null(strstr(err.text, path));
    }
    free(bytes);
    unlink(path);
}

static void a_header_cut_short_is_damage_also_with_a_right_sum(void **state)
{
    (void)state;
    uint64_t *keys;
    hal_table *t = make_part(3, 1, 0, &keys);
    const char *path = in_folder("s");
    assert_int_equal(hal_spool_write(path, t, keys, 0, NULL, NULL), 0);
    free(keys);
    hal_table_unref(t);
    size_t n;
    char *bytes = slurp(path, &n);
    hal_spool_part part;
    memcpy(&part, bytes, sizeof part);
    while (part.n_bytes-- > 0) {
        part.sum = hal_spool_part_sum(&part, bytes + sizeof part);
        memcpy(bytes, &part, sizeof part);
        dump(path, bytes, sizeof part + (size_t)part.n_bytes);
        hal_merge_report report;
        hal_table *merged;
        assert_int_equal(hal_spool_merge(&path, 1, "id", NULL, NULL, HAL_FORMAT_CSV, &merged, NULL,
                                         NULL, &report, NULL),
                         HAL_E_INTEGRITY);
    }
    free(bytes);
    unlink(path);
}

/* Else fuzzing from them would test nothing but the version. HALYARD_WRITE_SEEDS=1 in the
 * environment writes them anew. */
static void the_spools_that_fuzzing_starts_from_are_those_of_today(void **state)
{
    (void)state;
    const char *source = getenv("HALYARD_SOURCE");
    if (!source)
        skip();
    static const char *const names[] = {"no-rows", "every-type", "stars"};
    uint64_t keys[5] = {9, 1, 4, 4, UINT64_MAX}, *star_keys;
    hal_table *tables[] = {every_table(0, NULL), every_table(5, NULL),
                           make_part(9, 1, 0, &star_keys)};
    for (int i = 0; i < 3; i++) {
        char seed[512];
        snprintf(seed, sizeof seed, "%s/tests/fuzz/corpus/spool/%s", source, names[i]);
        const char *path = getenv("HALYARD_WRITE_SEEDS") ? seed : in_folder(names[i]);
        assert_int_equal(hal_spool_write(path, tables[i], i == 2 ? star_keys : keys,
                                         i == 2 ? 0 : -1, NULL, NULL),
                         0);
        size_t n, n_seed;
        char *bytes = slurp(path, &n), *kept = slurp(seed, &n_seed);
        assert_int_equal(n, n_seed);
        assert_memory_equal(bytes, kept, n);
        free(bytes);
        free(kept);
        hal_table_unref(tables[i]);
        if (path != seed)
            unlink(path);
    }
    free(star_keys);
}

static void a_failed_or_cancelled_merge_leaves_no_file(void **state)
{
    (void)state;
    uint64_t *keys;
    hal_table *t = make_part(100, 1, 0, &keys);
    const char *path = in_folder("s"), *out = in_folder("out.csv");
    assert_int_equal(hal_spool_write(path, t, keys, 0, NULL, NULL), 0);
    const char *paths[70];
    for (size_t i = 0; i < 70; i++)
        paths[i] = path;
    hal_merge_report report;
    _Atomic bool cancel = true;
    assert_int_equal(hal_spool_merge(paths, 70, "id", NULL, out, HAL_FORMAT_CSV, NULL, &cancel,
                                     NULL, &report, NULL),
                     HAL_E_CANCELLED);
    assert_int_not_equal(access(out, F_OK), 0);
    paths[69] = in_folder("absent");
    assert_int_equal(hal_spool_merge(paths, 70, "id", NULL, out, HAL_FORMAT_CSV, NULL, NULL, NULL,
                                     &report, NULL),
                     HAL_E_IO);
    assert_int_not_equal(access(out, F_OK), 0);
    paths[69] = path; /* the same rows 70 times */
    hal_table *merged;
    assert_int_equal(hal_spool_merge(paths, 70, "id", NULL, NULL, HAL_FORMAT_CSV, &merged, NULL,
                                     NULL, &report, NULL),
                     HAL_OK);
    assert_int_equal(report.rows, 7000);
    assert_int_equal(report.duplicates, 6900);
    hal_table_unref(merged);
    hal_table_unref(t);
    free(keys);
    unlink(path);
}

static void a_merge_of_other_rows_than_expected_leaves_no_file(void **state)
{
    (void)state;
    uint64_t *keys;
    hal_table *t = make_part(100, 1, 0, &keys);
    const char *path = in_folder("one.spool");
    const char *out = in_folder("out.csv"), *paths[] = {path, path};
    assert_int_equal(hal_spool_write(path, t, keys, 0, NULL, NULL), 0);
    const struct {
        size_t n_spools;
        uint64_t n_expected;
        const char *says;
    } cases[] = {{1, 101, "101 rows were kept but 100"}, {2, 200, "100 rows repeat the id"}};
    hal_merge_report report;
    for (int i = 0; i < 2; i++) {
        hal_err err = HAL_ERR_INIT;
        assert_int_equal(hal_spool_merge(paths, cases[i].n_spools, "id", &cases[i].n_expected, out,
                                         HAL_FORMAT_CSV, NULL, NULL, NULL, &report, &err),
                         HAL_E_INTEGRITY);
        assert_non_null(strstr(err.text, cases[i].says));
        assert_int_not_equal(access(out, F_OK), 0);
    }
    const uint64_t n_right = 100;
    assert_int_equal(hal_spool_merge(paths, 1, "id", &n_right, out, HAL_FORMAT_CSV, NULL, NULL,
                                     NULL, &report, NULL),
                     HAL_OK);
    assert_int_equal(unlink(out), 0);
    hal_table_unref(t);
    free(keys);
    unlink(path);
}

static void running_out_of_memory_at_any_point_is_reported(void **state)
{
    (void)state;
    uint64_t *keys;
    hal_table *t = make_part(300, 1, 0, &keys);
    const char *path = in_folder("s"), *out = in_folder("out.csv");
    hal_status st = HAL_E_NOMEM;
    for (size_t i = 1; st; i++) {
        hal_alloc_fail_at(i);
        hal_err err = HAL_ERR_INIT;
        st = hal_spool_write(path, t, keys, 0, NULL, &err);
        hal_alloc_fail_at(0);
        if (st) {
            assert_int_equal(st, HAL_E_NOMEM);
            assert_int_equal(err.status, HAL_E_NOMEM);
            assert_int_not_equal(access(path, F_OK), 0);
        }
    }
    const char *paths[66];
    for (size_t i = 0; i < 66; i++)
        paths[i] = path;
    hal_merge_report report;
    st = HAL_E_NOMEM;
    for (size_t i = 1; st; i += i < 150 ? 1 : 197) {
        hal_alloc_fail_at(i);
        st = hal_spool_merge(paths, 66, "id", NULL, out, HAL_FORMAT_CSV, NULL, NULL, NULL, &report,
                             NULL);
        hal_alloc_fail_at(0);
        if (st)
            assert_int_equal(st, HAL_E_NOMEM);
        if (st)
            assert_int_not_equal(access(out, F_OK), 0);
    }
    assert_int_equal(report.rows, 66 * 300);
    unlink(out);
    unlink(path);
    hal_table_unref(t);
    free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_split_merges_to_the_same_bytes),
        cmocka_unit_test(rows_come_in_the_order_of_key_then_id_then_row),
        cmocka_unit_test(types_of_spools_unite_and_absent_columns_are_null),
        cmocka_unit_test(what_the_first_spool_says_about_its_table_and_columns_is_kept),
        cmocka_unit_test(any_damage_to_a_spool_is_found),
        cmocka_unit_test(a_spool_of_another_version_is_refused_and_says_so),
        cmocka_unit_test(a_header_cut_short_is_damage_also_with_a_right_sum),
        cmocka_unit_test(the_spools_that_fuzzing_starts_from_are_those_of_today),
        cmocka_unit_test(a_failed_or_cancelled_merge_leaves_no_file),
        cmocka_unit_test(a_merge_of_other_rows_than_expected_leaves_no_file),
        cmocka_unit_test(running_out_of_memory_at_any_point_is_reported),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
