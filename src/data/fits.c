/* SPDX-License-Identifier: BSD-3-Clause */
/* The reader. A row is touched once: whole rows are turned into columns straight from the bytes
 * fed, only a row that is cut by the chunking is put together first. */
#include "data/fits.h"

#include "base/alloc.h"
#include "base/number.h"
#include "data/fits_cell.h"
#include "data/vec.h"

#include <stdio.h>

typedef enum stage { IN_HEADER, IN_SKIP, IN_ROWS, IN_GAP, IN_HEAP, IN_PADDING, PAST_TABLE } stage;

enum {
    RUN_BYTES = 128 << 10, /* rows turned at a time: they stay in the cache for every column */
    RUN_ROWS = 4096,
};

typedef struct fits_reader {
    hal_reader_setup setup;
    char *wanted; /* name of the table; NULL: by number */
    uint64_t wanted_number;
    stage stage;
    uint64_t offset; /* of the next byte in the file */
    uint64_t left;   /* bytes of this stage; of IN_ROWS and IN_HEAP too */
    uint64_t n_tables;
    bool any_header;
    char block[HAL_FITS_BLOCK];
    size_t n_block;
    hal_fits_header header;
    size_t n_columns, n_variable;
    hal_fits_cell *cells;
    hal_field *fields;
    hal_vec *vecs;
    hal_buf texts; /* of the fields */
    uint64_t n_rows_read;
    hal_buf row;       /* a row that is cut by the chunking */
    hal_buf *pointers; /* of variable columns: count and offset, 16 bytes a row */
    hal_buf heap;
    uint8_t nulls[RUN_ROWS / 8];
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
    }
    hal_free(r->cells);
    hal_free(r->fields);
    hal_free(r->vecs);
    hal_free(r->pointers);
}

static void fits_free(void *self)
{
    fits_reader *r = self;
    forget_table(r);
    hal_fits_header_clear(&r->header);
    hal_buf_clear(&r->texts);
    hal_buf_clear(&r->row);
    hal_buf_clear(&r->heap);
    hal_free(r->wanted);
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
    r->wanted_number = 1;
    int64_t number;
    const char *table = setup->asked.table;
    if (table && hal_number_read_int64(hal_slice_of(table), &number) && number > 0) {
        r->wanted_number = (uint64_t)number;
    } else if (table) {
        r->wanted = hal_strdup(table);
        if (!r->wanted) {
            hal_err_nomem(err, strlen(table));
            fits_free(r);
            return NULL;
        }
    }
    hal_fits_header_init(&r->header, r->offset, true);
    return r;
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
    const hal_fits_header *h = &r->header;
    *chosen = false;
    if (h->kind == HAL_FITS_IMAGE || (h->compressed && !h->compressed_table))
        return HAL_OK;
    r->n_tables++;
    *chosen = r->wanted ? hal_slice_equals(h->name, hal_slice_of(r->wanted))
                        : r->n_tables == r->wanted_number;
    if (*chosen && h->compressed_table)
        return hal_err_set(err, HAL_E_PROTOCOL,
                           "the FITS table is stored compressed (ZTABLE); unpack it with funpack");
    return HAL_OK;
}

static hal_status end_header(fits_reader *r, hal_err *err)
{
    bool chosen;
    hal_status st = choose(r, &chosen, err);
    if (st)
        return st;
    if (!chosen) {
        enter(r, IN_SKIP, r->header.data_bytes + padding(r->header.data_bytes));
        return HAL_OK;
    }
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
    if (r->n_block < HAL_FITS_BLOCK)
        return HAL_OK;
    r->n_block = 0;
    hal_status st = hal_fits_header_add(&r->header, r->block, err);
    return st || !r->header.ended ? st : end_header(r, err);
}

/* Moves on from stages that have all their bytes. */
static hal_status advance(fits_reader *r, hal_err *err)
{
    const hal_fits_header *h = &r->header;
    hal_status st = HAL_OK;
    while (r->left == 0 && !st) {
        switch (r->stage) {
        case IN_SKIP: {
            hal_fits_header_clear(&r->header);
            hal_fits_header_init(&r->header, r->offset, false);
            r->stage = IN_HEADER;
            return HAL_OK;
        }
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
        case IN_PADDING:
            r->stage = PAST_TABLE;
            return HAL_OK;
        default:
            return HAL_OK;
        }
    }
    return st;
}

static hal_status fits_feed(void *self, const char *bytes, size_t n, hal_err *err)
{
    fits_reader *r = self;
    hal_status st = HAL_OK;
    while (n && r->stage != PAST_TABLE && !st) {
        size_t used = n;
        if (r->stage == IN_HEADER) {
            st = take_header(r, bytes, n, &used, err);
        } else {
            if (used > r->left)
                used = (size_t)r->left;
            if (r->stage == IN_ROWS)
                st = take_rows(r, bytes, used, err);
            else if (r->stage == IN_HEAP && r->n_variable)
                st = hal_buf_append(&r->heap, bytes, used, err);
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

static hal_status cut(const fits_reader *r, hal_err *err)
{
    const hal_fits_header *h = &r->header;
    unsigned long long at = r->offset;
    switch (r->stage) {
    case IN_HEADER:
        if (h->cards.size_bytes || r->n_block || r->n_tables == 0)
            break;
        if (r->wanted)
            return hal_err_set(err, HAL_E_NOT_FOUND, "none of the %llu tables is named \"%s\"",
                               (unsigned long long)r->n_tables, r->wanted);
        return hal_err_set(err, HAL_E_NOT_FOUND, "there is no table %llu: the file has %llu",
                           (unsigned long long)r->wanted_number, (unsigned long long)r->n_tables);
    case IN_ROWS:
        return hal_err_set(err, HAL_E_INTEGRITY,
                           "the file is cut at byte %llu: in row %llu of %llu", at,
                           (unsigned long long)r->n_rows_read + 1, (unsigned long long)h->n_rows);
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
    if (h->cards.size_bytes == 0 && r->n_block == 0)
        return hal_err_set(err, HAL_E_PROTOCOL, "the FITS file holds no table, only images");
    return hal_err_set(err, HAL_E_INTEGRITY, "the file is cut at byte %llu: in a header", at);
}
