/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows go from a reader to a writer in batches: memory does not grow with their number. Where the
 * format does not say the types and a later row needs a wider one than the rows already written,
 * or another integer for null than a VOTable has declared, the input is read once more with what
 * holds for everything. */
#include "runtime/convert.h"

#include "base/alloc.h"
#include "base/write.h"
#include "data/votable_null.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_BYTES = 1 << 20, BATCH_ROWS = 16384 };

typedef struct conversion {
    const char *label; /* of the input; NULL: its path */
    const char *table; /* of the input */
    const char *out;
    hal_format to;
    hal_writer *writer;
    const hal_file_watch *watch;
    hal_table *like;              /* the writer's columns */
    hal_nulls nulls;              /* of the rows seen so far */
    bool looked;                  /* at the first batch */
    const hal_metadata *metadata; /* of the whole input, known when it is read again */
    bool dry;                     /* looks at types, writes nothing */
    bool changed;                 /* a later batch has other types than the writer */
} conversion;

static bool same_columns(const hal_table *a, const hal_table *b)
{
    if (hal_table_columns(a) != hal_table_columns(b))
        return false;
    for (size_t c = 0; c < hal_table_columns(a); c++) {
        const hal_field *x = hal_table_field(a, c), *y = hal_table_field(b, c);
        if (x->type != y->type || x->width != y->width || strcmp(x->name, y->name) != 0)
            return false;
    }
    return true;
}

/* INFO may stand behind the rows of a VOTable. */
static bool said_more(const hal_table *first, const hal_table *last)
{
    return hal_table_metadata(last)->n_items > hal_table_metadata(first)->n_items;
}

static hal_field *copy_fields(const hal_table *t, hal_err *err)
{
    size_t n = hal_table_columns(t);
    hal_field *fields = hal_calloc(n + 1, sizeof *fields);
    if (!fields)
        hal_err_nomem(err, n * sizeof *fields);
    for (size_t i = 0; i < n && fields; i++)
        fields[i] = *hal_table_field(t, i);
    return fields;
}

static hal_status open_writer(conversion *c, const hal_table *t, hal_err *err)
{
    hal_table *none = hal_table_take(t, NULL, 0, err);
    hal_field *fields = none ? copy_fields(t, err) : NULL;
    if (fields && c->nulls.n == hal_table_columns(t))
        hal_nulls_declare(&c->nulls, fields);
    c->like = fields ? hal_table_with(none, fields, c->metadata, err) : NULL;
    hal_table_unref(none);
    hal_free(fields);
    if (!c->like)
        return err->status;
    c->writer = hal_writer_open_named(c->out, c->to, c->like, err);
    if (c->writer)
        hal_writer_stop_on(c->writer, c->watch->stop);
    return c->writer ? HAL_OK : err->status;
}

/* Only formats that declare their columns have arrays: those stay the same in all batches. */
static hal_status look_at_nulls(conversion *c, const hal_table *t, hal_err *err)
{
    size_t n = hal_table_columns(t);
    hal_status st = HAL_OK;
    if (!c->looked) {
        hal_field *fields = copy_fields(t, err);
        if (!fields)
            return HAL_E_NOMEM;
        st = hal_nulls_init(&c->nulls, c->to, fields, n, err);
        hal_free(fields);
        c->looked = true;
    }
    if (st || c->nulls.n != n)
        return st;
    hal_nulls_look(&c->nulls, t, NULL, 0, hal_table_rows(t));
    if (hal_nulls_choose(&c->nulls) && c->writer)
        c->changed = true;
    return HAL_OK;
}

static hal_status take_batch(void *ctx, const hal_table *t, hal_err *err)
{
    conversion *c = ctx;
    hal_status looked = look_at_nulls(c, t, err);
    if (looked || c->dry || c->changed)
        return looked;
    if (!c->writer) {
        hal_status st = open_writer(c, t, err);
        if (st)
            return st;
    }
    if (!same_columns(c->like, t)) {
        c->changed = true;
        return HAL_OK;
    }
    return hal_writer_table(c->writer, t, err);
}

static void drop_writer(conversion *c)
{
    hal_writer_free(c->writer);
    hal_table_unref(c->like);
    c->writer = NULL;
    c->like = NULL;
}

/* One reading; *last has the columns with the types that hold everything. */
static hal_status pass(conversion *c, const char *in, hal_format from, const hal_table *types,
                       hal_table **last, hal_err *err)
{
    hal_reader_options options = {.batch = take_batch, .batch_ctx = c, .batch_rows = BATCH_ROWS};
    hal_field *fields = NULL;
    if (types) {
        fields = copy_fields(types, err);
        if (!fields)
            return HAL_E_NOMEM;
        options.n_types = hal_table_columns(types);
        options.types = fields;
    }
    const hal_file_input input = {.path = in,
                                  .label = c->label,
                                  .from = from,
                                  .table = c->table,
                                  .choice = types ? NULL : "--table N"}; /* said once */
    hal_status st = hal_file_read_with(last, &input, &options, c->watch, err);
    hal_free(fields);
    return st;
}

