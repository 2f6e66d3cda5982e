/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables through the Arrow interfaces to DuckDB and back: an implementation of Arrow that shares
 * nothing with ours. Argument: libduckdb.so, which scripts/build --tests brings; skipped (77)
 * without. */
#include "../unit/every_type.h"
#include "data/arrow.h"

#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Of DuckDB's C interface what is used here. The functions give 0 for success. */
typedef struct duck_result {
    uint64_t n_columns, n_rows, n_changed;
    void *columns;
    char *error;
    void *internal;
} duck_result;

static struct {
    int (*open)(const char *path, void **database);
    int (*connect)(void *database, void **connection);
    void (*disconnect)(void **connection);
    void (*close)(void **database);
    int (*query)(void *connection, const char *sql, duck_result *);
    const char *(*result_error)(duck_result *);
    int64_t (*value_int64)(duck_result *, uint64_t column, uint64_t row);
    void (*destroy_result)(duck_result *);
    int (*arrow_scan)(void *connection, const char *view, struct ArrowArrayStream *);
    int (*query_arrow)(void *connection, const char *sql, void **result);
    int (*query_arrow_schema)(void *result, struct ArrowSchema **);
    int (*query_arrow_array)(void *result, struct ArrowArray **);
    const char *(*query_arrow_error)(void *result);
    void (*destroy_arrow)(void **result);
} duck;

static void *connection;

static bool load(const char *path)
{
    const struct {
        const char *name;
        void *to;
    } functions[] = {{"duckdb_open", &duck.open},
                     {"duckdb_connect", &duck.connect},
                     {"duckdb_disconnect", &duck.disconnect},
                     {"duckdb_close", &duck.close},
                     {"duckdb_query", &duck.query},
                     {"duckdb_result_error", &duck.result_error},
                     {"duckdb_value_int64", &duck.value_int64},
                     {"duckdb_destroy_result", &duck.destroy_result},
                     {"duckdb_arrow_scan", &duck.arrow_scan},
                     {"duckdb_query_arrow", &duck.query_arrow},
                     {"duckdb_query_arrow_schema", &duck.query_arrow_schema},
                     {"duckdb_query_arrow_array", &duck.query_arrow_array},
                     {"duckdb_query_arrow_error", &duck.query_arrow_error},
                     {"duckdb_destroy_arrow", &duck.destroy_arrow}};
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; library && i < sizeof functions / sizeof *functions; i++) {
        void *found = dlsym(library, functions[i].name);
        if (!found)
            return false;
        memcpy(functions[i].to, &found, sizeof found);
    }
    return library;
}

/* Runs SQL; the first value of its result. */
static int64_t sql(const char *text)
{
    duck_result result;
    if (duck.query(connection, text, &result))
        fail_msg("%.300s: %s", text, duck.result_error(&result));
    int64_t value = duck.value_int64(&result, 0, 0); /* 0 where there is none */
    duck.destroy_result(&result);
    return value;
}

/* --- To DuckDB ----------------------------------------------------------------------------------
 */

static const char *const sql_types[HAL_TYPES] = {
    [HAL_TYPE_BOOL] = "BOOLEAN",       [HAL_TYPE_INT64] = "BIGINT",
    [HAL_TYPE_FLOAT64] = "DOUBLE",     [HAL_TYPE_STRING] = "VARCHAR",
    [HAL_TYPE_UINT8] = "UTINYINT",     [HAL_TYPE_INT16] = "SMALLINT",
    [HAL_TYPE_INT32] = "INTEGER",      [HAL_TYPE_FLOAT32] = "FLOAT",
    [HAL_TYPE_COMPLEX64] = "FLOAT[2]", [HAL_TYPE_COMPLEX128] = "DOUBLE[2]",
    [HAL_TYPE_TIMESTAMP] = "BIGINT" /* in microseconds, for comparison */};

static const char *dimension(const hal_field *f)
{
    return f->width == 1 ? "" : f->width == HAL_WIDTH_VARIABLE ? "[]" : "[3]";
}

#define PUT(...) assert_int_equal(hal_buf_printf(b, NULL, __VA_ARGS__), HAL_OK)

