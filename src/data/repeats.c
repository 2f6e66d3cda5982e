/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE /* mkostemp */
#include "data/repeats.h"

#include "base/alloc.h"
#include "base/read.h"
#include "base/write.h"
#include "data/cell.h"
#include "data/spool.h"
#include "data/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SLOTS_MAX = 1 << 22,         /* 8 bytes each; at most half of them are used */
    SLOTS_MIN = 1 << 10,         /* so many that chance does not fill them */
    DOUBTS_MAX = 1 << 16,        /* hashes that repeat: the rows of more cannot be put right */
    COPIES_MAX = 4 * DOUBTS_MAX, /* rows with these hashes */
    CHUNK = 8192,                /* hashes read or written at once */
};

struct hal_repeats {
    int fd;
    _Atomic uint64_t end;
};

hal_repeats *hal_repeats_new(const char *dir, hal_err *err)
{
    size_t size = strlen(dir) + 32;
    hal_repeats *r = hal_calloc(1, sizeof *r);
    char *path = hal_malloc(size);
    if (!r || !path) {
        hal_err_nomem(err, size);
        goto failed;
    }
    snprintf(path, size, "%s/.halyard-ids-XXXXXX", dir);
    r->fd = mkostemp(path, O_CLOEXEC);
    if (r->fd < 0) {
        hal_err_errno(err, errno, "cannot make a file for identifiers in %s", dir);
        goto failed;
    }
    unlink(path);
    hal_free(path);
    return r;
failed:
    hal_free(path);
    hal_free(r);
    return NULL;
}

void hal_repeats_free(hal_repeats *r)
{
    if (!r)
        return;
    close(r->fd);
    hal_free(r);
}

hal_repeats_note hal_repeats_reserve(hal_repeats *r, uint64_t n_rows)
{
    return (hal_repeats_note){atomic_fetch_add(&r->end, n_rows * sizeof(uint64_t)), 0};
}

/* Of the identifier as text: one that is a number in one answer may be text in another. */
static uint64_t hash_id(const hal_table *t, size_t i_id, uint64_t row)
{
    char room[HAL_CELL_TEXT_MAX];
    uint64_t h = hal_slice_hash(hal_cell_text(t, i_id, row, room));
    return h ? h : 1; /* 0 is an empty slot */
}

static hal_status write_all(int fd, const void *bytes, size_t n, uint64_t at, hal_err *err)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = pwrite(fd, (const char *)bytes + done, n - done, (off_t)(at + done));
        if (k < 0 && !hal_write_again(fd, errno))
            return hal_err_errno(err, errno, "cannot write identifiers");
        done += k > 0 ? (size_t)k : 0;
    }
    return HAL_OK;
}

hal_status hal_repeats_add(const hal_repeats *r, hal_repeats_note *note, const hal_table *t,
                           size_t i_id, hal_err *err)
{
    uint64_t *hash = hal_malloc(CHUNK * sizeof *hash);
    if (!hash)
        return hal_err_nomem(err, CHUNK * sizeof *hash);
    uint64_t n_rows = hal_table_rows(t);
    hal_status st = HAL_OK;
    for (uint64_t row = 0; row < n_rows && !st;) {
        size_t n = 0;
        for (; row < n_rows && n < CHUNK; row++)
            if (!hal_table_is_null(t, i_id, row))
                hash[n++] = hash_id(t, i_id, row);
        st = write_all(r->fd, hash, n * sizeof *hash, note->at + note->n * sizeof *hash, err);
        note->n += n;
    }
    hal_free(hash);
    return st;
}

/* --- Hashes that repeat -------------------------------------------------------------------------
 */

/* Sorted and each once when they are all there. */
typedef struct doubts {
    uint64_t *hash;
    size_t n;
    bool too_many; /* these are the first */
} doubts;

typedef struct hash_table {
    uint64_t *slot;
    size_t n_slots, n_used;
} hash_table;

/* Was it there before? */
static bool hash_table_put(hash_table *h, uint64_t hash)
{
    size_t at = hash & (h->n_slots - 1);
    while (h->slot[at] && h->slot[at] != hash)
        at = (at + 1) & (h->n_slots - 1);
    bool found = h->slot[at] == hash;
    h->slot[at] = hash;
    h->n_used += !found;
    return found;
}

static hal_status read_all(int fd, uint64_t *hash, size_t n, uint64_t at, hal_err *err)
{
    ssize_t got = hal_read_at(fd, hash, n * sizeof *hash, at);
    if (got < 0)
        return hal_err_errno(err, errno, "cannot read identifiers");
    if ((size_t)got < n * sizeof *hash)
        return hal_err_set(err, HAL_E_INTEGRITY, "noted identifiers are gone");
    return HAL_OK;
}

