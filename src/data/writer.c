/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/writer.h"

#include "base/alloc.h"
#include "data/format.h"
#include "data/loss.h"
#include "data/names.h"
#include "data/writer_rows.h"

struct hal_writer {
    hal_outfile file;
    bool committed;
    const hal_writer_class *class;
    void *self;
    size_t n_columns;
    char **names;
    hal_names numbers; /* of the names */
    hal_loss *loss;
    bool is_bare;   /* no columns, and a format that has no rows then */
    size_t *places; /* of the columns in the table being written */
};

static hal_slice name_of(const void *list, size_t i)
{
    return hal_slice_of(((const hal_writer *)list)->names[i]);
}

/* Tables are matched to a writer's columns by name: two of one name would be written as one. */
static hal_status add_name(hal_writer *w, const char *name, hal_err *err)
{
    size_t i = w->n_columns;
    w->names[i] = hal_strdup(name);
    if (!w->names[i])
        return hal_err_nomem(err, strlen(name));
    w->n_columns++;
    if (hal_names_find(&w->numbers, name_of, w, hal_slice_of(name)) != SIZE_MAX)
        return hal_err_set(err, HAL_E_USAGE, "two columns are named \"%s\"; rename one of them",
                           name);
    return hal_names_add(&w->numbers, name_of, w, i, err);
}

/* Where a writer writes to. */
typedef struct target {
    const char *path;
    bool named;      /* by a person */
    hal_buf *memory; /* instead of a path */
} target;

static hal_status open_target(hal_outfile *f, const target *to, hal_err *err)
{
    return to->memory  ? hal_outfile_open_memory(f, to->memory, err)
           : to->named ? hal_outfile_open_named(f, to->path, err)
                       : hal_outfile_open(f, to->path, err);
}

static hal_writer *open_writer(const target *to, hal_format format, const hal_field *fields,
                               size_t n_fields, const hal_table *like, hal_err *err)
{
    if (!hal_format_is_written(format)) {
        char writes[200];
        hal_format_list(writes, sizeof writes, true);
        hal_err_set(err, HAL_E_USAGE, "cannot write format \"%s\"; use one of %s",
                    hal_format_name(format), writes);
        return NULL;
    }
    hal_writer *w = hal_calloc(1, sizeof *w);
    if (!w) {
        hal_err_nomem(err, sizeof *w);
        return NULL;
    }
    w->class = hal_format_find(format)->writer;
    w->file.fd = -1;
    w->is_bare = !n_fields && format != HAL_FORMAT_JSONL;
    w->names = hal_calloc(n_fields ? n_fields : 1, sizeof *w->names);
    w->places = hal_calloc(n_fields ? n_fields : 1, sizeof *w->places);
    hal_status st =
        w->names && w->places ? HAL_OK : hal_err_nomem(err, n_fields * sizeof *w->names);
    for (size_t i = 0; i < n_fields && !st; i++)
        st = add_name(w, fields[i].name, err);
    if (!st) {
        const hal_metadata *metadata = like ? hal_table_metadata(like) : NULL;
        w->loss = hal_loss_new(format, fields, n_fields, metadata, err);
        st = w->loss ? open_target(&w->file, to, err) : HAL_E_NOMEM;
    }
    if (!st)
        w->self = w->class->open(&w->file, format, fields, n_fields, like, err);
    if (!w->self) {
        hal_writer_free(w);
        return NULL;
    }
    return w;
}

hal_writer *hal_writer_open(const char *path, hal_format format, const hal_field *fields,
                            size_t n_fields, hal_err *err)
{
    return open_writer(&(target){.path = path}, format, fields, n_fields, NULL, err);
}

static hal_writer *open_like(const target *to, hal_format format, const hal_table *like,
                             hal_err *err)
{
    size_t n = hal_table_columns(like);
    hal_field *fields = hal_calloc(n ? n : 1, sizeof *fields);
    if (!fields) {
        hal_err_nomem(err, n * sizeof *fields);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        fields[i] = *hal_table_field(like, i);
    hal_writer *w = open_writer(to, format, fields, n, like, err);
    hal_free(fields);
    return w;
}

hal_writer *hal_writer_open_like(const char *path, hal_format format, const hal_table *like,
                                 hal_err *err)
{
    return open_like(&(target){.path = path}, format, like, err);
}

hal_writer *hal_writer_open_named(const char *path, hal_format format, const hal_table *like,
                                  hal_err *err)
{
    return open_like(&(target){.path = path, .named = true}, format, like, err);
}

hal_writer *hal_writer_open_memory(hal_buf *to, hal_format format, const hal_table *like,
                                   hal_err *err)
{
    return open_like(&(target){.memory = to}, format, like, err);
}

bool hal_writer_is_direct(const char *path)
{
    return hal_outfile_is_direct(path);
}

void hal_writer_stop_on(hal_writer *w, const _Atomic bool *stop)
{
    w->file.stop = stop;
}

void hal_writer_places(const hal_writer *w, const hal_table *t, size_t *places)
{
    for (size_t i = 0; i < w->n_columns; i++)
        places[i] = SIZE_MAX;
    for (size_t k = hal_table_columns(t); k-- > 0;) { /* the first of a name counts */
        hal_slice name = hal_slice_of(hal_table_field(t, k)->name);
        size_t i = hal_names_find(&w->numbers, name_of, w, name);
        if (i != SIZE_MAX)
            places[i] = k;
    }
}

hal_status hal_writer_rows(hal_writer *w, const hal_table *t, const size_t *places, uint64_t first,
                           uint64_t n, hal_err *err)
{
    hal_loss_rows(w->loss, t, places, first, n);
    return w->is_bare ? HAL_OK : w->class->rows(w->self, t, places, first, n, err);
}

hal_status hal_writer_slice(hal_writer *w, const hal_table *t, uint64_t first, uint64_t n,
                            hal_err *err)
{
    hal_writer_places(w, t, w->places);
    bool same = hal_table_columns(t) == w->n_columns;
    for (size_t i = 0; i < w->n_columns && same; i++)
        same = w->places[i] != SIZE_MAX;
    if (!same)
        return hal_err_set(err, HAL_E_USAGE, "a table with other columns than the output has");
    return hal_writer_rows(w, t, w->places, first, n, err);
}

hal_status hal_writer_table(hal_writer *w, const hal_table *t, hal_err *err)
{
    return hal_writer_slice(w, t, 0, hal_table_rows(t), err);
}

hal_status hal_writer_commit(hal_writer *w, uint64_t *size_bytes, hal_err *err)
{
    hal_status st = w->committed ? hal_err_set(err, HAL_E_USAGE, "the output is already finished")
                                 : w->class->finish(w->self, err);
    if (!st)
        st = hal_outfile_commit(&w->file, err);
    if (st)
        return st;
    w->committed = true;
    if (size_bytes)
        *size_bytes = w->file.size_bytes;
    return HAL_OK;
}

void hal_writer_warnings(const hal_writer *w, hal_writer_say *say, void *ctx)
{
    hal_loss_say(w->loss, w->names, say, ctx);
}

void hal_writer_free(hal_writer *w)
{
    if (!w)
        return;
    if (w->self)
        w->class->free(w->self);
    hal_outfile_close(&w->file);
    for (size_t i = 0; i < w->n_columns; i++)
        hal_free(w->names[i]);
    hal_free(w->names);
    hal_names_clear(&w->numbers);
    hal_free(w->places);
    hal_loss_free(w->loss);
    hal_free(w);
}
