/* SPDX-License-Identifier: BSD-3-Clause */
/* Decimal numbers between text and double, the same in every locale. Small inputs typed by people
 * and headers; the row readers have scanners of their own. */
#ifndef HAL_BASE_DECIMAL_H
#define HAL_BASE_DECIMAL_H

#include "base/slice.h"

enum { HAL_DECIMAL_TEXT_MAX = 128 };

/** Reads the longest decimal number at the front of `text`: [+-] digits [. digits] [e [+-] digits],
 * correctly rounded. No blanks, hexadecimal, infinities or NaN. Returns the bytes used; 0 when
 * there is no number, it has HAL_DECIMAL_TEXT_MAX characters or more, or it overflows. */
size_t hal_decimal_scan(double *out, hal_slice text);
/** Shortest of 15 to 17 significant digits that reads back to the same double (finite `value`). */
void hal_decimal_print(char out[HAL_DECIMAL_TEXT_MAX], double value);

#endif
