/* SPDX-License-Identifier: BSD-3-Clause */
/* The check sum of FITS (FITS 4.0 section 4.4.2.7 and appendix J): the one's complement sum of all
 * 32-bit words, high byte first, of bytes that come in pieces of any size. Private to this folder.
 */
#ifndef HAL_DATA_FITS_SUM_H
#define HAL_DATA_FITS_SUM_H

#include <stddef.h>
#include <stdint.h>

/** All zeros: of no bytes. */
typedef struct hal_fits_sum {
    uint64_t sum;   /* not folded yet */
    unsigned n_odd; /* bytes behind the last whole word */
} hal_fits_sum;

void hal_fits_sum_add(hal_fits_sum *s, const char *bytes, size_t n);
/** 0 only when all bytes were. */
uint32_t hal_fits_sum_value(const hal_fits_sum *s);

#endif
