/* SPDX-License-Identifier: BSD-3-Clause */
/* halyard.core.harvest: the rows that tiles own, spooled and merged in canonical order. */
#include "bind/bind.h"

#include "base/alloc.h"
#include "bind/args.h"
#include "bind/objects.h"
#include "bind/op.h"
#include "bind/plan_args.h"
#include "host/harvest.h"

#include <lauxlib.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>

static const char harvest_name[] = "halyard.harvest";

hal_harvest *hal_arg_harvest(lua_State *L, int index)
{
    hal_harvest **slot = luaL_testudata(L, index, harvest_name);
    if (!slot)
        hal_bind_fail(L, HAL_E_USAGE, "a harvest is needed here, not %s", luaL_typename(L, index));
    if (!*slot)
        hal_bind_fail(L, HAL_E_USAGE, "the harvest is closed");
    return *slot;
}

static hal_harvest *self(lua_State *L)
{
    return hal_arg_harvest(L, 1);
}

/* new{dir =, region =, ra =, dec =, id =, footprints =, nullable =, targets =, lasting =,
 * last_file =} */
static int new_harvest(lua_State *L)
{
    static const char *const known[] = {"dir",     "region",     "ra",       "dec",
                                        "id",      "footprints", "nullable", "targets",
                                        "lasting", "last_file",  NULL};
    hal_options_check(L, 1, known, "harvest.new");
    lua_settop(L, 1);
    hal_option_require(L, 1, "dir", "harvest.new");
    hal_option_require(L, 1, "region", "harvest.new");
    lua_getfield(L, 1, "region");
    lua_getfield(L, 1, "targets");
    hal_harvest_config config = {
        .ra = hal_option_text(L, 1, "ra", NULL),
        .dec = hal_option_text(L, 1, "dec", NULL),
        .id = hal_option_text(L, 1, "id", NULL),
        .region = hal_arg_region(L, 2, "harvest.new: region"),
        .footprints = hal_option_boolean(L, 1, "footprints", false),
        .nullable = hal_option_boolean(L, 1, "nullable", false),
        .targets = lua_isnil(L, 3) ? NULL : hal_arg_targets(L, 3),
        .lasting = hal_option_boolean(L, 1, "lasting", false),
        .last_file = (uint64_t)hal_option_integer(L, 1, "last_file", 0),
    };
    if (!config.ra != !config.dec)
        return hal_bind_fail(L, HAL_E_USAGE, "harvest.new: both ra and dec, or neither");
    config.dir = hal_output_folder(L, hal_option_text(L, 1, "dir", NULL));
    hal_harvest **slot = lua_newuserdatauv(L, sizeof *slot, 0);
    *slot = NULL;
    luaL_setmetatable(L, harvest_name);
    hal_err err = HAL_ERR_INIT;
    if (!(*slot = hal_harvest_new(&config, &err)))
        return hal_raise(L, &err);
    return 1;
}

static int harvest_close(lua_State *L)
{
    hal_harvest **slot = luaL_checkudata(L, 1, harvest_name);
    hal_harvest *h = *slot;
    *slot = NULL;
    hal_harvest_unref(h);
    return 0;
}

/* --- tile ---------------------------------------------------------------------------------------
 */

typedef struct tile_op {
    hal_op op;
    hal_harvest *harvest;
    hal_table *table;
    hal_ask ask;
    char *columns[HAL_PLAN_COLUMNS]; /* that the ask has ranges of */
    double asked_s;
    hal_gathered gathered;
} tile_op;

static void tile_clear(hal_op *op)
{
    tile_op *t = (tile_op *)op;
    for (int i = 0; i < HAL_PLAN_COLUMNS; i++)
        hal_free(t->columns[i]);
    hal_table_unref(t->table);
    hal_harvest_unref(t->harvest);
}

static void tile_run(hal_op *op)
{
    tile_op *t = (tile_op *)op;
    const char *const *columns = t->columns[0] ? (const char *const *)t->columns : NULL;
    op->err.status =
        hal_harvest_gather(t->harvest, &t->ask, columns, t->table, &t->gathered, &op->err);
}

static void tile_ended(hal_op *op)
{
    tile_op *t = (tile_op *)op;
    if (!op->err.status)
        op->err.status = hal_harvest_adopt(t->harvest, &t->ask, &t->gathered, t->asked_s, &op->err);
}

