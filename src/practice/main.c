/* SPDX-License-Identifier: BSD-3-Clause */
/* halyard-practice: serves the practice archive, or prints what it holds (--dump). */
#include "practice/server.h"

#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage_text[] =
    "usage: halyard-practice [--port N] [--seed N] [--row-cap N] [--latency MS] [--faults SPEC]\n"
    "                        [--log FILE]\n"
    "       halyard-practice --dump CATALOG --region REGION [--seed N]\n"
    "Serves a made-up archive on 127.0.0.1; its base URL is the first line of the output.\n"
    "CATALOG: gaia tic ctl galex observations. REGION: \"CIRCLE ra dec radius\",\n"
    "\"RANGE ra1 ra2 dec1 dec2\", \"POLYGON ...\", in degrees (observations: CIRCLE).\n"
    "--faults help lists the faults.\n";

static bool read_number(const char *text, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || v > (max - (uint64_t)(*text - '0')) / 10)
            return false;
        v = v * 10 + (uint64_t)(*text - '0');
    }
    *out = v;
    return true;
}

static int misused(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int misused(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("halyard-practice: ", stderr);
    vfprintf(stderr, fmt, args);
    fputs("; 'halyard-practice --help' explains the options\n", stderr);
    va_end(args);
    return hal_status_exit_code(HAL_E_USAGE);
}

static int fail(const hal_err *err)
{
    fprintf(stderr, "halyard-practice: %s\n", err->text);
    return hal_status_exit_code(err->status);
}

/* Rows in the archive's own order: ascending cell, then number in the cell. */
static hal_status dump(hal_sky *sky, const char *catalog, const char *region, hal_err *err)
{
    hal_query q = {.catalog = hal_catalog_find(catalog), .limit = UINT64_MAX};
    if (q.catalog >= HAL_CATALOG_PRODUCTS)
        return hal_err_set(err, HAL_E_USAGE,
                           "no catalogue '%s'; there are gaia, tic, ctl, galex, "
                           "observations",
                           catalog);
    q.region = hal_region_parse(hal_slice_of(region), err);
    if (!q.region)
        return err->status;
    hal_cone circle;
    if (q.catalog == HAL_CATALOG_OBSERVATIONS && !hal_region_is_circle(q.region, &circle)) {
        hal_query_clear(&q);
        return hal_err_set(err, HAL_E_USAGE, "observations are dumped in a CIRCLE only");
    }
    size_t n_columns, n = 0;
    const hal_practice_column *columns = hal_catalog_columns(q.catalog, &n_columns);
    int pick[HAL_ANSWER_COLUMNS_MAX];
    for (size_t i = 0; i < n_columns; i++)
        if (!columns[i].is_distance) {
            printf("%s%s", n ? "," : "", columns[i].name);
            pick[n++] = (int)i;
        }
    putchar('\n');
    hal_rows *rows = hal_rows_new(sky, &q, err);
    if (!rows)
        return err->status;
    hal_cell cells[HAL_ANSWER_COLUMNS_MAX];
    static char line[65536];
    bool more = true;
    hal_status st;
    while (!(st = hal_rows_next(rows, cells, &more, err)) && more) {
        if (hal_row_bound(cells, pick, n, 0) > sizeof line) {
            st = hal_err_set(err, HAL_E_INTERNAL, "a row is too long");
            break;
        }
        fwrite(line, 1, hal_row_print(HAL_LAYOUT_CSV, cells, pick, n, NULL, line), stdout);
    }
    hal_rows_free(rows);
    if (!st && (fflush(stdout) || ferror(stdout)))
        st = hal_err_set(err, HAL_E_IO, "cannot write to standard output");
    return st;
}

static int serve(const hal_practice_options *o)
{
    hal_err err = HAL_ERR_INIT;
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL); /* before any thread starts */
    signal(SIGPIPE, SIG_IGN);
    hal_server *server = hal_server_start(o, &err);
    if (!server)
        return fail(&err);
    printf("http://127.0.0.1:%d\n", hal_server_port(server));
    fflush(stdout);
    int signal_number;
    sigwait(&ends, &signal_number);
    hal_server_free(server);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option known[] = {
        {"port", required_argument, NULL, 'p'},    {"seed", required_argument, NULL, 's'},
        {"row-cap", required_argument, NULL, 'c'}, {"latency", required_argument, NULL, 'l'},
        {"faults", required_argument, NULL, 'f'},  {"log", required_argument, NULL, 'o'},
        {"dump", required_argument, NULL, 'd'},    {"region", required_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
    hal_practice_options o = {.seed = 1, .row_cap = 500000};
    const char *catalog = NULL, *region = NULL;
    int option;
    while ((option = getopt_long(argc, argv, ":", known, NULL)) != -1) {
        uint64_t n = 0;
        bool ok = true;
        switch (option) {
        case 'p':
            ok = read_number(optarg, 65535, &n);
            o.port = (int)n;
            break;
        case 's':
            ok = read_number(optarg, INT64_MAX, &o.seed);
            break;
        case 'c':
            ok = read_number(optarg, INT64_MAX / 4, &o.row_cap) && o.row_cap;
            break;
        case 'l':
            ok = read_number(optarg, 600000, &n);
            o.latency_ms = (int)n;
            break;
        case 'f':
            o.faults = optarg;
            break;
        case 'o':
            o.log_path = optarg;
            break;
        case 'd':
            catalog = optarg;
            break;
        case 'r':
            region = optarg;
            break;
        case 'h':
            fputs(usage_text, stdout);
            return 0;
        case ':':
            return misused("%s needs a value", argv[optind - 1]);
        default:
            return misused("there is no option %s", argv[optind - 1]);
        }
        if (!ok)
            return misused("'%s' is not a number this option takes", optarg);
    }
    if (optind < argc)
        return misused("'%s' is one argument too many", argv[optind]);
    if (catalog && !region)
        return misused("--dump needs --region REGION");
    if (region && !catalog)
        return misused("--region needs --dump CATALOG");
    if (!catalog)
        return serve(&o);
    hal_err err = HAL_ERR_INIT;
    hal_sky *sky = hal_sky_new(o.seed, &err);
    hal_status st = sky ? dump(sky, catalog, region, &err) : err.status;
    hal_sky_free(sky);
    return st ? fail(&err) : 0;
}
