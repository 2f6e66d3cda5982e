/* SPDX-License-Identifier: BSD-3-Clause */
/* halyard.core.groups: lists of targets and the plan for one (plan/groups.h has the contracts).
 *
 * targets(table, ra or nil, dec or nil, radius) -> the list; radius as for a match. Its fields by
 * call: counts() -> rows of the table, targets; digest() -> text that no other list has.
 * new(service, targets, options) -> the plan, with the methods of a tile plan (halyard.core.plan):
 * next, complete, failed, page_is_full, printed, account, error, findings, stuck, densities, close;
 * and without(harvest) -> table of the rows without result: input_row, reason. */
#include "bind/bind.h"

#include "base/alloc.h"
#include "bind/args.h"
#include "bind/objects.h"
#include "bind/op.h"
#include "bind/plan_args.h"
#include "host/host.h"
#include "host/match.h"
#include "host/pairs.h"
#include "net/digest.h"
#include "plan/groups.h"

#include <lauxlib.h>
#include <string.h>

static const char targets_name[] = "halyard.targets";
static const char groups_name[] = "halyard.groups";

/* --- Targets ------------------------------------------------------------------------------------
 */

typedef struct targets_op {
    hal_op op;
    hal_table *table;
    char *ra, *dec, *radius;
    hal_targets *targets;
} targets_op;

static void targets_clear(hal_op *op)
{
    targets_op *o = (targets_op *)op;
    hal_table_unref(o->table);
    hal_targets_unref(o->targets);
    hal_free(o->ra);
    hal_free(o->dec);
    hal_free(o->radius);
}

static void targets_run(hal_op *op)
{
    targets_op *o = (targets_op *)op;
    size_t n = hal_table_rows(o->table);
    double *room = hal_malloc((3 * n + 1) * sizeof *room);
    if (!room) {
        hal_err_nomem(&op->err, (3 * n + 1) * sizeof *room);
        return;
    }
    double *ra = room, *dec = room + n, *radius = room + 2 * n;
    op->err.status =
        hal_table_read_places(o->table, o->ra, o->dec, o->radius, ra, dec, radius, &op->err);
    if (!op->err.status)
        o->targets = hal_targets_new(n, ra, dec, radius, &op->err);
    hal_free(room);
}

static int targets_push(lua_State *L, hal_op *op)
{
    targets_op *o = (targets_op *)op;
    hal_targets **slot = lua_newuserdatauv(L, sizeof *slot, 0);
    *slot = o->targets;
    o->targets = NULL;
    luaL_setmetatable(L, targets_name);
    return 1;
}

static char *copy_text(lua_State *L, int index, const char *what)
{
    if (lua_isnoneornil(L, index))
        return NULL;
    char *text = hal_strdup(hal_arg_text(L, index, what));
    if (!text)
        hal_bind_fail(L, HAL_E_NOMEM, "no memory left");
    return text;
}

static int new_targets(lua_State *L)
{
    lua_settop(L, 4);
    hal_table *table = hal_arg_table(L, 1, "targets");
    hal_arg_text(L, 4, "targets: radius");
    targets_op *o = hal_op_new(L, sizeof *o);
    o->op.clear = targets_clear;
    o->op.run = targets_run;
    o->op.push = targets_push;
    o->table = hal_table_ref(table);
    o->ra = copy_text(L, 2, "targets: ra");
    o->dec = copy_text(L, 3, "targets: dec");
    o->radius = copy_text(L, 4, "targets: radius");
    return hal_op_run(L, &o->op);
}

hal_targets *hal_arg_targets(lua_State *L, int index)
{
    hal_targets **slot = luaL_testudata(L, index, targets_name);
    if (!slot || !*slot)
        hal_bind_fail(L, HAL_E_USAGE, "a list of targets is needed here, not %s",
                      luaL_typename(L, index));
    return *slot;
}

static int targets_counts(lua_State *L)
{
    const hal_targets *t = hal_arg_targets(L, 1);
    lua_pushinteger(L, (lua_Integer)t->n_rows);
    lua_pushinteger(L, (lua_Integer)t->n);
    return 2;
}

