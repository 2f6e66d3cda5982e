/* SPDX-License-Identifier: BSD-3-Clause */
/* What a table says about itself, through the formats that hold it. */
#include "support/tables.h"

#include <string.h>

static void add(hal_metadata *m, hal_meta_kind kind, const char *name, const char *value,
                const char *text, const hal_attribute *attributes, size_t n)
{
    const hal_meta item = {kind, name, value, text, attributes, n};
    assert_int_equal(hal_metadata_add(m, &item, NULL), HAL_OK);
}

static hal_table *with_metadata(const hal_metadata *m)
{
    const hal_field field = {.name = "n", .type = HAL_TYPE_INT64};
    hal_builder *b = hal_builder_new(&field, 1, NULL);
    assert_int_equal(hal_builder_metadata(b, m, NULL), HAL_OK);
    hal_table *t = hal_builder_finish(b, NULL);
    hal_builder_free(b);
    return t;
}

static hal_table *through(const hal_table *t, hal_format format)
{
    hal_err err = HAL_ERR_INIT;
    size_t n;
    char *bytes = written_bytes(t, format, 1, &n);
    hal_table *back = read_bytes(bytes, n, 7, HAL_FORMAT_AUTO, NULL, &err);
    if (!back)
        fail_msg("%s: %.*s", err.text, (int)n, bytes);
    free(bytes);
    return back;
}

static void same_items(const hal_metadata *a, const hal_metadata *b)
{
    assert_int_equal(a->n_items, b->n_items);
    for (size_t i = 0; i < a->n_items; i++) {
        const hal_meta *x = &a->items[i], *y = &b->items[i];
        assert_int_equal(x->kind, y->kind);
        assert_string_equal(x->name, y->name);
        assert_string_equal(x->value, y->value);
        assert_string_equal(x->text, y->text);
        assert_int_equal(x->n_attributes, y->n_attributes);
        for (size_t k = 0; k < x->n_attributes; k++) {
            assert_string_equal(x->attributes[k].name, y->attributes[k].name);
            assert_string_equal(x->attributes[k].value, y->attributes[k].value);
        }
    }
}

static void all_that_a_table_says_comes_back_from_ecsv(void **state)
{
    (void)state;
    const hal_attribute place[] = {{"ID", "sys"}, {"system", "ICRS"}, {"epoch", "2015.5"}};
    const hal_attribute clock[] = {{"ID", "t"}, {"timescale", "TCB"}, {"timeorigin", "MJD-origin"}};
    const hal_attribute link[] = {{"content-role", "doc"}, {"href", "https://x.org/?a=1&b=\"2\""}};
    hal_metadata m = {0};
    add(&m, HAL_META_COOSYS, "", "", "", place, 3);
    add(&m, HAL_META_COOSYS, "", "", "", place, 1);
    add(&m, HAL_META_TIMESYS, "", "", "", clock, 3);
    add(&m, HAL_META_LINK, "", "", "", link, 2);
    add(&m, HAL_META_KEY, "HISTORY", "first", "", NULL, 0);
    add(&m, HAL_META_KEY, "HISTORY", "second: [, # \"", "", NULL, 0);
    add(&m, HAL_META_KEY, "K", "", "", NULL, 0);
    assert_int_equal(hal_metadata_set(&m.name, hal_slice_of("a \"name\": \xc3\xa9"), NULL), HAL_OK);
    assert_int_equal(hal_metadata_set(&m.description, hal_slice_of("two\nlines"), NULL), HAL_OK);
    hal_table *t = with_metadata(&m);
    hal_table *back = through(t, HAL_FORMAT_ECSV);
    const hal_metadata *n = hal_table_metadata(back);
    assert_string_equal(n->name, m.name);
    assert_string_equal(n->description, m.description);
    same_items(&m, n);
    hal_table_unref(back);
    hal_table_unref(t);
    hal_metadata_clear(&m);
}

static void keys_and_their_comments_come_back_from_fits(void **state)
{
    (void)state;
    hal_metadata m = {0};
    add(&m, HAL_META_KEY, "TELESCOP", "it's", "where it's seen", NULL, 0);
    add(&m, HAL_META_KEY, "EXPTIME", "1.5", "[s] a comment that needs the free format to fit in 80",
        NULL, 0);
    add(&m, HAL_META_KEY, "a.longer.name", "T", "true / false", NULL, 0);
    add(&m, HAL_META_KEY, "LONG",
        "a value that goes on over the end of its card, so that its comment stands on the next",
        "the comment", NULL, 0);
    add(&m, HAL_META_KEY, "NONE", "", "no value", NULL, 0);
    add(&m, HAL_META_KEY, "HISTORY", "first / not a comment", "", NULL, 0);
    add(&m, HAL_META_KEY, "HISTORY", "  second", "", NULL, 0);
    assert_int_equal(hal_metadata_set(&m.name, hal_slice_of("EVENTS"), NULL), HAL_OK);
    hal_table *t = with_metadata(&m), *back = through(t, HAL_FORMAT_FITS);
    assert_string_equal(hal_table_metadata(back)->name, "EVENTS");
    same_items(&m, hal_table_metadata(back));
    hal_table_unref(back);
    hal_table_unref(t);
    hal_metadata_clear(&m);
}

