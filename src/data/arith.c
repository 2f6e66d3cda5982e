/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows pass in blocks: operands to doubles or integers, one loop for the operation, results to the
 * new column. */
#include "data/arith.h"

#include "base/alloc.h"
#include "data/cell.h"
#include "data/vec.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 1024 };

typedef enum form {
    FORM_EXACT,   /* integers stay integers */
    FORM_FLOAT,   /* always float64 */
    FORM_COMPARE, /* two numbers, a bool */
    FORM_LOGIC,   /* bools, a bool */
    FORM_TEST,    /* any column, a bool, nulls as well */
    FORM_FILL,
    FORM_NULL /* the first operand, null where it equals the second */
} form;

typedef struct operation {
    const char *name;
    form form;
    int n_operands;
    bool keeps_unit, wants_one_unit;
    double (*one)(double);
    double (*two)(double, double);
} operation;

static double plus(double a, double b)
{
    return a + b;
}

static double minus(double a, double b)
{
    return a - b;
}

static double times(double a, double b)
{
    return a * b;
}

static double over(double a, double b)
{
    return a / b;
}

/* As in Lua: the result has the sign of the divisor. */
static double modulo(double a, double b)
{
    double m = fmod(a, b);
    return m * b < 0 ? m + b : m;
}

static double smaller(double a, double b)
{
    return isnan(a) || isnan(b) ? (double)NAN : a < b ? a : b;
}

static double larger(double a, double b)
{
    return isnan(a) || isnan(b) ? (double)NAN : a > b ? a : b;
}

static double negative(double a)
{
    return -a;
}

static double to_radians(double a)
{
    return a * (3.14159265358979323846 / 180);
}

static double to_degrees(double a)
{
    return a * (180 / 3.14159265358979323846);
}

static double same(double a)
{
    return a;
}

static const operation operations[] = {
    {"+", FORM_EXACT, 2, true, true, NULL, plus},
    {"-", FORM_EXACT, 2, true, true, NULL, minus},
    {"*", FORM_EXACT, 2, false, false, NULL, times},
    {"/", FORM_FLOAT, 2, false, false, NULL, over},
    {"^", FORM_FLOAT, 2, false, false, NULL, pow},
    {"%", FORM_FLOAT, 2, false, false, NULL, modulo},
    {"atan2", FORM_FLOAT, 2, false, true, NULL, atan2},
    {"hypot", FORM_FLOAT, 2, true, true, NULL, hypot},
    {"minimum", FORM_EXACT, 2, true, true, NULL, smaller},
    {"maximum", FORM_EXACT, 2, true, true, NULL, larger},
    {"<", FORM_COMPARE, 2, false, true, NULL, NULL},
    {"<=", FORM_COMPARE, 2, false, true, NULL, NULL},
    {">", FORM_COMPARE, 2, false, true, NULL, NULL},
    {">=", FORM_COMPARE, 2, false, true, NULL, NULL},
    {"==", FORM_COMPARE, 2, false, true, NULL, NULL},
    {"~=", FORM_COMPARE, 2, false, true, NULL, NULL},
    {"and", FORM_LOGIC, 2, false, false, NULL, NULL},
    {"or", FORM_LOGIC, 2, false, false, NULL, NULL},
    {"not", FORM_LOGIC, 1, false, false, NULL, NULL},
    {"neg", FORM_EXACT, 1, true, false, negative, NULL},
    {"abs", FORM_EXACT, 1, true, false, fabs, NULL},
    {"plain", FORM_EXACT, 1, false, false, same, NULL},
    {"floor", FORM_FLOAT, 1, true, false, floor, NULL},
    {"ceil", FORM_FLOAT, 1, true, false, ceil, NULL},
    {"round", FORM_FLOAT, 1, true, false, round, NULL},
    {"sqrt", FORM_FLOAT, 1, false, false, sqrt, NULL},
    {"exp", FORM_FLOAT, 1, false, false, exp, NULL},
    {"log", FORM_FLOAT, 1, false, false, log, NULL},
    {"log10", FORM_FLOAT, 1, false, false, log10, NULL},
    {"log2", FORM_FLOAT, 1, false, false, log2, NULL},
    {"sin", FORM_FLOAT, 1, false, false, sin, NULL},
    {"cos", FORM_FLOAT, 1, false, false, cos, NULL},
    {"tan", FORM_FLOAT, 1, false, false, tan, NULL},
    {"asin", FORM_FLOAT, 1, false, false, asin, NULL},
    {"acos", FORM_FLOAT, 1, false, false, acos, NULL},
    {"atan", FORM_FLOAT, 1, false, false, atan, NULL},
    {"rad", FORM_FLOAT, 1, false, false, to_radians, NULL},
    {"deg", FORM_FLOAT, 1, false, false, to_degrees, NULL},
    {"is_null", FORM_TEST, 1, false, false, NULL, NULL},
    {"is_nan", FORM_TEST, 1, false, false, NULL, NULL},
    {"fill", FORM_FILL, 2, true, true, NULL, NULL},
    {"null_if", FORM_NULL, 2, true, true, NULL, NULL},
};
enum { N_OPERATIONS = sizeof operations / sizeof *operations };

