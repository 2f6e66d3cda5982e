/* SPDX-License-Identifier: BSD-3-Clause */
/* The writer's rows and heap: a block of columns in, bytes of the file out. */
#include "data/fits_write.h"

#include "base/alloc.h"

#include <string.h>

/* They stay in the nearest cache, however the columns jump in them. */
enum { RUN_BYTES = 24 << 10 };

typedef hal_fits_out_column column;
typedef hal_fits_out fits_writer;

static inline void put16(unsigned char *p, uint16_t v)
{
    p[0] = (unsigned char)(v >> 8);
    p[1] = (unsigned char)v;
}

static inline void put32(unsigned char *p, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(p, &v, 4);
}

static inline void put64(unsigned char *p, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(p, &v, 8);
}

/* All bits set is null, so a NaN of that pattern becomes the usual one. */
static inline uint32_t float_bits(const char *p)
{
    uint32_t bits;
    memcpy(&bits, p, 4);
    return bits == UINT32_MAX ? UINT32_C(0x7fc00000) : bits;
}

static inline uint64_t double_bits(const char *p)
{
    uint64_t bits;
    memcpy(&bits, p, 8);
    return bits == UINT64_MAX ? UINT64_C(0x7ff8000000000000) : bits;
}

static inline void put_item(const column *c, char code, const char *in, bool null,
                            unsigned char *out)
{
    uint64_t bits;
    uint32_t half;
    uint16_t quarter;
    switch (code) {
    case 'L':
        *out = null ? 0 : *in ? 'T' : 'F';
        break;
    case 'B':
        *out = null ? (unsigned char)c->to.null_value : (unsigned char)*in;
        break;
    case 'I':
        if (c->type == HAL_TYPE_UINT8)
            quarter = (unsigned char)*in;
        else
            memcpy(&quarter, in, 2);
        put16(out, null ? (uint16_t)c->to.null_value : quarter);
        break;
    case 'J':
        memcpy(&half, in, 4);
        put32(out, null ? (uint32_t)c->to.null_value : half);
        break;
    case 'K':
        memcpy(&bits, in, 8);
        put64(out, null ? (uint64_t)c->to.null_value : bits);
        break;
    case 'E':
        put32(out, null ? UINT32_MAX : float_bits(in));
        break;
    case 'D':
        put64(out, null ? UINT64_MAX : double_bits(in));
        break;
    case 'C':
        put32(out, null ? UINT32_MAX : float_bits(in));
        put32(out + 4, null ? UINT32_MAX : float_bits(in + 4));
        break;
    default: /* M */
        put64(out, null ? UINT64_MAX : double_bits(in));
        put64(out + 8, null ? UINT64_MAX : double_bits(in + 8));
    }
}

#define EACH_ROW(code)                                                                             \
    case code:                                                                                     \
        for (uint64_t k = 0; k < n; k++)                                                           \
            put_item(c, code, c->items.data + (first + k) * c->item, c->nulls.data[first + k],     \
                     out + k * stride);                                                            \
        return

static void put_scalars(const column *c, uint64_t first, uint64_t n, unsigned char *out,
                        uint64_t stride)
{
    switch (c->to.code) { /* a loop for each, so that nothing is decided in it */
        EACH_ROW('L');
        EACH_ROW('B');
        EACH_ROW('I');
        EACH_ROW('J');
        EACH_ROW('K');
        EACH_ROW('E');
        EACH_ROW('D');
        EACH_ROW('C');
        EACH_ROW('M');
    }
}

static uint32_t count_of(const column *c, uint64_t row)
{
    uint32_t n;
    memcpy(&n, c->counts.data + 4 * row, 4);
    return n;
}

/* A place within the block while its rows are written: one for the texts, one for the heap. */
typedef struct cursor {
    uint64_t text, heap;
} cursor;

static hal_slice text_at(const column *c, uint64_t row, uint64_t *at)
{
    hal_slice text = {c->items.data ? c->items.data + *at : "", count_of(c, row)};
    *at += text.size_bytes;
    return text;
}

