/* SPDX-License-Identifier: BSD-3-Clause */
/* CFITSIO as the oracle of our FITS: what it writes we read, what we write it reads, cell by cell.
 * It is linked into this program only. */
#include "data/types.h"
#include "support/tables.h"

#include <fitsio.h>

static char folder[] = "/tmp/halyard-cfitsio-XXXXXX";
static char path[64];

static const char nothing[1];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/t.fits", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

/* CFITSIO keeps its status: one check behind many calls finds the first failure. */
static void good(int status)
{
    char text[FLEN_STATUS];
    fits_get_errstatus(status, text);
    if (status)
        fail_msg("CFITSIO: %s", text);
}

static hal_table *read_table(const char *name, const char *table)
{
    hal_err err = HAL_ERR_INIT;
    FILE *f = fopen(name, "rb");
    if (!f)
        fail_msg("no file %s", name);
    char *bytes = malloc(1 << 22);
    size_t n = fread(bytes, 1, 1 << 22, f);
    fclose(f);
    hal_table *t =
        read_bytes(bytes, n, 1000, HAL_FORMAT_AUTO, &(hal_reader_options){.table = table}, &err);
    free(bytes);
    if (!t)
        fail_msg("%s", err.text);
    return t;
}

static hal_table *read_path(const char *name)
{
    return read_table(name, NULL);
}

static int64_t integer_at(const hal_table *t, size_t i, uint64_t row, uint64_t k)
{
    hal_column c = hal_table_column(t, i);
    hal_items items = hal_table_items(t, i, row);
    assert_true(k < items.n);
    return hal_item_int64(&c, hal_table_field(t, i)->type, items.first + k);
}

static double real_at(const hal_table *t, size_t i, uint64_t row, uint64_t k)
{
    hal_column c = hal_table_column(t, i);
    hal_items items = hal_table_items(t, i, row);
    assert_true(k < items.n);
    return hal_item_float64(&c, hal_table_field(t, i)->type, items.first + k);
}

