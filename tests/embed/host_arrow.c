/* SPDX-License-Identifier: BSD-3-Clause */
/* A host program in C that takes tables as Arrow streams and hands in its own. */
#include <halyard.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int n_failed;
#define CHECK(cond) check((cond), #cond, __LINE__)
static bool check(bool ok, const char *what, int line)
{
    if (!ok) {
        printf("line %d: %s\n", line, what);
        n_failed++;
    }
    return ok;
}

static int n_warnings;

static void on_event(void *ctx, const char *kind, const char *json)
{
    (void)ctx;
    n_warnings += !strcmp(kind, "log") && strstr(json, "\"warning\"") != NULL;
}

static hal_runtime *new_runtime(void)
{
    hal_config config = {.struct_size = sizeof config, .on_event = on_event};
    hal_runtime *rt = hal_runtime_new(&config, NULL, 0);
    CHECK(rt != NULL);
    return rt;
}

static hal_status read_file(hal_runtime *rt, const char *in, const char *from, const char *table,
                            struct ArrowArrayStream *out)
{
    hal_read_job job = {.struct_size = sizeof job, .in = in, .from = from, .table = table};
    return hal_runtime_read(rt, &job, out);
}

/* The value of a key of the metadata, "" where there is none. */
static const char *key(const struct ArrowSchema *s, const char *name)
{
    static char value[256];
    int32_t n = 0, size[2];
    const char *p = s->metadata;
    if (p) {
        memcpy(&n, p, sizeof n);
        p += sizeof n;
    }
    value[0] = '\0';
    for (int32_t i = 0; i < n; i++) {
        memcpy(&size[0], p, sizeof *size);
        const char *text = p + sizeof *size;
        memcpy(&size[1], text + size[0], sizeof *size);
        p = text + size[0] + sizeof *size;
        if ((size_t)size[0] == strlen(name) && !memcmp(text, name, strlen(name)))
            snprintf(value, sizeof value, "%.*s", (int)size[1], p);
        p += size[1];
    }
    return value;
}

static int column(const struct ArrowSchema *s, const char *name, const char *format)
{
    for (int i = 0; i < s->n_children; i++)
        if (!strcmp(s->children[i]->name, name)) {
            CHECK(!strcmp(s->children[i]->format, format));
            return i;
        }
    printf("there is no column %s\n", name);
    exit(1);
}

static bool is_null(const struct ArrowArray *a, int64_t row)
{
    const unsigned char *valid = a->buffers[0];
    row += a->offset;
    return valid && !(valid[row / 8] >> row % 8 & 1);
}

/* What stands in the recorded answer of IRSA: 18 sources around M 31. */
static void check_m31(struct ArrowArrayStream *stream)
{
    struct ArrowSchema schema;
    struct ArrowArray rows, end;
    if (!CHECK(!stream->get_schema(stream, &schema)) || !CHECK(!stream->get_next(stream, &rows)))
        return;
    CHECK(!stream->get_next(stream, &end) && !end.release);
    stream->release(stream); /* what was taken out of it lives on */
    CHECK(!strcmp(schema.format, "+s") && schema.n_children == 25 && rows.length == 18);

    int ra = column(&schema, "ra", "f"), sigma = column(&schema, "j_msigcom", "g");
    int name = column(&schema, "designation", "U");
    CHECK(!strcmp(key(schema.children[ra], "unit"), "deg"));
    CHECK(!strcmp(key(schema.children[ra], "ucd"), "POS_EQ_RA_MAIN"));
    CHECK(!strcmp(key(schema.children[sigma], "unit"), "mag"));
    CHECK(!strcmp(key(schema.children[name], "unit"), ""));

    const struct ArrowArray *a = rows.children[ra];
    CHECK(((const float *)a->buffers[1])[a->offset] == 10.683263f);
    CHECK(((const float *)a->buffers[1])[a->offset + 3] == 10.682383f);
    a = rows.children[sigma];
    CHECK(a->null_count == 8 && !is_null(a, 0) && is_null(a, 1) && !is_null(a, 2));
    CHECK(((const double *)a->buffers[1])[a->offset + 2] == 0.052);
    a = rows.children[name];
    const int64_t *offsets = a->buffers[1];
    CHECK(offsets[a->offset + 1] - offsets[a->offset] == 16);
    CHECK(!memcmp((const char *)a->buffers[2] + offsets[a->offset], "00424398+4116028", 16));
    rows.release(&rows);
    schema.release(&schema);
}

