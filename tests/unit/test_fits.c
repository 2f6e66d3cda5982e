/* SPDX-License-Identifier: BSD-3-Clause */
#include "support/tables.h"

static void every_type_comes_back_bit_for_bit(void **state)
{
    (void)state;
    hal_err err = HAL_ERR_INIT;
    hal_table *t = every_type(false);
    size_t n;
    char *bytes = written_bytes(t, HAL_FORMAT_FITS, 100, &n);
    assert_int_equal(n % 2880, 0);
    hal_table *back = read_bytes(bytes, n, n, HAL_FORMAT_AUTO, NULL, &err);
    if (!back)
        fail_msg("%s", err.text);
    same_table(t, back, true);
    hal_table_unref(back);
    hal_table_unref(t);
    free(bytes);
}

static void the_bytes_do_not_depend_on_how_the_rows_came(void **state)
{
    (void)state;
    hal_table *t = every_type(true);
    size_t n, n_single;
    char *bytes = written_bytes(t, HAL_FORMAT_FITS, 100, &n);
    char *single = written_bytes(t, HAL_FORMAT_FITS, 1, &n_single);
    assert_int_equal(n, n_single);
    assert_memory_equal(bytes, single, n);
    free(bytes);
    free(single);
    hal_table_unref(t);
}

static void any_chunking_gives_the_same_table(void **state)
{
    (void)state;
    hal_err err = HAL_ERR_INIT;
    hal_table *t = every_type(false);
    size_t n;
    char *bytes = written_bytes(t, HAL_FORMAT_FITS, 100, &n);
    for (size_t piece = 1; piece < 9000; piece = piece * 3 + 1) {
        hal_table *back = read_bytes(bytes, n, piece, HAL_FORMAT_AUTO, NULL, &err);
        if (!back)
            fail_msg("%s", err.text);
        same_table(t, back, true);
        hal_table_unref(back);
    }
    hal_table_unref(t);
    free(bytes);
}

static void what_is_no_votable_is_called_a_fits_file(void **state)
{
    (void)state;
    hal_err err = HAL_ERR_INIT;
    hal_table *t = every_type(false);
    size_t n;
    char *bytes = written_bytes(t, HAL_FORMAT_FITS, 100, &n);
    assert_null(read_bytes(bytes, n, n, HAL_FORMAT_VOTABLE, NULL, &err));
    assert_int_equal(err.status, HAL_E_PROTOCOL);
    assert_non_null(strstr(err.text, "the answer is a FITS file, not votable"));
    hal_table_unref(t);
    free(bytes);
}

static void a_cut_file_is_an_error_wherever_it_is_cut(void **state)
{
    (void)state;
    hal_table *t = every_type(false);
    size_t n;
    char *bytes = written_bytes(t, HAL_FORMAT_FITS, 100, &n);
    for (size_t size = 2881; size < n; size += 7) {
        hal_err err = HAL_ERR_INIT;
        assert_null(read_bytes(bytes, size, size, HAL_FORMAT_FITS, NULL, &err));
        assert_int_equal(err.status, HAL_E_INTEGRITY);
        char place[40];
        snprintf(place, sizeof place, "byte %zu", size);
        assert_non_null(strstr(err.text, place));
    }
    hal_table_unref(t);
    free(bytes);
}

typedef struct gathered {
    hal_table *parts[40];
    size_t n;
} gathered;

static hal_status gather(void *ctx, const hal_table *t, hal_err *err)
{
    (void)err;
    gathered *g = ctx;
    g->parts[g->n++] = hal_table_slice(t, 0, hal_table_rows(t), err);
    return HAL_OK;
}

