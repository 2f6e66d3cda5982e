/* SPDX-License-Identifier: BSD-3-Clause */
/* Documents with one flipped bit: an error, or a table of as many rows that differs only in what
 * that byte can say, which is one row or one column. Where a format cannot tell, the test says so
 * by name: docs/formats.md lists these. */
#include "data/base64.h"

#include "support/tables.h"

#include <string.h>

typedef struct text {
    hal_slice bytes;
    bool null;
} text;

/* A table as texts, columns found by name. */
typedef struct grid {
    uint64_t n_rows;
    size_t n_columns;
    hal_table *table;
    hal_buf buf;
    size_t *ends; /* of the cells, row by row, in `buf` */
} grid;

static grid grid_of(hal_table *t)
{
    grid g = {hal_table_rows(t), hal_table_columns(t), t, {0}, NULL};
    hal_buf_init(&g.buf, 1 << 24);
    g.ends = calloc(g.n_rows * g.n_columns + 1, sizeof *g.ends);
    for (uint64_t row = 0; row < g.n_rows; row++)
        for (size_t c = 0; c < g.n_columns; c++) {
            if (!hal_table_is_null(t, c, row))
                assert_int_equal(hal_table_cell_text(&g.buf, t, c, row, NULL), HAL_OK);
            g.ends[row * g.n_columns + c] = g.buf.size_bytes;
        }
    return g;
}

static void grid_clear(grid *g)
{
    hal_table_unref(g->table);
    hal_buf_clear(&g->buf);
    free(g->ends);
}

static text cell_of(const grid *g, uint64_t row, size_t c)
{
    if (c == SIZE_MAX || hal_table_is_null(g->table, c, row))
        return (text){{"", 0}, true};
    size_t i = row * g->n_columns + c, start = i ? g->ends[i - 1] : 0;
    return (text){{g->buf.data ? g->buf.data + start : "", g->ends[i] - start}, false};
}

/* "1.50" in a column that became one of texts is the 1.5 that it was. */
static bool same_cells(text a, text b)
{
    if (a.null || b.null || hal_slice_equals(a.bytes, b.bytes))
        return a.null == b.null;
    char copies[2][64], *ends[2];
    double values[2];
    const hal_slice both[2] = {a.bytes, b.bytes};
    for (int i = 0; i < 2; i++) {
        if (both[i].size_bytes == 0 || both[i].size_bytes >= sizeof copies[i])
            return false;
        memcpy(copies[i], both[i].data, both[i].size_bytes);
        copies[i][both[i].size_bytes] = '\0';
        values[i] = strtod(copies[i], &ends[i]);
    }
    return !*ends[0] && !*ends[1] && values[0] == values[1];
}

static size_t find(const hal_table *t, const char *name)
{
    for (size_t i = 0; i < hal_table_columns(t); i++)
        if (!strcmp(hal_table_field(t, i)->name, name))
            return i;
    return SIZE_MAX;
}

/* Where a key in a row names a column, by name; a column that has another name now is where it was.
 */
static size_t column_of(const grid *g, const grid *whole, size_t c, bool keys)
{
    size_t found = keys ? find(g->table, hal_table_field(whole->table, c)->name) : SIZE_MAX;
    bool renamed = found == SIZE_MAX && g->n_columns == whole->n_columns &&
                   (!keys || find(whole->table, hal_table_field(g->table, c)->name) == SIZE_MAX);
    return renamed ? c : found;
}

/* Where cells differ. */
typedef struct extent {
    uint64_t first, n; /* rows, all those between the first and the last */
    size_t columns;
} extent;

static extent compare(const grid *whole, const grid *g, bool keys)
{
    extent e = {0};
    bool *touched = calloc(whole->n_columns, sizeof *touched);
    for (uint64_t row = 0; row < whole->n_rows; row++)
        for (size_t c = 0; c < whole->n_columns; c++) {
            text a = cell_of(whole, row, c), b = cell_of(g, row, column_of(g, whole, c, keys));
            if (same_cells(a, b))
                continue;
            e.columns += !touched[c];
            touched[c] = true;
            e.first = e.n ? e.first : row;
            e.n = row - e.first + 1;
        }
    free(touched);
    return e;
}

typedef struct document {
    const char *name;
    char *bytes;
    size_t n;
    /* True where the format cannot tell: more rows are no error. May be NULL. */
    bool (*blind)(const struct document *d, size_t at, int bit);
    bool stream; /* a letter of base64 is of two rows; behind another length all rows are others */
} document;

