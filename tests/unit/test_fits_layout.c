/* SPDX-License-Identifier: BSD-3-Clause */
/* FITS files whose layout changes while rows are being written: the file must be what the writer
 * makes when it knows all rows before (to standard output nothing is written before the end). */
#include "support/tables.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

enum { BLOCK = 65536, FIELDS = 9, PARTS_MAX = 8 };

static const hal_field fields[FIELDS] = {{.name = "n", .type = HAL_TYPE_UINT8},
                                         {.name = "three", .type = HAL_TYPE_INT16, .width = 3},
                                         {.name = "name", .type = HAL_TYPE_STRING},
                                         {.name = "x", .type = HAL_TYPE_FLOAT32},
                                         {.name = "ok", .type = HAL_TYPE_BOOL},
                                         {.name = "z", .type = HAL_TYPE_COMPLEX128},
                                         {.name = "at", .type = HAL_TYPE_TIMESTAMP},
                                         {.name = "k", .type = HAL_TYPE_INT64},
                                         {.name = "j", .type = HAL_TYPE_INT32}};

static hal_table *finish(hal_builder *b)
{
    hal_err err = HAL_ERR_INIT;
    hal_table *t = hal_builder_finish(b, &err);
    hal_builder_free(b);
    if (!t)
        fail_msg("%s", err.text);
    return t;
}

/* A block of ordinary rows; every 7th is null in turn in each column. */
static hal_table *ordinary(bool nulls)
{
    hal_err err = HAL_ERR_INIT;
    static const char *const names[] = {"", "M 31", "trail ", "d\xc3\xa9j\xc3\xa0"};
    hal_builder *b = hal_builder_new(fields, FIELDS, &err);
    for (int i = 0; i < BLOCK; i++) {
        int null = nulls && i % 7 == 0 ? i / 7 % FIELDS : -1;
        const int16_t three[] = {(int16_t)(i % 1000), INT16_MIN, (int16_t)(-i % 1000)};
        const uint8_t valid = i % 3 && nulls ? 5 : 7;
        if (null != 0)
            MUST(hal_builder_int64(b, 0, i % 200, &err));
        if (null != 1)
            MUST(hal_builder_array(b, 1, three, 3, &valid, &err));
        if (null != 2)
            MUST(hal_builder_string(b, 2, hal_slice_of(names[i % 4]), &err));
        if (null != 3)
            MUST(hal_builder_float64(b, 3, i % 5 ? (double)i / 4 : (double)NAN, &err));
        if (null != 4)
            MUST(hal_builder_bool(b, 4, i % 2, &err));
        if (null != 5)
            MUST(hal_builder_complex(b, 5, i, -i, &err));
        if (null != 6)
            MUST(hal_builder_int64(b, 6, i * INT64_C(1000000), &err));
        if (null != 7)
            MUST(hal_builder_int64(b, 7, INT64_MAX - i, &err));
        if (null != 8)
            MUST(hal_builder_int64(b, 8, -i, &err));
        MUST(hal_builder_end_row(b, &err));
    }
    return finish(b);
}

/* One row that is null but for a text of so many bytes. */
static hal_table *named(const char *text, size_t n)
{
    hal_err err = HAL_ERR_INIT;
    hal_builder *b = hal_builder_new(fields, FIELDS, &err);
    MUST(hal_builder_string(b, 2, (hal_slice){text, n}, &err));
    MUST(hal_builder_end_row(b, &err));
    return finish(b);
}

/* Rows that are null but for integers: the lowest and highest values. */
static hal_table *extreme(int n)
{
    hal_err err = HAL_ERR_INIT;
    hal_builder *b = hal_builder_new(fields, FIELDS, &err);
    for (int i = 0; i < n; i++) {
        MUST(hal_builder_int64(b, 0, 255 - i, &err));
        MUST(hal_builder_int64(b, 7, INT64_MIN + i % 9, &err));
        MUST(hal_builder_int64(b, 8, INT32_MIN + i % 9, &err));
        MUST(hal_builder_end_row(b, &err));
    }
    return finish(b);
}

