/* SPDX-License-Identifier: BSD-3-Clause */
/* The writer. Rows are collected in blocks of columns. What the layout depends on (the longest
 * text, a value free to mean null, what goes to the heap) is known when all rows are, but seldom
 * changes behind the first block: so full blocks are written as rows at once, behind a header that
 * gets its numbers at the end, and only rows that turn out to need another layout (and all that go
 * to a pipe or have a heap) wait in a temporary file. The output is the same either way. */
#include "data/fits_write.h"

#include "base/alloc.h"
#include "base/read.h"
#include "base/write.h"
#include "data/fits_header.h"
#include "data/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    BLOCK_BYTES = 8 << 20,
    RUN_ROWS = 1024,
    WIDE_TEXT = 255, /* longer texts may go to the heap */
};

static const uint64_t CELL_MAX = UINT32_MAX;

typedef hal_fits_out_column column;
typedef hal_fits_out fits_writer;

static void writer_free(void *self)
{
    fits_writer *w = self;
    hal_fits_free_behind(w->behind);
    hal_fits_free_columns(w->columns, w->n_columns);
    if (w->spill >= 0)
        close(w->spill);
    hal_buf_clear(&w->written_blocks);
    hal_table_unref(w->schema);
    hal_free(w);
}

static void init_column(column *c, const hal_field *f)
{
    c->type = f->type;
    c->width = f->width;
    if (f->type == HAL_TYPE_TIMESTAMP && f->width == 1) {
        c->type = HAL_TYPE_STRING;
        c->is_time = true;
    } else if (f->type == HAL_TYPE_TIMESTAMP) {
        c->type = HAL_TYPE_INT64;
    }
    c->variable = c->type == HAL_TYPE_STRING || c->width == HAL_WIDTH_VARIABLE;
    c->item =
        c->type == HAL_TYPE_STRING || c->type == HAL_TYPE_BOOL ? 1 : hal_type_bits(c->type) / 8;
    hal_fits_init_block(c);
}

static void *writer_open(hal_outfile *file, hal_format format, const hal_field *fields, size_t n,
                         const hal_table *like, hal_err *err)
{
    (void)format;
    if (n > HAL_FITS_COLUMNS_MAX) {
        hal_err_set(err, HAL_E_USAGE,
                    "a FITS table has at most %d columns, this one has %zu; leave some out or use "
                    "another format",
                    HAL_FITS_COLUMNS_MAX, n);
        return NULL;
    }
    fits_writer *w = hal_calloc(1, sizeof *w);
    if (!w) {
        hal_err_nomem(err, sizeof *w);
        return NULL;
    }
    w->file = file;
    w->spill = -1;
    hal_buf_init(&w->written_blocks, SIZE_MAX / 4);
    w->columns = hal_calloc(n ? n : 1, sizeof *w->columns);
    hal_builder *b = w->columns ? hal_builder_new(fields, n, err) : NULL;
    hal_status st = b ? HAL_OK : w->columns ? HAL_E_NOMEM : hal_err_nomem(err, n * sizeof(column));
    if (!st && like)
        st = hal_builder_metadata(b, hal_table_metadata(like), err);
    if (!st)
        w->schema = hal_builder_finish(b, err);
    hal_builder_free(b);
    if (!w->schema) {
        writer_free(w);
        return NULL;
    }
    w->n_columns = n;
    for (size_t i = 0; i < n; i++)
        init_column(&w->columns[i], hal_table_field(w->schema, i));
    return w;
}

static hal_status misfit(const fits_writer *w, size_t i, hal_err *err)
{
    return hal_err_set(err, HAL_E_USAGE, "column %s: a value does not fit the type of the output",
                       hal_table_field(w->schema, i)->name);
}

/* Collecting. */

static hal_status add_counts(column *c, uint64_t n_items, bool null, hal_err *err)
{
    if (n_items > CELL_MAX)
        return hal_err_set(err, HAL_E_BUDGET, "a cell of more than 4 GiB");
    uint32_t count = (uint32_t)n_items;
    if (!null && n_items > c->longest)
        c->longest = n_items;
    c->total += null ? 0 : n_items;
    return hal_buf_append(&c->counts, &count, sizeof count, err);
}

