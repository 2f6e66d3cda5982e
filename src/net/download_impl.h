/* SPDX-License-Identifier: BSD-3-Clause */
/* What the halves of a download share: download.c has that of the loop thread, download_disk.c that
 * of the strand. Private to these. */
#ifndef HAL_NET_DOWNLOAD_IMPL_H
#define HAL_NET_DOWNLOAD_IMPL_H

#include "net/content.h"
#include "net/digest.h"
#include "net/download.h"
#include "net/folder.h"
#include "net/loop_impl.h"

#include <sys/types.h>

enum {
    HAL_CHUNK_BYTES = 256 * 1024,
    HAL_RESUME_MIN_BYTES = 64 * 1024, /* below that, from zero is as cheap */
    HAL_STARTS_MAX = 16,
    HAL_IDLE_WORK = 32,
};

/* What the folder holds of a file. */
typedef enum hal_found {
    HAL_FOUND_NOTHING,
    HAL_FOUND_WHOLE,
    HAL_FOUND_PART_WHOLE,
    HAL_FOUND_PART
} hal_found;

/* An output folder. Files whose bytes are on the disk wait here for their names: those that came
 * while others were being named share one record write and one sync of each folder. */
typedef struct hal_outlet {
    struct hal_outlet *next;
    hal_folder *folder;
    hal_strand *strand;
    hal_download *first, *last; /* that wait, by next_named */
    bool busy;
} hal_outlet;

struct hal_download {
    hal_loop *loop;
    hal_download *prev, *next, *next_named;
    hal_outlet *outlet;
    hal_folder *folder;
    hal_strand *strand;
    char *url, *path;
    hal_secrets secrets;
    void (*words)(char *out, size_t size, hal_slice body);
    char *source;
    int64_t expect_bytes;
    char expect_sha256[HAL_SHA256_TEXT_SIZE]; /* "" when unknown */
    char starts[HAL_STARTS_MAX];              /* "" when any */
    bool replace, verify, keep_bad;
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
    bool unverified;       /* nobody said how long it is */
    char said_sha256[HAL_SHA256_TEXT_SIZE]; /* by the server; "" when it did not */
    bool begins; /* nothing of the answer from zero was handed over yet */
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
    bool has_info;
    bool broken; /* a piece of work failed: the rest is void */
    hal_found found;
    hal_file_record found_record;

    /* of a whole file: written by the strand, then the outlet's, read by the loop */
    hal_file_record record;
    hal_content content;
    char why[HAL_CONTENT_WHY_SIZE]; /* of an odd one */
    bool spoiled;                   /* the part cannot be resumed */
    dev_t parent_device;
    ino_t parent_inode;
    bool is_saved;
    hal_err named;
};

typedef struct hal_download_work {
    hal_download *d;
    struct hal_download_work *next_idle;
    bool has_room;
    hal_status (*run)(struct hal_download_work *w);
    void (*then)(struct hal_download_work *w); /* loop thread */
    hal_err err;
    bool begins; /* the first of an answer from zero: of `total` bytes, with `etag` */
    char etag[256];
    int64_t total;
    char said_sha256[HAL_SHA256_TEXT_SIZE]; /* last: as in the download */
    bool stale_size; /* last: the server's length was taken against the catalogue's */
    size_t n_bytes;
    char bytes[];
} hal_download_work;

/* Work of the strand, in this order: looks for the file and its part; adds bytes, first emptying
 * the part for an answer from zero; adds the last bytes, checks the file and forces it to the
 * disk. */
hal_status hal_download_run_open(hal_download_work *w) HAL_MUST_CHECK;
hal_status hal_download_run_write(hal_download_work *w) HAL_MUST_CHECK;
hal_status hal_download_run_last(hal_download_work *w) HAL_MUST_CHECK;
/* Gives checked files of one folder (a list by next_named) their names; says in each what became of
 * it. Any worker, one at a time for a folder. */
void hal_download_name_files(hal_download *list);

#endif
