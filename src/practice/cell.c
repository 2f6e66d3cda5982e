/* SPDX-License-Identifier: BSD-3-Clause */
#include "practice/cell.h"

#include "base/number.h"

#include <math.h>

const char *const hal_layout_names[] = {"json", "json_text", "extjs", "csv",
                                        "tsv",  "votable",   NULL};

static const int64_t power10[] = {1,
                                  10,
                                  100,
                                  1000,
                                  10000,
                                  100000,
                                  1000000,
                                  10000000,
                                  100000000,
                                  1000000000,
                                  10000000000,
                                  100000000000,
                                  1000000000000,
                                  10000000000000,
                                  100000000000000,
                                  1000000000000000};

hal_cell hal_cell_round(double value, int decimals)
{
    if (!isfinite(value))
        return (hal_cell){.kind = HAL_CELL_NULL};
    return hal_cell_fixed(llround(value * (double)power10[decimals]), decimals);
}

hal_cell hal_cell_real(double value)
{
    if (!isfinite(value))
        return (hal_cell){.kind = HAL_CELL_NULL};
    return (hal_cell){.kind = HAL_CELL_REAL, .real = value};
}

double hal_cell_number(const hal_cell *cell)
{
    switch (cell->kind) {
    case HAL_CELL_INT:
    case HAL_CELL_BOOL:
        return (double)cell->value;
    case HAL_CELL_FIXED:
        return (double)cell->value / (double)power10[cell->decimals];
    case HAL_CELL_REAL:
        return cell->real;
    default:
        return NAN;
    }
}

static size_t print_digits(uint64_t v, char *out)
{
    char reversed[24];
    size_t n = 0;
    do {
        reversed[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    for (size_t i = 0; i < n; i++)
        out[i] = reversed[n - 1 - i];
    return n;
}

size_t hal_cell_print(const hal_cell *cell, char out[HAL_CELL_TEXT_MAX])
{
    char *p = out;
    if (cell->kind == HAL_CELL_REAL)
        return hal_number_print_plain(out, cell->real);
    uint64_t v = (uint64_t)cell->value;
    if (cell->value < 0) {
        *p++ = '-';
        v = 0 - v;
    }
    if (cell->kind == HAL_CELL_BOOL) {
        memcpy(out, v ? "true" : "false", 5);
        return v ? 4 : 5;
    }
    if (cell->kind != HAL_CELL_FIXED)
        return (size_t)(p - out) + print_digits(v, p);
    uint64_t unit = (uint64_t)power10[cell->decimals];
    p += print_digits(v / unit, p);
    uint64_t fraction = v % unit;
    if (fraction) {
        *p++ = '.';
        for (int i = cell->decimals - 1; i >= 0; i--) {
            p[i] = (char)('0' + fraction % 10);
            fraction /= 10;
        }
        p += cell->decimals;
        while (p[-1] == '0')
            p--;
    }
    return (size_t)(p - out);
}

size_t hal_row_bound(const hal_cell *cells, const int *pick, size_t n, size_t names_size)
{
    size_t bound = 32 + names_size;
    for (size_t i = 0; i < n; i++)
        bound += 16 + (cells[pick[i]].kind == HAL_CELL_TEXT ? 6 * (size_t)cells[pick[i]].size
                                                            : HAL_CELL_TEXT_MAX);
    return bound;
}

static char *put(char *p, const char *text)
{
    size_t n = strlen(text);
    memcpy(p, text, n);
    return p + n;
}

static char *put_json_text(char *p, const hal_cell *c)
{
    static const char hex[] = "0123456789abcdef";
    *p++ = '"';
    for (uint32_t i = 0; i < c->size; i++) {
        unsigned char b = (unsigned char)c->text[i];
        if (b == '"' || b == '\\') {
            *p++ = '\\';
            *p++ = (char)b;
        } else if (b < 0x20) {
            p = put(p, "\\u00");
            *p++ = hex[b >> 4];
            *p++ = hex[b & 15];
        } else {
            *p++ = (char)b;
        }
    }
    *p++ = '"';
    return p;
}

static char *put_csv_text(char *p, const hal_cell *c)
{
    bool quoted = false;
    for (uint32_t i = 0; i < c->size && !quoted; i++)
        quoted = c->text[i] == '"' || c->text[i] == ',' || c->text[i] == '\n' || c->text[i] == '\r';
    if (quoted)
        *p++ = '"';
    for (uint32_t i = 0; i < c->size; i++) {
        if (c->text[i] == '"')
            *p++ = '"';
        *p++ = c->text[i];
    }
    if (quoted)
        *p++ = '"';
    return p;
}

static char *put_tsv_text(char *p, const hal_cell *c)
{
    for (uint32_t i = 0; i < c->size; i++)
        *p++ = c->text[i] == '\t' || c->text[i] == '\n' || c->text[i] == '\r' ? ' ' : c->text[i];
    return p;
}

/* XML 1.0 section 2.2: most control characters cannot be written at all. */
static char *put_xml_text(char *p, const hal_cell *c)
{
    for (uint32_t i = 0; i < c->size; i++) {
        unsigned char b = (unsigned char)c->text[i];
        if (b == '&')
            p = put(p, "&amp;");
        else if (b == '<')
            p = put(p, "&lt;");
        else if (b == '>')
            p = put(p, "&gt;");
        else if (b < 0x20 && b != '\t' && b != '\n')
            p = put(p, b == '\r' ? "&#13;" : "\xef\xbf\xbd");
        else
            *p++ = (char)b;
    }
    return p;
}

static char *put_value(hal_layout layout, char *p, const hal_cell *c)
{
    bool text = c->kind == HAL_CELL_TEXT;
    switch (layout) {
    case HAL_LAYOUT_JSON_TEXT:
        if (text)
            return put_json_text(p, c);
        *p++ = '"';
        if (c->kind != HAL_CELL_NULL)
            p += hal_cell_print(c, p);
        *p++ = '"';
        return p;
    case HAL_LAYOUT_JSON:
    case HAL_LAYOUT_EXTJS:
        if (text)
            return put_json_text(p, c);
        return c->kind == HAL_CELL_NULL ? put(p, "null") : p + hal_cell_print(c, p);
    default:
        if (c->kind == HAL_CELL_NULL)
            return p;
        return !text                      ? p + hal_cell_print(c, p)
               : layout == HAL_LAYOUT_CSV ? put_csv_text(p, c)
               : layout == HAL_LAYOUT_TSV ? put_tsv_text(p, c)
                                          : put_xml_text(p, c);
    }
}

size_t hal_row_print(hal_layout layout, const hal_cell *cells, const int *pick, size_t n,
                     char *const *names, char *out)
{
    static const char *const first[] = {"{", "{", "[", "", "", "<TR>"};
    static const char *const last[] = {"}", "}", "]", "\n", "\n", "</TR>\n"};
    char *p = put(out, first[layout]);
    for (size_t i = 0; i < n; i++) {
        if (i && layout != HAL_LAYOUT_VOTABLE)
            *p++ = layout == HAL_LAYOUT_TSV ? '\t' : ',';
        if (layout == HAL_LAYOUT_JSON || layout == HAL_LAYOUT_JSON_TEXT)
            p = put(p, names[i]);
        else if (layout == HAL_LAYOUT_VOTABLE)
            p = put(p, "<TD>");
        p = put_value(layout, p, &cells[pick[i]]);
        if (layout == HAL_LAYOUT_VOTABLE)
            p = put(p, "</TD>");
    }
    return (size_t)(put(p, last[layout]) - out);
}
