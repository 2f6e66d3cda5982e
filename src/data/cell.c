/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/cell.h"

#include <math.h>
#include <string.h>

hal_kind hal_field_kind(const hal_field *f)
{
    if (f->width != 0 && f->width != 1)
        return HAL_KIND_OTHER;
    if (hal_type_is_integer(f->type) || f->type == HAL_TYPE_TIMESTAMP)
        return HAL_KIND_INT;
    if (hal_type_is_float(f->type))
        return HAL_KIND_FLOAT;
    return f->type == HAL_TYPE_BOOL     ? HAL_KIND_BOOL
           : f->type == HAL_TYPE_STRING ? HAL_KIND_TEXT
                                        : HAL_KIND_OTHER;
}

hal_kind hal_column_kind(const hal_table *t, size_t i_col)
{
    hal_kind kind = hal_field_kind(hal_table_field(t, i_col));
    return kind == HAL_KIND_TEXT && !hal_table_has_values(t, i_col) ? HAL_KIND_UNKNOWN : kind;
}

int64_t hal_cell_int(const hal_table *t, size_t i_col, uint64_t row)
{
    return hal_table_field(t, i_col)->type == HAL_TYPE_BOOL ? hal_table_bool(t, i_col, row)
                                                            : hal_table_int64(t, i_col, row);
}

double hal_cell_float(const hal_table *t, size_t i_col, uint64_t row)
{
    const hal_field *f = hal_table_field(t, i_col);
    if (hal_type_is_float(f->type))
        return hal_table_float64(t, i_col, row);
    double v = (double)hal_cell_int(t, i_col, row);
    return f->type == HAL_TYPE_TIMESTAMP ? v / 1e6 : v;
}

static int compare_doubles(double a, double b)
{
    if (isnan(a) || isnan(b))
        return (isnan(a) != 0) - (isnan(b) != 0);
    return (a > b) - (a < b);
}

int hal_cell_compare(const hal_table *t, size_t i_col, uint64_t a, uint64_t b)
{
    hal_kind kind = hal_field_kind(hal_table_field(t, i_col));
    if (kind == HAL_KIND_FLOAT)
        return compare_doubles(hal_cell_float(t, i_col, a), hal_cell_float(t, i_col, b));
    if (kind != HAL_KIND_TEXT) {
        int64_t x = hal_cell_int(t, i_col, a), y = hal_cell_int(t, i_col, b);
        return (x > y) - (x < y);
    }
    hal_slice x = hal_table_string(t, i_col, a), y = hal_table_string(t, i_col, b);
    size_t n = x.size_bytes < y.size_bytes ? x.size_bytes : y.size_bytes;
    int d = n ? memcmp(x.data, y.data, n) : 0;
    return d ? d : (x.size_bytes > y.size_bytes) - (x.size_bytes < y.size_bytes);
}

hal_status hal_column_require_plain(const hal_table *t, size_t i_col, const char *what,
                                    hal_err *err)
{
    const hal_field *f = hal_table_field(t, i_col);
    if (hal_field_kind(f) != HAL_KIND_OTHER)
        return HAL_OK;
    return hal_err_set(err, HAL_E_USAGE,
                       "%s: column \"%s\" holds arrays or complex numbers, which are neither "
                       "compared nor sorted; choose a column of single values",
                       what, f->name);
}

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9); /* splitmix64 */
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t hal_slice_hash(hal_slice s)
{
    uint64_t h = UINT64_C(0x9e3779b97f4a7c15) ^ s.size_bytes;
    while (s.size_bytes >= 8) {
        uint64_t word;
        memcpy(&word, s.data, 8);
        h = mix(h ^ word) + UINT64_C(0x9e3779b97f4a7c15);
        s.data += 8;
        s.size_bytes -= 8;
    }
    uint64_t rest = 0;
    if (s.size_bytes)
        memcpy(&rest, s.data, s.size_bytes);
    return mix(h ^ rest);
}

/* A double that is a whole number of 64 bits. */
static bool as_whole(double d, int64_t *out)
{
    if (!(d >= -0x1p63 && d < 0x1p63) || d != floor(d))
        return false;
    *out = (int64_t)d;
    return true;
}

uint64_t hal_cell_hash(const hal_table *t, size_t i_col, uint64_t row)
{
    hal_kind kind = hal_field_kind(hal_table_field(t, i_col));
    if (kind == HAL_KIND_TEXT)
        return hal_slice_hash(hal_table_string(t, i_col, row));
    if (kind != HAL_KIND_FLOAT)
        return mix((uint64_t)hal_cell_int(t, i_col, row));
    double d = hal_cell_float(t, i_col, row);
    int64_t whole;
    if (as_whole(d, &whole))
        return mix((uint64_t)whole);
    uint64_t bits = UINT64_C(0x7ff8000000000000);
    if (!isnan(d))
        memcpy(&bits, &d, sizeof bits);
    return mix(bits);
}

bool hal_kinds_comparable(hal_kind a, hal_kind b)
{
    bool numbers =
        (a == HAL_KIND_INT || a == HAL_KIND_FLOAT) && (b == HAL_KIND_INT || b == HAL_KIND_FLOAT);
    bool unknown = a == HAL_KIND_UNKNOWN || b == HAL_KIND_UNKNOWN;
    return numbers || ((a == b || unknown) && a != HAL_KIND_OTHER && b != HAL_KIND_OTHER);
}

bool hal_cells_equal(const hal_table *a, size_t i_a, uint64_t row_a, const hal_table *b, size_t i_b,
                     uint64_t row_b)
{
    hal_kind ka = hal_field_kind(hal_table_field(a, i_a));
    hal_kind kb = hal_field_kind(hal_table_field(b, i_b));
    if (ka == HAL_KIND_TEXT)
        return hal_slice_equals(hal_table_string(a, i_a, row_a), hal_table_string(b, i_b, row_b));
    if (ka != HAL_KIND_FLOAT && kb != HAL_KIND_FLOAT)
        return hal_cell_int(a, i_a, row_a) == hal_cell_int(b, i_b, row_b);
    if (ka == HAL_KIND_FLOAT && kb == HAL_KIND_FLOAT)
        return compare_doubles(hal_cell_float(a, i_a, row_a), hal_cell_float(b, i_b, row_b)) == 0;
    double d = ka == HAL_KIND_FLOAT ? hal_cell_float(a, i_a, row_a) : hal_cell_float(b, i_b, row_b);
    int64_t i = ka == HAL_KIND_FLOAT ? hal_cell_int(b, i_b, row_b) : hal_cell_int(a, i_a, row_a);
    int64_t whole = 0;
    return as_whole(d, &whole) && whole == i;
}
