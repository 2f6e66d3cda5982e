/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/mashup.h"

#include "base/alloc.h"
#include "data/format.h"
#include "data/json.h"
#include "data/team.h"
#include "data/vec_join.h"

#include <strings.h>

/* Where the parser is: what the innermost open object or array holds. */
typedef enum place {
    TOP,
    ROWS,    /* json: "data" as an array */
    ROW,     /* an object of it */
    DATASET, /* extjs: "data" as an object */
    TABLES,
    TABLE,
    TABLE_PROPERTIES,
    COLUMNS,
    COLUMN,
    COLUMN_PROPERTIES,
    ARRAY_ROWS, /* extjs: "Rows" */
    ARRAY_ROW,
    FIELDS,
    FIELD,
    PAGING,
    SEARCH,      /* missions: "search_params" */
    SELECT_COLS, /* its "select_cols" */
    SKIPPED,
} place;

typedef enum key {
    KEY_OTHER,
    KEY_STATUS,
    KEY_MESSAGE,
    KEY_PROGRESS,
    KEY_DATA,
    KEY_FIELDS,
    KEY_PAGING,
    KEY_TABLES,
    KEY_PROPERTIES,
    KEY_COLUMNS,
    KEY_ROWS,
    KEY_NAME,
    KEY_TYPE,
    KEY_UNIT,
    KEY_UCD,
    KEY_DESCRIPTION,
    KEY_PAGE,
    KEY_PAGE_SIZE,
    KEY_PAGES_FILTERED,
    KEY_ROWS_FILTERED,
    KEY_ROWS_TOTAL,
    KEY_LIST,
    KEY_SEARCH,
    KEY_SELECT_COLS,
    KEY_OTHER_NAME,
    KEY_OTHER_TYPE,
} key;

static const struct {
    place place;
    const char *name;
    key key;
    bool generic; /* means nothing in a Mashup dataset */
} known_keys[] = {
    {TOP, "status", KEY_STATUS, false},
    {TOP, "msg", KEY_MESSAGE, false},
    {TOP, "percent complete", KEY_PROGRESS, false},
    {TOP, "percentComplete", KEY_PROGRESS, false},
    {TOP, "data", KEY_DATA, false},
    {TOP, "fields", KEY_FIELDS, false},
    {TOP, "paging", KEY_PAGING, false},
    {DATASET, "Tables", KEY_TABLES, false},
    {TABLE, "ExtendedProperties", KEY_PROPERTIES, false},
    {TABLE, "Columns", KEY_COLUMNS, false},
    {TABLE, "Fields", KEY_FIELDS, false},
    {TABLE, "Rows", KEY_ROWS, false},
    {TABLE_PROPERTIES, "Paging", KEY_PAGING, false},
    {COLUMN, "dataIndex", KEY_NAME, false},
    {COLUMN, "ExtendedProperties", KEY_PROPERTIES, false},
    {COLUMN_PROPERTIES, "vot.unit", KEY_UNIT, false},
    {COLUMN_PROPERTIES, "vot.ucd", KEY_UCD, false},
    {COLUMN_PROPERTIES, "vot.description", KEY_DESCRIPTION, false},
    {FIELD, "name", KEY_NAME, false},
    {FIELD, "type", KEY_TYPE, false},
    {PAGING, "page", KEY_PAGE, false},
    {PAGING, "pageSize", KEY_PAGE_SIZE, false},
    {PAGING, "pagesFiltered", KEY_PAGES_FILTERED, false},
    {PAGING, "rows", KEY_ROWS, false},
    {PAGING, "rowsFiltered", KEY_ROWS_FILTERED, false},
    {PAGING, "rowsTotal", KEY_ROWS_TOTAL, false},
    {TOP, "info", KEY_FIELDS, true},
    {TOP, "results", KEY_LIST, true},
    {TOP, "products", KEY_LIST, true},
    {TOP, "resolvedCoordinate", KEY_LIST, true},
    {TOP, "totalResults", KEY_ROWS_TOTAL, true},
    {TOP, "search_params", KEY_SEARCH, true},
    {SEARCH, "select_cols", KEY_SELECT_COLS, true},
    {FIELD, "column_name", KEY_OTHER_NAME, true},
    {FIELD, "db_type", KEY_OTHER_TYPE, true},
    {FIELD, "unit", KEY_UNIT, true},
    {FIELD, "ucd", KEY_UCD, true},
    {FIELD, "description", KEY_DESCRIPTION, true},
};

/* How the values of a declared type are held. */
typedef enum kind { KIND_AS_FOUND, KIND_FLOAT, KIND_INT, KIND_BOOL, KIND_TEXT } kind;

/* A column as declared ("fields", "Columns") or as met in rows. */
typedef struct column {
    char *quoted; /* its name in quotes; NULL: known by its place only (extjs rows) */
    size_t name_size;
    bool plain; /* the name is spelled without escapes in JSON */
    hal_vec vec;
    bool taken;              /* into the table */
    kind kind, generic_kind; /* in a Mashup dataset; elsewhere */
    char *unit, *ucd, *description;
} column;

typedef struct column_list {
    column *at;
    size_t n, capacity;
    uint32_t *slots; /* hash table of names: index + 1 into `at`; 0: free */
    size_t n_slots;
} column_list;

enum {
    BLOCK_BYTES = 512 << 10,
    BLOCKS_MAX = 6,
    HELP_AT = 4,
    CUT_WITHIN = 64 << 10,
    BLOCKS_FROM_ROWS = 256
};

/* Whole rows on their way through the team, read as if they followed a row. */
typedef struct block {
    hal_team_job job;
    char *bytes;
    size_t size;
    struct hal_mashup *rows; /* reads nothing but rows */
    bool good;               /* they were whole rows and nothing else */
} block;

