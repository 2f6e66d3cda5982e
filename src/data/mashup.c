/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/mashup.h"

#include "base/alloc.h"

#include <strings.h>

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
    hal_mashup_place place;
    const char *name;
    key key;
    bool generic; /* means nothing in a Mashup dataset */
} known_keys[] = {
    {HAL_PLACE_TOP, "status", KEY_STATUS, false},
    {HAL_PLACE_TOP, "msg", KEY_MESSAGE, false},
    {HAL_PLACE_TOP, "percent complete", KEY_PROGRESS, false},
    {HAL_PLACE_TOP, "percentComplete", KEY_PROGRESS, false},
    {HAL_PLACE_TOP, "data", KEY_DATA, false},
    {HAL_PLACE_TOP, "fields", KEY_FIELDS, false},
    {HAL_PLACE_TOP, "paging", KEY_PAGING, false},
    {HAL_PLACE_DATASET, "Tables", KEY_TABLES, false},
    {HAL_PLACE_TABLE, "ExtendedProperties", KEY_PROPERTIES, false},
    {HAL_PLACE_TABLE, "Columns", KEY_COLUMNS, false},
    {HAL_PLACE_TABLE, "Fields", KEY_FIELDS, false},
    {HAL_PLACE_TABLE, "Rows", KEY_ROWS, false},
    {HAL_PLACE_TABLE_PROPERTIES, "Paging", KEY_PAGING, false},
    {HAL_PLACE_COLUMN, "dataIndex", KEY_NAME, false},
    {HAL_PLACE_COLUMN, "ExtendedProperties", KEY_PROPERTIES, false},
    {HAL_PLACE_COLUMN_PROPERTIES, "vot.unit", KEY_UNIT, false},
    {HAL_PLACE_COLUMN_PROPERTIES, "vot.ucd", KEY_UCD, false},
    {HAL_PLACE_COLUMN_PROPERTIES, "vot.description", KEY_DESCRIPTION, false},
    {HAL_PLACE_FIELD, "name", KEY_NAME, false},
    {HAL_PLACE_FIELD, "type", KEY_TYPE, false},
    {HAL_PLACE_PAGING, "page", KEY_PAGE, false},
    {HAL_PLACE_PAGING, "pageSize", KEY_PAGE_SIZE, false},
    {HAL_PLACE_PAGING, "pagesFiltered", KEY_PAGES_FILTERED, false},
    {HAL_PLACE_PAGING, "rows", KEY_ROWS, false},
    {HAL_PLACE_PAGING, "rowsFiltered", KEY_ROWS_FILTERED, false},
    {HAL_PLACE_PAGING, "rowsTotal", KEY_ROWS_TOTAL, false},
    {HAL_PLACE_TOP, "info", KEY_FIELDS, true},
    {HAL_PLACE_TOP, "results", KEY_LIST, true},
    {HAL_PLACE_TOP, "products", KEY_LIST, true},
    {HAL_PLACE_TOP, "resolvedCoordinate", KEY_LIST, true},
    {HAL_PLACE_TOP, "totalResults", KEY_ROWS_TOTAL, true},
    {HAL_PLACE_TOP, "search_params", KEY_SEARCH, true},
    {HAL_PLACE_SEARCH, "select_cols", KEY_SELECT_COLS, true},
    {HAL_PLACE_FIELD, "column_name", KEY_OTHER_NAME, true},
    {HAL_PLACE_FIELD, "db_type", KEY_OTHER_TYPE, true},
    {HAL_PLACE_FIELD, "unit", KEY_UNIT, true},
    {HAL_PLACE_FIELD, "ucd", KEY_UCD, true},
    {HAL_PLACE_FIELD, "description", KEY_DESCRIPTION, true},
};

