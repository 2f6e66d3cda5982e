/* SPDX-License-Identifier: BSD-3-Clause */
/* HTTP header values from arbitrary bytes: what is accepted is within its stated bounds. */
#include "net/header.h"

#include "check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_value(hal_slice value)
{
    int64_t n;
    double wait_s;
    hal_content_range r;
    if (hal_header_size(value, &n))
        check(n >= 0);
    if (hal_header_date(value, &n))
        check(n >= 0 && n < INT64_C(253402387200)); /* four-digit years */
    if (hal_header_retry_after(value, -1, 1700000000, &wait_s))
        check(wait_s >= 0);
    if (hal_header_content_range(value, &r)) {
        check(r.first >= 0 ? r.first <= r.last : r.first == -1 && r.last == -1 && r.total >= 0);
        check(r.total < 0 || r.last < r.total);
    }
    char sha256[65];
    for (int i = 0; i < 2; i++) {
        if (hal_header_digest(value, "sha-256", i, sha256))
            check(strlen(sha256) == 64 && strspn(sha256, "0123456789abcdef") == 64);
        if (hal_header_digest(value, "md5", i, sha256))
            check(strlen(sha256) == 32 && strspn(sha256, "0123456789abcdef") == 32);
    }
    if (hal_header_md5(value, sha256))
        check(strlen(sha256) == 32 && strspn(sha256, "0123456789abcdef") == 32);
    if (hal_header_is_strong_etag(value))
        check(value.size_bytes >= 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hal_slice line = {(const char *)data, size}, name, value;
    char clean[64];
    check_value(line);
    if (hal_header_split(line, &name, &value)) {
        check(name.size_bytes > 0 && name.size_bytes + value.size_bytes < size);
        check_value(value);
    }
    hal_header_clean(clean, sizeof clean, line);
    for (const char *p = clean; *p; p++)
        check(*p >= 0x20 && *p < 0x7f);
    check(strlen(clean) < sizeof clean);
    hal_header_is_html(line, hal_slice_of("text/html"));
    hal_header_is_html(line, hal_slice_of(""));
    return 0;
}
