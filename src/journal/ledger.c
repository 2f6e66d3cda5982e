/* SPDX-License-Identifier: BSD-3-Clause */
#include "journal/ledger.h"

#include "base/alloc.h"
#include "base/crc32.h"
#include "journal/sqlite_lib.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_NAME "ledger.sqlite"
#define REMEDY "run it again with --restart to begin anew"

/* Raised when records mean something else: node texts, ticks of 1e-7 degrees, this schema. In it
 * `sum` is hal_sum of the columns before it: SQLite notices no bit that is flipped in a value. */
enum { VERSION = 3 };

struct hal_ledger {
    const hal_sqlite *lib;
    sqlite3 *db;
    char *folder, *inputs;
    sqlite3_stmt *found; /* whose texts the caller has */
};

static const char schema[] =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS job(id INTEGER PRIMARY KEY CHECK(id=1), service TEXT NOT NULL,"
    " region TEXT NOT NULL, columns TEXT NOT NULL, query TEXT NOT NULL,"
    " capabilities TEXT NOT NULL, inputs TEXT, sum INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS done(node TEXT PRIMARY KEY, rows_returned INTEGER NOT NULL,"
    " rows_kept INTEGER NOT NULL, overshoot_deg REAL NOT NULL, printed_deg REAL NOT NULL,"
    " kept_bytes INTEGER NOT NULL, answer_bytes INTEGER NOT NULL, file INTEGER NOT NULL,"
    " file_bytes INTEGER NOT NULL, next_page TEXT NOT NULL, t0 REAL NOT NULL, t1 REAL NOT NULL,"
    " pending INTEGER NOT NULL, sum INTEGER NOT NULL);"
    "CREATE UNIQUE INDEX IF NOT EXISTS files ON done(file);"
    "CREATE TABLE IF NOT EXISTS told(node TEXT NOT NULL, attempt INTEGER NOT NULL,"
    " answer TEXT NOT NULL, answer_bytes INTEGER NOT NULL, t0 REAL NOT NULL, t1 REAL NOT NULL,"
    " pending INTEGER NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY(node, attempt));"
    "CREATE TABLE IF NOT EXISTS over(node TEXT NOT NULL, attempt INTEGER NOT NULL,"
    " how TEXT NOT NULL, rows_returned INTEGER NOT NULL, rows_kept INTEGER NOT NULL,"
    " overshoot_deg REAL NOT NULL, answer_bytes INTEGER NOT NULL, t0 REAL NOT NULL,"
    " t1 REAL NOT NULL, pending INTEGER NOT NULL, sum INTEGER NOT NULL,"
    " PRIMARY KEY(node, attempt));"
    "CREATE TABLE IF NOT EXISTS finish(state TEXT NOT NULL, sum INTEGER NOT NULL);"
    "COMMIT";

/* --- Statements ---------------------------------------------------------------------------------
 */

static bool is_of_damage(int code)
{
    return code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR ||
           code == SQLITE_READONLY || code == SQLITE_CONSTRAINT || code == SQLITE_MISMATCH ||
           code == SQLITE_TOOBIG;
}

static hal_status failed(const hal_ledger *l, hal_err *err)
{
    int code = l->lib->errcode(l->db) & 0xff;
    if (code == SQLITE_NOMEM)
        return hal_err_nomem(err, 0);
    if (is_of_damage(code)) /* its text may hold what is damaged */
        return hal_err_set(err, HAL_E_INTEGRITY,
                           "%s/" FILE_NAME " is damaged (SQLite's error %d); " REMEDY, l->folder,
                           code);
    return hal_err_set(err, HAL_E_IO, "%s/" FILE_NAME ": %s", l->folder, l->lib->errmsg(l->db));
}

/* `types`, one letter a value: s const char *, i int64_t, u uint64_t, d double. NULL on failure. */
static sqlite3_stmt *prepare(hal_ledger *l, hal_err *err, const char *sql, const char *types, ...)
{
    sqlite3_stmt *s = NULL;
    int code = l->lib->prepare(l->db, sql, -1, &s, NULL);
    va_list values;
    va_start(values, types);
    for (int i = 0; types[i] && code == SQLITE_OK; i++) {
        if (types[i] == 's')
            code = l->lib->bind_text(s, i + 1, va_arg(values, const char *), -1, SQLITE_TRANSIENT);
        else if (types[i] == 'd')
            code = l->lib->bind_double(s, i + 1, va_arg(values, double));
        else
            code = l->lib->bind_int64(s, i + 1, va_arg(values, int64_t));
    }
    va_end(values);
    if (code == SQLITE_OK)
        return s;
    failed(l, err);
    l->lib->finalize(s);
    return NULL;
}

/* Runs a statement that gives no rows, in a transaction of its own. */
static hal_status run(hal_ledger *l, sqlite3_stmt *s, hal_err *err)
{
    if (!s)
        return err->status;
    hal_status st = l->lib->step(s) == SQLITE_DONE ? HAL_OK : failed(l, err);
    l->lib->finalize(s);
    return st;
}

static const char *text_of(const hal_ledger *l, sqlite3_stmt *s, int i)
{
    const char *text = (const char *)l->lib->column_text(s, i);
    return text ? text : "";
}

/* --- Damage -------------------------------------------------------------------------------------
 */

/* hal_sum(value, ...): of the values and where each ends. */
static void sum_values(sqlite3_context *c, int n, sqlite3_value **values)
{
    const hal_sqlite *lib = hal_sqlite_load(NULL);
    uint32_t crc = 0;
    for (int i = 0; i < n; i++) {
        int type = lib->value_type(values[i]);
        const void *bytes = "";
        size_t size = 0;
        sqlite3_int64 whole;
        double number;
        if (type == SQLITE_INTEGER) {
            whole = lib->value_int64(values[i]);
            bytes = &whole;
            size = sizeof whole;
        } else if (type == SQLITE_FLOAT) {
            number = lib->value_double(values[i]);
            bytes = &number;
            size = sizeof number;
        } else if (type != SQLITE_NULL) {
            bytes = lib->value_text(values[i]);
            size = bytes ? strlen(bytes) : 0;
        }
        crc = hal_crc32(crc, bytes, size);
        crc = hal_crc32(crc, &size, sizeof size);
    }
    lib->result_int64(c, crc);
}

#define WITH_SUM(values) values ", hal_sum(" values ")"
#define SUM_JOB(inputs) "hal_sum(service, region, columns, query, capabilities, " inputs ")"

static hal_status check_records(hal_ledger *l, hal_err *err)
{
    sqlite3_stmt *s = prepare(
        l, err,
        "SELECT (SELECT integrity_check FROM pragma_integrity_check(1)) IS NOT 'ok'"
        " OR EXISTS (SELECT 1 FROM job WHERE sum IS NOT " SUM_JOB(
            "inputs") ")"
                      " OR EXISTS (SELECT 1 FROM done WHERE sum IS NOT hal_sum(node, "
                      "rows_returned, rows_kept,"
                      " overshoot_deg, printed_deg, kept_bytes, answer_bytes, file, file_bytes, "
                      "next_page, t0,"
                      " t1, pending))"
                      " OR EXISTS (SELECT 1 FROM told WHERE sum IS NOT hal_sum(node, attempt, "
                      "answer, "
                      "answer_bytes, t0,"
                      " t1, pending))"
                      " OR EXISTS (SELECT 1 FROM over WHERE sum IS NOT hal_sum(node, attempt, how,"
                      " rows_returned, rows_kept, overshoot_deg, answer_bytes, t0, t1, pending))"
                      " OR EXISTS (SELECT 1 FROM finish WHERE sum IS NOT hal_sum(state))",
        "");
    if (!s)
        return err->status;
    hal_status st = l->lib->step(s) == SQLITE_ROW ? HAL_OK : failed(l, err);
    if (!st && l->lib->column_int64(s, 0))
        st = hal_err_set(err, HAL_E_INTEGRITY, "%s/" FILE_NAME " is damaged; " REMEDY, l->folder);
    l->lib->finalize(s);
    return st;
}

/* --- The folder ---------------------------------------------------------------------------------
 */

/* Is there a record of the file? A file is not removed when that cannot be told. */
static bool is_recorded(hal_ledger *l, const char *name, hal_err *err)
{
    char *end;
    uint64_t number = strtoull(name, &end, 10);
    if (end == name || strcmp(end, ".spool") != 0)
        return false;
    sqlite3_stmt *s =
        prepare(l, err, "SELECT 1 FROM done WHERE file=? AND file_bytes>0", "u", number);
    int code = s ? l->lib->step(s) : SQLITE_ERROR;
    if (s && code != SQLITE_ROW && code != SQLITE_DONE)
        failed(l, err);
    l->lib->finalize(s);
    return code != SQLITE_DONE;
}

/* Removes what has no record; without `l` everything. */
static hal_status sweep(const char *folder, hal_ledger *l, hal_err *err)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return hal_err_errno(err, errno, "cannot open %s", folder);
    hal_err local = HAL_ERR_INIT;
    const struct dirent *entry;
    while ((entry = readdir(dir)) && !local.status) {
        const char *name = entry->d_name;
        bool stays =
            l && (!strncmp(name, FILE_NAME, sizeof FILE_NAME - 1) || is_recorded(l, name, &local));
        if (!stays && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
            unlinkat(dirfd(dir), name, 0);
    }
    closedir(dir);
    if (local.status)
        *err = local;
    return local.status;
}

static hal_status check_version(hal_ledger *l, hal_err *err)
{
    sqlite3_stmt *s = prepare(l, err,
                              "SELECT (SELECT user_version FROM pragma_user_version),"
                              " (SELECT count(*) FROM sqlite_master)",
                              "");
    if (!s)
        return err->status;
    hal_status st = l->lib->step(s) == SQLITE_ROW ? HAL_OK : failed(l, err);
    int64_t version = st ? 0 : l->lib->column_int64(s, 0);
    if (!st && version != VERSION && l->lib->column_int64(s, 1) > 0)
        st = hal_err_set(err, HAL_E_INTEGRITY,
                         "%s/" FILE_NAME " was written by another version of Halyard (%" PRId64
                         ", this one writes %d); " REMEDY,
                         l->folder, version, VERSION);
    l->lib->finalize(s);
    return st;
}

static hal_status open_database(hal_ledger *l, hal_err *err)
{
    size_t size = strlen(l->folder) + sizeof "/" FILE_NAME;
    char *path = hal_malloc(size);
    if (!path)
        return hal_err_nomem(err, size);
    snprintf(path, size, "%s/" FILE_NAME, l->folder);
    int code = l->lib->open(path, &l->db,
                            SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    hal_free(path);
    if (!l->db)
        return hal_err_nomem(err, 0);
    if (code != SQLITE_OK ||
        l->lib->create_function(l->db, "hal_sum", -1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                sum_values, NULL, NULL, NULL) != SQLITE_OK)
        return failed(l, err);
    char sql[sizeof schema + 64];
    snprintf(sql, sizeof sql, "%s; PRAGMA user_version=%d", schema, VERSION);
    /* A lock held from the first access on needs no shared memory: any file system will do. */
    hal_status st = HAL_OK;
    if (l->lib->exec(l->db, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL) != SQLITE_OK)
        st = failed(l, err);
    if (!st)
        st = check_version(l, err);
    if (!st && l->lib->exec(l->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        st = failed(l, err);
    return st ? st : check_records(l, err);
}

static hal_status read_inputs(hal_ledger *l, hal_err *err)
{
    sqlite3_stmt *s = prepare(l, err, "SELECT inputs FROM job WHERE inputs IS NOT NULL", "");
    if (!s)
        return err->status;
    int code = l->lib->step(s);
    hal_status st = HAL_OK;
    if (code == SQLITE_ROW && !(l->inputs = hal_strdup(text_of(l, s, 0))))
        st = hal_err_nomem(err, 64);
    else if (code != SQLITE_ROW && code != SQLITE_DONE)
        st = failed(l, err);
    l->lib->finalize(s);
    return st;
}

hal_ledger *hal_ledger_open(const char *folder, bool anew, hal_err *err)
{
    hal_err local = HAL_ERR_INIT;
    err = err ? err : &local;
    const hal_sqlite *lib = hal_sqlite_load(err);
    if (!lib || (anew && sweep(folder, NULL, err)))
        return NULL;
    hal_ledger *l = hal_calloc(1, sizeof *l);
    if (!l) {
        hal_err_nomem(err, sizeof *l);
        return NULL;
    }
    l->lib = lib;
    l->folder = hal_strdup(folder);
    hal_status st = l->folder ? open_database(l, err) : hal_err_nomem(err, 64);
    if (!st)
        st = read_inputs(l, err);
    if (!st)
        st = sweep(folder, l, err);
    if (!st)
        return l;
    hal_ledger_close(l);
    return NULL;
}

static void drop_found(hal_ledger *l)
{
    l->lib->finalize(l->found);
    l->found = NULL;
}

void hal_ledger_close(hal_ledger *l)
{
    if (!l)
        return;
    drop_found(l);
    l->lib->close(l->db);
    hal_free(l->folder);
    hal_free(l->inputs);
    hal_free(l);
}

void hal_ledger_remove(hal_ledger *l)
{
    char *folder = l->folder;
    l->folder = NULL;
    hal_ledger_close(l);
    if (!sweep(folder, NULL, NULL))
        rmdir(folder);
    hal_free(folder);
}

/* --- The job ------------------------------------------------------------------------------------
 */

static hal_status differs(const hal_ledger *l, const char *what, const char *was, const char *now,
                          hal_err *err)
{
    return hal_err_set(err, HAL_E_USAGE,
                       "the run that was interrupted here asked for %s %.120s, this one for "
                       "%.120s: go on with the same query, write elsewhere, or " REMEDY " (%s)",
                       what, was[0] ? was : "(all)", now[0] ? now : "(all)", l->folder);
}

/* Is there nothing to lose: no answers, or a query that was complete? */
static hal_status is_spent(hal_ledger *l, bool *spent, hal_err *err)
{
    sqlite3_stmt *s = prepare(
        l, err,
        "SELECT EXISTS (SELECT 1 FROM finish WHERE state='complete') OR NOT (EXISTS (SELECT 1 FROM "
        "done) OR EXISTS (SELECT 1 FROM told) OR EXISTS (SELECT 1 FROM over))",
        "");
    if (!s)
        return err->status;
    hal_status st = l->lib->step(s) == SQLITE_ROW ? HAL_OK : failed(l, err);
    *spent = !st && l->lib->column_int64(s, 0) != 0;
    l->lib->finalize(s);
    return st;
}

static hal_status forget(hal_ledger *l, hal_err *err)
{
    static const char sql[] =
        "BEGIN IMMEDIATE; DELETE FROM job; DELETE FROM done; DELETE FROM told;"
        " DELETE FROM over; DELETE FROM finish; COMMIT";
    if (l->lib->exec(l->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return failed(l, err);
    hal_free(l->inputs);
    l->inputs = NULL;
    return sweep(l->folder, l, err);
}

hal_status hal_ledger_begin(hal_ledger *l, const hal_ledger_job *job, hal_err *err)
{
    hal_err local = HAL_ERR_INIT;
    err = err ? err : &local;
    static const char *const names[] = {"another service:", "another region:", "other columns:",
                                        "other criteria or options:", "other service limits:"};
    const char *now[] = {job->service, job->region, job->columns, job->query, job->capabilities};
    sqlite3_stmt *s =
        prepare(l, err, "SELECT service, region, columns, query, capabilities FROM job", "");
    if (!s)
        return err->status;
    int code = l->lib->step(s);
    hal_status st = code == SQLITE_ROW || code == SQLITE_DONE ? HAL_OK : failed(l, err);
    hal_err refusal = HAL_ERR_INIT;
    for (int i = 0; i < 5 && code == SQLITE_ROW && !refusal.status; i++)
        if (strcmp(text_of(l, s, i), now[i]) != 0)
            (void)differs(l, names[i], text_of(l, s, i), now[i], &refusal);
    l->lib->finalize(s);
    bool spent = false;
    if (!st && refusal.status)
        st = is_spent(l, &spent, err);
    if (st || (code == SQLITE_ROW && !refusal.status))
        return st;
    if (refusal.status && !spent) {
        *err = refusal;
        return refusal.status;
    }
    if (spent && (st = forget(l, err)))
        return st;
    return run(l,
               prepare(l, err,
                       "INSERT INTO job(service, region, columns, query, capabilities, sum) "
                       "VALUES(?1,?2,?3,?4,?5,hal_sum(?1,?2,?3,?4,?5,NULL))",
                       "sssss", now[0], now[1], now[2], now[3], now[4]),
               err);
}

hal_status hal_ledger_set_inputs(hal_ledger *l, const char *inputs, hal_err *err)
{
    hal_err local = HAL_ERR_INIT;
    err = err ? err : &local;
    char *copy = hal_strdup(inputs);
    if (!copy)
        return hal_err_nomem(err, strlen(inputs));
    hal_status st =
        run(l, prepare(l, err, "UPDATE job SET inputs=?1, sum=" SUM_JOB("?1"), "s", inputs), err);
    if (st) {
        hal_free(copy);
        return st;
    }
    hal_free(l->inputs);
    l->inputs = copy;
    return HAL_OK;
}

const char *hal_ledger_inputs(const hal_ledger *l)
{
    return l->inputs;
}

/* --- Records ------------------------------------------------------------------------------------
 */

hal_status hal_ledger_extent_of(hal_ledger *l, hal_ledger_extent *out, hal_err *err)
{
    hal_err local = HAL_ERR_INIT;
    err = err ? err : &local;
    sqlite3_stmt *s = prepare(
        l, err,
        "WITH a AS (SELECT t0, t1, pending FROM done UNION ALL SELECT t0, t1, pending FROM "
        "told UNION ALL SELECT t0, t1, pending FROM over) SELECT count(*), coalesce((SELECT "
        "pending FROM a ORDER BY t1 DESC LIMIT 1), 0), (SELECT coalesce(max(file), 0) FROM "
        "done), coalesce(min(t0), 0), coalesce(max(t1), 0) FROM a",
        "");
    if (!s)
        return err->status;
    hal_status st = l->lib->step(s) == SQLITE_ROW ? HAL_OK : failed(l, err);
    if (!st)
        *out = (hal_ledger_extent){(uint64_t)l->lib->column_int64(s, 0),
                                   (uint64_t)l->lib->column_int64(s, 1),
                                   (uint64_t)l->lib->column_int64(s, 2),
                                   l->lib->column_double(s, 3), l->lib->column_double(s, 4)};
    l->lib->finalize(s);
    return st;
}

hal_status hal_ledger_put(hal_ledger *l, const hal_ledger_record *r, hal_err *err)
{
    hal_err local = HAL_ERR_INIT;
    err = err ? err : &local;
    sqlite3_stmt *s;
    if (r->kind == HAL_LEDGER_DONE)
        s = prepare(l, err,
                    "INSERT OR REPLACE INTO done VALUES(" WITH_SUM(
                        "?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13") ")",
                    "suudduuuusddu", r->node, r->n_returned, r->n_kept, r->overshoot_deg,
                    r->printed_deg, r->kept_bytes, r->answer_bytes, r->file, r->file_bytes, r->text,
                    r->began, r->ended, r->n_pending);
    else if (r->kind == HAL_LEDGER_TOLD)
        s = prepare(l, err,
                    "INSERT OR REPLACE INTO told VALUES(" WITH_SUM("?1,?2,?3,?4,?5,?6,?7") ")",
                    "sisuddu", r->node, r->attempt, r->text, r->answer_bytes, r->began, r->ended,
                    r->n_pending);
    else
        s = prepare(
            l, err,
            "INSERT OR REPLACE INTO over VALUES(" WITH_SUM("?1,?2,?3,?4,?5,?6,?7,?8,?9,?10") ")",
            "sisuududdu", r->node, r->attempt, r->text, r->n_returned, r->n_kept, r->overshoot_deg,
            r->answer_bytes, r->began, r->ended, r->n_pending);
    return run(l, s, err);
}

/* The first row of a statement stays with `l`, so that its texts live. */
static hal_status find(hal_ledger *l, sqlite3_stmt *s, bool *found, hal_err *err)
{
    if (!s)
        return err->status;
    drop_found(l);
    l->found = s;
    int code = l->lib->step(s);
    *found = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ? HAL_OK : failed(l, err);
}

static uint64_t count_at(const hal_ledger *l, int i)
{
    return (uint64_t)l->lib->column_int64(l->found, i);
}

static hal_status find_done(hal_ledger *l, hal_ledger_record *r, hal_err *err)
{
    bool found;
    hal_status st =
        find(l,
             prepare(l, err,
                     "SELECT rows_returned, rows_kept, overshoot_deg, printed_deg, kept_bytes, "
                     "answer_bytes, file, file_bytes, next_page, t0, t1 FROM done WHERE node=?",
                     "s", r->node),
             &found, err);
    if (st || !found)
        return st;
    r->kind = HAL_LEDGER_DONE;
    r->n_returned = count_at(l, 0);
    r->n_kept = count_at(l, 1);
    r->overshoot_deg = l->lib->column_double(l->found, 2);
    r->printed_deg = l->lib->column_double(l->found, 3);
    r->kept_bytes = count_at(l, 4);
    r->answer_bytes = count_at(l, 5);
    r->file = count_at(l, 6);
    r->file_bytes = count_at(l, 7);
    r->text = text_of(l, l->found, 8);
    r->began = l->lib->column_double(l->found, 9);
    r->ended = l->lib->column_double(l->found, 10);
    return HAL_OK;
}

static hal_status find_told(hal_ledger *l, hal_ledger_record *r, hal_err *err)
{
    bool found;
    hal_status st = find(l,
                         prepare(l, err,
                                 "SELECT answer, answer_bytes, t0, t1 FROM told WHERE node=? AND "
                                 "attempt>=? ORDER BY attempt LIMIT 1",
                                 "si", r->node, r->attempt),
                         &found, err);
    if (st || !found)
        return st;
    r->kind = HAL_LEDGER_TOLD;
    r->text = text_of(l, l->found, 0);
    r->answer_bytes = count_at(l, 1);
    r->began = l->lib->column_double(l->found, 2);
    r->ended = l->lib->column_double(l->found, 3);
    return HAL_OK;
}

static hal_status find_over(hal_ledger *l, hal_ledger_record *r, hal_err *err)
{
    bool found;
    hal_status st = find(l,
                         prepare(l, err,
                                 "SELECT how, rows_returned, rows_kept, overshoot_deg, "
                                 "answer_bytes, t0, t1 FROM over WHERE node=? AND attempt=?",
                                 "si", r->node, r->attempt),
                         &found, err);
    if (st || !found)
        return st;
    r->kind = HAL_LEDGER_OVER;
    r->text = text_of(l, l->found, 0);
    r->n_returned = count_at(l, 1);
    r->n_kept = count_at(l, 2);
    r->overshoot_deg = l->lib->column_double(l->found, 3);
    r->answer_bytes = count_at(l, 4);
    r->began = l->lib->column_double(l->found, 5);
    r->ended = l->lib->column_double(l->found, 6);
    return HAL_OK;
}

hal_status hal_ledger_find(hal_ledger *l, const char *node, int64_t attempt, hal_ledger_record *out,
                           hal_err *err)
{
    hal_err local = HAL_ERR_INIT;
    err = err ? err : &local;
    hal_ledger_record r = {.node = node, .attempt = attempt, .text = ""};
    hal_status st = find_done(l, &r, err);
    if (!st && !r.kind)
        st = find_told(l, &r, err);
    if (!st && !r.kind)
        st = find_over(l, &r, err);
    if (!st)
        *out = r;
    return st;
}

hal_status hal_ledger_finish(hal_ledger *l, const char *state, hal_err *err)
{
    hal_err local = HAL_ERR_INIT;
    err = err ? err : &local;
    hal_status st = HAL_OK;
    if (strcmp(state, "complete") != 0)
        st = run(l, prepare(l, err, "DELETE FROM over WHERE how IN ('ambiguous','stalled')", ""),
                 err);
    if (!st)
        st = run(l, prepare(l, err, "INSERT INTO finish VALUES(" WITH_SUM("?1") ")", "s", state),
                 err);
    return st;
}
