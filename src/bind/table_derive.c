/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables made from tables, for halyard.table: arguments are lists as that module prepares them;
 * large tables are worked on by a worker. */
#include "bind/table_column.h"

#include "base/alloc.h"
#include "bind/args.h"
#include "bind/objects.h"
#include "bind/op.h"
#include "data/arith.h"
#include "data/epoch.h"
#include "data/group.h"
#include "data/join.h"
#include "data/select.h"
#include "data/sort.h"
#include "data/writer.h"
#include "host/files.h"
#include "host/host.h"
#include "host/match.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { INLINE_ROWS = 20000, LIST_MAX = 10000, MATCH_THREADS = 4, READ_BYTES = 1 << 20 };

/* One operation on tables: what it is told is copied, for the worker. */
typedef struct work work;
struct work {
    hal_op op;
    hal_table *left, *right, *result;
    size_t n;      /* of the lists */
    size_t *a, *b; /* column numbers */
    bool *flags;
    char **texts; /* names */
    const char *path;
    hal_measure *measures;
    hal_pairing spec;
    uint64_t first, n_rows;
    char warning[HAL_ANSWER_OTHERS_MAX]; /* "": none */
    atomic_bool stop;
    hal_table *(*make)(work *w, hal_err *err);
};

static void work_clear(hal_op *op)
{
    work *w = (work *)op;
    hal_table_unref(w->left);
    hal_table_unref(w->right);
    hal_table_unref(w->result);
    for (size_t i = 0; w->texts && i < w->n; i++)
        hal_free(w->texts[i]);
    hal_free(w->texts);
    hal_free(w->a);
    hal_free(w->b);
    hal_free(w->flags);
    hal_free(w->measures);
}

static void work_run(hal_op *op)
{
    work *w = (work *)op;
    w->result = w->make(w, &op->err);
}

static void work_cancel(hal_op *op)
{
    atomic_store(&((work *)op)->stop, true);
}

static int work_push(lua_State *L, hal_op *op)
{
    work *w = (work *)op;
    hal_table **slot = hal_table_push(L);
    *slot = w->result;
    w->result = NULL;
    return hal_table_pushed(L, &op->err);
}

static work *new_work(lua_State *L, hal_table *left, hal_table *right,
                      hal_table *(*make)(work *w, hal_err *err))
{
    work *w = hal_op_new(L, sizeof *w);
    w->op.clear = work_clear;
    w->op.run = work_run;
    w->op.cancel = work_cancel;
    w->op.push = work_push;
    w->left = left ? hal_table_ref(left) : NULL;
    w->right = right ? hal_table_ref(right) : NULL;
    w->make = make;
    return w;
}

static int start(lua_State *L, work *w)
{
    uint64_t rows =
        (w->left ? hal_table_rows(w->left) : 0) + (w->right ? hal_table_rows(w->right) : 0);
    return hal_op_run_sized(L, &w->op, rows > INLINE_ROWS || !w->left);
}

static void *room(lua_State *L, size_t n, size_t size)
{
    void *p = hal_calloc(n + 1, size);
    if (!p)
        hal_bind_fail(L, HAL_E_NOMEM, "no memory left");
    return p;
}

static size_t list_length(lua_State *L, int index, const char *what)
{
    if (!lua_istable(L, index))
        hal_bind_fail(L, HAL_E_USAGE, "%s must be a list, not %s", what, luaL_typename(L, index));
    size_t n = lua_rawlen(L, index);
    if (n > LIST_MAX)
        hal_bind_fail(L, HAL_E_BUDGET, "%s: at most %d items", what, LIST_MAX);
    return n;
}

static void read_columns(lua_State *L, int index, const hal_table *t, const char *what, size_t n,
                         size_t *out)
{
    if (list_length(L, index, what) != n)
        hal_bind_fail(L, HAL_E_USAGE, "%s: %zu columns are needed", what, n);
    for (size_t i = 0; i < n; i++) {
        hal_err err = HAL_ERR_INIT;
        lua_rawgeti(L, index, (lua_Integer)i + 1);
        if (hal_table_require(t, hal_arg_text(L, -1, what), &out[i], &err))
            hal_raise(L, &err);
        lua_pop(L, 1);
    }
}

