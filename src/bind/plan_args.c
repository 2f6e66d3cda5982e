/* SPDX-License-Identifier: BSD-3-Clause */
#include "bind/plan_args.h"

#include "bind/args.h"
#include "bind/bind.h"
#include "host/host.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

#define LONG_AGO_NS (INT64_C(3600) * HAL_NS_PER_S) /* longer than a plan ever waits */

int64_t hal_now_ns(lua_State *L)
{
    return hal_clock_now_ns(hal_loop_clock(hal_host_loop(hal_host_of(L))));
}

int64_t hal_arg_when_ns(lua_State *L, int index)
{
    return hal_now_ns(L) - (lua_toboolean(L, index) ? LONG_AGO_NS : 0);
}

uint64_t hal_arg_count(lua_State *L, int index, const char *what)
{
    lua_Integer n = hal_arg_integer(L, index, what);
    if (n < 0)
        hal_bind_fail(L, HAL_E_USAGE, "%s must not be negative", what);
    return (uint64_t)n;
}

static uint64_t option_count(lua_State *L, int index, const char *key)
{
    int64_t n = hal_option_integer(L, index, key, 0);
    if (n < 0)
        hal_bind_fail(L, HAL_E_USAGE, "option \"%s\" must not be negative", key);
    return (uint64_t)n;
}

/* --- The record and the options ---------------------------------------------------------------
 */

static void read_column(lua_State *L, int index, hal_plan_column *out)
{
    static const char *const known[] = {"name",      "decimals", "rounded", "nullable",
                                        "null_test", "min",      "max",     NULL};
    hal_options_check(L, index, known, "plan.new: a column of alt_split");
    hal_option_require(L, index, "name", "plan.new: a column of alt_split");
    const char *name = hal_option_text(L, index, "name", "");
    if (strlen(name) >= sizeof out->name)
        hal_bind_fail(L, HAL_E_USAGE, "the column name \"%.40s...\" is longer than %zu bytes", name,
                      sizeof out->name - 1);
    memcpy(out->name, name, strlen(name) + 1);
    int64_t decimals = hal_option_integer(L, index, "decimals", 0);
    if (decimals < 0 || decimals > 9)
        hal_bind_fail(L, HAL_E_USAGE, "option \"decimals\" of column %s must be 0 to 9", name);
    out->decimals = (int)decimals;
    out->rounded = hal_option_boolean(L, index, "rounded", false);
    out->nullable = hal_option_boolean(L, index, "nullable", false);
    out->null_test = hal_option_boolean(L, index, "null_test", false);
    out->min = hal_option_number(L, index, "min", 0);
    out->max = hal_option_number(L, index, "max", 0);
}

/* The array `key` of the table at `index`: pushes it, or nothing when it is absent. */
static bool push_array(lua_State *L, int index, const char *key, size_t *n)
{
    lua_pushstring(L, key);
    int type = lua_rawget(L, index);
    if (type == LUA_TNIL) {
        lua_pop(L, 1);
        return false;
    }
    if (type != LUA_TTABLE)
        hal_bind_fail(L, HAL_E_USAGE, "option \"%s\" must be an array, not %s", key,
                      lua_typename(L, type));
    *n = (size_t)lua_rawlen(L, -1);
    return true;
}

static void read_columns(lua_State *L, int index, hal_service *out)
{
    size_t n;
    if (!push_array(L, index, "alt_split", &n))
        return;
    if (n > HAL_PLAN_COLUMNS)
        hal_bind_fail(L, HAL_E_USAGE, "option \"alt_split\" has %zu columns: at most %d", n,
                      HAL_PLAN_COLUMNS);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        read_column(L, lua_gettop(L), &out->alt_split[i]);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    out->n_alt_split = n;
}

static bool reads_footprints(lua_State *L, int index)
{
    const char *match = hal_option_text(L, index, "match", "point");
    if (strcmp(match, "point") != 0 && strcmp(match, "footprint") != 0)
        hal_bind_fail(L, HAL_E_USAGE, "option \"match\" is \"%.40s\": use point or footprint",
                      match);
    return match[0] == 'f';
}