static void a_recorded_table_is_read_and_outlives_the_runtime(void)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/data/votable/astropy-irsa-nph-m31.xml",
             getenv("HALYARD_SHARED"));
    hal_runtime *rt = new_runtime();
    struct ArrowArrayStream stream;
    CHECK(read_file(rt, path, NULL, NULL, &stream) == HAL_OK);
    hal_runtime_free(rt);
    check_m31(&stream);
}

static void a_table_that_is_written_reads_as_before(const char *out)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/data/votable/astropy-irsa-nph-m31.xml",
             getenv("HALYARD_SHARED"));
    hal_runtime *rt = new_runtime();
    struct ArrowArrayStream stream, again;
    CHECK(read_file(rt, path, "votable", NULL, &stream) == HAL_OK);
    CHECK(hal_runtime_write(rt, &stream, out, NULL) == HAL_OK);
    stream.release(&stream);
    if (CHECK(read_file(rt, out, NULL, NULL, &again) == HAL_OK))
        check_m31(&again);
    hal_runtime_free(rt);
}

/* Three tables of one row; those of the second and third have a name and an ID. */
static void one_table_of_several_is_read(void)
{
    static const char row[] = "<FIELD name='v' datatype='long'/><DATA><TABLEDATA><TR><TD>%d</TD>"
                              "</TR></TABLEDATA></DATA></TABLE>";
    static const char *const begins[] = {"<VOTABLE><RESOURCE><TABLE>", "<TABLE name='stars'>",
                                         "<TABLE ID='gti'>"};
    FILE *f = fopen("several.vot", "w");
    if (!CHECK(f != NULL))
        return;
    for (int i = 0; i < 3; i++) {
        fputs(begins[i], f);
        fprintf(f, row, i + 1);
    }
    fputs("</RESOURCE></VOTABLE>", f);
    fclose(f);

    static const struct {
        const char *table;
        int64_t value;
    } cases[] = {{NULL, 1}, {"1", 1}, {"2", 2}, {"stars", 2}, {"3", 3}, {"gti", 3}};
    hal_runtime *rt = new_runtime();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ArrowArrayStream stream;
        struct ArrowArray rows;
        n_warnings = 0;
        if (!CHECK(read_file(rt, "several.vot", NULL, cases[i].table, &stream) == HAL_OK))
            continue;
        CHECK(n_warnings == !cases[i].table);
        if (CHECK(!stream.get_next(&stream, &rows))) {
            const struct ArrowArray *v = rows.children[0];
            CHECK(((const int64_t *)v->buffers[1])[v->offset] == cases[i].value);
            rows.release(&rows);
        }
        stream.release(&stream);
        hal_convert_job job = {.struct_size = sizeof job,
                               .in = "several.vot",
                               .out = "out-one.vot",
                               .table = cases[i].table};
        CHECK(hal_runtime_convert(rt, &job) == HAL_OK);
        CHECK(n_warnings == (cases[i].table ? 0 : 2));
    }
    struct ArrowArrayStream none;
    CHECK(read_file(rt, "several.vot", NULL, "4", &none) == HAL_E_USAGE && !none.release);
    CHECK(strstr(hal_runtime_error(rt), "there is no table 4; there are 3: 1, 2 \"stars\", 3"));
    hal_runtime_free(rt);
}

/* --- A stream of the host's own: two arrays of two rows, with one column -------------------------
 */

typedef struct own_stream {
    struct ArrowArrayStream stream;
    struct ArrowSchema column_schema, *schemas[1];
    struct ArrowArray column, *columns[1];
    const void *buffers[2], *no_buffers[1];
    int64_t values[4];
    int n_given, n_alive;
    int fails_at; /* this array is a failure */
} own_stream;

static void release_schema(struct ArrowSchema *s)
{
    ((own_stream *)s->private_data)->n_alive--;
    s->release = NULL;
}

static void release_array(struct ArrowArray *a)
{
    ((own_stream *)a->private_data)->n_alive--;
    a->release = NULL;
}

static int give_schema(struct ArrowArrayStream *s, struct ArrowSchema *out)
{
    own_stream *own = s->private_data;
    *out = (struct ArrowSchema){.format = "+s",
                                .n_children = 1,
                                .children = own->schemas,
                                .release = release_schema,
                                .private_data = own};
    own->n_alive++;
    return 0;
}

static int give_next(struct ArrowArrayStream *s, struct ArrowArray *out)
{
    own_stream *own = s->private_data;
    *out = (struct ArrowArray){0};
    if (own->n_given == own->fails_at)
        return EIO;
    if (own->n_given == 2)
        return 0;
    own->column = (struct ArrowArray){.length = 2,
                                      .null_count = -1, /* to be counted */
                                      .offset = 2 * own->n_given++,
                                      .n_buffers = 2,
                                      .buffers = own->buffers};
    *out = (struct ArrowArray){.length = 2,
                               .n_buffers = 1,
                               .buffers = own->no_buffers,
                               .n_children = 1,
                               .children = own->columns,
                               .release = release_array,
                               .private_data = own};
    own->n_alive++;
    return 0;
}