hal_mashup *hal_mashup_new(const hal_reader_setup *setup, hal_err *err)
{
    hal_mashup *m = hal_calloc(1, sizeof *m);
    if (!m) {
        hal_err_nomem(err, sizeof *m);
        return NULL;
    }
    hal_format format = setup->format;
    m->asked = setup->asked;
    m->mashup_only = format == HAL_FORMAT_MASHUP_JSON || format == HAL_FORMAT_MASHUP_EXTJS;
    m->rows_only = format == HAL_FORMAT_ROWS_JSON;
    m->answer = HAL_ANSWER_INIT;
    hal_json_init(&m->json, setup->offset);
    return m;
}

void hal_mashup_free(hal_mashup *m)
{
    if (!m)
        return;
    hal_mashup_blocks_free(m->blocks);
    hal_json_clear(&m->json);
    hal_mashup_columns_clear(&m->met);
    hal_mashup_columns_clear(&m->fields);
    hal_mashup_columns_clear(&m->described);
    hal_mashup_columns_clear(&m->selected);
    hal_mashup_column_clear(&m->entry);
    hal_free(m->order);
    hal_free(m);
}

hal_status hal_mashup_wrong(const hal_mashup *m, hal_err *err, const char *what)
{
    return hal_err_set(err, HAL_E_PROTOCOL, "byte %llu: %s; this is not a %s",
                       (unsigned long long)hal_json_offset(&m->json), what,
                       m->mashup_only ? "Mashup dataset" : "table of rows");
}

static void take_kind(const hal_mashup *m, hal_mashup_column *c)
{
    static const struct {
        const char *name;
        hal_mashup_kind kind, generic; /* in a Mashup dataset; elsewhere */
    } names[] = {{"float", HAL_KIND_FLOAT, HAL_KIND_FLOAT},
                 {"double", HAL_KIND_FLOAT, HAL_KIND_FLOAT},
                 {"decimal", HAL_KIND_FLOAT, HAL_KIND_FLOAT},
                 {"numeric", HAL_KIND_FLOAT, HAL_KIND_FLOAT},
                 {"real", HAL_KIND_FLOAT, HAL_KIND_FLOAT},
                 {"number", HAL_KIND_FLOAT, HAL_KIND_INT},
                 {"int", HAL_KIND_INT, HAL_KIND_INT},
                 {"integer", HAL_KIND_INT, HAL_KIND_INT},
                 {"bigint", HAL_KIND_AS_FOUND, HAL_KIND_INT},
                 {"short", HAL_KIND_INT, HAL_KIND_INT},
                 {"long", HAL_KIND_INT, HAL_KIND_INT},
                 {"unsignedbyte", HAL_KIND_INT, HAL_KIND_INT},
                 {"boolean", HAL_KIND_BOOL, HAL_KIND_BOOL},
                 {"bool", HAL_KIND_AS_FOUND, HAL_KIND_BOOL},
                 {"binary", HAL_KIND_AS_FOUND, HAL_KIND_BOOL},
                 {"varchar", HAL_KIND_AS_FOUND, HAL_KIND_TEXT},
                 {"char", HAL_KIND_AS_FOUND, HAL_KIND_TEXT},
                 {"string", HAL_KIND_AS_FOUND, HAL_KIND_TEXT},
                 {"datetime", HAL_KIND_AS_FOUND, HAL_KIND_TEXT}};
    hal_slice type = m->json.text;
    const char *bracket = memchr(type.data, '(', type.size_bytes); /* VARCHAR(20) */
    size_t n = bracket && !m->mashup_only ? (size_t)(bracket - type.data) : type.size_bytes;
    size_t i = 0, n_names = sizeof names / sizeof *names;
    for (; i < n_names; i++)
        if (n == strlen(names[i].name) && !strncasecmp(type.data, names[i].name, n))
            break;
    c->kind = i < n_names ? names[i].kind : HAL_KIND_AS_FOUND;
    c->generic_kind = i < n_names ? names[i].generic : HAL_KIND_AS_FOUND;
}