static void what_cfitsio_writes_in_every_form_is_read(void **state)
{
    (void)state;
    const char *types[] = {"byte",  "short",   "int",  "long", "float",  "double",
                           "text",  "logical", "bits", "cplx", "ushort", "unsigned",
                           "sbyte", "three",   "p",    "q"};
    const char *forms[] = {"1B",  "1I", "1J", "1K", "1E", "1D", "8A",     "1L",
                           "12X", "1M", "1U", "1V", "1S", "3J", "1PJ(9)", "1QD(9)"};
    const char *units[] = {"", "", "", "", "Jy", "deg", "", "", "", "", "", "", "", "", "", ""};
    for (int zip = 0; zip < 2; zip++) {
        char name[80];
        snprintf(name, sizeof name, "%s%s", path, zip ? ".gz" : "");
        fitsfile *f = NULL;
        int status = 0;
        fits_create_file(&f, name, &status);
        fits_create_tbl(f, BINARY_TBL, 0, 16, (char **)types, (char **)forms, (char **)units,
                        "FIRST", &status);
        LONGLONG null = -9;
        fits_write_key(f, TLONGLONG, "TNULL3", &null, NULL, &status);
        fits_set_hdustruc(f, &status);
        for (LONGLONG row = 1; row <= 5; row++) {
            unsigned char byte = (unsigned char)(50 * row);
            short i2 = row == 1 ? INT16_MIN : INT16_MAX;
            int i4 = row == 2 ? -9 : row == 1 ? INT32_MIN : INT32_MAX;
            LONGLONG i8 = row == 1 ? INT64_MIN : INT64_MAX;
            float f4 = row == 1 ? -0.0f : 0.1f * (float)row;
            double f8 = row == 1 ? 5e-324 : 1e300 / (double)row, pair[2] = {(double)row, -0.5};
            char text[9] = "a  b", *texts[] = {text}, logical = row % 2;
            char bits[12] = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, (char)(row % 2), 1};
            unsigned short u2 = row == 1 ? 0 : UINT16_MAX;
            unsigned u4 = row == 1 ? 0 : UINT32_MAX;
            signed char s1 = row == 1 ? INT8_MIN : INT8_MAX;
            int three[3] = {(int)row, -1, INT32_MIN}, list[5] = {9, 8, 7, 6, (int)row};
            double wide[5] = {0.5, 1.5, 2.5, 3.5, (double)row};
            fits_write_col(f, TBYTE, 1, row, 1, 1, &byte, &status);
            fits_write_col(f, TSHORT, 2, row, 1, 1, &i2, &status);
            fits_write_col(f, TINT, 3, row, 1, 1, &i4, &status);
            fits_write_col(f, TLONGLONG, 4, row, 1, 1, &i8, &status);
            fits_write_col(f, TFLOAT, 5, row, 1, 1, &f4, &status);
            fits_write_col(f, TDOUBLE, 6, row, 1, 1, &f8, &status);
            fits_write_col(f, TSTRING, 7, row, 1, 1, texts, &status);
            fits_write_col(f, TLOGICAL, 8, row, 1, 1, &logical, &status);
            fits_write_col(f, TBIT, 9, row, 1, 12, bits, &status);
            fits_write_col(f, TDBLCOMPLEX, 10, row, 1, 1, pair, &status);
            fits_write_col(f, TUSHORT, 11, row, 1, 1, &u2, &status);
            fits_write_col(f, TUINT, 12, row, 1, 1, &u4, &status);
            fits_write_col(f, TSBYTE, 13, row, 1, 1, &s1, &status);
            fits_write_col(f, TINT, 14, row, 1, 3, three, &status);
            fits_write_col(f, TINT, 15, row, 1, row, list, &status);
            fits_write_col(f, TDOUBLE, 16, row, 1, row, wide, &status);
        }
        fits_write_chksum(f, &status);
        fits_close_file(f, &status);
        good(status);
        hal_table *t = read_path(name);
        assert_int_equal(hal_table_columns(t), 16);
        assert_int_equal(hal_table_rows(t), 5);
        assert_string_equal(hal_table_field(t, 5)->unit, "deg");
        for (uint64_t row = 0; row < 5; row++) {
            bool first = row == 0;
            assert_int_equal(integer_at(t, 0, row, 0), 50 * (row + 1) & 255);
            assert_int_equal(integer_at(t, 1, row, 0), first ? INT16_MIN : INT16_MAX);
            assert_int_equal(hal_table_is_null(t, 2, row), row == 1);
            if (row != 1)
                assert_int_equal(integer_at(t, 2, row, 0), first ? INT32_MIN : INT32_MAX);
            assert_true(integer_at(t, 3, row, 0) == (first ? INT64_MIN : INT64_MAX));
            double f4 = real_at(t, 4, row, 0), f8 = real_at(t, 5, row, 0);
            assert_true(first ? f4 == 0 && signbit(f4) : f4 == (double)(0.1f * (float)(row + 1)));
            assert_true(f8 == (first ? 5e-324 : 1e300 / (double)(row + 1)));
            assert_true(hal_slice_equals(hal_table_string(t, 6, row), hal_slice_of("a  b")));
            assert_int_equal(hal_table_bool(t, 7, row), first || row == 2 || row == 4);
            hal_column bits = hal_table_column(t, 8), pairs = hal_table_column(t, 9);
            assert_true(hal_item_bool(&bits, 12 * row) && !hal_item_bool(&bits, 12 * row + 1));
            assert_int_equal(hal_item_bool(&bits, 12 * row + 10), row % 2 == 0);
            assert_true(hal_item_bool(&bits, 12 * row + 11));
            double pair[2];
            hal_item_complex(&pairs, HAL_TYPE_COMPLEX128, row, pair);
            assert_true(pair[0] == (double)(row + 1) && pair[1] == -0.5);
            assert_int_equal(integer_at(t, 10, row, 0), first ? 0 : UINT16_MAX);
            assert_int_equal(integer_at(t, 11, row, 0), first ? 0 : UINT32_MAX);
            assert_int_equal(integer_at(t, 12, row, 0), first ? INT8_MIN : INT8_MAX);
            assert_int_equal(integer_at(t, 13, row, 0), row + 1);
            assert_int_equal(integer_at(t, 13, row, 2), INT32_MIN);
            assert_int_equal(hal_table_items(t, 14, row).n, row + 1);
            assert_int_equal(hal_table_items(t, 15, row).n, row + 1);
            assert_int_equal(integer_at(t, 14, row, 0), 9);
            assert_true(real_at(t, 15, row, row) == (row == 4 ? 5 : (double)row + 0.5));
        }
        hal_table_unref(t);
        unlink(name);
    }
}

