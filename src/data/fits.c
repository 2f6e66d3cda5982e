/* SPDX-License-Identifier: BSD-3-Clause */
/* The reader. A row is touched once: whole rows are turned into columns straight from the bytes
 * fed, only a row that is cut by the chunking is put together first. */
#include "data/fits.h"

#include "base/alloc.h"
#include "data/contents.h"
#include "data/fits_cell.h"
#include "data/types.h"
#include "data/vec.h"

#include <stdio.h>

typedef enum stage { IN_HEADER, IN_SKIP, IN_ROWS, IN_GAP, IN_HEAP, IN_PADDING, PAST_END } stage;

enum {
    RUN_BYTES = 128 << 10, /* rows turned at a time: they stay in the cache for every column */
    RUN_ROWS = 4096,
};

typedef struct fits_reader {
    hal_reader_setup setup;
    hal_contents contents;
    bool chosen; /* the table that is read has been found */
    stage stage;
    uint64_t offset; /* of the next byte in the file */
    uint64_t left;   /* bytes of this stage; of IN_ROWS and IN_HEAP too */
    char block[HAL_FITS_BLOCK];
    size_t n_block;
    hal_fits_header next;   /* the one that is read, until it is of the chosen table */
    hal_fits_header header; /* of the chosen table */
    unsigned n_hdus;
    hal_fits_sum data_sum; /* of the data of the HDU that is read, if its header has sums */
    size_t n_columns, n_variable;
    hal_fits_cell *cells;
    hal_field *fields;
    hal_vec *vecs;
    hal_metadata metadata;
    char (*shapes)[64];
    char **names; /* of columns that had to be renamed; else NULL */
    uint64_t n_rows_read, n_in_batch;
    hal_buf row;       /* a row that is cut by the chunking */
    hal_buf *pointers; /* of variable columns: count and offset, 16 bytes a row */
    hal_buf heap;
    hal_buf items, item_valid; /* of one array */
    uint8_t valid[RUN_ROWS / 8];
} fits_reader;

hal_match hal_fits_recognise(hal_slice head)
{
    static const char mark[] = "SIMPLE  =";
    size_t n = sizeof mark - 1;
    if (memcmp(head.data, mark, head.size_bytes < n ? head.size_bytes : n) != 0)
        return HAL_MATCH_NO;
    return head.size_bytes < n ? HAL_MATCH_MORE : HAL_MATCH_YES;
}

static void forget_table(fits_reader *r)
{
    for (size_t i = 0; i < r->n_columns; i++) {
        if (r->vecs)
            hal_vec_clear(&r->vecs[i]);
        if (r->pointers)
            hal_buf_clear(&r->pointers[i]);
        if (r->names)
            hal_free(r->names[i]);
    }
    hal_free(r->cells);
    hal_free(r->fields);
    hal_free(r->vecs);
    hal_free(r->pointers);
    hal_free(r->shapes);
    hal_free(r->names);
}

static void fits_free(void *self)
{
    fits_reader *r = self;
    forget_table(r);
    hal_fits_header_clear(&r->next);
    hal_fits_header_clear(&r->header);
    hal_buf_clear(&r->items);
    hal_buf_clear(&r->item_valid);
    hal_metadata_clear(&r->metadata);
    hal_buf_clear(&r->row);
    hal_buf_clear(&r->heap);
    hal_contents_clear(&r->contents);
    hal_free(r);
}

static void *fits_open(const hal_reader_setup *setup, hal_err *err)
{
    fits_reader *r = hal_calloc(1, sizeof *r);
    if (!r) {
        hal_err_nomem(err, sizeof *r);
        return NULL;
    }
    r->setup = *setup;
    r->setup.asked.table = NULL;
    r->offset = setup->offset;
    if (hal_contents_init(&r->contents, setup->asked.table, err)) {
        fits_free(r);
        return NULL;
    }
    hal_fits_header_init(&r->next, r->offset, true);
    return r;
}

/* "(2,3)" as "2x3"; nothing for one dimension. */
static void shape_of_dim(char out[64], const char *dim)
{
    size_t n = strlen(dim), k = 0;
    if (n >= 64 || *dim != '(' || !memchr(dim, ',', n))
        return;
    for (const char *p = dim + 1; *p && *p != ')'; p++)
        if ((*p >= '0' && *p <= '9') || *p == ',')
            out[k++] = *p == ',' ? 'x' : *p;
    out[k] = '\0';
}

