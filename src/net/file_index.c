/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/file_index.h"

#include "base/alloc.h"
#include "base/crc32.h"
#include "base/read.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

enum {
    BLOCK_BYTES = 256 << 10,
    FILES_MAX = 4000000,
    CRC_DIGITS = 8,
    BEGIN_BYTES = CRC_DIGITS + 2,
};

/* Two keys of one hash share a place: the earlier file then counts as unknown, which is safe. */
typedef struct hal_file_place {
    uint64_t hash;
    uint64_t offset_1; /* of the line, plus 1; 0: free */
} place;

/* --- Lines ------------------------------------------------------------------------------------ */

/* CRC_DIGITS of the CRC-32 of `n` bytes. */
static void put_crc(char *out, const char *bytes, size_t n)
{
    uint32_t crc = hal_crc32(0, bytes, n);
    for (int i = CRC_DIGITS; i--; crc >>= 4)
        out[i] = "0123456789abcdef"[crc & 15];
}

hal_status hal_file_line_format(hal_buf *out, const hal_file_record *record, const char *path,
                                const char *source, const char *etag, hal_err *err)
{
    size_t from = out->size_bytes, text = from + CRC_DIGITS + 1;
    hal_status st = hal_buf_printf(out, err, "%0*d %" PRIu64 " %" PRId64 " %s %s\t%s\t%s\t%" PRId64,
                                   CRC_DIGITS, 0, record->bytes, record->mtime_ns, record->sha256,
                                   path, source, etag, record->catalogue_bytes);
    if (!st && out->size_bytes - from > HAL_FILE_LINE_MAX - 2)
        st = hal_err_set(err, HAL_E_BUDGET, "a record of more than %d bytes", HAL_FILE_LINE_MAX);
    if (st)
        return st;
    put_crc(out->data + from, out->data + text, out->size_bytes - text);
    return hal_buf_puts(out, "\n", err);
}

/* A decimal number and the `end` behind it. */
static bool take_number(const char **at, char end, int64_t *out)
{
    const char *p = *at;
    bool negative = *p == '-';
    p += negative;
    uint64_t n = 0;
    int digits = 0;
    for (; *p >= '0' && *p <= '9' && digits < 19; p++, digits++)
        n = 10 * n + (uint64_t)(*p - '0');
    if (!digits || *p != end || n > INT64_MAX)
        return false;
    *out = negative ? -(int64_t)n : (int64_t)n;
    *at = p + (end != '\0');
    return true;
}

static char *take_field(char **at)
{
    char *field = *at, *end = strchr(field, '\t');
    if (!end)
        return NULL;
    *end = '\0';
    *at = end + 1;
    return field;
}

/* Takes apart the `n` bytes of out->text, without a line feed. */
static bool parse(hal_file_line *out, size_t n)
{
    char *text = out->text, crc[CRC_DIGITS];
    text[n] = '\0';
    if (n < CRC_DIGITS + 2 || memchr(text, '\0', n))
        return false;
    put_crc(crc, text + CRC_DIGITS + 1, n - CRC_DIGITS - 1);
    if (memcmp(text, crc, CRC_DIGITS) != 0 || text[CRC_DIGITS] != ' ')
        return false;
    const char *at = text + CRC_DIGITS + 1;
    int64_t bytes;
    if (!take_number(&at, ' ', &bytes) || bytes < 0 ||
        !take_number(&at, ' ', &out->record.mtime_ns) || strspn(at, "0123456789abcdef") != 64 ||
        at[64] != ' ')
        return false;
    out->record.bytes = (uint64_t)bytes;
    memcpy(out->record.sha256, at, 64);
    out->record.sha256[64] = '\0';
    char *rest = text + (at - text) + 65;
    out->path = take_field(&rest);
    out->source = out->path ? take_field(&rest) : NULL;
    out->etag = out->source ? take_field(&rest) : NULL;
    at = rest;
    return out->etag && out->path[0] && take_number(&at, '\0', &out->record.catalogue_bytes);
}

/* --- The index -------------------------------------------------------------------------------- */

