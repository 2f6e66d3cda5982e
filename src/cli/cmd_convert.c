/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/cli.h"
#include "cli/progress.h"

static hal_status convert(hal_runtime *rt, void *ctx)
{
    return hal_runtime_convert(rt, ctx);
}

int cmd_convert(const command *cmd, const options *opts)
{
    (void)cmd;
    hal_convert_job job = {.struct_size = sizeof job,
                           .in = opts->words[0],
                           .out = opts->n_words > 1 ? opts->words[1] : NULL,
                           .from = opts->from,
                           .to = opts->to,
                           .table = opts->table};
    progress p;
    progress_begin(&p, false, false);
    hal_config config = {.struct_size = sizeof config, .on_event = progress_event, .ctx = &p};
    char why[256];
    hal_runtime *rt = hal_runtime_new(&config, why, sizeof why);
    if (!rt)
        return complain(hal_exit_code(HAL_E_NOMEM), "%s", why);
    int code = run_interruptible(rt, convert, &job);
    progress_clear(&p);
    if (code != 0)
        complain(code, "%s", hal_runtime_error(rt));
    hal_runtime_free(rt);
    return code;
}
