/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/loop.h"

#include "base/alloc.h"
#include "net/loop_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { KEPT_CONNECTIONS = 64, POLLED_ROOM = 64 };

/* --- alarms: a binary heap ------------------------------------------------------------------- */

static bool before(const hal_alarm *a, const hal_alarm *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static void place(hal_loop *loop, hal_alarm *alarm, size_t at)
{
    loop->heap[at - 1] = alarm;
    alarm->place = at;
}

static void sift(hal_loop *loop, hal_alarm *alarm, size_t at)
{
    while (at > 1 && before(alarm, loop->heap[at / 2 - 1])) {
        place(loop, loop->heap[at / 2 - 1], at);
        at /= 2;
    }
    for (;;) {
        size_t child = at * 2;
        if (child > loop->n_set)
            break;
        if (child < loop->n_set && before(loop->heap[child], loop->heap[child - 1]))
            child++;
        if (!before(loop->heap[child - 1], alarm))
            break;
        place(loop, loop->heap[child - 1], at);
        at = child;
    }
    place(loop, alarm, at);
}

hal_status hal_alarm_init(hal_loop *loop, hal_alarm *alarm, void (*fn)(void *ctx), void *ctx,
                          hal_err *err)
{
    if (loop->n_reserved == loop->heap_room) {
        size_t room = loop->heap_room ? loop->heap_room * 2 : 32;
        hal_alarm **heap = hal_realloc(loop->heap, room * sizeof *heap);
        if (!heap)
            return hal_err_nomem(err, room * sizeof *heap);
        loop->heap = heap;
        loop->heap_room = room;
    }
    loop->n_reserved++;
    *alarm = (hal_alarm){.fn = fn, .ctx = ctx};
    return HAL_OK;
}

void hal_alarm_clear(hal_loop *loop, hal_alarm *alarm)
{
    if (!alarm->fn)
        return;
    hal_alarm_unset(loop, alarm);
    alarm->fn = NULL;
    loop->n_reserved--;
}

void hal_alarm_set(hal_loop *loop, hal_alarm *alarm, int64_t due_ns)
{
    hal_alarm_unset(loop, alarm);
    alarm->due_ns = due_ns;
    alarm->order = loop->order++;
    sift(loop, alarm, ++loop->n_set);
}

void hal_alarm_unset(hal_loop *loop, hal_alarm *alarm)
{
    size_t at = alarm->place;
    if (!at)
        return;
    alarm->place = 0;
    hal_alarm *last = loop->heap[--loop->n_set];
    if (last != alarm)
        sift(loop, last, at);
}

/* Alarms set while these run wait for the next step. */
static void run_alarms(hal_loop *loop)
{
    int64_t now_ns = hal_loop_now_ns(loop);
    uint64_t newest = loop->order;
    while (loop->n_set && loop->heap[0]->due_ns <= now_ns && loop->heap[0]->order < newest) {
        hal_alarm *alarm = loop->heap[0];
        hal_alarm_unset(loop, alarm);
        alarm->fn(alarm->ctx);
    }
}

/* --- public timers --------------------------------------------------------------------------- */

struct hal_timer {
    hal_loop *loop;
    hal_alarm alarm;
    void (*fn)(void *ctx);
    void *ctx;
    hal_timer *prev, *next;
};

void hal_timer_cancel(hal_timer *timer)
{
    if (!timer)
        return;
    hal_loop *loop = timer->loop;
    hal_alarm_clear(loop, &timer->alarm);
    if (timer->prev)
        timer->prev->next = timer->next;
    else
        loop->timers = timer->next;
    if (timer->next)
        timer->next->prev = timer->prev;
    hal_free(timer);
}

static void timer_due(void *ctx)
{
    hal_timer *timer = ctx;
    void (*fn)(void *) = timer->fn;
    void *fn_ctx = timer->ctx;
    hal_timer_cancel(timer);
    fn(fn_ctx);
}

hal_timer *hal_timer_start(hal_loop *loop, int64_t delay_ms, void (*fn)(void *ctx), void *ctx,
                           hal_err *err)
{
    hal_timer *timer = hal_calloc(1, sizeof *timer);
    if (!timer) {
        hal_err_nomem(err, sizeof *timer);
        return NULL;
    }
    if (hal_alarm_init(loop, &timer->alarm, timer_due, timer, err)) {
        hal_free(timer);
        return NULL;
    }
    timer->loop = loop;
    timer->fn = fn;
    timer->ctx = ctx;
    timer->next = loop->timers;
    if (timer->next)
        timer->next->prev = timer;
    loop->timers = timer;
    int64_t delay_ns = delay_ms > INT64_MAX / 2 / HAL_NS_PER_MS ? INT64_MAX / 2
                       : delay_ms > 0                           ? delay_ms * HAL_NS_PER_MS
                                                                : 0;
    hal_alarm_set(loop, &timer->alarm, hal_loop_now_ns(loop) + delay_ns);
    return timer;
}

/* --- gates ----------------------------------------------------------------------------------- */

static void gate_open(void *ctx)
{
    hal_gate *gate = ctx;
    while (gate->first) {
        int64_t now_ns = hal_loop_now_ns(gate->loop), wait_ns = 0;
        hal_err why;
        if (now_ns < gate->loop->shut_until_ns) {
            hal_alarm_set(gate->loop, &gate->alarm, gate->loop->shut_until_ns);
            return;
        }
        if (hal_limit_is_closed(gate->limit, now_ns, &why)) {
            hal_visitor *visitor = gate->first;
            hal_gate_leave(visitor);
            visitor->refused(visitor->ctx, &why);
            continue;
        }
        if (gate->loop->n_transfers >= gate->loop->transfers_max)
            return; /* the end of one opens the gates */
        if (!hal_limit_enter(gate->limit, now_ns, &wait_ns)) {
            if (wait_ns >= 0)
                hal_alarm_set(gate->loop, &gate->alarm, now_ns + wait_ns);
            return;
        }
        hal_visitor *visitor = gate->first;
        hal_gate_leave(visitor);
        visitor->admitted(visitor->ctx);
    }
}

hal_gate *hal_gate_to(hal_loop *loop, const char *host, int port, hal_err *err)
{
    hal_limit *limit = hal_limit_ref(host, port, err);
    if (!limit)
        return NULL;
    for (hal_gate *gate = loop->gates; gate; gate = gate->next)
        if (gate->limit == limit) {
            hal_limit_unref(limit);
            return gate;
        }
    hal_gate *gate = hal_calloc(1, sizeof *gate);
    if (!gate || hal_alarm_init(loop, &gate->alarm, gate_open, gate, err)) {
        if (!gate)
            hal_err_nomem(err, sizeof *gate);
        hal_free(gate);
        hal_limit_unref(limit);
        return NULL;
    }
    gate->loop = loop;
    gate->limit = limit;
    gate->next = loop->gates;
    loop->gates = gate;
    return gate;
}

void hal_gate_enter(hal_gate *gate, hal_visitor *visitor)
{
    visitor->gate = gate;
    visitor->next = NULL;
    visitor->prev = gate->last;
    if (gate->last)
        gate->last->next = visitor;
    else
        gate->first = visitor;
    gate->last = visitor;
    if (!gate->alarm.place)
        hal_alarm_set(gate->loop, &gate->alarm, hal_loop_now_ns(gate->loop));
}

void hal_gate_leave(hal_visitor *visitor)
{
    hal_gate *gate = visitor->gate;
    if (!gate)
        return;
    *(visitor->prev ? &visitor->prev->next : &gate->first) = visitor->next;
    *(visitor->next ? &visitor->next->prev : &gate->last) = visitor->prev;
    visitor->gate = NULL;
}

int hal_gate_room(const hal_gate *gate)
{
    return gate->first ? 0 : hal_limit_room(gate->limit);
}

static void gates_open(hal_loop *loop)
{
    for (hal_gate *gate = loop->gates; gate; gate = gate->next)
        if (gate->first)
            gate_open(gate);
}

/* --- the loop -------------------------------------------------------------------------------- */

int64_t hal_loop_now_ns(const hal_loop *loop)
{
    return hal_clock_now_ns(loop->clock);
}

/* splitmix64: jitter needs no secrecy, only that processes differ. */
uint32_t hal_loop_random(hal_loop *loop)
{
    uint64_t z = loop->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ z >> 31) >> 32);
}

