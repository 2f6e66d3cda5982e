/* SPDX-License-Identifier: BSD-3-Clause */
/* What a run says of its files: lines of manifest.csv, whose first columns are those of astroquery
 * (mashup-api 10.3), of manifest.json, which says the same to programs, and of report.json. In C,
 * since a run of a million files ends with a million of each. */
#include "bind/file_list.h"

#include "bind/args.h"
#include "bind/file_row.h"
#include "bind/output_file.h"
#include "host/host.h"
#include "net/download.h"

#include <lauxlib.h>

#include <string.h>

static const char type_name[] = "halyard.file_list";

enum { CSV = 1, JSON, REPORT, N_OUTPUTS = REPORT, FILE_NAME_MAX_BYTES = 1 << 20 };
#define NOT_KNOWN INT64_MIN

/* Its files are kept as user values. */
typedef struct file_list {
    hal_output_file *csv, *json, *report; /* NULL: not wanted */
    bool has_lines;
    hal_buf file; /* of the line */
} file_list;

typedef struct words {
    const char *status, *csv, *json, *report;
    bool is_there;
} words;

static const words known_words[] = {
    {"complete", "COMPLETE", "complete", "complete", true},
    {"there", "COMPLETE", "already there", "already there", true},
    {"failed", "ERROR", "failed", "error", false},
    {"waiting", "ERROR", "failed", "error", false}, /* a task that nobody joined fetches it */
    {"begun", "ERROR", "failed", "error", false},
    {"deferred", "DEFERRED", "deferred", "deferred", false},
    {"absent", "SKIPPED", "not in the cloud", "error", false},
};

/* A file: NULL and NOT_KNOWN for what there is not. */
typedef struct line {
    const words *words;
    const char *folder; /* NULL: the place is below the output folder */
    const char *place, *uri, *address, *expected_sha256, *sha256, *etag, *warning;
    const char *code, *fault, *reason; /* why it is not there */
    int64_t size, tries, bytes;
} line;

/* --- writing ---------------------------------------------------------------------------------- */

typedef struct cell {
    const char *key, *text; /* text NULL: the number */
    int64_t number;
} cell;

static bool is_known(const cell *c)
{
    return c->text || c->number != NOT_KNOWN;
}

static void write_cells(lua_State *L, hal_output_file *out, const cell *cells)
{
    hal_output_begin_line(L, out);
    for (const cell *c = cells; c->key; c++) {
        if (c > cells)
            hal_output_put(L, out, ",");
        if (c->text)
            hal_output_put_cell(L, out, c->text);
        else if (is_known(c))
            hal_output_put_integer(L, out, c->number);
    }
    hal_output_put(L, out, "\n");
    hal_output_end_line(L, out);
}

static void write_object(lua_State *L, hal_output_file *out, const char *before, const cell *cells)
{
    hal_output_begin_line(L, out);
    hal_output_put(L, out, before);
    before = "{";
    for (const cell *c = cells; c->key; c++) {
        if (!is_known(c))
            continue;
        hal_output_put(L, out, before);
        hal_output_put(L, out, c->key);
        if (c->text)
            hal_output_put_json(L, out, c->text);
        else
            hal_output_put_integer(L, out, c->number);
        before = ",";
    }
    hal_output_put(L, out, "}");
    hal_output_end_line(L, out);
}

static const char *cut(lua_State *L, const char *text)
{
    return text ? hal_redacted(L, text) : NULL;
}

static void add(lua_State *L, hal_buf *b, const char *text)
{
    hal_check_append(L, hal_buf_puts(b, text, NULL), "a file name", FILE_NAME_MAX_BYTES);
}

static const char *name_file(lua_State *L, file_list *list, const line *l)
{
    hal_buf *b = &list->file;
    if (!l->folder)
        return l->place;
    b->size_bytes = 0;
    add(L, b, l->folder);
    add(L, b, "/");
    add(L, b, l->place);
    return hal_buf_text(b);
}

