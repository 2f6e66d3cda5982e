/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE /* flock */
#include "host/harvest.h"

#include "base/alloc.h"
#include "host/pairs.h"
#include "sky/angle.h"
#include "sky/healpix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALL_SKY_SR (4.0 * 3.141592653589793 - 1e-9)

typedef struct kept_tile {
    uint64_t id, rows, file;
    hal_tile tile;
    hal_repeats_note ids;
    double asked_s;
    bool thinned; /* its file is the copy without old rows */
} kept_tile;

struct hal_harvest {
    size_t n_refs; /* loop thread */
    char *dir;     /* of our own, unless lasting; NULL until made */
    bool lasting;
    uint64_t last_file;
    int dir_fd; /* its lock says that it is in use */
    char *ra, *dec, *id;
    hal_region *region;
    hal_targets *targets;
    bool footprints, nullable, is_all_sky;
    hal_repeats *repeats; /* NULL: changed rows cannot be told */
    kept_tile *tiles;     /* ascending by id */
    size_t n_tiles, cap_tiles;
};

/* --- The folder ---------------------------------------------------------------------------------
 */

static void remove_folder(const char *dir)
{
    DIR *d = opendir(dir);
    if (d) {
        const struct dirent *entry;
        while ((entry = readdir(d)))
            if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                unlinkat(dirfd(d), entry->d_name, 0);
        closedir(d);
    }
    rmdir(dir);
}

static char *spool_path(const hal_harvest *h, uint64_t file, bool thinned, hal_err *err)
{
    size_t size = strlen(h->dir) + 40;
    char *path = hal_malloc(size);
    if (path)
        snprintf(path, size, "%s/%" PRIu64 "%s.spool", h->dir, file, thinned ? ".thin" : "");
    else
        hal_err_nomem(err, size);
    return path;
}

