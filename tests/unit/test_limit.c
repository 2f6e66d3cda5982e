/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/limit.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static hal_limit *host(const char *name, int window, int64_t pace_ns)
{
    assert_int_equal(hal_limit_configure(name, window, pace_ns, NULL), HAL_OK);
    hal_limit *l = hal_limit_ref(name, 443, NULL);
    assert_non_null(l);
    return l;
}

static bool enter(hal_limit *l, int64_t now_ns)
{
    int64_t wait_ns;
    return hal_limit_enter(l, now_ns, &wait_ns);
}

static int enter_all(hal_limit *l, int64_t now_ns)
{
    int n = 0;
    while (enter(l, now_ns))
        n++;
    return n;
}

static void leave(hal_limit *l, int n, int64_t started_ns, int64_t now_ns, hal_strain strain)
{
    while (n--)
        hal_limit_leave(l, started_ns, now_ns, strain, NULL);
}

static void the_window_is_a_ceiling(void **state)
{
    (void)state;
    hal_limit *l = host("window.test", 3, 0);
    assert_int_equal(enter_all(l, 0), 3);
    int64_t wait_ns = 0;
    assert_false(hal_limit_enter(l, 0, &wait_ns));
    assert_true(wait_ns < 0); /* until one leaves */
    leave(l, 1, 0, 1, HAL_STRAIN_NONE);
    assert_int_equal(enter_all(l, 1), 1);
    leave(l, 3, 0, 1, HAL_STRAIN_NONE);
    hal_limit_unref(l);
}

static void strain_halves_once_for_requests_that_were_under_way_together(void **state)
{
    (void)state;
    hal_limit *l = host("strain.test", 8, 0);
    assert_int_equal(enter_all(l, 10), 8);
    leave(l, 8, 10, 20, HAL_STRAIN_HIGH);
    assert_int_equal(hal_limit_allowed(l), 4);
    assert_int_equal(enter_all(l, 30), 4);
    leave(l, 4, 30, 40, HAL_STRAIN_HIGH);
    assert_int_equal(hal_limit_allowed(l), 2);
    for (int64_t t = 50; t < 90; t += 10) {
        assert_true(enter(l, t));
        leave(l, 1, t, t + 5, HAL_STRAIN_HIGH);
    }
    assert_int_equal(hal_limit_allowed(l), 1);
    for (int i = 0; i < 20; i++) {
        assert_true(enter(l, 100 + i));
        leave(l, 1, 100 + i, 100 + i, HAL_STRAIN_NONE);
    }
    assert_int_equal(hal_limit_allowed(l), 8);
    hal_limit_unref(l);
}

static void requests_keep_their_distance(void **state)
{
    (void)state;
    hal_limit *l = host("pace.test", 8, 100);
    int64_t wait_ns = 0;
    assert_true(enter(l, 1000));
    assert_false(hal_limit_enter(l, 1040, &wait_ns));
    assert_int_equal(wait_ns, 60);
    assert_true(enter(l, 1100));
    leave(l, 2, 1000, 1100, HAL_STRAIN_UNKNOWN);
    hal_limit_unref(l);
}

static void a_pause_holds_everybody_and_only_grows(void **state)
{
    (void)state;
    hal_limit *l = host("pause.test", 8, 0);
    int64_t wait_ns = 0;
    hal_limit_pause(l, 500);
    hal_limit_pause(l, 300);
    assert_false(hal_limit_enter(l, 100, &wait_ns));
    assert_int_equal(wait_ns, 400);
    assert_true(enter(l, 500));
    leave(l, 1, 500, 501, HAL_STRAIN_NONE);
    hal_limit_unref(l);
}

static void the_retry_quota_runs_out_and_success_earns_it_back(void **state)
{
    (void)state;
    hal_limit *l = host("quota.test", 8, 0);
    int n = 0;
    while (hal_limit_spend_retry(l))
        n++;
    assert_int_equal(n, 20);
    for (int i = 0; i < 5; i++) {
        assert_false(hal_limit_spend_retry(l));
        assert_true(enter(l, i));
        leave(l, 1, i, i, HAL_STRAIN_NONE);
    }
    assert_true(hal_limit_spend_retry(l));
    hal_limit_unref(l);
}

static void a_name_without_port_means_all_its_ports_together(void **state)
{
    (void)state;
    assert_int_equal(hal_limit_configure("ports.test", 2, 0, NULL), HAL_OK);
    assert_int_equal(hal_limit_configure("ports.test:99", 5, 0, NULL), HAL_OK);
    hal_limit *a = hal_limit_ref("ports.test", 80, NULL),
              *b = hal_limit_ref("ports.test", 81, NULL),
              *c = hal_limit_ref("ports.test", 99, NULL),
              *d = hal_limit_ref("other.test", 80, NULL),
              *e = hal_limit_ref("other.test", 81, NULL);
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
    assert_ptr_not_equal(d, e);
    assert_int_equal(hal_limit_allowed(a), 2);
    assert_int_equal(hal_limit_allowed(c), 5);
    assert_int_equal(hal_limit_allowed(d), HAL_LIMIT_WINDOW_DEFAULT);
    hal_limit *all[] = {a, b, c, d, e};
    for (int i = 0; i < 5; i++)
        hal_limit_unref(all[i]);
}

