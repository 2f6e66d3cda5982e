/* SPDX-License-Identifier: BSD-3-Clause */
/* Writing a table as a spool, and merging spools. */
#include "data/spool.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "data/spool_file.h"
#include "data/votable_null.h"
#include "data/writer_rows.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FAN_IN = 64,
    BLOCK_BYTES = 512 << 10, /* a block is closed when it has so many */
    RUN_ROWS = 1024,         /* rows taken between two looks at `cancel` */
};

static uint64_t row_bytes(const hal_table *t, uint64_t row)
{
    size_t n_columns = hal_table_columns(t);
    uint64_t n = 8 * (n_columns + 1);
    for (size_t i = 0; i < n_columns; i++) {
        const hal_field *f = hal_table_field(t, i);
        if (f->type == HAL_TYPE_STRING)
            n += hal_table_string(t, i, row).size_bytes;
        else if (f->width != 1)
            n += hal_items_bytes(f->type, hal_table_items(t, i, row).n);
    }
    return n;
}

/* Columns by name, so that the order of rows does not depend on the order of columns. */
static void sort_by_name(const hal_schema *s, size_t *order)
{
    for (size_t i = 0; i < s->n; i++) {
        size_t k = i;
        for (; k > 0 && strcmp(s->columns[order[k - 1]].field.name, s->columns[i].field.name) > 0;
             k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
}

hal_status hal_spool_write(const char *path, const hal_table *t, const uint64_t *key, int i_id,
                           uint64_t *size_bytes, hal_err *err)
{
    hal_schema schema = {0};
    hal_spool_output o = {.file.fd = -1};
    uint64_t *index = NULL, *keys = NULL, n_rows = hal_table_rows(t);
    hal_spool_rows r = {t, key, i_id < 0 ? SIZE_MAX : (size_t)i_id, NULL, hal_table_columns(t)};
    hal_status st = hal_schema_add_table(&schema, t, err);
    if (st)
        goto out;
    if (schema.n != r.n_order) {
        st = hal_err_set(err, HAL_E_USAGE, "a table with two columns of one name");
        goto out;
    }
    if (r.id != SIZE_MAX && hal_table_field(t, r.id)->width != 1) {
        st = hal_err_set(err, HAL_E_USAGE, "column %s holds arrays: it cannot be the identifier",
                         hal_table_field(t, r.id)->name);
        goto out;
    }
    r.order = hal_calloc(schema.n ? schema.n : 1, sizeof *r.order);
    keys = hal_malloc(HAL_SPOOL_BLOCK_ROWS * sizeof *keys);
    if (!r.order || !keys) {
        st = hal_err_nomem(err, HAL_SPOOL_BLOCK_ROWS * sizeof *keys);
        goto out;
    }
    sort_by_name(&schema, r.order);
    index = hal_spool_sorted_rows(&r, err);
    if (!index) {
        st = HAL_E_NOMEM;
        goto out;
    }
    st = hal_spool_output_open(&o, path, &schema, hal_table_metadata(t), i_id, err);
    for (uint64_t i = 0; i < n_rows && !st;) {
        uint64_t n = 0, bytes = 0;
        for (; i + n < n_rows && n < HAL_SPOOL_BLOCK_ROWS && bytes < BLOCK_BYTES; n++) {
            keys[n] = key[index[i + n]];
            bytes += row_bytes(t, index[i + n]);
        }
        hal_table *block = hal_table_take(t, index + i, n, err);
        st = block ? hal_spool_output_block(&o, block, keys, err) : HAL_E_NOMEM;
        hal_table_unref(block);
        i += n;
    }
    if (!st)
        st = hal_spool_output_finish(&o, size_bytes, err);
    hal_outfile_close(&o.file);
out:
    hal_schema_clear(&schema);
    hal_free(r.order);
    hal_free(index);
    hal_free(keys);
    return st;
}

hal_status hal_spool_read(const char *path, hal_spool_take *take, void *ctx, hal_err *err)
{
    hal_spool_source s = {.fd = -1};
    hal_status st = hal_spool_source_open(&s, path, err);
    if (!st)
        st = hal_spool_source_next(&s, err);
    while (!st && s.block) {
        st = take(ctx, s.block, err);
        if (!st)
            st = hal_spool_source_next(&s, err);
    }
    hal_spool_source_close(&s);
    return st;
}

hal_status hal_spool_thin(const char *path, const char *to, const uint64_t *dropped,
                          size_t n_dropped, hal_err *err)
{
    hal_spool_source s = {.fd = -1};
    hal_spool_output o = {.file.fd = -1};
    uint64_t *index = hal_malloc(HAL_SPOOL_BLOCK_ROWS * sizeof *index), before = 0, size_bytes;
    uint64_t *keys = hal_malloc(HAL_SPOOL_BLOCK_ROWS * sizeof *keys);
    size_t at = 0;
    hal_status st =
        index && keys ? HAL_OK : hal_err_nomem(err, HAL_SPOOL_BLOCK_ROWS * sizeof *keys);
    if (!st)
        st = hal_spool_source_open(&s, path, err);
    if (!st)
        st = hal_spool_output_open(&o, to, &s.schema, &s.metadata, s.id, err);
    if (!st)
        st = hal_spool_source_next(&s, err);
    while (!st && s.block) {
        uint64_t n = 0, n_rows = hal_table_rows(s.block);
        for (uint64_t i = 0; i < n_rows; i++) {
            if (at < n_dropped && dropped[at] == before + i) {
                at++;
                continue;
            }
            index[n] = i;
            keys[n++] = s.rows.key[i];
        }
        before += n_rows;
        hal_table *left = n ? hal_table_take(s.block, index, n, err) : NULL;
        if (n)
            st = left ? hal_spool_output_block(&o, left, keys, err) : HAL_E_NOMEM;
        hal_table_unref(left);
        if (!st)
            st = hal_spool_source_next(&s, err);
    }
    if (!st && at < n_dropped)
        st = hal_err_set(err, HAL_E_INTEGRITY, "%s has no row %" PRIu64, path, dropped[at]);
    if (!st)
        st = hal_spool_output_finish(&o, &size_bytes, err);
    hal_outfile_close(&o.file);
    hal_spool_source_close(&s);
    hal_free(index);
    hal_free(keys);
    return st;
}

/* Where merged rows go: to a writer, to a table in memory, or to a spool of a later pass. */
typedef struct sink {
    const hal_schema *schema;
    hal_field *fields;
    hal_writer *writer;
    hal_vec *vecs;
    hal_spool_output *spool;
    uint64_t *keys;
    uint64_t n_rows, n_bytes; /* in vecs */
} sink;

static hal_table *sink_table(sink *k, hal_err *err)
{
    hal_table *t = hal_table_from_vecs(k->fields, k->vecs, k->schema->n, k->n_rows, err);
    k->n_rows = k->n_bytes = 0;
    return t;
}

static hal_status sink_flush(sink *k, hal_err *err)
{
    if (!k->n_rows)
        return HAL_OK;
    hal_table *t = sink_table(k, err);
    hal_status st = t ? hal_spool_output_block(k->spool, t, k->keys, err) : HAL_E_NOMEM;
    hal_table_unref(t);
    return st;
}

static hal_status sink_rows(sink *k, const hal_spool_source *s, uint64_t first, uint64_t n,
                            hal_err *err)
{
    if (k->writer)
        return hal_writer_rows(k->writer, s->block, s->places, first, n, err);
    hal_status st = HAL_OK;
    for (size_t i = 0; i < k->schema->n && !st; i++) {
        hal_vec *v = &k->vecs[i];
        if (!v->typed)
            st = hal_vec_set_shape(v, k->fields[i].type, k->fields[i].width, err);
        if (st)
            break;
        size_t place = s->places[i];
        bool some = place != SIZE_MAX && s->schema.columns[place].any;
        st = some ? hal_vec_add_rows(v, s->block, place, first, n, err)
                  : hal_vec_pad(v, v->n_rows + n, err);
    }
    if (st)
        return st;
    if (k->spool)
        for (uint64_t i = 0; i < n; i++) {
            k->keys[k->n_rows + i] = s->rows.key[first + i];
            k->n_bytes += row_bytes(s->block, first + i);
        }
    k->n_rows += n;
    return k->spool && (k->n_bytes >= BLOCK_BYTES || k->n_rows + RUN_ROWS > HAL_SPOOL_BLOCK_ROWS)
               ? sink_flush(k, err)
               : HAL_OK;
}

/* One merge of at most FAN_IN spools. */
typedef struct merge {
    hal_spool_source sources[FAN_IN];
    size_t n_open;
    size_t heap[FAN_IN], n_heap; /* sources with rows left; the smallest row first */
    hal_schema schema;
    hal_metadata metadata; /* of the first spool that has any */
    const char *const *paths;
    const char *id_name;
    const _Atomic bool *cancel;
    _Atomic uint64_t *progress;
    uint64_t n_rows, n_duplicates;
    bool any_row;
    uint64_t last_key;
    hal_buf last_id;
    bool last_id_null;
} merge;

static bool before(const merge *m, size_t a, size_t b)
{
    const hal_spool_source *x = &m->sources[a], *y = &m->sources[b];
    int order = hal_spool_compare_rows(&x->rows, x->row, &y->rows, y->row);
    return order ? order < 0 : a < b;
}

static void heap_down(merge *m, size_t i)
{
    for (size_t child; (child = 2 * i + 1) < m->n_heap; i = child) {
        if (child + 1 < m->n_heap && before(m, m->heap[child + 1], m->heap[child]))
            child++;
        if (!before(m, m->heap[child], m->heap[i]))
            return;
        size_t swap = m->heap[i];
        m->heap[i] = m->heap[child];
        m->heap[child] = swap;
    }
}

static const char *id_of(const hal_spool_source *s)
{
    return s->id < 0 ? NULL : s->schema.columns[s->id].field.name;
}

static bool says_something(const hal_metadata *m)
{
    return m->n_items || (m->name && *m->name) || (m->description && *m->description);
}

/* Opens the spools, unites their schemas and finds everyone's columns. */
static hal_status merge_open(merge *m, const char *const *paths, size_t n, hal_err *err)
{
    hal_status st = HAL_OK;
    for (size_t i = 0; i < n && !st; i++) {
        hal_spool_source *s = &m->sources[i];
        m->n_open = i + 1;
        st = hal_spool_source_open(s, paths[i], err);
        for (size_t c = 0; c < s->schema.n && !st; c++) {
            const struct hal_schema_column *column = &s->schema.columns[c];
            st = hal_schema_add(&m->schema, &column->field, column->any, column->wide, err);
        }
        if (!st && !says_something(&m->metadata)) {
            hal_metadata_clear(&m->metadata);
            m->metadata = s->metadata;
            s->metadata = (hal_metadata){0};
        }
        if (st)
            break;
        const char *first = id_of(&m->sources[0]), *id = id_of(s);
        if (!first != !id || (id && strcmp(first, id) != 0))
            st = hal_err_set(err, HAL_E_USAGE, "spools %s and %s are sorted by different columns",
                             paths[0], paths[i]);
    }
    size_t n_columns = m->schema.n;
    size_t *by_name = hal_calloc(n_columns ? n_columns : 1, sizeof *by_name);
    if (!by_name)
        return st ? st : hal_err_nomem(err, n_columns * sizeof *by_name);
    sort_by_name(&m->schema, by_name);
    for (size_t i = 0; i < n && !st; i++) {
        hal_spool_source *s = &m->sources[i];
        s->places = hal_calloc(n_columns ? n_columns : 1, sizeof *s->places);
        s->rows.order = hal_calloc(n_columns ? n_columns : 1, sizeof *s->rows.order);
        if (!s->places || !s->rows.order) {
            st = hal_err_nomem(err, n_columns * sizeof *s->places);
            break;
        }
        s->rows.n_order = n_columns;
        s->rows.id = s->id < 0 ? SIZE_MAX : (size_t)s->id;
        for (size_t c = 0; c < n_columns; c++) {
            int at = hal_schema_find(&s->schema, m->schema.columns[c].field.name);
            s->places[c] = at < 0 ? SIZE_MAX : (size_t)at;
        }
        for (size_t c = 0; c < n_columns; c++)
            s->rows.order[c] = s->places[by_name[c]];
        st = hal_spool_source_next(s, err);
        if (!st && s->block)
            m->heap[m->n_heap++] = i;
    }
    hal_free(by_name);
    if (!st)
        for (size_t i = m->n_heap; i-- > 0;)
            heap_down(m, i);
    return st;
}

static void merge_close(merge *m)
{
    for (size_t i = 0; i < m->n_open; i++)
        hal_spool_source_close(&m->sources[i]);
    hal_schema_clear(&m->schema);
    hal_metadata_clear(&m->metadata);
    hal_buf_clear(&m->last_id);
}

/* Rows that repeat the (key, id) of the row before them. */
static hal_status count_duplicates(merge *m, const hal_spool_source *s, size_t id, uint64_t n,
                                   hal_err *err)
{
    const hal_spool_rows *r = &s->rows;
    char room[HAL_CELL_TEXT_MAX];
    if (m->any_row && r->key[s->row] == m->last_key && !m->last_id_null &&
        !hal_table_is_null(s->block, id, s->row))
        m->n_duplicates +=
            hal_slice_equals(hal_buf_slice(&m->last_id), hal_cell_text(s->block, id, s->row, room));
    for (uint64_t i = s->row + 1; i < s->row + n; i++)
        if (r->key[i] == r->key[i - 1] && !hal_table_is_null(s->block, id, i) &&
            !hal_table_is_null(s->block, id, i - 1)) {
            char other[HAL_CELL_TEXT_MAX];
            m->n_duplicates += hal_slice_equals(hal_cell_text(s->block, id, i - 1, other),
                                                hal_cell_text(s->block, id, i, room));
        }
    uint64_t last = s->row + n - 1;
    m->any_row = true;
    m->last_key = r->key[last];
    m->last_id_null = hal_table_is_null(s->block, id, last);
    m->last_id.size_bytes = 0;
    if (m->last_id_null)
        return HAL_OK;
    hal_slice text = hal_cell_text(s->block, id, last, room);
    return hal_buf_append(&m->last_id, text.data, text.size_bytes, err);
}

static hal_status merge_run(merge *m, sink *k, hal_err *err)
{
    int duplicate_id = m->id_name ? hal_schema_find(&m->schema, m->id_name) : -1;
    hal_status st = HAL_OK;
    while (m->n_heap && !st) {
        if (m->cancel && atomic_load_explicit(m->cancel, memory_order_relaxed))
            return hal_err_set(err, HAL_E_CANCELLED, "cancelled while merging");
        hal_spool_source *s = &m->sources[m->heap[0]];
        /* All rows before the smallest of the others go in one run. */
        const hal_spool_source *next = NULL;
        for (size_t i = 1; i <= 2 && i < m->n_heap; i++)
            if (!next || before(m, m->heap[i], (size_t)(next - m->sources)))
                next = &m->sources[m->heap[i]];
        uint64_t n = 1, most = hal_table_rows(s->block) - s->row;
        most = most < RUN_ROWS ? most : RUN_ROWS;
        while (n < most &&
               (!next || hal_spool_compare_rows(&s->rows, s->row + n, &next->rows, next->row) < 0))
            n++;
        size_t id = duplicate_id < 0 ? SIZE_MAX : s->places[duplicate_id];
        if (id != SIZE_MAX)
            st = count_duplicates(m, s, id, n, err);
        if (!st)
            st = sink_rows(k, s, s->row, n, err);
        if (st)
            return st;
        m->n_rows += n;
        if (m->progress)
            atomic_store_explicit(m->progress, m->n_rows, memory_order_relaxed);
        s->row += n;
        if (s->row == hal_table_rows(s->block)) {
            st = hal_spool_source_next(s, err);
            if (!st && !s->block)
                m->heap[0] = m->heap[--m->n_heap];
        }
        if (!st)
            heap_down(m, 0);
    }
    return st;
}

typedef struct target {
    const char *path; /* of a file or, with `spool`, of a spool */
    hal_format format;
    bool spool;
    hal_table **table;
    const uint64_t *n_expected; /* NULL: whatever comes */
} target;

static hal_status check_rows(const merge *m, const target *to, hal_err *err)
{
    if (!to->n_expected)
        return HAL_OK;
    if (m->n_rows != *to->n_expected)
        return hal_err_set(err, HAL_E_INTEGRITY,
                           "%" PRIu64 " rows were kept but %" PRIu64 " came out of the merge",
                           *to->n_expected, m->n_rows);
    if (m->n_duplicates)
        return hal_err_set(err, HAL_E_INTEGRITY,
                           "%" PRIu64 " rows repeat the %s of another at one place: the archive's "
                           "table changed during the run; run it again",
                           m->n_duplicates, m->id_name);
    return HAL_OK;
}

/* What a VOTable declares for null: every row is read for it, where a column needs one. */
static hal_status look_for_nulls(const merge *m, hal_nulls *nulls, hal_err *err)
{
    hal_status st = HAL_OK;
    for (size_t i = 0; i < m->n_open && !st && hal_nulls_needed(nulls); i++) {
        hal_spool_source s = {0};
        st = hal_spool_source_open(&s, m->paths[i], err);
        if (!st)
            st = hal_spool_source_next(&s, err);
        while (!st && s.block) {
            hal_nulls_look(nulls, s.block, m->sources[i].places, 0, hal_table_rows(s.block));
            st = hal_spool_source_next(&s, err);
        }
        hal_spool_source_close(&s);
    }
    hal_nulls_choose(nulls);
    return st;
}

static void keep_warning(void *ctx, const char *text)
{
    char *lines = ctx;
    size_t used = strlen(lines);
    snprintf(lines + used, HAL_WRITER_WARNINGS_MAX - used, "%s\n", text);
}

static hal_status merge_to(merge *m, const target *to, hal_merge_report *report, hal_err *err)
{
    size_t n = m->schema.n;
    hal_spool_output spool = {.file.fd = -1};
    hal_table *table = NULL;
    hal_nulls nulls = {0};
    sink k = {.schema = &m->schema};
    k.fields = hal_calloc(n ? n : 1, sizeof *k.fields);
    k.vecs = hal_calloc(n ? n : 1, sizeof *k.vecs);
    k.keys = hal_malloc(HAL_SPOOL_BLOCK_ROWS * sizeof *k.keys);
    hal_status st = HAL_OK;
    if (!k.fields || !k.vecs || !k.keys)
        st = hal_err_nomem(err, HAL_SPOOL_BLOCK_ROWS * sizeof *k.keys);
    for (size_t i = 0; i < n && !st; i++)
        k.fields[i] = m->schema.columns[i].field;
    if (!st && to->spool) {
        const char *id = m->n_open ? id_of(&m->sources[0]) : NULL;
        st = hal_spool_output_open(&spool, to->path, &m->schema, &m->metadata,
                                   id ? hal_schema_find(&m->schema, id) : -1, err);
        k.spool = &spool;
    } else if (!st && !to->table) {
        st = hal_nulls_init(&nulls, to->format, k.fields, n, err);
        if (!st)
            st = look_for_nulls(m, &nulls, err);
        hal_nulls_declare(&nulls, k.fields);
        hal_builder *b = st ? NULL : hal_builder_new(k.fields, n, err);
        st = b ? hal_builder_metadata(b, &m->metadata, err) : err->status;
        hal_table *like = st ? NULL : hal_builder_finish(b, err);
        k.writer = like ? hal_writer_open_like(to->path, to->format, like, err) : NULL;
        if (k.writer)
            hal_writer_stop_on(k.writer, m->cancel);
        st = k.writer ? HAL_OK : err->status;
        hal_table_unref(like);
        hal_builder_free(b);
    }
    if (!st)
        st = merge_run(m, &k, err);
    if (!st)
        st = check_rows(m, to, err);
    uint64_t size_bytes = 0;
    if (!st && to->spool) {
        st = sink_flush(&k, err);
        if (!st)
            st = hal_spool_output_finish(&spool, &size_bytes, err);
    } else if (!st && to->table) {
        hal_table *plain = sink_table(&k, err);
        table = plain ? hal_table_with(plain, NULL, &m->metadata, err) : NULL;
        hal_table_unref(plain);
        st = table ? HAL_OK : HAL_E_NOMEM;
        size_bytes = table ? hal_table_size_bytes(table) : 0;
    } else if (!st) {
        st = hal_writer_commit(k.writer, &size_bytes, err);
    }
    if (!st) {
        *report = (hal_merge_report){m->n_rows, m->n_duplicates, size_bytes, ""};
        if (k.writer)
            hal_writer_warnings(k.writer, keep_warning, report->warnings);
        if (table)
            *to->table = table;
    }
    hal_outfile_close(&spool.file);
    hal_writer_free(k.writer);
    hal_nulls_clear(&nulls);
    for (size_t i = 0; i < n && k.vecs; i++)
        hal_vec_clear(&k.vecs[i]);
    hal_free(k.vecs);
    hal_free(k.fields);
    hal_free(k.keys);
    return st;
}

static hal_status merge_once(const char *const *paths, size_t n, const char *id_name,
                             const target *to, const _Atomic bool *cancel,
                             _Atomic uint64_t *progress, hal_merge_report *report, hal_err *err)
{
    hal_err local = HAL_ERR_INIT;
    err = err ? err : &local; /* a writer that does not open says why there only */
    merge *m = hal_calloc(1, sizeof *m);
    if (!m)
        return hal_err_nomem(err, sizeof *m);
    m->paths = paths;
    m->id_name = id_name;
    m->cancel = cancel;
    m->progress = progress;
    hal_buf_init(&m->last_id, SIZE_MAX / 4);
    hal_status st = merge_open(m, paths, n, err);
    if (!st)
        st = merge_to(m, to, report, err);
    merge_close(m);
    hal_free(m);
    return st;
}

hal_status hal_spool_merge(const char *const *spools, size_t n_spools, const char *id_name,
                           const uint64_t *n_expected, const char *path, hal_format format,
                           hal_table **table, const _Atomic bool *cancel,
                           _Atomic uint64_t *progress, hal_merge_report *report, hal_err *err)
{
    target last = {path, format, false, table, n_expected};
    if (n_spools <= FAN_IN)
        return merge_once(spools, n_spools, id_name, &last, cancel, progress, report, err);
    /* More than can be read at once: groups of them become larger spools first. */
    size_t n_groups = (n_spools + FAN_IN - 1) / FAN_IN, n_made = 0;
    char **made = hal_calloc(n_groups, sizeof *made);
    if (!made)
        return hal_err_nomem(err, n_groups * sizeof *made);
    hal_status st = HAL_OK;
    for (size_t g = 0; g < n_groups && !st; g++) {
        const char *const *group = spools + g * FAN_IN;
        size_t n = n_spools - g * FAN_IN < FAN_IN ? n_spools - g * FAN_IN : FAN_IN;
        size_t size = strlen(group[0]) + 32;
        made[g] = hal_malloc(size);
        if (!made[g]) {
            st = hal_err_nomem(err, size);
            break;
        }
        snprintf(made[g], size, "%s.%zu", group[0], g);
        hal_merge_report ignored;
        st = merge_once(group, n, NULL, &(target){made[g], format, true, NULL, NULL}, cancel, NULL,
                        &ignored, err);
        n_made += !st;
    }
    if (!st)
        st = hal_spool_merge((const char *const *)made, n_groups, id_name, n_expected, path, format,
                             table, cancel, progress, report, err);
    for (size_t g = 0; g < n_groups; g++) {
        if (g < n_made)
            unlink(made[g]);
        hal_free(made[g]);
    }
    hal_free(made);
    return st;
}
