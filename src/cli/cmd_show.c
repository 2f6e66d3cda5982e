/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/cli.h"
#include "cli/progress.h"

#include <stdio.h>
#include <string.h>

static void on_output(void *ctx, const char *text, size_t size_bytes)
{
    progress_clear(ctx);
    put_out(text, size_bytes);
}

static hal_status show(hal_runtime *rt, void *ctx)
{
    return hal_runtime_show(rt, ctx);
}

int cmd_show(const command *cmd, const options *opts)
{
    (void)cmd;
    hal_show job = {.struct_size = sizeof job,
                    .in = opts->words[0],
                    .from = opts->from,
                    .rows = -1,
                    .stats = opts->stats,
                    .json = opts->json,
                    .table = opts->table};
    if (opts->rows && (job.rows = whole_number(opts->rows)) < 0)
        return complain(EXIT_USAGE, "--rows takes a whole number, not '%s'", opts->rows);
    progress p;
    progress_begin(&p, false, false);
    hal_config config = {.struct_size = sizeof config,
                         .on_event = progress_event,
                         .on_output = on_output,
                         .ctx = &p};
    char why[256];
    hal_runtime *rt = hal_runtime_new(&config, why, sizeof why);
    if (!rt)
        return complain(hal_exit_code(HAL_E_NOMEM), "%s", why);
    int code = run_interruptible(rt, show, &job);
    progress_clear(&p);
    if (code != 0)
        complain(code, "%s", hal_runtime_error(rt));
    hal_runtime_free(rt);
    return code;
}
