/* SPDX-License-Identifier: BSD-3-Clause */
/* halyard.core.plot: pictures, region files and coverage maps of tile plans, at paths that the user
 * of the host program named: relative to the working directory, not to the output folder. */
#include "bind/bind.h"

#include "base/alloc.h"
#include "bind/args.h"
#include "bind/objects.h"
#include "bind/plan_args.h"
#include "data/outfile.h"
#include "host/host.h"
#include "host/moc_file.h"
#include "plot/plot.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

enum { FILE_MAX = 512 << 20, ORDER_MAX = 18 };

static const char picture_name[] = "halyard.picture";

typedef struct picture {
    hal_region *region;
    hal_plot_tile *tiles;
    size_t n_tiles;
    hal_cone *requests;
    size_t n_requests;
} picture;

static int picture_close(lua_State *L)
{
    picture *p = luaL_checkudata(L, 1, picture_name);
    hal_region_unref(p->region);
    hal_free(p->tiles);
    hal_free(p->requests);
    *p = (picture){0};
    return 0;
}

static picture *self(lua_State *L)
{
    picture *p = luaL_testudata(L, 1, picture_name);
    if (!p || !p->region)
        hal_bind_fail(L, HAL_E_USAGE, "an open picture of plot.take is needed here");
    return p;
}

static hal_status take_tiles(picture *p, const hal_plan *plan, bool actual, hal_err *err)
{
    size_t n = hal_plan_leaves(plan, NULL, 0);
    hal_leaf *leaves = hal_malloc((n + 1) * sizeof *leaves);
    p->tiles = hal_malloc((n + 1) * sizeof *p->tiles);
    if (!leaves || !p->tiles) {
        hal_free(leaves);
        return hal_err_nomem(err, (n + 1) * (sizeof *leaves + sizeof *p->tiles));
    }
    p->n_tiles = hal_plan_leaves(plan, leaves, n);
    const double sr_per_deg2 = pow(3.14159265358979323846 / 180.0, 2);
    for (size_t i = 0; i < n; i++)
        p->tiles[i] = (hal_plot_tile){
            .tile = leaves[i].tile,
            .rows = actual && leaves[i].done ? (double)leaves[i].rows_kept : -1,
            .density_deg2 = actual || leaves[i].predicted_per_sr < 0
                                ? -1
                                : leaves[i].predicted_per_sr * sr_per_deg2,
            .missing = actual && !leaves[i].done,
        };
    hal_free(leaves);
    return hal_plot_measure(p->tiles, p->n_tiles, p->region, err);
}

/* Circles that the asks in the list at `index` would send. */
static void take_requests(lua_State *L, int index, picture *p)
{
    lua_Unsigned n = lua_istable(L, index) ? lua_rawlen(L, index) : 0;
    if (!(p->requests = hal_malloc((n + 1) * sizeof *p->requests)))
        hal_bind_fail(L, HAL_E_NOMEM, "no memory left");
    for (lua_Unsigned i = 0; i < n; i++) {
        lua_rawgeti(L, index, (lua_Integer)i + 1);
        hal_ask ask = hal_arg_ask(L, -1);
        lua_getfield(L, -1, "form");
        if (!strcmp(lua_tostring(L, -1) ? lua_tostring(L, -1) : "", "cone"))
            p->requests[p->n_requests++] = ask.cone;
        lua_pop(L, 2);
    }
}

/* take(plan, region, "predicted" | "actual", asks or nil) -> picture */
static int take(lua_State *L)
{
    static const char *const kinds[] = {"predicted", "actual", NULL};
    lua_settop(L, 4);
    const hal_plan *plan = hal_arg_plan(L, 1);
    hal_region *region = hal_arg_region(L, 2, "plot.take: region");
    bool actual = luaL_checkoption(L, 3, NULL, kinds) == 1;
    picture *p = lua_newuserdatauv(L, sizeof *p, 0);
    *p = (picture){0};
    luaL_setmetatable(L, picture_name);
    p->region = hal_region_ref(region);
    take_requests(L, 4, p);
    hal_err err = HAL_ERR_INIT;
    if (take_tiles(p, plan, actual, &err))
        return hal_raise(L, &err);
    return 1;
}