static void note_value(column *c, int64_t v)
{
    uint64_t d;
    switch (c->type) {
    case HAL_TYPE_UINT8:
        c->low[v >> 6] |= UINT64_C(1) << (v & 63);
        return;
    case HAL_TYPE_INT16:
        d = (uint64_t)(v - INT16_MIN);
        break;
    case HAL_TYPE_INT32:
        d = (uint64_t)(v - INT32_MIN);
        break;
    default:
        d = (uint64_t)v - (uint64_t)INT64_MIN;
    }
    if (HAL_UNLIKELY(d < 64))
        c->low[0] |= UINT64_C(1) << d;
}

/* Items [first, first + n) of a column of a table, in the block's type. */
static hal_status add_items(fits_writer *w, size_t i, const hal_column *from, hal_type type,
                            uint64_t first, uint64_t n, hal_err *err)
{
    column *c = &w->columns[i];
    if (n == 0)
        return HAL_OK;
    hal_status st = hal_buf_reserve(&c->items, n * c->item, err);
    if (st)
        return st;
    char *out = c->items.data + c->items.size_bytes;
    bool times = hal_table_field(w->schema, i)->type == HAL_TYPE_TIMESTAMP;
    bool same = times ? type == HAL_TYPE_TIMESTAMP : type == c->type;
    if (times && !same)
        return misfit(w, i, err);
    if (type == HAL_TYPE_BOOL && c->type == HAL_TYPE_BOOL) {
        for (uint64_t k = 0; k < n; k++)
            out[k] = hal_item_bool(from, first + k);
    } else if (same) {
        memcpy(out, (const char *)from->values + first * c->item, (size_t)(n * c->item));
    } else {
        memset(out, 0, (size_t)(n * c->item));
        for (uint64_t k = 0; k < n; k++)
            if (!hal_item_is_null(from, first + k) &&
                !hal_item_convert(out, c->type, k, from->values, type, first + k))
                return misfit(w, i, err);
    }
    c->items.size_bytes += (size_t)(n * c->item);
    if (c->width == 1 && !c->variable)
        return HAL_OK; /* a scalar's items are its rows */
    /* Flags of items exist from the first null one on. */
    bool any = c->item_nulls.size_bytes > 0;
    for (uint64_t k = 0; k < n && from->item_valid && !any; k++)
        any = hal_item_is_null(from, first + k);
    if (!any)
        return HAL_OK;
    size_t n_before = c->items.size_bytes / c->item - (size_t)n;
    st = hal_buf_reserve(&c->item_nulls, n_before + (size_t)n - c->item_nulls.size_bytes, err);
    if (st)
        return st;
    memset(c->item_nulls.data + c->item_nulls.size_bytes, 0, n_before - c->item_nulls.size_bytes);
    for (uint64_t k = 0; k < n; k++) {
        bool null = hal_item_is_null(from, first + k);
        c->item_nulls.data[n_before + k] = null;
        c->any_null = c->any_null || null;
    }
    c->item_nulls.size_bytes = n_before + (size_t)n;
    return HAL_OK;
}

static int64_t stored_integer(const column *c, uint64_t i_item)
{
    const char *p = c->items.data;
    switch (c->type) {
    case HAL_TYPE_UINT8:
        return ((const uint8_t *)p)[i_item];
    case HAL_TYPE_INT16:
        return ((const int16_t *)(const void *)p)[i_item];
    case HAL_TYPE_INT32:
        return ((const int32_t *)(const void *)p)[i_item];
    default:
        return ((const int64_t *)(const void *)p)[i_item];
    }
}

/* Bytes that FITS has no place for within a text. */
static hal_status check_text(const fits_writer *w, size_t i, hal_slice text, hal_err *err)
{
    if (text.size_bytes && memchr(text.data, 0, text.size_bytes))
        return hal_err_set(err, HAL_E_USAGE,
                           "column %s: a text holds a NUL byte, which ends a text in FITS",
                           hal_table_field(w->schema, i)->name);
    return HAL_OK;
}

