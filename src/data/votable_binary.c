/* SPDX-License-Identifier: BSD-3-Clause */
/* Cells and rows of BINARY and BINARY2 (VOTable 1.5 section 6), one by one and, for blocks of whole
 * rows, column by column. */
#include "data/votable_cell.h"

#include "base/alloc.h"
#include "base/utf8.h"
#include "data/json.h"

static inline uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t get64(const uint8_t *p)
{
    return (uint64_t)get32(p) << 32 | get32(p + 4);
}

static inline uint64_t bytes_of(const hal_vo_column *c, uint64_t n)
{
    return c->datatype == HAL_VO_BIT ? (n + 7) / 8 : n * c->item_size;
}

hal_status hal_vo_layout_init(hal_vo_layout *l, const hal_vo_column *columns, size_t n_columns,
                              bool flags, hal_err *err)
{
    hal_vo_count *counts = hal_calloc(n_columns + 1, sizeof *counts);
    if (!counts)
        return hal_err_nomem(err, (n_columns + 1) * sizeof *counts);
    *l = (hal_vo_layout){columns, n_columns, flags, 0, counts, flags ? (n_columns + 7) / 8 : 0};
    for (size_t i = 0; i < n_columns; i++)
        if (columns[i].is_variable) {
            counts[l->n_counts++] = (hal_vo_count){l->behind, &columns[i]};
            l->behind = 0;
        } else {
            l->behind += bytes_of(&columns[i], columns[i].n_items);
        }
    return HAL_OK;
}

void hal_vo_layout_clear(hal_vo_layout *l)
{
    hal_free(l->counts);
    *l = (hal_vo_layout){0};
}

hal_status hal_vo_row_size(const hal_vo_layout *l, const uint8_t *p, const uint8_t *end,
                           uint64_t *size, hal_err *err)
{
    uint64_t at = 0, there = (uint64_t)(end - p);
    for (size_t i = 0; i < l->n_counts; i++) {
        const hal_vo_column *c = l->counts[i].column;
        at += l->counts[i].before;
        if (at + 4 > there) {
            *size = at + 4;
            return HAL_OK;
        }
        uint32_t n = get32(p + at);
        if (n > HAL_VO_CELL_ITEMS_MAX)
            return hal_err_set(err, HAL_E_INTEGRITY,
                               "column %s: a cell of %lld items, at most 2^28 can be", c->name,
                               (long long)(int32_t)n);
        at += 4 + bytes_of(c, n);
    }
    *size = at + l->behind;
    return HAL_OK;
}

static size_t from_utf16(char *out, const uint8_t *p, uint64_t n)
{
    size_t size = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t c = get16(p + 2 * i);
        if (c >= 0xd800 && c < 0xe000) {
            uint32_t next = c < 0xdc00 && i + 1 < n ? get16(p + 2 * i + 2) : 0;
            if (next >= 0xdc00 && next < 0xe000) {
                c = 0x10000 + ((c - 0xd800) << 10) + (next - 0xdc00);
                i++;
            } else {
                c = 0xfffd; /* half a pair: REPLACEMENT CHARACTER */
            }
        }
        size += hal_utf8_put(out + size, c);
    }
    return size;
}

static hal_status fill_blanks(const hal_vo_column *c, hal_vo_scratch *s, const uint8_t *p,
                              uint64_t n, hal_err *err)
{
    hal_status st = hal_vo_scratch_items(s, (size_t)n * c->item_size, 0, err);
    for (uint64_t i = 0; i < n && !st; i++)
        if (c->item_size == 1) {
            s->items[i] = p[i] ? p[i] : ' ';
        } else {
            bool nul = get16(p + 2 * i) == 0;
            s->items[2 * i] = nul ? 0 : p[2 * i];
            s->items[2 * i + 1] = nul ? ' ' : p[2 * i + 1];
        }
    return st;
}