/* Of all hashes of a part those of pass `pass`: equal ones are in the same. */
static hal_status look_at_part(const hal_repeats *r, const hal_repeats_note *note, uint64_t pass,
                               uint64_t n_passes, hash_table *seen, doubts *d, uint64_t *chunk,
                               hal_err *err)
{
    for (uint64_t done = 0; done < note->n && !d->too_many;) {
        size_t n = note->n - done < CHUNK ? (size_t)(note->n - done) : CHUNK;
        hal_status st = read_all(r->fd, chunk, n, note->at + done * sizeof *chunk, err);
        if (st)
            return st;
        for (size_t i = 0; i < n && !d->too_many; i++) {
            if ((chunk[i] >> 32) * n_passes >> 32 != pass || !hash_table_put(seen, chunk[i]))
                continue;
            d->too_many = d->n == DOUBTS_MAX;
            if (!d->too_many)
                d->hash[d->n++] = chunk[i];
        }
        if (seen->n_used > seen->n_slots / 4 * 3)
            return hal_err_set(err, HAL_E_INTERNAL, "identifiers have too many equal hashes");
        done += n;
    }
    return HAL_OK;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static hal_status find_doubts(const hal_repeats *r, const hal_repeats_part *parts, size_t n_parts,
                              const _Atomic bool *cancel, doubts *d, hal_err *err)
{
    uint64_t total = 0;
    for (size_t i = 0; i < n_parts; i++)
        total += parts[i].note.n;
    uint64_t n_passes = total / (SLOTS_MAX / 2) + 1;
    hash_table seen = {.n_slots = SLOTS_MIN};
    while (seen.n_slots < SLOTS_MAX && seen.n_slots < 2 * total)
        seen.n_slots *= 2;
    uint64_t *chunk = hal_malloc(CHUNK * sizeof *chunk);
    seen.slot = hal_malloc(seen.n_slots * sizeof *seen.slot);
    d->hash = hal_malloc(DOUBTS_MAX * sizeof *d->hash);
    hal_status st = HAL_OK;
    if (!chunk || !seen.slot || !d->hash)
        st = hal_err_nomem(err, seen.n_slots * sizeof *seen.slot);
    for (uint64_t pass = 0; pass < n_passes && !st && !d->too_many; pass++) {
        memset(seen.slot, 0, seen.n_slots * sizeof *seen.slot);
        seen.n_used = 0;
        for (size_t i = 0; i < n_parts && !st; i++) {
            if (cancel && atomic_load_explicit(cancel, memory_order_relaxed))
                st = hal_err_set(err, HAL_E_CANCELLED, "cancelled while comparing identifiers");
            else
                st = look_at_part(r, &parts[i].note, pass, n_passes, &seen, d, chunk, err);
        }
    }
    hal_free(seen.slot);
    hal_free(chunk);
    if (st || !d->n)
        return st;
    qsort(d->hash, d->n, sizeof *d->hash, by_number);
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++)
        if (i == 0 || d->hash[i] != d->hash[n - 1])
            d->hash[n++] = d->hash[i];
    d->n = n;
    return HAL_OK;
}

/* --- The rows themselves ------------------------------------------------------------------------
 */

typedef struct copy {
    char *id; /* as text */
    size_t size, part;
    uint64_t row;
    double asked_s, ra, dec;
} copy;

typedef struct copies {
    const doubts *doubts;
    const hal_repeats_columns *columns;
    const _Atomic bool *cancel;
    const hal_repeats_part *parts;
    copy *list;
    size_t n, cap;
    bool too_many; /* these are the first */
    size_t part;   /* that is being read ... */
    uint64_t row;  /* ... and how many of its rows were */
} copies;

static double number(const hal_table *t, const char *column, uint64_t row)
{
    int i = column ? hal_table_find(t, column) : -1;
    if (i < 0 || hal_table_is_null(t, (size_t)i, row))
        return NAN;
    hal_kind kind = hal_column_kind(t, (size_t)i);
    return kind == HAL_KIND_FLOAT || kind == HAL_KIND_INT ? hal_cell_float(t, (size_t)i, row) : NAN;
}

static hal_status add_copy(copies *c, const hal_table *block, size_t i_id, uint64_t i, hal_err *err)
{
    if (c->n == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 64;
        copy *grown = hal_realloc(c->list, cap * sizeof *grown);
        if (!grown)
            return hal_err_nomem(err, cap * sizeof *grown);
        c->list = grown;
        c->cap = cap;
    }
    char room[HAL_CELL_TEXT_MAX];
    hal_slice text = hal_cell_text(block, i_id, i, room);
    char *id = hal_strndup(text.data, text.size_bytes);
    if (!id)
        return hal_err_nomem(err, text.size_bytes);
    c->list[c->n++] = (copy){
        .id = id,
        .size = text.size_bytes,
        .part = c->part,
        .row = c->row + i,
        .asked_s = c->parts[c->part].asked_s,
        .ra = number(block, c->columns->ra, i),
        .dec = number(block, c->columns->dec, i),
    };
    return HAL_OK;
}

