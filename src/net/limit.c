/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/limit.h"

#include "base/alloc.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { HOST_TEXT_MAX = 272, KEPT_MAX = 256, QUOTA = 100, RETRY_PRICE = 5 };

struct hal_limit {
    hal_limit *next;
    char name[HOST_TEXT_MAX];
    int refs;
    bool configured;
    bool ordered; /* with a pace: only another word with one changes it */
    int window;   /* ceiling */
    int allowed;  /* now, 1 .. window */
    int in_flight;
    int quota;
    int64_t pace_ns;
    int64_t next_start_ns;   /* pace */
    int64_t paused_until_ns; /* Retry-After */
    int64_t halved_ns;
    int64_t closed_until_ns;
    hal_err why_closed;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static hal_limit *hosts;
static int n_hosts;
static hal_limit_listener *listeners;
static int default_window = HAL_LIMIT_WINDOW_DEFAULT;
static int64_t default_pace_ns;

void hal_limit_listen(hal_limit_listener *listener)
{
    pthread_mutex_lock(&lock);
    listener->next = listeners;
    listeners = listener;
    pthread_mutex_unlock(&lock);
}

void hal_limit_unlisten(hal_limit_listener *listener)
{
    pthread_mutex_lock(&lock);
    for (hal_limit_listener **at = &listeners; *at; at = &(*at)->next)
        if (*at == listener) {
            *at = listener->next;
            break;
        }
    pthread_mutex_unlock(&lock);
}

static hal_limit *find(const char *name)
{
    hal_limit *l = hosts;
    while (l && strcmp(l->name, name) != 0)
        l = l->next;
    return l;
}

/* Records of hosts nobody uses any more make room; what was configured stays. */
static void forget_idle(void)
{
    for (hal_limit **at = &hosts; *at && n_hosts >= KEPT_MAX;) {
        hal_limit *l = *at;
        if (l->refs || l->configured) {
            at = &l->next;
            continue;
        }
        *at = l->next;
        hal_free(l);
        n_hosts--;
    }
}

static hal_limit *find_or_add(const char *name)
{
    hal_limit *l = find(name);
    if (l)
        return l;
    forget_idle();
    l = hal_calloc(1, sizeof *l);
    if (!l)
        return NULL;
    snprintf(l->name, sizeof l->name, "%s", name);
    l->window = l->allowed = default_window;
    l->pace_ns = default_pace_ns;
    l->quota = QUOTA;
    l->next_start_ns = l->paused_until_ns = l->halved_ns = l->closed_until_ns = INT64_MIN;
    l->next = hosts;
    hosts = l;
    n_hosts++;
    return l;
}

hal_limit *hal_limit_ref(const char *host, int port, hal_err *err)
{
    char name[HOST_TEXT_MAX];
    snprintf(name, sizeof name, "%s:%d", host, port);
    pthread_mutex_lock(&lock);
    hal_limit *l = find(name);
    hal_limit *all_ports = find(host);
    if (all_ports && !(l && l->configured))
        l = all_ports;
    if (!l)
        l = find_or_add(name);
    if (l)
        l->refs++;
    pthread_mutex_unlock(&lock);
    if (!l)
        hal_err_nomem(err, sizeof *l);
    return l;
}

void hal_limit_unref(hal_limit *limit)
{
    if (!limit)
        return;
    pthread_mutex_lock(&lock);
    limit->refs--;
    pthread_mutex_unlock(&lock);
}

hal_status hal_limit_configure(const char *host, int window, int64_t pace_ns, hal_err *err)
{
    if (window < 1 || window > HAL_LIMIT_WINDOW_MAX)
        return hal_err_set(err, HAL_E_USAGE, "requests at once must be 1 to %d",
                           HAL_LIMIT_WINDOW_MAX);
    if (host && strlen(host) >= HOST_TEXT_MAX)
        return hal_err_set(err, HAL_E_USAGE, "host name is longer than %d bytes",
                           HOST_TEXT_MAX - 1);
    pthread_mutex_lock(&lock);
    if (!host) {
        default_window = window;
        default_pace_ns = pace_ns < 0 ? default_pace_ns : pace_ns;
    }
    hal_limit *l = host ? find_or_add(host) : hosts;
    hal_status st = host && !l ? hal_err_nomem(err, sizeof *l) : HAL_OK;
    for (; l; l = host ? NULL : l->next) {
        if ((!host && l->configured) || (pace_ns < 0 && l->ordered))
            continue;
        l->configured = host != NULL;
        l->ordered = l->configured && pace_ns >= 0;
        if (pace_ns >= 0 || l->allowed == l->window || l->allowed > window) /* else strained */
            l->allowed = window;
        l->window = window;
        l->pace_ns = pace_ns < 0 ? l->pace_ns : pace_ns;
    }
    pthread_mutex_unlock(&lock);
    return st;
}

bool hal_limit_enter(hal_limit *limit, int64_t now_ns, int64_t *wait_ns)
{
    pthread_mutex_lock(&lock);
    int64_t at_ns = limit->next_start_ns > limit->paused_until_ns ? limit->next_start_ns
                                                                  : limit->paused_until_ns;
    bool room = limit->in_flight < limit->allowed;
    bool granted = room && at_ns <= now_ns;
    if (granted) {
        limit->in_flight++;
        limit->next_start_ns = now_ns + limit->pace_ns;
    } else {
        *wait_ns = room ? at_ns - now_ns : -1;
    }
    pthread_mutex_unlock(&lock);
    return granted;
}

void hal_limit_hold(hal_limit *limit)
{
    pthread_mutex_lock(&lock);
    limit->in_flight++;
    pthread_mutex_unlock(&lock);
}

void hal_limit_leave(hal_limit *limit, int64_t started_ns, int64_t now_ns, hal_strain strain,
                     const hal_limit_listener *self)
{
    pthread_mutex_lock(&lock);
    limit->in_flight--;
    if (strain == HAL_STRAIN_NONE) {
        if (limit->allowed < limit->window)
            limit->allowed++;
        if (limit->quota < QUOTA)
            limit->quota++;
    } else if (strain == HAL_STRAIN_HIGH && started_ns >= limit->halved_ns) {
        limit->allowed = limit->allowed > 1 ? limit->allowed / 2 : 1;
        limit->halved_ns = now_ns;
    }
    for (const hal_limit_listener *l = listeners; l; l = l->next)
        if (l != self)
            l->wake(l->ctx);
    pthread_mutex_unlock(&lock);
}

void hal_limit_pause(hal_limit *limit, int64_t until_ns)
{
    pthread_mutex_lock(&lock);
    if (until_ns > limit->paused_until_ns)
        limit->paused_until_ns = until_ns;
    pthread_mutex_unlock(&lock);
}

bool hal_limit_spend_retry(hal_limit *limit)
{
    pthread_mutex_lock(&lock);
    bool granted = limit->quota >= RETRY_PRICE;
    if (granted)
        limit->quota -= RETRY_PRICE;
    pthread_mutex_unlock(&lock);
    return granted;
}

void hal_limit_close(hal_limit *limit, int64_t until_ns, const hal_err *why)
{
    pthread_mutex_lock(&lock);
    if (until_ns > limit->closed_until_ns) {
        limit->closed_until_ns = until_ns;
        limit->why_closed = *why;
    }
    limit->allowed = 1;
    for (const hal_limit_listener *l = listeners; l; l = l->next)
        l->wake(l->ctx); /* those that wait for it */
    pthread_mutex_unlock(&lock);
}

bool hal_limit_is_closed(hal_limit *limit, int64_t now_ns, hal_err *why)
{
    pthread_mutex_lock(&lock);
    bool closed = now_ns < limit->closed_until_ns;
    if (closed)
        *why = limit->why_closed;
    pthread_mutex_unlock(&lock);
    return closed;
}

int hal_limit_room(const hal_limit *limit)
{
    pthread_mutex_lock(&lock);
    int room = limit->allowed - limit->in_flight;
    pthread_mutex_unlock(&lock);
    return room > 0 ? room : 0;
}

int hal_limit_allowed(const hal_limit *limit)
{
    pthread_mutex_lock(&lock);
    int allowed = limit->allowed;
    pthread_mutex_unlock(&lock);
    return allowed;
}