static hal_status add_text(fits_writer *w, size_t i, const hal_table *t, size_t place, uint64_t row,
                           hal_err *err)
{
    column *c = &w->columns[i];
    char time[HAL_TIMESTAMP_TEXT_MAX];
    hal_slice text = {0};
    hal_buf room; /* of what becomes text */
    hal_buf_init(&room, SIZE_MAX / 4);
    hal_status st = HAL_OK;
    if (c->is_time) {
        if (hal_table_field(t, place)->type != HAL_TYPE_TIMESTAMP)
            return misfit(w, i, err);
        text = (hal_slice){time, hal_timestamp_print(time, hal_table_int64(t, place, row))};
        text.size_bytes -= time[text.size_bytes - 1] == 'Z'; /* FITS has none */
    } else {
        st = hal_cell_promoted_text(&text, t, place, row, &room, err);
    }
    if (!st)
        st = check_text(w, i, text, err);
    c->n_extra += hal_fits_needs_extra(text);
    c->lone_blank = c->lone_blank || hal_slice_equals(text, hal_slice_of(" "));
    /* One byte more keeps blanks at the end: they count before a NUL. */
    if (!st && text.size_bytes && text.data[text.size_bytes - 1] == ' ' &&
        text.size_bytes + 1 > c->longest)
        c->longest = text.size_bytes + 1;
    if (!st)
        st = hal_buf_append(&c->items, text.data, text.size_bytes, err);
    if (!st)
        st = add_counts(c, text.size_bytes, false, err);
    hal_buf_clear(&room);
    return st;
}

/* Null rows of a text column may have bytes in a table from elsewhere, in the block they have not.
 */
static bool nulls_are_empty(const hal_column *from, uint64_t first, uint64_t n, const char *nulls)
{
    bool empty = true;
    for (uint64_t k = 0; k < n; k++)
        empty = empty && (!nulls[k] || from->offsets[first + k] == from->offsets[first + k + 1]);
    return empty;
}

/* Rows of a text column at once: their bytes lie behind each other, as they do in the block. */
static hal_status add_texts(fits_writer *w, size_t i, const hal_column *from, uint64_t first,
                            uint64_t n, const char *nulls, hal_err *err)
{
    column *c = &w->columns[i];
    const int64_t *ends = from->offsets + first + 1;
    hal_slice all = {from->bytes + ends[-1], (size_t)(ends[n - 1] - ends[-1])};
    hal_status st = check_text(w, i, all, err);
    if (!st)
        st = hal_buf_append(&c->items, all.data, all.size_bytes, err);
    if (!st)
        st = hal_buf_reserve(&c->counts, 4 * (size_t)n, err);
    if (st)
        return st;
    char *counts = c->counts.data + c->counts.size_bytes;
    for (uint64_t k = 0; k < n; k++) {
        uint64_t size = (uint64_t)(ends[k] - (&ends[k])[-1]);
        uint32_t count = (uint32_t)size;
        if (size > CELL_MAX)
            return hal_err_set(err, HAL_E_BUDGET, "a cell of more than 4 GiB");
        memcpy(counts + 4 * k, &count, 4);
        bool extra = size == 0 || from->bytes[ends[k] - 1] == ' ';
        c->n_extra += extra && !nulls[k];
        c->lone_blank = c->lone_blank || (extra && size == 1);
        size += extra && size; /* as in add_text */
        c->longest = size > c->longest ? size : c->longest;
    }
    c->total += all.size_bytes;
    c->counts.size_bytes += 4 * (size_t)n;
    return HAL_OK;
}