static void wake(void *ctx)
{
    hal_loop_wake(ctx);
}

hal_loop *hal_loop_new(const hal_clock *clock, hal_err *err)
{
    hal_loop *loop = hal_calloc(1, sizeof *loop);
    if (!loop) {
        hal_err_nomem(err, sizeof *loop);
        return NULL;
    }
    loop->clock = clock;
    hal_loop_set_waits(loop, &(hal_waits){0});
    loop->transfers_max = HAL_TRANSFERS_MAX;
    loop->random = (uint64_t)hal_clock_wall_ms(clock) ^ (uint64_t)getpid() << 40;
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->wake_fd < 0) {
        hal_err_errno(err, errno, "cannot create the loop's wake-up descriptor");
        hal_free(loop);
        return NULL;
    }
    loop->polled = hal_malloc(POLLED_ROOM * sizeof *loop->polled);
    if (!loop->polled) {
        hal_err_nomem(err, POLLED_ROOM * sizeof *loop->polled);
        close(loop->wake_fd);
        hal_free(loop);
        return NULL;
    }
    loop->polled[0] = (struct pollfd){.fd = loop->wake_fd, .events = POLLIN};
    loop->n_polled = 1;
    loop->polled_room = POLLED_ROOM;
    loop->curl_due_ns = INT64_MAX;
    loop->listener = (hal_limit_listener){wake, loop, NULL};
    hal_limit_listen(&loop->listener);
    return loop;
}