/* Text ends at the first NUL; blanks fill up what has a fixed size (VOTable 1.5 section 6). */
static hal_status read_text(const hal_vo_column *c, const uint8_t *p, uint64_t n, hal_vo_scratch *s,
                            hal_slice *text, hal_err *err)
{
    uint64_t used = 0;
    if (c->is_list && n) { /* texts of one length behind each other: the filling becomes blanks */
        hal_status st = fill_blanks(c, s, p, n, err);
        if (st)
            return st;
        p = s->items;
    }
    if (c->datatype == HAL_VO_CHAR) {
        const uint8_t *nul = n ? memchr(p, 0, (size_t)n) : NULL;
        used = nul ? (uint64_t)(nul - p) : n;
        while (used && !c->is_variable && p[used - 1] == ' ')
            used--;
        *text = (hal_slice){(const char *)p, (size_t)used};
        if (!used || !hal_json_wrong_utf8(text->data, text->data + used))
            return HAL_OK;
    } else {
        while (used < n && get16(p + 2 * used))
            used++;
        while (used && !c->is_variable && get16(p + 2 * used - 2) == ' ')
            used--;
    }
    hal_status st = hal_vo_scratch_text(s, (size_t)used * 3 + 1, err);
    if (st)
        return st;
    size_t size = 0;
    if (c->datatype == HAL_VO_CHAR) /* not UTF-8: Latin-1 */
        for (uint64_t i = 0; i < used; i++)
            size += hal_utf8_put(s->text + size, p[i]);
    else
        size = from_utf16(s->text, p, used);
    *text = (hal_slice){s->text, size};
    return HAL_OK;
}

/* One item from its bytes; true when it is null. */
static bool get_item(const hal_vo_column *c, const uint8_t *p, uint8_t *out)
{
    int64_t n;
    switch (c->datatype) {
    case HAL_VO_BOOLEAN:
        *out = *p == 'T' || *p == 't' || *p == '1';
        return *p == 0 || *p == ' ' || *p == '?';
    case HAL_VO_UNSIGNED_BYTE:
        *out = *p;
        n = *p;
        break;
    case HAL_VO_SHORT: {
        uint16_t v = get16(p);
        memcpy(out, &v, sizeof v);
        n = (int16_t)v;
        break;
    }
    case HAL_VO_INT: {
        uint32_t v = get32(p);
        memcpy(out, &v, sizeof v);
        n = (int32_t)v;
        break;
    }
    case HAL_VO_LONG: {
        uint64_t v = get64(p);
        memcpy(out, &v, sizeof v);
        n = (int64_t)v;
        break;
    }
    case HAL_VO_FLOAT_COMPLEX:
    case HAL_VO_FLOAT: {
        uint32_t v = get32(p);
        memcpy(out, &v, sizeof v);
        if (c->datatype == HAL_VO_FLOAT_COMPLEX) {
            v = get32(p + 4);
            memcpy(out + 4, &v, sizeof v);
        }
        return false;
    }
    default: {
        uint64_t v = get64(p);
        memcpy(out, &v, sizeof v);
        if (c->datatype == HAL_VO_DOUBLE_COMPLEX) {
            v = get64(p + 8);
            memcpy(out + 8, &v, sizeof v);
        }
        return false;
    }
    }
    return c->has_null && n == c->null_value;
}

static bool is_wrong_bool(const hal_vo_column *c, uint8_t b)
{
    return c->datatype == HAL_VO_BOOLEAN && (b ? !strchr("TtFf10 ?", b) : false);
}

static hal_status add_binary_items(const hal_vo_column *c, hal_vec *v, const uint8_t *p, uint64_t n,
                                   hal_vo_scratch *s, hal_err *err)
{
    size_t size = hal_vo_native_size(c->datatype);
    hal_status st = hal_vo_scratch_items(s, (size_t)n * size + 1, (size_t)n + 1, err);
    if (st)
        return st;
    bool any_null = false;
    for (uint64_t i = 0; i < n; i++) {
        bool null = false;
        if (c->datatype == HAL_VO_BIT)
            s->items[i] = p[i / 8] >> (7 - i % 8) & 1;
        else if (is_wrong_bool(c, p[i]))
            return hal_err_set(err, HAL_E_INTEGRITY, "column %s: byte %u is not a boolean", c->name,
                               p[i]);
        else
            null = get_item(c, p + i * c->item_size, s->items + i * size);
        s->nulls[i] = null;
        any_null = any_null || null;
    }
    return hal_vo_add_items(c, v, s, n, any_null, err);
}

static hal_status add_cell(const hal_vo_column *c, hal_vec *v, const uint8_t *p, uint64_t n,
                           hal_vo_scratch *s, hal_err *err)
{
    if (c->is_text) {
        hal_slice text;
        hal_status st = read_text(c, p, n, s, &text, err);
        return st ? st : hal_vo_add_string(c, v, text, err);
    }
    if (c->width != 1 || c->datatype == HAL_VO_BIT)
        return add_binary_items(c, v, p, n, s, err);
    if (is_wrong_bool(c, *p))
        return hal_err_set(err, HAL_E_INTEGRITY, "column %s: byte %u is not a boolean", c->name,
                           *p);
    union {
        uint8_t bytes[16];
        int64_t align;
    } item;
    if (get_item(c, p, item.bytes))
        return hal_vo_add_null(v, err);
    return hal_vo_add_value(v, c->type, item.bytes, c->item_size, err);
}

