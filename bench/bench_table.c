/* SPDX-License-Identifier: BSD-3-Clause */
/* bench_table make csv|json FILE ROWS: writes ROWS x 20 cells of mixed kinds as CSV or as a Mashup
 * answer; the json may have blanks ("json-blanks") or, in one row of a hundred, its keys in another
 * order or a cell of another kind ("json-deviant", "csv-deviant").
 * bench_table read FILE: reads any format to columns in pieces of 64 KiB and prints "seconds rows
 * columns_bytes peak_bytes sum", the sum of column "ra" as a proof of work.
 * bench_table fetch|get URL: the same from a server through the whole network side; get drops the
 * bytes. bench_tables.py compares with other programs. */
#include "base/clock.h"
#include "data/reader.h"
#include "host/fetch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { N_COLUMNS = 20, CELL_BYTES = 48, DEVIANT_EVERY = 100 };

static uint64_t state = 88172645463325252u;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static double unit(void)
{
    return (double)(next() >> 11) * 0x1p-53;
}

static const struct {
    const char *name, *type; /* as a Mashup answer says it */
    bool text;
} columns[N_COLUMNS] = {{"source_id", "string"},
                        {"ra", "float"},
                        {"dec", "float"},
                        {"parallax", "float"},
                        {"pmra", "float"},
                        {"pmdec", "float"},
                        {"phot_g", "float"},
                        {"phot_bp", "float"},
                        {"phot_rp", "float"},
                        {"n_obs", "int"},
                        {"flag", "int"},
                        {"obj_type", "string", true},
                        {"designation", "string", true},
                        {"obsid", "string"},
                        {"t_min", "float"},
                        {"t_max", "float"},
                        {"calib", "int"},
                        {"radius", "float"},
                        {"variable", "boolean"},
                        {"distance", "float"}};

typedef char row[N_COLUMNS][CELL_BYTES]; /* "" is null */

static void make_row(row cells)
{
    int c = 0;
#define CELL(...) snprintf(cells[c++], CELL_BYTES, __VA_ARGS__)
    CELL("%" PRIu64, next() >> 1);
    CELL("%.17g", 360 * unit());
    CELL("%.17g", 180 * unit() - 90);
    CELL("%.15g", 10 * unit());
    CELL("%.6f", 20 * unit() - 10);
    CELL("%.6f", 20 * unit() - 10);
    CELL("%.4f", 8 + 12 * unit());
    CELL("%.4f", 8 + 12 * unit());
    CELL("%s", next() % 8 ? "17.25" : "");
    CELL("%d", (int)(next() % 900));
    CELL("%d", (int)(next() % 4));
    CELL("%s", next() % 2 ? "STAR" : "EXTENDED");
    CELL("Gaia DR3 %" PRIu64, next() >> 4);
    CELL("%" PRIu64, 2000000000 + next() % 1000000);
    CELL("%.5f", 50000 + 9000 * unit());
    CELL("%.5f", 50000 + 9000 * unit());
    CELL("%d", (int)(next() % 5));
    if (next() % 3)
        CELL("%.3f", 100 * unit());
    else
        cells[c++][0] = 0;
    CELL("%s", next() % 16 ? "" : "true");
    CELL("%.16g", 3600 * unit());
#undef CELL
}

static void put_csv(FILE *f, row cells, bool deviant)
{
    for (int c = 0; c < N_COLUMNS; c++)
        fprintf(f, deviant && columns[c].text ? "%s\"%s\"" : "%s%s", c ? "," : "", cells[c]);
    fputc('\n', f);
}

static void put_json(FILE *f, row cells, bool deviant, const char *blank)
{
    fputc('{', f);
    for (int i = 0; i < N_COLUMNS; i++) {
        int c = deviant ? N_COLUMNS - 1 - i : i;
        const char *quote = columns[c].text ? "\"" : "";
        fprintf(f, "%s%s\"%s\":%s%s%s%s", i ? "," : "", i ? blank : "", columns[c].name, blank,
                quote, cells[c][0] ? cells[c] : "null", quote);
    }
    fputc('}', f);
}

static int make(const char *kind, const char *path, long n_rows)
{
    bool json = !strncmp(kind, "json", 4), deviant = strstr(kind, "-deviant") != NULL;
    const char *blank = strstr(kind, "-blanks") ? " " : "";
    FILE *f = fopen(path, "w");
    if (!f)
        return perror(path), 1;
    if (json)
        fputs("{\"status\":\"COMPLETE\",\"msg\":\"\",\"data\":[", f);
    else
        for (int c = 0; c < N_COLUMNS; c++)
            fprintf(f, "%s%s", columns[c].name, c + 1 < N_COLUMNS ? "," : "\n");
    for (long i = 0; i < n_rows; i++) {
        row cells;
        make_row(cells);
        bool deviates = deviant && i % DEVIANT_EVERY == DEVIANT_EVERY - 1;
        if (json) {
            fprintf(f, "%s%s", i ? "," : "", i ? blank : "");
            put_json(f, cells, deviates, blank);
        } else {
            put_csv(f, cells, deviates);
        }
    }
    if (json) {
        fputs("],\"fields\":[", f);
        for (int c = 0; c < N_COLUMNS; c++)
            fprintf(f, "%s{\"name\":\"%s\",\"type\":\"%s\"}", c ? "," : "", columns[c].name,
                    columns[c].type);
        fprintf(f,
                "],\"paging\":{\"page\":1,\"pageSize\":%ld,\"pagesFiltered\":1,\"rows\":%ld,"
                "\"rowsFiltered\":%ld,\"rowsTotal\":%ld}}",
                n_rows, n_rows, n_rows, n_rows);
    }
    return fclose(f) ? perror(path), 1 : 0;
}

