/* SPDX-License-Identifier: BSD-3-Clause */
/* bench_csv make FILE ROWS: writes ROWS x 20 cells of mixed kinds as CSV. bench_csv read FILE:
 * reads any format to columns in pieces of 64 KiB and prints "seconds rows columns_bytes peak_bytes
 * sum", the sum of column "ra" as a proof of work. bench_readers.py compares with other programs.
 */
#include "base/clock.h"
#include "data/reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

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

static int make(const char *path, long n_rows)
{
    FILE *f = fopen(path, "w");
    if (!f)
        return perror(path), 1;
    fputs("source_id,ra,dec,parallax,pmra,pmdec,phot_g,phot_bp,phot_rp,n_obs,flag,obj_type,"
          "designation,obsid,t_min,t_max,calib,radius,variable,distance\n",
          f);
    for (long i = 0; i < n_rows; i++) {
        char radius[32] = "";
        if (next() % 3)
            snprintf(radius, sizeof radius, "%.3f", 100 * unit());
        fprintf(f,
                "%" PRIu64 ",%.17g,%.17g,%.15g,%.6f,%.6f,%.4f,%.4f,%s,%d,%d,%s,Gaia DR3 %" PRIu64
                ",%" PRIu64 ",%.5f,%.5f,%d,%s,%s,%.16g\n",
                next() >> 1, 360 * unit(), 180 * unit() - 90, 10 * unit(), 20 * unit() - 10,
                20 * unit() - 10, 8 + 12 * unit(), 8 + 12 * unit(), next() % 8 ? "17.25" : "",
                (int)(next() % 900), (int)(next() % 4), next() % 2 ? "STAR" : "EXTENDED",
                next() >> 4, 2000000000 + next() % 1000000, 50000 + 9000 * unit(),
                50000 + 9000 * unit(), (int)(next() % 5), radius, next() % 16 ? "" : "true",
                3600 * unit());
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
    double seconds = (double)(hal_clock_now_ns(&clock) - began) * 1e-9;
    fclose(f);
    if (st)
        return fprintf(stderr, "%s: %s\n", path, err.text), 1;
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("%.4f %" PRIu64 " %" PRIu64 " %" PRIu64 " %.17g\n", seconds, hal_table_rows(t),
           hal_table_size_bytes(t), (uint64_t)used.ru_maxrss * 1024, sum_of(t, "ra"));
    hal_table_unref(t);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && !strcmp(argv[1], "make"))
        return make(argv[2], strtol(argv[3], NULL, 10));
    if (argc == 3 && !strcmp(argv[1], "read"))
        return read_file(argv[2]);
    fputs("usage: bench_csv make FILE ROWS | bench_csv read FILE\n", stderr);
    return 2;
}
