/* SPDX-License-Identifier: BSD-3-Clause */
/* URLs from arbitrary bytes: what is taken keeps the rules (security model 6.1), and a second
 * parser finds the same place. Two lines: the second one is relative to the first. */
#include "net/target.h"

#include "check.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_target(const hal_curl *curl, const hal_target *t)
{
    char text[4096];
    size_t n = strlen(t->host);
    check(n > 0 && n < sizeof t->host && t->host[n - 1] != '.');
    check(t->port >= 0 && t->port <= 65535);
    for (const char *p = t->host; *p; p++)
        check((unsigned char)*p > 0x20 && !(*p >= 'A' && *p <= 'Z') && !strchr("\\/@?#", *p));
    hal_target_text(curl, t, text, sizeof text);
    check(!strncmp(text, t->https ? "https://" : "http://", t->https ? 8 : 7));
    if (strlen(text) + 1 == sizeof text) /* cut */
        return;
    hal_target again = {0};
    if (!hal_target_parse(curl, &again, text, NULL, NULL)) {
        check(hal_target_same_origin(t, &again));
        hal_target_clear(curl, &again);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const hal_curl *curl = hal_curl_load(NULL);
    char text[4096], *second;
    hal_target first = {0}, next = {0};
    if (!curl || size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if ((second = strchr(text, '\n')))
        *second++ = '\0';
    if (hal_target_parse(curl, &first, text, NULL, NULL)) {
        check(!first.url);
        return 0;
    }
    check_target(curl, &first);
    if (second && !hal_target_parse(curl, &next, second, &first, NULL)) {
        check_target(curl, &next);
        hal_target_clear(curl, &next);
    }
    hal_target_clear(curl, &first);
    return 0;
}
