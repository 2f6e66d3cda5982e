/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE /* flock */
#include "host/harvest.h"

#include "base/alloc.h"
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
#include <unistd.h>

typedef struct kept_tile {
    uint64_t id, rows;
} kept_tile;

struct hal_harvest {
    size_t n_refs; /* loop thread */
    char *dir;     /* of our own; NULL until made */
    int dir_fd;    /* its lock says that it is in use */
    char *ra, *dec, *id;
    hal_region *region;
    kept_tile *tiles; /* ascending by id */
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

static char *spool_path(const hal_harvest *h, uint64_t id, hal_err *err)
{
    size_t size = strlen(h->dir) + 32;
    char *path = hal_malloc(size);
    if (path)
        snprintf(path, size, "%s/%" PRIu64 ".spool", h->dir, id);
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
    h->ra = hal_strdup(config->ra);
    h->dec = hal_strdup(config->dec);
    h->id = config->id ? hal_strdup(config->id) : NULL;
    hal_status st = !h->ra || !h->dec || (config->id && !h->id) ? hal_err_nomem(err, 64)
                                                                : make_folder(h, config->dir, err);
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
    if (h->dir)
        remove_folder(h->dir);
    if (h->dir_fd >= 0)
        close(h->dir_fd);
    hal_free(h->dir);
    hal_free(h->ra);
    hal_free(h->dec);
    hal_free(h->id);
    hal_region_unref(h->region);
    hal_free(h->tiles);
    hal_free(h);
}

/* --- One answer ---------------------------------------------------------------------------------
 */

/* Positions of an answer and what is known of each row. */
typedef struct rows {
    size_t n;
    double *ra, *dec;
    unsigned char *flag;
    uint64_t *index, *key;
} rows;

static void rows_clear(rows *r)
{
    hal_free(r->ra);
    hal_free(r->dec);
    hal_free(r->flag);
    hal_free(r->index);
    hal_free(r->key);
}

static hal_status read_positions(const hal_table *t, const char *name, double **out, hal_err *err)
{
    int i_col = hal_table_find(t, name);
    if (i_col < 0)
        return hal_err_set(err, HAL_E_USAGE, "the answer has no column \"%s\" for the position",
                           name);
    hal_type type = hal_table_field(t, (size_t)i_col)->type;
    if (!hal_type_is_float(type) && !hal_type_is_integer(type) &&
        hal_table_has_values(t, (size_t)i_col))
        return hal_err_set(err, HAL_E_USAGE, "the position column \"%s\" is not numeric", name);
    size_t n = hal_table_rows(t);
    if (!(*out = hal_malloc(n * sizeof **out)))
        return hal_err_nomem(err, n * sizeof **out);
    return hal_table_as_doubles(t, (size_t)i_col, *out, err);
}

static hal_status rows_init(rows *r, const hal_harvest *h, const hal_table *t, hal_err *err)
{
    r->n = hal_table_rows(t);
    hal_status st = read_positions(t, h->ra, &r->ra, err);
    if (!st)
        st = read_positions(t, h->dec, &r->dec, err);
    if (st)
        return st;
    r->flag = hal_malloc(r->n);
    r->index = hal_malloc(r->n * sizeof *r->index);
    r->key = hal_malloc(r->n * sizeof *r->key);
    if (!r->flag || !r->index || !r->key)
        return hal_err_nomem(err, r->n * sizeof *r->key);
    size_t n_invalid = 0;
    for (size_t i = 0; i < r->n; i++)
        n_invalid += !(isfinite(r->ra[i]) && fabs(r->dec[i]) <= 90.0);
    if (n_invalid)
        return hal_err_set(err, HAL_E_INTEGRITY,
                           "%zu of %zu rows have no valid position in \"%s\", \"%s\": no tile can "
                           "own them; name the columns that the service selects on",
                           n_invalid, r->n, h->ra, h->dec);
    return HAL_OK;
}

/* The region that was asked for. */
static hal_region *request_region(const hal_ask *ask, bool as_box, hal_err *err)
{
    if (as_box)
        return hal_region_box(ask->ra_min_deg, ask->ra_max_deg, ask->dec_min_deg, ask->dec_max_deg,
                              err);
    return hal_region_circle(ask->cone.ra_deg, ask->cone.dec_deg, fmin(180.0, ask->cone.radius_deg),
                             err);
}

static double overshoot_deg(rows *r, const hal_region *request)
{
    memset(r->flag, 1, r->n);
    double most = 0.0;
    if (hal_region_contains_array(request, r->ra, r->dec, r->n, r->flag) < r->n)
        for (size_t i = 0; i < r->n; i++)
            if (!r->flag[i])
                most = fmax(most, hal_region_distance_deg(request, r->ra[i], r->dec[i]));
    return most;
}

/* Numbers of the rows to keep into `index`, their sort keys into `key`; returns how many. */
static size_t choose(rows *r, const hal_tile *tile, const hal_region *region)
{
    hal_tile_owns_array(tile, r->ra, r->dec, r->n, r->flag);
    hal_region_contains_array(region, r->ra, r->dec, r->n, r->flag);
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (!r->flag[i])
            continue;
        r->index[n] = i;
        /* Every ra of a pole is the same place. */
        r->ra[n] = fabs(r->dec[i]) == 90.0 ? 0.0 : hal_ra_canonical(r->ra[i]);
        r->dec[n++] = r->dec[i];
    }
    hal_healpix_index_array(HAL_HEALPIX_ORDER_MAX, r->ra, r->dec, n, r->key);
    return n;
}

