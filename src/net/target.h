/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a request goes: a URL parsed once by libcurl's own parser, and the rules on its parts and
 * on the address it resolves to (security model 6.1). */
#ifndef HAL_NET_TARGET_H
#define HAL_NET_TARGET_H

#include "net/curl_lib.h"

#include <sys/socket.h>

typedef struct hal_target {
    CURLU *url;
    char host[256]; /* lower case, A-labels, no trailing dot; IPv6 in brackets */
    int port;
    bool https;
} hal_target;

/** `base` NULL: an absolute http or https URL; else `text` may be relative to it (Location).
 * HAL_E_USAGE, HAL_E_PERMISSION (scheme), HAL_E_NOMEM. `*out` is untouched on failure. */
hal_status hal_target_parse(const hal_curl *curl, hal_target *out, const char *text,
                            const hal_target *base, hal_err *err) HAL_MUST_CHECK;
void hal_target_clear(const hal_curl *curl, hal_target *target);
bool hal_target_same_origin(const hal_target *a, const hal_target *b);
/** The whole URL, cut at `size` - 1 bytes. */
void hal_target_text(const hal_curl *curl, const hal_target *target, char *out, size_t size);

/** By its name alone: "localhost", or a number that is no public address. */
bool hal_target_is_private(const hal_target *target);
/** False for loopback, private, link-local, multicast and reserved addresses, also when embedded in
 * IPv6 (mapped, NAT64, 6to4). */
bool hal_address_is_public(const struct sockaddr *address);

#endif