struct hal_mashup {
    hal_json json;
    hal_reader_limits limits;
    uint64_t bytes_taken;
    place places[HAL_JSON_DEPTH_MAX];
    key key;
    bool mashup_only, rows_only; /* what was asked for; neither: both will do */
    bool status_known, data_seen, fields_seen, tables_seen, by_place;
    bool nested_key; /* the list of rows may be a list of such lists */
    bool over;       /* an ERROR answer whose rest is not JSON: nothing more is read */
    hal_answer answer;
    column_list met; /* columns of the rows in order of first appearance */
    uint64_t n_rows;
    uint32_t *order; /* columns of the row before, and of this one so far, in their order */
    size_t order_capacity, i_cell;
    column *cell; /* its value comes next */
    column_list fields, described, selected;
    column entry;      /* the declaration being read */
    bool typed, named; /* by its first choice of keys */
    hal_team *team;
    block *blocks;
    bool in_blocks; /* bytes are gathered in blocks; else read as they come */
    size_t first_block, n_blocks, filled;
};

static void column_clear(column *c)
{
    hal_free(c->quoted);
    hal_free(c->unit);
    hal_free(c->ucd);
    hal_free(c->description);
    hal_vec_clear(&c->vec);
    *c = (column){0};
}

static void list_clear(column_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        column_clear(&l->at[i]);
    hal_free(l->at);
    hal_free(l->slots);
    *l = (column_list){0};
}

static hal_slice name_of(const column *c)
{
    return (hal_slice){c->quoted ? c->quoted + 1 : "", c->name_size};
}

static hal_status set_name(column *c, hal_slice name, hal_err *err)
{
    if (memchr(name.data, '\0', name.size_bytes))
        return hal_err_set(err, HAL_E_INTEGRITY, "a column name contains a NUL character");
    char *quoted = hal_malloc(name.size_bytes + 3);
    if (!quoted)
        return hal_err_nomem(err, name.size_bytes + 3);
    quoted[0] = quoted[name.size_bytes + 1] = '"';
    memcpy(quoted + 1, name.data, name.size_bytes);
    quoted[name.size_bytes + 2] = '\0';
    hal_free(c->quoted);
    c->quoted = quoted;
    c->name_size = name.size_bytes;
    c->plain = true;
    for (size_t i = 0; i < name.size_bytes; i++)
        c->plain = c->plain && name.data[i] != '"' && name.data[i] != '\\' &&
                   (unsigned char)name.data[i] >= 0x20;
    return HAL_OK;
}

/* The slot that holds `name` or is free for it. */
static uint32_t *slot_of(const column_list *l, hal_slice name)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < name.size_bytes; i++)
        h = (h ^ (unsigned char)name.data[i]) * 16777619u;
    size_t i = h & (l->n_slots - 1);
    while (l->slots[i] && !hal_slice_equals(name_of(&l->at[l->slots[i] - 1]), name))
        i = (i + 1) & (l->n_slots - 1);
    return &l->slots[i];
}

static column *list_find(const column_list *l, hal_slice name)
{
    uint32_t *slot = l->n_slots ? slot_of(l, name) : NULL;
    return slot && *slot ? &l->at[*slot - 1] : NULL;
}

static hal_status list_add_unnamed(column_list *l, size_t max, hal_err *err)
{
    if (l->n == max)
        return hal_err_set(err, HAL_E_BUDGET, "more than %zu columns", max);
    if (l->n == l->capacity) {
        size_t capacity = l->capacity ? 2 * l->capacity : 32;
        column *grown = hal_realloc(l->at, capacity * sizeof *grown);
        if (!grown)
            return hal_err_nomem(err, capacity * sizeof *grown);
        l->at = grown;
        l->capacity = capacity;
    }
    l->at[l->n++] = (column){0};
    return HAL_OK;
}

/* Adds a column named `name`, which is not there yet. */
static hal_status list_add(column_list *l, hal_slice name, size_t max, hal_err *err)
{
    if (2 * (l->n + 1) > l->n_slots) {
        size_t n_slots = l->n_slots ? 2 * l->n_slots : 64;
        uint32_t *slots = hal_calloc(n_slots, sizeof *slots);
        if (!slots)
            return hal_err_nomem(err, n_slots * sizeof *slots);
        hal_free(l->slots);
        l->slots = slots;
        l->n_slots = n_slots;
        for (size_t i = 0; i < l->n; i++)
            *slot_of(l, name_of(&l->at[i])) = (uint32_t)i + 1;
    }
    hal_status st = list_add_unnamed(l, max, err);
    if (st)
        return st;
    st = set_name(&l->at[l->n - 1], name, err);
    if (st)
        l->n--;
    else
        *slot_of(l, name) = (uint32_t)l->n;
    return st;
}

hal_mashup *hal_mashup_new(hal_format format, const hal_reader_limits *limits, uint64_t offset,
                           hal_err *err)
{
    hal_mashup *m = hal_calloc(1, sizeof *m);
    if (!m) {
        hal_err_nomem(err, sizeof *m);
        return NULL;
    }
    m->limits = *limits;
    m->mashup_only = format == HAL_FORMAT_MASHUP_JSON || format == HAL_FORMAT_MASHUP_EXTJS;
    m->rows_only = format == HAL_FORMAT_ROWS_JSON;
    m->answer = (hal_answer){.fraction_done = -1,
                             .page = -1,
                             .page_size = -1,
                             .pages_filtered = -1,
                             .rows = -1,
                             .rows_filtered = -1,
                             .rows_total = -1};
    hal_json_init(&m->json, offset);
    return m;
}

void hal_mashup_free(hal_mashup *m)
{
    if (!m)
        return;
    hal_team_free(m->team);
    for (size_t i = 0; i < BLOCKS_MAX && m->blocks; i++) {
        hal_free(m->blocks[i].bytes);
        hal_mashup_free(m->blocks[i].rows);
    }
    hal_free(m->blocks);
    hal_json_clear(&m->json);
    list_clear(&m->met);
    list_clear(&m->fields);
    list_clear(&m->described);
    list_clear(&m->selected);
    column_clear(&m->entry);
    hal_free(m->order);
    hal_free(m);
}

