/* SPDX-License-Identifier: BSD-3-Clause */
/* bench_votable read FILE: reads a table of any format to columns in pieces of 256 KiB and prints
 * "seconds rows sum", the sum of column 1 as a proof of work. bench/bench_votable.py makes the
 * files and compares with STILTS and astropy. */
#include "base/clock.h"
#include "data/reader.h"

#include <inttypes.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    static char piece[256 << 10];
    hal_clock clock = hal_clock_system();
    hal_err err = HAL_ERR_INIT;
    int64_t start = hal_clock_now_ns(&clock);
    if (argc != 3 || strcmp(argv[1], "read") != 0)
        return fprintf(stderr, "usage: bench_votable read FILE\n"), 2;
    FILE *f = fopen(argv[2], "r");
    hal_reader *r = f ? hal_reader_new(HAL_FORMAT_AUTO, NULL, &err) : NULL;
    if (!r)
        return perror(argv[2]), 1;
    setvbuf(f, NULL, _IONBF, 0);
    hal_status st = HAL_OK;
    for (size_t n; !st && (n = fread(piece, 1, sizeof piece, f)) > 0;)
        st = hal_reader_feed(r, piece, n, &err);
    hal_answer answer;
    hal_table *t = NULL;
    if (!st)
        st = hal_reader_finish(r, &answer, &t, &err);
    hal_reader_free(r);
    fclose(f);
    if (st || !t)
        return fprintf(stderr, "%s\n", err.text), 1;
    double seconds = (double)(hal_clock_now_ns(&clock) - start) * 1e-9, sum = 0;
    for (uint64_t i = 0; i < hal_table_rows(t); i++)
        sum += hal_table_float64(t, 1, i);
    printf("%.4f %" PRIu64 " %.17g\n", seconds, hal_table_rows(t), sum);
    hal_table_unref(t);
    return 0;
}