static void read_texts(lua_State *L, int index, const char *what, work *w)
{
    w->texts = room(L, w->n, sizeof *w->texts);
    for (size_t i = 0; i < w->n; i++) {
        lua_rawgeti(L, index, (lua_Integer)i + 1);
        if (!(w->texts[i] = hal_strdup(hal_arg_text(L, -1, what))))
            hal_bind_fail(L, HAL_E_NOMEM, "no memory left");
        lua_pop(L, 1);
    }
}

/* --- Rows ---------------------------------------------------------------------------------------
 */

static hal_table *make_sorted(work *w, hal_err *err)
{
    hal_sort_key *keys = hal_calloc(w->n + 1, sizeof *keys);
    if (!keys) {
        hal_err_nomem(err, w->n * sizeof *keys);
        return NULL;
    }
    for (size_t i = 0; i < w->n; i++)
        keys[i] = (hal_sort_key){w->a[i], w->flags[i]};
    uint64_t *rows = NULL;
    hal_status st = hal_table_sort(w->left, keys, w->n, &rows, err);
    hal_free(keys);
    hal_table *t = st ? NULL : hal_table_take(w->left, rows, hal_table_rows(w->left), err);
    hal_free(rows);
    return t;
}

/* sort(t, {names}, {descending}) */
static int sort(lua_State *L)
{
    hal_table *t = hal_arg_table(L, 1, "sort");
    size_t n = list_length(L, 2, "sort");
    list_length(L, 3, "sort");
    work *w = new_work(L, t, NULL, make_sorted);
    w->n = n;
    w->a = room(L, n, sizeof *w->a);
    w->flags = room(L, n, sizeof *w->flags);
    read_columns(L, 2, t, "sort: column name", n, w->a);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 3, (lua_Integer)i + 1);
        w->flags[i] = lua_toboolean(L, -1);
        lua_pop(L, 1);
    }
    return start(L, w);
}

static hal_table *make_unique(work *w, hal_err *err)
{
    uint64_t *rows = NULL, n = 0;
    if (hal_table_first_rows(w->left, w->a, w->n, &rows, &n, err))
        return NULL;
    hal_table *t = hal_table_take(w->left, rows, n, err);
    hal_free(rows);
    return t;
}

/* unique(t, {names}) */
static int unique(lua_State *L)
{
    hal_table *t = hal_arg_table(L, 1, "unique");
    size_t n = list_length(L, 2, "unique");
    work *w = new_work(L, t, NULL, make_unique);
    w->n = n;
    w->a = room(L, n, sizeof *w->a);
    read_columns(L, 2, t, "unique: column name", n, w->a);
    return start(L, w);
}

static hal_table *make_chosen(work *w, hal_err *err)
{
    uint64_t *rows = NULL, n = 0;
    if (hal_column_true_rows(w->right, w->first, &rows, &n, err))
        return NULL;
    hal_table *t = hal_table_take(w->left, rows, n, err);
    hal_free(rows);
    return t;
}

static hal_column_object *arg_column(lua_State *L, int index, const char *what, const hal_table *t)
{
    hal_column_object *c = hal_column_test(L, index);
    if (!c || !c->table)
        hal_bind_fail(L, HAL_E_USAGE, "%s must be a column, not %s", what,
                      c ? "a closed one" : luaL_typename(L, index));
    if (hal_table_rows(c->table) != hal_table_rows(t))
        hal_bind_fail(L, HAL_E_USAGE,
                      "%s has %llu rows, the table %llu: make it from columns of this table", what,
                      (unsigned long long)hal_table_rows(c->table),
                      (unsigned long long)hal_table_rows(t));
    return c;
}

