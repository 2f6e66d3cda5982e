/* SPDX-License-Identifier: BSD-3-Clause */
/* A download has two halves. The loop thread owns the exchange and says what happens next; a
 * strand of the pool owns the file, the digest and the folder, and does as told in order: open,
 * begin, write ..., publish. A piece of work carries its error back; nothing is shared between the
 * halves while work is under way except what is marked so.
 *
 * Order on disk: data, its fsync, the record, the rename, the folder's fsync. A record before the
 * rename says only "a file with this size, time and digest is whole", so a crash between the two
 * leaves nothing that could be mistaken, and nothing whole that is not known. */
#include "net/download.h"

#include "base/alloc.h"
#include "net/digest.h"
#include "net/folder.h"
#include "net/header.h"
#include "net/loop_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

enum {
    CHUNK_BYTES = 256 * 1024,
    CHUNKS_MAX = 4, /* under way to the disk; more pause the transfer */
    RESTARTS_MAX = 2,
    RESUME_MIN_BYTES = 64 * 1024, /* below that, from zero is as cheap */
    FITS_BLOCK_BYTES = 2880,
    FOLDERS_MAX = 1024,
};

static const int64_t deadline_ms =
    INT64_C(7) * 86400 * 1000; /* stalls end a transfer long before */

typedef enum found { FOUND_NOTHING, FOUND_WHOLE, FOUND_PART_WHOLE, FOUND_PART } found;

struct hal_download {
    hal_loop *loop;
    hal_download *prev, *next;
    hal_folder *folder;
    hal_strand *strand;
    char *url, *path;
    hal_secrets secrets;
    void (*words)(char *out, size_t size, hal_slice body);
    char *source;
    int64_t expect_bytes;
    char expect_sha256[HAL_SHA256_TEXT_SIZE]; /* "" when unknown */
    bool replace, verify;
    hal_download_done done;
    void *ctx;
    hal_alarm end;

    /* loop half */
    hal_exchange *x;
    int n_work;
    bool waiting; /* another download of the same path is under way */
    bool ending;
    hal_download_result result;
    uint64_t offset; /* bytes taken from the network, resumed ones included */
    int64_t total;   /* as the server says; < 0: unknown */
    char etag[256];  /* strong, or "" */
    bool asked_range, start_over;
    bool keep_part; /* when it fails */
    int restarts;
    int64_t agreed_length; /* server's length that contradicted expect_bytes once */
    struct work *filling;
    int n_chunks;
    bool starved;

    /* strand half; the loop reads `found`, `found_*` after the opening is done */
    int parent_fd, fd;
    const char *name;
    char part[HAL_COMPONENT_MAX_BYTES + 16], info[HAL_COMPONENT_MAX_BYTES + 16];
    bool may_replace;
    hal_sha256 *digest;
    uint64_t written;
    bool broken; /* a piece of work failed: the rest is void */
    found found;
    hal_file_record found_record;
};

typedef struct work {
    hal_download *d;
    hal_status (*run)(struct work *w);
    void (*then)(struct work *w); /* loop thread */
    hal_err err;
    hal_file_record record; /* publish */
    char etag[256];         /* begin, publish */
    int64_t total;          /* begin */
    bool suspicious;        /* publish */
    bool spoiled;           /* publish: the part cannot be resumed */
    size_t n_bytes;         /* write */
    char bytes[];
} work;

/* --- strand half ------------------------------------------------------------------------------ */