static const char *last_error(struct ArrowArrayStream *s)
{
    (void)s;
    return "the host's disk is gone";
}

/* Ours to call, not the library's. */
static void release_stream(struct ArrowArrayStream *s)
{
    (void)s;
    CHECK(false);
}

static void open_own(own_stream *own, const char *format, int fails_at)
{
    static const unsigned char valid = 0xd; /* the second is null */
    *own = (own_stream){.values = {1, 0, INT64_MAX, -4}, .fails_at = fails_at};
    own->stream = (struct ArrowArrayStream){.get_schema = give_schema,
                                            .get_next = give_next,
                                            .get_last_error = last_error,
                                            .release = release_stream,
                                            .private_data = own};
    own->column_schema = (struct ArrowSchema){.format = format, .name = "n"};
    own->column_schema.flags = ARROW_FLAG_NULLABLE;
    own->schemas[0] = &own->column_schema;
    own->columns[0] = &own->column;
    own->buffers[0] = &valid;
    own->buffers[1] = own->values;
}

static void all_arrays_of_a_host_are_written(void)
{
    hal_runtime *rt = new_runtime();
    own_stream own;
    open_own(&own, "l", -1);
    CHECK(hal_runtime_write(rt, &own.stream, "out-own.csv", NULL) == HAL_OK);
    CHECK(own.n_alive == 0 && own.stream.release);
    char text[64] = "";
    FILE *f = fopen("out-own.csv", "rb");
    if (CHECK(f != NULL)) {
        text[fread(text, 1, sizeof text - 1, f)] = '\0';
        fclose(f);
    }
    CHECK(!strcmp(text, "n\n1\n\n9223372036854775807\n-4\n"));
    hal_runtime_free(rt);
}

static void what_cannot_be_written_leaves_no_file(void)
{
    hal_runtime *rt = new_runtime();
    own_stream own;
    unlink("out-none.csv");
    open_own(&own, "l", 1);
    CHECK(hal_runtime_write(rt, &own.stream, "out-none.csv", NULL) == HAL_E_IO);
    CHECK(strstr(hal_runtime_error(rt), "the host's disk is gone") && own.n_alive == 0);
    open_own(&own, "d:38,2", -1);
    CHECK(hal_runtime_write(rt, &own.stream, "out-none.csv", NULL) == HAL_E_USAGE);
    CHECK(strstr(hal_runtime_error(rt), "n") && own.n_alive == 0);
    open_own(&own, "l", -1);
    CHECK(hal_runtime_write(rt, &own.stream, "out-none.csv", "no format") == HAL_E_USAGE);
    CHECK(own.n_given == 0);
    own.stream.release = NULL;
    CHECK(hal_runtime_write(rt, &own.stream, "out-none.csv", NULL) == HAL_E_USAGE);
    CHECK(access("out-none.csv", F_OK) != 0);
    hal_runtime_free(rt);
}

static void what_cannot_be_read_gives_no_stream(void)
{
    hal_runtime *rt = new_runtime();
    struct ArrowArrayStream stream;
    memset(&stream, 0xff, sizeof stream);
    CHECK(read_file(rt, "no-such-file", NULL, NULL, &stream) == HAL_E_NOT_FOUND);
    CHECK(!stream.release && strstr(hal_runtime_error(rt), "no-such-file"));
    CHECK(read_file(rt, "no-such-file", "no format", NULL, &stream) == HAL_E_USAGE);
    CHECK(read_file(rt, NULL, NULL, NULL, &stream) == HAL_E_USAGE);
    CHECK(hal_runtime_read(rt, NULL, &stream) == HAL_E_USAGE);
    char path[1024];
    snprintf(path, sizeof path, "%s/data/votable/bad-truncated-xml.xml", getenv("HALYARD_SHARED"));
    CHECK(read_file(rt, path, NULL, NULL, &stream) == HAL_E_INTEGRITY && !stream.release);
    hal_runtime_free(rt);
}

int main(void)
{
    a_recorded_table_is_read_and_outlives_the_runtime();
    a_table_that_is_written_reads_as_before("out-m31.vot");
    a_table_that_is_written_reads_as_before("out-m31.fits");
    one_table_of_several_is_read();
    all_arrays_of_a_host_are_written();
    what_cannot_be_written_leaves_no_file();
    what_cannot_be_read_gives_no_stream();
    return n_failed == 0 ? 0 : 1;
}