static hal_table *numbers(uint64_t rows)
{
    hal_err err = HAL_ERR_INIT;
    const hal_field fields[] = {{.name = "id", .type = HAL_TYPE_INT64},
                                {.name = "mag", .type = HAL_TYPE_FLOAT32},
                                {.name = "name", .type = HAL_TYPE_STRING}};
    hal_builder *b = hal_builder_new(fields, 3, &err);
    for (uint64_t i = 0; i < rows; i++) {
        char text[40];
        int n = snprintf(text, sizeof text, "%.*s%d", (int)(i % 17), "------------------", (int)i);
        MUST(hal_builder_int64(b, 0, (int64_t)i, &err));
        if (i % 3)
            MUST(hal_builder_float64(b, 1, (double)i, &err));
        if (i % 7)
            MUST(hal_builder_string(b, 2, (hal_slice){text, (size_t)n}, &err));
        MUST(hal_builder_end_row(b, &err));
    }
    hal_table *t = hal_builder_finish(b, &err);
    hal_builder_free(b);
    return t;
}

static void batches_put_together_are_the_table(void **state)
{
    (void)state;
    hal_err err = HAL_ERR_INIT;
    hal_table *t = numbers(1000);
    size_t n;
    char *bytes = written_bytes(t, HAL_FORMAT_FITS, 64, &n);
    gathered g = {.n = 0};
    hal_reader_options options = {.batch = gather, .batch_ctx = &g, .batch_rows = 90};
    hal_table *rest = read_bytes(bytes, n, 700, HAL_FORMAT_FITS, &options, &err);
    if (!rest)
        fail_msg("%s", err.text);
    assert_int_equal(hal_table_rows(rest), 0);
    assert_int_equal(hal_table_columns(rest), 3);
    assert_int_equal(g.n, 12);
    hal_table *whole = hal_table_concat(g.parts, g.n, &err);
    same_table(t, whole, true);
    for (size_t i = 0; i < g.n; i++)
        hal_table_unref(g.parts[i]);
    hal_table_unref(whole);
    hal_table_unref(rest);
    hal_table_unref(t);
    free(bytes);
}

static void many_blocks_come_back_through_the_temporary_file(void **state)
{
    (void)state;
    hal_err err = HAL_ERR_INIT;
    hal_table *t = numbers(150000);
    size_t n;
    char *bytes = written_bytes(t, HAL_FORMAT_FITS, 40000, &n);
    hal_table *back = read_bytes(bytes, n, 1 << 16, HAL_FORMAT_AUTO, NULL, &err);
    if (!back)
        fail_msg("%s", err.text);
    same_table(t, back, true);
    hal_table_unref(back);
    hal_table_unref(t);
    free(bytes);
}

static void a_table_without_rows_or_with_all_columns_fits_allow_is_one(void **state)
{
    (void)state;
    for (size_t n_columns = 0; n_columns <= 1000; n_columns += n_columns ? 998 : 1) {
        hal_err err = HAL_ERR_INIT;
        static hal_field fields[1000];
        static char names[1000][8];
        for (size_t i = 0; i < n_columns; i++) {
            snprintf(names[i], sizeof names[i], "c%zu", i);
            fields[i] = (hal_field){.name = names[i], .type = HAL_TYPE_STRING};
        }
        hal_builder *b = hal_builder_new(fields, n_columns, &err);
        hal_table *t = hal_builder_finish(b, &err);
        hal_builder_free(b);
        assert_non_null(t);
        size_t n;
        char *bytes = written_bytes(t, HAL_FORMAT_FITS, 1, &n);
        hal_table *back = read_bytes(bytes, n, n, HAL_FORMAT_AUTO, NULL, &err);
        if (!back)
            fail_msg("%s", err.text);
        same_table(t, back, true);
        hal_table_unref(back);
        hal_table_unref(t);
        free(bytes);
    }
    hal_err err = HAL_ERR_INIT;
    hal_field fields[1000];
    char names[1000][8];
    for (size_t i = 0; i < 1000; i++) {
        snprintf(names[i], sizeof names[i], "x%zu", i);
        fields[i] = (hal_field){.name = names[i]};
    }
    assert_null(hal_writer_open("/tmp/halyard-too-wide.fits", HAL_FORMAT_FITS, fields, 1000, &err));
    assert_int_equal(err.status, HAL_E_USAGE);
    assert_non_null(strstr(err.text, "999"));
}