static uint64_t hash(const char *text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return h ^ h >> 32;
}

static place *place_of(const hal_file_index *ix, uint64_t h)
{
    size_t i = (size_t)h & (ix->n_room - 1);
    while (ix->places[i].offset_1 && ix->places[i].hash != h)
        i = (i + 1) & (ix->n_room - 1);
    return &ix->places[i];
}

static hal_status grow(hal_file_index *ix, const char *dir, hal_err *err)
{
    if (ix->n_places * 4 < ix->n_room * 3)
        return HAL_OK;
    if (ix->n_places >= FILES_MAX)
        return hal_err_set(err, HAL_E_BUDGET,
                           "%s/.halyard/files has more than %d files; use another output folder",
                           dir, FILES_MAX);
    hal_file_index larger = {.n_room = ix->n_room ? ix->n_room * 2 : 64};
    larger.places = hal_calloc(larger.n_room, sizeof *larger.places);
    if (!larger.places)
        return hal_err_nomem(err, larger.n_room * sizeof *larger.places);
    for (size_t i = 0; i < ix->n_room; i++)
        if (ix->places[i].offset_1)
            *place_of(&larger, ix->places[i].hash) = ix->places[i];
    hal_free(ix->places);
    ix->places = larger.places;
    ix->n_room = larger.n_room;
    return HAL_OK;
}

void hal_file_index_clear(hal_file_index *ix)
{
    hal_free(ix->places);
    *ix = (hal_file_index){.by_source = ix->by_source};
}

hal_status hal_file_index_put(hal_file_index *ix, const char *key, uint64_t offset, const char *dir,
                              hal_err *err)
{
    hal_status st = grow(ix, dir, err);
    if (st)
        return st;
    uint64_t h = hash(key);
    place *p = place_of(ix, h);
    ix->n_places += !p->offset_1;
    *p = (place){h, offset + 1};
    return HAL_OK;
}

static const char *key_of(const hal_file_index *ix, const hal_file_line *line)
{
    return ix->by_source ? line->source : line->path;
}

/* Calls `see` for every whole line of `fd` between `from` and its end: how far they go, and whether
 * something follows that is none. */
typedef struct scan {
    hal_status (*see)(void *ctx, const hal_file_line *line, uint64_t offset, hal_err *err);
    void *ctx;
    uint64_t end;
    bool torn;
} scan;

static hal_status scan_lines(scan *s, int fd, const char *dir, hal_err *err)
{
    char *block = hal_malloc(BLOCK_BYTES);
    hal_file_line *line = block ? hal_malloc(sizeof *line) : NULL;
    hal_status st = line ? HAL_OK : hal_err_nomem(err, BLOCK_BYTES);
    bool inside_long = false;
    uint64_t at = s->end; /* of block[0] */
    size_t have = 0;
    while (!st) {
        ssize_t got = hal_read_at(fd, block + have, BLOCK_BYTES - have, at + have);
        if (got < 0)
            st = hal_err_errno(err, errno, "cannot read %s/.halyard/files", dir);
        if (got <= 0)
            break;
        have += (size_t)got;
        char *from = block, *end;
        while (!st && (end = memchr(from, '\n', have - (size_t)(from - block)))) {
            size_t n = (size_t)(end - from);
            if (!inside_long && n < sizeof line->text) {
                memcpy(line->text, from, n);
                if (parse(line, n))
                    st = s->see(s->ctx, line, at + (uint64_t)(from - block), err);
            }
            inside_long = false;
            from = end + 1;
            s->end = at + (uint64_t)(from - block);
        }
        size_t left = have - (size_t)(from - block);
        if (left == BLOCK_BYTES) { /* no line of ours */
            inside_long = true;
            left = 0;
            from = block + BLOCK_BYTES;
        }
        memmove(block, from, left);
        at += (uint64_t)(from - block);
        have = left;
    }
    s->torn = have > 0 || inside_long;
    hal_free(line);
    hal_free(block);
    return st;
}

static hal_status not_ours(const char *dir, hal_err *err)
{
    return hal_err_set(err, HAL_E_IO,
                       "%s/.halyard/files does not hold the records of this program; move it away "
                       "or choose another output folder",
                       dir);
}

