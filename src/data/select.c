/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/select.h"

#include "base/alloc.h"
#include "base/number.h"
#include "data/cell.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static unsigned char fold(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* --- Unknown names ------------------------------------------------------------------------------
 */

enum { NAME_MAX_BYTES = 64, SUGGESTIONS = 3 };

/* Levenshtein distance without regard to case, of the first NAME_MAX_BYTES bytes. */
static int edit_distance(const char *a, const char *b)
{
    int n = (int)strnlen(b, NAME_MAX_BYTES), row[NAME_MAX_BYTES + 1];
    for (int j = 0; j <= n; j++)
        row[j] = j;
    for (int i = 0; a[i] && i < NAME_MAX_BYTES; i++) {
        int diagonal = row[0];
        row[0] = i + 1;
        for (int j = 0; j < n; j++) {
            int best = diagonal + (fold(a[i]) != fold(b[j]));
            diagonal = row[j + 1];
            if (best > diagonal + 1)
                best = diagonal + 1;
            if (best > row[j] + 1)
                best = row[j] + 1;
            row[j + 1] = best;
        }
    }
    return row[n];
}

/* The columns that all fit `name` by case or UCD. */
static hal_status refuse_ambiguous(const hal_table *t, const char *name, hal_err *err)
{
    bool by_name = false;
    for (size_t c = 0; c < hal_table_columns(t); c++)
        by_name |= !strcasecmp(hal_table_field(t, c)->name, name);
    char list[4 * NAME_MAX_BYTES] = "";
    size_t used = 0;
    for (size_t c = 0; c < hal_table_columns(t) && used < sizeof list / 2; c++) {
        const hal_field *f = hal_table_field(t, c);
        if (!strcasecmp(by_name ? f->name : f->ucd, name))
            used += (size_t)snprintf(list + used, sizeof list - used, "%s\"%.*s\"",
                                     used ? ", " : "", NAME_MAX_BYTES, f->name);
    }
    return hal_err_set(err, HAL_E_USAGE,
                       "\"%.*s\" fits several columns by %s: %s; name one exactly", NAME_MAX_BYTES,
                       name, by_name ? "its letters" : "UCD", list);
}

hal_status hal_table_require(const hal_table *t, const char *name, size_t *i_col, hal_err *err)
{
    int found = hal_table_find(t, name);
    if (found >= 0) {
        *i_col = (size_t)found;
        return HAL_OK;
    }
    if (found == HAL_COLUMN_AMBIGUOUS)
        return refuse_ambiguous(t, name, err);
    const char *best[SUGGESTIONS] = {0};
    int distance[SUGGESTIONS];
    for (size_t c = 0; c < hal_table_columns(t); c++) {
        const char *candidate = hal_table_field(t, c)->name;
        int d = edit_distance(name, candidate);
        for (int k = 0; k < SUGGESTIONS; k++)
            if (!best[k] || d < distance[k]) {
                const char *swap_name = best[k];
                int swap_distance = swap_name ? distance[k] : 0;
                best[k] = candidate, distance[k] = d;
                if (!swap_name)
                    break;
                candidate = swap_name, d = swap_distance;
            }
    }
    char list[4 * NAME_MAX_BYTES] = "";
    for (int k = 0, used = 0; k < SUGGESTIONS && best[k]; k++)
        used += snprintf(list + used, sizeof list - (size_t)used, "%s\"%.*s\"", k ? ", " : "",
                         NAME_MAX_BYTES, best[k]);
    return hal_err_set(err, HAL_E_USAGE, "the table has no column \"%.*s\"%s%s", NAME_MAX_BYTES,
                       name, best[0] ? "; nearest: " : " (it has no columns)", list);
}

/* --- Criteria -----------------------------------------------------------------------------------
 */

typedef struct int_range {
    int64_t lo, hi;
} int_range;

typedef struct double_range {
    double lo, hi;
} double_range;

/* One side of a criterion (all that is positive, or all that is negated), ready for its column's
 * type: exact texts and ranges sorted for a binary search, patterns one after the other. */
