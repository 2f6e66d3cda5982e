/* SPDX-License-Identifier: BSD-3-Clause */
/* A file that appears whole or not at all: written as ".NAME.halyard-PID-N" in the same folder,
 * created and locked (flock) by this writer alone, flushed to disk, then renamed. Private to this
 * folder, but for bind/plot. */
#ifndef HAL_DATA_OUTFILE_H
#define HAL_DATA_OUTFILE_H

#include "base/buf.h"

#include <stdint.h>

typedef struct hal_outfile {
    int fd;      /* -1: closed */
    bool direct; /* no file of its own that is renamed */
    char *path, *part_path, *folder;
    char *buffer;
    size_t used;
    uint64_t size_bytes, sent_bytes; /* in the file; of them on their way to the disk */
    hal_buf *memory;                 /* where the bytes go instead of a file; borrowed */
    const _Atomic bool *stop;        /* set after opening, or NULL */
} hal_outfile;

/** `path` NULL or "-": standard output. A file of this name keeps its permissions; a link is
 * replaced, not followed. Fails with HAL_E_IO, HAL_E_NOMEM. */
hal_status hal_outfile_open(hal_outfile *f, const char *path, hal_err *err) HAL_MUST_CHECK;
/** For a path that a person names: links are followed, and a pipe, a device or standard output
 * under any name is written to as it is. */
hal_status hal_outfile_open_named(hal_outfile *f, const char *path, hal_err *err) HAL_MUST_CHECK;
/** Appends to `to`, some bytes not before the commit; it outlives `f`. HAL_E_BUDGET at its ceiling.
 */
hal_status hal_outfile_open_memory(hal_outfile *f, hal_buf *to, hal_err *err) HAL_MUST_CHECK;
/** HAL_E_CANCELLED once *stop is true. Every write to the file and its commit begin with this. */
hal_status hal_outfile_check(const hal_outfile *f, hal_err *err) HAL_MUST_CHECK;
/** What hal_outfile_open_named writes to as it is: bytes there cannot be taken back. */
bool hal_outfile_is_direct(const char *path);
hal_status hal_outfile_write(hal_outfile *f, const void *bytes, size_t n,
                             hal_err *err) HAL_MUST_CHECK;
/** Room for `n` <= 4096 bytes at f->buffer + f->used; the caller raises f->used. */
hal_status hal_outfile_room(hal_outfile *f, size_t n, hal_err *err) HAL_MUST_CHECK;
/** Writes over bytes that were written before. Not when `direct`. */
hal_status hal_outfile_patch(hal_outfile *f, const void *bytes, size_t n, uint64_t at,
                             hal_err *err) HAL_MUST_CHECK;
/** Begins with an empty file. What was written before has no name any more and is left in `*old`,
 * to read, to write on behind it and to close. Not when `direct`. */
hal_status hal_outfile_restart(hal_outfile *f, int *old, hal_err *err) HAL_MUST_CHECK;
/** Flushes, syncs, renames. */
hal_status hal_outfile_commit(hal_outfile *f, hal_err *err) HAL_MUST_CHECK;
/** Without a commit before it, the unfinished file is removed. */
void hal_outfile_close(hal_outfile *f);

#endif
