/* SPDX-License-Identifier: BSD-3-Clause */
/* Unpacking when memory runs out, when nobody wants it any more, and beside what others hold;
 * hostile bundles: tests/spec/archive_core_spec.lua. */
#include "net/bundle.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* "a/b.txt" with "hello" and "c.txt" without a byte, stored. */
static const unsigned char bundle[] = {
    'P',  'K',  3,   4,   20,  0,   0,    0,    0,   0,   0,   0,    0x21, 0x5a, 0x86, 0xa6,
    0x10, 0x36, 5,   0,   0,   0,   5,    0,    0,   0,   7,   0,    0,    0,    'a',  '/',
    'b',  '.',  't', 'x', 't', 'h', 'e',  'l',  'l', 'o', 'P', 'K',  3,    4,    20,   0,
    0,    0,    0,   0,   0,   0,   0x21, 0x5a, 0,   0,   0,   0,    0,    0,    0,    0,
    0,    0,    0,   0,   5,   0,   0,    0,    'c', '.', 't', 'x',  't',  'P',  'K',  1,
    2,    20,   0,   20,  0,   0,   0,    0,    0,   0,   0,   0x21, 0x5a, 0x86, 0xa6, 0x10,
    0x36, 5,    0,   0,   0,   5,   0,    0,    0,   7,   0,   0,    0,    0,    0,    0,
    0,    0,    0,   0,   0,   0,   0,    0,    0,   0,   0,   'a',  '/',  'b',  '.',  't',
    'x',  't',  'P', 'K', 1,   2,   20,   0,    20,  0,   0,   0,    0,    0,    0,    0,
    0x21, 0x5a, 0,   0,   0,   0,   0,    0,    0,   0,   0,   0,    0,    0,    5,    0,
    0,    0,    0,   0,   0,   0,   0,    0,    0,   0,   0,   0,    42,   0,    0,    0,
    'c',  '.',  't', 'x', 't', 'P', 'K',  5,    6,   0,   0,   0,    0,    2,    0,    2,
    0,    104,  0,   0,   0,   77,  0,    0,    0,   0,   0};

/* The same as tar.gz: a header of 10 bytes, deflated data, check sum and length. */
static const unsigned char tar_gz[] = {
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xed, 0xd3, 0x31, 0x0a, 0xc2,
    0x40, 0x10, 0x05, 0xd0, 0x39, 0x8a, 0x27, 0xd0, 0x44, 0x36, 0x9b, 0xf3, 0x44, 0x11, 0x2c,
    0x02, 0x42, 0x5c, 0xc1, 0xe3, 0xbb, 0x5a, 0x49, 0x1a, 0x6d, 0x92, 0x26, 0xef, 0x35, 0xff,
    0x33, 0xcd, 0x54, 0x7f, 0x38, 0x9c, 0xf6, 0xe5, 0x59, 0x62, 0x49, 0x4d, 0x95, 0x53, 0xfa,
    0x64, 0x35, 0xcf, 0xaa, 0xfb, 0xea, 0xef, 0x7b, 0xdf, 0xa6, 0x63, 0xec, 0x9a, 0x58, 0xc1,
    0xe3, 0x5e, 0x86, 0xa9, 0xbe, 0x8c, 0x6d, 0xba, 0x5e, 0xc6, 0xf1, 0x16, 0x6c, 0xd5, 0x79,
    0xf1, 0xf5, 0xff, 0xb3, 0xff, 0x79, 0xcf, 0x7d, 0x9b, 0xed, 0x1f, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x7e, 0x79, 0x01, 0x7d, 0x7b, 0x49, 0x58, 0x00, 0x28, 0x00, 0x00};

enum { GZIP_HEADER_BYTES = 10 };

static char dir[64];

static void put(const char *name, const unsigned char *bytes, size_t n)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/halyard-bundle-XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    put("b.zip", bundle, sizeof bundle);
    put("b.tar.gz", tar_gz, sizeof tar_gz);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

static bool exists(const char *name)
{
    char path[160];
    struct stat s;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return !lstat(path, &s);
}

static hal_status unpack_to(const char *into, const char *file, bool stopped, hal_err *err)
{
    _Atomic bool cancel = stopped;
    hal_bundle out;
    hal_bundle_request request = {
        .dir = dir, .file = file, .into = into, .max_bytes = 1 << 20, .replace = true};
    hal_status st = hal_bundle_unpack(&request, &cancel, &out, err);
    if (!st) {
        assert_int_equal(out.n_members, 2);
        assert_string_equal(out.members[0].path, "a/b.txt");
        assert_int_equal(out.size_bytes, 5);
    }
    hal_bundle_clear(&out);
    return st;
}