static hal_status hash_file(hal_sha256 *digest, int fd, char out[HAL_SHA256_TEXT_SIZE],
                            uint64_t *n_bytes, hal_err *err)
{
    char *block = hal_malloc(CHUNK_BYTES);
    if (!block)
        return hal_err_nomem(err, CHUNK_BYTES);
    hal_status st = hal_sha256_reset(digest, err);
    *n_bytes = 0;
    while (!st) {
        ssize_t got = pread(fd, block, CHUNK_BYTES, (off_t)*n_bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            st = hal_err_errno(err, errno, "cannot read back a file");
        if (got <= 0)
            break;
        *n_bytes += (uint64_t)got;
        st = hal_sha256_add(digest, block, (size_t)got, err);
    }
    hal_free(block);
    if (!st && out)
        st = hal_sha256_text(digest, out, err);
    return st;
}

static hal_status hash_existing(hal_download *d, char out[HAL_SHA256_TEXT_SIZE], hal_err *err)
{
    uint64_t n;
    int fd = openat(d->parent_fd, d->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return hal_err_errno(err, errno, "cannot read %s", d->path);
    hal_status st = hash_file(d->digest, fd, out, &n, err);
    close(fd);
    return st;
}

static bool is_expected(const hal_download *d, const char *sha256)
{
    return !d->expect_sha256[0] || !strcasecmp(d->expect_sha256, sha256);
}

/* A size that the catalogue gave then and gives now was stale then, too: the server's won. */
static bool is_right_size(const hal_download *d, const hal_file_record *record)
{
    return d->expect_bytes < 0 || d->expect_bytes == (int64_t)record->bytes ||
           d->expect_bytes == record->catalogue_bytes;
}

/* What a file under the final name means: ours and whole, ours and to be fetched again, or somebody
 * else's (fault matrix D8, D9). */
static hal_status judge_existing(hal_download *d, const hal_entry *entry, hal_err *err)
{
    hal_file_record record = {0};
    bool known = hal_folder_find(d->folder, d->path, &record);
    bool same_bytes = known && record.bytes == entry->bytes;
    bool same = same_bytes && record.mtime_ns == entry->mtime_ns;
    if (known && !d->expect_sha256[0] && !d->replace) {
        hal_status st = hal_folder_check_source(d->folder, d->path, d->source, err);
        if (st)
            return st;
    }
    bool wanted =
        known && is_expected(d, record.sha256) && is_right_size(d, &record) &&
        (d->expect_sha256[0] || !hal_folder_check_source(d->folder, d->path, d->source, NULL));
    if (same && wanted && !d->verify) {
        d->found = FOUND_WHOLE;
        d->found_record = record;
        return HAL_OK;
    }
    if ((same_bytes && wanted) || (!known && d->expect_sha256[0])) {
        hal_file_record now = {.bytes = entry->bytes,
                               .mtime_ns = entry->mtime_ns,
                               .catalogue_bytes = known ? record.catalogue_bytes : d->expect_bytes};
        hal_status st = hash_existing(d, now.sha256, err);
        if (st)
            return st;
        if (!strcmp(now.sha256, record.sha256) || (!known && is_expected(d, now.sha256))) {
            d->found = FOUND_WHOLE;
            d->found_record = now;
            return same ? HAL_OK : hal_folder_record(d->folder, d->path, &now, d->source, "", err);
        }
    }
    d->may_replace = d->replace || same;
    if (d->may_replace)
        return HAL_OK;
    return hal_err_set(err, HAL_E_IO,
                       known
                           ? "%s/%s was changed after it was downloaded; move it away or ask for "
                             "replace"
                           : "%s/%s is there already and was not downloaded by this program; move "
                             "it away or ask for replace",
                       hal_folder_dir(d->folder), d->path);
}

/* What a part holds after a power loss is not known; another boot means that one may have happened.
 */
static void read_boot_id(char out[40])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, out, 36);
    if (fd >= 0)
        close(fd);
    out[n == 36 ? 36 : 0] = '\0';
}

