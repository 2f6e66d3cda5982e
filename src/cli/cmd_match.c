/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/cli.h"

#include "cli/progress.h"

static hal_status match(hal_runtime *rt, void *ctx)
{
    return hal_runtime_match(rt, ctx);
}

int cmd_match(const command *cmd, const options *opts)
{
    (void)cmd;
    if (!opts->radius)
        return complain(EXIT_USAGE, "match needs a radius: --radius 1arcsec");
    int64_t n = opts->nearest ? whole_number(opts->nearest) : 0;
    if (n < (opts->nearest ? 1 : 0) || n > UINT32_MAX)
        return complain(EXIT_USAGE, "--nearest takes a whole number from 1, not '%s'",
                        opts->nearest);
    hal_match_job job = {.struct_size = sizeof job,
                         .left = opts->words[0],
                         .right = opts->words[1],
                         .out = opts->output,
                         .radius = opts->radius,
                         .mode = opts->mode,
                         .ra1 = opts->ra1,
                         .dec1 = opts->dec1,
                         .ra2 = opts->ra2,
                         .dec2 = opts->dec2,
                         .to = opts->to,
                         .n_nearest = (uint32_t)n,
                         .radius2 = opts->radius2,
                         .how = opts->how,
                         .pm1 = opts->pm1,
                         .pm2 = opts->pm2,
                         .epoch1 = opts->epoch1,
                         .epoch2 = opts->epoch2,
                         .at = opts->at,
                         .table1 = opts->table1,
                         .table2 = opts->table2};
    progress p;
    progress_begin(&p, false, false);
    hal_config config = {.struct_size = sizeof config, .on_event = progress_event, .ctx = &p};
    char why[256];
    hal_runtime *rt = hal_runtime_new(&config, why, sizeof why);
    if (!rt)
        return complain(hal_exit_code(HAL_E_NOMEM), "%s", why);
    int code = run_interruptible(rt, match, &job);
    progress_clear(&p);
    if (code != 0)
        complain(code, "%s", hal_runtime_error(rt));
    hal_runtime_free(rt);
    return code;
}
