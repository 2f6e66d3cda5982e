/* SPDX-License-Identifier: BSD-3-Clause */
/* Small files for scripts: reading, listing, and atomic writing below the output folder. Not for
 * catalogues or downloads. */
#ifndef HAL_HOST_FILES_H
#define HAL_HOST_FILES_H

#include "base/slice.h"
#include "base/status.h"

#include <limits.h>
#include <lua.h>

/** Pushes the bytes of a regular file of at most `max_bytes`; raises io, not_found, budget. */
void hal_files_push_text(lua_State *L, const char *path, size_t max_bytes);
/** Pushes a sorted list of the names in `dir` that end in `suffix`; an absent folder has none. */
void hal_files_push_names(lua_State *L, const char *dir, const char *suffix);
bool hal_files_exists(const char *path);

/** "cannot VERB ITEM in the output folder ROOT: reason", with the remedy. `item` may be NULL: it is
 * about the folder. Returns HAL_E_IO, or HAL_E_NOMEM. */
hal_status hal_files_output_failed(hal_err *err, int errno_value, const char *verb,
                                   const char *item, const char *root);

/** Makes `root` and the folders of `path` below it. `path` is relative, or absolute and below
 * `root`; "" and "." are `root` itself. ".." and symbolic links on the way are refused
 * (HAL_E_PERMISSION). */
hal_status hal_files_make_dirs(const char *root, const char *path, hal_err *err) HAL_MUST_CHECK;
/** Writes a file below `root` (rules as above; its folder must exist) under a temporary name, syncs
 * it and renames it into place. */
hal_status hal_files_write(const char *root, const char *path, hal_slice bytes,
                           hal_err *err) HAL_MUST_CHECK;

/** The same piece by piece, for what does not fit into memory. {.dir = -1, .fd = -1} is closed. */
typedef struct hal_files_out {
    int dir, fd;
    const char *name; /* last component of `path` */
    char part[256];   /* the temporary name, also in `dir` */
    char root[PATH_MAX], path[PATH_MAX];
    size_t n_held;
    char held[64 << 10]; /* not written yet */
} hal_files_out;
hal_status hal_files_create(hal_files_out *out, const char *root, const char *path,
                            hal_err *err) HAL_MUST_CHECK;
hal_status hal_files_append(hal_files_out *out, hal_slice bytes, hal_err *err) HAL_MUST_CHECK;
/** Syncs and renames into place, or leaves nothing; closed either way. */
hal_status hal_files_commit(hal_files_out *out, hal_err *err) HAL_MUST_CHECK;
/** Closes, and removes what was not committed. */
void hal_files_drop(hal_files_out *out);
/** Opens the file at `path` below folder `root` to read, without following symbolic links: a
 * descriptor, or -1 and errno (EACCES for "..", ELOOP or ENOTDIR for links). */
int hal_files_open_below(const char *root, const char *path);

#endif
