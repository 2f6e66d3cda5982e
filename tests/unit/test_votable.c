/* SPDX-License-Identifier: BSD-3-Clause */
/* Every recorded VOTable against the values other readers found in it (data/votable/README.md says
 * where those are wrong), and what the writer wrote. */
#include "votable_test.h"

#include "data/json.h"
#include "data/vec.h"
#include "data/writer.h"

#include <dirent.h>
#include <float.h>
#include <math.h>
#include <unistd.h>

/* expected.json as a tree. */
typedef struct node {
    hal_json_event kind;
    char *key, *text;
    double number;
    int64_t integer;
    struct node *child, *last, *next;
} node;

static void node_free(node *n)
{
    while (n) {
        node *next = n->next;
        node_free(n->child);
        free(n->key);
        free(n->text);
        free(n);
        n = next;
    }
}

static char *copy_text(hal_slice s)
{
    char *text = malloc(s.size_bytes + 1);
    memcpy(text, s.data, s.size_bytes);
    text[s.size_bytes] = '\0';
    return text;
}

static node *parse_json(const char *text, size_t n)
{
    hal_err err = HAL_ERR_INIT;
    hal_json j;
    hal_json_event e;
    node root = {0}, *open[HAL_JSON_DEPTH_MAX + 1] = {&root};
    int depth = 0;
    char *key = NULL;
    size_t used = 0;
    hal_json_init(&j, 0);
    for (size_t at = 0; at < n;) {
        assert_int_equal(hal_json_feed(&j, text + at, n - at, &used, &err), HAL_OK);
        at += used;
        while (!hal_json_next(&j, &e, &err) && e != HAL_JSON_MORE) {
            if (e == HAL_JSON_KEY) {
                key = copy_text(j.text);
                continue;
            }
            if (e == HAL_JSON_OBJECT_END || e == HAL_JSON_ARRAY_END) {
                depth--;
                continue;
            }
            node *new = calloc(1, sizeof *new);
            *new = (node){.kind = e, .key = key};
            key = NULL;
            if (e == HAL_JSON_STRING)
                new->text = copy_text(j.text);
            new->integer = j.i;
            new->number = e == HAL_JSON_INT ? (double)j.i : j.d;
            node *parent = open[depth];
            if (parent->last)
                parent->last->next = new;
            else
                parent->child = new;
            parent->last = new;
            if (e == HAL_JSON_OBJECT || e == HAL_JSON_ARRAY)
                open[++depth] = new;
        }
    }
    hal_json_clear(&j);
    assert_int_equal(depth, 0);
    return root.child;
}

static const node *get(const node *n, const char *key)
{
    for (const node *c = n ? n->child : NULL; c; c = c->next)
        if (c->key && !strcmp(c->key, key))
            return c;
    return NULL;
}

static bool same_double(double a, double b)
{
    return (isnan(a) && isnan(b)) || a == b;
}

static double number_of(const node *n)
{
    if (n->kind == HAL_JSON_NULL)
        return (double)NAN;
    if (n->kind == HAL_JSON_STRING)
        return n->text[0] == 'N' ? (double)NAN : n->text[0] == '-' ? -HUGE_VAL : HUGE_VAL;
    return n->number;
}

/* Leaves of nested lists against the items of a cell. */
static void compare_leaves(const char *where, const node *n, const hal_column *c, hal_type type,
                           uint64_t *at)
{
    if (n->kind == HAL_JSON_ARRAY) {
        for (const node *k = n->child; k; k = k->next)
            compare_leaves(where, k, c, type, at);
        return;
    }
    uint64_t i = (*at)++;
    bool pairs = type == HAL_TYPE_COMPLEX64 || type == HAL_TYPE_COMPLEX128;
    uint64_t item = pairs ? i / 2 : i;
    bool null = c->item_valid && !hal_bit(c->item_valid, item);
    if (null) {
        if (n->kind != HAL_JSON_NULL)
            fail_msg("%s: item %llu is null", where, (unsigned long long)i);
    } else if (pairs) {
        double parts[2];
        hal_item_complex(c, type, item, parts);
        if (!same_double(parts[i % 2], number_of(n)))
            fail_msg("%s: item %llu is %.17g", where, (unsigned long long)i, parts[i % 2]);
    } else if (hal_type_is_float(type)) {
        double wanted = number_of(n);
        if (type == HAL_TYPE_FLOAT32)
            wanted = (double)(float)wanted;
        if (!same_double(hal_item_float64(c, type, item), wanted))
            fail_msg("%s: item %llu is %.17g not %.17g", where, (unsigned long long)i,
                     hal_item_float64(c, type, item), number_of(n));
    } else if (type == HAL_TYPE_BOOL) {
        if (hal_item_bool(c, item) != (n->kind == HAL_JSON_TRUE))
            fail_msg("%s: item %llu", where, (unsigned long long)i);
    } else {
        /* astropy cuts integers down to the declared type (unsignedByte 256: 255); they are kept.
         */
        int64_t own = hal_item_int64(c, type, item);
        bool cut = type == HAL_TYPE_INT64 && !strncmp(where, "astropy-regression", 18) &&
                   (own > n->integer ? own == n->integer + 1 || n->integer == INT16_MAX
                                     : n->integer == 0 || n->integer == INT16_MIN);
        if (n->kind != HAL_JSON_INT || (own != n->integer && !cut))
            fail_msg("%s: item %llu is %lld not %lld", where, (unsigned long long)i, (long long)own,
                     (long long)n->integer);
    }
}