static hal_status note_card(fits_reader *r, const hal_fits_card *card, hal_err *err)
{
    char name[HAL_FITS_CARD + 1] = {0};
    memcpy(name, card->key.data, card->key.size_bytes);
    hal_slice texts[2] = {card->value, card->comment};
    char *copies[2] = {0};
    for (int i = 0; i < 2; i++)
        copies[i] = hal_strndup(texts[i].data ? texts[i].data : "", texts[i].size_bytes);
    const hal_meta item = {
        .kind = HAL_META_KEY, .name = name, .value = copies[0], .text = copies[1]};
    hal_status st = copies[0] && copies[1] ? hal_metadata_add(&r->metadata, &item, err)
                                           : hal_err_nomem(err, card->value.size_bytes);
    hal_free(copies[0]);
    hal_free(copies[1]);
    return st;
}

static hal_status note_cards(fits_reader *r, hal_err *err)
{
    hal_buf room, notes;
    hal_buf_init(&room, (size_t)HAL_FITS_CARDS_MAX * HAL_FITS_CARD);
    hal_buf_init(&notes, (size_t)HAL_FITS_CARDS_MAX * HAL_FITS_CARD);
    hal_fits_card card;
    hal_status st = hal_metadata_set(&r->metadata.name, r->header.name, err);
    for (size_t at = 0; !st && hal_fits_header_next(&r->header, &at, &room, &notes, &card);)
        if (card.key.size_bytes && (card.kind != HAL_FITS_NONE || card.value.size_bytes) &&
            !hal_fits_card_is_layout(card.key))
            st = note_card(r, &card, err);
    hal_buf_clear(&room);
    hal_buf_clear(&notes);
    return st;
}

static hal_status init_column(fits_reader *r, size_t i, uint64_t *at, hal_err *err)
{
    hal_fits_cell *c = &r->cells[i];
    hal_status st = hal_fits_cell_init(c, &r->header, i, at, err);
    if (st)
        return st;
    const hal_fits_column *column = c->column;
    bool text = c->type == HAL_TYPE_STRING, empty = c->repeat == 0;
    if (c->repeat > INT32_MAX)
        return hal_err_set(err, HAL_E_BUDGET, "column %zu has %llu items a row", i + 1,
                           (unsigned long long)c->repeat);
    hal_type type = c->type;
    if (!strcmp(column->xtype, "timestamp") &&
        (text || (c->code == 'K' && !column->scaled && !strcmp(column->unit, "us"))))
        type = HAL_TYPE_TIMESTAMP;
    shape_of_dim(r->shapes[i], column->dim);
    r->fields[i] =
        (hal_field){.name = column->name,
                    .type = type,
                    .width = text                   ? 1
                             : c->variable || empty ? HAL_WIDTH_VARIABLE
                                                    : (int32_t)c->repeat,
                    .unit = type == HAL_TYPE_TIMESTAMP && !text ? "" : column->unit,
                    .ucd = column->ucd,
                    .utype = column->utype,
                    .xtype = type == HAL_TYPE_TIMESTAMP ? "" : column->xtype,
                    .description = column->comment,
                    .shape = r->shapes[i],
                    .null_value = r->header.kind == HAL_FITS_ASCII ||
                                          (hal_type_is_integer(c->type) && !column->scaled)
                                      ? column->null_text
                                      : ""};
    r->n_variable += c->variable && c->bytes;
    hal_buf_init(&r->pointers[i], SIZE_MAX / 4);
    return HAL_OK;
}

static bool name_is_taken(const fits_reader *r, size_t i_but, const char *name)
{
    for (size_t i = 0; i < r->n_columns; i++)
        if (i != i_but && !strcmp(r->fields[i].name, name))
            return true;
    return false;
}

/* TTYPEn may be absent or the same for several columns; a table finds columns by name. The first of
 * several keeps it, others get "_2", ...; columns without one are "col1", ... by their number. */