static uint64_t heap_bytes_of(const column *c, uint64_t row, uint64_t *text_place, uint64_t *count)
{
    if (c->type != HAL_TYPE_STRING) {
        *count = count_of(c, row);
        return *count * c->to.out_item;
    }
    hal_slice text = text_at(c, row, text_place);
    *count = c->nulls.data[row] ? 0 : text.size_bytes + hal_fits_needs_extra(text);
    return *count;
}

static void put_cells(const fits_writer *w, const column *c, cursor *at, uint64_t first, uint64_t n,
                      unsigned char *out)
{
    uint64_t stride = w->row_bytes;
    out += c->to.at;
    if (c->to.heap) {
        for (uint64_t k = 0; k < n; k++, out += stride) {
            uint64_t count, bytes = heap_bytes_of(c, first + k, &at->text, &count);
            if (w->wide_pointers) {
                put64(out, count);
                put64(out + 8, at->heap);
            } else {
                put32(out, (uint32_t)count);
                put32(out + 4, (uint32_t)at->heap);
            }
            at->heap += bytes;
        }
    } else if (c->type == HAL_TYPE_STRING) {
        for (uint64_t k = 0; k < n; k++, out += stride) {
            hal_slice text = text_at(c, first + k, &at->text);
            size_t used = text.size_bytes;
            memcpy(out, text.data, used);
            if (used == 0 && !c->nulls.data[first + k])
                out[used++] = ' ';
            memset(out + used, 0, (size_t)c->to.bytes - used);
        }
    } else if (c->width == 1) {
        put_scalars(c, first, n, out, stride);
    } else {
        uint64_t width = (uint64_t)c->width;
        for (uint64_t k = 0; k < n; k++, out += stride)
            for (uint64_t j = 0; j < width; j++) {
                uint64_t item = (first + k) * width + j;
                put_item(c, c->to.code, c->items.data + item * c->item,
                         c->nulls.data[first + k] || hal_fits_flag(&c->item_nulls, item),
                         out + j * c->to.out_item);
            }
    }
}

hal_status hal_fits_put_rows(hal_fits_out *w, uint64_t *heap, hal_err *err)
{
    uint64_t rows = w->row_bytes ? RUN_BYTES / w->row_bytes : w->n_block;
    rows = rows ? rows : 1;
    size_t n_run = (size_t)(rows * w->row_bytes);
    cursor *at = hal_calloc(w->n_columns ? w->n_columns : 1, sizeof *at);
    unsigned char *run = hal_malloc(n_run ? n_run : 1);
    hal_status st = at && run ? HAL_OK : hal_err_nomem(err, n_run);
    for (size_t i = 0; i < w->n_columns && !st; i++) { /* column by column in the heap, too */
        const column *c = &w->columns[i];
        at[i].heap = *heap;
        uint64_t text = 0, count;
        for (uint64_t row = 0; c->to.heap && row < w->n_block; row++)
            *heap += heap_bytes_of(c, row, &text, &count);
    }
    for (uint64_t first = 0; first < w->n_block && !st; first += rows) {
        uint64_t n = w->n_block - first < rows ? w->n_block - first : rows;
        for (size_t i = 0; i < w->n_columns; i++)
            put_cells(w, &w->columns[i], &at[i], first, n, run);
        st = hal_outfile_write(w->file, run, (size_t)(n * w->row_bytes), err);
    }
    hal_free(at);
    hal_free(run);
    return st;
}

