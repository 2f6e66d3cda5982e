/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/gunzip.h"

#include "base/alloc.h"
#include "base/library.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <unistd.h>
#include <zlib.h>

enum { BLOCK_BYTES = 64 << 10 };

static struct {
    int (*init)(z_streamp, int, const char *, int);
    int (*inflate)(z_streamp, int);
    int (*reset)(z_streamp);
    int (*end)(z_streamp);
} lib;
static char why[256];

struct hal_gunzip {
    z_stream z;
    int fd;
    const char *name;
    bool inside; /* a member has begun and not ended */
    bool padded; /* the zero bytes behind the last member have begun */
    uint64_t n_read;
    char in[BLOCK_BYTES], out[BLOCK_BYTES];
};

static void load(void)
{
    const hal_symbol symbols[] = {
        {"inflateInit2_", &lib.init},
        {"inflate", &lib.inflate},
        {"inflateReset", &lib.reset},
        {"inflateEnd", &lib.end},
        {0},
    };
    hal_library_load("libz.so.1", symbols, why, sizeof why);
}

hal_gunzip *hal_gunzip_new(int fd, const char *name, hal_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    if (why[0]) {
        hal_err_set(err, HAL_E_IO, "zlib is missing: %s; install package zlib1g", why);
        return NULL;
    }
    hal_gunzip *g = hal_malloc(sizeof *g);
    if (!g) {
        hal_err_nomem(err, sizeof *g);
        return NULL;
    }
    g->z = (z_stream){0};
    g->fd = fd;
    g->name = name;
    g->inside = g->padded = false;
    g->n_read = 0;
    /* 15 + 16: gzip only, largest window */
    if (lib.init(&g->z, 15 + 16, ZLIB_VERSION, (int)sizeof g->z) != Z_OK) {
        hal_free(g);
        hal_err_nomem(err, BLOCK_BYTES);
        return NULL;
    }
    return g;
}

void hal_gunzip_free(hal_gunzip *g)
{
    if (!g)
        return;
    lib.end(&g->z);
    hal_free(g);
}

static hal_status damaged(const hal_gunzip *g, const char *what, hal_err *err)
{
    return hal_err_set(
        err, HAL_E_INTEGRITY, "%s is damaged: %s at byte %llu; remove it and run again", g->name,
        what ? what : "no gzip data", (unsigned long long)(g->n_read - g->z.avail_in));
}

/* Reads a block; at the end of the file there is none. */
static hal_status fill(hal_gunzip *g, hal_err *err)
{
    ssize_t n;
    do
        n = read(g->fd, g->in, BLOCK_BYTES);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return hal_err_errno(err, errno, "cannot read %s", g->name);
    g->z.next_in = (Bytef *)g->in;
    g->z.avail_in = (uInt)n;
    g->n_read += (uint64_t)n;
    return HAL_OK;
}

/* Between members, with bytes to read: begins the next one, or passes over zero bytes. */
static hal_status begin(hal_gunzip *g, hal_err *err)
{
    g->padded = g->padded || !*g->z.next_in;
    for (; g->padded && g->z.avail_in; g->z.next_in++, g->z.avail_in--)
        if (*g->z.next_in)
            return damaged(g, "there is more behind its end", err);
    g->inside = !g->padded;
    return !g->inside || lib.reset(&g->z) == Z_OK
               ? HAL_OK
               : hal_err_set(err, HAL_E_INTERNAL, "zlib cannot begin again");
}

hal_status hal_gunzip_next(hal_gunzip *g, hal_slice *out, hal_err *err)
{
    g->z.next_out = (Bytef *)g->out;
    g->z.avail_out = BLOCK_BYTES;
    while (g->z.avail_out == BLOCK_BYTES) {
        hal_status st = g->z.avail_in ? HAL_OK : fill(g, err);
        if (!st && !g->inside) {
            if (!g->z.avail_in)
                break;
            st = begin(g, err);
        }
        if (st)
            return st;
        if (!g->inside)
            continue;
        /* Also at the end of the file: zlib may hold bytes that had no room in `out`. */
        int rc = lib.inflate(&g->z, Z_NO_FLUSH);
        if (rc == Z_STREAM_END)
            g->inside = false;
        else if (rc == Z_MEM_ERROR)
            return hal_err_nomem(err, BLOCK_BYTES);
        else if (rc != Z_OK)
            return damaged(g, rc == Z_BUF_ERROR ? "it is cut" : g->z.msg, err);
    }
    *out = (hal_slice){g->out, BLOCK_BYTES - g->z.avail_out};
    return HAL_OK;
}
