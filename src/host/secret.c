/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE /* explicit_bzero */
#include "host/secret.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOKEN_MAX = 4096, BODY_MAX = 256 << 20 };

/* --- Who may get them ---------------------------------------------------------------------------
 */

typedef struct origin {
    const char *host;
    int port;
    bool https;
} origin;

/* Is `url` there? */
static bool is_at(const char *url, const origin *o)
{
    char begin[300];
    int bare = snprintf(begin, sizeof begin, "http%s://%s", o->https ? "s" : "", o->host);
    char port[16];
    int n = snprintf(port, sizeof port, ":%d", o->port);
    if (bare >= (int)sizeof begin || strncasecmp(url, begin, (size_t)bare) != 0)
        return false;
    url += bare;
    if (!strncmp(url, port, (size_t)n))
        url += n;
    else if (o->port != (o->https ? 443 : 80))
        return false;
    return *url == '\0' || *url == '/' || *url == '?';
}

static bool names_it(void *ctx, const char *name, const char *value)
{
    return (!strcmp(name, "archive") || !strncmp(name, "archive.", 8)) && is_at(value, ctx);
}

static bool is_loopback(const char *host)
{
    return !strcmp(host, "localhost") || !strncmp(host, "127.", 4) || !strcmp(host, "[::1]");
}

/* The archive itself; or an archive on this machine that the user has named as the one to ask. */
static bool may_go(void *ctx, const char *host, int port, bool https)
{
    size_t n = strlen(host);
    if (https && (!strcmp(host, "stsci.edu") || (n > 10 && !strcmp(host + n - 10, ".stsci.edu"))))
        return true;
    origin o = {host, port, https};
    return is_loopback(host) && hal_host_any_setting(ctx, names_it, &o);
}

/* --- Where they are -----------------------------------------------------------------------------
 */

static void wipe(hal_buf *b)
{
    if (b->data)
        explicit_bzero(b->data, b->capacity_bytes);
    hal_buf_clear(b);
}

void hal_credentials_clear(hal_credentials *c)
{
    hal_secrets_wipe(&c->net);
    wipe(&c->body);
}

static hal_status keep(hal_credentials *c, const char *text, hal_err *err)
{
    if (c->net.n_values == HAL_SECRETS_MAX)
        return hal_err_set(err, HAL_E_USAGE, "too many secrets in one request");
    char *copy = hal_strdup(text);
    if (!copy)
        return hal_err_nomem(err, strlen(text));
    c->net.values[c->net.n_values++] = copy;
    return HAL_OK;
}

/* False: there is no place for one. */
static bool token_path(char out[PATH_MAX])
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int n = config && *config == '/' ? snprintf(out, PATH_MAX, "%s/halyard/mast-token", config)
            : home && *home == '/' ? snprintf(out, PATH_MAX, "%s/.config/halyard/mast-token", home)
                                   : PATH_MAX;
    return n < PATH_MAX;
}