static int tile_push(lua_State *L, hal_op *op)
{
    const hal_gathered *g = &((tile_op *)op)->gathered;
    lua_createtable(L, 0, 7);
    hal_set_integer(L, "returned", (int64_t)g->returned);
    hal_set_integer(L, "kept", (int64_t)g->kept);
    hal_set_integer(L, "kept_bytes", (int64_t)g->kept_bytes);
    hal_set_number(L, "printed_deg", g->printed_deg);
    hal_set_number(L, "overshoot_deg", g->overshoot_deg);
    hal_set_integer(L, "file", (int64_t)g->file);
    hal_set_integer(L, "file_bytes", (int64_t)g->file_bytes);
    return 1;
}

static void take_column(lua_State *L, int index, char **out)
{
    const char *name = hal_option_text(L, index, "column", NULL);
    if (name && !(*out = hal_strdup(name)))
        hal_bind_fail(L, HAL_E_NOMEM, "no memory left");
}

/* tile(ask, table, asked_s or nil) -> {returned, kept, kept_bytes, printed_deg, overshoot_deg,
 * file, file_bytes} */
static int harvest_tile(lua_State *L)
{
    hal_harvest *h = self(L);
    lua_settop(L, 4);
    hal_ask ask = hal_arg_ask(L, 2);
    hal_table *table = hal_arg_table(L, 3, "tile: rows");
    double asked_s = lua_isnil(L, 4) ? 0.0 : hal_arg_number(L, 4, "tile: asked_s");
    const char *form = hal_option_text(L, 2, "form", "");
    ask.as_box = !strcmp(form, "box");
    if (!ask.as_box && strcmp(form, "cone") != 0)
        return hal_bind_fail(L, HAL_E_USAGE, "tile: form is \"box\" or \"cone\", not \"%.40s\"",
                             form);
    tile_op *t = hal_op_new(L, sizeof *t);
    t->op.clear = tile_clear;
    t->op.run = tile_run;
    t->op.ended = tile_ended;
    t->op.push = tile_push;
    t->harvest = hal_harvest_ref(h);
    t->table = hal_table_ref(table);
    t->asked_s = asked_s;
    t->ask = ask;
    take_column(L, 2, &t->columns[0]);
    if (ask.n_outer)
        lua_getfield(L, 2, "outer");
    for (int i = 0; i < ask.n_outer; i++) {
        lua_rawgeti(L, -1, i + 1);
        take_column(L, lua_gettop(L), &t->columns[i + 1]);
        if (!t->columns[i + 1] || !t->columns[0])
            return hal_bind_fail(L, HAL_E_USAGE, "tile: a range without a column");
        lua_pop(L, 1);
    }
    return hal_op_run(L, &t->op);
}

/* --- adopt --------------------------------------------------------------------------------------
 */

static void adopt_run(hal_op *op)
{
    tile_op *t = (tile_op *)op;
    op->err.status = hal_harvest_check(t->harvest, &t->gathered, &op->err);
}

static int adopt_push(lua_State *L, hal_op *op)
{
    (void)L;
    (void)op;
    return 0;
}

/* adopt(ask, {kept, file, file_bytes, began}): the file of an earlier harvest counts as the ask's;
 * raises when it is not as it was written */
static int harvest_adopt(lua_State *L)
{
    hal_harvest *h = self(L);
    lua_settop(L, 3);
    hal_ask ask = hal_arg_ask(L, 2);
    tile_op *t = hal_op_new(L, sizeof *t);
    t->op.clear = tile_clear;
    t->op.run = adopt_run;
    t->op.ended = tile_ended;
    t->op.push = adopt_push;
    t->asked_s = hal_option_number(L, 3, "began", 0.0);
    t->gathered.kept = (uint64_t)hal_option_integer(L, 3, "kept", 0);
    t->gathered.file = (uint64_t)hal_option_integer(L, 3, "file", 0);
    t->gathered.file_bytes = (uint64_t)hal_option_integer(L, 3, "file_bytes", 0);
    t->harvest = hal_harvest_ref(h);
    t->ask = ask;
    return hal_op_run(L, &t->op);
}

static int harvest_drop(lua_State *L)
{
    hal_harvest *h = self(L);
    hal_harvest_drop(h, (uint64_t)hal_arg_integer(L, 2, "drop: ask id"));
    return 0;
}

/* --- settle -------------------------------------------------------------------------------------
 */

typedef struct settle_op {
    hal_op op;
    hal_harvest *harvest;
    bool drop;
    hal_repeats_report old;
    atomic_bool cancelled;
} settle_op;

static void settle_clear(hal_op *op)
{
    settle_op *s = (settle_op *)op;
    hal_repeats_report_clear(&s->old);
    hal_harvest_unref(s->harvest);
}

static void settle_cancel(hal_op *op)
{
    atomic_store(&((settle_op *)op)->cancelled, true);
}

static void settle_run(hal_op *op)
{
    settle_op *s = (settle_op *)op;
    op->err.status = hal_harvest_settle(s->harvest, s->drop, &s->cancelled, &s->old, &op->err);
}

