/* SPDX-License-Identifier: BSD-3-Clause */
#include "practice/sql_table.h"

#include "practice/caom.h"

#include "base/alloc.h"
#include "sky/angle.h"

#include <math.h>
#include <strings.h>

enum { CELLS_MAX = 64 };

typedef enum kind { KIND_TEXT, KIND_INTEGER, KIND_REAL } kind;

/* A table of the connection. Hidden columns stand behind those of the catalogue. */
typedef struct table {
    sqlite3_vtab base; /* first: SQLite's */
    hal_sql_tables *all;
    hal_catalog catalog;
    int n_columns;
    kind kinds[CELLS_MAX];
    int ra, dec, distance; /* -1: none */
    bool has_circle;
} table;

enum { CIRCLE_RA, CIRCLE_DEC, CIRCLE_RADIUS, CIRCLE_PARTS };

typedef struct cursor {
    sqlite3_vtab_cursor base;
    hal_rows *rows;
    hal_rows *parents; /* a scan of all products: the observations */
    uint64_t last_parent;
    bool at_end, in_circle;
    double circle[CIRCLE_PARTS];
    sqlite3_int64 n;
    hal_cell cells[CELLS_MAX];
} cursor;

/* What xBestIndex tells xFilter of an argument: one letter, then the column. */
enum {
    OP_CIRCLE = 'c',
    OP_VALUE = 'v',
    OP_LIST = 'l',
    OP_EQUAL = '=',
    OP_BELOW = '<',
    OP_ABOVE = '>'
};
enum { COLUMN_BASE = '0' };

/* Identifiers are declared as text to the portal and are integers of 64 bits all the same. */
static bool is_identifier(const char *name)
{
    static const char *const names[] = {"source_id", "ID",    "GAIA",  "objID",
                                        "objID1",    "obsid", "obsID", "parent_obsid"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i], name))
            return true;
    return false;
}

static kind kind_of(const hal_practice_column *c)
{
    if (!strcmp(c->type, "float"))
        return KIND_REAL;
    return is_identifier(c->name) || strcmp(c->type, "string") != 0 ? KIND_INTEGER : KIND_TEXT;
}

/* ---- connecting ---- */

static int declare(sqlite3 *db, table *t)
{
    static const char *const types[] = {"TEXT", "INTEGER", "REAL"};
    size_t n;
    const hal_practice_column *columns = hal_catalog_columns(t->catalog, &n);
    sqlite3_str *s = sqlite3_str_new(db);
    sqlite3_str_appendall(s, "CREATE TABLE t(");
    for (size_t i = 0; i < n; i++) {
        t->kinds[i] = kind_of(&columns[i]);
        sqlite3_str_appendf(s, "%s\"%w\" %s", i ? "," : "", columns[i].name, types[t->kinds[i]]);
    }
    if (t->has_circle)
        sqlite3_str_appendall(s, ",circle_ra REAL HIDDEN,circle_dec REAL HIDDEN"
                                 ",circle_radius REAL HIDDEN");
    sqlite3_str_appendall(s, ")");
    char *text = sqlite3_str_finish(s);
    t->all->declares = true; /* the authorizer is asked about this, too */
    int rc = text ? sqlite3_declare_vtab(db, text) : SQLITE_NOMEM;
    t->all->declares = false;
    sqlite3_free(text);
    return rc;
}

static int connect_table(sqlite3 *db, void *aux, int argc, const char *const *argv,
                         sqlite3_vtab **out, char **message)
{
    (void)argc;
    (void)message;
    table *t = sqlite3_malloc(sizeof *t);
    if (!t)
        return SQLITE_NOMEM;
    memset(t, 0, sizeof *t);
    t->all = aux;
    const char *name = argv[0];
    t->catalog = hal_catalog_find(strncmp(name, "sky_", 4) ? name : name + 4);
    size_t n;
    const hal_practice_column *columns = hal_catalog_columns(t->catalog, &n);
    t->n_columns = (int)n;
    t->has_circle = t->catalog != HAL_CATALOG_PRODUCTS;
    bool stars = t->catalog <= HAL_CATALOG_GALEX;
    t->ra = hal_catalog_column(t->catalog, stars ? "ra" : "s_ra");
    t->dec = hal_catalog_column(t->catalog, stars ? "dec" : "s_dec");
    t->distance = t->has_circle && columns[n - 1].is_distance ? (int)n - 1 : -1;
    int rc = declare(db, t);
    if (rc) {
        sqlite3_free(t);
        return rc;
    }
    *out = &t->base;
    return SQLITE_OK;
}

