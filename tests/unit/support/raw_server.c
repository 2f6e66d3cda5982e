/* SPDX-License-Identifier: BSD-3-Clause */
#include "raw_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUESTS_MAX = 4096, CONNECTIONS_MAX = 4096, REQUEST_BYTES_MAX = 1 << 20 };

struct raw_server {
    int fd, port;
    int stop_fd, release_fd;
    raw_reply (*choose)(void *ctx, int i, const char *request);
    void *choose_ctx;
    const raw_reply *replies;
    size_t n_replies;
    pthread_t acceptor;
    pthread_mutex_t lock;
    pthread_t threads[CONNECTIONS_MAX];
    int drip_fd; /* -1: none */
    int n_connections, n_requests, at_once, most_at_once;
    char *requests[REQUESTS_MAX];
};

typedef struct connection {
    raw_server *server;
    int fd;
} connection;

static raw_reply from_list(void *ctx, int i, const char *request)
{
    (void)request;
    raw_server *s = ctx;
    size_t at = (size_t)i < s->n_replies ? (size_t)i : s->n_replies - 1;
    return s->replies[at];
}

/* True when `fd` has bytes, a peer that left, or `also` was signalled. */
static bool wait_for(raw_server *s, int fd, int also)
{
    struct pollfd fds[3] = {{fd, POLLIN, 0}, {s->stop_fd, POLLIN, 0}, {also, POLLIN, 0}};
    while (poll(fds, also >= 0 ? 3 : 2, -1) < 0)
        continue;
    return !(fds[1].revents & POLLIN);
}

/* The whole next request with its body, malloc'ed; NULL at the end of the connection. */
static char *read_request(raw_server *s, int fd)
{
    char *text = calloc(1, REQUEST_BYTES_MAX);
    size_t n = 0, need = 0;
    while (text && n + 1 < REQUEST_BYTES_MAX) {
        if (!wait_for(s, fd, -1))
            break;
        /* one byte too few is never consumed: requests are not pipelined by this client */
        ssize_t got = recv(fd, text + n, REQUEST_BYTES_MAX - 1 - n, 0);
        if (got <= 0)
            break;
        n += (size_t)got;
        char *end = strstr(text, "\r\n\r\n");
        if (end && !need) {
            need = (size_t)(end - text) + 4;
            for (char *line = text; line < end; line = strstr(line, "\r\n") + 2)
                if (!strncasecmp(line, "Content-Length:", 15))
                    need += strtoul(line + 15, NULL, 10);
        }
        if (need && n >= need)
            return text;
    }
    free(text);
    return NULL;
}

static int note_request(raw_server *s, char *text)
{
    pthread_mutex_lock(&s->lock);
    int i = s->n_requests;
    if (i < REQUESTS_MAX) {
        s->requests[s->n_requests++] = text;
        if (++s->at_once > s->most_at_once)
            s->most_at_once = s->at_once;
    } else {
        free(text);
        i = -1;
    }
    pthread_mutex_unlock(&s->lock);
    return i;
}

static bool send_all(int fd, const char *bytes, size_t n)
{
    while (n) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        n -= (size_t)sent;
    }
    return true;
}

static void note_answered(raw_server *s)
{
    pthread_mutex_lock(&s->lock);
    s->at_once--;
    pthread_mutex_unlock(&s->lock);
}

static void set_drip(raw_server *s, int fd)
{
    pthread_mutex_lock(&s->lock);
    s->drip_fd = fd;
    pthread_mutex_unlock(&s->lock);
}

/* A request counts until its last byte goes out: with it the client may send the next one, before
 * this thread runs again. */
