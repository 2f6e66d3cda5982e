/* SPDX-License-Identifier: BSD-3-Clause */
/* The ledger on real disks: what a killed process wrote is there, what has no record is not. */
#include "journal/ledger.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "journal-XXXXXX";

static const hal_ledger_job job = {"Gaia DR3 http://archive", "CIRCLE 1 2 3", "ra,dec", "{}",
                                   "cap 500000, guard 1"};

static hal_ledger *open_it(bool anew)
{
    hal_err err = HAL_ERR_INIT;
    hal_ledger *l = hal_ledger_open(dir, anew, &err);
    assert_string_equal(err.text, "");
    assert_non_null(l);
    return l;
}

static void touch(const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT, 0666);
    assert_true(fd >= 0);
    close(fd);
}

static bool exists(const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return !access(path, F_OK);
}

static hal_ledger_record done(const char *node, uint64_t file)
{
    return (hal_ledger_record){.kind = HAL_LEDGER_DONE,
                               .node = node,
                               .text = "i:9007199254740993",
                               .n_returned = 10,
                               .n_kept = 7,
                               .overshoot_deg = 0.1,
                               .printed_deg = 1e-5,
                               .kept_bytes = 700,
                               .answer_bytes = 1234,
                               .file = file,
                               .file_bytes = 99,
                               .began = 1.5,
                               .ended = 2.5,
                               .n_pending = 30};
}

static void put(hal_ledger *l, hal_ledger_record r)
{
    hal_err err = HAL_ERR_INIT;
    assert_int_equal(hal_ledger_put(l, &r, &err), HAL_OK);
}

static hal_ledger_record find(hal_ledger *l, const char *node, int64_t attempt)
{
    hal_err err = HAL_ERR_INIT;
    hal_ledger_record r;
    assert_int_equal(hal_ledger_find(l, node, attempt, &r, &err), HAL_OK);
    return r;
}

static void records_come_back_as_they_were(void **state)
{
    (void)state;
    hal_ledger *l = open_it(true);
    put(l, done("a", 3));
    put(l, (hal_ledger_record){.kind = HAL_LEDGER_TOLD, .node = "n", .text = "42", .ended = 3});
    put(l, (hal_ledger_record){.kind = HAL_LEDGER_OVER,
                               .node = "b",
                               .attempt = 1,
                               .text = "over",
                               .n_returned = 5,
                               .ended = 4,
                               .n_pending = 31});
    hal_ledger_close(l);
    l = open_it(false);
    hal_ledger_record r = find(l, "a", 0);
    assert_int_equal(r.kind, HAL_LEDGER_DONE);
    assert_int_equal(r.n_returned, 10);
    assert_int_equal(r.n_kept, 7);
    assert_true(r.overshoot_deg == 0.1 && r.printed_deg == 1e-5);
    assert_int_equal(r.kept_bytes, 700);
    assert_int_equal(r.answer_bytes, 1234);
    assert_int_equal(r.file, 3);
    assert_int_equal(r.file_bytes, 99);
    assert_true(r.began == 1.5 && r.ended == 2.5);
    assert_string_equal(r.text, "i:9007199254740993");
    r = find(l, "n", 0);
    assert_int_equal(r.kind, HAL_LEDGER_TOLD);
    assert_string_equal(r.text, "42");
    assert_int_equal(find(l, "b", 0).kind, HAL_LEDGER_NONE);
    r = find(l, "b", 1);
    assert_int_equal(r.kind, HAL_LEDGER_OVER);
    assert_string_equal(r.text, "over");
    assert_int_equal(r.n_returned, 5);
    hal_ledger_extent e;
    assert_int_equal(hal_ledger_extent_of(l, &e, NULL), HAL_OK);
    assert_int_equal(e.n_answers, 3);
    assert_int_equal(e.n_pending, 31);
    assert_int_equal(e.last_file, 3);
    hal_ledger_close(l);
}

static void a_later_record_replaces_an_earlier_one(void **state)
{
    (void)state;
    hal_ledger *l = open_it(true);
    put(l, done("a", 1));
    put(l, done("a", 2));
    assert_int_equal(find(l, "a", 0).file, 2);
    hal_ledger_close(l);
}

/* A question for a sign of life is the same each time: what it was told before an outage must not
 * answer it during the outage. */