/* chosen(t, column): rows where it is true */
static int chosen(lua_State *L)
{
    hal_table *t = hal_arg_table(L, 1, "where");
    hal_column_object *c = arg_column(L, 2, "where: the column", t);
    work *w = new_work(L, t, c->table, make_chosen);
    w->first = c->i_col;
    return start(L, w);
}

/* slice(t, first, n): shares memory; cut at the table's end */
static int slice(lua_State *L)
{
    hal_table *t = hal_arg_table(L, 1, "slice");
    lua_Integer first = hal_arg_integer(L, 2, "slice: first row");
    lua_Integer n = hal_arg_integer(L, 3, "slice: number of rows");
    uint64_t rows = hal_table_rows(t);
    if (first < 1 || n < 0)
        return hal_bind_fail(L, HAL_E_USAGE,
                             "rows are counted from 1, a number of rows is not negative");
    uint64_t from = (uint64_t)first - 1 < rows ? (uint64_t)first - 1 : rows;
    uint64_t many = (uint64_t)n < rows - from ? (uint64_t)n : rows - from;
    hal_table **slot = hal_table_push(L);
    hal_err err = HAL_ERR_INIT;
    *slot = hal_table_slice(t, from, many, &err);
    return hal_table_pushed(L, &err);
}

/* --- Columns ------------------------------------------------------------------------------------
 */

void hal_check_unique_names(lua_State *L, const hal_field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (!strcmp(fields[i].name, fields[k].name))
                hal_bind_fail(L, HAL_E_USAGE, "two columns would be named \"%.60s\"",
                              fields[i].name);
}

/* columns(t, {names}, {new names} or nil: the columns' own) */
static int columns(lua_State *L)
{
    hal_table *t = hal_arg_table(L, 1, "select");
    size_t n = list_length(L, 2, "select");
    bool named = !lua_isnoneornil(L, 3);
    if (named && list_length(L, 3, "select") != n)
        return hal_bind_fail(L, HAL_E_USAGE, "select: a new name for every column");
    size_t *i_cols = lua_newuserdatauv(L, (n + 1) * sizeof *i_cols, 0);
    hal_field *fields = lua_newuserdatauv(L, (n + 1) * sizeof *fields, 0);
    const hal_table **tables = lua_newuserdatauv(L, (n + 1) * sizeof *tables, 0);
    read_columns(L, 2, t, "column name", n, i_cols);
    for (size_t i = 0; i < n; i++) {
        tables[i] = t;
        fields[i] = *hal_table_field(t, i_cols[i]);
        if (!named)
            continue;
        lua_rawgeti(L, 3, (lua_Integer)i + 1);
        fields[i].name = hal_arg_text(L, -1, "column name");
        lua_pop(L, 1); /* the list still holds it */
    }
    hal_check_unique_names(L, fields, n);
    hal_table **slot = hal_table_push(L);
    hal_err err = HAL_ERR_INIT;
    *slot = hal_table_assemble(tables, i_cols, fields, n, hal_table_rows(t), hal_table_metadata(t),
                               &err);
    return hal_table_pushed(L, &err);
}

/* with(t, name, column, {unit =, ucd =, utype =, xtype =, description =}): replaced in place, or
 * added at the end */