static void write_parts(const char *path, hal_table *const *parts, size_t n)
{
    hal_err err = HAL_ERR_INIT;
    hal_writer *w = hal_writer_open(path, HAL_FORMAT_FITS, fields, FIELDS, &err);
    if (!w)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < n; i++)
        MUST(hal_writer_table(w, parts[i], &err));
    MUST(hal_writer_commit(w, NULL, &err));
    hal_writer_free(w);
}

static char *contents(int fd, size_t *n)
{
    *n = (size_t)lseek(fd, 0, SEEK_END);
    char *bytes = malloc(*n + 1);
    assert_int_equal(pread(fd, bytes, *n, 0), *n);
    close(fd);
    return bytes;
}

/* Frees the parts. */
static void same_bytes(hal_table **parts, size_t n)
{
    hal_err err = HAL_ERR_INIT;
    char folder[] = "/tmp/halyard-layout-XXXXXX", path[64], piped[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/out.fits", folder);
    snprintf(piped, sizeof piped, "%s/piped.fits", folder);
    write_parts(path, parts, n);
    int fd = open(piped, O_RDWR | O_CREAT | O_EXCL, 0600), out = dup(STDOUT_FILENO);
    fflush(stdout);
    assert_true(fd >= 0 && out >= 0 && dup2(fd, STDOUT_FILENO) >= 0);
    write_parts(NULL, parts, n);
    assert_true(dup2(out, STDOUT_FILENO) >= 0);
    close(out);
    size_t n_file, n_piped;
    char *file = contents(open(path, O_RDONLY), &n_file), *pipe_bytes = contents(fd, &n_piped);
    unlink(path);
    unlink(piped);
    assert_int_equal(rmdir(folder), 0); /* fails when a temporary file is left */
    assert_int_equal(n_file, n_piped);
    assert_int_equal(n_file % 2880, 0);
    assert_memory_equal(file, pipe_bytes, n_file);
    hal_table *back = read_bytes(file, n_file, n_file, HAL_FORMAT_FITS, NULL, &err);
    if (!back)
        fail_msg("%s", err.text);
    uint64_t first = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t rows = hal_table_rows(parts[i]), some = rows < 5000 ? rows : 5000;
        hal_table *a = hal_table_slice(parts[i], 0, some, &err);
        hal_table *b = hal_table_slice(back, first, some, &err);
        bool blank = rows == 1 && hal_table_string(a, 2, 0).size_bytes == 1; /* is read as empty */
        if (!blank && hal_table_field(back, 0)->type == HAL_TYPE_UINT8)
            same_table(a, b, false);
        hal_table_unref(a);
        hal_table_unref(b);
        first += rows;
    }
    assert_int_equal(hal_table_rows(back), first);
    hal_table_unref(back);
    for (size_t i = 0; i < n; i++)
        hal_table_unref(parts[i]);
    free(file);
    free(pipe_bytes);
}

static void rows_of_one_layout_are_written_the_same(void **state)
{
    hal_table *t = *state;
    hal_table *parts[] = {hal_table_ref(t), hal_table_ref(t), named("M 33", 4)};
    same_bytes(parts, 3);
}

static void nulls_that_come_late_are_written_the_same(void **state)
{
    hal_table *t = *state;
    hal_table *parts[] = {ordinary(false), hal_table_ref(t), named("M 33", 4)};
    same_bytes(parts, 3);
}

static void a_text_that_is_wider_later_is_written_the_same(void **state)
{
    hal_table *t = *state;
    hal_table *parts[] = {hal_table_ref(t), hal_table_ref(t), named("a longer name", 13)};
    same_bytes(parts, 3);
}

