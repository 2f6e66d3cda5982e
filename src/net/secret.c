/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE /* memmem, explicit_bzero */
#include "net/secret.h"

#include "base/alloc.h"

#include <string.h>

static void wipe(const char *text)
{
    if (text)
        explicit_bzero((char *)text, strlen(text));
    hal_free((char *)text);
}

void hal_secrets_wipe(hal_secrets *s)
{
    wipe(s->authorization);
    for (size_t i = 0; i < s->n_values; i++)
        wipe(s->values[i]);
    *s = (hal_secrets){0};
}

hal_status hal_secrets_copy(hal_secrets *out, const hal_secrets *in, hal_err *err)
{
    hal_secrets s = *in;
    s.n_values = 0;
    s.authorization = in->authorization ? hal_strdup(in->authorization) : NULL;
    bool whole = s.authorization || !in->authorization;
    for (size_t i = 0; i < in->n_values && whole; i++) {
        s.values[i] = hal_strdup(in->values[i]);
        whole = s.values[i] != NULL;
        s.n_values += whole;
    }
    if (!whole) {
        hal_secrets_wipe(&s);
        return hal_err_nomem(err, 0);
    }
    *out = s;
    return HAL_OK;
}

size_t hal_secrets_hide(const hal_secrets *s, char *bytes, size_t n, size_t size_min)
{
    size_t longest = 1;
    for (size_t i = 0; i < s->n_values; i++) {
        size_t size = strlen(s->values[i]);
        char *at = bytes, *end = bytes + n;
        if (size < size_min || !n)
            continue;
        longest = size > longest ? size : longest;
        while ((at = memmem(at, (size_t)(end - at), s->values[i], size))) {
            memset(at, '*', size);
            at += size;
        }
    }
    return longest - 1 < n ? longest - 1 : n;
}
