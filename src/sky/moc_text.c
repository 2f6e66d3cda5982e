/* SPDX-License-Identifier: BSD-3-Clause */
/* MOCs as text: ASCII and JSON (MOC 2.0 section 4; commas and the missing prefix as of MOC 1.1). */
#include "sky/moc.h"

#include "sky/healpix.h"
#include "sky/moc_ranges.h"

#include <inttypes.h>

typedef struct scanner {
    const char *begin, *p, *end;
    int order, deepest; /* order < 0: none yet */
    hal_moc_list found;
    hal_err *err;
} scanner;

static hal_status wrong(const scanner *s, const char *what)
{
    return hal_err_set(
        s->err, HAL_E_USAGE,
        "MOC: byte %zu: %s; a MOC is written \"3/1-4 5/7\" or {\"3\":[1,2],\"5\":[7]}",
        (size_t)(s->p - s->begin), what);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(scanner *s)
{
    while (s->p < s->end && is_blank(*s->p))
        s->p++;
}

static bool take(scanner *s, char c)
{
    if (s->p == s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

static hal_status take_number(scanner *s, uint64_t *out)
{
    const char *first = s->p;
    uint64_t v = 0;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9') {
        if (s->p - first >= 19)
            return wrong(s, "an index of more than 19 digits");
        v = 10 * v + (uint64_t)(*s->p++ - '0');
    }
    *out = v;
    return s->p > first ? HAL_OK : wrong(s, "a number is missing");
}

static hal_status set_order(scanner *s, uint64_t order)
{
    if (order > HAL_HEALPIX_ORDER_MAX)
        return wrong(s, "an order above 29");
    s->order = (int)order;
    s->deepest = s->order > s->deepest ? s->order : s->deepest;
    return HAL_OK;
}

static hal_status add_cells(scanner *s, uint64_t first, uint64_t last)
{
    int shift = 2 * (HAL_HEALPIX_ORDER_MAX - s->order);
    if (first > last)
        return wrong(s, "a range that ends before it begins");
    if (last >= HAL_MOC_CELLS >> shift)
        return wrong(s, "an index beyond the cells of its order");
    return hal_moc_list_add(&s->found, first << shift, (last + 1) << shift, s->err);
}

/* An order or cells, where a number begins. */
static hal_status ascii_item(scanner *s)
{
    uint64_t first, last;
    hal_status st = take_number(s, &first);
    if (st)
        return st;
    if (take(s, '/'))
        return set_order(s, first);
    if (s->order < 0)
        return wrong(s, "an index before any order");
    last = first;
    if (take(s, '-'))
        st = take_number(s, &last);
    return st ? st : add_cells(s, first, last);
}

static hal_status scan_ascii(scanner *s)
{
    if (s->p < s->end && (*s->p == 's' || *s->p == 'S'))
        s->p++;
    else if (s->p < s->end && (*s->p == 't' || *s->p == 'T'))
        return wrong(s, "a MOC of time, where one of space is needed");
    hal_status st = HAL_OK;
    while (!st) {
        while (s->p < s->end && (is_blank(*s->p) || *s->p == ','))
            s->p++;
        if (s->p == s->end)
            break;
        if (s->order >= 0 && s->p[-1] >= '0' && s->p[-1] <= '9')
            return wrong(s, "something else than cells");
        st = ascii_item(s);
    }
    if (!st && s->order < 0)
        return wrong(s, "there is no order (the empty MOC is \"0/\")");
    return st;
}

static hal_status json_list(scanner *s)
{
    if (!take(s, '['))
        return wrong(s, "an order has a list of indexes");
    skip_blanks(s);
    if (take(s, ']'))
        return HAL_OK;
    for (;;) {
        uint64_t index;
        skip_blanks(s);
        hal_status st = take_number(s, &index);
        if (!st)
            st = add_cells(s, index, index);
        skip_blanks(s);
        if (st || take(s, ']'))
            return st;
        if (!take(s, ','))
            return wrong(s, "\",\" or \"]\" is missing");
    }
}

static hal_status json_pair(scanner *s)
{
    uint64_t order;
    skip_blanks(s);
    if (!take(s, '"'))
        return wrong(s, "an order in quotes is missing");
    hal_status st = take_number(s, &order);
    if (!st && !take(s, '"'))
        st = wrong(s, "an order is a number in quotes");
    if (!st)
        st = set_order(s, order);
    skip_blanks(s);
    if (!st && !take(s, ':'))
        st = wrong(s, "\":\" is missing");
    skip_blanks(s);
    return st ? st : json_list(s);
}

static hal_status scan_json(scanner *s)
{
    s->p++;
    skip_blanks(s);
    bool more = !take(s, '}');
    while (more) {
        hal_status st = json_pair(s);
        if (st)
            return st;
        skip_blanks(s);
        more = take(s, ',');
        if (!more && !take(s, '}'))
            return wrong(s, "\",\" or \"}\" is missing");
    }
    skip_blanks(s);
    return s->p == s->end ? HAL_OK : wrong(s, "something behind the end");
}

hal_moc *hal_moc_parse(hal_slice text, hal_err *err)
{
    scanner s = {text.data, text.data, text.data + text.size_bytes, -1, 0, {0}, err};
    skip_blanks(&s);
    hal_status st = s.p < s.end && *s.p == '{' ? scan_json(&s) : scan_ascii(&s);
    return hal_moc_list_take(&s.found, s.deepest, st, err);
}

typedef struct printer {
    hal_buf *out;
    int order; /* of the last cells; < 0: none */
    hal_status st;
    hal_err *err;
} printer;

static bool print_run(void *ctx, int order, uint64_t lo, uint64_t hi)
{
    printer *p = ctx;
    if (order != p->order)
        p->st = hal_buf_printf(p->out, p->err, p->order < 0 ? "%d/" : " %d/", order);
    else
        p->st = hal_buf_puts(p->out, " ", p->err);
    p->order = order;
    if (!p->st && hi - lo == 1)
        p->st = hal_buf_printf(p->out, p->err, "%" PRIu64, lo);
    else if (!p->st)
        p->st = hal_buf_printf(p->out, p->err, "%" PRIu64 "-%" PRIu64, lo, hi - 1);
    return !p->st;
}

hal_status hal_moc_format(const hal_moc *m, hal_buf *out, hal_err *err)
{
    printer p = {out, -1, HAL_OK, err};
    hal_moc_each_run(m, print_run, &p);
    if (!p.st && p.order != hal_moc_order(m))
        p.st = hal_buf_printf(out, err, p.order < 0 ? "%d/" : " %d/", hal_moc_order(m));
    return p.st;
}

static bool print_json(void *ctx, int order, uint64_t lo, uint64_t hi)
{
    printer *p = ctx;
    if (order != p->order)
        p->st = hal_buf_printf(p->out, p->err, p->order < 0 ? "\"%d\":[" : "],\"%d\":[", order);
    for (uint64_t i = lo; i < hi && !p->st; i++)
        p->st = hal_buf_printf(p->out, p->err,
                               i == lo && order != p->order ? "%" PRIu64 : ",%" PRIu64, i);
    p->order = order;
    return !p->st;
}

hal_status hal_moc_format_json(const hal_moc *m, hal_buf *out, hal_err *err)
{
    printer p = {out, -1, hal_buf_puts(out, "{", err), err};
    if (!p.st)
        hal_moc_each_run(m, print_json, &p);
    if (!p.st && p.order != hal_moc_order(m))
        p.st = hal_buf_printf(out, err, p.order < 0 ? "\"%d\":[" : "],\"%d\":[", hal_moc_order(m));
    return p.st ? p.st : hal_buf_puts(out, "]}", err);
}