static hal_status make_folder(hal_harvest *h, const char *inside, hal_err *err)
{
    size_t size = strlen(inside) + 32;
    char *dir = hal_malloc(size);
    if (!dir)
        return hal_err_nomem(err, size);
    snprintf(dir, size, "%s/.halyard-spool-XXXXXX", inside);
    if (!mkdtemp(dir)) {
        int error = errno;
        hal_free(dir);
        return hal_err_errno(err, error, "cannot make a folder for intermediate files in %s",
                             inside);
    }
    h->dir = dir;
    h->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (h->dir_fd < 0)
        return hal_err_errno(err, errno, "cannot open %s", dir);
    /* Where folders cannot be locked, the lock of the run keeps other runs away. */
    if (flock(h->dir_fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
        return hal_err_set(err, HAL_E_IO, "%s was taken by another process", dir);
    return HAL_OK;
}

hal_harvest *hal_harvest_new(const hal_harvest_config *config, hal_err *err)
{
    hal_harvest *h = hal_calloc(1, sizeof *h);
    if (!h) {
        hal_err_nomem(err, sizeof *h);
        return NULL;
    }
    h->n_refs = 1;
    h->dir_fd = -1;
    h->region = hal_region_ref(config->region);
    h->targets = config->targets ? hal_targets_ref(config->targets) : NULL;
    h->is_all_sky = hal_region_area_sr(config->region) > ALL_SKY_SR;
    h->footprints = config->footprints;
    h->nullable = config->nullable;
    h->ra = config->ra ? hal_strdup(config->ra) : NULL;
    h->dec = config->dec ? hal_strdup(config->dec) : NULL;
    h->id = config->id ? hal_strdup(config->id) : NULL;
    bool copied = !config->ra == !h->ra && !config->dec == !h->dec && !config->id == !h->id;
    h->lasting = config->lasting;
    h->last_file = config->last_file;
    hal_status st = copied ? HAL_OK : hal_err_nomem(err, 64);
    if (!st && !h->lasting)
        st = make_folder(h, config->dir, err);
    else if (!st && !(h->dir = hal_strdup(config->dir)))
        st = hal_err_nomem(err, 64);
    if (!st && h->id && !h->targets && !(h->repeats = hal_repeats_new(h->dir, err)))
        st = HAL_E_IO;
    if (st) {
        hal_harvest_unref(h);
        return NULL;
    }
    return h;
}

hal_harvest *hal_harvest_ref(hal_harvest *h)
{
    h->n_refs++;
    return h;
}

void hal_harvest_unref(hal_harvest *h)
{
    if (!h || --h->n_refs > 0)
        return;
    if (h->dir && !h->lasting)
        remove_folder(h->dir);
    if (h->dir_fd >= 0)
        close(h->dir_fd);
    hal_free(h->dir);
    hal_free(h->ra);
    hal_free(h->dec);
    hal_free(h->id);
    hal_region_unref(h->region);
    hal_targets_unref(h->targets);
    hal_repeats_free(h->repeats);
    hal_free(h->tiles);
    hal_free(h);
}

/* --- One answer ---------------------------------------------------------------------------------
 */

/* What is known of the rows of an answer. */
typedef struct rows {
    size_t n;
    double *ra, *dec;
    double *value[HAL_PLAN_COLUMNS]; /* of the columns that the ask has ranges of, or NULL */
    unsigned char *placed;           /* has a valid position */
    unsigned char *flag;
    uint64_t *index, *key;
} rows;

static void rows_clear(rows *r)
{
    hal_free(r->ra);
    hal_free(r->dec);
    for (int i = 0; i < HAL_PLAN_COLUMNS; i++)
        hal_free(r->value[i]);
    hal_free(r->placed);
    hal_free(r->flag);
    hal_free(r->index);
    hal_free(r->key);
}

static hal_status read_numbers(const hal_table *t, const char *name, const char *role, double **out,
                               hal_err *err)
{
    int i_col = hal_table_find(t, name);
    if (i_col < 0)
        return hal_err_set(err, HAL_E_USAGE, "the answer has no column \"%s\" for the %s", name,
                           role);
    hal_type type = hal_table_field(t, (size_t)i_col)->type;
    if (!hal_type_is_float(type) && !hal_type_is_integer(type) &&
        hal_table_has_values(t, (size_t)i_col))
        return hal_err_set(err, HAL_E_USAGE, "the %s column \"%s\" is not numeric", role, name);
    size_t n = hal_table_rows(t);
    if (!(*out = hal_malloc(n * sizeof **out)))
        return hal_err_nomem(err, n * sizeof **out);
    return hal_table_as_doubles(t, (size_t)i_col, *out, err);
}

static hal_status rows_init(rows *r, const hal_harvest *h, const hal_table *t, hal_err *err)
{
    r->n = hal_table_rows(t);
    r->placed = hal_calloc(r->n, 1);
    r->flag = hal_malloc(r->n);
    r->index = hal_malloc(r->n * sizeof *r->index);
    r->key = hal_malloc(r->n * sizeof *r->key);
    if (!r->placed || !r->flag || !r->index || !r->key)
        return hal_err_nomem(err, r->n * sizeof *r->key);
    if (!h->ra)
        return HAL_OK;
    hal_status st = read_numbers(t, h->ra, "position", &r->ra, err);
    if (!st)
        st = read_numbers(t, h->dec, "position", &r->dec, err);
    size_t n_placed = 0;
    for (size_t i = 0; i < r->n && !st; i++)
        n_placed += r->placed[i] = isfinite(r->ra[i]) && fabs(r->dec[i]) <= 90.0;
    if (!st && n_placed < r->n && !h->nullable)
        return hal_err_set(err, HAL_E_INTEGRITY,
                           "%zu of %zu rows have no valid position in \"%s\", \"%s\": no tile can "
                           "own them; name the columns that the service selects on",
                           r->n - n_placed, r->n, h->ra, h->dec);
    return st;
}

/* The region that was asked for. */
static hal_region *request_region(const hal_ask *ask, hal_err *err)
{
    if (ask->as_box)
        return hal_region_box(ask->ra_min_deg, ask->ra_max_deg, ask->dec_min_deg, ask->dec_max_deg,
                              err);
    return hal_region_circle(ask->cone.ra_deg, ask->cone.dec_deg, fmin(180.0, ask->cone.radius_deg),
                             err);
}

/* Do positions have to lie in what was asked for? Outlines reach out of the user's region. */
static bool selects_positions(const hal_harvest *h, const hal_ask *ask)
{
    return h->ra && !ask->no_position && (!h->footprints || ask->by_centre);
}

static hal_status overshoot_deg(const hal_harvest *h, const hal_ask *ask, rows *r, double *out,
                                hal_err *err)
{
    *out = 0.0;
    if (!selects_positions(h, ask))
        return HAL_OK;
    hal_region *request = request_region(ask, err);
    if (!request)
        return HAL_E_USAGE;
    memcpy(r->flag, r->placed, r->n);
    hal_region_contains_array(request, r->ra, r->dec, r->n, r->flag);
    for (size_t i = 0; i < r->n; i++)
        if (r->placed[i] && !r->flag[i])
            *out = fmax(*out, hal_region_distance_deg(request, r->ra[i], r->dec[i]));
    hal_region_unref(request);
    return HAL_OK;
}

/* Decimals (1 to 5) with which all positions can be printed, as a step; 0 for more, and where so
 * few rows say little. */
static double printed_step(const rows *r)
{
    enum { ROWS_LEAST = 100 };
    double scale = 10.0;
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (!r->placed[i])
            continue;
        n++;
        const double both[2] = {r->ra[i], r->dec[i]};
        for (int k = 0; k < 2; k++)
            while (fabs(both[k] * scale - rint(both[k] * scale)) > 1e-5) {
                scale *= 10.0;
                if (scale > 1.5e5)
                    return 0.0;
            }
    }
    return n >= ROWS_LEAST ? 1.0 / scale : 0.0;
}

/* Rows that the ask is to keep, as flags. No region but the whole sky has rows without position. */
static void flag_kept(const hal_harvest *h, const hal_ask *ask, rows *r)
{
    bool keeps_unplaced = ask->no_position || (ask->whole && (h->footprints || h->is_all_sky));
    memset(r->flag, 0, r->n);
    if (!ask->no_position && h->ra) {
        memcpy(r->flag, r->placed, r->n);
        hal_tile_owns_array(&ask->tile, r->ra, r->dec, r->n, r->flag);
        if (!h->footprints)
            hal_region_contains_array(h->region, r->ra, r->dec, r->n, r->flag);
    }
    for (size_t i = 0; i < r->n; i++) {
        r->flag[i] |= keeps_unplaced && !r->placed[i];
        if (r->value[0])
            r->flag[i] &= hal_ask_owns_value(ask, r->value[0][i], isnan(r->value[0][i]));
        for (int k = 0; k < ask->n_outer; k++) {
            double value = r->value[k + 1][i];
            r->flag[i] &= hal_ask_outer_owns(ask, k, value, isnan(value));
        }
    }
}

/* Numbers of the rows to keep into `index`, their sort keys into `key`; returns how many. Takes the
 * positions apart. */
static size_t choose(const hal_harvest *h, const hal_ask *ask, rows *r)
{
    flag_kept(h, ask, r);
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (!r->flag[i])
            continue;
        r->index[n] = i;
        r->key[n] = UINT64_MAX;
        r->placed[n] = r->placed[i];
        if (h->ra) {
            /* Every ra of a pole is the same place. */
            bool is_plain = r->placed[i] && fabs(r->dec[i]) < 90.0;
            r->ra[n] = is_plain ? hal_ra_canonical(r->ra[i]) : 0.0;
            r->dec[n] = r->placed[i] ? r->dec[i] : 0.0;
        }
        n++;
    }
    if (h->ra)
        hal_healpix_index_array(HAL_HEALPIX_ORDER_MAX, r->ra, r->dec, n, r->key);
    for (size_t k = 0; k < n; k++)
        r->key[k] = r->placed[k] ? r->key[k] : UINT64_MAX;
    return n;
}