static hal_status wrong(const hal_mashup *m, hal_err *err, const char *what)
{
    return hal_err_set(err, HAL_E_PROTOCOL, "byte %llu: %s; this is not a %s",
                       (unsigned long long)hal_json_offset(&m->json), what,
                       m->mashup_only ? "Mashup dataset" : "table of rows");
}

static place place_now(const hal_mashup *m)
{
    return m->places[m->json.depth - 1];
}

/* A Mashup dataset says what became of the request before anything else. */
static bool is_mashup(const hal_mashup *m)
{
    return m->mashup_only || (m->status_known && !m->rows_only);
}

/* Rows. */

static hal_status too_many_rows(const hal_mashup *m, hal_err *err)
{
    return hal_err_set(err, HAL_E_BUDGET, "more than %llu rows",
                       (unsigned long long)m->limits.rows_max);
}

/* Missing cells cost memory that no byte of the answer has paid for. */
static hal_status check_missing(const hal_mashup *m, hal_err *err)
{
    uint64_t paid = 16 * hal_json_offset(&m->json) + 1000000;
    if (m->met.n && m->n_rows > paid / m->met.n)
        return hal_err_set(err, HAL_E_BUDGET, "%llu rows of %zu columns, nearly all missing",
                           (unsigned long long)m->n_rows, m->met.n);
    return HAL_OK;
}

static hal_status begin_row(hal_mashup *m, hal_err *err)
{
    if (m->n_rows == m->limits.rows_max)
        return too_many_rows(m, err);
    m->i_cell = 0;
    return check_missing(m, err);
}

static hal_status remember_order(hal_mashup *m, size_t i_column, hal_err *err)
{
    if (m->i_cell == m->order_capacity) {
        size_t capacity = m->order_capacity ? 2 * m->order_capacity : 64;
        uint32_t *grown = hal_realloc(m->order, capacity * sizeof *grown);
        if (!grown)
            return hal_err_nomem(err, capacity * sizeof *grown);
        memset(grown + m->order_capacity, 0, (capacity - m->order_capacity) * sizeof *grown);
        m->order = grown;
        m->order_capacity = capacity;
    }
    m->order[m->i_cell++] = (uint32_t)i_column;
    return HAL_OK;
}

static hal_status row_key(hal_mashup *m, hal_err *err)
{
    hal_slice name = m->json.text;
    column *c = list_find(&m->met, name);
    hal_status st = HAL_OK;
    if (!c) {
        st = list_add(&m->met, name, m->limits.columns_max, err);
        if (st)
            return st;
        c = &m->met.at[m->met.n - 1];
    }
    m->cell = c;
    return remember_order(m, (size_t)(c - m->met.at), err);
}

/* The value of the current cell. */
static hal_status cell(hal_mashup *m, hal_json_event event, hal_err *err)
{
    column *c = m->cell;
    hal_vec *v = &c->vec;
    hal_status st = HAL_OK;
    if (HAL_UNLIKELY(v->n_rows != m->n_rows)) {
        if (v->n_rows > m->n_rows)
            return hal_err_set(err, HAL_E_INTEGRITY, "byte %llu: row %llu has the key %s twice",
                               (unsigned long long)hal_json_offset(&m->json),
                               (unsigned long long)m->n_rows, c->quoted);
        st = hal_vec_pad(v, m->n_rows, err);
        if (st)
            return st;
    }
    switch (event) {
    case HAL_JSON_INT:
        st = hal_vec_add_int64(v, m->json.i, err);
        break;
    case HAL_JSON_FLOAT:
        st = hal_vec_add_float64(v, m->json.d, err);
        break;
    case HAL_JSON_STRING:
    case HAL_JSON_BIG:
        st = hal_vec_add_string(v, m->json.text, err);
        break;
    case HAL_JSON_TRUE:
    case HAL_JSON_FALSE:
        st = hal_vec_add_bool(v, event == HAL_JSON_TRUE, err);
        break;
    case HAL_JSON_NULL:
        st = hal_vec_pad(v, m->n_rows + 1, err);
        break;
    default:
        return wrong(m, err, "a cell holds an object or array");
    }
    m->cell = NULL;
    return st;
}

/* The next cell of an extjs row. */
static hal_status cell_by_place(hal_mashup *m, hal_json_event event, hal_err *err)
{
    hal_status st = HAL_OK;
    if (m->i_cell == m->met.n) {
        if (m->n_rows > 0)
            return wrong(m, err, "a row has more cells than the rows before");
        st = list_add_unnamed(&m->met, m->limits.columns_max, err);
        if (st)
            return st;
    }
    m->cell = &m->met.at[m->i_cell++];
    return cell(m, event, err);
}

static hal_status end_row(hal_mashup *m, hal_err *err)
{
    if (m->by_place && m->i_cell != m->met.n)
        return hal_err_set(err, HAL_E_INTEGRITY, "byte %llu: row %llu has %zu cells, not %zu",
                           (unsigned long long)hal_json_offset(&m->json),
                           (unsigned long long)m->n_rows, m->i_cell, m->met.n);
    m->n_rows++;
    return HAL_OK;
}

/* The fast way through rows whose keys come in the order of the row before. False: the next event
 * is the parser's business. */
static bool predicted_key(hal_mashup *m)
{
    if (m->i_cell >= m->order_capacity)
        return false;
    uint32_t i = m->order[m->i_cell];
    if (i >= m->met.n || !m->met.at[i].plain)
        return false;
    column *c = &m->met.at[i];
    if (!hal_json_take_key(&m->json, (hal_slice){c->quoted, c->name_size + 2}))
        return false;
    m->cell = c;
    m->i_cell++;
    return true;
}

/* Everything else. */