/* libcurl's callback: what it waits for at a socket. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *of_socket)
{
    hal_loop *loop = ctx;
    (void)easy;
    (void)of_socket;
    size_t i = 1;
    while (i < loop->n_polled && loop->polled[i].fd != fd)
        i++;
    if (what == CURL_POLL_REMOVE) {
        if (i < loop->n_polled)
            loop->polled[i] = loop->polled[--loop->n_polled];
        return 0;
    }
    if (i == loop->polled_room) {
        size_t room = loop->polled_room * 2;
        struct pollfd *larger = hal_realloc(loop->polled, room * sizeof *larger);
        if (!larger)
            return -1;
        loop->polled = larger;
        loop->polled_room = room;
    }
    if (i == loop->n_polled)
        loop->n_polled++;
    short events =
        (short)((what & CURL_POLL_IN ? POLLIN : 0) | (what & CURL_POLL_OUT ? POLLOUT : 0));
    loop->polled[i] = (struct pollfd){.fd = fd, .events = events};
    return 0;
}

/* By the clock of libcurl, whatever that of the loop is. */
static int64_t curl_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * HAL_NS_PER_S + t.tv_nsec;
}

/* libcurl's callback: when it wants to be called in any case. */
static int on_timer(CURLM *multi, long ms, void *ctx)
{
    hal_loop *loop = ctx;
    (void)multi;
    loop->curl_due_ns = ms < 0 ? INT64_MAX : curl_now_ns() + ms * HAL_NS_PER_MS;
    return 0;
}

static CURLM *new_multi(hal_loop *loop, const hal_curl *curl)
{
    CURLM *multi = curl->multi_init();
    if (!multi)
        return NULL;
    curl->multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS);
    curl->multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl->multi_setopt(multi, CURLMOPT_SOCKETDATA, (void *)loop);
    curl->multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl->multi_setopt(multi, CURLMOPT_TIMERDATA, (void *)loop);
    return multi;
}

