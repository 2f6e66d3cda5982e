/* SPDX-License-Identifier: BSD-3-Clause */
/* VOTables in pieces, of so many rows that a team reads them. Small ones: test_votable_cuts.c. */
#include "votable_test.h"

#include "data/base64.h"

#include <zlib.h>

enum { N_ROWS = 40000 };

#define FIELDS                                                                                     \
    "<FIELD name='n' datatype='int'/><FIELD name='x' datatype='double'/>"                          \
    "<FIELD name='s' datatype='char' arraysize='*'/><FIELD name='k' datatype='short'>"             \
    "<VALUES null='-9'/></FIELD><DATA>"

static char *add_row(char *p, int i)
{
    switch (i % 101 == 50 ? i / 101 % 4 : 9) {
    case 0:
        p += snprintf(p, 300,
                      "<!-- <TR><TD>-1</TD><TD/><TD/><TD/></TR> --><TR><TD>%d</TD><TD>%d.25</TD>"
                      "<TD>s%d</TD><TD>7</TD></TR>\n",
                      i, i, i);
        break;
    case 1:
        p += snprintf(p, 300,
                      "<TR><TD>%d</TD><TD>%d.25</TD><TD><![CDATA[s]]>%d<![CDATA[</TD></TR><TR>]]>"
                      "</TD><TD>7</TD></TR>",
                      i, i, i);
        break;
    case 2:
        p += snprintf(p, 300,
                      "<TR ID='x'><TD>%d</TD><TD> %d.25</TD><TD>s%d&#65;&amp;</TD>"
                      "<TD>-9</TD></TR>\r\n",
                      i, i, i);
        break;
    case 3:
        p += snprintf(p, 300,
                      "<?rows </TR><TR><TD>1</TD><TD/><TD/><TD/></TR> ?><TR><TD>%d</TD>"
                      "<TD>%d.25</TD><TD>s%d</TD>\n<TD/></TR>",
                      i, i, i);
        break;
    default:
        p +=
            snprintf(p, 300, "<TR><TD>%d</TD><TD>%d.25</TD><TD>s%d</TD><TD>7</TD></TR>\n", i, i, i);
    }
    return p;
}

/* N_ROWS rows of TABLEDATA, one in a hundred of them not plain; from row `wide` on the last column
 * holds what is no short. */
static char *make_rows(int wide)
{
    char *text = malloc(N_ROWS * 200 + 4096), *p = text;
    p = stpcpy(p, "<VOTABLE><RESOURCE type='results'><TABLE>" FIELDS "<TABLEDATA>");
    for (int i = 0; i < N_ROWS; i++)
        if (i == wide)
            p = stpcpy(p, "<TR><TD>1</TD><TD>2</TD><TD>wide</TD><TD>70000</TD></TR>");
        else
            p = add_row(p, i);
    stpcpy(p, "</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>");
    return text;
}

/* Rows from number `first` on; `odd`: as add_row makes them, else as make_stream does. */
static void expect_rows(const hal_table *t, int first, int wide, bool odd)
{
    for (uint64_t row = 0; row < hal_table_rows(t); row++) {
        int i = first + (int)row, kind = odd && i % 101 == 50 ? i / 101 % 4 : 9;
        if (i == wide)
            continue;
        char text[64];
        snprintf(text, sizeof text, "s%d%s", i,
                 kind == 1   ? "</TD></TR><TR>"
                 : kind == 2 ? "A&"
                             : "");
        bool null = odd ? kind == 2 || kind == 3 : i % 3 == 0;
        if (hal_table_int64(t, 0, row) != i || hal_table_float64(t, 1, row) != i + 0.25 ||
            !hal_slice_equals(hal_table_string(t, 2, row), hal_slice_of(text)) ||
            hal_table_is_null(t, 3, row) != null || (!null && hal_table_int64(t, 3, row) != 7))
            fail_msg("row %d", i);
    }
}

typedef struct batches {
    int n_rows, wide;
    bool odd;
    hal_type first_type, last_type;
} batches;

