/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/pool.h"

#include "base/alloc.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

enum { THREADS_MAX = 16 };

typedef struct job {
    struct job *next;
    hal_job_fn run, done;
    void *ctx;
    hal_strand *strand;
    bool urgent;
} job;

typedef struct job_queue {
    job *head, *tail;
} job_queue;

struct hal_strand {
    hal_pool *pool;
    job_queue waiting; /* jobs behind the one that runs */
    bool busy;         /* one of its jobs is ready or running */
    bool orphan;       /* freed by its owner while busy */
};

struct hal_pool {
    pthread_mutex_t lock;
    pthread_cond_t work;
    job_queue urgent, ready, finished;
    bool stop;
    int n_threads;
    pthread_t threads[THREADS_MAX];
    void (*wake)(void *ctx);
    void *wake_ctx;
    size_t n_pending, n_finished;
};

static void push(job_queue *q, job *j)
{
    j->next = NULL;
    if (q->tail)
        q->tail->next = j;
    else
        q->head = j;
    q->tail = j;
}

static job *pop(job_queue *q)
{
    job *j = q->head;
    if (j && !(q->head = j->next))
        q->tail = NULL;
    return j;
}

static void push_ready(hal_pool *pool, job *j)
{
    push(j->urgent ? &pool->urgent : &pool->ready, j);
}

static void strand_advance(hal_pool *pool, hal_strand *strand)
{
    job *next = pop(&strand->waiting);
    if (next) {
        push_ready(pool, next);
        pthread_cond_signal(&pool->work);
        return;
    }
    strand->busy = false;
    if (strand->orphan)
        hal_free(strand);
}

static void *worker(void *arg)
{
    hal_pool *pool = arg;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        job *j = pop(pool->urgent.head ? &pool->urgent : &pool->ready);
        if (!j) {
            if (pool->stop)
                break;
            pthread_cond_wait(&pool->work, &pool->lock);
            continue;
        }
        pthread_mutex_unlock(&pool->lock);
        j->run(j->ctx);
        pthread_mutex_lock(&pool->lock);
        if (j->strand)
            strand_advance(pool, j->strand);
        bool first = !pool->finished.head; /* else a drain that takes this one, too, is due */
        push(&pool->finished, j);
        pool->n_finished++;
        if (first && pool->wake) { /* without the lock, which the woken thread wants */
            pthread_mutex_unlock(&pool->lock);
            pool->wake(pool->wake_ctx);
            pthread_mutex_lock(&pool->lock);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static int default_threads(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 3 ? 1 : cores > 5 ? 4 : (int)cores - 1;
}

hal_pool *hal_pool_new(int n_threads, void (*wake)(void *ctx), void *wake_ctx, hal_err *err)
{
    hal_pool *pool = hal_calloc(1, sizeof *pool);
    if (!pool) {
        hal_err_nomem(err, sizeof *pool);
        return NULL;
    }
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pool->wake = wake;
    pool->wake_ctx = wake_ctx;
    int wanted = n_threads > 0 ? n_threads : default_threads();
    if (wanted > THREADS_MAX)
        wanted = THREADS_MAX;
    /* Signals belong to the thread of the host program, never to a worker. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = 0;
    while (pool->n_threads < wanted &&
           !(rc = pthread_create(&pool->threads[pool->n_threads], NULL, worker, pool)))
        pool->n_threads++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (pool->n_threads == 0) {
        hal_err_errno(err, rc, "cannot start a worker thread");
        hal_pool_free(pool);
        return NULL;
    }
    return pool;
}

void hal_pool_free(hal_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->n_threads; i++)
        pthread_join(pool->threads[i], NULL);
    hal_pool_drain(pool);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    hal_free(pool);
}

hal_strand *hal_strand_new(hal_pool *pool, hal_err *err)
{
    hal_strand *strand = hal_calloc(1, sizeof *strand);
    if (!strand) {
        hal_err_nomem(err, sizeof *strand);
        return NULL;
    }
    strand->pool = pool;
    return strand;
}

void hal_strand_free(hal_strand *strand)
{
    if (!strand)
        return;
    hal_pool *pool = strand->pool;
    pthread_mutex_lock(&pool->lock);
    bool idle = !strand->busy;
    strand->orphan = true;
    pthread_mutex_unlock(&pool->lock);
    if (idle)
        hal_free(strand);
}

static hal_status post(hal_pool *pool, const job *what, hal_err *err)
{
    hal_strand *strand = what->strand;
    job *j = hal_malloc(sizeof *j);
    if (!j)
        return hal_err_nomem(err, sizeof *j);
    *j = *what;
    pthread_mutex_lock(&pool->lock);
    bool ready = !strand || !strand->busy;
    if (strand)
        strand->busy = true;
    if (ready)
        push_ready(pool, j);
    else
        push(&strand->waiting, j);
    pool->n_pending++;
    pthread_mutex_unlock(&pool->lock);
    if (ready) /* without the lock, for which the worker would wait at once */
        pthread_cond_signal(&pool->work);
    return HAL_OK;
}

hal_status hal_pool_post(hal_pool *pool, hal_strand *strand, hal_job_fn run, hal_job_fn done,
                         void *ctx, hal_err *err)
{
    return post(pool, &(job){.run = run, .done = done, .ctx = ctx, .strand = strand}, err);
}

hal_status hal_pool_post_urgent(hal_pool *pool, hal_strand *strand, hal_job_fn run, hal_job_fn done,
                                void *ctx, hal_err *err)
{
    return post(
        pool, &(job){.run = run, .done = done, .ctx = ctx, .strand = strand, .urgent = true}, err);
}

size_t hal_pool_drain(hal_pool *pool)
{
    size_t n = 0;
    for (;;) {
        pthread_mutex_lock(&pool->lock);
        job_queue finished = pool->finished;
        pool->finished = (job_queue){0};
        pool->n_pending -= pool->n_finished;
        pool->n_finished = 0;
        pthread_mutex_unlock(&pool->lock);
        if (!finished.head)
            return n;
        for (job *j; (j = pop(&finished)); n++) {
            if (j->done)
                j->done(j->ctx);
            hal_free(j);
        }
    }
}

size_t hal_pool_pending(const hal_pool *pool)
{
    hal_pool *p = (hal_pool *)pool;
    pthread_mutex_lock(&p->lock);
    size_t n = p->n_pending;
    pthread_mutex_unlock(&p->lock);
    return n;
}