typedef struct matcher {
    size_t n_given, n_texts, n_patterns, n_ranges;
    hal_slice *texts, *patterns;
    int_range *ints;
    double_range *doubles;
    char *number_text; /* texts made from numbers */
} matcher;

static void matcher_clear(matcher *m)
{
    hal_free(m->texts);
    hal_free(m->patterns);
    hal_free(m->ints);
    hal_free(m->doubles);
    hal_free(m->number_text);
}

static hal_status matcher_init(matcher *m, size_t n, hal_err *err)
{
    m->texts = hal_calloc(n, sizeof *m->texts);
    m->patterns = hal_calloc(n, sizeof *m->patterns);
    m->ints = hal_calloc(n, sizeof *m->ints);
    m->doubles = hal_calloc(n, sizeof *m->doubles);
    m->number_text = hal_calloc(n, HAL_DOUBLE_TEXT_MAX);
    if (!m->texts || !m->patterns || !m->ints || !m->doubles || !m->number_text)
        return hal_err_nomem(err, n * sizeof *m->texts);
    return HAL_OK;
}

static int compare_text(hal_slice a, hal_slice b)
{
    size_t n = a.size_bytes < b.size_bytes ? a.size_bytes : b.size_bytes;
    for (size_t i = 0; i < n; i++) {
        int d = fold(a.data[i]) - fold(b.data[i]);
        if (d)
            return d;
    }
    return (a.size_bytes > b.size_bytes) - (a.size_bytes < b.size_bytes);
}

static int by_text(const void *a, const void *b)
{
    return compare_text(*(const hal_slice *)a, *(const hal_slice *)b);
}

static bool is_wild(char c)
{
    return c == '*' || c == '%';
}

/* Greedy wildcard match with one point to go back to: linear for one wildcard, at worst the product
 * of both lengths. */
static bool match_pattern(hal_slice p, hal_slice s)
{
    size_t i = 0, j = 0, star = SIZE_MAX, from = 0;
    while (j < s.size_bytes) {
        if (i < p.size_bytes && is_wild(p.data[i])) {
            star = ++i;
            from = j;
        } else if (i < p.size_bytes && fold(p.data[i]) == fold(s.data[j])) {
            i++, j++;
        } else if (star != SIZE_MAX) {
            i = star;
            j = ++from;
        } else {
            return false;
        }
    }
    while (i < p.size_bytes && is_wild(p.data[i]))
        i++;
    return i == p.size_bytes;
}