static hal_status take_batch(void *ctx, const hal_table *t, hal_err *err)
{
    (void)err;
    batches *b = ctx;
    assert_true(hal_table_rows(t) == 1000 || b->n_rows + (int)hal_table_rows(t) == N_ROWS);
    expect_rows(t, b->n_rows, b->wide, b->odd);
    b->last_type = hal_table_field(t, 3)->type;
    if (!b->n_rows)
        b->first_type = b->last_type;
    b->n_rows += (int)hal_table_rows(t);
    return HAL_OK;
}

static hal_status read_with(const hal_reader_options *options, const char *text, size_t n,
                            size_t piece, hal_table **t, hal_err *err)
{
    hal_answer answer;
    *t = NULL;
    *err = HAL_ERR_INIT;
    hal_reader *r = hal_reader_new_with(HAL_FORMAT_AUTO, options, err);
    assert_non_null(r);
    hal_status st = HAL_OK;
    for (size_t at = 0; at < n && !st; at += piece)
        st = hal_reader_feed(r, text + at, piece < n - at ? piece : n - at, err);
    if (!st)
        st = hal_reader_finish(r, &answer, t, err);
    hal_reader_free(r);
    return st;
}

/* In pieces of several sizes, whole and as batches. */
static void expect_document(const char *text, size_t n, int wide, bool odd)
{
    const size_t pieces[] = {n, 64 << 10, 777};
    hal_err err;
    hal_table *t;
    for (int k = 0; k < 3; k++) {
        const hal_reader_options whole = {.table = NULL};
        if (read_with(&whole, text, n, pieces[k], &t, &err))
            fail_msg("%s", err.text);
        assert_int_equal(hal_table_rows(t), N_ROWS);
        assert_int_equal(hal_table_field(t, 3)->type,
                         wide < N_ROWS ? HAL_TYPE_INT64 : HAL_TYPE_INT16);
        expect_rows(t, 0, wide, odd);
        hal_table_unref(t);
        batches b = {.wide = wide, .odd = odd};
        const hal_reader_options asked = {.batch = take_batch, .batch_ctx = &b, .batch_rows = 1000};
        if (read_with(&asked, text, n, pieces[k], &t, &err))
            fail_msg("%s", err.text);
        assert_int_equal(b.n_rows, N_ROWS);
        assert_int_equal(b.first_type, HAL_TYPE_INT16);
        assert_int_equal(b.last_type, wide < N_ROWS ? HAL_TYPE_INT64 : HAL_TYPE_INT16);
        hal_table_unref(t);
    }
}

static void blocks_of_text_with_odd_rows_read_in_order(void **state)
{
    (void)state;
    char *text = make_rows(N_ROWS);
    expect_document(text, strlen(text), N_ROWS, true);
    free(text);
    text = make_rows(N_ROWS / 2);
    expect_document(text, strlen(text), N_ROWS / 2, true);
    hal_err err;
    hal_table *t;
    const hal_reader_options few = {.limits = {.rows_max = N_ROWS - 1}};
    assert_int_equal(read_with(&few, text, strlen(text), 64 << 10, &t, &err), HAL_E_BUDGET);
    char *fault = strstr(text, "<TD>30000</TD>");
    memcpy(fault, "<TD>3oooo</TD>", 14);
    const hal_reader_options whole = {.table = NULL};
    assert_int_equal(read_with(&whole, text, strlen(text), 64 << 10, &t, &err), HAL_E_INTEGRITY);
    assert_non_null(strstr(err.text, "row 30001"));
    free(text);
}

