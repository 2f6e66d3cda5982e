/* SPDX-License-Identifier: BSD-3-Clause */
/* SQL over the procedural sky: what a statement selects is what the archive's own reading gives. */
#include "practice/sql.h"

#include "sky/angle.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static hal_sky *sky;

static int setup(void **state)
{
    (void)state;
    sky = hal_sky_new(7, NULL);
    return sky ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    hal_sky_free(sky);
    return 0;
}

/* ---- asking ---- */

static hal_sql *ask(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static hal_sql *ask(const char *fmt, ...)
{
    static char text[400000];
    hal_err err = HAL_ERR_INIT;
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    hal_sql *q = hal_sql_new(sky, &err);
    assert_non_null(q);
    if (hal_sql_prepare(q, hal_slice_of(text), &err))
        fail_msg("%s: %s", text, err.text);
    return q;
}

static bool next(hal_sql *q, hal_cell *cells)
{
    bool more;
    hal_err err = HAL_ERR_INIT;
    if (hal_sql_next(q, cells, &more, &err))
        fail_msg("%s", err.text);
    return more;
}

static void free_sql(hal_sql **q)
{
    hal_sql_free(*q);
}

typedef struct list {
    int64_t *v;
    size_t n, capacity;
} list;

static void push(list *l, int64_t v)
{
    if (l->n == l->capacity) {
        l->capacity = l->capacity ? 2 * l->capacity : 256;
        l->v = realloc(l->v, l->capacity * sizeof *l->v);
        assert_non_null(l->v);
    }
    l->v[l->n++] = v;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void assert_same(list *got, list *want)
{
    if (got->n)
        qsort(got->v, got->n, sizeof *got->v, by_value);
    if (want->n)
        qsort(want->v, want->n, sizeof *want->v, by_value);
    assert_int_equal(got->n, want->n);
    for (size_t i = 0; i < got->n; i++)
        assert_int_equal(got->v[i], want->v[i]);
    free(got->v);
    free(want->v);
}

/* The integers of the statement's first column. Ends the statement. */
static list integers(hal_sql *q)
{
    list l = {0};
    hal_cell cells[64];
    while (next(q, cells))
        push(&l, cells[0].value);
    hal_sql_free(q);
    return l;
}

static int64_t integer(hal_sql *q)
{
    list l = integers(q);
    assert_int_equal(l.n, 1);
    int64_t v = l.v[0];
    free(l.v);
    return v;
}

/* What the archive itself reads in a circle. */
static hal_rows *truth(hal_catalog catalog, double ra, double dec, double radius)
{
    hal_query q = {.catalog = catalog, .limit = UINT64_MAX};
    q.region = hal_region_circle(ra, dec, radius, NULL);
    hal_rows *r = hal_rows_new(sky, &q, NULL);
    assert_non_null(r);
    return r;
}

static bool next_true(hal_rows *r, hal_cell *cells)
{
    bool more;
    assert_int_equal(hal_rows_next(r, cells, &more, NULL), HAL_OK);
    return more;
}

static const struct {
    hal_catalog catalog;
    const char *table, *id, *ra, *dec;
} tables[] = {{HAL_CATALOG_GAIA, "sky_gaia", "source_id", "ra", "dec"},
              {HAL_CATALOG_TIC, "sky_tic", "ID", "ra", "dec"},
              {HAL_CATALOG_CTL, "sky_ctl", "ID", "ra", "dec"},
              {HAL_CATALOG_GALEX, "sky_galex", "objID", "ra", "dec"},
              {HAL_CATALOG_OBSERVATIONS, "observations", "objID", "s_ra", "s_dec"}};
enum { N_TABLES = sizeof tables / sizeof *tables };

static const double places[][3] = {{201.697, -47.4795, 0.05},
                                   {0.01, 12, 0.25},
                                   {359.99, -30, 0.2},
                                   {123, 89.9, 0.3},
                                   {10, -90, 0.2}};
enum { N_PLACES = sizeof places / sizeof *places };

/* ---- tests ---- */

static void a_circle_gives_the_rows_of_the_archives_own_search(void **state)
{
    (void)state;
    for (int t = 0; t < N_TABLES; t++)
        for (int p = 0; p < N_PLACES; p++) {
            const double *c = places[p];
            hal_rows *r = truth(tables[t].catalog, c[0], c[1], c[2]);
            int id = hal_catalog_column(tables[t].catalog, tables[t].id);
            list want = {0};
            hal_cell cells[64];
            while (next_true(r, cells))
                push(&want, cells[id].value);
            hal_rows_free(r);
            list got = integers(ask("SELECT %s FROM %s WHERE circle_ra = %.17g AND circle_dec = "
                                    "%.17g AND circle_radius = %.17g",
                                    tables[t].id, tables[t].table, c[0], c[1], c[2]));
            assert_same(&got, &want);
        }
}

static void a_circle_is_what_the_separation_says(void **state)
{
    (void)state;
    for (int p = 0; p < N_PLACES; p++) {
        const double *c = places[p];
        int64_t wide = integer(
            ask("SELECT count(*) FROM sky_tic WHERE circle_ra = %.17g AND circle_dec = %.17g "
                "AND circle_radius = %.17g AND separation(ra, dec, %.17g, %.17g) <= %.17g",
                c[0], c[1], c[2] * 1.5, c[0], c[1], c[2]));
        int64_t exact = integer(
            ask("SELECT count(*) FROM sky_tic WHERE circle_ra = %.17g AND circle_dec = %.17g "
                "AND circle_radius = %.17g AND dstArcSec <= %.17g",
                c[0], c[1], c[2], 3600 * c[2] + 1e-9));
        assert_true(exact > 0);
        assert_int_equal(wide, exact);
    }
}

/* Limits that are the printed values of rows, where < and <= differ. */
static void ranges_select_on_the_printed_values(void **state)
{
    (void)state;
    for (int t = 0; t < N_TABLES; t++)
        for (int p = 1; p < 3; p++) {
            if (tables[t].catalog == HAL_CATALOG_CTL)
                continue; /* none there, and a part of the TIC */
            const double c[] = {fmod(places[p][0] + 0.8, 360), places[p][1]};
            hal_catalog catalog = tables[t].catalog;
            int ra = hal_catalog_column(catalog, tables[t].ra);
            int dec = hal_catalog_column(catalog, tables[t].dec);
            int id = hal_catalog_column(catalog, tables[t].id);
            hal_cell first, second, cells[64];
            hal_rows *r = truth(catalog, c[0], c[1], 0.5);
            first = second =
                hal_cell_text(NULL); /* the outermost; footprints may have far centres */
            while (next_true(r, cells)) {
                if (fabs(hal_cell_number(&cells[ra]) - c[0]) > 0.5)
                    continue;
                if (!first.kind || cells[ra].value < first.value)
                    first = cells[ra];
                if (!second.kind || cells[ra].value > second.value)
                    second = cells[ra];
            }
            assert_true(first.value < second.value);
            hal_rows_free(r);
            for (int strict = 0; strict < 2; strict++) {
                list want = {0};
                r = truth(catalog, c[0], c[1], 1);
                while (next_true(r, cells))
                    if (cells[ra].value >= first.value + strict &&
                        cells[ra].value <= second.value - strict &&
                        fabs(hal_cell_number(&cells[dec]) - c[1]) <= 0.3)
                        push(&want, cells[id].value);
                hal_rows_free(r);
                char low[HAL_CELL_TEXT_MAX], high[HAL_CELL_TEXT_MAX];
                low[hal_cell_print(&first, low)] = 0;
                high[hal_cell_print(&second, high)] = 0;
                const char *equal = strict ? "" : "=";
                list got = integers(ask(
                    "SELECT %s FROM %s WHERE %s >%s %s AND %s <%s %s AND abs(%s - %.17g) <= 0.3 "
                    "AND %s BETWEEN %.17g AND %.17g",
                    tables[t].id, tables[t].table, tables[t].ra, equal, low, tables[t].ra, equal,
                    high, tables[t].dec, c[1], tables[t].dec, c[1] - 0.4, c[1] + 0.4));
                assert_same(&got, &want);
            }
        }
}

static void every_printed_position_finds_its_row(void **state)
{
    (void)state;
    hal_rows *r = truth(HAL_CATALOG_GAIA, 0, 20, 0.3);
    hal_cell cells[64];
    int n = 0;
    for (; n < 60 && next_true(r, cells); n++) {
        char ra[HAL_CELL_TEXT_MAX], dec[HAL_CELL_TEXT_MAX];
        ra[hal_cell_print(&cells[1], ra)] = 0;
        dec[hal_cell_print(&cells[3], dec)] = 0;
        assert_int_equal(
            integer(ask("SELECT source_id FROM sky_gaia WHERE ra = %s AND dec = %s", ra, dec)),
            cells[0].value);
    }
    hal_rows_free(r);
    assert_int_equal(n, 60);
}

static void numbers_in_a_statement_are_read_correctly_rounded(void **state)
{
    (void)state;
    static char text[400000];
    enum { N = 200, ROUNDS = 40 };
    uint64_t seed = 1;
    for (int round = 0; round < ROUNDS; round++) {
        double want[N];
        size_t used = (size_t)snprintf(text, sizeof text, "SELECT ");
        for (int i = 0; i < N; i++) {
            seed = hal_mix(seed);
            char number[40];
            snprintf(number, sizeof number, "%d.%012llu", (int)(seed % 360),
                     (unsigned long long)(seed >> 20) % 1000000000000);
            want[i] = strtod(number, NULL);
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? "," : "", number);
        }
        hal_sql *q __attribute__((cleanup(free_sql))) = ask("%s", text);
        hal_cell cells[N];
        assert_true(next(q, cells));
        for (int i = 0; i < N; i++)
            assert_true(hal_cell_number(&cells[i]) == want[i]);
    }
    hal_sql *q __attribute__((cleanup(free_sql))) = ask(
        "SELECT '201.1', \"a.1\", [1.5], 1e2, .5, 5., 0x10 -- 3.3\n /* 4.4 '*/ FROM (SELECT 7 AS "
        "\"a.1\", 8 AS \"1.5\")");
    hal_cell cells[8];
    assert_true(next(q, cells));
    assert_int_equal(cells[0].kind, HAL_CELL_TEXT);
    assert_int_equal(cells[1].value, 7);
    assert_int_equal(cells[2].value, 8);
    assert_true(cells[3].real == 100 && cells[4].real == 0.5 && cells[5].real == 5);
    assert_int_equal(cells[6].value, 16);
}

static void identifiers_lead_to_their_rows_each_once(void **state)
{
    (void)state;
    for (int t = 0; t < N_TABLES; t++) {
        const char *name = t == 4 ? "obsid" : tables[t].id;
        int id = hal_catalog_column(tables[t].catalog, name);
        hal_rows *r = truth(tables[t].catalog, 201.697, -47.4795, 0.1);
        char text[20000] = "";
        size_t used = 0;
        list want = {0};
        hal_cell cells[64];
        int64_t last = 0;
        while (want.n < 300 && next_true(r, cells)) {
            if (t == 4 && cells[id].value == last)
                continue; /* two planes of one observation */
            last = cells[id].value;
            push(&want, last);
            used += (size_t)snprintf(text + used, sizeof text - used, "%lld, %lld, ",
                                     (long long)last, (long long)last);
        }
        hal_rows_free(r);
        assert_true(want.n > 20);
        list got = integers(ask("SELECT DISTINCT %s FROM %s WHERE %s IN (%s -1, 5)", name,
                                tables[t].table, name, text));
        int64_t one = want.v[0];
        assert_same(&got, &want);
        assert_int_equal(integer(ask("SELECT DISTINCT %s FROM %s WHERE %s = '%lld'", name,
                                     tables[t].table, name, (long long)one)),
                         one);
    }
}

static void files_are_found_by_observation_and_by_uri(void **state)
{
    (void)state;
    hal_sql *q =
        ask("SELECT o.obsid, p.obsID, p.dataURI, p.size FROM observations o JOIN products p ON "
            "p.obsID = "
            "o.obsid WHERE circle_ra = 201.7 AND circle_dec = -47.48 AND circle_radius = 0.01 AND "
            "o.obs_collection = 'HST' AND p.productType = 'SCIENCE'");
    hal_cell cells[4];
    int n = 0;
    char uri[200];
    for (; next(q, cells); n++) {
        assert_int_equal(cells[0].value, cells[1].value);
        snprintf(uri, sizeof uri, "%.*s", (int)cells[2].size, cells[2].text);
    }
    hal_sql_free(q);
    assert_true(n > 3);
    assert_int_equal(integer(ask("SELECT count(*) FROM products WHERE dataURI = '%s'", uri)), 1);
    assert_int_equal(integer(ask("SELECT count(*) FROM (SELECT * FROM products LIMIT 1000)")),
                     1000);
}

static hal_sql *fresh(void)
{
    hal_sql *q = hal_sql_new(sky, NULL);
    assert_non_null(q);
    return q;
}

static void conditions_reach_the_sky_through_views(void **state)
{
    (void)state;
    hal_sql *q = fresh();
    assert_int_equal(
        hal_sql_add_view(q, "a.mean",
                         "SELECT source_id AS objID, ra AS raMean, dec AS decMean, "
                         "round(phot_g_mean_mag + 0.25, 3) AS gMag, circle_ra, circle_dec, "
                         "circle_radius FROM sky_gaia WHERE phot_g_mean_mag < 20",
                         NULL),
        HAL_OK);
    assert_int_equal(hal_sql_add_view(q, "b", "SELECT * FROM \"a.mean\" WHERE gMag < 18", NULL),
                     HAL_OK);
    /* The whole sky would be too much: these read a few cells. */
    const char *text =
        "SELECT (SELECT count(*) FROM b WHERE circle_ra = 30 AND circle_dec = 10 AND circle_radius "
        "= 0.2), (SELECT count(*) FROM b WHERE raMean BETWEEN 30 AND 30.2 AND decMean BETWEEN "
        "10 AND 10.2), (SELECT min(objID) FROM b WHERE objID IN (SELECT objID FROM b WHERE "
        "circle_ra "
        "= 30 AND circle_dec = 10 AND circle_radius = 0.2))";
    assert_int_equal(hal_sql_prepare(q, hal_slice_of(text), NULL), HAL_OK);
    hal_cell cells[3];
    assert_true(next(q, cells));
    int64_t circle = cells[0].value, box = cells[1].value;
    assert_true(circle > 10 && box > 3 && cells[2].value > 0);
    hal_sql_free(q);
    const char *where = "phot_g_mean_mag < 20 AND round(phot_g_mean_mag + 0.25, 3) < 18";
    assert_int_equal(
        integer(ask("SELECT count(*) FROM sky_gaia WHERE circle_ra = 30 AND circle_dec = 10 AND "
                    "circle_radius = 0.2 AND %s",
                    where)),
        circle);
    assert_int_equal(
        integer(ask("SELECT count(*) FROM sky_gaia WHERE ra >= 30 AND ra <= 30.2 AND dec >= 10 AND "
                    "dec <= 10.2 AND %s",
                    where)),
        box);
}

static void tables_handed_in_are_joined(void **state)
{
    (void)state;
    hal_sql *q = fresh();
    const hal_sql_column columns[] = {
        {"name", "char"}, {"ra", "double"}, {"dec", "double"}, {"n", "long"}};
    assert_int_equal(hal_sql_add_table(q, "up load", columns, 4, NULL), HAL_OK);
    for (int i = 0; i < 5; i++) {
        char name[8];
        snprintf(name, sizeof name, "s%d", i);
        hal_cell row[] = {hal_cell_text(name), hal_cell_real(10.0 * i), hal_cell_fixed(25, 1),
                          hal_cell_int(INT64_MAX - i)};
        assert_int_equal(hal_sql_add_row(q, row, i < 4 ? 4 : 3, NULL), HAL_OK);
    }
    hal_cell long_row[5] = {{0}};
    hal_err err = HAL_ERR_INIT;
    assert_int_equal(hal_sql_add_row(q, long_row, 5, &err), HAL_E_USAGE);
    const char *text =
        "SELECT u.name, u.n, count(*), max(separation(u.ra, u.dec, g.ra, g.dec)) <= 0.05 FROM \"up "
        "load\" u JOIN sky_gaia g ON g.circle_ra = u.ra AND g.circle_dec = u.dec AND "
        "g.circle_radius = 0.05 GROUP BY u.name ORDER BY u.name";
    assert_int_equal(hal_sql_prepare(q, hal_slice_of(text), NULL), HAL_OK);
    hal_cell cells[4];
    for (int i = 0; i < 5; i++) {
        assert_true(next(q, cells));
        assert_int_equal(cells[0].text[1], '0' + i);
        assert_true(i == 4 ? cells[1].kind == HAL_CELL_NULL : cells[1].value == INT64_MAX - i);
        hal_rows *r = truth(HAL_CATALOG_GAIA, 10.0 * i, 2.5, 0.05);
        uint64_t n;
        assert_int_equal(hal_rows_count(r, &n, NULL), HAL_OK);
        hal_rows_free(r);
        assert_int_equal(cells[2].value, n);
        assert_int_equal(cells[3].value, 1);
    }
    assert_false(next(q, cells));
    hal_sql_free(q);
}

static void parameters_have_their_values(void **state)
{
    (void)state;
    hal_sql *q __attribute__((cleanup(free_sql))) = ask("SELECT ?, :x, ?, :x");
    hal_cell values[] = {hal_cell_real(0.1), hal_cell_text("it's"), hal_cell_int(1),
                         hal_cell_int(2)};
    hal_err err = HAL_ERR_INIT;
    hal_cell cells[4];
    bool more;
    assert_int_equal(hal_sql_next(q, cells, &more, &err),
                     HAL_E_USAGE); /* nothing is NULL by accident */
    assert_int_equal(hal_sql_bind(q, NULL, &values[0], NULL), HAL_OK);
    assert_int_equal(hal_sql_bind(q, ":x", &values[1], NULL), HAL_OK);
    assert_int_equal(hal_sql_bind(q, NULL, &values[2], NULL), HAL_OK);
    assert_int_equal(hal_sql_bind(q, NULL, &values[3], &err), HAL_E_USAGE);
    assert_int_equal(hal_sql_bind(q, ":y", &values[3], &err), HAL_E_USAGE);
    assert_true(next(q, cells));
    assert_true(cells[0].real == 0.1 && cells[2].value == 1);
    assert_memory_equal(cells[3].text, "it's", 4);
}

static void columns_say_where_they_come_from(void **state)
{
    (void)state;
    hal_sql *q __attribute__((cleanup(free_sql))) =
        ask("SELECT g AS mag, 1 + 1 AS two FROM (SELECT phot_g_mean_mag AS g FROM sky_gaia)");
    assert_int_equal(hal_sql_columns(q), 2);
    hal_sql_origin o = hal_sql_origin_of(q, 0);
    assert_string_equal(o.name, "mag");
    assert_string_equal(o.type, "REAL");
    assert_string_equal(o.table, "sky_gaia");
    assert_string_equal(o.column, "phot_g_mean_mag");
    o = hal_sql_origin_of(q, 1);
    assert_string_equal(o.name, "two");
    assert_true(!o.type && !o.table && !o.column);
}

static hal_status status_of(const char *text, double seconds, hal_err *err)
{
    hal_cell cells[64];
    bool more = true;
    hal_sql *q = fresh();
    hal_sql_set_limits(q, seconds, 200000);
    hal_status st = hal_sql_prepare(q, hal_slice_of(text), err);
    while (!st && more)
        st = hal_sql_next(q, cells, &more, err);
    hal_sql_free(q);
    return st;
}

static void a_statement_that_takes_too_long_is_stopped(void **state)
{
    (void)state;
    hal_err err = HAL_ERR_INIT;
    assert_int_equal(
        status_of("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT "
                  "count(*) FROM c",
                  0.05, &err),
        HAL_E_TIMEOUT);
    assert_non_null(strstr(err.text, "query takes too long: it was stopped after 0.05 s"));
    assert_int_equal(status_of("SELECT count(*) FROM sky_tic WHERE plx > 1e9", 600, &err),
                     HAL_E_TIMEOUT);
    assert_non_null(strstr(err.text, "query takes too long: it reads more than 200000 stars"));
}

static void a_band_of_declination_reads_the_stars_of_the_band_only(void **state)
{
    (void)state;
    hal_err err = HAL_ERR_INIT;
    const char *band = "SELECT count(*) FROM sky_gaia WHERE dec BETWEEN 87 AND 87.02";
    if (status_of(band, 600, &err))
        fail_msg("%s", err.text);
    int64_t parts = 0;
    for (int ra = 0; ra < 360; ra += 90)
        parts += integer(ask("%s AND ra >= %d AND ra < %d", band, ra, ra + 90));
    assert_int_equal(integer(ask("%s", band)), parts);
    assert_true(parts > 100);
}

static void what_is_no_query_is_refused_in_words(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"SELECT nosuch FROM sky_gaia", "no such column: nosuch"},
        {"SELECT 1 FROM nosuch", "no such table: nosuch"},
        {"SELEC 1", "syntax error"},
        {"CREATE TABLE t(a)", "not authorized"},
        {"ATTACH '/tmp/x' AS x", ""},
        {"PRAGMA temp_store = 1", "not authorized"},
        {"SELECT 1; SELECT 2", "more than one statement"},
        {"  -- nothing", "there is no query"},
        {"SELECT 1 FROM sky_tic WHERE circle_ra = 1 AND circle_dec = 2",
         "a circle needs circle_ra"},
        {"SELECT 1 FROM sky_tic WHERE circle_ra > 1", "which circle is asked about"},
        {"SELECT 1 FROM sky_tic WHERE circle_ra = 1 AND circle_dec = 91 AND circle_radius = 1",
         "between -90 and 90"},
        {"SELECT load_extension('x')", "not authorized"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        hal_err err = HAL_ERR_INIT;
        assert_int_equal(status_of(wrong[i][0], 60, &err), HAL_E_USAGE);
        if (!strstr(err.text, wrong[i][1]))
            fail_msg("%s: %s", wrong[i][0], err.text);
    }
    hal_err err = HAL_ERR_INIT;
    assert_int_equal(status_of(" SELECT 1 ; -- done\n ", 60, &err), HAL_OK);
}