static int settle_push(lua_State *L, hal_op *op)
{
    const hal_repeats_report *old = &((settle_op *)op)->old;
    lua_createtable(L, 0, 3);
    hal_set_integer(L, "rows", (int64_t)old->n_old);
    hal_set_text(L, "repeated", old->repeated);
    lua_createtable(L, (int)old->n_named, 0);
    for (size_t i = 0; i < old->n_named; i++) {
        const hal_repeats_row *row = &old->named[i];
        lua_createtable(L, 0, 3);
        hal_set_text(L, "key", row->id);
        if (!isnan(row->ra) && !isnan(row->dec)) {
            hal_set_number(L, "ra", row->ra);
            hal_set_number(L, "dec", row->dec);
        }
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "named");
    return 1;
}

/* settle(drop) -> nil where changed rows cannot be told, or {rows, named (the first: {key, ra,
 * dec}), repeated (a key that repeats within one answer, then none is old)}: older copies of rows
 * that came with several answers; with `drop` they do not count any more */
static int harvest_settle(lua_State *L)
{
    hal_harvest *h = self(L);
    bool drop = lua_toboolean(L, 2);
    if (!hal_harvest_tells_changes(h))
        return 0;
    settle_op *s = hal_op_new(L, sizeof *s);
    s->op.clear = settle_clear;
    s->op.cancel = settle_cancel;
    s->op.run = settle_run;
    s->op.push = settle_push;
    s->harvest = hal_harvest_ref(h);
    s->drop = drop;
    return hal_op_run(L, &s->op);
}

/* --- merge --------------------------------------------------------------------------------------
 */

enum { PROGRESS_MS = 250 };

typedef struct merge_op {
    hal_op op;
    hal_harvest *harvest;
    hal_host *host;
    hal_sheaf sheaf;
    char *path; /* NULL: into `table` */
    hal_format format;
    hal_table *table;
    hal_merge_report report;
    atomic_bool cancelled;
    _Atomic uint64_t rows_done;
    hal_timer *timer;
} merge_op;

static void merge_clear(hal_op *op)
{
    merge_op *m = (merge_op *)op;
    hal_sheaf_clear(&m->sheaf);
    hal_table_unref(m->table);
    hal_free(m->path);
    hal_harvest_unref(m->harvest);
}

static void merge_cancel(hal_op *op)
{
    atomic_store(&((merge_op *)op)->cancelled, true);
}

static void merge_run(hal_op *op)
{
    merge_op *m = (merge_op *)op;
    op->err.status = hal_harvest_merge(m->harvest, &m->sheaf, m->path, m->format, &m->table,
                                       &m->cancelled, &m->rows_done, &m->report, &op->err);
}

static void merge_tell(void *ctx)
{
    merge_op *m = ctx;
    char json[128];
    snprintf(json, sizeof json, "{\"stage\":\"merge\",\"rows\":%llu,\"rows_expected\":%llu}",
             (unsigned long long)atomic_load(&m->rows_done), (unsigned long long)m->sheaf.rows);
    hal_host_emit(m->host, "progress", json);
    m->timer = hal_timer_start(hal_host_loop(m->host), PROGRESS_MS, merge_tell, m, NULL);
}

static void merge_ended(hal_op *op)
{
    merge_op *m = (merge_op *)op;
    hal_timer_cancel(m->timer);
    m->timer = NULL;
}

static int merge_push(lua_State *L, hal_op *op)
{
    merge_op *m = (merge_op *)op;
    if (!m->path) {
        hal_table **slot = hal_table_push(L);
        *slot = m->table;
        m->table = NULL;
        hal_table_pushed(L, NULL);
    }
    for (const char *line = m->report.warnings; *line;) {
        size_t n = strcspn(line, "\n");
        hal_host_log(m->host, "warning", lua_pushlstring(L, line, n));
        lua_pop(L, 1);
        line += n + 1;
    }
    lua_createtable(L, 0, 3);
    hal_set_integer(L, "rows", (int64_t)m->report.rows);
    hal_set_integer(L, "duplicates", (int64_t)m->report.duplicates);
    if (m->path)
        hal_set_integer(L, "bytes", (int64_t)m->report.size_bytes);
    return m->path ? 1 : 2;
}

static merge_op *push_merge(lua_State *L, hal_harvest *h)
{
    merge_op *m = hal_op_new(L, sizeof *m);
    m->op.clear = merge_clear;
    m->op.cancel = merge_cancel;
    m->op.run = merge_run;
    m->op.ended = merge_ended;
    m->op.push = merge_push;
    m->harvest = hal_harvest_ref(h);
    m->host = hal_host_of(L);
    hal_err err = HAL_ERR_INIT;
    if (hal_harvest_sheaf(h, &m->sheaf, &err))
        hal_raise(L, &err);
    return m;
}