static void write(lua_State *L, file_list *list, const line *l)
{
    const words *w = l->words;
    const char *file = name_file(L, list, l), *uri = cut(L, l->uri);
    const char *address = l->address == l->uri ? uri : cut(L, l->address);
    const char *reason = cut(L, l->reason), *warning = cut(L, l->warning);
    const char *message = reason ? reason : warning;
    if (list->csv)
        write_cells(L, list->csv,
                    (cell[]){{"Local Path", file, NOT_KNOWN},
                             {"Status", w->csv, NOT_KNOWN},
                             {"Message", message, NOT_KNOWN},
                             {"URL", w->is_there ? NULL : address, NOT_KNOWN},
                             {"Bytes", NULL, l->bytes},
                             {"SHA256", l->sha256, NOT_KNOWN},
                             {"URI", uri, NOT_KNOWN},
                             {"ETag", l->etag, NOT_KNOWN},
                             {"Tries", NULL, l->tries},
                             {"Error", l->code, NOT_KNOWN},
                             {"Fault", l->fault, NOT_KNOWN},
                             {0}});
    if (list->json)
        write_object(L, list->json, list->has_lines ? ",\n" : "\n",
                     (cell[]){{"\"bytes\":", NULL, l->bytes},
                              {"\"error\":", l->code, NOT_KNOWN},
                              {"\"etag\":", l->etag, NOT_KNOWN},
                              {"\"expected_sha256\":", l->expected_sha256, NOT_KNOWN},
                              {"\"fault\":", l->fault, NOT_KNOWN},
                              {"\"message\":", message, NOT_KNOWN},
                              {"\"path\":", l->place, NOT_KNOWN},
                              {"\"sha256\":", l->sha256, NOT_KNOWN},
                              {"\"size\":", NULL, l->size},
                              {"\"status\":", w->json, NOT_KNOWN},
                              {"\"tries\":", NULL, l->tries},
                              {"\"uri\":", uri, NOT_KNOWN},
                              {"\"url\":", address, NOT_KNOWN},
                              {0}});
    if (list->report)
        write_object(L, list->report, list->has_lines ? ",\n    " : "\n    ",
                     (cell[]){{"\"bytes\":", NULL, l->bytes},
                              {"\"error\":", reason, NOT_KNOWN},
                              {"\"fault\":", l->fault, NOT_KNOWN},
                              {"\"file\":", file, NOT_KNOWN},
                              {"\"sha256\":", l->sha256, NOT_KNOWN},
                              {"\"status\":", w->report, NOT_KNOWN},
                              {"\"tries\":", NULL, l->tries},
                              {"\"uri\":", uri, NOT_KNOWN},
                              {"\"warning\":", warning, NOT_KNOWN},
                              {0}});
    list->has_lines = true;
}

/* --- reading the arguments -------------------------------------------------------------------- */

static const words *words_of(lua_State *L, int index)
{
    const char *status = hal_arg_text(L, index, "list: status");
    for (size_t i = 0; i < sizeof known_words / sizeof *known_words; i++)
        if (!strcmp(known_words[i].status, status))
            return known_words + i;
    hal_bind_fail(L, HAL_E_INTERNAL, "list: a file is '%s'", status);
    return NULL;
}

static const char *text_or_null(lua_State *L, int index)
{
    return lua_isnil(L, index) ? NULL : hal_arg_text(L, index, "list: a text");
}

static int64_t integer_or_not(lua_State *L, int index)
{
    return lua_isnil(L, index) ? NOT_KNOWN : hal_arg_integer(L, index, "list: a number");
}

/* A table with code, fault and message, whose texts stay on the stack. */
static void take_problem(lua_State *L, int index, line *l)
{
    if (lua_isnil(L, index))
        return;
    lua_getfield(L, index, "code");
    l->code = lua_tostring(L, -1);
    lua_getfield(L, index, "fault");
    l->fault = lua_tostring(L, -1);
    lua_getfield(L, index, "message");
    l->reason = lua_tostring(L, -1);
}

/* list:add(folder, uri, address, place, size, expected_sha256, status, tries, bytes, sha256, etag,
 * warning, error): nil for what there is not. */