static hal_mashup_place place_of_value(const hal_mashup *m, bool object)
{
    switch (hal_mashup_place_now(m)) {
    case HAL_PLACE_TOP:
        if (m->key == KEY_DATA)
            return object ? HAL_PLACE_DATASET : HAL_PLACE_ROWS;
        if (m->key == KEY_LIST && !object)
            return HAL_PLACE_ROWS;
        if (m->key == KEY_SEARCH && object)
            return HAL_PLACE_SEARCH;
        if (m->key == KEY_FIELDS && !object)
            return HAL_PLACE_FIELDS;
        return m->key == KEY_PAGING && object ? HAL_PLACE_PAGING : HAL_PLACE_SKIPPED;
    case HAL_PLACE_ROWS:
        return object || hal_mashup_is_dataset(m) ? HAL_PLACE_ROW
               : m->nested_key                    ? HAL_PLACE_ROWS
                                                  : HAL_PLACE_ARRAY_ROW;
    case HAL_PLACE_SEARCH:
        return m->key == KEY_SELECT_COLS && !object ? HAL_PLACE_SELECT_COLS : HAL_PLACE_SKIPPED;
    case HAL_PLACE_DATASET:
        return m->key == KEY_TABLES && !object ? HAL_PLACE_TABLES : HAL_PLACE_SKIPPED;
    case HAL_PLACE_TABLES:
        return HAL_PLACE_TABLE;
    case HAL_PLACE_TABLE:
        if (m->key == KEY_PROPERTIES && object)
            return HAL_PLACE_TABLE_PROPERTIES;
        if (object)
            return HAL_PLACE_SKIPPED;
        return m->key == KEY_COLUMNS  ? HAL_PLACE_COLUMNS
               : m->key == KEY_FIELDS ? HAL_PLACE_FIELDS
               : m->key == KEY_ROWS   ? HAL_PLACE_ARRAY_ROWS
                                      : HAL_PLACE_SKIPPED;
    case HAL_PLACE_TABLE_PROPERTIES:
        return m->key == KEY_PAGING && object ? HAL_PLACE_PAGING : HAL_PLACE_SKIPPED;
    case HAL_PLACE_COLUMNS:
        return HAL_PLACE_COLUMN;
    case HAL_PLACE_COLUMN:
        return m->key == KEY_PROPERTIES && object ? HAL_PLACE_COLUMN_PROPERTIES : HAL_PLACE_SKIPPED;
    case HAL_PLACE_ARRAY_ROWS:
        return HAL_PLACE_ARRAY_ROW;
    case HAL_PLACE_FIELDS:
        return HAL_PLACE_FIELD;
    default:
        return HAL_PLACE_SKIPPED;
    }
}

/* An object or array has begun: what it is decides what may be inside. */
static hal_status open_place(hal_mashup *m, bool object, hal_err *err)
{
    static const bool is_list_of_objects[] = {[HAL_PLACE_ROWS] = true,
                                              [HAL_PLACE_TABLES] = true,
                                              [HAL_PLACE_COLUMNS] = true,
                                              [HAL_PLACE_FIELDS] = true,
                                              [HAL_PLACE_SKIPPED] = false};
    int depth = m->json.depth;
    if (depth == 1) {
        m->places[0] = object ? HAL_PLACE_TOP : HAL_PLACE_ROWS;
        m->data_seen = !object;
        return object || !m->mashup_only ? HAL_OK
                                         : hal_mashup_wrong(m, err, "the answer is a list");
    }
    hal_mashup_place outer = m->places[depth - 2];
    m->json.depth--; /* place_now: the one around it */
    hal_mashup_place inner = place_of_value(m, object);
    m->json.depth++;
    m->places[depth - 1] = inner;
    if ((is_list_of_objects[outer] && !object &&
         (outer != HAL_PLACE_ROWS || hal_mashup_is_dataset(m))) ||
        (outer == HAL_PLACE_ARRAY_ROWS && object))
        return hal_mashup_wrong(m, err, "an entry of a list has the wrong form");
    switch (inner) {
    case HAL_PLACE_ROW:
        if (m->by_place)
            return hal_mashup_wrong(m, err, "rows are lists and objects by turns");
        hal_json_own_keys(&m->json);
        return hal_mashup_rows_begin(m, err);
    case HAL_PLACE_ARRAY_ROW:
        if (!m->by_place && hal_mashup_rows(m))
            return hal_mashup_wrong(m, err, "rows are lists and objects by turns");
        m->by_place = true;
        return hal_mashup_rows_begin(m, err);
    case HAL_PLACE_ROWS:
        if (outer == HAL_PLACE_ROWS) {
            if (depth > 2 && m->places[depth - 3] == HAL_PLACE_ROWS)
                return hal_mashup_wrong(m, err, "the list of rows is nested twice");
            return HAL_OK;
        }
        if (m->data_seen)
            return hal_mashup_wrong(m, err, "there are two lists of rows");
        m->data_seen = true;
        return HAL_OK;
    case HAL_PLACE_ARRAY_ROWS:
        m->data_seen = m->by_place = true;
        return HAL_OK;
    case HAL_PLACE_FIELDS:
        m->fields_seen = true;
        return HAL_OK;
    case HAL_PLACE_FIELD:
    case HAL_PLACE_COLUMN:
        hal_mashup_column_clear(&m->entry);
        m->typed = m->named = false;
        return HAL_OK;
    case HAL_PLACE_TABLE:
        if (m->tables_seen)
            return hal_mashup_wrong(m, err, "more than one table in an answer");
        m->tables_seen = true;
        return HAL_OK;
    default:
        return HAL_OK;
    }
}