static hal_status name_columns(fits_reader *r, hal_err *err)
{
    for (size_t i = 0; i < r->n_columns; i++) {
        const char *own = r->fields[i].name;
        size_t n_before = 0, size = strlen(own) + 32;
        for (size_t k = 0; k < i; k++)
            n_before += !strcmp(r->cells[k].column->name, own);
        if (*own && !n_before)
            continue;
        r->names[i] = hal_malloc(size);
        if (!r->names[i])
            return hal_err_nomem(err, size);
        char *name = r->names[i];
        if (*own)
            snprintf(name, size, "%s_%zu", own, n_before + 1);
        else
            snprintf(name, size, "col%zu", i + 1);
        for (size_t k = r->n_columns; name_is_taken(r, i, name); k++)
            snprintf(name, size, "%s_%zu", *own ? own : "col", k + 1);
        r->fields[i].name = name;
        r->fields[i].original_name = own;
    }
    return HAL_OK;
}

/* Columns get their type; those without a byte stay open and hold no memory until the end. */
static hal_status open_columns(fits_reader *r, hal_err *err)
{
    hal_status st = HAL_OK;
    for (size_t i = 0; i < r->n_columns && !st; i++)
        if (r->cells[i].bytes)
            st = hal_vec_set_shape(&r->vecs[i], r->fields[i].type, r->fields[i].width, err);
    return st;
}

static hal_status begin_table(fits_reader *r, hal_err *err)
{
    hal_fits_header *h = &r->header;
    const hal_reader_limits *limits = &r->setup.asked.limits;
    if (h->n_columns > limits->columns_max)
        return hal_err_set(err, HAL_E_BUDGET, "the table has %zu columns, more than %zu",
                           h->n_columns, limits->columns_max);
    if (h->n_rows > limits->rows_max)
        return hal_err_set(err, HAL_E_BUDGET, "the table has %llu rows, more than %llu",
                           (unsigned long long)h->n_rows, (unsigned long long)limits->rows_max);
    if (h->n_rows && (h->row_bytes == 0 || !h->n_columns))
        return hal_err_set(err, HAL_E_INTEGRITY, "the table has rows of no %s",
                           h->n_columns ? "bytes" : "columns");
    hal_status st = hal_fits_header_columns(h, err);
    if (st)
        return st;
    size_t n = h->n_columns ? h->n_columns : 1;
    r->cells = hal_calloc(n, sizeof *r->cells);
    r->fields = hal_calloc(n, sizeof *r->fields);
    r->vecs = hal_calloc(n, sizeof *r->vecs);
    r->pointers = hal_calloc(n, sizeof *r->pointers);
    r->shapes = hal_calloc(n, sizeof *r->shapes);
    r->names = hal_calloc(n, sizeof *r->names);
    if (!r->cells || !r->fields || !r->vecs || !r->pointers || !r->shapes || !r->names)
        return hal_err_nomem(err, n * sizeof *r->vecs);
    r->n_columns = h->n_columns;
    uint64_t at = 0, used = 0, n_empty = 0;
    for (size_t i = 0; i < r->n_columns && !st; i++) {
        st = init_column(r, i, &at, err);
        used += r->cells[i].bytes;
        n_empty += r->cells[i].bytes == 0;
    }
    if (!st)
        st = name_columns(r, err);
    if (st)
        return st;
    if (h->kind == HAL_FITS_BINARY && at != h->row_bytes)
        return hal_err_set(err, HAL_E_INTEGRITY,
                           "the columns of the FITS table take %llu bytes of a row, NAXIS1 says "
                           "%llu",
                           (unsigned long long)at, (unsigned long long)h->row_bytes);
    /* What follows would let a small file ask for much memory. */
    if (used > 2 * h->row_bytes)
        return hal_err_set(err, HAL_E_INTEGRITY, "the columns of the FITS table overlap");
    if (n_empty > 8 + 8 * h->row_bytes)
        return hal_err_set(err, HAL_E_BUDGET, "%llu columns without a byte in rows of %llu bytes",
                           (unsigned long long)n_empty, (unsigned long long)h->row_bytes);
    hal_buf_init(&r->row, (size_t)h->row_bytes);
    hal_buf_init(&r->heap, (size_t)h->heap_bytes);
    hal_buf_init(&r->items, SIZE_MAX / 4);
    hal_buf_init(&r->item_valid, SIZE_MAX / 4);
    st = note_cards(r, err);
    return st ? st : open_columns(r, err);
}