static hal_status add_run(fits_writer *w, size_t i, const hal_table *t, size_t place,
                          uint64_t first, uint64_t n, hal_err *err)
{
    column *c = &w->columns[i];
    hal_status st = hal_buf_reserve(&c->nulls, n, err);
    if (st)
        return st;
    char *nulls = c->nulls.data + c->nulls.size_bytes;
    hal_column from = place == SIZE_MAX ? (hal_column){0} : hal_table_column(t, place);
    memset(nulls, place == SIZE_MAX, n);
    for (uint64_t k = 0; k < n && from.valid; k++)
        nulls[k] = !hal_bit(from.valid, first + k);
    bool texts = place != SIZE_MAX && hal_table_field(t, place)->type == HAL_TYPE_STRING &&
                 nulls_are_empty(&from, first, n, nulls);
    bool some_null = memchr(nulls, 1, n) != NULL;
    c->any_null = c->any_null || some_null;
    c->nulls.size_bytes += n;
    uint64_t old_items = c->items.size_bytes / c->item;
    if (place == SIZE_MAX) {
        size_t bytes = c->variable ? 0 : (size_t)n * (size_t)c->width * c->item;
        st = hal_buf_reserve(&c->items, bytes, err);
        if (!st && bytes)
            memset(c->items.data + c->items.size_bytes, 0, bytes);
        c->items.size_bytes += st ? 0 : bytes;
        for (uint64_t k = 0; k < n && c->variable && !st; k++)
            st = add_counts(c, 0, true, err);
    } else if (c->type == HAL_TYPE_STRING && !c->is_time && texts) {
        st = add_texts(w, i, &from, first, n, nulls, err);
    } else if (c->type == HAL_TYPE_STRING) {
        for (uint64_t k = 0; k < n && !st; k++)
            st = nulls[k] ? add_counts(c, 0, true, err) : add_text(w, i, t, place, first + k, err);
    } else {
        const hal_field *f = hal_table_field(t, place);
        if (f->width == 1 && !c->variable && c->width == 1) {
            /* A scalar's null is no item null. */
            from.item_valid = from.valid;
            st = add_items(w, i, &from, f->type, first, n, err);
        } else if (c->variable) {
            for (uint64_t k = 0; k < n && !st; k++) {
                hal_items items = hal_table_items(t, place, first + k);
                if (nulls[k])
                    items.n = 0;
                st = add_counts(c, items.n, nulls[k], err);
                if (!st)
                    st = add_items(w, i, &from, f->type, items.first, items.n, err);
            }
        } else if (f->width != c->width) {
            st = misfit(w, i, err);
        } else {
            st = add_items(w, i, &from, f->type, first * (uint64_t)f->width, n * (uint64_t)f->width,
                           err);
        }
    }
    if (st || !hal_type_is_integer(c->type))
        return st;
    uint64_t n_items = c->items.size_bytes / c->item;
    uint64_t per_row = c->variable ? 0 : (uint64_t)c->width;
    if (per_row == 1 && !some_null && c->type == HAL_TYPE_INT64) {
        for (uint64_t k = old_items; k < n_items; k++)
            note_value(c, ((const int64_t *)(const void *)c->items.data)[k]);
        return HAL_OK;
    }
    for (uint64_t k = old_items; k < n_items; k++)
        if (!(per_row && c->nulls.data[k / per_row]) && !hal_fits_flag(&c->item_nulls, k))
            note_value(c, stored_integer(c, k));
    return HAL_OK;
}

/* The temporary file. */

static hal_status open_spill(fits_writer *w, hal_err *err)
{
    const char *folder = w->file->folder ? w->file->folder : getenv("TMPDIR");
    char path[4096];
    if (!folder || !*folder)
        folder = "/tmp";
    int n = snprintf(path, sizeof path, "%s/.halyard-rows-XXXXXX", folder);
    if (n < 0 || (size_t)n >= sizeof path)
        return hal_err_set(err, HAL_E_IO, "the name of folder %s is too long", folder);
    w->spill = mkstemp(path);
    if (w->spill < 0)
        return hal_err_errno(err, errno, "cannot make a temporary file in %s", folder);
    unlink(path);
    return HAL_OK;
}

static hal_status spill_write(fits_writer *w, const void *bytes, size_t n, hal_err *err)
{
    hal_status st = hal_write_all(w->spill, bytes, n, "a temporary file", err);
    if (!st)
        w->spill_size += n;
    return st;
}

static hal_status spill_read(fits_writer *w, void *bytes, size_t n, uint64_t *at, hal_err *err)
{
    ssize_t got = hal_read_at(w->spill, bytes, n, *at);
    if (got < 0)
        return hal_err_errno(err, errno, "cannot read a temporary file");
    if ((size_t)got < n)
        return hal_err_set(err, HAL_E_IO, "a temporary file was cut");
    *at += n;
    return HAL_OK;
}