/* A table that is not of the results is given up for one that is, whatever is on its way. */
static void rows_of_another_table_are_given_up_whole(void **state)
{
    (void)state;
    char *rows = make_rows(N_ROWS), *text = malloc(2 * strlen(rows) + 4096), *p = text;
    const char *end = strstr(rows, "</TABLEDATA>");
    p = stpcpy(p, "<VOTABLE><RESOURCE><TABLE><FIELD name='a' datatype='char' arraysize='*'/>"
                  "<DATA><TABLEDATA>");
    for (int i = 0; i < 100000; i++)
        p = stpcpy(p, "<TR><TD>a text</TD></TR>");
    p = stpcpy(p, "</TABLEDATA></DATA></TABLE></RESOURCE><RESOURCE type='results'><TABLE>" FIELDS
                  "<TABLEDATA>");
    const char *first = strstr(rows, "<TR>");
    memcpy(p, first, (size_t)(end - first));
    stpcpy(p + (end - first), end);
    const hal_reader_options whole = {.table = NULL}, named = {.table = "2"};
    for (size_t piece = 777; piece <= strlen(text); piece *= 80)
        for (int k = 0; k < 2; k++) {
            hal_table *t;
            hal_err err;
            if (read_with(k ? &named : &whole, text, strlen(text), piece, &t, &err))
                fail_msg("%s", err.text);
            assert_int_equal(hal_table_rows(t), N_ROWS);
            expect_rows(t, 0, N_ROWS, true);
            hal_table_unref(t);
        }
    free(text);
    free(rows);
}

static uint8_t *put_big(uint8_t *p, uint64_t v, int n)
{
    for (int i = n - 1; i >= 0; i--)
        *p++ = (uint8_t)(v >> 8 * i);
    return p;
}

/* N_ROWS rows of BINARY or BINARY2; `*n` bytes. */
static uint8_t *make_bytes(bool flags, size_t *n)
{
    uint8_t *bytes = malloc(N_ROWS * 40), *p = bytes;
    for (int i = 0; i < N_ROWS; i++) {
        double x = i + 0.25;
        uint64_t bits;
        char text[16];
        memcpy(&bits, &x, 8);
        if (flags)
            *p++ = i % 3 ? 0 : 0x10;
        p = put_big(put_big(p, (uint64_t)i, 4), bits, 8);
        int length = snprintf(text, sizeof text, "s%d", i);
        p = put_big(p, (uint64_t)length, 4);
        memcpy(p, text, (size_t)length);
        p = put_big(p + length, i % 3 ? 7 : flags ? 0 : (uint16_t)-9, 2);
    }
    *n = (size_t)(p - bytes);
    return bytes;
}

static char *wrap(const char *element, const char *encoding, const uint8_t *bytes, size_t n)
{
    char *text = malloc(n * 2 + 4096), *p = text;
    p += snprintf(p, 1024,
                  "<VOTABLE><RESOURCE type='results'><TABLE>" FIELDS "<%s><STREAM encoding='%s'>\n",
                  element, encoding);
    for (size_t at = 0; at < n; at += 48) {
        p += hal_base64_encode(bytes + at, n - at < 48 ? n - at : 48, p);
        *p++ = '\n';
    }
    snprintf(p, 1024, "</STREAM></%s></DATA></TABLE></RESOURCE></VOTABLE>", element);
    return text;
}

static uint8_t *gzip_of(const uint8_t *bytes, size_t *n)
{
    z_stream z = {0};
    uint8_t *packed = malloc(*n + 4096);
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)bytes;
    z.avail_in = (uInt)*n;
    z.next_out = packed;
    z.avail_out = (uInt)(*n + 4096);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    *n = z.total_out;
    deflateEnd(&z);
    return packed;
}

static hal_status status_of(const char *text, hal_err *err)
{
    hal_table *t;
    const hal_reader_options options = {.table = NULL};
    hal_status st = read_with(&options, text, strlen(text), 64 << 10, &t, err);
    hal_table_unref(t);
    return st;
}