static int disconnect_table(sqlite3_vtab *v)
{
    sqlite3_free(v);
    return SQLITE_OK;
}

/* ---- planning ---- */

static int fail(table *t, const char *message)
{
    sqlite3_free(t->base.zErrMsg);
    t->base.zErrMsg = sqlite3_mprintf("%s", message);
    return SQLITE_ERROR;
}

/* Columns whose values lead straight to the rows, or leave much out. */
static bool finds_rows(const table *t, int column)
{
    static const char *const names[][3] = {{"source_id"},
                                           {"ID", "GAIA"},
                                           {"ID", "GAIA"},
                                           {"objID"},
                                           {"obsid", "obs_collection"},
                                           {"obsID", "parent_obsid", "dataURI"}};
    for (int i = 0; i < 3 && names[t->catalog][i]; i++)
        if (hal_catalog_column(t->catalog, names[t->catalog][i]) == column)
            return true;
    return false;
}

typedef struct plan {
    char *text; /* two letters for each argument */
    int n;
    bool circle, values, missions, ra, dec, magnitude;
} plan;

static void take(plan *p, sqlite3_index_info *info, int i, char op, int column, bool omit)
{
    p->text[2 * p->n] = op;
    p->text[2 * p->n + 1] = (char)(COLUMN_BASE + column);
    info->aConstraintUsage[i].argvIndex = ++p->n;
    info->aConstraintUsage[i].omit = omit;
}

/* The three parts of a circle, all or none. */
static int take_circle(table *t, plan *p, sqlite3_index_info *info)
{
    int at[CIRCLE_PARTS] = {-1, -1, -1}, n = 0;
    bool later = false;
    for (int i = 0; i < info->nConstraint; i++) {
        const struct sqlite3_index_constraint *c = &info->aConstraint[i];
        int part = c->iColumn - t->n_columns;
        if (part < 0 || part >= CIRCLE_PARTS || c->op != SQLITE_INDEX_CONSTRAINT_EQ)
            continue;
        later |= !c->usable;
        if (c->usable && at[part] < 0) {
            at[part] = i;
            n++;
        }
    }
    if (later) /* it depends on a table that this order of joining reads later */
        return SQLITE_CONSTRAINT;
    if (n && n < CIRCLE_PARTS)
        return fail(t, "a circle needs circle_ra, circle_dec and circle_radius, all joined by AND");
    for (int part = 0; n && part < CIRCLE_PARTS; part++)
        take(p, info, at[part], OP_CIRCLE, part, true);
    p->circle = n;
    return SQLITE_OK;
}

static bool is_magnitude(const table *t, int column)
{
    return column == hal_catalog_column(t->catalog, "phot_g_mean_mag") ||
           column == hal_catalog_column(t->catalog, "GAIAmag") ||
           column == hal_catalog_column(t->catalog, "Tmag");
}

static void take_condition(table *t, plan *p, sqlite3_index_info *info, int i)
{
    const struct sqlite3_index_constraint *c = &info->aConstraint[i];
    int column = c->iColumn;
    if (!c->usable || column < 0 || column >= t->n_columns)
        return;
    bool equal = c->op == SQLITE_INDEX_CONSTRAINT_EQ;
    bool below = c->op == SQLITE_INDEX_CONSTRAINT_LT || c->op == SQLITE_INDEX_CONSTRAINT_LE;
    bool above = c->op == SQLITE_INDEX_CONSTRAINT_GT || c->op == SQLITE_INDEX_CONSTRAINT_GE;
    if (equal && finds_rows(t, column)) {
        bool list = sqlite3_vtab_in(info, i, 1);
        take(p, info, i, list ? OP_LIST : OP_VALUE, column, false);
        if (t->kinds[column] == KIND_TEXT && t->catalog == HAL_CATALOG_OBSERVATIONS)
            p->missions = true;
        else
            p->values = true;
    } else if (t->kinds[column] == KIND_REAL && column != t->distance &&
               (equal || below || above)) {
        take(p, info, i, equal ? OP_EQUAL : below ? OP_BELOW : OP_ABOVE, column, false);
        p->ra |= column == t->ra;
        p->dec |= column == t->dec;
        p->magnitude |= !above && is_magnitude(t, column);
    }
}