static hal_status spill_block(fits_writer *w, hal_err *err)
{
    hal_status st = hal_outfile_check(w->file, err);
    if (!st && w->spill < 0)
        st = open_spill(w, err);
    if (!st)
        st = spill_write(w, &w->n_block, sizeof w->n_block, err);
    for (size_t i = 0; i < w->n_columns && !st; i++) {
        hal_buf *parts[] = {&w->columns[i].nulls, &w->columns[i].counts, &w->columns[i].items,
                            &w->columns[i].item_nulls};
        for (size_t k = 0; k < 4 && !st; k++) {
            uint64_t size = parts[k]->size_bytes;
            st = spill_write(w, &size, sizeof size, err);
            if (!st)
                st = spill_write(w, parts[k]->data, parts[k]->size_bytes, err);
        }
    }
    hal_fits_empty_block(w);
    return st;
}

static hal_status load_block(fits_writer *w, uint64_t *at, hal_err *err)
{
    hal_fits_empty_block(w);
    hal_status st = spill_read(w, &w->n_block, sizeof w->n_block, at, err);
    for (size_t i = 0; i < w->n_columns && !st; i++) {
        hal_buf *parts[] = {&w->columns[i].nulls, &w->columns[i].counts, &w->columns[i].items,
                            &w->columns[i].item_nulls};
        for (size_t k = 0; k < 4 && !st; k++) {
            uint64_t size;
            st = spill_read(w, &size, sizeof size, at, err);
            if (!st)
                st = hal_buf_reserve(parts[k], (size_t)size, err);
            if (!st && size)
                st = spill_read(w, parts[k]->data, (size_t)size, at, err);
            if (!st)
                parts[k]->size_bytes = (size_t)size;
        }
    }
    return st;
}

/* The layout. */

static void choose_null(column *c)
{
    int64_t lowest = c->type == HAL_TYPE_INT16   ? INT16_MIN
                     : c->type == HAL_TYPE_INT32 ? INT32_MIN
                                                 : INT64_MIN;
    if (c->type == HAL_TYPE_UINT8) {
        int v = 255; /* the highest: 0 is the last that anyone expects to be null */
        while (v >= 0 && c->low[v >> 6] >> (v & 63) & 1)
            v--;
        c->to.null_value = v;
        if (v < 0 && c->any_null) { /* all are taken: one size larger */
            c->to.code = 'I';
            c->to.out_item = 2;
            c->to.null_value = INT16_MIN;
        }
        return;
    }
    int d = 0;
    while (d < 63 && c->low[0] >> d & 1)
        d++;
    c->to.null_value = lowest + d;
}

static hal_status lay_out(fits_writer *w, hal_err *err)
{
    static const char codes[HAL_TYPES] = {
        [HAL_TYPE_BOOL] = 'L',      [HAL_TYPE_INT64] = 'K',     [HAL_TYPE_FLOAT64] = 'D',
        [HAL_TYPE_STRING] = 'A',    [HAL_TYPE_UINT8] = 'B',     [HAL_TYPE_INT16] = 'I',
        [HAL_TYPE_INT32] = 'J',     [HAL_TYPE_FLOAT32] = 'E',   [HAL_TYPE_TIMESTAMP] = 'K',
        [HAL_TYPE_COMPLEX64] = 'C', [HAL_TYPE_COMPLEX128] = 'M'};
    uint64_t heap = 0;
    for (size_t i = 0; i < w->n_columns; i++) {
        column *c = &w->columns[i];
        c->to = (hal_fits_place){.code = codes[c->type],
                                 .heap = c->width == HAL_WIDTH_VARIABLE,
                                 .any_null = c->any_null};
        c->to.out_item = c->item;
        if (hal_type_is_integer(c->type)) {
            if (c->type != HAL_TYPE_UINT8 && c->low[0] == UINT64_MAX && c->any_null)
                return hal_err_set(err, HAL_E_USAGE,
                                   "column %s: none of the lowest 64 values is free to mean null",
                                   hal_table_field(w->schema, i)->name);
            choose_null(c);
        }
        if (c->type == HAL_TYPE_STRING) {
            c->longest = c->longest ? c->longest : 1;
            /* Few long texts among many short ones. */
            c->to.heap =
                c->longest > WIDE_TEXT && c->longest > 4 * (c->total / (w->n_rows ? w->n_rows : 1));
        }
        if (c->to.heap &&
            __builtin_add_overflow(heap, c->total * c->to.out_item + c->n_extra, &heap))
            return hal_err_set(err, HAL_E_BUDGET, "the variable arrays are too large");
    }
    w->heap_bytes = heap;
    w->wide_pointers = heap > INT32_MAX;
    uint64_t at = 0;
    for (size_t i = 0; i < w->n_columns; i++) {
        column *c = &w->columns[i];
        c->to.at = at;
        c->to.bytes = c->to.heap                   ? (w->wide_pointers ? 16 : 8)
                      : c->type == HAL_TYPE_STRING ? c->longest
                                                   : (uint64_t)c->width * c->to.out_item;
        at += c->to.bytes;
    }
    w->row_bytes = at;
    uint64_t size;
    if (__builtin_mul_overflow(at, w->n_rows, &size) || size >> 60 || at > INT64_C(1) << 40)
        return hal_err_set(err, HAL_E_BUDGET, "the rows are too large for a FITS table");
    return HAL_OK;
}

