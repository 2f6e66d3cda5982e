/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows of TABLEDATA as services write them: <TR><TD>...</TD>...</TR> with blanks between. Whatever
 * looks different ends the scan at the row's beginning; Expat reads that row then and words the
 * error, if it is one. */
#include "data/votable_cell.h"

#include "base/number.h"
#include "data/json.h"

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

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
        p++;
    return p;
}

static bool next_is(const char *p, const char *word, size_t n)
{
    return !memcmp(p, word, n);
}

/* Decodes references; false: something Expat should look at. `*n` bytes in place of the text. */
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
    while (p < end) {
        if (*p == '&') {
            size_t i = 0, n_entities = sizeof entities / sizeof *entities;
            while (i < n_entities && ((size_t)(end - p) < entities[i].size ||
                                      memcmp(p, entities[i].name, entities[i].size) != 0))
                i++;
            if (i == n_entities)
                return false;
            *out++ = entities[i].c;
            p += entities[i].size;
        } else if (*p == '\r') { /* XML 1.0 section 2.11 */
            *out++ = '\n';
            p += 1 + (p + 1 < end && p[1] == '\n');
        } else if (((unsigned char)*p < 0x20 && *p != '\t' && *p != '\n') ||
                   (end - p >= 3 && !memcmp(p, "]]>", 3)) ||
                   (end - p >= 3 && !memcmp(p, "\xef\xbf", 2) && (unsigned char)p[2] >= 0xbe)) {
            return false;
        } else {
            *out++ = *p++;
        }
    }
    *n = (size_t)(out - s->text);
    return true;
}

/* A text cell from `p` on; NULL: for Expat. */
static const char *take_string(const hal_vo_column *c, hal_vec *v, const char *p, const char *end,
                               hal_vo_scratch *s, hal_status *st, hal_err *err)
{
    const char *stop = plain_end(p, end);
    if (stop >= end)
        return NULL;
    hal_slice text = {p, (size_t)(stop - p)};
    if (HAL_UNLIKELY(*stop != '<')) {
        stop = memchr(stop, '<', (size_t)(end - stop));
        if (!stop)
            return NULL;
        size_t n = (size_t)(stop - p);
        if (n > s->text_capacity) {
            *st = hal_vo_scratch_text(s, n, err);
            if (*st)
                return NULL;
        }
        if (hal_json_wrong_utf8(p, stop) || !decode(p, stop, s, &n))
            return NULL;
        text = (hal_slice){s->text, n};
    }
    if (HAL_UNLIKELY(c->null_text && hal_slice_equals(text, hal_slice_of(c->null_text))))
        *st = hal_vec_pad(v, v->n_rows + 1, err);
    else
        *st = hal_vec_add_string(v, text, err);
    return *st ? NULL : stop;
}

/* Plain numbers of the common types; NULL: not that plain. */
static const char *take_number(const hal_vo_column *c, hal_vec *v, const char *p, const char *end,
                               hal_status *st, hal_err *err)
{
    hal_number n;
    hal_number_kind kind = hal_number_scan(p, end, &n);
    if (kind != HAL_NUMBER_INT && kind != HAL_NUMBER_FLOAT)
        return NULL;
    p += n.size_bytes;
    if (*p != '<')
        return NULL;
    if (c->datatype == HAL_VO_DOUBLE || c->datatype == HAL_VO_FLOAT) {
        double d = kind == HAL_NUMBER_INT ? (double)n.i : n.d;
        float f = (float)d;
        *st = c->datatype == HAL_VO_DOUBLE ? hal_vo_add_value(v, c->type, &d, sizeof d, err)
                                           : hal_vo_add_value(v, c->type, &f, sizeof f, err);
    } else {
        if (kind != HAL_NUMBER_INT || (c->has_null && n.i == c->null_value))
            return NULL;
        int64_t i8 = n.i;
        int32_t i4 = (int32_t)i8;
        int16_t i2 = (int16_t)i8;
        if (c->datatype == HAL_VO_LONG)
            *st = hal_vo_add_value(v, c->type, &i8, sizeof i8, err);
        else if (c->datatype == HAL_VO_INT && i4 == i8)
            *st = hal_vo_add_value(v, c->type, &i4, sizeof i4, err);
        else if (c->datatype == HAL_VO_SHORT && i2 == i8)
            *st = hal_vo_add_value(v, c->type, &i2, sizeof i2, err);
        else
            return NULL;
    }
    return *st ? NULL : p;
}

static const char *take_any(const hal_vo_column *c, hal_vec *v, const char *p, const char *end,
                            hal_vo_scratch *s, hal_status *st, hal_err *err)
{
    const char *stop = plain_end(p, end);
    if (stop >= end || *stop != '<')
        return NULL;
    hal_err quiet;
    hal_status cell = hal_vo_add_text(c, v, (hal_slice){p, (size_t)(stop - p)}, s, &quiet);
    if (cell == HAL_E_NOMEM)
        *st = hal_err_nomem(err, 0);
    return cell ? NULL : stop;
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
        if (*p != '<')
            p = skip_blanks(p, end);
        if (p >= end)
            return NULL;
        if (next_is(p, "<TD/>", 5)) {
            hal_err quiet;
            if (hal_vo_add_text(c, v, (hal_slice){"", 0}, s, &quiet))
                return NULL;
            p += 5;
            continue;
        }
        if (!next_is(p, "<TD>", 4))
            return NULL;
        p += 4;
        const char *stop = NULL;
        if (c->is_text)
            stop = take_string(c, v, p, end, s, st, err);
        else if (v->type == c->type && c->width == 1 && c->datatype >= HAL_VO_SHORT &&
                 c->datatype <= HAL_VO_DOUBLE)
            stop = take_number(c, v, p, end, st, err);
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
    p = skip_blanks(p, end);
    return p < end && next_is(p, "</TR>", 5) ? p + 5 : NULL;
}

size_t hal_vo_scan_rows(const hal_vo_column *columns, size_t n_columns, hal_vec *vecs,
                        const char *text, size_t n, uint64_t rows_max, uint64_t *n_rows,
                        hal_vo_scratch *s, hal_status *st, hal_err *err)
{
    *n_rows = 0;
    *st = HAL_OK;
    if (n <= HAL_VO_SCAN_MARGIN)
        return 0;
    const char *p = text, *end = text + n - HAL_VO_SCAN_MARGIN;
    while (*n_rows < rows_max) {
        const char *row = skip_blanks(p, end);
        if (row >= end || !next_is(row, "<TR>", 4))
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
