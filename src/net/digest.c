/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/digest.h"

#include "base/alloc.h"
#include "base/read.h"
#include "net/curl_lib.h"

#include <errno.h>
#include <string.h>

struct hal_sha256 {
    const hal_crypto *lib;
    EVP_MD_CTX *ctx;
};

hal_sha256 *hal_sha256_new(hal_err *err)
{
    const hal_crypto *lib = hal_crypto_load(err);
    hal_sha256 *d = lib ? hal_calloc(1, sizeof *d) : NULL;
    if (!d) {
        if (lib)
            hal_err_nomem(err, sizeof *d);
        return NULL;
    }
    d->lib = lib;
    d->ctx = lib->ctx_new();
    if (!d->ctx) {
        hal_free(d);
        hal_err_nomem(err, 256);
        return NULL;
    }
    if (hal_sha256_reset(d, err)) {
        hal_sha256_free(d);
        return NULL;
    }
    return d;
}

void hal_sha256_free(hal_sha256 *digest)
{
    if (!digest)
        return;
    digest->lib->ctx_free(digest->ctx);
    hal_free(digest);
}

static hal_status failed(hal_err *err)
{
    return hal_err_set(err, HAL_E_INTERNAL, "SHA-256 cannot be computed by this libcrypto");
}

hal_status hal_sha256_reset(hal_sha256 *digest, hal_err *err)
{
    return digest->lib->init(digest->ctx, digest->lib->sha256, NULL) == 1 ? HAL_OK : failed(err);
}

hal_status hal_sha256_add(hal_sha256 *digest, const void *bytes, size_t n, hal_err *err)
{
    return digest->lib->update(digest->ctx, bytes, n) == 1 ? HAL_OK : failed(err);
}

static void put_hex(char *out, const unsigned char *raw, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        out[2 * i] = "0123456789abcdef"[raw[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[raw[i] & 15];
    }
    out[2 * n] = '\0';
}

static hal_status add_all(hal_sha256 *digest, int fd, hal_err *err)
{
    enum { BLOCK_BYTES = 256 << 10 };
    char *block = hal_malloc(BLOCK_BYTES);
    if (!block)
        return hal_err_nomem(err, BLOCK_BYTES);
    hal_status st = HAL_OK;
    ssize_t got = 0;
    for (uint64_t at = 0; !st && (got = hal_read_at(fd, block, BLOCK_BYTES, at)) > 0;
         at += (uint64_t)got)
        st = hal_sha256_add(digest, block, (size_t)got, err);
    if (got < 0)
        st = hal_err_errno(err, errno, "cannot read back a file");
    hal_free(block);
    return st;
}

hal_status hal_md5_of_fd(int fd, char out[HAL_MD5_TEXT_SIZE], hal_err *err)
{
    unsigned char raw[64];
    unsigned n = 0;
    out[0] = '\0';
    hal_sha256 *d = hal_sha256_new(err);
    if (!d)
        return err ? err->status : HAL_E_NOMEM;
    hal_status st = HAL_OK;
    if (d->lib->init(d->ctx, d->lib->md5(), NULL) == 1 && !(st = add_all(d, fd, err)) &&
        d->lib->final(d->ctx, raw, &n) == 1 && n == 16)
        put_hex(out, raw, n);
    hal_sha256_free(d);
    return st;
}

hal_status hal_sha256_bytes(hal_sha256 *digest, unsigned char out[HAL_SHA256_BYTES], hal_err *err)
{
    return digest->lib->final(digest->ctx, out, NULL) == 1 ? HAL_OK : failed(err);
}

hal_status hal_sha256_text(hal_sha256 *digest, char out[HAL_SHA256_TEXT_SIZE], hal_err *err)
{
    unsigned char raw[HAL_SHA256_BYTES];
    hal_status st = hal_sha256_bytes(digest, raw, err);
    if (!st)
        put_hex(out, raw, sizeof raw);
    return st;
}

hal_status hal_sha256_of(const char *text, char out[HAL_SHA256_TEXT_SIZE], hal_err *err)
{
    hal_sha256 *digest = hal_sha256_new(err);
    hal_status st = digest ? hal_sha256_add(digest, text, strlen(text), err) : HAL_E_NOMEM;
    if (!st)
        st = hal_sha256_text(digest, out, err);
    hal_sha256_free(digest);
    return st;
}
