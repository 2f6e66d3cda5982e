/* SPDX-License-Identifier: BSD-3-Clause */
/* Regions in halyard.core.sky. What may take long (maps, files) is done by a worker. */
#include "base/alloc.h"
#include "bind/args.h"
#include "bind/objects.h"
#include "bind/op.h"
#include "host/files.h"
#include "host/host.h"
#include "host/moc_file.h"

#include <errno.h>
#include <lauxlib.h>
#include <unistd.h>

enum {
    MEMBERS_MAX = HAL_REGION_MEMBERS_MAX,
    ORDER_INLINE = 6,
    COLLECT_RANGES = 100000,
    TEXT_MAX = 16 << 20
};

static const char region_name[] = "halyard.region";

static hal_region **push_region(lua_State *L)
{
    hal_region **slot = lua_newuserdatauv(L, sizeof *slot, 0);
    *slot = NULL;
    luaL_setmetatable(L, region_name);
    return slot;
}

static int pushed(lua_State *L, hal_region *const *slot, const hal_err *err)
{
    if (!*slot)
        return hal_raise(L, err);
    /* The collector sees a few bytes of userdata, not the ranges behind it. */
    const hal_moc_range *range;
    const hal_moc *m = hal_region_get_moc(*slot);
    if (m && hal_moc_ranges(m, &range) > COLLECT_RANGES)
        lua_gc(L, LUA_GCCOLLECT);
    return 1;
}

hal_region *hal_arg_region(lua_State *L, int index, const char *what)
{
    hal_region **slot = luaL_testudata(L, index, region_name);
    if (!slot)
        hal_bind_fail(L, HAL_E_USAGE, "%s must be a region (sky.cone, sky.box, ...), not %s", what,
                      luaL_typename(L, index));
    if (!*slot)
        hal_bind_fail(L, HAL_E_USAGE, "%s is closed", what);
    return *slot;
}

/* --- shapes ---------------------------------------------------------------------------------- */

static int circle(lua_State *L)
{
    double ra = hal_arg_number(L, 1, "circle: ra"), dec = hal_arg_number(L, 2, "circle: dec");
    double radius = hal_arg_number(L, 3, "circle: radius");
    hal_region **slot = push_region(L);
    hal_err err = HAL_ERR_INIT;
    *slot = hal_region_circle(ra, dec, radius, &err);
    return pushed(L, slot, &err);
}

static int ellipse(lua_State *L)
{
    double v[5];
    for (int i = 0; i < 5; i++)
        v[i] = hal_arg_number(L, i + 1, "ellipse: each of ra, dec, the semi-axes and the angle");
    hal_region **slot = push_region(L);
    hal_err err = HAL_ERR_INIT;
    *slot = hal_region_ellipse(v[0], v[1], v[2], v[3], v[4], &err);
    return pushed(L, slot, &err);
}

static int box(lua_State *L)
{
    double v[4];
    for (int i = 0; i < 4; i++)
        v[i] = hal_arg_number(L, i + 1, "box: each of ra_min, ra_max, dec_min, dec_max");
    hal_region **slot = push_region(L);
    hal_err err = HAL_ERR_INIT;
    *slot = hal_region_box(v[0], v[1], v[2], v[3], &err);
    return pushed(L, slot, &err);
}

static int polygon(lua_State *L)
{
    enum { VERTICES_MAX = 10000 };
    if (!lua_istable(L, 1))
        return hal_bind_fail(L, HAL_E_USAGE, "polygon takes a list of {ra, dec}, not %s",
                             luaL_typename(L, 1));
    lua_Unsigned n = lua_rawlen(L, 1);
    if (n > VERTICES_MAX)
        return hal_bind_fail(L, HAL_E_USAGE, "polygon: at most %d vertices", VERTICES_MAX);
    double *v = lua_newuserdatauv(L, (2 * n + 1) * sizeof *v, 0);
    for (lua_Unsigned i = 0; i < n; i++) {
        if (lua_rawgeti(L, 1, (lua_Integer)i + 1) != LUA_TTABLE)
            return hal_bind_fail(L, HAL_E_USAGE, "polygon: vertex %d is not {ra, dec}", (int)i + 1);
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        v[i] = hal_arg_number(L, -2, "polygon: ra of a vertex");
        v[n + i] = hal_arg_number(L, -1, "polygon: dec of a vertex");
        lua_pop(L, 3);
    }
    hal_region **slot = push_region(L);
    hal_err err = HAL_ERR_INIT;
    *slot = hal_region_polygon(v, v + n, n, &err);
    return pushed(L, slot, &err);
}