/* The declaration in m->entry becomes a column of `list`; of equal names the first one counts. */
static hal_status declare(hal_mashup *m, hal_mashup_columns *list, hal_err *err)
{
    hal_mashup_column *e = &m->entry;
    if (!e->quoted)
        return hal_mashup_wrong(m, err, "a field has no name");
    hal_status st = HAL_OK;
    if (!hal_mashup_columns_find(list, hal_mashup_column_name(e))) {
        st = hal_mashup_columns_add(list, hal_mashup_column_name(e), m->asked.limits.columns_max,
                                    err);
        if (st)
            return st;
        hal_mashup_column *c = &list->at[list->n - 1];
        c->kind = e->kind;
        c->generic_kind = e->generic_kind;
        c->unit = e->unit;
        c->ucd = e->ucd;
        c->description = e->description;
        e->unit = e->ucd = e->description = NULL;
    } else if (m->by_place || m->tables_seen) {
        if (list == &m->fields)
            return hal_mashup_wrong(m, err,
                                    "two fields of one name"); /* places would no longer match */
    }
    hal_mashup_column_clear(e);
    return st;
}

static hal_status close_place(hal_mashup *m, hal_err *err)
{
    switch (m->places[m->json.depth]) {
    case HAL_PLACE_ROW:
    case HAL_PLACE_ARRAY_ROW:
        return hal_mashup_rows_end(m, err);
    case HAL_PLACE_FIELD:
        return declare(m, &m->fields, err);
    case HAL_PLACE_COLUMN:
        return m->entry.quoted ? declare(m, &m->described, err) : HAL_OK;
    default:
        return HAL_OK;
    }
}