const char *const hal_column_operations[] = {
    "+",       "-",     "*",       "/",      "^",     "%",       "atan2", "hypot", "minimum",
    "maximum", "<",     "<=",      ">",      ">=",    "==",      "~=",    "and",   "or",
    "not",     "neg",   "abs",     "plain",  "floor", "ceil",    "round", "sqrt",  "exp",
    "log",     "log10", "log2",    "sin",    "cos",   "tan",     "asin",  "acos",  "atan",
    "rad",     "deg",   "is_null", "is_nan", "fill",  "null_if", NULL};

static const operation *find_operation(const char *name)
{
    for (size_t i = 0; i < N_OPERATIONS; i++)
        if (!strcmp(operations[i].name, name))
            return &operations[i];
    return NULL;
}

/* --- Operands -----------------------------------------------------------------------------------
 */

static hal_kind kind_of(const hal_operand *o)
{
    if (o->t) {
        const hal_field *f = hal_table_field(o->t, o->i_col);
        return f->type == HAL_TYPE_TIMESTAMP && f->width == 1 ? HAL_KIND_FLOAT
                                                              : hal_column_kind(o->t, o->i_col);
    }
    return o->is_int ? HAL_KIND_INT : HAL_KIND_FLOAT;
}

static const char *unit_of(const hal_operand *o)
{
    return o && o->t ? hal_table_field(o->t, o->i_col)->unit : "";
}

static bool is_null(const hal_operand *o, uint64_t row)
{
    return o->t && hal_table_is_null(o->t, o->i_col, row);
}

static int64_t int_at(const hal_operand *o, uint64_t row)
{
    return o->t ? hal_cell_int(o->t, o->i_col, row) : o->i;
}

static double double_at(const hal_operand *o, uint64_t row)
{
    if (o->t)
        return hal_cell_float(o->t, o->i_col, row);
    return o->is_int ? (double)o->i : o->d;
}

static void load(const hal_operand *o, uint64_t first, size_t n, double *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = is_null(o, first + i) ? 0 : double_at(o, first + i);
}

static const char *label(const hal_operand *o)
{
    const char *name = hal_table_field(o->t, o->i_col)->name;
    return *name ? name : "(computed)";
}

static hal_status check_kind(const operation *op, const hal_operand *o, hal_err *err)
{
    hal_kind kind = kind_of(o);
    if (op->form == FORM_TEST || kind == HAL_KIND_UNKNOWN)
        return HAL_OK;
    if (op->form == FORM_LOGIC && kind != HAL_KIND_BOOL)
        return hal_err_set(err, HAL_E_USAGE,
                           "'%s' works on columns of true and false; make one by a comparison",
                           op->name);
    if (op->form != FORM_LOGIC && kind != HAL_KIND_INT && kind != HAL_KIND_FLOAT)
        return hal_err_set(err, HAL_E_USAGE, "'%s' works on numbers; column \"%s\" holds none",
                           op->name, o->t ? label(o) : "");
    return HAL_OK;
}

static bool is_among(const char *word, const char *const *words)
{
    while (*words && strcmp(*words, word) != 0)
        words++;
    return *words;
}

