/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/fits_sum.h"

#include "base/compiler.h"

#include <string.h>

typedef uint16_t lanes HAL_VECTOR(16);

enum { RUN = 256 }; /* vectors: sums of so many bytes have room in 16 bits */

static uint64_t fold(uint64_t sum)
{
    sum = (sum & UINT32_MAX) + (sum >> 32);
    return (sum & UINT32_MAX) + (sum >> 32);
}

/* Of at most RUN vectors. A lane is two bytes, the first of them low: `both` loses its carries, but
 * less the sum of the second bytes it is that of the first. A third of an instruction a byte. */
static uint64_t run_sum(const char *p, size_t n_vectors)
{
    lanes both = {0}, second = {0}, first;
#pragma GCC unroll 16
    for (size_t i = 0; i < n_vectors; i++) {
        lanes v;
        memcpy(&v, p + i * sizeof v, sizeof v);
        both += v;
        second += v >> 8;
    }
    first = both - (second << 8);
    uint64_t sum = 0;
    for (int i = 0; i < 8; i++)
        sum += (((uint64_t)first[i] << 8) + second[i]) << (i % 2 ? 0 : 16);
    return sum;
}

void hal_fits_sum_add(hal_fits_sum *s, const char *bytes, size_t n)
{
    const char *p = bytes, *end = bytes + n;
    uint64_t sum = s->sum;
    for (; p < end && s->n_odd; p++, s->n_odd = (s->n_odd + 1) % 4)
        sum += (uint64_t)(unsigned char)*p << (24 - 8 * s->n_odd);
    while ((size_t)(end - p) >= sizeof(lanes)) {
        size_t n_vectors = (size_t)(end - p) / sizeof(lanes);
        n_vectors = n_vectors < RUN ? n_vectors : RUN;
        sum = fold(sum + run_sum(p, n_vectors));
        p += n_vectors * sizeof(lanes);
    }
    for (; p < end; p++, s->n_odd = (s->n_odd + 1) % 4)
        sum += (uint64_t)(unsigned char)*p << (24 - 8 * s->n_odd);
    s->sum = fold(sum);
}

uint32_t hal_fits_sum_value(const hal_fits_sum *s)
{
    return (uint32_t)fold(s->sum);
}