static void put_item(hal_buf *b, const hal_column *c, hal_type type, uint64_t i)
{
    double pair[2];
    if (c->item_valid && hal_item_is_null(c, i)) {
        PUT("NULL");
    } else if (type == HAL_TYPE_BOOL) {
        PUT("'%s'", hal_item_bool(c, i) ? "true" : "false");
    } else if (type == HAL_TYPE_FLOAT32 || type == HAL_TYPE_FLOAT64) {
        PUT("'%.17g'", hal_item_float64(c, type, i));
    } else if (type == HAL_TYPE_COMPLEX64 || type == HAL_TYPE_COMPLEX128) {
        hal_item_complex(c, type, i, pair);
        PUT("['%.17g','%.17g']", pair[0], pair[1]);
    } else {
        PUT("'%lld'", (long long)hal_item_int64(c, type, i));
    }
}

static void put_cell(hal_buf *b, const hal_table *t, size_t i_col, uint64_t row)
{
    const hal_field *f = hal_table_field(t, i_col);
    hal_column c = hal_table_column(t, i_col);
    if (hal_table_is_null(t, i_col, row)) {
        PUT("NULL");
    } else if (f->type == HAL_TYPE_STRING) {
        hal_slice text = hal_table_string(t, i_col, row);
        PUT("'%.*s'", (int)text.size_bytes, text.data);
    } else {
        hal_items cell = hal_table_items(t, i_col, row);
        if (f->width != 1)
            PUT("[");
        for (uint64_t i = 0; i < cell.n; i++) {
            if (i)
                PUT(",");
            put_item(b, &c, f->type, cell.first + i);
        }
        if (f->width != 1)
            PUT("]");
    }
}

/* The table "expected": its values spelled one by one. */
static void spell(const hal_table *t)
{
    hal_buf buf, *b = &buf;
    hal_buf_init(b, 64 << 20);
    PUT("CREATE OR REPLACE TABLE expected (");
    for (size_t c = 0; c < hal_table_columns(t); c++) {
        const hal_field *f = hal_table_field(t, c);
        PUT("%s%s %s%s", c ? "," : "", f->name, sql_types[f->type], dimension(f));
    }
    PUT(")");
    sql(hal_buf_text(b));
    b->size_bytes = 0;
    for (uint64_t i = 0; i < hal_table_rows(t); i++) {
        PUT("%s", i ? ",(" : "INSERT INTO expected VALUES (");
        for (size_t c = 0; c < hal_table_columns(t); c++) {
            if (c)
                PUT(",");
            put_cell(b, t, c, i);
        }
        PUT(")");
    }
    if (hal_table_rows(t))
        sql(hal_buf_text(b));
    hal_buf_clear(b);
}

/* duckdb_arrow_scan leaves every schema that it asks for to its owner. */
static struct ArrowSchema lent;

static int lend_schema(struct ArrowArrayStream *s, struct ArrowSchema *out)
{
    (void)s;
    *out = lent;
    return 0;
}

/* The table "got": what DuckDB takes from the stream. */
static void send(hal_table *t, uint64_t batch_rows)
{
    struct ArrowArrayStream stream;
    assert_int_equal(hal_arrow_export_stream(t, batch_rows, &stream, NULL), HAL_OK);
    assert_int_equal(stream.get_schema(&stream, &lent), 0);
    stream.get_schema = lend_schema;
    assert_int_equal(duck.arrow_scan(connection, "seen", &stream), 0);
    sql("CREATE OR REPLACE TABLE got AS SELECT * FROM seen");
    sql("DROP VIEW seen");
    lent.release(&lent);
    stream.release(&stream);
}

