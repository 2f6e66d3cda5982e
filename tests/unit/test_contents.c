/* SPDX-License-Identifier: BSD-3-Clause */
/* Documents of several tables: which one is read, and what is said of the others. */
#include "data/contents.h"

#include "support/tables.h"

static const char votable[] =
    "<VOTABLE><RESOURCE><TABLE name='calibration' nrows='2'>"
    "<FIELD name='v' datatype='int'/><DATA><TABLEDATA>"
    "<TR><TD>1</TD></TR><TR><TD>2</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE>"
    "<RESOURCE type='results'><TABLE name='stars' ID='t2' nrows='1'>"
    "<FIELD name='v' datatype='int'/><DATA><TABLEDATA><TR><TD>3</TD></TR></TABLEDATA></DATA>"
    "</TABLE><TABLE ID='t3'><FIELD name='v' datatype='int'/><DATA><TABLEDATA>"
    "<TR><TD>4</TD></TR><TR><TD>5</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>";

/* The first value of the table, or -1 and `err`. */
static int64_t first_of(const char *bytes, size_t n, const char *which, size_t piece,
                        hal_answer *answer, hal_err *err)
{
    hal_reader_options options = {.table = which};
    *err = HAL_ERR_INIT;
    hal_reader *r = hal_reader_new_with(HAL_FORMAT_AUTO, &options, err);
    assert_non_null(r);
    hal_table *t = NULL;
    hal_status st = HAL_OK;
    for (size_t at = 0; at < n && !st; at += piece)
        st = hal_reader_feed(r, bytes + at, piece < n - at ? piece : n - at, err);
    if (!st)
        st = hal_reader_finish(r, answer, &t, err);
    hal_reader_free(r);
    int64_t first = st ? -1 : hal_table_int64(t, 0, 0);
    hal_table_unref(t);
    return first;
}

static void a_votable_is_read_by_number_name_and_id(void **state)
{
    (void)state;
    const struct {
        const char *which;
        int64_t first;
        unsigned number;
        const char *name;
    } cases[] = {{"1", 1, 1, "calibration"}, {"calibration", 1, 1, "calibration"},
                 {"2", 3, 2, "stars"},       {"stars", 3, 2, "stars"},
                 {"t2", 3, 2, "stars"},      {"3", 4, 3, "t3"},
                 {"t3", 4, 3, "t3"},         {NULL, 3, 2, "stars"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t piece = 1; piece <= sizeof votable; piece += 99) {
            hal_answer answer;
            hal_err err;
            if (first_of(votable, sizeof votable - 1, cases[i].which, piece, &answer, &err) !=
                cases[i].first)
                fail_msg("table %s: %s", cases[i].which ? cases[i].which : "", err.text);
            assert_int_equal(answer.n_tables, 3);
            assert_int_equal(answer.table, cases[i].number);
            assert_string_equal(answer.table_name, cases[i].name);
        }
}

static void what_is_not_there_is_answered_with_the_list_of_what_is(void **state)
{
    (void)state;
    static const char list[] = "; there are 3: 1 \"calibration\" (2 rows), 2 \"stars\" (1 row), "
                               "3 \"t3\"";
    static const char *const absent[] = {"4", "99999999999", "0", "-1", "star", "STARS"};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) {
        hal_answer answer;
        hal_err err;
        assert_int_equal(first_of(votable, sizeof votable - 1, absent[i], 1000, &answer, &err), -1);
        assert_int_equal(err.status, HAL_E_USAGE);
        assert_non_null(strstr(err.text, absent[i]));
        assert_non_null(strstr(err.text, list));
    }
    hal_answer answer;
    hal_err err;
    assert_int_equal(first_of(votable, sizeof votable - 1, "", 1000, &answer, &err), -1);
    assert_int_equal(err.status, HAL_E_USAGE);
    assert_non_null(strstr(err.text, "empty"));
}

static void formats_of_one_table_have_table_1_only(void **state)
{
    (void)state;
    static const char *const documents[] = {
        "v,w\n7,8\n", "[{\"v\":7}]",
        "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: v, datatype: int64}\nv\n7\n"};
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        hal_answer answer;
        hal_err err;
        const char *text = documents[i];
        size_t n = strlen(text);
        assert_int_equal(first_of(text, n, NULL, n, &answer, &err), 7);
        assert_int_equal(answer.n_tables, 0);
        assert_int_equal(first_of(text, n, "1", n, &answer, &err), 7);
        assert_int_equal(first_of(text, n, "2", n, &answer, &err), -1);
        assert_int_equal(err.status, HAL_E_USAGE);
        assert_string_equal(err.text, "there is no table 2; there is 1: 1");
        assert_int_equal(first_of(text, n, "v", n, &answer, &err), -1);
        assert_int_equal(err.status, HAL_E_USAGE);
    }
}

