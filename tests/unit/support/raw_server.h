/* SPDX-License-Identifier: BSD-3-Clause */
/* A loopback HTTP peer that plays byte-exact scripts, one request after another, and keeps what it
 * was asked: the way to make an archive misbehave in a test (fault matrix, column S). */
#ifndef HAL_TESTS_RAW_SERVER_H
#define HAL_TESTS_RAW_SERVER_H

#include <stdbool.h>
#include <stddef.h>

typedef enum raw_end {
    RAW_KEEP,  /* the connection serves on */
    RAW_CLOSE, /* orderly end */
    RAW_RESET, /* RST */
    RAW_HOLD,  /* says nothing more until raw_server_release or the client leaves */
    RAW_DRIP,  /* as HOLD; raw_server_drip sends more */
} raw_end;

typedef struct raw_reply {
    const char *bytes; /* sent as they are; NULL: nothing */
    size_t n_bytes;    /* 0: strlen */
    raw_end end;
} raw_reply;

typedef struct raw_server raw_server;

/** Listens on a free port of 127.0.0.1. The i-th request received gets replies[i]; beyond the end
 * the last one again. `replies` must outlive the server. */
raw_server *raw_server_start(const raw_reply *replies, size_t n_replies);
/** As above, with the reply chosen by `choose` from the text of request number `i` (from 0), on
 * the server's threads. */
raw_server *raw_server_start_with(raw_reply (*choose)(void *ctx, int i, const char *request),
                                  void *ctx);
/** Ends all connections and frees it. */
void raw_server_stop(raw_server *server);
int raw_server_port(const raw_server *server);
/** Ends every RAW_HOLD. */
void raw_server_release(raw_server *server);

/** Sends `n` bytes more on the newest connection that is held by RAW_DRIP; 0 when there is none. */
size_t raw_server_drip(raw_server *server, size_t n);

int raw_server_requests(raw_server *server);
int raw_server_connections(raw_server *server);
/** Largest number of requests that were being answered at once. */
int raw_server_most_at_once(raw_server *server);
/** Whole text of request number `i` from 0, borrowed until raw_server_stop; NULL if none. */
const char *raw_server_request(raw_server *server, int i);

#endif
