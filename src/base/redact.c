/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/redact.h"

#include <string.h>
#include <strings.h>

static bool is_secret(const char *name, size_t n)
{
    static const char *const known[] = {"token",   "access_token", "key",       "apikey",
                                        "api_key", "password",     "signature", "sig"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i]) == n && !strncasecmp(name, known[i], n))
            return true;
    return n > 6 && !strncasecmp(name, "X-Amz-", 6);
}

/* The value of the next one from `text` on, and its length; NULL: none. One that is cut already is
 * none. */
static const char *find(const char *text, size_t *n)
{
    while ((text = strpbrk(text, "?&"))) {
        const char *name = ++text, *equals = name + strcspn(name, "=&#? \t\r\n\"'<>\\");
        if (*equals != '=' || !is_secret(name, (size_t)(equals - name)))
            continue;
        *n = strcspn(equals + 1, "&# \t\r\n\"'<>\\");
        if (*n && strspn(equals + 1, "*") < *n)
            return equals + 1;
    }
    return NULL;
}

bool hal_redact_needed(const char *text)
{
    size_t n;
    return find(text, &n) != NULL;
}

bool hal_redact(char *text)
{
    bool found = false;
    size_t n;
    for (const char *value; (value = find(text, &n)); found = true) {
        char *at = text + (value - text);
        size_t kept = n < 3 ? n : 3;
        memset(at, '*', kept);
        memmove(at + kept, at + n, strlen(at + n) + 1);
        text = at + kept;
    }
    return found;
}
