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
    HAL_PIECES_MAX = 4, /* under way to the disk; more pause the transfer */
    /* A large file by ranges: so many bytes each, at once, and ahead of the first that is missing,
     * which bounds what a kill loses. */
    HAL_RANGED_MIN_BYTES = 64 << 20,
    HAL_RANGE_BYTES = 16 << 20,
    HAL_RANGES_MAX = 4,
    HAL_RANGES_AHEAD = 8,
};

#define HAL_APPEND UINT64_MAX

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

typedef struct hal_range {
    hal_download *d;
    hal_exchange *x; /* NULL: not under way */
    uint64_t offset, end;
    struct hal_download_work *filling;
    int n_pieces;
    bool starved, refused;
} hal_range;

/* Bytes of the part beyond its prefix. */
typedef struct hal_extent {
    uint64_t first, end;
} hal_extent;

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
    bool replace, verify, keep_bad, is_gzip;
    hal_download_done done;
    void *ctx;
    hal_alarm end;

    /* loop half */
    hal_exchange *x;
    int n_work;
    bool waiting; /* for another download of the same path, or a descriptor; has none then */
    bool ending;
    hal_download_result result;
    uint64_t offset; /* bytes taken from the network, resumed ones included */
    int64_t total;   /* as the server says; < 0: unknown */
    char etag[256];  /* strong, or "" */
    bool asked_range, start_over;
    uint64_t asked_from, asked_end; /* 0: to the end */
    bool one_stream;                /* no ranges, or no more */
    bool goes_on;                   /* the exchange is no further try */
    bool has_slot;                  /* of its host, after the exchange: bytes are not written yet */
    hal_gate *gate;
    hal_range ranges[HAL_RANGES_MAX];
    int n_ranges;
    uint64_t next_range;
    hal_err ranges_failed;
    bool keep_part; /* when it fails */
    int restarts;
    int64_t agreed_length; /* server's length that contradicted expect_bytes once */
    bool has_better;       /* there is a whole file, as long as expect_bytes */
    bool unverified;       /* nobody said how long it is */
    char said_sha256[HAL_SHA256_TEXT_SIZE]; /* by the server; "" when it did not */
    char said_md5[HAL_MD5_TEXT_SIZE];
    bool begins; /* nothing of the answer from zero was handed over yet */
    struct hal_download_work *filling;
    int n_chunks;
    bool starved;

    /* strand half; the loop reads `found`, `found_*` after the opening is done */
    hal_parent *parent;
    int parent_fd, fd;
    const char *name;
    char part[HAL_COMPONENT_MAX_BYTES + 16], info[HAL_COMPONENT_MAX_BYTES + 16];
    bool may_replace;
    hal_sha256 *digest;
    uint64_t written; /* bytes of the part without a gap, which are in the digest */
    hal_extent extents[HAL_RANGES_AHEAD + 1];
    int n_extents;
    bool has_info;
    bool notes_prefix; /* the note says how much is without a gap */
    int info_fd;
    bool broken; /* a piece of work failed: the rest is void */
    hal_found found;
    hal_file_record found_record;

    /* of a whole file: written by the strand, then the outlet's, read by the loop */
    hal_file_record record;
    hal_content content;
    char why[HAL_CONTENT_WHY_SIZE]; /* of an odd one */
    bool spoiled;                   /* the part cannot be resumed */
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
    bool urgent;  /* before what may wait: a slot of the host, or the record of a whole file */
    bool begins;  /* the first of an answer from zero, with `etag` */
    bool has_sum; /* the server states one of the file */
    char etag[256];
    int64_t total;                          /* bytes of the file; < 0: unknown */
    char said_sha256[HAL_SHA256_TEXT_SIZE]; /* last: as in the download */
    char said_md5[HAL_MD5_TEXT_SIZE];
    bool stale_size; /* last: the server's length was taken against the catalogue's */
    hal_range *range;
    uint64_t at; /* HAL_APPEND: behind what is there */
    size_t n_bytes;
    char bytes[];
} hal_download_work;

/* download.c */
/** `has_room`: for HAL_CHUNK_BYTES. NULL and HAL_E_NOMEM. */
hal_download_work *hal_download_new_work(hal_download *d, hal_status (*run)(hal_download_work *w),
                                         void (*then)(hal_download_work *w), bool has_room,
                                         hal_err *err);
void hal_download_free_work(hal_download_work *w);
/** To the strand; takes the work also when it fails. */
hal_status hal_download_post(hal_download_work *w, hal_err *err) HAL_MUST_CHECK;
/** `why` NULL: success. The first end stands. */
void hal_download_end(hal_download *d, const hal_err *why);
void hal_download_end_when_idle(hal_download *d);
/** From zero, a limited number of times (fault matrix section 2, class integrity). */
void hal_download_start_over(hal_download *d, const hal_err *why);
hal_request hal_download_request_of(const hal_download *d);
/** One exchange for all that is missing, or for the first range of a large file. */
void hal_download_ask(hal_download *d);
/** The bytes are complete: the last ones go, then the file is checked. */
void hal_download_publish(hal_download *d);
/** Ends it: what is there is whole. */
void hal_download_was_there(hal_download *d);
/** What is there is whole, but no more what the server has. */
void hal_download_fetch_anew(hal_download *d);

/* download_answer.c: what an answer must be to be taken for the file */
enum { HAL_RESTARTS_MAX = 2 };
bool hal_download_ends_with(const hal_download *d, const char *ending);
/** Of an answer; "" when it has none of that name (in lower case). */
const char *hal_outcome_header(const hal_outcome *answer, const char *wanted);
bool hal_download_is_asked_part(const hal_download *d, const hal_outcome *answer);
void hal_download_read_digest(hal_download *d, const hal_outcome *answer);
/** The next bytes, while they may still show that no such file comes. HAL_E_PROTOCOL. */
hal_status hal_download_check_start(const hal_download *d, hal_slice bytes,
                                    hal_err *err) HAL_MUST_CHECK;
/** Once all bytes are there; false and why not. */
bool hal_download_length_is_good(hal_download *d, hal_err *err);

/* download_head.c */
/** Asks the server whether what is there is still what it has. */
void hal_download_look(hal_download *d);

/* download_name.c */
/** The file is whole and on the disk: it gets its name, and the download ends. */
void hal_download_name(hal_download *d);
/** One for all downloads into a folder, so that its state is read once. NULL and err. */
hal_outlet *hal_outlet_of(hal_loop *loop, const char *dir, hal_pool *pool, hal_err *err);
void hal_outlets_free(hal_loop *loop);

/* download_ranges.c */
/** The first range is there: the others, at once if the host has room, else as one stream. */
void hal_download_go_on(hal_download *d);
void hal_download_cancel_ranges(hal_download *d);

/* Work of the strand, in this order: looks for the file and its part; looks for the part of a whole
 * file that is to be replaced; adds bytes, first emptying the part for an answer from zero; adds
 * the last bytes, checks the file and forces it to the disk. */
hal_status hal_download_run_open(hal_download_work *w) HAL_MUST_CHECK;
hal_status hal_download_run_open_part(hal_download_work *w) HAL_MUST_CHECK;
hal_status hal_download_run_write(hal_download_work *w) HAL_MUST_CHECK;
hal_status hal_download_run_last(hal_download_work *w) HAL_MUST_CHECK;
/* Gives checked files of one folder (a list by next_named) their names; says in each what became of
 * it. Any worker, one at a time for a folder. */
void hal_download_name_files(hal_download *list);
/* Closes its descriptors. */
void hal_download_close(hal_download *d);

#endif
