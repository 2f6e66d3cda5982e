/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/buf.h"

#include "base/alloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

void hal_buf_init(hal_buf *b, size_t max_bytes)
{
    *b = (hal_buf){.max_bytes = max_bytes};
}

void hal_buf_clear(hal_buf *b)
{
    hal_free(b->data);
    hal_buf_init(b, b->max_bytes);
}

hal_status hal_buf_reserve(hal_buf *b, size_t extra, hal_err *err)
{
    if (extra > b->max_bytes - b->size_bytes)
        return hal_err_set(err, HAL_E_BUDGET, "buffer limit of %zu bytes reached", b->max_bytes);
    size_t need = b->size_bytes + extra + 1;
    if (need <= b->capacity_bytes)
        return HAL_OK;
    size_t capacity = b->capacity_bytes ? b->capacity_bytes : 64;
    while (capacity < need)
        capacity = capacity > SIZE_MAX / 2 ? need : capacity * 2;
    char *grown = hal_realloc(b->data, capacity);
    if (!grown)
        return hal_err_nomem(err, capacity);
    b->data = grown;
    b->capacity_bytes = capacity;
    return HAL_OK;
}

hal_status hal_buf_append_more(hal_buf *b, const void *bytes, size_t n, hal_err *err)
{
    hal_status st = hal_buf_reserve(b, n, err);
    if (st)
        return st;
    if (n)
        memcpy(b->data + b->size_bytes, bytes, n);
    b->size_bytes += n;
    b->data[b->size_bytes] = '\0';
    return HAL_OK;
}

hal_status hal_buf_printf(hal_buf *b, hal_err *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    va_list again;
    va_copy(again, args);
    size_t room = b->capacity_bytes - b->size_bytes;
    int n = vsnprintf(room ? b->data + b->size_bytes : NULL, room, fmt, args);
    va_end(args);
    hal_status st =
        n < 0 ? hal_err_set(err, HAL_E_INTERNAL, "bad format") : hal_buf_reserve(b, (size_t)n, err);
    if (!st && (size_t)n >= room)
        vsnprintf(b->data + b->size_bytes, (size_t)n + 1, fmt, again);
    if (!st)
        b->size_bytes += (size_t)n;
    else if (room)
        b->data[b->size_bytes] = '\0';
    va_end(again);
    return st;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c != '"' && c != '\\' && c != 0x7f;
}

hal_status hal_buf_quote(hal_buf *b, const char *text, size_t n, hal_err *err)
{
    hal_status st = hal_buf_append(b, "\"", 1, err);
    for (size_t i = 0; !st; i++) {
        size_t plain = i;
        while (i < n && is_plain((unsigned char)text[i]))
            i++;
        st = hal_buf_append(b, text + plain, i - plain, err);
        if (st || i == n)
            break;
        char c = text[i], pair[2] = {'\\', c == '\n' ? 'n' : c};
        st = c == '"' || c == '\\' || c == '\n'
                 ? hal_buf_append(b, pair, sizeof pair, err)
                 : hal_buf_printf(b, err, "\\u%04x", (unsigned char)c);
    }
    return st ? st : hal_buf_append(b, "\"", 1, err);
}

const char *hal_buf_text(const hal_buf *b)
{
    return b->data ? b->data : "";
}
