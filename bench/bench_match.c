/* SPDX-License-Identifier: BSD-3-Clause */
/* bench_match make LEFT RIGHT ROWS: writes two files of ROWS places all over the sky as
 * ra[ROWS], dec[ROWS] (native doubles); every second right place lies within 2 arcsec of a left
 * one. bench_match run LEFT RIGHT RADIUS_ARCSEC THREADS MODE: matches them (mode best, symmetric or
 * all) and prints "seconds pairs sum_of_separations_deg peak_bytes_per_row". bench/bench_match.py
 * compares with astropy, Gnuastro and STILTS. */
#include "base/clock.h"
#include "sky/match.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static uint64_t state = 88172645463325252u;

static double unit(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) * 0x1p-53;
}

static int save(const char *path, const double *ra, const double *dec, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(ra, 8, n, f) < n || fwrite(dec, 8, n, f) < n || fclose(f))
        return perror(path), 1;
    return 0;
}

static int make(const char *left, const char *right, size_t n)
{
    const double deg = 3.14159265358979323846 / 180;
    double *ra = malloc(n * 8), *dec = malloc(n * 8);
    if (!ra || !dec)
        return 1;
    for (size_t i = 0; i < n; i++) {
        ra[i] = 360 * unit();
        dec[i] = asin(2 * unit() - 1) / deg;
    }
    if (save(left, ra, dec, n))
        return 1;
    for (size_t i = 0; i < n; i++) {
        double d = 2 * sqrt(unit()) / 3600, b = 360 * deg * unit();
        if (i % 2) {
            ra[i] = 360 * unit();
            dec[i] = asin(2 * unit() - 1) / deg;
        } else if (fabs(dec[i]) < 89.9) {
            ra[i] = fmod(ra[i] + d * sin(b) / cos(dec[i] * deg) + 360, 360);
            dec[i] += d * cos(b);
        }
    }
    for (size_t i = n - 1; i > 0; i--) { /* no order in common with the left side */
        size_t j = (size_t)(unit() * (double)(i + 1));
        double r = ra[i], c = dec[i];
        ra[i] = ra[j];
        dec[i] = dec[j];
        ra[j] = r;
        dec[j] = c;
    }
    return save(right, ra, dec, n);
}

static hal_match_side load(const char *path)
{
    hal_match_side side = {0};
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END))
        return side;
    size_t n = (size_t)ftell(f) / 16;
    double *values = malloc(n * 16);
    rewind(f);
    if (values && fread(values, 16, n, f) == n)
        side = (hal_match_side){.n_rows = n, .ra_deg = values, .dec_deg = values + n};
    fclose(f);
    return side;
}

static int run(char **argv)
{
    hal_match_side left = load(argv[0]), right = load(argv[1]);
    hal_match_options o = {.radius_deg = strtod(argv[2], NULL) / 3600,
                           .n_threads = (unsigned)strtoul(argv[3], NULL, 10),
                           .mode = !strcmp(argv[4], "all")         ? HAL_MATCH_ALL
                                   : !strcmp(argv[4], "symmetric") ? HAL_MATCH_SYMMETRIC
                                                                   : HAL_MATCH_BEST};
    hal_clock clock = hal_clock_system();
    hal_match m;
    hal_err err = HAL_ERR_INIT;
    int64_t start = hal_clock_now_ns(&clock);
    if (left.n_rows == 0 || hal_match_run(&m, &left, &right, &o, &err))
        return fprintf(stderr, "%s\n", err.text), 1;
    double seconds = (double)(hal_clock_now_ns(&clock) - start) / 1e9, sum = 0;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    for (uint64_t i = 0; i < m.n_pairs; i++)
        sum += m.sep_deg[i];
    printf("%.4f %" PRIu64 " %.17g %.1f\n", seconds, m.n_pairs, sum,
           1024.0 * (double)usage.ru_maxrss / (double)(left.n_rows + right.n_rows));
    hal_match_clear(&m);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && !strcmp(argv[1], "make"))
        return make(argv[2], argv[3], strtoul(argv[4], NULL, 10));
    if (argc == 7 && !strcmp(argv[1], "run"))
        return run(argv + 2);
    fputs("usage: bench_match make LEFT RIGHT ROWS | run LEFT RIGHT RADIUS_ARCSEC THREADS MODE\n",
          stderr);
    return 2;
}