/* Files by hand. */
static char file[200 * 2880];
static size_t file_size;

static void card(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void card(const char *format, ...)
{
    char text[81];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    memset(file + file_size, ' ', 80);
    memcpy(file + file_size, text, n < 80 ? (size_t)n : 80);
    file_size += 80;
}

static void end_header(void)
{
    card("END");
    while (file_size % 2880)
        card(" ");
}

static void begin_file(void)
{
    file_size = 0;
    memset(file, 0, sizeof file);
    card("SIMPLE  =                    T");
    card("BITPIX  =                   16");
    card("NAXIS   =                    2");
    card("NAXIS1  =                   10");
    card("NAXIS2  =                    3");
    end_header();
    file_size += 2880; /* an image of 60 bytes */
}

static void begin_table(const char *kind, int row_bytes, int rows, int heap, int columns)
{
    card("XTENSION= '%-8s'", kind);
    card("BITPIX  =                    8");
    card("NAXIS   =                    2");
    card("NAXIS1  = %20d", row_bytes);
    card("NAXIS2  = %20d", rows);
    card("PCOUNT  = %20d", heap);
    card("GCOUNT  =                    1");
    card("TFIELDS = %20d", columns);
}

static void put_data(const void *bytes, size_t n)
{
    memcpy(file + file_size, bytes, n);
    file_size += (n + 2879) / 2880 * 2880;
}

static hal_table *read_file(hal_err *err, const char *which)
{
    hal_reader_options options = {.table = which};
    *err = HAL_ERR_INIT;
    return read_bytes(file, file_size, file_size, HAL_FORMAT_AUTO, &options, err);
}

static void unsigned_and_scaled_integers_have_their_physical_values(void **state)
{
    (void)state;
    hal_err err;
    begin_file();
    begin_table("BINTABLE", 1 + 2 + 4 + 8 + 2, 2, 0, 5);
    card("TFORM1  = 'B       '");
    card("TZERO1  =                 -128");
    card("TFORM2  = 'I       '");
    card("TZERO2  =                32768");
    card("TFORM3  = '1J'");
    card("TZERO3  =           2147483648");
    card("TFORM4  = 'K       '");
    card("TZERO4  =  9223372036854775808");
    card("TFORM5  = 'I       '");
    card("TSCAL5  =               1.0D-1");
    card("TZERO5  =                   5.");
    card("TNULL5  =                   -1");
    card("TTYPE5  = 'long name &'");
    card("CONTINUE  'goes on, it''s so'");
    end_header();
    put_data("\x00\x80\x00\x80\x00\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00\x0a"
             "\xff\xff\xff\x7f\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff",
             34);
    hal_table *t = read_file(&err, NULL);
    if (!t)
        fail_msg("%s", err.text);
    assert_int_equal(hal_table_int64(t, 0, 0), -128);
    assert_int_equal(hal_table_int64(t, 0, 1), 127);
    assert_int_equal(hal_table_field(t, 1)->type, HAL_TYPE_INT32);
    assert_int_equal(hal_table_int64(t, 1, 0), 0);
    assert_int_equal(hal_table_int64(t, 1, 1), 32767);
    assert_int_equal(hal_table_int64(t, 2, 0), 0);
    assert_int_equal(hal_table_int64(t, 2, 1), UINT32_MAX);
    assert_int_equal(hal_table_field(t, 3)->type, HAL_TYPE_STRING);
    assert_memory_equal(hal_table_string(t, 3, 0).data, "0", 1);
    hal_slice huge = hal_table_string(t, 3, 1);
    assert_int_equal(huge.size_bytes, 20);
    assert_memory_equal(huge.data, "18446744073709551615", 20);
    assert_true(hal_table_float64(t, 4, 0) == 6.0);
    assert_true(hal_table_is_null(t, 4, 1));
    assert_string_equal(hal_table_field(t, 4)->name, "long name goes on, it's so");
    hal_table_unref(t);
}

static void an_unsigned_integer_beyond_int64_in_an_array_is_refused(void **state)
{
    (void)state;
    static const char small[16] = {(char)0x80, 0, 0, 0, 0, 0, 0, 5, (char)0xff};
    for (int last = 0xff; last >= 0; last -= 0xff)
        for (int variable = 0; variable < 2; variable++) {
            char items[16];
            memcpy(items, small, 16);
            items[8] = (char)last; /* the sign bit says that an int64 holds it */
            begin_file();
            begin_table("BINTABLE", variable ? 8 : 16, 1, variable ? 16 : 0, 1);
            card(variable ? "TFORM1  = '1PK(2)  '" : "TFORM1  = '2K      '");
            card("TZERO1  =  9223372036854775808");
            end_header();
            char data[24] = {0, 0, 0, 2, 0, 0, 0, 0};
            memcpy(data + (variable ? 8 : 0), items, 16);
            put_data(data, variable ? 24 : 16);
            hal_err err;
            hal_table *t = read_file(&err, NULL);
            assert_int_equal(t != NULL, last != 0);
            if (last == 0) {
                assert_int_equal(err.status, HAL_E_INTEGRITY);
                assert_non_null(strstr(err.text, "row 1"));
                assert_non_null(strstr(err.text, "9223372036854775808 in an array"));
            } else {
                assert_int_equal(((const int64_t *)hal_table_column(t, 0).values)[0], 5);
            }
            hal_table_unref(t);
        }
}

static void bits_long_texts_and_variable_arrays_are_read(void **state)
{
    (void)state;
    hal_err err;
    begin_file();
    begin_table("BINTABLE", 2 + 8 + 16 + 3, 2, 20, 4);
    card("TFORM1  = '11X'");
    card("TFORM2  = '1PI(3)'");
    card("TFORM3  = '1QA'");
    card("TFORM4  = '3A'");
    card("THEAP   =                   60");
    end_header();
    unsigned char rows[58 + 2 + 18] = {
        0x80, 0x20, 0,   0,   0,    2,    0, 0, 0,    4,   0, 0, 0, 0, 0,   0,   0,  3,
        0,    0,    0,   0,   0,    0,    0, 8, 0xe9, 'x', 0, 0, 0, 0, 0,   0,   0,  0,
        0,    0,    0,   0,   0,    0,    0, 0, 0,    0,   0, 0, 0, 0, 0,   0,   0,  0,
        0,    ' ',  ' ', ' ', 0xee, 0xee, 0, 0, 0,    0,   1, 2, 3, 4, 'a', 'b', 'c'};
    put_data(rows, sizeof rows);
    hal_table *t = read_file(&err, NULL);
    if (!t)
        fail_msg("%s", err.text);
    hal_column bits = hal_table_column(t, 0);
    assert_int_equal(hal_table_field(t, 0)->width, 11);
    for (unsigned i = 0; i < 11; i++)
        assert_int_equal(hal_item_bool(&bits, i), i == 0 || i == 10);
    hal_column list = hal_table_column(t, 1);
    hal_items items = hal_table_items(t, 1, 0);
    assert_int_equal(items.n, 2);
    assert_int_equal(hal_item_int64(&list, HAL_TYPE_INT16, items.first), 0x102);
    assert_int_equal(hal_item_int64(&list, HAL_TYPE_INT16, items.first + 1), 0x304);
    assert_int_equal(hal_table_items(t, 1, 1).n, 0);
    assert_memory_equal(hal_table_string(t, 2, 0).data, "abc", 3);
    assert_true(hal_table_is_null(t, 2, 1));
    assert_int_equal(hal_table_string(t, 3, 0).size_bytes, 3);
    assert_memory_equal(hal_table_string(t, 3, 0).data, "\xc3\xa9x", 3); /* Latin-1 */
    assert_false(hal_table_is_null(t, 3, 1));
    assert_int_equal(hal_table_string(t, 3, 1).size_bytes, 0);
    hal_table_unref(t);

    char *pointer = file + file_size - 2880 + 6; /* outside the heap */
    pointer[3] = 100;
    assert_null(read_file(&err, NULL));
    assert_int_equal(err.status, HAL_E_INTEGRITY);
    assert_non_null(strstr(err.text, "row 1"));
}

static void ascii_tables_are_read_with_their_forms(void **state)
{
    (void)state;
    hal_err err;
    begin_file();
    begin_table("TABLE", 30, 2, 0, 4);
    card("TTYPE1  = 'n'");
    card("TBCOL1  =                    1");
    card("TFORM1  = 'I6'");
    card("TNULL1  = '---'");
    card("TBCOL2  =                    7");
    card("TFORM2  = 'F8.3'");
    card("TBCOL3  =                   15");
    card("TFORM3  = 'D10.2'");
    card("TBCOL4  =                   25");
    card("TFORM4  = 'A6'");
    card("TTYPE4  = 'text'");
    end_header();
    put_data("   -42  007.25 1.25D+03  M 31 "
             "   ---   12345   -1.5-2       ",
             60);
    memset(file + file_size - 2880 + 60, ' ', 2820);
    hal_table *t = read_file(&err, NULL);
    if (!t)
        fail_msg("%s", err.text);
    assert_int_equal(hal_table_int64(t, 0, 0), -42);
    assert_true(hal_table_is_null(t, 0, 1));
    assert_true(hal_table_float64(t, 1, 0) == 7.25);
    assert_true(hal_table_float64(t, 1, 1) == 12.345); /* the point is implied */
    assert_true(hal_table_float64(t, 2, 0) == 1250.0);
    assert_true(hal_table_float64(t, 2, 1) == -0.015);
    assert_int_equal(hal_table_string(t, 3, 0).size_bytes, 5);
    hal_table_unref(t);
}

static void an_ascii_number_beyond_a_double_is_refused(void **state)
{
    (void)state;
    hal_err err;
    for (int scaled = 0; scaled < 2; scaled++) {
        begin_file();
        begin_table("TABLE", 10, 2, 0, 1);
        card("TTYPE1  = 'flux'");
        card("TBCOL1  =                    1");
        card("TFORM1  = 'D10.2'");
        if (scaled)
            card("TSCAL1  = 1.0E200");
        end_header();
        put_data(scaled ? "1.00D-3990  1.0D+200" : "1.00D-3990  1.0D+400", 20);
        memset(file + file_size - 2880 + 20, ' ', 2860);
        assert_null(read_file(&err, NULL));
        assert_int_equal(err.status, HAL_E_INTEGRITY);
        assert_non_null(strstr(err.text, "row 2 of the FITS table: column flux is beyond the range "
                                         "of float64"));
    }
}

static void tables_are_found_by_number_and_name(void **state)
{
    (void)state;
    hal_err err;
    begin_file();
    assert_null(read_file(&err, NULL));
    assert_int_equal(err.status, HAL_E_PROTOCOL);
    for (int i = 1; i <= 2; i++) {
        begin_table("BINTABLE", 1, i, 0, 1);
        card("TFORM1  = 'B'");
        card("EXTNAME = 'part %d'", i);
        card("ORIGIN  = 'a place' / of the file");
        card("HIERARCH ESO DET ID = 12");
        end_header();
        put_data("ab", (size_t)i);
    }
    const char *which[] = {"1", "2", "part 2"};
    for (int i = 0; i < 3; i++) {
        hal_table *t = read_file(&err, which[i]);
        if (!t)
            fail_msg("%s", err.text);
        assert_int_equal(hal_table_rows(t), i ? 2 : 1);
        const hal_metadata *m = hal_table_metadata(t);
        assert_string_equal(m->name, i ? "part 2" : "part 1");
        assert_string_equal(hal_metadata_find(m, HAL_META_KEY, "ORIGIN")->value, "a place");
        assert_string_equal(hal_metadata_find(m, HAL_META_KEY, "ESO DET ID")->value, "12");
        hal_table_unref(t);
    }
    assert_null(read_file(&err, "3"));
    assert_int_equal(err.status, HAL_E_USAGE);
    assert_string_equal(err.text, "there is no table 3; there are 2: 1 \"part 1\" (1 row), "
                                  "2 \"part 2\" (2 rows)");
    assert_null(read_file(&err, "part"));
    assert_int_equal(err.status, HAL_E_USAGE);
    assert_non_null(strstr(err.text, "no table \"part\"; there are 2"));
}

/* Two tables behind an image, and an image behind them; where each of these begins, and the end. */
static void begin_several(size_t begins[5])
{
    static const char data[3000] = "abc";
    begin_file();
    for (size_t i = 0; i < 4; i++) {
        begins[i] = file_size;
        if (i == 1 || i == 3) {
            card("XTENSION= 'IMAGE   '");
            card("BITPIX  =                    8");
            card("NAXIS   =                    1");
            card("NAXIS1  =                 3000");
            card("PCOUNT  =                    0");
            card("GCOUNT  =                    1");
        } else {
            begin_table("BINTABLE", 1, 3, 0, 1);
            card("TFORM1  = 'B'");
            card("EXTNAME = '%s'", i ? "GTI" : "EVENTS");
        }
        end_header();
        put_data(data, i == 1 || i == 3 ? sizeof data : 3);
    }
    begins[4] = file_size;
}

static void a_cut_behind_the_table_is_an_error_except_between_extensions(void **state)
{
    (void)state;
    hal_err err;
    size_t begins[5];
    begin_several(begins);
    size_t end = file_size, border = 1;
    for (size_t n = begins[1]; n <= end; n++) {
        border += n > begins[border];
        file_size = n;
        hal_table *t = read_file(&err, "1");
        assert_int_equal(t != NULL, n == begins[border]);
        if (t) {
            assert_int_equal(hal_table_rows(t), 3);
        } else {
            assert_int_equal(err.status, HAL_E_INTEGRITY);
            char place[40];
            snprintf(place, sizeof place, "cut at byte %zu", n);
            assert_non_null(strstr(err.text, place));
        }
        hal_table_unref(t);
    }
}

static void what_is_no_extension_may_stand_behind_the_last(void **state)
{
    (void)state;
    hal_err err;
    size_t begins[5];
    for (size_t n = 1; n < 10000; n += 1111) {
        begin_several(begins);
        memset(file + file_size, n % 2 ? 0 : 'x', n);
        file_size += n;
        hal_table *t = read_file(&err, NULL);
        assert_non_null(t);
        assert_int_equal(hal_table_rows(t), 3);
        hal_table_unref(t);
        assert_null(read_file(&err, "3")); /* what stands there may have been a table */
        assert_int_equal(err.status, HAL_E_INTEGRITY);
    }
    begin_several(begins);
    file[begins[2] + 80] = 'X'; /* BITPIX is lost, and with it where the next extension begins */
    assert_null(read_file(&err, NULL));
    assert_int_equal(err.status, HAL_E_INTEGRITY);
}

static void columns_without_a_name_of_their_own_get_one(void **state)
{
    (void)state;
    hal_err err;
    begin_file();
    begin_table("BINTABLE", 6, 1, 0, 6);
    const char *const given[] = {"a", "", "a", "a_2", "a", ""};
    const char *const wanted[] = {"a", "col2", "a_7", "a_2", "a_3", "col6"};
    for (int i = 0; i < 6; i++) {
        card("TFORM%d  = 'B'", i + 1);
        if (*given[i])
            card("TTYPE%d  = '%s'", i + 1, given[i]);
    }
    end_header();
    put_data("\1\2\3\4\5\6", 6);
    hal_table *t = read_file(&err, NULL);
    if (!t)
        fail_msg("%s", err.text);
    size_t n;
    char *bytes = written_bytes(t, HAL_FORMAT_FITS, 1, &n);
    hal_table *back = read_bytes(bytes, n, n, HAL_FORMAT_AUTO, NULL, &err);
    assert_non_null(back);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(hal_table_field(t, i)->name, wanted[i]);
        assert_int_equal(hal_table_int64(back, i, 0), (int)i + 1);
    }
    same_table(t, back, true);
    hal_table_unref(t);
    hal_table_unref(back);
    free(bytes);
}

