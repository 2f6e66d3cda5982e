/* SPDX-License-Identifier: BSD-3-Clause */
/* halyard.core.plan: the tile plan (plan/plan.h has the contracts). Angles in degrees, borders of
 * tiles in ticks of 1e-7 degree.
 *
 * new(service, region, options) -> plan. `service` is the capability record: takes_box, takes_cone,
 * counts, histogram, over_is_slow, centre_columns, pos_nullable, null_test, order_key, key_unique
 * (booleans, absent: false), match ("point", "footprint"; absent: point), cap, pos_quantum_deg,
 * radius_max_deg, radius_decimals, guard_arcsec (numbers), alt_split: an array of up to 4 columns {
 * name, decimals, rounded, nullable, null_test, min, max }. `options`: window, requests_max,
 * rows_max, known_rows, count_failed, prior (array of { ra, dec, radius, rows_per_sr }, as
 * plan:densities gives).
 *
 * An ask is a table: id, kind ("fetch", "count", "probe", "histogram"), form ("box", "cone"),
 * whole, by_centre, by_key, no_position, attempt, ra_min, ra_max, dec_min, dec_max,
 * cone = { ra, dec, radius }, tile, predicted_rows; with a column range: column (its name),
 * column_index, column_null, or column_min, column_max, column_lo, column_hi (absent: open), and
 * where other columns have ranges as well outer: an array of the same; paged: page, series,
 * page_rows; a histogram: order; of halyard.core.groups: first_target, n_targets.
 * owns_value(ask, value or nil) -> boolean.
 *
 * Methods: next, complete, counted, histogram, failed, page_is_full, printed, account, error,
 * stuck, leaves, findings, explain, densities, close. */
#include "bind/bind.h"

#include "base/alloc.h"
#include "bind/args.h"
#include "bind/objects.h"
#include "bind/plan_args.h"
#include "host/host.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

static const char plan_name[] = "halyard.plan";

hal_plan *hal_arg_plan(lua_State *L, int index)
{
    hal_plan **slot = luaL_testudata(L, index, plan_name);
    if (!slot)
        hal_bind_fail(L, HAL_E_USAGE, "a tile plan is needed here, not %s",
                      luaL_typename(L, index));
    if (!*slot)
        hal_bind_fail(L, HAL_E_USAGE, "the tile plan is closed");
    return *slot;
}

static hal_plan *self(lua_State *L)
{
    return hal_arg_plan(L, 1);
}

/* new(service, region, options) */
static int new_plan(lua_State *L)
{
    lua_settop(L, 3);
    if (lua_isnil(L, 3)) {
        lua_newtable(L);
        lua_replace(L, 3);
    }
    hal_service service = hal_arg_service(L, 1);
    hal_region *region = hal_arg_region(L, 2, "plan.new: region");
    hal_plan_options options = hal_arg_plan_options(L, 3);
    hal_plan **slot = lua_newuserdatauv(L, sizeof *slot, 0);
    *slot = NULL;
    luaL_setmetatable(L, plan_name);
    hal_err err = HAL_ERR_INIT;
    if (!(*slot = hal_plan_new(&service, region, &options, &err)))
        return hal_raise(L, &err);
    return 1;
}

static int plan_close(lua_State *L)
{
    hal_plan **slot = luaL_checkudata(L, 1, plan_name);
    hal_plan *plan = *slot;
    *slot = NULL;
    hal_plan_free(plan);
    return 0;
}

/* --- Asks ---------------------------------------------------------------------------------------
 */

/* next() -> as hal_push_next */
static int plan_next(lua_State *L)
{
    hal_plan *plan = self(L);
    int64_t now = hal_now_ns(L), until = INT64_MAX;
    hal_ask ask;
    hal_next next = hal_plan_next(plan, now, &ask, &until);
    return hal_push_next(L, next, &ask, plan, until, now);
}

/* complete(id, returned, kept, overshoot_deg) -> accepted */
static int plan_complete(lua_State *L)
{
    hal_plan *plan = self(L);
    uint64_t id = hal_arg_count(L, 2, "complete: id");
    uint64_t returned = hal_arg_count(L, 3, "complete: rows returned");
    uint64_t kept = hal_arg_count(L, 4, "complete: rows kept");
    double overshoot = hal_arg_number(L, 5, "complete: overshoot");
    bool accepted = false;
    hal_err err = HAL_ERR_INIT;
    if (hal_plan_complete(plan, id, returned, kept, overshoot, &accepted, &err))
        return hal_raise(L, &err);
    lua_pushboolean(L, accepted);
    return 1;
}