static void take_kind(const hal_mashup *m, column *c)
{
    static const struct {
        const char *name;
        kind kind, generic; /* in a Mashup dataset; elsewhere */
    } names[] = {{"float", KIND_FLOAT, KIND_FLOAT},     {"double", KIND_FLOAT, KIND_FLOAT},
                 {"decimal", KIND_FLOAT, KIND_FLOAT},   {"numeric", KIND_FLOAT, KIND_FLOAT},
                 {"real", KIND_FLOAT, KIND_FLOAT},      {"number", KIND_FLOAT, KIND_INT},
                 {"int", KIND_INT, KIND_INT},           {"integer", KIND_INT, KIND_INT},
                 {"bigint", KIND_AS_FOUND, KIND_INT},   {"short", KIND_INT, KIND_INT},
                 {"long", KIND_INT, KIND_INT},          {"unsignedbyte", KIND_INT, KIND_INT},
                 {"boolean", KIND_BOOL, KIND_BOOL},     {"bool", KIND_AS_FOUND, KIND_BOOL},
                 {"binary", KIND_AS_FOUND, KIND_BOOL},  {"varchar", KIND_AS_FOUND, KIND_TEXT},
                 {"char", KIND_AS_FOUND, KIND_TEXT},    {"string", KIND_AS_FOUND, KIND_TEXT},
                 {"datetime", KIND_AS_FOUND, KIND_TEXT}};
    hal_slice type = m->json.text;
    const char *bracket = memchr(type.data, '(', type.size_bytes); /* VARCHAR(20) */
    size_t n = bracket && !m->mashup_only ? (size_t)(bracket - type.data) : type.size_bytes;
    size_t i = 0, n_names = sizeof names / sizeof *names;
    for (; i < n_names; i++)
        if (n == strlen(names[i].name) && !strncasecmp(type.data, names[i].name, n))
            break;
    c->kind = i < n_names ? names[i].kind : KIND_AS_FOUND;
    c->generic_kind = i < n_names ? names[i].generic : KIND_AS_FOUND;
}

static place place_of_value(const hal_mashup *m, bool object)
{
    switch (place_now(m)) {
    case TOP:
        if (m->key == KEY_DATA)
            return object ? DATASET : ROWS;
        if (m->key == KEY_LIST && !object)
            return ROWS;
        if (m->key == KEY_SEARCH && object)
            return SEARCH;
        if (m->key == KEY_FIELDS && !object)
            return FIELDS;
        return m->key == KEY_PAGING && object ? PAGING : SKIPPED;
    case ROWS:
        return object || is_mashup(m) ? ROW : m->nested_key ? ROWS : ARRAY_ROW;
    case SEARCH:
        return m->key == KEY_SELECT_COLS && !object ? SELECT_COLS : SKIPPED;
    case DATASET:
        return m->key == KEY_TABLES && !object ? TABLES : SKIPPED;
    case TABLES:
        return TABLE;
    case TABLE:
        if (m->key == KEY_PROPERTIES && object)
            return TABLE_PROPERTIES;
        if (object)
            return SKIPPED;
        return m->key == KEY_COLUMNS  ? COLUMNS
               : m->key == KEY_FIELDS ? FIELDS
               : m->key == KEY_ROWS   ? ARRAY_ROWS
                                      : SKIPPED;
    case TABLE_PROPERTIES:
        return m->key == KEY_PAGING && object ? PAGING : SKIPPED;
    case COLUMNS:
        return COLUMN;
    case COLUMN:
        return m->key == KEY_PROPERTIES && object ? COLUMN_PROPERTIES : SKIPPED;
    case ARRAY_ROWS:
        return ARRAY_ROW;
    case FIELDS:
        return FIELD;
    default:
        return SKIPPED;
    }
}

/* An object or array has begun: what it is decides what may be inside. */
static hal_status open_place(hal_mashup *m, bool object, hal_err *err)
{
    static const bool is_list_of_objects[] = {
        [ROWS] = true, [TABLES] = true, [COLUMNS] = true, [FIELDS] = true, [SKIPPED] = false};
    int depth = m->json.depth;
    if (depth == 1) {
        m->places[0] = object ? TOP : ROWS;
        m->data_seen = !object;
        return object || !m->mashup_only ? HAL_OK : wrong(m, err, "the answer is a list");
    }
    place outer = m->places[depth - 2];
    m->json.depth--; /* place_now: the one around it */
    place inner = place_of_value(m, object);
    m->json.depth++;
    m->places[depth - 1] = inner;
    if ((is_list_of_objects[outer] && !object && (outer != ROWS || is_mashup(m))) ||
        (outer == ARRAY_ROWS && object))
        return wrong(m, err, "an entry of a list has the wrong form");
    switch (inner) {
    case ROW:
        if (m->by_place)
            return wrong(m, err, "rows are lists and objects by turns");
        hal_json_own_keys(&m->json);
        return begin_row(m, err);
    case ARRAY_ROW:
        if (!m->by_place && m->n_rows)
            return wrong(m, err, "rows are lists and objects by turns");
        m->by_place = true;
        return begin_row(m, err);
    case ROWS:
        if (outer == ROWS) {
            if (depth > 2 && m->places[depth - 3] == ROWS)
                return wrong(m, err, "the list of rows is nested twice");
            return HAL_OK;
        }
        if (m->data_seen)
            return wrong(m, err, "there are two lists of rows");
        m->data_seen = true;
        return HAL_OK;
    case ARRAY_ROWS:
        m->data_seen = m->by_place = true;
        return HAL_OK;
    case FIELDS:
        m->fields_seen = true;
        return HAL_OK;
    case FIELD:
    case COLUMN:
        column_clear(&m->entry);
        m->typed = m->named = false;
        return HAL_OK;
    case TABLE:
        if (m->tables_seen)
            return wrong(m, err, "more than one table in an answer");
        m->tables_seen = true;
        return HAL_OK;
    default:
        return HAL_OK;
    }
}

