/* SPDX-License-Identifier: BSD-3-Clause */
/* Options of the command line: one table for parsing and for help. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

typedef struct option {
    char letter;     /* in command.takes */
    char short_name; /* 0: none */
    const char *name;
    const char *value; /* NULL: a flag */
    const char *help;
} option;

static const option table[] = {
    {'a', 0, "archive", "NAME", "mast (default), practice (started for this run) or a base URL"},
    {'b', 0, "base", "INTERFACE=URL", "base URL of one interface: mashup, download, missions ..."},
    {'d', 0, "reading", "NAME=CHOICE",
     "which of two readings of MAST's documents holds, where they leave it open"},
    {'o', 'o', "output", "DIR", "folder for everything that is written (default: NAME-out)"},
    {'X', 0, "restart", NULL,
     "ask everything again instead of going on where a run was interrupted"},
    {'l', 0, "wait-for-folder", NULL,
     "wait for the end of another run in the output folder, else fail"},
    {'k', 0, "keep-bad", NULL, "keep the bytes of a file that is damaged, as NAME.bad"},
    {'M', 0, "offline", NULL, "no request is sent: by the densities of earlier queries"},
    {'w', 0, "workflow-path", "DIRS",
     "folders in which workflows are looked up first, split by ':'"},
    {'f', 0, "format", "FORMAT", "result as table (default), json or csv"},
    {'j', 0, "json", NULL, "result and events as JSON"},
    {'q', 'q', "quiet", NULL, "warnings and errors only"},
    {'p', 0, "allow-private-net", NULL, "loopback and private addresses may be contacted"},
    {'c', 0, "ca-file", "FILE", "certificate authorities (PEM) to trust beside the system's"},
    {'x', 0, "proxy", "URL", "proxy of every request: http://host:port"},
    {'v', 0, "proxy-from-env", NULL,
     "use the proxy that http_proxy, https_proxy and no_proxy name"},
    {'W', 0, "longest-wait", "SECONDS",
     "wait so long for an archive that asks to (default: 900), else defer"},
    {'F', 0, "from", "FORMAT", "format of IN (default: recognised from its bytes)"},
    {'T', 0, "to", "FORMAT", "format of OUT (default: by the ending of its name, else csv)"},
    {'t', 0, "table", "N|NAME",
     "which of several tables of IN (default: the first, or the results)"},
    {'n', 'n', "rows", "N", "rows to print (default: 10)"},
    {'s', 0, "stats", NULL, "values, nulls, minimum, maximum and mean of each column"},
    {'J', 0, "json", NULL, "as JSON"},
    {'r', 'r', "radius", "ANGLE", "largest distance, 1arcsec, or a column of A, \"err arcsec\""},
    {'R', 0, "radius2", "COLUMN", "column of B that is added to the radius"},
    {'m', 0, "mode", "MODE", "best (default: nearest B of each A), symmetric, all or nearest"},
    {'N', 0, "nearest", "N", "with --mode nearest: how many B of each A (default: 1)"},
    {'H', 0, "how", "HOW", "inner (default) or left: every A stays, with nulls where no B is"},
    {'O', 'o', "output", "OUT", "file to write (default: standard output)"},
    {'A', 0, "ra1", "COLUMN", "right ascension in A, degrees (default: found by UCD or name)"},
    {'B', 0, "dec1", "COLUMN", "declination in A"},
    {'C', 0, "ra2", "COLUMN", "right ascension in B"},
    {'D', 0, "dec2", "COLUMN", "declination in B"},
    {'U', 0, "table1", "N|NAME",
     "which of several tables of A (default: the first, or the results)"},
    {'V', 0, "table2", "N|NAME", "which of several tables of B"},
    {'P', 0, "pm1", "COLUMNS", "proper motions of A, mas/yr: pmra,pmdec or auto (found)"},
    {'Q', 0, "pm2", "COLUMNS", "proper motions of B"},
    {'E', 0, "epoch1", "YEAR", "epoch of the positions of A: 2016.0, or a column"},
    {'G', 0, "epoch2", "YEAR", "epoch of the positions of B"},
    {'Y', 0, "at", "YEAR", "compare at this epoch (default: that of the table without motions)"},
    {'S', 0, "plot", "FILE",
     "picture of the sky tiles: .svg, .png or .pdf (further queries: NAME-2.svg ...)"},
    {'I', 0, "regions", "FILE", "the sky tiles as regions for DS9"},
    {'K', 0, "moc", "FILE", "the region asked as a coverage map: .fits, .json or .txt"},
    {'Z', 0, "export", "PROGRAM",
     "list the downloads for curl (download.sh) or aria2 (download.aria2) instead"},
    {'L', 0, "allow-host", "HOSTS",
     "may be contacted beside the hosts of that run's workflow, split by ','"},
    {'h', 'h', "help", NULL, "this text"},
};
enum { N_OPTIONS = sizeof table / sizeof *table };

static bool takes(const command *cmd, const option *opt)
{
    return opt->letter == 'h' || strchr(cmd->takes, opt->letter);
}

