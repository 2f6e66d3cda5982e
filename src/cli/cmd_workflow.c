/* SPDX-License-Identifier: BSD-3-Clause */
/* run, plan, list, help, check, verify and retry: one job of a runtime with progress and results.
 */
#include "cli/cli.h"

#include "cli/practice.h"
#include "cli/progress.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STEP_MS = 100,
    PATHS_MAX_BYTES = 4 * PATH_MAX,
    EXIT_SIGNAL = 128,
    EXIT_PIPE = EXIT_SIGNAL + 13
};

typedef struct view {
    progress progress;
    hal_runtime *rt;
    hal_job job;
    int output_errno; /* why standard output took no more; EPIPE: nobody reads it */
} view;

static void on_event(void *ctx, const char *kind, const char *json)
{
    view *v = ctx;
    progress_event(&v->progress, kind, json);
}

static void on_output(void *ctx, const char *text, size_t size_bytes)
{
    view *v = ctx;
    progress_clear(&v->progress);
    if (!v->output_errno && !put_out(text, size_bytes)) {
        v->output_errno = errno;
        hal_runtime_interrupt(v->rt);
    }
}

/* Option, $HALYARD_PATH, the user's data folder, the installed folder, the source tree's. */
static void search_path(char *out, size_t size_bytes, const options *opts)
{
    const char *path = getenv("HALYARD_PATH"), *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME"), *program = program_folder();
    char user[PATH_MAX] = "";
    if (data && *data)
        snprintf(user, sizeof user, "%s/halyard/workflows", data);
    else if (home && *home)
        snprintf(user, sizeof user, "%s/.local/share/halyard/workflows", home);
    snprintf(out, size_bytes, "%s:%s:%s:%s/../share/halyard/workflows:%s/../../../workflows",
             opts->workflow_path ? opts->workflow_path : "", path ? path : "", user, program,
             program);
}

static hal_status drive(hal_runtime *rt, void *ctx)
{
    view *v = ctx;
    hal_status st = hal_runtime_start(rt, &v->job);
    bool running = !st;
    while (running) {
        st = hal_runtime_step(rt, STEP_MS, &running);
        progress_tick(&v->progress);
    }
    progress_clear(&v->progress);
    return st;
}

static int report(const view *v, int code)
{
    if (v->output_errno == EPIPE)
        return EXIT_PIPE;
    char own[256];
    const char *text = hal_runtime_error(v->rt), *verb = v->job.verb;
    if (v->output_errno) {
        snprintf(own, sizeof own, OUTPUT_FAILED, strerror(v->output_errno));
        code = EXIT_LOCAL;
        text = own;
    } else if (code > EXIT_SIGNAL && (!strcmp(verb, "run") || !strcmp(verb, "retry"))) {
        snprintf(own, sizeof own,
                 "%.100s; what has come is kept: run the same command again to go on", text);
        text = own;
    }
    if (code == 0)
        return 0;
    if (v->progress.style != PROGRESS_JSON)
        return complain(code, "%s", text);
    fprintf(stderr, "{\"event\":\"error\",\"data\":{\"exit\":%d,\"text\":\"", code);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == '"' || *c == '\\')
            fprintf(stderr, "\\u%04x", (unsigned)(unsigned char)*c);
        else
            fputc(*c, stderr);
    fputs("\"}}\n", stderr);
    return code;
}

static int run_job(const command *cmd, const options *opts, const char *archive)
{
    static char paths[PATHS_MAX_BYTES];
    search_path(paths, sizeof paths, opts);
    int64_t longest_wait = opts->longest_wait ? whole_number(opts->longest_wait) : 0;
    if (longest_wait < 0)
        return complain(EXIT_USAGE, "--longest-wait takes a whole number of seconds, not '%s'",
                        opts->longest_wait);
    const char *names[OPTIONS_MAX];
    size_t n_names = option_names(cmd, names);
    view v = {.job = {.struct_size = sizeof v.job,
                      .verb = cmd->name,
                      .workflow = opts->n_words > 0 ? opts->words[0] : NULL,
                      .params = opts->params,
                      .n_params = opts->n_params,
                      .format = opts->json ? "json" : opts->format,
                      .options = names,
                      .n_options = n_names,
                      .plot = opts->plot,
                      .regions = opts->regions,
                      .moc = opts->moc,
                      .list_for = opts->list_for}};
    hal_config config = {.struct_size = sizeof config,
                         .archive = archive,
                         .bases = opts->bases,
                         .n_bases = opts->n_bases,
                         .readings = opts->readings,
                         .n_readings = opts->n_readings,
                         .output = opts->output,
                         .workflow_path = paths,
                         .private_net = opts->private_net,
                         .ca_file = opts->ca_file,
                         .proxy = opts->proxy,
                         .proxy_from_env = opts->proxy_from_env,
                         .retry_after_max_s = longest_wait,
                         .restart = opts->restart,
                         .wait_for_folder = opts->wait_for_folder,
                         .keep_bad = opts->keep_bad,
                         .offline = opts->offline,
                         .on_event = on_event,
                         .on_output = on_output,
                         .ctx = &v};
    hal_status failure = HAL_OK;
    config.status = &failure;
    char why[1024];
    progress_begin(&v.progress, opts->quiet, opts->json);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* the limit of a file's size is an error, as a full disk is */
    v.rt = hal_runtime_new(&config, why, sizeof why);
    if (!v.rt)
        return complain(hal_exit_code(failure), "%s", why);
    int code = report(&v, run_interruptible(v.rt, drive, &v));
    hal_runtime_free(v.rt);
    return code;
}

int cmd_workflow(const command *cmd, const options *opts)
{
    practice archive = {.out = -1};
    if (!opts->archive || strcmp(opts->archive, "practice") != 0)
        return run_job(cmd, opts, opts->archive);
    int code = practice_start(&archive);
    if (code == 0)
        code = run_job(cmd, opts, archive.url);
    practice_stop(&archive);
    return code;
}