static size_t n_refused, n_read, n_wrong;

static void check(const document *d, const grid *whole, size_t at, int bit, size_t piece)
{
    hal_err err = HAL_ERR_INIT;
    hal_table *t = read_bytes(d->bytes, d->n, piece, HAL_FORMAT_AUTO, NULL, &err);
    if (!t) {
        n_refused++;
        return;
    }
    grid g = grid_of(t);
    n_read++;
    extent e = {0};
    bool right = d->blind && d->blind(d, at, bit) && g.n_rows > whole->n_rows;
    if (!right && g.n_rows == whole->n_rows) {
        e = compare(whole, &g, *d->bytes == '{' || *d->bytes == '[');
        right = e.n <= 1 || e.columns <= 1 ||
                (d->stream && (e.n == 2 || e.first + e.n == whole->n_rows));
    }
    if (!right && n_wrong++ < 40)
        print_error("%s, bit %d of byte %zu: %d of %d rows; %d of them and %d columns differ\n",
                    d->name, bit, at, (int)g.n_rows, (int)whole->n_rows, (int)e.n, (int)e.columns);
    grid_clear(&g);
}

static void flip_all(document d)
{
    hal_err err = HAL_ERR_INIT;
    hal_table *t = read_bytes(d.bytes, d.n, d.n, HAL_FORMAT_AUTO, NULL, &err);
    if (!t)
        fail_msg("%s: %s", d.name, err.text);
    grid whole = grid_of(t);
    n_refused = n_read = n_wrong = 0;
    for (size_t at = 0; at < d.n; at++)
        for (int bit = 0; bit < 8; bit++) {
            char saved = d.bytes[at];
            /* One bit of every byte within a run of the same. */
            if (at > 2 && at + 3 < d.n && !memcmp(d.bytes + at - 3, d.bytes + at - 2, 6) &&
                bit != (int)(at % 8))
                continue;
            d.bytes[at] = (char)(saved ^ 1 << bit);
            check(&d, &whole, at, bit, (at + (size_t)bit) % 5 ? d.n : 1);
            d.bytes[at] = saved;
        }
    print_message("%s: %zu refused, %zu read\n", d.name, n_refused, n_read);
    assert_true(n_refused > 0);
    assert_int_equal(n_wrong, 0);
    grid_clear(&whole);
}

static void flip_text(const char *name, const char *body,
                      bool (*blind)(const document *, size_t, int))
{
    size_t n = strlen(body);
    char *bytes = malloc(n);
    memcpy(bytes, body, n);
    flip_all((document){.name = name, .bytes = bytes, .n = n, .blind = blind});
    free(bytes);
}

/* A comment or a line of types that loses its mark is a header or a row. */
static bool is_marked(const document *d, size_t at, int bit)
{
    (void)d;
    (void)bit;
    return at < strlen("# 1,2\n@a,b\nid,b\n@i,@s");
}

static void a_flipped_bit_of_csv(void **state)
{
    (void)state;
    flip_text("csv",
              "Dec,c,\"a b\",z\n1,2.50,x,\n3,4,\"a,\"\"b\"\"\nc\",#\n5,,bb,\"\"\n7,1e3,d,@\n",
              NULL);
    flip_text("csv of texts", "id,b\r\nc3,\"x\"\r\nA,\",\"\r\nB,y\r\n", NULL);
    flip_text("csv with comments", "# 1,2\n@a,b\nid,b\n@i,@s\n1,2\n13,4\n", is_marked);
}

static void a_flipped_bit_of_ecsv(void **state)
{
    (void)state;
    flip_text("ecsv",
              "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: i, datatype: int16, unit: m}\n"
              "# - {name: s, datatype: string}\n"
              "# - {name: l, datatype: string, subtype: 'float32[null]'}\n# delimiter: ','\n"
              "# meta: !!omap\n# - {k: v}\n# schema: astropy-2.0\n"
              "i,s,l\n1,a,[]\n,\"b, \"\"c\"\"\",\"[1,null]\"\n33,\"\",[2.5]\n4,c,\n",
              NULL);
}