static bool answer(raw_server *s, int fd, int i, const char *text)
{
    raw_reply r = s->choose(s->choose_ctx, i, text);
    size_t n = !r.bytes ? 0 : r.n_bytes ? r.n_bytes : strlen(r.bytes);
    bool held = r.end == RAW_HOLD || r.end == RAW_DRIP, last = n && !held;
    bool open = send_all(fd, r.bytes, n - last);
    if (r.end == RAW_DRIP)
        set_drip(s, fd);
    if (held)
        wait_for(s, fd, s->release_fd);
    if (r.end == RAW_DRIP)
        set_drip(s, -1);
    note_answered(s);
    open = open && (!last || send_all(fd, r.bytes + n - 1, 1));
    if (r.end == RAW_RESET) {
        struct linger now = {1, 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    return open && r.end == RAW_KEEP;
}

static void *serve(void *arg)
{
    connection c = *(connection *)arg;
    free(arg);
    char *text;
    bool open = true;
    while (open && (text = read_request(c.server, c.fd))) {
        int i = note_request(c.server, text);
        if (i < 0)
            break;
        open = answer(c.server, c.fd, i, text);
    }
    close(c.fd);
    return NULL;
}

static void *accept_all(void *arg)
{
    raw_server *s = arg;
    while (wait_for(s, s->fd, -1)) {
        connection *c = malloc(sizeof *c);
        *c = (connection){s, accept(s->fd, NULL, NULL)};
        if (c->fd < 0 || s->n_connections == CONNECTIONS_MAX) {
            free(c);
            continue;
        }
        pthread_mutex_lock(&s->lock);
        int i = s->n_connections++;
        pthread_mutex_unlock(&s->lock);
        pthread_create(&s->threads[i], NULL, serve, c);
    }
    return NULL;
}

raw_server *raw_server_start_with(raw_reply (*choose)(void *ctx, int i, const char *request),
                                  void *ctx)
{
    raw_server *s = calloc(1, sizeof *s);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    pthread_mutex_init(&s->lock, NULL);
    s->choose = choose;
    s->choose_ctx = ctx;
    s->drip_fd = -1;
    s->stop_fd = eventfd(0, 0);
    s->release_fd = eventfd(0, 0);
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(s->fd, (struct sockaddr *)&at, sizeof at) || listen(s->fd, 128) ||
        getsockname(s->fd, (struct sockaddr *)&at, &n)) {
        perror("raw_server");
        abort();
    }
    s->port = ntohs(at.sin_port);
    pthread_create(&s->acceptor, NULL, accept_all, s);
    return s;
}

raw_server *raw_server_start(const raw_reply *replies, size_t n_replies)
{
    raw_server *s = raw_server_start_with(from_list, NULL);
    s->replies = replies; /* before the port is known to any client */
    s->n_replies = n_replies;
    s->choose_ctx = s;
    return s;
}

static void signal_fd(int fd)
{
    uint64_t one = 1;
    if (write(fd, &one, sizeof one) < 0)
        perror("raw_server");
}

void raw_server_release(raw_server *server)
{
    signal_fd(server->release_fd);
}

void raw_server_stop(raw_server *s)
{
    signal_fd(s->stop_fd);
    pthread_join(s->acceptor, NULL);
    for (int i = 0; i < s->n_connections; i++)
        pthread_join(s->threads[i], NULL);
    for (int i = 0; i < s->n_requests; i++)
        free(s->requests[i]);
    close(s->fd);
    close(s->stop_fd);
    close(s->release_fd);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

size_t raw_server_drip(raw_server *s, size_t n)
{
    char bytes[4096] = "";
    pthread_mutex_lock(&s->lock);
    n = n < sizeof bytes ? n : sizeof bytes;
    bool sent = s->drip_fd >= 0 && send_all(s->drip_fd, bytes, n);
    pthread_mutex_unlock(&s->lock);
    return sent ? n : 0;
}

int raw_server_port(const raw_server *server)
{
    return server->port;
}

static int read_locked(raw_server *s, const int *field)
{
    pthread_mutex_lock(&s->lock);
    int value = *field;
    pthread_mutex_unlock(&s->lock);
    return value;
}

int raw_server_requests(raw_server *s)
{
    return read_locked(s, &s->n_requests);
}

int raw_server_connections(raw_server *s)
{
    return read_locked(s, &s->n_connections);
}

int raw_server_most_at_once(raw_server *s)
{
    return read_locked(s, &s->most_at_once);
}

const char *raw_server_request(raw_server *s, int i)
{
    return i < raw_server_requests(s) ? s->requests[i] : NULL;
}