static void compare_cell(const char *file, const hal_table *t, size_t c, uint64_t row,
                         const node *n)
{
    const hal_field *f = hal_table_field(t, c);
    hal_column column = hal_table_column(t, c);
    char where[300];
    snprintf(where, sizeof where, "%s row %llu column %s", file, (unsigned long long)row, f->name);
    if (hal_table_is_null(t, c, row)) {
        /* A null array: astropy gives its items. */
        bool empty = n->kind == HAL_JSON_NULL || n->kind == HAL_JSON_ARRAY ||
                     (n->kind == HAL_JSON_STRING && (!*n->text || !strcmp(n->text, "NaN")));
        if (!empty)
            fail_msg("%s is null", where);
        return;
    }
    if (f->type == HAL_TYPE_STRING) {
        hal_slice text = hal_table_string(t, c, row);
        char *own = copy_text(text);
        const char *from = own;
        if (n->kind == HAL_JSON_NULL) {
            if (text.size_bytes)
                fail_msg("%s is \"%s\"", where, own);
        } else if (n->kind == HAL_JSON_STRING) {
            while (*from == ' ' && *n->text != ' ')
                from++; /* astropy drops leading blanks */
            /* It also cuts texts longer than declared. */
            bool cut = !strncmp(file, "astropy-regression", 18);
            /* The host name was replaced in the values, not inside base64. */
            bool elsewhere = !strncmp(n->text, "http://dachs.example", 20) &&
                             !strncmp(from, "http://127.0.0.1", 16);
            if (elsewhere)
                assert_string_equal(strchr(from + 7, '/'), strchr(n->text + 7, '/'));
            else if (cut ? strncmp(from, n->text, strlen(n->text)) : strcmp(from, n->text))
                fail_msg("%s is \"%s\" not \"%s\"", where, own, n->text);
        } else {
            assert_int_equal(n->kind, HAL_JSON_ARRAY); /* strings of a fixed length */
            assert_non_null(strchr(f->shape, 'x'));
            size_t each = (size_t)atol(f->shape), at = 0;
            for (const node *k = n->child; k; k = k->next, at += each) {
                size_t m = text.size_bytes - at < each ? text.size_bytes - at : each;
                while (m && own[at + m - 1] == ' ')
                    m--;
                assert_int_equal(m, strlen(k->text));
                assert_memory_equal(own + at, k->text, m);
            }
            assert_true(at >= text.size_bytes);
        }
        free(own);
        return;
    }
    hal_items items = items_of(t, c, row);
    bool pairs = f->type == HAL_TYPE_COMPLEX64 || f->type == HAL_TYPE_COMPLEX128;
    uint64_t at = pairs ? 2 * items.first : items.first, first = at;
    if (n->kind == HAL_JSON_STRING && f->type == HAL_TYPE_BOOL) { /* bits */
        assert_int_equal(items.n, strlen(n->text));
        for (uint64_t i = 0; i < items.n; i++)
            assert_int_equal(hal_item_bool(&column, items.first + i), n->text[i] == '1');
        return;
    }
    if (n->kind == HAL_JSON_NULL && items.n == 0)
        return;
    compare_leaves(where, n, &column, f->type, &at);
    if (at - first != items.n * (pairs ? 2 : 1))
        fail_msg("%s has %llu items", where, (unsigned long long)items.n);
}

