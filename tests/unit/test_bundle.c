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

static char dir[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/halyard-bundle-XXXXXX");
    char path[100];
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof path, "%s/b.zip", dir);
    FILE *file = fopen(path, "wb");
    return !file || fwrite(bundle, sizeof bundle, 1, file) != 1 || fclose(file);
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

static hal_status unpack(bool stopped, hal_err *err)
{
    _Atomic bool cancel = stopped;
    hal_bundle out;
    hal_bundle_request request = {
        .dir = dir, .file = "b.zip", .into = "x", .max_bytes = 1 << 20, .replace = true};
    hal_status st = hal_bundle_unpack(&request, &cancel, &out, err);
    if (!st) {
        assert_int_equal(out.n_members, 2);
        assert_string_equal(out.members[0].path, "a/b.txt");
        assert_int_equal(out.size_bytes, 5);
    }
    hal_bundle_clear(&out);
    return st;
}

static void leaves_nothing_when_memory_runs_out(void **state)
{
    (void)state;
    size_t n = 1;
    for (hal_status st = HAL_E_NOMEM; st; n++) {
        assert_false(exists("x"));
        hal_err err = HAL_ERR_INIT;
        hal_alloc_fail_at(n);
        st = unpack(false, &err);
        hal_alloc_fail_at(0);
        assert_true(st == HAL_OK || st == HAL_E_NOMEM);
        assert_false(exists(".x.part"));
        assert_true(n < 1000);
    }
    assert_true(n > 5);
    assert_true(exists("x/a/b.txt"));
}

static void ends_soon_when_nobody_wants_it(void **state)
{
    (void)state;
    hal_err err = HAL_ERR_INIT;
    assert_int_equal(unpack(true, &err), HAL_E_CANCELLED);
    assert_false(exists("x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(leaves_nothing_when_memory_runs_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ends_soon_when_nobody_wants_it, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