static const option *find_long(const command *cmd, const char *name, size_t n)
{
    for (size_t i = 0; i < N_OPTIONS; i++)
        if (strlen(table[i].name) == n && !memcmp(table[i].name, name, n) && takes(cmd, &table[i]))
            return &table[i];
    return NULL;
}

static const option *find_short(const command *cmd, char name)
{
    for (size_t i = 0; i < N_OPTIONS; i++)
        if (table[i].short_name == name && takes(cmd, &table[i]))
            return &table[i];
    return NULL;
}

size_t option_names(const command *cmd, const char *names[OPTIONS_MAX])
{
    _Static_assert((int)N_OPTIONS <= (int)OPTIONS_MAX, "the callers' arrays");
    size_t n = 0;
    for (size_t i = 0; i < N_OPTIONS; i++)
        if (takes(cmd, &table[i]))
            names[n++] = table[i].name;
    return n;
}

static bool unknown_option(const command *cmd, const char *name, size_t n)
{
    const char *names[OPTIONS_MAX];
    size_t n_names = option_names(cmd, names);
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)n, name);
    const char *near = nearest(word, names, n_names);
    if (near)
        complain(EXIT_USAGE, "%s has no option --%s; did you mean --%s?", cmd->name, word, near);
    else
        complain(EXIT_USAGE, "%s has no option --%s; 'halyard %s --help' lists them", cmd->name,
                 word, cmd->name);
    return false;
}

/* NAME=VALUE, of which a command takes a few. */
static bool add_pair(hal_pair *pairs, size_t *n, const option *opt, char *text)
{
    char *equals = strchr(text, '=');
    if (!equals || *n == BASES_MAX) {
        complain(EXIT_USAGE, "--%s takes %s, at most %d times", opt->name, opt->value,
                 (int)BASES_MAX);
        return false;
    }
    *equals = '\0';
    pairs[(*n)++] = (hal_pair){text, equals + 1};
    return true;
}

static bool add_param(options *out, const char *name, const char *value)
{
    if (out->n_params == PAIRS_MAX) {
        complain(EXIT_USAGE, "more than %d workflow parameters", (int)PAIRS_MAX);
        return false;
    }
    for (size_t i = 0; i < out->n_params; i++)
        if (!strcmp(out->params[i].name, name)) {
            complain(EXIT_USAGE, "parameter --%s is given twice", name);
            return false;
        }
    out->params[out->n_params++] = (hal_pair){name, value};
    return true;
}

static bool apply(options *out, const option *opt, char *value)
{
    switch (opt->letter) {
    case 'a':
        out->archive = value;
        return true;
    case 'b':
        return add_pair(out->bases, &out->n_bases, opt, value);
    case 'd':
        return add_pair(out->readings, &out->n_readings, opt, value);
    case 'o':
        out->output = value;
        return true;
    case 'X':
        out->restart = true;
        return true;
    case 'l':
        out->wait_for_folder = true;
        return true;
    case 'k':
        out->keep_bad = true;
        return true;
    case 'M':
        out->offline = true;
        return true;
    case 'w':
        out->workflow_path = value;
        return true;
    case 'f':
        out->format = value;
        return true;
    case 'j':
    case 'J':
        out->json = true;
        return true;
    case 'n':
        out->rows = value;
        return true;
    case 's':
        out->stats = true;
        return true;
    case 'q':
        out->quiet = true;
        return true;
    case 'p':
        out->private_net = true;
        return true;
    case 'c':
        out->ca_file = value;
        return true;
    case 'x':
        out->proxy = value;
        return true;
    case 'v':
        out->proxy_from_env = true;
        return true;
    case 'W':
        out->longest_wait = value;
        return true;
    case 'F':
        out->from = value;
        return true;
    case 'T':
        out->to = value;
        return true;
    case 't':
        out->table = value;
        return true;
    case 'U':
        out->table1 = value;
        return true;
    case 'V':
        out->table2 = value;
        return true;
    case 'r':
        out->radius = value;
        return true;
    case 'm':
        out->mode = value;
        return true;
    case 'O':
        out->output = value;
        return true;
    case 'A':
        out->ra1 = value;
        return true;
    case 'B':
        out->dec1 = value;
        return true;
    case 'C':
        out->ra2 = value;
        return true;
    case 'D':
        out->dec2 = value;
        return true;
    case 'R':
        out->radius2 = value;
        return true;
    case 'N':
        out->nearest = value;
        return true;
    case 'H':
        out->how = value;
        return true;
    case 'P':
        out->pm1 = value;
        return true;
    case 'Q':
        out->pm2 = value;
        return true;
    case 'E':
        out->epoch1 = value;
        return true;
    case 'G':
        out->epoch2 = value;
        return true;
    case 'S':
        out->plot = value;
        return true;
    case 'I':
        out->regions = value;
        return true;
    case 'K':
        out->moc = value;
        return true;
    case 'Y':
        out->at = value;
        return true;
    case 'Z':
        out->list_for = value;
        return true;
    case 'L':
        return add_param(out, "allow_host", value);
    default:
        out->help = true;
        return true;
    }
}

