/* SPDX-License-Identifier: BSD-3-Clause */
/* Base64 (RFC 4648 section 4) as a stream: text in pieces of any size, white space anywhere, final
 * padding optional (VOTable 1.5 section 5.3). Private to this folder. */
#ifndef HAL_DATA_BASE64_H
#define HAL_DATA_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** {0} is the beginning of a stream. */
typedef struct hal_base64 {
    uint32_t bits;
    int n_digits; /* of the group that is begun: 0..3 */
    int n_padding;
} hal_base64;

/** Room that hal_base64_decode needs for `n` bytes of text. */
static inline size_t hal_base64_room(size_t n)
{
    return n / 4 * 3 + 6;
}

/** Decodes to `out` and returns the number of bytes; `*wrong` is the first byte of the text that
 * does not belong there, NULL when all of it was taken. */
size_t hal_base64_decode(hal_base64 *b, const char *text, size_t n, uint8_t *out,
                         const char **wrong);
/** The bytes of an unfinished last group go to `out` (room for 2); false when it cannot end here.
 */
bool hal_base64_finish(hal_base64 *b, uint8_t *out, size_t *n_bytes);

size_t hal_base64_encode(const uint8_t *bytes, size_t n, char *out);

#endif