static hal_status write_spool(const hal_harvest *h, const hal_table *t, const uint64_t *key,
                              hal_gathered *out, hal_err *err)
{
    int i_id = h->id ? hal_table_find(t, h->id) : -1;
    if (h->id && i_id < 0 && hal_table_rows(t))
        return hal_err_set(err, HAL_E_USAGE, "the answer has no column \"%s\" for the identifier",
                           h->id);
    char *path = spool_path(h, out->file, false, err);
    if (!path)
        return HAL_E_NOMEM;
    hal_status st = hal_spool_write(path, t, key, i_id, &out->file_bytes, err);
    hal_free(path);
    if (!st && h->repeats && i_id >= 0) {
        out->ids = hal_repeats_reserve(h->repeats, hal_table_rows(t));
        st = hal_repeats_add(h->repeats, &out->ids, t, (size_t)i_id, err);
    }
    return st;
}

/* Of the first `n` rows of `r` the pairs with the targets of the ask. */
static hal_status write_pairs(const hal_harvest *h, const hal_ask *ask, const hal_table *t, rows *r,
                              size_t n, hal_gathered *out, hal_err *err)
{
    for (size_t k = 0; k < n; k++)
        r->ra[k] = r->placed[k] ? r->ra[k] : NAN;
    uint64_t *key = NULL;
    hal_table *pairs =
        hal_pairs_new(h->targets, ask, t, &(hal_pairs_rows){n, r->index, r->ra, r->dec}, &key, err);
    if (!pairs)
        return HAL_E_NOMEM;
    out->kept = hal_table_rows(pairs);
    out->kept_bytes = hal_table_size_bytes(pairs);
    hal_status st = write_spool(h, pairs, key, out, err);
    hal_table_unref(pairs);
    hal_free(key);
    return st;
}