static hal_status add_text(hal_vec *v, const hal_fits_cell *c, const char *in, uint64_t n,
                           hal_err *err)
{
    hal_slice text;
    int64_t us;
    bool null = !hal_fits_text(in, n, &text) ||
                (c->code == 'a' && c->column->has_null && hal_fits_ascii_is_null(c, in));
    if (null)
        return hal_vec_pad(v, v->n_rows + 1, err);
    hal_status st = HAL_OK;
    if (v->type == HAL_TYPE_TIMESTAMP) {
        if (hal_timestamp_read(text, &us)) {
            st = hal_vec_grow(v, 1, err);
            if (st)
                return st;
            ((int64_t *)v->values)[v->n_rows] = us;
            return hal_vec_commit(v, 1, NULL, err);
        }
        bool done; /* not what TXTYPn says: text */
        st = hal_vec_convert(v, HAL_TYPE_STRING, false, &done, err);
    }
    if (!st)
        st = hal_vec_grow(v, 1, err);
    if (!st)
        st = hal_vec_reserve_bytes(v, 2 * text.size_bytes + 1, err);
    if (st)
        return st;
    int64_t at = v->offsets[v->n_rows];
    v->offsets[v->n_rows + 1] = at + (int64_t)hal_fits_text_copy(v->bytes + at, text);
    return hal_vec_commit(v, 1, NULL, err);
}

static hal_status add_array(fits_reader *r, size_t i, const unsigned char *in, uint64_t n,
                            uint64_t row, hal_err *err)
{
    const hal_fits_cell *c = &r->cells[i];
    hal_vec *v = &r->vecs[i];
    uint64_t huge;
    if (hal_fits_find_huge(c, in, n, 8, &huge))
        return hal_err_set(err, HAL_E_INTEGRITY,
                           "row %llu of the FITS table: column %s has %llu in an array: no int64",
                           (unsigned long long)row + 1, c->column->name, (unsigned long long)huge);
    hal_status st = hal_buf_reserve(&r->items, hal_items_bytes(c->type, n) + 1, err);
    if (!st)
        st = hal_buf_reserve(&r->item_valid, n / 8 + 1, err);
    if (st)
        return st;
    uint8_t *valid = (uint8_t *)r->item_valid.data;
    valid[n / 8] = 0;
    r->items.data[hal_items_bytes(c->type, n)] = 0;
    uint64_t n_nulls = hal_fits_items(c, in, n, r->items.data, valid);
    if (n && n_nulls == n)
        return hal_vec_pad(v, v->n_rows + 1, err);
    return hal_vec_add_items(v, r->items.data, n, n_nulls ? valid : NULL, err);
}

static hal_status broken_number(const fits_reader *r, size_t i, uint64_t row, hal_fits_number is,
                                hal_err *err)
{
    const hal_fits_cell *c = &r->cells[i];
    return hal_err_set(err, HAL_E_INTEGRITY, "row %llu of the FITS table: column %s is %s",
                       (unsigned long long)row + 1, c->column->name,
                       is == HAL_FITS_IS_BEYOND ? "beyond the range of float64" : "no number");
}

static hal_status ascii_run(fits_reader *r, size_t i, const char *in, uint64_t n, hal_err *err)
{
    const hal_fits_cell *c = &r->cells[i];
    hal_vec *v = &r->vecs[i];
    bool any_null = false;
    for (uint64_t k = 0; k < n; k++, in += r->header.row_bytes) {
        int64_t integer = 0;
        double real = 0;
        hal_fits_number is = c->code == 'i' ? hal_fits_ascii_int(c, in, &integer)
                                            : hal_fits_ascii_float(c, in, &real);
        if (c->code == 'i' && c->type == HAL_TYPE_FLOAT64)
            real = c->column->zero + c->column->scale * (double)integer;
        if (is == HAL_FITS_IS_BROKEN || is == HAL_FITS_IS_BEYOND)
            return broken_number(r, i, r->n_rows_read + k, is, err);
        if (is == HAL_FITS_IS_NULL) {
            any_null = true;
            hal_bit_set(r->valid, k, false);
        }
        if (c->type == HAL_TYPE_INT32)
            ((int32_t *)v->values)[v->n_rows + k] = (int32_t)integer;
        else if (c->type == HAL_TYPE_INT64)
            ((int64_t *)v->values)[v->n_rows + k] = integer;
        else
            ((double *)v->values)[v->n_rows + k] = real;
    }
    return hal_vec_commit(v, n, any_null ? r->valid : NULL, err);
}