/* A column that says that it is in degrees is not taken for radians, nor the other way round. */
static hal_status check_angle(const operation *op, const hal_operand *a, hal_err *err)
{
    static const char *const degrees[] = {"deg", "degree", "degrees", NULL},
                             *const radians[] = {"rad", "radian", "radians", NULL},
                             *const others[] = {"arcmin", "arcsec",    "mas", "uas",
                                                "h",      "hourangle", NULL},
                             *const of_radians[] = {"sin", "cos", "tan", "deg", NULL};
    bool of_degrees = !strcmp(op->name, "rad");
    const char *unit = unit_of(a);
    if ((!of_degrees && !is_among(op->name, of_radians)) ||
        (!is_among(unit, of_degrees ? radians : degrees) && !is_among(unit, others)))
        return HAL_OK;
    return hal_err_set(err, HAL_E_USAGE,
                       "'%s' takes %s, and column \"%s\" is in \"%s\": halyard.table.rad makes "
                       "radians of degrees, halyard.table.plain drops the unit",
                       op->name, of_degrees ? "degrees" : "radians", label(a), unit);
}

static hal_status check(const operation *op, const hal_operand *a, const hal_operand *b,
                        hal_err *err)
{
    if (!a->t && !(b && b->t))
        return hal_err_set(err, HAL_E_USAGE, "'%s' needs a column; math is for numbers alone",
                           op->name);
    hal_status st = check_kind(op, a, err);
    if (!st)
        st = b ? check_kind(op, b, err) : check_angle(op, a, err);
    if (st || !b)
        return st;
    if (a->t && b->t && hal_table_rows(a->t) != hal_table_rows(b->t))
        return hal_err_set(err, HAL_E_USAGE,
                           "'%s' of columns of %llu and %llu rows: take both from one table",
                           op->name, (unsigned long long)hal_table_rows(a->t),
                           (unsigned long long)hal_table_rows(b->t));
    if (op->wants_one_unit && *unit_of(a) && *unit_of(b) && strcmp(unit_of(a), unit_of(b)) != 0)
        return hal_err_set(err, HAL_E_USAGE,
                           "'%s' of columns in \"%s\" and \"%s\": convert one to the other's unit, "
                           "or give it without its unit by halyard.table.plain(column)",
                           op->name, unit_of(a), unit_of(b));
    return HAL_OK;
}

/* --- Results ------------------------------------------------------------------------------------
 */

static hal_status add_exact(hal_vec *out, const operation *op, int64_t a, int64_t b, uint64_t row,
                            hal_err *err)
{
    int64_t v = 0;
    bool beyond = false;
    switch (op->name[0]) {
    case '+':
        beyond = __builtin_add_overflow(a, b, &v);
        break;
    case '-':
        beyond = __builtin_sub_overflow(a, b, &v);
        break;
    case '*':
        beyond = __builtin_mul_overflow(a, b, &v);
        break;
    case 'n': /* neg */
        beyond = __builtin_sub_overflow((int64_t)0, a, &v);
        break;
    case 'a': /* abs */
        v = a;
        beyond = a < 0 && __builtin_sub_overflow((int64_t)0, a, &v);
        break;
    case 'p': /* plain */
        v = a;
        break;
    default: /* minimum, maximum */
        v = (op->name[1] == 'i') == (a < b) ? a : b;
    }
    if (beyond)
        return hal_err_set(
            err, HAL_E_USAGE,
            "'%s' in row %llu gives an integer beyond 64 bits; multiply by 1.0 first", op->name,
            (unsigned long long)row + 1);
    return hal_vec_add_int64(out, v, err);
}

/* a - b as a sign; integers are compared exactly, also with doubles. */
static int compare(const hal_operand *a, const hal_operand *b, uint64_t row, bool *unordered)
{
    *unordered = false;
    if (kind_of(a) == HAL_KIND_INT && kind_of(b) == HAL_KIND_INT) {
        int64_t x = int_at(a, row), y = int_at(b, row);
        return (x > y) - (x < y);
    }
    double x = double_at(a, row), y = double_at(b, row);
    *unordered = isnan(x) || isnan(y);
    if (x != y || *unordered)
        return (x > y) - (x < y);
    /* Equal after rounding: look at the integer itself. */
    bool a_int = kind_of(a) == HAL_KIND_INT, b_int = kind_of(b) == HAL_KIND_INT;
    if (a_int == b_int)
        return 0;
    double d = a_int ? y : x;
    int64_t i = int_at(a_int ? a : b, row);
    int sign = d >= 0x1p63 ? -1 : (i > (int64_t)d) - (i < (int64_t)d);
    return a_int ? sign : -sign;
}

