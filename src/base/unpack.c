/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/unpack.h"

#include "base/alloc.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum { OUT_BYTES = 256 << 10, RATIO_MAX = 200, FREE_BYTES = 10 << 20, WINDOW_LOG_MAX = 27 };

static struct {
    int (*init)(z_streamp, int, const char *, int);
    int (*inflate)(z_streamp, int);
    int (*reset)(z_streamp);
    int (*end)(z_streamp);
    const char *missing;
} z;

static struct {
    ZSTD_DStream *(*create)(void);
    size_t (*free)(ZSTD_DStream *);
    size_t (*set)(ZSTD_DCtx *, ZSTD_dParameter, int);
    size_t (*decompress)(ZSTD_DStream *, ZSTD_outBuffer *, ZSTD_inBuffer *);
    unsigned (*is_error)(size_t);
    const char *(*error_name)(size_t);
    const char *missing;
} zs;

struct hal_unpack {
    hal_packing packing;
    z_stream gzip;
    bool gzip_open;
    ZSTD_DStream *zstd;
    bool inside; /* a member or frame has begun and not ended */
    uint64_t taken, given;
    char out[OUT_BYTES];
};

static bool find(void *lib, const char *name, void *slot)
{
    void *symbol = lib ? dlsym(lib, name) : NULL;
    memcpy(slot, &symbol, sizeof symbol); /* POSIX dlsym: object to function pointer */
    return symbol != NULL;
}

static void load_zlib(void)
{
    void *lib = dlopen("libz.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!find(lib, "inflateInit2_", &z.init) || !find(lib, "inflate", &z.inflate) ||
        !find(lib, "inflateReset", &z.reset) || !find(lib, "inflateEnd", &z.end))
        z.missing = "libz.so.1 (package zlib1g)";
}

static void load_zstd(void)
{
    void *lib = dlopen("libzstd.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!find(lib, "ZSTD_createDStream", &zs.create) || !find(lib, "ZSTD_freeDStream", &zs.free) ||
        !find(lib, "ZSTD_DCtx_setParameter", &zs.set) ||
        !find(lib, "ZSTD_decompressStream", &zs.decompress) ||
        !find(lib, "ZSTD_isError", &zs.is_error) || !find(lib, "ZSTD_getErrorName", &zs.error_name))
        zs.missing = "libzstd.so.1 (package libzstd1)";
}

hal_packing hal_packing_of(hal_slice head, bool *more)
{
    static const char gzip[] = "\x1f\x8b\x08", zstd[] = "\x28\xb5\x2f\xfd";
    size_t n = head.size_bytes, n_gzip = n < 3 ? n : 3, n_zstd = n < 4 ? n : 4;
    bool is_gzip = !memcmp(head.data, gzip, n_gzip), is_zstd = !memcmp(head.data, zstd, n_zstd);
    *more = (is_gzip && n < 3) || (is_zstd && n < 4);
    if (*more)
        return HAL_PACKING_NONE;
    return is_gzip ? HAL_PACKING_GZIP : is_zstd ? HAL_PACKING_ZSTD : HAL_PACKING_NONE;
}

hal_unpack *hal_unpack_new(hal_packing packing, hal_err *err)
{
    static pthread_once_t zlib_once = PTHREAD_ONCE_INIT, zstd_once = PTHREAD_ONCE_INIT;
    bool gzip = packing == HAL_PACKING_GZIP;
    pthread_once(gzip ? &zlib_once : &zstd_once, gzip ? load_zlib : load_zstd);
    const char *missing = gzip ? z.missing : zs.missing;
    if (missing) {
        hal_err_set(err, HAL_E_USAGE, "the answer is compressed and %s is not installed", missing);
        return NULL;
    }
    hal_unpack *u = hal_malloc(sizeof *u);
    if (!u) {
        hal_err_nomem(err, sizeof *u);
        return NULL;
    }
    memset(u, 0, offsetof(hal_unpack, out));
    u->packing = packing;
    if (gzip) {
        /* 15 + 16: gzip only, largest window */
        u->gzip_open = z.init(&u->gzip, 15 + 16, ZLIB_VERSION, (int)sizeof u->gzip) == Z_OK;
    } else {
        u->zstd = zs.create();
        if (u->zstd && zs.is_error(zs.set(u->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX))) {
            zs.free(u->zstd);
            u->zstd = NULL;
        }
    }
    if (!u->gzip_open && !u->zstd) {
        hal_unpack_free(u);
        hal_err_nomem(err, OUT_BYTES);
        return NULL;
    }
    return u;
}