/* Writes the scratch buffer to the path at `index`. */
static int write_out(lua_State *L, int index, hal_buf *bytes)
{
    hal_outfile file;
    hal_err err = HAL_ERR_INIT;
    hal_status st = hal_outfile_open_named(&file, hal_arg_text(L, index, "plot: path"), &err);
    if (st)
        return hal_raise(L, &err);
    st = hal_outfile_write(&file, bytes->data, bytes->size_bytes, &err);
    if (!st)
        st = hal_outfile_commit(&file, &err);
    hal_outfile_close(&file);
    if (st)
        return hal_raise(L, &err);
    hal_buf_clear(bytes);
    return 0;
}

static hal_plot plot_of(const picture *p)
{
    return (hal_plot){.region = p->region,
                      .tiles = p->tiles,
                      .n_tiles = p->n_tiles,
                      .requests = p->requests,
                      .n_requests = p->n_requests};
}

/* picture:draw(path, title, first note, second note, scale) */
static int draw(lua_State *L)
{
    hal_plot plot = plot_of(self(L));
    hal_plot_form form;
    hal_err err = HAL_ERR_INIT;
    if (hal_plot_form_of_path(&form, hal_arg_text(L, 2, "draw: path"), &err))
        return hal_raise(L, &err);
    plot.title = hal_arg_text(L, 3, "draw: title");
    plot.notes[0] = hal_arg_text(L, 4, "draw: first note");
    plot.notes[1] = hal_arg_text(L, 5, "draw: second note");
    plot.scale = hal_arg_text(L, 6, "draw: scale");
    hal_buf *bytes = hal_scratch(L, FILE_MAX);
    if (hal_plot_draw(&plot, form, bytes, &err))
        return hal_raise(L, &err);
    return write_out(L, 2, bytes);
}

/* picture:regions(path): a region file for DS9 */
static int regions(lua_State *L)
{
    hal_plot plot = plot_of(self(L));
    hal_buf *bytes = hal_scratch(L, FILE_MAX);
    hal_err err = HAL_ERR_INIT;
    if (hal_plot_regions(&plot, bytes, &err))
        return hal_raise(L, &err);
    return write_out(L, 2, bytes);
}

/* The order whose cells are about 1/100 of the region's size. */
static int order_of(const hal_region *r)
{
    double side = sqrt(hal_region_area_sr(r)), cell = sqrt(4 * 3.14159265358979323846 / 12);
    double order = side > 0 ? ceil(log2(cell / side * 100)) : ORDER_MAX;
    return (int)fmax(0, fmin(ORDER_MAX, order));
}

/* picture:coverage(path): the region as a coverage map */
static int coverage(lua_State *L)
{
    const picture *p = self(L);
    hal_moc_form form;
    hal_err err = HAL_ERR_INIT;
    if (hal_moc_form_of_path(&form, hal_arg_text(L, 2, "coverage: path"), &err))
        return hal_raise(L, &err);
    hal_buf *bytes = hal_scratch(L, HAL_MOC_FILE_MAX);
    hal_moc *own = hal_region_get_moc(p->region), *moc = own;
    if (!own)
        moc = hal_moc_of_region(p->region, order_of(p->region), &err);
    hal_status st = moc ? hal_moc_encode(moc, form, bytes, &err) : err.status;
    if (!own)
        hal_moc_unref(moc);
    if (!st && form != HAL_MOC_FITS)
        st = hal_buf_puts(bytes, "\n", &err);
    if (st)
        return hal_raise(L, &err);
    return write_out(L, 2, bytes);
}

/* check(path of a picture or nil, path of a coverage map or nil): raises for other endings */
static int check(lua_State *L)
{
    hal_plot_form form;
    hal_moc_form map;
    hal_err err = HAL_ERR_INIT;
    if (!lua_isnoneornil(L, 1) && hal_plot_form_of_path(&form, hal_arg_text(L, 1, "--plot"), &err))
        return hal_raise(L, &err);
    if (!lua_isnoneornil(L, 2) && hal_moc_form_of_path(&map, hal_arg_text(L, 2, "--moc"), &err))
        return hal_raise(L, &err);
    return 0;
}

int hal_open_plot(lua_State *L)
{
    static const luaL_Reg methods[] = {{"draw", draw},
                                       {"regions", regions},
                                       {"coverage", coverage},
                                       {"close", picture_close},
                                       {NULL, NULL}};
    static const luaL_Reg meta[] = {
        {"__gc", picture_close}, {"__close", picture_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"take", take}, {"check", check}, {NULL, NULL}};
    if (luaL_newmetatable(L, picture_name)) {
        luaL_setfuncs(L, meta, 0);
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
        hal_set_text(L, "__metatable", picture_name);
    }
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
