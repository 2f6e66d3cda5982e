/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows of TABLEDATA as services write them: <TR><TD>...</TD>...</TR> with blanks and comments
 * between. Whatever looks different ends the scan at the row's beginning; Expat reads that row then
 * and words the error, if it is one. */
#include "data/votable_cell.h"

#include "base/number_plain.h"
#include "data/json.h"

enum { MARKUP_MAX = 4096 }; /* so far its end is looked for: many without one stay cheap */

/* Where one of `<`, `&`, a control character, `]` or a byte beyond ASCII stands; eight at a time.
 * There are at least 8 bytes behind `end`. */
static const char *plain_end(const char *p, const char *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    for (; p < end; p += 8) {
        uint64_t x, lt, amp, bracket, low;
        memcpy(&x, p, sizeof x);
        lt = x ^ ones * '<';
        amp = x ^ ones * '&';
        bracket = x ^ ones * ']';
        low = x - ones * 0x20;
        lt = (lt - ones) & ~lt;
        amp = (amp - ones) & ~amp;
        bracket = (bracket - ones) & ~bracket;
        uint64_t found = (lt | amp | bracket | low | x) & high;
        if (found) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            return p + __builtin_ctzll(found) / 8;
#else
            while (*p != '<' && *p != '&' && *p != ']' && (unsigned char)*p >= 0x20 &&
                   (unsigned char)*p < 0x80)
                p++;
            return p;
#endif
        }
    }
    return end;
}

/* Behind the spaces at `p`, or at least some of them. */
static inline const char *skip_spaces(const char *p)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t x;
    memcpy(&x, p, sizeof x);
    x ^= UINT64_C(0x2020202020202020);
    return p + (x ? __builtin_ctzll(x) / 8 : 8);
#else
    return p;
#endif
}

static inline const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
        p = skip_spaces(p + 1);
    return p;
}

static bool next_is(const char *p, const char *word, size_t n)
{
    return !memcmp(p, word, n);
}

/* XML 1.0 section 2.2, beyond what is wrong UTF-8. */
static bool all_characters(const char *p, const char *end)
{
    for (; p < end; p++)
        if (((unsigned char)*p < 0x20 && *p != '\t' && *p != '\n' && *p != '\r') ||
            (end - p >= 3 && next_is(p, "\xef\xbf", 2) && (unsigned char)p[2] >= 0xbe))
            return false;
    return true;
}

/* Behind the comment or CDATA section that begins at `p`; NULL: it is neither, has no end near, or
 * holds `--` before its end. */
static const char *markup_end(const char *p, const char *end)
{
    bool comment = next_is(p, "<!--", 4);
    if (!comment && !next_is(p, "<![CDATA[", 9))
        return NULL;
    char mark = comment ? '-' : ']';
    if (end - p > MARKUP_MAX)
        end = p + MARKUP_MAX;
    for (p += comment ? 4 : 9; p < end && (p = memchr(p, mark, (size_t)(end - p))); p++)
        if (end - p >= 3 && p[1] == mark && (p[2] == '>' || comment))
            return p[2] == '>' ? p + 3 : NULL;
    return NULL;
}

/* What stands between cells and rows; NULL: for Expat. */
static const char *skip_between(const char *p, const char *end)
{
    p = skip_blanks(p, end);
    while (HAL_UNLIKELY(p < end && next_is(p, "<!--", 4))) {
        const char *next = markup_end(p, end);
        if (!next || hal_json_wrong_utf8(p, next) || !all_characters(p, next))
            return NULL;
        p = skip_blanks(next, end);
    }
    return p;
}

/* The end of a cell's text from `p` on, comments and CDATA sections being part of it. */
static const char *text_end(const char *p, const char *end)
{
    while (p && (p = memchr(p, '<', (size_t)(end - p))) && p[1] == '!')
        p = markup_end(p, end);
    return p;
}

/* Decodes references and markup; false: something Expat should look at. `*n` bytes in place of the
 * text. */
