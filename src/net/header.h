/* SPDX-License-Identifier: BSD-3-Clause */
/* Pure readers of HTTP header values, each over hostile text (RFC 9110). */
#ifndef HAL_NET_HEADER_H
#define HAL_NET_HEADER_H

#include "base/buf.h"

#include <stdint.h>
#include <strings.h>

/** Splits "Name: value\r\n"; value without surrounding blanks. False when it is no header line. */
bool hal_header_split(hal_slice line, hal_slice *name, hal_slice *value);
/** Case-insensitive. */
static inline bool hal_header_is(hal_slice name, const char *wanted)
{
    return name.size_bytes == strlen(wanted) && !strncasecmp(name.data, wanted, name.size_bytes);
}
/** Decimal digits only, up to INT64_MAX; false otherwise. */
bool hal_header_size(hal_slice text, int64_t *out);

/** IMF-fixdate, RFC 850 and asctime forms (RFC 9110 5.6.7) to seconds since 1970 UTC; false when it
 * is none. */
bool hal_header_date(hal_slice text, int64_t *unix_s);
/** Retry-After (RFC 9110 10.2.3): seconds, or a date measured against the server's own `date_s` (<
 * 0: it sent none, `now_s` is used). A past date is 0. False: junk or negative, as if absent. */
bool hal_header_retry_after(hal_slice text, int64_t date_s, int64_t now_s, double *wait_s);

typedef struct hal_content_range {
    int64_t first, last; /* both inclusive; -1, -1 for an unsatisfied range */
    int64_t total;       /* -1: not said */
} hal_content_range;
/** Content-Range in bytes (RFC 9110 14.4); false when malformed or inconsistent. */
bool hal_header_content_range(hal_slice text, hal_content_range *out);

/** The member "sha-256" or "md5" of a Repr-Digest (RFC 9530, `quoted`: between colons) or a Digest
 * (RFC 3230) as hex digits; false when it has none. `out` holds 64 or 32 of them, and NUL. */
bool hal_header_digest(hal_slice text, const char *algorithm, bool quoted, char *out);
/** A Content-MD5 (RFC 1864) as 32 hex digits; false when it is none. */
bool hal_header_md5(hal_slice text, char out[33]);

/** A strong entity tag (RFC 9110 8.8.3): quoted, without W/. */
bool hal_header_is_strong_etag(hal_slice text);

/** Request header of a script: name is a token, value visible ASCII, blank or tab, and not one of
 * those that the engine sets itself (security model 6.3). HAL_E_USAGE. */
hal_status hal_header_check(const char *name, const char *value, hal_err *err) HAL_MUST_CHECK;

/** An HTML page, judged by its first bytes (fault matrix N26); what the server calls it is believed
 * where they begin a document of some kind. */
bool hal_header_is_html(hal_slice body, hal_slice content_type);

/** First bytes of a server's text as one clean line: tags and control characters removed, blanks
 * collapsed, at most `size` - 1 bytes. */
void hal_header_clean(char *out, size_t size, hal_slice text);

#endif