static void records_of_many_hosts_do_not_pile_up_or_get_lost(void **state)
{
    (void)state;
    hal_limit *kept = hal_limit_ref("kept.test", 1, NULL);
    while (hal_limit_spend_retry(kept))
        continue;
    for (int port = 1; port < 2000; port++)
        hal_limit_unref(hal_limit_ref("many.test", port, NULL));
    hal_limit *again = hal_limit_ref("kept.test", 1, NULL);
    assert_ptr_equal(kept, again);
    assert_false(hal_limit_spend_retry(again));
    hal_limit_unref(kept);
    hal_limit_unref(again);
}

static void senseless_limits_are_refused(void **state)
{
    (void)state;
    assert_int_equal(hal_limit_configure("x.test", 0, 0, NULL), HAL_E_USAGE);
    assert_int_equal(hal_limit_configure("x.test", 65, 0, NULL), HAL_E_USAGE);
}

static void a_window_that_came_with_a_pace_stays_until_another_pace_comes(void **state)
{
    (void)state;
    hal_limit *l = hal_limit_ref("paced.test", 1, NULL);
    assert_int_equal(hal_limit_configure("paced.test:1", 8, -1, NULL), HAL_OK);
    assert_int_equal(hal_limit_allowed(l), 8);
    assert_int_equal(hal_limit_configure("paced.test:1", 2, 1000, NULL), HAL_OK);
    assert_int_equal(hal_limit_configure("paced.test:1", 8, -1, NULL), HAL_OK);
    assert_int_equal(hal_limit_allowed(l), 2);
    int64_t wait_ns;
    assert_true(hal_limit_enter(l, 5000, &wait_ns));
    assert_false(hal_limit_enter(l, 5001, &wait_ns));
    assert_int_equal(wait_ns, 999);
    assert_int_equal(hal_limit_configure("paced.test:1", 8, 0, NULL), HAL_OK);
    assert_int_equal(hal_limit_allowed(l), 8);
    hal_limit_leave(l, 5000, 6000, HAL_STRAIN_NONE, NULL);
    hal_limit_unref(l);
}

static void what_a_strained_host_lost_is_not_given_back_by_asking_for_the_same_window(void **state)
{
    (void)state;
    hal_limit *l = hal_limit_ref("strained.test", 1, NULL);
    int64_t wait_ns;
    assert_int_equal(hal_limit_configure("strained.test:1", 8, -1, NULL), HAL_OK);
    assert_true(hal_limit_enter(l, 1000, &wait_ns));
    hal_limit_leave(l, 1000, 2000, HAL_STRAIN_HIGH, NULL);
    assert_int_equal(hal_limit_allowed(l), 4);
    assert_int_equal(hal_limit_configure("strained.test:1", 8, -1, NULL), HAL_OK);
    assert_int_equal(hal_limit_allowed(l), 4);
    hal_limit_unref(l);
}

static int n_woken;

static void count_wake(void *ctx)
{
    (void)ctx;
    n_woken++;
}

static void others_are_woken_when_a_slot_becomes_free(void **state)
{
    (void)state;
    hal_limit_listener self = {count_wake, NULL, NULL}, other = {count_wake, NULL, NULL};
    hal_limit *l = host("wake.test", 1, 0);
    hal_limit_listen(&self);
    hal_limit_listen(&other);
    assert_true(enter(l, 0));
    hal_limit_leave(l, 0, 0, HAL_STRAIN_NONE, &self);
    assert_int_equal(n_woken, 1);
    hal_limit_unlisten(&other);
    hal_limit_unlisten(&self);
    hal_limit_unref(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_window_is_a_ceiling),
        cmocka_unit_test(strain_halves_once_for_requests_that_were_under_way_together),
        cmocka_unit_test(requests_keep_their_distance),
        cmocka_unit_test(a_pause_holds_everybody_and_only_grows),
        cmocka_unit_test(the_retry_quota_runs_out_and_success_earns_it_back),
        cmocka_unit_test(a_name_without_port_means_all_its_ports_together),
        cmocka_unit_test(records_of_many_hosts_do_not_pile_up_or_get_lost),
        cmocka_unit_test(senseless_limits_are_refused),
        cmocka_unit_test(a_window_that_came_with_a_pace_stays_until_another_pace_comes),
        cmocka_unit_test(what_a_strained_host_lost_is_not_given_back_by_asking_for_the_same_window),
        cmocka_unit_test(others_are_woken_when_a_slot_becomes_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