static bool decode(const char *p, const char *end, hal_vo_scratch *s, size_t *n)
{
    static const struct {
        const char *name;
        size_t size;
        char c;
    } entities[] = {
        {"&lt;", 4, '<'},   {"&gt;", 4, '>'},    {"&amp;", 5, '&'},
        {"&quot;", 6, '"'}, {"&apos;", 6, '\''},
    };
    char *out = s->text;
    const char *cdata_end = NULL; /* inside a section: its `]]>` */
    while (p < end) {
        if (p == cdata_end) {
            p += 3;
            cdata_end = NULL;
        } else if (*p == '\r') { /* XML 1.0 section 2.11 */
            *out++ = '\n';
            p += 1 + (p + 1 < end && p[1] == '\n');
        } else if (cdata_end) {
            *out++ = *p++;
        } else if (*p == '&') {
            size_t i = 0, n_entities = sizeof entities / sizeof *entities;
            while (i < n_entities && ((size_t)(end - p) < entities[i].size ||
                                      memcmp(p, entities[i].name, entities[i].size) != 0))
                i++;
            if (i == n_entities)
                return false;
            *out++ = entities[i].c;
            p += entities[i].size;
        } else if (*p == '<') {
            const char *behind = markup_end(p, end);
            bool comment = p[2] == '-';
            cdata_end = comment ? NULL : behind - 3;
            p = comment ? behind : p + 9;
        } else if (end - p >= 3 && next_is(p, "]]>", 3)) {
            return false;
        } else {
            *out++ = *p++;
        }
    }
    *n = (size_t)(out - s->text);
    return true;
}

/* The text of a cell from `p` on, in place or decoded; NULL: for Expat. */
static inline const char *find_text(const char *p, const char *end, hal_vo_scratch *s,
                                    hal_slice *text, hal_status *st, hal_err *err)
{
    const char *stop = plain_end(p, end);
    if (stop >= end)
        return NULL;
    *text = (hal_slice){p, (size_t)(stop - p)};
    if (HAL_LIKELY(*stop == '<' && stop[1] == '/'))
        return stop;
    stop = text_end(stop, end);
    if (!stop)
        return NULL;
    size_t n = (size_t)(stop - p);
    if (n + 8 > s->text_capacity) {
        *st = hal_vo_scratch_text(s, n + 8, err);
        if (*st)
            return NULL;
    }
    if (hal_json_wrong_utf8(p, stop) || !all_characters(p, stop) || !decode(p, stop, s, &n))
        return NULL;
    *text = (hal_slice){s->text, n};
    return stop;
}

/* Eight bytes at a time where there is room; at least 8 bytes behind `text` can be read. */
static inline hal_status put_string(hal_vec *v, hal_slice text, hal_err *err)
{
    uint64_t n = v->n_rows, at = (uint64_t)v->offsets[n];
    if (HAL_UNLIKELY(n == v->capacity || v->bytes_capacity - at < text.size_bytes + 8))
        return hal_vec_add_string(v, text, err);
    for (size_t i = 0; i < text.size_bytes; i += 8)
        memcpy(v->bytes + at + i, text.data + i, 8);
    v->offsets[n + 1] = (int64_t)(at + text.size_bytes);
    if (v->valid)
        v->valid[n / 8] |= (uint8_t)(1u << n % 8);
    v->n_rows++;
    return HAL_OK;
}

/* A text cell from `p` on; NULL: for Expat. */
static const char *take_string(const hal_vo_column *c, hal_vec *v, const char *p, const char *end,
                               hal_vo_scratch *s, hal_status *st, hal_err *err)
{
    hal_slice text;
    const char *stop = find_text(p, end, s, &text, st, err);
    if (!stop)
        return NULL;
    if (HAL_UNLIKELY(c->null_text && hal_slice_equals(text, hal_slice_of(c->null_text))))
        *st = hal_vec_pad(v, v->n_rows + 1, err);
    else
        *st = put_string(v, text, err);
    return *st ? NULL : stop;
}

/* Plain numbers of the common types; NULL: not that plain. */
static inline const char *take_number(const hal_vo_column *c, hal_vec *v, const char *p,
                                      hal_status *st, hal_err *err)
{
    hal_number_plain n;
    if (!hal_number_plain_scan(p, &n) || *n.end != '<')
        return NULL;
    if (v->type == HAL_TYPE_FLOAT64 || v->type == HAL_TYPE_FLOAT32) {
        double d;
        if (!hal_number_plain_double(&n, &d))
            return NULL;
        float f = (float)d;
        *st = v->type == HAL_TYPE_FLOAT64 ? hal_vo_put_value(v, &d, sizeof d, err)
                                          : hal_vo_put_value(v, &f, sizeof f, err);
        return *st ? NULL : n.end;
    }
    if (n.decimals >= 0 || n.w > (uint64_t)INT64_MAX)
        return NULL;
    int64_t i8 = n.minus ? -(int64_t)n.w : (int64_t)n.w;
    int32_t i4 = (int32_t)i8;
    int16_t i2 = (int16_t)i8;
    if (c->has_null && i8 == c->null_value)
        return NULL;
    if (v->type == HAL_TYPE_INT64)
        *st = hal_vo_put_value(v, &i8, sizeof i8, err);
    else if (v->type == HAL_TYPE_INT32 && i4 == i8)
        *st = hal_vo_put_value(v, &i4, sizeof i4, err);
    else if (v->type == HAL_TYPE_INT16 && i2 == i8)
        *st = hal_vo_put_value(v, &i2, sizeof i2, err);
    else
        return NULL;
    return *st ? NULL : n.end;
}