/* The declaration in m->entry becomes a column of `list`; of equal names the first one counts. */
static hal_status declare(hal_mashup *m, column_list *list, hal_err *err)
{
    column *e = &m->entry;
    if (!e->quoted)
        return wrong(m, err, "a field has no name");
    hal_status st = HAL_OK;
    if (!list_find(list, name_of(e))) {
        st = list_add(list, name_of(e), m->limits.columns_max, err);
        if (st)
            return st;
        column *c = &list->at[list->n - 1];
        c->kind = e->kind;
        c->generic_kind = e->generic_kind;
        c->unit = e->unit;
        c->ucd = e->ucd;
        c->description = e->description;
        e->unit = e->ucd = e->description = NULL;
    } else if (m->by_place || m->tables_seen) {
        if (list == &m->fields)
            return wrong(m, err, "two fields of one name"); /* places would no longer match */
    }
    column_clear(e);
    return st;
}

static hal_status close_place(hal_mashup *m, hal_err *err)
{
    switch (m->places[m->json.depth]) {
    case ROW:
    case ARRAY_ROW:
        return end_row(m, err);
    case FIELD:
        return declare(m, &m->fields, err);
    case COLUMN:
        return m->entry.quoted ? declare(m, &m->described, err) : HAL_OK;
    default:
        return HAL_OK;
    }
}

static hal_status other_key(hal_mashup *m, hal_err *err)
{
    place where = place_now(m);
    if (where == ROW)
        return row_key(m, err);
    m->key = KEY_OTHER;
    if (where != SKIPPED)
        for (size_t i = 0; i < sizeof known_keys / sizeof *known_keys; i++)
            if (known_keys[i].place == where && !(known_keys[i].generic && m->mashup_only) &&
                hal_slice_equals(hal_slice_of(known_keys[i].name), m->json.text))
                m->key = known_keys[i].key;
    if (where == TOP && m->key == KEY_LIST)
        m->nested_key = hal_slice_equals(m->json.text, hal_slice_of("products"));
    return HAL_OK;
}

static hal_status take_text(const hal_mashup *m, char **out, hal_err *err)
{
    hal_free(*out);
    *out = hal_strndup(m->json.text.data, m->json.text.size_bytes);
    return *out ? HAL_OK : hal_err_nomem(err, m->json.text.size_bytes);
}

static hal_status take_status(hal_mashup *m, hal_json_event event, hal_err *err)
{
    static const char *const names[] = {"COMPLETE", "EXECUTING", "ERROR"};
    for (int i = 0; i < 3 && event == HAL_JSON_STRING; i++)
        if (hal_slice_equals(m->json.text, hal_slice_of(names[i]))) {
            m->answer.status = (hal_answer_status)i;
            m->status_known = true;
            return HAL_OK;
        }
    if (!m->mashup_only)
        return HAL_OK;
    return wrong(m, err, "\"status\" is none of COMPLETE, EXECUTING and ERROR");
}

/* Copies as much as fits, without cutting a character in two. */
static void take_message(hal_mashup *m)
{
    size_t n = m->json.text.size_bytes, max = sizeof m->answer.message - 1;
    if (n > max)
        for (n = max; n > 0 && ((unsigned char)m->json.text.data[n] & 0xc0) == 0x80; n--)
            ;
    memcpy(m->answer.message, m->json.text.data, n);
    m->answer.message[n] = '\0';
}

static hal_status take_count(hal_mashup *m, hal_json_event event, hal_err *err)
{
    int64_t *to = m->key == KEY_PAGE             ? &m->answer.page
                  : m->key == KEY_PAGE_SIZE      ? &m->answer.page_size
                  : m->key == KEY_PAGES_FILTERED ? &m->answer.pages_filtered
                  : m->key == KEY_ROWS           ? &m->answer.rows
                  : m->key == KEY_ROWS_FILTERED  ? &m->answer.rows_filtered
                  : m->key == KEY_ROWS_TOTAL     ? &m->answer.rows_total
                                                 : NULL;
    if (!to || event == HAL_JSON_NULL)
        return HAL_OK;
    if (event != HAL_JSON_INT || m->json.i < 0)
        return wrong(m, err, "a paging value is not a count");
    *to = m->json.i;
    return HAL_OK;
}

static hal_status take_property(hal_mashup *m, hal_err *err)
{
    return m->key == KEY_UNIT          ? take_text(m, &m->entry.unit, err)
           : m->key == KEY_UCD         ? take_text(m, &m->entry.ucd, err)
           : m->key == KEY_DESCRIPTION ? take_text(m, &m->entry.description, err)
                                       : HAL_OK;
}

static hal_status scalar(hal_mashup *m, hal_json_event event, hal_err *err)
{
    if (m->json.depth == 0)
        return hal_err_set(err, HAL_E_PROTOCOL, "the answer is a single JSON value, not a dataset");
    bool text = event == HAL_JSON_STRING;
    switch (place_now(m)) {
    case ROW:
        return cell(m, event, err);
    case ARRAY_ROW:
        return cell_by_place(m, event, err);
    case ROWS:
    case TABLES:
    case COLUMNS:
    case ARRAY_ROWS:
    case FIELDS:
        return wrong(m, err, "an entry of a list has the wrong form");
    case TOP:
        if (m->key == KEY_STATUS)
            return take_status(m, event, err);
        if (m->key == KEY_ROWS_TOTAL)
            return take_count(m, event, err);
        if (m->key == KEY_MESSAGE && text)
            take_message(m);
        if (m->key == KEY_PROGRESS && event == HAL_JSON_INT)
            m->answer.fraction_done = m->json.i > 0;
        if (m->key == KEY_PROGRESS && event == HAL_JSON_FLOAT)
            m->answer.fraction_done = m->json.d < 0 ? 0 : m->json.d > 1 ? 1 : m->json.d;
        return HAL_OK;
    case PAGING:
        return take_count(m, event, err);
    case FIELD:
        if (!text)
            return HAL_OK;
        if (m->key == KEY_NAME || (m->key == KEY_OTHER_NAME && !m->named)) {
            m->named = m->key == KEY_NAME;
            return set_name(&m->entry, m->json.text, err);
        }
        if (m->key == KEY_TYPE || (m->key == KEY_OTHER_TYPE && !m->typed)) {
            m->typed = m->key == KEY_TYPE;
            take_kind(m, &m->entry);
        }
        return take_property(m, err);
    case COLUMN:
        return m->key == KEY_NAME && text ? set_name(&m->entry, m->json.text, err) : HAL_OK;
    case COLUMN_PROPERTIES:
        return text ? take_property(m, err) : HAL_OK;
    case SELECT_COLS:
        if (!text || list_find(&m->selected, m->json.text))
            return HAL_OK;
        return list_add(&m->selected, m->json.text, m->limits.columns_max, err);
    default:
        return HAL_OK;
    }
}

