/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/content.h"

#include "base/read.h"
#include "net/gunzip.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
    BLOCK = 2880, /* FITS 4.0 section 3.1 */
    CARD = 80,
    AXES_MAX = 999,
    HEAD = 4096,                /* where a VOTable's root is looked for, and its end */
    ZIP_END = 22,               /* APPNOTE 4.3.16, without the comment */
    ZIP_LOOK = ZIP_END + 65535, /* as far from the end as it can begin */
    RATIO_MAX = 200,            /* gzip beyond this is not unpacked to the end */
    RATIO_FROM = 100 << 20,
};

typedef struct look {
    int fd;
    const char *name;
    uint64_t size;
    char *why;
    hal_err *err;
} look;

/* `n` bytes at `at`, which the file has. */
static hal_status get(const look *l, uint64_t at, void *out, size_t n)
{
    ssize_t got = hal_read_at(l->fd, out, n, at);
    if (got == (ssize_t)n)
        return HAL_OK;
    return hal_err_errno(l->err, got < 0 ? errno : EIO, "cannot read back %s", l->name);
}

static hal_content say(const look *l, hal_content verdict, const char *why)
{
    snprintf(l->why, HAL_CONTENT_WHY_SIZE, "%s", why);
    return verdict;
}

/* --- FITS ------------------------------------------------------------------------------------- */

typedef struct hdu {
    int64_t bitpix, n_axes, pcount, gcount, n_values;
    bool has_end, first_axis_is_0, groups, bad;
} hdu;

/* The integer of a card (FITS 4.0 section 4.2.3), not negative unless `sign`. */
static bool card_integer(const char *card, bool sign, int64_t *out)
{
    int i = 10, digits = 0;
    int64_t value = 0;
    while (i < CARD && card[i] == ' ')
        i++;
    bool minus = sign && i < CARD && card[i] == '-';
    i += minus || (i < CARD && card[i] == '+');
    for (; i < CARD && card[i] >= '0' && card[i] <= '9'; i++, digits++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, card[i] - '0', &value))
            return false;
    *out = minus ? -value : value;
    return digits > 0;
}

static void take_card(hdu *h, const char *card)
{
    int64_t n = 0;
    if (!memcmp(card, "END     ", 8)) {
        h->has_end = true;
    } else if (!memcmp(card, "BITPIX  =", 9)) {
        h->bad |= !card_integer(card, true, &h->bitpix);
    } else if (!memcmp(card, "NAXIS   =", 9)) {
        h->bad |= !card_integer(card, false, &h->n_axes) || h->n_axes > AXES_MAX;
    } else if (!memcmp(card, "NAXIS", 5) && card[5] >= '1' && card[5] <= '9' && card[8] == '=') {
        h->bad |= !card_integer(card, false, &n);
        if (!n && !memcmp(card, "NAXIS1  ", 8)) /* as random groups have it (section 6.1.1) */
            h->first_axis_is_0 = true;
        else
            h->bad |= __builtin_mul_overflow(h->n_values, n, &h->n_values);
    } else if (!memcmp(card, "PCOUNT  =", 9)) {
        h->bad |= !card_integer(card, false, &h->pcount);
    } else if (!memcmp(card, "GCOUNT  =", 9)) {
        h->bad |= !card_integer(card, false, &h->gcount);
    } else if (!memcmp(card, "GROUPS  =", 9)) {
        h->groups = memchr(card + 10, 'T', 20) != NULL;
    }
}

/* Bytes of data (section 4.4.1, equations 1 and 2, and 6.1.1); false when the header makes none of
 * it. */
static bool data_bytes(const hdu *h, int64_t *out)
{
    int64_t size = h->bitpix < 0 ? -h->bitpix : h->bitpix;
    int64_t n = h->first_axis_is_0 && !h->groups ? 0 : h->n_values;
    if (h->bad || (size != 8 && size != 16 && size != 32 && size != 64) || h->n_axes < 0)
        return false;
    if (!h->n_axes) {
        *out = 0;
        return true;
    }
    return !__builtin_add_overflow(n, h->pcount, &n) && !__builtin_mul_overflow(n, h->gcount, &n) &&
           !__builtin_mul_overflow(n, size / 8, out);
}

/* The header at `*at`, which is moved behind it. */
static hal_status read_header(const look *l, uint64_t *at, hdu *h)
{
    char block[BLOCK];
    *h = (hdu){.n_axes = -1, .gcount = 1, .n_values = 1};
    while (!h->has_end && l->size - *at >= BLOCK) {
        hal_status st = get(l, *at, block, BLOCK);
        if (st)
            return st;
        for (int i = 0; i < BLOCK && !h->has_end; i += CARD)
            take_card(h, block + i);
        *at += BLOCK;
    }
    return HAL_OK;
}

