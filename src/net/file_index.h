/* SPDX-License-Identifier: BSD-3-Clause */
/* The state file `.halyard/files` of an output folder: what was put there whole, one line a file,
 * "crc32 bytes mtime_ns sha256 path TAB source TAB etag TAB catalogue_bytes". Of a path the latest
 * line counts; what is no whole line is passed over. In memory is only where the lines are (16
 * bytes a place, 32 MiB for a million files), so that a folder of any size costs little. Writes
 * nothing, has no lock. */
#ifndef HAL_NET_FILE_INDEX_H
#define HAL_NET_FILE_INDEX_H

#include "base/buf.h"

#include <stdint.h>

enum { HAL_FILE_LINE_MAX = 8192 };

typedef struct hal_file_record {
    uint64_t bytes;
    int64_t mtime_ns;
    int64_t catalogue_bytes; /* size that the catalogue gave, which may be stale; < 0: none */
    char sha256[65];
} hal_file_record;

/* A line taken apart: the texts point into `text`. */
typedef struct hal_file_line {
    hal_file_record record;
    const char *path, *source, *etag;
    char text[HAL_FILE_LINE_MAX];
} hal_file_line;

typedef struct hal_file_index {
    struct hal_file_place *places; /* open addressing; n_room is a power of two */
    size_t n_places, n_room;
    uint64_t end;   /* of the last whole line */
    bool torn;      /* the file goes on behind it, inside a line */
    bool by_source; /* set by the caller before the first line: the key is the source */
    /* What was read last, from block_at on: lines that follow each other are often asked for in
     * turn. */
    uint64_t block_at;
    size_t block_bytes;
    char block[2 * HAL_FILE_LINE_MAX];
} hal_file_index;

/** {0} is an empty index. */
void hal_file_index_clear(hal_file_index *ix);
/** Takes in what `fd` holds behind ix->end. `dir` is for messages. HAL_E_IO, also for what is no
 * file of ours: no line of it is whole, and it does not begin as one. HAL_E_NOMEM, HAL_E_BUDGET
 * beyond 4,000,000 files. */
hal_status hal_file_index_load(hal_file_index *ix, int fd, const char *dir,
                               hal_err *err) HAL_MUST_CHECK;
/** The line of `key` begins at `offset`. */
hal_status hal_file_index_put(hal_file_index *ix, const char *key, uint64_t offset, const char *dir,
                              hal_err *err) HAL_MUST_CHECK;
/** The latest line of `key`, read from `fd`. */
bool hal_file_index_find(hal_file_index *ix, int fd, const char *key, hal_file_line *out);
/** Calls `see` with the latest line of every key, in the order of the file, until it fails. */
hal_status hal_file_index_each(const hal_file_index *ix, int fd, const char *dir,
                               hal_status (*see)(void *ctx, const hal_file_line *line,
                                                 hal_err *err),
                               void *ctx, hal_err *err) HAL_MUST_CHECK;
/** Appends a line with its line feed. HAL_E_BUDGET when it is too long to be read again. */
hal_status hal_file_line_format(hal_buf *out, const hal_file_record *record, const char *path,
                                const char *source, const char *etag, hal_err *err) HAL_MUST_CHECK;

#endif