static void assert_duckdb_sees(hal_table *t, uint64_t batch_rows)
{
    send(t, batch_rows);
    spell(t);
    assert_int_equal(sql("SELECT count(*) FROM got"), hal_table_rows(t));
    for (size_t c = 0; c < hal_table_columns(t); c++) {
        const hal_field *f = hal_table_field(t, c);
        bool time = f->type == HAL_TYPE_TIMESTAMP;
        char text[600], seen[100];
        snprintf(text, sizeof text,
                 "SELECT count(*) FROM (DESCRIBE got) WHERE column_name = '%s' AND "
                 "column_type = '%s%s'",
                 f->name, time ? "TIMESTAMP WITH TIME ZONE" : sql_types[f->type], dimension(f));
        if (sql(text) != 1)
            fail_msg("column %s has another type", f->name);
        snprintf(seen, sizeof seen,
                 !time           ? "got.%s"
                 : f->width == 1 ? "epoch_us(got.%s)"
                                 : "list_transform(got.%s, lambda x: epoch_us(x))",
                 f->name);
        snprintf(text, sizeof text,
                 "SELECT count(*) FROM got JOIN expected ON got.rowid = expected.rowid WHERE "
                 "%s IS DISTINCT FROM expected.%s OR "
                 "(%s)::VARCHAR IS DISTINCT FROM expected.%s::VARCHAR",
                 seen, f->name, seen, f->name);
        int64_t n = sql(text);
        if (n)
            fail_msg("column %s: %lld of %llu values differ", f->name, (long long)n,
                     (unsigned long long)hal_table_rows(t));
    }
}

static void duckdb_reads_every_type_and_null(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, 40};
    for (size_t i = 0; i < 3; i++) {
        hal_table *t = every_table(sizes[i], NULL);
        assert_duckdb_sees(t, sizes[i] + 1);
        hal_table_unref(t);
    }
}

static void duckdb_reads_slices_and_batches(void **state)
{
    (void)state;
    hal_table *t = every_table(40, NULL);
    for (uint64_t first = 3; first < 20; first += 5) {
        hal_table *slice = hal_table_slice(t, first, 13, NULL);
        assert_duckdb_sees(slice, 13);
        assert_duckdb_sees(slice, 5);
        hal_table_unref(slice);
    }
    hal_table_unref(t);
}

static void duckdb_reads_the_ends_of_every_range(void **state)
{
    (void)state;
    const hal_field fields[] = {
        {.name = "i8", .type = HAL_TYPE_UINT8},   {.name = "i16", .type = HAL_TYPE_INT16},
        {.name = "i32", .type = HAL_TYPE_INT32},  {.name = "i64", .type = HAL_TYPE_INT64},
        {.name = "f", .type = HAL_TYPE_FLOAT32},  {.name = "d", .type = HAL_TYPE_FLOAT64},
        {.name = "s", .type = HAL_TYPE_STRING},   {.name = "t", .type = HAL_TYPE_TIMESTAMP},
        {.name = "z", .type = HAL_TYPE_COMPLEX64}};
    static const int64_t least[] = {0, INT16_MIN, INT32_MIN, INT64_MIN},
                         most[] = {UINT8_MAX, INT16_MAX, INT32_MAX, INT64_MAX};
    static const double doubles[] = {
        -0.0, 0.0, INFINITY, -INFINITY, NAN, 4.9406564584124654e-324, 1.7976931348623157e308, 0.1};
    static const double floats[] = {
        -0.0, 0.0, INFINITY, -INFINITY, NAN, 1.401298464324817e-45, 3.4028234663852886e38, 0.5};
    static const char *const texts[] = {"", "twelve bytes", "thirteen byte", "\xf0\x9f\x94\xad"};
    hal_builder *b = hal_builder_new(fields, 9, NULL);
    hal_status st = HAL_OK;
    for (size_t i = 0; i < 8 && !st; i++) {
        for (size_t c = 0; c < 4 && !st; c++)
            st = hal_builder_int64(b, c, i % 2 ? least[c] : most[c], NULL);
        if (!st)
            st = hal_builder_float64(b, 4, floats[i], NULL);
        if (!st)
            st = hal_builder_float64(b, 5, doubles[i], NULL);
        if (!st)
            st = hal_builder_string(b, 6, hal_slice_of(texts[i % 4]), NULL);
        if (!st) /* 290309 BC to 294247: DuckDB's range */
            st = hal_builder_int64(b, 7, (i % 2 ? -1 : 1) * INT64_C(9223372022400000000), NULL);
        if (!st)
            st = hal_builder_complex(b, 8, floats[i], -floats[i], NULL);
        if (!st)
            st = hal_builder_end_row(b, NULL);
    }
    assert_int_equal(st, HAL_OK);
    hal_table *t = hal_builder_finish(b, NULL);
    hal_builder_free(b);
    assert_duckdb_sees(t, 100);
    hal_table_unref(t);
}

/* --- From DuckDB --------------------------------------------------------------------------------
 */

