/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/cli.h"
#include "cli/progress.h"

typedef struct view {
    progress progress;
    const options *opts;
} view;

/* Warnings: what the output's format cannot express. */
static void on_event(void *ctx, const char *kind, const char *json)
{
    view *v = ctx;
    progress_event(&v->progress, kind, json);
}

static hal_status convert(hal_runtime *rt, void *ctx)
{
    const options *opts = ((view *)ctx)->opts;
    return hal_runtime_convert(rt, opts->words[0], opts->n_words > 1 ? opts->words[1] : NULL,
                               opts->from, opts->to);
}

int cmd_convert(const command *cmd, const options *opts)
{
    (void)cmd;
    view v = {.opts = opts};
    hal_config config = {.struct_size = sizeof config, .on_event = on_event, .ctx = &v};
    char why[256];
    progress_begin(&v.progress, false, false);
    hal_runtime *rt = hal_runtime_new(&config, why, sizeof why);
    if (!rt)
        return complain(hal_exit_code(HAL_E_NOMEM), "%s", why);
    int code = run_interruptible(rt, convert, &v);
    if (code != 0)
        complain(code, "%s", hal_runtime_error(rt));
    hal_runtime_free(rt);
    return code;
}
