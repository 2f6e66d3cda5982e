/* SPDX-License-Identifier: BSD-3-Clause */
/* The practice archive as a child of this command, for one run. */
#ifndef HAL_CLI_PRACTICE_H
#define HAL_CLI_PRACTICE_H

#include <stddef.h>
#include <sys/types.h>

typedef struct practice {
    pid_t pid; /* 0: none */
    int out;   /* its standard output */
    char url[256];
} practice;

/** Starts halyard-practice on a free loopback port. Returns 0 or, after a complaint, the exit code.
 */
int practice_start(practice *p);
/** Ends it. Nothing to do when it was not started. */
void practice_stop(practice *p);

#endif