static void a_flipped_bit_of_rows_of_json(void **state)
{
    (void)state;
    flip_text("rows",
              "[{\"a\":1,\"b\":\"x\"},{\"a\":22,\"b\":null},{\"a\":-3.5,\"b\":\"\\u00e9\"}]", NULL);
    flip_text("data", "{\"data\":[{\"a\":1,\"b\":\"x,y\"},{\"a\":2,\"b\":true}]}", NULL);
    flip_text("results",
              "{\"info\":[{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"b\",\"type\":\"varchar\"}],"
              "\"results\":[{\"a\":1,\"b\":\"x\"},{\"a\":2,\"b\":\"L\"}]}",
              NULL);
    flip_text("lists",
              "{\"info\":[{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"b\",\"type\":\"varchar\"}],"
              "\"data\":[[1,\"x\"],[2,null],[3,\"L\"]]}",
              NULL);
}

static void a_flipped_bit_of_mashup_json(void **state)
{
    (void)state;
    flip_text("mashup",
              "{\"status\":\"COMPLETE\",\"msg\":\"\",\"data\":[{\"a\":1,\"b\":\"x\"},"
              "{\"a\":2,\"b\":null}],\"fields\":[{\"name\":\"a\",\"type\":\"int\"},"
              "{\"name\":\"b\",\"type\":\"string\"}],\"paging\":{\"page\":1,\"pageSize\":2,"
              "\"pagesFiltered\":1,\"rows\":2,\"rowsFiltered\":2,\"rowsTotal\":2}}",
              NULL);
}

/* Columns of every kind, five rows, none of zeros. */
static hal_table *sample(void)
{
    const hal_field fields[] = {
        {.name = "id", .type = HAL_TYPE_INT64, .ucd = "meta.id"},
        {.name = "name", .type = HAL_TYPE_STRING, .description = "<what> it is"},
        {.name = "mag", .type = HAL_TYPE_FLOAT32, .unit = "mag"},
        {.name = "some", .type = HAL_TYPE_INT16, .width = HAL_WIDTH_VARIABLE},
        {.name = "three", .type = HAL_TYPE_UINT8, .width = 3}};
    hal_err err = HAL_ERR_INIT;
    hal_builder *b = hal_builder_new(fields, 5, &err);
    for (int i = 1; i <= 5; i++) {
        const int16_t some[] = {(int16_t)i, -2, 300};
        const uint8_t three[] = {(uint8_t)i, 0, 255};
        char name[16];
        size_t n = (size_t)snprintf(name, sizeof name, "M %d", i * 33);
        MUST(hal_builder_int64(b, 0, INT64_MAX / i, &err));
        if (i != 3)
            MUST(hal_builder_string(b, 1, (hal_slice){name, n}, &err));
        MUST(hal_builder_float64(b, 2, 1.5 * i, &err));
        MUST(hal_builder_array(b, 3, some, (uint64_t)i % 4, NULL, &err));
        if (i != 4)
            MUST(hal_builder_array(b, 4, three, 3, NULL, &err));
        MUST(hal_builder_end_row(b, &err));
    }
    hal_table *t = hal_builder_finish(b, &err);
    hal_builder_free(b);
    return t;
}

static void flip_written(hal_format format, bool stream,
                         bool (*blind)(const document *, size_t, int))
{
    document d = {.name = hal_format_name(format), .blind = blind, .stream = stream};
    hal_table *t = sample();
    d.bytes = written_bytes(t, format, 5, &d.n);
    hal_table_unref(t);
    flip_all(d);
    free(d.bytes);
}

static void a_flipped_bit_of_votable(void **state)
{
    (void)state;
    flip_written(HAL_FORMAT_VOTABLE, false, NULL);
}

static void a_flipped_bit_of_a_binary_votable(void **state)
{
    (void)state;
    flip_written(HAL_FORMAT_VOTABLE_BINARY2, true, NULL);
}

static size_t put_number(uint8_t *to, uint64_t value, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++)
        to[i] = (uint8_t)(value >> 8 * (n_bytes - 1 - i));
    return n_bytes;
}