hal_status hal_loop_open_network(hal_loop *loop, hal_err *err)
{
    if (loop->multi)
        return HAL_OK;
    const hal_curl *curl = hal_curl_load(err);
    if (!curl)
        return HAL_E_IO;
    if (!(loop->multi = new_multi(loop, curl)))
        return hal_err_nomem(err, 4096);
    loop->curl = curl;
    return HAL_OK;
}

/* libcurl has no call for it; without memory for another handle they stay. */
void hal_loop_drop_connections(hal_loop *loop)
{
    CURLM *multi = loop->multi && !loop->n_transfers ? new_multi(loop, loop->curl) : NULL;
    if (!multi)
        return;
    loop->curl->multi_cleanup(loop->multi);
    loop->multi = multi;
}

void hal_loop_drop_handles(hal_loop *loop)
{
    while (loop->n_idle_handles)
        loop->curl->easy_cleanup(loop->idle_handles[--loop->n_idle_handles]);
}

bool hal_loop_lacks_descriptors(const hal_loop *loop)
{
    int fd = fcntl(loop->wake_fd, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0)
        close(fd);
    return fd < 0 && (errno == EMFILE || errno == ENFILE);
}

void hal_loop_free(hal_loop *loop)
{
    if (!loop)
        return;
    loop->closing = true;
    hal_downloads_cancel(loop);
    hal_exchanges_cancel(loop);
    if (loop->pool)
        hal_pool_free(loop->pool);
    loop->pool = NULL;
    hal_downloads_end(loop);
    while (loop->timers)
        hal_timer_cancel(loop->timers);
    while (loop->gates) {
        hal_gate *gate = loop->gates;
        loop->gates = gate->next;
        hal_alarm_clear(loop, &gate->alarm);
        hal_limit_unref(gate->limit);
        hal_free(gate);
    }
    hal_loop_drop_handles(loop);
    if (loop->multi)
        loop->curl->multi_cleanup(loop->multi);
    hal_limit_unlisten(&loop->listener);
    close(loop->wake_fd);
    hal_peers_clear(&loop->peers);
    hal_free(loop->polled);
    hal_free(loop->heap);
    hal_free(loop);
}

hal_pool *hal_loop_pool(hal_loop *loop, hal_err *err)
{
    if (!loop->pool)
        loop->pool = hal_pool_new(0, wake, loop, err);
    return loop->pool;
}

static void load_libraries(void *ctx)
{
    (void)ctx;
    if (hal_crypto_load(NULL) && hal_curl_load(NULL)) { /* else whoever needs them says why */
    }
}

void hal_loop_expect_requests(hal_loop *loop)
{
    hal_pool *pool = loop->multi ? NULL : hal_loop_pool(loop, NULL);
    if (pool && hal_pool_post(pool, NULL, load_libraries, NULL, NULL, NULL)) { /* then later */
    }
}

const hal_clock *hal_loop_clock(const hal_loop *loop)
{
    return loop->clock;
}

void hal_loop_set_waits(hal_loop *loop, const hal_waits *waits)
{
    static const hal_waits usual = {1000, 60000, 1000, 30000, 900000, 60000};
    hal_waits *w = &loop->waits;
    *w = *waits;
    w->retry_base_ms = w->retry_base_ms ? w->retry_base_ms : usual.retry_base_ms;
    w->retry_cap_ms = w->retry_cap_ms ? w->retry_cap_ms : usual.retry_cap_ms;
    w->poll_base_ms = w->poll_base_ms ? w->poll_base_ms : usual.poll_base_ms;
    w->poll_cap_ms = w->poll_cap_ms ? w->poll_cap_ms : usual.poll_cap_ms;
    w->retry_after_max_ms =
        w->retry_after_max_ms ? w->retry_after_max_ms : usual.retry_after_max_ms;
    w->sleep_ms = w->sleep_ms ? w->sleep_ms : usual.sleep_ms;
}

