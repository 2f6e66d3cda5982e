/* SPDX-License-Identifier: BSD-3-Clause */
/* Regions as text: POS of SIA 2.0, and what STC-S adds to it. */
#include "sky/region_shape.h"

#include "base/alloc.h"
#include "base/number.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',';
}

static bool is_end_of_word(char c)
{
    return is_blank(c) || c == '(' || c == ')';
}

static void skip_blanks(hal_slice *text)
{
    while (text->size_bytes && is_blank(text->data[0])) {
        text->data++;
        text->size_bytes--;
    }
}

static bool take(hal_slice *text, char c)
{
    if (text->size_bytes == 0 || text->data[0] != c)
        return false;
    text->data++;
    text->size_bytes--;
    skip_blanks(text);
    return true;
}

/* Takes the word off the front when it is `word` in any case. */
static bool take_word(hal_slice *text, const char *word)
{
    size_t n = strlen(word);
    if (text->size_bytes < n || (text->size_bytes > n && !is_end_of_word(text->data[n])))
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = text->data[i];
        if ((c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c) != word[i])
            return false;
    }
    text->data += n;
    text->size_bytes -= n;
    skip_blanks(text);
    return true;
}

/* Numbers up to what is none, at most `n_max`; how many. */
static size_t take_numbers(hal_slice *text, double *out, size_t n_max)
{
    size_t n = 0;
    while (text->size_bytes && n < n_max) {
        double value;
        size_t used = hal_number_take_double(*text, &value);
        if (used == 0 || (used < text->size_bytes && !is_end_of_word(text->data[used])))
            break;
        out[n++] = value;
        text->data += used;
        text->size_bytes -= used;
        skip_blanks(text);
    }
    return n;
}