static void what_cfitsio_writes_as_an_ascii_table_is_read(void **state)
{
    (void)state;
    const char *types[] = {"text", "whole", "fixed", "single", "double"};
    const char *forms[] = {"A8", "I11", "F12.4", "E15.7", "D25.17"},
               *units[] = {"", "", "m", "", ""};
    fitsfile *f = NULL;
    int status = 0;
    fits_create_file(&f, path, &status);
    fits_create_tbl(f, ASCII_TBL, 0, 5, (char **)types, (char **)forms, (char **)units, "WORDS",
                    &status);
    for (LONGLONG row = 1; row <= 3; row++) {
        char text[9] = "a  b", *texts[] = {text};
        int whole = row == 1 ? INT32_MIN : (int)row;
        double fixed = -12.25 * (double)row, wide = 0.1 * (double)row;
        float single = 1.5e-20f;
        fits_write_col(f, TSTRING, 1, row, 1, 1, texts, &status);
        fits_write_col(f, TINT, 2, row, 1, 1, &whole, &status);
        fits_write_col(f, TDOUBLE, 3, row, 1, 1, &fixed, &status);
        fits_write_col(f, TFLOAT, 4, row, 1, 1, &single, &status);
        fits_write_col(f, TDOUBLE, 5, row, 1, 1, &wide, &status);
    }
    fits_close_file(f, &status);
    good(status);
    hal_table *t = read_path(path);
    assert_int_equal(hal_table_rows(t), 3);
    for (uint64_t row = 0; row < 3; row++) {
        assert_true(hal_slice_equals(hal_table_string(t, 0, row), hal_slice_of("a  b")));
        assert_true(integer_at(t, 1, row, 0) == (row ? (int64_t)row + 1 : INT32_MIN));
        assert_true(real_at(t, 2, row, 0) == -12.25 * (double)(row + 1));
        assert_true((float)real_at(t, 3, row, 0) == 1.5e-20f);
        assert_true(real_at(t, 4, row, 0) == 0.1 * (double)(row + 1));
    }
    hal_table_unref(t);
    unlink(path);
}

/* TSCAL and TZERO, which CFITSIO applies when it writes: what stands in the file is whole. */
static void what_cfitsio_scales_is_read_as_the_numbers_that_it_reads(void **state)
{
    (void)state;
    const char *types[] = {"i2", "i4", "f4", "f8", "b", "three"};
    const char *forms[] = {"1I", "1J", "1E", "1D", "1B", "3I"}, *units[] = {"", "", "", "", "", ""};
    const double scales[] = {0.01, 1e-5, 2.5, 3, 0.5, 0.25}, zeros[] = {5, -180, 1, 0.1, -10, 1e3};
    fitsfile *f = NULL;
    int status = 0, any;
    fits_create_file(&f, path, &status);
    fits_create_tbl(f, BINARY_TBL, 0, 6, (char **)types, (char **)forms, (char **)units, "SCALED",
                    &status);
    LONGLONG null = -99;
    fits_write_key(f, TLONGLONG, "TNULL1", &null, NULL, &status);
    for (int i = 0; i < 6; i++) {
        char key[16];
        snprintf(key, sizeof key, "TSCAL%d", i + 1);
        fits_write_key(f, TDOUBLE, key, (double *)&scales[i], NULL, &status);
        snprintf(key, sizeof key, "TZERO%d", i + 1);
        fits_write_key(f, TDOUBLE, key, (double *)&zeros[i], NULL, &status);
    }
    fits_set_hdustruc(f, &status);
    double expected[6][4][3];
    for (int i = 0; i < 6; i++)
        for (LONGLONG row = 1; row <= 4; row++) {
            long n = i == 5 ? 3 : 1;
            double v[3] = {zeros[i] + scales[i] * 7 * (double)row, zeros[i], zeros[i] + scales[i]};
            if (i == 0 && row == 2)
                fits_write_col_null(f, 1, row, 1, 1, &status);
            else
                fits_write_col(f, TDOUBLE, i + 1, row, 1, n, v, &status);
        }
    for (int i = 0; i < 6; i++)
        for (LONGLONG row = 1; row <= 4; row++)
            fits_read_col(f, TDOUBLE, i + 1, row, 1, i == 5 ? 3 : 1, NULL, expected[i][row - 1],
                          &any, &status);
    fits_close_file(f, &status);
    good(status);
    hal_table *t = read_path(path);
    for (size_t i = 0; i < 6; i++)
        for (uint64_t row = 0; row < 4; row++) {
            assert_int_equal(hal_table_is_null(t, i, row), i == 0 && row == 1);
            for (uint64_t k = 0; k < (i == 5 ? 3 : 1) && !hal_table_is_null(t, i, row); k++)
                if (real_at(t, i, row, k) != expected[i][row][k])
                    fail_msg("%s: %.17g and %.17g", types[i], real_at(t, i, row, k),
                             expected[i][row][k]);
        }
    hal_table_unref(t);
    unlink(path);
}