/* Unsigned 64-bit integers once one of them is too large: text. */
static hal_status huge_run(fits_reader *r, size_t i, const unsigned char *in, uint64_t n,
                           hal_err *err)
{
    const hal_fits_cell *c = &r->cells[i];
    hal_vec *v = &r->vecs[i];
    bool done;
    hal_status st = hal_vec_convert(v, HAL_TYPE_STRING, false, &done, err);
    for (uint64_t k = 0; k < n && !st; k++, in += r->header.row_bytes) {
        uint64_t huge;
        int64_t small;
        uint8_t valid = 1;
        if (hal_fits_find_huge(c, in, 1, 0, &huge)) {
            char text[24];
            int size = snprintf(text, sizeof text, "%llu", (unsigned long long)huge);
            st = hal_vec_add_string(v, (hal_slice){text, (size_t)size}, err);
        } else if (hal_fits_scalars(c, in, 0, 1, &small, &valid)) {
            st = hal_vec_pad(v, v->n_rows + 1, err);
        } else {
            st = hal_vec_add_int64(v, small, err);
        }
    }
    return st;
}

static bool run_is_huge(const fits_reader *r, size_t i, const unsigned char *in, uint64_t n)
{
    uint64_t value;
    return r->vecs[i].type == HAL_TYPE_STRING ||
           hal_fits_find_huge(&r->cells[i], in, n, r->header.row_bytes, &value);
}

static hal_status pointer_run(fits_reader *r, size_t i, const unsigned char *in, uint64_t n,
                              hal_err *err)
{
    const hal_fits_cell *c = &r->cells[i];
    hal_status st = HAL_OK;
    for (uint64_t k = 0; k < n && !st; k++, in += r->header.row_bytes) {
        unsigned char wide[16] = {0};
        memcpy(wide + (c->wide_pointer ? 0 : 4), in, c->wide_pointer ? 8 : 4);
        memcpy(wide + (c->wide_pointer ? 8 : 12), in + c->bytes / 2, c->wide_pointer ? 8 : 4);
        st = hal_buf_append(&r->pointers[i], wide, sizeof wide, err);
    }
    return st;
}

static hal_status column_run(fits_reader *r, size_t i, const unsigned char *row, uint64_t n,
                             hal_err *err)
{
    const hal_fits_cell *c = &r->cells[i];
    const unsigned char *in = row + c->at;
    hal_vec *v = &r->vecs[i];
    hal_status st = HAL_OK;
    if (c->bytes == 0)
        return HAL_OK;
    if (c->variable)
        return pointer_run(r, i, in, n, err);
    if (c->code == 'A' || c->code == 'a') {
        for (uint64_t k = 0; k < n && !st; k++)
            st = add_text(v, c, (const char *)in + k * r->header.row_bytes, c->bytes, err);
        return st;
    }
    if (c->repeat != 1) {
        for (uint64_t k = 0; k < n && !st; k++)
            st = add_array(r, i, in + k * r->header.row_bytes, c->repeat, r->n_rows_read + k, err);
        return st;
    }
    if (run_is_huge(r, i, in, n))
        return huge_run(r, i, in, n, err);
    st = hal_vec_grow(v, n, err);
    if (st)
        return st;
    memset(r->valid, 0xff, sizeof r->valid);
    if (c->code == 'i' || c->code == 'f')
        return ascii_run(r, i, (const char *)in, n, err);
    if (c->type != HAL_TYPE_BOOL) {
        char *out = (char *)v->values + hal_items_bytes(c->type, v->n_rows);
        uint64_t n_nulls = hal_fits_scalars(c, in, r->header.row_bytes, n, out, r->valid);
        return hal_vec_commit(v, n, n_nulls ? r->valid : NULL, err);
    }
    bool any_null = false;
    for (uint64_t k = 0; k < n; k++, in += r->header.row_bytes) {
        bool on = c->code == 'X' ? *in & 0x80 : *in == 'T';
        bool null = c->code == 'L' && *in != 'T' && *in != 'F';
        hal_bit_set(v->values, v->n_rows + k, on);
        hal_bit_set(r->valid, k, !null);
        any_null = any_null || null;
    }
    return hal_vec_commit(v, n, any_null ? r->valid : NULL, err);
}

