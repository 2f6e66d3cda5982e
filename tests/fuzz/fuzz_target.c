/* SPDX-License-Identifier: BSD-3-Clause */
/* URLs from arbitrary bytes: what is taken keeps the rules (security model 6.1), and a second
 * parser finds the same place. Two lines: the second one is relative to the first. */
#include "net/target.h"

#include "check.h"

#include <string.h>

/* libcurl 7.88 leaks the name when it turns one into A-labels. */
#if defined(__SANITIZE_ADDRESS__) || defined(__clang__)
#include <sanitizer/lsan_interface.h>
#else
static void __lsan_disable(void)
{
}
static void __lsan_enable(void)
{
}
#endif

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

static void check_text(const hal_curl *curl, char *text)
{
    char *second;
    hal_target first = {0}, next = {0};
    if ((second = strchr(text, '\n')))
        *second++ = '\0';
    if (hal_target_parse(curl, &first, text, NULL, NULL)) {
        check(!first.url);
        return;
    }
    check_target(curl, &first);
    if (second && !hal_target_parse(curl, &next, second, &first, NULL)) {
        check_target(curl, &next);
        hal_target_clear(curl, &next);
    }
    hal_target_clear(curl, &first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const hal_curl *curl = hal_curl_load(NULL);
    char text[4096];
    bool plain = true;
    if (!curl || size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    for (size_t i = 0; i < size; i++)
        plain = plain && data[i] < 0x80;
    if (!plain)
        __lsan_disable();
    check_text(curl, text);
    if (!plain)
        __lsan_enable();
    return 0;
}
