/* SPDX-License-Identifier: BSD-3-Clause */
/* Ranges of a column: what splits rows that positions cannot. Borders are integers in units of the
 * column's last printed decimal, half-open, the first range open below and the last one above, so
 * that every value has one owner. Tiling design, section 6.2. */
#include "plan/state.h"

#include <math.h>

#define FARTHEST (INT64_C(1) << 60) /* no border lies beyond */

static bool owns(const hal_ask_range *r, double value, bool is_null)
{
    is_null = is_null || isnan(value);
    if (is_null || r->is_null)
        return is_null && r->is_null;
    return value >= r->lo && (value < r->hi || r->hi == INFINITY);
}

bool hal_ask_owns_value(const hal_ask *ask, double value, bool is_null)
{
    hal_ask_range r = {.is_null = ask->column_null, .lo = ask->column_lo, .hi = ask->column_hi};
    return ask->column == 0 || owns(&r, value, is_null);
}

bool hal_ask_outer_owns(const hal_ask *ask, int i, double value, bool is_null)
{
    return owns(&ask->outer[i], value, is_null);
}

const char *hal_plan_column_name(const hal_plan *plan, int column)
{
    bool known = column >= 1 && (size_t)column <= plan->service.n_alt_split;
    return known ? plan->service.alt_split[column - 1].name : "";
}

/* Units of the last decimal; 10^9 and less are exact doubles, so that a border is the double that
 * its printed text reads as. */
static double units(const hal_plan_column *c)
{
    double scale = 1.0;
    for (int k = 0; k < c->decimals; k++)
        scale *= 10.0;
    return scale;
}

static int64_t tick(const hal_plan_column *c, double value)
{
    double t = value * units(c);
    return t > (double)FARTHEST    ? FARTHEST
           : t < -(double)FARTHEST ? -FARTHEST
                                   : (int64_t)llround(t);
}

static hal_ask_range describe(const hal_plan *p, const plan_node *n)
{
    hal_ask_range r = {n->column, n->column_null, NAN, NAN, NAN, NAN};
    if (n->column_null)
        return r;
    const hal_plan_column *c = &p->service.alt_split[n->column - 1];
    int64_t rounding = c->rounded ? 1 : 0;
    bool below = n->lo == PLAN_OPEN_BELOW, above = n->hi == PLAN_OPEN_ABOVE;
    r.lo = below ? -INFINITY : (double)n->lo / units(c);
    r.hi = above ? INFINITY : (double)n->hi / units(c);
    r.min = below ? -INFINITY : (double)(n->lo - rounding) / units(c);
    r.max = above ? INFINITY : (double)(n->hi + rounding) / units(c);
    return r;
}

/* The node or the nearest above it that is a range of the column; NULL: the column is not cut. */
static const plan_node *range_of(const hal_plan *p, const plan_node *n, size_t column)
{
    while (n->column != column && n->parent >= 0 && n->column)
        n = plan_node_at(p, n->parent);
    return n->column == column ? n : NULL;
}

void plan_describe_range(const hal_plan *p, const plan_node *n, hal_ask *out)
{
    out->n_outer = 0;
    out->column = n->column;
    out->column_null = n->column_null;
    if (!n->column)
        return;
    hal_ask_range r = describe(p, n);
    out->column_lo = r.lo;
    out->column_hi = r.hi;
    out->column_min = r.min;
    out->column_max = r.max;
    for (size_t c = 1; c <= p->service.n_alt_split; c++) {
        const plan_node *outer = c == n->column ? NULL : range_of(p, n, c);
        if (outer)
            out->outer[out->n_outer++] = describe(p, outer);
    }
}

/* The part of the range where values are expected. */
static void usual(const hal_plan_column *c, int64_t lo, int64_t hi, int64_t *a, int64_t *b)
{
    int64_t least = tick(c, c->min), most = tick(c, c->max);
    *a = lo > least ? lo : least;
    *b = hi < most ? hi : most;
}

/* A border beyond `from`, away from the usual values, farther each time. */
static int64_t farther(const hal_plan_column *c, int64_t from, int direction)
{
    int64_t least = tick(c, c->min), most = tick(c, c->max);
    int64_t from_usual = direction > 0 ? from - most : least - from;
    int64_t step = most - least > 1 ? most - least : (int64_t)units(c);
    step = step > 2 * from_usual ? step : 2 * from_usual;
    return from + direction * step;
}