static void a_comment_over_several_cards_is_one(void **state)
{
    (void)state;
    static const char *const cards[] = {
        "SIMPLE  =                    T / conforms to FITS standard",
        "BITPIX  =                    8",
        "NAXIS   =                    0",
        "END",
        NULL,
        "XTENSION= 'BINTABLE'",
        "BITPIX  =                    8",
        "NAXIS   =                    2",
        "NAXIS1  =                    1",
        "NAXIS2  =                    1",
        "PCOUNT  =                    0",
        "GCOUNT  =                    1",
        "TFIELDS =                    1",
        "TTYPE1  = 'b'",
        "TFORM1  = 'B'",
        "OBJECT  = 'M 31 / &' / as astropy",
        "CONTINUE  '&' / writes",
        "CONTINUE  'M 32' / it",
        "RADESYS = 'ICRS    '/ no blank in front",
        "GAIN    = 2.5 //",
        "VOID    = / nothing",
        "END",
        NULL};
    char bytes[3 * 2880];
    memset(bytes, ' ', sizeof bytes);
    memset(bytes + 5760, 0, 2880);
    for (size_t i = 0, at = 0; i < sizeof cards / sizeof *cards; i++) {
        if (cards[i])
            memcpy(bytes + at, cards[i], strlen(cards[i]));
        at = cards[i] ? at + 80 : 2880;
    }
    hal_err err = HAL_ERR_INIT;
    hal_table *t = read_bytes(bytes, sizeof bytes, 100, HAL_FORMAT_AUTO, NULL, &err);
    if (!t)
        fail_msg("%s", err.text);
    hal_metadata m = {0};
    add(&m, HAL_META_KEY, "OBJECT", "M 31 / M 32", "as astropy writes it", NULL, 0);
    add(&m, HAL_META_KEY, "RADESYS", "ICRS", "no blank in front", NULL, 0);
    add(&m, HAL_META_KEY, "GAIN", "2.5", "/", NULL, 0);
    same_items(&m, hal_table_metadata(t));
    hal_metadata_clear(&m);
    hal_table_unref(t);
}

static void what_else_stands_in_a_mapping_of_ecsv_is_a_key(void **state)
{
    (void)state;
    static const char text[] = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: n, datatype: int64}\n"
                               "# meta:\n#   COOSYS: {ID: a, 'x y': b, z: [c, d]}\n"
                               "#   sub: {COOSYS: {ID: e}, name: f}\n#   TIMESYS: g\n"
                               "#   name: h\n#   description: [i, j]\nn\n";
    hal_err err = HAL_ERR_INIT;
    hal_table *t = read_bytes(text, strlen(text), 1, HAL_FORMAT_AUTO, NULL, &err);
    if (!t)
        fail_msg("%s", err.text);
    const hal_attribute id = {"ID", "a"};
    hal_metadata m = {0};
    add(&m, HAL_META_KEY, "COOSYS.x y", "b", "", NULL, 0);
    add(&m, HAL_META_KEY, "COOSYS.z", "c", "", NULL, 0);
    add(&m, HAL_META_KEY, "COOSYS.z", "d", "", NULL, 0);
    add(&m, HAL_META_COOSYS, "", "", "", &id, 1);
    add(&m, HAL_META_KEY, "sub.COOSYS.ID", "e", "", NULL, 0);
    add(&m, HAL_META_KEY, "sub.name", "f", "", NULL, 0);
    add(&m, HAL_META_KEY, "TIMESYS", "g", "", NULL, 0);
    add(&m, HAL_META_KEY, "description", "j", "", NULL, 0);
    same_items(&m, hal_table_metadata(t));
    assert_string_equal(hal_table_metadata(t)->name, "h");
    assert_string_equal(hal_table_metadata(t)->description, "i");
    hal_metadata_clear(&m);
    hal_table_unref(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_a_table_says_comes_back_from_ecsv),
        cmocka_unit_test(keys_and_their_comments_come_back_from_fits),
        cmocka_unit_test(a_comment_over_several_cards_is_one),
        cmocka_unit_test(what_else_stands_in_a_mapping_of_ecsv_is_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
