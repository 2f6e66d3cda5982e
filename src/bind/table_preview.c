/* SPDX-License-Identifier: BSD-3-Clause */
/* What a table tells about itself in Lua: a preview of its first cells, and its metadata. */
#include "bind/table_column.h"

#include "base/number.h"
#include "bind/args.h"
#include "bind/objects.h"
#include "host/host.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

/* --- Preview ------------------------------------------------------------------------------------
 */

enum {
    PREVIEW_ROWS = 10,
    PREVIEW_COLUMNS = 8,
    PREVIEW_WIDTH = 20,                  /* characters of a cell */
    CELL_BYTES = 4 * PREVIEW_WIDTH + 16, /* UTF-8; a float64 that is cut afterwards */
};

static bool begins_character(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

/* Copies at most PREVIEW_WIDTH characters (CELL_BYTES - 4 bytes), control characters as "?";
 * returns the bytes. */
static size_t copy_text(char *out, const char *text, size_t size_bytes)
{
    size_t n = 0, characters = 0;
    for (; n < size_bytes && n < CELL_BYTES - 4; n++) {
        if (begins_character(text[n]) && characters++ == PREVIEW_WIDTH)
            break;
        bool control = (unsigned char)text[n] < ' ' || text[n] == 0x7f;
        bool c1 = n && (unsigned char)text[n - 1] == 0xc2 && (unsigned char)text[n] < 0xa0;
        out[n] = control ? '?' : c1 ? (char)0xbf : text[n];
    }
    return n;
}

/* Appends the text of a cell as CSV spells it; nothing for a null. */
static hal_status add_cell(hal_buf *out, const hal_table *t, size_t c, uint64_t i_row, hal_err *err)
{
    const hal_field *f = hal_table_field(t, c);
    char text[HAL_DOUBLE_TEXT_MAX];
    if (hal_table_is_null(t, c, i_row))
        return HAL_OK;
    if (!hal_type_is_float(f->type) || !hal_field_is_scalar(f))
        return hal_table_cell_text(out, t, c, i_row, err);
    double v = hal_table_float64(t, c, i_row);
    return hal_buf_append(out, text,
                          f->type == HAL_TYPE_FLOAT32 ? hal_number_print_float(text, (float)v)
                                                      : hal_number_print_double(text, v),
                          err);
}

static size_t cell_text(const hal_table *t, size_t c, uint64_t i_row, char out[CELL_BYTES])
{
    hal_buf text;
    hal_buf_init(&text, SIZE_MAX / 4);
    size_t n = 0;
    if (!add_cell(&text, t, c, i_row, NULL) && text.size_bytes)
        n = copy_text(out, text.data, text.size_bytes);
    hal_buf_clear(&text);
    return n;
}

int hal_table_row_texts(lua_State *L)
{
    enum { TEXT_MAX = 64 << 20 };
    const hal_table *t = hal_arg_table(L, 1, "row_texts");
    lua_Integer row = hal_arg_integer(L, 2, "row number");
    hal_err err = HAL_ERR_INIT;
    if (row < 1 || (uint64_t)row > hal_table_rows(t))
        return hal_bind_fail(L, HAL_E_USAGE, "there is no row %lld", (long long)row);
    hal_buf *text = hal_scratch(L, TEXT_MAX);
    size_t n = hal_table_columns(t);
    lua_createtable(L, (int)n, 0);
    for (size_t c = 0; c < n; c++) {
        text->size_bytes = 0;
        if (add_cell(text, t, c, (uint64_t)row - 1, &err))
            return hal_raise(L, &err);
        lua_pushlstring(L, hal_buf_text(text), text->size_bytes);
        lua_rawseti(L, -2, (lua_Integer)c + 1);
    }
    hal_buf_clear(text);
    return 1;
}

/* "[deg]" */
static size_t unit_text(const hal_field *f, char out[CELL_BYTES])
{
    if (!*f->unit)
        return 0;
    out[0] = '[';
    size_t n = 1 + copy_text(out + 1, f->unit, strlen(f->unit));
    out[n] = ']';
    return n + 1;
}

static size_t n_characters(const char *text, size_t size_bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < size_bytes; i++)
        n += begins_character(text[i]);
    return n;
}