static void headers_that_promise_too_much_are_refused(void **state)
{
    (void)state;
    hal_err err;
    const char *const forms[] = {"9999999999999B",      "2B", "1PPB", "Z", "", "1P",
                                 "1152921504606846976D"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        begin_file();
        begin_table("BINTABLE", 1, 1, 0, 1);
        card("TFORM1  = '%s'", forms[i]);
        end_header();
        put_data("a", 1);
        assert_null(read_file(&err, NULL));
        assert_int_equal(err.status, HAL_E_INTEGRITY);
    }
    begin_file();
    begin_table("BINTABLE", 2000000000, 2000000000, 2000000000, 1);
    card("TFORM1  = 'B'");
    end_header();
    assert_null(read_file(&err, NULL));
    assert_int_equal(err.status, HAL_E_INTEGRITY); /* cut, and nothing was allocated for it */
    begin_file();
    begin_table("BINTABLE", 1, 2, 0, 0);
    end_header();
    put_data("ab", 2);
    assert_null(read_file(&err, NULL));
    assert_int_equal(err.status, HAL_E_INTEGRITY);
    assert_non_null(strstr(err.text, "rows of no columns"));
    begin_file();
    file[2880 + 2880 - 1] = 0;
    card("XTENSION= 'BINTABLE'\x01");
    end_header();
    assert_null(read_file(&err, NULL));
    assert_int_equal(err.status, HAL_E_INTEGRITY);
    assert_non_null(strstr(err.text, "byte 5780"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_comes_back_bit_for_bit),
        cmocka_unit_test(the_bytes_do_not_depend_on_how_the_rows_came),
        cmocka_unit_test(any_chunking_gives_the_same_table),
        cmocka_unit_test(what_is_no_votable_is_called_a_fits_file),
        cmocka_unit_test(a_cut_file_is_an_error_wherever_it_is_cut),
        cmocka_unit_test(batches_put_together_are_the_table),
        cmocka_unit_test(many_blocks_come_back_through_the_temporary_file),
        cmocka_unit_test(a_table_without_rows_or_with_all_columns_fits_allow_is_one),
        cmocka_unit_test(unsigned_and_scaled_integers_have_their_physical_values),
        cmocka_unit_test(an_unsigned_integer_beyond_int64_in_an_array_is_refused),
        cmocka_unit_test(bits_long_texts_and_variable_arrays_are_read),
        cmocka_unit_test(ascii_tables_are_read_with_their_forms),
        cmocka_unit_test(an_ascii_number_beyond_a_double_is_refused),
        cmocka_unit_test(tables_are_found_by_number_and_name),
        cmocka_unit_test(a_cut_behind_the_table_is_an_error_except_between_extensions),
        cmocka_unit_test(what_is_no_extension_may_stand_behind_the_last),
        cmocka_unit_test(columns_without_a_name_of_their_own_get_one),
        cmocka_unit_test(headers_that_promise_too_much_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