static void numbers_of_an_earlier_ask_do_not_answer_a_later_one(void **state)
{
    (void)state;
    hal_ledger *l = open_it(true);
    hal_ledger_record told = {.kind = HAL_LEDGER_TOLD, .node = "n", .attempt = 2, .text = "42"};
    put(l, told);
    assert_string_equal(find(l, "n", 1).text, "42"); /* the first came to nothing */
    assert_string_equal(find(l, "n", 2).text, "42");
    assert_int_equal(find(l, "n", 3).kind, HAL_LEDGER_NONE);
    told.attempt = 3;
    told.text = "43";
    put(l, told);
    assert_string_equal(find(l, "n", 2).text, "42");
    assert_string_equal(find(l, "n", 3).text, "43");
    hal_ledger_close(l);
}

static void files_without_record_are_removed(void **state)
{
    (void)state;
    hal_ledger *l = open_it(true);
    put(l, done("a", 3));
    hal_ledger_record none = done("b", 4);
    none.file_bytes = 0;
    put(l, none);
    hal_ledger_close(l);
    const char *const gone[] = {"4.spool", "5.spool", "x.spool", ".3.spool.halyard-1-1",
                                "3.spool.1"};
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        touch(gone[i]);
    touch("3.spool");
    l = open_it(false);
    assert_true(exists("3.spool"));
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        assert_false(exists(gone[i]));
    hal_ledger_close(l);
    l = open_it(true);
    assert_false(exists("3.spool"));
    assert_int_equal(find(l, "a", 0).kind, HAL_LEDGER_NONE);
    hal_ledger_close(l);
}

static void another_job_is_refused_by_what_differs(void **state)
{
    (void)state;
    hal_ledger *l = open_it(true);
    assert_int_equal(hal_ledger_begin(l, &job, NULL), HAL_OK);
    assert_null(hal_ledger_inputs(l));
    assert_int_equal(hal_ledger_set_inputs(l, "{\"known\":5}", NULL), HAL_OK);
    put(l, done("a", 3));
    hal_ledger_close(l);
    l = open_it(false);
    assert_string_equal(hal_ledger_inputs(l), "{\"known\":5}");
    assert_int_equal(hal_ledger_begin(l, &job, NULL), HAL_OK);
    const char *const words[] = {"service", "region", "columns", "criteria", "limits"};
    for (int i = 0; i < 5; i++) {
        const char *texts[] = {job.service, job.region, job.columns, job.query, job.capabilities};
        texts[i] = "";
        hal_ledger_job other = {texts[0], texts[1], texts[2], texts[3], texts[4]};
        hal_err err = HAL_ERR_INIT;
        assert_int_equal(hal_ledger_begin(l, &other, &err), HAL_E_USAGE);
        assert_non_null(strstr(err.text, words[i]));
        assert_non_null(strstr(err.text, "--restart"));
    }
    hal_ledger_close(l);
}

static void another_job_takes_the_place_of_one_that_has_nothing_to_lose(void **state)
{
    (void)state;
    const hal_ledger_job other = {"Tic", "ALL", "", "", ""};
    for (int complete = 0; complete < 2; complete++) {
        hal_ledger *l = open_it(true);
        assert_int_equal(hal_ledger_begin(l, &job, NULL), HAL_OK);
        assert_int_equal(hal_ledger_set_inputs(l, "{}", NULL), HAL_OK);
        if (complete) {
            put(l, done("a", 3));
            touch("3.spool");
            assert_int_equal(hal_ledger_finish(l, "complete", NULL), HAL_OK);
        }
        assert_int_equal(hal_ledger_begin(l, &other, NULL), HAL_OK);
        assert_null(hal_ledger_inputs(l));
        assert_int_equal(find(l, "a", 0).kind, HAL_LEDGER_NONE);
        assert_false(exists("3.spool"));
        put(l, done("b", 4));
        hal_err err = HAL_ERR_INIT;
        assert_int_equal(hal_ledger_begin(l, &job, &err), HAL_E_USAGE);
        hal_ledger_close(l);
    }
}

static void a_partial_end_forgets_failures_that_may_pass(void **state)
{
    (void)state;
    hal_ledger *l = open_it(true);
    put(l, (hal_ledger_record){.kind = HAL_LEDGER_OVER, .node = "a", .text = "ambiguous"});
    put(l, (hal_ledger_record){.kind = HAL_LEDGER_OVER, .node = "b", .text = "over"});
    assert_int_equal(hal_ledger_finish(l, "partial", NULL), HAL_OK);
    assert_int_equal(find(l, "a", 0).kind, HAL_LEDGER_NONE);
    assert_int_equal(find(l, "b", 0).kind, HAL_LEDGER_OVER);
    hal_ledger_close(l);
}

/* A process that puts records until it is killed; each is told through the pipe once it is there.
 */
