/* SPDX-License-Identifier: BSD-3-Clause */
/* What a run shows on standard error: one line that is written over on a terminal, else a line at
 * stage changes and at most every 2 s. */
#ifndef HAL_CLI_PROGRESS_H
#define HAL_CLI_PROGRESS_H

#include <stdbool.h>

typedef struct progress progress;
enum progress_style { PROGRESS_LINES, PROGRESS_TERMINAL, PROGRESS_JSON, PROGRESS_QUIET };

struct progress {
    enum progress_style style;
    double started_s, stage_started_s, shown_s;
    char stage[64];
    char line[512]; /* the newest; "" when it was shown */
    bool on_screen; /* a line without newline is on the terminal */
};

void progress_begin(progress *p, bool quiet, bool json);
/** An event of the runtime: hal_config.on_event with a progress as context. */
void progress_event(void *ctx, const char *kind, const char *json);
/** Shows what is due; to be called now and then. */
void progress_tick(progress *p);
/** Takes the line off the terminal, before anything else is written. */
void progress_clear(progress *p);

#endif