static void limits_that_leave_nothing_read_nothing(void **state)
{
    (void)state;
    assert_int_equal(integer(ask("SELECT count(*) FROM sky_gaia WHERE ra > 20 AND ra < 10")), 0);
    assert_int_equal(
        integer(ask("SELECT count(*) FROM sky_gaia WHERE circle_ra = NULL AND circle_dec = 1 AND "
                    "circle_radius = 1")),
        0);
    assert_int_equal(
        integer(ask("SELECT count(*) FROM sky_gaia WHERE circle_ra = 1 AND circle_dec = 1 AND "
                    "circle_radius = -1")),
        0);
    assert_int_equal(integer(ask("SELECT count(*) FROM sky_gaia WHERE source_id IN (1, 2, 3)")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_circle_gives_the_rows_of_the_archives_own_search),
        cmocka_unit_test(a_circle_is_what_the_separation_says),
        cmocka_unit_test(ranges_select_on_the_printed_values),
        cmocka_unit_test(every_printed_position_finds_its_row),
        cmocka_unit_test(a_band_of_declination_reads_the_stars_of_the_band_only),
        cmocka_unit_test(numbers_in_a_statement_are_read_correctly_rounded),
        cmocka_unit_test(identifiers_lead_to_their_rows_each_once),
        cmocka_unit_test(files_are_found_by_observation_and_by_uri),
        cmocka_unit_test(conditions_reach_the_sky_through_views),
        cmocka_unit_test(tables_handed_in_are_joined),
        cmocka_unit_test(parameters_have_their_values),
        cmocka_unit_test(columns_say_where_they_come_from),
        cmocka_unit_test(a_statement_that_takes_too_long_is_stopped),
        cmocka_unit_test(what_is_no_query_is_refused_in_words),
        cmocka_unit_test(limits_that_leave_nothing_read_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