static int with(lua_State *L)
{
    static const char *const known[] = {"unit", "ucd", "utype", "xtype", "description", NULL};
    hal_table *t = hal_arg_table(L, 1, "with");
    const char *name = hal_arg_text(L, 2, "with: column name");
    hal_column_object *c = arg_column(L, 3, "with: the column", t);
    lua_settop(L, 4);
    hal_options_check(L, 4, known, "with");
    size_t n = hal_table_columns(t), at = n;
    hal_field *fields = lua_newuserdatauv(L, (n + 1) * sizeof *fields, 0);
    const hal_table **tables = lua_newuserdatauv(L, (n + 1) * sizeof *tables, 0);
    size_t *i_cols = lua_newuserdatauv(L, (n + 1) * sizeof *i_cols, 0);
    for (size_t i = 0; i < n; i++) {
        fields[i] = *hal_table_field(t, i);
        tables[i] = t;
        i_cols[i] = i;
        if (!strcmp(fields[i].name, name))
            at = i;
    }
    /* An ID belongs to one column of a document. */
    const char *id = at < n ? fields[at].id : "",
               *original = at < n ? fields[at].original_name : "";
    fields[at] = *hal_table_field(c->table, c->i_col);
    fields[at].id = id;
    fields[at].original_name = original;
    tables[at] = c->table;
    i_cols[at] = c->i_col;
    fields[at].name = name;
    fields[at].unit = hal_option_text(L, 4, "unit", fields[at].unit);
    fields[at].ucd = hal_option_text(L, 4, "ucd", fields[at].ucd);
    fields[at].utype = hal_option_text(L, 4, "utype", fields[at].utype);
    fields[at].xtype = hal_option_text(L, 4, "xtype", fields[at].xtype);
    fields[at].description = hal_option_text(L, 4, "description", fields[at].description);
    hal_table **slot = hal_table_push(L);
    hal_err err = HAL_ERR_INIT;
    *slot = hal_table_assemble(tables, i_cols, fields, at == n ? n + 1 : n, hal_table_rows(t),
                               hal_table_metadata(t), &err);
    return hal_table_pushed(L, &err);
}

static hal_table *make_mjd(work *w, hal_err *err)
{
    return hal_table_mjd(w->left, w->first, err);
}

/* mjd(t, name) -> table with a column name_mjd */
static int mjd(lua_State *L)
{
    hal_table *t = hal_arg_table(L, 1, "mjd");
    hal_err err = HAL_ERR_INIT;
    size_t i_col = 0;
    if (hal_table_require(t, hal_arg_text(L, 2, "mjd: column name"), &i_col, &err))
        return hal_raise(L, &err);
    work *w = new_work(L, t, NULL, make_mjd);
    w->first = i_col;
    return start(L, w);
}

/* column(t, name) -> column object */
static int column(lua_State *L)
{
    hal_table *t = hal_arg_table(L, 1, "column");
    hal_err err = HAL_ERR_INIT;
    size_t i_col = 0;
    if (hal_table_require(t, hal_arg_text(L, 2, "column name"), &i_col, &err))
        return hal_raise(L, &err);
    hal_column_object *c = hal_column_push(L);
    c->table = hal_table_ref(t);
    c->i_col = i_col;
    return 1;
}

/* --- Groups, joins, matches ---------------------------------------------------------------------
 */

static hal_table *make_groups(work *w, hal_err *err)
{
    return hal_table_group(w->left, w->a, w->first, w->measures, w->n, err);
}

/* group(t, {keys}, {names}, {measures}, {columns or false}) */
static int group(lua_State *L)
{
    hal_table *t = hal_arg_table(L, 1, "group");
    size_t n_keys = list_length(L, 2, "group"), n = list_length(L, 3, "group");
    if (list_length(L, 4, "group") != n || list_length(L, 5, "group") != n)
        return hal_bind_fail(L, HAL_E_USAGE, "group: lists of different length");
    work *w = new_work(L, t, NULL, make_groups);
    w->n = n;
    w->first = n_keys;
    w->a = room(L, n_keys, sizeof *w->a);
    w->measures = room(L, n, sizeof *w->measures);
    read_columns(L, 2, t, "group: column name", n_keys, w->a);
    read_texts(L, 3, "group: name", w);
    for (size_t i = 0; i < n; i++) {
        hal_measure *m = &w->measures[i];
        hal_err err = HAL_ERR_INIT;
        m->name = w->texts[i];
        lua_rawgeti(L, 4, (lua_Integer)i + 1);
        if (hal_aggregate_from_name(&m->aggregate, hal_arg_text(L, -1, "group: measure"), &err))
            return hal_raise(L, &err);
        lua_rawgeti(L, 5, (lua_Integer)i + 1);
        if (lua_type(L, -1) == LUA_TSTRING) {
            if (hal_table_require(t, hal_arg_text(L, -1, "group: column"), &m->i_col, &err))
                return hal_raise(L, &err);
        } else if (m->aggregate == HAL_AGGREGATE_COUNT) {
            m->aggregate = HAL_AGGREGATE_ROWS;
        } else {
            return hal_bind_fail(L, HAL_E_USAGE,
                                 "group: \"%s\" needs a column: {\"%s\", \"column\"}",
                                 lua_tostring(L, -2), lua_tostring(L, -2));
        }
        lua_pop(L, 2);
    }
    return start(L, w);
}

