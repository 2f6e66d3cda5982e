/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/csv_block.h"

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/number_plain.h"
#include "data/json.h"

#include <math.h>

enum { TEXT_SLACK = 8 }; /* behind the texts, which are copied by eight bytes */

/* The eight bytes at `p`, the first one lowest. */
static inline uint64_t load(const char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

static const uint64_t every_01 = UINT64_C(0x0101010101010101), every_80 = every_01 << 7;

bool hal_csv_double(hal_slice text, double *out)
{
    if (!hal_number_read_double(text, out))
        return false;
    bool whole = *out > 9007199254740992.0 || *out < -9007199254740992.0;
    for (size_t i = 0; i < text.size_bytes && whole; i++)
        whole = text.data[i] != '.' && text.data[i] != 'e' && text.data[i] != 'E' &&
                text.data[i] != 'i';
    int64_t n;
    return !whole && (!hal_number_read_int64(text, &n) || hal_number_fits_double(n));
}

static bool is_bool(hal_slice text)
{
    return hal_slice_equals(text, hal_slice_of("true")) ||
           hal_slice_equals(text, hal_slice_of("false"));
}

hal_csv_kind hal_csv_kind_of(hal_slice text, hal_csv_kind so_far)
{
    int64_t i;
    double d;
    switch (so_far) {
    case HAL_CSV_OPEN:
        if (is_bool(text))
            return HAL_CSV_BOOL;
        if (hal_number_read_int64(text, &i))
            return HAL_CSV_INT;
        return hal_csv_double(text, &d) ? HAL_CSV_FLOAT : HAL_CSV_STRING;
    case HAL_CSV_BOOL:
        return is_bool(text) ? HAL_CSV_BOOL : HAL_CSV_STRING;
    case HAL_CSV_INT:
        if (hal_number_read_int64(text, &i))
            return HAL_CSV_INT;
        return hal_csv_double(text, &d) ? HAL_CSV_FLOAT : HAL_CSV_STRING;
    case HAL_CSV_FLOAT:
        return hal_csv_double(text, &d) ? HAL_CSV_FLOAT : HAL_CSV_STRING;
    default:
        return HAL_CSV_STRING;
    }
}

bool hal_csv_plain_decimal(const char *p, const char *end, double *out, uint8_t *decimals,
                           uint8_t *low)
{
    char room[40] = {0};
    size_t n = (size_t)(end - p);
    hal_number_plain v;
    if (n > 24)
        return false;
    memcpy(room, p, n);
    if (!hal_number_plain_scan(room, &v) || v.end != room + n || v.w > HAL_CSV_PLAIN_MAX ||
        !hal_number_plain_double(&v, out))
        return false;
    *decimals = (uint8_t)(v.decimals < 0 ? 0 : v.decimals);
    *low = (uint8_t)v.w;
    return true;
}

/* What a row can end a cell with. */
typedef struct scanner {
    hal_csv_block *b;
    const char *p, *end;
    char separator;
    uint64_t n_newlines; /* inside quotes of this row */
} scanner;

typedef enum outcome { NEXT, STOP, WIDEN, NO_MEMORY } outcome;

static inline bool ends_cell(const scanner *s, char c)
{
    return c == s->separator || c == '\n' || c == '\r';
}

/* Where a cell without quotes ends, or `end`. */
static inline const char *find_end(const scanner *s, const char *p)
{
    const uint64_t separator = every_01 * (unsigned char)s->separator;
    while (p < s->end) {
        uint64_t v = load(p), cut = v ^ separator, quote = v ^ every_01 * '"';
        /* Line ends among others; borrows only go upwards: the lowest flag is right. */
        uint64_t low = v - every_01 * ('\r' + 1);
        uint64_t flags =
            (((cut - every_01) & ~cut) | ((quote - every_01) & ~quote) | (low & ~v)) & every_80;
        if (!flags) {
            p += 8;
            continue;
        }
        p += __builtin_ctzll(flags) / 8;
        if (HAL_UNLIKELY(p >= s->end))
            break;
        if (HAL_LIKELY(ends_cell(s, *p) || *p == '"'))
            return p;
        p++;
    }
    return s->end;
}

/* The cell at s->p: its text, where it ends. False: not a whole regular cell. */
static inline bool find_cell(scanner *s, hal_csv_text *text, bool *quoted, const char **cell_end)
{
    const char *p = s->p, *end = s->end;
    *quoted = p < end && *p == '"';
    bool doubled = false;
    const char *first = p;
    if (*quoted) {
        first = ++p;
        for (;;) {
            while (p < end && *p != '"') {
                s->n_newlines += *p == '\n';
                p++;
            }
            if (p == end)
                return false;
            if (p + 1 < end && p[1] == '"') {
                doubled = true;
                p += 2;
                continue;
            }
            break;
        }
        *cell_end = p + 1;
    } else {
        p = find_end(s, p);
        *cell_end = p;
    }
    if (*cell_end >= end || !ends_cell(s, **cell_end) || (size_t)(p - first) > HAL_CSV_CELL_MAX)
        return false;
    text->at = (uint32_t)(first - s->b->bytes);
    text->size = (uint32_t)(p - first) & 0x7fffffffu;
    text->doubled = doubled;
    return true;
}

static inline void add_null(hal_csv_block_column *c, uint64_t row)
{
    c->valid[row / 8] = (uint8_t)(c->valid[row / 8] & ~(1u << row % 8));
    c->values.ints[row] = 0;
    c->spelling.decimals[row] = 0;
    c->n_nulls++;
}

static bool add_odd(hal_csv_block_column *c, hal_csv_text text)
{
    if (c->n_odd == c->odd_capacity) {
        size_t capacity = c->odd_capacity ? 2 * c->odd_capacity : 64;
        hal_csv_text *grown = hal_realloc(c->odd, capacity * sizeof *grown);
        if (!grown)
            return false;
        c->odd = grown;
        c->odd_capacity = capacity;
    }
    c->odd[c->n_odd++] = text;
    return true;
}

/* Any cell, the slow way. */
static outcome any_cell(scanner *s, hal_csv_block_column *c, uint64_t row)
{
    hal_csv_text text;
    bool quoted;
    const char *end;
    if (!find_cell(s, &text, &quoted, &end))
        return STOP;
    s->p = end;
    if (text.size == 0 && !quoted) {
        add_null(c, row);
        return NEXT;
    }
    if (c->kind == HAL_CSV_STRING) {
        c->values.texts[row] = text;
        return NEXT;
    }
    hal_slice slice = {s->b->bytes + text.at, text.size};
    hal_csv_kind kind = text.doubled ? HAL_CSV_STRING : hal_csv_kind_of(slice, c->kind);
    if (kind != c->kind) {
        bool open = c->kind == HAL_CSV_OPEN;
        c->kind = kind;
        if (!open)
            return WIDEN;
        if (kind == HAL_CSV_STRING)
            memset(c->values.texts, 0, row * sizeof *c->values.texts);
        if (kind == HAL_CSV_FLOAT)
            memset(c->spelling.decimals, 0, row);
    }
    switch (kind) {
    case HAL_CSV_BOOL:
        c->values.ints[row] = slice.size_bytes == 4;
        return NEXT;
    case HAL_CSV_INT:
        if (!hal_number_read_int64(slice, &c->values.ints[row]))
            return STOP;
        c->wide = c->wide || !hal_number_fits_double(c->values.ints[row]);
        return NEXT;
    case HAL_CSV_FLOAT:
        if (hal_csv_plain_decimal(slice.data, slice.data + slice.size_bytes,
                                  &c->values.doubles[row], &c->spelling.decimals[row],
                                  &c->spelling.low[row])) {
            c->is_long = true;
            return NEXT;
        }
        if (!hal_csv_double(slice, &c->values.doubles[row]))
            return STOP;
        c->spelling.decimals[row] = HAL_CSV_ODD;
        return add_odd(c, text) ? NEXT : NO_MEMORY;
    default:
        c->values.texts[row] = text;
        return NEXT;
    }
}

static inline outcome read_cell(scanner *s, hal_csv_block_column *c, uint64_t row)
{
    const char *p = s->p;
    hal_number_plain v;
    if (ends_cell(s, *p) && p < s->end) {
        add_null(c, row);
        return NEXT;
    }
    switch (c->kind) {
    case HAL_CSV_INT:
        if (!hal_number_plain_scan(p, &v) || v.decimals >= 0 || !ends_cell(s, *v.end) ||
            v.end >= s->end || v.w > INT64_MAX || (v.minus && !v.w))
            break;
        c->values.ints[row] = v.minus ? -(int64_t)v.w : (int64_t)v.w;
        c->wide = c->wide || v.w > UINT64_C(1) << 53;
        s->p = v.end;
        return NEXT;
    case HAL_CSV_FLOAT:
        if (!hal_number_plain_scan(p, &v) || !ends_cell(s, *v.end) || v.end >= s->end ||
            v.w > HAL_CSV_PLAIN_MAX || (v.decimals < 0 && v.w > UINT64_C(1) << 53) ||
            !hal_number_plain_double(&v, &c->values.doubles[row]))
            break;
        c->spelling.decimals[row] = (uint8_t)(v.decimals < 0 ? 0 : v.decimals);
        c->spelling.low[row] = (uint8_t)v.w;
        c->is_long |= v.w > HAL_CSV_SHORT_MAX;
        s->p = v.end;
        return NEXT;
    case HAL_CSV_STRING:
        s->p = *p == '"' ? s->end : find_end(s, p);
        if (s->p == s->end || *s->p == '"') {
            s->p = p;
            break;
        }
        c->values.texts[row] =
            (hal_csv_text){(uint32_t)(p - s->b->bytes), (uint32_t)(s->p - p) & 0x7fffffffu, 0};
        return NEXT;
    default:
        break;
    }
    return any_cell(s, c, row);
}

static outcome read_row(scanner *s)
{
    hal_csv_block *b = s->b;
    uint64_t row = b->n_rows;
    s->n_newlines = 0;
    if (*s->p == '#' || *s->p == '@') /* may be a comment, which must not widen a column */
        return STOP;
    for (size_t i = 0; i < b->n_columns; i++) {
        outcome done = read_cell(s, &b->columns[i], row);
        if (HAL_UNLIKELY(done != NEXT))
            return done;
        bool last = i + 1 == b->n_columns;
        if (HAL_LIKELY(!last)) {
            if (HAL_UNLIKELY(*s->p != s->separator))
                return STOP;
            s->p++;
        }
    }
    if (*s->p == '\r')
        s->p++;
    if (s->p >= s->end || *s->p != '\n')
        return STOP;
    s->p++;
    return NEXT;
}

/* A cell of the row that is dropped must leave nothing behind. */
static void drop_row(hal_csv_block *b)
{
    uint64_t row = b->n_rows;
    for (size_t i = 0; i < b->n_columns; i++) {
        hal_csv_block_column *c = &b->columns[i];
        uint64_t n_valid = 0;
        for (uint64_t k = 0; k < row; k++)
            n_valid += c->valid[k / 8] >> k % 8 & 1;
        c->n_nulls = row - n_valid;
        if (!n_valid && c->kind != HAL_CSV_STRING)
            c->wide = false;
        size_t n_odd = 0;
        for (uint64_t k = 0; k < row && c->kind == HAL_CSV_FLOAT; k++)
            n_odd += c->spelling.decimals[k] == HAL_CSV_ODD && (c->valid[k / 8] >> k % 8 & 1);
        c->n_odd = n_odd;
    }
}

static size_t count_lines(const char *p, size_t n)
{
    size_t lines = 0;
    for (const char *end = p + n; (p = memchr(p, '\n', (size_t)(end - p))); p++)
        lines++;
    return lines;
}

/* Room for more rows than the block has, so that there is a place behind them. */
static size_t rows_room(const hal_csv_block *b, size_t n_columns)
{
    size_t lines = count_lines(b->bytes, b->size_bytes);
    size_t most = b->size_bytes / n_columns + 1; /* every cell takes a byte */
    size_t n = lines < most ? lines : most;
    return (n + n / 8) / 64 * 64 + 128; /* the next block will hardly have more */
}

static hal_status lay_out(hal_csv_block *b, size_t n_columns, const hal_csv_kind *kinds,
                          size_t capacity)
{
    size_t each = capacity * 10 + capacity / 8;
    size_t size = n_columns * (each + sizeof *b->columns) + b->size_bytes + TEXT_SLACK;
    if (size > b->arena_size) {
        hal_free(b->arena);
        b->n_columns = 0; /* they were in it */
        b->arena = hal_malloc(size);
        b->arena_size = b->arena ? size : 0;
        if (!b->arena)
            return HAL_E_NOMEM;
    }
    char *at = b->arena;
    b->columns = (hal_csv_block_column *)(void *)at;
    at += n_columns * sizeof *b->columns;
    for (size_t i = 0; i < n_columns; i++, at += each)
        b->columns[i] = (hal_csv_block_column){
            .kind = kinds[i],
            .values.ints = (int64_t *)(void *)at,
            .spelling = {.low = (uint8_t *)at + 8 * capacity,
                         .decimals = (uint8_t *)at + 9 * capacity},
            .valid = (uint8_t *)at + 10 * capacity,
        };
    for (size_t i = 0; i < n_columns; i++)
        memset(b->columns[i].valid, 0xff, capacity / 8);
    b->texts = at;
    b->n_columns = n_columns;
    b->capacity = capacity;
    b->n_rows = b->n_lines = 0;
    return HAL_OK;
}

static void forget_odd(hal_csv_block *b)
{
    for (size_t i = 0; i < b->n_columns; i++) {
        hal_free(b->columns[i].odd);
        b->columns[i].odd = NULL;
        b->columns[i].n_odd = b->columns[i].odd_capacity = 0;
    }
}

static void begin_again(hal_csv_block *b)
{
    forget_odd(b);
    for (size_t i = 0; i < b->n_columns; i++) {
        hal_csv_block_column *c = &b->columns[i];
        memset(c->valid, 0xff, b->n_rows / 8 + 1);
        c->n_nulls = 0;
        c->wide = c->is_long = false;
    }
    b->n_rows = b->n_lines = 0;
}

static size_t copy_undoubled(char *to, const char *from, size_t n)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        to[used++] = from[i];
        i += from[i] == '"';
    }
    return used;
}