static int all(lua_State *L)
{
    hal_region **slot = push_region(L);
    hal_err err = HAL_ERR_INIT;
    *slot = hal_region_all(&err);
    return pushed(L, slot, &err);
}

static int parse(lua_State *L)
{
    hal_slice text = hal_arg_slice(L, 1, "parse: region");
    hal_region **slot = push_region(L);
    hal_err err = HAL_ERR_INIT;
    *slot = hal_region_parse(text, &err);
    return pushed(L, slot, &err);
}

/* moc(text): ASCII or JSON */
static int moc(lua_State *L)
{
    hal_slice text = hal_arg_slice(L, 1, "moc: text");
    hal_region **slot = push_region(L);
    hal_err err = HAL_ERR_INIT;
    hal_moc *m = hal_moc_parse(text, &err);
    *slot = m ? hal_region_of_moc(m, &err) : NULL;
    hal_moc_unref(m);
    return pushed(L, slot, &err);
}

/* --- sets ------------------------------------------------------------------------------------ */

typedef hal_region *(*join_fn)(hal_region *const *members, size_t n, hal_err *err);

static int join_list(lua_State *L, join_fn join, const char *what)
{
    if (!lua_istable(L, 1))
        return hal_bind_fail(L, HAL_E_USAGE, "%s takes a list of regions, not %s", what,
                             luaL_typename(L, 1));
    lua_Unsigned n = lua_rawlen(L, 1);
    if (n > MEMBERS_MAX)
        return hal_bind_fail(L, HAL_E_BUDGET, "%s: at most %d regions", what, MEMBERS_MAX);
    hal_region **members = lua_newuserdatauv(L, (n + 1) * sizeof *members, 0);
    for (lua_Unsigned i = 0; i < n; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        members[i] = hal_arg_region(L, -1, what); /* the list holds it */
        lua_pop(L, 1);
    }
    hal_region **slot = push_region(L);
    hal_err err = HAL_ERR_INIT;
    *slot = join(members, n, &err);
    return pushed(L, slot, &err);
}

static int union_list(lua_State *L)
{
    return join_list(L, hal_region_union, "union");
}

static int intersection_list(lua_State *L)
{
    return join_list(L, hal_region_intersection, "intersection");
}

static int join_two(lua_State *L, join_fn join, const char *what)
{
    hal_region *members[] = {hal_arg_region(L, 1, what), hal_arg_region(L, 2, what)};
    hal_region **slot = push_region(L);
    hal_err err = HAL_ERR_INIT;
    *slot = join(members, 2, &err);
    return pushed(L, slot, &err);
}

static int region_add(lua_State *L)
{
    return join_two(L, hal_region_union, "region + region: each");
}

static int region_mul(lua_State *L)
{
    return join_two(L, hal_region_intersection, "region * region: each");
}

static hal_region *subtract(hal_region *const *members, size_t n, hal_err *err)
{
    (void)n;
    return hal_region_difference(members[0], members[1], err);
}

static int region_sub(lua_State *L)
{
    return join_two(L, subtract, "region - region: each");
}

static int complement(lua_State *L)
{
    hal_region *r = hal_arg_region(L, 1, "complement: region");
    hal_region **slot = push_region(L);
    hal_err err = HAL_ERR_INIT;
    *slot = hal_region_complement(r, &err);
    return pushed(L, slot, &err);
}

/* --- questions ------------------------------------------------------------------------------- */

static int contains(lua_State *L)
{
    const hal_region *r = hal_arg_region(L, 1, "region:contains: region");
    lua_pushboolean(L, hal_region_contains(r, hal_arg_number(L, 2, "region:contains: ra"),
                                           hal_arg_number(L, 3, "region:contains: dec")));
    return 1;
}

static int cone(lua_State *L)
{
    hal_cone c = hal_region_cone(hal_arg_region(L, 1, "region:cone: region"));
    lua_pushnumber(L, c.ra_deg);
    lua_pushnumber(L, c.dec_deg);
    lua_pushnumber(L, c.radius_deg);
    return 3;
}