/* argv[*i] is "--name" or "--name=value". */
static bool parse_long(options *out, const command *cmd, int argc, char **argv, int *i)
{
    char *name = argv[*i] + 2;
    size_t n = strcspn(name, "=");
    char *value = name[n] == '=' ? name + n + 1 : NULL;
    const option *opt = find_long(cmd, name, n);
    if (!opt && !(cmd->takes_params && n > 0))
        return unknown_option(cmd, name, n);
    if (opt && !opt->value) {
        if (value)
            complain(EXIT_USAGE, "--%s takes no value", opt->name);
        return !value && apply(out, opt, NULL);
    }
    bool next = *i + 1 < argc && (opt || strncmp(argv[*i + 1], "--", 2) != 0);
    if (!value && next)
        value = argv[++*i];
    if (opt && !value) {
        complain(EXIT_USAGE, "--%s needs a value: --%s %s", opt->name, opt->name, opt->value);
        return false;
    }
    if (opt)
        return apply(out, opt, value);
    name[n] = '\0';
    return add_param(out, name, value);
}

/* argv[*i] is "-x", "-xVALUE" or "-x VALUE". */
static bool parse_short(options *out, const command *cmd, int argc, char **argv, int *i)
{
    char *text = argv[*i] + 1;
    const option *opt = find_short(cmd, *text);
    if (!opt || (!opt->value && text[1])) {
        complain(EXIT_USAGE, "%s has no option %s; 'halyard %s --help' lists them", cmd->name,
                 argv[*i], cmd->name);
        return false;
    }
    if (!opt->value)
        return apply(out, opt, NULL);
    char *value = text[1] ? text + 1 : *i + 1 < argc ? argv[++*i] : NULL;
    if (!value) {
        complain(EXIT_USAGE, "-%c needs a value: -%c %s", *text, *text, opt->value);
        return false;
    }
    return apply(out, opt, value);
}

static bool add_word(options *out, const command *cmd, const char *word)
{
    if (out->n_words < cmd->n_words_most) {
        out->words[out->n_words++] = word;
        return true;
    }
    complain(EXIT_USAGE, "'%s' is one argument too many for: halyard %s %s", word, cmd->name,
             cmd->arguments);
    return false;
}

int64_t whole_number(const char *text)
{
    int64_t n = 0;
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9' || n > 1000000)
            return -1;
        n = 10 * n + (*c - '0');
    }
    return *text ? n : -1;
}

bool options_parse(options *out, const command *cmd, int argc, char **argv)
{
    bool only_words = false;
    for (int i = 0; i < argc; i++) {
        bool ok;
        if (!only_words && !strcmp(argv[i], "--")) {
            only_words = true;
            continue;
        }
        if (!only_words && !strncmp(argv[i], "--", 2))
            ok = parse_long(out, cmd, argc, argv, &i);
        else if (!only_words && argv[i][0] == '-' && argv[i][1])
            ok = parse_short(out, cmd, argc, argv, &i);
        else
            ok = add_word(out, cmd, argv[i]);
        if (!ok)
            return false;
    }
    if (out->n_words < cmd->n_words_least && !out->help) {
        complain(EXIT_USAGE, "usage: halyard %s %s", cmd->name, cmd->arguments);
        return false;
    }
    return true;
}

static void list_formats(const char *heading, bool written)
{
    hal_format_info f = {.struct_size = sizeof f};
    printf("\n%s\n", heading);
    for (size_t i = 0; hal_format_get(i, &f); i++)
        if (written ? f.is_written : f.is_read)
            printf("  %-*s%s\n", *f.endings ? 17 : 0, f.name, f.endings);
}

void command_help(const command *cmd)
{
    printf("halyard %s %s\n%s\n\n", cmd->name, cmd->arguments, cmd->summary);
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const option *opt = &table[i];
        if (!takes(cmd, opt))
            continue;
        char left[48];
        snprintf(left, sizeof left, "%c%c%c --%s%s%s", opt->short_name ? '-' : ' ',
                 opt->short_name ? opt->short_name : ' ', opt->short_name ? ',' : ' ', opt->name,
                 opt->value ? " " : "", opt->value ? opt->value : "");
        printf("  %-30s %s\n", left, opt->help);
    }
    if (cmd->takes_params)
        printf("      --%-25s %s\n", "PARAMETER VALUE",
               "of the workflow; 'halyard help WORKFLOW' lists them");
    if (strchr(cmd->takes, 'F'))
        list_formats("Formats that are read, and the usual endings of their files:", false);
    if (strchr(cmd->takes, 'T'))
        list_formats("Formats that are written, and the endings that choose them:", true);
}

void general_help(void)
{
    puts("halyard COMMAND ...\nQuery, select and retrieve from astronomical archives by workflow "
         "scripts.\n");
    for (const command *cmd = commands; cmd->name; cmd++)
        printf("  %-9s%-14s %s\n", cmd->name, cmd->arguments, cmd->summary);
    puts("\n'halyard COMMAND --help' lists the options of a command.");
}
