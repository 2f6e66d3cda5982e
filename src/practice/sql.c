/* SPDX-License-Identifier: BSD-3-Clause */
#include "practice/sql.h"

#include "practice/caom.h"
#include "practice/sql_number.h"
#include "practice/sql_table.h"

#include "base/alloc.h"
#include "sky/angle.h"
#include "sky/healpix.h"

#include <ctype.h>
#include <math.h>
#include <string.h>
#include <time.h>

enum {
    STARS_DEFAULT = 20000000, /* a statement may look at so many, as a question of the portal may */
    SECONDS_DEFAULT = 60,
    OPERATIONS_BETWEEN_CHECKS = 20000,
    VALUE_BYTES_MAX = 16 * 1024 * 1024
};

struct hal_sql {
    sqlite3 *db;
    sqlite3_stmt *insert; /* into the table added last */
    sqlite3_stmt *statement;
    int n_positional; /* the last parameter "?" that has a value */
    int n_bound;
    bool has_begun;
    hal_sql_tables tables;
    double seconds_max, seconds_used;
    uint64_t stars_max;
    struct timespec began; /* the call to sqlite3_step under way */
    bool out_of_time;
};

static hal_status fail(hal_sql *q, hal_err *err)
{
    int code = sqlite3_errcode(q->db);
    if (code == SQLITE_NOMEM)
        return hal_err_nomem(err, 0);
    return hal_err_set(err, HAL_E_USAGE, "%s", sqlite3_errmsg(q->db));
}

/* ---- functions of the dialect ---- */

/* pause(s): waits, at most a second, for answers that come when something has changed. */
static void pause_s(sqlite3_context *out, int n, sqlite3_value **v)
{
    (void)n;
    double s = sqlite3_value_double(v[0]);
    if (s > 0)
        nanosleep(&(struct timespec){s >= 1, s >= 1 ? 0 : (long)(s * 1e9)}, NULL);
    sqlite3_result_null(out);
}

static void separation(sqlite3_context *out, int n, sqlite3_value **v)
{
    double x[4];
    for (int i = 0; i < n; i++) {
        if (sqlite3_value_type(v[i]) == SQLITE_NULL)
            return;
        x[i] = sqlite3_value_double(v[i]);
    }
    sqlite3_result_double(out, hal_separation_deg(x[0], x[1], x[2], x[3]));
}

/* A text as words in lower case with a blank on each side of each; what is neither letter nor digit
 * parts them. */
static void words(sqlite3_context *out, int n, sqlite3_value **v)
{
    (void)n;
    const char *text = (const char *)sqlite3_value_text(v[0]);
    sqlite3_str *s = text ? sqlite3_str_new(NULL) : NULL;
    if (!s)
        return;
    sqlite3_str_appendchar(s, 1, ' ');
    for (bool inside = false; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool letter =
            c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (letter || inside)
            sqlite3_str_appendchar(s, 1, !letter ? ' ' : c >= 'A' && c <= 'Z' ? c + 32 : *text);
        inside = letter;
        if (letter && !text[1])
            sqlite3_str_appendchar(s, 1, ' ');
    }
    char *made = sqlite3_str_finish(s);
    if (made)
        sqlite3_result_text(out, made, -1, sqlite3_free);
    else
        sqlite3_result_error_nomem(out);
}

static void random_number(sqlite3_context *out, sqlite3_value **v,
                          double (*make)(uint64_t key, uint64_t stream))
{
    const hal_sql *q = sqlite3_user_data(out);
    if (sqlite3_value_type(v[0]) == SQLITE_NULL)
        return;
    uint64_t key =
        hal_mix(hal_sky_seed(q->tables.sky) ^ hal_mix((uint64_t)sqlite3_value_int64(v[0])));
    sqlite3_result_double(out, make(key, (uint64_t)sqlite3_value_int64(v[1])));
}

static void uniform(sqlite3_context *out, int n, sqlite3_value **v)
{
    (void)n;
    random_number(out, v, hal_unit);
}

static void normal(sqlite3_context *out, int n, sqlite3_value **v)
{
    (void)n;
    random_number(out, v, hal_normal);
}

/* cell(order, ra, dec): the nested HEALPix index */
static void cell(sqlite3_context *out, int n, sqlite3_value **v)
{
    for (int i = 0; i < n; i++)
        if (sqlite3_value_type(v[i]) == SQLITE_NULL)
            return;
    int order = sqlite3_value_int(v[0]);
    double ra = sqlite3_value_double(v[1]), dec = sqlite3_value_double(v[2]);
    if (order < 0 || order > HAL_HEALPIX_ORDER_MAX || !isfinite(ra) || !(fabs(dec) <= 90.0))
        return;
    sqlite3_result_int64(out, (sqlite3_int64)hal_healpix_index(order, hal_ra_canonical(ra), dec));
}