static const char *take_any(const hal_vo_column *c, hal_vec *v, const char *p, const char *end,
                            hal_vo_scratch *s, hal_status *st, hal_err *err)
{
    hal_slice text;
    const char *stop = find_text(p, end, s, &text, st, err);
    if (!stop)
        return NULL;
    hal_err quiet;
    hal_status cell = hal_vo_add_text(c, v, text, s, &quiet);
    if (cell == HAL_E_NOMEM)
        *st = hal_err_nomem(err, 0);
    return cell ? NULL : stop;
}

/* A cell without text. */
static hal_status take_empty(const hal_vo_column *c, hal_vec *v, hal_vo_scratch *s, hal_err *err)
{
    if (!v->valid || v->offsets || v->type == HAL_TYPE_BOOL || c->width != 1 ||
        v->n_rows == v->capacity)
        return hal_vo_add_text(c, v, (hal_slice){"", 0}, s, err);
    size_t size = (size_t)hal_items_bytes(v->type, 1);
    memset((char *)v->values + v->n_rows * size, 0, size);
    v->valid[v->n_rows / 8] &= (uint8_t) ~(1u << v->n_rows % 8);
    v->n_rows++;
    v->n_nulls++;
    return HAL_OK;
}

static void undo(hal_vec *v)
{
    v->n_rows--;
    if (v->valid && !(v->valid[v->n_rows / 8] >> v->n_rows % 8 & 1))
        v->n_nulls--;
}

/* A row's cells from behind its <TR>; NULL: for Expat, `*n_cells` columns have their cell. */
static const char *take_cells(const hal_vo_column *columns, size_t n_columns, hal_vec *vecs,
                              const char *p, const char *end, size_t *n_cells, hal_vo_scratch *s,
                              hal_status *st, hal_err *err)
{
    for (size_t i = 0; i < n_columns; i++) {
        const hal_vo_column *c = &columns[i];
        hal_vec *v = &vecs[i];
        *n_cells = i;
        if (*p == '\n')
            p = skip_spaces(p + 1);
        if (*p != '<' || p[1] != 'T')
            p = skip_between(p, end);
        if (!p || p >= end)
            return NULL;
        if (!next_is(p, "<TD>", 4)) {
            if (!next_is(p, "<TD/>", 5))
                return NULL;
            hal_err quiet;
            hal_status cell = take_empty(c, v, s, &quiet);
            if (cell == HAL_E_NOMEM)
                *st = hal_err_nomem(err, 0);
            if (cell)
                return NULL;
            p += 5;
            continue;
        }
        p += 4;
        const char *stop = NULL;
        if (c->is_text)
            stop = take_string(c, v, p, end, s, st, err);
        else if (c->width == 1 && c->datatype >= HAL_VO_SHORT && c->datatype <= HAL_VO_DOUBLE)
            stop = take_number(c, v, p, st, err);
        if (!stop && !*st && !c->is_text)
            stop = take_any(c, v, p, end, s, st, err);
        if (!stop)
            return NULL;
        *n_cells = i + 1;
        if (stop >= end || !next_is(stop, "</TD>", 5))
            return NULL;
        p = stop + 5;
    }
    *n_cells = n_columns;
    p = skip_between(p, end);
    return p && p < end && next_is(p, "</TR>", 5) ? p + 5 : NULL;
}

size_t hal_vo_scan_rows(const hal_vo_column *columns, size_t n_columns, hal_vec *vecs,
                        const char *text, size_t n, uint64_t *n_rows, hal_vo_scratch *s,
                        hal_status *st, hal_err *err)
{
    const char *p = text, *end = text + n;
    *n_rows = 0;
    *st = HAL_OK;
    for (;;) {
        const char *row = skip_between(p, end);
        if (!row || row >= end || !next_is(row, "<TR>", 4))
            break;
        size_t n_cells = 0;
        const char *next = take_cells(columns, n_columns, vecs, row + 4, end, &n_cells, s, st, err);
        if (!next) {
            for (size_t i = 0; i < n_cells; i++)
                undo(&vecs[i]);
            break;
        }
        p = next;
        ++*n_rows;
    }
    return (size_t)(p - text);
}