const hal_waits *hal_loop_waits(const hal_loop *loop)
{
    return &loop->waits;
}

void hal_loop_guard(hal_loop *loop, hal_host_allowed allowed, bool private_net, void *ctx)
{
    loop->allowed = allowed;
    loop->private_net = private_net;
    loop->guard_ctx = ctx;
}

hal_status hal_loop_set_network(hal_loop *loop, const hal_net_options *options, hal_err *err)
{
    hal_peers peers = {0};
    const hal_curl *curl = NULL;
    bool used = options->ca_file || options->proxy || options->proxy_from_env;
    if (used && !(curl = hal_curl_load(err)))
        return HAL_E_IO;
    hal_status st = used ? hal_peers_init(&peers, curl, options, err) : HAL_OK;
    if (st)
        return st;
    hal_loop_drop_handles(loop); /* which know the ones before */
    hal_peers_clear(&loop->peers);
    loop->peers = peers;
    return HAL_OK;
}

bool hal_loop_has_proxy(const hal_loop *loop)
{
    return loop->peers.proxy || loop->peers.http_proxy || loop->peers.https_proxy;
}

hal_net_stats hal_loop_stats(const hal_loop *loop)
{
    hal_net_stats stats = loop->stats;
    stats.in_flight = (int)loop->n_transfers;
    return stats;
}

hal_status hal_host_limit(hal_loop *loop, const char *host, int window, int64_t pace_ms,
                          hal_err *err)
{
    (void)loop; /* one politeness for the whole process */
    if (pace_ms > INT64_MAX / HAL_NS_PER_MS)
        return hal_err_set(err, HAL_E_USAGE, "the distance between requests is too long");
    return hal_limit_configure(host, window, pace_ms * HAL_NS_PER_MS, err);
}

void hal_loop_wake(hal_loop *loop)
{
    uint64_t one = 1;
    int saved = errno;
    atomic_store(&loop->woken, true);
    if (atomic_load(&loop->asleep) && write(loop->wake_fd, &one, sizeof one) < 0) {
        /* full: the loop is being woken already */
    }
    errno = saved;
}

bool hal_loop_is_busy(const hal_loop *loop)
{
    return loop->exchanges || loop->downloads || loop->timers ||
           (loop->pool && hal_pool_pending(loop->pool));
}

/* At most `ms` (< 0: any time), and not beyond `ns`. */
static int sooner_ms(int ms, int64_t ns)
{
    int64_t until_ms = ns <= 0 ? 0 : (ns + HAL_NS_PER_MS - 1) / HAL_NS_PER_MS;
    if (ms < 0 || until_ms < ms)
        return until_ms > 1000000 ? 1000000 : (int)until_ms;
    return ms;
}

static int wait_ms(const hal_loop *loop, int timeout_ms)
{
    int ms = timeout_ms;
    if (loop->n_set)
        ms = sooner_ms(ms, loop->heap[0]->due_ns - hal_loop_now_ns(loop));
    if (loop->curl_due_ns != INT64_MAX)
        ms = sooner_ms(ms, loop->curl_due_ns - curl_now_ns());
    return ms;
}

static bool is_curl_due(const hal_loop *loop)
{
    return loop->curl_due_ns != INT64_MAX && loop->curl_due_ns <= curl_now_ns();
}

static hal_status wait_for_events(hal_loop *loop, int timeout_ms, hal_err *err)
{
    uint64_t count;
    atomic_store(&loop->asleep, true);
    int n = poll(loop->polled, (nfds_t)loop->n_polled, atomic_load(&loop->woken) ? 0 : timeout_ms);
    atomic_store(&loop->asleep, false);
    /* what it was woken for is looked at after this */
    atomic_store(&loop->woken, false);
    if (n < 0) /* then nothing is said of the descriptors */
        for (size_t i = 0; i < loop->n_polled; i++)
            loop->polled[i].revents = 0;
    if (n < 0 && errno != EINTR)
        return hal_err_errno(err, errno, "waiting for events");
    if (loop->polled[0].revents && read(loop->wake_fd, &count, sizeof count) < 0 &&
        errno != EAGAIN && errno != EINTR)
        return hal_err_errno(err, errno, "reading the loop's wake-up descriptor");
    return HAL_OK;
}