/* catalog_rows(name): how many there are, from the cells and not row by row. */
static void catalog_rows(sqlite3_context *out, int n, sqlite3_value **v)
{
    (void)n;
    const hal_sql *q = sqlite3_user_data(out);
    const char *name = (const char *)sqlite3_value_text(v[0]);
    uint64_t total = 0, of_mission[HAL_COLLECTIONS];
    hal_err err = HAL_ERR_INIT;
    if (name && !strcmp(name, hal_catalog_name(HAL_CATALOG_OBSERVATIONS))) {
        hal_caom_totals(hal_sky_seed(q->tables.sky), of_mission);
        for (int i = 0; i < HAL_COLLECTIONS; i++)
            total += of_mission[i];
    } else if (name && !strcmp(name, hal_catalog_name(HAL_CATALOG_GAIA))) {
        hal_query all = {.catalog = HAL_CATALOG_GAIA, .limit = UINT64_MAX};
        hal_rows *rows = hal_rows_new(q->tables.sky, &all, &err);
        hal_status st = rows ? hal_rows_count(rows, &total, &err) : err.status;
        hal_rows_free(rows);
        if (st) {
            sqlite3_result_error(out, err.text, -1);
            return;
        }
    } else { /* the stars of other catalogues have to be looked at */
        sqlite3_result_error(out, "catalog_rows counts gaia and observations", -1);
        return;
    }
    sqlite3_result_int64(out, (sqlite3_int64)total);
}

static int add_functions(hal_sql *q)
{
    static const struct {
        const char *name;
        int n;
        void (*f)(sqlite3_context *, int, sqlite3_value **);
    } functions[] = {{"separation", 4, separation},
                     {"words", 1, words},
                     {"uniform", 2, uniform},
                     {"normal", 2, normal},
                     {"cell", 3, cell},
                     {"pause", 1, pause_s},
                     {"catalog_rows", 1, catalog_rows}};
    int rc = hal_sql_number_register(q->db);
    for (size_t i = 0; i < sizeof functions / sizeof *functions && !rc; i++)
        rc = sqlite3_create_function_v2(q->db, functions[i].name, functions[i].n,
                                        SQLITE_UTF8 | SQLITE_DETERMINISTIC, q, functions[i].f, NULL,
                                        NULL, NULL);
    return rc;
}

/* ---- bounds ---- */

/* A few nanoseconds, in steps of milliseconds: right on average over many calls. */
static struct timespec now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return t;
}

static double since(const struct timespec *start)
{
    struct timespec t = now();
    return (double)(t.tv_sec - start->tv_sec) + 1e-9 * (double)(t.tv_nsec - start->tv_nsec);
}

static int check_time(void *ctx)
{
    hal_sql *q = ctx;
    q->out_of_time = q->seconds_used + since(&q->began) > q->seconds_max;
    return q->out_of_time;
}

/* The statement of a request may read, nothing else. */
static int may_only_read(void *ctx, int action, const char *a, const char *b, const char *c,
                         const char *d)
{
    const hal_sql *q = ctx;
    (void)a, (void)b, (void)c, (void)d;
    return q->tables.declares || action == SQLITE_SELECT || action == SQLITE_READ ||
                   action == SQLITE_FUNCTION || action == SQLITE_RECURSIVE
               ? SQLITE_OK
               : SQLITE_DENY;
}

/* ---- life ---- */

