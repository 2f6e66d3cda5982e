/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/pool.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { N_JOBS = 2000 };

static atomic_int running, most, n_run;
static int order[N_JOBS], n_order, n_done;

static void run_in_order(void *ctx)
{
    int now = atomic_fetch_add(&running, 1) + 1;
    if (now > atomic_load(&most))
        atomic_store(&most, now);
    order[n_order++] = (int)(intptr_t)ctx;
    atomic_fetch_add(&n_run, 1);
    atomic_fetch_sub(&running, 1);
}

static void count_done(void *ctx)
{
    (void)ctx;
    n_done++;
}

static void a_strand_runs_its_jobs_one_by_one_in_order(void **state)
{
    (void)state;
    hal_pool *pool = hal_pool_new(4, NULL, NULL, NULL);
    hal_strand *strand = hal_strand_new(pool, NULL);
    for (intptr_t i = 0; i < N_JOBS; i++)
        assert_int_equal(hal_pool_post(pool, strand, run_in_order, count_done, (void *)i, NULL),
                         HAL_OK);
    hal_strand_free(strand);
    hal_pool_free(pool);
    assert_int_equal(n_done, N_JOBS);
    assert_int_equal(atomic_load(&most), 1);
    for (int i = 0; i < N_JOBS; i++)
        assert_int_equal(order[i], i);
}

static void done_never_runs_before_drain(void **state)
{
    (void)state;
    n_done = 0;
    n_order = 0;
    hal_pool *pool = hal_pool_new(2, NULL, NULL, NULL);
    assert_int_equal(hal_pool_post(pool, NULL, run_in_order, count_done, NULL, NULL), HAL_OK);
    assert_int_equal(hal_pool_pending(pool), 1);
    while (hal_pool_drain(pool) == 0)
        assert_int_equal(n_done, 0);
    assert_int_equal(n_done, 1);
    assert_int_equal(hal_pool_pending(pool), 0);
    hal_pool_free(pool);
}

static sem_t open_door;

static void wait_at_the_door(void *ctx)
{
    (void)ctx;
    sem_wait(&open_door);
}

static void an_urgent_job_passes_all_but_those_of_its_strand(void **state)
{
    (void)state;
    n_order = 0;
    sem_init(&open_door, 0, 0);
    hal_pool *pool = hal_pool_new(1, NULL, NULL, NULL);
    hal_strand *strand = hal_strand_new(pool, NULL);
    assert_int_equal(hal_pool_post(pool, NULL, wait_at_the_door, NULL, NULL, NULL), HAL_OK);
    assert_int_equal(hal_pool_post(pool, strand, run_in_order, NULL, (void *)1, NULL), HAL_OK);
    assert_int_equal(hal_pool_post_urgent(pool, strand, run_in_order, NULL, (void *)2, NULL),
                     HAL_OK);
    assert_int_equal(hal_pool_post(pool, NULL, run_in_order, NULL, (void *)3, NULL), HAL_OK);
    assert_int_equal(hal_pool_post_urgent(pool, NULL, run_in_order, NULL, (void *)4, NULL), HAL_OK);
    sem_post(&open_door);
    hal_strand_free(strand);
    hal_pool_free(pool);
    static const int expected[] = {4, 1, 2, 3};
    assert_int_equal(n_order, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(order[i], expected[i]);
    sem_destroy(&open_door);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_strand_runs_its_jobs_one_by_one_in_order),
        cmocka_unit_test(done_never_runs_before_drain),
        cmocka_unit_test(an_urgent_job_passes_all_but_those_of_its_strand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