static hal_status look_at_fits(const look *l, hal_content *out)
{
    uint64_t at = 0;
    for (int n = 0; at < l->size; n++) {
        hdu h;
        char first[9] = "";
        int64_t bytes;
        if (n && l->size - at < BLOCK) {
            *out = say(l, HAL_CONTENT_ODD, "something that is no block of FITS follows its data");
            return HAL_OK;
        }
        hal_status st = n ? get(l, at, first, 8) : HAL_OK;
        if (!st && n && memcmp(first, "XTENSION", 8) != 0) { /* special records (section 3.5) */
            *out = say(l, l->size % BLOCK ? HAL_CONTENT_ODD : HAL_CONTENT_WHOLE,
                       l->size % BLOCK ? "it is not made of whole FITS blocks of 2880 bytes" : "");
            return HAL_OK;
        }
        if (!st)
            st = read_header(l, &at, &h);
        if (st)
            return st;
        if (!h.has_end) {
            *out = say(l, HAL_CONTENT_SHORT, "it ends inside a FITS header");
            return HAL_OK;
        }
        if (!data_bytes(&h, &bytes)) {
            *out = say(l, HAL_CONTENT_ODD, "a FITS header in it does not say how long its data is");
            return HAL_OK;
        }
        uint64_t left = l->size - at;
        if ((uint64_t)bytes > left) {
            snprintf(l->why, HAL_CONTENT_WHY_SIZE,
                     "it ends inside the data of FITS unit %d: %" PRIu64 " of %" PRId64 " bytes",
                     n + 1, left, bytes);
            *out = HAL_CONTENT_SHORT;
            return HAL_OK;
        }
        uint64_t padded = ((uint64_t)bytes + BLOCK - 1) / BLOCK * BLOCK;
        if (padded > left) {
            *out = say(l, HAL_CONTENT_ODD, "its last FITS block is not filled up");
            return HAL_OK;
        }
        at += padded;
    }
    *out = HAL_CONTENT_WHOLE;
    return HAL_OK;
}

/* --- gzip, zip, VOTable ----------------------------------------------------------------------- */

static hal_status look_at_gzip(const look *l, hal_content *out)
{
    hal_err err = HAL_ERR_INIT;
    if (lseek(l->fd, 0, SEEK_SET) < 0)
        return hal_err_errno(l->err, errno, "cannot read back %s", l->name);
    hal_gunzip *g = hal_gunzip_new(l->fd, l->name, l->err);
    if (!g)
        return l->err->status;
    hal_slice piece = {0};
    uint64_t unpacked = 0;
    hal_status st;
    do {
        st = hal_gunzip_next(g, &piece, &err);
        unpacked += piece.size_bytes;
    } while (!st && piece.size_bytes && (unpacked < RATIO_FROM || unpacked / RATIO_MAX < l->size));
    hal_gunzip_free(g);
    if (st && st != HAL_E_INTEGRITY) {
        *l->err = err;
        return st;
    }
    if (st)
        *out = say(l, HAL_CONTENT_DAMAGED, "its gzip data is cut or damaged");
    else if (piece.size_bytes)
        *out = say(l, HAL_CONTENT_ODD, "it unpacks to more than 200 times its size");
    else
        *out = HAL_CONTENT_WHOLE;
    return HAL_OK;
}

static uint32_t le(const unsigned char *p, int n)
{
    uint32_t value = 0;
    while (n--)
        value = value << 8 | p[n];
    return value;
}

/* By the end of its directory, whose comment ends the file and whose offsets lie before it; those
 * of a large file (zip64) are all ones. */
static hal_status look_at_zip(const look *l, hal_content *out)
{
    unsigned char part[8192];
    uint64_t stop = l->size > ZIP_LOOK ? l->size - ZIP_LOOK : 0, end = l->size;
    while (end - stop >= ZIP_END) { /* backwards, pieces overlap by what the record has */
        size_t n = end - stop < sizeof part ? (size_t)(end - stop) : sizeof part;
        uint64_t from = end - n;
        hal_status st = get(l, from, part, n);
        if (st)
            return st;
        for (size_t i = n - ZIP_END + 1; i-- > 0;) {
            uint64_t at = from + i;
            uint64_t bytes = le(part + i + 12, 4), offset = le(part + i + 16, 4);
            if (!memcmp(part + i, "PK\5\6", 4) && at + ZIP_END + le(part + i + 20, 2) == l->size &&
                (offset == UINT32_MAX || bytes == UINT32_MAX || offset + bytes <= at)) {
                *out = HAL_CONTENT_WHOLE;
                return HAL_OK;
            }
        }
        if (from == stop)
            break;
        end = from + ZIP_END - 1;
    }
    *out = say(l, HAL_CONTENT_CUT, "its zip directory is missing or cut");
    return HAL_OK;
}