static int answer_schema(struct ArrowArrayStream *s, struct ArrowSchema *out)
{
    return duck.query_arrow_schema(s->private_data, &out) ? EIO : 0;
}

static int answer_next(struct ArrowArrayStream *s, struct ArrowArray *out)
{
    return duck.query_arrow_array(s->private_data, &out) ? EIO : 0;
}

static const char *answer_error(struct ArrowArrayStream *s)
{
    return duck.query_arrow_error(s->private_data);
}

static hal_table *ask(const char *text, hal_err *err)
{
    void *result = NULL;
    if (duck.query_arrow(connection, text, &result))
        fail_msg("%s: %s", text, duck.query_arrow_error(result));
    struct ArrowArrayStream stream = {.get_schema = answer_schema,
                                      .get_next = answer_next,
                                      .get_last_error = answer_error,
                                      .private_data = result};
    hal_table *t = hal_arrow_import_stream(&stream, err);
    duck.destroy_arrow(&result);
    return t;
}

static bool is_complex(hal_type type)
{
    return type == HAL_TYPE_COMPLEX64 || type == HAL_TYPE_COMPLEX128;
}

static void tables_come_back_from_duckdb(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, 40, 2500}; /* DuckDB works on 2048 rows at a time */
    for (size_t i = 0; i < 8; i++) {
        uint64_t n = sizes[i / 2];
        sql(i % 2 ? "SET arrow_large_buffer_size = true" : "SET arrow_large_buffer_size = false");
        hal_table *t = every_table(n, NULL);
        send(t, n + 1);
        for (size_t c = 0; c < hal_table_columns(t); c++) {
            const hal_field *f = hal_table_field(t, c);
            char text[100];
            snprintf(text, sizeof text, "SELECT %s FROM got", f->name);
            hal_err err = HAL_ERR_INIT;
            hal_table *back = ask(text, &err);
            if (is_complex(f->type) && f->width != 1) { /* arrays of arrays to DuckDB */
                assert_null(back);
                assert_int_equal(err.status, HAL_E_USAGE);
                assert_non_null(strstr(err.text, f->name));
                continue;
            }
            assert_non_null(back);
            assert_int_equal(hal_table_rows(back), n);
            const hal_field *g = hal_table_field(back, 0);
            assert_string_equal(g->name, f->name);
            assert_int_equal(g->width, is_complex(f->type) ? 2 : f->width);
            if (!is_complex(f->type))
                assert_int_equal(g->type, f->type);
            size_t i_col = c;
            hal_table *one = hal_table_project(t, &i_col, 1, NULL);
            for (uint64_t row = 0; row < n; row++)
                if (!same_cell(one, row, back, row, 0))
                    fail_msg("column %s: row %llu differs", f->name, (unsigned long long)row);
            hal_table_unref(one);
            hal_table_unref(back);
        }
        hal_table_unref(t);
    }
    sql("SET arrow_large_buffer_size = false");
}