hal_service hal_arg_service(lua_State *L, int index)
{
    static const char *const known[] = {
        "takes_box",       "takes_cone", "counts",         "histogram",
        "over_is_slow",    "match",      "centre_columns", "pos_nullable",
        "null_test",       "cap",        "radius_max_deg", "radius_decimals",
        "pos_quantum_deg", "alt_split",  "guard_arcsec",   "order_key",
        "key_unique",      NULL};
    hal_options_check(L, index, known, "plan.new: service");
    int64_t decimals = hal_option_integer(L, index, "radius_decimals", -1);
    if (decimals > 17)
        hal_bind_fail(L, HAL_E_USAGE, "option \"radius_decimals\" must be at most 17");
    hal_service service = {
        .takes_box = hal_option_boolean(L, index, "takes_box", false),
        .takes_cone = hal_option_boolean(L, index, "takes_cone", false),
        .counts = hal_option_boolean(L, index, "counts", false),
        .histogram = hal_option_boolean(L, index, "histogram", false),
        .over_is_slow = hal_option_boolean(L, index, "over_is_slow", false),
        .footprints = reads_footprints(L, index),
        .centre_columns = hal_option_boolean(L, index, "centre_columns", false),
        .pos_nullable = hal_option_boolean(L, index, "pos_nullable", false),
        .null_test = hal_option_boolean(L, index, "null_test", false),
        .cap = option_count(L, index, "cap"),
        .pos_quantum_deg = hal_option_number(L, index, "pos_quantum_deg", 0),
        .radius_max_deg = hal_option_number(L, index, "radius_max_deg", 0),
        .radius_decimals = decimals < 0 ? -1 : (int)decimals,
        .guard_arcsec = hal_option_number(L, index, "guard_arcsec", 0),
        .order_key = hal_option_boolean(L, index, "order_key", false),
        .key_unique = hal_option_boolean(L, index, "key_unique", false),
    };
    read_columns(L, index, &service);
    return service;
}

/* Leaves a userdata that holds the densities on the stack. */
static void read_prior(lua_State *L, int index, hal_plan_options *out)
{
    size_t n;
    if (!push_array(L, index, "prior", &n))
        return;
    hal_plan_density *d = lua_newuserdatauv(L, (n + 1) * sizeof *d, 0);
    for (size_t i = 0; i < n; i++) {
        static const char *const known[] = {"ra", "dec", "radius", "rows_per_sr", NULL};
        lua_rawgeti(L, -2, (lua_Integer)i + 1);
        int at = lua_gettop(L);
        hal_options_check(L, at, known, "plan.new: a density of prior");
        d[i] = (hal_plan_density){
            hal_option_number(L, at, "ra", NAN), hal_option_number(L, at, "dec", NAN),
            hal_option_number(L, at, "radius", NAN), hal_option_number(L, at, "rows_per_sr", NAN)};
        lua_pop(L, 1);
    }
    out->prior = d;
    out->n_prior = n;
}

hal_plan_options hal_arg_plan_options(lua_State *L, int index)
{
    static const char *const known[] = {"window",       "requests_max", "rows_max", "known_rows",
                                        "count_failed", "prior",        NULL};
    enum { WINDOW_DEFAULT = 4, WINDOW_MAX = 8 };
    hal_options_check(L, index, known, "plan.new: options");
    int64_t window = hal_option_integer(L, index, "window", WINDOW_DEFAULT);
    if (window < 1 || window > WINDOW_MAX)
        hal_bind_fail(L, HAL_E_USAGE, "option \"window\" must be 1 to %d", WINDOW_MAX);
    hal_plan_options options = {
        .window = (int)window,
        .requests_max = option_count(L, index, "requests_max"),
        .rows_max = option_count(L, index, "rows_max"),
        .known_rows = hal_option_integer(L, index, "known_rows", -1),
        .count_failed = hal_option_boolean(L, index, "count_failed", false),
    };
    read_prior(L, index, &options);
    return options;
}