static bool is_error_of(const node *statuses)
{
    bool ok = false, error = false;
    for (const node *s = statuses ? statuses->child : NULL; s; s = s->next) {
        bool query = !strcmp(s->child->text, "QUERY_STATUS");
        ok = ok || (query && !strcmp(s->child->next->text, "OK"));
        error = error || !query || !strcmp(s->child->next->text, "ERROR");
        if (query && !strcmp(s->child->next->text, "ERROR"))
            return true;
    }
    return error && !ok;
}

static void compare_table(const char *file, const hal_table *t, const node *expected)
{
    /* astropy 5.2 finds no row where the stream holds one. */
    if (!strcmp(file, "astropy-binary2_variable_length_char.xml"))
        return;
    if ((int64_t)hal_table_rows(t) != get(expected, "rows")->integer)
        fail_msg("%s: %llu rows", file, (unsigned long long)hal_table_rows(t));
    size_t i = 0;
    for (const node *f = get(expected, "fields")->child; f; f = f->next, i++) {
        const hal_field *own = hal_table_field(t, i);
        const char *name = *own->original_name ? own->original_name : own->name;
        if (get(f, "name") && strcmp(name, get(f, "name")->text) != 0)
            fail_msg("%s: column %zu is %s not %s", file, i, name, get(f, "name")->text);
        if (get(f, "ucd"))
            assert_string_equal(own->ucd, get(f, "ucd")->text);
        if (get(f, "utype"))
            assert_string_equal(own->utype, get(f, "utype")->text);
    }
    assert_int_equal(hal_table_columns(t), i);
    const node *rows[2] = {get(expected, "first"), get(expected, "last")};
    for (int k = 0; k < 2; k++) {
        i = 0;
        for (const node *c = rows[k] ? rows[k]->child : NULL; c; c = c->next, i++)
            compare_cell(file, t, i, k ? hal_table_rows(t) - 1 : 0, c);
        if (rows[k] && rows[k]->child)
            assert_int_equal(i, hal_table_columns(t));
    }
}

/* Files whose oracle failed or is wrong by the README, and what the standard says. */
static const struct {
    const char *file;
    hal_status status;
} decided[] = {
    {"bad-truncated-stream.xml", HAL_E_INTEGRITY},
    {"bad-truncated-xml.xml", HAL_E_INTEGRITY},
    {"bad-short-row.xml", HAL_E_INTEGRITY},
    {"bad-html-error.xml", HAL_E_PROTOCOL},
    {"astropy-too_many_columns.xml.gz", HAL_E_INTEGRITY},
    {"dachs-uws-completed.xml", HAL_E_PROTOCOL},
    {"dachs-uws-pending.xml", HAL_E_PROTOCOL},
    {"pyvo-tap-capabilities.xml", HAL_E_PROTOCOL},
    {"pyvo-query-missingtable.xml", HAL_E_PROTOCOL},
    {"astropy-resource_groups.xml", HAL_E_PROTOCOL},
};

static void every_recorded_document_reads_to_its_expected_values(void **state)
{
    (void)state;
    size_t n, m, n_read = 0;
    char *json = load("expected.json", &n);
    node *expected = parse_json(json, n);
    free(json);
    for (const node *file = expected->child; file; file = file->next) {
        char *text = load(file->key, &m);
        hal_answer answer;
        hal_table *t;
        hal_err err = HAL_ERR_INIT;
        hal_status st = read_bytes(text, m, m, NULL, &answer, &t, &err), want = HAL_OK;
        for (size_t i = 0; i < sizeof decided / sizeof *decided; i++)
            if (!strcmp(decided[i].file, file->key))
                want = decided[i].status;
        if (st != want)
            fail_msg("%s: status %d not %d: %s", file->key, st, want, err.text);
        const node *tables = get(file, "tables");
        if (st) {
            free(text);
            continue;
        }
        if (!get(file, "astropy_error") && strcmp(file->key, "astropy-irsa-nph-error.xml") != 0)
            if ((answer.status == HAL_ANSWER_ERROR) != is_error_of(get(file, "status")))
                fail_msg("%s: status %d", file->key, answer.status);
        size_t i_table = 1;
        for (const node *x = tables ? tables->child : NULL;
             x && answer.status == HAL_ANSWER_COMPLETE; x = x->next, i_table++) {
            hal_table *other;
            char which[12];
            snprintf(which, sizeof which, "%zu", i_table);
            if (i_table == 1)
                compare_table(file->key, t, x);
            if (read_bytes(text, m, m, which, &answer, &other, &err))
                fail_msg("%s table %zu: %s", file->key, i_table, err.text);
            compare_table(file->key, other, x);
            hal_table_unref(other);
            n_read++;
        }
        hal_table_unref(t);
        free(text);
    }
    node_free(expected);
    assert_true(n_read > 35);
}