static hal_status take_copies(void *ctx, const hal_table *block, hal_err *err)
{
    copies *c = ctx;
    if (c->cancel && atomic_load_explicit(c->cancel, memory_order_relaxed))
        return hal_err_set(err, HAL_E_CANCELLED, "cancelled while comparing identifiers");
    int i_id = hal_table_find(block, c->columns->id);
    uint64_t n_rows = hal_table_rows(block);
    hal_status st = HAL_OK;
    for (uint64_t i = 0; i < n_rows && i_id >= 0 && !c->too_many && !st; i++) {
        if (hal_table_is_null(block, (size_t)i_id, i))
            continue;
        uint64_t hash = hash_id(block, (size_t)i_id, i);
        if (!bsearch(&hash, c->doubts->hash, c->doubts->n, sizeof hash, by_number))
            continue;
        c->too_many = c->n == COPIES_MAX;
        if (!c->too_many)
            st = add_copy(c, block, (size_t)i_id, i, err);
    }
    c->row += n_rows;
    return st;
}

static int compare_ids(const copy *x, const copy *y)
{
    int order = memcmp(x->id, y->id, x->size < y->size ? x->size : y->size);
    return order ? order : (x->size > y->size) - (x->size < y->size);
}

/* By identifier, of each the newest copy last. */
static int by_id(const void *a, const void *b)
{
    const copy *x = a, *y = b;
    int order = compare_ids(x, y);
    if (!order)
        order = (x->asked_s > y->asked_s) - (x->asked_s < y->asked_s);
    return order ? order : (x->part > y->part) - (x->part < y->part);
}

static hal_status name(char **out, const copy *c, hal_err *err)
{
    *out = hal_strndup(c->id, c->size);
    return *out ? HAL_OK : hal_err_nomem(err, c->size);
}

static hal_status name_row(hal_repeats_report *report, const copy *c, hal_err *err)
{
    hal_repeats_row *row = &report->named[report->n_named++];
    row->ra = c->ra;
    row->dec = c->dec;
    return name(&row->id, c, err);
}

static hal_status add_old(hal_repeats_part *p, uint64_t row, hal_err *err)
{
    if ((p->n_old & (p->n_old - 1)) == 0) { /* full at powers of two */
        size_t cap = p->n_old ? 2 * p->n_old : 1;
        uint64_t *grown = hal_realloc(p->old, cap * sizeof *grown);
        if (!grown)
            return hal_err_nomem(err, cap * sizeof *grown);
        p->old = grown;
    }
    p->old[p->n_old++] = row;
    return HAL_OK;
}

/* Does an identifier repeat within one part? Parts of one identifier are in the order of asked_s,
 * that is, those of the same part are neighbours. */
static const copy *repeated(const copies *c)
{
    for (size_t i = 1; i < c->n; i++)
        if (c->list[i].part == c->list[i - 1].part &&
            compare_ids(&c->list[i], &c->list[i - 1]) == 0)
            return &c->list[i];
    return NULL;
}

static hal_status judge(copies *c, hal_repeats_part *parts, hal_repeats_report *report,
                        hal_err *err)
{
    if (c->n)
        qsort(c->list, c->n, sizeof *c->list, by_id);
    const copy *twice = repeated(c);
    if (twice)
        return name(&report->repeated, twice, err);
    if (c->too_many || c->doubts->too_many)
        return hal_err_set(err, HAL_E_INTEGRITY,
                           "more than %d rows came with two answers: the archive's table changes "
                           "too fast; run it again",
                           DOUBTS_MAX);
    hal_status st = HAL_OK;
    for (size_t i = 0; i + 1 < c->n && !st; i++) {
        const copy *old = &c->list[i];
        if (compare_ids(old, old + 1) != 0)
            continue;
        st = add_old(&parts[old->part], old->row, err);
        report->n_old++;
        bool named = i > 0 && compare_ids(old - 1, old) == 0;
        if (!st && !named && report->n_named < HAL_REPEATS_NAMED)
            st = name_row(report, old, err);
    }
    return st;
}

void hal_repeats_report_clear(hal_repeats_report *report)
{
    hal_free(report->repeated);
    for (size_t i = 0; i < report->n_named; i++)
        hal_free(report->named[i].id);
    *report = (hal_repeats_report){0};
}

hal_status hal_repeats_find(const hal_repeats *r, const hal_repeats_columns *columns,
                            hal_repeats_part *parts, size_t n_parts, const _Atomic bool *cancel,
                            hal_repeats_report *report, hal_err *err)
{
    doubts d = {0};
    copies c = {.doubts = &d, .columns = columns, .cancel = cancel, .parts = parts};
    *report = (hal_repeats_report){0};
    hal_status st = find_doubts(r, parts, n_parts, cancel, &d, err);
    for (; c.part < n_parts && d.n && !c.too_many && !st; c.part++) {
        c.row = 0;
        if (parts[c.part].note.n)
            st = hal_spool_read(parts[c.part].spool, take_copies, &c, err);
    }
    if (!st)
        st = judge(&c, parts, report, err);
    for (size_t i = 0; i < n_parts && !st; i++)
        if (parts[i].n_old)
            qsort(parts[i].old, parts[i].n_old, sizeof *parts[i].old, by_number);
    for (size_t i = 0; i < c.n; i++)
        hal_free(c.list[i].id);
    hal_free(c.list);
    hal_free(d.hash);
    if (st)
        hal_repeats_report_clear(report);
    return st;
}
