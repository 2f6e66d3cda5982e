/* SPDX-License-Identifier: BSD-3-Clause */
/* Types in memory and as text: bitmaps, timestamps, what converts to what without loss. Private to
 * this folder. */
#ifndef HAL_DATA_TYPES_H
#define HAL_DATA_TYPES_H

#include "data/table.h"

enum {
    HAL_TIMESTAMP_TEXT_MAX = 32,
    HAL_CELL_TEXT_MAX = 72, /* the text of any cell that is neither an array nor text */
};

static inline bool hal_bit(const uint8_t *bits, uint64_t i)
{
    return bits[i / 8] >> i % 8 & 1;
}

static inline void hal_bit_set(uint8_t *bits, uint64_t i, bool on)
{
    uint8_t mask = (uint8_t)(1u << i % 8);
    bits[i / 8] = (uint8_t)(on ? bits[i / 8] | mask : bits[i / 8] & ~mask);
}

void hal_bits_fill(uint8_t *bits, uint64_t first, uint64_t n, bool on);
/** The maps must not overlap. */
void hal_bits_copy(uint8_t *to, uint64_t at, const uint8_t *from, uint64_t first, uint64_t n);
/** Bits that are 1. */
uint64_t hal_bits_count(const uint8_t *bits, uint64_t first, uint64_t n);

/** Bytes of `n` items. */
static inline uint64_t hal_items_bytes(hal_type type, uint64_t n)
{
    return type == HAL_TYPE_BOOL ? (n + 7) / 8 : n * (hal_type_bits(type) / 8);
}

/** "2026-01-31T23:59:59.25Z": fraction of 0 to 6 digits without zeros at its end; years before 0 or
 * beyond 9999 with sign. No NUL; returns the number of bytes. */
size_t hal_timestamp_print(char out[HAL_TIMESTAMP_TEXT_MAX], int64_t us);
/** ISO 8601 as in VOTable's xtype "timestamp" (DALI 1.1 section 3.3.3): date, or date 'T' (or a
 * blank) time with up to 9 digits of a fraction, optional 'Z'; digits beyond microseconds must be
 * 0. False for anything else. */
bool hal_timestamp_read(hal_slice text, int64_t *us);

/** Copies item `from_i` of `from` to item `to_i` of `to` as type `to_type` when it is the same
 * value there; false otherwise. No text. */
bool hal_item_convert(void *to, hal_type to_type, uint64_t to_i, const void *from,
                      hal_type from_type, uint64_t from_i);

/** The text of an item: numbers shortest in their own type (whole ones without ".0"), complex as
 * "[re,im]". No text columns. */
size_t hal_item_print(char out[HAL_CELL_TEXT_MAX], const hal_column *c, hal_type type,
                      uint64_t i_item);
/** The same for a column that became text because it met one: floats as the doubles they are, so
 * that the text does not depend on whether the column was one of doubles in between. */
size_t hal_item_print_promoted(char out[HAL_CELL_TEXT_MAX], const hal_column *c, hal_type type,
                               uint64_t i_item);

#endif