static void the_special_encodings_read_as_the_standard_says(void **state)
{
    (void)state;
    size_t n, m;
    char *json = load("gen-special.expected.json", &n);
    node *expected = parse_json(json, n);
    free(json);
    const char *const files[] = {"gen-special.tabledata.xml", "gen-special.binary.xml",
                                 "gen-special.binary2.xml"};
    for (int i = 0; i < 3; i++) {
        char *text = load(files[i], &m);
        for (size_t piece = 1; piece <= m; piece += m - 1) {
            hal_answer answer;
            hal_table *t;
            hal_err err = HAL_ERR_INIT;
            if (read_bytes(text, m, piece, NULL, &answer, &t, &err))
                fail_msg("%s: %s", files[i], err.text);
            uint64_t row = 0;
            for (const node *r = get(expected, "rows")->child; r; r = r->next, row++) {
                size_t c = 0;
                for (const node *cell = r->child; cell; cell = cell->next, c++)
                    compare_cell(files[i], t, c, row, cell);
            }
            assert_int_equal(hal_table_rows(t), row);
            hal_table_unref(t);
        }
        free(text);
    }
    node_free(expected);
}

/* Null, or what stands for it where nothing can be flagged. */
static bool is_nothing(const hal_table *t, size_t c, uint64_t row, const hal_buf *dumped)
{
    const char *text = hal_buf_text(dumped);
    while (*text == ' ' || !strncmp(text, "NaN", 3))
        text += *text == ' ' ? 1 : 3;
    return hal_table_is_null(t, c, row) || !*text;
}

/* Every cell of every row: the other serialisations are the oracle where expected.json only has the
 * first row and the last. What has no null flag gives "", NaN or no items for null. */
static void all_rows_are_the_same_in_every_serialisation(void **state)
{
    (void)state;
    const char *const groups[][4] = {
        {"gen-alltypes.tabledata.xml", "gen-alltypes.binary.stilts.xml",
         "gen-alltypes.binary2.stilts.xml", "gen-alltypes.binary2.stilts.xml.gz"},
        {"dachs-extra.tabledata.xml", "dachs-extra.binary.xml", "dachs-extra.binary2.xml", NULL},
    };
    for (int g = 0; g < 2; g++) {
        hal_table *first = NULL;
        for (int k = 0; k < 4 && groups[g][k]; k++) {
            size_t n;
            char *text = load(groups[g][k], &n);
            hal_answer answer;
            hal_table *t;
            hal_err err = HAL_ERR_INIT;
            assert_int_equal(read_bytes(text, n, n, NULL, &answer, &t, &err), HAL_OK);
            free(text);
            if (!first) {
                first = t;
                continue;
            }
            assert_int_equal(hal_table_rows(t), hal_table_rows(first));
            assert_int_equal(hal_table_columns(t), hal_table_columns(first));
            for (size_t c = 0; c < hal_table_columns(t); c++)
                for (uint64_t row = 0; row < hal_table_rows(t); row++) {
                    /* STILTS lost the value that stands for null there. */
                    if (strstr(groups[g][k], "binary2.stilts") &&
                        !strcmp(hal_table_field(t, c)->name, "i3n"))
                        continue;
                    hal_buf a, b;
                    hal_buf_init(&a, 1 << 20);
                    hal_buf_init(&b, 1 << 20);
                    assert_int_equal(hal_buf_puts(&a, "", NULL) | hal_buf_puts(&b, "", NULL), 0);
                    dump_cell(&a, first, c, row);
                    dump_cell(&b, t, c, row);
                    if (!is_nothing(first, c, row, &a) || !is_nothing(t, c, row, &b)) {
                        if (strcmp(hal_buf_text(&a), hal_buf_text(&b)) != 0)
                            fail_msg("%s row %llu column %s: \"%s\" not \"%s\"", groups[g][k],
                                     (unsigned long long)row, hal_table_field(t, c)->name,
                                     hal_buf_text(&b), hal_buf_text(&a));
                    }
                    hal_buf_clear(&a);
                    hal_buf_clear(&b);
                }
            hal_table_unref(t);
        }
        hal_table_unref(first);
    }
}

static hal_table *read_good(const char *text, hal_answer *answer)
{
    hal_err err = HAL_ERR_INIT;
    hal_table *t;
    if (read_bytes(text, strlen(text), strlen(text), NULL, answer, &t, &err))
        fail_msg("%.300s: %s", text, err.text);
    return t;
}