static int plan_counted(lua_State *L)
{
    hal_plan *plan = self(L);
    uint64_t id = hal_arg_count(L, 2, "counted: id");
    hal_err err = HAL_ERR_INIT;
    if (hal_plan_counted(plan, id, hal_arg_count(L, 3, "counted: rows"), &err))
        return hal_raise(L, &err);
    return 0;
}

/* The i-th integer of the array at `index`, not negative. */
static uint64_t element(lua_State *L, int index, size_t i, const char *what)
{
    int is_integer;
    lua_rawgeti(L, index, (lua_Integer)i + 1);
    lua_Integer n = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer || n < 0)
        hal_bind_fail(L, HAL_E_USAGE, "histogram: %s %zu is not a number of rows or cell", what,
                      i + 1);
    lua_pop(L, 1);
    return (uint64_t)n;
}

/* histogram(id, cells, rows): two arrays of the same length */
static int plan_histogram(lua_State *L)
{
    hal_plan *plan = self(L);
    uint64_t id = hal_arg_count(L, 2, "histogram: id");
    if (!lua_istable(L, 3) || !lua_istable(L, 4) || lua_rawlen(L, 3) != lua_rawlen(L, 4))
        hal_bind_fail(L, HAL_E_USAGE, "histogram: an array of cells and one of as many rows");
    size_t n = (size_t)lua_rawlen(L, 3), k = 0;
    hal_plan_cell cells[256];
    hal_err err = HAL_ERR_INIT;
    for (size_t i = 0; i < n; i++) {
        cells[k++] = (hal_plan_cell){element(L, 3, i, "cell"), element(L, 4, i, "count")};
        bool full = k == sizeof cells / sizeof *cells || i + 1 == n;
        if (full && hal_plan_cells(plan, id, cells, k, &err))
            return hal_raise(L, &err);
        k = full ? 0 : k;
    }
    if (hal_plan_histogram(plan, id, &err))
        return hal_raise(L, &err);
    return 0;
}

/* page_is_full(id, returned) -> boolean */
static int plan_page_is_full(lua_State *L)
{
    const hal_plan *plan = self(L);
    uint64_t id = hal_arg_count(L, 2, "page_is_full: id");
    lua_pushboolean(L, hal_plan_page_is_full(plan, id, hal_arg_count(L, 3, "page_is_full: rows")));
    return 1;
}

/* printed(quantum_deg) */
static int plan_printed(lua_State *L)
{
    hal_plan *plan = self(L);
    hal_err err = HAL_ERR_INIT;
    if (hal_plan_printed(plan, hal_arg_number(L, 2, "printed: step in degrees"), &err))
        return hal_raise(L, &err);
    return 0;
}

/* owns_value(ask, value or nil) -> boolean */
static int owns_value(lua_State *L)
{
    hal_ask ask = hal_arg_ask(L, 1);
    bool is_null = lua_isnoneornil(L, 2);
    double value = is_null ? NAN : hal_arg_number(L, 2, "owns_value: value");
    lua_pushboolean(L, hal_ask_owns_value(&ask, value, is_null));
    return 1;
}

/* failed(id, verdict, error object, long ago): what failed long ago is not waited for */
static int plan_failed(lua_State *L)
{
    hal_plan *plan = self(L);
    uint64_t id = hal_arg_count(L, 2, "failed: id");
    hal_err why, err = HAL_ERR_INIT;
    hal_verdict verdict = hal_arg_failure(L, 3, &why);
    if (hal_plan_failed(plan, id, verdict, hal_arg_when_ns(L, 5), &why, &err))
        return hal_raise(L, &err);
    return 0;
}

/* --- What became of it --------------------------------------------------------------------------
 */

static int plan_account(lua_State *L)
{
    hal_account a;
    hal_plan_account(self(L), &a);
    hal_push_account(L, &a);
    return 1;
}

/* The plan's error as an object, or nil while it runs and when it is complete. */
static int plan_error(lua_State *L)
{
    hal_err err = HAL_ERR_INIT;
    if (hal_plan_error(self(L), &err))
        hal_push_error(L, &err);
    else
        lua_pushnil(L);
    return 1;
}