static bool match_text(const matcher *m, hal_slice s)
{
    size_t lo = 0, hi = m->n_texts;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int d = compare_text(s, m->texts[mid]);
        if (d == 0)
            return true;
        if (d < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    for (size_t i = 0; i < m->n_patterns; i++)
        if (match_pattern(m->patterns[i], s))
            return true;
    return false;
}

static void add_text(matcher *m, hal_slice text)
{
    for (size_t i = 0; i < text.size_bytes; i++)
        if (is_wild(text.data[i])) {
            m->patterns[m->n_patterns++] = text;
            return;
        }
    m->texts[m->n_texts++] = text;
}

typedef struct hal_bound bound;

/* Smallest integer >= v (`up`) or largest <= v; false when none exists. */
static bool bound_to_int(bound b, bool up, int64_t *out)
{
    if (b.is_int) {
        *out = b.i;
        return true;
    }
    double v = up ? ceil(b.d) : floor(b.d);
    if (isnan(v))
        return false;
    if (v >= 0x1p63) {
        *out = INT64_MAX;
        return !up;
    }
    if (v < -0x1p63) {
        *out = INT64_MIN;
        return up;
    }
    *out = (int64_t)v;
    return true;
}

static double bound_to_double(bound b)
{
    return b.is_int ? (double)b.i : b.d;
}

static void add_range(matcher *m, hal_type type, bound min, bound max)
{
    if (!hal_type_is_float(type)) {
        int_range r;
        if (bound_to_int(min, true, &r.lo) && bound_to_int(max, false, &r.hi) && r.lo <= r.hi)
            m->ints[m->n_ranges++] = r;
    } else {
        double_range r = {bound_to_double(min), bound_to_double(max)};
        if (r.lo <= r.hi)
            m->doubles[m->n_ranges++] = r;
    }
}

static bool read_bound(hal_slice s, bound *out)
{
    while (s.size_bytes && s.data[0] == ' ')
        s.data++, s.size_bytes--;
    while (s.size_bytes && s.data[s.size_bytes - 1] == ' ')
        s.size_bytes--;
    *out = (bound){0};
    if (hal_number_read_int64(s, &out->i))
        out->is_int = true;
    else if (!hal_number_read_double(s, &out->d))
        return false;
    return out->is_int || !isnan(out->d);
}

/* The next number beyond `b`: an open border becomes a closed one. */
static bound step(bound b, bool up, hal_type type)
{
    if (hal_type_is_float(type))
        return (bound){.d = nextafter(bound_to_double(b), up ? INFINITY : -INFINITY)};
    if (!b.is_int) {
        double whole = up ? floor(b.d) : ceil(b.d);
        return (bound){.d = up ? whole + 1 : whole - 1};
    }
    if (b.i == (up ? INT64_MAX : INT64_MIN))
        return (bound){.d = up ? INFINITY : -INFINITY};
    b.i += up ? 1 : -1;
    return b;
}

/* "5", "1..3", ">5", ">=5", "<5", "<=5" */
static bool read_range(hal_slice s, hal_type type, bound *min, bound *max)
{
    *min = (bound){.d = -INFINITY};
    *max = (bound){.d = INFINITY};
    if (s.size_bytes > 1 && (s.data[0] == '<' || s.data[0] == '>')) {
        bool above = s.data[0] == '>', closed = s.data[1] == '=';
        bound *b = above ? min : max;
        if (!read_bound((hal_slice){s.data + 1 + closed, s.size_bytes - 1 - closed}, b))
            return false;
        if (!closed)
            *b = step(*b, above, type);
        return true;
    }
    for (size_t i = 0; i + 1 < s.size_bytes; i++)
        if (s.data[i] == '.' && s.data[i + 1] == '.')
            return read_bound((hal_slice){s.data, i}, min) &&
                   read_bound((hal_slice){s.data + i + 2, s.size_bytes - i - 2}, max);
    if (!read_bound(s, min))
        return false;
    *max = *min;
    return true;
}

/* A lone text that would be a range on a numeric column: meant as one, on a column that was read as
 * text because of a value such as "N/A". */
static hal_status check_literal(const hal_criterion *c, const hal_field *field, hal_err *err)
{
    const hal_alternative *a = &c->alternatives[0];
    if (c->is_list || !a->is_text || field->type != HAL_TYPE_STRING)
        return HAL_OK;
    hal_slice text = a->text;
    if (text.size_bytes && text.data[0] == '!')
        text.data++, text.size_bytes--;
    bound min, max, number;
    if (!read_range(text, HAL_TYPE_FLOAT64, &min, &max) || read_bound(text, &number))
        return HAL_OK;
    return hal_err_set(err, HAL_E_USAGE,
                       "column \"%s\" is text: \"%.*s\" is no range there; make it a column of "
                       "numbers, or give the text itself in a list: { \"%.*s\" }",
                       field->name, (int)(text.size_bytes < 60 ? text.size_bytes : 60), text.data,
                       (int)(text.size_bytes < 60 ? text.size_bytes : 60), text.data);
}

static bool bounds_equal(bound a, bound b)
{
    return a.is_int == b.is_int && (a.is_int ? a.i == b.i : a.d == b.d);
}

static hal_status add_number_as_text(matcher *m, const hal_alternative *a, const char *column,
                                     hal_err *err)
{
    if (!bounds_equal(a->min, a->max))
        return hal_err_set(err, HAL_E_USAGE,
                           "column \"%s\" is text: it takes values and wildcards, not ranges",
                           column);
    char *out = m->number_text + m->n_texts * HAL_DOUBLE_TEXT_MAX;
    size_t n = a->min.is_int ? hal_number_print_int64(out, a->min.i)
                             : hal_number_print_plain(out, a->min.d);
    m->texts[m->n_texts++] = (hal_slice){out, n};
    return HAL_OK;
}

static hal_status add_alternative(matcher *m, const hal_alternative *a, hal_slice text,
                                  const hal_field *field, hal_err *err)
{
    hal_type type = field->type;
    if (!a->is_text && type == HAL_TYPE_STRING)
        return add_number_as_text(m, a, field->name, err);
    if (a->is_text && type == HAL_TYPE_STRING) {
        add_text(m, text);
        return HAL_OK;
    }
    if (type == HAL_TYPE_BOOL) {
        bool is_true = a->is_text && !compare_text(text, hal_slice_of("true"));
        if (!is_true && (!a->is_text || compare_text(text, hal_slice_of("false"))))
            return hal_err_set(err, HAL_E_USAGE, "column \"%s\" holds true or false only",
                               field->name);
        m->ints[m->n_ranges++] = (int_range){is_true, is_true};
        return HAL_OK;
    }
    bound min = a->min, max = a->max;
    if (a->is_text && !read_range(text, type, &min, &max))
        return hal_err_set(err, HAL_E_USAGE,
                           "column \"%s\" is numeric: \"%.*s\" is not a number, \"a..b\" or \">n\"",
                           field->name, (int)(text.size_bytes < 60 ? text.size_bytes : 60),
                           text.data);
    if (a->is_text && bound_to_double(min) > bound_to_double(max))
        return hal_err_set(err, HAL_E_USAGE,
                           "column \"%s\": no number lies in \"%.*s\"; write the smaller one first",
                           field->name, (int)(text.size_bytes < 60 ? text.size_bytes : 60),
                           text.data);
    add_range(m, type, min, max);
    return HAL_OK;
}

static int by_int(const void *a, const void *b)
{
    int64_t x = ((const int_range *)a)->lo, y = ((const int_range *)b)->lo;
    return (x > y) - (x < y);
}

static int by_double(const void *a, const void *b)
{
    double x = ((const double_range *)a)->lo, y = ((const double_range *)b)->lo;
    return (x > y) - (x < y);
}

/* Sorts, and joins ranges that overlap: at most one can then hold a value. */
static void matcher_sort(matcher *m, hal_type type)
{
    qsort(m->texts, m->n_texts, sizeof *m->texts, by_text);
    size_t n = 0;
    if (hal_type_is_float(type)) {
        qsort(m->doubles, m->n_ranges, sizeof *m->doubles, by_double);
        for (size_t i = 0; i < m->n_ranges; i++)
            if (n && m->doubles[i].lo <= m->doubles[n - 1].hi)
                m->doubles[n - 1].hi = fmax(m->doubles[n - 1].hi, m->doubles[i].hi);
            else
                m->doubles[n++] = m->doubles[i];
    } else {
        qsort(m->ints, m->n_ranges, sizeof *m->ints, by_int);
        for (size_t i = 0; i < m->n_ranges; i++)
            if (n && m->ints[i].lo <= m->ints[n - 1].hi)
                m->ints[n - 1].hi =
                    m->ints[n - 1].hi > m->ints[i].hi ? m->ints[n - 1].hi : m->ints[i].hi;
            else
                m->ints[n++] = m->ints[i];
    }
    m->n_ranges = n;
}

static bool match_int(const matcher *m, int64_t v)
{
    size_t lo = 0, hi = m->n_ranges;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (v < m->ints[mid].lo)
            hi = mid;
        else if (v > m->ints[mid].hi)
            lo = mid + 1;
        else
            return true;
    }
    return false;
}