/* --- Asks ---------------------------------------------------------------------------------------
 */

static void push_ticks(lua_State *L, const hal_tile *t)
{
    lua_createtable(L, 0, 4);
    hal_set_integer(L, "ra", t->ra);
    hal_set_integer(L, "width", t->width);
    hal_set_integer(L, "dec_lo", t->dec_lo);
    hal_set_integer(L, "dec_hi", t->dec_hi);
}

void hal_set_border(lua_State *L, const char *key, double value)
{
    if (isfinite(value))
        hal_set_number(L, key, value);
}

static void push_range(lua_State *L, const hal_ask_range *r, const hal_plan *plan)
{
    hal_set_text(L, "column", hal_plan_column_name(plan, r->column));
    hal_set_integer(L, "column_index", r->column);
    hal_set_boolean(L, "column_null", r->is_null);
    hal_set_border(L, "column_min", r->min);
    hal_set_border(L, "column_max", r->max);
    hal_set_border(L, "column_lo", r->lo);
    hal_set_border(L, "column_hi", r->hi);
}

static void push_column(lua_State *L, const hal_ask *a, const hal_plan *plan)
{
    hal_ask_range own = {a->column,     a->column_null, a->column_min,
                         a->column_max, a->column_lo,   a->column_hi};
    push_range(L, &own, plan);
    if (a->n_outer == 0)
        return;
    lua_createtable(L, a->n_outer, 0);
    for (int i = 0; i < a->n_outer; i++) {
        lua_createtable(L, 0, 7);
        push_range(L, &a->outer[i], plan);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "outer");
}

static void push_page(lua_State *L, const hal_ask *a)
{
    hal_set_integer(L, "page", a->page);
    hal_set_integer(L, "series", (int64_t)a->series);
    hal_set_integer(L, "page_rows", (int64_t)a->page_rows);
}

static void push_ask(lua_State *L, const hal_ask *a, const hal_plan *plan)
{
    static const char *const kinds[] = {[HAL_ASK_FETCH] = "fetch",
                                        [HAL_ASK_COUNT] = "count",
                                        [HAL_ASK_PROBE] = "probe",
                                        [HAL_ASK_HISTOGRAM] = "histogram"};
    lua_createtable(L, 0, 24);
    hal_set_integer(L, "id", (int64_t)a->id);
    hal_set_text(L, "kind", kinds[a->kind]);
    hal_set_boolean(L, "whole", a->whole);
    hal_set_text(L, "form", a->as_box ? "box" : "cone");
    hal_set_boolean(L, "by_centre", a->by_centre);
    hal_set_boolean(L, "by_key", a->by_key);
    hal_set_boolean(L, "no_position", a->no_position);
    hal_set_integer(L, "attempt", a->attempt);
    if (a->column > 0)
        push_column(L, a, plan);
    if (a->page > 0)
        push_page(L, a);
    if (a->kind == HAL_ASK_HISTOGRAM)
        hal_set_integer(L, "order", a->order);
    if (a->n_targets > 0) {
        hal_set_integer(L, "first_target", (int64_t)a->first_target);
        hal_set_integer(L, "n_targets", (int64_t)a->n_targets);
    }
    hal_set_number(L, "ra_min", a->ra_min_deg);
    hal_set_number(L, "ra_max", a->ra_max_deg);
    hal_set_number(L, "dec_min", a->dec_min_deg);
    hal_set_number(L, "dec_max", a->dec_max_deg);
    if (a->predicted_rows >= 0)
        hal_set_number(L, "predicted_rows", a->predicted_rows);
    push_ticks(L, &a->tile);
    lua_setfield(L, -2, "tile");
    lua_createtable(L, 0, 3);
    hal_set_number(L, "ra", a->cone.ra_deg);
    hal_set_number(L, "dec", a->cone.dec_deg);
    hal_set_number(L, "radius", a->cone.radius_deg);
    lua_setfield(L, -2, "cone");
}

