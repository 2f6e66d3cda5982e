/* SPDX-License-Identifier: BSD-3-Clause */
/* A growable byte buffer with a ceiling stated at creation. Keeps a NUL behind the last byte, so
 * text can be handed to C functions. */
#ifndef HAL_BASE_BUF_H
#define HAL_BASE_BUF_H

#include "base/slice.h"
#include "base/status.h"

#include <string.h>

typedef struct hal_buf {
    char *data; /* NULL while empty */
    size_t size_bytes;
    size_t capacity_bytes;
    size_t max_bytes;
} hal_buf;

/** Never fails and allocates nothing. `max_bytes` is the ceiling for size_bytes. */
void hal_buf_init(hal_buf *b, size_t max_bytes);
void hal_buf_clear(hal_buf *b); /* frees; the buffer can be used again */

/** Makes room for `extra` more bytes. Fails with HAL_E_BUDGET (ceiling) or HAL_E_NOMEM. */
hal_status hal_buf_reserve(hal_buf *b, size_t extra, hal_err *err) HAL_MUST_CHECK;
hal_status hal_buf_append_more(hal_buf *b, const void *bytes, size_t n,
                               hal_err *err) HAL_MUST_CHECK; /* hal_buf_append that may grow it */
HAL_MUST_CHECK static inline hal_status hal_buf_append(hal_buf *b, const void *bytes, size_t n,
                                                       hal_err *err)
{
    size_t size = b->size_bytes;
    if (n == 0 || n >= b->capacity_bytes - size || n > b->max_bytes - size)
        return hal_buf_append_more(b, bytes, n, err);
    memcpy(b->data + size, bytes, n);
    b->data[size + n] = '\0';
    b->size_bytes = size + n;
    return HAL_OK;
}
HAL_MUST_CHECK static inline hal_status hal_buf_puts(hal_buf *b, const char *text, hal_err *err)
{
    return hal_buf_append(b, text, strlen(text), err);
}
hal_status hal_buf_printf(hal_buf *b, hal_err *err, const char *fmt, ...) HAL_MUST_CHECK
    HAL_PRINTF(3, 4);

/** The `n` bytes of UTF-8 as a JSON string (RFC 8259) with its quotes; what is no plain character
 * is escaped, DEL too. */
hal_status hal_buf_quote(hal_buf *b, const char *text, size_t n, hal_err *err) HAL_MUST_CHECK;

/** NUL-terminated text; "" when empty. Borrowed until the next change. */
const char *hal_buf_text(const hal_buf *b);
static inline hal_slice hal_buf_slice(const hal_buf *b)
{
    return (hal_slice){b->data, b->size_bytes};
}

#endif
