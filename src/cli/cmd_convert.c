/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/cli.h"

static hal_status convert(hal_runtime *rt, void *ctx)
{
    const options *opts = ctx;
    return hal_runtime_convert(rt, opts->words[0], opts->n_words > 1 ? opts->words[1] : NULL,
                               opts->from, opts->to);
}

int cmd_convert(const command *cmd, const options *opts)
{
    (void)cmd;
    hal_config config = {.struct_size = sizeof config};
    char why[256];
    hal_runtime *rt = hal_runtime_new(&config, why, sizeof why);
    if (!rt)
        return complain(hal_exit_code(HAL_E_NOMEM), "%s", why);
    int code = run_interruptible(rt, convert, (void *)opts);
    if (code != 0)
        complain(code, "%s", hal_runtime_error(rt));
    hal_runtime_free(rt);
    return code;
}
