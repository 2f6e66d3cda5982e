/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a redirect leads, and whether an exchange goes there. */
#include "net/exchange_impl.h"

#include <stdio.h>

enum { HOPS_MAX = 10 };

bool hal_exchange_is_redirect(const hal_exchange *x)
{
    int s = x->status;
    return !x->request.keep_redirect &&
           (s == 301 || s == 302 || s == 303 || s == 307 || s == 308) && x->location[0];
}

/* A cut address would be a wrong one. */
void hal_exchange_tell_location(hal_exchange *x)
{
    hal_target to = {0};
    if (hal_target_parse(x->loop->curl, &to, x->location, &x->target, NULL))
        return;
    char *out = x->outcome.location;
    hal_target_text(x->loop->curl, &to, out, sizeof x->outcome.location);
    if (strlen(out) + 1 == sizeof x->outcome.location)
        out[0] = '\0';
    hal_target_clear(x->loop->curl, &to);
}

hal_status hal_exchange_ask_guard(const hal_loop *loop, const hal_target *t, hal_err *err)
{
    if (!loop->private_net && hal_peers_proxy(&loop->peers, t) && hal_target_is_private(t))
        return hal_err_set(err, HAL_E_PERMISSION,
                           "%s is a private address, which is not granted; allow private networks "
                           "(--allow-private-net) to reach it",
                           t->host);
    if (!loop->allowed)
        return HAL_OK;
    hal_err why = HAL_ERR_INIT;
    if (loop->allowed(loop->guard_ctx, t->host, t->port, &why))
        return HAL_OK;
    if (why.status) {
        if (err)
            *err = why;
        return why.status;
    }
    return hal_err_set(err, HAL_E_PERMISSION,
                       "host %s is not granted to this workflow; add it to `hosts`", t->host);
}

hal_status hal_exchange_follow(hal_exchange *x, hal_err *err)
{
    const hal_curl *c = x->loop->curl;
    size_t n = strlen(x->chain);
    snprintf(x->chain + n, sizeof x->chain - n, "%s%.100s", n ? " -> " : "", x->location);
    if (++x->hops > HOPS_MAX)
        return hal_err_set(err, HAL_E_ARCHIVE, "%s redirects in circles (more than %d times): %s",
                           x->first.host, HOPS_MAX, x->chain);
    hal_target next = {0};
    hal_status st = hal_target_parse(c, &next, x->location, &x->target, err);
    if (st)
        return hal_err_note(err, st, "redirect from %s", x->target.host);
    if (x->target.https && !next.https)
        st = hal_err_set(err, HAL_E_PERMISSION,
                         "%s redirects from https to http (%.200s); not followed", x->target.host,
                         x->location);
    else if ((st = hal_exchange_ask_guard(x->loop, &next, err)))
        hal_err_note(err, st, "redirect from %s", x->target.host);
    /* RFC 9110 15.4; that 301 and 302 change POST only is what clients do. */
    bool is_post = !strcmp(x->method, "POST");
    if (strcmp(x->method, "HEAD") != 0 && (x->status == 303 || (x->status < 303 && is_post)))
        x->as_get = true;
    if (!st && x->secrets.in_body && !x->as_get && !hal_target_same_origin(&x->first, &next))
        st = hal_err_set(err, HAL_E_PERMISSION,
                         "%s redirects a request that holds a password to %s; not followed",
                         x->first.host, next.host);
    hal_gate *gate = st ? NULL : hal_gate_to(x->loop, next.host, next.port, err);
    if (!gate) {
        hal_target_clear(c, &next);
        return st ? st : HAL_E_NOMEM;
    }
    hal_exchange_leave_target(x);
    x->target = next;
    x->gate = gate;
    x->phase = HAL_AT_GATE;
    hal_gate_enter(gate, &x->visitor);
    return HAL_OK;
}