static int is_circle(lua_State *L)
{
    hal_cone c;
    lua_pushboolean(L, hal_region_is_circle(hal_arg_region(L, 1, "region:is_circle: region"), &c));
    return 1;
}

/* area and the bound of its error, in square degrees */
static int area(lua_State *L)
{
    const double deg = 180.0 / 3.14159265358979323846;
    double error, sr = hal_region_area(hal_arg_region(L, 1, "region:area: region"), &error);
    lua_pushnumber(L, sr * deg * deg);
    lua_pushnumber(L, error * deg * deg);
    return 2;
}

static int region_tostring(lua_State *L)
{
    hal_region **slot = luaL_checkudata(L, 1, region_name);
    if (!*slot) {
        lua_pushliteral(L, "region (closed)");
        return 1;
    }
    hal_buf *text = hal_scratch(L, TEXT_MAX);
    hal_err err = HAL_ERR_INIT;
    if (hal_region_format(*slot, text, &err))
        return hal_raise(L, &err);
    lua_pushlstring(L, hal_buf_text(text), text->size_bytes);
    hal_buf_clear(text);
    return 1;
}

static int region_close(lua_State *L)
{
    hal_region **slot = luaL_checkudata(L, 1, region_name);
    hal_region *r = *slot;
    *slot = NULL;
    hal_region_unref(r);
    return 0;
}

/* --- maps and files -------------------------------------------------------------------------- */

typedef struct map_op {
    hal_op op;
    hal_region *region, *result;
    int order;
    hal_moc_form form;
    char *root, *path;
    size_t size_bytes;
} map_op;

static void map_clear(hal_op *op)
{
    map_op *m = (map_op *)op;
    hal_region_unref(m->region);
    hal_region_unref(m->result);
    hal_free(m->root);
    hal_free(m->path);
}

static int map_push(lua_State *L, hal_op *op)
{
    map_op *m = (map_op *)op;
    hal_region **slot = push_region(L);
    *slot = m->result;
    m->result = NULL;
    return pushed(L, slot, &op->err);
}

static void map_take(map_op *m, hal_moc *moc)
{
    m->result = moc ? hal_region_of_moc(moc, &m->op.err) : NULL;
    hal_moc_unref(moc);
}

static void map_run(hal_op *op)
{
    map_op *m = (map_op *)op;
    map_take(m, hal_moc_of_region(m->region, m->order, &op->err));
}

/* region:moc(order) */
static int region_moc(lua_State *L)
{
    hal_region *r = hal_arg_region(L, 1, "region:moc: region");
    lua_Integer order = hal_arg_integer(L, 2, "region:moc: order, 0 to 29,");
    if (order < 0 || order > 29)
        return hal_bind_fail(L, HAL_E_USAGE, "region:moc: the order is from 0 to 29, not %lld",
                             (long long)order);
    map_op *m = hal_op_new(L, sizeof *m);
    m->op.clear = map_clear;
    m->op.run = map_run;
    m->op.push = map_push;
    m->region = hal_region_ref(r);
    m->order = (int)order;
    return hal_op_run_sized(L, &m->op, order > ORDER_INLINE);
}

static hal_status read_all(int fd, const char *path, hal_buf *out, hal_err *err)
{
    enum { PIECE = 1 << 20 };
    for (;;) {
        hal_status st = hal_buf_reserve(out, PIECE, err);
        if (st)
            return hal_err_note(err, st, "%s", path);
        ssize_t n = read(fd, out->data + out->size_bytes, PIECE);
        if (n == 0)
            return HAL_OK;
        if (n < 0 && errno != EINTR)
            return hal_err_errno(err, errno, "cannot read %s", path);
        out->size_bytes += n > 0 ? (size_t)n : 0;
    }
}

