/* SPDX-License-Identifier: BSD-3-Clause */
/* The strand's half of a download: the file, its part, the digest and the folder's record. */
#include "net/download_impl.h"

#include "base/alloc.h"
#include "base/read.h"
#include "base/write.h"
#include "net/header.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

enum {
    PREFIX_DIGITS = 20, /* of UINT64_MAX */
    INFO_MAX = 512,     /* of a part's note */
};

typedef hal_download_work work;

static hal_status hash_file(hal_sha256 *digest, int fd, char out[HAL_SHA256_TEXT_SIZE],
                            uint64_t *n_bytes, hal_err *err)
{
    char *block = hal_malloc(HAL_CHUNK_BYTES);
    if (!block)
        return hal_err_nomem(err, HAL_CHUNK_BYTES);
    hal_status st = hal_sha256_reset(digest, err);
    *n_bytes = 0;
    ssize_t got = 0;
    while (!st && (got = hal_read_at(fd, block, HAL_CHUNK_BYTES, *n_bytes)) > 0) {
        *n_bytes += (uint64_t)got;
        st = hal_sha256_add(digest, block, (size_t)got, err);
    }
    if (got < 0)
        st = hal_err_errno(err, errno, "cannot read back a file");
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
    hal_file_line line = {.etag = ""};
    bool known = hal_folder_find_line(d->folder, d->path, &line);
    const hal_file_record record = line.record;
    bool same_bytes = known && record.bytes == entry->bytes;
    bool same = same_bytes && record.mtime_ns == entry->mtime_ns;
    if (known && !d->expect_sha256[0] && !d->replace) {
        hal_status st = hal_folder_check_source(d->folder, d->path, d->source, err);
        if (st)
            return st;
    }
    bool same_source = known && !strcmp(line.source, d->source);
    bool wanted = known && is_expected(d, record.sha256) && is_right_size(d, &record) &&
                  (d->expect_sha256[0] || same_source);
    if (same && wanted && !d->verify) {
        d->found = HAL_FOUND_WHOLE;
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
            d->found = HAL_FOUND_WHOLE;
            d->found_record = now;
            if (!same)
                st = hal_folder_record(d->folder, d->path, &now, d->source,
                                       same_source ? line.etag : "", err);
            if (!same && !st)
                st = hal_folder_save(d->folder, err);
            return st;
        }
    }
    d->may_replace = d->replace || same;
    if (d->may_replace)
        return HAL_OK;
    return hal_err_set(err, HAL_E_IO,
                       known
                           ? "%s/%s was changed after it was downloaded; move it away or ask for "
                             "existing = \"replace\""
                           : "%s/%s is there already and was not downloaded by this program; move "
                             "it away or ask for existing = \"replace\"",
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

/* How much is without a gap, when bytes lie behind one. It is only noted once they are written, and
 * before any that lie further on: a kill leaves less noted than is there, never more. */
static void note_prefix(hal_download *d)
{
    char text[PREFIX_DIGITS + 1];
    if (!d->has_info)
        return;
    if (d->info_fd < 0)
        d->info_fd = openat(d->parent_fd, d->info, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    snprintf(text, sizeof text, "%0*" PRIu64, PREFIX_DIGITS, d->written);
    if (d->info_fd < 0 || pwrite(d->info_fd, text, PREFIX_DIGITS, 0) != PREFIX_DIGITS) {
        unlinkat(d->parent_fd, d->info, 0); /* not resumed then, which is safe */
        d->has_info = false;
    }
    d->notes_prefix = true;
}

/* "prefix TAB boot TAB total TAB etag TAB url", the prefix with all its digits: as many bytes of
 * the part count at most; the URL by its SHA-256, since it may hold a secret. */
static bool read_info(hal_download *d, uint64_t *prefix)
{
    char boot[40], url[HAL_SHA256_TEXT_SIZE], text[INFO_MAX];
    int fd = openat(d->parent_fd, d->info, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    read_boot_id(boot);
    int64_t total = -1;
    char etag[256], info_boot[40];
    int at = -1;
    bool good = n > 0 && boot[0] &&
                sscanf(text, "%" SCNu64 "\t%36s\t%" SCNd64 "\t%255[^\t]\t%n", prefix, info_boot,
                       &total, etag, &at) == 4 &&
                at > 0 && !strcmp(info_boot, boot) && !hal_sha256_of(d->url, url, NULL) &&
                !strcmp(text + at, url) && hal_header_is_strong_etag(hal_slice_of(etag));
    if (good) {
        snprintf(d->etag, sizeof d->etag, "%s", etag);
        d->total = total;
    }
    return good;
}

static void write_info(hal_download *d, const work *w)
{
    char boot[40], url[HAL_SHA256_TEXT_SIZE], text[INFO_MAX];
    if (!w->etag[0] || (w->total >= 0 && (w->total < HAL_RESUME_MIN_BYTES ||
                                          (int64_t)w->n_bytes == w->total))) /* all at once */
        return;
    read_boot_id(boot);
    if (!boot[0] || hal_sha256_of(d->url, url, NULL))
        return;
    /* One that has a sum to be compared is not whole by its length: the server is asked again. */
    int n = snprintf(text, sizeof text, "%0*" PRIu64 "\t%s\t%" PRId64 "\t%s\t%s", PREFIX_DIGITS,
                     UINT64_MAX, boot, w->has_sum ? -1 : w->total, w->etag, url);
    int fd =
        openat(d->parent_fd, d->info, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    d->has_info = fd >= 0;
    /* without it the part is not resumed, which is safe */
    if (fd >= 0 && write(fd, text, (size_t)n) != n)
        unlinkat(d->parent_fd, d->info, 0);
    if (fd >= 0)
        close(fd);
}

/* `bytes`: of the part as it is. */
static hal_status start_part(hal_download *d, uint64_t bytes, hal_err *err)
{
    unlinkat(d->parent_fd, d->info, 0);
    if (bytes && ftruncate(d->fd, 0))
        return hal_err_errno(err, errno, "cannot empty %s", d->part);
    d->written = 0;
    d->has_info = d->notes_prefix = false;
    d->n_extents = 0;
    if (d->info_fd >= 0)
        close(d->info_fd);
    d->info_fd = -1;
    return hal_sha256_reset(d->digest, err);
}

static hal_status look_at_part(hal_download *d, hal_entry part, hal_err *err)
{
    hal_file_line line;
    if (part.bytes == 0)
        return start_part(d, 0, err);
    const hal_file_record *record = &line.record;
    if (hal_folder_find_line(d->folder, d->path, &line) && record->bytes == part.bytes &&
        record->mtime_ns == part.mtime_ns && is_expected(d, record->sha256) &&
        is_right_size(d, record) && !strcmp(line.source, d->source)) {
        d->has_info = true; /* perhaps */
        char sha256[HAL_SHA256_TEXT_SIZE];
        hal_status st = hash_file(d->digest, d->fd, sha256, &d->written, err);
        if (!st && !strcmp(sha256, record->sha256)) {
            d->found = HAL_FOUND_PART_WHOLE;
            d->found_record = *record;
            snprintf(d->etag, sizeof d->etag, "%s", line.etag);
            return HAL_OK;
        }
        return st ? st : start_part(d, part.bytes, err);
    }
    uint64_t prefix = 0;
    if (!read_info(d, &prefix) || !prefix)
        return start_part(d, part.bytes, err);
    if (prefix < part.bytes && ftruncate(d->fd, (off_t)prefix))
        return hal_err_errno(err, errno, "cannot cut %s", d->part);
    d->found = HAL_FOUND_PART;
    d->has_info = true;
    d->notes_prefix = prefix != UINT64_MAX;
    return hash_file(d->digest, d->fd, NULL, &d->written, err);
}

static hal_status open_part(hal_download *d, hal_err *err)
{
    snprintf(d->part, sizeof d->part, ".%s.part", d->name);
    snprintf(d->info, sizeof d->info, ".%s.part.info", d->name);
    hal_entry part;
    hal_status st = hal_entry_open_alone(d->parent_fd, d->part, &d->fd, &part, err);
    if (st)
        return hal_err_note(err, st, "%s/%s", hal_folder_dir(d->folder), d->path);
    return look_at_part(d, part, err);
}

hal_status hal_download_run_open_part(work *w)
{
    w->d->found = HAL_FOUND_NOTHING;
    w->d->may_replace = true;
    return open_part(w->d, &w->err);
}

hal_status hal_download_run_open(work *w)
{
    hal_download *d = w->d;
    hal_entry entry;
    hal_status st = hal_folder_open(d->folder, &w->err);
    if (!st)
        st = hal_folder_enter_shared(d->folder, d->path, &d->parent, &d->name, &w->err);
    if (!st)
        d->parent_fd = d->parent->fd;
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
    return st || d->found == HAL_FOUND_WHOLE ? st : open_part(d, &w->err);
}

/* Into the digest what the part holds up to `end`: it came before its turn. */
static hal_status hash_up_to(hal_download *d, uint64_t end, hal_err *err)
{
    char *block = hal_malloc(HAL_CHUNK_BYTES);
    hal_status st = block ? HAL_OK : hal_err_nomem(err, HAL_CHUNK_BYTES);
    while (!st && d->written < end) {
        size_t want =
            end - d->written < HAL_CHUNK_BYTES ? (size_t)(end - d->written) : HAL_CHUNK_BYTES;
        ssize_t got = hal_read_at(d->fd, block, want, d->written);
        if (got <= 0)
            st = hal_err_errno(err, got ? errno : EIO, "cannot read back %s", d->part);
        else if (!(st = hal_sha256_add(d->digest, block, (size_t)got, err)))
            d->written += (uint64_t)got;
    }
    hal_free(block);
    return st;
}

static hal_status take_in_order(hal_download *d, const work *w, hal_err *err)
{
    hal_status st = hal_sha256_add(d->digest, w->bytes, w->n_bytes, err);
    d->written += st ? 0 : w->n_bytes;
    for (int i = 0; !st && i < d->n_extents; i++)
        if (d->extents[i].first == d->written) {
            hal_extent next = d->extents[i];
            d->extents[i] = d->extents[--d->n_extents];
            st = hash_up_to(d, next.end, err);
            i = -1; /* another may follow */
        }
    return st;
}

static hal_status take_ahead(hal_download *d, uint64_t first, uint64_t end, hal_err *err)
{
    int i = 0;
    while (i < d->n_extents && d->extents[i].end != first)
        i++;
    if (i == (int)(sizeof d->extents / sizeof *d->extents))
        return hal_err_set(err, HAL_E_INTERNAL, "%s has too many gaps", d->part);
    if (i == d->n_extents)
        d->extents[d->n_extents++] = (hal_extent){.first = first};
    d->extents[i].end = end;
    return HAL_OK;
}

/* `done` bytes of the piece are written, up to `at`. */
static hal_status cannot_write(work *w, int error, uint64_t at, size_t done)
{
    const hal_download *d = w->d;
    char missing[64] = "";
    uint64_t have = d->written + done;
    for (int i = 0; i < d->n_extents; i++)
        have += d->extents[i].end - d->extents[i].first;
    if (w->total >= 0)
        snprintf(missing, sizeof missing, ", %" PRIu64 " are missing", (uint64_t)w->total - have);
    return hal_err_errno(&w->err, error,
                         "cannot write %s/%s after %" PRIu64 " bytes%s; make room and run again",
                         hal_folder_dir(d->folder), d->path, at, missing);
}

hal_status hal_download_run_write(work *w)
{
    hal_download *d = w->d;
    if (w->begins) {
        hal_status st = d->written || d->has_info ? start_part(d, d->written, &w->err) : HAL_OK;
        if (st)
            return st;
        d->found = HAL_FOUND_NOTHING;
        write_info(d, w);
    }
    uint64_t at = w->at == HAL_APPEND ? d->written : w->at;
    if (at > d->written && !d->notes_prefix)
        note_prefix(d);
    for (size_t done = 0; done < w->n_bytes;) {
        ssize_t n = pwrite(d->fd, w->bytes + done, w->n_bytes - done, (off_t)(at + done));
        if (n < 0 && hal_write_again(d->fd, errno))
            continue;
        if (n < 0)
            return cannot_write(w, errno, at + done, done);
        done += (size_t)n;
    }
    hal_status st = at == d->written ? take_in_order(d, w, &w->err)
                                     : take_ahead(d, at, at + w->n_bytes, &w->err);
    if (!st && d->notes_prefix && at <= d->written)
        note_prefix(d);
    return st;
}

/* A file that says itself that it is not whole is not taken, unless there is better proof: its
 * SHA-256, or for one that ends early the catalogue's size; for FITS the server's word is enough.
 * One that is odd is taken with a warning, but not with another size than the catalogue's (fault
 * matrix D7, D11, N11, N15). */
static hal_status check_content(work *w)
{
    hal_download *d = w->d;
    hal_status st = hal_content_look(d->fd, d->name, d->written, &d->content, d->why, &w->err);
    if (st || d->expect_sha256[0] || w->said_sha256[0])
        return st;
    bool right_size = d->expect_bytes >= 0 && (uint64_t)d->expect_bytes == d->written;
    bool has_length = w->total >= 0 || right_size || d->found == HAL_FOUND_PART_WHOLE;
    bool doubtful = d->content == HAL_CONTENT_ODD || d->content == HAL_CONTENT_SHORT;
    if (d->content == HAL_CONTENT_DAMAGED || (d->content == HAL_CONTENT_CUT && !right_size) ||
        (d->content == HAL_CONTENT_SHORT && !has_length) || (doubtful && w->stale_size)) {
        d->spoiled = true;
        return hal_err_set(&w->err, HAL_E_INTEGRITY,
                           "%s: %s (%" PRIu64 " bytes came); try again later or ask the archive",
                           d->path, d->why, d->written);
    }
    return HAL_OK;
}

/* Where nobody states a better sum. What is there is read again for it, since few servers do so. */
static hal_status check_md5(work *w)
{
    hal_download *d = w->d;
    char md5[HAL_MD5_TEXT_SIZE];
    if (!w->said_md5[0] || w->said_sha256[0] || d->expect_sha256[0])
        return HAL_OK;
    hal_status st = hal_md5_of_fd(d->fd, md5, &w->err);
    if (st || !md5[0] || !strcmp(md5, w->said_md5))
        return st;
    d->spoiled = true;
    return hal_err_set(&w->err, HAL_E_INTEGRITY,
                       "%s: MD5 is %s, the server says %s; try again later", d->path, md5,
                       w->said_md5);
}

hal_status hal_download_run_last(work *w)
{
    hal_download *d = w->d;
    hal_entry entry;
    hal_status st = hal_download_run_write(w);
    if (st)
        return st;
    hal_file_record *record = &d->record;
    d->spoiled = false;
    if (d->n_extents)
        return hal_err_set(&w->err, HAL_E_INTERNAL, "%s has a gap", d->part);
    if (d->found == HAL_FOUND_PART_WHOLE)
        memcpy(record->sha256, d->found_record.sha256, sizeof record->sha256);
    else
        st = hal_sha256_text(d->digest, record->sha256, &w->err);
    if (st)
        return st;
    if (!is_expected(d, record->sha256)) {
        d->spoiled = true;
        return hal_err_set(&w->err, HAL_E_INTEGRITY,
                           "%s: SHA-256 is %s, %s was expected; the file is damaged on the way or "
                           "the catalogue is out of date",
                           d->path, record->sha256, d->expect_sha256);
    }
    if (w->said_sha256[0] && strcmp(w->said_sha256, record->sha256) != 0) {
        d->spoiled = true;
        return hal_err_set(&w->err, HAL_E_INTEGRITY,
                           "%s: SHA-256 is %s, the server says %s; try again later", d->path,
                           record->sha256, w->said_sha256);
    }
    st = check_md5(w);
    if (!st)
        st = check_content(w);
    if (st)
        return st;
    if (fsync(d->fd)) {
        d->spoiled = true; /* L6: what the disk holds now is not known */
        return hal_err_errno(&w->err, errno, "cannot save %s/%s", hal_folder_dir(d->folder),
                             d->path);
    }
    st = hal_entry_of_fd(d->fd, &entry, &w->err);
    if (st)
        return st;
    if (entry.bytes != d->written) {
        d->spoiled = true;
        return hal_err_set(&w->err, HAL_E_INTEGRITY, "%s was changed while it was being written",
                           d->part);
    }
    record->bytes = entry.bytes;
    record->mtime_ns = entry.mtime_ns;
    record->catalogue_bytes = d->expect_bytes;
    return hal_folder_record(d->folder, d->path, record, d->source, w->etag, &w->err);
}

/* One sync for all files of a folder, whose failure is the failure of all. */
static void save_folders(hal_download *list)
{
    for (hal_download *d = list; d; d = d->next_named) {
        if (d->named.status || d->is_saved)
            continue;
        hal_err err = HAL_ERR_INIT;
        hal_status st = hal_entry_save(d->parent_fd, &err);
        for (hal_download *same = d; same; same = same->next_named)
            if (!same->named.status && same->parent == d->parent) {
                same->is_saved = true;
                if (st)
                    same->named = err;
            }
    }
}

void hal_download_close(hal_download *d)
{
    if (d->info_fd >= 0)
        close(d->info_fd);
    if (d->fd >= 0)
        close(d->fd);
    if (d->parent)
        hal_folder_leave(d->folder, d->parent);
    d->parent = NULL;
    d->info_fd = d->fd = d->parent_fd = -1;
}

void hal_download_name_files(hal_download *list)
{
    hal_err err = HAL_ERR_INIT;
    hal_status st = hal_folder_save(list->folder, &err);
    for (hal_download *d = list; d; d = d->next_named) {
        if (st) {
            d->named = err;
            continue;
        }
        if (d->has_info) /* by its record the part is known as whole from here on */
            unlinkat(d->parent_fd, d->info, 0);
        if (hal_entry_rename(d->parent_fd, d->part, d->name, d->may_replace, &d->named)) {
        }
    }
    save_folders(list);
    for (hal_download *d = list; d; d = d->next_named)
        if (!d->named.status) /* else the loop's half decides what becomes of the part */
            hal_download_close(d);
}