/* Borders in degrees; ra_min > ra_max crosses 0, a full circle is 0 to 360. */
static void push_borders(lua_State *L, const hal_tile *t)
{
    int64_t east = t->ra + t->width;
    lua_createtable(L, 0, 8);
    hal_set_number(L, "ra_min", hal_tick_deg(t->ra));
    hal_set_number(L, "ra_max",
                   hal_tick_deg(east > HAL_TICKS_CIRCLE ? east - HAL_TICKS_CIRCLE : east));
    hal_set_number(L, "dec_min", hal_tick_deg(t->dec_lo));
    hal_set_number(L, "dec_max", hal_tick_deg(t->dec_hi));
}

static int plan_stuck(lua_State *L)
{
    const hal_plan *plan = self(L);
    hal_tile tile;
    const char *why;
    lua_newtable(L);
    for (size_t i = 0; hal_plan_stuck(plan, i, &tile, &why); i++) {
        push_borders(L, &tile);
        hal_set_text(L, "why", why);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int plan_leaves(lua_State *L)
{
    const hal_plan *plan = self(L);
    size_t n = hal_plan_leaves(plan, NULL, 0);
    hal_leaf *leaves = lua_newuserdatauv(L, (n + 1) * sizeof *leaves, 0);
    hal_plan_leaves(plan, leaves, n);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        push_borders(L, &leaves[i].tile);
        hal_set_boolean(L, "done", leaves[i].done);
        hal_set_boolean(L, "no_position", leaves[i].no_position);
        if (leaves[i].column > 0) {
            hal_set_text(L, "column", hal_plan_column_name(plan, leaves[i].column));
            hal_set_border(L, "column_lo", leaves[i].column_lo);
            hal_set_border(L, "column_hi", leaves[i].column_hi);
        }
        hal_set_integer(L, "rows_returned", (int64_t)leaves[i].rows_returned);
        hal_set_integer(L, "rows_kept", (int64_t)leaves[i].rows_kept);
        if (leaves[i].predicted_rows >= 0)
            hal_set_number(L, "predicted_rows", leaves[i].predicted_rows);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int plan_findings(lua_State *L)
{
    const hal_plan *plan = self(L);
    const char *text;
    lua_newtable(L);
    for (size_t i = 0; (text = hal_plan_finding(plan, i)); i++) {
        lua_pushstring(L, text);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* explain() -> text, the form of its requests */
static int plan_explain(lua_State *L)
{
    enum { EXPLAIN_MAX = 16384 };
    const hal_plan *plan = self(L);
    hal_buf *text = hal_scratch(L, EXPLAIN_MAX);
    hal_err err = HAL_ERR_INIT;
    if (hal_plan_explain(plan, text, &err))
        return hal_raise(L, &err);
    lua_pushstring(L, hal_buf_text(text));
    lua_pushstring(L, hal_plan_form(plan));
    return 2;
}

/* densities(most) -> array of { ra, dec, radius, rows_per_sr } */
static int plan_densities(lua_State *L)
{
    const hal_plan *plan = self(L);
    size_t most = hal_arg_densities(L, 2);
    hal_plan_density *d = lua_newuserdatauv(L, (most + 1) * sizeof *d, 0);
    hal_push_densities(L, d, hal_plan_densities(plan, d, most));
    return 1;
}

static int plan_tostring(lua_State *L)
{
    hal_plan **slot = luaL_checkudata(L, 1, plan_name);
    if (!*slot) {
        lua_pushliteral(L, "tile plan (closed)");
        return 1;
    }
    hal_account a;
    hal_plan_account(*slot, &a);
    lua_pushfstring(L, "tile plan: %I of %I tiles done, %I rows kept", (LUAI_UACINT)a.tiles_done,
                    (LUAI_UACINT)a.tiles_known, (LUAI_UACINT)a.rows_kept);
    return 1;
}

int hal_open_plan(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"next", plan_next},       {"complete", plan_complete},
        {"counted", plan_counted}, {"histogram", plan_histogram},
        {"failed", plan_failed},   {"page_is_full", plan_page_is_full},
        {"printed", plan_printed}, {"account", plan_account},
        {"error", plan_error},     {"stuck", plan_stuck},
        {"leaves", plan_leaves},   {"findings", plan_findings},
        {"explain", plan_explain}, {"densities", plan_densities},
        {"close", plan_close},     {NULL, NULL}};
    static const luaL_Reg meta[] = {
        {"__gc", plan_close}, {"__close", plan_close}, {"__tostring", plan_tostring}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"new", new_plan}, {"owns_value", owns_value}, {NULL, NULL}};
    if (luaL_newmetatable(L, plan_name)) {
        luaL_setfuncs(L, meta, 0);
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
        hal_set_text(L, "__metatable", plan_name);
    }
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
