/* SPDX-License-Identifier: BSD-3-Clause */
/* What the halves of a download share: download.c has that of the loop thread, download_disk.c that
 * of the strand. Private to these. */
#ifndef HAL_NET_DOWNLOAD_IMPL_H
#define HAL_NET_DOWNLOAD_IMPL_H

#include "net/digest.h"
#include "net/download.h"
#include "net/folder.h"
#include "net/loop_impl.h"

enum {
    HAL_CHUNK_BYTES = 256 * 1024,
    HAL_RESUME_MIN_BYTES = 64 * 1024, /* below that, from zero is as cheap */
    HAL_STARTS_MAX = 16,
};

/* What the folder holds of a file. */
typedef enum hal_found {
    HAL_FOUND_NOTHING,
    HAL_FOUND_WHOLE,
    HAL_FOUND_PART_WHOLE,
    HAL_FOUND_PART
} hal_found;

struct hal_download {
    hal_loop *loop;
    hal_download *prev, *next;
    hal_folder *folder;
    hal_strand *strand;
    char *url, *path;
    hal_secrets secrets;
    void (*words)(char *out, size_t size, hal_slice body);
    char *source;
    int64_t expect_bytes;
    char expect_sha256[HAL_SHA256_TEXT_SIZE]; /* "" when unknown */
    char starts[HAL_STARTS_MAX];              /* "" when any */
    bool replace, verify;
    hal_download_done done;
    void *ctx;
    hal_alarm end;

    /* loop half */
    hal_exchange *x;
    int n_work;
    bool waiting; /* another download of the same path is under way */
    bool ending;
    hal_download_result result;
    uint64_t offset; /* bytes taken from the network, resumed ones included */
    int64_t total;   /* as the server says; < 0: unknown */
    char etag[256];  /* strong, or "" */
    bool asked_range, start_over;
    bool keep_part; /* when it fails */
    int restarts;
    int64_t agreed_length; /* server's length that contradicted expect_bytes once */
    struct hal_download_work *filling;
    int n_chunks;
    bool starved;

    /* strand half; the loop reads `found`, `found_*` after the opening is done */
    int parent_fd, fd;
    const char *name;
    char part[HAL_COMPONENT_MAX_BYTES + 16], info[HAL_COMPONENT_MAX_BYTES + 16];
    bool may_replace;
    hal_sha256 *digest;
    uint64_t written;
    bool broken; /* a piece of work failed: the rest is void */
    hal_found found;
    hal_file_record found_record;
};

typedef struct hal_download_work {
    hal_download *d;
    hal_status (*run)(struct hal_download_work *w);
    void (*then)(struct hal_download_work *w); /* loop thread */
    hal_err err;
    hal_file_record record; /* publish */
    char etag[256];         /* begin, publish */
    int64_t total;          /* begin */
    bool suspicious;        /* publish */
    bool spoiled;           /* publish: the part cannot be resumed */
    size_t n_bytes;         /* write */
    char bytes[];
} hal_download_work;

/* Work of the strand, in this order: looks for the file and its part, empties the part for an
 * answer from zero, adds bytes, gives the file its name. */
hal_status hal_download_run_open(hal_download_work *w) HAL_MUST_CHECK;
hal_status hal_download_run_begin(hal_download_work *w) HAL_MUST_CHECK;
hal_status hal_download_run_write(hal_download_work *w) HAL_MUST_CHECK;
hal_status hal_download_run_publish(hal_download_work *w) HAL_MUST_CHECK;

#endif