static hal_status status_of(const char *text, hal_err *err)
{
    hal_answer answer;
    hal_table *t;
    *err = HAL_ERR_INIT;
    hal_status st = read_bytes(text, strlen(text), strlen(text), NULL, &answer, &t, err);
    hal_table_unref(t);
    return st;
}

#define HEAD                                                                                       \
    "<VOTABLE version=\"1.4\"><RESOURCE type=\"results\"><TABLE><FIELD name=\"n\" "                \
    "datatype=\"short\"/><FIELD name=\"s\" datatype=\"char\" arraysize=\"*\"/><DATA><TABLEDATA>"
#define FOOT "</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"

static void rows_that_need_expat_read_like_the_others(void **state)
{
    (void)state;
    const char *text = HEAD "<TR><TD>1</TD><TD>a</TD></TR>\n"
                            "<TR><TD>2</TD><TD><![CDATA[<b> & </TD></TR>]]></TD></TR>"
                            "<!-- > <TR><TD>9</TD><TD>no</TD></TR> -->"
                            "<TR ID='x'><TD>3</TD><TD>&#x661f;&amp;&#10;</TD></TR>"
                            "<TR><TD> 4 </TD><TD>&lt;d&gt; </TD></TR>"
                            "<TR><TD><!-- five -->5</TD><TD>e<?pi ?></TD></TR>"
                            "<TR><TD/><TD>f\r\n</TD></TR>" FOOT;
    hal_answer answer;
    hal_table *t = read_good(text, &answer);
    assert_int_equal(hal_table_rows(t), 6);
    const char *const texts[] = {"a", "<b> & </TD></TR>", "\xe6\x98\x9f&\n", "<d> ", "e", "f\n"};
    for (uint64_t i = 0; i < 6; i++) {
        if (i < 5)
            assert_int_equal(hal_table_int64(t, 0, i), (int64_t)i + 1);
        hal_slice s = hal_table_string(t, 1, i);
        assert_int_equal(s.size_bytes, strlen(texts[i]));
        assert_memory_equal(s.data, texts[i], s.size_bytes);
    }
    assert_true(hal_table_is_null(t, 0, 5));
    hal_table_unref(t);
    hal_table *wide = read_good(HEAD "<TR><TD>-1</TD><TD/></TR><TR><TD>40000</TD><TD/></TR>"
                                     "<TR><TD>7</TD><TD/></TR>" FOOT,
                                &answer);
    assert_int_equal(hal_table_field(wide, 0)->type, HAL_TYPE_INT64);
    assert_int_equal(hal_table_int64(wide, 0, 0), -1);
    assert_int_equal(hal_table_int64(wide, 0, 1), 40000);
    assert_int_equal(hal_table_int64(wide, 0, 2), 7);
    hal_table_unref(wide);
    hal_table *prefixed = read_good("<v:VOTABLE xmlns:v='x'><v:RESOURCE><v:TABLE>"
                                    "<v:FIELD name='n' datatype='int'/><v:DATA><v:TABLEDATA>"
                                    "<v:TR><v:TD>0x1f</v:TD></v:TR></v:TABLEDATA></v:DATA>"
                                    "</v:TABLE></v:RESOURCE></v:VOTABLE>",
                                    &answer);
    assert_int_equal(hal_table_int64(prefixed, 0, 0), 31);
    hal_table_unref(prefixed);
    hal_table *latin = read_good("<?xml version='1.0' encoding='ISO-8859-1'?>" HEAD
                                 "<TR><TD>1</TD><TD>\xe9</TD></TR>" FOOT,
                                 &answer);
    assert_memory_equal(hal_table_string(latin, 1, 0).data, "\xc3\xa9", 2);
    hal_table_unref(latin);
}