static hal_status gather_rows(const hal_harvest *h, const hal_ask *ask, const char *const *columns,
                              const hal_table *t, rows *r, hal_gathered *out, hal_err *err)
{
    hal_status st = rows_init(r, h, t, err);
    for (int k = 0; columns && k <= ask->n_outer && !st; k++)
        st = read_numbers(t, columns[k], "range", &r->value[k], err);
    if (!st)
        st = overshoot_deg(h, ask, r, &out->overshoot_deg, err);
    if (st)
        return st;
    out->printed_deg = h->ra ? printed_step(r) : 0.0;
    out->kept = choose(h, ask, r);
    if (h->targets)
        return write_pairs(h, ask, t, r, out->kept, out, err);
    out->kept_bytes = hal_table_size_bytes(t);
    if (out->kept == r->n)
        return write_spool(h, t, r->key, out, err);
    hal_table *taken = hal_table_take(t, r->index, out->kept, err);
    if (!taken)
        return HAL_E_NOMEM;
    out->kept_bytes = hal_table_size_bytes(taken);
    st = write_spool(h, taken, r->key, out, err);
    hal_table_unref(taken);
    return st;
}

hal_status hal_harvest_gather(const hal_harvest *h, const hal_ask *ask,
                              const char *const columns[HAL_PLAN_COLUMNS], const hal_table *t,
                              hal_gathered *out, hal_err *err)
{
    hal_gathered g = {.returned = hal_table_rows(t), .file = h->last_file + ask->id};
    hal_status st = HAL_OK;
    if (g.returned) {
        rows r = {0};
        st = gather_rows(h, ask, columns, t, &r, &g, err);
        rows_clear(&r);
    } else if (hal_table_columns(t)) {
        st = h->targets ? write_pairs(h, ask, t, &(rows){0}, 0, &g, err) /* for its columns */
                        : write_spool(h, t, NULL, &g, err);
    }
    if (!st)
        *out = g;
    return st;
}

/* --- What counts --------------------------------------------------------------------------------
 */

/* Index of the first tile whose id is not below `id`. */
static size_t lower_bound(const hal_harvest *h, uint64_t id)
{
    size_t at = h->n_tiles; /* ids ascend nearly always */
    while (at > 0 && h->tiles[at - 1].id >= id)
        at--;
    return at;
}