/* Where a shape may end: at the end of the text, or within brackets before the next shape. */
static bool is_at_end(const hal_slice *text, int depth)
{
    if (text->size_bytes == 0)
        return true;
    char c = text->data[0];
    return depth > 0 && (c == ')' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'));
}

static hal_region *parse_polygon(hal_slice *text, int depth, hal_err *err)
{
    size_t room = text->size_bytes / 2 + 1; /* a number and a blank */
    if (room > 2 * (HAL_VERTICES_MAX + 1))
        room = 2 * (HAL_VERTICES_MAX + 1);
    double *number = hal_malloc(2 * room * sizeof *number);
    if (!number) {
        (void)hal_err_nomem(err, 2 * room * sizeof *number);
        return NULL;
    }
    hal_region *r = NULL;
    size_t n = take_numbers(text, number, room);
    if (!is_at_end(text, depth))
        hal_err_set(err, HAL_E_USAGE,
                    "region POLYGON: \"%.*s\" is not a number, or there are more than %d "
                    "vertices; one shape of ra dec pairs in degrees is read",
                    (int)(text->size_bytes < 20 ? text->size_bytes : 20), text->data,
                    HAL_VERTICES_MAX);
    else if (n % 2)
        hal_err_set(err, HAL_E_USAGE, "region POLYGON: %zu numbers are not pairs of ra and dec", n);
    else {
        double *dec = number + room;
        for (size_t i = 0; i < n / 2; i++) {
            number[i] = number[2 * i];
            dec[i] = number[2 * i + 1];
        }
        r = hal_region_polygon(number, dec, n / 2, err);
    }
    hal_free(number);
    return r;
}

static hal_region *parse_moc(hal_slice *text, hal_err *err)
{
    size_t n = 0;
    while (n < text->size_bytes &&
           (is_blank(text->data[n]) ||
            (text->data[n] >= '-' && text->data[n] <= '9' && text->data[n] != '.')))
        n++; /* digits, "-" and "/" */
    hal_moc *m = hal_moc_parse((hal_slice){text->data, n}, err);
    text->data += n;
    text->size_bytes -= n;
    hal_region *r = m ? hal_region_of_moc(m, err) : NULL;
    hal_moc_unref(m);
    return r;
}

typedef enum form {
    CIRCLE,
    RANGE,
    POLYGON,
    ALL,
    ELLIPSE,
    MOC,
    UNION,
    INTERSECTION,
    NOT,
    DIFFERENCE
} form;
enum { N_FORMS = DIFFERENCE + 1 };
static const char *const names[N_FORMS] = {"CIRCLE", "RANGE", "POLYGON",      "ALL", "ELLIPSE",
                                           "MOC",    "UNION", "INTERSECTION", "NOT", "DIFFERENCE"};

static hal_region *parse_one(hal_slice *text, int depth, hal_err *err);

static hal_region *combine(form f, hal_region *const *members, size_t n, hal_err *err)
{
    if ((f == NOT && n != 1) || (f == DIFFERENCE && n != 2)) {
        hal_err_set(err, HAL_E_USAGE, "region %s takes %d in brackets, not %zu", names[f],
                    f == NOT ? 1 : 2, n);
        return NULL;
    }
    return f == UNION          ? hal_region_union(members, n, err)
           : f == INTERSECTION ? hal_region_intersection(members, n, err)
           : f == NOT          ? hal_region_complement(members[0], err)
                               : hal_region_difference(members[0], members[1], err);
}

static hal_status add_member(hal_region ***members, size_t *n, size_t *capacity, hal_region *r,
                             hal_err *err)
{
    if (*n == *capacity) {
        size_t wider = *capacity ? 2 * *capacity : 8;
        hal_region **grown = hal_realloc(*members, wider * sizeof *grown);
        if (!grown)
            return hal_err_nomem(err, wider * sizeof *grown);
        *members = grown;
        *capacity = wider;
    }
    (*members)[(*n)++] = r;
    return HAL_OK;
}

static hal_region *parse_members(form f, hal_slice *text, int depth, hal_err *err)
{
    hal_region **members = NULL, *r = NULL;
    size_t n = 0, capacity = 0;
    hal_status st = HAL_OK;
    if (depth >= HAL_REGION_DEPTH_MAX)
        st = hal_err_set(err, HAL_E_USAGE, "region: brackets more than %d deep",
                         HAL_REGION_DEPTH_MAX);
    else if (!take(text, '('))
        st = hal_err_set(err, HAL_E_USAGE, "region %s: \"(\" is missing behind it", names[f]);
    while (!st && !take(text, ')')) {
        r = parse_one(text, depth + 1, err);
        st = r ? add_member(&members, &n, &capacity, r, err) : HAL_E_USAGE;
        if (st)
            hal_region_unref(r);
    }
    r = st ? NULL : combine(f, members, n, err);
    for (size_t i = 0; i < n; i++)
        hal_region_unref(members[i]);
    hal_free(members);
    return r;
}

static hal_region *parse_one(hal_slice *text, int depth, hal_err *err)
{
    static const char *const frames[] = {"ICRS", "J2000", "GSC1", "OTHER", "UNKNOWNFRAME"};
    size_t f = 0;
    while (f < N_FORMS && !take_word(text, names[f]))
        f++;
    if (f == N_FORMS && take_word(text, "ALLSKY")) /* the name in STC-S */
        f = ALL;
    if (f == N_FORMS) {
        hal_err_set(err, HAL_E_USAGE,
                    "not a region: write \"CIRCLE ra dec radius\", \"RANGE ra1 ra2 dec1 dec2\", "
                    "\"POLYGON ra1 dec1 ra2 dec2 ra3 dec3 ...\", \"ELLIPSE ra dec first second "
                    "angle\" (degrees), \"MOC 3/1-4 ...\", \"ALL\", or UNION, INTERSECTION, NOT, "
                    "DIFFERENCE of these in brackets");
        return NULL;
    }
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++)
        if (take_word(text, frames[i]))
            break;
    if (f == POLYGON)
        return parse_polygon(text, depth, err);
    if (f == MOC)
        return parse_moc(text, err);
    if (f >= UNION)
        return parse_members((form)f, text, depth, err);
    static const size_t n_wanted[] = {[CIRCLE] = 3, [RANGE] = 4, [ALL] = 0, [ELLIPSE] = 5};
    double x[5] = {0};
    if (take_numbers(text, x, n_wanted[f]) != n_wanted[f] || !is_at_end(text, depth)) {
        hal_err_set(err, HAL_E_USAGE, "region %s takes %zu numbers in degrees", names[f],
                    n_wanted[f]);
        return NULL;
    }
    return f == CIRCLE    ? hal_region_circle(x[0], x[1], x[2], err)
           : f == RANGE   ? hal_region_box(x[0], x[1], x[2], x[3], err)
           : f == ELLIPSE ? hal_region_ellipse(x[0], x[1], x[2], x[3], x[4], err)
                          : hal_region_all(err);
}

hal_region *hal_region_parse(hal_slice text, hal_err *err)
{
    if (text.size_bytes > HAL_REGION_TEXT_MAX) {
        hal_err_set(err, HAL_E_USAGE, "a region's text has at most %d bytes, not %zu",
                    HAL_REGION_TEXT_MAX, text.size_bytes);
        return NULL;
    }
    skip_blanks(&text);
    hal_region *r = parse_one(&text, 0, err);
    if (r && text.size_bytes) {
        hal_err_set(err, HAL_E_USAGE,
                    "region: \"%.*s\" stands behind its end; several regions are one by "
                    "\"UNION (...)\"",
                    (int)(text.size_bytes < 20 ? text.size_bytes : 20), text.data);
        hal_region_unref(r);
        return NULL;
    }
    return r;
}

hal_status hal_region_put_numbers(hal_buf *out, const double *x, size_t n, hal_err *err)
{
    for (size_t i = 0; i < n; i++) {
        char text[HAL_DOUBLE_TEXT_MAX];
        size_t n_bytes = hal_number_print_plain(text, x[i]);
        hal_status st = hal_buf_puts(out, " ", err);
        if (!st)
            st = hal_buf_append(out, text, n_bytes, err);
        if (st)
            return st;
    }
    return HAL_OK;
}

hal_status hal_region_format(const hal_region *r, hal_buf *out, hal_err *err)
{
    return r->class->format(r, out, err);
}