/* A FITS file of one table of two rows. */
static char *make_fits(const char *name, int value, size_t *n)
{
    hal_err err = HAL_ERR_INIT;
    const hal_field field = {.name = "v", .type = HAL_TYPE_INT64};
    hal_builder *b = hal_builder_new(&field, 1, &err);
    for (int i = 0; i < 2; i++) {
        MUST(hal_builder_int64(b, 0, value, &err));
        MUST(hal_builder_end_row(b, &err));
    }
    hal_table *t = hal_builder_finish(b, &err);
    hal_builder_free(b);
    hal_metadata metadata = {0};
    MUST(hal_metadata_set(&metadata.name, hal_slice_of(name), &err));
    hal_table *named = hal_table_with(t, NULL, &metadata, &err);
    char *bytes = written_bytes(named, HAL_FORMAT_FITS, 1, n);
    hal_metadata_clear(&metadata);
    hal_table_unref(t);
    hal_table_unref(named);
    return bytes;
}

static void a_name_that_two_tables_have_is_refused(void **state)
{
    (void)state;
    char file[16 * 2880];
    size_t size = 0;
    for (int i = 0; i < 3; i++) {
        size_t n, primary = i ? 2880 : 0; /* one primary header is enough */
        char *bytes = make_fits(i == 1 ? "ERR" : "SCI", i + 1, &n);
        memcpy(file + size, bytes + primary, n - primary);
        size += n - primary;
        free(bytes);
    }
    hal_answer answer;
    hal_err err;
    assert_int_equal(first_of(file, size, NULL, 999, &answer, &err), 1);
    assert_int_equal(answer.n_tables, 3);
    assert_string_equal(answer.table_name, "SCI");
    assert_int_equal(first_of(file, size, "ERR", 999, &answer, &err), 2);
    assert_int_equal(answer.table, 2);
    assert_int_equal(first_of(file, size, "3", 999, &answer, &err), 3);
    assert_int_equal(first_of(file, size, "SCI", 999, &answer, &err), -1);
    assert_int_equal(err.status, HAL_E_USAGE);
    assert_string_equal(err.text,
                        "tables 1 and 3 are both called \"SCI\"; choose one by its number");
}

static void a_long_list_ends_with_how_many_more_there_are(void **state)
{
    (void)state;
    hal_contents c;
    hal_err err = HAL_ERR_INIT;
    MUST(hal_contents_init(&c, "none", &err));
    char name[200];
    for (int i = 0; i < 1000; i++) {
        bool wanted;
        memset(name, 'x', sizeof name);
        snprintf(name + 50, sizeof name - 50, "%s",
                 i % 2 ? "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9" : "");
        MUST(hal_contents_add(&c, name, NULL, 12345, &wanted, &err));
        assert_false(wanted);
    }
    assert_int_equal(hal_contents_missing(&c, &err), HAL_E_USAGE);
    assert_true(strlen(err.text) < 700);
    assert_non_null(strstr(err.text, "there are 1000: 1 \"xxx"));
    assert_non_null(
        strstr(err.text, "x\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9...\" (12345 rows)"));
    const char *more = strstr(err.text, " and ");
    assert_non_null(more);
    unsigned n_listed = 0;
    for (const char *p = err.text; (p = strstr(p, " rows)")); p++)
        n_listed++;
    assert_int_equal(strtoul(more + 5, NULL, 10) + n_listed, 1000);
    hal_contents_clear(&c);
}

static void a_person_is_told_of_the_tables_that_were_not_read(void **state)
{
    (void)state;
    hal_answer a = HAL_ANSWER_INIT;
    char text[HAL_ANSWER_OTHERS_MAX];
    assert_false(hal_answer_others(&a, "x.fits", "--table N", text));
    a.n_tables = a.table = 1;
    assert_false(hal_answer_others(&a, "x.fits", "--table N", text));
    a.n_tables = 2;
    assert_true(hal_answer_others(&a, "x.fits", "--table N", text));
    assert_string_equal(text,
                        "x.fits holds 2 tables: table 1 was read; --table N reads the other one");
    a.n_tables = 4;
    a.table = 3;
    snprintf(a.table_name, sizeof a.table_name, "GTI");
    assert_true(hal_answer_others(&a, "x.fits", "{ table = N }", text));
    assert_string_equal(text,
                        "x.fits holds 4 tables: table 3 \"GTI\" was read; { table = N } reads "
                        "one of 3 others");
    char label[1000];
    memset(label, 'a', sizeof label);
    for (size_t i = 0; i < 400; i++)
        memcpy(label + 2 * i + 1, "\xc3\xa9", 2);
    label[999] = '\0';
    assert_true(hal_answer_others(&a, label, "--table N", text));
    assert_non_null(strstr(text, "one of 3 others"));
    assert_int_not_equal((unsigned char)*text & 0xc0, 0x80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_votable_is_read_by_number_name_and_id),
        cmocka_unit_test(what_is_not_there_is_answered_with_the_list_of_what_is),
        cmocka_unit_test(formats_of_one_table_have_table_1_only),
        cmocka_unit_test(a_name_that_two_tables_have_is_refused),
        cmocka_unit_test(a_long_list_ends_with_how_many_more_there_are),
        cmocka_unit_test(a_person_is_told_of_the_tables_that_were_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
