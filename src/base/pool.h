/* SPDX-License-Identifier: BSD-3-Clause */
/* Worker threads for pure jobs. A job's `run` executes on a worker; its `done` executes on the loop
 * thread, when that thread calls hal_pool_drain. Jobs of one strand run one after another in the
 * order posted, never two at once; jobs of different strands run in parallel. Workers never touch
 * Lua, libcurl, SQLite or the log. */
#ifndef HAL_BASE_POOL_H
#define HAL_BASE_POOL_H

#include "base/status.h"

typedef struct hal_pool hal_pool;
typedef struct hal_strand hal_strand;

typedef void (*hal_job_fn)(void *ctx);

/** `n_threads` 0: cores minus one, at least 1, at most 4. `wake` is called from workers (any
 * thread) when a `done` becomes due and none was. NULL and `err` set on failure. */
hal_pool *hal_pool_new(int n_threads, void (*wake)(void *ctx), void *wake_ctx, hal_err *err);
/** Waits for running jobs, runs the `done` of every finished job, drops none. */
void hal_pool_free(hal_pool *pool);

/** A queue of its own; freed by hal_strand_free, which may be called while jobs are pending (they
 *  still run). */
hal_strand *hal_strand_new(hal_pool *pool, hal_err *err);
void hal_strand_free(hal_strand *strand);

/** Posts a job. `strand` NULL: independent of all others. `done` may be NULL. `run` is never
 * executed inside this call. Fails with HAL_E_NOMEM, in which case neither `run` nor `done` will be
 * called. */
hal_status hal_pool_post(hal_pool *pool, hal_strand *strand, hal_job_fn run, hal_job_fn done,
                         void *ctx, hal_err *err) HAL_MUST_CHECK;

/** The same, but it runs before all jobs that were not posted so. For short ones that others wait
 * for; a strand's order stands. */
hal_status hal_pool_post_urgent(hal_pool *pool, hal_strand *strand, hal_job_fn run, hal_job_fn done,
                                void *ctx, hal_err *err) HAL_MUST_CHECK;

/** Loop thread: runs every `done` that is due; returns how many ran. */
size_t hal_pool_drain(hal_pool *pool);
/** Jobs posted whose `done` has not run yet. Loop thread only. */
size_t hal_pool_pending(const hal_pool *pool);

#endif