static void blocks_of_bytes_read_in_order(void **state)
{
    (void)state;
    for (int flags = 0; flags < 2; flags++) {
        size_t n;
        const char *element = flags ? "BINARY2" : "BINARY";
        uint8_t *bytes = make_bytes(flags, &n);
        char *text = wrap(element, "base64", bytes, n);
        expect_document(text, strlen(text), N_ROWS, false);
        hal_err err;
        char *wrong = text + strlen(text) / 2;
        *wrong = '*';
        assert_int_equal(status_of(text, &err), HAL_E_INTEGRITY);
        free(text);
        text = wrap(element, "base64", bytes, n - 1);
        assert_int_equal(status_of(text, &err), HAL_E_INTEGRITY);
        assert_non_null(strstr(err.text, "row 40000"));
        free(text);
        free(bytes);
    }
}

static void only_base64_digits_and_blanks_make_a_stream(void **state)
{
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        uint8_t zeros[60] = {0};
        hal_err err;
        char *text = wrap("BINARY", "base64", zeros, sizeof zeros);
        char *at = strstr(text, "AAAAAAA");
        bool digit = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= 'a' && byte <= 'z') || byte == '+' || byte == '/';
        at[5] = (char)byte;
        hal_status st = status_of(text, &err);
        const char *of_digits = "row 4"; /* 60 bytes are three rows of 18 and a part */
        if (digit && !(st == HAL_E_INTEGRITY && strstr(err.text, of_digits)))
            fail_msg("byte 0x%02x: %d %s", byte, st, err.text);
        if (!digit && (!st || strstr(err.text, of_digits)) && !strchr(" \t\r\n", byte))
            fail_msg("byte 0x%02x is taken for a digit: %d %s", byte, st, err.text);
        free(text);
    }
}

static void a_gzip_stream_is_read_when_its_encoding_says_so(void **state)
{
    (void)state;
    size_t n, cut;
    hal_err err;
    uint8_t *bytes = make_bytes(true, &n), *packed = gzip_of(bytes, &n);
    char *text = wrap("BINARY2", "gzip", packed, n);
    expect_document(text, strlen(text), N_ROWS, false);
    free(text);
    text = wrap("BINARY2", "base64", packed, n);
    assert_int_equal(status_of(text, &err), HAL_E_PROTOCOL);
    assert_non_null(strstr(err.text, "gzip"));
    free(text);
    for (cut = 1; cut < n; cut += n / 40) {
        text = wrap("BINARY2", "gzip", packed, n - cut);
        assert_int_equal(status_of(text, &err), HAL_E_INTEGRITY);
        free(text);
    }
    free(packed);
    free(bytes);
    n = 64 << 20;
    bytes = calloc(n, 1);
    packed = gzip_of(bytes, &n);
    text = wrap("BINARY", "gzip", packed, n);
    assert_int_equal(status_of(text, &err), HAL_E_BUDGET);
    free(text);
    free(packed);
    free(bytes);
    const char *const refused[] = {"dynamic", "gzip' href='http://a.example/rows"};
    for (int i = 0; i < 2; i++) {
        text = wrap("BINARY2", refused[i], (const uint8_t *)"", 0);
        assert_int_equal(status_of(text, &err), HAL_E_PROTOCOL);
        assert_non_null(strstr(err.text, "BINARY2"));
        free(text);
    }
}

/* CDATA sections may stand beside rows only when they are blank, and around base64 text. */
static void what_stands_in_cdata_is_no_element(void **state)
{
    (void)state;
    const char *text = "<VOTABLE><RESOURCE><TABLE><FIELD name='n' datatype='int'/><DATA><TABLEDATA>"
                       "<![CDATA[ <TR><TD>1</TD></TR>]]></TABLEDATA></DATA></TABLE></RESOURCE>"
                       "</VOTABLE>";
    const char *stream = "<VOTABLE><RESOURCE><TABLE><FIELD name='n' datatype='int'/><DATA><BINARY>"
                         "<STREAM encoding='base64'><![CDATA[AAAA]]>AQ<![CDATA[==]]></STREAM>"
                         "</BINARY></DATA></TABLE></RESOURCE></VOTABLE>";
    const hal_reader_options options = {.table = NULL};
    for (size_t piece = 1; piece < strlen(text); piece++) {
        hal_table *t;
        hal_err err;
        assert_int_equal(read_with(&options, text, strlen(text), piece, &t, &err), HAL_E_INTEGRITY);
        if (read_with(&options, stream, strlen(stream), piece, &t, &err))
            fail_msg("in pieces of %zu: %s", piece, err.text);
        assert_int_equal(hal_table_rows(t), 1);
        assert_int_equal(hal_table_int64(t, 0, 0), 1);
        hal_table_unref(t);
    }
}

