/* SPDX-License-Identifier: BSD-3-Clause */
/* bench_json make FILE ROWS: writes a Mashup JSON answer of ROWS x 20 cells of mixed kinds.
 * bench_json read FILE: reads it to columns in pieces of 64 KiB and prints "seconds rows sum", the
 * sum of one column as a proof of work. bench/json.py compares with astroquery. */
#include "base/clock.h"
#include "data/reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

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

static const char *const names[20] = {
    "source_id", "ra",      "dec",   "parallax", "pmra",     "pmdec",       "phot_g",
    "phot_bp",   "phot_rp", "n_obs", "flag",     "obj_type", "designation", "obsid",
    "t_min",     "t_max",   "calib", "radius",   "variable", "distance"};
static const char *const types[20] = {
    "string", "float",  "float",  "float",  "float", "float", "float", "float", "float",   "int",
    "int",    "string", "string", "string", "float", "float", "int",   "float", "boolean", "float"};

static int make(const char *path, long n_rows)
{
    FILE *f = fopen(path, "w");
    if (!f)
        return perror(path), 1;
    fputs("{\"status\":\"COMPLETE\",\"msg\":\"\",\"data\":[", f);
    for (long i = 0; i < n_rows; i++) {
        char radius[32] = "null";
        if (next() % 3)
            snprintf(radius, sizeof radius, "%.3f", 100 * unit());
        fprintf(f,
                "%s{\"source_id\":%" PRIu64 ",\"ra\":%.17g,\"dec\":%.17g,\"parallax\":%.15g,"
                "\"pmra\":%.6f,\"pmdec\":%.6f,\"phot_g\":%.4f,\"phot_bp\":%.4f,\"phot_rp\":%s,"
                "\"n_obs\":%d,\"flag\":%d,\"obj_type\":\"%s\",\"designation\":\"Gaia DR3 %" PRIu64
                "\",\"obsid\":%" PRIu64 ",\"t_min\":%.5f,\"t_max\":%.5f,\"calib\":%d,\"radius\":%s,"
                "\"variable\":%s,\"distance\":%.16g}",
                i ? "," : "", next() >> 1, 360 * unit(), 180 * unit() - 90, 10 * unit(),
                20 * unit() - 10, 20 * unit() - 10, 8 + 12 * unit(), 8 + 12 * unit(),
                next() % 8 ? "17.25" : "null", (int)(next() % 900), (int)(next() % 4),
                next() % 2 ? "STAR" : "EXTENDED", next() >> 4, 2000000000 + next() % 1000000,
                50000 + 9000 * unit(), 50000 + 9000 * unit(), (int)(next() % 5), radius,
                next() % 16 ? "null" : "true", 3600 * unit());
    }
    fputs("],\"fields\":[", f);
    for (int i = 0; i < 20; i++)
        fprintf(f, "%s{\"name\":\"%s\",\"type\":\"%s\"}", i ? "," : "", names[i], types[i]);
    fprintf(f,
            "],\"paging\":{\"page\":1,\"pageSize\":%ld,\"pagesFiltered\":1,\"rows\":%ld,"
            "\"rowsFiltered\":%ld,\"rowsTotal\":%ld}}",
            n_rows, n_rows, n_rows, n_rows);
    return fclose(f) ? 1 : 0;
}

static int read_answer(const char *path)
{
    static char piece[64 << 10];
    hal_clock clock = hal_clock_system();
    hal_err err = HAL_ERR_INIT;
    int64_t start = hal_clock_now_ns(&clock);
    FILE *f = fopen(path, "r");
    hal_reader *r = f ? hal_reader_new(HAL_FORMAT_MASHUP_JSON, NULL, &err) : NULL;
    if (!r)
        return perror(path), 1;
    hal_status st = HAL_OK;
    for (size_t n; !st && (n = fread(piece, 1, sizeof piece, f)) > 0;)
        st = hal_reader_feed(r, piece, n, &err);
    hal_answer answer;
    hal_table *t = NULL;
    if (!st)
        st = hal_reader_finish(r, &answer, &t, &err);
    hal_reader_free(r);
    fclose(f);
    if (st)
        return fprintf(stderr, "%s\n", err.text), 1;
    double seconds = (double)(hal_clock_now_ns(&clock) - start) * 1e-9, sum = 0;
    for (uint64_t i = 0; i < hal_table_rows(t); i++)
        sum += hal_table_float64(t, 1, i);
    printf("%.4f %" PRIu64 " %.17g\n", seconds, hal_table_rows(t), sum);
    hal_table_unref(t);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && !strcmp(argv[1], "make"))
        return make(argv[2], strtol(argv[3], NULL, 10));
    if (argc == 3 && !strcmp(argv[1], "read"))
        return read_answer(argv[2]);
    fprintf(stderr, "usage: bench_json make FILE ROWS | read FILE\n");
    return 2;
}