/* "boot TAB total TAB etag TAB url" */
static bool read_info(hal_download *d)
{
    enum { INFO_MAX = 70000 };
    char boot[40], *text = hal_calloc(1, INFO_MAX);
    int fd = openat(d->parent_fd, d->info, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 || !text ? 0 : read(fd, text, INFO_MAX - 1);
    if (fd >= 0)
        close(fd);
    read_boot_id(boot);
    int64_t total = -1;
    char etag[256], info_boot[40];
    int at = -1;
    bool good =
        n > 0 && boot[0] &&
        sscanf(text, "%36s\t%" SCNd64 "\t%255[^\t]\t%n", info_boot, &total, etag, &at) == 3 &&
        at > 0 && !strcmp(info_boot, boot) && !strcmp(text + at, d->url) &&
        hal_header_is_strong_etag(hal_slice_of(etag));
    if (good) {
        snprintf(d->etag, sizeof d->etag, "%s", etag);
        d->total = total;
    }
    hal_free(text);
    return good;
}

static void write_info(hal_download *d, const work *w)
{
    char boot[40];
    read_boot_id(boot);
    if (!w->etag[0] || !boot[0] || (w->total >= 0 && w->total < RESUME_MIN_BYTES))
        return;
    hal_buf text;
    hal_buf_init(&text, 70000 - 1);
    int fd =
        openat(d->parent_fd, d->info, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    /* without it the part is not resumed, which is safe */
    if (fd >= 0 &&
        (hal_buf_printf(&text, NULL, "%s\t%" PRId64 "\t%s\t%s", boot, w->total, w->etag, d->url) ||
         write(fd, text.data, text.size_bytes) != (ssize_t)text.size_bytes))
        unlinkat(d->parent_fd, d->info, 0);
    if (fd >= 0)
        close(fd);
    hal_buf_clear(&text);
}

static hal_status start_part(hal_download *d, hal_err *err)
{
    unlinkat(d->parent_fd, d->info, 0);
    if (ftruncate(d->fd, 0))
        return hal_err_errno(err, errno, "cannot empty %s", d->part);
    d->written = 0;
    return hal_sha256_reset(d->digest, err);
}

static hal_status look_at_part(hal_download *d, hal_err *err)
{
    hal_entry part;
    hal_file_record record;
    hal_status st = hal_entry_of_fd(d->fd, &part, err);
    if (st || part.bytes == 0)
        return st ? st : start_part(d, err);
    if (hal_folder_find(d->folder, d->path, &record) && record.bytes == part.bytes &&
        record.mtime_ns == part.mtime_ns && is_expected(d, record.sha256) &&
        is_right_size(d, &record) &&
        !hal_folder_check_source(d->folder, d->path, d->source, NULL)) {
        char sha256[HAL_SHA256_TEXT_SIZE];
        st = hash_file(d->digest, d->fd, sha256, &d->written, err);
        if (!st && !strcmp(sha256, record.sha256)) {
            d->found = FOUND_PART_WHOLE;
            d->found_record = record;
            return HAL_OK;
        }
        return st ? st : start_part(d, err);
    }
    if (!read_info(d))
        return start_part(d, err);
    d->found = FOUND_PART;
    return hash_file(d->digest, d->fd, NULL, &d->written, err);
}

static hal_status run_open(work *w)
{
    hal_download *d = w->d;
    hal_entry entry;
    hal_status st = hal_folder_open(d->folder, &w->err);
    if (!st)
        st = hal_folder_enter(d->folder, d->path, &d->parent_fd, &d->name, &w->err);
    if (!st && !(d->digest = hal_sha256_new(&w->err)))
        st = w->err.status;
    if (!st)
        st = hal_entry_look(d->parent_fd, d->name, &entry, &w->err);
    if (st)
        return st;
    if (entry.kind == HAL_ENTRY_OTHER)
        return hal_err_set(&w->err, HAL_E_IO, "%s/%s is not a regular file; move it away",
                           hal_folder_dir(d->folder), d->path);
    if (entry.kind == HAL_ENTRY_FILE)
        st = judge_existing(d, &entry, &w->err);
    if (st || d->found == FOUND_WHOLE)
        return st;
    snprintf(d->part, sizeof d->part, ".%s.part", d->name);
    snprintf(d->info, sizeof d->info, ".%s.part.info", d->name);
    st = hal_entry_open_alone(d->parent_fd, d->part, &d->fd, &w->err);
    if (st)
        return hal_err_note(&w->err, st, "%s/%s", hal_folder_dir(d->folder), d->path);
    return look_at_part(d, &w->err);
}

static hal_status run_begin(work *w)
{
    hal_status st = start_part(w->d, &w->err);
    if (!st)
        write_info(w->d, w);
    return st;
}

static hal_status run_write(work *w)
{
    hal_download *d = w->d;
    for (size_t at = 0; at < w->n_bytes;) {
        ssize_t n = pwrite(d->fd, w->bytes + at, w->n_bytes - at, (off_t)(d->written + at));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return hal_err_errno(&w->err, errno,
                                 "cannot write %s/%s after %" PRIu64
                                 " bytes; make room and run again",
                                 hal_folder_dir(d->folder), d->path, d->written + at);
        at += (size_t)n;
    }
    d->written += w->n_bytes;
    return hal_sha256_add(d->digest, w->bytes, w->n_bytes, &w->err);
}

/* FITS 4.0 section 3.1: whole blocks of 2880 bytes, the first card is SIMPLE (fault matrix D11). */
static bool is_suspicious(const hal_download *d)
{
    size_t n = strlen(d->name);
    bool fits = (n > 5 && !strcasecmp(d->name + n - 5, ".fits")) ||
                (n > 4 && !strcasecmp(d->name + n - 4, ".fit"));
    char card[9] = "";
    if (!fits)
        return false;
    return d->written % FITS_BLOCK_BYTES != 0 || pread(d->fd, card, 9, 0) != 9 ||
           memcmp(card, "SIMPLE  =", 9) != 0;
}

static hal_status run_publish(work *w)
{
    hal_download *d = w->d;
    hal_entry entry;
    hal_status st = HAL_OK;
    if (d->found == FOUND_PART_WHOLE)
        memcpy(w->record.sha256, d->found_record.sha256, sizeof w->record.sha256);
    else
        st = hal_sha256_text(d->digest, w->record.sha256, &w->err);
    if (st)
        return st;
    if (!is_expected(d, w->record.sha256)) {
        w->spoiled = true;
        return hal_err_set(&w->err, HAL_E_INTEGRITY,
                           "%s: SHA-256 is %s, %s was expected; the file is damaged on the way or "
                           "the catalogue is out of date",
                           d->path, w->record.sha256, d->expect_sha256);
    }
    if (fsync(d->fd)) {
        w->spoiled = true; /* L6: what the disk holds now is not known */
        return hal_err_errno(&w->err, errno, "cannot save %s/%s", hal_folder_dir(d->folder),
                             d->path);
    }
    st = hal_entry_of_fd(d->fd, &entry, &w->err);
    if (st)
        return st;
    if (entry.bytes != d->written) {
        w->spoiled = true;
        return hal_err_set(&w->err, HAL_E_INTEGRITY, "%s was changed while it was being written",
                           d->part);
    }
    w->suspicious = is_suspicious(d);
    w->record.bytes = entry.bytes;
    w->record.mtime_ns = entry.mtime_ns;
    w->record.catalogue_bytes = d->expect_bytes;
    st = hal_folder_record(d->folder, d->path, &w->record, d->source, w->etag, &w->err);
    if (!st)
        st = hal_entry_rename(d->parent_fd, d->part, d->name, d->may_replace, &w->err);
    if (!st)
        unlinkat(d->parent_fd, d->info, 0);
    return st;
}

/* --- work between the halves ------------------------------------------------------------------ */

static void run_work(void *ctx)
{
    work *w = ctx;
    hal_download *d = w->d;
    if (d->broken) {
        hal_err_set(&w->err, HAL_E_CANCELLED, "an earlier step failed");
        return;
    }
    hal_status st = w->run(w);
    if (st) {
        w->err.status = st;
        /* a wrong digest is answered by beginning again, on this strand */
        d->broken = st != HAL_E_INTEGRITY;
    }
}

static void end_when_idle(hal_download *d)
{
    if (d->ending && !d->x && d->n_work == 0)
        hal_alarm_set(d->loop, &d->end, hal_loop_now_ns(d->loop));
}

/* `why` NULL: success. The first end stands. */
static void end_with(hal_download *d, const hal_err *why)
{
    if (!d->ending) {
        d->ending = true;
        if (why)
            d->result.err = *why;
        if (d->x)
            hal_exchange_cancel(d->x);
    }
    end_when_idle(d);
}

static void work_done(void *ctx)
{
    work *w = ctx;
    hal_download *d = w->d;
    d->n_work--;
    if (w->then)
        w->then(w);
    else if (w->err.status)
        end_with(d, &w->err);
    hal_free(w);
    end_when_idle(d);
}

static work *new_work(hal_download *d, hal_status (*run)(work *w), void (*then)(work *w),
                      size_t extra, hal_err *err)
{
    work *w = hal_malloc(sizeof *w + extra);
    if (!w) {
        hal_err_nomem(err, sizeof *w + extra);
        return NULL;
    }
    *w = (work){.d = d, .run = run, .then = then, .err = HAL_ERR_INIT, .total = -1};
    return w;
}

static hal_status post(work *w, hal_err *err)
{
    hal_download *d = w->d;
    hal_pool *pool = d->loop->closing ? NULL : hal_loop_pool(d->loop, err);
    hal_status st =
        pool ? hal_pool_post(pool, d->strand, run_work, work_done, w, err) : HAL_E_CANCELLED;
    if (st)
        hal_free(w);
    else
        d->n_work++;
    return st;
}

/* --- loop half -------------------------------------------------------------------------------- */

static void ask(hal_download *d);

static void drop_filling(hal_download *d)
{
    hal_free(d->filling);
    d->filling = NULL;
}

/* From zero, a limited number of times (fault matrix section 2, class integrity). */
static void start_over(hal_download *d, const hal_err *why)
{
    if (d->restarts >= RESTARTS_MAX) {
        d->keep_part = false;
        end_with(d, why);
        return;
    }
    d->restarts++;
    d->start_over = d->keep_part = false;
    d->offset = 0;
    d->etag[0] = '\0';
    d->total = -1;
    drop_filling(d);
    ask(d);
}

static void published(work *w)
{
    hal_download *d = w->d;
    d->keep_part = !w->spoiled;
    if (w->err.status == HAL_E_INTEGRITY) {
        start_over(d, &w->err);
        return;
    }
    if (w->err.status) {
        end_with(d, &w->err);
        return;
    }
    d->result.bytes = w->record.bytes;
    memcpy(d->result.sha256, w->record.sha256, sizeof d->result.sha256);
    if (w->suspicious && !d->result.warning[0])
        snprintf(d->result.warning, sizeof d->result.warning,
                 "does not look like a FITS file (blocks of 2880 bytes, SIMPLE first)");
    end_with(d, NULL);
}

static hal_status flush(hal_download *d, hal_err *err)
{
    work *w = d->filling;
    d->filling = NULL;
    if (!w || !w->n_bytes) {
        hal_free(w);
        return HAL_OK;
    }
    hal_status st = post(w, err);
    if (!st)
        d->n_chunks++;
    return st;
}

static void publish(hal_download *d)
{
    hal_err err = HAL_ERR_INIT;
    hal_status st = flush(d, &err);
    work *w = st ? NULL : new_work(d, run_publish, published, 0, &err);
    if (w)
        snprintf(w->etag, sizeof w->etag, "%s", d->etag);
    if (!w || post(w, &err))
        end_with(d, &err);
}

static void chunk_written(work *w)
{
    hal_download *d = w->d;
    d->n_chunks--;
    if (w->err.status) {
        end_with(d, &w->err);
    } else if (d->starved && d->x) {
        d->starved = false;
        hal_exchange_resume(d->x);
    }
}

static bool resume_from(void *ctx, uint64_t *offset, const char **etag)
{
    hal_download *d = ctx;
    d->asked_range = d->offset > 0 && d->etag[0];
    *offset = d->offset;
    *etag = d->etag;
    return d->asked_range;
}

/* The rest that was asked for and nothing else: libcurl reports any 206 as success (D1, D4). */
static bool is_our_rest(const hal_download *d, const hal_outcome *answer)
{
    hal_content_range r;
    return d->asked_range && hal_header_content_range(hal_slice_of(answer->content_range), &r) &&
           r.first >= 0 && (uint64_t)r.first == d->offset &&
           (r.total < 0 || r.last == r.total - 1) &&
           (r.total < 0 || d->total < 0 || r.total == d->total) &&
           (answer->content_length < 0 || answer->content_length == r.last - r.first + 1) &&
           (!answer->etag[0] || !strcmp(answer->etag, d->etag));
}

static hal_status on_begin(void *ctx, int http_status, hal_err *err)
{
    hal_download *d = ctx;
    const hal_outcome *answer = hal_exchange_answer(d->x);
    if (http_status == 206) {
        hal_content_range r;
        if (!is_our_rest(d, answer)) {
            d->start_over = true;
            return hal_err_set(err, HAL_E_INTEGRITY,
                               "the server sent another part of the file than was asked for");
        }
        if (hal_header_content_range(hal_slice_of(answer->content_range), &r))
            d->total = r.total >= 0 ? r.total : r.last + 1;
        return HAL_OK;
    }
    if (http_status != 200 && http_status != 203)
        return hal_err_set(err, HAL_E_PROTOCOL, "HTTP %d where a file was expected", http_status);
    drop_filling(d);
    d->offset = 0;
    d->total = answer->content_length;
    bool strong = hal_header_is_strong_etag(hal_slice_of(answer->etag));
    snprintf(d->etag, sizeof d->etag, "%s", strong ? answer->etag : "");
    work *w = new_work(d, run_begin, NULL, 0, err);
    if (!w)
        return HAL_E_NOMEM;
    snprintf(w->etag, sizeof w->etag, "%s", d->etag);
    w->total = d->total;
    return post(w, err);
}

static bool wants_html(const hal_download *d)
{
    size_t n = strlen(d->path);
    return (n > 5 && !strcasecmp(d->path + n - 5, ".html")) ||
           (n > 4 && !strcasecmp(d->path + n - 4, ".htm"));
}

static hal_status on_write(void *ctx, const char *bytes, size_t n, hal_err *err)
{
    hal_download *d = ctx;
    if (d->offset == 0 && !wants_html(d) && hal_header_is_html((hal_slice){bytes, n})) {
        char text[160];
        hal_header_clean(text, sizeof text, (hal_slice){bytes, n});
        hal_err_set(err, HAL_E_PROTOCOL, "an HTML page came where a file was asked for: %s", text);
        err->retryable = true; /* pages about maintenance pass (N26) */
        return HAL_E_PROTOCOL;
    }
    if (d->n_chunks >= CHUNKS_MAX) {
        d->starved = true;
        return HAL_E_BUSY;
    }
    while (n) {
        work *w = d->filling;
        if (!w && !(w = d->filling = new_work(d, run_write, chunk_written, CHUNK_BYTES, err)))
            return HAL_E_NOMEM;
        size_t take = n < CHUNK_BYTES - w->n_bytes ? n : CHUNK_BYTES - w->n_bytes;
        memcpy(w->bytes + w->n_bytes, bytes, take);
        w->n_bytes += take;
        d->offset += take;
        bytes += take;
        n -= take;
        hal_status st = w->n_bytes == CHUNK_BYTES ? flush(d, err) : HAL_OK;
        if (st)
            return st;
    }
    return HAL_OK;
}

/* The server's word against the catalogue's (fault matrix D7, N11, N27). */
static bool length_is_good(hal_download *d, hal_err *err)
{
    int64_t got = (int64_t)d->offset;
    if (d->total >= 0 && got != d->total) {
        hal_err_set(err, HAL_E_INTEGRITY,
                    "%s: %" PRId64 " bytes came, the server announced %" PRId64, d->path, got,
                    d->total);
        return false;
    }
    if (d->expect_bytes < 0 && got == 0 && !d->expect_sha256[0]) {
        hal_err_set(err, HAL_E_PROTOCOL, "%s: the server sent an empty file; try again later",
                    d->path);
        return false;
    }
    if (d->total < 0 && d->expect_bytes < 0 && !d->expect_sha256[0])
        snprintf(d->result.warning, sizeof d->result.warning,
                 "unverified: neither the server nor the catalogue states its length");
    if (d->expect_bytes < 0 || got == d->expect_bytes)
        return true;
    if (d->total >= 0 && d->agreed_length == d->total) {
        d->result.size_mismatch_accepted = true;
        snprintf(d->result.warning, sizeof d->result.warning,
                 "the catalogue says %" PRId64 " bytes, the server twice %" PRId64, d->expect_bytes,
                 got);
        return true;
    }
    d->agreed_length = d->total;
    hal_err_set(err, HAL_E_INTEGRITY,
                "%s: %" PRId64 " bytes came, the catalogue says %" PRId64 "; try again later",
                d->path, got, d->expect_bytes);
    return false;
}

/* As write_info decided: without its note a part cannot be resumed by a later run. */
static bool is_resumable(const hal_download *d)
{
    return d->offset > 0 && d->etag[0] && (d->total < 0 || d->total >= RESUME_MIN_BYTES);
}

static void on_exchange_done(void *ctx, const hal_outcome *outcome)
{
    hal_download *d = ctx;
    hal_err err = outcome->err, ignored = HAL_ERR_INIT;
    hal_content_range r;
    d->x = NULL;
    d->result.tries += outcome->tries;
    d->result.wire_bytes += outcome->wire_bytes;
    if (d->ending) { /* cancelled, or the disk failed */
        d->keep_part = is_resumable(d);
        drop_filling(d);
        end_when_idle(d);
    } else if (!err.status) {
        if (length_is_good(d, &err))
            publish(d);
        else
            start_over(d, &err);
    } else if (outcome->http_status == 416 && d->asked_range) { /* D3 */
        bool whole = d->expect_sha256[0] &&
                     hal_header_content_range(hal_slice_of(outcome->content_range), &r) &&
                     r.first < 0 && (uint64_t)r.total == d->offset;
        if (whole)
            publish(d);
        else
            start_over(d, &err);
    } else if (d->start_over) {
        start_over(d, &err);
    } else {
        d->keep_part = is_resumable(d);
        if (flush(d, &ignored)) { /* a shorter part is as good */
        }
        end_with(d, &err);
    }
}

static void ask(hal_download *d)
{
    hal_err err = HAL_ERR_INIT;
    hal_request request = {.url = d->url,
                           .repeatable = true,
                           .deadline_ms = deadline_ms,
                           .words = d->words,
                           .secrets = d->secrets.may_go ? &d->secrets : NULL};
    hal_sink sink = {on_begin, on_write, NULL, d};
    hal_resume resume = {resume_from, d};
    d->x =
        hal_exchange_start_resuming(d->loop, &request, &sink, &resume, on_exchange_done, d, &err);
    if (!d->x)
        end_with(d, &err);
}

static void opened(work *w)
{
    hal_download *d = w->d;
    d->keep_part = d->found == FOUND_PART || d->found == FOUND_PART_WHOLE;
    if (w->err.status) {
        end_with(d, &w->err);
    } else if (d->ending) {
        return;
    } else if (d->found == FOUND_WHOLE) {
        d->result.skipped = true;
        d->result.bytes = d->found_record.bytes;
        memcpy(d->result.sha256, d->found_record.sha256, sizeof d->result.sha256);
        end_with(d, NULL);
    } else if (d->found == FOUND_PART_WHOLE) {
        d->result.skipped = true;
        publish(d);
    } else {
        if (d->found == FOUND_PART)
            d->offset = d->written;
        ask(d);
    }
}

static void close_file(hal_download *d)
{
    if (d->fd >= 0) {
        if (d->result.err.status && !d->keep_part) {
            unlinkat(d->parent_fd, d->info, 0);
            unlinkat(d->parent_fd, d->part, 0);
        }
        close(d->fd);
    }
    if (d->parent_fd >= 0)
        close(d->parent_fd);
    d->fd = d->parent_fd = -1;
}

static void free_download(hal_download *d)
{
    hal_alarm_clear(d->loop, &d->end);
    drop_filling(d);
    hal_strand_free(d->strand);
    hal_sha256_free(d->digest);
    hal_folder_unref(d->folder);
    hal_secrets_wipe(&d->secrets);
    hal_free(d->url);
    hal_free(d->source);
    hal_free(d->path);
    hal_free(d);
}

static bool is_same_file(const hal_download *a, const hal_download *b)
{
    return a->folder == b->folder && !strcmp(a->path, b->path);
}

static hal_status open_file(hal_download *d, hal_err *err)
{
    d->waiting = false;
    work *w = new_work(d, run_open, opened, 0, err);
    return w ? post(w, err) : HAL_E_NOMEM;
}

/* The list has the latest first: the one that waited longest is the last of its kind. */
static void let_next_go(const hal_download *gone)
{
    hal_err err = HAL_ERR_INIT;
    hal_download *next = NULL;
    for (hal_download *d = gone->loop->downloads; d; d = d->next)
        if (d->waiting && !d->ending && is_same_file(d, gone))
            next = d;
    if (next && open_file(next, &err))
        end_with(next, &err);
}

static void finish(void *ctx)
{
    hal_download *d = ctx;
    *(d->prev ? &d->prev->next : &d->loop->downloads) = d->next;
    if (d->next)
        d->next->prev = d->prev;
    bool was_waiting = d->waiting;
    hal_download_result result = d->result;
    hal_download_done done = d->done;
    void *done_ctx = d->ctx;
    close_file(d);
    if (!was_waiting)
        let_next_go(d);
    free_download(d);
    done(done_ctx, &result);
}

void hal_download_cancel(hal_download *d)
{
    hal_err err = HAL_ERR_INIT;
    hal_err_set(&err, HAL_E_CANCELLED, "the download was cancelled");
    end_with(d, &err);
}

void hal_downloads_cancel(hal_loop *loop)
{
    for (hal_download *d = loop->downloads; d; d = d->next) {
        hal_download_cancel(d);
        hal_strand_free(d->strand); /* its work still runs */
        d->strand = NULL;
    }
}

void hal_downloads_end(hal_loop *loop)
{
    while (loop->downloads)
        finish(loop->downloads);
    for (size_t i = 0; i < loop->n_folders; i++)
        hal_folder_unref(loop->folders[i]);
    hal_free(loop->folders);
    loop->folders = NULL;
    loop->n_folders = 0;
}

/* One object for all downloads into a folder, so that its state is read once. */
static hal_folder *folder_of(hal_loop *loop, const char *dir, hal_err *err)
{
    for (size_t i = 0; i < loop->n_folders; i++)
        if (!strcmp(hal_folder_dir(loop->folders[i]), dir)) {
            hal_folder_ref(loop->folders[i]);
            return loop->folders[i];
        }
    if (loop->n_folders == FOLDERS_MAX) {
        hal_err_set(err, HAL_E_BUDGET, "more than %d output folders", FOLDERS_MAX);
        return NULL;
    }
    hal_folder **folders =
        hal_realloc(loop->folders, (loop->n_folders + 1) * sizeof *loop->folders);
    if (!folders) {
        hal_err_nomem(err, sizeof *folders);
        return NULL;
    }
    loop->folders = folders;
    hal_folder *folder = hal_folder_new(dir, err);
    if (folder) {
        folders[loop->n_folders++] = folder;
        hal_folder_ref(folder);
    }
    return folder;
}

/* A source that does not fit into a record by its SHA-256. */
static hal_status take_source(hal_download *d, const char *source, hal_err *err)
{
    size_t n = strlen(source);
    bool plain = n <= HAL_SOURCE_MAX_BYTES;
    for (size_t i = 0; i < n && plain; i++)
        plain = (unsigned char)source[i] >= 0x20 && source[i] != 0x7f;
    if (plain)
        return (d->source = hal_strdup(source)) ? HAL_OK : hal_err_nomem(err, n);
    d->source = hal_malloc(HAL_SHA256_TEXT_SIZE);
    hal_sha256 *digest = d->source ? hal_sha256_new(err) : NULL;
    hal_status st = digest ? hal_sha256_add(digest, source, n, err) : HAL_E_NOMEM;
    if (!st)
        st = hal_sha256_text(digest, d->source, err);
    hal_sha256_free(digest);
    return st;
}

static hal_status prepare(hal_download *d, const hal_download_request *r, hal_err *err)
{
    hal_loop *loop = d->loop;
    if (loop->closing)
        return hal_err_set(err, HAL_E_CANCELLED, "the run is ending");
    if (!r->url || !r->dir || !r->dir[0])
        return hal_err_set(err, HAL_E_USAGE, "a download needs a URL and an output folder");
    hal_status st = hal_folder_check_path(r->path, err);
    if (st)
        return st;
    if (r->expect_sha256) {
        size_t n = strspn(r->expect_sha256, "0123456789abcdefABCDEF");
        if (n != 64 || r->expect_sha256[n])
            return hal_err_set(err, HAL_E_USAGE, "a SHA-256 has 64 hexadecimal digits");
        memcpy(d->expect_sha256, r->expect_sha256, sizeof d->expect_sha256);
    }
    st = take_source(d, r->source ? r->source : r->url, err);
    if (st)
        return st;
    if (r->secrets && (st = hal_secrets_copy(&d->secrets, r->secrets, err)))
        return st;
    d->url = hal_strdup(r->url);
    d->path = hal_strdup(r->path);
    if (!d->url || !d->path)
        return hal_err_nomem(err, strlen(r->url));
    hal_pool *pool = hal_loop_pool(loop, err);
    if (!pool || !(d->strand = hal_strand_new(pool, err)) ||
        !(d->folder = folder_of(loop, r->dir, err)))
        return HAL_E_NOMEM;
    return hal_alarm_init(loop, &d->end, finish, d, err);
}

hal_download *hal_download_start(hal_loop *loop, const hal_download_request *request,
                                 hal_download_done done, void *ctx, hal_err *err)
{
    hal_download *d = hal_calloc(1, sizeof *d);
    if (!d) {
        hal_err_nomem(err, sizeof *d);
        return NULL;
    }
    d->loop = loop;
    d->expect_bytes = request->expect_bytes;
    d->replace = request->replace;
    d->verify = request->verify;
    d->words = request->words;
    d->done = done;
    d->ctx = ctx;
    d->result.err = HAL_ERR_INIT;
    d->total = d->agreed_length = -1;
    d->parent_fd = d->fd = -1;
    hal_status st = prepare(d, request, err);
    for (const hal_download *other = loop->downloads; !st && other; other = other->next)
        d->waiting = d->waiting || is_same_file(d, other);
    if (!st && !d->waiting)
        st = open_file(d, err);
    if (st) {
        free_download(d);
        return NULL;
    }
    d->next = loop->downloads;
    if (d->next)
        d->next->prev = d;
    loop->downloads = d;
    return d;
}