hal_sql *hal_sql_new(hal_sky *sky, hal_err *err)
{
    hal_sql *q = hal_calloc(1, sizeof *q);
    if (!q) {
        hal_err_nomem(err, sizeof *q);
        return NULL;
    }
    q->tables.sky = sky;
    hal_sql_set_limits(q, SECONDS_DEFAULT, STARS_DEFAULT);
    int rc = sqlite3_open_v2(
        ":memory:", &q->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (!rc)
        rc = hal_sql_tables_register(q->db, &q->tables);
    if (!rc)
        rc = add_functions(q);
    if (rc) {
        hal_err_set(err, HAL_E_INTERNAL, "SQLite: %s", sqlite3_errstr(rc));
        hal_sql_free(q);
        return NULL;
    }
    sqlite3_limit(q->db, SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX);
    sqlite3_limit(q->db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_progress_handler(q->db, OPERATIONS_BETWEEN_CHECKS, check_time, q);
    q->began = now();
    return q;
}

void hal_sql_free(hal_sql *q)
{
    if (!q)
        return;
    sqlite3_finalize(q->insert);
    sqlite3_finalize(q->statement);
    sqlite3_close(q->db);
    hal_free(q);
}

void hal_sql_set_limits(hal_sql *q, double seconds, uint64_t stars)
{
    q->seconds_max = seconds;
    q->stars_max = q->tables.budget = stars;
}

/* ---- what the statement may name ---- */

/* Runs a statement without rows that sqlite3_mprintf made; frees it. */
static hal_status run(hal_sql *q, char *text, hal_err *err)
{
    int rc = text ? sqlite3_exec(q->db, text, NULL, NULL, NULL) : SQLITE_NOMEM;
    sqlite3_free(text);
    if (rc == SQLITE_NOMEM)
        return hal_err_nomem(err, 0);
    return rc ? fail(q, err) : HAL_OK;
}

hal_status hal_sql_add_view(hal_sql *q, const char *name, const char *select, hal_err *err)
{
    hal_buf text;
    hal_buf_init(&text, VALUE_BYTES_MAX);
    hal_status st = hal_sql_number_correct(q->db, hal_slice_of(select), &text, err);
    if (!st)
        st = run(q, sqlite3_mprintf("CREATE TEMP VIEW \"%w\" AS %s", name, hal_buf_text(&text)),
                 err);
    hal_buf_clear(&text);
    return st ? hal_err_note(err, st, "%s", name) : HAL_OK;
}

static const char *affinity_of(const char *type)
{
    static const char *const words[][2] = {
        {"int", "INTEGER"}, {"long", "INTEGER"}, {"short", "INTEGER"}, {"bool", "INTEGER"},
        {"float", "REAL"},  {"double", "REAL"},  {"real", "REAL"},     {"char", "TEXT"},
        {"string", "TEXT"}, {"text", "TEXT"}};
    char low[32] = "";
    for (size_t i = 0; type[i] && i + 1 < sizeof low; i++)
        low[i] = (char)tolower((unsigned char)type[i]);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(low, words[i][0]))
            return words[i][1];
    return "";
}

hal_status hal_sql_add_table(hal_sql *q, const char *name, const hal_sql_column *columns, size_t n,
                             hal_err *err)
{
    sqlite3_str *create = sqlite3_str_new(q->db), *insert = sqlite3_str_new(q->db);
    sqlite3_str_appendf(create, "CREATE TEMP TABLE \"%w\"(", name);
    sqlite3_str_appendf(insert, "INSERT INTO \"%w\" VALUES(", name);
    for (size_t i = 0; i < n; i++) {
        sqlite3_str_appendf(create, "%s\"%w\" %s", i ? "," : "", columns[i].name,
                            affinity_of(columns[i].type));
        sqlite3_str_appendall(insert, i ? ",?" : "?");
    }
    sqlite3_str_appendall(create, ")");
    sqlite3_str_appendall(insert, ")");
    char *insert_text = sqlite3_str_finish(insert);
    hal_status st = run(q, sqlite3_str_finish(create), err);
    if (!st) {
        sqlite3_finalize(q->insert);
        q->insert = NULL;
        if (!insert_text || sqlite3_prepare_v2(q->db, insert_text, -1, &q->insert, NULL))
            st = fail(q, err);
    }
    sqlite3_free(insert_text);
    return st ? hal_err_note(err, st, "%s", name) : HAL_OK;
}

static int bind(sqlite3_stmt *s, int i, const hal_cell *v)
{
    switch (v->kind) {
    case HAL_CELL_INT:
    case HAL_CELL_BOOL:
        return sqlite3_bind_int64(s, i, v->value);
    case HAL_CELL_FIXED:
    case HAL_CELL_REAL:
        return sqlite3_bind_double(s, i, hal_cell_number(v));
    case HAL_CELL_TEXT:
        return sqlite3_bind_text(s, i, v->text, (int)v->size, SQLITE_TRANSIENT);
    default:
        return sqlite3_bind_null(s, i);
    }
}

hal_status hal_sql_add_row(hal_sql *q, const hal_cell *cells, size_t n, hal_err *err)
{
    size_t n_columns = (size_t)sqlite3_bind_parameter_count(q->insert);
    if (n > n_columns)
        return hal_err_set(err, HAL_E_USAGE, "a row has %zu values, its table %zu columns", n,
                           n_columns);
    sqlite3_reset(q->insert);
    sqlite3_clear_bindings(q->insert);
    for (size_t i = 0; i < n; i++)
        if (bind(q->insert, (int)i + 1, &cells[i]))
            return fail(q, err);
    return sqlite3_step(q->insert) == SQLITE_DONE ? HAL_OK : fail(q, err);
}

/* ---- the statement ---- */

/* What follows the statement: nothing, or blanks, semicolons and comments. */
static bool is_blank(sqlite3 *db, const char *text)
{
    sqlite3_stmt *s = NULL;
    bool blank = !sqlite3_prepare_v2(db, text, -1, &s, NULL) && !s;
    sqlite3_finalize(s);
    return blank;
}

hal_status hal_sql_prepare(hal_sql *q, hal_slice text, hal_err *err)
{
    hal_buf corrected;
    hal_buf_init(&corrected, VALUE_BYTES_MAX);
    hal_status st = hal_sql_number_correct(q->db, text, &corrected, err);
    const char *rest = "";
    if (!st) {
        sqlite3_finalize(q->insert);
        q->insert = NULL;
        sqlite3_set_authorizer(q->db, may_only_read, q);
        if (sqlite3_prepare_v2(q->db, hal_buf_text(&corrected), (int)corrected.size_bytes,
                               &q->statement, &rest))
            st = fail(q, err);
        else if (!q->statement || !sqlite3_column_count(q->statement))
            st = hal_err_set(err, HAL_E_USAGE, "there is no query");
        else if (!is_blank(q->db, rest))
            st = hal_err_set(err, HAL_E_USAGE, "there is more than one statement");
    }
    hal_buf_clear(&corrected);
    return st;
}

hal_status hal_sql_bind(hal_sql *q, const char *name, const hal_cell *value, hal_err *err)
{
    int n = sqlite3_bind_parameter_count(q->statement), i = 0;
    if (name) {
        i = sqlite3_bind_parameter_index(q->statement, name);
    } else {
        i = q->n_positional + 1;
        while (i <= n && sqlite3_bind_parameter_name(q->statement, i))
            i++;
        q->n_positional = i;
    }
    if (!i || i > n)
        return hal_err_set(err, HAL_E_USAGE, "the statement has no parameter %s",
                           name ? name : "? for one more value");
    q->n_bound++;
    return bind(q->statement, i, value) ? fail(q, err) : HAL_OK;
}

size_t hal_sql_columns(const hal_sql *q)
{
    return (size_t)sqlite3_column_count(q->statement);
}

hal_sql_origin hal_sql_origin_of(const hal_sql *q, size_t i_col)
{
    sqlite3_stmt *s = q->statement;
    int i = (int)i_col;
    return (hal_sql_origin){sqlite3_column_name(s, i), sqlite3_column_decltype(s, i),
                            sqlite3_column_table_name(s, i), sqlite3_column_origin_name(s, i)};
}

static hal_cell cell_of(sqlite3_stmt *s, int i)
{
    switch (sqlite3_column_type(s, i)) {
    case SQLITE_INTEGER:
        return hal_cell_int(sqlite3_column_int64(s, i));
    case SQLITE_FLOAT:
        return hal_cell_real(sqlite3_column_double(s, i));
    case SQLITE_NULL:
        return (hal_cell){.kind = HAL_CELL_NULL};
    default: {
        const char *text = (const char *)sqlite3_column_text(s, i);
        return (hal_cell){.kind = HAL_CELL_TEXT,
                          .text = text ? text : "",
                          .size = text ? (uint32_t)sqlite3_column_bytes(s, i) : 0};
    }
    }
}

static hal_status stopped(hal_sql *q, hal_err *err)
{
    if (q->out_of_time)
        return hal_err_set(err, HAL_E_TIMEOUT, "query takes too long: it was stopped after %g s",
                           q->seconds_max);
    if (q->tables.exhausted)
        return hal_err_set(
            err, HAL_E_TIMEOUT,
            "query takes too long: it reads more than %llu stars one by one; limit it "
            "by position, identifier or magnitude",
            (unsigned long long)q->stars_max);
    return fail(q, err);
}

hal_status hal_sql_next(hal_sql *q, hal_cell *cells, bool *more, hal_err *err)
{
    int n = sqlite3_bind_parameter_count(q->statement);
    if (!q->has_begun && q->n_bound != n)
        return hal_err_set(err, HAL_E_USAGE, "the statement has %d parameters, %d have a value", n,
                           q->n_bound);
    q->has_begun = true;
    q->began = now();
    int rc = sqlite3_step(q->statement);
    q->seconds_used += since(&q->began);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return stopped(q, err);
    *more = rc == SQLITE_ROW;
    for (int i = 0; *more && i < sqlite3_column_count(q->statement); i++)
        cells[i] = cell_of(q->statement, i);
    return HAL_OK;
}