/* The table of what the columns hold; they are empty afterwards. */
static hal_table *make_table(fits_reader *r, uint64_t n_rows, hal_err *err)
{
    hal_metadata metadata = {0};
    if (hal_metadata_copy(&metadata, &r->metadata, err))
        return NULL;
    hal_status st = HAL_OK;
    for (size_t i = 0; i < r->n_columns && !st; i++)
        st = hal_vec_pad(&r->vecs[i], n_rows, err);
    hal_table *t =
        st ? NULL : hal_table_from_parts(r->fields, r->vecs, r->n_columns, n_rows, &metadata, err);
    hal_metadata_clear(&metadata);
    return t;
}

static hal_status hand_batch(fits_reader *r, uint64_t n_rows, hal_err *err)
{
    const hal_reader_options *asked = &r->setup.asked;
    hal_table *t = make_table(r, n_rows, err);
    if (!t)
        return err ? err->status : HAL_E_NOMEM;
    hal_status st = asked->batch(asked->batch_ctx, t, err);
    hal_table_unref(t);
    return st ? st : open_columns(r, err);
}

static hal_status take_run(fits_reader *r, const char *bytes, uint64_t n, hal_err *err)
{
    hal_status st = HAL_OK;
    for (size_t i = 0; i < r->n_columns && !st; i++)
        st = column_run(r, i, (const unsigned char *)bytes, n, err);
    r->n_rows_read += n;
    const hal_reader_options *asked = &r->setup.asked;
    if (st || !asked->batch || r->n_variable)
        return st;
    r->n_in_batch += n;
    if (r->n_in_batch < asked->batch_rows)
        return HAL_OK;
    n = r->n_in_batch;
    r->n_in_batch = 0;
    return hand_batch(r, n, err);
}

static hal_status take_rows(fits_reader *r, const char *bytes, uint64_t n, hal_err *err)
{
    const uint64_t row_bytes = r->header.row_bytes;
    const hal_reader_options *asked = &r->setup.asked;
    hal_status st = HAL_OK;
    while (n && !st) {
        uint64_t held = r->row.size_bytes, run = RUN_BYTES / row_bytes;
        if (held || n < row_bytes) {
            uint64_t part = row_bytes - held < n ? row_bytes - held : n;
            st = hal_buf_append(&r->row, bytes, (size_t)part, err);
            bytes += part;
            n -= part;
            if (!st && held + part == row_bytes) {
                st = take_run(r, r->row.data, 1, err);
                r->row.size_bytes = 0;
            }
            continue;
        }
        run = run < 1 ? 1 : run > RUN_ROWS ? RUN_ROWS : run;
        run = run < n / row_bytes ? run : n / row_bytes;
        if (asked->batch && run > asked->batch_rows - r->n_in_batch && !r->n_variable)
            run = asked->batch_rows - r->n_in_batch;
        st = take_run(r, bytes, run, err);
        bytes += run * row_bytes;
        n -= run * row_bytes;
    }
    return st;
}

static uint64_t get64(const char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return __builtin_bswap64(v);
}

/* The heap is whole: the rows of one variable column. `budget`: bytes it may still take. */
static hal_status take_column(fits_reader *r, size_t i, uint64_t *budget, hal_err *err)
{
    const hal_fits_cell *c = &r->cells[i];
    hal_status st = HAL_OK;
    for (uint64_t row = 0; row < r->header.n_rows && !st; row++) {
        uint64_t count = get64(r->pointers[i].data + 16 * row);
        uint64_t at = get64(r->pointers[i].data + 16 * row + 8);
        uint64_t bytes = count >> 40 ? UINT64_MAX : hal_fits_items_bytes(c, count);
        if (count && (bytes > r->heap.size_bytes || at > r->heap.size_bytes - bytes))
            return hal_err_set(err, HAL_E_INTEGRITY,
                               "row %llu of the FITS table: column %s points outside the heap",
                               (unsigned long long)row + 1, c->column->name);
        if (bytes > *budget)
            return hal_err_set(err, HAL_E_BUDGET,
                               "the variable arrays of the FITS table overlap too much");
        *budget -= bytes;
        const char *in = count ? r->heap.data + at : "";
        st = c->code == 'A' ? add_text(&r->vecs[i], c, in, count, err)
                            : add_array(r, i, (const unsigned char *)in, count, row, err);
    }
    hal_buf_clear(&r->pointers[i]);
    return st;
}