static int list_add(lua_State *L)
{
    enum {
        LIST = 1,
        FOLDER,
        URI,
        ADDRESS,
        PLACE,
        SIZE,
        EXPECTED,
        STATUS,
        TRIES,
        BYTES,
        SHA256,
        ETAG,
        WARNING,
        PROBLEM,
    };
    file_list *list = luaL_checkudata(L, LIST, type_name);
    lua_settop(L, PROBLEM);
    line l = {
        .words = words_of(L, STATUS),
        .folder = text_or_null(L, FOLDER),
        .place = hal_arg_text(L, PLACE, "list:add: place"),
        .uri = hal_arg_text(L, URI, "list:add: uri"),
        .address = text_or_null(L, ADDRESS),
        .expected_sha256 = text_or_null(L, EXPECTED),
        .sha256 = text_or_null(L, SHA256),
        .etag = text_or_null(L, ETAG),
        .warning = text_or_null(L, WARNING),
        .size = integer_or_not(L, SIZE),
        .tries = integer_or_not(L, TRIES),
        .bytes = integer_or_not(L, BYTES),
    };
    take_problem(L, PROBLEM, &l);
    write(L, list, &l);
    return 0;
}

/* list:add_row(folder, row, place, flat, dir, address, status, tries, warning, error, hosts) ->
 * true: a file of a download into `dir`, whose record says what came; `place` and `address` nil: as
 * the row says. False: it is no row of a file. */
static int list_add_row(lua_State *L)
{
    enum {
        LIST = 1,
        FOLDER,
        ROW,
        PLACE,
        FLAT,
        DIR,
        ADDRESS,
        STATUS,
        TRIES,
        WARNING,
        PROBLEM,
        HOSTS
    };
    file_list *list = luaL_checkudata(L, LIST, type_name);
    hal_row row;
    hal_file_line record;
    char place[HAL_ROW_PLACE_SIZE];
    lua_settop(L, HOSTS);
    if (!hal_row_read(L, ROW, &row)) {
        lua_pushboolean(L, false);
        return 1;
    }
    hal_row_check_host(L, &row, HOSTS);
    if (lua_isnil(L, PLACE))
        hal_row_place(L, ROW, row.name, lua_toboolean(L, FLAT), place);
    line l = {
        .words = words_of(L, STATUS),
        .folder = text_or_null(L, FOLDER),
        .place = lua_isnil(L, PLACE) ? place : hal_arg_text(L, PLACE, "list:add_row: place"),
        .uri = row.address,
        .address = lua_isnil(L, ADDRESS) ? row.address : text_or_null(L, ADDRESS),
        .expected_sha256 = row.sha256[0] ? row.sha256 : NULL,
        .warning = text_or_null(L, WARNING),
        .size = row.size_bytes < 0 ? NOT_KNOWN : row.size_bytes,
        .tries = integer_or_not(L, TRIES),
        .bytes = NOT_KNOWN,
    };
    take_problem(L, PROBLEM, &l);
    if (l.words->is_there &&
        hal_download_line(hal_host_loop(hal_host_of(L)), hal_arg_text(L, DIR, "list:add_row: dir"),
                          l.place, &record)) {
        l.bytes = (int64_t)record.record.bytes;
        l.sha256 = record.record.sha256;
        l.etag = record.etag[0] ? record.etag : NULL;
    }
    write(L, list, &l);
    lua_pushboolean(L, true);
    return 1;
}

static int list_clear(lua_State *L)
{
    hal_buf_clear(&((file_list *)lua_touserdata(L, 1))->file);
    return 0;
}

int hal_file_list(lua_State *L)
{
    static const char *const known[] = {"csv", "json", "report", NULL};
    hal_options_check(L, 1, known, "download.list");
    lua_settop(L, 1);
    file_list *list = lua_newuserdatauv(L, sizeof *list, N_OUTPUTS);
    *list = (file_list){0};
    hal_buf_init(&list->file, FILE_NAME_MAX_BYTES);
    if (luaL_newmetatable(L, type_name)) {
        static const luaL_Reg methods[] = {
            {"add", list_add}, {"add_row", list_add_row}, {NULL, NULL}};
        static const luaL_Reg meta[] = {{"__gc", list_clear}, {NULL, NULL}};
        luaL_setfuncs(L, meta, 0);
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
    }
    lua_setmetatable(L, -2);
    hal_output_file **outputs[] = {&list->csv, &list->json, &list->report};
    for (int i = CSV; i <= N_OUTPUTS; i++) {
        if (lua_getfield(L, 1, known[i - 1]) != LUA_TNIL)
            *outputs[i - 1] = hal_output_file_of(L, -1);
        lua_setiuservalue(L, -2, i);
    }
    return 1;
}