static bool holds(const char *name, int sign, bool unordered)
{
    if (unordered)
        return name[0] == '~';
    if (name[0] == '=')
        return sign == 0;
    if (name[0] == '~')
        return sign != 0;
    bool closed = name[1] == '=';
    return (closed && sign == 0) || (name[0] == '<' ? sign < 0 : sign > 0);
}

static hal_status add_bool(hal_vec *out, const operation *op, const hal_operand *a,
                           const hal_operand *b, uint64_t row, hal_err *err)
{
    if (op->form == FORM_COMPARE) {
        bool unordered;
        int sign = compare(a, b, row, &unordered);
        return hal_vec_add_bool(out, holds(op->name, sign, unordered), err);
    }
    bool x = int_at(a, row) != 0;
    if (op->name[0] == 'n')
        return hal_vec_add_bool(out, !x, err);
    bool y = int_at(b, row) != 0;
    return hal_vec_add_bool(out, op->name[0] == 'a' ? x && y : x || y, err);
}

static hal_status add_test(hal_vec *out, const operation *op, const hal_operand *a, uint64_t row,
                           hal_err *err)
{
    bool null = is_null(a, row);
    if (!strcmp(op->name, "is_null"))
        return hal_vec_add_bool(out, null, err);
    return hal_vec_add_bool(out, !null && kind_of(a) == HAL_KIND_FLOAT && isnan(double_at(a, row)),
                            err);
}

static hal_status add_null(hal_vec *out, hal_err *err)
{
    return hal_vec_pad(out, out->n_rows + 1, err);
}

/* A value that no operation changes: an integer that the result cannot hold is not rounded. */
static hal_status add_as_is(hal_vec *out, const operation *op, const hal_operand *o, uint64_t row,
                            hal_err *err)
{
    if (out->type == HAL_TYPE_INT64)
        return hal_vec_add_int64(out, int_at(o, row), err);
    double d = double_at(o, row);
    if (kind_of(o) == HAL_KIND_INT && !(d < 0x1p63 && (int64_t)d == int_at(o, row)))
        return hal_err_set(err, HAL_E_USAGE,
                           "%s: row %llu is to be %lld, which no float64 is; give integers to stay "
                           "with integers",
                           op->name, (unsigned long long)row + 1, (long long)int_at(o, row));
    return hal_vec_add_float64(out, d, err);
}

/* minimum and maximum of an integer and a float, which are not rounded to be compared. */
static bool chooses_one(const operation *op, const hal_operand *a, const hal_operand *b)
{
    return (op->two == smaller || op->two == larger) && kind_of(a) != kind_of(b);
}

static const hal_operand *choose(const operation *op, const hal_operand *a, const hal_operand *b,
                                 uint64_t row)
{
    bool unordered;
    int sign = compare(a, b, row, &unordered);
    if (unordered)
        return isnan(double_at(a, row)) ? a : b;
    return (sign <= 0) == (op->two == smaller) ? a : b;
}

static hal_status fill_rows(hal_vec *out, const operation *op, const hal_operand *a,
                            const hal_operand *b, uint64_t n, hal_err *err)
{
    hal_status st = HAL_OK;
    for (uint64_t row = 0; row < n && !st; row++) {
        if (op->form == FORM_TEST) {
            st = add_test(out, op, a, row, err);
        } else if (op->form == FORM_FILL) {
            const hal_operand *o = is_null(a, row) ? b : a;
            if (is_null(o, row))
                st = add_null(out, err);
            else
                st = add_as_is(out, op, o, row, err);
        } else if (op->form == FORM_NULL) {
            bool unordered;
            if (is_null(a, row) ||
                (!is_null(b, row) && !compare(a, b, row, &unordered) && !unordered))
                st = add_null(out, err);
            else
                st = add_as_is(out, op, a, row, err);
        } else if (is_null(a, row) || (b && is_null(b, row))) {
            st = add_null(out, err);
        } else if (op->form == FORM_COMPARE || op->form == FORM_LOGIC) {
            st = add_bool(out, op, a, b, row, err);
        } else if (chooses_one(op, a, b)) {
            st = add_as_is(out, op, choose(op, a, b, row), row, err);
        } else {
            st = add_exact(out, op, int_at(a, row), b ? int_at(b, row) : 0, row, err);
        }
    }
    return st;
}

