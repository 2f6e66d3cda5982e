/* SPDX-License-Identifier: BSD-3-Clause */
/* What follows a plan, on simulated skies: the audit of some of its tiles and the merge of its
 * spools (tiling design, sections 8, 9 and 14). The audit is lua/halyard/audit.lua's, its circles
 * round corners of the five fullest tiles and five others: it must find nothing where nothing is
 * lost, and the loss of a full tile or of what an undeclared limit cuts. The merge is the
 * product's; boxes, cones and cells must give one file, and its memory must not grow with the rows.
 * Usage: bench_tiling_checks [scale]; 1 is the design's million rows. */
#include "../tests/unit/support/sim.c"

#include "data/spool.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum { FULLEST = 5, AT_RANDOM = 5, AUDITS = 20, WAYS = 3 };

static int n_missed;

static sim_setup boxes_of(uint64_t cap)
{
    return (sim_setup){
        .service = {.takes_box = true,
                    .over_is_slow = true,
                    .radius_decimals = -1,
                    .pos_quantum_deg = 1e-5,
                    .cap = cap + 1},
        .options = {.window = 4, .known_rows = -1, .requests_max = 100000},
        .seed = 1,
    };
}

/* ---- audit ---- */

static int by_kept(const void *a, const void *b)
{
    const hal_leaf *x = a, *y = b;
    return (x->rows_kept < y->rows_kept) - (x->rows_kept > y->rows_kept);
}

static hal_cone round_corner(const hal_tile *t, uint64_t *s)
{
    int64_t dec = sim_random(s) < 0.5 ? t->dec_lo : t->dec_hi;
    int64_t ra = sim_random(s) < 0.5 ? t->ra : (t->ra + t->width) % HAL_TICKS_CIRCLE;
    double wide = hal_tick_deg(t->width) * fmax(cos(hal_tick_deg(t->dec_lo) * RADIANS),
                                                cos(hal_tick_deg(t->dec_hi) * RADIANS));
    return (hal_cone){hal_tick_deg(ra), hal_tick_deg(dec),
                      fmin(wide, hal_tick_deg(t->dec_hi - t->dec_lo)) / 2.0};
}

/* Rows in the circle that were not kept, of a sky that is wanted whole. */
static uint64_t lacking(const sim_sky *sky, const sim_report *r, const hal_cone *c, uint64_t *seen)
{
    sim_setup cones = {.service = {.takes_cone = true}};
    hal_ask ask = {.kind = HAL_ASK_FETCH, .cone = *c};
    found f = {0};
    uint64_t n = 0;
    archive_select(sky, &cones, NULL, &ask, &f);
    for (size_t k = 0; k < f.n; k++)
        n += r->kept[f.row[k]] != 1;
    *seen += f.n;
    free(f.row);
    return n;
}

/* Does an audit with this seed see a difference? */
static bool audit(const sim_sky *sky, const sim_report *r, uint64_t seed, uint64_t *seen)
{
    uint64_t s = seed, n = 0;
    size_t n_leaf = r->n_leaf;
    for (size_t k = 0; k < FULLEST + AT_RANDOM && k < n_leaf; k++) {
        size_t i =
            k < FULLEST ? k : FULLEST + (size_t)(sim_random(&s) * (double)(n_leaf - FULLEST));
        hal_cone c = round_corner(&r->leaf[i].tile, &s);
        n += lacking(sky, r, &c, seen);
    }
    return n > 0;
}

/* Twenty audits of a run; `finds`: rows are lost, and so many must see it, else none may. */
static void audits(const char *name, const sim_sky *sky, sim_report *r, int finds)
{
    uint64_t seen = 0, lost = 0;
    int n = 0;
    for (size_t i = 0; i < sky->n_row; i++)
        lost += r->kept[i] != 1;
    for (uint64_t seed = 0; seed < AUDITS; seed++)
        n += audit(sky, r, seed, &seen);
    bool good = r->account.state == HAL_PLAN_COMPLETE && (finds ? lost && n >= finds : n == 0);
    n_missed += !good;
    printf("audit  %-32s %7llu rows lost; %2d of %d audits see it (%s %2d), %6.0f rows each  %s\n",
           name, (unsigned long long)lost, n, AUDITS, finds ? "at least" : "at most", finds,
           (double)seen / AUDITS, good ? "ok" : "missed");
}

/* What was kept of a leaf is lost, or what was lost is there again. */
static void keep_leaf(const sim_sky *sky, sim_report *r, const hal_leaf *leaf, unsigned char kept)
{
    for (size_t i = 0; i < sky->n_row; i++)
        if (hal_tile_owns(&leaf->tile, sky->row[i].ra, sky->row[i].dec))
            r->kept[i] = kept;
}

static void audit_skies(double scale)
{
    static const char *const skies[] = {"even", "plane", "clumpy"};
    uint64_t cap = (uint64_t)(10000 * scale);
    for (int k = 0; k < 3; k++) {
        sim_sky *sky = sim_sky_new(skies[k], scale, 0);
        sim_setup setup = boxes_of(cap);
        sim_report r = sim_run(sky, &setup);
        qsort(r.leaf, r.n_leaf, sizeof *r.leaf, by_kept);
        audits(skies[k], sky, &r, 0);
        keep_leaf(sky, &r, &r.leaf[2], 0);
        audits("  a full tile lost", sky, &r, AUDITS);
        keep_leaf(sky, &r, &r.leaf[2], 1);
        keep_leaf(sky, &r, &r.leaf[r.n_leaf / 2], 0);
        audits("  any tile lost", sky, &r, 1);
        sim_report_clear(&r);
        /* A limit that nobody told and that is no round number. */
        setup.options.known_rows = (int64_t)sky->n_inside;
        setup.over = SIM_TRUNCATE;
        setup.archive_cap = cap * 7 / 10 + 3;
        r = sim_run(sky, &setup);
        qsort(r.leaf, r.n_leaf, sizeof *r.leaf, by_kept);
        audits("  cut silently below the cap", sky, &r, AUDITS);
        sim_report_clear(&r);
        sim_sky_free(sky);
    }
}