/* SHA-256 of all that decides which rows belong to whom. */
static int targets_digest(lua_State *L)
{
    const hal_targets *t = hal_arg_targets(L, 1);
    char hex[HAL_SHA256_TEXT_SIZE];
    hal_err err = HAL_ERR_INIT;
    hal_sha256 *digest = hal_sha256_new(&err);
    const struct {
        const void *bytes;
        size_t size;
    } part[] = {{&t->n_rows, sizeof t->n_rows},
                {t->row, t->n * sizeof *t->row},
                {t->ra_deg, t->n * sizeof *t->ra_deg},
                {t->dec_deg, t->n * sizeof *t->dec_deg},
                {t->radius_deg, t->n * sizeof *t->radius_deg}};
    hal_status st = digest ? HAL_OK : err.status;
    for (size_t i = 0; i < sizeof part / sizeof *part && !st; i++)
        st = hal_sha256_add(digest, part[i].bytes, part[i].size, &err);
    if (!st)
        st = hal_sha256_text(digest, hex, &err);
    hal_sha256_free(digest);
    if (st)
        return hal_raise(L, &err);
    lua_pushstring(L, hex);
    return 1;
}

static int targets_close(lua_State *L)
{
    hal_targets **slot = luaL_checkudata(L, 1, targets_name);
    hal_targets *t = *slot;
    *slot = NULL;
    hal_targets_unref(t);
    return 0;
}

/* --- Groups -------------------------------------------------------------------------------------
 */

static hal_groups *self(lua_State *L)
{
    hal_groups **slot = luaL_testudata(L, 1, groups_name);
    if (!slot || !*slot)
        hal_bind_fail(L, HAL_E_USAGE, "a plan for targets is needed here, not %s",
                      luaL_typename(L, 1));
    return *slot;
}

static int new_groups(lua_State *L)
{
    lua_settop(L, 3);
    hal_service service = hal_arg_service(L, 1);
    hal_targets *targets = hal_arg_targets(L, 2);
    hal_plan_options options = hal_arg_plan_options(L, 3);
    hal_groups **slot = lua_newuserdatauv(L, sizeof *slot, 1);
    *slot = NULL;
    luaL_setmetatable(L, groups_name);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, -2, 1); /* for `without` */
    hal_err err = HAL_ERR_INIT;
    if (!(*slot = hal_groups_new(&service, targets, &options, &err)))
        return hal_raise(L, &err);
    return 1;
}

static int groups_close(lua_State *L)
{
    hal_groups **slot = luaL_checkudata(L, 1, groups_name);
    hal_groups *g = *slot;
    *slot = NULL;
    hal_groups_free(g);
    return 0;
}

static int groups_next(lua_State *L)
{
    hal_groups *g = self(L);
    int64_t now = hal_now_ns(L), until = INT64_MAX;
    hal_ask ask;
    hal_next next = hal_groups_next(g, now, &ask, &until);
    const hal_plan *plan = next == HAL_NEXT_ASK ? hal_groups_plan_of(g, ask.id) : NULL;
    return hal_push_next(L, next, &ask, plan, until, now);
}

static int groups_complete(lua_State *L)
{
    hal_groups *g = self(L);
    uint64_t id = hal_arg_count(L, 2, "complete: id");
    uint64_t returned = hal_arg_count(L, 3, "complete: rows returned");
    uint64_t kept = hal_arg_count(L, 4, "complete: pairs kept");
    bool accepted = false;
    hal_err err = HAL_ERR_INIT;
    if (hal_groups_complete(g, id, returned, kept, hal_arg_number(L, 5, "complete: overshoot"),
                            &accepted, &err))
        return hal_raise(L, &err);
    lua_pushboolean(L, accepted);
    return 1;
}

/* failed(id, verdict, error object, long ago): as of a tile plan */
static int groups_failed(lua_State *L)
{
    hal_groups *g = self(L);
    uint64_t id = hal_arg_count(L, 2, "failed: id");
    hal_err why, err = HAL_ERR_INIT;
    hal_verdict verdict = hal_arg_failure(L, 3, &why);
    if (hal_groups_failed(g, id, verdict, hal_arg_when_ns(L, 5), &why, &err))
        return hal_raise(L, &err);
    return 0;
}