static hal_status act(hal_loop *loop, curl_socket_t fd, int events, hal_err *err)
{
    int n;
    CURLMcode rc = loop->curl->multi_socket_action(loop->multi, fd, events, &n);
    if (rc)
        return hal_err_set(err, rc == CURLM_OUT_OF_MEMORY ? HAL_E_NOMEM : HAL_E_INTERNAL,
                           "transfers: %s", loop->curl->multi_strerror(rc));
    return HAL_OK;
}

static hal_status transfers(hal_loop *loop, hal_err *err)
{
    hal_status st = HAL_OK;
    if (!loop->multi)
        return HAL_OK;
    for (size_t i = 1; i < loop->n_polled && !st;) {
        struct pollfd *p = &loop->polled[i];
        short got = p->revents;
        p->revents = 0;
        int events = (got & (POLLIN | POLLHUP) ? CURL_CSELECT_IN : 0) |
                     (got & POLLOUT ? CURL_CSELECT_OUT : 0) |
                     (got & (POLLERR | POLLNVAL) ? CURL_CSELECT_ERR : 0);
        if (events) { /* which may change the list: what was moved forward is found from its start
                       */
            st = act(loop, p->fd, events, err);
            i = 1;
        } else {
            i++;
        }
    }
    if (!st && is_curl_due(loop)) {
        loop->curl_due_ns = INT64_MAX; /* unless it says otherwise */
        st = act(loop, CURL_SOCKET_TIMEOUT, 0, err);
    }
    if (st)
        return st;
    int n;
    CURLMsg *message;
    while ((message = loop->curl->multi_info_read(loop->multi, &n))) {
        CURLcode code = message->data.result;
        char *x = NULL;
        if (message->msg == CURLMSG_DONE &&
            !loop->curl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &x) && x)
            hal_exchange_transferred((hal_exchange *)(void *)x, code);
    }
    return HAL_OK;
}

/* A laptop that slept, or a process that was stopped, finds dead connections and passed deadlines
 * which nobody had the time to meet: the former are dropped, the latter moved. */
static void notice_sleep(hal_loop *loop, int64_t from_ns, int64_t waited_ms)
{
    int64_t gap_ns = hal_loop_now_ns(loop) - from_ns - waited_ms * HAL_NS_PER_MS;
    if (gap_ns <= loop->waits.sleep_ms * HAL_NS_PER_MS)
        return;
    for (size_t i = 0; i < loop->n_set; i++)
        loop->heap[i]->due_ns += gap_ns;
    hal_exchanges_slept(loop, gap_ns);
    hal_loop_drop_connections(loop);
}

hal_status hal_loop_step(hal_loop *loop, int timeout_ms, hal_err *err)
{
    if (loop->stepped_ns)
        notice_sleep(loop, loop->stepped_ns, 0);
    gates_open(loop);
    int64_t begun_ns = hal_loop_now_ns(loop);
    int wait = wait_ms(loop, timeout_ms);
    hal_status st = wait_for_events(loop, wait, err);
    notice_sleep(loop, begun_ns, wait < 0 ? INT32_MAX : wait);
    if (!st)
        st = transfers(loop, err);
    if (st)
        return st;
    if (loop->pool)
        hal_pool_drain(loop->pool);
    run_alarms(loop);
    gates_open(loop);
    if (is_curl_due(loop)) /* new requests are on the wire before scripts go on */
        st = transfers(loop, err);
    loop->stepped_ns = hal_loop_now_ns(loop);
    return st;
}