hal_status hal_harvest_adopt(hal_harvest *h, const hal_ask *ask, const hal_gathered *g,
                             double asked_s, hal_err *err)
{
    size_t at = lower_bound(h, ask->id);
    kept_tile tile = {ask->id, g->kept, g->file, ask->tile, g->ids, asked_s, false};
    if (at < h->n_tiles && h->tiles[at].id == ask->id) {
        h->tiles[at] = tile;
        return HAL_OK;
    }
    if (h->n_tiles == h->cap_tiles) {
        size_t cap = h->cap_tiles ? 2 * h->cap_tiles : 64;
        kept_tile *grown = hal_realloc(h->tiles, cap * sizeof *grown);
        if (!grown)
            return hal_err_nomem(err, cap * sizeof *grown);
        h->tiles = grown;
        h->cap_tiles = cap;
    }
    memmove(h->tiles + at + 1, h->tiles + at, (h->n_tiles - at) * sizeof *h->tiles);
    h->tiles[at] = tile;
    h->n_tiles++;
    return HAL_OK;
}

typedef struct reading {
    const hal_harvest *harvest;
    uint64_t n_rows;
    hal_repeats_note ids;
} reading;

static hal_status take_block(void *ctx, const hal_table *block, hal_err *err)
{
    reading *r = ctx;
    const hal_harvest *h = r->harvest;
    int i_id = h->repeats ? hal_table_find(block, h->id) : -1;
    r->n_rows += hal_table_rows(block);
    return i_id < 0 ? HAL_OK : hal_repeats_add(h->repeats, &r->ids, block, (size_t)i_id, err);
}

hal_status hal_harvest_check(const hal_harvest *h, hal_gathered *g, hal_err *err)
{
    if (!g->file_bytes)
        return HAL_OK;
    char *path = spool_path(h, g->file, false, err);
    if (!path)
        return HAL_E_NOMEM;
    struct stat info;
    reading r = {.harvest = h};
    hal_status st = HAL_OK;
    if (stat(path, &info))
        st = hal_err_errno(err, errno, "cannot read %s", path);
    else if ((uint64_t)info.st_size != g->file_bytes)
        st = hal_err_set(err, HAL_E_INTEGRITY, "%s has %lld bytes, %" PRIu64 " were written", path,
                         (long long)info.st_size, g->file_bytes);
    if (!st && h->repeats)
        r.ids = hal_repeats_reserve(h->repeats, g->kept);
    if (!st)
        st = hal_spool_read(path, take_block, &r, err);
    if (!st && r.n_rows != g->kept)
        st = hal_err_set(err, HAL_E_INTEGRITY, "%s has %" PRIu64 " rows, %" PRIu64 " were written",
                         path, r.n_rows, g->kept);
    g->ids = r.ids;
    hal_free(path);
    return st;
}

void hal_harvest_drop(hal_harvest *h, uint64_t ask_id)
{
    size_t at = lower_bound(h, ask_id);
    uint64_t file = h->last_file + ask_id;
    if (at < h->n_tiles && h->tiles[at].id == ask_id) {
        file = h->tiles[at].file;
        h->n_tiles--;
        memmove(h->tiles + at, h->tiles + at + 1, (h->n_tiles - at) * sizeof *h->tiles);
    }
    char *path = spool_path(h, file, false, NULL);
    if (path)
        unlink(path);
    hal_free(path);
}

bool hal_harvest_tells_changes(const hal_harvest *h)
{
    return h->repeats != NULL;
}

/* Without its old rows the tile has a file of another name: the ledger knows the whole one. */
static hal_status thin(hal_harvest *h, kept_tile *t, const hal_repeats_part *part, hal_err *err)
{
    char *to = spool_path(h, t->file, true, err);
    hal_status st = to ? hal_spool_thin(part->spool, to, part->old, part->n_old, err) : HAL_E_NOMEM;
    hal_free(to);
    if (!st) {
        t->rows -= part->n_old;
        t->thinned = true;
    }
    return st;
}