int hal_push_next(lua_State *L, hal_next next, const hal_ask *ask, const hal_plan *plan,
                  int64_t until_ns, int64_t now_ns)
{
    if (next == HAL_NEXT_DONE) {
        lua_pushliteral(L, "done");
        return 1;
    }
    if (next == HAL_NEXT_ASK) {
        lua_pushliteral(L, "ask");
        push_ask(L, ask, plan);
        return 2;
    }
    lua_pushliteral(L, "wait");
    if (until_ns == INT64_MAX)
        lua_pushnil(L);
    else
        lua_pushnumber(L, until_ns > now_ns ? (double)(until_ns - now_ns) / (double)HAL_NS_PER_S
                                            : 0.0);
    return 2;
}

static void sub_table(lua_State *L, int index, const char *key)
{
    lua_pushstring(L, key);
    if (lua_rawget(L, index) != LUA_TTABLE)
        hal_bind_fail(L, HAL_E_USAGE, "the ask has no \"%s\": pass what plan:next gave", key);
}

static void read_outer(lua_State *L, int index, hal_ask *a)
{
    size_t n;
    if (!push_array(L, index, "outer", &n))
        return;
    if (n > HAL_PLAN_COLUMNS - 1)
        hal_bind_fail(L, HAL_E_USAGE, "the ask has %zu outer ranges: at most %d", n,
                      HAL_PLAN_COLUMNS - 1);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        int range = lua_gettop(L);
        a->outer[i] = (hal_ask_range){
            .column = (int)hal_option_integer(L, range, "column_index", 0),
            .is_null = hal_option_boolean(L, range, "column_null", false),
            .lo = hal_option_number(L, range, "column_lo", -INFINITY),
            .hi = hal_option_number(L, range, "column_hi", INFINITY),
        };
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    a->n_outer = (int)n;
}

hal_ask hal_arg_ask(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    if (!lua_istable(L, index))
        hal_bind_fail(L, HAL_E_USAGE, "an ask of plan:next is needed, not %s",
                      luaL_typename(L, index));
    hal_ask a = {
        .id = option_count(L, index, "id"),
        .whole = hal_option_boolean(L, index, "whole", false),
        .by_centre = hal_option_boolean(L, index, "by_centre", false),
        .by_key = hal_option_boolean(L, index, "by_key", false),
        .no_position = hal_option_boolean(L, index, "no_position", false),
        .column = (int)hal_option_integer(L, index, "column_index", 0),
        .column_null = hal_option_boolean(L, index, "column_null", false),
        .column_lo = hal_option_number(L, index, "column_lo", -INFINITY),
        .column_hi = hal_option_number(L, index, "column_hi", INFINITY),
        .page = hal_option_integer(L, index, "page", 0),
        .first_target = option_count(L, index, "first_target"),
        .n_targets = option_count(L, index, "n_targets"),
        .ra_min_deg = hal_option_number(L, index, "ra_min", NAN),
        .ra_max_deg = hal_option_number(L, index, "ra_max", NAN),
        .dec_min_deg = hal_option_number(L, index, "dec_min", NAN),
        .dec_max_deg = hal_option_number(L, index, "dec_max", NAN),
    };
    sub_table(L, index, "tile");
    a.tile =
        (hal_tile){hal_option_integer(L, -1, "ra", -1), hal_option_integer(L, -1, "width", 0),
                   hal_option_integer(L, -1, "dec_lo", 0), hal_option_integer(L, -1, "dec_hi", 0)};
    sub_table(L, index, "cone");
    a.cone = (hal_cone){hal_option_number(L, -1, "ra", NAN), hal_option_number(L, -1, "dec", NAN),
                        hal_option_number(L, -1, "radius", NAN)};
    lua_pop(L, 2);
    read_outer(L, index, &a);
    return a;
}

