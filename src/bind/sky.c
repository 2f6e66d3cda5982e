/* SPDX-License-Identifier: BSD-3-Clause */
/* halyard.core.sky: angles and positions; regions are in region.c. Degrees, ICRS. */
#include "bind/bind.h"

#include "bind/args.h"
#include "bind/objects.h"
#include "host/host.h"
#include "sky/angle.h"

#include <lauxlib.h>
#include <math.h>

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

int hal_open_sky(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"angle", angle}, {"position", position}, {"separation", separation}, {NULL, NULL}};
    luaL_newlib(L, functions);
    hal_region_add_functions(L);
    return 1;
}
