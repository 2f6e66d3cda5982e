/* SPDX-License-Identifier: BSD-3-Clause */
/* The fast way through rows that look like the row before: no events, no calls for a cell. */
#include "data/mashup.h"

#include "base/number_plain.h"

static inline uint64_t load8(const char *p)
{
    uint64_t w;
    memcpy(&w, p, 8);
    return w;
}

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const char *skip_blanks(const char *p)
{
    if (HAL_LIKELY((unsigned char)*p > ' '))
        return p;
    while (is_blank(*p))
        p++;
    return p;
}

/* Seven bytes behind either may be read. */
static inline bool same(const char *p, const char *key, size_t n)
{
    for (; n >= 8; n -= 8, p += 8, key += 8)
        if (load8(p) != load8(key))
            return false;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return n == 0 || (load8(p) ^ load8(key)) << (64 - 8 * n) == 0;
#else
    return memcmp(p, key, n) == 0;
#endif
}

/* The closing quote of a string of plain characters that begins at `p`; NULL: it has escapes,
 * characters beyond ASCII or no end. */
static inline const char *find_quote(const char *p)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    for (;; p += 8) {
        uint64_t w = load8(p), quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
        uint64_t special = (w | (w - ones * 0x20) | (quote - ones) | (slash - ones)) & tops;
        if (special) {
            p += __builtin_ctzll(special) / 8; /* the lowest mark is never a carry */
            break;
        }
    }
#else
    while ((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
        p++;
#endif
    return *p == '"' ? p : NULL;
}

static inline void count_row(hal_vec *v)
{
    if (v->valid)
        hal_bit_set(v->valid, v->n_rows, true);
    v->n_rows++;
}

static inline bool put_null(hal_vec *v)
{
    uint64_t row = v->n_rows;
    if (v->typed) {
        if (!v->valid)
            return false;
        hal_bit_set(v->valid, row, false);
        if (v->type == HAL_TYPE_STRING)
            v->offsets[row + 1] = v->offsets[row];
        else if (v->type == HAL_TYPE_BOOL)
            hal_bit_set(v->values, row, false);
        else
            ((int64_t *)v->values)[row] = 0;
    }
    v->n_nulls++;
    v->n_rows++;
    return true;
}

static inline bool put_string(hal_vec *v, const char *text, size_t n)
{
    int64_t at = v->offsets[v->n_rows];
    if (v->bytes_capacity - (uint64_t)at < n)
        return false;
    if (n)
        memcpy(v->bytes + at, text, n);
    v->offsets[v->n_rows + 1] = at + (int64_t)n;
    count_row(v);
    return true;
}

static inline bool put_number(hal_vec *v, const hal_number_plain *n)
{
    bool whole = n->decimals < 0;
    if (v->type == HAL_TYPE_FLOAT64) {
        if ((whole && n->w > UINT64_C(1) << 53) ||
            !hal_number_plain_double(n, (double *)v->values + v->n_rows))
            return false;
    } else if (v->type == HAL_TYPE_INT64 && whole && n->w <= INT64_MAX && !(n->minus && !n->w)) {
        ((int64_t *)v->values)[v->n_rows] = n->minus ? -(int64_t)n->w : (int64_t)n->w;
    } else {
        return false;
    }
    count_row(v);
    return true;
}

/* The value at `p` becomes the next cell. Returns its end; NULL, with nothing done, when the column
 * has no room, is of another type, or the value is not plain. */
static inline const char *take_cell(hal_vec *v, const char *p)
{
    hal_number_plain number;
    if (HAL_UNLIKELY(v->typed && v->n_rows == v->capacity))
        return NULL;
    switch (*p) {
    case '"': {
        const char *quote = v->typed && v->type == HAL_TYPE_STRING ? find_quote(p + 1) : NULL;
        return quote && put_string(v, p + 1, (size_t)(quote - p - 1)) ? quote + 1 : NULL;
    }
    case 'n':
        return memcmp(p, "null", 4) == 0 && put_null(v) ? p + 4 : NULL;
    case 't':
    case 'f': {
        bool on = *p == 't';
        if (!v->typed || v->type != HAL_TYPE_BOOL || memcmp(p, on ? "true" : "false", on ? 4 : 5))
            return NULL;
        hal_bit_set(v->values, v->n_rows, on);
        count_row(v);
        return p + (on ? 4 : 5);
    }
    default: {
        if (!v->typed || !hal_number_plain_scan(p, &number))
            return NULL;
        bool ends = *number.end == ',' || *number.end == '}' || is_blank(*number.end);
        return ends && put_number(v, &number) ? number.end : NULL;
    }
    }
}

/* Whether another row may begin: the limits of hal_mashup_rows_begin, which reports them. */
static bool may_begin(hal_mashup *m, const char *p)
{
    const hal_json *j = &m->json;
    uint64_t paid = 16 * (j->window_offset + (uint64_t)(p - j->window));
    return m->n_rows < m->asked.limits.rows_max && m->n_rows * m->met.n <= paid;
}

void hal_mashup_rows_ahead(hal_mashup *m)
{
    hal_json *j = &m->json;
    const char *p = j->p;
    bool was_in_row = hal_mashup_place_now(m) == HAL_PLACE_ROW, in_row = was_in_row;
    hal_json_expect expect = j->expect;
    if (m->cell || j->scanned || (in_row && expect == HAL_JSON_EXPECT_COLON))
        return;
    for (;;) {
        const char *q = skip_blanks(p);
        if (expect == HAL_JSON_EXPECT_COMMA) {
            if (*q == '}' && in_row) {
                p = q + 1;
                in_row = false;
                m->n_rows++;
                continue;
            }
            if (*q != ',')
                break;
            q = skip_blanks(q + 1);
        }
        if (!in_row) {
            if (*q != '{' || !may_begin(m, q))
                break;
            p = q + 1;
            in_row = true;
            m->i_cell = 0;
            expect = HAL_JSON_EXPECT_KEY_OR_END;
            continue;
        }
        if (m->i_cell >= m->order_capacity || m->order[m->i_cell] >= m->met.n)
            break;
        hal_mashup_column *c = &m->met.at[m->order[m->i_cell]];
        size_t n = c->name_size + 2;
        if (!c->plain || c->vec.n_rows != m->n_rows || (size_t)(j->end - q) < n ||
            !same(q, c->quoted, n))
            break;
        q = skip_blanks(q + n);
        if (*q != ':')
            break;
        q = take_cell(&c->vec, skip_blanks(q + 1));
        if (!q)
            break;
        p = q;
        expect = HAL_JSON_EXPECT_COMMA;
        m->i_cell++;
    }
    j->p = p;
    j->expect = expect;
    if (in_row && !was_in_row) {
        m->places[j->depth] = HAL_PLACE_ROW;
        hal_json_enter_object(j);
    } else if (was_in_row && !in_row) {
        j->depth--;
    }
}
