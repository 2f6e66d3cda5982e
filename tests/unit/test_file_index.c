/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/file_index.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static int fd;
static hal_file_index ix;
static hal_file_line found;

static int open_file(void **state)
{
    (void)state;
    char name[] = "file-index-XXXXXX";
    fd = mkstemp(name);
    unlink(name);
    ix = (hal_file_index){0};
    return fd < 0;
}

static int close_file(void **state)
{
    (void)state;
    hal_file_index_clear(&ix);
    return close(fd);
}

static void put(const char *bytes, size_t n)
{
    assert_int_equal(write(fd, bytes, n), n);
}

static void add(const char *path, const char *source, uint64_t bytes)
{
    hal_buf line;
    hal_buf_init(&line, HAL_FILE_LINE_MAX);
    hal_file_record r = {.bytes = bytes, .mtime_ns = -5, .catalogue_bytes = -1};
    memset(r.sha256, 'a', 64);
    assert_int_equal(hal_file_line_format(&line, &r, path, source, "\"e\"", NULL), HAL_OK);
    put(line.data, line.size_bytes);
    hal_buf_clear(&line);
}

static void load(void)
{
    assert_int_equal(hal_file_index_load(&ix, fd, "x", NULL), HAL_OK);
}

static int64_t bytes_of(const char *key)
{
    return hal_file_index_find(&ix, fd, key, &found) ? (int64_t)found.record.bytes : -1;
}

static void gives_back_what_a_line_says(void **state)
{
    (void)state;
    add("a b/c.fits", "mast:A/c.fits", 7);
    load();
    assert_int_equal(bytes_of("a b/c.fits"), 7);
    assert_string_equal(found.source, "mast:A/c.fits");
    assert_string_equal(found.etag, "\"e\"");
    assert_int_equal(found.record.mtime_ns, -5);
    assert_int_equal(found.record.catalogue_bytes, -1);
    assert_int_equal(bytes_of("c.fits"), -1);
}

static void the_latest_line_of_a_path_counts(void **state)
{
    (void)state;
    add("a", "s1", 1);
    add("b", "s2", 2);
    load();
    add("a", "s3", 3);
    assert_int_equal(bytes_of("a"), 1);
    load(); /* goes on where it was */
    assert_int_equal(bytes_of("a"), 3);
    assert_int_equal(bytes_of("b"), 2);
}

static void a_line_that_is_not_whole_is_passed_over(void **state)
{
    (void)state;
    add("a", "s1", 1);
    off_t at = lseek(fd, 0, SEEK_CUR);
    add("a", "s1", 2);
    assert_int_equal(pwrite(fd, "X", 1, at + 10), 1);
    put("short\n", 6);
    for (int i = 0; i < 700; i++) /* longer than a block */
        put("................................................................................"
            "................................................................................"
            "................................................................................"
            "................................................................................"
            "................................................................................",
            400);
    put("\n", 1);
    add("b", "s2", 2);
    put("1234", 4);
    load();
    assert_int_equal(bytes_of("a"), 1);
    assert_int_equal(bytes_of("b"), 2);
    assert_true(ix.torn);
}

static void a_line_that_could_not_be_read_again_is_refused(void **state)
{
    (void)state;
    char path[HAL_FILE_LINE_MAX + 1];
    hal_file_record r = {.bytes = 1, .catalogue_bytes = -1};
    memset(r.sha256, 'a', 64);
    hal_status st = HAL_OK;
    size_t n = HAL_FILE_LINE_MAX - 100;
    for (; !st && n < sizeof path; n++) {
        hal_buf line;
        hal_buf_init(&line, 2 * HAL_FILE_LINE_MAX);
        memset(path, 'p', n);
        path[n] = '\0';
        st = hal_file_line_format(&line, &r, path, "s", "", NULL);
        if (!st) {
            put(line.data, line.size_bytes);
            load();
            assert_int_equal(bytes_of(path), 1);
        }
        hal_buf_clear(&line);
    }
    assert_int_equal(st, HAL_E_BUDGET);
    assert_true(n > HAL_FILE_LINE_MAX - 95);
}

static void finds_by_source(void **state)
{
    (void)state;
    ix.by_source = true;
    add("a", "s1", 1);
    add("b", "s1", 2);
    load();
    assert_int_equal(bytes_of("s1"), 2);
    assert_string_equal(found.path, "b");
    assert_int_equal(bytes_of("a"), -1);
}

static hal_status note(void *ctx, const hal_file_line *line, hal_err *err)
{
    (void)err;
    char *text = ctx;
    snprintf(text + strlen(text), 100, "%s=%" PRIu64 " ", line->path, line->record.bytes);
    return HAL_OK;
}

static void lists_every_file_once_in_order(void **state)
{
    (void)state;
    add("a", "s", 1);
    add("b", "s", 2);
    add("a", "s", 3);
    add("c", "s", 4);
    load();
    char text[200] = "";
    assert_int_equal(hal_file_index_each(&ix, fd, "x", note, text, NULL), HAL_OK);
    assert_string_equal(text, "b=2 a=3 c=4 ");
}

static void holds_many_files(void **state)
{
    (void)state;
    char path[32];
    for (uint64_t i = 0; i < 20000; i++) {
        snprintf(path, sizeof path, "d/%" PRIu64, i);
        add(path, "s", i);
    }
    load();
    for (uint64_t i = 0; i < 20000; i += 7) {
        snprintf(path, sizeof path, "d/%" PRIu64, i);
        assert_int_equal(bytes_of(path), i);
    }
    assert_int_equal(ix.n_places, 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gives_back_what_a_line_says, open_file, close_file),
        cmocka_unit_test_setup_teardown(the_latest_line_of_a_path_counts, open_file, close_file),
        cmocka_unit_test_setup_teardown(a_line_that_is_not_whole_is_passed_over, open_file,
                                        close_file),
        cmocka_unit_test_setup_teardown(a_line_that_could_not_be_read_again_is_refused, open_file,
                                        close_file),
        cmocka_unit_test_setup_teardown(finds_by_source, open_file, close_file),
        cmocka_unit_test_setup_teardown(lists_every_file_once_in_order, open_file, close_file),
        cmocka_unit_test_setup_teardown(holds_many_files, open_file, close_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
