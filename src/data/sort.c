/* SPDX-License-Identifier: BSD-3-Clause */
/* One stable pass a key, the last key first. A value becomes 64 bits that order as it does: numbers
 * are sorted by their bytes, text by its first 8 bytes and then in full. */
#include "data/sort.h"

#include "base/alloc.h"
#include "data/cell.h"

#include <math.h>
#include <string.h>

typedef struct item {
    uint64_t key, row;
} item;

static uint64_t flip_int(int64_t v)
{
    return (uint64_t)v ^ (UINT64_C(1) << 63);
}

static uint64_t flip_double(double d)
{
    uint64_t bits;
    d = d == 0.0 ? 0.0 : d;
    memcpy(&bits, &d, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static uint64_t text_prefix(hal_slice s)
{
    uint64_t key = 0;
    for (size_t i = 0; i < 8; i++)
        key = key << 8 | (i < s.size_bytes ? (unsigned char)s.data[i] : 0);
    return key;
}

/* Stable, by the bytes of the key, lowest first; bytes that are the same everywhere are skipped. */
static void sort_by_bytes(item *items, item *room, uint64_t n)
{
    item *from = items, *to = room;
    for (int shift = 0; shift < 64; shift += 8) {
        uint64_t counts[256] = {0};
        for (uint64_t i = 0; i < n; i++)
            counts[from[i].key >> shift & 255]++;
        if (n == 0 || counts[from[0].key >> shift & 255] == n)
            continue;
        uint64_t at = 0;
        for (int b = 0; b < 256; b++) {
            uint64_t count = counts[b];
            counts[b] = at;
            at += count;
        }
        for (uint64_t i = 0; i < n; i++)
            to[counts[from[i].key >> shift & 255]++] = from[i];
        item *swap = from;
        from = to;
        to = swap;
    }
    if (from != items)
        memcpy(items, from, n * sizeof *items);
}

typedef struct text_order {
    const hal_table *t;
    size_t i_col;
    bool descending;
} text_order;

static bool is_after(const text_order *o, const item *a, const item *b)
{
    if (a->key != b->key)
        return o->descending ? a->key < b->key : a->key > b->key;
    int d = hal_cell_compare(o->t, o->i_col, a->row, b->row);
    return o->descending ? d < 0 : d > 0;
}

/* Stable merge sort, bottom up, from runs of one. */
static void sort_texts(const text_order *o, item *items, item *room, uint64_t n)
{
    item *from = items, *to = room;
    for (uint64_t width = 1; width < n; width *= 2) {
        for (uint64_t lo = 0; lo < n; lo += 2 * width) {
            uint64_t mid = lo + width < n ? lo + width : n;
            uint64_t hi = lo + 2 * width < n ? lo + 2 * width : n;
            uint64_t a = lo, b = mid, k = lo;
            while (a < mid && b < hi)
                to[k++] = is_after(o, &from[a], &from[b]) ? from[b++] : from[a++];
            while (a < mid)
                to[k++] = from[a++];
            while (b < hi)
                to[k++] = from[b++];
        }
        item *swap = from;
        from = to;
        to = swap;
    }
    if (from != items)
        memcpy(items, from, n * sizeof *items);
}

/* Reorders rows[0..n) by one key. */
static void pass(const hal_table *t, const hal_sort_key *key, uint64_t *rows, uint64_t n,
                 item *items, item *room)
{
    hal_kind kind = hal_field_kind(hal_table_field(t, key->i_col));
    uint64_t n_items = 0, n_nan = 0, n_null = 0;
    /* Rows without a place in the order wait at the ends of `room` and of `items`: together they
     * are n. */
    for (uint64_t i = 0; i < n; i++) {
        uint64_t row = rows[i], bits;
        if (hal_table_is_null(t, key->i_col, row)) {
            room[n_null++].row = row;
            continue;
        }
        if (kind == HAL_KIND_FLOAT) {
            double d = hal_cell_float(t, key->i_col, row);
            if (isnan(d)) {
                items[n - ++n_nan].row = row;
                continue;
            }
            bits = flip_double(d);
        } else if (kind == HAL_KIND_TEXT) {
            bits = text_prefix(hal_table_string(t, key->i_col, row));
        } else {
            bits = flip_int(hal_cell_int(t, key->i_col, row));
        }
        if (key->descending && kind != HAL_KIND_TEXT)
            bits = ~bits;
        items[n_items++] = (item){bits, row};
    }
    for (uint64_t i = 0; i < n_nan; i++)
        rows[n_items + i] = items[n - 1 - i].row;
    for (uint64_t i = 0; i < n_null; i++)
        rows[n_items + n_nan + i] = room[i].row;
    if (kind == HAL_KIND_TEXT)
        sort_texts(&(text_order){t, key->i_col, key->descending}, items, room, n_items);
    else
        sort_by_bytes(items, room, n_items);
    for (uint64_t i = 0; i < n_items; i++)
        rows[i] = items[i].row;
}

hal_status hal_table_sort(const hal_table *t, const hal_sort_key *keys, size_t n_keys,
                          uint64_t **rows, hal_err *err)
{
    uint64_t n = hal_table_rows(t);
    for (size_t k = 0; k < n_keys; k++) {
        hal_status st = hal_column_require_plain(t, keys[k].i_col, "sort", err);
        if (st)
            return st;
    }
    uint64_t *order = hal_malloc((n + 1) * sizeof *order);
    item *items = hal_malloc((n + 1) * sizeof *items), *room = hal_malloc((n + 1) * sizeof *room);
    if (!order || !items || !room) {
        hal_free(order);
        hal_free(items);
        hal_free(room);
        return hal_err_nomem(err, (n + 1) * sizeof *items);
    }
    for (uint64_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t k = n_keys; k-- > 0;)
        pass(t, &keys[k], order, n, items, room);
    hal_free(items);
    hal_free(room);
    *rows = order;
    return HAL_OK;
}