static hal_status write_spool(const hal_harvest *h, uint64_t id, const hal_table *t,
                              const uint64_t *key, hal_err *err)
{
    int i_id = h->id ? hal_table_find(t, h->id) : -1;
    if (h->id && i_id < 0 && hal_table_rows(t))
        return hal_err_set(err, HAL_E_USAGE, "the answer has no column \"%s\" for the identifier",
                           h->id);
    char *path = spool_path(h, id, err);
    if (!path)
        return HAL_E_NOMEM;
    uint64_t size_bytes;
    hal_status st = hal_spool_write(path, t, key, i_id, &size_bytes, err);
    hal_free(path);
    return st;
}

static hal_status gather_rows(const hal_harvest *h, const hal_ask *ask, const hal_region *request,
                              const hal_table *t, rows *r, hal_gathered *out, hal_err *err)
{
    hal_status st = rows_init(r, h, t, err);
    if (st)
        return st;
    out->overshoot_deg = overshoot_deg(r, request);
    out->kept = choose(r, &ask->tile, h->region);
    if (out->kept == r->n)
        return write_spool(h, ask->id, t, r->key, err);
    hal_table *taken = hal_table_take(t, r->index, out->kept, err);
    if (!taken)
        return HAL_E_NOMEM;
    st = write_spool(h, ask->id, taken, r->key, err);
    hal_table_unref(taken);
    return st;
}

hal_status hal_harvest_gather(const hal_harvest *h, const hal_ask *ask, bool as_box,
                              const hal_table *t, hal_gathered *out, hal_err *err)
{
    hal_gathered g = {.returned = hal_table_rows(t)};
    hal_status st = HAL_OK;
    if (g.returned) {
        hal_region *request = request_region(ask, as_box, err);
        rows r = {0};
        st = request ? gather_rows(h, ask, request, t, &r, &g, err) : HAL_E_USAGE;
        rows_clear(&r);
        hal_region_unref(request);
    } else if (hal_table_columns(t)) {
        st = write_spool(h, ask->id, t, NULL, err); /* for its columns */
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

hal_status hal_harvest_keep(hal_harvest *h, uint64_t ask_id, uint64_t n_rows, hal_err *err)
{
    size_t at = lower_bound(h, ask_id);
    if (at < h->n_tiles && h->tiles[at].id == ask_id) {
        h->tiles[at].rows = n_rows;
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
    h->tiles[at] = (kept_tile){ask_id, n_rows};
    h->n_tiles++;
    return HAL_OK;
}

void hal_harvest_drop(hal_harvest *h, uint64_t ask_id)
{
    size_t at = lower_bound(h, ask_id);
    if (at < h->n_tiles && h->tiles[at].id == ask_id) {
        h->n_tiles--;
        memmove(h->tiles + at, h->tiles + at + 1, (h->n_tiles - at) * sizeof *h->tiles);
    }
    char *path = spool_path(h, ask_id, NULL);
    if (path)
        unlink(path);
    hal_free(path);
}

void hal_sheaf_clear(hal_sheaf *s)
{
    for (size_t i = 0; i < s->n; i++)
        hal_free(s->paths[i]);
    hal_free(s->paths);
    *s = (hal_sheaf){0};
}

hal_status hal_harvest_sheaf(const hal_harvest *h, hal_sheaf *out, hal_err *err)
{
    hal_sheaf s = {.paths = hal_calloc(h->n_tiles + 1, sizeof(char *))};
    if (!s.paths)
        return hal_err_nomem(err, (h->n_tiles + 1) * sizeof(char *));
    for (size_t i = 0; i < h->n_tiles; i++) {
        char *path = spool_path(h, h->tiles[i].id, err);
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

/* --- The merge ----------------------------------------------------------------------------------
 */

static hal_status write_empty(const hal_harvest *h, const char *path, hal_format format,
                              hal_table **table, hal_merge_report *report, hal_err *err)
{
    hal_field fields[3] = {0};
    size_t n = 0;
    if (h->id)
        fields[n++] = (hal_field){.name = h->id, .type = HAL_TYPE_STRING};
    fields[n++] = (hal_field){.name = h->ra, .type = HAL_TYPE_FLOAT64};
    fields[n++] = (hal_field){.name = h->dec, .type = HAL_TYPE_FLOAT64};
    for (size_t i = 0; i < n; i++)
        fields[i].unit = fields[i].ucd = fields[i].description = "";
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