void hal_unpack_free(hal_unpack *u)
{
    if (!u)
        return;
    if (u->gzip_open)
        z.end(&u->gzip);
    if (u->zstd)
        zs.free(u->zstd);
    hal_free(u);
}

static hal_status damaged(const hal_unpack *u, const char *why, hal_err *err)
{
    return hal_err_set(err, HAL_E_INTEGRITY, "byte %llu of the compressed answer: %s; ask again",
                       (unsigned long long)u->taken, why ? why : "damaged");
}

/* One step: takes some of `bytes`, fills some of `out`. */
static hal_status step_gzip(hal_unpack *u, const char *bytes, size_t n, size_t *used, size_t *made,
                            hal_err *err)
{
    if (!u->inside && u->taken && z.reset(&u->gzip) != Z_OK)
        return hal_err_set(err, HAL_E_INTERNAL, "zlib cannot begin again");
    u->inside = true;
    uInt part = n > (1 << 30) ? 1 << 30 : (uInt)n;
    u->gzip.next_in = (z_const Bytef *)bytes;
    u->gzip.avail_in = part;
    u->gzip.next_out = (Bytef *)u->out;
    u->gzip.avail_out = OUT_BYTES;
    int rc = z.inflate(&u->gzip, Z_NO_FLUSH);
    *used = part - u->gzip.avail_in;
    *made = OUT_BYTES - u->gzip.avail_out;
    if (rc == Z_STREAM_END)
        u->inside = false;
    else if (rc == Z_MEM_ERROR)
        return hal_err_nomem(err, OUT_BYTES);
    else if (rc != Z_OK && rc != Z_BUF_ERROR)
        return damaged(u, u->gzip.msg, err);
    return HAL_OK;
}

static hal_status step_zstd(hal_unpack *u, const char *bytes, size_t n, size_t *used, size_t *made,
                            hal_err *err)
{
    ZSTD_inBuffer in = {bytes, n, 0};
    ZSTD_outBuffer out = {u->out, OUT_BYTES, 0};
    size_t rc = zs.decompress(u->zstd, &out, &in);
    *used = in.pos;
    *made = out.pos;
    if (zs.is_error(rc))
        return damaged(u, zs.error_name(rc), err);
    u->inside = rc != 0;
    return HAL_OK;
}

hal_status hal_unpack_feed(hal_unpack *u, const char *bytes, size_t n, hal_unpack_sink sink,
                           void *ctx, hal_err *err)
{
    size_t made = 0;
    while (n || (made == OUT_BYTES && u->inside)) {
        size_t used = 0;
        hal_err fault = HAL_ERR_INIT;
        hal_status st, step = u->packing == HAL_PACKING_GZIP
                                  ? step_gzip(u, bytes, n, &used, &made, &fault)
                                  : step_zstd(u, bytes, n, &used, &made, &fault);
        bytes += used;
        n -= used;
        u->taken += used;
        u->given += made;
        if (u->given > FREE_BYTES && u->given / RATIO_MAX > u->taken)
            return hal_err_set(err, HAL_E_BUDGET,
                               "the answer unpacks to more than %d times its size, which no "
                               "catalogue does: refused after %llu bytes",
                               RATIO_MAX, (unsigned long long)u->given);
        st = made ? sink(ctx, u->out, made, err) : HAL_OK;
        if (st)
            return st;
        if (step) { /* what came before may have held another fault, however the bytes come in */
            if (err)
                *err = fault;
            return step;
        }
        if (!used && !made)
            return n ? damaged(u, "no progress", err) : HAL_OK;
    }
    return HAL_OK;
}

hal_status hal_unpack_finish(const hal_unpack *u, hal_err *err)
{
    if (!u->inside)
        return HAL_OK;
    return hal_err_set(err, HAL_E_INTEGRITY,
                       "the compressed answer is cut after %llu bytes (%llu unpacked); ask again",
                       (unsigned long long)u->taken, (unsigned long long)u->given);
}
