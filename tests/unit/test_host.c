/* SPDX-License-Identifier: BSD-3-Clause */
/* The host under a lack of memory: every allocation fails once, nothing crashes or leaks. */
#include "base/alloc.h"
#include "bind/bind.h"
#include "host/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <lauxlib.h>

static const char script[] =
    "local task = require('halyard.core.task')\n"
    "local system = require('halyard.core.system')\n"
    "local list = task.map({1, 2, 3}, 2, function(x) task.sleep(0) return x * 2 end)\n"
    "local ok, err = pcall(task.all, { function() system.raise('archive', 'x') end,\n"
    "  function() task.sleep(3600) end })\n"
    "local env = require('halyard.core.sandbox').environment()\n"
    "system.emit('progress', { stage = 'x', list = list })\n"
    "return list[3], env.tostring(err)\n";

/* Runs the script; HAL_OK only with the right results. */
static hal_status run_script(hal_err *err)
{
    hal_clock clock = hal_clock_system();
    hal_host_config config = {0};
    hal_loop *loop = hal_loop_new(&clock, err);
    hal_host *host = loop ? hal_host_new(loop, &config, err) : NULL;
    hal_status st = host ? HAL_OK : err->status;
    if (host) {
        lua_State *L = hal_host_state(host);
        hal_bind_preload(L);
        if (luaL_loadstring(L, script) != LUA_OK)
            st = hal_err_nomem(err, sizeof script);
        if (!st)
            st = hal_host_start(host, L, 0, err);
        bool running = !st;
        while (running && !st)
            st = hal_host_step(host, -1, &running, err);
        if (!st) {
            assert_int_equal(lua_tointeger(L, -2), 6);
            assert_string_equal(lua_tostring(L, -1), "x");
        }
        assert_true(st || hal_host_live_tasks(host) == 0);
    }
    hal_host_free(host);
    hal_loop_free(loop);
    return st;
}

static void a_script_runs_or_says_that_memory_ran_out(void **state)
{
    (void)state;
    hal_err err = HAL_ERR_INIT;
    hal_alloc_fail_at(0);
    assert_int_equal(run_script(&err), HAL_OK);
    size_t n = hal_alloc_fail_at(0);
    assert_true(n > 100);
    size_t n_failed = 0;
    for (size_t i = 1; i <= n; i++) {
        err = HAL_ERR_INIT;
        hal_alloc_fail_at(i);
        hal_status st = run_script(&err);
        hal_alloc_fail_at(0);
        n_failed += st != HAL_OK;
        if (st)
            assert_true(err.text[0] != '\0');
    }
    assert_true(n_failed > 0);
}

static void settings_replace_and_remove(void **state)
{
    (void)state;
    hal_clock clock = hal_clock_system();
    hal_host_config config = {0};
    hal_loop *loop = hal_loop_new(&clock, NULL);
    hal_host *host = hal_host_new(loop, &config, NULL);
    assert_int_equal(hal_host_set(host, "archive", "a", NULL), HAL_OK);
    assert_int_equal(hal_host_set(host, "archive", "b", NULL), HAL_OK);
    assert_string_equal(hal_host_setting(host, "archive"), "b");
    assert_int_equal(hal_host_set(host, "archive", NULL, NULL), HAL_OK);
    assert_null(hal_host_setting(host, "archive"));
    hal_host_free(host);
    hal_loop_free(loop);
}

static void hosts_are_permitted_by_name_port_and_domain(void **state)
{
    (void)state;
    hal_clock clock = hal_clock_system();
    hal_host_config config = {0};
    hal_err err = HAL_ERR_INIT;
    hal_loop *loop = hal_loop_new(&clock, &err);
    hal_host *host = hal_host_new(loop, &config, &err);
    assert_true(hal_host_permits(host, "any.where", 1, &err));
    assert_int_equal(
        hal_host_permit(host, "mast.stsci.edu\n*.g-vo.org\nhere.test:8080\nMixed.Test", &err),
        HAL_OK);
    assert_true(hal_host_permits(host, "mast.stsci.edu", 443, &err));
    assert_true(hal_host_permits(host, "mast.stsci.edu", 80, &err));
    assert_true(hal_host_permits(host, "dc.g-vo.org", 443, &err));
    assert_true(hal_host_permits(host, "a.b.g-vo.org", 80, &err));
    assert_true(hal_host_permits(host, "here.test", 8080, &err));
    assert_true(hal_host_permits(host, "mixed.test", 443, &err));
    assert_false(hal_host_permits(host, "mast.stsci.edu", 8443, &err));
    assert_int_equal(err.status, HAL_E_PERMISSION);
    assert_non_null(strstr(err.text, "may not contact mast.stsci.edu:8443"));
    assert_false(hal_host_permits(host, "stsci.edu", 443, &err));
    assert_false(hal_host_permits(host, "evil-mast.stsci.edu", 443, &err));
    assert_false(hal_host_permits(host, "mast.stsci.edu.evil.test", 443, &err));
    assert_false(hal_host_permits(host, "g-vo.org", 443, &err));
    assert_false(hal_host_permits(host, "evilg-vo.org", 443, &err));
    assert_false(hal_host_permits(host, "here.test", 443, &err));
    assert_int_equal(hal_host_permit(host, "", &err), HAL_OK);
    assert_false(hal_host_permits(host, "mast.stsci.edu", 443, &err));
    assert_int_equal(hal_host_permit(host, NULL, &err), HAL_OK);
    assert_true(hal_host_permits(host, "mast.stsci.edu", 443, &err));
    hal_host_free(host);
    hal_loop_free(loop);
}

static void keep_event(void *ctx, const char *kind, const char *json)
{
    snprintf(ctx, 256, "%s %s", kind, json);
}

static void progress_tells_how_far_a_file_is(void **state)
{
    (void)state;
    char event[256] = "";
    hal_clock clock = hal_clock_system();
    hal_host_config config = {0};
    hal_loop *loop = hal_loop_new(&clock, NULL);
    hal_host *host = hal_host_new(loop, &config, NULL);
    hal_host_on_event(host, keep_event, event);
    hal_host_progress(host, "reading \"a\"", 41999999, 100000000);
    assert_string_equal(event, "progress {\"stage\":\"reading \\\"a\\\"\",\"done\":41,"
                               "\"known\":100,\"unit\":\"MB\"}");
    hal_host_progress(host, "reading", 7, 0);
    assert_string_equal(event, "progress {\"stage\":\"reading\",\"bytes\":7}");
    hal_host_free(host);
    hal_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_script_runs_or_says_that_memory_ran_out),
        cmocka_unit_test(settings_replace_and_remove),
        cmocka_unit_test(hosts_are_permitted_by_name_port_and_domain),
        cmocka_unit_test(progress_tells_how_far_a_file_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