/* Texts to `to`, one behind the other; each gives its place to an offset. Returns the end. */
static char *gather_texts(const hal_csv_block *b, hal_csv_block_column *c, char *to)
{
    int64_t *offsets = c->values.offsets, at = 0;
    c->bytes = to;
    for (uint64_t i = 0; i < b->n_rows; i++) {
        hal_csv_text text;
        memcpy(&text, &offsets[i], sizeof text);
        offsets[i] = at;
        const char *from = b->bytes + text.at;
        size_t n = text.size;
        if (HAL_UNLIKELY(text.doubled))
            n = copy_undoubled(to + at, from, n);
        else
            for (size_t k = 0; k < n; k += 8) /* most are short; what is too much is overwritten */
                memcpy(to + at + k, from + k, 8);
        at += (int64_t)n;
    }
    offsets[b->n_rows] = at;
    return to + at;
}

static void gather_bools(const hal_csv_block *b, hal_csv_block_column *c)
{
    uint8_t byte = 0;
    for (uint64_t i = 0; i < b->n_rows; i++) {
        byte = (uint8_t)(byte | (c->values.ints[i] ? 1u << i % 8 : 0));
        if (i % 8 == 7 || i + 1 == b->n_rows) {
            c->values.bits[i / 8] = byte; /* never before what is still to be read */
            byte = 0;
        }
    }
}