/* The older serialisation, which nothing writes any more: no flags of nulls but values for them. */
static document older_binary(const char *nrows)
{
    uint8_t rows[512];
    size_t n = 0;
    for (uint64_t i = 1; i <= 5; i++) {
        static const char name[] = "M 33 and more";
        n += put_number(rows + n, i == 4 ? (uint64_t)-99 : i * 1000003, 4); /* id */
        n += put_number(rows + n, 2 * i, 4);                                /* name */
        memcpy(rows + n, name, 2 * i);
        n += 2 * i;
        n += put_number(rows + n, UINT64_C(0x3ff8000000000000) + i, 8); /* mag */
        n += put_number(rows + n, i % 3, 4);                            /* some */
        for (uint64_t k = 0; k < i % 3; k++)
            n += put_number(rows + n, 0x1234 + k, 2);
        n += put_number(rows + n, 0x0102ff + i, 3); /* three */
    }
    char base64[1024], body[2048];
    size_t n_text = hal_base64_encode(rows, n, base64);
    snprintf(
        body, sizeof body,
        "<?xml version=\"1.0\"?>\n<VOTABLE version=\"1.2\"><RESOURCE type=\"results\"><TABLE%s>"
        "<FIELD name=\"id\" datatype=\"int\"><VALUES null=\"-99\"/></FIELD>"
        "<FIELD name=\"name\" datatype=\"char\" arraysize=\"*\"/>"
        "<FIELD name=\"mag\" datatype=\"double\" unit=\"mag\"/>"
        "<FIELD name=\"some\" datatype=\"short\" arraysize=\"*\"/>"
        "<FIELD name=\"three\" datatype=\"unsignedByte\" arraysize=\"3\"/>"
        "<DATA><BINARY><STREAM encoding=\"base64\">%.*s</STREAM></BINARY></DATA></TABLE>"
        "</RESOURCE></VOTABLE>\n",
        nrows, (int)n_text, base64);
    size_t size = strlen(body);
    char *bytes = malloc(size + 1);
    memcpy(bytes, body, size + 1);
    return (document){.name = "votable-binary", .bytes = bytes, .n = size, .stream = true};
}

static void a_flipped_bit_of_a_votable_of_the_older_binary(void **state)
{
    (void)state;
    document d = older_binary(" nrows=\"5\"");
    flip_all(d);
    free(d.bytes);
}

/* A longer text takes the rows behind it for its own, and what is left may be a row. */
static void what_a_stream_without_a_number_of_rows_cannot_tell(void **state)
{
    (void)state;
    document d = older_binary("");
    char *length = strstr(d.bytes, "base64\">") + 8 + 9; /* 2 becomes 130 */
    assert_int_equal(*length, 'A');
    *length ^= 1 << 3;
    hal_err err = HAL_ERR_INIT;
    hal_table *t = read_bytes(d.bytes, d.n, d.n, HAL_FORMAT_AUTO, NULL, &err);
    assert_non_null(t);
    assert_int_equal(hal_table_rows(t), 1);
    hal_table_unref(t);
    free(d.bytes);
}

/* NAXIS2 may count rows in the zeros that fill the last block. */
static bool counts_rows(const document *d, size_t at, int bit)
{
    (void)bit;
    return at >= 2880 && !memcmp(d->bytes + at / 80 * 80, "NAXIS2  =", 9);
}

static void a_flipped_bit_of_fits(void **state)
{
    (void)state;
    flip_written(HAL_FORMAT_FITS, false, counts_rows);
}

/* Where nothing but the bytes themselves says that they are rows. */
static void what_csv_cannot_tell(void **state)
{
    (void)state;
    static const struct {
        const char *is;
        uint64_t n_rows;
    } cases[] = {
        {"a\n1*2\n", 1},         /* one column: a line feed is lost, */
        {"a\n1\n2\n", 2},        /* or made */
        {"a\n@x\n", 0},          /* the first row becomes a line of types */
        {"a,b\n#xly\n1,2\n", 1}, /* two columns: a comment */
        {"#,b\nx,y\nz,w\n", 1},  /* names, and then only texts */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hal_err err = HAL_ERR_INIT;
        size_t n = strlen(cases[i].is);
        hal_table *t = read_bytes(cases[i].is, n, n, HAL_FORMAT_CSV, NULL, &err);
        if (!t)
            fail_msg("%s: %s", cases[i].is, err.text);
        assert_int_equal(hal_table_rows(t), cases[i].n_rows);
        hal_table_unref(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flipped_bit_of_csv),
        cmocka_unit_test(what_csv_cannot_tell),
        cmocka_unit_test(a_flipped_bit_of_ecsv),
        cmocka_unit_test(a_flipped_bit_of_rows_of_json),
        cmocka_unit_test(a_flipped_bit_of_mashup_json),
        cmocka_unit_test(a_flipped_bit_of_votable),
        cmocka_unit_test(a_flipped_bit_of_a_binary_votable),
        cmocka_unit_test(a_flipped_bit_of_a_votable_of_the_older_binary),
        cmocka_unit_test(what_a_stream_without_a_number_of_rows_cannot_tell),
        cmocka_unit_test(a_flipped_bit_of_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