/* An image first, then tables; a name also with a version. */
static void a_table_is_chosen_among_the_hdus_that_cfitsio_writes(void **state)
{
    (void)state;
    const char *name[] = {"v"}, *form[] = {"1J"}, *ascii[] = {"I11"}, *unit[] = {""};
    fitsfile *f = NULL;
    int status = 0;
    long axes[] = {30, 40};
    fits_create_file(&f, path, &status);
    fits_create_img(f, SHORT_IMG, 2, axes, &status);
    fits_create_tbl(f, BINARY_TBL, 0, 1, (char **)name, (char **)form, (char **)unit, "STARS",
                    &status);
    int value = 1;
    fits_write_col(f, TINT, 1, 1, 1, 1, &value, &status);
    fits_create_img(f, FLOAT_IMG, 2, axes, &status);
    fits_create_tbl(f, ASCII_TBL, 0, 1, (char **)name, (char **)ascii, (char **)unit, "WORDS",
                    &status);
    value = 2;
    fits_write_col(f, TINT, 1, 1, 1, 1, &value, &status);
    fits_create_tbl(f, BINARY_TBL, 0, 1, (char **)name, (char **)form, (char **)unit, "GALAXIES",
                    &status);
    value = 3;
    fits_write_col(f, TINT, 1, 1, 1, 1, &value, &status);
    fits_close_file(f, &status);
    good(status);
    const struct {
        const char *table;
        int64_t value;
    } cases[] = {{NULL, 1},    {"1", 1},     {"2", 2},       {"3", 3},
                 {"STARS", 1}, {"WORDS", 2}, {"GALAXIES", 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hal_table *t = read_table(path, cases[i].table);
        assert_int_equal(hal_table_rows(t), 1);
        assert_int_equal(integer_at(t, 0, 0, 0), cases[i].value);
        hal_table_unref(t);
    }
    unlink(path);
}

/* The columns as CFITSIO sees them against the table. */
/* An image and a table with a heap, both with CHECKSUM and DATASUM, as bytes. */
static char *with_sums(size_t *n)
{
    static const char *const types[] = {"id", "list"}, *const forms[] = {"1K", "1PI(3)"};
    fitsfile *f = NULL;
    int status = 0;
    unlink(path);
    fits_create_file(&f, path, &status);
    fits_create_img(f, SHORT_IMG, 1, (long[]){3}, &status);
    fits_write_img(f, TSHORT, 1, 3, (short[]){1, -2, 3}, &status);
    fits_write_chksum(f, &status);
    fits_create_tbl(f, BINARY_TBL, 0, 2, (char **)types, (char **)forms, NULL, "STARS", &status);
    for (LONGLONG row = 1; row <= 3; row++) {
        LONGLONG id = row << 40 | 5;
        fits_write_col(f, TLONGLONG, 1, row, 1, 1, &id, &status);
        fits_write_col(f, TSHORT, 2, row, 1, row, (short[]){(short)row, -7, 300}, &status);
    }
    fits_write_chksum(f, &status);
    fits_close_file(f, &status);
    good(status);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *bytes = malloc(1 << 16);
    *n = fread(bytes, 1, 1 << 16, file);
    fclose(file);
    return bytes;
}

static void a_flipped_bit_is_found_by_the_sums_that_cfitsio_writes(void **state)
{
    (void)state;
    size_t n, n_read = 0;
    char *bytes = with_sums(&n);
    assert_int_equal(n, 4 * 2880);
    for (size_t piece = 1; piece <= n; piece = piece * 7 + 3) {
        hal_err err = HAL_ERR_INIT;
        hal_table *t = read_bytes(bytes, n, piece, HAL_FORMAT_AUTO, NULL, &err);
        if (!t)
            fail_msg("%s", err.text);
        hal_table_unref(t);
    }
    for (size_t at = 0; at < n; at++) {
        hal_err err = HAL_ERR_INIT;
        bytes[at] ^= 1 << at % 7;
        hal_table *t = read_bytes(bytes, n, n, HAL_FORMAT_FITS, NULL, &err);
        bytes[at] ^= 1 << at % 7;
        n_read += t != NULL;
        if (t) /* only where CHECKSUM is no longer a key with a value: the data have DATASUM */
            assert_memory_equal(bytes + at / 80 * 80, "CHECKSUM", 8);
        hal_table_unref(t);
    }
    assert_true(n_read <= 2 * 10);
    free(bytes);
}

static void a_wrong_sum_names_the_hdu(void **state)
{
    (void)state;
    size_t n;
    char *bytes = with_sums(&n);
    static const struct {
        size_t at;
        const char *says;
    } cases[] = {
        {2880 + 1, "HDU 1 at byte 0 does not have the sum that its DATASUM says"},
        {2880 + 100, "HDU 1 at byte 0 does not have the sum that its DATASUM says"},
        {79, "HDU 1 at byte 0 does not have the sum that its CHECKSUM says"},
        {3 * 2880 + 3, "HDU 2 (STARS) at byte 5760 does not have the sum that its DATASUM says"},
        {2 * 2880 + 79, "HDU 2 (STARS) at byte 5760 does not have the sum that its CHECKSUM says"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hal_err err = HAL_ERR_INIT;
        bytes[cases[i].at] ^= 2;
        assert_null(read_bytes(bytes, n, 999, HAL_FORMAT_FITS, NULL, &err));
        bytes[cases[i].at] ^= 2;
        assert_int_equal(err.status, HAL_E_INTEGRITY);
        if (!strstr(err.text, cases[i].says))
            fail_msg("%s", err.text);
    }
    free(bytes);
}

static void compare(fitsfile *f, const hal_table *t)
{
    int status = 0, columns = 0;
    LONGLONG rows = 0;
    fits_get_num_cols(f, &columns, &status);
    fits_get_num_rowsll(f, &rows, &status);
    good(status);
    assert_int_equal(columns, hal_table_columns(t));
    assert_int_equal(rows, hal_table_rows(t));
    for (size_t i = 0; i < hal_table_columns(t); i++) {
        const hal_field *field = hal_table_field(t, i);
        hal_column c = hal_table_column(t, i);
        int number = (int)i + 1;
        for (uint64_t row = 0; row < hal_table_rows(t); row++) {
            bool null = hal_table_is_null(t, i, row);
            char marks[24] = {0};
            if (field->type == HAL_TYPE_STRING ||
                (field->type == HAL_TYPE_TIMESTAMP && field->width == 1)) {
                char text[256] = "", *texts[] = {text};
                int any;
                fits_read_col(f, TSTRING, number, (LONGLONG)row + 1, 1, 1, (char *)nothing, texts,
                              &any, &status);
                good(status);
                char time[HAL_CELL_TEXT_MAX];
                hal_slice s = {time, 0}; /* a null text has no character, nor has an empty one */
                if (field->type == HAL_TYPE_STRING)
                    s = hal_table_string(t, i, row);
                else if (!null)
                    s.size_bytes = hal_item_print(time, &c, field->type, row) - 1; /* no Z */
                assert_true(!null || s.size_bytes == 0);
                while (s.size_bytes && s.data[s.size_bytes - 1] == ' ')
                    s.size_bytes--; /* CFITSIO drops blanks at the end */
                for (size_t k = strlen(text); k && text[k - 1] == ' '; k--)
                    text[k - 1] = 0;
                if (!hal_slice_equals(s, hal_slice_of(text)))
                    fail_msg("column %s, row %d: \"%s\"", field->name, (int)row, text);
                continue;
            }
            LONGLONG n = field->width, at;
            if (n < 0) {
                fits_read_descriptll(f, number, (LONGLONG)row + 1, &n, &at, &status);
                good(status);
                assert_int_equal(n, null ? 0 : hal_table_items(t, i, row).n);
            }
            hal_items items = hal_table_items(t, i, row);
            double reals[24] = {0};
            LONGLONG wholes[24] = {0};
            char flags[24] = {0};
            int any, type = field->type;
            bool complex = type == HAL_TYPE_COMPLEX64 || type == HAL_TYPE_COMPLEX128;
            if (n > 0)
                fits_read_colnull(f,
                                  type == HAL_TYPE_BOOL            ? TLOGICAL
                                  : complex                        ? TDBLCOMPLEX
                                  : hal_type_is_float(field->type) ? TDOUBLE
                                                                   : TLONGLONG,
                                  number, (LONGLONG)row + 1, 1, n,
                                  type == HAL_TYPE_BOOL                       ? (void *)flags
                                  : complex || hal_type_is_float(field->type) ? (void *)reals
                                                                              : (void *)wholes,
                                  marks, &any, &status);
            good(status);
            for (LONGLONG k = 0; k < n; k++) {
                uint64_t item = items.first + (uint64_t)k;
                bool is_null = null || hal_item_is_null(&c, item), same = true;
                double pair[2];
                if (complex) {
                    hal_item_complex(&c, field->type, item, pair);
                    same = is_null || !memcmp(pair, reals + 2 * k, sizeof pair) ||
                           !isfinite(pair[1]) || fabs(pair[1]) < 2.3e-308;
                } else if (hal_type_is_float(field->type)) {
                    double v = hal_item_float64(&c, field->type, item);
                    /* CFITSIO takes infinities for null and what is below normal for 0. */
                    same = is_null || !isfinite(v) ? marks[k]
                           : fabs(v) < 2.3e-308    ? !marks[k]
                                                   : !marks[k] && !memcmp(&v, &reals[k], 8);
                } else if (is_null || marks[k]) {
                    same = is_null == (marks[k] != 0);
                } else {
                    same = type == HAL_TYPE_BOOL
                               ? hal_item_bool(&c, item) == (flags[k] != 0)
                               : hal_item_int64(&c, field->type, item) == wholes[k];
                }
                if (!same)
                    fail_msg("column %s, row %d, item %d differ", field->name, (int)row, (int)k);
            }
        }
    }
}

/* Every HDU ends with a block, every card of it is read. */
static void check_structure(fitsfile *f)
{
    int status = 0, hdus = 0, kind = 0;
    fits_get_num_hdus(f, &hdus, &status);
    for (int hdu = 1; hdu <= hdus; hdu++) {
        LONGLONG head, data, end;
        int cards = 0, more = 0;
        fits_movabs_hdu(f, hdu, &kind, &status);
        fits_get_hduaddrll(f, &head, &data, &end, &status);
        fits_get_hdrspace(f, &cards, &more, &status);
        good(status);
        assert_int_equal(head % 2880, 0);
        assert_int_equal(data % 2880, 0);
        assert_int_equal(end % 2880, 0);
        for (int i = 1; i <= cards; i++) {
            char card[FLEN_CARD];
            fits_read_record(f, i, card, &status);
            fits_test_record(card, &status);
            good(status);
        }
    }
}

static void what_we_write_cfitsio_reads_cell_by_cell(void **state)
{
    (void)state;
    for (int nulls = 0; nulls < 2; nulls++) {
        hal_table *t = every_type(nulls);
        size_t n;
        char *bytes = written_bytes(t, HAL_FORMAT_FITS, 5, &n);
        FILE *out = fopen(path, "wb");
        assert_int_equal(fwrite(bytes, 1, n, out), n);
        fclose(out);
        fitsfile *f = NULL;
        int status = 0, hdus = 0, kind = 0;
        fits_open_file(&f, path, READONLY, &status);
        fits_get_num_hdus(f, &hdus, &status);
        fits_movabs_hdu(f, 2, &kind, &status);
        good(status);
        assert_int_equal(hdus, 2);
        assert_int_equal(kind, BINARY_TBL);
        /* The whole file is HDUs: nothing behind the last one. */
        LONGLONG head, data, end;
        fits_get_hduaddrll(f, &head, &data, &end, &status);
        assert_int_equal(end, n);
        check_structure(f);
        fits_movabs_hdu(f, 2, &kind, &status);
        compare(f, t);
        fits_close_file(f, &status);
        good(status);
        free(bytes);
        hal_table_unref(t);
        unlink(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cfitsio_writes_in_every_form_is_read),
        cmocka_unit_test(what_cfitsio_writes_as_an_ascii_table_is_read),
        cmocka_unit_test(what_cfitsio_scales_is_read_as_the_numbers_that_it_reads),
        cmocka_unit_test(a_table_is_chosen_among_the_hdus_that_cfitsio_writes),
        cmocka_unit_test(a_flipped_bit_is_found_by_the_sums_that_cfitsio_writes),
        cmocka_unit_test(a_wrong_sum_names_the_hdu),
        cmocka_unit_test(what_we_write_cfitsio_reads_cell_by_cell),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