/* How many rows the plan reads, roughly: enough to put the tables of a join in order. */
static double rows_of(const table *t, const plan *p)
{
    double n = t->catalog == HAL_CATALOG_GAIA           ? 1e9
               : t->catalog >= HAL_CATALOG_OBSERVATIONS ? 1e7
                                                        : 3e8;
    if (p->values)
        return 2;
    if (p->circle)
        n *= 1e-6;
    else if (p->ra && p->dec)
        n *= 1e-5;
    else if (p->ra || p->dec)
        n *= 0.1;
    if (p->missions)
        n *= 0.2;
    if (p->magnitude)
        n *= 0.1;
    return n;
}

static int plan_table(sqlite3_vtab *v, sqlite3_index_info *info)
{
    table *t = (table *)v;
    plan p = {.text = sqlite3_malloc(2 * info->nConstraint + 1)};
    if (!p.text)
        return SQLITE_NOMEM;
    int rc = t->has_circle ? take_circle(t, &p, info) : SQLITE_OK;
    if (rc) {
        sqlite3_free(p.text);
        return rc;
    }
    for (int i = 0; i < info->nConstraint; i++)
        take_condition(t, &p, info, i);
    p.text[2 * p.n] = 0;
    info->idxStr = p.text;
    info->needToFreeIdxStr = 1;
    double rows = rows_of(t, &p);
    info->estimatedRows = (sqlite3_int64)(rows < 1 ? 1 : rows);
    info->estimatedCost = 10 + rows;
    return SQLITE_OK;
}

/* ---- reading ---- */

static int open_cursor(sqlite3_vtab *v, sqlite3_vtab_cursor **out)
{
    (void)v;
    cursor *c = sqlite3_malloc(sizeof *c);
    if (!c)
        return SQLITE_NOMEM;
    memset(c, 0, sizeof *c);
    *out = &c->base;
    return SQLITE_OK;
}

static void clear_cursor(cursor *c)
{
    hal_rows_free(c->rows);
    hal_rows_free(c->parents);
    c->rows = c->parents = NULL;
}

static int close_cursor(sqlite3_vtab_cursor *v)
{
    clear_cursor((cursor *)v);
    sqlite3_free(v);
    return SQLITE_OK;
}

static int fail_with(table *t, const hal_err *err)
{
    if (err->status == HAL_E_NOMEM)
        return SQLITE_NOMEM;
    t->all->exhausted |= err->status == HAL_E_TIMEOUT;
    return fail(t, err->text);
}

static hal_filter *filter_of(hal_query *q, int column, bool range)
{
    for (size_t i = 0; i < q->n_filters; i++)
        if (range && q->filters[i].column == column && q->filters[i].ranges)
            return &q->filters[i];
    hal_filter *f = &q->filters[q->n_filters];
    *f = (hal_filter){.column = column};
    if (range) {
        f->ranges = hal_malloc(sizeof *f->ranges);
        if (!f->ranges)
            return NULL;
        f->n_ranges = 1;
        f->ranges[0][0] = -INFINITY;
        f->ranges[0][1] = INFINITY;
    }
    q->n_filters++;
    return f;
}