/* One item out of the file; true: it is null. */
static inline bool take_item(const column *c, const unsigned char *in, char *out)
{
    const hal_fits_place *p = &c->written;
    uint16_t quarter;
    uint32_t half = 0;
    uint64_t bits = 0;
    switch (p->code) {
    case 'L':
        *out = *in == 'T';
        return *in == 0;
    case 'B':
        *out = (char)*in;
        return p->any_null && *in == p->null_value;
    case 'I':
        quarter = (uint16_t)(in[0] << 8 | in[1]);
        memcpy(out, &quarter, c->item); /* uint8: its low byte comes first */
        return p->any_null && (int16_t)quarter == p->null_value;
    case 'J':
    case 'E':
    case 'C':
        for (size_t i = 0; i < c->item; i += 4) {
            memcpy(&half, in + i, 4);
            half = __builtin_bswap32(half);
            memcpy(out + i, &half, 4);
        }
        return p->code == 'J' ? p->any_null && (int32_t)half == p->null_value : half == UINT32_MAX;
    default: /* K, D, M */
        for (size_t i = 0; i < c->item; i += 8) {
            memcpy(&bits, in + i, 8);
            bits = __builtin_bswap64(bits);
            memcpy(out + i, &bits, 8);
        }
        return p->code == 'K' ? p->any_null && (int64_t)bits == p->null_value : bits == UINT64_MAX;
    }
}

static hal_status take_text(column *c, const unsigned char *in, char *null, hal_err *err)
{
    uint32_t size = (uint32_t)strnlen((const char *)in, (size_t)c->written.bytes);
    *null = size == 0;
    size -= size == 1 && *in == ' '; /* empty: rows with a lone blank are not written at once */
    hal_status st = hal_buf_append(&c->items, in, size, err);
    return st ? st : hal_buf_append(&c->counts, &size, sizeof size, err);
}

hal_status hal_fits_take_rows(hal_fits_out *w, const unsigned char *rows, uint64_t n, hal_err *err)
{
    for (size_t i = 0; i < w->n_columns; i++) {
        column *c = &w->columns[i];
        const unsigned char *in = rows + c->written.at;
        uint64_t width = c->variable ? 0 : (uint64_t)c->width;
        size_t n_flags = width > 1 ? (size_t)(n * width) : 0;
        hal_status st = hal_buf_reserve(&c->nulls, (size_t)n, err);
        if (!st)
            st = hal_buf_reserve(&c->items, (size_t)(n * width) * c->item, err);
        if (!st)
            st = hal_buf_reserve(&c->item_nulls, n_flags, err);
        char *nulls = st ? NULL : c->nulls.data + c->nulls.size_bytes;
        for (uint64_t k = 0; k < n && !st; k++, in += w->written_row_bytes) {
            if (c->variable) {
                st = take_text(c, in, &nulls[k], err);
                continue;
            }
            nulls[k] = 0;
            for (uint64_t j = 0; j < width; j++) { /* of an array, every item has its own flag */
                bool null =
                    take_item(c, in + j * c->written.out_item, c->items.data + c->items.size_bytes);
                c->items.size_bytes += c->item;
                if (width == 1)
                    nulls[k] = null;
                else
                    c->item_nulls.data[c->item_nulls.size_bytes++] = null;
            }
        }
        if (st)
            return st;
        c->nulls.size_bytes += (size_t)n;
    }
    w->n_block += n;
    return HAL_OK;
}

hal_status hal_fits_put_heap(hal_fits_out *w, hal_err *err)
{
    hal_status st = HAL_OK;
    for (size_t i = 0; i < w->n_columns; i++) {
        const column *c = &w->columns[i];
        uint64_t text_place = 0, item = 0;
        for (uint64_t row = 0; c->to.heap && row < w->n_block && !st; row++) {
            if (c->type == HAL_TYPE_STRING) {
                hal_slice text = text_at(c, row, &text_place);
                if (c->nulls.data[row])
                    continue;
                st = hal_outfile_write(w->file, text.data, text.size_bytes, err);
                if (!st && hal_fits_needs_extra(text))
                    st = hal_outfile_write(w->file, text.size_bytes ? "" : " ", 1, err);
                continue;
            }
            for (uint32_t n = count_of(c, row); n && !st; n--, item++) {
                unsigned char out[16];
                put_item(c, c->to.code, c->items.data + item * c->item,
                         hal_fits_flag(&c->item_nulls, item), out);
                st = hal_outfile_write(w->file, out, (size_t)c->to.out_item, err);
            }
        }
    }
    return st;
}
