/* SPDX-License-Identifier: BSD-3-Clause */
/* Whom the running workflow may contact. Each request is checked where it is sent (by the host
 * program, through the loop's guard), so that a redirect leads nowhere else. */
#include "host/internal.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

hal_status hal_host_permit(hal_host *host, const char *entries, hal_err *err)
{
    char *copy = entries ? hal_strdup(entries) : NULL;
    if (entries && !copy)
        return hal_err_nomem(err, strlen(entries));
    hal_free(host->permitted);
    host->permitted = copy;
    return HAL_OK;
}

static bool stands_for(const char *entry, size_t n, const char *name)
{
    size_t n_name = strlen(name);
    if (n > 2 && entry[0] == '*' && entry[1] == '.')
        return n_name >= n && !strncasecmp(name + n_name - (n - 1), entry + 1, n - 1);
    return n_name == n && !strncasecmp(name, entry, n);
}

bool hal_host_permits(const hal_host *host, const char *name, int port, hal_err *why)
{
    char full[300];
    bool usual = port == 80 || port == 443;
    snprintf(full, sizeof full, "%s:%d", name, port);
    for (const char *entry = host->permitted; entry; entry = strchr(entry, '\n')) {
        entry += *entry == '\n';
        size_t n = strcspn(entry, "\n");
        if (stands_for(entry, n, full) || (usual && stands_for(entry, n, name)))
            return true;
    }
    if (!host->permitted)
        return true;
    hal_err_set(why, HAL_E_PERMISSION,
                "the workflow may not contact %s: if it should, add it to the hosts in it",
                usual ? name : full);
    return false;
}