/* A row with an attribute is for Expat. */
static void comments_and_cdata_mean_what_expat_says(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "<TD>1</TD><TD><![CDATA[a<b & c]]></TD>",
        "<TD>1</TD><TD>x<![CDATA[]]]]><![CDATA[>]]>y<![CDATA[]]></TD>",
        "<TD><![CDATA[ 12]]></TD><TD>\r<![CDATA[\n\r\n\r]]>\n</TD>",
        "<TD>1<!-- two -->2</TD><TD>a<!-- & <b> ]]> -->b&amp;<!----><![CDATA[&amp;]]></TD>",
        "<!-- one --> <TD>1</TD><!----> <!-- > --><TD/> <!-- \xc3\xa9 -->",
        "<TD><!-- none --></TD><TD><!-- none --></TD>",
        "<TD><![CDATA[]]></TD><TD><![CDATA[]]></TD>",
        "<TD>1</TD><TD><![CDATA[\xc3\xa9<!-- -->]]></TD>",
        "<TD>1</TD><TD>a<!-- - - ->b<!-- --></TD>",
        "<TD>1</TD><TD>a<!-- b -- c -->d</TD>",
        "<TD>1</TD><TD>a<!-- b --->d</TD>",
        "<TD>1</TD><TD>a<!--->d</TD>",
        "<TD>1</TD><TD>a]]>d</TD>",
        "<TD>1</TD><TD>a<![CDATA[b]]>]]></TD>",
        "<TD>1</TD><TD>a<![CDATA[b\x01]]></TD>",
        "<TD>1</TD><TD>a<!-- \x01 --></TD>",
        "<TD>1</TD><!-- \xff --><TD>a</TD>",
        "<TD>1</TD><TD>a<!-- \xef\xbf\xbf --></TD>",
        "<TD>1</TD><![CDATA[ ]]><TD>a</TD>",
        "<TD>1</TD><![CDATA[x]]><TD>a</TD>",
        "<TD>1</TD><TD>a<![cdata[b]]></TD>",
        "<TD>1</TD><TD>a<!- b --></TD>",
        "<TD><![CDATA[x]]></TD><TD>a</TD>",
        "<TD>1</TD><TD>a<![CDATA[</TD></TR><TR>]]></TD>",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[2][1000];
        hal_answer answer;
        hal_table *t[2];
        hal_err err[2] = {HAL_ERR_INIT, HAL_ERR_INIT};
        hal_status st[2];
        for (int k = 0; k < 2; k++) {
            size_t n = (size_t)snprintf(text[k], sizeof text[k],
                                        HEAD "<TR><TD>7</TD><TD>x</TD></TR>%s%s</TR><!-- --> "
                                             "<TR><TD>8</TD><TD>y</TD></TR>" FOOT,
                                        k ? "<TR ID='x'>" : "<TR>       ", rows[i]);
            st[k] = read_bytes(text[k], n, n, NULL, &answer, &t[k], &err[k]);
        }
        if (st[0] != st[1] || strncmp(err[0].text, err[1].text, 20) != 0)
            fail_msg("%s: %s, with Expat %s", rows[i], err[0].text, err[1].text);
        if (st[0])
            continue;
        assert_int_equal(hal_table_rows(t[0]), 3);
        char *a = dump(t[0]), *b = dump(t[1]);
        assert_string_equal(a, b);
        free(a);
        free(b);
        hal_table_unref(t[0]);
        hal_table_unref(t[1]);
    }
}

static void what_the_answer_says_of_itself_is_heard(void **state)
{
    (void)state;
    hal_answer answer;
    size_t n;
    char *text = load("late-overflow.xml", &n);
    text[n] = '\0';
    hal_table *t = read_good(text, &answer);
    assert_string_equal(hal_table_metadata(t)->status, "OVERFLOW");
    hal_table_unref(t);
    free(text);
    const char *const errors[] = {
        "<VOTABLE><RESOURCE type='results'><INFO name='QUERY_STATUS' value='ERROR'> no such "
        "table\n</INFO></RESOURCE></VOTABLE>",
        "<VOTABLE><INFO ID='Error' name='x' value='no such table'/></VOTABLE>",
        "<VOTABLE><DEFINITIONS><PARAM name='ERROR' datatype='char' value='no such "
        "table'/></DEFINITIONS></VOTABLE>",
        "<VOTABLE><RESOURCE><INFO name='error' value='no such table'/></RESOURCE></VOTABLE>",
    };
    for (int i = 0; i < 4; i++) {
        t = read_good(errors[i], &answer);
        assert_null(t);
        assert_int_equal(answer.status, HAL_ANSWER_ERROR);
        assert_string_equal(answer.message, "no such table");
    }
}

#define ONE_CELL(type, cell)                                                                       \
    "<VOTABLE><RESOURCE><TABLE><FIELD name='x' datatype='" type "'/><DATA><TABLEDATA><TR><TD>1"    \
    "</TD></TR><TR><TD>" cell "</TD></TR>" FOOT