static bool match_double(const matcher *m, double v)
{
    size_t lo = 0, hi = m->n_ranges;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (v < m->doubles[mid].lo)
            hi = mid;
        else if (v > m->doubles[mid].hi)
            lo = mid + 1;
        else
            return v == v;
    }
    return false;
}

static bool match_cell(const matcher *m, const hal_table *t, size_t i_col, hal_type type,
                       uint64_t i_row)
{
    if (type == HAL_TYPE_STRING)
        return match_text(m, hal_table_string(t, i_col, i_row));
    if (type == HAL_TYPE_BOOL)
        return match_int(m, hal_table_bool(t, i_col, i_row));
    if (hal_type_is_float(type))
        return match_double(m, hal_table_float64(t, i_col, i_row));
    return match_int(m, hal_table_int64(t, i_col, i_row));
}

/* Keeps of rows[0..n) those that satisfy the criterion; returns how many. */
static hal_status apply(const hal_table *t, const hal_criterion *c, uint64_t *rows, uint64_t *n,
                        hal_err *err)
{
    size_t i_col = 0;
    hal_status st = hal_table_require(t, c->column, &i_col, err);
    if (st)
        return st;
    if (c->n_alternatives == 0)
        return hal_err_set(err, HAL_E_USAGE, "the criterion for \"%s\" is empty", c->column);
    matcher side[2] = {{0}, {0}}; /* positive, negated */
    const hal_field *field = hal_table_field(t, i_col);
    bool unknown = hal_column_kind(t, i_col) == HAL_KIND_UNKNOWN; /* nothing to compare */
    if (field->width != 1 || field->type == HAL_TYPE_COMPLEX64 ||
        field->type == HAL_TYPE_COMPLEX128)
        return hal_err_set(err, HAL_E_USAGE, "column \"%s\" holds %s: no criterion applies to it",
                           c->column, field->width != 1 ? "arrays" : "complex numbers");
    if (!unknown && (st = check_literal(c, field, err)))
        return st;
    if (!(st = matcher_init(&side[0], c->n_alternatives, err)))
        st = matcher_init(&side[1], c->n_alternatives, err);
    for (size_t i = 0; !st && i < c->n_alternatives; i++) {
        const hal_alternative *a = &c->alternatives[i];
        bool marked = a->is_text && a->text.size_bytes && a->text.data[0] == '!';
        hal_slice text = {a->text.data + marked, a->text.size_bytes - marked};
        matcher *m = &side[marked || a->negated];
        m->n_given++;
        if (!unknown)
            st = add_alternative(m, a, text, field, err);
    }
    if (!st) {
        matcher_sort(&side[0], field->type);
        matcher_sort(&side[1], field->type);
        uint64_t kept = 0;
        for (uint64_t k = 0; k < *n; k++) {
            bool null = hal_table_is_null(t, i_col, rows[k]);
            bool ok = side[0].n_given == 0 ||
                      (!null && match_cell(&side[0], t, i_col, field->type, rows[k]));
            if (ok && !null && side[1].n_given)
                ok = !match_cell(&side[1], t, i_col, field->type, rows[k]);
            rows[kept] = rows[k];
            kept += ok;
        }
        *n = kept;
    }
    matcher_clear(&side[0]);
    matcher_clear(&side[1]);
    return st;
}

hal_status hal_table_select(const hal_table *t, const hal_criterion *criteria, size_t n_criteria,
                            uint64_t **rows, uint64_t *n_rows, hal_err *err)
{
    uint64_t n = hal_table_rows(t);
    uint64_t *index = n ? hal_malloc(n * sizeof *index) : NULL;
    if (n && !index)
        return hal_err_nomem(err, n * sizeof *index);
    for (uint64_t i = 0; i < n; i++)
        index[i] = i;
    for (size_t c = 0; c < n_criteria; c++) {
        hal_status st = apply(t, &criteria[c], index, &n, err);
        if (st) {
            hal_free(index);
            return st;
        }
    }
    *rows = index;
    *n_rows = n;
    return HAL_OK;
}