/* Blocks to the output. */

/* `again`: over those that are there. */
static hal_status put_headers(fits_writer *w, bool again, hal_err *err)
{
    hal_buf cards;
    hal_buf_init(&cards, SIZE_MAX / 4);
    hal_status st = hal_fits_make_headers(w, &cards, err);
    if (!st && again && cards.size_bytes != w->header_bytes)
        st = hal_err_set(err, HAL_E_INTERNAL, "the header of the FITS table changed its size");
    if (!st)
        st = again ? hal_outfile_patch(w->file, cards.data, cards.size_bytes, 0, err)
                   : hal_outfile_write(w->file, cards.data, cards.size_bytes, err);
    if (!again && !w->n_written)
        w->header_bytes = cards.size_bytes;
    hal_buf_clear(&cards);
    return st;
}

/* The next `n` rows that were written at once. */
static hal_status load_rows(fits_writer *w, uint64_t n, uint64_t *at, hal_err *err)
{
    hal_fits_empty_block(w);
    size_t size = (size_t)(RUN_ROWS * w->written_row_bytes);
    unsigned char *run = hal_malloc(size);
    hal_status st = run ? HAL_OK : hal_err_nomem(err, size);
    for (uint64_t part; n && !st; n -= part) {
        part = n < RUN_ROWS ? n : RUN_ROWS;
        st = spill_read(w, run, (size_t)(part * w->written_row_bytes), at, err);
        if (!st)
            st = hal_fits_take_rows(w, run, part, err);
    }
    hal_free(run);
    return st;
}

static hal_status each_block(fits_writer *w, bool rows, hal_err *err)
{
    uint64_t heap = 0, at = w->n_written ? w->header_bytes : 0, n;
    hal_status st = HAL_OK;
    if (w->spill < 0)
        return rows ? hal_fits_put_rows(w, &heap, err) : hal_fits_put_heap(w, err);
    for (size_t k = 0; (k < w->written_blocks.size_bytes || at < w->spill_size) && !st;
         k += sizeof n) {
        if (k < w->written_blocks.size_bytes) {
            memcpy(&n, w->written_blocks.data + k, sizeof n);
            st = load_rows(w, n, &at, err);
        } else {
            st = load_block(w, &at, err);
        }
        if (!st)
            st = rows ? hal_fits_put_rows(w, &heap, err) : hal_fits_put_heap(w, err);
    }
    return st;
}

/* Nothing in it waits for rows to come; a text that may go to the heap does. */
static bool can_write_at_once(const fits_writer *w)
{
    bool can = !w->file->direct && w->row_bytes > 0;
    for (size_t i = 0; i < w->n_columns && can; i++) {
        const column *c = &w->columns[i];
        can = !c->variable ||
              (c->type == HAL_TYPE_STRING && c->longest <= WIDE_TEXT && !c->lone_blank);
    }
    return can;
}

/* Whether the rows in the output are what they would be if they were written now. */
static bool layout_holds(const fits_writer *w)
{
    bool holds = true;
    for (size_t i = 0; i < w->n_columns && holds; i++) {
        const hal_fits_place *now = &w->columns[i].to, *then = &w->columns[i].written;
        holds = now->code == then->code && now->bytes == then->bytes &&
                (!then->any_null || now->null_value == then->null_value);
    }
    return holds;
}