static void a_number_beyond_its_type_is_infinity_and_underflow_rounds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        {ONE_CELL("double", "1e400"), HUGE_VAL},
        {ONE_CELL("double", "-0012.5e999999999999"), -HUGE_VAL},
        {ONE_CELL("double", "1.7976931348623158e308"), DBL_MAX},
        {ONE_CELL("double", "-Infinity"), -HUGE_VAL},
        {ONE_CELL("double", "1e-400"), 0},
        {ONE_CELL("float", "3.5e38"), HUGE_VAL},
        {ONE_CELL("float", "-1e400"), -HUGE_VAL},
        {ONE_CELL("float", "3.4028235e38"), (double)FLT_MAX},
        {ONE_CELL("float", "+inf"), HUGE_VAL},
        {ONE_CELL("float", "1e-60"), 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hal_err err = HAL_ERR_INIT;
        hal_answer answer;
        hal_table *t = NULL;
        size_t n = strlen(cases[i].text);
        if (read_bytes(cases[i].text, n, n, NULL, &answer, &t, &err))
            fail_msg("%zu: %s", i, err.text);
        if (!(hal_table_float64(t, 0, 1) == cases[i].value))
            fail_msg("%zu: %.17g", i, hal_table_float64(t, 0, 1));
        hal_table_unref(t);
    }
}

static void what_cannot_be_trusted_is_refused(void **state)
{
    (void)state;
    hal_err err;
    assert_int_equal(status_of("<!DOCTYPE VOTABLE [<!ENTITY a 'b'>]>" HEAD FOOT, &err),
                     HAL_E_PROTOCOL);
    assert_int_equal(status_of("<!DOCTYPE VOTABLE SYSTEM 'x.dtd'>" HEAD
                               "<TR><TD>1</TD><TD>&a;</TD></TR>" FOOT,
                               &err),
                     HAL_E_PROTOCOL);
    assert_int_equal(status_of(HEAD "<TR><TD>1</TD></TR>" FOOT, &err), HAL_E_INTEGRITY);
    assert_non_null(strstr(err.text, "row 1"));
    assert_int_equal(
        status_of(HEAD "<TR><TD>1</TD><TD>a</TD></TR><TR><TD>4x</TD><TD/></TR>" FOOT, &err),
        HAL_E_INTEGRITY);
    assert_non_null(strstr(err.text, "row 2"));
    assert_non_null(strstr(err.text, "4x"));
    assert_int_equal(status_of(HEAD "<TR><TD>1</TD><TD>\x01</TD></TR>" FOOT, &err),
                     HAL_E_INTEGRITY);
    assert_int_equal(status_of(HEAD "<TR><TD>1</TD><TD>\xff</TD></TR>" FOOT, &err),
                     HAL_E_INTEGRITY);
    assert_int_equal(status_of(HEAD "<TX/>" FOOT, &err), HAL_E_INTEGRITY);
    assert_int_equal(status_of("<VOTABLE><RESOURCE><TABLE><DATA><BINARY2><STREAM "
                               "encoding='base64'>AAAA</STREAM></BINARY2></DATA></TABLE>"
                               "</RESOURCE></VOTABLE>",
                               &err),
                     HAL_E_INTEGRITY);
    assert_non_null(strstr(err.text, "no FIELD"));
    assert_int_equal(status_of("<VOTABLE><RESOURCE><TABLE nrows='2'><FIELD name='a' "
                               "datatype='int'/><DATA><TABLEDATA><TR><TD>1</TD></TR>" FOOT,
                               &err),
                     HAL_E_INTEGRITY);
    assert_int_equal(status_of("<VOTABLE><RESOURCE><TABLE><FIELD name='a' datatype='int' "
                               "arraysize='999999x999999'/></TABLE></RESOURCE></VOTABLE>",
                               &err),
                     HAL_E_BUDGET);
    char deep[2000] = "<VOTABLE>";
    for (int i = 0; i < 100; i++)
        strncat(deep, "<RESOURCE>", sizeof deep - strlen(deep) - 1);
    assert_int_equal(status_of(deep, &err), HAL_E_BUDGET);
}

static void arrays_of_declared_size_take_no_memory_ahead_of_their_items(void **state)
{
    (void)state;
#define WIDE(rows)                                                                                 \
    "<VOTABLE><RESOURCE><TABLE><FIELD name='a' datatype='double' arraysize='4194304'/><DATA>"      \
    "<TABLEDATA>" rows "</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
#define NULLS "<TR><TD/></TR><TR><TD/></TR><TR><TD/></TR><TR><TD/></TR>"
    hal_err err = HAL_ERR_INIT;
    assert_int_equal(status_of(WIDE("<TR><TD/></TR>"), &err), HAL_OK);
    assert_int_equal(status_of(WIDE(NULLS NULLS NULLS), &err), HAL_E_BUDGET);
    assert_non_null(strstr(err.text, "declare arraysize=\"*\""));
    hal_vec v = {0};
    assert_int_equal(hal_vec_set_shape(&v, HAL_TYPE_FLOAT64, 1 << 28, &err), HAL_OK);
    assert_int_equal(v.capacity, 0);
    hal_vec_clear(&v);
}

