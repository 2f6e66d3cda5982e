/* SPDX-License-Identifier: BSD-3-Clause */
/* File names from servers and scripts (security model 7.1): the result is one component that no
 * common file system, shell or terminal misreads. */
#include "net/download.h"

#include "net/digest.h"

#include <stdint.h>
#include <strings.h>

enum { NAME_MAX_BYTES = 200, ENDING_MAX_BYTES = 20, HASH_DIGITS = 8 };

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static hal_status decode_percent(hal_buf *out, const char *name, hal_err *err)
{
    hal_status st = HAL_OK;
    for (const char *p = name; *p && !st; p++) {
        char c = *p;
        if (c == '%' && hex(p[1]) >= 0 && hex(p[2]) >= 0) {
            c = (char)(hex(p[1]) << 4 | hex(p[2]));
            p += 2;
        }
        st = hal_buf_append(out, &c, 1, err);
    }
    return st;
}

/* Length of the UTF-8 character at `s` (RFC 3629) and its code point; 0 when it is invalid. */
static size_t utf8(const unsigned char *s, size_t n, uint32_t *code)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = s[0] < 0x80         ? 1
                    : (s[0] >> 5) == 6  ? 2
                    : (s[0] >> 4) == 14 ? 3
                    : (s[0] >> 3) == 30 ? 4
                                        : 0;
    if (length == 0 || length > n)
        return 0;
    uint32_t c = length == 1 ? s[0] : s[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3f);
    }
    if (c < least[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *code = c;
    return length;
}

static bool is_invisible(uint32_t c)
{
    return c == 0xad || c == 0x61c || c == 0x180e || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x202a && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f);
}

static bool is_forbidden(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 ||
           (c < 0x80 && strchr("/\\:*?\"<>|", (int)c));
}

static hal_status rewrite(hal_buf *out, const hal_buf *in, hal_err *err)
{
    hal_status st = HAL_OK;
    for (size_t i = 0; i < in->size_bytes && !st;) {
        uint32_t code = 0;
        size_t n = utf8((const unsigned char *)in->data + i, in->size_bytes - i, &code);
        if (n == 0 || is_forbidden(code))
            st = hal_buf_append(out, "_", 1, err);
        else if (!is_invisible(code))
            st = hal_buf_append(out, in->data + i, n, err);
        i += n ? n : 1;
    }
    while (out->size_bytes && strchr(". ", out->data[out->size_bytes - 1]))
        out->data[--out->size_bytes] = '\0';
    return st;
}

static bool is_device(const char *name)
{
    size_t n = strcspn(name, ".");
    while (n && name[n - 1] == ' ')
        n--;
    static const char *const devices[] = {"CON", "PRN", "AUX", "NUL", NULL};
    for (int i = 0; devices[i]; i++)
        if (n == 3 && !strncasecmp(name, devices[i], 3))
            return true;
    return n == 4 && name[3] >= '0' && name[3] <= '9' &&
           (!strncasecmp(name, "COM", 3) || !strncasecmp(name, "LPT", 3));
}

static bool needs_guard(const char *name)
{
    size_t n = strlen(name);
    return strchr("-.~ ", name[0]) || is_device(name) ||
           (n >= 5 && !strcasecmp(name + n - 5, ".part"));
}

/* ".gz" brings ".fits" along, so that the kind of a cut name can still be seen. */
static size_t ending_bytes(const char *name, size_t n)
{
    size_t ending = 0;
    for (size_t i = 1; i <= ENDING_MAX_BYTES && i < n; i++) {
        unsigned char c = (unsigned char)name[n - i];
        if (c >= 0x80 || c == ' ')
            break;
        if (c == '.')
            ending = i;
    }
    return ending;
}

static hal_status hash_of(const char *text, char out[HAL_SHA256_TEXT_SIZE], hal_err *err)
{
    hal_sha256 *digest = hal_sha256_new(err);
    if (!digest)
        return err ? err->status : HAL_E_NOMEM;
    hal_status st = hal_sha256_add(digest, text, strlen(text), err);
    if (!st)
        st = hal_sha256_text(digest, out, err);
    hal_sha256_free(digest);
    return st;
}

static hal_status shorten(hal_buf *out, hal_buf *name, hal_err *err)
{
    char hash[HAL_SHA256_TEXT_SIZE];
    hal_status st = hash_of(name->data, hash, err);
    if (st)
        return st;
    size_t ending = ending_bytes(name->data, name->size_bytes);
    size_t stem = NAME_MAX_BYTES - ending - 1 - HASH_DIGITS;
    while (stem && ((unsigned char)name->data[stem] & 0xc0) == 0x80)
        stem--;
    return hal_buf_printf(out, err, "%.*s~%.*s%s", (int)stem, name->data, HASH_DIGITS, hash,
                          name->data + name->size_bytes - ending);
}

bool hal_is_safe_name(const char *name)
{
    size_t n = 0;
    for (; name[n]; n++) {
        char c = name[n];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
            return false;
    }
    return n > 0 && n <= NAME_MAX_BYTES && name[n - 1] != '.' && !needs_guard(name);
}

hal_status hal_safe_name(hal_buf *out, const char *name, hal_err *err)
{
    char hash[HAL_SHA256_TEXT_SIZE];
    hal_buf decoded, clean;
    size_t n = strlen(name);
    hal_buf_init(&decoded, n);
    hal_buf_init(&clean, n + 1);
    const char *last = name;
    for (const char *p = name; *p; p++)
        if (*p == '/' || *p == '\\')
            last = p + 1;
    hal_status st = decode_percent(&decoded, last, err);
    if (!st)
        st = rewrite(&clean, &decoded, err);
    if (!st && clean.size_bytes == 0) {
        st = hash_of(name, hash, err);
        if (!st)
            st = hal_buf_printf(out, err, "file-%.*s", HASH_DIGITS, hash);
    } else if (!st) {
        hal_buf guarded;
        hal_buf_init(&guarded, clean.size_bytes + 1);
        st = hal_buf_printf(&guarded, err, "%s%s", needs_guard(clean.data) ? "_" : "", clean.data);
        if (!st && guarded.size_bytes > NAME_MAX_BYTES)
            st = shorten(out, &guarded, err);
        else if (!st)
            st = hal_buf_append(out, guarded.data, guarded.size_bytes, err);
        hal_buf_clear(&guarded);
    }
    hal_buf_clear(&decoded);
    hal_buf_clear(&clean);
    return st;
}