hal_status hal_harvest_settle(hal_harvest *h, bool drop, const _Atomic bool *cancel,
                              hal_repeats_report *old, hal_err *err)
{
    *old = (hal_repeats_report){0};
    if (!h->repeats || h->n_tiles < 2)
        return HAL_OK;
    hal_repeats_part *parts = hal_calloc(h->n_tiles, sizeof *parts);
    hal_status st = parts ? HAL_OK : hal_err_nomem(err, h->n_tiles * sizeof *parts);
    for (size_t i = 0; i < h->n_tiles && !st; i++) {
        const kept_tile *t = &h->tiles[i];
        parts[i].spool = spool_path(h, t->file, t->thinned, err);
        parts[i].note = t->ids;
        parts[i].asked_s = t->asked_s;
        st = parts[i].spool ? HAL_OK : HAL_E_NOMEM;
    }
    if (!st)
        st = hal_repeats_find(h->repeats, &(hal_repeats_columns){h->id, h->ra, h->dec}, parts,
                              h->n_tiles, cancel, old, err);
    for (size_t i = 0; i < h->n_tiles && !st; i++)
        if (drop && parts[i].n_old)
            st = thin(h, &h->tiles[i], &parts[i], err);
    if (st)
        hal_repeats_report_clear(old);
    for (size_t i = 0; i < h->n_tiles && parts; i++) {
        hal_free((char *)parts[i].spool);
        hal_free(parts[i].old);
    }
    hal_free(parts);
    return st;
}

void hal_sheaf_clear(hal_sheaf *s)
{
    for (size_t i = 0; i < s->n; i++)
        hal_free(s->paths[i]);
    hal_free(s->paths);
    *s = (hal_sheaf){0};
}

/* Of the tiles that may own a position in `region`; NULL: of all. */
static hal_status bind_sheaf(const hal_harvest *h, const hal_region *region, hal_sheaf *out,
                             hal_err *err)
{
    hal_sheaf s = {.paths = hal_calloc(h->n_tiles + 1, sizeof(char *))};
    if (!s.paths)
        return hal_err_nomem(err, (h->n_tiles + 1) * sizeof(char *));
    for (size_t i = 0; i < h->n_tiles; i++) {
        if (region && !hal_region_may_touch(region, &h->tiles[i].tile, 0.0))
            continue;
        char *path = spool_path(h, h->tiles[i].file, h->tiles[i].thinned, err);
        if (!path) {
            hal_sheaf_clear(&s);
            return HAL_E_NOMEM;
        }
        if (access(path, F_OK)) /* an answer without columns left none */
            hal_free(path);
        else
            s.paths[s.n++] = path;
        s.rows += h->tiles[i].rows;
    }
    *out = s;
    return HAL_OK;
}

hal_status hal_harvest_sheaf(const hal_harvest *h, hal_sheaf *out, hal_err *err)
{
    return bind_sheaf(h, NULL, out, err);
}

hal_status hal_harvest_sheaf_at(const hal_harvest *h, const hal_region *region, hal_sheaf *out,
                                hal_err *err)
{
    return bind_sheaf(h, region, out, err);
}

/* --- Identifiers of a place ---------------------------------------------------------------------
 */

hal_table *hal_harvest_ids(const hal_harvest *h, const hal_region *region, const hal_table *t,
                           hal_err *err)
{
    int i_id = h->id ? hal_table_find(t, h->id) : -1;
    if (i_id < 0) {
        hal_err_set(err, HAL_E_USAGE, "the answer has no column \"%s\" for the identifier",
                    h->id ? h->id : "");
        return NULL;
    }
    rows r = {0};
    hal_table *taken = NULL, *out = NULL;
    if (!rows_init(&r, h, t, err)) {
        size_t n = 0;
        memcpy(r.flag, r.placed, r.n);
        hal_region_contains_array(region, r.ra, r.dec, r.n, r.flag);
        if (!h->footprints)
            hal_region_contains_array(h->region, r.ra, r.dec, r.n, r.flag);
        for (size_t i = 0; i < r.n; i++)
            if (r.flag[i])
                r.index[n++] = i;
        taken = hal_table_take(t, r.index, n, err);
        out = taken ? hal_table_project(taken, &(size_t){(size_t)i_id}, 1, err) : NULL;
    }
    hal_table_unref(taken);
    rows_clear(&r);
    return out;
}

