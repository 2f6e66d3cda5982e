/* SPDX-License-Identifier: BSD-3-Clause */
/* What stands between this machine and the archives: whom TLS trusts, and which proxy a request
 * goes through. Private to this folder. */
#ifndef HAL_NET_PEER_H
#define HAL_NET_PEER_H

#include "net/exchange.h"
#include "net/target.h"

typedef struct hal_peers {
    char *ca_file;                             /* NULL: the system's authorities only */
    char *proxy;                               /* of every host; NULL: none */
    char *http_proxy, *https_proxy, *no_proxy; /* of the environment; NULL: not set or not used */
} hal_peers;

/** Checks and copies. HAL_E_USAGE, HAL_E_IO, HAL_E_NOMEM; `out` is untouched on failure. */
hal_status hal_peers_init(hal_peers *out, const hal_curl *curl, const hal_net_options *options,
                          hal_err *err) HAL_MUST_CHECK;
void hal_peers_clear(hal_peers *p);
/** The proxy for requests to `t`; NULL: none. Borrowed. */
const char *hal_peers_proxy(const hal_peers *p, const hal_target *t);

#endif