static hal_table *make_join(work *w, hal_err *err)
{
    hal_join join = {.left = w->a,
                     .right = w->b,
                     .n_keys = w->first,
                     .keep_left = w->flags[0],
                     .suffix = w->texts[0]};
    return hal_table_join(w->left, w->right, &join, err);
}

/* join(left, right, {left keys}, {right keys}, keep left rows, {suffix}) */
static int join(lua_State *L)
{
    hal_table *l = hal_arg_table(L, 1, "join"), *r = hal_arg_table(L, 2, "join: the other table");
    size_t n = list_length(L, 3, "join");
    work *w = new_work(L, l, r, make_join);
    w->n = 1;
    w->first = n;
    w->a = room(L, n, sizeof *w->a);
    w->b = room(L, n, sizeof *w->b);
    w->flags = room(L, 1, sizeof *w->flags);
    w->flags[0] = lua_toboolean(L, 5);
    read_columns(L, 3, l, "join: key", n, w->a);
    read_columns(L, 4, r, "join: key", n, w->b);
    read_texts(L, 6, "join: suffix", w);
    return start(L, w);
}

static hal_table *make_match(work *w, hal_err *err)
{
    return hal_table_match(w->left, w->right, &w->spec, NULL, err);
}

/* match(left, right, n_nearest or 0, {texts in the order of `place`; "" is none}) */
static int match(lua_State *L)
{
    hal_table *l = hal_arg_table(L, 1, "match"), *r = hal_arg_table(L, 2, "match: the other table");
    lua_Integer nearest = hal_arg_integer(L, 3, "match: n");
    if (nearest < 0 || nearest > HAL_MATCH_NEAREST_MAX)
        return hal_bind_fail(L, HAL_E_USAGE, "match: n is 1 to %d", HAL_MATCH_NEAREST_MAX);
    work *w = new_work(L, l, r, make_match);
    hal_pairing *p = &w->spec;
    const char *mode = NULL;
    const char **place[] = {&p->radius, &p->other_radius, &mode,        &p->how,    &p->ra[0],
                            &p->dec[0], &p->ra[1],        &p->dec[1],   &p->suffix, &p->pm[0],
                            &p->pm[1],  &p->epoch[0],     &p->epoch[1], &p->at};
    w->n = sizeof place / sizeof *place;
    read_texts(L, 4, "match: an option", w);
    for (size_t i = 0; i < w->n; i++)
        *place[i] = *w->texts[i] ? w->texts[i] : NULL;
    hal_err err = HAL_ERR_INIT;
    if (mode && hal_match_mode_from_name(&p->match.mode, mode, &err))
        return hal_raise(L, &err);
    p->match.n_nearest = (uint32_t)nearest;
    p->match.n_threads = MATCH_THREADS;
    p->match.stop = &w->stop;
    return start(L, w);
}

/* --- read ---------------------------------------------------------------------------------------
 */

