/* SPDX-License-Identifier: BSD-3-Clause */
/* halyard.core.sky: angles, positions and regions. Degrees, ICRS. */
#include "bind/bind.h"

#include "base/alloc.h"
#include "bind/args.h"
#include "bind/objects.h"
#include "host/host.h"
#include "sky/angle.h"

#include <lauxlib.h>
#include <math.h>

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
    return *slot ? 1 : hal_raise(L, err);
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

static int angle(lua_State *L)
{
    const char *unit = lua_isnoneornil(L, 2) ? NULL : hal_arg_text(L, 2, "angle: unit");
    hal_err err = HAL_ERR_INIT;
    double deg;
    if (lua_type(L, 1) == LUA_TNUMBER) {
        double v = lua_tonumber(L, 1);
        if (!isfinite(v))
            return hal_bind_fail(L, HAL_E_USAGE, "angle: not a finite number");
        if (hal_angle_parse(&deg, hal_slice_of("1"), unit, &err))
            return hal_raise(L, &err);
        /* Divide where the unit is a whole fraction of a degree: 12 arcmin is 0.2, not 12/60 with
         * two roundings. */
        double per_deg = nearbyint(1.0 / deg);
        lua_pushnumber(L, deg < 1.0 && fabs(per_deg * deg - 1.0) < 1e-15 ? v / per_deg : v * deg);
        return 1;
    }
    if (hal_angle_parse(&deg, hal_arg_slice(L, 1, "angle"), unit, &err))
        return hal_raise(L, &err);
    lua_pushnumber(L, deg);
    return 1;
}

static int position(lua_State *L)
{
    hal_err err = HAL_ERR_INIT;
    double ra, dec;
    hal_status st = hal_position_parse(&ra, &dec, hal_arg_slice(L, 1, "position"), &err);
    if (st == HAL_E_NOT_FOUND) {
        lua_pushnil(L);
        return 1;
    }
    if (st)
        return hal_raise(L, &err);
    lua_pushnumber(L, ra);
    lua_pushnumber(L, dec);
    return 2;
}

static int separation(lua_State *L)
{
    double v[4];
    for (int i = 0; i < 4; i++)
        v[i] = hal_arg_number(L, i + 1, "separation: each of ra1, dec1, ra2, dec2");
    lua_pushnumber(L, hal_separation_deg(v[0], v[1], v[2], v[3]));
    return 1;
}

static int circle(lua_State *L)
{
    double ra = hal_arg_number(L, 1, "circle: ra"), dec = hal_arg_number(L, 2, "circle: dec");
    double radius = hal_arg_number(L, 3, "circle: radius");
    hal_region **slot = push_region(L);
    hal_err err = HAL_ERR_INIT;
    *slot = hal_region_circle(ra, dec, radius, &err);
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

static int area(lua_State *L)
{
    const double deg = 180.0 / 3.14159265358979323846;
    lua_pushnumber(L, hal_region_area_sr(hal_arg_region(L, 1, "region:area: region")) * deg * deg);
    return 1;
}

static int region_tostring(lua_State *L)
{
    hal_region **slot = luaL_checkudata(L, 1, region_name);
    if (!*slot) {
        lua_pushliteral(L, "region (closed)");
        return 1;
    }
    /* A polygon of 10,000 vertices needs less than this. */
    enum { TEXT_MAX = 1 << 20 };
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

int hal_open_sky(lua_State *L)
{
    static const luaL_Reg methods[] = {{"contains", contains},   {"cone", cone},
                                       {"is_circle", is_circle}, {"area", area},
                                       {"close", region_close},  {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__gc", region_close},
                                    {"__close", region_close},
                                    {"__tostring", region_tostring},
                                    {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"angle", angle},   {"position", position}, {"separation", separation},
        {"circle", circle}, {"box", box},           {"polygon", polygon},
        {"all", all},       {"parse", parse},       {NULL, NULL}};
    if (luaL_newmetatable(L, region_name)) {
        luaL_setfuncs(L, meta, 0);
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
        hal_set_text(L, "__metatable", region_name);
    }
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