hal_status hal_vo_add_row(const hal_vo_layout *l, hal_vec *vecs, const uint8_t *p,
                          hal_vo_scratch *s, hal_err *err)
{
    const uint8_t *flag = p;
    if (l->flags)
        p += (l->n_columns + 7) / 8;
    for (size_t i = 0; i < l->n_columns; i++) {
        const hal_vo_column *c = &l->columns[i];
        hal_vec *v = &vecs[i];
        uint64_t n = c->n_items;
        if (c->is_variable) {
            n = get32(p);
            p += 4;
        }
        hal_status st;
        if (l->flags && flag[i / 8] >> (7 - i % 8) & 1)
            st = hal_vo_add_null(v, err);
        else
            st = add_cell(c, v, p, n, s, err);
        if (st)
            return st;
        p += bytes_of(c, n);
    }
    return HAL_OK;
}

/* A column of a block of rows: cell i begins at bytes + cursors[i] + skip. */
typedef struct cells {
    const hal_vo_column *c;
    hal_vec *v;
    const uint8_t *bytes;
    const size_t *starts, *cursors;
    uint64_t skip, n;
    size_t flag_byte;
    unsigned flag_shift;
    bool flagged;   /* some row flags the column as null */
    uint8_t *valid; /* room for a bitmap of the rows */
} cells;

static inline const uint8_t *cell_at(const cells *x, uint64_t i)
{
    return x->bytes + x->cursors[i] + x->skip;
}

static inline bool is_flagged(const cells *x, uint64_t i)
{
    return x->flagged && (x->bytes[x->starts[i] + x->flag_byte] >> x->flag_shift & 1);
}

/* Numbers: all values in place, then zeros for those that are null. */
static hal_status add_numbers(const cells *x, hal_err *err)
{
    hal_vec *v = x->v;
    hal_status st = hal_vec_grow(v, x->n, err);
    if (st)
        return st;
    size_t size = x->c->item_size;
    uint8_t *out = (uint8_t *)v->values + v->n_rows * size;
    if (size == 8)
        for (uint64_t i = 0; i < x->n; i++) {
            uint64_t item = get64(cell_at(x, i));
            memcpy(out + 8 * i, &item, 8);
        }
    else if (size == 4)
        for (uint64_t i = 0; i < x->n; i++) {
            uint32_t item = get32(cell_at(x, i));
            memcpy(out + 4 * i, &item, 4);
        }
    else
        for (uint64_t i = 0; i < x->n; i++)
            get_item(x->c, cell_at(x, i), out + size * i);
    if (!x->flagged && !x->c->has_null)
        return hal_vec_commit(v, x->n, NULL, err);
    memset(x->valid, 0xff, (size_t)(x->n + 7) / 8);
    for (uint64_t i = 0; i < x->n; i++) {
        uint8_t item[8];
        if (is_flagged(x, i) || (x->c->has_null && get_item(x->c, cell_at(x, i), item))) {
            memset(out + size * i, 0, size);
            hal_bit_set(x->valid, i, false);
        }
    }
    return hal_vec_commit(v, x->n, x->valid, err);
}

/* Four UTF-16 units of ASCII, none of them NUL, as four bytes. */
static inline bool four_units(const uint8_t *p, char *out)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t x;
    memcpy(&x, p, 8);
    uint64_t y = x >> 8 & UINT64_C(0x00ff00ff00ff00ff);
    if ((x & UINT64_C(0x80ff80ff80ff80ff)) |
        ((y - UINT64_C(0x0001000100010001)) & UINT64_C(0x8000800080008000)))
        return false;
    y = (y | y >> 8) & UINT64_C(0x0000ffff0000ffff);
    uint32_t four = (uint32_t)(y | y >> 16);
    memcpy(out, &four, 4);
    return true;
#else
    (void)p;
    (void)out;
    return false;
#endif
}

/* The text of a cell to `out`, which has room for n + 8 bytes, when it is of ASCII without NUL. At
 * least 8 bytes behind the cell can be read. */