static hal_table *read_all(work *w, int fd, hal_err *err)
{
    hal_reader_options options = {.table = *w->texts[1] ? w->texts[1] : NULL,
                                  .as_named = w->first != HAL_FORMAT_AUTO};
    hal_reader *reader = hal_reader_new_with((hal_format)w->first, &options, err);
    char *bytes = hal_malloc(READ_BYTES);
    hal_table *t = NULL;
    hal_answer answer;
    hal_status st = !reader ? HAL_E_NOMEM : bytes ? HAL_OK : hal_err_nomem(err, READ_BYTES);
    while (!st) {
        if (atomic_load(&w->stop)) {
            st = hal_err_set(err, HAL_E_CANCELLED, "interrupted");
            break;
        }
        ssize_t n = read(fd, bytes, READ_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            st = hal_err_errno(err, errno, "cannot read %s", w->texts[0]);
        else if (n > 0)
            st = hal_reader_feed(reader, bytes, (size_t)n, err);
        if (n <= 0)
            break;
    }
    if (!st)
        st = hal_reader_finish(reader, &answer, &t, err);
    hal_reader_free(reader);
    hal_free(bytes);
    if (st)
        hal_err_note(err, st, "%s", w->texts[0]);
    else if (answer.status != HAL_ANSWER_COMPLETE)
        hal_err_set(err, HAL_E_ARCHIVE, "%s is no table but an archive's message: %s", w->texts[0],
                    answer.status >= HAL_ANSWER_ERROR ? answer.message : "still executing");
    else if (hal_table_require_whole(t, err)) {
        hal_table_unref(t);
        t = NULL;
    } else if (!options.table)
        hal_answer_others(&answer, w->texts[0], "{ table = N }", w->warning);
    return t;
}

static int read_push(lua_State *L, hal_op *op)
{
    const work *w = (work *)op;
    if (*w->warning)
        hal_host_log(hal_host_of(L), "warning", w->warning);
    return work_push(L, op);
}

static hal_table *make_read(work *w, hal_err *err)
{
    int fd = hal_files_open_below(w->texts[2], w->texts[0]);
    if (fd < 0 && errno == ENOENT)
        hal_err_set(err, HAL_E_NOT_FOUND, "there is no file %s below the output folder",
                    w->texts[0]);
    else if (fd < 0 && (errno == EACCES || errno == ELOOP || errno == ENOTDIR))
        hal_err_set(err, HAL_E_PERMISSION,
                    "%s cannot be read: tables are read below the output folder, and not through "
                    "links",
                    w->texts[0]);
    else if (fd < 0)
        hal_err_errno(err, errno, "cannot open %s", w->texts[0]);
    hal_table *t = fd < 0 ? NULL : read_all(w, fd, err);
    if (fd >= 0)
        close(fd);
    return t;
}

/* read({path, table or "", output folder}, format) */
static int read_file(lua_State *L)
{
    lua_settop(L, 2);
    if (list_length(L, 1, "read") != 2)
        return hal_bind_fail(L, HAL_E_USAGE, "read: a path and a table");
    const char *format = lua_isnil(L, 2) ? "auto" : hal_arg_text(L, 2, "read: format");
    const char *root = hal_host_setting(hal_host_of(L), "output");
    if (!root || !*root)
        return hal_bind_fail(L, HAL_E_USAGE, "no output folder: choose one with --output");
    work *w = new_work(L, NULL, NULL, make_read);
    w->op.push = read_push;
    hal_format f = HAL_FORMAT_AUTO;
    hal_err err = HAL_ERR_INIT;
    if (hal_format_from_name(&f, format, &err))
        return hal_raise(L, &err);
    if (!hal_format_is_read(f))
        return hal_bind_fail(L, HAL_E_USAGE, "cannot read %s", format);
    w->first = (uint64_t)f;
    w->n = 3;
    lua_pushstring(L, root);
    lua_rawseti(L, 1, 3);
    read_texts(L, 1, "read: path", w);
    return start(L, w);
}

/* format_of(path) -> name of the format its ending tells, or nil */
static int format_of(lua_State *L)
{
    hal_format f = hal_format_of_path(hal_arg_text(L, 1, "path"));
    if (f == HAL_FORMAT_AUTO || !hal_format_is_written(f))
        lua_pushnil(L);
    else
        lua_pushstring(L, hal_format_name(f));
    return 1;
}

void hal_table_add_functions(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"sort", sort},           {"unique", unique},   {"chosen", chosen},
        {"slice", slice},         {"columns", columns}, {"with", with},
        {"column", column},       {"group", group},     {"mjd", mjd},
        {"join", join},           {"match", match},     {"read", read_file},
        {"format_of", format_of}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
