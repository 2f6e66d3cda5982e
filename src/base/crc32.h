/* SPDX-License-Identifier: BSD-3-Clause */
/* CRC-32 (IEEE 802.3), which finds any error of a few bits in what was stored. */
#ifndef HAL_BASE_CRC32_H
#define HAL_BASE_CRC32_H

#include <stddef.h>
#include <stdint.h>

/** Of what had the checksum `crc` (0: nothing) and these `n` bytes behind it. Any thread. */
uint32_t hal_crc32(uint32_t crc, const void *bytes, size_t n);

#endif