/* ---- merge ---- */

static char folder[] = "/var/tmp/bench-tiling-XXXXXX";

static char *path_of(const char *what, size_t k)
{
    size_t size = sizeof folder + 40;
    char *path = malloc(size);
    if (!path)
        abort();
    snprintf(path, size, "%s/%s%zu", folder, what, k);
    return path;
}

static void check(hal_status st, const hal_err *err)
{
    if (!st)
        return;
    fprintf(stderr, "%s\n", err->text);
    abort();
}

/* The rows of one leaf, as they were kept. */
static void spool_leaf(const sim_sky *sky, const hal_leaf *leaf, const char *path)
{
    static const hal_field fields[] = {{"id", HAL_TYPE_INT64, "", "meta.id", ""},
                                       {"ra", HAL_TYPE_FLOAT64, "deg", "", ""},
                                       {"dec", HAL_TYPE_FLOAT64, "deg", "", ""}};
    hal_err err = HAL_ERR_INIT;
    hal_builder *b = hal_builder_new(fields, 3, &err);
    uint64_t *key = malloc((leaf->rows_kept + 1) * sizeof *key), bytes;
    size_t n = 0;
    if (!b || !key)
        abort();
    for (size_t i = 0; i < sky->n_row; i++) {
        const sim_row *r = &sky->row[i];
        if (!hal_tile_owns(&leaf->tile, r->ra, r->dec))
            continue;
        if (n == leaf->rows_kept)
            abort();
        check(hal_builder_int64(b, 0, r->key, &err), &err);
        check(hal_builder_float64(b, 1, r->ra, &err), &err);
        check(hal_builder_float64(b, 2, r->dec, &err), &err);
        check(hal_builder_end_row(b, &err), &err);
        key[n++] = hal_healpix_index(HAL_HEALPIX_ORDER_MAX, r->ra, r->dec);
    }
    hal_table *t = hal_builder_finish(b, &err);
    if (!t)
        abort();
    check(hal_spool_write(path, t, key, 0, &bytes, &err), &err);
    hal_table_unref(t);
    hal_builder_free(b);
    free(key);
}

static uint64_t digest_of(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint64_t h = 0;
    if (!f)
        abort();
    for (int c; (c = getc(f)) != EOF;)
        h = mix(h, (uint64_t)c + 1);
    fclose(f);
    return h;
}

static double peak_mib(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (double)use.ru_maxrss / 1024.0;
}

static uint64_t merge_of(const char *name, const sim_sky *sky, const sim_setup *setup)
{
    sim_report r = sim_run(sky, setup);
    char **spool = calloc(r.n_leaf + 1, sizeof *spool);
    if (!spool)
        abort();
    for (size_t k = 0; k < r.n_leaf; k++)
        spool_leaf(sky, &r.leaf[k], spool[k] = path_of("spool", k));
    double before = peak_mib(), from = cpu_s();
    hal_err err = HAL_ERR_INIT;
    hal_merge_report report;
    uint64_t expected = sky->n_inside;
    char *out = path_of("out", 0);
    check(hal_spool_merge((const char *const *)spool, r.n_leaf, "id", &expected, out,
                          HAL_FORMAT_CSV, NULL, NULL, NULL, &report, &err),
          &err);
    double took = cpu_s() - from, more = peak_mib() - before;
    uint64_t digest = digest_of(out);
    /* 64 blocks of 512 KiB, and the rows of a block being written. */
    bool good = report.rows == expected && report.duplicates == 0 && more < 64.0;
    n_missed += !good;
    printf("merge  %-16s %5zu spools, %8llu rows, %4.0f MB, %.2f us a row, %3.0f MiB more < 64  "
           "%s\n",
           name, r.n_leaf, (unsigned long long)report.rows, (double)report.size_bytes / 1e6,
           1e6 * took / (double)report.rows, more, good ? "ok" : "missed");
    unlink(out);
    free(out);
    for (size_t k = 0; k < r.n_leaf; k++) {
        unlink(spool[k]);
        free(spool[k]);
    }
    free(spool);
    sim_report_clear(&r);
    return digest;
}

static void merges(double scale)
{
    static const char *const ways[WAYS] = {"boxes", "boxes and cells", "cones"};
    uint64_t digest[WAYS];
    if (!mkdtemp(folder))
        abort();
    sim_sky *sky = sim_sky_new("plane", scale, 0);
    for (int k = 0; k < WAYS; k++) {
        sim_setup setup = boxes_of((uint64_t)(10000 * scale));
        setup.service.histogram = k == 1;
        setup.service.takes_box = k < 2;
        setup.service.takes_cone = k == 2;
        digest[k] = merge_of(ways[k], sky, &setup);
    }
    bool same = digest[0] == digest[1] && digest[0] == digest[2];
    n_missed += !same;
    printf("merge  files of three tilings are %s\n", same ? "the same, ok" : "DIFFERENT");
    sim_sky_free(sky);
    rmdir(folder);
}

int main(int argc, char **argv)
{
    double scale = argc > 1 ? strtod(argv[1], NULL) : 1.0;
    merges(scale); /* first: the peak of memory is its own */
    audit_skies(scale);
    return n_missed ? 1 : 0;
}