static hal_status other_key(hal_mashup *m, hal_err *err)
{
    hal_mashup_place where = hal_mashup_place_now(m);
    if (where == HAL_PLACE_ROW)
        return hal_mashup_rows_key(m, err);
    m->key = KEY_OTHER;
    if (where != HAL_PLACE_SKIPPED)
        for (size_t i = 0; i < sizeof known_keys / sizeof *known_keys; i++)
            if (known_keys[i].place == where && !(known_keys[i].generic && m->mashup_only) &&
                hal_slice_equals(hal_slice_of(known_keys[i].name), m->json.text))
                m->key = known_keys[i].key;
    if (where == HAL_PLACE_TOP && m->key == KEY_LIST)
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
    return hal_mashup_wrong(m, err, "\"status\" is none of COMPLETE, EXECUTING and ERROR");
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
        return hal_mashup_wrong(m, err, "a paging value is not a count");
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
    switch (hal_mashup_place_now(m)) {
    case HAL_PLACE_ROW:
        return hal_mashup_rows_cell(m, event, err);
    case HAL_PLACE_ARRAY_ROW:
        return hal_mashup_rows_cell_by_place(m, event, err);
    case HAL_PLACE_ROWS:
    case HAL_PLACE_TABLES:
    case HAL_PLACE_COLUMNS:
    case HAL_PLACE_ARRAY_ROWS:
    case HAL_PLACE_FIELDS:
        return hal_mashup_wrong(m, err, "an entry of a list has the wrong form");
    case HAL_PLACE_TOP:
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
    case HAL_PLACE_PAGING:
        return take_count(m, event, err);
    case HAL_PLACE_FIELD:
        if (!text)
            return HAL_OK;
        if (m->key == KEY_NAME || (m->key == KEY_OTHER_NAME && !m->named)) {
            m->named = m->key == KEY_NAME;
            return hal_mashup_column_set_name(&m->entry, m->json.text, err);
        }
        if (m->key == KEY_TYPE || (m->key == KEY_OTHER_TYPE && !m->typed)) {
            m->typed = m->key == KEY_TYPE;
            take_kind(m, &m->entry);
        }
        return take_property(m, err);
    case HAL_PLACE_COLUMN:
        return m->key == KEY_NAME && text ? hal_mashup_column_set_name(&m->entry, m->json.text, err)
                                          : HAL_OK;
    case HAL_PLACE_COLUMN_PROPERTIES:
        return text ? take_property(m, err) : HAL_OK;
    case HAL_PLACE_SELECT_COLS:
        if (!text || hal_mashup_columns_find(&m->selected, m->json.text))
            return HAL_OK;
        return hal_mashup_columns_add(&m->selected, m->json.text, m->asked.limits.columns_max, err);
    default:
        return HAL_OK;
    }
}

/* Reads on until the piece is used up. */
static hal_status run(hal_mashup *m, hal_err *err)
{
    for (;;) {
        hal_json_event event;
        hal_mashup_place place = m->json.depth ? hal_mashup_place_now(m) : HAL_PLACE_TOP;
        if (m->ahead && (place == HAL_PLACE_ROW || place == HAL_PLACE_ROWS)) {
            hal_mashup_rows_ahead(m);
            place = hal_mashup_place_now(m);
        }
        bool in_row = place == HAL_PLACE_ROW;
        if (in_row && !m->cell)
            hal_mashup_rows_predicted_key(m);
        hal_status st = hal_json_next(&m->json, &event, err);
        if (st)
            return st;
        switch (event) {
        case HAL_JSON_MORE:
            return HAL_OK;
        case HAL_JSON_OBJECT:
        case HAL_JSON_ARRAY:
            if (in_row)
                st = hal_mashup_wrong(m, err, "a cell holds an object or array");
            else if (m->json.depth > 1 && m->places[m->json.depth - 2] == HAL_PLACE_ARRAY_ROW)
                st = hal_mashup_wrong(m, err, "a cell holds an object or array");
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
hal_status hal_mashup_read(hal_mashup *m, const char *bytes, size_t n, hal_err *err)
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
            if (err)
                *err = HAL_ERR_INIT;
        }
    }
    return st || m->over ? st : hal_json_keep(&m->json, err);
}

static void *open_class(const hal_reader_setup *setup, hal_err *err)
{
    return hal_mashup_new(setup, err);
}

static hal_status feed_class(void *self, const char *bytes, size_t n, hal_err *err)
{
    return hal_mashup_blocks_feed(self, bytes, n, err);
}

static hal_status finish_class(void *self, hal_answer *answer, hal_table **table, hal_err *err)
{
    return hal_mashup_table_finish(self, answer, table, err);
}

static void free_class(void *self)
{
    hal_mashup_free(self);
}

const hal_reader_class hal_mashup_reader = {open_class, feed_class, finish_class, free_class,
                                            false};