size_t hal_arg_densities(lua_State *L, int index)
{
    enum { MOST = 100000 };
    uint64_t most = hal_arg_count(L, index, "densities: most");
    return most < MOST ? (size_t)most : MOST;
}

void hal_push_densities(lua_State *L, const hal_plan_density *d, size_t n)
{
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_createtable(L, 0, 4);
        hal_set_number(L, "ra", d[i].ra_deg);
        hal_set_number(L, "dec", d[i].dec_deg);
        hal_set_number(L, "radius", d[i].radius_deg);
        hal_set_number(L, "rows_per_sr", d[i].rows_per_sr);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/* --- What came of it ----------------------------------------------------------------------------
 */

hal_verdict hal_arg_failure(lua_State *L, int index, hal_err *why)
{
    static const char *const names[] = {[HAL_VERDICT_OVER] = "over",
                                        [HAL_VERDICT_AMBIGUOUS] = "ambiguous",
                                        [HAL_VERDICT_TRANSIENT] = "transient",
                                        [HAL_VERDICT_STALLED] = "stalled",
                                        [HAL_VERDICT_FATAL] = "fatal"};
    const char *verdict = hal_arg_text(L, index, "failed: verdict");
    int v = HAL_VERDICT_FATAL;
    while (v >= 0 && strcmp(names[v], verdict) != 0)
        v--;
    if (v < 0)
        hal_bind_fail(L, HAL_E_USAGE,
                      "failed: \"%.40s\" is not over, ambiguous, transient, stalled or fatal",
                      verdict);
    *why = HAL_ERR_INIT;
    if (lua_isnoneornil(L, index + 1))
        hal_err_set(why, HAL_E_ARCHIVE, "the request failed (%s)", verdict);
    else
        hal_error_from_lua(L, index + 1, why);
    return (hal_verdict)v;
}

void hal_push_account(lua_State *L, const hal_account *account)
{
    static const char *const states[] = {[HAL_PLAN_RUNNING] = "running",
                                         [HAL_PLAN_COMPLETE] = "complete",
                                         [HAL_PLAN_COMPLETE_EXCEPT] = "complete except",
                                         [HAL_PLAN_PARTIAL] = "partial",
                                         [HAL_PLAN_FAILED] = "failed"};
    hal_account a = *account;
    lua_createtable(L, 0, 23);
    hal_set_text(L, "state", states[a.state]);
    hal_set_integer(L, "tiles_done", (int64_t)a.tiles_done);
    hal_set_integer(L, "tiles_known", (int64_t)a.tiles_known);
    hal_set_integer(L, "requests", (int64_t)a.requests);
    hal_set_integer(L, "over", (int64_t)a.over);
    hal_set_integer(L, "ambiguous", (int64_t)a.ambiguous);
    hal_set_integer(L, "transient", (int64_t)a.transient);
    hal_set_integer(L, "refused", (int64_t)a.refused);
    hal_set_integer(L, "probes", (int64_t)a.probes);
    hal_set_integer(L, "counts", (int64_t)a.counts);
    hal_set_integer(L, "rows_returned", (int64_t)a.rows_returned);
    hal_set_integer(L, "rows_kept", (int64_t)a.rows_kept);
    if (a.rows_counted >= 0)
        hal_set_integer(L, "rows_counted", a.rows_counted);
    if (a.rows_expected >= 0)
        hal_set_number(L, "rows_expected", a.rows_expected);
    hal_set_number(L, "overshoot_arcsec", a.overshoot_arcsec);
    hal_set_integer(L, "lower_bound", (int64_t)a.lower_bound);
    hal_set_integer(L, "requests_max", (int64_t)a.requests_max);
    hal_set_integer(L, "n_stuck", (int64_t)a.n_stuck);
    hal_set_integer(L, "histograms", (int64_t)a.histograms);
    hal_set_integer(L, "rows_unreachable", a.rows_unreachable);
    hal_set_number(L, "cap_rows", a.cap_rows);
    hal_set_number(L, "guard_needed_arcsec", a.guard_needed_arcsec);
}