static bool add_value(hal_filter *f, size_t *capacity, sqlite3_value *value)
{
    if (f->n_values == *capacity) {
        size_t wanted = *capacity ? 2 * *capacity : 4;
        hal_filter_value *grown = hal_realloc(f->values, wanted * sizeof *grown);
        if (!grown)
            return false;
        f->values = grown;
        *capacity = wanted;
    }
    const unsigned char *text = sqlite3_value_text(value);
    hal_filter_value v = {.text = hal_strdup(text ? (const char *)text : ""), .number = NAN};
    if (!v.text)
        return false;
    int type = sqlite3_value_numeric_type(value);
    if (type == SQLITE_INTEGER || type == SQLITE_FLOAT) {
        v.number = sqlite3_value_double(value);
        v.integer = sqlite3_value_int64(value);
        v.is_integer = type == SQLITE_INTEGER || (double)v.integer == v.number;
    }
    f->values[f->n_values++] = v;
    return true;
}

static int add_values(hal_query *q, int column, sqlite3_value *value, bool list)
{
    hal_filter *f = filter_of(q, column, false);
    size_t capacity = 0;
    if (!list)
        return add_value(f, &capacity, value) ? SQLITE_OK : SQLITE_NOMEM;
    sqlite3_value *item;
    int rc = sqlite3_vtab_in_first(value, &item);
    for (; rc == SQLITE_OK && item; rc = sqlite3_vtab_in_next(value, &item))
        if (!add_value(f, &capacity, item))
            return SQLITE_NOMEM;
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Inclusive, also for < and >: SQLite looks at every row once more. */
static int add_range(hal_query *q, int column, char op, sqlite3_value *value)
{
    int type = sqlite3_value_numeric_type(value);
    if (type != SQLITE_INTEGER && type != SQLITE_FLOAT)
        return SQLITE_OK;
    hal_filter *f = filter_of(q, column, true);
    if (!f)
        return SQLITE_NOMEM;
    double x = sqlite3_value_double(value);
    if (op != OP_BELOW)
        f->ranges[0][0] = fmax(f->ranges[0][0], x);
    if (op != OP_ABOVE)
        f->ranges[0][1] = fmin(f->ranges[0][1], x);
    return SQLITE_OK;
}

/* Limits on both coordinates are a box: looked at before a row is made. For observations, which are
 * found by their footprints, a circle around it. Sets `none` when the limits leave nothing. */
static int bound_by_box(table *t, hal_query *q, bool *none)
{
    double box[2][2] = {{0, 360}, {-90, 90}};
    int n = 0;
    for (size_t i = 0; i < q->n_filters; i++) {
        const hal_filter *f = &q->filters[i];
        int k = f->column == t->ra ? 0 : f->column == t->dec ? 1 : -1;
        if (k < 0 || !f->n_ranges)
            continue;
        box[k][0] = fmax(box[k][0], f->ranges[0][0]);
        box[k][1] = fmin(box[k][1], f->ranges[0][1]);
        n++;
    }
    *none = box[0][0] > box[0][1] || box[1][0] > box[1][1];
    if (!n || *none)
        return SQLITE_OK;
    hal_err err = HAL_ERR_INIT;
    q->region = hal_region_box(box[0][0], box[0][1], box[1][0], box[1][1], &err);
    if (!q->region || t->catalog != HAL_CATALOG_OBSERVATIONS)
        return q->region ? SQLITE_OK : fail_with(t, &err);
    hal_cone c = hal_region_cone(q->region);
    hal_region_unref(q->region);
    q->region = hal_region_circle(c.ra_deg, c.dec_deg, fmin(180, c.radius_deg + 1e-9), &err);
    return q->region ? SQLITE_OK : fail_with(t, &err);
}

/* Sets `none` when no row can be inside. */
static int set_circle(table *t, cursor *c, hal_query *q, bool *none)
{
    const double *v = c->circle;
    if (isnan(v[0]) || isnan(v[1]) || isnan(v[2]) || v[CIRCLE_RADIUS] < 0) {
        *none = true;
        return SQLITE_OK;
    }
    if (fabs(v[CIRCLE_DEC]) > 90)
        return fail(t, "circle_dec is not between -90 and 90");
    hal_err err = HAL_ERR_INIT;
    q->region = hal_region_circle(hal_ra_canonical(v[CIRCLE_RA]), v[CIRCLE_DEC],
                                  fmin(v[CIRCLE_RADIUS], 180), &err);
    return q->region ? SQLITE_OK : fail_with(t, &err);
}

static int read_arguments(cursor *c, hal_query *q, const char *text, int n, sqlite3_value **values)
{
    q->filters = hal_calloc((size_t)n + 1, sizeof *q->filters);
    int rc = q->filters ? SQLITE_OK : SQLITE_NOMEM;
    for (int i = 0; i < n && !rc; i++) {
        char op = text[2 * i];
        int column = text[2 * i + 1] - COLUMN_BASE;
        if (op == OP_CIRCLE) {
            int type = sqlite3_value_numeric_type(values[i]);
            bool number = type == SQLITE_INTEGER || type == SQLITE_FLOAT;
            c->circle[column] = number ? sqlite3_value_double(values[i]) : NAN;
            c->in_circle = true;
        } else if (op == OP_VALUE || op == OP_LIST) {
            rc = add_values(q, column, values[i], op == OP_LIST);
        } else {
            rc = add_range(q, column, op, values[i]);
        }
    }
    return rc;
}

/* Of products: the observations whose files are wanted; false when the whole archive is. */
static int find_parents(table *t, hal_query *q, bool *all)
{
    uint64_t seed = hal_sky_seed(t->all->sky);
    int uri = hal_catalog_column(t->catalog, "dataURI");
    *all = true;
    for (size_t i = 0; i < q->n_filters && *all; i++) {
        const hal_filter *f = &q->filters[i];
        if (f->n_ranges)
            continue;
        *all = false;
        q->obsids = hal_calloc(f->n_values + 1, sizeof *q->obsids);
        if (!q->obsids)
            return SQLITE_NOMEM;
        for (size_t k = 0; k < f->n_values; k++) {
            const hal_filter_value *v = &f->values[k];
            uint64_t obsid = (uint64_t)v->integer;
            int product;
            bool known = f->column == uri ? hal_caom_product_of_uri(seed, v->text, &obsid, &product)
                                          : v->is_integer;
            bool twice = false;
            for (size_t j = 0; j < q->n_obsids; j++)
                twice |= q->obsids[j] == obsid;
            if (known && !twice)
                q->obsids[q->n_obsids++] = obsid;
        }
    }
    return SQLITE_OK;
}

static int next_row(sqlite3_vtab_cursor *v);

static int start(table *t, cursor *c, hal_query *q)
{
    hal_err err = HAL_ERR_INIT;
    bool all = false;
    q->catalog = t->catalog;
    q->limit = UINT64_MAX;
    q->budget = &t->all->budget;
    int rc = t->catalog == HAL_CATALOG_PRODUCTS ? find_parents(t, q, &all) : SQLITE_OK;
    if (rc)
        return rc;
    if (all) {
        hal_query parents = {.catalog = HAL_CATALOG_OBSERVATIONS, .limit = UINT64_MAX};
        c->parents = hal_rows_new(t->all->sky, &parents, &err);
        c->last_parent = UINT64_MAX;
        if (!c->parents)
            return fail_with(t, &err);
    }
    c->rows = hal_rows_new(t->all->sky, q, &err);
    return c->rows ? next_row(&c->base) : fail_with(t, &err);
}

static int filter_rows(sqlite3_vtab_cursor *v, int number, const char *text, int n,
                       sqlite3_value **values)
{
    (void)number;
    cursor *c = (cursor *)v;
    table *t = (table *)v->pVtab;
    hal_query q = {0};
    clear_cursor(c);
    c->in_circle = c->at_end = false;
    c->n = 0;
    int rc = read_arguments(c, &q, text, n, values);
    if (!rc && c->in_circle)
        rc = set_circle(t, c, &q, &c->at_end);
    else if (!rc && t->has_circle)
        rc = bound_by_box(t, &q, &c->at_end);
    if (!rc && !c->at_end)
        rc = start(t, c, &q);
    hal_query_clear(&q);
    return rc;
}

/* The files of the next observation, in a scan of all products. */
static hal_status next_parent(table *t, cursor *c, bool *more, hal_err *err)
{
    hal_cell cells[CELLS_MAX];
    int column = hal_catalog_column(HAL_CATALOG_OBSERVATIONS, "obsid");
    hal_status st;
    do { /* planes of one observation follow each other */
        st = hal_rows_next(c->parents, cells, more, err);
        if (st || !*more)
            return st;
    } while ((uint64_t)cells[column].value == c->last_parent);
    c->last_parent = (uint64_t)cells[column].value;
    hal_query q = {.catalog = HAL_CATALOG_PRODUCTS, .limit = UINT64_MAX};
    q.obsids = hal_malloc(sizeof *q.obsids);
    if (!q.obsids)
        return hal_err_nomem(err, sizeof *q.obsids);
    q.obsids[q.n_obsids++] = c->last_parent;
    hal_rows_free(c->rows);
    c->rows = hal_rows_new(t->all->sky, &q, err);
    return c->rows ? HAL_OK : err->status;
}

static int next_row(sqlite3_vtab_cursor *v)
{
    cursor *c = (cursor *)v;
    table *t = (table *)v->pVtab;
    hal_err err = HAL_ERR_INIT;
    bool more;
    hal_status st = hal_rows_next(c->rows, c->cells, &more, &err);
    while (!st && !more && c->parents) {
        st = next_parent(t, c, &more, &err);
        if (st || !more)
            break;
        st = hal_rows_next(c->rows, c->cells, &more, &err);
    }
    c->n++;
    c->at_end = !more;
    return st ? fail_with(t, &err) : SQLITE_OK;
}

static int at_end(sqlite3_vtab_cursor *v)
{
    return ((cursor *)v)->at_end;
}

static int give_cell(sqlite3_vtab_cursor *v, sqlite3_context *out, int column)
{
    const cursor *c = (const cursor *)v;
    const table *t = (const table *)v->pVtab;
    if (column >= t->n_columns && c->in_circle) {
        sqlite3_result_double(out, c->circle[column - t->n_columns]);
        return SQLITE_OK;
    }
    if (column >= t->n_columns) { /* as NULL it would quietly leave every row out */
        sqlite3_result_error(out,
                             "circle_ra, circle_dec and circle_radius only say which circle is "
                             "asked about: all three, with =, joined by AND",
                             -1);
        return SQLITE_OK;
    }
    const hal_cell *cell = &c->cells[column];
    if (column == t->distance && !c->in_circle)
        return SQLITE_OK;
    switch (cell->kind) {
    case HAL_CELL_INT:
    case HAL_CELL_BOOL:
        sqlite3_result_int64(out, cell->value);
        break;
    case HAL_CELL_FIXED:
        sqlite3_result_double(out, hal_cell_number(cell));
        break;
    case HAL_CELL_TEXT:
        sqlite3_result_text(out, cell->text, (int)cell->size, SQLITE_TRANSIENT);
        break;
    default:
        break;
    }
    return SQLITE_OK;
}

static int give_rowid(sqlite3_vtab_cursor *v, sqlite3_int64 *out)
{
    *out = ((cursor *)v)->n;
    return SQLITE_OK;
}

int hal_sql_tables_register(sqlite3 *db, hal_sql_tables *t)
{
    /* No xCreate: the table is there under the module's name. */
    static const sqlite3_module module = {.xConnect = connect_table,
                                          .xBestIndex = plan_table,
                                          .xDisconnect = disconnect_table,
                                          .xOpen = open_cursor,
                                          .xClose = close_cursor,
                                          .xFilter = filter_rows,
                                          .xNext = next_row,
                                          .xEof = at_end,
                                          .xColumn = give_cell,
                                          .xRowid = give_rowid};
    int rc = SQLITE_OK;
    for (int i = 0; i < HAL_CATALOG_COUNT && !rc; i++) {
        char name[32];
        const char *catalog = hal_catalog_name((hal_catalog)i);
        sqlite3_snprintf(sizeof name, name, "%s%s", i <= HAL_CATALOG_GALEX ? "sky_" : "", catalog);
        rc = sqlite3_create_module(db, name, &module, t);
    }
    return rc;
}
