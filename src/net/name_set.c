/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/name_set.h"

#include "base/alloc.h"
#include "base/library.h"
#include "net/digest.h"

#include <pthread.h>
#include <string.h>
#include <utf8proc.h>

typedef struct key {
    uint64_t high, low; /* both 0: free */
} key;

struct hal_name_set {
    bool folded;
    hal_sha256 *digest;
    key *keys; /* open addressing; n_room is a power of two */
    size_t n_keys, n_room;
};

static struct {
    utf8proc_ssize_t (*decompose)(const utf8proc_uint8_t *, utf8proc_ssize_t, utf8proc_int32_t *,
                                  utf8proc_ssize_t, utf8proc_option_t);
    utf8proc_ssize_t (*reencode)(utf8proc_int32_t *, utf8proc_ssize_t, utf8proc_option_t);
} lib;
static char why[256];

static void load(void)
{
    const hal_symbol symbols[] = {
        {"utf8proc_decompose", &lib.decompose}, {"utf8proc_reencode", &lib.reencode}, {0}};
    hal_library_load("libutf8proc.so.2", symbols, why, sizeof why);
}

hal_name_set *hal_name_set_new(bool folded, hal_err *err)
{
    hal_name_set *set = hal_calloc(1, sizeof *set);
    if (!set) {
        hal_err_nomem(err, sizeof *set);
        return NULL;
    }
    set->folded = folded;
    set->digest = hal_sha256_new(err);
    if (!set->digest) {
        hal_free(set);
        return NULL;
    }
    return set;
}

void hal_name_set_free(hal_name_set *set)
{
    if (!set)
        return;
    hal_sha256_free(set->digest);
    hal_free(set->keys);
    hal_free(set);
}

static bool is_ascii(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text >= 0x80)
            return false;
    return true;
}

static hal_status add_ascii(hal_sha256 *digest, const char *text, hal_err *err)
{
    char part[256];
    hal_status st = HAL_OK;
    while (*text && !st) {
        size_t n = 0;
        for (; text[n] && n < sizeof part; n++)
            part[n] = (char)(text[n] >= 'A' && text[n] <= 'Z' ? text[n] + ('a' - 'A') : text[n]);
        st = hal_sha256_add(digest, part, n, err);
        text += n;
    }
    return st;
}

/* Full case folding and NFC (Unicode 15.0 sections 3.13 and 3.11). Text that is no UTF-8 counts as
 * it is; hal_safe_name makes none. */
static hal_status add_unicode(hal_sha256 *digest, const char *text, hal_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    if (why[0])
        return hal_err_set(err, HAL_E_IO,
                           "the Unicode library is missing: %s; install package libutf8proc2", why);
    const utf8proc_option_t how =
        UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD;
    const utf8proc_uint8_t *in = (const utf8proc_uint8_t *)text;
    utf8proc_ssize_t n = lib.decompose(in, 0, NULL, 0, how);
    if (n < 0)
        return hal_sha256_add(digest, text, strlen(text), err);
    size_t size = ((size_t)n + 1) * sizeof(utf8proc_int32_t);
    utf8proc_int32_t *points = hal_malloc(size);
    if (!points)
        return hal_err_nomem(err, size);
    n = lib.decompose(in, 0, points, n, how);
    n = n < 0 ? n : lib.reencode(points, n, how); /* in place, ends with NUL */
    hal_status st = n < 0 ? hal_sha256_add(digest, text, strlen(text), err)
                          : hal_sha256_add(digest, points, (size_t)n, err);
    hal_free(points);
    return st;
}

static hal_status key_of(hal_name_set *set, const char *text, key *out, hal_err *err)
{
    unsigned char raw[HAL_SHA256_BYTES];
    hal_status st = hal_sha256_reset(set->digest, err);
    if (!st)
        st = !set->folded     ? hal_sha256_add(set->digest, text, strlen(text), err)
             : is_ascii(text) ? add_ascii(set->digest, text, err)
                              : add_unicode(set->digest, text, err);
    if (!st)
        st = hal_sha256_bytes(set->digest, raw, err);
    if (st)
        return st;
    memcpy(out, raw, sizeof *out);
    out->high |= 1; /* never free */
    return HAL_OK;
}

static key *place_of(const hal_name_set *set, key k)
{
    size_t i = (size_t)k.low & (set->n_room - 1);
    while (set->keys[i].high && (set->keys[i].high != k.high || set->keys[i].low != k.low))
        i = (i + 1) & (set->n_room - 1);
    return &set->keys[i];
}

static hal_status grow(hal_name_set *set, hal_err *err)
{
    if (set->n_keys * 4 < set->n_room * 3)
        return HAL_OK;
    hal_name_set larger = {.n_room = set->n_room ? set->n_room * 2 : 64};
    larger.keys = hal_calloc(larger.n_room, sizeof *larger.keys);
    if (!larger.keys)
        return hal_err_nomem(err, larger.n_room * sizeof *larger.keys);
    for (size_t i = 0; i < set->n_room; i++)
        if (set->keys[i].high)
            *place_of(&larger, set->keys[i]) = set->keys[i];
    hal_free(set->keys);
    set->keys = larger.keys;
    set->n_room = larger.n_room;
    return HAL_OK;
}

hal_status hal_name_set_add(hal_name_set *set, const char *text, bool *is_new, hal_err *err)
{
    key k;
    hal_status st = key_of(set, text, &k, err);
    if (!st)
        st = grow(set, err);
    if (st)
        return st;
    key *place = place_of(set, k);
    *is_new = !place->high;
    set->n_keys += *is_new;
    *place = k;
    return HAL_OK;
}
