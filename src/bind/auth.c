/* SPDX-License-Identifier: BSD-3-Clause */
#include "bind/auth.h"

#include "bind/args.h"

void hal_option_auth(lua_State *L, int index, hal_credentials *c)
{
    hal_err err = HAL_ERR_INIT;
    const char *auth = hal_option_text(L, index, "auth", NULL);
    if (!auth)
        return;
    if (strcmp(auth, "mast") != 0)
        hal_bind_fail(L, HAL_E_USAGE, "option \"auth\" must be \"mast\"");
    if (hal_credentials_mast(c, hal_host_of(L), &err))
        hal_raise(L, &err);
}

hal_slice hal_option_secret(lua_State *L, int index, hal_slice body, const char *method,
                            hal_credentials *c)
{
    hal_err err = HAL_ERR_INIT;
    lua_pushliteral(L, "secret");
    int type = lua_rawget(L, index);
    if (type == LUA_TNIL) {
        lua_pop(L, 1);
        return body;
    }
    if (type != LUA_TTABLE || strcmp(method, "POST") != 0)
        hal_bind_fail(L, HAL_E_USAGE,
                      "option \"secret\" must be a table {field = variable} of a POST");
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
            hal_bind_fail(L, HAL_E_USAGE, "option \"secret\": a field and a variable are texts");
        const char *field = lua_tostring(L, -2);
        for (const char *p = field; *p; p++)
            if (!((*p | 32) >= 'a' && (*p | 32) <= 'z') && *p != '_')
                hal_bind_fail(L, HAL_E_USAGE, "option \"secret\": a field has letters only");
        if (hal_credentials_form(c, hal_host_of(L), body, field, lua_tostring(L, -1), &err))
            hal_raise(L, &err);
        body = (hal_slice){NULL, 0};
    }
    lua_pop(L, 1);
    return c->body.data ? hal_buf_slice(&c->body) : body;
}