/* Where to cut the range [lo, hi) of column `c`; false: it is one value. */
static bool cut_at(const hal_plan *p, const hal_plan_column *c, int64_t lo, int64_t hi, double rows,
                   int64_t *at)
{
    int64_t a, b;
    usual(c, lo, hi, &a, &b);
    if (lo != PLAN_OPEN_BELOW && hi != PLAN_OPEN_ABOVE) {
        a = lo;
        b = hi;
    }
    if (b - a >= 2 || (b > a && (lo == PLAN_OPEN_BELOW || hi == PLAN_OPEN_ABOVE))) {
        double leaves = fmin(fmax(2.0, ceil(rows / (PLAN_FILL * p->cap))), 1e6);
        double f = leaves > 12.0 ? 0.5 : floor(leaves / 2.0) / leaves;
        *at = a + (int64_t)((double)(b - a) * f);
        *at = *at <= a ? a + 1 : *at >= b ? b - 1 : *at;
        if (b - a < 2)
            *at = hi == PLAN_OPEN_ABOVE ? b : a;
    } else if (lo == PLAN_OPEN_BELOW && hi == PLAN_OPEN_ABOVE) {
        *at = a;
    } else if (lo == PLAN_OPEN_BELOW) {
        *at = farther(c, hi, -1);
    } else if (hi == PLAN_OPEN_ABOVE) {
        *at = farther(c, lo, 1);
    } else {
        return false;
    }
    return *at > -FARTHEST && *at<FARTHEST && * at> lo && *at < hi;
}

uint8_t plan_next_column(const hal_plan *p, const plan_node *n)
{
    for (size_t c = 1; c <= p->service.n_alt_split; c++)
        if (!range_of(p, n, c))
            return (uint8_t)c;
    return 0;
}

/* The range of column `c` above the node, or its own, cut. */
static bool cut_again(const hal_plan *p, const plan_node *n, size_t c, double rows, plan_range *out)
{
    const plan_node *range = c ? range_of(p, n, c) : NULL;
    if (!range || range->column_null)
        return false;
    *out = (plan_range){(uint8_t)c, range->lo, range->hi, 0};
    return cut_at(p, &p->service.alt_split[c - 1], range->lo, range->hi, rows, &out->at);
}

bool plan_cut_range(const hal_plan *p, const plan_node *n, double rows, plan_range *out,
                    bool *first)
{
    uint8_t next = plan_next_column(p, n);
    *first = false;
    if (!n->ends && cut_again(p, n, n->column, rows, out))
        return true;
    *first = next > 0;
    if (next) {
        *out = (plan_range){next, PLAN_OPEN_BELOW, PLAN_OPEN_ABOVE, 0};
        return cut_at(p, &p->service.alt_split[next - 1], out->lo, out->hi, rows, &out->at);
    }
    for (size_t c = 1; c <= p->service.n_alt_split; c++)
        if (c != n->column && cut_again(p, n, c, rows, out))
            return true;
    return cut_again(p, n, n->column, rows, out);
}

/* Length of a range in units, of open ones where values are expected. */
static double length(const hal_plan_column *c, const plan_node *n)
{
    int64_t a = n->lo, b = n->hi;
    if (a == PLAN_OPEN_BELOW || b == PLAN_OPEN_ABOVE)
        usual(c, n->lo, n->hi, &a, &b);
    return b > a ? (double)(b - a) : 0.0;
}

/* A range expects what its nearest measured ancestor holds, by length, and what the range finished
 * last holds: the one below it, as ranges are finished from below. */
double plan_predict_range(const hal_plan *p, int32_t i)
{
    const plan_node *n = plan_node_at(p, i), *up = n;
    if (!n->column || n->column_null)
        return -1.0;
    const hal_plan_column *c = &p->service.alt_split[n->column - 1];
    double mine = length(c, n), dense = -1.0;
    bool at_least = false;
    while (up->parent >= 0 && dense < 0.0) {
        up = plan_node_at(p, up->parent);
        plan_node whole = {.lo = PLAN_OPEN_BELOW, .hi = PLAN_OPEN_ABOVE};
        const plan_node *range = range_of(p, up, n->column);
        double all = length(c, range ? range : &whole);
        if (up->rows_known >= 0.0F && all > 0.0)
            dense = (double)up->rows_known / all;
        at_least = up->over && (double)up->rows_known <= p->cap;
        if (!up->column)
            break;
    }
    if (p->last_range >= 0) {
        const plan_node *last = plan_node_at(p, p->last_range);
        double size = length(c, last);
        if (last->column == n->column && size > 0.0) {
            double lam = ((double)last->rows_returned + 0.5) / size;
            dense = dense <= 0.0 ? lam : at_least ? fmax(dense, lam) : sqrt(dense * lam);
        }
    }
    return dense < 0.0 ? -1.0 : dense * mine;
}
