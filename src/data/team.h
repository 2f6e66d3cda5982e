/* SPDX-License-Identifier: BSD-3-Clause */
/* One helping thread beside the one that feeds a reader: blocks of text are read by whoever is
 * free, and taken over in order by the feeding thread. Started at the first block, joined when
 * freed. Private to this folder. */
#ifndef HAL_DATA_TEAM_H
#define HAL_DATA_TEAM_H

#include "base/status.h"

typedef struct hal_team hal_team;

typedef struct hal_team_job {
    void (*run)(void *ctx);
    void *ctx;
    /* Private. */
    int state;
    struct hal_team_job *next;
} hal_team_job;

/** Without a thread to be had, everything runs on the caller's. */
hal_team *hal_team_new(hal_err *err);
/** Waits for what runs; drops what has not begun. */
void hal_team_free(hal_team *t);
/** `job` must stay until hal_team_wait. */
void hal_team_post(hal_team *t, hal_team_job *job);
/** Runs the oldest job that nobody has begun here; false: there is none. */
bool hal_team_help(hal_team *t);
/** Until `job` is done; runs it here when nobody has begun it. */
void hal_team_wait(hal_team *t, hal_team_job *job);
bool hal_team_is_done(hal_team *t, const hal_team_job *job);

#endif