static void types_of_duckdb_come_exactly(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        hal_type type;
        const char *text;
    } known[] = {
        {"(-128)::TINYINT", HAL_TYPE_INT16, "-128"},
        {"65535::USMALLINT", HAL_TYPE_INT32, "65535"},
        {"4294967295::UINTEGER", HAL_TYPE_INT64, "4294967295"},
        {"9223372036854775807::UBIGINT", HAL_TYPE_INT64, "9223372036854775807"},
        {"'twelve bytes'", HAL_TYPE_STRING, "twelve bytes"},
        {"repeat('ab', 50000)[:9]", HAL_TYPE_STRING, "ababababa"},
        {"'0d4e2c6a-8d1f-4b7e-9a55-3f1c2b7e6d10'::UUID", HAL_TYPE_STRING,
         "0d4e2c6a-8d1f-4b7e-9a55-3f1c2b7e6d10"},
        {"TIMESTAMP '1969-12-31 23:59:59.999999'", HAL_TYPE_TIMESTAMP,
         "1969-12-31T23:59:59.999999Z"},
        {"TIMESTAMPTZ '2000-01-01 00:00:00+02'", HAL_TYPE_TIMESTAMP, "1999-12-31T22:00:00Z"},
        {"TIMESTAMP_S '1969-12-31 23:59:59'", HAL_TYPE_TIMESTAMP, "1969-12-31T23:59:59Z"},
        {"TIMESTAMP_MS '1969-12-31 23:59:59.25'", HAL_TYPE_TIMESTAMP, "1969-12-31T23:59:59.25Z"},
        {"TIMESTAMP_NS '1969-12-31 23:59:59.000001'", HAL_TYPE_TIMESTAMP,
         "1969-12-31T23:59:59.000001Z"},
        {"[1, NULL, 3]::SMALLINT[]", HAL_TYPE_INT16, "[1,null,3]"},
        {"[]::DOUBLE[]", HAL_TYPE_FLOAT64, "[]"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char text[300];
        snprintf(text, sizeof text,
                 "SELECT CASE WHEN i %% 3 = 1 THEN NULL ELSE %s END AS x "
                 "FROM range(5000) t(i) ORDER BY i",
                 known[i].value);
        hal_err err = HAL_ERR_INIT;
        hal_table *t = ask(text, &err);
        if (!t)
            fail_msg("%s: %s", known[i].value, err.text);
        assert_int_equal(hal_table_rows(t), 5000);
        assert_int_equal(hal_table_field(t, 0)->type, known[i].type);
        for (uint64_t row = 0; row < 5000; row++) {
            assert_int_equal(hal_table_is_null(t, 0, row), row % 3 == 1);
            hal_buf cell;
            hal_buf_init(&cell, 1 << 10);
            if (row % 3 != 1) {
                assert_int_equal(hal_table_cell_text(&cell, t, 0, row, NULL), HAL_OK);
                assert_string_equal(hal_buf_text(&cell), known[i].text);
            }
            hal_buf_clear(&cell);
        }
        hal_table_unref(t);
    }
}

static void types_that_tables_lack_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const values[] = {"18446744073709551615::UBIGINT",
                                         "1.5::DECIMAL(18, 3)",
                                         "1::HUGEINT",
                                         "DATE '2000-01-01'",
                                         "TIME '12:00:00'",
                                         "INTERVAL 1 DAY",
                                         "'ab'::BLOB",
                                         "'a'::ENUM('a', 'b')",
                                         "{'a': 1}",
                                         "MAP {'a': 1}",
                                         "['a', 'b']",
                                         "[[1], [2]]",
                                         "TIMESTAMP_NS '2000-01-01 00:00:00.000000001'"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char text[300];
        snprintf(text, sizeof text, "SELECT 1 AS a, %s AS the_column", values[i]);
        hal_err err = HAL_ERR_INIT;
        hal_table *t = ask(text, &err);
        if (t)
            fail_msg("%s is not refused", values[i]);
        assert_int_equal(err.status, HAL_E_USAGE);
        assert_non_null(strstr(err.text, "the_column"));
    }
}

static void string_views_are_refused_by_name(void **state)
{
    (void)state;
    sql("SET arrow_output_version = '1.4'");
    sql("SET produce_arrow_string_view = true");
    hal_err err = HAL_ERR_INIT;
    assert_null(ask("SELECT 'a text of some length' AS the_column", &err));
    assert_int_equal(err.status, HAL_E_USAGE);
    assert_non_null(strstr(err.text, "the_column has the Arrow format \"vu\""));
    sql("SET produce_arrow_string_view = false");
}

int main(int argc, char **argv)
{
    void *database;
    if (argc != 2 || !load(argv[1])) {
        printf("skipped: no DuckDB here (%s)\n", argc == 2 ? argv[1] : "no library named");
        return 77;
    }
    if (duck.open(NULL, &database) || duck.connect(database, &connection))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(duckdb_reads_every_type_and_null),
        cmocka_unit_test(duckdb_reads_slices_and_batches),
        cmocka_unit_test(duckdb_reads_the_ends_of_every_range),
        cmocka_unit_test(tables_come_back_from_duckdb),
        cmocka_unit_test(types_of_duckdb_come_exactly),
        cmocka_unit_test(types_that_tables_lack_are_refused_by_name),
        cmocka_unit_test(string_views_are_refused_by_name),
    };
    sql("SET TimeZone = 'UTC'");
    sql("SET threads = 1");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    duck.disconnect(&connection);
    duck.close(&database);
    return failed;
}