static hal_table *write_and_read(const hal_table *t, hal_format format)
{
    char path[] = "/tmp/halyard-votable-XXXXXX";
    close(mkstemp(path));
    hal_err err = HAL_ERR_INIT;
    uint64_t size;
    hal_writer *w = hal_writer_open_like(path, format, t, &err);
    if (!w || hal_writer_table(w, t, &err) || hal_writer_commit(w, &size, &err))
        fail_msg("%s", err.text);
    hal_writer_free(w);
    char *text = malloc(size);
    FILE *f = fopen(path, "rb");
    assert_int_equal(fread(text, 1, size, f), size);
    fclose(f);
    unlink(path);
    hal_answer answer;
    hal_table *back;
    if (read_bytes(text, size, size, NULL, &answer, &back, &err))
        fail_msg("%s", err.text);
    free(text);
    return back;
}

static void what_is_written_reads_back_the_same(void **state)
{
    (void)state;
    const char *const files[] = {"gen-alltypes.binary2.stilts.xml", "gen-special.binary2.xml",
                                 "dachs-ssap.xml", "astropy-regression.xml", "dachs-siap.xml"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        size_t n;
        char *text = load(files[i], &n);
        hal_answer answer;
        hal_table *t;
        hal_err err = HAL_ERR_INIT;
        assert_int_equal(read_bytes(text, n, n, NULL, &answer, &t, &err), HAL_OK);
        hal_table *binary = write_and_read(t, HAL_FORMAT_VOTABLE_BINARY2);
        hal_table *once = write_and_read(t, HAL_FORMAT_VOTABLE);
        hal_table *twice = write_and_read(once, HAL_FORMAT_VOTABLE);
        char *a = dump(t), *b = dump(binary), *c = dump(once), *d = dump(twice);
        assert_string_equal(a, b);
        assert_string_equal(c, d);
        assert_int_equal(hal_table_metadata(t)->n_items, hal_table_metadata(binary)->n_items);
        assert_string_equal(hal_table_metadata(t)->status, hal_table_metadata(once)->status);
        free(a);
        free(b);
        free(c);
        free(d);
        hal_table_unref(t);
        hal_table_unref(binary);
        hal_table_unref(once);
        hal_table_unref(twice);
        free(text);
    }
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    size_t n;
    char *text = load("gen-special.binary2.xml", &n);
    for (size_t at = 1;; at++) {
        hal_answer answer;
        hal_table *t = NULL;
        hal_err err = HAL_ERR_INIT;
        const hal_reader_options options = {.table = NULL};
        hal_alloc_fail_at(at);
        hal_reader *r = hal_reader_new_with(HAL_FORMAT_AUTO, &options, &err);
        hal_status st = r ? hal_reader_feed(r, text, n, &err) : HAL_E_NOMEM;
        if (!st)
            st = hal_reader_finish(r, &answer, &t, &err);
        hal_reader_free(r);
        size_t made = hal_alloc_fail_at(0);
        if (!st) {
            hal_table_unref(t);
            if (made < at)
                break;
            continue; /* memory given back too late is no failure */
        }
        if (st != HAL_E_NOMEM)
            fail_msg("allocation %zu: %d %s", at, st, err.text);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_recorded_document_reads_to_its_expected_values),
        cmocka_unit_test(the_special_encodings_read_as_the_standard_says),
        cmocka_unit_test(all_rows_are_the_same_in_every_serialisation),
        cmocka_unit_test(rows_that_need_expat_read_like_the_others),
        cmocka_unit_test(comments_and_cdata_mean_what_expat_says),
        cmocka_unit_test(what_the_answer_says_of_itself_is_heard),
        cmocka_unit_test(a_number_beyond_its_type_is_infinity_and_underflow_rounds),
        cmocka_unit_test(what_cannot_be_trusted_is_refused),
        cmocka_unit_test(arrays_of_declared_size_take_no_memory_ahead_of_their_items),
        cmocka_unit_test(what_is_written_reads_back_the_same),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