static bool copy_ascii(const hal_vo_column *c, const uint8_t *p, uint64_t n, char *out)
{
    uint64_t i = 0;
    uint8_t odd = 0;
    if (c->datatype == HAL_VO_CHAR) {
        const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
        for (; i + 8 <= n; i += 8) {
            uint64_t x;
            memcpy(&x, p + i, 8);
            if ((x | (x - ones)) & high)
                return false;
            memcpy(out + i, &x, 8);
        }
        for (; i < n; i++) {
            odd |= (uint8_t)(p[i] | (p[i] - 1));
            out[i] = (char)p[i];
        }
        return odd < 0x80;
    }
    while (i + 4 <= n && four_units(p + 2 * i, out + i))
        i += 4;
    for (; i < n; i++) {
        uint8_t low = p[2 * i + 1];
        odd |= (uint8_t)((p[2 * i] ? 0x80 : 0) | low | (low - 1));
        out[i] = (char)low;
    }
    return odd < 0x80;
}

static hal_status add_texts(const cells *x, hal_vo_scratch *s, hal_err *err)
{
    const hal_vo_column *c = x->c;
    hal_vec *v = x->v;
    hal_status st = hal_vec_grow(v, x->n, err);
    for (uint64_t i = 0; i < x->n && !st; i++) {
        const uint8_t *p = cell_at(x, i);
        uint64_t n = c->n_items, row = v->n_rows;
        if (c->is_variable) {
            n = get32(p);
            p += 4;
        }
        if (is_flagged(x, i)) {
            st = hal_vo_add_null(v, err);
            continue;
        }
        if (v->bytes_capacity - (uint64_t)v->offsets[row] < n + 8)
            st = hal_vec_reserve_bytes(v, n + 8, err);
        if (st)
            break;
        char *out = v->bytes + v->offsets[row];
        if (!copy_ascii(c, p, n, out)) {
            st = add_cell(c, v, p, n, s, err);
            continue;
        }
        while (n && !c->is_variable && out[n - 1] == ' ')
            n--;
        v->offsets[row + 1] = v->offsets[row] + (int64_t)n;
        if (v->valid)
            hal_bit_set(v->valid, row, true);
        v->n_rows++;
    }
    return st;
}

static hal_status add_others(const cells *x, hal_vo_scratch *s, hal_err *err)
{
    hal_status st = HAL_OK;
    for (uint64_t i = 0; i < x->n && !st; i++) {
        const uint8_t *p = cell_at(x, i);
        uint64_t n = x->c->n_items;
        if (x->c->is_variable) {
            n = get32(p);
            p += 4;
        }
        st = is_flagged(x, i) ? hal_vo_add_null(x->v, err) : add_cell(x->c, x->v, p, n, s, err);
    }
    return st;
}

static hal_status add_column(const cells *x, hal_vo_scratch *s, hal_err *err)
{
    const hal_vo_column *c = x->c;
    if (c->is_text)
        return c->is_list || c->null_text ? add_others(x, s, err) : add_texts(x, s, err);
    if (c->width == 1 && c->datatype >= HAL_VO_UNSIGNED_BYTE && c->datatype <= HAL_VO_DOUBLE)
        return add_numbers(x, err);
    return add_others(x, s, err);
}

/* The cursors go behind a column of variable cells. */
static void pass(const cells *x, size_t *cursors)
{
    for (uint64_t i = 0; i < x->n; i++)
        cursors[i] += (size_t)(x->skip + 4 + bytes_of(x->c, get32(cell_at(x, i))));
}

hal_status hal_vo_add_rows(const hal_vo_layout *l, hal_vec *vecs, const uint8_t *bytes,
                           const size_t *starts, uint64_t n, hal_vo_scratch *s, hal_err *err)
{
    size_t n_flags = l->flags ? (l->n_columns + 7) / 8 : 0;
    hal_status st = n ? hal_vo_scratch_rows(s, (size_t)n, n_flags, err) : HAL_OK;
    if (st || !n)
        return st;
    cells x = {.bytes = bytes, .starts = starts, .cursors = s->cursors, .n = n, .skip = n_flags};
    uint8_t *flags = s->bits;
    x.valid = s->bits + n_flags;
    memcpy(s->cursors, starts, (size_t)n * sizeof *starts);
    memset(flags, 0, n_flags);
    for (uint64_t i = 0; i < n; i++)
        for (size_t k = 0; k < n_flags; k++)
            flags[k] |= bytes[starts[i] + k];
    for (size_t i = 0; i < l->n_columns && !st; i++) {
        x.c = &l->columns[i];
        x.v = &vecs[i];
        x.flag_byte = i / 8;
        x.flag_shift = (unsigned)(7 - i % 8);
        x.flagged = n_flags && (flags[i / 8] >> x.flag_shift & 1);
        st = add_column(&x, s, err);
        if (x.c->is_variable) {
            pass(&x, s->cursors);
            x.skip = 0;
        } else {
            x.skip += bytes_of(x.c, x.c->n_items);
        }
    }
    return st;
}