/* The values become those of a table's column, in the memory where they were collected. */
static void gather(hal_csv_block *b)
{
    char *to = b->texts;
    _Static_assert(sizeof(hal_csv_text) == sizeof(int64_t), "an offset takes the place of a text");
    for (size_t i = 0; i < b->n_columns; i++) {
        hal_csv_block_column *c = &b->columns[i];
        c->bytes = to;
        if (c->kind == HAL_CSV_STRING)
            to = gather_texts(b, c, to);
        else if (c->kind == HAL_CSV_BOOL)
            gather_bools(b, c);
        else if (c->kind == HAL_CSV_OPEN)
            c->values.ints[b->n_rows] = 0; /* the last offset, if it is one of texts */
    }
}

hal_status hal_csv_block_read(hal_csv_block *b, size_t n_columns, char separator,
                              const hal_csv_kind *kinds)
{
    forget_odd(b);
    size_t room = b->n_columns == n_columns ? b->capacity : rows_room(b, n_columns);
    hal_status st = lay_out(b, n_columns, kinds, room);
    b->consumed = 0;
    if (st)
        return st;
    const char *end = b->bytes + b->size_bytes;
    uint64_t high = 0;
    for (const char *p = b->bytes; p < end; p += 8)
        high |= load(p);
    if (high & every_80 && hal_json_wrong_utf8(b->bytes, end))
        return HAL_OK; /* all of it is read byte by byte */
    scanner s = {.b = b, .p = b->bytes, .end = end, .separator = separator};
    while (s.p < end) {
        const char *row_start = s.p;
        if (HAL_UNLIKELY(b->n_rows + 1 >= b->capacity)) { /* the rows are shorter than before */
            forget_odd(b);
            st = lay_out(b, n_columns, kinds, rows_room(b, n_columns));
            if (st)
                return st;
            s.p = b->bytes;
            continue;
        }
        outcome done = read_row(&s);
        if (HAL_LIKELY(done == NEXT)) {
            b->n_rows++;
            b->n_lines += 1 + s.n_newlines;
            continue;
        }
        if (done == NO_MEMORY)
            return HAL_E_NOMEM;
        if (done == WIDEN) {
            begin_again(b);
            s.p = b->bytes;
            continue;
        }
        s.p = row_start;
        drop_row(b);
        break;
    }
    b->consumed = (size_t)(s.p - b->bytes);
    gather(b);
    return HAL_OK;
}

hal_column hal_csv_block_values(const hal_csv_block_column *c, hal_type type)
{
    bool text = type == HAL_TYPE_STRING;
    return (hal_column){.valid = c->n_nulls ? c->valid : NULL,
                        .n_nulls = c->n_nulls,
                        .values = text ? NULL : c->values.ints,
                        .offsets = text ? c->values.offsets : NULL,
                        .bytes = c->bytes};
}

void hal_csv_block_clear(hal_csv_block *b)
{
    forget_odd(b);
    hal_free(b->arena);
    b->arena = NULL;
    b->arena_size = 0;
    b->n_columns = 0;
}