/* "</VOTABLE>", perhaps with a prefix, and behind it nothing but blanks and comments. */
static hal_status look_at_votable(const look *l, hal_content *out)
{
    char tail[HEAD + 1];
    size_t n = l->size < HEAD ? (size_t)l->size : HEAD;
    hal_status st = get(l, l->size - n, tail, n);
    if (st)
        return st;
    tail[n] = '\0';
    char *end = NULL;
    for (char *p = tail; p + 7 <= tail + n; p++)
        if (!memcmp(p, "VOTABLE", 7)) {
            char *before = p;
            while (before > tail && before[-1] != '<' && before[-1] != '/' && before[-1] != '>')
                before--;
            size_t blanks = strspn(p + 7, " \t\r\n");
            if (before >= tail + 2 && !memcmp(before - 2, "</", 2) && p[7 + blanks] == '>')
                end = p + 8 + blanks;
        }
    for (char *p = end; p && *p;) {
        char *close = strncmp(p, "<!--", 4) != 0 ? NULL : strstr(p, "-->");
        if (close)
            p = close + 3;
        else if (strchr(" \t\r\n", *p))
            p++;
        else
            end = p = NULL;
    }
    *out =
        end ? HAL_CONTENT_WHOLE : say(l, HAL_CONTENT_CUT, "it is a VOTable whose end is missing");
    return HAL_OK;
}

/* The root element, behind the XML declaration, comments and a document type. */
static bool is_votable(const char *text)
{
    const char *p = text + (strncmp(text, "\xef\xbb\xbf", 3) ? 0 : 3);
    while (p) {
        p += strspn(p, " \t\r\n");
        const char *end = !strncmp(p, "<?", 2)     ? "?>"
                          : !strncmp(p, "<!--", 4) ? "-->"
                          : !strncmp(p, "<!", 2)   ? ">"
                                                   : NULL;
        if (!end)
            break;
        p = strstr(p, end);
        p = p ? p + strlen(end) : NULL;
    }
    if (!p || *p != '<')
        return false;
    size_t n = strcspn(p + 1, " \t\r\n/>");
    return n >= 7 && !memcmp(p + 1 + n - 7, "VOTABLE", 7) && (n == 7 || p[n - 7] == ':');
}

static bool is_named(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);
    return n > m && !strcasecmp(name + n - m, ending);
}

/* Under another name, noise is no damaged one: method and flags are looked at (RFC 1952 2.3). */
static bool is_gzip(const char *name, const char *head, size_t n)
{
    if (n < 2 || memcmp(head, "\x1f\x8b", 2) != 0)
        return false;
    bool named = is_named(name, ".gz") || is_named(name, ".tgz");
    return named || n < 4 || (head[2] == 8 && (head[3] & 0xe0) == 0);
}

hal_status hal_content_look(int fd, const char *name, uint64_t size_bytes, hal_content *out,
                            char why[HAL_CONTENT_WHY_SIZE], hal_err *err)
{
    hal_err own = HAL_ERR_INIT;
    look l = {fd, name, size_bytes, why, err ? err : &own};
    char head[HEAD + 1];
    size_t n = size_bytes < HEAD ? (size_t)size_bytes : HEAD;
    why[0] = '\0';
    *out = HAL_CONTENT_SILENT;
    hal_status st = get(&l, 0, head, n);
    if (st)
        return st;
    head[n] = '\0';
    if (n >= 9 && (!memcmp(head, "SIMPLE  =", 9) || !memcmp(head, "XTENSION=", 9)))
        return look_at_fits(&l, out);
    if (is_gzip(name, head, n))
        return look_at_gzip(&l, out);
    if (n >= 4 && (!memcmp(head, "PK\3\4", 4) || !memcmp(head, "PK\5\6", 4)))
        return look_at_zip(&l, out);
    if (n >= 9 && is_votable(head))
        return look_at_votable(&l, out);
    bool is_fits = is_named(name, ".fits") || is_named(name, ".fit");
    if (is_fits && n < 9 && !memcmp(head, "SIMPLE  =", n))
        *out = say(&l, HAL_CONTENT_SHORT, "it ends inside a FITS header");
    else if (is_fits)
        *out = say(&l, HAL_CONTENT_ODD, "it does not begin as a FITS file");
    else if (is_named(name, ".gz") || is_named(name, ".tgz"))
        *out = say(&l, HAL_CONTENT_ODD, "it is not packed with gzip as its name says");
    else if (is_named(name, ".zip"))
        *out = say(&l, HAL_CONTENT_ODD, "it does not begin as a zip file");
    return HAL_OK;
}