/* `n` more rows were written as the layout says now. */
static hal_status note_written(fits_writer *w, uint64_t n, hal_err *err)
{
    for (size_t i = 0; i < w->n_columns; i++)
        w->columns[i].written = w->columns[i].to;
    w->written_row_bytes = w->row_bytes;
    w->n_written += n;
    return hal_buf_append(&w->written_blocks, &n, sizeof n, err);
}

/* Everything from the temporary file to the output, which is empty. */
static hal_status move_rows(fits_writer *w, uint64_t n_last, hal_err *err)
{
    w->n_moved += w->n_written;
    hal_status st = put_headers(w, false, err);
    if (!st)
        st = each_block(w, true, err);
    if (st)
        return st;
    close(w->spill);
    w->spill = -1;
    w->spill_size = 0;
    hal_fits_empty_block(w);
    return note_written(w, n_last, err);
}

/* A full block: to the output where it fits the rows there. Else these rows, being too narrow or
 * using a null value that now is a number, become the beginning of the temporary file; they are
 * written again now if that has cost little so far (rows written twice are fewer than rows), else
 * at the end with all that comes. */
static hal_status store_block(fits_writer *w, hal_err *err)
{
    if (w->spill >= 0)
        return spill_block(w, err);
    uint64_t n = w->n_block;
    hal_status st = lay_out(w, err);
    if (st)
        return st;
    bool at_once = can_write_at_once(w);
    if (at_once && (w->n_written == 0 || layout_holds(w))) {
        st = w->n_written == 0 ? put_headers(w, false, err) : HAL_OK;
        if (!st)
            st = hal_fits_put_rows_behind(w, err);
        return st ? st : note_written(w, n, err);
    }
    st = hal_fits_settle(w, err);
    if (!st && w->n_written) {
        w->spill_size = w->header_bytes + w->n_written * w->written_row_bytes;
        st = hal_outfile_restart(w->file, &w->spill, err);
    }
    if (!st)
        st = spill_block(w, err);
    if (!st && at_once && w->n_moved + w->n_written <= w->n_rows)
        st = move_rows(w, n, err);
    return st;
}

static hal_status writer_rows(void *self, const hal_table *t, const size_t *places, uint64_t first,
                              uint64_t n, hal_err *err)
{
    fits_writer *w = self;
    hal_status st = HAL_OK;
    while (n && !st) {
        /* A block ends where these runs do, however the rows are handed in. */
        uint64_t run = RUN_ROWS - w->n_block % RUN_ROWS, size = 0;
        run = run < n ? run : n;
        for (size_t i = 0; i < w->n_columns && !st; i++) {
            st = add_run(w, i, t, places[i], first, run, err);
            size += w->columns[i].items.size_bytes;
        }
        if (st)
            return st;
        w->n_block += run;
        w->n_rows += run;
        first += run;
        n -= run;
        if (w->n_block % RUN_ROWS == 0 &&
            (w->n_block == HAL_FITS_BLOCK_ROWS || size >= BLOCK_BYTES))
            st = store_block(w, err);
    }
    return st;
}

static hal_status writer_finish(void *self, hal_err *err)
{
    static const char zeros[HAL_FITS_BLOCK];
    fits_writer *w = self;
    hal_status st = w->n_block && (w->n_written || w->spill >= 0) ? store_block(w, err) : HAL_OK;
    if (!st)
        st = hal_fits_settle(w, err);
    if (!st)
        st = lay_out(w, err);
    bool is_written = w->n_written && w->spill < 0;
    if (!st)
        st = put_headers(w, is_written, err);
    if (!st && !is_written)
        st = each_block(w, true, err);
    if (!st && w->heap_bytes)
        st = each_block(w, false, err);
    uint64_t size = w->row_bytes * w->n_rows + w->heap_bytes;
    if (!st)
        st = hal_outfile_write(w->file, zeros,
                               (HAL_FITS_BLOCK - size % HAL_FITS_BLOCK) % HAL_FITS_BLOCK, err);
    return st;
}

const hal_writer_class hal_fits_writer = {writer_open, writer_rows, writer_finish, writer_free};
