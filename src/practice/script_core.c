/* SPDX-License-Identifier: BSD-3-Clause */
/* practice.core: what the dialects may ask of C. */
#include "practice/script_private.h"

#include "practice/caom.h"
#include "practice/file.h"
#include "practice/upload.h"

#include "data/base64.h"

#include <lauxlib.h>
#include <zlib.h>

enum { FILE_MAX = 8 * 1024 * 1024 };

static hal_script *script_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

void hal_script_set_text(lua_State *L, const char *key, const char *value)
{
    if (value) {
        lua_pushstring(L, value);
        lua_setfield(L, -2, key);
    }
}

static int core_columns(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    hal_catalog catalog = hal_catalog_find(name);
    if (catalog == HAL_CATALOG_COUNT)
        return luaL_error(L, "no catalogue %s", name);
    size_t n;
    const hal_practice_column *columns = hal_catalog_columns(catalog, &n);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_createtable(L, 0, 7);
        hal_script_set_text(L, "name", columns[i].name);
        hal_script_set_text(L, "type", columns[i].type);
        hal_script_set_text(L, "unit", columns[i].unit);
        hal_script_set_text(L, "ucd", columns[i].ucd);
        hal_script_set_text(L, "description", columns[i].description);
        hal_script_set_text(L, "separator", columns[i].separator);
        lua_pushboolean(L, columns[i].is_distance);
        lua_setfield(L, -2, "is_distance");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int core_targets(lua_State *L)
{
    lua_createtable(L, (int)hal_targets_count, 0);
    for (size_t i = 0; i < hal_targets_count; i++) {
        const hal_target *t = &hal_targets[i];
        lua_createtable(L, 0, 6);
        hal_script_set_text(L, "name", t->name);
        hal_script_set_text(L, "aliases", t->aliases);
        hal_script_set_text(L, "type", t->type);
        lua_pushnumber(L, t->ra_deg);
        lua_setfield(L, -2, "ra");
        lua_pushnumber(L, t->dec_deg);
        lua_setfield(L, -2, "dec");
        lua_pushnumber(L, t->radius_deg);
        lua_setfield(L, -2, "radius");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int core_tic_position(lua_State *L)
{
    lua_Integer id = luaL_checkinteger(L, 1);
    double ra, dec;
    if (id < 0 || !hal_tic_position(script_of(L)->sky, (uint64_t)id, &ra, &dec))
        return 0;
    lua_pushnumber(L, ra);
    lua_pushnumber(L, dec);
    return 2;
}

static int core_collections(lua_State *L)
{
    uint64_t totals[HAL_COLLECTIONS];
    hal_caom_totals(hal_sky_seed(script_of(L)->sky), totals);
    lua_createtable(L, HAL_COLLECTIONS, 0);
    for (int i = 0; i < HAL_COLLECTIONS; i++) {
        lua_createtable(L, 0, 2);
        hal_script_set_text(L, "name", hal_caom_collection(i));
        lua_pushinteger(L, (lua_Integer)totals[i]);
        lua_setfield(L, -2, "rows");
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

/* uniform(ordinal): the same seed and ordinal give the same number in (0, 1). */
static int core_uniform(lua_State *L)
{
    lua_Integer ordinal = luaL_checkinteger(L, 1);
    lua_pushnumber(L, hal_unit(hal_sky_seed(script_of(L)->sky) ^ 0xfa017, (uint64_t)ordinal));
    return 1;
}

/* ---- bytes ---- */

static int core_crc32(lua_State *L)
{
    size_t n;
    const char *bytes = luaL_checklstring(L, 1, &n);
    lua_pushinteger(L, (lua_Integer)crc32_z(0, (const Bytef *)bytes, n));
    return 1;
}

/* Window bits say which frame: 31 gzip (without a time: the same bytes every time), -15 none. */
static int pack(lua_State *L, int window_bits)
{
    size_t n;
    const char *bytes = luaL_checklstring(L, 1, &n);
    luaL_argcheck(L, n < UINT32_MAX / 2, 1, "too long");
    uLong room = compressBound(n) + 32;
    luaL_Buffer out;
    z_stream z = {.next_in = (Bytef *)(uintptr_t)bytes,
                  .avail_in = (uInt)n,
                  .next_out = (Bytef *)luaL_buffinitsize(L, &out, room),
                  .avail_out = (uInt)room};
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY))
        return luaL_error(L, "no memory");
    int rc = deflate(&z, Z_FINISH);
    deflateEnd(&z);
    if (rc != Z_STREAM_END)
        return luaL_error(L, "deflate: %d", rc);
    luaL_pushresultsize(&out, z.total_out);
    return 1;
}

static int core_gzip(lua_State *L)
{
    return pack(L, 31);
}

static int core_deflate(lua_State *L)
{
    return pack(L, -15);
}

static int core_base64(lua_State *L)
{
    size_t n;
    const char *bytes = luaL_checklstring(L, 1, &n);
    luaL_Buffer out;
    char *room = luaL_buffinitsize(L, &out, (n + 2) / 3 * 4 + 1);
    luaL_pushresultsize(&out, hal_base64_encode((const uint8_t *)bytes, n, room));
    return 1;
}

/* nil when the text is no base64 */
static int core_unbase64(lua_State *L)
{
    size_t n, n_last;
    const char *text = luaL_checklstring(L, 1, &n), *wrong;
    hal_base64 state = {0};
    luaL_Buffer out;
    uint8_t *room = (uint8_t *)luaL_buffinitsize(L, &out, hal_base64_room(n) + 2);
    size_t size = hal_base64_decode(&state, text, n, room, &wrong);
    if (wrong || !hal_base64_finish(&state, room + size, &n_last))
        return 0;
    luaL_pushresultsize(&out, size + n_last);
    return 1;
}

/* The bytes of a product file; nil when there is none or it is too large for a text. */
static int core_file(lua_State *L)
{
    hal_file f;
    if (!hal_file_open(hal_sky_seed(script_of(L)->sky), luaL_checkstring(L, 1), &f) ||
        f.size_bytes > FILE_MAX)
        return 0;
    luaL_Buffer out;
    char *room = luaL_buffinitsize(L, &out, (size_t)f.size_bytes);
    luaL_pushresultsize(&out, hal_file_part(&f, 0, room, (size_t)f.size_bytes));
    return 1;
}

/* ---- tables that clients send ---- */

static int free_table(lua_State *L)
{
    hal_table **box = lua_touserdata(L, 1);
    hal_table_unref(*box);
    *box = NULL;
    return 0;
}

static void push_value(const hal_script *s, lua_State *L, const hal_table *t, size_t i_col,
                       uint64_t i_row)
{
    const hal_field *f = hal_table_field(t, i_col);
    if (hal_table_is_null(t, i_col, i_row)) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, s->null);
    } else if (hal_field_is_scalar(f) && f->type == HAL_TYPE_BOOL) {
        lua_pushboolean(L, hal_table_bool(t, i_col, i_row));
    } else if (hal_field_is_scalar(f) && hal_type_is_integer(f->type)) {
        lua_pushinteger(L, hal_table_int64(t, i_col, i_row));
    } else if (hal_field_is_scalar(f) && hal_type_is_float(f->type)) {
        lua_pushnumber(L, hal_table_float64(t, i_col, i_row));
    } else if (f->type == HAL_TYPE_STRING) {
        hal_slice text = hal_table_string(t, i_col, i_row);
        lua_pushlstring(L, text.data, text.size_bytes);
    } else {
        hal_buf text;
        hal_buf_init(&text, 1024 * 1024);
        bool ok = !hal_table_cell_text(&text, t, i_col, i_row, NULL);
        lua_pushstring(L, ok ? hal_buf_text(&text) : NULL);
        hal_buf_clear(&text);
        if (!ok)
            luaL_error(L, "column %s: a value is too long", f->name);
    }
}

static void push_table(const hal_script *s, lua_State *L, const hal_table *t)
{
    size_t n = hal_table_columns(t);
    lua_createtable(L, 0, 2);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        const hal_field *f = hal_table_field(t, i);
        lua_createtable(L, 0, 4);
        hal_script_set_text(L, "name", f->name);
        hal_script_set_text(L, "type", hal_field_is_scalar(f) ? hal_type_name(f->type) : "string");
        hal_script_set_text(L, "unit", f->unit);
        hal_script_set_text(L, "ucd", f->ucd);
        hal_script_set_text(L, "xtype", f->xtype);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "columns");
    lua_createtable(L, (int)hal_table_rows(t), 0);
    for (uint64_t row = 0; row < hal_table_rows(t); row++) {
        lua_createtable(L, (int)n, 0);
        for (size_t i = 0; i < n; i++) {
            push_value(s, L, t, i, row);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        lua_rawseti(L, -2, (lua_Integer)row + 1);
    }
    lua_setfield(L, -2, "rows");
}

/* table(bytes [, format]): { columns, rows } or nil, message. */
static int core_table(lua_State *L)
{
    hal_slice bytes;
    bytes.data = luaL_checklstring(L, 1, &bytes.size_bytes);
    const char *format = luaL_optstring(L, 2, "auto");
    hal_err err = HAL_ERR_INIT;
    hal_table **box = lua_newuserdatauv(L, sizeof(hal_table *), 0);
    *box = NULL;
    if (luaL_newmetatable(L, "practice.table")) {
        lua_pushcfunction(L, free_table);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    if (hal_upload_read(box, bytes, format, &err)) {
        lua_pushnil(L);
        lua_pushstring(L, err.text);
        return 2;
    }
    push_table(script_of(L), L, *box);
    return 1;
}

int hal_script_open_core(lua_State *L)
{
    static const luaL_Reg functions[] = {{"columns", core_columns},
                                         {"targets", core_targets},
                                         {"tic_position", core_tic_position},
                                         {"collections", core_collections},
                                         {"uniform", core_uniform},
                                         {"crc32", core_crc32},
                                         {"gzip", core_gzip},
                                         {"deflate", core_deflate},
                                         {"base64", core_base64},
                                         {"unbase64", core_unbase64},
                                         {"file", core_file},
                                         {"table", core_table},
                                         {NULL, NULL}};
    hal_script *s = script_of(L);
    lua_newtable(L);
    lua_pushlightuserdata(L, s);
    luaL_setfuncs(L, functions, 1);
    lua_pushinteger(L, (lua_Integer)s->options->row_cap);
    lua_setfield(L, -2, "row_cap");
    hal_script_set_text(L, "faults", s->options->faults);
    hal_script_set_text(L, "version", HAL_VERSION_TEXT);
    return 1;
}