static hal_status commit(conversion *c, const hal_table *last, hal_err *err)
{
    uint64_t size_bytes = 0;
    hal_status st = c->writer ? HAL_OK : open_writer(c, last, err); /* no rows at all */
    if (!st)
        st = hal_writer_commit(c->writer, &size_bytes, err);
    if (!st)
        hal_writer_warnings(c->writer, c->watch->say, c->watch->ctx);
    return st;
}

static hal_status run(conversion *c, const char *in, hal_format from, hal_err *err)
{
    hal_table *last = NULL, *again = NULL;
    /* What is in a pipe cannot be taken back: look first. */
    c->dry = hal_writer_is_direct(c->out);
    hal_status st = pass(c, in, from, NULL, &last, err);
    if (!st && c->writer && !c->changed)
        c->changed = !same_columns(c->like, last) || said_more(c->like, last);
    if (!st && (c->dry || c->changed)) {
        drop_writer(c);
        c->dry = c->changed = false;
        c->metadata = hal_table_metadata(last);
        st = pass(c, in, from, last, &again, err);
        if (!st && (c->changed || (c->writer && !same_columns(c->like, again))))
            st = hal_err_set(err, HAL_E_INTEGRITY, "%s changed while it was read",
                             c->label ? c->label : in);
    }
    if (!st)
        st = commit(c, again ? again : last, err);
    drop_writer(c);
    hal_nulls_clear(&c->nulls);
    hal_table_unref(last);
    hal_table_unref(again);
    return st;
}

/* --- What can be read once only
 * -------------------------------------------------------------------
 */

static bool is_read_once(const char *in)
{
    struct stat about;
    return hal_file_is_standard(in) ||
           (!stat(in, &about) && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode));
}

/* The bytes of descriptor `from` go to a nameless file, which `path` then names. */
static hal_status copy_input(int from, int *fd, char *path, size_t path_size,
                             const hal_file_watch *watch, hal_err *err)
{
    const char *folder = getenv("TMPDIR");
    char name[4096], what[4096];
    int n_name =
        snprintf(name, sizeof name, "%s/halyard-XXXXXX", folder && *folder ? folder : "/tmp");
    if (n_name < 0 || (size_t)n_name >= sizeof name)
        return hal_err_set(err, HAL_E_IO, "the path in TMPDIR is too long");
    *fd = mkstemp(name);
    if (*fd < 0)
        return hal_err_errno(err, errno, "cannot make a temporary file in %s",
                             folder && *folder ? folder : "/tmp");
    unlink(name);
    snprintf(what, sizeof what, "a temporary file in %s", folder && *folder ? folder : "/tmp");
    char *bytes = hal_malloc_pages(COPY_BYTES);
    hal_status st = bytes ? HAL_OK : hal_err_nomem(err, COPY_BYTES);
    while (!st) {
        ssize_t n = read(from, bytes, COPY_BYTES);
        if (atomic_load(watch->stop))
            st = hal_err_set(err, HAL_E_CANCELLED, "interrupted");
        else if (n < 0 && errno != EINTR)
            st = hal_err_errno(err, errno, "cannot read");
        if (n == 0)
            break;
        if (n > 0 && !st)
            st = hal_write_all(*fd, bytes, (size_t)n, what, err);
    }
    hal_free(bytes);
    snprintf(path, path_size, "/proc/self/fd/%d", *fd);
    return st;
}

hal_status hal_convert(const hal_convert_job *job, const hal_file_watch *watch, hal_err *err)
{
    const char *in = job->in;
    hal_format reads;
    conversion c = {.table = job->table, .out = job->out, .watch = watch};
    hal_status st = hal_file_format_read(&reads, job->from, err);
    if (!st)
        st = hal_file_format(&c.to, job->out, job->to, err);
    if (st)
        return st;
    char path[64];
    int fd = -1;
    if (is_read_once(in)) {
        bool standard = hal_file_is_standard(in);
        c.label = standard ? "standard input" : in;
        int from_fd = standard ? STDIN_FILENO : open(in, O_RDONLY | O_CLOEXEC);
        st = from_fd < 0 ? hal_err_errno(err, errno, "cannot open")
                         : copy_input(from_fd, &fd, path, sizeof path, watch, err);
        if (st)
            hal_err_note(err, st, "%s", c.label);
        if (from_fd > STDIN_FILENO)
            close(from_fd);
        in = path;
    }
    if (!st)
        st = run(&c, in, reads, err);
    if (fd >= 0)
        close(fd);
    return st;
}
