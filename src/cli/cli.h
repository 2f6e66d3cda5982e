/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the command share. */
#ifndef HAL_CLI_CLI_H
#define HAL_CLI_CLI_H

#include <halyard.h>

enum { EXIT_USAGE = 2, EXIT_LOCAL = 5, PAIRS_MAX = 64, BASES_MAX = 32, OPTIONS_MAX = 48 };
#define OUTPUT_FAILED "cannot write standard output: %s"

/* Options of all commands; a command says which of them it takes. */
typedef struct options {
    const char *archive;
    hal_pair bases[BASES_MAX], readings[BASES_MAX];
    size_t n_bases, n_readings;
    const char *output, *workflow_path, *format, *from, *to, *table, *table1, *table2;
    const char *radius, *mode, *ra1, *dec1, *ra2, *dec2, *rows;
    const char *radius2, *nearest, *how, *pm1, *pm2, *epoch1, *epoch2, *at;
    const char *plot, *regions, *moc, *list_for;
    const char *ca_file, *proxy, *longest_wait;
    bool quiet, json, stats, private_net, proxy_from_env, restart, wait_for_folder, offline,
        keep_bad, help;
    hal_pair params[PAIRS_MAX]; /* names and values point into argv; no value: NULL */
    size_t n_params;
    const char *words[3]; /* what is not an option */
    size_t n_words;
} options;

typedef struct command {
    const char *name;
    const char *arguments; /* "WORKFLOW" */
    const char *summary;
    const char *takes; /* letters of option.letter */
    bool takes_params; /* --key value for the workflow */
    size_t n_words_least, n_words_most;
    int (*run)(const struct command *command, const options *opts);
} command;

extern const command commands[]; /* ended by a NULL name */

/* Prints the problem and returns false. */
bool options_parse(options *out, const command *command, int argc, char **argv);
/* The long options that a command takes; returns how many. */
size_t option_names(const command *command, const char *names[OPTIONS_MAX]);
void command_help(const command *command);
void general_help(void);

/* run plan explain list help check verify retry */
int cmd_workflow(const command *command, const options *opts);
int cmd_convert(const command *command, const options *opts);
int cmd_show(const command *command, const options *opts);
int cmd_match(const command *command, const options *opts);
int cmd_version(const command *command, const options *opts);

/* To standard output, all of it; false and errno when that is not possible. */
bool put_out(const char *text, size_t size_bytes);
/* A whole number up to some millions; -1: it is none. */
int64_t whole_number(const char *text);
/* "halyard: text" on standard error. Returns `exit_code`. */
int complain(int exit_code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The nearest of `names` (n of them), NULL when none is near. */
const char *nearest(const char *word, const char *const *names, size_t n);
/* Path of the folder that holds this program, without '/'; "" when unknown. */
const char *program_folder(void);

/* Runs `body` with signals going to `rt`; returns the exit code for its status. */
typedef hal_status (*job_body)(hal_runtime *rt, void *ctx);
int run_interruptible(hal_runtime *rt, job_body body, void *ctx);

#endif