static int groups_page_is_full(lua_State *L)
{
    const hal_groups *g = self(L);
    uint64_t id = hal_arg_count(L, 2, "page_is_full: id");
    lua_pushboolean(L, hal_groups_page_is_full(g, id, hal_arg_count(L, 3, "page_is_full: rows")));
    return 1;
}

static int groups_printed(lua_State *L)
{
    hal_groups *g = self(L);
    hal_err err = HAL_ERR_INIT;
    if (hal_groups_printed(g, hal_arg_number(L, 2, "printed: step in degrees"), &err))
        return hal_raise(L, &err);
    return 0;
}

static int groups_account(lua_State *L)
{
    hal_account a;
    hal_groups_account(self(L), &a);
    hal_push_account(L, &a);
    return 1;
}

static int groups_error(lua_State *L)
{
    hal_err err = HAL_ERR_INIT;
    if (hal_groups_error(self(L), &err))
        hal_push_error(L, &err);
    else
        lua_pushnil(L);
    return 1;
}

static int groups_findings(lua_State *L)
{
    const hal_groups *g = self(L);
    const char *text;
    lua_newtable(L);
    for (size_t i = 0; (text = hal_groups_finding(g, i)); i++) {
        lua_pushstring(L, text);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* What is missing at the end, for the account: { { targets =, why = } } or {}. */
static int groups_stuck(lua_State *L)
{
    const hal_groups *g = self(L);
    lua_getiuservalue(L, 1, 1);
    const hal_targets *t = hal_arg_targets(L, -1);
    lua_Integer n = 0;
    for (size_t i = 0; i < t->n; i++)
        n += !hal_groups_is_served(g, i);
    lua_newtable(L);
    if (n > 0) {
        lua_createtable(L, 0, 2);
        hal_set_integer(L, "targets", n);
        hal_set_text(L, "why", "not fetched, or not all of their rows");
        lua_rawseti(L, -2, 1);
    }
    return 1;
}

/* --- without ------------------------------------------------------------------------------------
 */

enum { ROW_UNASKED = HAL_TARGET_NO_RADIUS + 1 }; /* beside hal_target_lack */

typedef struct without_op {
    hal_op op;
    hal_sheaf sheaf;
    size_t n;
    unsigned char *lack, *found; /* of each row of the list */
    hal_table *table;
} without_op;

static void without_clear(hal_op *op)
{
    without_op *o = (without_op *)op;
    hal_sheaf_clear(&o->sheaf);
    hal_table_unref(o->table);
    hal_free(o->lack);
    hal_free(o->found);
}

static hal_status add_row(hal_builder *b, size_t row, const char *reason, hal_err *err)
{
    hal_status st = hal_builder_int64(b, 0, (int64_t)row + 1, err);
    if (!st)
        st = hal_builder_string(b, 1, hal_slice_of(reason), err);
    return st ? st : hal_builder_end_row(b, err);
}

static void without_run(hal_op *op)
{
    static const char *const reasons[] = {[HAL_TARGET_WHOLE] = "no row within the radius",
                                          [HAL_TARGET_NO_PLACE] = "no position",
                                          [HAL_TARGET_NO_RADIUS] = "no radius",
                                          [ROW_UNASKED] = "not fetched"};
    static const hal_field fields[] = {
        {.name = "input_row",
         .type = HAL_TYPE_INT64,
         .unit = "",
         .ucd = "meta.record",
         .description = "row of the list of targets, from 1"},
        {.name = "reason", .type = HAL_TYPE_STRING, .unit = "", .ucd = "", .description = ""}};
    without_op *o = (without_op *)op;
    hal_status st = hal_pairs_found(&o->sheaf, o->found, o->n, &op->err);
    hal_builder *b = st ? NULL : hal_builder_new(fields, 2, &op->err);
    st = b ? HAL_OK : op->err.status;
    for (size_t i = 0; i < o->n && !st; i++)
        if (!o->found[i])
            st = add_row(b, i, reasons[o->lack[i]], &op->err);
    if (!st && !(o->table = hal_builder_finish(b, &op->err)))
        st = HAL_E_NOMEM;
    hal_builder_free(b);
    op->err.status = st;
}

static int without_push(lua_State *L, hal_op *op)
{
    without_op *o = (without_op *)op;
    hal_table **slot = hal_table_push(L);
    *slot = o->table;
    o->table = NULL;
    return hal_table_pushed(L, NULL);
}

static int groups_without(lua_State *L)
{
    hal_groups *g = self(L);
    hal_harvest *h = hal_arg_harvest(L, 2);
    lua_getiuservalue(L, 1, 1);
    const hal_targets *t = hal_arg_targets(L, -1);
    without_op *o = hal_op_new(L, sizeof *o);
    o->op.clear = without_clear;
    o->op.run = without_run;
    o->op.push = without_push;
    o->n = t->n_rows;
    o->lack = hal_malloc(t->n_rows + 1);
    o->found = hal_calloc(t->n_rows + 1, 1);
    if (!o->lack || !o->found)
        return hal_bind_fail(L, HAL_E_NOMEM, "no memory left");
    memcpy(o->lack, t->lack, t->n_rows);
    for (size_t i = 0; i < t->n; i++)
        if (!hal_groups_is_served(g, i))
            o->lack[t->row[i]] = ROW_UNASKED;
    hal_err err = HAL_ERR_INIT;
    if (hal_harvest_sheaf(h, &o->sheaf, &err))
        return hal_raise(L, &err);
    return hal_op_run(L, &o->op);
}

static int groups_tostring(lua_State *L)
{
    hal_groups **slot = luaL_checkudata(L, 1, groups_name);
    lua_pushstring(L, *slot ? "plan for targets" : "plan for targets (closed)");
    return 1;
}

static int targets_tostring(lua_State *L)
{
    hal_targets **slot = luaL_checkudata(L, 1, targets_name);
    lua_pushstring(L, *slot ? "targets" : "targets (closed)");
    return 1;
}

/* densities(most) -> as of a tile plan, with those that it began with */
static int groups_densities(lua_State *L)
{
    const hal_groups *g = self(L);
    size_t most = hal_arg_densities(L, 2);
    hal_plan_density *d = lua_newuserdatauv(L, (most + 1) * sizeof *d, 0);
    hal_push_densities(L, d, hal_groups_densities(g, d, most));
    return 1;
}

static void add_type(lua_State *L, const char *name, const luaL_Reg *meta, const luaL_Reg *methods)
{
    if (luaL_newmetatable(L, name)) {
        luaL_setfuncs(L, meta, 0);
        lua_newtable(L);
        luaL_setfuncs(L, methods, 0);
        lua_setfield(L, -2, "__index");
        hal_set_text(L, "__metatable", name);
    }
    lua_pop(L, 1);
}

int hal_open_groups(lua_State *L)
{
    static const luaL_Reg groups_methods[] = {{"next", groups_next},
                                              {"complete", groups_complete},
                                              {"failed", groups_failed},
                                              {"page_is_full", groups_page_is_full},
                                              {"printed", groups_printed},
                                              {"account", groups_account},
                                              {"error", groups_error},
                                              {"findings", groups_findings},
                                              {"without", groups_without},
                                              {"stuck", groups_stuck},
                                              {"densities", groups_densities},
                                              {"close", groups_close},
                                              {NULL, NULL}};
    static const luaL_Reg groups_meta[] = {{"__gc", groups_close},
                                           {"__close", groups_close},
                                           {"__tostring", groups_tostring},
                                           {NULL, NULL}};
    static const luaL_Reg targets_methods[] = {{"counts", targets_counts},
                                               {"digest", targets_digest},
                                               {"close", targets_close},
                                               {NULL, NULL}};
    static const luaL_Reg targets_meta[] = {{"__gc", targets_close},
                                            {"__close", targets_close},
                                            {"__tostring", targets_tostring},
                                            {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"targets", new_targets}, {"new", new_groups}, {NULL, NULL}};
    add_type(L, groups_name, groups_meta, groups_methods);
    add_type(L, targets_name, targets_meta, targets_methods);
    luaL_newlib(L, functions);
    return 1;
}