/* Reads on until the piece is used up. */
static hal_status run(hal_mashup *m, hal_err *err)
{
    for (;;) {
        hal_json_event event;
        bool in_row = m->json.depth && place_now(m) == ROW;
        if (in_row && !m->cell)
            predicted_key(m);
        hal_status st = hal_json_next(&m->json, &event, err);
        if (st)
            return st;
        switch (event) {
        case HAL_JSON_MORE:
            return HAL_OK;
        case HAL_JSON_OBJECT:
        case HAL_JSON_ARRAY:
            if (in_row)
                st = wrong(m, err, "a cell holds an object or array");
            else if (m->json.depth > 1 && m->places[m->json.depth - 2] == ARRAY_ROW)
                st = wrong(m, err, "a cell holds an object or array");
            else
                st = open_place(m, event == HAL_JSON_OBJECT, err);
            break;
        case HAL_JSON_OBJECT_END:
        case HAL_JSON_ARRAY_END:
            st = close_place(m, err);
            break;
        case HAL_JSON_KEY:
            st = other_key(m, err);
            break;
        default:
            st = scalar(m, event, err);
        }
        if (st)
            return st;
    }
}

/* One byte after the other. */
static hal_status feed_serial(hal_mashup *m, const char *bytes, size_t n, hal_err *err)
{
    hal_status st = HAL_OK;
    while (n && !st && !m->over) {
        size_t used;
        st = hal_json_feed(&m->json, bytes, n, &used, err);
        if (st)
            return st;
        bytes += used;
        n -= used;
        st = run(m, err);
        /* An ERROR answer may end in `"data" : }` (Mashup specification, section 6.3). */
        if (st == HAL_E_INTEGRITY && m->status_known && m->answer.status == HAL_ANSWER_ERROR) {
            m->over = true;
            st = HAL_OK;
        }
    }
    return st || m->over ? st : hal_json_keep(&m->json, err);
}

/* The last `{` behind `}` and a comma; NULL: none. It may stand inside a text. */
static const char *find_cut(const char *begin, const char *end)
{
    const char *last = end - begin > CUT_WITHIN ? end - CUT_WITHIN : begin;
    for (const char *p = end; p-- > last;) {
        if (*p != '{')
            continue;
        const char *q = p;
        bool comma = false;
        while (q > last && ((unsigned char)q[-1] <= ' ' || (q[-1] == ',' && !comma)))
            comma = *--q == ',' || comma;
        if (comma && q > last && q[-1] == '}')
            return p;
    }
    return NULL;
}

static bool between_rows(const hal_mashup *m)
{
    return !m->over && !m->by_place && m->json.depth && place_now(m) == ROWS &&
           hal_json_between_elements(&m->json);
}

/* Runs on any thread. */
static void read_block(void *ctx)
{
    block *b = ctx;
    int depth = b->rows->json.depth;
    b->good = !feed_serial(b->rows, b->bytes, b->size, NULL) && between_rows(b->rows) &&
              b->rows->json.depth == depth;
}

/* Makes b->rows read on where `m` is. */
static hal_status prepare(const hal_mashup *m, block *b, hal_err *err)
{
    if (!b->rows) {
        b->rows = hal_mashup_new(HAL_FORMAT_AUTO, &m->limits, 0, err);
        if (!b->rows)
            return HAL_E_NOMEM;
    }
    hal_mashup *r = b->rows;
    r->mashup_only = m->mashup_only;
    r->rows_only = m->rows_only;
    r->status_known = m->status_known;
    r->data_seen = true;
    r->n_rows = 0;
    memcpy(r->places, m->places, sizeof r->places);
    return HAL_OK;
}

/* The rows of a good block go to the columns. */
static hal_status join_block(hal_mashup *m, block *b, hal_err *err)
{
    hal_mashup *r = b->rows;
    if (r->n_rows > m->limits.rows_max - m->n_rows)
        return too_many_rows(m, err);
    hal_status st = HAL_OK;
    for (size_t i = 0; i < r->met.n && !st; i++) {
        hal_vec *from = &r->met.at[i].vec;
        hal_slice name = name_of(&r->met.at[i]);
        column *c = list_find(&m->met, name);
        if (!c) {
            st = list_add(&m->met, name, m->limits.columns_max, err);
            if (st)
                return st;
            c = &m->met.at[m->met.n - 1];
        }
        if (!from->n_rows)
            continue;
        st = hal_vec_pad(&c->vec, m->n_rows, err);
        if (!st)
            st = hal_vec_extend(&c->vec, from, err);
        if (!st && c->vec.typed && from->typed && c->vec.type == from->type)
            from->n_rows = from->n_nulls = 0; /* the memory serves the next block */
        else
            hal_vec_clear(from);
    }
    m->n_rows += r->n_rows;
    hal_json_skip(&m->json, b->size);
    return st ? st : check_missing(m, err);
}

/* Takes the oldest block over; where it is not what it was taken for, its bytes are read here. */
static hal_status commit(hal_mashup *m, hal_err *err)
{
    block *b = &m->blocks[m->first_block];
    hal_team_wait(m->team, &b->job);
    m->first_block = (m->first_block + 1) % BLOCKS_MAX;
    m->n_blocks--;
    if (b->good && between_rows(m))
        return join_block(m, b, err);
    hal_mashup_free(b->rows);
    b->rows = NULL;
    return feed_serial(m, b->bytes, b->size, err);
}