typedef struct id_list {
    const hal_harvest *harvest;
    const hal_region *region;
    hal_table *sum; /* NULL: none yet */
} id_list;

static hal_status take_ids(void *ctx, const hal_table *block, hal_err *err)
{
    id_list *list = ctx;
    hal_table *two[2] = {list->sum, hal_harvest_ids(list->harvest, list->region, block, err)};
    if (!two[1])
        return err->status;
    if (!list->sum || !hal_table_rows(two[1])) {
        list->sum = list->sum ? list->sum : two[1];
        if (list->sum != two[1])
            hal_table_unref(two[1]);
        return HAL_OK;
    }
    hal_table *sum = hal_table_concat(two, 2, err);
    hal_table_unref(two[0]);
    hal_table_unref(two[1]);
    list->sum = sum;
    return sum ? HAL_OK : HAL_E_NOMEM;
}

hal_table *hal_harvest_sheaf_ids(const hal_harvest *h, const hal_region *region,
                                 const hal_sheaf *sheaf, hal_err *err)
{
    hal_err local = HAL_ERR_INIT;
    err = err ? err : &local;
    id_list list = {h, region, NULL};
    for (size_t i = 0; i < sheaf->n; i++)
        if (hal_spool_read(sheaf->paths[i], take_ids, &list, err)) {
            hal_table_unref(list.sum);
            return NULL;
        }
    if (list.sum)
        return list.sum;
    hal_field field = {.name = h->id, .type = HAL_TYPE_STRING, .unit = "", .ucd = ""};
    field.description = "";
    hal_builder *b = hal_builder_new(&field, 1, err);
    hal_table *none = b ? hal_builder_finish(b, err) : NULL;
    hal_builder_free(b);
    return none;
}

/* --- The merge ----------------------------------------------------------------------------------
 */

static hal_status write_empty(const hal_harvest *h, const char *path, hal_format format,
                              hal_table **table, hal_merge_report *report, hal_err *err)
{
    hal_field fields[3 + HAL_PAIRS_COLUMNS] = {0};
    size_t n = 0;
    if (h->id)
        fields[n++] = (hal_field){.name = h->id, .type = HAL_TYPE_STRING};
    if (h->ra) {
        fields[n++] = (hal_field){.name = h->ra, .type = HAL_TYPE_FLOAT64};
        fields[n++] = (hal_field){.name = h->dec, .type = HAL_TYPE_FLOAT64};
    }
    for (size_t i = 0; i < n; i++)
        fields[i].unit = fields[i].ucd = fields[i].description = "";
    for (size_t i = 0; h->targets && i < HAL_PAIRS_COLUMNS; i++)
        fields[n++] = hal_pairs_fields[i];
    *report = (hal_merge_report){0};
    if (!path) {
        hal_builder *b = hal_builder_new(fields, n, err);
        *table = b ? hal_builder_finish(b, err) : NULL;
        hal_builder_free(b);
        return *table ? HAL_OK : HAL_E_NOMEM;
    }
    hal_writer *w = hal_writer_open(path, format, fields, n, err);
    hal_status st = w ? hal_writer_commit(w, &report->size_bytes, err) : err->status;
    hal_writer_free(w);
    return st;
}

hal_status hal_harvest_merge(const hal_harvest *h, const hal_sheaf *sheaf, const char *path,
                             hal_format format, hal_table **table, const _Atomic bool *cancel,
                             _Atomic uint64_t *progress, hal_merge_report *report, hal_err *err)
{
    hal_err local = HAL_ERR_INIT;
    err = err ? err : &local;
    if (sheaf->n == 0 && sheaf->rows == 0)
        return write_empty(h, path, format, table, report, err);
    return hal_spool_merge((const char *const *)sheaf->paths, sheaf->n, h->id, &sheaf->rows, path,
                           format, path ? NULL : table, cancel, progress, report, err);
}