static double sum_of(const hal_table *t, const char *name)
{
    int c = hal_table_find(t, name);
    double sum = 0;
    for (uint64_t i = 0; c >= 0 && i < hal_table_rows(t); i++)
        if (!hal_table_is_null(t, (size_t)c, i))
            sum += hal_table_float64(t, (size_t)c, i);
    return sum;
}

static void print(double seconds, const hal_table *t)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("%.4f %" PRIu64 " %" PRIu64 " %" PRIu64 " %.17g\n", seconds, t ? hal_table_rows(t) : 0,
           t ? hal_table_size_bytes(t) : 0, (uint64_t)used.ru_maxrss * 1024,
           t ? sum_of(t, "ra") : 0);
}

static double seconds_since(int64_t began)
{
    hal_clock clock = hal_clock_system();
    return (double)(hal_clock_now_ns(&clock) - began) * 1e-9;
}

static int read_file(const char *path)
{
    static char piece[64 << 10];
    FILE *f = fopen(path, "rb");
    if (!f)
        return perror(path), 1;
    setvbuf(f, NULL, _IONBF, 0);
    hal_err err = HAL_ERR_INIT;
    hal_answer answer;
    hal_table *t = NULL;
    hal_clock clock = hal_clock_system();
    int64_t began = hal_clock_now_ns(&clock);
    hal_reader *r = hal_reader_new(HAL_FORMAT_AUTO, NULL, &err);
    hal_status st = r ? HAL_OK : err.status;
    for (size_t n; !st && (n = fread(piece, 1, sizeof piece, f)) > 0;)
        st = hal_reader_feed(r, piece, n, &err);
    if (!st)
        st = hal_reader_finish(r, &answer, &t, &err);
    hal_reader_free(r);
    double seconds = seconds_since(began);
    fclose(f);
    if (st)
        return fprintf(stderr, "%s: %s\n", path, err.text), 1;
    print(seconds, t);
    hal_table_unref(t);
    return 0;
}

typedef struct arrival {
    bool done;
    hal_err err;
    hal_table *table;
} arrival;

static void fetched(void *ctx, hal_fetch_result *result)
{
    arrival *a = ctx;
    *a = (arrival){.done = true, .err = result->err, .table = result->table};
    result->table = NULL;
}

static void got(void *ctx, const hal_outcome *outcome)
{
    *(arrival *)ctx = (arrival){.done = true, .err = outcome->err};
}

static hal_status drop_begin(void *ctx, int http_status, hal_err *err)
{
    (void)ctx, (void)http_status, (void)err;
    return HAL_OK;
}

static hal_status drop_write(void *ctx, const char *bytes, size_t n, hal_err *err)
{
    (void)ctx, (void)bytes, (void)n, (void)err;
    return HAL_OK;
}

static int transfer(const char *url, bool to_columns)
{
    hal_clock clock = hal_clock_system();
    hal_err err = HAL_ERR_INIT;
    hal_loop *loop = hal_loop_new(&clock, &err);
    if (!loop)
        return fprintf(stderr, "%s\n", err.text), 1;
    hal_loop_guard(loop, NULL, true, NULL);
    arrival a = {0};
    hal_fetch_request request = {.http = {.url = url}};
    hal_sink drop = {.begin = drop_begin, .write = drop_write};
    int64_t began = hal_clock_now_ns(&clock);
    bool started = to_columns
                       ? hal_fetch_start(loop, &request, fetched, &a, &err) != NULL
                       : hal_exchange_start(loop, &request.http, &drop, got, &a, &err) != NULL;
    hal_status st = started ? HAL_OK : err.status;
    while (!st && !a.done)
        st = hal_loop_step(loop, 50, &err);
    double seconds = seconds_since(began);
    hal_loop_free(loop);
    if (st || a.err.status)
        return fprintf(stderr, "%s: %s\n", url, st ? err.text : a.err.text), 1;
    print(seconds, a.table);
    hal_table_unref(a.table);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && !strcmp(argv[1], "make"))
        return make(argv[2], argv[3], strtol(argv[4], NULL, 10));
    if (argc == 3 && !strcmp(argv[1], "read"))
        return read_file(argv[2]);
    if (argc == 3 && (!strcmp(argv[1], "fetch") || !strcmp(argv[1], "get")))
        return transfer(argv[2], argv[1][0] == 'f');
    fputs("usage: bench_table make csv|json|json-blanks|json-deviant|csv-deviant FILE ROWS\n"
          "       bench_table read FILE | fetch URL | get URL\n",
          stderr);
    return 2;
}