static void columns_of_one_name_are_told_apart_also_when_there_are_thousands(void **state)
{
    (void)state;
    enum { N = 6000 }; /* the last third is named like what the first would be renamed to */
    hal_buf text;
    hal_buf_init(&text, 1 << 20);
    assert_int_equal(hal_buf_append(&text, "<VOTABLE><RESOURCE><TABLE>", 26, NULL), 0);
    for (int i = 0; i < N; i++) {
        char field[80], suffix[16] = "";
        if (i >= 2 * N / 3)
            snprintf(suffix, sizeof suffix, "_%d", i - 2 * N / 3 + 2);
        int n = snprintf(field, sizeof field, "<FIELD name='a%s' datatype='int'/>", suffix);
        assert_int_equal(hal_buf_append(&text, field, (size_t)n, NULL), 0);
    }
    assert_int_equal(hal_buf_append(&text, "</TABLE></RESOURCE></VOTABLE>", 29, NULL), 0);
    hal_answer answer;
    hal_table *t;
    hal_err err = HAL_ERR_INIT;
    if (read_bytes(text.data, text.size_bytes, 4096, NULL, &answer, &t, &err))
        fail_msg("%s", err.text);
    assert_string_equal(hal_table_field(t, 0)->name, "a");
    assert_string_equal(hal_table_field(t, 1)->name, "a_2");
    assert_string_equal(hal_table_field(t, 1)->original_name, "a");
    assert_string_equal(hal_table_field(t, 2 * N / 3 - 1)->name, "a_4000");
    assert_string_equal(hal_table_field(t, 2 * N / 3)->name, "a_2_2");
    assert_string_equal(hal_table_field(t, 2 * N / 3)->original_name, "a_2");
    hal_table_unref(t);
    hal_buf_clear(&text);
}

static void a_comment_is_read_once_whatever_is_in_it(void **state)
{
    (void)state;
    enum { N = 900000 };
    static const char head[] = "<VOTABLE><RESOURCE><TABLE><FIELD name='n' datatype='int'/><DATA>"
                               "<TABLEDATA><TR><!-- ";
    static const char tail[] = "--><TD>1</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>";
    size_t n = sizeof head - 1 + N + sizeof tail - 1;
    char *text = malloc(n);
    memcpy(text, head, sizeof head - 1);
    for (size_t i = 0; i < N; i++)
        text[sizeof head - 1 + i] = "</TR>"[i % 5];
    memcpy(text + n - (sizeof tail - 1), tail, sizeof tail - 1);
    hal_answer answer;
    hal_table *t;
    hal_err err = HAL_ERR_INIT;
    if (read_bytes(text, n, 16384, NULL, &answer, &t, &err))
        fail_msg("%s", err.text);
    assert_int_equal(hal_table_rows(t), 1);
    hal_table_unref(t);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_of_one_name_are_told_apart_also_when_there_are_thousands),
        cmocka_unit_test(a_comment_is_read_once_whatever_is_in_it),
        cmocka_unit_test(blocks_of_text_with_odd_rows_read_in_order),
        cmocka_unit_test(rows_of_another_table_are_given_up_whole),
        cmocka_unit_test(blocks_of_bytes_read_in_order),
        cmocka_unit_test(only_base64_digits_and_blanks_make_a_stream),
        cmocka_unit_test(a_gzip_stream_is_read_when_its_encoding_says_so),
        cmocka_unit_test(what_stands_in_cdata_is_no_element),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