static hal_status merge_start(hal_op *op, hal_loop *loop, hal_err *err)
{
    merge_op *m = (merge_op *)op;
    hal_status st = hal_op_post(op, loop, err);
    if (!st)
        m->timer = hal_timer_start(loop, PROGRESS_MS, merge_tell, m, NULL);
    return st;
}

/* merge(path, format) -> {rows, duplicates, bytes} */
static int harvest_merge(lua_State *L)
{
    hal_harvest *h = self(L);
    lua_settop(L, 3);
    const char *path = hal_output_path(L, hal_arg_text(L, 2, "merge: path"));
    const char *format = lua_isnoneornil(L, 3) ? "csv" : hal_arg_text(L, 3, "merge: format");
    merge_op *m = push_merge(L, h);
    hal_err err = HAL_ERR_INIT;
    if (hal_format_from_name(&m->format, format, &err))
        return hal_raise(L, &err);
    if (!(m->path = hal_strdup(path)))
        return hal_bind_fail(L, HAL_E_NOMEM, "no memory left");
    return hal_op_wait(L, &m->op, merge_start);
}

/* table() -> the merged rows in memory, {rows, duplicates} */
static int harvest_table(lua_State *L)
{
    return hal_op_wait(L, &push_merge(L, self(L))->op, merge_start);
}

/* --- ids ----------------------------------------------------------------------------------------
 */

typedef struct ids_op {
    hal_op op;
    hal_harvest *harvest;
    hal_region *region;
    hal_table *table; /* NULL: of the rows that were kept */
    hal_sheaf sheaf;
    hal_table *ids;
} ids_op;

static void ids_clear(hal_op *op)
{
    ids_op *o = (ids_op *)op;
    hal_table_unref(o->ids);
    hal_table_unref(o->table);
    hal_sheaf_clear(&o->sheaf);
    hal_region_unref(o->region);
    hal_harvest_unref(o->harvest);
}

static void ids_run(hal_op *op)
{
    ids_op *o = (ids_op *)op;
    o->ids = o->table ? hal_harvest_ids(o->harvest, o->region, o->table, &op->err)
                      : hal_harvest_sheaf_ids(o->harvest, o->region, &o->sheaf, &op->err);
    if (!o->ids && !op->err.status)
        hal_err_nomem(&op->err, 0);
}

static int ids_push(lua_State *L, hal_op *op)
{
    ids_op *o = (ids_op *)op;
    hal_table **slot = hal_table_push(L);
    *slot = o->ids;
    o->ids = NULL;
    return hal_table_pushed(L, NULL);
}

/* ids(region, table or nil) -> table of the identifiers of the rows in the region: of those of the
 * table, or of those that were kept */
static int harvest_ids(lua_State *L)
{
    hal_harvest *h = self(L);
    lua_settop(L, 3);
    hal_region *region = hal_arg_region(L, 2, "ids: region");
    hal_table *table = lua_isnil(L, 3) ? NULL : hal_arg_table(L, 3, "ids: rows");
    ids_op *o = hal_op_new(L, sizeof *o);
    o->op.clear = ids_clear;
    o->op.run = ids_run;
    o->op.push = ids_push;
    o->harvest = hal_harvest_ref(h);
    o->region = hal_region_ref(region);
    o->table = table ? hal_table_ref(table) : NULL;
    hal_err err = HAL_ERR_INIT;
    if (!table && hal_harvest_sheaf_at(h, region, &o->sheaf, &err))
        return hal_raise(L, &err);
    return hal_op_run(L, &o->op);
}

static int harvest_tostring(lua_State *L)
{
    hal_harvest **slot = luaL_checkudata(L, 1, harvest_name);
    lua_pushstring(L, *slot ? "harvest" : "harvest (closed)");
    return 1;
}

int hal_open_harvest(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"tile", harvest_tile},     {"adopt", harvest_adopt}, {"drop", harvest_drop},
        {"settle", harvest_settle}, {"merge", harvest_merge}, {"table", harvest_table},
        {"ids", harvest_ids},       {"close", harvest_close}, {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__gc", harvest_close},
                                    {"__close", harvest_close},
                                    {"__tostring", harvest_tostring},
                                    {NULL, NULL}};
    static const luaL_Reg functions[] = {{"new", new_harvest}, {NULL, NULL}};
    if (luaL_newmetatable(L, harvest_name)) {
        luaL_setfuncs(L, meta, 0);
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
        hal_set_text(L, "__metatable", harvest_name);
    }
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