static void write_until_killed(int out)
{
    hal_ledger *l = hal_ledger_open(dir, true, NULL);
    for (char i = 0; l; i++) {
        char node[16];
        snprintf(node, sizeof node, "%d", i);
        hal_ledger_record r = done(node, (uint64_t)i + 1);
        if (hal_ledger_put(l, &r, NULL) || write(out, &i, 1) != 1)
            break;
    }
    _exit(1);
}

static void a_killed_process_leaves_all_it_recorded(void **state)
{
    (void)state;
    for (int kill_after = 0; kill_after < 12; kill_after++) {
        int pipe_fd[2];
        assert_int_equal(pipe(pipe_fd), 0);
        pid_t child = fork();
        if (child == 0)
            write_until_killed(pipe_fd[1]);
        close(pipe_fd[1]);
        char last = -1;
        for (int i = 0; i <= kill_after; i++)
            assert_int_equal(read(pipe_fd[0], &last, 1), 1);
        assert_int_equal(kill(child, SIGKILL), 0);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        while (read(pipe_fd[0], &last, 1) == 1)
            continue;
        close(pipe_fd[0]);
        hal_ledger *l = open_it(false);
        for (int i = 0; i <= last; i++) {
            char node[16];
            snprintf(node, sizeof node, "%d", i);
            assert_int_equal(find(l, node, 0).file, i + 1);
        }
        hal_ledger_close(l);
    }
}

/* In a process of its own, for the limit stays: how many records went in before the disk was full.
 */
static int fill_disk(void)
{
    signal(SIGXFSZ, SIG_IGN);
    hal_err err = HAL_ERR_INIT;
    hal_ledger *l = hal_ledger_open(dir, true, &err);
    struct rlimit most = {256 << 10, 256 << 10};
    if (!l || setrlimit(RLIMIT_FSIZE, &most))
        _exit(255);
    for (int i = 0; i < 200; i++) {
        char node[4096];
        memset(node, 'x', sizeof node);
        snprintf(node + sizeof node - 8, 8, "%d", i);
        hal_ledger_record r = done(node, (uint64_t)i + 1);
        if (hal_ledger_put(l, &r, &err))
            _exit(err.status == HAL_E_IO ? i : 254);
    }
    _exit(253);
}

static void a_full_disk_is_an_error_and_loses_no_record(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0)
        fill_disk();
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    int n = WEXITSTATUS(status);
    assert_in_range(n, 5, 200);
    hal_ledger *l = open_it(false);
    hal_ledger_extent e;
    assert_int_equal(hal_ledger_extent_of(l, &e, NULL), HAL_OK);
    assert_int_equal(e.n_answers, n);
    put(l, done("more", 1000));
    hal_ledger_close(l);
}

static void two_processes_do_not_share_it(void **state)
{
    (void)state;
    hal_ledger *l = open_it(true);
    pid_t child = fork();
    if (child == 0) {
        hal_err err = HAL_ERR_INIT;
        hal_ledger *second = hal_ledger_open(dir, false, &err);
        _exit(!second && err.status == HAL_E_IO ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    hal_ledger_close(l);
}

static void garbage_is_refused_with_the_remedy(void **state)
{
    (void)state;
    hal_ledger_close(open_it(true));
    char path[64];
    snprintf(path, sizeof path, "%s/ledger.sqlite", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < 1000; i++)
        fputs("no database ", f);
    fclose(f);
    hal_err err = HAL_ERR_INIT;
    assert_null(hal_ledger_open(dir, false, &err));
    assert_int_equal(err.status, HAL_E_INTEGRITY);
    assert_non_null(strstr(err.text, "--restart"));
    hal_ledger_remove(open_it(true));
    assert_false(exists("."));
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back_as_they_were),
        cmocka_unit_test(a_later_record_replaces_an_earlier_one),
        cmocka_unit_test(numbers_of_an_earlier_ask_do_not_answer_a_later_one),
        cmocka_unit_test(files_without_record_are_removed),
        cmocka_unit_test(another_job_is_refused_by_what_differs),
        cmocka_unit_test(another_job_takes_the_place_of_one_that_has_nothing_to_lose),
        cmocka_unit_test(a_partial_end_forgets_failures_that_may_pass),
        cmocka_unit_test(a_killed_process_leaves_all_it_recorded),
        cmocka_unit_test(a_full_disk_is_an_error_and_loses_no_record),
        cmocka_unit_test(two_processes_do_not_share_it),
        cmocka_unit_test(garbage_is_refused_with_the_remedy), /* the last: removes the folder */
    };
    return cmocka_run_group_tests(tests, make_dir, NULL);
}
