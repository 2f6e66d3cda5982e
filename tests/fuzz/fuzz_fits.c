/* SPDX-License-Identifier: BSD-3-Clause */
/* FITS from arbitrary bytes, whole and in pieces; what is read is written and reads back. */
#include "tables.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CARD = 80, BLOCK = 2880 };

static const hal_reader_options options = {.limits = {.rows_max = 10000, .columns_max = 200}};

static void write_and_read(const hal_table *t)
{
    size_t n;
    char *bytes = write_bytes(t, HAL_FORMAT_FITS, &n);
    if (!bytes)
        return;
    hal_table *back = read_pieces(HAL_FORMAT_FITS, bytes, n, 4096, &(hal_reader_options){0}, NULL);
    check(back && hal_table_rows(back) == hal_table_rows(t) &&
          hal_table_columns(back) == hal_table_columns(t));
    hal_table_unref(back);
    free(bytes);
}

static void read_and_write(const char *bytes, size_t size)
{
    hal_table *t = read_pieces(HAL_FORMAT_FITS, bytes, size, size ? size : 1, &options, NULL);
    hal_table *slow = read_pieces(HAL_FORMAT_FITS, bytes, size, 7, &options, NULL);
    check_same(t, slow);
    if (t)
        write_and_read(t);
    hal_table_unref(t);
    hal_table_unref(slow);
}

static void pad(hal_buf *b, size_t unit, char with)
{
    while (b->size_bytes % unit)
        check(!hal_buf_append(b, &with, 1, NULL));
}

/* Where the next line "XTENSION..." begins, or the end. */
static const char *next_header(const char *p, const char *end)
{
    for (; end - p >= 10; p++)
        if (!memcmp(p, "\nXTENSION=", 10))
            return p + 1;
    return end;
}

/* A FITS file in short, so that inputs are small and their changes hit what matters: each line is
 * a card up to "END", the data follow up to the next line "XTENSION=". */
static void spell_out(hal_buf *out, const char *p, const char *end)
{
    while (p < end) {
        bool last = false;
        while (p < end && !last) {
            const char *eol = memchr(p, '\n', (size_t)(end - p));
            size_t n = (size_t)((eol ? eol : end) - p);
            last = n == 3 && !memcmp(p, "END", 3);
            check(!hal_buf_append(out, p, n < CARD ? n : CARD, NULL));
            pad(out, CARD, ' ');
            p = eol ? eol + 1 : end;
        }
        pad(out, BLOCK, ' ');
        const char *next = next_header(p - 1, end); /* from the line end behind END on */
        check(!hal_buf_append(out, p, (size_t)(next - p), NULL));
        pad(out, BLOCK, '\0');
        p = next;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    if (!size || !memchr(bytes, '\n', size < CARD ? size : CARD)) {
        read_and_write(bytes, size);
        return 0;
    }
    hal_buf file;
    hal_buf_init(&file, SIZE_MAX / 4);
    spell_out(&file, bytes, bytes + size);
    read_and_write(file.data, file.size_bytes);
    hal_buf_clear(&file);
    return 0;
}
