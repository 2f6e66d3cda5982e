/* SPDX-License-Identifier: BSD-3-Clause */
/* Arbitrary bytes of no declared format: whether they come whole, in pieces, packed with gzip or
 * zstd, or are given away in batches, the table is the same, cell by cell, or there is none. */
#include "base/unpack.h"

#include "tables.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STORED_MAX = 65535, PACKED_EXTRA = 64 };

typedef struct batches {
    const hal_table *whole;
    uint64_t n_rows;
} batches;

static hal_status take_batch(void *ctx, const hal_table *t, hal_err *err)
{
    (void)err;
    batches *b = ctx;
    check_rows(b->whole, b->n_rows, t);
    b->n_rows += hal_table_rows(t);
    return HAL_OK;
}

/* With the types of the whole table none changes on the way. */
static void in_batches(const char *bytes, size_t n, const hal_table *whole,
                       const hal_reader_options *options)
{
    batches seen = {.whole = whole};
    size_t n_columns = hal_table_columns(whole);
    hal_field *types = malloc((n_columns + 1) * sizeof *types);
    for (size_t i = 0; i < n_columns; i++)
        types[i] = *hal_table_field(whole, i);
    hal_reader_options asked = *options;
    asked.batch = take_batch;
    asked.batch_ctx = &seen;
    asked.batch_rows = 1 + n % 3;
    asked.types = types;
    asked.n_types = n_columns;
    hal_table *last = read_pieces(HAL_FORMAT_AUTO, bytes, n, 1 + n % 100, &asked, NULL);
    check(last && !hal_table_rows(last) && seen.n_rows == hal_table_rows(whole));
    check_rows(whole, 0, last);
    hal_table_unref(last);
    free(types);
}

static size_t put_number(char *out, uint64_t v, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++)
        out[i] = (char)(v >> 8 * i);
    return (size_t)n_bytes;
}

static uint32_t crc32_of(const char *bytes, size_t n)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        crc ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

/* In blocks that are stored, not squeezed: the unpacking is not ours to test. */
static size_t pack(char *out, const char *bytes, size_t n, bool zstd)
{
    static const char gzip_head[] = "\x1f\x8b\x08\0\0\0\0\0\0\xff",
                      zstd_head[] = "\x28\xb5\x2f\xfd\xa0";
    size_t size = zstd ? sizeof zstd_head - 1 : sizeof gzip_head - 1, at = 0;
    memcpy(out, zstd ? zstd_head : gzip_head, size);
    if (zstd)
        size += put_number(out + size, n, 4);
    do {
        size_t block = n - at < STORED_MAX ? n - at : STORED_MAX;
        bool last = at + block == n;
        if (zstd) {
            size += put_number(out + size, last | block << 3, 3);
        } else {
            size += put_number(out + size, last, 1);
            size += put_number(out + size, block, 2);
            size += put_number(out + size, ~block, 2);
        }
        memcpy(out + size, bytes + at, block);
        size += block;
        at += block;
    } while (at < n);
    if (!zstd) {
        size += put_number(out + size, crc32_of(bytes, n), 4);
        size += put_number(out + size, n, 4);
    }
    return size;
}

static bool is_packed(const char *bytes, size_t n)
{
    bool more;
    return n >= HAL_PACKING_MARK_BYTES &&
           hal_packing_of((hal_slice){bytes, n}, &more) != HAL_PACKING_NONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const hal_reader_options options = {.limits = {.rows_max = 10000, .columns_max = 200}};
    const char *bytes = (const char *)data;
    hal_table *t = read_pieces(HAL_FORMAT_AUTO, bytes, size, size ? size : 1, &options, NULL);
    hal_table *slow = read_pieces(HAL_FORMAT_AUTO, bytes, size, 1 + size % 7, &options, NULL);
    check_same(t, slow);
    if (size && !is_packed(bytes, size)) {
        char *packed = malloc(size + size / STORED_MAX * 5 + PACKED_EXTRA);
        size_t n = pack(packed, bytes, size, size & 1);
        hal_table *unpacked =
            read_pieces(HAL_FORMAT_AUTO, packed, n, 1 + size % 1000, &options, NULL);
        check_same(t, unpacked);
        hal_table_unref(unpacked);
        free(packed);
    }
    if (t)
        in_batches(bytes, size, t, &options);
    hal_table_unref(t);
    hal_table_unref(slow);
    return 0;
}