static hal_status take_variable(fits_reader *r, hal_err *err)
{
    uint64_t budget = 16 * (uint64_t)r->heap.size_bytes + (64 << 20);
    hal_status st = HAL_OK;
    for (size_t i = 0; i < r->n_columns && !st; i++)
        if (r->cells[i].variable && r->cells[i].bytes)
            st = take_column(r, i, &budget, err);
    hal_buf_clear(&r->heap);
    return st;
}

static uint64_t padding(uint64_t bytes)
{
    return (HAL_FITS_BLOCK - bytes % HAL_FITS_BLOCK) % HAL_FITS_BLOCK;
}

static void enter(fits_reader *r, stage next, uint64_t bytes)
{
    r->stage = next;
    r->left = bytes;
}

/* Whether the header just read is of the table that was asked for. */
static hal_status choose(fits_reader *r, bool *chosen, hal_err *err)
{
    const hal_fits_header *h = &r->next;
    *chosen = false;
    if (h->kind == HAL_FITS_IMAGE || (h->compressed && !h->compressed_table))
        return HAL_OK;
    char *name = hal_strndup(h->name.data ? h->name.data : "", h->name.size_bytes);
    if (!name)
        return hal_err_nomem(err, h->name.size_bytes);
    /* The rows of a compressed table are pieces of it. */
    int64_t n_rows = h->compressed_table ? -1 : (int64_t)h->n_rows;
    hal_status st = hal_contents_add(&r->contents, name, NULL, n_rows, chosen, err);
    hal_free(name);
    if (st)
        return st;
    if (!r->contents.wanted)
        *chosen = !r->chosen;
    if (*chosen && h->compressed_table)
        return hal_err_set(err, HAL_E_PROTOCOL,
                           "the FITS table is stored compressed (ZTABLE); unpack it with funpack");
    return HAL_OK;
}

static hal_status end_header(fits_reader *r, hal_err *err)
{
    bool chosen;
    r->n_hdus++;
    hal_status st = choose(r, &chosen, err);
    if (st)
        return st;
    if (!chosen) {
        enter(r, IN_SKIP, r->next.data_bytes + padding(r->next.data_bytes));
        return HAL_OK;
    }
    r->chosen = true;
    hal_contents_choose(&r->contents);
    r->header = r->next;
    r->next = (hal_fits_header){0};
    st = begin_table(r, err);
    if (!st)
        enter(r, IN_ROWS, r->header.row_bytes * r->header.n_rows);
    return st;
}

static hal_status take_header(fits_reader *r, const char *bytes, size_t n, size_t *used,
                              hal_err *err)
{
    size_t room = HAL_FITS_BLOCK - r->n_block;
    *used = n < room ? n : room;
    memcpy(r->block + r->n_block, bytes, *used);
    r->n_block += *used;
    /* Behind the last extension anything else may stand (section 3.5). */
    static const char mark[] = "XTENSION";
    size_t n_mark = r->n_block < sizeof mark - 1 ? r->n_block : sizeof mark - 1;
    if (r->chosen && !r->next.cards.size_bytes && memcmp(r->block, mark, n_mark) != 0)
        r->stage = PAST_END;
    if (r->stage == PAST_END || r->n_block < HAL_FITS_BLOCK)
        return HAL_OK;
    r->n_block = 0;
    hal_status st = hal_fits_header_add(&r->next, r->block, err);
    return st || !r->next.ended ? st : end_header(r, err);
}

/* The one that the data being read belongs to. */
static const hal_fits_header *header_of_data(const fits_reader *r)
{
    return r->stage == IN_SKIP ? &r->next : &r->header;
}

