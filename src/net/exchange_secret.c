/* SPDX-License-Identifier: BSD-3-Clause */
/* Credentials of an exchange: where they may go, and that nothing shows them. */
#define _GNU_SOURCE /* explicit_bzero */
#include "net/exchange_impl.h"

#include "base/alloc.h"
#include "base/redact.h"

#include <stdio.h>

size_t hal_exchange_hide(const hal_exchange *x, char *bytes, size_t n)
{
    bool good = x->status >= 200 && x->status < 300;
    return hal_secrets_hide(&x->secrets, bytes, n,
                            good ? HAL_SECRET_DATA_MIN : HAL_SECRET_TEXT_MIN);
}

void hal_exchange_hide_in_outcome(hal_exchange *x)
{
    hal_outcome *o = &x->outcome;
    struct {
        char *bytes;
        size_t n;
    } texts[] = {{o->url, strlen(o->url)},
                 {o->location, strlen(o->location)},
                 {o->content_type, strlen(o->content_type)},
                 {o->headers, x->outcome_header_bytes},
                 {o->err.text, strlen(o->err.text)}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        hal_secrets_hide(&x->secrets, texts[i].bytes, texts[i].n, HAL_SECRET_TEXT_MIN);
    hal_redact(o->err.text); /* the addresses are data */
}

hal_status hal_exchange_add_authorization(hal_exchange *x, hal_err *err)
{
    static const char name[] = "Authorization: ";
    size_t size = sizeof name + strlen(x->secrets.authorization);
    char *line = hal_malloc(size);
    if (!line)
        return hal_err_nomem(err, size);
    snprintf(line, size, "%s%s", name, x->secrets.authorization);
    hal_status st = hal_exchange_add_header(x, line, err);
    explicit_bzero(line, size);
    hal_free(line);
    return st;
}

/* Those that may not go there are as if they were not given, unless they are in the body. */
hal_status hal_exchange_take_secrets(hal_exchange *x, const hal_secrets *s, hal_err *err)
{
    const hal_target *t = &x->first;
    if (!s)
        return HAL_OK;
    if (s->may_go(s->ctx, t->host, t->port, t->https)) {
        hal_status st = hal_secrets_copy(&x->secrets, s, err);
        return st ? st : hal_secrets_add_forms(&x->secrets, err);
    }
    return s->in_body ? hal_err_set(err, HAL_E_PERMISSION,
                                    "a password may go to https hosts of the archive only, not to "
                                    "%s://%s:%d",
                                    t->https ? "https" : "http", t->host, t->port)
                      : HAL_OK;
}