static hal_status float_rows(hal_vec *out, const operation *op, const hal_operand *a,
                             const hal_operand *b, uint64_t n, hal_err *err)
{
    double x[BLOCK], y[BLOCK];
    hal_status st = HAL_OK;
    for (uint64_t first = 0; first < n && !st; first += BLOCK) {
        size_t many = n - first < BLOCK ? (size_t)(n - first) : BLOCK;
        load(a, first, many, x);
        if (b) {
            load(b, first, many, y);
            for (size_t i = 0; i < many; i++)
                x[i] = op->two(x[i], y[i]);
        } else {
            for (size_t i = 0; i < many; i++)
                x[i] = op->one(x[i]);
        }
        for (size_t i = 0; i < many && !st; i++)
            st = is_null(a, first + i) || (b && is_null(b, first + i))
                     ? add_null(out, err)
                     : hal_vec_add_float64(out, x[i], err);
    }
    return st;
}

static hal_type result_type(const operation *op, const hal_operand *a, const hal_operand *b)
{
    bool ints = kind_of(a) == HAL_KIND_INT && (!b || kind_of(b) == HAL_KIND_INT);
    switch (op->form) {
    case FORM_EXACT:
    case FORM_FILL:
        return ints ? HAL_TYPE_INT64 : HAL_TYPE_FLOAT64;
    case FORM_FLOAT:
        return HAL_TYPE_FLOAT64;
    case FORM_NULL:
        return kind_of(a) == HAL_KIND_INT ? HAL_TYPE_INT64 : HAL_TYPE_FLOAT64;
    case FORM_COMPARE:
    case FORM_LOGIC:
    case FORM_TEST:
        break;
    }
    return HAL_TYPE_BOOL;
}

hal_table *hal_column_compute(const char *name, const hal_operand *a, const hal_operand *b,
                              hal_err *err)
{
    const operation *op = find_operation(name);
    if (!op || op->n_operands != (b ? 2 : 1)) {
        hal_err_set(err, HAL_E_USAGE, "there is no operation '%.20s' of %d columns", name,
                    b ? 2 : 1);
        return NULL;
    }
    if (check(op, a, b, err))
        return NULL;
    uint64_t n = hal_table_rows(a->t ? a->t : b->t);
    hal_field field = {.name = "",
                       .type = result_type(op, a, b),
                       .unit = !op->keeps_unit ? ""
                               : *unit_of(a)   ? unit_of(a)
                                               : unit_of(b),
                       .ucd = "",
                       .description = ""};
    hal_vec out = {0};
    hal_status st = hal_vec_set_type(&out, field.type, err);
    if (!st)
        st = hal_vec_grow(&out, n, err);
    if (!st)
        st = op->form <= FORM_FLOAT && field.type == HAL_TYPE_FLOAT64 && !chooses_one(op, a, b)
                 ? float_rows(&out, op, a, b, n, err)
                 : fill_rows(&out, op, a, b, n, err);
    hal_table *column = st ? NULL : hal_table_from_vecs(&field, &out, 1, n, err);
    hal_vec_clear(&out);
    return column;
}

hal_status hal_column_true_rows(const hal_table *t, size_t i_col, uint64_t **rows, uint64_t *n_rows,
                                hal_err *err)
{
    uint64_t n = hal_table_rows(t), kept = 0;
    hal_kind kind = hal_column_kind(t, i_col);
    if (kind != HAL_KIND_BOOL && kind != HAL_KIND_UNKNOWN)
        return hal_err_set(err, HAL_E_USAGE,
                           "a column that chooses rows holds true and false; make one by a "
                           "comparison such as halyard.table.lt(column, 15)");
    uint64_t *out = hal_malloc((n + 1) * sizeof *out);
    if (!out)
        return hal_err_nomem(err, (n + 1) * sizeof *out);
    for (uint64_t row = 0; row < n; row++) {
        out[kept] = row;
        kept += !hal_table_is_null(t, i_col, row) && hal_table_bool(t, i_col, row);
    }
    *rows = out;
    *n_rows = kept;
    return HAL_OK;
}
