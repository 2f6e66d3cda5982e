/* SPDX-License-Identifier: BSD-3-Clause */
/* The sockets under libcurl: which addresses they may go to, and that nothing is left in one from
 * the answer before. */
#include "net/exchange_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <unistd.h>

static void note_socket(hal_loop *loop, int fd)
{
    size_t i = loop->n_sockets;
    if (i < HAL_SOCKETS_MAX)
        loop->n_sockets++;
    else
        i = loop->i_socket++ % HAL_SOCKETS_MAX;
    loop->sockets[i] = (hal_socket){.fd = fd};
}

int hal_exchange_close_socket(void *ctx, curl_socket_t fd)
{
    hal_loop *loop = ctx;
    for (size_t i = 0; i < loop->n_sockets; i++)
        if (loop->sockets[i].fd == fd) {
            loop->sockets[i] = loop->sockets[--loop->n_sockets];
            break;
        }
    return close(fd);
}

curl_socket_t hal_exchange_open_socket(void *ctx, curlsocktype purpose,
                                       struct curl_sockaddr *address)
{
    hal_exchange *x = ctx;
    (void)purpose;
    if (!x->proxied && !x->loop->private_net && !hal_address_is_public(&address->addr)) {
        x->address_refused = true;
        return CURL_SOCKET_BAD;
    }
    hal_exchange_on_address(x);
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    x->no_descriptor = fd < 0 && (errno == EMFILE || errno == ENFILE);
    if (fd >= 0)
        note_socket(x->loop, fd);
    return fd;
}

static int port_of(const struct sockaddr_storage *at)
{
    if (at->ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)at)->sin_port);
    if (at->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)at)->sin6_port);
    return -1;
}

/* libcurl tells a connection by its ports only. NULL: not one of the last ones opened. `used`: it
 * is known from an earlier request. */
static const hal_socket *socket_between(hal_loop *loop, int from_port, int to_port, bool *used)
{
    *used = true;
    for (size_t i = 0; i < loop->n_sockets; i++)
        if (loop->sockets[i].from_port == from_port && loop->sockets[i].to_port == to_port)
            return &loop->sockets[i];
    *used = false;
    for (size_t i = 0; i < loop->n_sockets; i++) {
        hal_socket *s = &loop->sockets[i];
        struct sockaddr_storage from, to;
        socklen_t n_from = sizeof from, n_to = sizeof to;
        if (!s->from_port && !getsockname(s->fd, (struct sockaddr *)&from, &n_from) &&
            !getpeername(s->fd, (struct sockaddr *)&to, &n_to) && port_of(&from) == from_port &&
            port_of(&to) == to_port) {
            s->from_port = from_port;
            s->to_port = to_port;
            return s;
        }
    }
    return NULL;
}

/* False also where other requests of HTTP/2 share the connection. */
static bool tls_has_more(hal_exchange *x, bool *is_tls)
{
    struct curl_tlssessioninfo *info = NULL;
    char byte;
    *is_tls = !x->loop->curl->easy_getinfo(x->easy, CURLINFO_TLS_SSL_PTR, &info) && info &&
              info->internals;
    if (!*is_tls || info->backend != CURLSSLBACKEND_OPENSSL)
        return false;
    const hal_tls *tls = hal_tls_load();
    const unsigned char *protocol = NULL;
    unsigned n = 0;
    if (!tls)
        return false;
    tls->alpn(info->internals, &protocol, &n);
    return !(n == 2 && !memcmp(protocol, "h2", 2)) && tls->peek(info->internals, &byte, 1) > 0;
}

/* N10: what came behind the end of an answer would be taken for the answer to the next request
 * (libcurl 7.88). */
bool hal_exchange_has_leftover(hal_exchange *x, int from_port, int to_port)
{
    bool used;
    const hal_socket *s = socket_between(x->loop, from_port, to_port, &used);
    if (!s || !used)
        return false;
    bool is_tls;
    char byte;
    return tls_has_more(x, &is_tls) ||
           (!is_tls && recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0);
}