typedef struct loading {
    hal_file_index *ix;
    const char *dir;
} loading;

static hal_status take_in(void *ctx, const hal_file_line *line, uint64_t offset, hal_err *err)
{
    loading *l = ctx;
    return hal_file_index_put(l->ix, key_of(l->ix, line), offset, l->dir, err);
}

/* A first line that was torn begins as all do; where the disk lost its bytes, they are zero. */
static bool begins_as_ours(int fd)
{
    char text[BEGIN_BYTES];
    ssize_t n = hal_read_at(fd, text, sizeof text, 0);
    bool digits = n >= 0, lost = n >= 0;
    for (ssize_t i = 0; i < n; i++) {
        digits = digits && (i == CRC_DIGITS ? text[i] == ' '
                                            : text[i] && strchr("0123456789abcdef", text[i]));
        lost = lost && !text[i];
    }
    return digits || lost;
}

hal_status hal_file_index_load(hal_file_index *ix, int fd, const char *dir, hal_err *err)
{
    struct stat info;
    if (fstat(fd, &info))
        return hal_err_errno(err, errno, "cannot look at %s/.halyard/files", dir);
    if (!S_ISREG(info.st_mode))
        return not_ours(dir, err);
    loading l = {ix, dir};
    scan s = {.see = take_in, .ctx = &l, .end = ix->end};
    hal_status st = scan_lines(&s, fd, dir, err);
    ix->end = s.end;
    ix->torn = s.torn;
    if (!st && !ix->n_places && !begins_as_ours(fd))
        st = not_ours(dir, err);
    return st;
}

/* The line at `offset`, of which the block holds all; NULL: it does not. Lines do not change. */
static const char *line_in_block(const hal_file_index *ix, uint64_t offset, size_t *n)
{
    if (offset < ix->block_at || offset - ix->block_at >= ix->block_bytes)
        return NULL;
    const char *line = ix->block + (offset - ix->block_at);
    const char *end = memchr(line, '\n', ix->block_bytes - (size_t)(line - ix->block));
    *n = end ? (size_t)(end - line) : 0;
    return end ? line : NULL;
}

static bool read_line(hal_file_index *ix, int fd, uint64_t offset, hal_file_line *out)
{
    size_t length;
    const char *line = line_in_block(ix, offset, &length);
    if (!line) {
        ssize_t n = hal_read_at(fd, ix->block, sizeof ix->block, offset);
        ix->block_at = offset;
        ix->block_bytes = n > 0 ? (size_t)n : 0;
        line = line_in_block(ix, offset, &length);
    }
    if (!line || length >= sizeof out->text)
        return false;
    memcpy(out->text, line, length);
    return parse(out, length);
}

bool hal_file_index_find(hal_file_index *ix, int fd, const char *key, hal_file_line *out)
{
    const place *p = ix->n_room ? place_of(ix, hash(key)) : NULL;
    return p && p->offset_1 && read_line(ix, fd, p->offset_1 - 1, out) &&
           !strcmp(key_of(ix, out), key);
}

typedef struct walk {
    const hal_file_index *ix;
    hal_status (*see)(void *ctx, const hal_file_line *line, hal_err *err);
    void *ctx;
} walk;

static hal_status see_latest(void *ctx, const hal_file_line *line, uint64_t offset, hal_err *err)
{
    const walk *w = ctx;
    const place *p = place_of(w->ix, hash(key_of(w->ix, line)));
    return p->offset_1 == offset + 1 ? w->see(w->ctx, line, err) : HAL_OK;
}

hal_status hal_file_index_each(const hal_file_index *ix, int fd, const char *dir,
                               hal_status (*see)(void *ctx, const hal_file_line *line,
                                                 hal_err *err),
                               void *ctx, hal_err *err)
{
    walk w = {ix, see, ctx};
    scan s = {.see = see_latest, .ctx = &w};
    return ix->n_room ? scan_lines(&s, fd, dir, err) : HAL_OK;
}