/* "" when there is no such file. */
static hal_status read_token(char out[TOKEN_MAX], const char *path, hal_err *err)
{
    out[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? HAL_OK
                   : hal_err_errno(err, errno, "cannot read %s", path);
    struct stat info;
    hal_status st = HAL_OK;
    ssize_t n = 0;
    if (fstat(fd, &info))
        st = hal_err_errno(err, errno, "cannot read %s", path);
    else if (!S_ISREG(info.st_mode))
        st = hal_err_set(err, HAL_E_USAGE, "%s is not a file", path);
    else if (info.st_mode & 077)
        st = hal_err_set(err, HAL_E_PERMISSION,
                         "%s holds a token and can be used by others; run chmod 600 on it", path);
    else if ((n = read(fd, out, TOKEN_MAX - 1)) < 0)
        st = hal_err_errno(err, errno, "cannot read %s", path);
    close(fd);
    out[n > 0 ? n : 0] = '\0';
    return st;
}

/* Cuts the blanks around it; false: it cannot be a token. */
static bool is_token(char *text)
{
    size_t from = strspn(text, " \t\r\n"), n = strlen(text + from);
    memmove(text, text + from, n + 1);
    while (n && strchr(" \t\r\n", text[n - 1]))
        text[--n] = '\0';
    for (size_t i = 0; i < n; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return n >= HAL_SECRET_TEXT_MIN && n < TOKEN_MAX - 1;
}

static hal_status add_token(hal_credentials *c, const char *token, hal_err *err)
{
    char *header = hal_malloc(TOKEN_MAX + 8);
    if (!header)
        return hal_err_nomem(err, TOKEN_MAX + 8);
    snprintf(header, TOKEN_MAX + 8, "token %s", token);
    c->net.authorization = header;
    return keep(c, token, err);
}

hal_status hal_credentials_mast(hal_credentials *c, hal_host *host, hal_err *err)
{
    char token[TOKEN_MAX] = "", path[PATH_MAX] = "";
    const char *given = getenv("MAST_API_TOKEN");
    hal_status st = HAL_OK;
    if (given && *given)
        snprintf(token, sizeof token, "%s", given);
    else if (token_path(path))
        st = read_token(token, path, err);
    bool found = token[0];
    if (!st && found && !is_token(token))
        st = hal_err_set(err, HAL_E_USAGE, "%s holds no token: one word of printable characters",
                         given && *given ? "MAST_API_TOKEN" : path);
    c->net.may_go = may_go;
    c->net.ctx = host;
    c->net.remedy =
        found ? "the token that was sent does not allow it or has expired; get a new one at "
                "https://auth.mast.stsci.edu/token"
              : "get a token at https://auth.mast.stsci.edu/token and give it as the environment "
                "variable MAST_API_TOKEN or in the file ~/.config/halyard/mast-token (mode 600)";
    if (!st && found)
        st = add_token(c, token, err);
    explicit_bzero(token, sizeof token);
    return st;
}

/* --- In forms -----------------------------------------------------------------------------------
 */

static bool is_known(const char *name)
{
    static const char *const known[] = {"CASJOBS_WSID", "CASJOBS_USERID", "CASJOBS_PW"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i], name))
            return true;
    return false;
}

/* `out` has room for 3 bytes of each. */
static void percent_encode(char *out, const char *text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
    for (; *text; text++)
        if (strchr(plain, *text))
            *out++ = *text;
        else
            out += snprintf(out, 4, "%%%02X", (unsigned)(unsigned char)*text);
    *out = '\0';
}

/* Nothing of the body is left behind in memory that a growing buffer gave back. */
static hal_status append(hal_buf *b, const char *bytes, size_t n, hal_err *err)
{
    if (b->size_bytes + n < b->capacity_bytes)
        return hal_buf_append(b, bytes, n, err);
    hal_buf grown;
    hal_buf_init(&grown, BODY_MAX);
    hal_status st = hal_buf_reserve(&grown, b->size_bytes + n + 1, err);
    if (!st && b->size_bytes)
        st = hal_buf_append(&grown, b->data, b->size_bytes, err);
    if (!st)
        st = hal_buf_append(&grown, bytes, n, err);
    wipe(st ? &grown : b);
    if (!st)
        *b = grown;
    return st;
}

hal_status hal_credentials_form(hal_credentials *c, hal_host *host, hal_slice body,
                                const char *field, const char *name, hal_err *err)
{
    if (!is_known(name))
        return hal_err_set(err, HAL_E_USAGE,
                           "there is no secret %.60s; known are CASJOBS_WSID, CASJOBS_USERID and "
                           "CASJOBS_PW",
                           name);
    const char *value = getenv(name);
    if (!value || !*value)
        return hal_err_set(err, HAL_E_PERMISSION,
                           "CasJobs needs an account of its own: set the environment variable %s",
                           name);
    char *encoded = hal_malloc(3 * strlen(value) + 1);
    if (!encoded)
        return hal_err_nomem(err, 3 * strlen(value) + 1);
    percent_encode(encoded, value);
    c->net.may_go = may_go;
    c->net.ctx = host;
    c->net.in_body = true;
    hal_status st = append(&c->body, body.data, body.size_bytes, err);
    if (!st && c->body.size_bytes)
        st = append(&c->body, "&", 1, err);
    if (!st)
        st = append(&c->body, field, strlen(field), err);
    if (!st)
        st = append(&c->body, "=", 1, err);
    if (!st)
        st = append(&c->body, encoded, strlen(encoded), err);
    if (!st)
        st = keep(c, value, err);
    if (!st && strcmp(value, encoded) != 0)
        st = keep(c, encoded, err);
    explicit_bzero(encoded, strlen(encoded));
    hal_free(encoded);
    return st;
}