/* All blocks and what was filled of the next; from here on bytes are read as they come. */
static hal_status leave_blocks(hal_mashup *m, hal_err *err)
{
    hal_status st = HAL_OK;
    m->in_blocks = false;
    while (m->n_blocks && !st)
        st = commit(m, err);
    size_t filled = m->filled;
    m->filled = 0;
    if (!st && filled)
        st = feed_serial(m, m->blocks[m->first_block].bytes, filled, err);
    return st;
}

static hal_status block_memory(block *b, hal_err *err)
{
    if (!b->bytes)
        b->bytes = hal_malloc(BLOCK_BYTES);
    return b->bytes ? HAL_OK : hal_err_nomem(err, BLOCK_BYTES);
}

static hal_status dispatch(hal_mashup *m, hal_err *err)
{
    block *b = &m->blocks[(m->first_block + m->n_blocks) % BLOCKS_MAX];
    block *next = &m->blocks[(m->first_block + m->n_blocks + 1) % BLOCKS_MAX];
    const char *cut = find_cut(b->bytes, b->bytes + m->filled);
    if (!cut || cut == b->bytes)
        return leave_blocks(m, err);
    hal_status st = prepare(m, b, err);
    if (!st)
        st = block_memory(next, err);
    if (st)
        return st;
    hal_json_begin_like(&b->rows->json, &m->json);
    b->size = (size_t)(cut - b->bytes);
    m->filled -= b->size;
    memcpy(next->bytes, cut, m->filled);
    b->job = (hal_team_job){.run = read_block, .ctx = b};
    m->n_blocks++;
    hal_team_post(m->team, &b->job);
    if (m->n_blocks >= HELP_AT && !hal_team_help(m->team))
        st = commit(m, err);
    while (!st && m->n_blocks &&
           (m->n_blocks > HELP_AT || hal_team_is_done(m->team, &m->blocks[m->first_block].job)))
        st = commit(m, err);
    return st;
}

/* Reads up to a place between two rows, if the piece has one, and goes over to blocks. */
static hal_status enter_blocks(hal_mashup *m, const char *bytes, size_t n, size_t *used,
                               hal_err *err)
{
    const char *cut = find_cut(bytes, bytes + n);
    *used = cut ? (size_t)(cut - bytes) : n;
    hal_status st = feed_serial(m, bytes, *used, err);
    if (st || !cut || !between_rows(m))
        return st;
    if (!m->blocks) {
        m->blocks = hal_calloc(BLOCKS_MAX, sizeof *m->blocks);
        m->team = m->blocks ? hal_team_new(err) : NULL;
        if (!m->blocks)
            return hal_err_nomem(err, BLOCKS_MAX * sizeof *m->blocks);
        if (!m->team)
            return HAL_E_NOMEM;
    }
    m->in_blocks = true;
    return block_memory(&m->blocks[m->first_block], err);
}

hal_status hal_mashup_feed(hal_mashup *m, const char *bytes, size_t n, hal_err *err)
{
    hal_status st = HAL_OK;
    while (n && !st && !m->over) {
        size_t used = n;
        if (m->in_blocks) {
            block *b = &m->blocks[(m->first_block + m->n_blocks) % BLOCKS_MAX];
            used = n < BLOCK_BYTES - m->filled ? n : BLOCK_BYTES - m->filled;
            memcpy(b->bytes + m->filled, bytes, used);
            m->filled += used;
            if (m->filled == BLOCK_BYTES)
                st = dispatch(m, err);
        } else if (m->n_rows < BLOCKS_FROM_ROWS || m->by_place || m->json.depth == 0 ||
                   (place_now(m) != ROW && place_now(m) != ROWS)) {
            st = feed_serial(m, bytes, n, err);
        } else {
            st = enter_blocks(m, bytes, n, &used, err);
        }
        bytes += used;
        n -= used;
    }
    return st;
}

/* Gives the values of a column the type its declaration asks for, where they allow it. */
static hal_status settle_type(hal_vec *v, kind declared, hal_err *err)
{
    bool done;
    switch (declared) {
    case KIND_FLOAT:
        return hal_vec_convert(v, HAL_TYPE_FLOAT64, true, &done, err);
    case KIND_INT:
        if (v->typed && v->type == HAL_TYPE_FLOAT64)
            return HAL_OK;
        return hal_vec_convert(v, HAL_TYPE_INT64, false, &done, err);
    case KIND_BOOL:
        return hal_vec_convert(v, HAL_TYPE_BOOL, false, &done, err);
    case KIND_TEXT:
        return hal_vec_convert(v, HAL_TYPE_STRING, false, &done, err);
    default:
        return v->typed ? HAL_OK : hal_vec_set_type(v, HAL_TYPE_STRING, err);
    }
}

static const char helper[] = "_selected_"; /* display helper of many services, always null */

/* Every key of the rows must be declared: otherwise one of the two lists is damaged. */
static hal_status check_columns(const hal_mashup *m, hal_err *err)
{
    if (m->by_place) {
        if (m->n_rows && m->met.n != m->fields.n)
            return hal_err_set(err, HAL_E_INTEGRITY, "rows have %zu cells for %zu fields", m->met.n,
                               m->fields.n);
        return HAL_OK;
    }
    for (size_t i = 0; i < m->met.n; i++) {
        hal_slice name = name_of(&m->met.at[i]);
        if (!list_find(&m->fields, name) && !hal_slice_equals(name, hal_slice_of(helper)))
            return hal_err_set(err, HAL_E_INTEGRITY, "rows have a column %s that is not in fields",
                               m->met.at[i].quoted);
    }
    return HAL_OK;
}

