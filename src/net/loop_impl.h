/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of src/net share behind loop.h: alarms that never fail to be set, gates (queues in
 * front of a host) and the loop's own fields. Loop thread only. */
#ifndef HAL_NET_LOOP_IMPL_H
#define HAL_NET_LOOP_IMPL_H

#include "net/curl_lib.h"
#include "net/exchange.h"
#include "net/limit.h"
#include "net/loop.h"
#include "net/peer.h"

#include <stdatomic.h>

/** An instant at which `fn` runs, embedded in its owner. Room for it is reserved by init, so that
 * setting it cannot fail. */
typedef struct hal_alarm {
    void (*fn)(void *ctx);
    void *ctx;
    int64_t due_ns;
    uint64_t order; /* among equal instants */
    size_t place;   /* in the heap, from 1; 0: not set */
} hal_alarm;
hal_status hal_alarm_init(hal_loop *loop, hal_alarm *alarm, void (*fn)(void *ctx), void *ctx,
                          hal_err *err) HAL_MUST_CHECK;
/** Unsets it and gives its room back; nothing on an alarm that is all zero. */
void hal_alarm_clear(hal_loop *loop, hal_alarm *alarm);
/** Runs `fn` at the first step at or after `due_ns`, never inside this call. Replaces an earlier
 * setting. */
void hal_alarm_set(hal_loop *loop, hal_alarm *alarm, int64_t due_ns);
void hal_alarm_unset(hal_loop *loop, hal_alarm *alarm);

/** One that waits to be let through to a host. Embedded in its owner. */
typedef struct hal_visitor {
    struct hal_visitor *prev, *next;
    struct hal_gate *gate; /* NULL: not waiting */
    void (*admitted)(void *ctx);
    void (*refused)(void *ctx, const hal_err *why); /* the host is down */
    void *ctx;
} hal_visitor;
typedef struct hal_gate {
    struct hal_gate *next;
    hal_loop *loop;
    hal_limit *limit;
    hal_visitor *first, *last;
    hal_alarm alarm;
} hal_gate;
/** The loop's gate to a host; lives as long as the loop. NULL and err. */
hal_gate *hal_gate_to(hal_loop *loop, const char *host, int port, hal_err *err);
/** Queues a visitor; `admitted` runs from a step, holding a slot of gate->limit, or `refused`. */
void hal_gate_enter(hal_gate *gate, hal_visitor *visitor);
void hal_gate_leave(hal_visitor *visitor);
/** How many requests the host could take that nobody waits to send. */
int hal_gate_room(const hal_gate *gate);

enum { HAL_TRANSFERS_MAX = 1 << 20, HAL_SOCKETS_MAX = 256, HAL_IDLE_HANDLES_MAX = 32 };

/* One that libcurl opened and has not closed. */
typedef struct hal_socket {
    int fd;
    int from_port, to_port; /* 0 until a request has gone over it */
} hal_socket;

struct hal_loop {
    const hal_clock *clock;
    int wake_fd; /* written while the loop sleeps; awake, it looks at `woken` before it does */
    atomic_bool asleep, woken;
    hal_pool *pool;
    hal_alarm **heap; /* by (due_ns, order) */
    size_t n_set, n_reserved, heap_room;
    uint64_t order;
    const hal_curl *curl; /* NULL until the first transfer */
    CURLM *multi;
    CURL *idle_handles[HAL_IDLE_HANDLES_MAX]; /* without a request */
    size_t n_idle_handles;
    size_t n_transfers, transfers_max; /* fewer when descriptors are short */
    struct pollfd *polled; /* what libcurl waits for, behind the descriptor that wakes the loop */
    size_t n_polled, polled_room;
    int64_t curl_due_ns; /* libcurl wants to be called then; INT64_MAX: not */
    int64_t stepped_ns;  /* end of the last step; 0: none yet */
    bool closing;
    hal_timer *timers;
    hal_gate *gates;
    hal_exchange *exchanges, *idle_exchanges; /* the latter are memory only */
    size_t n_idle_exchanges;
    struct hal_download *downloads, *idle_downloads; /* the latter are memory only */
    int n_idle_downloads;
    size_t n_open, open_max;                /* of these, with descriptors; 0: not looked up yet */
    int64_t shut_until_ns;                  /* no gate lets anybody through: the disk failed */
    struct hal_download_work *idle_work[2]; /* without and with room for bytes */
    int n_idle_work[2];
    struct hal_outlet *outlets; /* output folders used, one of each */
    hal_host_allowed allowed;
    void *guard_ctx;
    bool private_net;
    hal_peers peers;
    hal_socket sockets[HAL_SOCKETS_MAX];
    size_t n_sockets, i_socket;
    hal_waits waits;
    hal_net_stats stats;
    uint64_t random;
    hal_limit_listener listener;
};

/** Loads libcurl and creates the multi handle. */
hal_status hal_loop_open_network(hal_loop *loop, hal_err *err) HAL_MUST_CHECK;
/** Frees the handles that have no request. */
void hal_loop_drop_handles(hal_loop *loop);
/** Closes the idle connections. */
void hal_loop_drop_connections(hal_loop *loop);
/** This process has no file descriptor left. */
bool hal_loop_lacks_descriptors(const hal_loop *loop);
uint32_t hal_loop_random(hal_loop *loop);
int64_t hal_loop_now_ns(const hal_loop *loop);

/** exchange.c, called by loop.c: libcurl is done with the transfer of `x`. */
void hal_exchange_transferred(hal_exchange *x, CURLcode code);
/** The machine slept so long: what is on the wire is taken off and asked again. */
void hal_exchanges_slept(hal_loop *loop, int64_t gap_ns);
/** Ends what is under way and delivers it, and frees the memory of others, for hal_loop_free. */
void hal_exchanges_cancel(hal_loop *loop);
void hal_downloads_cancel(hal_loop *loop); /* before the pool is freed */
void hal_downloads_end(hal_loop *loop);    /* after it */

/** As hal_exchange_start for downloads: before each request `resume` is asked where to go on:
 * false: all of it, else the range that starts at `*offset` and stops before `*end` (0: to the
 * end), if the file has this strong entity tag ("": whatever it has). `of_gzip`: the file is packed
 * in itself, which servers by habit label as the coding of the answer; it is stored as it is. */
typedef struct hal_resume {
    bool (*from)(void *ctx, uint64_t *offset, uint64_t *end, const char **etag);
    void *ctx;
    bool of_gzip;
} hal_resume;
hal_exchange *hal_exchange_start_resuming(hal_loop *loop, const hal_request *request,
                                          const hal_sink *sink, const hal_resume *resume,
                                          hal_exchange_done done, void *ctx, hal_err *err);
/** The answer under way, for a sink's `begin`. Borrowed. */
const hal_outcome *hal_exchange_answer(const hal_exchange *x);
/** Of the host that answers, for a sink's `begin`; lives as long as the loop. */
hal_gate *hal_exchange_gate(const hal_exchange *x);

#endif