static void texts_that_grow_block_by_block_are_written_the_same(void **state)
{
    static const char text[] = "one that is longer and longer every time";
    hal_table *t = *state, *parts[PARTS_MAX];
    for (size_t i = 0; i < PARTS_MAX; i += 2) {
        parts[i] = named(text, 12 + i);
        parts[i + 1] = hal_table_ref(t);
    }
    same_bytes(parts, PARTS_MAX);
}

static void a_long_text_behind_short_ones_goes_to_the_heap_all_the_same(void **state)
{
    static char text[3000];
    hal_table *t = *state;
    memset(text, 'a', sizeof text);
    hal_table *parts[] = {hal_table_ref(t), named(text, sizeof text), hal_table_ref(t)};
    same_bytes(parts, 3);
}

static void a_lone_blank_is_written_the_same(void **state)
{
    static char text[3000];
    hal_table *t = *state;
    memset(text, 'a', sizeof text);
    hal_table *parts[] = {hal_table_ref(t), named(" ", 1), named(text, sizeof text),
                          hal_table_ref(t)};
    same_bytes(parts, 4);
}

static void a_value_that_meant_null_moves_the_null(void **state)
{
    hal_table *t = *state;
    hal_table *parts[] = {hal_table_ref(t), extreme(1), hal_table_ref(t), extreme(20)};
    same_bytes(parts, 4);
}

static void bytes_of_all_values_with_nulls_become_wider(void **state)
{
    hal_table *t = *state;
    hal_table *parts[] = {hal_table_ref(t), extreme(60), hal_table_ref(t)};
    same_bytes(parts, 3);
}

/* Two full blocks and more, of which some are on their way to the file at any time. */
static hal_status write_some(const char *path, hal_table *t, bool commit, hal_err *err)
{
    hal_writer *w = hal_writer_open(path, HAL_FORMAT_FITS, fields, FIELDS, err);
    if (!w)
        fail_msg("%s", err->text);
    hal_status st = HAL_OK;
    for (int i = 0; i < 3 && !st; i++)
        st = hal_writer_table(w, t, err);
    if (!st && commit)
        st = hal_writer_commit(w, NULL, err);
    hal_writer_free(w);
    return st;
}

static void a_file_that_is_not_finished_leaves_nothing(void **state)
{
    hal_err err = HAL_ERR_INIT;
    char folder[] = "/tmp/halyard-layout-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/out.fits", folder);
    MUST(write_some(path, *state, false, &err));
    assert_int_equal(rmdir(folder), 0);
}

/* A limit on the size of files stands for a full disk. */
static void a_full_disk_is_an_error_and_leaves_nothing(void **state)
{
    hal_err err = HAL_ERR_INIT;
    char folder[] = "/tmp/halyard-layout-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/out.fits", folder);
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t size = 1 << 20; size < 12 << 20; size += 4 << 20) { /* in each block */
        small = (struct rlimit){size, old.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        hal_status st = write_some(path, *state, true, &err);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(st, HAL_E_IO);
        assert_non_null(strstr(err.text, "cannot write"));
        assert_non_null(strstr(err.text, "out.fits"));
    }
    assert_int_equal(rmdir(folder), 0);
}

static int make(void **state)
{
    *state = ordinary(true);
    return 0;
}

static int drop(void **state)
{
    hal_table_unref(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_one_layout_are_written_the_same),
        cmocka_unit_test(nulls_that_come_late_are_written_the_same),
        cmocka_unit_test(a_text_that_is_wider_later_is_written_the_same),
        cmocka_unit_test(texts_that_grow_block_by_block_are_written_the_same),
        cmocka_unit_test(a_long_text_behind_short_ones_goes_to_the_heap_all_the_same),
        cmocka_unit_test(a_lone_blank_is_written_the_same),
        cmocka_unit_test(a_value_that_meant_null_moves_the_null),
        cmocka_unit_test(bytes_of_all_values_with_nulls_become_wider),
        cmocka_unit_test(a_file_that_is_not_finished_leaves_nothing),
        cmocka_unit_test(a_full_disk_is_an_error_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
