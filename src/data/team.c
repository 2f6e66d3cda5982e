/* SPDX-License-Identifier: BSD-3-Clause */
#include "data/team.h"

#include "base/alloc.h"

#include <pthread.h>
#include <signal.h>

enum { QUEUED, RUNNING, DONE };

struct hal_team {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool has_thread, stop;
    hal_team_job *first; /* queued ones, oldest first */
};

static hal_team_job *pop(hal_team *t)
{
    hal_team_job *job = t->first;
    if (job) {
        t->first = job->next;
        job->state = RUNNING;
    }
    return job;
}

/* With the lock held, which it has again afterwards. */
static void run(hal_team *t, hal_team_job *job)
{
    pthread_mutex_unlock(&t->lock);
    job->run(job->ctx);
    pthread_mutex_lock(&t->lock);
    job->state = DONE;
    pthread_cond_broadcast(&t->changed);
}

static void *work(void *ctx)
{
    hal_team *t = ctx;
    pthread_mutex_lock(&t->lock);
    while (!t->stop) {
        hal_team_job *job = pop(t);
        if (job)
            run(t, job);
        else
            pthread_cond_wait(&t->changed, &t->lock);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

hal_team *hal_team_new(hal_err *err)
{
    hal_team *t = hal_calloc(1, sizeof *t);
    if (!t) {
        hal_err_nomem(err, sizeof *t);
        return NULL;
    }
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, NULL);
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* signals belong to the threads of the program */
    t->has_thread = pthread_create(&t->thread, NULL, work, t) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return t;
}

void hal_team_free(hal_team *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    t->stop = true;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
    if (t->has_thread)
        pthread_join(t->thread, NULL);
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    hal_free(t);
}

void hal_team_post(hal_team *t, hal_team_job *job)
{
    pthread_mutex_lock(&t->lock);
    job->state = QUEUED;
    job->next = NULL;
    hal_team_job **last = &t->first;
    while (*last)
        last = &(*last)->next;
    *last = job;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

bool hal_team_help(hal_team *t)
{
    pthread_mutex_lock(&t->lock);
    hal_team_job *job = pop(t);
    if (job)
        run(t, job);
    pthread_mutex_unlock(&t->lock);
    return job != NULL;
}

void hal_team_wait(hal_team *t, hal_team_job *job)
{
    pthread_mutex_lock(&t->lock);
    while (job->state != DONE) {
        if (job->state == QUEUED)
            run(t, pop(t)); /* the oldest: this one or one before it */
        else
            pthread_cond_wait(&t->changed, &t->lock);
    }
    pthread_mutex_unlock(&t->lock);
}

bool hal_team_is_done(hal_team *t, const hal_team_job *job)
{
    pthread_mutex_lock(&t->lock);
    bool done = job->state == DONE;
    pthread_mutex_unlock(&t->lock);
    return done;
}
