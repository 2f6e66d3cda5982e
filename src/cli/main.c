/* SPDX-License-Identifier: BSD-3-Clause */
/* The command: finds what is asked for. What each command does is in cmd_*.c. */
#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const command commands[] = {
    {"run", "WORKFLOW", "runs a workflow", "abdoXlkwfSIZjqpcxvW", true, 1, 1, cmd_workflow},
    {"plan", "WORKFLOW", "shows what a run would ask, without asking it", "abdowSIKMjqpcxvW", true,
     1, 1, cmd_workflow},
    {"explain", "WORKFLOW", "says how each query of a workflow is split, and why", "abdowMjqpcxvW",
     true, 1, 1, cmd_workflow},
    {"retry", "DIR", "fetches what failed or was deferred in the run with output folder DIR",
     "ablkLjqpcxvW", false, 1, 1, cmd_workflow},
    {"verify", "DIR", "reads the files downloaded below DIR again, compares their SHA-256", "Jq",
     false, 1, 1, cmd_workflow},
    {"list", "", "lists the workflows that are found by name", "wj", false, 0, 0, cmd_workflow},
    {"help", "[NAME]", "explains a workflow and its parameters, or a command", "wj", false, 0, 1,
     cmd_workflow},
    {"check", "WORKFLOW", "checks a workflow file without running it", "w", false, 1, 1,
     cmd_workflow},
    {"convert", "IN [OUT]", "reads a table or recorded answer, writes it in another format", "FTt",
     false, 1, 2, cmd_convert},
    {"show", "FILE", "shows the columns, the first rows and statistics of a table", "nsJFt", false,
     1, 1, cmd_show},
    {"match", "A B", "joins two tables by position: rows of A with rows of B within --radius",
     "rRmNHOTABCDPQEGYUV", false, 2, 2, cmd_match},
    {"version", "", "prints the version", "", false, 0, 0, cmd_version},
    {NULL, NULL, NULL, NULL, false, 0, 0, NULL},
};

int complain(int exit_code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("halyard: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    return exit_code;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein distance; words longer than the row count as far. */
static size_t distance(const char *a, const char *b)
{
    enum { LONGEST = 32 };
    size_t na = strlen(a), nb = strlen(b), row[LONGEST + 1];
    if (na > LONGEST || nb > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t above = row[j];
            row[j] = least(least(above, row[j - 1]) + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[nb];
}

const char *nearest(const char *word, const char *const *names, size_t n)
{
    const char *best = NULL;
    size_t limit = strlen(word) < 4 ? 1 : strlen(word) / 3 + 1, best_distance = limit + 1;
    for (size_t i = 0; i < n; i++) {
        size_t d = distance(word, names[i]);
        if (d < best_distance) {
            best = names[i];
            best_distance = d;
        }
    }
    return best;
}

const char *program_folder(void)
{
    static char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0)
        return "";
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
    return path;
}

static hal_runtime *volatile interruptible;
static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    if (caught)
        _exit(128 + number);
    caught = number;
    if (interruptible)
        hal_runtime_interrupt(interruptible);
}

int run_interruptible(hal_runtime *rt, job_body body, void *ctx)
{
    interruptible = rt;
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    struct sigaction before;
    if (!sigaction(SIGHUP, NULL, &before) && before.sa_handler != SIG_IGN) /* nohup */
        sigaction(SIGHUP, &action, NULL);
    hal_status st = body(rt, ctx);
    interruptible = NULL;
    if (st == HAL_E_CANCELLED && caught)
        return 128 + caught;
    return hal_exit_code(st);
}

static int output_errno; /* why standard output took no more */

bool put_out(const char *text, size_t size_bytes)
{
    if (fflush(stdout))
        output_errno = errno;
    while (size_bytes > 0 && !output_errno) {
        ssize_t n = write(STDOUT_FILENO, text, size_bytes);
        struct pollfd room = {.fd = STDOUT_FILENO, .events = POLLOUT};
        if (n < 0 && errno == EAGAIN)
            poll(&room, 1, -1);
        else if (n < 0 && errno != EINTR)
            output_errno = errno;
        text += n > 0 ? n : 0;
        size_bytes -= n > 0 ? (size_t)n : 0;
    }
    errno = output_errno;
    return !output_errno;
}

int cmd_version(const command *cmd, const options *opts)
{
    (void)cmd;
    (void)opts;
    printf("halyard %s (interface level %d)\n", hal_version(), HAL_API_LEVEL);
    return 0;
}

static const command *find_command(const char *name)
{
    for (const command *cmd = commands; cmd->name; cmd++)
        if (!strcmp(cmd->name, name))
            return cmd;
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *names[sizeof commands / sizeof *commands];
    size_t n = 0;
    for (const command *cmd = commands; cmd->name; cmd++)
        names[n++] = cmd->name;
    const char *near = nearest(name, names, n);
    if (near)
        return complain(EXIT_USAGE, "there is no command '%s'; did you mean '%s'?", name, near);
    return complain(EXIT_USAGE, "there is no command '%s'; 'halyard help' lists them", name);
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        general_help();
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (!strcmp(name, "--version"))
        name = "version";
    if (!strcmp(name, "--help") || !strcmp(name, "-h"))
        name = "help";
    const command *cmd = find_command(name);
    if (!cmd)
        return unknown_command(name);
    options opts = {0};
    if (!options_parse(&opts, cmd, argc - 2, argv + 2))
        return EXIT_USAGE;
    const command *about = opts.help ? cmd : NULL;
    if (!about && !strcmp(cmd->name, "help") && opts.n_words > 0)
        about = find_command(opts.words[0]);
    if (about) {
        command_help(about);
        if (!opts.help || !about->takes_params || opts.n_words == 0)
            return 0;
        putchar('\n');
        options rest = {.words = {opts.words[0]}, .n_words = 1};
        rest.workflow_path = opts.workflow_path;
        return cmd_workflow(find_command("help"), &rest);
    }
    if (!strcmp(cmd->name, "help") && opts.n_words == 0) {
        general_help();
        return 0;
    }
    return cmd->run(cmd, &opts);
}

int main(int argc, char **argv)
{
#ifdef __GLIBC__ /* else it gives memory back to the system, and fetches it again, for every file  \
                  */
    mallopt(M_TRIM_THRESHOLD, 32 << 20);
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
    int code = dispatch(argc, argv);
    errno = output_errno;
    if ((output_errno || fflush(stdout) || ferror(stdout)) && code == 0)
        return complain(EXIT_LOCAL, OUTPUT_FAILED, errno ? strerror(errno) : "an earlier failure");
    return code;
}