/* One column of the result: what is known of `name` and what was met. */
static hal_status settle_column(hal_mashup *m, hal_slice name, column *met, hal_field *field,
                                hal_vec *vec, hal_err *err)
{
    const column *declared = list_find(&m->fields, name);
    const column *about = list_find(&m->described, name);
    if (!about)
        about = declared;
    char *copy = hal_strndup(name.data, name.size_bytes);
    if (!copy)
        return hal_err_nomem(err, name.size_bytes);
    *field = (hal_field){.name = copy,
                         .unit = about ? about->unit : NULL,
                         .ucd = about ? about->ucd : NULL,
                         .description = about ? about->description : NULL};
    if (met) {
        *vec = met->vec;
        met->vec = (hal_vec){0};
        met->taken = true;
    }
    hal_status st = hal_vec_pad(vec, m->n_rows, err);
    if (!declared)
        return st ? st : settle_type(vec, KIND_AS_FOUND, err);
    return st ? st : settle_type(vec, is_mashup(m) ? declared->kind : declared->generic_kind, err);
}

/* The columns in their order: of a Mashup dataset as declared, without the helper; of rows as
 * selected (missions API, section 3.1), else as declared, then what else the rows hold. */
static hal_status build(hal_mashup *m, hal_table **table, hal_err *err)
{
    bool mashup = is_mashup(m), selected = !mashup && m->selected.n;
    const column_list *first = selected ? &m->selected : &m->fields;
    size_t n = 0, max = first->n + m->met.n + 1;
    hal_field *fields = hal_calloc(max, sizeof *fields);
    hal_vec *vecs = hal_calloc(max, sizeof *vecs);
    hal_status st = fields && vecs ? HAL_OK : hal_err_nomem(err, max * sizeof *vecs);
    for (size_t i = 0; i < first->n && !st; i++) {
        hal_slice name = name_of(&first->at[i]);
        column *met = m->by_place ? (m->n_rows ? &m->met.at[i] : NULL) : list_find(&m->met, name);
        bool helping = mashup && hal_slice_equals(name, hal_slice_of(helper));
        /* "info" of the missions API may name columns that were not asked for. */
        if (helping || (!mashup && !selected && !met && m->n_rows && !m->by_place))
            continue;
        st = settle_column(m, name, met, &fields[n], &vecs[n], err);
        n++;
    }
    for (size_t i = 0; i < m->met.n && !st && !m->by_place && !mashup; i++)
        if (!m->met.at[i].taken) {
            st = settle_column(m, name_of(&m->met.at[i]), &m->met.at[i], &fields[n], &vecs[n], err);
            n++;
        }
    if (!st) {
        *table = hal_table_from_vecs(fields, vecs, n, m->n_rows, err);
        st = *table ? HAL_OK : HAL_E_NOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        hal_vec_clear(&vecs[i]);
        hal_free((char *)(uintptr_t)fields[i].name);
    }
    hal_free(vecs);
    hal_free(fields);
    return st;
}

/* Rows without the frame of a Mashup dataset. */
static hal_status finish_rows(hal_mashup *m, hal_answer *answer, hal_table **table, hal_err *err)
{
    if (!m->data_seen)
        return hal_err_set(err, HAL_E_PROTOCOL,
                           "the answer has no \"status\" and no list of rows (\"data\", "
                           "\"results\" or a list of objects)");
    if (m->by_place && m->n_rows && m->met.n != m->fields.n)
        return hal_err_set(err, HAL_E_INTEGRITY, "rows have %zu cells for %zu columns in info",
                           m->met.n, m->fields.n);
    m->answer.status = HAL_ANSWER_COMPLETE;
    m->answer.rows = (int64_t)m->n_rows;
    hal_status st = build(m, table, err);
    if (!st)
        *answer = m->answer;
    return st;
}

hal_status hal_mashup_finish(hal_mashup *m, hal_answer *answer, hal_table **table, hal_err *err)
{
    hal_table *built = NULL;
    if (m->in_blocks) {
        hal_status st = leave_blocks(m, err);
        if (st)
            return st;
    }
    if (!m->over && !m->json.complete)
        return hal_err_set(
            err, HAL_E_INTEGRITY,
            "the answer is cut: it ends at byte %llu, after %llu whole rows; ask again",
            (unsigned long long)(hal_json_offset(&m->json) + (uint64_t)(m->json.end - m->json.p)),
            (unsigned long long)m->n_rows);
    if (!is_mashup(m))
        return finish_rows(m, answer, table, err);
    if (!m->status_known)
        return hal_err_set(err, HAL_E_PROTOCOL,
                           "the answer has no \"status\"; this is not a Mashup "
                           "dataset");
    if (m->answer.status == HAL_ANSWER_COMPLETE) {
        if (!m->data_seen || !m->fields_seen)
            return hal_err_set(err, HAL_E_INTEGRITY, "a COMPLETE answer without its list of %s",
                               m->data_seen ? "fields" : "rows");
        hal_status st = check_columns(m, err);
        if (st)
            return st;
        if (m->answer.rows > 0 && m->n_rows < (uint64_t)m->answer.rows)
            return hal_err_set(err, HAL_E_INTEGRITY, "the answer says %lld rows and holds %llu",
                               (long long)m->answer.rows, (unsigned long long)m->n_rows);
        st = build(m, &built, err);
        if (st)
            return st;
    }
    *answer = m->answer;
    *table = built;
    return HAL_OK;
}

static void *open_class(const hal_reader_setup *setup, hal_err *err)
{
    return hal_mashup_new(setup->format, &setup->asked.limits, setup->offset, err);
}

static hal_status feed_class(void *self, const char *bytes, size_t n, hal_err *err)
{
    return hal_mashup_feed(self, bytes, n, err);
}

static hal_status finish_class(void *self, hal_answer *answer, hal_table **table, hal_err *err)
{
    return hal_mashup_finish(self, answer, table, err);
}

static void free_class(void *self)
{
    hal_mashup_free(self);
}

const hal_reader_class hal_mashup_reader = {open_class, feed_class, finish_class, free_class};