static hal_status unpack(const char *file, bool stopped, hal_err *err)
{
    return unpack_to("x", file, stopped, err);
}

static void leaves_nothing(const char *file)
{
    size_t n = 1;
    for (hal_status st = HAL_E_NOMEM; st; n++) {
        assert_false(exists("x"));
        hal_err err = HAL_ERR_INIT;
        hal_alloc_fail_at(n);
        st = unpack(file, false, &err);
        hal_alloc_fail_at(0);
        assert_true(st == HAL_OK || st == HAL_E_NOMEM);
        assert_false(exists(".x.part"));
        assert_true(n < 1000);
    }
    assert_true(n > 5);
    assert_true(exists("x/a/b.txt"));
}

static void leaves_nothing_of_a_zip_when_memory_runs_out(void **state)
{
    (void)state;
    leaves_nothing("b.zip");
}

static void leaves_nothing_of_a_tar_gz_when_memory_runs_out(void **state)
{
    (void)state;
    leaves_nothing("b.tar.gz");
}

static void ends_soon_when_nobody_wants_it(void **state)
{
    (void)state;
    hal_err err = HAL_ERR_INIT;
    assert_int_equal(unpack("b.zip", true, &err), HAL_E_CANCELLED);
    assert_int_equal(unpack("b.tar.gz", true, &err), HAL_E_CANCELLED);
    assert_false(exists("x"));
}

static void reads_members_without_writing_them(void **state)
{
    (void)state;
    hal_err err = HAL_ERR_INIT;
    assert_int_equal(unpack_to(NULL, "b.zip", false, &err), HAL_OK);
    assert_int_equal(unpack_to(NULL, "b.tar.gz", false, &err), HAL_OK);
    assert_false(exists("a"));
    unsigned char cut[sizeof tar_gz - 1];
    memcpy(cut, tar_gz, sizeof cut);
    put("b.tar.gz", cut, sizeof cut);
    assert_int_equal(unpack_to(NULL, "b.tar.gz", false, &err), HAL_E_INTEGRITY);
}

static void is_damaged(const unsigned char *bytes, size_t n)
{
    hal_err err = HAL_ERR_INIT;
    put("b.tar.gz", bytes, n);
    assert_int_equal(unpack("b.tar.gz", false, &err), HAL_E_INTEGRITY);
    assert_non_null(strstr(err.text, "b.tar.gz is damaged"));
    assert_false(exists("x"));
    assert_false(exists(".x.part"));
}

static void refuses_a_tar_gz_with_any_byte_changed(void **state)
{
    (void)state;
    for (size_t i = GZIP_HEADER_BYTES; i < sizeof tar_gz; i++) {
        unsigned char bytes[sizeof tar_gz];
        memcpy(bytes, tar_gz, sizeof tar_gz);
        bytes[i] ^= 0xff;
        is_damaged(bytes, sizeof bytes);
    }
}

static void refuses_a_tar_gz_that_is_cut_anywhere(void **state)
{
    (void)state;
    for (size_t n = GZIP_HEADER_BYTES; n < sizeof tar_gz; n++)
        is_damaged(tar_gz, n);
}

static void refuses_a_tar_gz_with_anything_but_zeros_behind_it(void **state)
{
    (void)state;
    unsigned char bytes[sizeof tar_gz + 20] = {0};
    memcpy(bytes, tar_gz, sizeof tar_gz);
    put("b.tar.gz", bytes, sizeof bytes);
    hal_err err = HAL_ERR_INIT;
    assert_int_equal(unpack("b.tar.gz", false, &err), HAL_OK);
    assert_true(exists("x/a/b.txt"));
    tear_down(NULL);
    set_up(NULL);
    bytes[sizeof bytes - 1] = 1;
    is_damaged(bytes, sizeof bytes);
    bytes[sizeof tar_gz] = 1;
    is_damaged(bytes, sizeof bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(leaves_nothing_of_a_zip_when_memory_runs_out, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(leaves_nothing_of_a_tar_gz_when_memory_runs_out, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(ends_soon_when_nobody_wants_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_members_without_writing_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_a_tar_gz_with_any_byte_changed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_a_tar_gz_that_is_cut_anywhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_a_tar_gz_with_anything_but_zeros_behind_it, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