static void read_run(hal_op *op)
{
    map_op *m = (map_op *)op;
    int fd = hal_files_open_below(m->root, m->path);
    if (fd < 0 && errno == ENOENT)
        hal_err_set(&op->err, HAL_E_NOT_FOUND, "there is no file %s below the output folder",
                    m->path);
    else if (fd < 0 && (errno == EACCES || errno == ELOOP || errno == ENOTDIR))
        hal_err_set(&op->err, HAL_E_PERMISSION,
                    "%s cannot be read: maps are read below the output folder, and not through "
                    "links",
                    m->path);
    else if (fd < 0)
        hal_err_errno(&op->err, errno, "cannot open %s", m->path);
    if (fd < 0)
        return;
    hal_buf bytes;
    hal_buf_init(&bytes, (size_t)HAL_MOC_FILE_MAX + (2 << 20));
    if (!read_all(fd, m->path, &bytes, &op->err)) {
        map_take(m, hal_moc_decode(hal_buf_slice(&bytes), &op->err));
        if (!m->result)
            hal_err_note(&op->err, op->err.status, "%s", m->path);
    }
    hal_buf_clear(&bytes);
    close(fd);
}

static map_op *new_file_op(lua_State *L, const char *path)
{
    const char *root = hal_host_setting(hal_host_of(L), "output");
    if (!root || !*root)
        hal_bind_fail(L, HAL_E_USAGE, "no output folder: choose one with --output");
    map_op *m = hal_op_new(L, sizeof *m);
    m->op.clear = map_clear;
    m->root = hal_strdup(root);
    m->path = hal_strdup(path);
    if (!m->root || !m->path)
        hal_bind_fail(L, HAL_E_NOMEM, "no memory left");
    return m;
}

/* moc_read(path) -> region */
static int moc_read(lua_State *L)
{
    map_op *m = new_file_op(L, hal_arg_text(L, 1, "moc: path"));
    m->op.run = read_run;
    m->op.push = map_push;
    return hal_op_run(L, &m->op);
}

static void write_run(hal_op *op)
{
    map_op *m = (map_op *)op;
    hal_buf bytes;
    hal_buf_init(&bytes, HAL_MOC_FILE_MAX);
    hal_status st = hal_moc_encode(hal_region_get_moc(m->region), m->form, &bytes, &op->err);
    if (!st && m->form != HAL_MOC_FITS)
        st = hal_buf_puts(&bytes, "\n", &op->err);
    if (!st)
        op->err.status = hal_files_write(m->root, m->path, hal_buf_slice(&bytes), &op->err);
    m->size_bytes = bytes.size_bytes;
    hal_buf_clear(&bytes);
}

static int write_push(lua_State *L, hal_op *op)
{
    lua_pushinteger(L, (lua_Integer)((map_op *)op)->size_bytes);
    return 1;
}

/* region:write(path) -> size in bytes */
static int region_write(lua_State *L)
{
    hal_region *r = hal_arg_region(L, 1, "region:write: region");
    const char *path = hal_arg_text(L, 2, "region:write: path");
    hal_moc_form form = HAL_MOC_FITS;
    hal_err err = HAL_ERR_INIT;
    if (hal_moc_form_of_path(&form, path, &err))
        return hal_raise(L, &err);
    if (!hal_region_get_moc(r))
        return hal_bind_fail(L, HAL_E_USAGE,
                             "region:write: only maps have files; make one with region:moc(order), "
                             "or keep tostring(region)");
    hal_output_path(L, path);
    map_op *m = new_file_op(L, path);
    m->op.run = write_run;
    m->op.push = write_push;
    m->region = hal_region_ref(r);
    m->form = form;
    return hal_op_run(L, &m->op);
}

void hal_region_add_functions(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"contains", contains}, {"cone", cone},          {"is_circle", is_circle}, {"area", area},
        {"moc", region_moc},    {"write", region_write}, {"close", region_close},  {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__gc", region_close},          {"__close", region_close},
                                    {"__add", region_add},           {"__mul", region_mul},
                                    {"__sub", region_sub},           {"__unm", complement},
                                    {"__tostring", region_tostring}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"circle", circle},
                                         {"ellipse", ellipse},
                                         {"box", box},
                                         {"polygon", polygon},
                                         {"all", all},
                                         {"parse", parse},
                                         {"moc", moc},
                                         {"moc_read", moc_read},
                                         {"union", union_list},
                                         {"intersection", intersection_list},
                                         {"complement", complement},
                                         {NULL, NULL}};
    if (luaL_newmetatable(L, region_name)) {
        luaL_setfuncs(L, meta, 0);
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
        hal_set_text(L, "__metatable", region_name);
    }
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