static void add_padded(luaL_Buffer *b, const char *text, size_t size_bytes, size_t width)
{
    luaL_addlstring(b, text, size_bytes);
    for (size_t n = n_characters(text, size_bytes); n < width + 2; n++)
        luaL_addchar(b, ' ');
}

static void widen(size_t *width, const char *text, size_t size_bytes)
{
    size_t n = n_characters(text, size_bytes);
    *width = n > *width ? n : *width;
}

int hal_table_tostring(lua_State *L)
{
    hal_table **slot = luaL_checkudata(L, 1, hal_table_class);
    const hal_table *t = *slot;
    if (!t) {
        lua_pushliteral(L, "table (closed)");
        return 1;
    }
    uint64_t n_rows = hal_table_rows(t), shown = n_rows < PREVIEW_ROWS ? n_rows : PREVIEW_ROWS;
    size_t n_cols = hal_table_columns(t);
    size_t cols = n_cols < PREVIEW_COLUMNS ? n_cols : PREVIEW_COLUMNS;
    size_t width[PREVIEW_COLUMNS] = {0};
    bool units = false;
    char cell[CELL_BYTES];
    for (size_t c = 0; c < cols; c++) {
        const hal_field *f = hal_table_field(t, c);
        units |= *f->unit != '\0';
        widen(&width[c], cell, copy_text(cell, f->name, strlen(f->name)));
        widen(&width[c], cell, unit_text(f, cell));
        for (uint64_t i = 0; i < shown; i++)
            widen(&width[c], cell, cell_text(t, c, i, cell));
    }
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    snprintf(cell, sizeof cell, "%llu rows x %zu columns", (unsigned long long)n_rows, n_cols);
    luaL_addstring(&b, cell);
    if (cols)
        luaL_addchar(&b, '\n');
    for (size_t c = 0; c < cols; c++) {
        const char *name = hal_table_field(t, c)->name;
        add_padded(&b, cell, copy_text(cell, name, strlen(name)), width[c]);
    }
    if (n_cols > cols)
        luaL_addstring(&b, "...");
    if (units)
        luaL_addchar(&b, '\n');
    for (size_t c = 0; c < cols && units; c++)
        add_padded(&b, cell, unit_text(hal_table_field(t, c), cell), width[c]);
    for (uint64_t i = 0; i < shown; i++) {
        luaL_addchar(&b, '\n');
        for (size_t c = 0; c < cols; c++)
            add_padded(&b, cell, cell_text(t, c, i, cell), width[c]);
    }
    if (n_rows > shown)
        luaL_addstring(&b, "\n...");
    luaL_pushresult(&b);
    return 1;
}

/* --- Metadata -----------------------------------------------------------------------------------
 */

static void push_item(lua_State *L, const hal_meta *item)
{
    lua_createtable(L, 0, (int)item->n_attributes + 3);
    for (size_t i = 0; i < item->n_attributes; i++)
        hal_set_text(L, item->attributes[i].name, item->attributes[i].value);
    const hal_attribute own[] = {
        {"name", item->name}, {"value", item->value}, {"text", item->text}};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (own[i].value && *own[i].value)
            hal_set_text(L, own[i].name, own[i].value);
}

int hal_table_push_metadata(lua_State *L, const hal_table *t)
{
    static const char *const lists[] = {
        [HAL_META_INFO] = "info",       [HAL_META_PARAM] = "param", [HAL_META_COOSYS] = "coosys",
        [HAL_META_TIMESYS] = "timesys", [HAL_META_LINK] = "link",   [HAL_META_KEY] = "key"};
    enum { N_LISTS = sizeof lists / sizeof *lists };
    const hal_metadata *m = hal_table_metadata(t);
    lua_createtable(L, 0, N_LISTS + 3);
    hal_set_text(L, "name", m->name ? m->name : "");
    hal_set_text(L, "description", m->description ? m->description : "");
    hal_set_text(L, "status", m->status ? m->status : "");
    for (int k = 0; k < N_LISTS; k++) {
        lua_Integer n = 0;
        lua_newtable(L);
        for (size_t i = 0; i < m->n_items; i++)
            if ((int)m->items[i].kind == k) {
                push_item(L, &m->items[i]);
                lua_rawseti(L, -2, ++n);
            }
        lua_setfield(L, -2, lists[k]);
    }
    return 1;
}
