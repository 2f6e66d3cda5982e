/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers and their decimal text, independent of the locale. Reading is correctly rounded (nearest,
 * ties to even; underflow gives zero, a decimal beyond the range of a double is no double); writing
 * gives the shortest decimal that reads back to the same double, spelled as Python's repr does
 * ("180.0", "1e-05", "1e+16").
 * References: Lemire, "Number parsing at a gigabyte per second" (2021); Giulietti, "The Schubfach
 * way to render doubles" (2021). */
#ifndef HAL_BASE_NUMBER_H
#define HAL_BASE_NUMBER_H

#include "base/slice.h"

#include <stdint.h>

enum {
    HAL_INT64_TEXT_MAX = 20,    /* "-9223372036854775808" */
    HAL_DOUBLE_TEXT_MAX = 32,   /* room for every text hal_number_print_double makes */
    HAL_NUMBER_TYPED_MAX = 128, /* longest number that hal_number_take_double reads */
};

typedef enum hal_number_kind {
    HAL_NUMBER_NONE,  /* not a number of this grammar */
    HAL_NUMBER_CUT,   /* ends where more might follow */
    HAL_NUMBER_INT,   /* an integer of 64 bits */
    HAL_NUMBER_BIG,   /* an integer beyond 64 bits, or what is beyond the range of a double */
    HAL_NUMBER_FLOAT, /* with fraction or exponent, or "-0" */
} hal_number_kind;

typedef struct hal_number {
    int64_t i;         /* HAL_NUMBER_INT */
    double d;          /* HAL_NUMBER_FLOAT */
    size_t size_bytes; /* of its text */
} hal_number;

/** Reads a number of the JSON grammar (RFC 8259 section 6) at `p`; HAL_NUMBER_CUT when it reaches
 * `end`, where more of it may follow. */
hal_number_kind hal_number_scan(const char *p, const char *end, hal_number *out);

/** The whole text as an integer, without leading zeros or plus; false otherwise or beyond 64 bits.
 */
bool hal_number_read_int64(hal_slice text, int64_t *out);
/** The whole text as a double: a JSON number, also "+1.5", ".5", "5.", "NaN", "inf", "-inf". False
 * also for one beyond the range of a double. */
bool hal_number_read_double(hal_slice text, double *out);
/** Whether hal_number_read_double fails for nothing but the range. */
bool hal_number_is_beyond_double(hal_slice text);

/** w * 10^q, correctly rounded; false when that takes more than a product of 128 bits. */
bool hal_number_scale(uint64_t w, int q, double *out);

/** For texts that people type: reads the longest number at the front, [+-] digits [. digits]
 * [e [+-] digits], leading zeros allowed. Returns the bytes used; 0, with `out` untouched, when
 * there is none, it is longer than HAL_NUMBER_TYPED_MAX or it overflows. */
size_t hal_number_take_double(hal_slice text, double *out);

/** Both write to `out` without a NUL and return the number of bytes. */
size_t hal_number_print_int64(char out[HAL_INT64_TEXT_MAX], int64_t v);
size_t hal_number_print_double(char out[HAL_DOUBLE_TEXT_MAX], double v);
/** As hal_number_print_double, but whole numbers without ".0": how a number reads among text. */
size_t hal_number_print_plain(char out[HAL_DOUBLE_TEXT_MAX], double v);
/** The same for a float: the shortest decimal nearer to it than to another float ("0.1", which a
 * double would need 17 digits for). It reads back to the same float, also by way of a double. */
size_t hal_number_print_float(char out[HAL_DOUBLE_TEXT_MAX], float v);
size_t hal_number_print_plain_float(char out[HAL_DOUBLE_TEXT_MAX], float v);

/** True when every integer between 0 and `v` is a double. */
static inline bool hal_number_fits_double(int64_t v)
{
    return v >= -(INT64_C(1) << 53) && v <= (INT64_C(1) << 53);
}

#endif