/* Moves on from stages that have all their bytes. */
static hal_status advance(fits_reader *r, hal_err *err)
{
    const hal_fits_header *h = &r->header;
    hal_status st = HAL_OK;
    while (r->left == 0 && !st) {
        switch (r->stage) {
        case IN_ROWS:
            enter(r, IN_GAP, h->heap_at - h->row_bytes * h->n_rows);
            break;
        case IN_GAP:
            enter(r, IN_HEAP, h->heap_bytes);
            break;
        case IN_HEAP:
            st = take_variable(r, err);
            enter(r, IN_PADDING, padding(h->data_bytes));
            break;
        case IN_SKIP:
        case IN_PADDING:
            st = hal_fits_header_check(header_of_data(r), r->n_hdus, &r->data_sum, err);
            r->data_sum = (hal_fits_sum){0};
            hal_fits_header_clear(&r->next);
            hal_fits_header_init(&r->next, r->offset, false);
            r->stage = IN_HEADER;
            return st;
        default:
            return HAL_OK;
        }
    }
    return st;
}

/* Section 3.3.2: zeros, in ASCII tables blanks. Anything else may be rows that the header does not
 * count. */
static hal_status check_fill(const fits_reader *r, const char *bytes, size_t n, hal_err *err)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] && bytes[i] != ' ')
            return hal_err_set(err, HAL_E_INTEGRITY,
                               "byte %llu: data behind the %llu rows that the FITS header counts",
                               (unsigned long long)(r->offset + i),
                               (unsigned long long)r->header.n_rows);
    return HAL_OK;
}

static hal_status fits_feed(void *self, const char *bytes, size_t n, hal_err *err)
{
    fits_reader *r = self;
    hal_status st = HAL_OK;
    while (n && r->stage != PAST_END && !st) {
        size_t used = n;
        if (r->stage == IN_HEADER) {
            st = take_header(r, bytes, n, &used, err);
        } else {
            if (used > r->left)
                used = (size_t)r->left;
            if (hal_fits_header_has_sums(header_of_data(r)))
                hal_fits_sum_add(&r->data_sum, bytes, used);
            if (r->stage == IN_ROWS)
                st = take_rows(r, bytes, used, err);
            else if (r->stage == IN_HEAP && r->n_variable)
                st = hal_buf_append(&r->heap, bytes, used, err);
            else if (r->stage == IN_PADDING)
                st = check_fill(r, bytes, used, err);
            r->left -= used;
        }
        bytes += used;
        n -= used;
        r->offset += used;
        if (!st && r->stage != IN_HEADER)
            st = advance(r, err);
    }
    return st;
}

/* HAL_OK: the file is whole. */
static hal_status cut(const fits_reader *r, hal_err *err)
{
    unsigned long long at = r->offset;
    switch (r->stage) {
    case PAST_END:
        return HAL_OK;
    case IN_HEADER:
        if (r->next.cards.size_bytes || r->n_block)
            return hal_err_set(err, HAL_E_INTEGRITY, "the file is cut at byte %llu: in a header",
                               at);
        return HAL_OK;
    case IN_ROWS:
        return hal_err_set(
            err, HAL_E_INTEGRITY, "the file is cut at byte %llu: in row %llu of %llu", at,
            (unsigned long long)r->n_rows_read + 1, (unsigned long long)r->header.n_rows);
    case IN_HEAP:
        return hal_err_set(err, HAL_E_INTEGRITY,
                           "the file is cut at byte %llu: behind the rows, %llu bytes of variable "
                           "arrays are missing",
                           at, (unsigned long long)r->left);
    default:
        return hal_err_set(err, HAL_E_INTEGRITY,
                           "the file is cut at byte %llu: %llu bytes of its data are missing", at,
                           (unsigned long long)r->left);
    }
}

static hal_status fits_finish(void *self, hal_answer *answer, hal_table **table, hal_err *err)
{
    fits_reader *r = self;
    hal_status st = cut(r, err);
    if (!st && !r->contents.n_tables)
        st = hal_err_set(err, HAL_E_PROTOCOL, "the FITS file holds no table, only images");
    else if (!st && !r->chosen)
        st = hal_contents_missing(&r->contents, err);
    bool batches = r->setup.asked.batch && !r->n_variable;
    if (!st && batches && r->n_in_batch)
        st = hand_batch(r, r->n_in_batch, err);
    if (st)
        return st;
    hal_table *t = make_table(r, batches ? 0 : r->header.n_rows, err);
    if (!t)
        return err ? err->status : HAL_E_NOMEM;
    *answer = HAL_ANSWER_INIT;
    hal_contents_tell(&r->contents, answer);
    *table = t;
    return HAL_OK;
}

const hal_reader_class hal_fits_reader = {fits_open, fits_feed, fits_finish, fits_free, true};
